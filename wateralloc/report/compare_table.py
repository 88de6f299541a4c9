"""Tables of a comparison for people: policies in rows, in English or Vietnamese."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.comparison import Comparison
from wateralloc.comparison.figures import ENDS
from wateralloc.errors import listed
from wateralloc.report.cells import cell, decimals_of
from wateralloc.results.store import replacing, write_csv

FILES = {
    "comparison.csv": "policies in rows, figures in columns",
    "figures.csv": "every figure: mean, worst member, change against the reference",
    "by_member.csv": "every figure of each member",
    "differences.csv": "clauses that differ from the reference",
    "comparison.md": "the tables that are printed",
}
"""What is written, and what it holds."""

WORDS = {
    "vi": {
        "policy": "Cơ chế",
        "what it is": "Nội dung",
        "Policies": "Các cơ chế",
        "reference": "cơ chế làm mốc so sánh",
        "members": "kịch bản thủy văn",
        "mean over members": "trung bình các kịch bản thủy văn",
        "Results": "Kết quả",
        "Deficit": "Thiếu hụt",
        "Satisfaction": "Mức đáp ứng",
        "Time reliability": "Độ tin cậy theo thời gian",
        "Worst province": "Tỉnh được đáp ứng thấp nhất",
        "its satisfaction": "Mức đáp ứng của tỉnh đó",
        "Energy": "Điện lượng",
        "Value": "Giá trị",
        "Demand": "Nhu cầu",
        "Spill": "Lượng xả thừa",
        "Outflow of the basin": "Lượng chảy ra khỏi lưu vực",
        "Inequality among regions (Gini)": "Bất bình đẳng giữa các vùng (Gini)",
        "Inequality among provinces (Gini)": "Bất bình đẳng giữa các tỉnh (Gini)",
        "Inequality among sectors (Gini)": "Bất bình đẳng giữa các ngành (Gini)",
        "kept": "giữ được",
        "missed": "thiếu",
        "Storage on": "Dung tích ngày",
        "Volume price": "Giá theo lượng nước",
        "Value price": "Giá theo giá trị",
        "by region and by sector": "theo vùng và theo ngành",
        "Rules of delivery and level, on every policy alike": "Dòng chảy và mực nước phải giữ, đo "
        "như nhau cho mọi cơ chế",
        "Cost to each region: change against": "Cái giá của mỗi vùng: thay đổi so với",
        "Worst member": "Kịch bản bất lợi nhất",
        "member": "kịch bản",
        "Least served province": "Tỉnh được đáp ứng thấp nhất",
        "Each sector: change against": "Từng ngành: thay đổi so với",
        "none: both policies have optima that are alike in it": "không: hai cơ chế có phương án "
        "tối ưu như nhau về lượng này",
        "none": "không",
        "What differs from": "Khác biệt so với",
        "change": "Thay đổi",
        "clause": "Điều khoản",
        "before": "trước",
        "after": "sau",
        "rule": "quy tắc",
        "goal": "mục tiêu",
        "setting": "thiết lập",
        "added": "thêm",
        "removed": "bỏ",
        "changed": "đổi",
        "nothing": "không có gì",
        "whole": "đủ",
        "hm3": "triệu m³",
        "hm3/year": "triệu m³/năm",
        "GWh": "GWh",
        "GWh/year": "GWh/năm",
        "million": "triệu",
        "million/year": "triệu/năm",
        "A study, not an official allocation.": "Kết quả nghiên cứu, không phải phương án phân bổ "
        "chính thức.",
    }
}


TITLES = {
    "deficit": "Deficit", "satisfaction": "Satisfaction", "time_reliability": "Time reliability",
    "worst_province_satisfaction": "Least served province", "energy": "Energy", "value": "Value",
    "volume_price": "Volume price", "value_price": "Value price", "kept": "kept",
    "missed": "missed", "demand": "Demand", "spill": "Spill", "outflow": "Outflow of the basin",
    "gini_among_region": "Inequality among regions (Gini)",
    "gini_among_province": "Inequality among provinces (Gini)",
    "gini_among_sector": "Inequality among sectors (Gini)",
}  # fmt: skip
"""Headings of the measures."""
SHARE = "share"
MIXED = "mixed"
"""Name of a series of numbers in which some are replaced by a word."""
SAME = 1e-6
"""Ends of ranges that differ by less than this [hm3, or hm3 a year] are the same."""
Key = tuple[str, str, str]
"""Measure, scope and name of a figure."""


@dataclass(frozen=True)
class Table:
    """A table, ready to be printed.

    Attributes
    ----------
    shares : columns of fractions, shown as percent
    decimals : of the other columns of numbers
    is_change : it shows changes against the reference
    """

    title: str
    frame: pd.DataFrame
    shares: tuple[str, ...]
    decimals: dict[str, int]
    is_change: bool = False


def words(lang: str) -> Callable[[str], str]:
    """What translates the words of these tables."""
    known = WORDS.get(lang, {})
    return lambda word: known.get(word, word)


def tables(comparison: Comparison, lang: str = "en") -> list[Table]:
    """Every table of a comparison, the policies of each in the order they were named."""
    return _Maker(comparison, lang).tables()


def differing(comparison: Comparison, lang: str = "en") -> list[tuple[str, list[str]]]:
    """One line for each clause in which a policy is not the reference: (policy, lines)."""
    say = words(lang)
    found = []
    for policy in comparison.policies.index:
        if policy == comparison.reference:
            continue
        rows = comparison.differences[comparison.differences["policy"] == policy]
        lines = [
            f"{say(row.change)} {say(row.part)} {row.clause}: "
            + " → ".join(text for text in (row.before, row.after) if text)
            for row in rows.itertuples(index=False)
        ]
        found.append((str(policy), lines or [say("nothing")]))
    return found


def are_alike(least: Any, most: Any, low: Any, high: Any) -> Any:
    """Tell whether two ranges, of which one at least is open, have values in common.

    Parameters
    ----------
    least, most, low, high : ends of the one and of the other, numbers or arrays
    """
    is_open = (most - least > SAME) | (high - low > SAME)
    return is_open & (least <= high + SAME) & (low <= most + SAME)


class _Maker:
    """Makes the tables of a comparison in a language."""

    def __init__(self, comparison: Comparison, lang: str) -> None:
        self.of, self.lang, self.say = comparison, lang, words(lang)
        self.figures = {
            key: rows.set_index("policy")
            for key, rows in comparison.figures.groupby(["measure", "scope", "name"], sort=False)
        }
        known = zip(*(comparison.names[c] for c in ("scope", "name", lang)), strict=True)
        self.names = {(scope, name): word for scope, name, word in known}

    def tables(self) -> list[Table]:
        say = self.say
        n_members = len(self.of.members)
        mean = f", {say('mean over members')}" if n_members > 1 else ""
        made = [self.main(say("Results") + mean)]
        title = say("Rules of delivery and level, on every policy alike") + mean
        made.append(self.by_name(title, [("kept", "yardstick"), ("missed", "yardstick")], "mean"))
        for measure in ("satisfaction", "time_reliability"):
            title = say(TITLES[measure])
            scopes = [(measure, "region"), (measure, "sector")]
            whole = f"{title} {say('by region and by sector')}{mean}"
            made.append(self.by_name(whole, scopes, "mean", is_titled=False))
            regions = (key[2] for key in self.figures if key[:2] == scopes[0])
            made += [self.sectors(f"{title}: ", measure, region, mean) for region in regions]
        if len(self.of.policies) > 1:
            title = f"{say('Cost to each region: change against')} {self.of.reference}"
            made.append(self.changes(title, [("deficit", "region"), ("value", "region")]))
            if any(key[:2] == (f"deficit_{ENDS[0]}", "sector") for key in self.figures):
                title = f"{say('Each sector: change against')} {self.of.reference}"
                made.append(self.changes(title, [("deficit", "sector")]))
        if n_members > 1:
            made.append(self.worst(say("Worst member")))
        return [table for table in made if len(table.frame.columns)]

    def sectors(self, title: str, measure: str, region: str, mean: str) -> Table:
        """Sectors of a region."""
        columns = [
            self.column(key, "mean", self.word("sector", key[2].partition("/")[2]))
            for key in self.figures
            if key[:2] == (measure, "region_sector") and key[2].partition("/")[0] == region
        ]
        return self.table(title + self.word("region", region) + mean, columns)

    def main(self, title: str) -> Table:
        """Figures of the whole basin."""
        columns = []
        for measure in ("deficit", "satisfaction", "time_reliability"):
            columns.append(self.column((measure, "basin", "all"), "mean"))
        province = ("worst_province_satisfaction", "basin", "all")
        columns.append(self.column(province, "mean_of", self.say("Worst province")))
        columns.append(self.column(province, "mean", self.say("its satisfaction")))
        starts = ("energy", "value", "storage_on_", "volume_price")
        rest = [k for k in self.figures if k[0].startswith(starts) and k[1:] == ("basin", "all")]
        return self.table(title, columns + [self.column(key, "mean") for key in rest])

    def by_name(
        self, title: str, of: Sequence[tuple[str, str]], value: str, *, is_titled: bool = True
    ) -> Table:
        """One column for each name of a scope, one measure after another.

        Parameters
        ----------
        of : (measure, scope)
        is_titled : headings name the measure
        """
        columns = []
        for measure, scope in of:
            for key in self.figures:
                if key[:2] == (measure, scope):
                    word = self.word(scope, key[2])
                    heading = f"{word}: {self.heading(key)}" if is_titled else word
                    columns.append(self.column(key, value, heading))
        return self.table(title, columns)

    def changes(self, title: str, of: Sequence[tuple[str, str]]) -> Table:
        """Changes against the reference; the title says what a change that is none means."""
        if any(self.ties(key).any() for key in self.figures if key[:2] in of):
            title += f" ({self.say('none: both policies have optima that are alike in it')})"
        return replace(self.by_name(title, of, "change"), is_change=True)

    def ties(self, key: Key) -> pd.Series:
        """Policies whose figure, at some optimum, is the reference's at some optimum of it.

        That is so where the ranges that the goals leave open overlap; one without ranges has its
        value alone.  Where nothing is left open a figure is what it is, and no tie.
        """
        index = self.of.policies.index
        of_ends = (self.figures.get((f"{key[0]}_{end}", *key[1:])) for end in ENDS)
        ends = [rows for rows in of_ends if rows is not None]
        if key not in self.figures or len(ends) < len(ENDS):
            return pd.Series(False, index)
        value = self.figures[key]["mean"].reindex(index)
        least, most = (rows["mean"].reindex(index).fillna(value) for rows in ends)
        low, high = least[self.of.reference], most[self.of.reference]
        return are_alike(least, most, low, high) & (index != self.of.reference)

    def worst(self, title: str) -> Table:
        """Worst value of any member, and which it is."""
        columns = []
        for measure in ("deficit", "satisfaction", "worst_province_satisfaction", "energy"):
            key = (measure, "basin", "all")
            if key not in self.figures:
                continue
            columns.append(self.column(key, "worst"))
            title_of = f"{self.say(TITLES[measure])}: {self.say('member')}"
            name, series = self.column(key, "worst_member", title_of)
            if measure == "worst_province_satisfaction":
                series = self.column(key, "worst_of")[1].str.cat(series, sep=", ")
            columns.append((name, series))
        return self.table(title, columns)

    def column(self, key: Key, value: str, heading: str = "") -> tuple[str, pd.Series]:
        """Heading, and values of a figure by policy; a share is known by the name of the series."""
        rows = self.figures.get(key)
        index = self.of.policies.index
        if rows is None:
            return heading or self.heading(key), pd.Series(np.nan, index)
        column = rows[value].reindex(index)
        is_share = value in ("mean", "worst", "change") and (rows["unit"] == "1").all()
        if value.endswith("_of"):
            empty = self.say("whole")
            named = [self.word("province", of) if of else empty for of in column.fillna("")]
            column = pd.Series(named, index, dtype=object)
        name = SHARE if is_share else None
        ties = self.ties(key) if value == "change" else None
        if ties is not None and ties.any():
            column, name = column.astype(object).mask(ties, self.say("none")), MIXED
        return heading or self.heading(key), column.rename(name)

    def table(self, title: str, columns: Sequence[tuple[str, pd.Series]]) -> Table:
        """Table of the columns that have a value."""
        kept = {heading: column for heading, column in columns if column.notna().any()}
        frame = pd.DataFrame(kept, index=self.of.policies.index)
        frame.index.name = self.say("policy")
        shares = tuple(h for h, column in kept.items() if column.name == SHARE)
        decimals = {
            h: decimals_of(pd.to_numeric(column, errors="coerce"))
            for h, column in kept.items()
            if h not in shares and (pd.api.types.is_numeric_dtype(column) or column.name == MIXED)
        }
        return Table(title, frame, shares, decimals)

    def heading(self, key: Key) -> str:
        """Title of a figure with its unit."""
        measure = key[0]
        unit = self.figures[key]["unit"].iloc[0] if key in self.figures else "1"
        if measure.startswith("storage_on_"):
            title = f"{self.say('Storage on')} {self.day(measure.removeprefix('storage_on_'))}"
        else:
            title = self.say(TITLES[measure])
        return title + ("" if unit == "1" else f", {self.say(unit)}")

    def word(self, scope: str, name: str) -> str:
        return self.names.get((scope, name)) or name

    def day(self, date: str) -> str:
        month, day = date.split("-")
        return f"{day}/{month}" if self.lang == "vi" else date


# --- files --------------------------------------------------------------------------------------


def write(comparison: Comparison, folder: Path, lang: str = "en") -> None:
    """Write the files of a comparison into a folder; those of the same names are replaced."""
    frames = {
        "comparison.csv": comparison.table().rename_axis("policy").reset_index(),
        "figures.csv": comparison.figures,
        "by_member.csv": comparison.by_member,
        "differences.csv": comparison.differences,
    }
    for name, frame in frames.items():
        with replacing(folder / name) as path:
            write_csv(path, frame)
    with replacing(folder / "comparison.md") as path:
        path.write_text(markdown(comparison, lang), encoding="utf-8")


def markdown(comparison: Comparison, lang: str = "en") -> str:
    """All tables as Markdown."""
    say = words(lang)
    text = f"# {say('Policies')}\n\n"
    titles = comparison.policies[f"title_{lang}"]
    text += grid([say("policy"), say("what it is")], [[p, t] for p, t in titles.items()])
    text += f"\n{summary(comparison, lang)}\n"
    for table in tables(comparison, lang):
        text += f"\n## {table.title}\n\n{grid_of(table)}"
    found = differing(comparison, lang)
    if found:
        text += f"\n## {say('What differs from')} {comparison.reference}\n"
    for policy, lines in found:
        text += f"\n**{policy}**\n\n" + "".join(f"- {line}\n" for line in lines)
    return text


def summary(comparison: Comparison, lang: str = "en") -> str:
    """What is compared with what, in one line."""
    say = words(lang)
    members = comparison.members
    return (
        f"{say('reference')}: {comparison.reference} · {say('members')}: {len(members)} "
        f"({listed(members, 4)}). {say('A study, not an official allocation.')}"
    )


def grid_of(table: Table) -> str:
    """A table as Markdown."""
    head = [str(table.frame.index.name), *table.frame.columns]
    rows = [
        [
            str(label),
            *(
                cell(v, table.decimals.get(h), is_share=h in table.shares)
                for h, v in zip(table.frame.columns, row, strict=True)
            ),
        ]
        for label, row in zip(table.frame.index, table.frame.itertuples(index=False), strict=True)
    ]
    is_number = (h in table.decimals or h in table.shares for h in table.frame.columns)
    return grid(head, rows, ["---", *("---:" if number else "---" for number in is_number)])


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], sides: Sequence[str] = ()) -> str:
    """Rows of words as Markdown."""
    lines = [head, list(sides) or ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(word.replace("|", "\\|") for word in line) + " |\n" for line in lines
    )
