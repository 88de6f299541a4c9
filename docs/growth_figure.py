"""Draw how build time and memory grow, for the page on performance.

Run by ``docs/conf.py`` at every build; ``python docs/growth_figure.py`` writes it alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).parent
MEASURED = HERE.parent / "benchmarks" / "results" / "growth.json"
COLOURS = {"periods": "#2f7f79", "nodes": "#b5651d", "members": "#5b5ea6"}
AMOUNTS = {"build_cpu_s": "processor, s", "memory_mib": "memory, MiB"}


def write(folder: Path) -> None:
    """Write ``growth.svg`` into a folder; nothing where nothing is measured."""
    if not MEASURED.is_file():
        return
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    style = {"font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
             "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        _draw(found["lines"]).savefig(folder / "growth.svg", metadata={"Date": None})


def _draw(lines: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    for axes, (amount, label) in zip(figure.subplots(1, 2), AMOUNTS.items(), strict=True):
        for name, line in lines.items():
            cells = np.array([point["cells"] for point in line["points"]])
            values = np.array([point[amount]["median"] for point in line["points"]])
            axes.loglog(cells, values, "o-", ms=3.5, lw=1.2, color=COLOURS[name],
                        label=f"{name}, slope {line['slopes'][amount]:.2f}")  # fmt: skip
        axes.loglog(cells, values[-1] * cells / cells[-1], color="#999999", lw=0.8, ls=":",
                    label="linear")  # fmt: skip
        axes.set(xlabel="nodes × periods × members", ylabel=label)
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    write(HERE)
