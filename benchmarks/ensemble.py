"""Many members of the Red River in parallel, and what memory they take.

Run ``python -m benchmarks.ensemble [--full] [--out DIR]``.  On synthetic members of one year of
``baseline``:

- seconds of the whole ensemble, from the case in memory to its result on disk, by one process and
  by workers of Dask, and the parallel efficiency: time of one over workers times time of all; the
  same by processor time, which tells what workers cost where other work disturbs the clock
- peak memory of the process that keeps the result, as members grow
- a further member started from the reference, beside one started cold and beside HiGHS's own runs
  of the same programs, at one and at many years, by processor time

All ways must give the same numbers, to the last bit.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import highspy
import numpy as np
import xarray as xr

from benchmarks import harness
from wateralloc import read_case, run_ensemble
from wateralloc.case import Case
from wateralloc.foresight import perfect
from wateralloc.foresight.perfect import Passes, Solution, make_reference
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import build_period
from wateralloc.solve import AHEAD, Optimum, Stages, load

CASE = "baseline"
EFFICIENCY = 0.9
"""Parallel efficiency that is asked."""
GROWTH = 1.25
"""Memory with the most members, over that with the fewest, at most."""
WARM, COLD = 1.15, 5.0
"""A further member: at most so many times HiGHS's own warm run, at least so many times faster than
a cold one."""
FURTHER_RUNS = 5
ALL = "all goals in one"
MORE = 10
"""Members more, by which the numbers of one are timed."""


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
FULL = Size(1000, runs=1, memory_members=(50, 200, 500), years=(1, 20))


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


class Recorded(Stages):
    """Stages that note the program of each goal.

    Attributes
    ----------
    programs : name, cost, and the limits of columns and rows, of all in the order they were run
    """

    programs: ClassVar[list[tuple[str, np.ndarray, tuple[np.ndarray, ...]]]] = []

    def optimise(self, name: str, *arguments: Any, **more: Any) -> Optimum:
        limits = self.mark()
        optimum = super().optimise(name, *arguments, **more)
        self.programs.append((name, optimum.cost, limits))
        return optimum


def further_member(size: Size, years: int) -> dict[str, Any]:
    """A member from the reference of another beside one started cold, and HiGHS's own runs.

    Ours is all that a member costs once the case is built: its numbers, their way to HiGHS, the
    run, certificates, and values read back.  HiGHS's own runs are of the programs that the cold
    member solves, goal by goal, with the same options: its cold one goes on from goal to goal, its
    warm one starts each goal from the basis that the reference has of it.  The combined one is the
    single run that is HiGHS's part of ours from the reference.
    """
    changes = {
        "timeline.start": "1989-06-01", "timeline.periods": str(36 * years),
        "linearisation": "fixed",
    }  # fmt: skip
    case = synthetic(size.case, 2, changes)
    reference, reference_s = _timed(lambda: make_reference(case))
    place = 1 - case.members.index(_named(case, reference.member))
    period = build_period(case.with_members([place]))
    horizon = Horizon(period.model, 1, case.n_periods)
    lp = horizon.stack().member(0)
    numbers_s = _numbers(case, place)

    def cold() -> Solution:
        return Passes(period, horizon).solve()

    def warm() -> Solution:
        bases = reference.for_members(1)
        return Passes(period, horizon, bases=bases, combined=reference.combined).solve()

    Recorded.programs.clear()
    with mock.patch.object(perfect, "Stages", Recorded):
        first = cold()
    programs = list(Recorded.programs)
    bases = {name: packed.unpack() for name, packed in reference.bases.items()}
    combined = reference.combined
    if combined is None:
        raise RuntimeError(f"the goals of {size.case} cannot be put in one")
    of_all, of_all_basis = [(ALL, combined.cost, programs[0][2])], combined.basis.unpack()
    seconds: dict[str, list[float]] = {}
    iterations: dict[str, int] = {}
    for _ in range(FURTHER_RUNS):
        for way, job in (
            ("cold", cold),
            ("warm", warm),
            ("highs_cold", lambda: _highs(lp, programs, {})),
            ("highs_warm", lambda: _highs(lp, programs, bases)),
            ("highs_combined", lambda: _highs(lp, of_all, {ALL: of_all_basis}, AHEAD)),
        ):
            found, spent = _timed(job)
            seconds.setdefault(way, []).append(spent)
            if way == "warm":
                last = found
            elif way.startswith("highs"):
                iterations[f"{way}_iterations"] = found
    for way in ("cold", "warm"):
        seconds[way] = [spent + numbers_s for spent in seconds[way]]
    apart = [
        abs(a.value - b.value) / (1 + abs(a.value))
        for a, b in zip(first.stages[0], last.stages[0], strict=True)
    ]
    return {
        "years": years,
        "n_columns": lp.col_lower.size,
        "n_rows": lp.row_lower.size,
        "n_goals": len(programs),
        "reference_cpu_s": reference_s,
        "numbers_cpu_s": numbers_s,
        **{f"{way}_cpu_s": harness.spread(found) for way, found in seconds.items()},
        "warm_over_highs_combined": harness.ratios(seconds["warm"], seconds["highs_combined"]),
        "warm_over_highs_warm": harness.ratios(seconds["warm"], seconds["highs_warm"]),
        "cold_over_warm": harness.ratios(seconds["cold"], seconds["warm"]),
        "highs_cold_over_highs_warm": harness.ratios(seconds["highs_cold"], seconds["highs_warm"]),
        "cold_iterations": sum(stage.iterations for stage in first.stages[0]),
        "from_reference_iterations": sum(stage.iterations for stage in last.stages[0]),
        **iterations,
        "programs_run": sum(stage.iterations > 0 for stage in last.stages[0]),
        "largest_difference_of_optima": max(apart),
    }


def _timed(job: Callable[[], Any]) -> tuple[Any, float]:
    """What a job gives, and its processor seconds."""
    gc.collect()
    started = time.process_time()
    found = job()
    return found, time.process_time() - started


def _numbers(case: Case, place: int) -> float:
    """Processor seconds that one member more takes to build: its numbers, as the case is there."""

    def build(n_members: int) -> None:
        of = case.with_members([place] * n_members)
        Horizon(build_period(of).model, n_members, of.n_periods).stack()

    spent = {n: min(_timed(lambda n=n: build(n))[1] for _ in range(3)) for n in (1, 1 + MORE)}
    return max((spent[1 + MORE] - spent[1]) / MORE, 0.0)


def _highs(
    lp: MemberProgram,
    programs: Sequence[tuple[str, np.ndarray, tuple[np.ndarray, ...]]],
    bases: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> int:
    """Solve programs one after another in HiGHS alone; return the iterations."""
    told = (programs[0][1], lp.col_lower, lp.col_upper, lp.row_lower, lp.row_upper)
    highs, iterations = load(lp, told[0]), 0
    for option, value in (options or {}).items():
        highs.setOptionValue(option, value)
    for name, cost, (col_lower, col_upper, row_lower, row_upper) in programs:
        columns = np.flatnonzero(told[0] != cost).astype(np.int32)
        highs.changeColsCost(columns.size, columns, cost[columns])
        columns = np.flatnonzero((told[1] != col_lower) | (told[2] != col_upper)).astype(np.int32)
        highs.changeColsBounds(columns.size, columns, col_lower[columns], col_upper[columns])
        rows = np.flatnonzero((told[3] != row_lower) | (told[4] != row_upper)).astype(np.int32)
        highs.changeRowsBounds(rows.size, rows, row_lower[rows], row_upper[rows])
        told = cost, col_lower, col_upper, row_lower, row_upper
        if name in bases:
            highs.setBasis(bases[name])
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS finds no optimum of '{name}'")
        solution = highs.getSolution()
        np.asarray(solution.col_value), np.asarray(solution.row_dual)
        iterations += int(highs.getInfo().simplex_iteration_count)
    return iterations


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
    longest = further[-1]
    years = f"{longest['years']} years"
    growth = f"{size.memory_members[-1]} to {size.memory_members[0]} members"
    return {
        "parallel": of_parallel,
        "memory": {str(n): of for n, of in memory.items()},
        "memory_mib_per_member": slope(size.memory_members, peaks),
        "further_member": further,
        "targets": [
            harness.target("time lost to working in parallel", 1 / efficiency, 1 / EFFICIENCY, at),
            harness.target("memory as members grow", peaks[-1] / peaks[0], GROWTH, growth),
            harness.target(
                "a further member, over HiGHS's own warm run",
                longest["warm_over_highs_warm"]["of_medians"],
                WARM,
                years,
            ),
            harness.target(
                "a further member, over a cold one",
                1 / longest["cold_over_warm"]["of_medians"],
                1 / COLD,
                years,
            ),
        ],
    }


if __name__ == "__main__":
    harness.main({"ensemble": run}, __doc__ or "")
