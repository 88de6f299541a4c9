"""hedging: less is released, or taken, as storage falls, along straight lines."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import DATA, unit
from wateralloc.parts.link import river_flow
from wateralloc.parts.reservoir import storage_range
from wateralloc.rules import Rule, number_windows, windows
from wateralloc.units import hm3_of_m3s
from wateralloc.users import Users, unknown

STRAIGHT = 1e-9
"""Slopes that differ by less than this share of the steepest are the same line."""

Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class StoragePoint(BaseModel):
    """One point of a table by storage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    storage_hm3: Annotated[Number, Field(description="storage at the start of the period")]
    flow_m3s: Annotated[Number | None, Field(description="mean flow of the period there")] = None
    share_of_demand: Annotated[
        float | None,
        Field(strict=True, ge=0, le=1, description="in its place: share of the users' demand"),
    ] = None

    @model_validator(mode="after")
    def _one_amount(self) -> StoragePoint:
        if (self.flow_m3s is None) == (self.share_of_demand is None):
            raise ValueError("give either flow_m3s or share_of_demand")
        return self


class Hedging(Rule, Users):
    """Cap what is released or taken by the storage there is, or ask for a least by it.

    To hedge is to accept a small shortage early so as not to face a great one late: as reservoirs
    fall, less is let out of them.  The storage that counts is that of all named `reservoirs`
    together at the start of each period.  What is limited is the flow of a `link`, such as a
    transfer to another region; or the river flow `at` a node; or else what a group of users
    withdraws: all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given.

    `points` is a table of the limit by storage, with straight lines between them, of which the
    first and the last go on beyond.  A linear program takes such a table whole where it bends the
    right way: a cap (``limit: cap``) must be concave, its lines never steeper with more storage;
    a least amount (``limit: floor``) must be convex, its lines never flatter.  A table that bends
    the other way, or one of steps, needs a yes or no in every period: it is refused, with the point
    where it fails; steps are for the rule `drought_stages`.  So this one is the smooth form of
    transfers and releases by levels of storage.  A cap may not fall below zero anywhere in the
    range of storage, as no flow could keep it.

    The allocation knows the rule: it may keep water back now so as to be allowed more later.  The
    rows compare with a limit that itself depends on storage, so what results show as achieved is
    the flow beyond the limit, to be at most 0 (of a floor: at least 0); ``accounts.csv`` has the
    limit by each line, of which the lowest holds (of a floor: the highest), also in months in which
    the rule is silent.

    Equation
    --------
    amount(t) <= min over lines i of kappa(i) + beta(i) S(t), with S = sum of storage_start(r, t);
    for a floor amount(t) >= max over i.  With `share_of_demand` the lines are multiplied by the
    demand of the group, and kappa and beta are shares.

    Source
    ------
    Hedging: Draper & Lund (2004), Optimal hedging and carryover storage value, Journal of Water
    Resources Planning and Management 130, 83-87; by rationing of demand: Shih & ReVelle (1994),
    Water-supply operations during drought: continuous hedging rule, same journal 120, 613-629.  It
    is the linear cousin of the transfer by levels of storage of the Tajo-Segura rule (2014).

    Example
    -------
    .. code-block:: yaml

        - rule: hedging
          name: spare_the_lakes
          reservoirs: [hoa_binh, son_la]
          sectors: [irrigation]
          months: [1, 2, 3, 4, 5]
          points:
            - {storage_hm3: 6530, share_of_demand: 0.6}
            - {storage_hm3: 12000, share_of_demand: 1}
            - {storage_hm3: 18000, share_of_demand: 1}
    """

    kind = "hedging"
    vi = "Tiết giảm dần: lượng xả hoặc lấy bị giới hạn theo dung tích hồ đầu thời đoạn."

    reservoirs: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="reservoirs whose storage counts, together"),
    ]
    points: Annotated[
        tuple[StoragePoint, ...],
        Field(min_length=2, description="the limit by storage, by rising storage"),
    ]
    limit: Annotated[
        Literal["cap", "floor"], Field(description="at most, or at least, what the points say")
    ] = "cap"
    link: Annotated[str, Field(description="link whose flow is limited")] = ""
    at: Annotated[str, Field(description="node whose river flow is limited")] = ""
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which the limit holds; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _one_thing(self) -> Hedging:
        lists = (self.sectors, self.regions, self.provinces, self.demands)
        if bool(self.link) + bool(self.at) + any(bool(names) for names in lists) > 1:
            raise ValueError("limits one thing: a link, the river flow at a node, or users")
        if len({point.flow_m3s is None for point in self.points}) > 1:
            raise ValueError("has points in flow_m3s and in share_of_demand; give one for all")
        if not self._is_flow and (self.link or self.at):
            raise ValueError("has share_of_demand without users; give points in flow_m3s")
        storage = [point.storage_hm3 for point in self.points]
        if any(low >= high for low, high in pairwise(storage)):
            raise ValueError("has points whose storage does not rise; order them, each once")
        return self

    @property
    def _is_flow(self) -> bool:
        return self.points[0].flow_m3s is not None

    @property
    def reported_in(self) -> str:
        return "m3s" if self._is_flow else "hm3"

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Amount at no storage, and slope by hm3 of storage, of the line between two points each.

        In m3/s, or as a share of demand.
        """
        storage = np.array([point.storage_hm3 for point in self.points])
        amount = np.array(
            [p.flow_m3s if self._is_flow else p.share_of_demand for p in self.points], float
        )
        slope = np.diff(amount) / np.diff(storage)
        return amount[:-1] - slope * storage[:-1], slope

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        tables = basin.tables
        faults = unknown("reservoirs", self.reservoirs, tables["reservoirs"].index, "reservoir")
        faults += unknown("link", [self.link] if self.link else [], tables["links"].index, "link")
        faults += unknown("at", [self.at] if self.at else [], tables["nodes"].index, "node")
        if not self.link and not self.at:
            faults += self.check_users(basin)
        return faults + (self._check_bend() or ([] if faults else self._check_range(basin)))

    def _check_bend(self) -> list[tuple[str, str, str]]:
        _, slope = self.lines()
        bend = np.diff(slope) if self.limit == "cap" else -np.diff(slope)
        wrong = np.flatnonzero(bend > STRAIGHT * np.abs(slope).max())
        if not wrong.size:
            return []
        k = int(wrong[0])
        what, way, shape = (
            ("cap", "steeper", "concave") if self.limit == "cap" else ("floor", "flatter", "convex")
        )
        per = "m3/s" if self._is_flow else "of demand"
        return [
            (
                "points",
                "E326",
                f"the {what} by storage is not {shape}: at {self.points[k + 1].storage_hm3:g} hm3 "
                f"its line turns {way}, from {slope[k]:.4g} to {slope[k + 1]:.4g} {per} for each "
                f"hm3; a {what} in a linear program must never turn {way} with more storage, as "
                "else it takes a yes or no in every period: leave the point out, or move it; for "
                "steps use the rule drought_stages",
            )
        ]

    def _check_range(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults of a cap that falls below zero: (key, code, text) each."""
        if self.limit == "floor":
            return []
        at_zero, slope = self.lines()
        ranges = np.array([storage_range(basin, r) for r in self.reservoirs])
        for storage in ranges.sum(axis=0):
            cap = float((at_zero + slope * storage).min())
            if cap < -STRAIGHT * np.abs(at_zero).max():
                per = "m3/s" if self._is_flow else "of demand"
                return [
                    (
                        "points",
                        "E326",
                        f"the cap is {cap:.4g} {per} at a storage of {storage:g} hm3, which the "
                        "reservoirs may have (dead storage to normal storage); no flow is below "
                        "zero, so move the points that its line goes through",
                    )
                ]
        return []

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        amount, size = self._amount(m, case)
        storage = sum(m.storage_start[r] for r in self.reservoirs)
        at_zero, slope = self.lines()
        number = list(range(1, slope.size + 1))
        constant = {k: size * at_zero[k - 1] for k in number}
        by_storage = {k: size * slope[k - 1] for k in number}
        block = m.workings
        kappa = pyo.Param(number, initialize=constant, units=unit("hm3"), **DATA)
        beta = pyo.Param(number, initialize=by_storage, **DATA)
        # one limit for the rows to be compared with, so that a shortfall counts once
        limit = pyo.Var(bounds=(0, None), units=unit("hm3"))
        block.add_component(f"{self.name}_at_no_storage", kappa)
        block.add_component(f"{self.name}_by_storage", beta)
        block.add_component(f"{self.name}_limit", limit)
        line = {k: kappa[k] + beta[k] * storage for k in number}
        is_cap = self.limit == "cap"
        lines = pyo.Constraint(
            number, rule=lambda _, k: limit <= line[k] if is_cap else limit >= line[k]
        )
        block.add_component(f"{self.name}_lines", lines)
        window = number_windows(windows(case.timeline, "period", self.months) >= 0)
        nothing = np.zeros(case.n_periods)
        self.require(m, {"": (amount - limit, nothing)}, "<=" if is_cap else ">=", window)
        self.report(m, "limit", {f"line {k}": line[k] for k in number})

    def _amount(self, m: pyo.ConcreteModel, case: Case) -> tuple[Any, np.ndarray]:
        """What is limited [hm3], and what the points are of: hm3 by m3/s, or demand (.., time)."""
        seconds = hm3_of_m3s(1.0, case.timeline.seconds)
        if self.link:
            return m.flow[self.link], seconds
        if self.at:
            return river_flow(m, self.at), seconds
        users = self.users_in(case.basin)
        taken = sum(m.withdrawal[d] for d in users)
        if self._is_flow:
            return taken, seconds
        return taken, np.sum([m.demand[d].value for d in users], axis=0)
