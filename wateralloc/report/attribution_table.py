"""Tables of which clause made the difference: figures in rows, clauses in columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from wateralloc.comparison.attribution import Attribution
from wateralloc.comparison.clauses import JOINED
from wateralloc.errors import listed
from wateralloc.report import compare_table
from wateralloc.report.cells import decimals_of
from wateralloc.report.compare_table import TITLES, Table, grid_of
from wateralloc.results.store import replacing, write_csv

FILES = {
    "attribution.csv": "the change of every figure, divided over the clauses that differ",
    "attribution.md": "the same, as it is printed",
}
"""What is written, and what it holds."""
ERROR = "standard_error."
"""Start of the columns of standard errors."""

WORDS = {
    "vi": {
        "Which clause made the difference": "Điều khoản nào tạo ra khác biệt",
        "change": "thay đổi",
        "standard error": "sai số chuẩn",
        "figure": "Chỉ tiêu",
        "whole basin": "toàn lưu vực",
        "total": "Tổng",
        "from": "từ",
        "to": "đến",
        "no clause differs": "không có điều khoản nào khác nhau",
        "exact, combinations of clauses that were solved": "tính chính xác, số tổ hợp điều khoản "
        "đã giải",
        "sampled, combinations of clauses that were solved": "tính theo mẫu, số tổ hợp điều khoản "
        "đã giải",
        "orders": "số thứ tự đã lấy",
        "seed": "hạt giống ngẫu nhiên",
        "Taken as one": "Gộp làm một",
    }
}
"""What these tables say beside the words of a comparison."""


def words(lang: str) -> Callable[[str], str]:
    """What translates the words of these tables."""
    own, others = WORDS.get(lang, {}), compare_table.words(lang)
    return lambda word: own.get(word) or others(word)


def title(attribution: Attribution, lang: str = "en") -> str:
    """What is divided, in one line."""
    say = words(lang)
    return (
        f"{say('Which clause made the difference')}: {say('from')} {attribution.reference} "
        f"{say('to')} {attribution.policy}"
    )


def summary(attribution: Attribution, lang: str = "en") -> str:
    """How it was divided, in one line."""
    say = words(lang)
    if not attribution.names_of_clauses:
        return say("no clause differs")
    kind = "sampled" if attribution.orders else "exact"
    text = f"{say(f'{kind}, combinations of clauses that were solved')}: {attribution.solved}"
    if attribution.orders:
        text += f" · {say('orders')}: {attribution.orders} · {say('seed')}: {attribution.seed}"
    members = attribution.members
    return f"{text} · {say('members')}: {len(members)} ({listed(members, 4)})"


def joined(attribution: Attribution, lang: str = "en") -> list[str]:
    """Clauses that were taken as one, a line each."""
    say = words(lang)
    named = headings(attribution, lang)
    return [
        f"{say('Taken as one')}: {named[clause]}"
        for clause, rows in attribution.clauses.groupby("clause", sort=False)
        if len(rows) > 1
    ]


def tables(attribution: Attribution, lang: str = "en") -> list[Table]:
    """One table a measure, and one of its standard errors where it is sampled."""
    say = words(lang)
    clauses = attribution.names_of_clauses
    mean = f", {say('mean over members')}" if len(attribution.members) > 1 else ""
    named = headings(attribution, lang) | {"total": say("total")}
    made = []
    for measure, rows in attribution.table.groupby("measure", sort=False) if clauses else ():
        unit = rows["unit"].iloc[0]
        is_share = unit == "1"
        name = say(TITLES[measure]) + ("" if is_share else f", {say(unit)}")
        index = pd.Index(_rows(rows, attribution, lang), name=say("figure"))
        parts = {"change": rows[[*clauses, "total"]]}
        if attribution.orders:
            parts["standard error"] = attribution.errors.loc[rows.index]
        for what, values in parts.items():
            frame = values.set_axis(index).rename(columns=named)
            shares = tuple(frame.columns) if is_share else ()
            decimals = decimals_of(frame.to_numpy(float).ravel())
            places = {} if is_share else dict.fromkeys(map(str, frame.columns), decimals)
            made.append(Table(f"{name}: {say(what)}{mean}", frame, shares, places))
    return made


def _rows(rows: pd.DataFrame, attribution: Attribution, lang: str) -> list[str]:
    known = zip(*(attribution.names[c] for c in ("scope", "name", lang)), strict=True)
    names = {(scope, name): word for scope, name, word in known}
    whole = words(lang)("whole basin")
    return [
        whole if scope == "basin" else names.get((scope, name)) or name
        for scope, name in zip(rows["scope"], rows["name"], strict=True)
    ]


def headings(attribution: Attribution, lang: str) -> dict[str, str]:
    """How each clause is called in a language."""
    say = words(lang)
    return {
        str(clause): JOINED.join(
            f"{say('goal')} {row.item}" if row.part == "goal" else row.item
            for row in rows.itertuples(index=False)
        )
        for clause, rows in attribution.clauses.groupby("clause", sort=False)
    }


def frame_of(attribution: Attribution) -> pd.DataFrame:
    """The table with its standard errors beside it, as it is written."""
    if not attribution.orders:
        return attribution.table
    return attribution.table.join(attribution.errors.add_prefix(ERROR))


def markdown(attribution: Attribution, lang: str = "en") -> str:
    """All tables as Markdown."""
    text = f"# {title(attribution, lang)}\n\n{summary(attribution, lang)}\n"
    text += "".join(f"\n{line}\n" for line in joined(attribution, lang))
    for table in tables(attribution, lang):
        text += f"\n## {table.title}\n\n{grid_of(table)}"
    return text


def write(attribution: Attribution, folder: Path, lang: str = "en") -> None:
    """Write the files of an attribution into a folder; those of the same names are replaced."""
    with replacing(folder / "attribution.csv") as path:
        write_csv(path, frame_of(attribution))
    with replacing(folder / "attribution.md") as path:
        path.write_text(markdown(attribution, lang), encoding="utf-8")
