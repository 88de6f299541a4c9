"""One basin, its allocation LP written in three ways.

A tree of nodes with inflow; some nodes have a reservoir, some a user.  Water runs to the next node
downstream, from some nodes with a lag of a period.  Users have a yearly level of satisfaction in
common, and some a quota of what they may take in the dry season.  The three ways are: one period in
Pyomo, stacked (this project); a plain Pyomo model over nodes and periods; and arrays by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp

from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.repeats import Repeats

INITIAL_STORAGE = 500.0
INITIAL_FLOW = 20.0
CAPACITY = 1e5
STORAGE = 2000.0
QUOTA = 0.7
LEVEL_WORTH = 100.0
PERIODS_OF_YEAR = 12
DRY = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Basin:
    """A random tree of nodes.

    Attributes
    ----------
    n_nodes, n_periods : size
    seed : of the random numbers
    """

    n_nodes: int
    n_periods: int
    seed: int = 0

    @cached_property
    def parent(self) -> list[int]:
        """Next node downstream of each; -1 for the outlet, node 0."""
        rng = np.random.default_rng(self.seed)
        return [-1] + [int(rng.integers(max(0, n - 5), n)) for n in range(1, self.n_nodes)]

    @cached_property
    def upstream(self) -> list[list[int]]:
        """Nodes just above each."""
        above: list[list[int]] = [[] for _ in range(self.n_nodes)]
        for n in range(1, self.n_nodes):
            above[self.parent[n]].append(n)
        return above

    @cached_property
    def reservoirs(self) -> list[int]:
        return list(range(0, self.n_nodes, 5))

    @cached_property
    def users(self) -> list[int]:
        return list(range(0, self.n_nodes, 3))

    @cached_property
    def with_quota(self) -> list[int]:
        return list(range(0, self.n_nodes, 6))

    @cached_property
    def lagged(self) -> list[int]:
        """Nodes whose outflow arrives a period later."""
        return list(range(7, self.n_nodes, 10))

    @cached_property
    def inflow(self) -> np.ndarray:
        """Inflow [hm3] (node, period), with a wet and a dry season."""
        rng = np.random.default_rng(self.seed + 1)
        season = 1 + 0.8 * np.sin(2 * np.pi * np.arange(self.n_periods) / PERIODS_OF_YEAR)
        return rng.gamma(2, 25, (self.n_nodes, self.n_periods)) * season

    @cached_property
    def demand(self) -> np.ndarray:
        """Demand [hm3] (user, period)."""
        rng = np.random.default_rng(self.seed + 2)
        return rng.gamma(4, 50, (len(self.users), self.n_periods))

    @cached_property
    def worth(self) -> np.ndarray:
        """Worth of a delivery (user)."""
        return np.random.default_rng(self.seed + 3).uniform(1, 2, len(self.users))

    @cached_property
    def year(self) -> np.ndarray:
        """Year of each period, from 0."""
        return np.arange(self.n_periods) // PERIODS_OF_YEAR

    @cached_property
    def dry_season(self) -> np.ndarray:
        """Year of each period of the dry season; -1 in the others."""
        return np.where(np.isin(np.arange(self.n_periods) % PERIODS_OF_YEAR, DRY), self.year, -1)


# --- this project: one period in Pyomo, stacked ---------------------------------------------


def period_model(basin: Basin) -> pyo.ConcreteModel:
    """Write one period; the horizon is in the data and in the notes on how it repeats."""
    m = pyo.ConcreteModel()
    m.repeats = Repeats()
    m.node = pyo.Set(initialize=range(basin.n_nodes))
    m.reservoir = pyo.Set(initialize=basin.reservoirs)
    m.user = pyo.Set(initialize=basin.users)
    m.with_quota = pyo.Set(initialize=basin.with_quota)
    m.lagged = pyo.Set(initialize=basin.lagged)
    data: dict[str, Any] = {"mutable": True, "within": pyo.Any}
    reservoirs, users, lagged = set(basin.reservoirs), set(basin.users), set(basin.lagged)
    inflow, demand = basin.inflow, dict(zip(basin.users, basin.demand, strict=True))
    worth = dict(zip(basin.users, basin.worth.tolist(), strict=True))
    m.inflow = pyo.Param(m.node, **data, initialize={n: inflow[n][None] for n in m.node})
    m.demand = pyo.Param(m.user, **data, initialize={u: demand[u][None] for u in m.user})

    m.flow = pyo.Var(m.node, bounds=(0, CAPACITY))
    m.storage_end = pyo.Var(m.reservoir, bounds=(0, STORAGE))
    m.supply = pyo.Var(m.user, bounds=lambda m, u: (0, m.demand[u]))
    m.level = pyo.Var(bounds=(0, 1))
    m.storage_start = pyo.Var(m.reservoir)
    m.arriving = pyo.Var(m.lagged)

    @m.Constraint(m.node)
    def balance(m: pyo.ConcreteModel, n: int) -> Any:
        from_above = sum(m.arriving[u] if u in lagged else m.flow[u] for u in basin.upstream[n])
        stored = m.storage_end[n] - m.storage_start[n] if n in reservoirs else 0
        taken = m.supply[n] if n in users else 0
        return m.flow[n] + stored + taken - from_above == m.inflow[n]

    @m.Constraint(m.user)
    def fair(m: pyo.ConcreteModel, u: int) -> Any:
        return m.supply[u] - m.level * m.demand[u] >= 0

    @m.Constraint(m.with_quota)
    def quota(m: pyo.ConcreteModel, u: int) -> Any:
        return m.supply[u] <= QUOTA * m.demand[u]

    m.cost = pyo.Expression(
        expr=-LEVEL_WORTH * m.level - sum(worth[u] * m.supply[u] for u in m.user)
    )
    for r in m.reservoir:
        m.repeats.carry(m.storage_start[r], m.storage_end[r], 1, INITIAL_STORAGE)
    for n in m.lagged:
        m.repeats.carry(m.arriving[n], m.flow[n], 1, INITIAL_FLOW)
    m.repeats.share(m.level, basin.year)
    m.repeats.total(m.quota, basin.dry_season)
    return m


# --- a plain Pyomo model --------------------------------------------------------------------


def plain_model(basin: Basin) -> pyo.ConcreteModel:
    """Write all periods, as a careful user of Pyomo does."""
    m = pyo.ConcreteModel()
    m.node = pyo.RangeSet(0, basin.n_nodes - 1)
    m.period = pyo.RangeSet(0, basin.n_periods - 1)
    m.reservoir = pyo.Set(initialize=basin.reservoirs)
    m.user = pyo.Set(initialize=basin.users)
    m.with_quota = pyo.Set(initialize=basin.with_quota)
    m.year = pyo.RangeSet(0, int(basin.year[-1]))
    inflow, year = basin.inflow.tolist(), basin.year.tolist()
    demand = dict(zip(basin.users, basin.demand.tolist(), strict=True))
    worth = dict(zip(basin.users, basin.worth.tolist(), strict=True))
    reservoirs, users, lagged = set(basin.reservoirs), set(basin.users), set(basin.lagged)
    dry = [np.flatnonzero(basin.dry_season == y).tolist() for y in m.year]

    m.flow = pyo.Var(m.node, m.period, bounds=(0, CAPACITY))
    m.storage = pyo.Var(m.reservoir, m.period, bounds=(0, STORAGE))
    m.supply = pyo.Var(m.user, m.period, bounds=lambda m, u, t: (0, demand[u][t]))
    m.level = pyo.Var(m.year, bounds=(0, 1))

    def arriving(m: pyo.ConcreteModel, n: int, t: int) -> Any:
        if n not in lagged:
            return m.flow[n, t]
        return m.flow[n, t - 1] if t else INITIAL_FLOW

    @m.Constraint(m.node, m.period)
    def balance(m: pyo.ConcreteModel, n: int, t: int) -> Any:
        from_above = sum(arriving(m, u, t) for u in basin.upstream[n])
        stored = 0
        if n in reservoirs:
            stored = m.storage[n, t] - (m.storage[n, t - 1] if t else INITIAL_STORAGE)
        taken = m.supply[n, t] if n in users else 0
        return m.flow[n, t] + stored + taken - from_above == inflow[n][t]

    @m.Constraint(m.user, m.period)
    def fair(m: pyo.ConcreteModel, u: int, t: int) -> Any:
        return m.supply[u, t] - m.level[year[t]] * demand[u][t] >= 0

    @m.Constraint(m.with_quota, m.year)
    def quota(m: pyo.ConcreteModel, u: int, y: int) -> Any:
        if not dry[y]:
            return pyo.Constraint.Skip
        limit = QUOTA * sum(demand[u][t] for t in dry[y])
        return pyo.quicksum(m.supply[u, t] for t in dry[y]) <= limit

    m.cost = pyo.Objective(
        expr=pyo.quicksum(-LEVEL_WORTH * m.level[year[t]] for t in m.period)
        + pyo.quicksum(-worth[u] * m.supply[u, t] for u in m.user for t in m.period)
    )
    return m


# --- arrays by hand -------------------------------------------------------------------------


@dataclass(frozen=True)
class ByHand:
    """The arrays, and where each variable and row lies (item, period or year)."""

    program: MemberProgram
    cost: np.ndarray
    columns: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]


def arrays_by_hand(basin: Basin) -> ByHand:
    """Lay out the same program without Pyomo, vectorised over items and periods."""
    n_nodes, n_periods = basin.n_nodes, basin.n_periods
    reservoirs, users = np.array(basin.reservoirs), np.array(basin.users)
    lagged, with_quota = np.array(basin.lagged, int), np.array(basin.with_quota)
    n_years = int(basin.year[-1]) + 1
    dry = np.flatnonzero(basin.dry_season >= 0)
    n_seasons = int(basin.dry_season.max()) + 1

    def places(first: int, *shape: int) -> np.ndarray:
        return np.arange(first, first + np.prod(shape), dtype=np.int32).reshape(shape)

    flow = places(0, n_nodes, n_periods)
    storage = places(flow.size, reservoirs.size, n_periods)
    supply = places(storage[-1, -1] + 1, users.size, n_periods)
    level = places(supply[-1, -1] + 1, n_years)
    storage_before = places(level[-1] + 1, reservoirs.size, 1)
    flow_before = places(storage_before[-1, -1] + 1, lagged.size, 1)
    n_columns = int(storage_before[-1, -1]) + 1 + lagged.size
    balance = places(0, n_nodes, n_periods)
    fair = places(balance.size, users.size, n_periods)
    quota = places(balance.size + fair.size, with_quota.size, n_seasons)
    n_rows = balance.size + fair.size + quota.size

    storage_start = np.hstack([storage_before, storage[:, :-1]])
    arriving = flow.copy()
    arriving[lagged] = np.hstack([flow_before, flow[lagged, :-1]])
    in_users = np.searchsorted(users, with_quota)
    dry_supply = supply[in_users][:, dry]
    entries = (
        (balance[basin.parent[1:]], arriving[1:], -1.0),
        (balance, flow, 1.0),
        (balance[reservoirs], storage, 1.0),
        (balance[reservoirs], storage_start, -1.0),
        (balance[users], supply, 1.0),
        (fair, supply, 1.0),
        (fair, np.broadcast_to(level[basin.year], fair.shape), -basin.demand),
        (quota[:, basin.dry_season[dry]], dry_supply, 1.0),
    )
    row = np.concatenate([rows.ravel() for rows, _, _ in entries])
    column = np.concatenate([columns.ravel() for _, columns, _ in entries])
    data = np.empty(row.size)
    start = 0
    for rows, _, value in entries:
        data[start : start + rows.size] = np.ravel(value)
        start += rows.size
    matrix = sp.coo_matrix((data, (row, column)), shape=(n_rows, n_columns)).tocsc()

    col_lower, col_upper = np.zeros(n_columns), np.empty(n_columns)
    col_upper[flow], col_upper[storage], col_upper[supply] = CAPACITY, STORAGE, basin.demand
    col_upper[level] = 1.0
    for before, value in ((storage_before, INITIAL_STORAGE), (flow_before, INITIAL_FLOW)):
        col_lower[before] = col_upper[before] = value
    row_lower, row_upper = np.zeros(n_rows), np.full(n_rows, np.inf)
    row_lower[balance] = row_upper[balance] = basin.inflow
    row_lower[quota] = -np.inf
    first = np.flatnonzero(np.diff(basin.dry_season[dry], prepend=-1))
    row_upper[quota] = np.add.reduceat(QUOTA * basin.demand[in_users][:, dry], first, axis=1)
    cost = np.zeros(n_columns)
    cost[supply] = -basin.worth[:, None]
    cost[level] = -LEVEL_WORTH * np.bincount(basin.year)
    program = MemberProgram(
        matrix.indptr, matrix.indices, matrix.data, col_lower, col_upper, row_lower, row_upper
    )
    return ByHand(
        program,
        cost,
        {
            "flow": flow,
            "storage_end": storage,
            "supply": supply,
            "level": level,
            "storage_start": storage_start,
            "arriving": arriving[lagged],
        },
        {"balance": balance, "fair": fair, "quota": quota},
    )


def differences(horizon: Horizon, cost: np.ndarray, by_hand: ByHand) -> list[str]:
    """Name what differs between the stacked program and the one by hand, entry by entry.

    Columns and rows are matched by the variable, item and period they stand for.
    """
    m = horizon.model
    stacked = horizon.stack().member(0)
    column = np.full(stacked.col_lower.size, -1)
    for name, places in by_hand.columns.items():
        for variable, place in zip(m.component(name).values(), np.atleast_2d(places), strict=True):
            map_ = horizon.columns[id(variable)]
            column[map_] = (
                place if name != "level" else place[np.arange(map_.size) // PERIODS_OF_YEAR]
            )
    row = np.full(stacked.row_lower.size, -1)
    for name, places in by_hand.rows.items():
        for constraint, place in zip(m.component(name).values(), places, strict=True):
            row[horizon.rows[id(constraint)]] = place
    hand = by_hand.program
    found = []
    for what, place, size in (
        ("columns", column, hand.col_lower.size),
        ("rows", row, hand.row_lower.size),
    ):
        if not np.array_equal(np.sort(place), np.arange(size)):
            found.append(f"the {what} are not the same")
    if found:
        return found
    same: dict[str, Callable[[], bool]] = {
        "matrix": lambda: (abs(hand.matrix[row][:, column] - stacked.matrix) != 0).nnz == 0,
        "cost": lambda: np.allclose(by_hand.cost[column], cost, rtol=1e-14, atol=0),
    }
    for side in ("col_lower", "col_upper", "row_lower", "row_upper"):
        place = column if side.startswith("col") else row
        ours, theirs = getattr(stacked, side), getattr(hand, side)[place]
        same[side] = lambda ours=ours, theirs=theirs: np.allclose(ours, theirs, rtol=1e-14, atol=0)
    return [f"{what} is not the same" for what, is_same in same.items() if not is_same()]
