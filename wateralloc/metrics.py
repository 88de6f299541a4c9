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


def mean_shortage_ratio(
    demand: xr.DataArray, withdrawal: xr.DataArray, short: xr.DataArray
) -> xr.DataArray:
    """Deficit of all short periods over what is asked in them; 0 where none is short.

    Vulnerability as a ratio: unlike :func:`vulnerability` long shortages count for their length.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3] (..., time)
    short : DataArray of bool (..., time)

    Equation
    --------
    sum over short t of (demand(t) - withdrawal(t)) / sum over short t of demand(t).

    Source
    ------
    Sandoval-Solis, McKinney & Loucks (2011), Sustainability index for water resources planning and
    management, Journal of Water Resources Planning and Management 137(5).

    Examples
    --------
    >>> asked = xr.DataArray([10.0, 10.0, 20.0], dims="time")
    >>> given = xr.DataArray([10.0, 8.0, 10.0], dims="time")
    >>> float(mean_shortage_ratio(asked, given, is_short(asked, given)))
    0.4
    """
    asked = xr.where(short, demand, 0.0).sum("time")
    missing = xr.where(short, demand - withdrawal, 0.0).sum("time")
    return xr.where(asked > 0, missing / xr.where(asked > 0, asked, 1.0), 0.0)


def sustainability_product(
    reliability: xr.DataArray, resilience: xr.DataArray, vulnerability: xr.DataArray
) -> xr.DataArray:
    """Product of reliability, resilience and what is not vulnerable: low when one of them is.

    Parameters
    ----------
    reliability, resilience : DataArray [1]
    vulnerability : DataArray [1]
        As a ratio: :func:`mean_shortage_ratio`, or :func:`worst_period` of deficit over demand.

    Equation
    --------
    reliability x resilience x (1 - vulnerability).

    Source
    ------
    Loucks (1997), Quantifying trends in system sustainability, Hydrological Sciences Journal 42(4).

    Examples
    --------
    >>> parts = [xr.DataArray(value) for value in (0.5, 0.5, 0.5)]
    >>> float(sustainability_product(*parts))
    0.125
    """
    return reliability * resilience * (1.0 - vulnerability)


def sustainability_geometric(
    reliability: xr.DataArray, resilience: xr.DataArray, vulnerability: xr.DataArray
) -> xr.DataArray:
    """Geometric mean of reliability, resilience and what is not vulnerable.

    On the scale of its parts, so that two users or policies can be compared.

    Parameters
    ----------
    reliability, resilience, vulnerability : DataArray [1]
        As in :func:`sustainability_product`.

    Equation
    --------
    (reliability x resilience x (1 - vulnerability)) ^ (1/3).

    Source
    ------
    Sandoval-Solis, McKinney & Loucks (2011).

    Examples
    --------
    >>> parts = [xr.DataArray(value) for value in (0.5, 0.5, 0.5)]
    >>> round(float(sustainability_geometric(*parts)), 9)
    0.5
    """
    return sustainability_product(reliability, resilience, vulnerability) ** (1 / 3)


def weighted_mean(measure: xr.DataArray, weight: xr.DataArray, dim: str) -> xr.DataArray:
    """Mean of a measure over the claimants of a group, each counted by its weight; 0 without any.

    Parameters
    ----------
    measure : DataArray [1] (..., claimant)
        As the sustainability of each user.
    weight : DataArray (..., claimant)
        As its demand.
    dim : name of the dimension of the claimants

    Equation
    --------
    sum over i of w(i) x(i) / sum over i of w(i).

    Source
    ------
    Sandoval-Solis, McKinney & Loucks (2011): sustainability by group.

    Examples
    --------
    >>> measure = xr.DataArray([0.8, 0.4], dims="region")
    >>> round(float(weighted_mean(measure, xr.DataArray([3.0, 1.0], dims="region"), "region")), 9)
    0.7
    """
    total = weight.sum(dim)
    return xr.where(total > 0, (measure * weight).sum(dim) / xr.where(total > 0, total, 1.0), 0.0)


def hec_shortage_index(demand: xr.DataArray, withdrawal: xr.DataArray) -> xr.DataArray:
    """Shortage index of the Hydrologic Engineering Center: a deep shortage counts by its square.

    A year of 10 % shortage each year gives 1, the value often asked for in planning.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3 a year] (..., time)
        Sums of years, not of periods.

    Equation
    --------
    100 / N sum over years of ((demand - withdrawal) / demand)^2; 0 for a year without demand.

    Source
    ------
    US Army Corps of Engineers, Hydrologic Engineering Center (1975), Hydrologic Engineering Methods
    for Water Resources Development, volume 8: Reservoir yield.

    Examples
    --------
    >>> asked = xr.DataArray([100.0, 100.0], dims="time")
    >>> round(float(hec_shortage_index(asked, xr.DataArray([90.0, 90.0], dims="time"))), 9)
    1.0
    """
    missing = (1.0 - satisfaction(demand, withdrawal)).clip(min=0.0)
    return 100.0 * (missing**2).mean("time")


# --- equity among claimants, each counted once --------------------------------------------------


def jain(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Jain's index of fairness: 1 when all are served alike, 1/n when one has all.

    It is 1 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
        Satisfaction.
    dim : name of the dimension of the claimants

    Equation
    --------
    (sum of s)^2 / (n sum of s^2).

    Source
    ------
    Jain, Chiu & Hawe (1984), A quantitative measure of fairness, DEC Research Report TR-301.

    Examples
    --------
    >>> float(jain(xr.DataArray([1.0, 0.0], dims="region"), "region"))
    0.5
    """
    squares = served.sizes[dim] * (served**2).sum(dim)
    below = xr.where(squares > 0, squares, 1.0)
    return xr.where(squares > 0, served.sum(dim) ** 2 / below, 1.0)


def theil(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Theil's index of inequality: 0 when all are served alike, ln n when one has all.

    It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants

    Equation
    --------
    1/n sum of (s / mean) ln(s / mean), with 0 ln 0 = 0.

    Source
    ------
    Theil (1967), Economics and Information Theory, chapter 4.

    Examples
    --------
    >>> round(float(theil(xr.DataArray([1.0, 0.0], dims="region"), "region")), 6)  # ln 2
    0.693147
    """
    mean = served.mean(dim)
    ratio = served / xr.where(mean > 0, mean, 1.0)
    return (ratio * np.log(xr.where(ratio > 0, ratio, 1.0))).mean(dim)


def theil_parts(served: xr.DataArray, group: xr.DataArray, dim: str) -> xr.Dataset:
    """Split Theil's index into inequality between groups and within them; they add up to it.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    group : DataArray of text (claimant)
        As the region of each claimant.
    dim : name of the dimension of the claimants

    Returns
    -------
    Dataset
        ``between``: as if all of a group had its mean; ``within``: the indices of the groups,
        weighted by their share of the sum.

    Equation
    --------
    sum over g of p(g) ln(mean(g) / mean) + sum over g of p(g) theil(g), p(g) = sum of s in g / sum
    of s.

    Source
    ------
    Theil (1967); Shorrocks (1980), The class of additively decomposable inequality measures,
    Econometrica 48.

    Examples
    --------
    >>> served = xr.DataArray([1.0, 0.0, 0.5, 0.5], dims="user")
    >>> parts = theil_parts(served, xr.DataArray(["a", "a", "b", "b"], dims="user"), "user")
    >>> float(parts.between), round(float(parts.within), 6)  # half of ln 2
    (0.0, 0.346574)
    """
    sums = served.sum(dim)
    below = xr.where(sums > 0, sums, 1.0)
    mean = served.mean(dim)
    between, within = xr.zeros_like(sums), xr.zeros_like(sums)
    for name in np.unique(group.values):
        inside = served.isel({dim: np.flatnonzero(group.values == name)})
        part = inside.sum(dim) / below
        ratio = inside.mean(dim) / xr.where(mean > 0, mean, 1.0)
        between = between + part * np.log(xr.where(ratio > 0, ratio, 1.0))
        within = within + part * theil(inside, dim)
    return xr.Dataset({"between": between, "within": within})


def atkinson(served: xr.DataArray, dim: str, aversion: float = 1.0) -> xr.DataArray:
    """Atkinson's index: the share of the mean that equality would be worth giving up.

    The larger the aversion, the more the worst served count; from 1 on it is 1 when one claimant
    has nothing and another something.  It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants
    aversion : to inequality, 0 or more

    Equation
    --------
    1 - (mean of s^(1 - aversion))^(1 / (1 - aversion)) / mean; with aversion 1: 1 - geometric mean
    / mean.

    Source
    ------
    Atkinson (1970), On the measurement of inequality, Journal of Economic Theory 2.

    Raises
    ------
    ValueError
        The aversion is negative.

    Examples
    --------
    >>> served = xr.DataArray([1.0, 0.25], dims="region")  # geometric mean 0.5, mean 0.625
    >>> round(float(atkinson(served, "region")), 9)
    0.2
    """
    if not aversion >= 0:
        raise ValueError(f"aversion is {aversion}; must be 0 or more")
    mean = served.mean(dim)
    ratio = served / xr.where(mean > 0, mean, 1.0)
    some = xr.where(ratio > 0, ratio, 1.0)
    if aversion == 1:
        equal = np.exp(np.log(some).mean(dim))
    else:
        power = 1.0 - aversion
        equal = xr.where(ratio > 0, some**power, 0.0).mean(dim) ** (1.0 / power)
    if aversion >= 1:
        equal = xr.where((ratio > 0).all(dim), equal, 0.0)
    return xr.where(mean > 0, 1.0 - equal, 0.0)


def hoover(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Hoover's index: the share of all that would have to move to serve all alike.

    It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants

    Equation
    --------
    1/2 sum of |s / sum of s - 1/n|.

    Source
    ------
    Hoover (1936), The measurement of industrial localization, Review of Economics and Statistics
    18.

    Examples
    --------
    >>> float(hoover(xr.DataArray([1.0, 0.0], dims="region"), "region"))
    0.5
    """
    total = served.sum(dim)
    parts = served / xr.where(total > 0, total, 1.0)
    return xr.where(total > 0, 0.5 * abs(parts - 1.0 / served.sizes[dim]).sum(dim), 0.0)


def gap(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Satisfaction of the best served less that of the worst served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants

    Equation
    --------
    max of s - min of s.

    Examples
    --------
    >>> float(gap(xr.DataArray([1.0, 0.25], dims="region"), "region"))
    0.75
    """
    return served.max(dim) - served.min(dim)
