"""Build and hand-over, in three ways, beside the solver's own run.

Run ``python -m benchmarks.stack [--full] [--out DIR]``.  On the LP of :mod:`benchmarks.tree_basin`:

- ``stacked``: this project: one period in Pyomo, stacked, given to HiGHS as arrays
- ``plain_pyomo``: all periods in Pyomo, given to HiGHS by Pyomo's own interface
  (``pyomo.contrib.solver``, ``highs``)
- ``by_hand``: arrays written by hand in NumPy without Pyomo, given to HiGHS as arrays

All three must reach the same optimum; the stacked program must be the one by hand, entry by entry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory

from benchmarks import harness
from benchmarks.tree_basin import (
    Basin,
    ByHand,
    arrays_by_hand,
    differences,
    period_model,
    plain_model,
)
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.solve import OPTIONS, load

DEFAULT_SCALING = 2
"""HiGHS's own choice of ``simplex_scale_strategy``."""
SAME_OPTIMUM = 1e-9
WARM_UP = Basin(6, 24)


@dataclass(frozen=True)
class Size:
    """One size, and how often each way is run at it."""

    n_nodes: int
    n_periods: int
    runs: int
    plain_runs: int
    solver_runs: int

    @property
    def basin(self) -> Basin:
        return Basin(self.n_nodes, self.n_periods)

    @property
    def label(self) -> str:
        return f"{self.n_nodes} nodes × {self.n_periods} periods"


QUICK = (Size(100, 360, runs=15, plain_runs=3, solver_runs=5),)
FULL = (
    Size(100, 360, runs=25, plain_runs=5, solver_runs=7),
    Size(100, 3600, runs=15, plain_runs=2, solver_runs=3),
)


# --- the three ways -------------------------------------------------------------------------


def hand_over(lp: MemberProgram, cost: np.ndarray, **options: Any) -> highspy.Highs:
    """Give arrays to HiGHS."""
    highs = highspy.Highs()
    for option, value in {**OPTIONS, **options}.items():
        highs.setOptionValue(option, value)
    n_columns, n_rows = lp.col_lower.size, lp.row_lower.size
    status = highs.passModel(
        n_columns, n_rows, lp.indices.size, int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize), 0.0,
        cost, lp.col_lower, lp.col_upper, lp.row_lower, lp.row_upper,
        lp.indptr, lp.indices, lp.data, np.zeros(n_columns, np.int32),
    )  # fmt: skip
    if status == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refuses the model")
    return highs


def stacked(basin: Basin) -> tuple[highspy.Highs, dict[str, float], Horizon, np.ndarray]:
    """Build and hand over as this project does."""
    watch = harness.Stopwatch()
    m = period_model(basin)
    watch.lap("period_model")
    horizon = Horizon(m, 1, basin.n_periods)
    lp = horizon.stack().member(0)
    cost = horizon.cost(m.cost)[0][0]
    watch.lap("stack")
    highs = load(lp, cost)
    watch.lap("hand_over")
    return highs, watch.seconds, horizon, cost


def by_hand(basin: Basin, **options: Any) -> tuple[highspy.Highs, dict[str, float], ByHand]:
    """Build and hand over without Pyomo."""
    watch = harness.Stopwatch()
    arrays = arrays_by_hand(basin)
    watch.lap("arrays")
    highs = hand_over(arrays.program, arrays.cost, **options)
    watch.lap("hand_over")
    return highs, watch.seconds, arrays


def plain_pyomo(basin: Basin) -> tuple[Any, dict[str, float], pyo.ConcreteModel]:
    """Build and hand over as a user of Pyomo does."""
    watch = harness.Stopwatch()
    m = plain_model(basin)
    watch.lap("model")
    solver = SolverFactory("highs")
    solver.set_instance(m)
    watch.lap("hand_over")
    return solver, watch.seconds, m


def make_data(basin: Basin) -> None:
    """Draw the random numbers, which all ways are given."""
    for name in ("parent", "upstream", "inflow", "demand", "worth", "year", "dry_season"):
        getattr(basin, name)


def _memory_of(way: str, n_nodes: int, n_periods: int) -> Any:
    basin = Basin(n_nodes, n_periods)
    make_data(basin)
    return {"stacked": stacked, "by_hand": by_hand, "plain_pyomo": plain_pyomo}[way](basin)


def _memory_of_run(n_nodes: int, n_periods: int) -> None:
    basin = Basin(n_nodes, n_periods)
    make_data(basin)
    stacked(basin)[0].run()


# --- runs and optima ------------------------------------------------------------------------


def solve(highs: highspy.Highs) -> tuple[float, float]:
    """Run HiGHS; return its seconds and the optimum."""
    start = time.perf_counter()
    highs.run()
    seconds = time.perf_counter() - start
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"no optimum: {highs.modelStatusToString(highs.getModelStatus())}")
    return seconds, highs.getInfo().objective_function_value


def solve_plain(solver: Any, m: pyo.ConcreteModel) -> float:
    """Run HiGHS by Pyomo; return the optimum."""
    solver.config.load_solutions = False
    solver.config.solver_options.update(
        {name: value for name, value in OPTIONS.items() if name != "output_flag"}
    )
    return float(solver.solve(m).incumbent_objective)


def measure(size: Size, steps: harness.Steps) -> dict[str, Any]:
    """Measure every way at one size."""
    basin = size.basin
    make_data(basin)
    arguments = (size.n_nodes, size.n_periods)
    memory = {}
    for way in ("stacked", "by_hand", "plain_pyomo"):
        steps.next(f"{size.label}, memory of {way}")
        memory[way] = harness.peak_memory(_memory_of, way, *arguments)
    steps.next(f"{size.label}, memory with HiGHS's run")
    memory["stacked_and_run"] = harness.peak_memory(_memory_of_run, *arguments)

    stages: dict[str, list[dict[str, float]]] = {"stacked": [], "by_hand": [], "plain_pyomo": []}
    steps.next(f"{size.label}, build and hand-over")
    for run in range(size.runs):
        # in turn, and each first as often as second: what else the machine does meets both
        ways = (("stacked", stacked), ("by_hand", by_hand))
        for name, way in ways if run % 2 else reversed(ways):
            stages[name].append(way(basin)[1])
    for _ in range(size.plain_runs):
        steps.next(f"{size.label}, plain Pyomo")
        solver, seconds, plain = plain_pyomo(basin)
        stages["plain_pyomo"].append(seconds)
    steps.next(f"{size.label}, optimum of plain Pyomo")
    optima = {"plain_pyomo": solve_plain(solver, plain)}
    del solver, plain

    runs: dict[str, list[float]] = {"scale_strategy_4": [], "scale_strategy_default": []}
    whole: list[float] = []
    own_of_whole: list[float] = []
    for _ in range(size.solver_runs):
        steps.next(f"{size.label}, whole job")
        highs, seconds, horizon, cost = stacked(basin)
        own, optima["stacked"] = solve(highs)
        whole.append(sum(seconds.values()) + own)
        own_of_whole.append(own)
        for name, strategy in (
            ("scale_strategy_4", OPTIONS["simplex_scale_strategy"]),
            ("scale_strategy_default", DEFAULT_SCALING),
        ):
            steps.next(f"{size.label}, HiGHS's own run, {name}")
            highs, _, arrays = by_hand(basin, simplex_scale_strategy=strategy)
            own, optima[f"by_hand_{name}"] = solve(highs)
            runs[name].append(own)
    differ = differences(horizon, cost, arrays)
    optima["by_hand"] = optima.pop("by_hand_scale_strategy_4")
    reference = optima["by_hand"]
    worst = max(abs(o - reference) for o in optima.values()) / max(1.0, abs(reference))
    lp = horizon.stack()
    total = {way: [sum(run.values()) for run in of_way] for way, of_way in stages.items()}
    hand = arrays.program
    return {
        "n_nodes": size.n_nodes,
        "n_periods": size.n_periods,
        "n_rows": {"stacked": lp.n_rows, "by_hand": hand.row_lower.size},
        "n_columns": {"stacked": lp.n_columns, "by_hand": hand.col_lower.size},
        "n_nonzeros": {"stacked": lp.n_nonzeros, "by_hand": hand.indices.size},
        "optimum": {
            "values": {way: repr(value) for way, value in optima.items()},
            "worst_relative_difference": worst,
            "agree": worst <= SAME_OPTIMUM,
        },
        "same_matrix": {"agree": not differ, "differences": differ},
        "build_and_hand_over_s": {way: harness.spread(total[way]) for way in total},
        "stages_s": {
            way: {stage: harness.spread([r[stage] for r in of_way]) for stage in of_way[0]}
            for way, of_way in stages.items()
        },
        "highs_run_s": {name: harness.spread(figures) for name, figures in runs.items()},
        "whole_s": harness.spread(whole),
        "whole_highs_run_s": harness.spread(own_of_whole),
        "memory": memory,
        "ratios": {
            "stacked_to_plain_pyomo": harness.ratios(total["stacked"], total["plain_pyomo"]),
            "stacked_to_by_hand": harness.ratios(total["stacked"], total["by_hand"]),
            "whole_to_highs_run": harness.ratios(whole, own_of_whole),
            "default_scaling_to_strategy_4": harness.ratios(
                runs["scale_strategy_default"], runs["scale_strategy_4"]
            ),
            "memory_stacked_to_plain_pyomo": memory["stacked"]["peak_mib"]
            / memory["plain_pyomo"]["peak_mib"],
            "memory_stacked_to_by_hand": memory["stacked"]["peak_mib"]
            / memory["by_hand"]["peak_mib"],
        },
    }


def run(full: bool, sizes: tuple[Size, ...] = ()) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : at the full sizes, which takes minutes
    sizes : other sizes

    Raises
    ------
    RuntimeError
        The ways do not agree: their times mean nothing then.
    """
    sizes = sizes or (FULL if full else QUICK)
    for way in (stacked, by_hand, plain_pyomo):
        way(WARM_UP)  # the first call imports and compiles
    n_steps = sum(7 + s.plain_runs + 3 * s.solver_runs for s in sizes)
    with harness.Steps("stack", n_steps) as steps:
        measured = [measure(size, steps) for size in sizes]
    for size, figures in zip(sizes, measured, strict=True):
        optimum, same = figures["optimum"], figures["same_matrix"]
        if not (optimum["agree"] and same["agree"]):
            raise RuntimeError(
                f"{size.label}: the ways do not agree: {optimum['values']}, {same['differences']}"
            )
    targets = []
    for size, figures in zip(sizes, measured, strict=True):
        of = figures["ratios"]
        targets += [
            harness.target(
                "build and hand-over, to plain Pyomo",
                of["stacked_to_plain_pyomo"]["of_medians"], 1 / 20, size.label,
            ),
            harness.target(
                "build and hand-over, to arrays by hand",
                of["stacked_to_by_hand"]["of_medians"], 2.0, size.label,
            ),
        ]  # fmt: skip
    targets.append(
        harness.target(
            "whole time, to HiGHS's own run",
            measured[-1]["ratios"]["whole_to_highs_run"]["of_medians"], 1.2, sizes[-1].label,
        )
    )  # fmt: skip
    return {
        "highs_options": OPTIONS,
        "plain_pyomo_interface": "pyomo.contrib.solver, 'highs' (set_instance)",
        "sizes": measured,
        "targets": targets,
    }


if __name__ == "__main__":
    harness.main({"stack": run}, "Build and hand-over, in three ways.")
