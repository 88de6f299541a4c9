"""Show how the passes of the pilot went, for the page on the formulation.

Run by ``docs/conf.py`` at every build; ``python docs/passes_figure.py`` writes them alone.  The run
is the one that the page on the Red River shows, so nothing is solved twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from red_river_results import RUNS, results_of

from wateralloc import Results

HERE = Path(__file__).parent
YEAR = "2004-06"
"""The year of the table, and of the coloured line."""
NOTHING = 1e-9
"""An error below this is rounding."""
LINES, TRUTH, OTHERS = "#b5651d", "#2f7f79", "#c4c4c4"


def write(folder: Path) -> None:
    """Write a table and a figure into a folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (run,) = [run for run in RUNS if run.name == "pilot_sharing"]
    results = results_of(run)
    passes = results.tables()["passes"]
    (folder / "passes_year.md").write_text(_page(results, passes), encoding="utf-8")
    style = {"font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
             "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        _draw(passes, results.dataset["best_pass"].to_series()).savefig(
            folder / "passes.svg", metadata={"Date": None}
        )


def _page(results: Results, passes: pd.DataFrame) -> str:
    dataset, ended = results.dataset, results.manifest["passes"]
    of_year, how = passes[passes["member"] == YEAR], ended[YEAR]
    head = ("pass", "radius", "step", "energy by the lines, GWh", "energy, GWh", "error", "kept")
    rows = [
        (
            f"{row['pass']}", f"{row['radius']:.3g}", f"{row['step']:.3g}",
            f"{row['foretold']:,.0f}", f"{row['value']:,.0f}",
            f"{row['error']:.0e}" if row["error"] > NOTHING else "0",
            "yes" if row["kept"] == "true" else "no",
        )
        for row in of_year.to_dict("records")
    ]  # fmt: skip
    side = ["---:"] * len(head)
    table = "".join("| " + " | ".join(cells) + " |\n" for cells in (head, side, *rows))
    gains = [100 * (after / before - 1) for before, after in _ends(passes, dataset)]
    numbers = [of["passes"] for of in ended.values()]
    n_converged = sum(of["converged"] for of in ended.values())
    return (
        f"{table}\nShown is pass {how['shown']}; why the passes ended: *{how['why']}*. Over the "
        f"{len(ended)} years, {n_converged} of them converged, it took {min(numbers)} to "
        f"{max(numbers)} passes, and the pass that is shown gives {min(gains):.1f} to "
        f"{max(gains):.1f} % more energy than the first, {np.mean(gains):.1f} % in the mean.\n"
    )


def _ends(passes: pd.DataFrame, dataset: object) -> Iterator[tuple[float, float]]:
    """Energy of the first pass, and of the one shown, of each member."""
    best = dataset["best_pass"].to_series()
    for member, of_member in passes.groupby("member", sort=False):
        energy = of_member.set_index("pass")["value"]
        yield energy.loc[1], energy.loc[best[member]]


def _draw(passes: pd.DataFrame, best: pd.Series) -> Figure:
    figure = Figure(figsize=(7.2, 2.7), layout="constrained")
    energy, step = figure.subplots(1, 2)
    for member, of_member in passes.groupby("member", sort=False):
        number, is_year = of_member["pass"].to_numpy(), member == YEAR
        shown = of_member.set_index("pass")["value"].loc[best[member]]
        look = {"color": TRUTH, "lw": 1.6, "zorder": 3} if is_year else {"color": OTHERS, "lw": 0.7}
        energy.plot(number, 100 * of_member["value"] / shown, **look)
        step.plot(number[1:], of_member["step"].to_numpy()[1:], **look)
        if is_year:
            foretold = 100 * of_member["foretold"] / shown
            energy.plot(number, foretold, color=LINES, lw=1.2, ls="--", zorder=3)
            energy.annotate("by the lines", (number[3], foretold.iloc[3]), (6, 4),
                            textcoords="offset points", color=LINES)  # fmt: skip
            energy.annotate(YEAR, (number[0], 100 * of_member["value"].iloc[0] / shown), (8, 0),
                            textcoords="offset points", color=TRUTH, va="center")  # fmt: skip
    energy.set(xlabel="pass", ylabel="energy, % of that shown")
    step.set(xlabel="pass", ylabel="largest move, share of range", yscale="log")
    return figure


if __name__ == "__main__":
    write(HERE / "_generated")
