"""Draw the network of the shipped basin from its own tables.

Run by ``docs/conf.py`` at every build; ``python docs/red_river_map.py`` draws it alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle

from wateralloc.basin import Basin, read_basin

HERE = Path(__file__).parent
BASIN = HERE.parent / "basins" / "red_river"
DELTA = (105.28, 106.92, 19.84, 21.42)
"""West, east, south and north of the second panel."""
NODES = {  # kind -> marker, size, face
    "inflow": ("^", 30, "#7fb2d9"),
    "junction": ("o", 16, "#ffffff"),
    "control": ("s", 30, "#f2c14e"),
    "reservoir": ("v", 62, "#1f5f99"),
    "sink": ("D", 28, "#444444"),
}
LINKS = {  # kind -> colour, style
    "reach": ("#4a90c2", "-"),
    "turbine": ("#4a90c2", "-"),
    "spillway": ("#4a90c2", "-"),
    "distributary": ("#0b3c6d", "-"),
    "canal": ("#b5651d", "--"),
    "transfer": ("#7a3e9d", ":"),
}
INK, DEMAND = "#222222", "#e8a0a0"
LARGEST = 1500.0
"""Area, in points squared, of the disc of the largest demand."""


def write(folder: Path) -> None:
    """Draw ``red_river_map.svg`` into a folder, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"font.size": 8, "svg.hashsalt": "wateralloc"}):
        draw(read_basin(BASIN)).savefig(folder / "red_river_map.svg", metadata={"Date": None})


def draw(basin: Basin) -> Figure:
    """Draw the whole basin above, its delta below, at one scale each."""
    figure = Figure(figsize=(8.4, 13.2), layout="constrained")
    whole, delta = figure.subplots(2, 1, height_ratios=(0.86, 1))
    nodes = basin.tables["nodes"]
    lon, lat = nodes["lon"].astype(float), nodes["lat"].astype(float)
    box = (lon.min() - 0.25, lon.max() + 0.2, lat.min() - 0.1, lat.max() + 0.15)
    _panel(whole, basin, box, "The basin", lambda n: not _inside(DELTA, lon[n], lat[n]))
    west, east, south, north = DELTA
    whole.add_patch(
        Rectangle((west, south), east - west, north - south, fill=False, ls=":", ec=INK, lw=1)
    )
    whole.annotate("below", (east, north), ha="right", va="bottom", style="italic", color=INK)
    _panel(delta, basin, DELTA, "The delta", lambda n: _inside(DELTA, lon[n], lat[n]))
    whole.legend(handles=_keys(basin), loc="lower left", frameon=True, ncols=2, fontsize=7.5)
    return figure


def _inside(box: tuple[float, ...], lon: float, lat: float) -> bool:
    return box[0] <= lon <= box[1] and box[2] <= lat <= box[3]


def _panel(
    axes: Any, basin: Basin, box: tuple[float, ...], title: str, labelled: Callable[[str], bool]
) -> None:
    nodes, links = basin.tables["nodes"], basin.tables["links"]
    at = {n: (float(nodes.at[n, "lon"]), float(nodes.at[n, "lat"])) for n in nodes.index}
    axes.set_xlim(box[0], box[1])
    axes.set_ylim(box[2], box[3])
    axes.set_aspect(1 / math.cos(math.radians((box[2] + box[3]) / 2)))
    axes.set_title(title, loc="left", weight="bold")
    axes.set_xlabel("longitude, °E")
    axes.set_ylabel("latitude, °N")
    for n, volume in _demand(basin).items():
        size = LARGEST * volume / max(_demand(basin).values())
        axes.scatter(*at[n], s=size, color=DEMAND, alpha=0.55, lw=0, zorder=1)
    lines = []
    for name in links.index:
        if links.at[name, "kind"] == "spillway":
            continue  # beside the turbines or the outlet, on the same way
        start, end = at[links.at[name, "from"]], at[links.at[name, "to"]]
        colour, style = LINKS[links.at[name, "kind"]]
        arrow = FancyArrowPatch(
            start, end, arrowstyle="-|>,head_width=1.9,head_length=3.6", color=colour, ls=style,
            lw=1.3, shrinkA=2, shrinkB=4, zorder=2,
        )  # fmt: skip
        axes.add_patch(arrow)
        lines.append((start, end))
    for kind, (marker, size, face) in NODES.items():
        for n in nodes.index[nodes["kind"] == kind]:
            axes.scatter(*at[n], s=size, marker=marker, fc=face, ec=INK, lw=0.7, zorder=4)
    shown = [n for n in nodes.index if labelled(n)]
    _label(axes, {n: at[n] for n in shown}, list(at.values()), lines, box)


def _demand(basin: Basin) -> dict[str, float]:
    """Volume asked in a year at each node [hm3]."""
    table = basin.tables["demands"]
    return {n: float(v) for n, v in table.groupby("node")["annual"].sum().items()}


# --- labels -------------------------------------------------------------------------------------


def _label(
    axes: Any,
    labels: dict[str, tuple[float, float]],
    points: list[tuple[float, float]],
    lines: list[tuple[tuple[float, float], tuple[float, float]]],
    box: tuple[float, ...],
) -> None:
    """Write each name beside its node, on the side where it covers the least."""
    figure = axes.figure
    figure.canvas.draw()  # so that the axes have their place
    pixels = axes.transData.transform
    spots = [pixels(p) for p in points]
    on_lines = [
        pixels((a[0] + (b[0] - a[0]) * k / 24, a[1] + (b[1] - a[1]) * k / 24))
        for a, b in lines
        for k in range(1, 24)
    ]
    taken: list[tuple[float, float, float, float]] = []
    edge = (*pixels((box[0], box[2])), *pixels((box[1], box[3])))
    per_point = figure.dpi / 72
    for name, point in labels.items():
        text = name.replace("_", " ")
        width, height = len(text) * 4.3 * per_point, 8.6 * per_point
        x, y = pixels(point)
        best = None
        for distance in (7, 11, 16):
            for degrees in (0, 180, 45, 315, 135, 225, 90, 270):
                dx = math.cos(math.radians(degrees)) * distance * per_point
                dy = math.sin(math.radians(degrees)) * distance * per_point
                left = x + dx - width * (1 - math.cos(math.radians(degrees))) / 2
                low = y + dy - height / 2
                place = (left, low, left + width, low + height)
                cost = distance / 8 + 30 * sum(_overlap(place, other) for other in taken)
                cost += 4 * _count(place, spots) + 1.0 * _count(place, on_lines)
                cost += 60 * (left < edge[0] or left + width > edge[2])
                cost += 60 * (low < edge[1] or low + height > edge[3])
                if best is None or cost < best[0]:
                    best = (cost, place, degrees)
        assert best is not None
        taken.append(best[1])
        left, low, right, high = best[1]
        centre = axes.transData.inverted().transform(((left + right) / 2, (low + high) / 2))
        axes.text(*centre, text, ha="center", va="center", fontsize=7.2, color=INK, zorder=5)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _count(place: tuple[float, ...], points: Iterable[Any]) -> int:
    return sum(place[0] <= x <= place[2] and place[1] <= y <= place[3] for x, y in points)


def _keys(basin: Basin) -> list[Line2D]:
    words = {
        "inflow": "inflow: a border or a source", "junction": "junction",
        "control": "control point", "reservoir": "reservoir", "sink": "sink (the sea)",
    }  # fmt: skip
    keys = [
        Line2D(
            [], [], ls="", marker=marker, ms=math.sqrt(size), mfc=face, mec=INK, label=words[kind]
        )
        for kind, (marker, size, face) in NODES.items()
    ]
    links = {
        "reach": "river", "distributary": "distributary", "canal": "canal",
        "transfer": "transfer, not built",
    }  # fmt: skip
    for kind, label in links.items():
        colour, style = LINKS[kind]
        keys.append(Line2D([], [], color=colour, ls=style, lw=1.3, label=label))
    round_volume = 100.0
    size = math.sqrt(LARGEST * round_volume / max(_demand(basin).values()))
    label = f"demand, {round_volume:.0f} hm³ a year"
    keys.append(Line2D([], [], ls="", marker="o", ms=size, mfc=DEMAND, mec="none", label=label))
    return keys


if __name__ == "__main__":
    write(HERE / "_generated")
