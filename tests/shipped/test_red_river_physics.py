"""Plants, travel times, branches and levels of the shipped basin against record and sources.

Recorded figures are those of ``docs/validation/data``, derived from AI4RedRiver in-situ data
(https://github.com/IvanSerina/AI4RedRiver, CC BY 4.0, Prof. Ngo Le An, Thuyloi University, and
Prof. Ivan Serina, University of Brescia; original measurements by VNMHA and EVN).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[2]
BASIN = REPOSITORY / "basins" / "red_river"
RECORDED = REPOSITORY / "docs" / "validation" / "data"

PLANTS = ("lai_chau", "ban_chat", "huoi_quang", "son_la", "hoa_binh", "thac_ba", "tuyen_quang")
# Plausible mean levels of the lakes [m]; those of the two lakes below others hold there too.
LEVEL_M = {
    "lai_chau": 288,
    "ban_chat": 461,
    "huoi_quang": 369.5,
    "son_la": 206,
    "hoa_binh": 107,
    "thac_ba": 55,
    "tuyen_quang": 110,
}
GRAVITY = 9.81e-3  # MW per m3/s and m
HOURS_OF_YEAR = 8766


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(BASIN / name, index_col=0)


def curve(name: str, y_unit: str) -> tuple[np.ndarray, np.ndarray]:
    rows = read("curves.csv").loc[name]
    rows = rows[rows["y_unit"] == y_unit]
    return rows["x"].to_numpy(), rows["y"].to_numpy()


def monthly(pattern: str) -> np.ndarray:
    rows = read("patterns.csv").loc[pattern]
    assert rows["start"].to_list() == [f"{month:02d}-01" for month in range(1, 13)]
    return rows["value"].to_numpy()


@pytest.fixture(scope="module")
def plants() -> pd.DataFrame:
    return read("hydropower.csv")


@pytest.fixture(scope="module")
def links() -> pd.DataFrame:
    return read("links.csv")


@pytest.fixture(scope="module")
def rivers(links: pd.DataFrame) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_edges_from(zip(links["from"], links["to"], strict=True))
    return graph


# --- plants


def test_every_large_dam_has_a_plant_on_its_turbines(plants, links):
    assert tuple(plants.index) == PLANTS
    for plant, row in plants.iterrows():
        assert links.at[row["link"], "from"] == plant
        assert links.at[row["link"], "kind"] == "turbine"
        assert row["max_turbine_m3s"] == links.at[row["link"], "capacity_m3s"]
    assert set(plants["link"]) == set(links.index[links["kind"] == "turbine"])
    assert plants["capacity_mw"].to_list() == [1200, 220, 520, 2400, 1920, 120, 342]


def test_a_lake_that_sets_a_tailwater_is_the_next_one_down(plants, rivers):
    lakes = set(plants.index)
    below = plants["tailwater_reservoir"].dropna()
    assert below.to_dict() == {
        "lai_chau": "son_la",
        "ban_chat": "huoi_quang",
        "huoi_quang": "son_la",
        "son_la": "hoa_binh",
    }
    for plant, lake in below.items():
        way = nx.shortest_path(rivers, plant, lake)
        assert lakes.isdisjoint(way[1:-1])


def head_m(plants: pd.DataFrame, plant: str, release_m3s: float) -> float:
    row = plants.loc[plant]
    downs = []
    if isinstance(row["tailwater_curve"], str):
        downs.append(np.interp(release_m3s, *curve(row["tailwater_curve"], "m")))
    else:
        downs.append(row["tailwater_m"])
    if isinstance(row["tailwater_reservoir"], str):
        downs.append(LEVEL_M[row["tailwater_reservoir"]])
    return LEVEL_M[plant] - max(downs) - np.nan_to_num(row["head_loss_m"])


@pytest.mark.parametrize("plant", PLANTS)
def test_stated_energy_is_within_reach(plant, plants, rivers):
    """From releases equal to inflow, with spill, to all water turbined.

    Huoi Quang is stated for a mean flow of 158.1 m3/s; the series has 122.8.
    """
    inflow = pd.read_csv(BASIN / "series" / "inflow_m3s.csv", index_col="date", parse_dates=True)
    days = np.diff([*inflow.index, pd.Timestamp("2010-06-01")]) / pd.Timedelta(days=1)
    above = nx.ancestors(rivers, plant) | {plant}
    flow = inflow[[name for name in inflow if name in above]].sum(axis=1).to_numpy()
    mean = np.average(flow, weights=days)
    row, head = plants.loc[plant], head_m(plants, plant, mean)
    efficiency = row["efficiency_fraction"]
    if np.isnan(efficiency):
        efficiency = np.interp(head, *curve(row["efficiency_curve"], "fraction"))
    per_m3s = GRAVITY * efficiency * head
    through = np.minimum(flow, row["max_turbine_m3s"])
    run_of_river = np.average(np.minimum(per_m3s * through, row["capacity_mw"]), weights=days)
    least, most = (mw * HOURS_OF_YEAR / 1000 for mw in (run_of_river, per_m3s * mean))
    stated = pd.read_csv(RECORDED / "energy.csv", index_col="plant").at[plant, "stated_gwh"]
    if plant == "huoi_quang":
        assert mean == pytest.approx(122.8, abs=0.05)
        least, most = (value * 158.1 / mean for value in (least, most))
    assert least * 0.98 <= stated <= most * 1.02


def test_efficiency_of_hoa_binh_follows_the_record():
    """Mean over the recorded heads 0.88: energy 8,043 GWh/year of 1995-2012."""
    head, efficiency = curve("hoa_binh_efficiency", "fraction")
    assert efficiency.min() >= 0.85
    assert efficiency.max() <= 0.905
    assert head[efficiency.argmax()] == pytest.approx(82.5, abs=3)
    energy = pd.read_csv(RECORDED / "energy.csv", index_col="plant")
    assert energy.at["hoa_binh", "low_gwh"] == 8043


def test_tailwater_of_hoa_binh_is_the_polynomial():
    flow, level = curve("hoa_binh_tailwater", "m")
    at = np.arange(0, 20_001)
    wanted = 11.660165 + 2.08777e-3 * at - 1.363777e-7 * at**2 + 3.66357e-12 * at.astype(float) ** 3
    assert np.abs(np.interp(at, flow, level) - wanted).max() < 0.056


@pytest.mark.parametrize(
    ("plant", "release", "level"),
    [
        ("lai_chau", 4869, 208.35),
        ("son_la", 2724, 117.11),
        ("thac_ba", 272.8, 23.33),
        ("tuyen_quang", 117, 48.37),
        ("tuyen_quang", 600, 50.1),
        ("tuyen_quang", 729, 50.51),
    ],
)
def test_reported_tailwaters(plant, release, level):
    assert np.interp(release, *curve(f"{plant}_tailwater", "m")) == pytest.approx(level)


# --- travel times


@pytest.mark.parametrize(("gauge", "hours"), [("hoa_binh", 18), ("yen_bai", 24), ("vu_quang", 18)])
def test_travel_times_to_son_tay(gauge, hours, links):
    graph = nx.DiGraph()
    for row in links[links["kind"] != "spillway"].itertuples():
        graph.add_edge(row._1, row.to, hours=np.nan_to_num(row.lag_h))
    way = nx.shortest_path(graph, gauge, "son_tay")
    assert sum(graph.edges[edge]["hours"] for edge in pairwise(way)) == hours


def test_links_with_a_lag_have_water_on_its_way(links):
    lagged = links[links["lag_h"].notna()]
    assert (lagged["initial_m3s"] > 0).all()
    assert links.loc[links["lag_h"].isna(), "initial_m3s"].isna().all()
    # late May of the record: what passes Son Tay is what passed the three gauges
    gauges = ["hoa_binh_city_to_trung_ha", "yen_bai_to_phu_tho", "vu_quang_to_viet_tri"]
    total = lagged.loc[gauges, "initial_m3s"].sum()
    assert lagged.at["viet_tri_to_son_tay", "initial_m3s"] == pytest.approx(total, abs=0.2)


# --- branches


def test_duong_takes_what_the_record_says():
    recorded = pd.read_csv(RECORDED / "duong_share.csv").set_index(["epoch", "month"])
    year = {"1989-2000": 0.258, "2001-2009": 0.291, "2010-2017": 0.347, "2018-2022": 0.389}
    for epoch, share in year.items():
        assert recorded.at[(epoch, "year"), "share_fraction"] == pytest.approx(share, abs=0.0011)
        by_month = [recorded.at[(epoch, str(m)), "share_fraction"] for m in range(1, 13)]
        assert monthly(f"duong_share_{epoch.replace('-', '_')}").tolist() == by_month
    splits = read("splits.csv")
    duong = splits[splits["link"] == "duong_distributary"]
    assert duong["from_year"].to_list() == [1989, 2001, 2010, 2018]
    for before, after in pairwise(duong.itertuples()):
        assert before.to_year + 1 == after.from_year


@pytest.mark.parametrize(
    ("split", "branch", "goes_on"),
    [("luoc", 7, 67.72), ("tra_ly", 9.06, 58.66), ("dao", 17.78, 39.99), ("ninh_co", 6.07, 31.3)],
)
def test_shares_below_ha_noi(split, branch, goes_on):
    """Percent of Son Tay in the branch and in the river below it, by one older model (NAMTB)."""
    share = float(read("splits.csv").at[split, "share_fraction"])
    assert share == pytest.approx(branch / (branch + goes_on), abs=6e-4)


def test_splits_stand_on_branches_of_their_node(links):
    for row in read("splits.csv").itertuples():
        assert links.at[row.link, "from"] == row.node
        assert links.at[row.link, "kind"] == "distributary"
    assert set(links.index[links["kind"] == "distributary"]) == set(read("splits.csv")["link"])


# --- levels of Ha Noi

COEFFICIENTS = {  # a ln(Q)^2 + b ln(Q) + c [m], first and last flow [m3/s]
    "ha_noi_1994_1998": (0.66771, -7.51137, 23.00792, 697, 5930),
    "ha_noi_2000_2004": (0.51978, -5.33452, 14.83040, 709, 6830),
    "ha_noi_2005_2009": (0.77918, -9.29211, 29.14664, 407, 9590),
    "ha_noi_2010_2014": (0.39891, -4.24979, 11.88634, 207, 3660),
    "ha_noi_2015_2019": (0.62686, -7.65437, 24.09264, 449, 4070),
    "ha_noi_2018_2022": (0.66115, -8.11263, 25.49807, 472, 5990),
    "son_tay_1994_1998": (1.66890, -23.47840, 85.60263, 1135, 7030),
    "son_tay_2000_2004": (0.21730, -1.12165, -0.10549, 160, 10400),
    "son_tay_2005_2009": (0.89278, -11.63801, 39.40394, 769, 12227),
    "son_tay_2010_2014": (0.35723, -4.02517, 11.87645, 493, 5740),
    "son_tay_2015_2019": (0.63767, -8.49267, 29.13159, 780, 5650),
    "son_tay_2018_2022": (0.65158, -8.83542, 30.75718, 881, 11500),
}


@pytest.mark.parametrize("rating", COEFFICIENTS)
def test_levels_follow_the_relation(rating):
    a, b, c, first, last = COEFFICIENTS[rating]
    flow, level = curve(f"ha_noi_level_by_{rating}", "m")
    assert (flow[0], flow[-1]) == (first, last)
    assert (np.diff(level) > 0).all()
    at = np.arange(first, last + 1)
    wanted = a * np.log(at) ** 2 + b * np.log(at) + c
    assert np.abs(np.interp(at, flow, level) - wanted).max() <= 0.0036  # 3 mm, and the rounding


@pytest.mark.parametrize(
    ("rating", "flow"),
    [
        ("ha_noi_2005", 1041),
        ("ha_noi_2010", 1556),
        ("ha_noi_2015", 2077),
        ("ha_noi_2018", 2176),
        ("ha_noi_by_son_tay_2005", 1666),
        ("ha_noi_by_son_tay_2010", 2418),
        ("ha_noi_by_son_tay_2015", 3333),
        ("ha_noi_by_son_tay_2018", 3801),
    ],
)
def test_flow_that_holds_the_level_of_the_decision(rating, flow):
    """2.2 m at Ha Noi; the public data set states the flows."""
    flows, levels = curve(read("ratings.csv").at[rating, "curve"], "m")
    assert np.interp(2.2, levels, flows) == pytest.approx(flow, rel=0.003)


@pytest.mark.parametrize("flow_at", ["ha_noi", "son_tay"])
def test_every_year_has_one_rating(flow_at):
    ratings = read("ratings.csv")
    ratings = ratings[ratings["flow_at"] == flow_at]
    assert ratings["from_year"].to_list() == [1994, 1999, 2005, 2010, 2015, 2018]
    for before, after in pairwise(ratings.itertuples()):
        assert before.to_year + 1 == after.from_year
    assert set(ratings["node"]) == {"ha_noi"}


# --- the record to lay results beside


def test_regulated_dekads_close_at_son_tay():
    """June 2010 - May 2022: Hoa Binh, Yen Bai and Vu Quang against Son Tay, within 1.5 %."""
    dekads = pd.read_csv(RECORDED / "regulated_dekads.csv", index_col="date", parse_dates=True)
    wanted = [
        f"{year}-{month:02d}-{day:02d}"
        for year in range(2010, 2023)
        for month in range(1, 13)
        for day in (1, 11, 21)
    ]
    wanted = [dekad for dekad in wanted if "2010-06-01" <= dekad < "2022-06-01"]
    assert list(dekads.index.strftime("%Y-%m-%d")) == wanted
    assert np.isfinite(dekads.to_numpy()).all()
    days = np.diff([*dekads.index, pd.Timestamp("2022-06-01")]) / pd.Timedelta(days=1)
    means = pd.Series(np.average(dekads, axis=0, weights=days), dekads.columns)
    above = means[["hoa_binh_release_m3s", "yen_bai_m3s", "vu_quang_m3s"]].sum()
    assert above == pytest.approx(means["son_tay_m3s"], rel=0.015)
    assert 1 - means["ha_noi_m3s"] / means["son_tay_m3s"] == pytest.approx(0.364, abs=0.005)


def test_recorded_means():
    flows = pd.read_csv(RECORDED / "flows_monthly.csv").set_index(["gauge", "period", "month"])
    means = flows["mean_m3s"]
    assert means["hoa_binh_inflow", "1989-2009", "year"] == pytest.approx(1752, abs=1)
    assert means["son_tay", "2010-2022", "year"] == pytest.approx(3002, abs=1)
    assert means["son_tay", "1989-06 to 2010-05", "year"] == pytest.approx(3383.24, abs=0.1)
    assert means["ha_noi", "2010-2022", "2"] == pytest.approx(1088, abs=1)


def test_reported_figures_have_their_sources():
    for name in ("energy", "spell_releases", "full_reservoirs"):
        rows = pd.read_csv(RECORDED / f"{name}.csv", keep_default_na=False)
        assert set(rows["status"]) <= {"stated", "derived", "estimate"}
        assert (rows.loc[rows["status"] != "estimate", "source"] != "").all()
    spells = pd.read_csv(RECORDED / "spell_releases.csv")
    assert spells.loc[spells["kind"] == "reported", "volume_hm3"].to_list() == [5140, 2780]
    of_hoa_binh = spells[(spells["kind"] == "record") & (spells["place"] == "hoa_binh")]
    assert len(of_hoa_binh) == 34
