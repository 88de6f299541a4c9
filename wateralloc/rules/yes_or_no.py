"""What rules with decisions of yes or no need: the range of what they decide by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.parts import by_node
from wateralloc.parts.reservoir import storage_range

AMPLE = 2.0
"""Margin over all water of the basin: for rain on lakes and what is under way in channels."""


def storage_together(basin: Basin, reservoirs: Iterable[str]) -> tuple[float, float]:
    """Least and largest storage of reservoirs together, in any case [hm3]."""
    ranges = [storage_range(basin, r) for r in reservoirs]
    return float(sum(low for low, _ in ranges)), float(sum(high for _, high in ranges))


def most_by(m: pyo.ConcreteModel, case: Case) -> np.ndarray:
    """More water than can have come to any node by the end of each period, since the horizon began.

    A limit that no flow reaches, for rows that a decision switches off.  It holds where water comes
    to a node once, as `runs_in_circle` tells; what users return comes again, and is in it.

    Returns
    -------
    ndarray [hm3] (member, time)
    """
    tables, shape = case.basin.tables, (case.n_members, case.n_periods)
    lakes = tables["reservoirs"]
    # one without a limit began with its initial storage
    in_lakes = lakes["normal"].where(lakes["normal"] < np.inf, lakes["initial"]).sum()
    kept = in_lakes + tables["aquifers"]["capacity"].sum()
    brought = [*m.inflow.values(), *m.recharge.values(), *m.sent_before.values()]
    comes = sum(
        (np.broadcast_to(data.value, shape) for data in [*brought, *m.demand.values()]),
        np.zeros(shape),
    )
    total: np.ndarray = AMPLE * (float(kept) + np.cumsum(comes, axis=1))
    return total


def runs_in_circle(basin: Basin, node: str) -> bool:
    """Tell whether water that leaves a node may come back to it by links, or grow on its way."""
    links = basin.tables["links"]
    loss = basin.values("reservoirs", "storage_loss").values()
    if (links["loss"] < 0).any() or any(np.min(getattr(v, "values", v)) < 0 for v in loss):
        return True
    out = by_node(links["from"])
    seen: set[str] = set()
    ahead = [node]
    while ahead:
        for k in out.get(ahead.pop(), ()):
            below = links.at[k, "to"]
            if below == node:
                return True
            if below not in seen:
                seen.add(below)
                ahead.append(below)
    return False
