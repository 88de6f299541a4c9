"""Broken basin folders: each function breaks the tiny basin in one way, or in many.

All faults it must raise stand, word for word, in ``expected/<name of the function>.txt``.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.basins import month_starts, tiny_basin, tiny_parts, write_rows
from wateralloc.basin import read_basin
from wateralloc.errors import InputError

EXPECTED = Path(__file__).parent / "expected"


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"'{old}' stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)


# --- files ----------------------------------------------------------------------------------


def basin_missing(folder: Path) -> None:
    folder.rename(folder.with_name("basins"))


def basin_is_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


def files_missing(folder: Path) -> None:
    (folder / "basin.yaml").unlink()
    (folder / "nodes.csv").unlink()


def files_empty(folder: Path) -> None:
    (folder / "basin.yaml").write_text("# nothing yet\n")
    (folder / "nodes.csv").write_text("\n \n")
    (folder / "series" / "inflow_m3s.csv").write_text("")


def files_without_rows(folder: Path) -> None:
    (folder / "nodes.csv").write_text("name,kind\n")
    for name in ("links", "reservoirs", "demands", "environmental_flows"):
        (folder / f"{name}.csv").unlink()
    (folder / "series" / "inflow_m3s.csv").write_text("date,spring\n")


def directories_for_files(folder: Path) -> None:
    for name in ("basin.yaml", "demands.csv", "series/inflow_m3s.csv", "series/inflow_l_s.nc"):
        path = folder / name
        path.unlink(missing_ok=True)
        path.mkdir()


def series_is_file(folder: Path) -> None:
    shutil.rmtree(folder / "series")
    (folder / "series").write_text("no folder")


def not_utf8(folder: Path) -> None:
    text = (folder / "nodes.csv").read_text(encoding="utf-8")
    (folder / "nodes.csv").write_bytes(text.replace("Suối", "Suèi").encode("cp1252"))
    text = (folder / "links.csv").read_text(encoding="utf-8")
    (folder / "links.csv").write_bytes(text.encode("utf-16"))
    (folder / "demands.csv").write_bytes(b"name,node\nt\0o\0w\0n\0,town\n")
    (folder / "basin.yaml").write_bytes(b"schema: 1\nname: L\xbdu v\xf9c\n")


def not_csv(folder: Path) -> None:
    edit(folder / "nodes.csv", "Suối", '"Suối')
    edit(folder / "links.csv", "lower", '"lo"wer')
    path = folder / "curves.csv"
    path.write_text(path.read_text().replace(",", ";"))
    path = folder / "patterns.csv"
    path.write_text(path.read_text().replace(",", "\t"))


def unknown_files(folder: Path) -> None:
    (folder / "demand.csv").write_text("name\n")
    (folder / "notes.txt").write_text("notes")
    (folder / "serie").mkdir()
    (folder / "old").mkdir()
    (folder / "series" / "inflows_m3s.csv").write_text("date,spring\n2001-01-01,1\n")
    (folder / "series" / "rainfall_mm.csv").write_text("date,spring\n2001-01-01,1\n")
    (folder / "series" / "capacity.csv").write_text("date,outlet\n2001-01-01,1\n")
    (folder / "series" / "minimum_km2.csv").write_text("date,upper\n2001-01-01,1\n")
    (folder / "series" / "flood_limit_hm3.ods").write_bytes(b"PK")


# --- basin.yaml -----------------------------------------------------------------------------

YAML = """\
schema: 1
name: {en: Test basin, vi: Lưu vực thử}
currency: VND
water_year_start: 6
regions: {north: {}, south: {en: South}}
provinces:
  upland: {region: north}
  lowland: {region: south}
sectors: [domestic, irrigation]
meta_note: free
"""


def yaml_keys(folder: Path) -> None:
    text = YAML.replace("schema: 1\n", "").replace("water_year_start", "water_year_strat")
    text = text.replace("{en: South}", "{eng: South}")
    text = text.replace("{region: north}", "{regions: north}")
    (folder / "basin.yaml").write_text(text + "base_year_h: 2020\nforesight: perfect\n")


def yaml_values(folder: Path) -> None:
    text = YAML.replace("schema: 1", "schema: 2").replace("VND", "dong")
    text = text.replace("start: 6", "start: 13").replace("{en: South}", "[South]")
    text += "base_year: '2020'\n"
    (folder / "basin.yaml").write_text(text)


def yaml_names(folder: Path) -> None:
    text = YAML.replace("lowland: {region: south}", "lowland: {region: suoth}")
    text = text.replace("irrigation]", "irrigation, fish ponds, 2nd_use]")
    (folder / "basin.yaml").write_text(text)


def yaml_duplicates(folder: Path) -> None:
    text = YAML.replace("  lowland: ", "  upland: {}\n  lowland: ")
    (folder / "basin.yaml").write_text(text + "currency: USD\nmeta_x: .nan\n")


def yaml_syntax(folder: Path) -> None:
    (folder / "basin.yaml").write_text(YAML.replace("regions: {north: {},", "regions: {north: {]"))


def yaml_list(folder: Path) -> None:
    (folder / "basin.yaml").write_text("- schema: 1\n- name: x\n")


def yaml_undeclared(folder: Path) -> None:
    """Regions, provinces and sectors that the tables name but basin.yaml does not declare."""
    (folder / "basin.yaml").write_text(
        "schema: 1\nname: Test\ncurrency: VND\nregions: [north, souht]\nsectors: [domestic]\n"
    )


# --- columns --------------------------------------------------------------------------------


def columns_misspelt(folder: Path) -> None:
    edit(folder / "demands.csv", "annual_hm3", "anual_hm3")
    edit(folder / "nodes.csv", "name,kind", "nmae,kind")
    edit(folder / "links.csv", "kind", "category")
    edit(folder / "reservoirs.csv", "dead_hm3", "Dead_hm3")


def columns_without_unit(folder: Path) -> None:
    edit(folder / "demands.csv", "annual_hm3", "annual")
    edit(folder / "links.csv", "capacity_m3s", "capacity_cumecs")
    edit(folder / "reservoirs.csv", "evaporation_mm_day", "evaporation")
    edit(folder / "demands.csv", "value_vnd_m3", "value")


def columns_with_wrong_unit(folder: Path) -> None:
    edit(folder / "demands.csv", "annual_hm3", "annual_m3s")
    edit(folder / "demands.csv", "priority", "priority_m")
    edit(folder / "demands.csv", "value_vnd_m3", "value_usd_m3")
    edit(folder / "reservoirs.csv", "evaporation_mm_day", "evaporation_mm")


def columns_in_a_currency_nobody_declared(folder: Path) -> None:
    edit(folder / "basin.yaml", '  "currency": "VND",\n', "")


def columns_twice(folder: Path) -> None:
    parts = tiny_parts()
    write_rows(
        folder / "links.csv", [{**row, "capacity_l_s": 1, "meta_a": 1} for row in parts["links"]]
    )
    edit(folder / "links.csv", "capacity_l_s,meta_a", "capacity_l_s,to")
    edit(folder / "nodes.csv", "name_vi,name_en", "meta_b,meta_b")
    edit(folder / "demands.csv", "pattern,value_vnd_m3", ",")


# --- cells ----------------------------------------------------------------------------------


def numbers_wrong(folder: Path) -> None:
    words = ["NaN", "inf", "1,234.5", "12,5", "1 234", "1_000", "many", "1e999", "−3", "١٢", "0x10"]
    rows = [
        {"name": f"town_{k}", "node": "town", "sector": "domestic", "annual_hm3": word}
        for k, word in enumerate(words)
    ]
    write_rows(folder / "demands.csv", rows)


def numbers_outside_their_range(folder: Path) -> None:
    edit(folder / "demands.csv", "36.5", "-3.2")
    edit(folder / "demands.csv", "consumption_fraction", "consumption_percent")
    edit(folder / "demands.csv", ",0.3,", ",130,")
    edit(folder / "demands.csv", ",irrigation,south,lowland,2", ",irrigation,south,lowland,0")
    edit(folder / "nodes.csv", "105.1", "205.1")
    edit(folder / "reservoirs.csv", "pattern:flood_limit", "-1")


def cells_wrong(folder: Path) -> None:
    edit(folder / "links.csv", "turbine", "turbin")
    edit(folder / "demands.csv", ",domestic,south,lowland,1,", ",domestic,south,lowland,1.5,")
    edit(folder / "reservoirs.csv", ",10,", ",,")
    edit(folder / "nodes.csv", "town,junction", "town,")


def quoted_cells(folder: Path) -> None:
    """Positions are right after cells with commas, quotes and line ends in them."""
    edit(folder / "nodes.csv", "Suối", '"Suối, ""nhỏ""\nở trên"')
    edit(folder / "nodes.csv", "Spring", "Spring,extra")
    edit(folder / "nodes.csv", "town,junction", "town,junktion")


def rows_ragged(folder: Path) -> None:
    edit(folder / "links.csv", "spring,lake,reach,,,", "spring,lake,reach")
    edit(folder / "curves.csv", "lake,0,1,hm3,km2", "lake,0,1,2,hm3,km2")
    edit(folder / "series" / "inflow_m3s.csv", "2001-03-01,10", "2001-03-01,10,10")
    edit(folder / "series" / "inflow_m3s.csv", "2001-05-01,10", "2001-05-01")


def names_twice(folder: Path) -> None:
    append(folder / "nodes.csv", "town,sink,,,,,,,\n")
    append(folder / "demands.csv", "town_domestic,town,domestic,,,1,-5,,,,\n")


def names_invalid(folder: Path) -> None:
    append(folder / "nodes.csv", "far town,sink,,,,,,,\n2nd,sink,,,,,,,\nHà_Nội,sink,,,,,,,\n")
    append(folder / "nodes.csv", ",sink,,,,,,,\n")
    append(folder / "links.csv", "a-b,town,far town,reach,,,\nb,town,2nd,reach,,,\n")
    append(folder / "links.csv", "c,town,Hà_Nội,reach,,,\n")
    append(folder / "curves.csv", "a b,1,1,hm3,m\na b,2,2,hm3,m\n")
    append(folder / "patterns.csv", "a.b,01-01,1,1\n")


def names_unknown(folder: Path) -> None:
    edit(folder / "links.csv", "lower,town,sea", "lower,town,see")
    edit(folder / "demands.csv", "town_irrigation,town,", "town_irrigation,twon,")
    edit(folder / "demands.csv", ",0.3,sea,", ",0.3,ocean,")
    edit(folder / "reservoirs.csv", "evaporation,lake", "evaporation,lakes")
    edit(folder / "demands.csv", ",irrigation,770", ",iriggation,770")
    edit(folder / "reservoirs.csv", "pattern:flood_limit", "pattern:flod_limit")
    edit(folder / "series" / "inflow_m3s.csv", "date,spring", "date,sprnig")


# --- curves and patterns --------------------------------------------------------------------


def curves_wrong(folder: Path) -> None:
    rows = [
        ("lake", 0, 20, "hm3", "m"),
        ("lake", 50, 20, "hm3", "m"),
        ("lake", 40, 30, "hm3", "m"),
        ("lake", 0, 5, "hm3", "km2"),
        ("lake", 100, 4, "hm3", "km2"),
        ("flat", 0, 1, "hm3", "km2"),
        ("flat", 1, 1, "hm3", "km2"),
        ("short", 0, 1, "hm3", "m"),
        ("odd", 0, 1, "acre_feet", "feet"),
        ("odd", 1, 2, "m", "hm3"),
        ("rating", 100, 2, "m3s", "m"),
        ("rating", 200, 2, "m3s", "m"),
        ("wheel", 40, -0.1, "m", "fraction"),
        ("wheel", 50, 80, "m", "percent"),
        ("wheel", 60, 120, "m", "percent"),
        ("branch", 10, 0.3, "m3s", "fraction"),
        ("branch", 10, 1.3, "m3s", "fraction"),
        ("output", -1, -5, "m3s", "mw"),
        ("output", 0, 60, "m3s", "mw"),
        ("output", 70, 50, "m3s", "mw"),
        ("gate", 10, 5, "m3s", "m3s"),
        ("gate", 20, 4, "m3s", "m3s"),
        ("flooded", 10, 5, "m3s", "km2"),
        ("flooded", 5, 5, "m", "m"),
        ("flooded", 5, 5, "hm3", "mw"),
    ]
    columns = ("curve", "x", "y", "x_unit", "y_unit")
    write_rows(folder / "curves.csv", [dict(zip(columns, row, strict=True)) for row in rows])


def patterns_wrong(folder: Path) -> None:
    rows = [
        ("flood_limit", "06-15", 80, "hm3"),
        ("flood_limit", "06-15", 90, "hm3"),
        ("flood_limit", "02-01", 90, "hm3"),
        ("evaporation", "02-29", 3, "mm_day"),
        ("evaporation", "04-31", 3, "mm_day"),
        ("evaporation", "1-May", 3, "mm_day"),
        ("evaporation", "06-01", 3, "m"),
        ("irrigation", "01-01", 1, "m3/s"),
        ("irrigation", "02-01", "x", ""),
    ]
    columns = ("pattern", "start", "value", "unit")
    write_rows(folder / "patterns.csv", [dict(zip(columns, row, strict=True)) for row in rows])


def patterns_misused(folder: Path) -> None:
    """Patterns whose unit or values do not fit the column that names them."""
    append(folder / "patterns.csv", "rises,01-01,1,hm3\nrises,08-01,-1,hm3\n")
    edit(folder / "reservoirs.csv", "pattern:flood_limit", "pattern:rises")
    edit(folder / "reservoirs.csv", "pattern:evaporation", "pattern:irrigation")
    edit(folder / "demands.csv", ",irrigation,770", ",flood_limit,770")
    edit(folder / "demands.csv", "36.5", "pattern:irrigation")


# --- series ---------------------------------------------------------------------------------


def series_gaps(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    edit(path, "2001-03-01,10\n", "")
    edit(path, "2001-06-01,10\n", "2001-06-02,10\n")
    edit(path, "2001-09-01,10\n", "2001-09-01,10\n2001-09-01,10\n")


def series_dates(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    edit(path, "2001-03-01", "01/03/2001")
    edit(path, "2001-06-01", "2001-06-31")
    edit(path, "2001-09-01", "")


def series_irregular(folder: Path) -> None:
    write_rows(
        folder / "series" / "inflow_m3s.csv",
        [{"date": f"2001-01-{day:02d}", "spring": 1} for day in (1, 3, 9, 30)],
    )


def series_header(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    path.write_text(path.read_text().replace("date", "day"))
    (folder / "series" / "capacity_m3s.csv").write_text(
        "date,outlet,outlet,,otlet\n2001-01-01,1,1,1,1\n"
    )


def series_values(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    edit(path, "2001-02-01,10", "2001-02-01,nan")
    edit(path, "2001-03-01,10", '2001-03-01,"1,000"')
    edit(path, "2001-04-01,10", "2001-04-01,")
    edit(path, "2001-05-01,10", "2001-05-01,1_0")
    edit(path, "2001-06-01,10", "2001-06-01,dry")


def series_negative(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    edit(path, "2001-05-01,10", "2001-05-01,-1")
    edit(path, "2001-08-01,10", "2001-08-01,-2")


def series_twice(folder: Path) -> None:
    dates = month_starts("2001-01", 2)
    write_rows(
        folder / "series" / "inflow_l_s.csv", [{"date": date, "spring": 1} for date in dates]
    )
    write_rows(
        folder / "series" / "minimum_m3s.csv", [{"date": date, "town_minimum": 1} for date in dates]
    )
    append(folder / "links.csv", "both,town,sea,reach,,,\n")
    append(folder / "environmental_flows.csv", "both,town,\nnone,town,\n")
    write_rows(folder / "series" / "capacity_m3s.csv", [{"date": d, "outlet": 1} for d in dates])


def series_ambiguous(folder: Path) -> None:
    append(folder / "links.csv", "both,town,sea,reach,,,\n")
    append(folder / "environmental_flows.csv", "both,town,\n")
    (folder / "series" / "minimum_m3s.csv").write_text("date,both\n2001-01-01,1\n")


def series_netcdf(folder: Path) -> None:
    (folder / "series" / "inflow_m3s.csv").unlink()
    time = np.array(month_starts("2001-01", 3), dtype="datetime64[ns]")
    values = np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, -1.0]])
    coords = {"time": time, "name": ["spring", "twon"]}
    xr.Dataset({"inflow": (("time", "name"), values, {"units": "hm3"})}, coords).to_netcdf(
        folder / "series" / "inflow_m3s.nc"
    )
    xr.Dataset({"capacity": (("time", "link"), values)}, {"time": time}).to_netcdf(
        folder / "series" / "capacity_m3s.nc"
    )
    (folder / "series" / "demand_m3s.nc").write_bytes(b"no NetCDF")
    (folder / "series" / "evaporation_mm_day.nc").write_bytes(b"")


def series_parquet(folder: Path) -> None:
    (folder / "series" / "capacity_m3s.parquet").write_bytes(b"PAR1")


# --- topology -------------------------------------------------------------------------------


def nodes_alone(folder: Path) -> None:
    append(folder / "nodes.csv", "hill,junction,,,,,,,\npond,sink,,,,,,,\n")


def water_cannot_leave(folder: Path) -> None:
    append(folder / "nodes.csv", "marsh,junction,,,,,,,\nditch,junction,,,,,,,\n")
    append(folder / "links.csv", "to_ditch,town,ditch,canal,,,\nto_marsh,ditch,marsh,canal,,,\n")


def no_sink(folder: Path) -> None:
    edit(folder / "nodes.csv", "sea,sink", "sea,junction")


def links_wrong(folder: Path) -> None:
    append(folder / "links.csv", "loop,town,town,canal,,,\nback,sea,town,pump,,,\n")


def links_routed_wrong(folder: Path) -> None:
    """Two lags on one link; what needs a storage on one without; numbers outside their range."""
    rows = {row["name"]: row for row in tiny_parts()["links"]}
    rows["upper"] |= {"lag_periods": 0.5, "lag_h": 12}
    rows["outlet"] |= {"muskingum_x": 0.2, "initial_storage_hm3": 5}
    rows["lower"] |= {"lag_h": 6, "lag_periods": 0, "muskingum_k_h": 24}
    more = [{"name": f"side_{i}", "from": "town", "to": "sea", "kind": "canal"} for i in range(5)]
    more[0] |= {"lag_periods": -1}
    more[1] |= {"lag_h": -12}
    more[2] |= {"muskingum_k_h": -24}
    more[3] |= {"muskingum_k_h": 24, "muskingum_x": 0.7}
    more[4] |= {"muskingum_k_h": 24, "initial_storage_hm3": -5}
    write_rows(folder / "links.csv", [*rows.values(), *more])


def links_in_a_circle(folder: Path) -> None:
    """The turbine loses 1 %, so only the circle around the town is for nothing."""
    append(folder / "nodes.csv", "canal,junction,,,,,,,\n")
    append(folder / "links.csv", "out,town,canal,canal,,,\nback,canal,town,canal,,,\n")
    append(folder / "links.csv", "up,town,lake,pump,,,\n")


def links_in_a_circle_beside_other_faults(folder: Path) -> None:
    """Neither a capacity without unit nor an end that is misspelt hides a circle or a lone node."""
    append(folder / "nodes.csv", "canal,junction,,,,,,,\nlonely,junction,,,,,,,\n")
    append(folder / "links.csv", "out,town,canal,canal,,,\nback,canal,town,canal,,,\n")
    append(folder / "links.csv", "third,town,see,canal,-5,,\n")
    edit(folder / "links.csv", "capacity_m3s", "capacity")


def numbers_without_unit(folder: Path) -> None:
    """A sign, and what is no number, are wrong in any unit; a percentage may not be."""
    edit(folder / "demands.csv", "annual_hm3", "annual")
    edit(folder / "demands.csv", "36.5", "-3.2")
    edit(folder / "links.csv", "capacity_m3s", "capacity_km")
    edit(folder / "links.csv", "turbine,50", "turbine,NaN")


def series_values_below_zero_beside_gaps(folder: Path) -> None:
    path = folder / "series" / "inflow_m3s.csv"
    edit(path, "2001-03-01,10", "2001-03-01,NaN")
    edit(path, "2001-05-01,10", "2001-05-01,-3")


def aquifer_beside_a_spring_with_a_fault(folder: Path) -> None:
    """A spring whose capacity is wrong is a spring all the same."""
    append(folder / "nodes.csv", "bed,aquifer,,,,,,,\n")
    append(folder / "links.csv", "spring,bed,town,reach,-3,,\n")
    append(folder / "aquifers.csv", "name,capacity_hm3,initial_hm3,recharge_m3s\nbed,10,5,1\n")


def aquifers_wrong(folder: Path) -> None:
    """A canal that ends in an aquifer is a fault of the aquifer, not of the node above it."""
    names = ("bed", "rock", "sand", "gravel", "chalk")
    append(folder / "nodes.csv", "".join(f"{name},aquifer,,,,,,,\n" for name in names))
    append(folder / "links.csv", "seep,lake,gravel,canal,,,\n")
    append(
        folder / "aquifers.csv",
        "name,dead_hm3,capacity_hm3,initial_hm3,target_hm3,recharge_m3s,stream,depletion_fraction,"
        "depletion_weights\n"
        "town,0,10,5,,,,,\n"
        "bed,20,10,5,,,,,\n"
        "rock,1,10,12,0.5,,,,\n"
        "sand,0,10,5,,1,,0.5,0.5 0.4\n"
        "gravel,0,10,5,,,gravel,0.5,\n",
    )


def demands_wrong(folder: Path) -> None:
    """Volumes given in several ways or in part, what is for another kind of demand, sources."""
    rows = tiny_parts()["demands"]
    crop = {"node": "town", "sector": "irrigation", "area_ha": 500, "requirement_mm_day": 5}
    more: list[dict[str, Any]] = [
        {**crop, "name": "both", "annual_hm3": 5},
        {**crop, "name": "without_depth", "requirement_mm_day": None},
        {**crop, "name": "without_area", "area_ha": None},
        {**crop, "name": "leaky", "conveyance_percent": 130},
        {**crop, "name": "dry", "conveyance_percent": 0},
        {**crop, "name": "patterned", "pattern": "irrigation"},
        {"name": "nothing", "node": "town", "sector": "domestic"},
    ]
    write_rows(folder / "demands.csv", [*(row | {"conveyance_percent": 80} for row in rows), *more])
    append(
        folder / "sources.csv",
        "name,demand,node,preference,loss_fraction,loss_to\n"
        "weir,town_domestic,town,1,,lake\n"
        "pipe,town_domestic,lake,1,0.1,sae\n"
        "well,town_domestc,town,0,1,sea\n",
    )


# --- works and benefits ---------------------------------------------------------------------


def works_wrong(folder: Path) -> None:
    """Rows of a work that name no element or two, an element of two works, and of one twice."""
    append(
        folder / "works.csv",
        "name,work,link,reservoir,annual_cost_million\n"
        "nothing,scheme,,,5\n"
        "dam,scheme,outlet,lake,5\n"
        "again,,outlet,,-5\n"
        "once_more,scheme,,lake,\n"
        "pipe,scheme,pipe,,\n",
    )


def benefits_wrong(folder: Path) -> None:
    """Blocks whose values rise, that do not follow each other or have no end, or two."""
    append(folder / "demands.csv", "farm,town,irrigation,south,lowland,2,5,1,,,\n")
    append(
        folder / "benefits.csv",
        "demand,month,up_to_fraction,up_to_flow_m3s,value_vnd_m3\n"
        "town_irrigation,,1,,700\n"
        "town_domestic,1,0.5,,900\n"
        "town_domestic,,0.4,,800\n"
        "town_domestic,1,0.8,,950\n"
        "town_domestic,,0.4,,600\n"
        "town_domestic,2,,2,700\n"
        "town_domestic,2,1,,600\n"
        "farm,13,1,,5\n"
        "farm,3,,,5\n"
        "farm,4,0.5,1,5\n"
        "farm,5,1,,-5\n"
        "firm,5,1,,5\n",
    )


LAKE = {
    "name": "lake",
    "dead_hm3": 10,
    "normal_hm3": 100,
    "initial_hm3": 50,
    "flood_limit_hm3": "pattern:flood_limit",
    "curve": "lake",
}


def storages_outside_each_other(folder: Path) -> None:
    """Limits that are numbers; a depth on the lake needs the curve of its area."""
    lake = {**LAKE, "flood_limit_hm3": 5, "minimum_storage_hm3": 120, "initial_hm3": 0}
    lake |= {"target_hm3": 101, "target_maximum_hm3": 4, "curve": ""}
    write_rows(
        folder / "reservoirs.csv",
        [{**lake, "rain_mm_day": 2, "seepage_mm_day": 3, "seepage_to": "sea"}],
    )


def storage_limits_cross(folder: Path) -> None:
    """The flood limit falls to 80 on 15 June, below the minimum storage of the date."""
    lake = {**LAKE, "minimum_storage_hm3": "pattern:minimum"}
    lake |= {"target_hm3": 70, "target_maximum_hm3": 40}
    write_rows(folder / "reservoirs.csv", [lake])
    append(folder / "patterns.csv", "minimum,01-01,60,hm3\nminimum,06-01,90,hm3\n")


def zones_do_not_rise(folder: Path) -> None:
    write_rows(
        folder / "zones.csv",
        [
            {"name": "buffer", "reservoir": "lake", "top_hm3": 8},
            {"name": "middle", "reservoir": "lake", "top_hm3": 60},
            {"name": "top", "reservoir": "lake", "top_hm3": 60},
            {"name": "odd", "reservoir": "lak", "top_hm3": 60},
        ],
    )


def zones_end_below_normal_storage(folder: Path) -> None:
    write_rows(
        folder / "zones.csv",
        [
            {"name": "buffer", "reservoir": "lake", "top_hm3": 30},
            {"name": "conservation", "reservoir": "lake", "top_hm3": 90},
        ],
    )


# --- hydropower -----------------------------------------------------------------------------


def hydropower_wrong(folder: Path) -> None:
    """Plants without an efficiency, a head or a link of their own, and with curves that do not fit.

    The last four are sound.
    """
    append(folder / "nodes.csv", "pond,reservoir,south,lowland,,,,,\n")
    append(folder / "reservoirs.csv", "pond,1,5,2,,,\n")
    ends = {"run": "town,sea", "below": "pond,sea", "into": "lake,pond"}
    rows = {
        # plant: efficiency, its curve, power curve, head, loss, tailwater, its curve, its reservoir
        "first": (0.9, "", "", "", "", 5, "", ""),
        "twin": (0.9, "", "", "", "", 5, "", ""),
        "no_way": ("", "", "", 30, "", "", "", ""),
        "two_ways": (0.9, "wheel", "", 30, "", "", "", ""),
        "all_ways": (0, "wheel", "output", "", "", "", "", ""),
        "run": (0.9, "", "", "", "", 5, "", ""),
        "two_tails": (0.9, "", "", "", "", 5, "rating", ""),
        "no_tail": (0.9, "", "", "", 2, "", "", ""),
        "no_level": (0.9, "", "", "", "", 0.5, "", ""),
        "no_level_below": (0.9, "", "", "", "", "", "", "pond"),
        "not_efficiency": ("", "lake", "", "", "", 5, "", ""),
        "not_stage": (0.9, "", "", "", "", "", "wheel", ""),
        "not_power": ("", "", "rating", "", "", "", "", ""),
        "not_concave": ("", "", "convex", "", "", "", "", ""),
        "not_from_zero": ("", "", "late", "", "", "", "", ""),
        "crossing": (0.9, "", "", "", "", 25, "", ""),
        "crossing_by_flow": (0.9, "", "", "", 1, "", "rating", ""),
        "no_such": (1.2, "", "", "", "", "", "tail", "pool"),
        "too_high": ("", "wheel", "", 81, 1, "", "", ""),
        "too_low": ("", "steep", "", "", "", 5, "", ""),
        "by_head": ("", "wheel", "", "", "", 5, "", ""),
        "by_flow": ("", "", "output", "", "", "", "", ""),
        "fixed": (0.9, "", "", 30, 1, "", "", ""),
        "by_release": (0.9, "", "", "", 1, "", "brook", ""),
    }
    links = {"first": "outlet", "twin": "outlet"}
    append(
        folder / "links.csv",
        "".join(
            f"{name},{ends.get(name, 'lake,town')},turbine,9,,\n"
            for name in rows
            if name not in links
        ).replace("no_level,lake,town", "no_level,pond,sea"),
    )
    columns = (
        "efficiency_fraction", "efficiency_curve", "power_curve", "head_m", "head_loss_m",
        "tailwater_m", "tailwater_curve", "tailwater_reservoir",
    )  # fmt: skip
    write_rows(
        folder / "hydropower.csv",
        [
            {"plant": name, "link": links.get(name, name), "capacity_mw": 65, "max_turbine_m3s": 50}
            | dict(zip(columns, row, strict=True))
            for name, row in rows.items()
        ],
    )
    append(
        folder / "curves.csv",
        "wheel,20,0.8,m,fraction\nwheel,40,0.9,m,fraction\n"
        "rating,0,5,m3s,m\nrating,50,21,m3s,m\n"
        "brook,0,1,m3s,m\nbrook,50,2,m3s,m\n"
        "output,0,0,m3s,mw\noutput,50,55,m3s,mw\noutput,60,65,m3s,mw\n"
        "convex,0,0,m3s,mw\nconvex,50,50,m3s,mw\nconvex,60,65,m3s,mw\n"
        "late,10,0,m3s,mw\nlate,50,70,m3s,mw\n"
        "steep,18,0.1,m,fraction\nsteep,20,0.9,m,fraction\n",
    )


# --- the delta ------------------------------------------------------------------------------


def add_delta(folder: Path, **tables: str) -> None:
    """Add three branches and a canal below the town, curves by flow, and tables of the delta."""
    append(
        folder / "links.csv",
        "east,town,sea,distributary,,,\nwest,town,sea,distributary,,,\ncanal,town,sea,canal,,,\n",
    )
    append(
        folder / "curves.csv",
        "share,10,0.3,m3s,fraction\nshare,90,0.6,m3s,fraction\n"
        "flow,0,0,m3s,m3s\nflow,90,30,m3s,m3s\n"
        "high,5,2,m3s,m3s\nhigh,90,30,m3s,m3s\n"
        "greedy,0,0,m3s,m3s\ngreedy,10,20,m3s,m3s\n"
        "steep,0,0,m3s,m3s\nsteep,10,1,m3s,m3s\nsteep,20,12,m3s,m3s\n"
        "two,0,0,m3s,m3s\ntwo,10,1,m3s,m3s\ntwo,0,0.1,m3s,fraction\ntwo,9,0.2,m3s,fraction\n",
    )
    for name, text in tables.items():
        append(folder / f"{name}.csv", text)


def splits_wrong(folder: Path) -> None:
    """Links that are no branch, several ways or none, limits and curves that cross, years."""
    add_delta(
        folder,
        patterns="low,01-01,0.2,1\nlow,04-01,0.5,1\n",
        splits="name,node,link,share_percent,minimum_share_percent,maximum_share_percent,curve,"
        "from_year,to_year\n"
        "elsewhere,town,outlet,30,,,,,\n"
        "canal,town,canal,30,,,,,\n"
        "nothing,town,east,,,,,,1990\n"
        "both,town,east,30,20,,share,1991,1991\n"
        "crossing,town,east,,pattern:low,40,,1992,1992\n"
        "level,town,east,,,,lake,1993,1993\n"
        "high,town,east,,,,high,1994,1994\n"
        "greedy,town,east,,,,greedy,1995,1995\n"
        "steep,town,east,,,,steep,1996,1996\n"
        "two,town,east,,,,two,1997,1997\n"
        "over,town,east,130,,,,1998,1998\n"
        "backwards,town,west,30,,,,2000,1999\n"
        "first,town,west,30,,,,2001,2010\n"
        "second,town,west,40,,,,2010,\n"
        "unknown,twon,est,40,,,shear,,\n",
    )


def shares_that_do_not_add_up_to_1(folder: Path) -> None:
    """Of all three branches by years, of two of three below the lake, and of the lone spring."""
    append(folder / "links.csv", "bypass,lake,town,reach,,,\nsluice,lake,town,spillway,,,\n")
    add_delta(
        folder,
        patterns="rising,01-01,0.3,1\nrising,07-01,0.4,1\n",
        splits="name,node,link,share_fraction,minimum_share_fraction,maximum_share_fraction,curve,"
        "from_year,to_year\n"
        "below_lake,lake,outlet,0.9,,,,,\n"
        "bypass,lake,bypass,,0.2,,,,\n"
        "alone,spring,upper,,,0.7,,,\n"
        "lower,town,lower,0.3,,,,1990,2029\n"
        "east,town,east,pattern:rising,,,,1990,1999\n"
        "west,town,west,0.4,,,,1990,1999\n"
        "least,town,west,,0.5,,,2000,2009\n"
        "east_curve,town,east,,,,share,2000,2009\n"
        "west_most,town,west,,,0.2,,2010,2019\n"
        "east_most,town,east,,0.1,0.4,,2010,2019\n"
        "west_rest,town,west,0.3,,,,2020,2029\n"
        "east_whole,town,east,,,,flow,2020,2029\n",
    )


def ratings_wrong(folder: Path) -> None:
    """A curve without a level by flow, a node without a river, and years that overlap."""
    add_delta(
        folder,
        ratings="name,node,flow_at,curve,from_year,to_year\n"
        "of_lake,town,,lake,1990,1999\n"
        "of_canal,sea,hill,bed,,\n"
        "old,town,,bed,2000,2009\n"
        "new,town,town,bed,2005,\n"
        "apart,town,lake,bed,,\n"
        "again,town,lake,bed,,\n"
        "typo,town,,bad,2020,2010.5\n",
    )
    append(folder / "nodes.csv", "hill,junction,,,,,,,\n")
    append(folder / "links.csv", "ditch,hill,sea,canal,,,\n")
    append(folder / "curves.csv", "bed,5,2,m3s,m\nbed,90,8,m3s,m\n")


def intakes_wrong(folder: Path) -> None:
    """A threshold that is not below full, two at one node, a node without a river."""
    add_delta(
        folder,
        intakes="name,node,flow_at,threshold_m3s,full_m3s,capacity_m3s\n"
        "flat,town,,20,20,5\n"
        "other,town,lake,10,30,5\n"
        "dry,hill,,10,30,5\n"
        "below_zero,lake,,-10,30,-5\n",
    )
    append(folder / "nodes.csv", "hill,junction,,,,,,,\n")
    append(folder / "links.csv", "ditch,hill,sea,canal,,,\n")


def everything_at_once(folder: Path) -> None:
    """Faults of every kind of file in one raise, sorted by file and line."""
    (folder / "basin.yaml").write_text(YAML.replace("currency", "curency"))
    edit(folder / "nodes.csv", "town,junction", "town,junktion")
    append(folder / "nodes.csv", "hill,junction,,,,,,,\n")
    edit(folder / "links.csv", "capacity_m3s", "capacity")
    edit(folder / "reservoirs.csv", ",10,100,", ",200,100,")
    edit(folder / "demands.csv", "36.5", "-3.2")
    edit(folder / "demands.csv", ",irrigation,770", ",iriggation,770")
    edit(folder / "curves.csv", "lake,100,40", "lake,100,10")
    edit(folder / "patterns.csv", "06-15", "02-29")
    edit(folder / "series" / "inflow_m3s.csv", "2001-03-01,10", "2001-03-01,NaN")
    (folder / "extra.csv").write_text("x\n")


CASES = {
    name: function
    for name, function in list(globals().items())
    if getattr(function, "__annotations__", None) == {"folder": "Path", "return": "None"}
}


@pytest.mark.parametrize("name", CASES)
def test_all_faults_are_raised_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = EXPECTED / f"{name}.txt"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "polars", None)  # as where it is not installed
    tiny_basin(Path("basin"))
    CASES[name](Path("basin"))
    with pytest.raises(InputError) as caught:
        read_basin(Path("basin"))
    assert caught.value.exit_code == 2
    text = str(caught.value)
    assert str(tmp_path) not in text
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text + "\n", encoding="utf-8")
    assert expected.is_file(), f"no {expected.name}; write it with UPDATE_GOLDEN=1 and look at it"
    assert text + "\n" == expected.read_text(encoding="utf-8")


def test_every_expected_text_has_its_case() -> None:
    assert {path.stem for path in EXPECTED.glob("*.txt")} == set(CASES)
