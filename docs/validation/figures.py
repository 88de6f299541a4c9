"""Figures of the page: recorded beside modelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from docs.validation import compare
from docs.validation.recorded import recorded

RECORD, OLD, MODEL, RANGE, LEVEL = "#222222", "#9a9a9a", "#1f5f99", "#cfe3f1", "#c0392b"
STYLE = {
    "font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
    "axes.spines.right": False,
}  # fmt: skip
NAMES = {
    "lai_chau": "Lai Chau", "ban_chat": "Ban Chat", "huoi_quang": "Huoi Quang",
    "son_la": "Son La", "hoa_binh": "Hoa Binh", "thac_ba": "Thac Ba",
    "tuyen_quang": "Tuyen Quang", "yen_bai": "Yen Bai", "vu_quang": "Vu Quang",
    "son_tay": "Son Tay", "ha_noi": "Ha Noi", "hoa_binh_with_son_la": "Hoa Binh with Son La",
}  # fmt: skip
MONTHS = "JFMAMJJASOND"


def draw_energy(baseline: xr.Dataset, alone: xr.Dataset) -> Figure:
    """Energy of each plant over what is stated, and that of Hoa Binh by the water it released."""
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    table = compare.energy(baseline)[::-1]
    rows = np.arange(len(table))
    share = table.div(table["stated_gwh"], axis=0)
    left.axvspan(90, 110, color="#e9efe6", lw=0)
    left.axvline(100, color=RECORD, lw=0.8)
    left.barh(rows, 100 * (share["largest"] - share["least"]), 0.34, 100 * share["least"],
              color=RANGE, label="range of the years")  # fmt: skip
    left.plot(100 * share["mean"], rows, "o", color=MODEL, ms=5, label="mean of the model")
    left.set_yticks(rows, [NAMES[plant] for plant in table.index])
    left.set_xlim(left=100 * share["least"].min() - 4)
    left.set_xlabel("energy, % of what is stated (band: within 10 %)")
    left.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.14), ncols=2)
    record = recorded("hoa_binh_operation").set_index("year")
    before = record.dropna(subset="energy_gwh").loc[:2009]
    regulated = record[record["energy_gwh"].isna()]
    for x, y, style, label in (
        (before["release_m3s"], before["energy_gwh"], {"marker": "o", "color": OLD},
         "recorded 1995–2009"),
        (regulated["release_m3s"], regulated["energy_by_plant_gwh"],
         {"marker": "o", "color": RECORD}, "recorded levels and flows 2013–22"),
    ):  # fmt: skip
        right.scatter(x, y, s=22, lw=0, label=label, zorder=3, **style)
    for dataset, colour, marker, label in (
        (alone, "#7fb2d9", "^", "model, without the lakes above"), (baseline, MODEL, "^", "model"),
    ):  # fmt: skip
        years = compare.hoa_binh_years(dataset)
        right.scatter(years["release_m3s"], years["energy_gwh"], s=26, marker=marker, lw=0,
                      color=colour, label=label, zorder=2)  # fmt: skip
    right.set_xlabel("release of Hoa Binh, m³/s in the mean of the year")
    right.set_ylabel("energy of Hoa Binh, GWh")
    right.set_ylim(bottom=4500)  # room for the key
    right.grid(lw=0.4)
    right.legend(frameon=False, loc="lower right", handletextpad=0.1)
    return figure


def draw_flows(baseline: xr.Dataset) -> Figure:
    """Mean flow by month at the gauges."""
    figure = Figure(figsize=(7.6, 5.0), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    table = compare.monthly_flows(baseline)
    order = [*range(6, 13), *range(1, 6)]
    columns = [str(month) for month in order]
    at = np.arange(12)
    for axes, gauge in zip(panels, compare.GAUGES, strict=False):
        of_members = compare.by_month(baseline, gauge)[columns]
        axes.fill_between(at, of_members.min(), of_members.max(), color=RANGE, lw=0,
                          label="model, range of the years")  # fmt: skip
        axes.plot(at, table.loc[(gauge, "model"), columns], color=MODEL, lw=1.8, label="model")
        axes.plot(at, table.loc[(gauge, compare.SAME_YEARS), columns], color=OLD, lw=1.2, ls="--",
                  label="recorded 1989–2010, the years of the model")  # fmt: skip
        axes.plot(at, table.loc[(gauge, compare.REGULATED), columns], color=RECORD, lw=1.2,
                  label="recorded 2010–22, with Son La")  # fmt: skip
        what = " (release)" if gauge == "hoa_binh" else ""
        axes.set_title(NAMES[gauge] + what, loc="left", weight="bold")
        axes.set_xticks(at, [MONTHS[month - 1] for month in order])
        axes.set_ylim(0)
        axes.grid(lw=0.4)
    for axes in panels[::3]:
        axes.set_ylabel("flow, m³/s")
    panels[-1].axis("off")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[-1].legend(handles, labels, frameon=False, loc="center left", borderaxespad=0)
    return figure


def draw_levels() -> Figure:
    """Level of Ha Noi by the flow at Son Tay, as the bed was lowered."""
    figure = Figure(figsize=(7.6, 2.9), layout="constrained")
    axes = figure.subplots()
    colours = ("#b9d3e8", "#8fb8d8", "#5e98c6", "#2f74ab", "#0b3c6d")
    table = compare.flow_for_level()
    for epoch, colour in zip(table.index, colours, strict=True):
        x, y = compare.basin().curves[
            f"ha_noi_level_by_son_tay_{epoch.replace('-', '_')}"
        ].points["stage"]  # fmt: skip
        axes.plot(x, y, color=colour, lw=1.6, label=epoch.replace("-", "–"))
        axes.plot(table.loc[epoch, ("son_tay", "recorded")], compare.LEVEL_M, "o", color=colour)
    axes.axhline(compare.LEVEL_M, color=LEVEL, lw=1.0, ls="--")
    axes.annotate(f"{compare.LEVEL_M} m of Decision 740", (5300, compare.LEVEL_M), color=LEVEL,
                  ha="right", va="bottom", xytext=(0, 1), textcoords="offset points")  # fmt: skip
    axes.set_xlim(0, 5400)
    axes.set_ylim(0.5, 4)
    axes.set_xlabel("flow at Son Tay, m³/s")
    axes.set_ylabel("level of Ha Noi, m")
    axes.grid(lw=0.4)
    axes.legend(frameon=False, title="riverbed of", loc="upper left", ncols=2)
    return figure


def draw_held_aside(table: pd.DataFrame) -> Figure:
    """Flow at Son Tay and level of Ha Noi in the held-aside years, and the closure of each year."""
    figure = Figure(figsize=(7.6, 6.0), layout="constrained")
    flow, level, closure = figure.subplots(3, 1, height_ratios=(1.2, 1, 0.75))
    for axes, place, what in (
        (flow, "son_tay", "Son Tay, m³/s"), (level, "level", "level of Ha Noi, m"),
    ):  # fmt: skip
        axes.plot(table.index, table[place, "recorded"], color=RECORD, lw=1.0, label="recorded")
        axes.plot(table.index, table[place, "modelled"], color=MODEL, lw=0.9, label="modelled")
        axes.set_ylabel(what)
        axes.grid(lw=0.4)
        axes.set_xlim(table.index[0], table.index[-1])
    flow.legend(frameon=False, ncols=2, loc="upper right")
    flow.set_ylim(0)
    by_year = 100 * compare.closure_by_year(table)
    at = [pd.Timestamp(f"{year}-12-01") for year in by_year.index]
    closure.bar(at, by_year, width=260, color=[MODEL if v > 0 else "#7fb2d9" for v in by_year])
    closure.axhline(0, color=RECORD, lw=0.8)
    closure.set_xlim(table.index[0], table.index[-1])
    closure.set_ylabel("closure at Son Tay,\n% of the year")
    closure.grid(axis="y", lw=0.4)
    return figure


def draw_riverbeds(runs: Mapping[str, Mapping[str, xr.Dataset]]) -> Figure:
    """Water in the seven reservoirs by river bed: the mean year and the driest.

    Parameters
    ----------
    runs : title -> epoch of the bed -> run, the earlier bed first
    """
    figure = Figure(figsize=(7.6, 3.1), layout="constrained")
    panels: Any = figure.subplots(1, len(runs), sharey=True)
    for axes, (title, by_bed) in zip(panels, runs.items(), strict=True):
        for (epoch, dataset), colour in zip(by_bed.items(), ("#7fb2d9", "#0b3c6d"), strict=True):
            driest = compare.driest(dataset)[0]
            of = dataset["storage_end"].sel(reservoir=list(compare.SEVEN)).sum("reservoir") / 1000
            ends = dataset["time_bnds"].values[:, 1]
            for values, style in ((of.mean("member"), "-"), (of.sel(member=driest), ":")):
                years = "mean" if style == "-" else f"{driest[:4]}–{int(driest[2:4]) + 1:02d}"
                axes.plot(ends, values, style, color=colour, lw=1.5,
                          label=f"bed of {epoch.replace('-', '–')}, {years}")  # fmt: skip
        axes.set_title(title, loc="left", weight="bold")
        ticks = [end for end in ends if str(end)[8:10] == "01"]
        axes.set_xticks(ticks, [MONTHS[int(str(end)[5:7]) - 1] for end in ticks])
        axes.grid(lw=0.4)
    panels[0].set_ylabel("water in the seven reservoirs, km³")
    panels[0].set_ylim(0)
    panels[0].legend(frameon=False, loc="lower center")
    return figure
