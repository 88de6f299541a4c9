"""How well users are served: reliability, resilience, vulnerability and equity.

Pure functions of DataArrays.  Each reduces the dimension ``time`` (equity: that of the claimants)
and keeps all others, so members, demands or regions go through in one call.  Volumes are hm3 of
the period.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

SHORT = 1e-6
"""A period is short when its deficit is above this share of its demand."""
NOISE = 1e-9
"""A deficit up to this volume [hm3] is rounding of the solver, however small the demand."""


def is_short(demand: xr.DataArray, withdrawal: xr.DataArray) -> xr.DataArray:
    """Tell which periods are failures: something was asked and not all of it was given.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3] (..., time)

    Returns
    -------
    DataArray of bool (..., time)
        Never true where nothing is asked.

    Equation
    --------
    demand(t) - withdrawal(t) > max(1e-6 demand(t), 1e-9 hm3).

    Examples
    --------
    >>> asked = xr.DataArray([0.0, 10.0, 10.0], dims="time")
    >>> is_short(asked, xr.DataArray([0.0, 10.0, 9.9], dims="time")).values.tolist()
    [False, False, True]
    """
    return (demand - withdrawal) > np.maximum(SHORT * demand, NOISE)


def time_reliability(short: xr.DataArray) -> xr.DataArray:
    """Share of all periods of the horizon that are not short.

    A period in which nothing is asked counts as served; a user who never asks has 1.

    Parameters
    ----------
    short : DataArray of bool (..., time)

    Equation
    --------
    1 - number of short periods / number of periods.

    Source
    ------
    Hashimoto, Stedinger & Loucks (1982), Reliability, resiliency, and vulnerability criteria for
    water resource system performance evaluation, Water Resources Research 18(1): reliability.

    Examples
    --------
    >>> float(time_reliability(xr.DataArray([True, False, False, False], dims="time")))
    0.75
    """
    return 1.0 - short.mean("time")


def volume_reliability(demand: xr.DataArray, withdrawal: xr.DataArray) -> xr.DataArray:
    """Share of the volume asked over the horizon that is withdrawn; 1 where nothing is asked.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3] (..., time)

    Equation
    --------
    sum over t of withdrawal(t) / sum over t of demand(t).

    Source
    ------
    Kundzewicz & Kindler (1995), Multiple criteria for evaluation of reliability aspects of water
    resource systems, IAHS Publication 231 (volumetric reliability).

    Examples
    --------
    >>> asked = xr.DataArray([10.0, 30.0], dims="time")
    >>> float(volume_reliability(asked, xr.DataArray([10.0, 20.0], dims="time")))
    0.75
    """
    return satisfaction(demand.sum("time"), withdrawal.sum("time"))


def satisfaction(demand: xr.DataArray, withdrawal: xr.DataArray) -> xr.DataArray:
    """Withdrawal over demand; 1 where nothing is asked.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3]

    Equation
    --------
    withdrawal / demand.

    Examples
    --------
    >>> satisfaction(xr.DataArray([0.0, 4.0]), xr.DataArray([0.0, 1.0])).values.tolist()
    [1.0, 0.25]
    """
    asked = demand > 0
    return xr.where(asked, withdrawal / xr.where(asked, demand, 1.0), 1.0)


def resilience(short: xr.DataArray) -> xr.DataArray:
    """Share of short periods that are followed by one that is not; 1 where none is short.

    How likely it is to be out of a shortage in the next period.  A horizon that ends in a shortage
    shows no recovery from it.

    Parameters
    ----------
    short : DataArray of bool (..., time)

    Equation
    --------
    number of t with short(t) and not short(t + 1) / number of t with short(t).

    Source
    ------
    Hashimoto, Stedinger & Loucks (1982): resiliency.

    Examples
    --------
    >>> float(resilience(xr.DataArray([True, True, False, True, False], dims="time")))
    0.6666666666666666
    """
    recovered = (short & ~short.shift(time=-1, fill_value=True)).sum("time")
    n_short = short.sum("time")
    return xr.where(n_short > 0, recovered / n_short.clip(min=1), 1.0)


def vulnerability(severity: xr.DataArray, short: xr.DataArray) -> xr.DataArray:
    """Mean over runs of short periods of the most severe period of each; 0 where none is short.

    Parameters
    ----------
    severity : DataArray (..., time)
        Deficit [hm3], or deficit over demand [1].
    short : DataArray of bool (..., time)

    Equation
    --------
    mean over runs j of max over t in j of severity(t).

    Source
    ------
    Hashimoto, Stedinger & Loucks (1982): vulnerability, each run with the same probability.

    Examples
    --------
    >>> deficit = xr.DataArray([1.0, 3.0, 0.0, 5.0], dims="time")
    >>> float(vulnerability(deficit, deficit > 0))  # runs of 3 and 5
    4.0
    """
    return xr.apply_ufunc(
        _mean_of_run_maxima, severity, short, input_core_dims=[["time"], ["time"]]
    )


def _mean_of_run_maxima(severity: np.ndarray, short: np.ndarray) -> np.ndarray:
    worst, total, n_runs = (np.zeros(short.shape[:-1]) for _ in range(3))
    for t in range(short.shape[-1]):
        now = short[..., t]
        worst = np.where(now, np.maximum(worst, severity[..., t]), 0.0)
        is_last = t + 1 == short.shape[-1]
        ends = now if is_last else now & ~short[..., t + 1]
        total += np.where(ends, worst, 0.0)
        n_runs += ends
    return total / np.maximum(n_runs, 1.0)


def worst_period(severity: xr.DataArray, short: xr.DataArray) -> xr.DataArray:
    """Severity of the worst short period; 0 where none is short.

    Parameters
    ----------
    severity : DataArray (..., time)
    short : DataArray of bool (..., time)

    Equation
    --------
    max over short t of severity(t).

    Examples
    --------
    >>> deficit = xr.DataArray([1.0, 3.0, 0.0], dims="time")
    >>> float(worst_period(deficit, deficit > 0))
    3.0
    """
    return xr.where(short, severity, 0.0).max("time")


def longest_failure(short: xr.DataArray) -> xr.DataArray:
    """Count the periods of the longest run that is short without a break.

    Parameters
    ----------
    short : DataArray of bool (..., time)

    Equation
    --------
    max over runs j of the number of periods of j.

    Examples
    --------
    >>> float(longest_failure(xr.DataArray([True, False, True, True], dims="time")))
    2.0
    """
    return xr.apply_ufunc(_longest_run, short, input_core_dims=[["time"]])


def _longest_run(short: np.ndarray) -> np.ndarray:
    run, longest = (np.zeros(short.shape[:-1]) for _ in range(2))
    for t in range(short.shape[-1]):
        run = np.where(short[..., t], run + 1, 0.0)
        longest = np.maximum(longest, run)
    return longest


def gini(served: xr.DataArray, weight: xr.DataArray, dim: str) -> xr.DataArray:
    """Gini coefficient of satisfaction among claimants: 0 when all are served alike.

    Each claimant counts by what it asks; it is 0 where nothing is asked, or nothing given.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
        Satisfaction.
    weight : DataArray [hm3] (..., claimant)
        Demand.
    dim : name of the dimension of the claimants

    Equation
    --------
    sum over i, j of w(i) w(j) |s(i) - s(j)| / (2 W^2 mean), with W the sum of w and mean = sum of
    w s / W.

    Source
    ------
    Sen (1973), On Economic Inequality, chapter 2 (mean absolute difference), with weights.

    Examples
    --------
    >>> served = xr.DataArray([1.0, 0.0], dims="region")
    >>> float(gini(served, xr.DataArray([5.0, 5.0], dims="region"), "region"))
    0.5
    """
    other = {dim: f"other_{dim}"}
    apart = abs(served - served.rename(other)) * weight * weight.rename(other)
    total = weight.sum(dim)
    mean = (weight * served).sum(dim)
    below = 2 * total * mean
    apart = apart.sum([dim, other[dim]])
    return xr.where(below > 0, apart / xr.where(below > 0, below, 1.0), 0.0)
