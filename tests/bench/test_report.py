"""Smoke run of the benchmark of the report at a tiny size: what it records, no times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks import __main__ as every
from benchmarks import harness, report
from benchmarks.report import Size
from docs import performance_table


def test_report_records_size_seconds_and_memory(tmp_path: Path) -> None:
    assert every.find()["report"] is report.run
    changes = (("timeline.step", "month"), ("timeline.periods", "12"))
    size = Size((2, 6), runs=1, solved=("2004-06",), changes=changes)
    path = harness.write("report", report.run(False, size), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    two, six = record["sizes"]
    assert (two["n_members"], six["n_members"]) == (2, 6)
    assert two["n_periods"] == 12
    assert 1 < two["page_mb"] < six["page_mb"] < 3
    assert two["seconds"]["median"] > 0
    assert two["processor_seconds"]["runs"] == 1
    assert six["peak_mib"]["median"] > 100
    seconds, small, large = record["targets"]
    assert (seconds["at_most"], small["at_most"], large["at_most"]) == (5, 5, 15)
    assert small["ratio"] == two["page_mb"]
    assert large["ratio"] == six["page_mb"]
    assert "6 | 12 |" in performance_table._report(record)


def test_members_are_repeated_with_other_numbers(tmp_path: Path) -> None:
    from tests.reported import solved

    results = solved(tmp_path)
    many = report.repeated(results, 7).dataset
    assert many.sizes["member"] == 7
    assert len(set(many["member"].values.tolist())) == 7
    flow = many["flow_in"].sum(["time", "link"]).values
    assert np.unique(flow).size == 7
    np.testing.assert_array_equal(many["deficit"].values[:2], results.dataset["deficit"].values)
    assert many["flow_in"].attrs == results.dataset["flow_in"].attrs
