"""minimum_level: the river stands at least so high, which takes more flow as its bed is lowered."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin, Curve
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, listed
from wateralloc.parts.epochs import years_text
from wateralloc.parts.link import river_flow
from wateralloc.parts.rating import rating_of
from wateralloc.rules import Rule, number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import day_of_year, horizon_days, period_sum
from wateralloc.units import hm3_of_m3s
from wateralloc.users import unknown


class MinimumLevel(Rule):
    """Hold the river at a level, by the flow that the rating of the chosen riverbed asks for it.

    The level of each day is turned into the flow at which the rating (``ratings.csv``) reaches it,
    and the mean of these flows over the period is asked; days that the level does not name ask for
    none.  So required and achieved are reported as flow [m3/s].  The rating is a curve, but it is
    read before anything is solved, so the row is linear and exact.  The same level takes more water
    in a river whose bed has sunk: choose the riverbed by `riverbed`, here or for the whole case.

    Equation
    --------
    river_flow(flow_at, t) >= sum over the days d of t of Q(level_m(d)) * 1 day,
    where stage(Q(level)) = level by the rating of the riverbed.

    Source
    ------
    Decision 740/QD-TTg of 2019, Art. 13 and 15: at least 2.2 m at Ha Noi in the spells of raised
    water use, so that gates along the Red River can take water.

    Example
    -------
    .. code-block:: yaml

        - rule: minimum_level
          name: land_preparation
          at: ha_noi
          flow_at: son_tay
          level_m: {from: 01-21, to: 02-10, value: 2.2}
          riverbed: 2020
          source: Decision 740/QD-TTg, Art. 15
    """

    kind = "minimum_level"
    vi = "Giữ mực nước sông không thấp hơn mức quy định, theo quan hệ mực nước – lưu lượng."

    at: Annotated[str, Field(description="node where the level is held")]
    flow_at: Annotated[
        str,
        Field(description="node whose river flow the level goes with, as in ratings; default: at"),
    ] = ""
    level_m: Annotated[Seasonal, Field(description="lowest level, by date")]
    riverbed: Annotated[
        int | None,
        Field(strict=True, description="year whose riverbed holds; default: that of the case"),
    ] = None

    @property
    def reported_in(self) -> str:
        return "m3s"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        nodes, table = basin.tables["nodes"].index, basin.tables["ratings"]
        flow_at = self.flow_at or self.at
        faults = unknown("at", [self.at], nodes, "node")
        faults += unknown("flow_at", [self.flow_at] if self.flow_at else [], nodes, "node")
        faults += self.level_m.check("level_m", basin.patterns, "length")
        if not faults and rating_of(basin, self.at, flow_at, 0) is None:
            pairs = zip(table["node"], table["flow_at"], strict=True)
            known = dict.fromkeys(f"{node} by the flow at {other}" for node, other in pairs)
            faults.append(
                (
                    "flow_at" if self.flow_at else "at",
                    "E317",
                    f"no rating gives the level at '{self.at}' by the flow at '{flow_at}'; add one "
                    f"to ratings.csv, or set flow_at (ratings: {listed(known) or 'none'})",
                )
            )
        if not faults and self.riverbed is not None:
            faults += self.check_range(basin, self.riverbed)
        return faults

    def check_range(self, basin: Basin, riverbed: int) -> list[tuple[str, str, str]]:
        """Faults of levels that the rating of a riverbed does not reach: (key, code, text)."""
        name, curve = self._rating(basin, riverbed)
        lowest, highest = curve.points["stage"][1][[0, -1]]
        level = self.level_m.by_day(basin.patterns)[self.level_m.named()]
        outside = level[(level < lowest) | (level > highest)]
        if not outside.size:
            return []
        years = years_text(basin.tables["ratings"].loc[name])
        return [
            (
                "level_m",
                "E317",
                f"level {outside[0]:g} m at '{self.at}' is outside rating '{name}' ({years}) of "
                f"riverbed {riverbed}, which covers {lowest:g} to {highest:g} m; "
                "ask for a level within it, or extend its curve",
            )
        ]

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin, timeline = case.basin, case.timeline
        riverbed = case.riverbed if self.riverbed is None else self.riverbed
        at = case.rule_positions[case.rules.index(self)]
        faults = [
            Fault(at, code, f"{key} of rule '{self.name}': {text}")
            for key, code, text in self.check_range(basin, riverbed)
        ]
        if faults:
            raise CaseError(faults)
        daily = self.flow_by_day(basin, riverbed)[day_of_year(horizon_days(timeline))]
        required = hm3_of_m3s(period_sum(daily, timeline) / timeline.days, timeline.seconds)
        achieved = river_flow(m, self.flow_at or self.at)
        window = number_windows(self.level_m.active(timeline))
        self.require(m, {"": (achieved, required)}, ">=", window)

    def flow_by_day(self, basin: Basin, riverbed: int) -> np.ndarray:
        """Flow [m3/s] that the level of each day of a 365-day year takes, 0 without one (365)."""
        _, curve = self._rating(basin, riverbed)
        level, named = self.level_m.by_day(basin.patterns), self.level_m.named()
        flow = np.zeros(365)
        flow[named] = curve.inverse("stage", level[named])
        return flow

    def _rating(self, basin: Basin, riverbed: int) -> tuple[str, Curve]:
        """Name and curve of the rating of a riverbed."""
        name = rating_of(basin, self.at, self.flow_at or self.at, riverbed)
        assert name is not None  # `check` has found it
        return name, basin.curves[basin.tables["ratings"].at[name, "curve"]]
