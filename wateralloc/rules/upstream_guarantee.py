"""upstream_guarantee: users of the headwater keep at least a volume, or a share."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import Rule, log, windows
from wateralloc.rules.flows import (
    at_first_periods,
    check_natural,
    natural_flow,
    users_above,
    window_sums,
)
from wateralloc.users import Users, unknown


class UpstreamGuarantee(Rule, Users):
    """Guarantee what users of the headwater receive, whatever is owed further down.

    A delivery to those below is kept by storing and by cutting those above; this clause says how
    far they may be cut.  The users are those above a section of the river, `above`, as the links of
    the river run; or a group by `sectors`, `regions`, `provinces` and `demands`; with both, those
    that meet both.  A user stands where its demand does, also when its water comes from elsewhere.

    In each window they receive together at least a volume, a share of what they ask, or a share of
    the natural flow of the river at the section.  Nobody is given more than it asks: where a volume
    or a share of the flow is more than the demand of the group in the window, the demand is
    guaranteed.  A volume is silent in windows of which the horizon has only a part; a share holds
    in the part.

    The guarantee is of the group as a whole; how it is divided inside, goals say.  The rule is
    linear.  Where a hard delivery leaves too little for it, no allocation keeps both; make one of
    them soft to say which yields.

    Equation
    --------
    sum over the window and the group of withdrawal(d, t) >= min(G, sum of demand(d, t)), where
    G is volume_hm3, share_of_demand times the group's demand, or
    share_of_natural_flow times the sum over the window of natural_flow(above, t).

    Source
    ------
    United Nations Watercourses Convention (1997), Art. 5, 6 and 10 (equitable use; the population
    dependent on it; vital human needs).  Hougaard, Moreno-Ternero & Osterdal (2012), A unifying
    framework for the problem of adjudicating conflicting claims, J. Math. Econ. 48, 107-118 (a
    baseline of each claimant before any rule).  Martinez & Moreno-Ternero (2024), arXiv 2407.14623
    (between the right of the source and that of the mouth).

    Example
    -------
    .. code-block:: yaml

        - rule: upstream_guarantee
          name: headwater_first_needs
          above: son_tay
          sectors: [domestic, irrigation]
          share_of_demand: 0.8
          window: season
          months: [12, 1, 2, 3]
    """

    kind = "upstream_guarantee"
    vi = "Bảo đảm vùng thượng lưu được dùng ít nhất một lượng nước, hoặc một tỷ lệ nhu cầu."

    above: Annotated[
        str, Field(description="section of the river: users upstream of it; default: any place")
    ] = ""
    volume_hm3: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="least volume of each window"),
    ] = None
    share_of_demand: Annotated[
        float | None,
        Field(strict=True, ge=0, le=1, description="least share of the group's demand"),
    ] = None
    share_of_natural_flow: Annotated[
        float | None,
        Field(strict=True, ge=0, le=1, description="least share of the natural flow at `above`"),
    ] = None
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window of the guarantee"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the guarantee holds; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _one_amount(self) -> UpstreamGuarantee:
        amounts = (self.volume_hm3, self.share_of_demand, self.share_of_natural_flow)
        if sum(amount is not None for amount in amounts) != 1:
            raise ValueError("give one of volume_hm3, share_of_demand and share_of_natural_flow")
        if self.share_of_natural_flow is not None and not self.above:
            raise ValueError("has share_of_natural_flow but no section; give above")
        if not (self.above or self.sectors or self.regions or self.provinces or self.demands):
            raise ValueError("names no users; give above, or a group of users")
        return self

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        nodes = basin.tables["nodes"].index
        faults = unknown("above", [self.above] if self.above else [], nodes, "node")
        faults += self.check_users(basin)
        if self.share_of_natural_flow is not None:
            faults += check_natural(basin, self.above, "above")
        if not faults and not self._group(basin):
            text = f"none of these users stands above '{self.above}'; widen the lists"
            faults.append(("above", "E313", text))
        return faults

    def _group(self, basin: Basin) -> list[str]:
        """Names of the demands that are guaranteed, in table order."""
        group = self.users_in(basin)
        if not self.above:
            return group
        above = set(users_above(basin, self.above))
        return [d for d in group if d in above]

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        group = self._group(case.basin)
        is_volume = self.volume_hm3 is not None
        window = windows(case.timeline, self.window, self.months, whole=is_volume, rule=self.name)
        volumes = demand_volumes(case)
        demand = np.sum([volumes[d] for d in group], axis=0)
        if self.share_of_demand is not None:
            required = self.share_of_demand * demand
        else:
            asked = window_sums(demand, window)
            if self.volume_hm3 is not None:
                amount = np.full(asked.shape, self.volume_hm3)
                if (amount > asked * (1 + 1e-9)).any():
                    log.warning(
                        "%s: volume_hm3 %g is more than the users ask in some window (%g hm3); "
                        "there their demand is guaranteed",
                        self.name,
                        self.volume_hm3,
                        asked.min(),
                    )
            else:
                natural = natural_flow(m, case, self.above)
                amount = self.share_of_natural_flow * window_sums(natural, window)
            required = at_first_periods(np.minimum(amount, asked), window)
        self.require(m, {"": (sum(m.withdrawal[d] for d in group), required)}, ">=", window)
