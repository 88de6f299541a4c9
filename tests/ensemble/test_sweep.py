"""A sweep: every combination of settings, resumed like an ensemble."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.ensemble.river import numbers
from tests.ensemble.test_ensemble import command, small
from wateralloc import Infeasible, InputError, job, read_case, run_sweep
from wateralloc.ensemble.sweep import combine, name_of

DRIER = {"hydrology.scale": ["1.0", "0.5"], "demand.scale": ["{irrigation: 1.0}"]}


def test_each_combination_is_the_case_with_its_settings(tmp_path: Path) -> None:
    path = small(tmp_path)
    found = run_sweep(path, DRIER, tmp_path / "out", workers=1, block=4)
    assert list(found.table["hydrology.scale"]) == ["1.0", "0.5"]
    assert list(found.table["solved"]) == [4, 4]
    for folder, scale in zip(found.table["folder"], DRIER["hydrology.scale"], strict=True):
        changes = {"hydrology.scale": scale, "demand.scale": "{irrigation: 1.0}"}
        alone = job.run(read_case(path, changes)).dataset
        together = numbers(tmp_path / "out" / folder)
        assert together["deficit"].equals(alone["deficit"])
    deficit = found.metrics.query("scope == 'basin' and metric == 'deficit_hm3'")
    assert deficit["value"].iloc[1] > deficit["value"].iloc[0]
    kept = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert list(kept.columns[:2]) == ["hydrology.scale", "demand.scale"]


def test_resumes_with_more_values(tmp_path: Path) -> None:
    path = small(tmp_path, log=str(tmp_path / "log"))
    for values in (["1.0"], ["1.0", "0.9"]):
        run_sweep(path, {"hydrology.scale": values}, tmp_path / "out", workers=1, block=4)
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 2


def test_combination_without_a_solution_stops_no_other(tmp_path: Path) -> None:
    path = small(tmp_path, log=str(tmp_path / "log"))
    impossible = "[1800-03, 1801-03, 1802-03, 1803-03]"
    vary = {"rules.0.arguments.impossible": ["[]", impossible]}
    found = run_sweep(path, vary, tmp_path / "out", workers=1, block=4)
    assert list(found.table["solved"]) == [4, 0]
    with pytest.raises(Infeasible, match="none of 4 members"):
        run_sweep(
            path, {"rules.0.arguments.impossible": [impossible]}, tmp_path / "n", workers=1, block=4
        )


def test_faults_of_all_combinations_at_once(tmp_path: Path) -> None:
    vary = {"hydrology.scale": ["-1", "-2"]}
    with pytest.raises(InputError) as caught:
        run_sweep(small(tmp_path), vary, tmp_path / "out", workers=1, block=4)
    assert [fault.code for fault in caught.value.faults] == ["E303", "E303"]
    assert not (tmp_path / "out").exists()


def test_values_that_cannot_be() -> None:
    with pytest.raises(InputError) as caught:
        combine({"a": ["1", "1"], "b": ["1", ""]})
    assert "'a' has 1 twice" in str(caught.value)
    assert "'b' has an empty value" in str(caught.value)
    with pytest.raises(InputError, match="nothing is varied"):
        combine({})


def test_names_of_folders_are_safe() -> None:
    name = name_of({"file": "../a b", "x": "{y: 1}"})
    assert "/" not in name
    assert " " not in name


def test_sweep_command(tmp_path: Path) -> None:
    path, out = small(tmp_path), tmp_path / "out"
    vary = ("--vary", "hydrology.scale=1.0,0.5", "--vary", "timeline.periods=2")
    text = command("sweep", path, *vary, "--workers", 1, "--block", 4, "--out", out)
    assert "hydrology.scale" in text
    assert "members never short" in text
    assert len(pd.read_csv(out / "sweep.csv")) == 2
    command("sweep", path, "--vary", "hydrology.scale", code=2)
