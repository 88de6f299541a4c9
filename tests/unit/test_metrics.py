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
