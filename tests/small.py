"""Small cases in code: daily periods and flows in hm3 a day, so that a number is its own volume."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pyomo.repn.plugins.lp_writer import LPWriter
from ruamel.yaml import YAML

from tests.basins import write_basin
from wateralloc import read_case, to_pyomo
from wateralloc.case import Case
from wateralloc.case.keys import LinearisationKeys
from wateralloc.foresight.perfect import Solution, solve_perfect

START = np.datetime64("2001-01-01")


def days(n: int) -> list[str]:
    """The first n days of 2001."""
    return [str(day) for day in START + np.arange(n)]


def inflow(**by_node: Sequence[float]) -> dict[str, Any]:
    """Series of inflow [hm3 a day] for ``write_basin``."""
    n = len(next(iter(by_node.values())))
    return {"inflow_hm3_day": {"date": days(n), **by_node}}


def make_case(
    folder: Path,
    *,
    periods: int,
    goals: Sequence[Any],
    rules: Sequence[Mapping[str, Any]] = (),
    more: Mapping[str, Any] | None = None,
    **basin: Any,
) -> Case:
    """Write a basin and a case of daily periods from 2001-01-01, and read them back."""
    write_basin(folder / "basin", **basin)
    text = {
        "schema": 1,
        "basin": "basin",
        "timeline": {"start": str(START), "periods": periods, "step": "day"},
        "hydrology": {"record": "dates"},
        "rules": [dict(rule) for rule in rules],
        "goals": list(goals),
        **(more or {}),
    }
    path = folder / "case.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(text, file)
    return read_case(path)


def at_fixed_lines(case: Case) -> Case:
    """The case in one pass: what is not linear stays the straight line it starts with."""
    return replace(case, linearisation=LinearisationKeys(passes=1))


def solve(case: Case) -> tuple[Solution, dict[str, dict[str, list[float]]]]:
    """Solve a case; also the values of every quantity of its first member: name -> item -> list."""
    solution = solve_perfect(case)
    values = {
        quantity.name: {
            item: [round(float(v), 9) for v in solution.value_of(quantity, item)[0]]
            for item in quantity.values
        }
        for quantity in solution.period.quantities()
    }
    return solution, values


def check_golden(case: Case, path: Path) -> None:
    """Compare the whole program of a case with a stored ``.lp``; UPDATE_GOLDEN=1 writes it anew."""
    model = to_pyomo(case)
    with path.with_suffix(".new").open("w", encoding="utf-8") as file:
        LPWriter().write(model, file, symbolic_solver_labels=True)
    new = path.with_suffix(".new")
    text = new.read_text(encoding="utf-8")
    new.unlink()
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no golden program {path.name}; write it with UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8")
