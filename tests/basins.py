"""Tiny basins for tests, written to a folder from rows in code.

>>> folder = write_basin(
...     getfixture("tmp_path"),
...     nodes=[{"name": "spring", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
...     links=[{"name": "river", "from": "spring", "to": "sea", "kind": "reach"}],
...     series={"inflow_m3s": {"date": ["2001-01-01", "2001-02-01"], "spring": [10, 20]}},
... )
>>> sorted(path.name for path in folder.iterdir())
['basin.yaml', 'links.csv', 'nodes.csv', 'series']
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = Mapping[str, Any]
Rows = Sequence[Row]
Columns = Mapping[str, Sequence[Any]]

NAMED = {"region": "regions", "province": "provinces", "sector": "sectors"}
"""Columns whose words `basin.yaml` must declare."""


def write_basin(
    folder: Path,
    *,
    yaml: Mapping[str, Any] | None = None,
    series: Mapping[str, Rows | Columns] | None = None,
    **tables: Rows,
) -> Path:
    """Write a basin folder.

    Parameters
    ----------
    folder : made when it is not there
    yaml : keys of ``basin.yaml`` over the defaults: schema 1, currency VND, water year from
        January, and the regions, provinces and sectors that the rows name
    series : file name without ending -> rows, or column -> values, the first column ``date``
    tables : table name -> rows; a row names only the columns it needs, None is an empty cell

    Returns
    -------
    Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "schema": 1,
        "name": {"en": "Test basin", "vi": "Lưu vực thử"},
        "currency": "VND",
        "water_year_start": 1,
        **{key: {} for key in NAMED.values()},
    }
    for rows in tables.values():
        for row in rows:
            for column, key in NAMED.items():
                if row.get(column):
                    settings[key][row[column]] = {}
    settings |= yaml or {}
    (folder / "basin.yaml").write_text(
        json.dumps(settings, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    for name, rows in tables.items():
        write_rows(folder / f"{name}.csv", rows)
    for name, rows in (series or {}).items():
        (folder / "series").mkdir(exist_ok=True)
        if isinstance(rows, Mapping):
            rows = [
                dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)
            ]
        write_rows(folder / "series" / f"{name}.csv", rows)
    return folder


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows as CSV; the columns are all those that any row has, in order of appearance."""
    columns = dict.fromkeys(column for row in rows for column in row)
    with path.open("w", encoding="utf-8", newline="") as stream:
        for row in ({column: column for column in columns}, *rows):
            # a carriage return within a cell is quoted only where it is part of the end of a line
            line = io.StringIO()
            csv.writer(line, lineterminator="\r\n").writerow([row.get(c, "") for c in columns])
            stream.write(line.getvalue().removesuffix("\r\n") + "\n")


def month_starts(start: str, n_months: int) -> list[str]:
    """First days of a run of months, as text, from a month ``YYYY-MM``.

    >>> month_starts("2001-12", 2)
    ['2001-12-01', '2002-01-01']
    """
    months = np.datetime64(start, "M") + np.arange(n_months)
    return [f"{month}-01" for month in months]


def tiny_parts() -> dict[str, Any]:
    """Arguments of :func:`write_basin` for a valid basin with a row in every table.

    ``spring -> lake (reservoir) -> town -> sea``; the town has a domestic demand, whose return flow
    reaches the sea, and an irrigation demand; one year of monthly inflow, 10 m3/s.
    """
    return {
        "nodes": [
            {
                "name": "spring",
                "kind": "inflow",
                "region": "north",
                "province": "upland",
                "sub_basin": "main",
                "lon": 105.1,
                "lat": 21.5,
                "name_vi": "Suối",
                "name_en": "Spring",
            },
            {"name": "lake", "kind": "reservoir", "region": "north", "province": "upland"},
            {"name": "town", "kind": "junction", "region": "south", "province": "lowland"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "spring", "to": "lake", "kind": "reach"},
            {
                "name": "outlet",
                "from": "lake",
                "to": "town",
                "kind": "turbine",
                "capacity_m3s": 50,
                "loss_fraction": 0.01,
            },
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach", "cost_vnd_m3": 0},
        ],
        "reservoirs": [
            {
                "name": "lake",
                "dead_hm3": 10,
                "normal_hm3": 100,
                "initial_hm3": 50,
                "flood_limit_hm3": "pattern:flood_limit",
                "evaporation_mm_day": "pattern:evaporation",
                "curve": "lake",
            },
        ],
        "demands": [
            {
                "name": "town_domestic",
                "node": "town",
                "sector": "domestic",
                "region": "south",
                "province": "lowland",
                "priority": 1,
                "annual_hm3": 36.5,
                "consumption_fraction": 0.3,
                "return_to": "sea",
            },
            {
                "name": "town_irrigation",
                "node": "town",
                "sector": "irrigation",
                "region": "south",
                "province": "lowland",
                "priority": 2,
                "annual_hm3": 73,
                "pattern": "irrigation",
                "value_vnd_m3": 770,
            },
        ],
        "environmental_flows": [{"name": "town_minimum", "node": "town", "minimum_m3s": 1}],
        "projections": [{"sector": "domestic", "year": 2030, "factor": 1.2}],
        "curves": [
            {"curve": "lake", "x": 0, "y": 20, "x_unit": "hm3", "y_unit": "m"},
            {"curve": "lake", "x": 100, "y": 40, "x_unit": "hm3", "y_unit": "m"},
            {"curve": "lake", "x": 0, "y": 1, "x_unit": "hm3", "y_unit": "km2"},
            {"curve": "lake", "x": 100, "y": 5, "x_unit": "hm3", "y_unit": "km2"},
        ],
        "patterns": [
            {"pattern": "flood_limit", "start": "06-15", "value": 80, "unit": "hm3"},
            {"pattern": "flood_limit", "start": "09-16", "value": 100, "unit": "hm3"},
            {"pattern": "evaporation", "start": "01-01", "value": 3, "unit": "mm_day"},
            {"pattern": "irrigation", "start": "01-01", "value": 1, "unit": "1"},
        ],
        "series": {"inflow_m3s": {"date": month_starts("2001-01", 12), "spring": [10] * 12}},
    }


def tiny_basin(folder: Path, **changes: Any) -> Path:
    """Write the basin of :func:`tiny_parts`; arguments replace whole tables."""
    return write_basin(folder, **(tiny_parts() | changes))
