"""Reading curves.csv."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from wateralloc.basin.model import Curve
from wateralloc.basin.reading import Reading
from wateralloc.errors import listed
from wateralloc.units import CANONICAL, UNITS

_CURVE_QUANTITY = {"length": "level", "area": "area"}


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
            x_unit = _curve_unit(reading, row, "x_unit", ("volume",))
            y_unit = _curve_unit(reading, row, "y_unit", tuple(_CURVE_QUANTITY))
            if x_unit is None or y_unit is None:
                is_sound = False
                continue
            points.setdefault(_CURVE_QUANTITY[y_unit.dimension], []).append(
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


def _curve_unit(reading: Reading, row: Any, column: str, dimensions: tuple[str, ...]) -> Any:
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
        f"{column} is '{text}'; must be one of {listed(ways)}",
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
    for (_, x0, y0), (row, x1, y1) in pairwise(points):
        if x1 <= x0:
            is_sound = False
            reading.fault(
                "curves",
                row,
                "x",
                "E221",
                f"storage {x1:g} hm3 in {quantity} of curve '{name}' follows {x0:g}; "
                "must increase from row to row",
            )
        elif y1 < y0 or (y1 == y0 and quantity == "level"):
            is_sound = False
            must = "must increase" if quantity == "level" else "must not fall"
            unit = CANONICAL["length" if quantity == "level" else "area"]
            reading.fault(
                "curves",
                row,
                "y",
                "E221",
                f"{quantity} {y1:g} {unit} of curve '{name}' follows {y0:g}; "
                f"{must} from row to row",
            )
    return is_sound
