"""Compare the cases of the pilot, and write the page and its figures.

``python -m docs.pilot`` (``make pilot``) compares the mechanisms of ``cases/pilot`` over all years
of the record and, in two dry years, with the planned transfer, with the demands of 2023, with lower
gates and in one pass; it writes ``docs/pilot.md`` from ``docs/pilot.md.in``.  Results are kept in
``docs/_build/pilot``; what has been run is run again when its inputs or the code change.

A sentence of the template that numbers could belie stands behind a check: `write` stops where one
no longer holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import wateralloc
from docs.red_river_results import REGIONS, grid
from wateralloc import Comparison, Results, read_case
from wateralloc.units import HM3_PER_M3, SECONDS_PER_DAY

HERE = Path(__file__).parent
ROOT = HERE.parent
CASES, BASIN = ROOT / "cases" / "pilot", ROOT / "basins" / "red_river"
KEPT = HERE / "_build" / "pilot"
PAGE, TEMPLATE = HERE / "pilot.md", HERE / "pilot.md.in"

MECHANISMS = {
    "none": "none",
    "decision_740": "Decision 740",
    "share_of_flow": "share of flow",
    "fixed_plus_surplus": "fixed + surplus",
    "delta_first": "delta first",
    "guaranteed_headwater": "delta first, headwater guaranteed",
    "headwater_first": "headwater first",
    "shortage_by_region": "shortage by region",
    "shortage_by_sector": "shortage by sector",
    "claims_equal_awards": "claims: equal awards",
    "claims_talmud": "claims: Talmud",
    "claims_equal_losses": "claims: equal losses",
    "quota_trade": "quotas with trade",
}
"""Case -> what the page calls it, in its order."""
BY_RULE = ("none", "decision_740", "share_of_flow", "fixed_plus_surplus")
"""Mechanisms in which the dams run for power once their rules are kept."""
PLANNED = tuple(case for case in MECHANISMS if case not in BY_RULE)
CUT = "quota_trade"
"""The one that asks less, so that its deficits are a choice."""
FIRST = "delta_first"
SHOWN = ("none", "decision_740", "share_of_flow", "delta_first")
"""Mechanisms whose flow at Son Tay is drawn."""
TRIED = ("none", "decision_740", "delta_first", "headwater_first")
"""Mechanisms tried with lower gates, and in one pass."""
NORTH, DELTA = REGIONS
DROUGHT, DRY = "2009-06", ("2004-06", "2009-06")
YEARS = ("2004–05", "2009–10")
LOW_GATES_M3S = 2288
"""Flow at Son Tay that holds 1.4 m at Ha Noi on the bed of 2018-22 (derived, AI4RR)."""
GATES = "rules.delta_gates.arguments.full_m3s"
VND_PER_M3 = 770
"""Value of water to fields (derived, FUL_GW and GWF23); one VND/m3 is a million VND/hm3."""
YARDSTICK = f"{CASES / 'decision_740.yaml'}:ha_noi_level"
LEVEL = ("yardstick", "ha_noi_level")
STYLE: dict[Any, Any] = {
    "font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
    "axes.spines.right": False,
}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A comparison, with quick looks into it.

    Attributes
    ----------
    suffix : what the names of its policies have at the end
    """

    comparison: Comparison
    suffix: str = ""

    @cached_property
    def _mean(self) -> pd.Series:
        keys = ["policy", "measure", "scope", "name"]
        return self.comparison.figures.set_index(keys)["mean"].sort_index()

    @cached_property
    def _member(self) -> pd.Series:
        keys = ["policy", "member", "measure", "scope", "name"]
        return self.comparison.by_member.set_index(keys)["value"].sort_index()

    def get(
        self, case: str, measure: str, scope: str = "basin", name: str = "all", member: str = ""
    ) -> float:
        """Figure of a policy: mean over the members, or of one."""
        key = (measure, scope, name)
        policy = case + self.suffix
        return float(self._member[policy, member, *key] if member else self._mean[policy, *key])

    def deficit(self, case: str, region: str = "", member: str = "") -> float:
        """Deficit of a region, or of all [hm3 a year]."""
        where = ("region", region) if region else ("basin", "all")
        return self.get(case, "deficit", *where, member=member)

    def worst_province(self, case: str, member: str = "") -> tuple[str, float]:
        """Province that is served least, and how well."""
        measure = "worst_province_satisfaction"
        if not member:
            rows = self.comparison.figures
            row = rows[(rows["policy"] == case + self.suffix) & (rows["measure"] == measure)]
            return str(row["mean_of"].iloc[0]), float(row["mean"].iloc[0])
        of_all = self._member[case + self.suffix, member, "satisfaction", "province"]
        return str(of_all.idxmin()), float(of_all.min())

    def words(self, scope: str, name: str) -> str:
        """English name of a province or region."""
        names = self.comparison.names
        return str(names[(names["scope"] == scope) & (names["name"] == name)]["en"].iloc[0])


@dataclass(frozen=True)
class Sides:
    """All comparisons of the page.

    Attributes
    ----------
    now : as they are, all years
    works, demand_2023 : the variants of the same names, in the two dry years
    low : with gates that are full at `LOW_GATES_M3S`, in the two dry years
    fixed : in one pass, in the two dry years
    """

    now: Side
    works: Side
    demand_2023: Side
    low: Side
    fixed: Side


def compare_all(jobs: int = 2) -> Sides:
    """Run what has not been run, and compare."""

    def side(
        folder: str = "",
        changes: dict[str, str] | None = None,
        kept: str = "",
        names: Iterable[str] = MECHANISMS,
    ) -> Side:
        suffix = f"_{folder}" if folder else ""
        return Side(
            wateralloc.compare(
                [CASES / folder / f"{name}.yaml" for name in names],
                changes=changes,
                results=KEPT / kept,
                reference=f"none{suffix}",
                yardsticks=[YARDSTICK],
                jobs=jobs,
            ),
            suffix,
        )

    dry = {"hydrology.years": f"[{', '.join(DRY)}]"}
    return Sides(
        side(),
        side("works", dry, "dry"),
        side("demand_2023", dry, "dry"),
        side("", dry | {GATES: str(LOW_GATES_M3S)}, "low_gates", TRIED),
        side("", dry | {"linearisation": "fixed"}, "one_pass", TRIED),
    )


def write() -> None:
    """Make the comparisons, and write page and figures."""
    sides = compare_all()
    check(sides)
    text = fill(values(sides))
    with mpl.rc_context(STYLE):
        for name, figure in (
            ("deficits", draw_deficits(sides.now)),
            ("flow", draw_flow()),
            ("energy", draw_energy(sides.now)),
            ("works", draw_works(sides)),
        ):
            figure.savefig(HERE / f"pilot_{name}.svg", metadata={"Date": None})
    PAGE.write_text(text, encoding="utf-8")


def fill(words: Mapping[str, str]) -> str:
    """Put words into the template; each has a place in it, and each place a word."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    spare = set(words) - set(template.get_identifiers())
    if spare:
        raise ValueError(f"{TEMPLATE.name} has no place for {sorted(spare)}")
    return template.substitute({name: text.strip() for name, text in words.items()})


def digest_of_inputs() -> str:
    """Twelve letters that change with the basin, the cases or the words of the page."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    files = [*BASIN.glob("*.csv"), *BASIN.glob("series/*.csv"), *CASES.rglob("*.py")]
    for path in sorted(files):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    for folder in ("", "works", "demand_2023"):
        for name in MECHANISMS:
            asked = read_case(CASES / folder / f"{name}.yaml").resolved
            digest.update(repr({k: v for k, v in asked.items() if k != "rules"}).encode())
            for rule in asked["rules"]:
                digest.update(repr({k: v for k, v in rule.items() if k != "file"}).encode())
    return digest.hexdigest()[:12]


# --- what the words of the page hang on --------------------------------------------------------


def check(sides: Sides) -> None:
    """Check that what the template says in words is what the figures say.

    Raises
    ------
    ValueError
        With every sentence that no longer holds.
    """
    now, works = sides.now, sides.works
    served = [case for case in PLANNED if case != CUT]
    deficit = {case: now.deficit(case) for case in MECHANISMS}
    north = {case: now.deficit(case, NORTH) for case in MECHANISMS}
    delta = {case: now.deficit(case, DELTA) for case in MECHANISMS}
    energy = {case: now.get(case, "energy") for case in MECHANISMS}
    claims = {
        case: {region: now.deficit(case, region) for region in REGIONS}
        for case in ("claims_talmud", "claims_equal_losses")
    }
    low, fixed, kept = sides.low, sides.fixed, ("kept", *LEVEL)
    sentences = {
        "without a mechanism the delta lacks most of all water": delta["none"]
        > 0.9 * deficit["none"],
        "planning for users serves the delta almost in full": all(
            delta[case] < 0.1 * delta["none"] for case in served
        ),
        "Decision 740 keeps its spells": now.get("decision_740", *kept) > 0.99
        and now.get("none", *kept) < 0.8,
        "and takes a small part of the delta's deficit away": 0.8 * delta["none"]
        < delta["decision_740"]
        < delta["none"],
        "a share or volume at Son Tay changes little": all(
            abs(delta[case] / delta["none"] - 1) < 0.05
            for case in ("share_of_flow", "fixed_plus_surplus")
        ),
        "delta first costs the mountains most": all(
            north[case] < north["delta_first"] for case in MECHANISMS if case not in (CUT, FIRST)
        ),
        "a guarantee takes most of that away": north["guaranteed_headwater"]
        < north["none"] + 0.3 * (north["delta_first"] - north["none"]),
        "and hardly costs the delta": delta["guaranteed_headwater"] < delta["delta_first"] + 5,
        "serving users costs 1 to 2 % of energy": all(
            0.01 < 1 - energy[case] / energy["none"] < 0.02 for case in served
        ),
        "Decision 740 costs hardly any": energy["decision_740"] > 0.999 * energy["none"],
        "Talmud and equal losses agree": all(
            abs(claims["claims_talmud"][r] - claims["claims_equal_losses"][r]) < 2 for r in REGIONS
        ),
        "leximin by region and by sector agree by region": all(
            abs(now.deficit("shortage_by_region", r) - now.deficit("shortage_by_sector", r)) < 2
            for r in REGIONS
        ),
        "the transfer never costs the mountains": all(
            works.deficit(case, NORTH, y) < now.deficit(case, NORTH, y) + 0.5
            for case in MECHANISMS
            for y in DRY
        ),
        "it is idle under delta first": max(_used(FIRST) + _used("guaranteed_headwater")) < 0.1,
        "and nearly so where losses are shared": max(
            _used("claims_talmud") + _used("claims_equal_losses")
        )
        < 0.1 * max(_used()),
        "it changes the deficit of the delta little": all(
            abs(works.deficit(case, DELTA, y) - now.deficit(case, DELTA, y)) < 15
            for case in MECHANISMS
            for y in DRY
        ),
        "the upkeep of the transfer is above what its water is worth": _upkeep_million()
        > max(_used()) * VND_PER_M3,
        "with lower gates the delta is served where users come before power": all(
            low.deficit(case, DELTA, y) < 1 for case in (FIRST, "headwater_first") for y in DRY
        ),
        "and delta first no longer costs the mountains": all(
            low.deficit(FIRST, NORTH, y) < low.deficit("headwater_first", NORTH, y) + 5 for y in DRY
        ),
        "one pass gives the same deficits where users come before power": all(
            abs(fixed.deficit(case, member=y) - now.deficit(case, member=y)) < 5
            for case in (FIRST, "headwater_first")
            for y in DRY
        ),
        "and far larger ones where power decides": all(
            fixed.deficit("none", member=y) > 1.5 * now.deficit("none", member=y) for y in DRY
        ),
    }
    wrong = [sentence for sentence, holds in sentences.items() if not holds]
    if wrong:
        raise ValueError(f"{TEMPLATE.name}: no longer so: {'; '.join(wrong)}")


# --- words ------------------------------------------------------------------------------------


def values(sides: Sides) -> dict[str, str]:
    """Everything the template leaves open."""
    now = sides.now
    served = [case for case in PLANNED if case != CUT]
    energy = {case: now.get(case, "energy") for case in MECHANISMS}
    lost = [100 * (1 - energy[case] / energy["none"]) for case in served]
    most = now.get("none", "energy", member=DROUGHT)
    lost_in_drought = [100 * (1 - now.get(c, "energy", member=DROUGHT) / most) for c in served]
    gain = now.deficit("headwater_first", DELTA, DROUGHT)
    gain -= now.deficit("delta_first", DELTA, DROUGHT)
    north, delta = ({c: now.deficit(c, region) for c in MECHANISMS} for region in REGIONS)
    vinh_phuc = now.get("decision_740", "satisfaction", "province", "vinh_phuc")
    return {
        "digest": digest_of_inputs(),
        "n_members": str(len(now.comparison.members)),
        "n_mechanisms": str(len(MECHANISMS)),
        "mechanisms": _mechanisms(),
        "results": _results(now),
        "drought": _results(now, DROUGHT),
        "by_sector": _by_sector(now, DROUGHT),
        "prices": _prices(now),
        "works": _variant(now, sides.works),
        "demand_2023": _variant(now, sides.demand_2023),
        "low_gates": _dry_years(now, sides.low),
        "one_pass": _one_pass(now, sides.fixed),
        "none_delta": f"{delta['none']:,.0f}",
        "none_north": f"{north['none']:.0f}",
        "none_drought": f"{now.deficit('none', DELTA, DROUGHT):,.0f}",
        "decision_cut": f"{100 - 100 * delta['decision_740'] / delta['none']:.0f}",
        "decision_energy": f"{energy['none'] - energy['decision_740']:.0f}",
        "planned_delta": _range(delta[case] for case in served),
        "planned_energy": _range(lost, 1),
        "planned_energy_drought": _range(lost_in_drought, 1),
        "planned_gwh": _range(energy["none"] - energy[case] for case in served),
        "decision_kept": f"{100 * now.get('decision_740', 'kept', *LEVEL):.0f}",
        "none_kept": f"{100 * now.get('none', 'kept', *LEVEL):.0f}",
        "share_more": _signed(delta["share_of_flow"] - delta["none"]),
        "fixed_more": _signed(delta["fixed_plus_surplus"] - delta["none"]),
        "first_north": f"{north['delta_first']:.0f}",
        "first_north_drought": f"{now.deficit('delta_first', NORTH, DROUGHT):,.0f}",
        "first_gain": f"{gain:.0f}",
        "guaranteed_north": f"{north['guaranteed_headwater']:.0f}",
        "guaranteed_delta": f"{delta['guaranteed_headwater'] - delta['delta_first']:.0f}",
        "equal_region": f"{now.deficit('shortage_by_region'):.0f}",
        "quota_deficit": f"{now.deficit(CUT):.0f}",
        "vinh_phuc": f"{100 * vinh_phuc:.0f}",
        "works_used": _range(_used()),
        "works_worth": f"{max(_used()) * VND_PER_M3 / 1000:,.0f}",
        "works_upkeep": f"{_upkeep_million() / 1000:,.0f}",
    }


def _mechanisms() -> str:
    rows = []
    for name, label in MECHANISMS.items():
        case = read_case(CASES / f"{name}.yaml")
        rows.append((f"**{label}**", f"`{name}`", case.description.strip()))
    return grid(("mechanism", "case", "what it asks"), rows)


def _results(side: Side, member: str = "") -> str:
    head = ["mechanism", "mountains", "delta", "all", "least served province",
            "level at Ha Noi kept", "energy, GWh", "storage 1 May, hm³"]  # fmt: skip
    rows = []
    for case, label in MECHANISMS.items():
        province, share = side.worst_province(case, member)
        rows.append(
            (
                label,
                *(f"{side.deficit(case, region, member):,.0f}" for region in (NORTH, DELTA, "")),
                f"{side.words('province', province)} {100 * share:.0f} %",
                f"{100 * side.get(case, 'kept', *LEVEL, member=member):.0f} %",
                f"{side.get(case, 'energy', member=member):,.0f}",
                f"{side.get(case, 'storage_on_05-01', member=member):,.0f}",
            )
        )
    return grid(head, rows)


def _by_sector(side: Side, member: str) -> str:
    groups = side.comparison.figures
    names = list(dict.fromkeys(groups[groups["scope"] == "region_sector"]["name"]))
    rows = []
    for case, label in MECHANISMS.items():
        cells = [_share(side.get(case, "satisfaction", "region_sector", n, member)) for n in names]
        rows.append((label, *cells))
    short = {NORTH: "mountains", DELTA: "delta"}
    head = []
    for name in names:
        region = next(r for r in REGIONS if name.startswith(r))
        sector = name.removeprefix(f"{region}/").replace("_", " ")
        head.append(f"{short[region]}: {sector}")
    return grid(("mechanism", *head), rows)


def _prices(side: Side) -> str:
    rows = side.comparison.figures
    of_goals = rows[rows["measure"].isin(("volume_price", "value_price"))]
    table = of_goals.pivot_table(index="policy", columns="measure", values="mean", aggfunc="max")
    lines = [
        (label, f"{100 * table.at[case, 'volume_price']:.2f} %",
         f"{100 * table.at[case, 'value_price']:.2f} %")
        for case, label in MECHANISMS.items()
        if case in table.index
    ]  # fmt: skip
    return grid(("mechanism", "volume price", "value price"), lines)


def _variant(now: Side, other: Side) -> str:
    """Table of a variant in the dry years, beside the family as it is."""
    rows = []
    for case, label in MECHANISMS.items():
        cells = []
        for member in DRY:
            for region in (NORTH, DELTA):
                value = other.deficit(case, region, member)
                cells += [f"{value:,.0f}", _signed(value - now.deficit(case, region, member))]
            change = other.get(case, "energy", member=member)
            cells.append(_signed(change - now.get(case, "energy", member=member)))
        rows.append((label, *cells))
    head = ["mechanism"]
    for when in YEARS:
        for region in ("mountains", "delta"):
            head += [f"{when}: {region}", "change"]
        head.append("energy, GWh")
    return grid(head, rows)


def _dry_years(now: Side, other: Side) -> str:
    rows = []
    for case in TRIED:
        cells = []
        for member in DRY:
            for region in (NORTH, DELTA):
                was, value = (side.deficit(case, region, member) for side in (now, other))
                cells += [f"{was:,.0f}", f"{value:,.0f}"]
        rows.append((MECHANISMS[case], *cells))
    head = ["mechanism"]
    for year in YEARS:
        for region in ("mountains", "delta"):
            head += [f"{year}: {region}", "lower gates"]
    return grid(head, rows)


def _one_pass(now: Side, fixed: Side) -> str:
    rows = []
    for case in TRIED:
        cells = []
        for member in DRY:
            cells += [f"{s.get(case, 'energy', member=member):,.0f}" for s in (now, fixed)]
            cells += [f"{s.deficit(case, member=member):,.0f}" for s in (now, fixed)]
        rows.append((MECHANISMS[case], *cells))
    head = ["mechanism"]
    for year in YEARS:
        head += [f"{year}: GWh", "one pass", "deficit, hm³", "one pass"]
    return grid(head, rows)


def _used(*cases: str) -> list[float]:
    """Water that the transfer carries in the dry years [hm3] under some mechanisms, or all."""
    used = []
    for case in cases or MECHANISMS:
        dataset = Results.read(KEPT / "dry" / f"{case}_works").dataset
        carried = dataset["flow_in"].sel(link="lo_cau_transfer").sum("time")
        used += [float(carried.sel(member=member)) for member in DRY]
    return used


def _upkeep_million() -> float:
    """Yearly cost of keeping the transfer [million VND]."""
    return float(pd.read_csv(BASIN / "works.csv")["annual_cost_million"].sum())


def _range(values: Iterable[float], digits: int = 0) -> str:
    least, *_, most = sorted(values)
    texts = [f"{value:,.{digits}f}" for value in (least, most)]
    return texts[0] if texts[0] == texts[1] else "–".join(texts)


def _share(share: float) -> str:
    text = f"{100 * share:.1f}"
    return ">99.9" if text == "100.0" and share < 1 - 1e-9 else text.replace("100.0", "100")


def _signed(value: float) -> str:
    text = f"{value:+,.0f}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")


# --- figures ----------------------------------------------------------------------------------


def _labels(cases: Sequence[str]) -> list[str]:
    return [MECHANISMS[case].replace("delta first, headwater", "delta first,\nheadwater")
            for case in cases]  # fmt: skip


def draw_deficits(now: Side) -> Figure:
    """Deficit of both regions, in the mean year and in the drought."""
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    cases = list(MECHANISMS)[::-1]
    rows = np.arange(len(cases))
    for axes, member, title in zip(
        panels, ("", DROUGHT), ("mean of 1989–2010", "2009–10"), strict=True
    ):
        left = np.zeros(len(cases))
        for region, colour in REGIONS.items():
            widths = np.array([now.deficit(case, region, member) for case in cases])
            axes.barh(rows, widths, 0.7, left, color=colour, label=now.words("region", region))
            left += widths
        for row, total in zip(rows, left, strict=True):
            axes.text(total, row, f" {total:,.0f}", va="center")
        axes.set_title(title, loc="left", weight="bold")
        axes.set_xlabel("deficit, hm³ a year")
        axes.set_xlim(right=1.14 * left.max())
        axes.grid(axis="x", lw=0.4)
        axes.set_axisbelow(True)
    panels[0].set_yticks(rows, _labels(cases))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_flow() -> Figure:
    """Flow past Son Tay in the dry season of the drought, by mechanism."""
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    styles = (("#222222", "-"), ("#c0392b", "--"), ("#b8860b", "-."), ("#1f5f99", "-"))
    for case, (colour, line) in zip(SHOWN, styles, strict=True):
        dataset = Results.read(KEPT / case).dataset.sel(member=DROUGHT)
        edges = dataset["time_bnds"].values
        first = np.flatnonzero([str(t)[5:10] == "11-01" for t in edges[:, 0]])[0]
        steps = np.append(edges[first:, 0], edges[-1, 1])
        seconds = dataset["days"] * SECONDS_PER_DAY
        flow = dataset["river_flow"].sel(node="son_tay") / (seconds * HM3_PER_M3)
        axes.stairs(flow.values[first:], steps, baseline=None, color=colour, ls=line, lw=1.6,
                    label=MECHANISMS[case])  # fmt: skip
    ticks = [t for t in steps if str(t)[8:10] == "01"]
    axes.set_xticks(ticks, [pd.Timestamp(t).strftime("%b") for t in ticks])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("flow past Son Tay, m³/s")
    axes.set_title("dry season of 2009–10", loc="left", weight="bold")
    axes.grid(lw=0.4)
    axes.legend(frameon=False, loc="upper left")
    return figure


def draw_energy(now: Side) -> Figure:
    """Energy that each mechanism has less than `none`, in the mean year and in the drought."""
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    cases = [case for case in MECHANISMS if case != "none"][::-1]
    rows = np.arange(len(cases))
    for axes, member, title in zip(
        panels, ("", DROUGHT), ("mean of 1989–2010", "2009–10"), strict=True
    ):
        most = now.get("none", "energy", member=member)
        less = np.array([most - now.get(case, "energy", member=member) for case in cases])
        colours = ["#c0392b" if case in BY_RULE else "#1f5f99" for case in cases]
        axes.barh(rows, less, 0.7, color=colours)
        for row, value in zip(rows, less, strict=True):
            axes.text(max(value, 0), row, f" {round(value) + 0:,}".replace("-", "−"), va="center")
        axes.axvline(0, color="#222222", lw=0.8)
        axes.set_title(title, loc="left", weight="bold")
        axes.set_xlabel("energy less than without a mechanism, GWh")
        axes.set_xlim(right=1.16 * less.max())
        axes.grid(axis="x", lw=0.4)
        axes.set_axisbelow(True)
    panels[0].set_yticks(rows, _labels(cases))
    return figure


def draw_works(sides: Sides) -> Figure:
    """Change of the deficit of both regions by the transfer, in the drought of 2004-05."""
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes = figure.subplots()
    cases = [case for case in MECHANISMS if case != CUT][::-1]
    rows = np.arange(len(cases))
    for k, (region, colour) in enumerate(REGIONS.items()):
        change = [
            sides.works.deficit(case, region, DRY[0]) - sides.now.deficit(case, region, DRY[0])
            for case in cases
        ]
        axes.barh(rows + 0.2 - 0.4 * k, change, 0.38, color=colour,
                  label=sides.now.words("region", region))  # fmt: skip
    axes.axvline(0, color="#222222", lw=0.8)
    axes.set_yticks(rows, _labels(cases))
    axes.set_xlabel("change of the deficit of 2004–05 by the transfer, hm³")
    axes.grid(axis="x", lw=0.4)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="best")
    return figure


if __name__ == "__main__":
    write()
