"""Soft rules at a price: what is missed, what it costs, and from which price the rule is kept.

A farm asks 8 hm3 a day of a river that brings 10 and 4; the sea is promised 5 a day.  Water is
worth 500 to the farm, so the promise is broken at any penalty below 500, and kept above it as far
as the river reaches: on the second day 1 hm3 is missing at any price.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.case import Case
from wateralloc.case.model import build_case
from wateralloc.errors import CaseError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.goals.meet import Meet
from wateralloc.goals.net_benefit import NetBenefit
from wateralloc.period import build_period
from wateralloc.report.tables import broken_summary, price_notes
from wateralloc.results import Results, collect
from wateralloc.rules import Soft
from wateralloc.rules.minimum_delivery import MinimumDelivery

GOLDEN = Path(__file__).parent / "golden" / "penalty.lp"
M3S = 1 / 0.0864
"""One hm3 a day, in m3/s."""
MONEY = [{"net_benefit": {}}]


def river(folder: Path, soft: Any, goals: Any = MONEY, flow: float = 5, **more: Any) -> Case:
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": flow * M3S}
    return make_case(
        folder,
        periods=2,
        goals=list(goals),
        rules=more.pop("rules", [rule | {"soft": soft}]),
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": "farm", "node": "river", "sector": "x", "demand_hm3_day": 8,
             "value_vnd_m3": 500}
        ],
        series=inflow(river=[10, 4]),
        **more,
    )  # fmt: skip


def soft_rules(case: Case) -> pd.DataFrame:
    return results(case).tables()["soft_rules"]


def results(case: Case) -> Results:
    return collect(solve_perfect(case))


def row(case: Case) -> dict[str, Any]:
    (found,) = soft_rules(case).to_dict("records")
    return found


def test_low_penalty_is_paid(tmp_path: Path) -> None:
    """Farm 8 + 4; the sea gets 2 + 0 of 5 + 5: 8 missed at 400 each, 12 x 500 - 8 x 400."""
    case = river(tmp_path, {"penalty": 400})
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == [8, 4]
    (stage,) = solution.stages[0]
    assert stage.name == "1 net benefit, penalties of sea"
    assert stage.value == pytest.approx(12 * 500 - 8 * 400)
    found = row(case)
    assert (found["soft"], found["windows"], found["broken"]) == ("penalty in goal 1", 2, 2)
    assert (found["missed"], found["missed_unit"]) == (pytest.approx(8), "hm3")
    assert (found["worst"], found["unit"]) == (pytest.approx(5 * M3S), "m3s")
    assert found["worst_start"] == "2001-01-02"
    assert (found["cost"], found["cost_unit"]) == (pytest.approx(3200), "million VND")
    # it is broken: its shadow price is its penalty, and 500 is what would keep it
    assert (found["penalty"], found["price"]) == (400, pytest.approx(400))
    assert (found["kept_from"], found["least"]) == (pytest.approx(500), pytest.approx(1))


def test_high_penalty_keeps_what_can_be_kept(tmp_path: Path) -> None:
    """Farm 5 + 0; 1 hm3 is missed at any price."""
    case = river(tmp_path, {"penalty": 600})
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([5, 0])
    found = row(case)
    assert (found["broken"], found["missed"]) == (1, pytest.approx(1))
    assert found["cost"] == pytest.approx(600)
    assert np.isnan(found["kept_from"])
    assert found["least"] == pytest.approx(1)


def test_rule_that_is_kept_tells_below_which_price_it_would_not_be(tmp_path: Path) -> None:
    """2 a day are kept on the first day for nothing, and on the second at 500 for each hm3."""
    found = row(river(tmp_path, {"penalty": 600}, flow=2))
    assert (found["broken"], found["missed"], found["worst_start"]) == (0, 0, "")
    assert (found["price"], found["penalty"]) == (pytest.approx(500), 600)
    assert found["cost"] == 0


def test_price_found_is_the_price_that_keeps_it(tmp_path: Path) -> None:
    """Just above it no more is missed than must be, just below it more is."""
    price = row(river(tmp_path, {"penalty": 100}))["kept_from"]
    assert row(river(tmp_path, {"penalty": price * 1.001}))["missed"] == pytest.approx(1)
    assert row(river(tmp_path, {"penalty": price * 0.999}))["missed"] == pytest.approx(8)


@pytest.mark.parametrize(("penalty", "farm"), [(0.5, [8, 4]), (2.0, [5, 0])])
def test_penalty_in_the_unit_of_a_named_goal(
    tmp_path: Path, penalty: float, farm: list[float]
) -> None:
    """In `meet` a penalty of 1 is a hm3 of deficit."""
    case = river(tmp_path, {"penalty": penalty, "goal": 1}, [{"meet": {}}])
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx(farm)
    missed = 8 if penalty < 1 else 1
    deficit = 16 - sum(farm)
    assert solution.stages[0][0].value == pytest.approx((deficit + penalty * missed) / 16)
    found = row(case)
    assert (found["cost"], found["cost_unit"]) == (
        pytest.approx(penalty * missed / 16), "fraction of demand",
    )  # fmt: skip


def test_penalty_makes_a_maximum_smaller_and_a_minimum_larger(tmp_path: Path) -> None:
    maximise = [{"maximise": {"quantity": "withdrawal"}}]
    solution, _ = solve(river(tmp_path, {"penalty": 0.5, "goal": 1}, maximise))
    assert solution.stages[0][0].value == pytest.approx(12 - 0.5 * 8)


def test_penalty_counts_in_its_goal_after_those_before(tmp_path: Path) -> None:
    """The farm is met first: no penalty can take from it."""
    goals = [{"meet": {}}, *MONEY]
    found = row(river(tmp_path, {"penalty": 9000}, goals))
    assert (found["soft"], found["missed"]) == ("penalty in goal 2", pytest.approx(8))
    # with the farm held, 8 are missed at any price
    assert found["least"] == pytest.approx(8)
    assert np.isnan(found["kept_from"])


def test_large_penalty_does_not_drown_the_goal(tmp_path: Path) -> None:
    """What the sea does not need goes to the farm, at a penalty of 10^12 too."""
    _, values = solve(river(tmp_path, {"penalty": 1e12}))
    assert values["withdrawal"]["farm"] == pytest.approx([5, 0], abs=1e-6)


def test_rule_by_the_order_of_goals_has_no_price(tmp_path: Path) -> None:
    found = row(river(tmp_path, {"goal": 2}))
    assert (found["soft"], found["broken"], found["missed"]) == ("goal 2", 2, pytest.approx(8))
    assert all(np.isnan(found[name]) for name in ("penalty", "price", "kept_from", "cost"))
    assert found["cost_unit"] == ""


def test_cap_at_a_price(tmp_path: Path) -> None:
    """The farm may take 6 in all, and 12 are worth 500 each: at 400 it takes them all."""
    rule = {"rule": "quota", "name": "cap", "volume_hm3": 6, "window": "horizon"}
    for penalty, taken in ((400, 12), (600, 6)):
        case = river(tmp_path, None, rules=[rule | {"soft": {"penalty": penalty}}])
        found = row(case)
        assert found["missed"] == pytest.approx(taken - 6)
        assert found["windows"] == 1
        if taken > 6:
            assert found["kept_from"] == pytest.approx(500)


def test_no_table_without_soft_rules(tmp_path: Path) -> None:
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 1}
    assert "soft_rules" not in results(river(tmp_path, None, rules=[rule])).tables()


def test_penalty_without_a_goal_in_code(tmp_path: Path) -> None:
    """A case built in code is checked when its period is built."""
    case = river(tmp_path, {"penalty": 5})
    rule = MinimumDelivery(at="river", flow_m3s=5, soft=Soft(penalty=5))
    poor = build_case(case.basin, case.timeline, [rule], [Meet()], case.members)
    with pytest.raises(CaseError, match="E329 penalty of rule 'minimum_delivery' is money but no"):
        build_period(poor)
    rich = build_case(case.basin, case.timeline, [rule], [Meet(), NetBenefit()], case.members)
    assert [row.label for row, _ in build_period(rich).penalties[2]] == ["minimum_delivery"]


def test_penalty_on_energy_counts_what_is_true(tmp_path: Path) -> None:
    """A lake that is drawn down by 9 hm3: energy goes with the head, in passes.

    The shortfall in the results is that of the energies in the results, not of their lines.
    """
    case = make_case(
        tmp_path,
        periods=3,
        goals=[{"maximise": {"quantity": "storage_end", "when": "last"}}],
        rules=[
            {"rule": "minimum_energy", "name": "load", "power_mw": 60,
             "soft": {"goal": 1, "penalty": 40}}
        ],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "mill", "from": "lake", "to": "sea", "kind": "turbine"},
               {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"}],
        reservoirs=[{"name": "lake", "dead_hm3": 5, "normal_hm3": 60, "initial_hm3": 40,
                     "target_hm3": 5, "curve": "lake"}],
        curves=[
            {"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "m"}
            for x, y in ((0, 60), (10, 75), (30, 95), (60, 110))
        ],
        hydropower=[{"plant": "mill", "link": "mill", "capacity_mw": 90, "efficiency_fraction": 0.9,
                     "tailwater_m": 20}],
        series=inflow(lake=[1, 1, 1]),
    )  # fmt: skip
    found = results(case)
    energy = found.tables()["energy"].groupby("period_start")["energy_gwh"].sum()
    (load,) = found.tables()["soft_rules"].to_dict("records")
    missed = np.maximum(60 * 24 / 1e3 - energy, 0).sum()
    assert load["missed"] == pytest.approx(missed, rel=1e-4, abs=1e-6)
    assert load["missed_unit"] == "gwh"


def test_golden(tmp_path: Path) -> None:
    """The goal is worse by the penalty, and a row can limit what is missed."""
    check_golden(river(tmp_path, {"penalty": 400}), GOLDEN)


# --- what is printed ----------------------------------------------------------------------------


def test_broken_rules_are_listed_and_those_kept_are_not(tmp_path: Path) -> None:
    found = results(river(tmp_path / "a", {"penalty": 400}))
    table = broken_summary(found)
    assert table.loc["sea"].tolist() == [
        "penalty in goal 1", "2/2", "1/1", "8 hm3", "57.87 m3/s", "3200 million VND",
    ]  # fmt: skip
    assert list(table.columns) == [
        "Soft", "Broken", "Members with a breach", "Missed, mean", "Worst", "Cost, mean",
    ]  # fmt: skip
    by_order = broken_summary(results(river(tmp_path / "b", {"goal": 2})), "vi")
    assert by_order.loc["sea"].tolist() == ["mục tiêu 2", "2/2", "1/1", "8 hm3", "57.87 m3/s", ""]
    assert not len(broken_summary(results(river(tmp_path / "c", {"penalty": 600}, flow=2))))


@pytest.mark.parametrize(
    ("penalty", "flow", "notes"),
    [
        (400, 5, ["sea: broken at its price of 400; kept from 500 on; up to 1 hm3 is missed at "
                  "any price"]),
        (600, 5, ["sea: broken at its price of 600; up to 1 hm3 is missed at any price"]),
        (600, 2, ["sea: kept at its price of 600; below 500 it would be broken"]),
    ],
)  # fmt: skip
def test_penalty_is_told_to_be_enough_or_not(
    tmp_path: Path, penalty: float, flow: float, notes: list[str]
) -> None:
    found = results(river(tmp_path, {"penalty": penalty}, flow=flow))
    assert price_notes(found) == notes
    assert price_notes(found, "vi")[0].startswith("sea: ")


# --- accounts -----------------------------------------------------------------------------------

REPORT = """\
from wateralloc.rules import Report


def tell(m, case):
    m.reports.append(Report("own", "", "passing", "hm3", m.flow["reach"]))
    m.reports.append(Report("own", "farm", "lack", "1", 1 - m.withdrawal["farm"] / 8))
"""


def test_what_rules_report_is_in_the_accounts(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(REPORT, encoding="utf-8")
    rule = {"rule": "python", "name": "own", "file": "own.py", "function": "tell"}
    found = results(river(tmp_path, None, rules=[rule]))
    assert found.dataset["account_value"].dims == ("member", "time", "account")
    assert list(found.dataset["account"].values) == ["own.passing", "own.lack[farm]"]
    accounts = found.tables()["accounts"]
    assert list(accounts.columns) == [
        "member", "period_start", "rule", "item", "quantity", "value", "unit",
    ]  # fmt: skip
    assert accounts.values.tolist() == [
        ["2001-01", "2001-01-01", "own", "", "passing", pytest.approx(2), "hm3"],
        ["2001-01", "2001-01-01", "own", "farm", "lack", pytest.approx(0), "1"],
        ["2001-01", "2001-01-02", "own", "", "passing", pytest.approx(0), "hm3"],
        ["2001-01", "2001-01-02", "own", "farm", "lack", pytest.approx(0.5), "1"],
    ]
    back = Results.read(found.write(tmp_path / "out"))
    assert back.tables()["accounts"].equals(accounts)


def test_no_accounts_where_nothing_is_reported(tmp_path: Path) -> None:
    assert "accounts" not in results(river(tmp_path, {"goal": 1})).tables()
