"""What a basin holds: its own tables, curves, series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.errors import Position, shown
from wateralloc.tables import Column, Table
from wateralloc.timeline import Pattern, Timeline
from wateralloc.units import CANONICAL, UNITS

NODES = Table(
    "nodes",
    "Places of the basin, joined by links; each keeps a water balance.",
    (
        Column("name", "name of the node", "name", required=True),
        Column(
            "kind",
            "what it is",
            "text",
            required=True,
            choices=("inflow", "junction", "reservoir", "aquifer", "control", "sink"),
        ),
        Column("region", "region it lies in", "name", refers_to="regions"),
        Column("province", "province it lies in", "name", refers_to="provinces"),
        Column(
            "sub_basin",
            "river it belongs to; hydrology may be scaled by it",
            "name",
            refers_to="sub_basins",
        ),
        Column("lon", "longitude, degrees east", low=-180, high=180),
        Column("lat", "latitude, degrees north", low=-90, high=90),
        Column(
            "inflow",
            "local natural inflow, below that of the nodes upstream",
            dimension="flow",
            low=0,
            varies="hydrology",
        ),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
    required=True,
)

CURVES = Table(
    "curves",
    "What depends on something else, one point a row, straight lines between. By its units a curve "
    "is the level (m) or area (km2) of a reservoir by storage (hm3), the level of a river by its "
    "flow (m3s), the efficiency (fraction) or output (mw) of a plant by head (m) or flow, the "
    "share (fraction) or flow (m3s) of a branch by the flow that is divided.",
    (
        Column("curve", "name of the curve", "name", required=True),
        Column("x", "storage, flow or head", required=True, low=0),
        Column("y", "what goes with it", required=True),
        Column("x_unit", "unit of x", "text", required=True),
        Column("y_unit", "unit of y", "text", required=True),
    ),
    key="",
)

PATTERNS = Table(
    "patterns",
    "Values by date of the year; each holds from its start until the next, around the year.",
    (
        Column("pattern", "name of the pattern", "name", required=True),
        Column("start", "first day it holds, MM-DD", "text", required=True),
        Column("value", "value from that day on", required=True),
        Column("unit", "unit of the value; 1 where it has none", "text", required=True),
    ),
    key="",
)


@dataclass(frozen=True)
class CurveQuantity:
    """What a curve may say.

    Attributes
    ----------
    x, y : dimensions
    x_name : what x is
    rises : y must rise from point to point; ``not fall``: it may also stay; "": free
    low, high : allowed range of y
    is_bounded : the curve says nothing beyond its ends; else its last straight line goes on
    """

    x: str
    y: str
    x_name: str
    rises: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    is_bounded: bool = False


CURVE_QUANTITIES = {
    "level": CurveQuantity("volume", "length", "storage", "increase", is_bounded=True),
    "area": CurveQuantity("volume", "area", "storage", "not fall", is_bounded=True),
    "stage": CurveQuantity("flow", "length", "flow", "increase"),
    "efficiency": CurveQuantity("length", "fraction", "head", low=0, high=1),
    "power": CurveQuantity("flow", "power", "flow", "not fall", low=0),
    "share": CurveQuantity("flow", "fraction", "flow", low=0, high=1),
    "flow": CurveQuantity("flow", "flow", "flow", "not fall", low=0),
}
"""By name, e.g. ``level``: level of a reservoir by its storage."""


@dataclass(frozen=True)
class Curve:
    """Points of one or more quantities (:data:`CURVE_QUANTITIES`), with straight lines between.

    Attributes
    ----------
    points : quantity -> x (point), y (point), in canonical units
    """

    name: str
    points: dict[str, tuple[np.ndarray, np.ndarray]]

    def has(self, quantity: str) -> bool:
        """Tell whether there are points of a quantity."""
        return quantity in self.points

    def range(self, quantity: str) -> tuple[float, float]:
        """Least and largest x for which a quantity is known."""
        x = self.points[quantity][0]
        return float(x[0]), float(x[-1])

    def at(self, quantity: str, x: Any) -> Any:
        """Value of a quantity.

        Raises
        ------
        ValueError
            x is beyond the ends of a quantity that is bounded, here and in the other methods.
        """
        kind, points = CURVE_QUANTITIES[quantity], self.points[quantity]
        if kind.is_bounded:
            return self._interpolate(x, *points, kind.x_name, kind.x)
        return self._extended(x, *points)

    def slope(self, quantity: str, x: Any) -> Any:
        """Change of a quantity by one unit of x; at a point that of the line after it."""
        xs, ys = self.points[quantity]
        segment = np.clip(np.searchsorted(xs, np.asarray(x, float), "right") - 1, 0, xs.size - 2)
        return (np.diff(ys) / np.diff(xs))[segment]

    def inverse(self, quantity: str, y: Any) -> Any:
        """X at which an increasing quantity has a value; always within the ends."""
        kind, (xs, ys) = CURVE_QUANTITIES[quantity], self.points[quantity]
        return self._interpolate(y, ys, xs, quantity, kind.y)

    def level(self, storage: Any) -> Any:
        """Level [m] at a storage [hm3]."""
        return self.at("level", storage)

    def area(self, storage: Any) -> Any:
        """Area [km2] at a storage [hm3]."""
        return self.at("area", storage)

    def storage(self, level: Any) -> Any:
        """Storage [hm3] at a level [m]."""
        return self.inverse("level", level)

    def _extended(self, at: Any, x: np.ndarray, y: np.ndarray) -> Any:
        at = np.asarray(at, float)
        first, last = ((y[k + 1] - y[k]) / (x[k + 1] - x[k]) for k in (0, x.size - 2))
        inside = np.interp(at, x, y)
        return inside + first * np.minimum(at - x[0], 0.0) + last * np.maximum(at - x[-1], 0.0)

    def _interpolate(
        self, at: Any, x: np.ndarray, y: np.ndarray, quantity: str, dimension: str
    ) -> Any:
        at = np.asarray(at, float)
        slack = 1e-6 * (x[-1] - x[0])  # a solver's tolerance
        odd = ~((at >= x[0] - slack) & (at <= x[-1] + slack))
        if odd.any():
            unit = UNITS[CANONICAL[dimension]].text
            raise ValueError(
                f"{quantity} {at[odd][0]:g} {unit} is outside curve '{self.name}' "
                f"({x[0]:g} to {x[-1]:g} {unit})"
            )
        return np.interp(at, x, y)


OUTLINE_KINDS = ("province", "coast", "border")


@dataclass(frozen=True)
class Outline:
    """Lines to draw a basin on; nothing is computed from them.

    Attributes
    ----------
    kind : ``province``, ``coast`` or ``border``
    province : its name; "" for the other kinds
    lines : each longitude and latitude [degrees] (point, 2); those of a province are closed rings
    """

    kind: str
    province: str
    lines: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True)
class Series:
    """Values of one quantity by date and name.

    Attributes
    ----------
    quantity : name of the varying column it gives
    unit : canonical unit
    timeline : its dates
    values : DataFrame (time, name) in the canonical unit
    path : file it was read from
    """

    quantity: str
    unit: str
    timeline: Timeline
    values: pd.DataFrame = field(repr=False)
    path: Path


@dataclass(frozen=True)
class SeriesColumn:
    """One name of a series."""

    series: Series
    name: str

    @property
    def values(self) -> np.ndarray:
        """Values (time) in the canonical unit."""
        return self.series.values[self.name].to_numpy()


@dataclass(frozen=True)
class Basin:
    """A river basin as it is: nodes and links, users, calendar, record.

    Attributes
    ----------
    name : name of its folder
    title : language (``en``, ``vi``) -> name
    currency : three letters; "" when none is declared
    water_year_start : month
    base_year : year of its demands
    sources : name of the file that says where figures come from, if any
    regions, provinces, sub_basins, sectors : name -> ``en``, ``vi`` and, for a province, ``region``
    tables : name -> frame, as :func:`wateralloc.tables.read_table` returns it; every declared table
    declared : name -> declaration of the table
    patterns, curves : by name
    series : by quantity
    outlines : provinces, coast and border, where the basin has ``outlines.geojson``
    doubtful : (table, name) of rows that have a fault or refer to one; empty in a sound basin
    files : everything that was read
    """

    name: str
    folder: Path
    title: dict[str, str] = field(default_factory=dict)
    currency: str = ""
    water_year_start: int = 1
    base_year: int | None = None
    sources: str = ""
    regions: dict[str, dict[str, str]] = field(default_factory=dict)
    provinces: dict[str, dict[str, str]] = field(default_factory=dict)
    sub_basins: dict[str, dict[str, str]] = field(default_factory=dict)
    sectors: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    declared: dict[str, Table] = field(default_factory=dict, repr=False)
    patterns: dict[str, Pattern] = field(default_factory=dict, repr=False)
    curves: dict[str, Curve] = field(default_factory=dict, repr=False)
    series: dict[str, Series] = field(default_factory=dict, repr=False)
    outlines: tuple[Outline, ...] = field(default=(), repr=False)
    doubtful: frozenset[tuple[str, Any]] = field(default_factory=frozenset, repr=False)
    files: tuple[Path, ...] = ()

    @cached_property
    def _in_series(self) -> dict[str, frozenset[tuple[str, str]]]:
        found: dict[str, frozenset[tuple[str, str]]] = {}
        for quantity, series in self.series.items():
            names = series.values.columns
            found[quantity] = frozenset(
                (table, name)
                for table in tables_with(self.declared, quantity)
                for name in names.intersection(self.tables[table].index)
            )
        return found

    def in_series(self, quantity: str) -> frozenset[tuple[str, str]]:
        """Find the (table, name) pairs whose value of a varying column comes from a series."""
        return self._in_series.get(quantity, frozenset())

    def values(self, table: str, column: str) -> dict[str, Any]:
        """Values of a column by name, where there is one: number, text, Pattern or SeriesColumn."""
        is_varying = self.declared[table].column(column).varies != "no"
        from_series = self.in_series(column) if is_varying else frozenset()
        cells = self.tables[table][column]
        named = zip(cells.index, cells.tolist(), strict=True)
        if not is_varying:
            return {name: value for name, value in named if value is not None and value != ""}
        values: dict[str, Any] = {}
        for name, value in named:
            if (table, name) in from_series:
                values[name] = SeriesColumn(self.series[column], name)
            elif isinstance(value, str):
                pattern = self.patterns.get(value.removeprefix("pattern:"))
                if pattern is not None:
                    values[name] = pattern
            elif value is not None and value != "":
                values[name] = value
        return values

    def position(self, table: str, name: Any, column: str = "") -> Position:
        """Position of a cell; of its row where the column is absent."""
        try:
            return self.tables[table].attrs["positions"][name, column]
        except KeyError:
            return Position(shown(self.folder / f"{table}.csv"))


def tables_with(declared: Mapping[str, Table], quantity: str) -> list[str]:
    """Tables that have a varying column of a name."""
    return [
        table.name
        for table in declared.values()
        if any(c.name == quantity and c.varies != "no" for c in table.columns)
    ]
