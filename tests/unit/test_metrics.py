"""Metrics on series short enough to count by hand."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import xarray as xr

from wateralloc import metrics
from wateralloc.report.pages import split_docstring


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


def test_sums_of_years() -> None:
    year = xr.DataArray([2004, 2004, 2005, 2006, 2006], dims="time")
    both = xr.concat([series(1, 2, 4, 8, 16), series(0, 0, 0, 1, 0)], "user")
    sums = metrics.sum_by_year(both.transpose("time", "user"), year)
    assert sums.dims == ("user", "time")
    assert sums["time"].values.tolist() == [2004, 2005, 2006]
    assert sums.values.tolist() == [[3, 4, 24], [0, 0, 1]]


def test_shortage_index_is_of_years_and_not_of_periods() -> None:
    """Half of the demand lacks in one season of four, or an eighth in each: alike in the year."""
    year = xr.DataArray([2030] * 4, dims="time")
    asked = series(8, 8, 8, 8)
    found = [
        float(metrics.hec_shortage_index(*(metrics.sum_by_year(v, year) for v in (asked, given))))
        for given in (series(8, 4, 8, 8), series(7, 7, 7, 7))
    ]
    assert found == pytest.approx([100 / 64, 100 / 64], abs=1e-12)


def test_less_deficit_may_lower_resilience_and_sustainability() -> None:
    """As the manual warns: what is left is the one shortage that the horizon ends in."""
    asked = series(10, 10, 10, 10, 10)
    found = []
    for given in (series(10, 10, 8, 10, 8), series(10, 10, 10, 10, 8)):
        failures = metrics.is_short(asked, given)
        parts = (
            metrics.time_reliability(failures),
            metrics.resilience(failures),
            metrics.mean_shortage_ratio(asked, given, failures),
        )
        found.append(float(metrics.sustainability_product(*parts)))
    assert found == pytest.approx([0.6 * 0.5 * 0.8, 0.8 * 0.0 * 0.8], abs=1e-15)


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


def test_a_weight_of_two_is_two_claimants() -> None:
    served, weight = among_regions(0.9, 0.3), among_regions(2, 1)
    apart = among_regions(0.9, 0.9, 0.3)
    theil = float(metrics.theil(served, "region", weight))
    assert theil == pytest.approx(float(metrics.theil(apart, "region")), abs=1e-15)
    # mean 0.7: 2/3 x 9/7 ln 9/7 + 1/3 x 3/7 ln 3/7
    by_hand = (2 / 3) * (9 / 7) * np.log(9 / 7) + (1 / 3) * (3 / 7) * np.log(3 / 7)
    assert theil == pytest.approx(by_hand, abs=1e-15)
    for aversion in (0.5, 1.0, 2.0):
        found = metrics.atkinson(served, "region", aversion, weight)
        once = metrics.atkinson(apart, "region", aversion)
        assert float(found) == pytest.approx(float(once), abs=1e-15)


def test_who_asks_nothing_weighs_nothing() -> None:
    served, weight = among_regions(0.9, 0.3, 0.0), among_regions(2, 1, 0)
    two = among_regions(0.9, 0.3), among_regions(2, 1)
    for index in (metrics.theil, metrics.atkinson):
        found = index(served, "region", weight=weight)
        assert float(found) == pytest.approx(float(index(two[0], "region", weight=two[1])))
        assert float(index(served, "region", weight=0 * weight)) == 0.0


def test_theil_with_weights_falls_into_between_and_within() -> None:
    served, weight = among_regions(0.9, 0.5, 0.4, 0.1, 0.0), among_regions(3, 1, 2, 5, 1)
    group = xr.DataArray(["hills", "delta", "hills", "delta", "islands"], dims="region")
    parts = metrics.theil_parts(served, group, "region", weight)
    # of 4.5 in all, hills have 3.5 at a mean of 0.7, the delta 1.0 at 1/6; the mean is 4.5 / 12
    between = (3.5 / 4.5) * np.log(0.7 / 0.375) + (1.0 / 4.5) * np.log((1 / 6) / 0.375)
    assert float(parts.between) == pytest.approx(between, abs=1e-15)
    whole = float(metrics.theil(served, "region", weight))
    assert float(parts.between + parts.within) == pytest.approx(whole, abs=1e-15)


def test_leximin_profile_is_in_order_and_keeps_other_dimensions() -> None:
    both = xr.concat([among_regions(0.9, 1.0, 0.4), among_regions(0.5, 0.2, 0.5)], "member")
    profile = metrics.leximin_profile(both.transpose("region", "member"), "region")
    assert profile.dims == ("member", "rank")
    assert profile["rank"].values.tolist() == [1, 2, 3]
    assert profile.values.tolist() == [[0.4, 0.9, 1.0], [0.2, 0.5, 0.5]]


# --- stress -------------------------------------------------------------------------------------


def test_withdrawal_to_availability() -> None:
    withdrawal, available = among_regions(30, 90, 0, 5), among_regions(120, 60, 9, 0)
    ratio = metrics.withdrawal_to_availability(withdrawal, available)
    assert ratio.values.tolist() == [0.25, 1.5, 0.0, 0.0]


def test_water_per_person() -> None:
    # 1,700 hm3 a year for 1 and 3.4 million
    found = metrics.water_per_person(among_regions(1700, 1700), among_regions(1e6, 3.4e6))
    assert found.values.tolist() == pytest.approx([1700, 500])
    with pytest.raises(ValueError, match="a population is 0 persons; must be above 0"):
        metrics.water_per_person(among_regions(1, 1), among_regions(1, 0))


# --- what every metric brings -------------------------------------------------------------------

FUNCTIONS = [name for name in metrics.__all__ if callable(getattr(metrics, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_metric_states_equation_source_and_example(name: str) -> None:
    text = inspect.getdoc(getattr(metrics, name)) or ""
    sections = dict(split_docstring(text)[1])
    assert {"Equation", "Source"} <= set(sections), name
    assert re.search(r"\b(19|20)\d\d\b", sections["Source"]), f"{name} names no year"
    assert re.search(rf">>> .*\b{name}\(", text.split("Examples", 1)[1], re.DOTALL), name
