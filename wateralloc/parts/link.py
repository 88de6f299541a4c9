"""Link: water moves from a node to another, with capacity, minimum, loss, cost and travel time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.parts import DATA, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table

KINDS = ("reach", "canal", "pump", "transfer", "turbine", "spillway", "distributary")
RIVER_KINDS = ("reach", "turbine", "spillway", "distributary")
"""Kinds that carry the river on; water in a canal, pump or transfer has left it."""

LINKS = Table(
    "links",
    "Where water can go: river reaches, dam outlets, canals, transfers.",
    (
        Column("name", "name of the link", "name", required=True),
        Column("from", "node it leaves", "name", required=True, refers_to="nodes"),
        Column("to", "node it enters", "name", required=True, refers_to="nodes"),
        Column(
            "kind", "what it is; `spillway` carries spill", "text", required=True, choices=KINDS
        ),
        Column(
            "capacity",
            "largest flow entering it; empty: no limit",
            dimension="flow",
            low=0,
            varies="timeline",
        ),
        Column(
            "minimum",
            "least flow entering it",
            dimension="flow",
            default=0.0,
            low=0,
            varies="timeline",
        ),
        Column(
            "loss",
            "share of the entering water that is lost",
            dimension="fraction",
            default=0.0,
            low=0,
            high=1,
        ),
        Column("lag_periods", "whole periods the water travels", "integer", default=0, low=0),
        Column(
            "initial",
            "flow that entered before the horizon, for a link with a lag",
            dimension="flow",
            default=0.0,
            low=0,
        ),
        Column("cost", "cost of water entering it", dimension="price", default=0.0),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
)


class Link(Part):
    """Carry water between nodes.

    `flow` is the volume that enters the link in the period; what leaves it at the other end is the
    volume that entered `lag_periods` earlier, less the loss.  Volumes are moved whole, so mass is
    kept although periods differ in length.

    Equation
    --------
    minimum(l, t) <= flow(l, t) <= capacity(l, t);
    water(to) += (1 - loss(l)) flow(l, t - lag(l));  water(from) -= flow(l, t).
    """

    kind = "link"
    tables = (LINKS,)
    balance = {"link_in": 1, "link_out": -1}
    reports = {"flow_in": "link", "loss": "link", "flow_out": "link", "cost": "link"}

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        links = case.basin.tables["links"]
        m.link = pyo.Set(initialize=list(links.index))
        capacity = case.volumes("links", "capacity")
        m.capacity = pyo.Param(list(capacity), initialize=capacity, units=unit("hm3"), **DATA)
        m.minimum = pyo.Param(
            m.link, initialize=case.volumes("links", "minimum"), units=unit("hm3"), **DATA
        )
        m.loss = pyo.Param(m.link, initialize=case.basin.values("links", "loss"), **DATA)
        m.flow = pyo.Var(
            m.link,
            bounds=lambda m, k: (m.minimum[k], m.capacity[k] if k in m.capacity else None),
            units=unit("hm3"),
        )
        lags = {k: int(lag) for k, lag in case.basin.values("links", "lag_periods").items() if lag}
        m.arriving = pyo.Var(list(lags), units=unit("hm3"))
        before = case.volumes("links", "initial")
        for k, lag in lags.items():
            m.repeats.carry(m.arriving[k], m.flow[k], lag, before[k])
        m.links_into, m.links_out = by_node(links["to"]), by_node(links["from"])
        m.river_out = by_node(links["from"][links["kind"].isin(RIVER_KINDS)])

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        amounts = {}
        if node in m.links_into:
            amounts["link_in"] = sum(flow_out(m, k) for k in m.links_into[node])
        if node in m.links_out:
            amounts["link_out"] = sum(m.flow[k] for k in m.links_out[node])
        return amounts

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        yield Quantity("flow_in", "link", dict(m.flow.items()), "hm3", "volume entering the link")
        yield Quantity(
            "loss",
            "link",
            {k: m.loss[k] * entered(m, k) for k in m.link},
            "hm3",
            "volume lost on the way, of what arrives in the period",
        )
        yield Quantity(
            "flow_out",
            "link",
            {k: flow_out(m, k) for k in m.link},
            "hm3",
            "volume leaving the link at its other end",
        )
        price = case.basin.values("links", "cost")
        yield Quantity(
            "cost",
            "link",
            {k: price[k] * m.flow[k] for k in m.link if price[k]},
            f"million {case.basin.currency}",
            "cost of the water that enters the link",
        )


def entered(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] that entered a link when what arrives now set out."""
    return m.arriving[link] if link in m.arriving else m.flow[link]


def flow_out(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] that leaves a link at its other end in the period."""
    return (1 - m.loss[link]) * entered(m, link)


def river_flow(m: pyo.ConcreteModel, node: str) -> Any:
    """Volume [hm3] the river carries on from a node in the period (at a sink: out of the basin).

    Water that leaves in canals, pumps and transfers, or is withdrawn, is not in it.
    """
    if node in m.outflow:
        return m.outflow[node]
    return sum(m.flow[k] for k in m.river_out.get(node, ()))
