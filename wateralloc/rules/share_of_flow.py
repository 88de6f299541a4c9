"""share_of_flow: a share of the flow of the river goes on to those below."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, windows
from wateralloc.rules.flows import arriving, check_natural, check_share, natural_over, work_data
from wateralloc.seasonal import Seasonal
from wateralloc.users import unknown


class ShareOfFlow(Rule):
    """Let at least a share of the flow of the river go on past a node.

    Those above and those below a section share what nature brings, in wet years and dry: nobody
    owes a volume that did not come.  `of` says what is shared.

    natural
        What would flow if nobody stored, took or led away water: the inflow of all nodes upstream,
        after the travel time of the river.  It does not depend on what is decided: the reservoirs
        above cannot lessen what they owe, but have to deliver in its rhythm.  Losses of the river
        are not taken off.
    regulated
        What reaches the node in fact: links, local inflow and return flows, as the reservoirs
        release.  The share holds for whatever is released, and says nothing of how much that is.

    The flow may be measured at other nodes, by `measured_at`: their flows add up, as those of the
    tributaries that a treaty counts.  What counts as delivered is the water the river carries on
    from the node `at`, not what is withdrawn there, nor what leaves in canals, pumps or transfers.

    Over a window longer than a period, volumes add up: more in one month makes up for less in
    another.  Where the horizon cuts a window, the share holds in the part that is there.  On days
    that `share` does not name nothing is asked.

    The rule is linear.  Of the regulated flow, results show as achieved what is delivered beyond
    the share, with 0 required; what was shared and delivered stands in ``accounts.csv``.

    Equation
    --------
    sum over the window of river_flow(at, t)
    >= sum over the window of share(t) F(t), where F is
    sum over the nodes n of `measured_at` of natural_flow(n, t), a number; or
    sum over n of what reaches n in t, before use there.

    Source
    ------
    Syria and Iraq, joint minutes on the Euphrates of 17 April 1989 (42 % and 58 % of what passes
    the border: `regulated`).  Kazakhstan and Kyrgyzstan, agreement on the Chu and Talas of 21
    January 2000 (shares of the flow).  Tennant (1976), Instream flow regimens for fish, wildlife,
    recreation and related environmental resources, Fisheries 1(4), 6-10 (10, 30 or 60 % of the
    mean natural flow as poor, good or outstanding: `natural`).

    Example
    -------
    .. code-block:: yaml

        - rule: share_of_flow
          name: delta_share
          at: son_tay
          share: {months: [11, 12, 1, 2, 3, 4, 5], value: 0.58}
          of: natural
          window: month
    """

    kind = "share_of_flow"
    vi = "Bảo đảm một tỷ lệ dòng chảy (tự nhiên hoặc đã điều tiết) đi tiếp xuống hạ lưu."

    at: Annotated[str, Field(description="node past which the share goes on")]
    share: Annotated[Seasonal, Field(description="least share of the flow, by date, 0 to 1")]
    of: Annotated[
        Literal["natural", "regulated"],
        Field(description="flow that is shared: without reservoirs and uses, or as it arrives"),
    ] = "natural"
    measured_at: Annotated[
        tuple[str, ...],
        Field(description="nodes where the shared flow is measured, as a sum; default: at"),
    ] = ()
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window over which the share holds"),
    ] = "period"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the share holds; default: all"),
    ] = ()

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        nodes, key = basin.tables["nodes"].index, "measured_at" if self.measured_at else "at"
        faults = unknown("at", [self.at], nodes, "node")
        faults += unknown("measured_at", self.measured_at, nodes, "node")
        faults += check_share(self.share, "share", basin.patterns)
        if self.of == "natural":
            faults += [
                f for n in self.measured_at or (self.at,) for f in check_natural(basin, n, key)
            ]
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        share = self.share.on(timeline, case.basin.patterns)
        window = windows(timeline, self.window, self.months)
        window = np.where(self.share.active(timeline), window, -1)
        measured_at = self.measured_at or (self.at,)
        achieved: Any = river_flow(m, self.at)
        required = np.zeros(case.n_periods)
        if self.of == "natural":
            required = share * natural_over(m, case, measured_at)
        else:
            shared = sum(arriving(m, case, node) for node in measured_at)
            self.report(m, "delivered", {"": achieved})
            self.report(m, "shared_flow", {"": shared})
            achieved -= work_data(m, f"{self.name}_share", {"": share})[""] * shared
        self.require(m, {"": (achieved, required)}, ">=", window)
