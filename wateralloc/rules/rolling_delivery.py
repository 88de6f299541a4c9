"""rolling_delivery: over any so many consecutive years together, a volume passes a node."""

from __future__ import annotations

from typing import Annotated, Literal

import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.link import river_flow
from wateralloc.rules import (
    Rule,
    at_last_period,
    history_too_long,
    rolling_windows,
    with_history,
)
from wateralloc.users import unknown

Volume = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Leave(BaseModel):
    """What the plan leaves to those who come after the horizon."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    normal_hm3: Annotated[
        Volume, Field(description="delivery of a normal window, which comes after the horizon")
    ]


class RollingDelivery(Rule):
    """Deliver a volume past a node over every run of so many consecutive windows together.

    The upper basin may hold water back in a dry year if it makes up for it in the years around it.
    What counts is the water the river carries on from the node `at`, as in ``minimum_delivery``.  A
    window is a year, a season, a month or a period, and `rolling` of them are a run.  Everything is
    linear: each run is one row, and its shadow price says what that run costs.

    The runs of the first windows reach back before the horizon.  They count what was delivered
    then, `history_hm3`, one number for each window, the oldest first; where the horizon starts
    within a window, the last is what that window had received before.  With too little history the
    rule is silent in the runs that are not known, and a warning says so.  A run that ends in a
    window of which the horizon has only a part is not asked for.  In results, `required` of a run
    is what history leaves to deliver, and `achieved` what is delivered within the horizon.

    A plan with an end is tempted to empty the account in its last windows: nobody is there to
    deliver what is then owed.  `leave` closes that door: the last N - 1 windows must add up to so
    much that a window of `normal_hm3` after them keeps the sum.

    Equation
    --------
    For every whole window w, with N = rolling and D(w) = sum over w of river_flow(at, t):
    D(w - N + 1) + ... + D(w) >= volume_hm3, where D of a window before the horizon is its history.

    With `leave`, for the last whole window w: D(w - N + 2) + ... + D(w) >= volume_hm3 - normal_hm3.

    Source
    ------
    Colorado River Compact (1922), Article III(d): the States of the Upper Division will not cause
    the flow at Lee Ferry to be depleted below 75 million acre-feet for any period of ten
    consecutive years.

    Example
    -------
    .. code-block:: yaml

        - rule: rolling_delivery
          name: three_dry_seasons
          at: son_tay
          volume_hm3: 60000
          window: season
          months: [1, 2, 3, 4, 5]
          rolling: 3
          history_hm3: [21000, 18500]
          leave: {normal_hm3: 20000}
    """

    kind = "rolling_delivery"
    vi = "Giao đủ tổng lượng nước qua một nút trong mọi chuỗi nhiều năm hoặc nhiều mùa liên tiếp."

    at: Annotated[str, Field(description="node past which the water is delivered")]
    volume_hm3: Annotated[Volume, Field(description="least volume of every run of windows")]
    rolling: Annotated[
        int, Field(strict=True, ge=2, description="consecutive windows that are a run")
    ]
    window: Annotated[
        Literal["period", "month", "season", "year"],
        Field(description="window of which a run has several"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which deliveries count; default: all"),
    ] = ()
    history_hm3: Annotated[
        tuple[Volume, ...],
        Field(
            description="delivered in each window that began before the horizon, the oldest first; "
            "the last may be a part of one"
        ),
    ] = ()
    leave: Annotated[
        Leave | None,
        Field(description="what the last windows leave to deliver after the horizon"),
    ] = None

    @model_validator(mode="after")
    def _history_in_reach(self) -> RollingDelivery:
        if len(self.history_hm3) > self.rolling:
            raise ValueError(history_too_long(len(self.history_hm3), self.rolling))
        if self.window == "season" and not self.months:
            raise ValueError("a season needs its months; give months, or window: year")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        return unknown("at", [self.at], basin.tables["nodes"].index, "node")

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        asked = [(self.rolling, self.volume_hm3, "")]
        if self.leave is not None:
            at_the_end = max(self.volume_hm3 - self.leave.normal_hm3, 0.0)
            asked.append((self.rolling - 1, at_the_end, "_left"))
        found = []
        for count, volume, suffix in asked:
            runs, n_before = rolling_windows(
                case.timeline, self.window, count, self.months, whole=True
            )
            if suffix:
                runs, n_before = runs[-1:], n_before[-1:]
            found.append((runs, n_before, volume, suffix))
        reach = max((n for _, n_before, _, _ in found for n in n_before), default=0)
        for runs, n_before, volume, suffix in found:
            runs, before = with_history(case, self, runs, n_before, self.history_hm3, reach)
            required = at_last_period([volume - known for known in before], runs, case.n_periods)
            self.require(m, {"": (river_flow(m, self.at), required)}, ">=", runs, suffix)
