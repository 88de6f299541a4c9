"""The page on metrics: every metric of a result is on it, in its scope; its examples are true."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

from tests.everything import everything, parts
from wateralloc import metrics
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "metrics.md").read_text(encoding="utf-8")
OTHER = ("reservoir", "plant", "rule", "goal")
"""Scopes of which the page on outputs tells the metrics."""
ELSEWHERE = re.compile(r"inflow_hm3|outflow_hm3|energy_.*|firm_power_mw")
CLAIMANTS = ("region", "province", "sector", "demand")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    placed = {"region": "north", "province": "upland"}
    places = {name: [row | placed for row in parts()[name]] for name in ("nodes", "demands")}
    case = everything(tmp_path_factory.mktemp("everything"), **places)
    table = collect(solve_perfect(case)).tables()["metrics"]
    return table[~table["scope"].isin(OTHER) & ~table["metric"].str.fullmatch(ELSEWHERE)]


def named_in(page: str) -> set[str]:
    """Metrics in the first column of tables; dots stand for each claimant."""
    rows = re.findall(r"^\| (`[^|]+?) \|", page, re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+(?:\.\.\.|…)?)`", row)}
    full = {name for name in names if name[-1] not in ".…"}
    return full | {
        f"{name.rstrip('.…')}{claimant}" for name in names - full for claimant in CLAIMANTS
    }


@pytest.mark.parametrize("page", ["metrics.md", "vi.md"])
def test_every_metric_of_service_is_on_the_page(page: str, found: pd.DataFrame) -> None:
    named = named_in((DOCS / page).read_text(encoding="utf-8"))
    assert set(found["metric"]) <= named


def test_the_page_names_no_metric_that_is_not_there(found: pd.DataFrame) -> None:
    table = PAGE.split("## All metrics")[1].split("\n## ")[0]
    assert named_in(table) == set(found["metric"])


def test_scopes_are_on_the_page(found: pd.DataFrame) -> None:
    scopes = {re.sub(r"^leximin_.*", "leximin_...", scope) for scope in found["scope"]}
    assert {scope for scope in scopes if f"`{scope}`" not in PAGE} == set()


def test_examples_are_true() -> None:
    text = "".join(re.findall(r"^```pycon\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    test = doctest.DocTestParser().get_doctest(text, {}, "metrics.md", None, None)
    assert len(test.examples) >= 10
    assert doctest.DocTestRunner().run(test).failed == 0


def test_reference_has_every_function() -> None:
    written = runpy.run_path(str(DOCS / "generate.py"))["_metrics"]()
    functions = {name for name in metrics.__all__ if callable(getattr(metrics, name))}
    assert set(re.findall(r"^### (\w+)$", written, re.MULTILINE)) == functions
