"""Values by date of the year in a case file: a number, a pattern, months, or a span of days.

.. code-block:: yaml

    flow_m3s: 1200                                      # all year
    flow_m3s: pattern:son_tay_minimum                   # from patterns.csv of the basin
    flow_m3s: {months: [1, 2], value: 1200}             # in these months only
    flow_m3s: {from: 01-21, to: 02-10, value: 1600}     # both days included, around New Year too
    flow_m3s: [{months: [1, 2], value: 1200}, {from: 01-21, to: 02-10, value: 1600}]

In a list a later entry wins on the days that both name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
)

from wateralloc.errors import listed, suggest
from wateralloc.timeline import Pattern, Timeline, day_of_year, horizon_days, period_sum
from wateralloc.units import UNITS

PREFIX = "pattern:"
_LEAP_YEAR = "2000-"


def _pattern_text(text: str) -> str:
    if not re.fullmatch(rf"{PREFIX}\S+", text):
        raise ValueError("must be a number, or pattern:NAME")
    return text


def _date_of_year(text: str) -> str:
    try:
        if not re.fullmatch(r"\d\d-\d\d", text):
            raise ValueError
        np.datetime64(_LEAP_YEAR + text)
    except ValueError:
        raise ValueError("must be a date of the year, written MM-DD as in 01-21") from None
    return text


def _kind_of_amount(value: Any) -> str:
    return "by pattern" if isinstance(value, str) else "as number"


def _kind_of_entry(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "as list"
    if isinstance(value, Mapping):
        return "as span" if {"from", "to"} & set(value) else "in months"
    if isinstance(value, BaseModel):
        return "as span" if isinstance(value, Span) else "in months"
    return _kind_of_amount(value)


Number = Annotated[
    float,
    Field(strict=True, ge=0, allow_inf_nan=False, description="value in the unit of the key"),
]
PatternText = Annotated[
    str,
    AfterValidator(_pattern_text),
    Field(
        description="pattern of the basin: pattern:NAME",
        json_schema_extra={"pattern": rf"^{PREFIX}\S+$"},
    ),
]
Amount = Annotated[
    Annotated[Number, Tag("as number")] | Annotated[PatternText, Tag("by pattern")],
    Discriminator(_kind_of_amount),
]
DateOfYear = Annotated[
    str,
    AfterValidator(_date_of_year),
    Field(json_schema_extra={"pattern": r"^[0-9]{2}-[0-9]{2}$"}),
]
Month = Annotated[int, Field(strict=True, ge=1, le=12)]


class InMonths(BaseModel):
    """A value that holds in the named months."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    months: Annotated[
        tuple[Month, ...],
        Field(min_length=1, description="months in which the value holds, 1 to 12"),
    ]
    value: Annotated[Amount, Field(description="value in the unit of the key, or pattern:NAME")]

    def named(self) -> np.ndarray:
        """Mark the days of a 365-day year that it names (365)."""
        days = np.datetime64("2001-01-01") + np.arange(365)
        month = days.astype("datetime64[M]").astype(int) % 12 + 1
        return np.isin(month, self.months)


class Span(BaseModel):
    """A value that holds from a day of the year to another, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[DateOfYear, Field(alias="from", description="first day, MM-DD")]
    end: Annotated[
        DateOfYear,
        Field(alias="to", description="last day, MM-DD; before `from`: in the next year"),
    ]
    value: Annotated[Amount, Field(description="value in the unit of the key, or pattern:NAME")]

    def named(self) -> np.ndarray:
        """Mark the days of a 365-day year that it names (365)."""
        first, last = day_of_year(
            np.array([_LEAP_YEAR + self.start, _LEAP_YEAR + self.end], "datetime64[D]")
        )
        day = np.arange(365)
        if first <= last:
            return (day >= first) & (day <= last)
        return (day >= first) | (day <= last)


Entry = (
    Annotated[Number, Tag("as number")]
    | Annotated[PatternText, Tag("by pattern")]
    | Annotated[InMonths, Tag("in months")]
    | Annotated[Span, Tag("as span")]
)
Entries = Annotated[
    tuple[Annotated[Entry, Discriminator(_kind_of_entry)], ...], Field(min_length=1)
]


class Seasonal(
    RootModel[Annotated[Entry | Annotated[Entries, Tag("as list")], Discriminator(_kind_of_entry)]]
):
    """A value by date of the year.

    Examples
    --------
    >>> dry = Seasonal({"months": [1, 2], "value": 1200.0})
    >>> year = Timeline("2030-01-01", 3, "month")
    >>> dry.on(year, {}).tolist(), dry.active(year).tolist()
    ([1200.0, 1200.0, 0.0], [True, True, False])
    """

    model_config = ConfigDict(frozen=True)

    def entries(self) -> tuple[float | str | InMonths | Span, ...]:
        """Entries, the later of which wins."""
        return self.root if isinstance(self.root, tuple) else (self.root,)

    def pattern_names(self) -> Iterator[str]:
        """Yield the patterns it asks for."""
        for entry in self.entries():
            value = _amount(entry)
            if isinstance(value, str):
                yield value.removeprefix(PREFIX)

    def check(
        self, key: str, patterns: Mapping[str, Pattern], dimension: str
    ) -> list[tuple[str, str, str]]:
        """Faults of the patterns it asks for: (key, error code, text) each.

        Parameters
        ----------
        key : key of the case file in which it stands
        dimension : what the key measures, as ``flow`` or ``volume``
        """
        faults = []
        for name in self.pattern_names():
            if name not in patterns:
                near = suggest(name, patterns) or f"; known: {listed(patterns) or 'none'}"
                faults.append((key, "E223", f"unknown pattern '{name}'{near}"))
                continue
            unit = patterns[name].unit
            if unit not in UNITS or UNITS[unit].dimension != dimension:
                fitting = [suffix for suffix, u in UNITS.items() if u.dimension == dimension]
                faults.append(
                    (
                        key,
                        "E223",
                        f"pattern '{name}' has unit '{unit}', which is no {dimension}; "
                        f"{key} takes a pattern in {listed(fitting)}",
                    )
                )
        return faults

    def by_day(self, patterns: Mapping[str, Pattern]) -> np.ndarray:
        """Value on each day of a 365-day year; 0 on days it does not name (365)."""
        values = np.zeros(365)
        for entry in self.entries():
            value = _amount(entry)
            daily = patterns[value.removeprefix(PREFIX)].by_day if isinstance(value, str) else value
            values = np.where(_named(entry), daily, values)
        return values

    def named(self) -> np.ndarray:
        """Mark the days of a 365-day year that any entry names (365)."""
        named = np.zeros(365, bool)
        for entry in self.entries():
            named |= _named(entry)
        return named

    def on(self, timeline: Timeline, patterns: Mapping[str, Pattern]) -> np.ndarray:
        """Mean over each period of the daily value, 0 on days it does not name (time)."""
        daily = self.by_day(patterns)[day_of_year(horizon_days(timeline))]
        return period_sum(daily, timeline) / timeline.days

    def active(self, timeline: Timeline) -> np.ndarray:
        """Mark the periods with at least one day that it names (time)."""
        daily = self.named()[day_of_year(horizon_days(timeline))]
        return period_sum(daily.astype(int), timeline) > 0

    def at_end(self, timeline: Timeline, patterns: Mapping[str, Pattern]) -> np.ndarray:
        """Value on the last day of each period, 0 where it does not name that day (time)."""
        return self.by_day(patterns)[day_of_year(timeline.last_days)]

    def active_at_end(self, timeline: Timeline) -> np.ndarray:
        """Mark the periods whose last day it names (time)."""
        return self.named()[day_of_year(timeline.last_days)]


def _amount(entry: float | str | InMonths | Span) -> float | str:
    return entry.value if isinstance(entry, InMonths | Span) else entry


def _named(entry: float | str | InMonths | Span) -> np.ndarray:
    return entry.named() if isinstance(entry, InMonths | Span) else np.ones(365, bool)
