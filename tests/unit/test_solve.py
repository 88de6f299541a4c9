"""Stages, faces, certificates and starts, on linear programs small enough for the head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pytest
import scipy.sparse as sp

from wateralloc import solve
from wateralloc.errors import Infeasible, SolveError, Uncertified
from wateralloc.horizon import MemberProgram
from wateralloc.solve import (
    Certificate,
    Combined,
    PackedBasis,
    Stages,
    certify,
    dot,
    least_repair,
    load,
    write_model,
)

INF = np.inf


def program(
    matrix: Sequence[Sequence[float]],
    row_lower: Sequence[float],
    row_upper: Sequence[float],
    col_lower: Sequence[float],
    col_upper: Sequence[float],
) -> MemberProgram:
    a = sp.csc_matrix(np.array(matrix, float))
    limits = (np.array(v, float) for v in (col_lower, col_upper, row_lower, row_upper))
    return MemberProgram(
        a.indptr.astype(np.int32), a.indices.astype(np.int32), a.data.astype(float), *limits
    )


def two_sources() -> MemberProgram:
    """Take x and y, at most 3 of each, and at least 2 in all."""
    return program([[1, 1]], [2], [INF], [0, 0], [3, 3])


X, Y = np.array([1.0, 0.0]), np.array([0.0, 1.0])


# --- certificate --------------------------------------------------------------------------------


def test_optimum_by_hand_is_certified() -> None:
    """Least x + 2 y with x + y >= 2: x = 2, the price of the row is 1."""
    found = certify(two_sources(), X + 2 * Y, np.array([2.0, 0.0]), np.array([1.0]))
    assert found == Certificate(0.0, 0.0, 0.0)
    assert found.is_valid


@pytest.mark.parametrize(
    ("x", "y", "certificate"),
    [
        # 0.3 short of a row that asks 2, scaled by 1 + 2; the bound is still 2
        ([1.7, 0.0], [1.0], Certificate(0.1, 0.0, 0.3 / 1.7)),
        # 0.4 above the limit 3, scaled by 1 + 3
        ([3.4, 0.0], [1.0], Certificate(0.1, 0.0, 1.4 / 3.4)),
        # 0.5 below the limit 0; the row is met
        ([2.0, -0.5], [1.0], Certificate(0.5, 0.0, 1.0)),
        # feasible, dear: 4 where 2 is enough
        ([0.0, 2.0], [1.0], Certificate(0.0, 0.0, 0.5)),
        # the price is too low: the bound is 2 x 0.5
        ([2.0, 0.0], [0.5], Certificate(0.0, 0.0, 0.5)),
        # too high: x would pay 0.5 up to its limit, so the bound is 2 x 1.5 - 3 x 0.5
        ([2.0, 0.0], [1.5], Certificate(0.0, 0.0, 0.25)),
        # of the wrong sign: it leans on the missing upper limit; largest cost 2
        ([2.0, 0.0], [-0.3], Certificate(0.0, 0.1, 1.0)),
    ],
)
def test_each_figure_by_hand(x: list[float], y: list[float], certificate: Certificate) -> None:
    found = certify(two_sources(), X + 2 * Y, np.array(x), np.array(y))
    for name in ("primal", "dual", "gap"):
        assert getattr(found, name) == pytest.approx(getattr(certificate, name)), name
    assert not found.is_valid


@pytest.mark.parametrize(("figure", "most"), [("primal", 1e-7), ("dual", 1e-7), ("gap", 1e-9)])
def test_limits_of_the_certificate(figure: str, most: float) -> None:
    right = {"primal": 0.0, "dual": 0.0, "gap": 0.0}
    assert Certificate(**(right | {figure: most})).is_valid
    assert not Certificate(**(right | {figure: 1.01 * most})).is_valid


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_certificate_of_what_is_not_finite_is_refused(wrong: float) -> None:
    """Also where every limit that a dual could lean on is missing and the optimum is 0."""
    lp = program([[1, 1]], [0], [INF], [0, 0], [INF, INF])
    none = np.zeros(2)
    assert certify(lp, X, none, np.zeros(1)).is_valid
    assert not certify(lp, X, none, np.array([wrong])).is_valid
    assert not certify(lp, X, np.array([0.0, wrong]), np.zeros(1)).is_valid


def test_worse_takes_the_larger_of_each() -> None:
    worse = Certificate(1.0, 0.0, 3.0).worse(Certificate(0.5, 2.0, 1.0))
    assert worse == Certificate(1.0, 2.0, 3.0)


# --- one stage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [None, 1.0, 50.0])
def test_objective_and_dual_are_in_the_units_of_the_goal(scale: float | None) -> None:
    """Least 10 x + 20 y + 5: 25; one more in the row costs 10."""
    found = Stages(two_sources()).optimise("cost", 10 * X + 20 * Y, "minimise", 5.0, scale)
    assert found.objective == pytest.approx(25)
    assert found.x == pytest.approx([2, 0])
    assert found.y == pytest.approx([10])
    assert found.cost == pytest.approx(np.array([10, 20]) / (scale or 16))  # a power of two
    assert found.certificate.is_valid
    assert not found.cold_again


def test_most_of_a_goal() -> None:
    """Most 3 x + y of at most 4 in all: 3 x 3 + 1 = 10; one more in the row gives 1."""
    lp = program([[1, 1]], [-INF], [4], [0, 0], [3, 3])
    found = Stages(lp).optimise("benefit", 3 * X + Y, "maximise")
    assert found.objective == pytest.approx(10)
    assert found.y == pytest.approx([1])


def test_goal_without_a_cost() -> None:
    found = Stages(two_sources()).optimise("nothing", 0 * X, constant=7.0)
    assert found.objective == 7.0
    assert found.x.sum() >= 2 - 1e-9


def test_program_of_the_caller_stays() -> None:
    lp = two_sources()
    stages = Stages(lp)
    stages.optimise("cost", X + Y)
    stages.hold()
    stages.bound_columns(np.array([0]), np.array([1.0]), np.array([1.0]))
    assert (lp.row_upper[0], lp.col_lower[0], lp.col_upper[0]) == (INF, 0.0, 3.0)


def test_limits_changed_before_and_after_the_first_stage_hold() -> None:
    stages = Stages(two_sources())
    stages.bound_columns(np.array([0]), np.array([0.0]), np.array([0.5]))
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(0.5 + 3)
    stages.bound_rows(np.array([0]), np.array([1.0]), np.array([INF]))
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(0.5 + 1)
    stages.bound_columns(np.array([0]), np.array([0.0]), np.array([0.9]))
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(0.9 + 0.2)


def test_infeasible_names_the_goal() -> None:
    lp = program([[1, 1]], [7], [INF], [0, 0], [3, 3])
    with pytest.raises(Infeasible, match="E402 dry: goal 'cost': no allocation meets all hard"):
        Stages(lp, "dry: ").optimise("cost", X)


def test_unbounded_names_the_goal() -> None:
    lp = program([[1, 1]], [2], [INF], [0, 0], [3, INF])
    with pytest.raises(SolveError, match="E403 dry: goal 'benefit' is unbounded"):
        Stages(lp, "dry: ").optimise("benefit", X + Y, "maximise")


def test_solver_that_stops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (highspy.HighsModelStatus.kTimeLimit, np.zeros(2), np.zeros(1), 3)
    monkeypatch.setattr(Stages, "_run", lambda self, attempt: answer)
    with pytest.raises(SolveError, match="E404 goal 'cost': the solver stopped with 'Time limit"):
        Stages(two_sources()).optimise("cost", X)


# --- starts -------------------------------------------------------------------------------------


class Starts:
    """Spoil what comes of some starts, and keep a list of those that were made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **spoil: Any) -> None:
        self.made: list[str] = []
        run = Stages._run

        def spoiled(stages: Stages, attempt: str) -> Any:
            self.made.append(attempt)
            answer = run(stages, attempt)
            return spoil[attempt](*answer) if attempt in spoil else answer

        monkeypatch.setattr(Stages, "_run", spoiled)


def wrong_x(status: Any, x: np.ndarray, y: np.ndarray, iterations: int) -> Any:
    return status, x + 1e-3, y, iterations + 100


def wrong_y(status: Any, x: np.ndarray, y: np.ndarray, iterations: int) -> Any:
    return status, x, y - 1e-3, iterations


def stopped(status: Any, x: np.ndarray, y: np.ndarray, iterations: int) -> Any:
    return highspy.HighsModelStatus.kUnknown, x, y, iterations


def said_infeasible(status: Any, x: np.ndarray, y: np.ndarray, iterations: int) -> Any:
    return highspy.HighsModelStatus.kInfeasible, x, y, iterations


def test_first_stage_is_cold_and_later_ones_are_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(monkeypatch)
    stages = Stages(two_sources())
    for _ in range(3):
        stages.optimise("cost", X + Y)
    assert starts.made == ["cold", "warm", "warm"]
    assert [o.cold_again for o in stages.optima] == [False, False, False]


@pytest.mark.parametrize("spoil", [wrong_x, wrong_y, stopped, said_infeasible])
def test_warm_start_that_fails_is_followed_by_a_cold_one(
    monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    starts = Starts(monkeypatch, warm=spoil)
    stages = Stages(two_sources())
    stages.optimise("cost", X + 2 * Y)
    stages.hold()
    found = stages.optimise("spare", Y)
    assert starts.made == ["cold", "warm", "cold"]
    assert found.cold_again
    assert found.objective == pytest.approx(0)
    assert found.certificate.is_valid
    # iterations of both starts are counted
    assert (found.iterations >= 100) == (spoil is wrong_x)


def test_cold_start_that_fails_is_followed_by_one_without_presolve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = Starts(monkeypatch, cold=wrong_x)
    found = Stages(two_sources()).optimise("cost", X + 2 * Y)
    assert starts.made == ["cold", "cold, unpresolved"]
    assert found.cold_again
    assert found.x == pytest.approx([2, 0])


def coarse(by: float) -> Any:
    """Move along the objective x + 2 y: y is below its limit 0, by less than a certificate sees."""

    def spoil(status: Any, x: np.ndarray, y: np.ndarray, iterations: int) -> Any:
        return status, x + by * np.array([2.0, -1.0]), y, iterations

    return spoil


def test_coarse_optimum_is_made_finer_by_another_start(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(monkeypatch, cold=coarse(2e-8))
    found = Stages(two_sources()).optimise("cost", X + 2 * Y)
    assert starts.made == ["cold", "cold, unpresolved"]
    assert found.certificate.primal <= 1e-12
    assert found.cold_again


def test_finest_optimum_is_kept_where_all_are_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"warm": 3e-8, "cold": 2e-8, "cold, unpresolved": 6e-8}
    starts = Starts(monkeypatch, **{start: coarse(by) for start, by in sizes.items()})
    stages = Stages(two_sources())
    assert stages.optimise("cost", X + 2 * Y).certificate.primal == pytest.approx(2e-8)
    assert stages.optimise("cost", X + 2 * Y).certificate.primal == pytest.approx(2e-8)
    assert starts.made == ["cold", "cold, unpresolved", "warm", "cold", "cold, unpresolved"]


def test_what_no_other_start_certifies_is_scaled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scaling does not stay."""
    starts = Starts(monkeypatch, **{"cold": wrong_y, "cold, unpresolved": stopped})
    stages = Stages(two_sources())
    found = stages.optimise("cost", X + 2 * Y)
    assert starts.made == ["cold", "cold, unpresolved", "cold, rescaled"]
    assert found.x == pytest.approx([2, 0])
    assert found.cold_again
    scaling = [stages._highs.getOptionValue("simplex_scale_strategy")[1]]
    stages.optimise("cost", X + Y)
    scaling.append(stages._highs.getOptionValue("simplex_scale_strategy")[1])
    assert scaling == [2, solve.OPTIONS["simplex_scale_strategy"]]


def test_what_is_infeasible_is_not_scaled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(monkeypatch)
    with pytest.raises(Infeasible):
        Stages(program([[1, 1]], [7], [INF], [0, 0], [3, 3])).optimise("cost", X)
    assert starts.made == ["cold", "cold, unpresolved"]


def test_optimum_that_no_start_can_certify_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Starts(monkeypatch, **dict.fromkeys(solve.ATTEMPTS, wrong_y))
    stages = Stages(two_sources(), "dry: ")
    with pytest.raises(Uncertified, match=r"E405 dry: goal 'cost': .*\(primal 0.0e\+00, dual 0"):
        stages.optimise("cost", X + 2 * Y)
    assert stages.optima == []


def test_an_optimum_that_is_not_certified_is_told_though_other_starts_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the last start found none; but a start that says infeasible counts for more."""
    spoil = {"cold": wrong_y, "cold, unpresolved": stopped, "cold, rescaled": stopped}
    Starts(monkeypatch, **spoil)
    with pytest.raises(Uncertified, match=r"E405 goal 'cost': .*, gap 1.0e-03"):
        Stages(two_sources()).optimise("cost", X + 2 * Y)
    monkeypatch.undo()
    Starts(monkeypatch, **spoil | {"cold, unpresolved": said_infeasible})
    with pytest.raises(Infeasible):
        Stages(two_sources()).optimise("cost", X + 2 * Y)


def test_cold_start_forgets_the_basis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cold means cold: the same iterations as a first solve, and the same x to the bit."""
    random = np.random.default_rng(3)
    lp = program(random.uniform(0, 1, (12, 30)).tolist(), [5] * 12, [INF] * 12, [0] * 30, [9] * 30)
    first, second = random.uniform(1, 2, (2, 30))
    alone = Stages(lp).optimise("second", second)
    stages = Stages(lp)
    stages.optimise("first", first)
    Starts(monkeypatch, warm=stopped)
    after = stages.optimise("second", second)
    assert after.x.tobytes() == alone.x.tobytes()


# --- faces --------------------------------------------------------------------------------------


def test_face_is_all_that_is_optimal_and_nothing_else() -> None:
    """Least x + y: 2, anywhere on x + y = 2. Then least x: 0; then y is all there is."""
    stages = Stages(two_sources())
    stages.optimise("all", X + Y)
    assert stages.hold() == 1  # the row
    assert (stages.lp.row_lower[0], stages.lp.row_upper[0]) == (2, 2)
    assert stages.optimise("most x", X, "maximise").objective == pytest.approx(2)
    assert stages.optimise("least x", X).objective == pytest.approx(0)
    assert stages.hold() == 1  # the column x
    assert (stages.lp.col_lower[0], stages.lp.col_upper[0]) == (0, 0)
    last = stages.optimise("most x again", X + 0.1 * Y, "maximise")
    assert last.x == pytest.approx([0, 2])
    assert stages.drift() <= 1e-12


def test_columns_at_their_upper_limit_are_held() -> None:
    """Most x + y with both free to 3: both are held there, the row is not."""
    stages = Stages(two_sources())
    stages.optimise("all", X + Y, "maximise")
    assert stages.hold() == 2
    assert stages.lp.col_lower.tolist() == [3, 3]
    assert stages.lp.row_upper[0] == INF
    assert stages.optimise("least x", X).objective == pytest.approx(3)


def test_what_is_fixed_already_is_not_counted_again() -> None:
    stages = Stages(two_sources())
    stages.optimise("all", X + Y)
    assert stages.hold() == 1
    assert stages.hold() == 0


def test_goal_that_is_not_held_binds_nothing() -> None:
    stages = Stages(two_sources())
    stages.optimise("all", X + Y)
    assert stages.optimise("most", X + Y, "maximise").objective == pytest.approx(6)
    assert stages.drift() == 0.0


def test_drift_is_the_change_of_a_held_optimum() -> None:
    """x + y was 2 and becomes 2.3 when the face is let go: 0.3 / (1 + 2)."""
    stages = Stages(two_sources())
    stages.optimise("all", X + Y)
    stages.hold()
    stages.bound_rows(np.array([0]), np.array([2.3]), np.array([2.3]))
    stages.optimise("spare", Y)
    assert stages.drift() == pytest.approx(0.1)


# --- yes or no ----------------------------------------------------------------------------------


def three_works() -> MemberProgram:
    """Works of 3, 5 and 6, open (1) or not (0); what they give, w, is at most their sum.

    Columns: work 1, 2, 3, and w from 0 to 20; row: w is at most 3, 5 and 6 of those open.
    """
    return program([[-3, -5, -6, 1]], [-INF], [0], [0, 0, 0, 0], [1, 1, 1, 20])


WORKS = np.array([0, 1, 2])
COST = np.array([2.0, 3.0, 5.0, 0.0])
GIVEN = np.array([0.0, 0.0, 0.0, 1.0])


def with_works(least: float) -> Stages:
    """Works that have to give so much."""
    lp = three_works()
    lp.col_lower[3] = least
    return Stages(lp, "dry: ", integers=WORKS)


def test_decisions_are_whole_and_the_optimum_is_that_of_whole_ones() -> None:
    """7 is given cheapest by works 1 and 2, which give 8; in parts it would cost 3 + 2 x 2/3."""
    found = with_works(7).optimise("cost", COST)
    assert found.x[WORKS] == pytest.approx([1, 1, 0], abs=1e-9)
    assert found.objective == pytest.approx(5)
    assert not found.certificate.is_valid  # with the decisions fixed it is solved once more
    assert Stages(with_works(7).lp).optimise("cost", COST).objective == pytest.approx(13 / 3)


def test_decisions_are_free_until_limits_fix_them() -> None:
    stages = with_works(7)
    stages.optimise("cost", COST)
    assert stages.optimise("given", GIVEN, "maximise").objective == pytest.approx(14)
    stages.bound_columns(WORKS, np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    assert stages.optimise("given", GIVEN, "maximise").objective == pytest.approx(8)


def test_no_decision_that_meets_all_limits_is_told() -> None:
    """No choice of the works gives between 12 and 13."""
    lp = program([[3, 5, 6]], [12], [13], [0, 0, 0], [1, 1, 1])
    with pytest.raises(Infeasible, match="E402 dry: goal 'cost': no allocation meets all hard"):
        Stages(lp, "dry: ", integers=WORKS).optimise("cost", COST[:3])
    # in parts they could
    assert Stages(lp).optimise("cost", COST[:3]).objective > 0


# --- coefficients -------------------------------------------------------------------------------


def test_coefficient_changes_the_program_that_follows_and_not_the_caller_s() -> None:
    """x + y >= 2 becomes x + 4 y >= 2: half a y is enough, and an x more costs as before."""
    lp = two_sources()
    stages = Stages(lp)
    assert stages.optimise("cost", X + 2 * Y).x == pytest.approx([2, 0])
    stages.change_coefficients(np.array([0]), np.array([1]), np.array([4.0]))
    found = stages.optimise("cost", X + 2 * Y)
    assert found.x == pytest.approx([0, 0.5])
    assert found.y == pytest.approx([0.5])
    assert found.certificate.is_valid
    assert lp.data.tolist() == [1.0, 1.0]
    assert stages.changes == {(0, 1): 4.0}


def test_coefficient_before_the_first_stage_counts() -> None:
    stages = Stages(two_sources())
    stages.change_coefficients(np.array([0]), np.array([1]), np.array([4.0]))
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(1)


def test_coefficient_where_there_was_none() -> None:
    """Two rows of one column each; the second gets the other column: y >= 1 becomes x + y >= 1."""
    lp = program([[1, 0], [0, 1]], [0.5, 1], [INF, INF], [0, 0], [3, 3])
    stages = Stages(lp)
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(2.5)
    stages.change_coefficients(np.array([1]), np.array([0]), np.array([1.0]))
    found = stages.optimise("cost", X + 2 * Y)
    assert found.x == pytest.approx([1, 0])
    assert found.certificate.is_valid
    stages.change_coefficients(np.array([1]), np.array([0]), np.array([0.0]))
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(2.5)


def test_no_coefficients_change_nothing() -> None:
    stages = Stages(two_sources())
    before = stages.lp
    none = np.empty(0, int)
    stages.change_coefficients(none, none, np.empty(0))
    assert stages.lp is before
    assert stages.changes == {}


def test_warm_start_after_a_change_has_options_of_its_own() -> None:
    option = "simplex_dual_edge_weight_strategy"
    stages, used = Stages(two_sources()), []
    for factor in (1.0, 2.0, 3.0):
        stages.optimise("cost", X + 2 * Y)
        used.append(stages._highs.getOptionValue(option)[1])
        stages.change_coefficients(np.array([0]), np.array([0]), np.array([factor]))
    fresh = Stages(stages.lp)
    fresh.optimise("cost", X + 2 * Y)
    used.append(fresh._highs.getOptionValue(option)[1])
    assert used == [-1, 1, 1, -1]


def test_mark_and_reset_put_bounds_and_limits_back() -> None:
    stages = Stages(two_sources())
    mark = stages.mark()
    stages.optimise("cost", X + 2 * Y)
    stages.hold()
    stages.bound_rows(np.array([0]), np.array([2.5]), np.array([2.5]))
    assert stages.optimise("most", X + Y, "maximise").objective == pytest.approx(2.5)
    stages.reset(mark)
    assert stages.optimise("most", X + Y, "maximise").objective == pytest.approx(6)
    assert stages.optimise("cost", X + 2 * Y).objective == pytest.approx(2)


# --- repair -------------------------------------------------------------------------------------


def repair(
    lp: MemberProgram, rows: Sequence[int] = (), columns: Sequence[int] = ()
) -> tuple[list[float], list[float]] | None:
    found = least_repair(lp, np.array(rows, int), np.array(columns, int))
    return None if found is None else (found.by_row.tolist(), found.by_column.tolist())


def test_minimum_falls_by_what_is_missing() -> None:
    """7 asked, 6 can be had: the row gives way by 1."""
    lp = program([[1, 1]], [7], [INF], [0, 0], [3, 3])
    assert repair(lp, rows=[0]) == ([pytest.approx(1)], [])


def test_cap_rises_by_what_is_too_much() -> None:
    """At least 2 of each, at most 3 in all."""
    lp = program([[1, 1]], [-INF], [3], [2, 2], [9, 9])
    assert repair(lp, rows=[0]) == ([pytest.approx(-1)], [])


def test_column_gives_way_on_either_side() -> None:
    lp = program([[1, 1]], [7], [INF], [0, 0], [3, 3])
    assert repair(lp, columns=[0]) == ([], [pytest.approx(-1)])
    lp = program([[1, 1]], [-INF], [3], [2, 2], [9, 9])
    assert repair(lp, columns=[1]) == ([], [pytest.approx(1)])


def test_least_total_is_sought() -> None:
    """The first row lacks 4 and the second 4 too, but one column that gives 4 serves both."""
    lp = program([[1, 0], [1, 0]], [5, 5], [INF, INF], [0, 0], [1, 1])
    rows, columns = repair(lp, rows=[0, 1], columns=[0])
    assert rows == pytest.approx([0, 0])
    assert columns == pytest.approx([-4])


def test_no_amount_helps() -> None:
    """The second row cannot be met and is not among those that may give way."""
    lp = program([[1, 1], [1, -1]], [7, 5], [INF, INF], [0, 0], [3, 3])
    assert repair(lp, rows=[0]) is None
    assert repair(lp) is None


def test_feasible_program_needs_nothing() -> None:
    assert repair(two_sources(), [0], [0, 1]) == (
        [pytest.approx(0, abs=1e-12)], [pytest.approx(0, abs=1e-12)] * 2,
    )  # fmt: skip


# --- the solver ---------------------------------------------------------------------------------


def test_option_that_the_solver_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(solve.OPTIONS, "simplex_scale_strategy", 99)
    with pytest.raises(SolveError, match="E404 HiGHS refuses option simplex_scale_strategy=99"):
        load(two_sources(), X)


def test_number_that_the_solver_refuses_is_told() -> None:
    lp = two_sources()
    lp.data[0] = np.inf
    with pytest.raises(SolveError, match="E404 HiGHS refuses the model"):
        load(lp, X)


def test_crossed_bounds_are_infeasible() -> None:
    lp = program([[1, 1]], [2], [INF], [2, 0], [1, 3])
    with pytest.raises((Infeasible, SolveError), match=r"E40[24]"):
        Stages(lp).optimise("cost", X)


NAMES = (["x", "y"], ["least"])


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize(("sense", "optimum"), [("minimise", 7 + 2), ("maximise", 7 + 9)])
def test_written_model_has_the_same_optimum(
    tmp_path: Path, ending: str, sense: str, optimum: float
) -> None:
    path = tmp_path / f"model.{ending}"
    write_model(two_sources(), X + 2 * Y, sense, NAMES, path, 7.0)
    text = path.read_text(encoding="utf-8")
    assert all(name in text for name in ("x", "y", "least"))
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.readModel(str(path))
    highs.run()
    assert highs.getInfo().objective_function_value == pytest.approx(optimum)


def test_name_that_the_solver_refuses_is_told(tmp_path: Path) -> None:
    names = (["x", "a y"], ["least"])
    with pytest.raises(SolveError, match="E404 HiGHS "):
        write_model(two_sources(), X, "minimise", names, tmp_path / "model.lp")


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SolveError, match="E404 HiGHS cannot write"):
        write_model(two_sources(), X, "minimise", NAMES, tmp_path / "none" / "model.lp")


# --- all goals in one ---------------------------------------------------------------------------


def rivers(seed: int, n: int = 12) -> tuple[MemberProgram, list[np.ndarray]]:
    """A chain of lakes over periods, and three goals: deliver, keep little spill, keep storage.

    Columns: delivery, spill, storage at the end, of each period; a row a period: storage at its end
    is storage before + inflow - delivery - spill.
    """
    draw = np.random.default_rng(seed)
    inflow, asked = draw.gamma(2.0, 3.0, n), draw.uniform(2, 8, n)
    a = np.hstack([np.eye(n), np.eye(n), np.eye(n) - np.eye(n, k=-1)])
    lp = program(a.tolist(), inflow.tolist(), inflow.tolist(), [0] * 3 * n,
                 [*asked, *[INF] * n, *[15.0] * n])  # fmt: skip
    one = np.kron(np.eye(3), np.ones(n))
    return lp, [-one[0], one[1], -one[2]]


def solved_in_order(lp: MemberProgram, costs: Sequence[np.ndarray], **more: Any) -> Stages:
    stages = Stages(lp, **more)
    for g, cost in enumerate(costs):
        stages.optimise(str(g), cost)
        stages.hold()
    return stages


@pytest.mark.parametrize("seed", range(1, 9))
def test_goals_in_one_reach_what_each_in_its_order_does(seed: int) -> None:
    combined = solved_in_order(*rivers(0)).combine()
    assert combined is not None
    lp, costs = rivers(seed)
    cold, ahead = solved_in_order(lp, costs), solved_in_order(lp, costs, combined=combined)
    for one, other in zip(cold.optima, ahead.optima, strict=True):
        assert other.objective == pytest.approx(one.objective, rel=1e-9, abs=1e-9)
        assert other.certificate.is_valid
    assert [optimum.iterations for optimum in ahead.optima[1:]] == [0, 0]
    assert ahead.drift() <= 1e-9


def test_goals_in_one_are_of_the_program_they_came_from() -> None:
    """From its own basis no iteration is needed, and each goal's weight is below that before."""
    lp, costs = rivers(0)
    combined = solved_in_order(lp, costs).combine()
    assert combined is not None
    weights = [np.abs(combined.cost[cost != 0]).max() for cost in costs]
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)
    again = solved_in_order(lp, costs, combined=combined)
    assert sum(optimum.iterations for optimum in again.optima) == 0


@pytest.mark.parametrize("wrong", ["other order", "opposite", "nothing"])
def test_goals_wrongly_in_one_only_cost_time(wrong: str) -> None:
    """Where the basis of all in one is not optimal for a goal, the goal is run."""
    lp, costs = rivers(3)
    found = solved_in_order(*rivers(0)).combine()
    assert found is not None
    cost = {"other order": costs[2] + costs[0] / 8, "opposite": -found.cost, "nothing": 0 * X[0]}
    given = Combined(np.broadcast_to(cost[wrong], found.cost.shape).copy(), found.basis)
    cold, ahead = solved_in_order(lp, costs), solved_in_order(lp, costs, combined=given)
    for one, other in zip(cold.optima, ahead.optima, strict=True):
        assert other.objective == pytest.approx(one.objective, rel=1e-9, abs=1e-9)
    assert sum(optimum.iterations > 0 for optimum in ahead.optima) > 1


def test_limits_and_coefficients_between_goals_hold_after_all_in_one() -> None:
    """What a goal limits while HiGHS is ahead is told before the next run."""
    lp, costs = rivers(3)
    combined = solved_in_order(*rivers(0)).combine()
    values = []
    for given in (None, combined):
        stages = Stages(lp, combined=given)
        stages.optimise("0", costs[0])
        stages.hold()
        last, most = np.array([35]), np.array([4.0])
        stages.bound_columns(last, np.array([0.0]), most)
        values.append(stages.optimise("1", costs[1]).objective)
        stages.change_coefficients(np.array([11]), last, np.array([2.0]))
        values.append(stages.optimise("2", costs[2]).objective)
        assert stages.optima[-1].x[35] <= 4 + 1e-9
    assert values[:2] == pytest.approx(values[2:], rel=1e-9)


def test_infeasible_program_is_told_from_all_in_one_too() -> None:
    lp, costs = rivers(3)
    combined = solved_in_order(*rivers(0)).combine()
    lp.col_lower[0] = 1e3
    lp.col_upper[0] = 2e3
    with pytest.raises(Infeasible):
        solved_in_order(lp, costs, combined=combined)


def test_what_cannot_be_put_in_one() -> None:
    lp, costs = rivers(0)
    one = solved_in_order(lp, costs[:1])
    assert one.combine() is None
    free = Stages(lp)
    for g, cost in enumerate(costs):
        free.optimise(str(g), cost)
    assert free.combine() is None
    changed = solved_in_order(lp, costs)
    changed.change_coefficients(np.array([0]), np.array([0]), np.array([2.0]))
    assert changed.combine() is None


def test_packed_basis_is_the_same_when_unpacked() -> None:
    basis = PackedBasis(np.array([0, 1, 2], np.int8), np.array([1, 0], np.int8))
    again = PackedBasis.of(basis.unpack())
    assert again.columns.tolist() == [0, 1, 2]
    assert again.rows.tolist() == [1, 0]


def test_dot() -> None:
    assert dot(np.array([1.0, 2.0]), np.array([3.0, -4.0])) == -5.0
