"""rolling_delivery past a weir above a farm that asks for all of it, by hand."""

from pathlib import Path

import pytest

from tests.rules.months import by_month, months
from tests.small import check_golden, make_case, solve
from wateralloc import Infeasible, InputError

GOLDEN = Path(__file__).parent / "golden" / "rolling_delivery.lp"


def weir(folder, inflow, asked, start="2001-01", **rule):
    """What flows past the weir and what the farm there asks, month by month [hm3]."""
    n = len(asked)
    return make_case(
        folder,
        periods=n,
        goals=[{"meet": {}}],
        rules=[{"rule": "rolling_delivery", "name": "compact", "at": "weir", **rule}],
        nodes=[{"name": "weir", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "weir", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation"}],
        series={
            **by_month("inflow_hm3_day", start, weir=inflow),
            **by_month("demand_hm3_day", start, farm=asked),
        },
        more=months(start, n),
    )


def delivered(values):
    return values["flow_in"]["river"]


NINE_YEARS = [7.6, 7.5, 7.6, 7.5, 7.6, 7.6, 7.6, 7.6, 7.6]


def test_ten_years_of_the_colorado_compact(tmp_path):
    """Nine years had 68.2, any ten must have 75 (example K04): 6.8 this year, and no more."""
    case = weir(
        tmp_path, [1] * 12, [1] * 12, volume_hm3=75, rolling=10, history_hm3=NINE_YEARS
    )  # fmt: skip
    assert sum(NINE_YEARS) == pytest.approx(68.2)
    solution, values = solve(case)
    assert sum(delivered(values)) == pytest.approx(6.8, abs=1e-9)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(12 - 6.8)
    # a hm3 more of the compact is a hm3 less for the farm
    assert solution.stages[0][0].rule_price["compact"] == pytest.approx([1])


def test_every_two_months_add_up(tmp_path):
    """Two months need 6; 3 were delivered before.  The dry month 2 passes nothing on.

    Month 1 must bring 3 for the run before it, and 6 as month 2 (inflow 0) has nothing; month 3
    must bring 6 for the same reason.  The farm keeps 10 - 6 of each.
    """
    case = weir(
        tmp_path, [10, 0, 10], [10] * 3, volume_hm3=6, window="month", rolling=2, history_hm3=[3]
    )
    _, values = solve(case)
    assert delivered(values) == pytest.approx([6, 0, 6])
    assert values["withdrawal"]["farm"] == pytest.approx([4, 0, 4])


def test_over_delivery_of_one_month_pays_for_the_next(tmp_path):
    """The farm asks nothing of month 1, so all 10 pass and month 2 owes nothing of its 6."""
    case = weir(
        tmp_path, [10, 5, 5], [0, 5, 5], volume_hm3=6, window="month", rolling=2, history_hm3=[0]
    )
    _, values = solve(case)
    passed = delivered(values)
    assert passed[0] == pytest.approx(10)
    assert passed[1] + passed[2] == pytest.approx(6 - 0)


def test_end_without_and_with_what_is_left(tmp_path):
    """Any two months need 6.  The last run is month 1 + 2; what month 2 leaves is not asked.

    Month 1 passes all its 10 as the farm is not thirsty then, month 2 gives nothing.  A normal
    month brings 4: with `leave` month 2 must bring 6 - 4 = 2 of its own.
    """
    rule = {"volume_hm3": 6, "window": "month", "rolling": 2, "history_hm3": [0]}
    _, values = solve(weir(tmp_path / "a", [10, 8], [0, 8], **rule))
    assert delivered(values) == pytest.approx([10, 0])
    solution, values = solve(weir(tmp_path / "b", [10, 8], [0, 8], leave={"normal_hm3": 4}, **rule))
    assert delivered(values) == pytest.approx([10, 2])
    assert [row.label for row in solution.period.rule_rows] == ["compact", "compact_left"]


def test_what_is_left_counts_history_in_a_short_horizon(tmp_path):
    """Three months need 9; before were 2 and 3, one month is planned, a normal one brings 4.

    The run: 2 + 3 + x >= 9, so x >= 4.  After: 3 + x + 4 >= 9, so x >= 2.  With 0 and 3 before:
    x >= 6.  With 6 and 0: x >= 3 of the run, and 0 + x + 4 >= 9, so x >= 5 for those who come.
    """
    rule = {"volume_hm3": 9, "window": "month", "rolling": 3, "leave": {"normal_hm3": 4}}
    for number, (history, expected) in enumerate([([2, 3], 4), ([0, 3], 6), ([6, 0], 5)]):
        case = weir(tmp_path / str(number), [10], [10], history_hm3=history, **rule)
        _, values = solve(case)
        assert delivered(values) == pytest.approx([expected])


def test_horizon_within_years_counts_its_parts_as_history(tmp_path, caplog):
    """From July 2001 to June 2003; years of 24; two years together need 24.

    5 were delivered in 2000 and 4 in the first half of 2001, so the half year from July has
    24 - 5 - 4 = 15 to bring; then 4 + 15 + (2002) >= 24 asks 5 of 2002.  2003 is a part: not asked.
    """
    case = weir(
        tmp_path, [3] * 24, [3] * 24, "2001-07", volume_hm3=24, rolling=2, history_hm3=[5, 4]
    )
    _, values = solve(case)
    passed = delivered(values)
    assert sum(passed[:6]) == pytest.approx(15)
    assert sum(passed[6:18]) == pytest.approx(5)
    assert sum(passed[18:]) == pytest.approx(0)


def test_without_history_a_warning_says_that_runs_are_silent(tmp_path, caplog):
    case = weir(tmp_path, [10] * 3, [10] * 3, volume_hm3=6, window="month", rolling=2)
    solution, _ = solve(case)
    assert "compact: 1 of 3 runs of windows reach further back than history_hm3" in caplog.text
    assert solution.stages[0][0].rule_price["compact"].size == 2


def test_horizon_without_a_whole_window_is_silent(tmp_path, caplog):
    _, values = solve(weir(tmp_path, [10] * 3, [10] * 3, volume_hm3=6, rolling=2))
    assert values["withdrawal"]["farm"] == pytest.approx([10] * 3)
    assert "compact: no run of windows ends in the horizon; the rule is silent" in caplog.text


def test_seasons_in_a_row(tmp_path):
    """March and April of two years need 10 together; the months between do not count."""
    case = weir(
        tmp_path, [5] * 14, [5] * 14, "2001-03", volume_hm3=10, window="season", months=[3, 4],
        rolling=2, history_hm3=[8],
    )  # fmt: skip
    _, values = solve(case)
    passed = delivered(values)
    assert sum(passed[:2]) >= 2 - 1e-9
    assert sum(passed[:2]) + sum(passed[12:]) == pytest.approx(10)
    assert sum(passed[2:12]) == pytest.approx(0)


def test_soft_rule_misses_each_run_by_a_volume_of_its_own(tmp_path):
    """Two months need 12 of which 10 come in one and none in the next: each run misses 2."""
    case = weir(
        tmp_path, [10, 0, 10], [10] * 3, volume_hm3=12, window="month", rolling=2,
        history_hm3=[10], soft={"goal": 1},
    )  # fmt: skip
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(4)
    assert delivered(values) == pytest.approx([10, 0, 10])


def test_hard_rule_beyond_the_water_names_the_run_by_its_last_period(tmp_path):
    case = weir(
        tmp_path, [10, 0, 10], [10] * 3, volume_hm3=12, window="month", rolling=2, history_hm3=[2]
    )
    with pytest.raises(Infeasible, match=r"rolling_delivery 'compact' .*2001-02-01 by 2 hm3"):
        solve(case)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"rolling": 2, "history_hm3": [1, 2, 3]}, "has 3 values but a run of 2 windows has 1"),
        ({"rolling": 2, "window": "season"}, "a season needs its months"),
        ({"rolling": 1}, "must be 2 or more"),
    ],
)
def test_keys_that_contradict_each_other(tmp_path, keys, text):
    with pytest.raises(InputError, match=text):
        weir(tmp_path, [10], [10], volume_hm3=1, **keys)


def test_golden(tmp_path):
    case = weir(
        tmp_path, [10, 0, 10], [10] * 3, volume_hm3=6, window="month", rolling=2, history_hm3=[3],
        leave={"normal_hm3": 4},
    )  # fmt: skip
    check_golden(case, GOLDEN)
