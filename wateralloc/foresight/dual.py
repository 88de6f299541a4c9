"""The program of one period, step after step and for many members, of which only the limits move.

Where matrix and costs stay, the reduced costs of a basis stay too: it is optimal again wherever its
basic solution lies within the limits.  So each member keeps its last basis.  A step puts the other
columns at their limits and computes the basic ones; a member that is outside a limit then goes from
basis to basis, by the dual simplex method, until it is within all of them.  Reduced costs of every
goal are carried along and the ratio test is lexicographic, so one basis is optimal for all goals in
their order.

Each step is certified from matrix, costs, limits, values and duals alone.

Source
------
Lemke (1954), The dual method of solving the linear programming problem, Naval Research Logistics 1,
36-47; ordered goals: Isermann (1982), Linear lexicographic optimization, OR Spektrum 4, 223-228.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from wateralloc.foresight.basis import (
    LOST,
    TIE,
    WORN,
    Bases,
    Factors,
    Matrix,
    advance,
    price,
)
from wateralloc.horizon import MemberProgram
from wateralloc.solve import BASIC, FACE, UPPER, FirstBasis


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
        self.matrix = Matrix.of(with_rows(lp))
        size = np.abs(costs).max(axis=1)
        scaled = costs / np.where(size > 0, size, 1.0)[:, None]
        self.costs = np.hstack([scaled, np.zeros((costs.shape[0], self.n_rows))])
        self.can_move = ~never_move
        self.first = FirstBasis(lp, scaled, where)
        self.n_pivots = self.n_asked = 0
        n = self.n_columns + self.n_rows
        self.factors = Factors.empty(n_members, self.n_rows)
        self.bases = Bases.empty(n_members, costs.shape[0], self.n_rows, n)
        self.has_basis = np.zeros(n_members, bool)
        self.values = np.empty((n_members, n))
        self.found = np.empty(n_members, np.int64)

    @property
    def reduced(self) -> np.ndarray:
        return self.bases.reduced

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
        bases, asked = self.bases, np.zeros(self.has_basis.size, bool)
        bases.n_pivots[:] = 0
        for k in np.flatnonzero(~self.has_basis).tolist():
            self._ask(k, lower[k], upper[k])
        members = np.arange(self.has_basis.size)
        while members.size:
            advance(
                members, self.matrix, self.factors, bases, self.can_move,
                lower, upper, self.values, self.found,
            )  # fmt: skip
            found = self.found[members]
            for k in members[found == WORN].tolist():
                self._factor(k)
            for k in members[found == LOST].tolist():
                if asked[k]:
                    raise Lost("the solver's basis does not lie within the limits")
                asked[k] = True
                self._ask(k, lower[k], upper[k])
            members = members[(found == WORN) | (found == LOST)]
        self.n_pivots += int(bases.n_pivots.sum())
        return self.values

    # --- one member

    def _factor(self, k: int) -> None:
        """Factor the basis of a member anew, and compute its reduced costs from it.

        Raises
        ------
        Lost
            The basis is singular.
        """
        try:
            self.factors = self.factors.put(k, self.matrix, self.bases.basic[k])
        except RuntimeError as error:
            raise Lost(f"a basis cannot be factored: {error}") from error
        price(self.matrix, self.factors, self.bases, k, self.costs)

    def _ask(self, k: int, lower: np.ndarray, upper: np.ndarray) -> None:
        """Ask the solver for a basis.

        Raises
        ------
        Infeasible, SolveError
        Lost
            It is not optimal for the goals in their order.
        """
        self.n_asked += 1
        n, bases = self.n_columns, self.bases
        found = self.first.find((lower[:n], upper[:n]), (lower[n:], upper[n:]))
        state = np.concatenate([found.columns, found.rows])
        basic = np.flatnonzero(state == BASIC)
        if basic.size != self.n_rows or (state > UPPER).any():
            raise Lost("the solver's basis is not whole")
        bases.basic[k], bases.place[k] = basic, -1
        bases.place[k, basic] = np.arange(basic.size)
        self._factor(k)
        first = first_of(bases.reduced[k])
        # what has equal limits today is at the one that its reduced cost names
        bases.is_upper[k] = np.where(lower == upper, first < 0, state == UPPER) & (state != BASIC)
        if (np.where(bases.is_upper[k], -first, first)[self.can_move] < -TIE).any():
            raise Lost("the solver's basis is not optimal for the goals in their order")
        bases.n_pivots[k] = 0
        self.has_basis[k] = True


def with_rows(lp: MemberProgram) -> sp.csc_matrix:
    """Matrix of the columns and then of the rows, each less its own column: A x - r = 0."""
    matrix = sp.hstack([lp.matrix, -sp.identity(lp.row_lower.size)]).tocsc()
    matrix.sort_indices()
    return matrix


def first_of(reduced: np.ndarray) -> np.ndarray:
    """Of each column the first reduced cost that is not zero; 0 where all are (column)."""
    first = np.zeros(reduced.shape[1])
    for of_goal in reduced[::-1]:
        first = np.where(np.abs(of_goal) > FACE, of_goal, first)
    return first
