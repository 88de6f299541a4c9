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
    """``head -> lake -> fork -> sea``, a field beside the fork; six days, six goals, six rules."""
    (folder / "own_rule.py").write_text(OWN_RULE, encoding="utf-8")
    return make_case(folder, **(parts() | changes))


def parts() -> dict[str, Any]:
    """Arguments of :func:`tests.small.make_case`."""
    return {
        "periods": 6,
        "more": {"works": {"scheme": "2001-01-03"}},
        "goals": [
            {"meet": {"sectors": ["domestic"]}},
            {"share": {"sectors": ["irrigation"], "among": "demand", "window": "horizon"}},
            {"prefer": {"sectors": ["industry"]}},
            {"minimise": "spill"},
            {"maximise": {"quantity": "storage_end", "when": "last"}},
            {"minimise": "cost"},
            {"firm_energy": {"window": "period"}},
            {"maximise": "energy"},
            {"net_benefit": {}},
            {"drawdown": {"order": ["pond", "lake"], "between": {"from": "01-02", "to": "01-05"}}},
            {"follow_plan": {"quantity": "storage_end", "of": ["lake"], "plan_hm3": 40}},
            {"end_storage": {"target": "full"}},
            {"end_storage": {"values": {"pond": [{"up_to_hm3": 5, "value_per_m3": 3}]}}},
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
             "share_of_demand": 0.5, "soft": {"goal": 7}},
            {"rule": "minimum_level", "name": "gates", "at": "fork",
             "level_m": {"from": "01-02", "to": "01-03", "value": 1.4}},
            {"rule": "salinity_control", "name": "salt", "at": ["gulf"],
             "flow_m3s": {"from": "01-02", "to": "01-04", "value": 8}},
            {"rule": "minimum_energy", "name": "load", "power_mw": {"from": "01-02", "to": "01-03",
             "value": 20}, "soft": {"goal": 6}},
            {"rule": "share_of_flow", "name": "passed_on", "at": "fork", "of": "regulated",
             "share": {"from": "01-02", "to": "01-04", "value": 0.1}, "window": "horizon"},
            {"rule": "share_of_flow", "name": "of_nature", "at": "fork", "share": 0.3,
             "soft": {"goal": 5}},
            {"rule": "indexed_delivery", "name": "by_table", "at": "fork",
             "index": {"natural_flow_at": ["fork"]}, "window": "horizon",
             "table": [{"up_to_m3s": 100, "share": 0.1}, {"flow_m3s": 10}]},
            {"rule": "indexed_delivery", "name": "by_storage", "at": "fork",
             "index": {"storage_of": ["lake"]}, "soft": {"goal": 6},
             "points": [{"index_hm3": 20, "flow_m3s": 0}, {"index_hm3": 40, "flow_m3s": 100},
                        {"index_hm3": 60, "flow_m3s": 300}]},
            {"rule": "fixed_plus_surplus", "name": "accord", "at": "fork", "fixed_hm3": 5,
             "share_of_surplus": 0.1, "reference_hm3": 80, "window": "horizon",
             "exception": {"natural_below_hm3": 60, "fixed_share": 0.5}},
            {"rule": "upstream_guarantee", "name": "upper_users", "above": "fork",
             "share_of_demand": 0.2, "window": "horizon"},
            {"rule": "border_flow", "name": "abroad", "nodes": ["head"], "share": 0.99,
             "from": "2001-01-06"},
            {"rule": "hands_off_flow", "name": "hands_off", "at": "head", "sectors": ["industry"],
             "flow_m3s": {"from": "01-03", "to": "01-06", "value": 30}, "share": 0.5},
            {"rule": "no_new_use", "name": "closed", "sectors": ["irrigation"], "above": "fork",
             "year": 2001, "growth": 0.1},
            {"rule": "headwater_protection", "name": "source", "nodes": ["head", "lake"],
             "withdrawal_share": 0.9, "sectors": ["domestic"], "minimum_storage_share": 0.2,
             "river_share": 0.01},
            {"rule": "equal_filling", "name": "alike", "reservoirs": ["lake", "pond"],
             "tolerance_share": 0.9},
            {"rule": "ramping", "name": "steps", "reservoir": "pond", "up_m3s": 20,
             "down_m3s": 20, "initial_m3s": 10},
            {"rule": "hedging", "name": "hedge", "reservoirs": ["lake"], "link": "tunnel",
             "points": [{"storage_hm3": 0, "flow_m3s": 10}, {"storage_hm3": 30, "flow_m3s": 20},
                        {"storage_hm3": 60, "flow_m3s": 25}]},
            {"rule": "quota", "name": "dear", "sectors": ["aquaculture"], "share_of_demand": 0.5,
             "soft": {"penalty": 5}},
            {"rule": "minimum_energy", "name": "dear_load", "power_mw": 30,
             "soft": {"penalty": 2, "goal": 8}},
            {"rule": "quota", "name": "two_days", "sectors": ["industry"], "volume_hm3": 7,
             "window": "period", "rolling": 2, "history_hm3": [3]},
            {"rule": "rolling_delivery", "name": "compact", "at": "fork", "volume_hm3": 10,
             "window": "period", "rolling": 2, "history_hm3": [6], "leave": {"normal_hm3": 5},
             "soft": {"goal": 6}},
            {"rule": "cumulative_delivery", "name": "account", "at": "fork", "volume_hm3": 4,
             "window": "period", "debit_limit_hm3": 9, "credit_limit_hm3": 20, "loss": 0.1,
             "initial_hm3": 2, "settle": True, "soft": {"goal": 7}},
            {"rule": "entitlement", "name": "rights", "window": "period",
             "holders": {"town": {"demands": ["town"], "volume_hm3": 3, "initial_hm3": 0.5},
                         "farms": {"demands": ["rice", "maize"], "share_of_demand": 0.9}},
             "carry_over": {"share": 0.5, "loss": 0.1},
             "trade": {"limit_share": 0.6, "exchange_rate": 0.9, "price_per_m3": 2,
                       "transaction_cost_per_m3": 0.5, "price_cap_per_m3": 10}},
            {"rule": "drought_stages", "name": "stages", "sectors": ["irrigation", "industry"],
             "trigger": {"inflow_at": ["head"], "periods": 2}, "soft": {"goal": 7},
             "stages": [{"stage": "alert", "below_m3s": 200, "cut": {"irrigation": 0.2}},
                        {"stage": "drought", "below_m3s": 100, "cut": 0.4}]},
            {"rule": "release_window", "name": "spell", "gap_days": 1, "free_days": 1,
             "places": [{"at": "fork", "level_m": 1.4}, {"at": "coast", "flow_m3s": 5}],
             "windows": [{"start": "01-01", "length_days": 2},
                         {"start": "01-04", "length_days": 2}], "soft": {"goal": 7}},
            {"rule": "python", "name": "own", "file": "own_rule.py", "function": "keep_a_tenth"},
        ],
        "nodes": [
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "pond", "kind": "reservoir"},
            {"name": "fork", "kind": "junction"},
            {"name": "field", "kind": "junction"},
            {"name": "ground", "kind": "aquifer"},
            {"name": "coast", "kind": "control"},
            {"name": "gulf", "kind": "sink"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach",
             "loss_fraction": 0.02},
            {"name": "brook", "from": "pond", "to": "fork", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "fork", "kind": "turbine",
             "capacity_hm3_day": 25, "minimum_hm3_day": 1},
            {"name": "weir", "from": "lake", "to": "fork", "kind": "spillway"},
            {"name": "ditch", "from": "fork", "to": "field", "kind": "canal",
             "capacity_hm3_day": 9, "loss_fraction": 0.1, "cost_vnd_m3": 3,
             "muskingum_k_h": 18, "muskingum_x": 0.2, "initial_storage_hm3": 2},
            {"name": "lower", "from": "fork", "to": "sea", "kind": "reach", "lag_periods": 1,
             "initial_hm3_day": 4},
            {"name": "branch", "from": "fork", "to": "coast", "kind": "distributary"},
            {"name": "creek", "from": "fork", "to": "sea", "kind": "distributary"},
            {"name": "mouth", "from": "coast", "to": "gulf", "kind": "reach"},
            {"name": "side", "from": "coast", "to": "sea", "kind": "reach"},
            {"name": "tunnel", "from": "lake", "to": "field", "kind": "transfer",
             "capacity_hm3_day": 2, "loss_fraction": 0.05, "cost_vnd_m3": 1},
            {"name": "spring", "from": "ground", "to": "fork", "kind": "reach",
             "minimum_hm3_day": 0.1},
            {"name": "well", "from": "ground", "to": "field", "kind": "pump"},
            {"name": "drain", "from": "field", "to": "sea", "kind": "reach", "lag_h": 36,
             "initial_hm3_day": 1},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 60, "initial_hm3": 30,
             "target_hm3": 25, "curve": "lake", "evaporation_mm_day": 12, "flood_limit_hm3": 55,
             "minimum_storage_hm3": 12, "target_maximum_hm3": 58, "rain_mm_day": 3,
             "seepage_mm_day": 5, "seepage_to": "fork"},
            {"name": "pond", "dead_hm3": 1, "normal_hm3": 9, "initial_hm3": 5, "target_hm3": 1,
             "storage_loss_fraction": 0.01},
        ],
        "aquifers": [
            {"name": "ground", "dead_hm3": 3, "capacity_hm3": 40, "initial_hm3": 20,
             "target_hm3": 18, "recharge_hm3_day": 0.4, "pumping_limit_hm3_day": 2,
             "pumping_cost_vnd_m3": 1, "sustainable_yield_hm3": 9, "yield_years": 2,
             "stream": "fork", "depletion_fraction": 0.5, "depletion_lag_periods": 1,
             "depletion_weights": "0.6 0.4", "initial_pumping_hm3_day": 0.5}
        ],
        "carryover_values": [
            {"name": "lake_first", "reservoir": "lake", "block_least_hm3": 8, "block_most_hm3": 30,
             "carryover_value_vnd_m3": 2},
            {"name": "lake_rest", "reservoir": "lake", "carryover_value_vnd_m3": 1},
            {"name": "pond_all", "reservoir": "pond", "carryover_value_vnd_m3": -0.5},
        ],
        "zones": [
            {"name": "buffer", "reservoir": "lake", "top_hm3": 30},
            {"name": "conservation", "reservoir": "lake", "top_hm3": 60},
        ],
        "curves": [
            *({"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
              for x in (0, 30, 60)),
            *({"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
              for x, y in ((0, 1), (30, 6), (60, 8))),
            *({"curve": "branch", "x": x, "y": y, "x_unit": "m3s", "y_unit": "fraction"}
              for x, y in ((50, 0.3), (250, 0.5))),
            *({"curve": "stage", "x": x, "y": y, "x_unit": "m3s", "y_unit": "m"}
              for x, y in ((5, 0.4), (50, 1.2), (300, 3))),
            *({"curve": "tail", "x": x, "y": y, "x_unit": "m3s", "y_unit": "m"}
              for x, y in ((0, 80), (300, 83))),
            *({"curve": "mill", "x": x, "y": y, "x_unit": "m3s", "y_unit": "mw"}
              for x, y in ((0, 0), (15, 0.6), (30, 0.9))),
        ],
        "splits": [
            {"name": "to_branch", "node": "fork", "link": "branch", "curve": "branch"},
            {"name": "to_creek", "node": "fork", "link": "creek",
             "minimum_share_fraction": 0.05, "maximum_share_fraction": 0.2},
            {"name": "old_mouth", "node": "coast", "link": "mouth", "share_fraction": 0.4,
             "to_year": 2000},
            {"name": "new_mouth", "node": "coast", "link": "mouth", "share_fraction": 0.6,
             "from_year": 2001},
        ],
        "ratings": [
            {"name": "fork_level", "node": "fork", "curve": "stage"},
        ],
        "intakes": [
            {"name": "sluice", "node": "coast", "flow_at": "fork", "threshold_m3s": 30,
             "full_m3s": 90, "capacity_hm3_day": 3},
        ],
        "demands": [
            {"name": "town", "node": "head", "sector": "domestic", "annual_hm3": 2 * 365,
             "consumption_fraction": 0.2, "return_to": "lake", "return_lag_periods": 1,
             "return_weights": "0.7 0.3", "value_vnd_m3": 9},
            {"name": "village", "node": "ground", "sector": "domestic", "annual_hm3": 0.5 * 365},
            {"name": "rice", "node": "field", "sector": "irrigation", "annual_hm3": 10 * 365,
             "consumption_fraction": 0.7, "return_to": "sea"},
            {"name": "maize", "node": "lake", "sector": "irrigation", "annual_hm3": 6 * 365},
            {"name": "mill", "node": "fork", "sector": "industry", "annual_hm3": 3 * 365},
            {"name": "shrimp", "node": "coast", "sector": "aquaculture", "annual_hm3": 2 * 365},
            {"name": "garden", "node": "field", "sector": "irrigation", "area_ha": 3000,
             "requirement_mm_day": 8, "conveyance_fraction": 0.8, "consumption_fraction": 0.6,
             "return_to": "field", "return_lag_periods": 2, "initial_withdrawal_hm3_day": 0.2},
        ],
        "projections": [{"sector": "irrigation", "year": 2001, "factor": 1}],
        "sources": [
            {"name": "mill_weir", "demand": "mill", "node": "fork", "capacity_hm3_day": 2},
            {"name": "mill_pipe", "demand": "mill", "node": "lake", "preference": 2,
             "cost_vnd_m3": 2, "loss_fraction": 0.1, "loss_to": "fork"},
        ],
        "benefits": [
            {"demand": "rice", "month": 1, "up_to_fraction": 0.5, "value_vnd_m3": 20},
            {"demand": "rice", "month": 1, "up_to_fraction": 1, "value_vnd_m3": 8},
            {"demand": "maize", "up_to_flow_hm3_day": 4, "value_vnd_m3": 12},
        ],
        "hydropower": [
            {"plant": "power_house", "link": "outlet", "capacity_mw": 60,
             "efficiency_fraction": 0.9, "tailwater_curve": "tail", "price_vnd_kwh": 2},
            {"plant": "tunnel_mill", "link": "tunnel", "capacity_mw": 1, "power_curve": "mill",
             "price_vnd_kwh": 3},
            {"plant": "drain_mill", "link": "drain", "capacity_mw": 2, "head_m": 3,
             "efficiency_fraction": 0.7},
        ],
        "pumps": [{"link": "tunnel", "energy_kwh_m3": 0.5, "price_vnd_kwh": 4}],
        "works": [
            {"name": "scheme", "link": "tunnel", "investment_million": 900,
             "annual_cost_million": 73}
        ],
        "environmental_flows": [{"name": "life", "node": "lake", "minimum_hm3_day": 1.5}],
        "series": inflow(head=[40, 30, 8, 3, 2, 12]),
    }  # fmt: skip
