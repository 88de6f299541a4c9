"""Smoke run of the benchmark of contradictory cases: what it records, no times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks import conflicts, harness
from benchmarks.conflicts import Size

WHAT = "quota below a guarantee"


def test_conflicts_records_each_contradiction_beside_the_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert every.find()["conflicts"] is conflicts.run
    monkeypatch.setattr(conflicts, "RULES", {WHAT: conflicts.RULES[WHAT]})
    size = Size(conflicts.CASE, ("2004-06",), runs=1)
    path = harness.write("conflicts", conflicts.run(False, size), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["build_and_solve_s"]["median"] > 0
    told = record["contradictions"][WHAT]
    assert told["seconds"]["runs"] == 1
    assert told["conflicts"] == {"2004-06": 1}
    assert told["repairs"] == {"2004-06": 2}
    assert len(record["small_cases"]) >= 30
    checked = [(t["at_most"], t["passed"] == (t["ratio"] <= 5)) for t in record["targets"]]
    assert checked == [(5.0, True)] * 2


def test_rules_that_contradict_nothing_are_an_error(tmp_path: Path) -> None:
    rules = [{"rule": "quota", "sectors": ["irrigation"], "volume_hm3": 1, "window": "period"}]
    case = conflicts.contradictory(conflicts.CASE, "2004-06", rules, tmp_path)
    with pytest.raises(AssertionError, match="the rules contradict nothing"):
        conflicts.explain(case)
