"""What a basin says, in text: what every form of it is written from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from wateralloc.basin.series_files import Content
from wateralloc.basin.sources import SERIES, SETTINGS, open_source
from wateralloc.errors import Findings
from wateralloc.tables import Grid, parse_number


@dataclass(frozen=True)
class Contents:
    """What a basin says, in text, whatever holds it.

    Attributes
    ----------
    path : where it stands
    settings : what basin.yaml says
    yaml : its text, with its comments where the source has them
    tables, series : name -> rows of cells, the header first; a series begins with ``date``
    documents : name of the file -> text
    """

    path: Path
    settings: dict[str, Any]
    yaml: str
    tables: dict[str, list[list[str]]]
    series: dict[str, list[list[str]]]
    documents: dict[str, str]


def read_contents(path: Path, tables: Iterable[str]) -> Contents:
    """Read the text of a basin that was found to be without fault.

    Parameters
    ----------
    tables : names of those that a basin may have

    Raises
    ------
    InputError
    """
    findings = Findings()
    source = open_source(path)
    source.open(findings)
    findings.raise_if_any()
    file = source.yaml(path / SETTINGS, findings)
    found: dict[str, list[list[str]]] = {}
    for name in tables:
        if source.has(path / f"{name}.csv"):
            grid = source.grid(path / f"{name}.csv", findings)
            found[name] = list(_columns(grid)) if grid else []
    series: dict[str, list[list[str]]] = {}
    for place in source.series(findings):
        content = source.content(place, findings) if place.suffix != ".csv" else None
        if content is not None:
            series[place.stem] = list(_rows(content))
        elif grid := source.grid(place, findings):
            series[place.stem] = list(_columns(grid))
    findings.raise_if_any()
    text = source.settings_text(file.path) or _dump(file.data)
    return Contents(path, file.data, text, found, series, source.documents())


def _dump(settings: dict[str, Any]) -> str:
    """Text of settings as YAML."""
    yaml = YAML()
    yaml.width = 4096
    yaml.default_flow_style = False
    stream = io.StringIO()
    yaml.dump(settings, stream)
    return stream.getvalue()


def write_folder(contents: Contents, folder: Path) -> None:
    """Write a basin as a folder of CSV files.

    Parameters
    ----------
    folder : is made; what it holds of the same names is replaced

    Raises
    ------
    OSError
    """
    (folder / SERIES if contents.series else folder).mkdir(parents=True, exist_ok=True)
    texts = {SETTINGS: contents.yaml, **contents.documents}
    texts |= {f"{name}.csv": _csv(rows) for name, rows in contents.tables.items()}
    texts |= {f"{SERIES}/{name}.csv": _csv(rows) for name, rows in contents.series.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _csv(rows: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    for row in rows:
        # a carriage return within a cell is quoted only where it is part of the end of a line
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(row)
        stream.write(line.getvalue().removesuffix("\r\n") + "\n")
    return stream.getvalue()


def _columns(grid: Grid) -> Iterator[list[str]]:
    """Rows of a table, without columns that are wholly empty."""
    kept = [k for k, label in enumerate(grid.header) if label]
    for row in (grid.header, *grid.rows):
        yield [row[k] for k in kept]


def _rows(content: Content) -> Iterator[list[str]]:
    """Rows of a series that was no text."""
    yield ["date", *content.names]
    if content.values is not None:
        for day, values in zip(content.dates, content.values.tolist(), strict=True):
            yield [day, *map(numeral, values)]


# --- numbers as text ------------------------------------------------------------------------

SHORTEST = -1
"""In place of a count of decimals: as many digits as tell the number from all others."""


def numeral(value: float, decimals: int = SHORTEST) -> str:
    """Write a number so that reading it back gives the same to the last bit.

    Parameters
    ----------
    decimals : digits after the point; where they do not suffice, as many as are needed

    Examples
    --------
    >>> numeral(435.0), numeral(435.0, 1), numeral(0.1 + 0.2), numeral(0.125, 2)
    ('435', '435.0', '0.30000000000000004', '0.125')
    """
    if decimals >= 0 and float(text := f"{value:.{decimals}f}") == value:
        return text
    return repr(float(value)).removesuffix(".0")


def decimals_of(text: str) -> int | None:
    """With how many decimals :func:`numeral` gives a text back; None where it cannot.

    >>> [decimals_of(text) for text in ("435", "0.30", "435.0", "007", "1e5", "-0", "NO")]
    [-1, 2, 1, None, None, None, None]
    """
    try:
        value = parse_number(text)
    except ValueError:
        return None
    if value == 0 and text.startswith("-"):
        return None  # a spreadsheet has no negative zero
    digits = len(text.partition(".")[2])
    for decimals in (SHORTEST, digits):
        if numeral(value, decimals) == text:
            return decimals
    return None
