"""Rating: the level of the river by its flow, which moves as the bed is lowered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Exact, Part, Quantity, unit
from wateralloc.parts.epochs import YEARS, check_epochs, rows_in
from wateralloc.parts.link import RIVER_KINDS, river_flow
from wateralloc.tables import Column, Table
from wateralloc.units import m3s_of_hm3

RATINGS = Table(
    "ratings",
    "Rating curves of the river, each for the riverbed of some years.",
    (
        Column("name", "name of the rating", "name", required=True),
        Column("node", "node where the level is read", "name", required=True, refers_to="nodes"),
        Column(
            "flow_at",
            "node whose river flow the level goes with; empty: node",
            "name",
            refers_to="nodes",
        ),
        Column(
            "curve",
            "curve with the level by flow",
            "name",
            required=True,
            refers_to="curves",
        ),
        *YEARS,
    ),
)


class Rating(Part):
    """Tell the level of the river from the flow it carries on.

    A node may have several ratings, each for the riverbed of the years `from_year` to `to_year`.
    A rule on a level, as ``minimum_level``, takes the one of the case's ``riverbed``: before the
    first epoch the first, in a gap the one before, after the last the last.  The level may go with
    the flow at another node: that of a town below a fork with the flow above the fork.

    Results hold the level by every rating, also by those of other years than the case's, so that
    the riverbeds can be compared at the flow that results.  It is read at the mean flow of the
    period; beyond the ends of its curve the last straight line goes on.

    Equation
    --------
    river_level(r, t) = stage_r(river_flow(flow_at(r), t) / length of t).

    Source
    ------
    WMO (2010), Manual on Stream Gauging, volume II, Computation of Discharge, WMO-No. 1044
    (simple stage-discharge relations, and how they shift with the bed).
    """

    kind = "rating"
    tables = (RATINGS,)

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        flow_at_itself(tables["ratings"])

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["ratings"]
        for name in table.index:
            check_has_river(basin, "ratings", name, "E265", findings)
            curve = basin.curves.get(table.at[name, "curve"])
            if curve is not None and not curve.has("stage"):
                findings.add(
                    basin.position("ratings", name, "curve"),
                    "E265",
                    f"curve '{curve.name}' of rating '{name}' has no level by flow; "
                    "give points with x_unit m3s and y_unit m, or name another curve",
                )
        check_epochs(basin, "ratings", ["node", "flow_at"], "E265", findings)

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        m.flow_per_volume = pyo.Param(
            initialize=m3s_of_hm3(1.0, case.timeline.seconds), units=unit("m3/s/hm3"), **DATA
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        table, curves = case.basin.tables["ratings"], case.basin.curves
        yield Quantity(
            "river_level",
            "rating",
            {},
            "m",
            "level of the river at the mean flow of the period, by the rating",
            "time: mean",
            exact={
                r: Exact(partial(curves[row["curve"]].at, "stage"), (mean_flow(m, row["flow_at"]),))
                for r, row in table.iterrows()
            },
        )


def flow_at_itself(table: pd.DataFrame) -> None:
    """Fill the empty cells of column flow_at with the row's own node, in place."""
    table["flow_at"] = table["flow_at"].where(table["flow_at"] != "", table["node"])


def check_has_river(basin: Basin, table: str, name: str, code: str, findings: Findings) -> None:
    """Add a fault where no river leaves the node of column flow_at."""
    links, nodes = basin.tables["links"], basin.tables["nodes"]
    node = basin.tables[table].at[name, "flow_at"]
    is_river = links["kind"].isin(RIVER_KINDS) & (links["from"] == node)
    if not is_river.any() and nodes["kind"].get(node) != "sink":
        findings.add(
            basin.position(table, name, "flow_at"),
            code,
            f"{basin.declared[table].item} '{name}' goes with the river flow of '{node}', which no "
            f"river link leaves; name a node that the river leaves ({', '.join(RIVER_KINDS)})",
        )


def mean_flow(m: pyo.ConcreteModel, node: str) -> Any:
    """Mean flow [m3/s] that the river carries on from a node in the period."""
    return m.flow_per_volume * river_flow(m, node)


def rating_of(basin: Basin, node: str, flow_at: str, riverbed: int) -> str | None:
    """Name of the rating of a node by the flow at a node, in the riverbed of a year, if any."""
    table = basin.tables["ratings"]
    table = table[(table["node"] == node) & (table["flow_at"] == flow_at)]
    return next(iter(rows_in(table, ["node"], riverbed)), None)
