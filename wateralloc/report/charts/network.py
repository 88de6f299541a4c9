"""The basin as a map and as a schematic: flows of the links, satisfaction at the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import networkx as nx
import numpy as np

from wateralloc.report.charts.labels import NEAR, SIDES, place_labels
from wateralloc.report.charts.style import (
    INK,
    NARROW,
    NUMBERED,
    SHORTAGE,
    SHORTAGE_FROM,
    WATER,
    WIDTH,
    Drawing,
    by_member,
    class_colour,
    classed,
    computed,
    of_member,
    shown_if,
)
from wateralloc.report.charts.view import View
from wateralloc.units import SECONDS_PER_DAY, m3s_of_hm3

WORDS = {
    "map": {"en": "Map: mean flow, and satisfaction of the users at each node",
            "vi": "Bản đồ: lưu lượng trung bình và mức đáp ứng tại mỗi nút"},
    "schematic": {"en": "Schematic: mean flow, and satisfaction of the users at each node",
                  "vi": "Sơ đồ: lưu lượng trung bình và mức đáp ứng tại mỗi nút"},
    "flow": {"en": "Mean flow, m³/s", "vi": "Lưu lượng trung bình, m³/s"},
    "link": {"en": "Link", "vi": "Đoạn nối"},
    "node": {"en": "Node", "vi": "Nút"},
    "satisfaction": {"en": "Satisfaction", "vi": "Mức đáp ứng"},
    "demand": {"en": "Demand, hm³ a year", "vi": "Nhu cầu, triệu m³/năm"},
    "deficit": {"en": "Deficit, hm³ a year", "vi": "Thiếu hụt, triệu m³/năm"},
}  # fmt: skip
SHAPES = {"reservoir": "triangle-up", "inflow": "triangle-right", "sink": "square",
          "control": "diamond", "aquifer": "triangle-down"}  # fmt: skip
"""Of nodes by their kind; the others are circles."""
LABELLED = ("reservoir", "control", "sink")
GROUND = "#bcc8d1"
"""Colour of outlines."""
WIDEST = 9.0
"""Width of the largest flow [px]."""
LABELLED_FROM = 520
"""Width [px] for which labels are placed; a picture that is narrower has none."""
BESIDE = 1.3
"""Height of the schematic to its width, at most."""
MARGIN = 0.06
"""Room around the nodes, as a share of their extent."""


def has_map(view: View) -> bool:
    """Whether at least two nodes have a place."""
    return int(view.dataset.sizes["node_with_place"]) > 1


def basin_map(view: View) -> Any:
    """Draw the network at its coordinates, as seen from above; north is up."""
    dataset = view.dataset
    lon, lat = dataset["lon"].values, dataset["lat"].values
    shrink = np.cos(np.deg2rad(lat.mean()))
    names = [str(node) for node in dataset["node_with_place"].values]
    places = dict(zip(names, zip(lon * shrink, lat, strict=True), strict=True))
    return _network(view, places, "map", _outlines(view, shrink))


def _outlines(view: View, shrink: float) -> list[dict[str, Any]]:
    """Rows of the outlines of provinces, coast and border, where the result has any."""
    dataset = view.dataset
    if "outline_lon" not in dataset:
        return []
    line = dataset["outline_line"].values
    x, y = dataset["outline_lon"].values * shrink, dataset["outline_lat"].values
    return [
        {"x": np.round(x[line == k], 3).tolist(),
         "y": np.round(y[line == k], 3).tolist(), "l": k}
        for k in range(dataset.sizes["outline"])
    ]  # fmt: skip


def schematic(view: View) -> Any:
    """Draw the network from the headwaters, left, to the mouths, right."""
    places = view.once("schematic", lambda: schematic_places(view))
    return _network(view, places, "schematic")


def schematic_places(view: View) -> dict[str, tuple[float, float]]:
    """Place of each node: how far it is from the mouth, and a row.

    Each node flows on by the link that carries most; the trees that this makes are drawn with one
    row for each headwater, and a node in the middle of those above it.
    """
    dataset = view.dataset
    names = [str(node) for node in dataset["node"].values]
    flow = dataset["flow_in"].values.mean(axis=0).sum(axis=0)
    best: dict[str, tuple[float, str]] = {}
    ends = zip(dataset["link_from"].values, dataset["link_to"].values, flow, strict=True)
    for start, end, volume in ends:
        start, end = str(start), str(end)
        if end in names and volume >= best.get(start, (-1.0, ""))[0]:
            best[start] = (float(volume), end)
    tree = nx.DiGraph()
    tree.add_nodes_from(names)
    for start, (_, end) in best.items():
        if not nx.has_path(tree, end, start):
            tree.add_edge(start, end)
    places: dict[str, tuple[float, float]] = {}
    row = 0.0
    depth: dict[str, int] = {}
    above = {name: sorted(tree.predecessors(name), key=names.index) for name in names}
    for root in (name for name in names if tree.out_degree(name) == 0):
        below = {root: 0}
        for node in nx.bfs_tree(tree, root, reverse=True):
            below.setdefault(node, below[next(iter(tree.successors(node)), root)] + 1)
        depth |= below
        for node in nx.dfs_postorder_nodes(tree.reverse(copy=False), root):
            if above[node]:
                y = float(np.mean([places[one][1] for one in above[node]]))
            else:
                row, y = row + 1.0, row
            places[node] = (0.0, y)
    deepest = max(depth.values(), default=0)
    return {node: (float(deepest - depth[node]), -places[node][1]) for node in names}


def _network(
    view: View,
    places: Mapping[str, tuple[float, float]],
    kind: str,
    outlines: list[dict[str, Any]] | None = None,
) -> Any:
    drawing = Drawing(view.lang, view.choice)
    links, largest = _links(view, places)
    nodes = _nodes(view, places)
    at = np.array(list(places.values()))
    low, high = at.min(axis=0), at.max(axis=0)
    room = MARGIN * np.maximum(high - low, 1e-9)
    (x0, y0), (x1, y1) = low - room, high + room
    ratio = (y1 - y0) / (x1 - x0) if kind == "map" else min(BESIDE, 0.3 + 0.012 * len(nodes))
    height = WIDTH * ratio
    _place_names(nodes, (x0, y0, x1, y1), height)
    x = {"axis": None, "scale": alt.Scale(domain=[x0, x1], nice=False, zero=False)}
    y = {"axis": None, "scale": alt.Scale(domain=[y0, y1], nice=False, zero=False)}
    lines = (
        drawing.chart(
            links,
            *computed(
                v=of_member("vs", by_season=True),
                said="datum.name + ': ' + format(datum.v, ',.4~r') + ' m³/s'",
            ),
            apart=("vs",),
        )
        .mark_rule(color=WATER, strokeCap="round")
        .encode(
            x=alt.X("x0:Q", **x), x2=alt.X2("x1"), y=alt.Y("y0:Q", **y), y2=alt.Y2("y1"),
            strokeWidth=alt.StrokeWidth(
                "v:Q", legend=None,
                scale=alt.Scale(type="sqrt", domain=[0, largest], range=[0.7, WIDEST]),
            ),
            tooltip=[
                alt.Tooltip("name:N", title=view.say(WORDS, "link")),
                alt.Tooltip("v:Q", title=view.say(WORDS, "flow"), format=",.4~r"),
            ],
            description="said:N",
        )
    )  # fmt: skip
    base = drawing.chart(
        nodes,
        *computed(
            d=of_member("ds", by_season=True),
            l=of_member("ls", by_season=True),
            s="datum.d > 0 ? 1 - datum.l / datum.d : 1",
            said="datum.name + (datum.d > 0 ? ': ' + format(datum.s, '.1%') : '')",
        ),
        classed("s", SHORTAGE_FROM),
        apart=("ds", "ls"),
    ).encode(x=alt.X("x:Q", **x), y=alt.Y("y:Q", **y), description="said:N")
    kinds = list(dict.fromkeys(node["kind"] for node in nodes))
    tips = [alt.Tooltip("name:N", title=view.say(WORDS, "node"))]
    size = alt.ExprRef(f"room < {NARROW} ? 40 : 90")
    shape = alt.Shape(
        "kind:N", legend=None,
        scale=alt.Scale(domain=kinds, range=[SHAPES.get(kind, "circle") for kind in kinds]),
    )  # fmt: skip
    points = base.mark_point(filled=True, opacity=1, stroke=INK, strokeWidth=0.8, size=size)
    idle = points.transform_filter("datum.d <= 0").encode(
        shape=shape, tooltip=tips, color=alt.value("#9fb0bd")
    )
    served = points.transform_filter("datum.d > 0").encode(
        shape=shape,
        color=class_colour(
            SHORTAGE_FROM, SHORTAGE, view.say(WORDS, "satisfaction"), last="100 %"
        ),
        tooltip=[
            *tips,
            alt.Tooltip("s:Q", title=view.say(WORDS, "satisfaction"), format=".1%"),
            alt.Tooltip("d:Q", title=view.say(WORDS, "demand"), format=",.4~r"),
            alt.Tooltip("l:Q", title=view.say(WORDS, "deficit"), format=",.4~r"),
        ],
    )  # fmt: skip
    labels = [_side(base, side) for side in SIDES if any(node["side"] == side for node in nodes)]
    lines = shown_if(lines, {"test": "datum.v > 0"}, 0.65, 0.2)
    layers = [lines, idle, served, *labels]
    if outlines:
        layers.insert(0, _ground(drawing, outlines, (x, y)))
    return drawing.finish(layers, view.say(WORDS, kind), height, ratio=float(ratio))


def _ground(
    drawing: Drawing, outlines: list[dict[str, Any]], axes: tuple[dict[str, Any], dict[str, Any]]
) -> Any:
    """Draw outlines below all else."""
    x, y = axes
    return (
        drawing.chart(outlines, {"flatten": ["x", "y"]}, NUMBERED)
        .mark_line(color=GROUND, strokeWidth=1, clip=True, aria=False)
        .encode(
            x=alt.X("x:Q", **x),
            y=alt.Y("y:Q", **y),
            order=alt.Order("i:Q"),
            detail=alt.Detail("l:N"),
        )
    )


def _place_names(
    nodes: list[dict[str, Any]], extent: tuple[float, float, float, float], height: float
) -> None:
    """Give each node the side of its label, or none, so that none cover each other."""
    x0, y0, x1, y1 = extent
    at = np.array([[(node["x"] - x0) / (x1 - x0) * LABELLED_FROM,
                    (y1 - node["y"]) / (y1 - y0) * height * LABELLED_FROM / WIDTH]
                   for node in nodes])  # fmt: skip
    size = (LABELLED_FROM, height * LABELLED_FROM / WIDTH)
    names = [str(node["n"]) for node in nodes]
    for node, side in zip(nodes, place_labels(at, names, size), strict=True):
        node["side"] = side or ""


def _side(base: Any, side: str) -> Any:
    """Labels on one side of their nodes, where the picture is wide enough for them."""
    align = {"right": "left", "left": "right"}.get(side, "center")
    baseline = {"above": "bottom", "below": "top"}.get(side, "middle")
    dx = {"right": NEAR + 1, "left": -NEAR - 1}.get(side, 0)
    dy = {"above": -NEAR - 1, "below": NEAR + 1}.get(side, 0)
    return (
        base.transform_filter(f"datum.side == '{side}'")
        .mark_text(
            align=align, baseline=baseline, dx=dx, dy=dy, color=INK, aria=False,
            fontSize=10, opacity=alt.ExprRef(f"room < {LABELLED_FROM} ? 0 : 1"),
        )
        .encode(text=alt.Text("n:N"))
    )  # fmt: skip


def _means(view: View, values: np.ndarray) -> np.ndarray:
    """Sum of each choice of season (season, member, item), of all members the mean first."""
    return np.stack([view.with_all(values[:, mask].sum(axis=1)) for mask in view.season_masks])


def _links(
    view: View, places: Mapping[str, tuple[float, float]]
) -> tuple[list[dict[str, Any]], float]:
    """Rows of the links between nodes that have a place, and the largest flow."""
    dataset = view.dataset
    days = dataset["days"].values
    seconds = np.array([days[mask].sum() for mask in view.season_masks]) * SECONDS_PER_DAY
    flow = m3s_of_hm3(_means(view, dataset["flow_in"].values), seconds[:, None, None])
    rows, largest = [], 1e-9
    ends = zip(dataset["link"].values, dataset["link_from"].values, dataset["link_to"].values,
               strict=True)  # fmt: skip
    for k, (link, start, end) in enumerate(ends):
        if str(start) not in places or str(end) not in places:
            continue
        (x0, y0), (x1, y1) = places[str(start)], places[str(end)]
        largest = max(largest, float(flow[:, :, k].max()))
        rows.append(
            {"key": str(link), "name": view.name("link", link), "x0": _short(x0), "y0": _short(y0),
             "x1": _short(x1), "y1": _short(y1), "vs": by_member(flow[:, :, k], 3)}
        )  # fmt: skip
    return rows, largest


def _nodes(view: View, places: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """Rows of the nodes: what their users ask and lack, and the share that they get."""
    dataset = view.dataset
    at = dataset["demand_node"].values.astype(str)
    asked = _means(view, dataset["demand_volume"].values) / view.years
    lacked = _means(view, dataset["deficit"].values) / view.years
    kinds = dict(zip(dataset["node"].values.astype(str), dataset["node_kind"].values, strict=True))
    rows = []
    for node, (x, y) in places.items():
        demand, lack = (of[:, :, at == node].sum(axis=2) for of in (asked, lacked))
        name = view.name("node", node)
        rows.append(
            {"key": node, "name": name, "kind": str(kinds[node]), "x": _short(x), "y": _short(y),
             "ds": by_member(demand, 5), "ls": by_member(lack, 5),
             "n": name if str(kinds[node]) in LABELLED else ""}
        )  # fmt: skip
    return rows


def _short(value: float) -> float:
    return round(float(value), 4)
