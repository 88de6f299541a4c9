"""salinity_control: the mouths of the river carry so much fresh water that the sea stays out."""

from __future__ import annotations

from typing import Annotated

import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import unknown


class SalinityControl(Rule):
    """Keep a threshold flow at the mouths, below which salt water comes in too far.

    How far the sea enters an estuary in a tide is set, its shape given, by the fresh water that
    flows against it; the flow that keeps it below the intakes is found outside the model and given
    here, by date; in all other dates the rule is silent.  The flow is a mean of the period: a long
    period can hide days of less.  What counts is the water the river carries on from each node: a
    mouth of kind ``sink``, or a control node above it.

    Equation
    --------
    river_flow(n, t) >= flow_m3s(t) at every node n of `at`, in every period that the flow names; or
    `together`: sum over n of river_flow(n, t) >= flow_m3s(t).

    Source
    ------
    Savenije (1993), Predictive model for salt intrusion in estuaries, J. Hydrology 148, 203-218
    (length of intrusion by fresh-water flow); Alber (2002), A conceptual model of estuarine
    freshwater inflow management, Estuaries 25, 1246-1261 (a threshold inflow as the rule).

    Example
    -------
    .. code-block:: yaml

        - rule: salinity_control
          name: salt_front
          at: [ba_lat, ninh_co]
          flow_m3s: {months: [1, 2, 3], value: 300}
    """

    kind = "salinity_control"
    vi = "Giữ lưu lượng đẩy mặn tối thiểu tại các cửa sông."

    at: Annotated[
        tuple[str, ...], Field(min_length=1, description="mouths, or control nodes above them")
    ]
    flow_m3s: Annotated[
        Seasonal, Field(description="least mean flow of each period at each of them, by date")
    ]
    together: Annotated[
        bool, Field(strict=True, description="the flow is asked of all of them together")
    ] = False

    @property
    def reported_in(self) -> str:
        return "m3s"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = unknown("at", self.at, basin.tables["nodes"].index, "node")
        return faults + self.flow_m3s.check("flow_m3s", basin.patterns, "flow")

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        flow = self.flow_m3s.on(timeline, case.basin.patterns)
        required = hm3_of_m3s(flow, timeline.seconds)
        at_mouth = {node: river_flow(m, node) for node in self.at}
        passing = {"": sum(at_mouth.values())} if self.together else at_mouth
        self.require(
            m,
            {item: (achieved, required) for item, achieved in passing.items()},
            ">=",
            number_windows(self.flow_m3s.active(timeline)),
        )
