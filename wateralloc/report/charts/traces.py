"""A quantity through the horizon: the spread of the members, one of them, and limits by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import altair as alt
import numpy as np

from wateralloc.report.charts.style import (
    DEEP,
    LIMIT,
    SOFT,
    WATER,
    Drawing,
    colour,
    compact,
    day_numbers,
    kept,
    named,
    shown_if,
    unrolled,
)
from wateralloc.report.charts.view import View

WORDS = {
    "median": {"en": "median", "vi": "trung vị"},
    "chosen": {"en": "chosen member", "vi": "kịch bản được chọn"},
    "value": {"en": "result", "vi": "kết quả"},
    "date": {"en": "Date", "vi": "Ngày"},
    "from": {"en": "Period from", "vi": "Thời đoạn từ"},
}
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
COLOURS = (LIMIT, "#b8860b", "#3c8d6e", "#444444", "#c8502d", "#6a7fdb")
"""Of limits, in their order."""
DASHES = ([6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [1, 3], [10, 3])


MONTHS_UP_TO = 800
"""Days of the longest horizon whose axis shows months."""


@dataclass(frozen=True)
class Limit:
    """A limit that is drawn beside a quantity.

    Attributes
    ----------
    values : at the same times (time); NaN where there is none
    """

    name: str
    values: np.ndarray


def traces(
    view: View,
    title: str,
    unit: str,
    times: np.ndarray,
    values: np.ndarray,
    limits: Sequence[Limit] = (),
    *,
    is_step: bool = False,
    from_zero: bool = True,
) -> Any:
    """Draw a quantity of each member over time.

    Parameters
    ----------
    times : days (time)
    values : (member, time)
    is_step : a mean of the period that starts at the time, and not a state at it
    """
    drawing = Drawing(view.lang, view.choice)
    say = {key: view.say(WORDS, key) for key in WORDS}
    say["date"] = say["from"] if is_step else say["date"]
    if is_step:
        values = with_end(values)
        limits = [Limit(one.name, np.append(one.values, one.values[-1])) for one in limits]
    shape = "step-after" if is_step else "linear"
    names = [say["median"], say["chosen"]] if view.is_ensemble else [say["value"]]
    colours = [WATER, DEEP] if view.is_ensemble else [WATER]
    names_of_all = [*names, *(one.name for one in limits)]
    tint = colour(names_of_all, [*colours, *COLOURS[: len(limits)]])
    x = alt.X(
        "t:T",
        axis=time_axis(view),
        scale=alt.Scale(domain=[_moment(day) for day in (times[0], times[-1])]),
    )
    y = {"title": unit, "scale": alt.Scale(domain=_range(values, limits, from_zero), nice=True)}
    tip = alt.Tooltip("t:T", title=say["date"], format="%Y-%m-%d" if view.lang == "en" else
                      "%d/%m/%Y")  # fmt: skip
    layers = []
    if view.is_ensemble:
        layers += _fan(drawing, values, say, tint, (x, y, tip), shape, limits)
    layers.append(_member(drawing, view, values, names[-1], tint, (x, y, tip), shape))
    for number, one in enumerate(limits):
        dash = DASHES[number % len(DASHES)]
        layers.append(
            drawing.chart([{"v": compact(one.values)}], *unrolled("v"), named(one.name))
            .mark_line(strokeWidth=1.6, strokeDash=dash, interpolate=shape, aria=False)
            .encode(x=x, y=alt.Y("v:Q", **y), color=tint)
        )
    return drawing.finish(
        layers, title, 190, names={"days": day_numbers(times)}, description=f"{title} [{unit}]"
    )


def _range(values: np.ndarray, limits: Sequence[Limit], from_zero: bool) -> list[float]:
    """Least and largest of all that may be drawn, so that the axis stays whatever is chosen."""
    drawn = np.concatenate([values.ravel(), *(one.values for one in limits)])
    drawn = np.append(drawn, 0.0) if from_zero else drawn
    low, high = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    return [low, high if high > low else low + 1.0]


def _moment(day: Any) -> Any:
    """Start of a day as an end of a scale."""
    year, month, date = (int(part) for part in str(np.datetime64(day, "D")).split("-"))
    return alt.DateTime(year=year, month=month, date=date)


class HasEdges(Protocol):
    """What has a horizon: first day of each period and the day after the last."""

    @property
    def edges(self) -> np.ndarray:
        """Days."""


def time_axis(view: HasEdges, *, grid: bool = True) -> Any:
    """Axis of time: months, or the years of a long horizon."""
    days = int((view.edges[-1] - view.edges[0]).astype(int))
    form, count = ("%b", "month") if days <= MONTHS_UP_TO else ("%Y", "year")
    return alt.Axis(title=None, format=form, tickCount=count, labelOverlap=True, grid=grid)


def _fan(
    drawing: Drawing,
    values: np.ndarray,
    say: dict[str, str],
    tint: Any,
    encodings: tuple[Any, dict[str, Any], Any],
    shape: str,
    limits: Sequence[Limit],
) -> list[Any]:
    """Draw all members as two bands and their median."""
    x, y, tip = encodings
    bands = compact(np.quantile(values, QUANTILES, axis=0))
    lists = {f"q{k}": band for k, band in enumerate(bands)}
    lists |= {f"limit{k}": compact(one.values) for k, one in enumerate(limits)}
    tips = [
        tip,
        *(alt.Tooltip(f"q{k}:Q", title=title, format=",.4~r") for k, title in
          ((4, "100 %"), (3, "90 %"), (2, say["median"]), (1, "10 %"), (0, "0 %"))),
        *(alt.Tooltip(f"limit{k}:Q", title=one.name, format=",.4~r")
          for k, one in enumerate(limits)),
    ]  # fmt: skip
    steps = unrolled(*lists)

    def chart(*more: dict[str, Any]) -> Any:
        return drawing.chart([lists], *steps, *more).encode(x=x)

    nearest = alt.selection_point(
        name="at", on="pointermove", nearest=True, fields=["t"], empty=False, clear="pointerout"
    )
    band = {"interpolate": shape, "color": WATER, "aria": False}
    cursor = chart().mark_rule(strokeWidth=1, color=SOFT, aria=False).encode(tooltip=tips)
    return [
        chart().mark_area(opacity=0.13, **band).encode(y=alt.Y("q0:Q", **y), y2=alt.Y2("q4")),
        chart().mark_area(opacity=0.22, **band).encode(y=alt.Y("q1:Q", **y), y2=alt.Y2("q3")),
        chart(named(say["median"]))
        .mark_line(strokeWidth=2, interpolate=shape, aria=False)
        .encode(y=alt.Y("q2:Q", **y), color=tint),
        shown_if(cursor, {"param": "at", "empty": False}, 0.6, 0.0).add_params(nearest),
    ]


def member_rows(view: View, values: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a quantity (member, time): a place of the choice of members, and the numbers."""
    first = 1 if view.is_ensemble else 0
    return [{"m": first + k, "v": one} for k, one in enumerate(compact(values))]


def with_end(values: np.ndarray) -> np.ndarray:
    """Numbers of periods (member, time), of which the last goes on to the end of its period."""
    return np.concatenate([values, values[:, -1:]], axis=1)


def _member(
    drawing: Drawing,
    view: View,
    values: np.ndarray,
    name: str,
    tint: Any,
    encodings: tuple[Any, dict[str, Any], Any],
    shape: str,
) -> Any:
    """Draw the member that is chosen; of several none at first."""
    x, y, tip = encodings
    rows = member_rows(view, values)
    return (
        drawing.chart(rows, kept("datum.m == member"), *unrolled("v"), named(name))
        .mark_line(
            strokeWidth=1.8, interpolate=shape, aria=False,
            point=alt.OverlayMarkDef(opacity=0, size=60),
        )
        .encode(
            x=x, y=alt.Y("v:Q", **y), color=tint,
            tooltip=[tip, alt.Tooltip("v:Q", title=name, format=",.4~r")],
        )
    )  # fmt: skip
