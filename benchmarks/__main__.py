"""Run every benchmark of the folder: ``python -m benchmarks [--full] [--out DIR]``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import benchmarks
from benchmarks import harness


def find() -> dict[str, Callable[[bool], dict[str, Any]]]:
    """Return the `run` of every benchmark by its name; some are not possible everywhere."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    modules = {name: import_module(f"benchmarks.{name}") for name in names if name != "__main__"}
    return {
        name: module.run
        for name, module in modules.items()
        if hasattr(module, "run") and getattr(module, "is_possible", lambda: True)()
    }


if __name__ == "__main__":
    harness.main(find(), "Run every benchmark.")
