"""Networks of CALVIN: arcs between nodes that carry their month, turned into a basin and a case.

CALVIN (California Value Integrated Network) writes one row an arc: ``i, j, k, cost, amplitude,
lower_bound, upper_bound``.  A node's name carries the last day of its month (``SR_A.1921-10-31``),
``k`` numbers the pieces of a cost along straight lines, and 1e12 means no limit.  What an arc says
is the flow x that *arrives*; x / amplitude left its start.  Here the months go to the timeline:

====================================  ============================================================
arcs                                  become
====================================  ============================================================
within a month                        a link for each piece, with limits and cost by date
from a place to its next month        storage of a reservoir, its limits, loss and worth by date
INITIAL to a place                    storage at the start
a place to FINAL                      limits and worth of the storage at the end of the last month
SOURCE to a place, fixed              inflow; a loss where it is negative
a place to SINK                       a sink
====================================  ============================================================

Source
------
Draper, Jenkins, Kirby, Lund & Howitt (2003), Economic-engineering optimization for California water
management, Journal of Water Resources Planning and Management 129, 155-164; Dogan, Fefer, Herman,
Hart, Merz, Medellin-Azuara & Lund (2018), An open-source Python implementation of California's
hydroeconomic optimization model, Environmental Modelling & Software 108, 8-13.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import xarray as xr

from wateralloc.errors import Findings, Position, listed, shown
from wateralloc.tables import is_identifier
from wateralloc.units import HM3_PER_M3, UNITS

HM3_PER_TAF = 1.23348183754752
"""A thousand acre-feet, of 43,560 cubic feet of 0.3048 m."""
UNLIMITED = 1e12
"""An upper bound from here on is none."""
COLUMNS = ("i", "j", "k", "cost", "amplitude", "lower_bound", "upper_bound")
OUTER = ("SOURCE", "SINK", "INITIAL", "FINAL")
"""Nodes without a month."""
CURRENCY = "USD"
KIND = "canal"
"""Kind of every link: what is river and what is canal a network of arcs does not say."""
SHOWN = 20
"""Faults of one kind that are named."""


@dataclass(frozen=True)
class Network:
    """A basin as plain tables, and the months it covers.

    Attributes
    ----------
    tables : name -> columns with units, as in the files of a basin folder
    series : name with unit -> values (time, name)
    months : first days, datetime64[D] (time)
    """

    months: np.ndarray
    tables: dict[str, pd.DataFrame] = field(repr=False)
    series: dict[str, pd.DataFrame] = field(repr=False)


def read_links(path: Path) -> pd.DataFrame:
    """Read a file of arcs, packed or not.

    Returns
    -------
    DataFrame
        Columns of :data:`COLUMNS`, one row an arc, in the order of the file.

    Raises
    ------
    InputError
        With every fault of its columns and cells.
    """
    findings, at = Findings(), Position(shown(path))
    try:
        arcs = pd.read_csv(path, dtype={"i": str, "j": str}, keep_default_na=False)
    except FileNotFoundError:
        findings.add(at, "E101", "file is missing; give the path of a file of arcs")
    except (ValueError, EOFError, OSError) as error:
        text = str(error).splitlines()[0]
        findings.add(at, "E105", f"cannot be read: {text}; give a table of arcs, .csv or .csv.gz")
    findings.raise_if_any()
    missing = [name for name in COLUMNS if name not in arcs]
    if missing:
        findings.add(
            at, "E355", f"has no column {listed(missing)}; a table of arcs has {listed(COLUMNS)}"
        )
    elif arcs.empty:
        findings.add(at, "E103", "has no arcs; add at least one")
    findings.raise_if_any()
    for name in COLUMNS[2:]:
        numbers = pd.to_numeric(arcs[name], errors="coerce").to_numpy(float)
        for row in _first(~np.isfinite(numbers)):
            findings.add(
                Position(shown(path), row + 2),
                "E204",
                f"{name} is '{arcs[name].iat[row]}'; must be a finite number",
            )
        arcs[name] = numbers
    findings.raise_if_any()
    return arcs[list(COLUMNS)]


def network_of(arcs: pd.DataFrame, path: Path) -> Network:
    """Turn arcs into a basin.

    Parameters
    ----------
    arcs : as :func:`read_links` returns them
    path : where they were read, for messages

    Raises
    ------
    InputError
        With every arc that has no place in a basin.
    """
    findings = Findings()
    reading = _Reading(arcs, path, findings)
    findings.raise_if_any()
    network = reading.network()
    findings.raise_if_any()
    return network


class _Reading:
    """The arcs by what they are.

    Attributes
    ----------
    places : name of each place
    start, end : place of each arc's ends
    month : month of its start; of its end where it comes from outside (arc)
    """

    def __init__(self, arcs: pd.DataFrame, path: Path, findings: Findings) -> None:
        self.path, self.findings = path, findings
        self.cost, self.amplitude, self.lower = (
            arcs[name].to_numpy() for name in ("cost", "amplitude", "lower_bound")
        )
        upper = arcs["upper_bound"].to_numpy()
        self.upper = np.where(upper >= UNLIMITED, np.inf, upper)
        self.piece = arcs["k"].to_numpy(int)
        n = len(arcs)
        codes, nodes = pd.factorize(np.concatenate([arcs["i"].to_numpy(), arcs["j"].to_numpy()]))
        place, month = self._split(nodes, codes)
        if findings:
            return
        self.start, self.end = place[codes[:n]], place[codes[n:]]
        leaves, arrives = month[codes[:n]], month[codes[n:]]
        self.month = np.where(leaves >= 0, leaves, arrives)
        is_within = (leaves == arrives) & (leaves >= 0)
        is_carried = (arrives == leaves + 1) & (leaves >= 0) & (self.start == self.end)
        of = {name: self._place(name) for name in OUTER}
        undated = (leaves < 0) & (arrives < 0)
        is_final = (self.end == of["FINAL"]) & (leaves >= 0)
        is_initial = (self.start == of["INITIAL"]) & (arrives >= 0)
        from_source = (self.start == of["SOURCE"]) & (leaves < 0) & (arrives >= 0)
        self.to_sink = (self.end == of["SINK"]) & (arrives < 0) & (leaves >= 0)
        is_known = is_within | is_carried | undated | is_final | is_initial | from_source
        for row in _first(~(is_known | self.to_sink)):
            self._fault(
                row, arcs, "E357",
                "joins different places of different months, or months that do not follow each "
                "other; only a place may be joined to its own next month",
            )  # fmt: skip
        for row in _first((is_initial & (arrives != 0)) | (is_final & (leaves != self.n - 1))):
            self._fault(
                row, arcs, "E357",
                "belongs to INITIAL or FINAL but not to the first or the last month",
            )  # fmt: skip
        wrong = (self.amplitude <= 0) | (self.amplitude > 2)
        for row in _first(wrong):
            self._fault(row, arcs, "E358", f"has amplitude {self.amplitude[row]:g}; must be above "
                        "0 and at most 2")  # fmt: skip
        for row in _first(self.lower > self.upper):
            self._fault(
                row, arcs, "E356",
                f"has lower_bound {self.lower[row]:g} above upper_bound {self.upper[row]:g}",
            )  # fmt: skip
        self._name_gains(arcs, from_source, is_within)
        is_fixed = (self.lower == self.upper) & (self.cost == 0)
        # a fixed flow below 0 runs the other way: a gain of its start, a loss of its end
        is_back = is_within & ~self.is_gain & (self.lower < 0) & is_fixed
        is_link = is_within & ~self.is_gain & ~is_back
        for row in _first((self.lower < 0) & ~self.is_gain & ~is_back):
            self._fault(row, arcs, "E356", f"has lower_bound {self.lower[row]:g}; must be 0 or "
                        "more, or one volume as both bounds and without a cost")  # fmt: skip
        self.back = np.flatnonzero(is_back)
        self.links, self.stores = np.flatnonzero(is_link), np.flatnonzero(is_carried | is_final)
        self.initial = np.flatnonzero(is_initial)
        for row in _first(is_initial & ((self.lower != self.upper) | (self.cost != 0))):
            self._fault(row, arcs, "E356", "is not one volume without a cost; storage at the start "
                        "must be known")  # fmt: skip
        self._check_sinks(arcs)
        self.arcs = arcs

    def _split(self, nodes: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place and month of each node; month -1 where it has none."""
        parts = pd.Series(nodes).str.rpartition(".")
        dated = ~np.isin(nodes, OUTER)
        day = parts[2].to_numpy()
        texts, of_text = np.unique(day[dated].astype(str), return_inverse=True)
        days = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce").to_numpy()
        is_wrong = np.zeros(nodes.size, bool)
        is_wrong[dated] = np.isnat(days)[of_text]
        name = np.where(dated, parts[0].to_numpy(), nodes).astype(object)
        for row in _first(is_wrong[codes]):
            at = row % (codes.size // 2)
            self.findings.add(
                Position(shown(self.path), at + 2),
                "E355",
                f"node '{nodes[codes[row]]}' has no month; write its name, a dot and the last day "
                f"of the month, as SR_SHA.1921-10-31 (without one: {listed(OUTER)})",
            )
        if is_wrong.any() or not dated.any():
            if not dated.any():
                self.findings.add(Position(shown(self.path)), "E355", "has no node with a month")
            return np.empty(0, int), np.empty(0, int)
        months = days.astype("datetime64[M]")
        first, last = months.min(), months.max()
        self.months = np.arange(first, last + 1)
        self.n = self.months.size
        for gap in np.setdiff1d(self.months, months)[:SHOWN]:
            self.findings.add(
                Position(shown(self.path)), "E355", f"has no node in {gap}; months must follow on"
            )
        month = np.full(nodes.size, -1)
        month[dated] = (months - first).astype(int)[of_text]
        place, names = pd.factorize(name)
        self.places = [str(name) for name in names]
        for text in self.places:
            if not is_identifier(text):
                self.findings.add(
                    Position(shown(self.path)),
                    "E210",
                    f"place '{text}' is not a valid name; must be letters, digits and underscores, "
                    "not starting with a digit",
                )
        return place, month

    def _place(self, name: str) -> int:
        return self.places.index(name) if name in self.places else -1

    def _fault(self, row: int, arcs: pd.DataFrame, code: str, text: str) -> None:
        ends = f"{arcs['i'].iat[row]} to {arcs['j'].iat[row]}"
        piece = f", piece {self.piece[row]}," if self.piece[row] else ""
        self.findings.add(Position(shown(self.path), row + 2), code, f"arc {ends}{piece} {text}")

    def _name_gains(
        self, arcs: pd.DataFrame, from_source: np.ndarray, is_within: np.ndarray
    ) -> None:
        """Find the arcs that bring inflow: from SOURCE, or from a place that SOURCE alone feeds."""
        is_free = (self.lower <= 0) & np.isinf(self.upper) & (self.cost == 0)
        n = len(self.places)
        has_other = np.bincount(self.end, ~(from_source & is_free), minlength=n) > 0
        self.is_feeder = (np.bincount(self.end, from_source, minlength=n) > 0) & ~has_other
        feeds = from_source & self.is_feeder[self.end]
        self.is_gain = (from_source & ~feeds) | (is_within & self.is_feeder[self.start])
        for row in _first(self.is_gain & ((self.lower != self.upper) | (self.cost != 0))):
            self._fault(
                row, arcs, "E356",
                "brings water from SOURCE but is not one volume without a cost; inflow must be "
                "known: give it one volume as both bounds, or let it come out of a reservoir",
            )  # fmt: skip

    def _check_sinks(self, arcs: pd.DataFrame) -> None:
        """Find the places that are sinks: all their water goes to SINK, without limit or cost."""
        leaves_otherwise = np.zeros(len(self.places), bool)
        leaves_otherwise[self.start[np.concatenate([self.links, self.stores])]] = True
        is_free = (self.lower <= 0) & np.isinf(self.upper) & (self.cost == 0)
        for row in _first(self.to_sink & (~is_free | leaves_otherwise[self.start])):
            self._fault(
                row, arcs, "E359",
                "has a limit or a cost, or starts where water can go elsewhere; let it go through "
                "a place of its own, from which it goes to SINK freely",
            )  # fmt: skip
        self.sinks = np.unique(self.start[self.to_sink])

    # --- the basin ------------------------------------------------------------------------------

    def network(self) -> Network:
        """The basin of the arcs."""
        self.tables: dict[str, pd.DataFrame] = {}
        self.series: dict[str, pd.DataFrame] = {}
        inflow, losses = self._gains()
        links = self._links()
        if losses:
            links = pd.concat([links, self._loss_links(losses)], ignore_index=True)
        self.tables["links"] = links
        stored = self._reservoirs()
        self.tables["nodes"] = self._nodes(set(stored), set(inflow))
        for name in ("capacity_hm3", "minimum_hm3"):
            if losses:
                parts = [self.series[name]] if name in self.series else []
                self.series[name] = pd.concat([*parts, pd.DataFrame(losses)], axis=1)
        if inflow:
            self.series["inflow_hm3"] = pd.DataFrame(inflow)
        return Network(self.months.astype("datetime64[D]"), self.tables, self.series)

    def _nodes(self, stored: set[str], with_inflow: set[str]) -> pd.DataFrame:
        used = set(self.tables["links"]["from"]) | set(self.tables["links"]["to"]) | stored
        sinks = {self.places[p] for p in self.sinks}
        names = [name for name in self.places if name in used | sinks]
        kinds = [
            "sink" if name in sinks
            else "reservoir" if name in stored
            else "inflow" if name in with_inflow
            else "junction"
            for name in names
        ]  # fmt: skip
        return pd.DataFrame({"name": names, "kind": kinds})

    def _gains(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Inflow by place, and losses by the name of their link [hm3] (time)."""
        rows = np.flatnonzero(self.is_gain)
        volume = np.zeros((len(self.places), self.n))
        np.add.at(volume, (self.end[rows], self.month[rows]), self.lower[rows] * HM3_PER_TAF)
        back = -self.lower[self.back] * HM3_PER_TAF
        leaves = (self.start[self.back], self.month[self.back])
        np.add.at(volume, leaves, back / self.amplitude[self.back])
        np.add.at(volume, (self.end[self.back], self.month[self.back]), -back)
        volume[self.sinks] = np.maximum(volume[self.sinks], 0.0)  # a sink takes what comes
        places = np.unique(
            np.concatenate([self.end[rows], self.start[self.back], self.end[self.back]])
        )
        inflow = {self.places[p]: np.maximum(volume[p], 0.0) for p in places if volume[p].max() > 0}
        losses = {
            f"{self.places[p]}__losses": np.maximum(-volume[p], 0.0)
            for p in places
            if volume[p].min() < 0
        }
        if losses and not self.sinks.size:
            self.findings.add(
                Position(shown(self.path)),
                "E356",
                "has inflows below 0 but no SINK that the water could go to; add one",
            )
            return inflow, {}
        return inflow, losses

    def _loss_links(self, losses: Iterable[str]) -> pd.DataFrame:
        sink = self.places[self.sinks[0]]
        starts = [name.removesuffix("__losses") for name in losses]
        rows = {"name": list(losses), "from": starts, "to": sink, "kind": KIND}
        return pd.DataFrame(rows | {"loss_fraction": 0.0, "cost_usd_m3": 0.0, "may_circle": False})

    def _grid(
        self, rows: np.ndarray, item: np.ndarray, n_items: int, values: np.ndarray, empty: float
    ) -> np.ndarray:
        """Lay values of arcs over (time, item)."""
        grid = np.full((self.n, n_items), empty)
        grid[self.month[rows], item] = values
        return grid

    def _items(self, rows: np.ndarray, *keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Number the arcs that are alike but for their month: item of each, and its first row."""
        number = keys[0].astype(np.int64)
        for key in keys[1:]:
            number = number * (key.max(initial=0) + 1) + key
        _, first, item = np.unique(number, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")  # in the order of the file
        rank = np.empty(order.size, int)
        rank[order] = np.arange(order.size)
        item = rank[item]
        twice = pd.Series(item * self.n + self.month[rows]).duplicated().to_numpy()
        for row in rows[_first(twice)]:
            self._fault(row, self.arcs, "E359", "stands there twice; number its pieces by k")
        return item, rows[first[order]]

    def _links(self) -> pd.DataFrame:
        rows = self.links
        piece = self.piece[rows] - self.piece[rows].min(initial=0)
        item, first = self._items(rows, self.start[rows], self.end[rows], piece)
        amplitude = self.amplitude[first]
        for row in rows[_first(self.amplitude[rows] != amplitude[item])]:
            self._fault(
                row, self.arcs, "E358",
                f"has amplitude {self.amplitude[row]:g}, other than in the first month; that of a "
                "link must not change",
            )  # fmt: skip
        pairs = self.start[first].astype(np.int64) * len(self.places) + self.end[first]
        _, of_pair, count = np.unique(pairs, return_inverse=True, return_counts=True)
        names = [
            f"{self.places[self.start[row]]}__{self.places[self.end[row]]}"
            + (f"__{self.piece[row]}" if n > 1 else "")
            for row, n in zip(first, count[of_pair], strict=True)
        ]
        # limits and costs are those of what arrives; a link counts what enters it
        volume = HM3_PER_TAF / self.amplitude[rows]
        price = self.amplitude[rows] / (HM3_PER_TAF / HM3_PER_M3)
        upper = self._grid(rows, item, first.size, self.upper[rows] * volume, 0.0)
        lower = self._grid(rows, item, first.size, self.lower[rows] * volume, 0.0)
        cost = self._grid(rows, item, first.size, self.cost[rows] * price, 0.0)
        is_absent = self._grid(rows, item, first.size, np.zeros(rows.size), 1.0) > 0
        self._keep("capacity_hm3", names, upper, self._limited(upper, first))
        self._keep("minimum_hm3", names, lower, lower.any(axis=0))
        # where there is no arc nothing flows, so any price will do
        cost = np.where(is_absent, self.cost[first] * price[_first_of(item, first.size)], cost)
        moves = np.ptp(cost, axis=0) > 0
        self._keep("cost_usd_m3", names, cost, moves)
        return pd.DataFrame(
            {
                "name": names,
                "from": [self.places[p] for p in self.start[first]],
                "to": [self.places[p] for p in self.end[first]],
                "kind": KIND,
                "loss_fraction": 1 - amplitude,
                "cost_usd_m3": np.where(moves, 0.0, cost[0]),
                "may_circle": self._circles(first, (amplitude == 1) & (cost.min(axis=0) <= 0)),
            }
        )

    def _circles(self, first: np.ndarray, is_free: np.ndarray) -> np.ndarray:
        """Tell through which links water could circle for nothing (item)."""
        start, end = self.start[first], self.end[first]
        graph = nx.DiGraph(zip(start[is_free], end[is_free], strict=True))
        circle = {
            place: number
            for number, circle in enumerate(nx.strongly_connected_components(graph))
            for place in circle
        }
        return np.array(
            [
                free and circle[i] == circle[j]
                for free, i, j in zip(is_free, start, end, strict=True)
            ]
        )

    def _limited(self, upper: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Tell which items have a limit (item); one that has it in some months only is a fault."""
        is_limited = np.isfinite(upper)
        for k in _first(is_limited.any(axis=0) & ~is_limited.all(axis=0)):
            self._fault(
                first[k], self.arcs, "E359",
                "has a limit in some months and none in others, or is not there in all; write a "
                "limit that is never reached",
            )  # fmt: skip
        return is_limited.all(axis=0)

    def _keep(self, name: str, items: list[str], values: np.ndarray, kept: Any) -> None:
        """Keep the series of some items (time, item)."""
        if kept.any():
            names = [items[k] for k in np.flatnonzero(kept)]
            self.series[name] = pd.DataFrame(values[:, kept], columns=names)

    def _reservoirs(self) -> list[str]:
        rows = self.stores
        place = self.start[rows]
        stored = np.unique(np.concatenate([place, self.end[self.initial]]))
        if not stored.size:
            return []
        names = [self.places[p] for p in stored]
        reservoir = np.searchsorted(stored, place)
        item, first = self._items(rows, place, self.piece[rows] - self.piece[rows].min(initial=0))
        amplitude = self._grid(rows, reservoir, stored.size, self.amplitude[rows], 1.0)
        for row in rows[_first(self.amplitude[rows] != amplitude[self.month[rows], reservoir])]:
            self._fault(
                row, self.arcs, "E358",
                f"has amplitude {self.amplitude[row]:g}, other than another piece of the month; "
                "all water stored must lose the same share",
            )  # fmt: skip
        volume = HM3_PER_TAF / self.amplitude[rows]
        least, most = (np.zeros((self.n, stored.size)) for _ in range(2))
        np.add.at(least, (self.month[rows], reservoir), self.lower[rows] * volume)
        np.add.at(most, (self.month[rows], reservoir), self.upper[rows] * volume)
        initial = np.zeros(stored.size)
        at_start = np.searchsorted(stored, self.end[self.initial])
        np.add.at(initial, at_start, self.lower[self.initial] * HM3_PER_TAF)
        before_last = most[:-1]
        is_limited = np.isfinite(before_last)
        some = is_limited.any(axis=0)
        for k in np.flatnonzero(some & ~is_limited.all(axis=0)):
            self.findings.add(
                Position(shown(self.path)), "E359",
                f"storage of '{names[k]}' has a limit in some months and none in others, or is not "
                "there in all; write a limit that is never reached",
            )  # fmt: skip
        bound = np.concatenate([before_last, np.where(np.isfinite(most[-1:]), most[-1:], 0.0)])
        normal = np.where(some, np.maximum(bound.max(axis=0), initial), np.inf)
        ends_free = np.isinf(most[-1])
        # at the end only the target counts, where storage has no limit in the last month
        bound[-1] = np.where(ends_free, normal, most[-1])
        self._keep("flood_limit_hm3", names, bound, some)
        self._keep("minimum_storage_hm3", names, least, least.any(axis=0))
        # what is lost of the water of a month is lost in the next
        loss = np.concatenate([np.zeros((1, stored.size)), 1 - amplitude[:-1]])
        self._keep("storage_loss_fraction", names, loss, loss.any(axis=0))
        self.tables["reservoirs"] = pd.DataFrame(
            {
                "name": names,
                "dead_hm3": 0.0,
                "normal_hm3": [_text(value) for value in normal],
                "initial_hm3": initial,
                "target_hm3": least[-1],
                "target_maximum_hm3": [_text(value) for value in most[-1]],
            }
        )
        self._carryover(rows, reservoir, item, first, names)
        return names

    def _carryover(
        self,
        rows: np.ndarray,
        reservoir: np.ndarray,
        item: np.ndarray,
        first: np.ndarray,
        names: list[str],
    ) -> None:
        """Blocks of what storage is worth, where it is worth anything."""
        of_item = reservoir[_first_of(item, first.size)]
        value = -self.cost[rows] * self.amplitude[rows] / (HM3_PER_TAF / HM3_PER_M3)
        value = self._grid(rows, item, first.size, value, 0.0)
        volume = HM3_PER_TAF / self.amplitude[rows]
        least = self._grid(rows, item, first.size, self.lower[rows] * volume, 0.0)
        most = self._grid(rows, item, first.size, self.upper[rows] * volume, 0.0)
        is_worth = np.bincount(of_item, value.any(axis=0), minlength=len(names))[of_item] > 0
        is_split = np.bincount(of_item, minlength=len(names))[of_item] > 1
        kept = np.flatnonzero(is_worth)
        if not kept.size:
            return
        blocks = [f"{names[of_item[k]]}__{self.piece[first[k]]}" for k in kept]
        is_split, value = is_split[kept], value[:, kept]
        limited = np.zeros(kept.size, bool)
        limited[is_split] = self._limited(most[:, kept[is_split]], first[kept[is_split]])
        self._keep("carryover_value_usd_m3", blocks, value, value.any(axis=0))
        self._keep("block_most_hm3", blocks, most[:, kept], limited)
        self._keep("block_least_hm3", blocks, least[:, kept], is_split & least[:, kept].any(axis=0))
        self.tables["carryover_values"] = pd.DataFrame(
            {"name": blocks, "reservoir": [names[of_item[k]] for k in kept]}
        )


def _first(wrong: np.ndarray) -> np.ndarray:
    """Places of the first faults."""
    return np.flatnonzero(wrong)[:SHOWN]


def _first_of(item: np.ndarray, n_items: int) -> np.ndarray:
    """First place of each item."""
    place = np.empty(n_items, int)
    place[item[::-1]] = np.arange(item.size)[::-1]
    return place


def _text(number: float) -> str:
    """A number in full; nothing where it is no limit."""
    return repr(float(number)) if np.isfinite(number) else ""


# --- files --------------------------------------------------------------------------------------


def import_calvin(path: Path, folder: Path) -> tuple[Path, Network]:
    """Turn a file of arcs into a basin folder and a case.

    The case looks ahead over all months and makes the net benefit largest: CALVIN's least cost,
    with the other sign.  Costs are taken as dollars per thousand acre-feet.

    Parameters
    ----------
    folder : gets ``basin/`` and ``case.yaml``; must not be there, or be empty

    Returns
    -------
    Path
        The case file.
    Network
        What was written.

    Raises
    ------
    InputError
        With every fault of the file, or because the folder holds files.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        findings = Findings()
        findings.add(Position(shown(folder)), "E109", "holds files; name a new folder")
        findings.raise_if_any()
    network = network_of(read_links(path), path)
    return write_network(network, folder, path.name.partition(".")[0]), network


def write_network(network: Network, folder: Path, name: str) -> Path:
    """Write a network as ``basin/`` and ``case.yaml`` into a folder; return the case file."""
    basin = folder / "basin"
    (basin / "series").mkdir(parents=True, exist_ok=True)
    (basin / "basin.yaml").write_text(
        f"schema: 1\nname: {name}\n"
        f"description: arcs of {name}, a thousand acre-feet taken as {HM3_PER_TAF} hm3\n"
        f"currency: {CURRENCY}\nwater_year_start: 10\n",
        encoding="utf-8",
    )
    for table, rows in network.tables.items():
        rows.to_csv(basin / f"{table}.csv", index=False)
    for series, values in network.series.items():
        _write_series(basin / "series" / f"{series}.nc", values, network.months)
    case = folder / "case.yaml"
    case.write_text(
        f"schema: 1\nname: {name}\nbasin: basin\n"
        f"timeline: {{start: {network.months[0]}, periods: {network.months.size}, step: month}}\n"
        "hydrology: {record: dates}\nforesight: perfect\ngoals:\n  - net_benefit: {}\n",
        encoding="utf-8",
    )
    return case


def _write_series(path: Path, values: pd.DataFrame, months: np.ndarray) -> None:
    unit = path.stem.rpartition("_")[2]
    is_price = path.stem.endswith(f"_{CURRENCY.lower()}_m3")
    attributes = {} if is_price else {"units": UNITS[unit].text}
    array = xr.DataArray(
        values.to_numpy(),
        coords={
            "time": months.astype("datetime64[ns]"),
            "name": np.array(values.columns, dtype=object),
        },
        dims=("time", "name"),
        name=path.stem,
        attrs=attributes,
    )
    packed = {path.stem: {"zlib": True, "complevel": 1}}
    array.to_dataset().to_netcdf(path, engine="netcdf4", encoding=packed)
