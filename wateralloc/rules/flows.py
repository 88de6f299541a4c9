"""What rules measure deliveries by: the natural flow at a node, and the water that reaches it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import listed
from wateralloc.parts import DATA, by_node, parts, unit
from wateralloc.parts.link import (
    RIVER_KINDS,
    lags,
    shares_of_lag,
    shares_of_steady,
)
from wateralloc.parts.split import branch_flow
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Pattern
from wateralloc.units import hm3_of_m3s, m3s_of_hm3

TRAVEL = ("lag_periods", "lag", "muskingum_k", "muskingum_x")
"""Columns of a link that say when its water arrives."""


def natural_flow(m: pyo.ConcreteModel, case: Case, node: str) -> np.ndarray:
    """Naturalised flow past a node: as it would come if nobody stored, took or led away water.

    The inflow of the node and of every node upstream of it, which arrives after the travel time of
    the river links between.  Reservoirs, users, canals, pumps, transfers, links of works, losses,
    evaporation and groundwater are left out.  Where the river divides, a branch carries its share
    of the natural flow, by its split; one that no split fixes carries the rest.  Before the horizon
    the flow is unknown: that of the first period stands for it.

    Parameters
    ----------
    m : model of the period, whose `m.inflow` it reads, so that changes of inflow by rules count

    Returns
    -------
    ndarray [hm3] (member, time)

    See Also
    --------
    check_natural : faults of nodes where it cannot be known; a rule's `check` comes before.
    """
    links = natural_links(case.basin)
    into, out = by_node(links["to"]), by_node(links["from"])
    known: dict[str, np.ndarray] = {}
    for n in _upstream_first(links, nodes_above(case.basin, node) | {node}):
        volume = np.zeros((case.n_members, case.n_periods))
        if n in m.inflow:
            volume += m.inflow[n].value
        for u, ways in _ways_in(links, into, n).items():
            branches = _branches(m, case, links, out[u], known[u])
            for way, volumes in branches.items():
                if way in ways:
                    volume += _travelled(m, case, way, volumes)
        known[n] = volume
    return known[node]


def natural_over(m: pyo.ConcreteModel, case: Case, nodes: Iterable[str]) -> np.ndarray:
    """Sum of the natural flow past several nodes [hm3] (member, time)."""
    return np.sum([natural_flow(m, case, node) for node in nodes], axis=0)


def check_natural(basin: Basin, node: str, key: str = "at") -> list[tuple[str, str, str]]:
    """Faults of a node whose natural flow cannot be known: (key, error code, text) each."""
    if node not in basin.tables["nodes"].index:
        return []  # it has a fault of its own
    links, above = natural_links(basin), nodes_above(basin, node)
    start = f"natural flow at '{node}' cannot be known: "
    try:
        order = _upstream_first(links, above | {node})
    except CycleError as fault:
        circle = listed(sorted(set(fault.args[1])))
        text = f"the river runs in a circle through {circle}; choose a node above them"
        return [(key, "E320", start + text)]
    out = by_node(links["from"])
    texts = {u: _fault_of_fork(basin, links, out[u]) for u in order if u in above}
    return [(key, "E320", f"{start}at '{u}' {text}") for u, text in texts.items() if text]


def arriving(m: pyo.ConcreteModel, case: Case, node: str) -> Any:
    """All water that reaches a node in the period [hm3], before any use there.

    What its links bring, its local inflow and return flows, rain on its lake and what seeps to it;
    a linear expression.  Water that is stored there already is not in it.
    """
    return sum(
        amount
        for part in parts()
        for name, amount in part.water(m, node).items()
        if part.balance[name] > 0 and name != "storage_start"
    )


def nodes_above(basin: Basin, node: str) -> set[str]:
    """Nodes from which the river flows to a node, without the node itself."""
    links = natural_links(basin)
    into = by_node(links["to"])
    above: set[str] = set()
    ahead = [node]
    while ahead:
        for k in into.get(ahead.pop(), ()):
            u = links.at[k, "from"]
            if u not in above:
                above.add(u)
                ahead.append(u)
    return above - {node}


def users_above(basin: Basin, node: str) -> list[str]:
    """Demands that lie above a node by the river, in table order."""
    above = nodes_above(basin, node)
    return [d for d, at in basin.tables["demands"]["node"].items() if at in above]


def natural_links(basin: Basin) -> pd.DataFrame:
    """Links of the river that are there by nature: those of works and out of aquifers are not."""
    links, kinds = basin.tables["links"], basin.tables["nodes"]["kind"]
    is_river = links["kind"].isin(RIVER_KINDS) & ~links.index.isin(basin.tables["works"]["link"])
    return links[is_river & (links["from"].map(kinds) != "aquifer")]


def _upstream_first(links: pd.DataFrame, nodes: set[str]) -> list[str]:
    """Nodes, each after those above it.

    Raises
    ------
    CycleError
        Links run in a circle.
    """
    above = {
        n: [u for u in links["from"][links["to"] == n].unique() if u in nodes]
        for n in sorted(nodes)
    }
    return list(TopologicalSorter(above).static_order())


def _fault_of_fork(basin: Basin, links: pd.DataFrame, out: list[str]) -> str:
    """Say why the shares of the branches of a node are not known, as the tail of a sentence."""
    splits = basin.tables["splits"]
    rows = splits[splits["link"].isin(out)]
    limited = [s for s in rows.index if not _is_fixed(basin, s)]
    if limited:
        return (
            f"split '{limited[0]}' leaves the share of '{rows.at[limited[0], 'link']}' free within "
            "limits; give it a share or a curve, or choose a node above the fork"
        )
    rest = [k for k in out if k not in set(rows["link"])]
    ways = links.loc[rest, ["to", *TRAVEL]].astype(object).drop_duplicates()
    if len(ways) > 1:
        return (
            f"the river divides among {listed(rest)} without a split; add shares to splits.csv "
            "(all but one branch), or choose a node above the fork"
        )
    return ""


def _is_fixed(basin: Basin, split: str) -> bool:
    """Tell whether a split has a share or a curve."""
    row = basin.tables["splits"].loc[split]
    in_series = ("splits", split) in basin.in_series("share")
    return bool(row["curve"]) or row["share"] is not None or in_series


def _ways_in(links: pd.DataFrame, into: dict[str, list[str]], node: str) -> dict[str, list[str]]:
    """Links into a node by the node they leave."""
    ways: dict[str, list[str]] = {}
    for k in into.get(node, ()):
        ways.setdefault(links.at[k, "from"], []).append(k)
    return ways


def _branches(
    m: pyo.ConcreteModel, case: Case, links: pd.DataFrame, out: list[str], volume: np.ndarray
) -> dict[str, np.ndarray]:
    """Volume of each link out of a node (member, time); the first without a split has the rest."""
    seconds = case.timeline.seconds
    taken = {}
    for split, link in m.splits["link"].items():
        if link in out:
            curve = m.splits.at[split, "curve"]
            if curve:
                flow = branch_flow(case.basin.curves[curve], m3s_of_hm3(volume, seconds))
                taken[link] = hm3_of_m3s(flow, seconds)
            else:
                taken[link] = m.split_share[split].value * volume
    rest = [k for k in out if k not in taken]
    if rest:  # those without a split go the same way, as `check_natural` has seen to
        taken[rest[0]] = volume - sum(taken.values())
    return taken


def _travelled(m: pyo.ConcreteModel, case: Case, link: str, entered: np.ndarray) -> np.ndarray:
    """Volume that arrives at the end of a link (member, time), with its lag and storage.

    Before the horizon the flow of the first period entered it.
    """
    seconds = case.timeline.seconds
    first = entered[:, :1] / seconds[0]
    arrives = entered
    lag = lags(case).get(link)
    if lag is not None:
        length, edges = lag
        steady, _ = shares_of_steady(edges, length)
        arrives = first * seconds * steady
        for j, (_, in_period) in enumerate(shares_of_lag(edges, length)):
            arrives = arrives + in_period * _ago(entered, j)
    if link in m.channel_end:
        # the row `channel_storage` of the period, solved for what goes out, period by period
        by_in, by_out = m.stored_by_inflow[link].value, m.stored_by_outflow[link].value
        stored = (by_in + by_out)[0] * entered[:, 0]
        out = np.empty_like(arrives)
        for t in range(seconds.size):
            out[:, t] = (stored + (1 - by_in[t]) * arrives[:, t]) / (1 + by_out[t])
            stored = stored + arrives[:, t] - out[:, t]
        arrives = out
    return arrives


def _ago(volume: np.ndarray, periods: int) -> np.ndarray:
    """Volume of some periods ago (member, time), 0 before the horizon."""
    before = np.zeros((volume.shape[0], periods))
    return np.concatenate([before, volume], axis=1)[:, : volume.shape[1]]


def check_share(
    share: Seasonal, key: str, patterns: Mapping[str, Pattern], most: float = 1.0
) -> list[tuple[str, str, str]]:
    """Faults of a share by date, whose patterns may be without unit: (key, error code, text)."""
    named = {n: replace(p, unit="fraction") if p.unit == "1" else p for n, p in patterns.items()}
    faults = share.check(key, named, "fraction")
    if not faults and share.by_day(patterns).max() > most:
        largest = share.by_day(patterns).max()
        faults.append((key, "E303", f"{key} is {largest:g}; must be at most {most:g}"))
    return faults


def work_data(
    m: pyo.ConcreteModel, name: str, values: Mapping[Any, Any], of: str = "1"
) -> pyo.Param:
    """Data that a rule needs as coefficients: item -> array (time) or (member, time).

    Parameters
    ----------
    of : unit of the data
    """
    param = pyo.Param(list(values), initialize=values, units=unit(of), **DATA)
    m.workings.add_component(name, param)
    return param


def window_sums(volume: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Sum over each window.

    Parameters
    ----------
    volume : (member, time)
    window : number of the window of each period, -1 for none (time)

    Returns
    -------
    ndarray (member, window)

    Examples
    --------
    >>> window_sums(np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([0, 0, -1, 1]))
    array([[3., 8.]])
    """
    inside = window >= 0
    n_windows = int(window.max(initial=-1)) + 1
    sums = [np.bincount(window[inside], of_member[inside], n_windows) for of_member in volume]
    return np.array(sums, float).reshape(len(sums), n_windows)


def at_first_periods(volume: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Put the volume of each window (member, window) at its first period (member, time).

    >>> at_first_periods(np.array([[5.0, 7.0]]), np.array([-1, 0, 0, 1]))
    array([[0., 5., 0., 7.]])
    """
    placed = np.zeros((volume.shape[0], window.size))
    number, first = np.unique(window, return_index=True)
    placed[:, first[number >= 0]] = volume
    return placed
