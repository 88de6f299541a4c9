"""The report of a comparison: policies side by side in one file, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from altair.utils.schemapi import debug_mode

from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.report import attribution_table, compare_table
from wateralloc.report.cells import cell
from wateralloc.report.charts import policies
from wateralloc.report.charts.shortage import divided
from wateralloc.report.charts.sides import Sides
from wateralloc.report.page.comparison_words import WORDS, say
from wateralloc.report.page.model import (
    Block,
    Cards,
    Figure,
    Figures,
    Grid,
    Legend,
    Page,
    Paragraph,
    Row,
    Section,
    Sign,
    Table,
    Text,
    date_text,
    number,
    same,
)
from wateralloc.report.page.render import library, render
from wateralloc.report.table_files import localised
from wateralloc.report.tables import LANGUAGES
from wateralloc.results.store import replacing

if TYPE_CHECKING:
    from wateralloc.comparison import Comparison
    from wateralloc.comparison.attribution import Attribution

ENDINGS = (".html", ".htm")
DEFICIT, ENERGY = ("deficit", "basin", "all"), ("energy", "basin", "all")
SAME = 1e-6
"""A change up to this is none."""
UNFOLDED = 3
"""Policies beside the reference up to which all that differs is shown at once."""
MOST_DIVIDED = 8
"""Figures whose change is drawn clause by clause."""


def check_path(path: Path) -> None:
    """Check that a report can be written under a name.

    Raises
    ------
    InputError
        It ends otherwise than a page.
    """
    if path.suffix.lower() not in ENDINGS:
        said = f"ends in '{path.suffix}'" if path.suffix else "has no ending"
        text = f"a report is one HTML file but its name {said}; end it in .html"
        raise InputError([Fault(Position(shown(path)), "E107", text)])


def write(
    comparison: Comparison,
    path: Path | str,
    lang: str = "en",
    *,
    attribution: Attribution | None = None,
    day: date | None = None,
) -> Path:
    """Write the report of a comparison, one file that needs no network.

    Parameters
    ----------
    path : of the file, ends in .html
    lang : shown first; the page has both languages
    attribution : which clause made the difference between two of the policies
    day : on which it is made; default: today

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The path ends otherwise.
    OSError
        It cannot be written.

    Examples
    --------
    >>> from wateralloc.report.page import comparison
    >>> of = wateralloc.compare(["baseline", "pilot_sharing"])  # doctest: +SKIP
    >>> comparison.write(of, "policies.html", "vi")  # doctest: +SKIP
    """
    path = Path(path)
    check_path(path)
    with ThreadPoolExecutor(1) as beside:
        scripts = beside.submit(library)  # which takes as long as the page
        page = make_page(comparison, attribution=attribution, day=day)
        text = render(page, lang, scripts.result())
    with replacing(path) as written:
        written.write_text(text, encoding="utf-8")
    return path


def make_page(
    comparison: Comparison, *, attribution: Attribution | None = None, day: date | None = None
) -> Page:
    """Make the page of a comparison, all of it in both languages."""
    report = _Report(comparison, attribution, day or date.today())
    return Page(
        title=WORDS["title"],
        lead=report.lead,
        sections=[section for section in report.sections() if section.blocks],
        choices={
            "policy": {lang: sides.policy_names for lang, sides in report.sides.items()},
            "member": {lang: sides.member_names for lang, sides in report.sides.items()},
        },
        warnings=report.warnings,
        foot=[WORDS["study only"]],
    )


@dataclass(frozen=True)
class _Report:
    """What the sections of the report are made from."""

    comparison: Comparison
    attribution: Attribution | None
    day: date

    @cached_property
    def sides(self) -> dict[str, Sides]:
        return {lang: Sides(self.comparison, lang) for lang in LANGUAGES}

    @property
    def one(self) -> Sides:
        """In any language."""
        return self.sides["en"]

    @property
    def reference(self) -> str:
        return self.comparison.reference

    def chart(
        self, name: str, draw: Callable[..., Any], *more: Any, note: Text | None = None,
        wide: bool = False,
    ) -> Figure:  # fmt: skip
        """A chart in both languages."""
        with debug_mode(False):  # what is drawn here is known to fit the schema
            charts = {lang: draw(sides, *more) for lang, sides in self.sides.items()}
        return Figure(name, charts, note, wide)

    def unit(self, key: compare_table.Key) -> Text:
        return {lang: sides.unit(sides.units[key]) for lang, sides in self.sides.items()}

    def means(self, key: compare_table.Key) -> pd.Series:
        """Mean of a figure by policy."""
        values = self.one.values(key)
        return pd.Series({policy: of[0] for policy, of in values.items()}, dtype=float)

    # --- what it is -------------------------------------------------------------------------

    @property
    def lead(self) -> list[Text]:
        courses, edges = self.comparison.courses, self.one.edges
        n = len(self.comparison.members)
        members = say("1 member") if n == 1 else say("n members", n=str(n))
        return [
            say(
                "lead", basin=courses.attrs["basin"], policies=str(len(self.one.policies)),
                members=members, periods=str(edges.size - 1),
                first=date_text(edges[0]), last=date_text(edges[-1] - 1),
            ),
            say(
                "made", source=courses.attrs["source"], day=date_text(self.day),
                reference=self.reference,
            ),
        ]  # fmt: skip

    @property
    def warnings(self) -> list[Text]:
        table = self.comparison.policies
        mended = [str(name) for name in table.index[table["mended"]]]
        return [say("mended", ", ".join(mended))] if mended else []

    @property
    def legend(self) -> Legend:
        return Legend(
            [
                Sign(
                    name + (" ★" if name == self.reference else ""),
                    look.colour, look.dash, look.shape, look.width,
                )
                for name, look in self.one.looks.items()
            ]
        )  # fmt: skip

    # --- sections ---------------------------------------------------------------------------

    def sections(self) -> Iterator[Section]:
        for name, blocks in (
            ("summary", self.summary()),
            ("served", self.served()),
            ("changes", self.changes()),
            ("trade", self.trade()),
            ("members", self.members()),
            ("reservoirs", self.reservoirs()),
            ("rivers", self.rivers()),
            ("rules", self.rules()),
            ("clauses", self.clauses()),
            ("why", self.why()),
            ("tables", self.tables()),
        ):
            yield Section(name, WORDS[name], list(blocks))

    def summary(self) -> Iterator[Block]:
        yield Cards(list(self._cards()))
        yield from map(Paragraph, self._sentences())
        yield Table({lang: self._policy_grid(lang) for lang in LANGUAGES})

    def _cards(self) -> Iterator[tuple[Text, Text]]:
        yield same(str(len(self.one.policies))), WORDS["n policies"]
        if self.one.has(DEFICIT):
            deficit, unit = self.means(DEFICIT), self.unit(DEFICIT)
            base = deficit[self.reference]
            yield number(base), say("base deficit", policy=self.reference, unit=unit)
            least = str(deficit.idxmin())
            yield number(deficit[least]), say("least deficit", policy=least, unit=unit)
        if self.one.has(ENERGY):
            energy, unit = self.means(ENERGY), self.unit(ENERGY)
            for key, policy in (("most", energy.idxmax()), ("least", energy.idxmin())):
                label = say(f"{key} energy", policy=str(policy), unit=unit)
                yield number(energy[policy]), label

    def _sentences(self) -> Iterator[Text]:
        if self.one.has(DEFICIT):
            yield self._deficits()
            yield from self._regions()
            if self.one.is_ensemble:
                yield self._worst()
        front = self._front()
        if front is not None:
            yield front
        if self.one.is_ensemble:
            key = "means" if self.one.chosen_from else "means only"
            yield say(key, str(len(self.comparison.members)))

    def _deficits(self) -> Text:
        deficit, unit = self.means(DEFICIT), self.unit(DEFICIT)
        least, most = str(deficit.idxmin()), str(deficit.idxmax())
        if deficit[most] - deficit[least] <= SAME:
            return say("same deficit", value=number(deficit[least]), unit=unit)
        return say(
            "deficits", least=least, low=number(deficit[least]), unit=unit, most=most,
            high=number(deficit[most]), reference=self.reference,
            base=number(deficit[self.reference]),
        )  # fmt: skip

    def _regions(self) -> Iterator[Text]:
        """What each region wins and loses."""
        for name in self.one.names("deficit", "region"):
            key = ("deficit", "region", name)
            change = self.means(key) - self.means(key)[self.reference]
            change = change.drop(self.reference)
            if change.empty or change.abs().max() <= SAME:
                continue
            least, most = str(change.idxmin()), str(change.idxmax())
            yield say(
                "region", region=self._words("region", name), reference=self.reference,
                least=least, low=_change(change[least]), unit=self.unit(key), most=most,
                high=_change(change[most]),
            )  # fmt: skip

    def _words(self, scope: str, name: str) -> Text:
        return {lang: sides.word(scope, name) for lang, sides in self.sides.items()}

    def _worst(self) -> Text:
        rows = self.comparison.figures
        of_basin = (rows["measure"] == DEFICIT[0]) & (rows["scope"] == DEFICIT[1])
        worst = rows[of_basin].set_index("policy")
        least, most = str(worst["worst"].idxmin()), str(worst["worst"].idxmax())
        return say(
            "worst", least=least, low=number(worst.at[least, "worst"]), unit=self.unit(DEFICIT),
            member=str(worst.at[least, "worst_member"]), most=most,
            high=number(worst.at[most, "worst"]), other=str(worst.at[most, "worst_member"]),
        )  # fmt: skip

    def _front(self) -> Text | None:
        """Policies that no other outdoes in the two measures that are drawn first."""
        of = {lang: policies.measures(sides) for lang, sides in self.sides.items()}
        if len(of["en"]) < 2 or len(self.one.policies) < 2:
            return None
        first = policies.first_choice(of["en"])
        across, up = (of["en"][first[axis]] for axis in ("across", "up"))
        titles: dict[str, Text] = {
            axis: {lang: of[lang][place].title.lower() for lang in LANGUAGES}
            for axis, place in first.items()
        }
        return say("front", policies=", ".join(policies.undominated(across, up)), **titles)

    def _policy_grid(self, lang: str) -> Grid:
        sides, titles = self.sides[lang], self.comparison.policies[f"title_{lang}"]
        keys = [key for key in (DEFICIT, ENERGY) if sides.has(key)]
        heads = [WORDS[key][lang] for key in ("policy", "what it is")]
        heads += [f"{sides.title(key[0])}, {sides.unit(sides.units[key])}" for key in keys]
        counts = self.comparison.differences.groupby("policy").size()
        rows = []
        for policy in sides.policies:
            numbers = [self._with_change(key, policy, lang) for key in keys]
            is_base = policy == self.reference
            count = WORDS["reference"][lang] if is_base else str(counts.get(policy, 0))
            rows.append(Row((policy, str(titles[policy]), *numbers, count)))
        heads.append(WORDS["differing"][lang])
        numeric = (False, False, *[True] * (len(keys) + 1))
        notes = (WORDS["note tables"][lang].format(self.reference),)
        caption = WORDS["n policies"][lang].capitalize()
        return Grid(caption, tuple(heads), tuple(rows), 1, numeric, notes, is_prose=True)

    def _with_change(self, key: compare_table.Key, policy: str, lang: str) -> str:
        values = self.means(key)
        text = number(values[policy])[lang]
        if policy == self.reference:
            return text
        return f"{text} ({_change(values[policy] - values[self.reference])[lang]})"

    def served(self) -> Iterator[Block]:
        scopes = [scope for scope in ("region", "sector") if self.one.names("satisfaction", scope)]
        if scopes:
            yield Paragraph(WORDS["note served"])
            yield self.legend
            yield Figures([self.chart(f"served-{s}", policies.served, s) for s in scopes])

    def changes(self) -> Iterator[Block]:
        if not self.one.others or not self.one.has(DEFICIT):
            return
        scope, names = policies.places_changed(self.one)
        if names:
            note = say("note changes", self.reference)
            yield Figures([self.chart("changes", policies.changes, note=note, wide=True)])
        else:
            place = WORDS["province" if scope == "province" else "region name"]
            yield Paragraph(say("no changes", place=place, reference=self.reference))
        yield from self._tables(lambda table: table.is_change)

    def trade(self) -> Iterator[Block]:
        of = {lang: policies.measures(sides) for lang, sides in self.sides.items()}
        if len(of["en"]) < 2 or len(self.one.policies) < 2:
            return
        figure = self.chart("trade", policies.trade_off, note=WORDS["note trade"], wide=True)
        names = {lang: [measure.name for measure in of[lang]] for lang in LANGUAGES}
        yield Figures(
            [
                Figure(
                    figure.name, figure.charts, figure.note, figure.is_wide,
                    {"across": names, "up": names}, policies.first_choice(of["en"]),
                )
            ]
        )  # fmt: skip

    def members(self) -> Iterator[Block]:
        if self.one.is_ensemble and self.one.has(DEFICIT):
            yield self.legend
            note = WORDS["note exceedance"]
            yield Figures([self.chart("exceedance", policies.exceedance, note=note, wide=True)])

    def reservoirs(self) -> Iterator[Block]:
        names = policies.reservoirs_drawn(self.one)
        whole = [self.chart("storage", policies.storage)] if len(names) > 1 else []
        charts = [self.chart(f"storage-{k}", policies.storage, n) for k, n in enumerate(names)]
        yield from self._courses([*whole, *charts], len(names), "reservoir")

    def rivers(self) -> Iterator[Block]:
        names = policies.nodes_drawn(self.one)
        charts = [self.chart(f"flow-{k}", policies.flow, name) for k, name in enumerate(names)]
        yield from self._courses(charts, len(names), "node")

    def _courses(self, charts: Sequence[Figure], n: int, dim: str) -> Iterator[Block]:
        if not charts:
            return
        if self.one.is_ensemble:
            yield Paragraph(WORDS["note courses"])
        n_all = self.comparison.courses.sizes[dim]
        if n < n_all:
            yield Paragraph(say("only some", n=str(n), all=str(n_all)))
        yield self.legend
        yield Figures(charts)

    def rules(self) -> Iterator[Block]:
        charts = []
        if self.one.names("kept", "yardstick"):
            charts.append(self.chart("yardsticks", policies.yardsticks, wide=True))
        if len(self.comparison.rules):
            note = WORDS["note rules"]
            charts.append(self.chart("rules", policies.rules, note=note, wide=True))
        if charts:
            yield Figures(charts)

    def clauses(self) -> Iterator[Block]:
        for policy in self.one.others:
            rows = self.comparison.differences
            here = rows[rows["policy"] == policy]
            if here.empty:
                yield Paragraph(say("nothing differs", policy))
            else:
                grids = {lang: self._clause_grid(lang, here, policy) for lang in LANGUAGES}
                summary = say("n clauses", policy, str(len(here)))
                yield Table(grids, summary if len(self.one.others) > UNFOLDED else None)

    def _clause_grid(self, lang: str, rows: pd.DataFrame, policy: str) -> Grid:
        words = compare_table.words(lang)
        heads = (
            *(WORDS[key][lang] for key in ("part", "clause", "change")),
            WORDS["before"][lang].format(self.reference), WORDS["after"][lang],
        )  # fmt: skip
        cells = tuple(
            Row((words(row.part), row.clause, words(row.change), row.before, row.after))
            for row in rows.itertuples(index=False)
        )
        return Grid(policy, heads, cells, 3, (False,) * len(heads), is_prose=True)

    def why(self) -> Iterator[Block]:
        of = self.attribution
        if of is None:
            return
        yield Paragraph(self._both(attribution_table.title, of))
        yield Paragraph(self._both(attribution_table.summary, of))
        if not of.names_of_clauses:
            return
        yield Paragraph(WORDS["why note"])
        joined = {lang: attribution_table.joined(of, lang) for lang in LANGUAGES}
        for en, vi in zip(joined["en"], joined["vi"], strict=True):
            yield Paragraph({"en": en, "vi": vi})
        yield Figures(list(self._divided(of)))
        tables = {lang: attribution_table.tables(of, lang) for lang in LANGUAGES}
        for of_en, of_vi in zip(tables["en"], tables["vi"], strict=True):
            grids = {"en": self._plain_grid(of_en, "en"), "vi": self._plain_grid(of_vi, "vi")}
            yield Table(grids, {"en": of_en.title, "vi": of_vi.title})

    def _both(self, tell: Callable[[Attribution, str], str], of: Attribution) -> Text:
        return {lang: tell(of, lang) for lang in LANGUAGES}

    def _divided(self, of: Attribution) -> Iterator[Figure]:
        """Waterfalls of the figures of the basin and of regions that change."""
        clauses = of.names_of_clauses
        table = of.table
        changed = table[[*clauses, "total"]].abs().max(axis=1) > SAME
        drawn = table[table["scope"].isin(["basin", "region"]) & (table["unit"] != "1") & changed]
        for row in drawn.head(MOST_DIVIDED).index:
            at = table.loc[row]
            shares = [float(at[clause]) for clause in clauses]
            errors = [float(error) for error in of.errors.loc[row]]
            charts = {}
            for lang, sides in self.sides.items():
                headings = attribution_table.headings(of, lang)
                labels = [*(headings[clause] for clause in clauses), WORDS["total"][lang]]
                where = "" if at["scope"] == "basin" else f": {sides.word('region', at['name'])}"
                unit = sides.unit(at["unit"])
                title = f"{sides.title(at['measure'])}{where} [{unit}]"
                charts[lang] = divided(title, unit, labels, shares, errors, lang)
            yield Figure(f"why-{row}", charts)

    def tables(self) -> Iterator[Block]:
        yield Paragraph(say("note tables", self.reference))
        yield from self._tables(lambda table: not table.is_change)

    def _tables(self, wanted: Callable[[compare_table.Table], bool]) -> Iterator[Block]:
        made = {
            lang: [table for table in compare_table.tables(self.comparison, lang) if wanted(table)]
            for lang in LANGUAGES
        }
        for en, vi in zip(made["en"], made["vi"], strict=True):
            yield Table({"en": self._turned_grid(en, "en"), "vi": self._turned_grid(vi, "vi")})

    def _turned_grid(self, table: compare_table.Table, lang: str) -> Grid:
        """A table of a comparison with the policies as columns, and what differs in brackets."""
        rows = tuple(
            Row((name, *self._texts(table, name, lang, with_change=not table.is_change)))
            for name in table.frame.columns
        )
        heads = (WORDS["figure"][lang], *map(str, table.frame.index))
        numeric = (False, *[True] * len(table.frame.index))
        return Grid(table.title, heads, rows, 1, numeric)

    def _texts(
        self, table: compare_table.Table, name: str, lang: str, *, with_change: bool
    ) -> list[str]:
        """Values of a column of a table as text."""
        column, is_share = table.frame[name], name in table.shares
        places = table.decimals.get(name)
        texts = [_cell(value, places, lang, is_share=is_share) for value in column]
        is_number = is_share or pd.api.types.is_numeric_dtype(column)
        if not (with_change and is_number and self.reference in column.index):
            return texts
        base = column[self.reference]
        scale, decimals = (100.0, 1) if is_share else (1.0, places if places is not None else 1)
        return [
            text if policy == self.reference or np.isnan(value - base)
            else f"{text} ({_signed(scale * (value - base), decimals, lang)})"
            for policy, value, text in zip(column.index, column, texts, strict=True)
        ]  # fmt: skip

    def _plain_grid(self, table: compare_table.Table, lang: str) -> Grid:
        """A table as it is printed."""
        frame = table.frame
        columns = [
            [
                _cell(value, table.decimals.get(str(name)), lang, is_share=name in table.shares)
                for value in frame.iloc[:, k]
            ]
            for k, name in enumerate(frame.columns)
        ]
        rows = tuple(
            Row((str(label), *(column[k] for column in columns)))
            for k, label in enumerate(frame.index)
        )
        heads = (str(frame.index.name), *map(str, frame.columns))
        return Grid(table.title, heads, rows, 1, (False, *[True] * len(frame.columns)))


# --- numbers and words ------------------------------------------------------------------------


def _change(value: float) -> Text:
    decimals = 0 if abs(value) >= 1000 else 1
    return {lang: _signed(value, decimals, lang) for lang in LANGUAGES}


def _signed(value: float, decimals: int, lang: str) -> str:
    """A change with its sign; one that rounds to nothing has none.

    >>> _signed(1234.56, 1, "vi"), _signed(-0.5, 1, "en"), _signed(-0.01, 1, "en")
    ('+1.234,6', '−0.5', '0.0')
    """
    size = localised(abs(value), decimals, lang)
    if not size.strip("0.,"):
        return size
    return f"+{size}" if value > 0 else f"−{size}"


def _cell(value: Any, decimals: int | None, lang: str, *, is_share: bool) -> str:
    """A value of a table as people of a language read it."""
    if isinstance(value, str) or is_share or decimals is None:
        text = cell(value, decimals, is_share=is_share)
        return text if isinstance(value, str) or lang == "en" else text.replace(".", ",")
    size = localised(abs(value), decimals, lang)
    return f"−{size}" if value < 0 and size.strip("0.,") else size
