"""Reading the folder ``series/``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from wateralloc.basin.model import Series, tables_with
from wateralloc.basin.reading import Reading
from wateralloc.basin.series_files import READERS, Content, check_dates, series_column
from wateralloc.errors import Position, listed, or_do, shown, suggest
from wateralloc.tables import Column, ColumnFault, range_text, spellings
from wateralloc.units import canonical


def read_all_series(reading: Reading) -> None:
    """Read every series; those with a fault are left out."""
    for path in reading.source.series(reading.findings):
        reading.add_file(path)
        _read_series(reading, path)


def _varying(reading: Reading) -> list[Column]:
    """Varying columns by name; the same name in two tables has one dimension."""
    return list(
        {
            column.name: column
            for table in reading.declared.values()
            for column in table.columns
            if column.varies != "no"
        }.values()
    )


def _read_series(reading: Reading, path: Path) -> None:
    at = Position(shown(path))
    columns = _varying(reading)
    if path.suffix not in READERS:
        reading.findings.add(
            at,
            "E107",
            f"series cannot be read from '{path.suffix or path.name}'; "
            f"must end in {listed(READERS)}",
        )
        return
    try:
        column, factor, per_period = series_column(path.stem, columns, reading.currency)
    except ColumnFault as fault:
        if fault.column:
            reading.broken_series.add(fault.column.name)
        text = fault.text.replace("column", "series", 1)
        if fault.code == "E201":
            ways = [spellings(column, reading.currency)[0] for column in columns]
            hint = or_do(suggest(path.stem, ways), f"series are {listed(ways)}")
            text = f"unknown series '{path.stem}'{hint}"
        reading.findings.add(at, "E214" if fault.code == "E201" else fault.code, text)
        return
    earlier = reading.series.get(column.name)
    if earlier is not None:
        reading.findings.add(
            at, "E224", f"{column.name} is in {shown(earlier.path)} too; keep one of them"
        )
        return
    reading.broken_series.add(column.name)
    content = reading.source.content(path, reading.findings)
    if content is None:
        return
    n_faults = len(reading.findings.faults)
    _check_names(reading, content, column)
    _check_sums(reading, content, is_sum=per_period is not None)
    timeline = check_dates(content, reading.findings)
    values = content.values
    if values is None:
        return
    if timeline is not None and per_period is not None:
        values = values / getattr(timeline, per_period)[:, None]
    if timeline is not None or per_period is None:
        values = values * factor
        _check_range(reading, content, values, column)
    if timeline is None or len(reading.findings.faults) > n_faults:
        return
    reading.series[column.name] = Series(
        column.name,
        canonical(column.dimension or "", reading.currency or ""),
        timeline,
        pd.DataFrame(values, index=timeline.index, columns=content.names),
        path,
    )
    reading.broken_series.discard(column.name)


def _check_names(reading: Reading, content: Content, column: Column) -> None:
    tables = tables_with(reading.declared, column.name)
    if not all(reading.tables[table].attrs["is_read"] for table in tables):
        return
    of = {table: set(reading.tables[table].index) for table in tables}
    known = sorted(set().union(*of.values()))
    for k, name in enumerate(content.names):
        if not name:
            continue
        owners = [table for table in tables if name in of[table]]
        if not owners:
            hint = or_do(suggest(name, known), f"columns are names in {' or '.join(tables)}")
            reading.findings.add(
                content.position(None, k),
                "E211",
                f"'{name}' in series {column.name} does not exist{hint}",
            )
        elif len(owners) > 1:
            reading.findings.add(
                content.position(None, k),
                "E224",
                f"'{name}' is a name in {' and in '.join(owners)}, all with {column.name}; "
                "rename one",
            )


def _check_sums(reading: Reading, content: Content, *, is_sum: bool) -> None:
    """Check that a file which says whether values are sums over the period is named so."""
    for k, is_own in enumerate(content.sums or ()):
        if is_own != is_sum:
            what, must = ("sums", "means") if is_own else ("means", "sums")
            reading.findings.add(
                content.position(None, k),
                "E208",
                f"values of '{content.names[k]}' are {what} over the period, but "
                f"{content.path.stem} must be {must}; correct the type, or the name of the file",
            )


def _check_range(reading: Reading, content: Content, values: np.ndarray, column: Column) -> None:
    outside = (values < column.low) | (values > column.high)
    for k in np.flatnonzero(outside.any(axis=0)):
        rows = np.flatnonzero(outside[:, k])
        more = f" ({len(rows) - 1} more below)" if len(rows) > 1 else ""
        unit = canonical(column.dimension or "", reading.currency or "")
        reading.findings.add(
            content.position(int(rows[0]), int(k)),
            "E203",
            f"{column.name} is {values[rows[0], k]:g} {unit} for '{content.names[k]}' on "
            f"{content.dates[rows[0]]}; {range_text(column)}{more}",
        )
