"""Commands: what they print, what they write, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner, Result

import wateralloc
from tests.basins import tiny_basin, tiny_parts
from wateralloc import case as cases
from wateralloc import catalogue, job
from wateralloc.cli import base as cli
from wateralloc.errors import Infeasible, ModelError, SolveError, Uncertified
from wateralloc.report.cells import cell
from wateralloc.rules import Rule

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "allocation.csv", "allocation.xlsx", "balance.csv", "links.csv", "manifest.json",
    "metrics.csv", "passes.csv", "report.html", "report.json", "reservoirs.csv", "results.nc",
    "rules.csv", "sharing.csv",
}  # fmt: skip
CASE = """\
schema: 1
name: small
title: {en: A small case, vi: Một ca nhỏ}
basin: ../basins/tiny
timeline: {start: 2001-01-01, periods: 12, step: month}
hydrology: {record: dates}
rules:
  - rule: minimum_delivery
    name: guarantee
    at: town
    flow_m3s: {months: [1, 2], value: 2}
goals:
  - meet: {sectors: [domestic]}
  - share: {sectors: [irrigation], among: region}
  - maximise: storage_end
"""

Command = Callable[..., Result]


def write_study(folder: Path) -> Path:
    """Write a tiny basin and a case; its irrigation lacks water."""
    parts = tiny_parts()
    domestic, irrigation = parts["demands"]
    tiny_basin(
        folder / "basins" / "tiny",
        yaml={
            "regions": {"north": {"en": "North"}, "south": {"en": "South", "vi": "Phía Nam"}},
            "sectors": {
                "domestic": {"en": "Domestic supply", "vi": "Sinh hoạt"},
                "irrigation": {"en": "Irrigation", "vi": "Tưới"},
            },
        },
        demands=[domestic, irrigation | {"annual_hm3": 600}],
    )
    (folder / "cases").mkdir()
    (folder / "cases" / "small.yaml").write_text(CASE, encoding="utf-8")
    return folder


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the tiny basin and its case, in which commands run."""
    monkeypatch.chdir(tmp_path)
    return write_study(tmp_path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command as in a pipe, 80 columns wide unless told."""

    def call(*words: object, width: int = 80) -> Result:
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner().invoke(cli.app, [str(word) for word in words])

    return call


def succeed(result: Result) -> str:
    """Return what a command printed; fail with its message unless it exits with 0."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


# --- run ----------------------------------------------------------------------------------------


def test_run_writes_and_prints(study: Path, command: Command) -> None:
    text = succeed(command("run", "small"))
    assert {path.name for path in (study / "results" / "small").iterdir()} == FILES
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[0] == "A small case"
    assert lines[1] == "tiny · members: 1 · periods: 12, 2001-01-01 – 2001-12-31"
    table = pd.read_csv(study / "results" / "small" / "allocation.csv")
    by_sector = table.groupby("sector")[["demand_hm3", "withdrawal_hm3", "deficit_hm3"]].sum()
    for sector, heading in (("domestic", "Domestic supply"), ("irrigation", "Irrigation")):
        demand, withdrawal, deficit = by_sector.loc[sector]
        numbers = [f"{v:.1f}" for v in (demand, withdrawal, deficit)]
        (line,) = [line for line in lines if heading in line]
        share = f"{100 * withdrawal / demand:.1f} %"
        assert line.removeprefix("South").split() == [*heading.split(), *numbers, *share.split()]
    assert by_sector.loc["irrigation", "deficit_hm3"] > 300
    (rule,) = [line for line in lines if line.startswith("guarantee")]
    assert rule.split()[:6] == ["guarantee", "2", "2", "0", "0", "m3s"]
    assert any(line.startswith("1 meet domestic") for line in lines)
    assert any(line.startswith("2 share among region") for line in lines)
    assert re.search(r"times: read [\d.]+ s, build [\d.]+ s, solve [\d.]+ s, write [\d.]+ s", text)
    assert re.search(r"passes: \d+; members that converged: 1/1", text)
    assert re.search(r"certificate: primal \de-\d+, dual \S+, gap \S+", text)
    assert re.search(r"balance residual: \S+ hm3", text)
    assert "results: results/small/ (allocation.csv, " in text


def test_run_goes_where_it_is_told_with_what_is_set(study: Path, command: Command) -> None:
    succeed(
        command(
            "run", "cases/small.yaml", "--out", "elsewhere/dry",
            "--set", "demand.scale.irrigation=0.5", "--set", "name=dry",
        )
    )  # fmt: skip
    assert {path.name for path in (study / "elsewhere" / "dry").iterdir()} == FILES
    assert not (study / "results").exists()
    table = pd.read_csv(study / "elsewhere" / "dry" / "allocation.csv")
    asked = table.loc[table["sector"] == "irrigation", "demand_hm3"].sum()
    assert asked == pytest.approx(300, rel=1e-9)


def test_run_in_vietnamese(study: Path, command: Command) -> None:
    text = succeed(command("run", "small", "--lang", "vi"))
    for word in ("Một ca nhỏ", "Phía Nam", "Sinh hoạt", "Thiếu hụt", "quy tắc", "mục tiêu", "giải"):
        assert word in text
    for word in ("members", "Deficit", "certificate", "times"):
        assert word not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_run_fits_the_terminal_without_cutting_numbers(
    study: Path, command: Command, width: int
) -> None:
    text = succeed(command("run", "small", width=width))
    assert max(len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    assert "…" not in text
    table = pd.read_csv(study / "results" / "small" / "allocation.csv")
    for column in ("demand_hm3", "withdrawal_hm3", "deficit_hm3"):
        assert f" {table[column].sum():.1f}" in text
    for word in ("Withdrawal", "Satisfaction", "fraction of demand"):
        assert word in text


def test_goals_are_summed_up_over_members() -> None:
    def stage(name: str, value: float) -> dict[str, Any]:
        found = {"goal": 1, "name": name, "sense": "minimise", "unit": "hm3"}
        return found | {"value": value, "kept": value}

    table = cli._goals(
        {
            "a": [stage("1 meet all", 1.0), stage("2 share, round 1", 0.2)],
            "b": [stage("1 meet all", 4.0), stage("2 share, round 1", 0.4),
                  stage("2 share, round 2", 0.9)],
        }
    )  # fmt: skip
    assert table.loc["1 meet all"].tolist() == [2.5, 1.0, 4.0, "hm3"]
    assert table.loc["2 share"].tolist() == pytest.approx([0.3, 0.2, 0.4, "hm3"])
    assert len(table) == 2


# --- exit codes ---------------------------------------------------------------------------------


def test_every_fault_is_listed_and_nothing_written(study: Path, command: Command) -> None:
    path = study / "cases" / "small.yaml"
    text = CASE.replace("minimum_delivery", "minimum_delivry").replace("goals:", "gaols:")
    path.write_text(text, encoding="utf-8")
    demands = study / "basins" / "tiny" / "demands.csv"
    demands.write_text(demands.read_text("utf-8").replace("600", "-600"), encoding="utf-8")
    result = command("run", "small")
    assert result.exit_code == 2
    assert result.stdout == ""
    found = [re.match(r"(\S+?):\d+:\d+: (E\d{3}) ", line) for line in result.stderr.splitlines()]
    assert all(found), result.stderr
    faults = {match.groups() for match in found if match}
    assert faults >= {
        ("cases/small.yaml", "E311"), ("cases/small.yaml", "E301"),
        ("basins/tiny/demands.csv", "E203"),
    }  # fmt: skip
    assert not (study / "results").exists()


def test_infeasible_says_why(study: Path, command: Command) -> None:
    result = command("run", "small", "--set", "rules.guarantee.flow_m3s=500")
    assert result.exit_code == 3
    assert "E402" in result.stderr
    assert "'guarantee'" in result.stderr
    assert not (study / "results").exists()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (SolveError("E404 it stopped"), 4, "E404 it stopped\n"),
        (Uncertified("E405 it is wrong"), 4, "E405 it is wrong\n"),
        (Infeasible("E402 it cannot be"), 3, "E402 it cannot be\n"),
        (ModelError("[bold] is no markup"), 1, "[bold] is no markup\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (OSError(28, "No space left on device"), 2,
         "output: E108 No space left on device; send it to another place\n"),
        (OSError(28, "No space left on device", "/x/y"), 2,
         "/x/y: E108 No space left on device; name another path\n"),
    ],
)  # fmt: skip
def test_errors_become_exit_codes(
    study: Path, command: Command, monkeypatch: pytest.MonkeyPatch,
    error: BaseException, code: int, message: str,
) -> None:  # fmt: skip
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(job, "run", fail)
    result = command("run", "small")
    assert (result.exit_code, result.stderr, result.stdout) == (code, message, "")
    assert not (study / "results").exists()


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("the case must not be solved")


def test_a_run_whose_results_cannot_be_kept_does_not_start(
    study: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "run", never)
    taken = command("run", "small", "--out", "cases")
    assert (taken.exit_code, taken.stderr[:13]) == (2, "cases: E109 i")
    below = command("run", "small", "--out", "cases/small.yaml/out")
    assert below.exit_code == 2
    assert below.stderr.startswith("cases/small.yaml: E108 is a file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    closed = command("run", "small")
    assert closed.exit_code == 2
    assert "E108 nothing can be written here; name another path" in closed.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_output_that_goes_nowhere_is_no_traceback(study: Path) -> None:
    program = "from wateralloc.cli import main; main()"
    for words in (["schema"], ["check", "small"]):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            done = subprocess.run(
                [sys.executable, "-c", program, *words], stdout=full, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == "output: E108 No space left on device; send it to another place\n"


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "small", "--set", "no_equals_sign"],
        ["run", "small", "--lang", "fr"],
        ["run", "no_such_case"],
        ["run", "basins/tiny"],
        ["rn", "small"],
        ["check", "no_such_case"],
        ["check", "basins/tiny", "--set", "a=b"],
        ["table", "no_such_result"],
        ["compare"],
        ["compare", "small", "no_such_case"],
        ["compare", "small", "basins"],
        ["compare", "small", "--jobs", "0"],
        ["compare", "small", "--member", "1999-01"],
        ["compare", "small", "--out", "cases/small.yaml/out"],
        ["rules", "no_such_rule"],
        ["export", "small", "--to", "docx"],
        ["export", "small", "--to", "lp", "--out", "model.txt"],
        ["new", "cases"],
        ["new", "cases/small.yaml"],
    ],
)
def test_bad_words_exit_with_2(study: Path, command: Command, words: list[str]) -> None:
    before = sorted(study.rglob("*"))
    result = command(*words)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert result.stderr
    assert "Traceback" not in result.output
    assert sorted(study.rglob("*")) == before


def run_program(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "from wateralloc.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *words],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip


def test_the_program_itself(study: Path) -> None:
    done = run_program("run", "small", cwd=study)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A small case\n")
    assert "\x1b" not in done.stdout
    assert (study / "results" / "small" / "results.nc").is_file()
    bad = run_program("run", "smal", cwd=study)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "did you mean 'small'?" in bad.stderr
    impossible = run_program("run", "small", "--set", "rules.guarantee.flow_m3s=500", cwd=study)
    assert (impossible.returncode, impossible.stdout) == (3, "")
    assert "Traceback" not in bad.stderr + impossible.stderr


# --- what goes to stderr ------------------------------------------------------------------------


def test_warnings_are_shown_in_plain_words(
    study: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(*_: Any, **__: Any) -> None:
        logging.getLogger("wateralloc.rules").warning("the %s is not whole", "year")
        raise SolveError("E404 enough")

    monkeypatch.setattr(job, "run", warn)
    for _ in range(2):  # the handler is set once, however often a command runs
        assert command("run", "small").stderr == "warning: the year is not whole\nE404 enough\n"


def test_a_bar_appears_on_a_terminal_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    terminal = cli.Console(file=stream, force_terminal=True, width=80)
    monkeypatch.setattr(cli, "messages", terminal)
    monkeypatch.setattr(cli, "BAR_AFTER", 0.01)
    with cli._progress("members") as progress:
        progress(3, 21)
        deadline = time.monotonic() + 10
        while "3/21" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "members" in stream.getvalue()
    assert "3/21" in stream.getvalue()


def test_no_bar_when_it_is_quick_or_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal, after in ((True, 60.0), (False, 0.0)):
        stream = io.StringIO()
        console = cli.Console(file=stream, force_terminal=is_terminal, width=80)
        monkeypatch.setattr(cli, "messages", console)
        monkeypatch.setattr(cli, "BAR_AFTER", after)
        with cli._progress("members") as progress:
            time.sleep(0.05)
            progress(1, 1)
        assert "members" not in stream.getvalue()


# --- check --------------------------------------------------------------------------------------


def test_check_a_basin(study: Path, command: Command) -> None:
    text = succeed(command("check", "basins/tiny"))
    assert text.startswith("Test basin: no faults\n")
    assert "4: 1 inflow, 1 reservoir, 1 junction, 1 sink" in text
    assert "636.5 hm3" in text
    assert "1 names, 12 months, 2001-01-01 to 2001-12-31" in text


def test_check_a_case(study: Path, command: Command) -> None:
    text = succeed(command("check", "small", "--set", "timeline.periods=6"))
    assert text.startswith("A small case: no faults\n")
    assert "6 months, 2001-01-01 to 2001-06-30" in text
    assert "guarantee (minimum_delivery)" in text
    assert "meet, share, maximise" in text


def test_check_lists_faults(study: Path, command: Command) -> None:
    nodes = study / "basins" / "tiny" / "nodes.csv"
    nodes.write_text(nodes.read_text("utf-8").replace("junction", "juncture"), encoding="utf-8")
    for target in ("basins/tiny", "small"):
        result = command("check", target)
        assert result.exit_code == 2
        assert "basins/tiny/nodes.csv:4:" in result.stderr
        assert "E205" in result.stderr
        assert result.stdout == ""


# --- table --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the small case, run once for all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(write_study(tmp_path_factory.mktemp("study")))
        succeed(CliRunner().invoke(cli.app, ["run", "small"]))
        return Path("results").resolve()


@pytest.fixture
def result(study: Path, run_once: Path) -> pd.DataFrame:
    shutil.copytree(run_once, study / "results")
    return pd.read_csv(study / "results" / "small" / "allocation.csv")


def test_table_prints_a_pivot(result: pd.DataFrame, command: Command) -> None:
    month = result["period_start"].str[5:7]
    by = ("--rows", "sector", "--columns", "month", "--no-totals")
    for named in ("small", "results/small"):
        text = succeed(command("table", named, *by, width=200))
        lines = [line.split() for line in text.splitlines()]
        assert lines[1] == ["Deficit", "[hm3]"]
        assert lines[2] == ["Sector", *cli_months()]
        for line in lines:
            if line[:1] == ["Irrigation"]:
                of = result["sector"] == "irrigation"
                sums = result[of].groupby(month)["deficit_hm3"].sum()
                assert line[1:] == [f"{value:.2f}" for value in sums]


def cli_months() -> list[str]:
    return ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.mark.parametrize("width", [30, 50, 80])
def test_table_breaks_columns_not_numbers(
    result: pd.DataFrame, command: Command, width: int
) -> None:
    options = ("--rows", "sector", "--columns", "month", "--value", "demand", "--no-totals")
    text = succeed(command("table", "small", *options, width=width))
    assert max(len(line) for line in text.splitlines()) <= width
    found = re.findall(r"(?<!\S)\d+\.\d+(?!\S)", text)
    month = result["period_start"].str[5:7]
    expected = result.groupby(["sector", month])["demand_hm3"].sum()
    assert sorted(found) == sorted(f"{value:.2f}" for value in expected)


def test_table_of_satisfaction_is_in_percent(result: pd.DataFrame, command: Command) -> None:
    text = succeed(command("table", "small", "--value", "satisfaction", "--lang", "vi"))
    served = result[result["sector"] == "irrigation"]
    share = served["withdrawal_hm3"].sum() / served["demand_hm3"].sum()
    assert "Mức đáp ứng [%]" in text
    assert f"{100 * share:.1f} %" in text
    assert "Tưới" in text


def test_table_as_csv(study: Path, result: pd.DataFrame, command: Command) -> None:
    options = ("table", "small", "--rows", "region,sector", "--lang", "vi", "--csv")
    printed = succeed(command(*options, "-"))
    assert succeed(command(*options, "tables/out.csv")) == "tables/out.csv\n"
    written = (study / "tables" / "out.csv").read_bytes()
    assert written.decode("utf-8-sig") == printed
    assert written.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(printed)))
    assert rows[0] == ["Vùng", "Ngành", "Thiếu hụt"]
    assert [row[:2] for row in rows[1:]] == [["Phía Nam", "Sinh hoạt"], ["Phía Nam", "Tưới"]]
    expected = result.groupby("sector", sort=False)["deficit_hm3"].sum()
    assert [float(row[2]) for row in rows[1:]] == pytest.approx(expected.tolist(), rel=1e-12)


def test_csv_loses_no_letter_to_the_terminal(study: Path, result: pd.DataFrame) -> None:
    program = "from wateralloc.cli import main; main()"
    words = ["table", "small", "--lang", "vi", "--csv", "-"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.stdout.decode().startswith("Vùng,Ngành,Thiếu hụt\n")


def test_table_says_of_what_it_is_the_mean(study: Path, command: Command) -> None:
    series = study / "basins" / "tiny" / "series" / "inflow_m3s.csv"
    record = series.read_text(encoding="utf-8")
    later = record.partition("\n")[2].replace("2001-", "2002-")
    series.write_text(record.rstrip("\n") + "\n" + later, encoding="utf-8")
    succeed(command("run", "small", "--set", "hydrology={record: historic, members: all}"))
    by_sector = ("table", "small", "--rows", "sector")
    assert "Deficit, mean over members [hm3]" in succeed(command(*by_sector))
    assert "Thiếu hụt, trung bình các kịch bản thủy văn [" in succeed(
        command(*by_sector, "--lang", "vi")
    )
    assert "mean" not in succeed(command(*by_sector, "--columns", "member"))


@pytest.mark.parametrize("options", [("--rows", "regoin"), ("--columns", "x"), ("--value", "y")])
def test_table_of_an_unknown_word(
    result: pd.DataFrame, command: Command, options: tuple[str, str]
) -> None:
    done = command("table", "small", *options)
    assert done.exit_code == 2
    assert options[1] in done.stderr
    assert done.stdout == ""


def test_cells_without_a_value_are_empty() -> None:
    assert cell(float("nan"), 1) == ""
    frame = pd.DataFrame({"a": [np.nan, 2.5]}, index=pd.Index(["x", "y"], name="name"))
    assert cli._decimals(frame) == 3


# --- compare ------------------------------------------------------------------------------------

CAPPED = """\
schema: 1
extends: small.yaml
title: {en: A capped case, vi: Một ca có hạn mức}
rules:
  - {rule: quota, name: cap, sectors: [irrigation], volume_hm3: 100, window: year}
"""


@pytest.fixture
def policies(study: Path) -> Path:
    (study / "cases" / "capped.yaml").write_text(CAPPED, encoding="utf-8")
    return study


def test_compare_runs_prints_and_writes(
    policies: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = succeed(command("compare", "small", "cases/capped.yaml", "--storage-on", "01-01"))
    assert "A small case (run now)" in first
    assert "reference: small · members: 1 (2001-01)." in first
    folder = policies / "results" / "comparison"
    wide = pd.read_csv(folder / "comparison.csv", index_col="policy")
    assert wide.loc["capped", "sector.irrigation.deficit_hm3_year"] == pytest.approx(500, abs=1e-6)
    assert wide.loc["small", "change.region.south.deficit_hm3_year"] == 0
    for value in wide["deficit_hm3_year"]:
        assert f" {value:.1f} " in first
    assert "  added rule cap: quota, sectors: [irrigation], volume_hm3: 100, window: year" in first
    monkeypatch.setattr(job, "run", never)
    again = succeed(command("compare", "small", "capped", "--storage-on", "01-01"))
    assert again == first.replace("(run now)", "(read)")
    taken = succeed(
        command("compare", "results/small", "results/capped", "--reference", "capped",
                "--out", "tables", "--kept", "town:2@01-01..02-28")
    )  # fmt: skip
    assert "reference: capped" in taken
    assert "removed rule cap" in taken
    assert "town:2@01-01..02-28: kept" in " ".join(taken.split())
    assert {path.name for path in (policies / "tables").iterdir()} == {
        path.name for path in folder.iterdir()
    }


def test_compare_in_vietnamese(policies: Path, command: Command) -> None:
    text = succeed(command("compare", "small", "capped", "--lang", "vi", width=160))
    for word in (
        "Một ca có hạn mức (vừa tính)", "Cơ chế", "Mức đáp ứng", "Phía Nam", "thêm quy tắc",
        "Cái giá của mỗi vùng: thay đổi so với small", "kết quả: results/comparison/",
    ):  # fmt: skip
        assert word in text
    for word in ("Deficit", "policy", "added", "Satisfaction", "run now", "reference"):
        assert word not in text


@pytest.mark.parametrize("width", [50, 80, 140])
def test_compare_fits_the_terminal(policies: Path, command: Command, width: int) -> None:
    text = succeed(command("compare", "small", "capped", width=width))
    tables, _, clauses = text.partition("What differs from")
    assert clauses
    assert max(len(line) for line in tables.splitlines()) <= max(width, 60)
    assert "…" not in text


def test_compare_lists_the_faults_of_all_cases(policies: Path, command: Command) -> None:
    for name in ("one", "other"):
        text = CAPPED.replace("quota", f"quota_{name}")
        (policies / "cases" / f"{name}.yaml").write_text(text, encoding="utf-8")
    result = command("compare", "one", "small", "other")
    assert (result.exit_code, result.stdout) == (2, "")
    files = [line.split(":")[0] for line in result.stderr.splitlines()]
    assert files == ["cases/one.yaml", "cases/other.yaml"]
    assert not (policies / "results").exists()
    dream = command("compare", "small", "capped", "--set", "rules.guarantee.flow_m3s=500")
    assert (dream.exit_code, dream.stdout) == (3, "")
    assert "2 of 2 cases have no result" in dream.stderr


# --- rules --------------------------------------------------------------------------------------


def test_rules_are_listed_with_a_line_each(command: Command) -> None:
    text = succeed(command("rules", width=400))
    other = succeed(command("rules", "--lang", "vi", width=400))
    for package in ("rules", "goals"):
        for kind, concept in catalogue.find(package).items():
            for found in (text, other):
                assert re.search(rf"^{kind}  +\S", found, re.M), kind
            assert concept.vi
            assert concept.vi in other
            first = (concept.__doc__ or "").split("\n")[0].replace("`", "")
            assert first in text
    assert [line for line in text.splitlines() if line in ("rules", "goals")] == ["rules", "goals"]
    assert "mục tiêu" in other.splitlines()
    assert "\x1b" not in text


def test_page_of_a_rule(command: Command) -> None:
    for package in ("rules", "goals"):
        for kind, concept in catalogue.find(package).items():
            text = succeed(command("rules", kind, width=120))
            assert text.startswith(f"{kind} ({package[:-1]})\n")
            assert "``" not in text
            assert "code-block" not in text
            headings = {line.strip() for line in text.splitlines()}
            assert {"Equation", "Example"} <= headings
            keys = [field.alias or name for name, field in concept.model_fields.items()]
            for key in keys:
                assert re.search(rf"^{key}\b", text, re.M), (kind, key)
    page = succeed(command("rules", "quota", "--lang", "vi", width=120))
    assert "Phương trình" in page
    assert catalogue.find("rules")["quota"].vi in page.replace("\n", " ")


def test_a_rule_of_another_package_is_among_them(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("mine", "elsewhere:Mine", "wateralloc.rules")
    monkeypatch.setitem(sys.modules, "elsewhere", types.SimpleNamespace(Mine=Mine))
    monkeypatch.setattr(
        catalogue, "entry_points", lambda *, group: [point] if group == point.group else []
    )
    catalogue.find.cache_clear()
    try:
        assert re.search(r"^mine +Do as I say\.", succeed(command("rules")), re.M)
        assert "how often" in succeed(command("rules", "mine"))
        near = command("rules", "mien")
    finally:
        catalogue.find.cache_clear()
    assert (near.exit_code, near.stdout) == (2, "")
    assert near.stderr == "rules: E311 no rule or goal is called 'mien'; did you mean 'mine'?\n"


class Mine(Rule):
    """Do as I say.

    Equation
    --------
    x = y
    """

    kind = "mine"
    often: Annotated[int, Field(description="how often")] = 3


# --- new ----------------------------------------------------------------------------------------


def test_new_study_runs(
    study: Path, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(study / "cases" / "small.yaml", study / "cases" / f"{cli.START}.yaml")
    (study / "basins" / "tiny" / "__pycache__").mkdir()
    for module in (cases, cases.find):
        monkeypatch.setattr(module, "bundled_folder", lambda: study)
    (study / "mine").mkdir()  # an empty folder will do
    text = succeed(command("new", "mine"))
    assert "mine: basin tiny; cases pilot_sharing, small" in text
    assert f"cd mine && wateralloc run {cli.START}" in text
    assert sorted(path.name for path in (study / "mine").iterdir()) == ["basins", "cases"]
    assert not (study / "mine" / "basins" / "tiny" / "__pycache__").exists()
    monkeypatch.chdir(study / "mine")
    succeed(command("run", cli.START))
    assert (study / "mine" / "results" / "small" / "allocation.csv").is_file()


def test_new_is_whole_or_not_at_all(
    study: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cases, cases.find):
        monkeypatch.setattr(module, "bundled_folder", lambda: study)

    def fail(*_: Any, **__: Any) -> None:
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", fail)
        done = command("new", "my study")
    assert done.exit_code == 2
    assert done.stderr == "my study: E108 No space left on device; name another path\n"
    assert not any((study / "my study").iterdir())
    assert f"next: cd 'my study' && wateralloc run {cli.START}" in succeed(
        command("new", "my study")
    )
    assert sorted(path.name for path in (study / "my study").iterdir()) == ["basins", "cases"]


def test_new_copies_what_is_bundled(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    succeed(command("new", "study"))
    for part in ("basins", "cases"):
        for path in (ROOT / part).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = tmp_path / "study" / path.relative_to(ROOT)
                assert copy.read_bytes() == path.read_bytes()
    monkeypatch.chdir(tmp_path / "study")
    text = succeed(command("check", cli.START))
    assert "(basins/red_river)" in text  # its own copy, not that of the package
    assert succeed(command("check", "basins/red_river"))


# --- export and schema --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("lp", "small.lp"),
        ("mps", "small.mps"),
        ("pyomo", "small.pkl"),
        ("geojson", "small.geojson"),
        ("gpkg", "small.gpkg"),
    ],
)
def test_export(study: Path, command: Command, to: str, name: str) -> None:
    assert succeed(command("export", "small", "--to", to)) == f"{name}\n"
    assert (study / name).stat().st_size > 100
    options = ("--member", "2001-01", "--out", f"out/{name}", "--set", "timeline.periods=3")
    assert succeed(command("export", "small", "--to", to, *options)) == f"out/{name}\n"
    whole, part = ((study / path).stat().st_size for path in (name, f"out/{name}"))
    assert to in ("geojson", "gpkg") or part < whole


def test_export_of_a_goal(study: Path, command: Command) -> None:
    succeed(command("export", "small", "--to", "lp", "--goal", "2"))
    assert "share_2" in (study / "small.lp").read_text().split("st\n")[0]
    assert command("export", "small", "--to", "lp", "--goal", "9").exit_code == 2


def test_export_of_a_result(study: Path, command: Command) -> None:
    succeed(command("run", "small"))
    assert succeed(command("export", "results/small", "--to", "gpkg")) == "small.gpkg\n"
    succeed(command("export", "results/small", "--to", "geojson", "--out", "r.geojson"))
    assert '"flow_m3s"' in (study / "r.geojson").read_text()
    assert succeed(command("export", "small", "--to", "parquet")) == "small_parquet\n"
    assert (study / "small_parquet" / "allocation.parquet").is_file()
    succeed(command("export", "results/small", "--to", "nc", "--out", "r.nc"))
    assert (study / "r.nc").stat().st_size > 10_000
    for options in (
        ("results/small", "--to", "lp"),
        ("results/small", "--to", "gpkg", "--set", "timeline.periods=3"),
        ("results/small", "--to", "gpkg", "--member", "2001-01"),
        ("results/small", "--to", "gpkg", "--out", "r.txt"),
        ("nothing", "--to", "parquet"),
    ):
        assert command("export", *options).exit_code == 2


def test_schema_of_cases(command: Command) -> None:
    schema = json.loads(succeed(command("schema")))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"basin", "timeline", "rules", "goals"} <= set(schema["properties"])


def test_schema_of_basins(command: Command) -> None:
    tables = json.loads(succeed(command("schema", "--basins", "--json")))
    columns = {column["name"]: column for column in tables["links"]["columns"]}
    assert columns["loss_fraction"]["units"] == ["fraction", "percent"]
    assert (columns["loss_fraction"]["low"], columns["loss_fraction"]["high"]) == (-1, 1)
    assert columns["from"]["required"]
    text = succeed(command("schema", "--basins", width=100))
    assert max(len(line) for line in text.splitlines()) <= 100
    for table in tables.values():
        for column in table["columns"]:
            assert column["name"] in text


# --- starting -----------------------------------------------------------------------------------


def test_version(command: Command) -> None:
    assert succeed(command("--version")) == f"wateralloc {wateralloc.__version__}\n"


def test_help_names_every_command(command: Command) -> None:
    text = succeed(command("--help"))
    for name in ("run", "check", "table", "compare", "rules", "new", "export", "schema"):
        assert re.search(rf"^\W*{name} ", text, re.M)
    assert "Exit codes" in text


def commands_of(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command under a group, with the words that name it."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands_of(one, *path, name)
        else:
            yield (*path, name), one


def test_help_shows_its_texts_as_they_are_written() -> None:
    """A word in brackets is no markup: `wateralloc[gis]` stays whole; a backslash keeps it so."""
    found = dict(commands_of(typer.main.get_command(cli.app)))
    assert {("explain",), ("run",), ("rules",)} <= set(found)
    for path, one in found.items():
        result = CliRunner().invoke(cli.app, [*path, "--help"], env={"COLUMNS": "1000"})
        shown = " ".join(re.sub("[│╭╮╰╯─]", " ", succeed(result)).split())
        texts = [one.help, *(getattr(param, "help", None) for param in one.params)]
        for text in filter(None, texts):
            written = " ".join(str(text).replace("\\[", "[").split())
            assert written in shown, f"{' '.join(path)}: {written}"


def test_help_and_import_wait_for_no_solver() -> None:
    program = (
        "import sys, wateralloc, wateralloc.cli\n"
        "slow = {'pandas', 'numpy', 'pyomo', 'highspy', 'xarray', 'scipy', 'networkx'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


def test_run_is_the_function_whatever_was_imported_before() -> None:
    assert wateralloc.run is job.run
    assert "run" in dir(wateralloc)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        wateralloc.rum  # noqa: B018
