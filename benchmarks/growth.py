"""How build time and memory grow with nodes, periods and members.

Run ``python -m benchmarks.growth [--full] [--out DIR]``.  The program of
:mod:`benchmarks.tree_basin` is built and stacked, not solved, along three lines, each of which
makes one of the three larger and keeps the others.  A cell is a node in a period of a member.  Each
size is a process of its own, warmed up on a small one.  The slope of a line is that of the
least-squares line through the logarithms: 1 is linear growth.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.calvin import alone
from benchmarks.tree_basin import Basin, period_model
from wateralloc.horizon import Horizon, LinearProgram

STEEPEST = 1.1


@dataclass(frozen=True)
class Size:
    """One size."""

    n_nodes: int
    n_periods: int
    n_members: int

    @property
    def cells(self) -> int:
        return self.n_nodes * self.n_periods * self.n_members


def lines(largest: int) -> dict[str, list[Size]]:
    """Sizes of each line, by powers of ten from 10^4 cells."""
    powers = [10**k for k in range(int(np.log10(largest)) - 3)]
    return {
        "periods": [Size(100, 100 * n, 1) for n in powers],
        "nodes": [Size(10 * n, 1000, 1) for n in powers],
        "members": [Size(100, 100, n) for n in powers],
    }


def build(size: Size) -> LinearProgram:
    """Write the period and stack it; every member has numbers of its own."""
    m = period_model(Basin(size.n_nodes, size.n_periods))
    if size.n_members > 1:
        wetter = np.linspace(0.8, 1.2, size.n_members)[:, None]
        for inflow in m.inflow.values():
            inflow.set_value(inflow.value * wetter)
    return Horizon(m, size.n_members, size.n_periods).stack()


def resident() -> int:
    """Resident memory of this process [bytes]; its peak starts anew from it (on Linux)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def measure(size: Size) -> dict[str, float]:
    """Build once in this process: processor seconds and memory above that before."""
    build(Size(20, 24, 2))
    basin = Basin(size.n_nodes, size.n_periods)
    for name in ("parent", "upstream", "inflow", "demand", "worth", "year", "dry_season"):
        getattr(basin, name)
    before = resident()
    started = time.process_time()
    program = build(size)
    seconds = time.process_time() - started
    return {
        "build_cpu_s": seconds,
        "memory_mib": (harness.own_peak() - before) / harness.BYTES_PER_MIB,
        "n_columns": program.n_columns * size.n_members,
        "n_rows": program.n_rows * size.n_members,
        "n_nonzeros": program.data.size,
    }


def slope(cells: list[int], amounts: list[float]) -> float:
    """Slope of the least-squares line through the logarithms.

    >>> round(slope([10, 100, 1000], [2.0, 20.0, 200.0]), 9)
    1.0
    """
    return float(np.polyfit(np.log(cells), np.log(amounts), 1)[0])


def run_line(name: str, sizes: list[Size], runs: int, steps: harness.Steps) -> dict[str, Any]:
    """Measure the sizes of a line."""
    points = []
    for size in sizes:
        steps.next(f"{name}, {size.cells:,} cells")
        found = [alone(measure, size) for _ in range(runs if size.cells < 10**7 else 1)]
        points.append(
            {
                "n_nodes": size.n_nodes,
                "n_periods": size.n_periods,
                "n_members": size.n_members,
                "cells": size.cells,
                **{key: found[0][key] for key in ("n_columns", "n_rows", "n_nonzeros")},
                "build_cpu_s": harness.spread([f["build_cpu_s"] for f in found]),
                "memory_mib": harness.spread([f["memory_mib"] for f in found]),
            }
        )
    cells = [point["cells"] for point in points]
    return {
        "points": points,
        "slopes": {
            key: slope(cells, [point[key]["median"] for point in points])
            for key in ("build_cpu_s", "memory_mib")
        },
    }


def run(full: bool, largest: int | None = None, runs: int = 3) -> dict[str, Any]:
    """Run the benchmark."""
    chosen = lines(largest or (10**7 if full else 10**6))
    with harness.Steps("growth", sum(map(len, chosen.values()))) as steps:
        measured = {name: run_line(name, sizes, runs, steps) for name, sizes in chosen.items()}
    words = {"build_cpu_s": "build time", "memory_mib": "memory"}
    return {
        "lines": measured,
        "targets": [
            harness.target(
                f"growth of {words[key]} with {name}", slope_, STEEPEST, _range_of(line["points"])
            )
            for name, line in measured.items()
            for key, slope_ in line["slopes"].items()
        ],
    }


def _range_of(points: list[dict[str, Any]]) -> str:
    return f"10^{np.log10(points[0]['cells']):.0f} to 10^{np.log10(points[-1]['cells']):.0f} cells"


if __name__ == "__main__":
    harness.main({"growth": run}, "How build time and memory grow.")
