"""The program that ``to_pyomo`` writes, as arrays by Pyomo's own compiler, with every label.

Nothing here knows how the horizon is stacked, and scipy's own copy of the solver solves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.optimize import linprog

from wateralloc import to_pyomo
from wateralloc.case import Case
from wateralloc.horizon import Horizon
from wateralloc.period import build_period

KEEP = 1e-11
"""A former optimum is kept by a row to this share of its size."""
TIGHT = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}

Label = tuple[str, str, int]
"""Name in the period model, name of the member, number of the period."""


@dataclass
class Written:
    """A linear program: row_lower <= matrix x <= row_upper, lower <= x <= upper.

    Attributes
    ----------
    columns, rows : label -> number
    costs, constants : of each objective, in their order (goal, column), (goal)
    senses : 1 to minimise, -1 to maximise (goal)
    """

    columns: dict[Label, int]
    rows: dict[Label, int]
    matrix: sp.csr_matrix
    lower: np.ndarray
    upper: np.ndarray
    row_lower: np.ndarray
    row_upper: np.ndarray
    costs: np.ndarray
    constants: np.ndarray
    senses: np.ndarray

    def least(self, cost: np.ndarray, algorithm: str = "highs-ds") -> tuple[float, np.ndarray]:
        """Minimise a cost."""
        equal = self.row_lower == self.row_upper
        above, below = ~equal & np.isfinite(self.row_lower), ~equal & np.isfinite(self.row_upper)
        found = linprog(
            cost,
            A_ub=sp.vstack([self.matrix[below], -self.matrix[above]]).tocsr(),
            b_ub=np.concatenate([self.row_upper[below], -self.row_lower[above]]),
            A_eq=self.matrix[equal],
            b_eq=self.row_lower[equal],
            bounds=np.column_stack([self.lower, self.upper]),
            method=algorithm,
            options=TIGHT,
        )
        assert found.status == 0, found.message
        return float(found.fun), found.x

    def keep(self, cost: np.ndarray, most: float) -> None:
        """Add a row: cost x is at most so much."""
        self.matrix = sp.vstack([self.matrix, sp.csr_matrix(cost)]).tocsr()
        self.row_lower = np.append(self.row_lower, -np.inf)
        self.row_upper = np.append(self.row_upper, most + KEEP * (1 + abs(most)))

    def optimum(self, goal: int) -> float:
        """Optimum of a goal, as it is stated."""
        sign = self.senses[goal]
        return sign * self.least(sign * self.costs[goal])[0] + self.constants[goal]

    def optima(self) -> list[float]:
        """Optima of all goals in order, each kept by a row that caps its objective."""
        found = []
        for goal, sign in enumerate(self.senses):
            cost = sign * self.costs[goal]
            size = np.abs(cost).max(initial=0.0) or 1.0
            least, _ = self.least(cost / size)
            self.keep(cost / size, least)
            found.append(float(sign * size * least + self.constants[goal]))
        return found


def write(case: Case) -> Written:
    """Write a case by Pyomo alone."""
    full = to_pyomo(case)
    objectives = list(full.component_objects(pyo.Objective))
    for objective in objectives:
        objective.activate()
    form = LinearStandardFormCompiler().write(full, mixed_form=True, set_sense=None)
    assert [o.name for o in form.objectives] == [o.name for o in objectives]
    variables = list(full.component_data_objects(pyo.Var))
    number = {id(v): j for j, v in enumerate(variables)}
    place = [number[id(v)] for v in form.columns]
    spread = sp.csr_matrix(
        (np.ones(len(place)), (np.arange(len(place)), place)), shape=(len(place), len(variables))
    )
    kinds = np.array([row.bound_type for row in form.rows])
    limits = np.asarray(form.rhs, float)
    return Written(
        columns={label_of(v.name): j for j, v in enumerate(variables)},
        rows={label_of(row.constraint.name): i for i, row in enumerate(form.rows)},
        matrix=sp.csr_matrix(form.A) @ spread,
        lower=np.array([-np.inf if v.lb is None else v.lb for v in variables]),
        upper=np.array([np.inf if v.ub is None else v.ub for v in variables]),
        row_lower=np.where(kinds <= 0, limits, -np.inf),
        row_upper=np.where(kinds >= 0, limits, np.inf),
        costs=(sp.csr_matrix(form.c) @ spread).toarray(),
        constants=np.asarray(form.c_offset, float),
        senses=np.array([1.0 if o.sense == pyo.minimize else -1.0 for o in objectives]),
    )


def label_of(name: str) -> Label:
    """Take a name of the full model apart: ``flow[a,2001-01,3]`` is ``flow[a]`` of period 3."""
    base, _, index = name.partition("[")
    *item, member, period = index.removesuffix("]").rsplit(",", 2)
    return (f"{base}[{item[0]}]" if item else base), member, int(period)


def plain_label(label: str, member: str) -> Label:
    """Turn a label of the stacked program into one of the full model."""
    name, _, period = label.rpartition("@")
    base, bracket, index = name.partition("[")
    for room in ("rule", "goal"):
        base = base.replace(f"{room}s.", f"{room}_")
    return base.replace(".", "_") + bracket + index, member, int(period)


def stacked(horizon: Horizon, case: Case, costs: list[Any]) -> Written:
    """Write the stacked program of all members in the same form, initial values put in.

    Parameters
    ----------
    costs : (expression, ``minimise`` or ``maximise``) of each goal
    """
    joint, is_common = horizon.stack().joint(), horizon.stack().common
    numbers = [str(t) for t in range(case.n_periods)]
    columns: dict[Label, int] = {}
    is_initial = np.zeros(joint.col_lower.size, bool)
    for k, member in enumerate(case.members):
        labels = zip(horizon.column_labels(numbers), joint.place[k], is_common, strict=True)
        for label, j, shared in labels:
            if label.endswith("|initial"):
                is_initial[j] = True
            elif k == 0 or not shared:
                columns[plain_label(label, member.name)] = int(j)
    rows = [
        plain_label(label, member.name)
        for member in case.members
        for label in horizon.row_labels(numbers)
    ]
    initial = np.where(is_initial, joint.col_lower, 0.0)
    known = joint.matrix @ initial
    both = [(horizon.cost(expression), sense) for expression, sense in costs]
    joined = [joint.join_cost(cost) for (cost, _), _ in both]
    keep = list(columns.values())
    return Written(
        columns={label: i for i, label in enumerate(columns)},
        rows={label: i for i, label in enumerate(rows)},
        matrix=joint.matrix.tocsr()[:, keep],
        lower=joint.col_lower[keep],
        upper=joint.col_upper[keep],
        row_lower=joint.row_lower - known,
        row_upper=joint.row_upper - known,
        costs=np.array([cost[keep] for cost in joined]),
        constants=np.array(
            [
                constant.sum() + cost @ initial
                for ((_, constant), _), cost in zip(both, joined, strict=True)
            ]
        ),
        senses=np.array([1.0 if sense == "minimise" else -1.0 for _, sense in costs]),
    )


def both_programs(case: Case) -> tuple[Written, Written]:
    """The program as it is stacked, and as Pyomo writes it, with the objective of every goal."""
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    goals = [goal.objective(period.model, number) for number, goal in period.goals]
    return stacked(horizon, case, goals), write(case)


def differences(one: Written, other: Written) -> list[str]:
    """Say what differs between two programs, label by label.

    A row without a limit says nothing, nor does one without a term whose limits hold: it may be
    absent from either.
    """
    told = []
    if set(one.columns) != set(other.columns):
        return [f"columns: {set(one.columns) ^ set(other.columns)}"]
    for these, those in ((one, other), (other, one)):
        for label in these.rows.keys() - those.rows.keys():
            i = these.rows[label]
            low, high = these.row_lower[i], these.row_upper[i]
            is_empty = not these.matrix[i].count_nonzero() and low <= 1e-9 and high >= -1e-9
            if np.isfinite([low, high]).any() and not is_empty:
                told.append(f"row {label} stands in one only")
    rows = [label for label in one.rows if label in other.rows]
    mine, theirs = ([p.rows[label] for label in rows] for p in (one, other))
    ours, yours = ([p.columns[label] for label in one.columns] for p in (one, other))
    apart = abs(one.matrix[mine][:, ours] - other.matrix[theirs][:, yours])
    if apart.nnz and apart.max() > 1e-12:
        i, j = np.unravel_index(apart.argmax(), apart.shape)
        told.append(f"coefficient of {list(one.columns)[j]} in {rows[i]}")
    for name, a, b in (
        ("lower bound", one.lower[ours], other.lower[yours]),
        ("upper bound", one.upper[ours], other.upper[yours]),
        ("lower limit", one.row_lower[mine], other.row_lower[theirs]),
        ("upper limit", one.row_upper[mine], other.row_upper[theirs]),
        ("cost", one.costs[:, ours], other.costs[:, yours]),
        ("constant", one.constants, other.constants),
        ("sense", one.senses, other.senses),
    ):
        if not np.allclose(a, b, rtol=1e-12, atol=1e-9):
            told.append(f"{name} is not the same")
    return told
