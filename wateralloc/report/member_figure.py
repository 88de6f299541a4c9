"""A figure of what synthetic members keep of the record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from wateralloc.report.charts.style import (
    INK,
    WATER,
    Drawing,
    check_ending,
    compact,
    named,
    save,
    side_by_side,
)
from wateralloc.report.member_tables import by_month

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "mean": "mean inflow, m³/s",
        "sd": "standard deviation, m³/s",
        "skew": "skew",
        "lag_1": "correlation with the month before",
        "cross": "correlation between sites, mean",
        "annual": "volume of a year, hm³",
        "month": "month",
        "exceedance": "share of years with more",
        "record": "record",
        "synthetic": "synthetic members",
        "range": "90 % of samples as long as the record",
    },
    "vi": {
        "mean": "dòng chảy đến trung bình, m³/s",
        "sd": "độ lệch chuẩn, m³/s",
        "skew": "hệ số thiên lệch",
        "lag_1": "tương quan với tháng trước",
        "cross": "tương quan giữa các nút, trung bình",
        "annual": "tổng lượng năm, hm³",
        "month": "tháng",
        "exceedance": "tỷ lệ năm có lượng lớn hơn",
        "record": "chuỗi thực đo",
        "synthetic": "chuỗi tổng hợp",
        "range": "90 % số mẫu dài bằng chuỗi thực đo",
    },
}
RANGE = "#cfe1ef"
"""Colour of the range: that of water, pale."""
WIDTH, HEIGHT = 168, 130
"""Of a panel [px]."""
STATISTICS = ("mean", "sd", "skew", "lag_1", "cross")


def write_figure(
    table: pd.DataFrame,
    annual: tuple[np.ndarray, np.ndarray],
    first_month: int,
    path: Path,
    lang: str = "en",
) -> None:
    """Draw statistics of the whole basin by month, and its years, into a file.

    Parameters
    ----------
    table : of :func:`wateralloc.hydrology.validation.compare_with_record`
    annual : volume of the whole basin in each year of the record, and of the members [hm3]
    first_month : month of the calendar that stands first
    path : ends in .svg, .png, .pdf or .html

    Raises
    ------
    InputError
        The ending is another.
    """
    check_ending(path)
    save(draw(table, annual, first_month, lang), path)


def draw(
    table: pd.DataFrame,
    annual: tuple[np.ndarray, np.ndarray],
    first_month: int,
    lang: str = "en",
) -> Any:
    """Draw six panels: five statistics by month, and the years by how often they are exceeded."""
    months = [(first_month - 1 + k) % 12 + 1 for k in range(12)]
    panels = [
        _draw_months(by_month(table, statistic).loc[months], statistic, lang)
        for statistic in STATISTICS
    ]
    return side_by_side([*panels, _draw_years(annual, lang)], columns=3)


def _draw_months(rows: pd.DataFrame, statistic: str, lang: str) -> Any:
    say = WORDS[lang]
    columns = {"l": "low", "h": "high", "s": "synthetic", "r": "record"}
    values = {name: compact(rows[column]) for name, column in columns.items()}
    drawing = Drawing(lang)
    lines = [
        {"m": int(month)} | {name: values[name][k] for name in columns}
        for k, month in enumerate(rows.index)
    ]
    x = alt.X("m:O", title=say["month"], sort=None, axis=alt.Axis(labelAngle=0, grid=False))
    scale = alt.Scale(zero=statistic in ("mean", "sd"))

    def layer(name: str) -> Any:
        return drawing.chart(lines, named(say[name])).encode(x=x, color=_colours(say))

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", title=None, scale=scale)

    layers = [
        layer("range").mark_area().encode(y=y("l"), y2=alt.Y2("h")),
        layer("synthetic").mark_line(strokeWidth=1.6).encode(y=y("s")),
        layer("record").mark_point(filled=True, size=18, opacity=1).encode(y=y("r")),
    ]
    return _panel(drawing, layers, say[statistic])


def _draw_years(annual: tuple[np.ndarray, np.ndarray], lang: str) -> Any:
    say = WORDS[lang]
    drawing = Drawing(lang)
    record, synthetic = (np.sort(volumes)[::-1] for volumes in annual)
    x = alt.X("x:Q", title=say["exceedance"], scale=alt.Scale(domain=[0, 1]),
              axis=alt.Axis(format="%", tickCount=5, grid=False))  # fmt: skip
    y = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False))

    def layer(name: str, volumes: np.ndarray) -> Any:
        places, sizes = compact(_exceeded(volumes)), compact(volumes)
        rows = [{"x": place, "y": size} for place, size in zip(places, sizes, strict=True)]
        return drawing.chart(rows, named(say[name])).encode(x=x, y=y, color=_colours(say))

    layers = [
        layer("synthetic", synthetic).mark_line(strokeWidth=1.6),
        layer("record", record).mark_point(filled=True, size=18, opacity=1),
    ]
    return _panel(drawing, layers, say["annual"])


def _panel(drawing: Drawing, layers: Sequence[Any], title: str) -> Any:
    panel = drawing.finish(layers, title, HEIGHT)
    panel.title = alt.TitleParams(title, fontSize=11, fontWeight="normal", frame="group")
    panel.width = WIDTH
    return panel


def _colours(say: dict[str, str]) -> Any:
    names = [say[name] for name in ("record", "synthetic", "range")]
    return alt.Color(
        "k:N",
        title=None,
        scale=alt.Scale(domain=names, range=[INK, WATER, RANGE]),
        legend=alt.Legend(symbolType="circle", columns=3),
    )


def _exceeded(volumes: np.ndarray) -> np.ndarray:
    """Weibull exceedance of volumes from the largest to the smallest."""
    return np.arange(1, volumes.size + 1) / (volumes.size + 1)
