"""Rules kept and broken, period by period."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from wateralloc.report.charts.style import (
    GOOD,
    NARROW,
    Drawing,
    class_colour,
    classed,
    computed,
)
from wateralloc.report.charts.traces import time_axis
from wateralloc.report.charts.view import View

WORDS = {
    "title": {"en": "Rules kept and broken", "vi": "Quy tắc được tuân thủ và bị vi phạm"},
    "share": {"en": "Share of members that break it", "vi": "Tỷ lệ kịch bản vi phạm"},
    "rule": {"en": "Rule", "vi": "Quy tắc"},
    "from": {"en": "From", "vi": "Từ"},
    "to": {"en": "To", "vi": "Đến"},
    "worst": {"en": "Largest shortfall of all members",
              "vi": "Mức thiếu lớn nhất trong các kịch bản"},
    "kept": {"en": "kept", "vi": "tuân thủ"},
}  # fmt: skip
WINDOWS = 150
"""Windows of a rule that are drawn one by one; more are drawn by the month, or by the year."""
COLOURS = (GOOD, "#fddbc7", "#f4a582", "#d6604d", "#a8323e", "#67001f")
SHARES = (1e-9, 0.1, 0.25, 0.5, 0.75)
"""Colours of the share of members that break a rule, and where each but the first begins."""


def rules(view: View) -> Any:
    """Draw each rule through time: the share of members in which it is broken."""
    drawing = Drawing(view.lang, view.choice)
    rows = _rows(view)
    names = list(dict.fromkeys(row["r"] for row in rows))
    first = 1 if view.is_ensemble else 0
    say = {key: view.say(WORDS, key) for key in WORDS}
    form = "%Y-%m-%d" if view.lang == "en" else "%d/%m/%Y"
    day = "datetime(1970, 0, 1 + datum.{})"
    chosen = f"member < {first} ? datum.b : +slice(datum.k, member - {first}, member - {first} + 1)"
    chart = (
        drawing.chart(
            rows,
            *computed(
                v=chosen, t0=day.format("a"), t1=day.format("z"),
                said=f"datum.r + ', ' + timeFormat(datum.t0, '{form}') + ': ' + "
                "format(datum.v, '.1%')",
            ),
            classed("v", SHARES),
        )
        .mark_rect(stroke="white", strokeWidth=0.7)
        .encode(
            x=alt.X("t0:T", title=None, axis=time_axis(view, grid=False)),
            x2=alt.X2("t1"),
            y=alt.Y("r:N", sort=names, title=None, axis=alt.Axis(
                domain=False, ticks=False, labelLimit=alt.ExprRef(f"room < {NARROW} ? 110 : 220"))),
            color=class_colour(SHARES, COLOURS, say["share"], first=say["kept"]),
            description="said:N",
            tooltip=[
                alt.Tooltip("r:N", title=say["rule"]),
                alt.Tooltip("t0:T", title=say["from"], format=form),
                alt.Tooltip("t1:T", title=say["to"], format=form),
                alt.Tooltip("v:Q", title=say["share"], format=".1%"),
                alt.Tooltip("w:N", title=say["worst"]),
            ],
        )
    )  # fmt: skip
    return drawing.finish([chart], say["title"], max(60, 22 * len(names)))


def _rows(view: View) -> list[dict[str, Any]]:
    """A row for each rule and window, or for the windows of a month or year together.

    ``k`` has a letter for each member, 1 where the rule is broken in it.
    """
    dataset = view.dataset
    label = dataset["rule"].values.astype(str)
    broken = ~dataset["kept"].values
    slack = dataset["slack"].values
    start, end = (
        dataset[name].values.astype("datetime64[D]") for name in ("rule_start", "rule_end")
    )
    rows = []
    for name in dict.fromkeys(label.tolist()):
        here = np.flatnonzero(label == name)
        unit = str(dataset["rule_unit"].values[here[0]]).replace("m3s", "m³/s")
        for group in _groups(start[here]):
            places = here[group]
            of_member = broken[:, places].any(axis=1)
            worst = float(np.where(broken[:, places], -slack[:, places], 0.0).max())
            rows.append(
                {
                    "r": name,
                    "a": int(start[places].min().astype(int)),
                    "z": int(end[places].max().astype(int)) + 1,
                    "b": round(float(of_member.mean()), 4),
                    "k": "".join(np.where(of_member, "1", "0").tolist()),
                    "w": f"{worst:.4g} {unit}" if worst > 0 else "",
                }
            )
    return rows


def _groups(starts: np.ndarray) -> list[np.ndarray]:
    """Places of the windows that are drawn as one."""
    if starts.size <= WINDOWS:
        return [np.array([k]) for k in range(starts.size)]
    keys = starts.astype("datetime64[M]")
    if np.unique(keys).size > WINDOWS:
        keys = starts.astype("datetime64[Y]")
    return [np.flatnonzero(keys == key) for key in np.unique(keys)]
