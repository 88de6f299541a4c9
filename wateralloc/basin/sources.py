"""Where the tables of a basin stand: a folder, or one file that holds the same tables.

A file that holds them all (:class:`Bundle`: a workbook, a NetCDF file) is read as a folder whose
files are its sheets: ``basin.xlsx/demands.csv`` stands for the sheet ``demands`` of ``basin.xlsx``,
and gives the rows of text that the CSV file would.  Whatever reads and checks them is the same.
"""

from __future__ import annotations

import difflib
import fnmatch
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wateralloc.basin.series_files import READERS, Content, content_of_grid
from wateralloc.errors import BUNDLES, Findings, Position, listed, or_do, sheet_name, shown, suggest
from wateralloc.tables import Grid, YamlFile, read_grid, read_text, read_yaml

SETTINGS = "basin.yaml"
SERIES = "series"
OUTLINES = "outlines.geojson"
_EXTRA_FILES = ("SOURCES.md", "README*", "LICEN[CS]E*", "COPYING*", "*.py", ".*")
_EXTRA_FOLDERS = ("derivation", "__pycache__", ".*")
_DOCUMENTS = _EXTRA_FILES[:-2]
_ENDINGS = " or ".join(BUNDLES)
_TEXTS = ("", ".md", ".rst", ".txt")


class Source(ABC):
    """The tables of a basin, by the paths that they have in a folder.

    Parameters
    ----------
    path : the folder, or the file that holds them all
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the basin."""

    @abstractmethod
    def open(self, findings: Findings) -> bool:
        """Tell whether there is something to read; else there is a fault that says why not."""

    @abstractmethod
    def has(self, path: Path) -> bool:
        """Tell whether a table is there."""

    @abstractmethod
    def yaml(self, path: Path, findings: Findings) -> YamlFile:
        """Settings of the basin."""

    @abstractmethod
    def settings_text(self, path: Path) -> str:
        """Text of the settings as it stands; "" where they stand in cells."""

    @abstractmethod
    def grid(self, path: Path, findings: Findings) -> Grid | None:
        """Cells of a table; None after a fault."""

    @abstractmethod
    def series(self, findings: Findings) -> list[Path]:
        """Every series, in order."""

    @abstractmethod
    def content(self, path: Path, findings: Findings) -> Content | None:
        """What a series says; None after a fault."""

    @abstractmethod
    def outlines(self, findings: Findings) -> str | None:
        """Text of the outlines; None where there are none, or after a fault."""

    @abstractmethod
    def documents(self) -> dict[str, str]:
        """Texts that go with the tables, as SOURCES.md, by the name of their file."""

    @abstractmethod
    def check_strays(self, tables: Iterable[str], findings: Findings) -> None:
        """Refuse whatever is none of the named tables."""

    def file_of(self, path: Path) -> Path:
        """File that a table stands in."""
        return path

    def tidy(self, findings: Findings) -> None:
        """Drop the faults that follow from others."""


class Folder(Source):
    """A folder of CSV files."""

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def open(self, findings: Findings) -> bool:
        if self.path.is_dir():
            return True
        at = Position(shown(self.path))
        if self.path.exists():
            findings.add(
                at, "E102", f"is a file; must be the folder of a basin, or end in {_ENDINGS}"
            )
        else:
            hint = or_do(_near(self.path), "give the path of its folder")
            findings.add(at, "E305", f"basin cannot be found{hint}")
        return False

    def has(self, path: Path) -> bool:
        return path.exists()

    def yaml(self, path: Path, findings: Findings) -> YamlFile:
        return read_yaml(path, findings)

    def settings_text(self, path: Path) -> str:
        return path.read_text(encoding="utf-8-sig")

    def grid(self, path: Path, findings: Findings) -> Grid | None:
        return read_grid(path, findings)

    def series(self, findings: Findings) -> list[Path]:
        folder = self.path / SERIES
        if not folder.exists():
            return []
        if not folder.is_dir():
            findings.add(Position(shown(folder)), "E102", "is a file; must be a folder with series")
            return []
        return [
            path
            for path in sorted(folder.iterdir())
            if path.name[0] != "." and not fnmatch.fnmatchcase(path.name, "README*")
        ]

    def content(self, path: Path, findings: Findings) -> Content | None:
        return READERS[path.suffix](path, findings)

    def outlines(self, findings: Findings) -> str | None:
        path = self.path / OUTLINES
        return read_text(path, findings) if path.exists() else None

    def documents(self) -> dict[str, str]:
        return {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted(self.path.iterdir())
            if path.is_file() and is_document(path.name)
        }

    def check_strays(self, tables: Iterable[str], findings: Findings) -> None:
        known = {"basin": SETTINGS, "outlines": OUTLINES} | {name: f"{name}.csv" for name in tables}
        for path in sorted(self.path.iterdir()):
            what = "folder" if path.is_dir() else "file"
            allowed = _EXTRA_FOLDERS if path.is_dir() else _EXTRA_FILES
            allowed = (SERIES, *known.values(), *allowed)
            if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in allowed):
                continue
            if path.is_dir():
                hint = suggest(path.name, [SERIES])
            else:
                near = difflib.get_close_matches(path.stem.lower(), known, n=1)
                hint = f"; did you mean '{known[near[0]]}'?" if near else ""
            extras = listed(name for name in allowed[1 + len(known) :] if name[0] not in "._")
            todo = f"move it elsewhere; besides the tables and series/ only {extras} may be here"
            findings.add(
                Position(shown(path)), "E214", f"unknown {what} '{path.name}'{or_do(hint, todo)}"
            )


@dataclass(frozen=True)
class Sheet:
    """Rows of a sheet.

    Attributes
    ----------
    rows : texts of each row that is not blank, the header first
    lines : number of each row, from 1
    is_cell : positions are written as a spreadsheet does, ``C14``
    """

    rows: list[list[str]]
    lines: list[int]
    is_cell: bool = False

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Sequence[str]]], *, is_cell: bool = False) -> Sheet:
        """Make one of numbered rows: cells stripped and composed (NFC) as those of a CSV file."""
        kept = [(line, [clean(cell) for cell in cells]) for line, cells in rows]
        kept = [(line, cells) for line, cells in kept if any(cells)]
        return cls([cells for _, cells in kept], [line for line, _ in kept], is_cell)

    def grid(self, path: Path) -> SheetGrid:
        """Its cells, every row as long as the longest; a sheet has at least its header."""
        widths = [
            max((k + 1 for k, cell in enumerate(row) if cell), default=0) for row in self.rows
        ]
        width = max(widths)
        rows = [[*row, *[""] * (width - len(row))][:width] for row in self.rows]
        return SheetGrid(path, "", rows[0], self.lines[0], rows[1:], self.lines[1:], self.is_cell)


@dataclass(frozen=True)
class SheetGrid(Grid):
    """Cells of a sheet, as those of a CSV file.

    Attributes
    ----------
    is_cell : positions are written as a spreadsheet does
    """

    is_cell: bool = False

    @property
    def body(self) -> str:
        return "\n".join(",".join(row) for row in self.rows)

    def position(self, row: int | None, cell: int) -> Position:
        line = self.header_line if row is None else self.lines[row]
        return Position(shown(self.path), line, cell + 1, self.is_cell)


class Bundle(Source):
    """A file that holds the tables of a folder as sheets.

    Attributes
    ----------
    sheets : by the path they have in a folder
    unusable : (position, code) of faults in cells, from which others follow
    """

    kind = ""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sheets: dict[Path, Sheet] = {}
        self.texts: dict[str, str] = {}
        self.unusable: dict[Position, str] = {}

    @property
    def name(self) -> str:
        return self.path.resolve().stem

    def file_of(self, path: Path) -> Path:
        return self.path

    def open(self, findings: Findings) -> bool:
        at = Position(shown(self.path))
        if self.path.is_dir():
            findings.add(at, "E102", "is a directory; must be a file")
        elif not self.path.exists():
            hint = or_do(_near(self.path), "give the path of its file")
            findings.add(at, "E305", f"basin cannot be found{hint}")
        elif self.path.stat().st_size == 0:
            findings.add(at, "E103", "file is empty; fill it or remove it")
        else:
            try:
                self.load(findings)
            except OSError as error:
                what = error.strerror or str(error).splitlines()[0]
                findings.add(at, "E105", f"is not valid {self.kind}: {what}; write it again")
            except Exception as error:  # what is no such file may fail anywhere in its reader
                what = (str(error).splitlines() or [type(error).__name__])[0]
                findings.add(at, "E105", f"is not valid {self.kind}: {what}; write it again")
            else:
                return True
        return False

    @abstractmethod
    def load(self, findings: Findings) -> None:
        """Fill `sheets` and `texts`."""

    def has(self, path: Path) -> bool:
        return path in self.sheets

    def grid(self, path: Path, findings: Findings) -> Grid | None:
        sheet = self.sheets.get(path)
        if sheet is not None and sheet.rows:
            return sheet.grid(path)
        if sheet is None:
            findings.add(Position(shown(path)), "E101", "sheet is missing; add it")
        else:
            findings.add(Position(shown(path)), "E103", "sheet is empty; fill it or remove it")
        return None

    def series(self, findings: Findings) -> list[Path]:
        return sorted(path for path in self.sheets if path.parent != self.path)

    def content(self, path: Path, findings: Findings) -> Content | None:
        grid = self.grid(path, findings)
        return None if grid is None else content_of_grid(grid, findings)

    def outlines(self, findings: Findings) -> str | None:
        return self.texts.get(OUTLINES)

    def documents(self) -> dict[str, str]:
        return self.texts

    def check_strays(self, tables: Iterable[str], findings: Findings) -> None:
        known = ["basin", *tables]
        for path, sheet in self.sheets.items():
            name = sheet_name(path.relative_to(self.path))
            is_series = path.parent != self.path
            if is_series or name in known or not sheet.rows or name.startswith("meta_"):
                continue
            near = difflib.get_close_matches(name.lower(), known, n=1)
            todo = "remove it, or let its name start with meta_ where it is your own; a series is "
            hint = f"did you mean '{near[0]}'?" if near else f"{todo}named as series.inflow_m3s"
            findings.add(Position(shown(path)), "E214", f"unknown sheet '{name}'; {hint}")

    def tidy(self, findings: Findings) -> None:
        findings.faults = [
            (fault, kind)
            for fault, kind in findings.faults
            if self.unusable.get(fault.at, fault.code) == fault.code
        ]

    def place(self, name: str) -> Path:
        """Path in a folder of what has a name here: the other way of ``sheet_name``."""
        if name == "basin":
            return self.path / SETTINGS
        head, _, tail = name.partition(".")
        if head == SERIES and tail:
            return self.path / SERIES / f"{tail}.csv"
        return self.path / f"{name}.csv"


def open_source(path: Path) -> Source:
    """Say how a path is to be read, by its ending."""
    ending = path.suffix.lower()
    if ending not in BUNDLES or path.is_dir():
        return Folder(path)
    # each brings a library that only its own kind needs
    if ending == ".xlsx":
        from wateralloc.basin.workbook import Workbook

        return Workbook(path)
    from wateralloc.basin.netcdf import NetCDF

    return NetCDF(path)


def is_document(name: str) -> bool:
    """Tell whether a file is a text that goes with the tables, as SOURCES.md or the outlines."""
    if name == OUTLINES:
        return True
    is_named = any(fnmatch.fnmatchcase(name, pattern) for pattern in _DOCUMENTS)
    return is_named and Path(name).suffix.lower() in _TEXTS


def clean(text: str) -> str:
    r"""Text of a cell as that of a CSV file: lines end in ``\n``, letters are composed (NFC)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text).strip()


def _near(path: Path) -> str:
    """Hint to a basin of a similar name."""
    if not path.parent.is_dir():
        return ""
    beside = (p for p in path.parent.iterdir() if p.is_dir() or p.suffix.lower() in BUNDLES)
    return suggest(path.name, [p.name for p in beside])
