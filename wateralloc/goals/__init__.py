"""What is optimised, in which order: one goal per file.

A goal is a pydantic model of its entry in the case file.  It is optimised over what the goals
before it left free, and then held; a goal may take several linear programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from wateralloc.basin import Basin
    from wateralloc.case import Case


class Stage(Protocol):
    """What a goal may do with the program of one member; `foresight` implements it."""

    member: int

    def optimise(
        self,
        name: str,
        expression: Any,
        sense: str,
        unit: str = "hm3",
        scale: float = 1.0,
        cost_scale: float | None = None,
    ) -> float:
        """Optimise a linear expression of the period, summed over the horizon.

        Parameters
        ----------
        sense : ``minimise`` or ``maximise``
        unit : unit of the expression
        scale : reported optimum = optimum of the expression times `scale`
        cost_scale : size of the expression's coefficients on volumes, for the solver's tolerances;
            default: its largest coefficient

        Returns
        -------
        float
            The optimum, in the expression's own unit.
        """

    def hold(self) -> None:
        """Keep the optimum just found, for all that follows."""

    def values(self, variable: Any) -> np.ndarray:
        """Values of a variable in the last optimum (time)."""

    def duals(self, constraint: Any) -> np.ndarray:
        """Duals of a constraint's rows in the last optimum (row)."""

    def bound(self, variable: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set the bounds of a variable's columns (column), in the order of its windows."""

    def limit(self, constraint: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set the limits of a constraint's rows (row)."""


class Goal(BaseModel):
    """An entry of ``goals:`` in a case.

    Attributes
    ----------
    kind : its key in the case file
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: ClassVar[str | None] = None

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults that only the basin shows: (key, error code, text) each."""
        return []

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        """Add the goal's expressions, variables and rows to the period; `number` is its place."""
        raise NotImplementedError

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        """Expression of the period and sense of the goal's first program."""
        raise NotImplementedError

    def truth(
        self, m: pyo.ConcreteModel, number: int, value: Callable[[Any], np.ndarray]
    ) -> np.ndarray | None:
        """Value of the goal computed without lines, larger is better (member).

        None where its expression tells it: it has no lines in it, or nothing else has.

        Parameters
        ----------
        value : gives the value of an expression of the period (member, time)
        """
        return None

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        """Optimise the goal for one member and hold it."""
        raise NotImplementedError


class LinearGoal(Goal):
    """A goal that is one linear expression of the period, summed over the horizon.

    Attributes
    ----------
    sense : ``minimise`` or ``maximise``
    """

    sense: ClassVar[str] = "minimise"

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        """Linear expression of the period."""
        raise NotImplementedError

    def title(self) -> str:
        """Name the goal, for tables of goals."""
        return str(self.kind)

    def measure(self, m: pyo.ConcreteModel, case: Case, member: int) -> tuple[str, float]:
        """Unit of the reported optimum, and the factor from the expression's own unit to it."""
        return "hm3", 1.0

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        m.goals.add_component(f"goal_{number}", pyo.Expression(expr=self.expression(m, case)))

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"goal_{number}"), self.sense

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        unit, scale = self.measure(m, case, stage.member)
        expression, sense = self.objective(m, number)
        stage.optimise(f"{number} {self.title()}", expression, sense, unit, scale)
        stage.hold()
