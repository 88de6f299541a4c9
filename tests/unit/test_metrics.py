"""Metrics on series short enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from wateralloc import metrics


def series(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, float), dims="time")


def short(text: str) -> xr.DataArray:
    """``x`` is a short period, ``.`` one that is not."""
    return xr.DataArray([c == "x" for c in text], dims="time")


@pytest.mark.parametrize(
    ("demand", "withdrawal", "expected"),
    [
        (10, 10, False),
        (10, 10 - 9e-6, False),  # within a millionth of the demand
        (10, 10 - 1.1e-5, True),
        (1e-4, 1e-4 - 5e-10, False),  # within the solver's rounding, however small the demand
        (1e-4, 0, True),
        (0, 0, False),
    ],
)
def test_is_short(demand: float, withdrawal: float, expected: bool) -> None:
    assert bool(metrics.is_short(series(demand), series(withdrawal))[0]) is expected


@pytest.mark.parametrize(
    ("text", "reliability", "resilience", "longest"),
    [
        ("....", 1.0, 1.0, 0),
        ("xxxx", 0.0, 0.0, 4),  # never out of it within the horizon
        (".xx.", 0.5, 0.5, 2),
        ("x.x.", 0.5, 1.0, 1),
        ("...x", 0.75, 0.0, 1),
        ("xx.xxx", 1 / 6, 1 / 5, 3),
    ],
)
def test_measures_of_runs(text: str, reliability: float, resilience: float, longest: int) -> None:
    failures = short(text)
    assert float(metrics.time_reliability(failures)) == pytest.approx(reliability, abs=1e-15)
    assert float(metrics.resilience(failures)) == pytest.approx(resilience, abs=1e-15)
    assert float(metrics.longest_failure(failures)) == longest


@pytest.mark.parametrize(
    ("deficit", "mean", "worst"),
    [
        ((0, 0, 0), 0, 0),
        ((1, 2, 0, 4, 3), 3, 4),  # runs with 2 and 4
        ((0, 5, 5, 5), 5, 5),
        ((1, 0, 2, 0, 6), 3, 6),
    ],
)
def test_vulnerability(deficit: tuple[float, ...], mean: float, worst: float) -> None:
    amounts = series(*deficit)
    assert float(metrics.vulnerability(amounts, amounts > 0)) == pytest.approx(mean, abs=1e-15)
    assert float(metrics.worst_period(amounts, amounts > 0)) == worst


def test_volume_reliability_is_a_ratio_of_sums() -> None:
    assert float(metrics.volume_reliability(series(1, 9), series(0, 9))) == 0.9
    assert float(metrics.volume_reliability(series(0, 0), series(0, 0))) == 1.0


def test_other_dimensions_are_kept_and_do_not_mix() -> None:
    both = xr.concat([short("x.x."), short("..xx")], "member")
    assert metrics.time_reliability(both).values.tolist() == [0.5, 0.5]
    assert metrics.resilience(both).values.tolist() == [1.0, 0.0]
    amounts = both * xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="time")
    assert metrics.vulnerability(amounts, both).values.tolist() == [2.0, 4.0]
    assert metrics.longest_failure(both.transpose("time", "member")).values.tolist() == [1.0, 2.0]


def among(served: list[float], weight: list[float]) -> float:
    return float(
        metrics.gini(
            xr.DataArray(served, dims="region"), xr.DataArray(weight, dims="region"), "region"
        )
    )


def test_gini() -> None:
    assert among([0.7, 0.7, 0.7], [1, 2, 3]) == 0.0
    assert among([1, 0], [1, 1]) == 0.5
    # one of n equals has all: 1 - 1/n
    assert among([1, 0, 0, 0], [2, 2, 2, 2]) == pytest.approx(0.75, abs=1e-15)
    # a claimant of double weight is two claimants
    assert among([0.9, 0.3], [2, 1]) == pytest.approx(among([0.9, 0.9, 0.3], [1, 1, 1]), abs=1e-15)
    assert among([0, 0], [1, 1]) == 0.0
    assert among([1, 1], [0, 0]) == 0.0


# --- vulnerability as a ratio, sustainability ---------------------------------------------------


def test_mean_shortage_ratio_counts_long_shortages_for_their_length() -> None:
    asked, given = series(10, 10, 10, 10), series(6, 6, 10, 9)
    # 4 + 4 + 1 of the 30 asked in the short periods
    ratio = metrics.mean_shortage_ratio(asked, given, metrics.is_short(asked, given))
    assert float(ratio) == pytest.approx(9 / 30, abs=1e-15)
    assert float(metrics.mean_shortage_ratio(asked, asked, short("...."))) == 0.0


def test_sustainability_is_zero_with_one_of_its_parts() -> None:
    half, none = xr.DataArray([0.5, 0.5]), xr.DataArray([0.5, 0.0])
    assert metrics.sustainability_product(half, none, half).values.tolist() == [0.125, 0.0]
    geometric = metrics.sustainability_geometric(half, none, half)
    assert geometric.values.tolist() == pytest.approx([0.5, 0.0], abs=1e-15)


def test_weighted_mean() -> None:
    measure, weight = among_regions(0.9, 0.3), among_regions(2, 1)
    assert float(metrics.weighted_mean(measure, weight, "region")) == pytest.approx(0.7, abs=1e-15)
    assert float(metrics.weighted_mean(measure, 0 * weight, "region")) == 0.0


def test_shortage_index_grows_with_the_square() -> None:
    asked = series(10, 0, 10, 10)
    # one year of half: 100 / 4 x 0.25; a year without demand is served, a surplus nets nothing
    given = series(5, 0, 10, 12)
    assert float(metrics.hec_shortage_index(asked, given)) == pytest.approx(6.25, abs=1e-12)


# --- equity -------------------------------------------------------------------------------------


def among_regions(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, float), dims="region")


EQUITY = {
    "jain": metrics.jain,
    "theil": metrics.theil,
    "atkinson": metrics.atkinson,
    "hoover": metrics.hoover,
    "gap": metrics.gap,
}


@pytest.mark.parametrize("name", EQUITY)
def test_equality_and_nothing_at_all(name: str) -> None:
    best = 1.0 if name == "jain" else 0.0
    assert float(EQUITY[name](among_regions(0.7, 0.7, 0.7), "region")) == pytest.approx(best)
    assert float(EQUITY[name](among_regions(0, 0), "region")) == best


@pytest.mark.parametrize(
    ("name", "expected"),
    [("jain", 1 / 4), ("theil", np.log(4)), ("atkinson", 1), ("hoover", 3 / 4), ("gap", 1)],
)
def test_one_of_four_has_all(name: str, expected: float) -> None:
    found = EQUITY[name](among_regions(1, 0, 0, 0), "region")
    assert float(found) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("name", EQUITY)
def test_equity_keeps_other_dimensions(name: str) -> None:
    both = xr.concat([among_regions(0.2, 0.8), among_regions(0.5, 0.9)], "member")
    alone = [float(EQUITY[name](both.isel(member=k), "region")) for k in range(2)]
    together = EQUITY[name](both.transpose("region", "member"), "region")
    assert together.values.tolist() == pytest.approx(alone, abs=1e-15)


def test_atkinson_with_other_aversions() -> None:
    served = among_regions(1.0, 0.25)
    assert float(metrics.atkinson(served, "region", 0.0)) == pytest.approx(0.0, abs=1e-15)
    # mean of roots 0.75, squared 0.5625, over 0.625
    half = float(metrics.atkinson(served, "region", 0.5))
    assert half == pytest.approx(1 - 0.5625 / 0.625, abs=1e-15)
    # harmonic mean 2 / (1 + 4) = 0.4, over 0.625
    assert float(metrics.atkinson(served, "region", 2.0)) == pytest.approx(1 - 0.4 / 0.625)
    assert float(metrics.atkinson(among_regions(1, 0), "region", 2.0)) == 1.0
    with pytest.raises(ValueError, match=r"aversion is -1; must be 0 or more"):
        metrics.atkinson(served, "region", -1)


def test_theil_falls_into_between_and_within() -> None:
    served = among_regions(0.9, 0.5, 0.4, 0.1, 0.0)
    group = xr.DataArray(["hills", "delta", "hills", "delta", "islands"], dims="region")
    parts = metrics.theil_parts(served, group, "region")
    whole = float(metrics.theil(served, "region"))
    assert float(parts.between + parts.within) == pytest.approx(whole, abs=1e-15)
    # the islands have nothing: they count between the groups, and not within
    assert float(parts.within) > 0
    one = metrics.theil_parts(served, xr.full_like(served, "all", dtype=object), "region")
    assert float(one.between) == pytest.approx(0.0, abs=1e-15)
    each = metrics.theil_parts(served, xr.DataArray(list("abcde"), dims="region"), "region")
    assert float(each.within) == pytest.approx(0.0, abs=1e-15)
