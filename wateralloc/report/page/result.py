"""report.html: what came of a case, to be looked at."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from altair.utils.schemapi import debug_mode

from wateralloc.report import tables
from wateralloc.report.charts import allocation, network, rivers, rules, sankey
from wateralloc.report.charts.view import View, make_view
from wateralloc.report.page.kept import Kept
from wateralloc.report.page.model import (
    Block,
    Cards,
    Figure,
    Figures,
    Grid,
    Laid,
    Line,
    Markdown,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
    Text,
    date_text,
    grid_of_frame,
    grid_of_tabulation,
    number,
    with_powers,
)
from wateralloc.report.page.render import library, markdown, render
from wateralloc.report.page.words import WORDS, say
from wateralloc.report.table_files import localised
from wateralloc.report.tables import LANGUAGES
from wateralloc.results import Results
from wateralloc.results.measures import service_table
from wateralloc.results.store import replacing

NAME = "report.html"
DIGITS = 12
"""Of the hash that names the inputs."""
NEARLY = 1e-3
"""Share of the demand below which a member counts as one without shortage."""
ALL_SERVED = 1e-6
"""Deficit [hm3] of a user in a period up to which it is served in full."""
SERVICE = ("volume_reliability", "time_reliability", "resilience", "vulnerability_share",
           "shortage_index", "sustainability_geometric")  # fmt: skip
"""Measures that are shown; the first ones are shares."""
N_SHARES = 4
GOAL_UNITS = {"fraction of demand": {"vi": "phần của nhu cầu"}, "level": {"vi": "mức"}}
"""Units of optima that are words."""
KINDS = ("stated", "derived", "estimate")
"""What a figure of a basin can be."""


def write(
    results: Results,
    path: Path,
    lang: str = "en",
    *,
    kept: Kept | None = None,
    day: date | None = None,
) -> Path:
    """Write the page of a result.

    Parameters
    ----------
    path : of the page, as ``report.html`` in the folder of the result
    lang : shown first; the page has both languages
    kept : what is said beyond the results: explanations, sources of figures
    day : on which it is made; default: today

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The result is of an earlier version.
    OSError
        It cannot be written.
    """
    with ThreadPoolExecutor(1) as beside:
        scripts = beside.submit(library)  # which takes as long as the page
        page = make_page(results, kept=kept, day=day)
        text = render(page, lang, scripts.result())
    with replacing(path) as written:
        written.write_text(text, encoding="utf-8")
    return path


def is_short(results: Results) -> bool:
    """Whether any user lacks more than rounding would."""
    return bool((results.dataset["deficit"] > ALL_SERVED).any())


def make_page(results: Results, *, kept: Kept | None = None, day: date | None = None) -> Page:
    """Make the page of a result, all of it in both languages."""
    report = _Report(results, kept or Kept(), day or date.today())
    view = report.views["en"]
    choices = {
        "member": {lang: one.member_names for lang, one in report.views.items()},
        "season": {lang: one.season_names for lang, one in report.views.items()},
    }
    attributes = view.dataset.attrs
    return Page(
        title={"en": str(attributes["title"]), "vi": str(attributes["title_vi"])},
        lead=report.lead,
        sections=[section for section in report.sections() if section.blocks],
        choices=choices,
        warnings=report.warnings,
        foot=report.foot,
    )


@dataclass(frozen=True)
class _Report:
    """What the sections of the report are made from."""

    results: Results
    kept: Kept
    day: date

    @cached_property
    def views(self) -> dict[str, View]:
        found: dict[str, Any] = {}
        return {lang: make_view(self.results, lang, found=found) for lang in LANGUAGES}

    @property
    def view(self) -> View:
        return self.views["en"]

    def chart(
        self, name: str, draw: Callable[..., Any], *more: Any, note: str = "", wide: bool = False
    ) -> Figure:
        """A chart in both languages."""
        with debug_mode(False):  # what is drawn here is known to fit the schema
            charts = {lang: draw(view, *more) for lang, view in self.views.items()}
        return Figure(name, charts, say(note) if note else None, wide)

    def table(self, make: Callable[[str], Grid], summary: str = "") -> Table:
        """A table in both languages, folded away where it has a summary."""
        grids = {lang: make(lang) for lang in LANGUAGES}
        return Table(grids, say(summary) if summary else None)

    # --- what it is -------------------------------------------------------------------------

    @property
    def lead(self) -> list[Text]:
        manifest, size = self.results.manifest, self.results.manifest["size"]
        edges = self.view.edges
        digest = hashlib.sha256(json.dumps(manifest["inputs"], sort_keys=True).encode())
        return [
            {
                lang: f"{WORDS['case'][lang]} {manifest['case']} · {WORDS['basin'][lang]} "
                f"{manifest['basin']} · {self.members[lang]} · "
                f"{size['periods']} {WORDS['periods'][lang]}, {date_text(edges[0])[lang]} – "
                f"{date_text(edges[-1] - 1)[lang]}"
                for lang in LANGUAGES
            },
            {
                lang: f"{self.view.dataset.attrs['source']} · {WORDS['made'][lang]} "
                f"{date_text(self.day)[lang]} · {WORDS['inputs'][lang]} "
                f"{digest.hexdigest()[:DIGITS]}"
                for lang in LANGUAGES
            },
        ]

    @cached_property
    def members(self) -> Text:
        """How many members there are."""
        n = len(self.view.members)
        return {
            lang: WORDS["n members"][lang].format(n) if n > 1 else WORDS["one member"][lang]
            for lang in LANGUAGES
        }

    @property
    def warnings(self) -> list[Text]:
        return [WORDS["mended"]] if self.results.manifest.get("mended") else []

    @property
    def foot(self) -> list[Text]:
        manifest = self.results.manifest
        numbers = ", ".join(f"{manifest['certificate'][k]:.0e}" for k in ("primal", "dual", "gap"))
        residual = manifest["balance"]["largest_residual_hm3"]
        return [
            {
                lang: f"{WORDS['certificate'][lang]}: {numbers} · {WORDS['balance'][lang]}: "
                f"{residual:.0e} hm³"
                for lang in LANGUAGES
            }
        ]

    # --- sections ---------------------------------------------------------------------------

    def sections(self) -> Iterator[Section]:
        for name, key, blocks in (
            ("summary", "summary", self.summary()),
            ("allocation", "allocation", self.allocation()),
            ("basin", "basin map", self.basin()),
            ("water", "water", self.water()),
            ("reservoirs", "reservoirs", self.reservoirs()),
            ("rivers", "rivers", self.rivers()),
            ("duration", "duration", self.durations()),
            ("energy", "energy", self.energy()),
            ("rules", "rules", self.rules()),
            ("why", "why", self.why()),
            ("metrics", "metrics", self.metrics()),
            ("figures", "figures", self.figures()),
            ("record", "record", self.record()),
        ):
            yield Section(name, say(key), list(blocks))

    def summary(self) -> Iterator[Block]:
        found = _totals(self.view)
        unit = {"unit": say("per year")}
        cards = [
            (number(found.asked), say("asked", **unit)),
            (number(found.given), say("given", **unit)),
            (_share(found.share), say("served")),
            (number(found.lack), say("lacking", **unit)),
        ]
        if self.view.dataset.sizes.get("plant", 0):
            year = (
                float(self.view.dataset["energy"].sum(["time", "plant"]).mean()) / self.view.years
            )
            cards.append((number(year), say("produced", unit=say("energy per year"))))
        yield Cards(cards)
        yield from map(Paragraph, self._sentences(found))

    def _sentences(self, found: _Totals) -> Iterator[Text]:
        view = self.view
        n = len(view.members)
        users = str(view.dataset.sizes["demand"])
        if not is_short(self.results):
            yield say("all served", users=users, members=self.members)
        else:
            mean = {lang: WORDS["mean"][lang].format(self.members[lang]) for lang in LANGUAGES}
            yield say(
                "some lack", users=users, asked=number(found.asked), given=number(found.given),
                share=_share(found.share), lack=number(found.lack), mean=mean,
            )  # fmt: skip
            if n > 1:
                yield say(
                    "worst member", name=view.members[found.worst],
                    lack=number(found.lacks[found.worst]),
                    share=_share(found.lacks[found.worst] / found.asked_by_member[found.worst]),
                    few=str(int((found.lacks < NEARLY * found.asked_by_member).sum())), all=str(n),
                )  # fmt: skip
            sector, province = (_least_served(self.views, f) for f in ("sector", "province"))
            if sector and province:
                yield say(
                    "worst users", sector=sector[0], sector_share=_share(sector[1]),
                    province=province[0], province_share=_share(province[1]),
                )  # fmt: skip
        yield from self._kept_and_broken()

    def _kept_and_broken(self) -> Iterator[Text]:
        label = self.view.dataset["rule"].values.astype(str)
        kept = self.view.dataset["kept"].values
        names = list(dict.fromkeys(label.tolist()))
        if not names:
            yield say("no rules")
            return
        broken = [name for name in names if not kept[:, label == name].all()]
        if not broken:
            yield say("all kept", all=str(len(names)))
            return
        yield say("rules kept", all=str(len(names)), kept=str(len(names) - len(broken)))
        yield {lang: WORDS["rules broken"][lang].format(", ".join(broken)) for lang in LANGUAGES}

    def allocation(self) -> Iterator[Block]:
        if not self.view.dataset.sizes["demand"]:
            return
        yield self.table(self._allocation_grid)
        yield Figures(
            [
                self.chart("heat", allocation.heat_map, note="note heat", wide=True),
                *([self.chart("deficits", allocation.member_deficits, wide=True)]
                  if self.view.is_ensemble else []),
            ]
        )  # fmt: skip
        yield self.table(self._deficit_grid, "as table")

    def _allocation_grid(self, lang: str) -> Grid:
        frame = tables.allocation_summary(self.results, lang)
        total = tables.WORDS["total"][lang]
        totals = [k for k, label in enumerate(frame.index) if label[-1] == total]
        frame.index = frame.index.map(
            lambda label: (total, "") if label == (total, total) else label
        )
        frame.index.names = [tables.FIELDS[field][lang] for field in ("region", "sector")]
        mean = f", {WORDS['of members'][lang].lower()}" if self.view.is_ensemble else ""
        caption = f"{WORDS['allocation'][lang]}{mean} [{frame.attrs['unit']}]"
        shares = [tables.VALUES["satisfaction"][lang]]
        return grid_of_frame(frame, caption, lang, shares=shares, decimals=1, totals=totals)

    def _deficit_grid(self, lang: str) -> Grid:
        field, _, _ = allocation.provinces(self.view)
        return grid_of_tabulation(tables.tabulate(self.results, (field,), "month", "deficit", lang))

    def basin(self) -> Iterator[Block]:
        charts = [self.chart("schematic", network.schematic, note="note map")]
        if network.has_map(self.view):
            charts.insert(0, self.chart("map", network.basin_map))
        yield Figures(charts)

    def water(self) -> Iterator[Block]:
        yield Figures([self.chart("sankey", sankey.sankey, note="note water", wide=True)])

    def reservoirs(self) -> Iterator[Block]:
        names = rivers.reservoirs_drawn(self.view)
        if names:
            yield from self._traces(
                [self.chart(f"reservoir-{k}", rivers.reservoir, name)
                 for k, name in enumerate(names)],
                len(names), self.view.dataset.sizes["reservoir"],
            )  # fmt: skip

    def rivers(self) -> Iterator[Block]:
        nodes, ratings = rivers.nodes_drawn(self.view), rivers.ratings_drawn(self.view)
        charts = [self.chart(f"level-{k}", rivers.level, name) for k, name in enumerate(ratings)]
        charts += [self.chart(f"flow-{k}", rivers.flow, name) for k, name in enumerate(nodes)]
        if charts:
            yield from self._traces(charts, len(nodes), len(nodes))

    def _traces(self, charts: Sequence[Figure], n: int, n_all: int) -> Iterator[Block]:
        if self.view.is_ensemble:
            yield Paragraph(say("note traces"))
        if n < n_all:
            yield Paragraph(say("only some", n=str(n), all=str(n_all)))
        yield Figures(charts)

    def durations(self) -> Iterator[Block]:
        nodes = rivers.nodes_drawn(self.view)
        if nodes:
            yield Figures(
                [self.chart(f"duration-{k}", rivers.duration, name)
                 for k, name in enumerate(nodes)]
            )  # fmt: skip

    def energy(self) -> Iterator[Block]:
        if not self.view.dataset.sizes.get("plant", 0):
            return
        yield Figures([self.chart("energy", allocation.energy, note="note energy", wide=True)])
        yield self.table(self._energy_grid, "as table")

    def _energy_grid(self, lang: str) -> Grid:
        frame = tables.energy_summary(self.results, lang)
        caption = f"{WORDS['energy'][lang]} [{frame.attrs['unit']}]"
        return grid_of_frame(frame, caption, lang, decimals=1, totals=[len(frame) - 1])

    def rules(self) -> Iterator[Block]:
        if not self.view.dataset.sizes["rule"]:
            return
        yield Figures([self.chart("rules", rules.rules, wide=True)])
        yield self.table(
            lambda lang: grid_of_frame(
                tables.rules_summary(self.results, lang), WORDS["rules table"][lang], lang
            )
        )
        yield Paragraph(say("price note"))
        if len(tables.broken_summary(self.results)):
            yield self.table(
                lambda lang: grid_of_frame(
                    tables.broken_summary(self.results, lang), WORDS["broken table"][lang], lang
                )
            )
        notes = {lang: tables.price_notes(self.results, lang) for lang in LANGUAGES}
        for en, vi in zip(notes["en"], notes["vi"], strict=True):
            yield Paragraph({"en": en, "vi": vi})

    def why(self) -> Iterator[Block]:
        if not is_short(self.results):
            yield Paragraph(say("nobody short"))
        elif self.kept.refused:
            yield Paragraph(self.kept.refused)
        elif self.kept.explanations is None:
            yield Paragraph(say("why not"))
        else:
            yield Paragraph(say("why lead"))
            for k, one in enumerate(self.kept.explanations or ()):
                yield Figures([Figure(f"why-{k}", one.charts, None, True)])
                yield Laid({lang: _lines(said) for lang, said in one.text.items()})

    def metrics(self) -> Iterator[Block]:
        if self.view.dataset.sizes["demand"]:
            table = service_table(self.results.dataset, ("basin", "region", "sector", "province"))
            yield self.table(lambda lang: self._metric_grid(table, lang))
            yield Paragraph(say("metrics note"))

    def _metric_grid(self, table: pd.DataFrame, lang: str) -> Grid:
        view = self.views[lang]
        means = table.groupby(["scope", "name", "metric"], sort=False)["value"].mean()
        rows = [("basin", "all", WORDS["everyone"][lang])]
        for scope in ("region", "sector", "province"):
            found = dict.fromkeys(n for s, n, _ in means.index if s == scope)
            rows += [(scope, name, view.name(scope, name)) for name in found]
        measured = [m for m in SERVICE if ("basin", "all", m) in means.index]
        frame = pd.DataFrame(
            {WORDS[m][lang]: [means.get((s, n, m), np.nan) for s, n, _ in rows] for m in measured},
            index=pd.Index([label for _, _, label in rows], name=WORDS["group"][lang]),
        )
        shares = [WORDS[m][lang] for m in measured if m in SERVICE[:N_SHARES]]
        caption = WORDS["metrics table"][lang]
        return grid_of_frame(frame, caption, lang, shares=shares, decimals=3, totals=[0])

    def figures(self) -> Iterator[Block]:
        if self.kept.sources:
            counts = count_kinds(self.kept.sources)
            if sum(counts.values()):
                yield Paragraph(say("status lead", **{k: str(n) for k, n in counts.items()}))
            yield Markdown(markdown(self.kept.sources), say("sources page"))
        else:
            yield Paragraph(say("no sources"))
        clauses = self.results.manifest["resolved"].get("rules") or ()
        if clauses:
            yield self.table(lambda lang: _rule_sources(clauses, lang))

    def record(self) -> Iterator[Block]:
        yield self.table(self._goal_grid)
        inputs = self.results.manifest["inputs"]
        yield self.table(
            lambda lang: Grid(
                WORDS["files"][lang], (WORDS["file"][lang], WORDS["hash"][lang]),
                tuple(_row(name, digest) for name, digest in inputs.items()), 1, (False, False),
            ),
            "files",
        )  # fmt: skip
        yield Paragraph(say("again"))

    def _goal_grid(self, lang: str) -> Grid:
        """Optimum of each goal; of one that takes several rounds the first."""
        dataset = self.view.dataset
        optima: dict[str, list[tuple[float, str]]] = {}
        for name, value, unit in zip(
            *(dataset[f"stage_{key}"].values for key in ("name", "value", "unit")), strict=True
        ):
            goal, rounds, number = str(name).partition(", round ")
            if not rounds or number == "1":
                optima.setdefault(goal, []).append((float(value), str(unit)))
        rows = tuple(
            _row(
                goal,
                localised(float(np.mean([value for value, _ in of])), 4, lang),
                GOAL_UNITS.get(of[0][1], {}).get(lang) or with_powers(of[0][1]),
            )
            for goal, of in optima.items()
        )
        heads = tuple(WORDS[key][lang] for key in ("goal", "optimum", "unit"))
        return Grid(WORDS["goals"][lang], heads, rows, 1, (False, True, False))


# --- numbers and words ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Totals:
    """What all users ask and are given, a year [hm3].

    Attributes
    ----------
    lacks, asked_by_member : (member)
    worst : place of the member that lacks most
    """

    lacks: np.ndarray
    asked_by_member: np.ndarray

    @property
    def asked(self) -> float:
        return float(self.asked_by_member.mean())

    @property
    def lack(self) -> float:
        return float(self.lacks.mean())

    @property
    def given(self) -> float:
        return self.asked - self.lack

    @property
    def share(self) -> float:
        return self.given / self.asked if self.asked > 0 else 1.0

    @property
    def worst(self) -> int:
        return int(np.argmax(self.lacks))


def _totals(view: View) -> _Totals:
    asked, lack = (
        view.dataset[name].sum(["time", "demand"]).values / view.years
        for name in ("demand_volume", "deficit")
    )
    return _Totals(lack, asked)


def _least_served(views: dict[str, View], field: str) -> tuple[Text, float] | None:
    """The sector or province with the least satisfaction, over all members and periods."""
    dataset = views["en"].dataset
    keys = dataset[field].values.astype(str)
    asked, lack = (
        pd.Series(dataset[name].sum(["member", "time"]).values).groupby(keys).sum()
        for name in ("demand_volume", "deficit")
    )
    here = (asked > 0) & (asked.index != "")
    if not here.any():
        return None
    share = 1.0 - lack[here] / asked[here]
    name = str(share.idxmin())
    return {lang: view.name(field, name) for lang, view in views.items()}, float(share.min())


def _share(value: float) -> Text:
    return {lang: f"{localised(100.0 * value, 1, lang)} %" for lang in LANGUAGES}


def _lines(text: str) -> list[Line]:
    r"""Lines of an explanation below its heading, which is its first line.

    >>> _lines("Ha Noi\nshort\n\n  asked  7.5  what is asked\n")[-1]
    Line(cells=('asked', '7.5', 'what is asked'), depth=1, after_gap=True)
    """
    lines: list[Line] = []
    is_after_gap = False
    for line in with_powers(text).splitlines()[1:]:
        cells = tuple(re.split(r" {2,}", line.strip()))
        if cells != ("",):
            depth = min(2, (len(line) - len(line.lstrip()) + 1) // 2)
            lines.append(Line(cells, depth, is_after_gap))
        is_after_gap = cells == ("",)
    return lines


def _row(*cells: str) -> Row:
    return Row(cells)


def _rule_sources(clauses: Sequence[dict[str, Any]], lang: str) -> Grid:
    rows = tuple(
        _row(str(c.get("name") or c.get("rule")), str(c.get("rule")), str(c.get("source") or ""))
        for c in clauses
    )
    heads = tuple(WORDS[key][lang] for key in ("rule", "kind", "source"))
    return Grid(WORDS["rule sources"][lang], heads, rows, 1, (False, False, False))


def count_kinds(sources: str) -> dict[str, int]:
    r"""Count the rows of a page of sources that say how a figure came about, by what they say.

    Only rows of tables with a column ``status`` count.

    >>> count_kinds("|a|status|\n|---|---|\n|x|stated|\n|y|a stated, b estimate|")
    {'stated': 1, 'derived': 0, 'estimate': 0, 'mixed': 1}
    """
    counts = dict.fromkeys((*KINDS, "mixed"), 0)
    column = None
    for line in sources.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            column = None
        elif "status" in cells:
            column = cells.index("status")
        elif column is not None and column < len(cells):
            said = {kind for kind in KINDS if re.search(rf"\b{kind}s?\b", cells[column])}
            if said:
                counts[said.pop() if len(said) == 1 else "mixed"] += 1
    return counts
