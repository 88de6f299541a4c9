"""Smoke runs of the benchmarks at tiny sizes: what they record, that the ways agree; no times."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as every
from benchmarks import harness, stack
from benchmarks.tree_basin import Basin, arrays_by_hand, differences, period_model
from wateralloc.horizon import Horizon

TINY = (stack.Size(12, 26, runs=2, plain_runs=1, solver_runs=1),)


def test_every_benchmark_is_found() -> None:
    assert every.find()["stack"] is stack.run
    assert "harness" not in every.find()


def test_stack_records_its_parts_and_the_ways_agree(tmp_path: Path) -> None:
    path = harness.write(
        "stack", {**stack.run(False, TINY), "machine": harness.machine()}, tmp_path
    )
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(tmp_path.iterdir()) == [path]
    (size,) = record["sizes"]
    optima = {way: float(value) for way, value in size["optimum"]["values"].items()}
    assert set(optima) == {"stacked", "by_hand", "by_hand_scale_strategy_default", "plain_pyomo"}
    for value in optima.values():
        assert value == pytest.approx(optima["by_hand"], rel=1e-9)
    assert size["optimum"]["agree"]
    assert size["same_matrix"] == {"agree": True, "differences": []}
    for count in ("n_rows", "n_columns", "n_nonzeros"):
        assert size[count]["stacked"] == size[count]["by_hand"] > 0
    for way in ("stacked", "by_hand", "plain_pyomo"):
        assert size["build_and_hand_over_s"][way]["median"] > 0
        assert size["memory"][way]["peak_mib"] > 0
    assert {(t["name"], t["at_most"]) for t in record["targets"]} == {
        ("build and hand-over, to plain Pyomo", 0.05),
        ("build and hand-over, to arrays by hand", 2.0),
        ("whole time, to HiGHS's own run", 1.2),
    }
    assert all(t["passed"] == (t["ratio"] <= t["at_most"]) for t in record["targets"])
    assert set(record["machine"]["packages"]) == set(harness.PACKAGES)


@pytest.mark.parametrize("n_periods", [3, 12, 25, 31])
def test_stacked_and_by_hand_are_the_same_program(n_periods: int) -> None:
    basin = Basin(20, n_periods)
    m = period_model(basin)
    horizon = Horizon(m, 1, n_periods)
    horizon.stack()
    cost = horizon.cost(m.cost)[0][0]
    by_hand = arrays_by_hand(basin)
    assert differences(horizon, cost, by_hand) == []
    # the comparison can fail
    wrong = by_hand.program.data.copy()
    wrong[5] += 1e-9
    by_hand = replace(by_hand, program=replace(by_hand.program, data=wrong))
    assert differences(horizon, cost + 1, by_hand) == [
        "matrix is not the same", "cost is not the same",
    ]  # fmt: skip


def test_ways_that_do_not_agree_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "differences", lambda *_: ["rows are not the same"])
    monkeypatch.setattr(harness, "peak_memory", lambda *_: {"peak_mib": 1.0})
    with pytest.raises(RuntimeError, match=r"do not agree: .*'rows are not the same'"):
        stack.run(False, TINY)


def test_peak_memory_is_that_of_the_function() -> None:
    small = harness.peak_memory(allocate, 1)
    large = harness.peak_memory(allocate, 100)
    assert large["above_start_mib"] == pytest.approx(100, abs=30)
    assert large["peak_mib"] - small["peak_mib"] == pytest.approx(99, abs=30)


def allocate(mib: int) -> None:
    np.ones(mib * 2**17).sum()


def test_failure_in_the_measured_process_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="allocate failed in its own process, exit code 1"):
        harness.peak_memory(allocate, "many")


def test_ratio_pairs_runs_in_their_order() -> None:
    ratio = harness.ratios([2.0, 9.0, 4.0], [1.0, 3.0])
    assert ratio["of_medians"] == 2.0
    assert ratio["run_by_run"] == {"median": 2.5, "min": 2.0, "max": 3.0, "runs": 2}


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        harness.write("nan", {"x": float("nan")}, tmp_path)
    assert list(tmp_path.iterdir()) == []
