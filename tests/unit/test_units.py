"""Units at the border; pint is the independent witness of the factors."""

from __future__ import annotations

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateralloc.units import (
    CANONICAL,
    UNITS,
    find_unit,
    hm3_of_m3s,
    m3s_of_hm3,
    price_suffix,
    split_unit,
)

PINT = {
    # pint would read Mm3 as cubic megametres: 10^6 m3 is what hydrologists write it for
    "hm3": "hm**3",
    "Mm3": "hm**3",
    "km3": "km**3",
    "m3": "m**3",
    "m3s": "m**3/s",
    "l_s": "L/s",
    "m3_day": "m**3/day",
    "hm3_day": "hm**3/day",
    "mm_day": "mm/day",
    "mm": "mm",
    "m": "m",
    "cm": "cm",
    "km": "km",
    "km2": "km**2",
    "ha": "hectare",
    "mw": "MW",
    "gwh": "GWh",
    "kwh_m3": "kWh/m**3",
    "fraction": "1",
    "percent": "percent",
    "h": "hour",
}


def test_every_unit_has_a_witness() -> None:
    assert set(PINT) == set(UNITS)


@pytest.mark.parametrize("suffix", UNITS)
def test_factors_are_those_of_pint(suffix: str) -> None:
    registry = pint.UnitRegistry()
    unit = UNITS[suffix]
    canonical = PINT[CANONICAL[unit.dimension]]
    expected = registry.Quantity(1.0, PINT[suffix]).to(canonical).magnitude
    assert unit.factor == pytest.approx(expected, rel=1e-14)
    assert unit.suffix == suffix


def test_the_canonical_unit_is_the_one_used_inside() -> None:
    assert CANONICAL == {
        "volume": "hm3",
        "flow": "m3s",
        "depth_rate": "mm_day",
        "depth": "mm",
        "length": "m",
        "area": "km2",
        "power": "mw",
        "energy": "gwh",
        "energy_intensity": "kwh_m3",
        "fraction": "fraction",
        "time": "h",
    }
    assert all(UNITS[suffix].factor == 1 for suffix in CANONICAL.values())


@pytest.mark.parametrize(
    ("column", "base", "suffix"),
    [
        ("capacity_m3s", "capacity", "m3s"),
        ("evaporation_mm_day", "evaporation", "mm_day"),  # not mm, not day
        ("annual_m3_day", "annual", "m3_day"),
        ("annual_hm3_day", "annual", "hm3_day"),
        ("initial_Mm3", "initial", "Mm3"),
        ("annual_mm3", "annual_mm3", None),  # case matters: mm3 is a cubic millimetre
        ("flood_limit_hm3", "flood_limit", "hm3"),
        ("m3s", "m3s", None),
        ("capacity", "capacity", None),
        ("pattern", "pattern", None),
    ],
)
def test_a_column_splits_at_its_longest_unit(column: str, base: str, suffix: str | None) -> None:
    name, unit = split_unit(column)
    assert name == base
    assert (unit.suffix if unit else None) == suffix


def test_a_price_is_per_m3_in_the_currency() -> None:
    assert price_suffix("VND") == "vnd_m3"


def test_a_price_is_a_unit_in_the_currency_only() -> None:
    """The unit of a pattern of prices; ``kwh_m3`` is an energy, not a price in currency KWH."""
    assert find_unit("vnd_kwh", "VND").dimension == "energy_price"  # type: ignore[union-attr]
    assert find_unit("vnd_m3", None).dimension == "price"  # type: ignore[union-attr]
    assert find_unit("usd_kwh", "VND") is None
    assert find_unit("vnd_kwh", "") is None
    assert find_unit("kwh_m3", None) is UNITS["kwh_m3"]


def test_a_period_has_its_true_length() -> None:
    assert hm3_of_m3s(100.0, 86_400.0) == pytest.approx(8.64, rel=1e-15)
    assert hm3_of_m3s(1.0, 28 * 86_400.0) == pytest.approx(2.4192, rel=1e-15)


@given(st.floats(1e-6, 1e6), st.floats(3600, 1e8))
def test_flow_and_volume_are_each_others_inverse(flow: float, seconds: float) -> None:
    assert m3s_of_hm3(hm3_of_m3s(flow, seconds), seconds) == pytest.approx(flow, rel=1e-14)
