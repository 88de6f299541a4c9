"""Conflicts in the words of case and basin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wateralloc.foresight.conflict.proof import (
    SMALLEST,
    Proof,
    alone,
    corner,
    freed,
    joined,
    leaning,
    whole_proof,
)
from wateralloc.foresight.limits import Limit, Limits, place_of
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period
from wateralloc.rules import Rule
from wateralloc.solve import irreducible, least_repair

WEAK = 30.0
"""A limit that alone would have to give way by this many times what is missed hardly matters to a
conflict: evaporation ties everything to everything a little."""
OF_ENERGY = ("plant_capacity",)
"""Rows of the basin whose limits are energy [GWh]."""
STOCKS = ("storage_end", "aquifer_end", "channel_end")


@dataclass(frozen=True)
class Side:
    """A rule, an environmental flow or another limit in a conflict: its rows or columns in it.

    Attributes
    ----------
    text : what it is, with its place in the case
    numbers, is_row : rows (or columns) of the program
    limit : sum of the limits [hm3, or GWh]
    counted : the same, each weighed by how much of it reaches the conflict; above 0 it asks, below
        0 it allows
    gives : how much of it would have to give way, alone
    rule : the rule, where it is one
    what : the limit that it is, of its first row or column
    """

    text: str
    numbers: np.ndarray
    is_row: bool
    limit: float
    counted: float
    gives: float
    rule: Rule | None = None
    sense: str = ""
    unit: str = "hm3"
    seconds: float = 0.0
    is_stock: bool = False
    what: Limit | None = None


@dataclass(frozen=True)
class Conflict:
    """Limits of which each is needed for the contradiction.

    Attributes
    ----------
    missed : by how much they miss each other, where it is least: what one of the sides alone would
        have to give way [hm3, or GWh]
    first, last : periods
    sides : rules and environmental flows
    against : the water and the limits of the basin that take part
    hardly : rules and environmental flows that take part, but hardly matter
    within : the same with limits that are not needed for the contradiction, but make it larger
    """

    missed: float
    first: int
    last: int
    sides: tuple[Side, ...]
    against: tuple[Side, ...]
    hardly: tuple[Side, ...] = ()
    within: Conflict | None = None

    @property
    def rules(self) -> tuple[Side, ...]:
        return tuple(side for side in self.sides if side.rule is not None)

    @property
    def key(self) -> frozenset[int]:
        """What tells it from others: its rows that ask, or else those of the basin."""
        sides = self.sides or self.against
        return frozenset(int(n) for side in sides for n in side.numbers)


_ASKED, _WATER, _OTHER = ("rule", "asked"), "water", "other"
"""Kinds of limits; those of the last two are not told where they are 0."""


@dataclass
class Namer:
    """Names rows and columns of a member's program in the words of case and basin."""

    period: Period
    horizon: Horizon
    lp: MemberProgram
    member: int

    def __post_init__(self) -> None:
        self.limits = Limits(self.period, self.horizon)
        self.rule_rows = self.limits.rule_rows
        self.by_rows = self.lp.matrix.tocsr()

    def rows_of(self, names: Iterable[str]) -> np.ndarray:
        """All rows of rules."""
        names = set(names)
        return np.array(
            [n for n, (row, _) in self.rule_rows.items() if row.rule.name in names], int
        )

    def conflict(self, proof: Proof) -> Conflict:
        """Conflict of an elementary proof, scaled to the limit that weighs most in it.

        Each of its limits is needed.  In the proof, one may stand for that something is not below
        0: without it the others still contradict each other, by less.  It is told apart then.
        """
        minimal = self._shrunk(proof)
        if minimal is None:
            return self._told(proof)
        wide, told = self._told(proof), self._told(minimal)
        return replace(told, within=wide if wide.missed > told.missed else None)

    def _shrunk(self, proof: Proof) -> Proof | None:
        """The proof of limits of which each is needed; None where that is so of all of them."""
        program, columns = alone(self.lp, self.by_rows, proof)
        groups = [
            (
                np.array([k for k, (_, is_row, _) in members if is_row], int),
                np.array([k for k, (_, is_row, _) in members if not is_row], int),
            )
            for (kind, _), members in self._grouped(proof).items()
            if kind not in (_WATER, _OTHER) or self._counts(members)
        ]
        needed = irreducible(program, groups)
        if needed is None or len(needed) == len(groups):
            return None
        for k, (rows, bent) in enumerate(groups):
            if k not in needed:
                program = freed(program, rows, bent)
        repair = least_repair(
            program,
            joined(groups[k][0] for k in needed),
            joined(groups[k][1] for k in needed),
        )
        if repair is None:
            return None
        less = whole_proof(program.matrix.tocsr(), repair)
        less = Proof(proof.rows[less.rows], less.y, columns[less.columns], less.d)
        return corner(self.lp, self.by_rows, less) or less

    def _counts(self, members: Sequence[tuple[int, tuple[int, bool, float]]]) -> bool:
        """Whether a limit of a proof is more than that something is 0."""
        lp = self.lp
        for _, (number, is_row, price) in members:
            low, high = (lp.row_lower, lp.row_upper) if is_row else (lp.col_lower, lp.col_upper)
            limit = low[number] if price > 0 else high[number]
            if np.isfinite(limit) and abs(limit) > SMALLEST:
                return True
        return False

    def _grouped(
        self, proof: Proof
    ) -> dict[tuple[str, str], list[tuple[int, tuple[int, bool, float]]]]:
        """Rows and columns of a proof by the limit that they are: place, number, is row, dual."""
        members: dict[tuple[str, str], list[tuple[int, tuple[int, bool, float]]]] = {}
        for k, (r, y) in enumerate(zip(proof.rows, proof.y, strict=True)):
            members.setdefault(self._of_row(int(r), y), []).append((k, (int(r), True, float(y))))
        for k, (j, d) in enumerate(zip(proof.columns, proof.d, strict=True)):
            members.setdefault(self._of_column(int(j), d), []).append(
                (k, (int(j), False, float(d)))
            )
        return members

    def _told(self, proof: Proof) -> Conflict:
        grouped = self._grouped(proof)
        asked = [
            abs(price)
            for (kind, _), members in grouped.items()
            for _, (_, _, price) in members
            if kind in _ASKED
        ]
        scale = max(asked) if asked else float(np.abs(np.append(proof.y, proof.d)).max())
        missed = proof.missed(self.lp) / scale
        sides: list[Side] = []
        against: list[Side] = []
        hardly: list[Side] = []
        for (kind, text), of_limit in grouped.items():
            of_side = [(number, is_row, price / scale) for _, (number, is_row, price) in of_limit]
            side = self._side(kind, text, of_side, missed)
            if kind in _ASKED:
                (hardly if side.gives > WEAK * missed else sides).append(side)
            elif kind not in (_WATER, _OTHER) or abs(side.counted) > SMALLEST:
                against.append(side)
        sides.sort(key=lambda s: (s.rule is None, s.sense != ">=", s.text))
        against.sort(key=lambda s: (s.counted > SMALLEST, -abs(s.counted), s.text))
        periods = [
            t
            for of_side in (sides or against)
            for n in of_side.numbers
            for t in self.limits.periods(int(n), of_side.is_row)
        ]
        return Conflict(
            missed, min(periods), max(periods), tuple(sides), tuple(against), tuple(hardly)
        )

    def _side(
        self, kind: str, text: str, members: Sequence[tuple[int, bool, float]], missed: float
    ) -> Side:
        numbers = np.array([number for number, _, _ in members])
        price = np.array([price for _, _, price in members])
        is_row = members[0][1]
        lp = self.lp
        low, high = (lp.row_lower, lp.row_upper) if is_row else (lp.col_lower, lp.col_upper)
        limit = leaning(price, low[numbers], high[numbers])
        what = (
            self.limits.of_row(int(numbers[0]))
            if is_row
            else self.limits.of_column(int(numbers[0]), bool(price[0] > 0))
        )
        rule, sense, seconds = None, "", 0.0
        unit = "gwh" if what.name in OF_ENERGY else "hm3"
        if kind in _ASKED:
            sense = ">=" if price[0] > 0 else "<="
            unit = "m3s" if kind == "asked" else unit
            if kind == "rule":
                rule = self.rule_rows[int(numbers[0])][0].rule
                unit = rule.reported_in
            periods = [t for n in numbers for t in self.limits.periods(int(n), True)]
            seconds = float(self.period.case.timeline.seconds[periods].sum())
        return Side(
            text,
            numbers,
            is_row,
            # of "sum of water == 0": what is given has the other sign
            float(-limit.sum() if kind == _WATER else limit.sum()) + 0.0,
            float(price @ limit) + 0.0,
            missed / float(np.abs(price).max()),
            rule,
            sense,
            unit,
            seconds,
            not is_row and what.name in STOCKS,
            what,
        )

    def _of_row(self, number: int, price: float) -> tuple[str, str]:
        """Kind and words of a row."""
        limit = self.limits.of_row(number)
        if limit.kind == "rule":
            return "rule", f"{limit.text()}{place_of(self.period.case, limit.rule)}"
        if limit.kind == "balance":
            return _WATER, self._of_balance(limit, number)
        if limit.kind == "workings":
            return _OTHER, f"{limit.text()}{place_of(self.period.case, limit.rule)}"
        if limit.name == "environmental_flow":
            return "asked", limit.text()
        return ("basin" if limit.is_known else _OTHER), limit.text()

    def _of_balance(self, limit: Limit, number: int) -> str:
        """Words of what a node is given by data: its inflow, and what else is not decided."""
        node, inflow = limit.item, 0.0
        if node in self.period.model.inflow:
            (period,) = self.limits.periods(number, is_row=True)
            inflow = float(self.horizon.array(self.period.model.inflow[node])[self.member, period])
        given = -self.lp.row_lower[number]  # of "sum of water == 0"
        is_all = abs(given - inflow) <= SMALLEST
        return limit.text() + ("" if is_all else ", with what it loses or gains by data,")

    def _of_column(self, number: int, price: float) -> tuple[str, str]:
        """Kind and words of a column; of one that is 0 or more the zero is no limit to tell."""
        limit = self.limits.of_column(number, is_lower=price > 0)
        # that nothing flows back needs no words
        return (_OTHER if price > 0 or not limit.is_known else "basin"), limit.text()
