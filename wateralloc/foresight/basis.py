"""Bases of many programs with one matrix: sparse factors, and pivots from basis to basis, compiled.

The basis of a program is B = L U E_1 ... E_p: SuperLU factors of an earlier one, and a column of
each pivot since then (the product form).  What is here works on plain arrays, one row a program.

Source
------
Dantzig and Orchard-Hays (1954), The product form for the inverse in the simplex method,
Mathematical Tables and Other Aids to Computation 8, 64-67; Demmel, Eisenstat, Gilbert, Li and Liu
(1999), A supernodal approach to sparse partial pivoting, SIAM Journal on Matrix Analysis and
Applications 20, 720-755.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

log = logging.getLogger(__name__)

WITHIN = 1e-9
"""Violation of a limit, over 1 + |limit|, up to which a basic solution lies within it."""
PIVOT = 1e-9
"""Smallest number to pivot on."""
AGREE = 1e-7
"""Difference of a pivot by its row and by its column, over 1 + its size, that factors may have."""
TIE = 1e-11
"""Ratios that differ by less are a tie."""
MOST_CHANGES = 64
"""Pivots after which a basis is factored anew."""
MOST_PIVOTS = 1000
"""Pivots in one step before the solver is asked."""

SOLVED, WORN, LOST = 0, 1, 2
"""A program is solved; its factors are to be made anew; no basis is found."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on first use, and keep what is compiled on disk where that can be."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError as error:  # neither the package's folder nor the user's can be written
        log.info("%s: %s; compiled in each process", function.__name__, error)
        return numba.njit(nogil=True)(function)


class Matrix(NamedTuple):
    """A sparse matrix by columns and by rows."""

    start: np.ndarray
    row: np.ndarray
    value: np.ndarray
    row_start: np.ndarray
    row_column: np.ndarray
    row_value: np.ndarray

    @classmethod
    def of(cls, matrix: sp.csc_matrix) -> Matrix:
        """Take a scipy matrix."""
        by_rows = matrix.tocsr()
        index = np.int32
        return cls(
            matrix.indptr.astype(index), matrix.indices.astype(index), matrix.data,
            by_rows.indptr.astype(index), by_rows.indices.astype(index), by_rows.data,
        )  # fmt: skip


class Factors(NamedTuple):
    """Factors of the basis of each program: L and U by columns, and what changed since.

    Row i of the basis is row ``row_place[i]`` of L, column j is column ``column_place[j]`` of U.
    L has ones on its diagonal, which are left out; that of U stands by itself.
    """

    lower_start: np.ndarray
    lower_row: np.ndarray
    lower_value: np.ndarray
    upper_start: np.ndarray
    upper_row: np.ndarray
    upper_value: np.ndarray
    diagonal: np.ndarray
    row_place: np.ndarray
    column_place: np.ndarray
    n_changes: np.ndarray
    change_start: np.ndarray
    change_row: np.ndarray
    change_value: np.ndarray
    changed: np.ndarray
    pivot: np.ndarray

    @classmethod
    def empty(cls, n_programs: int, n_rows: int) -> Factors:
        """Make room."""

        def room(size: int, kind: type = np.int32) -> np.ndarray:
            return np.zeros((n_programs, size), kind)

        n_numbers, n_changed = 4 * n_rows, 8 * n_rows + MOST_CHANGES
        return cls(
            room(n_rows + 1), room(n_numbers), room(n_numbers, float),
            room(n_rows + 1), room(n_numbers), room(n_numbers, float), room(n_rows, float),
            room(n_rows), room(n_rows), np.zeros(n_programs, np.int32),
            room(MOST_CHANGES + 1), room(n_changed), room(n_changed, float),
            room(MOST_CHANGES), room(MOST_CHANGES, float),
        )  # fmt: skip

    def put(self, k: int, matrix: Matrix, basic: np.ndarray) -> Factors:
        """Factor the basis of a program; where its numbers need more room, that is other arrays.

        Raises
        ------
        RuntimeError
            It is singular.
        """
        n = basic.size
        start, row, value = _columns(matrix, basic)
        made = splu(sp.csc_matrix((value, row, start), shape=(n, n)))
        lower, upper = made.L, made.U
        larger = {}
        for name, part in (("lower", lower), ("upper", upper)):
            more = part.nnz - getattr(self, f"{name}_row").shape[1]
            if more > 0:
                for column in (f"{name}_row", f"{name}_value"):
                    larger[column] = np.pad(getattr(self, column), ((0, 0), (0, 2 * more)))
        kept = self._replace(**larger)
        ones = np.empty(n)
        _split(
            lower.indptr, lower.indices, lower.data,
            kept.lower_start[k], kept.lower_row[k], kept.lower_value[k], ones,
        )  # fmt: skip
        _split(
            upper.indptr, upper.indices, upper.data,
            kept.upper_start[k], kept.upper_row[k], kept.upper_value[k], kept.diagonal[k],
        )  # fmt: skip
        kept.row_place[k], kept.column_place[k] = made.perm_r, made.perm_c
        kept.n_changes[k] = 0
        return kept


class Bases(NamedTuple):
    """The basis of each program.

    Attributes
    ----------
    basic : columns of the basis (program, row)
    place : row of each column in the basis; -1 outside (program, column)
    is_upper : columns at their upper limit (program, column)
    reduced : reduced costs (program, goal, column)
    n_pivots : of the last step (program)
    """

    basic: np.ndarray
    place: np.ndarray
    is_upper: np.ndarray
    reduced: np.ndarray
    n_pivots: np.ndarray

    @classmethod
    def empty(cls, n_programs: int, n_goals: int, n_rows: int, n_columns: int) -> Bases:
        """Make room."""
        return cls(
            np.zeros((n_programs, n_rows), np.int32),
            np.full((n_programs, n_columns), -1, np.int32),
            np.zeros((n_programs, n_columns), bool),
            np.zeros((n_programs, n_goals, n_columns)),
            np.zeros(n_programs, np.int64),
        )


@compiled
def _columns(matrix: Matrix, basic: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copy some columns of a matrix: where each starts, rows and values."""
    start = np.zeros(basic.size + 1, np.int32)
    for i in range(basic.size):
        start[i + 1] = start[i] + matrix.start[basic[i] + 1] - matrix.start[basic[i]]
    row, value = np.empty(start[-1], np.int32), np.empty(start[-1])
    for i in range(basic.size):
        first, end = matrix.start[basic[i]], matrix.start[basic[i] + 1]
        row[start[i] : start[i + 1]] = matrix.row[first:end]
        value[start[i] : start[i + 1]] = matrix.value[first:end]
    return start, row, value


@compiled
def _split(
    start: np.ndarray,
    row: np.ndarray,
    value: np.ndarray,
    kept_start: np.ndarray,
    kept_row: np.ndarray,
    kept_value: np.ndarray,
    diagonal: np.ndarray,
) -> None:
    """Copy a triangle by columns, its diagonal apart."""
    end = 0
    for j in range(diagonal.size):
        kept_start[j] = end
        for p in range(start[j], start[j + 1]):
            if row[p] == j:
                diagonal[j] = value[p]
            else:
                kept_row[end], kept_value[end] = row[p], value[p]
                end += 1
    kept_start[diagonal.size] = end


def get_ready() -> None:
    """Compile what is here, or read it from disk: seconds once a machine, and a third later."""
    matrix = Matrix.of(sp.csc_matrix([[1.0, -1.0]]))
    bases = Bases.empty(1, 1, 1, 2)
    bases.place[0, 0] = 0
    costs, values, found = np.zeros((1, 2)), np.zeros((1, 2)), np.zeros(1, np.int64)
    factors = Factors.empty(1, 1).put(0, matrix, bases.basic[0])
    price(matrix, factors, bases, 0, costs)
    can_move = np.ones(2, bool)
    advance(np.arange(1), matrix, factors, bases, can_move, values, values, values.copy(), found)
    duals = np.zeros((1, 1, 1))
    check_goals(matrix, costs[:, :1].copy(), values, duals, values, values, 0.0)


# --- solves ---------------------------------------------------------------------------------


@compiled
def solve(factors: Factors, k: int, right: np.ndarray, x: np.ndarray) -> None:
    """Solve B x = right, where B is the basis of a program.

    Parameters
    ----------
    right : which is lost (row)
    x : values by the place of their column in the basis (row)
    """
    n = x.size
    start, row, value = factors.lower_start[k], factors.lower_row[k], factors.lower_value[k]
    for i in range(n):
        x[factors.row_place[k, i]] = right[i]
    for j in range(n):
        if x[j] != 0.0:
            for p in range(start[j], start[j + 1]):
                x[row[p]] -= value[p] * x[j]
    start, row, value = factors.upper_start[k], factors.upper_row[k], factors.upper_value[k]
    for j in range(n - 1, -1, -1):
        if x[j] != 0.0:
            x[j] /= factors.diagonal[k, j]
            for p in range(start[j], start[j + 1]):
                x[row[p]] -= value[p] * x[j]
    right[:] = x
    for i in range(n):
        x[i] = right[factors.column_place[k, i]]
    start, row, value = factors.change_start[k], factors.change_row[k], factors.change_value[k]
    for c in range(factors.n_changes[k]):
        at = factors.changed[k, c]
        if x[at] != 0.0:
            x[at] /= factors.pivot[k, c]
            for p in range(start[c], start[c + 1]):
                x[row[p]] -= value[p] * x[at]


@compiled
def solve_transposed(factors: Factors, k: int, right: np.ndarray, y: np.ndarray) -> None:
    """Solve B' y = right, where B is the basis of a program.

    Parameters
    ----------
    right : by the place of the column in the basis, which is lost (row)
    y : (row)
    """
    n = y.size
    start, row, value = factors.change_start[k], factors.change_row[k], factors.change_value[k]
    for c in range(factors.n_changes[k] - 1, -1, -1):
        at = factors.changed[k, c]
        total = right[at]
        for p in range(start[c], start[c + 1]):
            total -= value[p] * right[row[p]]
        right[at] = total / factors.pivot[k, c]
    for i in range(n):
        y[factors.column_place[k, i]] = right[i]
    start, row, value = factors.upper_start[k], factors.upper_row[k], factors.upper_value[k]
    for j in range(n):
        total = y[j]
        for p in range(start[j], start[j + 1]):
            total -= value[p] * y[row[p]]
        y[j] = total / factors.diagonal[k, j]
    start, row, value = factors.lower_start[k], factors.lower_row[k], factors.lower_value[k]
    for j in range(n - 1, -1, -1):
        total = y[j]
        for p in range(start[j], start[j + 1]):
            total -= value[p] * y[row[p]]
        y[j] = total
    right[:] = y
    for i in range(n):
        y[i] = right[factors.row_place[k, i]]


@compiled
def price(matrix: Matrix, factors: Factors, bases: Bases, k: int, costs: np.ndarray) -> None:
    """Compute the reduced costs of a program from its basis and the costs (goal, column)."""
    n_rows = bases.basic.shape[1]
    right, y = np.empty(n_rows), np.empty(n_rows)
    for g in range(costs.shape[0]):
        for i in range(n_rows):
            right[i] = costs[g, bases.basic[k, i]]
        solve_transposed(factors, k, right, y)
        for j in range(costs.shape[1]):
            total = 0.0
            if bases.place[k, j] < 0:
                total = costs[g, j]
                for p in range(matrix.start[j], matrix.start[j + 1]):
                    total -= matrix.value[p] * y[matrix.row[p]]
            bases.reduced[k, g, j] = total


# --- pivots ---------------------------------------------------------------------------------


@compiled
def advance(
    programs: np.ndarray,
    matrix: Matrix,
    factors: Factors,
    bases: Bases,
    can_move: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    values: np.ndarray,
    found: np.ndarray,
) -> None:
    """Go from basis to basis until each program lies within its limits.

    Parameters
    ----------
    programs : which
    can_move : columns whose two limits may differ (column)
    lower, upper : limits (program, column)
    values : of all columns, which are written (program, column)
    found : SOLVED, WORN or LOST, which is written (program)
    """
    n_rows, n_columns = bases.basic.shape[1], values.shape[1]
    at, low, high = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    right, of_row, column = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    share, is_touched = np.zeros(n_columns), np.zeros(n_columns, np.bool_)
    touched, entering = np.empty(n_columns, np.int32), np.empty(n_columns, np.int32)
    for k in programs:
        found[k] = LOST
        if not _basic_values(matrix, factors, bases, k, lower, upper, values, right, at):
            continue
        basic, place, is_upper = bases.basic[k], bases.place[k], bases.is_upper[k]
        for i in range(n_rows):
            low[i], high[i] = lower[k, basic[i]], upper[k, basic[i]]
        while bases.n_pivots[k] < MOST_PIVOTS:
            row = _farthest_outside(at, low, high)
            if row < 0:
                for i in range(n_rows):
                    values[k, basic[i]] = at[i]
                found[k] = SOLVED
                break
            n_changes = factors.n_changes[k]
            is_full = factors.change_start[k, n_changes] + n_rows > factors.change_row.shape[1]
            if n_changes == factors.changed.shape[1] or is_full:
                found[k] = WORN
                break
            is_above = at[row] > high[row]
            limit = high[row] if is_above else low[row]
            right[:] = 0.0
            right[row] = 1.0
            solve_transposed(factors, k, right, of_row)
            n_touched = _shares(matrix, of_row, place, share, touched, is_touched)
            enters = _least_ratio(
                bases.reduced[k], is_upper, can_move, is_above, share, touched[:n_touched], entering
            )
            if enters < 0:
                _forget(share, touched[:n_touched])
                break
            right[:] = 0.0
            for p in range(matrix.start[enters], matrix.start[enters + 1]):
                right[matrix.row[p]] = matrix.value[p]
            solve(factors, k, right, column)
            pivot = column[row]
            if abs(pivot - share[enters]) > AGREE * (1 + abs(pivot)):
                _forget(share, touched[:n_touched])
                if n_changes:
                    found[k] = WORN
                break
            leaves = basic[row]
            for g in range(bases.reduced.shape[1]):
                reduced = bases.reduced[k, g]
                ratio = reduced[enters] / pivot
                if ratio != 0.0:
                    for j in touched[:n_touched]:
                        reduced[j] -= ratio * share[j]
                reduced[enters], reduced[leaves] = 0.0, -ratio
            _forget(share, touched[:n_touched])
            move = (at[row] - limit) / pivot
            _note_change(factors, k, row, column, move, at)
            at[row] = (upper[k, enters] if is_upper[enters] else lower[k, enters]) + move
            basic[row], place[enters], place[leaves] = enters, row, -1
            is_upper[enters], is_upper[leaves] = False, is_above
            low[row], high[row] = lower[k, enters], upper[k, enters]
            values[k, leaves] = limit
            bases.n_pivots[k] += 1


@compiled
def _basic_values(
    matrix: Matrix,
    factors: Factors,
    bases: Bases,
    k: int,
    lower: np.ndarray,
    upper: np.ndarray,
    values: np.ndarray,
    right: np.ndarray,
    at: np.ndarray,
) -> bool:
    """Put columns outside the basis at their limits, and compute the values of the others.

    False where a column would be at a limit that it does not have.
    """
    right[:] = 0.0
    for j in range(values.shape[1]):
        if bases.place[k, j] < 0:
            value = upper[k, j] if bases.is_upper[k, j] else lower[k, j]
            if not np.isfinite(value):
                return False
            values[k, j] = value
            if value != 0.0:
                for p in range(matrix.start[j], matrix.start[j + 1]):
                    right[matrix.row[p]] -= matrix.value[p] * value
    solve(factors, k, right, at)
    return True


@compiled
def _farthest_outside(at: np.ndarray, low: np.ndarray, high: np.ndarray) -> int:
    """Row whose value is farthest outside its limits; -1 where all lie within."""
    row, most = -1, WITHIN
    for i in range(at.size):
        if at[i] < low[i]:
            outside = (low[i] - at[i]) / (1 + abs(low[i]))
        elif at[i] > high[i]:
            outside = (at[i] - high[i]) / (1 + abs(high[i]))
        else:
            continue
        if outside > most:
            row, most = i, outside
    return row


@compiled
def _shares(
    matrix: Matrix,
    of_row: np.ndarray,
    place: np.ndarray,
    share: np.ndarray,
    touched: np.ndarray,
    is_touched: np.ndarray,
) -> int:
    """Add up the share of each column outside the basis in a row of its inverse.

    Returns
    -------
    int
        Number of columns that have one, which stand in `touched`.
    """
    n_touched = 0
    for i in range(of_row.size):
        if of_row[i] != 0.0:
            for p in range(matrix.row_start[i], matrix.row_start[i + 1]):
                j = matrix.row_column[p]
                if place[j] < 0:
                    share[j] += of_row[i] * matrix.row_value[p]
                    if not is_touched[j]:
                        is_touched[j] = True
                        touched[n_touched] = j
                        n_touched += 1
    for j in touched[:n_touched]:
        is_touched[j] = False
    return n_touched


@compiled
def _forget(share: np.ndarray, touched: np.ndarray) -> None:
    for j in touched:
        share[j] = 0.0


@compiled
def _least_ratio(
    reduced: np.ndarray,
    is_upper: np.ndarray,
    can_move: np.ndarray,
    is_above: bool,
    share: np.ndarray,
    touched: np.ndarray,
    entering: np.ndarray,
) -> int:
    """Column whose reduced costs, over its share, are lexicographically least; -1 for none."""
    n_entering = 0
    for j in touched:
        toward = share[j] if is_above != is_upper[j] else -share[j]
        if can_move[j] and toward > PIVOT:
            entering[n_entering] = j
            n_entering += 1
    for g in range(reduced.shape[0]):
        if n_entering <= 1:
            break
        least = np.inf
        for j in entering[:n_entering]:
            least = min(least, _ratio(reduced[g], is_upper, share, j))
        n_left = 0
        for j in entering[:n_entering]:
            if _ratio(reduced[g], is_upper, share, j) <= least + TIE:
                entering[n_left] = j
                n_left += 1
        n_entering = n_left
    best, most = -1, 0.0
    for j in entering[:n_entering]:
        if abs(share[j]) > most:
            best, most = j, abs(share[j])
    return best


@compiled
def _ratio(reduced: np.ndarray, is_upper: np.ndarray, share: np.ndarray, j: int) -> float:
    return (-reduced[j] if is_upper[j] else reduced[j]) / abs(share[j])


@compiled
def _note_change(
    factors: Factors, k: int, row: int, column: np.ndarray, move: float, at: np.ndarray
) -> None:
    """Note that a column took the place of another, and move the basic values."""
    n_changes = factors.n_changes[k]
    end = factors.change_start[k, n_changes]
    for i in range(column.size):
        if column[i] != 0.0 and i != row:
            at[i] -= move * column[i]
            factors.change_row[k, end] = i
            factors.change_value[k, end] = column[i]
            end += 1
    factors.changed[k, n_changes] = row
    factors.pivot[k, n_changes] = column[row]
    factors.n_changes[k] = n_changes + 1
    factors.change_start[k, n_changes + 1] = end


# --- certificates ---------------------------------------------------------------------------


@compiled
def check_goals(
    matrix: Matrix,
    costs: np.ndarray,
    values: np.ndarray,
    duals: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    face: float,
) -> np.ndarray:
    """Certify many programs at once, as ``solve.certify`` does one.

    Those before a goal hold what has a reduced cost of theirs, so its duals may lean on that.

    Parameters
    ----------
    matrix : of columns and then rows, which are columns of their own
    costs : of each goal, the largest 1 (goal, column)
    values : (program, column)
    duals : (program, goal, row)
    lower, upper : limits of columns and then rows (program, column)
    face : dual up to which a column may move without a loss

    Returns
    -------
    ndarray
        Worst primal, dual and gap of each goal (goal, figure).
    """
    worst = np.zeros((costs.shape[0], 3))
    n_rows = duals.shape[2]
    n = costs.shape[1]
    x, is_held = np.empty(n + n_rows), np.empty(n + n_rows, np.bool_)
    for k in range(values.shape[0]):
        primal = 0.0
        x[:n] = values[k, :n]
        x[n:] = 0.0
        for j in range(n):
            for p in range(matrix.start[j], matrix.start[j + 1]):
                x[n + matrix.row[p]] += matrix.value[p] * x[j]
        for j in range(x.size):
            if np.isfinite(lower[k, j]):
                primal = max(primal, (lower[k, j] - x[j]) / (1 + abs(lower[k, j])))
            if np.isfinite(upper[k, j]):
                primal = max(primal, (x[j] - upper[k, j]) / (1 + abs(upper[k, j])))
            is_held[j] = False
        for g in range(costs.shape[0]):
            y = duals[k, g]
            objective = bound = largest = dual = 0.0
            for j in range(x.size):
                if j < n:
                    reduced = costs[g, j]
                    largest = max(largest, abs(reduced))
                    objective += reduced * x[j]
                    for p in range(matrix.start[j], matrix.start[j + 1]):
                        reduced -= matrix.value[p] * y[matrix.row[p]]
                else:
                    reduced = y[j - n]
                limit = lower[k, j] if reduced > 0 else upper[k, j]
                if is_held[j]:
                    limit = x[j]
                if np.isfinite(limit):
                    bound += reduced * limit
                else:
                    dual = max(dual, abs(reduced))
                if abs(reduced) > face:
                    is_held[j] = True
            gap = abs(objective - bound) / max(1.0, abs(objective))
            if not np.isfinite(gap):  # something is not a number
                gap = np.inf
            worst[g, 0] = max(worst[g, 0], primal)
            worst[g, 1] = max(worst[g, 1], dual / (1 + largest))
            worst[g, 2] = max(worst[g, 2], gap)
    return worst
