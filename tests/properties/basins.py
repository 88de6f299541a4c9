"""Random basins: ``rivers`` of daily periods, ``networks`` of months with rules and several years.

Both draw the arguments of :func:`tests.small.make_case`.  Whatever is drawn has an allocation that
meets all hard limits: nobody withdraws, every node passes on what it gains.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.basins import month_starts
from tests.small import inflow, make_case
from wateralloc.case import Case

M3S = 1 / 0.0864
"""Mean flow [m3/s] of 1 hm3 a day."""
DEAD, LOW, HIGH, INITIAL, NORMAL = 10, 800, 1000, 1500, 3000
"""Storages [hm3]: limits by rule are drawn below LOW or above HIGH, so that they can be kept."""

TRAVELS: tuple[dict[str, float], ...] = (
    {}, {"lag_periods": 1}, {"lag_periods": 2}, {"lag_periods": 1.6}, {"lag_h": 30},
    {"muskingum_k_h": 40, "muskingum_x": 0.4}, {"lag_h": 6, "muskingum_k_h": 12},
)  # fmt: skip
"""How the water of a link travels, by days or by months."""

flows = st.floats(0, 1000).map(lambda v: round(v, 3))
shares = st.floats(0, 1).map(lambda v: round(v, 2))


@st.composite
def rivers(draw: st.DrawFn) -> dict[str, Any]:
    """A river of 2 to 4 nodes: losses, lags, a canal, a reservoir, users who return water."""
    n_nodes, periods = draw(st.integers(2, 4)), draw(st.integers(1, 6))
    names = [f"n{i}" for i in range(n_nodes)]
    dam = draw(st.sampled_from(names))
    nodes: list[dict[str, Any]] = [
        {"name": n, "kind": "reservoir" if n == dam else "junction"} for n in names
    ]
    nodes.append({"name": "sea", "kind": "sink"})
    links = []
    for up, down in zip(names, [*names[1:], "sea"], strict=True):
        travel = draw(st.sampled_from(TRAVELS))
        links.append(
            {
                "name": f"{up}_reach",
                "from": up,
                "to": down,
                "kind": "reach",
                "loss_fraction": draw(shares),
                "initial_hm3_day": draw(flows) if travel else 0,
                **travel,
            }
        )
    links.append({"name": "spill", "from": dam, "to": "sea", "kind": "spillway"})
    links.append(
        {
            "name": "canal",
            "from": names[0],
            "to": names[-1] if n_nodes > 2 else "sea",
            "kind": "canal",
            "capacity_hm3_day": draw(flows),
            "loss_fraction": draw(shares),
        }
    )
    demands = []
    for i in range(draw(st.integers(1, 4))):
        demands.append(
            {
                "name": f"d{i}",
                "node": draw(st.sampled_from(names)),
                "sector": draw(st.sampled_from(["farm", "works"])),
                "region": "all",
                "demand_hm3_day": draw(flows),
                "consumption_fraction": draw(shares),
                "return_to": draw(st.sampled_from([*names, "sea"])),
                "return_lag_periods": draw(st.integers(0, 2)),
                "return_weights": draw(st.sampled_from(["", "0.5 0.5", "0.25 0 0.75"])),
            }
        )
    reservoir = {
        "name": dam,
        "dead_hm3": 10,
        "normal_hm3": 1000,
        "initial_hm3": 500,
        "target_hm3": 10,
        "evaporation_mm_day": draw(st.floats(0, 10).map(lambda v: round(v, 2))),
        "curve": "dam",
    }
    curve = [
        {"curve": "dam", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
        for x, y in ((0, 0), (300, 40), (1000, 90))
    ]
    gauged = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    series = {n: draw(st.lists(flows, min_size=periods, max_size=periods)) for n in gauged}
    return {
        "periods": periods, "nodes": nodes, "links": links, "demands": demands,
        "reservoirs": [reservoir], "curves": curve, "series": inflow(**series),
    }  # fmt: skip


small_flows = st.integers(0, 40).map(lambda v: v / 4)


@st.composite
def networks(
    draw: st.DrawFn, *, members: int = 2, rules: bool = True, soft: bool = True
) -> dict[str, Any]:
    """A tree of 2 to 5 nodes above the sea, by month, with one or more years of record.

    Reservoirs, lags, losses, minima, canals that cost, users with returns and lags; hard rules that
    can be kept, soft ones that cannot always.

    Parameters
    ----------
    members : most years that are drawn
    rules : draw rules
    soft : draw soft rules too
    """
    n_members, periods = draw(st.integers(1, members)), draw(st.integers(2, 5))
    names = [f"n{i}" for i in range(draw(st.integers(2, 5)))]
    below = [
        draw(st.sampled_from([*names[i + 1 :], *([] if names[i + 1 :] else ["sea"])]))
        for i in range(len(names))
    ]
    months = month_starts("2001-01", 12 * (n_members - 1) + periods)

    def of_months(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=len(months), max_size=len(months)))

    gauged = draw(st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=3))
    gains = {n: of_months(small_flows) for n in gauged}
    least = {n: min(gains.get(n, [0.0])) for n in names}
    dams = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
    # evaporation by series gives every member coefficients of its own
    dry = {d: of_months(st.floats(0, 10).map(lambda v: round(v, 1))) for d in dams[:1]}
    dry = dry if draw(st.booleans()) else {}
    demands = _users(draw, names)
    return {
        "periods": periods,
        "more": {
            "timeline": {"start": "2001-01-01", "periods": periods, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        "rules": _rules(draw, names, dams, demands, least, soft) if rules else [],
        "nodes": [
            *({"name": n, "kind": "reservoir" if n in dams else "junction"} for n in names),
            {"name": "sea", "kind": "sink"},
        ],
        "links": _links(draw, names, below, dams, least),
        "demands": demands,
        "series": {
            "inflow_hm3_day": {"date": months, **gains},
            **({"evaporation_mm_day": {"date": months, **dry}} if dry else {}),
        },
        **_reservoirs(draw, dams, dry),
        **({"environmental_flows": flows_} if (flows_ := _life(draw, least)) else {}),
    }


def _links(
    draw: st.DrawFn,
    names: list[str],
    below: list[str],
    dams: list[str],
    least: dict[str, float],
) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    for up, down in zip(names, below, strict=True):
        travel = draw(st.sampled_from(TRAVELS))
        links.append(
            {
                "name": f"{up}_reach",
                "from": up,
                "to": down,
                "kind": "reach",
                "loss_fraction": draw(st.sampled_from([0, 0.1, 0.5, 1])),
                "initial_hm3_day": draw(small_flows) if travel else 0,
                **travel,
                "minimum_hm3_day": draw(st.sampled_from([0, least[up] / 2])),
            }
        )
        if up in dams:
            links.append({"name": f"{up}_weir", "from": up, "to": down, "kind": "spillway"})
    head, end = names[0], draw(st.sampled_from([*names[1:], "sea"]))
    links.append(
        {
            "name": "canal",
            "from": head,
            "to": end,
            "kind": draw(st.sampled_from(["canal", "distributary"])),
            "capacity_hm3_day": draw(small_flows),
            "loss_fraction": draw(st.sampled_from([0, 0.25])),
            "cost_vnd_m3": draw(st.sampled_from([0, 7])),
        }
    )
    return links


def _users(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"d{i}",
            "node": draw(st.sampled_from(names)),
            "sector": ("town", "farm", "works", "farm")[i],
            "region": draw(st.sampled_from(["hills", "delta"])),
            "demand_hm3_day": draw(small_flows) + (0.5 if i == 0 else 0.0),
            "consumption_fraction": draw(st.sampled_from([0, 0.3, 1])),
            "return_to": draw(st.sampled_from([*names, "sea"])),
            "return_lag_periods": draw(st.integers(0, 1)),
            "return_weights": draw(st.sampled_from(["", "0.5 0.5", "0.25 0 0.75"])),
            "value_vnd_m3": draw(st.sampled_from([0, 3, 5])),
        }
        for i in range(draw(st.integers(2, 4)))
    ]


def _reservoirs(draw: st.DrawFn, dams: list[str], by_series: Collection[str]) -> dict[str, Any]:
    if not dams:
        return {}
    rows = [
        {
            "name": dam,
            "dead_hm3": DEAD,
            "normal_hm3": NORMAL,
            "initial_hm3": INITIAL,
            "target_hm3": draw(st.sampled_from([DEAD, LOW])),
            "flood_limit_hm3": draw(st.sampled_from([HIGH, NORMAL])),
            "evaporation_mm_day": None if dam in by_series else draw(st.sampled_from([0, 3, 10])),
            "curve": "dam",
        }
        for dam in dams
    ]
    curve = [
        {"curve": "dam", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
        for x, y in ((0, 0), (1000, 40), (NORMAL, 90))
    ]
    return {"reservoirs": rows, "curves": curve}


def _life(draw: st.DrawFn, least: dict[str, float]) -> list[dict[str, Any]]:
    chosen = draw(st.lists(st.sampled_from(list(least)), unique=True, max_size=1))
    return [{"name": f"{n}_life", "node": n, "minimum_hm3_day": least[n] / 2} for n in chosen]


def _rules(
    draw: st.DrawFn,
    names: list[str],
    dams: list[str],
    demands: list[dict[str, Any]],
    least: dict[str, float],
    soft: bool,
) -> list[dict[str, Any]]:
    """Some of: a delivery that can be kept, one that is wished, caps, limits of storage."""
    node = draw(st.sampled_from(names))
    months = draw(st.sampled_from([[1], [2, 3], [1, 2, 3, 4, 5]]))
    window = draw(st.sampled_from(["period", "month", "year", "horizon"]))
    choices: list[dict[str, Any]] = [
        {
            "rule": "minimum_delivery",
            "name": "passed",
            "at": node,
            "flow_m3s": {"months": months, "value": least[node] * M3S},
        },
        {
            "rule": "quota",
            "name": "cap",
            "sectors": [draw(st.sampled_from(sorted({d["sector"] for d in demands})))],
            "share_of_demand": draw(st.sampled_from([0.0, 0.3, 0.9])),
            "window": window,
        },
        {
            "rule": "quota",
            "name": "volume_cap",
            "volume_hm3": draw(st.sampled_from([0.0, 40.0, 200.0])),
            "window": window,
            "months": months,
        },
    ]
    if dams:
        choices.append(
            {
                "rule": "reservoir_levels",
                "name": "store",
                "reservoir": dams[0],
                "minimum_hm3": {"months": months, "value": LOW},
            }
        )
    if soft:
        place = draw(st.integers(1, 2))
        choices += [
            {
                "rule": "minimum_delivery",
                "name": "wish",
                "at": "sea",
                "flow_m3s": draw(small_flows) * 2 * M3S,
                "soft": {"goal": place},
            },
            {
                "rule": "minimum_delivery",
                "name": "wish_in_all",
                "at": names[-1],
                "volume_hm3": draw(st.sampled_from([100.0, 900.0])),
                "window": "horizon",
                "soft": {"goal": place},
            },
            {
                "rule": "quota",
                "name": "soft_cap",
                "volume_hm3": 30.0,
                "window": "month",
                "soft": {"goal": place},
            },
        ]
    return draw(st.lists(st.sampled_from(choices), unique_by=lambda r: r["name"], max_size=4))


MEET = [{"meet": {"sectors": ["town"]}}, {"meet": {}}]
LINEAR = [
    {"minimise": "cost"},
    {"minimise": "spill"},
    {"maximise": {"quantity": "storage_end", "when": "last"}},
    {"maximise": "benefit"},
    {"maximise": "outflow"},
    {"minimise": {"quantity": "flow_in", "of": ["canal"]}},
]


def linear_goals() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Two to five linear goals in any order."""
    return st.permutations([*MEET, *LINEAR]).flatmap(
        lambda goals: st.integers(2, 5).map(lambda n: goals[:n])
    )


def share_goals() -> st.SearchStrategy[dict[str, Any]]:
    """One goal ``share``, of any kind."""
    return st.fixed_dictionaries(
        {
            "among": st.sampled_from(["region", "sector", "demand"]),
            "window": st.sampled_from(["period", "month", "year", "horizon"]),
            "months": st.sampled_from([[], [1, 2], [2, 4]]),
        }
    ).map(lambda share: {"share": share})


def read(folder: str | Path, drawn: dict[str, Any], goals: Sequence[Any]) -> Case:
    """Write what was drawn to a folder and read it back."""
    return make_case(Path(folder), goals=goals, **drawn)
