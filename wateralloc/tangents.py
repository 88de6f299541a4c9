"""What is not linear enters the period as its tangent.

The area of a lake follows its storage on a curve, the energy of a plant is a product of flow and
head.  A part writes such a quantity once, as a function of linear expressions of the period, and
the period holds a straight line in its place::

    y = intercept + sum of slope * argument

The first pass has the line that the part names.  After it, `foresight` moves the line to the
tangent at the solution and solves again, until nothing moves (successive linear programming).

The function is written once and read in three ways: on arrays (values), on :class:`Dual` numbers
(values and slopes) and on Pyomo expressions (the model that is not linear).  It may use ``+ - *``,
:func:`larger`, :func:`smaller`, :func:`curve_along` and :func:`stepwise`; numbers that differ
between members or periods are handed over as `data`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Curve
from wateralloc.errors import ModelError

_DATA: dict[str, Any] = {"mutable": True, "within": pyo.Any}


@dataclass(frozen=True)
class Dual:
    """A number with its slopes in each argument (forward differentiation).

    Attributes
    ----------
    value : array
    slopes : one array an argument
    """

    value: Any
    slopes: tuple[Any, ...]
    __array_ufunc__ = None  # arrays leave arithmetic with it to this class

    def __add__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            pairs = zip(self.slopes, other.slopes, strict=True)
            return Dual(self.value + other.value, tuple(a + b for a, b in pairs))
        return Dual(self.value + other, self.slopes)

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.value, tuple(-slope for slope in self.slopes))

    def __sub__(self, other: Any) -> Dual:
        return self + (-other)

    def __rsub__(self, other: Any) -> Dual:
        return (-self) + other

    def __mul__(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            pairs = zip(self.slopes, other.slopes, strict=True)
            return Dual(
                self.value * other.value,
                tuple(a * other.value + self.value * b for a, b in pairs),
            )
        return Dual(self.value * other, tuple(slope * other for slope in self.slopes))

    __rmul__ = __mul__


def larger(a: Any, b: Any) -> Any:
    """The larger of two amounts, element by element."""
    return _choose(a, b, lambda x, y: x >= y)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two amounts, element by element."""
    return _choose(a, b, lambda x, y: x <= y)


def _choose(a: Any, b: Any, is_first: Callable[[Any, Any], Any]) -> Any:
    if _is_pyomo(a) or _is_pyomo(b):
        return pyo.Expr_if(IF=is_first(a, b), THEN=a, ELSE=b)
    if not isinstance(a, Dual) and not isinstance(b, Dual):
        return np.where(is_first(a, b), a, b)
    n_slopes = len((a if isinstance(a, Dual) else b).slopes)
    a, b = (d if isinstance(d, Dual) else Dual(d, (0.0,) * n_slopes) for d in (a, b))
    first = is_first(a.value, b.value)
    slopes = zip(a.slopes, b.slopes, strict=True)
    return Dual(np.where(first, a.value, b.value), tuple(np.where(first, *s) for s in slopes))


def curve_along(curve: Curve, quantity: str, x: Any) -> Any:
    """Value of a curve of the basin; see :meth:`wateralloc.basin.Curve.at`."""
    return _follow(x, *curve.points[quantity], lambda at: curve.at(quantity, at))


def stepwise(x: Any, xs: Sequence[float], ys: Sequence[float]) -> Any:
    """Value on straight lines between points; the first and the last line go on."""
    curve = Curve("", {"flow": (np.asarray(xs, float), np.asarray(ys, float))})
    return curve_along(curve, "flow", x)


def _follow(x: Any, xs: np.ndarray, ys: np.ndarray, values: Callable[[Any], Any]) -> Any:
    if not _is_pyomo(x):
        if not isinstance(x, Dual):
            return values(x)
        segment = np.clip(np.searchsorted(xs, x.value, "right") - 1, 0, xs.size - 2)
        slope = (np.diff(ys) / np.diff(xs))[segment]
        return Dual(values(x.value), tuple(slope * of for of in x.slopes))
    lines = [
        y0 + (y1 - y0) / (x1 - x0) * (x - x0)
        for (x0, y0), (x1, y1) in pairwise(zip(xs, ys, strict=True))
    ]
    expression = lines[-1]
    for line, end in zip(reversed(lines[:-1]), reversed(xs[1:-1]), strict=True):
        expression = pyo.Expr_if(IF=x <= end, THEN=line, ELSE=expression)
    return expression


def _is_pyomo(x: Any) -> bool:
    return hasattr(x, "is_expression_type")


@dataclass(frozen=True, eq=False)
class Tangent:
    """One quantity that is not linear, and the line that stands for it.

    Attributes
    ----------
    name : e.g. ``area[hoa_binh]``
    function : of the arguments, as arrays (member, time), Dual numbers or Pyomo expressions, and
        then of the data
    arguments : linear expressions of the period
    data : data expressions of the period
    line : the straight line, as the period holds it
    intercept, slopes : its data, (member, time)
    steps : variables whose change from pass to pass is limited
    scale : size of the quantity, against which its error counts; (member, time) or a number
    in_rows : it stands in rows, so that its error is one of the physics
    is_limit : it limits something from above, so that it is wrong only where it lies too high
    most : what rows limit it to (data); passes are compared by what is within it
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    data: tuple[Any, ...]
    line: Any
    intercept: Any
    slopes: tuple[Any, ...]
    steps: tuple[Any, ...]
    scale: Any
    in_rows: bool
    is_limit: bool = False
    most: Any = None

    def value(self, arguments: Sequence[np.ndarray], data: Sequence[Any] = ()) -> np.ndarray:
        """Value at arguments (member, time) each."""
        return np.asarray(self.function(*arguments, *data), float)

    def touch(
        self, arguments: Sequence[np.ndarray], data: Sequence[Any] = ()
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Intercept and slopes of the tangent at arguments (member, time) each."""
        shape = np.shape(arguments[0])
        ones, zeros = np.ones(shape), np.zeros(shape)
        duals = [
            Dual(value, tuple(ones if i == j else zeros for j in range(len(arguments))))
            for i, value in enumerate(arguments)
        ]
        at = self.function(*duals, *data)
        slopes = [np.broadcast_to(slope, shape) for slope in at.slopes]
        intercept = at.value - sum(
            slope * value for slope, value in zip(slopes, arguments, strict=True)
        )
        return np.broadcast_to(intercept, shape), slopes


@dataclass
class Tangents:
    """The tangents of a period model, kept as ``m.tangents``."""

    model: pyo.ConcreteModel
    all: list[Tangent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model.lines = pyo.Block(concrete=True)

    def add(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        *,
        start: tuple[Any, Sequence[Any]],
        data: Sequence[Any] = (),
        steps: Sequence[Any] = (),
        scale: Any = 1.0,
        in_rows: bool = True,
        is_limit: bool = False,
        most: Any = None,
        units: Any = None,
    ) -> Any:
        """Put a straight line in the place of a quantity that is not linear.

        Parameters
        ----------
        name : of the quantity, unique in the period
        function : of the arguments; see the module
        arguments : linear expressions of the period
        start : intercept and slopes of the line in the first pass, and in fixed mode; numbers or
            arrays (member, time)
        data : data expressions of the period, handed to the function after the arguments
        steps : variables whose change from pass to pass is limited: those that bend the quantity
        scale : size of the quantity [units], against which its error counts
        in_rows : it will stand in rows of the water balance, not in objectives and reports alone
        is_limit : it will limit something from above
        most : what rows will limit it to, as data; passes are compared by what is within it
        units : Pyomo units of the quantity

        Returns
        -------
        Expression
            Linear in the variables of the period.

        Raises
        ------
        ModelError
            The name is taken, or there is not one slope for each argument.
        """
        intercept, slopes = start
        if len(slopes) != len(arguments):
            raise ModelError(f"'{name}' has {len(arguments)} arguments and {len(slopes)} slopes")
        block, at = self.model.lines, len(self.all)
        if any(known.name == name for known in self.all):
            raise ModelError(f"'{name}' has a tangent already")
        line_data = []
        for k, value in enumerate((intercept, *slopes)):
            own = units
            if k and units is not None:
                own = units / pyo.units.get_units(arguments[k - 1])
            line_data.append(pyo.Param(initialize=value, units=own, **_DATA))
            block.add_component(f"line_{at}_{k}", line_data[-1])
        intercept_data, *slope_data = line_data
        rise = sum(slope * of for slope, of in zip(slope_data, arguments, strict=True))
        line = pyo.Expression(expr=intercept_data + rise)
        block.add_component(f"line_{at}", line)
        self.all.append(
            Tangent(
                name, function, tuple(arguments), tuple(data), line, intercept_data,
                tuple(slope_data), tuple(steps), scale, in_rows, is_limit,
                most,
            )
        )  # fmt: skip
        return line
