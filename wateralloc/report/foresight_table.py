"""Tables of the value of foresight for people: ways in rows, in English or Vietnamese."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from wateralloc.comparison.foresight import ValueOfForesight
from wateralloc.errors import listed
from wateralloc.report import compare_table
from wateralloc.report.cells import cell, decimals_of
from wateralloc.report.compare_table import SHARE, Table
from wateralloc.results.store import replacing, write_csv

FILES = {
    "ways.csv": "ways of looking ahead, and why one has no result",
    "goals.csv": "every goal in every way: value, and regret",
    "by_member.csv": "the same of each member",
    "rules.csv": "what each way misses of each rule",
    "figures.csv": "deficits, energy and storage, and their change against perfect foresight",
    "trust.csv": "figures, and what of them under perfect foresight is owed to it",
    "skill.csv": "how good the forecasts are, by lead and node",
    "foresight.md": "the tables that are printed",
}
"""What is written, and what it holds."""

WORDS = {
    "vi": {
        "Ways of looking ahead": "Các cách nhìn trước",
        "way": "Cách",
        "what it is": "Nội dung",
        "no result": "không có kết quả",
        "Goals, in their order": "Mục tiêu, theo thứ tự",
        "Regret: by how much worse than had all been known, with as much left in store": "Mức hối "
        "tiếc: kém bao nhiêu so với khi biết trước tất cả mà cuối kỳ trữ lại bằng nhau",
        "Rules missed": "Quy tắc không giữ được",
        "Deficit by region and by sector": "Thiếu hụt theo vùng và theo ngành",
        "Energy, storage and worth": "Điện lượng, dung tích và giá trị",
        "What is not to be trusted in perfect foresight": "Những gì không nên tin ở kết quả biết "
        "trước tất cả",
        "Skill of forecasts of all inflow, against climatology, by periods ahead": "Kỹ năng dự báo "
        "tổng dòng chảy so với trung bình nhiều năm, theo số thời đoạn trước",
        "figure": "Chỉ tiêu",
        "perfect": "biết trước",
        "nearest way that does not know": "cách gần nhất không biết trước",
        "its value": "giá trị của nó",
        "owed to foresight": "nhờ biết trước",
        "at most": "nhiều nhất",
        "forecast": "Dự báo",
        "broken": "bị vi phạm",
        "members": "kịch bản thủy văn",
        "mean over members": "trung bình các kịch bản thủy văn",
        "Storage at the end": "Dung tích cuối kỳ",
        "fraction of demand": "phần nhu cầu",
        "fraction of claim": "phần yêu cầu",
        "A later goal may do better where an earlier one does worse. A study, not an official "
        "allocation.": "Mục tiêu sau có thể tốt hơn khi mục tiêu trước kém đi. Kết quả nghiên cứu, "
        "không phải phương án phân bổ chính thức.",
    }
}
NOTE = (
    "A later goal may do better where an earlier one does worse. A study, not an official "
    "allocation."
)
SHARES = ("fraction of demand", "fraction of claim", "1")
"""Units that are shown as percent."""
TITLES = {**compare_table.TITLES, "storage_at_end": "Storage at the end"}


def words(lang: str) -> Callable[[str], str]:
    """What translates the words of these tables."""
    own, others = WORDS.get(lang, {}), compare_table.words(lang)
    return lambda word: own.get(word) or others(word)


class _Maker:
    """Makes the tables in a language."""

    def __init__(self, of: ValueOfForesight, lang: str) -> None:
        self.of, self.lang = of, lang
        self.say = words(lang)
        names = of.comparison.names
        known = zip(*(names[c] for c in ("scope", "name", lang)), strict=True)
        self.names = {(scope, name): word for scope, name, word in known}

    def tables(self) -> list[Table]:
        say = self.say
        made = [
            self.goals(say("Goals, in their order"), "mean"),
            self.goals(
                say(
                    "Regret: by how much worse than had all been known, with as much left in store"
                ),
                "regret",
            ),
            self.rules(say("Rules missed")),
            self.figures(
                say("Deficit by region and by sector"),
                [("deficit", "basin"), ("deficit", "region"), ("deficit", "sector")],
            ),
            self.figures(
                say("Energy, storage and worth"),
                [("energy", "basin"), ("storage_at_end", "basin"), ("value", "basin")],
            ),
            self.trust(say("What is not to be trusted in perfect foresight")),
            self.skill(
                say("Skill of forecasts of all inflow, against climatology, by periods ahead")
            ),
        ]
        return [table for table in made if table.frame.size]

    @property
    def mean(self) -> str:
        return f", {self.say('mean over members')}" if len(self.of.members) > 1 else ""

    def goals(self, title: str, value: str) -> Table:
        """One column a goal."""
        columns = []
        for (place, goal, unit), of in self.of.goals.groupby(["place", "goal", "unit"], sort=False):
            is_share = unit in SHARES
            heading = f"{place} {goal}" + ("" if is_share else f", {self.say(unit)}")
            series = of.set_index("way")[value]
            columns.append((heading, series.rename(SHARE if is_share else None)))
        return self.table(title + self.mean, columns)

    def rules(self, title: str) -> Table:
        """What is missed of a rule, and how often it is broken; only rules that some way breaks."""
        columns = []
        for rule, of in self.of.rules.groupby("rule", sort=False):
            if not of["members"].any():
                continue
            by_way = of.set_index("way")
            unit = self.say(str(of["unit"].iloc[0]))
            columns.append((f"{rule}, {unit}", by_way["missed"].rename(None)))
            columns.append((f"{rule}: {self.say('broken')}", by_way["broken"].rename(SHARE)))
        return self.table(title + self.mean, columns)

    def figures(self, title: str, of: Sequence[tuple[str, str]]) -> Table:
        """One column a figure."""
        columns = []
        for measure, scope in of:
            rows = self.of.figures
            rows = rows[(rows["measure"] == measure) & (rows["scope"] == scope)]
            for name, of_name in rows.groupby("name", sort=False):
                heading = self.figure(measure, scope, str(name), str(of_name["unit"].iloc[0]))
                columns.append((heading, of_name.set_index("policy")["mean"].rename(None)))
        return self.table(title + self.mean, columns)

    def trust(self, title: str) -> Table:
        """One row a figure that is otherwise; worth of the whole basin alone, no satisfaction."""
        rows = self.of.trust
        is_shown = (rows["measure"] != "satisfaction") & (
            (rows["measure"] != "value") | (rows["scope"] == "basin")
        )
        rows = rows[is_shown & (rows["most"].abs() > 0)]
        index = pd.Index(
            [self.figure(r.measure, r.scope, r.name, r.unit) for r in rows.itertuples(index=False)],
            name=self.say("figure"),
            dtype=object,
        )
        heads = {
            "value": self.say("its value"),
            "perfect": self.say("perfect"),
            "owed": self.say("owed to foresight"),
            "most": self.say("at most"),
        }
        cells: dict[str, list[str]] = {
            self.say("nearest way that does not know"): list(rows["way"])
        }
        cells |= {
            head: [
                cell(value, decimals_of(rows[list(heads)].loc[i]), is_share=unit == "1")
                for i, value, unit in zip(rows.index, rows[column], rows["unit"], strict=True)
            ]
            for column, head in heads.items()
        }
        return Table(title + self.mean, pd.DataFrame(cells, index=index, dtype=object), (), {})

    def skill(self, title: str) -> Table:
        """One row a forecast, one column a number of periods ahead."""
        rows = self.of.skill
        rows = rows[(rows["node"] == "all") & (rows["forecast"] != "climatology")]
        frame = rows.pivot(index="forecast", columns="lead", values="against_climatology")
        frame.columns = [str(lead) for lead in frame.columns]
        frame.index.name = self.say("forecast")
        return Table(title, frame, (), dict.fromkeys(frame.columns, 2))

    def table(self, title: str, columns: Sequence[tuple[str, pd.Series]]) -> Table:
        ran = [way for way, fault in self.of.ways["fault"].items() if not fault]
        frame = pd.DataFrame({h: column.reindex(ran) for h, column in columns}, index=ran)
        frame.index.name = self.say("way")
        shares = tuple(h for h, column in columns if column.name == SHARE)
        decimals = {h: decimals_of(frame[h]) for h, _ in columns if h not in shares}
        return Table(title, frame, shares, decimals)

    def figure(self, measure: str, scope: str, name: str, unit: str) -> str:
        title = self.say(TITLES[measure])
        if unit != "1":
            title += f", {self.say(unit)}"
        if name == "all":
            return title
        return f"{self.names.get((scope, name)) or name}: {title}"


def tables(of: ValueOfForesight, lang: str = "en") -> list[Table]:
    """Every table, the ways in the order they were run."""
    return _Maker(of, lang).tables()


def ways(of: ValueOfForesight, lang: str = "en") -> list[tuple[str, str]]:
    """Name of each way, and what it is; of one without a result the reason."""
    say = words(lang)
    return [
        (str(way), title + (f"; {say('no result')}: {fault}" if fault else ""))
        for way, title, fault in zip(
            of.ways.index, of.ways[f"title_{lang}"], of.ways["fault"], strict=True
        )
    ]


def summary(of: ValueOfForesight, lang: str = "en") -> str:
    """For whom the tables hold, and how they are to be read, in one line."""
    say = words(lang)
    return f"{say('members')}: {len(of.members)} ({listed(of.members, 4)}). {say(NOTE)}"


def write(of: ValueOfForesight, folder: Path, lang: str = "en") -> None:
    """Write the files into a folder; those of the same names are replaced."""
    frames = {
        "ways.csv": of.ways.reset_index(),
        "goals.csv": of.goals,
        "by_member.csv": of.by_member,
        "rules.csv": of.rules,
        "figures.csv": of.figures.rename(columns={"policy": "way"}),
        "trust.csv": of.trust,
        "skill.csv": of.skill,
    }
    for name, frame in frames.items():
        with replacing(folder / name) as path:
            write_csv(path, frame)
    with replacing(folder / "foresight.md") as path:
        path.write_text(markdown(of, lang), encoding="utf-8")


def markdown(of: ValueOfForesight, lang: str = "en") -> str:
    """All tables as Markdown."""
    say = words(lang)
    head = [say("way"), say("what it is")]
    text = f"# {say('Ways of looking ahead')}\n\n{compare_table.grid(head, ways(of, lang))}"
    text += f"\n{summary(of, lang)}\n"
    for table in tables(of, lang):
        text += f"\n## {table.title}\n\n{compare_table.grid_of(table)}"
    return text
