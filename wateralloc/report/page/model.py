"""What a page holds: sections of texts, tables and charts, each in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.report.cells import decimals_of
from wateralloc.report.table_files import localised
from wateralloc.report.tables import LANGUAGES, Tabulation

Text = Mapping[str, str]
"""A text by language, ``en`` and ``vi``."""
Choices = Mapping[str, Mapping[str, Sequence[str]]]
"""Names of what charts may be asked for, by parameter and language."""


@dataclass(frozen=True)
class Row:
    """A row of a table, as text.

    Attributes
    ----------
    n_same : cells, from the first, that say the same as those of the row above
    """

    cells: tuple[str, ...]
    is_total: bool = False
    n_same: int = 0


@dataclass(frozen=True)
class Grid:
    """A table in one language, as text.

    Attributes
    ----------
    stubs : columns that name the row
    numeric : whether each column holds numbers
    is_prose : columns of text hold sentences, and are kept wide
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    stubs: int
    numeric: tuple[bool, ...]
    notes: tuple[str, ...] = ()
    is_prose: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A text."""

    text: Text
    kind: str = "text"


@dataclass(frozen=True)
class Line:
    """A line of a text that is laid out.

    Attributes
    ----------
    depth : 0, 1 or 2: how far it is set in
    after_gap : whether there is room above it
    """

    cells: tuple[str, ...]
    depth: int = 0
    after_gap: bool = False


@dataclass(frozen=True)
class Laid:
    """A text that is laid out by lines, by language."""

    lines: Mapping[str, Sequence[Line]]
    kind: str = "lines"


@dataclass(frozen=True)
class Cards:
    """A few numbers to see first: (value, label)."""

    cards: Sequence[tuple[Text, Text]]
    kind: str = "cards"


@dataclass(frozen=True)
class Figure:
    """A chart by language, with what must be known to read it.

    Attributes
    ----------
    choices : names of what this chart may be asked for, by parameter and language
    chosen : places of them that are drawn first, by parameter
    """

    name: str
    charts: Mapping[str, Any] = field(repr=False)
    note: Text | None = None
    is_wide: bool = False
    choices: Choices = field(default_factory=dict)
    chosen: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> Text:
        return {lang: str(chart.title) for lang, chart in self.charts.items()}


@dataclass(frozen=True)
class Figures:
    """Charts side by side as the width allows."""

    figures: Sequence[Figure]
    kind: str = "figures"


@dataclass(frozen=True)
class Table:
    """A table by language; with a summary it is folded away behind that."""

    table: Mapping[str, Grid]
    summary: Text | None = None
    kind: str = "table"


@dataclass(frozen=True)
class Markdown:
    """A text of the inputs in Markdown, as HTML without any of its own, folded away."""

    html: str
    summary: Text
    kind: str = "markdown"


@dataclass(frozen=True)
class Sign:
    """How something is drawn in charts.

    Attributes
    ----------
    dash : lengths of strokes and gaps [px]
    shape : outline of its points, as a path between -1 and 1
    width : of its lines [px]
    """

    name: str
    colour: str
    dash: Sequence[float]
    shape: str
    width: float


@dataclass(frozen=True)
class Legend:
    """What the lines and points of the charts below are."""

    signs: Sequence[Sign]
    kind: str = "legend"


Block = Paragraph | Laid | Cards | Figures | Table | Markdown | Legend


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading."""

    name: str
    title: Text
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes
    ----------
    lead, foot : lines above and below all sections
    warnings : what must be read first
    choices : what all charts may be asked for, as the member
    """

    title: Text
    lead: Sequence[Text]
    sections: Sequence[Section]
    choices: Choices
    warnings: Sequence[Text] = ()
    foot: Sequence[Text] = ()


def with_powers(text: str) -> str:
    """A text with its units as they are printed.

    >>> with_powers("short by 2 hm3, 30 m3/s [m3s]")
    'short by 2 hm³, 30 m³/s [m³/s]'
    """
    return re.sub(r"\bm3/?s\b", "m³/s", re.sub(r"\bhm3\b", "hm³", text))


def number(value: float) -> Text:
    """A number of a sentence or card: whole from 1,000 on, else with one decimal."""
    decimals = 0 if abs(value) >= 1000 else 1
    return {lang: localised(value, decimals, lang) for lang in LANGUAGES}


def date_text(value: Any) -> Text:
    """A day as people of each language write it.

    >>> date_text("2031-05-09")["vi"]
    '09/05/2031'
    """
    text = str(np.datetime64(value, "D"))
    return {"en": text, "vi": "/".join(reversed(text.split("-")))}


def same(text: str) -> Text:
    """A text that is the same in both languages."""
    return {"en": text, "vi": text}


def grid_of_frame(
    frame: pd.DataFrame,
    caption: str,
    lang: str,
    *,
    shares: Sequence[str] = (),
    decimals: int | None = None,
    totals: Sequence[int] = (),
) -> Grid:
    """A table of a frame whose index names the rows.

    Parameters
    ----------
    shares : columns of fractions that are shown as percent
    decimals : of all other numbers; None: each column by its largest
    totals : places of rows that are totals
    """
    labels = [[str(label) for label in row] for row in frame.index.to_frame().to_numpy().tolist()]
    stubs = frame.index.nlevels
    names = [str(name) for name in frame.columns]
    columns = [_column(frame[name], name in shares, decimals, lang) for name in names]
    is_number = [frame[name].dtype.kind in "fiu" for name in names]
    former = [[""] * stubs, *labels]
    rows = tuple(
        Row((*row, *(column[k] for column in columns)), k in totals, _n_same(row, former[k]))
        for k, row in enumerate(labels)
    )
    heads = (*(str(name or "") for name in frame.index.names), *names)
    return Grid(with_powers(caption), heads, rows, stubs, (*[False] * stubs, *is_number))


def _n_same(row: Sequence[str], former: Sequence[str]) -> int:
    """Outer labels that are those of the row above; the innermost is always shown."""
    count = 0
    while count < len(row) - 1 and row[count] == former[count]:
        count += 1
    return count


def _column(values: pd.Series, is_share: bool, decimals: int | None, lang: str) -> list[str]:
    if values.dtype.kind in "iu":
        return [localised(float(value), 0, lang) for value in values]
    if values.dtype.kind != "f":
        return [with_powers(str(value)) for value in values]
    if is_share:
        texts = [localised(100.0 * value, 1, lang) for value in values]
        return [f"{text} %" if text else "" for text in texts]
    places = decimals_of(values) if decimals is None else decimals
    return [localised(float(value), places, lang) for value in values]


def grid_of_tabulation(table: Tabulation) -> Grid:
    """A table for people as it is printed, with its notes."""
    frame = table.printed
    totals = [k for k in range(len(frame)) if table.is_total_row(k)]
    shares = [str(name) for name in frame.columns] if table.is_share else []
    grid = grid_of_frame(
        frame, table.heading, table.lang, shares=shares, decimals=table.decimals, totals=totals
    )
    return Grid(grid.caption, grid.heads, grid.rows, grid.stubs, grid.numeric, table.notes)
