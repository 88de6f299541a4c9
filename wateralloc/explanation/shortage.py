"""Why a user is short: who has the water, what holds it back, and what more of it would be worth.

The shortage is taken apart in the order of the law.  The most that could reach the user is found
seven times over or more: by water and works alone; with environmental flows; with each rule, in the
order of the case; and with each goal held, in its order.  What each takes from the user is the
difference, and all differences add up to the shortage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wateralloc.errors import SolveError
from wateralloc.explanation.causes import ALIKE, NOTHING, SMALL, Cause, Place, Search, kind_of
from wateralloc.foresight.limits import Limits
from wateralloc.foresight.settled import (
    Most,
    Settled,
    Wanted,
    is_within,
    most,
    with_row,
)
from wateralloc.goals import Goal
from wateralloc.goals.claims import Awards, Shared
from wateralloc.goals.keep import Keep
from wateralloc.horizon import MemberProgram
from wateralloc.rules import Rule

MOST_LIMITS, MOST_USERS = 6, 4
"""Limits that are told, and users that take the same water."""
MOST_TRIED = 20
"""Limits of which it is tried what they give."""
CERTAIN = 1e-6
"""Share of what is asked for that is left, so that rounding leaves the next program room."""
KINK = 0.01
"""Share by which two prices must differ to be told as two."""
ONE_STEP = 1e-3
"""Part of a shortage by which water is taken away, to see what the last of it was worth."""


@dataclass(frozen=True)
class Target:
    """Users, or plants, in some periods, whose shortage is explained.

    Attributes
    ----------
    demands : users; what they lack is demand less withdrawal [hm3]
    plants : in place of users; what they lack is energy at their capacity less energy [GWh]
    group : how they are named, where they are: field (region, province, sector, demand) and name
    """

    demands: tuple[str, ...]
    periods: tuple[int, ...]
    group: tuple[tuple[str, str], ...] = ()
    plants: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit of what is explained."""
        return "GWh" if self.plants else "hm3"


@dataclass(frozen=True)
class Step:
    """What one clause takes from the target.

    Attributes
    ----------
    kind : ``physics``, ``environmental_flow``, ``rule``, ``goal``, ``soft_rule`` or ``free``
    left : most that the target could be given with this clause, and all before it [hm3]
    taken : by how much it is less than without [hm3]
    number : place of the goal
    """

    kind: str
    left: float
    taken: float
    rule: Rule | None = None
    goal: Goal | None = None
    number: int = 0


@dataclass(frozen=True)
class Loss:
    """What another would lose if the target came first.

    Attributes
    ----------
    kind : ``demand``, ``energy``, ``storage``, ``outflow``, ``soft_rule``
    amount : [hm3, or GWh]; below 0 where it gains
    """

    kind: str
    name: str
    amount: float
    unit: str = "hm3"


@dataclass(frozen=True)
class Worth:
    """What more water would give the target where it is drawn.

    Attributes
    ----------
    nodes : where
    rates : gain of the target [hm3] by 1 hm3 more, and by the last that there is; least first
    lift, gain : volume for which that holds, and what it gives [hm3]
    places, parts : balances that gain it, and the share of each
    """

    nodes: tuple[str, ...]
    rates: tuple[float, float]
    lift: float
    gain: float
    places: tuple[Place, ...] = field(repr=False)
    parts: np.ndarray = field(repr=False)

    @property
    def is_one(self) -> bool:
        """Whether the last and the next hm3 are worth the same."""
        return self.rates[1] - self.rates[0] <= KINK * max(self.rates[1], KINK)


@dataclass(frozen=True)
class Award:
    """What a goal ``share`` settled for the claimant to which the target belongs.

    Attributes
    ----------
    claim : [hm3]
    level : at which the round settled it, as a share of the claim for most rules
    beside : claimants that were settled with it, in the same round
    """

    goal: int
    title: str
    rule: str
    claimant: str
    claim: float
    level: float
    round: int
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Why a target is short, in volumes [hm3] over its periods.

    Attributes
    ----------
    requested : what is asked
    reachable : most that water and works alone could bring it, with nobody else served
    entitled : most that environmental flows and hard rules then leave to it
    delivered : what it is given
    free : least and most that it could be given with all goals as they are
    steps : who takes what, in the order of the law; what all take adds up to the shortage
    causes : limits that hold it back, those first that would give most
    losses : what others would lose if it came before all goals
    first : what it would be given then
    """

    member: str
    target: Target
    requested: float
    reachable: float
    entitled: float
    delivered: float
    free: tuple[float, float]
    steps: tuple[Step, ...]
    causes: tuple[Cause, ...]
    worth: Worth | None
    awards: tuple[Award, ...]
    first: float
    losses: tuple[Loss, ...]
    settled: Settled = field(repr=False, compare=False)

    @property
    def short(self) -> float:
        """Requested less delivered [hm3]."""
        return self.requested - self.delivered


def explain_shortage(settled: Settled, target: Target) -> Explanation:
    """Say why a target is short.

    Parameters
    ----------
    settled : the member, from :func:`wateralloc.foresight.settled.settle`

    Raises
    ------
    SolveError
        One of the programs could not be solved.
    """
    case = settled.case
    wanted, requested = wanted_of(settled, target)
    delivered = wanted.value(settled.x)
    steps, best = _steps(settled, wanted, requested)
    if best.value - delivered > NOTHING:
        steps.append(Step("free", delivered, best.value - delivered))
    least = -most(settled.faces[-1].program, wanted.negative()).value
    last_hard = max((k for k, s in enumerate(steps) if s.goal is None and s.kind != "free"))
    limits = Limits(settled.period, settled.horizon)
    search = Search(settled, limits, wanted, requested - best.value, best)
    causes = _causes(search, settled) if search.short > NOTHING else ()
    first, losses = _first(settled, target, wanted, min(requested, steps[last_hard].left), best)
    return Explanation(
        case.members[0].name,
        target,
        requested,
        steps[0].left,
        steps[last_hard].left,
        delivered,
        (min(least, delivered), max(best.value, delivered)),
        tuple(steps),
        causes,
        _worth(search, target) if search.short > NOTHING else None,
        tuple(_awards(settled, target)),
        first,
        losses,
        settled,
    )


def wanted_of(settled: Settled, target: Target) -> tuple[Wanted, float]:
    """What a target is given, as a sum of columns, and what it asks.

    Of a plant: its energy by the lines that the result has, and its energy at its capacity.
    """
    horizon, model = settled.horizon, settled.period.model
    times = np.array(target.periods)
    if not target.plants:
        columns = [horizon.columns[id(model.withdrawal[d])][times] for d in target.demands]
        asked = [horizon.array(model.demand[d])[0, times] for d in target.demands]
        return Wanted(np.concatenate(columns)), float(np.sum(asked))
    energy = next(q for q in settled.period.quantities() if q.name == "energy")
    places, weights, constant = [], [], 0.0
    for plant in target.plants:
        terms = horizon.terms(energy.values[plant])
        constant += float(terms.constant[0, times].sum())
        places += [column[times] for column in terms.columns]
        weights += [coefficient[0, times] for coefficient in terms.coefficients]
    full = [horizon.array(model.energy_capacity[p])[0, times] for p in target.plants]
    wanted = Wanted(np.concatenate(places), np.concatenate(weights), constant)
    return wanted, float(np.sum(full))


# --- who has the water ---------------------------------------------------------------------------


def _steps(settled: Settled, wanted: Wanted, requested: float) -> tuple[list[Step], Most]:
    """What each clause leaves of what the target could be given, and the most in the end."""
    best: Most | None = None
    steps: list[Step] = []
    left = requested
    for kind, rule, face, program in _programs(settled):
        if best is None or not is_within(program, best.x):
            best = most(program, wanted, start=best.basis if best else None)
        value = min(best.value, left)
        goal = face.goal if face else None
        steps.append(Step(kind, value, left - value, rule, goal, face.number if face else 0))
        left = value
    assert best is not None
    return steps, replace(best, value=left) if settled.faces else best


def _programs(settled: Settled) -> Iterator[tuple[str, Rule | None, Any, MemberProgram]]:
    """Programs from the loosest to the tightest: kind, rule, face, program."""
    period, lp, rows = settled.period, settled.program, settled.horizon.rows
    of_rule: dict[str, list[np.ndarray]] = {}
    for row in period.rule_rows:
        of_rule.setdefault(row.rule.name, []).append(rows[id(row.constraint)])
    natural = [rows[id(row)] for row in period.model.environmental_flow.values()]
    free = np.ones(lp.row_lower.size, bool)
    waiting = np.concatenate([*natural, *(r for of in of_rule.values() for r in of), []])
    free[waiting.astype(int)] = False

    def program() -> MemberProgram:
        return replace(
            lp,
            row_lower=np.where(free, lp.row_lower, -np.inf),
            row_upper=np.where(free, lp.row_upper, np.inf),
        )

    yield "physics", None, None, program()
    if natural:
        free[np.concatenate(natural)] = True
        yield "environmental_flow", None, None, program()
    for rule in settled.case.rules:
        own = of_rule.get(rule.name, [])
        if own:
            free[np.concatenate(own)] = True
            if rule.soft is None:
                yield "rule", rule, None, program()
    for face in settled.faces:
        kept = face.goal.rule if isinstance(face.goal, Keep) else ""
        own_rule = next((r for r in settled.case.rules if r.name == kept), None)
        yield ("soft_rule" if own_rule else "goal"), own_rule, face, face.program


# --- what holds it back --------------------------------------------------------------------------


def _causes(search: Search, settled: Settled) -> tuple[Cause, ...]:
    """Limits that give the target more, and users that take the water, by what they give."""
    by_limit = search.candidates(search.best)
    tries = MOST_TRIED
    if not by_limit:
        # a goal holds the target where it is; what stands behind shows on the faces before it
        tries = MOST_LIMITS
        for face in reversed(settled.faces[:-1]):
            found = most(face.program, search.wanted, start=search.best.basis)
            by_limit = search.candidates(found)
            if by_limit:
                break
    weighed = sorted(by_limit.items(), key=lambda item: -_weight(item[1], search.short))
    room = {False: MOST_LIMITS, True: MOST_USERS}
    causes = []
    for limit, places in weighed:
        is_user = kind_of(limit) == "user"
        if not room[is_user] or not tries:
            continue
        tries -= 1
        cause = search.cause(limit, places)
        if cause is not None:
            causes.append(cause)
            room[is_user] -= 1
    causes.sort(key=lambda c: (c.kind == "user", -round(c.gain, 6), c.limit.text()))
    return tuple(causes)


def _weight(places: Sequence[Place], short: float) -> float:
    """What a limit could give at most, by its rates."""
    return float(sum(min(place.room * place.rate, short) for place in places))


def _worth(search: Search, target: Target) -> Worth:
    """What more water at the nodes of the target would give it."""
    case = search.settled.case
    table, sources = case.basin.tables["demands"], case.basin.tables["sources"]
    links = case.basin.tables["links"]
    plants = case.basin.tables["hydropower"]
    nodes = {str(links.at[plants.at[p, "link"], "from"]): None for p in target.plants}
    for demand in target.demands:
        own = list(sources["node"][sources["demand"] == demand]) or [table.at[demand, "node"]]
        nodes |= dict.fromkeys(own)
    places = search.water_at(nodes, target.periods)
    largest = max(place.rate for place in places)
    used = [p for p in places if p.rate >= ALIKE * largest or largest <= SMALL]
    parts = np.full(len(used), 1 / len(used))
    rate = float(parts @ [place.rate for place in used])
    cap = search.short / rate if rate > 1e-3 else search.short
    found = search.response(used, parts, rate, cap)
    step = ONE_STEP * min(cap, search.short)
    less, _ = search.gain(used, -parts * step)
    if np.isnan(less):  # it cannot be spared at all
        less = -step * rate
    before = -less / step
    if found is None:
        # nothing of what would be needed helps; what the next of it does
        more, _ = search.gain(used, parts * step)
        more = 0.0 if np.isnan(more) else more
        found = step, more, (more / step, more / step), False
    lift, gain, rates, _ = found
    rates = min(*rates, before), max(*rates, before)
    return Worth(tuple(nodes), rates, lift, gain, tuple(used), parts)


# --- what others would lose ----------------------------------------------------------------------


def _first(
    settled: Settled, target: Target, wanted: Wanted, amount: float, best: Most
) -> tuple[float, tuple[Loss, ...]]:
    """What the target is given where it comes before all goals, and what others then lose."""
    if amount - best.value <= NOTHING:
        return best.value, ()
    amount -= CERTAIN * amount
    try:
        again = settled.again(with_row(settled.program, wanted, amount), is_warm=False)
    except SolveError:  # rounding: the target is then told what it has
        return best.value, ()
    return amount, tuple(_losses(settled, again, target))


def _losses(before: Settled, after: Settled, target: Target) -> Iterator[Loss]:
    """What is less after than before, the largest first within each kind."""
    model = before.period.model
    found: list[Loss] = []
    inside = set(target.demands)
    for d in model.demand_name:
        change = before.value(model.withdrawal[d]) - after.value(model.withdrawal[d])
        if d in inside:
            change[list(target.periods)] = 0.0
        found.append(Loss("demand", d, float(change.sum())))
    for quantity in before.period.quantities():
        if quantity.name == "energy":
            for plant, expression in quantity.values.items():
                if plant in target.plants:
                    continue
                lost = before.value(expression) - after.value(expression)
                found.append(Loss("energy", plant, float(lost.sum()), "GWh"))
    for kind, variables in (("storage", model.storage_end), ("storage", model.aquifer_end)):
        for name in variables:
            lost = before.value(variables[name]) - after.value(variables[name])
            found.append(Loss(kind, name, float(lost[-1])))
    for label in model.shortfall:
        more = after.value(model.shortfall[label]) - before.value(model.shortfall[label])
        rule = next(r for r in before.case.rules if r.name == label[0])
        unit = "GWh" if rule.reported_in == "gwh" else "hm3"
        found.append(Loss("soft_rule", label[1], float(more.sum()), unit))
    yield from sorted(
        (loss for loss in found if abs(loss.amount) > NOTHING),
        key=lambda loss: (_ORDER.index(loss.kind), -loss.amount),
    )


_ORDER = ("demand", "soft_rule", "energy", "storage")


def _awards(settled: Settled, target: Target) -> Iterator[Award]:
    """Awards of the claimants to which the target belongs, in the windows of its periods."""
    for number, record in settled.records:
        if not isinstance(record, Shared):
            continue
        for awards in record.awards:
            yield from _in_tier(number, record.title, awards, target)


def _in_tier(number: int, title: str, awards: Awards, target: Target) -> Iterator[Award]:
    claimants = awards.claimants
    names = list(claimants.groups)
    windows = {int(w) for w in claimants.window[list(target.periods)] if w >= 0}
    for c, name in enumerate(names):
        if not set(target.demands) & set(claimants.groups[name]):
            continue
        for w in sorted(windows):
            yield _award(number, title, awards, names, c, w)


def _award(
    number: int, title: str, awards: Awards, names: list[str], claimant: int, window: int
) -> Award:
    settled_in, level = awards.settled_in, awards.level
    own = settled_in[claimant, window]
    beside = [
        name
        for c, name in enumerate(names)
        if own and c != claimant and (settled_in[c] == own).any()
    ]
    return Award(
        number, title, awards.rule, names[claimant], float(awards.claim[claimant, window]),
        float(level[claimant, window]), int(own), tuple(beside),
    )  # fmt: skip
