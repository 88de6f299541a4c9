"""The shipped Red River basin against the public record and its own sources.

Recorded means, constants here because the daily record is not part of the project:

- Son Tay, 1 June 1989 - 31 May 2010: mean of the daily flows of AI4RedRiver in-situ data
  (https://github.com/IvanSerina/AI4RedRiver, CC BY 4.0, Prof. Ngo Le An, Thuyloi University, and
  Prof. Ivan Serina, University of Brescia; original measurements by VNMHA and EVN). So are the
  three gauges above it.
- Hoa Binh 1989-2009: the same record. Lai Chau 1994-2005: monthly means of the Politecnico di
  Milano case study. Ban Chat 2016-2026: EVN hourly reports. Thac Ba, Tuyen Quang: design means.

Zone totals of demand are the estimates of 2023 that SOURCES.md explains.
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[2]
BASIN = REPOSITORY / "basins" / "red_river"
RECORDED = REPOSITORY / "docs" / "validation" / "data"
PUBLIC_DATA = REPOSITORY.parent / "shared" / "red_river"

SON_TAY_M3S = 3383.24
GAUGES_M3S = {"hoa_binh": 1748.84, "yen_bai": 722.43, "vu_quang": 987.56}
RESERVOIRS_M3S = {
    "lai_chau": 967.0,
    "ban_chat": 120.0,
    "hoa_binh": 1752.0,
    "thac_ba": 190.0,
    "tuyen_quang": 317.0,
}
ZONES_HM3 = {
    "da_headwaters": (137, 765, 60, 60),
    "thao": (137, 612, 150, 60),
    "lo_gam_chay": (70, 360, 50, 40),
    "cau_thuong_luc_nam": (183, 945, 260, 110),
    "ha_noi": (588, 884, 330, 130),
    "vinh_phuc_bac_ninh": (156, 656, 240, 70),
    "bac_hung_hai_hai_duong_hung_yen": (171, 912, 200, 110),
    "hai_phong_quang_ninh": (199, 484, 220, 150),
    "thai_binh": (95, 855, 60, 100),
    "nam_dinh_ha_nam_ninh_binh": (199, 1539, 150, 140),
}
PROVINCES_2025 = {
    "tuyen_quang": {"ha_giang", "tuyen_quang"},
    "cao_bang": {"cao_bang"},
    "lai_chau": {"lai_chau"},
    "dien_bien": {"dien_bien"},
    "son_la": {"son_la"},
    "lang_son": {"lang_son"},
    "lao_cai": {"lao_cai", "yen_bai"},
    "thai_nguyen": {"thai_nguyen", "bac_kan"},
    "phu_tho": {"phu_tho", "vinh_phuc", "hoa_binh"},
    "bac_ninh": {"bac_ninh", "bac_giang"},
    "ha_noi": {"ha_noi"},
    "quang_ninh": {"quang_ninh"},
    "hai_phong": {"hai_phong", "hai_duong"},
    "hung_yen": {"hung_yen", "thai_binh"},
    "ninh_binh": {"ninh_binh", "nam_dinh", "ha_nam"},
}
MERGED_INTO = {old: new for new, merged in PROVINCES_2025.items() for old in merged}
WAY_OF_THE_RIVERS = (
    ("da_border", "lai_chau", "son_la", "ta_bu", "hoa_binh", "viet_tri"),
    ("ban_chat", "huoi_quang", "son_la"),
    ("thao_border", "lao_cai", "yen_bai", "viet_tri"),
    ("lo_border", "ha_giang", "vu_quang", "viet_tri"),
    ("tuyen_quang", "vu_quang"),
    ("thac_ba", "vu_quang"),
    ("viet_tri", "son_tay", "duong_offtake", "ha_noi", "hung_yen", "nam_dinh", "ba_lat"),
    ("son_tay", "day_upper", "day_mouth"),
    ("duong_offtake", "duong", "pha_lai", "thai_binh_mouth"),
    ("hung_yen", "luoc", "thai_binh_mouth"),
    ("hung_yen", "tra_ly", "tra_ly_mouth"),
    ("nam_dinh", "doc_bo", "day_mouth"),
    ("nam_dinh", "ninh_co", "ninh_co_mouth"),
    ("bac_kan", "thai_nguyen", "dap_cau", "pha_lai"),
    ("nui_coc", "dap_cau"),
    ("chi_lang", "bac_giang", "pha_lai"),
    ("cam_son", "bac_giang"),
    ("luc_nam", "pha_lai", "bach_dang_mouth"),
)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(BASIN / name, index_col=0, keep_default_na=False)


@pytest.fixture(scope="module")
def nodes() -> pd.DataFrame:
    return read("nodes.csv")


@pytest.fixture(scope="module")
def links() -> pd.DataFrame:
    return read("links.csv")


@pytest.fixture(scope="module")
def rivers(nodes: pd.DataFrame, links: pd.DataFrame) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(nodes.index)
    graph.add_edges_from(zip(links["from"], links["to"], links.index, strict=True))
    return graph


@pytest.fixture(scope="module")
def inflow_m3s() -> pd.DataFrame:
    return pd.read_csv(BASIN / "series" / "inflow_m3s.csv", index_col="date", parse_dates=True)


@pytest.fixture(scope="module")
def demands() -> pd.DataFrame:
    return read("demands.csv").astype({"annual_hm3": float, "return_lag_periods": int})


@pytest.fixture(scope="module")
def reservoirs() -> pd.DataFrame:
    numbers = dict.fromkeys(["dead_hm3", "normal_hm3", "initial_hm3"], float)
    return read("reservoirs.csv").astype(numbers)


@pytest.fixture(scope="module")
def declared() -> dict:
    return YAML(typ="safe").load(BASIN / "basin.yaml")


def mean_above(node: str, inflow_m3s: pd.DataFrame, rivers: nx.MultiDiGraph) -> float:
    """Mean of all local inflow at and above a node [m3/s], weighted by the days of each dekad."""
    above = nx.ancestors(rivers, node) | {node}
    total = inflow_m3s[[name for name in inflow_m3s if name in above]].sum(axis=1)
    days = np.diff([*total.index, pd.Timestamp("2010-06-01")]) / pd.Timedelta(days=1)
    return float(np.average(total, weights=days))


def test_inflow_above_son_tay_is_the_recorded_flow(inflow_m3s, rivers):
    assert mean_above("son_tay", inflow_m3s, rivers) == pytest.approx(SON_TAY_M3S, rel=0.03)


@pytest.mark.parametrize("reservoir", RESERVOIRS_M3S)
def test_inflow_of_large_reservoirs(reservoir, inflow_m3s, rivers):
    mean = mean_above(reservoir, inflow_m3s, rivers)
    assert mean == pytest.approx(RESERVOIRS_M3S[reservoir], rel=0.10)


@pytest.mark.parametrize("gauge", GAUGES_M3S)
def test_parts_of_a_gauge_add_up_to_it(gauge, inflow_m3s, rivers):
    mean = mean_above(gauge, inflow_m3s, rivers)
    assert mean == pytest.approx(GAUGES_M3S[gauge], abs=0.01)


def test_inflow_has_every_dekad_of_21_june_to_may_years(inflow_m3s, nodes):
    dekads = [
        f"{year}-{month:02d}-{day:02d}"
        for year in range(1989, 2011)
        for month in range(1, 13)
        for day in (1, 11, 21)
    ]
    wanted = [dekad for dekad in dekads if "1989-06-01" <= dekad < "2010-06-01"]
    assert list(inflow_m3s.index.strftime("%Y-%m-%d")) == wanted
    assert len(wanted) == 21 * 36
    assert np.isfinite(inflow_m3s.to_numpy()).all()
    assert (inflow_m3s >= 0).all(axis=None)
    assert (
        set(nodes.index[nodes["kind"] == "inflow"]) <= set(inflow_m3s.columns) <= set(nodes.index)
    )


def test_places_of_the_basin_lie_along_their_rivers(rivers):
    for river in WAY_OF_THE_RIVERS:
        for upper, lower in pairwise(river):
            assert nx.has_path(rivers, upper, lower), (upper, lower)


def test_size_and_kinds(nodes, reservoirs):
    assert 50 <= len(nodes) <= 62
    assert nodes.index.is_unique
    assert set(nodes.index[nodes["kind"] == "reservoir"]) == set(reservoirs.index)
    assert set(reservoirs.index) == {
        "lai_chau",
        "ban_chat",
        "huoi_quang",
        "son_la",
        "hoa_binh",
        "thac_ba",
        "tuyen_quang",
        "nui_coc",
        "cam_son",
    }
    assert nodes["lon"].astype(float).between(102.1, 107.1).all()
    assert nodes["lat"].astype(float).between(19.8, 23.4).all()


def test_water_runs_to_the_sea_and_never_in_a_circle(nodes, rivers, demands):
    sinks = set(nodes.index[nodes["kind"] == "sink"])
    with_returns = nx.DiGraph(rivers)
    with_returns.add_edges_from(
        (node, to)
        for node, to in zip(demands["node"], demands["return_to"], strict=True)
        if node != to
    )
    assert nx.is_directed_acyclic_graph(with_returns)
    assert {node for node in rivers if rivers.out_degree(node) == 0} == sinks
    for node in set(nodes.index) - sinks:
        assert nx.descendants(rivers, node) & sinks, node


def test_returns_reach_nobody_upstream_and_no_intake_of_their_own(nodes, rivers, demands):
    for name, row in demands.iterrows():
        if row["node"] == row["return_to"]:
            is_lake = nodes.at[row["node"], "kind"] == "reservoir"
            assert is_lake or row["return_lag_periods"] >= 1, name
        else:
            # downstream, or across a divide like Vinh Phuc's to the Cau; never back upstream
            assert row["return_to"] not in nx.ancestors(rivers, row["node"]), name


def test_demands_name_what_is_declared(nodes, demands, declared):
    assert set(demands["sector"]) == set(declared["sectors"])
    assert set(demands["province"]) == set(declared["provinces"]) == set(MERGED_INTO)
    assert len(declared["provinces"]) == 25
    assert set(demands["region"]) == set(declared["regions"])
    assert set(demands["node"]) | set(demands["return_to"]) <= set(nodes.index)
    assert set(demands["pattern"]) <= set(read("patterns.csv").index)
    # every province asks for every use
    assert set(zip(demands["province"], demands["sector"], strict=True)) == {
        (province, sector) for province in declared["provinces"] for sector in declared["sectors"]
    }
    for name, row in demands.iterrows():
        assert row["region"] == declared["provinces"][row["province"]]["region"], name


def test_demands_of_a_zone_add_up_to_its_total(demands):
    column = {"domestic": 0, "irrigation": 1, "industry": 2, "aquaculture": 3, "livestock_other": 3}
    totals = demands.groupby(["meta_zone", demands["sector"].map(column)])["annual_hm3"].sum()
    for zone, zone_hm3 in ZONES_HM3.items():
        assert totals[zone].to_list() == pytest.approx(list(zone_hm3), abs=1e-9), zone
    assert demands["annual_hm3"].sum() == pytest.approx(12_637, abs=1e-6)
    assert (demands["annual_hm3"] > 0).all()


@pytest.mark.parametrize("table", ["nodes.csv", "demands.csv"])
def test_provinces_of_2025(table):
    rows = read(table)
    assert rows["meta_province_2025"].to_list() == [MERGED_INTO[old] for old in rows["province"]]


def test_names_in_both_languages(nodes, links, demands, declared):
    named = (read("environmental_flows.csv"), read("hydropower.csv"))
    for rows in (nodes, links, demands, *named):
        assert (rows["name_en"] != "").all()
        assert (rows["name_vi"] != "").all()
        # every name here has a letter that plain ASCII lacks
        assert not rows["name_vi"].map(str.isascii).any()
        assert rows["name_vi"].map(lambda text: text == text.strip()).all()
    assert declared["provinces"]["dien_bien"]["vi"] == "Điện Biên"
    assert declared["provinces"]["hoa_binh"]["vi"] == "Hòa Bình"
    assert nodes.at["huoi_quang", "name_vi"] == "Hồ Huội Quảng"


def hold_by_date(name: str) -> pd.Series:
    """Values of a pattern by its start."""
    rows = read("patterns.csv").loc[[name]]
    return rows.set_index("start")["value"].astype(float)


def level_to_storage(reservoir: str, level_m: float) -> float:
    rows = read("curves.csv").loc[reservoir].astype({"x": float, "y": float})
    curve = rows[rows["y_unit"] == "m"]
    return float(np.interp(level_m, curve["y"], curve["x"]))


def test_reservoir_storages(reservoirs):
    normal_hm3 = {
        "lai_chau": 1215.1,
        "ban_chat": 2137,
        "huoi_quang": 184,
        "son_la": 9260,
        "hoa_binh": 9870,
        "thac_ba": 2940,
        "tuyen_quang": 2240,
        "nui_coc": 210,
        "cam_son": 307,
    }
    active_hm3 = {
        "lai_chau": 799.7,
        "ban_chat": 1702,
        "huoi_quang": 16,
        "son_la": 6530,
        "hoa_binh": 6070,
        "thac_ba": 2160,
        "tuyen_quang": 1700,
    }
    active = reservoirs["normal_hm3"] - reservoirs["dead_hm3"]
    assert reservoirs["normal_hm3"].to_dict() == pytest.approx(normal_hm3)
    assert active[list(active_hm3)].to_dict() == pytest.approx(active_hm3)
    assert (reservoirs["initial_hm3"] >= reservoirs["dead_hm3"]).all()
    assert (reservoirs["initial_hm3"] <= reservoirs["normal_hm3"]).all()


@pytest.mark.parametrize(
    ("reservoir", "levels_m"),
    [
        ("son_la", (200, 197.3, 209)),
        ("hoa_binh", (105, 101, 110)),
        ("tuyen_quang", (105.2, 105.2, 115)),
        ("thac_ba", (57, 56, 56)),
        ("lai_chau", (290, 290, 290)),
    ],
)
def test_flood_limits_follow_the_dates_of_the_decision(reservoir, levels_m, reservoirs):
    limits = hold_by_date(f"{reservoir}_flood_limit")
    in_season = [level_to_storage(reservoir, level) for level in levels_m]
    normal = reservoirs.at[reservoir, "normal_hm3"]
    assert limits.index.to_list() == ["01-01", "06-15", "07-20", "08-22", "09-16"]
    assert limits.to_list() == pytest.approx([normal, *in_season, normal], abs=0.05)
    assert reservoirs.at[reservoir, "flood_limit_hm3"] == f"pattern:{reservoir}_flood_limit"


def test_flood_limits_can_always_be_kept(links, reservoirs):
    spillways = links[links["kind"] == "spillway"]
    assert set(spillways["from"]) == set(reservoirs.index)
    assert (spillways["capacity_m3s"] == "").all()


def test_minimum_levels_start_below_the_first_of_june(reservoirs):
    for reservoir in ("hoa_binh", "thac_ba", "tuyen_quang"):
        least_m = hold_by_date(f"{reservoir}_minimum_level")
        assert (
            level_to_storage(reservoir, least_m["06-01"]) < reservoirs.at[reservoir, "initial_hm3"]
        )
        assert level_to_storage(reservoir, least_m.max()) < reservoirs.at[reservoir, "normal_hm3"]
    assert hold_by_date("hoa_binh_minimum_level")["09-16"] == 112.9
    assert hold_by_date("thac_ba_minimum_level")["09-16"] == 55.0


def test_releases_of_the_decision():
    release = hold_by_date("hoa_binh_release_art16")
    assert release.to_list() == [700, 800, 600, 800, 600, 214, 214, 214, 214, 300, 600, 700]
    assert hold_by_date("thac_ba_spell_release").max() == 280
    assert hold_by_date("tuyen_quang_spell_release").max() == 500
    least = read("environmental_flows.csv")["minimum_m3s"].astype(float)
    assert least.to_dict() == {
        "hoa_binh_minimum": 214,
        "thac_ba_minimum": 30.5,
        "tuyen_quang_minimum": 47,
    }


@pytest.mark.parametrize(
    "use", ["irrigation_delta", "irrigation_highland", "domestic", "aquaculture"]
)
def test_patterns_of_use_have_a_yearly_mean_of_one(use):
    rate = hold_by_date(use)
    starts = pd.to_datetime("2001-" + rate.index)
    days = np.diff([*starts, pd.Timestamp("2002-01-01")]) / pd.Timedelta(days=1)
    assert starts[0] == pd.Timestamp("2001-01-01")
    assert np.average(rate, weights=days) == pytest.approx(1, abs=1e-5)


def test_sources_are_named_and_credited():
    text = (BASIN / "SOURCES.md").read_text(encoding="utf-8")
    for credit in ("CC BY 4.0", "Ngo Le An", "Ivan Serina", "VNMHA", "EVN"):
        assert credit in text
    for table in sorted(BASIN.glob("*.csv")):
        assert f"### {table.name}" in text, table.name
    for table in sorted((BASIN / "derivation").glob("*.csv")):
        rows = pd.read_csv(table, keep_default_na=False)
        assert set(rows["status"]) <= {"stated", "derived", "estimate"}, table.name
        unsourced = rows[(rows["status"] == "stated") & (rows.get("source", "") == "")]
        assert unsourced.empty, table.name


def test_daily_record_is_not_shipped():
    days_of_record = 7670
    for path in (*BASIN.rglob("*.csv"), *RECORDED.rglob("*.csv")):
        assert len(path.read_text(encoding="utf-8").splitlines()) < days_of_record / 5, path.name


@pytest.mark.skipif(
    not PUBLIC_DATA.is_dir(), reason="the public data set is not beside the project"
)
def test_derivation_gives_the_same_bytes(tmp_path):
    copy = tmp_path / "basins" / "red_river"
    shutil.copytree(BASIN, copy, ignore=shutil.ignore_patterns("__pycache__"))
    derived = [
        "patterns.csv",
        "curves.csv",
        "reservoirs.csv",
        "demands.csv",
        "series/inflow_m3s.csv",
    ]
    for name in derived:
        (copy / name).unlink()
    recorded = sorted(path.name for path in RECORDED.glob("*.csv"))
    done = subprocess.run(
        [sys.executable, str(copy / "derive.py"), str(PUBLIC_DATA)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    same, changed, missing = filecmp.cmpfiles(BASIN, copy, derived, shallow=False)
    assert (same, changed, missing) == (derived, [], [])
    rebuilt = tmp_path / "docs" / "validation" / "data"
    assert recorded == sorted(path.name for path in rebuilt.iterdir())
    same, changed, missing = filecmp.cmpfiles(RECORDED, rebuilt, recorded, shallow=False)
    assert (same, changed, missing) == (recorded, [], [])
    # the tables of checks in SOURCES.md are those the script prints
    sources = (BASIN / "SOURCES.md").read_text(encoding="utf-8")
    for table in done.stdout.strip().split("\n\n"):
        assert table in sources
