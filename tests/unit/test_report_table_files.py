"""Tables as files: each is read back, adds up, and has the totals of the tidy data."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.basins import month_starts
from tests.small import make_case
from wateralloc import cli
from wateralloc.errors import InputError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.report.table_files import FORMATS, About, check_ending, csv_text, write
from wateralloc.report.tables import Tabulation, tabulate
from wateralloc.results import Results, collect

N = 12
FORMULA = '=HYPERLINK("http://a.b")'
REGION = {"south": FORMULA, "north": "@North & <i>Co</i>"}
SECTOR = {"works": "+Works|50 %_#", "farm": "-Farm \\ {x} [*]"}
SOURCE = About("dry", "A dry year", "wateralloc 1.0", date(2026, 11, 5))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A river of three users that never has enough, in months of odd volumes, and two members."""
    wet = [round(0.9 + ((7 * k) % 13) / 9.7, 4) for k in range(2 * N)]
    case = make_case(
        tmp_path_factory.mktemp("files"),
        periods=N,
        goals=[{"meet": {"demands": ["town_farm"]}}, {"meet": {}}],
        more={
            "timeline": {"start": "2011-01-01", "periods": N, "step": "month"},
            "hydrology": {"members": "all"},
        },
        yaml={
            "regions": {name: {"en": text, "vi": text} for name, text in REGION.items()},
            "sectors": {name: {"en": text, "vi": text} for name, text in SECTOR.items()},
        },
        nodes=[
            {"name": "town", "kind": "inflow"}, {"name": "delta", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "town", "to": "delta", "kind": "reach"},
            {"name": "lower", "from": "delta", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": "town_farm", "node": "town", "region": "north", "sector": "farm",
             "demand_hm3_day": 33.3337},
            {"name": "delta_farm", "node": "delta", "region": "south", "sector": "farm",
             "demand_hm3_day": 41.1171, "priority": 2},
            {"name": "delta_works", "node": "delta", "region": "south", "sector": "works",
             "demand_hm3_day": 7.7773, "priority": 2},
        ],
        series={"inflow_hm3_day": {
            "date": month_starts("2001-01", 2 * N), "town": [28 * value for value in wet],
        }},
    )  # fmt: skip
    return collect(solve_perfect(case))


@pytest.fixture(scope="module")
def folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results.write(tmp_path_factory.mktemp("written") / "dry")


# --- readers ------------------------------------------------------------------------------------


@dataclass
class Read:
    """A file read back: headings and rows, numbers still as they stand."""

    heads: list[str]
    rows: list[list[Any]]
    text: str = ""


def read_csv(content: bytes) -> Read:
    text = content.decode("utf-8-sig")
    heads, *rows = csv.reader(io.StringIO(text))
    strip = re.compile(r"^'(?=[=+\-@])")
    return Read(heads, [[strip.sub("", cell) for cell in row] for row in rows])


def read_xlsx(content: bytes) -> Read:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    lines = list(sheet.iter_rows(values_only=True))
    heads, *rows = lines[3:]
    rows = rows[
        : next((i for i, row in enumerate(rows) if row[1:] == (None,) * len(row[1:])), None)
    ]
    return Read(list(heads), [[*row] for row in rows], f"{lines[0][0]}\n{lines[1][0]}")


def read_html(content: bytes) -> Read:
    rows: list[list[str]] = []

    class Reader(HTMLParser):
        inside = False

        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag == "tr":
                rows.append([])
            elif tag in ("th", "td"):
                rows[-1].append("")
                self.inside = True

        def handle_endtag(self, tag: str) -> None:
            self.inside = self.inside and tag not in ("th", "td")

        def handle_data(self, data: str) -> None:
            if self.inside:
                rows[-1][-1] += data

    Reader().feed(content.decode())
    return Read(rows[0], rows[1:], content.decode())


def read_markdown(content: bytes) -> Read:
    lines = [line for line in content.decode().splitlines() if line.startswith("|")]
    rows = [
        [re.sub(r"\\(.)", r"\1", cell.replace("**", "").strip()) for cell in
         re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]
        for line in lines
    ]  # fmt: skip
    return Read(rows[0], rows[2:], content.decode())


def read_latex(content: bytes) -> Read:
    words = {
        r"\textbackslash{}": "\\", r"\textgreater{}": ">", r"\textless{}": "<", "{[}": "[",
        "{]}": "]", "{*}": "*", r"\textsuperscript{3}": "³",
    }  # fmt: skip

    def plain(cell: str) -> str:
        cell = re.sub(r"\\textbf\{(.*)\}$", r"\1", cell.strip())
        every = "|".join(re.escape(word) for word in words)
        return re.sub(rf"{every}|\\([&%$#_{{}}])", lambda m: m.group(1) or words[m.group()], cell)

    lines = [line for line in content.decode().splitlines() if line.endswith(r" \\")]
    rows = [[plain(cell) for cell in re.split(r"(?<!\\)&", line[:-3])] for line in lines]
    return Read(rows[0], rows[1:], content.decode())


READERS: dict[str, Callable[[bytes], Read]] = {
    ".csv": read_csv, ".xlsx": read_xlsx, ".html": read_html, ".md": read_markdown,
    ".tex": read_latex,
}  # fmt: skip


def number(cell: Any, lang: str) -> Decimal | None:
    """A number as it was written; text in the form of the language."""
    if cell in (None, ""):
        return None
    if isinstance(cell, int | float):
        return Decimal(repr(cell))
    if lang == "vi":
        cell = cell.translate(str.maketrans(",.", ".,"))
    assert re.fullmatch(r"\d{1,3}(,\d{3})*\.\d+", cell), cell
    return Decimal(cell.replace(",", ""))


# --- totals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "vi"])
@pytest.mark.parametrize("value", ["demand", "deficit", "withdrawal"])
@pytest.mark.parametrize("ending", FORMATS)
def test_totals_are_sums_of_the_tidy_data(
    folder: Path, tmp_path: Path, ending: str, value: str, lang: str
) -> None:
    path = tmp_path / f"table{ending}"
    done = CliRunner().invoke(
        cli.app, ["table", str(folder), "--columns", "month", "--value", value, "--lang", lang,
                  "--out", str(path)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    read = READERS[ending](path.read_bytes())
    tidy = pd.read_csv(folder / "allocation.csv")
    tidy["month"] = tidy["period_start"].str[5:7]
    tidy["volume"] = tidy[f"{value}_hm3"] / tidy["member"].nunique()
    if ending == ".csv":
        numbers = [[float(cell) if cell else 0.0 for cell in row[2:]] for row in read.rows]
        step = 1e-9
    else:
        digits = [[number(cell, lang) for cell in row[2:]] for row in read.rows]
        numbers = [[float(n or 0) for n in row] for row in digits]
        places = {-int(n.as_tuple().exponent) for row in digits for n in row if n is not None}
        step = 10.0 ** -max(places)
        assert step == 0.1
        check_sums(digits)
    exact = tidy.groupby(["region", "sector", "month"])["volume"].sum()
    rows = [("south", "works"), ("south", "farm"), ("south", None), ("north", "farm"),
            ("north", None), (None, None)]  # fmt: skip
    assert len(numbers) == len(rows)
    for (region, sector), row in zip(rows, numbers, strict=True):
        there = exact.reset_index()
        there = there[(there["region"] == region) | (region is None)]
        there = there[(there["sector"] == sector) | (sector is None)]
        by_month = there.groupby("month")["volume"].sum().tolist()
        assert row[:-1] == pytest.approx(by_month, abs=step, rel=1e-12)
        assert row[-1] == pytest.approx(sum(by_month), abs=step, rel=1e-12)
    assert numbers[-1][-1] == pytest.approx(tidy["volume"].sum(), abs=max(0.5 * step, 1e-8))
    total = {"en": "Total", "vi": "Tổng"}[lang]
    assert read.heads[-1].startswith(total)
    assert read.rows[-1][0] == total


def check_sums(rows: list[list[Decimal | None]]) -> None:
    """Every total is what is printed beside it, to the last digit."""
    cells = [[value or Decimal(0) for value in row] for row in rows]
    works, farm, south, town, north, every = cells
    for row in cells:
        assert sum(row[:-1]) == row[-1]
    for j, total in enumerate(every):
        assert works[j] + farm[j] == south[j]
        assert town[j] == north[j]
        assert south[j] + north[j] == total


def test_a_plain_rounding_would_not_add_up(results: Results) -> None:
    """So that the test above could fail."""
    found = tabulate(results, ["region", "sector"], "month", "demand")
    plain = np.round(found.frame.to_numpy(), found.decimals)
    row = plain[-1]
    is_right = [round(row[:-1].sum() - row[-1], found.decimals) == 0]
    is_right += [round(of[0] + of[1] - of[2], found.decimals) == 0 for of in plain.T]
    assert not all(is_right)


def test_formats_print_the_same(results: Results) -> None:
    found = tabulate(results, ["region", "sector"], "month", "withdrawal", "vi")
    read = {of: READERS[of](write(found, of, SOURCE)) for of in FORMATS if of != ".csv"}
    expected = [[None if np.isnan(v) else round(v, 6) for v in row]
                for row in found.printed.to_numpy()]  # fmt: skip
    for of in read.values():
        numbers = [[number(cell, "vi") for cell in row[2:]] for row in of.rows]
        assert [[None if v is None else float(v) for v in row] for row in numbers] == expected
        assert of.rows[3][1] == SECTOR["farm"]


# --- what stands around the numbers ---------------------------------------------------------------


def test_headers_have_the_unit_and_where_it_comes_from(results: Results) -> None:
    found = tabulate(results, ["sector"], None, "deficit", "vi")
    for ending in FORMATS:
        read = READERS[ending](write(found, ending, SOURCE))
        assert read.heads == ["Ngành", "Thiếu hụt [triệu m³]"]
        if ending != ".csv":
            plain = re.sub(r"\\textperiodcentered\{\}", "·", read.text)
            assert "Trường hợp dry: A dry year · wateralloc 1.0 · lập ngày 05/11/2026" in plain
    by_month = csv_text(tabulate(results, ["sector"], "month", "deficit"))
    assert by_month.splitlines()[0].startswith("Sector,Jan [hm3],Feb [hm3]")


def test_shares_are_percent(results: Results) -> None:
    found = tabulate(results, ["sector"], None, "satisfaction", "vi")
    share = found.frame.iloc[-1, 0]
    assert 0.3 < share < 0.9
    text = f"{100 * share:.1f} %".replace(".", ",")
    for ending in (".html", ".md", ".tex"):
        read = READERS[ending](write(found, ending, SOURCE))
        assert read.rows[-1] == ["Chung", text]
    sheet = openpyxl.load_workbook(io.BytesIO(write(found, ".xlsx", SOURCE))).active
    assert (sheet["B7"].value, sheet["B7"].number_format) == (pytest.approx(share), "0.0%")
    assert float(READERS[".csv"](write(found, ".csv", SOURCE)).rows[-1][1]) == share


def test_share_that_is_nearly_all_is_not_shown_as_all(results: Results) -> None:
    withdrawal = results.dataset["demand_volume"] * 0.99999
    nearly = Results(results.dataset.assign(withdrawal=withdrawal), {})
    found = tabulate(nearly, ["sector"], None, "satisfaction")
    sheet = openpyxl.load_workbook(io.BytesIO(write(found, ".xlsx", SOURCE))).active
    assert (sheet["B5"].value, sheet["B5"].number_format) == (
        pytest.approx(0.99999),
        '">99.9 %"',
    )
    assert READERS[".html"](write(found, ".html", SOURCE)).rows[0][1] == ">99.9 %"


def test_sheet_is_laid_out(results: Results) -> None:
    found = tabulate(results, ["region", "sector"], "month", "demand")
    sheet = openpyxl.load_workbook(io.BytesIO(write(found, ".xlsx", SOURCE))).active
    assert sheet["A1"].value == "Demand, mean over members [hm3]"
    assert sheet["A2"].value == "Case dry: A dry year · wateralloc 1.0 · made on 2026-11-05"
    assert sheet.freeze_panes == "C5"
    assert sheet["C5"].number_format == f"#,##0.{'0' * found.decimals}"
    assert sheet["C8"].value is not None
    assert sheet["A10"].font.bold
    assert not sheet["A5"].font.bold


def test_notes_stand_below(results: Results) -> None:
    found = tabulate(results, ["region"], "month", "deficit", stat="q90")
    assert "do not add up" in found.notes[0]
    for ending in FORMATS:
        content = write(found, ending, SOURCE)
        if ending == ".xlsx":
            sheet = openpyxl.load_workbook(io.BytesIO(content)).active
            assert [row[0] for row in sheet.iter_rows(values_only=True)][-1] == found.notes[0]
        elif ending != ".csv":
            assert "do not add up" in content.decode()
        assert "90 % quantile of totals" in "".join(READERS[ending](content).heads)


def test_text_is_never_a_formula(results: Results) -> None:
    found = tabulate(results, ["region", "sector"], None, "deficit")
    sheet = openpyxl.load_workbook(io.BytesIO(write(found, ".xlsx", SOURCE))).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert not [cell.coordinate for cell in cells if cell.hyperlink]
    assert {FORMULA, *SECTOR.values()} <= {cell.value for cell in cells}
    for row in csv.reader(io.StringIO(csv_text(found))):
        for text in row[:2]:
            assert not text.startswith(("=", "+", "-", "@"))
    assert f"'{SECTOR['farm']}" in csv_text(found)


def test_marks_of_html_are_text(results: Results) -> None:
    text = write(tabulate(results, ["region"]), ".html", SOURCE).decode()
    assert "<i>" not in text
    assert "@North &amp; &lt;i&gt;Co&lt;/i&gt;" in text
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "src=" not in text
    assert "http" not in text.replace("HYPERLINK(&quot;http://a.b&quot;)", "")


def test_the_same_table_is_the_same_file(results: Results) -> None:
    def make() -> Tabulation:
        return tabulate(results, ["region", "sector"], "month", "demand")

    for ending in FORMATS:
        assert write(make(), ending, SOURCE) == write(make(), ending, SOURCE)


# --- the command ----------------------------------------------------------------------------------


def command(*words: object) -> Any:
    """Run a command; wide enough for the path of a temporary folder."""
    return CliRunner().invoke(cli.app, [str(word) for word in words], env={"COLUMNS": "200"})


def test_ending_that_is_none_is_told_before_anything_is_read(tmp_path: Path) -> None:
    done = command("table", tmp_path / "nothing", "--out", tmp_path / "a.docx")
    assert done.exit_code == 2
    assert "out: E391 'a.docx' ends in '.docx'; end it in one of .csv, .xlsx, .html, .md, .tex" in (
        done.stderr
    )
    with pytest.raises(InputError, match="'a' has no ending"):
        check_ending(Path("a"))
    assert check_ending(Path("A.XLSX")) == ".xlsx"


def test_totals_are_in_files_for_people_unless_told(folder: Path, tmp_path: Path) -> None:
    out, plain = tmp_path / "out.csv", tmp_path / "plain.csv"
    done = command("table", folder, "--out", out, "--csv", plain)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    assert "Total" in out.read_text("utf-8-sig")
    assert "Total" not in plain.read_text("utf-8-sig")
    command("table", folder, "--out", out, "--no-totals", "--csv", plain)
    assert "Total" not in out.read_text("utf-8-sig")
    command("table", folder, "--totals", "--csv", plain)
    assert "Total" in plain.read_text("utf-8-sig")


def test_table_in_the_terminal_adds_up(folder: Path) -> None:
    done = command("table", folder, "--rows", "sector", "--value", "demand")
    assert done.exit_code == 0, done.output
    works, farm, total = re.findall(r"(\d+\.\d+)\s*$", done.stdout, re.MULTILINE)
    assert Decimal(works) + Decimal(farm) == Decimal(total)
    assert "Demand, mean over members [hm3]" in done.stdout
    done = command("table", folder, "--stat", "max", "--rows", "sector", "--lang", "vi")
    assert "Thiếu hụt, lớn nhất trong các kịch bản thủy văn [triệu m³]" in done.stdout
    assert "không cộng lại thành tổng" in " ".join(done.stdout.split())


def test_statistic_that_is_none(folder: Path) -> None:
    done = command("table", folder, "--stat", "mode")
    assert done.exit_code == 2
    assert "E390" in done.stderr
    assert done.stdout == ""
