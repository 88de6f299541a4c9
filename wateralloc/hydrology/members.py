"""Members: which years of the record stand for the years of a case.

A member is the record moved by whole years onto the timeline of the case, or a synthetic series.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wateralloc.hydrology.record import Member, Span, is_covered, needs
from wateralloc.hydrology.synthetic import Synthetic
from wateralloc.hydrology.upstream import Scale
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Timeline

_DAY = np.timedelta64(1, "D")
CHOICES = ("members", "year", "years", "exceedance", "synthetic")
"""Keys of which one at most says what the members are."""
Totals = Callable[["tuple[Member, ...]"], np.ndarray]

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
    synthetic: Annotated[
        Synthetic | None, Field(description="members made from the record by chance")
    ] = None
    scale: Annotated[
        Scale,
        Field(
            description="factor on inflow: a number, or by date (1 on days not named), or one for "
            "each sub-basin or node named; a node's own factor takes the place of its sub-basin's"
        ),
    ] = 1.0
    withdrawal_m3s: Annotated[
        dict[str, Seasonal],
        Field(
            description="node -> what is taken upstream off its inflow, by date, after scale; "
            "never more than flows"
        ),
    ] = {}

    @model_validator(mode="after")
    def _one_choice(self) -> Hydrology:
        given = [key for key in CHOICES if getattr(self, key) is not None]
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
            key = next((k for k in CHOICES[1:] if getattr(self, k) is not None), None)
            if key is None:
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
            first, last = needs(timeline, own)
            return (own,), [
                (
                    "record",
                    "E232",
                    f"horizon needs {first} to {last} but {covers}; "
                    "move the timeline, or write record: historic",
                )
            ]
        if self.synthetic is not None:
            text = self.synthetic.fault(timeline, record)
            return self.synthetic.all_members, [("synthetic", "E350", text)] if text else []
        all_members = historic_members(timeline, record)
        if not all_members:
            first, last = needs(timeline, own)
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
        first, last = needs(timeline, Member(name, int(name[:4]) - int(start[:4])))
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
