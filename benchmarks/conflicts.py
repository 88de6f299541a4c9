"""What it costs to say why a case has no solution, against solving it without the contradiction.

Run ``python -m benchmarks.conflicts [--full] [--out DIR]``.  On ``pilot_sharing`` by dekads, a
member at a time, with one more hard rule or two that contradict it; in turn with the run of the
case as it is:

- seconds to build and solve the case as it is
- seconds to build the contradictory one, find that it has no solution, say why, and rank repairs
- how many conflicts and repairs are told

The same for each of the small contradictory cases of ``tests/errors``: against the case without the
first of its rules that leaves a solution, or without all of them.

The two must agree on which member is infeasible: the one with the rules, never the one without.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import harness
from wateralloc import read_case
from wateralloc.case import Case
from wateralloc.case.find import bundled_cases
from wateralloc.errors import Infeasible
from wateralloc.foresight.perfect import solve_perfect

CASE = "pilot_sharing"
SMALL = Path(__file__).parents[1] / "tests" / "errors"
AT_MOST = 5.0
MEMBERS = ("1989-06", "1996-06", "2004-06")
ALL_MEMBERS = tuple(f"{year}-06" for year in range(1989, 2010, 2))
RULES: dict[str, list[dict[str, Any]]] = {
    "delivery beyond the water": [
        {"rule": "minimum_delivery", "name": "bench_delta", "at": "son_tay",
         "flow_m3s": {"from": "11-01", "to": "05-31", "value": 4500}},
    ],
    "delivery against storage": [
        {"rule": "minimum_delivery", "name": "bench_delta", "at": "son_tay",
         "flow_m3s": {"from": "11-01", "to": "05-31", "value": 3000}},
        {"rule": "reservoir_levels", "name": "bench_full", "reservoir": "hoa_binh",
         "minimum_m": {"from": "11-01", "to": "05-31", "value": 116}},
    ],
    "quota below a guarantee": [
        {"rule": "upstream_guarantee", "name": "bench_first", "above": "son_tay",
         "sectors": ["irrigation"], "share_of_demand": 0.9, "window": "period"},
        {"rule": "quota", "name": "bench_cap", "sectors": ["irrigation"], "volume_hm3": 1,
         "window": "period"},
    ],
}  # fmt: skip
"""Contradictions, by what they are: hard rules beside those of the case."""


@dataclass(frozen=True)
class Size:
    """Which members are solved, how often."""

    case: str
    members: tuple[str, ...]
    runs: int


QUICK = Size(CASE, MEMBERS, runs=2)
FULL = Size(CASE, ALL_MEMBERS, runs=5)


@dataclass(frozen=True)
class Told:
    """One contradictory run: its seconds, and lines of the message by what they are."""

    seconds: float
    conflicts: int
    repairs: int


def contradictory(case: str, member: str, rules: list[dict[str, Any]], folder: Path) -> Case:
    """A case with more rules, which extends it."""
    text = {"schema": 1, "name": "bench", "extends": str(bundled_cases()[case]), "rules": rules}
    path = folder / "bench.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(text, file)
    return read_case(path, changes(member))


def changes(member: str) -> dict[str, str]:
    """Settings for one member."""
    return {"hydrology": f"{{record: historic, year: {member}}}"}


def solve(case: str, member: str) -> float:
    """Seconds to build and solve the case as it is."""
    solution = solve_perfect(read_case(case, changes(member)))
    return sum(solution.seconds.values())


def explain(case: Case) -> Told:
    """Build a contradictory case, and say why it has no solution."""
    started = time.perf_counter()
    try:
        solve_perfect(case)
    except Infeasible as error:
        lines = str(error).splitlines()
        seconds = time.perf_counter() - started
    else:
        raise AssertionError("the rules contradict nothing; ask for more in RULES")
    return Told(
        seconds,
        sum(line.startswith("E402 conflict") for line in lines),
        sum(line.startswith("E402 repair") for line in lines),
    )


def without_contradiction(case: Case) -> Case | None:
    """The case without the first rule of those that each alone make it infeasible, or without all.

    None where it has no solution even then: what contradicts is in its basin.
    """
    fewer = [
        replace(
            case,
            rules=tuple(r for r in case.rules if r is not rule),
            rule_positions=tuple(
                p for r, p in zip(case.rules, case.rule_positions, strict=True) if r is not rule
            ),
        )
        for rule in case.rules
    ]
    for candidate in (*fewer, replace(case, rules=(), rule_positions=())):
        with contextlib.suppress(Infeasible):
            solve_perfect(candidate)
            return candidate
    return None


def small_cases(runs: int = 3) -> dict[str, float]:
    """Time to say why each small case has no solution, over that of solving it without.

    Parameters
    ----------
    runs : of either, of which the medians count
    """
    from tests.errors.contradictory import valley

    ratios = {}
    for made in sorted(SMALL.glob("infeasible_*")):
        if not made.is_dir():
            continue
        with tempfile.TemporaryDirectory() as folder:
            here = Path(folder) / made.name
            shutil.copytree(made, here)
            valley(here / "basin")
            with contextlib.chdir(here):
                case = read_case("case.yaml")
                free = without_contradiction(case)
                if free is None:
                    continue
                told = statistics.median(explain(case).seconds for _ in range(runs))
                solved_in = statistics.median(_seconds(free) for _ in range(runs))
                ratios[made.name.removeprefix("infeasible_")] = told / solved_in
    return ratios


def _seconds(case: Case) -> float:
    started = time.perf_counter()
    solve_perfect(case)
    return time.perf_counter() - started


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : more members and more runs
    size : another size
    """
    size = size or (FULL if full else QUICK)
    solved: dict[str, list[float]] = {member: [] for member in size.members}
    told: dict[str, dict[str, list[Told]]] = {
        what: {member: [] for member in size.members} for what in RULES
    }
    steps_of_run = len(size.members) * (1 + len(RULES))
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.Steps("conflicts", 1 + size.runs * steps_of_run) as steps,
    ):
        steps.next("warm-up")
        solve(size.case, size.members[0])  # imports, and fills caches
        for _ in range(size.runs):
            for member in size.members:
                steps.next(f"{member}, as it is")
                solved[member].append(solve(size.case, member))
                for what, rules in RULES.items():
                    steps.next(f"{member}, {what}")
                    case = contradictory(size.case, member, rules, Path(folder))
                    told[what][member].append(explain(case))
    as_it_is = [s for member in size.members for s in solved[member]]
    small = small_cases()
    ratios = {
        what: harness.ratios([t.seconds for member in size.members for t in of[member]], as_it_is)
        for what, of in told.items()
    }
    return {
        "case": size.case,
        "build_and_solve_s": harness.spread(as_it_is),
        "contradictions": {
            what: {
                "seconds": harness.spread([t.seconds for ts in of.values() for t in ts]),
                "conflicts": {member: ts[0].conflicts for member, ts in of.items()},
                "repairs": {member: ts[0].repairs for member, ts in of.items()},
                "ratio": ratios[what],
            }
            for what, of in told.items()
        },
        "small_cases": {name: round(ratio, 3) for name, ratio in small.items()},
        "targets": [
            harness.target(
                "why there is no solution, to solving without the contradiction",
                max(small.values()),
                AT_MOST,
                f"{len(small)} small cases, the slowest of them",
            ),
            *(
                harness.target(
                    f"why there is no solution ({what}), to solving without the contradiction",
                    ratio["of_medians"],
                    AT_MOST,
                    f"{size.case}, one member at a time, {len(size.members)} members",
                )
                for what, ratio in ratios.items()
            ),
        ],
    }


if __name__ == "__main__":
    harness.main({"conflicts": run}, "Why a case has no solution, against solving it.")
