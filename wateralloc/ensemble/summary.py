"""What a thousand members say together: metrics pooled over them, and quantiles among them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

from wateralloc.metrics import sustainability_geometric, sustainability_product

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
ALL = "all"
"""Member of a metric that is of all members together."""
AT_ONCE = 64
"""Members that are read at a time."""
SPREAD = ["mean", "min", *(f"q{round(100 * q):02d}" for q in QUANTILES), "max"]
PARTS = ("time_reliability", "resilience", "vulnerability_mean_share")
"""Metrics that an index of sustainability is made of, in the order of its arguments."""
SUSTAINABILITY = {
    "sustainability_product": sustainability_product,
    "sustainability_geometric": sustainability_geometric,
}
Key = tuple[str, str]


def pool_metrics(metrics: xr.Dataset) -> pd.DataFrame:
    """Metrics of all members together, as if their horizons were one long record.

    Volumes, energy and shares are means over the members.  A reliability counts the periods, or
    the volumes, of all members; `resilience` the short periods of all; `vulnerability` is the mean
    over the members that were ever short, but for `vulnerability_mean_share`, which is that of the
    short periods of all.  Sustainability is of these, and `withdrawal_to_availability` of the
    volumes, of all members.  What is worst, longest, lowest or highest is so over all members.
    `member_reliability` is the share of members that were never short: with members of a year, the
    share of years.

    Parameters
    ----------
    metrics : ``metric_scope``, ``metric_name``, ``metric_metric`` (metric), ``metric_value``
        (member, metric)

    Returns
    -------
    DataFrame
        Columns member, scope, name, metric, value, as ``metrics.csv`` of other results has them.
    """
    rows = []
    for (scope, name), found in _by_item(metrics):
        for metric, values in found.items():
            rows.append((ALL, scope, name, metric, _pool(metric, values, found)))
            if metric == "time_reliability":
                never = float((values == 1.0).mean())
                rows.append((ALL, scope, name, "member_reliability", never))
    return pd.DataFrame(rows, columns=["member", "scope", "name", "metric", "value"])


def _by_item(metrics: xr.Dataset) -> Iterator[tuple[Key, dict[str, np.ndarray]]]:
    """Metrics (member) of each item by name, items in the order in which they first appear."""
    items: dict[Key, dict[str, np.ndarray]] = {}
    values = metrics["metric_value"].values
    words = (metrics[f"metric_{word}"].values for word in ("scope", "name", "metric"))
    for k, (scope, name, metric) in enumerate(zip(*words, strict=True)):
        items.setdefault((str(scope), str(name)), {})[str(metric)] = values[:, k]
    yield from items.items()


def _pool(metric: str, values: np.ndarray, of_item: dict[str, np.ndarray]) -> float:
    if metric == "volume_reliability":
        asked = of_item["demand_hm3"].sum()
        return float(of_item["withdrawal_hm3"].sum() / asked) if asked > 0 else 1.0
    if metric == "withdrawal_to_availability":
        there = of_item["availability_hm3"].sum()
        return float(of_item["withdrawal_hm3"].sum() / there) if there > 0 else 0.0
    if metric in SUSTAINABILITY:
        parts = (_pool(name, of_item[name], of_item) for name in PARTS)
        return float(SUSTAINABILITY[metric](*map(xr.DataArray, parts)))
    if metric == "vulnerability_mean_share":
        is_short = values > 0  # deficit over share is what was asked in the short periods
        deficit = of_item["deficit_hm3"][is_short]
        return float(deficit.sum() / (deficit / values[is_short]).sum()) if is_short.any() else 0.0
    if metric == "resilience":
        short = 1.0 - of_item["time_reliability"]  # in proportion to the short periods
        return float(values @ short / short.sum()) if short.sum() > 0 else 1.0
    if metric.startswith("vulnerability"):
        is_short = of_item["time_reliability"] < 1.0
        return float(values[is_short].mean()) if is_short.any() else 0.0
    if metric.startswith(("worst_", "longest_", "highest_")):
        return float(values.max())
    if metric.startswith(("lowest_", "least_", "firm_")):
        return float(values.min())
    return float(values.mean())


def metric_quantiles(metrics: xr.Dataset) -> pd.DataFrame:
    """Mean, extremes and quantiles of each metric among the members.

    Parameters
    ----------
    metrics : as :func:`pool_metrics` takes them
    """
    words = {word: metrics[f"metric_{word}"].values for word in ("scope", "name", "metric")}
    return pd.concat([pd.DataFrame(words), _spread(metrics["metric_value"].values)], axis=1)


def period_quantiles(path: Path) -> pd.DataFrame:
    """The same in each period: deficits by sector and region, storages, energy.

    Parameters
    ----------
    path : ``results.nc``, which is read a few members at a time
    """
    frames = []
    with netCDF4.Dataset(path) as file:
        starts = _dates(file)
        for scope, quantity, column, names, group in _periodic(file):
            values = _grouped(file.variables[quantity], group, len(names))
            for n, name in enumerate(names):
                frame = pd.DataFrame(
                    {"scope": scope, "name": name, "quantity": column, "period_start": starts}
                )
                frames.append(pd.concat([frame, _spread(values[:, :, n])], axis=1))
    return pd.concat(frames, ignore_index=True)


def _periodic(file: netCDF4.Dataset) -> Iterator[tuple[str, str, str, list[str], np.ndarray]]:
    """Scope, variable, column, names and the number of the name that each item belongs to."""
    n_demands = file.dimensions["demand"].size
    if n_demands:
        yield "basin", "deficit", "deficit_hm3", [ALL], np.zeros(n_demands, int)
    for scope, quantity, column in (
        ("sector", "deficit", "deficit_hm3"),
        ("region", "deficit", "deficit_hm3"),
        ("reservoir", "storage_end", "storage_end_hm3"),
        ("plant", "energy", "energy_gwh"),
    ):
        if scope not in file.variables:
            continue
        label = [str(word) for word in file.variables[scope][:]]
        names = list(dict.fromkeys(word for word in label if word))
        group = np.array([names.index(word) if word else -1 for word in label], int)
        if names:
            yield scope, quantity, column, names, group


def _grouped(variable: netCDF4.Variable, group: np.ndarray, n_names: int) -> np.ndarray:
    """Sum (member, time, item) over the items of each name: (member, time, name)."""
    n_members, n_periods, _ = variable.shape
    total = np.zeros((n_members, n_periods, n_names))
    for first in range(0, n_members, AT_ONCE):
        some = np.asarray(variable[first : first + AT_ONCE])
        for item, name in enumerate(group):
            if name >= 0:
                total[first : first + AT_ONCE, :, name] += some[:, :, item]
    return total


def _spread(values: np.ndarray) -> pd.DataFrame:
    """Mean, least, quantiles and largest of values (member, row), one row each."""
    found = [values.mean(axis=0), values.min(axis=0)]
    found += list(np.quantile(values, QUANTILES, axis=0))
    found.append(values.max(axis=0))
    return pd.DataFrame(dict(zip(SPREAD, found, strict=True)))


def _dates(file: netCDF4.Dataset) -> np.ndarray:
    """First days of the periods, as text."""
    days = np.asarray(file.variables["time"][:], int)  # since 1970-01-01, as results keep them
    return np.datetime_as_string(days.astype("datetime64[D]")).astype(object)


def read_metrics(path: Path) -> xr.Dataset:
    """Metrics of each member, from ``results.nc``."""
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        names = [name for name in dataset.data_vars if str(name).startswith("metric_")]
        return dataset[names].load()
