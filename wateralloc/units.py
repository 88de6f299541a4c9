"""Units at the border: column suffixes, their dimension, and factors to the units used inside.

Inside, volumes are hm3 (million m3), flows hm3 per period, money million units of the basin's
currency.  A period has its true length.  ``Mm3`` means 10^6 m3 by this table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SECONDS_PER_DAY = 86_400.0
HM3_PER_M3 = 1e-6
HM3_PER_MM_KM2 = 1e-3


@dataclass(frozen=True)
class Unit:
    """A unit accepted in a column name.

    Attributes
    ----------
    suffix : ending of the column name, after an underscore
    dimension : what it measures
    factor : what a value is multiplied with to give the canonical unit of its dimension
    text : how the unit is written in a text
    """

    suffix: str
    dimension: str
    factor: float
    text: str


def _units(dimension: str, **suffixes: tuple[float, str]) -> dict[str, Unit]:
    return {s: Unit(s, dimension, factor, text) for s, (factor, text) in suffixes.items()}


UNITS: dict[str, Unit] = {
    **_units("volume", hm3=(1, "hm3"), Mm3=(1, "hm3"), km3=(1e3, "km3"), m3=(1e-6, "m3")),
    **_units(
        "flow",
        m3s=(1, "m3/s"),
        l_s=(1e-3, "L/s"),
        m3_day=(1 / SECONDS_PER_DAY, "m3/day"),
        hm3_day=(1e6 / SECONDS_PER_DAY, "hm3/day"),
    ),
    **_units("depth_rate", mm_day=(1, "mm/day")),
    **_units("depth", mm=(1, "mm")),
    **_units("length", m=(1, "m"), cm=(1e-2, "cm"), km=(1e3, "km")),
    **_units("area", km2=(1, "km2"), ha=(1e-2, "ha")),
    **_units("power", mw=(1, "MW")),
    **_units("energy", gwh=(1, "GWh")),
    **_units("energy_intensity", kwh_m3=(1, "kWh/m3")),
    **_units("fraction", fraction=(1, "1"), percent=(1e-2, "%")),
    **_units("time", h=(1, "h")),
}
"""Accepted suffixes; the first of each dimension is canonical.

Prices of water are ``<currency>_m3``, those of energy ``<currency>_kwh``.
"""

M3_PER_FT3 = 0.3048**3
HEC_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("CMS", "M3/S"), UNITS["m3s"]),
    "CFS": Unit("cfs", "flow", M3_PER_FT3, "ft3/s"),
    **dict.fromkeys(("HM3", "MCM"), UNITS["hm3"]),
    "M3": UNITS["m3"],
    **dict.fromkeys(
        ("AC-FT", "ACFT", "ACRE-FT"),
        Unit("acft", "volume", 43_560 * M3_PER_FT3 * HM3_PER_M3, "acre-ft"),
    ),
    "MM": UNITS["mm"],
    "IN": Unit("in", "depth", 25.4, "in"),
    "MM/DAY": UNITS["mm_day"],
    "M": UNITS["m"],
    "FT": Unit("ft", "length", 0.3048, "ft"),
    "FRACTION": UNITS["fraction"],
    "PERCENT": UNITS["percent"],
    "%": UNITS["percent"],
}
"""Units as files of HEC-DSS have them, in capitals."""

CANONICAL = {unit.dimension: unit.suffix for unit in reversed(UNITS.values())}


PRICES = {"price": "m3", "energy_price": "kwh"}
"""Dimensions of prices, and per what they are."""


def price_suffix(currency: str, dimension: str = "price") -> str:
    """Suffix of a price column, e.g. ``vnd_m3`` or ``vnd_kwh``.

    One per m3 is a million per hm3; one per kWh is a million per GWh.
    """
    return f"{currency.lower()}_{PRICES[dimension]}"


def canonical(dimension: str, currency: str = "") -> str:
    """Suffix of the unit used inside.

    >>> canonical("flow"), canonical("energy_price", "VND")
    ('m3s', 'vnd_kwh')
    """
    return price_suffix(currency, dimension) if dimension in PRICES else CANONICAL[dimension]


def find_unit(suffix: str, currency: str | None = "") -> Unit | None:
    """Unit of a suffix: one of the table, or a price in a currency; None: in whichever.

    >>> find_unit("vnd_kwh", "VND").dimension
    'energy_price'
    """
    if suffix in UNITS:
        return UNITS[suffix]
    money, _, per = suffix.partition("_")
    for dimension, of in PRICES.items():
        if per == of and currency in (None, money.upper()):
            return Unit(suffix, dimension, 1.0, f"{money.upper()}/{per}")
    return None


def split_unit(column: str) -> tuple[str, Unit | None]:
    """Split a column name into its base and its unit (the longest suffix that is known).

    >>> split_unit("capacity_m3s")[0], split_unit("capacity_m3s")[1].suffix
    ('capacity', 'm3s')
    >>> split_unit("evaporation_mm_day")[1].suffix
    'mm_day'
    >>> split_unit("capacity")
    ('capacity', None)
    """
    best: Unit | None = None
    for suffix, unit in UNITS.items():
        if column.endswith("_" + suffix) and (best is None or len(suffix) > len(best.suffix)):
            best = unit
    return (column[: -len(best.suffix) - 1], best) if best else (column, None)


def hm3_of_m3s(flow: np.ndarray | float, seconds: np.ndarray | float) -> np.ndarray:
    """Volume [hm3] of a flow [m3/s] over a period of the given length [s].

    >>> round(float(hm3_of_m3s(100.0, 86_400.0)), 12)
    8.64
    """
    return np.asarray(flow) * seconds * HM3_PER_M3


def m3s_of_hm3(volume: np.ndarray | float, seconds: np.ndarray | float) -> np.ndarray:
    """Mean flow [m3/s] of a volume [hm3] over a period of the given length [s]."""
    return np.asarray(volume) / (seconds * HM3_PER_M3)
