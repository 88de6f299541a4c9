"""Names that refer to others, and values that vary."""

from __future__ import annotations

from typing import Any

from wateralloc.basin.model import Basin
from wateralloc.basin.reading import Reading
from wateralloc.basin.settings import LABELLED
from wateralloc.errors import or_do, shown, suggest
from wateralloc.tables import Column, Table, range_text, spellings
from wateralloc.units import find_unit


def _choices(reading: Reading, refers_to: str) -> list[str] | None:
    """Names that may be referred to; None when they could not be read."""
    if refers_to in reading.declared and reading.declared[refers_to].key:
        frame = reading.tables[refers_to]
        return list(frame.index) if frame.attrs["is_read"] else None
    return reading.names.get(refers_to)


def check_references(reading: Reading) -> None:
    """Check that what is referred to exists; mark the rows that refer to what has a fault."""
    for table in reading.declared.values():
        frame = reading.tables[table.name]
        for column in table.columns:
            if not column.refers_to:
                continue
            choices = _choices(reading, column.refers_to)
            known = set(choices or ())
            is_key = column.name == table.key
            cells = frame.index if is_key else frame[column.name]
            for key, value in zip(frame.index, cells, strict=True):
                if not value:
                    continue
                if column.refers_to == "curves" and value not in reading.curves:
                    reading.without_curve.add((table.name, key))
                if choices is not None and value not in known:
                    _unknown(reading, table, column, key, value, choices)
                    if column.refers_to != "curves":
                        reading.doubtful.add((table.name, key))
                elif is_key and (column.refers_to, value) in reading.doubtful:
                    reading.doubtful.add((table.name, key))
                elif column.refers_to == "patterns":
                    _check_pattern(reading, table, column, key, value)


def _unknown(
    reading: Reading, table: Table, column: Column, key: Any, value: str, choices: list[str]
) -> None:
    of = f" of {table.item} '{key}'" if table.key and column.name != table.key else ""
    is_setting = column.refers_to in LABELLED
    todo = (
        f"declare it under {column.refers_to} in basin.yaml"
        if is_setting
        else f"add it to {column.refers_to}.csv"
    )
    is_named_so = column.name in (column.refers_to.removesuffix("s"), table.key)
    what = column.refers_to.removesuffix("s").replace("sub_basin", "sub-basin")
    what = what if is_named_so else f"{what} '{value}', {column.name}"
    what = what if f"'{value}'" in what else f"{what} '{value}'"
    reading.fault(
        table.name,
        key,
        column.name,
        "E211",
        f"{what}{of} does not exist{or_do(suggest(value, choices), todo)}",
    )


def _check_pattern(reading: Reading, table: Table, column: Column, key: Any, name: str) -> None:
    """Check that a pattern fits the column it is used in."""
    pattern = reading.patterns.get(name)
    if pattern is None:  # its fault is reported
        return
    unit = find_unit(pattern.unit, None)
    dimension = unit.dimension if unit else None
    fits = dimension == column.dimension or (dimension is None and column.dimension == "fraction")
    item = f" of {table.item} '{key}'" if table.key else ""
    if not fits:
        must = "in unit 1"
        if column.dimension:
            article = "an" if column.dimension[0] in "ae" else "a"
            must = f"{article} {column.dimension.replace('_', ' ')}"
        reading.fault(
            table.name,
            key,
            column.name,
            "E223",
            f"pattern '{name}' is in {pattern.unit} but {column.name}{item} must be {must}",
        )
        return
    for start, value in zip(pattern.starts, pattern.values, strict=True):
        if not column.low <= value <= column.high:
            reading.fault(
                table.name,
                key,
                column.name,
                "E203",
                f"pattern '{name}' is {value:g} from {start[0]:02d}-{start[1]:02d} on but "
                f"{column.name}{item} {range_text(column)}",
            )
            return


def check_varying(reading: Reading, basin: Basin) -> None:
    """Check patterns in cells, and that each varying value is given, and given once."""
    for table in reading.declared.values():
        frame = reading.tables[table.name]
        for column in table.columns:
            if column.varies == "no":
                continue
            from_series = basin.in_series(column.name)
            ways = spellings(column, reading.currency)
            is_known = column.name not in reading.broken_series
            for key, value in frame[column.name].items():
                is_text = isinstance(value, str)
                if is_text:
                    name = value.removeprefix("pattern:")
                    names = reading.names.get("patterns")
                    if names is not None and name not in names:
                        hint = or_do(suggest(name, names), "add it to patterns.csv")
                        reading.fault(
                            table.name,
                            key,
                            column.name,
                            "E223",
                            f"pattern '{name}' in {column.name} of {table.item} '{key}' "
                            f"does not exist{hint}",
                        )
                    _check_pattern(reading, table, column, key, name)
                if (table.name, key) in from_series:
                    if is_text or (value is not None and value != column.default):
                        reading.fault(
                            table.name,
                            key,
                            column.name,
                            "E224",
                            f"{column.name} of {table.item} '{key}' is given here and in "
                            f"{shown(basin.series[column.name].path)}; keep one",
                        )
                elif (
                    value is None
                    and column.required
                    and is_known
                    and key not in frame.attrs["faulty"]
                ):
                    reading.fault(
                        table.name,
                        key,
                        column.name,
                        "E202",
                        f"{table.item} '{key}' has no {column.name}; give {ways[0]}, "
                        f"or a column in series/{ways[0]}.csv",
                    )
