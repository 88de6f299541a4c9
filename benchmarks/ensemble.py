"""Many members of the Red River in parallel, and what memory they take.

Run ``python -m benchmarks.ensemble [--full] [--out DIR]``.  On synthetic members of one year of
``baseline``:

- seconds of the whole ensemble, from the case in memory to its result on disk, by one process and
  by workers of Dask, and the parallel efficiency: time of one over workers times time of all; the
  same by processor time, which tells what workers cost where other work disturbs the clock
- peak memory of the process that keeps the result, as members grow
- a further member started from the reference, beside one started cold, at one and at many years

All ways must give the same numbers, to the last bit.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks import harness
from wateralloc import read_case, run_ensemble
from wateralloc.case import Case
from wateralloc.foresight.perfect import Solution, make_reference, solve_perfect

CASE = "baseline"
EFFICIENCY = 0.9
"""Parallel efficiency that is asked."""
GROWTH = 1.25
"""Memory with the most members, over that with the fewest, at most."""


@dataclass(frozen=True)
class Size:
    """What is run.

    Attributes
    ----------
    members : of the ensemble
    memory_members : of the ensembles whose memory is measured
    years : horizons at which a further member is timed
    """

    members: int
    runs: int
    memory_members: tuple[int, ...]
    years: tuple[int, ...]
    workers: int = 2
    case: str = CASE


QUICK = Size(40, runs=1, memory_members=(20, 60), years=(1,))
FULL = Size(1000, runs=1, memory_members=(50, 200, 800), years=(1, 20))


def synthetic(name: str, n_members: int, changes: dict[str, str] | None = None) -> Case:
    """A case with synthetic members in place of its own."""
    members = f"{{synthetic: {{method: bootstrap, members: {n_members}, seed: 1}}}}"
    return read_case(name, {**(changes or {}), "hydrology": members})


def timed(case: Case, folder: Path, workers: int) -> tuple[float, float]:
    """Seconds of an ensemble, by the clock and of the processors, those of its workers with it."""
    started, spent = time.perf_counter(), _processor_seconds()
    run_ensemble(case, folder, workers=workers)
    return time.perf_counter() - started, _processor_seconds() - spent


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def parallel(size: Size) -> dict[str, Any]:
    """One process beside several, in turn."""
    case = synthetic(size.case, size.members)
    seconds: dict[int, list[float]] = {1: [], size.workers: []}
    spent: dict[int, list[float]] = {1: [], size.workers: []}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(size.runs):
            for workers in seconds:
                by_clock, by_processor = timed(case, Path(folder) / f"{workers}_{run}", workers)
                seconds[workers].append(by_clock)
                spent[workers].append(by_processor)
        results = [Path(folder) / f"{workers}_0" / "results.nc" for workers in seconds]
        with xr.open_dataset(results[0]) as one, xr.open_dataset(results[1]) as other:
            if not one.identical(other):
                raise RuntimeError("one process and several do not give the same numbers")
        bytes_on_disk = results[0].stat().st_size
    efficiency = harness.ratios(seconds[1], [size.workers * s for s in seconds[size.workers]])
    return {
        "n_members": size.members,
        "n_periods": case.n_periods,
        "seconds": {str(workers): harness.spread(found) for workers, found in seconds.items()},
        "processor_seconds": {str(w): statistics.median(found) for w, found in spent.items()},
        "efficiency": efficiency,
        "processor_efficiency": statistics.median(spent[1])
        / statistics.median(spent[size.workers]),
        "results_mib": bytes_on_disk / harness.BYTES_PER_MIB,
    }


def ensemble_in_process(name: str, n_members: int) -> None:
    """An ensemble solved, joined and summed up by this process alone."""
    with tempfile.TemporaryDirectory() as folder:
        run_ensemble(synthetic(name, n_members), Path(folder) / "out", workers=1)


def further_member(size: Size, years: int) -> dict[str, Any]:
    """A member started cold beside one started from the reference of another member."""
    changes = {
        "timeline.start": "1989-06-01", "timeline.periods": str(36 * years),
        "linearisation": "fixed",
    }  # fmt: skip
    case = synthetic(size.case, 2, changes)
    reference = make_reference(case)
    other = case.with_members([1 - case.members.index(_named(case, reference.member))])

    def solved(start: Any) -> tuple[Solution, float]:
        started = time.process_time()
        solution = solve_perfect(other, reference=start)
        return solution, time.process_time() - started

    (cold, cold_s), (warm, warm_s) = solved(None), solved(reference)
    apart = [
        abs(a.value - b.value) / (1 + abs(a.value))
        for a, b in zip(cold.stages[0], warm.stages[0], strict=True)
    ]
    return {
        "years": years,
        "cold_cpu_s": cold_s,
        "from_reference_cpu_s": warm_s,
        "cold_iterations": sum(stage.iterations for stage in cold.stages[0]),
        "from_reference_iterations": sum(stage.iterations for stage in warm.stages[0]),
        "largest_difference_of_optima": max(apart),
    }


def _named(case: Case, name: str) -> Any:
    return next(member for member in case.members if member.name == name)


def slope(members: Sequence[int], peaks: Sequence[float]) -> float:
    """Memory of one member more [MiB]."""
    return float(np.polyfit(members, peaks, 1)[0])


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark."""
    size = size or (FULL if full else QUICK)
    total = 1 + len(size.memory_members) + len(size.years)
    with harness.Steps("ensemble", total) as steps:
        steps.next(f"{size.members} members, 1 and {size.workers} workers")
        of_parallel = parallel(size)
        memory = {}
        for n_members in size.memory_members:
            steps.next(f"memory of {n_members} members")
            memory[n_members] = harness.peak_memory(ensemble_in_process, size.case, n_members)
        further = []
        for years in size.years:
            steps.next(f"a further member of {years} years")
            further.append(further_member(size, years))
    peaks = [of["peak_mib"] for of in memory.values()]
    efficiency = of_parallel["efficiency"]["of_medians"]
    at = f"{size.members} members, {size.workers} workers"
    growth = f"{size.memory_members[-1]} to {size.memory_members[0]} members"
    return {
        "parallel": of_parallel,
        "memory": {str(n): of for n, of in memory.items()},
        "memory_mib_per_member": slope(size.memory_members, peaks),
        "further_member": further,
        "targets": [
            harness.target("time lost to working in parallel", 1 / efficiency, 1 / EFFICIENCY, at),
            harness.target("memory as members grow", peaks[-1] / peaks[0], GROWTH, growth),
        ],
    }


if __name__ == "__main__":
    harness.main({"ensemble": run}, __doc__ or "")
