"""The page in words: what its template leaves open, from runs and recorded figures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import matplotlib as mpl
import pandas as pd
import xarray as xr

import wateralloc
from docs import red_river_results
from docs.red_river_results import Run, grid, results_of
from docs.validation import compare, figures, reduced
from docs.validation.figures import NAMES
from docs.validation.recorded import HERE, digest_of_inputs, recorded
from wateralloc import Results

PAGE, TEMPLATE = HERE / "red_river.md", HERE / "red_river.md.in"
WITHIN = 0.1
GAUGES_LIMIT = 0.015
"""What the gauges of the record leave open between them in the mean."""
BEDS = {2010: "2010-2017", 2018: "2018-2022"}
"""River beds of the held-aside years: first year -> epoch of the Duong."""
WHOLE_PERIODS = "{from: 02-11, to: 02-28, value: 2.2}"
WAYS = {"spells": "in spells", "whole": "through whole periods"}


@dataclass(frozen=True)
class Runs:
    """Datasets of all runs.

    Attributes
    ----------
    alone : baseline with the lakes above Hoa Binh held at one level
    beds : way of asking the level -> epoch of the river bed -> run
    reduced : first year of a river bed -> run of the reduced basin
    """

    baseline: xr.Dataset
    alone: xr.Dataset
    beds: dict[str, dict[str, xr.Dataset]]
    reduced: dict[int, xr.Dataset]


def runs_to_make() -> dict[str, Run]:
    """The runs of the page on the whole basin, by name."""
    baseline = next(run for run in red_river_results.RUNS if run.name == "baseline")
    held = {
        reservoir: dict.fromkeys(
            ["dead_hm3", "normal_hm3", *(["flood_limit_hm3"] if row["flood_limit"] else [])],
            float(row["initial"]),
        )
        for reservoir, row in compare.basin().tables["reservoirs"].iterrows()
        if reservoir in compare.ABOVE_HOA_BINH
    }
    # the releases that Decision 740 asks of Hoa Binh count on the lakes above it
    changes = {"changes.reservoirs": _flow_text(held), "without": "[hoa_binh_release]"}
    runs = [
        baseline,
        Run("hoa_binh_alone", "lakes above Hoa Binh held", "baseline", changes),
    ]
    for epoch, year in compare.BEDS.items():
        bed = {"riverbed": str(year)}
        whole = {**bed, f"rules.{compare.LEVEL_RULE}.level_m": WHOLE_PERIODS}
        title = f"bed of {_dash(epoch)}"
        runs += [
            Run(f"spells_{year}", f"2.2 m in spells, {title}", "pilot_riverbed", bed),
            Run(f"whole_{year}", f"2.2 m through whole periods, {title}", "pilot_riverbed", whole),
        ]
    return {run.name: run for run in runs}


def _flow_text(value: Any) -> str:
    """Write plain data as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow_text(one)}" for key, one in value.items()) + "}"
    return str(value)


def run_reduced() -> dict[int, xr.Dataset]:
    """Run the reduced basin on the river beds of the held-aside years."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for year in BEDS:
            found[year] = wateralloc.run(reduced.write_case(Path(folder), year)).dataset
    return found


def write() -> None:
    """Make the runs, and write page and figures."""
    to_make = runs_to_make()
    results = {name: results_of(run) for name, run in to_make.items()}
    found = {name: result.dataset for name, result in results.items()}
    runs = Runs(
        found["baseline"],
        found["hoa_binh_alone"],
        {
            way: {epoch: found[f"{way}_{year}"] for epoch, year in compare.BEDS.items()}
            for way in WAYS
        },
        run_reduced(),
    )
    text = fill(values(runs) | _of_runs(to_make, results))
    with mpl.rc_context(figures.STYLE):
        for name, figure in (
            ("energy", figures.draw_energy(runs.baseline, runs.alone)),
            ("flows", figures.draw_flows(runs.baseline)),
            ("levels", figures.draw_levels()),
            ("held_aside", figures.draw_held_aside(compare.held_aside(runs.reduced))),
            ("beds", figures.draw_riverbeds({WAYS[w]: runs.beds[w] for w in WAYS})),
        ):
            figure.savefig(HERE / f"red_river_{name}.svg", metadata={"Date": None})
    PAGE.write_text(text, encoding="utf-8")


def fill(words: Mapping[str, str]) -> str:
    """Put words into the template.

    Raises
    ------
    KeyError
        The template asks for a word that is not there.
    ValueError
        A word has no place in the template.
    """
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    spare = set(words) - set(template.get_identifiers())
    if spare:
        raise ValueError(f"{TEMPLATE.name} has no place for {sorted(spare)}")
    return template.substitute({name: text.strip() for name, text in words.items()})


def values(runs: Runs) -> dict[str, str]:
    """Everything the template leaves open, but the runs themselves."""
    held = compare.held_aside(runs.reduced)
    return {
        **_energy(runs),
        **_hoa_binh(runs),
        **_flows(runs),
        **_duong(runs, held),
        **_levels(),
        **_water(runs),
        **_held_aside(held),
        **_riverbeds(runs),
        "summary": _summary(runs, held),
    }


# --- in short -----------------------------------------------------------------------------------


WHY = {
    "energy of Huoi Quang, GWh a year": "less inflow than its design",
    "energy of Hoa Binh, GWh a year": "stated without Son La",
    "mean flow at Ha Noi, same years, m³/s": "bed of 2018–22, not of 1989–2010",
    "released at Hoa Binh 21 January – 28 February, 2.2 m in spells, km³": "the record reaches "
    "2.2 m less often",
}
"""Reason of a difference of more than 10 %, in a word; the page says it in full."""


def _summary(runs: Runs, held: pd.DataFrame) -> str:
    rows: list[tuple[str, str, str, str, str]] = []

    def add(figure: str, record: str, model: str, difference: float, digits: int = 1) -> None:
        why = WHY.get(figure, "") if abs(difference) > WITHIN else ""
        if abs(difference) > WITHIN and not why:
            raise ValueError(f"{figure} differs by {difference:+.1%}: say why on the page")
        rows.append((figure, record, model, _percent(difference, digits), why))

    for plant, row in compare.energy(runs.baseline).iterrows():
        figures_ = (f"{row['stated_gwh']:,.0f}", f"{row['mean']:,.0f}", row["difference"])
        add(f"energy of {NAMES[plant]}, GWh a year", *figures_)
    flows = compare.monthly_flows(runs.baseline)
    for gauge in compare.GAUGES:
        record, model = (
            flows.loc[(gauge, which), "year"] for which in (compare.SAME_YEARS, "model")
        )
        where = f"{NAMES[gauge]}{' (release)' if gauge == 'hoa_binh' else ''}"
        figure = f"mean flow at {where}, same years, m³/s"
        add(figure, f"{record:,.0f}", f"{model:,.0f}", model / record - 1)
    for gauge in ("hoa_binh", "son_tay"):
        record, model = (flows.loc[(gauge, which), "dry"] for which in (compare.REGULATED, "model"))
        figure = f"share of November–May at {NAMES[gauge]}, record of 2010–22, %"
        add(figure, f"{100 * record:.1f}", f"{100 * model:.1f}", model / record - 1)
    for epoch, row in compare.duong_shares({"2018-2022": runs.baseline}).iterrows():
        record, model = row["year", "recorded"], row["year", "fork"]
        figure = f"share of the Duong, {_dash(str(epoch))}, %"
        add(figure, f"{100 * record:.1f}", f"{100 * model:.1f}", model / record - 1)
    need = compare.flow_for_level().loc["2018-2022", "son_tay"]
    record, model = need["recorded"], need["modelled"]
    figure = "flow at Son Tay for 2.2 m at Ha Noi, bed of 2018–22, m³/s"
    add(figure, f"{record:,.0f}", f"{model:,.0f}", model / record - 1)
    volumes = compare.season_volumes({"spells": runs.beds["spells"]["2018-22"]})["mean"]["hoa_binh"]
    record, model = volumes["recorded"], volumes["spells"]
    figure = "released at Hoa Binh 21 January – 28 February, 2.2 m in spells, km³"
    add(figure, f"{record:.1f}", f"{model:.1f}", model / record - 1)
    for day, row in compare.stored_water({"baseline": runs.baseline}).iterrows():
        low, high = row["expected", "low"], row["expected", "high"]
        model = row["baseline", "mean"]
        figure = f"in seven reservoirs on {_day(day)}, km³"
        add(figure, _range(low, high), f"{model:.1f}", 2 * model / (low + high) - 1)
    score = compare.closure(held).loc["all"]
    figure = "Son Tay 2010–22 driven with recorded releases, m³/s"
    add(figure, f"{score['recorded']:,.0f}", f"{score['modelled']:,.0f}", score["closure"], 2)
    return grid(("figure", "recorded or stated", "model", "difference", "why over 10 %"), rows)


# --- energy -------------------------------------------------------------------------------------


def _energy(runs: Runs) -> dict[str, str]:
    table = compare.energy(runs.baseline)
    facts = recorded("energy").set_index("plant")
    rows = []
    for plant, row in table.iterrows():
        known = plant in facts.index
        rows.append(
            (
                NAMES[plant],
                f"{row['stated_gwh']:,.0f}",
                facts.at[plant, "status"] if known else "derived",
                facts.at[plant, "note"] if known else "design plus what Son La adds",
                f"{row['mean']:,.0f}",
                f"{row['least']:,.0f}–{row['largest']:,.0f}",
                _percent(row["difference"]),
            )
        )
    head = ("plant", "stated, GWh", "status", "what it is", "model, GWh", "range of years",
            "difference")  # fmt: skip
    outside = [plant for plant in facts.index if abs(table.at[plant, "difference"]) > WITHIN]
    flow = float(
        compare.passing(runs.baseline, "huoi_quang").sum("time").mean()
        / runs.baseline["days"].sum()
        * compare.M3S_PER_HM3_DAY
    )
    stated_flow = float(_in_note(facts, "huoi_quang", r"mean flow of ([\d.]+) m3/s"))
    at_flow = table.at["huoi_quang", "mean"] * stated_flow / flow
    return {
        "n_members": str(runs.baseline.sizes["member"]),
        "energy": grid(head, rows),
        "outside": _list(NAMES[plant] for plant in outside) or "none",
        "hq_stated_flow": f"{stated_flow:.1f}",
        "hq_flow": f"{flow:.1f}",
        "hq_at_flow": f"{at_flow:,.0f}",
        "hq_at_flow_difference": _away(at_flow / table.at["huoi_quang", "stated_gwh"] - 1),
    }


def _in_note(facts: pd.DataFrame, plant: str, pattern: str) -> str:
    """A figure that stands in the note of a plant."""
    match = re.search(pattern, facts.at[plant, "note"])
    if match is None:
        raise ValueError(f"energy.csv: the note of {plant} has no '{pattern}'")
    return match[1]


def _hoa_binh(runs: Runs) -> dict[str, str]:
    table = compare.hoa_binh(runs.baseline, runs.alone)
    titles = {
        "recorded_before": "recorded 1995–2009",
        "alone_same_years": "model, lakes above held, 1995–2009",
        "alone": "model, lakes above held, all years",
        "recorded_with": "recorded levels and flows 2013–22, Son La in place",
        "with": "model, all years",
    }
    rows = [
        (
            titles[name],
            f"{row['release_m3s']:,.0f}",
            f"{row['turbine_m3s']:,.0f}",
            f"{100 * row['turbined']:.0f} %",
            f"{row['level_m']:.1f}",
            f"{row['kwh_m3']:.3f}",
            f"{row['energy_gwh']:,.0f}",
        )
        for name, row in table.iterrows()
    ]
    head = ("Hoa Binh", "release, m³/s", "through turbines, m³/s", "of the release",
            "mean level, m", "kWh/m³", "GWh a year")  # fmt: skip
    plant = compare.energy(runs.baseline).loc[["hoa_binh", "hoa_binh_with_son_la"]]
    facts = recorded("energy").set_index("plant")
    recorded_gwh, by_plant_gwh = compare.plant_at_the_record()
    energy = table["energy_gwh"]
    stated = plant.at["hoa_binh", "stated_gwh"]
    years = recorded("hoa_binh_operation").set_index("year")
    return {
        "hoa_binh": grid(head, rows),
        "hb_stated": f"{stated:,.0f}",
        "son_la_gain": f"{plant.at['hoa_binh', 'high_gwh'] - stated:,.0f}",
        "hb_with_stated": f"{plant.at['hoa_binh_with_son_la', 'stated_gwh']:,.0f}",
        "hb_with_difference": _away(plant.at["hoa_binh_with_son_la", "difference"]),
        "plant_recorded": f"{recorded_gwh:,.0f}",
        "plant_by_basin": f"{by_plant_gwh:,.0f}",
        "plant_difference": _away(by_plant_gwh / recorded_gwh - 1),
        "alone": f"{energy['alone']:,.0f}",
        "alone_difference": _away(energy["alone"] / stated - 1),
        "with_lakes": f"{energy['with']:,.0f}",
        "gain": f"{energy['with'] - energy['alone']:,.0f}",
        "alone_same": f"{energy['alone_same_years']:,.0f}",
        "recorded_before": f"{energy['recorded_before']:,.0f}",
        "foresight_excess": _away(energy["alone_same_years"] / energy["recorded_before"] - 1),
        "alone_turbined": f"{100 * table.at['alone_same_years', 'turbined']:.0f} %",
        "recorded_turbined": f"{100 * table.at['recorded_before', 'turbined']:.0f} %",
        "turbined_1995": f"{100 * compare.turbined_share(1995, 1998):.0f} %",
        "turbined_2005": f"{100 * compare.turbined_share(2005, 2009):.0f} %",
        "regulated_release": f"{table.at['recorded_with', 'release_m3s']:,.0f}",
        "model_release": f"{table.at['with', 'release_m3s']:,.0f}",
        "above_line": _away(compare.above_the_regulated_years(runs.baseline)),
        "reported_2016": _in_note(facts, "hoa_binh", r"over ([\d,]+) in 2016"),
        "year_2016": f"{years.at[2016, 'energy_by_plant_gwh']:,.0f}",
    }


# --- flows --------------------------------------------------------------------------------------


def _flows(runs: Runs) -> dict[str, str]:
    table = compare.monthly_flows(runs.baseline)
    titles = {
        compare.SAME_YEARS: "recorded, same years",
        compare.REGULATED: "recorded 2010–22",
        "model": "model",
    }
    rows, last = [], ""
    for (gauge, which), row in table.iterrows():
        name = f"**{NAMES[gauge]}**" if gauge != last else ""
        flows = [f"{row[month]:,.0f}" for month in (*compare.MONTHS, "year")]
        rows.append((name, titles[which], *flows, f"{100 * row['dry']:.0f} %"))
        last = gauge
    head = ("gauge", "", *"JFMAMJJASOND", "year", "Nov–May")

    def of(gauge: str, which: str, month: str) -> float:
        return float(table.loc[(gauge, which), month])

    def flow(*at: str) -> str:
        return f"{of(*at):,.0f}"

    def share(which: str) -> str:
        return f"{100 * of('son_tay', which, 'dry'):.0f} %"

    def year(gauge: str) -> str:
        return _away(of(gauge, "model", "year") / of(gauge, compare.SAME_YEARS, "year") - 1)

    drier = of("yen_bai", compare.REGULATED, "year") / of("yen_bai", compare.SAME_YEARS, "year")
    old_bed = compare.by_month(runs.beds["spells"]["2005-09"], "ha_noi")["year"].mean()
    return {
        "flows": grid(head, rows),
        "flows_lead": (
            f"Baseline, mean of {runs.baseline.sizes['member']} years, beside the record of the "
            "same years and that of 2010–22, when Son La stood. Hoa Binh is the release of the dam."
        ),
        "hb_year": year("hoa_binh"),
        "st_year": year("son_tay"),
        "dry_before": share(compare.SAME_YEARS),
        "dry_regulated": share(compare.REGULATED),
        "dry_model": share("model"),
        "yen_bai_drier": f"{100 * (1 - drier):.0f} %",
        "may_model": flow("hoa_binh", "model", "5"),
        "may_regulated": flow("hoa_binh", compare.REGULATED, "5"),
        "january_model": flow("hoa_binh", "model", "1"),
        "january_regulated": flow("hoa_binh", compare.REGULATED, "1"),
        "hn_model": flow("ha_noi", "model", "year"),
        "hn_record": flow("ha_noi", compare.SAME_YEARS, "year"),
        "hn_old_bed": f"{old_bed:,.0f}",
    }


def _duong(runs: Runs, held: pd.DataFrame) -> dict[str, str]:
    users = {
        "2001-2009": runs.beds["spells"]["2005-09"],
        "2018-2022": runs.beds["spells"]["2018-22"],
    }
    tables = {
        "pilot, with users": compare.duong_shares(users),
        "recorded releases, without users": compare.duong_shares(
            {epoch: _years(runs.reduced[first], epoch) for first, epoch in BEDS.items()}
        ),
    }
    rows = [
        (
            _dash(epoch), name,
            *(f"{100 * row[s, what]:.1f} %" for s in ("year", "dry")
              for what in ("recorded", "gauges", "fork")),
        )
        for name, table in tables.items()
        for epoch, row in table.iterrows()
    ]  # fmt: skip
    head = ("epoch", "run", "year: record", "model, gauges", "model, fork", "Nov–May: record",
            "model, gauges", "model, fork")  # fmt: skip
    own = tables["pilot, with users"]
    late = held.index.year >= max(BEDS)
    days = held["days", ""]

    def share(which: str, inside: Any) -> str:
        flow = {place: (held[place, which] * days)[inside].sum() for place in ("son_tay", "ha_noi")}
        return f"{100 * (1 - flow['ha_noi'] / flow['son_tay']):.1f} %"

    return {
        "duong": grid(head, rows),
        "duong_excess": f"{100 * (own['year', 'gauges'] - own['year', 'recorded']).mean():.1f}",
        "duong_late": f"{100 * own.at['2018-2022', ('year', 'recorded')]:.0f} %",
        "duong_early": share("modelled", ~late),
        "duong_early_record": share("recorded", ~late),
        "duong_held_late": share("modelled", late),
        "duong_held_late_record": share("recorded", late),
    }


def _years(dataset: xr.Dataset, epoch: str) -> xr.Dataset:
    """Periods of the years of an epoch."""
    first, last = map(int, epoch.split("-"))
    year = dataset["time"].dt.year
    return dataset.isel(time=((year >= first) & (year <= last)).values)


def _levels() -> dict[str, str]:
    table = compare.flow_for_level()
    rows = [
        (
            _dash(epoch),
            *(
                "" if pd.isna(row[gauge, what]) else f"{row[gauge, what]:,.0f}"
                for gauge in ("son_tay", "ha_noi")
                for what in ("recorded", "modelled")
            ),
        )
        for epoch, row in table.iterrows()
    ]
    head = ("river bed of", "Son Tay: record", "basin", "Ha Noi: record", "basin")
    need = table["son_tay", "modelled"]
    return {
        "levels": grid(head, rows),
        "times_more": f"{need['2018-2022'] / need['2005-2009']:.1f}",
        "need_old": f"{need['2005-2009']:,.0f}",
        "need_new": f"{need['2018-2022']:,.0f}",
    }


# --- water released and stored ------------------------------------------------------------------


def _water(runs: Runs) -> dict[str, str]:
    late = "2018-22"
    shown = {
        "baseline": runs.baseline,
        "2.2 m in spells": runs.beds["spells"][late],
        "2.2 m through 11–28 February": runs.beds["whole"][late],
    }
    volumes = compare.season_volumes(shown)
    places = {"three reservoirs": "Hoa Binh, Thac Ba, Tuyen Quang", **NAMES}
    rows, last = [], ""
    for (place, name), row in volumes.iterrows():
        what = "recorded 2013–22" if name == "recorded" else f"model, {name}"
        title = f"**{places[place]}**" if place != last else ""
        rows.append((title, what, f"{row['mean']:.1f}", _range(row["least"], row["largest"])))
        last = place
    reports = recorded("spell_releases")
    reports = reports[reports["kind"] != "record"]
    words = [
        f"{row.volume_hm3 / 1000:.1f} km³ ({row.kind}, {int(row.start[:4]) - 1}–{row.start[2:4]})"
        for row in reports.itertuples()
    ]
    made = reports.loc[reports["kind"] == "reported", "volume_hm3"] / 1000
    mean = volumes.at[("three reservoirs", "2.2 m in spells"), "mean"]
    alone = volumes["mean"]["hoa_binh"]
    stored = compare.stored_water(shown)
    lines = [
        (
            _day(day),
            _range(row["expected", "low"], row["expected", "high"]),
            *(
                text
                for name in shown
                for text in (
                    f"{row[name, 'mean']:.1f}",
                    _range(row[name, "least"], row[name, "largest"]),
                )
            ),
        )
        for day, row in stored.iterrows()
    ]
    head = ["", "expected 2026"]
    for name in shown:
        head += [f"{name}: mean", "years"]
    new_year = compare.hoa_binh_on_new_year(runs.baseline)
    level = compare.level_in_season()
    ban_chat = compare.fullness(runs.baseline, "ban_chat", "01-01")
    full = compare.basin().tables["reservoirs"].loc[list(compare.SEVEN), "normal"].sum() / 1000
    first = stored.iloc[0]
    inside = [str(day)[5:10] in compare.SEASON for day in runs.baseline["time"].values]
    return {
        "season": grid(("at", "", "mean", "least–largest"), rows),
        "season_days": f"{float(runs.baseline['days'].values[inside].sum()):.0f}",
        "reported": _list(words),
        "reported_share": _list(f"{100 * volume / mean:.0f} %" for volume in made),
        "season_difference": _away(alone["2.2 m in spells"] / alone["recorded"] - 1),
        "level_mean": f"{level.mean():.2f}",
        "level_most": f"{level.max():.2f}",
        "level_model": f"{compare.mean_level_in_season(runs.beds['spells'][late]):.2f}",
        "level_reached": f"{(level >= compare.LEVEL_M).sum()} of {len(level)}",
        "stored": grid(head, lines),
        "capacity": f"{full:.2f}",
        "stored_difference": _away(first["baseline", "mean"] / first["expected", "low"] - 1),
        "ban_chat_january": f"{100 * ban_chat:.0f} %",
        "hb_january": f"{new_year['modelled']:.2f}",
        "hb_january_record": f"{new_year['recorded']:.2f}",
    }


# --- held-aside years ---------------------------------------------------------------------------


def _held_aside(held: pd.DataFrame) -> dict[str, str]:
    table = compare.closure(held)
    titles = {
        "sum of the gauges": "Son Tay, sum of the three gauges of the same period",
        "all": "Son Tay, model, ten-day periods",
        "monthly": "Son Tay, model, months",
        "dry": "Son Tay, model, November–May",
        "flood": "Son Tay, model, June–October",
        "ha_noi_early": "Ha Noi, model, to 2017",
        "ha_noi_late": "Ha Noi, model, from 2018",
    }
    rows = [
        (
            titles[name],
            f"{table.at[name, 'recorded']:,.0f}",
            f"{table.at[name, 'modelled']:,.0f}",
            _percent(table.at[name, "closure"], 2),
            f"{table.at[name, 'rmse']:,.0f}",
            f"{table.at[name, 'nse']:.3f}",
        )
        for name in titles
    ]
    head = ("", "recorded, m³/s", "modelled, m³/s", "closure", "root mean square error, m³/s",
            "Nash–Sutcliffe efficiency")  # fmt: skip
    score = table.loc["all"]
    if abs(score["closure"]) > GAUGES_LIMIT:
        raise ValueError(f"Son Tay closes to {score['closure']:+.2%} only: say why in the template")
    by_year = compare.closure_by_year(held)
    levels = [
        (
            _dash(years),
            f"{row['recorded']:.2f}",
            *(
                f"{row[name]:{'+' if 'rmse' not in name else ''}.2f}".replace("-", "−")
                for name in ("at_record", "at_record_rmse", "modelled", "modelled_rmse")
            ),
        )
        for years, row in compare.levels(held).iterrows()
    ]
    level_head = (
        "November–May of", "recorded level, m", "error of the rating, m", "root mean square, m",
        "error with modelled flow, m", "root mean square, m",
    )  # fmt: skip
    between = compare.drawn_between()
    return {
        "n_dekads": str(len(held)),
        "held_aside": grid(head, rows),
        "level_errors": grid(level_head, levels),
        "between": f"{between:.0f}",
        "between_share": f"{100 * between / score['recorded']:.1f} %",
        "closure": _percent(score["closure"], 2),
        "gauges_limit": f"{100 * GAUGES_LIMIT:.1f} %",
        "rmse_gauges": f"{table.at['sum of the gauges', 'rmse']:.0f}",
        "rmse_model": f"{score['rmse']:.0f}",
        "closure_least": _percent(by_year.min()),
        "closure_most": _percent(by_year.max()),
    }


# --- river beds ---------------------------------------------------------------------------------


def _riverbeds(runs: Runs) -> dict[str, str]:
    tables = {way: compare.riverbeds(runs.beds[way]) for way in WAYS}
    first = tables["spells"]
    years = list(dict.fromkeys(year for year, _ in first.columns))
    rows = []
    for way, table in tables.items():
        rows.append((f"**{WAYS[way]}**", *[""] * (len(first.columns))))
        for (group, name), row in table.iterrows():
            digits = 2 if "km³" in group else 0 if group == "energy, GWh" or "," in name else 1
            digits = 0 if name == "periods kept" else digits
            cells = [
                _signed(value, digits) if what == "difference" else f"{value + 0.0:,.{digits}f}"
                for (_, what), value in row.items()
            ]
            rows.append((_measure(runs, group, name), *cells))
    head = [""]
    for year in years:
        head += [f"{'mean' if year == 'mean' else _member(year)}: {_dash(epoch)}" if k == 0
                 else _dash(epoch) for k, epoch in enumerate(compare.BEDS)]  # fmt: skip
        head.append("difference")
    dry = [year for year in years if year != "mean"]

    def cost(way: str, year: str, group: str, name: str, digits: int) -> str:
        value = tables[way].at[(group, name), (year, "difference")]
        return f"{abs(value):,.{digits}f}"

    spells, whole = "spells", "whole"
    stored, deficit, energy = "stored, km³", "deficit, hm³", "energy, GWh"
    last = list(compare.BEDS)[-1]
    kept = [
        dataset["kept"].values[:, dataset["rule_clause"].values == compare.LEVEL_RULE]
        for by_bed in runs.beds.values()
        for dataset in by_bed.values()
    ]
    return {
        "kept": f"{sum(int(of.sum()) for of in kept)} of {sum(of.size for of in kept)}",
        "riverbeds": grid(head, rows),
        "cost_stored_spells": cost(spells, "mean", stored, "03-01", 2),
        "cost_energy_spells": cost(spells, "mean", energy, "all", 0),
        "energy_total": f"{first.at[(energy, 'all'), ('mean', last)]:,.0f}",
        "cost_stored_whole": cost(whole, "mean", stored, "03-01", 2),
        "cost_deficit_whole": cost(whole, "mean", deficit, "all", 0),
        "cost_deficit_dry": cost(whole, dry[0], deficit, "all", 0),
        "cost_deficit_dry_2": cost(whole, dry[1], deficit, "all", 0),
        "dry_first": _member(dry[0]),
        "dry_second": _member(dry[1]),
        "share_above": f"{100 * compare.share_above_son_tay(runs.beds[whole]):.0f} %",
        "spilled_dry": f"{tables[whole].at[('spilled, km³', 'dry'), (dry[0], last)]:.1f}",
        "cost_energy_dry": cost(whole, dry[0], energy, "all", 0),
    }


def _measure(runs: Runs, group: str, name: str) -> str:
    if group == "stored, km³":
        return (
            f"stored on {_day(name)}, km³" if name != "06-01" else "stored at the end of May, km³"
        )
    if group == "energy, GWh":
        return f"energy of {NAMES.get(name, 'the seven plants')}, GWh"
    if group == "deficit, hm³":
        known = red_river_results.word
        title = "all sectors" if name == "all" else known(runs.baseline, "sector", name).lower()
        return f"deficit, {title}, hm³"
    if group == "spilled, km³":
        return "spilled in November–May, km³"
    if group == "released, km³":
        return "released by three reservoirs 21 January – 28 February, km³"
    return f"level rule: {name}"


# --- runs ---------------------------------------------------------------------------------------


def _of_runs(runs: Mapping[str, Run], results: Mapping[str, Results]) -> dict[str, str]:
    rows = []
    for name, run in runs.items():
        manifest = results[name].manifest
        passes, worst = manifest["passes"].values(), manifest["certificate"]
        n_passes = [one["passes"] for one in passes]
        rows.append(
            (
                run.title,
                str(manifest["size"]["members"]),
                str(sum(one["converged"] for one in passes)),
                f"{min(n_passes)}–{max(n_passes)}",
                f"{max(worst.values()):.0e}",
                f"{manifest['balance']['largest_residual_hm3']:.0e}",
            )
        )
    head = ("run", "years", "passes converged", "passes", "worst certificate",
            "largest balance residual, hm³")  # fmt: skip
    versions = results["baseline"].manifest["versions"]
    return {
        "commands": "```sh\n" + "".join(f"{run.command}\n" for run in runs.values()) + "```",
        "runs": grid(head, rows),
        "unconverged": _unconverged(runs, results),
        "made_by": (
            f"Made by wateralloc {versions['wateralloc']} with HiGHS {versions['highspy']} from "
            f"inputs `{digest_of_inputs()}`."
        ),
    }


def _unconverged(runs: Mapping[str, Run], results: Mapping[str, Results]) -> str:
    """Say which runs have years whose passes did not converge, and how true those are."""
    words = []
    for name, run in runs.items():
        dataset = results[name].dataset
        moving = dataset["member"].values[dataset["is_converged"].values == 0]
        best = dict(zip(dataset["member"].values, dataset["best_pass"].values, strict=True))
        shown = [
            member in moving and number == best[member]
            for member, number in zip(
                dataset["pass_member"].values, dataset["pass_number"].values, strict=True
            )
        ]
        if moving.size:
            error = dataset["pass_error"].values[shown].max()
            words.append(
                f"In the run '{run.title}' {moving.size} years did not converge: shown is the best "
                f"pass, whose water balance is off by up to {100 * error:.2f} % of what is not "
                "linear in it (the evaporation of lakes and the like)."
            )
    return " ".join(words) or "The passes of every year converged."


# --- words --------------------------------------------------------------------------------------


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:+.{digits}f} %".replace("-", "−")


def _away(share: float) -> str:
    return f"{abs(100 * share):.1f} % {'above' if share > 0 else 'below'}"


def _signed(value: float, digits: int) -> str:
    text = f"{value:+,.{digits}f}".replace("-", "−")
    return "0" if not re.search("[1-9]", text) else text


def _range(low: float, high: float) -> str:
    return f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f}–{high:.1f}"


def _dash(years: str) -> str:
    return years.replace("-", "–")


def _member(member: str) -> str:
    return f"{member[:4]}–{(int(member[:4]) + 1) % 100:02d}"


def _day(month_day: Any) -> str:
    months = {"01": "January", "03": "March", "04": "April"}
    month, day = str(month_day).split("-")
    return f"{int(day)} {months[month]}"


def _list(words: Iterable[str]) -> str:
    found: Sequence[str] = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
