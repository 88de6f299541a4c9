"""The whole job of a shipped case on the Red River, stage by stage, and how its goals are started.

Run ``python -m benchmarks.red_river [--full] [--out DIR]``.  On ``pilot_sharing``:

- seconds of import, read, build, solve, collect and write, and peak memory of the whole job
- the same goals of the same members in ways that are compared in one run: each goal started from
  the optimum of the one before it by the dual simplex (``warm_dual``, as shipped) or by the primal
  (``warm_primal``), each started cold, and the shipped way with HiGHS's own choice of scaling

All ways must reach the same optima.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import harness
from benchmarks.stack import DEFAULT_SCALING
from wateralloc import read_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import MemberStage, solve_perfect
from wateralloc.horizon import Horizon
from wateralloc.period import Period, build_period
from wateralloc.results import collect
from wateralloc.solve import ATTEMPTS, OPTIONS, Stages

CASE = "pilot_sharing"
SAME_OPTIMUM = 1e-7
IMPORT = """\
import time
start = time.perf_counter()
import wateralloc.job
print(time.perf_counter() - start)
"""
SHIPPED = "warm_dual"
DUAL, PRIMAL = 1, 4
"""HiGHS's ``simplex_strategy``."""


@dataclass(frozen=True)
class Size:
    """How often the job is run, and on how many members the ways are compared, how often."""

    case: str
    runs: int
    import_runs: int
    way_members: int
    way_runs: int


QUICK = Size(CASE, runs=2, import_runs=2, way_members=4, way_runs=2)
FULL = Size(CASE, runs=7, import_runs=5, way_members=21, way_runs=5)


# --- the whole job --------------------------------------------------------------------------


def import_seconds() -> float:
    """Seconds to import the package in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def job(name: str) -> tuple[dict[str, float], dict[str, int]]:
    """Do the job once; return seconds of each stage and the size of the program."""
    with tempfile.TemporaryDirectory() as folder:
        watch = harness.Stopwatch()
        case = read_case(name)
        watch.lap("read")
        solution = solve_perfect(case)
        watch.lap("build_and_solve")
        results = collect(solution)
        watch.lap("collect")
        results.write(Path(folder) / "results")
        watch.lap("write")
    seconds = {"read": watch.seconds["read"], **solution.seconds}
    seconds |= {stage: watch.seconds[stage] for stage in ("collect", "write")}
    lp = solution.horizon.stack()
    return seconds, {
        "n_members": lp.n_members,
        "n_periods": case.n_periods,
        "n_rows": lp.n_rows,
        "n_columns": lp.n_columns,
        "n_nonzeros": lp.n_nonzeros,
        "n_programs": sum(len(stages) for stages in solution.stages),
    }


# --- ways to start the goals ----------------------------------------------------------------


class ColdStages(Stages):
    """Stages that forget what is known of the goal before."""

    def _run(self, attempt: str) -> Any:
        return super()._run("cold" if attempt == "warm" else attempt)


@contextmanager
def _as_shipped() -> Iterator[type[Stages]]:
    yield Stages


@contextmanager
def _warm_primal() -> Iterator[type[Stages]]:
    starts = {
        start: {**options, "simplex_strategy": PRIMAL if start == "warm" else DUAL}
        for start, options in ATTEMPTS.items()
    }
    with patch.dict(ATTEMPTS, starts):
        yield Stages


@contextmanager
def _cold() -> Iterator[type[Stages]]:
    yield ColdStages


@contextmanager
def _default_scaling() -> Iterator[type[Stages]]:
    with patch.dict(OPTIONS, simplex_scale_strategy=DEFAULT_SCALING):
        yield Stages


WAYS = {
    SHIPPED: _as_shipped,
    "warm_primal": _warm_primal,
    "cold": _cold,
    "scale_strategy_default": _default_scaling,
}


@dataclass
class Solved:
    """What one way came to: seconds, simplex iterations, programs solved cold again, optima."""

    seconds: float
    iterations: int
    programs: int
    cold_again: int
    optima: list[float]


def solve(way: str, case: Case, period: Period, horizon: Horizon, n_members: int) -> Solved:
    """Optimise all goals of some members in one way."""
    lp = horizon.stack()
    costs: dict[int, Any] = {}
    found = []
    with WAYS[way]() as stages_of:
        watch = harness.Stopwatch()
        for k in range(n_members):
            stage = MemberStage(period, horizon, costs, k, stages_of(lp.member(k)))
            for number, goal in period.goals:
                stage.goal = number
                goal.optimise(period.model, case, number, stage)
            found += stage.optima
        seconds = watch.lap("solve")
    # the rounds of a shared goal follow its duals: one way may take more of them than another
    optima = [o.value for o in found if "round" not in o.name or o.name.endswith("round 1")]
    return Solved(
        seconds,
        sum(o.iterations for o in found),
        len(found),
        sum(o.cold_again for o in found),
        optima,
    )


def compare_ways(size: Size, steps: harness.Steps) -> dict[str, Any]:
    """Solve the same goals in every way, in turn."""
    case = read_case(size.case)
    n_members = min(size.way_members, case.n_members)
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    solve(SHIPPED, case, period, horizon, 1)  # the first call imports and fills caches
    found: dict[str, list[Solved]] = {way: [] for way in WAYS}
    for run in range(size.way_runs):
        # in turn, and each in every place: what else the machine does meets all
        names = list(WAYS)
        for way in names[run % len(names) :] + names[: run % len(names)]:
            steps.next(f"goals, {way}")
            found[way].append(solve(way, case, period, horizon, n_members))
    shipped = found[SHIPPED][0].optima
    worst = {
        way: max(
            abs(a - b) / max(1.0, abs(b))
            for solved in of_way
            for a, b in zip(solved.optima, shipped, strict=True)
        )
        for way, of_way in found.items()
    }
    seconds = {way: [solved.seconds for solved in of_way] for way, of_way in found.items()}
    return {
        "n_members": n_members,
        "worst_relative_difference": worst,
        "agree": max(worst.values()) <= SAME_OPTIMUM,
        "solve_s": {way: harness.spread(of_way) for way, of_way in seconds.items()},
        "iterations": {way: of_way[0].iterations for way, of_way in found.items()},
        "programs": {way: of_way[0].programs for way, of_way in found.items()},
        "cold_again": {way: of_way[0].cold_again for way, of_way in found.items()},
        "ratios": {
            f"{SHIPPED}_to_{way}": harness.ratios(seconds[SHIPPED], seconds[way])
            for way in WAYS
            if way != SHIPPED
        },
    }


# --- the benchmark --------------------------------------------------------------------------


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : more runs, and all members in every way
    size : another size

    Raises
    ------
    RuntimeError
        The ways do not agree: their times mean nothing then.
    """
    size = size or (FULL if full else QUICK)
    with harness.Steps("red_river", 2 + size.runs + len(WAYS) * size.way_runs) as steps:
        steps.next("import")
        imports = [import_seconds() for _ in range(size.import_runs)]
        steps.next("memory")
        memory = harness.peak_memory(job, size.case)
        stages = []
        for _ in range(size.runs):
            steps.next("whole job")
            seconds, program = job(size.case)
            stages.append(seconds)
        ways = compare_ways(size, steps)
    if not ways["agree"]:
        raise RuntimeError(f"the ways do not agree: {ways['worst_relative_difference']}")
    whole = [sum(seconds.values()) for seconds in stages]
    own = [seconds["solve"] for seconds in stages]
    to_cold = ways["ratios"][f"{SHIPPED}_to_cold"]["of_medians"]
    return {
        "case": size.case,
        "highs_options": OPTIONS,
        "starts": ATTEMPTS,
        "program": program,
        "stages_s": {
            "import": harness.spread(imports),
            **{stage: harness.spread([s[stage] for s in stages]) for stage in stages[0]},
        },
        "whole_without_import_s": harness.spread(whole),
        "memory": memory,
        "ways": ways,
        "ratios": {"whole_to_solve": harness.ratios(whole, own)},
        "targets": [
            harness.target(
                "goals from the optimum before, to each one cold", to_cold, 1.0,
                f"{size.case}, {ways['n_members']} members",
            )
        ],
    }  # fmt: skip


if __name__ == "__main__":
    harness.main({"red_river": run}, "The whole job on the Red River.")
