"""Figures of one result: who is served how well, energy, storage on a date, yardsticks kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import metrics
from wateralloc.comparison.yardsticks import Yardstick
from wateralloc.results.measures import metric_table
from wateralloc.timeline import years_between

SCOPES = ("basin", "region", "sector", "region_sector", "province")
"""Who is served, as in ``metrics.csv``."""
ENDS = ("least", "most")
"""Ends of the range of a deficit that the goals leave open."""
GINI = ("region", "province", "sector")
"""Among whom it is measured how unequally they are served."""
PRICES = ("volume_price", "value_price")
"""Starts of the metrics that say what a rule of sharing costs; not every result has them."""
SERVED = 1 - 1e-9
"""A satisfaction from here on is whole."""


@dataclass(frozen=True)
class Figure:
    """A figure of a policy.

    Attributes
    ----------
    measure : what it is
    unit : ``1`` of a share; ``hm3/year`` over a horizon of a year or more, ``hm3`` below
    values : of each member (member)
    mean : over the members; of a ratio that of the sums
    sense : 1 where more is better, -1 where less is
    mean_of, of : what the mean, and the value of each member, is of (the worst province)
    """

    measure: str
    scope: str
    name: str
    unit: str
    values: np.ndarray
    mean: float
    sense: int
    mean_of: str = ""
    of: tuple[str, ...] = ()

    @property
    def worst(self) -> int:
        """Number of the member with the worst value."""
        return int(np.argmin(self.sense * self.values))


def figures_of(
    dataset: xr.Dataset, yardsticks: Sequence[Yardstick], dates: Sequence[str]
) -> list[Figure]:
    """Compute the figures of a result.

    Parameters
    ----------
    dataset : of the members that are compared
    dates : days of the year on whose start the storage is read, MM-DD
    """
    edges = dataset["time_bnds"].values.astype("datetime64[D]")
    years = Years(years_between(edges[0, 0], edges[-1, 1]))
    known = _Metrics(dataset)
    return [
        *_service(known, years),
        *_left_open(dataset, years),
        *_energy(known, years),
        *_through(known, dataset, years),
        *_inequality(known),
        *value_figures(dataset, years),
        *_storage(dataset, dates),
        *_prices(known),
        *(figure for y in yardsticks for figure in kept_figures(y, dataset, years)),
    ]


@dataclass(frozen=True)
class Years:
    """Length of the horizon; an amount over a year or more is a mean per year."""

    length: float

    def mean(
        self, measure: str, scope: str, name: str, unit: str, amount: Any, sense: int
    ) -> Figure:
        """Figure of an amount of the horizon (member)."""
        if self.length < 1:
            return _plain(measure, scope, name, unit, amount, sense)
        return _plain(measure, scope, name, f"{unit}/year", amount / self.length, sense)


class _Metrics:
    """Metrics of a result: (member, name) by scope and metric."""

    def __init__(self, dataset: xr.Dataset) -> None:
        table = metric_table(dataset)
        self.members = list(dataset["member"].values)
        self.groups = {
            (str(scope), str(metric)): rows
            for (scope, metric), rows in table.groupby(["scope", "metric"], sort=False)
        }

    def get(self, scope: str, metric: str) -> pd.DataFrame:
        """Values by member and name; without columns where there are none."""
        rows = self.groups.get((scope, metric))
        if rows is None:
            return pd.DataFrame(index=self.members)
        names = list(dict.fromkeys(rows["name"]))
        values = rows["value"].to_numpy().reshape(len(self.members), len(names))
        return pd.DataFrame(values, index=self.members, columns=names)


def _plain(measure: str, scope: str, name: str, unit: str, values: Any, sense: int) -> Figure:
    values = np.asarray(values, float)
    return Figure(measure, scope, name, unit, values, float(values.mean()), sense)


def _service(known: _Metrics, years: Years) -> Iterator[Figure]:
    served: list[Figure] = []
    for scope in SCOPES:
        demand, withdrawal = (known.get(scope, f"{what}_hm3") for what in ("demand", "withdrawal"))
        deficit, reliability = (
            known.get(scope, metric) for metric in ("deficit_hm3", "time_reliability")
        )
        share = known.get(scope, "volume_reliability")
        for name in demand.columns:
            yield years.mean("demand", scope, name, "hm3", demand[name], -1)
            yield years.mean("deficit", scope, name, "hm3", deficit[name], -1)
            asked, given = demand[name].sum(), withdrawal[name].sum()
            mean = float(metrics.satisfaction(xr.DataArray(asked), xr.DataArray(given)))
            figure = Figure("satisfaction", scope, name, "1", share[name].to_numpy(), mean, 1)
            served += [figure] if scope == "province" else []
            yield figure
            yield _plain("time_reliability", scope, name, "1", reliability[name], 1)
    if served:
        yield _worst_province(served)


def _left_open(dataset: xr.Dataset, years: Years) -> Iterator[Figure]:
    """Least and most deficit of each total at any optimum, of results that have the ranges."""
    for end in ENDS:
        values = dataset.get(f"total_deficit_{end}")
        if values is None:
            return
        names = zip(dataset["total_scope"].values, dataset["total_name"].values, strict=True)
        by_total = values.transpose("total", "member").values
        for (scope, name), of_total in zip(names, by_total, strict=True):
            if scope in SCOPES:
                yield years.mean(f"deficit_{end}", str(scope), str(name), "hm3", of_total, -1)


def _worst_province(provinces: Sequence[Figure]) -> Figure:
    """The least satisfaction of a province, over all members together and in each of them."""
    names = [figure.name for figure in provinces]
    values = np.stack([figure.values for figure in provinces])
    means = np.array([figure.mean for figure in provinces])

    def least(of: np.ndarray) -> str:
        return names[int(np.argmin(of))] if of.min() < SERVED else ""

    return Figure(
        "worst_province_satisfaction", "basin", "all", "1", values.min(axis=0),
        float(means.min()), 1, least(means),
        tuple(least(values[:, k]) for k in range(values.shape[1])),
    )  # fmt: skip


def _energy(known: _Metrics, years: Years) -> Iterator[Figure]:
    for name, values in known.get("basin", "energy_gwh").items():
        yield years.mean("energy", "basin", str(name), "GWh", values, 1)


def _through(known: _Metrics, dataset: xr.Dataset, years: Years) -> Iterator[Figure]:
    """What reservoirs spill, and what leaves the basin."""
    if dataset.sizes["reservoir"]:
        spill = dataset["spill"].sum(["time", "reservoir"]).values
        yield years.mean("spill", "basin", "all", "hm3", spill, -1)
    for name, values in known.get("basin", "outflow_hm3").items():
        yield years.mean("outflow", "basin", str(name), "hm3", values, 1)


def _inequality(known: _Metrics) -> Iterator[Figure]:
    for among in GINI:
        measure = f"gini_among_{among}"
        for name, values in known.get("basin", measure).items():
            yield _plain(measure, "basin", str(name), "1", values, -1)


def value_figures(dataset: xr.Dataset, years: Years) -> Iterator[Figure]:
    """What the water withdrawn is worth, where demands have values [million of the currency]."""
    benefit = dataset["benefit"].sum("time").transpose("member", "demand").values
    if not benefit.any():
        return
    yield years.mean("value", "basin", "all", "million", benefit.sum(axis=1), 1)
    for scope in ("region", "sector"):
        of = dataset[scope].values
        for name in dict.fromkeys(of):
            if name:
                total = benefit[:, of == name].sum(axis=1)
                yield years.mean("value", scope, str(name), "million", total, 1)


def _storage(dataset: xr.Dataset, dates: Sequence[str]) -> Iterator[Figure]:
    """Storage at the start of a day, on the straight line between two ends of periods."""
    if not dataset.sizes["reservoir"]:
        return
    first, last = (
        dataset[name].transpose("member", "time", "reservoir").values
        for name in ("storage_start", "storage_end")
    )
    storage = np.concatenate([first[:, :1], last], axis=1)
    edges = edges_of(dataset)
    for date in dates:
        days = days_of(dataset, date)
        if not days.size:
            continue
        share = np.interp(days.astype(int), edges.astype(int), np.arange(edges.size))
        before = np.minimum(share.astype(int), edges.size - 2)
        weight = (share - before)[None, :, None]
        on_days = (1 - weight) * storage[:, before] + weight * storage[:, before + 1]
        mean = on_days.mean(axis=1)
        measure = f"storage_on_{date}"
        yield _plain(measure, "basin", "all", "hm3", mean.sum(axis=1), 1)
        for i, name in enumerate(dataset["reservoir"].values):
            yield _plain(measure, "reservoir", str(name), "hm3", mean[:, i], 1)


def edges_of(dataset: xr.Dataset) -> np.ndarray:
    """Boundaries of the periods, datetime64[D] (time + 1)."""
    bounds = dataset["time_bnds"].values.astype("datetime64[D]")
    return np.append(bounds[:, 0], bounds[-1, 1])


def days_of(dataset: xr.Dataset, date: str) -> np.ndarray:
    """Days of the horizon, its end included, that have a date MM-DD."""
    edges = edges_of(dataset)
    days = np.arange(edges[0], edges[-1] + 1)
    text = np.datetime_as_string(days)
    return days[np.array([day[5:] == date for day in text])]


def _prices(known: _Metrics) -> Iterator[Figure]:
    """What the rules of sharing cost, of results that say it, and the largest of all goals.

    The name of the metric ends in its unit; without one it is a share.
    """
    for measure in PRICES:
        found = [
            _plain(measure, scope, str(name), metric.removeprefix(measure)[1:] or "1", values, -1)
            for scope, metric in known.groups
            if metric.startswith(measure)
            for name, values in known.get(scope, metric).items()
        ]
        yield from (figure for figure in found if figure.scope != "basin")
        if found:
            largest = np.max([figure.values for figure in found], axis=0)
            yield _plain(measure, "basin", "all", found[0].unit, largest, -1)


def kept_figures(yardstick: Yardstick, dataset: xr.Dataset, years: Years) -> Iterator[Figure]:
    """How well a policy keeps what a yardstick asks."""
    missed, kept = yardstick.measure(dataset)
    if not missed.shape[1]:
        return
    yield _plain("kept", "yardstick", yardstick.label, "1", kept.mean(axis=1), 1)
    yield years.mean("missed", "yardstick", yardstick.label, "hm3", missed.sum(axis=1), -1)
