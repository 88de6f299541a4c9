"""The shipped cases give the numbers they gave: what each region and use lacks, and each optimum.

Stored is only what is the same at every optimum, so that another version of the solver that stops
at another corner changes nothing here (``UPDATE_GOLDEN=1`` writes the tables anew):

- ``<case>_optima.csv``: the optimum of every linear program, except the later rounds of ``share``,
  of which another dual may make more or fewer.
- ``<case>.csv``: by member, region and use, the sum over the year.  A use is all sectors of one
  goal.  Within one the goals do not say which sector lacks a hm3 (in dry years irrigation and
  livestock of the mountains could exchange up to 35 hm3), so single sectors are not stored.  The
  sum of a use over a region is unique for two reasons.  In the pilot, leximin among provinces fixes
  the satisfaction of every province.  In the baseline the total is fixed by ``meet`` and the delta
  lacks nothing, so it is all of the mountains.
  ``test_what_is_stored_is_the_same_at_every_optimum`` measures it in the two driest years.

These are of one pass, in which what is not linear stands as the line it starts with: the passes
after it end within a tolerance, and where in it may hang on the solver.  What they come to is
stored apart, for the pilot:

- ``pilot_sharing_passes.csv``: by member, the energy of all plants and the deficit, to the
  tolerance of the passes.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.small import at_fixed_lines
from wateralloc import read_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import MemberStage, Solution, solve_perfect
from wateralloc.horizon import Horizon
from wateralloc.period import build_period
from wateralloc.results import collect
from wateralloc.solve import Stages
from wateralloc.users import Users

FOLDER = Path(__file__).parent
CASES = ("baseline", "pilot_sharing", "pilot_dry_year")

TOLERANCE: dict[str, tuple[float, float]] = {
    "demand_hm3": (1e-11, 0.0),  # data
    "withdrawal_hm3": (1e-9, 1e-5),  # the solver works to 1e-9 hm3 in each of a few hundred columns
    "deficit_hm3": (0.0, 1e-5),
    "value": (1e-7, 1e-9),  # an optimum
    "energy_gwh": (2e-3, 0.0),  # of passes
    "deficit_after_passes_hm3": (1e-2, 0.5),
}
"""Column -> relative and absolute tolerance; all other columns are equal as text."""
UNIQUE = 1e-5
"""What is stored moves by no more than this [hm3] over all optima."""


@dataclass(frozen=True)
class Solved:
    case: Case
    solution: Solution
    allocation: pd.DataFrame


@pytest.fixture(scope="module", params=CASES)
def solved(request: pytest.FixtureRequest) -> Solved:
    case = at_fixed_lines(read_case(request.param))
    solution = solve_perfect(case)
    return Solved(case, solution, collect(solution).tables()["allocation"])


def uses(case: Case) -> dict[str, list[str]]:
    """Sectors that a goal treats as one, by a name for them."""
    groups = [goal.sectors for goal in case.goals if isinstance(goal, Users)]
    return {"+".join(sectors): list(sectors) for sectors in groups}


def by_region_and_use(solved: Solved) -> list[dict[str, Any]]:
    use_of = {s: use for use, sectors in uses(solved.case).items() for s in sectors}
    table = solved.allocation.assign(use=solved.allocation["sector"].map(use_of))
    columns = ["demand_hm3", "withdrawal_hm3", "deficit_hm3"]
    assert table["use"].notna().all()
    sums = table.groupby(["member", "region", "use"])[columns].sum().reset_index()
    return sums.to_dict("records")


def optima(solved: Solved) -> list[dict[str, Any]]:
    return [
        {"member": member.name, "goal": stage.name, "unit": stage.unit, "value": stage.value}
        for member, stages in zip(solved.case.members, solved.solution.stages, strict=True)
        for stage in stages
        if "round" not in stage.name or stage.name.endswith("round 1")
    ]


def compare(name: str, rows: list[dict[str, Any]]) -> None:
    """Compare rows with a stored table; UPDATE_GOLDEN=1 writes it anew."""
    path = FOLDER / f"{name}.csv"
    if os.environ.get("UPDATE_GOLDEN"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {k: f"{round(v, 9):.12g}" if k in TOLERANCE else v for k, v in row.items()}
                for row in rows
            )
    assert path.is_file(), f"no golden table {path.name}; write it with UPDATE_GOLDEN=1"
    with path.open(encoding="utf-8", newline="") as file:
        stored = list(csv.DictReader(file))
    assert list(stored[0]) == list(rows[0])
    told = [
        f"{row}: {column} was {was[column]}"
        for row, was in zip(rows, stored, strict=True)
        for column in row
        if not is_close(column, row[column], was[column])
    ]
    assert not told, "\n".join(told)


def is_close(column: str, value: Any, stored: str) -> bool:
    if column not in TOLERANCE:
        return str(value) == stored
    relative, absolute = TOLERANCE[column]
    return abs(value - float(stored)) <= absolute + relative * abs(float(stored))


def test_what_each_region_and_use_lacks(solved: Solved) -> None:
    compare(solved.case.name, by_region_and_use(solved))


def test_optimum_of_every_goal(solved: Solved) -> None:
    compare(f"{solved.case.name}_optima", optima(solved))


def test_every_optimum_is_certified_and_kept(solved: Solved) -> None:
    assert solved.solution.certificate.is_valid
    assert solved.solution.drift.max() <= 1e-9


def test_dry_years_alone_are_those_of_the_pilot() -> None:
    """The same members of two cases have the same rows."""
    for name in ("{}", "{}_optima"):
        of_case = {
            case: (FOLDER / f"{name.format(case)}.csv").read_text(encoding="utf-8").splitlines()
            for case in ("pilot_sharing", "pilot_dry_year")
        }
        assert len(of_case["pilot_dry_year"]) > 10
        assert set(of_case["pilot_dry_year"]) < set(of_case["pilot_sharing"])


@pytest.mark.parametrize("name", ["baseline", "pilot_sharing"])
def test_what_is_stored_is_the_same_at_every_optimum(name: str) -> None:
    """The least and the most that each region and use may withdraw once all goals are held."""
    dry = {member.name for member in read_case("pilot_dry_year").members}
    case = at_fixed_lines(read_case(name))
    case = replace(case, members=tuple(m for m in case.members if m.name in dry))
    assert case.n_members == 2
    period = build_period(case)
    m = period.model
    horizon = Horizon(m, case.n_members, case.n_periods)
    lp = horizon.stack()
    table = case.basin.tables["demands"]
    for k in range(case.n_members):
        stage = MemberStage(period, horizon, {}, k, Stages(lp.member(k)))
        for number, goal in period.goals:
            goal.optimise(m, case, number, stage)
        for region in sorted(set(table["region"])):
            for use, sectors in uses(case).items():
                users = table.index[(table["region"] == region) & table["sector"].isin(sectors)]
                columns = np.concatenate([horizon.columns[id(m.withdrawal[d])] for d in users])
                cost = np.bincount(columns, minlength=lp.n_columns).astype(float)
                least, most = (
                    stage.stages.optimise("range", cost, sense).objective
                    for sense in ("minimise", "maximise")
                )
                assert most - least <= UNIQUE, (name, region, use)


# --- passes -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def after_passes() -> Solved:
    case = read_case("pilot_sharing")
    solution = solve_perfect(case)
    return Solved(case, solution, collect(solution).tables()["allocation"])


def test_every_member_converges(after_passes: Solved) -> None:
    """In at most 15 passes, and to no less energy than the first pass gave."""
    assert len(after_passes.solution.convergence) == 21
    for member, convergence in zip(
        after_passes.case.members, after_passes.solution.convergence, strict=True
    ):
        assert convergence.is_reached, f"{member.name}: {convergence.why}"
        assert len(convergence.passes) <= 15
        best, first = (convergence.passes[k - 1] for k in (convergence.best, 1))
        assert best.value >= first.value
        assert best.error <= after_passes.case.linearisation.tolerance
        assert best.is_whole
    assert after_passes.solution.certificate.is_valid


def test_what_the_passes_come_to(after_passes: Solved) -> None:
    solution = after_passes.solution
    (energy,) = (q for q in solution.period.quantities() if q.name == "energy")
    by_member = sum(solution.value_of(energy, p).sum(axis=1) for p in energy.values)
    deficit = after_passes.allocation.groupby("member")["deficit_hm3"].sum()
    rows = [
        {
            "member": member.name,
            "energy_gwh": float(of_member),
            "deficit_after_passes_hm3": float(deficit[member.name]),
        }
        for member, of_member in zip(after_passes.case.members, by_member, strict=True)
    ]
    compare("pilot_sharing_passes", rows)
