"""Run the shipped cases and write what the page on the Red River says of them.

Run by ``docs/conf.py`` at every build; ``python docs/red_river_results.py`` writes it alone.
Results are kept in ``docs/_build/runs`` and made again when the package, the basin or a case
changes.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import wateralloc
from wateralloc import Case, Results, read_case
from wateralloc.report.tables import VALUES, allocation_summary, word
from wateralloc.units import HM3_PER_M3, SECONDS_PER_DAY

HERE = Path(__file__).parent
ROOT = HERE.parent
KEPT = HERE / "_build" / "runs"

CONTROL = "son_tay"
DELIVERIES = ("delta_land_preparation", "delta_dry_season")
LEVEL = "ha_noi_level"
"""Rule that asks a level at Ha Noi, by the flow at Son Tay."""
ASKED = (*DELIVERIES, LEVEL)
DRY_YEARS = ("2004-06", "2009-06")
SERVED = VALUES["satisfaction"]["en"]
REGIONS = {"northern_midlands_mountains": "#8c5a2b", "red_river_delta": "#2f7f79"}
FOOD = ("irrigation", "livestock_other", "aquaculture")
"""Sectors that goals serve as one, in the order of the basin."""
TOTALS = {"food": "*these three*", "total": "**all**"}
NO_BREAK = "\u2011"
"""A hyphen at which no line breaks."""
DRY_SEASON = "10-01"
"""First day shown of the flow at Son Tay; the flood season would dwarf the rest."""


@dataclass(frozen=True)
class Run:
    """A case, with what is set on top of it, as with ``--set``."""

    name: str
    title: str
    case: str
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The same on the command line."""
        sets = "".join(
            f" \\\n    --set {key}={_quoted(value)}" for key, value in self.changes.items()
        )
        out = f" \\\n    --out results/{self.name}" if self.changes else ""
        return f"wateralloc run {self.case}{sets}{out}"


RUNS = (
    Run("baseline", "baseline", "baseline"),
    Run(
        "pilot_without_delivery",
        "pilot without its delivery",
        "pilot_sharing",
        {"without": f"[{', '.join(DELIVERIES)}]"},
    ),
    Run("pilot_sharing", "pilot", "pilot_sharing"),
    Run(
        "stress",
        "stress",
        "pilot_riverbed",
        {f"rules.{LEVEL}.level_m": "{from: 02-11, to: 02-28, value: 2.2}"},
    ),
)


def write(folder: Path) -> None:
    """Write tables and figures into a folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    results = {run.name: results_of(run) for run in RUNS}
    check_readme(results["pilot_sharing"])
    found = {name: result.dataset for name, result in results.items()}
    pages = {
        "red_river_clauses": _clauses(),
        "red_river_runs": _runs(results),
        "red_river_deficits": _deficits(found),
        "red_river_delivery": _delivery(found),
        "red_river_reservoirs": _reservoirs(found),
        "red_river_energy": _energy(found),
        "red_river_cost": _cost(found),
        "allocation_vi": _allocation(results["pilot_sharing"], "vi"),
    }
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    style = {"font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
             "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        for name, figure in (
            ("red_river_years", _draw_years(found)),
            ("red_river_delivery", _draw_delivery(found)),
        ):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


# --- runs ---------------------------------------------------------------------------------------


def kept(name: str, settings: str = "") -> Path:
    """Folder for what a run leaves, another whenever an input, the code or a setting changes."""
    digest = hashlib.sha256((settings + wateralloc.__version__).encode())
    for folder, pattern in (("wateralloc", "*.py"), ("basins", "*.*"), ("cases", "*.yaml")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    digest.update((ROOT / "constraints.txt").read_bytes())
    found = KEPT / f"{name}-{digest.hexdigest()[:12]}"
    if not found.is_dir():
        for old in KEPT.glob(f"{name}-*"):
            shutil.rmtree(old)
    return found


def results_of(run: Run) -> Results:
    """Run a case, or read what is kept of it while its inputs and the code are the same."""
    folder = kept(run.name, repr(run))
    if folder.is_dir():
        return Results.read(folder)
    results = wateralloc.run(ROOT / "cases" / f"{run.case}.yaml", changes=run.changes)
    results.write(folder)
    return results


def _runs(results: dict[str, Results]) -> str:
    text = "```console\n" + "".join(f"$ {run.command}\n" for run in RUNS) + "```\n\n"
    rows = []
    for run in RUNS:
        manifest = results[run.name].manifest
        size, worst = manifest["size"], manifest["certificate"]
        rows.append(
            (
                run.title,
                str(size["members"]),
                f"{size['rows']:,} × {size['columns']:,}",
                str(sum(len(stages) for stages in manifest["stages"].values())),
                f"{worst['primal']:.0e}, {worst['dual']:.0e}, {worst['gap']:.0e}",
                f"{manifest['balance']['largest_residual_hm3']:.0e}",
            )
        )
    versions = results["pilot_sharing"].manifest["versions"]
    head = ("run", "members", "rows × columns", "programs solved",
            "worst certificate: primal, dual, gap", "largest balance residual, hm³")  # fmt: skip
    return (
        text
        + grid(head, rows)
        + f"\nMade by wateralloc {versions['wateralloc']} with HiGHS {versions['highspy']}; rows "
        "and columns are those of one member.\n"
    )


def check_readme(results: Results) -> None:
    """Compare the rows shown in README.md with the run they come from.

    Raises
    ------
    ValueError
        A row is not in the table of the run.
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", readme, re.DOTALL)
    found = [re.findall(r"\d+\.\d", line) for line in (shown[1] if shown else "").splitlines()]
    table = allocation_summary(results)
    share = table.columns.get_loc(SERVED)
    made = [
        [
            f"{min(100 * value, 99.9 + (value > 1 - 1e-9)):.1f}" if k == share else f"{value:.1f}"
            for k, value in enumerate(row)
        ]
        for row in table.to_numpy(float)
    ]
    size = table.shape[1]
    wrong = [numbers for numbers in found if len(numbers) == size and numbers not in made]
    if wrong or not any(len(numbers) == size for numbers in found):
        raise ValueError(f"README.md shows {wrong}, which the run does not give; paste anew")


# --- what the cases ask -------------------------------------------------------------------------


def _clauses() -> str:
    names = ("baseline", "pilot_sharing")
    cases = {name: read_case(ROOT / "cases" / f"{name}.yaml") for name in names}
    text, known = "", set()
    for name, case in cases.items():
        lead = "Rules" if name == "baseline" else "Rules beside those of the baseline"
        text += f"\n### {name}\n\n{case.description}\n\n{lead}:\n\n"
        for rule, clause in zip(case.rules, case.resolved["rules"], strict=True):
            if rule.name in known:
                continue
            known.add(rule.name)
            asks = {k: v for k, v in clause.items() if k not in ("rule", "name", "source", "soft")}
            hard = f"soft, before goal {rule.soft.goal}" if rule.soft else "hard"
            text += (
                f"- **`{rule.name}`** ({rule.kind}, {hard}): {_inline(asks)}\\\n"
                f"  *Source: {rule.source}*\n"
            )
        text += "\nGoals, in order:\n\n"
        text += "".join(f"1. {_inline(goal)}\n" for goal in case.resolved["goals"])
    return text + _patterns(cases["pilot_sharing"])


def _inline(value: Any) -> str:
    """Write plain data as YAML in one line, as code."""

    def flow(item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key}: {flow(below)}" for key, below in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(flow, item)) + "]"
        return str(item)

    if isinstance(value, dict):
        return " ".join(f"`{key}: {flow(item)}`" for key, item in value.items())
    return f"`{flow(value)}`"


def _patterns(case: Case) -> str:
    """Values by date of the patterns that the rules name."""
    named = re.findall(r"pattern:(\w+)", str(case.resolved["rules"]))
    table = pd.read_csv(case.basin.folder / "patterns.csv", dtype=str)
    lines = []
    for name in dict.fromkeys(named):
        of_name = table[table["pattern"] == name]
        steps: list[str] = []
        last = None
        for start, value in zip(of_name["start"], of_name["value"], strict=True):
            if value != last:
                steps.append(f"{start.replace('-', NO_BREAK)}:\u00a0{float(value):g}")
            last = value
        lines.append(f"- `{name}` [{of_name['unit'].iloc[0]}]: {'; '.join(steps)}\n")
    lead = "Each value holds from its day, written month-day, until the next.\n\n"
    return f"\n### Values by date that the rules name\n\n{lead}{''.join(lines)}"


# --- deficits -----------------------------------------------------------------------------------


def _deficits(found: dict[str, xr.Dataset]) -> str:
    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    parts = {run.name: _by_region_and_sector(found[run.name]) for run in runs}
    dataset = found["baseline"]
    demand = _by_region_and_sector(dataset, "demand_volume")
    rows, last = [], ""
    for region, sector in parts["baseline"].index:
        cells = [f"{demand.loc[(region, sector)].mean():.0f}"]
        for run in runs:
            line = parts[run.name].loc[(region, sector)]
            cells += [_volume(line.mean()), *(_volume(line[year]) for year in DRY_YEARS)]
        name = word(dataset, "region", region) if region != last else ""
        what = TOTALS.get(sector) or word(dataset, "sector", sector)
        rows.append((f"**{name}**" if name else "", what, *cells))
        last = region
    head = ["region", "sector", "demand"]
    for run in runs:
        head += [f"{run.title} mean", *map(_year, DRY_YEARS)]
    return grid(head, rows)


def _by_region_and_sector(dataset: xr.Dataset, quantity: str = "deficit") -> pd.DataFrame:
    """Yearly volumes [hm3]: rows (region, sector), a total at the end of each; columns members."""
    volume = dataset[quantity].sum("time").transpose("demand", "member").to_pandas()
    regions, sectors = dataset["region"].values, dataset["sector"].values
    order = list(dict.fromkeys(_words(dataset, "sector")))
    lines = {}
    for region in REGIONS:
        for sector in order:
            inside = (regions == region) & (sectors == sector)
            if inside.any():
                lines[region, sector] = volume[inside].sum()
            if sector == FOOD[-1]:
                lines[region, "food"] = sum(lines[region, one] for one in FOOD)
        lines[region, "total"] = volume[regions == region].sum()
    return pd.DataFrame(lines).T


def _words(dataset: xr.Dataset, of: str) -> list[str]:
    return [str(n) for n in dataset["word_name"].values[dataset["word_of"].values == of]]


def _draw_years(found: dict[str, xr.Dataset]) -> Figure:
    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    figure = Figure(figsize=(7.6, 5.6), layout="constrained")
    panels = figure.subplots(len(runs), 1, sharex=True, sharey=True)
    for axes, run in zip(panels, runs, strict=True):
        table = _by_region_and_sector(found[run.name])
        years = [_year(member) for member in table.columns]
        bottom = np.zeros(len(years))
        for region, colour in REGIONS.items():
            heights = table.loc[(region, "total")].to_numpy(float)
            label = word(found[run.name], "region", region)
            axes.bar(years, heights, 0.75, bottom, color=colour, label=label)
            bottom += heights
        axes.set_title(run.title, loc="left", weight="bold")
        axes.set_ylabel("deficit, hm³")
        axes.grid(axis="y", lw=0.4)
        axes.set_axisbelow(True)
        axes.tick_params(axis="x", rotation=60)
    panels[0].legend(frameon=False, loc="upper left")
    panels[-1].set_xlabel("June–May year of the record")
    return figure


# --- delivery at Son Tay ------------------------------------------------------------------------


def _flow(dataset: xr.Dataset) -> xr.DataArray:
    """Mean flow that the river carries on from Son Tay [m3/s] (member, time)."""
    return dataset["river_flow"].sel(node=CONTROL) / (
        dataset["days"] * SECONDS_PER_DAY * HM3_PER_M3
    )


def _required(dataset: xr.Dataset) -> pd.Series:
    """Flow asked at Son Tay [m3/s] by first day, the same for every member."""
    rows = np.isin(dataset["rule_clause"].values, ASKED)
    asked = dataset["required"].isel(member=0, rule=rows).values
    return pd.Series(asked, dataset["rule_start"].values[rows]).sort_index()


def _delivery(found: dict[str, xr.Dataset]) -> str:
    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    times = found["baseline"]["time"].values
    rows = []
    for k, time in enumerate(times):
        cells = [str(time)[5:10]]
        for run in runs:
            dataset = found[run.name]
            flow, asked = _flow(dataset).isel(time=k), _required(dataset)
            if run.name != "baseline":
                cells.append(f"{asked[time]:.0f}" if time in asked.index else "")
            cells += [f"{float(flow.min()):.0f}", f"{float(flow.mean()):.0f}"]
        if time in _required(found["pilot_sharing"]).index:
            rows.append(tuple(cells))
    head = ("from", "baseline least", "mean", "pilot asked", "least", "mean", "stress asked",
            "least", "mean")  # fmt: skip
    pilot, base = found["pilot_sharing"], _flow(found["baseline"])
    asked = _required(pilot)
    at = np.isin(times, asked.index.values)
    short = (base.isel(time=at) < asked.values - 1e-6).sum().item()
    kept = {
        name: bool(
            found[name]["kept"].isel(rule=np.isin(found[name]["rule_clause"].values, ASKED)).all()
        )
        for name in ("pilot_sharing", "stress")
    }
    words = {True: "keeps it in every period of every year", False: "cannot keep it throughout"}
    return (
        f"The baseline carries less past Son Tay than the pilot asks in {short} of "
        f"{at.sum() * base.sizes['member']} dry-season periods (members × periods); the pilot "
        f"{words[kept['pilot_sharing']]}, and the stress run {words[kept['stress']]} "
        "of its own.\n\n" + grid(head, rows)
    )


def _draw_delivery(found: dict[str, xr.Dataset]) -> Figure:
    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    panels = figure.subplots(len(runs), 1, sharex=True, sharey=True)
    for axes, run in zip(panels, runs, strict=True):
        dataset = found[run.name]
        edges = dataset["time_bnds"].values
        start = np.flatnonzero([str(t)[5:10] == DRY_SEASON for t in edges[:, 0]])[0]
        steps = np.append(edges[start:, 0], edges[-1, 1])
        flow = _flow(dataset).isel(time=slice(start, None)).values
        low, mean, high = flow.min(axis=0), flow.mean(axis=0), flow.max(axis=0)
        axes.fill_between(
            steps, np.append(low, low[-1]), np.append(high, high[-1]), step="post", color="#cfe3f1",
            label="range of the members",
        )  # fmt: skip
        axes.stairs(mean, steps, baseline=None, color="#1f5f99", lw=1.6, label="mean")
        axes.stairs(low, steps, baseline=None, color="#1f5f99", lw=1.0, ls=":", label="least")
        of_pilot = found["pilot_sharing"] if run.name == "baseline" else dataset
        asked = _required(of_pilot).reindex(edges[start:, 0]).to_numpy(float)
        label = "asked by the pilot" if run.name == "baseline" else "asked"
        axes.stairs(asked, steps, baseline=None, color="#c0392b", lw=1.4, ls="--", label=label)
        axes.set_ylim(0, 5000)
        axes.set_title(run.title, loc="left", weight="bold")
        axes.set_ylabel("flow, m³/s")
        axes.grid(lw=0.4)
        axes.legend(frameon=False, ncols=4, loc="upper right")
    ticks = [t for t in steps if str(t)[8:10] == "01"]
    panels[-1].set_xticks(ticks, [pd.Timestamp(t).strftime("%b") for t in ticks])
    return figure


# --- reservoirs ---------------------------------------------------------------------------------


def _reservoirs(found: dict[str, xr.Dataset]) -> str:
    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    case = read_case(ROOT / "cases" / "pilot_sharing.yaml")
    patterns, least = case.basin.patterns, {}
    for clause in case.resolved["rules"]:
        if clause["rule"] == "reservoir_levels":
            name = clause["minimum_m"].removeprefix("pattern:")
            least[clause["reservoir"]] = patterns[name].at_end(case.timeline)
    head = ["reservoir", "dead storage, hm³"]
    for run in runs:
        head += [f"{run.title}: lowest storage, hm³", "level, m", "least above minimum, m"]
    rows = []
    for reservoir in found["baseline"]["reservoir"].values:
        dead = case.basin.tables["reservoirs"].at[reservoir, "dead"]
        name = word(found["baseline"], "node", reservoir).removesuffix(" reservoir")
        cells = [name, f"{dead:.0f}"]
        for run in runs:
            dataset = found[run.name]
            level = dataset["level"].isel(
                reservoir_with_level=list(dataset["reservoir_with_level"].values).index(reservoir)
            )
            storage = dataset["storage_end"].sel(reservoir=reservoir)
            above = ""
            if reservoir in least:
                margin = round(float((level - least[reservoir]).min()), 2) + 0.0
                above = f"{margin:.2f}".replace("-", "−")
            cells += [f"{float(storage.min()):.0f}", f"{float(level.min()):.1f}", above]
        rows.append(tuple(cells))
    spills = [
        f"{run.title} {float(found[run.name]['spill'].sum(['time', 'reservoir']).mean()):,.0f}"
        for run in runs
    ]
    inflow = float(found["baseline"]["inflow"].sum(["time", "node"]).mean())
    return (
        grid(head, rows)
        + f"\nSpill (flow over spillways), hm³ a year, mean over the members: {', '.join(spills)}; "
        f"all inflow of the basin is {inflow:,.0f}.\n"
    )


# --- energy -------------------------------------------------------------------------------------


def _energy(found: dict[str, xr.Dataset]) -> str:
    def of(run: str) -> pd.DataFrame:
        energy = found[run]["energy"].sum("time").transpose("plant", "member").to_pandas()
        energy.loc["all"] = energy.sum()
        return energy

    runs = [run for run in RUNS if run.name != "pilot_without_delivery"]
    change = of("pilot_sharing") - of("pilot_without_delivery")
    rows = []
    for plant in change.index:
        name = "**all**" if plant == "all" else word(found["baseline"], "node", plant)
        cells = [f"{of(run.name).loc[plant].mean():,.0f}" for run in runs]
        of_plant = [change.loc[plant].mean(), *(change.loc[plant, year] for year in DRY_YEARS)]
        cells += [f"{value:+,.0f}".replace("-", "−") for value in of_plant]
        rows.append((name.removesuffix(" reservoir"), *cells))
    head = ["plant", *(f"{run.title} mean" for run in runs)]
    head += ["change by the delivery: mean", *map(_year, DRY_YEARS)]
    return grid(head, rows)


# --- what the delivery costs --------------------------------------------------------------------


def _cost(found: dict[str, xr.Dataset]) -> str:
    without, pilot = found["pilot_without_delivery"], found["pilot_sharing"]
    more = _by_region_and_sector(pilot) - _by_region_and_sector(without)
    rows, last = [], ""
    for region, sector in more.index:
        line = more.loc[(region, sector)]
        name = word(pilot, "region", region) if region != last else ""
        what = TOTALS.get(sector) or word(pilot, "sector", sector)
        cells = (_signed(line.mean()), *(_signed(line[year]) for year in DRY_YEARS))
        rows.append((f"**{name}**" if name else "", what, *cells))
        last = region
    totals = more.xs("total", level=1)
    in_north = totals.loc["northern_midlands_mountains"]
    share = in_north / totals.sum()
    extra = (_flow(pilot) - _flow(without)) * pilot["days"] * SECONDS_PER_DAY * HM3_PER_M3
    in_rule = np.isin(pilot["time"].values, _required(pilot).index.values)
    volume = extra.isel(time=in_rule).sum("time").to_pandas()
    text = (
        f"The delivery adds {volume.mean():,.0f} hm³ to the dry-season flow past Son Tay in the "
        f"mean year, and {' and '.join(f'{volume[y]:,.0f} in {_year(y)}' for y in DRY_YEARS)}. "
        f"It costs {totals.sum().mean():.1f} hm³ of deficit in the mean year, "
        f"{' and '.join(f'{totals[y].sum():.0f} in {_year(y)}' for y in DRY_YEARS)}; "
        f"{100 * in_north.mean() / totals.sum().mean():.0f} % of it falls on "
        "the Northern Midlands and Mountains in the mean "
        f"({', '.join(f'{100 * share[y]:.0f} % in {_year(y)}' for y in DRY_YEARS)}). "
        f"{_above(pilot, without)}\n\n"
    )
    head = ("region", "sector", "mean", *map(_year, DRY_YEARS))
    return text + grid(head, rows) + "\n" + _provinces(pilot, without)


def _above(pilot: xr.Dataset, without: xr.Dataset) -> str:
    """Say how much of the delta's cost falls on users that draw at Son Tay or above it."""
    links_from, links_to = pilot["link_from"].values, pilot["link_to"].values
    above, grown = {CONTROL}, True
    while grown:
        more = {str(a) for a, b in zip(links_from, links_to, strict=True) if b in above} - above
        above, grown = above | more, bool(more)
    cost = (pilot["deficit"] - without["deficit"]).sum("time").mean("member").to_pandas()
    in_delta = pilot["region"].values == "red_river_delta"
    upstream = np.isin(pilot["demand_node"].values, sorted(above))
    part = cost[in_delta & upstream].sum() / cost[in_delta].sum()
    return f"Of the delta's part {100 * part:.0f} % falls on users that draw at or above Son Tay."


def _provinces(pilot: xr.Dataset, without: xr.Dataset, n_shown: int = 10) -> str:
    """Table of the provinces that lose most."""
    lines = {}
    for year in DRY_YEARS:
        for name, dataset in (("without", without), ("with", pilot)):
            of_year = dataset.sel(member=year)
            asked = of_year["demand_volume"].sum("time").to_pandas()
            short = of_year["deficit"].sum("time").to_pandas()
            groups = dataset["province"].values
            lines[year, name] = short.groupby(groups).sum()
            lines[year, "asked"] = asked.groupby(groups).sum()
    table = pd.DataFrame(lines)
    cost = table[DRY_YEARS[0], "with"] - table[DRY_YEARS[0], "without"]
    rows = []
    for province in cost.sort_values(ascending=False).index[:n_shown]:
        cells = [word(pilot, "province", province)]
        for year in DRY_YEARS:
            line = table.loc[province, year]
            cells += [
                _volume(line["with"] - line["without"]),
                f"{100 * (1 - line['without'] / line['asked']):.1f} %",
                f"{100 * (1 - line['with'] / line['asked']):.1f} %",
            ]
        rows.append(tuple(cells))
    head = ["province"]
    for year in DRY_YEARS:
        head += [f"{_year(year)}: cost, hm³", "served without", "served with"]
    return (
        f"The {n_shown} provinces that lose most in {_year(DRY_YEARS[0])}, all sectors:\n\n"
        + grid(head, rows)
    )


# --- words --------------------------------------------------------------------------------------


def _allocation(results: Results, lang: str) -> str:
    """The table that a run prints, in a language."""
    table = allocation_summary(results, lang)
    rows = []
    for (region, sector), line in table.iterrows():
        served = VALUES["satisfaction"][lang]
        cells = [
            _percent(value) if name == served else f"{value:.1f}" for name, value in line.items()
        ]
        rows.append((str(region), str(sector), *cells))
    if lang == "vi":
        rows = [tuple(re.sub(r"(\d)\.(\d)", r"\1,\2", cell) for cell in row) for row in rows]
    head = [str(name) for name in (*table.index.names, *table.columns)]
    return grid(head, rows)


def _percent(share: float) -> str:
    text = f"{100 * share:.1f} %"
    return ">99.9 %" if text == "100.0 %" and share < 1 - 1e-9 else text


def _year(member: str) -> str:
    year = int(member[:4])
    return f"{year}\u2060–\u2060{(year + 1) % 100:02d}"  # joined: no line breaks at the dash


def _volume(value: float) -> str:
    return f"{value + 0.0:.1f}" if abs(value) >= 0.05 else "0"


def _signed(value: float) -> str:
    return f"{value:+.1f}" if abs(value) >= 0.05 else "0"


def _quoted(value: str) -> str:
    return f"'{value}'" if re.search(r"[\s\[\]{}]", value) else value


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; columns of numbers go to the right."""
    rows = list(rows)
    side = ["---"] * len(head)
    for k in range(len(head)):
        cells = [row[k] for row in rows if row[k]]
        if cells and all(re.match(r"[-+−>]?\d", cell) for cell in cells):
            side[k] = "---:"
    return "".join("| " + " | ".join(line) + " |\n" for line in (head, side, *rows))


if __name__ == "__main__":
    write(HERE / "_generated")
