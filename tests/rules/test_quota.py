"""quota on two farms at one river, by hand."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.rules.months import by_month, months
from tests.small import check_golden, inflow, make_case, solve
from wateralloc import InputError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "quota.lp"


def farms(folder, goals=({"meet": {}},), periods=3, **rule):
    return make_case(
        folder,
        periods=periods,
        goals=goals,
        rules=[{"rule": "quota", "name": "cap", **rule}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "rice", "node": "river", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "mill", "node": "river", "sector": "industry", "annual_hm3": 4 * 365},
        ],
        series=inflow(river=[20] * periods),
    )


def farm_by_month(folder, asked, start="2001-01", **rule):
    """One farm at a river with water enough; what it asks of each month [hm3]."""
    return make_case(
        folder,
        periods=len(asked),
        goals=[{"meet": {}}],
        rules=[{"rule": "quota", "name": "cap", **rule}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[{"name": "rice", "node": "river", "sector": "irrigation"}],
        series={
            **by_month("inflow_hm3_day", start, river=[100] * len(asked)),
            **by_month("demand_hm3_day", start, rice=asked),
        },
        more=months(start, len(asked)),
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


def test_flow_by_date_caps_the_days_it_names(tmp_path):
    """3 hm3 a day on the 2nd of January only: the mill asks 4 a day."""
    flow = {"from": "01-02", "to": "01-02", "value": 3 / 0.0864}
    solution, values = solve(farms(tmp_path, sectors=["industry"], flow_m3s=flow))
    assert values["withdrawal"]["mill"] == pytest.approx([4, 3, 4])
    assert solution.case.rules[0].reported_in == "m3s"


def test_volume_by_month(tmp_path):
    """10 a month are asked; January may have 7, March 4, and no other month has a cap."""
    case = farm_by_month(tmp_path, [10] * 4, volume_hm3={1: 7, 3: 4}, window="month")
    _, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([7, 10, 4, 10])


# --- rolling ------------------------------------------------------------------------------------


def test_every_two_days_together(tmp_path):
    """8 a day are asked, any two days may have 10: days 1 + 2 and 3 + 4 give 20 at most."""
    case = farms(
        tmp_path, periods=4, sectors=["irrigation"], volume_hm3=10, window="period", rolling=2
    )
    solution, values = solve(case)
    rice = values["withdrawal"]["rice"]
    assert all(a + b <= 10 + 1e-9 for a, b in pairwise(rice))
    assert sum(rice) == pytest.approx(20)
    # a hm3 more of all three runs: one more in days 1 + 2, one more in days 3 + 4
    assert solution.stages[0][0].rule_price["cap"].sum() == pytest.approx(-2)


def test_history_counts_in_the_runs_that_reach_before_the_horizon(tmp_path):
    """Two years had 100 and 70; three may have 250: the first may have 80, then 100, then 70.

    120 are asked each year, 10 a month.  Years 2, 3 and 4: 80 + y3 + y4 <= 250, 70 + 80 + y3 <= 250
    so y3 <= 100, and y4 <= 250 - 80 - 100 = 70 where y3 takes all; in sum 250 in any case.
    """
    case = farm_by_month(
        tmp_path, [10] * 36, volume_hm3=250, rolling=3, window="year", history_hm3=[100, 70]
    )
    _, values = solve(case)
    year = [sum(values["withdrawal"]["rice"][12 * y : 12 * y + 12]) for y in range(3)]
    assert year[0] <= 80 + 1e-9
    assert year[0] + year[1] <= 180 + 1e-9
    assert sum(year) == pytest.approx(250)


def test_without_history_first_runs_are_silent_and_a_warning_says_so(tmp_path, caplog):
    """Of 3 years, one run is whole; it may have 250 of 360, however they fall on the years."""
    case = farm_by_month(tmp_path, [10] * 36, volume_hm3=250, rolling=3, window="year")
    solution, values = solve(case)
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(250)
    assert solution.stages[0][0].rule_price["cap"].size == 1
    assert "cap: 2 of 3 runs of windows reach further back than history_hm3" in caplog.text
    assert caplog.text.count("WARNING") == 1


def test_horizon_that_starts_within_a_year_has_a_part_of_it_as_history(tmp_path):
    """From July: 30 of this year were used before, 90 the year before; two years may have 150.

    60 are asked to December: 90 + 30 + 60 > 150, so 30 are left; then 30 + 30 + y2 <= 150.
    """
    case = farm_by_month(
        tmp_path, [10] * 18, "2001-07", volume_hm3=150, rolling=2, history_hm3=[90, 30]
    )
    _, values = solve(case)
    rice = values["withdrawal"]["rice"]
    assert sum(rice[:6]) <= 30 + 1e-9
    assert sum(rice) == pytest.approx(120)


def test_rolling_months_by_month_add_up_their_caps(tmp_path):
    """Caps 4, 6, 5 of January to March; two together: 10 and 11, and 9 for January after March.

    10 are asked a month; 3 were taken in the March before: January has 9 - 3 = 6 at most.
    """
    case = farm_by_month(
        tmp_path, [10] * 3, volume_hm3={1: 4, 2: 6, 3: 5}, window="month", rolling=2,
        history_hm3=[3],
    )  # fmt: skip
    _, values = solve(case)
    january, february, march = values["withdrawal"]["rice"]
    assert january <= 6 + 1e-9
    assert january + february <= 10 + 1e-9
    assert february + march <= 11 + 1e-9
    # march is asked 10, so february has 1 and january its 6
    assert january + february + march == pytest.approx(17)


def test_share_of_demand_in_every_two_months(tmp_path, caplog):
    """Half of 10 + 20 and of 20 + 0: 15 and 10."""
    case = farm_by_month(tmp_path, [10, 20, 0], share_of_demand=0.5, window="month", rolling=2)
    _, values = solve(case)
    assert sum(values["withdrawal"]["rice"]) == pytest.approx(15)
    assert sum(values["withdrawal"]["rice"][1:]) <= 10 + 1e-9
    assert "the rule is silent in these runs" in caplog.text


def test_soft_cap_is_exceeded_as_little_as_it_must_be(tmp_path):
    """After the farm is met: any two days may have 10 and have 16, three times over."""
    case = farms(
        tmp_path, periods=4, sectors=["irrigation"], volume_hm3=10, window="period", rolling=2,
        soft={"goal": 2},
    )  # fmt: skip
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == [8] * 4
    assert solution.stages[0][1].value == pytest.approx(18)


def test_rows_of_results_are_the_runs(tmp_path):
    case = farm_by_month(
        tmp_path, [10] * 24, volume_hm3=150, rolling=2, window="year", history_hm3=[90]
    )
    (row,) = build_period(case).rule_rows
    solution, _ = solve(case)
    order, starts = solution.horizon.windows(solution.period.rule_rows[0].constraint)
    assert starts.tolist() == [0, 12]
    assert [int(order[0]), int(order[12]), int(order[-1])] == [0, 0, 23]
    # 150 - 90 in the first, 150 in the second: laid out over the periods
    required = row.required.value
    assert (required[:12].sum(), required.sum()) == (60, 150)


def test_history_above_the_cap_is_a_fault_of_a_hard_rule(tmp_path):
    """Nothing is left to withdraw: a soft rule withdraws nothing, and misses its cap by 40."""
    rules = {"volume_hm3": 50, "rolling": 2, "window": "year"}
    text = r"E324 history_hm3 of rule 'cap' adds up to 90 hm3 in a run that may use 50; nothing is"
    with pytest.raises(InputError, match=text):
        solve(farm_by_month(tmp_path / "a", [10] * 12, history_hm3=[90], **rules))
    case = farm_by_month(tmp_path / "b", [10] * 12, history_hm3=[90], soft={"goal": 1}, **rules)
    solution, values = solve(case)
    assert sum(values["withdrawal"]["rice"]) == 0
    assert solution.stages[0][0].value == pytest.approx(40)


def test_more_history_than_the_horizon_reaches_back_to(tmp_path):
    case = farm_by_month(
        tmp_path, [10] * 12, volume_hm3=250, rolling=3, window="year", history_hm3=[1, 2, 3]
    )
    with pytest.raises(InputError, match=r"E324 .* has 3 values but its runs reach back over 2 w"):
        build_period(case)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({}, "give one of volume_hm3, share_of_demand and flow_m3s"),
        ({"volume_hm3": 1, "share_of_demand": 0.5}, "give one of volume_hm3"),
        ({"flow_m3s": 1, "window": "year"}, "by its own dates; remove window"),
        ({"volume_hm3": {1: 5}}, "volume_hm3 by month needs window: month"),
        ({"volume_hm3": {}, "window": "month"}, "names no month"),
        ({"volume_hm3": {1: 5}, "window": "month", "months": [1]}, "itself; remove months"),
        ({"volume_hm3": 1, "window": "horizon", "rolling": 2}, "the horizon is one window"),
        ({"volume_hm3": 1, "history_hm3": [3]}, "history_hm3 counts where rolling is 2 or more"),
        ({"volume_hm3": 1, "rolling": 2, "history_hm3": [1, 2, 3]}, "leave out the oldest"),
        ({"share_of_demand": 0.5, "rolling": 2, "history_hm3": [1]}, "goes with volume_hm3"),
    ],
)
def test_keys_that_contradict_each_other(tmp_path, keys, text):
    with pytest.raises(InputError, match=text):
        farms(tmp_path, **keys)


def test_golden(tmp_path):
    check_golden(farms(tmp_path, sectors=["irrigation"], volume_hm3=10, window="horizon"), GOLDEN)


def test_golden_rolling(tmp_path):
    case = farms(
        tmp_path, sectors=["irrigation"], volume_hm3=10, window="period", rolling=2,
        history_hm3=[7],
    )  # fmt: skip
    check_golden(case, GOLDEN.with_name("quota_rolling.lp"))
