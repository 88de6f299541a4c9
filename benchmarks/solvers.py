"""Which of HiGHS's algorithms at which size: simplex, IPX and HiPO.

Run ``python -m benchmarks.solvers [--full] [--out DIR]``.  The programs are the first goal of the
flagship case, and California's network of 1 and 5 years (with ``--full`` also 10), from the files
that :mod:`benchmarks.calvin` reads, where they are there.  Each algorithm runs in a process of its
own on one thread, cold.  What counts are the processor seconds of HiGHS's run, and the certificate,
which is made from the solution without the solver.  HiPO runs only where the build has it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import calvin, harness
from benchmarks.calvin import alone
from wateralloc.solve import OPTIONS

FLAGSHIP = "pilot_sharing"
WAYS: dict[str, dict[str, Any]] = {
    "simplex, strategy 4": {},
    "simplex, default scaling": {"simplex_scale_strategy": 2},
    "IPX": {"solver": "ipx", "run_crossover": "on"},
    "IPX, no crossover": {"solver": "ipx", "run_crossover": "off"},
    "HiPO": {"solver": "hipo", "run_crossover": "on"},
    "HiPO, no crossover": {"solver": "hipo", "run_crossover": "off"},
}


def measure(case_name: str, options: dict[str, Any]) -> dict[str, Any] | None:
    """Solve the first goal of a case with some options; None where HiGHS refuses one."""
    import highspy

    from wateralloc import read_case, solve
    from wateralloc.horizon import Horizon
    from wateralloc.period import build_period

    case = read_case(case_name)
    case = case.with_members([0])
    period = build_period(case)
    horizon = Horizon(period.model, 1, case.n_periods)
    program = horizon.stack().member(0)
    number, goal = period.goals[0]
    expression, sense = goal.objective(period.model, number)
    cost = horizon.cost(expression)[0][0] * (1.0 if sense == "minimise" else -1.0)
    cost = cost / solve.typical(cost)
    highs = solve.load(program, cost)
    for name, value in options.items():
        if highs.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            return None
    started = time.process_time()
    highs.run()
    seconds = time.process_time() - started
    solution, status = highs.getSolution(), highs.getModelStatus()
    x, y = np.asarray(solution.col_value), np.asarray(solution.row_dual)
    certificate = solve.certify(program, cost, x, y)
    info = highs.getInfo()
    return {
        "run_cpu_s": seconds,
        "status": highs.modelStatusToString(status),
        "objective": repr(float(cost @ x)),
        "certificate": {
            name: value if np.isfinite(value) else None
            for name, value in (
                ("primal", certificate.primal),
                ("dual", certificate.dual),
                ("gap", certificate.gap),
            )
        },
        "is_certified": certificate.is_valid,
        "has_basis": bool(highs.getBasis().valid),
        "iterations": {
            "simplex": info.simplex_iteration_count, "interior": info.ipm_iteration_count,
            "crossover": info.crossover_iteration_count,
        },
        "n_columns": program.col_lower.size,
        "n_rows": program.row_lower.size,
    }  # fmt: skip


def has_hipo() -> bool:
    """Tell whether the build of HiGHS has HiPO: without its parts it refuses the option."""
    import highspy

    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    return bool(highs.setOptionValue("solver", "hipo") == highspy.HighsStatus.kOk)


def run(full: bool, ways: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Run the benchmark."""
    import highspy

    ways = dict(ways or WAYS)
    if not has_hipo():
        ways = {name: of for name, of in ways.items() if of.get("solver") != "hipo"}
    years = (1, 5, 10) if full else (1, 5)
    years = years if calvin.is_possible() else ()
    with (
        harness.Steps("solvers", (1 + len(years)) * len(ways)) as steps,
        tempfile.TemporaryDirectory() as made,
    ):
        cases = {FLAGSHIP: FLAGSHIP}
        for n in years:
            size = calvin.Size(n, 1, 1)
            name = f"California, {size.label}"
            cases[name] = str(alone(calvin.make_case, size.path, Path(made) / f"{n}")[1])
        found: dict[str, dict[str, Any]] = {}
        for label, case in cases.items():
            for name, options in ways.items():
                steps.next(f"{label}, {name}")
                found.setdefault(label, {})[name] = alone(measure, case, options)
    return {
        "highs": highspy.Highs().version(),
        "highs_options": OPTIONS,
        "ways": ways,
        "programs": found,
        "targets": [],
    }


if __name__ == "__main__":
    harness.main({"solvers": run}, "Which of HiGHS's algorithms at which size.")
