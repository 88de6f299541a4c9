"""Tables for people as files: CSV, XLSX, HTML, Markdown and LaTeX, by the ending of the name.

CSV has the exact numbers and XLSX the printed ones, as numbers; the others have the printed ones as
text, in the form of the language: 1,234.5 in English and 1.234,5 in Vietnamese.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wateralloc.errors import Fault, InputError, Position, listed
from wateralloc.report.cells import cell
from wateralloc.report.tables import Tabulation

WORDS = {
    "case": {"en": "Case", "vi": "Trường hợp"},
    "made": {"en": "made on", "vi": "lập ngày"},
    "sheet": {"en": "Table", "vi": "Bảng"},
}
TITLE = {"bold": True, "font_size": 14}
HEAD = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#E8EEF4"}
"""Formats of the title and of the headings of a sheet."""
FORMULA = re.compile(r"[=+\-@\t\r]")
"""What a spreadsheet takes for the start of a formula."""
WIDEST = 40
"""Characters of the widest column of a sheet."""


@dataclass(frozen=True)
class About:
    """Where a table comes from."""

    case: str
    title: str
    program: str
    day: date

    def text(self, lang: str) -> str:
        """Case, program and day in a line.

        >>> About("dry", "A dry year", "wateralloc 1.0", date(2026, 11, 5)).text("vi")
        'Trường hợp dry: A dry year · wateralloc 1.0 · lập ngày 05/11/2026'
        """
        day = self.day.isoformat() if lang == "en" else f"{self.day:%d/%m/%Y}"
        title = f": {self.title}" if self.title != self.case else ""
        return (
            f"{WORDS['case'][lang]} {self.case}{title} · {self.program} · "
            f"{WORDS['made'][lang]} {day}"
        )


def about(dataset: xr.Dataset, lang: str, day: date) -> About:
    """Where a table of a result comes from, on the day it is made."""
    attributes = dataset.attrs
    title = attributes["title" if lang == "en" else "title_vi"]
    return About(str(attributes["case"]), str(title), str(attributes["source"]), day)


def write(table: Tabulation, ending: str, source: About) -> bytes:
    """Write a table as a file.

    Parameters
    ----------
    ending : as of the name of the file, ``.xlsx``
    """
    return FORMATS[ending](table, source)


def check_ending(path: Path) -> str:
    """Ending of a file that a table can be written in.

    Raises
    ------
    InputError
        There is no such format.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        said = f"ends in '{ending}'" if ending else "has no ending"
        text = f"'{path.name}' {said}; end it in one of {listed(FORMATS)}"
        raise InputError([Fault(Position("out"), "E391", text)])
    return ending


def localised(number: float, decimals: int, lang: str) -> str:
    """Write a number as people of a language do; nothing where there is none.

    >>> localised(1234.56, 1, "en"), localised(1234.56, 1, "vi"), localised(float("nan"), 1, "vi")
    ('1,234.6', '1.234,6', '')
    """
    if np.isnan(number):
        return ""
    text = f"{number:,.{decimals}f}"
    return text if lang == "en" else text.translate(str.maketrans(",.", ".,"))


# --- cells ----------------------------------------------------------------------------------


def _labels(table: Tabulation) -> list[list[Any]]:
    """Labels of each row; numbers are whole ones, as years."""
    return [list(row) for row in table.frame.index.to_frame(index=False).to_numpy()]


def _heads(table: Tabulation) -> tuple[list[str], list[str]]:
    """Headings of the labels, and of the columns: with the unit where there is only one."""
    columns = [str(name) for name in table.frame.columns]
    if table.frame.columns.name is None:
        columns = [f"{name} [{table.unit}]" for name in columns]
    return [str(name or "") for name in table.frame.index.names], columns


def _texts(table: Tabulation) -> list[list[str]]:
    """Numbers of each row as they are printed."""
    numbers = table.printed.to_numpy(float)
    if table.is_share:
        texts = [[cell(float(number), is_share=True) for number in row] for row in numbers]
        return [[t if table.lang == "en" else t.replace(".", ",") for t in row] for row in texts]
    return [[localised(number, table.decimals, table.lang) for number in row] for row in numbers]


def _repeats(labels: Sequence[Sequence[Any]]) -> list[int]:
    """How many of the first labels of each row are those of the row above; never all."""
    counts = []
    former: Sequence[Any] = []
    for row in labels:
        same = 0
        while same < min(len(row) - 1, len(former)) and row[same] == former[same]:
            same += 1
        counts.append(same)
        former = row
    return counts


def _stubs(table: Tabulation) -> list[list[str]]:
    """Labels of each row without those that the row above has."""
    labels = _labels(table)
    return [
        [""] * same + [str(label) for label in row[same:]]
        for row, same in zip(labels, _repeats(labels), strict=True)
    ]


# --- formats --------------------------------------------------------------------------------


def csv_text(table: Tabulation, *, has_units: bool = True) -> str:
    """Write the exact numbers as CSV; text that could be taken for a formula follows a ``'``.

    Parameters
    ----------
    has_units : headings end in the unit, in brackets
    """
    heads, columns = _heads(table)[0], [str(name) for name in table.frame.columns]
    if has_units:
        columns = [f"{name} [{table.frame.attrs['unit']}]" for name in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(head) for head in (*heads, *columns)])
    for labels, row in zip(_labels(table), table.frame.to_numpy(float), strict=True):
        numbers = ["" if np.isnan(number) else float(number) for number in row]
        writer.writerow([*(_inert(label) for label in labels), *numbers])
    return text.getvalue()


def _inert(label: Any) -> Any:
    return f"'{label}" if isinstance(label, str) and FORMULA.match(label) else label


def _csv(table: Tabulation, source: About) -> bytes:
    return csv_text(table).encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8


def new_book(file: io.BytesIO, title: str, subject: str, day: date) -> Any:
    """Open a workbook in memory, in which no text becomes a formula or a link."""
    from xlsxwriter import Workbook

    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = Workbook(file, options)
    created = datetime(day.year, day.month, day.day)
    book.set_properties({"title": title, "subject": subject, "created": created})
    return book


def _xlsx(table: Tabulation, source: About) -> bytes:
    file = io.BytesIO()
    book = new_book(file, table.heading, source.text(table.lang), source.day)
    add_sheet(book, WORDS["sheet"][table.lang], table, source)
    book.close()
    return file.getvalue()


def add_sheet(book: Any, name: str, table: Tabulation, source: About) -> tuple[Any, int, int]:
    """Add a sheet with a table: title, where it comes from, headings that stay, numbers, notes.

    Returns
    -------
    sheet
    top, left : row and column of the first number
    """
    sheet = book.add_worksheet(name)
    places = "0.0%" if table.is_share else f"#,##0.{'0' * table.decimals}"
    formats = {"number": places, "nearly": '">99.9 %"'}  # that is not shown as 100 %
    styles = {
        (is_total, of): book.add_format(
            ({"bold": True, "top": 1} if is_total else {})
            | ({"num_format": formats[of]} if of in formats else {})
        )
        for is_total in (False, True)
        for of in ("label", *formats)
    }
    sheet.write_string(0, 0, table.heading, book.add_format(TITLE))
    sheet.write_string(1, 0, source.text(table.lang), book.add_format({"italic": True}))
    label_heads, columns = _heads(table)
    n_labels, top = len(label_heads), 3
    head = book.add_format(HEAD)
    for k, text in enumerate((*label_heads, *columns)):
        sheet.write_string(top, k, text, head)
    texts = _texts(table)
    for i, (labels, numbers) in enumerate(
        zip(_labels(table), table.printed.to_numpy(float), strict=True)
    ):
        row, is_total_row = top + 1 + i, table.is_total_row(i)
        for k, label in enumerate(labels):
            if isinstance(label, str):
                sheet.write_string(row, k, label, styles[is_total_row, "label"])
            else:
                sheet.write_number(row, k, int(label), styles[is_total_row, "label"])
        for j, number in enumerate(numbers):
            is_nearly = texts[i][j].startswith(">")
            style = styles[is_total_row, "nearly" if is_nearly else "number"]
            if np.isnan(number):
                sheet.write_blank(row, n_labels + j, None, style)
            else:
                sheet.write_number(row, n_labels + j, number, style)
    for k, note in enumerate(table.notes):
        sheet.write_string(top + 2 + len(texts) + k, 0, note)
    _set_widths(sheet, table, label_heads, columns, texts)
    sheet.freeze_panes(top + 1, n_labels)
    sheet.repeat_rows(top)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    return sheet, top + 1, n_labels


def _set_widths(
    sheet: Any,
    table: Tabulation,
    label_heads: Sequence[str],
    columns: Sequence[str],
    texts: Sequence[Sequence[str]],
) -> None:
    labels = [[head, *of] for head, of in zip(label_heads, zip(*_labels(table), strict=True),
                                              strict=True)]  # fmt: skip
    numbers = [[head, *of] for head, of in zip(columns, zip(*texts, strict=True), strict=True)]
    for k, words in enumerate((*labels, *numbers)):
        sheet.set_column(k, k, min(max(len(str(word)) for word in words), WIDEST) + 2)


STYLE = """
body { font-family: system-ui, sans-serif; color: #1a1a1a; margin: 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { font-weight: bold; text-align: left; padding-bottom: .5rem; }
th, td { padding: .25rem .6rem; text-align: left; font-weight: normal; vertical-align: top; }
th.number, td { text-align: right; }
td { white-space: nowrap; }
tbody th { min-width: 9rem; }
thead th { font-weight: bold; border-bottom: 2px solid #333; }
tr.total > *, .sum { font-weight: bold; }
tr.total > * { border-top: 1px solid #999; }
.again { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
p { font-size: .9rem; }
@media print { body { margin: 0; } thead { display: table-header-group; } }
"""


def _html(table: Tabulation, source: About) -> bytes:
    heads, columns = _heads(table)
    labels = _labels(table)
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{table.lang}">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(table.heading)}</title>",
        f"<style>{STYLE}</style></head>",
        '<body><div class="wide"><table>',
        f"<caption>{html.escape(table.heading)}</caption>",
        "<thead><tr>"
        + "".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads)
        + "".join(f'<th scope="col" class="number">{html.escape(head)}</th>' for head in columns)
        + "</tr></thead>",
        "<tbody>",
    ]
    for i, (row, same, texts) in enumerate(
        zip(labels, _repeats(labels), _texts(table), strict=True)
    ):
        stubs = [f'<th scope="row">{_again(label, k < same)}</th>' for k, label in enumerate(row)]
        kinds = [' class="sum"' if table.is_total_column(j) else "" for j in range(len(texts))]
        cells = [
            f"<td{kind}>{html.escape(text)}</td>" for kind, text in zip(kinds, texts, strict=True)
        ]
        total = ' class="total"' if table.is_total_row(i) else ""
        lines.append(f"<tr{total}>{''.join((*stubs, *cells))}</tr>")
    lines += ["</tbody></table></div>"]
    lines += [f"<p>{html.escape(note)}</p>" for note in (*table.notes, source.text(table.lang))]
    return "\n".join([*lines, "</body></html>", ""]).encode()


def _again(label: Any, is_repeat: bool) -> str:
    """A label; one that the row above has is not seen, but heard."""
    text = html.escape(str(label))
    return f'<span class="again">{text}</span>' if is_repeat else text


def _markdown(table: Tabulation, source: About) -> bytes:
    heads, columns = _heads(table)
    lines = [
        f"**{_marked(table.heading)}**",
        "",
        _pipes(_marked(head) for head in (*heads, *columns)),
        _pipes([":---"] * len(heads) + ["---:"] * len(columns)),
    ]
    for i, (stubs, texts) in enumerate(zip(_stubs(table), _texts(table), strict=True)):
        bold = "**" if table.is_total_row(i) else ""
        labels = [f"{bold}{_marked(stub)}{bold}" if stub else "" for stub in stubs]
        lines.append(_pipes([*labels, *(_marked(text) for text in texts)]))
    for note in (*table.notes, source.text(table.lang)):
        lines += ["", _marked(note)]
    return "\n".join([*lines, ""]).encode()


def _pipes(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(text: str) -> str:
    r"""Text with nothing that Markdown would take for a mark.

    >>> _marked("a|b_c <i>")
    'a\\|b\\_c \\<i\\>'
    """
    return re.sub(r"([\\`*_\[\]<>|&#~])", r"\\\1", " ".join(text.split()))


TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "[": "{[}", "]": "{]}", "*": "{*}",
    "·": r"\textperiodcentered{}", "³": r"\textsuperscript{3}",
}  # fmt: skip
"""How LaTeX takes letters that mean something to it."""


def _latex(table: Tabulation, source: About) -> bytes:
    heads, columns = _heads(table)
    lines = [
        r"% UTF-8; for Vietnamese \usepackage[T5]{fontenc}, or XeLaTeX or LuaLaTeX",
        r"\begin{table}",
        rf"\caption{{{_tex(table.heading)}}}",
        rf"\begin{{tabular}}{{{'l' * len(heads)}{'r' * len(columns)}}}",
        r"\hline",
        _ampersands(_tex(head) for head in (*heads, *columns)),
        r"\hline",
    ]
    for i, (stubs, texts) in enumerate(zip(_stubs(table), _texts(table), strict=True)):
        is_total = table.is_total_row(i)
        labels = [rf"\textbf{{{_tex(stub)}}}" if is_total and stub else _tex(stub)
                  for stub in stubs]  # fmt: skip
        lines.append(_ampersands([*labels, *(_tex(text) for text in texts)]))
    lines += [r"\hline", r"\end{tabular}"]
    lines += [rf"\par\small {_tex(note)}" for note in (*table.notes, source.text(table.lang))]
    return "\n".join([*lines, r"\end{table}", ""]).encode()


def _ampersands(cells: Any) -> str:
    return rf"{' & '.join(cells)} \\"


def _tex(text: str) -> str:
    r"""Text as LaTeX prints it.

    >>> _tex("50 % of_a")
    '50 \\% of\\_a'
    """
    return "".join(TEX.get(letter, letter) for letter in " ".join(text.split()))


FORMATS: dict[str, Callable[[Tabulation, About], bytes]] = {
    ".csv": _csv, ".xlsx": _xlsx, ".html": _html, ".md": _markdown, ".tex": _latex,
}  # fmt: skip
"""How a table is written, by the ending of the file."""
