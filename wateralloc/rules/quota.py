"""quota: users withdraw at most so much over a window, or over several windows together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import (
    Rule,
    at_first_period,
    at_last_period,
    history_too_long,
    number_windows,
    rolling_windows,
    windows,
    with_history,
)
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import Users

Volume = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Quota(Rule, Users):
    """Cap what a group of users withdraws in each window.

    The group is all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given.  Of a demand with several sources it is what reaches it that counts.  A quota
    limits what is taken; it promises nobody that the water is there.

    The cap is a volume of each window; a volume by month, of which a month that is not named has no
    cap; a share of what the group asks; or a flow by date, the mean of each period.  In a part of a
    window at the start or the end of the horizon the whole cap holds.

    With `rolling: N` the cap is on N consecutive windows together, every run of N: a dry year may
    be followed by a thirsty one, but not by two.  It is `volume_hm3` of the whole run, or the sum
    of its months by month.  Runs at the start of the horizon reach before it: they count what was
    withdrawn then, `history_hm3`.  Without it the rule is silent in these runs, and a warning says
    so.  Everything is linear.

    Equation
    --------
    sum over the window and the group of withdrawal(d, t) <= volume_hm3, or volume_hm3(month), or
    share_of_demand times the group's demand in the window, or flow_m3s(t) times its length.

    Rolling: for every window w, sum over the windows w - N + 1 to w, and the group, of
    withdrawal(d, t) <= volume_hm3 - what history_hm3 says of those before the horizon.

    Source
    ------
    Law on Water Resources of Viet Nam (28/2023/QH15), on licences to use water, which state the
    largest volume and flow.  Rolling: Murray-Darling Basin Plan (2012), chapter 6, compliance with
    sustainable diversion limits by what is used over the years.

    Example
    -------
    .. code-block:: yaml

        - rule: quota
          name: industry_cap
          sectors: [industry]
          regions: [red_river_delta]
          volume_hm3: 900
          window: year
        - rule: quota
          name: three_years
          sectors: [irrigation]
          volume_hm3: 27000
          window: year
          rolling: 3
          history_hm3: [9400, 8800]
        - rule: quota
          name: dry_months
          sectors: [industry]
          volume_hm3: {1: 80, 2: 72, 3: 80}
          window: month
    """

    kind = "quota"
    vi = "Giới hạn lượng nước một nhóm hộ được lấy theo tháng, mùa, năm hoặc nhiều năm liên tiếp."

    volume_hm3: Annotated[
        Volume | dict[int, Volume] | None,
        Field(description="cap on each window, or by month {1: 20, 2: 18}; of all N if rolling"),
    ] = None
    share_of_demand: Annotated[
        float | None,
        Field(strict=True, ge=0, le=1, description="cap as a share of the group's demand"),
    ] = None
    flow_m3s: Annotated[
        Seasonal | None, Field(description="largest mean flow of each period, by date")
    ] = None
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window of the cap"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the cap holds; default: all"),
    ] = ()
    rolling: Annotated[
        int, Field(strict=True, ge=1, description="consecutive windows that the cap is on together")
    ] = 1
    history_hm3: Annotated[
        tuple[Volume, ...],
        Field(
            description="withdrawn in each window that began before the horizon, the oldest first; "
            "the last may be a part of one"
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_amount(self) -> Quota:
        given = [self.volume_hm3, self.share_of_demand, self.flow_m3s]
        if sum(amount is not None for amount in given) != 1:
            raise ValueError("give one of volume_hm3, share_of_demand and flow_m3s")
        if self.flow_m3s is not None:
            other = sorted({"window", "months", "rolling"} & self.model_fields_set)
            if other:
                raise ValueError(
                    f"flow_m3s holds in each period, by its own dates; remove {', '.join(other)}"
                )
        if isinstance(self.volume_hm3, dict):
            if not self.volume_hm3:
                raise ValueError("volume_hm3 by month names no month; give a cap, as {1: 20}")
            wrong = [month for month in self.volume_hm3 if not 1 <= month <= 12]
            if wrong:
                raise ValueError(f"volume_hm3 names month {wrong[0]}; must be from 1 to 12")
            if self.window != "month":
                raise ValueError("volume_hm3 by month needs window: month")
            if self.months:
                raise ValueError("volume_hm3 by month names its months itself; remove months")
        if self.rolling > 1 and self.window == "horizon":
            raise ValueError("the horizon is one window; give a shorter one, or remove rolling")
        if self.history_hm3 and self.rolling == 1:
            raise ValueError("history_hm3 counts where rolling is 2 or more; give it, or remove it")
        if len(self.history_hm3) > self.rolling > 1:
            raise ValueError(history_too_long(len(self.history_hm3), self.rolling))
        if self.history_hm3 and self.volume_hm3 is None:
            raise ValueError(
                "history_hm3 goes with volume_hm3: what was asked in the past is not known; "
                "give the cap as a volume, or remove history_hm3"
            )
        return self

    @property
    def reported_in(self) -> str:
        return "hm3" if self.flow_m3s is None else "m3s"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = self.check_users(basin)
        if self.flow_m3s is not None:
            faults += self.flow_m3s.check("flow_m3s", basin.patterns, "flow")
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        required, window = self._required(case)
        group = self.users_in(case.basin)
        self.require(m, {"": (sum(m.withdrawal[d] for d in group), required)}, "<=", window)

    def _required(self, case: Case) -> tuple[np.ndarray, Any]:
        """Cap over the periods, and the windows over which it adds up."""
        timeline = case.timeline
        if self.flow_m3s is not None:
            flow = self.flow_m3s.on(timeline, case.basin.patterns)
            return (
                hm3_of_m3s(flow, timeline.seconds),
                number_windows(self.flow_m3s.active(timeline)),
            )
        by_month = self._by_month()
        months = self.months or tuple(by_month)
        number = windows(timeline, self.window, months)
        if self.share_of_demand is not None:
            volumes = demand_volumes(case)
            asked = np.sum([volumes[d] for d in self.users_in(case.basin)], axis=0)
            required = self.share_of_demand * asked
        elif by_month:
            required = at_first_period(1.0, number)
            required *= [by_month.get(int(month), 0.0) for month in timeline.month]
        else:
            required = at_first_period(self._volume(), number)
        if self.rolling == 1:
            return required, number
        runs, n_before = rolling_windows(timeline, self.window, self.rolling, months)
        runs, before = with_history(case, self, runs, n_before, self.history_hm3)
        if self.share_of_demand is not None:
            return required, runs
        caps = [self._cap_of_run(int(timeline.month[run[-1]])) for run in runs]
        left = np.subtract(caps, before)
        if self.soft is None and left.size and left.min() < 0:
            worst = int(left.argmin())
            text = (
                f"history_hm3 of rule '{self.name}' adds up to {before[worst]:g} hm3 in a run that "
                f"may use {caps[worst]:g}; nothing is left to withdraw: raise the cap, correct the "
                "history, or make the rule soft"
            )
            raise CaseError([Fault(case.rule_positions[case.rules.index(self)], "E324", text)])
        return at_last_period(left, runs, case.n_periods), runs

    def _by_month(self) -> dict[int, float]:
        return self.volume_hm3 if isinstance(self.volume_hm3, dict) else {}

    def _volume(self) -> float:
        return self.volume_hm3 if isinstance(self.volume_hm3, float) else 0.0

    def _cap_of_run(self, last_month: int) -> float:
        """Cap on a run of windows, of which the last is, or ends in, a month."""
        by_month = self._by_month()
        if not by_month:
            return self._volume()
        named = sorted(by_month)
        last = named.index(last_month)
        return sum(by_month[named[(last - back) % len(named)]] for back in range(self.rolling))
