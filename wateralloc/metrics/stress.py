"""How hard the water is used: what is withdrawn, and how many live on it, beside what there is.

Pure functions of DataArrays, of volumes of a year or of any other time that both are of.
"""

from __future__ import annotations

import xarray as xr

from wateralloc.units import HM3_PER_M3


def withdrawal_to_availability(withdrawal: xr.DataArray, available: xr.DataArray) -> xr.DataArray:
    """Withdrawal over the water that there is: 0 where nothing is withdrawn.

    It may pass 1: where return flows are used again, or storage of other years.  It is 0 also where
    nothing is available, so look at what is available beside it.

    Parameters
    ----------
    withdrawal, available : DataArray [hm3]
        Of the same time; available is inflow and recharge within, and what comes in from outside.

    Equation
    --------
    withdrawal / available.

    Source
    ------
    Raskin, Gleick, Kirshen, Pontius & Strzepek (1997), Water Futures: Assessment of Long-range
    Patterns and Problems, Stockholm Environment Institute (use-to-resource ratio).  Indicator 6.4.2
    of the Sustainable Development Goals takes environmental flows off what is available first; this
    does not.

    Examples
    --------
    >>> float(withdrawal_to_availability(xr.DataArray(30.0), xr.DataArray(120.0)))
    0.25
    """
    has_water = available > 0
    return xr.where(has_water, withdrawal / xr.where(has_water, available, 1.0), 0.0)


def water_per_person(available: xr.DataArray, population: xr.DataArray) -> xr.DataArray:
    """Falkenmark's indicator: water available to each person in a year.

    Below 1,700 m3 a person and year there is stress, below 1,000 scarcity, below 500 absolute
    scarcity.

    Parameters
    ----------
    available : DataArray [hm3 a year]
    population : DataArray [persons]

    Returns
    -------
    DataArray [m3 a person and year]

    Equation
    --------
    10^6 available / population.

    Source
    ------
    Falkenmark, Lundqvist & Widstrand (1989), Macro-scale water scarcity requires micro-scale
    approaches, Natural Resources Forum 13(4).

    Raises
    ------
    ValueError
        A population is not above 0.

    Examples
    --------
    >>> round(float(water_per_person(xr.DataArray(1500.0), xr.DataArray(1e6))), 6)
    1500.0
    """
    if not bool((population > 0).all()):
        least = float(population.min())
        raise ValueError(f"a population is {least:g} persons; must be above 0")
    return available / HM3_PER_M3 / population
