"""Demand on a river and the sea: withdrawal, pattern, projection, crop, lagged returns; by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, days, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "demand.lp"


def farm(folder, inflows=(10, 10, 10), more=None, tables=None, series=None, **demand):
    row = {"name": "farm", "node": "river", "sector": "irrigation", "annual_hm3": 8 * 365, **demand}
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        more=more,
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[row],
        series={**inflow(river=inflows), **(series or {})},
        **(tables or {}),
    )


def test_withdrawal_up_to_demand(tmp_path):
    solution, values = solve(farm(tmp_path, inflows=(10, 5, 9)))
    assert values["withdrawal"]["farm"] == [8, 5, 8]
    assert values["deficit"]["farm"] == [0, 3, 0]
    assert solution.stages[0][0].value == pytest.approx(3 / 24)
    # one more hm3 on the short day lessens the deficit by one
    river = list(solution.period.model.node).index("river")
    np.testing.assert_allclose(solution.stages[0][0].balance_price[river], [0, -1, 0], atol=1e-12)


def test_return_flow_comes_back_after_its_lag(tmp_path):
    """A quarter is consumed; of the rest 60 % returns to the sea next day, 40 % the day after."""
    _, values = solve(
        farm(
            tmp_path,
            consumption_fraction=0.25,
            return_to="sea",
            return_lag_periods=1,
            return_weights="0.6 0.4",
        )
    )
    assert values["consumption"]["farm"] == [2, 2, 2]
    assert values["return_flow"]["farm"] == [6, 6, 6]
    assert values["return_arriving"]["farm"] == [0, pytest.approx(3.6), 6]
    assert values["outflow"]["sea"] == [2, pytest.approx(5.6), 8]


def test_own_return_flow_can_be_used_again(tmp_path):
    """Half returns to the intake at once: 5 hm3 of inflow carry 8 of withdrawal (8 - 4 <= 5)."""
    _, values = solve(farm(tmp_path, inflows=(5, 3), consumption_fraction=0.5, return_to="river"))
    assert values["withdrawal"]["farm"] == [8, 6]


def test_pattern_projection_and_factor(tmp_path):
    """Year 2015 lies half way between factors 1 (2010) and 2 (2020); the case adds 0.9."""
    case = farm(
        tmp_path,
        inflows=(99, 99),
        pattern="crop",
        tables={
            "patterns": [
                {"pattern": "crop", "start": "01-01", "value": 0.5, "unit": 1},
                {"pattern": "crop", "start": "01-02", "value": 0, "unit": 1},
                {"pattern": "crop", "start": "01-03", "value": 1.0041322314, "unit": 1},
            ],
            "projections": [
                {"sector": "irrigation", "year": 2010, "factor": 1},
                {"sector": "irrigation", "year": 2020, "factor": 2},
            ],
        },
        more={"demand": {"year": 2015, "scale": {"irrigation": 0.9}}},
    )
    _, values = solve(case)
    assert values["demand"]["farm"] == [pytest.approx(8 * 0.5 * 1.5 * 0.9), 0]


def crop(**columns):
    return {"annual_hm3": None, "area_ha": 10_000, "requirement_mm_day": 6, **columns}


def test_crop_asks_its_depth_on_its_area(tmp_path):
    """6 mm a day on 100 km2 is 0.6 hm3 at the field, of which three quarters arrive: 0.8 hm3."""
    _, values = solve(farm(tmp_path, **crop(conveyance_percent=75)))
    assert values["demand"]["farm"] == pytest.approx([0.8] * 3)
    assert values["withdrawal"]["farm"] == pytest.approx([0.8] * 3)


def test_crop_by_month_grows_with_projection_and_factor(tmp_path):
    """January has 31 days at 2 mm, February 28 at 5 mm, on 100 km2, by factors 1.5 and 0.9."""
    case = farm(
        tmp_path,
        inflows=(99,) * 59,
        **crop(requirement_mm_day="pattern:depth"),
        tables={
            "patterns": [
                {"pattern": "depth", "start": "01-01", "value": 2, "unit": "mm_day"},
                {"pattern": "depth", "start": "02-01", "value": 5, "unit": "mm_day"},
            ],
            "projections": [{"sector": "irrigation", "year": 2020, "factor": 1.5}],
        },
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "month"},
            "demand": {"year": 2020, "scale": {"irrigation": 0.9}},
        },
    )
    _, values = solve(case)
    assert values["demand"]["farm"] == pytest.approx([6.2 * 1.35, 14 * 1.35])


def test_crop_requirement_by_series(tmp_path):
    depths = {"date": days(3), "farm": [1, 0, 3]}
    case = farm(
        tmp_path,
        series={"requirement_mm_day": depths},
        **crop(requirement_mm_day=None),
    )
    _, values = solve(case)
    assert values["demand"]["farm"] == pytest.approx([0.1, 0, 0.3])


def test_what_is_on_its_way_back(tmp_path):
    """8 hm3 a day, half returns: 0.5 of it after one day, 0.3 after three, 0.2 after four.

    Before the horizon 4 hm3 a day were withdrawn, of which 2 return.  At its start there is on its
    way all of what was withdrawn the day before, and half of the day before that, ...:
    2 (1 + 0.5 + 0.5 + 0.2) = 4.4.  The first day 2 (0.5 + 0.3 + 0.2) arrive.
    """
    _, values = solve(
        farm(
            tmp_path,
            inflows=(10,) * 5,
            consumption_fraction=0.5,
            return_to="sea",
            return_lag_periods=1,
            return_weights="0.5 0 0.3 0.2",
            initial_withdrawal_hm3_day=4,
        )
    )
    start, end = (values[f"return_in_transit_{when}"]["farm"] for when in ("start", "end"))
    assert values["return_arriving"]["farm"] == pytest.approx([2, 3, 3, 3.6, 4])
    assert start == pytest.approx([4.4, 6.4, 7.4, 8.4, 8.8])
    assert end == pytest.approx([6.4, 7.4, 8.4, 8.8, 8.8])


def test_in_transit_follows_from_what_returns_and_what_arrives(tmp_path):
    """Months of different lengths and a withdrawal that changes: nothing is lost between them."""
    case = farm(
        tmp_path,
        inflows=np.linspace(1, 20, 120).round(3),
        consumption_fraction=0.3,
        return_to="river",
        return_lag_periods=0,
        return_weights="0.4 0.1 0.3 0.2",
        initial_withdrawal_hm3_day=7,
        more={"timeline": {"start": "2001-01-01", "periods": 4, "step": "month"}},
    )
    _, values = solve(case)
    start, end, leaves, arrives = (
        np.array(values[name]["farm"])
        for name in (
            "return_in_transit_start", "return_in_transit_end", "return_flow", "return_arriving",
        )
    )  # fmt: skip
    assert start[0] == pytest.approx(0.7 * 7 * 31 * (0.6 + 0.5 + 0.2))
    np.testing.assert_allclose(end, start + leaves - arrives, atol=1e-8)
    np.testing.assert_allclose(start[1:], end[:-1], atol=1e-8)


def test_golden(tmp_path):
    check_golden(
        farm(
            tmp_path,
            consumption_fraction=0.25,
            return_to="sea",
            return_lag_periods=1,
            return_weights="0.6 0.4",
        ),
        GOLDEN,
    )


def test_region_and_province_are_those_of_the_node_where_none_is_named(tmp_path):
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"meet": {"regions": ["hills"]}}],
        nodes=[
            {"name": "river", "kind": "inflow", "region": "hills", "province": "son_la"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "farm", "node": "river", "sector": "irrigation", "annual_hm3": 365},
            {
                "name": "town",
                "node": "river",
                "sector": "domestic",
                "annual_hm3": 365,
                "region": "delta",
            },
        ],
        series=inflow(river=[9]),
    )
    table = case.basin.tables["demands"]
    assert table["region"].to_dict() == {"farm": "hills", "town": "delta"}
    assert set(table["province"]) == {"son_la"}
    assert case.goals[0].users_in(case.basin) == ["farm"]
