"""Passes on what bends the wrong way: curves of splits and tidal intakes below a reservoir."""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.properties.basins import M3S
from tests.properties.mass import Files, check_files, check_lines
from tests.small import inflow, make_case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect


def fork(seed: int, *, is_hard: bool) -> dict[str, Any]:
    """A lake whose releases a fork divides by a curve; farms above it and behind a sluice.

    The lake is to fill, the coast to get a flow and the sluice to open, all of one river.

    Parameters
    ----------
    is_hard : the flow to the coast is a hard rule, with which passes may have no solution
    """
    dice = Random(seed)
    inflows = [round(dice.uniform(3, 40), 1) for _ in range(8)]
    first, last = dice.uniform(0.05, 0.6), dice.uniform(0.05, 0.6)
    shares = [first, (first + last) / 2 + dice.uniform(-0.05, 0.05), last]
    delivery = {"rule": "minimum_delivery", "at": "coast", "flow_m3s": 20}
    return {
        "periods": 8,
        "rules": [delivery if is_hard else delivery | {"soft": {"goal": 1}}],
        "goals": [{"meet": {}}, {"maximise": {"quantity": "outflow", "of": ["gulf"]}}],
        "nodes": [
            {"name": "lake", "kind": "reservoir"},
            {"name": "fork", "kind": "junction"},
            {"name": "coast", "kind": "junction"},
            {"name": "gulf", "kind": "sink"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "outlet", "from": "lake", "to": "fork", "kind": "turbine"},
            {"name": "branch", "from": "fork", "to": "coast", "kind": "distributary"},
            {"name": "creek", "from": "fork", "to": "sea", "kind": "reach"},
            {"name": "mouth", "from": "coast", "to": "gulf", "kind": "reach"},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 5, "normal_hm3": 80, "initial_hm3": 40, "target_hm3": 30}
        ],
        "demands": [
            {
                "name": f"{node}_farm",
                "node": node,
                "sector": "irrigation",
                "demand_hm3_day": dice.uniform(2, 6),
            }
            for node in ("fork", "coast")
        ],
        "curves": [
            {"curve": "shared", "x": x * M3S, "y": y, "x_unit": "m3s", "y_unit": "fraction"}
            for x, y in zip((5, 20, 45), shares, strict=True)
        ],
        "splits": [{"name": "bed", "node": "fork", "link": "branch", "curve": "shared"}],
        "intakes": [
            {
                "name": "sluice",
                "node": "coast",
                "flow_at": "",
                "threshold_hm3_day": 3,
                "full_hm3_day": 9,
                "capacity_hm3_day": 5,
            }
        ],
        "series": inflow(lake=inflows),
    }


@pytest.mark.parametrize(
    ("seed", "is_hard"), [*((k, False) for k in range(12)), *((k, True) for k in (3, 67, 71))]
)
def test_passes_converge_or_say_that_they_do_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int, is_hard: bool
) -> None:
    """Either way the balance closes; and a split follows its curve to the tolerance, or is told."""
    basin = fork(seed, is_hard=is_hard)
    case = make_case(tmp_path, **basin)
    with caplog.at_level(logging.WARNING):
        solution = solve_perfect(case)
    (convergence,) = solution.convergence
    assert ("the passes did not converge" in caplog.text) is not convergence.is_reached
    files = Files(collect(solution).write(tmp_path / "out"))
    check_files(files)
    (error,) = check_lines(files, case, basin)
    assert error == convergence.passes[convergence.best - 1].error
    assert not convergence.is_reached or error <= 1e-3
