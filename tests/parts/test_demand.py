"""Demand on a river and the sea: withdrawal, pattern, projection, return flow with lag; by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "demand.lp"


def farm(folder, inflows=(10, 10, 10), more=None, tables=None, **demand):
    row = {"name": "farm", "node": "river", "sector": "irrigation", "annual_hm3": 8 * 365, **demand}
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        more=more,
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[row],
        series=inflow(river=inflows),
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
