"""perfect: all periods in one program; every decision knows the whole horizon."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import Infeasible, SolveError, listed
from wateralloc.foresight.successive import (
    Convergence,
    Face,
    Judge,
    Lines,
    Merit,
    Region,
    choose,
)
from wateralloc.goals import Goal
from wateralloc.goals.keep import Keep
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.parts import Quantity
from wateralloc.period import Period, RuleRow, build_period, required_values
from wateralloc.rules import Rule
from wateralloc.solve import Certificate, Optimum, Stages, least_repair
from wateralloc.units import HM3_PER_M3

log = logging.getLogger(__name__)

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
    convergence : how the passes of each member ended; empty where one pass is all
    """

    period: Period
    horizon: Horizon
    x: np.ndarray
    stages: tuple[tuple[StageOptimum, ...], ...]
    drift: np.ndarray
    seconds: dict[str, float]
    convergence: tuple[Convergence, ...] = ()

    @property
    def case(self) -> Case:
        return self.period.case

    def value(self, expression: Any) -> np.ndarray:
        """Value of a linear expression of the period (member, time)."""
        return self.horizon.value(expression, self.x)

    def value_of(self, quantity: Quantity, item: str) -> np.ndarray:
        """Value of an item of a quantity (member, time): exact where it says how."""
        exact = quantity.exact.get(item)
        if exact is None:
            return self.value(quantity.values[item])
        return np.asarray(exact.function(*(self.value(a) for a in exact.arguments)), float)

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
    """Solve a case with perfect foresight, member by member, in passes where lines have to move.

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
    horizon.stack()
    built = time.perf_counter()
    found = _Passes(period, horizon, progress).solve()
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    return replace(found, seconds=seconds)


@dataclass
class _Passes:
    """All members, pass by pass: the lines of a pass are renewed for all members at once."""

    period: Period
    horizon: Horizon
    progress: Progress | None

    def __post_init__(self) -> None:
        case = self.period.case
        self.case, self.n_members = case, case.n_members
        self.lines = Lines(self.horizon, self.period.model.tangents.all)
        lp = self.horizon.stack()
        self.regions = [
            Region.of(self.horizon, self.lines.tangents, lp.member(k))
            for k in range(self.n_members)
        ]
        self.first = _first_with_lines(self.period, self.horizon)
        has_leading = 0 < self.first < len(self.period.goals)
        self.judges = [Judge(case, has_leading) for _ in range(self.n_members)]
        self.faces: list[Face | None] = [None] * self.n_members
        self.x = np.empty((self.n_members, lp.n_columns))
        self.stages: list[tuple[StageOptimum, ...]] = [()] * self.n_members
        self.drift = np.zeros(self.n_members)
        self.bases: list[dict[str, Any]] = [{} for _ in range(self.n_members)]
        self.last = [""] * self.n_members
        """Last optimum of each member whose last pass was short."""
        self.costs: dict[int, tuple[Any, np.ndarray, np.ndarray]] = {}
        self.n_ended = 0

    @property
    def _is_updated(self) -> bool:
        return bool(self.lines.tangents) and self.case.linearisation.is_updated

    def solve(self) -> Solution:
        used = self.lines.now()
        touched = used
        active = np.ones(self.n_members, bool)
        while active.any():
            self.lines.put(choose(active, touched, used))
            self.horizon.refresh()
            self.costs.clear()
            x, solved = self._pass(active)
            if not self._is_updated:
                break
            tried = self.lines.now()
            arguments = self.lines.arguments(x)
            new = self.lines.touch(arguments)
            kept = self._judge(x, solved, tried, arguments, new)
            used, touched = choose(kept, tried, used), choose(kept, new, touched)
            done = np.array([judge.is_done for judge in self.judges])
            self._tell(active & done)
            active &= ~done
        if self._is_updated:
            self.lines.put(used)
            self.horizon.refresh()
        return Solution(
            self.period,
            self.horizon,
            self.x,
            tuple(self.stages),
            self.drift,
            {},
            tuple(judge.convergence() for judge in self.judges) if self._is_updated else (),
        )

    def _pass(self, active: np.ndarray) -> tuple[np.ndarray, dict[int, _Solved]]:
        """Solve the members marked; return the columns of all, and what was solved."""
        lp = self.horizon.stack()
        x = self.x.copy()
        solved: dict[int, _Solved] = {}
        for k in map(int, np.flatnonzero(active)):
            is_first = not self.judges[k].passes
            program = lp.member(k)
            if not is_first:
                program = self.regions[k].around(program, self.x[k], self.judges[k].radius)
            try:
                solved[k] = self._solve(k, program)
            except SolveError as error:
                if is_first:
                    raise
                self._recover(k, error)
                continue
            x[k] = solved[k].x
            if is_first:
                self._keep(k, solved[k])
                if not self._is_updated:
                    self._tell(np.arange(self.n_members) == k)
        return x, solved

    def _solve(self, k: int, program: MemberProgram) -> _Solved:
        started = time.perf_counter()
        where = f"{self.case.name}, member {self.case.members[k].name}: "
        is_whole = self.judges[k].next_is_whole
        if not is_whole:
            program = self.faces[k].on(program)
        bases = self.bases[k]
        start = bases[self.last[k]] if is_whole and self.last[k] else None
        if start is not None:
            bases.clear()  # those of the leading goals are of another place
            self.last[k] = ""
        stages = Stages(program, where, bases=bases, start=start)
        stage = MemberStage(self.period, self.horizon, self.costs, k, stages)
        try:
            for place, (number, goal) in enumerate(self.period.goals):
                if place < self.first and not is_whole:
                    stage.optima += [s for s in self.stages[k] if s.goal == number]
                    continue
                if place == self.first and is_whole:
                    own = self.horizon.stack().member(k)
                    self.faces[k] = Face.of(own, program, stages.lp)
                stage.goal = number
                goal.optimise(self.period.model, self.case, number, stage)
        except Infeasible as error:
            if self.judges[k].passes:
                raise
            text = explain_infeasible(self.period, self.horizon, k)
            raise Infeasible(f"{error}\n{text}") from None
        self.last[k] = "" if is_whole else stages.optima[-1].name
        return _Solved(
            stages.optima[-1].x,
            tuple(stage.optima),
            stages.drift(),
            sum(optimum.iterations for optimum in stages.optima),
            time.perf_counter() - started,
        )

    def _recover(self, k: int, error: SolveError) -> None:
        """After a pass without a solution: once more with all goals, then in another region."""
        judge = self.judges[k]
        log.info("%s", error)
        if not judge.next_is_whole:
            judge.must_be_whole = True
        else:
            judge.retry(str(error))

    def _keep(self, k: int, solved: _Solved) -> None:
        self.x[k], self.stages[k], self.drift[k] = solved.x, solved.stages, solved.drift

    def _judge(
        self,
        x: np.ndarray,
        solved: dict[int, _Solved],
        tried: list[list[np.ndarray]],
        arguments: list[list[np.ndarray]],
        touched: list[list[np.ndarray]],
    ) -> np.ndarray:
        """Compare the pass with the best before it; tell which members keep it (member)."""
        error = self.lines.error(arguments, tried, touched)
        self.lines.put(self.lines.true(arguments, touched))
        self.horizon.forget()
        merits = _merits(self.period, self.horizon, x, solved, error)
        kept = np.zeros(self.n_members, bool)
        for k, merit in merits.items():
            self.regions[k].measure(x[k])
            is_first = not self.judges[k].passes
            step = 0.0 if is_first else self.regions[k].step(x[k], self.x[k])
            kept[k] = self.judges[k].take(merit, step, solved[k].iterations, solved[k].seconds)
            if kept[k]:
                self._keep(k, solved[k])
        return kept

    def _tell(self, ended: np.ndarray) -> None:
        for k in np.flatnonzero(ended):
            self.n_ended += 1
            if self.progress:
                self.progress(self.n_ended, self.n_members)
            judge = self.judges[k]
            if judge.is_done and not judge.is_reached:
                log.warning(
                    "%s, member %s: the passes did not converge (%s); pass %d of %d is kept, whose "
                    "water balance is off by %.2g of its size where it is not linear",
                    self.case.name,
                    self.case.members[k].name,
                    judge.why,
                    judge.best_number,
                    len(judge.passes),
                    judge.best.error,
                )


def _first_with_lines(period: Period, horizon: Horizon) -> int:
    """Place of the first goal that lines are in; their number where none has any."""
    for place, (number, goal) in enumerate(period.goals):
        expression = goal.objective(period.model, number)[0]
        has_own = type(goal).truth is not Goal.truth or bool(
            _rows_with_lines(period, horizon, goal)
        )
        if has_own or horizon.moves(expression.expr):
            return place
    return len(period.goals)


@dataclass(frozen=True)
class _Solved:
    """One pass of one member."""

    x: np.ndarray
    stages: tuple[StageOptimum, ...]
    drift: float
    iterations: int
    seconds: float


def _merits(
    period: Period,
    horizon: Horizon,
    x: np.ndarray,
    solved: dict[int, _Solved],
    error: np.ndarray,
) -> dict[int, Merit]:
    """What a pass is worth for each member solved; the lines in the period are true at x."""
    moving, values, foretold = [], [], []
    for number, goal in period.goals:
        truth = _truth(period, horizon, number, goal, x)
        moving.append(truth is not None)
        last = {k: _last(s.stages, number) for k, s in solved.items()}
        foretold.append(last)
        values.append(last if truth is None else {k: float(truth[k]) for k in solved})
    return {
        k: Merit(
            np.array([value[k] for value in values]),
            np.array([value[k] for value in foretold]),
            np.array(moving),
            float(error[k]),
        )
        for k in solved
    }


def _truth(
    period: Period, horizon: Horizon, number: int, goal: Goal, x: np.ndarray
) -> np.ndarray | None:
    """Value of a goal without lines, larger is better (member); None where none are in it."""
    truth = goal.truth(period.model, number, lambda e: horizon.value(e, x))
    if truth is not None:
        return truth
    rows = _rows_with_lines(period, horizon, goal)
    if rows:
        missed = [_shortfall(period.case, horizon, row, x) for row in rows]
        return -np.sum(missed, axis=0)
    expression, sense = goal.objective(period.model, number)
    if not horizon.moves(expression.expr):
        return None
    return (1.0 if sense == "maximise" else -1.0) * horizon.value(expression, x).sum(axis=1)


def _rows_with_lines(period: Period, horizon: Horizon, goal: Goal) -> list[RuleRow]:
    """Rows, with lines in them, of the soft rule that a goal keeps."""
    if not isinstance(goal, Keep):
        return []
    return [
        row
        for row in period.rule_rows
        if row.rule.name == goal.rule and horizon.moves(row.achieved)
    ]


def _shortfall(case: Case, horizon: Horizon, row: RuleRow, x: np.ndarray) -> np.ndarray:
    """By how much a rule's row is missed, summed over its windows (member)."""
    order, starts = horizon.windows(row.constraint)
    missed = required_values(row, case.n_members, case.n_periods) - horizon.value(row.achieved, x)
    missed = missed if row.sense == ">=" else -missed
    return np.maximum(np.add.reduceat(missed[:, order], starts, axis=1), 0.0).sum(axis=1)


def _last(stages: tuple[StageOptimum, ...], goal: int) -> float:
    """Optimum of the last program of a goal, in the unit of its expression; larger is better."""
    stage = [s for s in stages if s.goal == goal][-1]
    return (1.0 if stage.sense == "maximise" else -1.0) * stage.value / stage.value_scale


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
    stores += [
        _Limit(f"storage limits of '{a}'", False, horizon.columns[id(m.aquifer_end[a])], every)
        for a in m.aquifer
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
        unit = {"m3s": "m3/s", "gwh": "GWh"}.get(limit.unit, "hm3")
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
                f"E402 {limit.text} cannot be met by {gives.sum():.4g} "
                f"{'GWh' if limit.unit == 'gwh' else 'hm3'} in all: "
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
