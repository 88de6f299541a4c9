"""Reading of whole basins; what broken ones must say is in tests/errors."""

from __future__ import annotations

import copy
import pickle
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.basins import month_starts, tiny_basin, tiny_parts, write_basin, write_rows
from wateralloc.basin import Basin, Curve, SeriesColumn, read_basin
from wateralloc.errors import CaseError, Findings, InputError, Position, TableError, TopologyError
from wateralloc.timeline import Pattern, Timeline

RED_RIVER = Path(__file__).parents[2] / "basins" / "red_river"


@pytest.fixture
def tiny(tmp_path: Path) -> Basin:
    return read_basin(tiny_basin(tmp_path / "tiny"))


# --- what a basin holds ---


def test_settings(tiny: Basin) -> None:
    assert tiny.name == "tiny"
    assert tiny.title == {"en": "Test basin", "vi": "Lưu vực thử"}
    assert tiny.currency == "VND"
    assert tiny.water_year_start == 1
    assert tiny.base_year is None
    assert list(tiny.regions) == ["north", "south"]
    assert tiny.regions["north"] == {"en": "north", "vi": "north"}
    assert list(tiny.sectors) == ["domestic", "irrigation"]
    assert not tiny.doubtful


def test_labels_stand_in_for_each_other(tmp_path: Path) -> None:
    yaml = {
        "name": "Plain",
        "regions": {"north": {"vi": "Bắc"}, "south": {"en": "South"}},
        "provinces": ["upland", "lowland"],
        "sectors": {"domestic": None, "irrigation": "Irrigation"},
        "meta_note": {"anything": [1, 2]},
    }
    basin = read_basin(tiny_basin(tmp_path, yaml=yaml))
    assert basin.title == {"en": "Plain", "vi": "Plain"}
    assert basin.regions == {
        "north": {"en": "north", "vi": "Bắc"},
        "south": {"en": "South", "vi": "South"},
    }
    assert basin.provinces["upland"] == {"en": "upland", "vi": "upland"}
    assert basin.sectors["irrigation"]["en"] == "Irrigation"


def test_sub_basins_have_labels(tmp_path: Path) -> None:
    basin = read_basin(tiny_basin(tmp_path / "none"))
    assert basin.sub_basins == {}  # the names in nodes.csv are all there are
    labels = {"main": {"en": "Main river", "vi": "Sông chính"}, "other": "Other river"}
    basin = read_basin(tiny_basin(tmp_path / "some", yaml={"sub_basins": labels}))
    assert basin.sub_basins == {
        "main": {"en": "Main river", "vi": "Sông chính"},
        "other": {"en": "Other river", "vi": "Other river"},
    }


def test_a_sub_basin_that_is_not_declared(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path, yaml={"sub_basins": ["mian"]})
    with pytest.raises(InputError) as caught:
        read_basin(folder)
    (fault,) = caught.value.faults
    text = "E211 sub-basin 'main' of node 'spring' does not exist; did you mean 'mian'?"
    assert text in str(fault)


def test_every_declared_table_is_there(tmp_path: Path) -> None:
    """Absent tables are empty frames with their columns."""
    parts = tiny_parts()
    folder = write_basin(
        tmp_path,
        nodes=[parts["nodes"][0], parts["nodes"][3]],
        links=[{"name": "river", "from": "spring", "to": "sea", "kind": "reach"}],
    )
    basin = read_basin(folder)
    assert set(basin.tables) == set(basin.declared)
    assert {
        "nodes",
        "links",
        "reservoirs",
        "demands",
        "environmental_flows",
        "projections",
        "curves",
        "patterns",
    } <= set(basin.tables)
    assert basin.tables["demands"].empty
    assert basin.values("demands", "annual") == {}
    assert basin.values("nodes", "inflow") == {}
    assert basin.in_series("inflow") == frozenset()


def test_values_are_numbers_texts_patterns_or_series(tiny: Basin) -> None:
    assert tiny.values("links", "capacity") == {"outlet": 50.0}
    assert tiny.values("links", "loss") == {"upper": 0.0, "outlet": 0.01, "lower": 0.0}
    assert tiny.values("demands", "return_to") == {"town_domestic": "sea"}
    evaporation = tiny.values("reservoirs", "evaporation")["lake"]
    assert evaporation == Pattern("evaporation", ((1, 1),), (3.0,), "mm_day")
    inflow = tiny.values("nodes", "inflow")
    assert list(inflow) == ["spring"]
    assert isinstance(inflow["spring"], SeriesColumn)
    assert inflow["spring"].values.tolist() == [10.0] * 12
    assert inflow["spring"].series.timeline == Timeline("2001-01-01", 12, "month")
    assert tiny.in_series("inflow") == {("nodes", "spring")}


def test_positions(tiny: Basin) -> None:
    at = tiny.position("demands", "town_irrigation", "annual")
    assert (at.line, at.column) == (3, 49)
    assert Path(at.file).name == "demands.csv"
    row = tiny.position("demands", "town_irrigation", "demand")
    assert (row.line, row.column) == (3, 1)
    assert tiny.position("demands", "nobody").line == 0
    assert tiny.position("demands", "nobody").file == at.file


def test_files_are_all_that_was_read(tiny: Basin) -> None:
    folder = tiny.folder
    read = {path.relative_to(folder).as_posix() for path in tiny.files}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert read == there


def test_a_basin_can_be_sent_to_workers(tiny: Basin) -> None:
    twin = pickle.loads(pickle.dumps(tiny))
    assert twin.values("links", "loss") == tiny.values("links", "loss")
    assert twin.position("links", "upper") == tiny.position("links", "upper")


def test_what_may_lie_in_the_folder(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path)
    for name in (
        "SOURCES.md",
        "README.md",
        "README",
        "LICENSE",
        "LICENCE.txt",
        "derive.py",
        ".hidden",
        "series/.hidden",
        "series/README.md",
    ):
        (folder / name).write_text("x")
    for name in ("derivation", ".git", "__pycache__"):
        (folder / name).mkdir()
    (folder / "derivation" / "notes.txt").write_text("x")
    read_basin(folder)


def test_files_of_a_spreadsheet_are_accepted(tmp_path: Path) -> None:
    plain = read_basin(tiny_basin(tmp_path / "plain"))
    folder = tiny_basin(tmp_path / "excel")
    for path in folder.rglob("*.*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    excel = read_basin(folder)
    for name, frame in plain.tables.items():
        pd.testing.assert_frame_equal(excel.tables[name], frame)
    pd.testing.assert_frame_equal(excel.series["inflow"].values, plain.series["inflow"].values)


# --- patterns and curves ---


def test_patterns_come_in_the_canonical_unit(tmp_path: Path) -> None:
    rows = [
        *tiny_parts()["patterns"],
        {"pattern": "small", "start": "03-01", "value": 500, "unit": "l_s"},
        {"pattern": "share", "start": "01-01", "value": 25, "unit": "percent"},
    ]
    patterns = read_basin(tiny_basin(tmp_path, patterns=rows)).patterns
    assert patterns["small"] == Pattern("small", ((3, 1),), (0.5,), "m3s")
    assert patterns["share"] == Pattern("share", ((1, 1),), (0.25,), "fraction")
    assert patterns["irrigation"].unit == "1"
    assert patterns["flood_limit"].starts == ((6, 15), (9, 16))


def test_a_curve_is_straight_between_its_points(tiny: Basin) -> None:
    curve = tiny.curves["lake"]
    assert curve.has("level")
    assert curve.has("area")
    assert curve.range("level") == (0.0, 100.0)
    assert curve.level(25.0) == pytest.approx(25.0, rel=1e-15)
    assert curve.storage(25.0) == pytest.approx(25.0, rel=1e-15)
    assert curve.area(np.array([0.0, 50.0, 100.0])).tolist() == [1.0, 3.0, 5.0]


def test_a_curve_knows_its_ends() -> None:
    curve = Curve("c", {"level": (np.array([10.0, 20.0]), np.array([1.0, 2.0]))})
    assert not curve.has("area")
    assert curve.level(20.0 + 1e-7) == 2.0  # within a solver's tolerance
    with pytest.raises(ValueError, match=r"storage 21 hm3 is outside curve 'c' \(10 to 20 hm3\)"):
        curve.level([15.0, 21.0])
    with pytest.raises(ValueError, match=r"level 0\.5 m is outside"):
        curve.storage(0.5)
    with pytest.raises(ValueError, match="outside"):
        curve.level(float("nan"))


def test_curves_come_in_canonical_units(tmp_path: Path) -> None:
    rows = [
        {"curve": "lake", "x": 0, "y": 2000, "x_unit": "m3", "y_unit": "cm"},
        {"curve": "lake", "x": 0.1, "y": 40, "x_unit": "km3", "y_unit": "m"},
        {"curve": "lake", "x": 0, "y": 100, "x_unit": "hm3", "y_unit": "ha"},
        {"curve": "lake", "x": 100, "y": 5, "x_unit": "Mm3", "y_unit": "km2"},
    ]
    curve = read_basin(tiny_basin(tmp_path, curves=rows)).curves["lake"]
    assert curve.range("level") == (0.0, 100.0)
    assert curve.level(50.0) == pytest.approx(30.0, rel=1e-15)
    assert curve.area(0.0) == pytest.approx(1.0, rel=1e-15)


BY_UNITS = {
    "level": ("hm3", "m", 1, 1),
    "area": ("hm3", "ha", 1, 0.01),
    "stage": ("hm3_day", "cm", 1 / 0.0864, 0.01),
    "efficiency": ("m", "percent", 1, 0.01),
    "share": ("m3s", "fraction", 1, 1),
    "flow": ("l_s", "m3s", 1e-3, 1),
    "power": ("m3s", "mw", 1, 1),
}
"""Quantity of a curve: units of x and y, and what they are in the canonical units."""


@pytest.mark.parametrize("quantity", BY_UNITS)
def test_units_say_what_a_curve_holds(tmp_path: Path, quantity: str) -> None:
    x_unit, y_unit, x_factor, y_factor = BY_UNITS[quantity]
    rows = [
        *tiny_parts()["curves"],
        *({"curve": "own", "x": x, "y": y, "x_unit": x_unit, "y_unit": y_unit}
          for x, y in ((1, 0.2), (3, 0.4), (5, 1.0))),
    ]  # fmt: skip
    curve = read_basin(tiny_basin(tmp_path, curves=rows)).curves["own"]
    assert set(curve.points) == {quantity}
    assert curve.range(quantity) == pytest.approx((x_factor, 5 * x_factor))
    x = np.array([1, 2, 3, 4, 5]) * x_factor
    y = np.array([0.2, 0.3, 0.4, 0.7, 1.0]) * y_factor
    np.testing.assert_allclose(curve.at(quantity, x), y)
    np.testing.assert_allclose(curve.inverse(quantity, y), x)
    first, last = 0.1 * y_factor / x_factor, 0.3 * y_factor / x_factor
    # at a point it is that of the line after it; at the end, of the last
    np.testing.assert_allclose(curve.slope(quantity, x[[1, 3]]), [first, last])
    np.testing.assert_allclose(
        curve.slope(quantity, curve.points[quantity][0]), [first, last, last]
    )


@pytest.mark.parametrize("quantity", ["stage", "efficiency", "share", "flow", "power"])
def test_the_first_and_the_last_line_go_on(quantity: str) -> None:
    points = (np.array([10.0, 20.0, 40.0]), np.array([1.0, 2.0, 3.0]))
    curve = Curve("c", {quantity: points})
    np.testing.assert_allclose(curve.at(quantity, [0.0, 10.0, 40.0, 80.0]), [0, 1, 3, 5])
    np.testing.assert_allclose(curve.slope(quantity, [0.0, 80.0]), [0.1, 0.05])
    assert curve.at(quantity, 15.0) == 1.5
    with pytest.raises(ValueError, match=rf"{quantity} 4 \S+ is outside curve 'c' \(1 to 3"):
        curve.inverse(quantity, 4.0)  # where a value is reached must be known


@pytest.mark.parametrize(("quantity", "end"), [("level", 41.0), ("area", 9.0)])
def test_a_storage_beyond_its_curve_has_no_level_and_no_area(quantity: str, end: float) -> None:
    points = (np.array([10.0, 20.0, 40.0]), np.array([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match=rf"storage {end:g} hm3 is outside curve 'c'"):
        Curve("c", {quantity: points}).at(quantity, end)


# --- series ---


def series(tmp_path: Path, name: str, columns: dict[str, Any]) -> Basin:
    parts = tiny_parts()
    parts["series"] = parts["series"] | {name: columns}
    return read_basin(write_basin(tmp_path, **parts))


def test_a_series_comes_in_the_canonical_unit(tmp_path: Path) -> None:
    dates = ["2001-01-01", "2001-01-11", "2001-01-21", "2001-02-01"]
    basin = series(tmp_path, "capacity_l_s", {"date": dates, "lower": [500, 1e3, "2e3", ".5"]})
    capacity = basin.series["capacity"]
    assert capacity.unit == "m3s"
    assert capacity.values["lower"].tolist() == pytest.approx([0.5, 1, 2, 5e-4], rel=1e-15)
    assert capacity.timeline == Timeline("2001-01-01", 4, "dekad")
    assert capacity.values.index[1] == pd.Timestamp("2001-01-11")
    assert set(basin.values("links", "capacity")) == {"outlet", "lower"}
    assert not np.isnan(basin.values("links", "capacity")["lower"].values).any()


def test_a_volume_of_each_period_stands_for_a_flow(tmp_path: Path) -> None:
    """2.4192 hm3 in the 28 days of February is 1 m3/s."""
    columns = {"date": ["2001-01-01", "2001-02-01"], "lower": [2.6784, 2.4192]}
    basin = series(tmp_path, "capacity_hm3", columns)
    assert basin.series["capacity"].unit == "m3s"
    assert basin.series["capacity"].values["lower"].tolist() == pytest.approx([1, 1], rel=1e-14)


def test_a_depth_of_each_period_stands_for_a_rate(tmp_path: Path) -> None:
    parts = tiny_parts()
    del parts["reservoirs"][0]["evaporation_mm_day"]
    parts["series"] |= {"evaporation_mm": {"date": month_starts("2001-01", 2), "lake": [93, 84]}}
    basin = read_basin(write_basin(tmp_path, **parts))
    rates = basin.values("reservoirs", "evaporation")["lake"].values
    assert rates.tolist() == pytest.approx([3, 3], rel=1e-15)


def test_a_required_varying_value_may_come_from_a_series(tmp_path: Path) -> None:
    parts = tiny_parts()
    parts["environmental_flows"] = [{"name": "town_minimum", "node": "town"}]
    parts["series"] |= {"minimum_m3s": {"date": month_starts("2001-01", 2), "town_minimum": [1, 2]}}
    basin = read_basin(write_basin(tmp_path, **parts))
    assert basin.values("environmental_flows", "minimum")["town_minimum"].values.tolist() == [1, 2]
    assert basin.in_series("minimum") == {("environmental_flows", "town_minimum")}
    assert basin.values("links", "minimum") == {"upper": 0.0, "outlet": 0.0, "lower": 0.0}


def test_a_netcdf_series_equals_its_csv(tmp_path: Path) -> None:
    columns = {"date": month_starts("2001-01", 3), "upper": [1, 2.5, 3], "lower": [4, 5, 6]}
    from_csv = series(tmp_path / "csv", "capacity_m3s", columns)
    folder = tiny_basin(tmp_path / "nc")
    values = np.array([columns["upper"], columns["lower"]])
    xr.Dataset(
        {"capacity": (("name", "time"), values, {"units": "m3/s"})},
        {"time": np.array(columns["date"], "datetime64[ns]"), "name": ["upper", "lower"]},
    ).to_netcdf(folder / "series" / "capacity_m3s.nc")
    from_nc = read_basin(folder)
    assert from_nc.series["capacity"].timeline == from_csv.series["capacity"].timeline
    pd.testing.assert_frame_equal(
        from_nc.series["capacity"].values, from_csv.series["capacity"].values, check_names=False
    )


@pytest.mark.parametrize("text", ["1.5", "1_5", "１.5"])
def test_odd_digits_do_not_slip_through_the_fast_path(tmp_path: Path, text: str) -> None:
    parts = tiny_parts()
    parts["series"] = {"inflow_m3s": {"date": month_starts("2001-01", 2), "spring": [1, text]}}
    folder = write_basin(tmp_path, **parts)
    if text == "1.5":
        assert read_basin(folder).series["inflow"].values["spring"].tolist() == [1, 1.5]
    else:
        with pytest.raises(TableError, match=r"inflow_m3s.csv:3:12: E204 value of 'spring'"):
            read_basin(folder)


# --- faults ---


def test_faults_of_one_kind_keep_their_kind(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path)
    with (folder / "nodes.csv").open("a", encoding="utf-8") as stream:
        stream.write("hill,junction,,,,,,,\n")
    with pytest.raises(TopologyError):
        read_basin(folder)
    with (folder / "demands.csv").open("a", encoding="utf-8") as stream:
        stream.write("x,town,domestic,,,1,-1,,,,\n")
    with pytest.raises(InputError) as caught:
        read_basin(folder)
    assert type(caught.value) is InputError
    assert [fault.code for fault in caught.value.faults] == ["E203", "E251"]


def test_faults_are_collected_with_those_of_a_case(tmp_path: Path) -> None:
    findings = Findings()
    findings.add(Position("case.yaml", 1, 1), "E301", "unknown key", CaseError)
    basin = read_basin(tmp_path / "nowhere", findings=findings)
    assert [fault.code for fault, _ in findings.faults] == ["E301", "E305"]
    assert basin.tables["nodes"].empty
    assert basin.values("nodes", "inflow") == {}


@pytest.mark.parametrize(
    "table",
    [
        "nodes",
        "links",
        "reservoirs",
        "demands",
        "curves",
        "patterns",
        "environmental_flows",
        "projections",
        "basin.yaml",
    ],
)
def test_a_file_that_cannot_be_read_causes_no_other_fault(tmp_path: Path, table: str) -> None:
    folder = tiny_basin(tmp_path)
    name = table if "." in table else f"{table}.csv"
    (folder / name).write_bytes(b"\xff")
    with pytest.raises(InputError) as caught:
        read_basin(folder)
    assert [fault.code for fault in caught.value.faults] == ["E104"]


def test_a_basin_is_not_touched_by_reading(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read_basin(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


# --- changes ---


def test_changes_patch_tables_before_they_are_checked(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path)
    changes = {
        "links": {"outlet": {"capacity_l_s": 40_000}},
        "reservoirs": {"lake": {"flood_limit_hm3": None, "normal_hm3": 90}},
    }
    kept = copy.deepcopy(changes)
    basin = read_basin(folder, changes)
    assert changes == kept
    assert basin.values("links", "capacity") == {"outlet": 40.0}
    assert basin.values("reservoirs", "flood_limit") == {}
    assert basin.values("reservoirs", "normal") == {"lake": 90.0}


def test_faults_in_changes_stand_where_they_were_made(tmp_path: Path) -> None:
    folder = tiny_basin(tmp_path)
    (folder / "environmental_flows.csv").unlink()
    changes: Any = {
        "link": {"outlet": {"capacity_m3s": 1}},
        "links": {"oulet": {"capacity_m3s": 1}, "upper": {"to": "lak"}},
        "reservoirs": {"lake": {"dead_hm3": 200}},
        "environmental_flows": {"town_minimum": {"minimum_m3s": 1}},
        "demands": 5,
    }
    places: dict[tuple[str, ...], Position] = {}

    def locate(*keys: str) -> Position:
        return places.setdefault(keys, Position("case.yaml", len(places) + 1, 1))

    with pytest.raises(TableError) as caught:
        read_basin(folder, changes, locate=locate)
    told = {fault.at: f"{fault.code} {fault.text}" for fault in caught.value.faults}
    assert {keys: told[at] for keys, at in places.items() if at in told} == {
        ("link",): "E211 unknown table 'link' in changes; did you mean 'links'?",
        ("links", "oulet"): "E211 unknown link 'oulet' in table links; did you mean 'outlet'?",
        (
            "links",
            "upper",
            "to",
        ): "E211 node 'lak', to of link 'upper' does not exist; did you mean 'lake'?",
        (
            "reservoirs",
            "lake",
            "dead_hm3",
        ): "E241 dead storage 200 hm3 of 'lake' is above normal storage 100; "
        "must be at or below it",
        (
            "environmental_flows",
            "town_minimum",
        ): "E211 unknown environmental flow 'town_minimum': the basin has no "
        "environmental_flows.csv; add it",
        ("demands",): "E303 changes of table 'demands' must be row names with columns; correct it",
    }
    assert len(told) == 6


# --- the real river ---


def test_the_red_river_is_sound() -> None:
    basin = read_basin(RED_RIVER)
    assert all(len(basin.values("patterns", column)) for column in ("start", "value", "unit"))
    sizes = {name: len(frame) for name, frame in basin.tables.items() if len(frame)}
    assert sizes.pop("patterns") > 100
    assert sizes == {
        "nodes": 61,
        "links": 73,
        "works": 1,
        "reservoirs": 9,
        "hydropower": 7,
        "splits": 9,
        "ratings": 12,
        "demands": 160,
        "environmental_flows": 3,
        "projections": 10,
        "curves": 390,
    }
    assert basin.title["vi"] == "Lưu vực sông Hồng – Thái Bình"
    assert (len(basin.regions), len(basin.provinces), len(basin.sectors)) == (2, 25, 5)
    inflow = basin.series["inflow"]
    assert inflow.timeline == Timeline("1989-06-01", 756, "dekad")
    plain = pd.read_csv(inflow.path, index_col="date", parse_dates=True)
    pd.testing.assert_frame_equal(
        inflow.values,
        plain,
        check_names=False,
        check_index_type=False,
        check_freq=False,
        rtol=1e-15,
    )
    assert basin.curves["hoa_binh"].level(9450.0) == 115.0
    assert basin.position("demands", "ha_giang_domestic", "annual").column == 76


def test_the_red_river_is_read_quickly() -> None:
    times = []
    for _ in range(3):
        start = time.process_time()
        read_basin(RED_RIVER)
        times.append(time.process_time() - start)
    assert min(times) < 1.0


def test_many_faults_in_a_long_series_are_found_quickly(tmp_path: Path) -> None:
    """The slow path, which says where each fault is, is linear too."""
    folder = tmp_path / "red_river"
    shutil.copytree(RED_RIVER, folder)
    path = folder / "series" / "inflow_m3s.csv"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], *(f"{line}x" if line else "" for line in lines[1:])]))
    start = time.process_time()
    with pytest.raises(TableError) as caught:
        read_basin(folder)
    assert len(caught.value.faults) == 756
    assert time.process_time() - start < 5.0


def test_rows_are_written_as_they_are_given(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.csv", [{"a": 1, "b": None}, {"c": "x,y"}])
    assert (tmp_path / "x.csv").read_text() == 'a,b,c\n1,,\n,,"x,y"\n'


def test_an_inflow_node_without_inflow_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A column that was forgotten would be a river that is dry, and nobody told."""
    read_basin(tiny_basin(tmp_path / "sound"))
    assert caplog.text == ""
    parts = tiny_parts()
    series = {"inflow_m3s": {"date": month_starts("2001-01-01", 12), "lake": [10.0] * 12}}
    folder = tiny_basin(tmp_path / "dry", nodes=parts["nodes"], series=series)
    read_basin(folder)
    assert "nodes.csv:2:8: no inflow at 'spring', of kind inflow; add a column" in caplog.text


def test_without_settings_no_name_of_a_sector_is_unknown(tmp_path: Path) -> None:
    """What is wrong is the missing file; a rule that names a sector is not."""
    folder = tiny_basin(tmp_path / "tiny")
    (folder / "basin.yaml").unlink()
    findings = Findings()
    basin = read_basin(folder, findings=findings)
    assert [fault.code for fault, _ in findings.faults] == ["E101"]
    assert list(basin.sectors) == ["domestic", "irrigation"]
    assert set(basin.regions) == {"north", "south"}
