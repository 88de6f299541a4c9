"""A tree basin for Pywr and for this project: reservoirs, and demands by priority, day by day.

Every node has an inflow, every fifth a reservoir, every third a demand; rivers lead down the tree
to the sea.  Water is worth more the higher the priority of the demand, far less kept in a
reservoir, and nothing in the sea.  No two of these worths are alike, so that the best allocation of
a day is one only, and whoever finds an optimum has the same deliveries.

On a tree without losses what can be delivered and kept is a polymatroid: of all sinks above any
river, no more than flows in above it.  So the greedy order (dearest first) is the optimum of every
day, by costs as by ordered goals: :func:`simulate` finds it without a linear program, and is what
all ways are checked against.

Source: Edmonds (1970), Submodular functions, matroids, and certain polyhedra (greedy is optimal on
a polymatroid).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wateralloc import read_basin
from wateralloc.case import Case
from wateralloc.case.model import build_case
from wateralloc.goals.end_storage import EndStorage
from wateralloc.goals.net_benefit import NetBenefit
from wateralloc.hydrology import Member
from wateralloc.timeline import Timeline
from wateralloc.units import SECONDS_PER_DAY

START = "2001-01-01"
TEN_YEARS = 3652
MONTHS = 12
M3S_PER_HM3_DAY = 1e6 / SECONDS_PER_DAY
PERSISTENCE = 0.95
"""Correlation of the logarithm of a day's inflow with that of the day before."""
DEMANDED = 0.8
"""Mean demand of the basin as a share of its mean inflow."""
DAYS_STORED = 60.0
"""Storage of a reservoir, in days of the mean inflow above it, shared with the other reservoirs."""
MEAN_INFLOW = 1.0
DELIVERED = (100.0, 200.0)
"""Worth of a hm3 to the last and to the first demand."""
KEPT = (1.0, 2.0)
"""Worth of a hm3 in the last and in the first reservoir."""


@dataclass(frozen=True)
class TreeBasin:
    """A random tree of nodes, with inflows of many scenarios.

    Attributes
    ----------
    n_nodes, n_days, n_members : size
    seed : of the random numbers
    persistence : 0 makes the inflow of each day independent of the day before
    """

    n_nodes: int
    n_days: int
    n_members: int = 1
    seed: int = 0
    persistence: float = PERSISTENCE

    def _random(self, number: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, number))

    @cached_property
    def parent(self) -> np.ndarray:
        """Next node downstream of each (node); -1, the sea, for node 0."""
        low = np.maximum(0, np.arange(self.n_nodes) - 5)
        parent = self._random(0).integers(low, np.maximum(np.arange(self.n_nodes), 1))
        parent[0] = -1
        return parent

    @property
    def users(self) -> np.ndarray:
        """Nodes with a demand."""
        return np.arange(0, self.n_nodes, 3)

    @property
    def reservoirs(self) -> np.ndarray:
        """Nodes with a reservoir."""
        return np.arange(0, self.n_nodes, 5)

    # --- water ------------------------------------------------------------------------------

    @cached_property
    def inflow(self) -> np.ndarray:
        """Inflow [hm3 a day] (node, time, member): wet and dry seasons, floods that recede."""
        random = self._random(1)
        size = random.gamma(2.0, MEAN_INFLOW / 2.0, self.n_nodes)
        day = np.arange(self.n_days)
        season = 1.0 - 0.8 * np.cos(2 * np.pi * (day - 30) / 365.25)
        keep, new = self.persistence, np.sqrt(1 - self.persistence**2)
        logarithm = np.empty((self.n_days, self.n_nodes, self.n_members))
        state = random.standard_normal((self.n_nodes, self.n_members))
        for t in range(self.n_days):
            common = random.standard_normal(self.n_members)  # weather is the basin's
            own = random.standard_normal((self.n_nodes, self.n_members))
            state = keep * state + new * np.sqrt(0.5) * (common + own)
            logarithm[t] = state
        inflow = np.exp(0.8 * logarithm - 0.32) * (size[:, None] * season[:, None, None])
        return np.ascontiguousarray(inflow.transpose(1, 0, 2))

    def with_inflow(self, inflow: np.ndarray) -> TreeBasin:
        """Take the inflow from elsewhere, where it was drawn for the same basin."""
        self.__dict__["inflow"] = inflow  # where cached_property keeps it
        return self

    @cached_property
    def demand(self) -> np.ndarray:
        """Demand [hm3 a day] of each user in each month of the year (user, month)."""
        random = self._random(2)
        mean = random.gamma(2.0, 0.5, self.users.size)
        mean *= DEMANDED * MEAN_INFLOW * self.n_nodes / mean.sum()
        peak = random.integers(0, MONTHS, self.users.size)
        month = np.arange(MONTHS)
        return mean[:, None] * (1 + 0.5 * np.cos(2 * np.pi * (month - peak[:, None]) / MONTHS))

    @cached_property
    def month(self) -> np.ndarray:
        """Month of each day, from 0 (time)."""
        days = np.datetime64(START, "D") + np.arange(self.n_days)
        return days.astype("datetime64[M]").astype(int) % MONTHS

    @cached_property
    def capacity(self) -> np.ndarray:
        """Largest storage [hm3] (reservoir)."""
        share = self._random(3).uniform(0.5, 1.5, self.reservoirs.size)
        return share * DAYS_STORED * MEAN_INFLOW * self.n_nodes / self.reservoirs.size

    @property
    def initial(self) -> np.ndarray:
        """Storage at the start [hm3] (reservoir)."""
        return 0.5 * self.capacity

    # --- what it is worth -------------------------------------------------------------------

    @cached_property
    def worth(self) -> np.ndarray:
        """Worth of a hm3 delivered to each user (user): by priority, which is random."""
        return _spread(self._random(4), self.users.size, *DELIVERED)

    @cached_property
    def worth_kept(self) -> np.ndarray:
        """Worth of a hm3 kept in each reservoir (reservoir)."""
        return _spread(self._random(5), self.reservoirs.size, *KEPT)

    @property
    def cells(self) -> int:
        """Node-steps: nodes × days × scenarios."""
        return self.n_nodes * self.n_days * self.n_members


def _spread(random: np.random.Generator, count: int, low: float, high: float) -> np.ndarray:
    """Values from `low` to `high` at even distances, in random order."""
    return low + (high - low) * random.permutation(count) / max(1, count - 1)


def simulate(basin: TreeBasin) -> tuple[np.ndarray, np.ndarray]:
    """Allocate day by day without a linear program: dearest first, as far as the water goes.

    Returns
    -------
    delivered, stored : [hm3] (user, time, member), (reservoir, time, member)
    """
    n_users, n_reservoirs = basin.users.size, basin.reservoirs.size
    sinks = np.concatenate([basin.users, basin.reservoirs])
    order = np.argsort(-np.concatenate([basin.worth, basin.worth_kept]))
    below = [_path(basin.parent, n) for n in range(basin.n_nodes)]
    most = np.empty((sinks.size, basin.n_members))
    most[n_users:] = basin.capacity[:, None]
    storage = np.repeat(basin.initial[:, None], basin.n_members, axis=1)
    taken = np.empty((sinks.size, basin.n_days, basin.n_members))
    for t in range(basin.n_days):
        most[:n_users] = basin.demand[:, basin.month[t], None]
        source = basin.inflow[:, t].copy()
        source[basin.reservoirs] += storage
        left = source  # water of all nodes above each river that is not yet spoken for
        for n in range(basin.n_nodes - 1, 0, -1):
            left[basin.parent[n]] += left[n]
        for s in order:
            path = below[sinks[s]]
            amount = np.minimum(most[s], np.maximum(left[path].min(axis=0), 0.0))
            left[path] -= amount
            taken[s, t] = amount
        storage = taken[n_users:, t]
    return taken[:n_users], taken[n_users : n_users + n_reservoirs]


def _path(parent: np.ndarray, node: int) -> np.ndarray:
    """A node and all nodes downstream of it."""
    path = [node]
    while parent[path[-1]] >= 0:
        path.append(int(parent[path[-1]]))
    return np.array(path)


# --- for Pywr -------------------------------------------------------------------------------


def describe(basin: TreeBasin) -> dict[str, Any]:
    """Say all but the inflow as plain lists, which a process without this project reads."""
    return {
        "start": START,
        "end": str(np.datetime64(START, "D") + basin.n_days - 1),
        "n_nodes": basin.n_nodes,
        "n_days": basin.n_days,
        "n_members": basin.n_members,
        "parent": basin.parent.tolist(),
        "users": basin.users.tolist(),
        "demand": basin.demand.tolist(),
        "worth": basin.worth.tolist(),
        "reservoirs": basin.reservoirs.tolist(),
        "capacity": basin.capacity.tolist(),
        "initial": basin.initial.tolist(),
        "worth_kept": basin.worth_kept.tolist(),
    }


# --- for this project -----------------------------------------------------------------------


def write_folder(basin: TreeBasin, folder: Path) -> Path:
    """Write the tables of a basin folder; inflow is given by the case."""
    (folder / "series").mkdir(parents=True, exist_ok=True)
    nodes = [f"n{n}" for n in range(basin.n_nodes)]
    reservoirs = [nodes[n] for n in basin.reservoirs]
    kind = np.where(np.isin(np.arange(basin.n_nodes), basin.reservoirs), "reservoir", "junction")
    sea = {"name": "sea", "kind": "sink"}
    tables = {
        "nodes": [{"name": n, "kind": k} for n, k in zip(nodes, kind, strict=True)] + [sea],
        "links": [
            {
                "name": f"below_{nodes[n]}",
                "from": nodes[n],
                "to": nodes[basin.parent[n]] if n else "sea",
                "kind": "reach",
            }
            for n in range(basin.n_nodes)
        ],
        "reservoirs": [
            {
                "name": name,
                "dead_hm3": 0,
                "normal_hm3": basin.capacity[r],
                "initial_hm3": basin.initial[r],
                "target_hm3": 0,
            }
            for r, name in enumerate(reservoirs)
        ],
        "demands": [
            {
                "name": f"user_{nodes[n]}",
                "node": nodes[n],
                "sector": "town",
                "demand_hm3_day": f"pattern:user_{nodes[n]}",
                "value_vnd_m3": basin.worth[u],
            }
            for u, n in enumerate(basin.users)
        ],
        "patterns": [
            {
                "pattern": f"user_{nodes[n]}",
                "start": f"{month + 1:02}-01",
                "value": basin.demand[u, month],
                "unit": "hm3_day",
            }
            for u, n in enumerate(basin.users)
            for month in range(MONTHS)
        ],
        "series/inflow_hm3_day": [
            {"date": str(np.datetime64(START, "D") + t)} | dict.fromkeys(nodes, MEAN_INFLOW)
            for t in range(2)
        ],
    }
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    (folder / "basin.yaml").write_text(
        "schema: 1\nname: {en: Tree, vi: Cây}\ncurrency: VND\nwater_year_start: 1\n"
        "sectors: {town: {}}\nregions: {}\nprovinces: {}\n",
        encoding="utf-8",
    )
    return folder


def make_case(basin: TreeBasin, folder: Path) -> Case:
    """Make the case of this project: deliveries by their worth, then water kept by its worth.

    Pywr weighs both in one sum.  Here they are goals in order, which comes to the same, as water
    delivered is always worth more.
    """
    kept = {
        f"n{n}": [{"value_per_m3": worth}]
        for n, worth in zip(basin.reservoirs, basin.worth_kept.tolist(), strict=True)
    }
    case = build_case(
        read_basin(write_folder(basin, folder)),
        Timeline(START, basin.n_days, "day"),
        goals=[NetBenefit(), EndStorage(values=kept)],
        members=[Member(f"s{k}") for k in range(basin.n_members)],
        foresight="simulate",
    )
    flow = basin.inflow.transpose(0, 2, 1) * M3S_PER_HM3_DAY
    flow.flags.writeable = False
    return replace(case, given={"inflow": {f"n{n}": of_node for n, of_node in enumerate(flow)}})
