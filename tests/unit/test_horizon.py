"""The stacked horizon against a dense expansion written out period by period."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateralloc.errors import ModelError
from wateralloc.horizon import Horizon, LinearProgram, MemberProgram
from wateralloc.repeats import Repeats
from wateralloc.tangents import Tangents

DATA: dict[str, Any] = {"mutable": True, "within": pyo.Any}


# --- the same period, twice: as Pyomo model and written out by hand -------------------------------


@dataclass
class Variable:
    name: str
    low: np.ndarray  # (member, period)
    high: np.ndarray
    window: np.ndarray | None = None
    over_members: bool = False
    before: str = ""
    lag: int = 0
    initial: Any = None
    once: bool = False  # in rows over windows that overlap, counts where the row stands only


@dataclass
class Row:
    name: str
    terms: list[tuple[str, np.ndarray]]  # a variable may stand in several terms
    constant: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    window: np.ndarray | list[np.ndarray] | None = None

    def windows(self, n_periods: int) -> list[tuple[int, list[int]]]:
        """Period at which each row stands, and the periods it adds up."""
        if isinstance(self.window, list):
            return [(int(periods[-1]), [int(t) for t in periods]) for periods in self.window]
        number = range(n_periods) if self.window is None else [int(w) for w in self.window]
        inside: dict[int, list[int]] = {}
        for t, w in enumerate(number):
            if w >= 0:
                inside.setdefault(w, []).append(t)
        return [(periods[0], periods) for periods in inside.values()]


@dataclass
class Spec:
    n_members: int
    n_periods: int
    variables: dict[str, Variable] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_members, self.n_periods

    def model(self) -> pyo.ConcreteModel:
        m = pyo.ConcreteModel()
        m.repeats = Repeats()
        data = iter(range(10**6))

        def param(array: np.ndarray) -> Any:
            name = f"p{next(data)}"
            m.add_component(name, pyo.Param(initialize=lambda m: array, **DATA))
            return m.component(name)

        for v in self.variables.values():
            m.add_component(v.name, pyo.Var(bounds=(param(v.low), param(v.high))))
        for v in self.variables.values():
            var = m.component(v.name)
            if v.window is not None:
                m.repeats.share(var, v.window, over_members=v.over_members)
            if v.before:
                m.repeats.carry(var, m.component(v.before), v.lag, v.initial)
            if v.once:
                m.repeats.count_once(var)
        for r in self.rows:
            body = sum(param(c) * m.component(v) for v, c in r.terms) + param(r.constant)
            if r.low is r.high:
                expression = body == param(r.low)
            elif r.low is None:
                expression = body <= param(r.high)
            elif r.high is None:
                expression = body >= param(r.low)
            else:
                expression = pyo.inequality(param(r.low), body, param(r.high))
            m.add_component(r.name, pyo.Constraint(expr=expression))
            if r.window is not None:
                m.repeats.total(m.component(r.name), r.window)
        return m

    def column(self, name: str, t: int) -> str:
        """Label of the column a variable is in a period."""
        v = self.variables[name]
        if v.before:
            return self.column(v.before, t - v.lag) if t >= v.lag else f"{name}@{t}|initial"
        if v.window is not None:
            return f"{name}@{min(s for s in range(self.n_periods) if v.window[s] == v.window[t])}"
        return f"{name}@{t}"

    def bounds(self, k: int) -> dict[str, tuple[float, float]]:
        out: dict[str, tuple[float, float]] = {}
        for name, v in self.variables.items():
            for t in range(self.n_periods):
                label = self.column(name, t)
                if label.endswith("|initial"):
                    if label.startswith(f"{name}@"):
                        value = float(np.broadcast_to(v.initial, (self.n_members, v.lag))[k, t])
                        out[label] = (value, value)
                    continue
                low, high = out.get(label, (-np.inf, np.inf))
                out[label] = (max(low, v.low[k, t]), min(high, v.high[k, t]))
        return out

    def entries(self, k: int) -> tuple[dict[tuple[str, str], float], dict[str, list[float]]]:
        """Entries (row, column) of A, and the limits of each row."""
        matrix: dict[tuple[str, str], float] = {}
        limits: dict[str, list[float]] = {}
        for r in self.rows:
            for stands_at, t in (
                (at, t) for at, periods in r.windows(self.n_periods) for t in periods
            ):
                label = f"{r.name}@{stands_at}"
                limit = limits.setdefault(label, [0.0, 0.0])
                for side, array, none in ((0, r.low, -np.inf), (1, r.high, np.inf)):
                    limit[side] += none if array is None else array[k, t] - r.constant[k, t]
                for name, c in r.terms:
                    if self.variables[name].once and isinstance(r.window, list) and t != stands_at:
                        continue
                    key = label, self.column(name, t)
                    matrix[key] = matrix.get(key, 0.0) + c[k, t]
        return matrix, limits


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    spec = Spec(draw(st.integers(1, 3)), draw(st.integers(1, 6)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def numbers(low: int, high: int) -> np.ndarray:
        # whole numbers, so that sums are exact and equality can be asked for
        return rng.integers(low, high, spec.shape).astype(float)

    def bounds() -> tuple[np.ndarray, np.ndarray]:
        return (
            np.where(rng.random(spec.shape) < 0.2, -np.inf, numbers(-9, 0)),
            np.where(rng.random(spec.shape) < 0.2, np.inf, numbers(0, 9)),
        )

    for i in range(draw(st.integers(1, 3))):
        spec.variables[f"own{i}"] = Variable(f"own{i}", *bounds())
    for i in range(draw(st.integers(0, 2))):
        window = rng.integers(0, 4, spec.n_periods) * 3  # with gaps, in any order
        over_members = draw(st.booleans())
        spec.variables[f"shared{i}"] = Variable(f"shared{i}", *bounds(), window, over_members)
    for i in range(draw(st.integers(0, 3))):
        before = draw(st.sampled_from(list(spec.variables)))
        lag = draw(st.integers(1, 4))
        shape = draw(
            st.sampled_from([(), (1,), (lag,), (spec.n_members, 1), (spec.n_members, lag)])
        )
        initial = rng.integers(0, 9, shape).astype(float)
        name = f"carried{i}"
        spec.variables[name] = Variable(
            name, *bounds(), before=before, lag=lag, initial=initial if shape else float(initial)
        )
    for variable in spec.variables.values():
        variable.once = draw(st.booleans())
    if draw(st.booleans()):  # notes need not come in the order in which they lean on each other
        spec.variables = dict(reversed(spec.variables.items()))
    for i in range(draw(st.integers(0, 4))):
        names = draw(st.lists(st.sampled_from(list(spec.variables)), min_size=1, max_size=5))
        kind = draw(st.sampled_from(["==", "<=", ">=", "range"]))
        low = None if kind == "<=" else numbers(-9, 0)
        high = low if kind == "==" else None if kind == ">=" else numbers(0, 9)
        window: Any = None
        match draw(st.sampled_from(["each", "apart", "overlapping"])):
            case "apart":
                window = rng.integers(-1, 3, spec.n_periods)
            case "overlapping":
                ends = np.flatnonzero(rng.random(spec.n_periods) < 0.6)
                window = [np.append(np.flatnonzero(rng.random(last) < 0.5), last) for last in ends]
        terms = [(name, numbers(-2, 3)) for name in names]
        spec.rows.append(Row(f"row{i}", terms, numbers(-3, 3), low, high, window))
    return spec


def dense(lp: MemberProgram, rows: np.ndarray, columns: np.ndarray) -> dict[tuple[str, str], float]:
    entries = lp.matrix.tocoo()
    return {
        (rows[i], columns[j]): v
        for i, j, v in zip(entries.row, entries.col, entries.data, strict=True)
    }


def without_zeros(matrix: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    return {key: value for key, value in matrix.items() if value}


@given(specs())
def test_every_member_equals_the_dense_expansion(spec: Spec) -> None:
    horizon = Horizon(spec.model(), spec.n_members, spec.n_periods)
    lp = horizon.stack()
    periods = [str(t) for t in range(spec.n_periods)]
    columns, rows = horizon.column_labels(periods), horizon.row_labels(periods)
    assert len(set(columns)) == columns.size
    assert len(set(rows)) == rows.size
    for index in (lp.indptr, lp.indices, *horizon.columns.values(), *horizon.rows.values()):
        assert index.dtype == np.int32
    for name in spec.variables:
        map_ = horizon.columns[id(horizon.model.component(name))]
        assert list(columns[map_]) == [spec.column(name, t) for t in range(spec.n_periods)]
    for k in range(spec.n_members):
        member = lp.member(k)
        matrix, limits = spec.entries(k)
        assert without_zeros(dense(member, rows, columns)) == without_zeros(matrix)
        assert dict(
            zip(columns, zip(member.col_lower, member.col_upper, strict=True), strict=True)
        ) == spec.bounds(k)
        assert {
            label: [low, high]
            for label, low, high in zip(rows, member.row_lower, member.row_upper, strict=True)
        } == limits
        check_order(member)
    assert (lp.data != 0).any(axis=0).all()


@given(specs())
def test_joint_is_block_diagonal_but_for_columns_in_common(spec: Spec) -> None:
    horizon = Horizon(spec.model(), spec.n_members, spec.n_periods)
    lp = horizon.stack()
    joint = lp.joint()
    check_order(joint)
    assert joint.indices.dtype == joint.indptr.dtype == joint.place.dtype == np.int32
    shared = [v.name for v in spec.variables.values() if v.over_members]
    labels = horizon.column_labels([str(t) for t in range(spec.n_periods)])
    assert [name.split("@")[0] in shared for name in labels] == lp.common.tolist()
    # columns: one for all members where common, one each where not, none without an owner
    n_common = int(lp.common.sum())
    n_joint = n_common + spec.n_members * (lp.n_columns - n_common)
    assert np.array_equal(np.unique(joint.place), np.arange(n_joint))
    assert joint.col_lower.size == n_joint
    assert (joint.place == joint.place[0])[:, lp.common].all()

    expected = np.zeros((spec.n_members * lp.n_rows, n_joint))
    low, high = np.full(n_joint, -np.inf), np.full(n_joint, np.inf)
    for k in range(spec.n_members):
        block = lp.member(k).matrix.toarray()
        for j in range(lp.n_columns):
            expected[k * lp.n_rows : (k + 1) * lp.n_rows, joint.place[k, j]] += block[:, j]
            low[joint.place[k, j]] = max(low[joint.place[k, j]], lp.col_lower[k, j])
            high[joint.place[k, j]] = min(high[joint.place[k, j]], lp.col_upper[k, j])
    assert np.array_equal(joint.matrix.toarray(), expected)
    assert np.array_equal(joint.col_lower, low)
    assert np.array_equal(joint.col_upper, high)
    assert np.array_equal(joint.split_rows(joint.row_lower), lp.row_lower)
    assert np.array_equal(joint.split_rows(joint.row_upper), lp.row_upper)

    x = np.arange(float(n_joint))
    cost = np.random.default_rng(0).integers(-5, 5, lp.col_lower.shape).astype(float)
    assert joint.join_cost(cost) @ x == (cost * joint.split_columns(x)).sum()


@given(specs(), st.integers(0, 2**32 - 1))
def test_cost_and_value_add_up_the_same(spec: Spec, seed: int) -> None:
    horizon = Horizon(spec.model(), spec.n_members, spec.n_periods)
    lp = horizon.stack()
    rng = np.random.default_rng(seed)
    x = rng.integers(-5, 5, lp.col_lower.shape).astype(float)
    m = horizon.model
    weight = rng.integers(-5, 5, spec.shape).astype(float)
    m.weight = pyo.Param(initialize=lambda m: weight, **DATA)
    expression = sum(m.weight * m.component(name) for name in spec.variables) + 2 * m.weight
    by_hand = 2 * weight
    for name in spec.variables:
        by_hand = by_hand + weight * x[:, horizon.columns[id(m.component(name))]]
    assert np.array_equal(horizon.value(expression, x), by_hand)
    cost, constant = horizon.cost(expression)
    assert np.array_equal((cost * x).sum(axis=1) + constant, by_hand.sum(axis=1))
    assert np.array_equal(horizon.value(weight, x), weight)
    assert np.array_equal(horizon.cost(3.0)[1], np.full(spec.n_members, 3.0 * spec.n_periods))


def check_order(lp: MemberProgram) -> None:
    """Rows stand in order, once each, in every column."""
    for start, end in zip(lp.indptr[:-1], lp.indptr[1:], strict=True):
        assert (np.diff(lp.indices[start:end]) > 0).all()


# --- one thing at a time ----------------------------------------------------------------------


def period(n_periods: int = 3) -> pyo.ConcreteModel:
    m = pyo.ConcreteModel()
    m.repeats = Repeats()
    m.p = pyo.Param(initialize=lambda m: np.arange(1.0, n_periods + 1)[None], **DATA)
    m.x = pyo.Var(within=pyo.NonNegativeReals, bounds=(m.p - 2, 2 * m.p))
    m.y = pyo.Var()
    return m


def stacked(m: pyo.ConcreteModel, n_members: int = 1, n_periods: int = 3) -> LinearProgram:
    return Horizon(m, n_members, n_periods).stack()


def test_domain_and_bounds_in_arrays_both_hold() -> None:
    lp = stacked(period())
    assert lp.col_lower[0].tolist() == [0, 0, 1, *[-np.inf] * 3]
    assert lp.col_upper[0].tolist() == [2, 4, 6, *[np.inf] * 3]


@pytest.mark.parametrize("sense", ["==", "reversed", "both sides", "range"])
def test_equal_limits_from_data_expressions(sense: str) -> None:
    m = period()
    m.row = pyo.Constraint(
        expr={
            "==": 3 * m.x + m.p == 2 * m.p + 5,
            "reversed": 2 * m.p + 5 == 3 * m.x + m.p,
            "both sides": 3 * m.x + m.p - m.y == 2 * m.p + 5 - m.y,
            "range": (m.p + 5, 3 * m.x, m.p + 5),
        }[sense]
    )
    lp = stacked(m)
    assert lp.row_lower.tolist() == lp.row_upper.tolist() == [[6, 7, 8]]
    assert lp.member(0).matrix.toarray().tolist() == [
        [3, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0],
    ]  # fmt: skip


def test_fixed_variable_counts_as_its_value() -> None:
    m = period()
    m.row = pyo.Constraint(expr=m.x + m.p * m.y >= 10)
    m.y.fix(np.array([[1.0, 2.0, 3.0]]), skip_validation=True)
    lp = stacked(m)
    assert lp.row_lower.tolist() == [[9, 6, 1]]
    assert lp.col_lower[0, 3:].tolist() == lp.col_upper[0, 3:].tolist() == [1, 2, 3]
    assert lp.n_nonzeros == 3


def test_deactivated_constraint_and_block_have_no_rows() -> None:
    m = period()
    m.one = pyo.Constraint(expr=m.x >= 1)
    m.two = pyo.Constraint(expr=m.x >= 2)
    m.block = pyo.Block()
    m.block.z = pyo.Var()
    m.block.three = pyo.Constraint(expr=m.block.z >= 3)
    m.one.deactivate()
    m.block.deactivate()
    horizon = Horizon(m, 1, 3)
    assert horizon.stack().row_lower.tolist() == [[2, 2, 2]]
    assert horizon.constraints == [m.two]
    assert [v.name for v in horizon.variables] == ["x", "y", "block.z"]


def test_row_without_variables_stays_as_an_empty_row() -> None:
    m = period()
    m.row = pyo.Constraint(expr=m.p >= 2)
    m.zero = pyo.Constraint(expr=0 * m.x >= -1)
    lp = stacked(m)
    assert lp.n_nonzeros == 0
    assert lp.n_rows == 6
    # p = 1, 2, 3: the first row cannot be met
    low, high = lp.row_lower[0, :3], lp.row_upper[0, :3]
    assert ((low <= 0) & (high >= 0)).tolist() == [False, True, True]


def test_model_without_rows_or_variables() -> None:
    lp = stacked(pyo.ConcreteModel())
    assert (lp.n_rows, lp.n_columns, lp.n_nonzeros) == (0, 0, 0)
    assert lp.joint().matrix.shape == (0, 0)


def test_total_that_is_absent_everywhere() -> None:
    m = period()
    m.row = pyo.Constraint(expr=m.x <= m.p)
    m.repeats.total(m.row, np.full(3, -1))
    horizon = Horizon(m, 1, 3)
    assert horizon.stack().n_rows == 0
    assert horizon.rows[id(m.row)].size == horizon.row_periods(m.row).size == 0


def test_rows_of_windows_that_overlap() -> None:
    """Two days together, each run by its last day: 0-1 and 1-2; limits add up too."""
    m = period()
    m.cap = pyo.Param(initialize=np.array([1.0, 2.0, 4.0]), **DATA)
    m.two = pyo.Constraint(expr=m.x <= m.cap)
    m.repeats.total(m.two, [np.array([0, 1]), np.array([1, 2])])
    horizon = Horizon(m, 1, 3)
    lp = horizon.stack().member(0)
    rows = horizon.rows[id(m.two)]
    x = horizon.columns[id(m.x)]
    assert lp.matrix.toarray()[np.ix_(rows, x)].tolist() == [[1, 1, 0], [0, 1, 1]]
    assert lp.row_upper[rows].tolist() == [3, 6]
    assert [a.tolist() for a in horizon.windows(m.two)] == [[0, 1, 1, 2], [0, 2]]
    assert horizon.row_periods(m.two).tolist() == [1, 2]
    assert list(horizon.row_labels(["a", "b", "c"])[rows]) == ["two@b", "two@c"]


def test_what_counts_once_is_a_column_of_its_own_for_each_window() -> None:
    m = period()
    m.two = pyo.Constraint(expr=m.x - m.y <= 1)
    m.repeats.total(m.two, [np.array([0, 1]), np.array([0, 1, 2])])
    m.repeats.count_once(m.y)
    horizon = Horizon(m, 1, 3)
    lp = horizon.stack().member(0)
    rows, y = horizon.rows[id(m.two)], horizon.columns[id(m.y)]
    assert lp.matrix.toarray()[np.ix_(rows, y)].tolist() == [[0, -1, 0], [0, 0, -1]]


def test_overlapping_windows_beyond_the_horizon_are_refused() -> None:
    m = period()
    m.two = pyo.Constraint(expr=m.x <= 1)
    m.repeats.total(m.two, [np.array([0, 3])])
    with pytest.raises(ModelError, match=r"'two' name period 3 .*; the horizon has 3"):
        Horizon(m, 1, 3).stack()


def test_notes_on_indexed_components() -> None:
    m = period()
    m.z = pyo.Var([1, 2])
    m.row = pyo.Constraint([1, 2], rule=lambda m, i: m.z[i] <= m.p)
    m.repeats.share(m.z, np.array([4, 4, 2]))
    m.repeats.total(m.row, np.array([0, -1, 0]))
    horizon = Horizon(m, 1, 3)
    lp = horizon.stack()
    labels = ["a", "b", "c"]
    assert horizon.column_labels(labels)[6:].tolist() == ["z[1]@c", "z[1]@a", "z[2]@c", "z[2]@a"]
    assert horizon.row_labels(labels).tolist() == ["row[1]@a", "row[2]@a"]
    assert lp.row_upper.tolist() == [[4, 4]]


def test_stack_is_made_once_and_terms_are_kept() -> None:
    m = period()
    horizon = Horizon(m, 1, 3)
    assert horizon.stack() is horizon.stack()
    expression = m.x + m.y
    assert horizon.terms(expression) is horizon.terms(expression)


@pytest.mark.parametrize("initial", [7, 7.0, np.float64(7), np.array(7.0), np.array([[7.0]])])
def test_initial_value_as_any_number(initial: Any) -> None:
    m = period()
    m.repeats.carry(m.y, m.x, 2, initial)
    m.z = pyo.Var()
    m.q = pyo.Param(initialize=lambda m: initial, **DATA)
    m.repeats.carry(m.z, m.y, 1, m.q)
    lp = stacked(m)
    assert lp.col_lower[0, 3:].tolist() == lp.col_upper[0, 3:].tolist() == [7, 7, 7]


def test_lag_longer_than_the_horizon() -> None:
    m = period()
    m.repeats.carry(m.y, m.x, 5, np.arange(5.0))
    lp = stacked(m)
    assert lp.col_lower[0].tolist() == [0, 0, 1, 0, 1, 2]


# --- lines that move ----------------------------------------------------------------------------

Lines = list[list[np.ndarray]]


def lake(lines: Lines) -> pyo.ConcreteModel:
    """Two members, four periods: two lines, in rows, in totals, and beside terms of their own.

    `lines` holds an intercept and the slopes of each, (member, period).
    """
    m = pyo.ConcreteModel()
    m.repeats, m.tangents = Repeats(), Tangents(m)
    m.start, m.end, m.flow = pyo.Var(), pyo.Var(bounds=(1, 9)), pyo.Var(bounds=(0, None))
    m.level = pyo.Var()
    m.repeats.carry(m.start, m.end, 1, 5.0)
    m.repeats.share(m.level, np.array([0, 0, 1, 1]))
    (a, *by_a), (e, *by_e) = lines
    area = m.tangents.add("area", None, [(m.start + m.end) / 2], start=(a, by_a))
    energy = m.tangents.add("energy", None, [m.flow, m.start + m.end], start=(e, by_e))
    depth = pyo.Param(initialize=np.array([[0.1, 0.2, 0.0, 0.4]]), **DATA)
    m.depth = depth
    m.balance = pyo.Constraint(expr=m.start - m.end - depth * area - m.flow == 0)
    m.cap = pyo.Constraint(expr=energy + 2 * m.flow <= 7)
    m.total = pyo.Constraint(expr=pyo.inequality(2, energy - m.end + area, 30))
    m.repeats.total(m.total, np.array([0, 0, -1, 1]))
    m.firm = pyo.Constraint(expr=energy >= 3 * m.level)
    m.still = pyo.Constraint(expr=m.end >= m.level)
    m.energy, m.area = pyo.Expression(expr=energy), pyo.Expression(expr=area)
    return m


LINES = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), min_size=5 * 8, max_size=5 * 8).map(
    lambda numbers: np.reshape(numbers, (5, 2, 4))
)
"""Among them those by which a term vanishes, or comes back: energy - end, energy + 2 flow."""


def as_lines(numbers: np.ndarray) -> Lines:
    return [list(numbers[:2]), list(numbers[2:])]


def put(m: pyo.ConcreteModel, lines: Lines) -> None:
    for tangent, line in zip(m.tangents.all, lines, strict=True):
        for data, values in zip((tangent.intercept, *tangent.slopes), line, strict=True):
            data.set_value(values)


def check_refresh(horizon: Horizon, lines: Lines) -> None:
    put(horizon.model, lines)
    found, fresh = horizon.refresh(), Horizon(lake(lines), 2, 4)
    expected = fresh.stack()
    for k in range(2):
        one, other = found.member(k), expected.member(k)
        assert one.matrix.has_sorted_indices
        np.testing.assert_allclose(one.matrix.toarray(), other.matrix.toarray(), atol=1e-12)
        for name in ("col_lower", "col_upper", "row_lower", "row_upper"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)
    x = np.arange(2.0 * found.n_columns).reshape(2, -1)
    for name in ("energy", "area"):
        mine, theirs = (h.model.component(name) for h in (horizon, fresh))
        np.testing.assert_allclose(horizon.value(mine, x), fresh.value(theirs, x), atol=1e-9)
        for one_of, other_of in zip(horizon.cost(mine), fresh.cost(theirs), strict=True):
            np.testing.assert_allclose(one_of, other_of, atol=1e-12)


@given(first=LINES, others=st.lists(LINES, min_size=1, max_size=3))
def test_refreshed_program_equals_a_fresh_stack(
    first: np.ndarray, others: list[np.ndarray]
) -> None:
    horizon = Horizon(lake(as_lines(first)), 2, 4)
    horizon.stack()
    check_refresh(horizon, as_lines(first))
    for numbers in others:
        check_refresh(horizon, as_lines(numbers))


def test_refreshing_leaves_the_program_before_as_it_was() -> None:
    horizon = Horizon(lake(as_lines(np.ones((5, 2, 4)))), 2, 4)
    before = horizon.stack()
    kept = [array.copy() for array in (before.data, before.row_lower, before.row_upper)]
    put(horizon.model, as_lines(np.full((5, 2, 4), 2.0)))
    after = horizon.refresh()
    assert horizon.stack() is after
    assert after.indices is before.indices  # so that a basis of the one fits the other
    assert after.col_lower is before.col_lower
    for array, copy in zip((before.data, before.row_lower, before.row_upper), kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert (after.data != before.data).any()


def test_lines_are_found_in_expressions() -> None:
    m = lake(as_lines(np.ones((5, 2, 4))))
    horizon = Horizon(m, 2, 4)
    horizon.stack()
    assert horizon.moves(m.energy)
    assert horizon.moves(m.cap.body)
    assert horizon.moves(3 * m.area.expr - m.flow)
    assert not horizon.moves(m.still.body)
    assert not horizon.moves(m.depth * m.flow)
    assert not horizon.moves(7.0)
    assert not Horizon(pyo.ConcreteModel(), 2, 4).moves(m.energy)  # a model without lines


def test_values_before_and_after_a_line_moved() -> None:
    m = lake(as_lines(np.ones((5, 2, 4))))
    horizon = Horizon(m, 2, 4)
    lp = horizon.stack()
    x = np.ones((2, lp.n_columns))
    before = horizon.value(m.energy, x).copy()
    put(m, as_lines(np.full((5, 2, 4), 3.0)))
    np.testing.assert_array_equal(horizon.value(m.energy, x), before)  # kept until it is forgotten
    horizon.forget()
    np.testing.assert_allclose(horizon.value(m.energy, x), 3 * before)


def test_a_line_that_is_not_finite_is_refused() -> None:
    horizon = Horizon(lake(as_lines(np.ones((5, 2, 4)))), 2, 4)
    horizon.stack()
    numbers = np.ones((5, 2, 4))
    numbers[3, 1, 2] = np.nan
    put(horizon.model, as_lines(numbers))
    with pytest.raises(ModelError, match=r"coefficient of 'flow' in 'cap' is nan in period 2"):
        horizon.refresh()


# --- refusals ----------------------------------------------------------------------------------


def set_row(expression: Any) -> Any:
    def change(m: pyo.ConcreteModel) -> None:
        m.row = pyo.Constraint(expr=expression(m))

    return change


def with_number(number: float, use: Any) -> Any:
    def change(m: pyo.ConcreteModel) -> None:
        m.q = pyo.Param(initialize=lambda m: np.array([[1.0, number, 1.0]]), **DATA)
        use(m)

    return change


def alien_variable(m: pyo.ConcreteModel) -> None:
    other = pyo.ConcreteModel()
    other.z = pyo.Var()
    m.keep = pyo.Param(initialize=lambda m: other, **DATA)
    m.row = pyo.Constraint(expr=other.z + m.x >= 0)


def alien_note(m: pyo.ConcreteModel) -> None:
    other = period()
    m.repeats.share(other.x, np.zeros(3, int))


def circle(m: pyo.ConcreteModel) -> None:
    m.repeats.carry(m.x, m.y)
    m.repeats.carry(m.y, m.x)


def fixed_and_carried(m: pyo.ConcreteModel) -> None:
    m.repeats.carry(m.y, m.x)
    m.y.fix(1.0)


FAULTS = {
    "coefficient": (
        with_number(np.nan, set_row(lambda m: m.q * m.x >= 0)),
        r"coefficient of 'x' in 'row' is nan in period 1 of member 0",
    ),
    "infinite": (
        with_number(np.inf, set_row(lambda m: m.q * m.x >= 0)),
        r"coefficient of 'x' in 'row' is inf in period 1",
    ),
    "limit": (
        with_number(np.nan, set_row(lambda m: m.x >= m.q)),
        r"lower limit of 'row' is NaN or infinite in period 1",
    ),
    "constant": (
        with_number(np.nan, set_row(lambda m: m.x + m.q <= 3)),
        r"upper limit of 'row' is NaN or infinite in period 1",
    ),
    "bound": (
        with_number(np.nan, lambda m: m.y.setub(m.q)),
        r"upper bound of 'y' is NaN or infinite in period 1",
    ),
    "infinite bound": (
        with_number(np.inf, lambda m: m.y.setlb(m.q)),
        r"lower bound of 'y' is NaN or infinite in period 1",
    ),
    "initial": (
        lambda m: m.repeats.carry(m.y, m.x, 1, np.nan),
        r"initial value of 'y' is NaN or infinite in period 0",
    ),
    "initial shape": (
        lambda m: m.repeats.carry(m.y, m.x, 1, np.ones(2)),
        r"initial values of 'y' have shape \(2,\); give one number, or an array \(1, 1\)",
    ),
    "product": (set_row(lambda m: m.x * m.y >= 0), r"'row': expression is not linear: x\*y"),
    "integer": (
        lambda m: setattr(m, "z", pyo.Var(within=pyo.Integers)),
        r"'z' is neither continuous nor a yes or no",
    ),
    "alien": (alien_variable, r"'row': 'z' is not a variable of the stacked period model"),
    "alien note": (alien_note, r"'x' has a note in repeats but is not in the model"),
    "circle": (circle, r"'x', 'y' are carried from each other in a circle"),
    "fixed": (fixed_and_carried, r"'y' is carried and fixed"),
    "short window": (
        lambda m: m.repeats.share(m.y, np.zeros(2, int)),
        r"the window of 'y' numbers 2 periods; the horizon has 3",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_period_model(fault: str) -> None:
    change, text = FAULTS[fault]
    m = period()
    change(m)
    with pytest.raises(ModelError, match=text):
        stacked(m)


def test_data_of_the_wrong_shape() -> None:
    m = period()
    m.q = pyo.Param(initialize=lambda m: np.ones(7), **DATA)
    m.row = pyo.Constraint(expr=m.x >= m.q)
    with pytest.raises(ModelError, match=r"'row': data of shape \(7,\) do not fit 1 members and 3"):
        stacked(m)


def test_fault_is_named_in_its_member() -> None:
    m = period()
    data = np.ones((2, 3))
    data[1, 2] = np.nan
    m.q = pyo.Param(initialize=lambda m: data, **DATA)
    m.row = pyo.Constraint(expr=m.q * m.y >= 0)
    with pytest.raises(ModelError, match="period 2 of member 1"):
        stacked(m, n_members=2)


def test_number_that_takes_no_part_may_be_nan() -> None:
    m = period()
    m.q = pyo.Param(initialize=lambda m: np.array([[1.0, np.nan, 1.0]]), **DATA)
    m.row = pyo.Constraint(expr=m.q * m.x >= m.q)
    m.repeats.total(m.row, np.array([0, -1, 0]))
    assert stacked(m).row_lower.tolist() == [[2]]


def test_cost_refuses_nan() -> None:
    m = period()
    m.q = pyo.Param(initialize=lambda m: np.array([[1.0, np.nan, 1.0]]), **DATA)
    horizon = Horizon(m, 1, 3)
    horizon.stack()
    with pytest.raises(ModelError, match="coefficient of 'x' in an objective is nan in period 1"):
        horizon.cost(m.q * m.x)
    with pytest.raises(ModelError, match="constant in an objective is nan in period 1"):
        horizon.cost(m.x + m.q)


def test_stacking_again_after_a_fault_was_mended() -> None:
    m = period()
    m.row = pyo.Constraint(expr=m.x * m.y >= 0)
    horizon = Horizon(m, 1, 3)
    with pytest.raises(ModelError):
        horizon.stack()
    m.row.deactivate()
    m.good = pyo.Constraint(expr=m.x + m.y >= 0)
    lp = horizon.stack()
    assert (lp.n_rows, lp.n_columns) == (3, 6)


def test_reading_before_the_stack() -> None:
    m = period()
    with pytest.raises(ModelError, match="call stack"):
        Horizon(m, 1, 3).row_labels(["a", "b", "c"])


@pytest.mark.parametrize(
    ("note", "text"),
    [
        (lambda m: m.repeats.carry(m.y, m.x, 0), "carried over 0 periods"),
        (lambda m: m.repeats.carry(m.y, m.x, 1.5), "carried over 1.5 periods"),
        (lambda m: m.repeats.share(m.y, np.array([0, -1, 0])), "leaves periods out"),
        (lambda m: m.repeats.share(m.y, np.zeros(3)), "float64 of shape"),
        (lambda m: m.repeats.share(m.x, np.zeros(3, int)), "has a note already"),
        (lambda m: m.repeats.carry(m.x, m.y), "has a note already"),
    ],
)
def test_notes_that_cannot_be(note: Any, text: str) -> None:
    m = period()
    m.repeats.carry(m.x, m.y)
    with pytest.raises(ModelError, match=text):
        note(m)
