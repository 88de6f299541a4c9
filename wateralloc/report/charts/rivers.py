"""Reservoirs and rivers: storage, flow, level, and how often a flow is exceeded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import (
    DEEP,
    NUMBERED,
    WATER,
    Drawing,
    colour,
    compact,
    computed,
    kept,
    named,
)
from wateralloc.report.charts.traces import Limit, member_rows, traces, with_end
from wateralloc.report.charts.view import View
from wateralloc.units import SECONDS_PER_DAY, m3s_of_hm3

WORDS = {
    "storage": {"en": "storage", "vi": "dung tích trữ"},
    "hm3": {"en": "hm³", "vi": "triệu m³"},
    "largest": {"en": "largest storage by date", "vi": "dung tích lớn nhất cho phép"},
    "least": {"en": "least storage by date", "vi": "dung tích nhỏ nhất cho phép"},
    "flow": {"en": "flow", "vi": "lưu lượng"},
    "level": {"en": "river level", "vi": "mực nước sông"},
    "by": {"en": "by the flow at", "vi": "theo lưu lượng tại"},
    "exceeded": {"en": "share of time with at least this flow",
                 "vi": "tỷ lệ thời gian có lưu lượng không nhỏ hơn"},
    "all": {"en": "all members", "vi": "tất cả kịch bản"},
    "chosen": {"en": "chosen member", "vi": "kịch bản được chọn"},
    "duration": {"en": "flow duration", "vi": "đường duy trì lưu lượng"},
    "value": {"en": "result", "vi": "kết quả"},
}  # fmt: skip
MOST_DRAWN = 12
"""Reservoirs, or places on the river, that are drawn unasked; the largest."""
SHARES = np.linspace(0.0, 1.0, 101)
FEW_DECADES = 300
"""Ratio of the largest flow to the least below which an axis has several numbers in a decade."""
ALIKE = 1e-6
"""Relative difference up to which a rule speaks of the flow or storage that is drawn."""


# --- reservoirs -----------------------------------------------------------------------------


def reservoirs_drawn(view: View) -> list[str]:
    """Reservoirs that are drawn unasked: the largest, in the order of the basin."""
    names = [str(name) for name in view.dataset["reservoir"].values]
    most = view.dataset["storage_end"].max(("member", "time")).values
    kept = set(np.argsort(-most, kind="stable")[:MOST_DRAWN].tolist())
    return [name for k, name in enumerate(names) if k in kept]


def reservoir(view: View, name: str) -> Any:
    """Draw the storage of a reservoir with its limits by date and what rules ask of it."""
    dataset = view.dataset
    one = dataset.sel(reservoir=name)
    start, end = one["storage_start"].values[:, :1], one["storage_end"].values
    limits = []
    if name in dataset["reservoir_with_limit"].values:
        place = list(dataset["reservoir_with_limit"].values).index(name)
        most = dataset["storage_most"].values[:, :, place].max(axis=0)
        limits.append(Limit(view.say(WORDS, "largest"), np.append(most[:1], most)))
    least = one["storage_least"].values.min(axis=0)
    limits.append(Limit(view.say(WORDS, "least"), np.append(least[:1], least)))
    for label, values in _asked(view, name, end, "hm3"):
        limits.append(Limit(label, np.append(values[:1], values)))
    title = f"{view.name('node', name)}: {view.say(WORDS, 'storage')}"
    values = np.concatenate([start, end], axis=1)
    return traces(view, title, view.say(WORDS, "hm3"), view.edges, values, limits)


# --- rivers ---------------------------------------------------------------------------------


def flow_of(view: View, node: str) -> np.ndarray:
    """Mean flow that the river carries on from a node [m3/s] (member, time)."""
    volume = view.dataset["river_flow"].sel(node=node).values
    return m3s_of_hm3(volume, view.dataset["days"].values * SECONDS_PER_DAY)


def nodes_drawn(view: View) -> list[str]:
    """Places on the river that are drawn unasked.

    Those of kind ``control``, where a level is read, and whose flow a rule names; the largest flows
    first.
    """
    dataset = view.dataset
    asked = set(dataset["node"].values[dataset["node_kind"].values == "control"])
    if "rating_node" in dataset:
        asked |= set(dataset["rating_node"].values) | set(dataset["rating_flow_at"].values)
    asked |= set(dataset["rule_at"].values[dataset["rule_unit"].values == "m3s"])
    found = [str(node) for node in dataset["node"].values if node in asked]
    mean = {node: float(flow_of(view, node).mean()) for node in found}
    found = sorted((node for node in found if mean[node] > 0), key=lambda node: -mean[node])
    return found[:MOST_DRAWN]


def flow(view: View, node: str) -> Any:
    """Draw the flow of the river past a node, with what rules ask of it."""
    values = flow_of(view, node)
    limits = [Limit(label, of) for label, of in _asked(view, node, values, "m3s")]
    title = f"{view.name('node', node)}: {view.say(WORDS, 'flow')}"
    return traces(view, title, "m³/s", view.edges, values, limits, is_step=True)


def ratings_drawn(view: View) -> list[str]:
    """Ratings of the riverbed of the case."""
    if "rating_is_current" not in view.dataset:
        return []
    current = view.dataset["rating_is_current"].values == 1
    return [str(name) for name in view.dataset["rating"].values[current]]


def level(view: View, rating: str) -> Any:
    """Draw the level of the river by a rating, with the levels of its rules.

    What a rule asks is a flow; its level is read from the results, where they come to that flow.
    """
    one = view.dataset.sel(rating=rating)
    node, flow_at = str(one["rating_node"].item()), str(one["rating_flow_at"].item())
    values = one["river_level"].values
    limits = []
    flows = flow_of(view, flow_at)
    order = np.argsort(flows.ravel())
    for label, asked in _asked(view, flow_at, flows, "m3s"):
        at = np.interp(asked, flows.ravel()[order], values.ravel()[order], np.nan, np.nan)
        limits.append(Limit(label, at))
    title = f"{view.name('node', node)}: {view.say(WORDS, 'level')}"
    if flow_at != node:
        title += f" ({view.say(WORDS, 'by')} {view.name('node', flow_at)})"
    return traces(view, title, "m", view.edges, values, limits, is_step=True, from_zero=False)


def duration(view: View, node: str) -> Any:
    """Draw how often a flow is reached or exceeded: over all members, and in the one chosen."""
    drawing = Drawing(view.lang, view.choice)
    values = flow_of(view, node)
    both = [values[:, mask] for mask in view.season_masks]
    names = [view.say(WORDS, "all"), view.say(WORDS, "chosen")]
    names = names if view.is_ensemble else [view.say(WORDS, "value")]
    tint = colour(names, [WATER, DEEP] if view.is_ensemble else [WATER])
    x = alt.X("p:Q", title=view.say(WORDS, "exceeded"), axis=alt.Axis(format=".0%"),
              scale=alt.Scale(domain=[0, 1]))  # fmt: skip
    y = alt.Y("v:Q", title="m³/s", **_flow_axis(float(values.min()), float(values.max())))
    layers = []
    if view.is_ensemble:
        pooled = [
            {"s": s, "v": one}
            for s, one in enumerate(compact([np.quantile(of, 1.0 - SHARES) for of in both]))
        ]
        steps = [
            kept("datum.s == season"), {"flatten": ["v"]}, NUMBERED,
            *computed(p=f"(datum.i - 1) / {SHARES.size - 1}"),
        ]  # fmt: skip
        layers.append(_curve(drawing, pooled, steps, names[0], tint, (x, y)))
    # those of a member are the flows that its hydrograph has
    ranked = [
        kept("datum.m == member"), {"flatten": ["v"]}, NUMBERED,
        kept("datum.i <= length(seasons) && (season == 0 || seasons[datum.i - 1] == season)"),
        {"window": [{"op": "row_number", "as": "rank"}],
         "sort": [{"field": "v", "order": "descending"}]},
        {"joinaggregate": [{"op": "count", "as": "n"}]},
        *computed(p="datum.rank / (datum.n + 1)"),
    ]  # fmt: skip
    layers.append(
        _curve(drawing, member_rows(view, with_end(values)), ranked, names[-1], tint, (x, y))
    )
    title = f"{view.name('node', node)}: {view.say(WORDS, 'duration')}"
    seasons = (
        view.season_masks[1:].argmax(axis=0) + 1 if view.seasons else np.zeros(view.starts.size)
    )
    return drawing.finish(
        layers, title, 190, names={"seasons": compact(seasons)}, description=f"{title} [m³/s]"
    )


def _flow_axis(low: float, high: float) -> dict[str, Any]:
    """Scale and axis of flows: logarithmic, with round numbers, where none is zero."""
    if low <= 0:
        scale = alt.Scale(domain=[0, high if high > 0 else 1.0], nice=True)
        return {"scale": scale, "axis": alt.Axis(tickCount=4)}
    high = max(high, 1.01 * low)
    steps = (1, 2, 5) if high / low < FEW_DECADES else (1,)
    first, last = (int(np.floor(np.log10(of))) for of in (low, high))
    ticks = [step * 10.0**k for k in range(first, last + 1) for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return {"scale": scale, "axis": alt.Axis(values=ticks, format=",.4~r") if ticks else alt.Axis()}


def _curve(
    drawing: Drawing,
    rows: list[dict[str, Any]],
    steps: list[dict[str, Any]],
    name: str,
    tint: Any,
    encodings: tuple[Any, Any],
) -> Any:
    """Draw flows ``v`` by the share of time ``p`` in which they are exceeded."""
    x, y = encodings
    return (
        drawing.chart(rows, *steps, named(name))
        .mark_line(strokeWidth=2, aria=False, point=alt.OverlayMarkDef(opacity=0, size=40))
        .encode(
            x=x, y=y, color=tint,
            tooltip=[alt.Tooltip("p:Q", title="%", format=".0%"),
                     alt.Tooltip("v:Q", title=f"{name}, m³/s", format=",.4~r")],
        )
    )  # fmt: skip


def _asked(
    view: View, place: str, achieved: np.ndarray, unit: str
) -> Iterator[tuple[str, np.ndarray]]:
    """What rules ask of the flow or storage at a place, period by period (time), NaN elsewhere.

    Only rules whose results say that they speak of this very quantity; of several members the
    largest that is asked.

    Parameters
    ----------
    achieved : the quantity (member, time)
    """
    dataset = view.dataset
    here = (dataset["rule_at"].values == place) & (dataset["rule_unit"].values == unit)
    label = dataset["rule"].values
    for name in dict.fromkeys(label[here]):
        rows = np.flatnonzero(here & (label == name))
        starts = dataset["rule_start"].values[rows].astype("datetime64[D]")
        periods = np.searchsorted(view.starts, starts)
        ends = dataset["rule_end"].values[rows].astype("datetime64[D]")
        is_period = bool((ends < view.edges[periods + 1]).all())
        told = dataset["achieved"].values[:, rows]
        if not is_period or not np.allclose(told, achieved[:, periods], rtol=ALIKE, atol=ALIKE):
            continue
        values = np.full(view.starts.size, np.nan)
        values[periods] = dataset["required"].values[:, rows].max(axis=0)
        yield str(name), values
