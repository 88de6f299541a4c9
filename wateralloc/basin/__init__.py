"""The basin: its places, tables, patterns, curves and series, read from a folder and checked.

Everything in the folder is read against the tables that the parts declare.  All faults are
collected, each with file:line:column, and raised at once.
"""

from wateralloc.basin.model import (
    CURVES,
    NODES,
    PATTERNS,
    Basin,
    Curve,
    Outline,
    Series,
    SeriesColumn,
)
from wateralloc.basin.read import read_basin

__all__ = [
    "CURVES",
    "NODES",
    "PATTERNS",
    "Basin",
    "Curve",
    "Outline",
    "Series",
    "SeriesColumn",
    "read_basin",
]
