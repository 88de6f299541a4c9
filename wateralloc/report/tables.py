"""Tables for people: who got how much, by region, sector, month, in English or Vietnamese.

Volumes are means over members and, for a horizon of several years, means per year, unless the table
itself goes by member or by year.  Ratios are ratios of those volumes, never means of ratios.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import metrics
from wateralloc.errors import Fault, InputError, Position, listed, suggest
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
    "node": {"en": "Node", "vi": "Nút"},
    "demand": {"en": "User", "vi": "Hộ dùng nước"},
    "sector": {"en": "Sector", "vi": "Ngành"},
    "priority": {"en": "Priority", "vi": "Mức ưu tiên"},
    "plant": {"en": "Plant", "vi": "Nhà máy"},
    "year": {"en": "Water year", "vi": "Năm thủy văn"},
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
}
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
_BY_TIME = ("year", "month", "dekad", "period")


def pivot(
    results: Results,
    rows: Sequence[str] = ("region", "sector"),
    columns: str | None = None,
    value: str = "deficit",
    lang: str = "en",
) -> pd.DataFrame:
    """Sum up the allocation by the fields named.

    Parameters
    ----------
    rows : fields of the rows, from the outermost: ``member``, ``region``, ``province``, ``node``,
        ``demand``, ``sector``, ``priority``, ``year``, ``month``, ``dekad``, ``period``; those of
        energy ``plant`` in place of what names users
    columns : field of the columns; None: one column with the heading of the value
    value : ``demand``, ``withdrawal``, ``deficit``, ``satisfaction``, ``consumption``,
        ``return_flow``; of plants ``energy``, ``energy_spilled``, ``energy_value``
    lang : ``en`` or ``vi``

    Returns
    -------
    DataFrame
        Rows and columns in the order of the basin and of time; ``attrs["unit"]`` is the unit.  What
        does not exist in a row and column (a sector that a region does not have) is NaN.

    Raises
    ------
    InputError
        A field, value or language is unknown.

    Notes
    -----
    A volume is a mean over members, unless `member` is a field; in a horizon longer than a year it
    is a mean per year (of a month or dekad: over those it has), unless `year` or `period` is a
    field.
    """
    if value in OF_PLANTS and tuple(rows) == ("region", "sector"):
        rows = ("plant",)
    fields = [*rows, *([columns] if columns else [])]
    _check_words(rows, columns, value, lang)
    dataset = results.dataset
    _check_fields(dataset, fields, value)
    parts = ("demand", "withdrawal") if value == "satisfaction" else (value,)
    sums = _sums(dataset, fields, parts)
    is_ratio = value == "satisfaction"
    numbers = _ratio(sums["demand"], sums["withdrawal"]) if is_ratio else sums[value]
    heading = VALUES[value][lang]
    if columns and rows:
        table = numbers.unstack(columns, sort=False)
        table = table[[key for key in _keys_in_order(dataset, columns) if key in table.columns]]
    elif columns:
        table = numbers.to_frame(heading).T
    else:
        table = numbers.to_frame(heading)
    table.index = _labels(dataset, table.index, rows, lang) if rows else pd.Index([heading])
    if columns:
        table.columns = _labels(dataset, table.columns, [columns], lang)
    unit = "1" if is_ratio else _unit(dataset, fields, value)
    table.attrs["unit"] = UNITS[unit][lang]
    if value == "energy_value":
        table.attrs["unit"] += f" {dataset.attrs['currency']}"
    return table


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


def _sums(dataset: xr.Dataset, fields: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """Volumes by the keys of the fields, in the order of basin and time."""
    by_member = "member" in fields
    volumes = {
        name: dataset[f"{name}_volume" if name == "demand" else name] for name in values
    }  # fmt: skip
    per_year = _years(dataset, fields)
    columns: dict[str, np.ndarray] = {}
    item = "plant" if set(values) & set(OF_PLANTS) else "demand"
    dims = ("member", "time", item) if by_member else ("time", item)
    shape = tuple(dataset.sizes[dim] for dim in dims)
    for field in fields:
        keys, dim = _keys(dataset, field)
        view = [-1 if d == dim else 1 for d in dims]
        columns[field] = np.broadcast_to(keys.reshape(view), shape).ravel()
    numbers = {}
    for name, volume in volumes.items():
        mean = volume if by_member else volume.mean("member")
        each = mean.transpose(*dims).values / per_year[:, None]
        numbers[name] = each.ravel()
    if not fields:
        return pd.DataFrame({name: [array.sum()] for name, array in numbers.items()})
    frame = pd.DataFrame({**columns, **{f"value {name}": array for name, array in numbers.items()}})
    sums = frame.groupby(list(fields), sort=False).sum()
    sums.columns = list(values)
    keys_in_order = [_keys_in_order(dataset, field) for field in fields]
    ranks = [
        pd.Index(order).get_indexer(sums.index.get_level_values(field))
        for field, order in zip(fields, keys_in_order, strict=True)
    ]
    return sums.iloc[np.lexsort(ranks[::-1])]


def _keys(dataset: xr.Dataset, field: str) -> tuple[np.ndarray, str]:
    """Key of a field along its dimension."""
    if field == "member":
        return dataset["member"].values.astype(object), "member"
    if field in _BY_TIME:
        days = dataset["time"].values.astype("datetime64[D]")
        if field == "year":
            return dataset["water_year"].values, "time"
        if field == "month":
            return days.astype("datetime64[M]").astype(int) % 12 + 1, "time"
        text = np.datetime_as_string(days).astype(object)
        return np.array([t[5:] if field == "dekad" else t for t in text], object), "time"
    if field == "plant":
        return dataset["plant"].values.astype(object), "plant"
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


def _years(dataset: xr.Dataset, fields: Sequence[str]) -> np.ndarray:
    """Number of years over which the volumes of each period are a mean (time)."""
    n_periods = dataset.sizes["time"]
    if "year" in fields or "period" in fields:
        return np.ones(n_periods)
    if "month" in fields or "dekad" in fields:
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


def _labels(dataset: xr.Dataset, index: pd.Index, fields: Sequence[str], lang: str) -> pd.Index:
    """Keys of an index as words."""
    names = [FIELDS[field][lang] for field in fields]
    levels = [
        [_word(dataset, field, key, lang) for key in index.get_level_values(field)]
        for field in fields
    ]
    if len(fields) == 1:
        return pd.Index(levels[0], name=names[0])
    return pd.MultiIndex.from_arrays(levels, names=names)


def _word(dataset: xr.Dataset, field: str, key: Any, lang: str) -> Any:
    if field == "month":
        return MONTHS[key - 1] if lang == "en" else f"Tháng {key}"
    if field in ("priority", "year"):
        return int(key)
    if field in ("region", "province", "node", "sector", "demand", "plant"):
        return word(dataset, field, key, lang)
    return key


def word(dataset: xr.Dataset, of: str, name: str, lang: str = "en") -> str:
    """Name of a region, province, sector, node, link or demand in a language."""
    if not name:
        return WORDS["none"][lang]
    here = (dataset["word_of"].values == of) & (dataset["word_name"].values == name)
    return str(dataset[f"word_{lang}"].values[here][0]) if here.any() else name


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
