"""Results: what came of a case, as one Dataset with units, as tables, and as a folder of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wateralloc.results.store import Results

if TYPE_CHECKING:
    from wateralloc.results.dataset import collect

__all__ = ["Results", "collect"]


def __getattr__(name: str) -> Any:
    # loaded when asked for, so that reading results does not wait for the formulation
    if name == "collect":
        from wateralloc.results.dataset import collect

        return collect
    raise AttributeError(f"module 'wateralloc.results' has no attribute '{name}'")
