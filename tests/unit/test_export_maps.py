"""Maps and tables for other programs: what GDAL, SQLite and polars read is what was computed."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyogrio
import pytest
import xarray as xr

from tests.basins import tiny_basin, tiny_parts
from wateralloc import export, job
from wateralloc.basin import Basin, read_basin
from wateralloc.case import build_case
from wateralloc.errors import InputError
from wateralloc.goals.meet import Meet
from wateralloc.hydrology import Member
from wateralloc.results import Results
from wateralloc.timeline import Timeline

PLACES = {"spring": (105.1, 21.5), "lake": (105.2, 21.4), "sea": (106.0, 20.0)}
LABELS = {"lake": ("Hồ Thác Bà", "Lake"), "sea": ("Cửa Đáy", "Mouth")}


@pytest.fixture(scope="module")
def basin(tmp_path_factory: pytest.TempPathFactory) -> Basin:
    parts = tiny_parts()
    nodes = []
    for row in parts["nodes"]:
        lon, lat = PLACES.get(row["name"], (None, None))
        vi, en = LABELS.get(row["name"], (row.get("name_vi"), row.get("name_en")))
        nodes.append({**row, "lon": lon, "lat": lat, "name_vi": vi, "name_en": en})
    domestic, irrigation = parts["demands"]
    dates = [f"{year}-{month:02d}-01" for year in (2001, 2002, 2003) for month in range(1, 13)]
    folder = tmp_path_factory.mktemp("maps") / "basin"
    tiny_basin(
        folder,
        nodes=nodes,
        demands=[domestic, irrigation | {"annual_hm3": 600.0}],
        series={"inflow_m3s": {"date": dates, "spring": [10] * 12 + [6] * 12 + [8] * 12}},
    )
    return read_basin(folder)


@pytest.fixture(scope="module")
def results(basin: Basin) -> Results:
    """Two years of two members, the second drier."""
    case = build_case(
        basin,
        Timeline("2001-01-01", 24, "month"),
        goals=[Meet(sectors=("domestic",)), Meet(sectors=("irrigation",))],
        members=(Member("2001-01", 0), Member("2002-01", 1)),
        name="thirsty",
    )
    return job.run(case)


@pytest.fixture
def of_basin(basin: Basin, tmp_path: Path) -> Path:
    export.write_geopackage(basin, tmp_path / "basin.gpkg")
    return tmp_path / "basin.gpkg"


@pytest.fixture
def of_results(results: Results, tmp_path: Path) -> Path:
    export.write_geopackage(results, tmp_path / "results.gpkg")
    return tmp_path / "results.gpkg"


def rows_of(path: Path, layer: str) -> dict[str, dict[str, Any]]:
    """Rows of a layer by name, read by GDAL; `shape` is its well-known binary."""
    meta, _, shapes, columns = pyogrio.raw.read(path, layer=layer)
    fields = list(meta["fields"])
    return {
        row[fields.index("name")]: {**dict(zip(fields, row, strict=True)), "shape": shape}
        for *row, shape in zip(*columns, shapes, strict=True)
    }


def points_of(shape: bytes) -> list[float]:
    order, kind = struct.unpack("<BI", shape[:5])
    assert (order, kind) in ((1, 1), (1, 2))
    head = 5 if kind == 1 else 9
    return list(struct.unpack(f"<{(len(shape) - head) // 8}d", shape[head:]))


# --- GeoPackage: the format ---------------------------------------------------------------------


@pytest.fixture
def database(of_results: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(of_results)) as connection:
        yield connection


def test_sqlite_finds_a_geopackage(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA application_id").fetchone() == (0x47504B47,)  # "GPKG"
    assert database.execute("PRAGMA user_version").fetchone()[0] >= 10200
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    contents = database.execute("SELECT table_name, data_type, srs_id FROM gpkg_contents")
    assert sorted(contents) == [("links", "features", 4326), ("nodes", "features", 4326)]
    columns = "SELECT table_name, geometry_type_name, srs_id FROM gpkg_geometry_columns"
    assert sorted(database.execute(columns)) == [
        ("links", "LINESTRING", 4326), ("nodes", "POINT", 4326),
    ]  # fmt: skip
    (code,) = database.execute(
        "SELECT organization_coordsys_id FROM gpkg_spatial_ref_sys WHERE srs_id = 4326"
    )
    assert code == (4326,)


def test_what_is_absent_is_null(database: sqlite3.Connection) -> None:
    found = dict(database.execute("SELECT name, demand_hm3 FROM nodes"))
    assert found["spring"] is None
    assert found["town"] > 0
    labels = dict(database.execute("SELECT name, name_vi FROM nodes"))
    assert (labels["lake"], labels["sea"]) == ("Hồ Thác Bà", "Cửa Đáy")
    assert labels["town"] is None
    # the town has no coordinates: it is there, and not drawn
    shapes = dict(database.execute("SELECT name, geom IS NULL FROM nodes"))
    assert shapes == {"spring": 0, "lake": 0, "town": 1, "sea": 0}


def test_the_same_basin_gives_the_same_file(basin: Basin, of_basin: Path, tmp_path: Path) -> None:
    export.write_geopackage(basin, tmp_path / "again.gpkg")
    assert (tmp_path / "again.gpkg").read_bytes() == of_basin.read_bytes()
    export.write_geopackage(basin, of_basin)  # in place of the former, not beside it
    assert (tmp_path / "again.gpkg").read_bytes() == of_basin.read_bytes()


# --- GeoPackage: what it says -------------------------------------------------------------------


def test_layers_of_a_basin(of_basin: Path) -> None:
    assert pyogrio.list_layers(of_basin).tolist() == [["links", "LineString"], ["nodes", "Point"]]
    assert pyogrio.read_info(of_basin, layer="nodes")["crs"] == "EPSG:4326"
    nodes, links = rows_of(of_basin, "nodes"), rows_of(of_basin, "links")
    assert points_of(nodes["lake"]["shape"]) == [105.2, 21.4]
    assert nodes["lake"]["name_vi"] == "Hồ Thác Bà"
    assert nodes["lake"]["kind"] == "reservoir"
    assert points_of(links["upper"]["shape"]) == [105.1, 21.5, 105.2, 21.4]
    assert links["outlet"]["shape"] is None
    assert (links["upper"]["from"], links["upper"]["to"]) == ("spring", "lake")


def test_numbers_of_a_basin_are_those_that_do_not_vary(tmp_path: Path) -> None:
    parts = tiny_parts()
    upper, outlet, lower = parts["links"]
    upper |= {"capacity_m3s": 12.5, "minimum_m3s": "pattern:low"}
    outlet["loss_percent"] = 100 * outlet.pop("loss_fraction")
    patterns = [
        *parts["patterns"],
        {"pattern": "low", "start": "01-01", "value": 1, "unit": "m3s"},
    ]
    folder = tiny_basin(tmp_path / "b", links=[upper, outlet, lower], patterns=patterns)
    export.write_geopackage(read_basin(folder), tmp_path / "b.gpkg")
    links = rows_of(tmp_path / "b.gpkg", "links")
    assert links["upper"]["capacity_m3s"] == 12.5
    assert links["outlet"]["loss_fraction"] == pytest.approx(0.01)
    assert np.isnan(links["upper"]["minimum_m3s"])


def test_layers_of_a_result(results: Results, of_results: Path) -> None:
    tables = results.tables()
    asked = tables["allocation"]
    columns = ["demand_hm3", "withdrawal_hm3", "deficit_hm3"]
    # two members, two years
    expected = asked.groupby("node")[columns].sum() / 4
    assert expected["deficit_hm3"].sum() > 100  # a shortage, else zeros would do as well
    nodes = rows_of(of_results, "nodes")
    assert set(nodes) == {"spring", "lake", "town", "sea"}
    for node, row in expected.iterrows():
        for column in columns:
            assert nodes[str(node)][column] == pytest.approx(row[column], rel=1e-12)
        share = row["withdrawal_hm3"] / row["demand_hm3"]
        assert nodes[str(node)]["satisfaction"] == pytest.approx(share, rel=1e-12)
    links = rows_of(of_results, "links")
    assert set(links) == {"upper", "lower", "outlet"}
    entered = tables["links"].groupby("link")["flow_in_hm3"].sum()
    for name, row in links.items():
        expected_flow = entered[name] / 2 / (730 * 0.0864)
        assert row["flow_m3s"] == pytest.approx(expected_flow, rel=1e-12)
    # what leaves the spring: 10 m3/s in a wet year, 6 in a dry one, 8 in the last
    assert links["upper"]["flow_m3s"] == pytest.approx((10 + 6 + 6 + 8) / 4, rel=1e-3)


def test_geojson_of_a_result_has_the_same_numbers(
    results: Results, of_results: Path, tmp_path: Path
) -> None:
    export.write_geojson(results, tmp_path / "r.geojson")
    found = json.loads((tmp_path / "r.geojson").read_text(encoding="utf-8"))
    features = {feature["id"]: feature for feature in found["features"]}
    town = rows_of(of_results, "nodes")["town"]
    properties = features["node/town"]["properties"]
    for key in ("demand_hm3", "withdrawal_hm3", "deficit_hm3", "satisfaction"):
        assert properties[key] == town[key]
    assert "demand_hm3" not in features["node/spring"]["properties"]
    assert features["node/spring"]["geometry"]["coordinates"] == [105.1, 21.5]
    assert features["link/upper"]["properties"]["flow_m3s"] > 5


def test_a_horizon_of_less_than_a_year_has_its_own_sum(basin: Basin, tmp_path: Path) -> None:
    case = build_case(basin, Timeline("2001-01-01", 3, "month"), goals=[Meet()], name="brief")
    found = job.run(case)
    export.write_geopackage(found, tmp_path / "s.gpkg")
    asked = found.tables()["allocation"].groupby("node")["demand_hm3"].sum()
    town = rows_of(tmp_path / "s.gpkg", "nodes")["town"]
    assert town["demand_hm3"] == pytest.approx(asked["town"] / len(case.members), rel=1e-12)


# --- with other libraries -----------------------------------------------------------------------


@pytest.mark.parametrize("first", ["netCDF4", "pyogrio"])
def test_gdal_and_netcdf_live_in_one_process(of_results: Path, first: str, results: Results,
                                             tmp_path: Path) -> None:  # fmt: skip
    """Each brings libraries of its own (HDF5, PROJ, SQLite); the order of loading is free."""
    export.write_netcdf(results, tmp_path / "r.nc")
    program = (
        f"import {first}\n"
        "import netCDF4, pyogrio, sqlite3, sys\n"
        "def layers(): return sorted(n for n, _ in pyogrio.list_layers(sys.argv[1]))\n"
        "with netCDF4.Dataset(sys.argv[2]) as file:\n"
        "    found = layers(), file.variables['withdrawal'].shape, file.variables['lon'].units\n"
        "print(found, pyogrio.read_info(sys.argv[1], layer='nodes')['crs'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, of_results, tmp_path / "r.nc"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    text = "(['links', 'nodes'], (2, 24, 2), 'degrees_east') EPSG:4326\n"
    assert (done.returncode, done.stdout) == (0, text), done.stderr


@pytest.mark.parametrize(
    ("package", "write", "text"),
    [
        ("pyogrio", export.write_geopackage, "GeoPackage needs pyogrio; install wateralloc[gis]"),
        ("polars", export.write_parquet, "Parquet needs polars; install wateralloc[parquet]"),
    ],
)
def test_a_package_that_is_not_there(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str,
    write: Any, text: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=re.escape(text)) as caught:
        write(results, tmp_path / "out")
    assert caught.value.faults[0].code == "E107"
    assert not (tmp_path / "out").exists()


def test_a_result_of_an_earlier_version(results: Results, tmp_path: Path) -> None:
    former = Results(results.dataset.drop_vars(["lon", "lat"]), results.manifest)
    with pytest.raises(InputError, match="E109 holds no places of nodes, an earlier version"):
        export.write_geopackage(former, tmp_path / "r.gpkg")


def test_what_cannot_be_written_is_an_oserror(results: Results, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists") as caught:
        export.write_geopackage(results, tmp_path / "file" / "r.gpkg")
    assert caught.value.filename == str(tmp_path / "file" / "r.gpkg")


# --- a result as NetCDF and Parquet -------------------------------------------------------------


def test_netcdf_of_a_result_is_its_dataset(results: Results, tmp_path: Path) -> None:
    export.write_netcdf(results, tmp_path / "r.nc")
    with xr.open_dataset(tmp_path / "r.nc") as dataset:
        xr.testing.assert_identical(dataset.load(), results.dataset)
    assert dataset["lat"].attrs["standard_name"] == "latitude"


def test_parquet_has_every_table(results: Results, tmp_path: Path) -> None:
    export.write_parquet(results, tmp_path / "tables")
    tables = results.tables()
    found = {path.stem: pl.read_parquet(path) for path in (tmp_path / "tables").iterdir()}
    assert set(found) == set(tables)
    for name, frame in found.items():
        table = tables[name]
        assert frame.columns == list(table.columns)
        for key in frame.columns:
            values, expected = frame[key].to_list(), table[key].tolist()
            if frame[key].dtype == pl.Date:
                expected = [pd.Timestamp(day).date() if day else None for day in expected]
            assert values == [None if e != e else e for e in expected], (name, key)
    assert found["allocation"]["period_start"].dtype == pl.Date
    assert found["reservoirs"]["level_m"].dtype == pl.Float64
    with pytest.raises(InputError, match="is there and not empty"):
        export.write_parquet(results, tmp_path / "tables")
