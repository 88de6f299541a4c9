"""Benefit on a river with two users: blocks by month and by flow, and what is reported, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.basins import month_starts
from tests.small import check_golden, inflow, make_case, solve
from wateralloc.parts.benefit import benefit_of
from wateralloc.results import collect

GOLDEN = Path(__file__).parent / "golden" / "benefit.lp"
RIVER = {
    "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
    "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
}
BENEFITS = [
    {"demand": "a", "up_to_fraction": 0.4, "value_vnd_m3": 10},
    {"demand": "a", "up_to_fraction": 1, "value_vnd_m3": 3},
    {"demand": "b", "up_to_fraction": 0.5, "value_vnd_m3": 8},
]


def two_users(folder, goals, inflows=(10, 3, 30), **changes):
    """A and B ask 10 hm3 a day each.

    The first 4 hm3 of A are worth 10 VND/m3, the other 6 are worth 3; the first 5 hm3 of B are
    worth 8, the others nothing.
    """
    basin = {
        **RIVER,
        "demands": [
            {"name": name, "node": "river", "sector": "irrigation", "demand_hm3_day": 10}
            for name in ("a", "b")
        ],
        "benefits": BENEFITS,
        "series": inflow(river=inflows),
        "periods": len(inflows),
    }
    return make_case(folder, goals=goals, **(basin | changes))


def reported(case):
    """Benefit by demand as in the results, of the first member."""
    solution, _ = solve(case)
    benefit = collect(solution).dataset["benefit"].isel(member=0)
    return {name: benefit.sel(demand=name).values.tolist() for name in benefit["demand"].values}


def test_water_goes_where_it_is_worth_most(tmp_path):
    """Of 10 hm3 A gets 4, B 5, A the last: 4 x 10 + 5 x 8 + 1 x 3 = 83. Of 3, A gets all.

    Of 30 hm3 each gets what is worth something: 4 x 10 + 6 x 3 = 58 and 5 x 8 = 40.
    """
    solution, values = solve(two_users(tmp_path, [{"maximise": "benefit"}]))
    assert values["withdrawal"]["a"] == [5, 3, 10]
    assert values["withdrawal"]["b"][:2] == [5, 0]
    assert values["benefit"] == {"a": [43, 30, 58], "b": [40, 0, 40]}
    assert solution.stages[0][0].value == 83 + 30 + 98
    price = solution.stages[0][0].balance_price[0]  # of one hm3 more in the river
    np.testing.assert_allclose(price, [3, 10, 0], atol=1e-9)


def test_results_hold_the_benefit_of_the_withdrawal_whatever_the_goal(tmp_path):
    """Equal shares: 5, 1.5 and 10 hm3 each; A has 40 + 3, 15 and 58 of it, B 40, 12 and 40.

    The blocks of the period are not driven by such a goal and stay empty.
    """
    case = two_users(tmp_path, [{"share": {"among": "demand", "window": "period"}}])
    benefit = reported(case)
    assert benefit["a"] == pytest.approx([43, 15, 58], rel=1e-6)
    assert benefit["b"] == pytest.approx([40, 12, 40], rel=1e-6)


def test_beside_demands_with_one_value(tmp_path):
    """B is worth 8 VND/m3 throughout, by its column `value`; A stands in blocks."""
    demands = [
        {"name": "a", "node": "river", "sector": "irrigation", "demand_hm3_day": 10},
        {"name": "b", "node": "river", "sector": "irrigation", "demand_hm3_day": 10,
         "value_vnd_m3": 8},
    ]  # fmt: skip
    case = two_users(
        tmp_path, [{"maximise": "benefit"}], inflows=[16], demands=demands, benefits=BENEFITS[:2]
    )
    _, values = solve(case)
    assert values["withdrawal"] == {"a": [6], "b": [10]}
    assert reported(case) == {"a": [46], "b": [80]}


def test_blocks_by_flow_and_by_month(tmp_path):
    """January has curves of its own, the other months share one; a flow counts by true lengths.

    A: in January 1 hm3 a day at 9 VND/m3; else 0.5 hm3 a day at 7, then 0.5 at 2. 2 hm3 come a day:
    January has 31 days, so 31 hm3 x 9 = 279; February 28: 14 x 7 + 14 x 2 = 126; March 31:
    15.5 x 7 + 15.5 x 2 = 139.5.
    """
    case = two_users(
        tmp_path,
        [{"maximise": "benefit"}],
        periods=3,
        benefits=[
            {"demand": "a", "up_to_flow_hm3_day": 0.5, "value_vnd_m3": 7},
            {"demand": "a", "month": 1, "up_to_flow_hm3_day": 1, "value_vnd_m3": 9},
            {"demand": "a", "up_to_flow_hm3_day": 1, "value_vnd_m3": 2},
        ],
        series={"inflow_hm3_day": {"date": month_starts("2001-01", 3), "river": [2, 2, 2]}},
        more={"timeline": {"start": "2001-01-01", "periods": 3, "step": "month"}},
    )
    assert reported(case)["a"] == pytest.approx([279, 126, 139.5], rel=1e-9)


def test_week_in_two_months_has_the_curve_of_its_first_day(tmp_path):
    """Weeks from 22 January: the one of the 29th reaches into February and is still January's.

    21 hm3 come a week, which are worth 5 VND/m3 to A in January and 4 to B in February.
    """
    case = two_users(
        tmp_path,
        [{"maximise": "benefit"}],
        periods=3,
        benefits=[
            {"demand": "a", "month": 1, "up_to_fraction": 1, "value_vnd_m3": 5},
            {"demand": "b", "month": 2, "up_to_fraction": 1, "value_vnd_m3": 4},
        ],
        series={"inflow_hm3_day": {"date": month_starts("2001-01", 3), "river": [3, 3, 3]}},
        more={"timeline": {"start": "2001-01-22", "periods": 3, "step": "week"}},
    )
    benefit = reported(case)
    assert benefit["a"] == pytest.approx([105, 105, 0], rel=1e-9)
    assert benefit["b"] == pytest.approx([0, 0, 84], rel=1e-9)


def test_benefit_of_a_withdrawal_along_its_blocks():
    """Blocks of 4 and 6 hm3 at 10 and 3: 0, then 20 at half the first, 40, 49 and 58 from 10 on."""
    widths, values = (
        [np.full((1, 5), number) for number in of] for of in ((4.0, 6.0), (10.0, 3.0))
    )
    benefit = benefit_of(np.array([[0.0, 2, 4, 7, 11]]), widths=widths, values=values)
    assert benefit.tolist() == [[0, 20, 40, 49, 58]]


def test_golden(tmp_path):
    check_golden(two_users(tmp_path, [{"maximise": "benefit"}], inflows=[10, 3]), GOLDEN)
