"""ramping: a release changes by no more than so much from one period to the next."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import DATA, unit
from wateralloc.parts.link import RIVER_KINDS
from wateralloc.rules import Rule, number_windows
from wateralloc.seasonal import Seasonal
from wateralloc.units import hm3_of_m3s
from wateralloc.users import unknown

PLACES = ("reservoir", "link", "at")


class Ramping(Rule):
    """Limit how fast a release, or a flow, rises and falls from one period to the next.

    What changes is the mean flow of the period: of a `reservoir` its controlled release (all links
    out of it but spillways, as ``release`` in the results), of a `link` what enters it, or `at` a
    node all that the river carries on from there, spill included.  So banks, boats, fish and
    intakes below a dam are not left dry at once, and power stations keep to a steady plan.

    `up_m3s` and `down_m3s` are the largest steps up and down, each by date; one that is not given
    is free.  The step from one period to the next is held by the value of the period it leads into,
    and is free where that has no value.  The first period is compared with `initial_m3s`; without
    it, its flow is free.  The rule sees means of periods only: it says nothing of the hours of a
    day, and the same step allows more in a month where periods are dekads than where they are
    months.  A step that spillways make in a flood is not the reservoir's release, but is part of
    the river flow `at` its node: there floods may force what the rule forbids, so make it soft.

    Equation
    --------
    flow(t) - flow(t - 1) <= up_m3s(t);  flow(t - 1) - flow(t) <= down_m3s(t), with mean flows, so
    for volumes V and lengths T of periods V(t) - V(t - 1) T(t) / T(t - 1) <= up_m3s(t) T(t).

    Source
    ------
    Ramping rates of releases: Moog (1993), Quantification of daily peak hydropower effects on
    aquatic fauna and management to minimize environmental impacts, Regulated Rivers 8, 5-14; as
    rows of a linear program: Olivares & Lund (2012), Representing energy price variability in long-
    and medium-term hydropower optimization, Journal of Water Resources Planning and Management 138,
    606-613.

    Example
    -------
    .. code-block:: yaml

        - rule: ramping
          name: hoa_binh_steps
          reservoir: hoa_binh
          up_m3s: 800
          down_m3s: {from: 11-01, to: 05-31, value: 400}
          initial_m3s: 1500
    """

    kind = "ramping"
    vi = "Giới hạn tốc độ tăng, giảm lưu lượng xả giữa hai thời đoạn liên tiếp."

    reservoir: Annotated[str, Field(description="reservoir, whose release is limited")] = ""
    link: Annotated[str, Field(description="link, whose flow is limited")] = ""
    at: Annotated[str, Field(description="node, whose river flow is limited")] = ""
    up_m3s: Annotated[
        Seasonal | None, Field(description="largest rise from the period before, by date")
    ] = None
    down_m3s: Annotated[
        Seasonal | None, Field(description="largest fall from the period before, by date")
    ] = None
    initial_m3s: Annotated[
        float | None,
        Field(
            strict=True,
            ge=0,
            allow_inf_nan=False,
            description="flow before the horizon; default: the first period is free",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_place(self) -> Ramping:
        if sum(bool(getattr(self, key)) for key in PLACES) != 1:
            raise ValueError("give one of reservoir, link and at")
        if self.up_m3s is None and self.down_m3s is None:
            raise ValueError("give up_m3s or down_m3s, or both")
        return self

    @property
    def reported_in(self) -> str:
        return "m3s"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = []
        for key, table, what in zip(
            PLACES, ("reservoirs", "links", "nodes"), ("reservoir", "link", "node"), strict=True
        ):
            name = getattr(self, key)
            faults += unknown(key, [name] if name else [], basin.tables[table].index, what)
        if not faults and not self._flows(basin):
            key = "reservoir" if self.reservoir else "at"
            text = (
                f"no link but spillways leaves reservoir '{self.reservoir}', so it has no release; "
                "name the node of the flow under `at`"
                if self.reservoir
                else f"no link of the river leaves '{self.at}'; name another node, or a link"
            )
            faults.append((key, "E327", text))
        for key, limit in self._steps().items():
            faults += limit.check(key, basin.patterns, "flow")
        return faults

    def _steps(self) -> dict[str, Seasonal]:
        given = {"up_m3s": self.up_m3s, "down_m3s": self.down_m3s}
        return {key: limit for key, limit in given.items() if limit is not None}

    def _flows(self, basin: Basin) -> list[str]:
        """Links whose flow together is limited; a sink stands for the link out of it."""
        if self.link:
            return [self.link]
        links, nodes = basin.tables["links"], basin.tables["nodes"]
        if self.at and nodes.at[self.at, "kind"] == "sink":
            return [self.at]
        counts = links["kind"].isin(RIVER_KINDS) if self.at else links["kind"] != "spillway"
        return list(links.index[(links["from"] == (self.at or self.reservoir)) & counts])

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        names = self._flows(case.basin)
        flows = [m.outflow[n] if n in m.outflow else m.flow[n] for n in names]
        before = self._before(m, case, names, flows)
        for key, limit in self._steps().items():
            is_held = limit.active(timeline)
            is_held[0] &= self.initial_m3s is not None
            step = sum(flows) - before if key == "up_m3s" else before - sum(flows)
            largest = hm3_of_m3s(limit.on(timeline, case.basin.patterns), timeline.seconds)
            suffix = f"_{key}" if len(self._steps()) > 1 else ""
            self.require(m, {"": (step, largest)}, "<=", number_windows(is_held), suffix)

    def _before(self, m: pyo.ConcreteModel, case: Case, names: list[str], flows: list[Any]) -> Any:
        """Volume [hm3] that the flow of the period before gives over the length of this one."""
        seconds = case.timeline.seconds
        before = pyo.Var(names, units=unit("hm3"))
        m.workings.add_component(f"{self.name}_before", before)
        initial = float(hm3_of_m3s(self.initial_m3s or 0.0, seconds[0]))
        for k, (name, flow) in enumerate(zip(names, flows, strict=True)):
            # what is known before the horizon is their sum
            m.repeats.carry(before[name], flow, 1, 0.0 if k else initial)
        longer = seconds / np.concatenate([seconds[:1], seconds[:-1]])
        length = pyo.Param(initialize=longer, **DATA)
        m.workings.add_component(f"{self.name}_length", length)
        return length * sum(before.values())
