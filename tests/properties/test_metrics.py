"""Metrics over random services: bounds, what a smaller deficit changes, what order changes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wateralloc import metrics

CLOSE = 1e-9
FEW = settings(max_examples=50)
Service = tuple[xr.DataArray, xr.DataArray]
"""Demand and withdrawal (member, user, time)."""

amounts = st.integers(0, 100).map(float)
shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 8))


@st.composite
def services(draw: st.DrawFn) -> Service:
    """Some ask nothing in some periods; none gets more than it asks."""
    shape = draw(shapes)
    dims = ("member", "user", "time")
    demand = xr.DataArray(draw(arrays(float, shape, elements=amounts)), dims=dims)
    return demand, demand * xr.DataArray(draw(arrays(float, shape, elements=shares)), dims=dims)


@st.composite
def two_services(draw: st.DrawFn) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Demand, withdrawal, and another withdrawal that nowhere is less."""
    demand, less = draw(services())
    part = draw(arrays(float, demand.shape, elements=shares))
    return demand, less, less + (demand - less) * part


def years_of(demand: xr.DataArray) -> xr.DataArray:
    """Years of three periods, the last one a part."""
    return xr.DataArray(2030 + np.arange(demand.sizes["time"]) // 3, dims="time")


def of_service(demand: xr.DataArray, withdrawal: xr.DataArray) -> dict[str, xr.DataArray]:
    """Metrics of each user in time (member, user)."""
    short = metrics.is_short(demand, withdrawal)
    missing = demand - withdrawal
    share = 1.0 - metrics.satisfaction(demand, withdrawal)
    ratio = metrics.mean_shortage_ratio(demand, withdrawal, short)
    parts = metrics.time_reliability(short), metrics.resilience(short), ratio
    yearly = [metrics.sum_by_year(v, years_of(demand)) for v in (demand, withdrawal)]
    return {
        "volume_reliability": metrics.volume_reliability(demand, withdrawal),
        "time_reliability": parts[0],
        "resilience": parts[1],
        "vulnerability": metrics.vulnerability(share, short),
        "worst_period": metrics.worst_period(missing, short),
        "longest_failure": metrics.longest_failure(short),
        "mean_shortage_ratio": ratio,
        "sustainability_product": metrics.sustainability_product(*parts),
        "sustainability_geometric": metrics.sustainability_geometric(*parts),
        "shortage_index": metrics.hec_shortage_index(*yearly),
    }


SENSE = {
    "volume_reliability": 1, "time_reliability": 1, "worst_period": -1, "longest_failure": -1,
    "shortage_index": -1,
}  # fmt: skip
"""Metrics that a smaller deficit never worsens: 1 where more is better."""

EQUITY: dict[str, Callable[[xr.DataArray, xr.DataArray], xr.DataArray]] = {
    "gini": lambda served, asked: metrics.gini(served, asked, "user"),
    "theil": lambda served, asked: metrics.theil(served, "user", asked),
    "atkinson": lambda served, asked: metrics.atkinson(served, "user", weight=asked),
    "hoover": lambda served, asked: metrics.hoover(served, "user"),
    "gap": lambda served, asked: metrics.gap(served, "user"),
}
"""Indices of inequality: 0 when all are served alike."""


def horizon(service: Service) -> tuple[xr.DataArray, xr.DataArray]:
    """Satisfaction and demand of each user (member, user)."""
    return metrics.volume_reliability(*service), service[0].sum("time")


@FEW
@given(service=services())
def test_bounds_of_service(service: Service) -> None:
    found = of_service(*service)
    assert float(found.pop("longest_failure").max()) <= service[0].sizes["time"]
    assert float(found.pop("worst_period").max()) <= float(service[0].max())
    for name, values in found.items():
        top = 100.0 if name == "shortage_index" else 1.0
        assert float(values.min()) >= 0.0, name
        assert float(values.max()) <= top + CLOSE, name


@FEW
@given(service=services())
def test_who_is_never_short_has_the_best_of_all(service: Service) -> None:
    demand = service[0]
    for name, values in of_service(demand, demand).items():
        high = "reliability" in name or "sustainability" in name or name == "resilience"
        assert (values == (1.0 if high else 0.0)).all(), name


@FEW
@given(three=two_services())
def test_less_deficit_never_worsens(three: tuple[xr.DataArray, xr.DataArray, xr.DataArray]) -> None:
    demand, less, more = three
    before, after = of_service(demand, less), of_service(demand, more)
    for name, sense in SENSE.items():
        assert float((sense * (after[name] - before[name])).min()) >= -CLOSE, name
    profiles = [
        metrics.leximin_profile(metrics.volume_reliability(demand, w), "user") for w in (less, more)
    ]
    assert float((profiles[1] - profiles[0]).min()) >= -CLOSE  # at every rank


@FEW
@given(service=services())
def test_geometric_sustainability_is_between_its_parts(service: Service) -> None:
    found = of_service(*service)
    parts = xr.concat(
        [found["time_reliability"], found["resilience"], 1.0 - found["mean_shortage_ratio"]], "part"
    )
    index = found["sustainability_geometric"]
    assert float((index - parts.min("part")).min()) >= -CLOSE
    assert float((parts.max("part") - index).min()) >= -CLOSE
    assert float((index - found["sustainability_product"]).min()) >= -CLOSE


@FEW
@given(service=services(), pick=st.randoms())
def test_order_of_members_and_users_changes_nothing(service: Service, pick: Random) -> None:
    demand, withdrawal = service
    order = {dim: list(range(demand.sizes[dim])) for dim in ("member", "user")}
    for numbers in order.values():
        pick.shuffle(numbers)
    found, moved = of_service(demand, withdrawal), of_service(demand[order], withdrawal[order])
    for name, values in found.items():
        assert (values.isel(order).values == moved[name].values).all(), name  # to the last bit
    one, other = horizon(service), horizon((demand[order], withdrawal[order]))
    for name, index in EQUITY.items():
        expected = index(*one).isel(member=order["member"]).values
        assert index(*other).values == pytest.approx(expected, abs=CLOSE), name
    profiles = [metrics.leximin_profile(served, "user") for served in (one[0], other[0])]
    assert (profiles[0].isel(member=order["member"]).values == profiles[1].values).all()


@FEW
@given(service=services())
def test_a_member_alone_has_the_metrics_it_has_among_others(service: Service) -> None:
    together = of_service(*service)
    for k in range(service[0].sizes["member"]):
        alone = of_service(*(v.isel(member=[k]) for v in service))
        for name, values in alone.items():
            assert (values.values == together[name].isel(member=[k]).values).all(), name


@FEW
@given(service=services(), scale=st.sampled_from([0.1, 0.5, 0.9]))
def test_bounds_of_inequality(service: Service, scale: float) -> None:
    served, asked = horizon(service)
    for name, index in EQUITY.items():
        found = index(served, asked)
        assert float(found.min()) >= 0.0, name
        if name != "theil":
            assert float(found.max()) <= 1.0 + CLOSE, name
        alike = index(xr.full_like(served, scale), asked)
        assert np.abs(alike.values).max() <= CLOSE, name
    smallest = xr.where(asked > 0, asked, np.inf).min("user")
    most = np.log(np.maximum(asked.sum("user") / smallest, 1.0))  # all with the one of least weight
    assert float((metrics.theil(served, "user", asked) - most).max()) <= CLOSE


@FEW
@given(service=services())
def test_theil_between_and_within_add_up(service: Service) -> None:
    served, asked = horizon(service)
    group = xr.DataArray([f"g{k % 2}" for k in range(served.sizes["user"])], dims="user")
    parts = metrics.theil_parts(served, group, "user", asked)
    whole = metrics.theil(served, "user", asked).values
    assert (parts.between + parts.within).values == pytest.approx(whole, abs=CLOSE)
    assert float(parts.between.min()) >= -CLOSE
    assert float(parts.within.min()) >= -CLOSE


@FEW
@given(service=services(), share=st.sampled_from([0.1, 0.5]))
def test_from_the_better_to_the_worse_served_lowers_inequality(
    service: Service, share: float
) -> None:
    """A volume goes from the best to the worst served, less than would make them alike."""
    served, asked = (v.isel(member=0).values for v in horizon(service))
    asked = np.maximum(asked, 1.0)
    worst, best = int(np.argmin(served)), int(np.argmax(served))
    volume = share * (served[best] - served[worst]) / (1 / asked[worst] + 1 / asked[best])
    moved = served.copy()
    moved[worst] += volume / asked[worst]
    moved[best] -= volume / asked[best]
    weight = xr.DataArray(asked, dims="user")
    for name in ("gini", "theil", "atkinson"):
        before, after = (
            float(EQUITY[name](xr.DataArray(s, dims="user"), weight)) for s in (served, moved)
        )
        assert after <= before + CLOSE, name


@FEW
@given(service=services())
def test_stress_is_the_withdrawal_in_units_of_what_is_available(service: Service) -> None:
    available, withdrawal = service
    ratio = metrics.withdrawal_to_availability(withdrawal, available)
    assert (ratio * available).values == pytest.approx(withdrawal.values, abs=CLOSE)
    assert float(ratio.min()) >= 0.0
    more = metrics.withdrawal_to_availability(withdrawal, available + 1.0)
    assert float(xr.where(available > 0, ratio - more, 0.0).min()) >= 0.0
