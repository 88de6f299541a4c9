"""What the goals leave open: the least and the most of every delivery over all optima.

After the last goal the program, with every goal held, holds exactly the allocations that reach the
same optima in the same order.  Those differ where goals do not say who is served, or when: which of
two sectors of a goal lacks a hm3, or in which month of a year that counts as a whole.  Of each
withdrawal its least and its most over these allocations are found, and of the totals by region,
sector and province too: what one user gives up another takes, so the range of a total is not the
sum of the ranges in it.

A withdrawal that the goals fix has no range.  For the others the sum of all is made as large as can
be: who then has all of the demand needs no program of its own.  That is repeated with those that
are left until none more reaches its demand; each of the rest has a program of its own.  The same
for the least, down to zero.  So every end of a range is a limit that some optimum attains, or the
certified optimum of a linear program.  One program with another cost each time: simplex goes on
from the basis that it has, which takes a few iterations.

Where lines stand for what is not linear, they are those at the result, and decisions of yes or no
are as they were made.

Source
------
Gleixner, Berthold, Mueller & Weltge (2017), Three enhancements for optimization-based bound
tightening, Journal of Global Optimization 67, 731-757, section 3 (filtering of bounds).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wateralloc.case import Case
from wateralloc.foresight.perfect import FinalFace, Solution
from wateralloc.solve import Certificate, ManyCosts

MOVES = 1e-7
"""A range narrower than this, of 1 + the demand [hm3], is rounding: the delivery does not move."""
CHEAP = 1e8
"""Effort, in linear programs times their columns, up to which a run finds ranges unasked.

The flagship takes 7 million, in an eighth of the time of its solve."""
SCOPES = ("region", "province", "sector")
"""Columns of demands by which totals are made, beside all and each sector of each region."""


@dataclass(frozen=True)
class Totals:
    """Ranges of the deficits of several demands together over the horizon.

    Attributes
    ----------
    scope, name : as in ``metrics.csv``: ``basin`` ``all``, ``region_sector`` ``REGION/SECTOR``, ...
    deficit_least, deficit_most : [hm3] (member, total)
    """

    scope: tuple[str, ...]
    name: tuple[str, ...]
    deficit_least: np.ndarray
    deficit_most: np.ndarray


@dataclass(frozen=True)
class Ranges:
    """The least and the most of every delivery at the optima of a case.

    Attributes
    ----------
    least, most : withdrawal [hm3] (member, time, demand)
    n_open : deliveries that can move, of each member (member)
    n_programs, iterations : linear programs solved, and what they took in all
    certificate : the worst figures of all
    """

    least: np.ndarray
    most: np.ndarray
    totals: Totals
    n_open: np.ndarray
    n_programs: int
    iterations: int
    certificate: Certificate
    seconds: float


def find_ranges(solution: Solution) -> Ranges:
    """Find how far each delivery, and each total of deficits, can move at the optima of a case.

    Parameters
    ----------
    solution : with its faces (``solve_perfect(case, keep_faces=True)``)

    Raises
    ------
    ValueError
        The solution was made without faces.
    Uncertified, SolveError
    """
    started = time.perf_counter()
    case, m, horizon = solution.case, solution.period.model, solution.horizon
    if len(solution.faces) != case.n_members:
        raise ValueError("the solution has no faces; solve the case with keep_faces=True")
    demands = list(m.demand_name)
    columns = np.array([horizon.columns[id(m.withdrawal[d])] for d in demands], int)
    columns = columns.reshape(len(demands), case.n_periods)
    asked = np.array([horizon.array(m.demand[d]) for d in demands])
    groups = groups_of(case, demands)
    members = [
        _Member(
            f"{case.name}, member {case.members[k].name}: ",
            solution.faces[k],
            solution.x[k],
            columns,
            asked[:, k] if asked.size else np.zeros(columns.shape),
        )
        for k in range(case.n_members)
    ]
    for member in members:
        member.find()
    totals = np.array([[member.total(of) for of in groups.values()] for member in members])
    worst = Certificate(0.0, 0.0, 0.0)
    for member in members:
        worst = worst.worse(member.certificate)
    return Ranges(
        np.array([member.least.T for member in members]),
        np.array([member.most.T for member in members]),
        Totals(
            tuple(scope for scope, _ in groups),
            tuple(name for _, name in groups),
            totals[:, :, 0],
            totals[:, :, 1],
        ),
        np.array([int((member.least < member.most).sum()) for member in members]),
        sum(member.n_programs for member in members),
        sum(member.iterations for member in members),
        worst,
        time.perf_counter() - started,
    )


def effort_of(solution: Solution) -> float:
    """What finding the ranges takes at most, in linear programs times their columns."""
    m, columns = solution.period.model, solution.horizon.columns
    withdrawals = [columns[id(m.withdrawal[d])] for d in m.demand_name]
    if not withdrawals:
        return 0.0
    places = np.concatenate(withdrawals)
    return sum(
        2.0 * program.col_lower.size * int((program.col_lower < program.col_upper)[places].sum())
        for program in (face.program for face in solution.faces)
    )


def groups_of(case: Case, demands: Sequence[str]) -> Mapping[tuple[str, str], np.ndarray]:
    """Places of the demands that are added up, by scope and name."""
    table = case.basin.tables["demands"].loc[list(demands)]
    groups: dict[tuple[str, str], list[int]] = {("basin", "all"): list(range(len(demands)))}
    for scope in SCOPES:
        for place, name in enumerate(table[scope]):
            if name:
                groups.setdefault((scope, str(name)), []).append(place)
    for place, (region, sector) in enumerate(zip(table["region"], table["sector"], strict=True)):
        if region:
            groups.setdefault(("region_sector", f"{region}/{sector}"), []).append(place)
    return {key: np.array(places, int) for key, places in groups.items()}


@dataclass
class _Member:
    """The optima of one member.

    Attributes
    ----------
    columns : of the withdrawals (demand, time)
    asked : [hm3] (demand, time)
    least, most : [hm3] (demand, time)
    """

    where: str
    face: FinalFace
    x: np.ndarray
    columns: np.ndarray
    asked: np.ndarray
    sums: dict[bytes, tuple[float, float]] = field(default_factory=dict)
    costs: ManyCosts | None = None

    def __post_init__(self) -> None:
        program = self.face.program
        self.given = self.x[self.columns]
        self.lower, self.upper = program.col_lower[self.columns], program.col_upper[self.columns]
        self.least, self.most = self.given.copy(), self.given.copy()
        self.room = MOVES * (1.0 + self.asked)

    @property
    def program(self) -> ManyCosts:
        """The face, handed to the solver when something on it is first asked."""
        if self.costs is None:
            self.costs = ManyCosts(self.face.program, self.face.basis, self.where)
        return self.costs

    @property
    def certificate(self) -> Certificate:
        return self.costs.certificate if self.costs else Certificate(0.0, 0.0, 0.0)

    @property
    def n_programs(self) -> int:
        return self.costs.n_solved if self.costs else 0

    @property
    def iterations(self) -> int:
        return self.costs.iterations if self.costs else 0

    def find(self) -> None:
        """Find the range of every withdrawal."""
        is_free = self.upper - self.lower > self.room
        for sign, end in ((1.0, self.upper), (-1.0, self.lower)):
            left = self._reach_together(sign, end, is_free)
            for place in zip(*np.nonzero(left), strict=True):
                if self._is_short(sign, end)[place]:
                    self._see(sign, self.columns[place][None])
        is_still = self.most - self.least <= self.room
        for reached, end in ((self.least, self.lower), (self.most, self.upper)):
            is_end = is_free & (np.abs(reached - end) <= self.room)
            reached[is_end] = end[is_end]
            reached[is_still] = self.given[is_still]
        np.clip(self.least, None, self.given, out=self.least)
        np.clip(self.most, self.given, None, out=self.most)

    def _reach_together(self, sign: float, end: np.ndarray, is_free: np.ndarray) -> np.ndarray:
        """Move all that can move at once to their ends; return those that did not get there."""
        left = is_free & self._is_short(sign, end)
        while left.any():
            self._see(sign, self.columns[left])
            n_before = left.sum()
            left &= self._is_short(sign, end)
            if left.sum() == n_before:
                break
        return left

    def _is_short(self, sign: float, end: np.ndarray) -> np.ndarray:
        """Whether no optimum that was seen has a withdrawal at its end (demand, time)."""
        reached = self.most if sign > 0 else self.least
        short: np.ndarray = sign * (end - reached) > self.room
        return short

    def _see(self, sign: float, columns: np.ndarray) -> np.ndarray:
        """Make the sum of columns largest (sign 1) or least; note what all withdrawals are there.

        Returns
        -------
        x : (column)
        """
        what = "most" if sign > 0 else "least"
        x = self.program.minimise(f"{what} of deliveries", columns, np.full(columns.size, -sign))
        np.minimum(self.least, x[self.columns], out=self.least)
        np.maximum(self.most, x[self.columns], out=self.most)
        return x

    def total(self, demands: np.ndarray) -> tuple[float, float]:
        """Least and most deficit of demands together over the horizon [hm3]."""
        can_move = np.zeros(self.columns.shape, bool)
        can_move[demands] = (self.least < self.most)[demands]
        places = self.columns[can_move]
        short = float((self.asked - self.given)[demands].sum())
        if not places.size:
            return short, short
        known = self.sums.get(places.tobytes())
        if known is None:
            known = self.sums[places.tobytes()] = self._range_of_sum(can_move)
        fallen, risen = known
        return short - risen, short + fallen

    def _range_of_sum(self, can_move: np.ndarray) -> tuple[float, float]:
        """By how much the sum of withdrawals can fall and rise from what is given [hm3]."""
        given = float(self.given[can_move].sum())
        if can_move.sum() == 1:
            return (
                given - float(self.least[can_move][0]),
                float(self.most[can_move][0]) - given,
            )
        columns = self.columns[can_move]
        ends = [
            float(self.program.minimise("total", columns, np.full(columns.size, w))[columns].sum())
            for w in (1.0, -1.0)
        ]
        room = MOVES * (1.0 + float(self.asked[can_move].sum()))
        fallen, risen = max(0.0, given - ends[0]), max(0.0, ends[1] - given)
        return (0.0, 0.0) if fallen + risen <= room else (fallen, risen)
