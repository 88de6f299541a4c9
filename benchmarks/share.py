"""What it costs to share a shortage, against one linear program of the same case.

Run ``python -m benchmarks.share [--full] [--out DIR]``.  On random rivers with a user at every
node, a reservoir at every fifth and a canal of limited size at every third, 36 dekads of a dry
year, each user a claimant over the season:

- seconds to solve the goal ``share`` (all its rounds, and the programs for its prices) and to solve
  the one program that makes the deficit of the same users least
- rounds, and distinct levels of satisfaction

for the rules, and for more and more users.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from tests.basins import write_basin
from wateralloc.basin import read_basin
from wateralloc.case import Case, build_case
from wateralloc.case.keys import LinearisationKeys
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.goals import Goal
from wateralloc.goals.meet import Meet
from wateralloc.goals.share import Share
from wateralloc.hydrology import Member
from wateralloc.timeline import Timeline

AT_MOST = 15.0
N_USERS = 100
PERIODS = 36
START = "2001-01-01"
RULES = ("leximin", "cea", "cel", "talmud")
SHORT = 0.6
"""Inflow of the year over what is asked in it."""


@dataclass(frozen=True)
class Size:
    """Numbers of users, how often each is solved, and the rules at `N_USERS`."""

    users: tuple[int, ...]
    runs: int
    rules: tuple[str, ...] = RULES


QUICK = Size((25, 50, N_USERS), runs=5)
FULL = Size((25, 50, N_USERS, 200, 400), runs=7)


@dataclass
class Solved:
    """Seconds of every run, and what came of the last."""

    seconds: list[float] = field(default_factory=list)
    n_rounds: int = 0
    n_levels: int = 0
    volume_price: float = 0.0


def river(folder: Path, n_users: int) -> Case:
    """A random river of dekads, without goals."""
    rng = np.random.default_rng(740)
    parent = [-1] + [int(rng.integers(max(0, n - 5), n)) for n in range(1, n_users)]
    asked = rng.gamma(4, 25, n_users)
    season = 1 + 0.8 * np.cos(2 * np.pi * np.arange(PERIODS) / PERIODS)
    flow = rng.gamma(2, 1, n_users)
    flow *= SHORT * asked.sum() / flow.sum() / 365  # hm3 a day
    timeline = Timeline(START, PERIODS, "dekad")
    nodes, links, reservoirs = [{"name": "sea", "kind": "sink"}], [], []
    for n, below in enumerate(parent):
        is_lake = n % 5 == 0
        nodes.append({"name": f"n{n}", "kind": "reservoir" if is_lake else "inflow"})
        links.append(
            {
                "name": f"l{n}",
                "from": f"n{n}",
                "to": "sea" if below < 0 else f"n{below}",
                "kind": "reach",
                # a canal that takes a part of what comes; the rest of the flood goes past it
                "capacity_hm3_day": float(flow[n] * n_users / 20) if n % 3 == 1 else None,
            }
        )
        if n % 3 == 1:
            links.append({"name": f"w{n}", "from": f"n{n}", "to": "sea", "kind": "spillway"})
        if is_lake:
            volume = float(asked[n])
            reservoirs.append(
                {"name": f"n{n}", "dead_hm3": 0, "normal_hm3": volume, "initial_hm3": volume / 4}
            )
    series = {f"n{n}": flow[n] * season for n in range(n_users)}
    write_basin(
        folder,
        nodes=nodes,
        links=links,
        reservoirs=reservoirs,
        demands=[
            {"name": f"u{n}", "node": f"n{n}", "sector": "irrigation", "annual_hm3": asked[n]}
            for n in range(n_users)
        ],
        series={"inflow_hm3_day": {"date": timeline.labels, **series}},
    )
    return build_case(
        read_basin(folder), timeline, members=[Member("one", 0)],
        linearisation=LinearisationKeys(passes=1),
    )  # fmt: skip


def solve(case: Case, goal: Goal, into: Solved) -> None:
    """Solve a case for one goal, and take down what it took."""
    solution = solve_perfect(replace(case, goals=(goal,)))
    into.seconds.append(solution.seconds["solve"])
    if solution.records[0]:
        ((_, shared),) = solution.records[0]
        (awards,) = shared.awards
        into.n_rounds = awards.n_rounds
        into.n_levels = np.unique(awards.level.round(9)).size
        into.volume_price = shared.volume_price


def compare(case: Case, rules: tuple[str, ...], runs: int, steps: Any) -> dict[str, Solved]:
    """Solve one program, and the rules, in turn."""
    goals: dict[str, Goal] = {"one_program": Meet()}
    goals |= {rule: Share(among="demand", window="horizon", rule=rule) for rule in rules}
    found = {name: Solved() for name in goals}
    for k in range(runs):
        for name in goals if k % 2 == 0 else list(goals)[::-1]:
            steps.next(f"{len(case.basin.tables['demands'])} users, {name}")
            solve(case, goals[name], found[name])
    return found


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : more users and more runs
    size : another size
    """
    size = size or (FULL if full else QUICK)
    most = max(n for n in size.users if n <= N_USERS)
    n_ways = sum(1 + (len(size.rules) if n == most else 1) for n in size.users)
    sizes, at = [], {}
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.Steps("share", size.runs * n_ways) as steps,
    ):
        for n in size.users:
            case = river(Path(folder) / str(n), n)
            rules = size.rules if n == most else size.rules[:1]
            found = compare(case, rules, size.runs, steps)
            one = found.pop("one_program")
            sizes.append(
                {
                    "n_users": n,
                    "n_periods": PERIODS,
                    "one_program_s": harness.spread(one.seconds),
                    "rules": {
                        rule: {
                            "solve_s": harness.spread(of.seconds),
                            "ratio": harness.ratios(of.seconds, one.seconds),
                            "n_rounds": of.n_rounds,
                            "n_levels": of.n_levels,
                            "volume_price": of.volume_price,
                        }
                        for rule, of in found.items()
                    },
                }
            )
            if n == most:
                at = sizes[-1]["rules"]
    return {
        "sizes": sizes,
        "targets": [
            harness.target(
                f"{rule} to one program",
                of["ratio"]["of_medians"],
                AT_MOST,
                f"{most} users, {PERIODS} dekads",
            )
            for rule, of in at.items()
            if rule == "leximin"
        ],
    }


if __name__ == "__main__":
    harness.main({"share": run}, "Sharing a shortage against one linear program.")
