"""Link: water moves from a node to another, with capacity, minimum, loss, cost and travel time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Findings
from wateralloc.parts import DATA, Part, Quantity, by_node, unit, without_zeros
from wateralloc.tables import Column, Table
from wateralloc.units import hm3_of_m3s

KINDS = ("reach", "canal", "pump", "transfer", "turbine", "spillway", "distributary")
RIVER_KINDS = ("reach", "turbine", "spillway", "distributary")
"""Kinds that carry the river on; water in a canal, pump or transfer has left it."""
SECONDS_PER_HOUR = 3600.0

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
            "share of the entering water that is lost; negative: gained on the way",
            dimension="fraction",
            default=0.0,
            low=-1,
            high=1,
        ),
        Column("lag_periods", "periods the water travels, whole or not", default=0.0, low=0),
        Column("lag", "hours the water travels, in place of lag_periods", dimension="time", low=0),
        Column(
            "muskingum_k",
            "Muskingum's storage constant, about the time a wave takes through the link; empty: "
            "its water is not stored",
            dimension="time",
            low=0,
        ),
        Column(
            "muskingum_x",
            "Muskingum's weight of the inflow in the storage; 0: only the outflow counts, as in a "
            "lake",
            default=0.0,
            low=0,
            high=0.5,
        ),
        Column(
            "initial",
            "steady flow that entered before the horizon, for a link with a lag or muskingum_k",
            dimension="flow",
            default=0.0,
            low=0,
        ),
        Column(
            "initial_storage",
            "water stored by muskingum_k at the start of the horizon; empty: that of the flow "
            "`initial`",
            dimension="volume",
            low=0,
        ),
        Column(
            "cost",
            "cost of water entering it; negative: what it is worth",
            dimension="price",
            default=0.0,
            varies="timeline",
        ),
        Column(
            "may_circle",
            "water may circle for nothing through this link and others, as between places that "
            "canals join both ways; of such flows only the net means anything",
            "boolean",
            default=False,
        ),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
)


class Link(Part):
    """Carry water between nodes: at once, after a lag, or through a channel that stores it.

    `flow` is the volume that enters the link in the period.

    A lag moves it: the water of a period enters evenly over it, and arrives as evenly, the lag
    later.  Each period gets the share that arrives within it.  A lag of hours counts the true
    lengths of the periods; a lag of periods takes them as alike, and one of whole periods moves
    their volumes whole.

    `muskingum_k_h` flattens it: the water that arrives fills a storage, which Muskingum's law ties
    to the mean flows of the period into and out of it.  The law holds at the end of each period,
    not between the means of two as in the finite differences of the textbooks: so mass is exact
    when periods differ in length, and no weight is negative where ``muskingum_k * muskingum_x`` is
    at most the length of every period.  A slower link is split into several.

    A link may have both; its water is first moved, then flattened ("lag and K").  Before the
    horizon the flow was steady at `initial`.  The loss is taken of what comes out.

    The cost of the water may follow the dates.  Links between the same nodes, each with a capacity,
    are the pieces of a cost that rises with the flow, or of a worth that falls with it.

    A link of a work is open for a share of each period: its capacity and minimum count for that
    share, and where it is closed nothing enters.

    Equation
    --------
    minimum(l, t) <= flow(l, t) <= capacity(l, t);
    lagged(l, t) = sum_j w(l, j, t) flow(l, t - j), with sum_j w(l, j, t + j) = 1;
    storage(l, t) = storage(l, t - 1) + lagged(l, t) - arriving(l, t);
    storage(l, t) = k (x lagged(l, t) + (1 - x) arriving(l, t)) / length(t);
    so, with a = k x / length and b = k (1 - x) / length,
    arriving(t) = c0 lagged(t) + c1 lagged(t - 1) + c2 arriving(t - 1), where
    c0 = (1 - a(t)) / (1 + b(t)), c1 = a(t - 1) / (1 + b(t)), c2 = b(t - 1) / (1 + b(t)),
    which add up to 1 when periods are alike; without muskingum_k, arriving = lagged;
    water(to) += (1 - loss(l)) arriving(l, t);  water(from) -= flow(l, t);
    in_transit(t) = in_transit(t - 1) + flow(t) - arriving(t);
    cost(l, t) = price(l, t) flow(l, t).

    Source
    ------
    McCarthy (1938), The unit hydrograph and flood routing; Chow, Maidment & Mays (1988), Applied
    Hydrology, eq. 8.4.1 (storage law).  Operation LAG/K of the United States National Weather
    Service (lag, then storage).
    """

    kind = "link"
    tables = (LINKS,)
    balance = {"link_in": 1, "link_out": -1}
    reports = {
        "flow_in": "link",
        "loss": "link",
        "flow_out": "link",
        "in_transit_start": "link",
        "in_transit": "link",
        "cost": "link",
    }

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["links"]
        for name, row in table.to_dict("index").items():
            if row["lag_periods"] and row["lag"]:
                findings.add(
                    basin.position("links", name, "lag"),
                    "E263",
                    f"link '{name}' has both lag_h {row['lag']:g} and lag_periods "
                    f"{row['lag_periods']:g}; keep one",
                )
            for column in ("muskingum_x", "initial_storage"):
                if row[column] and not row["muskingum_k"]:
                    label = LINKS.column(column).label
                    findings.add(
                        basin.position("links", name, column),
                        "E263",
                        f"link '{name}' has {label} {row[column]:g} but no muskingum_k_h, without "
                        f"which its water is not stored; give it one, or remove {label}",
                    )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        links = case.basin.tables["links"]
        m.link = pyo.Set(initialize=list(links.index))
        least, most = self.limits(case)
        m.capacity = pyo.Param(list(most), initialize=most, units=unit("hm3"), **DATA)
        least = without_zeros(least)
        m.minimum = pyo.Param(list(least), initialize=least, units=unit("hm3"), **DATA)
        losses = {k: share for k, share in case.basin.values("links", "loss").items() if share}
        m.loss = pyo.Param(list(losses), initialize=losses, **DATA)
        prices = without_zeros(case.attribute("links", "cost"))
        m.link_price = pyo.Param(list(prices), initialize=prices, **DATA)
        m.flow = pyo.Var(
            m.link,
            bounds=lambda m, k: (
                m.minimum[k] if k in m.minimum else 0.0,
                m.capacity[k] if k in m.capacity else None,
            ),
            units=unit("hm3"),
        )
        self._declare_lags(m, case)
        self._declare_channels(m, case)
        m.links_into, m.links_out = by_node(links["to"]), by_node(links["from"])
        m.river_out = by_node(links["from"][links["kind"].isin(RIVER_KINDS)])

    @staticmethod
    def limits(case: Case) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Least and largest volume [hm3] entering in each period (member, time); no largest: none.

        Those of the links of a work hold for the share of the period in which it is there.
        """
        least, most = case.volumes("links", "minimum"), case.volumes("links", "capacity")
        for k, share in case.opened("links").items():
            least[k] = least[k] * share
            most[k] = most[k] * share if k in most else np.where(share > 0, np.inf, 0.0)
        return least, most

    def _declare_lags(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add what entered links with a lag in earlier periods, and when it arrives."""
        initial, seconds = case.basin.values("links", "initial"), case.timeline.seconds
        arrives, waits, sent, sent_waiting = {}, {}, {}, {}
        for k, (lag, edges) in lags(case).items():
            for j, (on_its_way, in_period) in enumerate(shares_of_lag(edges, lag)):
                if j:
                    waits[k, j] = on_its_way
                if in_period.any():
                    arrives[k, j] = in_period
            share, later = shares_of_steady(edges, lag)
            sent[k] = hm3_of_m3s(initial[k], seconds * share)
            # backwards, as what is on its way at the start of a period is what is still to come
            still = np.cumsum(sent[k][::-1])[::-1]
            sent_waiting[k] = still + hm3_of_m3s(initial[k], seconds[-1] * later)
        # by link and number of periods ago that the water entered
        m.arriving_share = pyo.Param(list(arrives), initialize=arrives, **DATA)
        m.waiting_share = pyo.Param(list(waits), initialize=waits, **DATA)
        m.flow_before = pyo.Var(list(waits), units=unit("hm3"))
        for k, j in waits:
            m.repeats.carry(m.flow_before[k, j], m.flow[k], j, 0.0)
        m.arrives_after, m.waits_after = (
            {k: [j for of, j in shares if of == k] for k in sent} for shares in (arrives, waits)
        )
        # what entered before the horizon is data
        m.sent_before = pyo.Param(list(sent), initialize=sent, units=unit("hm3"), **DATA)
        m.sent_waiting = pyo.Param(list(sent), initialize=sent_waiting, units=unit("hm3"), **DATA)

    def _declare_channels(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add the storage of links with muskingum_k."""
        _check_channels(case)
        values, length = case.basin.values, case.timeline.seconds / SECONDS_PER_HOUR
        x, initial = values("links", "muskingum_x"), values("links", "initial")
        given = values("links", "initial_storage")
        by_inflow, by_outflow, stored = {}, {}, {}
        for k, hours in values("links", "muskingum_k").items():
            if hours:
                by_inflow[k] = hours * x[k] / length
                by_outflow[k] = hours * (1 - x[k]) / length
                steady = float(hm3_of_m3s(initial[k], hours * SECONDS_PER_HOUR))
                stored[k] = given.get(k, steady)
        # what is stored, for each unit of volume that comes in and that goes out
        m.stored_by_inflow = pyo.Param(list(stored), initialize=by_inflow, **DATA)
        m.stored_by_outflow = pyo.Param(list(stored), initialize=by_outflow, **DATA)
        m.channel_start = pyo.Var(list(stored), units=unit("hm3"))
        m.channel_end = pyo.Var(list(stored), bounds=(0, None), units=unit("hm3"))
        for k in stored:
            m.repeats.carry(m.channel_start[k], m.channel_end[k], 1, stored[k])

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        m.channel_storage = pyo.Constraint(
            list(m.channel_end),
            rule=lambda m, k: (
                m.channel_end[k]
                == m.stored_by_inflow[k] * lagged(m, k) + m.stored_by_outflow[k] * arriving(m, k)
            ),
        )

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
            {k: m.loss[k] * arriving(m, k) if k in m.loss else 0.0 for k in m.link},
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
        slow = [k for k in m.link if k in m.sent_before or k in m.channel_end]
        before = {k: in_transit_start(m, k) for k in slow}
        yield Quantity(
            "in_transit_start",
            "link",
            before,
            "hm3",
            "volume on its way in the link at the start of the period",
            "time: point",
        )
        yield Quantity(
            "in_transit",
            "link",
            {k: before[k] + m.flow[k] - arriving(m, k) for k in slow},
            "hm3",
            "volume on its way in the link at the end of the period",
            "time: point",
        )
        yield Quantity(
            "cost",
            "link",
            {k: m.link_price[k] * m.flow[k] for k in m.link_price},
            f"million {case.basin.currency}",
            "cost of the water that enters the link",
        )


def lagged(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] that has travelled the lag of a link by the period; all that enters without."""
    if link not in m.sent_before:
        return m.flow[link]
    sent = sum(
        m.arriving_share[link, j] * (m.flow_before[link, j] if j else m.flow[link])
        for j in m.arrives_after[link]
    )
    return m.sent_before[link] + sent


def arriving(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] that arrives at the other end of a link in the period, before the loss."""
    if link not in m.channel_end:
        return lagged(m, link)
    return lagged(m, link) + m.channel_start[link] - m.channel_end[link]


def flow_out(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] that leaves a link at its other end in the period."""
    return (1 - m.loss[link]) * arriving(m, link) if link in m.loss else arriving(m, link)


def in_transit_start(m: pyo.ConcreteModel, link: str) -> Any:
    """Volume [hm3] on its way in a link at the start of the period: in its lag and its storage."""
    volume: Any = m.channel_start[link] if link in m.channel_end else 0.0
    if link in m.sent_before:
        volume += m.sent_waiting[link] + sum(
            m.waiting_share[link, j] * m.flow_before[link, j] for j in m.waits_after[link]
        )
    return volume


def river_flow(m: pyo.ConcreteModel, node: str) -> Any:
    """Volume [hm3] the river carries on from a node in the period (at a sink: out of the basin).

    Water that leaves in canals, pumps and transfers, or is withdrawn, is not in it.
    """
    if node in m.outflow:
        return m.outflow[node]
    return sum(m.flow[k] for k in m.river_out.get(node, ()))


def lags(case: Case) -> dict[str, tuple[float, np.ndarray]]:
    """Lag of each link that has one, and the edges of the periods (time + 1), in one unit.

    Hours, or periods, which are then all as long.
    """
    hours = np.append(0.0, np.cumsum(case.timeline.seconds)) / SECONDS_PER_HOUR
    in_hours = case.basin.values("links", "lag")
    in_periods = case.basin.values("links", "lag_periods")
    found = {}
    for k in case.basin.tables["links"].index:
        if in_hours.get(k):
            found[k] = in_hours[k], hours
        elif in_periods[k]:
            found[k] = in_periods[k], np.arange(hours.size, dtype=float)
    return found


def shares_of_lag(edges: np.ndarray, lag: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Say when the water of a period arrives, that enters evenly over it.

    Parameters
    ----------
    edges : of the periods (time + 1)
    lag : in the unit of the edges

    Yields
    ------
    ndarray (time)
        For what entered 0, 1, ... periods ago, as long as any is on its way: the share that has not
        arrived at the start of the period; 0 where it would have entered before the horizon.
    ndarray (time)
        The share that arrives in the period.

    Examples
    --------
    A lag of 5 days on three dekads, of which the last has 8 days:

    >>> for on_its_way, in_period in shares_of_lag(np.array([0.0, 10, 20, 28]), 5.0):
    ...     print(on_its_way, in_period)
    [1. 1. 1.] [0.5   0.5   0.375]
    [0.  0.5 0.5] [0.  0.5 0.5]
    """
    starts, ends, lengths = edges[:-1], edges[1:], np.diff(edges)
    n = lengths.size
    for j in range(n):
        entered, length = ends[: n - j], lengths[: n - j]
        share = np.zeros((2, n))
        for k, at in enumerate((starts[j:], ends[j:])):
            share[k, j:] = np.clip((entered - at + lag) / length, 0.0, 1.0)
        if not share.any():
            return
        yield share[0], share[0] - share[1]


def shares_of_steady(edges: np.ndarray, lag: float) -> tuple[np.ndarray, float]:
    """Say when the water of a steady flow arrives that entered before the first edge.

    Returns
    -------
    ndarray (time)
        Share of each period during which it still arrives.
    float
        How long it arrives after the horizon, over the length of the last period.

    Examples
    --------
    >>> shares_of_steady(np.array([0.0, 10, 20, 28]), 14.0)
    (array([1. , 0.4, 0. ]), 0.0)
    """
    lengths = np.diff(edges)
    share = np.clip((lag - edges[:-1]) / lengths, 0.0, 1.0)
    return share, float(max(0.0, lag - edges[-1]) / lengths[-1])


def _check_channels(case: Case) -> None:
    """Check that no weight of a routed link is negative, which needs the lengths of the periods.

    Raises
    ------
    CaseError
    """
    basin, findings = case.basin, Findings()
    hours = case.timeline.seconds / SECONDS_PER_HOUR
    shortest = int(hours.argmin())
    x = basin.values("links", "muskingum_x")
    for k, k_hours in basin.values("links", "muskingum_k").items():
        if k_hours * x[k] > hours[shortest] * (1 + 1e-9):
            findings.add(
                basin.position("links", k, "muskingum_k"),
                "E263",
                f"muskingum_k_h {k_hours:g} of link '{k}' times its muskingum_x {x[k]:g} is "
                f"{k_hours * x[k]:g} h but the period from {case.timeline.labels[shortest]} has "
                f"{hours[shortest]:g} h; must be at most that: take a smaller muskingum_x, split "
                "the link into several with a part of muskingum_k_h each, or take longer periods",
                CaseError,
            )
    findings.raise_if_any()
