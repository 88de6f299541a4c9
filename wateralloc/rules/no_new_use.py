"""no_new_use: users take no more than they asked in a base year."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import Rule, windows
from wateralloc.rules.flows import users_above
from wateralloc.users import Users, unknown


class NoNewUse(Rule, Users):
    """Hold users to their demand of a base year, as where a river is closed to new use.

    The users are all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given, and of these, with `above`, those whose node lies upstream of a section: links of
    the river lead from it to the section's node.  Users at that node itself are not above it.

    The demand of the base year is that of the basin projected to `year` (``projections.csv``), in
    the periods of the case, without the case's own factors on demand (``demand.scale``): these say
    what is tried, not what was.  Where a user asks less than in the base year the rule asks nothing
    of it.  The rule gives nobody a right to the water of the base year; it only caps.

    With ``together: true`` the users share one cap, so that one may grow by what another gives up:
    no *net* new use, as where a new licence needs an old one to lapse.

    Equation
    --------
    sum over the window of withdrawal(d, t) <= (1 + growth) sum over the window of
    demand(d, t; year), for every user d above the section; or for their sum.

    Source
    ------
    Closing a basin to further use: Molle, Wester & Hirsch (2010), River basin closure: processes,
    implications and responses, Agricultural Water Management 97, 569-577; the cap of the
    Murray-Darling on use at the development of 1993/94.  Ceilings by plan and quota: Law on Water
    Resources 28/2023/QH15, Art. 35.

    Example
    -------
    .. code-block:: yaml

        - rule: no_new_use
          name: closed_headwater
          above: hoa_binh
          sectors: [irrigation, industry]
          year: 2023
          growth: 0.05
    """

    kind = "no_new_use"
    vi = "Không tăng dùng nước: hộ dùng phía trên mặt cắt không lấy quá nhu cầu của năm gốc."

    above: Annotated[
        str, Field(description="node of the section; default: users anywhere in the basin")
    ] = ""
    year: Annotated[int, Field(strict=True, description="base year, of the projections")]
    growth: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            allow_inf_nan=False,
            description="share of the base year's demand that is allowed on top",
        ),
    ] = 0.0
    together: Annotated[
        bool, Field(strict=True, description="one cap on all of them, in place of one each")
    ] = False
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window over which withdrawals are compared"),
    ] = "period"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the cap holds; default: all"),
    ] = ()

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown(
            "above", [self.above] if self.above else [], basin.tables["nodes"].index, "node"
        )
        faults += self.check_users(basin)
        if faults:
            return faults
        if not self.held(basin):
            text = (
                f"no demand of the group lies above '{self.above}'; widen the lists, or name a "
                "section further down"
            )
            return [("above", "E313", text)]
        return self._check_year(basin)

    def _check_year(self, basin: Basin) -> list[tuple[str, str, str]]:
        rows, held = basin.tables["projections"], self.held(basin)
        sectors = set(basin.tables["demands"].loc[held, "sector"])
        years = rows[rows["sector"].isin(sectors)].groupby("sector")["year"].agg(["min", "max"])
        if years.empty:
            return [
                (
                    "year",
                    "E303",
                    f"year is {self.year} but projections.csv has no row for the sectors of these "
                    "users, so nothing is known of that year; add rows, or use a quota",
                )
            ]
        first, last = int(years["min"].max()), int(years["max"].min())
        if first <= self.year <= last:
            return []
        return [
            (
                "year",
                "E303",
                f"year is {self.year} but the projections of the sectors reach from {first} to "
                f"{last}; must be within",
            )
        ]

    def held(self, basin: Basin) -> list[str]:
        """Demands that the rule holds, in table order."""
        above = set(users_above(basin, self.above)) if self.above else None
        return [d for d in self.users_in(basin) if above is None or d in above]

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        held = self.held(case.basin)
        base = demand_volumes(replace(case, demand_year=self.year, demand_scale={}))
        cap = {d: (1 + self.growth) * base[d] for d in held}
        rows = {d: (m.withdrawal[d], cap[d]) for d in held}
        if self.together:
            total = np.sum([cap[d] for d in held], axis=0)
            rows = {"": (sum(m.withdrawal[d] for d in held), total)}
        self.require(m, rows, "<=", windows(case.timeline, self.window, self.months))
