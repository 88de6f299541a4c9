"""Concepts are found by scanning the package and the entry points of others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import wateralloc.goals
from wateralloc import catalogue
from wateralloc.errors import ModelError
from wateralloc.goals.minimise import Minimise
from wateralloc.parts.demand import Demand


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Nothing that a test finds is remembered after it."""
    catalogue.find.cache_clear()
    yield
    catalogue.find.cache_clear()


def test_kinds_stand_in_the_order_of_their_modules() -> None:
    parts = catalogue.find("parts")
    assert list(parts) == sorted(parts)
    assert parts["demand"] is Demand
    assert catalogue.find("goals")["minimise"] is Minimise


def test_bases_and_imported_classes_are_no_concepts() -> None:
    """``Keep``, made by soft rules, has no kind; ``share`` imports ``Meet`` and is not it."""
    goals = catalogue.find("goals")
    assert {type_.__name__ for type_ in goals.values()} == {
        "Meet", "Share", "Minimise", "Maximise", "Prefer", "FirmEnergy",
        "NetBenefit", "Drawdown", "EndStorage", "FollowPlan",
    }  # fmt: skip


def test_file_beside_the_others_is_a_new_concept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zz_new.py").write_text(
        "from wateralloc.goals import LinearGoal\n\n\n"
        "class New(LinearGoal):\n    kind = 'zz_new'\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(wateralloc.goals, "__path__", [*wateralloc.goals.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wateralloc.goals.zz_new", raising=False)
    found = catalogue.find("goals")
    assert found["zz_new"].__name__ == "New"
    assert list(found)[-1] == "zz_new"
    monkeypatch.delitem(sys.modules, "wateralloc.goals.zz_new")


def test_entry_point_is_a_new_concept(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, EntryPoint("mine", "tests.unit.test_catalogue:Mine", "wateralloc.rules"))
    monkeypatch.setitem(sys.modules, "tests.unit.test_catalogue", sys.modules[__name__])
    assert catalogue.find("rules")["mine"] is Mine
    assert "mine" not in catalogue.find("parts")


def test_two_of_one_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("again", "tests.unit.test_catalogue:Again", "wateralloc.rules")
    offer(monkeypatch, point)
    monkeypatch.setitem(sys.modules, "tests.unit.test_catalogue", sys.modules[__name__])
    with pytest.raises(ModelError, match=r"'quota' is declared by .*Quota.* and by .*Again"):
        catalogue.find("rules")


class Mine:
    kind = "mine"


class Again:
    kind = "quota"


def offer(monkeypatch: pytest.MonkeyPatch, *points: Any) -> None:
    """Let other packages that are installed offer entry points."""
    monkeypatch.setattr(
        catalogue, "entry_points", lambda *, group: [p for p in points if p.group == group]
    )
