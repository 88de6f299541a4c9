"""Smoke run of the benchmark of ensembles at a tiny size: what it records, no times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks import ensemble, harness
from benchmarks.ensemble import Size
from docs import performance_table


def test_ensemble_records_workers_memory_and_starts(tmp_path: Path) -> None:
    assert every.find()["ensemble"] is ensemble.run
    size = Size(4, runs=1, memory_members=(1, 2), years=(1,), workers=2)
    path = harness.write("ensemble", ensemble.run(False, size), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert set(record["parallel"]["seconds"]) == {"1", "2"}
    assert record["parallel"]["n_members"] == 4
    assert set(record["parallel"]["processor_seconds"]) == {"1", "2"}
    assert all(of["peak_mib"] > 0 for of in record["memory"].values())
    (further,) = record["further_member"]
    assert further["largest_difference_of_optima"] < 1e-9
    assert further["from_reference_iterations"] < further["cold_iterations"]
    assert further["from_reference_iterations"] == further["highs_combined_iterations"]
    assert further["programs_run"] == 1 < further["n_goals"]
    page = performance_table._ensemble(record)
    assert "of which 1 took iterations" in page
    assert "4 members of 36 periods" in page
    efficiency = record["parallel"]["efficiency"]["of_medians"]
    lost, growth, warm, cold = record["targets"]
    assert lost["ratio"] == pytest.approx(1 / efficiency, rel=1e-5)
    assert growth["at"] == "2 to 1 members"
    assert warm["ratio"] == pytest.approx(further["warm_over_highs_warm"]["of_medians"], rel=1e-5)
    assert 1 / cold["ratio"] == pytest.approx(further["cold_over_warm"]["of_medians"], rel=1e-5)
