"""What is optimised, in which order: one goal per file.

A goal is a pydantic model of its entry in the case file.  It is optimised over what the goals
before it left free, and then held; a goal may take several linear programs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field

from wateralloc.errors import listed
from wateralloc.parts import DATA
from wateralloc.rules import KEPT

if TYPE_CHECKING:
    from wateralloc.basin import Basin
    from wateralloc.case import Case


class Stage(Protocol):
    """What a goal may do with the program of one member; `foresight` implements it."""

    @property
    def sight(self) -> tuple[int, int]:
        """First period of the program, and the one after its last."""

    def data(self, data: Any) -> np.ndarray:
        """Values of data for the member in the periods of the program (time)."""

    def known(self, data: Any) -> np.ndarray:
        """Values of data for the member over the horizon, 0 after what is in sight (time)."""

    @property
    def is_deciding(self) -> bool:
        """Whether decisions of yes or no are looked for, and nothing else."""

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
        """Optimise a linear expression of the period, summed over the horizon.

        Parameters
        ----------
        sense : ``minimise`` or ``maximise``
        unit : unit of the expression
        scale : reported optimum = optimum of the expression times `scale`
        cost_scale : size of the expression's coefficients on volumes, for the solver's tolerances;
            default: its largest coefficient
        aside : only to know it: it is not reported among the optima, and not to be held

        Returns
        -------
        float
            The optimum, in the expression's own unit.
        """

    def hold(self, is_final: bool = True) -> None:
        """Keep the optimum just found, for all that follows.

        Parameters
        ----------
        is_final : its expression means the same to the end; else it is not watched for drift
        """

    def hold_within(self, cap: Any, expression: Any, amount: float) -> None:
        """Keep the optimum just found but for an amount, by the limit of a row.

        Parameters
        ----------
        cap : row of one window whose body is `expression`
        amount : in the expression's own unit
        """

    def decide(self) -> None:
        """Leave yes-or-no decisions as the last optimum has them: what follows needs duals."""

    def values(self, variable: Any) -> np.ndarray:
        """Values of a variable in the last optimum (time)."""

    def duals(self, constraint: Any) -> np.ndarray:
        """Duals of a constraint's rows in the last optimum (row)."""

    def bound(self, variable: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set the bounds of a variable's columns (column), in the order of its windows."""

    def limit(self, constraint: Any, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set the limits of a constraint's rows (row)."""

    def rows(self, constraint: Any, periods: np.ndarray) -> np.ndarray:
        """Rows of a constraint whose windows start in some periods of the horizon (row)."""

    def all_rows(self, constraint: Any) -> np.ndarray:
        """All rows of a constraint (row)."""

    def columns(self, variable: Any, periods: np.ndarray) -> np.ndarray:
        """Columns of a variable in some periods in sight (column)."""

    def row_duals(self) -> np.ndarray:
        """Duals of all rows in the last optimum."""

    def reduced_costs(self) -> np.ndarray:
        """Change of the last optimum by a unit more of each column, were it free to move."""

    def bound_columns(self, columns: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set bounds of columns."""

    def limit_rows(self, rows: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
        """Set limits of rows."""

    def coefficients(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Set coefficients at rows and columns; one column stands for all rows."""

    def mark(self) -> Any:
        """Remember all bounds and limits."""

    def reset(self, mark: Any) -> None:
        """Put bounds and limits back as they were at a mark."""

    def maximise_columns(self, name: str, columns: np.ndarray, weights: np.ndarray) -> float:
        """Maximise a weighted sum of columns, aside."""

    def record(self, what: Any) -> None:
        """Keep what the goal has to tell of the member, for the results."""


class Goal(BaseModel):
    """An entry of ``goals:`` in a case.

    Attributes
    ----------
    kind : its key in the case file
    vi : what it does, in one line of Vietnamese
    counts_penalties : penalties of soft rules can be added to its objective
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: ClassVar[str | None] = None
    vi: ClassVar[str] = ""
    counts_penalties: ClassVar[bool] = False

    @property
    def counts_money(self) -> bool:
        """Whether its objective is money, so that penalties in money belong there."""
        return False

    @property
    def keeps_water(self) -> bool:
        """Whether it keeps water in reservoirs, so that nothing else has to."""
        return False

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults that only the basin shows: (key, error code, text) each."""
        return []

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        """Add the goal's expressions, variables and rows to the period; `number` is its place."""
        raise NotImplementedError

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        """Expression of the period and sense of the goal's first program."""
        raise NotImplementedError

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        """Unit of the reported optimum, and the factor from the expression's own unit to it."""
        return "hm3", 1.0

    def outcome(self, m: pyo.ConcreteModel, number: int) -> tuple[Any, str]:
        """Expression, and sense, whose sum over the horizon tells what the goal came to."""
        return self.objective(m, number)

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

    def wait(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        """Take rows of its own out of the program, until it is the goal's turn.

        A row that binds nothing yet may still bear a price, by which a goal before would be held:
        when this goal then moves the row, that goal would be held no longer.
        """

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        """Optimise the goal for one member and hold it."""
        raise NotImplementedError

    def is_plain(self, case: Case) -> bool:
        """Tell whether the goal is one linear program, whose optimum is held as it is."""
        return False


LAST = 1e-4
"""Share of what a rule misses at its penalty that is left when it counts as kept."""


@dataclass(frozen=True)
class PriceOfKeeping:
    """What the penalty of a rule that was broken would have to be for it to be kept.

    Attributes
    ----------
    least : what it would miss at any price [hm3, or GWh]
    price : penalty from which no more than that is missed; None where that is so already
    """

    rule: str
    least: float
    price: float | None


class LinearGoal(Goal):
    """A goal that is one linear expression of the period, summed over the horizon.

    Attributes
    ----------
    sense : ``minimise`` or ``maximise``
    """

    sense: ClassVar[str] = "minimise"
    counts_penalties = True

    tolerance: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="what later goals may take from it: a share of its optimum, for meet of "
            "the demand",
        ),
    ] = 0.0

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        """Linear expression of the period."""
        raise NotImplementedError

    def title(self) -> str:
        """Name the goal, for tables of goals."""
        return str(self.kind)

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        m.goals.add_component(f"goal_{number}", pyo.Expression(expr=self.expression(m, case)))

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"goal_{number}"), self.sense

    def declare_cap(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        """Add the row that holds the goal where its optimum is no face: it has no limit yet."""
        expression, sense = self.objective(m, number)
        none = np.inf if sense == "minimise" else -np.inf
        units = pyo.units.get_units(expression.expr)
        limit = pyo.Param(initialize=none, units=units, **DATA)
        m.goals.add_component(f"limit_{number}", limit)
        row = expression <= limit if sense == "minimise" else expression >= limit
        cap = pyo.Constraint(expr=row)
        m.goals.add_component(f"cap_{number}", cap)
        m.repeats.total(cap, np.zeros(case.n_periods, int))

    def allowance(self, m: pyo.ConcreteModel, case: Case, stage: Stage, optimum: float) -> float:
        """What later goals may take from the optimum, in the expression's own unit."""
        return self.tolerance * abs(optimum)

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        unit, scale = self.measure(m, case, stage)
        expression, sense = self.objective(m, number)
        name = f"{number} {self.title()}"
        counted = m.penalties.get(number, ())
        if counted and not stage.is_deciding:
            name += f", penalties of {listed(dict.fromkeys(row.rule.name for row, _ in counted))}"
            self._ask_prices(m, number, name, stage)
        optimum = stage.optimise(name, expression, sense, unit, scale)
        cap = m.goals.component(f"cap_{number}")
        if cap is None or not (self.tolerance or stage.is_deciding):
            stage.hold()
        else:
            stage.hold_within(cap, expression, self.allowance(m, case, stage, optimum))

    def is_plain(self, case: Case) -> bool:
        return not self.tolerance and type(self).optimise is LinearGoal.optimise

    def _ask_prices(self, m: pyo.ConcreteModel, number: int, name: str, stage: Stage) -> None:
        """Record of each rule that is broken at its penalty at which price it would be kept.

        With its volume missed held just above the least that it can be, the dual of that limit is
        what its last part is worth: it is the penalty less the goal's own gain by missing it.
        """
        expression, sense = self.objective(m, number)
        penalties = {row.rule.name: price for row, price in m.penalties[number]}
        stage.optimise(name, expression, sense, aside=True)
        missed = {
            rule: sum(
                float(stage.values(m.shortfall[rule, row.label]).sum())
                for row, _ in m.penalties[number]
                if row.rule.name == rule
            )
            for rule in penalties
        }
        for rule, volume in missed.items():
            if volume <= KEPT:
                continue
            sum_of, cap = m.goals.component(f"missed_{number}"), m.goals.component(f"most_{number}")
            least = stage.optimise(f"{name}, least of {rule}", sum_of[rule], "minimise", aside=True)
            price = None
            if volume - least > KEPT:
                limit = np.array([least + LAST * (volume - least)])
                stage.limit(cap[rule], np.array([-np.inf]), limit)
                stage.optimise(f"{name}, {rule} kept", expression, sense, aside=True)
                price = penalties[rule] + float(np.abs(stage.duals(cap[rule])).max())
                stage.limit(cap[rule], np.array([-np.inf]), np.array([np.inf]))
            stage.record(PriceOfKeeping(rule, max(least, 0.0), price))
