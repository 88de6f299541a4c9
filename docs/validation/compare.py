"""Recorded and modelled figures side by side, one function a table of the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import networkx as nx
import numpy as np
import pandas as pd
import xarray as xr

from docs.validation.recorded import BASIN, recorded
from wateralloc import Basin, read_basin
from wateralloc.parts.rating import rating_of
from wateralloc.units import SECONDS_PER_DAY, hm3_of_m3s, m3s_of_hm3

SEVEN = ("lai_chau", "ban_chat", "huoi_quang", "son_la", "hoa_binh", "thac_ba", "tuyen_quang")
ABOVE_HOA_BINH = SEVEN[:4]
MULTI_PURPOSE = ("hoa_binh", "thac_ba", "tuyen_quang")
"""The three reservoirs that release for the land preparation."""
GAUGES = ("hoa_binh", "yen_bai", "vu_quang", "son_tay", "ha_noi")
SAME_YEARS, REGULATED = "1989-06 to 2010-05", "2010-2022"
MONTHS = tuple(map(str, range(1, 13)))
DRY_MONTHS = (11, 12, 1, 2, 3, 4, 5)
SEASON = ("01-21", "02-01", "02-11", "02-21")
"""First days of the periods from 21 January to 28 February."""
LEVEL_M = 2.2
BEDS = {"2005-09": 2007, "2018-22": 2020}
"""Epoch of the rating -> year of it that a case names."""
LEVEL_RULE = "ha_noi_level"
YEAR_DAYS = 365.25
M3S_PER_HM3_DAY = float(m3s_of_hm3(1.0, SECONDS_PER_DAY))


@cache
def basin() -> Basin:
    """The shipped basin."""
    return read_basin(BASIN)


# --- energy -------------------------------------------------------------------------------------


def energy(dataset: xr.Dataset) -> pd.DataFrame:
    """Yearly energy of each plant [GWh]: stated, range of the sources, mean and range of members.

    Below Hoa Binh a row lays it beside the stated figure with Son La upstream.
    """
    stated = recorded("energy").set_index("plant")[["stated_gwh", "low_gwh", "high_gwh"]]
    table = stated.join(_of_members(dataset["energy"].sum("time")))
    with_son_la = table.loc[["hoa_binh"]].rename({"hoa_binh": "hoa_binh_with_son_la"})
    with_son_la["stated_gwh"] = with_son_la["low_gwh"] = with_son_la["high_gwh"]
    after = list(table.index).index("hoa_binh") + 1
    table = pd.concat([table[:after], with_son_la, table[after:]])
    table["difference"] = table["mean"] / table["stated_gwh"] - 1
    return table


def _of_members(values: xr.DataArray) -> pd.DataFrame:
    """Mean, least and largest over the members, a row an item."""
    table = values.transpose("member", ...).to_pandas()
    return pd.DataFrame({"mean": table.mean(), "least": table.min(), "largest": table.max()})


def hoa_binh_years(dataset: xr.Dataset) -> pd.DataFrame:
    """Operation of Hoa Binh in each June–May year: columns as in ``hoa_binh_operation``."""
    seconds = float(dataset["days"].sum()) * SECONDS_PER_DAY
    level = dataset["level"].isel(
        reservoir_with_level=list(dataset["reservoir_with_level"].values).index("hoa_binh")
    )
    return pd.DataFrame(
        {
            "release_m3s": m3s_of_hm3(_release(dataset, ["hoa_binh"]).sum("time").values, seconds),
            "turbine_m3s": m3s_of_hm3(
                dataset["turbined"].sel(plant="hoa_binh").sum("time").values, seconds
            ),
            "level_m": level.mean("time").values,
            "energy_gwh": dataset["energy"].sel(plant="hoa_binh").sum("time").values,
        },
        index=[int(str(member)[:4]) for member in dataset["member"].values],
    )


def hoa_binh(baseline: xr.Dataset, alone: xr.Dataset) -> pd.DataFrame:
    """Operation of Hoa Binh without and with the reservoirs above it, recorded and modelled.

    Columns release_m3s, turbine_m3s, turbined (fraction of the release), level_m, energy_gwh,
    kwh_m3.  Recorded years with Son La have no energy of their own: it is that of their levels and
    flows by the plant of the basin.
    """
    record = recorded("hoa_binh_operation").set_index("year")
    before = record["energy_gwh"].notna() & (record.index <= 2009)
    with_son_la = record["energy_gwh"].isna()
    regulated = record[with_son_la].assign(energy_gwh=record["energy_by_plant_gwh"])
    modelled = hoa_binh_years(alone)
    same = modelled.index.isin(record.index[before]) & (modelled.index + 1 <= 2009)
    rows = {
        "recorded_before": record[before],
        "alone_same_years": modelled[same],
        "alone": modelled,
        "recorded_with": regulated,
        "with": hoa_binh_years(baseline),
    }
    columns = ["release_m3s", "turbine_m3s", "level_m", "energy_gwh"]
    table = pd.DataFrame({name: years[columns].mean() for name, years in rows.items()}).T
    table["turbined"] = table["turbine_m3s"] / table["release_m3s"]
    volume = hm3_of_m3s(table["turbine_m3s"], YEAR_DAYS * SECONDS_PER_DAY)
    table["kwh_m3"] = table["energy_gwh"] / volume
    return table


def above_the_regulated_years(baseline: xr.Dataset) -> float:
    """How much more Hoa Binh yields than the line through the recorded years with Son La.

    The line is that of energy by release; years whose release is outside the recorded ones do not
    count.
    """
    record = recorded("hoa_binh_operation")
    record = record[record["energy_gwh"].isna()]
    line = np.polyfit(record["release_m3s"], record["energy_by_plant_gwh"], 1)
    years = hoa_binh_years(baseline)
    years = years[
        years["release_m3s"].between(record["release_m3s"].min(), record["release_m3s"].max())
    ]
    return float(years["energy_gwh"].sum() / np.polyval(line, years["release_m3s"]).sum() - 1)


def turbined_share(first: int, last: int) -> float:
    """Recorded share of the release of Hoa Binh that passed its turbines, in some years."""
    years = recorded("hoa_binh_operation").set_index("year").loc[first:last]
    return years["turbine_m3s"].sum() / years["release_m3s"].sum()


def plant_at_the_record() -> tuple[float, float]:
    """Mean yearly energy of Hoa Binh [GWh], recorded and by the plant of the basin, same years."""
    years = recorded("hoa_binh_operation").dropna(subset="energy_gwh")
    return years["energy_gwh"].mean(), years["energy_by_plant_gwh"].mean()


# --- flows --------------------------------------------------------------------------------------


def _release(dataset: xr.Dataset, reservoirs: list[str]) -> xr.DataArray:
    """Volume that some reservoirs let into the river below [hm3] (member, time)."""
    of = dataset[["release", "spill"]].sel(reservoir=reservoirs)
    return (of["release"] + of["spill"]).sum("reservoir")


def passing(dataset: xr.Dataset, gauge: str) -> xr.DataArray:
    """Volume that passes a gauge [hm3] (member, time); at Hoa Binh the release of the dam."""
    if gauge == "hoa_binh":
        return _release(dataset, ["hoa_binh"])
    return dataset["river_flow"].sel(node=gauge)


def by_month(dataset: xr.Dataset, gauge: str) -> pd.DataFrame:
    """Mean flow past a gauge [m3/s]: rows members, columns months "1".."12" and ``year``."""
    volume = passing(dataset, gauge).transpose("member", "time").to_pandas()
    days = pd.Series(dataset["days"].values, volume.columns)
    months = volume.columns.month.astype(str)
    table = volume.T.groupby(months).sum().T / days.groupby(months).sum()
    table["year"] = volume.sum(axis=1) / days.sum()
    return table * M3S_PER_HM3_DAY


def monthly_flows(dataset: xr.Dataset) -> pd.DataFrame:
    """Mean flow by month and in the year [m3/s]: rows (gauge, period of the record or ``model``).

    Column ``dry`` is the share of a year of equal months that passes in November–May.
    """
    record = recorded("flows_monthly").replace({"gauge": {"hoa_binh_release": "hoa_binh"}})
    record = record.pivot(index=["gauge", "period"], columns="month", values="mean_m3s")
    rows = {}
    for gauge in GAUGES:
        for period in (SAME_YEARS, REGULATED):
            rows[gauge, period] = record.loc[(gauge, period)]
        rows[gauge, "model"] = by_month(dataset, gauge).mean()
    table = pd.DataFrame(rows).T[[*MONTHS, "year"]]
    table["dry"] = table[list(map(str, DRY_MONTHS))].sum(axis=1) / table[list(MONTHS)].sum(axis=1)
    return table


def duong_shares(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Share of the Duong by epoch of the record, of the year and of November–May.

    Parameters
    ----------
    datasets : epoch of ``duong_share`` -> a run on its river bed

    Returns
    -------
    DataFrame
        Rows epochs; columns (``year`` or ``dry``, what): ``recorded`` and ``gauges`` are
        1 - Ha Noi / Son Tay, ``fork`` is the share of the flow that divides at the offtake.
    """
    record = recorded("duong_share").set_index(["epoch", "month"])["share_fraction"]
    rows = {}
    for epoch, dataset in datasets.items():
        row = {}
        for season, month in (("year", "year"), ("dry", "dry_nov_may")):
            inside = np.isin(dataset["time"].dt.month, DRY_MONTHS) | (season == "year")
            total = {
                node: float(passing(dataset, node).isel(time=inside).sum())
                for node in ("son_tay", "ha_noi", "duong_offtake")
            }
            link = dataset["flow_in"].sel(link="duong_distributary")
            row[season, "recorded"] = record[epoch, month]
            row[season, "gauges"] = 1 - total["ha_noi"] / total["son_tay"]
            row[season, "fork"] = float(link.isel(time=inside).sum()) / total["duong_offtake"]
        rows[epoch] = row
    return pd.DataFrame(rows).T


# --- levels of Ha Noi ---------------------------------------------------------------------------


def flow_for_level() -> pd.DataFrame:
    """Flow for the level of the decision at Ha Noi [m3/s]: rows epochs, columns (gauge, what).

    ``recorded`` is the fit to the daily record, ``modelled`` the rating curve of the basin.
    """
    record = recorded("ha_noi_level")
    record = record[record["level_m"] == LEVEL_M].dropna(subset="flow_m3s")
    rows: dict[str, dict[tuple[str, str], float]] = {}
    for row in record.itertuples():
        curve = basin().curves[f"ha_noi_level_by_{row.flow_at}_{str(row.epoch).replace('-', '_')}"]
        of_epoch = rows.setdefault(str(row.epoch), {})
        of_epoch[str(row.flow_at), "recorded"] = row.flow_m3s
        of_epoch[str(row.flow_at), "modelled"] = float(curve.inverse("stage", LEVEL_M))
    return pd.DataFrame(rows).T.sort_index()


# --- stored and released water ------------------------------------------------------------------


def stored(dataset: xr.Dataset, month_day: str) -> pd.Series:
    """Water in the seven reservoirs at the start of a day of the year [km3], by member."""
    return _at(dataset, list(SEVEN), month_day).sum("reservoir").to_pandas() / 1000


def _at(dataset: xr.Dataset, reservoirs: list[str], month_day: str) -> xr.DataArray:
    """Storage at the start of a day of the year [hm3] (member, reservoir)."""
    ends = [str(day)[5:10] for day in dataset["time_bnds"].values[:, 1]]
    return dataset["storage_end"].sel(reservoir=reservoirs).isel(time=ends.index(month_day))


def fullness(dataset: xr.Dataset, reservoir: str, month_day: str) -> float:
    """Mean storage of a reservoir at the start of a day of the year, of that at normal level."""
    normal = basin().tables["reservoirs"].at[reservoir, "normal"]
    return float(_at(dataset, [reservoir], month_day).mean()) / normal


def stored_water(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Water in the seven reservoirs [km3]: expected in 2026, and mean and range by run.

    Rows days of the year; columns low, high, and (run, mean | least | largest).
    """
    expected = recorded("full_reservoirs")
    expected = expected[expected["place"] == "seven reservoirs"]
    rows = {}
    for row in expected.itertuples():
        day = str(row.date)[5:]
        rows[day] = {("expected", "low"): row.low_km3, ("expected", "high"): row.high_km3}
        for name, dataset in datasets.items():
            volume = stored(dataset, day)
            for what, value in (
                ("mean", volume.mean()), ("least", volume.min()), ("largest", volume.max()),
            ):  # fmt: skip
                rows[day][name, what] = value
    return pd.DataFrame(rows).T


def hoa_binh_on_new_year(dataset: xr.Dataset) -> dict[str, float]:
    """Mean storage of Hoa Binh on 1 January [km3]: recorded with Son La, and modelled."""
    record = recorded("full_reservoirs")
    record = record[(record["place"] == "hoa_binh") & (record["date"] >= "2013")]
    modelled = float(_at(dataset, ["hoa_binh"], "01-01").mean()) / 1000
    return {"recorded": record["low_km3"].mean(), "modelled": modelled}


def season(volume: xr.DataArray) -> pd.Series:
    """Volume of 21 January to 28 February, by member."""
    inside = np.isin([str(day)[5:10] for day in volume["time"].values], SEASON)
    return volume.isel(time=inside).sum("time").to_pandas()


def season_volumes(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Volume of 21 January to 28 February [km3]: mean, least and largest.

    Rows (place, run or ``recorded``); places are the three reservoirs together, Hoa Binh and
    Son Tay.  Recorded are the years from 2013, with Son La, at Hoa Binh and Son Tay.
    """
    record = recorded("spell_releases")
    record = record[(record["kind"] == "record") & (record["start"] >= "2013")]
    rows = {}
    for place in ("three reservoirs", "hoa_binh", "son_tay"):
        found = {"recorded": record.loc[record["place"] == place, "volume_hm3"]}
        for name, dataset in datasets.items():
            volume = (
                _release(dataset, list(MULTI_PURPOSE))
                if place == "three reservoirs"
                else passing(dataset, place)
            )
            found[name] = season(volume)
        for name, volumes in found.items():
            if len(volumes):
                rows[place, name] = volumes.agg(["mean", "min", "max"]).to_numpy() / 1000
    return pd.DataFrame(rows, index=["mean", "least", "largest"]).T


def level_in_season() -> pd.Series:
    """Recorded ten-day means of the level of Ha Noi [m], 21 January to 28 February from 2013."""
    record = recorded("regulated_dekads").set_index("date")["ha_noi_level_m"]
    dates = record.index.astype(str)
    return record[dates.str[5:].isin(SEASON) & (dates >= "2013")]


def mean_level_in_season(dataset: xr.Dataset) -> float:
    """Modelled mean of the same on the last river bed [m]."""
    rating = rating_of(basin(), "ha_noi", "ha_noi", max(BEDS.values()))
    level = dataset["river_level"].sel(rating=rating)
    inside = np.isin([str(day)[5:10] for day in level["time"].values], SEASON)
    return float(level.isel(time=inside).mean())


# --- held-aside years ---------------------------------------------------------------------------


def held_aside(datasets: Mapping[int, xr.Dataset]) -> pd.DataFrame:
    """Recorded and modelled ten-day means of the held-aside years.

    Parameters
    ----------
    datasets : first year of a river bed -> run of the reduced basin on it, over all the years;
        each gives the years from its own on, until the next

    Returns
    -------
    DataFrame
        Rows first days; columns days, (place, ``recorded`` | ``modelled``) of son_tay, ha_noi
        [m3/s] and level [m], and (son_tay, gauges): the three gauges of the same period.
    """
    record = recorded("regulated_dekads")
    record.index = pd.DatetimeIndex(record["date"])
    parts = []
    starts = sorted(datasets)
    for first, after in zip(starts, [*starts[1:], 9999], strict=True):
        dataset = datasets[first].isel(member=0)
        times = pd.DatetimeIndex(dataset["time"].values)
        days = dataset["days"].values
        of_year = {year: rating_of(basin(), "ha_noi", "ha_noi", year) for year in set(times.year)}
        level = dataset["river_level"].to_pandas()
        table = pd.DataFrame(
            {
                ("days", ""): days,
                **{
                    (node, "modelled"): m3s_of_hm3(
                        dataset["river_flow"].sel(node=node).values, days * SECONDS_PER_DAY
                    )
                    for node in ("son_tay", "ha_noi")
                },
                ("level", "modelled"): [level.at[time, of_year[time.year]] for time in times],
            },
            index=times,
        )
        parts.append(table[(times.year >= first) & (times.year < after)])
    table = pd.concat(parts)
    for place, column in (
        ("son_tay", "son_tay_m3s"), ("ha_noi", "ha_noi_m3s"), ("level", "ha_noi_level_m"),
    ):  # fmt: skip
        table[place, "recorded"] = record[column].reindex(table.index)
    above = ["hoa_binh_release_m3s", "yen_bai_m3s", "vu_quang_m3s"]
    table["son_tay", "gauges"] = record[above].sum(axis=1).reindex(table.index)
    return table


def scores(modelled: pd.Series, recorded_: pd.Series, days: pd.Series) -> dict[str, float]:
    """How close a series is: means, closure of the volume, root mean square error, efficiency."""
    error = modelled - recorded_
    spread = ((recorded_ - recorded_.mean()) ** 2).sum()
    means = [np.average(series, weights=days) for series in (recorded_, modelled)]
    return {
        "recorded": means[0],
        "modelled": means[1],
        "closure": means[1] / means[0] - 1,
        "rmse": float(np.sqrt((error**2).mean())),
        "nse": 1 - float((error**2).sum() / spread),
    }


def closure(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of the held-aside years: the gauges alone, all, seasons, months, Ha Noi."""
    days = table["days", ""]
    dry = table.index.month.isin(DRY_MONTHS)
    late = table.index.year >= max(BEDS.values()) - 2
    monthly = _monthly_means(table)
    rows = {}
    for name, place, column, inside in (
        ("sum of the gauges", "son_tay", "gauges", days > 0),
        ("all", "son_tay", "modelled", days > 0),
        ("dry", "son_tay", "modelled", dry),
        ("flood", "son_tay", "modelled", ~dry),
        ("ha_noi_early", "ha_noi", "modelled", ~late),
        ("ha_noi_late", "ha_noi", "modelled", late),
    ):
        of = table[inside]
        rows[name] = scores(of[place, column], of[place, "recorded"], days[inside])
    rows["monthly"] = scores(
        monthly["son_tay", "modelled"], monthly["son_tay", "recorded"], monthly["days", ""]
    )
    return pd.DataFrame(rows).T


def _monthly_means(table: pd.DataFrame) -> pd.DataFrame:
    """Means of calendar months, by the days of the periods."""
    days = table["days", ""]
    month = table.index.to_period("M")
    means = table.mul(days, axis=0).groupby(month).sum().div(days.groupby(month).sum(), axis=0)
    means["days", ""] = days.groupby(month).sum()
    return means


def closure_by_year(table: pd.DataFrame) -> pd.Series:
    """Modelled over recorded mean flow at Son Tay less 1, of each June–May year."""
    year = table.index.year - (table.index.month < 6)
    volume = table["son_tay"].mul(table["days", ""], axis=0).groupby(year).sum()
    return volume["modelled"] / volume["recorded"] - 1


def levels(table: pd.DataFrame) -> pd.DataFrame:
    """Error of the level of Ha Noi in November–May [m], by the years of each rating.

    The rating is read at the modelled flow at Ha Noi, and at the recorded one; the second shows
    the error of the rating alone.
    """
    dry = table[table.index.month.isin(DRY_MONTHS)]
    names = {y: rating_of(basin(), "ha_noi", "ha_noi", y) for y in set(dry.index.year)}
    rating = pd.Series([names[year] for year in dry.index.year], dry.index)
    ratings = basin().tables["ratings"]
    rows = {}
    for name, of in dry.groupby(rating):
        curve = basin().curves[ratings.at[name, "curve"]]
        at_record = pd.Series(curve.at("stage", of["ha_noi", "recorded"].to_numpy()), of.index)
        years = f"{of.index.year.min()}-{of.index.year.max()}"
        row = {"recorded": of["level", "recorded"].mean()}
        for what, level in (("modelled", of["level", "modelled"]), ("at_record", at_record)):
            error = level - of["level", "recorded"]
            row |= {what: error.mean(), f"{what}_rmse": float(np.sqrt((error**2).mean()))}
        rows[years] = row
    return pd.DataFrame(rows).T


def drawn_between() -> float:
    """What users of the basin ask between the three gauges and Son Tay [m3/s], in its base year."""
    demands = basin().tables["demands"]
    here = demands["node"].isin(["hoa_binh_city", "phu_tho", "trung_ha", "viet_tri", "son_tay"])
    volume = demands.loc[here, "annual"].sum()
    return float(m3s_of_hm3(volume, YEAR_DAYS * SECONDS_PER_DAY))


# --- the river bed ------------------------------------------------------------------------------


def driest(dataset: xr.Dataset, n: int = 2) -> list[str]:
    """Members with the least inflow of the basin in November–May, in the order of the record."""
    dry = np.isin(dataset["time"].dt.month, DRY_MONTHS)
    inflow = dataset["inflow"].isel(time=dry).sum(["time", "node"]).to_pandas()
    return sorted(inflow.nsmallest(n).index)


def outcome(dataset: xr.Dataset) -> pd.DataFrame:
    """What a river bed does to a year: rows members, columns measures (groups, names)."""
    found: dict[tuple[str, str], pd.Series] = {}
    for day in ("01-01", "03-01", "04-01", "06-01"):
        found["stored, km³", day] = stored(dataset, day)
    power = dataset["energy"].sum("time")
    found["energy, GWh", "all"] = power.sum("plant").to_pandas()
    short = dataset["deficit"].sum("time").transpose("demand", "member").to_pandas()
    sectors = dataset["sector"].values
    for sector in dict.fromkeys(dataset["word_name"].values[dataset["word_of"].values == "sector"]):
        found["deficit, hm³", str(sector)] = short[sectors == sector].sum()
    found["deficit, hm³", "all"] = short.sum()
    for name, values in _level_rule(dataset).items():
        found["level rule", name] = values
    spilled = dataset["spill"].sel(reservoir=list(SEVEN)).sum("reservoir")
    dry = np.isin(dataset["time"].dt.month, DRY_MONTHS)
    found["spilled, km³", "dry"] = spilled.isel(time=dry).sum("time").to_pandas() / 1000
    found["released, km³", "season"] = season(_release(dataset, list(MULTI_PURPOSE))) / 1000
    return pd.DataFrame(found)


def _level_rule(dataset: xr.Dataset) -> dict[str, pd.Series]:
    """Volume that the level asks at Son Tay and what lacks [hm3]; periods in which it is kept."""
    of = dataset.isel(rule=dataset["rule_clause"].values == LEVEL_RULE)
    length = of["rule_end"] - of["rule_start"] + np.timedelta64(1, "D")
    hm3_per_m3s = length / np.timedelta64(1, "D") / M3S_PER_HM3_DAY
    asked = of["required"] * hm3_per_m3s
    lacking = (-of["slack"]).clip(0) * hm3_per_m3s
    return {
        "asked, hm³": asked.sum("rule").to_pandas(),
        "shortfall, hm³": lacking.sum("rule").to_pandas(),
        "periods kept": of["kept"].sum("rule").to_pandas().astype(float),
    }


def share_above_son_tay(datasets: Mapping[str, xr.Dataset]) -> float:
    """Part of the deficit that the later bed adds which falls on those who draw above Son Tay."""
    before, after = datasets.values()
    more = (after["deficit"] - before["deficit"]).sum(["time", "member"]).to_pandas()
    ends = zip(after["link_from"].values, after["link_to"].values, strict=True)
    above = {"son_tay", *nx.ancestors(nx.DiGraph(list(ends)), "son_tay")}
    return float(more[np.isin(after["demand_node"].values, list(above))].sum() / more.sum())


def riverbeds(datasets: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Outcome on each river bed, and what the later does to it.

    Parameters
    ----------
    datasets : epoch of `BEDS` -> run, the earlier first

    Returns
    -------
    DataFrame
        Rows measures; columns (``mean`` or a member, epoch or ``difference``).
    """
    outcomes = {epoch: outcome(dataset) for epoch, dataset in datasets.items()}
    first, last = outcomes
    dry = driest(datasets[first])
    columns = {}
    for years in ("mean", *dry):
        values = {
            epoch: table.mean() if years == "mean" else table.loc[years]
            for epoch, table in outcomes.items()
        }
        columns |= {(years, epoch): value for epoch, value in values.items()}
        columns[years, "difference"] = values[last] - values[first]
    return pd.DataFrame(columns)
