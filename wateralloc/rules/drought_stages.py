"""drought_stages: the drier it is, the less users may take, by a table of stages."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts.demand import demand_volumes
from wateralloc.rules import Rule, number_windows
from wateralloc.rules.flows import check_natural, natural_over, work_data
from wateralloc.rules.yes_or_no import storage_together
from wateralloc.seasonal import DateOfYear
from wateralloc.timeline import day_of_year, horizon_days, period_sum
from wateralloc.units import HM3_PER_M3
from wateralloc.users import Names, Users, unknown

Part = Annotated[float, Field(ge=0, le=1)]


class Trigger(BaseModel):
    """What tells the stage: one of the three."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    storage_of: Annotated[
        Names, Field(description="reservoirs: their storage together on the day of decision")
    ] = ()
    inflow_at: Annotated[
        Names, Field(description="nodes: the natural flow past them in the `periods` before")
    ] = ()
    forecast_at: Annotated[
        Names, Field(description="nodes: the natural flow past them in the `periods` to come")
    ] = ()
    periods: Annotated[
        int, Field(strict=True, ge=1, description="periods over which a flow is a mean")
    ] = 3

    @model_validator(mode="after")
    def _one(self) -> Trigger:
        given = [k for k in ("storage_of", "inflow_at", "forecast_at") if getattr(self, k)]
        if len(given) != 1:
            raise ValueError("give one of storage_of, inflow_at and forecast_at")
        return self

    @property
    def nodes(self) -> Names:
        return self.inflow_at or self.forecast_at


class DroughtStage(BaseModel):
    """A row of the table: from which value on it holds, and what is cut in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Annotated[str, Field(min_length=1, description="name of the stage")]
    below_hm3: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="storage below which it holds"),
    ] = None
    below_m3s: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="flow below which it holds"),
    ] = None
    cut: Annotated[
        dict[str, Part] | Part,
        Field(description="share of demand that may not be taken; or sector -> share"),
    ]


class DroughtStages(Rule, Users):
    """Cut what users may take, step by step, as a drought deepens.

    On every day of decision the trigger is read: the storage of reservoirs together, or the mean
    natural flow of the last `periods`, or that of the next ones (a forecast, here a perfect one).
    The deepest stage whose value it is below holds until the next decision, and the users of the
    rule (`sectors`, `regions`, `provinces`, `demands`; default: all) may take in each period at
    most what its `cut` leaves of their demand.  A cut may differ by sector; a sector that a stage
    does not name is not cut in it.  Without `decided` every period is a decision.

    A flow is known beforehand: stages are numbers, and the rule is exact whatever way one looks
    ahead.  A **storage** is itself a result.  With the whole horizon in sight the stage is then a
    decision of yes or no at each decision (an integer column), true to the table to the last hm3;
    such a case says ``integers: true`` and ``linearisation: fixed``.  Each member decides for
    itself.  The stages are those of the table, but the operator is clairvoyant: it saves water
    before a threshold to stay above it, because it knows the inflow to come, which nobody does on
    the day.  So a table by storage cuts less here than it would in the office; how much less, a
    run that goes forward in time would tell.  A storage exactly at a threshold may be counted on
    either side of it.

    A day of decision within a period counts for the period it lies in, from its start; two in one
    period are one.  On the first day of the horizon there is a decision, whatever its date.  Before
    the first `periods` have passed, the mean is of the flows since the horizon began, and the first
    decision, which has none, takes the first period's; a forecast near the end is of what is left.
    Stages have no memory: one ends where it began.

    Equation
    --------
    withdrawal(s, t) <= (1 - cut(s, stage(t))) x demand(s, t) for each sector s.  By storage, with
    z(j, t) in {0, 1} for stage j below T(j), and S_min and S_max the least and largest storage:
    S(t) >= T(j) - (T(j) - S_min) z(j, t) and S(t) <= S_max - (S_max - T(j)) z(j, t).

    Source
    ------
    Delaware River Basin Commission, Water Code, drought operations by zones of combined storage;
    Law on Water Resources 28/2023/QH15, framework of water-source states and plans to regulate and
    distribute water.

    Example
    -------
    .. code-block:: yaml

        - rule: drought_stages
          name: stages_of_the_dry_season
          trigger: {forecast_at: [son_tay], periods: 9}
          decided: [11-01, 02-01]
          stages:
            - {stage: alert, below_m3s: 1600, cut: {irrigation: 0.1}}
            - {stage: drought, below_m3s: 1200, cut: {irrigation: 0.3, industry: 0.1}}
    """

    kind = "drought_stages"
    vi = "Các cấp hạn: nguồn nước càng cạn thì tỷ lệ cắt giảm lấy nước càng lớn."

    trigger: Annotated[Trigger, Field(description="what tells the stage")]
    stages: Annotated[
        tuple[DroughtStage, ...], Field(min_length=1, description="stages, the mildest first")
    ]
    decided: Annotated[
        tuple[DateOfYear, ...],
        Field(description="days of decision, MM-DD; default: the first day of each period"),
    ] = ()

    @model_validator(mode="after")
    def _deeper(self) -> DroughtStages:
        key, other = ("below_hm3", "below_m3s")
        if not self.trigger.storage_of:
            key, other = other, key
        for stage in self.stages:
            if getattr(stage, key) is None or getattr(stage, other) is not None:
                raise ValueError(f"stage '{stage.stage}' needs {key} and no {other}")
        for before, after in pairwise(self.stages):
            if getattr(after, key) >= getattr(before, key):
                raise ValueError(
                    f"stage '{after.stage}' holds below {getattr(after, key):g} and "
                    f"'{before.stage}' before it below {getattr(before, key):g}; "
                    "each must lie below the one before"
                )
        return self

    def values(self) -> np.ndarray:
        """Value below which each stage holds [hm3, or m3/s] (stage)."""
        key = "below_hm3" if self.trigger.storage_of else "below_m3s"
        return np.array([getattr(stage, key) for stage in self.stages])

    def cuts(self, sector: str) -> np.ndarray:
        """Cut of a sector in each stage (stage)."""
        return np.array(
            [s.cut.get(sector, 0.0) if isinstance(s.cut, dict) else s.cut for s in self.stages]
        )

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = self.check_users(basin)
        stores = basin.tables["reservoirs"].index
        faults += unknown("trigger.storage_of", self.trigger.storage_of, stores, "reservoir")
        key = "inflow_at" if self.trigger.inflow_at else "forecast_at"
        nodes = basin.tables["nodes"].index
        faults += unknown(f"trigger.{key}", self.trigger.nodes, nodes, "node")
        for node in self.trigger.nodes:
            faults += check_natural(basin, node, f"trigger.{key}")
        for k, stage in enumerate(self.stages):
            named = stage.cut if isinstance(stage.cut, dict) else {}
            faults += unknown(f"stages.{k}.cut", named, basin.sectors, "sector")
        if faults:
            return faults
        sectors = {basin.tables["demands"].at[d, "sector"] for d in self.users_in(basin)}
        for sector in sorted(sectors):
            cuts = self.cuts(sector)
            for k in map(int, np.flatnonzero(np.diff(cuts) < 0)):
                text = (
                    f"sector '{sector}' is cut by {cuts[k + 1]:g} in stage "
                    f"'{self.stages[k + 1].stage}', less than {cuts[k]:g} in "
                    f"'{self.stages[k].stage}' before it; a deeper stage cuts at least as much"
                )
                faults.append((f"stages.{k + 1}.cut", "E333", text))
        return faults

    # --- in the period

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        table, volumes = case.basin.tables["demands"], demand_volumes(case)
        groups: dict[str, list[str]] = {}
        for demand in self.users_in(case.basin):
            sector = str(table.at[demand, "sector"])
            if (self.cuts(sector) > 0).any():
                groups.setdefault(sector, []).append(demand)
        window = self.decisions(case)
        if self.trigger.storage_of:
            on = self._decide(m, case, window)
        else:
            known = work_data(m, f"{self.name}_stage", self._known(m, case, window))
            on = {j: known[j] for j in range(len(self.stages))}
        rows: dict[str, tuple[Any, np.ndarray]] = {}
        for sector, group in groups.items():
            asked = np.sum([volumes[d] for d in group], axis=0)
            more = np.diff(self.cuts(sector), prepend=0.0)
            demand = work_data(m, f"{self.name}_{sector}_demand", {"": asked}, "hm3")[""]
            cut = sum(float(c) * demand * on[j] for j, c in enumerate(more) if c > 0)
            rows[sector] = (sum(m.withdrawal[d] for d in group) + cut, asked)
        self.require(m, rows, "<=")
        self.report(m, "stage", {"": sum(on.values())}, "1")

    def decisions(self, case: Case) -> np.ndarray:
        """Number of the decision that holds in each period, from 0 (time)."""
        timeline = case.timeline
        if not self.decided:
            return np.arange(case.n_periods)
        named = day_of_year(np.array([f"2000-{day}" for day in self.decided], "datetime64[D]"))
        day = day_of_year(horizon_days(timeline))
        # 29 February counts as the 28th, and is no second day of decision
        is_day = np.isin(day, named) & (np.diff(day, prepend=-1) != 0)
        is_day[0] = True
        return np.cumsum(period_sum(is_day.astype(int), timeline) > 0) - 1

    def _known(self, m: pyo.ConcreteModel, case: Case, window: np.ndarray) -> dict[int, np.ndarray]:
        """Whether each stage holds, by the natural flow (member, time)."""
        volume = natural_over(m, case, self.trigger.nodes)
        seconds, n = case.timeline.seconds, self.trigger.periods
        first = np.flatnonzero(np.diff(window, prepend=-1))
        mean = np.empty((volume.shape[0], first.size))
        for k, t in enumerate(first):
            span = slice(t, t + n) if self.trigger.forecast_at else slice(max(t - n, 0), max(t, 1))
            mean[:, k] = volume[:, span].sum(axis=1) / (seconds[span].sum() * HM3_PER_M3)
        return {
            j: np.where(mean < below, 1.0, 0.0)[:, window] for j, below in enumerate(self.values())
        }

    def _decide(self, m: pyo.ConcreteModel, case: Case, window: np.ndarray) -> dict[int, Any]:
        """Yes-or-no variables, one a stage and decision, true to the storage on its day."""
        numbers, values = range(len(self.stages)), self.values()
        stored = sum(m.storage_start[r] for r in self.trigger.storage_of)
        least, most = storage_together(case.basin, self.trigger.storage_of)
        on = pyo.Var(numbers, domain=pyo.Binary)
        m.workings.add_component(f"{self.name}_on", on)
        starts = np.diff(window, prepend=-1) > 0
        below, lift, room = (
            work_data(m, f"{self.name}_{word}", dict(zip(numbers, amounts, strict=True)), "hm3")
            for word, amounts in (
                ("below", values),
                ("lift", np.maximum(values - least, 0.0)),
                ("room", np.maximum(most - values, 0.0)),
            )
        )
        rows = {
            "must": lambda _, j: stored + lift[j] * on[j] >= below[j],
            "may": lambda _, j: stored + room[j] * on[j] <= below[j] + room[j],
        }
        for word, rule in rows.items():
            row = pyo.Constraint(numbers, rule=rule)
            m.workings.add_component(f"{self.name}_{word}", row)
            m.repeats.total(row, number_windows(starts))
        m.repeats.share(on, window)
        return {j: on[j] for j in numbers}
