"""Members: which years of the record stand for the years of a case, and their values by period.

A member is the record moved by whole years onto the timeline of the case.  Values of a series are
shared out by true overlap in days, so months, dekads, weeks and days may be mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wateralloc.errors import listed, suggest
from wateralloc.timeline import Timeline

_DAY = np.timedelta64(1, "D")
Totals = Callable[["tuple[Member, ...]"], np.ndarray]
Span = tuple[np.datetime64, np.datetime64]


@dataclass(frozen=True)
class Member:
    """One hydrology of a case.

    Attributes
    ----------
    name : month of the record that stands for the first of the horizon, as ``2004-06``
    years : whole years from the timeline to the record; 0 when the case has its own dates
    """

    name: str
    years: int = 0


Factor = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
_YEAR_MONTH = r"[0-9]{4}-(0[1-9]|1[0-2])"


def _year_month(text: str) -> str:
    if not re.fullmatch(_YEAR_MONTH, text):
        raise ValueError("must be a month of the record, as 2004-06")
    return text


YearMonth = Annotated[
    str, AfterValidator(_year_month), Field(json_schema_extra={"pattern": f"^{_YEAR_MONTH}$"})
]


class Hydrology(BaseModel):
    """The members of a case, and factors on their inflow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: Annotated[
        Literal["historic", "dates"],
        Field(
            description="historic: years of the record stand for those of the case; "
            "dates: the record has the dates of the case itself"
        ),
    ] = "historic"
    members: Annotated[
        Literal["all"] | None,
        Field(description="all: one member for each year of the record that covers the horizon"),
    ] = None
    year: Annotated[
        YearMonth | None, Field(description="month of the record at which the one member starts")
    ] = None
    years: Annotated[
        tuple[YearMonth, ...] | None,
        Field(min_length=1, description="months of the record at which the members start"),
    ] = None
    exceedance: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            lt=1,
            description="probability that a year is wetter: the year is taken whose inflow over "
            "the horizon has the Weibull exceedance probability nearest to it",
        ),
    ] = None
    scale: Annotated[
        Factor | dict[str, Factor],
        Field(
            description="factor on inflow: a number, or one for each sub-basin or node named; "
            "a node's own factor takes the place of its sub-basin's"
        ),
    ] = 1.0

    @model_validator(mode="after")
    def _one_choice(self) -> Hydrology:
        given = [
            key
            for key in ("members", "year", "years", "exceedance")
            if getattr(self, key) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; keep one of them")
        if given and self.record == "dates":
            raise ValueError(
                f"has record: dates and {given[0]}; a record by dates has one member, "
                f"so remove {given[0]} or write record: historic"
            )
        if self.years and len(set(self.years)) < len(self.years):
            raise ValueError("names a year twice in years; name each once")
        return self

    def choose(
        self, timeline: Timeline, record: Span | None, totals: Totals
    ) -> tuple[tuple[Member, ...], list[tuple[str, str, str]]]:
        """Choose the members.

        Parameters
        ----------
        record : first day of the record and the day after its last; None when nothing in the basin
            follows the hydrology
        totals : gives the inflow over the horizon [hm3] of each of some members (member)

        Returns
        -------
        members : at least one, also after a fault
        faults : (key, error code, text) each
        """
        own = Member(timeline.labels[0][:7])
        asked = (self.year,) if self.year else self.years or ()
        if record is None:
            key = "year" if self.year else "years" if self.years else "exceedance"
            if not asked and self.exceedance is None:
                return (own,), []
            return (own,), [
                (
                    key,
                    "E321",
                    f"{key} asks for years of a record but the basin has none: nothing follows "
                    f"the hydrology; add series/inflow_m3s.csv to the basin, or remove {key}",
                )
            ]
        covers = f"the record covers {record[0]} to {record[1] - _DAY}"
        if self.record == "dates":
            if is_covered(timeline, own, record):
                return (own,), []
            first, last = _needs(timeline, own)
            return (own,), [
                (
                    "record",
                    "E232",
                    f"horizon needs {first} to {last} but {covers}; "
                    "move the timeline, or write record: historic",
                )
            ]
        all_members = historic_members(timeline, record)
        if not all_members:
            first, last = _needs(timeline, own)
            return (own,), [
                (
                    "record",
                    "E232",
                    f"horizon from {first} to {last} fits in no years of the record; {covers}; "
                    "shorten the horizon or extend the series",
                )
            ]
        if self.exceedance is not None:
            return (all_members[nearest_exceedance(totals(all_members), self.exceedance)],), []
        if not asked:
            return all_members, []
        known = {member.name: member for member in all_members}
        faults = [
            (f"years.{k}" if self.years else "year", *self._fault(name, timeline, covers, known))
            for k, name in enumerate(asked)
            if name not in known
        ]
        return tuple(known[name] for name in asked if name in known) or (own,), faults

    @staticmethod
    def _fault(
        name: str, timeline: Timeline, covers: str, known: dict[str, Member]
    ) -> tuple[str, str]:
        start = timeline.labels[0]
        if name[5:] != start[5:7]:
            return "E321", (
                f"year {name} does not start in the month of the timeline ({start}); "
                f"write {name[:4]}-{start[5:7]}"
            )
        first, last = _needs(timeline, Member(name, int(name[:4]) - int(start[:4])))
        choice = min(known) if len(known) == 1 else f"a year from {min(known)} to {max(known)}"
        return "E232", f"year {name} needs {first} to {last} but {covers}; name {choice}"


def historic_members(timeline: Timeline, record: Span) -> tuple[Member, ...]:
    """Name a member for each year of the record that covers the whole horizon, oldest first."""
    start = timeline.labels[0]
    first, last = (int(str(day)[:4]) for day in record)
    members = (
        Member(f"{year:04d}-{start[5:7]}", year - int(start[:4])) for year in range(first, last + 1)
    )
    return tuple(member for member in members if is_covered(timeline, member, record))


def is_covered(timeline: Timeline, member: Member, record: Span) -> bool:
    """Tell whether the record has every day that a member needs."""
    first, last = _needs(timeline, member)
    return bool(record[0] <= first and last < record[1])


def _needs(timeline: Timeline, member: Member) -> Span:
    """First and last day of the record that a member needs."""
    starts, ends = spans(timeline, (member,))
    return starts.min(), ends.max() - _DAY


def nearest_exceedance(totals: np.ndarray, probability: float) -> int:
    """Find the member whose Weibull exceedance probability is nearest to the one asked.

    The largest of n totals is exceeded with probability 1 / (n + 1), the smallest with
    n / (n + 1).  Of two equally near, the drier is taken.

    Parameters
    ----------
    totals : ndarray [hm3] (member)

    Source
    ------
    Weibull plotting position: Loucks & van Beek (2017), section 6.3.4.

    Examples
    --------
    >>> nearest_exceedance(np.array([50.0, 10.0, 30.0]), 0.75)
    1
    """
    from_wettest = np.argsort(-np.asarray(totals), kind="stable")
    exceeded = np.arange(1, from_wettest.size + 1) / (from_wettest.size + 1)
    distance = np.abs(exceeded - probability)
    near = np.flatnonzero(distance <= distance.min() + 1e-12)
    return int(from_wettest[near[-1]])


def spans(timeline: Timeline, members: Sequence[Member]) -> tuple[np.ndarray, np.ndarray]:
    """Dates of the record that stand for each period.

    A 29 February for which the record has none takes the day before it.

    Returns
    -------
    starts : first days, datetime64[D] (member, time)
    ends : days after the last ones, datetime64[D] (member, time)
    """
    edges = np.stack([timeline.shifted_edges(member.years) for member in members])
    starts, ends = edges[:, :-1], edges[:, 1:]
    return np.where(starts == ends, starts - _DAY, starts), ends


def resample(
    values: np.ndarray,
    record: Timeline,
    starts: np.ndarray,
    ends: np.ndarray,
    *,
    is_amount: bool = False,
) -> np.ndarray:
    """Share out the values of a series over other periods, by true overlap in days.

    Parameters
    ----------
    values : ndarray (record time, name)
    record : periods of the series; they must cover all that is asked
    starts, ends : first days and days after the last, datetime64[D] (member, time)
    is_amount : values are amounts of their period, which add up in proportion; else they are
        rates, of which the mean weighted by days is taken

    Returns
    -------
    ndarray (name, member, time)

    Raises
    ------
    ValueError
        The record does not cover what is asked.

    Examples
    --------
    >>> months = Timeline("2001-01-01", 2, "month")
    >>> flow = np.array([[31.0], [28.0]])
    >>> day = np.array([["2001-01-31"]], "datetime64[D]")
    >>> resample(flow, months, day, day + 2).tolist()  # one day of each month
    [[[29.5]]]
    >>> resample(flow, months, day, day + 2, is_amount=True).tolist()
    [[[2.0]]]
    """
    edges = record.edges.astype(int)
    start, end = starts.ravel().astype(int), ends.ravel().astype(int)
    if start.size and (start.min() < edges[0] or end.max() > edges[-1]):
        raise ValueError(
            f"series covers {record.edges[0]} to {record.last_days[-1]}, "
            f"asked is {starts.min()} to {ends.max() - _DAY}"
        )
    first = np.searchsorted(edges, start, "right") - 1
    count = np.searchsorted(edges, end, "left") - first
    row = np.repeat(np.arange(start.size), count)
    column = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count) + first[row]
    overlap = np.minimum(end[row], edges[column + 1]) - np.maximum(start[row], edges[column])
    length = (edges[column + 1] - edges[column]) if is_amount else (end - start)[row]
    parts = (overlap / length)[:, np.newaxis] * values[column]
    totals = np.add.reduceat(parts, np.cumsum(count) - count, axis=0)
    return np.ascontiguousarray(totals.T).reshape(-1, *starts.shape)


def value_at(values: np.ndarray, record: Timeline, days: np.ndarray) -> np.ndarray:
    """Values of a series that hold on given days.

    Parameters
    ----------
    values : ndarray (record time, name)
    days : datetime64[D] (member, time), all within the record

    Returns
    -------
    ndarray (name, member, time)
    """
    row = np.searchsorted(record.edges, days.ravel(), "right") - 1
    return np.ascontiguousarray(values[row].T).reshape(-1, *days.shape)


def factors_by_node(
    scale: float | dict[str, float], sub_basins: dict[str, str], with_inflow: Sequence[str]
) -> tuple[dict[str, float], list[tuple[str, str, str]]]:
    """Spell out a scale as factors on the inflow of single nodes.

    Parameters
    ----------
    sub_basins : node -> sub-basin, "" where it has none
    with_inflow : nodes that have an inflow

    Returns
    -------
    factors : node -> factor
    faults : (key, error code, text) each; the key is below ``scale``
    """
    if not isinstance(scale, dict):
        return dict.fromkeys(with_inflow, scale), []
    by_sub_basin = {
        name: [node for node in with_inflow if sub_basins[node] == name]
        for name in sub_basins.values()
        if name
    }
    factors: dict[str, float] = {}
    own: dict[str, float] = {}
    faults = []
    for name, factor in scale.items():
        if name in by_sub_basin and name in sub_basins:
            nodes = listed(by_sub_basin[name])
            text = f"'{name}' is a sub-basin and a node; name the nodes you mean: {nodes}"
        elif name in by_sub_basin:
            factors |= dict.fromkeys(by_sub_basin[name], factor)
            if by_sub_basin[name]:
                continue
            text = f"no node of sub-basin '{name}' has an inflow; remove it"
        elif name in with_inflow:
            own[name] = factor
            continue
        elif name in sub_basins:
            text = f"node '{name}' has no inflow to scale; remove it"
        else:
            near = suggest(name, [*by_sub_basin, *with_inflow])
            known = listed(by_sub_basin) or "none"
            text = f"unknown sub-basin or node '{name}'{near or f'; sub-basins: {known}'}"
        faults.append((name, "E313", text))
    return factors | own, faults
