"""Environmental flow: the least the river carries on below a node."""

from __future__ import annotations

from collections.abc import Iterable

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.parts import DATA, Part, Quantity, unit
from wateralloc.parts.link import river_flow
from wateralloc.tables import Column, Table

ENVIRONMENTAL_FLOWS = Table(
    "environmental_flows",
    "Least flow that the river carries on below a node, in every period.",
    (
        Column("name", "name of the requirement", "name", required=True),
        Column("node", "node below which it holds", "name", required=True, refers_to="nodes"),
        Column(
            "minimum",
            "least mean flow of each period",
            dimension="flow",
            required=True,
            low=0,
            varies="timeline",
        ),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
)


class EnvironmentalFlow(Part):
    """Keep a minimum flow below a node.

    It is a hard limit of nature's law, not of a policy: a rule that may be broken is
    ``minimum_delivery``.  Water in canals, pumps and transfers does not count.

    Equation
    --------
    river_flow(n, t) >= minimum(e, t) for every requirement e at node n.
    """

    kind = "environmental_flow"
    tables = (ENVIRONMENTAL_FLOWS,)
    reports = {"river_flow": "node"}

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        least = case.volumes("environmental_flows", "minimum")
        m.least_flow = pyo.Param(list(least), initialize=least, units=unit("hm3"), **DATA)

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        node = case.basin.values("environmental_flows", "node")
        m.environmental_flow = pyo.Constraint(
            list(m.least_flow), rule=lambda m, e: river_flow(m, node[e]) >= m.least_flow[e]
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        yield Quantity(
            "river_flow",
            "node",
            {n: river_flow(m, n) for n in m.node},
            "hm3",
            "volume the river carries on from the node",
        )
