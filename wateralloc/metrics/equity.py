"""How alike claimants are served: inequality, and who is worst off.

Pure functions of DataArrays.  Each reduces the dimension of the claimants and keeps all others.
What is shared is satisfaction, so that a large user served whole and a small one served whole are
alike.  With weights, such as demands, a claimant of double weight counts as two that are alike.
"""

from __future__ import annotations

import numpy as np
import xarray as xr


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
    sum over i, j of w(i) w(j) abs(s(i) - s(j)) / (2 W^2 mean), with W the sum of w and mean = sum
    of w s / W.

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


def theil(served: xr.DataArray, dim: str, weight: xr.DataArray | None = None) -> xr.DataArray:
    """Theil's index of inequality: 0 when all are served alike, ln n when one of n has all.

    It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants
    weight : DataArray (..., claimant)
        As the demand of each; without it each counts once.

    Equation
    --------
    sum of w (s / mean) ln(s / mean) / sum of w, with 0 ln 0 = 0 and mean = sum of w s / sum of w.

    Source
    ------
    Theil (1967), Economics and Information Theory, chapter 4.

    Examples
    --------
    >>> round(float(theil(xr.DataArray([1.0, 0.0], dims="region"), "region")), 6)  # ln 2
    0.693147
    """
    mean = _mean(served, dim, weight)
    ratio = served / xr.where(mean > 0, mean, 1.0)
    index = _mean(ratio * np.log(xr.where(ratio > 0, ratio, 1.0)), dim, weight)
    return xr.where(mean > 0, index, 0.0).clip(min=0.0)


def _mean(values: xr.DataArray, dim: str, weight: xr.DataArray | None) -> xr.DataArray:
    return values.mean(dim) if weight is None else weighted_mean(values, weight, dim)


def theil_parts(
    served: xr.DataArray, group: xr.DataArray, dim: str, weight: xr.DataArray | None = None
) -> xr.Dataset:
    """Split Theil's index into inequality between groups and within them; they add up to it.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    group : DataArray of text (claimant)
        As the region of each claimant.
    dim : name of the dimension of the claimants
    weight : DataArray (..., claimant)
        As the demand of each; without it each counts once.

    Returns
    -------
    Dataset
        ``between``: as if all of a group had its mean; ``within``: the indices of the groups,
        weighted by their share of the sum.

    Equation
    --------
    sum over g of p(g) ln(mean(g) / mean) + sum over g of p(g) theil(g), p(g) = sum of w s in g /
    sum of w s.

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
    counted = xr.ones_like(served) if weight is None else weight
    sums, mean = (served * counted).sum(dim), weighted_mean(served, counted, dim)
    between, within = xr.zeros_like(sums), xr.zeros_like(sums)
    for name in np.unique(group.values):
        inside = {dim: np.flatnonzero(group.values == name)}
        of, by = served.isel(inside), counted.isel(inside)
        part = (of * by).sum(dim) / xr.where(sums > 0, sums, 1.0)
        ratio = weighted_mean(of, by, dim) / xr.where(mean > 0, mean, 1.0)
        between = between + part * np.log(xr.where(ratio > 0, ratio, 1.0))
        within = within + part * theil(of, dim, by)
    return xr.Dataset({"between": between, "within": within})


def atkinson(
    served: xr.DataArray, dim: str, aversion: float = 1.0, weight: xr.DataArray | None = None
) -> xr.DataArray:
    """Atkinson's index: the share of the mean that equality would be worth giving up.

    The larger the aversion, the more the worst served count; from 1 on it is 1 when one claimant
    has nothing and another something.  It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants
    aversion : to inequality, 0 or more
    weight : DataArray (..., claimant)
        As the demand of each; without it each counts once.

    Equation
    --------
    1 - (mean of s^(1 - aversion))^(1 / (1 - aversion)) / mean; with aversion 1: 1 - geometric mean
    / mean.  All means are by weight.

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
    mean = _mean(served, dim, weight)
    ratio = served / xr.where(mean > 0, mean, 1.0)
    some = xr.where(ratio > 0, ratio, 1.0)
    if aversion == 1:
        equal = np.exp(_mean(np.log(some), dim, weight))
    else:
        power = 1.0 - aversion
        total = _mean(xr.where(ratio > 0, some**power, 0.0), dim, weight)
        equal = xr.where(total > 0, total, 1.0) ** (1.0 / power)
    if aversion >= 1:
        counts = True if weight is None else weight > 0
        has_nothing = (ratio <= 0) & counts
        equal = xr.where(has_nothing.any(dim), 0.0, equal)
    return xr.where(mean > 0, 1.0 - equal, 0.0).clip(min=0.0)


def hoover(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Hoover's index: the share of all that would have to move to serve all alike.

    It is 0 where nobody is served.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants

    Equation
    --------
    1/2 sum of abs(s / sum of s - 1/n).

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

    Source
    ------
    Sen (1973), chapter 2 (range), without its division by the mean.

    Examples
    --------
    >>> float(gap(xr.DataArray([1.0, 0.25], dims="region"), "region"))
    0.75
    """
    return served.max(dim) - served.min(dim)


def leximin_profile(served: xr.DataArray, dim: str) -> xr.DataArray:
    """Satisfactions in order, the worst off first.

    Of two ways of sharing, leximin prefers the one whose profile is higher at the first rank at
    which they differ.

    Parameters
    ----------
    served : DataArray [1] (..., claimant)
    dim : name of the dimension of the claimants

    Returns
    -------
    DataArray [1] (..., rank)
        Labelled 1 (the worst off), 2, ...

    Equation
    --------
    s(1) <= s(2) <= ... <= s(n).

    Source
    ------
    Sen (1970), Collective Choice and Social Welfare, chapter 9 (lexicographic maximin).

    Examples
    --------
    >>> leximin_profile(xr.DataArray([0.9, 1.0, 0.4], dims="region"), "region").values.tolist()
    [0.4, 0.9, 1.0]
    """
    ordered = xr.apply_ufunc(np.sort, served, input_core_dims=[[dim]], output_core_dims=[["rank"]])
    return ordered.assign_coords(rank=np.arange(1, served.sizes[dim] + 1))
