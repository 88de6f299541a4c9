"""Random basins in which every part of the physics acts at once.

    head -> upper -> lower -> fork -> coast -> gulf        hill -> pond -> fork
                              fork -> field -> coast       hill -> upper: a tunnel, once it is open
                              fork -> sea, coast -> sea    ground -> fork: a spring

Each has an allocation that meets all hard limits: nobody withdraws, reservoirs keep what they hold,
and the local inflow of each bears its evaporation and seepage (at most 15 mm a day of 60 km2), that
of the fork what was pumped before the horizon.

A basin has hundreds of numbers.  They come from a seed: hypothesis, left to draw them one by one,
mostly tries basins that differ from the one before in a single number.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.properties.basins import M3S, TRAVELS
from wateralloc.timeline import Timeline

DEAD, INITIAL, NORMAL = 20, 250, 600
"""Storages [hm3] of the two dams."""
BASE = {"upper": 3, "lower": 3, "pond": 2, "fork": 2}
"""Inflow [hm3 a day] of the nodes that need some."""
RIVER = ("head", "upper", "lower", "hill", "pond", "fork", "field", "coast")
RECEIVERS = (*RIVER, "ground", "gulf", "sea")
"""Nodes that can pass on, or keep, whatever they are given."""
STEPS = {"month": "2003-02-01", "dekad": "2004-02-11", "day": "2003-12-29"}
"""First days: periods of 28 to 31 days, of 8 to 11 days, and days."""
CHANGES = ("01-01", "02-20", "03-12")
"""Dates from which patterns have other values."""
SLOW = ({"lag_h": 500}, {"lag_periods": 0.4, "muskingum_k_h": 20, "muskingum_x": 0.3})
LOSSES = (0, 0, 0.1, 0.5, 1)
WEIGHTS = ("", "0.5 0.5", "0.25 0 0.75")

GOALS: tuple[dict[str, Any], ...] = (
    {"share": {"among": "demand", "window": "horizon"}},
    {"prefer": {}},
    {"minimise": "spill"},
    {"maximise": "energy"},
    {"firm_energy": {"window": "period"}},
    {"maximise": {"quantity": "storage_end", "when": "last"}},
    {"maximise": {"quantity": "aquifer_end", "when": "last"}},
    {"minimise": "evaporation"},
    {"minimise": "cost"},
    {"minimise": "pumping_cost"},
    {"minimise": {"quantity": "flow_in", "of": ["branch"]}},
)


def physical_basins(*, members: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """What :func:`physical_basin` makes of any seed."""
    return st.integers(0, 2**32 - 1).map(lambda seed: physical_basin(seed, members=members))


def physical_basin(seed: int, *, members: int = 2) -> dict[str, Any]:
    """Arguments of :func:`tests.small.make_case`: a basin, and goals in any order.

    Parameters
    ----------
    members : most years of record
    """
    dice = Random(seed)
    step = dice.choice(list(STEPS))
    horizon = Timeline(STEPS[step], dice.randint(3, 6), step)
    series = _Series(dice, horizon, dice.randint(1, members))
    gauged = dict.fromkeys(["head", "hill", dice.choice(["field", "coast"])], 0) | BASE
    works, opened = _works(dice, horizon)
    goals = [{"meet": {}}, *dice.sample(GOALS, dice.randint(2, 3))]
    return {
        "periods": horizon.periods,
        "more": {
            "timeline": {"start": horizon.start, "periods": horizon.periods, "step": step},
            "hydrology": {"record": "historic", "members": "all"},
            "riverbed": dice.choice([1999, 2005]),
            "works": opened,
        },
        "goals": dice.sample(goals, len(goals)),
        "yaml": {"water_year_start": dice.choice([1, 3])},
        "nodes": _nodes(),
        "links": _links(dice),
        "works": works,
        "pumps": [{"link": "tunnel", "energy_kwh_m3": 0.5, "price_vnd_kwh": 4}],
        "splits": _splits(dice),
        "intakes": _intakes(dice),
        "reservoirs": _reservoirs(dice),
        "aquifers": _aquifers(dice),
        "hydropower": _plants(dice),
        "curves": _curves(dice),
        "patterns": _patterns(dice),
        "demands": _demands(dice),
        "sources": _sources(dice),
        "environmental_flows": [
            {"name": "life", "node": "fork", "minimum_hm3_day": dice.choice([0, 0.5])}
        ],
        "series": {
            "inflow_hm3_day": series.of(
                {node: [least + q for q in (0, 0.5, 2, 10)] for node, least in gauged.items()}
            ),
            "recharge_hm3_day": series.of({"ground": [0.5, 1, 3]}),
            "evaporation_mm_day": series.of({"upper": [0, 2.5, 10]}),
            "rain_mm_day": series.of({"lower": [0, 4]}),
        },
    }


class _Series:
    """Random series by month or dekad, as long as the years of the record need."""

    def __init__(self, dice: Random, horizon: Timeline, n_members: int) -> None:
        first, last = (day.astype("datetime64[M]") for day in horizon.edges[[0, -1]])
        n_months = 12 * (n_members - 1) + int((last - first).astype(int)) + 1
        step = dice.choice(["month", "dekad"])
        record = Timeline(f"{first}-01", n_months * (3 if step == "dekad" else 1), step)
        self.dice, self.dates = dice, record.labels

    def of(self, choices: dict[str, list[float]]) -> dict[str, Any]:
        """Columns of a file: dates, and by name a choice for each date."""
        n = len(self.dates)
        return {"date": self.dates} | {
            name: self.dice.choices(values, k=n) for name, values in choices.items()
        }


def _nodes() -> list[dict[str, Any]]:
    kinds = {
        "head": "inflow", "upper": "reservoir", "lower": "reservoir", "hill": "inflow",
        "pond": "reservoir", "fork": "junction", "field": "junction", "coast": "control",
        "ground": "aquifer", "deep": "aquifer", "gulf": "sink", "sea": "sink",
    }  # fmt: skip
    return [{"name": name, "kind": kind} for name, kind in kinds.items()]


def _links(dice: Random) -> list[dict[str, Any]]:
    def link(name: str, start: str, end: str, kind: str, **more: Any) -> dict[str, Any]:
        travel = dice.choice([*TRAVELS, *SLOW])
        row = {"name": name, "from": start, "to": end, "kind": kind, **travel, **more}
        row["loss_fraction"] = dice.choice(LOSSES)
        if travel:
            row["initial_hm3_day"] = dice.choice([0, 1, 5.5])
        if "muskingum_k_h" in travel:
            row["initial_storage_hm3"] = dice.choice([None, 0, 15])
        return row

    most = [None, 1, 6]
    return [
        link("head_reach", "head", "upper", "reach"),
        link("upper_turbine", "upper", "lower", "turbine", capacity_hm3_day=dice.choice(most)),
        link("upper_weir", "upper", "lower", "spillway"),
        link("lower_turbine", "lower", "fork", "turbine", minimum_hm3_day=dice.choice([0, 0.5])),
        link("lower_weir", "lower", "fork", "spillway"),
        link("hill_reach", "hill", "pond", "reach"),
        link("pond_reach", "pond", "fork", "reach"),
        link("branch", "fork", "coast", "distributary"),
        link("creek", "fork", "sea", "reach"),
        link("mouth", "coast", "gulf", "reach"),
        link("side", "coast", "sea", "reach"),
        link("ditch", "fork", "field", "canal", capacity_hm3_day=dice.choice(most), cost_vnd_m3=2),
        link("drain", "field", "coast", "reach"),
        link("spring", "ground", "fork", "reach", minimum_hm3_day=dice.choice([0, 0.2])),
        link("well", "ground", "field", "pump", cost_vnd_m3=1),
        link("leak", "fork", "ground", "canal", capacity_hm3_day=1, cost_vnd_m3=1),
        link(
            "tunnel", "hill", "upper", "transfer", capacity_hm3_day=dice.choice(most), cost_vnd_m3=1
        ),
    ]


def _works(dice: Random, horizon: Timeline) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A tunnel and a dam, which open on days of the horizon, or one of them not at all."""
    rows = [
        {"name": "tunnel_work", "work": "scheme", "link": "tunnel", "annual_cost_million": 7},
        {"name": "pond_dam", "reservoir": "pond", "investment_million": 90},
    ]
    opened = dice.choice([["scheme"], ["pond_dam"], ["scheme", "pond_dam"]])
    last = int(horizon.days.sum()) - 1
    return rows, {work: str(horizon.starts[0] + dice.randint(1, last)) for work in opened}


def _reservoirs(dice: Random) -> list[dict[str, Any]]:
    dams = {
        name: {
            "dead_hm3": DEAD,
            "normal_hm3": NORMAL,
            "initial_hm3": INITIAL,
            "target_hm3": dice.choice([None, DEAD, 100]),
            "target_maximum_hm3": dice.choice([None, INITIAL]),
            "minimum_storage_hm3": "pattern:least",
            "flood_limit_hm3": "pattern:most",
        }
        for name in ("upper", "lower")
    }
    dams["upper"]["rain_mm_day"] = "pattern:rain"
    dams["lower"]["evaporation_mm_day"] = dice.choice([4, "pattern:sun"])
    dams["pond"] = {
        "dead_hm3": 4, "normal_hm3": 60, "initial_hm3": 0, "filling_days": 20,
        "evaporation_mm_day": 6,
    }  # fmt: skip
    for row in dams.values():
        row["seepage_mm_day"] = dice.choice([None, 0.5, 5])
        row["seepage_to"] = dice.choice(["", "ground", "fork", "gulf"])
    return [{"name": name, "curve": name, **row} for name, row in dams.items()]


def _patterns(dice: Random) -> list[dict[str, Any]]:
    choices = {
        ("least", "hm3"): [DEAD, 120, INITIAL],
        ("most", "hm3"): [INITIAL, 400, NORMAL],
        ("sun", "mm_day"): [0, 3, 10],
        ("rain", "mm_day"): [0, 6],
        ("thirst", "mm_day"): [0, 5],
    }
    return [
        {"pattern": name, "start": start, "value": dice.choice(values), "unit": unit}
        for (name, unit), values in choices.items()
        for start in CHANGES
    ]


def _curves(dice: Random) -> list[dict[str, Any]]:
    """Areas and levels of lakes, tailwater, and shares of the branch that rise and fall."""
    rows: list[dict[str, Any]] = []

    def add(name: str, x_unit: str, y_unit: str, xs: Sequence[Any], ys: Sequence[Any]) -> None:
        units = {"x_unit": x_unit, "y_unit": y_unit}
        points = zip(xs, ys, strict=True)
        rows.extend({"curve": name, "x": float(x), "y": float(y), **units} for x, y in points)

    def rising(start: float, most: int) -> np.ndarray:
        return start + np.cumsum([0, *(dice.randint(1, most) for _ in range(3))])

    for name, bottom, storages in (
        ("upper", 200, (0, 80, 300, NORMAL)),
        ("lower", 100, (0, 80, 300, NORMAL)),
        ("pond", 300, (0, 5, 20, 60)),
    ):
        add(name, "hm3", "km2", storages, rising(0, 6 if name == "pond" else 20))
        add(name, "hm3", "m", storages, rising(bottom, 20))
    flows = np.array([2, 10, 40]) * M3S
    shares = np.array(dice.choice([(0.2, 0.3, 0.5), (0.6, 0.4, 0.3), (0.3, 0.5, 0.2)]))
    add("shared", "m3s", "fraction", flows, shares)
    add("flowing", "m3s", "m3s", [0, *flows], [0, *flows * shares])
    add("tail", "m3s", "m", [0, 100, 900], [80, 82, 88])
    return rows


def _splits(dice: Random) -> list[dict[str, Any]]:
    """The branch by a share, limits or a curve, in each riverbed; the mouths by a share or free."""
    ways: list[dict[str, Any]] = [
        {"share_fraction": dice.choice([0.25, 0.6])},
        {"minimum_share_fraction": 0.1, "maximum_share_fraction": 0.45},
        {"curve": "shared"},
        {"curve": "flowing"},
    ]
    branch = {"node": "fork", "link": "branch"}
    rows = [
        {"name": "old_bed", **branch, **dice.choice(ways), "to_year": 2000},
        {"name": "new_bed", **branch, **dice.choice(ways[2:]), "from_year": 2001},
    ]
    mouths = {"name": "mouths", "node": "coast", "link": "mouth", "share_fraction": 0.4}
    return dice.choice([rows, [*rows, mouths]])


def _intakes(dice: Random) -> list[dict[str, Any]]:
    return [
        {
            "name": "sluice",
            "node": "coast",
            "flow_at": dice.choice(["", "fork"]),
            "threshold_hm3_day": dice.choice([0.5, 3]),
            "full_hm3_day": 8,
            "capacity_hm3_day": dice.choice([1, 4]),
        }
    ]


def _aquifers(dice: Random) -> list[dict[str, Any]]:
    """One that feeds a spring and is fed by a stream, and one that is closed."""
    ground = {
        "name": "ground",
        "dead_hm3": 5,
        "capacity_hm3": dice.choice([32, 200]),
        "initial_hm3": 30,
        "target_hm3": dice.choice([None, 10]),
        "pumping_limit_hm3_day": dice.choice([None, 1]),
        "pumping_cost_vnd_m3": 3,
        "sustainable_yield_hm3": dice.choice([None, 25]),
        "yield_years": dice.randint(1, 2),
        "stream": "fork",
        "depletion_fraction": dice.choice([0.3, 1]),
        "depletion_lag_periods": dice.randint(0, 2),
        "depletion_weights": dice.choice(WEIGHTS),
        "initial_pumping_hm3_day": dice.choice([0, 0.4]),
    }
    deep = {"name": "deep", "capacity_hm3": 50, "initial_hm3": 40, "target_hm3": 5}
    return [ground, deep]


def _plants(dice: Random) -> list[dict[str, Any]]:
    """A cascade: the lake of the lower dam is the tailwater of the upper one."""
    return [
        {
            "plant": "high",
            "link": "upper_turbine",
            "capacity_mw": dice.choice([20, 900]),
            "efficiency_fraction": 0.9,
            "tailwater_reservoir": "lower",
        },
        {
            "plant": "low",
            "link": "lower_turbine",
            "capacity_mw": dice.choice([20, 900]),
            "efficiency_fraction": 0.8,
            "tailwater_curve": "tail",
            "max_turbine_hm3_day": 9,
        },
    ]


def _demands(dice: Random) -> list[dict[str, Any]]:
    """A town, a crop, one with sources of its own, one on groundwater, one behind the intake."""
    volumes = [0, 0.5, 1.5, 4]
    users: dict[str, dict[str, Any]] = {
        "town": {"node": dice.choice(RIVER), "annual_hm3": dice.choice([200, 900])},
        "crop": {
            "node": dice.choice(RIVER),
            "area_km2": dice.choice([100, 600]),
            "requirement_mm_day": dice.choice([6, "pattern:thirst"]),
            "conveyance_fraction": dice.choice([0.6, 1]),
        },
        "mill": {"node": dice.choice(RIVER), "demand_hm3_day": dice.choice(volumes)},
        "wells": {
            "node": dice.choice(["ground", "deep"]),
            "demand_hm3_day": dice.choice(volumes),
        },
        "shrimp": {"node": "coast", "demand_hm3_day": dice.choice(volumes)},
    }
    return [
        {
            "name": name,
            "sector": "farm" if name in ("crop", "shrimp") else "town",
            "region": "delta",
            "consumption_fraction": dice.choice([0, 0.3, 1]),
            "return_to": dice.choice(RECEIVERS),
            "return_lag_periods": dice.randint(0, 2),
            "return_weights": dice.choice(WEIGHTS),
            "initial_withdrawal_hm3_day": dice.choice([0, 2]),
            **user,
        }
        for name, user in users.items()
    ]


def _sources(dice: Random) -> list[dict[str, Any]]:
    rows = []
    for k in range(dice.randint(2, 3)):
        loss = dice.choice([0, 0.2, 0.9])
        rows.append(
            {
                "name": f"pipe_{k}",
                "demand": "mill",
                "node": dice.choice(["upper", "fork", "ground", "deep", "coast"]),
                "preference": dice.randint(1, 3),
                "capacity_hm3_day": dice.choice([None, 0.5]),
                "loss_fraction": loss,
                "loss_to": dice.choice(["", "", *RECEIVERS]) if loss else None,
            }
        )
    return rows


def points(basin: dict[str, Any], curve: str, y_unit: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of a curve that was drawn."""
    rows = [r for r in basin["curves"] if (r["curve"], r["y_unit"]) == (curve, y_unit)]
    return np.array([r["x"] for r in rows]), np.array([r["y"] for r in rows])


def branch_flow(basin: dict[str, Any], curve: str, river: np.ndarray) -> tuple[np.ndarray, float]:
    """What a branch takes of a river by its curve, and at the middle of that curve [m3/s]."""
    at, shares = points(basin, curve, "fraction")
    if not at.size:  # a curve of flows, of which the last line goes on
        at, flows = points(basin, curve, "m3s")
        slope = (flows[-1] - flows[-2]) / (at[-1] - at[-2])
        beyond = slope * np.maximum(river - at[-1], 0)
        return np.interp(river, at, flows) + beyond, float(
            np.interp((at[0] + at[-1]) / 2, at, flows)
        )
    middle = (at[0] + at[-1]) / 2
    return np.interp(river, at, shares) * river, float(np.interp(middle, at, shares) * middle)
