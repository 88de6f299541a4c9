"""Waterfalls: from what is asked to what is given, and what each clause changes in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import INK, LACK, SOFT, WATER, Drawing, compact

ROW, BAR = 40, 16
"""Heights of a row, its label above its bar, and of the bar [px]."""


def waterfall(
    title: str,
    unit: str,
    labels: Sequence[str],
    taken: Sequence[float],
    requested: float,
    delivered: float,
    lang: str = "en",
) -> Any:
    """Draw what is asked, what each clause takes of it, and what is given.

    Parameters
    ----------
    labels : of what is asked, of each clause, and of what is given
    taken : by each clause [unit]
    """
    drawing = Drawing(lang)
    left = requested - np.cumsum(np.asarray(taken, float))
    starts = np.concatenate([[0.0], left, [0.0]])
    widths = np.concatenate([[requested], taken, [delivered]])
    kinds = ["asked", *["taken"] * len(left), "given"]
    rows = [
        {"o": k, "n": label, "a": compact(start),
         "z": compact(start + width), "v": compact(width), "k": kind}
        for k, (label, start, width, kind) in enumerate(
            zip(labels, starts, widths, kinds, strict=True)
        )
    ]  # fmt: skip
    base = drawing.chart(rows).encode(y=alt.Y("o:O", axis=None))
    scale = alt.Scale(domain=[0, 1.25 * requested], nice=False)
    bars = base.mark_bar(height=BAR, yOffset=BAR / 2).encode(
        x=alt.X("a:Q", title=unit, scale=scale, axis=alt.Axis(tickCount=5)),
        x2=alt.X2("z"),
        color=alt.Color("k:N", legend=None, scale=alt.Scale(
            domain=["asked", "taken", "given"], range=[SOFT, LACK, WATER])),
        tooltip=[alt.Tooltip("n:N", title=" "), alt.Tooltip("v:Q", title=unit, format=",.4~r")],
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4, dy=BAR / 2, aria=False).encode(
        x=alt.X("z:Q", scale=scale), text=alt.Text("v:Q", format=",.4~r")
    )
    names = base.mark_text(
        align="left", dx=2, dy=-BAR / 2, color=INK, aria=False, limit=alt.ExprRef("width")
    ).encode(x=alt.XDatum(0, scale=scale), text=alt.Text("n:N"))
    return drawing.finish(
        [bars, numbers, names], title, ROW * len(rows), description=f"{title} [{unit}]"
    )


def divided(
    title: str,
    unit: str,
    labels: Sequence[str],
    shares: Sequence[float],
    errors: Sequence[float],
    lang: str,
) -> Any:
    """Draw a change that is divided over clauses, one after another, and the whole of it.

    Parameters
    ----------
    labels : of each clause, and of the whole
    shares : of each clause [unit]
    errors : standard errors of the shares [unit]
    """
    drawing = Drawing(lang)
    ends = np.cumsum(np.asarray(shares, float))
    total = float(ends[-1]) if ends.size else 0.0
    starts = np.concatenate([ends - shares, [0.0]])
    kinds = [*("more" if share > 0 else "less" for share in shares), "all"]
    rows = [
        {"o": k, "n": label, "a": compact(start), "z": compact(start + width),
         "v": compact(width), "e": compact(error), "k": kind}
        for k, (label, start, width, error, kind) in enumerate(
            zip(labels, starts, [*shares, total], [*errors, 0.0], kinds, strict=True)
        )
    ]  # fmt: skip
    base = drawing.chart(rows).encode(
        y=alt.Y("n:N", sort=alt.SortField("o"), title=None,
                axis=alt.Axis(domain=False, ticks=False, grid=False, labelLimit=alt.ExprRef(
                    "width < 420 ? 130 : 250"))),
    )  # fmt: skip
    marks = [*starts, *ends, total, 0.0]
    room = 0.28 * (max(marks) - min(marks))
    scale = alt.Scale(domain=[min(marks) - room, max(marks) + room], nice=False)
    bars = base.mark_bar(height=alt.RelativeBandSize(0.66)).encode(
        x=alt.X("a:Q", title=unit, scale=scale),
        x2=alt.X2("z"),
        color=alt.Color("k:N", legend=None, scale=alt.Scale(
            domain=["more", "less", "all"], range=[LACK, WATER, SOFT])),
        tooltip=[
            alt.Tooltip("n:N", title=" "), alt.Tooltip("v:Q", title=unit, format="+,.4~r"),
            *([alt.Tooltip("e:Q", title="±", format=",.2~r")] if any(errors) else []),
        ],
    )  # fmt: skip
    numbers = [
        base.transform_filter(f"datum.v {sign} 0")
        .mark_text(align=side, dx=shift, aria=False, color=INK)
        .encode(x=alt.X("z:Q", scale=scale), text=alt.Text("v:Q", format="+,.4~r"))
        for sign, side, shift in ((">=", "left", 4), ("<", "right", -4))
    ]
    return drawing.finish(
        [bars, *numbers], title, 26 * len(rows), description=f"{title} [{unit}]"
    )  # fmt: skip
