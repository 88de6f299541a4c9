"""Mass is exact in every part, from the written files alone, on any basin."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from tests.properties.basins import rivers
from tests.properties.mass import Files, check_files, check_lines
from tests.properties.physics import physical_basin, physical_basins
from tests.small import make_case
from wateralloc.case.keys import LinearisationKeys
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect

TOLERANCE = 1e-8
"""Of the passes, so that lakes and splits lie on their curves."""


@given(river=rivers())
@settings(max_examples=25)
def test_balance_closes_from_the_files_alone(river: dict[str, Any]) -> None:
    goals = [
        {"meet": {}},
        {"minimise": "spill"},
        {"maximise": {"quantity": "storage_end", "when": "last"}},
    ]
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), goals=goals, **river)
        results = collect(solve_perfect(case))
        check_files(Files(results.write(Path(folder) / "out")))


@given(basin=physical_basins())
@example(basin=physical_basin(38))  # certified by no start of the usual scaling
@example(basin=physical_basin(49))  # a tangent that fell below no area
@example(basin=physical_basin(196))  # a short and then a whole pass without a solution
@settings(max_examples=20)
def test_mass_is_exact_in_every_part(basin: dict[str, Any]) -> None:
    """With lags, losses, evaporation, returns, splits, works and aquifers together.

    Also where the passes end before they converge: a line may then be off, the balance is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **basin)
        for passes in (15, 2):
            keys = LinearisationKeys(passes=passes, tolerance=TOLERANCE)
            tried = replace(case, linearisation=keys)
            results = collect(solve_perfect(tried))
            files = Files(results.write(Path(folder) / f"out_{passes}"))
            check_files(files)
            check_lines(files, tried, basin)


def test_check_notices_every_number_that_is_wrong(tmp_path: Path) -> None:
    """The check itself can fail: a millionth more in any volume of any file is seen."""
    case = make_case(tmp_path, **physical_basin(0))
    files = Files(collect(solve_perfect(case)).write(tmp_path / "out"))
    check_files(files)
    n_columns = 0
    for rows in files.rows.values():
        for column in (c for c in rows if c.endswith("_hm3")):
            at = rows[column].idxmax()
            good = rows.loc[at, column]
            rows.loc[at, column] = good * (1 + 1e-6) + 1e-6
            files.of.cache_clear()
            with pytest.raises(AssertionError):
                check_files(files)
            rows.loc[at, column] = good
            n_columns += 1
    files.of.cache_clear()
    check_files(files)
    assert n_columns > 40
