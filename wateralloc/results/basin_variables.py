"""What results say of the basin, so that they are drawn without it: outlines, limits, ratings."""

from __future__ import annotations

import numpy as np

from wateralloc.case import Case
from wateralloc.parts.rating import rating_of
from wateralloc.parts.reservoir import storage_limits
from wateralloc.results.variables import MT, Variable, text, variable, whole


def basin_variables(case: Case) -> dict[str, Variable]:
    """Outlines on the map, limits of storage by date, and where each rating holds."""
    return _outlines(case) | _limits(case) | _ratings(case)


def _outlines(case: Case) -> dict[str, Variable]:
    """Outlines of provinces, coast and border, point by point, each line with a number."""
    outlines = case.basin.outlines
    if not outlines:
        return {}
    lines = [(outline, line) for outline in outlines for line in outline.lines]
    points = np.concatenate([line for _, line in lines])
    sizes = [len(line) for _, line in lines]
    dim = "outline_point"
    return {
        "outline_lon": variable(dim, points[:, 0], "longitude of the outline", "degrees_east"),
        "outline_lat": variable(dim, points[:, 1], "latitude of the outline", "degrees_north"),
        "outline_line": variable(
            dim,
            np.repeat(np.arange(len(lines), dtype=np.int32), sizes),
            "line of the point, from 0",
        ),
        "outline_kind": variable(
            "outline", text(outline.kind for outline, _ in lines), "province, coast or border"
        ),
        "outline_province": variable(
            "outline",
            text(outline.province for outline, _ in lines),
            "province of the line, if any",
        ),
    }


def _limits(case: Case) -> dict[str, Variable]:
    """Least and largest storage at the end of each period."""
    least, most = storage_limits(case)
    limited = [r for r, limit in most.items() if np.isfinite(limit).all()]
    dim = "reservoir_with_limit"
    shape = (case.n_members, case.n_periods, 0)
    lower = np.stack(list(least.values()), axis=-1) if least else np.zeros(shape)
    upper = np.stack([most[r] for r in limited], axis=-1) if limited else np.zeros(shape)
    at = "storage at the end of the period"
    return {
        dim: variable(dim, text(limited), "reservoirs that have a largest storage"),
        "storage_least": variable((*MT, "reservoir"), lower, f"least {at}", "hm3", "time: point"),
        "storage_most": variable((*MT, dim), upper, f"largest {at}", "hm3", "time: point"),
    }


def _ratings(case: Case) -> dict[str, Variable]:
    """Node and flow of each rating, and whether it is of the riverbed of the case."""
    table = case.basin.tables["ratings"]
    if not len(table):
        return {}
    current = [
        rating_of(case.basin, row["node"], row["flow_at"], case.riverbed) == name
        for name, row in table.to_dict("index").items()
    ]
    return {
        "rating_node": variable("rating", text(table["node"]), "node where the level is read"),
        "rating_flow_at": variable(
            "rating", text(table["flow_at"]), "node whose flow the level goes with"
        ),
        "rating_is_current": variable(
            "rating", whole(current), "1 where it is of the riverbed of the case"
        ),
    }
