"""What the report of a result costs: seconds, memory, and the size of the page.

Run ``python -m benchmarks.report [--full] [--out DIR]``.  ``pilot_sharing`` is solved for a few
members; its result is repeated for as many members as are asked, every number of each repetition
but the demands by a factor of its own, so that hardly any stands twice.  Of each result it records

- the size of report.html
- seconds and seconds of the processor of ``wateralloc report RESULT``, the whole command in a
  process of its own, without explanations
- the largest memory of that process
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks import harness
from wateralloc import job
from wateralloc.report.page import kept
from wateralloc.results import Results
from wateralloc.results.store import DATASET, MANIFEST, write_netcdf

CASE = "pilot_sharing"
SOLVED = ("1998-06", "2004-06", "2009-06")
FEW, MANY = 20, 1000
SECONDS = 5.0
"""Of the report of `FEW` members."""
MB = {FEW: 5.0, MANY: 15.0}
"""Size of the page [10^6 bytes], at most."""


@dataclass(frozen=True)
class Size:
    """Numbers of members, and how often the first is timed; the others are made once."""

    members: tuple[int, ...]
    runs: int
    solved: tuple[str, ...] = SOLVED
    changes: tuple[tuple[str, str], ...] = ()


QUICK = Size((FEW, MANY), runs=3)
FULL = Size((FEW, 100, MANY), runs=7)


def solve(size: Size) -> Results:
    """A real result of a few members."""
    changes = {"hydrology.years": f"[{', '.join(size.solved)}]", "linearisation": "fixed"}
    return job.run(CASE, changes=changes | dict(size.changes), ranges=False)


def repeated(results: Results, n_members: int) -> Results:
    """Repeat the members of a result, each time with other volumes."""
    dataset = results.dataset
    n = dataset.sizes["member"]
    rng = np.random.default_rng(740)
    factor = xr.DataArray(rng.uniform(0.8, 1.0, n_members), dims="member")
    factor[:n] = 1.0
    many = dataset.isel(member=np.arange(n_members) % n)
    numbers = {
        name: values * factor
        for name, values in many.data_vars.items()
        if "member" in values.dims and values.dtype.kind == "f" and name != "demand_volume"
    }
    for name, values in numbers.items():
        numbers[name] = values.transpose(*many[name].dims).assign_attrs(many[name].attrs)
    many = many.assign(numbers).assign_coords(
        member=("member", [f"{name}/{k}" for k, name in enumerate(many["member"].values)])
    )
    counts = {**results.manifest["size"], "members": n_members}
    return Results(many, results.manifest | {"size": counts})


def leave(results: Results, folder: Path) -> Path:
    """Write what the report reads, without the tables."""
    folder.mkdir()
    write_netcdf(folder / DATASET, results.dataset)
    (folder / MANIFEST).write_text(json.dumps(results.manifest), encoding="utf-8")
    kept.write(kept.Kept(), folder)
    return folder


def command(folder: Path) -> dict[str, float]:
    """Seconds, seconds of the processor, and memory [MiB] of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    code = (
        "import sys; from wateralloc.cli import main; from benchmarks.harness import own_peak\n"
        "try:\n    main()\nfinally:\n    sys.stderr.write(f'peak {own_peak()}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", str(folder)], capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"the report failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = int(done.stderr.rpartition("peak ")[2])
    return {
        "seconds": seconds,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": peak / harness.BYTES_PER_MIB,
    }


def measure(results: Results, folder: Path, runs: int) -> dict[str, Any]:
    """Make the page of a result some times."""
    leave(results, folder)
    found = [command(folder) for _ in range(runs)]
    return {
        "n_members": results.dataset.sizes["member"],
        "n_periods": results.dataset.sizes["time"],
        "page_mb": (folder / "report.html").stat().st_size / 1e6,
        **{key: harness.spread([one[key] for one in found]) for key in found[0]},
    }


def run(full: bool, size: Size | None = None) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    full : more numbers of members and more runs
    size : another size
    """
    size = size or (FULL if full else QUICK)
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.Steps("report", 1 + len(size.members)) as steps,
    ):
        steps.next(f"{len(size.solved)} members are solved")
        results = solve(size)
        sizes = []
        for k, n in enumerate(size.members):
            steps.next(f"report of {n} members")
            of_members = repeated(results, n)
            sizes.append(measure(of_members, Path(folder) / str(n), size.runs if k == 0 else 1))
    periods = sizes[0]["n_periods"]
    targets = [
        harness.target(
            f"seconds of the report of {FEW} members",
            sizes[0]["seconds"]["median"],
            SECONDS,
            f"{sizes[0]['n_members']} members, {periods} dekads",
        )
    ]
    for limit, of in ((MB[FEW], sizes[0]), (MB[MANY], sizes[-1])):
        at = f"{of['n_members']} members, {periods} dekads"
        targets.append(harness.target("size of the page, MB", of["page_mb"], limit, at))
    return {"case": CASE, "sizes": sizes, "targets": targets}


if __name__ == "__main__":
    harness.main({"report": run}, "Seconds and size of the report of a result.")
