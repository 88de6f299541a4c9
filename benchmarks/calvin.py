"""California's network in four ways: CALVIN's, linopy, arrays by hand, and this project.

Run ``python -m benchmarks.calvin [--full] [--out DIR]``.  The files of arcs are read from
``../shared/calvin``, or from the folder that ``CALVIN_LINKS`` names; without them nothing is
measured.  On the monthly network of 1, 5 and 10 years, perfect foresight:

- ``calvin``: a plain Pyomo model as CALVIN states it, one rule an arc and a node, bounds as rows,
  given to HiGHS by Pyomo's own interface
- ``linopy``: variables and expressions over arcs, summed by node, given to HiGHS directly
- ``by_hand``: arrays in NumPy
- ``stacked``: this project: the basin that ``wateralloc import calvin`` made, its one period in
  Pyomo stacked over the months, with no path of its own

Each run is a process of its own that imports only what its way needs, warmed up on two months.
What counts are the processor seconds from links in memory (arcs, or the case) to HiGHS holding the
program, all threads together, and the peak memory of the process with HiGHS's run.  With ``--full``
also 82 years: the whole job of this project, and HiGHS on arrays by hand.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pandas as pd

from benchmarks import harness

DATA = Path(os.environ.get("CALVIN_LINKS", Path(__file__).parents[2] / "shared" / "calvin"))
UNLIMITED = 1e12
OUTSIDE = ("SOURCE", "SINK")
SAME_OPTIMUM = 1e-9
USD_PER_MILLION = 1e6
FASTER_THAN_CALVIN = {1: 20, 10: 50}
FASTER_THAN_LINOPY_FROM = 5
MEMORY_OF_CALVIN = 0.5
WHOLE_TO_RUN = 1.15
MOST_MIB = 5 * 1024
LONGEST = 82


@dataclass(frozen=True)
class Size:
    """Years of the network, and how often each way is run."""

    years: int
    runs: int
    runs_of_calvin: int

    @property
    def label(self) -> str:
        return f"{self.years} years" if self.years > 1 else "1 year"

    @property
    def path(self) -> Path:
        return DATA / f"links_{self.years}yr.csv.gz"


Options = dict[str, Any]
"""HiGHS options of every way: those of this project, whose packages the other ways do not load."""

SIZES = (Size(1, 3, 2), Size(5, 3, 1), Size(10, 2, 1))


# --- the ways: from arcs, or a case, to HiGHS holding the program --------------------------------


def by_calvin(arcs: pd.DataFrame, options: Options) -> Callable[[], float]:
    """Build as CALVIN does; return what solves it."""
    import pyomo.environ as pyo
    from pyomo.contrib.solver.common.factory import SolverFactory

    keys = list(zip(arcs["i"], arcs["j"], arcs["k"], strict=True))
    leaving: dict[str, list[Any]] = {}
    entering: dict[str, list[Any]] = {}
    for key in keys:
        leaving.setdefault(key[0], []).append(key)
        entering.setdefault(key[1], []).append(key)
    m = pyo.ConcreteModel()
    m.arc = pyo.Set(dimen=3, initialize=keys)
    m.node = pyo.Set(initialize=list(dict.fromkeys([*leaving, *entering])))
    for name in ("cost", "amplitude", "lower_bound", "upper_bound"):
        values = dict(zip(keys, arcs[name].tolist(), strict=True))
        m.add_component(name, pyo.Param(m.arc, initialize=values, mutable=True))
    m.flow = pyo.Var(m.arc)

    @m.Objective()
    def total(m: Any) -> Any:
        return sum(m.cost[key] * m.flow[key] for key in m.arc)

    @m.Constraint(m.arc)
    def at_least(m: Any, i: str, j: str, k: int) -> Any:
        return m.flow[i, j, k] >= m.lower_bound[i, j, k]

    @m.Constraint(m.arc)
    def at_most(m: Any, i: str, j: str, k: int) -> Any:
        return m.flow[i, j, k] <= m.upper_bound[i, j, k]

    @m.Constraint(m.node)
    def balance(m: Any, node: str) -> Any:
        if node in OUTSIDE:
            return pyo.Constraint.Skip
        into = sum(m.flow[key] for key in entering.get(node, ()))
        return into == sum(m.flow[key] / m.amplitude[key] for key in leaving.get(node, ()))

    solver = SolverFactory("highs")
    solver.set_instance(m)

    def solve() -> float:
        solver.config.load_solutions = False
        solver.config.solver_options.update(
            {name: value for name, value in options.items() if name != "output_flag"}
        )
        return float(solver.solve(m).incumbent_objective)

    return solve


def by_linopy(arcs: pd.DataFrame, options: Options) -> Callable[[], float]:
    """Build with linopy; return what solves it."""
    import linopy

    n = len(arcs)
    numbers = pd.RangeIndex(n, name="arc")
    upper = arcs["upper_bound"].to_numpy()
    m = linopy.Model()
    flow = m.add_variables(
        pd.Series(arcs["lower_bound"].to_numpy(), numbers),
        pd.Series(np.where(upper >= UNLIMITED, np.inf, upper), numbers),
        name="flow",
    )
    # each arc stands twice: where it arrives, and, with the other sign, where it starts
    ends = np.concatenate([arcs["j"].to_numpy(), arcs["i"].to_numpy()])
    kept = ~np.isin(ends, OUTSIDE)
    arc = np.tile(np.arange(n), 2)[kept]
    signs = np.concatenate([np.ones(n), -1 / arcs["amplitude"].to_numpy()])[kept]
    both = flow.isel(arc=arc).assign_coords(arc=np.arange(arc.size))
    terms = both * pd.Series(signs, pd.RangeIndex(arc.size, name="arc"))
    node = pd.Series(ends[kept], pd.RangeIndex(arc.size, name="arc"), name="node")
    m.add_constraints(terms.groupby(node).sum() == 0, name="balance")
    m.add_objective((flow * pd.Series(arcs["cost"].to_numpy(), numbers)).sum())
    highs = m.to_highspy()
    return lambda: optimise(highs, options)


def by_hand(arcs: pd.DataFrame, options: Options) -> Callable[[], float]:
    """Lay out arrays; return what solves them."""
    n = len(arcs)
    codes, nodes = pd.factorize(np.concatenate([arcs["i"].to_numpy(), arcs["j"].to_numpy()]))
    is_row = ~np.isin(nodes, OUTSIDE)
    row = np.where(is_row, np.cumsum(is_row) - 1, -1)[codes].reshape(2, n)
    entry = np.stack([-1 / arcs["amplitude"].to_numpy(), np.ones(n)])
    # a column has at most two entries: those of its start and its end
    kept = (row >= 0).T
    start = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    index, value = row.T[kept].astype(np.int32), entry.T[kept]
    upper = arcs["upper_bound"].to_numpy()
    zeros = np.zeros(int(is_row.sum()))
    highs = highspy.Highs()
    set_options(highs, options)
    status = highs.passModel(
        n, zeros.size, index.size, int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize), 0.0, arcs["cost"].to_numpy(float),
        arcs["lower_bound"].to_numpy(float), np.where(upper >= UNLIMITED, np.inf, upper),
        zeros, zeros, start, index, value, np.zeros(n, np.int32),
    )  # fmt: skip
    if status == highspy.HighsStatus.kError:
        raise RuntimeError("HiGHS refuses the model")
    return lambda: optimise(highs, options)


def by_stacking(case: Any, options: Options) -> Callable[[], float]:
    """Build as this project does; return what solves it."""
    from wateralloc.horizon import Horizon
    from wateralloc.period import build_period
    from wateralloc.solve import load, typical

    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    program = horizon.stack().member(0)
    number, goal = period.goals[0]
    cost = -horizon.cost(goal.objective(period.model, number)[0])[0][0]
    scale = typical(cost)
    highs = load(program, cost / scale)
    return lambda: optimise(highs, options) * scale * USD_PER_MILLION


WAYS: dict[str, Callable[..., Callable[[], float]]] = {
    "calvin": by_calvin,
    "linopy": by_linopy,
    "by_hand": by_hand,
    "stacked": by_stacking,
}


def set_options(highs: Any, options: Options) -> None:
    """Set options of HiGHS."""
    for option, value in options.items():
        highs.setOptionValue(option, value)


def optimise(highs: Any, options: Options) -> float:
    """Run HiGHS; return the optimum."""
    set_options(highs, options)
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"no optimum: {highs.modelStatusToString(status)}")
    return float(highs.getInfo().objective_function_value)


# --- one run in a process of its own -------------------------------------------------------------


def read(way: str, path: Path, case: Path) -> Any:
    """Read what a way builds from: arcs, or the case that was made of them."""
    if way == "stacked":
        from wateralloc import read_case

        return read_case(case)
    return pd.read_csv(path, dtype={"i": str, "j": str})


def measure(
    way: str, path: Path, case: Path, small: Path, small_case: Path, options: Options
) -> dict[str, float]:
    """Measure a way once, in this process.

    Parameters
    ----------
    path, case : arcs, and the case that was made of them
    small, small_case : the same of a few months, to warm up with

    Returns
    -------
    dict
        ``warm_mib`` is the peak memory after the warming up: that of the packages, nearly.
    """
    silence = contextlib.redirect_stdout(io.StringIO())
    with silence:
        WAYS[way](read(way, small, small_case), options)()
    warm = harness.own_peak()
    started = time.process_time()
    links = read(way, path, case)
    read_s = time.process_time() - started
    started = time.process_time()
    with silence:
        solve = WAYS[way](links, options)
    build_s = time.process_time() - started
    del links
    started = time.process_time()
    with silence:
        optimum = solve()
    solve_s = time.process_time() - started
    return {
        "read_cpu_s": read_s,
        "build_cpu_s": build_s,
        "solve_cpu_s": solve_s,
        "optimum": optimum,
        "warm_mib": warm / harness.BYTES_PER_MIB,
        "peak_mib": harness.own_peak() / harness.BYTES_PER_MIB,
    }


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def make_case(path: Path, folder: Path) -> tuple[float, Path]:
    """Import arcs; return the processor seconds it took, and the case file."""
    from wateralloc.importers.calvin import import_calvin

    started = time.process_time()
    case, _ = import_calvin(path, folder)
    return time.process_time() - started, case


def first_months(path: Path, months: int, to: Path) -> Path:
    """Cut a file of arcs after some months; the water stored then may go anywhere."""
    arcs = pd.read_csv(path, dtype={"i": str, "j": str})
    dates = sorted({name.rpartition(".")[2] for name in arcs["i"] if "." in name})
    kept = {*dates[:months], ""}
    leaves, arrives = (arcs[end].str.partition(".")[2].isin(kept) for end in ("i", "j"))
    is_carried = leaves & ~arrives & arcs["i"].str.endswith(dates[months - 1])
    arcs.loc[is_carried, "j"] = "FINAL"
    arcs[(leaves & arrives) | is_carried].to_csv(to, index=False)
    return to


# --- 82 years ------------------------------------------------------------------------------------


def whole_job(case_file: Path, out: Path) -> dict[str, Any]:
    """Read, solve and certify the longest horizon, then write its results; in this process."""
    from wateralloc import foresight, read_case, solve
    from wateralloc.results import collect

    own: dict[str, float] = {"seconds": 0.0, "cpu_s": 0.0, "runs": 0}

    class Timed(solve._Highs):  # type: ignore[misc]
        """HiGHS with a clock on its run."""

        def run(self) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            status = super().run()
            own["seconds"] += time.perf_counter() - wall
            own["cpu_s"] += time.process_time() - cpu
            own["runs"] += 1
            return status

    solve._Highs = Timed
    laps: dict[str, float] = {}
    wall, cpu = time.perf_counter(), time.process_time()

    def lap(name: str) -> None:
        nonlocal wall, cpu
        laps[f"{name}_s"] = time.perf_counter() - wall
        laps[f"{name}_cpu_s"] = time.process_time() - cpu
        laps[f"peak_mib_after_{name}"] = harness.own_peak() / harness.BYTES_PER_MIB
        wall, cpu = time.perf_counter(), time.process_time()

    case = read_case(case_file)
    lap("read")
    solution = foresight.solve(case)
    lap("solve")
    stage = solution.stages[0][0]
    found = {
        "optimum": -stage.value * USD_PER_MILLION,
        "certificate": {
            "primal": stage.certificate.primal,
            "dual": stage.certificate.dual,
            "gap": stage.certificate.gap,
        },
        "iterations": stage.iterations,
        "highs_run": own,
    }
    collect(solution, {"read": laps["read_s"]}).write(out)
    lap("write")
    return {**found, **laps}


# --- the benchmark -------------------------------------------------------------------------------


def run_size(
    size: Size, folder: Path, small: tuple[Path, Path], options: Options, steps: harness.Steps
) -> Any:
    """Measure every way at one size."""
    steps.next(f"{size.label}, import")
    import_s, case = alone(make_case, size.path, folder / f"{size.years}")
    figures: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(size.runs):
        for way in WAYS:
            if way == "calvin" and number >= size.runs_of_calvin:
                continue
            steps.next(f"{size.label}, {way}")
            figures[way].append(alone(measure, way, size.path, case, *small, options))
    optima = {way: runs[-1]["optimum"] for way, runs in figures.items()}
    reference = optima["by_hand"]
    worst = max(abs(o - reference) for o in optima.values()) / abs(reference)
    if worst > SAME_OPTIMUM:
        raise RuntimeError(f"{size.label}: optima differ by {worst:.1e}: {optima}")
    spread = {
        name: {way: harness.spread([r[name] for r in runs]) for way, runs in figures.items()}
        for name in ("read_cpu_s", "build_cpu_s", "solve_cpu_s", "warm_mib", "peak_mib")
    }
    built = {way: [r["build_cpu_s"] for r in runs] for way, runs in figures.items()}
    return {
        "years": size.years,
        "import_cpu_s": import_s,
        **spread,
        "optimum": {
            "values": {way: repr(value) for way, value in optima.items()},
            "largest_relative_difference": worst,
            "agree": worst <= SAME_OPTIMUM,
        },
        "ratios": {
            f"stacked_to_{way}": harness.ratios(built["stacked"], built[way])
            for way in ("calvin", "linopy", "by_hand")
        },
        "memory_ratio_to_calvin": spread["peak_mib"]["stacked"]["median"]
        / spread["peak_mib"]["calvin"]["median"],
    }


def run_longest(
    folder: Path, small: tuple[Path, Path], options: Options, steps: harness.Steps
) -> dict[str, Any]:
    """Solve the longest horizon whole, and by hand.

    Raises
    ------
    RuntimeError
        The two do not reach the same optimum.
    """
    size = Size(LONGEST, 1, 0)
    steps.next(f"{size.label}, import")
    import_s, case = alone(make_case, size.path, folder / f"{size.years}")
    steps.next(f"{size.label}, whole")
    found = alone(whole_job, case, folder / "results")
    steps.next(f"{size.label}, by_hand")
    hand = alone(measure, "by_hand", size.path, case, *small, options)
    differ = abs(found["optimum"] - hand["optimum"]) / abs(hand["optimum"])
    if differ > SAME_OPTIMUM:
        raise RuntimeError(f"{size.label}: optima differ by {differ:.1e}")
    whole_s = found["read_cpu_s"] + found["solve_cpu_s"]
    own = found["highs_run"]
    return {
        "years": size.years,
        "by_hand": {**hand, "optimum": repr(hand["optimum"])},
        "import_cpu_s": import_s,
        **found,
        "optimum": repr(found["optimum"]),
        "solve_to_highs_run": found["solve_cpu_s"] / own["cpu_s"],
        "read_and_solve_to_highs_run": whole_s / own["cpu_s"],
        "read_and_solve_to_by_hand": whole_s / hand["solve_cpu_s"],
    }


def targets_of(sizes: list[dict[str, Any]], longest: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Compare what was measured with what was aimed at."""
    targets = []
    for size in sizes:
        years, ratios = size["years"], size["ratios"]
        label = Size(years, 0, 0).label
        if years in FASTER_THAN_CALVIN:
            targets.append(
                harness.target(
                    "build and hand-over, to CALVIN's way",
                    ratios["stacked_to_calvin"]["of_medians"],
                    1 / FASTER_THAN_CALVIN[years],
                    label,
                )
            )
        if years >= FASTER_THAN_LINOPY_FROM:
            targets.append(
                harness.target(
                    "build and hand-over, to linopy",
                    ratios["stacked_to_linopy"]["of_medians"], 1.0, label,
                )
            )  # fmt: skip
        targets.append(
            harness.target(
                "peak memory, to CALVIN's way",
                size["memory_ratio_to_calvin"], MEMORY_OF_CALVIN, label,
            )
        )  # fmt: skip
    if longest:
        label = Size(longest["years"], 0, 0).label
        targets += [
            harness.target(
                "whole time, to HiGHS's own run",
                longest["read_and_solve_to_highs_run"], WHOLE_TO_RUN, label,
            ),
            harness.target(
                "whole time, to HiGHS's run of arrays by hand",
                longest["read_and_solve_to_by_hand"], WHOLE_TO_RUN, label,
            ),
            harness.target(
                "peak memory with the results, to 5 GiB",
                longest["peak_mib_after_write"] / MOST_MIB, 1.0, label,
            ),
        ]  # fmt: skip
    return targets


def is_possible() -> bool:
    """Tell whether the files of arcs are there."""
    return SIZES[0].path.is_file()


def run(full: bool, sizes: tuple[Size, ...] = SIZES) -> dict[str, Any]:
    """Run the benchmark.

    Raises
    ------
    FileNotFoundError
        The files of arcs are not there.
    RuntimeError
        The ways do not reach the same optimum.
    """
    from wateralloc.solve import OPTIONS

    if not is_possible():
        raise FileNotFoundError(f"{SIZES[0].path} is missing; name its folder in CALVIN_LINKS")
    total = sum(1 + size.runs * (len(WAYS) - 1) + size.runs_of_calvin for size in sizes) + 3 * full
    with harness.Steps("calvin", total) as steps, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        few = first_months(sizes[0].path, 2, folder / "few.csv")
        small = (few, make_case(few, folder / "few")[1])
        measured = [run_size(size, folder, small, OPTIONS, steps) for size in sizes]
        longest = run_longest(folder, small, OPTIONS, steps) if full else None
    return {
        "highs_options": OPTIONS,
        "calvin_interface": "pyomo.contrib.solver, 'highs' (set_instance)",
        "sizes": measured,
        **({"longest": longest} if longest else {}),
        "targets": targets_of(measured, longest),
    }


if __name__ == "__main__":
    harness.main({"calvin": run}, "California's network, in four ways.")
