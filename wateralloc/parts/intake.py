"""Intake: water that can be taken only when the river is high enough."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, unit
from wateralloc.parts.demand import drawn_at
from wateralloc.parts.rating import check_has_river, flow_at_itself, mean_flow
from wateralloc.tables import Column, Table
from wateralloc.tangents import larger

INTAKES = Table(
    "intakes",
    "Intakes, such as tidal sluices, that take water only above a flow of the river.",
    (
        Column("name", "name of the intake", "name", required=True),
        Column("node", "node where it takes water", "name", required=True, refers_to="nodes"),
        Column(
            "flow_at",
            "node whose river flow opens it; empty: node",
            "name",
            refers_to="nodes",
        ),
        Column(
            "threshold",
            "flow of the river up to which it takes nothing",
            dimension="flow",
            required=True,
            low=0,
        ),
        Column(
            "full",
            "flow of the river from which it takes its capacity",
            dimension="flow",
            required=True,
            low=0,
        ),
        Column(
            "capacity",
            "largest flow it takes",
            dimension="flow",
            required=True,
            low=0,
            varies="timeline",
        ),
    ),
)


class Intake(Part):
    """Let an intake take water only above a flow of the river.

    A sluice by gravity, or one near the sea that opens on the tide, takes nothing up to a flow, its
    capacity from a larger one on, and a part of it between the two.  What it takes is all that
    leaves the river at its node: the withdrawals of the demands that draw there, and what enters
    canals, pumps and transfers.  The flow is what the river carries on from `flow_at`, after what
    was taken there.

    The capacity is a linear limit; the opening is not, and bends the wrong way at the threshold.
    The first pass, and fixed mode, take the straight line from no flow to `full`, which with the
    capacity is the least concave limit above: it lets too much through below `full`.  Further
    passes hold each intake as the pass before left it: shut where the river stood below the
    threshold, else open, with the river at or above the threshold.  So the result is the best near
    that of the first pass, not of all.

    Equation
    --------
    taken(n, t) <= capacity(i, t);
    taken(n, t) <= capacity(i, t) max(0, (Q(t) - threshold) / (full - threshold));
    Q = river_flow(flow_at(i), t) / length of t, taken = withdrawals at n + flow(l, t) over the
    links l out of n that are no river.
    """

    kind = "intake"
    tables = (INTAKES,)

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        flow_at_itself(tables["intakes"])

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["intakes"]
        first: dict[str, str] = {}
        for name in table.index:
            row = table.loc[name]
            check_has_river(basin, "intakes", name, "E268", findings)
            if row["threshold"] >= row["full"]:
                findings.add(
                    basin.position("intakes", name, "threshold"),
                    "E268",
                    f"threshold {row['threshold']:g} m3/s of intake '{name}' is not below full "
                    f"{row['full']:g} m3/s; must be below it",
                )
            other = first.setdefault(row["node"], name)
            if other != name:
                findings.add(
                    basin.position("intakes", name, "node"),
                    "E268",
                    f"intakes '{other}' and '{name}' are both at '{row['node']}', where all that "
                    "is taken goes through one; give this one a node of its own",
                )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        most = case.volumes("intakes", "capacity")
        m.intake_capacity = pyo.Param(list(most), initialize=most, units=unit("hm3"), **DATA)

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        table, intakes = case.basin.tables["intakes"], list(m.intake_capacity)
        opening = {i: self._opening(m, table.loc[i]) for i in intakes}
        node, most = table["node"], m.intake_capacity
        m.intake_opening = pyo.Constraint(
            intakes, rule=lambda m, i: taken_at(m, node[i]) <= most[i] * opening[i]
        )
        m.intake_most = pyo.Constraint(intakes, rule=lambda m, i: taken_at(m, node[i]) <= most[i])

    @staticmethod
    def _opening(m: pyo.ConcreteModel, row: pd.Series) -> Any:
        """Share of its capacity that an intake takes, as a straight line in the flow."""
        threshold, full, node = row["threshold"], row["full"], row["flow_at"]
        bending = [m.outflow[node]] if node in m.outflow else [m.flow[k] for k in m.river_out[node]]
        return m.tangents.add(
            f"opening[{row.name}]",
            lambda flow: opening_at(flow, threshold, full),
            [mean_flow(m, node)],
            start=(0.0, [1.0 / full]),
            steps=bending,
            is_limit=True,
            units=unit("1"),
        )


def opening_at(flow: Any, threshold: float, full: float) -> Any:
    """Share of its capacity that an intake can take at a flow, above 1 where the flow is no limit.

    >>> [float(opening_at(flow, 100.0, 200.0)) for flow in (50.0, 150.0, 300.0)]
    [0.0, 0.5, 2.0]
    """
    return larger((flow - threshold) * (1.0 / (full - threshold)), 0.0)


def taken_at(m: pyo.ConcreteModel, node: str) -> Any:
    """Volume [hm3] taken from the river at a node: by demands, canals, pumps and transfers."""
    river = m.river_out.get(node, ())
    off = sum(m.flow[k] for k in m.links_out.get(node, ()) if k not in river)
    return drawn_at(m, node) + off
