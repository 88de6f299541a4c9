"""What an explanation says, as a waterfall: from what is asked to what is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import LACK, SOFT, WATER, WIDTH, compact, configured
from wateralloc.report.explanation import WORDS, figure_data, title, unit_of

if TYPE_CHECKING:
    from wateralloc.explanation import Explanation


def waterfall(explanation: Explanation, lang: str = "en") -> Any:
    """Draw what is asked, what each clause takes of it, and what is given."""
    say = WORDS[lang]
    names, taken = figure_data(explanation, lang)
    labels = [say["requested_name"], *names, say["delivered_name"]]
    left = explanation.requested - np.cumsum(taken)
    starts = np.concatenate([[0.0], left, [0.0]])
    widths = np.concatenate([[explanation.requested], taken, [explanation.delivered]])
    kinds = ["asked", *["taken"] * len(names), "given"]
    unit = unit_of(explanation, lang)
    rows = [
        {"o": k, "n": label, "a": compact(start), "z": compact(start + width),
         "v": compact(width), "k": kind}
        for k, (label, start, width, kind) in enumerate(
            zip(labels, starts, widths, kinds, strict=True)
        )
    ]  # fmt: skip
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("n:N", sort=alt.SortField("o"), title=None,
                axis=alt.Axis(domain=False, ticks=False, grid=False, labelLimit=250)),
    )  # fmt: skip
    scale = alt.Scale(domain=[0, 1.15 * float(explanation.requested)], nice=False)
    bars = base.mark_bar().encode(
        x=alt.X("a:Q", title=unit, scale=scale),
        x2="z:Q",
        color=alt.Color("k:N", legend=None, scale=alt.Scale(
            domain=["asked", "taken", "given"], range=[SOFT, LACK, WATER])),
        tooltip=[alt.Tooltip("n:N", title=" "), alt.Tooltip("v:Q", title=unit, format=",.4~r")],
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=4, aria=False).encode(
        x=alt.X("z:Q", scale=scale), text=alt.Text("v:Q", format=",.4~r")
    )
    words = title(explanation, lang)
    return configured(
        alt.layer(bars, numbers).properties(
            title=words, width=WIDTH, height=26 * len(rows), description=words
        )
    )
