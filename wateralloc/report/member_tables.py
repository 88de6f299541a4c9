"""The members of a case: their inflow, and what synthetic ones keep of the record."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wateralloc.case import Case
from wateralloc.hydrology import spans
from wateralloc.hydrology.validation import ALL, STATISTICS


def members_table(case: Case) -> pd.DataFrame:
    """Inflow of each member over the horizon, after the factors and withdrawals of the case.

    Returns
    -------
    DataFrame
        By member: record_start and record_end, its days of the record ("" for a synthetic one),
        inflow_hm3 of all nodes, share_of_mean, exceedance (Weibull; the wettest has the smallest),
        and, where the case has withdrawals upstream, missing_hm3: what could not be taken.
    """
    volumes = list(case.volumes("nodes", "inflow").values())
    shape = (case.n_members, case.n_periods)
    inflow = np.sum(volumes, axis=0).sum(axis=1) if volumes else np.zeros(shape[0])
    rank = np.argsort(np.argsort(-inflow, kind="stable"), kind="stable") + 1
    starts, ends = spans(case.timeline, case.members)
    is_of_record = not case.given
    table = pd.DataFrame(
        {
            "record_start": [str(day) if is_of_record else "" for day in starts[:, 0]],
            "record_end": [str(day - 1) if is_of_record else "" for day in ends[:, -1]],
            "inflow_hm3": inflow,
            "share_of_mean": inflow / inflow.mean() if inflow.any() else np.ones(shape[0]),
            "exceedance": rank / (shape[0] + 1),
        },
        index=pd.Index([member.name for member in case.members], name="member"),
    )
    if case.upstream_withdrawal:
        missing = list(case.missing_upstream().values())
        table["missing_hm3"] = np.sum(missing, axis=0).sum(axis=1)
    return table


def quantiles_table(members: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of the numbers of :func:`members_table`, for more members than one reads."""
    numbers = members[["inflow_hm3", "share_of_mean"]]
    quantiles = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
    labels = ["driest", "5 %", "25 %", "50 %", "75 %", "95 %", "wettest"]
    return numbers.quantile(quantiles).set_axis(pd.Index(labels, name="of all members"))


def by_month(table: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """One statistic of the whole basin by month: record, synthetic, low, high."""
    rows = table[(table["site"] == ALL) & (table["statistic"] == statistic) & (table["month"] > 0)]
    return rows.set_index("month")[["record", "synthetic", "low", "high"]]


def whole_basin(table: pd.DataFrame) -> pd.DataFrame:
    """All statistics of the whole basin by month, record beside synthetic."""
    return pd.concat(
        {
            f"{statistic} {of}": by_month(table, statistic)[of]
            for statistic in STATISTICS
            for of in ("record", "synthetic")
        },
        axis=1,
    )
