"""perfect: all periods in one program; every decision knows the whole horizon."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import Infeasible, listed
from wateralloc.horizon import Horizon
from wateralloc.period import Period, build_period
from wateralloc.solve import Certificate, Optimum, Stages, least_repair

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


def explain_infeasible(period: Period, horizon: Horizon, member: int) -> str:
    """Say which rules, environmental flows and limits cannot all be met, and by how much.

    The least total volume is sought by which rules, environmental flows, storage limits and link
    minima would have to give way together.
    """
    m, case = period.model, period.case
    lp = horizon.stack().member(member)
    rows = {
        row.label: (row.constraint, f"{row.rule.kind} '{row.label}'{_at(case, row.rule)}")
        for row in period.rule_rows
        if not row.rule.soft
    }
    if m.component("environmental_flow") is not None:
        for name, constraint in m.environmental_flow.items():
            rows[f"environmental flow {name}"] = (constraint, f"environmental flow '{name}'")
    limits = {f"storage limits of '{r}'": m.storage_end[r] for r in m.reservoir}
    limits |= {f"limits of link '{k}'": m.flow[k] for k in m.link}
    row_names = [(text, t) for c, text in rows.values() for t in horizon.first_periods(c)]
    column_names = [(text, t) for text in limits for t in range(case.n_periods)]
    row_numbers = [horizon.rows[id(constraint)] for constraint, _ in rows.values()]
    columns = [horizon.columns[id(variable)] for variable in limits.values()]
    repair = least_repair(
        lp,
        np.concatenate([*row_numbers, []]).astype(int),
        np.concatenate([*columns, []]).astype(int),
    )
    if repair is None:
        return (
            "E402 the water balance itself cannot close: check inflows, losses and initial storages"
        )
    amounts: dict[str, list[tuple[int, float]]] = {}
    for (text, t), amount in zip(row_names + column_names, np.concatenate(repair), strict=True):
        if abs(amount) > SMALLEST_REPAIR:
            amounts.setdefault(text, []).append((int(t), abs(float(amount))))
    starts = case.timeline.labels
    lines = []
    for text, parts_ in sorted(amounts.items(), key=lambda item: -sum(a for _, a in item[1])):
        when = listed([f"{starts[t]} ({amount:.3g} hm3)" for t, amount in parts_], 4)
        lines.append(
            f"E402 {text} cannot be met by {sum(a for _, a in parts_):.4g} hm3 in all: {when}; "
            "lower it, make it soft, or relax what stands against it"
        )
    return "\n".join(lines)


def _at(case: Case, rule: Any) -> str:
    for known, position in zip(case.rules, case.rule_positions, strict=False):
        if known is rule and position.line:
            return f" ({position})"
    return ""
