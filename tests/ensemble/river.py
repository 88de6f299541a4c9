"""A river of many hydrologies, small enough that all of them are solved in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from ruamel.yaml import YAML

from tests.basins import month_starts, write_basin
from wateralloc import read_case
from wateralloc.case import Case
from wateralloc.hydrology import Member

YEARS = 20
WATCH = '''\
"""Tells which members are solved; can kill its own process, or ask what cannot be."""

import os
import signal
from pathlib import Path

import numpy as np
import pyomo.environ as pyo


def watch(m, case, log, killer="", kills=0, impossible=()):
    names = [member.name for member in case.members]
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(",".join(names) + "\\n")
    deaths = Path(log + ".deaths")
    n_deaths = len(deaths.read_text(encoding="utf-8")) if deaths.exists() else 0
    if killer in names and n_deaths < kills:
        deaths.write_text("x" * (n_deaths + 1), encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    asked = np.array([[1e6 * (name in impossible)] for name in names])
    m.asked = pyo.Param(initialize=asked, mutable=True, within=pyo.Any)
    m.watched = pyo.Constraint(expr=m.flow["lower"] >= m.asked)
'''


def write_case(folder: Path, years: int = YEARS, **watch: Any) -> Path:
    """Write a basin with a reservoir and a case of three months in each of some years.

    Parameters
    ----------
    watch : arguments of the rule that watches; without them there is none
    """
    months = 12 * years
    inflow = 40 * np.random.default_rng(5).gamma(2.0, 0.5, months)
    write_basin(
        folder / "basin",
        nodes=[
            {"name": "spring", "kind": "inflow", "region": "north"},
            {"name": "lake", "kind": "reservoir", "region": "north"},
            {"name": "town", "kind": "junction", "region": "south"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "spring", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[{"name": "lake", "dead_hm3": 10, "normal_hm3": 60, "initial_hm3": 20}],
        demands=[
            {"name": name, "node": "town", "sector": sector, "region": region, "annual_hm3": asked}
            for name, sector, region, asked in (
                ("homes", "domestic", "south", 150), ("fields", "irrigation", "south", 1200),
                ("mills", "industry", "north", 300),
            )
        ],
        series={
            "inflow_m3s": {"date": month_starts("1800-01", months), "spring": inflow.round(3)}
        },
    )  # fmt: skip
    rules: list[dict[str, Any]] = []
    if watch:
        (folder / "watch.py").write_text(WATCH, encoding="utf-8")
        rules.append(
            {"rule": "python", "file": "watch.py", "function": "watch", "arguments": watch}
        )
    text = {
        "schema": 1,
        "name": "river",
        "basin": "basin",
        "timeline": {"start": "2001-03-01", "periods": 3, "step": "month"},
        "hydrology": {"record": "historic", "members": "all"},
        "rules": rules,
        "goals": [
            {"meet": {"sectors": ["domestic"]}},
            {"share": {"sectors": ["irrigation", "industry"], "among": "region"}},
            {"minimise": "spill"},
        ],
    }
    path = folder / "river.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(text, file)
    return path


def few(path: Path, n: int, *, own: bool = False) -> Case:
    """The case with its first members only.

    Parameters
    ----------
    own : members bring their inflow with them, in place of years of the record
    """
    case = read_case(path).with_members(range(n))
    if not own:
        return case
    inflow = case.attribute("nodes", "inflow")["spring"]
    members = tuple(Member(f"own_{k:02d}") for k in range(n))
    return replace(case, members=members, given={"inflow": {"spring": inflow.copy()}})


def start(arguments: Sequence[object]) -> subprocess.Popen[str]:
    """Start a command of wateralloc in a process of its own."""
    program = "from wateralloc.cli import main; main()"
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for a command; return what it printed."""
    text, _ = process.communicate(timeout=120)
    assert process.returncode == code, text
    return text


def numbers(folder: Path) -> xr.Dataset:
    """Results of an ensemble."""
    return xr.load_dataset(folder / "results.nc", engine="netcdf4")


def assert_same(one: Path, other: Path) -> None:
    """Two ensembles are the same to the last bit, in results and in tables."""
    xr.testing.assert_identical(numbers(one), numbers(other))
    for name in ("metrics.csv", "quantiles.csv", "period_quantiles.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
