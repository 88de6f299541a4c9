"""Perfect foresight: what a goal may do, prices with their sign, and why a case is infeasible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.basins import month_starts
from tests.small import inflow, make_case
from wateralloc import Infeasible
from wateralloc.case import Case
from wateralloc.foresight.perfect import MemberStage, make_reference, solve_perfect
from wateralloc.horizon import Horizon
from wateralloc.period import build_period
from wateralloc.solve import Stages

M3S = 1 / 0.0864
"""Mean flow [m3/s] of 1 hm3 a day."""


def river(folder: Path, inflows: Any = (10, 4), goals: Any = ({"meet": {}},), **more: Any) -> Case:
    """A farm that asks 6 hm3 a day at a river to the sea."""
    basin: dict[str, Any] = {
        "periods": len(inflows),
        "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "demands": [{"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 6}],
        "series": inflow(river=inflows),
    }
    return make_case(folder, goals=goals, **(basin | more))


# --- solutions ----------------------------------------------------------------------------------


def test_value_is_in_the_unit_of_the_goal_and_prices_in_hm3(tmp_path: Path) -> None:
    """2 of 12 hm3 are missing, on the second day; there a hm3 more is one less missing."""
    solution = solve_perfect(river(tmp_path))
    (stage,) = solution.stages[0]
    assert (stage.goal, stage.name, stage.sense) == (1, "1 meet all", "minimise")
    assert (stage.unit, stage.value) == ("fraction of demand", pytest.approx(2 / 12))
    assert stage.value / stage.value_scale == pytest.approx(2)
    np.testing.assert_allclose(stage.balance_price, [[0, -1], [0, 0]], atol=1e-9)
    assert stage.rule_price == {}
    assert solution.certificate.is_valid
    assert solution.drift.tolist() == [0.0]
    assert set(solution.seconds) == {"build", "solve"}
    withdrawal = solution.period.model.withdrawal["farm"]
    np.testing.assert_allclose(solution.value(withdrawal), [[6, 4]])


def test_goals_from_a_reference_take_one_run(tmp_path: Path) -> None:
    """The same optima and prices as from nothing; only the first goal takes iterations."""
    goals = [{"meet": {}}, {"maximise": "outflow"}]
    reference = make_reference(river(tmp_path / "one", (4, 10), goals=goals))
    assert reference.combined is not None
    case = river(tmp_path / "other", (3, 5), goals=goals)
    cold, warm = solve_perfect(case), solve_perfect(case, reference=reference)
    for one, other in zip(cold.stages[0], warm.stages[0], strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-12)
        np.testing.assert_allclose(other.balance_price, one.balance_price, atol=1e-9)
    assert warm.stages[0][1].iterations == 0


def test_price_of_a_maximised_goal_is_a_gain(tmp_path: Path) -> None:
    """What leaves the basin is all of the inflow but what the goal before it takes."""
    goals = [{"meet": {}}, {"maximise": "outflow"}]
    solution = solve_perfect(river(tmp_path, goals=goals))
    first, last = solution.stages[0]
    assert (last.sense, last.unit, last.value) == ("maximise", "hm3", pytest.approx(4))
    # on the first day a hm3 more flows out; on the second, the farm would take it
    assert last.balance_price[1] == pytest.approx([1, 1])
    assert last.balance_price[0, 0] == pytest.approx(1)
    assert first.balance_price[0, 1] == pytest.approx(-1)


def test_price_of_a_rule_by_window(tmp_path: Path) -> None:
    """A quota of 3 on each of two days: a hm3 more of either is a hm3 of deficit less."""
    rules = [
        {"rule": "quota", "name": "cap", "volume_hm3": 3, "window": "period"},
        {"rule": "quota", "name": "wide", "volume_hm3": 99, "window": "horizon"},
    ]
    (stage,) = solve_perfect(river(tmp_path, (10, 10), rules=rules)).stages[0]
    assert stage.rule_price["wide"] == pytest.approx([0])
    assert stage.rule_price["cap"] == pytest.approx([-1, -1])


def test_progress_counts_members(tmp_path: Path) -> None:
    case = years(tmp_path, {"2001-01": 300, "2002-01": 200, "2003-01": 100})
    seen: list[tuple[int, int]] = []
    solution = solve_perfect(case, lambda done, n: seen.append((done, n)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert solution.x.shape[0] == len(solution.stages) == solution.drift.size == 3
    # a farm that asks 6 a day, of 300, 200 and 100 hm3 in January
    lacks = [stages[0].value / stages[0].value_scale for stages in solution.stages]
    assert lacks == pytest.approx([0, 0, 86])


def years(folder: Path, hm3: dict[str, float], **more: Any) -> Case:
    """The river by month, with a year of record for each January given; all else is dry."""
    months = month_starts(next(iter(hm3)), 12 * len(hm3))
    volumes = [hm3.get(month[:7], 0.0) / 31 for month in months]
    return river(
        folder, (0,), periods=1, series={"inflow_hm3_day": {"date": months, "river": volumes}},
        more={
            "timeline": {"start": "2001-01-01", "periods": 1, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        }, **more,
    )  # fmt: skip


def test_certificate_is_the_worst_of_all_stages(tmp_path: Path) -> None:
    solution = solve_perfect(river(tmp_path, goals=[{"meet": {}}, {"maximise": "outflow"}]))
    first, last = solution.stages[0]
    bad = replace(last, certificate=replace(last.certificate, gap=0.5))
    worse = replace(first, certificate=replace(first.certificate, primal=0.25))
    found = replace(solution, stages=((worse, bad),)).certificate
    assert (found.primal, found.gap) == (0.25, 0.5)
    assert found.dual == max(first.certificate.dual, last.certificate.dual)


# --- what a goal may do -------------------------------------------------------------------------


def stage_of(case: Case) -> MemberStage:
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    return MemberStage(period, horizon, {}, 0, Stages(horizon.stack().member(0)), 1)


def test_goal_reads_and_sets_by_component(tmp_path: Path) -> None:
    """Two days of 10 and 4; the farm is bounded to 5, then the deliveries asked are lowered."""
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 2 * M3S}
    stage = stage_of(river(tmp_path, rules=[rule]))
    m = stage.period.model
    farm, row = m.withdrawal["farm"], m.rules.sea[""]
    taken = sum(m.withdrawal.values())

    assert stage.optimise("most", taken, "maximise", "share", 0.5) == pytest.approx(6 + 2)
    assert stage.optima[-1].value == pytest.approx(4)
    assert (stage.optima[-1].unit, stage.optima[-1].value_scale) == ("share", 0.5)
    assert stage.values(farm) == pytest.approx([6, 2])
    assert stage.duals(row) == pytest.approx([0, -1])

    stage.bound(farm, np.zeros(2), np.array([5.0, 6.0]))
    assert stage.optimise("most", taken, "maximise") == pytest.approx(5 + 2)
    stage.limit(row, np.array([7.0, 1.0]), np.full(2, np.inf))
    assert stage.optimise("most", taken, "maximise") == pytest.approx(3 + 3)
    stage.hold()
    assert stage.optimise("least", taken, "minimise") == pytest.approx(6)


def test_expression_is_stacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stage_of(river(tmp_path))
    expression = sum(stage.period.model.withdrawal.values()) * 2
    calls = []
    cost = Horizon.cost
    monkeypatch.setattr(Horizon, "cost", lambda self, e: calls.append(e) or cost(self, e))
    for _ in range(3):
        stage.optimise("most", expression, "maximise")
    assert calls == [expression]


# --- infeasible cases ---------------------------------------------------------------------------


def asked(folder: Path, inflows: Any = (10, 4), flow: float = 5, **more: Any) -> Case:
    """The river with a hard delivery of `flow` hm3 a day to the sea."""
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": flow * M3S}
    return river(folder, inflows, rules=[rule], **more)


def test_infeasible_goal_is_told_with_its_conflicts(tmp_path: Path) -> None:
    """What they are is for tests/unit/test_conflict.py."""
    with pytest.raises(Infeasible) as raised:
        solve_perfect(asked(tmp_path))
    head, conflict, *_, change = str(raised.value).splitlines()
    assert head.startswith("E402 case, member 2001-01: goal '1 meet all': no allocation")
    assert conflict.startswith("E402 conflict of 1 hm3 (11.57 m3/s) on 2001-01-02: ")
    assert change.startswith("E402 least change: 1 hm3 of minimum_delivery 'sea' (")


def test_only_rules_that_take_part_are_named(tmp_path: Path) -> None:
    rules = [
        {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 5 * M3S},
        {"rule": "quota", "name": "cap", "volume_hm3": 1, "window": "horizon"},
    ]
    with pytest.raises(Infeasible, match="'sea'") as raised:
        solve_perfect(river(tmp_path, rules=rules))
    assert "cap" not in str(raised.value)


def test_soft_rule_is_never_to_blame(tmp_path: Path) -> None:
    rule = {
        "rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 99 * M3S,
        "soft": {"goal": 1},
    }  # fmt: skip
    assert solve_perfect(river(tmp_path, rules=[rule])).stages[0][0].value == pytest.approx(184)


def test_member_that_is_infeasible_is_named(tmp_path: Path) -> None:
    rule = {"rule": "minimum_delivery", "name": "sea", "at": "river", "flow_m3s": 3 * M3S}
    with pytest.raises(Infeasible, match="member 2002-01: goal '1 meet all'"):
        solve_perfect(years(tmp_path, {"2001-01": 300, "2002-01": 50}, rules=[rule]))
