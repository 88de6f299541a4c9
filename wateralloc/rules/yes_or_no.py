"""What rules with decisions of yes or no need: the range of what they decide by."""

from __future__ import annotations

from collections.abc import Iterable

from wateralloc.basin import Basin
from wateralloc.parts.reservoir import storage_range


def storage_together(basin: Basin, reservoirs: Iterable[str]) -> tuple[float, float]:
    """Least and largest storage of reservoirs together, in any case [hm3]."""
    ranges = [storage_range(basin, r) for r in reservoirs]
    return float(sum(low for low, _ in ranges)), float(sum(high for _, high in ranges))
