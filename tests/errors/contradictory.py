"""The basin of the contradictory cases: six dekads, in m3/s, small enough to reckon by hand.

``spring -> lake -> town -> delta -> sea``, and ``side -> town`` by a canal or ``side -> delta`` by
a brook.  A farm and a mill take at the town, a city at the delta.  Part of what the farm and the
mill take comes back at the delta, and of the city's at the town: that water reaches it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.basins import write_basin

STARTS = ("2001-01-01", "2001-01-11", "2001-01-21", "2001-02-01", "2001-02-11", "2001-02-21")
SPRING = (100, 60, 40, 40, 30, 30)
SIDE = (20, 20, 20, 15, 15, 15)


def valley_parts() -> dict[str, Any]:
    """Arguments of :func:`tests.basins.write_basin`."""
    return {
        "nodes": [
            {"name": "spring", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "side", "kind": "inflow"},
            {"name": "town", "kind": "junction"},
            {"name": "delta", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "spring", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "town", "kind": "turbine",
             "capacity_m3s": 120},
            {"name": "canal", "from": "side", "to": "town", "kind": "transfer",
             "capacity_m3s": 10},
            {"name": "brook", "from": "side", "to": "delta", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "delta", "kind": "reach"},
            {"name": "mouth", "from": "delta", "to": "sea", "kind": "reach"},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 50, "normal_hm3": 500, "initial_hm3": 150,
             "target_hm3": 50, "curve": "lake"},
        ],
        "hydropower": [
            {"plant": "dam", "link": "outlet", "capacity_mw": 50,
             "efficiency_fraction": 0.85, "head_m": 40},
        ],
        "demands": [
            {"name": "farm", "node": "town", "sector": "irrigation", "demand_m3s": 60,
             "consumption_fraction": 0.5, "return_to": "delta"},
            {"name": "mill", "node": "town", "sector": "industry", "demand_m3s": 20,
             "consumption_fraction": 0.25, "return_to": "delta"},
            {"name": "city", "node": "delta", "sector": "domestic", "demand_m3s": 30,
             "consumption_fraction": 0.4, "return_to": "town"},
        ],
        "curves": [
            {"curve": "lake", "x": 0, "y": 20, "x_unit": "hm3", "y_unit": "m"},
            {"curve": "lake", "x": 500, "y": 70, "x_unit": "hm3", "y_unit": "m"},
            {"curve": "bed", "x": 20, "y": 0.5, "x_unit": "m3s", "y_unit": "m"},
            {"curve": "bed", "x": 120, "y": 2.5, "x_unit": "m3s", "y_unit": "m"},
        ],
        "ratings": [{"name": "bed", "node": "delta", "flow_at": "delta", "curve": "bed"}],
        "series": {
            "inflow_m3s": {
                "date": list(STARTS), "spring": list(SPRING), "side": list(SIDE),
            },
        },
    }  # fmt: skip


def valley(folder: Path, **changes: Any) -> Path:
    """Write the basin; arguments replace whole tables, what the folder has of its own stays."""
    own = {path: path.read_bytes() for path in folder.rglob("*.csv")}
    write_basin(folder, **(valley_parts() | changes))
    for path, text in own.items():
        path.write_bytes(text)
    return folder
