"""What all figures share: their style, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.results.store import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".png", ".pdf")
STYLE: dict[Any, Any] = {
    "font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
    "axes.spines.right": False, "figure.dpi": 150,
}  # fmt: skip


def save(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw a figure and write it whole.

    Parameters
    ----------
    path : ends in .svg, .png or .pdf

    Raises
    ------
    InputError
        The ending is another, or there is no matplotlib.
    """
    at = Position(shown(path))
    if path.suffix not in ENDINGS:
        text = f"a figure cannot be written as '{path.suffix or path.name}'; end it in .svg"
        raise InputError([Fault(at, "E107", text)])
    try:
        import matplotlib as mpl
    except ImportError:
        text = "a figure needs matplotlib; install wateralloc[plot]"
        raise InputError([Fault(at, "E107", text)]) from None
    with mpl.rc_context(STYLE), replacing(path) as written:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        draw().savefig(written, metadata=metadata)
