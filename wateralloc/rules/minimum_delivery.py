"""minimum_delivery: at least so much water passes a node, by date or over a window."""

from __future__ import annotations

from typing import Annotated, Literal

import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, at_first_period, number_windows, windows
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import unknown


class MinimumDelivery(Rule):
    """Deliver at least a flow, or a volume over a window, past a node.

    The oldest clause of treaties and compacts: whatever the year brings, so much is handed on.  A
    flow is asked as the mean of each period, in the dates that it names, and the rule is silent in
    all others.  A volume is asked once in each window that lies whole in the horizon; how it is
    spread over the window is free.  Of a window that the horizon cuts nothing is asked, and a
    warning says so.

    What counts is the water the river carries on from the node: not what is withdrawn there, nor
    what leaves in canals, pumps or transfers.  A fixed delivery puts the whole risk of a dry year
    on those above; shares of flow divide it.

    Equation
    --------
    river_flow(n, t) >= flow_m3s(t) in every period that the flow names; or
    sum over the window of river_flow(n, t) >= volume_hm3, in every whole window.

    Source
    ------
    Decision 740/QD-TTg of 2019, Art. 15 and 16 (flows below dams by month and spell, in the plan of
    the Red River reservoirs); Albufeira Convention between Spain and Portugal (1998, revised 2008),
    yearly and seasonal volumes at the border.

    Example
    -------
    .. code-block:: yaml

        - rule: minimum_delivery
          name: delta_guarantee
          at: son_tay
          flow_m3s: {months: [1, 2], value: 1200}
          source: Decision 740/QD-TTg, Art. 15
    """

    kind = "minimum_delivery"
    vi = "Bảo đảm lưu lượng hoặc lượng nước tối thiểu đi qua một nút, theo ngày hoặc theo thời kỳ."

    at: Annotated[str, Field(description="node past which the water is delivered")]
    flow_m3s: Annotated[
        Seasonal | None, Field(description="least mean flow of each period, by date")
    ] = None
    volume_hm3: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="least volume of each window"),
    ] = None
    window: Annotated[
        Literal["month", "season", "year", "horizon"], Field(description="window of volume_hm3")
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which volume_hm3 is delivered; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _one_amount(self) -> MinimumDelivery:
        if (self.flow_m3s is None) == (self.volume_hm3 is None):
            raise ValueError("give either flow_m3s, or volume_hm3 with a window")
        return self

    @property
    def reported_in(self) -> str:
        return "hm3" if self.flow_m3s is None else "m3s"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown("at", [self.at], basin.tables["nodes"].index, "node")
        if self.flow_m3s is not None:
            faults += self.flow_m3s.check("flow_m3s", basin.patterns, "flow")
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        if self.flow_m3s is not None:
            window = number_windows(self.flow_m3s.active(timeline))
            flow = self.flow_m3s.on(timeline, case.basin.patterns)
            required = hm3_of_m3s(flow, timeline.seconds)
        else:
            window = windows(timeline, self.window, self.months, whole=True, rule=self.name)
            required = at_first_period(self.volume_hm3, window)
        self.require(m, {"": (river_flow(m, self.at), required)}, ">=", window)
