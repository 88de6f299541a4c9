"""simulate where only limits move: the steps of many members by their last bases.

Where matrix and costs are the same in every period and member, as in a river network without lakes
that evaporate, the limits of many steps are laid out at once and each step is solved by
:class:`wateralloc.foresight.dual.DualSimplex`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wateralloc.foresight.basis import check_goals, get_ready
from wateralloc.foresight.dual import DualSimplex, Lost
from wateralloc.horizon import Horizon, LinearProgram, Reading, Steps
from wateralloc.period import Period
from wateralloc.solve import FACE, Certificate

if TYPE_CHECKING:
    from wateralloc.foresight.forward import March

NUMBERS = 2_000_000
"""Limits that are laid out at once."""
VALUES = 10_000_000
"""Values that are kept until they are certified."""
CERTIFIED = 32
"""Steps that are certified together."""


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

    Attributes
    ----------
    prices : duals of the rows of nodes and rules, by goal (member, goal, row, time)
    certificates : worst figures of each goal
    """

    def __init__(self, march: March) -> None:
        self.march = march
        case = march.case
        self.n_members, self.n_periods = case.n_members, case.n_periods
        self.rows: dict[int, int] = {}
        self.matrix: LinearProgram | None = None
        self.prices = np.empty(0)
        self.certificates = [Certificate(0.0, 0.0, 0.0)] * len(march.period.goals)
        self.n_pivots = 0

    def solve(self, progress: Callable[[int, int], None] | None) -> None:
        """Solve all steps.

        Raises
        ------
        Infeasible, SolveError
        Lost
        """
        n_values = CERTIFIED * (self.matrix.n_columns + self.matrix.n_rows)
        size = max(1, VALUES // n_values)
        for start in range(0, self.n_members, size):
            members = np.arange(start, min(start + size, self.n_members))
            self._walk(members, progress)

    def _lay(self, members: np.ndarray, first: int, count: int) -> Horizon:
        """Lay out some steps of some members side by side."""
        march = self.march
        rows = np.tile(members, count)[:, None]
        steps = Steps(first, march.case.timeline.days, rows, march.realised, count)
        return Horizon(march.period.model, rows.shape[0], 1, steps, march.reading)

    def take(self) -> bool:
        """Take matrix and costs from the last step; tell whether they are always the same."""
        if not self._has_one_matrix():
            return False
        horizon = self._lay(np.arange(1), self.n_periods - 1, 1)
        lp, period = horizon.stack(), self.march.period
        costs = self._costs(horizon, lp.n_columns)
        if costs is None:
            return False
        get_ready()
        self.matrix, (self.costs, self.signs) = lp, costs
        largest = np.abs(self.costs[: len(self.signs)]).max(axis=1, initial=0.0)
        self.scales = np.where(largest > 0, largest, 1.0) * self.signs
        self.never_move = self._never_move(horizon)
        named = [*(period.model.balance[n] for n in period.model.node),
                 *(row.constraint for row in period.rule_rows)]  # fmt: skip
        self.rows = {id(c): place for place, c in enumerate(named)}
        self.priced = np.array([horizon.rows[id(c)][0] for c in named], int)
        shape = (self.n_members, len(period.goals), len(named), self.n_periods)
        self.prices = np.zeros(shape)
        return True

    def _walk(self, members: np.ndarray, progress: Callable[[int, int], None] | None) -> None:
        """Solve all steps of some members."""
        case = self.march.case
        n_limits = members.size * (self.matrix.n_columns + self.matrix.n_rows)
        size = max(1, NUMBERS // n_limits)
        dual = DualSimplex(
            self.matrix.member(0), self.costs, self.never_move, members.size, f"{case.name}: "
        )
        for first in range(0, self.n_periods, size):
            count = min(size, self.n_periods - first)
            self._run(dual, self._lay(members, first, count), members, first, count)
            if progress:
                done = members[0] * self.n_periods + members.size * (first + count)
                progress(int(done), self.n_members * self.n_periods)
        self.n_pivots += dual.n_pivots

    def _run(
        self, dual: DualSimplex, horizon: Horizon, members: np.ndarray, first: int, count: int
    ) -> None:
        march, shape = self.march, (count, members.size, -1)
        lower, upper = (limits.reshape(shape) for limits in horizon.limits())
        place, columns, notes = march.reading.place, march.realised.columns, horizon.carried
        target = np.stack([columns[place[id(v)]] for v in horizon.variables])
        source = np.stack([columns[place[id(n.now)]] for n in notes]) if notes else target[:0]
        number = {id(note): i for i, note in enumerate(march.reading.repeats.carried)}
        is_nothing = self.is_nothing[[number[id(note)] for note in notes]]
        n_decided = target.shape[0]
        initial = slice(n_decided, n_decided + len(notes))
        x, of_members = march.realised.x, members[:, None]
        # what later steps start from is there at once, the rest block by block
        carried = {id(note.before) for note in notes}
        early = np.array([id(v) in carried for v in horizon.variables], bool).nonzero()[0]
        kept = np.empty((CERTIFIED, members.size, lower.shape[2]))
        duals = np.empty((CERTIFIED, members.size, len(self.signs), dual.n_rows))
        for i in range(count):
            t = first + i
            if notes:
                state = x[of_members, source[:, t]]
                if state[:, is_nothing[:, t]].any():
                    raise Lost("water from before the first period that may not arrive")
                lower[i][:, initial] = upper[i][:, initial] = state
            values = dual.step(lower[i], upper[i])
            x[of_members, target[early, t]] = values[:, early]
            block = i % CERTIFIED
            kept[block] = values
            duals[block] = dual.reduced[:, : len(self.signs), dual.n_columns :]
            if block == CERTIFIED - 1 or i == count - 1:
                span, days = slice(i - block, i + 1), slice(t - block, t + 1)
                found, of_row = kept[: block + 1], duals[: block + 1]
                self._certify(dual, found, of_row, lower[span], upper[span])
                decided = found[:, :, :n_decided].transpose(1, 2, 0)
                x[of_members[:, :, None], target[None, :, days]] = decided
                self.prices[members, :, :, days] = of_row[..., self.priced].transpose(1, 2, 3, 0)

    def _certify(
        self,
        dual: DualSimplex,
        values: np.ndarray,
        duals: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
    ) -> None:
        """Certify some steps (step, member, ...).

        Raises
        ------
        Lost
            A certificate fails.
        """
        n_programs = values.shape[0] * values.shape[1]
        one, of_row, low, high = (
            a.reshape(n_programs, *a.shape[2:]) for a in (values, duals, lower, upper)
        )
        scaled = dual.costs[: len(self.signs), : dual.n_columns].copy()
        worst = check_goals(dual.matrix, scaled, one, of_row, low, high, FACE)
        found = [Certificate(*figures) for figures in worst.tolist()]
        if not all(certificate.is_valid for certificate in found):
            raise Lost(f"steps from the last basis fail their certificate: {found}")
        self.certificates = [a.worse(b) for a, b in zip(self.certificates, found, strict=True)]

    # --- what stays

    def _has_one_matrix(self) -> bool:
        """Tell whether all coefficients are the same in every period and member.

        What was before the first period may count for nothing: water with a lag arrives later.
        """
        reading, carried = self.march.reading, self.march.reading.repeats.carried
        place = {id(note.now): number for number, note in enumerate(carried)}
        self.is_nothing = np.zeros((len(carried), self.n_periods), bool)
        for constraint in reading.constraints:
            linear = reading.linear(reading.row(constraint)[1])
            for coefficient, variable in zip(linear.coefficients, linear.variables, strict=True):
                value = np.asarray(reading.value(coefficient), float)
                last = value.flat[-1]
                is_other = value != last
                if not is_other.any():
                    continue
                if id(variable) not in place or value[is_other].any():
                    return False
                self.is_nothing[place[id(variable)]] |= is_other.reshape(-1, self.n_periods).any(0)
        return True

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
        """Costs of each goal and of what leaves no tie (goal, column), and signs of the goals.

        None where they are not the same in every period and member.
        """
        reading, period = self.march.reading, self.march.period
        costs, signs = np.zeros((len(period.goals) + 1, n_columns)), []
        for g, (number, goal) in enumerate(period.goals):
            expression, sense = goal.objective(period.model, number)
            signs.append(1.0 if sense == "minimise" else -1.0)
            linear = reading.linear(expression)
            for variable, coefficient in zip(linear.variables, linear.coefficients, strict=True):
                with reading.localised(horizon.sight):
                    is_local = reading.is_local(coefficient)
                    value = horizon.array(coefficient) if is_local else reading.value(coefficient)
                value = np.asarray(value, float)
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
        return costs, np.array(signs)
