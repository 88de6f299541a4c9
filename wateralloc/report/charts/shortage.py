"""What an explanation says, as a waterfall: from what is asked to what is given."""

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
        {"o": k, "n": label, "a": compact(start), "z": compact(start + width),
         "v": compact(width), "k": kind}
        for k, (label, start, width, kind) in enumerate(
            zip(labels, starts, widths, kinds, strict=True)
        )
    ]  # fmt: skip
    base = drawing.chart(rows).encode(y=alt.Y("o:O", axis=None))
    scale = alt.Scale(domain=[0, 1.25 * requested], nice=False)
    bars = base.mark_bar(height=BAR, yOffset=BAR / 2).encode(
        x=alt.X("a:Q", title=unit, scale=scale, axis=alt.Axis(tickCount=5)),
        x2="z:Q",
        color=alt.Color("k:N", legend=None, scale=alt.Scale(
            domain=["asked", "taken", "given"], range=[SOFT, LACK, WATER])),
        tooltip=[alt.Tooltip("n:N", title=" "), alt.Tooltip("v:Q", title=unit, format=",.4~r")],
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4, dy=BAR / 2, aria=False).encode(
        x=alt.X("z:Q", scale=scale), text=alt.Text("v:Q", format=",.4~r")
    )
    names = base.mark_text(
        align="left", dx=2, dy=-BAR / 2, color=INK, aria=False, limit=alt.ExprRef("width")
    ).encode(x=alt.XDatum(0, scale=scale), text="n:N")
    return drawing.finish(
        [bars, numbers, names], title, ROW * len(rows), description=f"{title} [{unit}]"
    )
