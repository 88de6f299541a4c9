"""How well a user or group is served in time: reliability, resilience, vulnerability, and indices.

Pure functions of DataArrays.  Each reduces the dimension ``time`` and keeps all others, so members,
demands or regions go through in one call.  Volumes are hm3 of the period.
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

    Source
    ------
    Hashimoto, Stedinger & Loucks (1982): unsatisfactory state.  The tolerance is that of the
    solver.

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

    Source
    ------
    Sieber & Purkey (2015), WEAP User Guide, Stockholm Environment Institute: demand site coverage.

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

    Source
    ------
    Kjeldsen & Rosbjerg (2004), Choice of reliability, resilience and vulnerability estimators for
    risk assessments of water resources systems, Hydrological Sciences Journal 49(5): maximum
    deficit.

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

    Source
    ------
    Kjeldsen & Rosbjerg (2004): maximum duration.

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
    product = sustainability_product(reliability, resilience, vulnerability)
    return product.clip(min=0.0) ** (1 / 3)


def hec_shortage_index(demand: xr.DataArray, withdrawal: xr.DataArray) -> xr.DataArray:
    """Shortage index of the Hydrologic Engineering Center: a deep shortage counts by its square.

    A shortage of 10 % in every year gives 1; one of half the demand in one year of ten gives 2.5.

    Parameters
    ----------
    demand, withdrawal : DataArray [hm3 a year] (..., time)
        Sums of years, not of periods: :func:`sum_by_year`.

    Equation
    --------
    100 / N sum over years of ((demand - withdrawal) / demand)^2; 0 for a year without demand.

    Source
    ------
    US Army Corps of Engineers, Hydrologic Engineering Center (1975), Hydrologic Engineering Methods
    for Water Resources Development, volume 8: Reservoir yield (shortage index).

    Examples
    --------
    >>> asked = xr.DataArray([100.0, 100.0], dims="time")
    >>> round(float(hec_shortage_index(asked, xr.DataArray([90.0, 90.0], dims="time"))), 9)
    1.0
    """
    missing = (1.0 - satisfaction(demand, withdrawal)).clip(min=0.0)
    return 100.0 * (missing**2).mean("time")


def sum_by_year(volume: xr.DataArray, year: xr.DataArray) -> xr.DataArray:
    """Sum the volumes of each year.

    Parameters
    ----------
    volume : DataArray [hm3] (..., time)
    year : DataArray of int (time)
        Year of each period.

    Returns
    -------
    DataArray [hm3 a year] (..., time)
        One for each year, which is its label; a year of which there is a part is the sum of that.

    Equation
    --------
    sum over t in year y of volume(t).

    Source
    ------
    US Army Corps of Engineers (1975), as :func:`hec_shortage_index`.

    Examples
    --------
    >>> volume = xr.DataArray([1.0, 2.0, 4.0], dims="time")
    >>> sum_by_year(volume, xr.DataArray([2004, 2004, 2005], dims="time")).values.tolist()
    [3.0, 4.0]
    """
    years, number = np.unique(year.values, return_inverse=True)
    sums = xr.apply_ufunc(
        _sums, volume.drop_vars("time", errors="ignore"), kwargs={"number": number},
        input_core_dims=[["time"]], output_core_dims=[["year"]],
    )  # fmt: skip
    return sums.rename(year="time").assign_coords(time=years)


def _sums(volume: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Sum (..., time) over the periods of each number: (..., number)."""
    # in one order of memory, so that a sum does not depend on how many others there are
    parts = [np.ascontiguousarray(volume[..., number == k]) for k in range(number.max() + 1)]
    return np.stack([part.sum(axis=-1) for part in parts], axis=-1)
