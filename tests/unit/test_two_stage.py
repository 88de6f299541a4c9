"""two_stage by hand: a contract before the river is known, and what of it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.basins import month_starts
from tests.small import make_case
from wateralloc.case import Case
from wateralloc.errors import CaseError, Infeasible
from wateralloc.foresight import check, solve
from wateralloc.foresight.information import value_of_information
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.foresight.risk import Risk
from wateralloc.foresight.ties import find_ties
from wateralloc.foresight.two_stage import JointPasses, TwoStageSolution, solve_two_stage
from wateralloc.goals import PriceOfKeeping
from wateralloc.horizon import Horizon
from wateralloc.period import build_period
from wateralloc.results import collect

M3S = 1 / 0.0864
"""Mean flow [m3/s] of 1 hm3 a day."""
DAYS = 31
"""Of January: one period; volumes are given for it and told per day in hm3."""


def futures(
    folder: Path,
    inflows: list[float],
    *,
    decisions: dict[str, Any] | None = None,
    risk: Any = "expected",
    periods: int | None = None,
    more: dict[str, Any] | None = None,
    **basin: Any,
) -> Case:
    """A farm at a river to the sea in one January, with an inflow [hm3 a day] for each member."""
    dates = month_starts("2001-01", 12 * len(inflows))
    flows = [inflows[int(d[:4]) - 2001] if d[5:7] == "01" else 0.0 for d in dates]
    two_stage: dict[str, Any] = {"decisions": decisions or {"withdrawal": ["farm"]}, "risk": risk}
    two_stage |= {} if periods is None else {"periods": periods}
    parts: dict[str, Any] = {
        "periods": 1,
        "goals": [{"net_benefit": {}}],
        "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "demands": [
            {"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 6,
             "value_vnd_m3": 3},
        ],
        "series": {"inflow_hm3_day": {"date": dates, "river": flows}},
    }  # fmt: skip
    return make_case(
        folder,
        **{name: rows for name, rows in (parts | basin).items() if rows is not None},
        more={
            "timeline": {"start": "2001-01-01", "periods": parts["periods"], "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
            "foresight": {"two_stage": two_stage},
            **(more or {}),
        },
    )


def contract(folder: Path, penalty: float = 5, **rest: Any) -> Case:
    """A contract of x hm3 a day for the farm, worth 3 each; the sea misses hm3 at a penalty.

    6 hm3 a day come in the dry member and 10 in the wet one, 4 are owed to the sea.  So the benefit
    is 3 x - penalty max(0, x - 2) in the dry member and 3 x in the wet one, for x up to 6.
    """
    owed = {
        "rule": "minimum_delivery", "name": "owed", "at": "river", "flow_m3s": 4 * M3S,
        "soft": {"penalty": penalty},
    }  # fmt: skip
    return futures(folder, [6, 10], rules=[owed], **rest)


def taken(solution: Any) -> np.ndarray:
    """What the farm withdraws [hm3 a day] (member)."""
    return solution.value(solution.period.model.withdrawal["farm"])[:, 0] / DAYS


# --- what of a goal counts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("risk", "penalty", "contracted", "best"),
    [
        # from x = 2 on, a hm3 more brings 3 - 5 / 2 in the mean: all of the 6 that are asked
        ("expected", 5, 6, 3 * 6 - 5 * 4 / 2),
        # 3 - 7 / 2: no more than both members can bear
        ("expected", 7, 2, 3 * 2),
        # 3 - 5 in the dry member
        ("worst", 5, 2, 3 * 2),
        # the dry member is two thirds of the worst 75 %: 3 - 5 * 2 / 3 < 0
        ({"cvar": 0.25}, 5, 2, 3 * 2),
        # and 5 / 9 of the worst 90 %: 3 - 5 * 5 / 9 > 0
        ({"cvar": 0.1}, 5, 6, (0.5 * (18 - 20) + 0.4 * 18) / 0.9),
        # of the worst 10 % there is but the dry member
        ({"cvar": 0.9}, 5, 2, 3 * 2),
    ],
)
def test_contract_before_the_river_is_known(
    tmp_path: Path, risk: Any, penalty: float, contracted: float, best: float
) -> None:
    solution = solve(contract(tmp_path, penalty, risk=risk))
    assert isinstance(solution, TwoStageSolution)
    assert taken(solution) == pytest.approx([contracted, contracted])
    first = solution.joint[0]
    assert first.value / DAYS == pytest.approx(best)
    assert (first.sense, first.unit, first.goal) == ("maximise", "million VND", 1)
    dry = 3 * contracted - penalty * max(0, contracted - 2)
    own = [stages[-1].value / DAYS for stages in solution.stages]
    assert own == pytest.approx([dry, 3 * contracted])
    assert solution.certificate.is_valid
    assert solution.drift == pytest.approx([0, 0], abs=1e-9)


def test_members_that_do_not_count_are_settled_by_the_mean(tmp_path: Path) -> None:
    """The worst member decides x = 2; the wet one still meets its town as well as it can."""
    town = {"name": "town", "node": "river", "sector": "domestic", "demand_hm3_day": 9}
    farm = {"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 2}
    case = futures(
        tmp_path, [4, 10], risk="worst", demands=[town, farm], goals=[{"meet": {}}],
    )  # fmt: skip
    solution = solve(case)
    assert [(o.name, o.over) for o in solution.joint] == [
        ("1 meet all", "worst member"),
        ("1 meet all, mean of members", "mean of members"),
    ]
    assert [o.value * 11 for o in solution.joint] == pytest.approx([7, (7 + 1) / 2])
    assert [stages[-1].value * 11 for stages in solution.stages] == pytest.approx([7, 1])


def test_price_of_a_member_is_its_own(tmp_path: Path) -> None:
    """The mean of prices is what a hm3 more in every member adds to the mean.

    At a penalty of 7 a hm3 more in the dry member lets the contract grow by one, worth 3 in both
    members: 6 in the member's own account, which is 3 in the mean.  The wet one has enough.
    """
    solution = solve(contract(tmp_path, 7))
    prices = [stages[0].balance_price[0, 0] for stages in solution.stages]
    assert prices == pytest.approx([6, 0])
    owed = [stages[0].rule_price["owed"] for stages in solution.stages]
    assert [price[0] for price in owed] == pytest.approx([-6, 0])


def test_penalty_from_which_a_rule_is_kept(tmp_path: Path) -> None:
    """3 - penalty / 2 turns at 6, and nothing need be missed; told for the mean alone."""
    solution = solve(contract(tmp_path, 5))
    for records in solution.records:
        (asked,) = [what for _, what in records if isinstance(what, PriceOfKeeping)]
        assert (asked.rule, asked.least) == ("owed", pytest.approx(0, abs=1e-9))
        assert asked.price == pytest.approx(6)
    worst = solve(contract(tmp_path / "worst", 1, risk="worst"))
    assert worst.records == ((), ())


@pytest.mark.parametrize("risk", ["expected", "worst", {"cvar": 0.5}])
def test_tolerance_is_what_later_goals_may_take(tmp_path: Path, risk: Any) -> None:
    """A tenth of the benefit is given up for the sea: the contract falls from 2 to 1.8."""
    goals = [{"net_benefit": {"tolerance": 0.1}}, {"maximise": "outflow"}]
    solution = solve(contract(tmp_path, 7, risk=risk, goals=goals))
    assert taken(solution) == pytest.approx([1.8, 1.8])
    for stages in solution.stages:
        assert stages[0].value / DAYS == pytest.approx(6)
        assert stages[0].kept / DAYS == pytest.approx(5.4)


def test_mean_of_the_worst() -> None:
    losses = np.array([3.0, 1.0, 2.0, 8.0])
    assert Risk().measure(losses) == pytest.approx(3.5)
    assert Risk("worst").measure(losses) == 8
    assert Risk("cvar", 0.5).measure(losses) == pytest.approx((8 + 3) / 2)
    assert Risk("cvar", 0.6).measure(losses) == pytest.approx((8 * 0.25 + 3 * 0.15) / 0.4)
    assert Risk("cvar", 0.99).measure(losses) == pytest.approx(8)


# --- decisions in common ------------------------------------------------------------------------


def test_only_the_first_periods_are_in_common(tmp_path: Path) -> None:
    dates = month_starts("2001-01", 24)
    flows = [4.0 if d < "2002" else 6.0 for d in dates]
    case = futures(
        tmp_path, [4, 6], periods=1, goals=[{"meet": {}}],
        series={"inflow_hm3_day": {"date": dates, "river": flows}},
    )  # fmt: skip
    case = replace(case, timeline=replace(case.timeline, periods=2))
    solution = solve(case)
    days = np.array([31, 28])
    farm = solution.value(solution.period.model.withdrawal["farm"]) / days
    np.testing.assert_allclose(farm, [[4, 4], [4, 6]], rtol=1e-9)


def test_sum_of_columns_is_tied_by_rows(tmp_path: Path) -> None:
    """A lake gives by its gate and its weir, together 4 hm3 a day in both members; the wet one
    keeps the rest.  How much goes by which is not tied.
    """
    nodes = [{"name": "river", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}]
    links = [
        {"name": "gate", "from": "river", "to": "sea", "kind": "reach", "capacity_hm3_day": 3},
        {"name": "weir", "from": "river", "to": "sea", "kind": "spillway"},
    ]
    lake = {
        "name": "river", "dead_hm3": 0, "normal_hm3": 310, "initial_hm3": 0, "target_hm3": 0,
    }  # fmt: skip
    case = futures(
        tmp_path, [4, 10], decisions={"river_flow": ["river"]}, nodes=nodes, links=links,
        reservoirs=[lake], demands=None, goals=[{"maximise": "outflow"}],
    )  # fmt: skip
    solution = solve(case)
    assert [tie.columns.size for tie in solution.ties] == [2]
    m = solution.period.model
    out = solution.value(m.flow["gate"] + m.flow["weir"])
    np.testing.assert_allclose(out[:, 0] / DAYS, [4, 4], rtol=1e-9)
    np.testing.assert_allclose(solution.value(m.storage_end["river"]) / DAYS, [[0], [6]], atol=1e-9)


def test_other_numbers_in_other_members_are_tied_by_rows(tmp_path: Path) -> None:
    """What is missed is the same in both members, though one asks 6 and the other 9."""
    case = futures(
        tmp_path, [4, 8], decisions={"deficit": ["farm"]}, goals=[{"meet": {}}],
    )  # fmt: skip
    period = build_period(case)
    demand = period.model.demand["farm"]
    demand.set_value(np.array([[6.0], [9.0]]) * DAYS)
    horizon = Horizon(period.model, 2, 1)
    horizon.stack()
    ties = find_ties(period, horizon)
    assert [tie.is_one_column for tie in ties] == [False]
    solution = JointPasses(period, horizon, ties, Risk()).solve()
    assert taken(solution) == pytest.approx([4, 7])


def test_one_member_is_perfect(tmp_path: Path) -> None:
    goals = [{"net_benefit": {}}, {"maximise": "outflow"}]
    case = contract(tmp_path, goals=goals).with_members([0])
    alone, joint = solve_perfect(case), solve_two_stage(case)
    assert type(solve(case)) is type(alone)
    np.testing.assert_allclose(joint.x, alone.x, atol=1e-9)
    assert [s.value for s in joint.stages[0]] == pytest.approx([s.value for s in alone.stages[0]])
    for one, other in zip(joint.stages[0], alone.stages[0], strict=True):
        np.testing.assert_allclose(one.balance_price, other.balance_price, atol=1e-9)


def test_results_are_collected_and_progress_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    goals = [{"net_benefit": {}}, {"maximise": "outflow"}]
    solution = solve(contract(tmp_path, goals=goals), lambda *done: seen.append(done))
    assert seen == [(2, 4), (4, 4)]
    dataset = collect(solution).dataset
    assert float(abs(dataset["residual"]).max()) < 1e-9
    assert dataset["withdrawal"].sel(demand="farm").values[:, 0] / DAYS == pytest.approx([6, 6])


# --- share --------------------------------------------------------------------------------------


def shared(folder: Path, inflows: list[float], **rest: Any) -> Case:
    """Two farms that ask 6 and 3 hm3 a day of one river."""
    demands = [
        {"name": name, "node": "river", "sector": "irrigation", "region": name,
         "demand_hm3_day": asked}
        for name, asked in (("farm", 6), ("mill", 3))
    ]  # fmt: skip
    goals = [{"share": {"among": "demand", "window": "horizon"}}]
    return futures(folder, inflows, demands=demands, **({"goals": goals} | rest))


def test_share_gives_each_member_its_own_claim(tmp_path: Path) -> None:
    """In the dry member both have half.  The farm's contract is that in the wet one too; there the
    mill, which no contract binds, has all that it asks."""
    solution = solve(shared(tmp_path, [4.5, 9]))
    m = solution.period.model
    farm, mill = (solution.value(m.withdrawal[d])[:, 0] / DAYS for d in ("farm", "mill"))
    assert farm == pytest.approx([3, 3])
    assert mill == pytest.approx([1.5, 3])
    given = collect(solution).dataset["award_volume"]
    assert given.values / DAYS == pytest.approx(np.array([[3, 1.5], [3, 3]]))


@pytest.mark.parametrize("rule", ["leximin", "cea", "cel", "talmud", "piniles"])
def test_share_without_decisions_in_common_is_that_of_each_member(
    tmp_path: Path, rule: str
) -> None:
    goals = [{"share": {"among": "demand", "window": "horizon", "rule": rule}}]
    case = shared(tmp_path, [4, 7, 9], goals=goals)
    period = build_period(case)
    horizon = Horizon(period.model, 3, 1)
    horizon.stack()
    joint = JointPasses(period, horizon, [], Risk("worst")).solve()
    alone = solve_perfect(case)
    for d in ("farm", "mill"):
        np.testing.assert_allclose(
            joint.value(joint.period.model.withdrawal[d]),
            alone.value(alone.period.model.withdrawal[d]),
            rtol=1e-8,
        )


# --- faults -------------------------------------------------------------------------------------


both = pytest.mark.parametrize("find", [solve, check])
"""A fault shows when a case is checked, not only when it is solved."""


@both
def test_what_cannot_be_decided_beforehand_is_told_at_once(
    tmp_path: Path, find: Callable[[Case], object]
) -> None:
    case = futures(
        tmp_path, [4, 6], decisions={"inflow": "all", "demand": ["farm"]}, periods=3,
    )  # fmt: skip
    with pytest.raises(CaseError) as raised:
        find(case)
    text = str(raised.value)
    assert "E370 two_stage.decisions: inflow is given and not decided" in text
    assert "E370 two_stage.decisions: demand of 'farm' is given and not decided" in text
    assert "E371 two_stage.periods is 3 but the horizon has 1 periods" in text


@both
@pytest.mark.parametrize(
    ("decisions", "text"),
    [
        ({"energy": "all"}, "energy of 'mill' is not linear in what is decided"),
        ({"evaporation": ["lake"]}, "evaporation of 'lake' is not linear in what is decided"),
    ],
)
def test_what_is_not_linear_is_refused(
    tmp_path: Path, decisions: dict[str, Any], text: str, find: Callable[[Case], object]
) -> None:
    case = powered(tmp_path, decisions=decisions, evaporation=1)
    with pytest.raises(CaseError, match=f"E370 two_stage.decisions: {text}"):
        find(case)


@both
def test_decisions_of_yes_or_no_are_refused(tmp_path: Path, find: Callable[[Case], object]) -> None:
    """Whether the farm has to stop, by the flow that is left to the sea."""
    rule = {
        "rule": "hands_off_flow", "name": "stop", "at": "river", "flow_m3s": 40,
        "by": "regulated", "sectors": ["irrigation"],
    }  # fmt: skip
    more = {"integers": True, "linearisation": "fixed"}
    case = futures(tmp_path, [4, 6], rules=[rule], more=more, goals=[{"meet": {}}])
    with pytest.raises(CaseError, match="E372 two_stage cannot decide yes or no, as stop asks"):
        find(case)


@both
def test_rule_that_asks_what_groups_could_have_is_refused(
    tmp_path: Path, find: Callable[[Case], object]
) -> None:
    goals = [{"share": {"among": "demand", "rule": "random_arrival"}}]
    with pytest.raises(CaseError, match=r"E373 goal share: rule random_arrival .* write leximin"):
        find(shared(tmp_path, [4, 6], goals=goals))


def test_contradiction_of_decisions_in_common_names_them(tmp_path: Path) -> None:
    """10 and 4 hm3 a day come, the farm takes at most 6: the sea cannot have the same from both
    if the farm has a cap of 3."""
    cap = {"rule": "quota", "name": "cap", "volume_hm3": 3 * DAYS, "window": "horizon"}
    case = futures(tmp_path, [10, 4], decisions={"flow_in": ["reach"]}, rules=[cap])
    with pytest.raises(Infeasible) as raised:
        solve(case)
    told = str(raised.value).splitlines()
    assert told[1] == (
        "E402 flow_in of 'reach' from 2001-01-01 is the same in all members, but would have to "
        "differ from that of 2001-01: 2002-01 by -93 hm3; leave it out of two_stage.decisions, "
        "take fewer periods, or make a rule soft"
    )


def test_member_that_is_infeasible_alone_is_told_as_such(tmp_path: Path) -> None:
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 5 * M3S}
    with pytest.raises(Infeasible) as raised:
        solve(futures(tmp_path, [10, 4], rules=[rule]))
    text = str(raised.value)
    assert "member 2002-01 alone:\nE402 conflict of 31 hm3" in text
    assert "member 2001-01" not in text


# --- what is not linear -------------------------------------------------------------------------


def powered(
    folder: Path,
    *,
    decisions: dict[str, Any] | None = None,
    risk: Any = "expected",
    evaporation: float | None = None,
) -> Case:
    """A lake with a plant, two months, a dry and a wet member."""
    dates = month_starts("2001-01", 24)
    volumes = {"2001-01": 5, "2001-02": 5, "2002-01": 30, "2002-02": 5}
    days = {"01": 31, "02": 28}
    flows = [volumes[d[:7]] / days[d[5:7]] if d[:7] in volumes else 0.0 for d in dates]
    axes = {"curve": "lake", "x_unit": "hm3", "y_unit": "m"}
    return futures(
        folder, [0], decisions=decisions or {"flow_in": ["turbine"]}, risk=risk, periods=1,
        goals=[{"maximise": "energy"}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "turbine", "from": "lake", "to": "sea", "kind": "turbine"}],
        reservoirs=[{"name": "lake", "dead_hm3": 10, "normal_hm3": 50, "initial_hm3": 30,
                     "curve": "lake", "evaporation_mm_day": evaporation}],
        curves=[{"x": 10, "y": 100, **axes}, {"x": 50, "y": 140, **axes},
                {"x": 10, "y": 1, **axes, "y_unit": "km2"},
                {"x": 50, "y": 3, **axes, "y_unit": "km2"}],
        hydropower=[{"plant": "mill", "link": "turbine", "capacity_mw": 1000, "tailwater_m": 22.5,
                     "efficiency_fraction": 0.8}],
        demands=None,
        series={"inflow_hm3_day": {"date": dates, "lake": flows}},
        more={"timeline": {"start": "2001-01-01", "periods": 2, "step": "month"}},
    )  # fmt: skip


@pytest.mark.parametrize("risk", ["expected", "worst"])
def test_lines_follow_the_solution_of_all_members(tmp_path: Path, risk: Any) -> None:
    """A lake of 90 m + 1 m a hm3 starts and ends at 30 hm3, the tailwater is at 22.5 m.

    What goes in the first month, r, is the same in both members.  With inflows a and b the head of
    both months is 97.5 + (a - r) / 2, so the least r is best; but the lake holds 50 hm3, and
    a = 30 in the wet member makes r = 10, which the dry one, with a = 5, bears too.
    """
    case = powered(tmp_path, risk=risk)
    solution = solve(case)
    assert all(c.is_reached for c in solution.convergence)
    assert len({len(c.passes) for c in solution.convergence}) == 1
    gone = solution.value(solution.period.model.flow["turbine"])
    np.testing.assert_allclose(gone, [[10, 0], [10, 25]], atol=1e-6)
    energy = collect(solution).dataset["energy"].sum("time").values[:, 0]
    gwh = 0.8 * 9.81 * 1000 / 3600 / 1000  # of a hm3 that falls by a metre
    np.testing.assert_allclose(energy, [10 * 95 * gwh, 35 * 107.5 * gwh], rtol=2e-3)
    best = {"expected": energy.mean(), "worst": energy.min()}
    assert solution.joint[0].value == pytest.approx(best[risk], rel=1e-6)


# --- what information is worth ------------------------------------------------------------------


def test_value_of_information(tmp_path: Path) -> None:
    """Known beforehand, the contract is 2 in the dry member and 6 in the wet one: 12 in the mean.

    Together it is 6, worth 8.  For the mean river of 8 it is 4: 12 in the wet member, and 12 less
    the penalty of 2 hm3 in the dry one, 7 in the mean.
    """
    (found,) = value_of_information(contract(tmp_path, 5))
    assert (found.goal, found.title, found.over) == (
        1, "net benefit, penalties of owed", "mean of members",
    )  # fmt: skip
    assert found.wait_and_see / DAYS == pytest.approx(12)
    assert found.two_stage / DAYS == pytest.approx(8)
    assert found.of_mean is not None
    assert found.of_mean / DAYS == pytest.approx(7)
    assert found.perfect_information / DAYS == pytest.approx(4)
    assert found.stochastic_solution / DAYS == pytest.approx(1)


def test_plan_for_the_mean_that_cannot_be_kept(tmp_path: Path) -> None:
    """The farm's 5 hm3 of the mean river are not in the dry one: of its deficit of 6 less 4."""
    case = futures(tmp_path, [4, 6], goals=[{"meet": {}}])
    (found,) = value_of_information(case)
    assert found.of_mean is None
    assert found.stochastic_solution == np.inf
    assert found.two_stage == pytest.approx(2 / 6)
    assert found.wait_and_see == pytest.approx(1 / 6)
    assert found.perfect_information == pytest.approx(1 / 6)


def test_value_of_information_needs_decisions(tmp_path: Path) -> None:
    case = futures(tmp_path, [4, 6], more={"foresight": "perfect"})
    with pytest.raises(ValueError, match="nothing is decided beforehand"):
        value_of_information(case)


def test_limits_that_leave_no_value_in_common_are_told(tmp_path: Path) -> None:
    """The farm takes 2 at the least in the dry member, and 1 at the most in the wet one."""
    case = futures(tmp_path, [4, 6])
    period = build_period(case)
    m = period.model
    horizon = Horizon(m, 2, 1)
    lp = horizon.stack()
    farm = horizon.columns[id(m.withdrawal["farm"])]
    lp.col_lower[0, farm], lp.col_upper[1, farm] = 2 * DAYS, 1 * DAYS
    passes = JointPasses(period, horizon, find_ties(period, horizon), Risk())
    with pytest.raises(Infeasible, match=r"withdrawal of 'farm' .* 2002-01 by -31 hm3"):
        passes.solve()
