"""Smoke run of the benchmark on the Red River: what it records, that the ways agree; no times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks import harness, red_river
from wateralloc.solve import ATTEMPTS, OPTIONS

TINY = red_river.Size("pilot_dry_year", runs=1, import_runs=1, way_members=1, way_runs=1)


def without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of its own is tested with the harness."""
    monkeypatch.setattr(harness, "peak_memory", lambda *_: {"peak_mib": 1.0})


def test_benchmark_is_found() -> None:
    assert every.find()["red_river"] is red_river.run
    assert red_river.QUICK.case == red_river.FULL.case == "pilot_sharing"


def test_job_is_recorded_by_stage_and_the_ways_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_memory(monkeypatch)
    before = json.dumps([ATTEMPTS, OPTIONS])
    path = harness.write("red_river", red_river.run(False, TINY), tmp_path)
    assert json.dumps([ATTEMPTS, OPTIONS]) == before, "a way left its options behind"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(record["stages_s"]) == ["import", "read", "build", "solve", "collect", "write"]
    assert all(stage["median"] > 0 for stage in record["stages_s"].values())
    assert record["program"]["n_members"] == 2
    assert record["program"]["n_rows"] > 2000
    ways = record["ways"]
    assert set(ways["solve_s"]) == set(red_river.WAYS)
    assert ways["agree"]
    assert max(ways["worst_relative_difference"].values()) <= 1e-7
    # the ways are not all the same
    assert len(set(ways["iterations"].values())) > 1
    assert set(ways["ratios"]) == {
        "warm_dual_to_warm_primal", "warm_dual_to_cold", "warm_dual_to_scale_strategy_default",
    }  # fmt: skip
    (target,) = record["targets"]
    assert target["passed"] == (target["ratio"] <= target["at_most"])


def test_ways_that_do_not_agree_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    without_memory(monkeypatch)
    monkeypatch.setattr(red_river, "import_seconds", lambda: 1.0)
    solve = red_river.solve

    def spoiled(way: str, *arguments: object) -> red_river.Solved:
        found = solve(way, *arguments)
        if way == "cold":
            found.optima[0] += 1e-3
        return found

    monkeypatch.setattr(red_river, "solve", spoiled)
    with pytest.raises(RuntimeError, match=r"the ways do not agree: .*'cold': 0\.00"):
        red_river.run(False, TINY)
