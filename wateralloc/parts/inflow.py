"""Inflow: the local natural gain of a node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.parts import DATA, Part, Quantity, unit


class Inflow(Part):
    """Give each node its local natural inflow.

    The inflow is *incremental*: what the node's own sub-basin adds below the nodes upstream.  It
    comes from ``series/inflow_m3s.csv`` (date x node), read in each member's own record years, or
    from a column ``inflow_m3s`` of ``nodes.csv``.  A node without either has no inflow.

    Equation
    --------
    water(n) = inflow(n, t), the mean flow of the period times its true length.
    """

    kind = "inflow"
    balance = {"inflow": 1}
    reports = {"inflow": "node"}

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        volumes = case.volumes("nodes", "inflow")
        m.inflow = pyo.Param(list(volumes), initialize=volumes, units=unit("hm3"), **DATA)

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        return {"inflow": m.inflow[node]} if node in m.inflow else {}

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        yield Quantity("inflow", "node", dict(m.inflow.items()), "hm3", "local natural inflow")
