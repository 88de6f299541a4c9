"""How well users are served, how alike, and how hard the water is used.

Pure functions of DataArrays.  :mod:`.service` is about one user or group in time, :mod:`.equity`
about claimants beside each other, :mod:`.stress` about what is withdrawn beside what there is.
The manual has them all in one table: ``docs/metrics.md``.
"""

from wateralloc.metrics.equity import (
    atkinson,
    gap,
    gini,
    hoover,
    jain,
    leximin_profile,
    theil,
    theil_parts,
    weighted_mean,
)
from wateralloc.metrics.service import (
    NOISE,
    SHORT,
    hec_shortage_index,
    is_short,
    longest_failure,
    mean_shortage_ratio,
    resilience,
    satisfaction,
    sum_by_year,
    sustainability_geometric,
    sustainability_product,
    time_reliability,
    volume_reliability,
    vulnerability,
    worst_period,
)
from wateralloc.metrics.stress import water_per_person, withdrawal_to_availability

__all__ = [
    "NOISE",
    "SHORT",
    "atkinson",
    "gap",
    "gini",
    "hec_shortage_index",
    "hoover",
    "is_short",
    "jain",
    "leximin_profile",
    "longest_failure",
    "mean_shortage_ratio",
    "resilience",
    "satisfaction",
    "sum_by_year",
    "sustainability_geometric",
    "sustainability_product",
    "theil",
    "theil_parts",
    "time_reliability",
    "volume_reliability",
    "vulnerability",
    "water_per_person",
    "weighted_mean",
    "withdrawal_to_availability",
    "worst_period",
]
