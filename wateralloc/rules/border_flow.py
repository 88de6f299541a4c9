"""border_flow: what is assumed of the inflow from outside the country."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import BeforeValidator, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.rules import Rule
from wateralloc.rules.flows import check_share
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import day_of_year, horizon_days, period_sum
from wateralloc.units import SECONDS_PER_DAY, hm3_of_m3s
from wateralloc.users import unknown

MOST = 10.0
"""Largest share of the record; more is taken for a slip, as of a per cent."""


def _date(value: Any) -> Any:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("must be a date, as 2030-06-01") from None


class BorderFlow(Rule):
    """Assume what comes across the border, in place of what the record says.

    A river that rises abroad brings what is left there.  This clause asks nothing of anybody: it
    changes the inflow of the named nodes before anything is decided, so that a policy can be tried
    against a neighbour who takes more, builds a dam, or keeps a treaty.  It takes one of three:

    share
        so much of the record, by date: 0.9 is a tenth less; more than 1 is more;
    flow_m3s
        a flow by date in its place, the same in all members, as an agreed release;
    at_most_m3s
        the record, but never more than this flow, as behind a dam that cuts the flood.

    It holds on the days that the values name, from the day `from` to the day `to` of the timeline,
    where they are given; on other days the record stays.  A period of which it holds on some days
    has both by days.  Each of several `nodes` has it.  Of several such clauses for a node, each
    changes what those before it in the case have left.

    The changed inflow is that of the results, and of all rules that look at the natural flow.  What
    was added in each period (taken off: below zero) stands in ``accounts.csv`` as `changed_inflow`.
    Factors on inflow under ``hydrology: {scale: ...}`` come first.  The clause has no row that
    could be broken, so it cannot be soft.

    Equation
    --------
    inflow(n, t) = sum over the days k of t of a(k), where on the days that it names
    a(k) = share(k) r(k), or flow_m3s(k), or min(r(k), at_most_m3s(k)), else a(k) = r(k), and
    r(k) is the flow of the record, even over the period.

    Source
    ------
    Syria and Turkey, protocol of 17 July 1987 (a yearly mean of more than 500 m3/s at the border:
    `flow_m3s`).  Mekong Agreement (1995), Art. 6 (not less than the acceptable minimum monthly
    natural flow).  United Nations Watercourses Convention (1997), Art. 5 and 7 (equitable use, no
    significant harm): what a neighbour does is an assumption, and is stated as one.

    Example
    -------
    .. code-block:: yaml

        - rule: border_flow
          name: new_dams_abroad
          nodes: [da_border, thao_border]
          share: [1, {months: [12, 1, 2, 3, 4], value: 0.8}]
          from: 2031-01-01
    """

    kind = "border_flow"
    vi = "Giả định dòng chảy từ ngoài lãnh thổ: theo tỷ lệ, lưu lượng cho trước hoặc chặn trên."

    nodes: Annotated[
        tuple[str, ...], Field(min_length=1, description="nodes whose inflow comes from outside")
    ]
    share: Annotated[Seasonal | None, Field(description="share of the record, by date")] = None
    flow_m3s: Annotated[
        Seasonal | None, Field(description="flow in place of the record, by date")
    ] = None
    at_most_m3s: Annotated[
        Seasonal | None, Field(description="largest flow, by date; the record below it")
    ] = None
    start: Annotated[
        str | None,
        BeforeValidator(_date),
        Field(
            alias="from",
            description="first day on which it holds, YYYY-MM-DD; default: always",
            json_schema_extra={"format": "date"},
        ),
    ] = None
    end: Annotated[
        str | None,
        BeforeValidator(_date),
        Field(
            alias="to",
            description="last day on which it holds, YYYY-MM-DD; default: always",
            json_schema_extra={"format": "date"},
        ),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> BorderFlow:
        if len(self._ways()) != 1:
            raise ValueError("give one of share, flow_m3s and at_most_m3s")
        if self.soft is not None:
            raise ValueError("has no row that could be broken; remove soft")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(
                f"holds from {self.start} to {self.end}; must not end before it starts"
            )
        return self

    def _ways(self) -> dict[str, Seasonal]:
        ways = {"share": self.share, "flow_m3s": self.flow_m3s, "at_most_m3s": self.at_most_m3s}
        return {key: value for key, value in ways.items() if value is not None}

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        with_inflow = basin.values("nodes", "inflow")
        faults = unknown("nodes", self.nodes, with_inflow, "node with inflow")
        ((key, value),) = self._ways().items()
        if key == "share":
            return faults + check_share(value, key, basin.patterns, MOST)
        return faults + value.check(key, basin.patterns, "flow")

    def prepare(self, m: pyo.ConcreteModel, case: Case) -> None:
        for node in self.nodes:
            before = m.inflow[node].value
            after = self.assumed(case, before)
            m.inflow[node] = after
            item = "" if len(self.nodes) == 1 else node
            self.report(m, "changed_inflow", {item: after - before})

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add no row: the inflow has changed already."""

    def assumed(self, case: Case, record: np.ndarray) -> np.ndarray:
        """Inflow that the clause assumes.

        Parameters
        ----------
        record : inflow before [hm3] (member, time)

        Returns
        -------
        ndarray [hm3] (member, time)
        """
        timeline, patterns = case.timeline, case.basin.patterns
        ((key, value),) = self._ways().items()
        days = horizon_days(timeline)
        of_year = day_of_year(days)
        holds = value.named()[of_year]
        if self.start is not None:
            holds &= days >= np.datetime64(self.start)
        if self.end is not None:
            holds &= days <= np.datetime64(self.end)
        period = np.repeat(np.arange(timeline.periods), timeline.days.astype(int))
        daily = (record / timeline.days)[:, period]
        given = value.by_day(patterns)[of_year]
        if key == "share":
            assumed = given * daily
        else:
            volume = hm3_of_m3s(given, SECONDS_PER_DAY)
            assumed = volume if key == "flow_m3s" else np.minimum(daily, volume)
        changed = np.where(holds, assumed - daily, 0.0)
        # what no day changes stays to the last digit
        return record + np.stack([period_sum(of_member, timeline) for of_member in changed])
