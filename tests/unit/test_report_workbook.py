"""allocation.xlsx: its sheets are opened and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from tests.small import inflow, make_case
from wateralloc import job
from wateralloc.case import Case
from wateralloc.cli import base as cli
from wateralloc.report import workbook
from wateralloc.results import Results

DAY = date(2026, 11, 30)
EVIL = '=HYPERLINK("http://example.org","x")'


def river(folder: Path, **more: Any) -> Case:
    """A river of 10 hm3 a day; a farm of one province asks 8, a mill of another 4."""
    basin: dict[str, Any] = {
        "yaml": {
            "regions": {"up": {"en": "Upland", "vi": "Vùng cao"}},
            "provinces": {"a": {"en": "A", "vi": "Tỉnh A"}, "b": {"en": EVIL, "vi": "@SUM(1)"}},
            "sectors": {"irrigation": {"en": "Irrigation", "vi": "Tưới"}, "industry": {}},
        },
        "nodes": [{"name": "river", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "reservoirs": [{"name": "river", "dead_hm3": 0, "normal_hm3": 1, "initial_hm3": 0}],
        "demands": [
            {"name": "farm", "node": "river", "sector": "irrigation", "region": "up",
             "province": "a", "demand_hm3_day": 8},
            {"name": "mill", "node": "river", "sector": "industry", "region": "up",
             "province": "b", "demand_hm3_day": 4},
        ],
        "rules": [{"rule": "quota", "name": "cap", "sectors": ["industry"], "volume_hm3": 3,
                   "window": "period", "source": "-1+1, Law on Water"}],
        "series": inflow(river=[10] * 40),
    }  # fmt: skip
    return make_case(folder, periods=40, goals=[{"meet": {}}], **basin | more)


def opened(results: Results, lang: str = "en") -> Any:
    return openpyxl.load_workbook(BytesIO(workbook.workbook(results, lang, DAY)))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return job.run(river(tmp_path_factory.mktemp("river")))


@pytest.mark.parametrize(
    ("lang", "names"),
    [
        ("en", ["Cover", "Allocation", "Deficit", "Satisfaction", "Rules", "Reservoirs", "Metrics",
                "Sources"]),
        ("vi", ["Bìa", "Phân bổ", "Thiếu hụt", "Mức đáp ứng", "Quy tắc", "Hồ chứa", "Chỉ số",
                "Nguồn"]),
    ],
)  # fmt: skip
def test_sheets(results: Results, lang: str, names: list[str]) -> None:
    book = opened(results, lang)
    assert book.sheetnames == names
    for sheet in book.worksheets[1:]:
        assert sheet.freeze_panes is not None, sheet.title
        assert sheet["A4"].font.bold


def test_totals_are_those_of_the_tidy_table(results: Results) -> None:
    table = results.tables()["allocation"]
    for name, column in (("Allocation", "withdrawal_hm3"), ("Deficit", "deficit_hm3")):
        rows = list(opened(results)[name].iter_rows(min_row=5, values_only=True))
        cells = [row for row in rows if row[1] in ("Irrigation", "industry")]
        (total,) = (row for row in rows if row[0] == "Total")
        assert total[-1] == pytest.approx(sum(row[-1] for row in cells))
        assert total[-1] == pytest.approx(table[column].sum(), abs=0.5)
        for row in rows[: len(cells)]:
            numbers = [n for n in row[2:] if n is not None]
            assert numbers[-1] == pytest.approx(sum(numbers[:-1]))


def test_text_never_becomes_a_formula(results: Results) -> None:
    found = []
    for lang in ("en", "vi"):
        for sheet in opened(results, lang).worksheets:
            for row in sheet.iter_rows():
                assert not [cell for cell in row if cell.data_type == "f"], sheet.title
                found += [cell.value for cell in row if isinstance(cell.value, str)]
    assert {EVIL, "@SUM(1)", "-1+1, Law on Water"} <= set(found)


def test_cover_says_what_it_is(results: Results) -> None:
    cover = opened(results)["Cover"]
    lines = {row[0]: row[1] for row in cover.iter_rows(values_only=True) if row[0]}
    assert lines["Case"] == "case"
    assert lines["Made on"] == "2026-11-30"
    assert lines["Periods"] == "40: 2001-01-01 – 2001-02-09"
    assert len(lines["Inputs (SHA-256)"]) == workbook.DIGITS
    links = {cell.hyperlink.location for row in cover.iter_rows() for cell in row if cell.hyperlink}
    assert "'Allocation'!A1" in links
    assert not [line for line in lines if line.startswith("MENDED")]
    mended = replace(results, manifest={**results.manifest, "mended": {"2001-01": []}})
    texts = [row[0] for row in opened(mended)["Cover"].iter_rows(values_only=True)]
    assert any(str(text).startswith("MENDED") for text in texts)


def test_every_run_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    river(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["run", "case.yaml", "--lang", "vi"])
    assert done.exit_code == 0, done.output
    book = openpyxl.load_workbook(tmp_path / "results" / "case" / workbook.NAME)
    assert book.sheetnames[0] == "Bìa"
    inputs = json.loads((tmp_path / "results" / "case" / "manifest.json").read_text())["inputs"]
    digests = {row[2] for row in book["Nguồn"].iter_rows(min_row=5, values_only=True)}
    assert set(inputs.values()) <= digests
