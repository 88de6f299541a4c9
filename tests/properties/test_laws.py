"""The laws of the formulation and of the solver, over random basins.

One formulation, written once; answers that do not depend on order; every optimum certified, by a
certificate that can fail; staging that loses nothing; leximin by its definition.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wateralloc
from tests.everything import everything
from tests.properties import written
from tests.properties.basins import (
    MEET,
    linear_goals,
    networks,
    read,
    share_goals,
)
from tests.properties.physics import physical_basins
from tests.small import at_fixed_lines, make_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.goals.share import Share
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import build_period
from wateralloc.solve import FEASIBILITY, GAP, Stages, certify

SAME = 1e-6
"""Two optima, in hm3 or as a share of their size; the other solver works to 1e-7."""


def case_of(drawn: dict[str, Any], goals: list[Any]) -> Case:
    """A case of drawn tables; the laws are those of linear programs, so its lines are fixed."""
    with tempfile.TemporaryDirectory() as folder:
        return at_fixed_lines(read(folder, drawn, goals))


# --- one formulation ----------------------------------------------------------------------------


@settings(max_examples=60)
@given(drawn=networks(members=3), goals=linear_goals(), share=share_goals())
def test_stacked_program_is_the_one_pyomo_writes(
    drawn: dict[str, Any], goals: list[Any], share: dict[str, Any]
) -> None:
    """Row by row and column by column, with rules, windows, lags and several members."""
    stacked, full = written.both_programs(case_of(drawn, [share, *goals]))
    assert written.differences(stacked, full) == []


@settings(max_examples=8)
@given(basin=physical_basins(members=3))
def test_stacked_physics_is_the_one_pyomo_writes(basin: dict[str, Any]) -> None:
    """With every part: travel, lakes, splits, works, aquifers, head; lines as in the first pass."""
    with tempfile.TemporaryDirectory() as folder:
        case = at_fixed_lines(make_case(Path(folder), **basin))
    stacked, full = written.both_programs(case)
    assert written.differences(stacked, full) == []


@settings(max_examples=6)
@given(basin=physical_basins(members=2))
def test_program_after_the_passes_is_a_fresh_stack_of_their_lines(basin: dict[str, Any]) -> None:
    """Renewing the numbers of lines pass by pass leaves nothing of former lines behind."""
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **basin)
    solution = solve_perfect(case)
    refreshed = solution.horizon.stack()
    fresh = Horizon(solution.period.model, case.n_members, case.n_periods).stack()
    for k in range(case.n_members):
        one, other = refreshed.member(k), fresh.member(k)
        assert (one.matrix != other.matrix).nnz == 0
        for name in ("col_lower", "col_upper", "row_lower", "row_upper"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_comparison_notices_one_number() -> None:
    case = case_of(_fixed_network(), [{"meet": {}}, {"minimise": "cost"}])
    stacked, full = written.both_programs(case)
    assert written.differences(stacked, full) == []
    for name in ("matrix", "lower", "upper", "row_upper", "costs", "constants"):
        wrong = deepcopy(full)
        array = getattr(wrong, name)
        array = array.data if name == "matrix" else array.reshape(-1)
        array[np.flatnonzero(np.isfinite(array))[-1]] += 1e-6
        assert written.differences(stacked, wrong), name


def _fixed_network() -> dict[str, Any]:
    """Two nodes, a lake, a canal and two users; two years."""
    months = [f"200{y}-{m:02d}-01" for y in (1, 2) for m in range(1, 13)]
    return {
        "periods": 4,
        "more": {
            "timeline": {"start": "2001-01-01", "periods": 4, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        "rules": [{"rule": "quota", "name": "cap", "sectors": ["farm"], "volume_hm3": 300.0}],
        "nodes": [
            {"name": "lake", "kind": "reservoir"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "river", "from": "lake", "to": "town", "kind": "reach", "lag_periods": 1,
             "initial_hm3_day": 1, "loss_fraction": 0.1},
            {"name": "weir", "from": "lake", "to": "town", "kind": "spillway"},
            {"name": "canal", "from": "lake", "to": "sea", "kind": "canal", "cost_vnd_m3": 3,
             "capacity_hm3_day": 4},
            {"name": "mouth", "from": "town", "to": "sea", "kind": "reach",
             "minimum_hm3_day": 0.5},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 200, "initial_hm3": 60,
             "target_hm3": 40}
        ],
        "demands": [
            {"name": "houses", "node": "town", "sector": "town", "region": "all",
             "demand_hm3_day": 3, "consumption_fraction": 0.3, "return_to": "sea"},
            {"name": "rice", "node": "lake", "sector": "farm", "region": "all",
             "demand_hm3_day": 8, "consumption_fraction": 0.6, "return_to": "town",
             "return_weights": "0.5 0.5"},
        ],
        "series": {
            "inflow_hm3_day": {
                "date": months,
                "lake": [3, 9, 2, 5, 4, 4, 4, 4, 4, 4, 4, 4, 7, 1, 1, 8, 4, 4, 4, 4, 4, 4, 4, 4],
                "town": [1.5, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1],
            }
        },
    }  # fmt: skip


@settings(max_examples=15)
@given(drawn=networks(members=2), goals=linear_goals())
def test_every_linear_goal_alone_has_the_same_optimum_by_another_route(
    drawn: dict[str, Any], goals: list[Any]
) -> None:
    """Cold, through Pyomo's arrays and scipy, against a first stage of ours."""
    case = case_of(drawn, goals)
    period = build_period(case)
    for k, member in enumerate(case.members):
        horizon = Horizon(period.model, case.n_members, case.n_periods)
        lp = horizon.stack().member(k)
        full = written.write(replace(case, members=(member,)))
        for i, (number, goal) in enumerate(period.goals):
            expression, sense = goal.objective(period.model, number)
            cost, constant = horizon.cost(expression)
            found = Stages(lp).optimise("alone", cost[k], sense, constant[k])
            assert found.objective == pytest.approx(full.optimum(i), rel=SAME, abs=SAME)


# --- members ------------------------------------------------------------------------------------


def by_member(solution: Solution) -> dict[str, tuple[np.ndarray, tuple[float, ...]]]:
    return {
        member.name: (x, tuple(stage.value for stage in stages))
        for member, x, stages in zip(
            solution.case.members, solution.x, solution.stages, strict=True
        )
    }


@settings(max_examples=15)
@given(drawn=networks(members=3), goals=linear_goals(), share=share_goals())
def test_members_together_alone_and_in_any_order_are_equal_to_the_bit(
    drawn: dict[str, Any], goals: list[Any], share: dict[str, Any]
) -> None:
    case = case_of(drawn, [goals[0], share, *goals[1:3]])
    together = by_member(solve_perfect(case))
    backwards = by_member(solve_perfect(replace(case, members=case.members[::-1])))
    alone: dict[str, Any] = {}
    for member in case.members:
        alone |= by_member(solve_perfect(replace(case, members=(member,))))
    for name, (x, optima) in together.items():
        for other_x, other_optima in (backwards[name], alone[name]):
            assert x.tobytes() == other_x.tobytes()
            assert optima == other_optima


@settings(max_examples=6)
@given(basin=physical_basins(members=3))
def test_lines_of_a_member_move_as_if_it_were_alone(basin: dict[str, Any]) -> None:
    """Passes of all members go side by side, each at its own pace, and none sees another."""
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **basin)
    together = solve_perfect(case)
    backwards = solve_perfect(replace(case, members=case.members[::-1]))
    for k, member in enumerate(case.members):
        alone = solve_perfect(replace(case, members=(member,)))
        for other, place in ((alone, 0), (backwards, case.n_members - 1 - k)):
            assert together.x[k].tobytes() == other.x[place].tobytes()
            mine, theirs = (
                [replace(p, seconds=0.0) for p in s.convergence[i].passes]
                for s, i in ((together, k), (other, place))
            )
            assert mine == theirs


@settings(max_examples=15)
@given(drawn=networks(members=3), goals=linear_goals())
def test_joint_program_without_common_columns_gives_the_sum(
    drawn: dict[str, Any], goals: list[Any]
) -> None:
    case = case_of(drawn, goals)
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack()
    joint = lp.joint()
    expression, sense = period.goals[0][1].objective(period.model, 1)
    cost, constant = horizon.cost(expression)
    alone = [
        Stages(lp.member(k)).optimise("alone", cost[k], sense, constant[k]).objective
        for k in range(case.n_members)
    ]
    stages = Stages(joint)
    found = stages.optimise("joint", joint.join_cost(cost), sense, float(constant.sum()))
    assert found.objective == pytest.approx(sum(alone), rel=1e-9, abs=1e-7)
    split = joint.split_columns(found.x)
    each = (split * cost).sum(axis=1) + constant
    np.testing.assert_allclose(each, alone, rtol=1e-7, atol=1e-6)


PROMISE = """\
import numpy as np
import pyomo.environ as pyo


def promise(m, case):
    m.promised = pyo.Var(bounds=(0, None))
    m.repeats.share(m.promised, np.zeros(case.n_periods, int), over_members=True)
    m.kept = pyo.Constraint(expr=m.withdrawal["d0"] <= m.promised)
    m.rest = pyo.Constraint(expr=m.withdrawal["d1"] <= 100 - m.promised)
"""


@settings(max_examples=15)
@given(drawn=networks(members=3, soft=False))
def test_promise_made_to_all_members_is_one_column(drawn: dict[str, Any]) -> None:
    """Joined by a column in common: as Pyomo writes it, and never better than each member alone."""
    rule = {"rule": "python", "name": "own", "file": "own.py", "function": "promise"}
    drawn = {**drawn, "rules": [*drawn["rules"], rule]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "own.py").write_text(PROMISE, encoding="utf-8")
        case = at_fixed_lines(read(folder, drawn, [{"meet": {}}]))
        stacked, full = written.both_programs(case)
        assert written.differences(stacked, full) == []
        joint = stacked.optimum(0)
        assert joint == pytest.approx(full.optimum(0), rel=SAME, abs=SAME)
        alone = solve_perfect(case)
    volumes = [s[0].value / s[0].value_scale for s in alone.stages]
    assert joint >= sum(volumes) - SAME * (1 + abs(joint))


# --- more water ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(drawn=networks(members=1, soft=False), data=st.data(), more=st.sampled_from([0.25, 30.0]))
def test_more_inflow_never_raises_the_deficit(
    drawn: dict[str, Any], data: st.DataObject, more: float
) -> None:
    """Of the first goal; no reach has a capacity, so what is too much can be spilled."""
    other = deepcopy(drawn)
    columns = other["series"]["inflow_hm3_day"]
    node = data.draw(st.sampled_from([name for name in columns if name != "date"]))
    columns[node][data.draw(st.integers(0, drawn["periods"] - 1))] += more
    before, after = (solve_perfect(case_of(d, MEET)).stages[0][0].value for d in (drawn, other))
    assert after <= before + 1e-9


@settings(max_examples=12)
@given(
    basin=physical_basins(members=1),
    goal=st.sampled_from([{"meet": {}}, {"maximise": "energy"}, {"firm_energy": {}}]),
    node=st.sampled_from(["head", "upper", "hill", "fork"]),
    more=st.sampled_from([0.25, 30.0]),
)
def test_more_inflow_never_lowers_service_or_energy(
    basin: dict[str, Any], goal: dict[str, Any], node: str, more: float
) -> None:
    """At fixed lines: all that is added can pass on by weirs and reaches, as the lines divide it.

    Then turbines and users keep what they had, and intakes are no less open.
    """
    basin["goals"] = [goal]
    best = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            case = at_fixed_lines(make_case(Path(folder), **basin))
        (stage, *_) = solve_perfect(case).stages[0]
        best.append(stage.value * (-1.0 if stage.sense == "minimise" else 1.0))
        basin["series"]["inflow_hm3_day"][node][1] += more
    assert best[1] >= best[0] - 1e-9 * (1 + abs(best[0]))


# --- the certificate ----------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    drawn=networks(members=1),
    goals=linear_goals(),
    data=st.data(),
    factor=st.sampled_from([1e-4, 1.0, -1.0]),
)
def test_certificate_refuses_a_tampered_optimum(
    drawn: dict[str, Any], goals: list[Any], data: st.DataObject, factor: float
) -> None:
    """One entry of x or y is moved, chosen such that the move must be wrong.

    A column that stands in an equation cannot move alone.  The dual of a row that is not at its
    limit must be zero; the dual of a row with a column strictly within its bounds is what makes
    that column's reduced cost zero.
    """
    case = case_of(drawn, goals)
    period = build_period(case)
    horizon = Horizon(period.model, 1, case.n_periods)
    lp = horizon.stack().member(0)
    expression, sense = period.goals[0][1].objective(period.model, 1)
    optimum = Stages(lp).optimise("first", horizon.cost(expression)[0][0], sense)
    cost, x, y = optimum.cost, optimum.x, optimum.y / optimum.cost_scale
    assert certify(lp, cost, x, y).is_valid
    matrix = lp.matrix.toarray()

    equal = lp.row_lower == lp.row_upper
    movable = np.flatnonzero((np.abs(matrix[equal]) > 0.1).any(axis=0))
    j = movable[data.draw(st.integers(0, movable.size - 1))]
    wrong = x.copy()
    wrong[j] += factor * (1 + np.abs(lp.row_lower[equal]).max())
    assert not certify(lp, cost, wrong, y).is_valid

    within = (x > lp.col_lower + 0.1) & (x < lp.col_upper - 0.1)
    activity = matrix @ x
    slack = (activity > lp.row_lower + 0.1) & (activity < lp.row_upper - 0.1)
    proven = np.flatnonzero(slack | (np.abs(matrix[:, within]) > 0.1).any(axis=1))
    if proven.size:
        i = proven[data.draw(st.integers(0, proven.size - 1))]
        wrong = y.copy()
        wrong[i] += factor
        assert not certify(lp, cost, x, wrong).is_valid


@settings(max_examples=20)
@given(drawn=networks(members=1), goals=linear_goals(), seed=st.integers(0, 2**31))
def test_certificate_that_holds_is_true(drawn: dict[str, Any], goals: list[Any], seed: int) -> None:
    """Whatever x and y are given: if they pass, x is feasible and no other x is better."""
    case = case_of(drawn, goals)
    period = build_period(case)
    horizon = Horizon(period.model, 1, case.n_periods)
    lp = horizon.stack().member(0)
    expression, sense = period.goals[0][1].objective(period.model, 1)
    stages = Stages(lp)
    optimum = stages.optimise("first", horizon.cost(expression)[0][0], sense)
    cost, x, y = optimum.cost, optimum.x, optimum.y / optimum.cost_scale
    best = float(cost @ x)
    size = max(1.0, abs(best))
    random = np.random.default_rng(seed)
    other = Stages(lp).optimise("other", random.normal(size=x.size).clip(0), "minimise")
    tried = [(other.x, y), (x, other.y), (other.x, other.y), (x, np.zeros(y.size)), (x * 0, y)]
    tried += [(x, y * random.choice([1.0, 0.999], y.size)), (np.where(x > 1, x - 1, x), y)]
    for some_x, some_y in tried:
        if certify(lp, cost, some_x, some_y).is_valid:
            assert _violation(lp, some_x) <= 2 * FEASIBILITY
            assert float(cost @ some_x) <= best + 1e-6 * size + GAP * size


def _violation(lp: MemberProgram, x: np.ndarray) -> float:
    """Largest violation of a limit, written out entry by entry."""
    activity = [0.0] * lp.row_lower.size
    for j, value in enumerate(x):
        for p in range(lp.indptr[j], lp.indptr[j + 1]):
            activity[lp.indices[p]] += lp.data[p] * value
    worst = 0.0
    for values, lows, highs in (
        (x, lp.col_lower, lp.col_upper),
        (activity, lp.row_lower, lp.row_upper),
    ):
        for value, low, high in zip(values, lows, highs, strict=True):
            if np.isfinite(low):
                worst = max(worst, (low - value) / (1 + abs(low)))
            if np.isfinite(high):
                worst = max(worst, (value - high) / (1 + abs(high)))
    return worst


# --- staging ------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(drawn=networks(members=1), goals=linear_goals())
def test_staging_loses_nothing(drawn: dict[str, Any], goals: list[Any]) -> None:
    """Held optima stay; a later optimum is that of the program with rows that cap former goals."""
    case = case_of(drawn, goals)
    solution = solve_perfect(case)
    assert solution.drift.max() <= 1e-9
    optima = [stage.value / stage.value_scale for stage in solution.stages[0]]
    np.testing.assert_allclose(optima, written.write(case).optima(), rtol=SAME, atol=1e-5)
    # the held optima, from the last x and the goals' own expressions
    for (number, goal), optimum in zip(solution.period.goals, optima, strict=True):
        expression, _ = goal.objective(solution.period.model, number)
        at_end = float(solution.value(expression).sum())
        assert at_end == pytest.approx(optimum, rel=1e-9, abs=1e-9)


# --- leximin ------------------------------------------------------------------------------------


def claims(case: Case, goal: Share) -> list[tuple[list[str], np.ndarray, float]]:
    """Demands, periods and volume asked of each claimant in each window that asks something."""
    window = case.timeline.window(goal.window, goal.months or None)
    asked = build_period(case).model.demand
    found = []
    for demands in goal.groups(case.basin, 0).values():
        for number in range(int(window.max()) + 1):
            periods = np.flatnonzero(window == number)
            volume = float(sum(asked[d].value[0, periods].sum() for d in demands))
            if volume > 0:
                found.append((demands, periods, volume))
    return found


@settings(max_examples=40)
@given(
    drawn=networks(members=1),
    before=st.lists(st.sampled_from([*MEET[:1], {"minimise": "cost"}]), max_size=1),
    share=share_goals(),
)
def test_leximin_by_its_definition(
    drawn: dict[str, Any], before: list[Any], share: dict[str, Any]
) -> None:
    """No claimant can be raised unless one that is at or below its level is lowered.

    Each is tried by a program of its own, in which former goals are kept by rows and those at or
    below its level keep what they have.
    """
    goals = [*before, share, {"minimise": "spill"}, {"maximise": "outflow"}]
    case = case_of(drawn, goals)
    solution = solve_perfect(case)
    period = solution.period
    place, goal = next((n, g) for n, g in period.goals if isinstance(g, Share))
    full = written.write(case)
    for i, stage in enumerate(s for s in solution.stages[0] if s.goal < place):
        sign = full.senses[i]
        best = stage.value / stage.value_scale
        full.keep(sign * full.costs[i], sign * (best - full.constants[i]))
    withdrawal = {
        d: solution.value(period.model.withdrawal[d])[0] for d in period.model.demand_name
    }
    member = case.members[0].name
    found = claims(case, goal)
    costs = []
    for demands, periods, volume in found:
        cost = np.zeros(full.lower.size)
        for d in demands:
            for t in periods:
                cost[full.columns[f"withdrawal[{d}]", member, int(t)]] = 1 / volume
        costs.append(cost)
    levels = [
        sum(withdrawal[d][periods].sum() for d in demands) / volume
        for demands, periods, volume in found
    ]
    free = (full.matrix, full.row_lower, full.row_upper)
    for cost, level in zip(costs, levels, strict=True):
        full.matrix, full.row_lower, full.row_upper = free
        for other, other_level in zip(costs, levels, strict=True):
            if other is not cost and other_level <= level + 1e-5:
                full.keep(-other, -other_level)
        highest = -full.least(-cost)[0]
        assert highest <= level + 1e-5


# --- the same numbers ---------------------------------------------------------------------------

RUN = "import sys, wateralloc; wateralloc.run(sys.argv[1]).write(sys.argv[2])"
TIMES = ("seconds", "seconds_by_stage")


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    """In this process and in another, where names hash to other numbers."""
    everything(tmp_path)
    case = tmp_path / "case.yaml"
    folders = [wateralloc.run(case).write(tmp_path / name) for name in ("first", "second")]
    other = tmp_path / "other"
    subprocess.run(
        [sys.executable, "-c", RUN, str(case), str(other)],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        check=True,
        capture_output=True,
    )
    first, *others = [files_of(folder) for folder in (*folders, other)]
    assert {"results.nc", "allocation.csv", "balance.csv", "manifest.json"} <= set(first)
    for of_other in others:
        assert set(of_other) == set(first)
        for name, content in first.items():
            assert of_other[name] == content, name


def files_of(folder: Path) -> dict[str, Any]:
    """Bytes of every file; of the manifest all but the times."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    manifest = json.loads(found["manifest.json"])
    assert set(manifest) > set(TIMES)
    found["manifest.json"] = {k: v for k, v in manifest.items() if k not in TIMES}
    return found
