"""Record and synthetic members side by side: the statistics that a generator should keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wateralloc.hydrology.statistics import (
    Monthly,
    correlation,
    deviation,
    least_of_years,
    own_correlation,
    skewness,
)

ALL = "all"
"""Name of the whole basin among the sites."""
SAMPLES = 200
"""Samples as long as the record that tell how far one sample may be from another."""
WITHIN = (0.05, 0.95)
"""Between which quantiles of them a record should lie."""
STATISTICS = {
    "mean": "m3/s",
    "sd": "m3/s",
    "skew": "1",
    "lag_1": "1",
    "cross": "1",
}
"""Statistics of a month, and their units."""
ANNUAL = {"mean": "hm3", "sd": "hm3", "lowest": "hm3"}
"""Statistics of a year, and their units."""


def compare_with_record(
    sites: Sequence[str],
    record: Monthly,
    synthetic: Monthly,
    first_month: int,
    *,
    samples: int = SAMPLES,
) -> pd.DataFrame:
    """Put statistics of the record and of synthetic members side by side, by site and month.

    ``lag_1`` is the correlation of a month's flow with that of the month before, ``cross`` the mean
    of the correlations of a site with each other site that varies in that month.  In month 0 stands
    the year: the mean and standard deviation of its volume, and the smallest in as many years as
    the record has (``lowest``).  The site ``all`` is the sum of all; its ``cross`` is the mean of
    the sites.  A statistic that a sample cannot give is NaN.

    A record is short, and its statistics are uncertain: ``low`` and ``high`` hold 90 % of those of
    samples of synthetic members as long as the record, drawn without replacement.  They are NaN
    where there are no more members than one sample takes.

    Parameters
    ----------
    record, synthetic : flow of the sites, in their order
    first_month : month of the calendar with which a year starts
    samples : number of those samples

    Returns
    -------
    DataFrame
        Columns site, month, statistic, unit, record, synthetic, low, high.
    """
    names = [*sites, ALL]
    record, synthetic = _with_total(record), _with_total(synthetic)
    n_years = len(record.annual(first_month))
    n_members = synthetic.flow.shape[1]
    many = min(max(round(record.months.size / max(synthetic.months.size, 1)), 1), n_members)
    chance = np.random.default_rng(0)
    if many == n_members:
        samples = 0
    of_samples = [
        _statistics(
            Monthly(
                synthetic.flow[:, chance.choice(n_members, many, replace=False)], synthetic.months
            ),
            first_month,
            n_years,
        )
        for _ in range(samples)
    ]
    ours, theirs = (_statistics(flow, first_month, n_years) for flow in (record, synthetic))
    units = [(month, *of) for month in range(1, 13) for of in STATISTICS.items()]
    units += [(0, *of) for of in ANNUAL.items()]
    rows = []
    for month, statistic, unit in units:
        key = (month, statistic)
        low = high = np.full(len(names), np.nan)
        if of_samples:
            low, high = np.quantile([of[key] for of in of_samples], WITHIN, axis=0)
        columns = (ours[key], theirs[key], low, high)
        for name, *values in zip(names, *columns, strict=True):
            rows.append((name, month, statistic, unit, *values))
    heads = ["site", "month", "statistic", "unit", "record", "synthetic", "low", "high"]
    return pd.DataFrame(rows, columns=heads)


def _statistics(flow: Monthly, first_month: int, n_years: int) -> dict[tuple[int, str], np.ndarray]:
    """All statistics, by month (0 the year) and name (site)."""
    found: dict[tuple[int, str], np.ndarray] = {}
    for month in range(1, 13):
        found |= {(month, name): value for name, value in _of_month(flow, month).items()}
    of_year = _of_year(flow.annual(first_month), n_years)
    return found | {(0, name): value for name, value in of_year.items()}


def _with_total(flow: Monthly) -> Monthly:
    total = flow.flow.sum(axis=0, keepdims=True)
    return Monthly(np.concatenate([flow.flow, total]), flow.months)


def _of_month(flow: Monthly, month: int) -> dict[str, np.ndarray]:
    """Statistics of a month by site, the last site being the total."""
    places = flow.of(month)
    sample = flow.sample(places)
    nothing = np.full(len(flow.flow), np.nan)
    if len(sample) < 3:
        return dict.fromkeys(STATISTICS, nothing)
    cross = correlation(sample[:, :-1], sample[:, :-1])
    varies = np.diag(cross) > 0
    # a site that does not vary goes with none
    of_site = (cross.sum(axis=1) - np.diag(cross)) / max(varies.sum() - 1, 1)
    of_site = np.where(varies, of_site, np.nan)
    after = places[places > 0]
    lag = nothing
    if after.size * flow.flow.shape[1] > 2:
        lag = own_correlation(flow.sample(after - 1), flow.sample(after))
    return {
        "mean": sample.mean(axis=0),
        "sd": deviation(sample),
        "skew": skewness(sample),
        "lag_1": lag,
        "cross": np.append(of_site, of_site[varies].mean() if varies.any() else np.nan),
    }


def _of_year(volume: np.ndarray, n_years: int) -> dict[str, np.ndarray]:
    """Statistics of a year by site."""
    nothing = np.full(volume.shape[1], np.nan)
    return {
        "mean": volume.mean(axis=0) if len(volume) else nothing,
        "sd": deviation(volume) if len(volume) > 1 else nothing,
        "lowest": least_of_years(volume, n_years) if len(volume) >= n_years > 0 else nothing,
    }


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """How far synthetic members are from the record, over all sites and months that vary.

    Parameters
    ----------
    table : of :func:`compare_with_record`

    Returns
    -------
    DataFrame
        By the statistics of a month and of a year: ``ratio`` and ``difference``, the median of
        synthetic over record and of synthetic less record; ``least`` and ``most``, the smallest and
        largest difference; ``within``, the share of records between low and high.
    """
    spread = table[(table["statistic"] == "sd") & (table["month"] > 0)]
    varying = spread.groupby("site")["record"].max()
    # where flow is the same each year, there is nothing to keep
    kept = table["site"].map(varying > 0) & table["record"].notna() & table["synthetic"].notna()
    table = table[kept & (table["site"] != ALL)]
    away = table["synthetic"] - table["record"]
    slack = 1e-9 * table["record"].abs()
    inside = (table["record"] >= table["low"] - slack) & (table["record"] <= table["high"] + slack)
    ratio = table["synthetic"] / table["record"].where(table["record"] != 0)
    within = inside.astype(float).where(table["low"].notna())
    groups = [table["month"] == 0, table["statistic"]]
    rows = pd.DataFrame(
        {
            "ratio": ratio.groupby(groups, sort=False).median(),
            "difference": away.groupby(groups, sort=False).median(),
            "least": away.groupby(groups, sort=False).min(),
            "most": away.groupby(groups, sort=False).max(),
            "within": within.groupby(groups, sort=False).mean(),
        }
    )
    rows.index = pd.Index(
        [f"annual {name}" if is_year else name for is_year, name in rows.index], name="statistic"
    )
    return rows
