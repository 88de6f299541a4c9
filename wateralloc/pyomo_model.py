"""The full-horizon Pyomo model of a case, written out period by period.

It is made from the same period model as the stacked program, but by Pyomo's own means: every row of
the period is copied with the variables and data of each member and period put in.  So it checks the
stacking, and other solvers and formats can use it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.core.expr.visitor import ExpressionReplacementVisitor
from pyomo.repn import generate_standard_repn

from wateralloc.case import Case
from wateralloc.goals import Goal
from wateralloc.period import Period, build_period


def to_pyomo(case: Case) -> pyo.ConcreteModel:
    """Write a case as one Pyomo model over all members and periods.

    Variables and rows keep the names of the period model, indexed by (item, member, period number);
    a row that holds for a window stands at the window's first period.  Each linear goal is an
    ``Objective`` named ``goal_1``, ``goal_2``, ... in order, all deactivated but the first; members
    add up.  A ``share`` goal, which takes several programs, gives the objective of its first round.

    Returns
    -------
    ConcreteModel
        With ``model.member`` and ``model.period`` as sets.
    """
    period = build_period(case)
    return _Writer(period).write()


class _Writer:
    def __init__(self, period: Period) -> None:
        self.period, self.case, self.m = period, period.case, period.model
        self.shape = (self.case.n_members, self.case.n_periods)
        self.columns: dict[int, Any] = {}
        self.carried = {id(c.now): c for c in self.m.repeats.carried}
        self.params: list[Any] = []

    def write(self) -> pyo.ConcreteModel:
        full = pyo.ConcreteModel(self.case.name)
        full.member = pyo.Set(initialize=[member.name for member in self.case.members])
        full.period = pyo.RangeSet(0, self.shape[1] - 1)
        for variable in self.m.component_objects(pyo.Var, descend_into=True):
            self._write_variable(full, variable)
        for constraint in self.m.component_objects(pyo.Constraint, descend_into=True):
            self._write_constraint(full, constraint)
        for number, goal in self.period.goals:
            self._write_goal(full, number, goal)
        return full

    def _write_variable(self, full: pyo.ConcreteModel, variable: Any) -> None:
        cells = {}
        for index, item in variable.items():
            if id(item) in self.carried:
                continue
            window = self.m.repeats.shared.get(id(item))
            for k in range(self.shape[0]):
                for t in range(self.shape[1]):
                    first = t if window is None else int(np.argmax(window == window[t]))
                    cells[index, k, t] = (item, first)
        own = {key for key, (_, first) in cells.items() if key[2] == first}
        written = pyo.Var([self._key(*key) for key in cells if key in own], dense=False)
        full.add_component(_plain(variable.name), written)
        for key, (item, first) in cells.items():
            index, k, t = key
            column = written[self._key(index, k, first)]
            if key in own:
                low, high = (self._number(b, k, t) for b in (item.lower, item.upper))
                column.setlb(low)
                column.setub(high)
            self.columns[id(item), k, t] = column

    def _key(self, index: Any, k: int, t: int) -> tuple[Any, ...]:
        parts_ = index if isinstance(index, tuple) else () if index is None else (index,)
        return (*parts_, self.case.members[k].name, t)

    def _number(self, expression: Any, k: int, t: int) -> float | None:
        if expression is None:
            return None
        value = np.broadcast_to(np.asarray(pyo.value(expression), float), self.shape)[k, t]
        return float(value) if np.isfinite(value) else None

    def _column(self, item: Any, k: int, t: int) -> Any:
        carried = self.carried.get(id(item))
        if carried is None:
            return self.columns[id(item), k, t]
        if t < carried.lag:
            initial = carried.initial
            value = initial if isinstance(initial, (int, float, np.ndarray)) else pyo.value(initial)
            return float(np.broadcast_to(np.asarray(value, float), self.shape)[k, t])
        return self._column(carried.before, k, t - carried.lag)

    def _at(self, expression: Any, k: int, t: int) -> Any:
        """An expression of the period with the variables and data of one member and period."""
        return _At(self, k, t).walk_expression(expression)

    def _write_constraint(self, full: pyo.ConcreteModel, constraint: Any) -> None:
        rows = {}
        for index, item in constraint.items():
            window = self.m.repeats.totals.get(id(item), np.arange(self.shape[1]))
            for k in range(self.shape[0]):
                for number in range(int(window.max()) + 1):
                    inside = np.flatnonzero(window == number)
                    if not inside.size:
                        continue
                    body = sum(self._at(item.body, k, int(t)) for t in inside)
                    limits = (
                        None if limit is None
                        else sum(self._limit(limit, k, int(t)) for t in inside)
                        for limit in (item.lower, item.upper)
                    )
                    rows[self._key(index, k, int(inside[0]))] = _row(body, *limits)
        written = pyo.Constraint(list(rows), rule=lambda _, *key: rows[key])
        full.add_component(_plain(constraint.name), written)

    def _limit(self, limit: Any, k: int, t: int) -> float:
        return self._number(limit, k, t) or 0.0

    def _write_goal(self, full: pyo.ConcreteModel, number: int, goal: Goal) -> None:
        expression, sense = goal.objective(self.m, number)
        total = sum(
            self._at(expression.expr, k, t)
            for k in range(self.shape[0])
            for t in range(self.shape[1])
        )
        objective = pyo.Objective(
            expr=total, sense=pyo.minimize if sense == "minimise" else pyo.maximize
        )
        full.add_component(f"goal_{number}", objective)
        if number > 1:
            objective.deactivate()


class _At(ExpressionReplacementVisitor):
    """Put the variables and data of one member and period into an expression."""

    def __init__(self, writer: _Writer, k: int, t: int) -> None:
        super().__init__(descend_into_named_expressions=True, remove_named_expressions=True)
        self.writer, self.k, self.t = writer, k, t

    def beforeChild(self, node: Any, child: Any, child_idx: int) -> tuple[bool, Any]:  # noqa: N802
        if child.__class__ in (int, float):
            return False, child
        if isinstance(child, np.ndarray):
            return False, float(np.broadcast_to(child, self.writer.shape)[self.k, self.t])
        if child.is_variable_type():
            return False, self.writer._column(child, self.k, self.t)
        if child.is_parameter_type():
            return False, float(
                np.broadcast_to(np.asarray(child.value, float), self.writer.shape)[self.k, self.t]
            )
        return True, None


def _row(body: Any, lower: float | None, upper: float | None) -> tuple[Any, Any, Any]:
    """A row with its constant on the side of the limits, where every solver's interface expects it."""
    repn = generate_standard_repn(body)
    terms = LinearExpression(linear_coefs=repn.linear_coefs, linear_vars=repn.linear_vars)
    low, high = (None if limit is None else limit - repn.constant for limit in (lower, upper))
    return low, terms, high


def _plain(name: str) -> str:
    return name.replace("rules.", "rule_").replace("goals.", "goal_").replace(".", "_")
