"""Passes of successive linear programming: which is kept, how far the next goes, when they end."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.basins import month_starts
from tests.everything import everything
from tests.everything import parts as every_part
from tests.small import inflow, make_case
from wateralloc.case import Case
from wateralloc.case.keys import LinearisationKeys
from wateralloc.errors import Infeasible, SolveError
from wateralloc.foresight import perfect
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.foresight.successive import Judge, Lines, Merit, Region, choose
from wateralloc.horizon import Horizon
from wateralloc.period import build_period
from wateralloc.results import collect

# --- merits ---------------------------------------------------------------------------------------


def merit(value: float, foretold: float | None = None, error: float = 0.0) -> Merit:
    """A pass of one goal that lines are in."""
    foretold = value if foretold is None else foretold
    return Merit(np.array([value]), np.array([foretold]), np.array([True]), error)


def test_the_first_goal_that_differs_decides_from_the_first_with_lines_on() -> None:
    def of(*values: float) -> Merit:
        moving = np.array([False, True, True, False])
        return Merit(np.array(values), np.array(values), moving, 0.0)

    # before it goals differ only by what lines in the balance were off
    assert of(-2, 5.1, 3, 1).is_better(of(-1, 5, 9, 9), 1e-3)
    assert not of(-1, 5, 9, 9).is_better(of(-2, 5.1, 3, 1), 1e-3)
    # with lines they are equal to a millionth, without to the tolerance
    assert of(0, 5 * (1 + 2e-6), 1, 1).is_better(of(0, 5, 9, 9), 1e-3)
    assert of(0, 5 * (1 - 5e-7), 9.1, 1).is_better(of(0, 5, 9, 9), 1e-3)
    assert of(0, 5, 9, 1.002).is_better(of(0, 5, 9, 1), 1e-3)
    assert not of(0, 5, 9, 1.0009).is_better(of(0, 5, 9, 1), 1e-3)
    assert not of(0, 5, 9, 9).is_better(of(0, 5, 9, 9), 1e-3)
    assert of(0, 5, 9, 9).first == (5, 5)


# --- judge ----------------------------------------------------------------------------------------


def judge(passes: int = 15, tolerance: float = 1e-3, *, has_leading: bool = False) -> Judge:
    keys = LinearisationKeys(passes=passes, tolerance=tolerance)
    return Judge(SimpleNamespace(linearisation=keys), has_leading)


def take(of: Judge, value: float, foretold: float, step: float, error: float = 0.0) -> bool:
    return of.take(merit(value, foretold, error), step, 7, 0.5)


def test_first_pass_is_kept_and_the_next_may_go_anywhere() -> None:
    j = judge()
    assert take(j, 10, 20, 0.0)
    (only,) = j.passes
    assert (only.number, only.value, only.foretold, only.is_kept) == (1, 10, 20, True)
    assert (only.radius, only.step, only.iterations, only.seconds) == (1, 0, 7, 0.5)
    assert j.radius == 1
    assert not j.is_done


def test_a_pass_that_loses_is_not_kept_and_the_next_goes_less_far() -> None:
    j = judge()
    take(j, 10, 20, 0.0)
    assert not take(j, 9, 15, 0.8)
    assert (j.best_number, j.best.values[0], j.radius) == (1, 10, 0.25)
    assert not take(j, 9.9, 11, 0.25)
    assert j.radius == 0.0625
    assert take(j, 10.5, 10.6, 0.05)
    assert j.best_number == 4
    assert [p.is_kept for p in j.passes] == [True, False, False, True]
    assert [p.radius for p in j.passes] == [1, 1, 0.25, 0.0625]


@pytest.mark.parametrize(
    ("value", "foretold", "radius"),
    [
        (11.8, 12, 0.5),  # 1.8 of 2 that were foretold
        (11, 12, 0.25),
        (10.4, 12, 0.125),  # a fifth
        (10, 12, 0.125),
        (10.004, 10.005, 0.0625),  # there is not much to gain
    ],
)
def test_radius_follows_what_the_lines_foretold(
    value: float, foretold: float, radius: float
) -> None:
    j = judge()
    take(j, 10, 10, 0.0)
    j.radius = 0.25
    assert take(j, value, foretold, 0.25)
    assert j.radius == radius


def test_radius_is_never_more_than_the_range() -> None:
    j = judge()
    take(j, 10, 10, 0.0)
    take(j, 12, 12, 0.5)
    assert j.radius == 1


def test_passes_end_where_nothing_moves() -> None:
    j = judge(tolerance=1e-3)
    take(j, 10, 20, 0.0)
    take(j, 11, 12, 0.011)
    assert not j.is_done
    take(j, 11, 11.5, 0.0099)
    assert not j.is_done, "the region is small, but the lines foretell a gain"
    take(j, 11, 11.005, 0.0099)
    assert j.is_done
    assert j.is_reached
    assert j.why == "no storage moves by more than 0.01 of its range"
    assert j.convergence().best == 4


def test_passes_end_where_nothing_can_be_gained() -> None:
    j = judge(tolerance=1e-3)
    take(j, 10, 20, 0.0)
    take(j, 10.00005, 10.0009, 1.0)
    assert j.is_reached
    assert j.why == "no pass can gain more than 0.0001"


def test_passes_end_when_there_are_no_more() -> None:
    j = judge(passes=3)
    for k in range(3):
        assert not j.is_done
        take(j, 10 + k, 20, 0.5)
    assert j.is_done
    assert not j.is_reached
    assert j.why == "still moving after 3 passes"


def test_a_pass_that_is_true_to_the_balance_comes_before_a_better_one() -> None:
    j = judge(tolerance=1e-3)
    take(j, 10, 10, 0.0, error=0.04)
    assert take(j, 8, 8, 0.5, error=0.0009)
    assert not take(j, 12, 12, 0.5, error=0.06)  # far from true
    assert j.best_number == 2


def test_while_the_balance_is_off_passes_go_on_to_the_truer() -> None:
    j = judge()
    take(j, 10, 10, 0.0, error=1.0)
    assert take(j, 5, 5, 0.5, error=0.95)  # far off, each goes on from the one before
    assert take(j, 4, 4, 0.5, error=0.04)
    assert take(j, 3, 3, 0.5, error=0.03)
    assert not take(j, 2, 2, 0.5, error=0.029)  # hardly truer, and worse
    assert take(j, 3.5, 3.6, 0.5, error=0.031)
    assert not j.is_done


def test_passes_do_not_end_while_the_balance_is_off() -> None:
    j = judge(tolerance=1e-3)
    take(j, 10, 10, 0.0, error=0.01)
    take(j, 10, 10, 0.0, error=0.005)
    assert not j.is_done
    take(j, 10, 10, 0.0, error=0.0005)
    assert j.is_reached


def test_passes_end_with_the_lines_where_no_goal_has_any() -> None:
    def level(error: float) -> Merit:
        return Merit(np.array([3.0]), np.array([3.0]), np.array([False]), error)

    j = judge(tolerance=1e-3)
    assert j.take(level(0.02), 0.0, 0, 0.0)
    assert not j.is_done
    assert j.take(level(1e-5), 0.4, 0, 0.0)
    assert j.is_reached
    assert j.why == "the lines are true"
    assert j.passes[0].value == j.passes[0].foretold == 0.0


def test_the_last_pass_optimises_all_goals() -> None:
    j = judge(has_leading=True)
    assert j.next_is_whole
    take(j, 10, 20, 0.0)
    take(j, 11, 12, 0.5)
    take(j, 11.005, 11.008, 0.005)  # nothing moves, but this pass was short
    assert [p.is_whole for p in j.passes] == [True, True, False]
    assert j.why
    assert not j.is_done
    assert j.next_is_whole
    assert take(j, 11.001, 11.002, 0.01)  # as good, to the tolerance
    assert j.is_done
    assert j.is_reached
    assert j.best_number == 4


def test_a_last_pass_that_loses_is_not_kept() -> None:
    j = judge(has_leading=True)
    take(j, 10, 20, 0.0)
    take(j, 11, 12, 0.5)
    take(j, 11.005, 11.008, 0.005)
    assert not take(j, 10.9, 11.0, 0.01)
    assert j.is_done
    assert j.best_number == 3


def test_of_so_many_passes_the_last_is_whole() -> None:
    j = judge(passes=4, has_leading=True)
    for k in range(4):
        take(j, 10 + k, 30, 0.5)
    assert [p.is_whole for p in j.passes] == [True, True, False, True]
    assert j.why == "still moving after 4 passes"
    assert j.is_done


def test_a_pass_without_a_solution_ends_them() -> None:
    j = judge()
    take(j, 10, 20, 0.0)
    j.fail("pass 2 has no solution: E402")
    found = j.convergence()
    assert (found.is_reached, found.best, found.why) == (False, 1, "pass 2 has no solution: E402")
    assert j.is_done


def test_after_a_pass_without_a_solution_other_regions_are_tried_once_each() -> None:
    j = judge()
    take(j, 10, 20, 0.0)
    radii = []
    while not j.is_done:
        radii.append(j.radius)
        j.retry("E402")
    assert radii == [1.0, 0.25, 0.0625]
    assert (j.is_reached, j.why) == (False, "pass 2 has no solution: E402")


# --- region ---------------------------------------------------------------------------------------


def lake(folder: Path, inflows: Any = (9, 30, 2, 5), **changes: Any) -> Case:
    """A lake above a plant with a tailwater by release, and a farm below that is served first."""
    basin: dict[str, Any] = {
        "periods": len(inflows),
        "goals": [{"meet": {}}, {"maximise": "energy"}],
        "nodes": [
            {"name": "lake", "kind": "reservoir"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "turbine", "from": "lake", "to": "field", "kind": "turbine"},
            {"name": "weir", "from": "lake", "to": "field", "kind": "spillway"},
            {"name": "river", "from": "field", "to": "sea", "kind": "reach"},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 50, "initial_hm3": 30, "curve": "lake",
             "evaporation_mm_day": 20}
        ],
        "curves": [
            {"curve": "lake", "x": x, "y": y, "x_unit": x_unit, "y_unit": y_unit}
            for x_unit, y_unit, points in (
                ("hm3", "m", ((10, 100), (20, 118), (50, 145))),
                ("hm3", "km2", ((10, 2), (30, 6), (50, 7))),
                ("hm3_day", "m", ((0, 60), (10, 70), (40, 85))),
            )
            for x, y in points
        ],
        "hydropower": [
            {"plant": "mill", "link": "turbine", "capacity_mw": 100, "efficiency_fraction": 0.9,
             "tailwater_curve": "lake"}
        ],
        "demands": [{"name": "farm", "node": "field", "sector": "irrigation", "demand_hm3_day": 6}],
        "series": inflow(lake=inflows),
    }  # fmt: skip
    return make_case(folder, **(basin | changes))


def stacked(case: Case) -> Horizon:
    horizon = Horizon(build_period(case).model, case.n_members, case.n_periods)
    horizon.stack()
    return horizon


def test_region_is_of_the_columns_that_bend_a_line(tmp_path: Path) -> None:
    """Storages range over 40 hm3; the flow of the turbines, without a limit, over its largest."""
    horizon = stacked(lake(tmp_path))
    m, lp = horizon.model, horizon.stack().member(0)
    region = Region.of(horizon, m.tangents.all, lp)
    storage = horizon.columns[id(m.storage_end["lake"])]
    flow = horizon.columns[id(m.flow["turbine"])]
    assert sorted(region.columns) == sorted([*storage, *flow])
    of_storage, of_flow = np.isin(region.columns, storage), np.isin(region.columns, flow)
    assert set(region.span[of_storage]) == {40}
    assert np.isnan(region.span[of_flow]).all()
    x = np.zeros(lp.col_lower.size)
    x[storage], x[flow] = 25, [1, 8, 2, 3]
    region.measure(x)
    assert set(region.span[of_flow]) == {8}

    moved = x.copy()
    moved[storage[1]] += 10
    moved[flow[2]] -= 1
    assert region.step(moved, x) == 0.25
    moved[horizon.columns[id(m.flow["weir"])]] += 1000  # bends nothing
    assert region.step(moved, x) == 0.25

    assert region.around(lp, x, 1.0) is lp
    near = region.around(lp, x, 0.5)
    assert near.col_lower[storage].tolist() == [10, 10, 10, 30]  # 25 - 20, and the limits it has
    assert near.col_upper[storage].tolist() == [45] * 4
    assert near.col_lower[flow].tolist() == [0, 4, 0, 0]
    assert near.col_upper[flow].tolist() == [5, 12, 6, 7]
    others = np.setdiff1d(np.arange(x.size), region.columns)
    assert (near.col_upper[others] == lp.col_upper[others]).all()
    assert near.row_lower is lp.row_lower


def test_region_without_tangents(tmp_path: Path) -> None:
    horizon = stacked(lake(tmp_path))
    region = Region.of(horizon, [], horizon.stack().member(0))
    x = np.ones(horizon.stack().n_columns)
    region.measure(x)
    assert region.step(x + 1, x) == 0.0


# --- lines ----------------------------------------------------------------------------------------


def test_lines_touch_at_a_solution_and_are_put_and_read_back(tmp_path: Path) -> None:
    case = lake(tmp_path)
    horizon = stacked(case)
    m = horizon.model
    lines = Lines(horizon, m.tangents.all)
    names = [tangent.name for tangent in lines.tangents]
    assert names == ["area[lake]", "energy[mill]", "energy_spilled[mill]"]
    x = np.full((1, horizon.stack().n_columns), 25.0)
    arguments = lines.arguments(x)
    before, touched = lines.now(), lines.touch(arguments)
    lines.put(touched)
    horizon.forget()
    for tangent, at, data in zip(lines.tangents, arguments, lines._data, strict=True):
        np.testing.assert_allclose(horizon.value(tangent.line, x), tangent.value(at, data))
    assert all(
        np.array_equal(a, b)
        for of_now, of_touched in zip(lines.now(), touched, strict=True)
        for a, b in zip(of_now, of_touched, strict=True)
    )
    # only the area stands in rows; its scale is the area of the lake
    (error,) = lines.error(arguments, before, touched)
    off = horizon.value(lines.tangents[0].line, x)
    lines.put(before)
    horizon.forget()
    off = np.abs(off - horizon.value(lines.tangents[0].line, x))
    assert error == pytest.approx((off / lines._scale[0]).max())
    assert lines.error(arguments, touched, touched) == 0.0


def test_true_lines_are_cut_at_the_limit_of_their_rows(tmp_path: Path) -> None:
    """100 MW are 2.4 GWh a day."""
    horizon = stacked(lake(tmp_path))
    lines = Lines(horizon, horizon.model.tangents.all)
    x = np.full((1, horizon.stack().n_columns), 40.0)
    arguments = lines.arguments(x)
    lines.put(lines.true(arguments, lines.touch(arguments)))
    horizon.forget()
    energy, spilled = (horizon.value(t.line, x) for t in lines.tangents[1:])
    np.testing.assert_allclose(energy, 2.4)
    assert (spilled > 2.4).all()


def test_lines_are_chosen_by_member() -> None:
    one, other = ([[np.full((2, 3), value)]] for value in (1.0, 2.0))
    assert choose(np.array([True, False]), one, other)[0][0].tolist() == [[1] * 3, [2] * 3]


# --- passes ---------------------------------------------------------------------------------------


def test_passes_converge_and_only_gain(tmp_path: Path) -> None:
    solution = solve_perfect(lake(tmp_path))
    (convergence,) = solution.convergence
    assert convergence.is_reached
    values = [p.value for p in convergence.passes if p.is_kept]
    assert values[-1] == convergence.passes[convergence.best - 1].value
    assert convergence.passes[0].number == 1
    assert values[-1] > values[0]
    assert convergence.passes[convergence.best - 1].error <= 1e-3


def test_without_convergence_the_best_pass_is_kept_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = lake(tmp_path, more={"linearisation": {"passes": 2, "tolerance": 1e-6}})
    with caplog.at_level(logging.WARNING):
        solution = solve_perfect(case)
    (convergence,) = solution.convergence
    assert not convergence.is_reached
    (record,) = caplog.records
    assert record.getMessage() == (
        "case, member 2001-01: the passes did not converge (still moving after 2 passes); "
        f"pass {convergence.best} of 2 is kept, whose water balance is off by "
        f"{convergence.passes[convergence.best - 1].error:.2g} of its size where it is not linear"
    )
    assert solution.certificate.is_valid
    kept = convergence.passes[convergence.best - 1]
    energy = collect(solution).dataset["energy"].to_numpy()
    assert energy.sum() == pytest.approx(kept.value, rel=1e-9)


def fail_passes(monkeypatch: pytest.MonkeyPatch, numbers: set[int]) -> list[float]:
    """Let some solves of a run fail, counted from 1; return the radius of each solve."""
    solve, optimise, radii = perfect.Passes._solve, perfect.Stages.optimise, []

    def count(self: Any, k: int, program: Any) -> Any:
        radii.append(self.judges[k].radius)
        return solve(self, k, program)

    def fail(self: Any, *arguments: Any) -> Any:
        if len(radii) in numbers:
            raise Infeasible("E402 no allocation meets all hard limits")
        return optimise(self, *arguments)

    monkeypatch.setattr(perfect.Passes, "_solve", count)
    monkeypatch.setattr(perfect.Stages, "optimise", fail)
    return radii


ALONE = [{"maximise": "energy"}]


def test_after_a_pass_without_a_solution_the_region_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second solve fails; its region was half the range."""
    case = lake(tmp_path, goals=ALONE)
    whole = solve_perfect(case)
    radii = fail_passes(monkeypatch, {2})
    monkeypatch.setattr("wateralloc.foresight.successive.FIRST_RADIUS", 0.5)
    solution = solve_perfect(case)
    assert radii[:3] == [0.5, 0.5, 1.0]
    (convergence,) = solution.convergence
    assert convergence.is_reached
    best = convergence.passes[convergence.best - 1].value
    of_whole = whole.convergence[0]
    assert best == pytest.approx(of_whole.passes[of_whole.best - 1].value, rel=1e-3)


def test_after_a_short_and_a_whole_pass_without_a_solution_the_region_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The basis of the short passes before is used once, by the whole pass that fails."""
    monkeypatch.setattr("wateralloc.foresight.successive.FIRST_RADIUS", 0.1)
    radii = fail_passes(monkeypatch, {4, 5})
    solution = solve_perfect(lake(tmp_path))
    assert radii[3] == radii[4] < radii[5] == 1.0
    (convergence,) = solution.convergence
    assert [p.is_whole for p in convergence.passes][:4] == [True, True, False, True]
    assert convergence.is_reached


def test_a_pass_may_fail_between_its_goals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth solve is short and fails; the fifth is whole, solves `meet` and fails after it.

    What the fifth left behind, new bases without that of its last goal, starts no later pass.
    """
    whole = solve_perfect(lake(tmp_path))
    monkeypatch.setattr("wateralloc.foresight.successive.FIRST_RADIUS", 0.1)
    solve, optimise, names = perfect.Passes._solve, perfect.Stages.optimise, []

    def count(self: Any, k: int, program: Any) -> Any:
        names.append([])
        return solve(self, k, program)

    def fail(self: Any, name: str, *arguments: Any) -> Any:
        names[-1].append(name)
        if len(names) in (4, 5) and name.startswith("2 "):
            raise SolveError(f"{name}: stopped")
        return optimise(self, name, *arguments)

    monkeypatch.setattr(perfect.Passes, "_solve", count)
    monkeypatch.setattr(perfect.Stages, "optimise", fail)
    solution = solve_perfect(lake(tmp_path))
    meet, energy = names[0]
    assert names[2:6] == [[energy], [energy], [meet, energy], [meet, energy]]
    (convergence,) = solution.convergence
    assert convergence.is_reached
    kept = convergence.passes[convergence.best - 1]
    of_whole = whole.convergence[0]
    assert kept.value == pytest.approx(of_whole.passes[of_whole.best - 1].value, rel=1e-3)
    assert kept.value >= max(p.value for p in convergence.passes if p.is_kept) * (1 - 1e-3)
    assert solution.certificate.is_valid
    energy_of_results = collect(solution).dataset["energy"].to_numpy().sum()
    assert energy_of_results == pytest.approx(kept.value, rel=1e-9)


def test_passes_without_a_solution_leave_the_best_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_passes(monkeypatch, set(range(2, 100)))
    with caplog.at_level(logging.WARNING):
        solution = solve_perfect(lake(tmp_path, goals=ALONE))
    (convergence,) = solution.convergence
    assert (convergence.is_reached, convergence.best, len(convergence.passes)) == (False, 1, 1)
    assert convergence.why == ("pass 2 has no solution: E402 no allocation meets all hard limits")
    assert "the passes did not converge (pass 2 has no solution" in caplog.text
    assert collect(solution).dataset["energy"].sum() == pytest.approx(convergence.passes[0].value)


def test_a_first_pass_without_a_solution_is_a_fault(tmp_path: Path) -> None:
    rules = [{"rule": "minimum_delivery", "name": "flood", "at": "field", "flow_m3s": 10_000}]
    with pytest.raises(Infeasible, match="minimum_delivery 'flood'"):
        solve_perfect(lake(tmp_path, rules=rules))


def test_program_after_the_passes_is_a_fresh_stack_with_their_lines(tmp_path: Path) -> None:
    """With lake area, split by flow, release and head, and lines in rules."""
    more = every_part()["more"] | {"linearisation": {"tolerance": 1e-6}}
    case = everything(tmp_path, more=more)
    solution = solve_perfect(case)
    assert len(solution.convergence[0].passes) > 1
    fresh = build_period(case).model
    start = Lines(stacked(case), fresh.tangents.all).now()
    for own, of_solution in zip(
        fresh.tangents.all, solution.period.model.tangents.all, strict=True
    ):
        assert own.name == of_solution.name
        own.intercept.set_value(of_solution.intercept.value)
        for slope, value in zip(own.slopes, of_solution.slopes, strict=True):
            slope.set_value(value.value)
    horizon = Horizon(fresh, case.n_members, case.n_periods)
    one, other = solution.horizon.stack().member(0), horizon.stack().member(0)
    np.testing.assert_allclose(one.matrix.toarray(), other.matrix.toarray(), rtol=1e-13)
    for name in ("col_lower", "col_upper", "row_lower", "row_upper"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-13)
    moved = Lines(horizon, fresh.tangents.all).now()
    assert any(
        not np.array_equal(a, b)
        for of_start, of_end in zip(start, moved, strict=True)
        for a, b in zip(of_start, of_end, strict=True)
    )
    # and its solution is one of it
    activity = other.matrix @ solution.x[0]
    assert (activity >= other.row_lower - 1e-6 * (1 + np.abs(other.row_lower))).all()
    assert (activity <= other.row_upper + 1e-6 * (1 + np.abs(other.row_upper))).all()


# --- members --------------------------------------------------------------------------------------


def years(folder: Path) -> Case:
    """Three wet, mean and dry seasons of the lake, that need passes of their own number."""
    months = month_starts("2001-01", 36)
    random = np.random.default_rng(3)
    flows = (random.gamma(2, 0.4, 36) * np.repeat([2.0, 1.0, 0.3], 12)).round(3)
    return lake(
        folder, (0,) * 4, periods=4,
        more={
            "timeline": {"start": "2001-01-01", "periods": 4, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        demands=[
            {"name": "farm", "node": "field", "sector": "irrigation", "demand_hm3_day": 0.4}
        ],
        series={"inflow_hm3_day": {"date": months, "lake": flows}},
    )  # fmt: skip


def of_member(solution: Solution, k: int) -> tuple[Any, ...]:
    passes = [replace(p, seconds=0.0) for p in solution.convergence[k].passes]
    return passes, solution.convergence[k].why, solution.x[k].tolist()


@pytest.mark.parametrize("order", [(2, 0, 1), (1,), (0, 2)])
def test_a_member_converges_as_it_does_alone(tmp_path: Path, order: tuple[int, ...]) -> None:
    """To the last digit, whichever others are solved beside it and in whatever order."""
    case = years(tmp_path)
    assert case.n_members == 3
    all_ = solve_perfect(case)
    assert len({len(c.passes) for c in all_.convergence}) > 1  # some end before others
    some = solve_perfect(replace(case, members=tuple(case.members[k] for k in order)))
    for place, k in enumerate(order):
        assert of_member(some, place) == of_member(all_, k)
    energy, of_all = (collect(s).dataset["energy"].to_numpy() for s in (some, all_))
    np.testing.assert_array_equal(energy, of_all[list(order)])


def test_progress_counts_members_as_they_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    solve_perfect(years(tmp_path), lambda done, n: seen.append((done, n)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


# --- results --------------------------------------------------------------------------------------


def test_results_and_manifest_tell_every_pass(tmp_path: Path) -> None:
    solution = solve_perfect(years(tmp_path))
    results = collect(solution)
    results.write(tmp_path / "out")
    rows = [(m.name, p) for m, c in zip(solution.case.members, solution.convergence, strict=True)
            for p in c.passes]  # fmt: skip
    with xr.open_dataset(tmp_path / "out" / "results.nc") as stored:
        assert stored["pass_member"].to_numpy().tolist() == [name for name, _ in rows]
        assert stored["pass_number"].to_numpy().tolist() == [p.number for _, p in rows]
        assert stored["pass_is_kept"].to_numpy().tolist() == [int(p.is_kept) for _, p in rows]
        for name in ("value", "foretold", "step", "error", "radius"):
            expected = [getattr(p, name) for _, p in rows]
            assert stored[f"pass_{name}"].to_numpy().tolist() == expected
            assert stored[f"pass_{name}"].attrs["long_name"]
        assert stored["is_converged"].to_numpy().tolist() == [1, 1, 1]
        assert stored["best_pass"].to_numpy().tolist() == [c.best for c in solution.convergence]
        assert stored["convergence"].to_numpy().tolist() == [c.why for c in solution.convergence]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    for member, ended in zip(solution.case.members, solution.convergence, strict=True):
        of = manifest["passes"][member.name]
        assert of["passes"] == len(ended.passes)
        assert of["shown"] == ended.best
        assert of["converged"] is True
        assert of["why"] == ended.why


def test_results_without_passes_have_none(tmp_path: Path) -> None:
    solution = solve_perfect(lake(tmp_path, more={"linearisation": "fixed"}))
    results = collect(solution)
    assert not [name for name in results.dataset.variables if str(name).startswith("pass_")]
    assert results.manifest["passes"] == {}
