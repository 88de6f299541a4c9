"""What it costs to find what the goals leave open, against the solve itself.

Run ``python -m benchmarks.ranges [--full] [--out DIR]``.  On ``pilot_sharing`` by dekads, heads
updated, run by run the same solution is found and then asked in two ways:

- ``ranges``: the least and the most of every delivery and of the totals, as a run does
- ``each``: a linear program for either end of each delivery that no limit fixes, each cold, of a
  few members; it must find the same ends
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import harness
from wateralloc import read_case
from wateralloc.foresight.perfect import Solution, solve_perfect
from wateralloc.foresight.ranges import Ranges, find_ranges
from wateralloc.solve import Stages

CASE = "pilot_sharing"
AT_MOST = 10.0
SAME = 1e-6
"""Both ways find the same ends to this [hm3]."""
MEMBERS = ("1996-06", "2004-06")
EACH = ("2004-06",)


@dataclass(frozen=True)
class Size:
    """Which members are solved (none: all), how often, and which are asked in the plain way."""

    case: str
    members: tuple[str, ...]
    each: tuple[str, ...]
    runs: int


QUICK = Size(CASE, MEMBERS, EACH, runs=3)
FULL = Size(CASE, (), (*EACH, "2009-06"), runs=5)


def solve(size: Size) -> Solution:
    """Solve the members with their faces."""
    case = read_case(size.case)
    if size.members:
        names = [member.name for member in case.members]
        case = case.with_members([names.index(name) for name in size.members])
    return solve_perfect(case, keep_faces=True)


def ask_each(solution: Solution, ranges: Ranges, members: Sequence[str]) -> dict[str, Any]:
    """Ask for either end of each delivery by a program of its own.

    Raises
    ------
    AssertionError
        An end is not that of the ranges.
    """
    m, started = solution.period.model, time.perf_counter()
    names = [member.name for member in solution.case.members]
    n_programs, worst = 0, 0.0
    for k in (names.index(name) for name in members):
        program = solution.faces[k].program
        for i, demand in enumerate(m.demand_name):
            for t, column in enumerate(solution.horizon.columns[id(m.withdrawal[demand])]):
                if program.col_lower[column] == program.col_upper[column]:
                    continue
                for sense, ends in (("minimise", ranges.least), ("maximise", ranges.most)):
                    cost = np.zeros(program.col_lower.size)
                    cost[column] = 1.0
                    found = Stages(program).optimise(demand, cost, sense).objective
                    worst = max(worst, abs(found - float(ends[k, t, i])))
                    n_programs += 1
    assert worst <= SAME, f"ends differ by {worst} hm3"
    return {
        "members": list(members),
        "programs": n_programs,
        "largest_difference_hm3": worst,
        "seconds": time.perf_counter() - started,
    }


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : all members and more runs
    size : another size
    """
    size = size or (FULL if full else QUICK)
    solve_s, ranges_s = [], []
    with harness.Steps("ranges", size.runs + 1) as steps:
        for k in range(size.runs):
            steps.next(f"run {k + 1}")
            solution = solve(size)
            found = find_ranges(solution)
            solve_s.append(sum(solution.seconds.values()))
            ranges_s.append(found.seconds)
        steps.next("each by itself")
        each = ask_each(solution, found, size.each)
    ratio = harness.ratios(ranges_s, solve_s)
    width = found.most - found.least
    return {
        "case": size.case,
        "members": solution.case.n_members,
        "deliveries": int(found.most.size),
        "open": int(found.n_open.sum()),
        "open_most_of_a_member": int(found.n_open.max()),
        "widest_hm3": float(width.max()),
        "programs": found.n_programs,
        "iterations": found.iterations,
        "certificate": {
            "primal": found.certificate.primal,
            "dual": found.certificate.dual,
            "gap": found.certificate.gap,
        },
        "build_and_solve_s": harness.spread(solve_s),
        "ranges_s": harness.spread(ranges_s),
        "each": each,
        "ratios": {"ranges_to_solve": ratio},
        "targets": [
            harness.target(
                "ranges of every delivery, to build and solve",
                ratio["of_medians"],
                AT_MOST,
                f"{size.case}, {solution.case.n_members} members",
            )
        ],
    }


if __name__ == "__main__":
    harness.main({"ranges": run}, "Ranges of deliveries against the solve.")
