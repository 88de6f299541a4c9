"""release_window: spells of high flow or level, on days that the user names or the optimiser."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault
from wateralloc.parts import DATA, unit
from wateralloc.parts.link import river_flow
from wateralloc.rules import Rule, number_windows
from wateralloc.rules.flows import work_data
from wateralloc.rules.minimum_level import MinimumLevel
from wateralloc.seasonal import DateOfYear, Seasonal
from wateralloc.timeline import Timeline, day_of_year, horizon_days, period_sum
from wateralloc.units import SECONDS_PER_DAY, hm3_of_m3s
from wateralloc.users import unknown

log = logging.getLogger(__name__)

DAY = np.timedelta64(1, "D")


class Place(BaseModel):
    """Where something is asked in the window: a flow, or a level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Annotated[str, Field(description="node whose river flow, or level, is held")]
    flow_m3s: Annotated[Seasonal | None, Field(description="least flow, by date")] = None
    level_m: Annotated[
        Seasonal | None, Field(description="in its place: lowest level, by date, by the rating")
    ] = None
    flow_at: Annotated[
        str, Field(description="node whose river flow the level goes with; default: at")
    ] = ""
    riverbed: Annotated[
        int | None,
        Field(strict=True, description="year whose riverbed holds; default: that of the case"),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Place:
        if (self.flow_m3s is None) == (self.level_m is None):
            raise ValueError("give either flow_m3s or level_m")
        if self.flow_m3s is not None and (self.flow_at or self.riverbed is not None):
            raise ValueError("has flow_at or riverbed, which belong to level_m; leave them out")
        return self

    @property
    def level(self) -> MinimumLevel | None:
        """Its level as a rule of its own."""
        if self.level_m is None:
            return None
        return MinimumLevel(
            at=self.at, flow_at=self.flow_at, level_m=self.level_m, riverbed=self.riverbed
        )

    @property
    def river_at(self) -> str:
        """Node whose flow is held."""
        return self.flow_at or self.at

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults that only the basin shows: (key, error code, text) each."""
        if self.level is not None:
            return self.level.check(basin)
        assert self.flow_m3s is not None
        faults = unknown("at", [self.at], basin.tables["nodes"].index, "node")
        return faults + self.flow_m3s.check("flow_m3s", basin.patterns, "flow")

    def flow_by_day(self, case: Case) -> np.ndarray:
        """Flow [m3/s] that each day of a 365-day year asks in a window (365)."""
        basin = case.basin
        if self.level is None:
            assert self.flow_m3s is not None
            return self.flow_m3s.by_day(basin.patterns)
        riverbed = case.riverbed if self.riverbed is None else self.riverbed
        return self.level.flow_by_day(basin, riverbed)


class Spell(BaseModel):
    """A window of each year: how long, and when it starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[
        Literal["best"] | DateOfYear,
        Field(description="first day, MM-DD; or best: the optimiser chooses"),
    ] = "best"
    earliest: Annotated[
        DateOfYear | None, Field(description="of best: earliest first day, MM-DD")
    ] = None
    latest: Annotated[
        DateOfYear | None,
        Field(description="of best: latest first day, MM-DD; before earliest: in the next year"),
    ] = None
    length_days: Annotated[int, Field(strict=True, ge=1, le=300, description="its days")]

    @model_validator(mode="after")
    def _whole(self) -> Spell:
        given = [key for key in ("earliest", "latest") if getattr(self, key) is not None]
        if self.start == "best" and len(given) < 2:
            raise ValueError("has start: best; give earliest and latest, or a start as MM-DD")
        if self.start != "best" and given:
            raise ValueError(f"starts on {self.start}; leave out {' and '.join(given)}")
        return self

    @property
    def is_best(self) -> bool:
        """Tell whether the optimiser chooses the start."""
        return self.start == "best"

    def dates(self, year: int) -> tuple[np.datetime64, np.datetime64]:
        """Earliest and latest first day of a year."""
        if not self.is_best:
            return (_date(year, self.start),) * 2
        assert self.earliest is not None
        assert self.latest is not None
        first, last = _date(year, self.earliest), _date(year, self.latest)
        return first, last if last >= first else _date(year + 1, self.latest)


@dataclass(frozen=True)
class Start:
    """A day on which a window may start.

    Attributes
    ----------
    period : period in which it lies; -1 where it lies before the horizon
    day : first day
    end : day after its last day
    """

    period: int
    day: np.datetime64
    end: np.datetime64

    def days(self, timeline: Timeline, free: int = 0) -> np.ndarray:
        """Mark the days of the horizon that lie in the window, but for the first ones (days)."""
        days = horizon_days(timeline)
        return (days >= self.day + free * DAY) & (days < self.end)


class ReleaseWindow(Rule):
    """Hold flows or levels in spells of some days, which start when the user or the optimiser says.

    Before the rice of the spring season is planted, the reservoirs of the Red River send water down
    for some days, so that the river stands high enough for the gates of the canals; then they wait,
    and send again.  In each of the `windows` of a year every one of the `places` has at least its
    flow, or its level, which the rating turns into a flow.  The days are the same for all places.

    With ``start: MM-DD`` the days are known, and the rule is made of numbers.  With ``start: best``
    the optimiser chooses the first day between `earliest` and `latest`, in each year and member on
    its own.  That is a decision of yes or no for each day that may be the first (an integer
    column); such a case says ``integers: true`` and ``linearisation: fixed``.  Under perfect
    foresight it is the choice of one who knows the inflow of the whole horizon, so it shows what
    the best timing is worth, not what an office can do.

    In periods of more than a day, the first day may be the first that `earliest` and `latest` leave
    in each period.  A window holds day by day: a period of ten days of which it covers four asks
    four days of flow, as a sum over the period.  `free_days` at the start of each window ask
    nothing, as the level takes time to rise.  From the last day of a window to the first of the
    next in the list there are at least `gap_days`.

    Of a window with a start that is named, the days within the horizon are asked.  One whose start
    is chosen is asked only where the horizon holds all days that it may have; else the rule is
    silent in it, and says so.

    Results list for each place the flow that is asked, where all starts are named; where any is
    chosen, what flows beyond it, required to be 0 or more.  ``accounts.csv`` then has `start`, 1 in
    the period in which a window begins, `days`, its days in each period, and what is `asked`.

    Equation
    --------
    river_flow(at, t) >= sum over windows w and starts s of z(w, s) x need(at, s, t), where need is
    the flow asked on the days that a window from s has in period t, summed; z(w, s) in {0, 1} with
    sum over the starts s of a year of z(w, s) = 1; and, for the next window v of the list,
    sum of day(s) z(v, s) - sum of day(s) z(w, s) >= length(w) + gap.

    Source
    ------
    Decision 740/QD-TTg of 2019, Art. 13 and 15: in the spells of raised water use Thac Ba releases
    at least 280 and Tuyen Quang at least 500 m3/s, and Hoa Binh is operated to hold 2.2 m at Ha Noi
    but for the first day of each release; the spells are set each year.

    Example
    -------
    .. code-block:: yaml

        - rule: release_window
          name: land_preparation
          places:
            - {at: ha_noi, flow_at: son_tay, level_m: 2.2, riverbed: 2007}
            - {at: thac_ba, flow_m3s: 280}
            - {at: tuyen_quang, flow_m3s: 500}
          windows:
            - {start: 01-25, length_days: 5}
            - {start: 02-12, length_days: 8}
          free_days: 1
          soft: {goal: 2}

    .. code-block:: yaml

        - rule: release_window
          name: best_days_for_land_preparation
          places:
            - {at: tuyen_quang, flow_m3s: 500}
          windows:
            - {start: best, earliest: 01-15, latest: 02-05, length_days: 7}
            - {start: best, earliest: 02-05, latest: 02-25, length_days: 8}
          gap_days: 4
    """

    kind = "release_window"
    vi = "Các đợt xả nước tập trung: giữ lưu lượng hoặc mực nước trong một số ngày được chọn."

    places: Annotated[
        tuple[Place, ...], Field(min_length=1, description="what is held in the windows, and where")
    ]
    windows: Annotated[
        tuple[Spell, ...], Field(min_length=1, description="windows of each year, in their order")
    ]
    gap_days: Annotated[
        int, Field(strict=True, ge=0, description="least days between a window and the next")
    ] = 0
    free_days: Annotated[
        int, Field(strict=True, ge=0, description="first days of each window that ask nothing")
    ] = 0

    @property
    def reported_in(self) -> str:
        return "m3s"

    # --- faults

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = [
            (f"places.{k}.{key}" if key else f"places.{k}", code, text)
            for k, place in enumerate(self.places)
            for key, code, text in place.check(basin)
        ]
        named = [place.at for place in self.places]
        for k, at in enumerate(named):
            if at in named[:k]:
                text = f"'{at}' is a place of the rule already; name each place once"
                faults.append((f"places.{k}.at", "E334", text))
        for k, spell in enumerate(self.windows):
            if spell.length_days <= self.free_days:
                text = (
                    f"the window has {spell.length_days} days and free_days is {self.free_days}, "
                    "so it would ask nothing; lengthen it, or lower free_days"
                )
                faults.append((f"windows.{k}.length_days", "E334", text))
        return faults + self._check_order()

    def _check_order(self) -> list[tuple[str, str, str]]:
        """Faults of windows that cannot come one after the other: (key, code, text) each."""
        reference = free = self.windows[0].dates(2001)[0]
        for k, spell in enumerate(self.windows):
            first, last = spell.dates(2001)
            if first < reference:
                first, last = spell.dates(2002)
            start = max(first, free)
            if start > last:
                text = (
                    f"the window starts by {_text(last)}, but after those before it in the list, "
                    f"with gap_days {self.gap_days}, there is no place before {_text(free)}; "
                    "move its days, or shorten a window before it"
                )
                return [(f"windows.{k}.{'latest' if spell.is_best else 'start'}", "E334", text)]
            free = start + (spell.length_days + self.gap_days) * DAY
        return []

    # --- in the period

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        starts = [self._starts(timeline, spell, k) for k, spell in enumerate(self.windows, 1)]
        self._check_places_left(case, starts)
        river = {place.at: river_flow(m, place.river_at) for place in self.places}
        daily = {place.at: self._daily_volume(case, place) for place in self.places}
        needs = {
            at: partial(self._needs, timeline, volume, self.free_days)
            for at, volume in daily.items()
        }
        of_window = list(zip(self.windows, starts, strict=True))
        named = [s for spell, of_years in of_window if not spell.is_best for s in chain(*of_years)]
        best = {
            str(k): of_years
            for k, (spell, of_years) in enumerate(of_window, 1)
            if spell.is_best and of_years
        }
        nothing = np.zeros(case.n_periods)
        known = {at: sum(map(need, named), nothing) for at, need in needs.items()}
        asks = sum(known.values(), nothing)
        for start in chain(*chain(*best.values())):
            asks = asks + sum(need(start) for need in needs.values())
        asked: dict[str, Any] = dict.fromkeys(daily, 0.0)
        if best:
            is_start = self._decide(m, case, best)
            self._keep_gaps(m, case, starts, is_start)
            asked = self._sums(m, "need", best, is_start, needs, "hm3")
            days_in = partial(self._needs, timeline, np.ones(horizon_days(timeline).size), 0)
            days = self._sums(m, "days", best, is_start, {"": days_in}, "1")[""]
            of_named = {"": sum(map(days_in, named), nothing)}
            self.report(m, "start", {f"window {k}": is_start[k, 0] for k in best}, "1")
            self.report(
                m, "days", {"": days + work_data(m, f"{self.name}_named_days", of_named)[""]}, "1"
            )
            of_known = work_data(m, f"{self.name}_known", known, "hm3")
            self.report(m, "asked", {at: asked[at] + of_known[at] for at in daily})
        rows = {at: (river[at] - asked[at], known[at]) for at in daily}
        self.require(m, rows, ">=", number_windows(asks > 0))

    def _daily_volume(self, case: Case, place: Place) -> np.ndarray:
        """Volume that each day of the horizon asks in a window [hm3] (days)."""
        level = place.level
        if level is not None:
            riverbed = case.riverbed if place.riverbed is None else place.riverbed
            faults = level.check_range(case.basin, riverbed)
            self._raise(case, [(code, f"{key}: {text}") for key, code, text in faults])
        flow = place.flow_by_day(case)[day_of_year(horizon_days(case.timeline))]
        return hm3_of_m3s(flow, SECONDS_PER_DAY)

    @staticmethod
    def _needs(timeline: Timeline, daily: np.ndarray, free: int, start: Start) -> np.ndarray:
        """Sum over each period of a daily amount, of the days in a window (time)."""
        return period_sum(daily * start.days(timeline, free), timeline)

    def _starts(self, timeline: Timeline, spell: Spell, number: int) -> list[list[Start]]:
        """Days on which a window may start, in each year in which it is asked."""
        edges, length = timeline.edges, spell.length_days * DAY
        first_year, last_year = edges[[0, -1]].astype("datetime64[Y]").astype(int) + 1970
        found = []
        for year in range(first_year - 1, last_year + 1):
            first, last = spell.dates(year)
            if last + length <= edges[0] or first >= edges[-1]:
                continue
            if spell.is_best and (first < edges[0] or last + length > edges[-1]):
                log.warning(
                    "%s: window %d, which may be from %s to %s, is not whole in the horizon; "
                    "the rule is silent in it",
                    self.name, number, first, last + length - DAY,
                )  # fmt: skip
                continue
            periods = np.flatnonzero((edges[:-1] <= last) & (edges[1:] > first))
            days = [(int(t), max(edges[t], first)) for t in periods] or [(-1, first)]
            found.append([Start(t, day, day + length) for t, day in days])
        return found

    def _check_places_left(self, case: Case, starts: list[list[list[Start]]]) -> None:
        """Raise a fault where the periods of the case leave no start to a window.

        It is enough to start each as early as those before it leave it.
        """
        free: dict[tuple[int, int], np.datetime64] = {}
        for k, of_years in enumerate(starts):
            for i, candidates in enumerate(of_years):
                least = free.get((k, i), candidates[0].day)
                left = [start for start in candidates if start.day >= least]
                if not left:
                    text = (
                        f"window {k + 1} may start from {candidates[0].day} with a period, at last "
                        f"with that from {candidates[-1].day}, but the window before it leaves no "
                        f"place before {least}; take shorter periods, or move its days"
                    )
                    self._raise(case, [("E335", text)])
                after = _next(candidates, starts[k + 1]) if k + 1 < len(starts) else None
                if after is not None:
                    free[k + 1, after] = left[0].end + self.gap_days * DAY

    def _raise(self, case: Case, texts: list[tuple[str, str]]) -> None:
        """Raise faults that only the case shows: (code, text) each."""
        at = case.rule_positions[case.rules.index(self)]
        if texts:
            raise CaseError([Fault(at, code, f"rule '{self.name}': {t}") for code, t in texts])

    def _decide(
        self, m: pyo.ConcreteModel, case: Case, best: dict[str, list[list[Start]]]
    ) -> dict[tuple[str, int], Any]:
        """Add the choice of a start in each year: whether a window started some periods ago.

        Returns
        -------
        dict
            (window, periods ago) -> variable
        """
        n_periods, block = case.n_periods, m.workings
        may = {k: np.zeros(n_periods) for k in best}
        once = {k: np.zeros(n_periods) for k in best}
        year = {k: np.full(n_periods, -1) for k in best}
        reach = {}
        for k, of_years in best.items():
            for i, candidates in enumerate(of_years):
                periods = [start.period for start in candidates]
                may[k][periods], year[k][periods], once[k][periods[0]] = 1.0, i, 1.0
            reach[k] = max(
                int(np.searchsorted(case.timeline.edges, start.end)) - 1 - start.period
                for start in chain(*of_years)
            )
        start = pyo.Var(list(best), domain=pyo.Binary)
        ago = pyo.Var([(k, j) for k in best for j in range(1, reach[k] + 1)], bounds=(0, 1))
        block.add_component(f"{self.name}_start", start)
        block.add_component(f"{self.name}_started", ago)
        for k, j in ago:
            m.repeats.carry(ago[k, j], start[k], j, 0.0)
        may_start = work_data(m, f"{self.name}_may_start", may)
        starts_once = work_data(m, f"{self.name}_starts_once", once)
        possible = pyo.Constraint(list(best), rule=lambda _, k: start[k] <= may_start[k])
        block.add_component(f"{self.name}_possible", possible)
        chosen = pyo.Constraint(list(best), rule=lambda _, k: start[k] == starts_once[k])
        block.add_component(f"{self.name}_chosen", chosen)
        for k in best:
            m.repeats.total(chosen[k], year[k])
        return {(k, 0): start[k] for k in best} | dict(ago.items())

    def _keep_gaps(
        self,
        m: pyo.ConcreteModel,
        case: Case,
        starts: list[list[list[Start]]],
        is_start: dict[tuple[str, int], Any],
    ) -> None:
        """Keep each window whose start is chosen, or the one before it is, behind that one."""
        for k, (befores, afters) in enumerate(pairwise(starts), 1):
            later, earlier = str(k + 1), str(k)
            if not {(later, 0), (earlier, 0)} & set(is_start):
                continue
            begins, ends, least = (np.zeros(case.n_periods) for _ in range(3))
            pair = np.full(case.n_periods, -1)
            for i, candidates in enumerate(befores):
                j = _next(candidates, afters)
                if j is None:
                    continue
                origin = candidates[0].day
                constant = float(self.gap_days)
                for start in afters[j]:
                    day = float((start.day - origin) / DAY)
                    if (later, 0) in is_start:
                        begins[start.period], pair[start.period] = day, i
                    else:
                        constant -= day
                for start in candidates:
                    day = float((start.end - origin) / DAY)
                    if (earlier, 0) in is_start:
                        ends[start.period], pair[start.period] = day, i
                    else:
                        constant += day
                least[np.flatnonzero(pair == i)[0]] = constant
            of = work_data(m, f"{self.name}_gap_{k}", {"begin": begins, "end": ends, "gap": least})
            row = pyo.Constraint(
                expr=of["begin"] * is_start.get((later, 0), 0.0)
                - of["end"] * is_start.get((earlier, 0), 0.0)
                >= of["gap"]
            )
            m.workings.add_component(f"{self.name}_kept_gap_{k}", row)
            m.repeats.total(row, pair)

    def _sums(
        self,
        m: pyo.ConcreteModel,
        word: str,
        best: dict[str, list[list[Start]]],
        is_start: dict[tuple[str, int], Any],
        amounts: Mapping[str, Callable[[Start], np.ndarray]],
        of: str,
    ) -> dict[str, Any]:
        """Sum amounts of windows whose start is chosen, as an expression of the period.

        Parameters
        ----------
        amounts : item -> function that tells the amount of a start in each period (time)
        of : unit of the amounts
        """
        data: dict[tuple[str, str, int], np.ndarray] = {}
        for item, amount in amounts.items():
            for k, of_years in best.items():
                for start in chain(*of_years):
                    values = amount(start)
                    for t in np.flatnonzero(values):
                        key = (item, k, int(t) - start.period)
                        data.setdefault(key, np.zeros(values.size))[t] = values[t]
        param = pyo.Param(list(data), initialize=data, units=unit(of), **DATA)
        m.workings.add_component(f"{self.name}_{word}", param)
        sums: dict[str, Any] = dict.fromkeys(amounts, 0.0)
        for item, k, j in data:
            sums[item] = sums[item] + param[item, k, j] * is_start[k, j]
        return sums


def _date(year: int, day: str) -> np.datetime64:
    """A day of a year; 29 February is the 28th where there is none."""
    try:
        return np.datetime64(f"{year}-{day}")
    except ValueError:
        return np.datetime64(f"{year}-02-28")


def _text(day: np.datetime64) -> str:
    """Day and month, MM-DD."""
    return str(day)[5:]


def _next(candidates: list[Start], of_years: list[list[Start]]) -> int | None:
    """Place of the year in which a window of the list follows one that may have these starts."""
    days = [others[0].day for others in of_years]
    return next((i for i, day in enumerate(days) if day >= candidates[0].day), None)
