"""Smoke run of the benchmark of sharing at a tiny size: what it records, no times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks import harness, share
from benchmarks.share import Size


def test_share_records_each_rule_beside_one_program(tmp_path: Path) -> None:
    assert every.find()["share"] is share.run
    size = Size((5, 8), runs=2, rules=("leximin", "talmud"))
    path = harness.write("share", {**share.run(False, size)}, tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert [(of["n_users"], list(of["rules"])) for of in record["sizes"]] == [
        (5, ["leximin"]),
        (8, ["leximin", "talmud"]),
    ]
    for of in record["sizes"]:
        assert of["n_periods"] == share.PERIODS
        assert of["one_program_s"]["median"] > 0
        for found in of["rules"].values():
            assert found["solve_s"]["runs"] == 2
            assert 1 < found["n_levels"] <= found["n_rounds"] <= 2 * of["n_users"]
            assert found["volume_price"] == pytest.approx(0, abs=1e-9)  # no losses, no returns
    (target,) = record["targets"]
    assert (target["name"], target["at_most"], target["at"]) == (
        "leximin to one program",
        15.0,
        "8 users, 36 dekads",
    )
    assert target["ratio"] == record["sizes"][1]["rules"]["leximin"]["ratio"]["of_medians"]


def test_shortage_is_shared_at_several_levels(tmp_path: Path) -> None:
    """Canals and places make bottlenecks: else the benchmark would be of one round."""
    case = share.river(tmp_path, 8)
    assert case.n_periods == share.PERIODS
    found = share.Solved()
    share.solve(case, share.Share(among="demand", window="horizon"), found)
    assert found.n_levels >= 3
