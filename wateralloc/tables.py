"""Declared tables, and the strict reading of CSV and YAML against them, with positions.

A part declares the tables it reads as :class:`Table` of :class:`Column`; the attribute reference
and the JSON Schema are made from the same declarations.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from wateralloc.errors import Findings, Position, listed, shown, suggest
from wateralloc.units import CANONICAL, PRICES, UNITS, price_suffix, split_unit


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : base name, without the unit: ``capacity`` is written ``capacity_m3s`` in the file
    meaning : one sentence for the reference
    type : ``name`` (identifier), ``text``, ``number``, ``integer``, ``numbers`` (list separated by
        spaces), ``date`` or ``boolean``
    dimension : dimension of a number (a key of :data:`wateralloc.units.CANONICAL` or ``PRICES``);
        None where it has no unit and so no suffix
    required : the column must be there and every cell filled
    default : value of an empty cell or an absent column; None means "no value"
    low, high : allowed range of numbers, both ends included, in the canonical unit
    choices : allowed words
    refers_to : a name must exist there: ``nodes``, ``links``, ``reservoirs``, ``curves``,
        ``patterns``, ``regions``, ``provinces`` or ``sectors``
    varies : ``no``, or the number may also be ``pattern:NAME`` or a column of
        ``series/<name>_<unit>.csv``, whose dates follow the ``hydrology`` (the record years of each
        member) or the ``timeline`` (the dates of the case)
    """

    name: str
    meaning: str
    type: str = "number"
    dimension: str | None = None
    required: bool = False
    default: object = None
    low: float = float("-inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    refers_to: str = ""
    varies: str = "no"

    @property
    def label(self) -> str:
        """Name with its canonical unit, as in results and the reference."""
        if self.dimension is None or self.dimension in PRICES:
            return self.name
        return f"{self.name}_{CANONICAL[self.dimension]}"


@dataclass(frozen=True)
class Table:
    """One table of a basin: its file ``<name>.csv``, its columns, and whether it must be there.

    Attributes
    ----------
    key : column that names a row, unique in the table; "" for long tables without one
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: str = "name"
    required: bool = False

    @property
    def item(self) -> str:
        """What one row is, in words.

        >>> Table("environmental_flows", "", ()).item
        'environmental flow'
        """
        return self.name.removesuffix("s").replace("_", " ")

    def column(self, name: str) -> Column:
        """Column of a base name.

        Raises
        ------
        KeyError
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")


# --- text -----------------------------------------------------------------------------------


def read_text(path: Path, findings: Findings) -> str | None:
    r"""Read a UTF-8 text file; None after a fault.

    A byte order mark is dropped, line ends become ``\n`` and letters with accents take their
    composed form (NFC), so that a name is the same name whatever the keyboard.
    """
    at = Position(shown(path))
    if path.is_dir():
        findings.add(at, "E102", "is a directory; must be a file")
        return None
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except (FileNotFoundError, NotADirectoryError):
        findings.add(at, "E101", "file is missing; add it")
        return None
    except OSError as error:
        findings.add(at, "E108", f"file cannot be read: {error.strerror}; check its permissions")
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        findings.add(
            Position(
                at.file,
                raw.count(b"\n", 0, error.start) + 1,
                len(raw[line_start : error.start].decode("utf-8")) + 1,
            ),
            "E104",
            f"byte 0x{raw[error.start]:02x} is not UTF-8 text; "
            "save the file as UTF-8 (in Excel: 'CSV UTF-8')",
        )
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        findings.add(
            Position(at.file, line), "E104", "byte 0x00 is not text; save the file as UTF-8"
        )
        return None
    if not text.strip():
        findings.add(at, "E103", "file is empty; fill it or remove it")
        return None
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- YAML -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class YamlFile:
    """A YAML file as plain data, and where each value stands.

    Attributes
    ----------
    path : the file
    data : its mapping; empty after a fault
    is_sound : the file could be read
    """

    path: Path
    data: dict[str, Any]
    is_sound: bool = True
    root: Any = field(default=None, repr=False)

    def position(self, *keys: str | int) -> Position:
        """Position of a value; of its key where it is empty; of its holder where absent."""
        key, value = self._find(keys)
        if value is None or (isinstance(value, ScalarNode) and not value.value):
            return self._mark(key)
        return self._mark(value)

    def key_position(self, *keys: str | int) -> Position:
        """Position of a key; of its holder where it is absent."""
        return self._mark(self._find(keys)[0])

    def _mark(self, node: Any) -> Position:
        if node is None:
            return Position(shown(self.path), 1, 1)
        return Position(shown(self.path), node.start_mark.line + 1, node.start_mark.column + 1)

    def _find(self, keys: Sequence[str | int]) -> tuple[Any, Any]:
        """Key node and value node of the deepest of `keys` that is there."""
        key, value = None, self.root
        for wanted in keys:
            if isinstance(value, MappingNode):
                # the last one wins, as it does in the data
                pairs = [(k, v) for k, v in value.value if k.value == str(wanted)]
                if not pairs:
                    return key, value if key is None else None
                key, value = pairs[-1]
            elif isinstance(value, SequenceNode) and isinstance(wanted, int):
                if not 0 <= wanted < len(value.value):
                    return key, None
                key = value = value.value[wanted]
            else:
                return key, value
        return key, value


def read_yaml(path: Path, findings: Findings) -> YamlFile:
    """Read a YAML 1.2 file that holds a mapping (``NO`` stays text).

    Faults are E101 to E106, and E204 for numbers that are not finite.
    """
    text = read_text(path, findings)
    return YamlFile(path, {}, is_sound=False) if text is None else parse_yaml(path, text, findings)


def parse_yaml(path: Path, text: str, findings: Findings) -> YamlFile:
    """Read the text of a YAML file, as :func:`read_yaml` does."""
    try:
        root = _yaml().compose(text)
        data = _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else ()
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        findings.add(
            Position(shown(path), *place), "E105", f"is not valid YAML: {what}; correct it"
        )
        return YamlFile(path, {}, is_sound=False)
    except (YAMLError, ValueError) as error:
        what = str(error).splitlines()[0]
        findings.add(Position(shown(path)), "E105", f"is not valid YAML: {what}; correct it")
        return YamlFile(path, {}, is_sound=False)
    if root is None:
        findings.add(
            Position(shown(path)), "E103", "file holds only comments; fill it or remove it"
        )
        return YamlFile(path, {}, is_sound=False)
    file = YamlFile(path, data if isinstance(data, dict) else {}, isinstance(data, dict), root)
    if not file.is_sound:
        findings.add(file.position(), "E105", "must hold keys, as in `name: value`; correct it")
    _check_nodes(file, root, findings, set())
    return file


class _Constructor(SafeConstructor):
    """Keep dates as text: whoever wants a date says where and why it is none."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.allow_duplicate_keys = True  # found below, all at once and with both places
    return yaml


def _check_nodes(file: YamlFile, node: Any, findings: Findings, seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        if str(node.tag).endswith(":float") and node.value.lstrip("+-").lower() in (".nan", ".inf"):
            findings.add(
                file._mark(node), "E204", f"'{node.value}' is not a finite number; give one"
            )
    elif isinstance(node, SequenceNode):
        for item in node.value:
            _check_nodes(file, item, findings, seen)
    elif isinstance(node, MappingNode):
        first: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, ScalarNode) and not str(key.tag).endswith(":merge"):
                if key.value in first:
                    findings.add(
                        file._mark(key),
                        "E106",
                        f"key '{key.value}' stands already in line "
                        f"{first[key.value].start_mark.line + 1}; keep one",
                    )
                first.setdefault(key.value, key)
            _check_nodes(file, value, findings, seen)


# --- CSV ------------------------------------------------------------------------------------

_CELL = re.compile(r'"(?:[^"]|"")*"|[^,\n]*')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SEPARATED = re.compile(r"[+-]?[0-9][0-9.,'_\s]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Grid:
    """Cells of a CSV file as text; blank lines are left out.

    Attributes
    ----------
    header : first row
    rows : rows below it
    lines : first line (1-based) of each row below the header
    """

    path: Path
    text: str = field(repr=False)
    header: list[str]
    header_line: int
    rows: list[list[str]] = field(repr=False)
    lines: list[int] = field(repr=False)

    @property
    def body(self) -> str:
        """Text below the header."""
        return self.text.split("\n", self.header_line)[-1]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def position(self, row: int | None, cell: int) -> Position:
        """Position of a cell; `row` None is the header."""
        line = self.header_line if row is None else self.lines[row]
        at = self._line_starts[line - 1]
        for _ in range(cell):
            at = _CELL.match(self.text, at).end()  # type: ignore[union-attr]  # matches nothing too
            if self.text[at : at + 1] != ",":
                break
            at += 1
        line_start = self.text.rfind("\n", 0, at) + 1
        return Position(
            shown(self.path),
            line + self.text.count("\n", self._line_starts[line - 1], at),
            at - line_start + 1,
        )


def read_grid(path: Path, findings: Findings) -> Grid | None:
    """Read the cells of a CSV file, stripped of outer blanks; None after a fault."""
    text = read_text(path, findings)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append(cells)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        findings.add(
            Position(shown(path), line),
            "E105",
            f"is not valid CSV: {error}; write a quote within a quoted cell twice, and close it",
        )
        return None
    if not rows:
        findings.add(Position(shown(path)), "E103", "file is empty; fill it or remove it")
        return None
    header = rows[0]
    if len(header) == 1:
        for separator, name in ((";", "semicolons"), ("\t", "tabs")):
            if separator in header[0]:
                findings.add(
                    Position(shown(path), lines[0], header[0].index(separator) + 1),
                    "E105",
                    f"cells are separated by {name}; separate them by commas, "
                    "with a point in decimal numbers",
                )
                return None
    grid = Grid(path, text, header, lines[0], rows[1:], lines[1:])
    for k, row in enumerate(grid.rows):
        while len(row) > len(header) and not row[-1]:
            row.pop()  # a spreadsheet pads its rows
        if len(row) != len(header):
            findings.add(
                grid.position(k, min(len(row) - 1, len(header))),
                "E209",
                f"row has {len(row)} cell{'s' * (len(row) != 1)}; "
                f"must have {len(header)}, as the header: "
                "quote a cell that holds a comma, keep the commas of empty cells",
            )
    return grid


def is_identifier(name: str) -> bool:
    """Tell whether a name has only letters, digits and underscores, and starts with no digit."""
    return name.isidentifier()


NAMES_ARE = "must be letters, digits and underscores, not starting with a digit"


def parse_number(text: str) -> float:
    """Read a finite number written with a decimal point.

    >>> parse_number("-1.5e3")
    -1500.0

    Raises
    ------
    ValueError
        With what must be, as the tail of a message.
    """
    if _NUMBER.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    word = text.lower().lstrip("+-")
    if word in {"", "nan", "na", "n/a", "#n/a", "null", "none"}:
        raise ValueError("must be a number; leave the cell empty where there is no value")
    if word in {"inf", "infinity", "∞"} or _NUMBER.fullmatch(text):
        raise ValueError("must be a finite number; leave the cell empty where there is no limit")
    if _SEPARATED.fullmatch(text):
        raise ValueError("must have a decimal point and no thousands separator, as in 1234.5")
    raise ValueError("must be a number")


def parse_date(text: str) -> np.datetime64:
    """Read a date written YYYY-MM-DD.

    Raises
    ------
    ValueError
    """
    if not _DATE.fullmatch(text):
        raise ValueError("must be a date as in 2004-06-01")
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise ValueError("must be a day of the calendar") from None


# --- columns --------------------------------------------------------------------------------


class ColumnFault(ValueError):
    """A column name that fits no declared column; `column` is the one that was probably meant."""

    def __init__(self, code: str, text: str, column: Column | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.column = code, text, column


def spellings(column: Column, currency: str | None = "") -> list[str]:
    """List the accepted ways to write a column, the canonical one first.

    >>> spellings(Column("depth", "", dimension="length"))
    ['depth_m', 'depth_cm', 'depth_km']
    """
    if column.dimension is None:
        return [column.name]
    if column.dimension in PRICES:
        return [f"{column.name}_{price_suffix(currency or 'currency', column.dimension)}"]
    units = (unit for unit in UNITS.values() if unit.dimension == column.dimension)
    return [f"{column.name}_{unit.suffix}" for unit in units]


def match_column(
    label: str, columns: Sequence[Column], currency: str | None = ""
) -> tuple[Column, float]:
    """Find the declared column and the factor to its canonical unit from a name with a unit.

    Parameters
    ----------
    currency : of the basin; None when it is not known, then any is accepted

    Raises
    ------
    ColumnFault
    """
    by_name = {column.name: column for column in columns}
    base, unit = split_unit(label)
    if label in by_name:
        column = by_name[label]
        if column.dimension is None:
            return column, 1.0
        ways = " or ".join(spellings(column, currency))
        raise ColumnFault("E207", f"column '{label}' has no unit; write {ways}", column)
    price = re.fullmatch(r"(.+)_([a-z]{3})_(m3|kwh)", label)
    if price and price[1] in by_name and PRICES.get(str(by_name[price[1]].dimension)) == price[3]:
        column = by_name[price[1]]
        if currency is None or price[2] == currency.lower():
            return column, 1.0
        if not currency:
            todo = f"basin.yaml has no currency; add `currency: {price[2].upper()}` to it"
        else:
            way = spellings(column, currency)[0]
            todo = f"the basin's currency is {currency}; convert it to {way}"
        raise ColumnFault("E208", f"column '{label}' is in {price[2].upper()} but {todo}", column)
    if unit and base in by_name:
        column = by_name[base]
        if column.dimension == unit.dimension:
            return column, unit.factor
        ways = " or ".join(spellings(column, currency))
        is_in = f"column '{label}' has a unit of {unit.dimension.replace('_', ' ')}"
        if column.dimension is None:
            raise ColumnFault("E208", f"{is_in} but {base} has no unit; write {ways}", column)
        dimension = column.dimension.replace("_", " ")
        raise ColumnFault("E208", f"{is_in} but {base} is a {dimension}; write {ways}", column)
    begun = [c for c in columns if c.dimension and label.startswith(c.name + "_")]
    if begun:
        column = max(begun, key=lambda c: len(c.name))
        ways = " or ".join(spellings(column, currency))
        raise ColumnFault("E207", f"column '{label}' has no known unit; write {ways}", column)
    meant = {way: column for column in columns for way in spellings(column, currency)}
    meant |= by_name
    hint = suggest(label, meant)
    near = meant[hint.split("'")[1]] if hint else None
    if not hint:
        known = listed((spellings(column, currency)[0] for column in columns), most=99)
        hint = f"; columns are {known}; start a column of your own with meta_"
    raise ColumnFault("E201", f"unknown column '{label}'{hint}", near)


# --- tables ---------------------------------------------------------------------------------


class Positions(Mapping):
    """Position of each cell by (key, column); of its row where the column is absent.

    pandas copies the attributes of a frame with every frame it derives, so this copies as itself.
    """

    def __init__(
        self,
        grid: Grid | None = None,
        rows: Mapping | None = None,
        cells: Mapping[str, int] | None = None,
        changed: Mapping | None = None,
    ) -> None:
        self.grid, self.rows, self.cells = grid, dict(rows or {}), dict(cells or {})
        self.changed = dict(changed or {})

    def __getitem__(self, at: tuple[Any, str]) -> Position:
        if at in self.changed:
            return self.changed[at]
        key, column = at
        if self.grid is None:
            raise KeyError(at)
        return self.grid.position(self.rows[key], self.cells.get(column, 0))

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        return ((key, column) for key in self.rows for column in self.cells)

    def __len__(self) -> int:
        return len(self.rows) * len(self.cells)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __copy__(self) -> Positions:
        return self

    def __deepcopy__(self, memo: object) -> Positions:
        return self


class _Kept(frozenset):
    """A set that copies as itself, as :class:`Positions` does."""

    def __deepcopy__(self, memo: object) -> _Kept:
        return self


Locate = Callable[..., Position]
"""Tells where a change stands, from (row, column)."""


@dataclass(frozen=True)
class _Cell:
    """A cell with what is needed to convert it and to speak of it."""

    text: str
    label: str
    factor: float
    at: Callable[[], Position]


def empty_table(table: Table, path: Path, *, is_read: bool = True) -> pd.DataFrame:
    """Frame of a table without rows; `is_read` False after a fault that hid its rows."""
    return _frame(
        table, path, [], {column.name: [] for column in table.columns}, Positions(), is_read=is_read
    )


def _frame(
    table: Table,
    path: Path,
    keys: list[str],
    values: dict[str, list[Any]],
    positions: Positions,
    faulty: Iterable[Any] = (),
    faulty_cells: Iterable[tuple[Any, str]] = (),
    is_read: bool = True,
) -> pd.DataFrame:
    index = pd.Index(keys, dtype=object, name=table.key) if table.key else None
    columns = {name: _column(cells, index) for name, cells in values.items()}
    frame = pd.DataFrame(columns, index=index)
    frame.attrs = {
        "path": str(path),
        "positions": positions,
        "faulty": _Kept(faulty),
        "faulty_cells": _Kept(faulty_cells),
        "is_read": is_read,
    }
    return frame


def _column(cells: list[Any], index: pd.Index | None) -> pd.Series:
    types = {type(cell) for cell in cells}
    if len(types) == 1 and types <= {float, int, bool}:
        return pd.Series(cells, index=index)
    array = np.empty(len(cells), dtype=object)  # so that None stays None, and a tuple one cell
    array[:] = cells
    return pd.Series(array, index=index, dtype=object)


def read_table(
    path: Path,
    table: Table,
    findings: Findings,
    *,
    currency: str | None = "",
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    locate: Locate | None = None,
    read: Callable[[Path, Findings], Grid | None] = read_grid,
) -> pd.DataFrame:
    """Read a CSV file against its declaration.

    Parameters
    ----------
    currency : of the basin, for prices; None accepts any
    changes : row name -> column with unit -> value, taken in place of what the file says
    locate : where a change stands, from (row, column)
    read : gives the cells, where they do not come from a CSV file

    Returns
    -------
    DataFrame
        Index: the key column (a plain range for long tables); columns: base names, all that are
        declared, then ``meta_*`` as text. Numbers are floats in the canonical unit of their
        dimension, None where there is none; names and text are "" where there is none. A varying
        number may be the text ``pattern:NAME``. ``attrs``: `path`; `positions`, by (key, column);
        `faulty`, the keys of rows in which a cell has a fault; `faulty_cells`, those cells by (key,
        column), with those that could not be read; `is_read`, False when the file could
        not be read.
    """
    grid = read(path, findings)
    if grid is None:
        return empty_table(table, path, is_read=False)
    header, free, hidden = _read_header(grid, table, findings, currency)
    key_cell = header[table.key][0] if table.key in header else None
    rows, faulty = _read_keys(grid, table, key_cell, findings)
    changed = _read_changes(table, rows, changes or {}, findings, currency, locate)
    if table.required and not grid.rows:
        findings.add(Position(shown(path)), "E103", f"has no {table.item}; add at least one")

    values: dict[str, list[Any]] = {c.name: [] for c in table.columns if c.name != table.key}
    faulty_cells: set[tuple[Any, str]] = set()
    for key, row in rows.items():
        is_whole = len(grid.rows[row]) == len(grid.header)
        if not is_whole:
            faulty.add(key)
        item = f" for {table.item} '{key}'" if table.key else ""
        for column in table.columns:
            if column.name == table.key:
                continue
            cell = changed.get((key, column.name))
            if cell is None and column.name in header and is_whole:
                k, factor = header[column.name]
                cell = _Cell(
                    grid.rows[row][k],
                    grid.header[k],
                    factor,
                    lambda row=row, k=k: grid.position(row, k),  # type: ignore[misc]
                )
            value = _NONE[column.type]
            if cell is None:
                value = column.default if column.default is not None else value
                if not is_whole or column.name in hidden:
                    faulty.add(key)
                    faulty_cells.add((key, column.name))
                place = hidden.get(column.name)
                if is_whole and place is not None:
                    cell = _Cell(
                        grid.rows[row][place],
                        grid.header[place],
                        1.0,
                        partial(grid.position, row, place),
                    )
                    _check_without_unit(cell, column, item, findings)
            else:
                try:
                    value = _convert(cell, column, item)
                except ColumnFault as fault:
                    faulty.add(key)
                    faulty_cells.add((key, column.name))
                    findings.add(cell.at(), fault.code, fault.text)
            values[column.name].append(value)
    for k, label in free:
        values[label] = [
            grid.rows[row][k] if k < len(grid.rows[row]) else "" for row in rows.values()
        ]
    cells = {name: k for name, (k, _) in header.items()} | {label: k for k, label in free}
    positions = Positions(grid, rows, cells, {at: cell.at() for at, cell in changed.items()})
    has_keys = not table.key or key_cell is not None
    return _frame(
        table, path, list(rows), values, positions, faulty, faulty_cells, is_read=has_keys
    )


_NONE: dict[str, Any] = {
    "name": "",
    "text": "",
    "number": None,
    "integer": None,
    "numbers": None,
    "date": None,
    "boolean": None,
}


def _read_header(
    grid: Grid, table: Table, findings: Findings, currency: str | None
) -> tuple[dict[str, tuple[int, float]], list[tuple[int, str]], dict[str, int | None]]:
    """Match the header.

    Returns
    -------
    header : base name -> (cell, factor)
    free : (cell, label) of the ``meta_`` columns
    hidden : base name that was probably meant by a column with a fault -> its cell; None where
        the column is missing
    """
    header: dict[str, tuple[int, float]] = {}
    free: dict[str, int] = {}
    hidden: dict[str, int | None] = {}
    for k, label in enumerate(grid.header):
        at = grid.position(None, k)
        if not label:
            if any(row[k] for row in grid.rows if k < len(row)):
                findings.add(at, "E201", f"column {k + 1} has cells but no name; name or empty it")
        elif label.startswith("meta_"):
            if label in free:
                findings.add(at, "E212", f"column '{label}' stands there twice; keep one")
            free.setdefault(label, k)
        else:
            try:
                column, factor = match_column(label, table.columns, currency)
            except ColumnFault as fault:
                findings.add(at, fault.code, fault.text)
                if fault.column:
                    hidden.setdefault(fault.column.name, k)
                continue
            if column.name in header:
                first = grid.header[header[column.name][0]]
                other = f" as '{first}'" if first != label else ""
                findings.add(at, "E212", f"column '{label}' stands there already{other}; keep one")
            header.setdefault(column.name, (k, factor))
    hidden = {name: k for name, k in hidden.items() if name not in header}
    for column in table.columns:
        # a varying number may come from a series: the basin sees to that
        is_needed = column.required and column.varies == "no"
        if is_needed and column.name not in header.keys() | hidden.keys():
            findings.add(
                grid.position(None, 0),
                "E202",
                f"required column '{spellings(column, currency)[0]}' is missing; add it",
            )
            hidden[column.name] = None
    return header, [(k, label) for label, k in free.items()], hidden


def _read_keys(
    grid: Grid, table: Table, key_cell: int | None, findings: Findings
) -> tuple[dict[Any, int], set[Any]]:
    """Rows by their key, and the keys that have a fault."""
    if not table.key:
        return {k: k for k in range(len(grid.rows))}, set()
    rows: dict[Any, int] = {}
    faulty: set[Any] = set()
    for k, row in enumerate(grid.rows if key_cell is not None else ()):
        key = row[key_cell] if key_cell < len(row) else ""  # type: ignore[operator,index]
        if not key:
            if len(row) == len(grid.header):
                findings.add(
                    grid.position(k, key_cell or 0),
                    "E202",
                    f"{table.item} has no {table.key}; give it one",
                )
            continue
        if key in rows:
            findings.add(
                grid.position(k, key_cell or 0),
                "E206",
                f"{table.item} '{key}' stands already in line {grid.lines[rows[key]]}; rename one",
            )
            faulty.add(key)
            continue
        rows[key] = k
        if not table.column(table.key).refers_to and not is_identifier(key):
            findings.add(
                grid.position(k, key_cell or 0),
                "E210",
                f"{table.key} '{key}' is not valid; {NAMES_ARE}",
            )
    return rows, faulty


def _read_changes(
    table: Table,
    rows: Mapping[Any, int],
    changes: Mapping[str, Mapping[str, Any]],
    findings: Findings,
    currency: str | None,
    locate: Locate | None,
) -> dict[tuple[Any, str], _Cell]:
    """Cells that a case puts in place of those of the file."""
    locate = locate or (lambda *keys: Position(".".join(("changes", table.name, *keys))))
    cells: dict[tuple[Any, str], _Cell] = {}
    for key, columns in changes.items():
        if not table.key or key not in rows:
            findings.add(
                locate(key),
                "E211",
                f"unknown {table.item} '{key}' in table {table.name}"
                f"{suggest(key, rows if table.key else ())}",
            )
            continue
        if not isinstance(columns, Mapping):
            findings.add(
                locate(key), "E303", f"changes of '{key}' must be columns with values; correct it"
            )
            continue
        for label, value in columns.items():
            at = partial(locate, key, label)
            try:
                column, factor = match_column(str(label), table.columns, currency)
            except ColumnFault as fault:
                findings.add(at(), fault.code, fault.text)
                continue
            if column.name == table.key:
                findings.add(at(), "E303", f"{table.key} of '{key}' cannot be changed; remove it")
                continue
            if (key, column.name) in cells:
                findings.add(
                    at(), "E212", f"column '{label}' of '{key}' is changed twice; keep one"
                )
            cells[key, column.name] = _Cell(_as_text(value), str(label), factor, at)
    return cells


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return " ".join(_as_text(item) for item in value)
    return str(value)


def _convert(cell: _Cell, column: Column, item: str) -> Any:
    """Value of a cell.

    Raises
    ------
    ColumnFault
    """
    text = cell.text
    if not text:
        if column.required and column.varies == "no":
            raise ColumnFault("E202", f"{cell.label} is empty{item}; must have a value")
        return column.default if column.default is not None else _NONE[column.type]
    if column.choices and text not in column.choices:
        raise ColumnFault(
            "E205",
            f"{cell.label} is '{text}'{item}; must be one of {listed(column.choices)}"
            f"{suggest(text, column.choices)}",
        )
    if column.type in ("name", "text"):
        return text
    if column.varies != "no" and text.startswith("pattern:"):
        return text
    try:
        return _PARSERS[column.type](cell, column)
    except OverflowError:
        raise ColumnFault(
            "E203", f"{cell.label} is {text}{item}; {range_text(column, cell.factor)}"
        ) from None
    except ValueError as error:
        if str(error) == "must be a number" and column.varies != "no":
            error = ValueError("must be a number or pattern:NAME")
        code = "E213" if column.type == "date" else "E204"
        raise ColumnFault(code, f"{cell.label} is '{text}'{item}; {error}") from None


def _check_without_unit(cell: _Cell, column: Column, item: str, findings: Findings) -> None:
    """Check what holds in any unit, in a column whose unit has a fault: a number, its sign."""
    if column.type != "number" or not cell.text:
        return
    any_size = replace(column, low=0.0 if column.low >= 0 else -math.inf, high=math.inf)
    try:
        _convert(cell, any_size, item)
    except ColumnFault as fault:
        findings.add(cell.at(), fault.code, fault.text)


def _parse_number(cell: _Cell, column: Column) -> float:
    value = parse_number(cell.text) * cell.factor
    if not column.low <= value <= column.high:
        raise OverflowError
    return value


def _parse_integer(cell: _Cell, column: Column) -> int:
    value = _parse_number(cell, column)
    if value != int(value):
        raise ValueError("must be a whole number")
    return int(value)


def _parse_numbers(cell: _Cell, column: Column) -> tuple[float, ...]:
    words = cell.text.split()
    return tuple(
        _parse_number(_Cell(word, cell.label, cell.factor, cell.at), column) for word in words
    )


def _parse_boolean(cell: _Cell, column: Column) -> bool:
    word = cell.text.lower()  # a spreadsheet writes TRUE
    if word not in ("true", "false"):
        raise ValueError("must be true or false")
    return word == "true"


_PARSERS: dict[str, Callable[[_Cell, Column], Any]] = {
    "number": _parse_number,
    "integer": _parse_integer,
    "numbers": _parse_numbers,
    "boolean": _parse_boolean,
    "date": lambda cell, column: parse_date(cell.text),
}


def range_text(column: Column, factor: float = 1.0) -> str:
    """Say which numbers are allowed, in a unit with the given factor to the canonical one.

    >>> range_text(Column("loss", "", dimension="fraction", low=0, high=1), 0.01)
    'must be from 0 to 100'
    """
    low, high = column.low / factor, column.high / factor
    if math.isinf(high):
        return f"must be {low:g} or more"
    if math.isinf(low):
        return f"must be {high:g} or less"
    return f"must be from {low:g} to {high:g}"
