"""simulate where only limits move: all members and steps by regimes.

Where matrix and costs are the same in every period and member, as in a river network without lakes
that evaporate, the numbers of many steps are laid out at once and each step is solved by
:class:`wateralloc.foresight.regimes.Regimes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wateralloc.foresight.regimes import Regimes
from wateralloc.horizon import Horizon, LinearProgram, Reading, Steps
from wateralloc.period import Period

if TYPE_CHECKING:
    from wateralloc.foresight.forward import March

NUMBERS = 20_000_000
"""Limits that are laid out at once."""


def is_steady(period: Period, reading: Reading) -> bool:
    """Tell whether the rows of the program are the same in every period, and its goals plain."""
    repeats = reading.repeats
    if reading.tangents or any(v.is_binary() for v in reading.variables):
        return False
    if period.penalties or not all(goal.is_plain(period.case) for _, goal in period.goals):
        return False
    if any(id(v) in repeats.shared and id(v) not in reading.free for v in reading.variables):
        return False
    for constraint in reading.constraints:
        window = repeats.totals.get(id(constraint))
        if window is None or id(constraint) in repeats.ends:
            continue
        if isinstance(window, tuple) or any(r.size > 1 for r in reading.runs(window).values()):
            return False
    return True


class Steady:
    """The steps of a case of which only the limits move.

    Parameters
    ----------
    march : what is decided goes there
    """

    def __init__(self, march: March) -> None:
        self.march = march
        case = march.case
        self.n_members, self.n_periods = case.n_members, case.n_periods
        self.number = np.full((self.n_members, self.n_periods), -1)
        self.regimes: Regimes | None = None
        self.matrix: LinearProgram | None = None
        self.rows: dict[int, np.ndarray] = {}

    def solve(self, progress: Callable[[int, int], None] | None) -> bool:
        """Solve all steps; tell whether matrix and costs stayed the same.

        Raises
        ------
        Infeasible, SolveError
        Unordered
        """
        first, size = 0, 1
        while first < self.n_periods:
            count = min(size, self.n_periods - first)
            horizon = self._lay(first, count)
            lp = horizon.stack()
            if not self._is_same(lp, horizon):
                return False
            self._run(lp, horizon, first, count, progress)
            first += count
            size = max(1, NUMBERS // (self.n_members * (lp.n_columns + lp.n_rows)))
        return True

    def _lay(self, first: int, count: int) -> Horizon:
        march = self.march
        rows = np.zeros((self.n_members * count, 1), int)
        steps = Steps(first, self.n_periods, rows, march.realised, count)
        return Horizon(march.period.model, rows.shape[0], 1, steps, march.reading)

    def _is_same(self, lp: LinearProgram, horizon: Horizon) -> bool:
        """Tell whether the matrix is that of the first steps, in all of them."""
        if self.matrix is None:
            costs = self._costs(horizon, lp.n_columns)
            if costs is None:
                return False
            self.matrix, self.rows = lp, horizon.rows
            self.regimes = Regimes(
                lp.member(0), *costs, self._never_move(horizon), f"{self.march.case.name}: "
            )
        return bool(
            np.array_equal(lp.indptr, self.matrix.indptr)
            and np.array_equal(lp.indices, self.matrix.indices)
            and (lp.data == self.matrix.data[0]).all()
        )

    @staticmethod
    def _never_move(horizon: Horizon) -> np.ndarray:
        """Columns and then rows whose two limits are equal by what they are."""
        lp, reading = horizon.stack(), horizon.reading
        columns, rows = np.zeros(lp.n_columns, bool), np.zeros(lp.n_rows, bool)
        columns[lp.n_columns - len(horizon.carried) :] = True
        for constraint in horizon.constraints:
            low, _, high = reading.row(constraint)
            rows[horizon.rows[id(constraint)]] = low is not None and low is high
        return np.concatenate([columns, rows])

    def _costs(self, horizon: Horizon, n_columns: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Costs of each goal and of what leaves no tie (goal, column), with their signs.

        None where they are not the same in every period and member.
        """
        reading, period = self.march.reading, self.march.period
        costs, signs = np.zeros((len(period.goals) + 1, n_columns)), []
        for g, (number, goal) in enumerate(period.goals):
            expression, sense = goal.objective(period.model, number)
            signs.append(1.0 if sense == "minimise" else -1.0)
            linear = reading.linear(expression)
            for variable, coefficient in zip(linear.variables, linear.coefficients, strict=True):
                value = np.asarray(reading.value(coefficient), float)
                if id(variable) in reading.free:
                    # a level counts in the first period of the horizon, for all of its window
                    one = value[..., :1] if value.ndim else value
                    is_same = value.ndim > 0 and not value[..., 1:].any()
                else:
                    one, is_same = value, True
                if not is_same or (one != one.flat[0]).any():
                    return None
                costs[g, horizon.columns[id(variable)][0]] += signs[-1] * one.flat[0]
        costs[-1] = self.march.tidy_cost(horizon)
        return costs, np.array([*signs, 1.0])

    def _run(
        self,
        lp: LinearProgram,
        horizon: Horizon,
        first: int,
        count: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        shape = (self.n_members, count, -1)
        lower, upper = (
            np.ascontiguousarray(np.concatenate(limits, axis=1).reshape(shape).swapaxes(0, 1))
            for limits in ((lp.col_lower, lp.row_lower), (lp.col_upper, lp.row_upper))
        )
        march, x = self.march, self.march.realised.x
        place = march.reading.place
        columns, notes = march.realised.columns, horizon.carried
        target = np.stack([columns[place[id(v)]] for v in horizon.variables])
        source = np.stack([columns[place[id(n.now)]] for n in notes]) if notes else target[:0]
        n_decided = target.shape[0]
        initial = slice(n_decided, n_decided + len(notes))
        number = self.number[:, first - 1].copy() if first else np.full(self.n_members, -1)
        for i in range(count):
            t = first + i
            if len(notes):
                state = x[:, source[:, t]]
                lower[i][:, initial] = upper[i][:, initial] = state
            values = self.regimes.solve(lower[i], upper[i], number)
            x[:, target[:, t]] = values[:, :n_decided]
            self.number[:, t] = number
            if progress:
                progress(t + 1, self.n_periods)
