"""A small figure of explanations: from what is asked to what is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wateralloc.report.charts.shortage import waterfall
from wateralloc.report.charts.style import check_ending, save, side_by_side
from wateralloc.report.explanation import WORDS, figure_data, title, unit_of

if TYPE_CHECKING:
    from wateralloc.explanation import Explanation


def write_figure(explanations: Sequence[Explanation], path: Path | str, lang: str = "en") -> None:
    """Draw explanations into a file, one below the other.

    Parameters
    ----------
    path : ends in .svg, .png, .pdf or .html

    Raises
    ------
    InputError
        The ending is another.
    """
    check_ending(path)
    save(draw(explanations, lang), path)


def draw(explanations: Sequence[Explanation], lang: str = "en") -> Any:
    """Draw a waterfall of each: requested, what each clause takes, delivered."""
    charts = [
        waterfall(
            title(e, lang), unit_of(e, lang), bar_names(e, lang), figure_data(e, lang)[1].tolist(),
            e.requested, e.delivered, lang,
        )
        for e in explanations
    ]  # fmt: skip
    return side_by_side(charts, columns=1)


def bar_names(explanation: Explanation, lang: str = "en") -> list[str]:
    """Names of what is asked, of each clause that takes some, and of what is given."""
    say = WORDS[lang]
    return [say["requested_name"], *figure_data(explanation, lang)[0], say["delivered_name"]]
