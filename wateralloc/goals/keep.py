"""Keep soft rules: their shortfall is made least, at their place in the order of goals."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.goals import LinearGoal, Stage


class Keep(LinearGoal):
    """Break one soft rule as little as can be, in volume; made from ``soft:`` of the rule.

    Equation
    --------
    minimise the sum of shortfall over the rows of the rule.
    """

    rule: str

    def title(self) -> str:
        return f"keep {self.rule}"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        rule = next(rule for rule in case.rules if rule.name == self.rule)
        return ("GWh" if rule.reported_in == "gwh" else "hm3"), 1.0

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        return sum(m.shortfall[label] for label in m.shortfall if label[0] == self.rule)
