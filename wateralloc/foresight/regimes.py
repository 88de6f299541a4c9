"""The program of one period solved for many members and steps, of which only the limits move.

Where matrix and costs stay, a basis that was optimal once is optimal again whenever its basic
solution lies within the limits: its reduced costs do not change.  The limits for which it does are
its *regime* (a critical region of parametric programming).  A river spends most of its days in few
regimes, so each found is kept, with its factors, and tried first: that of the member's last step,
then the one that followed it when the same limit was broken.  Only a member that is in none of
them goes to the solver.

With ordered goals a basis is right if the reduced costs of all goals, in their order, are: the
first of them that is not zero has the right sign (lexicographic optimality; Isermann 1982).  That
is checked once a regime, and is the proof that an optimum of it is one of each goal with those
before it held.

Source
------
Gal & Nedoma (1972), Multiparametric linear programming, Management Science 18, 406-422; Isermann
(1982), Linear lexicographic optimization, OR Spektrum 4, 223-228.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from wateralloc.horizon import MemberProgram
from wateralloc.solve import BASIC, LOWER, UPPER, Certificate, Restart

WITHIN = 1e-9
"""Violation of a limit, over 1 + |limit|, up to which a basic solution lies within it."""
ZERO = 1e-9
"""Reduced cost, of costs whose largest is 1, up to which it is none."""
TRIED = 4
"""Regimes that followed one another before, tried before the solver is asked."""


@dataclass
class Regime:
    """A basis, its factors, and what it says of every limit.

    Columns here are those of the program and then its rows, which are columns whose value is the
    activity of the row.

    Attributes
    ----------
    state : LOWER, BASIC, UPPER, or another where the value is 0 (column)
    basic : columns in the basis (row)
    factors : of the basis
    basis : the same as the solver has it
    fixed : columns that must have equal limits for the basis to be optimal
    duals : of each row, by goal, in the unit of the goal's expression (goal, row)
    certificate : of each goal
    """

    state: np.ndarray
    basic: np.ndarray
    factors: Any
    basis: Any
    fixed: np.ndarray
    duals: np.ndarray
    certificate: tuple[Certificate, ...]
    is_upper: np.ndarray = field(init=False)
    is_basic: np.ndarray = field(init=False)
    is_zero: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.is_upper = self.state == UPPER
        self.is_basic = self.state == BASIC
        self.is_zero = self.state > UPPER
        self.has_zero = bool(self.is_zero.any())


class Regimes:
    """Solves programs that differ in their limits.

    Parameters
    ----------
    lp : any of the programs
    costs : of each goal in order, to be minimised, and then one that leaves no tie (goal, column)
    scales : duals are those of the costs times this (goal)
    """

    def __init__(
        self, lp: MemberProgram, costs: np.ndarray, scales: Sequence[float], where: str = ""
    ) -> None:
        self.n_columns, self.n_rows = lp.col_lower.size, lp.row_lower.size
        self.matrix = sp.hstack([lp.matrix, -sp.identity(self.n_rows)]).tocsc()
        self.by_rows = self.matrix.tocsr()
        size = np.abs(costs).max(axis=1)
        self.size = np.where(size > 0, size, 1.0)
        nothing = np.zeros((costs.shape[0], self.n_rows))
        self.costs = np.hstack([costs / self.size[:, None], nothing])
        self.scales = np.asarray(scales, float)
        self.restart = Restart(lp, self.costs[:, : self.n_columns], where)
        self.known: list[Regime] = []
        self.numbers: dict[bytes, int] = {}
        self.followed: dict[tuple[int, int], int] = {}
        self.violation = 0.0
        self.n_asked = self.n_iterations = 0

    def solve(
        self, lower: np.ndarray, upper: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Solve the program of each member within its limits.

        Parameters
        ----------
        lower, upper : limits of columns and then rows (member, column)
        last : number of the regime to try first; -1 for none (member)

        Returns
        -------
        values : of columns and then rows (member, column)
        number : of the regime (member)

        Raises
        ------
        Infeasible, SolveError
        Unordered
            The solver's basis is not optimal for the goals in their order.
        """
        values, number = np.empty(lower.shape), np.array(last)
        left = np.arange(lower.shape[0])
        unknown: list[int] = []
        for _ in range(TRIED):
            groups, again = by_regime(number, left, unknown), []
            for tried, members in groups.items():
                found, worst, amount = self._try(self.known[tried], lower[members], upper[members])
                is_right = amount <= 0
                values[members[is_right]] = found[is_right]
                for k, column in zip(members[~is_right], worst[~is_right], strict=True):
                    number[k] = self.followed.get((tried, int(column)), -1)
                    again.append(k)
            left = np.array(again, int)
            if not left.size:
                break
        for k in map(int, [*unknown, *left]):
            number[k] = self._ask(lower[k], upper[k], int(last[k]))
            regime = self.known[number[k]]
            found, _, amount = self._try(regime, lower[k : k + 1], upper[k : k + 1], loose=100.0)
            if amount[0] > 0:
                raise Unordered("the solver's solution is not within its limits")
            values[k] = found[0]
        return values, number

    def _try(
        self, regime: Regime, lower: np.ndarray, upper: np.ndarray, loose: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Basic solutions of a regime; the limit most broken, and by how much (member)."""
        values = np.where(regime.is_upper, upper, lower)
        values[:, regime.is_basic] = 0.0
        if regime.has_zero:
            values[:, regime.is_zero] = 0.0
        right = self.by_rows @ values.T
        basic = regime.basic
        values[:, basic] = -regime.factors.solve(right).T
        low, high, at = lower[:, basic], upper[:, basic], values[:, basic]
        over = np.maximum(low - at - WITHIN * loose * (1 + np.abs(low)),
                          at - high - WITHIN * loose * (1 + np.abs(high)))  # fmt: skip
        np.nan_to_num(over, copy=False, nan=-1.0, posinf=np.inf, neginf=-1.0)
        worst = over.argmax(axis=1)
        amount = over[np.arange(over.shape[0]), worst]
        if regime.fixed.size:
            is_open = (lower[:, regime.fixed] != upper[:, regime.fixed]).any(axis=1)
            amount = np.where(is_open, np.inf, amount)
        amount = np.where(np.isfinite(values).all(axis=1), amount, np.inf)
        return values, basic[worst], amount

    def _ask(self, lower: np.ndarray, upper: np.ndarray, last: int) -> int:
        """Ask the solver; return the number of the regime."""
        n = self.n_columns
        self.n_asked += 1
        packed, iterations = self.restart.optimum(
            (lower[:n], upper[:n]),
            (lower[n:], upper[n:]),
            self.known[last].basis if last >= 0 else None,
        )
        self.n_iterations += iterations
        state = np.concatenate([packed.columns, packed.rows])
        key = state.tobytes()
        if key not in self.numbers:
            self.numbers[key] = len(self.known)
            self.known.append(self._regime(state, packed.unpack(), lower, upper))
        number = self.numbers[key]
        if last >= 0:
            _, worst, _ = self._try(self.known[last], lower[None], upper[None])
            self.followed[last, int(worst[0])] = number
        return number

    def _regime(
        self, state: np.ndarray, basis: Any, lower: np.ndarray, upper: np.ndarray
    ) -> Regime:
        """Factor a basis and check that it is optimal for the goals in their order.

        Raises
        ------
        Unordered
        """
        basic = np.flatnonzero(state == BASIC)
        if basic.size != self.n_rows:
            raise Unordered("the solver's basis is not whole")
        square = self.matrix[:, basic].tocsc()
        factors = splu(square)
        duals = factors.solve(np.ascontiguousarray(self.costs[:, basic].T), trans="T").T
        reduced = self.costs - duals @ self.matrix
        reduced[:, basic] = 0.0
        first = (np.abs(reduced) > ZERO).argmax(axis=0)
        price = reduced[first, np.arange(state.size)]
        price[np.abs(price) <= ZERO] = 0.0
        is_wrong = ((state == LOWER) & (price < 0)) | ((state == UPPER) & (price > 0))
        is_wrong |= (state > UPPER) & (price != 0)
        fixed = np.flatnonzero(is_wrong)
        if (lower[fixed] != upper[fixed]).any():
            raise Unordered("the solver's basis is not optimal for the goals in their order")
        wrong_sign = np.where(state == UPPER, reduced, -reduced)
        wrong_sign[:, is_wrong | (state == BASIC)] = 0.0
        earlier = np.arange(len(reduced))[:, None] > first
        wrong_sign[earlier & (np.abs(price) > 0)] = 0.0
        worst = np.maximum(wrong_sign.max(axis=1), 0.0)
        certificate = tuple(Certificate(0.0, float(w), 0.0) for w in worst)
        real = duals * (self.size * self.scales)[:, None]
        return Regime(state, basic, factors, basis, fixed, real, certificate)


def by_regime(number: np.ndarray, members: np.ndarray, unknown: list[int]) -> dict[int, np.ndarray]:
    """Members by the regime they try; those that have none are added to `unknown`."""
    if members.size == 1:
        k = int(members[0])
        if number[k] < 0:
            unknown.append(k)
            return {}
        return {int(number[k]): members}
    order = members[np.argsort(number[members], kind="stable")]
    tried, starts = np.unique(number[order], return_index=True)
    groups = dict(zip(tried.tolist(), np.split(order, starts[1:]), strict=True))
    unknown += groups.pop(-1, np.empty(0, int)).tolist()
    return groups


class Unordered(Exception):
    """A basis is not what the goals in their order ask."""
