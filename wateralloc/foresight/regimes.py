"""The program of one period solved for many members and steps, of which only the limits move.

Where matrix and costs stay, a basis that was optimal once is optimal again whenever its basic
solution lies within the limits: its reduced costs do not change.  The limits for which it does are
its *regime* (a critical region of parametric programming).  From step to step a river stays in its
regime, or crosses into a neighbour: the one behind the limit that is broken most, which a pivot of
the dual simplex method finds.  Regimes and neighbours are kept, so that members share them.  The
solver is asked for the first regime, and where crossing does not end.

With ordered goals a basis is right if the reduced costs of all goals, in their order, are: the
first of them that is not zero has the right sign (lexicographic optimality; Isermann 1982).  That
is checked once a regime, from the costs and its duals, and is the proof that an optimum of it is
one of each goal with those before it held.

Source
------
Gal & Nedoma (1972), Multiparametric linear programming, Management Science 18, 406-422; Isermann
(1982), Linear lexicographic optimization, OR Spektrum 4, 223-228.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg.blas import dger

from wateralloc.horizon import MemberProgram
from wateralloc.solve import BASIC, LOWER, UPPER, Certificate, Restart

WITHIN = 1e-9
"""Violation of a limit, over 1 + |limit|, up to which a basic solution lies within it."""
ZERO = 1e-9
"""Reduced cost, of costs whose largest is 1, up to which it is none."""
SAME = 1e-12
"""Ratios that differ by less are a tie."""
PIVOT = 1e-7
"""Smallest number to pivot on."""
MOST_CROSSED = 100
"""Regimes crossed in one step before the solver is asked."""
RENEWED = 50
"""Crossings after which the inverse of a basis is computed anew."""
KEPT_BYTES = 4e8
"""Inverses are kept up to this size; those longest unused go first."""


class Unordered(Exception):
    """A basis is not what the goals in their order ask."""


@dataclass
class Regime:
    """A basis, its inverse, and what it says of every limit.

    Columns here are those of the program and then its rows, which are columns whose value is the
    activity of the row.

    Attributes
    ----------
    state : LOWER, BASIC, UPPER, or another where the value is 0 (column)
    basic : column of each row of the basis (row)
    reduced : reduced costs (goal, column)
    duals : of the rows, of the scaled costs (goal, row)
    inverse : of the basis (row, row); None where it was let go
    age : crossings since the inverse was computed from the basis itself
    used : when it was used last
    """

    state: np.ndarray
    basic: np.ndarray
    reduced: np.ndarray
    duals: np.ndarray
    inverse: np.ndarray | None
    age: int = 0
    used: int = 0

    def __post_init__(self) -> None:
        self.is_upper = self.state == UPPER
        self.is_at_zero = np.flatnonzero(self.state > UPPER)


class Regimes:
    """Solves programs that differ in their limits.

    Parameters
    ----------
    lp : any of the programs
    costs : of each goal in order, to be minimised, and then one that leaves no tie (goal, column)
    signs : of the duals of each goal
    never_move : columns and then rows whose two limits are equal in every program
    """

    def __init__(
        self,
        lp: MemberProgram,
        costs: np.ndarray,
        signs: Sequence[float],
        never_move: np.ndarray,
        where: str = "",
    ) -> None:
        self.n_columns, self.n_rows = lp.col_lower.size, lp.row_lower.size
        self.matrix = sp.hstack([lp.matrix, -sp.identity(self.n_rows)]).tocsc()
        self.by_rows, self.by_columns = self.matrix.tocsr(), self.matrix.T.tocsr()
        size = np.abs(costs).max(axis=1)
        size = np.where(size > 0, size, 1.0)
        self.costs = np.hstack([costs / size[:, None], np.zeros((costs.shape[0], self.n_rows))])
        self.scales = size * np.asarray(signs, float)
        self.can_move = ~never_move
        self.restart = Restart(lp, self.costs[:, : self.n_columns], where)
        self.known: list[Regime] = []
        self.numbers: dict[bytes, int] = {}
        self.neighbours: dict[tuple[int, int, bool], int] = {}
        self.most_kept = max(2, int(KEPT_BYTES / (8 * self.n_rows**2)))
        self.n_inverses = self.n_used = self.n_asked = self.n_crossed = 0
        self.violation = 0.0

    # --- many members

    def solve(self, lower: np.ndarray, upper: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Solve the program of each member within its limits.

        Parameters
        ----------
        lower, upper : limits of columns and then rows (member, column)
        last : number of the regime to start from, -1 for the first that was found; those that hold take their place
            (member)

        Returns
        -------
        ndarray
            Values of columns and then rows (member, column).

        Raises
        ------
        Infeasible, SolveError
        Unordered
            The solver's basis is not optimal for the goals in their order.
        """
        values = np.empty(lower.shape)
        for k in range(lower.shape[0]):
            values[k], last[k] = self.follow(lower[k], upper[k], int(last[k]))
        return values

    def follow(self, lower: np.ndarray, upper: np.ndarray, number: int) -> tuple[np.ndarray, int]:
        """Solve one program, crossing from regime to regime; return values and the last regime."""
        if number < 0:
            number = 0 if self.known else self._ask(lower, upper)
        for _ in range(MOST_CROSSED):
            values, row, is_below = self._values(self.known[number], lower, upper)
            if row < 0:
                return values, number
            after = self.neighbours.get((number, row, is_below))
            if after is None:
                after = self._cross(number, row, is_below)
                self.neighbours[number, row, is_below] = after
            if after < 0:
                break
            number = after
        number = self._ask(lower, upper)
        values, row, _ = self._values(self.known[number], lower, upper)
        if row >= 0:
            raise Unordered("the solver's solution is not within its limits")
        return values, number

    def _values(
        self, regime: Regime, lower: np.ndarray, upper: np.ndarray
    ) -> tuple[np.ndarray, int, bool]:
        """Basic solution; also the row that breaks a limit most, -1 for none, and which limit."""
        values = np.where(regime.is_upper, upper, lower)
        basic = regime.basic
        values[basic] = 0.0
        if regime.is_at_zero.size:
            values[regime.is_at_zero] = 0.0
        at = -(self._inverse(regime) @ (self.by_rows @ values))
        values[basic] = at
        below, above = lower[basic] - at, at - upper[basic]
        broken = np.maximum(below, above)
        row = int(broken.argmax())
        most = broken[row]
        if not most <= WITHIN:
            limit = lower[basic[row]] if below[row] > above[row] else upper[basic[row]]
            if not most <= WITHIN * (1 + abs(limit)):
                return values, row, bool(below[row] > above[row])
        self.violation = max(self.violation, float(most))
        return values, -1, False

    # --- regimes

    def _inverse(self, regime: Regime) -> np.ndarray:
        self.n_used += 1
        regime.used = self.n_used
        if regime.inverse is None:
            self._keep_inverse(regime, self._invert(regime.basic), 0)
        return regime.inverse

    def _invert(self, basic: np.ndarray) -> np.ndarray:
        return np.linalg.inv(self.matrix[:, basic].toarray())

    def _keep_inverse(self, regime: Regime, inverse: np.ndarray, age: int) -> None:
        """Keep an inverse, in place of those longest unused where there are too many."""
        regime.inverse, regime.age = inverse, age
        self.n_inverses += 1
        if self.n_inverses > self.most_kept:
            with_one = [r for r in self.known if r.inverse is not None and r is not regime]
            with_one.sort(key=lambda r: r.used)
            for old in with_one[: len(with_one) // 2]:
                old.inverse = None
            self.n_inverses = len(with_one) - len(with_one) // 2 + 1

    def _add(self, state: np.ndarray, basic: np.ndarray, inverse: np.ndarray, age: int) -> int:
        """Number of the regime of a basis, checked and kept if it is new; -1 if it is not right."""
        key = state.tobytes()
        known = self.numbers.get(key)
        if known is not None:
            return known
        duals = self.costs[:, basic] @ inverse
        reduced = self.costs - (self.by_columns @ duals.T).T
        if np.abs(reduced[:, basic]).max() > ZERO:
            return -1
        reduced[:, basic] = 0.0
        price = _first_of(reduced)
        is_wrong = ((state == LOWER) & (price < 0)) | ((state == UPPER) & (price > 0))
        is_wrong |= (state > UPPER) & (price != 0)
        if (is_wrong & self.can_move).any():
            return -1
        regime = Regime(state, basic, reduced, duals, None)
        self.numbers[key] = len(self.known)
        self.known.append(regime)
        self._keep_inverse(regime, inverse, age)
        return self.numbers[key]

    def _cross(self, number: int, row: int, is_below: bool) -> int:
        """Regime behind the limit that a basic column breaks; -1 where there is none.

        The column leaves the basis at that limit.  Of those whose move would bring it back the one
        enters whose reduced costs, over its share in that move, are lexicographically least.
        """
        regime = self.known[number]
        inverse = self._inverse(regime)
        self.n_crossed += 1
        share = self.by_columns @ inverse[row]
        state = regime.state
        gain = share if is_below else -share
        can_enter = ((gain < -PIVOT) & (state == LOWER)) | ((gain > PIVOT) & (state == UPPER))
        can_enter |= (np.abs(share) > PIVOT) & (state > UPPER)
        entering = np.flatnonzero(can_enter & self.can_move)
        if not entering.size:
            return -1
        for reduced in regime.reduced:
            toward = np.where(state[entering] == UPPER, -1.0, 1.0)
            ratio = toward * reduced[entering] / np.abs(share[entering])
            entering = entering[ratio <= ratio.min() + SAME]
            if entering.size == 1:
                break
        enters = int(entering[np.abs(share[entering]).argmax()])
        after, basic = state.copy(), regime.basic.copy()
        after[basic[row]] = LOWER if is_below else UPPER
        after[enters] = BASIC
        basic[row] = enters
        if regime.age >= RENEWED:
            return self._add(after, basic, self._invert(basic), 0)
        start, end = self.matrix.indptr[enters : enters + 2]
        column = inverse[:, self.matrix.indices[start:end]] @ self.matrix.data[start:end]
        pivot_row = inverse[row] / column[row]
        # of the transpose, which is in the order that BLAS expects
        renewed = dger(-1.0, pivot_row, column, a=inverse.T).T
        renewed[row] = pivot_row
        return self._add(after, basic, renewed, regime.age + 1)

    def _ask(self, lower: np.ndarray, upper: np.ndarray) -> int:
        """Ask the solver; return the number of the regime."""
        n = self.n_columns
        self.n_asked += 1
        packed, _ = self.restart.optimum((lower[:n], upper[:n]), (lower[n:], upper[n:]))
        state = np.concatenate([packed.columns, packed.rows])
        basic = np.flatnonzero(state == BASIC)
        if basic.size != self.n_rows:
            raise Unordered("the solver's basis is not whole")
        inverse = self._invert(basic)
        # what has equal limits today is at the one that its reduced cost names
        price = _first_of(self.costs - (self.by_columns @ (self.costs[:, basic] @ inverse).T).T)
        is_closed = (lower == upper) & (state != BASIC)
        state = np.where(is_closed, np.where(price < 0, UPPER, LOWER), state).astype(np.int8)
        number = self._add(state, basic, inverse, 0)
        if number < 0:
            raise Unordered("the solver's basis is not optimal for the goals in their order")
        return number

    # --- what it tells

    def duals(self, numbers: np.ndarray) -> np.ndarray:
        """Duals of the rows in some regimes, in the goals' own units (regime, goal, row)."""
        found = np.array([self.known[number].duals for number in numbers])
        return found * self.scales[:, None]

    def certificates(self) -> list[Certificate]:
        """Worst figures of each goal, over all regimes and programs.

        A basic solution lies on all limits that have a reduced cost, so there is no gap.
        """
        worst = np.zeros(self.scales.size)
        for regime in self.known:
            price = _first_of(regime.reduced)
            is_later = np.cumsum(np.abs(regime.reduced) > ZERO, axis=0) > 1
            wrong = np.where(regime.is_upper, regime.reduced, -regime.reduced)
            wrong[:, ~self.can_move | (regime.state == BASIC)] = 0.0
            wrong[is_later & (price != 0)] = 0.0
            worst = np.maximum(worst, wrong.max(axis=1))
        return [Certificate(self.violation, float(w), 0.0) for w in worst]


def _first_of(reduced: np.ndarray) -> np.ndarray:
    """Of each column the first reduced cost that is not zero; 0 where all are (column)."""
    first = np.zeros(reduced.shape[1])
    for of_goal in reduced[::-1]:
        first = np.where(np.abs(of_goal) > ZERO, of_goal, first)
    return first
