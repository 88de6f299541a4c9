"""Tables for people: who got how much, by region, sector, month, in English or Vietnamese.

Volumes are means over members and, for a horizon of several years, means per year, unless the table
itself goes by member or by year.  Ratios are ratios of those volumes, never means of ratios.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import metrics
from wateralloc.errors import Fault, InputError, Position, listed, or_do, suggest
from wateralloc.report.cells import decimals_of
from wateralloc.report.rounding import Rounded, add_up, round_table
from wateralloc.results import Results
from wateralloc.timeline import years_between

VALUES = {
    "demand": {"en": "Demand", "vi": "Nhu cầu"},
    "withdrawal": {"en": "Withdrawal", "vi": "Lượng lấy"},
    "deficit": {"en": "Deficit", "vi": "Thiếu hụt"},
    "satisfaction": {"en": "Satisfaction", "vi": "Mức đáp ứng"},
    "consumption": {"en": "Consumption", "vi": "Lượng tiêu hao"},
    "return_flow": {"en": "Return flow", "vi": "Lượng hồi quy"},
    "energy": {"en": "Energy", "vi": "Điện lượng"},
    "energy_spilled": {"en": "Energy spilled", "vi": "Điện lượng xả thừa"},
    "energy_value": {"en": "Value of energy", "vi": "Giá trị điện năng"},
}
"""What a table may show, with its heading."""
OF_PLANTS = ("energy", "energy_spilled", "energy_value")
"""Values of plants; the others are of demands."""

FIELDS = {
    "member": {"en": "Member", "vi": "Kịch bản thủy văn"},
    "region": {"en": "Region", "vi": "Vùng"},
    "province": {"en": "Province", "vi": "Tỉnh"},
    "sub_basin": {"en": "Sub-basin", "vi": "Tiểu lưu vực"},
    "node": {"en": "Node", "vi": "Nút"},
    "demand": {"en": "User", "vi": "Hộ dùng nước"},
    "sector": {"en": "Sector", "vi": "Ngành"},
    "priority": {"en": "Priority", "vi": "Mức ưu tiên"},
    "plant": {"en": "Plant", "vi": "Nhà máy"},
    "year": {"en": "Water year", "vi": "Năm thủy văn"},
    "season": {"en": "Season", "vi": "Mùa"},
    "month": {"en": "Month", "vi": "Tháng"},
    "dekad": {"en": "10 days from", "vi": "10 ngày từ"},
    "period": {"en": "Period", "vi": "Thời đoạn"},
}
"""What rows and columns may go by, with its heading."""

WORDS = {
    "total": {"en": "Total", "vi": "Tổng"},
    "none": {"en": "(none)", "vi": "(không)"},
    "rule": {"en": "Rule", "vi": "Quy tắc"},
    "kind": {"en": "Kind", "vi": "Loại"},
    "checked": {"en": "Checked", "vi": "Số lần xét"},
    "kept": {"en": "Kept", "vi": "Giữ được"},
    "broken": {"en": "Broken", "vi": "Vi phạm"},
    "members": {"en": "Members with a breach", "vi": "Số kịch bản vi phạm"},
    "shortfall": {"en": "Worst shortfall", "vi": "Thiếu hụt lớn nhất"},
    "unit": {"en": "Unit", "vi": "Đơn vị"},
    "price": {"en": "Highest shadow price", "vi": "Giá bóng lớn nhất"},
    "soft": {"en": "Soft", "vi": "Cách nới"},
    "missed": {"en": "Missed, mean", "vi": "Thiếu, trung bình"},
    "worst": {"en": "Worst", "vi": "Nặng nhất"},
    "cost": {"en": "Cost, mean", "vi": "Giá phải trả, trung bình"},
    "open": {"en": "Left open", "vi": "Khoảng còn để ngỏ"},
    "head": {"en": "Mean head, m", "vi": "Cột nước trung bình, m"},
    "overall": {"en": "Overall", "vi": "Chung"},
    "of_totals": {"en": "{stat} of totals", "vi": "{stat} của tổng"},
    "not_sums": {
        "en": "A number of totals is that of the members' own totals, not the sum of those beside "
        "it: they do not add up.",
        "vi": "Số của tổng tính từ tổng của từng kịch bản thủy văn, không phải tổng các số trong "
        "bảng: các số không cộng lại thành tổng.",
    },
    "over_years": {
        "en": "Each number is the mean of a year's {field}, over the years that have it.",
        "vi": "Mỗi số là trung bình của {field} trong một năm, qua các năm có {field} đó.",
    },
    "too_large": {
        "en": "Totals are sums of the rounded numbers; the exact ones differ by up to {off} "
        "{unit}.",
        "vi": "Tổng là tổng các số đã làm tròn; số chính xác chênh tối đa {off} {unit}.",
    },
}
SEASONS = {
    "dry": {"en": "Dry season (Nov-May)", "vi": "Mùa kiệt (tháng 11-5)"},
    "wet": {"en": "Wet season (Jun-Oct)", "vi": "Mùa lũ (tháng 6-10)"},
}
"""Halves of the water year; a period is in that of its first day."""
WET_MONTHS = (6, 7, 8, 9, 10)
STATISTICS = {
    "mean": {"en": "Mean", "vi": "Trung bình"},
    "min": {"en": "Least", "vi": "Nhỏ nhất"},
    "max": {"en": "Largest", "vi": "Lớn nhất"},
    "median": {"en": "Median", "vi": "Trung vị"},
    "quantile": {"en": "{} % quantile", "vi": "Phân vị {} %"},
}
"""What may be shown of the members; a quantile is asked for as ``q10``."""
OVER_MEMBERS = {
    "mean": {"en": "over members", "vi": "các kịch bản thủy văn"},
    "min": {"en": "of the members", "vi": "trong các kịch bản thủy văn"},
    "max": {"en": "of the members", "vi": "trong các kịch bản thủy văn"},
    "quantile": {"en": "over members", "vi": "của các kịch bản thủy văn"},
}
_QUANTILES = {"min": 0.0, "median": 0.5, "max": 1.0}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNITS = {
    "hm3": {"en": "hm3", "vi": "triệu m³"},
    "hm3/year": {"en": "hm3/year", "vi": "triệu m³/năm"},
    "GWh": {"en": "GWh", "vi": "GWh"},
    "GWh/year": {"en": "GWh/year", "vi": "GWh/năm"},
    "million": {"en": "million", "vi": "triệu"},
    "million/year": {"en": "million/year", "vi": "triệu/năm"},
    "1": {"en": "1", "vi": "1"},
}
SPELT = {"m3s": "m3/s", "gwh": "GWh"}
"""How units of rules are printed."""
LANGUAGES = ("en", "vi")
_BY_TIME = ("year", "season", "month", "dekad", "period")


@dataclass(frozen=True)
class Tabulation:
    """A table for people, with what it needs to be read: title, unit, notes, and what adds up.

    Attributes
    ----------
    frame : exact numbers, in the unit; NaN where there is none
    row_parts, column_parts : of each row and column those that it is the total of; one that is no
        total names itself
    title : what is shown and of what it is a statistic, without the unit
    unit : ``%`` for satisfaction, whose numbers are fractions
    adds_up : whether the totals are sums
    decimals : digits after the point of a number that is no share
    """

    frame: pd.DataFrame
    row_parts: tuple[tuple[int, ...], ...]
    column_parts: tuple[tuple[int, ...], ...]
    value: str
    title: str
    unit: str
    lang: str
    adds_up: bool
    remarks: tuple[str, ...] = ()

    @property
    def is_share(self) -> bool:
        return self.value == "satisfaction"

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} [{self.unit}]"

    def is_total_row(self, row: int) -> bool:
        return self.row_parts[row] != (row,)

    def is_total_column(self, column: int) -> bool:
        return self.column_parts[column] != (column,)

    @cached_property
    def decimals(self) -> int:
        rows = [i for i in range(len(self.frame)) if not self.is_total_row(i)]
        columns = [j for j in range(self.frame.shape[1]) if not self.is_total_column(j)]
        return decimals_of(self.frame.to_numpy(float)[np.ix_(rows, columns)].ravel())

    @cached_property
    def _rounded(self) -> Rounded:
        return round_table(
            self.frame.to_numpy(float), self.row_parts, self.column_parts, self.decimals
        )

    @cached_property
    def printed(self) -> pd.DataFrame:
        """The numbers as they are printed: rounded so that they add up; shares as they are."""
        if self.is_share:
            return self.frame
        numbers = self.frame.to_numpy(float)
        numbers = self._rounded.numbers if self.adds_up else np.round(numbers, self.decimals) + 0.0
        printed = pd.DataFrame(numbers, self.frame.index)
        printed.columns = self.frame.columns
        return printed

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands below the table."""
        if self.is_share or not self.adds_up or self._rounded.off < 1.0:
            return self.remarks
        off = self._rounded.off / 10.0**self.decimals
        text = WORDS["too_large"][self.lang].format(off=f"{off:.3g}", unit=self.unit)
        return (*self.remarks, text)


def pivot(
    results: Results,
    rows: Sequence[str] = ("region", "sector"),
    columns: str | None = None,
    value: str = "deficit",
    lang: str = "en",
    *,
    totals: bool = False,
    stat: str = "mean",
) -> pd.DataFrame:
    """Sum up the allocation by the fields named.

    Parameters
    ----------
    rows : fields of the rows, from the outermost: ``member``, ``region``, ``province``,
        ``sub_basin``, ``node``, ``demand``, ``sector``, ``priority``, ``year``, ``season``,
        ``month``, ``dekad``, ``period``; those of energy ``plant`` in place of what names users
    columns : field of the columns; None: one column with the heading of the value
    value : ``demand``, ``withdrawal``, ``deficit``, ``satisfaction``, ``consumption``,
        ``return_flow``; of plants ``energy``, ``energy_spilled``, ``energy_value``
    lang : ``en`` or ``vi``
    totals : add a row and a column of totals, and of several row fields those of each outer one
    stat : of the members: ``mean``, ``min``, ``max``, ``median`` or a quantile as ``q10``

    Returns
    -------
    DataFrame
        Rows and columns in the order of the basin and of time; ``attrs["unit"]`` is the unit.  What
        does not exist in a row and column (a sector that a region does not have) is NaN.

    Raises
    ------
    InputError
        A field, value, statistic or language is unknown.

    Notes
    -----
    A volume is a mean over members, unless `member` is a field; in a horizon longer than a year it
    is a mean per year (of a season, month or dekad: over those it has), unless `year` or `period`
    is a field.  Members have no total.
    """
    return tabulate(results, rows, columns, value, lang, totals=totals, stat=stat).frame


def tabulate(
    results: Results,
    rows: Sequence[str] = ("region", "sector"),
    columns: str | None = None,
    value: str = "deficit",
    lang: str = "en",
    *,
    totals: bool = True,
    stat: str = "mean",
) -> Tabulation:
    """Sum up the allocation as :func:`pivot` does, with title, notes and what adds up.

    Parameters
    ----------
    stat : totals are the same statistic of the members' totals, which are sums only for the mean
    """
    if value in OF_PLANTS and tuple(rows) == ("region", "sector"):
        rows = ("plant",)
    fields = [*rows, *([columns] if columns else [])]
    _check_words(rows, columns, value, lang)
    _check_statistic(stat, fields)
    dataset = results.dataset
    _check_fields(dataset, fields, value)
    is_ratio = value == "satisfaction"
    parts = ("demand", "withdrawal") if is_ratio else (value,)
    sums = _sums(dataset, fields, parts, "each" if stat != "mean" else "mean")
    row_keys, column_keys = _lines_of(sums.index, rows, columns, dataset)
    row_lines = _with_totals(row_keys, rows, totals)
    column_lines = _with_totals(column_keys, [columns] if columns else [], totals)
    row_parts, column_parts = _parts(row_lines), _parts(column_lines)
    blocks = {name: _spread(sums, name, rows, columns, row_keys, column_keys) for name in parts}
    is_there = _added(blocks[parts[0]][1][None], row_lines, column_lines)[0] > 0
    each = {name: _added(of, row_lines, column_lines) for name, (of, _) in blocks.items()}
    if is_ratio:
        served = metrics.satisfaction(
            xr.DataArray(each["demand"]), xr.DataArray(each["withdrawal"])
        ).values
    numbers = np.where(is_there, _over_members(served if is_ratio else each[value], stat), np.nan)

    total = _word_of_totals(value, stat, lang)
    heading = VALUES[value][lang]
    frame = pd.DataFrame(
        numbers, _index(dataset, row_lines, rows, lang, total) if rows else pd.Index([heading])
    )
    frame.columns = (
        _index(dataset, column_lines, [columns], lang, total) if columns else pd.Index([heading])
    )
    unit = _spelt_unit(dataset, fields, value, lang)
    frame.attrs["unit"] = UNITS["1"][lang] if is_ratio else unit
    has_totals = len(row_lines) > len(row_keys) or len(column_lines) > len(column_keys)
    adds_up = not is_ratio and stat == "mean"
    return Tabulation(
        frame,
        row_parts,
        column_parts,
        value,
        _title(dataset, fields, value, stat, lang),
        "%" if is_ratio else unit,
        lang,
        adds_up,
        tuple(_remarks(dataset, fields, lang, has_totals and stat != "mean" and not is_ratio)),
    )


def _spelt_unit(dataset: xr.Dataset, fields: Sequence[str], value: str, lang: str) -> str:
    unit = UNITS[_unit(dataset, fields, value)][lang]
    return f"{unit} {dataset.attrs['currency']}" if value == "energy_value" else unit


def _word_of_totals(value: str, stat: str, lang: str) -> str:
    """Heading of totals: what does not add up is not called one."""
    if value == "satisfaction":
        return WORDS["overall"][lang]
    if stat != "mean":
        return WORDS["of_totals"][lang].format(stat=_statistic(stat, lang))
    return WORDS["total"][lang]


def _statistic(stat: str, lang: str) -> str:
    word = STATISTICS.get(stat, STATISTICS["quantile"])[lang].format(stat[1:])
    return word if lang == "en" or stat in STATISTICS else word.replace(".", ",")


def _title(dataset: xr.Dataset, fields: Sequence[str], value: str, stat: str, lang: str) -> str:
    heading = VALUES[value][lang]
    if stat == "mean" and ("member" in fields or dataset.sizes["member"] == 1):
        return heading
    word = _statistic(stat, lang)
    over = OVER_MEMBERS.get(stat, OVER_MEMBERS["quantile"])[lang]
    return f"{heading}, {word[0].lower()}{word[1:]} {over}"


def _remarks(
    dataset: xr.Dataset, fields: Sequence[str], lang: str, is_no_sum: bool
) -> Iterator[str]:
    if is_no_sum:
        yield WORDS["not_sums"][lang]
    of_year = [field for field in ("season", "month", "dekad") if field in fields]
    if of_year and not {"year", "period"} & set(fields) and _length(dataset) > 1.0:
        words = {"season": ("season", "mùa"), "month": ("month", "tháng"),
                 "dekad": ("10 days", "10 ngày")}[of_year[-1]]  # fmt: skip
        yield WORDS["over_years"][lang].format(field=words[lang == "vi"])


# --- lines and totals -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A row or column: the keys it keeps, and the places of what it sums up.

    A total keeps fewer keys than there are fields.
    """

    keys: tuple[Any, ...]
    places: tuple[int, ...]
    is_total: bool


def _lines_of(
    index: pd.Index, rows: Sequence[str], columns: str | None, dataset: xr.Dataset
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Keys of rows and columns that exist, in their order."""
    if not isinstance(index, pd.MultiIndex) and not [*rows, *([columns] if columns else [])]:
        return [()], [()]
    by_row = zip(*(index.get_level_values(field) for field in rows), strict=True)
    row_keys = list(dict.fromkeys(by_row)) if rows else [()]
    if not columns:
        return row_keys, [()]
    known = set(index.get_level_values(columns))
    return row_keys, [(key,) for key in _keys_in_order(dataset, columns) if key in known]


def _with_totals(
    keys: Sequence[tuple[Any, ...]], fields: Sequence[str], totals: bool
) -> list[_Line]:
    """Lines in their order, each group followed by its total; over members there is none."""
    has_total = [totals and "member" not in fields[depth:] for depth in range(len(fields))]
    if len(keys) < 2 or (has_total[1:2] == [True] and len({key[0] for key in keys}) == 1):
        has_total[:1] = [False]  # it would repeat the only one there is

    def walk(places: tuple[int, ...], depth: int) -> Iterator[_Line]:
        if depth == len(fields):
            yield _Line(keys[places[0]], places, False)
            return
        for _, group in groupby(places, lambda place: keys[place][depth]):
            yield from walk(tuple(group), depth + 1)
        if has_total[depth]:
            yield _Line(keys[places[0]][:depth], places, True)

    return list(walk(tuple(range(len(keys))), 0))


def _parts(lines: Sequence[_Line]) -> tuple[tuple[int, ...], ...]:
    """Of each line the lines that it is the sum of."""
    own = [i for i, line in enumerate(lines) if not line.is_total]
    return tuple(tuple(own[place] for place in line.places) for line in lines)


def _spread(
    sums: pd.DataFrame,
    name: str,
    rows: Sequence[str],
    columns: str | None,
    row_keys: Sequence[tuple[Any, ...]],
    column_keys: Sequence[tuple[Any, ...]],
) -> tuple[np.ndarray, np.ndarray]:
    """Sums as (member or 1, row, column), 0 where there is none; and where there is one."""
    row_place = {key: i for i, key in enumerate(row_keys)}
    column_place = {key: j for j, key in enumerate(column_keys)}
    index = sums.index
    n = len(sums)
    at_row = [()] * n if not rows else zip(*(index.get_level_values(f) for f in rows), strict=True)
    at_column = [()] * n if not columns else [(key,) for key in index.get_level_values(columns)]
    i, j = [row_place[key] for key in at_row], [column_place[key] for key in at_column]
    values = sums[name].to_numpy()
    if values.dtype == object:  # one array of members a cell
        values = np.array(values.tolist(), float)
    values = values.reshape(n, values[:1].size or 1)
    spread = np.zeros((values.shape[1], len(row_keys), len(column_keys)))
    spread[:, i, j] = values.T
    is_there = np.zeros(spread.shape[1:])
    is_there[i, j] = 1.0
    return spread, is_there


def _added(values: np.ndarray, rows: Sequence[_Line], columns: Sequence[_Line]) -> np.ndarray:
    """Values (member, row, column) with their totals."""
    by_row = add_up(values, [line.places for line in rows], 1)
    return add_up(by_row, [line.places for line in columns], 2)


def _over_members(values: np.ndarray, stat: str) -> np.ndarray:
    """Statistic over the first axis."""
    if stat == "mean":
        return values[0]  # it is the mean already, or that of the member
    share = _QUANTILES[stat] if stat in _QUANTILES else float(stat[1:]) / 100.0
    return np.quantile(values, share, axis=0)


def _index(
    dataset: xr.Dataset, lines: Sequence[_Line], fields: Sequence[str], lang: str, total: str
) -> pd.Index:
    """Labels of lines; a total has its word in the first place that its keys leave."""
    names = [FIELDS[field][lang] for field in fields]
    known = {
        (field, key): _word(dataset, field, key, lang)
        for k, field in enumerate(fields)
        for key in {line.keys[k] for line in lines if len(line.keys) > k}
    }
    labels = []
    for line in lines:
        words = [known[pair] for pair in zip(fields, line.keys, strict=False)]
        labels.append((*words, total, *[""] * len(fields))[: len(fields)])
    if len(fields) == 1:
        return pd.Index([label[0] for label in labels], name=names[0])
    return pd.MultiIndex.from_tuples(labels, names=names)


def allocation_summary(results: Results, lang: str = "en") -> pd.DataFrame:
    """Demand, withdrawal, deficit and satisfaction by region and sector, with totals.

    Returns
    -------
    DataFrame
        Rows (region, sector); the last of each region, and of all, is its total.  Volumes as in
        :func:`pivot`, in ``attrs["unit"]``.  Where the goals leave some deficit open, the last
        column is by how much it can move at other optima; 0 where it cannot.
    """
    _check_words(("region", "sector"), None, "demand", lang)
    dataset, total = results.dataset, WORDS["total"][lang]
    volumes = ("demand", "withdrawal", "deficit")
    cells = _sums(dataset, ["region", "sector"], volumes)
    by_region = _sums(dataset, ["region"], volumes)
    keys: list[tuple[str, str]] = []
    totals: list[tuple[str, str]] = []
    lines: list[pd.Series] = []
    for region, of_region in by_region.iterrows():
        heading = word(dataset, "region", str(region), lang)
        for (_, sector), cell in cells.loc[[region]].iterrows():
            keys.append((heading, word(dataset, "sector", sector, lang)))
            totals.append(("region_sector", f"{region}/{sector}"))
            lines.append(cell)
        keys.append((heading, total))
        totals.append(("region", str(region)))
        lines.append(of_region)
    keys.append((total, total))
    totals.append(("basin", "all"))
    lines.append(_sums(dataset, [], volumes).iloc[0])
    names = [FIELDS[field][lang] for field in ("region", "sector")]
    index = pd.MultiIndex.from_tuples(keys, names=names)
    table = pd.DataFrame(np.array(lines, float), index=index, columns=list(volumes))
    table["satisfaction"] = _ratio(table["demand"], table["withdrawal"])
    table = table.rename(columns={name: VALUES[name][lang] for name in table.columns})
    width = _left_open(dataset)
    if any(width.get(total, 0.0) > 0.0 for total in totals):
        table[WORDS["open"][lang]] = [width.get(total, 0.0) for total in totals]
    table.attrs["unit"] = UNITS[_unit(dataset, [])][lang]
    return table


def _left_open(dataset: xr.Dataset) -> dict[tuple[str, str], float]:
    """By how much the deficit of each total can move at other optima, mean over members.

    By scope and name, in the unit of the volumes; empty where the ranges were not computed.
    """
    if "total_scope" not in dataset:
        return {}
    width = (dataset["total_deficit_most"] - dataset["total_deficit_least"]).mean("member").values
    names = zip(dataset["total_scope"].values, dataset["total_name"].values, strict=True)
    years = max(1.0, _length(dataset))
    return {
        (str(scope), str(name)): float(of_total) / years
        for (scope, name), of_total in zip(names, width, strict=True)
    }


def rules_summary(results: Results, lang: str = "en") -> pd.DataFrame:
    """How often each rule was checked, kept and broken, over all members and windows.

    Returns
    -------
    DataFrame
        One row for each rule; the shortfall and the shadow price are the largest, the shortfall in
        the unit beside it.
    """
    _check_words((), None, "demand", lang)
    dataset = results.dataset
    label = dataset["rule"].values
    lines = []
    names = list(dict.fromkeys(label))
    for name in names:
        here = label == name
        kept, slack = dataset["kept"].values[:, here], dataset["slack"].values[:, here]
        first = int(np.argmax(here))
        lines.append(
            {
                "kind": dataset["rule_kind"].values[first],
                "checked": kept.size,
                "kept": int(kept.sum()),
                "broken": int((~kept).sum()),
                "members": int((~kept).any(axis=1).sum()),
                "shortfall": float(np.where(kept, 0.0, -slack).max(initial=0.0)),
                "unit": dataset["rule_unit"].values[first],
                "price": float(dataset["shadow_price"].values[:, here].max(initial=0.0)),
            }
        )
    columns = ["kind", "checked", "kept", "broken", "members", "shortfall", "unit", "price"]
    index = pd.Index(names, name=WORDS["rule"][lang], dtype=object)
    table = pd.DataFrame(lines, index=index, columns=columns)
    return table.rename(columns={name: WORDS[name][lang] for name in columns})


def broken_summary(results: Results, lang: str = "en") -> pd.DataFrame:
    """Soft rules that are broken in some member: how often, by how much, and at what cost.

    Returns
    -------
    DataFrame
        One row a rule; none where all are kept.  What is missed and its cost are means over
        members, the worst is that of all.
    """
    _check_words((), None, "demand", lang)
    dataset = results.dataset
    lines, names = [], []
    for k, name in enumerate(dataset["soft_rule"].values if "soft_rule" in dataset else ()):
        one = dataset.isel(soft_rule=k)
        n_broken = one["soft_broken"].values
        if not n_broken.any():
            continue
        names.append(name)
        penalty, goal = float(one["soft_penalty"]), int(one["soft_goal"])
        by_price = {"en": f"penalty in goal {goal}", "vi": f"trả giá trong mục tiêu {goal}"}
        by_order = {"en": f"goal {goal}", "vi": f"mục tiêu {goal}"}
        cost = _with_unit(one["soft_cost"].mean(), one["soft_cost_unit"])
        lines.append(
            {
                "soft": (by_price if penalty else by_order)[lang],
                "broken": f"{n_broken.sum()}/{n_broken.size * int(one['soft_windows'])}",
                "members": f"{(n_broken > 0).sum()}/{n_broken.size}",
                "missed": _with_unit(one["soft_missed"].mean(), one["soft_missed_unit"]),
                "worst": _with_unit(one["soft_worst"].max(), one["soft_unit"]),
                "cost": cost if penalty else "",
            }
        )
    columns = ["soft", "broken", "members", "missed", "worst", "cost"]
    index = pd.Index(names, name=WORDS["rule"][lang], dtype=object)
    table = pd.DataFrame(lines, index=index, columns=columns)
    return table.rename(columns={name: WORDS[name][lang] for name in columns})


def price_notes(results: Results, lang: str = "en") -> list[str]:
    """What the penalty of each soft rule comes to: enough to keep it, or not, and what would be."""
    _check_words((), None, "demand", lang)
    dataset = results.dataset
    notes = []
    for k, name in enumerate(dataset["soft_rule"].values if "soft_rule" in dataset else ()):
        one = dataset.isel(soft_rule=k)
        penalty = float(one["soft_penalty"])
        if not penalty:
            continue
        price, kept_from = float(one["soft_price"].max()), float(one["soft_kept_from"].max())
        least = _with_unit(one["soft_least"].max(), one["soft_missed_unit"])
        if not one["soft_broken"].values.any():
            text = {
                "en": f"kept at its price of {penalty:g}",
                "vi": f"giữ được với giá {penalty:g}",
            }
            if price > 0:
                text["en"] += f"; below {_short(price)} it would be broken"
                text["vi"] += f"; dưới {_short(price)} sẽ bị vi phạm"
        else:
            text = {
                "en": f"broken at its price of {penalty:g}",
                "vi": f"bị vi phạm với giá {penalty:g}",
            }
            if kept_from:
                text["en"] += f"; kept from {_short(kept_from)} on"
                text["vi"] += f"; giữ được từ {_short(kept_from)} trở lên"
            if one["soft_least"].values.any():
                text["en"] += f"; up to {least} is missed at any price"
                text["vi"] += f"; giá nào cũng thiếu đến {least}"
        notes.append(f"{name}: {text[lang]}")
    return notes


def _with_unit(value: Any, unit: xr.DataArray) -> str:
    name = str(unit.item())
    return f"{_short(value)} {SPELT.get(name, name)}"


def _short(value: Any) -> str:
    """Number with four digits that count."""
    number = float(value)
    return f"{number:.0f}" if abs(number) >= 1e4 else f"{number:.4g}"


def energy_summary(results: Results, lang: str = "en") -> pd.DataFrame:
    """Energy of each plant, what passed it by the spillways, and its mean head, with a total.

    Returns
    -------
    DataFrame
        One row a plant; none without plants.  ``attrs["unit"]`` is that of the energies.
    """
    dataset = results.dataset
    if not dataset.sizes.get("plant", 0):
        return pd.DataFrame()
    table = pd.DataFrame(
        {
            VALUES[value][lang]: pivot(results, ["plant"], None, value, lang).iloc[:, 0]
            for value in OF_PLANTS[:2]
        }
    )
    flow = dataset["turbined"]
    mean_head = (dataset["head"] * flow).sum(["member", "time"]) / np.maximum(
        flow.sum(["member", "time"]), 1e-9
    )
    table[WORDS["head"][lang]] = mean_head.values
    total = table.sum()
    total[WORDS["head"][lang]] = np.nan
    table.loc[WORDS["total"][lang]] = total
    table.attrs["unit"] = UNITS[_unit(dataset, [], "energy")][lang]
    return table


# --- sums -----------------------------------------------------------------------------------


def _sums(
    dataset: xr.Dataset, fields: Sequence[str], values: Sequence[str], members: str = "mean"
) -> pd.DataFrame:
    """Volumes by the keys of the fields, in the order of basin and time.

    Parameters
    ----------
    members : ``mean`` over them, unless they are a field; ``each``: a cell holds an array (member)
    """
    item = "plant" if set(values) & set(OF_PLANTS) else "demand"
    dims = ("member", "time", item)
    is_field = "member" in fields
    shape = tuple(dataset.sizes[dim] for dim in dims)
    kept = shape if is_field else (1, *shape[1:])
    codes: list[np.ndarray] = []
    keys: list[list[Any]] = []
    for field in fields:
        of_field, dim = _keys(dataset, field)
        known = _keys_in_order(dataset, field)
        code = pd.Index(known).get_indexer(of_field)
        codes.append(np.broadcast_to(code.reshape([-1 if d == dim else 1 for d in dims]), kept))
        keys.append(known)
    sizes = tuple(len(known) for known in keys)
    joint = np.ravel_multi_index(tuple(codes), sizes) if fields else np.zeros(kept, int)
    found, group = np.unique(joint, return_inverse=True)
    found = found if fields else np.zeros(1, int)
    group = group.reshape(kept)
    per_year = years_of(dataset, fields)[:, None]
    columns: dict[str, Any] = {}
    for name in values:
        volume = dataset[f"{name}_volume" if name == "demand" else name].transpose(*dims).values
        if is_field or members == "mean":
            volume = volume if is_field else volume.mean(0, keepdims=True)
            columns[name] = np.bincount(group.ravel(), (volume / per_year).ravel(), len(found))
        else:
            each = [
                np.bincount(group.ravel(), (one / per_year).ravel(), len(found)) for one in volume
            ]
            columns[name] = list(np.stack(each, axis=1))
    if not fields:
        return pd.DataFrame(columns)
    places = np.unravel_index(found, sizes)
    levels = [[known[i] for i in place] for known, place in zip(keys, places, strict=True)]
    index = (
        pd.MultiIndex.from_arrays(levels, names=fields)
        if len(fields) > 1
        else pd.Index(levels[0], name=fields[0])
    )
    return pd.DataFrame(columns, index)


def _keys(dataset: xr.Dataset, field: str) -> tuple[np.ndarray, str]:
    """Key of a field along its dimension."""
    if field == "member":
        return dataset["member"].values.astype(object), "member"
    if field in _BY_TIME:
        days = dataset["time"].values.astype("datetime64[D]")
        if field == "year":
            return dataset["water_year"].values, "time"
        month = days.astype("datetime64[M]").astype(int) % 12 + 1
        if field == "month":
            return month, "time"
        if field == "season":
            return np.where(np.isin(month, WET_MONTHS), "wet", "dry").astype(object), "time"
        text = np.datetime_as_string(days).astype(object)
        return np.array([t[5:] if field == "dekad" else t for t in text], object), "time"
    if field == "plant":
        return dataset["plant"].values.astype(object), "plant"
    if field == "sub_basin":
        by_node = dataset["node_sub_basin"].sel(node=dataset["demand_node"].values)
        return by_node.values.astype(object), "demand"
    name = "demand_node" if field == "node" else field
    values = dataset[name].values
    return (values if field == "priority" else values.astype(object)), "demand"


def _keys_in_order(dataset: xr.Dataset, field: str) -> list[Any]:
    """Every key of a field: names as in the basin, times from the first period on."""
    keys, _ = _keys(dataset, field)
    if field == "priority":
        return sorted(set(keys.tolist()))
    known = [
        str(name)
        for of, name in zip(dataset["word_of"].values, dataset["word_name"].values, strict=True)
        if of == field
    ]
    return list(dict.fromkeys([*known, *keys.tolist()]))


def years_of(dataset: xr.Dataset, fields: Sequence[str]) -> np.ndarray:
    """Number of years over which the volumes of each period are a mean (time)."""
    n_periods = dataset.sizes["time"]
    if "year" in fields or "period" in fields:
        return np.ones(n_periods)
    if {"season", "month", "dekad"} & set(fields):  # of a season: the sum over its months
        key, _ = _keys(dataset, "dekad" if "dekad" in fields else "month")
        year = dataset["time"].values.astype("datetime64[Y]").astype(int)
        pairs = pd.DataFrame({"key": key, "year": year})
        return pairs.groupby("key")["year"].transform("nunique").to_numpy(float)
    return np.full(n_periods, max(1.0, _length(dataset)))


def _length(dataset: xr.Dataset) -> float:
    """Length of the horizon in years."""
    edges = dataset["time_bnds"].values
    return years_between(edges[0, 0], edges[-1, 1])


def _unit(dataset: xr.Dataset, fields: Sequence[str], value: str = "demand") -> str:
    is_mean = not set(fields) & set(_BY_TIME) and _length(dataset) > 1.0
    unit = "hm3"
    if value in OF_PLANTS:
        unit = "million" if value == "energy_value" else "GWh"
    return f"{unit}/year" if is_mean else unit


def _ratio(demand: pd.Series, withdrawal: pd.Series) -> pd.Series:
    served = metrics.satisfaction(xr.DataArray(demand.values), xr.DataArray(withdrawal.values))
    return pd.Series(served.values, demand.index)


# --- words ----------------------------------------------------------------------------------


def _word(dataset: xr.Dataset, field: str, key: Any, lang: str) -> Any:
    if field == "month":
        return MONTHS[key - 1] if lang == "en" else f"Tháng {key}"
    if field == "season":
        return SEASONS[key][lang]
    if field in ("priority", "year"):
        return int(key)
    if field in ("region", "province", "sub_basin", "node", "sector", "demand", "plant"):
        return word(dataset, field, key, lang)
    return key


def word(dataset: xr.Dataset, of: str, name: str, lang: str = "en") -> str:
    """Name of a region, province, sector, node, link or demand in a language."""
    if not name:
        return WORDS["none"][lang]
    here = (dataset["word_of"].values == of) & (dataset["word_name"].values == name)
    return str(dataset[f"word_{lang}"].values[here][0]) if here.any() else name


def _check_statistic(stat: str, fields: Sequence[str]) -> None:
    is_quantile = re.fullmatch(r"q\d+(\.\d+)?", stat) and float(stat[1:]) <= 100
    if stat not in ("mean", *_QUANTILES) and not is_quantile:
        hint = or_do(suggest(stat, ["mean", *_QUANTILES]), "use mean, min, max, median, or q0 to "
                     "q100 as q10 for the 10 % quantile")  # fmt: skip
        raise InputError(
            [Fault(Position("stat"), "E390", f"unknown statistic of members '{stat}'{hint}")]
        )
    if stat != "mean" and "member" in fields:
        text = f"a table by member has no {stat} over members; leave out 'member', or the statistic"
        raise InputError([Fault(Position("stat"), "E390", text)])


def _check_fields(dataset: xr.Dataset, fields: Sequence[str], value: str) -> None:
    """Check that the fields are of what has the value: plants, or demands."""
    at = Position("value")
    if value in OF_PLANTS and not dataset.sizes.get("plant", 0):
        raise InputError([Fault(at, "E303", f"the result has no plants and so no {value}")])
    of_plants = ("member", "plant", *_BY_TIME)
    known = of_plants if value in OF_PLANTS else [f for f in FIELDS if f != "plant"]
    faults = [
        Fault(at, "E303", f"{value} does not go by '{field}'; it may go by {listed(known, 20)}")
        for field in fields
        if field not in known
    ]
    if faults:
        raise InputError(faults)


def _check_words(rows: Sequence[str], columns: str | None, value: str, lang: str) -> None:
    asked: list[tuple[str, str, Collection[str]]] = [("rows", field, FIELDS) for field in rows]
    asked += [("columns", columns, FIELDS)] if columns else []
    asked += [("value", value, VALUES), ("lang", lang, LANGUAGES)]
    faults = [
        Fault(
            Position(where),
            "E303",
            f"unknown word '{given}'{suggest(given, known) or f'; known: {listed(known, 20)}'}",
        )
        for where, given, known in asked
        if given not in known
    ]
    twice = {field for field in rows if [*rows, columns].count(field) > 1}
    faults += [
        Fault(Position("rows"), "E303", f"'{field}' is named twice; name each field once")
        for field in sorted(twice)
    ]
    if faults:
        raise InputError(faults)
