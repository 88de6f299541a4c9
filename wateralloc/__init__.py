"""Allocate river water among sectors and regions by linear programming."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wateralloc.basin import Basin, read_basin
    from wateralloc.case import Case, read_case
    from wateralloc.comparison import Comparison, compare
    from wateralloc.ensemble import run_ensemble, run_sweep
    from wateralloc.errors import Infeasible, InputError, WaterAllocError
    from wateralloc.explanation import explain
    from wateralloc.job import run
    from wateralloc.pyomo_model import to_pyomo
    from wateralloc.results import Results
    from wateralloc.timeline import Timeline

__version__ = "0.1.0.dev0"

__all__ = [
    "Basin",
    "Case",
    "Comparison",
    "Infeasible",
    "InputError",
    "Results",
    "Timeline",
    "WaterAllocError",
    "__version__",
    "compare",
    "explain",
    "read_basin",
    "read_case",
    "run",
    "run_ensemble",
    "run_sweep",
    "to_pyomo",
]

# Loaded when first asked for, so that a command that needs no solver does not wait for one.
_HOME = {
    "Basin": "basin",
    "Case": "case",
    "Comparison": "comparison",
    "Infeasible": "errors",
    "InputError": "errors",
    "Results": "results",
    "Timeline": "timeline",
    "WaterAllocError": "errors",
    "compare": "comparison",
    "explain": "explanation",
    "read_basin": "basin",
    "read_case": "case",
    "run": "job",
    "run_ensemble": "ensemble",
    "run_sweep": "ensemble",
    "to_pyomo": "pyomo_model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'wateralloc' has no attribute '{name}'")
    value = getattr(import_module(f"wateralloc.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
