"""A figure of what synthetic members keep of the record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wateralloc.report.figures import save
from wateralloc.report.member_tables import by_month

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
RECORD, SYNTHETIC = "#1b1b1b", "#1f6fb4"


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
    path : ends in .svg, .png or .pdf

    Raises
    ------
    InputError
        The ending is another, or there is no matplotlib.
    """
    save(path, lambda: draw(table, annual, first_month, lang))


def draw(
    table: pd.DataFrame,
    annual: tuple[np.ndarray, np.ndarray],
    first_month: int,
    lang: str = "en",
) -> Figure:
    """Draw six panels: five statistics by month, and the years by how often they are exceeded."""
    from matplotlib.figure import Figure

    say = WORDS[lang]
    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    months = [(first_month - 1 + k) % 12 + 1 for k in range(12)]
    for axes, statistic in zip(panels, ("mean", "sd", "skew", "lag_1", "cross"), strict=False):
        rows = by_month(table, statistic).loc[months]
        places = np.arange(12)
        axes.fill_between(
            places, rows["low"], rows["high"], color=SYNTHETIC, alpha=0.2, lw=0, label=say["range"]
        )
        axes.plot(places, rows["synthetic"], color=SYNTHETIC, lw=1.4, label=say["synthetic"])
        axes.plot(places, rows["record"], "o", color=RECORD, ms=3, label=say["record"])
        axes.set_title(say[statistic], loc="left", fontsize=8)
        axes.set_xticks(places, [str(month) for month in months], fontsize=7)
        axes.set_xlabel(say["month"])
        if statistic in ("mean", "sd"):
            axes.set_ylim(bottom=0)
    _draw_years(panels[-1], annual, say)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_years(axes: Axes, annual: tuple[np.ndarray, np.ndarray], say: dict[str, str]) -> None:
    record, synthetic = (np.sort(volumes)[::-1] for volumes in annual)
    axes.plot(_exceeded(synthetic), synthetic, color=SYNTHETIC, lw=1.4)
    axes.plot(_exceeded(record), record, "o", color=RECORD, ms=3)
    axes.set_title(say["annual"], loc="left", fontsize=8)
    axes.set_xlabel(say["exceedance"])
    axes.set_xlim(0, 1)


def _exceeded(volumes: np.ndarray) -> np.ndarray:
    """Weibull exceedance of volumes from the largest to the smallest."""
    return np.arange(1, volumes.size + 1) / (volumes.size + 1)
