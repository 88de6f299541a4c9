"""reservoir_levels on a lake above the sea, by hand: level = 100 + storage / 10."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "reservoir_levels.lp"


def lake(folder, **rule):
    return make_case(
        folder,
        periods=3,
        goals=[{"meet": {}}],
        rules=[{"rule": "reservoir_levels", "name": "levels", "reservoir": "lake", **rule}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"}],
        reservoirs=[
            {
                "name": "lake",
                "dead_hm3": 0,
                "normal_hm3": 100,
                "initial_hm3": 60,
                "target_hm3": 0,
                "curve": "lake",
            }
        ],
        curves=[
            {"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
            for x in (0, 50, 100)
        ],
        demands=[{"name": "town", "node": "lake", "sector": "domestic", "annual_hm3": 30 * 365}],
        series=inflow(lake=[0, 0, 0]),
    )


def test_minimum_level_holds_water_back(tmp_path):
    """30 a day are asked of 60; 103.5 m, that is 35 hm3, must stand on 2 January."""
    _, values = solve(lake(tmp_path, minimum_m={"from": "01-02", "to": "01-02", "value": 103.5}))
    assert values["storage_end"]["lake"][1] >= 35
    assert sum(values["withdrawal"]["town"]) == pytest.approx(55)
    assert values["withdrawal"]["town"][2] == pytest.approx(30)


def test_maximum_storage_empties_the_lake(tmp_path):
    _, values = solve(lake(tmp_path, maximum_hm3=20, minimum_hm3=10))
    assert max(values["storage_end"]["lake"]) <= 20
    assert min(values["storage_end"]["lake"]) >= 10


def test_golden(tmp_path):
    check_golden(
        lake(tmp_path, minimum_m={"from": "01-02", "to": "01-02", "value": 103.5}, maximum_hm3=70),
        GOLDEN,
    )
