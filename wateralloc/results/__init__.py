"""Results: what came of a case, as one Dataset with units, as tables, and as a folder of files."""

from wateralloc.results.collect import collect
from wateralloc.results.store import Results

__all__ = ["Results", "collect"]
