"""Months and their volumes: series of flow that add up to a volume [hm3] in each month."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.basins import month_starts


def by_month(column: str, start: str, **volumes: Sequence[float]) -> dict[str, Any]:
    """Series of a flow in ``hm3_day`` that gives each month its volume."""
    n = len(next(iter(volumes.values())))
    edges = (np.datetime64(start, "M") + np.arange(n + 1)).astype("datetime64[D]")
    days = np.diff(edges).astype(float).tolist()
    rates = {name: [v / d for v, d in zip(of, days, strict=True)] for name, of in volumes.items()}
    return {column: {"date": month_starts(start, n), **rates}}


def months(start: str, periods: int) -> dict[str, Any]:
    """A timeline of months."""
    return {"timeline": {"start": f"{start}-01", "periods": periods, "step": "month"}}
