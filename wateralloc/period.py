"""Gather parts, rules and goals into the Pyomo model of one period.

The period owns the only equation that joins the parts: at every node what they give and take is
zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, ModelError, Position
from wateralloc.goals import Goal, LinearGoal
from wateralloc.goals.end_storage import EndStorage
from wateralloc.goals.keep import Keep
from wateralloc.goals.meet import Meet
from wateralloc.goals.net_benefit import NetBenefit
from wateralloc.goals.share import Share
from wateralloc.parts import DATA, Quantity, parts, quantities, unit
from wateralloc.repeats import Repeats
from wateralloc.rules import Rule
from wateralloc.tangents import Tangents


@dataclass(frozen=True)
class RuleRow:
    """One row of a rule: where `required` <= `achieved`, or `achieved` <= `required`, should hold.

    Attributes
    ----------
    label : name of the rule, with the item in brackets where it has several rows
    achieved : linear expression of the period, without the shortfall of a soft rule
    required : data expression
    sense : ``>=`` or ``<=``
    """

    rule: Rule
    label: str
    constraint: Any
    achieved: Any
    required: Any
    sense: str


@dataclass(frozen=True)
class Period:
    """The model of one period, and what it holds.

    Attributes
    ----------
    model : Pyomo model; ``model.repeats`` says how it repeats, ``model.tangents`` what of it is
        not linear
    goals : (place, goal) in order, with the soft rules at their places
    balance : node -> name of amount -> (sign, linear expression)
    penalties : place of a goal -> rows of soft rules whose shortfall it counts, with their prices
    """

    case: Case
    model: pyo.ConcreteModel
    rule_rows: tuple[RuleRow, ...]
    goals: tuple[tuple[int, Goal], ...]
    balance: dict[str, dict[str, tuple[int, Any]]]
    penalties: dict[int, tuple[tuple[RuleRow, float], ...]] = field(default_factory=dict)

    def quantities(self) -> list[Quantity]:
        """What the parts report."""
        return quantities(self.model, self.case)


def build_period(case: Case) -> Period:
    """Build the model of one period of a case.

    Raises
    ------
    CaseError
        A user's own rule failed.
    ModelError
        A rule added a row that is not ``achieved >= required`` or ``achieved <= required``.
    """
    # a model in the making holds no garbage; a collector that walks it takes a third of the time
    with PauseGC():
        return _build(case)


def _build(case: Case) -> Period:
    m = pyo.ConcreteModel(case.name)
    m.repeats = Repeats()
    m.tangents = Tangents(m)
    m.node = pyo.Set(initialize=list(case.basin.tables["nodes"].index))
    m.rules = pyo.Block(concrete=True)
    m.workings = pyo.Block(concrete=True)
    m.reports = []
    m.goals = pyo.Block(concrete=True)
    concepts = parts()
    for part in concepts:
        part.declare(m, case)
    balance: dict[str, dict[str, tuple[int, Any]]] = {n: {} for n in m.node}
    for part in concepts:
        for n in m.node:
            for name, amount in part.water(m, n).items():
                sign, before = balance[n].get(name, (part.balance[name], 0.0))
                balance[n][name] = (sign, before + amount)
    m.balance = pyo.Constraint(
        m.node, rule=lambda m, n: sum(s * amount for s, amount in balance[n].values()) == 0
    )
    for part in concepts:
        part.constrain(m, case)
    rule_rows = _add_rules(m, case)
    goals = _add_goals(m, case, rule_rows)
    return Period(case, m, rule_rows, goals, balance, m.penalties)


def _add_rules(m: pyo.ConcreteModel, case: Case) -> tuple[RuleRow, ...]:
    rule_rows: list[RuleRow] = []
    soft = [rule.name for rule in case.rules if rule.soft]
    known = {id(row) for row in m.component_data_objects(pyo.Constraint)}
    labels = []
    for rule in case.rules:
        rule.prepare(m, case)
    for place, rule in enumerate(case.rules):
        rule.constrain(m, case)
        _check_integers(m, case, rule, case.rule_positions[place : place + 1])
        known.update(id(row) for row in m.workings.component_data_objects(pyo.Constraint))
        rows = [r for r in m.component_data_objects(pyo.Constraint) if id(r) not in known]
        known.update(id(row) for row in rows)
        for row in rows:
            rule_rows.append(_rule_row(rule, row))
            labels.append((rule.name, rule_rows[-1].label))
    m.shortfall = pyo.Var(
        [label for label in labels if label[0] in soft], bounds=(0, None), units=unit("hm3")
    )
    if any(row.rule.soft and row.rule.reported_in == "gwh" for row in rule_rows):
        # the shortfall of energy is a number of GWh
        m.gwh_of_shortfall = pyo.Param(initialize=1.0, units=unit("GWh/hm3"), **DATA)
    for row in rule_rows:
        if row.rule.soft:
            shortfall = m.shortfall[row.rule.name, row.label]
            if row.rule.reported_in == "gwh":
                shortfall = m.gwh_of_shortfall * shortfall
            relaxed = row.achieved + (shortfall if row.sense == ">=" else -shortfall)
            limits = (row.required, None) if row.sense == ">=" else (None, row.required)
            row.constraint.set_value((limits[0], relaxed, limits[1]))
            # where windows overlap, each misses a volume of its own
            m.repeats.count_once(m.shortfall[row.rule.name, row.label])
    return tuple(rule_rows)


def _check_integers(m: pyo.ConcreteModel, case: Case, rule: Rule, at: tuple[Position, ...]) -> None:
    """Refuse decisions of yes or no where the case does not allow them."""
    may_follow = case.integers or case.foresight.mode == "simulate"
    if not may_follow and any(v.is_binary() for v in m.component_data_objects(pyo.Var)):
        text = (
            f"rule '{rule.name}' makes decisions of yes or no, with the whole horizon in sight; "
            "write `integers: true` and `linearisation: fixed` in the case, or state the rule "
            "by what is known beforehand"
        )
        raise CaseError([Fault(at[0] if at else Position(case.name), "E332", text)])


def _rule_row(rule: Rule, row: Any) -> RuleRow:
    own = row.name.removesuffix("[]")  # of a user's function, on the model itself
    name = own.removeprefix("rules.") if own.startswith("rules.") else f"{rule.name}.{own}"
    lower, upper = row.lower, row.upper
    if (lower is None) == (upper is None):
        raise ModelError(
            f"rule '{rule.name}': row {row.name} is an equality or a range; write it as two rows, "
            "achieved >= required and achieved <= required"
        )
    if lower is not None:
        return RuleRow(rule, name, row, row.body, lower, ">=")
    return RuleRow(rule, name, row, row.body, upper, "<=")


def _add_goals(
    m: pyo.ConcreteModel, case: Case, rule_rows: tuple[RuleRow, ...]
) -> tuple[tuple[int, Goal], ...]:
    ordered: list[Goal] = []
    keep_full = _keep_full(case)
    for place in range(len(case.goals) + 1):
        ordered += [
            Keep(rule=rule.name)
            for rule in case.rules
            if rule.soft and rule.soft.penalty is None and rule.soft.goal == place + 1
        ]
        if place == keep_full:
            ordered.append(EndStorage(target="full"))
        ordered += case.goals[place : place + 1]
    numbered = tuple(enumerate(ordered, 1))
    has_yes_or_no = any(v.is_binary() for v in m.component_data_objects(pyo.Var))
    for number, goal in numbered:
        goal.declare(m, case, number)
    m.penalties = _count_penalties(m, case, rule_rows, numbered)
    for number, goal in numbered:
        if isinstance(goal, LinearGoal) and (goal.tolerance or has_yes_or_no):
            goal.declare_cap(m, case, number)
    return numbered


def _keep_full(case: Case) -> int | None:
    """Place of the goal before which reservoirs are kept as full as can be; None: nowhere.

    A program that does not see the end of the horizon would else empty them at its own.  So where
    no goal says what is to be left, they give water to users and rules, and to nothing else.
    """
    if case.sees_end or case.basin.tables["reservoirs"].empty:
        return None
    if any(isinstance(goal, EndStorage) for goal in case.goals):
        return None
    served = [isinstance(goal, Meet | Share | NetBenefit) for goal in case.goals]
    place = served.index(False) if False in served else len(served)
    first = case.goals[place : place + 1]
    return None if first and first[0].keeps_water else place


def _count_penalties(
    m: pyo.ConcreteModel,
    case: Case,
    rule_rows: tuple[RuleRow, ...],
    goals: tuple[tuple[int, Goal], ...],
) -> dict[int, tuple[tuple[RuleRow, float], ...]]:
    """Make goals worse by the penalties that they count; return rows and prices by their places.

    Raises
    ------
    CaseError
        No goal counts a penalty.
    """
    faults: list[Fault] = []
    own = [number for number, goal in goals if not isinstance(goal, Keep)]
    counted: dict[int, list[tuple[RuleRow, float]]] = {}
    for place, rule in enumerate(case.rules):
        if rule.soft is None or rule.soft.penalty is None:
            continue
        of_case = rule.soft.counted_in(case.goals)
        if of_case is None:
            at = next(iter(case.rule_positions[place : place + 1]), Position(case.name))
            found = rule.soft.check(rule.name, case.goals)
            faults += [Fault(at, code, text) for _, code, text in found]
            continue
        rows = [(row, rule.soft.penalty) for row in rule_rows if row.rule is rule]
        counted.setdefault(own[of_case - 1], []).extend(rows)
    if faults:
        raise CaseError(faults)
    by_number = dict(goals)
    for number, rows in counted.items():
        expression, sense = by_number[number].objective(m, number)
        prices = pyo.Param(
            [row.label for row, _ in rows],
            initialize={row.label: price for row, price in rows},
            units=pyo.units.get_units(expression.expr) / unit("hm3"),
            **DATA,
        )
        m.goals.add_component(f"penalty_{number}", prices)
        lost = sum(prices[row.label] * m.shortfall[row.rule.name, row.label] for row, _ in rows)
        expression.set_value(expression.expr + (lost if sense == "minimise" else -lost))
        _add_missed(m, case, number, [row for row, _ in rows])
    return {number: tuple(rows) for number, rows in counted.items()}


def _add_missed(m: pyo.ConcreteModel, case: Case, number: int, rows: list[RuleRow]) -> None:
    """Add what each rule misses over the horizon, and a row that can limit it: the price of it."""
    of_rule: dict[str, Any] = {}
    for row in rows:
        name = row.rule.name
        of_rule[name] = of_rule.get(name, 0.0) + m.shortfall[name, row.label]
    missed = pyo.Expression(list(of_rule), initialize=of_rule)
    m.goals.add_component(f"missed_{number}", missed)
    most = pyo.Param(list(of_rule), initialize=np.inf, units=unit("hm3"), **DATA)
    m.goals.add_component(f"missed_at_most_{number}", most)
    cap = pyo.Constraint(list(of_rule), rule=lambda _, name: missed[name] <= most[name])
    m.goals.add_component(f"most_{number}", cap)
    m.repeats.total(cap, np.zeros(case.n_periods, int))


def required_values(row: RuleRow, n_members: int, n_periods: int) -> np.ndarray:
    """Required amount of each period (member, time)."""
    value = row.required if isinstance(row.required, (int, float)) else pyo.value(row.required)
    return np.broadcast_to(np.asarray(value, float), (n_members, n_periods))
