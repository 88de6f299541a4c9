"""Which dates of the record stand for the periods of a member, and the values there.

Values of a series are shared out by true overlap in days, so months, dekads, weeks and days may be
mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wateralloc.timeline import Timeline

_DAY = np.timedelta64(1, "D")
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


def is_covered(timeline: Timeline, member: Member, record: Span) -> bool:
    """Tell whether the record has every day that a member needs."""
    first, last = needs(timeline, member)
    return bool(record[0] <= first and last < record[1])


def needs(timeline: Timeline, member: Member) -> Span:
    """First and last day of the record that a member needs."""
    starts, ends = spans(timeline, (member,))
    return starts.min(), ends.max() - _DAY


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
