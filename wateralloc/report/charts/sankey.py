"""Sankey diagram: the water of the basin from where it enters to what becomes of it."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import (
    INK,
    NARROW,
    SECTORS,
    Drawing,
    by_member,
    computed,
    kept,
    of_member,
)
from wateralloc.report.charts.tracing import LOSS, OTHER, SEA, STORAGE, STORED, trace
from wateralloc.report.charts.view import View

WORDS = {
    "title": {"en": "Where the water comes from, and what becomes of it",
              "vi": "Nước từ đâu đến và đi đâu"},
    "unit": {"en": "hm³ a year", "vi": "triệu m³/năm"},
    STORAGE: {"en": "Drawn from storage", "vi": "Lấy từ dung tích trữ"},
    OTHER: {"en": "Rain on lakes, other", "vi": "Mưa trên mặt hồ, nguồn khác"},
    SEA: {"en": "Sea and outflow", "vi": "Ra biển, ra khỏi lưu vực"},
    LOSS: {"en": "Evaporation, losses", "vi": "Bốc hơi, tổn thất"},
    STORED: {"en": "Into storage", "vi": "Tích trữ thêm"},
    "none": {"en": "No sub-basin named", "vi": "Không rõ tiểu lưu vực"},
    "from": {"en": "From", "vi": "Từ"},
    "to": {"en": "To", "vi": "Đến"},
}  # fmt: skip
LEAST = 1e-6
"""Share of all water below which a flow is not drawn."""
GAP = 0.05
"""Room between two boxes, as a share of all water."""
STEPS = 24
"""Pieces of the curve of a ribbon."""


def volumes(view: View) -> tuple[list[str], list[str], np.ndarray]:
    """Sources, uses, and the volumes between them [hm3 a year] (season, choice, source, use)."""
    traced = view.once("traced", lambda: [trace(view.dataset, mask) for mask in view.season_masks])
    each = np.stack([view.with_all(one.volumes) for one in traced]) / view.years
    used = each.max(axis=(0, 1)) > LEAST * each[0, 0].sum()
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    sources = [_source_name(view, traced[0].sources[k]) for k in rows]
    uses = [_use_name(view, traced[0].uses[k]) for k in columns]
    return sources, uses, each[:, :, rows][:, :, :, columns]


def sankey(view: View) -> Any:
    """Draw the volumes from sub-basin to sector, sea, losses and storage, as of one year.

    Water is taken to be mixed where it meets (see :func:`trace`); of the sectors it is what they
    use up.
    """
    drawing = Drawing(view.lang, view.choice)
    sources, uses, each = volumes(view)
    data = [
        {"s": i, "u": j, "vs": by_member(each[:, :, i, j])}
        for i in range(len(sources)) for j in range(len(uses)) if each[:, :, i, j].any()
    ]  # fmt: skip
    unit = view.say(WORDS, "unit")
    steps: list[dict[str, Any]] = [
        *computed(v=of_member("vs", by_season=True)),
        kept("datum.v > 0"),
        {"joinaggregate": [{"op": "sum", "field": "v", "as": "total"}]},
        *(
            {"stack": "v", "groupby": [], "as": ends, "sort": [{"field": k} for k in order]}
            for ends, order in ((["l0", "l1"], "su"), (["r0", "r1"], "us"))
        ),
        *computed(
            l0=f"datum.l0 + {GAP} * datum.total * datum.s",
            l1=f"datum.l1 + {GAP} * datum.total * datum.s",
            r0=f"datum.r0 + {GAP} * datum.total * datum.u",
            r1=f"datum.r1 + {GAP} * datum.total * datum.u",
            source="sources[datum.s]",
            use="uses[datum.u]",
        ),
    ]
    beside = f"room < {NARROW} ? 0.03 : 0.42"  # room for labels, which else stand inside
    across = alt.Scale(domain=[alt.ExprRef(f"-({beside})"), alt.ExprRef(f"1 + ({beside})")],
                       nice=False)  # fmt: skip
    x = alt.X("x:Q", axis=None, scale=across)
    y_scale = alt.Scale(reverse=True, zero=True, nice=False)
    y = {"axis": None, "scale": y_scale}
    tint = alt.Color(
        "s:O", scale=alt.Scale(domain=list(range(len(sources))), range=list(SECTORS)), legend=None
    )
    tips = [
        alt.Tooltip("source:N", title=view.say(WORDS, "from")),
        alt.Tooltip("use:N", title=view.say(WORDS, "to")),
        alt.Tooltip("v:Q", title=unit, format=",.4~r"),
    ]
    curve = [
        *computed(x=f"sequence(0, 1.0001, {1 / STEPS})"),
        {"flatten": ["x"]},
        *computed(
            b="datum.x * datum.x * (3 - 2 * datum.x)",
            y0="datum.l0 + (datum.r0 - datum.l0) * datum.b",
            y1="datum.l1 + (datum.r1 - datum.l1) * datum.b",
        ),
    ]
    ribbons = (
        drawing.chart(data, *steps, *curve)
        .mark_area(opacity=0.45, aria=False)
        .encode(
            x=x, y=alt.Y("y0:Q", stack=None, **y), y2=alt.Y2("y1"), color=tint,
            detail=[alt.Detail("s:O"), alt.Detail("u:O")], tooltip=tips,
        )
    )  # fmt: skip
    layers = [ribbons]
    for side, at, ends, aligns, edges, word in (
        ("s", (-0.02, 0.0), ("l0", "l1"), ("left", "right"), (0.01, -0.03), "source"),
        ("u", (1.0, 1.02), ("r0", "r1"), ("right", "left"), (0.99, 1.03), "use"),
    ):
        number = "format(datum.sum, ',.4~r')"
        sums = [("min", ends[0], "y0"), ("max", ends[1], "y1"), ("sum", "v", "sum")]
        boxes = drawing.chart(
            data, *steps,
            {"groupby": [side, word],
             "aggregate": [{"op": op, "field": of, "as": name} for op, of, name in sums]},
            *computed(
                x=str(at[0]), x2=str(at[1]), middle="(datum.y0 + datum.y1) / 2",
                label=f"datum.{word} + '  ' + {number}",
                edge=f"room < {NARROW} ? {edges[0]} : {edges[1]}",
            ),
        )  # fmt: skip
        layers.append(
            boxes.mark_rect(color=INK).encode(
                x=x, x2=alt.X2("x2"), y=alt.Y("y0:Q", **y), y2=alt.Y2("y1"),
                description="label:N",
                tooltip=[alt.Tooltip(f"{word}:N", title=" "),
                         alt.Tooltip("sum:Q", title=unit, format=",.4~r")],
            )
        )  # fmt: skip
        layers.append(
            boxes.mark_text(
                aria=False, align=alt.ExprRef(f"room < {NARROW} ? '{aligns[0]}' : '{aligns[1]}'"),
                baseline="middle", color=INK,
                fontSize=alt.ExprRef(f"room < {NARROW} ? 9 : 12"),
                limit=alt.ExprRef(f"width * (room < {NARROW} ? 0.48 : 0.235)"),
            ).encode(
                x=alt.X("edge:Q", axis=None, scale=across), y=alt.Y("middle:Q", **y),
                text=alt.Text("label:N"),
            )
        )  # fmt: skip
    title = f"{view.say(WORDS, 'title')} [{unit}]"
    return drawing.finish(layers, title, 380, names={"sources": sources, "uses": uses})


def _source_name(view: View, name: str) -> str:
    if name in WORDS:
        return view.say(WORDS, name)
    return view.name("sub_basin", name) if name else view.say(WORDS, "none")


def _use_name(view: View, name: str) -> str:
    return view.say(WORDS, name) if name in WORDS else view.name("sector", name)
