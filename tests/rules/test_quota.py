"""quota on two farms at one river, by hand."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "quota.lp"


def farms(folder, goals=({"meet": {}},), **rule):
    return make_case(
        folder,
        periods=3,
        goals=goals,
        rules=[{"rule": "quota", "name": "cap", **rule}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "rice", "node": "river", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "mill", "node": "river", "sector": "industry", "annual_hm3": 4 * 365},
        ],
        series=inflow(river=[20, 20, 20]),
    )


def test_volume_over_the_horizon_caps_one_sector(tmp_path):
    _, values = solve(farms(tmp_path, sectors=["irrigation"], volume_hm3=10, window="horizon"))
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(10)
    assert values["withdrawal"]["mill"] == [4, 4, 4]


def test_share_of_demand_in_each_period(tmp_path):
    _, values = solve(farms(tmp_path, share_of_demand=0.75, window="period"))
    total = [a + b for a, b in zip(*values["withdrawal"].values(), strict=True)]
    assert total == pytest.approx([9, 9, 9])


def test_a_cap_holds_in_the_part_of_a_year(tmp_path):
    _, values = solve(farms(tmp_path, sectors=["industry"], volume_hm3=6, window="year"))
    assert sum(values["withdrawal"]["mill"]) == pytest.approx(6)


def test_golden(tmp_path):
    check_golden(farms(tmp_path, sectors=["irrigation"], volume_hm3=10, window="horizon"), GOLDEN)
