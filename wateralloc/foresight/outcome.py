"""What came of goals and rules over the whole horizon, by one measure for every way to look ahead.

What a program reports of a goal is an optimum of what it saw: a window's, or one round of a rule of
sharing.  Here the goal's expression, the unit and the factor are taken on what was decided in the
end, so that ways can be set side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wateralloc.foresight.perfect import Solution
from wateralloc.foresight.successive import Lines
from wateralloc.goals import Goal, LinearGoal
from wateralloc.goals.claims import NOTHING
from wateralloc.goals.keep import Keep
from wateralloc.goals.share import Share
from wateralloc.horizon import Horizon
from wateralloc.period import RuleRow, required_values
from wateralloc.rules import KEPT


@dataclass(frozen=True)
class Outcome:
    """What came of a goal.

    Attributes
    ----------
    place : among the goals and the soft rules of the case, from 1
    sense : ``minimise`` or ``maximise``
    values : in `unit` (member)
    scales : factor from the unit of the goal's expression to `unit` (member)
    """

    place: int
    name: str
    sense: str
    unit: str
    values: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True)
class Missed:
    """What was missed of a rule.

    Attributes
    ----------
    unit : ``hm3`` or ``GWh``
    volume : what is missed in all (member)
    broken : periods or windows in which it is broken (member)
    windows : those in which it asks
    """

    rule: str
    kind: str
    is_soft: bool
    unit: str
    volume: np.ndarray
    broken: np.ndarray
    windows: int


def outcomes(solution: Solution, rules: tuple[Any, ...]) -> list[Outcome]:
    """Value what was decided by every goal of the case, in their order.

    Of ``share`` the least satisfaction of a claimant comes first, then the deficit of all.

    Parameters
    ----------
    rules : of the case as it is written; a rule that only the way made soft is no goal of the case
    """
    goals = solution.case.goals
    soft = {rule.name for rule in rules if rule.soft is not None and rule.soft.penalty is None}
    found: list[Outcome] = []
    place = 0
    for number, goal in solution.period.goals:
        is_own = goal.rule in soft if isinstance(goal, Keep) else any(goal is g for g in goals)
        if not is_own:
            continue
        place += 1
        if isinstance(goal, Share):
            found.append(_least_satisfaction(solution, place, goal))
        found.append(replace(came_of(solution, number, goal), place=place))
    return found


def came_of(solution: Solution, number: int, goal: Goal) -> Outcome:
    """Value what was decided by one goal, number `number` of the period."""
    m, case = solution.period.model, solution.case
    scales, unit = [], ""
    for k in range(case.n_members):
        unit, scale = goal.measure(m, case, OfMember(solution.horizon, k))  # type: ignore[arg-type]
        scales.append(scale)
    expression, sense = goal.outcome(m, number)
    with _true_lines(solution):
        values = solution.value(expression).sum(axis=1)
        if isinstance(goal, LinearGoal):
            truth = goal.truth(m, number, solution.value)
            if truth is not None:
                values = truth if goal.sense == "maximise" else -truth
    factor = np.array(scales)
    return Outcome(number, _title(goal), sense, unit, values * factor, factor)


@contextmanager
def _true_lines(solution: Solution) -> Iterator[None]:
    """Let what is not linear have its true value at the solution, in place of that by its line."""
    horizon, tangents = solution.horizon, solution.period.model.tangents.all
    if not tangents:
        yield
        return
    lines = Lines(horizon, tangents)
    used = lines.now()
    arguments = lines.arguments(solution.x)
    lines.put(lines.true(arguments, lines.touch(arguments)))
    horizon.forget()
    try:
        yield
    finally:
        lines.put(used)
        horizon.forget()


def _title(goal: Goal) -> str:
    if isinstance(goal, Share):
        return f"share {goal.users_title()}: deficit"
    title = getattr(goal, "title", None)  # a goal of another package may have none
    return str(title()) if callable(title) else str(goal.kind)


def _least_satisfaction(solution: Solution, place: int, goal: Share) -> Outcome:
    """Least share of its claim that a claimant is given in a window; 1 where nothing is claimed."""
    m = solution.period.model
    claimants = goal.all_claimants(solution.case)[0]
    claims = claimants.claims(m)
    awards = np.stack(
        [
            claimants.sums(np.sum([solution.value(m.withdrawal[d]) for d in group], axis=0))
            for group in claimants.groups.values()
        ],
        axis=1,
    )
    given = np.divide(awards, claims, out=np.ones(claims.shape), where=claims > NOTHING)
    least = given.reshape(given.shape[0], -1).min(axis=1, initial=1.0)
    name = f"share {goal.users_title()}: least satisfaction"
    return Outcome(place, name, "maximise", "fraction of claim", least, np.ones(least.size))


@dataclass(frozen=True)
class OfMember:
    """Data of one member over the horizon: what goals ask to know their unit and factor."""

    horizon: Horizon
    member: int

    def data(self, data: Any) -> np.ndarray:
        return self.horizon.array(data)[self.member]


def missed(solution: Solution, rules: tuple[Any, ...]) -> list[Missed]:
    """Sum up by how much each rule was missed, soft or hard.

    Parameters
    ----------
    rules : of the case as it is written
    """
    found = []
    for rule in rules:
        rows = [row for row in solution.period.rule_rows if row.rule.name == rule.name]
        if not rows:
            continue
        short = np.concatenate([_shortfall(solution, row) for row in rows], axis=1)
        unit = "GWh" if rule.reported_in == "gwh" else "hm3"
        found.append(
            Missed(
                rule.name, str(rule.kind), rule.soft is not None, unit, short.sum(axis=1),
                (short > 0).sum(axis=1), short.shape[1],
            )
        )  # fmt: skip
    return found


def _shortfall(solution: Solution, row: RuleRow) -> np.ndarray:
    """By how much a row is missed in each window, 0 where it is kept (member, window)."""
    case = solution.case
    order, starts = solution.horizon.windows(row.constraint)
    if not starts.size:
        return np.zeros((case.n_members, 0))
    short = required_values(row, case.n_members, case.n_periods) - solution.value(row.achieved)
    short = short if row.sense == ">=" else -short
    total = np.add.reduceat(short[:, order], starts, axis=1)
    return np.where(total > KEPT, total, 0.0)
