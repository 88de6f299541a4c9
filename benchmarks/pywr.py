"""A tree basin in this project, Pywr 1 and Pywr 2, day by day, scenario by scenario.

Run ``python -m benchmarks.pywr [--full] [--out DIR]``.  On :mod:`benchmarks.pywr_basin`:

- ``wateralloc``: this project, ``foresight: simulate``, one goal that weighs what all serve
- ``pywr_1``: Pywr 1 with its edge-based GLPK solver, and the options that make it fastest
- ``pywr_2``: Pywr 2 with CLP, its fastest solver
- ``pywr_2_highs``: Pywr 2 with HiGHS

Each runs in processes of its own, which set up and then wait for the word to start.  One scenario
runs on one core; several on two: Pywr 1 and this project in two processes with half of the
scenarios each, Pywr 2 with two threads.  The ways run in turn.  All must deliver and store the same
on every day, to 1e-6 hm3, as the greedy order does.

The two versions of Pywr have the same name and cannot stand in one environment, nor beside this
project: it is under the GPL.  Environments with each are made in ``.venv-pywr1`` and
``.venv-pywr2``, with the versions of ``pywr_1.txt`` and ``pywr_2.txt``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from benchmarks import harness
from benchmarks.pywr_basin import TEN_YEARS, TreeBasin, describe, simulate

HERE = Path(__file__).parent
ROOT = HERE.parent
SAME = 1e-6
"""Largest difference of a day's delivery or storage [hm3]."""
CHECKED = 3_000_000
"""Deliveries and storages that are compared at most; of larger runs the first days are."""


@dataclass(frozen=True)
class Size:
    """One size, how often each way is run at it, and which are left out."""

    n_nodes: int
    n_days: int
    n_members: int
    runs: int
    without: tuple[str, ...] = ()

    @property
    def basin(self) -> TreeBasin:
        return TreeBasin(self.n_nodes, self.n_days, self.n_members)

    @property
    def label(self) -> str:
        return f"{self.n_nodes} nodes × {self.n_days} days × {self.n_members} scenarios"

    @property
    def checked_days(self) -> int:
        """Days on which all deliveries and storages are compared."""
        of_day = (self.basin.users.size + self.basin.reservoirs.size) * self.n_members
        return min(self.n_days, max(1, CHECKED // of_day))


SLOWER = ("pywr_2_highs",)
"""Where a run takes minutes, Pywr 2 has its fastest solver alone."""
QUICK = (
    Size(10, 365, 1, runs=3),
    Size(10, 365, 10, runs=3),
    Size(10, 365, 100, runs=3),
    Size(100, 365, 1, runs=3),
    Size(100, 120, 10, runs=3),
    Size(100, 60, 100, runs=3),
    Size(1000, 60, 1, runs=3),
)
FULL = (
    Size(10, TEN_YEARS, 1, runs=5),
    Size(10, TEN_YEARS, 10, runs=5),
    Size(10, TEN_YEARS, 100, runs=3),
    Size(100, TEN_YEARS, 1, runs=5),
    Size(100, TEN_YEARS, 10, runs=3),
    Size(100, TEN_YEARS, 100, runs=3, without=SLOWER),
    Size(1000, TEN_YEARS, 1, runs=3),
    Size(1000, TEN_YEARS, 10, runs=3, without=SLOWER),
    Size(1000, 365, 100, runs=3, without=SLOWER),  # ten years of inflow would be 3 GB
)


# --- the ways -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One of the programs.

    Attributes
    ----------
    environment : number of the version of Pywr that it runs with; None: this project's own
    in_halves : several scenarios run in two processes; else it has threads of its own
    """

    name: str
    environment: int | None
    order: dict[str, Any]
    in_halves: bool

    @property
    def command(self) -> list[str]:
        if self.environment is None:
            return [sys.executable, "-m", "benchmarks.pywr_ours"]
        # isolated: beside the script lies a module called pywr, this one
        script = HERE / f"pywr_{self.environment}.py"
        return [str(python_of(self.environment)), "-I", str(script)]


WAYS = (
    Way("wateralloc", None, {}, in_halves=True),
    Way("pywr_1", 1, {"solver": "glpk-edge", "fast": True}, in_halves=True),
    Way("pywr_2", 2, {"solver": "clp"}, in_halves=False),
    Way("pywr_2_highs", 2, {"solver": "highs"}, in_halves=False),
)


def python_of(version: int) -> Path:
    """Interpreter of the environment with a version of Pywr."""
    return ROOT / f".venv-pywr{version}" / "bin" / "python"


def requirements_of(version: int) -> Path:
    """What stands in the environment with a version of Pywr."""
    return HERE / f"pywr_{version}.txt"


def make_environments() -> None:
    """Make the environments of both versions of Pywr, where they are not there yet."""
    for version in (1, 2):
        python, requirements = python_of(version), requirements_of(version)
        stamp = python.parent.parent / "made_from.txt"
        wanted = requirements.read_text(encoding="utf-8")
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        harness.console.print(f"making {stamp.parent.name} (a minute)")
        venv.create(stamp.parent, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        stamp.write_text(wanted, encoding="utf-8")


# --- one run --------------------------------------------------------------------------------


class Racer:
    """A process that sets up, waits for the word, and runs."""

    def __init__(self, way: Way, order: dict[str, Any], folder: Path, number: int) -> None:
        path = folder / f"{way.name}_{number}.json"
        path.write_text(json.dumps(order | way.order), encoding="utf-8")
        self.way = way
        self.errors = path.with_suffix(".err").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*way.command, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
        )

    def read(self) -> dict[str, float]:
        """Wait for what it says next.

        Raises
        ------
        RuntimeError
            It ended without a word.
        """
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            self.process.wait()
            self.errors.seek(0)
            last = self.errors.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise RuntimeError(
                f"{self.way.name} ended with exit code {self.process.returncode}: {last[0]}"
            )
        return dict(json.loads(line))

    def go(self) -> None:
        """Say the word."""
        self.process.stdin.write("go\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]

    def end(self) -> None:
        """Wait until it has saved what it found, or stop it."""
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait()
        self.process.stdout.close()  # type: ignore[union-attr]
        self.errors.close()


def race(way: Way, basin: TreeBasin, folder: Path, saves: bool = False) -> dict[str, float]:
    """Run one way once.

    Parameters
    ----------
    folder : with the files of :func:`lay_out`; found deliveries and storages go there

    Returns
    -------
    dict
        ``setup_s`` and ``run_s`` [s] of the slowest process, ``cpu_s`` [s] of both together.
    """
    parts = [(0, basin.n_members)]
    if basin.n_members > 1 and way.in_halves:
        half = basin.n_members // 2
        parts = [(0, half), (half, basin.n_members)]
    order = {
        "basin": asdict(basin),
        "network": str(folder / "network.json"),
        "inflow": str(folder / ("inflow.h5" if way.environment == 2 else "inflow.npy")),
        "threads": min(2, basin.n_members),
    }
    racers = []
    for number, members in enumerate(parts):
        save = str(folder / f"{way.name}_{number}.npz") if saves else ""
        racers.append(Racer(way, order | {"members": members, "save": save}, folder, number))
    try:
        for racer in racers:
            racer.read()
        for racer in racers:
            racer.go()
        said = [racer.read() for racer in racers]
    finally:
        for racer in racers:
            racer.end()
    slowest = {key: max(one[key] for one in said) for key in ("setup_s", "run_s")}
    return slowest | {"cpu_s": sum(one["cpu_s"] for one in said)}


def lay_out(basin: TreeBasin, folder: Path) -> None:
    """Write what the processes read: the network, and the inflow in two forms."""
    (folder / "network.json").write_text(json.dumps(describe(basin)), encoding="utf-8")
    np.save(folder / "inflow.npy", basin.inflow)
    with netCDF4.Dataset(folder / "inflow.h5", "w") as file:  # which is HDF5
        file.createDimension("time", basin.n_days)
        file.createDimension("member", basin.n_members)
        for n in range(basin.n_nodes):
            file.createVariable(f"n{n}", "f8", ("time", "member"))[:] = basin.inflow[n]


def difference(way: Way, basin: TreeBasin, folder: Path) -> float:
    """Run a way and compare all it delivers and stores with the greedy order [hm3]."""
    race(way, basin, folder, saves=True)
    parts = [load(path) for path in sorted(folder.glob(f"{way.name}_[0-9].npz"))]
    found = [np.concatenate([part[what] for part in parts], axis=2) for what in parts[0]]
    return max(float(np.abs(a - b).max()) for a, b in zip(found, simulate(basin), strict=True))


def load(path: Path) -> dict[str, np.ndarray]:
    """Read what a process saved: deliveries and storages (item, time, member) [hm3]."""
    with np.load(path) as file:
        return {what: file[what] for what in ("delivered", "stored")}


# --- all runs -------------------------------------------------------------------------------


def measure(size: Size, ways: Sequence[Way], steps: harness.Steps) -> dict[str, Any]:
    """Compare and time every way at one size."""
    basin = size.basin
    differences: dict[str, float] = {}
    seconds: dict[str, list[dict[str, float]]] = {way.name: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        checked = TreeBasin(size.n_nodes, size.checked_days, size.n_members)
        lay_out(checked, Path(folder))
        for way in ways:
            steps.next(f"{size.label}, deliveries of {way.name}")
            differences[way.name] = difference(way, checked, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        lay_out(basin, Path(folder))
        for number in range(size.runs):
            for way in ways:
                steps.next(f"{size.label}, run {number + 1} of {way.name}")
                seconds[way.name].append(race(way, basin, Path(folder)))
    run = {name: [one["run_s"] for one in of_way] for name, of_way in seconds.items()}
    cpu = {name: [one["cpu_s"] for one in of_way] for name, of_way in seconds.items()}
    n_steps = size.n_days * size.n_members
    return {
        "label": size.label,
        "n_nodes": size.n_nodes,
        "n_days": size.n_days,
        "n_scenarios": size.n_members,
        "n_cores": min(2, size.n_members),
        "checked_days": size.checked_days,
        "largest_difference_hm3": {name: f"{value:.1e}" for name, value in differences.items()},
        "agree": all(value <= SAME for value in differences.values()),
        "setup_s": {
            name: harness.spread([one["setup_s"] for one in of_way])
            for name, of_way in seconds.items()
        },
        "run_s": {name: harness.spread(of_way) for name, of_way in run.items()},
        "us_per_step_and_scenario": {
            name: harness.spread([1e6 * s / n_steps for s in of_way])
            for name, of_way in run.items()
        },
        "cpu_us_per_step_and_scenario": {
            name: harness.spread([1e6 * one["cpu_s"] / n_steps for one in of_way])
            for name, of_way in seconds.items()
        },
        "node_steps_per_s": {
            name: harness.spread([basin.cells / s for s in of_way]) for name, of_way in run.items()
        },
        "cpu_to_pywr": {
            name: harness.ratios(cpu["wateralloc"], cpu[name])
            for name in cpu
            if name != "wateralloc"
        },
        "time_to_pywr": {
            name: harness.ratios(run["wateralloc"], run[name])
            for name in run
            if name != "wateralloc"
        },
    }


def targets(sizes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare with what is wanted: our time over that of Pywr."""
    found = []
    for size in sizes:
        ratio = {name: of["of_medians"] for name, of in size["time_to_pywr"].items()}
        several, at = size["n_scenarios"] > 1, size["label"]
        most = 1 / 2 if several else 1 / 1.5 if size["n_nodes"] >= 100 else 1.0
        found.append(harness.target("time, to Pywr 1", ratio["pywr_1"], most, at))
        if several:
            found.append(harness.target("time, to Pywr 2", ratio["pywr_2"], 1.0, at))
    return found


def run(full: bool, sizes: tuple[Size, ...] = (), ways: tuple[Way, ...] = WAYS) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : at the full sizes, which takes half an hour
    sizes, ways : other sizes or ways

    Raises
    ------
    RuntimeError
        The ways do not deliver the same: their times mean nothing then.
    """
    sizes = sizes or (FULL if full else QUICK)
    if any(way.environment is not None for way in ways):
        make_environments()
    ways_of = [[way for way in ways if way.name not in size.without] for size in sizes]
    n_steps = sum((1 + size.runs) * len(of) for size, of in zip(sizes, ways_of, strict=True))
    with harness.Steps("pywr", n_steps) as steps:
        measured = [measure(size, of, steps) for size, of in zip(sizes, ways_of, strict=True)]
    for size in measured:
        if not size["agree"]:
            raise RuntimeError(
                f"{size['label']}: deliveries or storages differ from the greedy order by "
                f"{size['largest_difference_hm3']} hm3"
            )
    return {
        "versions": {
            f"pywr_{version}": _version_of(requirements_of(version)) for version in (1, 2)
        },
        "same_hm3": SAME,
        "sizes": measured,
        "targets": targets(measured),
    }


def _version_of(requirements: Path) -> str:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("pywr==") for line in lines if line.startswith("pywr=="))


if __name__ == "__main__":
    harness.main({"pywr": run}, "This project beside Pywr 1 and Pywr 2.")
