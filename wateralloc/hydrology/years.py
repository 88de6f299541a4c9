"""The years of the record side by side, on the periods of a case: what synthetic series draw on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wateralloc.hydrology.record import Span, resample
from wateralloc.timeline import Timeline

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class RecordYears:
    """For each period of a case, the same dates in every year of the record.

    Row k of period t is followed in the record by row ``k + wraps[t + 1]`` of period t + 1.

    Attributes
    ----------
    starts, ends : first days and days after the last, datetime64[D] (year, time)
    is_there : whether the record has all days of it (year, time)
    wraps : 1 where a year of the horizon has passed since the period before, else 0 (time)
    """

    starts: np.ndarray
    ends: np.ndarray
    is_there: np.ndarray
    wraps: np.ndarray

    def follows(self, period: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the period before one that the record has with what followed, and those rows.

        Returns
        -------
        before, after : rows of the period before, and of the period (pair)
        """
        before = np.arange(len(self.starts) - self.wraps[period])
        after = before + self.wraps[period]
        both = self.is_there[before, period - 1] & self.is_there[after, period]
        return before[both], after[both]

    def up_to_end(self, days: int) -> RecordYears:
        """Take some days up to the end of each period in place of the period.

        Days before the record are left out.
        """
        first = self.starts[self.is_there].min()
        return replace(self, starts=np.maximum(self.ends - days, first))

    def values(
        self, values: np.ndarray, record: Timeline, *, is_amount: bool = False
    ) -> np.ndarray:
        """Values of a series; NaN where the record has not all days.

        Parameters
        ----------
        values : ndarray (record time, name)

        Returns
        -------
        ndarray (name, year, time)
        """
        found = np.full((values.shape[1], *self.starts.shape), np.nan)
        starts, ends = self.starts[self.is_there], self.ends[self.is_there]
        found[:, self.is_there] = resample(values, record, starts, ends, is_amount=is_amount)
        return found

    @property
    def n_least(self) -> int:
        """Years of the record behind the period that has fewest, with the period before it."""
        n_alone = int(self.is_there.sum(axis=0).min())
        n_pairs = [len(self.follows(t)[0]) for t in range(1, self.starts.shape[1])]
        return min([n_alone, *n_pairs])


def generator(seed: int, number: int) -> np.random.Generator:
    """Source of chance of one synthetic member, whatever other members there are."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, number))))


def record_years(timeline: Timeline, record: Span) -> RecordYears:
    """Lay the years of the record beside the periods of a case.

    Parameters
    ----------
    record : first day of the record and the day after its last
    """
    months = timeline.starts.astype("datetime64[M]").astype(int)
    passed = (months - months[0]) // 12
    first_year = int(timeline.labels[0][:4])
    # a year more at both ends, as the horizon may start in another month than the record
    first, last = (
        int(str(day)[:4]) + k - first_year for day, k in zip(record, (-1, 1), strict=True)
    )
    shifts = np.arange(first - passed[-1], last + 1)
    edges = np.stack([timeline.shifted_edges(int(years)) for years in shifts])
    # row of `edges` in which year k of the record stands beside each period
    row = np.arange(last - first + 1)[:, np.newaxis] + passed[-1] - passed
    time = np.arange(timeline.periods)
    starts, ends = edges[row, time], edges[row, time + 1]
    starts = np.where(starts == ends, starts - _DAY, starts)
    is_there = (record[0] <= starts) & (ends <= record[1])
    return RecordYears(starts, ends, is_there, np.diff(passed, prepend=passed[0]))


def dates_of_year(timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """Number the dates of the year: that of each period (time), and a period of each (date).

    Periods of two years have one date where they start and end on the same days of the year.
    """
    spans = [
        f"{start[5:]} {str(last)[5:]}"
        for start, last in zip(timeline.labels, timeline.last_days, strict=True)
    ]
    _, period, date = np.unique(spans, return_index=True, return_inverse=True)
    return date, period


def pairs_of_dates(timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """Number the pairs of a date and the one before it.

    Returns
    -------
    pair : of each period; that of the first, before which there is none, has no other (time)
    periods : a period of each pair (pair)
    """
    date, _ = dates_of_year(timeline)
    both = np.stack([np.concatenate([[-1], date[:-1]]), date])
    _, periods, pair = np.unique(both, axis=1, return_index=True, return_inverse=True)
    return pair.ravel(), periods
