"""Gather parts, rules and goals into the Pyomo model of one period.

The period owns the only equation that joins the parts: at every node what they give and take is
zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.errors import ModelError
from wateralloc.goals import Goal
from wateralloc.goals.keep import Keep
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
    """

    case: Case
    model: pyo.ConcreteModel
    rule_rows: tuple[RuleRow, ...]
    goals: tuple[tuple[int, Goal], ...]
    balance: dict[str, dict[str, tuple[int, Any]]]

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
    m = pyo.ConcreteModel(case.name)
    m.repeats = Repeats()
    m.tangents = Tangents(m)
    m.node = pyo.Set(initialize=list(case.basin.tables["nodes"].index))
    m.rules = pyo.Block(concrete=True)
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
    goals = _add_goals(m, case)
    return Period(case, m, rule_rows, goals, balance)


def _add_rules(m: pyo.ConcreteModel, case: Case) -> tuple[RuleRow, ...]:
    rule_rows: list[RuleRow] = []
    soft = [rule.name for rule in case.rules if rule.soft]
    known = {id(row) for row in m.component_data_objects(pyo.Constraint)}
    labels = []
    for rule in case.rules:
        rule.constrain(m, case)
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
    return tuple(rule_rows)


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


def _add_goals(m: pyo.ConcreteModel, case: Case) -> tuple[tuple[int, Goal], ...]:
    ordered: list[Goal] = []
    for place in range(len(case.goals) + 1):
        ordered += [
            Keep(rule=rule.name) for rule in case.rules if rule.soft and rule.soft.goal == place + 1
        ]
        ordered += case.goals[place : place + 1]
    numbered = tuple(enumerate(ordered, 1))
    for number, goal in numbered:
        goal.declare(m, case, number)
    return numbered


def required_values(row: RuleRow, n_members: int, n_periods: int) -> np.ndarray:
    """Required amount of each period (member, time)."""
    value = row.required if isinstance(row.required, (int, float)) else pyo.value(row.required)
    return np.broadcast_to(np.asarray(value, float), (n_members, n_periods))
