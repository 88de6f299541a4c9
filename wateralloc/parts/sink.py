"""Sink: where water leaves the basin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.parts import Part, Quantity, unit

OUTLET = "outlet"
"""Kind of the link by which, in results, a sink passes its water out of the basin."""
OUTSIDE = "outside"


class Sink(Part):
    """Let water leave the basin at nodes of kind ``sink`` (the sea, a border).

    In results a sink's water is a link out of the basin: named like the node, of kind ``outlet``,
    to ``outside``; so the balance of a sink closes with the columns of any other node.

    Equation
    --------
    water(n) -= outflow(n, t) >= 0, without a limit.
    """

    kind = "sink"
    balance = {"link_out": -1}
    reports = {"outflow": "node", "flow_in": "link", "flow_out": "link"}

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        nodes = case.basin.tables["nodes"]
        m.outflow = pyo.Var(
            list(nodes.index[nodes["kind"] == "sink"]), bounds=(0, None), units=unit("hm3")
        )

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        return {"link_out": m.outflow[node]} if node in m.outflow else {}

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        outflow = dict(m.outflow.items())
        yield Quantity("outflow", "node", outflow, "hm3", "volume leaving the basin")
        yield Quantity("flow_in", "link", outflow, "hm3", "volume entering the link")
        yield Quantity(
            "flow_out", "link", outflow, "hm3", "volume leaving the link at its other end"
        )
