"""quota: users withdraw at most so much over a window."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import Rule, at_first_period, windows
from wateralloc.users import Users


class Quota(Rule, Users):
    """Cap what a group of users withdraws in each window.

    The group is all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given.  Of a demand with several sources it is what reaches it that counts.

    Equation
    --------
    sum over the window and the group of withdrawal(d, t) <= volume_hm3, or
    <= share_of_demand times the group's demand in the window.

    Example
    -------
    .. code-block:: yaml

        - rule: quota
          name: industry_cap
          sectors: [industry]
          regions: [red_river_delta]
          volume_hm3: 900
          window: year
    """

    kind = "quota"

    volume_hm3: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="cap on each window"),
    ] = None
    share_of_demand: Annotated[
        float | None,
        Field(strict=True, ge=0, le=1, description="cap as a share of the group's demand"),
    ] = None
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window of the cap"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the cap holds; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _one_amount(self) -> Quota:
        if (self.volume_hm3 is None) == (self.share_of_demand is None):
            raise ValueError("give either volume_hm3 or share_of_demand")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        return self.check_users(basin)

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        group = self.users_in(case.basin)
        window = windows(case.timeline, self.window, self.months)
        if self.volume_hm3 is None:
            volumes = demand_volumes(case)
            required = self.share_of_demand * np.sum([volumes[d] for d in group], axis=0)
        else:
            required = at_first_period(self.volume_hm3, window)
        self.require(m, {"": (sum(m.withdrawal[d] for d in group), required)}, "<=", window)
