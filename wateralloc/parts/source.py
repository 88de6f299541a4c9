"""Source: where a demand draws its water, when that is not (or not only) its own node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table

SOURCES = Table(
    "sources",
    "Where a demand draws its water. A demand that has a row here draws from these sources alone; "
    "its own node is one of them only when a row names it.",
    (
        Column("name", "name of the source", "name", required=True),
        Column("demand", "demand it serves", "name", required=True, refers_to="demands"),
        Column("node", "node the water is drawn from", "name", required=True, refers_to="nodes"),
        Column(
            "preference",
            "place among the sources of the demand, 1 first, for the goal `prefer`; several may "
            "have the same",
            "integer",
            default=1,
            low=1,
        ),
        Column("cost", "cost of water drawn", dimension="price", default=0.0),
        Column(
            "capacity",
            "largest flow drawn; empty: no limit",
            dimension="flow",
            low=0,
            varies="timeline",
        ),
        Column(
            "loss",
            "share of the water drawn that is lost on the way to the demand",
            dimension="fraction",
            default=0.0,
            low=0,
            high=0.99,
        ),
        Column(
            "loss_to",
            "node to which that loss seeps, in the same period; empty: it leaves the basin",
            "name",
            refers_to="nodes",
        ),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
)


class Source(Part):
    """Let a demand draw from several nodes.

    What reaches the demand from all its sources is its withdrawal; what is lost on the way is drawn
    too, and leaves the basin or seeps to the node `loss_to`.  The demand's own node says where it
    lies (its region, its province) and is a source only when a row names it.  In which order the
    sources are used is for the goals to say: ``prefer`` by their `preference`, ``minimise:
    source_cost`` by their cost.

    Equation
    --------
    withdrawal(d, t) = sum over the sources s of d of (1 - loss(s)) drawn(s, t);
    0 <= drawn(s, t) <= capacity(s, t);
    water(node) -= drawn(s, t);  water(loss_to) += loss(s) drawn(s, t).
    """

    kind = "source"
    tables = (SOURCES,)
    balance = {"withdrawal": -1, "delivery_seepage": 1}
    reports = {
        "drawn": "source",
        "delivery_loss": "source",
        "delivery_seepage": "source",
        "source_cost": "source",
    }

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["sources"]
        for name in table.index:
            row = table.loc[name]
            if row["loss_to"] and not row["loss"]:
                findings.add(
                    basin.position("sources", name, "loss_to"),
                    "E244",
                    f"source '{name}' names a node for its delivery loss but loses nothing; "
                    "give loss_fraction, or leave loss_to empty",
                )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin = case.basin
        table = basin.tables["sources"]
        m.source = pyo.Set(initialize=list(table.index))
        capacity = case.volumes("sources", "capacity")
        m.source_capacity = pyo.Param(
            list(capacity), initialize=capacity, units=unit("hm3"), **DATA
        )
        m.delivery_loss = pyo.Param(m.source, initialize=basin.values("sources", "loss"), **DATA)
        m.drawn = pyo.Var(
            m.source,
            bounds=lambda m, s: (0.0, m.source_capacity[s] if s in m.source_capacity else None),
            units=unit("hm3"),
        )
        m.sources_at = by_node(table["node"])
        m.seeps_to = by_node(table["loss_to"][table["loss_to"] != ""])

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        amounts = {}
        if node in m.sources_at:
            amounts["withdrawal"] = sum(m.drawn[s] for s in m.sources_at[node])
        if node in m.seeps_to:
            amounts["delivery_seepage"] = sum(lost(m, s) for s in m.seeps_to[node])
        return amounts

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        sources_of = case.basin.tables["sources"].groupby("demand", sort=False).groups
        m.delivered = pyo.Constraint(
            list(sources_of),
            rule=lambda m, d: m.withdrawal[d] == sum(delivered(m, s) for s in sources_of[d]),
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        yield Quantity("drawn", "source", dict(m.drawn.items()), "hm3", "volume drawn for a demand")
        yield Quantity(
            "delivery_loss",
            "source",
            {s: lost(m, s) for s in m.source},
            "hm3",
            "volume drawn that is lost on the way to the demand",
        )
        yield Quantity(
            "delivery_seepage",
            "source",
            {s: lost(m, s) for sources in m.seeps_to.values() for s in sources},
            "hm3",
            "volume of the delivery loss that seeps to a node",
        )
        price = case.basin.values("sources", "cost")
        yield Quantity(
            "source_cost",
            "source",
            {s: price[s] * m.drawn[s] for s in m.source if price[s]},
            f"million {case.basin.currency}",
            "cost of the water drawn for a demand",
        )


def lost(m: pyo.ConcreteModel, source: str) -> Any:
    """Volume [hm3] drawn from a source in the period that is lost on the way."""
    return m.delivery_loss[source] * m.drawn[source]


def delivered(m: pyo.ConcreteModel, source: str) -> Any:
    """Volume [hm3] that reaches the demand from a source in the period."""
    return (1 - m.delivery_loss[source]) * m.drawn[source]
