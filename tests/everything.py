"""A case in which every part, rule and goal has something to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.small import inflow, make_case
from wateralloc.case import Case

OWN_RULE = """\
import pyomo.environ as pyo


def keep_a_tenth(m, case):
    m.keep = pyo.Constraint(expr=m.flow["outlet"] - m.inflow["head"] / 10 >= 0)
"""


def everything(folder: Path, **changes: Any) -> Case:
    """``head -> lake -> fork -> sea``, a field beside the fork; six days, five goals, six rules."""
    (folder / "own_rule.py").write_text(OWN_RULE, encoding="utf-8")
    return make_case(folder, **(parts() | changes))


def parts() -> dict[str, Any]:
    """Arguments of :func:`tests.small.make_case`."""
    return {
        "periods": 6,
        "goals": [
            {"meet": {"sectors": ["domestic"]}},
            {"share": {"sectors": ["irrigation"], "among": "demand", "window": "horizon"}},
            {"minimise": "spill"},
            {"maximise": {"quantity": "storage_end", "when": "last"}},
            {"minimise": "cost"},
        ],
        "rules": [
            {"rule": "minimum_delivery", "name": "delta", "at": "fork",
             "flow_m3s": {"from": "01-02", "to": "01-05", "value": 70}},
            {"rule": "minimum_delivery", "name": "wish", "at": "fork", "flow_m3s": 150,
             "soft": {"goal": 2}},
            {"rule": "reservoir_levels", "name": "levels", "reservoir": "lake",
             "minimum_m": 101, "maximum_hm3": 58},
            {"rule": "quota", "name": "cap", "sectors": ["industry"], "volume_hm3": 9,
             "window": "horizon"},
            {"rule": "quota", "name": "soft_cap", "sectors": ["irrigation"],
             "share_of_demand": 0.5, "soft": {"goal": 6}},
            {"rule": "python", "name": "own", "file": "own_rule.py", "function": "keep_a_tenth"},
        ],
        "nodes": [
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "fork", "kind": "junction"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach",
             "loss_fraction": 0.02},
            {"name": "outlet", "from": "lake", "to": "fork", "kind": "turbine",
             "capacity_hm3_day": 25, "minimum_hm3_day": 1},
            {"name": "weir", "from": "lake", "to": "fork", "kind": "spillway"},
            {"name": "ditch", "from": "fork", "to": "field", "kind": "canal",
             "capacity_hm3_day": 9, "loss_fraction": 0.1, "cost_vnd_m3": 3},
            {"name": "lower", "from": "fork", "to": "sea", "kind": "reach", "lag_periods": 1,
             "initial_hm3_day": 4},
            {"name": "drain", "from": "field", "to": "sea", "kind": "reach"},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 60, "initial_hm3": 30,
             "target_hm3": 25, "curve": "lake", "evaporation_mm_day": 12, "flood_limit_hm3": 55}
        ],
        "curves": [
            *({"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
              for x in (0, 30, 60)),
            *({"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
              for x, y in ((0, 1), (30, 6), (60, 8))),
        ],
        "demands": [
            {"name": "town", "node": "head", "sector": "domestic", "annual_hm3": 2 * 365,
             "consumption_fraction": 0.2, "return_to": "lake", "return_lag_periods": 1,
             "return_weights": "0.7 0.3", "value_vnd_m3": 9},
            {"name": "rice", "node": "field", "sector": "irrigation", "annual_hm3": 10 * 365,
             "consumption_fraction": 0.7, "return_to": "sea"},
            {"name": "maize", "node": "lake", "sector": "irrigation", "annual_hm3": 6 * 365},
            {"name": "mill", "node": "fork", "sector": "industry", "annual_hm3": 3 * 365},
        ],
        "environmental_flows": [{"name": "life", "node": "lake", "minimum_hm3_day": 1.5}],
        "series": inflow(head=[40, 30, 8, 3, 2, 12]),
    }  # fmt: skip
