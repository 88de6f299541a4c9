"""The case in memory, and the values of its basin in each period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wateralloc.basin import Basin, Series, SeriesColumn
from wateralloc.case.forecast_file import Issued, read_forecasts
from wateralloc.case.foresight import Foresight, read_foresight
from wateralloc.case.keys import LinearisationKeys
from wateralloc.errors import CaseError, Findings, Position, shown
from wateralloc.hydrology import (
    Hydrology,
    Member,
    factor_on,
    is_covered,
    resample,
    spans,
    take_upstream,
    value_at,
)
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Pattern, Timeline
from wateralloc.units import hm3_of_m3s

if TYPE_CHECKING:
    from wateralloc.goals import Goal
    from wateralloc.rules import Rule

AMOUNTS = ("depth",)
"""Dimensions whose series are amounts of their period; volumes that vary are limits on a state."""


@dataclass(frozen=True, eq=False)
class Case:
    """A case: basin, timeline, hydrology, rules, goals and foresight.

    Attributes
    ----------
    title : language (``en``, ``vi``) -> title
    members : hydrologies, in the order of results
    rule_positions, goal_positions : where each rule and each goal stands
    foresight : how far ahead allocations look
    linearisation : how often what is not linear is updated
    integers : whether rules may have decisions of yes or no
    riverbed : year whose rating curves and splits hold
    works : works that are switched on, and the day each opens
    demand_year : year to which demands are projected; None: as in the basin
    demand_scale : sector -> factor on its demands
    inflow_scale : node -> factor on its inflow, a number or by date
    upstream_withdrawal : node -> flow taken off its inflow, after the factor [m3/s]
    given : column that follows the hydrology -> name -> its values in the canonical unit (member,
        time), in place of those of the record
    issued : forecasts from a file, where the foresight names one
    left_at_end : reservoir or aquifer -> what must be left in it at the end [hm3] (member), in
        place of the targets of the basin
    files : every case file that was read
    resolved : the case as plain data, after ``extends`` and ``--set``
    changes : what ``--set`` put in place of the file's: dotted key -> YAML text
    """

    name: str
    basin: Basin
    timeline: Timeline
    members: tuple[Member, ...]
    rules: tuple[Rule, ...] = ()
    rule_positions: tuple[Position, ...] = ()
    goals: tuple[Goal, ...] = ()
    goal_positions: tuple[Position, ...] = ()
    title: dict[str, str] = field(default_factory=dict)
    description: str = ""
    foresight: Foresight = field(default_factory=Foresight)
    linearisation: LinearisationKeys = field(default_factory=LinearisationKeys)
    integers: bool = False
    riverbed: int = 0
    works: dict[str, np.datetime64] = field(default_factory=dict)
    demand_year: int | None = None
    demand_scale: dict[str, float] = field(default_factory=dict)
    inflow_scale: dict[str, float | Seasonal] = field(default_factory=dict)
    upstream_withdrawal: dict[str, Seasonal] = field(default_factory=dict)
    given: dict[str, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)
    issued: Issued | None = None
    left_at_end: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    files: tuple[Path, ...] = ()
    resolved: dict[str, Any] = field(default_factory=dict, repr=False)
    changes: dict[str, str] = field(default_factory=dict)
    _arrays: dict[tuple[str, ...], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_members(self) -> int:
        return len(self.members)

    @property
    def n_periods(self) -> int:
        return self.timeline.periods

    @property
    def sees_end(self) -> bool:
        """Whether the first program holds the whole horizon, so that targets at its end can hold.

        One who does not know what comes cannot promise what is left at a far end; what is to be
        left at the end of each program is then for the goal ``end_storage``.
        """
        is_whole = self.foresight.window(self.n_periods)[0] >= self.n_periods
        return is_whole and self.foresight.knows_what_comes

    def with_members(self, places: Sequence[int]) -> Case:
        """Take some of the members, by their places, in the order given."""
        chosen = np.asarray(places, int)
        return replace(
            self,
            members=tuple(self.members[k] for k in chosen),
            given={
                column: {name: values[chosen] for name, values in of_name.items()}
                for column, of_name in self.given.items()
            },
            left_at_end={name: left[chosen] for name, left in self.left_at_end.items()},
        )

    def opened(self, table: str) -> dict[str, np.ndarray]:
        """Share of each period in which the elements of works are there.

        Parameters
        ----------
        table : ``links`` or ``reservoirs``

        Returns
        -------
        dict of ndarray (time)
            By name, of the elements that belong to a work; 0 throughout for a work that the case
            does not switch on.
        """
        works = self.basin.tables.get("works")
        if works is None:
            return {}
        edges = self.timeline.edges
        shares = {}
        for work, name in zip(works["work"], works[table.removesuffix("s")], strict=True):
            if name:
                opens = self.works.get(work, edges[-1])
                after = (edges[1:] - np.maximum(edges[:-1], opens)).astype(int)
                shares[name] = np.maximum(after, 0) / self.timeline.days
        return shares

    def attribute(self, table: str, column: str, at_end: bool = False) -> dict[str, np.ndarray]:
        """Values of a numeric column of the basin in each period.

        A number holds throughout; a pattern follows the dates of the case; a series follows those
        of the case, or, where the column follows the hydrology, those of each member's record.

        Parameters
        ----------
        at_end : take the value of each period's last day in place of the period's mean (or, for
            a series of amounts, its sum)

        Returns
        -------
        dict of ndarray [canonical unit] (member, time)
            By name, where there is a value; read-only.
        """
        key = ("attribute", table, column, str(at_end))
        if key not in self._arrays:
            self._arrays[key] = self._attribute(table, column, at_end)
        return dict(self._arrays[key])

    def volumes(self, table: str, column: str) -> dict[str, np.ndarray]:
        """Volume of each period of a flow column, read-only.

        Returns
        -------
        dict of ndarray [hm3] (member, time)

        Raises
        ------
        ValueError
            The column is no flow.
        """
        if self.basin.declared[table].column(column).dimension != "flow":
            raise ValueError(f"column {column} of table {table} is no flow and has no volume")
        key = ("volumes", table, column)
        if key not in self._arrays:
            flows = self.attribute(table, column)
            of_id = {id(flow): flow for flow in flows.values()}  # names may have one in common
            volumes = {
                k: _read_only(hm3_of_m3s(flow, self.timeline.seconds)) for k, flow in of_id.items()
            }
            self._arrays[key] = {name: volumes[id(flow)] for name, flow in flows.items()}
        return dict(self._arrays[key])

    def _attribute(self, table: str, column: str, at_end: bool) -> dict[str, np.ndarray]:
        shape = (self.n_members, self.n_periods)
        values = self.basin.values(table, column)
        from_series: dict[str, np.ndarray] = {}
        if any(isinstance(value, SeriesColumn) for value in values.values()):
            from_series = self._from_series(table, column, at_end)
        is_inflow = (table, column) == ("nodes", "inflow")
        throughout = cache(partial(np.broadcast_to, shape=shape))
        arrays = {}
        for name, value in values.items():
            array: Any
            if isinstance(value, SeriesColumn):
                array = from_series[name]
            elif isinstance(value, Pattern):
                array = value.at_end(self.timeline) if at_end else value.mean(self.timeline)
            else:
                array = throughout(value)
            if array.shape != shape:
                array = np.broadcast_to(array, shape)
            if is_inflow:
                array, _ = self._after_upstream(name, array, at_end)
            arrays[name] = _read_only(array)
        return arrays

    def _after_upstream(
        self, node: str, flow: np.ndarray, at_end: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inflow after factor and withdrawal, and what of the withdrawal is missing [m3/s]."""
        patterns = self.basin.patterns
        factor = self.inflow_scale.get(node, 1.0)
        flow = flow * factor_on(factor, self.timeline, patterns, at_end=at_end)
        withdrawal = self.upstream_withdrawal.get(node)
        if withdrawal is None:
            return flow, np.zeros(flow.shape)
        of_day = withdrawal.at_end if at_end else withdrawal.on
        return take_upstream(flow, of_day(self.timeline, patterns))

    def missing_upstream(self) -> dict[str, np.ndarray]:
        """What withdrawals upstream ask beyond the inflow there is.

        Returns
        -------
        dict of ndarray [hm3] (member, time)
            By node, for those of ``upstream_withdrawal``.
        """
        natural = replace(self, upstream_withdrawal={}, inflow_scale={})
        inflow = natural.attribute("nodes", "inflow")
        return {
            node: hm3_of_m3s(
                self._after_upstream(node, inflow[node], at_end=False)[1], self.timeline.seconds
            )
            for node in self.upstream_withdrawal
        }

    def _from_series(self, table: str, column: str, at_end: bool) -> dict[str, np.ndarray]:
        declared = self.basin.declared[table].column(column)
        if declared.varies == "hydrology" and column in self.given:
            return self.given[column]
        series = self.basin.series[column]
        members = self.members if declared.varies == "hydrology" else (Member("", 0),)
        starts, ends = spans(self.timeline, members)
        numbers = series.values.to_numpy(float)
        if at_end:
            arrays = value_at(numbers, series.timeline, ends - np.timedelta64(1, "D"))
        else:
            is_amount = declared.dimension in AMOUNTS
            arrays = resample(numbers, series.timeline, starts, ends, is_amount=is_amount)
        return dict(zip(series.values.columns, arrays, strict=True))


def first_year(timeline: Timeline) -> int:
    """Calendar year in which a horizon starts."""
    return int(str(timeline.edges[0])[:4])


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def build_case(
    basin: Basin,
    timeline: Timeline,
    rules: Iterable[Rule] = (),
    goals: Iterable[Goal] = (),
    members: Sequence[Member] | None = None,
    *,
    name: str = "case",
    foresight: Any = "perfect",
    linearisation: LinearisationKeys | None = None,
    integers: bool = False,
    riverbed: int | None = None,
    works: Mapping[str, Any] | None = None,
    demand_year: int | None = None,
    demand_scale: Mapping[str, float] | None = None,
    inflow_scale: Mapping[str, float | Seasonal] | None = None,
    upstream_withdrawal: Mapping[str, Any] | None = None,
) -> Case:
    """Build a case in code, without a file.

    Parameters
    ----------
    rules : one without a name takes that of its kind
    members : default: every year of the record that covers the horizon; one when there is no record
    foresight : as in a case file: ``simulate``, ``{"rolling": {"window": 12}}``
    inflow_scale : node -> factor on its inflow, a number or a ``Seasonal``
    upstream_withdrawal : node -> flow taken off its inflow [m3/s], as in a case file

    Raises
    ------
    CaseError
        The record does not cover the horizon.
    """
    here = Position("code")
    findings = Findings()
    if members is None:
        members, faults = Hydrology().choose(timeline, record_of(basin), lambda _: np.empty(0))
        for key, code, text in faults:
            findings.add(here, code, f"{key}: {text}", CaseError)
    check_timeline_series(basin, timeline, here, findings)
    ahead = Foresight.model_validate(read_foresight(foresight))
    issued = None
    if ahead.rolling is not None and ahead.rolling.file is not None:
        path = Path(ahead.rolling.file)
        issued = read_forecasts(path, here, forecast_nodes(basin), timeline.step, findings)
    findings.raise_if_any()
    named = tuple(
        rule if rule.name else rule.model_copy(update={"name": rule.kind}) for rule in rules
    )
    ordered = tuple(goals)
    return Case(
        name=name,
        title={"en": name, "vi": name},
        basin=basin,
        timeline=timeline,
        members=tuple(members),
        rules=named,
        rule_positions=(here,) * len(named),
        goals=ordered,
        goal_positions=(here,) * len(ordered),
        foresight=ahead,
        linearisation=linearisation or LinearisationKeys(),
        integers=integers,
        riverbed=first_year(timeline) if riverbed is None else riverbed,
        works={work: np.datetime64(day, "D") for work, day in (works or {}).items()},
        demand_year=demand_year,
        demand_scale=dict(demand_scale or {}),
        inflow_scale=dict(inflow_scale or {}),
        upstream_withdrawal={
            node: Seasonal.model_validate(flow)
            for node, flow in (upstream_withdrawal or {}).items()
        },
        issued=issued,
    )


def forecast_nodes(basin: Basin) -> list[str]:
    """Nodes whose inflow is a series, so that it can be forecast by a file."""
    return sorted(name for table, name in basin.in_series("inflow") if table == "nodes")


def series_in_use(basin: Basin, varies: str) -> dict[str, Series]:
    """Series that give a value of a column which follows the hydrology, or the timeline."""
    return {
        column.name: basin.series[column.name]
        for table in basin.declared.values()
        for column in table.columns
        if column.varies == varies
        and any(of_table == table.name for of_table, _ in basin.in_series(column.name))
    }


def record_of(basin: Basin) -> tuple[np.datetime64, np.datetime64] | None:
    """First day, and day after the last, for which all series of the hydrology have values.

    None when the basin has no series that follow the hydrology.
    """
    lines = [series.timeline for series in series_in_use(basin, "hydrology").values()]
    if not lines:
        return None
    return max(line.edges[0] for line in lines), min(line.edges[-1] for line in lines)


def check_timeline_series(
    basin: Basin, timeline: Timeline, at: Position, findings: Findings
) -> None:
    """Check that the series that follow the timeline cover the horizon."""
    for series in series_in_use(basin, "timeline").values():
        line = series.timeline
        if not is_covered(timeline, Member("", 0), (line.edges[0], line.edges[-1])):
            findings.add(
                at,
                "E232",
                f"horizon is {timeline.starts[0]} to {timeline.last_days[-1]} but "
                f"{shown(series.path)} covers {line.starts[0]} to {line.last_days[-1]}; "
                "extend the series or move the timeline",
                CaseError,
            )
