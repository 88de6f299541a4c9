"""A small figure of explanations: from what is asked to what is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wateralloc.report.cells import cell
from wateralloc.report.explanation import WORDS, figure_data, title, unit_of
from wateralloc.report.figures import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wateralloc.explanation import Explanation

ASKED, TAKEN, GIVEN = "#5b6770", "#c8752d", "#1f6fb4"
WIDEST = 46
"""Characters of a line of a label."""


def write_figure(explanations: Sequence[Explanation], path: Path, lang: str = "en") -> None:
    """Draw explanations into a file, one below the other.

    Parameters
    ----------
    path : ends in .svg, .png or .pdf

    Raises
    ------
    InputError
        The ending is another, or there is no matplotlib.
    """
    save(path, lambda: draw(explanations, lang))


def draw(explanations: Sequence[Explanation], lang: str = "en") -> Figure:
    """Draw a waterfall of each: requested, what each clause takes, delivered."""
    from matplotlib.figure import Figure

    counts = [2 + len(figure_data(e, lang)[0]) for e in explanations]
    height = sum(0.34 * n + 0.7 for n in counts)
    figure = Figure(figsize=(7.6, height), layout="constrained")
    panels = figure.subplots(len(counts), 1, squeeze=False, height_ratios=counts)[:, 0]
    for axes, explanation in zip(panels, explanations, strict=True):
        _draw(axes, explanation, lang)
    return figure


def _draw(axes: Axes, e: Explanation, lang: str) -> None:
    say = WORDS[lang]
    names, taken = figure_data(e, lang)
    labels = [say["requested_name"], *names, say["delivered_name"]]
    left = e.requested - np.cumsum(taken)
    starts = np.concatenate([[0.0], left, [0.0]])
    widths = np.concatenate([[e.requested], taken, [e.delivered]])
    colours = [ASKED, *[TAKEN] * len(names), GIVEN]
    places = np.arange(len(labels))
    axes.barh(places, widths, left=starts, color=colours, height=0.62)
    for place, start, width in zip(places, starts, widths, strict=True):
        axes.annotate(
            cell(float(width)), (start + width, place), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=8,
        )  # fmt: skip
    axes.set_yticks(places, [_wrapped(label) for label in labels])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * e.requested)
    axes.set_xlabel(unit_of(e, lang))
    axes.set_title(title(e, lang), loc="left", fontsize=9)


def _wrapped(label: str) -> str:
    from textwrap import fill

    return fill(label, WIDEST)
