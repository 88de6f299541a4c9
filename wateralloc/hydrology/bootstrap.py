"""Synthetic members by drawing periods of the record again, each after one like the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wateralloc.hydrology.years import RecordYears, generator, pairs_of_dates
from wateralloc.timeline import Timeline

MEMORY_DAYS = 182
"""Time over which the second flow that is compared is a mean: half a year."""
ROUNDS = 200
"""Rounds of balancing; years of the flagship's record then come equally often within 1e-4."""


@dataclass(frozen=True)
class Step:
    """From a period to the next: what may follow each year of the record.

    Attributes
    ----------
    after : rows of the record years that may come (choice)
    up_to : chance that one of the first choices comes, for each row of the period before
        (year, choice)
    """

    after: np.ndarray
    up_to: np.ndarray


@dataclass(frozen=True)
class Bootstrap:
    """A chain of years of the record, from period to period.

    Attributes
    ----------
    first : rows with which a member may start
    steps : by two dates of the year
    pair : which step leads to each period; that of the first is not used (time)
    """

    first: np.ndarray
    steps: tuple[Step, ...]
    pair: np.ndarray

    def draw(self, seed: int, numbers: Sequence[int]) -> np.ndarray:
        """Draw for each period of each member the year of the record that stands for it.

        Parameters
        ----------
        seed, numbers : member k depends on the seed and on its number alone

        Returns
        -------
        ndarray of int (member, time)
            Rows of the record years.
        """
        chance = np.stack([generator(seed, number).random(self.pair.size) for number in numbers])
        rows = np.empty(chance.shape, int)
        rows[:, 0] = self.first[(chance[:, 0] * self.first.size).astype(int)]
        for t in range(1, self.pair.size):
            step = self.steps[self.pair[t]]
            choice = (chance[:, t, np.newaxis] >= step.up_to[rows[:, t - 1]]).sum(axis=1)
            rows[:, t] = step.after[choice]
        return rows


def fit_bootstrap(
    years: RecordYears,
    timeline: Timeline,
    inflow: np.ndarray,
    record: Timeline,
    neighbours: int | None = None,
) -> Bootstrap:
    """Find what may follow each period of the record.

    What comes next is what followed one of the periods of the same date that are like the last one:
    each is among the k likest of the other, and has weight 1 / j where it is the j-th likest (the
    larger j of the two).  Three things are compared: the inflow of the
    whole basin in the last period; that of each site, the mean of which squares counts; and that of
    the basin in the half year up to then (since the record began, where that is less).  All are
    cube roots, over their spread at that date.  The weights are then balanced, so that every year
    of the record comes equally often, and means, variances and skews are those of the record.

    All sites and all series take the same dates, so what goes together in the record does so in the
    member.

    Parameters
    ----------
    timeline : periods of the case
    inflow : ndarray [m3/s] (record time, site)
    record : periods of the record
    neighbours : k; default: the root of the number of years, rounded

    Source
    ------
    Lall & Sharma (1996): k nearest neighbours with k = sqrt(n) and weights 1 / j.  Sharma & O'Neill
    (2002): flow of a longer time as a second predictor, without which years differ too little.
    Sinkhorn & Knopp (1967): balancing; without it extreme years, which are seldom near another,
    come too seldom, and the variance falls.
    """
    total = inflow.sum(axis=1, keepdims=True)
    # what is compared, each by one or more flows (flow, year, time)
    features = (
        years.values(total, record),
        years.values(inflow[:, np.ptp(inflow, axis=0) > 0], record),
        years.up_to_end(MEMORY_DAYS).values(total, record),
    )
    n_rows = len(years.starts)
    pair, periods = pairs_of_dates(timeline)
    steps = []
    for t in periods:
        if t == 0:
            steps.append(Step(np.empty(0, int), np.empty((0, 0))))
            continue
        before, after = years.follows(t)
        there = np.flatnonzero(years.is_there[:, t - 1])
        distance = np.zeros((there.size, before.size))
        for flows in features:
            distance += _distance(flows[:, :, t - 1], there, before)
        # a period is most like itself, also where others are the same
        distance[there[:, np.newaxis] == before] = -1.0
        count = min(neighbours or round(np.sqrt(before.size)), before.size)
        up_to = np.ones((n_rows, before.size))
        weights = _weights(distance, count)
        # only where each is among the likest of the other can the weights be balanced
        both = np.isin(there, before)
        weights[both] = np.minimum(weights[both], weights[both].T)
        chance = np.cumsum(_balance(weights), axis=1)
        up_to[there] = chance / chance[:, -1:]
        steps.append(Step(after, up_to))
    return Bootstrap(np.flatnonzero(years.is_there[:, 0]), tuple(steps), pair)


def _distance(flows: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Squared distance of some years from others, the mean over flows (row, other).

    Parameters
    ----------
    flows : ndarray (flow, year)
    """
    root = np.cbrt(flows)
    spread = root[:, others].std(axis=1)
    # a flow that is the same each year tells nothing
    varies = spread > 1e-9 * np.abs(root[:, others]).max(axis=1)
    distance = np.zeros((rows.size, others.size))
    for of_flow, over in zip(root[varies], spread[varies], strict=True):
        distance += ((of_flow[rows][:, np.newaxis] - of_flow[others]) / over) ** 2
    return distance / max(int(varies.sum()), 1)


def _weights(distance: np.ndarray, count: int) -> np.ndarray:
    """1 for the nearest, 1 / 2 for the next, to 1 / count; 0 for the others (row, other)."""
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :count]
    weights = np.zeros(distance.shape)
    np.put_along_axis(weights, nearest, 1.0 / np.arange(1, count + 1), axis=1)
    return weights


def _balance(weights: np.ndarray) -> np.ndarray:
    """Scale rows and columns until rows add up to 1 and columns to the same.

    Examples
    --------
    >>> _balance(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.5, 1.0]])).round(2).tolist()
    [[0.67, 0.33, 0.0], [0.33, 0.67, 0.0], [0.0, 0.0, 1.0]]
    """
    share = len(weights) / weights.shape[1]
    for _ in range(ROUNDS):
        weights = weights * (share / weights.sum(axis=0))
        weights = weights / weights.sum(axis=1, keepdims=True)
    return weights
