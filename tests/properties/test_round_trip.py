"""Folder, workbook and NetCDF say the same: every cell, every number to the last bit."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.basins import tiny_basin, write_basin
from tests.properties.basins import networks, rivers
from wateralloc import read_basin, read_case
from wateralloc.basin import Basin
from wateralloc.basin.contents import Contents, read_contents
from wateralloc.case import Case
from wateralloc.export import write_folder, write_netcdf, write_workbook
from wateralloc.horizon import Horizon
from wateralloc.period import build_period

ROOT = Path(__file__).resolve().parents[2]
RED_RIVER = ROOT / "basins" / "red_river"
WAYS = (("xlsx",), ("nc",), ("xlsx", "nc"), ("nc", "xlsx"))
"""What a basin goes through from folder to folder."""
WRITE = {"xlsx": write_workbook, "nc": write_netcdf}
TRICKY = (
    "NO", "1e5", "007", "1.50", "=SUM(A1)", "+1", "-1", "@x", "true", '=HYPERLINK("http://x","y")',
    "_x005F_", "x005F_", "2004-06-01", "06-15", "#N/A", "nan", "_x0041_", "_x000D_", "a,b",
    'say "no"', "first\nsecond", "first\rsecond", "http://example.org", "mailto:x@y", "{=1+1}",
    "Hồ Hòa Bình", "\t=1", "'=1", "%",
)  # fmt: skip
"""Texts that spreadsheets like to make something else of."""


def through(basin: Basin, folder: Path, *ways: str) -> Basin:
    """Take a basin from form to form, and into a folder at last."""
    for k, way in enumerate(ways):
        path = folder / f"{k}.{way}"
        WRITE[way](basin, path)
        basin = read_basin(path)
    shutil.rmtree(folder / "last", ignore_errors=True)
    write_folder(basin, folder / "last")
    return read_basin(folder / "last")


def contents(basin: Basin) -> Contents:
    return read_contents(basin.folder, basin.declared)


def assert_same(one: Basin, other: Basin) -> None:
    """Two basins are equal, to the last bit, in all but their place."""
    for name in ("title", "currency", "water_year_start", "base_year", "patterns"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("regions", "provinces", "sectors"):  # their order counts
        assert list(getattr(one, name).items()) == list(getattr(other, name).items())
    assert one.tables.keys() == other.tables.keys()
    for name, table in one.tables.items():
        assert_same_frame(table, other.tables[name])
    assert one.series.keys() == other.series.keys()
    for name, series in one.series.items():
        twin = other.series[name]
        assert (series.unit, series.timeline) == (twin.unit, twin.timeline)
        assert_same_frame(series.values, twin.values)
    assert one.curves.keys() == other.curves.keys()
    for name, curve in one.curves.items():
        assert curve.points.keys() == other.curves[name].points.keys()
        for quantity, points in curve.points.items():
            assert all(map(np.array_equal, points, other.curves[name].points[quantity]))


def assert_same_frame(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_freq=False)


# --- random basins ------------------------------------------------------------------------------

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking takes minutes: each example writes files."""

words = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)
printed = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=20),
)
numbers = st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v or str(v)[0] != "-")
free = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**15), 10**15), numbers, printed),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(printed.filter(bool), inner, max_size=3),
    ),
    max_leaves=8,
)
degrees = st.floats(-90, 90).flatmap(
    lambda v: st.sampled_from([repr(v), f"{v:.3f}", f"{v:e}", f"{v:+.2f}", f"{v:.0f}", ""])
)
"""A number as people and programs write it, or nothing."""


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of ``write_basin``: a basin of the other properties with odd texts and numbers."""
    drawn = draw(st.one_of(rivers(), networks(rules=False)))
    drawn = {k: v for k, v in drawn.items() if k not in ("periods", "rules", "goals", "more")}
    nodes = [
        {**node, "lon": draw(degrees), "lat": draw(degrees), "name_vi": draw(words)}
        | {"meta_note": draw(words), "meta_ghi chú/số": draw(words)}
        for node in drawn["nodes"]
    ]
    yaml = {"description": draw(printed), "meta_free": draw(free)}
    label = {"en": draw(printed) or "River", "vi": draw(printed)}
    return {**drawn, "nodes": nodes, "yaml": {**yaml, "name": label}}


@given(drawn=folders(), way=st.sampled_from(WAYS))
@settings(max_examples=60, phases=QUICK)
def test_nothing_is_lost(drawn: dict[str, Any], way: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = read_basin(write_basin(Path(folder) / "basin", **drawn))
        after = through(before, Path(folder), *way)
        assert_same(before, after)
        texts, again = contents(before), contents(after)
        assert texts.tables == again.tables
        assert texts.settings == again.settings
        assert typed(texts.settings) == typed(again.settings)
        assert texts.series.keys() == again.series.keys()


def typed(value: Any) -> Iterator[Any] | Any:
    """Types of nested settings, as 1, 1.0 and True are equal."""
    if isinstance(value, dict):
        return [(key, typed(item)) for key, item in value.items()]
    return list(map(typed, value)) if isinstance(value, list) else type(value)


@given(
    values=st.lists(
        st.floats(0, 1e12).flatmap(
            lambda v: st.sampled_from([repr(v), f"{v:.3f}", f"{v:.17g}", f"{v:.1f}", f"{v:e}"])
        ),
        min_size=1,
        max_size=12,
    ),
    way=st.sampled_from(WAYS),
)
@settings(max_examples=40, phases=QUICK)
def test_series_keep_every_bit(values: list[str], way: tuple[str, ...]) -> None:
    dates = [f"2001-{month:02d}-01" for month in range(1, len(values) + 1)]
    with tempfile.TemporaryDirectory() as folder:
        series = {"inflow_m3s": {"date": dates, "spring": values}}
        before = read_basin(tiny_basin(Path(folder) / "basin", series=series))
        after = through(before, Path(folder), *way)
        assert_same(before, after)


# --- what is shipped ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_red_river(way: tuple[str, ...], tmp_path: Path) -> None:
    before = read_basin(RED_RIVER)
    after = through(before, tmp_path, *way)
    assert_same(before, after)
    one, other = contents(before), contents(after)
    assert (one.tables, one.series) == (other.tables, other.series)
    assert one.settings == other.settings
    assert one.documents == other.documents
    assert "SOURCES.md" in other.documents
    for path in RED_RIVER.glob("**/*.csv"):
        if path.parent.name != "derivation":
            twin = tmp_path / "last" / path.relative_to(RED_RIVER)
            assert twin.read_bytes() == path.read_bytes()


def digest(case: Case) -> str:
    """SHA-256 of every array and label of the program of a case, and of its objectives."""
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    program = horizon.stack()
    arrays = [
        program.indptr, program.indices, program.data, program.col_lower, program.col_upper,
        program.row_lower, program.row_upper, program.common,
    ]  # fmt: skip
    for place, (_, goal) in enumerate(period.goals, 1):
        expression, _ = goal.objective(period.model, place)
        arrays += [np.asarray(part) for part in horizon.cost(expression)]
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).data)
    labels = case.timeline.labels
    found.update("\n".join([*horizon.column_labels(labels), *horizon.row_labels(labels)]).encode())
    return found.hexdigest()


def test_case_has_the_same_program_on_each_form(tmp_path: Path) -> None:
    basin = read_basin(RED_RIVER)
    write_workbook(basin, tmp_path / "red_river.xlsx")
    write_netcdf(basin, tmp_path / "red_river.nc")
    shutil.copytree(RED_RIVER, tmp_path / "red_river")
    found = {}
    for name in ("red_river", "red_river.xlsx", "red_river.nc"):
        text = (ROOT / "cases" / "pilot_dry_year.yaml").read_text(encoding="utf-8")
        assert "extends: pilot_sharing.yaml" in text
        text = text.replace("extends: ", f"extends: {ROOT / 'cases'}/") + f"\nbasin: {name}\n"
        path = tmp_path / "case.yaml"
        path.write_text(text, encoding="utf-8")
        case = read_case(path)
        assert case.basin.folder == tmp_path / name
        found[name] = digest(case)
    assert len(set(found.values())) == 1, found
    scaled = read_case(tmp_path / "case.yaml", {"demand.scale": "{irrigation: 0.9}"})
    assert digest(scaled) not in found.values()
