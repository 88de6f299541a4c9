"""Net benefit on a lake above a town: the town, the turbines and the canal compete for 10 hm3."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "net_benefit.lp"
GWH_PER_HM3 = 1000 * 9.81 * 100 / 3600 * 1e-3


def lake(folder, price):
    """10 hm3: the town pays 5 for a hm3 up to 6 but its canal costs 2; energy is worth `price`."""
    return make_case(
        folder,
        periods=1,
        goals=[{"net_benefit": {}}],
        nodes=[
            {"name": "lake", "kind": "reservoir"}, {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"},
            {"name": "canal", "from": "lake", "to": "town", "kind": "canal", "cost_vnd_m3": 2},
            {"name": "drain", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 0, "target_hm3": 0}
        ],
        demands=[
            {"name": "taps", "node": "town", "sector": "domestic", "demand_hm3_day": 6,
             "value_vnd_m3": 5}
        ],
        hydropower=[
            {"plant": "mill", "link": "outlet", "capacity_mw": 1000, "efficiency_fraction": 1,
             "head_m": 100, "price_vnd_kwh": price}
        ],
        series=inflow(lake=[10]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("price", "taken"),
    [
        (10, 6),  # energy of a hm3 is worth 2.725, the town's use of it 5 - 2 = 3
        (12, 0),  # 3.27
    ],
)
def test_water_goes_where_it_is_worth_most(tmp_path, price, taken):
    solution, values = solve(lake(tmp_path, price))
    assert values["withdrawal"]["taps"] == [taken]
    assert values["turbined"]["mill"] == [10 - taken]
    stage = solution.stages[0][0]
    worth = 3 * taken + price * GWH_PER_HM3 * (10 - taken)
    assert (stage.value, stage.unit) == (pytest.approx(worth), "million VND")


def test_golden(tmp_path):
    check_golden(lake(tmp_path, 10), GOLDEN)
