"""Stack one period into the linear program of a horizon.

The period model is read once.  Every coefficient is a Pyomo data expression whose value is an array
over (member, period); every variable has an index map that names its column in each period:

=========  ====================================================  ==========================
own        a column of its own in every period                   flow, storage at the end
carried    the column of another variable, k periods ago         storage at the start
shared     one column for each window of periods                 a level of satisfaction
=========  ====================================================  ==========================

A row repeats once a period, or once a window, over which its terms and its limits add up; windows
may overlap.  All members have the same matrix with other numbers, so index arrays are kept once and
numbers are (member, ...).  A shared column may be one for all members: it binds them in
:meth:`LinearProgram.joint`.

A program may hold fewer periods than the horizon: those in *sight*.  It is the program of the whole
horizon with what lies before them at its value and what lies after them left out: see
:class:`Sight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.common.numeric_types import native_numeric_types
from pyomo.core.expr import NPV_MaxExpression, NPV_MinExpression
from pyomo.core.expr.visitor import identify_mutable_parameters
from pyomo.repn import generate_standard_repn

from wateralloc.errors import ModelError
from wateralloc.repeats import Carried, Overlapping, Repeats
from wateralloc.tangents import Tangent

_INDEX = np.int32
_ALL = slice(None)


# --- programs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemberProgram:
    """The linear program of one member: min cost x, row_lower <= A x <= row_upper, bounds on x.

    ``indptr, indices, data`` hold A by columns, rows in order within each.
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


def with_coefficients(
    lp: MemberProgram, rows: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> MemberProgram:
    """Copy a program with other coefficients, each at a row and column of its own."""
    matrix = lp.matrix
    more = np.asarray(values, float) - np.asarray(matrix[rows, columns]).ravel()
    changed = (matrix + sp.csc_matrix((more, (rows, columns)), shape=matrix.shape)).tocsc()
    changed.sort_indices()
    return replace(lp, indptr=changed.indptr, indices=changed.indices, data=changed.data)


@dataclass(frozen=True)
class JointProgram(MemberProgram):
    """The linear program of all members side by side, joined by the columns they have in common.

    Rows of member k follow those of member k - 1.  Columns too, but for those in common, which
    stand where the first member has them.

    Attributes
    ----------
    place : joint column of each column of each member (member, column)
    """

    place: np.ndarray

    def join_cost(self, cost: np.ndarray) -> np.ndarray:
        """Add up a cost (member, column) over the joint columns (joint column)."""
        return np.bincount(self.place.ravel(), np.ravel(cost), self.col_lower.size)

    def split_columns(self, x: np.ndarray) -> np.ndarray:
        """Read values of joint columns back for each member (member, column)."""
        return np.asarray(x)[self.place]

    def split_rows(self, y: np.ndarray) -> np.ndarray:
        """Read values of joint rows back for each member (member, row)."""
        return np.reshape(y, (self.place.shape[0], -1))


@dataclass(frozen=True)
class LinearProgram:
    """The stacked program of all members.

    Attributes
    ----------
    indptr, indices : A by columns, rows in order within each; the same for every member
    data : numbers of A (member, nonzero)
    col_lower, col_upper : (member, column)
    row_lower, row_upper : (member, row)
    common : columns that are one for all members (column), bool
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    col_lower: np.ndarray
    col_upper: np.ndarray
    row_lower: np.ndarray
    row_upper: np.ndarray
    common: np.ndarray

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
        """Return the program of member `k` alone (views, no copies)."""
        return MemberProgram(
            self.indptr, self.indices, self.data[k],
            self.col_lower[k], self.col_upper[k], self.row_lower[k], self.row_upper[k],
        )  # fmt: skip

    def joint(self) -> JointProgram:
        """Return one program of all members: block diagonal, but for the columns in common.

        The bounds of a column in common are the tightest of all members.
        """
        n_members, n_columns, n_rows = self.n_members, self.n_columns, self.n_rows
        own = ~self.common
        n_own = int(own.sum())
        n_joint = n_columns + (n_members - 1) * n_own
        _check_size(n_joint, n_members * n_rows, n_members * self.n_nonzeros)
        place = np.empty((n_members, n_columns), _INDEX)
        place[:] = np.arange(n_columns, dtype=_INDEX)
        place[1:, own] = np.arange(n_columns, n_joint, dtype=_INDEX).reshape(n_members - 1, n_own)

        length = np.diff(self.indptr)
        offset = np.arange(n_members, dtype=_INDEX)[:, None] * _INDEX(n_rows)
        matrix = sp.csr_matrix(  # of the transpose: its rows are the columns of all members
            (
                self.data.ravel(),
                (self.indices + offset).ravel(),
                np.append(0, np.cumsum(np.tile(length, n_members))).astype(_INDEX),
            ),
            shape=(n_members * n_columns, n_members * n_rows),
        )
        if n_own < n_columns:
            # a joint column in common adds up those of its members, which have no row together
            one = np.ones(place.size)
            where = (place.ravel(), np.arange(place.size, dtype=_INDEX))
            matrix = sp.csr_matrix((one, where), shape=(n_joint, place.size)) @ matrix
            matrix.sort_indices()
        lower, upper = np.full(n_joint, -np.inf), np.full(n_joint, np.inf)
        for k in range(n_members):
            lower[place[k]] = np.maximum(lower[place[k]], self.col_lower[k])
            upper[place[k]] = np.minimum(upper[place[k]], self.col_upper[k])
        return JointProgram(
            matrix.indptr.astype(_INDEX, copy=False),
            matrix.indices.astype(_INDEX, copy=False),
            matrix.data, lower, upper, self.row_lower.ravel(), self.row_upper.ravel(), place,
        )  # fmt: skip


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


# --- the model, read once -------------------------------------------------------------------


@dataclass(slots=True)
class Linear:
    """A linear expression of the period: constant + sum of coefficient * variable, all of data."""

    constant: Any
    coefficients: list[Any]
    variables: list[Any]


class Reading:
    """What a period model says, read once for all programs that are laid out from it.

    Attributes
    ----------
    variables, constraints : of the period, in the order of their columns and rows
    place : id of a variable or constraint -> its place among them
    free : id of variables of goals that are one column for a window: levels, which are decided anew
        in every program that sees a part of the window; all others are decided once
    local : data of expressions with a line in them, which hold the periods in sight only while a
        program is laid out
    """

    def __init__(self, model: pyo.ConcreteModel) -> None:
        self.model = model
        self.repeats: Repeats = getattr(model, "repeats", None) or Repeats()
        self.tangents: list[Tangent] = getattr(getattr(model, "tangents", None), "all", [])
        self._moves = {id(data) for t in self.tangents for data in (t.intercept, *t.slopes)}
        self._linear: dict[int, tuple[Any, Linear]] = {}
        self._moving: dict[int, tuple[Any, bool]] = {}
        self._of_last: dict[int, tuple[Any, bool]] = {}
        self._values: dict[int, tuple[Any, Any]] = {}
        self._rows: dict[int, tuple[Any, Any, Any]] = {}
        self._runs: dict[int, dict[int, np.ndarray]] = {}
        self._lists: dict[str, list[Any]] = {}
        self.local: dict[int, Any] = dict(self.repeats.last)
        self.whole: dict[int, Any] = {}
        """Values over the whole horizon of the data that are local now, by id."""

    @property
    def variables(self) -> list[Any]:
        if "variables" not in self._lists:
            found = self.model.component_data_objects(pyo.Var, descend_into=True)
            # a Reference shows its variables again
            self._lists["variables"] = list({id(v): v for v in found}.values())
        return self._lists["variables"]

    @property
    def constraints(self) -> list[Any]:
        if "constraints" not in self._lists:
            found = self.model.component_data_objects(
                pyo.Constraint, active=True, descend_into=True
            )
            self._lists["constraints"] = list({id(c): c for c in found}.values())
        return self._lists["constraints"]

    @property
    def place(self) -> dict[int, int]:
        if "place" not in self.__dict__:
            of = {id(v): k for k, v in enumerate(self.variables)}
            self.__dict__["place"] = of | {id(c): k for k, c in enumerate(self.constraints)}
        return self.__dict__["place"]

    @property
    def free(self) -> set[int]:
        if "free" not in self.__dict__:
            goals = getattr(self.model, "goals", None)
            of_goals = goals.component_data_objects(pyo.Var) if goals is not None else ()
            self.__dict__["free"] = {id(v) for v in of_goals if id(v) in self.repeats.shared}
        return self.__dict__["free"]

    def linear(self, expression: Any) -> Linear:
        """Read a linear expression.

        Raises
        ------
        ModelError
            It is not linear.
        """
        known = self._linear.get(id(expression))
        if known is None or known[0] is not expression:
            repn = generate_standard_repn(expression, compute_values=False)
            if not repn.is_linear():
                raise ModelError(f"expression is not linear: {expression}")
            known = expression, Linear(repn.constant, list(repn.linear_coefs), repn.linear_vars)
            self._linear[id(expression)] = known
        return known[1]

    def row(self, constraint: Any) -> tuple[Any, Any, Any]:
        """Lower limit, body and upper limit of a constraint."""
        known = self._rows.get(id(constraint))
        if known is None:
            known = self._rows[id(constraint)] = constraint.to_bounded_expression()
        return known

    def runs(self, window: np.ndarray) -> dict[int, np.ndarray]:
        """Periods of each window: number -> periods."""
        known = self._runs.get(id(window))
        if known is None:
            order = np.argsort(window, kind="stable")
            order = order[np.searchsorted(window[order], 0) :]
            number = window[order]
            parts = np.split(order, np.flatnonzero(np.diff(number)) + 1) if order.size else []
            known = self._runs[id(window)] = {int(window[run[0]]): run for run in parts}
        return known

    def moves(self, expression: Any) -> bool:
        """Tell whether a line of ``m.tangents`` is in an expression."""
        if not self._moves or expression.__class__ in native_numeric_types:
            return False
        known = self._moving.get(id(expression))
        if known is None or known[0] is not expression:
            data = list(identify_mutable_parameters(expression))
            known = expression, any(id(one) in self._moves for one in data)
            if known[1]:
                self.local |= {id(one): one for one in data}
            self._moving[id(expression)] = known
        return known[1]

    def is_local(self, expression: Any) -> bool:
        """Tell whether an expression depends on which periods are in sight."""
        if self.moves(expression):
            return True
        if not self.repeats.last or expression.__class__ in native_numeric_types:
            return False
        known = self._of_last.get(id(expression))
        if known is None or known[0] is not expression:
            data = list(identify_mutable_parameters(expression))
            known = expression, any(id(one) in self.repeats.last for one in data)
            if known[1]:
                self.local |= {id(one): one for one in data}
            self._of_last[id(expression)] = known
        return known[1]

    @contextmanager
    def localised(self, sight: Sight) -> Iterator[dict[int, Any]]:
        """Let data that stand with a line hold the periods in sight, as lines then do.

        Yields
        ------
        dict
            id of data -> its value over the whole horizon, which it has again afterwards
        """
        whole = {key: data.value for key, data in self.local.items()}
        last = np.zeros(sight.rows.shape)
        last[:, -1] = 1.0
        for key, value in whole.items():
            is_last = key in self.repeats.last
            self.local[key].set_value(last if is_last else sight.take(value))
        self.whole = whole
        try:
            yield whole
        finally:
            self.whole = {}
            for key, value in whole.items():
                self.local[key].set_value(value)

    def value(self, expression: Any) -> Any:
        """Value over the whole horizon of a data expression without lines; computed once."""
        known = self._values.get(id(expression))
        if known is None or known[0] is not expression:
            known = expression, self._value(expression)
            self._values[id(expression)] = known
        return known[1]

    def _value(self, expression: Any) -> Any:
        if not self.whole:
            return evaluate(expression)
        local = {key: self.local[key].value for key in self.whole}
        for key, value in self.whole.items():
            self.local[key].set_value(value)
        try:
            return evaluate(expression)
        finally:
            for key, value in local.items():
                self.local[key].set_value(value)


def evaluate(expression: Any) -> Any:
    """Value of a data expression, as the number or array that it is."""
    if expression.__class__ in native_numeric_types or isinstance(expression, np.ndarray):
        return expression
    if isinstance(expression, NPV_MaxExpression | NPV_MinExpression):
        # Python's max and min, which Pyomo would call, do not take arrays
        ufunc = np.maximum if isinstance(expression, NPV_MaxExpression) else np.minimum
        return reduce(ufunc, [evaluate(argument) for argument in expression.args])
    is_parameter = expression.is_parameter_type()  # the common case, and a costly call less
    return expression.value if is_parameter else pyo.value(expression)


# --- a part of the horizon ------------------------------------------------------------------


@dataclass(frozen=True)
class Realised:
    """What has been decided so far.

    Attributes
    ----------
    columns : column of each variable, by its place, in each period of the horizon
    x : values of the columns of the whole horizon (member, column)
    activity : place of a constraint over windows -> what its body came to, without the levels of
        goals (member, time)
    """

    columns: list[np.ndarray]
    x: np.ndarray
    activity: dict[int, np.ndarray] = field(default_factory=dict)

    def value(self, place: int, periods: Any) -> np.ndarray:
        """Values of a variable, by its place, in some periods (member, period)."""
        return self.x[:, self.columns[place][periods]]


@dataclass(frozen=True)
class Sight:
    """The periods that one program holds, of a longer horizon.

    What lies before is known: carried variables start from it, and rows over a window count it.
    What lies after is left out.  Of a row over a window that goes on after the periods in sight, a
    minimum is asked in proportion to the days gone by then, so that it is kept on schedule; of a
    maximum the whole limit counts.  Of windows that overlap those are rows that end in sight, and
    the first while it has not ended.  A variable that is one column for a window is decided when
    its window first comes into sight and then stays, but for the levels of goals, which are decided
    anew.

    Attributes
    ----------
    first : first period in sight
    days : length of each period of the horizon (time)
    rows : row of the data that holds for each member and period in sight (member, period)
    realised : what has been decided before
    """

    first: int
    days: np.ndarray
    rows: np.ndarray
    realised: Realised

    @property
    def total(self) -> int:
        """Periods of the horizon."""
        return self.days.size

    @property
    def count(self) -> int:
        return self.rows.shape[1]

    @property
    def end(self) -> int:
        return self.first + self.count

    def take(self, value: Any) -> Any:
        """Values in sight of data over the whole horizon."""
        if np.ndim(value) == 0:
            return value
        value = np.asarray(value, float)
        is_for_all = value.ndim == 1 or value.shape[0] == 1
        is_by_member = not is_for_all and value.shape[0] == len(self.rows) and self._is_by_member
        if value.shape[-1] == self.total > 1 and (is_for_all or is_by_member):
            return value[..., self.first : self.end]
        return self.at(value, np.arange(self.first, self.end))

    @cached_property
    def _is_by_member(self) -> bool:
        """Whether each member has one row of data, and these stand in their order."""
        places = np.arange(self.rows.shape[0])
        return bool((self.rows == places[:, None]).all())

    def at(self, value: Any, periods: np.ndarray) -> Any:
        """Values in some periods: a number, or (member, period); later ones are as the last."""
        if np.ndim(value) == 0:
            return value
        value = np.asarray(value, float)
        if value.shape[-1] == 1:
            return self.at(value[..., 0], periods) if value.ndim == 1 else self._by_member(value)
        if value.shape[-1] != self.total:
            raise ModelError(
                f"data of shape {value.shape} do not fit a horizon of {self.total} periods"
            )
        if value.ndim == 1 or value.shape[0] == 1:
            return value[..., periods]
        inside = np.clip(periods - self.first, 0, self.count - 1)
        # the first period in sight is known, as are those before it
        rows = np.where(periods < self.first, self.rows[:, :1], self.rows[:, inside])
        return value[rows, periods]

    def _by_member(self, value: np.ndarray) -> np.ndarray:
        return value if value.shape[0] == 1 else value[self.rows[:, 0]]


@dataclass(frozen=True)
class Steps(Sight):
    """Periods side by side: each period of each member as a program of one period of its own.

    The members of the program are all members in the first period, then all in the next; `rows` has
    the place of each among all.  What comes from before is not in it: initial values are 0.
    """

    periods: int = 1

    @property
    def _span(self) -> slice:
        return slice(self.first, self.first + self.periods)

    def at(self, value: Any, periods: np.ndarray) -> Any:
        return self.take(value)

    def take(self, value: Any) -> Any:
        if np.ndim(value) == 0:
            return value
        value = np.asarray(value, float)
        n_members = self.rows.shape[0] // self.periods
        if value.ndim < 2 or value.shape[0] == 1:
            one = np.broadcast_to(value, (1, self.total))[0, self._span]
            return np.repeat(one, n_members)[:, None]
        wide = np.broadcast_to(value, (value.shape[0], self.total))
        return wide[self.rows[:n_members, 0], self._span].T.reshape(-1, 1)


# --- where components lie -------------------------------------------------------------------


@dataclass(slots=True)  # not frozen: there are hundreds, and freezing costs a call a field
class _Copies:
    """Where the copies of a component lie: `count` columns or rows from `first`.

    Attributes
    ----------
    stands_at : period by which each copy is named (copy): the first of its window, or the last
        where windows overlap
    note : tail of their labels
    """

    component: Any
    first: int
    stands_at: np.ndarray
    note: str = ""

    @property
    def count(self) -> int:
        return self.stands_at.size

    @property
    def span(self) -> slice:
        return slice(self.first, self.first + self.count)


@dataclass(slots=True)
class _Block:
    """The rows of a constraint before they are written into the matrix.

    Attributes
    ----------
    maps, coefficients : index map (period) and number or array of each term
    constant, lower, upper : number or array; None where there is no limit
    periods : the periods that take part, ordered by window; all of them as a slice.  Where windows
        overlap, a period stands once for each
    starts : position in `periods` where each window starts; None where each period is a row
    elsewhere : entries of `periods` at which no row stands, where windows overlap
    n_entries : how many numbers of the matrix they are
    moving : constant and coefficients as expressions, where a line of ``m.tangents`` is in them
    """

    copies: _Copies
    maps: list[np.ndarray]
    coefficients: list[Any]
    variables: list[Any]
    constant: Any
    lower: Any
    upper: Any
    periods: Any
    starts: np.ndarray | None
    elsewhere: np.ndarray | None
    n_entries: int
    moving: tuple[Any, list[Any]] | None = None
    seen: _Seen | None = None


@dataclass(frozen=True)
class _Seen:
    """The rows of a constraint over windows of which only a part may be in sight.

    Attributes
    ----------
    order : periods of the horizon that take part, ordered by window
    starts : position in `order` where each window starts
    wide : of each term that is a level of a goal, its columns by period of the horizon; else None
    low, high : limits of the rows less what their windows came to before (member, row)
    places : place of each row among those of the whole horizon
    stands_at : period in sight by which each row is named
    """

    order: np.ndarray
    starts: np.ndarray
    wide: list[np.ndarray | None]
    low: np.ndarray | None
    high: np.ndarray | None
    places: np.ndarray
    stands_at: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (..., entry) over each row."""
        return np.add.reduceat(values, self.starts, axis=-1)


@dataclass(frozen=True)
class _ByColumns:
    """How entries, row by row, become the numbers of the matrix, column by column.

    Attributes
    ----------
    order : entry of each number, sorted
    start : where the numbers start that add up to one; None where none do
    used : numbers that are kept; None where all are
    """

    order: np.ndarray
    start: np.ndarray | None
    used: np.ndarray | None

    def numbers(self, entries: np.ndarray) -> np.ndarray:
        """Numbers of the matrix (member, nonzero) from entries (member, entry)."""
        data = entries[:, self.order]
        if self.start is not None:
            data = np.add.reduceat(data, self.start, axis=1)
        return data if self.used is None else data[:, self.used]


class Horizon:
    """The stacked horizon of a period model.

    Parameters
    ----------
    model : Pyomo model of one period, with its notes in ``model.repeats``
    n_members, n_periods : size of every data array, (member, period)
    sight : the periods are these, of a longer horizon; `n_periods` of them
    reading : of the same model, where another horizon has read it

    Attributes
    ----------
    columns : id of a variable -> its column in each period (period)
    rows : id of a constraint -> its rows, one a period or one a window (row)
    lp : the stacked program, after :meth:`stack`
    """

    def __init__(
        self,
        model: pyo.ConcreteModel,
        n_members: int,
        n_periods: int,
        sight: Sight | None = None,
        reading: Reading | None = None,
    ) -> None:
        self.model = model
        self.sight = sight
        self.reading = reading or Reading(model)
        self.n_members = n_members
        self.n_periods = n_periods
        self.columns: dict[int, np.ndarray] = {}
        self.rows: dict[int, np.ndarray] = {}
        self.lp: LinearProgram | None = None
        self._shape = (n_members, n_periods)
        self._repeats = self.reading.repeats
        self._moving: list[tuple[_Block, slice]] = []
        self._entries: np.ndarray | None = None
        self._by_columns: _ByColumns | None = None
        self._column_copies: list[_Copies] = []
        self._row_copies: list[_Copies] = []
        self._terms: dict[int, tuple[Any, Terms]] = {}
        self._ordered: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self._wide: dict[int, np.ndarray] = {}
        self.carried: list[Carried] = []
        """Notes on carried variables, in the order of their columns with initial values."""
        self._seen: dict[int, _Seen] = {}

    # --- values -----------------------------------------------------------------------------

    def array(self, expression: Any) -> np.ndarray:
        """Value of a data expression, broadcast to (member, period).

        Raises
        ------
        ModelError
            Its shape does not fit.
        """
        return np.broadcast_to(self._number(expression), self._shape)

    def _number(self, expression: Any) -> Any:
        """Value of a data expression: a number, or an array that broadcasts to (member, period)."""
        if expression.__class__ in native_numeric_types:
            return expression
        if self.sight is not None and not self._is_local(expression):
            return self.sight.take(self.reading.value(expression))
        value = evaluate(expression)
        if value.__class__ in native_numeric_types:
            return value
        value = np.asarray(value, float)
        if value.shape == self._shape:
            return value
        try:
            np.broadcast_to(value, self._shape)
        except ValueError:
            raise ModelError(
                f"data of shape {value.shape} do not fit {self.n_members} members and "
                f"{self.n_periods} periods; give an array (member, period)"
            ) from None
        return value

    def _is_local(self, expression: Any) -> bool:
        """Tell whether a data expression holds the periods in sight already."""
        if isinstance(expression, np.ndarray):
            return expression.shape == self._shape
        return id(expression) in self.reading.local or self.reading.is_local(expression)

    def _standard(self, expression: Any) -> tuple[Any, list[np.ndarray], list[Any], list[Any]]:
        """Constant, index maps, coefficients and variables of a linear expression."""
        constant, maps, coefficients, variables = self._symbols(expression)
        number = self._number
        return number(constant), maps, [number(c) for c in coefficients], variables

    def _symbols(self, expression: Any) -> tuple[Any, list[np.ndarray], list[Any], list[Any]]:
        """As :meth:`_standard`, with constant and coefficients as data expressions."""
        if expression.__class__ in native_numeric_types or isinstance(expression, np.ndarray):
            return expression, [], [], []
        linear = self.reading.linear(expression)
        try:
            maps = [self.columns[id(variable)] for variable in linear.variables]
        except KeyError:
            known = self.columns
            alien = next(v for v in linear.variables if id(v) not in known)
            raise ModelError(
                f"'{alien.name}' is not a variable of the stacked period model; "
                "declare it on the model before it is stacked"
            ) from None
        return linear.constant, maps, linear.coefficients, linear.variables

    def terms(self, expression: Any) -> Terms:
        """Stack a linear expression of the period, or data (a number or an array).

        Raises
        ------
        ModelError
            The expression is not linear in the variables, or names a variable that is not stacked.
        """
        known = self._terms.get(id(expression))
        if known is not None and known[0] is expression:
            return known[1]
        constant, maps, coefficients, _ = self._standard(expression)
        shape = self._shape
        terms = Terms(
            np.broadcast_to(constant, shape),
            tuple(maps),
            tuple(np.broadcast_to(c, shape) for c in coefficients),
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
        total = terms.constant.astype(float)
        for column, coefficient in zip(terms.columns, terms.coefficients, strict=True):
            total += coefficient * x[:, column]
        return total

    def cost(self, expression: Any) -> tuple[np.ndarray, np.ndarray]:
        """Sum an expression over the horizon.

        Returns
        -------
        cost : ndarray (member, column)
        constant : ndarray (member,)

        Raises
        ------
        ModelError
            A number of the expression is not finite.
        """
        constant, maps, coefficients, variables = self._standard(expression)
        n_columns = self._stacked.n_columns
        cost = np.zeros((self.n_members, n_columns))
        if maps:
            column = np.concatenate(maps)
            weight = np.empty((self.n_members, len(maps), self.n_periods))
            for j, coefficient in enumerate(coefficients):
                weight[:, j] = coefficient
            for k in range(self.n_members):
                cost[k] = np.bincount(column, weight[k].ravel(), n_columns)
            self._count_past(cost, expression, variables)
        total = np.broadcast_to(constant, self._shape).sum(axis=1, dtype=float)
        if not (np.isfinite(cost).all() and np.isfinite(total).all()):
            named = [
                (f"coefficient of '{v.name}'", c)
                for v, c in zip(variables, coefficients, strict=True)
            ]
            self._refuse([*named, ("constant", constant)], "an objective")
        return cost, total

    def _count_past(self, cost: np.ndarray, expression: Any, variables: list[Any]) -> None:
        """Add what levels of goals count in periods before those in sight, in the same window."""
        if self.sight is None or not self.sight.first:
            return
        before = np.arange(self.sight.first)
        for j, variable in enumerate(variables):
            wide = self._wide.get(id(variable))
            if wide is None:
                continue
            weight = self.reading.value(self.reading.linear(expression).coefficients[j])
            weight = np.broadcast_to(self.sight.at(weight, before), (self.n_members, before.size))
            seen = wide[before] >= 0
            for k in range(self.n_members):
                cost[k] += np.bincount(wide[before][seen], weight[k, seen], cost.shape[1])

    @property
    def integers(self) -> np.ndarray:
        """Columns that are yes or no (column)."""
        spans = [
            np.arange(copies.first, copies.first + copies.count)
            for copies in self._column_copies
            if not copies.note and copies.component.is_binary()
        ]
        return np.concatenate([*spans, np.empty(0, int)]).astype(int)

    @property
    def _stacked(self) -> LinearProgram:
        if self.lp is None:
            raise ModelError("the horizon is not stacked yet; call stack() first")
        return self.lp

    # --- stacking ---------------------------------------------------------------------------

    def stack(self) -> LinearProgram:
        """Lay out columns and rows of all periods and members; idempotent.

        Raises
        ------
        ModelError
            A row is not linear, a number is NaN, a coefficient or a bound cannot be, or a note in
            ``model.repeats`` does not fit the model.
        """
        if self.lp is None:
            for former in (self.columns, self.rows, self._column_copies, self._row_copies):
                former.clear()  # what a stack that failed left behind
            try:
                self._check_notes()
                lower, upper, common = self._lay_columns()
                self.lp = self._lay_rows(lower, upper, common)
            except ModelError:
                if self.sight is None:  # the model may be mended
                    self.reading = Reading(self.model)
                raise
        return self.lp

    def lay_out(self) -> np.ndarray:
        """Name the columns without their limits: enough to keep values in them.

        Returns
        -------
        ndarray (member, column)
            The columns with their initial values; 0 in those to be decided.
        """
        self.columns.clear()
        self._column_copies.clear()
        limits: list[tuple[Any, Any]] = []
        n_decided = self._place_decided(limits)
        x = np.zeros(
            (self.n_members, self._place_carried(self._order_carried(), n_decided, limits))
        )
        for copies, (initial, _) in zip(self._column_copies, limits, strict=True):
            if copies.note:
                x[:, copies.span] = initial
        return x

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limits of columns and then rows (member, column), without the matrix.

        Raises
        ------
        ModelError
            A limit is NaN, or infinite on the wrong side.
        """
        for former in (self.columns, self.rows, self._column_copies, self._row_copies):
            former.clear()
        col_lower, col_upper, _ = self._lay_columns()
        blocks, n_rows = self._read_rows()
        row_lower, row_upper = np.empty((2, self.n_members, n_rows))
        for block in blocks:
            self._write_limits(block, row_lower, row_upper)
        self._check_row_limits(row_lower, row_upper)
        return np.hstack([col_lower, row_lower]), np.hstack([col_upper, row_upper])

    def moves(self, expression: Any) -> bool:
        """Tell whether a line of ``m.tangents`` is in an expression."""
        return self.reading.moves(expression)

    def forget(self) -> None:
        """Forget the values of expressions, after lines of ``m.tangents`` have moved."""
        self._terms.clear()

    def refresh(self) -> LinearProgram:
        """Renew the numbers of the stacked program, after lines of ``m.tangents`` have moved.

        Only the rows in which they stand are read again; columns, bounds and the places of all
        numbers stay.
        """
        lp = self._stacked
        self.forget()
        row_lower, row_upper = lp.row_lower.copy(), lp.row_upper.copy()
        for block, entries in self._moving:
            self._read_numbers(block)
            self._write_numbers(block, self._entries[:, entries])
            self._write_limits(block, row_lower, row_upper)
        if self._moving:
            data = self._by_columns.numbers(self._entries)
            if not np.isfinite(data).all():
                self._refuse_coefficients([block for block, _ in self._moving])
            for limit, what in ((row_lower, "lower limit"), (row_upper, "upper limit")):
                if np.isnan(limit).any():
                    self._refuse_limit(np.isnan(limit), self._row_copies, what)
            self.lp = replace(lp, data=data, row_lower=row_lower, row_upper=row_upper)
        return self.lp

    def _check_notes(self) -> None:
        for component in self._repeats.noted.values():
            if component.model() is not self.model:
                raise ModelError(
                    f"'{component.name}' has a note in repeats but is not in the model"
                )

    def _windows(
        self, component: Any, window: np.ndarray | Overlapping
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Periods of windows, ordered by window; where each starts; the period it stands at."""
        key = id(window)
        known = self._ordered.get(key)
        if known is not None:  # rows of one rule mostly have their window in common
            return known
        if self.sight is not None:
            window = self._in_sight(component, window)
        if isinstance(window, tuple):
            found = self._overlapping(component, window)
            self._ordered[key] = found
            return found
        if window.size != self.n_periods:
            raise ModelError(
                f"the window of '{component.name}' numbers {window.size} periods; "
                f"the horizon has {self.n_periods}"
            )
        order = np.argsort(window, kind="stable")
        order = order[np.searchsorted(window[order], 0) :]
        number = window[order]
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        self._ordered[key] = order, starts, order[starts]
        return self._ordered[key]

    def _in_sight(
        self, component: Any, window: np.ndarray | Overlapping
    ) -> np.ndarray | Overlapping:
        """Windows by the periods in sight."""
        sight = self.sight
        if isinstance(window, tuple):
            ends = np.array([run[-1] for run in window], int)
            is_row = (ends >= sight.first) & (ends < sight.end)
            if ends.size and ends[0] >= sight.end:
                is_row[0] = True  # the first, while it has not ended
            runs = (window[k] for k in np.flatnonzero(is_row))
            inside = (run[(run >= sight.first) & (run < sight.end)] - sight.first for run in runs)
            return tuple(run for run in inside if run.size)
        if window.size != sight.total:
            raise ModelError(
                f"the window of '{component.name}' numbers {window.size} periods; "
                f"the horizon has {sight.total}"
            )
        if id(component) in self._repeats.ends:
            window = np.full(sight.count, -1)
            window[-1] = 0
            return window
        return window[sight.first : sight.end]

    def _overlapping(
        self, component: Any, window: Overlapping
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = np.concatenate([*window, np.empty(0, int)]).astype(int)
        if order.size and order.max() >= self.n_periods:
            raise ModelError(
                f"the windows of '{component.name}' name period {order.max()} (counted from 0); "
                f"the horizon has {self.n_periods}"
            )
        ends = np.cumsum([0, *(run.size for run in window)])
        return order, ends[:-1], order[ends[1:] - 1]

    # --- columns

    def _lay_columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Name the column of every variable in every period; return bounds and what is common."""
        limits: list[tuple[Any, Any]] = []
        n_decided = self._place_decided(limits)
        notes = self.carried = self._order_carried()
        n_columns = self._place_carried(notes, n_decided, limits)
        _check_size(n_columns, 0, 0)
        lower = np.empty((self.n_members, n_columns))
        upper = np.empty((self.n_members, n_columns))
        common = np.zeros(n_columns, bool)
        for copies, (low, high) in zip(self._column_copies, limits, strict=True):
            span = copies.span
            lower[:, span], upper[:, span] = low, high
            if id(copies.component) in self._repeats.common:
                common[span] = True
        repeated = set(self._repeats.shared)  # variables that have a column in several periods
        for note in notes:
            if id(note.before) in repeated:
                repeated.add(id(note.now))
            # the columns that hold initial values come last and stay as they are
            decided = lower[:, :n_decided], upper[:, :n_decided]
            self._tighten(note, *decided, id(note.now) in repeated)
        # written so that NaN fails too
        if not ((lower < np.inf).all() and (upper > -np.inf).all()):
            self._refuse_limit(~(lower < np.inf), self._column_copies, "lower bound")
            self._refuse_limit(~(upper > -np.inf), self._column_copies, "upper bound")
        return lower, upper, common

    def _place_decided(self, limits: list[tuple[Any, Any]]) -> int:
        """Place own and shared variables and add their bounds; return the number of columns."""
        periods = np.arange(self.n_periods)
        carried = {id(note.now) for note in self._repeats.carried}
        n_columns = 0
        for variable in self.reading.variables:
            key = id(variable)
            if not (variable.is_continuous() or variable.is_binary()):
                raise ModelError(
                    f"'{variable.name}' is neither continuous nor a yes or no (Binary); "
                    "the period must be linear"
                )
            if key in carried:
                continue
            low, high = self._bounds(variable)
            window = self._repeats.shared.get(key)
            if window is None:
                copies = _Copies(variable, n_columns, periods)
                map_ = np.arange(n_columns, n_columns + self.n_periods, dtype=_INDEX)
            else:
                order, starts, stands_at = self._windows(variable, window)
                copies = _Copies(variable, n_columns, stands_at)
                map_ = np.empty(self.n_periods, _INDEX)
                place = np.arange(n_columns, n_columns + starts.size)
                map_[order] = np.repeat(place, np.diff(starts, append=order.size))
                low, high = (  # the tightest over each window
                    ufunc.reduceat(np.broadcast_to(limit, self._shape)[:, order], starts, axis=1)
                    for ufunc, limit in ((np.maximum, low), (np.minimum, high))
                )
                if self.sight is not None:
                    low, high = self._share_in_sight(variable, window, map_, low, high)
            self.columns[key] = map_
            self._column_copies.append(copies)
            limits.append((low, high))
            n_columns += copies.count
        return n_columns

    def _share_in_sight(
        self, variable: Any, window: np.ndarray, map_: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Limits of a variable with a column a window, of which a part may lie before."""
        sight = self.sight
        if id(variable) in self.reading.free:
            column = np.full(int(window.max()) + 1, -1, _INDEX)
            column[window[sight.first : sight.end]] = map_
            self._wide[id(variable)] = column[window]
        elif sight.first and window[sight.first] in window[: sight.first]:
            low, high = low.copy(), high.copy()
            decided = sight.realised.value(self.reading.place[id(variable)], sight.first - 1)
            low[:, 0] = high[:, 0] = decided
        return low, high

    def _place_carried(
        self, notes: list[Carried], n_columns: int, limits: list[tuple[Any, Any]]
    ) -> int:
        """Place carried variables and add columns for their initial values; return the number."""
        periods = np.arange(self.n_periods)
        for note in notes:
            count = min(note.lag, self.n_periods)
            initial = self._initial(note, count)
            self._column_copies.append(_Copies(note.now, n_columns, periods[:count], "|initial"))
            limits.append((initial, initial))
            before = self.columns[id(note.before)]
            first = np.arange(n_columns, n_columns + count, dtype=_INDEX)
            self.columns[id(note.now)] = np.concatenate([first, before[: self.n_periods - count]])
            n_columns += count
        return n_columns

    def _bounds(self, variable: Any) -> tuple[Any, Any]:
        """Bounds of a variable in each period; its value where it is fixed."""
        if variable.fixed:
            value = self._number(variable)
            return value, value
        low, high = variable.lower, variable.upper
        return (
            -np.inf if low is None else self._number(low),
            np.inf if high is None else self._number(high),
        )

    def _order_carried(self) -> list[Carried]:
        """Notes on carried variables, each after the one its `before` is carried by."""
        waiting = {id(note.now): note for note in self._repeats.carried}
        ordered = []
        while waiting:
            ready = [note for note in waiting.values() if id(note.before) not in waiting]
            if not ready:
                names = ", ".join(f"'{note.now.name}'" for note in waiting.values())
                raise ModelError(f"{names} are carried from each other in a circle")
            for note in ready:
                del waiting[id(note.now)]
                if note.now.fixed:
                    raise ModelError(f"'{note.now.name}' is carried and fixed; fix what it carries")
            ordered += ready
        return ordered

    def _initial(self, note: Carried, count: int) -> Any:
        """Values of a carried variable before it carries: a number, or (member, count)."""
        if self.sight is not None:
            return self._initial_in_sight(note, count)
        value = note.initial
        if value.__class__ not in native_numeric_types and not isinstance(value, np.ndarray):
            value = pyo.value(value)
        if value.__class__ in native_numeric_types:
            return value
        value = np.atleast_1d(np.asarray(value, float))
        width = value.shape[-1]
        try:
            if width not in (1, note.lag, self.n_periods):
                raise ValueError
            return np.broadcast_to(value[..., :count], (self.n_members, count))
        except ValueError:
            raise ModelError(
                f"initial values of '{note.now.name}' have shape {value.shape}; give one number, "
                f"or an array ({self.n_members}, {note.lag}): one for each member and lagged period"
            ) from None

    def _initial_in_sight(self, note: Carried, count: int) -> np.ndarray:
        """Values of a carried variable where it stands for what was before (member, count)."""
        sight, values = self.sight, np.zeros((self.n_members, count))
        if isinstance(sight, Steps):
            return values
        place = self.reading.place[id(note.before)]
        for k in range(count):
            period = sight.first + k
            if period >= note.lag:
                values[:, k] = sight.realised.value(place, period - note.lag)
            else:
                initial = np.asarray(evaluate(note.initial), float)
                if initial.ndim > 1 and initial.shape[0] > 1:
                    initial = initial[sight.rows[:, 0]]
                is_one = initial.ndim == 0 or initial.shape[-1] == 1
                values[:, k] = initial[..., 0 if is_one else period] if initial.ndim else initial
        return values

    def _tighten(
        self, note: Carried, lower: np.ndarray, upper: np.ndarray, is_repeated: bool
    ) -> None:
        """Let the bounds of a carried variable hold for the columns it stands for."""
        limits = [
            (ufunc, limit, bound)
            for ufunc, limit, bound in zip(
                (np.maximum, np.minimum), self._bounds(note.now), (lower, upper), strict=True
            )
            if np.ndim(limit) or np.isfinite(limit)
        ]
        if not limits:
            return
        column = self.columns[id(note.now)]
        periods = np.flatnonzero(column < lower.shape[1])
        column = column[periods]
        for ufunc, limit, bound in limits:
            limit = np.broadcast_to(limit, self._shape)[:, periods]
            if is_repeated:
                for of_member, limit_of_member in zip(bound, limit, strict=True):
                    ufunc.at(of_member, column, limit_of_member)
            else:
                bound[:, column] = ufunc(bound[:, column], limit)

    # --- rows

    def _read_rows(self) -> tuple[list[_Block], int]:
        """Read every active constraint of the period; return them and the number of rows."""
        totals, periods = self._repeats.totals, np.arange(self.n_periods)
        blocks = []
        n_rows = 0
        for constraint in self.reading.constraints:
            low, body, high = self.reading.row(constraint)
            window = totals.get(id(constraint))
            taken: Any = _ALL
            starts = elsewhere = seen = None
            try:
                symbols = self._symbols(body)
                if window is None:
                    copies = _Copies(constraint, n_rows, periods)
                elif self.sight is not None:
                    seen = self._seen[id(constraint)] = self._see(constraint, window)
                    copies = _Copies(constraint, n_rows, seen.stands_at)
                    starts = seen.starts
                else:
                    taken, starts, stands_at = self._windows(constraint, window)
                    copies = _Copies(constraint, n_rows, stands_at)
                if isinstance(window, tuple) and self._repeats.once:
                    size = seen.order.size if seen else taken.size
                    elsewhere = np.ones(size, bool)
                    elsewhere[np.append(starts[1:], size)[: starts.size] - 1] = False
                block = _Block(
                    copies, symbols[1], symbols[2], symbols[3], symbols[0], None, None,
                    taken, starts, elsewhere, 0,
                    (symbols[0], symbols[2]) if self.moves(body) else None, seen,
                )  # fmt: skip
                self._read_numbers(block)
                if seen is None:
                    block.lower = None if low is None else self._number(low)
                    block.upper = (
                        block.lower if high is low else None if high is None else self._number(high)
                    )
            except ModelError as error:
                raise ModelError(f"'{constraint.name}': {error}") from None
            size = self.n_periods if starts is None else seen.order.size if seen else taken.size
            block.n_entries = size * len(block.maps)
            blocks.append(block)
            self._row_copies.append(copies)
            end = n_rows + copies.count
            self.rows[id(constraint)] = np.arange(n_rows, end, dtype=_INDEX)
            n_rows = end
        return blocks, n_rows

    def _read_numbers(self, block: _Block) -> None:
        """Evaluate the constant and the coefficients of a block."""
        constant, coefficients = block.moving or (block.constant, block.coefficients)
        block.constant = self._number(constant)
        block.coefficients = [self._number(c) for c in coefficients]
        if block.seen is not None:
            self._place_seen(block, coefficients)

    # --- rows over windows of which a part is in sight

    def _see(self, constraint: Any, window: np.ndarray | Overlapping) -> _Seen:
        """Find the rows of a constraint over windows."""
        sight = self.sight
        _, body, _ = self.reading.row(constraint)
        wide = [self._wide.get(id(v)) for v in self.reading.linear(body).variables]
        has_level = any(of_term is not None for of_term in wide)
        runs = self._runs(constraint, window, wide)
        least = 0 if has_level else sight.first
        taken = [run[(run >= least) & (run < sight.end)] for run in runs]
        order = np.concatenate([*taken, np.empty(0, int)]).astype(int)
        starts = np.cumsum([0, *(run.size for run in taken)])[:-1]
        if isinstance(window, tuple):
            stands_at = [run[-1] for run in taken]
        else:
            stands_at = [run[run >= sight.first][0] if run[-1] >= sight.first else sight.first
                         for run in taken]  # fmt: skip
        limits = self._limits_in_sight(constraint, runs)
        named = np.array(stands_at, int) - sight.first
        return _Seen(order, starts, wide, *limits, self._places(constraint, window, runs), named)

    def _places(
        self, constraint: Any, window: np.ndarray | Overlapping, runs: list[np.ndarray]
    ) -> np.ndarray:
        """Place of the row of each window among those of the whole horizon."""
        if id(constraint) in self._repeats.ends:
            return np.zeros(len(runs), int)
        if isinstance(window, tuple):
            last = np.array([run[-1] for run in window], int)
            return np.searchsorted(last, [run[-1] for run in runs])
        return np.searchsorted(list(self.reading.runs(window)), [window[run[0]] for run in runs])

    def _runs(
        self, constraint: Any, window: np.ndarray | Overlapping, wide: list[np.ndarray | None]
    ) -> list[np.ndarray]:
        """Periods of the horizon of each window that is a row of the program."""
        sight = self.sight
        if id(constraint) in self._repeats.ends:
            return [np.array([sight.end - 1])]
        if isinstance(sight, Steps):
            return [np.array([sight.first])]
        if isinstance(window, tuple):
            runs = [run for run in window if sight.first <= run[-1] < sight.end]
            first = window[:1]
            is_open = first and first[0][-1] >= sight.end and first[0][0] < sight.end
            return [*first, *runs] if is_open else runs
        by_number = self.reading.runs(window)
        seen = np.unique(window[sight.first : sight.end])
        found = {int(number): by_number[int(number)] for number in seen if number >= 0}
        if wide and all(of_term is not None for of_term in wide):
            # a row of levels alone stands in one period, which may lie before
            for number, run in by_number.items():
                if run[-1] < sight.first and all((of_term[run] >= 0).all() for of_term in wide):
                    found[number] = run
        return [found[number] for number in sorted(found)]

    def _limits_in_sight(
        self, constraint: Any, runs: list[np.ndarray]
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Limits of rows, less what their windows came to before; None where there is none."""
        sight = self.sight
        low, _, high = self.reading.row(constraint)
        activity = sight.realised.activity.get(self.reading.place[id(constraint)])
        shape = (self.n_members, len(runs))

        def limit(expression: Any, is_whole: bool) -> np.ndarray | None:
            if expression is None:
                return None
            if self._is_local(expression) and any(r[0] < sight.first for r in runs):
                raise ModelError("its limit has a line in it, and its window reaches back")
            value, total = self.reading.value(expression), np.zeros(shape)
            for j, run in enumerate(runs):
                amount = sight.at(value, run)
                if np.ndim(amount) == 0:
                    amount = np.full((1, run.size), amount)
                total[:, j] = np.sum(np.atleast_2d(amount), axis=1)
                if not is_whole and run[-1] >= sight.end:
                    gone = sight.days[run[run < sight.end]].sum()
                    total[:, j] *= gone / sight.days[run].sum()
                if activity is not None:
                    total[:, j] -= activity[:, run[run < sight.first]].sum(axis=1)
            return total

        if isinstance(sight, Steps):
            return self._limits_of_steps(constraint, low, high)
        lower = limit(low, is_whole=False)
        return lower, lower if high is low else limit(high, is_whole=True)

    def _limits_of_steps(
        self, constraint: Any, low: Any, high: Any
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Limits of a row that is there in some periods only: none in the others."""
        window, shape = self._repeats.totals[id(constraint)], (self.n_members, 1)
        is_there = self.sight.take((np.asarray(window) >= 0).astype(float)) > 0
        if id(constraint) in self._repeats.ends:
            is_there = np.ones(shape, bool)
        limits: list[np.ndarray | None] = []
        for expression, none in ((low, -np.inf), (high, np.inf)):
            if expression is None:
                limits.append(None)
            else:
                value = np.broadcast_to(self._number(expression), shape)
                limits.append(np.where(is_there, value, none))
        return limits[0], limits[1]

    def _place_seen(self, block: _Block, symbols: list[Any]) -> None:
        """Put maps and coefficients of a block in the order of its entries."""
        sight, seen = self.sight, block.seen
        local, is_past = seen.order - sight.first, seen.order < sight.first
        before = seen.order[is_past]
        inside = np.maximum(local, 0)
        maps, coefficients = [], []
        for j, number in enumerate(block.coefficients):
            map_, wide = self.columns[id(block.variables[j])], seen.wide[j]
            placed = np.broadcast_to(number, self._shape)[:, inside]
            column = map_[inside]
            if is_past.any():
                placed, column = placed.copy(), column.copy()
                placed[:, is_past] = 0.0
                if wide is not None:
                    is_seen = wide[before] >= 0
                    value = sight.at(self.reading.value(symbols[j]), before)
                    shape = (self.n_members, before.size)
                    placed[:, is_past] = np.where(is_seen, np.broadcast_to(value, shape), 0.0)
                    column[is_past] = np.where(is_seen, wide[before], 0)
            maps.append(column)
            coefficients.append(placed)
        block.maps, block.coefficients = maps, coefficients

    def activity(self, constraint: Any, x: np.ndarray) -> np.ndarray:
        """What the body of a constraint comes to, without the levels of goals and what counts once.

        Parameters
        ----------
        x : column values (member, column)

        Returns
        -------
        ndarray (member, period)
        """
        constant, maps, coefficients, variables = self._standard(self.reading.row(constraint)[1])
        total = np.zeros(self._shape) + constant
        for map_, coefficient, variable in zip(maps, coefficients, variables, strict=True):
            if id(variable) not in self._repeats.once and id(variable) not in self._wide:
                total += coefficient * x[:, map_]
        return total

    def _lay_rows(
        self, col_lower: np.ndarray, col_upper: np.ndarray, common: np.ndarray
    ) -> LinearProgram:
        blocks, n_rows = self._read_rows()
        n_columns = col_lower.shape[1]
        n_entries = sum(block.n_entries for block in blocks)
        _check_size(n_columns, n_rows, n_entries)
        column = np.empty(n_entries, _INDEX)
        data = np.empty((self.n_members, n_entries))
        length = np.empty(n_rows, _INDEX)
        row_lower = np.empty((self.n_members, n_rows))
        row_upper = np.empty((self.n_members, n_rows))
        start = 0
        self._moving = []
        for block in blocks:
            if not block.copies.count:
                continue
            end = start + block.n_entries
            length[block.copies.span] = self._write_columns(block, column[start:end])
            self._write_numbers(block, data[:, start:end])
            self._write_limits(block, row_lower, row_upper)
            if block.moving:
                self._moving.append((block, slice(start, end)))
            start = end
        if not np.isfinite(data).all():
            self._refuse_coefficients(blocks)
        self._check_row_limits(row_lower, row_upper)
        if self._moving:
            moving = np.zeros(n_entries, bool)
            for _, span in self._moving:
                moving[span] = True
            self._entries = data
            indptr, indices, self._by_columns = _sort_by_columns(
                length, column, data, n_columns, moving
            )
            data = self._by_columns.numbers(data)
        else:
            indptr, indices, data = _by_columns(length, column, data, n_columns)
        return LinearProgram(
            indptr, indices, data, col_lower, col_upper, row_lower, row_upper, common
        )

    def _check_row_limits(self, row_lower: np.ndarray, row_upper: np.ndarray) -> None:
        if not ((row_lower < np.inf).all() and (row_upper > -np.inf).all()):
            self._refuse_limit(~(row_lower < np.inf), self._row_copies, "lower limit")
            self._refuse_limit(~(row_upper > -np.inf), self._row_copies, "upper limit")

    def _write_columns(self, block: _Block, column: np.ndarray) -> Any:
        """Write the columns of a block's entries row by row; return how many each row has."""
        n_terms, taken = len(block.maps), block.periods
        if n_terms:
            column = column.reshape(-1, n_terms)
            for j, map_ in enumerate(block.maps):
                column[:, j] = map_[taken]
        if block.starts is None:
            return n_terms
        size = taken.size if block.seen is None else block.seen.order.size
        return n_terms * np.diff(block.starts, append=size)

    def _write_numbers(self, block: _Block, data: np.ndarray) -> None:
        """Write the numbers of a block's entries row by row (member, entry)."""
        if block.maps:
            data = data.reshape(self.n_members, -1, len(block.maps))
            for j, coefficient in enumerate(block.coefficients):
                data[:, :, j] = self._take(coefficient, block.periods)
                if block.elsewhere is not None and id(block.variables[j]) in self._repeats.once:
                    data[:, block.elsewhere, j] = 0.0

    def _write_limits(self, block: _Block, row_lower: np.ndarray, row_upper: np.ndarray) -> None:
        """Write the limits of a block's rows (member, row)."""
        span, low, high = block.copies.span, block.lower, block.upper
        if block.seen is not None:
            self._write_seen(block, row_lower, row_upper)
            return
        row_lower[:, span] = -np.inf if low is None else self._limit(block, low)
        if high is low and low is not None:
            row_upper[:, span] = row_lower[:, span]
        else:
            row_upper[:, span] = np.inf if high is None else self._limit(block, high)

    def _write_seen(self, block: _Block, row_lower: np.ndarray, row_upper: np.ndarray) -> None:
        """As :meth:`_write_limits`, of rows over windows of which a part is in sight."""
        seen, span = block.seen, block.copies.span
        constant: Any = 0.0
        if block.constant.__class__ not in native_numeric_types or block.constant != 0:
            of_period = np.broadcast_to(block.constant, self._shape)
            local = seen.order - self.sight.first
            constant = seen.sums(np.where(local < 0, 0.0, of_period[:, np.maximum(local, 0)]))
        row_lower[:, span] = -np.inf if seen.low is None else seen.low - constant
        row_upper[:, span] = np.inf if seen.high is None else seen.high - constant

    def _take(self, number: Any, periods: Any) -> Any:
        """Numbers of the given periods, still to be broadcast over members."""
        if periods is _ALL or np.ndim(number) == 0:
            return number
        return np.broadcast_to(number, self._shape)[:, periods]

    def _limit(self, block: _Block, limit: Any) -> Any:
        """Limit of each row: less the constant of its body, summed over its window."""
        constant = block.constant
        if constant.__class__ not in native_numeric_types or constant != 0:
            limit = limit - constant
        if block.starts is None:
            return limit
        limit = np.broadcast_to(limit, self._shape)[:, block.periods]
        return np.add.reduceat(limit, block.starts, axis=1)

    # --- faults -----------------------------------------------------------------------------

    def _refuse(self, named: Iterable[tuple[str, Any]], where: str) -> None:
        """Raise for the first number that is not finite."""
        for name, number in named:
            wrong = ~np.isfinite(np.broadcast_to(number, self._shape))
            if wrong.any():
                k, t = np.argwhere(wrong)[0]
                value = np.broadcast_to(number, self._shape)[k, t]
                raise ModelError(
                    f"{name} in {where} is {value} in period {t} of member {k} (counted from 0); "
                    "it must be a finite number"
                )

    def _refuse_coefficients(self, blocks: list[_Block]) -> None:
        for block in blocks:
            named = []
            for variable, coefficient in zip(block.variables, block.coefficients, strict=True):
                taken = np.zeros(self._shape)
                taken[:, block.periods] = np.broadcast_to(coefficient, self._shape)[
                    :, block.periods
                ]
                named.append((f"coefficient of '{variable.name}'", taken))
            self._refuse(named, f"'{block.copies.component.name}'")

    def _refuse_limit(self, wrong: np.ndarray, all_copies: list[_Copies], what: str) -> None:
        """Raise for the first limit that is NaN, or infinite on the wrong side."""
        for copies in all_copies:
            here = np.argwhere(wrong[:, copies.span])
            if here.size:
                k, copy = here[0]
                what = "initial value" if copies.note else what
                raise ModelError(
                    f"{what} of '{copies.component.name}' is NaN or infinite in period "
                    f"{copies.stands_at[copy]} of member {k} (counted from 0); "
                    "give a number, or no limit"
                )

    # --- labels -----------------------------------------------------------------------------

    def column_labels(self, periods: Sequence[str]) -> np.ndarray:
        """Name every column of a member, as ``flow[a_to_b]@2030-06-01``; shared: first period."""
        return _labels(self._column_copies, periods, self._stacked.n_columns)

    def row_labels(self, periods: Sequence[str]) -> np.ndarray:
        """Name every row of a member, as ``balance[son_tay]@2030-06-01``.

        Totals are named by the first period of their window, or the last where windows overlap.
        """
        return _labels(self._row_copies, periods, self._stacked.n_rows)

    def windows(self, constraint: Any) -> tuple[np.ndarray, np.ndarray]:
        """Periods of a constraint, ordered by its rows, and where in them each row starts."""
        window = self._repeats.totals.get(id(constraint))
        if window is None:
            return np.arange(self.n_periods), np.arange(self.n_periods)
        return self._windows(constraint, window)[:2]

    @property
    def first(self) -> int:
        """First period of the program in the horizon."""
        return 0 if self.sight is None else self.sight.first

    def known(self, data: Any) -> np.ndarray:
        """Values of data over the whole horizon, 0 after what is in sight (member, time)."""
        if self.sight is None:
            return self.array(data)
        sight, values = self.sight, np.zeros((self.n_members, self.sight.total))
        values[:, : sight.end] = sight.at(self.reading.value(data), np.arange(sight.end))
        return values

    def first_periods(self, constraint: Any) -> np.ndarray:
        """Period of the horizon in which the window of each row starts (row)."""
        seen = self._seen.get(id(constraint))
        return (
            self.first + self.row_periods(constraint) if seen is None else seen.order[seen.starts]
        )

    def missed(
        self, constraint: Any, achieved: np.ndarray, required: Any, sense: str
    ) -> np.ndarray:
        """By how much rows are missed (member, row); below 0 where they are kept.

        Parameters
        ----------
        achieved : in the periods of the program (member, time)
        required : data
        sense : ``>=`` or ``<=``
        """
        seen = self._seen.get(id(constraint))
        if seen is None:
            order, starts = self.windows(constraint)
            missed = np.add.reduceat((self.array(required) - achieved)[:, order], starts, axis=1)
        else:
            local = seen.order - self.first
            taken = np.where(local < 0, 0.0, achieved[:, np.maximum(local, 0)])
            missed = (seen.low if sense == ">=" else seen.high) - seen.sums(taken)
        return missed if sense == ">=" else -missed

    def row_places(self, constraint: Any) -> tuple[np.ndarray, np.ndarray]:
        """Place of each row among those of the whole horizon, and the period it stands at (row)."""
        seen = self._seen.get(id(constraint))
        if seen is None:
            stands_at = self.row_periods(constraint)
            whole = self.first + stands_at if self.sight is not None else np.arange(stands_at.size)
            return whole, stands_at
        return seen.places, seen.stands_at

    def row_periods(self, constraint: Any) -> np.ndarray:
        """Period at which each row of a constraint stands (row).

        The first of its window, or the last where windows overlap.
        """
        window = self._repeats.totals.get(id(constraint))
        if window is None:
            return np.arange(self.n_periods)
        return self._windows(constraint, window)[2]

    @property
    def constraints(self) -> list[Any]:
        """Active constraints of the period, in the order of their rows."""
        return [copies.component for copies in self._row_copies]

    @property
    def variables(self) -> list[Any]:
        """Variables of the period that have columns of their own, in the order of those."""
        return [copies.component for copies in self._column_copies if not copies.note]


def _labels(all_copies: list[_Copies], periods: Sequence[str], size: int) -> np.ndarray:
    labels = np.empty(size, object)
    for copies in all_copies:
        name, note = copies.component.name, copies.note
        labels[copies.span] = [f"{name}@{periods[t]}{note}" for t in copies.stands_at]
    return labels


def _check_size(n_columns: int, n_rows: int, n_entries: int) -> None:
    most = np.iinfo(_INDEX).max
    if max(n_columns, n_rows, n_entries) > most:
        raise ModelError(
            f"{n_rows} rows, {n_columns} columns and {n_entries} entries are more than "
            f"{most}, what the solver can index; take fewer periods or members"
        )


def _by_columns(
    length: np.ndarray, column: np.ndarray, data: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn entries by rows into entries by columns.

    Entries of the same row and column are added up; what is zero in every member is dropped.

    Parameters
    ----------
    length : number of entries of each row (row)
    column : column of each entry
    data : (member, entry)

    Returns
    -------
    indptr, indices, data : by columns, rows in order within each
    """
    if data.shape[0] > 1:
        indptr, indices, how = _sort_by_columns(length, column, data, n_columns)
        return indptr, indices, how.numbers(data)
    # the numbers of one member travel themselves
    indptr, indices, numbers = _transposed(length, column, data[0], n_columns)
    start = _first_of_each(indptr, indices)
    data = numbers[None]
    if start is not None:
        data = np.add.reduceat(data, start, axis=1)
        indices, indptr = indices[start], np.searchsorted(start, indptr).astype(_INDEX)
    used = data.any(axis=0)
    if not used.all():
        indptr = np.append(0, np.cumsum(used))[indptr].astype(_INDEX)
        indices, data = indices[used], data[:, used]
    return indptr, indices, data


def _sort_by_columns(
    length: np.ndarray,
    column: np.ndarray,
    data: np.ndarray,
    n_columns: int,
    moving: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, _ByColumns]:
    """As :func:`_by_columns`, but find how numbers come from entries; those `moving` are kept.

    Returns
    -------
    indptr, indices : by columns, rows in order within each
    how : gives the numbers
    """
    positions = np.arange(column.size, dtype=_INDEX)
    indptr, indices, order = _transposed(length, column, positions, n_columns)
    start = _first_of_each(indptr, indices)
    if start is not None:
        indices, indptr = indices[start], np.searchsorted(start, indptr).astype(_INDEX)
    how = _ByColumns(order, start, None)
    used = np.asarray(how.numbers(data).any(axis=0))
    if moving is not None:
        used |= how.numbers(moving[None].astype(float))[0] > 0
    if used.all():
        return indptr, indices, how
    indptr = np.append(0, np.cumsum(used))[indptr].astype(_INDEX)
    return indptr, indices[used], _ByColumns(order, start, used)


def _transposed(
    length: np.ndarray, column: np.ndarray, carry: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort what entries carry by column, then row: indptr, rows, and what they carry."""
    row_start = np.zeros(length.size + 1, _INDEX)
    np.cumsum(length, out=row_start[1:])
    matrix = sp.csr_matrix((carry, column, row_start), shape=(length.size, n_columns)).tocsc()
    return matrix.indptr, matrix.indices, matrix.data


def _first_of_each(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray | None:
    """First entry of each run of the same row within a column; None where no row comes twice."""
    is_first = np.empty(indices.size, bool)
    is_first[:1] = True
    np.not_equal(indices[1:], indices[:-1], out=is_first[1:])
    is_first[indptr[:-1][indptr[:-1] < indices.size]] = True
    return None if is_first.all() else np.flatnonzero(is_first)
