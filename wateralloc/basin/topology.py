"""How nodes and links hang together."""

from __future__ import annotations

import networkx as nx

from wateralloc.basin.model import Basin, SeriesColumn
from wateralloc.errors import Findings, Position, TopologyError, listed, shown, suggest
from wateralloc.timeline import Pattern

_OF_A_CYCLE = ("from", "to", "loss", "cost", "lag_periods", "lag", "muskingum_k")
"""Columns of links that say whether water may circle for nothing."""


def check_topology(basin: Basin, findings: Findings) -> None:
    """Check how nodes and links hang together."""
    nodes, links = basin.tables["nodes"], basin.tables.get("links")
    if links is None or not (nodes.attrs["is_read"] and links.attrs["is_read"]):
        return
    sinks = set(nodes.index[nodes["kind"] == "sink"])
    # an aquifer keeps its water; whether it has to be able to overflow, its part checks; so does a
    # lake whose storage has no limit
    keeps = set(nodes.index[nodes["kind"] == "aquifer"])
    if "reservoirs" in basin.tables:
        normal = basin.tables["reservoirs"]["normal"]
        keeps |= set(normal.index[[value == float("inf") for value in normal]])
    closed = keeps - set(links["from"])
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes.index)
    free = nx.DiGraph()
    touched: set[str] = set()
    open_ended: set[str] = set()
    lost_ends: set[str] = set()
    known, cost = set(nodes.index), _least(basin, "cost")
    for link, row in links.to_dict("index").items():
        start, end = row["from"], row["to"]
        ends = {start, end} & known
        touched |= ends
        if not ends or len(ends) < len({start, end}):
            # where it goes is not known: its fault is reported, and it must not cause others
            lost_ends |= {start, end} - ends
            open_ended |= ends
        elif start == end:
            findings.add(
                basin.position("links", link, "to"),
                "E254",
                f"link '{link}' joins node '{start}' to itself; name another node",
                TopologyError,
            )
        elif start in sinks:
            findings.add(
                basin.position("links", link, "from"),
                "E255",
                f"link '{link}' leaves sink '{start}'; turn it around or make the node a junction",
                TopologyError,
            )
        else:
            graph.add_edge(start, end)
            is_slow = row["lag_periods"] or row["lag"] or row["muskingum_k"]
            costs_nothing = not row["loss"] and not is_slow and cost[link] <= 0
            is_sound = not any((link, name) in links.attrs["faulty_cells"] for name in _OF_A_CYCLE)
            if costs_nothing and is_sound and not row["may_circle"]:
                free.add_edge(start, end)
                free.edges[start, end].setdefault("links", []).append(link)
    # a basin may be one place, whose water leaves it there
    is_one_place = len(nodes) == 1 and len(sinks) == 1 and links.empty
    if "" not in lost_ends and not is_one_place:
        for node in nodes.index:
            # an end that is misspelt may be the node
            is_alone = node not in touched | closed
            if is_alone and not any(suggest(end, [node]) for end in lost_ends):
                findings.add(
                    basin.position("nodes", node, "name"),
                    "E251",
                    f"node '{node}' has no link; join it in links.csv or remove it",
                    TopologyError,
                )
    doubtful = {node for node in nodes.index if ("nodes", node) in basin.doubtful}
    joined = graph.subgraph(touched)
    _check_ways_out(basin, joined, sinks, open_ended | doubtful, closed, findings)
    order = {link: k for k, link in enumerate(links.index)}
    for circle in nx.strongly_connected_components(free):
        if len(circle) > 1:
            inside = free.subgraph(circle).edges(data="links")
            names = sorted((link for *_, at in inside for link in at), key=order.__getitem__)
            findings.add(
                basin.position("links", names[0], "name"),
                "E253",
                f"links {listed(names)} form a cycle in which water could circle for nothing; "
                "turn one around, give one a loss, a cost or a lag, or allow it by may_circle",
                TopologyError,
            )


def _least(basin: Basin, column: str) -> dict[str, float]:
    """Least value of a column of links that may vary, by link; 0 where it cannot be read."""
    least = dict.fromkeys(basin.tables["links"].index, 0.0)
    series = basin.series.get(column)
    of_series = {} if series is None else series.values.min().to_dict()
    for link, value in basin.values("links", column).items():
        if isinstance(value, SeriesColumn):
            least[link] = of_series[link]
        else:
            least[link] = min(value.values) if isinstance(value, Pattern) else value
    return least


def _check_ways_out(
    basin: Basin,
    graph: nx.DiGraph,
    sinks: set[str],
    open_ended: set[str],
    closed: set[str],
    findings: Findings,
) -> None:
    """Report where water ends that cannot reach a sink, once for all nodes upstream.

    `open_ended` are nodes that may have a way out, or be one, behind a fault reported already;
    `closed` those that keep what enters them.
    """
    nodes = basin.tables["nodes"]
    if nodes.empty:
        return
    if not sinks and not open_ended:
        findings.add(
            Position(shown(basin.folder / "nodes.csv")),
            "E252",
            "no node is of kind sink, so water cannot leave the basin; add the sea or a border",
            TopologyError,
        )
        return
    ways_out = (sinks | open_ended | closed) & set(graph)
    reach = set().union(*(nx.ancestors(graph, node) | {node} for node in ways_out))
    stuck = graph.subgraph(set(graph) - reach)
    ends = nx.condensation(stuck)
    for end in ends:
        if ends.out_degree(end):
            continue
        inside = ends.nodes[end]["members"]
        name = next(node for node in nodes.index if node in inside)
        above = len(nx.ancestors(stuck, name) - {name})
        also = f" (nor from the {above} nodes above it)" if above > 1 else ""
        also = " (nor from the node above it)" if above == 1 else also
        findings.add(
            basin.position("nodes", name, "name"),
            "E252",
            f"water cannot leave '{name}' for a sink{also}; add a link out of it or make it a sink",
            TopologyError,
        )
