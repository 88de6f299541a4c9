"""Reading curves.csv."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from wateralloc.basin.model import CURVE_QUANTITIES, Curve
from wateralloc.basin.reading import Reading
from wateralloc.errors import listed
from wateralloc.units import CANONICAL, UNITS

_BY_UNITS = {(kind.x, kind.y): name for name, kind in CURVE_QUANTITIES.items()}


def read_curves(reading: Reading) -> None:
    """Read the curves; those with a fault are left out."""
    faulty = reading.tables["curves"].attrs["faulty"]
    reading.names["curves"] = []
    for name, rows in reading.groups("curves", "curve").items():
        reading.names["curves"].append(name)
        points: dict[str, list[tuple[Any, float, float]]] = {}
        is_sound = not reading.has_lost_rows("curves", "curve")
        for row in rows.index:
            if row in faulty:
                is_sound = False
                continue
            x_unit = _curve_unit(reading, row, "x_unit", {x for x, _ in _BY_UNITS})
            y_unit = _curve_unit(reading, row, "y_unit", {y for _, y in _BY_UNITS})
            if x_unit is None or y_unit is None:
                is_sound = False
                continue
            quantity = _BY_UNITS.get((x_unit.dimension, y_unit.dimension))
            if quantity is None:
                is_sound = False
                ways = sorted({y for x, y in _BY_UNITS if x == x_unit.dimension})
                reading.fault(
                    "curves",
                    row,
                    "y_unit",
                    "E208",
                    f"curve '{name}' gives {_text(y_unit.dimension)} by {_text(x_unit.dimension)}; "
                    f"by {_text(x_unit.dimension)} it may give {listed(map(_text, ways))}",
                )
                continue
            points.setdefault(quantity, []).append(
                (row, rows.at[row, "x"] * x_unit.factor, rows.at[row, "y"] * y_unit.factor)
            )
        for quantity, of_quantity in points.items():
            is_sound &= _check_curve(reading, name, quantity, of_quantity, is_whole=is_sound)
        if is_sound:
            reading.curves[name] = Curve(
                name,
                {
                    quantity: (
                        np.array([x for _, x, _ in of_quantity]),
                        np.array([y for _, _, y in of_quantity]),
                    )
                    for quantity, of_quantity in points.items()
                },
            )
    if reading.has_lost_rows("curves", "curve"):
        del reading.names["curves"]


def _text(dimension: str) -> str:
    """Name a dimension of a curve in words."""
    names = {"length": "a level or head", "fraction": "a fraction"}
    return names.get(dimension, f"{'an' if dimension[0] in 'ae' else 'a'} {dimension}")


def _curve_unit(reading: Reading, row: Any, column: str, dimensions: set[str]) -> Any:
    text = reading.tables["curves"].at[row, column]
    unit = UNITS.get(text)
    if unit is not None and unit.dimension in dimensions:
        return unit
    ways = [u.suffix for u in UNITS.values() if u.dimension in dimensions]
    reading.fault(
        "curves",
        row,
        column,
        "E207" if unit is None else "E208",
        f"{column} is '{text}'; must be one of {listed(ways, 20)}",
    )
    return None


def _check_curve(
    reading: Reading,
    name: str,
    quantity: str,
    points: list[tuple[Any, float, float]],
    *,
    is_whole: bool,
) -> bool:
    kind = CURVE_QUANTITIES[quantity]
    x_unit, y_unit = (UNITS[CANONICAL[of]].text for of in (kind.x, kind.y))
    is_sound = True
    if len(points) < 2 and is_whole:
        reading.fault(
            "curves",
            points[0][0],
            "curve",
            "E221",
            f"{quantity} of curve '{name}' has one point; must have two or more",
        )
        is_sound = False
    for row, _, y in points:
        if not kind.low <= y <= kind.high:
            is_sound = False
            most = f"from {kind.low:g} to {kind.high:g}" if kind.high < np.inf else "0 or more"
            reading.fault(
                "curves", row, "y", "E221", f"{quantity} of curve '{name}' is {y:g}; must be {most}"
            )
    for (_, x0, y0), (row, x1, y1) in pairwise(points):
        if x1 <= x0:
            is_sound = False
            reading.fault(
                "curves",
                row,
                "x",
                "E221",
                f"{kind.x_name} {x1:g} {x_unit} in {quantity} of curve '{name}' follows {x0:g}; "
                "must increase from row to row",
            )
        elif kind.rises and (y1 < y0 or (y1 == y0 and kind.rises == "increase")):
            is_sound = False
            reading.fault(
                "curves",
                row,
                "y",
                "E221",
                f"{quantity} {y1:g} {y_unit} of curve '{name}' follows {y0:g}; "
                f"must {kind.rises} from row to row",
            )
    return is_sound
