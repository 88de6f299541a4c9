"""Periods of the horizon, the calendar of the year, and values that hold by date of the year."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.units import SECONDS_PER_DAY

STEPS = ("month", "dekad", "week", "day")
WINDOWS = ("period", "month", "season", "year", "horizon")
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def _months(dates: np.ndarray) -> np.ndarray:
    """Months since 1970-01 of dates."""
    return dates.astype("datetime64[M]").astype(int)


def _edges(start: np.datetime64, periods: int, step: str) -> np.ndarray:
    day = start.astype("datetime64[D]")
    count = np.arange(periods + 1)
    if step == "day":
        return day + count
    if step == "week":
        return day + 7 * count
    month = start.astype("datetime64[M]")
    day_of_month = int((day - month.astype("datetime64[D]")).astype(int)) + 1
    if step == "month":
        if day_of_month != 1:
            raise ValueError(f"a month starts on day 1, not on {day}")
        return (month + count).astype("datetime64[D]")
    if step == "dekad":
        if day_of_month not in (1, 11, 21):
            raise ValueError(f"a dekad starts on day 1, 11 or 21, not on {day}")
        dekad = (day_of_month - 1) // 10 + count
        return (month + dekad // 3).astype("datetime64[D]") + 10 * (dekad % 3)
    raise ValueError(f"unknown step '{step}'; use one of {', '.join(STEPS)}")


@dataclass(frozen=True)
class Timeline:
    """A run of periods.

    Parameters
    ----------
    start : first day
    periods : number of periods
    step : ``month``, ``dekad`` (10-day: from the 1st, 11th, 21st), ``week`` (7 days) or ``day``
    water_year_start : month in which the water year starts

    Raises
    ------
    ValueError
        The step is unknown, there is no period, or `start` is not the first day of a step.

    Examples
    --------
    >>> dekads = Timeline("2030-02-01", 3, "dekad")
    >>> (dekads.seconds / 86400).astype(int).tolist()
    [10, 10, 8]
    """

    start: str
    periods: int
    step: str
    water_year_start: int = 1

    def __post_init__(self) -> None:
        if self.periods < 1:
            raise ValueError(f"a timeline has one period or more, not {self.periods}")
        if not 1 <= self.water_year_start <= 12:
            raise ValueError(f"a water year starts in month 1 to 12, not {self.water_year_start}")
        _edges(np.datetime64(self.start, "D"), 1, self.step)  # raises where they do not fit

    @cached_property
    def edges(self) -> np.ndarray:
        """Boundaries of the periods, datetime64[D] (periods + 1)."""
        return _edges(np.datetime64(self.start, "D"), self.periods, self.step)

    @property
    def starts(self) -> np.ndarray:
        """First day of each period, datetime64[D] (time)."""
        return self.edges[:-1]

    @property
    def last_days(self) -> np.ndarray:
        """Last day of each period, datetime64[D] (time)."""
        return self.edges[1:] - 1

    @cached_property
    def days(self) -> np.ndarray:
        """Length of each period in days (time)."""
        return np.diff(self.edges).astype(float)

    @cached_property
    def seconds(self) -> np.ndarray:
        """Length of each period in seconds (time)."""
        return self.days * SECONDS_PER_DAY

    @property
    def labels(self) -> list[str]:
        """First day of each period as text."""
        return [str(day) for day in self.starts]

    @property
    def index(self) -> pd.DatetimeIndex:
        """First days as a pandas index."""
        return pd.DatetimeIndex(self.starts.astype("datetime64[ns]"))

    @cached_property
    def water_year(self) -> np.ndarray:
        """Water year of each period, named by the calendar year in which it starts (time)."""
        months = _months(self.starts)
        return 1970 + (months - (self.water_year_start - 1)) // 12

    @cached_property
    def month(self) -> np.ndarray:
        """Calendar month 1..12 of each period's first day (time)."""
        return _months(self.starts) % 12 + 1

    def window(self, name: str, months: Sequence[int] | None = None) -> np.ndarray:
        """Number the windows of the horizon.

        Parameters
        ----------
        name : ``period``, ``month``, ``season`` (a run of the named months), ``year`` (water
            year) or ``horizon``
        months : months that belong to the season; other periods get -1 (in no window)

        Returns
        -------
        ndarray of int (time)
            Window of each period, from 0; -1 where the period is in none.
        """
        if name == "period":
            key = np.arange(self.periods)
        elif name == "month":
            key = _months(self.starts)
        elif name == "year":
            key = self.water_year
        elif name == "horizon":
            key = np.zeros(self.periods, int)
        elif name == "season":
            inside = np.isin(self.month, list(months or range(1, 13)))
            key = np.cumsum(np.diff(inside, prepend=False) & inside)
        else:
            raise ValueError(f"unknown window '{name}'; use one of {', '.join(WINDOWS)}")
        active = np.isin(self.month, list(months)) if months else np.ones(self.periods, bool)
        number = np.full(self.periods, -1)
        number[active] = np.unique(key[active], return_inverse=True)[1]
        return number

    def shifted_edges(self, years: int) -> np.ndarray:
        """Boundaries moved by whole years; 29 February becomes 1 March where there is none."""
        month = self.edges.astype("datetime64[M]")
        day = (self.edges - month.astype("datetime64[D]")).astype(int)
        moved = month + 12 * years
        length = ((moved + 1).astype("datetime64[D]") - moved.astype("datetime64[D]")).astype(int)
        return moved.astype("datetime64[D]") + np.minimum(day, length)


def _next_start(days: np.ndarray, step: str) -> np.ndarray:
    """First day of the period after each; not-a-date where a day is no first day of the step."""
    if step in ("day", "week"):
        return days + (7 if step == "week" else 1)
    month = days.astype("datetime64[M]")
    day_of_month = (days - month.astype("datetime64[D]")).astype(int) + 1
    following = (month + 1).astype("datetime64[D]")
    if step == "month":
        return np.where(day_of_month == 1, following, np.datetime64("NaT"))
    following = np.where(day_of_month == 21, following, days + 10)
    return np.where(np.isin(day_of_month, (1, 11, 21)), following, np.datetime64("NaT"))


def calendar_breaks(days: np.ndarray) -> tuple[str, list[tuple[int, str]]]:
    """Find the step of a run of first days, and where they leave it.

    A single day is taken as a month where it is the first of one.

    Parameters
    ----------
    days : datetime64[D] (time)

    Returns
    -------
    step : the calendar step that most of the days follow
    breaks : row and what is wrong there, e.g. ``comes after 2001-01-11; 2001-01-21 is missing``

    Examples
    --------
    >>> dates = ["2001-01-01", "2001-02-01", "2001-04-01", "2001-05-01"]
    >>> calendar_breaks(np.array(dates, "datetime64[D]"))
    ('month', [(2, 'follows 2001-02-01 where 2001-03-01 should (month steps)')])
    """
    follows = {step: _next_start(days, step) for step in STEPS}
    n_right = {step: int((after[:-1] == days[1:]).sum()) for step, after in follows.items()}
    step = max(STEPS, key=n_right.__getitem__)
    if not n_right[step]:
        if len(days) == 1 and not np.isnat(follows["month"][0]):
            return "month", []
        return step, [(len(days) - 1, "does not show a step")]
    breaks: list[tuple[int, str]] = []
    for row in np.flatnonzero(follows[step][:-1] != days[1:]) + 1:
        before, expected = days[row - 1], follows[step][row - 1]
        if breaks and breaks[-1][0] == row - 1:
            # one odd date between two that are right is one fault
            skipped = _next_start(follows[step][row - 2 : row - 1], step)
            if skipped == days[row]:
                continue
        should = "" if np.isnat(expected) else f" where {expected} should"
        breaks.append((int(row), f"follows {before}{should} ({step} steps)"))
    return step, breaks


def infer_timeline(dates: Iterable[Any]) -> Timeline:
    """Find the timeline whose periods start on the given dates.

    Raises
    ------
    ValueError
        Where the dates follow none of the calendar steps; the text names the first odd date.
    """
    days = np.array(list(dates), dtype="datetime64[D]")
    if not days.size:
        raise ValueError("there are no dates")
    step, breaks = calendar_breaks(days)
    if breaks:
        row, text = breaks[0]
        raise ValueError(f"date {days[row]} {text}")
    return Timeline(str(days[0]), len(days), step)


@dataclass(frozen=True)
class Pattern:
    """A value by date of the year: it holds from its start until the next one, around the year.

    Attributes
    ----------
    starts : (month, day) pairs, increasing
    values : one value each
    unit : suffix of the unit, ``1`` when dimensionless
    """

    name: str
    starts: tuple[tuple[int, int], ...]
    values: tuple[float, ...]
    unit: str = "1"

    @cached_property
    def by_day(self) -> np.ndarray:
        """Value on each day of a 365-day year (365)."""
        first = np.concatenate([[0], np.cumsum(_DAYS)])
        day_of_year = np.array([first[month - 1] + day - 1 for month, day in self.starts])
        return np.asarray(self.values)[np.searchsorted(day_of_year, np.arange(365), "right") - 1]

    def on(self, days: np.ndarray) -> np.ndarray:
        """Value on given days (datetime64[D]); 29 February takes 28 February's."""
        return self.by_day[day_of_year(days)]

    def mean(self, timeline: Timeline) -> np.ndarray:
        """Mean over each period (time)."""
        return period_sum(self.on(horizon_days(timeline)), timeline) / timeline.days

    def at_end(self, timeline: Timeline) -> np.ndarray:
        """Value on the last day of each period (time)."""
        return self.on(timeline.last_days)


def years_between(first: np.datetime64, end: np.datetime64) -> float:
    """Length of a run of days in years: 1 from a date to the same date a year later.

    Examples
    --------
    >>> years_between(np.datetime64("2001-06-01"), np.datetime64("2002-06-01"))
    1.0
    """
    months = []
    for day in (first.astype("datetime64[D]"), end.astype("datetime64[D]")):
        month = day.astype("datetime64[M]")
        start, next_ = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        months.append(month.astype(int) + (day - start) / (next_ - start))
    return float(months[1] - months[0]) / 12.0


def day_of_year(days: np.ndarray) -> np.ndarray:
    """Day of a 365-day year, from 0; 29 February counts as 28 February."""
    month = days.astype("datetime64[M]")
    day = (days - month.astype("datetime64[D]")).astype(int)
    number = _months(days) % 12
    first = np.concatenate([[0], np.cumsum(_DAYS)])
    return first[number] + np.minimum(day, _DAYS[number] - 1)


def horizon_days(timeline: Timeline) -> np.ndarray:
    """Every day of the horizon, datetime64[D]."""
    return np.arange(timeline.edges[0], timeline.edges[-1])


def period_sum(daily: np.ndarray, timeline: Timeline) -> np.ndarray:
    """Sum of a daily array (days,) over each period (time)."""
    offsets = (timeline.edges[:-1] - timeline.edges[0]).astype(int)
    return np.add.reduceat(daily, offsets)
