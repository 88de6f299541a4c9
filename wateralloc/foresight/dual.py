"""The program of one period, step after step and for many members, of which only the limits move.

Where matrix and costs stay, the reduced costs of a basis stay too: it is optimal again wherever its
basic solution lies within the limits.  So each member keeps its last basis, with the inverse.  A
step puts the other columns at their limits, which gives the basic ones for all members at once; a
member that is outside a limit then goes from basis to basis, by the dual simplex method, until it
is within all of them.  Reduced costs of every goal are carried along and the ratio test is
lexicographic, so one basis is optimal for all goals in their order.

Each step is certified from matrix, costs, limits, values and duals alone.

Source
------
Lemke (1954), The dual method of solving the linear programming problem, Naval Research Logistics 1,
36-47; ordered goals: Isermann (1982), Linear lexicographic optimization, OR Spektrum 4, 223-228.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg.blas import daxpy, dger

from wateralloc.horizon import MemberProgram
from wateralloc.solve import BASIC, FACE, UPPER, Certificate, FirstBasis

WITHIN = 1e-9
"""Violation of a limit, over 1 + |limit|, up to which a basic solution lies within it."""
PIVOT = 1e-9
"""Smallest number to pivot on."""
TIE = 1e-11
"""Ratios that differ by less are a tie."""
NOTHING = 1e-14
"""Numbers of an inverse below this are none."""
DENSE = 150
"""Rows up to which an inverse is renewed whole, and not only where it has numbers."""
SMALL = 5000
"""Numbers up to which a matrix is multiplied whole, zeros and all."""
RENEWED = 2000
"""Pivots after which an inverse is computed anew from its basis."""
MOST_PIVOTS = 1000
"""Pivots in one step before the solver is asked."""


class Lost(Exception):
    """No basis is found that is optimal for the goals in their order."""


class DualSimplex:
    """Programs of some members that differ in their limits, solved from their last bases.

    Columns here are those of the program and then its rows, which are columns whose value is the
    activity of the row.

    Parameters
    ----------
    lp : any of the programs
    costs : of each goal in order, to be minimised, and then one that leaves no tie (goal, column)
    never_move : columns and then rows whose two limits are equal in every program
    n_members : programs of a step
    where : text that names the programs in messages

    Attributes
    ----------
    reduced : reduced costs (member, goal, column), of costs whose largest is 1
    n_pivots, n_asked : pivots so far, and programs that went to the solver
    """

    def __init__(
        self,
        lp: MemberProgram,
        costs: np.ndarray,
        never_move: np.ndarray,
        n_members: int,
        where: str = "",
    ) -> None:
        self.n_columns, self.n_rows = lp.col_lower.size, lp.row_lower.size
        self.lp = lp
        matrix = sp.hstack([lp.matrix, -sp.identity(self.n_rows)]).tocsc()
        matrix.sort_indices()
        self.matrix, self.transposed, self.minus = matrix, matrix.T.tocsr(), (-matrix).tocsr()
        n_numbers = matrix.shape[0] * matrix.shape[1]
        self.shares: Any = self.transposed.toarray() if n_numbers <= SMALL else self.transposed
        """The same, which times a row of the inverse gives the shares of all columns in it."""
        size = np.abs(costs).max(axis=1)
        scaled = costs / np.where(size > 0, size, 1.0)[:, None]
        self.costs = np.hstack([scaled, np.zeros((costs.shape[0], self.n_rows))])
        self.can_move = (~never_move).astype(float)
        self.first = FirstBasis(lp, scaled, where)
        self.n_pivots = self.n_asked = 0
        n_goals, n, m = costs.shape[0], self.n_columns + self.n_rows, self.n_rows
        self.transposed_inverse = np.empty((n_members, m, m))
        self.basic = np.zeros((n_members, m), int)
        self.in_all = np.zeros((n_members, m), int)
        """Places of the basic columns among those of all members."""
        self.is_upper = np.zeros((n_members, n), bool)
        self.is_basic = np.zeros((n_members, n), bool)
        self.side = np.zeros((n_members, n))
        """1 at the lower limit, -1 at the upper, 0 in the basis."""
        self.reduced = np.empty((n_members, n_goals, n))
        self.age = np.zeros(n_members, int)
        self.has_basis = np.zeros(n_members, bool)
        self.values = np.empty((n_members, n))

    def step(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Solve the program of each member within its limits.

        Parameters
        ----------
        lower, upper : limits of columns and then rows (member, column), contiguous

        Returns
        -------
        ndarray
            Values of columns and then rows (member, column); the next step writes over them.

        Raises
        ------
        Infeasible, SolveError
        Lost
        """
        for k in np.flatnonzero(~self.has_basis).tolist():
            self._ask(k, lower[k], upper[k])
        values = self.values
        np.copyto(values, lower)
        np.copyto(values, upper, where=self.is_upper)
        np.copyto(values, 0.0, where=self.is_basic)
        if not np.isfinite(values).all():
            for k in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
                self._ask(k, lower[k], upper[k])
                values[k] = np.where(self.is_upper[k], upper[k], lower[k])
                values[k, self.basic[k]] = 0.0
        right = np.ascontiguousarray((self.minus @ values.T).T)
        at = np.matmul(right[:, None, :], self.transposed_inverse)[:, 0, :]
        low, high = lower.ravel().take(self.in_all), upper.ravel().take(self.in_all)
        outside = np.maximum(low - at, at - high).max(axis=1) > WITHIN
        for k in np.flatnonzero(outside).tolist():
            try:
                self._pivot(k, lower[k], upper[k], at[k], low[k], high[k])
            except Lost:
                self._ask(k, lower[k], upper[k])
                at[k] = self._basic_values(k, lower[k], upper[k])
        values.ravel()[self.in_all] = at
        return values

    # --- one member

    def _put(self, k: int, basic: np.ndarray, is_upper: np.ndarray, inverse: np.ndarray) -> None:
        """Take a basis for a member.

        Raises
        ------
        Lost
            It is not optimal for the goals in their order.
        """
        self.basic[k], self.is_upper[k] = basic, is_upper
        self.in_all[k] = basic + k * self.is_upper.shape[1]
        self.is_basic[k] = False
        self.is_basic[k, basic] = True
        self._keep_inverse(k, inverse)
        self.side[k] = np.where(is_upper, -1.0, 1.0)
        self.side[k, basic] = 0.0
        price = first_of(self.reduced[k])
        if (self.side[k] * self.can_move * price < -TIE).any():
            raise Lost("the solver's basis is not optimal for the goals in their order")
        self.has_basis[k] = True

    def _renew(self, k: int) -> None:
        """Compute the inverse and the reduced costs from the basis itself."""
        self._keep_inverse(k, np.linalg.inv(self.matrix[:, self.basic[k]].toarray()))

    def _keep_inverse(self, k: int, inverse: np.ndarray) -> None:
        basic = self.basic[k]
        inverse[np.abs(inverse) < NOTHING] = 0.0
        self.transposed_inverse[k] = inverse.T
        self.reduced[k] = self.costs - (self.transposed @ (self.costs[:, basic] @ inverse).T).T
        self.reduced[k][:, basic] = 0.0
        self.age[k] = 0

    def _ask(self, k: int, lower: np.ndarray, upper: np.ndarray) -> None:
        """Ask the solver for a basis."""
        self.n_asked += 1
        n = self.n_columns
        found = self.first.find((lower[:n], upper[:n]), (lower[n:], upper[n:]))
        state = np.concatenate([found.columns, found.rows])
        basic = np.flatnonzero(state == BASIC)
        if basic.size != self.n_rows or (state > UPPER).any():
            raise Lost("the solver's basis is not whole")
        # what has equal limits today is at the one that its reduced cost names
        inverse = np.linalg.inv(self.matrix[:, basic].toarray())
        price = first_of(self.costs - (self.transposed @ (self.costs[:, basic] @ inverse).T).T)
        is_upper = np.where(lower == upper, price < 0, state == UPPER) & (state != BASIC)
        self._put(k, basic, is_upper, inverse)

    def _basic_values(self, k: int, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        values = np.where(self.is_upper[k], upper, lower)
        values[self.basic[k]] = 0.0
        self.values[k] = values
        return (self.minus @ values) @ self.transposed_inverse[k]

    def _pivot(
        self,
        k: int,
        lower: np.ndarray,
        upper: np.ndarray,
        at: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
    ) -> None:
        """Go from basis to basis until the basic columns lie within their limits.

        Parameters
        ----------
        at, low, high : values and limits of the basic columns, which are changed in place (row)

        Raises
        ------
        Lost
        """
        basic, side, reduced = self.basic[k], self.side[k], self.reduced[k]
        inverse = self.transposed_inverse[k]  # of row i: its column i
        matrix, n = self.matrix, self.is_upper.shape[1]
        free = side * self.can_move
        for _ in range(MOST_PIVOTS):
            outside = np.maximum(low - at, at - high)
            row = int(outside.argmax())
            is_above = at[row] > high[row]
            limit = high[row] if is_above else low[row]
            if outside[row] <= WITHIN * (1 + abs(limit)):
                return
            of_row = inverse[:, row].copy()
            share = self.shares @ of_row
            toward = share * (free if is_above else -free)
            can_enter = np.flatnonzero(toward > PIVOT)
            if not can_enter.size:
                raise Lost("no basis is within the limits")
            enters = self._least_ratio(reduced, side, toward, can_enter)
            leaves, pivot = int(basic[row]), share[enters]
            for of_goal in reduced:
                ratio = of_goal[enters] / pivot
                if ratio:
                    daxpy(share, of_goal, a=-ratio)
                of_goal[enters], of_goal[leaves] = 0.0, -ratio
            move = (at[row] - limit) / pivot
            start, end = matrix.indptr[enters : enters + 2]
            column = matrix.data[start:end] @ inverse[matrix.indices[start:end]]
            at -= move * column
            at[row] = (upper if self.is_upper[k, enters] else lower)[enters] + move
            self._exchange(inverse, of_row, column, row, pivot)
            basic[row], self.in_all[k, row] = enters, enters + k * n
            self.is_basic[k, enters], self.is_basic[k, leaves] = True, False
            self.is_upper[k, enters], self.is_upper[k, leaves] = False, is_above
            side[enters] = free[enters] = 0.0
            side[leaves] = -1.0 if is_above else 1.0
            free[leaves] = side[leaves] * self.can_move[leaves]
            low[row], high[row] = lower[enters], upper[enters]
            self.values[k, leaves] = limit
            self.n_pivots += 1
            self.age[k] += 1
            if self.age[k] > RENEWED:
                self._renew(k)
                at[:] = self._basic_values(k, lower, upper)
        raise Lost("too many pivots")

    @staticmethod
    def _least_ratio(
        reduced: np.ndarray, side: np.ndarray, toward: np.ndarray, can_enter: np.ndarray
    ) -> int:
        """Column whose reduced costs, over its share, are lexicographically least."""
        share = toward[can_enter]
        for of_goal in reduced:
            ratio = of_goal[can_enter] * side[can_enter] / share
            is_least = ratio <= ratio.min() + TIE
            can_enter, share = can_enter[is_least], share[is_least]
            if can_enter.size == 1:
                break
        return int(can_enter[share.argmax()])

    def _exchange(
        self, inverse: np.ndarray, of_row: np.ndarray, column: np.ndarray, row: int, pivot: float
    ) -> None:
        """Renew the transposed inverse after a column took the place of another."""
        change = column / pivot
        change[row] -= 1.0 / pivot
        if self.n_rows <= DENSE:
            # in the order of columns, which BLAS expects
            dger(-1.0, change, of_row, a=inverse.T, overwrite_a=1)
        else:
            i, j = (
                np.flatnonzero(np.abs(of_row) > NOTHING),
                np.flatnonzero(np.abs(change) > NOTHING),
            )
            inverse[i[:, None], j] -= of_row[i, None] * change[j]


def first_of(reduced: np.ndarray) -> np.ndarray:
    """Of each column the first reduced cost that is not zero; 0 where all are (column)."""
    first = np.zeros(reduced.shape[1])
    for of_goal in reduced[::-1]:
        first = np.where(np.abs(of_goal) > FACE, of_goal, first)
    return first


def certify_goals(
    lp: MemberProgram,
    costs: np.ndarray,
    values: np.ndarray,
    duals: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> list[Certificate]:
    """Certify many programs at once: the worst figures of each goal (as ``solve.certify``).

    Those before a goal hold what has a reduced cost of theirs, so its duals may lean on that.

    Parameters
    ----------
    costs : of each goal, the largest 1 (goal, column)
    values : of columns (program, column)
    duals : (program, goal, row)
    lower, upper : limits of columns and then rows (program, column)
    """
    x = values[:, : costs.shape[1]]
    both = np.hstack([x, (lp.matrix @ x.T).T])
    primal = 0.0
    for limit, sign in ((lower, 1.0), (upper, -1.0)):
        finite = np.where(np.isfinite(limit), limit, -np.inf * sign)
        with np.errstate(invalid="ignore"):  # of no limit
            scaled = sign * (finite - both) / (1 + np.abs(finite))
        primal = max(primal, float(np.nanmax(scaled, initial=0.0)))
    transposed = lp.matrix.T.tocsr()
    is_held = np.zeros(both.shape, bool)
    found = []
    for g, cost in enumerate(costs):
        y = duals[:, g]
        price = np.hstack([cost - (transposed @ y.T).T, y])
        limit = np.where(is_held, both, np.where(price > 0, lower, upper))
        is_open = ~np.isfinite(limit)
        dual = float(np.abs(price[is_open]).max(initial=0.0)) / (1 + float(np.abs(cost).max()))
        objective = x @ cost
        bound = (price * np.where(is_open, 0.0, limit)).sum(axis=1)
        gap = np.abs(objective - bound) / np.maximum(1.0, np.abs(objective))
        found.append(Certificate(primal, dual, float(gap.max())))
        is_held |= np.abs(price) > FACE
    return found
