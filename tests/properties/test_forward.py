"""Windows of the horizon: each is the program of the whole with the past fixed, and the ways to
look ahead agree where they must."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.properties.basins import M3S, MEET, linear_goals, networks, read, share_goals
from tests.properties.physics import physical_basins
from tests.properties.test_rolling import rivers as rivers_over_windows
from tests.small import at_fixed_lines, inflow, make_case
from wateralloc.case import Case
from wateralloc.case.foresight import Foresight, read_foresight
from wateralloc.errors import Infeasible
from wateralloc.foresight import solve
from wateralloc.foresight.forward import March, note_lines, windows_of
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.horizon import Horizon, Reading, Realised, Sight
from wateralloc.hydrology import Member
from wateralloc.period import build_period
from wateralloc.solve import Stages

SAME = 1e-6


def looking(case: Case, foresight: Any) -> Case:
    return replace(case, foresight=Foresight.model_validate(read_foresight(foresight)))


def case_of(drawn: dict[str, Any], goals: list[Any], foresight: Any = "perfect") -> Case:
    with tempfile.TemporaryDirectory() as folder:
        return looking(at_fixed_lines(read(folder, drawn, goals)), foresight)


def with_windows(drawn: dict[str, Any]) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        return at_fixed_lines(make_case(Path(folder), **drawn))


def check_window_to_the_end(case: Case, first: int, weights: np.random.Generator) -> None:
    """The program of a window that reaches the end is the whole one with the past at its value."""
    solution = solve_perfect(case)
    reading = Reading(solution.period.model)
    note_lines(solution.period, reading)
    whole = Horizon(solution.period.model, case.n_members, case.n_periods, reading=reading)
    lp = whole.stack()
    columns = [whole.columns[id(v)] for v in reading.variables]
    realised = Realised(columns, solution.x)
    for place, constraint in enumerate(reading.constraints):
        if id(constraint) in reading.repeats.totals:
            realised.activity[place] = own_activity(reading, whole, constraint, solution.x)
    rows = np.arange(case.n_members)[:, None] + np.zeros(case.n_periods - first, int)
    sight = Sight(first, case.timeline.days, rows, realised)
    window = Horizon(solution.period.model, case.n_members, case.n_periods - first, sight, reading)
    with reading.localised(sight):
        part = window.stack()
    # what is decided before: columns that no period in sight has, or that are decided once
    carried = {id(note.now) for note in reading.repeats.carried}
    open_columns, pairs = set(), {}
    for variable in reading.variables:
        if id(variable) in carried:
            continue
        of_whole, of_window = whole.columns[id(variable)], window.columns[id(variable)]
        for t in range(first, case.n_periods):
            began = variable_began(reading, variable, t) < first
            if not began or id(variable) in reading.free:
                open_columns.add(int(of_whole[t]))
                pairs[int(of_window[t - first])] = int(of_whole[t])
    cost = np.zeros(lp.n_columns)
    at = np.array(sorted(open_columns))
    cost[at] = weights.uniform(-1, 1, at.size)
    of_part = np.zeros(part.n_columns)
    for column, of_whole_column in pairs.items():
        of_part[column] = cost[of_whole_column]
    for k in range(case.n_members):
        fixed = lp.member(k)
        lower, upper = fixed.col_lower.copy(), fixed.col_upper.copy()
        past = np.setdiff1d(np.arange(lp.n_columns), at)
        lower[past] = upper[past] = solution.x[k, past]
        # a bounded cost: every column in sight stays within 1e5
        lower[at], upper[at] = np.maximum(lower[at], -1e5), np.minimum(upper[at], 1e5)
        one = Stages(replace(fixed, col_lower=lower, col_upper=upper)).optimise("whole", cost)
        own = part.member(k)
        bound = np.array(sorted(pairs))
        lower, upper = own.col_lower.copy(), own.col_upper.copy()
        lower[bound] = np.maximum(lower[bound], -1e5)
        upper[bound] = np.minimum(upper[bound], 1e5)
        other = Stages(replace(own, col_lower=lower, col_upper=upper)).optimise("part", of_part)
        assert other.objective == pytest.approx(one.objective, rel=1e-6, abs=1e-5)


def variable_began(reading: Reading, variable: Any, period: int) -> int:
    """First period of the column that a variable has in a period."""
    window = reading.repeats.shared.get(id(variable))
    return period if window is None else int(np.flatnonzero(window == window[period])[0])


def own_activity(reading: Reading, whole: Horizon, constraint: Any, x: np.ndarray) -> np.ndarray:
    """Body of a row in each period, without levels and what counts once."""
    linear = reading.linear(reading.row(constraint)[1])
    total = np.zeros((x.shape[0], whole.n_periods)) + whole.array(linear.constant)
    for coefficient, variable in zip(linear.coefficients, linear.variables, strict=True):
        if id(variable) not in reading.free and id(variable) not in reading.repeats.once:
            total += whole.array(coefficient) * x[:, whole.columns[id(variable)]]
    return total


@settings(max_examples=25)
@given(drawn=networks(members=2), goals=linear_goals(), data=st.data())
def test_window_to_the_end_is_the_whole_program_with_the_past_fixed(
    drawn: dict[str, Any], goals: list[Any], data: st.DataObject
) -> None:
    case = case_of(drawn, goals[:2])
    first = data.draw(st.integers(0, case.n_periods - 1))
    check_window_to_the_end(case, first, np.random.default_rng(first))


@settings(max_examples=25)
@given(drawn=rivers_over_windows(), data=st.data())
def test_rows_over_windows_count_what_came_before(
    drawn: dict[str, Any], data: st.DataObject
) -> None:
    case = with_windows(drawn)
    first = data.draw(st.integers(0, case.n_periods - 1))
    check_window_to_the_end(case, first, np.random.default_rng(first))


@settings(max_examples=12)
@given(drawn=networks(members=2), goals=linear_goals(), share=share_goals())
def test_a_window_over_all_with_a_perfect_forecast_is_perfect(
    drawn: dict[str, Any], goals: list[Any], share: dict[str, Any]
) -> None:
    case = case_of(drawn, [goals[0], share, *goals[1:3]])
    perfect = solve(case)
    rolling = solve(looking(case, {"rolling": {"window": 99, "forecast": "perfect"}}))
    assert perfect.x.tobytes() == rolling.x.tobytes()
    last = [{stage.goal: stage for stage in stages} for stages in perfect.stages]
    for of_goal, stages in zip(last, rolling.stages, strict=True):
        for stage in stages:
            one = of_goal[stage.goal]
            assert stage.value == pytest.approx(one.value, rel=1e-7, abs=1e-7)
            np.testing.assert_array_equal(stage.balance_price, one.balance_price)


@settings(max_examples=4)
@given(basin=physical_basins(members=2))
def test_a_window_over_all_is_perfect_with_lines_that_move(basin: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **basin)
    perfect = solve(case)
    rolling = solve(looking(case, {"rolling": {"window": 99, "forecast": "perfect"}}))
    assert perfect.x.tobytes() == rolling.x.tobytes()


WAYS: list[Any] = [
    "simulate",
    {"rolling": {"window": 2, "forecast": "perfect"}},
    {"rolling": {"window": 3, "stride": 2, "forecast": "perfect"}},
]


def is_allowed(case: Case, solution: Solution) -> np.ndarray:
    """Tell whether a solution is one of the program that sees all (member)."""
    period = build_period(replace(case, foresight=Foresight()))
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack()
    named = {v.name: solution.horizon.columns[id(v)] for v in solution.horizon.variables}
    x = np.zeros((case.n_members, lp.n_columns))
    x[:] = lp.col_lower
    for variable in horizon.variables:
        if variable.name in named and not variable.name.startswith("goals."):
            x[:, horizon.columns[id(variable)]] = solution.x[:, named[variable.name]]
    is_goal = np.zeros(lp.n_rows, bool)
    for constraint in horizon.constraints:
        is_goal[horizon.rows[id(constraint)]] = constraint.name.startswith("goals.")
    found = []
    for k in range(case.n_members):
        one = lp.member(k)
        activity = one.matrix @ x[k]
        room = SAME * (1 + np.abs(activity))
        of_rows = (activity >= one.row_lower - room) & (activity <= one.row_upper + room)
        of_goals = np.zeros(lp.n_columns, bool)
        for variable in horizon.variables:
            of_goals[horizon.columns[id(variable)]] = variable.name.startswith("goals.")
        of_columns = (x[k] >= one.col_lower - SAME) & (x[k] <= one.col_upper + SAME)
        found.append((of_rows | is_goal).all() and (of_columns | of_goals).all())
    return np.array(found)


@settings(max_examples=25)
@given(drawn=networks(members=2), goals=linear_goals(), way=st.sampled_from(WAYS))
def test_perfect_is_never_worse(drawn: dict[str, Any], goals: list[Any], way: Any) -> None:
    """In the order of the goals, of all that keep the hard limits and the target at the end."""
    case = case_of(drawn, goals)
    try:
        forward = solve(looking(case, way))
    except Infeasible:  # a rule that nobody could keep without knowing what comes
        assume(False)
    allowed = is_allowed(case, forward)
    assume(allowed.any())
    best = solve_perfect(case)
    for k in np.flatnonzero(allowed):
        # goals by name: forward has one more, for what is left at the end
        came = {s.name.split(" ", 1)[1]: s for s in forward.stages[k]}
        for stage in best.stages[k]:
            other = came[stage.name.split(" ", 1)[1]]
            better = 1 if stage.sense == "maximise" else -1
            gap = better * (stage.value - other.value)
            assert gap >= -SAME * (1 + abs(stage.value)), (stage.name, stage.value, other.value)
            if gap > SAME * (1 + abs(stage.value)):
                break


@settings(max_examples=10)
@given(drawn=networks(members=3), goals=linear_goals(), way=st.sampled_from(WAYS))
def test_members_go_forward_as_if_alone(drawn: dict[str, Any], goals: list[Any], way: Any) -> None:
    case = looking(case_of(drawn, goals), way)
    try:
        together = solve(case)
    except Infeasible:
        assume(False)
    for k in range(case.n_members):
        alone = solve(case.with_members([k]))
        assert together.x[k].tobytes() == alone.x[0].tobytes()


@settings(max_examples=25)
@given(drawn=networks(members=3, rules=False), goals=linear_goals())
def test_steps_from_the_last_basis_are_those_of_the_windows(
    drawn: dict[str, Any], goals: list[Any]
) -> None:
    """Where only limits move: another algorithm on the same programs, to the last column."""
    case = by_days(drawn, goals)
    march = March(case)
    steady = march.steady()
    assert steady is not None
    try:
        windows = solve_by_windows(case)
    except Infeasible:
        assume(False)
    steady.solve(None)
    march.tell_steps(steady)
    np.testing.assert_allclose(march.realised.x, windows.realised.x, rtol=1e-6, atol=1e-5)
    one, other = march.solution(), windows.solution()
    assert one.certificate.is_valid
    for mine, theirs in zip(one.stages, other.stages, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert a.value == pytest.approx(b.value, rel=1e-6, abs=1e-5)
            assert (a.unit, a.sense) == (b.unit, b.sense)


def by_days(drawn: dict[str, Any], goals: list[Any]) -> Case:
    """Take the months of a network for days, which all are as long, without evaporation."""
    months = drawn["series"]["inflow_hm3_day"]
    series = {name: values for name, values in months.items() if name != "date"}
    periods = drawn["periods"]
    starts = range(0, len(months["date"]), 12)
    reservoirs = [
        {key: value for key, value in row.items() if key != "evaporation_mm_day"}
        for row in drawn.get("reservoirs", ())
    ]
    if reservoirs:
        drawn = drawn | {"reservoirs": reservoirs}
        goals = [*goals, {"end_storage": {"target": "full", "missing": "volume"}}]
    drawn = drawn | {"series": inflow(**series), "more": {}}
    case = case_of(drawn, goals, "simulate")
    given = {
        name: np.array([values[start : start + periods] for start in starts]) * M3S
        for name, values in series.items()
    }
    members = [Member(f"m{k}") for k, _ in enumerate(starts)]
    return replace(case, members=members, given={"inflow": given})


def solve_by_windows(case: Case) -> March:
    march = March(case)
    for window in windows_of(case):
        march.step(*window)
    return march


@settings(max_examples=12)
@given(drawn=networks(members=1, rules=False))
def test_simulation_equals_cases_of_one_period_each(drawn: dict[str, Any]) -> None:
    """Every step solved from scratch, as a case of its own that starts with what was left."""
    lagged = (
        "lag_periods", "lag_h", "muskingum_k_h", "muskingum_x", "initial_hm3_day",
        "return_lag_periods", "return_weights", "initial_withdrawal_hm3_day",
    )  # fmt: skip
    for table in ("links", "demands"):
        for row in drawn[table]:
            for key in lagged:
                row.pop(key, None)
    goals = [*MEET, {"end_storage": {"target": "full"}}, {"maximise": "storage_end"}]
    goals = goals if drawn.get("reservoirs") else MEET
    case = case_of(drawn, goals, "simulate")
    forward = solve(case)
    m = forward.period.model
    reservoirs = list(m.reservoir)
    storage = {r: forward.value(m.storage_start[r])[0, 0] for r in reservoirs}
    table = case.basin.tables["reservoirs"]
    for t in range(case.n_periods):
        line = case.timeline
        part = replace(line, start=str(line.starts[t]), periods=1)
        now = table.copy()
        for r in reservoirs:
            now.loc[r, "initial"], now.loc[r, "target"] = storage[r], now.loc[r, "dead"]
        basin = replace(case.basin, tables={**case.basin.tables, "reservoirs": now})
        with tempfile.TemporaryDirectory() as folder:
            asked = at_fixed_lines(read(folder, drawn, goals))
        alone = replace(asked, basin=basin, timeline=part)
        one = solve_perfect(alone)
        storage = {r: one.value(one.period.model.storage_end[r])[0, 0] for r in reservoirs}
        for r in reservoirs:
            came = forward.value(m.storage_end[r])[0, t]
            assert storage[r] == pytest.approx(came, rel=1e-6, abs=1e-5)
        deficit = sum(
            float((one.value(one.period.model.demand[d]) - one.value(w)).sum())
            for d, w in one.period.model.withdrawal.items()
        )
        same = sum(
            float((forward.value(m.demand[d]) - forward.value(w))[0, t])
            for d, w in m.withdrawal.items()
        )
        assert deficit == pytest.approx(same, rel=1e-6, abs=1e-5)
