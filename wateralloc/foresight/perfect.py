"""perfect: all periods in one program; every decision knows the whole horizon."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import Infeasible, listed
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period, build_period
from wateralloc.rules import Rule
from wateralloc.solve import Certificate, Optimum, Stages, least_repair
from wateralloc.units import HM3_PER_M3

Progress = Callable[[int, int], None]
"""Called after each member with the number done and the number in all."""

SMALLEST_REPAIR = 1e-6
"""Amounts [hm3] below this are rounding and are not reported."""


@dataclass(frozen=True)
class StageOptimum:
    """The optimum of one linear program of one member.

    Attributes
    ----------
    goal : place of the goal, from 1; a goal may take several programs
    value : in `unit`, as the goal states it
    balance_price : dual of each node's balance (node, time): change of the objective, in the unit
    of
        the goal's expression, by one hm3 more at the node
    rule_price : dual of each rule row by its label (window)
    value_scale : unit of `value` over that of the prices
    """

    goal: int
    name: str
    sense: str
    value: float
    unit: str
    value_scale: float
    balance_price: np.ndarray
    rule_price: dict[str, np.ndarray]
    certificate: Certificate
    iterations: int
    seconds: float
    cold_again: bool


@dataclass(frozen=True)
class Solution:
    """All members of a case, solved.

    Attributes
    ----------
    x : columns of the last optimum (member, column)
    stages : optima of each member, in the order they were solved
    drift : largest relative change of a held optimum by the end, of each member
    seconds : ``build`` and ``solve``
    """

    period: Period
    horizon: Horizon
    x: np.ndarray
    stages: tuple[tuple[StageOptimum, ...], ...]
    drift: np.ndarray
    seconds: dict[str, float]

    @property
    def case(self) -> Case:
        return self.period.case

    def value(self, expression: Any) -> np.ndarray:
        """Value of a linear expression of the period (member, time)."""
        return self.horizon.value(expression, self.x)

    @property
    def certificate(self) -> Certificate:
        """The worst figures of all optima."""
        worst = Certificate(0.0, 0.0, 0.0)
        for stages in self.stages:
            for stage in stages:
                worst = worst.worse(stage.certificate)
        return worst


@dataclass
class MemberStage:
    """What goals do with the program of one member (implements :class:`wateralloc.goals.Stage`)."""

    period: Period
    horizon: Horizon
    costs: dict[int, tuple[Any, np.ndarray, np.ndarray]]
    member: int
    stages: Stages
    goal: int = 0
    optima: list[StageOptimum] = field(default_factory=list)

    def optimise(
        self,
        name: str,
        expression: Any,
        sense: str,
        unit: str = "hm3",
        scale: float = 1.0,
        cost_scale: float | None = None,
    ) -> float:
        known = self.costs.get(id(expression))
        if known is None:
            known = (expression, *self.horizon.cost(expression))
            self.costs[id(expression)] = known
        _, cost, constant = known
        k = self.member
        optimum = self.stages.optimise(name, cost[k], sense, float(constant[k]), cost_scale)
        self.optima.append(self._stage_optimum(optimum, unit, scale))
        return optimum.objective

    def _stage_optimum(self, optimum: Optimum, unit: str, scale: float) -> StageOptimum:
        rows, m = self.horizon.rows, self.period.model
        return StageOptimum(
            self.goal,
            optimum.name,
            optimum.sense,
            optimum.objective * scale,
            unit,
            scale,
            # of "sum of water == 0": a hm3 more at the node moves its limit by -1
            -np.array([optimum.y[rows[id(m.balance[n])]] for n in m.node]),
            {row.label: optimum.y[rows[id(row.constraint)]] for row in self.period.rule_rows},
            optimum.certificate,
            optimum.iterations,
            optimum.seconds,
            optimum.cold_again,
        )

    def hold(self) -> None:
        self.stages.hold()

    def values(self, variable: Any) -> np.ndarray:
        return self.stages.optima[-1].x[self.horizon.columns[id(variable)]]

    def duals(self, constraint: Any) -> np.ndarray:
        return self.stages.optima[-1].y[self.horizon.rows[id(constraint)]]

    def bound(self, variable: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_columns(np.unique(self.horizon.columns[id(variable)]), lower, upper)

    def limit(self, constraint: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_rows(self.horizon.rows[id(constraint)], lower, upper)


def solve_perfect(case: Case, progress: Progress | None = None) -> Solution:
    """Solve a case with perfect foresight, member by member.

    Raises
    ------
    Infeasible
        No allocation of a member meets all hard limits; the text names the limits that
        give way with the least volume.
    Uncertified, SolveError
    """
    started = time.perf_counter()
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack()
    built = time.perf_counter()
    costs: dict[int, tuple[Any, np.ndarray, np.ndarray]] = {}
    x = np.empty((case.n_members, lp.n_columns))
    drift = np.empty(case.n_members)
    stages = []
    for k, member in enumerate(case.members):
        where = f"{case.name}, member {member.name}: "
        stage = MemberStage(period, horizon, costs, k, Stages(lp.member(k), where))
        try:
            for number, goal in period.goals:
                stage.goal = number
                goal.optimise(period.model, case, number, stage)
        except Infeasible as error:
            raise Infeasible(f"{error}\n{explain_infeasible(period, horizon, k)}") from None
        x[k] = stage.stages.optima[-1].x
        drift[k] = stage.stages.drift()
        stages.append(tuple(stage.optima))
        if progress:
            progress(k + 1, case.n_members)
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    return Solution(period, horizon, x, tuple(stages), drift, seconds)


@dataclass(frozen=True)
class _Limit:
    """A limit that could give way: rows or columns of the program, one a period or window."""

    text: str
    is_row: bool
    numbers: np.ndarray
    periods: np.ndarray
    unit: str = "hm3"


def explain_infeasible(period: Period, horizon: Horizon, member: int) -> str:
    """Say which rules, environmental flows and limits cannot all be met, and by how much.

    The least total volume is sought by which hard rules would have to give way together; if no
    amount of theirs helps, the environmental flows too; if that does not help, the limits of
    storages and links.
    """
    lp = horizon.stack().member(member)
    limits: list[_Limit] = []
    for tier in _limits_in_tiers(period, horizon):
        limits += tier
        of_rows = [limit.numbers for limit in limits if limit.is_row]
        of_columns = [limit.numbers for limit in limits if not limit.is_row]
        repair = least_repair(lp, _joined(of_rows), _joined(of_columns))
        if repair is not None:
            return _tell_repair(period.case, lp, limits, np.concatenate(repair))
    return "E402 the water balance itself cannot close: check inflows, losses and initial storages"


def _limits_in_tiers(period: Period, horizon: Horizon) -> list[list[_Limit]]:
    m, case = period.model, period.case
    rules = [
        _Limit(
            f"{row.rule.kind} '{row.label}'{_at(case, row.rule)}",
            True,
            horizon.rows[id(row.constraint)],
            horizon.first_periods(row.constraint),
            row.rule.reported_in,
        )
        for row in period.rule_rows
        if not row.rule.soft
    ]
    every = np.arange(case.n_periods)
    flows = [
        _Limit(f"environmental flow '{name}'", True, horizon.rows[id(row)], every, "m3s")
        for name, row in m.environmental_flow.items()
    ]
    stores = [
        _Limit(f"storage limits of '{r}'", False, horizon.columns[id(m.storage_end[r])], every)
        for r in m.reservoir
    ]
    links = [
        _Limit(f"limits of link '{k}'", False, horizon.columns[id(m.flow[k])], every, "m3s")
        for k in m.link
    ]
    return [rules, flows, stores + links]


def _tell_repair(case: Case, lp: MemberProgram, limits: list[_Limit], amounts: np.ndarray) -> str:
    """Put the amounts by which limits give way into sentences, the largest first."""
    ordered = [k for k in limits if k.is_row] + [k for k in limits if not k.is_row]
    lines = []
    start = 0
    for limit in ordered:
        gives = np.abs(amounts[start : start + limit.numbers.size])
        start += limit.numbers.size
        if not (gives > SMALLEST_REPAIR).any():
            continue
        per_hm3 = np.ones(gives.size)
        if limit.unit == "m3s":
            per_hm3 = 1 / (case.timeline.seconds[limit.periods] * HM3_PER_M3)
        unit = "m3/s" if limit.unit == "m3s" else "hm3"
        when = []
        for i in np.flatnonzero(gives > SMALLEST_REPAIR):
            text = f"{case.timeline.labels[limit.periods[i]]} by {gives[i] * per_hm3[i]:.4g} {unit}"
            asked = lp.row_lower[limit.numbers[i]] if limit.is_row else -np.inf
            if 0 < asked < np.inf:
                reached = (asked - gives[i]) * per_hm3[i]
                text += f" (asks {asked * per_hm3[i]:.4g}, {reached:.4g} can reach it)"
            when.append(text)
        lines.append(
            (
                -gives.sum(),
                f"E402 {limit.text} cannot be met by {gives.sum():.4g} hm3 in all: "
                f"{listed(when, 4)}; lower it, make it soft, or relax what stands against it",
            )
        )
    return "\n".join(text for _, text in sorted(lines))


def _joined(numbers: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*numbers, np.empty(0, int)]).astype(int)


def _at(case: Case, rule: Rule) -> str:
    for known, position in zip(case.rules, case.rule_positions, strict=False):
        if known is rule and position.line:
            return f" ({position})"
    return ""
