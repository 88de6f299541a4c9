"""What a row or column of a member's program is, in the words of its case and basin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wateralloc.case import Case
from wateralloc.horizon import Horizon
from wateralloc.period import Period, RuleRow
from wateralloc.rules import Rule

ROWS = {
    "environmental_flow": ("environmental flow {}", "dòng chảy tối thiểu {}"),
    "sustainable_yield": (
        "sustainable yield of aquifer {}", "trữ lượng khai thác bền vững của tầng chứa nước {}",
    ),
    "plant_capacity": ("capacity of plant {}", "công suất của nhà máy {}"),
    "turbine_limit": ("capacity of the turbines of {}", "lưu lượng qua tua-bin lớn nhất của {}"),
    "intake_opening": ("opening of intake {}", "độ mở của cửa lấy nước {}"),
    "intake_most": ("capacity of intake {}", "năng lực của cửa lấy nước {}"),
    "split_fixed": ("split {}", "tỷ lệ phân lưu {}"),
    "split_least": ("least share of split {}", "tỷ lệ phân lưu nhỏ nhất {}"),
    "split_most": ("largest share of split {}", "tỷ lệ phân lưu lớn nhất {}"),
    "split_curved": ("split {}", "tỷ lệ phân lưu {}"),
}  # fmt: skip
"""Rows of parts with a limit of their own, by the name of their constraint: English, Vietnamese."""
UPPER = {
    "flow": ("capacity of link {}", "năng lực chuyển nước của {}"),
    "storage_end": ("largest storage of reservoir {}", "dung tích lớn nhất của hồ {}"),
    "aquifer_end": ("largest storage of aquifer {}", "trữ lượng lớn nhất của tầng chứa nước {}"),
    "withdrawal": ("demand of {}", "nhu cầu của {}"),
    "drawn": ("largest draw of source {}", "lượng lấy lớn nhất từ nguồn {}"),
    "pumping": ("largest pumping of aquifer {}", "lượng bơm lớn nhất từ tầng chứa nước {}"),
    "outflow": ("largest outflow at {}", "dòng chảy ra lớn nhất tại {}"),
}
LOWER = {
    "flow": ("least flow of link {}", "dòng chảy nhỏ nhất của {}"),
    "storage_end": ("least storage of reservoir {}", "dung tích nhỏ nhất của hồ {}"),
    "aquifer_end": ("least storage of aquifer {}", "trữ lượng nhỏ nhất của tầng chứa nước {}"),
    "withdrawal": ("least withdrawal of {}", "lượng lấy nhỏ nhất của {}"),
    "outflow": ("least outflow at {}", "dòng chảy ra nhỏ nhất tại {}"),
}
INITIAL = {
    "storage_start": ("storage of reservoir {} at the start", "dung tích ban đầu của hồ {}"),
    "aquifer_start": (
        "storage of aquifer {} at the start", "trữ lượng ban đầu của tầng chứa nước {}",
    ),
    "flow_before": ("water on its way in link {} at the start", "nước đang chảy trong {} lúc đầu"),
    "channel_start": ("water in link {} at the start", "nước chứa trong {} lúc đầu"),
    "withdrawn_before": (
        "withdrawals of {} before the start", "lượng {} đã lấy trước thời kỳ tính",
    ),
    "pumped_before": (
        "pumping of aquifer {} before the start", "lượng bơm từ {} trước thời kỳ tính",
    ),
}  # fmt: skip
"""Limits of columns, by the name of their variable: English, Vietnamese."""
LANGUAGES = ("en", "vi")

_LABEL = re.compile(r"(?P<name>[^\[@]+)(\[(?P<item>.*)\])?@(?P<period>\d+)(?P<initial>\|initial)?")


def parsed(label: str) -> tuple[str, str, int, bool]:
    """Component, item, period, and whether it is an initial value, of a label."""
    found = _LABEL.fullmatch(label)
    assert found is not None
    return found["name"], found["item"] or "", int(found["period"]), bool(found["initial"])


@dataclass(frozen=True)
class Limit:
    """A limit of the case or basin, of which a row or column is the copy of one period or window.

    Attributes
    ----------
    kind : ``rule``, ``balance`` (the water of a node), ``workings`` (equations of a rule),
        ``initial``, ``upper`` and ``lower`` (limits of a variable), or ``row`` (of a part)
    name : of the constraint or variable
    item : which of them
    rule : the rule, where it is one or its equations
    """

    kind: str
    name: str
    item: str
    rule: Rule | None = field(default=None, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether there are words for it."""
        return self._words() is not None

    def text(self, lang: str = "en") -> str:
        """Name it."""
        item = f"'{self.item}'"
        if self.kind == "rule":
            return f"{self.rule.kind} {item}"
        if self.kind == "balance":
            return ("inflow of {}", "dòng chảy đến tại {}")[LANGUAGES.index(lang)].format(item)
        if self.kind == "workings":
            own = f"{self.rule.kind} '{self.rule.name}'"
            return ("equations of {}", "phương trình của {}")[LANGUAGES.index(lang)].format(own)
        words = self._words()
        if words is not None:
            return words[LANGUAGES.index(lang)].format(item)
        label = f"'{self.name}[{self.item}]'" if self.item else f"'{self.name}'"
        plain = {
            "lower": ("least value of {}", "giá trị nhỏ nhất của {}"),
            "upper": ("largest value of {}", "giá trị lớn nhất của {}"),
            "initial": ("value of {} at the start", "giá trị ban đầu của {}"),
        }.get(self.kind, ("row {}", "ràng buộc {}"))
        return plain[LANGUAGES.index(lang)].format(label)

    def _words(self) -> tuple[str, str] | None:
        known = {"row": ROWS, "upper": UPPER, "lower": LOWER, "initial": INITIAL}
        return known.get(self.kind, {}).get(self.name)


@dataclass
class Limits:
    """Tells what the rows and columns of a program are.

    Attributes
    ----------
    rule_rows : row of the program -> row of a rule, and its window
    """

    period: Period
    horizon: Horizon
    rule_rows: dict[int, tuple[RuleRow, int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        numbers = [str(t) for t in range(self.period.case.n_periods)]
        self.rows = self.horizon.row_labels(numbers)
        self.columns = self.horizon.column_labels(numbers)
        for row in self.period.rule_rows:
            for window, number in enumerate(self.horizon.rows[id(row.constraint)]):
                self.rule_rows[int(number)] = row, window

    def of_row(self, number: int) -> Limit:
        """What a row is."""
        if number in self.rule_rows:
            row, _ = self.rule_rows[number]
            return Limit("rule", row.rule.kind, row.label, row.rule)
        name, item, _, _ = parsed(self.rows[number])
        if name == "balance":
            return Limit("balance", name, item)
        if name.startswith("workings."):
            own = name.removeprefix("workings.")
            owners = [r for r in self.period.case.rules if own.startswith(f"{r.name}_")]
            if owners:
                return Limit("workings", name, item, max(owners, key=lambda r: len(r.name)))
        return Limit("row", name, item)

    def of_column(self, number: int, is_lower: bool) -> Limit:
        """What the lower or the upper limit of a column is."""
        name, item, _, is_initial = parsed(self.columns[number])
        return Limit("initial" if is_initial else "lower" if is_lower else "upper", name, item)

    def periods(self, number: int, is_row: bool) -> list[int]:
        """Periods of a row or column."""
        if is_row and number in self.rule_rows:
            row, window = self.rule_rows[number]
            order, starts = self.horizon.windows(row.constraint)
            last = starts[window + 1] if window + 1 < starts.size else order.size
            return [int(t) for t in order[starts[window] : last]]
        return [parsed((self.rows if is_row else self.columns)[number])[2]]


def place_of(case: Case, rule: Rule) -> str:
    """Where a rule stands, in brackets after a space; empty where it has no place."""
    for known, position in zip(case.rules, case.rule_positions, strict=False):
        if known is rule and position.line:
            return f" ({position})"
    return ""
