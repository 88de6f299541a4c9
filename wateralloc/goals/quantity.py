"""What ``minimise`` and ``maximise`` share: a quantity, summed over items and periods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator
from pyomo.common.modeling import unique_component_name

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import listed, suggest
from wateralloc.goals import LinearGoal
from wateralloc.parts import DATA, Quantity, items_of, quantities, quantity_dims
from wateralloc.users import unknown


class QuantityGoal(LinearGoal):
    """A goal on a named quantity of the results."""

    quantity: Annotated[str, Field(description="a quantity of the results, such as spill or cost")]
    of: Annotated[tuple[str, ...], Field(description="items of it, by name; default: all")] = ()
    when: Annotated[
        Literal["all", "last"], Field(description="summed over all periods, or the last one only")
    ] = "all"

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, body: Any) -> Any:
        return {"quantity": body} if isinstance(body, str) else body

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        dims = quantity_dims()
        if self.quantity not in dims:
            near = suggest(self.quantity, dims) or f"; known: {listed(sorted(dims), 30)}"
            return [("quantity", "E315", f"unknown quantity '{self.quantity}'{near}")]
        dim = dims[self.quantity]
        return unknown("of", self.of, items_of(basin, dim), dim)

    def title(self) -> str:
        of = f" of {'+'.join(self.of)}" if self.of else ""
        return f"{self.kind} {self.quantity}{of}" + (" at the end" if self.when == "last" else "")

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        values = self._find(m, case).values
        total = sum(values[item] for item in self.of or values if item in values)
        if self.when == "all":
            return total
        last = np.zeros(case.n_periods)
        last[-1] = 1.0
        weight = pyo.Param(initialize=last, **DATA)
        m.goals.add_component(unique_component_name(m.goals, "last"), weight)
        return weight * total

    def measure(self, m: pyo.ConcreteModel, case: Case, member: int) -> tuple[str, float]:
        return self._find(m, case).units, 1.0

    def _find(self, m: pyo.ConcreteModel, case: Case) -> Quantity:
        return next(q for q in quantities(m, case) if q.name == self.quantity)
