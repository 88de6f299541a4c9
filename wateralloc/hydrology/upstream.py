"""What lies upstream of the record: factors on inflow, and withdrawals taken off it, by date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Discriminator, Field, Tag

from wateralloc.errors import listed, suggest
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import Pattern, Timeline, day_of_year, horizon_days, period_sum

Factor = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
_BY_DATE = {"months", "from", "to", "value"}


def _kind_of_factor(value: Any) -> str:
    is_by_date = isinstance(value, Mapping | Sequence | Seasonal)
    return "by date" if is_by_date else "as number"


def _kind_of_scale(value: Any) -> str:
    if isinstance(value, Mapping) and not _BY_DATE & set(value):
        return "by name"
    return _kind_of_factor(value)


FactorByDate = Annotated[
    Annotated[Factor, Tag("as number")] | Annotated[Seasonal, Tag("by date")],
    Discriminator(_kind_of_factor),
]
Scale = Annotated[
    Annotated[Factor, Tag("as number")]
    | Annotated[Seasonal, Tag("by date")]
    | Annotated[dict[str, FactorByDate], Tag("by name")],
    Discriminator(_kind_of_scale),
]


def factors_by_node(
    scale: float | Seasonal | Mapping[str, float | Seasonal],
    sub_basins: dict[str, str],
    with_inflow: Sequence[str],
) -> tuple[dict[str, float | Seasonal], list[tuple[str, str, str]]]:
    """Spell out a scale as factors on the inflow of single nodes.

    Parameters
    ----------
    sub_basins : node -> sub-basin, "" where it has none
    with_inflow : nodes that have an inflow

    Returns
    -------
    factors : node -> factor, a number or by date
    faults : (key, error code, text) each; the key is below ``scale``
    """
    if not isinstance(scale, Mapping):
        return dict.fromkeys(with_inflow, scale), []
    by_sub_basin = {
        name: [node for node in with_inflow if sub_basins[node] == name]
        for name in sub_basins.values()
        if name
    }
    factors: dict[str, float | Seasonal] = {}
    own: dict[str, float | Seasonal] = {}
    faults = []
    for name, factor in scale.items():
        if name in by_sub_basin and name in sub_basins:
            nodes = listed(by_sub_basin[name])
            text = f"'{name}' is a sub-basin and a node; name the nodes you mean: {nodes}"
        elif name in by_sub_basin:
            factors |= dict.fromkeys(by_sub_basin[name], factor)
            if by_sub_basin[name]:
                continue
            text = f"no node of sub-basin '{name}' has an inflow; remove it"
        elif name in with_inflow:
            own[name] = factor
            continue
        elif name in sub_basins:
            text = f"node '{name}' has no inflow to scale; remove it"
        else:
            near = suggest(name, [*by_sub_basin, *with_inflow])
            known = listed(by_sub_basin) or "none"
            text = f"unknown sub-basin or node '{name}'{near or f'; sub-basins: {known}'}"
        faults.append((name, "E313", text))
    return factors | own, faults


def check_withdrawals(
    withdrawals: Mapping[str, Seasonal], nodes: Sequence[str], with_inflow: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Faults of withdrawals upstream: (node, error code, text) each."""
    faults = []
    for name in withdrawals:
        if name in with_inflow:
            continue
        if name in nodes:
            text = f"node '{name}' has no inflow to take from; name a node that has, or remove it"
        else:
            near = suggest(name, with_inflow)
            known = listed(with_inflow) or "none"
            text = f"unknown node '{name}'{near or f'; nodes with an inflow: {known}'}"
        faults.append((name, "E313", text))
    return faults


def factor_on(
    factor: float | Seasonal,
    timeline: Timeline,
    patterns: Mapping[str, Pattern],
    *,
    at_end: bool = False,
) -> Any:
    """Factor on inflow in each period: a number, or an array (time).

    By date, it is the mean over the days of the period, 1 on days that it does not name; a period
    that lies in two months takes part of each.

    Parameters
    ----------
    at_end : take the factor of the last day

    Examples
    --------
    >>> dry = Seasonal({"months": [1], "value": 0.5})
    >>> factor_on(dry, Timeline("2030-01-24", 2, "week"), {}).round(3).tolist()
    [0.5, 0.929]
    """
    if not isinstance(factor, Seasonal):
        return factor
    daily = np.where(factor.named(), factor.by_day(patterns), 1.0)
    if at_end:
        return daily[day_of_year(timeline.last_days)]
    return period_sum(daily[day_of_year(horizon_days(timeline))], timeline) / timeline.days


def take_upstream(flow: np.ndarray, withdrawal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take a withdrawal off an inflow, as far as there is water.

    Parameters
    ----------
    flow : ndarray [m3/s] (member, time)
    withdrawal : ndarray [m3/s] (time)

    Returns
    -------
    left, missing : what flows on, and what could not be taken, ndarray [m3/s] (member, time)

    Examples
    --------
    >>> left, missing = take_upstream(np.array([[5.0, 2.0]]), np.array([3.0, 3.0]))
    >>> left.tolist(), missing.tolist()
    ([[2.0, 0.0]], [[0.0, 1.0]])
    """
    taken = np.minimum(flow, withdrawal)
    return flow - taken, withdrawal - taken
