"""Steps from the last basis: the same optima as the solver's, goal by goal, and a certificate that
can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse as sp

from wateralloc.errors import Infeasible
from wateralloc.foresight import basis as module
from wateralloc.foresight.basis import check_goals
from wateralloc.foresight.dual import DualSimplex
from wateralloc.horizon import MemberProgram
from wateralloc.solve import FACE, Certificate, Stages

N_STEPS = 25


def programs(seed: int, n_rows: int, n_columns: int, n_goals: int) -> tuple[MemberProgram, ...]:
    """A program with rows of both kinds, and others of the same matrix with other limits."""
    dice = np.random.default_rng(seed)
    matrix = sp.random_array((n_rows, n_columns), density=0.25, rng=dice, format="csc")
    matrix.data = dice.choice([-1.0, 1.0, 0.5, -0.9], matrix.data.size)
    matrix.sort_indices()
    is_equal = np.arange(n_rows) % 3 == 0
    found = []
    for _ in range(N_STEPS):
        upper = dice.uniform(0, 10, n_columns)
        upper[dice.random(n_columns) < 0.1] = 0.0  # nothing may flow there today
        inside = dice.uniform(0, 1, n_columns) * upper
        activity = matrix @ inside
        low = np.where(is_equal, activity, activity - dice.uniform(0, 5, n_rows))
        high = np.where(is_equal, activity, np.inf)
        found.append(
            MemberProgram(
                matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
                np.zeros(n_columns), upper, low, high,
            )
        )  # fmt: skip
    return tuple(found)


def costs_of(seed: int, n_columns: int, n_goals: int) -> np.ndarray:
    """Goals that leave much to those after them, and one without ties."""
    dice = np.random.default_rng((seed, 1))
    goals = dice.choice([0.0, 0.0, 1.0, -1.0], (n_goals, n_columns))
    goals[:, 0] = 1.0
    return np.vstack([goals, 1.0 + dice.random(n_columns)])


def is_certified(
    steps: DualSimplex, values: np.ndarray, duals: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> bool:
    costs = steps.costs[:, : steps.n_columns].copy()
    worst = check_goals(steps.matrix, costs, values, duals, lower, upper, FACE)
    return all(Certificate(*figures).is_valid for figures in worst.tolist())


def limits(lp: MemberProgram) -> tuple[np.ndarray, np.ndarray]:
    both = (lp.col_lower, lp.row_lower), (lp.col_upper, lp.row_upper)
    return tuple(np.concatenate(part)[None] for part in both)  # type: ignore[return-value]


def never_move(lp: MemberProgram) -> np.ndarray:
    is_equal = lp.row_lower == lp.row_upper
    return np.concatenate([np.zeros(lp.col_lower.size, bool), is_equal])


@pytest.mark.parametrize("most_changes", [module.MOST_CHANGES, 3])
@pytest.mark.parametrize(("seed", "size"), [(1, (9, 20)), (2, (20, 35)), (3, (40, 90))])
def test_every_goal_has_the_optimum_of_the_solver(
    monkeypatch: pytest.MonkeyPatch, seed: int, size: tuple[int, int], most_changes: int
) -> None:
    monkeypatch.setattr(module, "MOST_CHANGES", most_changes)
    lps, costs = programs(seed, *size, 3), costs_of(seed, size[1], 3)
    steps = DualSimplex(lps[0], costs, never_move(lps[0]), 1)
    for lp in lps:
        lower, upper = limits(lp)
        values = steps.step(lower, upper)
        stages = Stages(lp)
        for g, cost in enumerate(costs):
            best = stages.optimise(f"goal {g}", cost)
            stages.hold()
            mine = float(cost @ values[0, : size[1]])
            assert mine == pytest.approx(best.objective, rel=1e-7, abs=1e-7)
        duals = steps.reduced[:, :, size[1] :]
        assert is_certified(steps, values, duals, lower, upper)
    assert steps.n_asked <= 3 < N_STEPS
    assert steps.n_pivots > N_STEPS


def test_members_side_by_side_are_as_if_alone() -> None:
    lps, costs = programs(4, 15, 30, 2), costs_of(4, 30, 2)
    fixed = never_move(lps[0])
    both = DualSimplex(lps[0], costs, fixed, 2)
    alone = [DualSimplex(lps[0], costs, fixed, 1) for _ in range(2)]
    for one, other in zip(lps, lps[::-1], strict=True):
        pairs = [limits(lp) for lp in (one, other)]
        lower, upper = (
            np.ascontiguousarray(np.concatenate(part)) for part in zip(*pairs, strict=True)
        )
        together = both.step(lower, upper)
        for k, (low, high) in enumerate(pairs):
            assert together[k].tobytes() == alone[k].step(low, high)[0].tobytes()


def test_what_has_no_solution_is_found_by_the_solver() -> None:
    lps, costs = programs(5, 9, 20, 1), costs_of(5, 20, 1)
    steps = DualSimplex(lps[0], costs, never_move(lps[0]), 1)
    steps.step(*limits(lps[0]))
    broken = replace(lps[1], row_lower=lps[1].row_lower + 1e6, row_upper=lps[1].row_upper + 1e6)
    with pytest.raises(Infeasible):
        steps.step(*limits(broken))


def test_certificate_notices_a_wrong_value_and_a_wrong_dual() -> None:
    (lp, *_), costs = programs(6, 9, 20, 1), costs_of(6, 20, 1)
    steps = DualSimplex(lp, costs, never_move(lp), 1)
    lower, upper = limits(lp)
    values = steps.step(lower, upper).copy()
    duals = steps.reduced[:, :, 20:].copy()
    assert is_certified(steps, values, duals, lower, upper)
    moved = values.copy()
    moved[0, int(np.argmax(upper[0, :20]))] += 0.01
    assert not is_certified(steps, moved, duals, lower, upper)
    moved[:] = np.nan
    assert not is_certified(steps, moved, duals, lower, upper)
    turned = duals.copy()
    turned[0, 0] += 1e-4
    assert not is_certified(steps, values, turned, lower, upper)


def test_where_nothing_can_be_kept_on_disk_it_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    njit = numba.njit

    def without_a_folder(cache: bool = False, **options: Any) -> Callable[..., Any]:
        def refuse(function: Callable[..., Any]) -> Any:
            raise RuntimeError("cannot cache function: no locator available")

        return refuse if cache else njit(**options)

    monkeypatch.setattr(numba, "njit", without_a_folder)
    caplog.set_level("INFO")
    assert module.compiled(lambda x: x + 1)(2.0) == 3.0
    assert "no locator available" in caplog.text
