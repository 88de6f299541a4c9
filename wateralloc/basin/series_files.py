"""Content of series files: CSV, NetCDF, Parquet and XLSX; HEC-DSS has a module of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc.errors import Findings, Position, listed, shown
from wateralloc.tables import Column, Grid, match_column, parse_date, parse_number, read_grid
from wateralloc.timeline import Timeline, calendar_breaks
from wateralloc.units import split_unit

_PARQUET_DATES = ("date", "time", "__index_level_0__")
"""Columns that hold dates; the last is the index of a frame of pandas that had no name."""


@dataclass
class Content:
    """What a series file says, before it is checked.

    Attributes
    ----------
    dates : texts (time)
    days : datetime64[D] (time); None where one is no date
    names : columns
    values : (time, name), NaN where a cell is no number; None where a row has another length
    position : where a value stands, from (row, column); row None is the header, column -1 the date
    sums : whether the values of each column are sums over the period; None where the file does not
        say
    """

    path: Path
    dates: list[str]
    days: np.ndarray | None
    names: list[str]
    values: np.ndarray | None
    position: Callable[[int | None, int], Position]
    sums: list[bool] | None = None


def series_column(
    label: str, columns: Iterable[Column], currency: str | None = ""
) -> tuple[Column, float, str | None]:
    """Match the name of a series file: its column, factor, and what it is divided by.

    A volume of each period stands for a flow, a depth of each period for a depth rate.

    Raises
    ------
    ColumnFault
    """
    base, unit = split_unit(label)
    if unit is not None:
        for column in columns:
            way = (column.dimension, unit.dimension)
            if column.name == base and way == ("flow", "volume"):
                return column, unit.factor * 1e6, "seconds"  # hm3 in m3
            if column.name == base and way == ("depth_rate", "depth"):
                return column, unit.factor, "days"
    return *match_column(label, list(columns), currency), None


def _read_csv_series(path: Path, findings: Findings) -> Content | None:
    grid = read_grid(path, findings)
    return None if grid is None else content_of_grid(grid, findings)


def content_of_grid(grid: Grid, findings: Findings) -> Content | None:
    """Content of a series that comes as cells: dates, then one column a name."""
    if grid.header[0] != "date":
        findings.add(
            grid.position(None, 0),
            "E202",
            f"first column is '{grid.header[0]}'; must be date, then one column a name",
        )
        return None
    if not grid.rows:
        findings.add(Position(shown(grid.path)), "E103", "series has no rows; fill it or remove it")
        return None
    names = grid.header[1:]
    for k, name in enumerate(names):
        if not name:
            findings.add(
                grid.position(None, k + 1), "E201", f"column {k + 2} has no name; name or remove it"
            )
        elif name in names[:k]:
            findings.add(
                grid.position(None, k + 1), "E212", f"column '{name}' stands there twice; keep one"
            )
    dates = [row[0] for row in grid.rows]
    return Content(
        grid.path,
        dates,
        _days(grid, dates, findings),
        names,
        _numbers(grid, names, findings),
        lambda row, k: grid.position(row, k + 1),
    )


def _days(grid: Grid, dates: list[str], findings: Findings) -> np.ndarray | None:
    days, is_sound = [], True
    for k, text in enumerate(dates):
        try:
            days.append(parse_date(text))
        except ValueError as error:
            is_sound = False
            what = f"'{text}'" if text else "empty"
            findings.add(grid.position(k, 0), "E213", f"date is {what}; {error}")
    return np.array(days, dtype="datetime64[D]") if is_sound else None


def _numbers(grid: Grid, names: list[str], findings: Findings) -> np.ndarray | None:
    """Convert the cells all at once; only where that fails look at each, to say which are wrong."""
    rows = [row[1:] for row in grid.rows]
    body = grid.body
    if all(len(row) == len(names) for row in rows) and body.isascii() and "_" not in body:
        try:
            values = np.array(rows).astype(float)
        except ValueError:
            pass
        else:
            if np.isfinite(values).all():
                return values
    values = np.full((len(rows), len(names)), np.nan)
    is_whole = bool(names)
    for k, row in enumerate(rows):
        if len(row) != len(names):
            is_whole = False
            continue
        for j, (name, text) in enumerate(zip(names, row, strict=True)):
            try:
                values[k, j] = parse_number(text)
            except ValueError as error:
                must = str(error).partition(";")[0]  # an empty cell is no way out here
                what = f"'{text}'; {must}" if text else "missing; must be a number, without gaps"
                findings.add(
                    grid.position(k, j + 1),
                    "E204" if text else "E202",
                    f"value of '{name}' on {grid.rows[k][0]} is {what}",
                )
    return values if is_whole else None


def _read_nc_series(path: Path, findings: Findings) -> Content | None:
    at = Position(shown(path))
    if path.is_dir():
        findings.add(at, "E102", "is a directory; must be a file")
        return None
    if path.stat().st_size == 0:
        findings.add(at, "E103", "file is empty; fill it or remove it")
        return None
    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            dataset.load()
    except (OSError, ValueError) as error:
        findings.add(at, "E105", f"is not valid NetCDF: {_what(error)}; write it again")
        return None
    base, unit = split_unit(path.stem)
    variables = [str(name) for name in dataset.data_vars]
    found = [name for name in variables if name in (path.stem, base)] or variables
    if len(found) != 1 or set(dataset[found[0]].dims) != {"time", "name"}:
        findings.add(
            at, "E105", f"must hold one variable '{base}' with dimensions (time, name); correct it"
        )
        return None
    variable = dataset[found[0]].transpose("time", "name")
    missing = [name for name in ("time", "name") if name not in variable.coords]
    if missing or not np.issubdtype(variable["time"].dtype, np.datetime64):
        findings.add(
            at,
            "E105",
            "must have coordinates time (dates of the standard calendar) and name; correct it",
        )
        return None
    stated = variable.attrs.get("units")
    if stated is not None and unit is not None and stated not in (unit.text, unit.suffix):
        findings.add(
            at,
            "E208",
            f"units attribute is '{stated}' but the file name says {unit.suffix}; must agree",
        )
    return _content_of_frame(path, variable.to_pandas(), findings)


def _what(error: Exception) -> str:
    """Text of an error, without the path that the fault names already."""
    return str(getattr(error, "strerror", None) or str(error).splitlines()[0])


def _read_parquet_series(path: Path, findings: Findings) -> Content | None:
    at = Position(shown(path))
    try:
        import polars as pl
    except ImportError:
        text = "reading .parquet needs polars; install wateralloc[parquet], or write .csv"
        findings.add(at, "E107", text)
        return None
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        findings.add(at, "E105", f"is not valid Parquet: {_what(error)}; write it again")
        return None
    found = [name for name in _PARQUET_DATES if name in table.columns]
    if not found:
        findings.add(at, "E202", "column date is missing; add it, one date a row")
        return None
    columns = {name: table[name].to_numpy() for name in table.columns if name != found[0]}
    frame = pd.DataFrame(columns, index=pd.Index(table[found[0]].to_numpy()))
    return _content_of_frame(path, frame, findings)


def _read_xlsx_series(path: Path, findings: Findings) -> Content | None:
    """Read the sheet named like the file, or the only one; those with meta_ do not count."""
    from wateralloc.basin.workbook import Workbook  # it needs what stands here

    book = Workbook(path)
    if not book.open(findings):
        return None
    filled = {place.stem: place for place, sheet in book.sheets.items() if sheet.rows}
    names = [name for name in filled if not name.startswith("meta_")]
    chosen = [name for name in names if name == path.stem] or names
    if len(chosen) != 1:
        has = f"has {listed(names)}" if names else "has no sheet with cells"
        text = f"{has}; must have one sheet with the series, or name that '{path.stem}'"
        findings.add(Position(shown(path)), "E105", text)
        return None
    grid = book.grid(filled[chosen[0]], findings)
    content = None if grid is None else content_of_grid(grid, findings)
    book.tidy(findings)
    return content


def _read_dss_series(path: Path, findings: Findings) -> Content | None:
    from wateralloc.basin.dss import read_dss  # it needs what stands here

    return read_dss(path, findings)


def _content_of_frame(path: Path, frame: pd.DataFrame, findings: Findings) -> Content | None:
    at = Position(shown(path))
    try:
        stamps = frame.index.to_numpy().astype("datetime64[ns]")
        values = frame.to_numpy().astype(float)
    except (TypeError, ValueError) as error:
        findings.add(at, "E204", f"holds what is no date or no number: {error}; correct it")
        return None
    if len(frame) == 0:
        findings.add(at, "E103", "series has no rows; fill it or remove it")
        return None
    days = stamps.astype("datetime64[D]")
    if (days != stamps).any():
        findings.add(at, "E213", "times must be whole days, the first of each period; correct them")
        return None
    names = [str(name) for name in frame.columns]
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        findings.add(at, "E212", f"column '{name}' stands there twice; keep one")
    for k, j in np.argwhere(~np.isfinite(values)):
        findings.add(
            at,
            "E204",
            f"value of '{names[j]}' on {days[k]} is {values[k, j]}; must be a finite number",
        )
    return Content(path, [str(day) for day in days], days, names, values, lambda row, k: at)


READERS: dict[str, Callable[[Path, Findings], Content | None]] = {
    ".csv": _read_csv_series,
    ".nc": _read_nc_series,
    ".parquet": _read_parquet_series,
    ".xlsx": _read_xlsx_series,
    ".dss": _read_dss_series,
}


def check_dates(content: Content, findings: Findings) -> Timeline | None:
    """Timeline of a series; None after a fault."""
    if content.days is None:
        return None
    step, breaks = calendar_breaks(content.days)
    for row, text in breaks:
        findings.add(
            content.position(row, -1),
            "E231",
            f"date {content.dates[row]} {text}; "
            "must be the first days of months, dekads, weeks or days, without gaps",
        )
    if breaks:
        return None
    return Timeline(content.dates[0], len(content.dates), step)
