"""Stack one period into the linear program of a horizon.

The period model is read once.  Every coefficient is a Pyomo data expression whose value is an array
over (member, period); every variable has an index map that names its column in each period:

=========  ====================================================  ==========================
own        a column of its own in every period                   flow, storage at the end
carried    the column of another variable, k periods ago         storage at the start
shared     one column for each window of periods                 a level of satisfaction
=========  ====================================================  ==========================

A row repeats once a period, or once a window, over which its terms add up.  All members have the
same matrix with other numbers, so index arrays are kept once and numbers are (member, ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.repn import generate_standard_repn

from wateralloc.errors import ModelError


@dataclass(frozen=True)
class MemberProgram:
    """The linear program of one member: min cost x, row_lower <= A x <= row_upper, bounds on x.

    ``indptr, indices, data`` hold A by columns.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    col_lower: np.ndarray
    col_upper: np.ndarray
    row_lower: np.ndarray
    row_upper: np.ndarray

    @property
    def matrix(self) -> sp.csc_matrix:
        """A as a scipy matrix (row, column)."""
        shape = (self.row_lower.size, self.col_lower.size)
        return sp.csc_matrix((self.data, self.indices, self.indptr), shape=shape)


@dataclass(frozen=True)
class LinearProgram:
    """The stacked program of all members.

    Attributes
    ----------
    indptr, indices : A by columns, the same for every member
    data : numbers of A (member, nonzero)
    col_lower, col_upper : (member, column)
    row_lower, row_upper : (member, row)
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    col_lower: np.ndarray
    col_upper: np.ndarray
    row_lower: np.ndarray
    row_upper: np.ndarray

    @property
    def n_members(self) -> int:
        return self.col_lower.shape[0]

    @property
    def n_columns(self) -> int:
        return self.col_lower.shape[1]

    @property
    def n_rows(self) -> int:
        return self.row_lower.shape[1]

    @property
    def n_nonzeros(self) -> int:
        return self.indices.size

    def member(self, k: int) -> MemberProgram:
        """Return the program of member `k`."""
        return MemberProgram(
            self.indptr, self.indices, self.data[k],
            self.col_lower[k], self.col_upper[k], self.row_lower[k], self.row_upper[k],
        )


@dataclass(frozen=True)
class Terms:
    """A linear expression of the period, stacked: constant + sum of coefficient * column.

    Attributes
    ----------
    constant : (member, period)
    columns : one index map (period) a term
    coefficients : one array (member, period) a term
    """

    constant: np.ndarray
    columns: tuple[np.ndarray, ...]
    coefficients: tuple[np.ndarray, ...]


@dataclass
class Horizon:
    """The stacked horizon of a period model.

    Parameters
    ----------
    model : Pyomo model of one period, with its notes in ``model.repeats``
    n_members, n_periods : size of every data array, (member, period)
    """

    model: pyo.ConcreteModel
    n_members: int
    n_periods: int
    columns: dict[int, np.ndarray] = field(default_factory=dict)
    rows: dict[int, np.ndarray] = field(default_factory=dict)
    lp: LinearProgram | None = None
    _variables: dict[int, Any] = field(default_factory=dict)
    _constraints: list[Any] = field(default_factory=list)
    _initial: list[tuple[Any, int, int]] = field(default_factory=list)
    _terms: dict[int, tuple[Any, Terms]] = field(default_factory=dict)

    # --- values -----------------------------------------------------------------------------

    def array(self, expression: Any) -> np.ndarray:
        """Value of a data expression, broadcast to (member, period)."""
        value = pyo.value(expression) if not isinstance(expression, (int, float)) else expression
        return np.broadcast_to(np.asarray(value, float), (self.n_members, self.n_periods))

    def terms(self, expression: Any) -> Terms:
        """Stack a linear expression of the period.

        Raises
        ------
        ModelError
            The expression is not linear in the variables.
        """
        known = self._terms.get(id(expression))
        if known is not None and known[0] is expression:
            return known[1]
        repn = generate_standard_repn(expression, compute_values=False)
        if not repn.is_linear():
            raise ModelError(f"expression is not linear: {expression}")
        terms = Terms(
            self.array(repn.constant),
            tuple(self.columns[id(v)] for v in repn.linear_vars),
            tuple(self.array(c) for c in repn.linear_coefs),
        )
        self._terms[id(expression)] = (expression, terms)
        return terms

    def value(self, expression: Any, x: np.ndarray) -> np.ndarray:
        """Value of a linear expression at a solution.

        Parameters
        ----------
        expression : linear expression of the period model
        x : column values (member, column)

        Returns
        -------
        ndarray (member, period)
        """
        terms = self.terms(expression)
        total = terms.constant.copy()
        for column, coefficient in zip(terms.columns, terms.coefficients, strict=True):
            total += coefficient * x[:, column]
        return total

    def cost(self, expression: Any) -> tuple[np.ndarray, np.ndarray]:
        """Sum an expression over the horizon.

        Returns
        -------
        cost : ndarray (member, column)
        constant : ndarray (member,)
        """
        terms = self.terms(expression)
        cost = np.zeros((self.n_members, self.lp.n_columns))
        for column, coefficient in zip(terms.columns, terms.coefficients, strict=True):
            for k in range(self.n_members):
                np.add.at(cost[k], column, coefficient[k])
        return cost, terms.constant.sum(axis=1)

    # --- stacking ---------------------------------------------------------------------------

    def stack(self) -> LinearProgram:
        """Lay out columns and rows of all periods and members; idempotent."""
        if self.lp is None:
            n_columns, col_lower, col_upper = self._lay_columns()
            self.lp = self._lay_rows(n_columns, col_lower, col_upper)
        return self.lp

    def _lay_columns(self) -> tuple[int, np.ndarray, np.ndarray]:
        periods, repeats = np.arange(self.n_periods), self.model.repeats
        alias = {id(c.now) for c in repeats.carried}
        lower: list[np.ndarray] = []
        upper: list[np.ndarray] = []
        n_columns = 0
        for variable in self.model.component_data_objects(pyo.Var, descend_into=True):
            if id(variable) in alias:
                continue
            low = self.array(-np.inf if variable.lower is None else variable.lower)
            high = self.array(np.inf if variable.upper is None else variable.upper)
            window = repeats.shared.get(id(variable))
            if window is None:
                window, count = periods, self.n_periods
            else:
                count = int(window.max()) + 1
                first = np.unique(window, return_index=True)[1]
                low, high = low[:, first], high[:, first]
            lower.append(low)
            upper.append(high)
            self.columns[id(variable)] = n_columns + window
            self._variables[id(variable)] = variable
            n_columns += count
        for carried in repeats.carried:
            count = min(carried.lag, self.n_periods)
            initial = self.array(carried.initial)[:, :count]
            lower.append(initial)
            upper.append(initial)
            before = self.columns[id(carried.before)][: self.n_periods - count]
            self.columns[id(carried.now)] = np.concatenate([n_columns + periods[:count], before])
            self._initial.append((carried.now, n_columns, count))
            n_columns += count
        shape = (self.n_members, 0)
        return (
            n_columns,
            np.concatenate(lower, axis=1) if lower else np.empty(shape),
            np.concatenate(upper, axis=1) if upper else np.empty(shape),
        )

    def _lay_rows(
        self, n_columns: int, col_lower: np.ndarray, col_upper: np.ndarray
    ) -> LinearProgram:
        periods, totals = np.arange(self.n_periods), self.model.repeats.totals
        rows: list[np.ndarray] = []
        columns: list[np.ndarray] = []
        values: list[np.ndarray] = []
        limits: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        n_rows = 0
        for constraint in self.model.component_data_objects(pyo.Constraint, descend_into=True):
            window = totals.get(id(constraint))
            active = slice(None) if window is None else np.flatnonzero(window >= 0)
            window = periods if window is None else window[active]
            count = int(window.max()) + 1 if window.size else 0
            self._constraints.append(constraint)
            self.rows[id(constraint)] = n_rows + np.arange(count)
            if not count:
                continue
            terms = self.terms(constraint.body)
            whole = count == window.size and np.array_equal(window, np.arange(count))

            def summed(array: np.ndarray, window=window, active=active, whole=whole, count=count):
                array = array[:, active]
                if whole:
                    return array
                out = np.zeros((self.n_members, count))
                np.add.at(out, (slice(None), window), array)
                return out

            for column, coefficient in zip(terms.columns, terms.coefficients, strict=True):
                rows.append(n_rows + window)
                columns.append(column[active])
                values.append(coefficient[:, active])
            offset = summed(terms.constant)
            bounds = ((constraint.lower, -np.inf), (constraint.upper, np.inf))
            for (limit, none), out in zip(bounds, limits, strict=True):
                if limit is None:
                    out.append(np.full((self.n_members, count), none))
                else:
                    out.append(summed(self.array(limit)) - offset)
            n_rows += count
        indptr, indices, data = _columns_of(
            rows, columns, values, n_rows, n_columns, self.n_members
        )
        empty = [np.empty((self.n_members, 0))]
        return LinearProgram(
            indptr, indices, data, col_lower, col_upper,
            np.concatenate(limits[0] or empty, axis=1), np.concatenate(limits[1] or empty, axis=1),
        )

    # --- labels -----------------------------------------------------------------------------

    def column_labels(self, periods: list[str]) -> np.ndarray:
        """Name every column of a member, as ``flow[a_to_b]@2030-06-01``."""
        labels = np.empty(self.lp.n_columns, object)
        for key, variable in self._variables.items():
            map_ = self.columns[key]
            first = np.unique(map_, return_index=True)
            for column, period in zip(*first, strict=True):
                labels[column] = f"{variable.name}@{periods[period]}"
        for variable, first_column, count in self._initial:
            for k in range(count):
                labels[first_column + k] = f"{variable.name}@{periods[k]}|initial"
        return labels

    def row_labels(self, periods: list[str]) -> np.ndarray:
        """Name every row of a member, as ``balance[son_tay]@2030-06-01``."""
        labels = np.empty(self.lp.n_rows, object)
        for constraint in self._constraints:
            first = self.first_periods(constraint)
            for row, period in zip(self.rows[id(constraint)], first, strict=True):
                labels[row] = f"{constraint.name}@{periods[period]}"
        return labels

    def first_periods(self, constraint: Any) -> np.ndarray:
        """First period of each row of a constraint (row)."""
        window = self.model.repeats.totals.get(id(constraint))
        if window is None:
            return np.arange(self.n_periods)
        number, first = np.unique(window, return_index=True)
        return first[number >= 0]

    @property
    def constraints(self) -> list[Any]:
        """Constraints of the period, in the order of their rows."""
        return self._constraints

    @property
    def variables(self) -> list[Any]:
        """Variables of the period that have columns of their own, in the order of those."""
        return list(self._variables.values())


def _columns_of(
    rows: list[np.ndarray],
    columns: list[np.ndarray],
    values: list[np.ndarray],
    n_rows: int,
    n_columns: int,
    n_members: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort entries by column and row, add duplicates, drop what is zero in every member."""
    if not rows:
        return np.zeros(n_columns + 1, np.int32), np.empty(0, np.int32), np.empty((n_members, 0))
    row, column = np.concatenate(rows), np.concatenate(columns)
    value = np.concatenate(values, axis=1)
    used = (value != 0).any(axis=0)
    if not used.all():
        row, column, value = row[used], column[used], value[:, used]
    # counting sort by scipy: the numbers of the entries travel through it in place of values
    number = np.arange(1.0, row.size + 1)
    order = sp.coo_matrix((number, (row, column)), shape=(n_rows, n_columns)).tocsc()
    if order.nnz == row.size:
        order.sort_indices()
        return order.indptr, order.indices, value[:, order.data.astype(np.int64) - 1]
    key, slot = np.unique(column.astype(np.int64) * n_rows + row, return_inverse=True)
    data = np.zeros((n_members, key.size))
    np.add.at(data, (slice(None), slot), value)
    indptr = np.searchsorted(key // n_rows, np.arange(n_columns + 1)).astype(np.int32)
    return indptr, (key % n_rows).astype(np.int32), data
