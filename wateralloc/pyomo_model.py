"""The full-horizon Pyomo model of a case, written out period by period.

It is made from the same period model as the stacked program, but by Pyomo's own means: every row of
the period is copied with the variables and data of each member and period put in.  So it checks the
stacking, and other solvers and formats can use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.core.expr.numvalue import is_potentially_variable
from pyomo.core.expr.visitor import ExpressionReplacementVisitor
from pyomo.repn import generate_standard_repn

from wateralloc.case import Case
from wateralloc.goals import Goal
from wateralloc.period import Period, build_period
from wateralloc.repeats import Carried
from wateralloc.tangents import Tangent


def to_pyomo(case: Case, *, lines: bool = True) -> pyo.ConcreteModel:
    """Write a case as one Pyomo model over all members and periods.

    Parameters
    ----------
    lines : what is not linear (energy by head, lake area, splits) stands as the straight line of
        the first pass; else as it is, for a solver of nonlinear programs

    Variables and rows keep the names of the period model, indexed by (item, member, period number);
    a row that holds for a window stands at the window's first period, or at its last where windows
    overlap.  Each linear goal is an
    ``Objective`` named ``goal_1``, ``goal_2``, ... in order, all deactivated but the first; members
    add up.  A ``share`` goal, which takes several programs, gives the objective of its first round.

    Returns
    -------
    ConcreteModel
        With ``model.member`` and ``model.period`` as sets.
    """
    period = build_period(case)
    return _Writer(period, lines).write()


class _Writer:
    def __init__(self, period: Period, lines: bool) -> None:
        tangents = () if lines else period.model.tangents.all
        self.tangents = {id(tangent.line): tangent for tangent in tangents}
        self.period, self.case, self.m = period, period.case, period.model
        self.shape = (self.case.n_members, self.case.n_periods)
        self.columns: dict[tuple[int, int, int], Any] = {}
        self.carried = {id(c.now): c for c in self.m.repeats.carried}
        self.params: list[Any] = []

    def write(self) -> pyo.ConcreteModel:
        full = pyo.ConcreteModel(self.case.name)
        full.member = pyo.Set(initialize=[member.name for member in self.case.members])
        full.period = pyo.RangeSet(0, self.shape[1] - 1)
        for variable in self.m.component_objects(pyo.Var, descend_into=True):
            self._write_variable(full, variable)
        for note in self.carried.values():
            self._bound(note.now, range(note.lag, self.shape[1]))
        for constraint in self.m.component_objects(pyo.Constraint, active=True, descend_into=True):
            self._write_constraint(full, constraint)
        for number, goal in self.period.goals:
            self._write_goal(full, number, goal)
        return full

    def _write_variable(self, full: pyo.ConcreteModel, variable: Any) -> None:
        repeats = self.m.repeats
        homes = {}  # a column stands at the first period of its window and its first member
        for index, item in variable.items():
            if id(item) in self.carried:
                continue
            window = repeats.shared.get(id(item), np.arange(self.shape[1]))
            first = [int(np.argmax(window == number)) for number in window]
            for k, t in np.ndindex(self.shape):
                home = 0 if id(item) in repeats.common else k
                homes[id(item), k, t] = self._key(index, home, first[t])
        is_yes_or_no = any(item.is_binary() for item in variable.values())
        domain = pyo.Binary if is_yes_or_no else pyo.Reals
        written = pyo.Var(list(dict.fromkeys(homes.values())), domain=domain)
        full.add_component(_plain(variable.name), written)
        self.columns |= {place: written[key] for place, key in homes.items()}
        for item in variable.values():
            if id(item) not in self.carried:
                self._bound(item, range(self.shape[1]))

    def _bound(self, item: Any, periods: Iterable[int]) -> None:
        """Tighten the columns a variable stands for to its bounds in some periods."""
        if item.lower is None and item.upper is None:
            return
        for k in range(self.shape[0]):
            for t in periods:
                column = self._column(item, k, t)
                low, high = (self._number(b, k, t) for b in (item.lower, item.upper))
                if low is not None:
                    column.setlb(low if column.lb is None else max(low, column.lb))
                if high is not None:
                    column.setub(high if column.ub is None else min(high, column.ub))

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
            return self._initial(carried, k, t)
        return self._column(carried.before, k, t - carried.lag)

    @staticmethod
    def _initial(carried: Carried, k: int, t: int) -> float:
        initial = carried.initial
        is_data = isinstance(initial, (int, float, np.ndarray))
        value = np.atleast_1d(np.asarray(initial if is_data else pyo.value(initial), float))
        value = np.atleast_1d(value[..., t if value.shape[-1] > 1 else 0])
        return float(value[k if value.size > 1 else 0])

    def _at(self, expression: Any, k: int, t: int, is_elsewhere: bool = False) -> Any:
        """An expression of the period with the variables and data of one member and period.

        In a period `is_elsewhere` its row does not stand: what counts once in a row is left out.
        """
        if not is_potentially_variable(expression):
            return self._number(expression, k, t)
        return _At(self, k, t, is_elsewhere).walk_expression(expression)

    def _truth(self, tangent: Tangent, k: int, t: int) -> Any:
        """What a line stands for, in one member and period."""
        arguments = (self._at(argument, k, t) for argument in tangent.arguments)
        return tangent.function(*arguments, *(self._number(data, k, t) for data in tangent.data))

    def _write_constraint(self, full: pyo.ConcreteModel, constraint: Any) -> None:
        rows = {}
        for index, item in constraint.items():
            if not item.active:
                continue
            windows = self._windows(item)
            is_overlapping = isinstance(self.m.repeats.totals.get(id(item)), tuple)
            for k in range(self.shape[0]):
                for stands_at, inside in windows:
                    body = sum(
                        self._at(item.body, k, int(t), is_overlapping and t != stands_at)
                        for t in inside
                    )
                    limits = (
                        None
                        if limit is None
                        else sum(self._limit(limit, k, int(t)) for t in inside)
                        for limit in (item.lower, item.upper)
                    )
                    row = _row(body, *limits)
                    if row is not None:
                        rows[self._key(index, k, stands_at)] = row
        written = pyo.Constraint(list(rows))
        full.add_component(_plain(constraint.name), written)
        for key, row in rows.items():
            written[key] = row

    def _windows(self, item: Any) -> list[tuple[int, np.ndarray]]:
        """Period at which each row of a constraint stands, and the periods it adds up."""
        window = self.m.repeats.totals.get(id(item), np.arange(self.shape[1]))
        if isinstance(window, tuple):
            return [(int(periods[-1]), periods) for periods in window]
        all_inside = [np.flatnonzero(window == number) for number in range(int(window.max()) + 1)]
        return [(int(inside[0]), inside) for inside in all_inside if inside.size]

    def _limit(self, limit: Any, k: int, t: int) -> float:
        """One period's part of a row's limit; infinite where the row has none."""
        return float(np.broadcast_to(np.asarray(pyo.value(limit), float), self.shape)[k, t])

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

    def __init__(self, writer: _Writer, k: int, t: int, is_elsewhere: bool) -> None:
        super().__init__(descend_into_named_expressions=True, remove_named_expressions=True)
        self.writer, self.k, self.t = writer, k, t
        self.left_out = writer.m.repeats.once if is_elsewhere else ()

    def beforeChild(self, node: Any, child: Any, child_idx: int) -> tuple[bool, Any]:  # noqa: N802
        if child.__class__ in (int, float):
            return False, child
        if isinstance(child, np.ndarray):
            return False, float(np.broadcast_to(child, self.writer.shape)[self.k, self.t])
        if id(child) in self.writer.tangents:
            return False, self.writer._truth(self.writer.tangents[id(child)], self.k, self.t)
        if id(child) in self.left_out:
            return False, 0.0
        if child.is_variable_type():
            return False, self.writer._column(child, self.k, self.t)
        if child.is_parameter_type():
            return False, float(
                np.broadcast_to(np.asarray(child.value, float), self.writer.shape)[self.k, self.t]
            )
        return True, None


def _row(body: Any, lower: float | None, upper: float | None) -> tuple[Any, ...] | None:
    """A row with its constant on the side of the limits, where solvers expect it.

    None where it has no limit.
    """
    repn = generate_standard_repn(body)
    if not repn.is_linear():
        return None if lower is None and upper is None else (lower, body, upper)
    terms = LinearExpression(linear_coefs=repn.linear_coefs, linear_vars=repn.linear_vars)
    low, high = (
        None if limit is None or not np.isfinite(limit) else limit - repn.constant
        for limit in (lower, upper)
    )
    if low is None and high is None:
        return None
    return (terms, low) if low == high else (low, terms, high)


def _plain(name: str) -> str:
    return name.replace("rules.", "rule_").replace("goals.", "goal_").replace(".", "_")
