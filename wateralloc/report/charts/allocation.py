"""Who got how much: satisfaction by province and month, deficits by member, energy by month."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import (
    INK,
    LACK,
    NARROW,
    SECTORS,
    SHORTAGE,
    SHORTAGE_FROM,
    TIME_LOCALE,
    Drawing,
    by_member,
    class_colour,
    classed,
    compact,
    computed,
    kept,
    of_member,
    shown_if,
)
from wateralloc.report.charts.view import View
from wateralloc.report.tables import years_of

WORDS = {
    "satisfaction": {"en": "Satisfaction of demand, %", "vi": "Mức đáp ứng nhu cầu, %"},
    "by month": {"en": "by province and month", "vi": "theo tỉnh và tháng"},
    "month": {"en": "Month", "vi": "Tháng"},
    "province": {"en": "Province", "vi": "Tỉnh"},
    "demand": {"en": "Demand, hm³", "vi": "Nhu cầu, triệu m³"},
    "deficit": {"en": "Deficit, hm³", "vi": "Thiếu hụt, triệu m³"},
    "deficits": {"en": "Deficit of each member", "vi": "Thiếu hụt của từng kịch bản thủy văn"},
    "a year": {"en": "hm³ a year", "vi": "triệu m³/năm"},
    "member": {"en": "Member", "vi": "Kịch bản"},
    "members": {"en": "members, from the largest deficit",
                "vi": "kịch bản, xếp từ thiếu hụt lớn nhất"},
    "region": {"en": "Region", "vi": "Vùng"},
    "energy": {"en": "Energy by month", "vi": "Điện lượng theo tháng"},
    "plant": {"en": "Plant", "vi": "Nhà máy"},
    "GWh": {"en": "GWh", "vi": "GWh"},
}  # fmt: skip
NAMED = 40
"""Members whose names stand below their bars."""


def month_places(view: View) -> tuple[list[int], np.ndarray]:
    """Months in the order of the horizon, and the place among them of each period (time)."""
    months = view.starts.astype("datetime64[M]").astype(int) % 12 + 1
    order = list(dict.fromkeys(months.tolist()))
    if len(order) == 12:
        start = int(view.dataset.attrs["water_year_start"])
        order = [(start - 1 + k) % 12 + 1 for k in range(12)]
    return order, np.array([order.index(month) for month in months.tolist()])


def by_month(view: View, values: np.ndarray) -> np.ndarray:
    """Sums of each month (choice, month, item), mean over the years that have it.

    Parameters
    ----------
    values : (member, time, item)
    """
    order, places = month_places(view)
    years = years_of(view.dataset, ["month"])
    sums = np.zeros((values.shape[0], len(order), values.shape[2]))
    for t, place in enumerate(places.tolist()):
        sums[:, place] += values[:, t] / years[t]
    return view.with_all(sums)


def grouped(values: np.ndarray, keys: np.ndarray, order: list[str]) -> np.ndarray:
    """Sum the last axis by key, in an order of keys."""
    return np.stack([values[..., keys == key].sum(axis=-1) for key in order], axis=-1)


# --- satisfaction ---------------------------------------------------------------------------


def provinces(view: View) -> tuple[str, list[str], np.ndarray]:
    """Field, its keys in the order of the basin, and the key of each demand.

    Provinces; where the basin names none, its regions.
    """
    for field in ("province", "region"):
        keys = view.dataset[field].values.astype(str)
        found = [key for key in dict.fromkeys(keys.tolist()) if key]
        if found:
            of, name = view.dataset["word_of"].values, view.dataset["word_name"].values
            known = [str(key) for key in name[of == field] if key in found]
            return field, list(dict.fromkeys([*known, *found])), keys
    return "region", [""], np.full(view.dataset.sizes["demand"], "")


def heat_map(view: View) -> Any:
    """Draw the satisfaction of each province in each month of the year, over all its users."""
    drawing = Drawing(view.lang, view.choice)
    field, order, keys = provinces(view)
    demand = by_month(view, grouped(view.dataset["demand_volume"].values, keys, order))
    lack = by_month(view, grouped(view.dataset["deficit"].values, keys, order))
    months, _ = month_places(view)
    names = [view.name(field, key) for key in order]
    labels = [TIME_LOCALE[view.lang]["shortMonths"][month - 1] for month in months]
    seasons = [_season_place(view, month) for month in months]
    data = [
        {"key": f"{order[i]}/{months[j]}", "p": names[i], "t": labels[j], "s": seasons[j],
         "ds": by_member(demand[:, j, i], 5), "ls": by_member(lack[:, j, i], 5)}
        for i in range(len(order)) for j in range(len(months)) if demand[0, j, i] > 1e-9
    ]  # fmt: skip
    base = (
        drawing.chart(
            data, kept("season == 0 || datum.s == season"),
            *computed(
                d=of_member("ds"), l=of_member("ls"), v="datum.d > 0 ? 1 - datum.l / datum.d : 1",
                text="datum.v >= 0.9995 ? '' : format(datum.v * 100, '.0f')",
                said="datum.p + ', ' + datum.t + ': ' + format(datum.v, '.1%')",
            ),
            classed("v", SHORTAGE_FROM),
            apart=("ds", "ls"),
        )
        .encode(
            x=alt.X("t:O", sort=labels, title=None,
                    axis=_month_axis(orient="top", domain=False, ticks=False)),
            y=alt.Y("p:N", sort=names, title=None, axis=alt.Axis(domain=False, ticks=False)),
        )
    )  # fmt: skip
    title = view.say(WORDS, "satisfaction")
    tips = [
        alt.Tooltip("p:N", title=view.say(WORDS, "province")),
        alt.Tooltip("t:O", title=view.say(WORDS, "month")),
        alt.Tooltip("v:Q", title=title, format=".1%"),
        alt.Tooltip("d:Q", title=view.say(WORDS, "demand"), format=",.4~r"),
        alt.Tooltip("l:Q", title=view.say(WORDS, "deficit"), format=",.4~r"),
    ]
    cells = base.mark_rect(stroke="white", strokeWidth=1.5, cornerRadius=2).encode(
        color=class_colour(SHORTAGE_FROM, SHORTAGE, title, last="100 %"),
        description="said:N",
        tooltip=tips,
    )
    numbers = base.mark_text(
        aria=False, fontSize=alt.ExprRef(f"room < {NARROW} ? 7 : 10.5")
    ).encode(
        text=alt.Text("text:N"),
        tooltip=tips,  # also where a number covers its cell
        color=alt.ColorValue(INK, condition={"test": "datum.v < 0.75", "value": "white"}),
    )
    title = f"{title}, {view.say(WORDS, 'by month')}"
    return drawing.finish([cells, numbers], title, max(60, 19 * len(order)))


def _month_axis(**more: Any) -> Any:
    """Axis of months; where there is little room their names are short and small."""
    return alt.Axis(
        labelAngle=0,
        labelFontSize=alt.ExprRef(f"room < {NARROW} ? 8 : 11"),
        labelExpr=f"room < {NARROW} ? replace(datum.label, 'th. ', '') : datum.label",
        **more,
    )


def _season_place(view: View, month: int) -> int:
    """Place of the season of a month among the choices, 0 where there is no choice."""
    months = view.starts.astype("datetime64[M]").astype(int) % 12 + 1
    here = np.flatnonzero(months == month)[0]
    found = np.flatnonzero(view.season_masks[1:, here])
    return int(found[0]) + 1 if found.size else 0


# --- deficits by member ---------------------------------------------------------------------


def member_deficits(view: View) -> Any:
    """Draw the deficit of each member, by region, from the largest to the smallest."""
    drawing = Drawing(view.lang, view.choice)
    keys = view.dataset["region"].values.astype(str)
    order = list(dict.fromkeys(keys.tolist()))
    deficit = view.dataset["deficit"].values
    sums = np.stack(
        [grouped(deficit[:, mask].sum(axis=1), keys, order) for mask in view.season_masks]
    ) / view.years  # fmt: skip
    names = [view.name("region", key) for key in order]
    first = 1 if view.is_ensemble else 0
    data = [
        {"key": f"{k}/{i}", "m": first + k, "n": name, "r": region, "vs": compact(sums[:, k, i])}
        for k, name in enumerate(view.members) for i, region in enumerate(names)
    ]  # fmt: skip
    is_named = len(view.members) <= NAMED
    unit = view.say(WORDS, "a year")
    axis = alt.Axis(labelAngle=-60, labelOverlap=True) if is_named else None
    chart = (
        drawing.chart(
            data,
            *computed(
                v="datum.vs[season]",
                said="datum.n + ', ' + datum.r + ': ' + format(datum.v, ',.4~r')",
            ),
            apart=("vs",),
        )
        .mark_bar()
        .encode(
            x=alt.X(
                "n:N", sort=alt.EncodingSortField("v", op="sum", order="descending"), axis=axis,
                title=view.say(WORDS, "members"), scale=alt.Scale(padding=0.15 if is_named else 0),
            ),
            y=alt.Y("v:Q", title=unit),
            color=alt.Color("r:N", sort=names, title=None,
                            scale=alt.Scale(domain=names, range=[LACK, *SECTORS])),
            description="said:N",
            tooltip=[
                alt.Tooltip("n:N", title=view.say(WORDS, "member")),
                alt.Tooltip("r:N", title=view.say(WORDS, "region")),
                alt.Tooltip("v:Q", title=f"{view.say(WORDS, 'deficit')}", format=",.4~r"),
            ],
        )
    )  # fmt: skip
    chosen = {"test": "member == 0 || datum.m == member"}
    title = f"{view.say(WORDS, 'deficits')} [{unit}]"
    return drawing.finish([shown_if(chart, chosen, 1.0, 0.3)], title, 200)


# --- energy ---------------------------------------------------------------------------------


def energy(view: View) -> Any:
    """Draw the energy of each plant by month of the year, one plant upon the other."""
    drawing = Drawing(view.lang, view.choice)
    plants = [str(name) for name in view.dataset["plant"].values]
    values = by_month(view, view.dataset["energy"].values)
    most = np.argsort(-values[0].sum(axis=0), kind="stable")
    months, _ = month_places(view)
    labels = [TIME_LOCALE[view.lang]["shortMonths"][month - 1] for month in months]
    names = [view.name("plant", plants[k]) for k in most]
    data = [
        {"key": f"{plants[k]}/{months[j]}", "p": names[place], "o": place, "t": label,
         "vs": by_member(values[:, j, k])}
        for place, k in enumerate(most) for j, label in enumerate(labels)
    ]  # fmt: skip
    base = drawing.chart(
        data,
        *computed(
            v=of_member("vs"),
            said="datum.p + ', ' + datum.t + ': ' + format(datum.v, ',.4~r') + ' GWh'",
        ),
        apart=("vs",),
    ).encode(x=alt.X("t:O", sort=labels, title=None, axis=_month_axis()))
    colours = [*SECTORS, *SECTORS][: len(names)]
    bars = base.mark_bar(stroke="white", strokeWidth=0.5).encode(
        y=alt.Y("v:Q", title="GWh"),
        order=alt.Order("o:Q"),
        description="said:N",
        color=alt.Color("p:N", sort=names, title=None,
                        scale=alt.Scale(domain=names, range=colours)),
        tooltip=[
            alt.Tooltip("p:N", title=view.say(WORDS, "plant")),
            alt.Tooltip("t:O", title=view.say(WORDS, "month")),
            alt.Tooltip("v:Q", title="GWh", format=",.4~r"),
        ],
    )  # fmt: skip
    return drawing.finish([bars], f"{view.say(WORDS, 'energy')} [GWh]", 220)
