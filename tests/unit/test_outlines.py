"""Outlines: read with their lines, refused with their position, carried by workbook and NetCDF."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.basins import tiny_basin
from wateralloc import export
from wateralloc.basin import Basin, read_basin
from wateralloc.errors import InputError

BASIN = Path(__file__).parents[2] / "basins" / "red_river"
SQUARE = [[105.0, 21.0], [106.0, 21.0], [106.0, 22.0], [105.0, 21.0]]
SHORE = [[106.0, 20.5], [106.5, 21.25]]


def feature(form: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": form, "coordinates": coordinates}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def write(folder: Path, *features: Any) -> Path:
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in features)
    text = f'{{"type": "FeatureCollection", "name": "x", "features": [\n{lines}\n]}}\n'
    (folder / "outlines.geojson").write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_basin(folder)
    return [str(fault).partition("outlines.geojson")[2] for fault in caught.value.faults]


def test_lines_of_each_kind(tmp_path: Path) -> None:
    island = [[[x + 1, y] for x, y in SQUARE]]
    folder = write(
        tmp_path,
        feature("MultiPolygon", [[SQUARE], island], province="upland", note="own"),
        feature("MultiLineString", [SHORE, SHORE[::-1]], kind="coast"),
        feature("LineString", [[*point, 12.0] for point in SHORE], kind="border"),
    )
    province, coast, border = read_basin(tiny_basin(folder)).outlines
    assert (province.kind, province.province) == ("province", "upland")
    np.testing.assert_array_equal(province.lines[0], SQUARE)
    np.testing.assert_array_equal(province.lines[1], island[0])
    assert (coast.kind, coast.province, len(coast.lines)) == ("coast", "", 2)
    np.testing.assert_array_equal(border.lines, [SHORE])


def test_a_basin_may_have_none(tmp_path: Path) -> None:
    assert read_basin(tiny_basin(tmp_path)).outlines == ()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            feature("Polygon", [SQUARE], province="uplnd"),
            "E211 province 'uplnd' does not exist; ",
        ),
        (feature("LineString", SHORE, kind="river"), "E205 kind is 'river'; must be coast or bord"),
        (feature("LineString", SHORE, kind="province"), "E205 kind is 'province'; must be coast"),
        (feature("LineString", SHORE), "E302 feature must have either the property province or k"),
        (
            feature("Polygon", [SQUARE], province="upland", kind="coast"),
            "E302 feature must have",
        ),
        ("upland", "E302 feature must have"),
        (
            feature("LineString", SQUARE, province="upland"),
            "E303 geometry of a province is",
        ),
        ({"properties": {"kind": "coast"}, "geometry": None}, "E303 geometry of a coast is None"),
        (feature("Polygon", [SQUARE[:3]], province="upland"), "E303 a ring must have 4 points"),
        (feature("Polygon", [[*SQUARE[:3], [0, 0]]], province="upland"), "E303 a ring must have 4"),
        (feature("LineString", SHORE[:1], kind="coast"), "E303 a line must have 2 points or more"),
        (feature("LineString", [["106", "20"], ["1", "2"]], kind="coast"), "E303 coordinates must"),
        (feature("LineString", [[106, 20], [106]], kind="coast"), "E303 coordinates must be lists"),
        (feature("MultiLineString", SHORE, kind="coast"), "E303 coordinates must be lists"),
        (feature("MultiPolygon", 7, province="upland"), "E303 coordinates are not those of a Mult"),
        (
            feature("LineString", [[106, 20], [206, 20]], kind="coast"),
            "E203 a point is 206, 20;",
        ),
        (feature("LineString", [[106, 20], [106, float("nan")]], kind="coast"), "E203 a point is "),
        (feature("LineString", [[20, 106], [21, 106]], kind="coast"), "E203 a point is 20, 106"),
    ],
)
def test_a_fault_names_the_feature(tmp_path: Path, wrong: Any, text: str) -> None:
    good = feature("LineString", SHORE, kind="coast")
    (found,) = faults(write(tiny_basin(tmp_path), good, wrong, good))
    assert found.startswith(f":3:1: {text}")


def test_a_province_stands_once(tmp_path: Path) -> None:
    twice = [feature("Polygon", [SQUARE], province="upland")] * 2
    (found,) = faults(write(tiny_basin(tmp_path), *twice))
    assert found == ":3:1: E206 province 'upland' is in line 2 too; keep one"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '{"type": "FeatureCollection",\n"features": [}',
            ":2:14: E105 is not valid JSON: Exp",
        ),
        ('{"type": "FeatureCollection"}', ": E105 must be a GeoJSON FeatureCollection"),
        ('{"type": "Feature", "features": []}', ": E105 must be a GeoJSON FeatureCollection"),
        ("[]", ": E105 must be a GeoJSON FeatureCollection"),
        ("", ": E103 file is empty"),
    ],
)
def test_what_is_no_geojson(tmp_path: Path, text: str, fault: str) -> None:
    (tiny_basin(tmp_path) / "outlines.geojson").write_text(text)
    (found,) = faults(tmp_path)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("ending", "write_bundle"), [("xlsx", export.write_workbook), ("nc", export.write_netcdf)]
)
def test_one_file_carries_them(
    tmp_path: Path, ending: str, write_bundle: Callable[[Basin, Path], None]
) -> None:
    there = feature("LineString", SHORE, kind="coast")
    folder = write(tiny_basin(tmp_path / "basin"), there)
    path = tmp_path / f"basin.{ending}"
    write_bundle(read_basin(folder), path)
    basin = read_basin(path)
    np.testing.assert_array_equal(basin.outlines[0].lines, [SHORE])
    export.write_folder(basin, tmp_path / "back")
    name = "outlines.geojson"
    assert (tmp_path / "back" / name).read_text() == (folder / name).read_text()


def test_red_river_has_its_provinces_and_lines() -> None:
    basin = read_basin(BASIN)
    assert {o.province for o in basin.outlines if o.province} == set(basin.provinces)
    assert {o.kind for o in basin.outlines} == {"province", "coast", "border"}
    points = np.vstack([line for outline in basin.outlines for line in outline.lines])
    assert ((points >= [101, 19]) & (points <= [109, 24])).all()
    assert (BASIN / "outlines.geojson").stat().st_size < 150_000
    # Ha Noi lies in its outline, west of the east border of its province
    (ha_noi,) = (o.lines[0] for o in basin.outlines if o.province == "ha_noi")
    (west, south), (east, north) = ha_noi.min(axis=0), ha_noi.max(axis=0)
    node = basin.tables["nodes"].loc["ha_noi"]
    assert west < node["lon"] < east
    assert south < node["lat"] < north
