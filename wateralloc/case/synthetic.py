"""Synthetic members of a case: the series of its basin that follow the hydrology, made anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wateralloc.basin import Basin
from wateralloc.case.model import AMOUNTS, Case, forecast_nodes, record_of, series_in_use
from wateralloc.hydrology import Member, Recorded, Synthetic, make_series, number_of
from wateralloc.hydrology.statistics import Monthly, by_month
from wateralloc.hydrology.validation import compare_with_record
from wateralloc.timeline import Timeline


def recorded_series(basin: Basin) -> dict[str, Recorded]:
    """Series of the record that follow the hydrology, by their columns."""
    dimension = {
        column.name: column.dimension
        for table in basin.declared.values()
        for column in table.columns
        if column.varies == "hydrology"
    }
    return {
        column: Recorded(
            series.timeline,
            tuple(str(name) for name in series.values.columns),
            series.values.to_numpy(float),
            is_amount=dimension[column] in AMOUNTS,
        )
        for column, series in series_in_use(basin, "hydrology").items()
    }


def synthetic_series(
    basin: Basin, timeline: Timeline, synthetic: Synthetic, members: Sequence[Member]
) -> dict[str, dict[str, np.ndarray]]:
    """Make the series of synthetic members, for ``Case.given``.

    Each member's depend on the seed and its own number alone, so members may be made in any order,
    and some without the others.

    Returns
    -------
    dict of dict of ndarray [canonical unit] (member, time)
        Column -> name -> values, before the factors on inflow.

    Raises
    ------
    ValueError
        The basin has no series of inflow.
    """
    record, series = record_of(basin), recorded_series(basin)
    if record is None or "inflow" not in series:
        raise ValueError("the basin has no series of inflow to make members from")
    numbers = [number_of(member) for member in members]
    return make_series(synthetic, timeline, record, series, numbers)


def compare_members(case: Case) -> pd.DataFrame:
    """Statistics of synthetic members beside those of the record, by site and month.

    Flows are those before the factors and withdrawals of the case.  See
    :func:`wateralloc.hydrology.validation.compare_with_record`.
    """
    record, made = _months(case)
    return compare_with_record(forecast_nodes(case.basin), record, made, _first_month(case))


def annual_volumes(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Inflow of the basin in whole years of the record, and of synthetic members [hm3] (year).

    A year starts with the month in which the horizon does.
    """
    volumes = [flow.annual(_first_month(case)).sum(axis=1) for flow in _months(case)]
    return volumes[0], volumes[1]


def _first_month(case: Case) -> int:
    return int(case.timeline.month[0])


def _months(case: Case) -> tuple[Monthly, Monthly]:
    """Inflow of the record and of the members by month, in the order of the nodes' names."""
    record = recorded_series(case.basin)["inflow"]
    place = {name: k for k, name in enumerate(record.names)}
    sites = forecast_nodes(case.basin)
    known = record.values[:, [place[site] for site in sites]].T[:, np.newaxis]
    made = np.stack([case.given["inflow"][site] for site in sites])
    return by_month(known, record.timeline), by_month(made, case.timeline)
