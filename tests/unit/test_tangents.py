"""Tangents: dual numbers against finite differences, arrays against Pyomo, and their faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyomo.util.check_units import assert_units_consistent

from wateralloc.basin import Curve
from wateralloc.errors import ModelError
from wateralloc.horizon import Horizon
from wateralloc.parts import DATA, unit
from wateralloc.repeats import Repeats
from wateralloc.tangents import Dual, Tangents, curve_along, larger, smaller, stepwise

BENT = Curve(
    "bent",
    {
        "area": (np.array([0.0, 4.0, 10.0]), np.array([1.0, 3.0, 4.0])),
        "stage": (np.array([0.0, 4.0, 10.0]), np.array([1.0, 3.0, 9.0])),
    },
)

FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, y: 2.0 + x + y + 3.0,
    "difference": lambda x, y: 5.0 - x - y - 1.0,
    "negative": lambda x, y: -(x - 2 * y),
    "product": lambda x, y: 2.0 * x * y * 0.5,
    "square": lambda x, y: x * x - y * y * y,
    "larger": lambda x, y: larger(x, y) + larger(x - 7.0, 0.0) * y,
    "smaller": lambda x, y: smaller(x, y) + smaller(3.0, x * y),
    "area": lambda x, y: curve_along(BENT, "area", x) * y,
    "stage": lambda x, y: curve_along(BENT, "stage", x + y) - curve_along(BENT, "stage", y - 1.0),
    "stepwise": lambda x, y: x * stepwise(y, [2.0, 3.0, 6.0], [0.5, 0.1, 0.4]),
    "head": lambda x, y: (
        y * larger(curve_along(BENT, "area", x) - stepwise(y, (0, 9), (0, 6)), 0.0)
    ),
}
"""Functions of two arguments between 0 and 10."""

within = st.floats(0.01, 9.99)


def at_dual(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Dual:
    one, zero = np.ones_like(x), np.zeros_like(x)
    found = function(Dual(x, (one, zero)), Dual(y, (zero, one)))
    assert isinstance(found, Dual)
    return found


# --- dual numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=within, y=within)
def test_slopes_are_those_of_finite_differences(name: str, x: float, y: float) -> None:
    """The slope is that before or after the point, or between the two."""
    function, h = FUNCTIONS[name], 1e-5
    dual = at_dual(function, np.array(x), np.array(y))
    assert dual.value == pytest.approx(float(function(x, y)), rel=1e-12, abs=1e-12)
    for slope, (dx, dy) in zip(dual.slopes, ((h, 0.0), (0.0, h)), strict=True):
        here = float(function(x, y))
        before, after = (
            (here - float(function(x - dx, y - dy))) / h,
            (float(function(x + dx, y + dy)) - here) / h,
        )
        near = 1e-3 * (1 + abs(before))
        low, high = sorted((before, after))
        assert low - near <= slope <= high + near


def test_dual_numbers_of_arrays() -> None:
    x = Dual(np.array([[1.0, 2.0]]), (np.ones((1, 2)),))
    y = np.array([[3.0, 4.0]]) * x * x + np.array([[1.0, 1.0]]) - x
    assert isinstance(y, Dual)
    assert y.value.tolist() == [[3.0, 15.0]]
    assert y.slopes[0].tolist() == [[5.0, 15.0]]


def test_larger_and_smaller_of_plain_numbers_and_arrays() -> None:
    a = np.array([[1.0, 5.0], [3.0, 3.0]])
    assert larger(a, 3.0).tolist() == [[3, 5], [3, 3]]
    assert smaller(a, np.array([2.0, 4.0])).tolist() == [[1, 4], [2, 3]]
    x = Dual(np.array([1.0, 5.0]), (np.ones(2),))
    assert larger(3.0, x).slopes[0].tolist() == [0, 1]
    assert smaller(3.0, x).slopes[0].tolist() == [1, 0]


def test_at_a_point_of_a_curve_the_line_after_it_is_followed() -> None:
    for x, slope in ((4.0, 1 / 6), (10.0, 1 / 6), (0.0, 0.5)):
        dual = curve_along(BENT, "area", Dual(np.array(x), (np.array(1.0),)))
        assert dual.slopes[0] == pytest.approx(slope)


def test_lines_go_on_beyond_the_ends_of_a_curve_that_has_none() -> None:
    for x, value, slope in ((-2.0, 0.0, 0.5), (12.0, 11.0, 1.0)):
        dual = curve_along(BENT, "stage", Dual(np.array(x), (np.array(1.0),)))
        assert (dual.value, dual.slopes[0]) == pytest.approx((value, slope))
    assert stepwise(np.array([-1.0, 5.0]), [0, 1, 2], [5, 6, 8]).tolist() == [4, 14]


def test_a_storage_outside_its_curve() -> None:
    with pytest.raises(ValueError, match="storage 11 hm3 is outside curve 'bent'"):
        curve_along(BENT, "area", Dual(np.array(11.0), (np.array(1.0),)))


# --- Pyomo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("point", [(1.0, 2.0), (4.0, 7.5), (8.0, 8.0), (9.0, 0.5), (0.0, 3.0)])
def test_a_pyomo_expression_has_the_value_of_the_array(
    name: str, point: tuple[float, float]
) -> None:
    m = pyo.ConcreteModel()
    m.x, m.y = pyo.Var(), pyo.Var()
    expression = FUNCTIONS[name](m.x, m.y)
    m.x.set_value(point[0])
    m.y.set_value(point[1])
    assert pyo.value(expression) == pytest.approx(float(FUNCTIONS[name](*point)), abs=1e-12)


def test_a_curve_of_two_points_is_a_linear_expression() -> None:
    m = pyo.ConcreteModel()
    m.x = pyo.Var()
    assert stepwise(m.x, [0, 2], [1, 5]).polynomial_degree() == 1


# --- tangents of a period -------------------------------------------------------------------------


def lake() -> pyo.ConcreteModel:
    m = pyo.ConcreteModel()
    m.repeats, m.tangents = Repeats(), Tangents(m)
    m.storage, m.flow = pyo.Var(bounds=(0, 10)), pyo.Var(bounds=(0, None))
    return m


def test_a_tangent_enters_the_period_as_its_first_line() -> None:
    m = lake()
    line = m.tangents.add(
        "energy",
        lambda flow, storage: flow * (2.0 + storage),
        [m.flow, m.storage / 2],
        start=(np.array([[1.0, 2.0]]), [3.0, np.array([[4.0, 0.0]])]),
    )
    m.row = pyo.Constraint(expr=line + m.flow <= 7)
    lp = Horizon(m, 1, 2).stack()
    np.testing.assert_array_equal(lp.member(0).matrix.toarray(), [[2, 0, 4, 0], [0, 0, 0, 4]])
    np.testing.assert_array_equal(lp.row_upper, [[6, 5]])


def test_touch_is_the_tangent_in_the_point() -> None:
    m = lake()
    m.tangents.add(
        "energy",
        lambda flow, storage, factor: factor * flow * (2.0 + storage),
        [m.flow, m.storage],
        start=(0.0, [0.0, 0.0]),
        data=[pyo.Param(initialize=1.0, **DATA)],
    )
    (tangent,) = m.tangents.all
    flow, storage = np.array([[1.0, 3.0], [0.0, 2.0]]), np.array([[5.0, 1.0], [4.0, 0.0]])
    factor = np.array([[1.0, 2.0]])
    value = tangent.value([flow, storage], [factor])
    assert value.tolist() == [[7, 18], [0, 8]]
    intercept, (by_flow, by_storage) = tangent.touch([flow, storage], [factor])
    assert by_flow.tolist() == [[7, 6], [6, 4]]
    assert by_storage.tolist() == [[1, 6], [0, 4]]
    np.testing.assert_allclose(intercept + by_flow * flow + by_storage * storage, value)


def test_touch_of_what_is_straight_in_an_argument_has_the_shape_of_the_period() -> None:
    m = lake()
    m.tangents.add(
        "area", lambda flow, storage: 3.0 * flow + 1.0, [m.flow, m.storage], start=(0, [0, 0])
    )
    at = [np.ones((2, 3)), np.zeros((2, 3))]
    intercept, slopes = m.tangents.all[0].touch(at)
    assert intercept.tolist() == [[1.0] * 3] * 2
    assert [slope.tolist() for slope in slopes] == [[[3.0] * 3] * 2, [[0.0] * 3] * 2]


def test_faults() -> None:
    m = lake()
    with pytest.raises(ModelError, match=r"'area' has 1 arguments and 2 slopes"):
        m.tangents.add("area", lambda s: s, [m.storage], start=(0.0, [1.0, 2.0]))
    m.tangents.add("area", lambda s: s, [m.storage], start=(0.0, [1.0]))
    with pytest.raises(ModelError, match="'area' has a tangent already"):
        m.tangents.add("area", lambda s: s, [m.storage], start=(0.0, [1.0]))
    assert [tangent.name for tangent in m.tangents.all] == ["area"]


def test_units_of_the_line_fit_its_arguments() -> None:
    m = lake()
    m.volume = pyo.Var(units=unit("hm3"))
    line = m.tangents.add("area", lambda s: s, [m.volume], start=(1.0, [2.0]), units=unit("km2"))
    m.row = pyo.Constraint(expr=line <= 5.0 * unit("km2"))
    assert_units_consistent(m.row)
