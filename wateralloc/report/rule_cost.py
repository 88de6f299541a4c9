"""What a rule costs, as people read it: text and plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wateralloc.explanation.without import LESS
from wateralloc.report.cells import cell
from wateralloc.report.explanation import VOLUME, rule_name
from wateralloc.report.tables import VALUES

if TYPE_CHECKING:
    from wateralloc.explanation import RuleCost

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "What {} costs",
        "over": "mean of {} members, {} – {}",
        "one": "member {}, {} – {}",
        "price": "By its price: if it asked {} less, or allowed so much more",
        "gain": "goal {}, {}: {} better by {} (it binds in {} of {} members, in {} windows on "
        "average)",
        "no price": "By its price: it binds no goal; less of it would change nothing",
        "without": "By the same case without it",
        "with": "with",
        "none": "without",
        "cost": "cost",
        "goals": "Goals",
        "all": "whole basin",
        "level": "share of the claim",
        "fraction of demand": "fraction of the demand",
        "energy": "Energy [GWh]",
        "energy_value": "Value of energy [million {}]",
        "benefit": "Benefit of users [million {}]",
    },
    "vi": {
        "title": "Cái giá của {}",
        "over": "trung bình {} kịch bản thủy văn, {} – {}",
        "one": "kịch bản thủy văn {}, {} – {}",
        "price": "Theo giá bóng: nếu yêu cầu ít đi {}, hoặc cho phép nhiều hơn chừng ấy",
        "gain": "mục tiêu {}, {}: {} tốt hơn {} (ràng buộc ở {} trong {} kịch bản, trung bình {} "
        "thời đoạn)",
        "no price": "Theo giá bóng: không ràng buộc mục tiêu nào; bớt đi cũng không thay đổi gì",
        "without": "Theo cùng kịch bản tính khi không có quy tắc",
        "with": "có",
        "none": "không có",
        "cost": "cái giá",
        "goals": "Mục tiêu",
        "all": "toàn lưu vực",
        "level": "mức đáp ứng",
        "fraction of demand": "phần của nhu cầu",
        "energy": "Điện lượng [GWh]",
        "energy_value": "Giá trị điện năng [triệu {}]",
        "benefit": "Lợi ích của hộ dùng nước [triệu {}]",
    },
}


def text(cost: RuleCost, lang: str = "en") -> str:
    """Write what a rule costs in plain words."""
    return "\n".join(_lines(cost, lang)) + "\n"


def _lines(cost: RuleCost, lang: str) -> Iterator[str]:
    say, case, timeline = WORDS[lang], cost.case, cost.case.timeline
    yield say["title"].format(rule_name(case, cost.rule))
    n = len(cost.members)
    ends = timeline.starts[0], timeline.last_days[-1]
    yield say["over" if n > 1 else "one"].format(n if n > 1 else cost.members[0], *ends)
    yield ""
    if cost.by_price.empty:
        yield say["no price"]
    else:
        yield say["price"].format(f"{100 * LESS:g} %")
    for row in cost.by_price.itertuples(index=False):
        name = row.name.partition(" ")[2]
        unit = say.get(row.unit, row.unit)
        line = say["gain"].format(
            row.goal, name, unit, cell(row.gain), row.members, n, cell(row.windows)
        )
        yield f"  {line}"
    yield ""
    yield say["without"]
    rows = [
        (_name(cost, row, lang), row.with_rule, row.without, row.cost)
        for row in cost.figures.itertuples(index=False)
    ]
    heads = [f"{VALUES['deficit'][lang]} [{VOLUME[lang]}]", say["with"], say["none"], say["cost"]]
    yield from _grid(heads, rows)
    yield ""
    rows = [
        (f"{r.goal} {r.name} [{say.get(r.unit, r.unit)}]", r.with_rule, r.without,
         r.with_rule - r.without if r.sense == "minimise" else r.without - r.with_rule)
        for r in cost.goals.itertuples(index=False)
    ]  # fmt: skip
    yield from _grid([say["goals"], say["with"], say["none"], say["cost"]], rows)


def _name(cost: RuleCost, row: Any, lang: str) -> str:
    basin, say = cost.case.basin, WORDS[lang]
    if row.measure != "deficit":
        return say[row.measure].format(basin.currency)
    if row.scope == "basin":
        return say["all"]
    words = (basin.regions if row.scope == "region" else basin.sectors).get(row.name, {})
    return str(words.get(lang) or row.name)


def _grid(heads: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Lay out a table: the first column to the left, numbers to the right."""
    cells = [list(heads), *([str(row[0]), *(cell(float(v)) for v in row[1:])] for row in rows)]
    wide = [max(len(row[k]) for row in cells) for k in range(len(heads))]
    for row in cells:
        numbers = "  ".join(f"{word:>{wide[k]}}" for k, word in enumerate(row[1:], 1))
        yield f"  {row[0]:<{wide[0]}}  {numbers}"


def as_data(cost: RuleCost) -> dict[str, Any]:
    """What a rule costs as plain data, for JSON."""
    return {
        "rule": cost.rule.name,
        "kind": cost.rule.kind,
        "source": cost.rule.source,
        "members": list(cost.members),
        "less": LESS,
        "by_price": cost.by_price.to_dict("records"),
        "figures": cost.figures.to_dict("records"),
        "goals": cost.goals.to_dict("records"),
    }
