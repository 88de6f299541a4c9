"""two_stage over random basins, against programs that know nothing of how members are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.properties import written
from tests.properties.basins import linear_goals, networks, share_goals
from tests.properties.test_laws import case_of
from wateralloc.case import Case
from wateralloc.case.foresight import Foresight, read_foresight
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.foresight.risk import Risk
from wateralloc.foresight.two_stage import JointPasses, TwoStageSolution, solve_two_stage
from wateralloc.horizon import Horizon
from wateralloc.period import build_period

SAME = 1e-6
"""Two optima, in hm3 or as a share of their size; the other solver works to 1e-7."""

RISKS: Sequence[Any] = ("expected", "worst", {"cvar": 0.3}, {"cvar": 0.8})
risks = st.sampled_from(RISKS)


def with_foresight(case: Case, risk: Any, periods: int) -> Case:
    """The case with all withdrawals of its first periods decided beforehand."""
    keys = {"two_stage": {"decisions": {"withdrawal": "all"}, "periods": periods, "risk": risk}}
    return replace(case, foresight=Foresight.model_validate(read_foresight(keys)))


def untied(case: Case, risk: Risk) -> TwoStageSolution:
    """All members in one program that have nothing in common."""
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    return JointPasses(period, horizon, [], risk).solve()


def last_values(solution: Solution) -> np.ndarray:
    """What each goal came to in its last program (member, goal)."""
    return np.array(
        [
            [
                [s for s in stages if s.goal == number][-1].value
                for number, _ in solution.period.goals
            ]
            for stages in solution.stages
        ]
    )


def losses(program: written.Written, case: Case, goal: int) -> tuple[np.ndarray, np.ndarray]:
    """Loss of a goal in each member: cost (member, column) and constant (member)."""
    cost = np.zeros((case.n_members, len(program.columns)))
    place = {member.name: k for k, member in enumerate(case.members)}
    for (_, member, _), j in program.columns.items():
        cost[place[member], j] = program.senses[goal] * program.costs[goal, j]
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    number, of_case = period.goals[goal]
    given = horizon.cost(of_case.objective(period.model, number)[0])[1]
    return cost, program.senses[goal] * given


def by_hand(case: Case, risk: Risk, periods: int) -> float:
    """Least measure of the losses of the first goal, by scipy: rows for ties, levels and excess."""
    program = written.write(case)
    n_members, n_columns = case.n_members, len(program.columns)
    names = [member.name for member in case.members]
    cost, given = losses(program, case, 0)
    ties = []
    for (label, member, t), j in program.columns.items():
        if label.startswith("withdrawal[") and member != names[0] and t < periods:
            row = np.zeros(n_columns)
            row[j], row[program.columns[label, names[0], t]] = 1.0, -1.0
            ties.append(row)
    # columns after those of the basin: level z, threshold, and what exceeds it in each member
    objective = np.zeros(n_columns + 2 + n_members)
    rows, limits = [], []
    if risk.kind == "expected":
        objective[:n_columns] = cost.mean(axis=0)
        extra = float(given.mean())
    elif risk.kind == "worst":
        objective[n_columns], extra = 1.0, 0.0
        for k in range(n_members):
            rows.append([*cost[k], -1.0, 0.0, *np.zeros(n_members)])
            limits.append(-given[k])
    else:
        objective[n_columns + 1], extra = 1.0, 0.0
        objective[n_columns + 2 :] = 1.0 / (1.0 - risk.level) / n_members
        for k in range(n_members):
            rows.append([*cost[k], 0.0, -1.0, *-np.eye(n_members)[k]])
            limits.append(-given[k])
    wide = sp.csr_matrix((program.matrix.shape[0], 2 + n_members))
    matrix = sp.hstack([program.matrix, wide]).tocsr()
    equal = program.row_lower == program.row_upper
    above, below = ~equal & np.isfinite(program.row_lower), ~equal & np.isfinite(program.row_upper)
    tied = np.hstack([np.reshape(ties, (-1, n_columns)), np.zeros((len(ties), 2 + n_members))])
    more = np.reshape(rows, (-1, n_columns + 2 + n_members))
    bounds = [
        *zip(program.lower, program.upper, strict=True),
        (None, None), (None, None), *[(0, None)] * n_members,
    ]  # fmt: skip
    found = linprog(
        objective,
        A_ub=sp.vstack([matrix[below], -matrix[above], more]).tocsr(),
        b_ub=np.concatenate([program.row_upper[below], -program.row_lower[above], limits]),
        A_eq=sp.vstack([matrix[equal], tied]).tocsr(),
        b_eq=np.concatenate([program.row_lower[equal], np.zeros(len(ties))]),
        bounds=bounds,
        method="highs-ds",
        options=written.TIGHT,
    )
    assert found.status == 0, found.message
    return float(found.fun) + extra


@settings(max_examples=25)
@given(
    drawn=networks(members=3, rules=False), goals=linear_goals(), risk=risks,
    periods=st.integers(1, 2),
)  # fmt: skip
def test_measure_is_that_of_a_program_written_out(
    drawn: dict[str, Any], goals: list[Any], risk: Any, periods: int
) -> None:
    """The first goal: by scipy over the model that Pyomo writes out, ties and levels as rows."""
    case = with_foresight(case_of(drawn, goals), risk, periods)
    solution = solve_two_stage(case)
    first = solution.joint[0]
    sign = 1.0 if first.sense == "minimise" else -1.0
    scale = np.mean([1 / stages[0].value_scale for stages in solution.stages])
    of_risk = Risk.of(case.foresight.two_stage)
    expected = by_hand(case, of_risk, periods)
    assert sign * first.value * scale == pytest.approx(expected, rel=SAME, abs=SAME)
    own = np.array([s[0].value / s[0].value_scale for s in solution.stages])
    assert of_risk.measure(sign * own) == pytest.approx(expected, rel=SAME, abs=SAME)


@settings(max_examples=15)
@given(drawn=networks(members=3), goals=linear_goals())
def test_goals_in_order_are_those_of_rows_that_cap_them(
    drawn: dict[str, Any], goals: list[Any]
) -> None:
    """Withdrawals of the first period are tied; each goal is kept by a row, by another method."""
    case = with_foresight(case_of(drawn, goals), "expected", 1)
    program = written.write(case)
    names = [member.name for member in case.members]
    for (label, member, t), j in list(program.columns.items()):
        if label.startswith("withdrawal[") and member != names[0] and t == 0:
            tie = np.zeros(len(program.columns))
            tie[j], tie[program.columns[label, names[0], t]] = 1.0, -1.0
            program.matrix = sp.vstack([program.matrix, sp.csr_matrix(tie)]).tocsr()
            program.row_lower = np.append(program.row_lower, 0.0)
            program.row_upper = np.append(program.row_upper, 0.0)
    solution = solve_two_stage(case)
    own = np.array([[s.value / s.value_scale for s in stages] for stages in solution.stages])
    np.testing.assert_allclose(own.sum(axis=0), program.optima(), rtol=SAME, atol=1e-5)
    kept = np.array([[s.kept / s.value_scale for s in stages] for stages in solution.stages])
    np.testing.assert_allclose(kept.sum(axis=0), own.sum(axis=0), rtol=SAME, atol=1e-5)


@settings(max_examples=15)
@given(drawn=networks(members=1), goals=linear_goals(), share=share_goals(), risk=risks)
def test_one_member_is_perfect(
    drawn: dict[str, Any], goals: list[Any], share: dict[str, Any], risk: Any
) -> None:
    case = with_foresight(case_of(drawn, [goals[0], share, *goals[1:]]), risk, 1)
    one, other = solve_two_stage(case), solve_perfect(case)
    np.testing.assert_allclose(last_values(one), last_values(other), rtol=SAME, atol=1e-7)


@settings(max_examples=20)
@given(drawn=networks(members=3), goals=linear_goals(), share=share_goals(), risk=risks)
def test_members_with_nothing_in_common_are_perfect(
    drawn: dict[str, Any], goals: list[Any], share: dict[str, Any], risk: Any
) -> None:
    """Whatever measures a goal: what is best for each member is best for all."""
    case = case_of(drawn, [goals[0], share, *goals[1:]])
    of_risk = Risk.of(with_foresight(case, risk, 1).foresight.two_stage)
    one, other = untied(case, of_risk), solve_perfect(case)
    np.testing.assert_allclose(last_values(one), last_values(other), rtol=SAME, atol=1e-6)


@settings(max_examples=20)
@given(drawn=networks(members=3), goals=linear_goals(), risk=risks, periods=st.integers(1, 2))
def test_perfect_is_never_worse(
    drawn: dict[str, Any], goals: list[Any], risk: Any, periods: int
) -> None:
    """The first goal, member by member: to know more never costs."""
    case = with_foresight(case_of(drawn, goals), risk, periods)
    one, other = solve_two_stage(case), solve_perfect(case)
    for of_two, of_one in zip(one.stages, other.stages, strict=True):
        sign = 1.0 if of_one[0].sense == "minimise" else -1.0
        best, value = sign * of_one[0].value, sign * of_two[0].value
        assert best <= value + SAME * (1 + abs(best))
    assert one.certificate.is_valid
    lp, m = one.horizon.stack(), one.period.model
    assert (one.x >= lp.col_lower - 1e-6).all()
    assert (one.x <= lp.col_upper + 1e-6).all()
    for d in m.demand_name:
        taken = one.value(m.withdrawal[d])[:, :periods]
        np.testing.assert_allclose(taken, np.broadcast_to(taken[:1], taken.shape), atol=1e-9)
