"""What ``minimise`` and ``maximise`` share: a quantity, summed over items and periods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator
from pyomo.common.modeling import unique_component_name
from pyomo.core.expr.visitor import identify_variables

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, suggest
from wateralloc.goals import LinearGoal, Stage
from wateralloc.goals.net_benefit import COSTS, GAINS
from wateralloc.parts import DATA, Quantity, items_of, quantities, quantity_dims
from wateralloc.users import unknown

MONEY = (*GAINS, *COSTS)
"""Quantities in money that depend on what is allocated."""


class QuantityGoal(LinearGoal):
    """A goal on a named quantity of the results, or on what a rule reports."""

    quantity: Annotated[
        str,
        Field(
            description="a quantity of the results, such as spill or cost; or RULE.NAME, what a "
            "rule of the case reports in accounts.csv"
        ),
    ]
    of: Annotated[tuple[str, ...], Field(description="items of it, by name; default: all")] = ()
    when: Annotated[
        Literal["all", "last"], Field(description="summed over all periods, or the last one only")
    ] = "all"

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, body: Any) -> Any:
        return {"quantity": body} if isinstance(body, str) else body

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        if self._is_of_a_rule:
            return []  # what rules report is known when they have been built
        dims = quantity_dims()
        if self.quantity not in dims:
            near = suggest(self.quantity, dims) or f"; known: {listed(sorted(dims), 30)}"
            return [("quantity", "E315", f"unknown quantity '{self.quantity}'{near}")]
        dim = dims[self.quantity]
        return unknown("of", self.of, items_of(basin, dim), dim)

    @property
    def counts_money(self) -> bool:
        return self.quantity in MONEY

    @property
    def _is_of_a_rule(self) -> bool:
        return "." in self.quantity

    def title(self) -> str:
        of = f" of {'+'.join(self.of)}" if self.of else ""
        return f"{self.kind} {self.quantity}{of}" + (" at the end" if self.when == "last" else "")

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        if self._is_of_a_rule:
            self._check_reported(m, case)
        values = self._find(m, case).values
        total = sum(values[item] for item in self.of or values if item in values)
        if self.when == "all":
            return total
        last = np.zeros(case.n_periods)
        last[-1] = 1.0
        weight = pyo.Param(initialize=last, **DATA)
        m.goals.add_component(unique_component_name(m.goals, "last"), weight)
        m.repeats.count_last(weight)
        return weight * total

    @property
    def keeps_water(self) -> bool:
        return self.kind == "maximise" and self.quantity == "storage_end"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        return self._find(m, case).units, 1.0

    def _find(self, m: pyo.ConcreteModel, case: Case) -> Quantity:
        if self._is_of_a_rule:
            return _reported(m)[self.quantity]
        return next(q for q in quantities(m, case) if q.name == self.quantity)

    def _check_reported(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Check that a rule reports the quantity and its items, and that something decides it.

        Raises
        ------
        CaseError
        """
        places = zip(case.goals, case.goal_positions, strict=False)
        at = next((place for goal, place in places if goal is self), Position(case.name))
        faults = [
            Fault(at, code, f"goal {self.kind}: {text}")
            for code, text in self._faults_of_reported(_reported(m))
        ]
        if faults:
            raise CaseError(faults)

    def _faults_of_reported(self, known: dict[str, Quantity]) -> list[tuple[str, str]]:
        if self.quantity not in known:
            there = listed(sorted(known), 30)
            near = suggest(self.quantity, known) or (
                f"; rules report {there}" if there else "; no rule of the case reports anything"
            )
            return [("E315", f"unknown quantity '{self.quantity}'{near}")]
        values = known[self.quantity].values
        if self.of and list(values) == [""]:
            return [("E313", f"'{self.quantity}' has no items; leave out key of")]
        what = f"item of {self.quantity}"
        faults = [(code, text) for _, code, text in unknown("of", self.of, values, what)]
        if not faults and all(_is_given(values[item]) for item in self.of or values):
            text = f"'{self.quantity}' does not depend on what is allocated; name one that does"
            faults = [("E315", text)]
        return faults


def _reported(m: pyo.ConcreteModel) -> dict[str, Quantity]:
    """What the rules report, as quantities by their names ``RULE.NAME``."""
    found: dict[str, Quantity] = {}
    for report in m.reports:
        name = f"{report.rule}.{report.name}"
        quantity = found.setdefault(name, Quantity(name, "", {}, report.units, name))
        quantity.values[report.item] = report.value
    return found


def _is_given(value: Any) -> bool:
    """Tell whether a value is data, without a variable in it."""
    is_pyomo = hasattr(value, "is_expression_type")
    return not is_pyomo or next(iter(identify_variables(value)), None) is None
