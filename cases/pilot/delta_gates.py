"""The gates of the delta: how much fields get hangs on the level of the river.

A rule of kind ``python``, common to the cases of the pilot.  It is an **estimate, invented for the
study**: design levels of the gates were not found, so the basin itself binds no intake to a level.
"""

from __future__ import annotations

import pyomo.environ as pyo

from wateralloc.case import Case


def delta_gates(
    m: pyo.ConcreteModel,
    case: Case,
    nodes: list[str],
    regions: list[str],
    sectors: list[str],
    flow_at: str,
    full_m3s: float,
) -> None:
    """Let gates take a part of their capacity, in proportion to the flow of the river.

    The capacity is the largest flow that their users ask for in any period, so that the gates serve
    them in full from `full_m3s` on, and in months in which they ask for half of it from half that
    flow on.

    Parameters
    ----------
    nodes : where the gates are
    regions, sectors : users that draw through them are those of these regions and sectors
    flow_at : node whose river flow stands for the level at the gates
    full_m3s : flow at which the gates take their capacity
    """
    table, seconds = case.basin.tables["demands"], case.timeline.seconds
    through = table["region"].isin(regions) & table["sector"].isin(sectors)
    users = {n: list(table.index[through & (table["node"] == n)]) for n in nodes}
    asked_m3s = {n: sum(m.demand[d].value for d in users[n]) * 1e6 / seconds for n in nodes}
    opening = sum(m.flow[k] for k in m.river_out[flow_at]) / full_m3s

    def row(m: pyo.ConcreteModel, n: str) -> pyo.Expression:
        return sum(m.withdrawal[d] for d in users[n]) - float(asked_m3s[n].max()) * opening <= 0

    m.delta_gates = pyo.Constraint(nodes, rule=row)
