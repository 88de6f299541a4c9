"""Reservoir above a user and the sea: storage, limits by date, evaporation, target; by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.basin import Curve
from wateralloc.parts.reservoir import area_line

GOLDEN = Path(__file__).parent / "golden" / "reservoir.lp"


def lake(folder, inflows=(10, 0, 0), asked=5, *, curves=(), patterns=(), **reservoir):
    row = {"name": "lake", "dead_hm3": 10, "normal_hm3": 100, "initial_hm3": 20, **reservoir}
    tables = {"curves": curves, "patterns": patterns}
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"},
            {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[row],
        demands=[{"name": "town", "node": "lake", "sector": "domestic", "annual_hm3": asked * 365}],
        series=inflow(lake=inflows),
        **{name: rows for name, rows in tables.items() if rows},
    )


def test_storage_carries_water_and_ends_at_the_target(tmp_path):
    """20 + 10 in store, 20 must be left: 10 of the 15 asked can be met, whenever."""
    solution, values = solve(lake(tmp_path))
    assert solution.stages[0][0].value == pytest.approx(5 / 15)
    assert sum(values["withdrawal"]["town"]) == pytest.approx(10)
    assert values["storage_start"]["lake"][0] == 20
    assert values["storage_start"]["lake"][1:] == values["storage_end"]["lake"][:-1]
    assert values["storage_end"]["lake"][-1] == 20


def test_target_below_the_start_frees_water_down_to_dead_storage(tmp_path):
    _, values = solve(lake(tmp_path, inflows=(0, 0, 0), asked=5, target_hm3=10))
    assert sum(values["withdrawal"]["town"]) == pytest.approx(10)
    assert values["storage_end"]["lake"][-1] == 10


def test_flood_limit_is_read_on_the_last_day_of_the_period(tmp_path):
    """Limit 25 from 2 January on: of 20 + 10 on day 1, 30 is kept; on day 2 it falls to 25."""
    patterns = [
        {"pattern": "limit", "start": "01-01", "value": 60, "unit": "hm3"},
        {"pattern": "limit", "start": "01-02", "value": 25, "unit": "hm3"},
    ]
    case = lake(tmp_path, asked=0, patterns=patterns, flood_limit_hm3="pattern:limit")
    _, values = solve(case)
    limits = [60, 25, 25]
    assert all(s <= limit for s, limit in zip(values["storage_end"]["lake"], limits, strict=True))
    assert case.attribute("reservoirs", "flood_limit", at_end=True)["lake"].tolist() == [limits]


def test_release_and_spill_are_told_apart(tmp_path):
    case = lake(tmp_path, asked=0)
    _, values = solve(case)
    assert values["release"]["lake"] == values["flow_in"]["outlet"]
    assert values["spill"]["lake"] == values["flow_in"]["weir"]


CURVE = [
    {"curve": "lake", "x": x, "y": area, "x_unit": "hm3", "y_unit": "km2"}
    for x, area in ((10, 2.0), (100, 11.0))
]


def test_evaporation_on_the_mean_of_the_area_at_both_ends(tmp_path):
    """Area = 1 + 0.1 S. 100 mm a day, nothing in or out but evaporation e:
    e = 0.1 (1 + 0.1 (S + S - e) / 2), so e = (0.1 + 0.01 S) / 1.005 with S = 20: 0.298507...
    The target of 10 leaves the rest to the town, which asks nothing."""
    case = lake(
        tmp_path,
        inflows=(0,),
        asked=0,
        curves=CURVE,
        curve="lake",
        evaporation_mm_day=100,
        target_hm3=10,
    )
    _, values = solve(case)
    start, end = values["storage_start"]["lake"][0], values["storage_end"]["lake"][0]
    evaporated = values["evaporation"]["lake"][0]
    assert evaporated == pytest.approx(0.1 * (1 + 0.1 * (start + end) / 2), abs=1e-9)
    out = values["outflow"]["sea"][0]
    assert start - end - evaporated - out == pytest.approx(0, abs=1e-9)


def test_area_line_is_exact_on_a_straight_curve_and_never_negative():
    straight = Curve("c", {"area": (np.array([10.0, 100.0]), np.array([2.0, 11.0]))})
    assert area_line(straight, 10, 100) == pytest.approx((1.0, 0.1))
    bent = Curve("c", {"area": (np.array([0.0, 90.0, 100.0]), np.array([0.0, 1.0, 20.0]))})
    at_zero, slope = area_line(bent, 0, 100)
    assert at_zero + slope * 0 >= 0


def test_golden(tmp_path):
    case = lake(tmp_path, curves=CURVE, curve="lake", evaporation_mm_day=100)
    check_golden(case, GOLDEN)
