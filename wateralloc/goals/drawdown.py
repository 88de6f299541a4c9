"""drawdown: reservoirs are drawn down in an order, the first of the list before the next."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault
from wateralloc.goals import Goal, Stage
from wateralloc.parts import DATA
from wateralloc.seasonal import DateOfYear, Span
from wateralloc.timeline import day_of_year
from wateralloc.users import unknown


class Between(BaseModel):
    """A part of the year, from a day to another, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[DateOfYear, Field(alias="from", description="first day, MM-DD")]
    end: Annotated[
        DateOfYear,
        Field(alias="to", description="last day, MM-DD; before `from`: in the next year"),
    ]

    def named(self) -> np.ndarray:
        """Mark the days of a 365-day year that lie in it (365)."""
        return Span.model_validate({"from": self.start, "to": self.end, "value": 1.0}).named()


class Drawdown(Goal):
    """Draw reservoirs down in an order: the first of the list before the second, and so on.

    What has to come out of the reservoirs together is said by the goals before this one, such as
    users and energy.  Of what they leave free, the storage of the *last* of the list is made as
    large as it can be, summed over the periods; held, that of the one before it; and so on down to
    the second.  So the first gives what it can before the second gives anything, as far as outlets,
    users along the way and rules allow.  The first is not kept: its water is what later goals may
    still use.  Each reservoir is one linear program.

    With `between` only storages at the end of periods whose last day lies in that part of the year
    count, as in a dry season; what happens in the rest of the year is left to other goals.  Where
    one reservoir lies below another of the list, keeping the lower full draws on the upper, which
    is what the order then asks; and water that evaporates from a full lake is not counted against
    it.

    Equation
    --------
    for r = last, ..., second of the order: maximise the sum over t of storage_end(r, t), with the
    sums of those before held.

    Source
    ------
    Order of drawdown of reservoirs in parallel and in series: Lund & Guzman (1999), Derived
    operating rules for reservoirs in series or in parallel, Journal of Water Resources Planning and
    Management 125, 143-153.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - drawdown:
              order: [thac_ba, tuyen_quang, hoa_binh]
              between: {from: 12-01, to: 05-31}
    """

    kind = "drawdown"
    vi = "Thứ tự xả hồ: hồ đứng trước trong danh sách hạ mực nước trước, hồ cuối giữ nước lâu nhất."

    order: Annotated[
        tuple[str, ...], Field(min_length=2, description="reservoirs, the first drawn down first")
    ]
    between: Annotated[
        Between | None, Field(description="part of the year that counts; default: all of it")
    ] = None

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown("order", self.order, basin.tables["reservoirs"].index, "reservoir")
        twice = [r for k, r in enumerate(self.order) if r in self.order[:k]]
        if twice:
            text = f"reservoir '{twice[0]}' is named twice; name each once"
            faults.append(("order", "E303", text))
        return faults

    def _counts(self, case: Case) -> np.ndarray:
        """Mark the periods whose last day counts (time)."""
        if self.between is None:
            return np.ones(case.n_periods, bool)
        return self.between.named()[day_of_year(case.timeline.last_days)]

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        counts = self._counts(case)
        if self.between is not None and not counts.any():
            at = case.goal_positions[case.goals.index(self)]
            text = (
                f"drawdown: no period of the horizon ends between {self.between.start} and "
                f"{self.between.end}; choose other days, or extend the horizon"
            )
            raise CaseError([Fault(at, "E327", text)])
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"drawdown_{number}", block)
        block.counts = pyo.Param(initialize=counts.astype(float), **DATA)
        block.kept = pyo.Expression(
            list(self.order[1:]), rule=lambda block, r: block.counts * m.storage_end[r]
        )

    @property
    def keeps_water(self) -> bool:
        return True

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"drawdown_{number}").kept[self.order[-1]], "maximise"

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        kept = m.goals.component(f"drawdown_{number}").kept
        mean = 1.0 / float(self._counts(case).sum())
        for r in reversed(self.order[1:]):
            name = f"{number} drawdown, keep {r}"
            stage.optimise(name, kept[r], "maximise", "hm3 on average", mean)
            stage.hold()
