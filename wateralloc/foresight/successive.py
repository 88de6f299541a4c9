"""Successive linear programming: the lines of the period follow the solution, pass by pass.

What is not linear (energy by head, area of a lake, split of a river) stands in the period as a
straight line.  A pass solves the linear program of a member; the lines then become the tangents at
its solution and the program is solved again, from the bases it had.  A tangent is right near its
point only, so a pass may move storages and flows no further than the *radius*, a share of their
range; it doubles where lines foretold well what came, and shrinks where a pass lost.

The best pass is kept: of two, the one whose water balance is true to the tolerance and whose goals,
computed without lines, are better in their order.  A result is therefore never worse than its first
pass, unless the first pass broke the physics it had lines for.

Goals before the first with a line in it change between passes only by the errors of the water
balance.  From the third pass on, while these are small, a pass is *short*: it keeps what those
goals reached and optimises the rest.  The last pass is whole again.

Source
------
Zhang, Kim & Lasdon (1985), An improved successive linear programming algorithm, Management Science
31, 1312-1331; the acceptance of a pass: Fletcher & Leyffer (2002), Nonlinear programming without a
penalty function, Mathematical Programming 91, 239-269 (here a filter of one entry).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wateralloc.case import Case
from wateralloc.horizon import Horizon, MemberProgram, with_coefficients
from wateralloc.tangents import Tangent

SAME = 1e-6
"""Goals with lines that differ by less than this share count as equal between passes."""
ROOM = 0.05
"""Error of the water balance up to which a pass may be the best so far, though not the last."""
TRUER = 0.9
"""A pass whose error is below this share of the best one's is truer, where that is not true yet."""
NOTHING = 1e-9
"""A goal of this size is none."""
FIRST_RADIUS = 1.0
SMALLER = 0.25
"""Factor on the radius after a pass that lost, or that had no more than the tolerance to gain."""
RADII = (1.0, SMALLER, SMALLER**2)
"""Radii that are tried, in order, after a pass without a solution."""
STEP = 10
"""Passes end when storages move by less than so many tolerances, as a share of their range."""
GOOD, POOR = 0.75, 0.25
"""Gain over foretold gain above which the radius doubles, and below which it halves."""


@dataclass(frozen=True)
class Pass:
    """What one pass of one member gave.

    Attributes
    ----------
    number : from 1
    value : of the first goal with lines in it, computed without lines, in the goal's unit; 0 where
        no goal has any
    foretold : the same by the lines
    step : largest move of a storage or flow that bends a line, from the best pass before, as a
        share of its range; 0 in the first pass
    error : largest difference of a line in the rows from what it stands for, as a share of its size
    radius : largest step that was allowed
    is_kept : best pass so far
    is_whole : all goals were optimised, not only those from the first with lines on
    iterations : of the simplex method
    """

    number: int
    value: float
    foretold: float
    step: float
    error: float
    radius: float
    is_kept: bool
    is_whole: bool
    iterations: int
    seconds: float


@dataclass(frozen=True)
class Convergence:
    """How the passes of one member ended.

    Attributes
    ----------
    best : number of the pass that the results show
    why : in words
    """

    passes: tuple[Pass, ...]
    is_reached: bool
    best: int
    why: str


@dataclass(frozen=True)
class Merit:
    """What a pass is worth: its goals in order, computed without lines.

    Attributes
    ----------
    values : of each goal, larger is better
    foretold : the same by the lines
    moving : goals with a line in them
    error : as in :class:`Pass`
    """

    values: np.ndarray
    foretold: np.ndarray
    moving: np.ndarray
    error: float

    def is_better(self, other: Merit, tolerance: float) -> bool:
        """Tell whether the first goal that differs is better here, from the first with lines on.

        Every pass optimises its goals in their order, so those before the first with lines differ
        between passes only by the errors of the water balance: the newer is the truer.  Those after
        it without lines count as equal within the tolerance, those with lines within the error of
        this pass where the other is truer: what is gained by an error is no gain.
        """
        if not self.moving.any():
            return False
        for k in range(int(np.argmax(self.moving)), self.moving.size):
            own, of_other = self.values[k], other.values[k]
            doubt = self.error if other.error < self.error else 0.0
            same = max(SAME, doubt) if self.moving[k] else tolerance
            if abs(own - of_other) > same * max(abs(own), abs(of_other)) + NOTHING:
                return bool(own > of_other)
        return False

    @property
    def first(self) -> tuple[float, float]:
        """Value and foretold value of the first goal with lines; 0 where there is none."""
        if not self.moving.any():
            return 0.0, 0.0
        k = int(np.argmax(self.moving))
        return float(self.values[k]), float(self.foretold[k])


class Lines:
    """The lines of a stacked period, and where they touch.

    Arrays of lines are (member, time): an intercept and one slope for each argument, in a list a
    tangent.
    """

    def __init__(self, horizon: Horizon, tangents: Sequence[Tangent]) -> None:
        self.horizon, self.tangents = horizon, list(tangents)
        self._data = [[horizon.array(d) for d in tangent.data] for tangent in self.tangents]
        self._scale = [horizon.array(tangent.scale) for tangent in self.tangents]

    def now(self) -> list[list[np.ndarray]]:
        """The lines as the period holds them."""
        return [
            [self.horizon.array(data).copy() for data in (t.intercept, *t.slopes)]
            for t in self.tangents
        ]

    def put(self, lines: list[list[np.ndarray]]) -> None:
        """Put lines into the period."""
        for tangent, line in zip(self.tangents, lines, strict=True):
            for data, values in zip((tangent.intercept, *tangent.slopes), line, strict=True):
                data.set_value(values)

    def arguments(self, x: np.ndarray) -> list[list[np.ndarray]]:
        """Values of the arguments of each tangent at columns x (member, column)."""
        return [[self.horizon.value(a, x) for a in t.arguments] for t in self.tangents]

    def touch(self, arguments: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """Tangents at arguments."""
        touched = []
        for tangent, data, at in zip(self.tangents, self._data, arguments, strict=True):
            intercept, slopes = tangent.touch(at, data)
            touched.append([intercept, *slopes])
        return touched

    def true(
        self, arguments: list[list[np.ndarray]], touched: list[list[np.ndarray]]
    ) -> list[list[np.ndarray]]:
        """Lines that give at arguments what is true there: tangents, cut at the limit of rows."""
        lines = []
        for tangent, at, line in zip(self.tangents, arguments, touched, strict=True):
            intercept, *slopes = line
            if tangent.most is not None:
                value = _on(line, at)
                most = self.horizon.array(tangent.most)
                intercept = intercept + np.minimum(value, most) - value
            lines.append([intercept, *slopes])
        return lines

    def error(
        self,
        arguments: list[list[np.ndarray]],
        used: list[list[np.ndarray]],
        touched: list[list[np.ndarray]],
    ) -> np.ndarray:
        """Largest error of the lines in rows, as a share of their size (member)."""
        worst = np.zeros(self.horizon.n_members)
        for k, tangent in enumerate(self.tangents):
            if tangent.in_rows:
                off = _on(used[k], arguments[k]) - _on(touched[k], arguments[k])
                off = np.maximum(off, 0.0) if tangent.is_limit else np.abs(off)
                worst = np.maximum(worst, (off / self._scale[k]).max(axis=1))
        return worst


def _on(line: list[np.ndarray], arguments: list[np.ndarray]) -> np.ndarray:
    """Value of a line at arguments."""
    intercept, *slopes = line
    return intercept + sum(slope * at for slope, at in zip(slopes, arguments, strict=True))


def choose(
    is_first: np.ndarray, one: list[list[np.ndarray]], other: list[list[np.ndarray]]
) -> list[list[np.ndarray]]:
    """Lines of `one` for the members marked, of `other` for the rest."""
    return [
        [np.where(is_first[:, None], a, b) for a, b in zip(*lines, strict=True)]
        for lines in zip(one, other, strict=True)
    ]


@dataclass(frozen=True)
class Limits:
    """Limits of some columns, or of some rows, that goals have fixed.

    Attributes
    ----------
    places : which
    lower, upper : what they were fixed to
    at_lower, at_upper : fixed at the limit that the program has itself, wherever that moves
    """

    places: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    at_lower: np.ndarray
    at_upper: np.ndarray

    @classmethod
    def of(cls, own: tuple[np.ndarray, np.ndarray], held: tuple[np.ndarray, np.ndarray]) -> Limits:
        """Compare lower and upper limits with those after goals were held."""
        differs = (own[0] != held[0]) | (own[1] != held[1])
        places = np.flatnonzero(differs)
        lower, upper = held[0][places], held[1][places]
        is_fixed = lower == upper
        return cls(
            places,
            lower,
            upper,
            is_fixed & (lower == own[0][places]),
            is_fixed & (upper == own[1][places]),
        )

    def on(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fix the same of new limits."""
        low, high = lower.copy(), upper.copy()
        low[self.places], high[self.places] = self.lower, self.upper
        for at, limit in ((self.at_lower, lower), (self.at_upper, upper)):
            places = self.places[at]
            low[places] = high[places] = limit[places]
        return low, high


@dataclass(frozen=True)
class Face:
    """What the goals before the first with lines have fixed in the program of a member."""

    columns: Limits
    rows: Limits
    changes: dict[tuple[int, int], float]

    @classmethod
    def of(
        cls,
        own: MemberProgram,
        tried: MemberProgram,
        held: MemberProgram,
        changes: dict[tuple[int, int], float],
    ) -> Face:
        """Compare a program with itself after goals were held.

        Parameters
        ----------
        tried : the program within its region; what is fixed at the edge of that is left out
        changes : coefficients that goals changed, by row and column
        """
        columns = Limits.of((own.col_lower, own.col_upper), (held.col_lower, held.col_upper))
        at = columns.places
        is_edge = (tried.col_lower[at] != own.col_lower[at]) | (
            tried.col_upper[at] != own.col_upper[at]
        )
        keep = ~is_edge | columns.at_lower | columns.at_upper
        columns = Limits(
            *(
                a[keep]
                for a in (at, columns.lower, columns.upper, columns.at_lower, columns.at_upper)
            )
        )
        rows = Limits.of((own.row_lower, own.row_upper), (held.row_lower, held.row_upper))
        return cls(columns, rows, dict(changes))

    def on(self, program: MemberProgram) -> MemberProgram:
        """Fix the same in a program whose lines have moved."""
        columns = self.columns.on(program.col_lower, program.col_upper)
        rows = self.rows.on(program.row_lower, program.row_upper)
        fixed = MemberProgram(program.indptr, program.indices, program.data, *columns, *rows)
        if not self.changes:
            return fixed
        rows, columns = np.array(list(self.changes)).T
        return with_coefficients(fixed, rows, columns, np.array(list(self.changes.values())))


@dataclass
class Region:
    """How far a pass may move the columns that bend the lines.

    Attributes
    ----------
    columns : (column)
    span : range of each (column)
    """

    columns: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, horizon: Horizon, tangents: Sequence[Tangent], lp: MemberProgram) -> Region:
        """Find the columns of a member; the range of one without a limit is set by its values."""
        columns, spans = [], []
        steps = {id(variable): variable for t in tangents for variable in t.steps}
        for variable in steps.values():
            of_variable = np.unique(horizon.columns[id(variable)])
            low, high = lp.col_lower[of_variable], lp.col_upper[of_variable]
            range_ = high.max(initial=0.0) - low.min(initial=np.inf)
            columns.append(of_variable)
            spans.append(np.full(of_variable.size, range_ if np.isfinite(range_) else np.nan))
        if not columns:
            return cls(np.empty(0, int), np.empty(0))
        return cls(np.concatenate(columns), np.concatenate(spans))

    def measure(self, x: np.ndarray) -> None:
        """Set the range of columns without a limit by their largest value."""
        unknown = np.isnan(self.span)
        if unknown.any():
            self.span[unknown] = max(1e-9, float(x[self.columns[unknown]].max()))

    def step(self, x: np.ndarray, before: np.ndarray) -> float:
        """Largest move as a share of the range."""
        moved = np.abs(x - before)[self.columns]
        return float((moved / np.maximum(self.span, 1e-9)).max(initial=0.0))

    def around(self, lp: MemberProgram, x: np.ndarray, radius: float) -> MemberProgram:
        """Limit a program to the neighbourhood of x."""
        if radius >= 1.0:
            return lp
        lower, upper = lp.col_lower.copy(), lp.col_upper.copy()
        at, most = x[self.columns], radius * self.span
        low, high = lower[self.columns], upper[self.columns]
        lower[self.columns] = np.clip(at - most, low, high)
        upper[self.columns] = np.clip(at + most, low, high)
        return MemberProgram(
            lp.indptr, lp.indices, lp.data, lower, upper, lp.row_lower, lp.row_upper
        )


class Judge:
    """Decides, for one member, which pass is best, how far the next may go and when to stop.

    Parameters
    ----------
    has_leading : there are goals before the first with lines, so that passes may be short
    """

    def __init__(self, case: Case, has_leading: bool) -> None:
        self.most, self.tolerance = case.linearisation.passes, case.linearisation.tolerance
        self.has_leading = has_leading
        self.radius = FIRST_RADIUS
        self.passes: list[Pass] = []
        self.first: Merit | None = None
        self.best: Merit | None = None
        self.best_number = 0
        self.why = ""
        self.is_reached = False
        self.must_be_whole = False
        self.failed: set[float] = set()
        """Radii within which a pass had no solution."""

    @property
    def is_done(self) -> bool:
        """Tell whether no pass is to follow: passes have ended, and the best is whole."""
        return bool(self.why) and not self.must_be_whole

    @property
    def next_is_whole(self) -> bool:
        return (
            not self.has_leading
            or self.must_be_whole
            or not 1 < len(self.passes) < self.most - 1
            or self.best is None
            or self.best.error > 10 * self.tolerance
        )

    def take(self, merit: Merit, step: float, iterations: int, seconds: float) -> bool:
        """Take note of a pass; tell whether it is the best so far."""
        number, radius, is_whole = len(self.passes) + 1, self.radius, self.next_is_whole
        best, is_last = self.best, bool(self.why)
        is_kept = self._is_near_best(merit) if is_last else self._is_kept(merit)
        value, foretold = merit.first
        self.passes.append(
            Pass(
                number, value, foretold, step, merit.error, radius, is_kept, is_whole, iterations,
                seconds,
            )
        )  # fmt: skip
        self.must_be_whole = False
        if is_kept:
            self.best, self.best_number = merit, number
        if is_last:
            return is_kept
        if best is None:
            self.first = merit
        else:
            self._end(best, merit, step, is_kept)
            self._move_radius(best, merit, is_kept)
        if self.best.error <= self.tolerance / 10 and not merit.moving.any():
            self.why, self.is_reached = "the lines are true", True
        if not self.why and number >= self.most:
            self.why = f"still moving after {self.most} passes"
        self.must_be_whole = (
            bool(self.why) and not self.passes[self.best_number - 1].is_whole and number < self.most
        )
        return is_kept

    def _is_kept(self, merit: Merit) -> bool:
        best = self.best
        if best is None:
            return True
        if best.error > ROOM or self.tolerance < best.error > merit.error / TRUER:
            return True  # what goals reach by breaking the physics counts for nothing
        if merit.error > ROOM:
            return False
        if self._ends_whole(best):
            return self._is_near_best(merit)
        return not best.is_better(merit, self.tolerance)

    def _ends_whole(self, best: Merit) -> bool:
        """Tell whether this is the last pass there is, after short ones."""
        is_last = len(self.passes) + 1 == self.most
        return is_last and not self.passes[self.best_number - 1].is_whole

    def _is_near_best(self, merit: Merit) -> bool:
        """Tell whether a whole pass is as good as the short one it follows, to the tolerance."""
        value, of_best, of_first = (m.first[0] for m in (merit, self.best, self.first))
        room = self.tolerance * abs(of_best)
        return (
            merit.error <= max(self.tolerance, self.best.error)
            and value >= of_best - room
            and value >= of_first - SAME * abs(of_first)
        )

    def _end(self, best: Merit, merit: Merit, step: float, is_kept: bool) -> None:
        """Stop where nothing moves or nothing can be gained."""
        if (merit if is_kept else best).error > self.tolerance:
            return
        gain = self._foretold_gain(best, merit)
        if step <= STEP * self.tolerance and (gain <= self.tolerance or not best.moving.any()):
            self.why = f"no storage moves by more than {STEP * self.tolerance:.2g} of its range"
        elif gain <= self.tolerance / 10 * min(1.0, self.radius):
            self.why = f"no pass can gain more than {self.tolerance / 10:.2g}"
        self.is_reached = bool(self.why)

    @staticmethod
    def _foretold_gain(best: Merit, merit: Merit) -> float:
        """Gain over the best pass by the lines, as a share; 1 where no goal has lines."""
        if not best.moving.any():
            return 1.0
        value = best.first[0]
        return (merit.first[1] - value) / max(abs(value), NOTHING)

    def _move_radius(self, best: Merit, merit: Merit, is_kept: bool) -> None:
        foretold = self._foretold_gain(best, merit)
        if not is_kept or foretold <= self.tolerance:
            self.radius *= SMALLER
            return
        gained = (merit.first[0] - best.first[0]) / max(abs(best.first[0]), NOTHING)
        if gained < POOR * foretold:
            self.radius /= 2
        elif gained > GOOD * foretold:
            self.radius = min(1.0, 2 * self.radius)

    def retry(self, text: str) -> None:
        """After a pass without a solution: in the whole region, then in smaller ones, each once."""
        self.failed.add(self.radius)
        left = [radius for radius in RADII if radius not in self.failed]
        if left and not self.why:
            self.radius = left[0]
        else:
            self.fail(f"pass {len(self.passes) + 1} has no solution: {text}")

    def fail(self, text: str) -> None:
        """Stop after a pass without a solution; the best pass is kept."""
        self.why, self.is_reached, self.must_be_whole = text, False, False

    def convergence(self) -> Convergence:
        return Convergence(tuple(self.passes), self.is_reached, self.best_number, self.why)
