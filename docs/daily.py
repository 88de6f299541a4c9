"""Run the daily operation of the Red River, and write its page and figures.

``python -m docs.daily`` runs ``cases/daily/daily_operation.yaml`` and writes ``docs/daily.md`` from
``docs/daily.md.in``, with its figures.  Results are kept in ``docs/_build/daily`` until the basin,
the case or the words of the page change; ``python -m docs.daily FOLDER`` reads results from there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import wateralloc
from docs.red_river_results import grid
from docs.validation.recorded import recorded
from wateralloc import Results, read_case
from wateralloc.case import Case
from wateralloc.parts.reservoir import curve_of
from wateralloc.period import build_period
from wateralloc.units import SECONDS_PER_DAY

HERE = Path(__file__).parent
ROOT = HERE.parent
CASE, BASIN = ROOT / "cases" / "daily" / "daily_operation.yaml", ROOT / "basins" / "red_river"
KEPT = HERE / "_build" / "daily"
PAGE, TEMPLATE = HERE / "daily.md", HERE / "daily.md.in"
NAMES = {
    "lai_chau": "Lai Chau", "ban_chat": "Ban Chat", "huoi_quang": "Huoi Quang",
    "son_la": "Son La", "hoa_binh": "Hoa Binh", "thac_ba": "Thac Ba",
    "tuyen_quang": "Tuyen Quang",
}  # fmt: skip
SHOWN = ("son_la", "hoa_binh", "thac_ba", "tuyen_quang")
"""Reservoirs whose levels are drawn."""
SECTORS = {
    "domestic": ("domestic",),
    "irrigation, livestock, aquaculture": ("irrigation", "livestock_other", "aquaculture"),
    "industry": ("industry",),
}
RULES = {
    "hoa_binh_release": "release of Hoa Binh", "thac_ba_release": "release of Thac Ba",
    "tuyen_quang_release": "release of Tuyen Quang", "hoa_binh_level": "level of Hoa Binh",
    "thac_ba_level": "level of Thac Ba", "tuyen_quang_level": "level of Tuyen Quang",
    "hoa_binh_before_main_flood": "Hoa Binh lowered for the main flood",
    "son_la_before_main_flood": "Son La lowered for the main flood",
}  # fmt: skip
MODEL, LIMIT, CURVE, RECORD = "#1f5f99", "#c0392b", "#222222", "#9a9a9a"
STYLE: dict[Any, Any] = {
    "font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
    "axes.spines.right": False,
}  # fmt: skip
MONTHS = [6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5]
LETTERS = "JJASONDJFMAM"
FILLING = pd.date_range("2001-06-15", "2001-06-30").strftime("%m-%d")
"""Days on which lakes fill to the level allowed before a flood."""
DRY_SEASON = slice("2004-11-01", "2005-05-31")


def digest_of_inputs() -> str:
    """Twelve letters that change with the basin, the case or the words of the page."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    for path in sorted([*BASIN.glob("*.csv"), *BASIN.glob("series/*.csv"), CASE]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def write(folder: Path | None = None) -> None:
    """Run what has not been run, and write page and figures."""
    kept = folder or KEPT
    if not kept.is_dir():
        wateralloc.run(CASE).write(kept)
    dataset, case = Results.read(kept).dataset, read_case(CASE)
    dataset = dataset.isel(member=0)
    check(dataset)
    manifest = json.loads((kept / "manifest.json").read_text(encoding="utf-8"))
    with mpl.rc_context(STYLE):
        for name, figure in (
            ("levels", draw_levels(dataset, case)),
            ("flow", draw_flow(dataset)),
            ("years", draw_years(dataset)),
        ):
            figure.savefig(HERE / f"daily_{name}.svg", metadata={"Date": None})
    PAGE.write_text(fill(values(dataset, case, manifest)), encoding="utf-8")


def fill(words: Mapping[str, str]) -> str:
    """Put words into the template; each has a place in it, and each place a word."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    spare = set(words) - set(template.get_identifiers())
    if spare:
        raise ValueError(f"{TEMPLATE.name} has no place for {sorted(spare)}")
    return template.substitute({name: text.strip() for name, text in words.items()})


# --- figures ------------------------------------------------------------------------------------


def draw_levels(dataset: xr.Dataset, case: Case) -> Figure:
    """Level of four lakes in every year, over their rule curves and the limits before a flood."""
    figure = Figure(figsize=(7.6, 5.2), layout="constrained")
    period = build_period(read_case(CASE, {"timeline.periods": "365"}))
    (number,) = [number for number, goal in period.goals if goal.kind == "end_storage"]
    block = period.model.goals.component(f"end_storage_{number}")
    for axes, name in zip(figure.subplots(2, 2).ravel(), SHOWN, strict=True):
        level = dataset["level"].sel(reservoir_with_level=name).to_series()
        for _, year in level.groupby(_water_year(level.index)):
            axes.plot(np.arange(year.size), year, color=MODEL, lw=0.5, alpha=0.5)
        curve = curve_of(case.basin, name)
        axes.plot(curve.level(block.target[name].value[0]), color=CURVE, lw=1.4)
        most = period.model.storage_most[name].value[0]
        axes.plot(curve.level(most), color=LIMIT, lw=1, ls=":")
        axes.set_title(NAMES[name], loc="left", fontsize=8)
        _months(axes)
        axes.set_ylabel("level, m")
        axes.grid(lw=0.3)
    lines = [axes.lines[0], axes.lines[-2], axes.lines[-1]]
    lines[0] = mpl.lines.Line2D([], [], color=MODEL, lw=1)
    figure.legend(lines, ["20 years", "rule curve", "largest level allowed"], frameon=False,
                  loc="outside upper right", ncols=3)  # fmt: skip
    return figure


def draw_flow(dataset: xr.Dataset) -> Figure:
    """Flow past Son Tay by day of the year, over the record; and one drought day by day."""
    figure = Figure(figsize=(7.6, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    flow = _m3s(dataset["river_flow"].sel(node="son_tay"))
    number = _day_of_water_year(flow.index)
    by_day = flow.groupby(number)
    days = np.arange(365)
    left.fill_between(days, by_day.min().loc[:364], by_day.max().loc[:364], color="#cfe3f1", lw=0,
                      label="least to largest of 20 years")  # fmt: skip
    left.plot(days, by_day.median().loc[:364], color=MODEL, lw=1.2, label="median")
    month = _recorded_at_son_tay()
    starts = np.cumsum([0, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31, 30, 31])
    left.stairs([month[m] for m in MONTHS], starts, color=CURVE, lw=1.2, baseline=None,
                label="recorded means 1989–2009")  # fmt: skip
    left.set_yscale("log")
    left.set_ylabel("flow past Son Tay, m³/s")
    left.legend(frameon=False, fontsize=7)
    _months(left)
    dry = flow.loc[DRY_SEASON]
    right.plot(dry.index, dry, color=MODEL, lw=1, label="past Son Tay")
    release = _m3s((dataset["release"] + dataset["spill"]).sel(reservoir="hoa_binh"))
    right.plot(dry.index, release.loc[dry.index], color=LIMIT, lw=0.8, label="from Hoa Binh")
    short = _m3s(dataset["deficit"].sum("demand")).loc[dry.index]
    right.fill_between(dry.index, 0, short, color="#999999", lw=0, label="deficit of all users")
    right.set_ylim(bottom=0)
    right.set_title("Dry season 2004–05", loc="left", fontsize=8)
    right.xaxis.set_major_formatter(mpl.dates.DateFormatter("%b"))
    right.set_ylabel("m³/s")
    right.legend(frameon=False, fontsize=7)
    return figure


def draw_years(dataset: xr.Dataset) -> Figure:
    """Energy and deficit of each June–May year."""
    figure = Figure(figsize=(7.6, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    energy = by_year(dataset["energy"]) / 1e3
    bottom = np.zeros(len(energy))
    order = [*NAMES]
    for k, plant in enumerate(order):
        left.bar(energy.index, energy[plant], 0.8, bottom, label=NAMES[plant],
                 color=mpl.colormaps["Blues"](0.95 - 0.12 * k))  # fmt: skip
        bottom += energy[plant].to_numpy()
    left.set_ylabel("energy, TWh")
    left.legend(frameon=False, fontsize=6, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    deficit = by_year(dataset["deficit"])
    sector = dataset["sector"].to_series()
    bottom = np.zeros(len(deficit))
    for (label, of), colour in zip(SECTORS.items(), (LIMIT, MODEL, RECORD), strict=True):
        volume = deficit[sector.index[sector.isin(of)]].sum(axis=1)
        right.bar(volume.index, volume, 0.8, bottom, label=label, color=colour)
        bottom += volume.to_numpy()
    right.set_ylabel("deficit, hm³")
    right.legend(frameon=False, fontsize=7)
    for axes in (left, right):
        axes.set_xlabel("June of")
        axes.set_xticks(energy.index[::4])
    return figure


def _recorded_at_son_tay() -> dict[int, float]:
    """Mean flow of each month, 1989-2009 [m3/s]."""
    table = recorded("flows_monthly")
    rows = table[(table["gauge"] == "son_tay") & (table["period"] == "1989-2009")]
    rows = rows[rows["month"] != "year"]
    return dict(zip(rows["month"].astype(int), rows["mean_m3s"], strict=True))


def _months(axes: Any) -> None:
    starts = np.cumsum([0, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31, 30])
    axes.set_xticks(starts + 15, LETTERS, minor=False)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(0, 365)


def _m3s(volume: xr.DataArray) -> pd.Series:
    """Flow of each day from its volume [hm3]."""
    return volume.to_series() / (SECONDS_PER_DAY / 1e6)


def _water_year(index: pd.DatetimeIndex) -> np.ndarray:
    """Year in whose June each day's June–May year starts."""
    return np.asarray(index.year - (index.month < 6))


def _day_of_water_year(index: pd.DatetimeIndex) -> np.ndarray:
    """Days since 1 June; 29 February counts as the 28th."""
    year = _water_year(index)
    day = (index - pd.to_datetime([f"{y}-06-01" for y in year])).days.to_numpy()
    is_late = (index.is_leap_year & (index.month < 6)) & (day >= 273)
    return day - is_late.astype(int)


def by_year(amount: xr.DataArray) -> pd.DataFrame:
    """Sum of an amount over each June–May year (year, item)."""
    frame = amount.to_pandas()
    return frame.groupby(_water_year(frame.index)).sum()


# --- what the words of the page hang on ---------------------------------------------------------


def check(dataset: xr.Dataset) -> None:
    """Check that what the template says in words is what the figures say.

    Raises
    ------
    ValueError
        With every sentence that no longer holds.
    """
    broken = dataset["soft_broken"].to_series()
    short = dataset["deficit"].sum("time").to_series()
    node, region = dataset["demand_node"].to_series(), dataset["region"].to_series()
    whole = by_year(dataset["energy"]).sum(axis=1).mean()
    sentences = {
        "releases are always found": not broken[[r for r in RULES if r.endswith("release")]].any(),
        "Annex III is kept at Hoa Binh": broken["hoa_binh_level"] == 0,
        "and not at the other two": broken[["thac_ba_level", "tuyen_quang_level"]].all(),
        "shortage lies at the heads of the Cau and the Thuong": set(node[short > 0.05])
        <= {"thai_nguyen", "bac_kan", "chi_lang"},
        "the delta is served in full": short[region == "red_river_delta"].sum() < 1,
        "energy is near what is stated": abs(whole / recorded("energy")["stated_gwh"].sum() - 1)
        < 0.03,
    }
    failed = [sentence for sentence, holds in sentences.items() if not holds]
    if failed:
        raise ValueError(f"{TEMPLATE.name} says what no longer holds: {'; '.join(failed)}")


# --- words --------------------------------------------------------------------------------------


def values(dataset: xr.Dataset, case: Case, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Words of the page."""
    n_years = case.n_periods / 365.25
    energy = by_year(dataset["energy"])
    stated = recorded("energy").set_index("plant")["stated_gwh"]
    spilled = dataset["energy_spilled"].sum("time").to_series() / n_years
    plants = [
        (NAMES[p], f"{energy[p].mean():,.0f}", f"{energy[p].min():,.0f}", f"{energy[p].max():,.0f}",
         f"{stated[p]:,.0f}", f"{spilled[p]:,.0f}")
        for p in NAMES
    ]  # fmt: skip
    whole = energy.sum(axis=1)
    plants.append(("all", f"{whole.mean():,.0f}", f"{whole.min():,.0f}", f"{whole.max():,.0f}",
                   f"{stated.sum():,.0f}", f"{spilled.sum():,.0f}"))  # fmt: skip
    deficit, asked = by_year(dataset["deficit"]), by_year(dataset["demand_volume"])
    sector = dataset["sector"].to_series()
    users = []
    for label, of in SECTORS.items():
        names = sector.index[sector.isin(of)]
        short = deficit[names].sum(axis=1)
        days = dataset["deficit"].sel(demand=names).sum("demand") > 0.01
        users.append(
            (label, f"{asked[names].sum(axis=1).mean():,.0f}", f"{short.mean():,.1f}",
             f"{short.max():,.1f} ({_year(int(short.idxmax()))})" if days.any() else "",
             f"{int(days.sum()):,}")
        )  # fmt: skip
    flow = _m3s(dataset["river_flow"].sel(node="son_tay"))
    node = dataset["demand_node"].to_series()
    short = dataset["deficit"].sum("time").to_series().groupby(node).sum() / n_years
    spill = dataset["spill"].sum("reservoir").to_series()
    release = _m3s((dataset["release"] + dataset["spill"]).sel(reservoir="hoa_binh"))
    dry = flow[flow.index.month.isin([2, 3, 4])].mean()
    record = _recorded_at_son_tay()
    return {
        "digest": digest_of_inputs(),
        "energy": grid(
            ("plant", "mean, GWh a year", "least", "largest", "stated", "spilled"), plants
        ),
        "users": grid(
            ("users", "demand, hm³ a year", "deficit, mean", "largest year", "days with one"), users
        ),
        "rules": grid(("rule", "days asked", "days kept", "worst"), _rules(dataset)),
        "mean_flow": f"{flow.mean():,.0f}",
        "least_flow": f"{flow.min():,.0f}",
        "least_day": _date(flow.idxmin()),
        "most_flow": f"{flow.max():,.0f}",
        "most_day": _date(flow.idxmax()),
        "filled": f"{flow[flow.index.strftime('%m-%d').isin(FILLING)].mean():,.0f}",
        "june": f"{record[6]:,.0f}",
        "dry": f"{dry:,.0f}",
        "dry_record": f"{np.average([record[m] for m in (2, 3, 4)], weights=[28.25, 31, 30]):,.0f}",
        "short": "; ".join(
            f"`{name}` {volume:,.1f}"
            for name, volume in short[short > 0.05].sort_values(ascending=False).items()
        ),
        "summer": f"{spill[spill.index.month.isin([6, 7, 8, 9])].sum() / spill.sum():.0%}",
        "most_release": f"{release.max():,.0f}",
        "most_release_day": _date(release.idxmax()),
        "residual": f"{float(abs(dataset['residual']).max()):.0e}",
        "gap": f"{manifest['certificate']['gap']:.0e}",
    }


def _rules(dataset: xr.Dataset) -> list[tuple[str, ...]]:
    """Days on which each rule asks and is kept, and the worst of them."""
    soft = dataset[["soft_windows", "soft_broken", "soft_worst", "soft_unit"]].to_dataframe()
    rows = []
    for rule, words in RULES.items():
        row = soft.loc[rule]
        asked, broken = int(row["soft_windows"]), int(row["soft_broken"])
        unit = {"m3s": "m³/s", "hm3": "hm³"}[row["soft_unit"]]
        worst = f"{row['soft_worst']:,.0f} {unit} short" if broken else ""
        rows.append((words, f"{asked:,}", f"{asked - broken:,}", worst))
    return rows


def _year(june: int) -> str:
    return f"{june}–{(june + 1) % 100:02d}"


def _date(day: pd.Timestamp) -> str:
    return f"{day.day} {day:%B %Y}"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
