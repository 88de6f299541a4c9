"""hands_off_flow: users take only of the flow above a threshold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import unit
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, number_windows
from wateralloc.rules.flows import check_natural, natural_flow, work_data
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import Users, unknown


class HandsOffFlow(Rule, Users):
    """Let users take only of the flow that the river has above a threshold.

    When the river at the section falls to the hands-off flow, the licence says: hands off.  Above
    it the users may take, all together, at most a `share` of what is there beyond it.  So the low
    flow of the river is protected, and so is, by a share below 1, part of its rise and fall.  The
    users are all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given; of a demand with several sources it is what reaches it that counts.

    `by` says which flow is compared:

    natural
        the flow as it would come if nobody stored or took water.  It is known before, so the rule
        is a cap by numbers, exact, and nobody can lift it by releasing water for it.
    regulated
        the flow that the river has in the result, with all that reservoirs do to it: what it
        carries on from `at`, and beside it what the users take.  They take only where at least the
        threshold is left in the river.  That is a decision of yes or no in each period and member
        (an integer column); such a case says ``integers: true`` and ``linearisation: fixed``.
        Under perfect foresight reservoirs may let water down so that users may take; if that is
        not meant, say `natural`.

    Compared are means of the period: of days within it the rule knows nothing, so longer periods
    make it milder.

    The rule is silent in periods that `flow_m3s` does not name; in one that it names in part, the
    days without a name count with a threshold of 0.

    Equation
    --------
    By the natural flow: taken(t) <= share x max(0, natural_flow(at, t) - flow_m3s(t)), with
    taken(t) the sum over the group of withdrawal(d, t).  By the regulated flow, with z(t) in {0, 1}
    and D(t) the demand of the group: taken(t) <= allowed(t) <= D(t) z(t) and
    allowed(t) <= share x (river_flow(at, t) + taken(t) - flow_m3s(t) z(t)).
    Results show taken - allowed as achieved, and 0 as required; `allowed` is in ``accounts.csv``.

    Source
    ------
    Environment Agency (2013), Managing water abstraction: hands-off flows as conditions of licences
    in England, under the Water Resources Act 1991.  A share of the flow above a threshold: Acreman
    & Dunbar (2004), Defining environmental river flow requirements: a review, Hydrology and Earth
    System Sciences 8, 861-876; Ladson (2008), Hydrology: an Australian introduction.

    Example
    -------
    .. code-block:: yaml

        - rule: hands_off_flow
          name: spare_the_low_river
          sectors: [irrigation]
          regions: [northern_midlands_mountains]
          at: son_tay
          flow_m3s: {months: [1, 2, 3, 4], value: 1000}
          share: 0.5
    """

    kind = "hands_off_flow"
    vi = "Ngưỡng dừng lấy nước: chỉ được lấy phần dòng chảy vượt trên ngưỡng."

    at: Annotated[str, Field(description="node whose flow is compared")]
    flow_m3s: Annotated[Seasonal, Field(description="hands-off flow, by date")]
    share: Annotated[
        float,
        Field(strict=True, ge=0, le=1, description="share of the flow above it that may be taken"),
    ] = 1.0
    by: Annotated[
        Literal["natural", "regulated"],
        Field(description="flow that is compared: natural, or regulated as in the result"),
    ] = "natural"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown("at", [self.at], basin.tables["nodes"].index, "node")
        if self.by == "natural":
            faults += check_natural(basin, self.at)
        faults += self.flow_m3s.check("flow_m3s", basin.patterns, "flow")
        return faults + self.check_users(basin)

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        flow = self.flow_m3s.on(timeline, case.basin.patterns)
        threshold = hm3_of_m3s(flow, timeline.seconds)
        users = self.users_in(case.basin)
        taken = sum(m.withdrawal[d] for d in users)
        window = number_windows(self.flow_m3s.active(timeline))
        if self.by == "natural":
            above = np.maximum(natural_flow(m, case, self.at) - threshold, 0.0)
            self.require(m, {"": (taken, self.share * above)}, "<=", window)
            return
        allowed = self._allowed(m, users, taken, threshold)
        self.require(m, {"": (taken - allowed, np.zeros(case.n_periods))}, "<=", window)
        self.report(m, "allowed", {"": allowed})

    def _allowed(
        self, m: pyo.ConcreteModel, users: list[str], taken: Any, threshold: np.ndarray
    ) -> pyo.Var:
        """What may be taken by the flow of the result, with the decision whether any may be."""
        block = m.workings
        asked = np.sum([m.demand[d].value for d in users], axis=0)
        most = work_data(m, f"{self.name}_asked", {"": asked}, "hm3")[""]
        least = work_data(m, f"{self.name}_threshold", {"": threshold}, "hm3")[""]
        open_ = pyo.Var(domain=pyo.Binary)
        allowed = pyo.Var(bounds=(0, None), units=unit("hm3"))
        block.add_component(f"{self.name}_open", open_)
        block.add_component(f"{self.name}_allowed", allowed)
        before = river_flow(m, self.at) + taken
        rows = {
            "allowed_if_open": allowed - most * open_ <= 0,
            "allowed_above": allowed - self.share * before + self.share * least * open_ <= 0,
        }
        for word, row in rows.items():
            block.add_component(f"{self.name}_{word}", pyo.Constraint(expr=row))
        return allowed
