"""What it costs to update heads, lake areas and splits, against the same run at fixed heads.

Run ``python -m benchmarks.passes [--full] [--out DIR]``.  On ``pilot_sharing`` by dekads, a member
at a time, in turn with lines fixed and updated:

- seconds to build and solve, and of the whole job (read, build, solve, collect, write)
- passes, whole and short, simplex iterations, and whether the passes converged
- energy of both, computed without lines

The two must agree on what the goals before energy reach.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import harness
from wateralloc import read_case
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.results import collect

CASE = "pilot_sharing"
AT_MOST = 3.0
MEMBERS = ("1989-06", "1996-06", "2004-06")
ALL_MEMBERS = tuple(f"{year}-06" for year in range(1989, 2010, 2))
WAYS = ("fixed", "updated")


@dataclass(frozen=True)
class Size:
    """Which members are solved, how often in each way."""

    case: str
    members: tuple[str, ...]
    runs: int


QUICK = Size(CASE, MEMBERS, runs=3)
FULL = Size(CASE, ALL_MEMBERS, runs=5)


@dataclass
class Solved:
    """One run of one member in one way."""

    solve: float
    whole: float
    passes: int
    whole_passes: int
    iterations: int
    is_converged: bool
    energy: float


def solve(case: str, member: str, way: str) -> Solved:
    """Do the job for one member in one way."""
    changes = {
        "hydrology": f"{{record: historic, year: {member}}}",
        "linearisation": way,
    }
    with tempfile.TemporaryDirectory() as folder:
        watch = harness.Stopwatch()
        read = read_case(case, changes)
        solution = solve_perfect(read)
        collect(solution).write(Path(folder) / "results")
        whole = watch.lap("whole")
    passes = [p for convergence in solution.convergence for p in convergence.passes]
    return Solved(
        sum(solution.seconds.values()),
        whole,
        max(1, len(passes)),
        sum(p.is_whole for p in passes) or 1,
        sum(p.iterations for p in passes) or sum(s.iterations for s in solution.stages[0]),
        all(convergence.is_reached for convergence in solution.convergence),
        energy_of(solution),
    )


def energy_of(solution: Solution) -> float:
    """Energy of all plants over the horizon [GWh], as the results show it."""
    (energy,) = (q for q in solution.period.quantities() if q.name == "energy")
    return float(sum(solution.value_of(energy, plant).sum() for plant in energy.values))


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : more members and more runs
    size : another size
    """
    size = size or (FULL if full else QUICK)
    found: dict[str, dict[str, list[Solved]]] = {m: {w: [] for w in WAYS} for m in size.members}
    with harness.Steps("passes", 1 + len(size.members) * size.runs * len(WAYS)) as steps:
        steps.next("warm-up")
        solve(size.case, size.members[0], "updated")  # imports, and fills caches
        for k in range(size.runs):
            for member in size.members:
                for way in WAYS if k % 2 == 0 else WAYS[::-1]:
                    steps.next(f"{member}, {way}")
                    found[member][way].append(solve(size.case, member, way))
    every = {way: [s for m in size.members for s in found[m][way]] for way in WAYS}
    figures = {
        figure: {way: [getattr(s, figure) for s in every[way]] for way in WAYS}
        for figure in ("solve", "whole")
    }
    ratio = {figure: harness.ratios(of["updated"], of["fixed"]) for figure, of in figures.items()}
    return {
        "case": size.case,
        "members": {
            member: {
                "passes": ways["updated"][0].passes,
                "whole_passes": ways["updated"][0].whole_passes,
                "iterations": {way: ways[way][0].iterations for way in WAYS},
                "is_converged": ways["updated"][0].is_converged,
                "energy_gwh": {way: ways[way][0].energy for way in WAYS},
                "solve_s": {way: harness.spread([s.solve for s in ways[way]]) for way in WAYS},
                "ratio": harness.ratios(
                    [s.solve for s in ways["updated"]], [s.solve for s in ways["fixed"]]
                ),
            }
            for member, ways in found.items()
        },
        "build_and_solve_s": {way: harness.spread(figures["solve"][way]) for way in WAYS},
        "whole_s": {way: harness.spread(figures["whole"][way]) for way in WAYS},
        "ratios": {f"updated_to_fixed_{figure}": of for figure, of in ratio.items()},
        "targets": [
            harness.target(
                f"{figure.replace('solve', 'build and solve')}, heads updated, to heads fixed",
                of["of_medians"],
                AT_MOST,
                f"{size.case}, one member at a time, {len(size.members)} members",
            )
            for figure, of in ratio.items()
        ],
    }


if __name__ == "__main__":
    harness.main({"passes": run}, "Updated heads against fixed heads.")
