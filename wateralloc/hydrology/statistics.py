"""Statistics of flow: of a sample, by month and by year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wateralloc.hydrology.record import resample
from wateralloc.timeline import Timeline
from wateralloc.units import SECONDS_PER_DAY, hm3_of_m3s


def deviation(sample: np.ndarray) -> np.ndarray:
    """Standard deviation, of n - 1, of each column (sample, column); 0 where all are equal."""
    if len(sample) < 2:
        return np.zeros(sample.shape[1])
    spread = sample.std(axis=0, ddof=1)
    return np.where(np.ptp(sample, axis=0) > 1e-12 * np.abs(sample).max(axis=0), spread, 0.0)


def skewness(sample: np.ndarray) -> np.ndarray:
    """Skew of each column (sample, column), corrected for a small sample; 0 where all are equal."""
    n = len(sample)
    spread = deviation(sample)
    if n < 3:
        return np.zeros(sample.shape[1])
    away = (sample - sample.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, n / ((n - 1) * (n - 2)) * (away**3).sum(axis=0), 0.0)


def correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of each column of one sample with each of another; 0 where one does not vary."""
    return _standard(one).T @ _standard(other) / (len(one) - 1)


def own_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of each column of one sample with the same of another (column)."""
    return (_standard(one) * _standard(other)).sum(axis=0) / (len(one) - 1)


def _standard(sample: np.ndarray) -> np.ndarray:
    spread = deviation(sample)
    away = sample - sample.mean(axis=0)
    return np.where(spread > 0, away, 0.0) / np.where(spread > 0, spread, 1.0)


# --- by month and year ------------------------------------------------------------------------


@dataclass(frozen=True)
class Monthly:
    """Flow of whole months in a row.

    Attributes
    ----------
    flow : ndarray [m3/s] (site, member, month)
    months : first days, datetime64[M] (month)
    """

    flow: np.ndarray
    months: np.ndarray

    def of(self, calendar: int) -> np.ndarray:
        """Places of the months that are the one of the calendar, 1 to 12."""
        return np.flatnonzero(self.months.astype(int) % 12 + 1 == calendar)

    def sample(self, places: np.ndarray) -> np.ndarray:
        """Flow of all members in some months (sample, site)."""
        return self.flow[:, :, places].reshape(len(self.flow), -1).T

    def annual(self, first: int) -> np.ndarray:
        """Volume of whole years that start in a month of the calendar [hm3] (sample, site)."""
        starts = [k for k in self.of(first) if k + 12 <= self.months.size]
        days = np.diff(np.append(self.months, self.months[-1] + 1).astype("datetime64[D]"))
        volume = hm3_of_m3s(self.flow, days.astype(float) * SECONDS_PER_DAY)
        years = [volume[:, :, k : k + 12].sum(axis=2) for k in starts]
        return np.concatenate(years, axis=1).T if years else np.empty((0, len(self.flow)))


def by_month(flow: np.ndarray, timeline: Timeline) -> Monthly:
    """Share out flow over the whole months within a horizon, by days.

    Parameters
    ----------
    flow : ndarray [m3/s] (site, member, time)
    """
    first = timeline.edges[0].astype("datetime64[M]")
    first += first.astype("datetime64[D]") < timeline.edges[0]
    months = np.arange(first, timeline.edges[-1].astype("datetime64[M]"))
    days = np.append(months, first + months.size).astype("datetime64[D]")
    if not months.size:
        return Monthly(np.empty((*flow.shape[:2], 0)), months)
    found = np.stack(
        [
            resample(of_site.T, timeline, days[np.newaxis, :-1], days[np.newaxis, 1:])[:, 0]
            for of_site in flow
        ]
    )
    return Monthly(found, months)


def least_of_years(annual: np.ndarray, n_years: int) -> np.ndarray:
    """Smallest year that is to be expected among n: the mean over all choices of n of the sample.

    Parameters
    ----------
    annual : ndarray (sample, site), of n years or more

    Examples
    --------
    >>> least_of_years(np.array([[3.0], [1.0], [2.0]]), 2).round(3).tolist()
    [1.333]
    """
    chance, n = [], len(annual)
    left = 1.0
    for k in range(n - n_years + 1):
        # that the smallest chosen is the k-th, none below it being among them
        chance.append(left * n_years / (n - k))
        left -= chance[-1]
    return np.asarray(chance) @ np.sort(annual, axis=0)[: len(chance)]
