"""follow_plan: a quantity comes as close to a plan by date as it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, listed, suggest
from wateralloc.goals import LinearGoal, Stage
from wateralloc.parts import DATA, Quantity, items_of, quantities, quantity_dims, unit
from wateralloc.parts.reservoir import curve_of
from wateralloc.rules import number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import unknown

PLANS = {"plan_hm3": "volume", "plan_m": "length", "plan_m3s": "flow", "plan_mw": "power"}
"""Keys of a plan, and what each measures."""
SECONDS_PER_HOUR = 3600
GWH_PER_MWH = 1e-3

Weight = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class FollowPlan(LinearGoal):
    """Keep a quantity as near as can be to a plan by date.

    The quantity is one of those in the results, summed over the items under `of`; the plan is given
    in the unit that fits it:

    ``plan_hm3``
        a state, such as ``storage_end``, on the last day of a period
    ``plan_m``
        the level of one reservoir, for ``storage_end``, on the last day of a period
    ``plan_m3s``
        the mean flow of a period, for a volume such as ``release`` or ``withdrawal``
    ``plan_mw``
        the mean power of a period, for ``energy``

    Every hm3 (or GWh) above the plan counts `above`, every one below it `below`; a weight of 0
    makes that side free, as where a rule curve is a lower bound that should be kept.  Deviations
    add up over the periods, so one of 10 in one period counts as ten of 1: how they spread is for
    goals that follow.  Periods that the plan does not name are free.  It is a goal, not a rule: the
    goals before it come first, and no plan makes a case infeasible.  The optimum is reported as the
    weighted sum of deviations, in hm3 or GWh.

    Equation
    --------
    minimise the sum over t of above x over(t) + below x under(t), with over(t) >= x(t) - plan(t),
    under(t) >= plan(t) - x(t) and both >= 0: the least absolute deviation, as a linear program.

    Source
    ------
    Goal programming: Charnes & Cooper (1961), Management models and industrial applications of
    linear programming; for targets of storage and release Loucks & van Beek (2017), chapter 4.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - follow_plan:
              quantity: storage_end
              of: [hoa_binh]
              plan_m: pattern:hoa_binh_minimum_level
              above: 0
              below: 1
    """

    kind = "follow_plan"
    vi = "Bám theo kế hoạch: tổng độ lệch của một đại lượng so với kế hoạch theo ngày là nhỏ nhất."

    quantity: Annotated[
        str, Field(description="a quantity of the results, such as storage_end or release")
    ]
    of: Annotated[tuple[str, ...], Field(description="items of it, by name; default: all")] = ()
    plan_hm3: Annotated[
        Seasonal | None, Field(description="plan of a state, on the last day of periods")
    ] = None
    plan_m: Annotated[
        Seasonal | None,
        Field(description="plan of a reservoir's level, on the last day of periods"),
    ] = None
    plan_m3s: Annotated[Seasonal | None, Field(description="plan of a mean flow")] = None
    plan_mw: Annotated[Seasonal | None, Field(description="plan of a mean power")] = None
    above: Annotated[Weight, Field(description="weight of what is above the plan")] = 1.0
    below: Annotated[Weight, Field(description="weight of what is below the plan")] = 1.0

    @model_validator(mode="after")
    def _one_plan(self) -> FollowPlan:
        if len(self._plans()) != 1:
            raise ValueError(f"give one of {', '.join(PLANS)}")
        if self.above == self.below == 0:
            raise ValueError("has both weights 0, so it says nothing; give one above 0")
        return self

    def _plans(self) -> dict[str, Seasonal]:
        given = {key: getattr(self, key) for key in PLANS}
        return {key: plan for key, plan in given.items() if plan is not None}

    # --- faults ---------------------------------------------------------------------------------

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        dims = quantity_dims()
        if self.quantity not in dims:
            near = suggest(self.quantity, dims) or f"; known: {listed(sorted(dims), 30)}"
            return [("quantity", "E315", f"unknown quantity '{self.quantity}'{near}")]
        dim = dims[self.quantity]
        faults = unknown("of", self.of, items_of(basin, dim), dim)
        for key, plan in self._plans().items():
            faults += plan.check(key, basin.patterns, PLANS[key])
        if not faults and self.plan_m is not None:
            faults += self._check_level(basin)
        return faults

    def _check_level(self, basin: Basin) -> list[tuple[str, str, str]]:
        items = self.of or tuple(items_of(basin, quantity_dims()[self.quantity]))
        if self.quantity != "storage_end" or len(items) != 1:
            text = "plan_m is a level, which only storage_end of one reservoir has; "
            text += "name one under `of`, or give the plan in its own unit"
            return [("plan_m", "E328", text)]
        curve = curve_of(basin, items[0])
        if curve is None or not curve.has("level"):
            text = f"reservoir '{items[0]}' has no curve with its level; "
            return [("plan_m", "E222", text + "give plan_hm3, or give it a curve")]
        return []

    def _fault(self, case: Case, text: str) -> CaseError:
        at = case.goal_positions[case.goals.index(self)]
        return CaseError([Fault(at, "E328", f"follow_plan: {text}")])

    # --- the period -----------------------------------------------------------------------------

    def title(self) -> str:
        of = f" of {'+'.join(self.of)}" if self.of else ""
        return f"follow plan of {self.quantity}{of}"

    @property
    def keeps_water(self) -> bool:
        return self.quantity == "storage_end"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        return self._find(m, case).units, 1.0

    def _find(self, m: pyo.ConcreteModel, case: Case) -> Quantity:
        return next(q for q in quantities(m, case) if q.name == self.quantity)

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        quantity = self._find(m, case)
        plan, active = self._plan(case, quantity)
        units = unit(quantity.units)
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"plan_{number}", block)
        values = quantity.values
        items = [item for item in self.of or values if item in values]
        if not items:
            raise self._fault(case, f"nothing in the basin has '{self.quantity}'")
        block.amount = pyo.Expression(expr=sum(values[item] for item in items))
        block.plan = pyo.Param(initialize=plan, units=units, **DATA)
        block.window = number_windows(active)
        block.planned = pyo.Param(initialize=active.astype(float), **DATA)
        weights = {"above": self.above, "below": self.below}
        block.off = pyo.Var(
            [side for side, weight in weights.items() if weight], bounds=(0, None), units=units
        )

        def off_plan(block: pyo.Block, side: str) -> pyo.Constraint:
            sign = 1 if side == "above" else -1
            return block.off[side] - sign * block.amount >= -sign * block.plan

        block.off_plan = pyo.Constraint(list(block.off), rule=off_plan)
        m.repeats.total(block.off_plan, block.window)
        block.goal = pyo.Expression(expr=sum(weights[side] * block.off[side] for side in block.off))

    def _plan(self, case: Case, quantity: Quantity) -> tuple[np.ndarray, np.ndarray]:
        """Plan in the unit of the quantity, and where there is one, both (time)."""
        ((key, plan),) = self._plans().items()
        timeline, patterns = case.timeline, case.basin.patterns
        is_state = quantity.cell_methods == "time: point"
        fits = {
            "plan_hm3": quantity.units == "hm3"
            and is_state
            and not self.quantity.endswith("_start"),
            "plan_m": self.quantity == "storage_end",
            "plan_m3s": quantity.units == "hm3" and not is_state,
            "plan_mw": quantity.units == "GWh" and not is_state,
        }
        if not fits[key]:
            fitting = [other for other, is_fit in fits.items() if is_fit]
            todo = f"give {' or '.join(fitting)}" if fitting else "it cannot follow a plan"
            raise self._fault(
                case,
                f"{key} does not fit '{self.quantity}' ({quantity.long_name}, {quantity.units}); "
                f"{todo}",
            )
        if key in ("plan_hm3", "plan_m"):
            values, active = plan.at_end(timeline, patterns), plan.active_at_end(timeline)
            if key == "plan_m":
                storages = np.zeros(case.n_periods)
                curve = curve_of(case.basin, next(iter(self.of or quantity.values)))
                storages[active] = curve.storage(values[active])
                values = storages
        else:
            values, active = plan.on(timeline, patterns), plan.active(timeline)
            if key == "plan_m3s":
                values = hm3_of_m3s(values, timeline.seconds)
            else:
                values = values * timeline.seconds / SECONDS_PER_HOUR * GWH_PER_MWH
        if not active.any():
            raise self._fault(case, "no period of the horizon is named by the plan")
        return values, active

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"plan_{number}").goal, self.sense

    def truth(
        self, m: pyo.ConcreteModel, number: int, value: Callable[[Any], np.ndarray]
    ) -> np.ndarray | None:
        block = m.goals.component(f"plan_{number}")
        beyond = value(block.amount) - value(block.plan)
        off = self.above * np.maximum(beyond, 0.0) + self.below * np.maximum(-beyond, 0.0)
        return -(value(block.planned) * off).sum(axis=1)
