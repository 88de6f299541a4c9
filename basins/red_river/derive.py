"""Derive the computed tables of the Red River - Thai Binh basin from the public record.

Run from anywhere::

    python basins/red_river/derive.py PATH_TO_PUBLIC_DATA_SET

``PATH_TO_PUBLIC_DATA_SET`` is a folder with these files (columns as in the public data set)::

    series_red_river_daily_1989_2022.csv   daily flows and levels
    monthly_flows.csv                      monthly means of gauges
    sub_basins.csv                         annual volumes
    climate_monthly.csv                    mean monthly rain and evaporation
    reservoirs.csv, reservoir_curves.csv   dams
    operating_rules.csv                    flood levels, minimum levels, releases
    demands.csv, irrigation_pattern.csv    zone totals and monthly shares
    delta_relations.csv                    levels of Ha Noi by flow, shares of the Duong

The script reads the hand-written tables beside it (``basin.yaml``, ``nodes.csv``, ``links.csv``,
``derivation/*.csv``) and writes ``patterns.csv``, ``curves.csv``, ``reservoirs.csv``,
``demands.csv``, ``works.csv``, ``series/inflow_m3s.csv`` and, to compare results with, the recorded
figures in ``docs/validation/data`` two folders up. It is deterministic: same input, same bytes. At
the end it checks inflow, energy of Hoa Binh, travel times and channel flows against the record and
prints the tables that SOURCES.md carries; a figure outside its limit stops it with exit code 1.

The daily record is AI4RedRiver in-situ data (https://github.com/IvanSerina/AI4RedRiver), licensed
CC BY 4.0, credit Prof. Ngo Le An (Thuyloi University) and Prof. Ivan Serina (University of
Brescia); original measurements by VNMHA and EVN. What is derived from it (10-day local inflows,
means, sums, relations) is kept; the record itself is not. Source keys in capitals (BANG23, TVSA,
...) are listed in SOURCES.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

PatternRow = tuple[str, str, float, str]  # pattern, start as MM-DD, value, unit

BASIN = Path(__file__).resolve().parent
DERIVATION = BASIN / "derivation"
VALIDATION = BASIN.parents[1] / "docs" / "validation" / "data"

# Record years. Son La closed in May 2010: until then the Hoa Binh inflow is natural.
RECORD_START = "1989-06-01"
RECORD_END = "2010-05-31"
LAST_FIRST_JUNE = "2010-06-01"  # end of the last record year
N_DEKADS = 756
POLIMI_YEARS = slice("1994-01-01", "2005-12-31")  # of the Lai Chau, Nam Giang, Ta Bu means

DEKAD_FIRST_DAYS = (1, 11, 21)
DAYS_OF_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])  # of 365 days
SECONDS_OF_YEAR = 365.25 * 86400.0

# Da River
NAM_MU_VOLUME_KM3 = 4.144  # LCAU, stated: Ban Chat plus Huoi Quang local
TA_BU_SHARE_OF_LOWER_LOCAL = 0.22  # estimate: area between Son La dam and Ta Bu
MINIMUM_HOA_BINH_LOCAL_SHARE = 0.05  # estimate: months in which Ta Bu exceeds Hoa Binh
DA_NODES = (
    "da_border",
    "lai_chau",
    "nam_na",
    "ban_chat",
    "huoi_quang",
    "son_la",
    "ta_bu",
    "hoa_binh",
)

# Delta
DELTA_RAIN_STATIONS = ("hung_yen", "lang", "son_tay", "ba_vi", "kim_boi", "chu")
DELTA_EVAPORATION_STATIONS = ("ha_noi", "hung_yen")
DELTA_BASEFLOW_SHARE = 0.10  # estimate: part of the yearly runoff that is even over the year

# Open-water evaporation over station evaporation; estimate: the yearly totals of 620-964 mm are
# those of Piche tubes, which read below open water.
OPEN_WATER_PER_STATION_EVAPORATION = 1.2

# Flood seasons of Decision 740/QD-TTg, Art. 6 (QA740_6, stated)
FLOOD_SEASONS = {
    "early": ("06-15", "07-19"),
    "main": ("07-20", "08-21"),
    "late": ("08-22", "09-15"),
}
SEASON_RESERVOIRS = ("lai_chau", "son_la", "hoa_binh", "thac_ba", "tuyen_quang")
# First source that has a level for the season wins: (authority starts with, rule type).
LEVEL_PREFERENCE = (
    ("Decision 740", "max_level_before_flood"),  # press reports
    ("official guidelines", "max_level"),  # TVSA
    ("unofficial compilation", "max_level_before_flood"),  # DASH
)
LARGE_RESERVOIRS = (
    "lai_chau",
    "ban_chat",
    "huoi_quang",
    "son_la",
    "hoa_binh",
    "thac_ba",
    "tuyen_quang",
)
SMALL_RESERVOIRS = ("nui_coc", "cam_son")
MONTHS_WITHOUT_DAILY_RELEASE = (6, 7, 8, 9)  # Art. 16.3b names October to May

# Demand zones are totals of demands.csv; the two last sectors share one total.
ZONE_TOTAL_PERIOD = "2023 (present)"
ZONE_SECTOR = {
    "domestic": "domestic",
    "irrigation": "irrigation",
    "livestock_other": "aquaculture_livestock_other",
    "aquaculture": "aquaculture_livestock_other",
    "industry": "industry",
}
WEIGHT_OF_PROVINCE = {
    "domestic": "population_thousand",
    "irrigation": "sown_rice_thousand_ha",
    "livestock_other": "pigs_thousand",
    "aquaculture": "freshwater_ponds_thousand_ha",
    "industry": "population_thousand",
}

# Hoa Binh plant. The record gives energy as means of calendar weeks, Monday to Sunday.
ENERGY_WEEKS = slice("1995-01-02", "2012-12-30")  # all eight units; later the source repeats itself
TAILWATER_M = (11.660165, 2.08777e-3, -1.363777e-7, 3.66357e-12)  # POLIMI, by release [m3/s]
TAILWATER_MOST_M3S = 20_000  # above the largest inflow of the record, 18,680
TAILWATER_TOLERANCE_M = 0.05
POLIMI_EFFICIENCY = (3.0285414, 0.1370693, -7.476023e-4)  # by head [m]; x 0.85 / 9.81
HOA_BINH_MW = 1920.0  # HB_SITE
LEAST_TURBINE_M3S = 200.0
SOUND_EFFICIENCY = (0.7, 1.0)  # outside, a week's energy is not that of its flow
HEAD_STEP_M = 5.0
LEAST_WEEKS = 20
MW_PER_M3S_M = 9.81e-3

# Planned works, invented for the study
KWH_PER_M3_M = MW_PER_M3S_M / 3.6  # to lift a m3 by a metre
PRICE_VND_KWH = 2032.26  # EVNP23, as in hydropower.csv
ROUNDED_TO_MILLION = 1000

# Delta
RATING_RELATION = "coefficients_level_vs_ln_{}_flow"
RATING_GAUGES = ("ha_noi", "son_tay")
RATING_TOLERANCE_M = 0.003
DUONG_EPOCHS = ((1989, 2000), (2001, 2009), (2010, 2017), (2018, 2022))
DRY_MONTHS = (11, 12, 1, 2, 3, 4, 5)

# Travel times to Son Tay, tried against the daily record: Hoa Binh, Yen Bai, Vu Quang [h]
GAUGES_ABOVE_SON_TAY = ("hoa_binh_release", "yen_bai", "vu_quang")
FIRST_LINKS = ("hoa_binh_city_to_trung_ha", "yen_bai_to_phu_tho", "vu_quang_to_viet_tri")
TRAVEL_TIMES_H = ((24, 48, 24), (18, 12, 18), (0, 0, 0))  # beside those of links.csv
BEFORE_THE_YEAR = ("05-21", "05-31")  # flows under way when a year starts on 1 June

# Record beside which results are laid
PERIODS = {
    "1989-2009": slice("1989-01-01", "2009-12-31"),
    "2010-2022": slice("2010-01-01", "2022-12-31"),
    "1989-06 to 2010-05": slice(RECORD_START, RECORD_END),
}
REGULATED = slice("2010-06-01", "2022-05-31")  # twelve June-May years with Son La
SPELL_SEASON = ("01-21", "02-28")
LEVELS_M = (1.0, 1.4, 1.6, 1.8, 2.0, 2.2)
GAUGES = {
    "hoa_binh_inflow": "hoa_binh_inflow_m3s",
    "hoa_binh_release": "hoa_binh_release_m3s",
    "yen_bai": "yen_bai_flow_m3s",
    "vu_quang": "vu_quang_flow_m3s",
    "son_tay": "son_tay_flow_m3s",
    "ha_noi": "ha_noi_flow_m3s",
}
AI4RR = ("derived", "AI4RR")

# Limits of the closing check
SON_TAY_LIMIT = 0.03
SON_LA_DESIGN_MEAN_M3S = 1532.0  # estimate: note of the energy per water of Son La
RESERVOIR_LIMIT = 0.10
ENERGY_LIMIT = 0.02


@dataclass(frozen=True)
class PublicData:
    """Hold the tables of the public data set.

    Attributes
    ----------
    daily : DataFrame
        Daily record, index date [m3/s, m], with the whole release of Hoa Binh.
    flows, sub_basins, climate, reservoirs, curves, rules, demands, irrigation : DataFrame
        Tables of the same names in the folder.
    relations : DataFrame
        Relations of the delta: levels by flow, shares.
    """

    daily: pd.DataFrame
    flows: pd.DataFrame
    sub_basins: pd.DataFrame
    climate: pd.DataFrame
    reservoirs: pd.DataFrame
    curves: pd.DataFrame
    rules: pd.DataFrame
    demands: pd.DataFrame
    irrigation: pd.DataFrame
    relations: pd.DataFrame


def read_public_data(folder: Path) -> PublicData:
    """Read the public data set.

    Parameters
    ----------
    folder : Path
        Folder with the files named in the module docstring.

    Raises
    ------
    FileNotFoundError
        A file is missing.
    ValueError
        The daily record has a gap in the record years.
    """
    daily = pd.read_csv(
        folder / "series_red_river_daily_1989_2022.csv", parse_dates=["date"], index_col="date"
    )
    expected = pd.date_range(RECORD_START, RECORD_END, freq="D")
    columns = [
        "hoa_binh_inflow_m3s",
        "yen_bai_flow_m3s",
        "vu_quang_flow_m3s",
        "son_tay_flow_m3s",
    ]
    record = daily[columns].reindex(expected)
    if record.isna().any(axis=None):
        raise ValueError(f"daily record: days or flows missing in {RECORD_START}..{RECORD_END}")
    outlets = ["hoa_binh_turbine_m3s", "hoa_binh_bottom_outlet_m3s", "hoa_binh_spillway_m3s"]
    daily["hoa_binh_release_m3s"] = daily[outlets].sum(axis=1, skipna=False)
    return PublicData(
        daily=daily,
        flows=pd.read_csv(folder / "monthly_flows.csv"),
        sub_basins=pd.read_csv(folder / "sub_basins.csv"),
        climate=pd.read_csv(folder / "climate_monthly.csv"),
        reservoirs=pd.read_csv(folder / "reservoirs.csv").set_index("reservoir"),
        curves=pd.read_csv(folder / "reservoir_curves.csv"),
        rules=pd.read_csv(folder / "operating_rules.csv"),
        demands=pd.read_csv(folder / "demands.csv"),
        irrigation=pd.read_csv(folder / "irrigation_pattern.csv"),
        relations=pd.read_csv(folder / "delta_relations.csv"),
    )


def split_exactly(total: float, weights: Mapping[str, float]) -> dict[str, float]:
    """Split a total by weights so that the parts, at 3 decimals, sum to it.

    The total is rounded to 3 decimals; what rounding down leaves goes to the parts with the
    largest remainders, so no part is negative (largest-remainder method).

    Parameters
    ----------
    total : float
        Amount to split, 0 or more.
    weights : mapping of str to float
        Weight of each part, 0 or more, not all 0.

    Returns
    -------
    dict of str to float
        Part of each key, in the order of `weights`.

    Examples
    --------
    >>> split_exactly(1.0, {"a": 1, "b": 1, "c": 1})
    {'a': 0.334, 'b': 0.333, 'c': 0.333}
    """
    thousandths = round(total * 1000)
    names = list(weights)
    exact = np.array([weights[name] for name in names], dtype=float)
    exact *= thousandths / exact.sum()
    parts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - parts), kind="stable")
    parts[order[: thousandths - parts.sum()]] += 1
    return {name: int(part) / 1000 for name, part in zip(names, parts, strict=True)}


# ---------------------------------------------------------------------------------- inflow


def dekad_start(dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Give the first day (1st, 11th or 21st) of the dekad of each date."""
    first_days = np.array(DEKAD_FIRST_DAYS)
    days = first_days[np.searchsorted(first_days, dates.day, side="right") - 1]
    return pd.DatetimeIndex(pd.to_datetime({"year": dates.year, "month": dates.month, "day": days}))


def compute_dekad_means(daily: pd.Series) -> pd.Series:
    """Average a daily series [m3/s] over the dekads of the record years."""
    record = daily[RECORD_START:RECORD_END]
    means = record.groupby(dekad_start(record.index)).mean()
    if len(means) != N_DEKADS:
        raise ValueError(f"{daily.name}: {len(means)} dekads, expected {N_DEKADS}")
    return means


def select_season(daily: pd.Series, start: str, end: str) -> pd.Series:
    """Select the days of each year from one day of the year to another, both as MM-DD."""
    day_of_year = daily.index.strftime("%m-%d")
    return daily[(day_of_year >= start) & (day_of_year <= end)]


def select_mean_flows(flows: pd.DataFrame, station: str) -> pd.Series:
    """Select the mean flows [m3/s] of a station, by month "1".."12" and "annual".

    Raises
    ------
    ValueError
        The station has no means, or means of several periods.
    """
    rows = flows[(flows["station"] == station) & (flows["statistic"] == "mean")]
    means = rows.set_index("month")["flow_m3s"]
    if len(means) != 13 or not means.index.is_unique:
        raise ValueError(f"monthly_flows.csv: {len(means)} means of {station}, expected 13")
    return means


def read_monthly_flow(flows: pd.DataFrame, station: str) -> np.ndarray:
    """Read the mean flow [m3/s] of months 1..12 of a station."""
    return select_mean_flows(flows, station).loc[[str(m) for m in range(1, 13)]].to_numpy()


def read_annual_flow(flows: pd.DataFrame, station: str) -> float:
    """Read the mean annual flow [m3/s] of a station."""
    return float(select_mean_flows(flows, station).loc["annual"])


def read_volume(
    sub_basins: pd.DataFrame,
    sub_basin: str,
    control_point: str,
    column: str = "annual_volume_km3",
    source: str = "BANG23",
) -> float:
    """Read an annual volume [km3] of a sub-basin at a control point."""
    rows = sub_basins[
        (sub_basins["sub_basin"] == sub_basin)
        & (sub_basins["control_point"] == control_point)
        & (sub_basins["source"] == source)
    ]
    if len(rows) != 1:
        raise ValueError(f"sub_basins.csv: {len(rows)} rows of {sub_basin} at {control_point}")
    return float(rows[column].iloc[0])


def compute_share_from_outside(
    sub_basins: pd.DataFrame, sub_basin: str, control_point: str, source: str
) -> float:
    """Compute the share of a sub-basin's water that is born outside Viet Nam."""
    where = (sub_basins, sub_basin, control_point)
    born = read_volume(*where, column="volume_generated_in_vietnam_km3", source=source)
    return 1 - born / read_volume(*where, source=source)


def compute_da_shares(public: PublicData) -> pd.DataFrame:
    """Share the Hoa Binh inflow among the Da sub-basins, month by month.

    Monthly means of 1994-2005 give Lai Chau dam, Nam Na and the local inflow between Lai Chau
    and Ta Bu (POLIMI); the rest to Hoa Binh is the difference to the recorded inflow of the same
    years, at least `MINIMUM_HOA_BINH_LOCAL_SHARE` of it. Each month is scaled to 1.

    Returns
    -------
    DataFrame
        Share (month 1..12, node), rows sum to 1.
    """
    inflow = public.daily.loc[POLIMI_YEARS, "hoa_binh_inflow_m3s"]
    hoa_binh_m3s = inflow.groupby(inflow.index.month).mean().to_numpy()
    lai_chau_dam_m3s = read_monthly_flow(public.flows, "lai_chau_dam_inflow")
    nam_na_m3s = read_monthly_flow(public.flows, "nam_giang")
    local_m3s = read_monthly_flow(public.flows, "local_lai_chau_to_ta_bu")
    ta_bu_m3s = read_monthly_flow(public.flows, "ta_bu")
    ban_chat_m3s = read_monthly_flow(public.flows, "ban_chat_inflow")

    outside = compute_share_from_outside(public.sub_basins, "da", "hoa_binh", "BANG23")
    nam_na_outside = compute_share_from_outside(
        public.sub_basins, "nam_na", "nam_giang", "POLIMI;LCAU"
    )
    mean_nam_na_m3s = read_annual_flow(public.flows, "nam_giang")
    mean_dam_m3s = read_annual_flow(public.flows, "lai_chau_dam_inflow")
    border_m3s = outside * inflow.mean() - nam_na_outside * mean_nam_na_m3s
    border_share = border_m3s / mean_dam_m3s

    mean_ban_chat_m3s = read_annual_flow(public.flows, "ban_chat_inflow")
    nam_mu_m3s = NAM_MU_VOLUME_KM3 * 1e9 / SECONDS_OF_YEAR
    huoi_quang_m3s = ban_chat_m3s * (nam_mu_m3s / mean_ban_chat_m3s - 1)
    lower_local_m3s = local_m3s - ban_chat_m3s - huoi_quang_m3s

    parts = pd.DataFrame(
        {
            "da_border": lai_chau_dam_m3s * border_share,
            "lai_chau": lai_chau_dam_m3s * (1 - border_share),
            "nam_na": nam_na_m3s,
            "ban_chat": ban_chat_m3s,
            "huoi_quang": huoi_quang_m3s,
            "son_la": lower_local_m3s * (1 - TA_BU_SHARE_OF_LOWER_LOCAL),
            "ta_bu": lower_local_m3s * TA_BU_SHARE_OF_LOWER_LOCAL,
            "hoa_binh": np.maximum(
                hoa_binh_m3s - ta_bu_m3s, MINIMUM_HOA_BINH_LOCAL_SHARE * hoa_binh_m3s
            ),
        },
        index=pd.Index(range(1, 13), name="month"),
    )[list(DA_NODES)]
    if (parts <= 0).any(axis=None):
        raise ValueError("a Da sub-basin has no flow in some month")
    return parts.div(parts.sum(axis=1), axis=0)


def compute_delta_runoff(public: PublicData) -> np.ndarray:
    """Compute the mean monthly runoff of the delta and the Day basin.

    The yearly mean (stated volumes: whole basin less Son Tay less Pha Lai) follows the rain that
    evaporation leaves, month by month, with a small even part. It is the same every year.

    Returns
    -------
    ndarray
        Runoff [m3/s] of months 1..12; its mean over 365 days is the yearly mean.
    """
    volume_km3 = (
        read_volume(public.sub_basins, "red_thai_binh_total", "sea")
        - read_volume(public.sub_basins, "red_main", "son_tay")
        - read_volume(public.sub_basins, "thai_binh_upper", "pha_lai")
    )
    mean_m3s = volume_km3 * 1e9 / SECONDS_OF_YEAR
    rain_mm = read_climate(public.climate, "rainfall_mm", DELTA_RAIN_STATIONS)
    evaporation_mm = read_climate(
        public.climate, "pan_or_piche_evaporation_mm", DELTA_EVAPORATION_STATIONS
    )
    net_mm = np.maximum(rain_mm - evaporation_mm, 0.0)
    share = (1 - DELTA_BASEFLOW_SHARE) * net_mm / net_mm.sum()
    share += DELTA_BASEFLOW_SHARE * DAYS_OF_MONTH / DAYS_OF_MONTH.sum()
    return mean_m3s * share * DAYS_OF_MONTH.sum() / DAYS_OF_MONTH


def read_climate(climate: pd.DataFrame, variable: str, stations: Iterable[str]) -> np.ndarray:
    """Average the monthly means [mm] of a variable over stations; months 1..12."""
    rows = climate[(climate["variable"] == variable) & (climate["month"] != "annual")]
    table = rows.assign(month=rows["month"].astype(int)).pivot(
        index="month", columns="station", values="mean_mm"
    )
    return table.loc[range(1, 13), list(stations)].mean(axis=1).to_numpy()


def compute_inflow(public: PublicData) -> pd.DataFrame:
    """Compute the local inflow of every node that has one.

    Gauged flows are split, never scaled: in each dekad the parts of the Da sum to the recorded
    Hoa Binh inflow, those of the Thao to Yen Bai, those of the Lo to Vu Quang. The Thai Binh
    rivers are their annual mean times the dekad's Vu Quang flow over its mean.

    Returns
    -------
    DataFrame
        Inflow [m3/s] (dekad, node), 3 decimals.
    """
    hoa_binh_m3s = compute_dekad_means(public.daily["hoa_binh_inflow_m3s"])
    yen_bai_m3s = compute_dekad_means(public.daily["yen_bai_flow_m3s"])
    vu_quang_m3s = compute_dekad_means(public.daily["vu_quang_flow_m3s"])
    dates = hoa_binh_m3s.index

    da_shares = compute_da_shares(public)
    delta_m3s = compute_delta_runoff(public)
    node_shares = read_inflow_shares()
    lo_m3s = {
        "gam": read_annual_flow(public.flows, "tuyen_quang_inflow"),
        "chay": read_annual_flow(public.flows, "thac_ba_inflow"),
        "lo_rest": read_annual_flow(public.flows, "lo_rest_to_vu_quang"),
    }
    lo_shares = {
        node: share * mean_m3s / sum(lo_m3s.values())
        for river, mean_m3s in lo_m3s.items()
        for node, share in node_shares[river].items()
    }
    thai_binh_m3s = {
        "cau": read_annual_flow(public.flows, "cau_thac_huong_to_pha_lai"),
        "thuong": read_annual_flow(public.flows, "thuong"),
        "luc_nam": read_annual_flow(public.flows, "luc_nam"),
    }
    pha_lai_km3 = read_volume(public.sub_basins, "thai_binh_upper", "pha_lai")
    thai_binh_m3s["pha_lai_rest"] = pha_lai_km3 * 1e9 / SECONDS_OF_YEAR - sum(
        thai_binh_m3s.values()
    )
    wetness = vu_quang_m3s / weighted_mean(vu_quang_m3s)

    rows = []
    for date in dates:
        row = split_exactly(hoa_binh_m3s[date], da_shares.loc[date.month].to_dict())
        row |= split_exactly(yen_bai_m3s[date], node_shares["yen_bai"])
        row |= split_exactly(vu_quang_m3s[date], lo_shares)
        for river, mean_m3s in thai_binh_m3s.items():
            row |= split_exactly(mean_m3s * wetness[date], node_shares[river])
        row |= split_exactly(delta_m3s[date.month - 1], node_shares["delta"])
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(dates.strftime("%Y-%m-%d"), name="date"))


def read_inflow_shares() -> dict[str, dict[str, float]]:
    """Read the share of each node in the flow it is derived from; shares of a flow sum to 1."""
    table = pd.read_csv(DERIVATION / "inflow_shares.csv")
    totals = table.groupby("source_flow")["share"].sum()
    if not np.allclose(totals, 1.0, atol=1e-9):
        raise ValueError(f"inflow_shares.csv: shares do not sum to 1: {totals.to_dict()}")
    return {
        flow: dict(zip(rows["node"], rows["share"], strict=True))
        for flow, rows in table.groupby("source_flow", sort=False)
    }


def count_days(starts: pd.DatetimeIndex) -> np.ndarray:
    """Count the days of each dekad."""
    last_start = DEKAD_FIRST_DAYS[-1]
    return np.where(starts.day == last_start, starts.days_in_month - last_start + 1, 10)


def weighted_mean(series: pd.Series) -> float:
    """Average a dekad series over days."""
    return float(np.average(series, weights=count_days(pd.DatetimeIndex(series.index))))


# ------------------------------------------------------------------------------ reservoirs


def compute_curves(public: PublicData) -> pd.DataFrame:
    """Collect storage-level and storage-area relations of all reservoirs.

    Blank areas at dead level are extrapolated on the straight line through the next two points.

    Returns
    -------
    DataFrame
        Columns reservoir, storage_hm3, level_m, area_km2; storage increases in a reservoir.
    """
    tables = []
    for reservoir in LARGE_RESERVOIRS:
        rows = public.curves[
            (public.curves["reservoir"] == reservoir)
            & (public.curves["curve"] == "level_area_storage")
        ]
        tables.append(
            pd.DataFrame(
                {
                    "reservoir": reservoir,
                    "storage_hm3": rows["storage_million_m3"].to_numpy(),
                    "level_m": rows["level_m"].to_numpy(),
                    "area_km2": fill_dead_area(
                        rows["storage_million_m3"].to_numpy(), rows["area_km2"].to_numpy()
                    ),
                }
            )
        )
    small = read_small_reservoirs()
    tables.extend(build_power_curve(reservoir, small[reservoir]) for reservoir in SMALL_RESERVOIRS)
    return pd.concat(tables, ignore_index=True)


def fill_dead_area(storage_hm3: np.ndarray, area_km2: np.ndarray) -> np.ndarray:
    """Extrapolate a blank first area linearly in storage; 2 decimals."""
    if not np.isnan(area_km2[0]):
        return area_km2
    slope = (area_km2[2] - area_km2[1]) / (storage_hm3[2] - storage_hm3[1])
    filled = area_km2.copy()
    filled[0] = round(area_km2[1] - slope * (storage_hm3[1] - storage_hm3[0]), 2)
    return filled


def read_small_reservoirs() -> dict[str, dict[str, float]]:
    """Read Nui Coc and Cam Son: storages [hm3], levels [m], area [km2]."""
    table = pd.read_csv(DERIVATION / "small_reservoirs.csv")
    return {
        reservoir: dict(zip(rows["quantity"], rows["value"], strict=True))
        for reservoir, rows in table.groupby("reservoir")
    }


def build_power_curve(
    reservoir: str, facts: Mapping[str, float], n_points: int = 6
) -> pd.DataFrame:
    """Build a power-law curve through dead and normal level with the area at normal level.

    Storage above dead storage is (active storage) x (depth share) ** exponent; the area is its
    derivative by level, so the exponent is area x depth / active storage.
    """
    depth_m = facts["normal_level"] - facts["dead_level"]
    active_hm3 = facts["total_storage"] - facts["dead_storage"]
    exponent = facts["area_at_normal_level"] * depth_m / active_hm3
    depth_share = np.linspace(0.0, 1.0, n_points)
    storage_hm3 = (facts["dead_storage"] + active_hm3 * depth_share**exponent).round(1)
    area_km2 = (facts["area_at_normal_level"] * depth_share ** (exponent - 1)).round(2)
    area_km2[0] = np.nan
    return pd.DataFrame(
        {
            "reservoir": reservoir,
            "storage_hm3": storage_hm3,
            "level_m": (facts["dead_level"] + depth_m * depth_share).round(2),
            "area_km2": fill_dead_area(storage_hm3, area_km2),
        }
    )


def convert_level(curves: pd.DataFrame, reservoir: str, level_m: float) -> float:
    """Convert a level [m] to storage [hm3], linear between curve points; 1 decimal."""
    rows = curves[curves["reservoir"] == reservoir]
    if not rows["level_m"].min() <= level_m <= rows["level_m"].max():
        raise ValueError(f"{reservoir}: level {level_m} m is outside its curve")
    return round(float(np.interp(level_m, rows["level_m"], rows["storage_hm3"])), 1)


def choose_flood_levels(rules: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Choose the highest level [m] allowed in each flood season, by `LEVEL_PREFERENCE`."""
    levels: dict[str, dict[str, float]] = {}
    for reservoir in SEASON_RESERVOIRS:
        own = rules[rules["location"] == reservoir]
        levels[reservoir] = {}
        for season, (start, end) in FLOOD_SEASONS.items():
            for authority, rule_type in LEVEL_PREFERENCE:
                rows = own[
                    own["authority"].str.startswith(authority)
                    & (own["rule_type"] == rule_type)
                    & (own["start_mm_dd"] <= start)
                    & (own["end_mm_dd"] >= end)
                ]
                if len(rows):
                    levels[reservoir][season] = float(rows["value"].iloc[0])
                    break
            else:
                raise ValueError(f"{reservoir}: no level for the {season} flood season")
    return levels


def build_flood_limits(public: PublicData, curves: pd.DataFrame) -> list[PatternRow]:
    """Build the storage limits as patterns with the dates of the decision.

    Outside the flood seasons the limit is the storage at normal level.
    """
    rows = []
    after_season = format_next_day(FLOOD_SEASONS["late"][1])
    for reservoir, levels in choose_flood_levels(public.rules).items():
        normal_hm3 = find_normal_storage(public, curves, reservoir)
        limits_hm3 = {"01-01": normal_hm3}
        for season, (start, _) in FLOOD_SEASONS.items():
            limits_hm3[start] = convert_level(curves, reservoir, levels[season])
        limits_hm3[after_season] = normal_hm3
        rows.extend(
            (f"{reservoir}_flood_limit", start, limit_hm3, "hm3")
            for start, limit_hm3 in limits_hm3.items()
        )
    return rows


def format_next_day(day: str) -> str:
    """Give the day after a day of the year, both as MM-DD."""
    return f"{pd.Timestamp(f'2001-{day}') + pd.Timedelta(days=1):%m-%d}"


def find_normal_storage(public: PublicData, curves: pd.DataFrame, reservoir: str) -> float:
    """Find the storage at normal level [hm3].

    Hoa Binh is read from its table at 117 m (9,870 hm3), not from the 9,450 hm3 that its site
    states and the table reaches at 115 m, because all its level rules go through the same table.
    """
    if reservoir in SMALL_RESERVOIRS:
        return read_small_reservoirs()[reservoir]["total_storage"]
    if reservoir == "hoa_binh":
        return convert_level(curves, reservoir, public.reservoirs.loc[reservoir, "normal_level_m"])
    return float(public.reservoirs.loc[reservoir, "total_storage_million_m3"])


def find_dead_storage(public: PublicData, reservoir: str) -> float:
    """Find the storage at dead level [hm3]."""
    if reservoir in SMALL_RESERVOIRS:
        return read_small_reservoirs()[reservoir]["dead_storage"]
    return float(public.reservoirs.loc[reservoir, "dead_storage_million_m3"])


def compute_reservoirs(public: PublicData, curves: pd.DataFrame) -> pd.DataFrame:
    """Compute the table of reservoirs.

    Initial storage: Hoa Binh at its mean recorded level of 1 June; every other reservoir at the
    same fraction of its active storage.
    """
    settings = pd.read_csv(DERIVATION / "reservoir_settings.csv").set_index("reservoir")
    levels_m = public.daily.loc[RECORD_START:LAST_FIRST_JUNE, "hoa_binh_level_m"]
    first_june_m = levels_m[levels_m.index.strftime("%m-%d") == "06-01"]
    initial_hm3 = convert_level(curves, "hoa_binh", float(first_june_m.mean()))
    dead_hm3 = find_dead_storage(public, "hoa_binh")
    fraction = (initial_hm3 - dead_hm3) / (
        find_normal_storage(public, curves, "hoa_binh") - dead_hm3
    )
    rows = []
    for reservoir, setting in settings.iterrows():
        dead_hm3 = find_dead_storage(public, reservoir)
        normal_hm3 = find_normal_storage(public, curves, reservoir)
        has_season = reservoir in SEASON_RESERVOIRS
        rows.append(
            {
                "name": reservoir,
                "dead_hm3": dead_hm3,
                "normal_hm3": normal_hm3,
                "flood_limit_hm3": f"pattern:{reservoir}_flood_limit" if has_season else "",
                "initial_hm3": round(dead_hm3 + fraction * (normal_hm3 - dead_hm3), 1),
                "evaporation_mm_day": f"pattern:evaporation_{setting['evaporation_station']}",
                "curve": reservoir,
            }
        )
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------- hydropower


def compute_tailwater(release_m3s: np.ndarray) -> np.ndarray:
    """Compute the tailwater level [m] of Hoa Binh by its whole release (POLIMI, stated)."""
    return np.polynomial.polynomial.polyval(release_m3s, TAILWATER_M)


def compute_weeks(daily: pd.DataFrame) -> pd.DataFrame:
    """Average the record of the Hoa Binh plant over calendar weeks.

    Returns
    -------
    DataFrame
        Week; turbine_m3s, head_m (gross), fall_mw (power of the falling water), energy_mw.
    """
    record = daily[ENERGY_WEEKS]
    head_m = record["hoa_binh_level_m"] - compute_tailwater(record["hoa_binh_release_m3s"])
    turbine_m3s = record["hoa_binh_turbine_m3s"]
    days = pd.DataFrame(
        {
            "turbine_m3s": turbine_m3s,
            "head_m": head_m,
            "fall_mw": MW_PER_M3S_M * turbine_m3s * head_m,
            "energy_mw": record["hoa_binh_energy_weekly_avg_mwh_per_day"] / 24,
        }
    )
    return days.resample("W-SUN").mean()


def fit_efficiency(weeks: pd.DataFrame) -> pd.DataFrame:
    """Fit the efficiency of the Hoa Binh plant, over gross head, to the recorded weeks.

    Weeks of little flow, and those whose energy cannot be that of their flow, are left out. In
    each step of head the efficiency is the energy over that of the falling water, at the head that
    this water had in the mean.

    Returns
    -------
    DataFrame
        Columns head_m (1 decimal) and efficiency (3 decimals), by head.
    """
    efficiency = weeks["energy_mw"] / weeks["fall_mw"]
    is_sound = efficiency.between(*SOUND_EFFICIENCY) & (weeks["turbine_m3s"] > LEAST_TURBINE_M3S)
    rows = []
    for _, step in weeks[is_sound].groupby(weeks["head_m"] // HEAD_STEP_M):
        if len(step) < LEAST_WEEKS:
            continue
        head_m = np.average(step["head_m"], weights=step["fall_mw"])
        rows.append((round(head_m, 1), round(step["energy_mw"].sum() / step["fall_mw"].sum(), 3)))
    return pd.DataFrame(rows, columns=["head_m", "efficiency"])


def compare_energy(public: PublicData) -> pd.DataFrame:
    """Compare the recorded energy of Hoa Binh with that of two efficiencies.

    Returns
    -------
    DataFrame
        Columns efficiency, energy_gwh (a year), difference (to the record).
    """
    weeks = compute_weeks(public.daily)
    fitted = fit_efficiency(weeks)
    polynomial = np.polynomial.polynomial.polyval(weeks["head_m"], POLIMI_EFFICIENCY)
    powers_mw = {
        "recorded": weeks["energy_mw"],
        "fitted to the record (in the basin)": weeks["fall_mw"]
        * np.interp(weeks["head_m"], fitted["head_m"], fitted["efficiency"]),
        "polynomial (POLIMI)": weeks["fall_mw"] * 0.85 * polynomial / 9.81,
    }
    means_mw = {name: float(power_mw.mean()) for name, power_mw in powers_mw.items()}
    return pd.DataFrame(
        [
            (name, mean_mw * 24 * 365.25 / 1000, mean_mw / means_mw["recorded"] - 1)
            for name, mean_mw in means_mw.items()
        ],
        columns=["efficiency", "energy_gwh", "difference"],
    )


# ------------------------------------------------------------------------------------ delta


def choose_flows(
    level: Callable[[np.ndarray], np.ndarray], first: int, last: int, tolerance_m: float
) -> list[int]:
    """Choose whole flows [m3/s] between which straight lines stay close to a level.

    Parameters
    ----------
    level : level [m] by flow
    first, last : ends of the curve
    tolerance_m : largest distance of the lines from the level
    """

    def is_close(low: int, high: int) -> bool:
        flows = np.arange(low, high + 1)
        ends = level(np.array([low, high]))
        return bool(np.abs(np.interp(flows, [low, high], ends) - level(flows)).max() <= tolerance_m)

    chosen = [first]
    while chosen[-1] < last:
        near, far = chosen[-1] + 1, last
        while near < far:  # the farthest end that is still close, by halving
            middle = (near + far + 1) // 2
            near, far = (middle, far) if is_close(chosen[-1], middle) else (near, middle - 1)
        chosen.append(near)
    return chosen


@dataclass(frozen=True)
class Rating:
    """Level of Ha Noi by flow: ``a ln(Q)^2 + b ln(Q) + c``, November to May.

    Attributes
    ----------
    gauge : where the flow is
    epoch : years of the fit, as 2018-2022
    a, b, c : coefficients [m]
    first, last : whole flows [m3/s] between which it holds and rises
    """

    gauge: str
    epoch: str
    a: float
    b: float
    c: float
    first: int
    last: int

    def level(self, flow_m3s: np.ndarray) -> np.ndarray:
        """Level [m] at a flow [m3/s]."""
        log_flow = np.log(flow_m3s)
        return (self.a * log_flow + self.b) * log_flow + self.c

    def flow(self, level_m: float) -> float:
        """Flow [m3/s] at a level [m] on the rising branch; not a number where there is none."""
        discriminant = self.b**2 - 4 * self.a * (self.c - level_m)
        if discriminant < 0:
            return np.nan
        return float(np.exp((np.sqrt(discriminant) - self.b) / (2 * self.a)))


def read_ratings(relations: pd.DataFrame) -> list[Rating]:
    """Read the ratings of Ha Noi: by its own flow, then by that of Son Tay, by epoch.

    They start where they begin to rise, or where their flows start.
    """
    ratings = []
    for gauge in RATING_GAUGES:
        rows = relations[relations["relation"] == RATING_RELATION.format(gauge)]
        for row in rows.itertuples():
            a, b, c = (float(text) for text in row.value.split(";"))
            low, high = row.note.removeprefix("valid ").split(" ")[0].split("-")
            turn_m3s = float(np.exp(-b / (2 * a)))
            first = max(int(low), int(np.ceil(turn_m3s)))
            ratings.append(Rating(gauge, row.period, a, b, c, first, int(high)))
    return ratings


def compute_duong_shares(public: PublicData, years: tuple[int, int]) -> pd.Series:
    """Compute the share of the Duong, 1 - Ha Noi / Son Tay, from recorded mean flows.

    Returns
    -------
    Series
        Share, 3 decimals, of months 1..12, ``dry_nov_may`` and ``year``.

    Raises
    ------
    ValueError
        The public table has the epoch with other shares.
    """
    record = public.daily[str(years[0]) : str(years[1])]
    flows = record[["son_tay_flow_m3s", "ha_noi_flow_m3s"]]
    means = flows.groupby(flows.index.month).mean()
    means.loc["dry_nov_may"] = flows[flows.index.month.isin(DRY_MONTHS)].mean()
    means.loc["year"] = flows.mean()
    shares = (1 - means["ha_noi_flow_m3s"] / means["son_tay_flow_m3s"]).round(3)
    table = public.relations[
        (public.relations["relation"] == "duong_share_of_son_tay")
        & (public.relations["period"] == f"{years[0]}-{years[1]}")
    ]
    for row in table.itertuples():
        key = int(row.season_or_month[-2:]) if "month" in row.season_or_month else None
        key = key or row.season_or_month
        if key in shares.index and abs(shares[key] - float(row.value)) > 0.0011:
            raise ValueError(f"share of the Duong {years}, {key}: {shares[key]}, not {row.value}")
    return shares


def build_duong_shares(public: PublicData) -> list[PatternRow]:
    """Build the share of the Duong by month, for each epoch of the river bed."""
    rows = []
    for first, last in DUONG_EPOCHS:
        shares = compute_duong_shares(public, (first, last))
        rows.extend(
            (f"duong_share_{first}_{last}", f"{month:02d}-01", float(shares[month]), "1")
            for month in range(1, 13)
        )
    return rows


def shift_hours(daily: pd.Series, hours: float) -> pd.Series:
    """Shift a daily series by a travel time, on straight lines between days."""
    days, part = divmod(hours / 24, 1)
    return (1 - part) * daily.shift(int(days)) + part * daily.shift(int(days) + 1)


def read_travel_times() -> tuple[float, ...]:
    """Sum the travel times [h] of `links.csv` from each gauge to Son Tay."""
    links = pd.read_csv(BASIN / "links.csv").set_index("name")
    totals = []
    for link in FIRST_LINKS:
        total_h = 0.0
        while link is not None:
            total_h += links.at[link, "lag_h"]
            at = links.at[link, "to"]
            below = links.index[links["from"] == at]
            link = None if at == "son_tay" else below[0]
        totals.append(total_h)
    return tuple(totals)


def compare_travel_times(daily: pd.DataFrame) -> pd.DataFrame:
    """Compare the sum of the gauges, shifted by travel times, with the day's flow at Son Tay.

    Returns
    -------
    DataFrame
        Columns hoa_binh_h, yen_bai_h, vu_quang_h, before_m3s and after_m3s: root of the mean
        squared error of the record years and of the regulated years.
    """
    rows = []
    for times_h in (read_travel_times(), *TRAVEL_TIMES_H):
        parts = (
            shift_hours(daily[GAUGES[gauge]], hours)
            for gauge, hours in zip(GAUGES_ABOVE_SON_TAY, times_h, strict=True)
        )
        error_m3s = sum(parts) - daily["son_tay_flow_m3s"]
        spans = (slice(RECORD_START, RECORD_END), REGULATED)
        rows.append((*times_h, *(float((error_m3s[span] ** 2).mean() ** 0.5) for span in spans)))
    columns = ["hoa_binh_h", "yen_bai_h", "vu_quang_h", "before_m3s", "after_m3s"]
    return pd.DataFrame(rows, columns=columns)


def compute_flows_under_way(daily: pd.DataFrame) -> dict[str, float]:
    """Compute the mean flow [m3/s] that enters each lagged link before 1 June, 1 decimal."""
    record = daily[:RECORD_END]
    hoa_binh, yen_bai, vu_quang = (
        float(select_season(record[GAUGES[gauge]], *BEFORE_THE_YEAR).mean())
        for gauge in GAUGES_ABOVE_SON_TAY
    )
    flows_m3s = {
        "hoa_binh_city_to_trung_ha": hoa_binh,
        "yen_bai_to_phu_tho": yen_bai,
        "phu_tho_to_trung_ha": yen_bai,
        "vu_quang_to_viet_tri": vu_quang,
        "trung_ha_to_viet_tri": hoa_binh + yen_bai,
        "viet_tri_to_son_tay": hoa_binh + yen_bai + vu_quang,
    }
    return {link: round(flow_m3s, 1) for link, flow_m3s in flows_m3s.items()}


# -------------------------------------------------------------------------------- patterns


def build_evaporation(public: PublicData) -> list[PatternRow]:
    """Build open-water evaporation [mm/day] by month for the stations in use."""
    settings = pd.read_csv(DERIVATION / "reservoir_settings.csv")
    rows = []
    for station in sorted(set(settings["evaporation_station"])):
        monthly_mm = read_climate(public.climate, "pan_or_piche_evaporation_mm", [station])
        daily_mm = OPEN_WATER_PER_STATION_EVAPORATION * monthly_mm / DAYS_OF_MONTH
        rows.extend(
            (f"evaporation_{station}", f"{month:02d}-01", round(value, 3), "mm_day")
            for month, value in enumerate(daily_mm, start=1)
        )
    return rows


def build_use_patterns(public: PublicData) -> list[PatternRow]:
    """Build the relative rates of use of the sectors.

    Irrigation: fraction of the year by month over the days of the month, so that the mean rate
    of 365 days is 1. Other sectors: relative rates as estimated in `monthly_use.csv`, each held
    until the next, over their mean of 365 days.
    """
    rows = []
    for pattern, region in (
        ("irrigation_delta", "any_delta_zone"),
        ("irrigation_highland", "any_highland_zone"),
    ):
        months = public.irrigation[public.irrigation["region"] == region].sort_values("month")
        fraction = months["fraction_of_year"].to_numpy()
        if len(fraction) != 12:
            raise ValueError(f"irrigation_pattern.csv: {len(fraction)} months of {region}")
        rate = fraction / fraction.sum() * DAYS_OF_MONTH.sum() / DAYS_OF_MONTH
        rows.extend(
            (pattern, f"{month:02d}-01", round(value, 5), "1")
            for month, value in enumerate(rate, start=1)
        )
    for pattern, use in pd.read_csv(DERIVATION / "monthly_use.csv").groupby("pattern", sort=False):
        by_month = use.set_index("month")["relative_rate"].reindex(range(1, 13)).ffill()
        mean_rate = np.average(by_month, weights=DAYS_OF_MONTH)
        rows.extend(
            (pattern, f"{row.month:02d}-01", round(row.relative_rate / mean_rate, 5), "1")
            for row in use.itertuples()
        )
    return rows


def build_rule_patterns(public: PublicData) -> list[PatternRow]:
    """Build dated levels [m] and releases [m3/s] that the rules of a case may use."""
    rules = public.rules
    is_coded = rules["authority"].str.startswith("official guidelines")
    rows = []
    for reservoir in ("hoa_binh", "thac_ba", "tuyen_quang"):
        coded = rules[
            is_coded & (rules["location"] == reservoir) & (rules["rule_type"] == "min_level")
        ].sort_values("start_mm_dd")
        rows.extend(
            (f"{reservoir}_minimum_level", row.start_mm_dd, float(row.value), "m")
            for row in coded.itertuples()
        )
    rows.extend(build_art16_release(rules))
    for reservoir in ("thac_ba", "tuyen_quang"):
        coded = rules[
            is_coded & (rules["location"] == reservoir) & (rules["rule_type"] == "min_release")
        ].sort_values("start_mm_dd")
        rows.extend(
            (f"{reservoir}_spell_release", row.start_mm_dd, float(row.value), "m3s")
            for row in coded.itertuples()
        )
    return rows


def build_art16_release(rules: pd.DataFrame) -> list[PatternRow]:
    """Build the Hoa Binh releases of Decision 740, Art. 16; 214 m3/s where it names no month."""
    is_decision = rules["authority"].str.startswith("Decision 740")
    own = rules[is_decision & (rules["location"] == "hoa_binh")]
    continuous_m3s = {
        float(value) for value in own.loc[own["rule_type"] == "min_continuous_release", "value"]
    }
    if len(continuous_m3s) != 1:
        raise ValueError("operating_rules.csv: one continuous release of Hoa Binh expected")
    monthly = own[own["rule_type"] == "min_daily_mean_release"]
    by_month = {int(row.start_mm_dd[:2]): float(row.value) for row in monthly.itertuples()}
    for month in MONTHS_WITHOUT_DAILY_RELEASE:
        by_month[month] = min(continuous_m3s)
    return [
        ("hoa_binh_release_art16", f"{month:02d}-01", by_month[month], "m3s")
        for month in range(1, 13)
    ]


# --------------------------------------------------------------------------------- demands


def compute_demands(public: PublicData) -> pd.DataFrame:
    """Split the zone totals over provinces, then over intakes; every sum is kept exactly.

    Returns
    -------
    DataFrame
        The table `demands.csv`.
    """
    provinces = pd.read_csv(DERIVATION / "provinces.csv").set_index("province")
    intakes = pd.read_csv(DERIVATION / "demand_nodes.csv")
    sectors = pd.read_csv(DERIVATION / "sector_parameters.csv").set_index(["sector", "region"])
    nodes = pd.read_csv(BASIN / "nodes.csv").set_index("name")
    names = YAML(typ="safe").load(BASIN / "basin.yaml")
    annual_hm3 = split_zone_totals(public.demands, provinces, sectors)

    rows = []
    for (province, sector), group in intakes.groupby(["province", "sector"], sort=False):
        facts = provinces.loc[province]
        region = facts["region"]
        parameters = sectors.loc[(sector, region)]
        sector_name, province_name = names["sectors"][sector], names["provinces"][province]
        parts = split_exactly(
            annual_hm3[province, sector], dict(zip(group["node"], group["share"], strict=True))
        )
        for intake in group.itertuples():
            is_split = len(group) > 1
            place_en = f" – {nodes.loc[intake.node, 'name_en']}" if is_split else ""
            place_vi = f" – {nodes.loc[intake.node, 'name_vi']}" if is_split else ""
            rows.append(
                {
                    "name": f"{province}_{sector}" + (f"_{intake.node}" if is_split else ""),
                    "node": intake.node,
                    "sector": sector,
                    "region": region,
                    "province": province,
                    "priority": int(parameters["priority"]),
                    "annual_hm3": parts[intake.node],
                    "pattern": parameters["pattern"],
                    "consumption_fraction": parameters["consumption_fraction"],
                    "return_to": intake.return_to,
                    "return_lag_periods": int(parameters["return_lag_periods"]),
                    "value_vnd_m3": parameters["value_vnd_m3"],
                    "name_vi": f"{province_name['vi']}: {sector_name['vi']}{place_vi}",
                    "name_en": f"{province_name['en']}: {sector_name['en']}{place_en}",
                    "meta_province_2025": facts["province_2025"],
                    "meta_zone": facts["zone"],
                }
            )
    return pd.DataFrame(rows)


def split_zone_totals(
    demands: pd.DataFrame, provinces: pd.DataFrame, sectors: pd.DataFrame
) -> dict[tuple[str, str], float]:
    """Split the totals of the zones over their provinces [hm3/year] (province, sector)."""
    is_present = demands["year_or_period"] == ZONE_TOTAL_PERIOD
    present = demands[is_present].set_index(["region", "sector"])["volume_million_m3"].astype(float)
    annual_hm3 = {}
    for zone, members in provinces.groupby("zone", sort=False):
        region = members["region"].iloc[0]
        other_share = sectors.xs(region, level="region")["share_of_zone_other"].dropna()
        other_hm3 = split_exactly(
            present[zone, "aquaculture_livestock_other"], other_share.to_dict()
        )
        for sector, zone_sector in ZONE_SECTOR.items():
            total_hm3 = other_hm3[sector] if sector in other_hm3 else present[zone, zone_sector]
            weights = members[WEIGHT_OF_PROVINCE[sector]] * members["share_in_basin"]
            for province, part_hm3 in split_exactly(total_hm3, weights.to_dict()).items():
                annual_hm3[province, sector] = part_hm3
    return annual_hm3


# ------------------------------------------------------------------------------ validation


def write_validation(public: PublicData) -> None:
    """Write what was recorded or reported, to lay results beside it."""
    VALIDATION.mkdir(parents=True, exist_ok=True)
    for name, table in (
        ("flows_monthly", build_monthly_flows(public.daily)),
        ("regulated_dekads", build_regulated_dekads(public.daily)),
        ("duong_share", build_duong_table(public)),
        ("ha_noi_level", build_level_table(public.relations)),
        ("energy", build_energy_table(public.daily)),
        ("hoa_binh_operation", build_operation_table(public.daily)),
        ("spell_releases", build_spell_table(public.daily)),
        ("full_reservoirs", build_storage_table(public)),
    ):
        table.to_csv(VALIDATION / f"{name}.csv", index=False, lineterminator="\n")


def build_monthly_flows(daily: pd.DataFrame) -> pd.DataFrame:
    """Build the mean flow of each gauge by month and of the year, in each period."""
    rows = []
    for gauge, column in GAUGES.items():
        for period, span in PERIODS.items():
            flow_m3s = daily.loc[span, column]
            by_month = flow_m3s.groupby(flow_m3s.index.month).mean()
            means = {**by_month.to_dict(), "year": flow_m3s.mean()}
            rows.extend(
                (gauge, period, month, round(mean, 1), *AI4RR) for month, mean in means.items()
            )
    columns = ["gauge", "period", "month", "mean_m3s", "status", "source"]
    return pd.DataFrame(rows, columns=columns)


def build_regulated_dekads(daily: pd.DataFrame) -> pd.DataFrame:
    """Build 10-day means of flows [m3/s] and of the level of Ha Noi [m] in the regulated years."""
    record = daily.loc[REGULATED]
    columns = {
        f"{gauge}_m3s": record[column]
        for gauge, column in GAUGES.items()
        if gauge != "hoa_binh_inflow"
    }
    columns["ha_noi_level_m"] = record["ha_noi_level_cm"] / 100
    means = pd.DataFrame(columns).groupby(dekad_start(record.index)).mean().round(3)
    means.index = pd.Index(means.index.strftime("%Y-%m-%d"), name="date")
    return means.reset_index()


def build_duong_table(public: PublicData) -> pd.DataFrame:
    """Build the share of the Duong by month, of dry season and year, in each epoch."""
    rows = []
    for first, last in (*DUONG_EPOCHS, (2010, 2022)):
        shares = compute_duong_shares(public, (first, last))
        rows.extend((f"{first}-{last}", month, share, *AI4RR) for month, share in shares.items())
    return pd.DataFrame(rows, columns=["epoch", "month", "share_fraction", "status", "source"])


def build_level_table(relations: pd.DataFrame) -> pd.DataFrame:
    """Build the flow that a level at Ha Noi needs in each epoch; blank beyond the relation.

    Raises
    ------
    ValueError
        The public table has another flow.
    """
    stated = relations[relations["relation"].str.startswith("flow_at_")]
    stated_m3s = stated.set_index(["relation", "period"])["value"].astype(float)
    rows = []
    for rating in read_ratings(relations):
        for level_m in LEVELS_M:
            flow_m3s = rating.flow(level_m)
            key = (f"flow_at_{rating.gauge}_for_ha_noi_level_{level_m}m", rating.epoch)
            if key in stated_m3s.index and abs(flow_m3s - stated_m3s[key]) > 2:
                raise ValueError(f"{key}: {flow_m3s:.0f} m3/s, not {stated_m3s[key]:.0f}")
            in_range = rating.first <= flow_m3s <= rating.last
            rows.append(
                (rating.epoch, rating.gauge, level_m, round(flow_m3s) if in_range else None, *AI4RR)
            )
    columns = ["epoch", "flow_at", "level_m", "flow_m3s", "status", "source"]
    return pd.DataFrame(rows, columns=columns).astype({"flow_m3s": "Int64"})


def build_energy_table(daily: pd.DataFrame) -> pd.DataFrame:
    """Build the yearly energy of each plant as stated, with the range of sources and record."""
    energy = pd.read_csv(DERIVATION / "energy.csv", dtype=str, keep_default_na=False)
    weekly_mwh = daily.loc["1995":"2012", "hoa_binh_energy_weekly_avg_mwh_per_day"]
    yearly_gwh = weekly_mwh.groupby(weekly_mwh.index.year).sum() / 1000
    energy.loc[energy["plant"] == "hoa_binh", "low_gwh"] = f"{yearly_gwh.mean():.0f}"
    return energy


def build_operation_table(daily: pd.DataFrame) -> pd.DataFrame:
    """Build the yearly operation of Hoa Binh, all eight units running, as recorded.

    Beside the recorded energy, blank once the source repeats a constant, stands the energy of each
    day's level and flow by the plant of the basin; it is known with Son La upstream too.
    """
    record = daily.loc[f"{ENERGY_WEEKS.start[:4]}" :]
    fitted = fit_efficiency(compute_weeks(daily))
    head_m = record["hoa_binh_level_m"] - compute_tailwater(record["hoa_binh_release_m3s"])
    efficiency = np.interp(head_m, fitted["head_m"], fitted["efficiency"])
    power_mw = MW_PER_M3S_M * efficiency * head_m * record["hoa_binh_turbine_m3s"]
    recorded_gwh = record.loc[: ENERGY_WEEKS.stop[:4], "hoa_binh_energy_weekly_avg_mwh_per_day"]
    year = record.index.year
    means = {
        "inflow_m3s": record["hoa_binh_inflow_m3s"],
        "release_m3s": record["hoa_binh_release_m3s"],
        "turbine_m3s": record["hoa_binh_turbine_m3s"],
        "level_m": record["hoa_binh_level_m"],
    }
    table = pd.DataFrame({name: values.groupby(year).mean() for name, values in means.items()})
    table["energy_gwh"] = recorded_gwh.groupby(recorded_gwh.index.year).sum() / 1000
    table["energy_by_plant_gwh"] = power_mw.clip(upper=HOA_BINH_MW).groupby(year).sum() * 0.024
    table = table.round(2).assign(status=AI4RR[0], source=AI4RR[1])
    return table.rename_axis("year").reset_index()


def build_spell_table(daily: pd.DataFrame) -> pd.DataFrame:
    """Build the volumes of the land-preparation season: reported spells, then recorded flows."""
    reported = pd.read_csv(DERIVATION / "spell_releases.csv", dtype=str, keep_default_na=False)
    start, end = SPELL_SEASON
    rows = []
    for place, gauge in (("hoa_binh", "hoa_binh_release"), ("son_tay", "son_tay")):
        flow_m3s = select_season(daily[GAUGES[gauge]], start, end)
        volumes_hm3 = flow_m3s.groupby(flow_m3s.index.year).sum() * 86400 / 1e6
        rows.extend(
            ("record", place, f"{year}-{start}", f"{year}-{end}", f"{volume_hm3:.0f}", *AI4RR, "")
            for year, volume_hm3 in volumes_hm3.items()
        )
    return pd.concat([reported, pd.DataFrame(rows, columns=reported.columns)])


def build_storage_table(public: PublicData) -> pd.DataFrame:
    """Build the storage on 1 January and later: as expected, and as recorded at Hoa Binh."""
    expected = pd.read_csv(DERIVATION / "full_reservoirs.csv", dtype=str, keep_default_na=False)
    curves = compute_curves(public)
    levels_m = select_season(public.daily["hoa_binh_level_m"], "01-01", "01-01")
    rows = []
    for date, level_m in levels_m.items():
        storage_km3 = f"{convert_level(curves, 'hoa_binh', level_m) / 1000:.2f}"
        note = f"level {level_m:.2f} m"
        rows.append(("hoa_binh", f"{date:%Y-%m-%d}", storage_km3, storage_km3, *AI4RR, note))
    return pd.concat([expected, pd.DataFrame(rows, columns=expected.columns)])


# ---------------------------------------------------------------------------------- works


@dataclass(frozen=True)
class WorkCost:
    """Hold what a planned transfer costs.

    Attributes
    ----------
    investment_million, annual_cost_million : float
        Cost of building it and of its yearly upkeep [million VND].
    pumping_vnd_m3 : float
        Cost of the energy that lifts a m3 [VND].
    """

    investment_million: int
    annual_cost_million: int
    pumping_vnd_m3: int


def compute_work_cost(row: pd.Series, capacity_m3s: float) -> WorkCost:
    """Compute what a transfer costs from its length, lift and unit costs.

    Parameters
    ----------
    row : Series
        Row of ``derivation/works.csv``.
    capacity_m3s : float
        Capacity of its link.

    Examples
    --------
    >>> row = pd.Series({"length_km": 10, "static_lift_m": 8, "loss_m_per_km": 0.2,
    ...     "pump_efficiency_fraction": 0.75, "conduit_million_per_km": 1000,
    ...     "pumping_million_per_mw": 1000, "upkeep_fraction": 0.1})
    >>> compute_work_cost(row, capacity_m3s=100)
    WorkCost(investment_million=23000, annual_cost_million=2300, pumping_vnd_m3=74)
    """
    lift_m = row["static_lift_m"] + row["loss_m_per_km"] * row["length_km"]
    lift_m /= row["pump_efficiency_fraction"]
    conduit = row["length_km"] * row["conduit_million_per_km"]
    pumping = MW_PER_M3S_M * lift_m * capacity_m3s * row["pumping_million_per_mw"]
    investment = round((conduit + pumping) / ROUNDED_TO_MILLION) * ROUNDED_TO_MILLION
    return WorkCost(
        investment,
        round(investment * row["upkeep_fraction"]),
        round(KWH_PER_M3_M * lift_m * PRICE_VND_KWH),
    )


def compute_works() -> dict[str, WorkCost]:
    """Compute the cost of every work of ``derivation/works.csv``, by its link."""
    works = pd.read_csv(DERIVATION / "works.csv").set_index("link")
    capacity_m3s = pd.read_csv(BASIN / "links.csv").set_index("name")["capacity_m3s"]
    return {link: compute_work_cost(row, capacity_m3s[link]) for link, row in works.iterrows()}


def build_works() -> pd.DataFrame:
    """Build works.csv."""
    works = pd.read_csv(DERIVATION / "works.csv")
    costs = compute_works()
    return pd.DataFrame(
        [
            (row.name, row.work, row.link, cost.investment_million, cost.annual_cost_million,
             f"{row.status}, {row.reason}; costs derived from derivation/works.csv")
            for row in works.itertuples(index=False)
            for cost in [costs[row.link]]
        ],
        columns=["name", "work", "link", "investment_million", "annual_cost_million",
                 "meta_source"],
    )  # fmt: skip


# ---------------------------------------------------------------------------------- output


def write_patterns(public: PublicData, curves: pd.DataFrame) -> None:
    """Write patterns.csv."""
    rows = [
        *build_use_patterns(public),
        *build_evaporation(public),
        *build_flood_limits(public, curves),
        *build_rule_patterns(public),
        *build_duong_shares(public),
    ]
    table = pd.DataFrame(rows, columns=["pattern", "start", "value", "unit"])
    table.to_csv(BASIN / "patterns.csv", index=False, lineterminator="\n")


def build_curve(
    name: str, x: Iterable[float], y: Iterable[float], x_unit: str, y_unit: str
) -> pd.DataFrame:
    """Build the rows of one curve."""
    return pd.DataFrame({"curve": name, "x": x, "y": y, "x_unit": x_unit, "y_unit": y_unit})


def build_plant_curves(public: PublicData) -> list[pd.DataFrame]:
    """Build tailwater level by release, and the efficiency of Hoa Binh by head."""
    table = pd.read_csv(DERIVATION / "tailwater.csv")
    points = dict(list(table.groupby("plant", sort=False)))
    flows = choose_flows(compute_tailwater, 0, TAILWATER_MOST_M3S, TAILWATER_TOLERANCE_M)
    points["hoa_binh"] = pd.DataFrame(
        {"release_m3s": flows, "level_m": compute_tailwater(np.array(flows)).round(2)}
    )
    curves = [
        build_curve(
            f"{plant}_tailwater", rows["release_m3s"], rows["level_m"].astype(float), "m3s", "m"
        )
        for plant, rows in sorted(points.items(), key=lambda item: LARGE_RESERVOIRS.index(item[0]))
    ]
    fitted = fit_efficiency(compute_weeks(public.daily))
    curves.append(
        build_curve("hoa_binh_efficiency", fitted["head_m"], fitted["efficiency"], "m", "fraction")
    )
    return curves


def build_rating_curves(relations: pd.DataFrame) -> list[pd.DataFrame]:
    """Build the level of Ha Noi by flow, for each epoch."""
    curves = []
    for rating in read_ratings(relations):
        flows = choose_flows(rating.level, rating.first, rating.last, RATING_TOLERANCE_M)
        name = f"ha_noi_level_by_{rating.gauge}_{rating.epoch.replace('-', '_')}"
        levels_m = rating.level(np.array(flows)).round(3)
        curves.append(build_curve(name, flows, levels_m, "m3s", "m"))
    return curves


def write_curves(public: PublicData, curves: pd.DataFrame) -> None:
    """Write curves.csv, long form: reservoirs, then plants, then ratings."""
    tables = [
        build_curve(reservoir, rows["storage_hm3"], rows[column], "hm3", unit)
        for reservoir, rows in curves.groupby("reservoir", sort=False)
        for column, unit in (("level_m", "m"), ("area_km2", "km2"))
    ]
    tables.extend(build_plant_curves(public))
    tables.extend(build_rating_curves(public.relations))
    # flows are whole numbers and storages are not: each number as it is written in its own table
    rows = pd.concat([table.astype({"x": object, "y": object}) for table in tables])
    rows.to_csv(BASIN / "curves.csv", index=False, lineterminator="\n")


def write_tables(public: PublicData) -> pd.DataFrame:
    """Write every derived table; return the inflow [m3/s] (date, node)."""
    curves = compute_curves(public)
    write_patterns(public, curves)
    write_curves(public, curves)
    compute_reservoirs(public, curves).to_csv(
        BASIN / "reservoirs.csv", index=False, lineterminator="\n"
    )
    demands = compute_demands(public)
    demands["value_vnd_m3"] = demands["value_vnd_m3"].astype("Int64")
    demands.to_csv(BASIN / "demands.csv", index=False, lineterminator="\n")
    build_works().to_csv(BASIN / "works.csv", index=False, lineterminator="\n")
    inflow = compute_inflow(public)
    (BASIN / "series").mkdir(exist_ok=True)
    inflow.to_csv(BASIN / "series" / "inflow_m3s.csv", float_format="%.3f", lineterminator="\n")
    write_validation(public)
    return inflow


# ----------------------------------------------------------------------------------- check


def find_upstream(links: pd.DataFrame, node: str) -> set[str]:
    """Find all nodes whose water can reach a node, itself included."""
    found, waiting = {node}, [node]
    while waiting:
        below = waiting.pop()
        above = set(links.loc[links["to"] == below, "from"]) - found
        found |= above
        waiting.extend(above)
    return found


def compare_means(public: PublicData, inflow: pd.DataFrame) -> pd.DataFrame:
    """Compare mean total inflow with reference means.

    Returns
    -------
    DataFrame
        Columns node, derived_m3s, reference_m3s, difference, limit, basis.
    """
    links = pd.read_csv(BASIN / "links.csv")
    dates = pd.DatetimeIndex(inflow.index)
    means_m3s = pd.Series(np.average(inflow, axis=0, weights=count_days(dates)), inflow.columns)
    son_tay = public.daily.loc[RECORD_START:RECORD_END, "son_tay_flow_m3s"].mean()
    reference = read_reference_means(public)
    reference.insert(0, ("son_tay", son_tay, SON_TAY_LIMIT, "recorded, same years"))
    rows = []
    for node, reference_m3s, limit, basis in reference:
        above = [name for name in inflow.columns if name in find_upstream(links, node)]
        derived_m3s = float(means_m3s[above].sum())
        difference = derived_m3s / reference_m3s - 1
        rows.append((node, derived_m3s, reference_m3s, difference, limit, basis))
    columns = ["node", "derived_m3s", "reference_m3s", "difference", "limit", "basis"]
    return pd.DataFrame(rows, columns=columns)


def read_reference_means(public: PublicData) -> list[tuple[str, float, float, str]]:
    """Read reference means [m3/s]: node, mean, limit of the difference, basis."""
    facts = public.reservoirs["mean_inflow_m3s"].dropna()
    basis = {
        "lai_chau": "1994-2005, derived (POLIMI)",
        "ban_chat": "2016-2026, stated (BCLSTM)",
        "hoa_binh": "1989-2009, derived (AI4RR)",
        "thac_ba": "design, estimate",
        "tuyen_quang": "design, estimate",
    }
    rows = [(name, float(facts[name]), RESERVOIR_LIMIT, basis[name]) for name in basis]
    rows.append(("son_la", SON_LA_DESIGN_MEAN_M3S, RESERVOIR_LIMIT, "design, estimate"))
    ta_bu_m3s = read_annual_flow(public.flows, "ta_bu")
    rows.append(("ta_bu", ta_bu_m3s, RESERVOIR_LIMIT, "1994-2005, derived (POLIMI)"))
    return rows


def format_comparison(comparison: pd.DataFrame) -> str:
    """Format the comparison as a Markdown table."""
    lines = [
        "| node | mean inflow above, m3/s | reference, m3/s | difference | limit | reference is |",
        "|---|---|---|---|---|---|",
    ]
    lines.extend(
        f"| {row.node} | {row.derived_m3s:,.1f} | {row.reference_m3s:,.1f} "
        f"| {row.difference:+.2%} | {row.limit:.0%} | {row.basis} |"
        for row in comparison.itertuples()
    )
    return "\n".join(lines)


def format_energy(comparison: pd.DataFrame) -> str:
    """Format the comparison of energies as a Markdown table."""
    lines = [
        "| efficiency of Hoa Binh "
        "| energy at the recorded heads and flows, GWh/year | difference |",
        "|---|---|---|",
    ]
    lines.extend(
        f"| {row.efficiency} | {row.energy_gwh:,.0f} | {row.difference:+.1%} |"
        for row in comparison.itertuples()
    )
    return "\n".join(lines)


def format_travel_times(comparison: pd.DataFrame) -> str:
    """Format the comparison of travel times as a Markdown table; the first are the basin's."""
    lines = [
        "| hours from Hoa Binh / Yen Bai / Vu Quang to Son Tay | error of the daily sum "
        "June 1989 – May 2010, m3/s | June 2010 – May 2022 |",
        "|---|---|---|",
    ]
    lines.extend(
        f"| {row.hoa_binh_h:.0f} / {row.yen_bai_h:.0f} / {row.vu_quang_h:.0f}"
        f"{' (in the basin)' if row.Index == 0 else ''} "
        f"| {row.before_m3s:,.0f} | {row.after_m3s:,.0f} |"
        for row in comparison.itertuples()
    )
    return "\n".join(lines)


def find_faults(
    inflow: pd.DataFrame, comparison: pd.DataFrame, energy: pd.DataFrame, under_way: Mapping
) -> list[str]:
    """Name what is wrong with the derived figures; empty when all is well."""
    faults = []
    for row in energy[1:2].itertuples():
        if abs(row.difference) > ENERGY_LIMIT:
            faults.append(
                f"energy of Hoa Binh: {row.difference:+.1%} is outside {ENERGY_LIMIT:.0%}"
            )
    links = pd.read_csv(BASIN / "links.csv").set_index("name")
    for link, flow_m3s in under_way.items():
        if links.at[link, "initial_m3s"] != flow_m3s:
            faults.append(
                f"links.csv: initial_m3s of {link} is {links.at[link, 'initial_m3s']}, "
                f"not {flow_m3s}"
            )
    for link, cost in compute_works().items():
        if links.at[link, "cost_vnd_m3"] != cost.pumping_vnd_m3:
            faults.append(
                f"links.csv: cost_vnd_m3 of {link} is {links.at[link, 'cost_vnd_m3']}, "
                f"not {cost.pumping_vnd_m3}"
            )
    if len(inflow) != N_DEKADS:
        faults.append(f"inflow has {len(inflow)} dekads, expected {N_DEKADS}")
    if inflow.isna().any(axis=None) or (inflow < 0).any(axis=None):
        faults.append("inflow has blank or negative values")
    for row in comparison.itertuples():
        if abs(row.difference) > row.limit:
            faults.append(f"{row.node}: {row.difference:+.2%} is outside {row.limit:.0%}")
    return faults


def main(arguments: list[str]) -> int:
    """Write the tables, check them, print the comparison; return the exit code."""
    if len(arguments) != 1:
        print("usage: derive.py PATH_TO_PUBLIC_DATA_SET", file=sys.stderr)
        return 2
    public = read_public_data(Path(arguments[0]))
    inflow = write_tables(public)
    comparison = compare_means(public, inflow)
    energy = compare_energy(public)
    print(format_comparison(comparison))
    print(f"\n{format_energy(energy)}")
    print(f"\n{format_travel_times(compare_travel_times(public.daily))}")
    faults = find_faults(inflow, comparison, energy, compute_flows_under_way(public.daily))
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
