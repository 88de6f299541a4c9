"""A basin as one XLSX workbook: a sheet a table, read as text with the cell it stands in.

Numbers, dates and texts are written so that the very same text comes back: a number is a number
where that is so, else a text.  Text is never a formula, whatever it starts with.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl.cell.cell import TYPE_ERROR, TYPE_FORMULA
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.escape import unescape
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from wateralloc.basin.contents import SHORTEST, Contents, decimals_of, numeral
from wateralloc.basin.keys import SettingRow, SheetYaml, from_rows, to_rows
from wateralloc.basin.sources import Bundle, Sheet, clean, is_document
from wateralloc.errors import Fault, Findings, InputError, Position, shown
from wateralloc.tables import YamlFile, parse_date

ROWS, COLUMNS, LONGEST_TEXT, LONGEST_NAME = 1_048_576, 16_384, 32_767, 31
"""What a sheet, a cell and the name of a sheet can hold."""
LEAST, MOST, LARGEST_WHOLE = 1e-300, 9e307, 1e15
"""Sizes of numbers that a spreadsheet keeps as they are; the largest it shows in full."""
WRITTEN = dt.datetime(2000, 1, 1)
"""Stands in every workbook in place of the day it was written: the same basin, the same file."""
FIRST_DAY = dt.date(1900, 3, 1)
"""Dates before it are not the same in all spreadsheets."""

_DECIMALS = re.compile(r"0\.(0+)")
_AMBIGUOUS = re.compile(r"_x[0-9A-Fa-f]{4}(?=_x[0-9A-Fa-f]{4}_|[\x00-\x08\x0b-\x1f\ufffe\uffff])")
"""Texts that do not come back: in a workbook a letter that cannot be shown is ``_x0007_``."""
_BEGINS_FORMULA = ("=", "+", "-", "@")


class Workbook(Bundle):
    """A workbook in which every table of a basin is a sheet.

    ``basin`` holds the settings as keys and values, ``series.inflow_m3s`` a series.
    """

    kind = "XLSX"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.settings: list[SettingRow] = []

    def load(self, findings: Findings) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drawings and extensions that hold no table
            book = _open(self.path)
            stored: Any = None
            try:
                for sheet in book.worksheets:
                    sheet.reset_dimensions()  # programs are known to write them wrong
                    rows = [[cell for cell in row if cell.value is not None] for row in sheet]
                    if any(cell.data_type == TYPE_FORMULA for row in rows for cell in row):
                        if stored is None:
                            stored = _open(self.path, stored=True)
                        rows = self._with_stored(rows, stored[sheet.title], findings)
                    self._add(sheet.title, rows, findings)
            finally:
                book.close()
                if stored is not None:
                    stored.close()

    def yaml(self, path: Path, findings: Findings) -> YamlFile:
        sheet = self.sheets.get(path)
        if sheet is None or not sheet.rows:
            code, what = ("E101", "missing") if sheet is None else ("E103", "empty")
            text = f"sheet is {what}; give it columns key and value"
            findings.add(Position(shown(path)), code, text)
            return SheetYaml(path, {}, is_sound=False)
        if sheet.rows[0][:2] != ["key", "value"]:
            at = Position(shown(path), sheet.lines[0], 1, is_cell=True)
            text = f"sheet begins with {sheet.rows[0][:2]}; its columns must be key and value"
            findings.add(at, "E105", text)
            return SheetYaml(path, {}, is_sound=False)
        for k, label in enumerate(sheet.rows[0][2:], 3):
            if not label.startswith("meta_"):
                at = Position(shown(path), sheet.lines[0], k, is_cell=True)
                text = f"unknown column '{label}'; only those that start with meta_ are your own"
                findings.add(at, "E201", text)
        return from_rows(path, self.settings[1:], findings)

    def settings_text(self, path: Path) -> str:
        return ""

    def _with_stored(
        self, rows: list[list[Any]], sheet: Any, findings: Findings
    ) -> list[list[Any]]:
        """Cells with the stored value in place of a formula; without one, the formula is a fault.

        It stays as a text, so that its row is known to have a fault.
        """
        sheet.reset_dimensions()
        values = {(c.row, c.column): c for row in sheet for c in row if c.value is not None}
        whole = []
        for row in rows:
            whole.append([values.get((cell.row, cell.column), cell) for cell in row])
            for cell in whole[-1]:
                if cell.data_type == TYPE_FORMULA:
                    text = (
                        "holds a formula without a stored value; open the workbook in a "
                        "spreadsheet and save it, or put the value in its place"
                    )
                    self._refuse(sheet.title, cell, "E392", text, findings)
        return whole

    def _refuse(self, title: str, cell: Any, code: str, text: str, findings: Findings) -> None:
        at = Position(shown(self.place(title)), cell.row, cell.column, is_cell=True)
        self.unusable[at] = code
        findings.add(at, code, text)

    def _add(self, title: str, rows: list[list[Any]], findings: Findings) -> None:
        if is_document(title):
            self.texts[title] = _document(rows)
            return
        place = self.place(title)
        texts = [
            (row[0].row, _spread({cell.column: self._text(title, cell, findings) for cell in row}))
            for row in rows
            if row
        ]
        self.sheets[place] = Sheet.of(texts, is_cell=True)
        if title == "basin":
            self.settings = [
                SettingRow(row[0].row, *_setting({cell.column: cell for cell in row}))
                for row in rows
                if row and row[0].column <= 2
            ]

    def _text(self, title: str, cell: Any, findings: Findings) -> str:
        text = _text_of(cell)
        if cell.data_type == TYPE_ERROR:
            what = f"holds the error {text}; put a value in its place, or nothing"
            self._refuse(title, cell, "E393", what, findings)
        elif isinstance(cell.value, dt.datetime | dt.time | dt.timedelta) and " " in text:
            what = f"holds the time {text.strip()}; give it the format of a date or of a number"
            self._refuse(title, cell, "E393", what, findings)
        return text


class _Reader(ExcelReader):  # type: ignore[misc]  # it has no types
    """Reads texts as they stand in the file: its base drops ``x005F_`` wherever it stands."""

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            with self.archive.open(part.PartName[1:]) as stream:
                self.shared_strings = [
                    Text.from_tree(node).content
                    for _, node in iterparse(stream)
                    if node.tag == f"{{{SHEET_MAIN_NS}}}si"
                ]


def _open(path: Path, *, stored: bool = False) -> Any:
    """Open a workbook for reading; with `stored`, formulas have their stored values."""
    reader = _Reader(path, read_only=True, data_only=stored, keep_links=False)
    try:
        reader.read()
    except BaseException:
        reader.archive.close()
        raise
    return reader.wb


def _spread(cells: Mapping[int, str]) -> list[str]:
    """Texts by their column, from 1, with empty ones between."""
    return [cells.get(k, "") for k in range(1, max(cells) + 1)]


def _document(rows: Sequence[Sequence[Any]]) -> str:
    """Text of a sheet with one line a row, in its first column."""
    lines: dict[int, str] = {row[0].row: _text_of(row[0]) for row in rows if row}
    return "".join(f"{lines.get(k, '')}\n" for k in range(1, max(lines, default=0) + 1))


def _text_of(cell: Any) -> str:
    """Text that a CSV file would have in place of a cell.

    A time has a blank before it and within, so that it is no date; it is refused.
    """
    value = cell.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        shown_as = _DECIMALS.fullmatch(str(cell.number_format))
        if shown_as:
            return numeral(value, len(shown_as[1]))
        if cell.number_format == "0":
            return numeral(value, 0)
        return str(value) if isinstance(value, int) else numeral(value)
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else f" {value}"
    if isinstance(value, dt.time | dt.timedelta):
        return f" {value}"
    if isinstance(value, str):
        return str(unescape(value))
    return str(value) if isinstance(value, dt.date) else "="


def _setting(cells: Mapping[int, Any]) -> tuple[str, Any]:
    """Key and value of a setting: what YAML would make of them, outer blanks of a text too."""
    key = clean(_text_of(cells[1])) if 1 in cells else ""
    if 2 not in cells:
        return key, None
    value, text = cells[2].value, _text_of(cells[2])
    if isinstance(value, bool):
        return key, value
    if isinstance(value, int | float):
        return key, float(text) if re.search(r"[.e]", text) else int(text)
    return key, unicodedata.normalize("NFC", text)


# --- writing --------------------------------------------------------------------------------


class _Exact(float):
    """A number that is written with all its digits, where the writer asks for 16."""

    def __format__(self, form: str) -> str:
        return repr(float(self)).removesuffix(".0")


def write_workbook(contents: Contents, path: Path, numbers: Callable[[str, str], bool]) -> None:
    """Write a basin as a workbook that reads back without loss.

    Parameters
    ----------
    numbers : whether a column holds numbers, from (table, its name in the file)

    Raises
    ------
    InputError
        Something does not fit into a workbook; nothing is written.
    OSError
        The file cannot be written.
    """
    sheets: dict[str, list[list[Any]]] = {"basin": [["key", "value"], *_settings(contents)]}
    sheets |= contents.tables
    sheets |= {f"series.{name}": rows for name, rows in contents.series.items()}
    documents = {
        name: [[line] for line in text.rstrip("\n").split("\n")]
        for name, text in contents.documents.items()
    }
    _check_size(sheets | documents, contents.path)
    import xlsxwriter  # takes a while, and only this needs it

    with xlsxwriter.Workbook(str(path), {"in_memory": True}) as book:
        book.set_properties({"created": WRITTEN})
        writer = _Writer(book)
        for name, rows in sheets.items():
            writer.table(name, rows, numbers)
        for name, rows in documents.items():
            writer.document(name, rows)


def _settings(contents: Contents) -> list[list[Any]]:
    try:
        rows = [[key, value] for key, value in to_rows(contents.settings)]
        for key, value in rows:
            if not isinstance(value, str | bool | None) and decimals_of(str(value)) is None:
                raise ValueError(f"{key} is {value}, more digits than a cell keeps")
    except ValueError as error:
        text = f"setting {error}; a workbook holds text, numbers, true, false or nothing"
        raise InputError([Fault(Position(shown(contents.path)), "E394", text)]) from None
    return rows


def _check_size(sheets: Mapping[str, Sequence[Sequence[Any]]], path: Path) -> None:
    findings, at = Findings(), Position(shown(path))
    for name, rows in sheets.items():
        width = max((len(row) for row in rows), default=0)
        longest = max((len(str(cell)) for row in rows for cell in row), default=0)
        for what, size, most in (
            (f"name '{name}' of a sheet has {len(name)} letters", len(name), LONGEST_NAME),
            (f"sheet {name} has {len(rows)} rows", len(rows), ROWS),
            (f"sheet {name} has {width} columns", width, COLUMNS),
            (f"a text of sheet {name} has {longest} letters", longest, LONGEST_TEXT),
        ):
            if size > most:
                text = f"{what}; a workbook takes {most}: write NetCDF, or keep the folder"
                findings.add(at, "E394", text, InputError)
        odd = next((c for row in rows for c in row if _AMBIGUOUS.search(str(c))), None)
        if odd is not None:
            text = f"sheet {name} has the text {odd!r}, which a workbook does not keep; reword it"
            findings.add(at, "E394", text, InputError)
        if re.search(r"[\[\]:*?/\\]|^'|'$", name):
            text = f"'{name}' cannot name a sheet; rename the file"
            findings.add(at, "E394", text, InputError)
    findings.raise_if_any()


class _Writer:
    """Writes sheets with the formats of one workbook."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.header = book.add_format({"bold": True, "num_format": "@", "bottom": 1})
        self.text = book.add_format({"num_format": "@"})
        self.inert = book.add_format({"num_format": "@", "quote_prefix": True})
        self.date = book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self.formats: dict[int, Any] = {SHORTEST: None}

    def table(self, name: str, rows: list[list[Any]], numbers: Callable[[str, str], bool]) -> None:
        """Write a table, its header frozen; columns of text keep what is typed below as text."""
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        is_series = name.startswith("series.")
        header = rows[0]
        has_numbers = [is_series or (name != "basin" and numbers(name, label)) for label in header]
        for k, label in enumerate(header):
            width = max(len(str(row[k])) for row in rows[:200] if k < len(row))
            is_text = not has_numbers[k] and name != "basin"
            sheet.set_column(k, k, min(max(width, 6), 40) + 1, self.text if is_text else None)
            sheet.write_string(0, k, str(label), self.header)
        for r, row in enumerate(rows[1:], 1):
            for k, cell in enumerate(row):
                if name == "basin" and k == 1:
                    self.setting(sheet, r, k, cell)
                elif is_series and k == 0:
                    self.day(sheet, r, k, cell)
                elif has_numbers[k]:
                    self.number(sheet, r, k, cell)
                else:
                    self.string(sheet, r, k, cell)

    def document(self, name: str, rows: list[list[str]]) -> None:
        sheet = self.book.add_worksheet(name)
        sheet.set_column(0, 0, 120, self.text)
        for r, (line,) in enumerate(rows):
            self.string(sheet, r, 0, line)

    def string(self, sheet: Any, row: int, k: int, text: str) -> None:
        if text:
            form = self.inert if text.startswith(_BEGINS_FORMULA) else self.text
            sheet.write_string(row, k, text, form)

    def number(self, sheet: Any, row: int, k: int, text: str) -> None:
        """Write a number as such where the same text comes back, else as text."""
        decimals = decimals_of(text) if text else None
        value = float(text) if decimals is not None else 0.0
        if decimals is None or not (value == 0 or LEAST < abs(value) < MOST):
            self.string(sheet, row, k, text)
            return
        if decimals == SHORTEST and abs(value) >= LARGEST_WHOLE and "e" not in text:
            decimals = 0
        if decimals not in self.formats:
            form = "0." + "0" * decimals if decimals else "0"
            self.formats[decimals] = self.book.add_format({"num_format": form})
        sheet.write_number(row, k, _Exact(value), self.formats[decimals])

    def day(self, sheet: Any, row: int, k: int, text: str) -> None:
        try:
            day = parse_date(text).astype(dt.date)
        except ValueError:
            day = None
        if day is None or day < FIRST_DAY:
            self.string(sheet, row, k, text)
        else:
            sheet.write_datetime(row, k, dt.datetime.combine(day, dt.time()), self.date)

    def setting(self, sheet: Any, row: int, k: int, value: Any) -> None:
        if isinstance(value, bool):
            sheet.write_boolean(row, k, value)
        elif isinstance(value, int | float):
            self.number(sheet, row, k, str(value))
        elif value is not None:
            self.string(sheet, row, k, value)
            if not value:  # a text of no letters is no missing value
                sheet.write_string(row, k, "", self.inert)
