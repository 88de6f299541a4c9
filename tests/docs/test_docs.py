"""The manual and the README: examples read and run, nothing named that is not, nothing left out."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr
from openpyxl import Workbook, load_workbook
from ruamel.yaml import YAML
from typer.testing import CliRunner

from wateralloc import catalogue, read_basin, read_case
from wateralloc.case import case_schema
from wateralloc.cli import app
from wateralloc.errors import CODES, InputError
from wateralloc.period import build_period

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
HOW_TO = [path.relative_to(ROOT).as_posix() for path in sorted(DOCS.glob("howto/*.md"))]
PAGES = [
    *sorted(DOCS.glob("*.md")), *(ROOT / page for page in HOW_TO), DOCS / "validation/red_river.md"
]  # fmt: skip
OWN = ["README.md", *(path.relative_to(ROOT).as_posix() for path in PAGES)]
POLICIES = "docs/policies.md"
OWN_BASIN = "docs/howto/own_basin.md"
GOES_ON = {"docs/howto/explain.md": OWN_BASIN}
"""Page that goes on with the workbooks and cases of another."""
BASE = "schema: 1\nextends: pilot_sharing.yaml\n"
"""What a part of a case is laid over."""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def case_blocks() -> Iterator[tuple[str, str]]:
    """Cases on pages, but for the how-to pages: their commands run all of theirs."""
    for page in (page for page in OWN if page not in HOW_TO):
        for block in blocks(page, "yaml"):
            yield page, block if block.startswith("schema:") else BASE + block


def commands(page: str) -> list[str]:
    """Commands of the console blocks of a page; what they print is left out."""
    found = []
    for block in blocks(page, "console"):
        whole = block.replace("\\\n", " ")
        found += [line[2:] for line in whole.splitlines() if line.startswith("$ ")]
    return found


def printed(page: str) -> list[str]:
    """Lines that the console blocks of a page show as printed, but for its dots."""
    whole = "".join(blocks(page, "console")).replace("\\\n", " ")
    lines = [line.strip() for line in whole.splitlines()]
    return [line for line in lines if line and not line.startswith(("$ ", "..."))]


def write_cases(page: str, folder: Path) -> None:
    """Write the case files of a page, those that it names before the text, into a folder."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, case in re.findall(r"`cases/(\w+\.yaml)`:\n\n```yaml\n(.*?)^```", text, re.S | re.M):
        (folder / name).write_text(case, encoding="utf-8")


def rows_of(table: str) -> list[list[str]]:
    """Rows of a Markdown table, without the line below its head."""
    lines = [line.strip().removeprefix("|").removesuffix("|") for line in table.splitlines()]
    rows = [[cell.strip(" `") for cell in line.split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def as_typed(text: str) -> Any:
    """What a spreadsheet makes of a cell that somebody types."""
    for read in (float, date.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    return text or None


def write_workbook(page: str, path: Path) -> None:
    """Write a workbook of the sheets that a page shows, as somebody would type them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    book = Workbook()
    book.remove(book.active)
    for name, table in re.findall(r"^Sheet `([\w.]+)`[^|]*\n\n((?:\|.*\n)+)", text, re.M):
        sheet = book.create_sheet(name)
        for row in rows_of(table):
            sheet.append([as_typed(cell) for cell in row])
    book.save(path)


def change_workbook(page: str, path: Path) -> None:
    """Change the cells of a workbook that a page says to change, if they are what it says."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| sheet \| row \| column \| is .*\n(?:\|.*\n)+", text, re.M)
    book = load_workbook(path)
    for name, row, column, old, new in rows_of(table)[1:]:
        head, *body = book[name].iter_rows()
        place = [cell.value for cell in head].index(column)
        (cell,) = [cells[place] for cells in body if cells[0].value == row]
        assert cell.value == float(old)
        cell.value = float(new)
    book.save(path)


def write_rule_files(folder: Path) -> None:
    """Write the files of the page on own rules beside the cases."""
    page = (DOCS / "own_rules.md").read_text(encoding="utf-8")
    for name, rule in re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)^```", page, re.DOTALL | re.M):
        (folder / name).write_text(rule, encoding="utf-8")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    for part in ("basins", "cases"):
        shutil.copytree(ROOT / part, folder / part)
    (rule,) = blocks("docs/case_file.md", "python")
    (folder / "cases" / "my_rule.py").write_text(rule, encoding="utf-8")
    write_rule_files(folder / "cases")
    write_cases(POLICIES, folder / "cases")
    page = (DOCS / "case_file.md").read_text(encoding="utf-8")
    for table, rows in re.findall(r"`(\w+)\.csv`:\n\n```text\n(.*?)^```", page, re.DOTALL | re.M):
        path = folder / "basins" / "red_river" / f"{table}.csv"
        frames = [pd.read_csv(path, dtype=str)] if path.exists() else []
        pd.concat([*frames, pd.read_csv(StringIO(rows), dtype=str)]).to_csv(path, index=False)
    write_forecasts(folder)
    basin = str(folder / "basins" / "red_river")
    made = str(folder / "basins" / "luu_vuc.xlsx")  # what the page in Vietnamese exports
    assert CliRunner().invoke(app, ["export", basin, "--to", "xlsx", "--out", made]).exit_code == 0
    return folder


def write_forecasts(folder: Path) -> None:
    """Write the forecasts that the page on looking ahead reads: of June 2004, as it came."""
    record = pd.read_csv(folder / "basins" / "red_river" / "series" / "inflow_m3s.csv")
    flows = record.melt("date", var_name="node", value_name="inflow_m3s")
    flows = flows[flows["date"].between("2004-06-11", "2004-06-21")]
    flows.insert(0, "issued", flows["date"])
    flows.to_csv(folder / "cases" / "forecasts.csv", index=False)


@pytest.mark.parametrize(("page", "text"), list(case_blocks()))
def test_example_case_reads_without_faults(page: str, text: str, study: Path) -> None:
    path = study / "cases" / "example.yaml"
    path.write_text(text, encoding="utf-8")
    build_period(read_case(path))


def test_example_rules_build(study: Path) -> None:
    of_page = [block for page, block in case_blocks() if page == "docs/case_file.md"]
    (text,) = [block for block in of_page if "rule: python" in block]
    path = study / "cases" / "example.yaml"
    path.write_text(text, encoding="utf-8")
    period = build_period(read_case(path))
    assert period.model.component("keep_a_third") is not None
    assert {"delta_industry_cap", "yearly_volume"} <= {row.label for row in period.rule_rows}


def test_every_key_of_a_case_has_an_example() -> None:
    used: set[str] = set()

    def gather(value: Any) -> None:
        if isinstance(value, dict):
            used.update(map(str, value))
        for below in value.values() if isinstance(value, dict) else value:
            if isinstance(below, dict | list):
                gather(below)

    for _, block in case_blocks():
        gather(YAML(typ="safe", pure=True).load(block))
    schema = case_schema()
    for name, part in {"Case": schema, **schema["$defs"]}.items():
        missing = set(part.get("properties", ())) - used
        assert not missing, f"docs/case_file.md shows no {sorted(missing)} of {name}"
    assert set(catalogue.find("goals")) <= used


@pytest.mark.parametrize("package", ["rules", "goals"])
def test_every_rule_and_goal_is_on_the_page_of_policies(package: str) -> None:
    text = (ROOT / POLICIES).read_text(encoding="utf-8")
    named = set(re.findall(rf"\]\(reference/{package}\.md#(\w+)\)", text))
    assert named == set(catalogue.find(package))


@pytest.mark.parametrize("page", [page for page in OWN if commands(page)])
def test_commands_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    output: list[str] = []
    for command in commands(page):
        program, *words = shlex.split(command)
        if program == "cd":
            monkeypatch.chdir(Path.cwd() / words[0])
            for shown in (GOES_ON.get(page, page), page):
                write_cases(shown, Path("cases"))
            if OWN_BASIN in (page, GOES_ON.get(page)):
                write_workbook(OWN_BASIN, Path("basins/green_valley.xlsx"))
            continue
        assert Path(program).name == "wateralloc", command
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, f"{command}\n{done.output}"
        output += [line.strip() for line in done.output.splitlines()]
        if page == OWN_BASIN and words[0] == "export":
            change_workbook(page, Path("basins/red_river.xlsx"))
    if page in (POLICIES, "docs/vi.md", *HOW_TO):
        assert [line for line in printed(page) if line not in output] == []
    if page == "docs/getting_started.md":
        _compare_with_page_on_results(tmp_path / "my_study" / "results" / "drier_fields")


def _compare_with_page_on_results(folder: Path) -> None:
    """Every file, column, metric and key of the manifest is on the page, under its own file."""
    text = (DOCS / "outputs.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0]: part for part in parts}
    for path in sorted(folder.iterdir()):
        section = sections[path.name]
        words: set[str] = set()
        if path.suffix == ".csv":
            table = pd.read_csv(path)
            words = set(table.columns)
            if path.name == "metrics.csv":
                words |= set(table["metric"]) | set(table["scope"])
        elif path.suffix == ".nc":
            with xr.open_dataset(path) as dataset:
                words = {str(dim) for dim in dataset.dims if dim not in ("bnds", "word")}
            words = {dim for dim in words if "_with_" not in dim}
        elif path.suffix == ".xlsx":
            words = set(load_workbook(path).sheetnames)
        elif path.suffix == ".json":
            words = set(json.loads(path.read_text(encoding="utf-8")))
        missing = {word for word in words if f"`{word}`" not in section}
        assert not missing, f"docs/outputs.md, {path.name}: {sorted(missing)}"


def test_fault_of_a_workbook_is_as_the_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("basins/green_valley.xlsx")
    monkeypatch.chdir(tmp_path)
    path.parent.mkdir()
    write_workbook(OWN_BASIN, path)
    book = load_workbook(path)
    book["demands"]["C3"].value = "irigation"
    book.save(path)
    with pytest.raises(InputError) as caught:
        read_basin(path)
    (shown,) = blocks(OWN_BASIN, "text")
    assert str(caught.value) == shown.strip()


@pytest.mark.parametrize("page", OWN)
def test_what_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"\bE\d{3}\b", text)) <= set(CODES)
    made = re.findall(r"^\s*(?:\.PHONY: )?([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert set(re.findall(r"(?:^ *|`)make ([a-z][\w-]*)", text, re.M)) <= set(made)


MATH = {
    "Bigl", "Bigr", "Delta", "Phi", "alpha", "approx", "begin", "beta", "bigl", "bigr", "cdot",
    "cdots", "delta", "ell", "end", "epsilon", "eta", "frac", "gamma", "ge", "hat", "in",
    "kappa", "lambda", "ldots", "le", "left", "ln", "mathrm", "max", "min", "mu", "ne", "omega",
    "operatorname", "phi", "pi", "qquad", "quad", "rho", "right", "sigma", "sum", "tau", "text",
    "theta", "to", "top", "vert",
}  # fmt: skip
"""Commands of formulas that the manual is known to build with: it makes MathML of them."""


@pytest.mark.parametrize("page", OWN[1:])
def test_formulas_can_be_built(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    formulas = re.findall(r"\$\$.*?\$\$|\$[^$\n]+\$", text, re.DOTALL)
    named = {name for formula in formulas for name in re.findall(r"\\([a-zA-Z]+)", formula)}
    assert not named - MATH, "build the manual; what it takes belongs in MATH"
