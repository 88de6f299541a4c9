"""perfect: all periods in one program; every decision knows the whole horizon."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import Infeasible, SolveError
from wateralloc.foresight.conflict import explain_infeasible
from wateralloc.foresight.reference import Reference
from wateralloc.foresight.successive import (
    Convergence,
    Face,
    Judge,
    Lines,
    Merit,
    Region,
    choose,
)
from wateralloc.goals import Goal, LinearGoal
from wateralloc.goals.keep import Keep
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.parts import Quantity
from wateralloc.period import Period, RuleRow, build_period
from wateralloc.solve import Certificate, Combined, Optimum, Stages

log = logging.getLogger(__name__)

HELD = 1e-9
"""What an optimum that is held by a row may lose, as a share of 1 + its size."""
HELD_LOOSELY = 1e-7
"""The same while decisions are looked for, of 1 + its size + that of the row's activity."""
DECIDED = 1e-4
"""By how much, as a share of 1 + its size, a goal may fall short of what decisions promised."""


WHOLE = 1e-7
"""What a yes or no may be off by."""


class _Decided(Exception):
    """All decisions of yes or no are made."""


Progress = Callable[[int, int], None]
"""Called after each member with the number done and the number in all."""


@dataclass(frozen=True)
class StageOptimum:
    """The optimum of one linear program of one member.

    Attributes
    ----------
    goal : place of the goal, from 1; a goal may take several programs
    value : in `unit`, as the goal states it
    kept : what is left of it after all goals: less only where the goal has a tolerance
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
    kept: float
    unit: str
    value_scale: float
    balance_price: np.ndarray
    rule_price: dict[str, np.ndarray]
    certificate: Certificate
    iterations: int
    seconds: float
    cold_again: bool


@dataclass(frozen=True)
class FinalFace:
    """What all goals of a member leave open.

    Attributes
    ----------
    program : with every goal held, lines and decisions of yes or no as they are at the result
    basis : of the last optimum, to start from
    """

    program: MemberProgram
    basis: Any


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
    records : what goals have to tell, each with the place of its goal, of each member
    faces : what all goals leave open, of each member; empty where it was not kept
    """

    period: Period
    horizon: Horizon
    x: np.ndarray
    stages: tuple[tuple[StageOptimum, ...], ...]
    drift: np.ndarray
    seconds: dict[str, float]
    convergence: tuple[Convergence, ...] = ()
    records: tuple[tuple[tuple[int, Any], ...], ...] = ()
    faces: tuple[FinalFace, ...] = field(default=(), repr=False)

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


class ByPlace:
    """What a goal does with rows and columns by their places, in one program or in many joined.

    Attributes
    ----------
    stages : the program and its optima
    """

    stages: Stages

    def row_duals(self) -> np.ndarray:
        return self.stages.optima[-1].y

    def reduced_costs(self) -> np.ndarray:
        last = self.stages.optima[-1]
        return last.cost * last.cost_scale - self.stages.lp.matrix.T @ last.y

    def bound_columns(self, columns: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_columns(columns, lower, upper)

    def limit_rows(self, rows: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_rows(rows, lower, upper)

    def coefficients(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        self.stages.change_coefficients(rows, np.broadcast_to(columns, rows.shape), values)

    def mark(self) -> Any:
        return self.stages.mark()

    def reset(self, mark: Any) -> None:
        self.stages.reset(mark)

    def maximise_columns(self, name: str, columns: np.ndarray, weights: np.ndarray) -> float:
        cost = np.zeros(self.stages.lp.col_lower.size)
        cost[columns] = weights
        return self.stages.optimise(name, cost, "maximise").objective


@dataclass
class MemberStage(ByPlace):
    """What goals do with the program of one member (implements :class:`wateralloc.goals.Stage`).

    Attributes
    ----------
    costs : id of an expression -> it, its costs (member, column) and constants (member), as known
    member : place of the member among those of the horizon
    """

    period: Period
    horizon: Horizon
    costs: dict[int, tuple[Any, np.ndarray, np.ndarray]]
    member: int
    stages: Stages
    goal: int = 0
    optima: list[StageOptimum] = field(default_factory=list)
    records: list[tuple[int, Any]] = field(default_factory=list)

    @property
    def sight(self) -> tuple[int, int]:
        first = self.horizon.first
        return first, first + self.horizon.n_periods

    def data(self, data: Any) -> np.ndarray:
        return self.horizon.array(data)[self.member]

    def known(self, data: Any) -> np.ndarray:
        return self.horizon.known(data)[self.member]

    def optimise(
        self,
        name: str,
        expression: Any,
        sense: str,
        unit: str = "hm3",
        scale: float = 1.0,
        cost_scale: float | None = None,
        aside: bool = False,
    ) -> float:
        known = self.costs.get(id(expression))
        if known is None:
            known = (expression, *self.horizon.cost(expression))
            self.costs[id(expression)] = known
        _, cost, constant = known
        k = self.member
        cost_scale = cost_scale or self._own_scale(cost[k])
        optimum = self.stages.optimise(name, cost[k], sense, float(constant[k]), cost_scale)
        if not aside:
            self.optima.append(self._stage_optimum(optimum, unit, scale))
        return optimum.objective

    def _own_scale(self, cost: np.ndarray) -> float | None:
        """Size of a cost without penalties: next to a large one it would look like rounding."""
        counted = self.period.penalties.get(self.goal)
        if not counted:
            return None
        shortfall, own = self.period.model.shortfall, np.abs(cost)
        for row, _ in counted:
            own[self.horizon.columns[id(shortfall[row.rule.name, row.label])]] = 0.0
        return float(own.max()) or None

    def _stage_optimum(self, optimum: Optimum, unit: str, scale: float) -> StageOptimum:
        rows, m = self.horizon.rows, self.period.model
        return StageOptimum(
            self.goal,
            optimum.name,
            optimum.sense,
            optimum.objective * scale,
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

    @property
    def is_deciding(self) -> bool:
        return bool(self.stages.integers.size)

    def hold(self, is_final: bool = True) -> None:
        self.decide()
        self.stages.hold()
        self.stages.optima[-1].held = is_final

    def hold_within(self, cap: Any, expression: Any, amount: float) -> None:
        optimum = self.stages.optima[-1]
        constant = float(self.costs[id(expression)][2][self.member])
        slack = amount + HELD * (1 + abs(optimum.objective))
        if self.is_deciding:
            size = abs(optimum.objective) + abs(optimum.objective - constant)
            slack = amount + HELD_LOOSELY * (1 + size)
        limits = [np.array([-np.inf]), np.array([np.inf])]
        is_least = optimum.sense == "minimise"
        limits[is_least][:] = optimum.objective - constant + (slack if is_least else -slack)
        self.limit(cap, *limits)
        optimum.held = amount == 0.0

    def decide(self) -> None:
        if self.is_deciding:
            raise _Decided

    def values(self, variable: Any) -> np.ndarray:
        return self.stages.optima[-1].x[self.horizon.columns[id(variable)]]

    def duals(self, constraint: Any) -> np.ndarray:
        return self.stages.optima[-1].y[self.horizon.rows[id(constraint)]]

    def bound(self, variable: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_columns(np.unique(self.horizon.columns[id(variable)]), lower, upper)

    def limit(self, constraint: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_rows(self.horizon.rows[id(constraint)], lower, upper)

    def rows(self, constraint: Any, periods: np.ndarray) -> np.ndarray:
        rows = self.horizon.rows[id(constraint)]
        return rows[np.searchsorted(self.horizon.first_periods(constraint), periods)]

    def all_rows(self, constraint: Any) -> np.ndarray:
        return self.horizon.rows[id(constraint)]

    def columns(self, variable: Any, periods: np.ndarray) -> np.ndarray:
        return self.horizon.columns[id(variable)][np.asarray(periods) - self.horizon.first]

    def record(self, what: Any) -> None:
        self.records.append((self.goal, what))


def solve_perfect(
    case: Case,
    progress: Progress | None = None,
    reference: Reference | None = None,
    keep_faces: bool = False,
) -> Solution:
    """Solve a case with perfect foresight, member by member, in passes where lines have to move.

    Parameters
    ----------
    reference : what each member starts from; default: each starts cold
    keep_faces : keep what the goals leave open, for :mod:`wateralloc.foresight.ranges`

    Raises
    ------
    Infeasible
        No allocation of a member meets all hard limits; the text names the limits that
        contradict each other, and by how much.
    Uncertified, SolveError
    """
    started = time.perf_counter()
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    built = time.perf_counter()
    bases = reference.for_members(case.n_members) if reference else []
    combined = reference.combined if reference else None
    passes = Passes(
        period, horizon, progress, bases=bases, combined=combined, keep_faces=keep_faces
    )
    found = passes.solve()
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    return replace(found, seconds=seconds)


def make_reference(case: Case) -> Reference:
    """Solve one member from nothing and keep its bases for the others to start from.

    The member is the first by name, so that it is the same in whatever order they come; one that
    has no solution is passed over.

    Raises
    ------
    Infeasible
        No member has a solution.
    """
    error: Infeasible | None = None
    for k in sorted(range(case.n_members), key=lambda k: case.members[k].name):
        period = build_period(case.with_members([k]))
        passes = Passes(period, Horizon(period.model, 1, case.n_periods), is_reference=True)
        try:
            passes.solve()
        except Infeasible as found:
            error = found
            continue
        return Reference.of(case.members[k].name, passes.bases[0], passes.combined)
    assert error is not None
    raise error


@dataclass
class Passes:
    """All members, pass by pass: the lines of a pass are renewed for all members at once.

    Attributes
    ----------
    names : of the members, for messages; default: those of the case
    bases : of each member, by the name of the optimum: what to start from; those found take their
        place
    shown : the case as messages name its periods, where only a part of it is in sight
    tidy : what is made least after all goals, so that no tie is left to the solver (column)
    combined : all goals in one, which the first pass of each member starts from; of a reference,
        its own
    is_reference : whether to find `combined`, of a single member
    keep_faces : keep what the goals of each member leave open
    """

    period: Period
    horizon: Horizon
    progress: Progress | None = None
    names: tuple[str, ...] = ()
    bases: list[dict[str, Any]] = field(default_factory=list)
    shown: Case | None = None
    tidy: np.ndarray | None = None
    combined: Combined | None = None
    is_reference: bool = False
    keep_faces: bool = False

    def __post_init__(self) -> None:
        case = self.period.case
        self.case, self.n_members = case, self.horizon.n_members
        self.names = self.names or tuple(member.name for member in case.members)
        self.lines = Lines(self.horizon, self.period.model.tangents.all)
        lp = self.horizon.stack()
        self.regions = [
            Region.of(self.horizon, self.lines.tangents, lp.member(k))
            for k in range(self.n_members)
        ]
        self.first = first_with_lines(self.period, self.horizon)
        has_leading = 0 < self.first < len(self.period.goals)
        self.judges = [Judge(case, has_leading) for _ in range(self.n_members)]
        self.faces: list[Face | None] = [None] * self.n_members
        self.final: list[FinalFace | None] = [None] * self.n_members
        self.x = np.empty((self.n_members, lp.n_columns))
        self.stages: list[tuple[StageOptimum, ...]] = [()] * self.n_members
        self.records: list[tuple[tuple[int, Any], ...]] = [()] * self.n_members
        self.drift = np.zeros(self.n_members)
        self.bases = self.bases or [{} for _ in range(self.n_members)]
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
            tuple(self.records),
            tuple(face for face in self.final if face is not None),
        )

    def _pass(self, active: np.ndarray) -> tuple[np.ndarray, dict[int, Solved]]:
        """Solve the members marked; return the columns of all, and what was solved."""
        lp = self.horizon.stack()
        x = self.x.copy()
        solved: dict[int, Solved] = {}
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

    def _solve(self, k: int, program: MemberProgram) -> Solved:
        started = time.perf_counter()
        where = f"{self.case.name}, member {self.names[k]}: "
        tried = program
        is_whole = self.judges[k].next_is_whole
        if not is_whole:
            program = self.faces[k].on(program)
        bases = self.bases[k]
        start = bases[self.last[k]] if is_whole and self.last[k] else None
        if start is not None:
            bases.clear()  # those of the leading goals are of another place
            self.last[k] = ""
        sought: dict[int, Optimum] = {}
        integers = self.horizon.integers
        if integers.size and self.tidy is not None:
            program, integers = decide_by_state(program, integers)
            if integers.size and not self.case.integers:
                raise SolveError(
                    f"E332 {where}a decision of yes or no does not follow from what is known in "
                    "the period; write `integers: true` and `linearisation: fixed` in the case, or "
                    "state the rule by what is known"
                )
        if integers.size:
            program, sought = self._with_decisions(k, program, where)
        is_first = not self.judges[k].passes
        combined = self.combined if is_first else None
        stages = Stages(program, where, bases=bases, start=start, combined=combined)
        stage = MemberStage(self.period, self.horizon, self.costs, k, stages)
        for number, goal in self.period.goals:
            goal.wait(self.period.model, self.case, number, stage)
        try:
            for place, (number, goal) in enumerate(self.period.goals):
                if place < self.first and not is_whole:
                    stage.optima += [s for s in self.stages[k] if s.goal == number]
                    stage.records += [r for r in self.records[k] if r[0] == number]
                    continue
                if place == self.first and is_whole:
                    own = self.horizon.stack().member(k)
                    self.faces[k] = Face.of(own, program, stages.lp, stages.changes)
                stage.goal = number
                goal.optimise(self.period.model, self.case, number, stage)
        except Infeasible as error:
            if self.judges[k].passes:
                raise
            raise Infeasible(f"{error}\n{self._explain(k)}") from None
        if self.tidy is not None:
            stages.optimise("no tie", self.tidy)
        if self.is_reference and is_first:
            self.combined = stages.combine()
        self.last[k] = "" if is_whole else stages.optima[-1].name
        final = self._final_face(k, tried, stages) if self.keep_faces else None
        self._compare(where, sought, stage)
        return Solved(
            stages.optima[-1].x,
            tuple(self._kept(k, stage)),
            tuple(stage.records),
            stages.drift(),
            sum(optimum.iterations for optimum in stages.optima),
            time.perf_counter() - started,
            final,
        )

    def _final_face(self, k: int, tried: MemberProgram, stages: Stages) -> FinalFace:
        """What the goals leave open; what only the radius of a pass held back is free again.

        Parameters
        ----------
        tried : the program within its region
        """
        own, held = self.horizon.stack().member(k), stages.lp
        is_open = held.col_lower < held.col_upper
        lower, upper = (
            np.where(is_open & (limit == of_region), of_own, limit)
            for limit, of_region, of_own in (
                (held.col_lower, tried.col_lower, own.col_lower),
                (held.col_upper, tried.col_upper, own.col_upper),
            )
        )
        basis = stages.bases[stages.optima[-1].name]
        return FinalFace(replace(held, col_lower=lower, col_upper=upper), basis)

    def _with_decisions(
        self, k: int, program: MemberProgram, where: str
    ) -> tuple[MemberProgram, dict[int, Optimum]]:
        """The program with its yes-or-no decisions fixed as the goals in their order want them.

        Goals are held loosely here: what comes of it are the decisions, and the optimum of each
        goal against which that of the linear program is compared.
        """
        integers = self.horizon.integers
        stages = Stages(program, where, integers=integers)
        stage = MemberStage(self.period, self.horizon, self.costs, k, stages)
        sought: dict[int, Optimum] = {}
        for number, goal in self.period.goals:
            goal.wait(self.period.model, self.case, number, stage)
        try:
            for number, goal in self.period.goals:
                stage.goal = number
                goal.optimise(self.period.model, self.case, number, stage)
                sought[number] = stages.optima[-1]
        except _Decided:
            pass
        except Infeasible as error:
            raise Infeasible(f"{error}\n{self._explain(k)}") from None
        lower, upper = program.col_lower.copy(), program.col_upper.copy()
        lower[integers] = upper[integers] = np.round(stages.optima[-1].x[integers])
        return replace(program, col_lower=lower, col_upper=upper), sought

    def _explain(self, k: int) -> str:
        """Say why a member has no solution."""
        return explain_infeasible(
            replace(self.period, case=self.shown or self.case), self.horizon, k
        )

    def _compare(self, where: str, sought: dict[int, Optimum], stage: MemberStage) -> None:
        """Warn of a goal that is worse, with its decisions fixed, than they were chosen for."""
        for optimum in stage.optima:
            best = sought.get(optimum.goal)
            if best is None:
                continue
            value = optimum.value / optimum.value_scale
            worse = value - best.objective if best.sense == "minimise" else best.objective - value
            if worse > DECIDED * (1 + abs(best.objective)):
                log.warning(
                    "%sgoal '%s' comes to %.7g with the decisions of yes or no that were found, "
                    "%.7g was thought possible",
                    where,
                    optimum.name,
                    value,
                    best.objective,
                )

    def _kept(self, k: int, stage: MemberStage) -> Iterator[StageOptimum]:
        """Optima with what is left of those whose goals have a tolerance."""
        goals, x = dict(self.period.goals), stage.stages.optima[-1].x
        for optimum in stage.optima:
            goal = goals[optimum.goal]
            if getattr(goal, "tolerance", 0.0):
                expression = goal.objective(self.period.model, optimum.goal)[0]
                known = self.costs.get(id(expression))
                if known is not None and isinstance(goal, LinearGoal):
                    value = float(known[1][k] @ x + known[2][k]) * optimum.value_scale
                    optimum = replace(optimum, kept=value)
            yield optimum

    def _recover(self, k: int, error: SolveError) -> None:
        """After a pass without a solution: once more with all goals, then in another region."""
        judge = self.judges[k]
        log.info("%s", error)
        if not judge.next_is_whole:
            judge.must_be_whole = True
        else:
            judge.retry(str(error))

    def _keep(self, k: int, solved: Solved) -> None:
        self.x[k], self.stages[k], self.drift[k] = solved.x, solved.stages, solved.drift
        self.records[k] = solved.records
        self.final[k] = solved.face

    def _judge(
        self,
        x: np.ndarray,
        solved: dict[int, Solved],
        tried: list[list[np.ndarray]],
        arguments: list[list[np.ndarray]],
        touched: list[list[np.ndarray]],
    ) -> np.ndarray:
        """Compare the pass with the best before it; tell which members keep it (member)."""
        error = self.lines.error(arguments, tried, touched)
        self.lines.put(self.lines.true(arguments, touched))
        self.horizon.forget()
        merits = merits_of(self.period, self.horizon, x, solved, error)
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
                    self.names[k],
                    judge.why,
                    judge.best_number,
                    len(judge.passes),
                    judge.best.error,
                )


def decide_by_state(
    program: MemberProgram, integers: np.ndarray
) -> tuple[MemberProgram, np.ndarray]:
    """Make the decisions of yes or no that what is known settles, as the storage at the start does.

    Where a row of which all else is known allows both, it is no.

    Returns
    -------
    program : with these decisions fixed
    left : columns of those that nothing settles
    """
    lower, upper = program.col_lower.copy(), program.col_upper.copy()
    rows = program.matrix.tocsr()
    is_open = lower < upper
    known = rows @ np.where(is_open, 0.0, lower)
    pattern = rows.copy()
    pattern.data = np.ones_like(pattern.data)
    n_open = pattern @ is_open.astype(float)
    left = []
    for column in integers:
        if not is_open[column]:
            continue
        of_column = program.matrix[:, [column]].tocoo()
        alone = [(r, a) for r, a in zip(of_column.row, of_column.data, strict=True)
                 if n_open[r] == 1]  # fmt: skip
        if not alone:
            left.append(column)
            continue
        least = 0.0
        for row, share in alone:
            ends = [(limit[row] - known[row]) / share
                    for limit in (program.row_lower, program.row_upper)]  # fmt: skip
            least = max(least, min(ends))
        lower[column] = upper[column] = max(np.ceil(least - WHOLE), 0.0)
    return replace(program, col_lower=lower, col_upper=upper), np.array(left, int)


def first_with_lines(period: Period, horizon: Horizon) -> int:
    """Place of the first goal that lines are in; their number where none has any."""
    for place, (number, goal) in enumerate(period.goals):
        expression = goal.objective(period.model, number)[0]
        has_own = type(goal).truth is not Goal.truth or bool(
            _rows_with_lines(period, horizon, goal)
        )
        counted = [row.achieved for row, _ in period.penalties.get(number, ())]
        if has_own or any(horizon.moves(e) for e in (expression.expr, *counted)):
            return place
    return len(period.goals)


@dataclass(frozen=True)
class Solved:
    """One pass of one member."""

    x: np.ndarray
    stages: tuple[StageOptimum, ...]
    records: tuple[tuple[int, Any], ...]
    drift: float
    iterations: int
    seconds: float
    face: FinalFace | None = None


def merits_of(
    period: Period,
    horizon: Horizon,
    x: np.ndarray,
    solved: dict[int, Solved],
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
    paid, is_moved = _penalties(period, horizon, number, x)
    if truth is not None:
        return truth - paid[0]
    rows = _rows_with_lines(period, horizon, goal)
    if rows:
        missed = [_shortfall(horizon, row, x) for row in rows]
        return -np.sum(missed, axis=0)
    expression, sense = goal.objective(period.model, number)
    if not (horizon.moves(expression.expr) or is_moved):
        return None
    value = (1.0 if sense == "maximise" else -1.0) * horizon.value(expression, x).sum(axis=1)
    return value + paid[1] - paid[0]


def _penalties(
    period: Period, horizon: Horizon, number: int, x: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Penalties in a goal: what is truly missed, and what the columns say; whether lines matter.

    Returns
    -------
    paid : (2, member)
    """
    paid, is_moved = np.zeros((2, horizon.n_members)), False
    for row, price in period.penalties.get(number, ()):
        column = horizon.value(period.model.shortfall[row.rule.name, row.label], x)
        paid[0] += price * _shortfall(horizon, row, x)
        paid[1] += price * column.sum(axis=1)
        is_moved |= horizon.moves(row.achieved)
    return paid, is_moved


def _rows_with_lines(period: Period, horizon: Horizon, goal: Goal) -> list[RuleRow]:
    """Rows, with lines in them, of the soft rule that a goal keeps."""
    if not isinstance(goal, Keep):
        return []
    return [
        row
        for row in period.rule_rows
        if row.rule.name == goal.rule and horizon.moves(row.achieved)
    ]


def _shortfall(horizon: Horizon, row: RuleRow, x: np.ndarray) -> np.ndarray:
    """By how much a rule's row is missed, summed over its windows (member)."""
    achieved = horizon.value(row.achieved, x)
    missed = horizon.missed(row.constraint, achieved, row.required, row.sense)
    return np.maximum(missed, 0.0).sum(axis=1)


def _last(stages: tuple[StageOptimum, ...], goal: int) -> float:
    """Optimum of the last program of a goal, in the unit of its expression; larger is better."""
    stage = [s for s in stages if s.goal == goal][-1]
    return (1.0 if stage.sense == "maximise" else -1.0) * stage.kept / stage.value_scale
