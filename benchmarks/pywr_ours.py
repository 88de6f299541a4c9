"""Run a tree basin in this project: ``python -m benchmarks.pywr_ours ORDER.json``.

Speaks as `pywr_1` and `pywr_2` do: it says when the case is read, waits for a line, solves, and
says how long that took.  Building the program, which the solver of a case does first, counts as
setting up.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.pywr_basin import TreeBasin, make_case
from wateralloc.foresight import solve
from wateralloc.foresight.perfect import Solution


def found(solution: Solution, basin: TreeBasin) -> dict[str, np.ndarray]:
    """Deliveries (user, time, member) and storages (reservoir, time, member) [hm3]."""
    quantities = {quantity.name: quantity for quantity in solution.period.quantities()}
    items = {
        "delivered": [("withdrawal", f"user_n{n}") for n in basin.users],
        "stored": [("storage_end", f"n{n}") for n in basin.reservoirs],
    }
    return {
        what: np.array([solution.value_of(quantities[name], item).T for name, item in of_what])
        for what, of_what in items.items()
    }


def main(path: Path) -> None:
    """Set up, wait, run, save."""
    order = json.loads(path.read_text(encoding="utf-8"))
    basin = TreeBasin(**order["basin"]).with_inflow(np.load(order["inflow"], mmap_mode="r"))
    started = time.perf_counter()
    case = make_case(basin, path.with_suffix("")).with_members(range(*order["members"]))
    setup = time.perf_counter() - started
    print(json.dumps({"setup_s": setup}), flush=True)
    sys.stdin.readline()
    started, started_cpu = time.perf_counter(), time.process_time()
    solution = solve(case)
    busy = (time.process_time() - started_cpu) / (time.perf_counter() - started)
    build, run = solution.seconds["build"], solution.seconds["solve"]
    print(json.dumps({"setup_s": setup + build, "run_s": run, "cpu_s": busy * run}), flush=True)
    if order["save"]:
        np.savez(order["save"], **found(solution, basin))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
