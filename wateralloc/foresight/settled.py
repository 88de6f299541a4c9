"""One member with its goals settled one after the other, to be asked what stands behind it.

After each goal stands the *face* that it left: the program with that goal, and all before it, held
at their optima.  What is most that a user could be given on a face is a linear program; its duals
say what holds it there.  Goals are held by the limits that their prices name and by nothing else
(:meth:`wateralloc.solve.Stages.hold`), so these duals are those of all goals in their order: a
limit that gives way moves the allocation as they say, as long as no other limit is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position
from wateralloc.foresight.perfect import MemberStage, Passes, StageOptimum
from wateralloc.goals import Goal
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period, build_period
from wateralloc.solve import Stages


@dataclass(frozen=True)
class Face:
    """What a goal left free.

    Attributes
    ----------
    number : place of the goal in the period
    program : with this goal, and all before it, held
    """

    number: int
    goal: Goal
    program: MemberProgram


@dataclass(frozen=True)
class Most:
    """The most that a weighed sum of columns can be.

    Attributes
    ----------
    x : (column)
    by_row, by_column : change of `value` by a unit more of the limit that a row or column is at
    """

    value: float
    x: np.ndarray
    by_row: np.ndarray
    by_column: np.ndarray
    basis: Any = field(repr=False)


@dataclass(frozen=True)
class Wanted:
    """A weighed sum of columns, and a constant.

    Attributes
    ----------
    columns, weights : one each a term
    """

    columns: np.ndarray
    weights: np.ndarray | float = 1.0
    constant: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether it is the sum of its columns."""
        return np.ndim(self.weights) == 0

    def cost(self, n_columns: int) -> np.ndarray:
        """Weight of every column (column)."""
        cost = np.zeros(n_columns)
        np.add.at(cost, self.columns, self.weights)
        return cost

    def value(self, x: np.ndarray) -> float:
        """Value at columns."""
        return float(np.sum(self.weights * x[self.columns]) + self.constant)

    def negative(self) -> Wanted:
        """The sum with the other sign."""
        return Wanted(self.columns, -np.asarray(self.weights), -self.constant)


@dataclass(frozen=True)
class Settled:
    """One member, solved with perfect foresight.

    Attributes
    ----------
    program : of the member, with lines as they are at the result and decisions of yes or no made
    faces : after each goal, in order
    x : columns of the last optimum
    records : what goals have to tell, each with the place of its goal
    bases : by the name of the optimum, to start from
    """

    period: Period
    horizon: Horizon
    program: MemberProgram
    faces: tuple[Face, ...]
    optima: tuple[StageOptimum, ...]
    x: np.ndarray
    records: tuple[tuple[int, Any], ...] = ()
    bases: dict[str, Any] = field(default_factory=dict, repr=False)
    costs: dict[int, Any] = field(default_factory=dict, repr=False)

    @property
    def case(self) -> Case:
        return self.period.case

    def again(self, program: MemberProgram, is_warm: bool = True) -> Settled:
        """Settle the goals on a program with other limits.

        Parameters
        ----------
        program : of the same columns and rows; further rows may follow
        is_warm : start from the bases of this one

        Raises
        ------
        Infeasible, Uncertified, SolveError
        """
        own_size = program.row_lower.size == self.program.row_lower.size
        bases = dict(self.bases) if is_warm and own_size else {}
        where = f"{self.case.name}, member {self.case.members[0].name}: "
        stages = Stages(program, where, bases=bases)
        stage = MemberStage(self.period, self.horizon, self.costs, 0, stages)
        faces = []
        for number, goal in self.period.goals:
            goal.wait(self.period.model, self.case, number, stage)
        for number, goal in self.period.goals:
            stage.goal = number
            goal.optimise(self.period.model, self.case, number, stage)
            faces.append(Face(number, goal, _copy(stages.lp)))
        return replace(
            self,
            program=program,
            faces=tuple(faces),
            optima=tuple(stage.optima),
            x=stages.optima[-1].x,
            records=tuple(stage.records),
            bases=bases,
        )

    def value(self, expression: Any) -> np.ndarray:
        """Value of a linear expression of the period (time)."""
        return self.horizon.value(expression, self.x[None])[0]


def settle(case: Case) -> Settled:
    """Solve a case of one member, and keep the face that each of its goals left.

    Raises
    ------
    CaseError
        The case does not see its whole horizon at once.
    Infeasible, Uncertified, SolveError
    """
    if case.foresight.mode != "perfect" and not (
        case.foresight.mode == "two_stage" and case.n_members == 1
    ):
        text = (
            f"foresight is {case.foresight.mode}, which decides without all of the horizon in one "
            "program; add --set foresight=perfect for what stands behind a shortage with the "
            "whole horizon in sight"
        )
        at = Position(str(case.files[0]) if case.files else case.name)
        raise CaseError([Fault(at, "E381", text)])
    if case.n_members != 1:
        raise ValueError("settle() takes one member; choose it by case.with_members([k])")
    period = build_period(case)
    horizon = Horizon(period.model, 1, case.n_periods)
    passes = Passes(period, horizon)
    found = passes.solve()
    program = horizon.stack().member(0)
    integers = horizon.integers
    if integers.size:
        lower, upper = program.col_lower.copy(), program.col_upper.copy()
        lower[integers] = upper[integers] = np.round(found.x[0, integers])
        program = replace(program, col_lower=lower, col_upper=upper)
    bases = {} if passes.case.linearisation.is_updated else passes.bases[0]
    start = Settled(period, horizon, program, (), (), found.x[0], bases=bases)
    return start.again(program)


def most(program: MemberProgram, wanted: Wanted, start: Any = None) -> Most:
    """Find the most that a sum of columns can be.

    Raises
    ------
    Infeasible, Uncertified, SolveError
    """
    cost = wanted.cost(program.col_lower.size)
    stages = Stages(program, "explain: ", start=start)
    scale = float(np.abs(cost).max()) or 1.0
    found = stages.optimise("most", cost, "maximise", wanted.constant, cost_scale=scale)
    by_column = cost - program.matrix.T @ found.y
    return Most(found.objective, found.x, found.y, by_column, stages.bases["most"])


def is_within(program: MemberProgram, x: np.ndarray, tolerance: float = 1e-7) -> bool:
    """Tell whether columns keep all limits of a program."""
    activity = program.matrix @ x
    for value, low, high in (
        (x, program.col_lower, program.col_upper),
        (activity, program.row_lower, program.row_upper),
    ):
        low, high = low - tolerance * (1 + np.abs(low)), high + tolerance * (1 + np.abs(high))
        if (value < low).any() or (value > high).any():
            return False
    return True


def with_row(program: MemberProgram, wanted: Wanted, lower: float) -> MemberProgram:
    """The program with one more row: a sum of columns is at least an amount."""
    row = sp.csr_matrix(wanted.cost(program.col_lower.size)[None])
    matrix = sp.vstack([program.matrix.tocsr(), row]).tocsc()
    matrix.sort_indices()
    return MemberProgram(
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data,
        program.col_lower,
        program.col_upper,
        np.append(program.row_lower, lower - wanted.constant),
        np.append(program.row_upper, np.inf),
    )


def _copy(lp: MemberProgram) -> MemberProgram:
    """The program with limits of its own."""
    return replace(
        lp,
        col_lower=lp.col_lower.copy(),
        col_upper=lp.col_upper.copy(),
        row_lower=lp.row_lower.copy(),
        row_upper=lp.row_upper.copy(),
    )
