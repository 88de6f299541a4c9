"""Members of a case: years of the record, the same scaled, and synthetic series made from it."""

from wateralloc.hydrology.members import (
    CHOICES,
    Hydrology,
    YearMonth,
    historic_members,
    nearest_exceedance,
)
from wateralloc.hydrology.record import Member, Span, is_covered, resample, spans, value_at
from wateralloc.hydrology.synthetic import (
    Recorded,
    Synthetic,
    drawn_days,
    make_series,
    number_of,
)
from wateralloc.hydrology.upstream import (
    Factor,
    check_withdrawals,
    factor_on,
    factors_by_node,
    take_upstream,
)

__all__ = [
    "CHOICES",
    "Factor",
    "Hydrology",
    "Member",
    "Recorded",
    "Span",
    "Synthetic",
    "YearMonth",
    "check_withdrawals",
    "drawn_days",
    "factor_on",
    "factors_by_node",
    "historic_members",
    "is_covered",
    "make_series",
    "nearest_exceedance",
    "number_of",
    "resample",
    "spans",
    "take_upstream",
    "value_at",
]
