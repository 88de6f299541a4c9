"""cumulative_delivery past a weir above a farm, by hand: what is owed, over, under and lost."""

from pathlib import Path

import pytest

from tests.rules.months import by_month, months
from tests.small import check_golden, make_case, solve
from wateralloc import Infeasible, InputError

GOLDEN = Path(__file__).parent / "golden" / "cumulative_delivery.lp"


def weir(folder, inflow, asked, start="2001-01", goals=({"meet": {}},), **rule):
    """What flows past the weir and what the farm there asks, month by month [hm3]."""
    n = len(asked)
    return make_case(
        folder,
        periods=n,
        goals=goals,
        rules=[
            {"rule": "cumulative_delivery", "name": "compact", "at": "weir", "window": "month"}
            | rule
        ],
        nodes=[{"name": "weir", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "weir", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation"}],
        series={
            **by_month("inflow_hm3_day", start, weir=inflow),
            **by_month("demand_hm3_day", start, farm=asked),
        },
        more=months(start, n),
    )


def accounts(solution):
    """Values of what the rule reports, by name."""
    return {
        report.name: solution.horizon.value(report.value, solution.x)[0].tolist()
        for report in solution.period.model.reports
    }


def delivered(values):
    return values["flow_in"]["river"]


def test_debit_within_its_limit_is_paid_back_at_the_end(tmp_path):
    """5 a month are owed, 3 may be owed at most, nothing at the end.

    Month 1 is dry (4): the farm takes 2 of it, as 3 may be owed.  In the end all 15 are delivered:
    4 - 2 = 2, then 13 of the 20 that come.
    """
    case = weir(tmp_path, [4, 10, 10], [10] * 3, volume_hm3=5, debit_limit_hm3=3, settle=True)
    solution, values = solve(case)
    passed = delivered(values)
    assert passed[0] >= 2 - 1e-9
    assert passed[0] + passed[1] >= 7 - 1e-9
    assert sum(passed) == pytest.approx(15)
    assert accounts(solution)["balance"][2] == pytest.approx(0)
    assert [row.label for row in solution.period.rule_rows] == ["compact", "compact_settled"]


def test_without_settling_the_last_debit_stays(tmp_path):
    """3 of the 15 are still owed at the end, and the farm has them."""
    case = weir(tmp_path, [10] * 3, [10] * 3, volume_hm3=5, debit_limit_hm3=3)
    solution, values = solve(case)
    assert sum(delivered(values)) == pytest.approx(12)
    assert accounts(solution)["balance"][2] == pytest.approx(-3)


def test_credit_pays_for_a_later_month(tmp_path):
    """Month 1 passes 12 as nobody asks for them: a credit of 7 pays month 2 whole and 2 of 3."""
    case = weir(tmp_path, [12, 5, 5], [0, 5, 5], volume_hm3=5, settle=True)
    solution, values = solve(case)
    assert sum(delivered(values)[1:]) == pytest.approx(3)
    assert accounts(solution)["balance"][0] == pytest.approx(7)
    assert accounts(solution)["balance"][2] == pytest.approx(0)


def test_credit_above_its_limit_is_lost(tmp_path):
    """Of the 7 over, 4 are credited; months 2 and 3 owe 10 and have to bring 6."""
    case = weir(tmp_path, [12, 5, 5], [0, 5, 5], volume_hm3=5, settle=True, credit_limit_hm3=4)
    solution, values = solve(case)
    assert sum(delivered(values)[1:]) == pytest.approx(6)
    told = accounts(solution)
    assert told["given_up"] == pytest.approx([3, 0, 0], abs=1e-9)
    assert told["delivered"] == pytest.approx(delivered(values))


def test_a_share_of_credit_is_lost_from_window_to_window(tmp_path):
    """7 over, a quarter lost: 5.25.  Month 2 needs 5 and passes none: 0.25 left, a quarter lost.

    Then month 3 must bring 5 - 0.1875.  If month 2 passed some, more of it would be lost.
    """
    case = weir(
        tmp_path, [12, 5, 5], [0, 5, 5], volume_hm3=5, settle=True, debit_limit_hm3=0, loss=0.25
    )
    solution, values = solve(case)
    assert delivered(values) == pytest.approx([12, 0, 5 - 0.1875])
    told = accounts(solution)
    assert told["lost"] == pytest.approx([0, 1.75, 0.0625])
    assert told["balance"] == pytest.approx([7, 0.25, 0])


@pytest.mark.parametrize(("initial", "expected"), [(4.0, 11), (0.0, 15), (-3.0, 18)])
def test_account_before_the_horizon(tmp_path, initial, expected):
    """15 are owed in three months; a credit pays a part of it, a debit adds to it."""
    case = weir(tmp_path, [10] * 3, [10] * 3, volume_hm3=5, settle=True, initial_hm3=initial)
    _, values = solve(case)
    assert sum(delivered(values)) == pytest.approx(expected)


def test_years_are_whole_and_parts_of_them_count_for_nothing(tmp_path, caplog):
    """From July: half a year, a year, a part of one.  24 are owed for the year alone."""
    case = weir(
        tmp_path, [3] * 22, [3] * 22, "2001-07", volume_hm3=24, window="year", settle=True,
        initial_hm3=4,
    )  # fmt: skip
    solution, values = solve(case)
    passed = delivered(values)
    assert sum(passed[:6]) == sum(passed[18:]) == 0
    assert sum(passed[6:18]) == pytest.approx(20)
    assert caplog.text.count("is not whole in the horizon; the rule is silent in it") == 2
    told = accounts(solution)
    assert sum(told["owed"]) == 24
    assert told["balance"][:6] == [4] * 6
    assert told["balance"][17:] == pytest.approx([0] * 5)


def test_account_stands_still_between_seasons(tmp_path):
    """March and April of two years owe 6 each; the first brings 10 of 10, as nobody asks.

    The credit of 4 loses an eighth once, at the start of the next season: 6 - 3.5 are left to pay.
    What passes in between is not credited.
    """
    asked = [0, 0, *[0] * 10, 5, 5]
    case = weir(
        tmp_path, [5] * 14, asked, "2001-03", volume_hm3=6, window="season", months=[3, 4],
        settle=True, loss=0.125,
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(delivered(values)[12:]) == pytest.approx(2.5)
    assert accounts(solution)["balance"][1:12] == pytest.approx([4] * 11)
    assert sum(accounts(solution)["lost"]) == pytest.approx(0.5)


def test_account_closes_from_what_is_reported(tmp_path):
    """balance = before + delivered - given up - lost - owed, in every period."""
    case = weir(
        tmp_path, [12, 2, 9, 1, 14, 3], [3, 6, 5, 5, 2, 8], volume_hm3=5, debit_limit_hm3=2,
        credit_limit_hm3=3, loss=0.1, initial_hm3=1,
    )  # fmt: skip
    solution, values = solve(case)
    told = accounts(solution)
    before = [1.0, *told["balance"][:-1]]
    for t in range(6):
        assert told["balance"][t] == pytest.approx(
            before[t] + told["delivered"][t] - told["given_up"][t] - told["lost"][t]
            - told["owed"][t]
        )  # fmt: skip
    # the account that holders of the compact would keep is never below that of the program
    true = 1.0
    for t, passed in enumerate(delivered(values)):
        true = min(true - (0.1 * max(true, 0) if t else 0) + passed - 5, 3)
        assert true >= told["balance"][t] - 1e-9
        assert true >= -2 - 1e-9


def test_a_goal_on_the_balance_gives_up_nothing_in_vain(tmp_path):
    """12 pass in month 1, 7 over, of which 3 may be kept; month 2 and 3 bring 5 as they must."""
    case = weir(
        tmp_path, [12, 5, 5], [0, 0, 0], volume_hm3=5, debit_limit_hm3=2, credit_limit_hm3=3,
        goals=[{"maximise": {"quantity": "compact.balance", "when": "last"}}],
    )  # fmt: skip
    solution, _ = solve(case)
    assert accounts(solution)["balance"][2] == pytest.approx(3)
    assert sum(accounts(solution)["given_up"]) == pytest.approx(4)


def test_soft_rule_exceeds_its_limit_as_little_as_it_must(tmp_path):
    """9 are owed of 8 that come in two months; 1 may stay: the debit is 1 + 3, then 1 + 1 + 3."""
    case = weir(tmp_path, [5, 5], [5, 5], volume_hm3=9, debit_limit_hm3=1, soft={"goal": 1})
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(3 + 7)
    assert delivered(values) == pytest.approx([5, 5])


def test_hard_rule_beyond_the_water(tmp_path):
    with pytest.raises(Infeasible, match=r"cumulative_delivery 'compact' .*2001-01-01 by 3 hm3"):
        solve(weir(tmp_path, [5], [5], volume_hm3=9, debit_limit_hm3=1))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({}, "give debit_limit_hm3, or settle: true"),
        ({"settle": True, "window": "season"}, "a season needs its months"),
        (
            {"settle": True, "initial_hm3": 5, "credit_limit_hm3": 4},
            "E324 account starts with a credit of 5 hm3, above credit_limit_hm3 4",
        ),
        ({"settle": True, "loss": 1}, "must be less than 1"),
    ],
)
def test_keys_that_contradict_each_other(tmp_path, keys, text):
    with pytest.raises(InputError, match=text):
        weir(tmp_path, [10], [10], volume_hm3=1, **keys)


def test_golden(tmp_path):
    case = weir(
        tmp_path, [12, 5, 5], [0, 5, 5], volume_hm3=5, debit_limit_hm3=2, credit_limit_hm3=4,
        loss=0.25, initial_hm3=1, settle=True,
    )  # fmt: skip
    check_golden(case, GOLDEN)
