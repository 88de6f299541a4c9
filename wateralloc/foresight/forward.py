"""simulate and rolling: one window after another, each without what comes after it.

A window holds some periods, of which the first are kept; then it moves on by these.  Storage,
lagged flows and what rows over a longer window have come to are handed on
(:class:`wateralloc.horizon.Sight`).  Every window is laid out from the one period that was read
once, and starts from the bases of the window before.  ``simulate`` is the window of one period.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import Infeasible, SolveError
from wateralloc.foresight.dual import Lost
from wateralloc.foresight.forecast import lead_case
from wateralloc.foresight.outcome import came_of
from wateralloc.foresight.perfect import Passes, Progress, Solution, StageOptimum
from wateralloc.foresight.steady import Steady, is_steady
from wateralloc.foresight.successive import Convergence
from wateralloc.goals import LinearGoal, PriceOfKeeping
from wateralloc.goals.claims import Awards, Shared
from wateralloc.horizon import Horizon, Reading, Realised, Sight
from wateralloc.period import Period, build_period
from wateralloc.rules import Soft
from wateralloc.solve import Certificate
from wateralloc.timeline import Timeline

log = logging.getLogger(__name__)

GOLDEN = 0.6180339887498949
"""Multiples of the golden ratio's fraction never come close to each other, modulo 1."""


def solve_forward(case: Case, progress: Progress | None = None) -> Solution:
    """Solve a case window by window, for all members side by side.

    Parameters
    ----------
    progress : called after each window with the number done and the number in all

    Raises
    ------
    Infeasible
        In some window no allocation of a member meets all hard limits; the text names the limits
        that contradict each other there.
    Uncertified, SolveError
    """
    started = time.perf_counter()
    if case.foresight.misses_hard_rules:
        case = _give_way(case)
    march = March(case)
    steady = march.steady() if case.foresight.mode == "simulate" else None
    built = time.perf_counter()
    if steady is None or not march.runs_steadily(steady, progress):
        windows = list(windows_of(case))
        for done, window in enumerate(windows, 1):
            march.step(*window)
            if progress:
                progress(done, len(windows))
    solution = march.solution()
    seconds = {"build": built - started, "solve": time.perf_counter() - built}
    return replace(solution, seconds=seconds)


def _give_way(case: Case) -> Case:
    """The case with hard rules kept before all goals as far as can be."""
    first = Soft(goal=1)
    rules = (r if r.soft else r.model_copy(update={"soft": first}) for r in case.rules)
    return replace(case, rules=tuple(rules))


def windows_of(case: Case) -> Iterator[tuple[int, int, int]]:
    """First period, number of periods and how many are kept, of each window.

    A window that reaches the end and knows what comes is kept whole: the next could only find the
    same.
    """
    size, stride = case.foresight.window(case.n_periods)
    first = 0
    while first < case.n_periods:
        count = min(size, case.n_periods - first)
        is_last = first + count == case.n_periods and case.foresight.knows_what_comes
        kept = count if is_last else min(stride, count)
        yield first, count, kept
        first += kept


@dataclass
class _Told:
    """What the windows told of one goal of one member, put together over the horizon."""

    name: str
    balance_price: np.ndarray
    rule_price: dict[str, np.ndarray]
    certificate: Certificate
    iterations: int = 0
    seconds: float = 0.0
    cold_again: bool = False


class March:
    """The windows of a case, one after another.

    Parameters
    ----------
    case : its members are those of the solution
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.period = build_period(case)
        self.reading = Reading(self.period.model)
        self.whole = Horizon(
            self.period.model, case.n_members, case.n_periods, reading=self.reading
        )
        self.foretold, self.seen = self.period, self.reading
        self.n_leads = 1
        self.is_by_period = case.foresight.is_by_period
        rolling = case.foresight.rolling
        if rolling is not None and rolling.n_leads > 1 and rolling.window > rolling.stride:
            # what is thought of a period some periods ahead is the same period with other data
            self.foretold = build_period(lead_case(case))
            self.seen = Reading(self.foretold.model)
            self.n_leads = rolling.n_leads
        note_lines(self.foretold, self.seen)
        self.carried = {id(note.now) for note in self.seen.repeats.carried}
        self.realised = self._nothing_decided()
        self.bases: list[dict[str, Any]] = [{} for _ in range(case.n_members)]
        self.former: Horizon | None = None
        self.told: list[dict[int, _Told]] = [{} for _ in range(case.n_members)]
        self.drift = np.zeros(case.n_members)
        self.convergence: list[list[Convergence]] = [[] for _ in range(case.n_members)]
        self.records: list[list[tuple[int, Any]]] = [[] for _ in range(case.n_members)]

    def _nothing_decided(self) -> Realised:
        """All columns at nothing, but for those of initial values."""
        x = self.whole.lay_out()
        columns = [self.whole.columns[id(v)] for v in self.reading.variables]
        shape = (self.case.n_members, self.case.n_periods)
        repeats = self.seen.repeats
        activity = {
            place: np.zeros(shape)
            for place, constraint in enumerate(self.seen.constraints)
            if id(constraint) in repeats.totals and id(constraint) not in repeats.ends
        }
        return Realised(columns, x, activity)

    def tidy_cost(self, horizon: Horizon) -> np.ndarray:
        """Costs that leave no tie: least water moved, most kept, no two columns alike (column).

        Programs of one period hand on what they decide, so what goals leave open in one decides
        what the next can do.
        """
        states = {
            id(value)
            for quantity in self.foretold.quantities()
            if quantity.cell_methods == "time: point"
            for value in quantity.values.values()
        }
        lp = horizon.stack()
        has_least, has_most = (
            np.isfinite(limit).all(axis=0) for limit in (lp.col_lower, lp.col_upper)
        )
        cost = np.zeros(lp.n_columns)
        for place, variable in enumerate(self.seen.variables):
            if variable.name.startswith("goals.") or id(variable) in self.carried:
                continue
            column = horizon.columns[id(variable)][0]
            weight = 1.0 + (place + 1) * GOLDEN % 1.0
            if id(variable) in states:
                cost[column] = -weight if has_most[column] else 0.0
            elif has_least[column]:
                cost[column] = weight
        return cost

    def steady(self) -> Steady | None:
        """The steps, where only limits may move from one to the next; else None."""
        if not is_steady(self.period, self.reading):
            return None
        steady = Steady(self)
        return steady if steady.take() else None

    def runs_steadily(self, steady: Steady, progress: Progress | None) -> bool:
        """Solve all steps; tell whether that came to its end, with every step certified."""
        try:
            steady.solve(progress)
        except (Lost, Infeasible, SolveError) as error:
            log.info("%s: %s; solved window by window", self.case.name, error)
            return False
        self.tell_steps(steady)
        return True

    def tell_steps(self, steady: Steady) -> None:
        """Put together what all steps tell of the goals."""
        n_nodes = len(self.period.model.node)
        for k in range(self.case.n_members):
            for g, (place, goal) in enumerate(self.period.goals):
                # duals are those of the scaled cost, to be minimised
                price = steady.prices[k, g] * steady.scales[g]
                rule_price = {
                    row.label: price[
                        steady.rows[id(row.constraint)], self.whole.row_periods(row.constraint)
                    ]
                    for row in self.period.rule_rows
                }
                title = goal.title() if isinstance(goal, LinearGoal) else str(goal.kind)
                self.told[k][place] = _Told(
                    f"{place} {title}",
                    -price[:n_nodes],
                    rule_price,
                    steady.certificates[g],
                    steady.n_pivots,
                )

    # --- one window

    def step(self, first: int, count: int, kept: int) -> None:
        """Solve the window of `count` periods from `first` and keep its first periods."""
        n_members = self.case.n_members
        lead = np.clip(np.arange(count) - kept + 1, 0, self.n_leads - 1)
        rows = np.arange(n_members)[:, None] * self.n_leads + lead
        sight = Sight(first, self.case.timeline.days, rows, self.realised)
        with self.seen.localised(sight) as whole:
            horizon = Horizon(self.foretold.model, n_members, count, sight, self.seen)
            horizon.stack()
            if self.former is not None and horizon.lp.n_rows != self.former.lp.n_rows:
                self.bases = [{} for _ in range(n_members)]
            passes = Passes(
                self.foretold,
                horizon,
                names=tuple(member.name for member in self.case.members),
                bases=self.bases,
                shown=self._shown(first, count),
                tidy=self.tidy_cost(horizon) if self.is_by_period else None,
            )
            found = passes.solve()
            self._keep(horizon, found, first, kept)
            self._keep_lines(sight, kept, whole)
        self.former, self.bases = horizon, passes.bases

    def _shown(self, first: int, count: int) -> Case:
        """The case with the periods in sight alone."""
        line = self.case.timeline
        part = Timeline(str(line.starts[first]), count, line.step, line.water_year_start)
        return replace(self.case, timeline=part)

    def _keep_lines(self, sight: Sight, kept: int, whole: dict[int, Any]) -> None:
        """Put the lines of the periods kept, as the program had them, into the whole horizon."""
        span = slice(sight.first, sight.first + kept)
        shape = (self.case.n_members, self.case.n_periods)
        pairs = zip(self.period.model.tangents.all, self.foretold.model.tangents.all, strict=True)
        for own, line in pairs:
            for data, used in zip(
                (own.intercept, *own.slopes), (line.intercept, *line.slopes), strict=True
            ):
                before = whole.get(id(data), data.value)
                values = np.array(np.broadcast_to(before, shape))
                local = np.broadcast_to(used.value, (shape[0], sight.count))
                values[:, span] = local[:, :kept]
                if self.case.linearisation.is_updated:
                    # the next window starts from the last lines, which are nearer than the first
                    values[:, span.stop :] = local[:, kept - 1 : kept]
                if id(data) in whole:
                    whole[id(data)] = values
                else:
                    data.set_value(values)

    # --- what is kept

    def _keep(self, horizon: Horizon, found: Solution, first: int, kept: int) -> None:
        x, columns = self.realised.x, self.realised.columns
        source, target = [], []
        for place, variable in enumerate(self.seen.variables):
            if id(variable) not in self.carried:
                source.append(horizon.columns[id(variable)][:kept])
                target.append(columns[place][first : first + kept])
        x[:, np.concatenate(target)] = found.x[:, np.concatenate(source)]
        for place, activity in self.realised.activity.items():
            body = horizon.activity(self.seen.constraints[place], found.x)
            activity[:, first : first + kept] = body[:, :kept]
        for k, stages in enumerate(found.stages):
            for stage in stages:
                self._tell(k, stage, horizon, first, kept)
            self.drift[k] = max(self.drift[k], found.drift[k])
            self.records[k] += found.records[k]
        for k, convergence in enumerate(found.convergence):
            self.convergence[k].append(convergence)

    def _tell(self, k: int, stage: StageOptimum, horizon: Horizon, first: int, kept: int) -> None:
        """Put what one program tells together with what those before it told."""
        told = self.told[k].get(stage.goal)
        if told is None:
            n_nodes = stage.balance_price.shape[0]
            told = self.told[k][stage.goal] = _Told(
                stage.name,
                np.zeros((n_nodes, self.case.n_periods)),
                {
                    row.label: np.zeros(self.whole.row_periods(row.constraint).size)
                    for row in self.period.rule_rows
                },
                stage.certificate,
            )
        told.certificate = told.certificate.worse(stage.certificate)
        told.iterations += stage.iterations
        told.seconds += stage.seconds
        told.cold_again |= stage.cold_again
        told.balance_price[:, first : first + kept] = stage.balance_price[:, :kept]
        for row in self.foretold.rule_rows:
            places, stands_at = horizon.row_places(row.constraint)
            is_kept = stands_at < kept
            told.rule_price[row.label][places[is_kept]] = stage.rule_price[row.label][is_kept]

    # --- the end

    def solution(self) -> Solution:
        """All windows as one solution, its goals by what came of them over the horizon."""
        self.whole.forget()
        found = Solution(
            self.period,
            self.whole,
            self.realised.x,
            (),
            self.drift,
            {},
            tuple(map(_together, self.convergence)) if any(self.convergence) else (),
            tuple(self._together(records) for records in self.records),
        )
        stages: list[list[StageOptimum]] = [[] for _ in range(self.case.n_members)]
        for number, goal in self.period.goals:
            came = came_of(found, number, goal)
            for k, told in enumerate(of[number] for of in self.told):
                value = float(came.values[k])
                stages[k].append(
                    StageOptimum(
                        number, told.name, came.sense, value, value, came.unit,
                        float(came.scales[k]), told.balance_price, told.rule_price,
                        told.certificate, told.iterations, told.seconds, told.cold_again,
                    )
                )  # fmt: skip
        return replace(found, stages=tuple(map(tuple, stages)))

    def _together(self, records: list[tuple[int, Any]]) -> tuple[tuple[int, Any], ...]:
        """Records of all windows, one of each kind a goal."""
        kinds: dict[tuple[int, str], list[Any]] = {}
        for number, what in records:
            kinds.setdefault((number, getattr(what, "rule", type(what).__name__)), []).append(what)
        joined: list[tuple[int, Any]] = []
        for (number, _), of_kind in kinds.items():
            if isinstance(of_kind[0], Shared):
                goal = dict(self.period.goals)[number]
                joined.append((number, _share_together(self.case, goal, of_kind)))
            elif isinstance(of_kind[0], PriceOfKeeping):
                joined.append((number, _price_together(of_kind)))
            else:
                joined += [(number, what) for what in of_kind]
        return tuple(joined)


def note_lines(period: Period, reading: Reading) -> None:
    """Find all data that stand with a line, so that they can hold the periods in sight."""
    if not reading.tangents and not reading.repeats.last:
        return
    for constraint in reading.constraints:
        for expression in reading.row(constraint):
            if expression is not None:
                reading.moves(expression)
    for quantity in period.quantities():
        for expression in quantity.values.values():
            reading.moves(expression)
    for number, goal in period.goals:
        reading.is_local(goal.objective(period.model, number)[0].expr)
    for tangent in reading.tangents:
        reading.local |= {id(d): d for d in (tangent.intercept, *tangent.slopes)}


def _together(convergence: list[Convergence]) -> Convergence:
    """How the passes of all windows ended, with the passes of the window that is least true."""
    if len(convergence) == 1:
        return convergence[0]
    worst = max(convergence, key=lambda c: (not c.is_reached, c.passes[c.best - 1].error))
    n_reached = sum(c.is_reached for c in convergence)
    why = f"{n_reached} of {len(convergence)} programs converged; shown is the one furthest from it"
    return Convergence(worst.passes, worst.is_reached, worst.best, f"{why}: {worst.why}")


def _share_together(case: Case, goal: Any, shared: list[Shared]) -> Shared:
    """Awards of all windows of a goal ``share``; a later program takes the place of a former."""
    awards = []
    for tier, claimants in enumerate(goal.all_claimants(case)):
        of_tier: list[Awards] = [one.awards[tier] for one in shared]
        shape = (len(claimants.names), claimants.n_windows)
        claim, settled, level = np.zeros(shape), np.zeros(shape, int), np.zeros(shape)
        for one in of_tier:
            numbers = one.claimants.numbers
            at = slice(None) if numbers is None else numbers
            claim[:, at], settled[:, at] = one.claim, one.settled_in
            level[:, at] = one.level
        first = of_tier[0]
        n_rounds = sum(one.n_rounds for one in of_tier)
        awards.append(
            Awards(first.tier, first.rule, first.window, claimants, claim, settled, level, n_rounds)
        )
    with_worth = [one for one in shared if one.best_worth is not None and one.worth is not None]
    return Shared(
        shared[0].goal,
        shared[0].title,
        tuple(awards),
        sum(one.most for one in shared),
        sum(one.given for one in shared),
        sum(one.best_worth for one in with_worth) if with_worth else None,
        sum(one.worth for one in with_worth) if with_worth else None,
    )


def _price_together(prices: list[PriceOfKeeping]) -> PriceOfKeeping:
    """The penalty that would keep a rule in every window, and what is missed at any price."""
    found = [one.price for one in prices if one.price is not None]
    least = sum(one.least for one in prices)
    return PriceOfKeeping(prices[0].rule, least, max(found) if found else None)
