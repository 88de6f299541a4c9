"""What it is worth to know which member comes, and to plan for more than the mean of members.

Three plans are compared by what each goal comes to, over the same members:

======================  ==========================================================================
wait and see            every member is known beforehand: perfect foresight
two_stage               what members have in common is decided for all of them together
mean of members         it is decided for the mean hydrology alone, and each member bears it
======================  ==========================================================================

Source
------
Birge & Louveaux (2011), Introduction to Stochastic Programming, 2nd ed., chapter 4: the expected
value of perfect information (EVPI) and the value of the stochastic solution (VSS).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wateralloc.case import Case
from wateralloc.case.foresight import Foresight
from wateralloc.case.model import series_in_use
from wateralloc.errors import Infeasible
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.foresight.risk import Risk
from wateralloc.foresight.ties import find_ties
from wateralloc.foresight.two_stage import JointPasses, TwoStageSolution, solve_two_stage
from wateralloc.horizon import Horizon
from wateralloc.period import build_period


@dataclass(frozen=True)
class GoalValues:
    """What a goal comes to under the three plans, by its measure over members.

    Goals are kept in their order, so a figure tells what a plan is worth where all goals before
    are alike under both.

    Attributes
    ----------
    wait_and_see, two_stage, of_mean : in `unit`; of_mean is None where the decisions made for the
        mean hydrology cannot be kept in every member
    """

    goal: int
    title: str
    over: str
    sense: str
    unit: str
    wait_and_see: float
    two_stage: float
    of_mean: float | None

    @property
    def perfect_information(self) -> float:
        """EVPI: by how much the goal is better if the member is known."""
        return self._better(self.wait_and_see, self.two_stage)

    @property
    def stochastic_solution(self) -> float:
        """VSS: by how much it is better to plan for all members than for their mean.

        Infinite where what is decided for the mean cannot be kept.
        """
        return np.inf if self.of_mean is None else self._better(self.two_stage, self.of_mean)

    def _better(self, one: float, other: float) -> float:
        return one - other if self.sense == "maximise" else other - one


def value_of_information(case: Case) -> list[GoalValues]:
    """Compare two_stage with knowing the member, and with planning for the mean (goal).

    Parameters
    ----------
    case : with ``foresight: {two_stage: ...}``

    Raises
    ------
    ValueError
        The case does not say what is decided beforehand.
    Infeasible, SolveError
        As by :func:`wateralloc.foresight.two_stage.solve_two_stage`.
    """
    if case.foresight.two_stage is None:
        raise ValueError("the case has no foresight two_stage, so nothing is decided beforehand")
    risk = Risk.of(case.foresight.two_stage)
    together = solve_two_stage(case)
    known = solve_perfect(case)
    try:
        of_mean: Solution | None = solve_with_decisions_of(case, solve_perfect(mean_case(case)))
    except Infeasible:
        of_mean = None
    values = []
    for number, _ in together.period.goals:
        last = [s for s in together.stages[0] if s.goal == number][-1]
        found = [
            None if solution is None else _measured(solution, number, risk)
            for solution in (known, together, of_mean)
        ]
        values.append(
            GoalValues(
                number,
                last.name.split(" ", 1)[1].removesuffix(f", {Risk().title}"),
                risk.title,
                last.sense,
                last.unit,
                *found,
            )
        )
    return values


def _measured(solution: Solution, goal: int, risk: Risk) -> float:
    """Measure over members of what a goal came to in the end."""
    last = [[s for s in stages if s.goal == goal][-1] for stages in solution.stages]
    sign = 1.0 if last[0].sense == "minimise" else -1.0
    # in the unit of the expression, of which volumes add up; then in that of the goal
    own = np.array([s.kept / s.value_scale for s in last])
    size = float(np.mean([1.0 / s.value_scale for s in last]))
    return sign * risk.measure(sign * own) / size


def mean_case(case: Case) -> Case:
    """The case with one member: the mean hydrology of its members, known beforehand."""
    natural = replace(case, inflow_scale={}, upstream_withdrawal={})
    given: dict[str, dict[str, np.ndarray]] = {}
    in_use = series_in_use(case.basin, "hydrology")
    for table in case.basin.declared.values():
        for column in table.columns:
            if column.varies != "hydrology" or column.name not in in_use:
                continue
            names = [n for of, n in case.basin.in_series(column.name) if of == table.name]
            values = natural.attribute(table.name, column.name)
            means = {n: values[n].mean(axis=0, keepdims=True) for n in names}
            given.setdefault(column.name, {}).update(means)
    first = case.with_members([0])
    mean = replace(first.members[0], name="mean")
    return replace(first, members=(mean,), given=given, foresight=Foresight())


def solve_with_decisions_of(case: Case, other: Solution) -> TwoStageSolution:
    """Solve a case with what is decided beforehand as in the first member of another solution.

    Raises
    ------
    Infeasible
        A member cannot keep these decisions.
    """
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    ties = find_ties(period, horizon)
    known = {quantity.name: quantity for quantity in other.period.quantities()}
    decided = np.array(
        [other.value(known[tie.quantity].values[tie.item])[0, tie.period] for tie in ties]
    )
    keys = case.foresight.two_stage
    assert keys is not None
    return JointPasses(period, horizon, ties, Risk.of(keys), decided=decided).solve()
