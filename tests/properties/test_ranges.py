"""What goals leave open on random basins, by brute force and another route.

The route: the program of a member as it is stacked, each goal held by a row that states its
optimum (of ``share``: a row for each award, and the deficit of its users), every end of every range
a linear program of its own, solved by scipy's own copy of the solver.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.properties.basins import linear_goals, networks, read, share_goals
from tests.small import make_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.foresight.ranges import Ranges, find_ranges, groups_of
from wateralloc.goals.share import Share

SLACKS = (1e-7, 1e-8)
"""What a goal may lose in the brute way, as a share of 1 + its size.

A row that holds a goal exactly leaves the solver no room, so ends are found with two widths of it;
they are linear in the width where it is small, which gives the ends without any."""
SAME = 1e-5
"""Ends of a range [hm3] agree to this share of 1 + the demand."""
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class Brute:
    """The optima of one member, as rows beside its program."""

    def __init__(self, solution: Solution, member: int, slack: float) -> None:
        self.solution, self.member, self.slack = solution, member, slack
        lp = solution.horizon.stack().member(member)
        self.bounds = np.stack([lp.col_lower, lp.col_upper], axis=1)
        matrix = lp.matrix.tocsr()
        has_upper, has_lower = np.isfinite(lp.row_upper), np.isfinite(lp.row_lower)
        self.rows = [matrix[has_upper], -matrix[has_lower]]
        self.limits = [lp.row_upper[has_upper], -lp.row_lower[has_lower]]
        for number, goal in solution.period.goals:
            if isinstance(goal, Share):
                self.hold_awards(number, goal)
            else:
                expression, sense = goal.objective(solution.period.model, number)
                self.hold(self.cost(expression), sense)

    def cost(self, expression: Any) -> np.ndarray:
        return self.solution.horizon.cost(expression)[0][self.member]

    def least(self, cost: np.ndarray) -> float:
        for presolve in (True, False):  # presolve may take thin rows for contradictions
            found = linprog(
                cost, sp.vstack(self.rows), np.concatenate(self.limits), bounds=self.bounds,
                method="highs", options=EXACT | {"presolve": presolve},
            )  # fmt: skip
            if found.status == 0:
                return float(found.fun)
        raise AssertionError(found.message)

    def hold(self, cost: np.ndarray, sense: str) -> None:
        """Add the row that keeps the optimum of a goal."""
        cost = cost if sense == "minimise" else -cost
        # at what it came to, which is certified: what goals before may lose here, an optimum of
        # this program would gain many times over
        given = float(cost @ self.solution.x[self.member])
        self.rows.append(sp.csr_matrix(cost))
        self.limits.append(np.array([given + self.slack * (1 + abs(given))]))

    def hold_awards(self, number: int, goal: Share) -> None:
        m, horizon = self.solution.period.model, self.solution.horizon
        x = self.solution.x[self.member]
        (claimants,) = goal.all_claimants(self.solution.case)
        for group in claimants.groups.values():
            for window in range(claimants.n_windows):
                columns = np.concatenate(
                    [
                        horizon.columns[id(m.withdrawal[d])][claimants.window == window]
                        for d in group
                    ]
                )
                row = np.zeros(x.size)
                row[columns] = 1.0
                self.rows += [sp.csr_matrix(row), sp.csr_matrix(-row)]
                room = self.slack * (1 + x[columns].sum())
                self.limits += [np.array([s * x[columns].sum() + room]) for s in (1.0, -1.0)]
        block = m.goals.component(f"share_{number}")
        self.hold(self.cost(block.deficit), "minimise")

    def ends(self, columns: np.ndarray) -> np.ndarray:
        """Least and most of the sum of columns."""
        cost = np.zeros(self.bounds.shape[0])
        cost[columns] = 1.0
        return np.array([self.least(cost), -self.least(-cost)])


def brute_ends(brutes: list[Brute], columns: np.ndarray) -> tuple[float, float]:
    wide, thin = (brute.ends(columns) for brute in brutes)
    least, most = thin + (thin - wide) * SLACKS[1] / (SLACKS[0] - SLACKS[1])
    return float(least), float(most)


def solved(case: Case) -> tuple[Solution, Ranges]:
    solution = solve_perfect(case, keep_faces=True)
    return solution, find_ranges(solution)


def differences(solution: Solution, ranges: Ranges) -> Iterator[str]:
    """Ends that brute force finds elsewhere."""
    case, m = solution.case, solution.period.model
    demands = list(m.demand_name)
    columns = np.array([solution.horizon.columns[id(m.withdrawal[d])] for d in demands])
    asked = np.array([solution.horizon.array(m.demand[d]) for d in demands])
    for k in range(case.n_members):
        brutes = [Brute(solution, k, slack) for slack in SLACKS]
        for i, demand in enumerate(demands):
            for t in range(case.n_periods):
                ends = ranges.least[k, t, i], ranges.most[k, t, i]
                sought = brute_ends(brutes, columns[i, t][None])
                if ends != pytest.approx(sought, abs=SAME * (1 + asked[i, k, t])):
                    yield f"{demand}, period {t} of member {k}: {ends}, by brute force {sought}"
        for n, (key, places) in enumerate(groups_of(case, demands).items()):
            volume = asked[places, k].sum()
            most, least = brute_ends(brutes, columns[places].ravel())
            ends = ranges.totals.deficit_least[k, n], ranges.totals.deficit_most[k, n]
            sought = volume - least, volume - most
            if ends != pytest.approx(sought, abs=SAME * (1 + volume)):
                yield f"{key} of member {k}: {ends}, by brute force {sought}"


def goals(n: int) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Some linear goals, of which one may be ``share``: few goals leave much open."""
    return st.tuples(linear_goals(), st.none() | share_goals(), st.integers(0, n)).map(
        lambda of: [*of[0][: of[2]], *([of[1]] if of[1] else of[0][of[2] : of[2] + 1])]
    )


@settings(max_examples=12, deadline=None)
@given(drawn=networks(), goals=goals(2))
def test_as_two_programs_for_each_delivery(drawn: dict[str, Any], goals: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        solution, ranges = solved(read(folder, drawn, goals))
    told = list(differences(solution, ranges))
    assert not told, "\n".join(told)


@settings(max_examples=10, deadline=None)
@given(drawn=networks(), goals=goals(3))
def test_a_range_holds_the_result_and_what_the_demand_allows(
    drawn: dict[str, Any], goals: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        solution, ranges = solved(read(folder, drawn, goals))
    m = solution.period.model
    given_ = np.stack([solution.value(m.withdrawal[d]) for d in m.demand_name], axis=2)
    asked = np.stack([solution.horizon.array(m.demand[d]) for d in m.demand_name], axis=2)
    assert (ranges.least <= given_).all()
    assert (given_ <= ranges.most).all()
    assert (ranges.least >= -1e-9).all()
    assert (ranges.most <= asked + 1e-9).all()
    assert ranges.certificate.is_valid
    open_ = (ranges.least < ranges.most).sum(axis=(1, 2))
    assert open_.tolist() == ranges.n_open.tolist()


@settings(max_examples=10, deadline=None)
@given(drawn=networks(members=1), goals=goals(2), more=linear_goals())
def test_a_further_goal_only_narrows(
    drawn: dict[str, Any], goals: list[Any], more: list[Any]
) -> None:
    further = [goal for goal in more if goal not in goals][:1]
    assume(further)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        _, before = solved(read(one, drawn, goals))
        _, after = solved(make_case(Path(other), goals=[*goals, *further], **drawn))
    room = 1e-5 * (1 + before.most)
    assert (after.least >= before.least - room).all()
    assert (after.most <= before.most + room).all()
