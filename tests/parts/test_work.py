"""Work: a transfer and a reservoir that open within the horizon, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "work.lp"


def transfer(folder, works, *, periods=5, of_work=None, **more):
    """10 hm3 a day in the river; the city takes up to 6 of them through a tunnel that carries 4."""
    return make_case(
        folder,
        periods=periods,
        goals=[{"meet": {}}],
        more={"works": works, **more},
        nodes=[
            {"name": "river", "kind": "inflow"},
            {"name": "city", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "reach", "from": "river", "to": "sea", "kind": "reach"},
            {
                "name": "tunnel",
                "from": "river",
                "to": "city",
                "kind": "transfer",
                "capacity_hm3_day": 4,
                "minimum_hm3_day": 1,
            },
            {"name": "drain", "from": "city", "to": "sea", "kind": "canal"},
        ],
        demands=[{"name": "people", "node": "city", "sector": "domestic", "demand_hm3_day": 6}],
        works=[{"name": "scheme", "link": "tunnel", **(of_work or {})}],
        series=inflow(river=[10] * 40),
    )


# --- a transfer ---------------------------------------------------------------------------------


def test_transfer_carries_nothing_before_its_date_and_its_capacity_after(tmp_path):
    _, values = solve(transfer(tmp_path, {"scheme": "2001-01-03"}))
    assert values["flow_in"]["tunnel"] == [0, 0, 4, 4, 4]
    assert values["withdrawal"]["people"] == [0, 0, 4, 4, 4]
    assert values["outflow"]["sea"] == [10, 10, 6, 6, 6]


def test_transfer_that_the_case_does_not_open_stays_closed(tmp_path):
    _, values = solve(transfer(tmp_path, {}))
    assert values["flow_in"]["tunnel"] == [0] * 5


@pytest.mark.parametrize("date", ["2001-01-01", "1990-05-17"])
def test_work_dated_before_the_horizon_is_open_from_its_start(tmp_path, date):
    of_work = {"investment_million": 900}
    _, values = solve(transfer(tmp_path, {"scheme": date}, of_work=of_work))
    assert values["flow_in"]["tunnel"] == [4] * 5
    at_once = 900 if date == "2001-01-01" else 0  # what was spent before the horizon is not counted
    assert values["work_investment"]["scheme"] == [at_once, 0, 0, 0, 0]


def test_work_that_opens_within_a_period(tmp_path):
    """Dekads; from 17 January four of the ten days of the second are left: 4 x 4 hm3.

    Then 11 days from 21 January on. It costs 365 million a year, 1 million a day.
    """
    case = transfer(
        tmp_path,
        {"scheme": "2001-01-17"},
        of_work={"investment_million": 900, "annual_cost_million": 365},
        timeline={"start": "2001-01-01", "periods": 3, "step": "dekad"},
    )
    _, values = solve(case)
    assert values["flow_in"]["tunnel"] == pytest.approx([0, 16, 44], rel=1e-12)
    assert values["work_cost"]["scheme"] == pytest.approx([0, 4, 11], rel=1e-12)
    assert values["work_investment"]["scheme"] == [0, 900, 0]


def test_minimum_of_a_closed_link_is_not_asked(tmp_path):
    """The tunnel carries at least 1 hm3 a day once it is there."""
    case = transfer(tmp_path, {"scheme": "2001-01-04"})
    solution, _ = solve(case)
    horizon, model = solution.horizon, solution.period.model
    columns = horizon.columns[id(model.flow["tunnel"])]
    np.testing.assert_allclose(horizon.lp.col_lower[0, columns], [0, 0, 0, 1, 1], rtol=1e-12)


# --- a reservoir --------------------------------------------------------------------------------


def reservoir(folder, works, **of_reservoir):
    """10 hm3 a day for three days, then none; users below ask 5 hm3 a day for five days."""
    tank = {"name": "lake", "dead_hm3": 0, "normal_hm3": 8, "initial_hm3": 0, "target_hm3": 0}
    return make_case(
        folder,
        periods=5,
        goals=[{"meet": {}}],
        more={"works": works},
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "city", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "outlet", "from": "lake", "to": "city", "kind": "turbine"},
            {"name": "reach", "from": "city", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[{**tank, **of_reservoir}],
        demands=[{"name": "people", "node": "city", "sector": "domestic", "demand_hm3_day": 5}],
        works=[{"name": "dam", "work": "scheme", "reservoir": "lake", "annual_cost_million": 730}],
        series=inflow(lake=[10, 10, 10, 0, 0]),
    )


def test_reservoir_keeps_nothing_before_its_date_and_all_it_can_after(tmp_path):
    """Open from the third day on, it keeps 5 of that day for the fourth; the fifth goes dry.

    Open from the start, it fills to its 8 hm3, which give 5 on the fourth day and 3 on the fifth.
    """
    _, values = solve(reservoir(tmp_path / "late", {"scheme": "2001-01-03"}))
    assert values["storage_end"]["lake"][:2] == [0, 0]
    assert values["release"]["lake"][:2] == [10, 10]
    assert values["withdrawal"]["people"] == [5, 5, 5, 5, 0]
    assert values["work_cost"]["dam"] == [0, 0, 2, 2, 2]
    _, values = solve(reservoir(tmp_path / "early", {"scheme": "2001-01-01"}))
    assert sum(values["withdrawal"]["people"]) == 5 * 3 + 8


def test_reservoir_that_the_case_does_not_open_keeps_nothing(tmp_path):
    _, values = solve(reservoir(tmp_path, {}))
    assert values["storage_end"]["lake"] == [0] * 5
    assert values["release"]["lake"] == [10, 10, 10, 0, 0]
    assert values["withdrawal"]["people"] == [5, 5, 5, 0, 0]
    assert values["work_cost"]["dam"] == [0] * 5


# --- a work of several elements -----------------------------------------------------------------


def test_elements_of_a_work_open_together(tmp_path):
    """A lake on the river and a tunnel from it to the city: one work, two rows, a cost of each."""
    case = make_case(
        tmp_path,
        periods=4,
        goals=[{"meet": {}}],
        more={"works": {"scheme": "2001-01-02"}},
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "city", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "reach", "from": "lake", "to": "sea", "kind": "reach"},
            {"name": "tunnel", "from": "lake", "to": "city", "kind": "transfer"},
            {"name": "drain", "from": "city", "to": "sea", "kind": "canal"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 9, "initial_hm3": 0, "target_hm3": 0}
        ],
        demands=[{"name": "people", "node": "city", "sector": "domestic", "demand_hm3_day": 3}],
        works=[
            {"name": "scheme_dam", "work": "scheme", "reservoir": "lake",
             "investment_million": 700, "annual_cost_million": 365},
            {"name": "scheme_tunnel", "work": "scheme", "link": "tunnel",
             "investment_million": 200},
        ],
        series=inflow(lake=[10, 10, 0, 0]),
    )  # fmt: skip
    _, values = solve(case)
    assert values["withdrawal"]["people"] == [0, 3, 3, 3]  # a tunnel without a capacity
    assert values["storage_end"]["lake"][0] == 0
    assert values["work_investment"] == {"scheme_dam": [0, 700, 0, 0],
                                         "scheme_tunnel": [0, 200, 0, 0]}  # fmt: skip
    assert values["work_cost"] == {"scheme_dam": [0, 1, 1, 1], "scheme_tunnel": [0] * 4}


def test_golden(tmp_path):
    check_golden(transfer(tmp_path, {"scheme": "2001-01-03"}, periods=3), GOLDEN)
