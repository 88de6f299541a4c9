"""Claimants of a shortage and how a rule raises their awards, round by round.

Every rule of sharing is a few *phases*.  In a phase the award of each claimant rises from its
*start* at its own *pace*, up to its *cap*, and the lowest of them first: lexicographic max-min of
``(award - start) / pace``.  Rules differ in nothing else.

A phase is a sequence of linear programs.  Each raises one common level under all claimants that are
not settled; those whose row has a positive dual are what keeps the level down and are settled at
it.  A row that merely holds with equality proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.errors import SolveError
from wateralloc.goals import Stage
from wateralloc.parts import DATA, unit
from wateralloc.sharing.claims import minimal_overlap

CERTAIN = 1e-9
"""Minimal rights are kept to this share of themselves, while it is asked what they leave."""
STUCK = 1e-7
"""A dual above this share of the volume that the level stands for is one."""
AT_TOP = 1e-9
"""A level this near to the top has reached it."""
NEAR = 1e-8
"""A target found by programs that is this near, as a share of the claim, has been reached."""
NOTHING = 1e-9
"""A claim up to this [hm3] is none."""
MOST_SUBSETS = 256
"""Up to so many groups of claimants random arrival is exact; beyond, orders are drawn."""
DRAWN_ORDERS = 64
SEED = 740


@dataclass(frozen=True)
class Phase:
    """What a rule does in one phase; awards are shares of the claim (claimant, window).

    Attributes
    ----------
    start : award from which gains count
    pace : rise of the award by a unit of the level, > 0
    cap : most that the phase gives
    """

    start: np.ndarray
    pace: np.ndarray
    cap: np.ndarray


@dataclass(frozen=True)
class Terms:
    """What the phases of a rule are made from (claimant, window).

    Attributes
    ----------
    claim : [hm3]
    weight : a claimant of weight 2 gains twice as fast
    loss_weight : a claimant of weight 2 bears twice the loss
    base : share of the claim that is guaranteed
    theta : share of the rest up to which awards, beyond which losses are made equal
    """

    claim: np.ndarray
    weight: np.ndarray
    loss_weight: np.ndarray
    base: np.ndarray
    theta: np.ndarray

    @property
    def volume(self) -> np.ndarray:
        """Pace at which a level of 1 is the mean claim: so the level is near 1, as in shares."""
        has = self.claim > NOTHING
        mean = self.claim[has].mean() if has.any() else 1.0
        return np.where(has, mean / np.where(has, self.claim, 1.0), 0.0)

    @property
    def awards(self) -> np.ndarray:
        """Pace at which awards rise alike."""
        return self.weight * self.volume

    @property
    def losses(self) -> np.ndarray:
        """Pace at which losses fall alike."""
        return self.loss_weight * self.volume


Phases = Callable[[Terms, Callable[[], np.ndarray]], Iterable[Phase]]
"""Phases of a rule, by its terms and what is settled when a phase begins (claimant, window)."""


def _proportional(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    yield Phase(t.base, t.weight * (1.0 - t.base), np.ones_like(t.base))


def _cea(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    yield Phase(t.base, t.awards, np.ones_like(t.base))


def _cel(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    ones = np.ones_like(t.base)
    yield Phase(ones, t.losses, ones)


def _tal(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    ones = np.ones_like(t.base)
    if (t.theta > 0).any():
        yield Phase(t.base, t.awards, t.base + t.theta * (1.0 - t.base))
    if (t.theta < 1).any():
        yield Phase(ones, t.losses, ones)


def _reverse_talmud(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    half = t.base + 0.5 * (1.0 - t.base)
    yield Phase(half, t.losses, half)
    yield Phase(settled(), t.awards, np.ones_like(half))


def _piniles(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    yield Phase(t.base, t.awards, t.base + 0.5 * (1.0 - t.base))
    yield Phase(settled(), t.awards, np.ones_like(t.base))


def _constrained_egalitarian(t: Terms, settled: Callable[[], np.ndarray]) -> Iterable[Phase]:
    yield Phase(t.base, t.awards, t.base + 0.5 * (1.0 - t.base))
    yield Phase(t.base, t.awards, np.ones_like(t.base))


PHASES: dict[str, Phases] = {
    "leximin": _proportional,
    "proportional": _proportional,
    "cea": _cea,
    "cel": _cel,
    "talmud": _tal,
    "tal": _tal,
    "reverse_talmud": _reverse_talmud,
    "piniles": _piniles,
    "constrained_egalitarian": _constrained_egalitarian,
}
"""Rules whose phases follow from the claims alone."""
TARGETS = ("adjusted_proportional", "random_arrival", "minimal_overlap")
"""Rules whose awards follow from what groups of claimants could have, found by programs."""


# --- in the period --------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimants:
    """Claimants of one tier: groups of demands, each with a claim in every window.

    Attributes
    ----------
    groups : claimant -> its demands
    window : window of each period, -1 where nothing is claimed (time)
    numbers : number that each window has over the whole horizon, where only some are in sight
    """

    title: str
    groups: dict[str, list[str]]
    window: np.ndarray
    numbers: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        return list(self.groups)

    @property
    def n_windows(self) -> int:
        return int(self.window.max(initial=-1)) + 1

    @property
    def first(self) -> np.ndarray:
        """First period of each window (window)."""
        number, first = np.unique(self.window, return_index=True)
        return first[number >= 0]

    def in_sight(self, first: int, end: int) -> Claimants:
        """Claimants of the windows of which a part is in sight, as far as its last period.

        What they claimed and were given before, in these windows, counts.
        """
        if first == 0 and end == self.window.size:
            return self
        numbers = np.unique(self.window[first:end])
        numbers = numbers[numbers >= 0]
        window = np.full(self.window.size, -1)
        for w, number in enumerate(numbers):
            window[:end][self.window[:end] == number] = w
        return replace(self, window=window, numbers=numbers)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (..., time) over each window (..., window)."""
        total = np.zeros((*values.shape[:-1], self.n_windows))
        for w in range(self.n_windows):
            # compressed, as numbers picked by a mask add up in an order that hangs on their shape
            total[..., w] = np.compress(self.window == w, values, axis=-1).sum(axis=-1)
        return total

    def claims(self, m: pyo.ConcreteModel) -> np.ndarray:
        """Claim of each claimant in each window [hm3] (member, claimant, window)."""
        asked = [sum(m.demand[d].value for d in group) for group in self.groups.values()]
        return np.stack([self.sums(volumes) for volumes in asked], axis=1)

    def claim_of(self, m: pyo.ConcreteModel, stage: Stage) -> np.ndarray:
        """Claims of one member, as far as its program knows [hm3] (claimant, window)."""
        asked = [
            np.sum([stage.known(m.demand[d]) for d in group], axis=0)
            for group in self.groups.values()
        ]
        return np.stack([self.sums(volumes) for volumes in asked])

    def _with_gaps(self) -> np.ndarray:
        """Windows with the periods between two counted to the later (time)."""
        window = np.where(self.window < 0, self.n_windows - 1, self.window)
        return np.minimum.accumulate(window[::-1])[::-1]

    def declare(self, m: pyo.ConcreteModel, block: Any, case: Case, phases: list[Phase]) -> None:
        """Add satisfaction, level and their rows to the period; the first phase is written in.

        Parameters
        ----------
        phases : first phase of each member; none where the tier has to wait for another
        """
        shape = (case.n_members, case.n_periods)
        inside = self._with_gaps()
        block.level = pyo.Var(bounds=_range(phases) if phases else (0, 0))
        m.repeats.share(block.level, np.zeros(case.n_periods, int))
        block.satisfaction = pyo.Var(self.names, bounds=(0, 1))
        once = np.full(case.n_periods, -1)
        once[self.first] = np.arange(self.n_windows)
        pace, start = np.zeros((2, len(self.names), *shape))
        pace[:, :, self.first] = 1.0
        start[:, :, self.first] = -np.inf
        for k, phase in enumerate(phases):
            has = phase.pace > 0  # a row without a claim is silent, but its level keeps a number
            pace[:, k, self.first] = np.where(has, phase.pace, 1.0)
            start[:, k, self.first] = np.where(has, phase.start, -np.inf)
        for name, values in (("pace", pace), ("start", start)):
            data = dict(zip(self.names, values, strict=True))
            block.add_component(name, pyo.Param(self.names, initialize=data, **DATA))

        def shared(block: pyo.Block, c: str) -> pyo.Constraint:
            asked = sum(m.demand[d] for d in self.groups[c])
            taken = sum(m.withdrawal[d] for d in self.groups[c])
            return taken - asked * block.satisfaction[c] >= 0

        def least(block: pyo.Block, c: str) -> pyo.Constraint:
            return block.satisfaction[c] - block.pace[c] * block.level >= block.start[c]

        block.shared = pyo.Constraint(self.names, rule=shared)
        block.least = pyo.Constraint(self.names, rule=least)
        for c in self.names:
            m.repeats.share(block.satisfaction[c], inside)
            m.repeats.total(block.shared[c], self.window)
            m.repeats.total(block.least[c], once)
        # the level counts as the volume it stands for, so that duals are hm3 for hm3
        volume = np.zeros(shape)
        volume[:, 0] = self.claims(m).sum(axis=(1, 2))
        block.volume = pyo.Param(initialize=volume, units=unit("hm3"), **DATA)
        block.goal = pyo.Expression(expr=block.volume * block.level)


@dataclass(frozen=True)
class Awards:
    """What a rule settled for one member in one tier.

    Attributes
    ----------
    tier : from 1; the shape within windows comes after the tiers
    window : kind of the windows, as ``season``
    claim : [hm3] (claimant, window)
    settled_in : round in which each award was settled; 0 where nothing is claimed
    level : level of that round (claimant, window)
    n_rounds : programs that it took
    """

    tier: int
    rule: str
    window: str
    claimants: Claimants
    claim: np.ndarray
    settled_in: np.ndarray
    level: np.ndarray
    n_rounds: int


@dataclass(frozen=True)
class Shared:
    """What came of a goal ``share`` for one member.

    Attributes
    ----------
    goal : its place
    most, given : volume that could be delivered to all at most, and what the rule delivers [hm3]
    best_worth, worth : the same in money [million]; None where no user has a value
    """

    goal: int
    title: str
    awards: tuple[Awards, ...]
    most: float
    given: float
    best_worth: float | None
    worth: float | None

    @property
    def volume_price(self) -> float:
        """Share of the volume that the rule does without."""
        return 1.0 - self.given / self.most if self.most > NOTHING else 0.0

    @property
    def value_price(self) -> float | None:
        """Share of the value that the rule does without."""
        if self.best_worth is None or self.worth is None or self.best_worth <= 0:
            return None
        return 1.0 - self.worth / self.best_worth


def _range(phases: Sequence[Phase]) -> tuple[float, float]:
    """Least and largest level at which rows of the phases can hold."""
    low, high = np.inf, -np.inf
    for phase in phases:
        has = phase.pace > 0
        if has.any():
            low = min(low, float((-phase.start[has] / phase.pace[has]).min()))
            high = max(high, float(((phase.cap - phase.start)[has] / phase.pace[has]).max()))
    return (low + 0.0, high + 0.0) if low <= high else (0.0, 0.0)  # no -0


# --- round by round -------------------------------------------------------------------------


@dataclass
class Rounds:
    """Raises the awards of one tier for one member; awards are shares of claims (satisfaction).

    What a round settles is held exactly, by the face of its optimum: columns with a reduced cost
    and rows with a dual stay at their limits, and claimants settled together stay tied to each
    other.  No award is written down as a number, which would leave the next program no room for
    rounding.

    Attributes
    ----------
    claim : [hm3] (claimant, window)
    volume : what a unit of the level counts in the goal [hm3]
    reached : satisfaction settled so far (claimant, window)
    lower, upper : limits of satisfaction (claimant, window)
    is_blocked : settled by the water: nothing of later phases can raise it (claimant, window)
    number : rounds so far
    settled_in, level : round in which each was settled last, and the level then (claimant, window)
    """

    name: str
    claimants: Claimants
    block: Any
    stage: Stage
    claim: np.ndarray
    volume: float
    number: int = 0

    def __post_init__(self) -> None:
        shape = self.claim.shape
        self.has = self.claim > NOTHING
        self.reached, self.level = np.zeros(shape), np.zeros(shape)
        self.lower, self.upper = np.zeros(shape), np.ones(shape)
        self.is_blocked, self.settled_in = np.zeros(shape, bool), np.zeros(shape, int)
        names, starts = self.claimants.names, self.claimants.first
        seen = np.maximum(starts, self.stage.sight[0])
        self.rows = np.array([self.stage.rows(self.block.least[c], starts) for c in names])
        self.columns = np.array(
            [self.stage.columns(self.block.satisfaction[c], seen) for c in names]
        )
        self.level_column = self.stage.columns(self.block.level, seen[:1])
        total = float(self.claim.sum())
        self.cost_scale = (
            self.volume / total if self.claimants.numbers is not None and total else 1.0
        )
        self._free(np.ones(shape, bool))

    def serve(self, rule: str, terms: Terms, active: np.ndarray) -> None:
        """Serve some of the claimants by a rule, as far as those served before leave room.

        Parameters
        ----------
        active : whom (claimant, window)
        """
        if (terms.base[active] > 0).any():
            base = np.where(active, terms.base, 0.0)
            self._raise(Phase(np.zeros_like(base), base, base), active)
            terms = replace(terms, base=np.minimum(base, self.reached))
        if rule in TARGETS:
            phases = self._by_targets(rule, active & self.has)
        else:
            phases = PHASES[rule](terms, lambda: self.reached.copy())
        for phase in phases:
            self._raise(phase, active)

    def keep_within(self, tolerance: float) -> None:
        """Hold awards by their amounts alone, to within a share of the claims."""
        everywhere = np.ones(self.claim.shape, bool)
        self._free(everywhere)
        self.lower, self.upper = np.maximum(self.reached - tolerance, 0.0), np.ones_like(self.upper)
        self._bound(everywhere)

    def _raise(self, phase: Phase, active: np.ndarray) -> None:
        """Lexicographic max-min of (award - start) / pace over the active claimants."""
        is_open = active & self.has & ~self.is_blocked & (phase.pace > 0)
        is_open &= self.reached < phase.cap
        if not is_open.any():
            return
        pace, start = np.where(is_open, phase.pace, 1.0), phase.start
        self.upper[is_open] = phase.cap[is_open]
        self._bound(is_open)
        self.stage.coefficients(self.rows[is_open], self.level_column, -pace[is_open])
        self._limit(is_open, start)
        while is_open.any():
            self.number += 1
            top = float(((self.upper - start)[is_open] / pace[is_open]).max())
            low = float((-start[is_open] / pace[is_open]).min())
            self.stage.bound(self.block.level, np.array([min(low, top)]), np.array([top]))
            level = self._optimise()
            full = is_open & self._is_at_cap()
            if level >= top - AT_TOP * max(1.0, abs(top)):
                full = is_open.copy()
            if full.any():  # their cap, not the water, keeps the level down
                self.reached[full] = self.lower[full] = self.upper[full]
                self._bound(full)
                self._free(full)
                settled = full
            else:
                settled = is_open & self._is_stuck(pace)
                if not settled.any():
                    raise SolveError(
                        f"E404 {self.name}, round {self.number}: no claimant keeps the level from "
                        "rising; report it with `wateralloc export --to mps`"
                    )
                at = np.clip(start + pace * level, self.lower, self.upper)
                self.reached[settled] = at[settled]
                # those whose least is what it costs: they cannot rise but at the others' expense
                priced = self.has & ~settled & (np.abs(self._prices()) > STUCK)
                self.stage.hold(is_final=False)
                self._tie(settled, start, pace)
                self._free(priced & is_open)
                settled |= priced & is_open
                self.is_blocked |= settled | priced
            self.settled_in[settled], self.level[settled] = self.number, level
            is_open &= ~settled
            self._limit(is_open, start)
        self.upper[active & ~self.is_blocked] = 1.0
        self._bound(active & ~self.is_blocked)

    def _optimise(self) -> float:
        optimum = self.stage.optimise(
            f"{self.name}, round {self.number}",
            self.block.goal,
            "maximise",
            "level",
            1.0 / self.volume,
            cost_scale=self.cost_scale,
        )
        return optimum / self.volume

    def _is_stuck(self, pace: np.ndarray) -> np.ndarray:
        """Mark claimants whose row has a positive dual (claimant, window)."""
        return np.abs(self.stage.row_duals()[self.rows]) * pace > STUCK * self.volume

    def _is_at_cap(self) -> np.ndarray:
        """Mark claimants whose cap has a price (claimant, window)."""
        return (self._prices() > STUCK * self.volume) & (self.upper > self.lower)

    def _prices(self) -> np.ndarray:
        """Reduced costs of satisfaction [hm3] (claimant, window)."""
        return self.stage.reduced_costs()[self.columns]

    def _tie(self, settled: np.ndarray, start: np.ndarray, pace: np.ndarray) -> None:
        """Tie claimants settled together to the first of them, in place of the level."""
        rows, columns = self.rows[settled], self.columns[settled]
        ratio = pace[settled] / pace[settled][0]
        self._free(settled)
        limit = start[settled] - ratio * start[settled][0]
        self.stage.coefficients(rows, self.level_column, np.zeros(rows.size))
        self.stage.coefficients(rows[1:], np.repeat(columns[:1], rows.size - 1), -ratio[1:])
        self.stage.limit_rows(rows[1:], limit[1:], limit[1:])

    def _bound(self, which: np.ndarray) -> None:
        self.stage.bound_columns(self.columns[which], self.lower[which], self.upper[which])

    def _limit(self, which: np.ndarray, start: np.ndarray) -> None:
        self.stage.limit_rows(self.rows[which], start[which], np.full(which.sum(), np.inf))

    def _free(self, which: np.ndarray) -> None:
        nowhere = np.full(which.sum(), np.inf)
        self.stage.limit_rows(self.rows[which], -nowhere, nowhere)

    # --- rules by what groups could have

    def _by_targets(self, rule: str, active: np.ndarray) -> Iterable[Phase]:
        """Raise all towards their targets alike, then pass on what some cannot have."""
        find = getattr(self, f"_{rule}")
        players = list(zip(*np.nonzero(active & ~self.is_blocked), strict=True))
        start, target = find(players) if players else (self.reached, self.reached)
        for level in (start, target, np.ones_like(target)):
            yield self._towards(level)

    def _towards(self, target: np.ndarray) -> Phase:
        """Raise each from what it has to a target, each by the same part of the way."""
        gap = target - self.reached
        return Phase(self.reached.copy(), np.where(gap > NEAR, gap, 0.0), target)

    def most(self, group: Iterable[tuple[int, int]]) -> float:
        """Most that a group can be given beyond its least [hm3]; others keep their least."""
        which = np.zeros(self.claim.shape, bool)
        for player in group:
            which[player] = True
        if not which.any():
            return 0.0
        cost = self.claim[which]
        most = self.stage.maximise_columns(f"{self.name}, most", self.columns[which], cost)
        return most - float(cost @ self.lower[which])

    def _adjusted_proportional(
        self, players: list[tuple[int, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minimal rights first, then in proportion to what each could still be given."""
        before = self.lower.copy()
        everything = self.most(players)
        rights = [everything - self.most([p for p in players if p != player]) for player in players]
        start = before.copy()
        for player, right in zip(players, rights, strict=True):
            start[player] += max(right, 0.0) / self.claim[player]
        everywhere = np.ones(before.shape, bool)
        self.lower = np.maximum(start * (1 - CERTAIN), before)
        self._bound(everywhere)
        target = start.copy()
        for player in players:
            target[player] += max(self.most([player]), 0.0) / self.claim[player]
        self.lower = before
        self._bound(everywhere)
        return start, np.minimum(target, 1.0)

    def _random_arrival(self, players: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean over the orders in which claimants could arrive, each served in full on arrival."""
        known: dict[frozenset[tuple[int, int]], float] = {}

        def worth(group: Iterable[tuple[int, int]]) -> float:
            key = frozenset(group)
            if key not in known:
                known[key] = self.most(sorted(key))
            return known[key]

        award = (
            shapley(players, worth)
            if 2 ** len(players) <= MOST_SUBSETS
            else drawn_orders(players, worth, DRAWN_ORDERS, SEED)
        )
        return self._target(players, award)

    def _minimal_overlap(self, players: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Of the most that all can be given together, as of a single stock."""
        open_claims = [self.claim[p] * (1.0 - self.lower[p]) for p in players]
        return self._target(players, minimal_overlap(self.most(players), open_claims))

    def _target(
        self, players: list[tuple[int, int]], award: Iterable[float]
    ) -> tuple[np.ndarray, np.ndarray]:
        start, target = self.lower.copy(), self.lower.copy()
        for p, volume in zip(players, award, strict=True):
            target[p] = min(target[p] + max(volume, 0.0) / self.claim[p], 1.0)
        return start, target


def shapley(players: Sequence[Any], worth: Callable[[Iterable[Any]], float]) -> list[float]:
    """Mean marginal worth of each player over all orders of arrival."""
    n = len(players)
    awards = []
    for player in players:
        others = [p for p in players if p != player]
        total = 0.0
        for size in range(n):
            for group in combinations(others, size):
                gain = worth((*group, player)) - worth(group)
                total += gain / (n * comb(n - 1, size))
        awards.append(total)
    return awards


def drawn_orders(
    players: Sequence[Any], worth: Callable[[Iterable[Any]], float], n_orders: int, seed: int
) -> list[float]:
    """As :func:`shapley`, over orders drawn at random, each with its reverse."""
    chance = np.random.default_rng(seed)
    total = np.zeros(len(players))
    order = np.arange(len(players))
    for k in range(n_orders):
        order = chance.permutation(len(players)) if k % 2 == 0 else order[::-1]
        group: list[Any] = []
        before = 0.0
        for place in map(int, order):
            group.append(players[place])
            after = worth(group)
            total[place] += after - before
            before = after
    return list(total / n_orders)
