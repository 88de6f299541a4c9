"""two_stage: all members in one program; some decisions are the same in all of them.

What a case names under ``decisions`` is decided before it is known which member comes; all else is
decided when it is.  Goals are optimised in their order over this one program, each by its mean over
members, its worst member or its CVaR, and then held.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Infeasible, ModelError, Position, SolveError, listed
from wateralloc.foresight.conflict import explain_infeasible
from wateralloc.foresight.outcome import OfMember
from wateralloc.foresight.perfect import (
    HELD,
    ByPlace,
    Solution,
    Solved,
    StageOptimum,
    first_with_lines,
    merits_of,
)
from wateralloc.foresight.risk import Border, Measured, Risk, add_measure
from wateralloc.foresight.successive import Convergence, Face, Judge, Lines, Merit, Region
from wateralloc.foresight.ties import Tie, common_columns, find_ties, told
from wateralloc.goals import LinearGoal, PriceOfKeeping
from wateralloc.goals.claims import TARGETS, Awards, Claimants, Rounds, Shared, Terms
from wateralloc.goals.share import Share, tie_to_users
from wateralloc.horizon import Horizon, JointProgram, MemberProgram
from wateralloc.period import Period, build_period
from wateralloc.solve import Optimum, Stages, least_repair

log = logging.getLogger(__name__)

LEVEL = "level"
"""Unit of what the rounds of a goal ``share`` raise, which is no member's own."""
SMALLEST = 1e-6
"""Amounts up to this are rounding and are not reported."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class JointOptimum:
    """The optimum of one linear program over all members.

    Attributes
    ----------
    goal : place of the goal, from 1
    over : what of it counts: ``mean of members``, ``worst member``, ``mean of the worst 20 %``
    value : in `unit`, as the goal states it
    """

    goal: int
    name: str
    over: str
    sense: str
    value: float
    unit: str


@dataclass(frozen=True)
class TwoStageSolution(Solution):
    """All members of a case, solved in one program.

    Attributes
    ----------
    joint : optima over all members, in the order they were solved; `stages` has the value of each
        member at each of them
    ties : decisions that are the same in all members
    """

    joint: tuple[JointOptimum, ...] = ()
    ties: tuple[Tie, ...] = ()


def solve_two_stage(case: Case, progress: Progress | None = None) -> TwoStageSolution:
    """Solve all members of a case in one program, with some decisions in common.

    Parameters
    ----------
    progress : called after each goal with the number of members times goals done, and in all

    Raises
    ------
    CaseError
        What is to be decided beforehand cannot be, or a goal or rule does not go with it.
    Infeasible
        No allocation meets all hard limits; the text names those of a member that contradict each
        other, or the decisions that no one value of meets the limits of all members.
    Uncertified, SolveError
    """
    started = time.perf_counter()
    period = build_period(case)
    horizon, ties = _stacked(period)
    keys = case.foresight.two_stage
    risk = Risk() if keys is None else Risk.of(keys)
    passes = JointPasses(period, horizon, ties, risk, progress)
    built = time.perf_counter()
    found = passes.solve()
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    return replace(found, seconds=seconds)


def check_two_stage(period: Period) -> None:
    """Check that what a case decides and optimises goes with two stages.

    Raises
    ------
    CaseError
        What is to be decided beforehand cannot be, or a goal or rule does not go with it.
    """
    horizon, _ = _stacked(period)
    _rehearse(period, horizon)


def _stacked(period: Period) -> tuple[Horizon, list[Tie]]:
    """Stack the program of all members, and find what is decided beforehand."""
    horizon = Horizon(period.model, period.case.n_members, period.case.n_periods)
    horizon.stack()
    return horizon, find_ties(period, horizon)


# --- what goes into the program -------------------------------------------------------------


@dataclass
class _Rehearsal:
    """Stands for a program while a goal is asked what it will optimise (a ``Stage``)."""

    horizon: Horizon
    is_deciding: bool = False
    asked: list[tuple[Any, str]] = field(default_factory=list)

    @property
    def sight(self) -> tuple[int, int]:
        return 0, self.horizon.n_periods

    def data(self, data: Any) -> np.ndarray:
        return self.horizon.array(data).mean(axis=0)

    known = data

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
        if not aside:
            self.asked.append((expression, sense))
        return 0.0

    def hold(self, is_final: bool = True) -> None: ...

    def hold_within(self, cap: Any, expression: Any, amount: float) -> None: ...

    def decide(self) -> None: ...

    def values(self, variable: Any) -> np.ndarray:
        return np.zeros(self.horizon.n_periods)

    def record(self, what: Any) -> None: ...


def _rehearse(period: Period, horizon: Horizon) -> list[tuple[int, Any, str]]:
    """What each goal optimises: its place, expression and sense.

    Raises
    ------
    CaseError
        A goal, or what a rule decides, cannot be optimised over all members.
    """
    case, asked = period.case, []
    faults: list[tuple[Position, str, str]] = []
    own = Position(case.name)
    if horizon.integers.size:
        names = dict.fromkeys(_rule_of(case, v) for v in horizon.variables if v.is_binary())
        text = (
            f"two_stage cannot decide yes or no, as {listed(names)} asks; state these rules by "
            "what is known beforehand, or look ahead in another way"
        )
        faults.append((own, "E372", text))
    places = dict(zip(map(id, case.goals), case.goal_positions, strict=False))
    for number, goal in period.goals:
        at = places.get(id(goal), own)
        if isinstance(goal, Share):
            wrong = sorted(set(goal.rules) & set(TARGETS))
            if wrong:
                text = (
                    f"goal share: rule {listed(wrong)} asks what groups of claimants could have "
                    "in one future; with two_stage write leximin, cea, cel, talmud or another "
                    "rule whose steps follow from the claims"
                )
                faults.append((at, "E373", text))
            continue
        rehearsal = _Rehearsal(horizon)
        try:
            goal.optimise(period.model, case, number, rehearsal)  # type: ignore[arg-type]
        except AttributeError:
            text = f"goal {goal.kind} cannot be optimised over all members of two_stage at once"
            faults.append((at, "E373", f"{text}; write another, or look ahead in another way"))
        asked += [(number, *what) for what in rehearsal.asked]
    if faults:
        raise CaseError([Fault(*fault) for fault in faults])
    return asked


def _rule_of(case: Case, variable: Any) -> str:
    """Name of the rule whose working a variable is, by the name that it has; else its own."""
    own = str(variable.name).removeprefix("workings.").split("[")[0]
    return next((r.name for r in case.rules if own.startswith(f"{r.name}_")), own)


@dataclass(frozen=True)
class _Joint:
    """The program of all members, and where in it stands what goals need.

    Attributes
    ----------
    measured : id of a goal's expression -> where its measure stands
    means : id of a row that limits a goal's expression -> the row of its mean over members
    """

    program: JointProgram
    measured: dict[int, Measured]
    means: dict[int, int]


class _Costs:
    """Costs of expressions of the period (member, column), each made once."""

    def __init__(self, period: Period, horizon: Horizon) -> None:
        self.period, self.horizon = period, horizon
        self.known: dict[int, tuple[Any, np.ndarray, np.ndarray]] = {}

    def of(self, expression: Any) -> tuple[np.ndarray, np.ndarray]:
        """Cost (member, column) and constant (member)."""
        if id(expression) not in self.known:
            self.known[id(expression)] = (expression, *self.horizon.cost(expression))
        return self.known[id(expression)][1:]

    def scale(self, expression: Any, goal: int) -> float:
        """Size of the coefficients, without those of penalties that the goal counts."""
        own = np.abs(self.of(expression)[0])
        shortfall = self.period.model.shortfall
        without = own.copy()
        for row, _ in self.period.penalties.get(goal, ()):
            without[:, self.horizon.columns[id(shortfall[row.rule.name, row.label])]] = 0.0
        return float(without.max(initial=0.0)) or float(own.max(initial=0.0)) or 1.0


# --- one stage ------------------------------------------------------------------------------


@dataclass
class JointStage(ByPlace):
    """What goals do with the program of all members (implements :class:`wateralloc.goals.Stage`).

    An expression counts by its measure over members; data, values and limits are means over them.

    Attributes
    ----------
    optima : of each member (member, stage)
    asked : expression of each of them (stage)
    weight : of a member in what is optimised: one by their number, 1 where a goal counts them all
    """

    period: Period
    costs: _Costs
    joint: _Joint
    risk: Risk
    stages: Stages
    is_deciding: bool = False
    goal: int = 0
    over_all: list[JointOptimum] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.horizon, self.place = self.costs.horizon, self.joint.program.place
        self.n_members = self.place.shape[0]
        self.weight = 1.0 / self.n_members
        self.optima: list[list[StageOptimum]] = [[] for _ in range(self.n_members)]
        self.records: list[list[tuple[int, Any]]] = [[] for _ in range(self.n_members)]
        self.asked: list[Any] = []
        self.sight = (0, self.horizon.n_periods)
        self._last: tuple[str, Any, str, str, float] | None = None

    def data(self, data: Any) -> np.ndarray:
        return self.horizon.array(data).mean(axis=0)

    def known(self, data: Any) -> np.ndarray:
        return self.horizon.known(data).mean(axis=0)

    # --- optima

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
        measured = None if aside else self.joint.measured.get(id(expression))
        self._last = (name, expression, sense, unit, scale)
        if measured is None:
            return self._optimise_mean(name, expression, sense, unit, scale, cost_scale, aside)
        cost = np.zeros(self.joint.program.col_lower.size)
        cost[measured.column] = measured.sign * measured.scale
        optimum = self.stages.optimise(name, cost, sense)
        self._note(optimum, expression, unit, scale, self.risk.title)
        return optimum.objective

    def _optimise_mean(
        self,
        name: str,
        expression: Any,
        sense: str,
        unit: str,
        scale: float,
        cost_scale: float | None = None,
        aside: bool = False,
    ) -> float:
        cost, constant = self.costs.of(expression)
        size = cost_scale or self.costs.scale(expression, self.goal)
        optimum = self.stages.optimise(
            name,
            self.weight * self.joint.program.join_cost(cost),
            sense,
            self.weight * float(constant.sum()),
            self.weight * size,
        )
        if not aside:
            self._note(optimum, expression, unit, scale, Risk().title)
        return optimum.objective

    def _note(self, optimum: Optimum, expression: Any, unit: str, scale: float, over: str) -> None:
        """Keep an optimum: its value, and what each member has of it."""
        value = optimum.objective * scale
        self.over_all.append(
            JointOptimum(self.goal, optimum.name, over, optimum.sense, value, unit)
        )
        self.asked.append(expression)
        x = self.joint.program.split_columns(optimum.x)
        cost, constant = self.costs.of(expression)
        rows, m = self.horizon.rows, self.period.model
        n_rows = self.n_members * self.horizon.stack().n_rows
        # so that prices are a member's own, whose mean counts in what is optimised
        price = optimum.y[:n_rows].reshape(self.n_members, -1) / self.weight
        for k in range(self.n_members):
            own, of_unit = value, scale
            if unit != LEVEL:
                of_unit = self._scale_of(k)
                own = (float(cost[k] @ x[k]) + float(constant[k])) * of_unit
            self.optima[k].append(
                StageOptimum(
                    self.goal,
                    optimum.name,
                    optimum.sense,
                    own,
                    own,
                    unit,
                    of_unit,
                    -np.array([price[k, rows[id(m.balance[n])]] for n in m.node]),
                    {r.label: price[k, rows[id(r.constraint)]] for r in self.period.rule_rows},
                    optimum.certificate,
                    optimum.iterations,
                    optimum.seconds,
                    optimum.cold_again,
                )
            )

    def _scale_of(self, k: int) -> float:
        """Factor from the unit of a member's expression to that of the goal."""
        goal, m = dict(self.period.goals)[self.goal], self.period.model
        of_member = OfMember(self.horizon, k)
        return goal.measure(m, self.period.case, of_member)[1]  # type: ignore[arg-type]

    # --- between stages

    def hold(self, is_final: bool = True) -> None:
        """Hold the last optimum; of a measure that leaves members free, hold their mean too."""
        self.stages.hold()
        self.stages.optima[-1].held = is_final
        if self._is_measured:
            self._settle_mean()
            self.stages.hold()

    @property
    def _is_measured(self) -> bool:
        return self._last is not None and id(self._last[1]) in self.joint.measured

    def _settle_mean(self) -> float:
        name, expression, sense, unit, scale = self._last
        title = f"{name}, {Risk().title}"
        return self._optimise_mean(title, expression, sense, unit, scale)

    def hold_within(self, cap: Any, expression: Any, amount: float) -> None:
        goal = dict(self.period.goals)[self.goal]
        assert isinstance(goal, LinearGoal)
        first = self.stages.optima[-1]
        mean = first.objective
        if self._is_measured:
            mark = self.stages.mark()
            self.stages.hold()
            mean = self._settle_mean()
            self.stages.reset(mark)
            measured = self.joint.measured[id(expression)]
            most = first.objective * measured.sign + self._allowed(goal, first.objective)
            self.stages.bound_columns(
                np.array([measured.column]), np.array([-np.inf]), np.array([most / measured.scale])
            )
        constant = float(np.mean(self.costs.of(expression)[1]))
        allowed = self._allowed(goal, mean)
        is_least = first.sense == "minimise"
        limit = mean - constant + (allowed if is_least else -allowed)
        limits = (-np.inf, limit) if is_least else (limit, np.inf)
        self.limit(cap, *(np.array([value]) for value in limits))
        first.held = self.stages.optima[-1].held = goal.tolerance == 0.0

    def _allowed(self, goal: LinearGoal, optimum: float) -> float:
        """What later goals may take from an optimum, by what it is in the mean of members."""
        amount = goal.allowance(self.period.model, self.period.case, self, optimum)
        return amount + HELD * (1 + abs(optimum))

    def decide(self) -> None:
        """There are no decisions of yes or no."""

    # --- by component: means over members

    def values(self, variable: Any) -> np.ndarray:
        x = self.joint.program.split_columns(self.stages.optima[-1].x)
        return np.asarray(x[:, self.horizon.columns[id(variable)]].mean(axis=0))

    def duals(self, constraint: Any) -> np.ndarray:
        return self.stages.optima[-1].y[[self._mean_of(constraint)]]

    def limit(self, constraint: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        self.stages.bound_rows(np.array([self._mean_of(constraint)]), lower, upper)

    def _mean_of(self, constraint: Any) -> int:
        if id(constraint) not in self.joint.means:
            raise ModelError(f"'{constraint.name}' has no row that limits its mean over members")
        return self.joint.means[id(constraint)]

    # --- by place in the program: rows and columns of one member after those of another

    def rows(self, constraint: Any, periods: np.ndarray) -> np.ndarray:
        rows, n_rows = self.horizon.rows[id(constraint)], self.horizon.stack().n_rows
        own = rows[np.searchsorted(self.horizon.first_periods(constraint), periods)]
        return np.concatenate([own + k * n_rows for k in range(self.n_members)])

    def all_rows(self, constraint: Any) -> np.ndarray:
        rows, n_rows = self.horizon.rows[id(constraint)], self.horizon.stack().n_rows
        return np.concatenate([rows + k * n_rows for k in range(self.n_members)])

    def columns(self, variable: Any, periods: np.ndarray) -> np.ndarray:
        own = self.place[:, self.horizon.columns[id(variable)][np.asarray(periods)]]
        return own[0] if (own == own[0]).all() else own.ravel()

    def bound(self, variable: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        columns = np.unique(self.place[:, self.horizon.columns[id(variable)]])
        self.stages.bound_columns(columns, lower, upper)

    def record(self, what: Any) -> None:
        if isinstance(what, PriceOfKeeping) and not self.risk.is_expected:
            return  # it is a price in the mean, which is not what the goal counts
        for records in self.records:
            records.append((self.goal, what))


# --- share ----------------------------------------------------------------------------------


def _share(goal: Share, case: Case, number: int, stage: JointStage) -> None:
    """Share in all members at once: a claimant has a claim of its own in every member.

    So fairness holds in each member and none is traded for that in another; where members have no
    decision in common it is what each would have alone.
    """
    m, n_members = stage.period.model, stage.n_members
    block, users = m.goals.component(f"share_{number}"), goal.users_in(case.basin)
    place = f"{number} share"
    asked = sum(stage.horizon.array(m.demand[d]) for d in users)

    def of_members(expression: Any) -> np.ndarray:
        x = stage.joint.program.split_columns(stage.stages.optima[-1].x)
        cost, constant = stage.costs.of(expression)
        return (cost * x).sum(axis=1) + constant

    def aside(name: str, expression: Any, sense: str) -> np.ndarray:
        stage.optimise(f"{place}: {name}", expression, sense, aside=True)
        return of_members(expression)

    claimed = np.asarray(asked * stage.horizon.array(block.claimed)).sum(axis=1)
    most = claimed - aside("most", block.short, "minimise")
    best = aside("greatest value", block.worth, "maximise") if block.has_worth else None
    awards = []
    for tier, claimants in enumerate(goal.all_claimants(case)):
        home = block if not tier else block.component(f"tier_{tier + 1}")
        awards.append(_serve(goal, case, tier, claimants, home, number, stage))
    worth = aside("value of the awards", block.worth, "maximise") if block.has_worth else None
    unit, scale = goal.measure(m, case, stage)
    stage.optimise(f"{place}, rest", block.deficit, "minimise", unit, scale)
    if not goal.tolerance:
        stage.hold()
    given = claimed - of_members(block.short)
    for k in range(n_members):
        shared = Shared(
            number,
            goal.title(),
            tuple(of[k] for of in awards),
            float(most[k]),
            float(given[k]),
            None if best is None else float(best[k]),
            None if worth is None else float(worth[k]),
        )
        stage.records[k].append((number, shared))


def _serve(
    goal: Share,
    case: Case,
    tier: int,
    claimants: Claimants,
    home: Any,
    number: int,
    stage: JointStage,
) -> list[Awards]:
    """Share among the claimants of one tier in all members; return the awards of each member."""
    n_members = stage.n_members
    claims = claimants.claims(stage.period.model)
    claim = np.moveaxis(claims, 0, 1).reshape(len(claimants.names), -1)
    is_shape = tier == len(goal.tiers)
    rule = "leximin" if is_shape else goal.rules[tier]
    window = goal.shape if is_shape else goal.window
    name = f"{number} share among {claimants.title} by {window}, {rule}"
    terms = goal._terms(claimants, claims[0], is_shape)
    terms = Terms(
        claim,
        *(
            np.tile(values, (1, n_members))
            for values in (terms.weight, terms.loss_weight, terms.base, terms.theta)
        ),
    )
    tie_to_users(home, claimants, stage)
    mean, stage.weight = stage.weight, 1.0  # the level counts as the volume of all members
    mark = stage.mark()
    volume = float(stage.horizon.known(home.volume)[:, 0].sum()) or 1.0
    rounds = Rounds(name, claimants, home, stage, claim, volume)
    for active in goal._classes(case.basin, claimants, is_first=not tier):
        rounds.serve(rule, terms, np.repeat(active[:, None], claim.shape[1], axis=1))
    if goal.tolerance:
        stage.reset(mark)
        rounds.keep_within(goal.tolerance)
    stage.weight = mean

    def of(values: np.ndarray, k: int) -> np.ndarray:
        return values.reshape(len(claimants.names), n_members, -1)[:, k]

    return [
        Awards(
            tier + 1,
            rule,
            window,
            claimants,
            claims[k],
            of(rounds.settled_in, k),
            of(rounds.level, k),
            rounds.number,
        )
        for k in range(n_members)
    ]


# --- all goals, pass by pass ----------------------------------------------------------------


class JointPasses:
    """The program of all members, pass by pass where lines have to move.

    All members are judged as one: a pass is kept for all of them or for none, since a decision in
    common is worth what it is worth in all.

    Parameters
    ----------
    decided : value of each decision in common, where it is made already (tie)
    """

    def __init__(
        self,
        period: Period,
        horizon: Horizon,
        ties: list[Tie],
        risk: Risk,
        progress: Progress | None = None,
        decided: np.ndarray | None = None,
    ) -> None:
        self.decided = decided
        self.period, self.horizon, self.case = period, horizon, period.case
        self.ties, self.risk, self.progress = ties, risk, progress
        self.n_members = period.case.n_members
        self.asked = _rehearse(period, horizon)
        self.costs = _Costs(period, horizon)
        self.bases: dict[str, Any] = {}
        self.first = first_with_lines(period, horizon)
        self.face: Face | None = None
        """What the goals before the first with lines have fixed."""
        self.last = ""
        """Last optimum, where the last pass was short."""

    def solve(self) -> TwoStageSolution:
        lines = Lines(self.horizon, self.period.model.tangents.all)
        if not (lines.tangents and self.case.linearisation.is_updated):
            return self._solution(self._pass(), ())
        has_leading = 0 < self.first < len(self.period.goals)
        judge, region = Judge(self.case, has_leading), self._region(lines)
        used = touched = lines.now()
        best: _Tried | None = None
        while not judge.is_done:
            lines.put(touched)
            self.horizon.refresh()
            self.costs.known.clear()
            try:
                near = None if best is None else (region, best, judge.radius)
                tried = self._pass(near, judge.next_is_whole)
            except SolveError as error:
                if best is None:
                    raise
                log.info("%s", error)
                if judge.next_is_whole:
                    judge.retry(str(error))
                else:
                    judge.must_be_whole = True
                continue
            tangents, arguments = lines.now(), lines.arguments(tried.by_member)
            new = lines.touch(arguments)
            off = lines.error(arguments, tangents, new)
            lines.put(lines.true(arguments, new))
            self.horizon.forget()
            region.measure(tried.x)
            step = 0.0 if best is None else region.step(tried.x, best.x)
            merit = self._merit(tried, off)
            if judge.take(merit, step, tried.iterations, tried.seconds):
                best, used, touched = tried, tangents, new
        assert best is not None
        self._tell(judge)
        lines.put(used)
        self.horizon.refresh()
        return self._solution(best, (judge.convergence(),) * self.n_members)

    def _tell(self, judge: Judge) -> None:
        if not judge.is_reached:
            log.warning(
                "%s: the passes did not converge (%s); pass %d of %d is kept, whose water balance "
                "is off by %.2g of its size where it is not linear",
                self.case.name,
                judge.why,
                judge.best_number,
                len(judge.passes),
                judge.best.error if judge.best else 0.0,
            )

    # --- the program

    def _lay(self) -> _Joint:
        """All members side by side, their decisions in common, and what measures goals."""
        lp = self.horizon.stack()
        common = lp.common | common_columns(self.ties, lp.n_columns)
        for level in self._levels():
            common[self.horizon.columns[id(level)]] = True
        border = Border(replace(lp, common=common).joint())
        for tie in self.ties:
            if not tie.is_one_column:
                tie.add_rows(border)
        if self.decided is not None:
            for tie, value in zip(self.ties, self.decided, strict=True):
                tie.add_value(border, float(value))
        measured: dict[int, Measured] = {}
        if not self.risk.is_expected:
            for number, expression, sense in self.asked:
                scale = self.costs.scale(expression, number)
                cost, constant = self.costs.of(expression)
                measured[id(expression)] = add_measure(
                    border, self.risk, cost, constant, sense, scale
                )
        means = {id(cap): self._add_mean(border, cap) for cap in self._caps()}
        return _Joint(border.set(), measured, means)

    def _levels(self) -> Iterator[Any]:
        """Common levels of goals that share: one for the claimants of all members."""
        for number, goal in self.period.goals:
            if isinstance(goal, Share):
                block = self.period.model.goals.component(f"share_{number}")
                for tier in range(len(goal.all_claimants(self.case))):
                    yield (block.component(f"tier_{tier + 1}") if tier else block).level

    def _caps(self) -> Iterator[Any]:
        """Rows that hold a goal, or what a rule misses at its penalty."""
        for number, _ in self.period.goals:
            for name in (f"cap_{number}", f"most_{number}"):
                rows = self.period.model.goals.component(name)
                yield from rows.values() if rows is not None else ()

    def _add_mean(self, border: Border, cap: Any) -> int:
        """Set the mean over members of a row beside a program, without limits."""
        lp, place = self.horizon.stack(), border.program.place
        (row,) = self.horizon.rows[id(cap)]
        columns, numbers = [], []
        for k in range(self.n_members):
            of_row = lp.member(k).matrix[[row], :].tocoo()
            columns.append(place[k, of_row.col])
            numbers.append(of_row.data / self.n_members)
        return border.add_row(np.concatenate(columns), np.concatenate(numbers), -np.inf, np.inf)

    def _region(self, lines: Lines) -> Region:
        """How far a pass may move the columns that bend lines, in all members."""
        lp = self.horizon.stack()
        place = self._lay().program.place
        regions = [
            Region.of(self.horizon, lines.tangents, lp.member(k)) for k in range(self.n_members)
        ]
        return Region(
            np.concatenate([place[k, region.columns] for k, region in enumerate(regions)]),
            np.concatenate([region.span for region in regions]),
        )

    # --- one pass

    def _pass(
        self, near: tuple[Region, _Tried, float] | None = None, is_whole: bool = True
    ) -> _Tried:
        """Optimise the goals in their order.

        Parameters
        ----------
        near : how far from which pass before
        is_whole : all goals; else those before the first with lines stay as that pass had them
        """
        started = time.perf_counter()
        joint = self._lay()
        self._check_bounds(joint.program)
        program: MemberProgram = joint.program
        if near is not None:
            region, best, radius = near
            program = region.around(program, best.x, radius)
        start = None
        if not is_whole:
            assert self.face is not None
            program = self.face.on(program)
        elif self.last:
            start = self.bases[self.last]
            self.bases.clear()  # those of the leading goals are of another place
            self.last = ""
        where = f"{self.case.name}, all members: "
        stages = Stages(program, where, bases=self.bases, start=start)
        stage = JointStage(self.period, self.costs, joint, self.risk, stages)
        for number, goal in self.period.goals:
            goal.wait(self.period.model, self.case, number, stage)
        for place, (number, goal) in enumerate(self.period.goals):
            if place < self.first and not is_whole and near is not None:
                near[1].hand_over(number, stage)
                continue
            if place == self.first and is_whole:
                self.face = Face.of(joint.program, program, stages.lp, stages.changes)
            stage.goal = number
            try:
                if isinstance(goal, Share):
                    _share(goal, self.case, number, stage)
                else:
                    goal.optimise(self.period.model, self.case, number, stage)
            except Infeasible as error:
                if near is not None:
                    raise
                raise Infeasible(f"{error}\n{self._explain()}") from None
            if self.progress and near is None:
                n_steps = self.n_members * len(self.period.goals)
                self.progress(self.n_members * (place + 1), n_steps)
        self.last = "" if is_whole else stages.optima[-1].name
        return self._tried(joint.program, stage, time.perf_counter() - started)

    def _tried(self, program: JointProgram, stage: JointStage, seconds: float) -> _Tried:
        stages, x = stage.stages, stage.stages.optima[-1].x
        by_member = program.split_columns(x)
        iterations = sum(optimum.iterations for optimum in stages.optima)
        drift = stages.drift()
        solved = [
            Solved(
                by_member[k],
                tuple(self._at_the_end(k, stage.optima[k], stage.asked, by_member[k])),
                tuple(stage.records[k]),
                drift,
                iterations,
                seconds,
            )
            for k in range(self.n_members)
        ]
        return _Tried(x, by_member, solved, tuple(stage.over_all), tuple(stage.asked))

    def _at_the_end(
        self, k: int, optima: list[StageOptimum], asked: list[Any], x: np.ndarray
    ) -> Iterator[StageOptimum]:
        """Optima of a member with what it has of each in the end."""
        for optimum, expression in zip(optima, asked, strict=True):
            if optimum.unit == LEVEL:
                yield optimum
                continue
            cost, constant = self.costs.of(expression)
            value = (float(cost[k] @ x) + float(constant[k])) * optimum.value_scale
            yield replace(optimum, kept=value)

    def _merit(self, tried: _Tried, off: np.ndarray) -> Merit:
        """What a pass is worth: the measure of each goal, then its mean; lines are true there."""
        solved = dict(enumerate(tried.solved))
        by_member = tried.by_member
        merits = merits_of(self.period, self.horizon, by_member, solved, off)
        measures = [self.risk] if self.risk.is_expected else [self.risk, Risk()]

        def over(values: list[np.ndarray]) -> np.ndarray:
            losses = -np.array(values)  # (member, goal)
            return np.array([-r.measure(of_goal) for of_goal in losses.T for r in measures])

        of_members = list(merits.values())
        return Merit(
            over([merit.values for merit in of_members]),
            over([merit.foretold for merit in of_members]),
            np.repeat(of_members[0].moving, len(measures)),
            float(off.max(initial=0.0)),
        )

    def _solution(self, tried: _Tried, convergence: tuple[Convergence, ...]) -> TwoStageSolution:
        return TwoStageSolution(
            self.period,
            self.horizon,
            tried.by_member,
            tuple(solved.stages for solved in tried.solved),
            np.array([solved.drift for solved in tried.solved]),
            {},
            convergence,
            tuple(solved.records for solved in tried.solved),
            joint=tried.over_all,
            ties=tuple(self.ties),
        )

    # --- infeasible

    def _check_bounds(self, program: JointProgram) -> None:
        """Raise where the limits of a decision in common leave no value for all members."""
        if (program.col_lower > program.col_upper).any():
            raise Infeasible(f"E402 {self.case.name}, all members: {self._explain()}")

    def _explain(self) -> str:
        """Say which limits of a member contradict each other, or which decisions in common do."""
        if self.decided is not None:
            return "E402 not every member can keep what is decided beforehand"
        lp = self.horizon.stack()
        names = [member.name for member in self.case.members]
        texts = []
        for k, name in enumerate(names):
            nothing = np.zeros(lp.n_columns)
            try:
                Stages(lp.member(k), "").optimise("limits", nothing)
            except Infeasible:
                text = explain_infeasible(self.period, self.horizon, k)
                texts.append(f"member {name} alone:\n{text}")
        if texts:
            return "\n".join(texts)
        return "\n".join(self._contradictions()) or (
            f"E402 members {listed(names)} can each meet their limits alone, but not with the same "
            f"{listed(told(self.ties, self._starts))}; name fewer decisions, or fewer periods"
        )

    @property
    def _starts(self) -> list[str]:
        return [str(day) for day in self.case.timeline.starts]

    def _contradictions(self) -> Iterator[str]:
        """By how much decisions in common would have to differ between members, at the least."""
        border = Border(self.horizon.stack().joint())
        rows = [tie.add_rows(border) for tie in self.ties]
        program = border.set()
        repair = least_repair(program, np.concatenate(rows), np.empty(0, int))
        if repair is None:
            return
        off = repair.by_row.reshape(len(self.ties), -1)
        names = [member.name for member in self.case.members]
        for tie, of_members in zip(self.ties, off, strict=True):
            if np.abs(of_members).max(initial=0.0) <= SMALLEST:
                continue
            differs = listed(
                f"{names[k]} by {-amount:+.6g}"
                for k, amount in enumerate(of_members, 1)
                if abs(amount) > SMALLEST
            )
            yield (
                f"E402 {tie.quantity} of '{tie.item}' from {self._starts[tie.period]} is the same "
                f"in all members, but would have to differ from that of {names[0]}: {differs} "
                f"{self._unit(tie.quantity)}; leave it out of two_stage.decisions, take fewer "
                "periods, or make a rule soft"
            )

    def _unit(self, quantity: str) -> str:
        return next(q.units for q in self.period.quantities() if q.name == quantity)


@dataclass(frozen=True)
class _Tried:
    """One pass over all members.

    Attributes
    ----------
    x : (joint column)
    by_member : (member, column)
    solved : of each member
    over_all : optima over all members
    asked : expression of each of them
    """

    x: np.ndarray
    by_member: np.ndarray
    solved: list[Solved]
    over_all: tuple[JointOptimum, ...]
    asked: tuple[Any, ...]

    def hand_over(self, goal: int, stage: JointStage) -> None:
        """Leave what came of a goal as it is."""
        for optimum, expression in zip(self.over_all, self.asked, strict=True):
            if optimum.goal == goal:
                stage.over_all.append(optimum)
                stage.asked.append(expression)
        for k, solved in enumerate(self.solved):
            stage.optima[k] += [s for s in solved.stages if s.goal == goal]
            stage.records[k] += [r for r in solved.records if r[0] == goal]

    @property
    def iterations(self) -> int:
        return self.solved[0].iterations

    @property
    def seconds(self) -> float:
        return self.solved[0].seconds
