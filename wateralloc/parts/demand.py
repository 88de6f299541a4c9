"""Demand: a user's gross volume asked at an intake, what it takes, consumes and returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table

DAYS_OF_YEAR = 365.0
PATTERN_MEAN = 1e-3
"""Largest difference from 1 of the yearly mean of a demand's pattern (rounding of its values)."""

DEMANDS = Table(
    "demands",
    "Users: what they ask, where, for what, and what they give back.",
    (
        Column("name", "name of the demand", "name", required=True),
        Column("node", "node it draws from", "name", required=True, refers_to="nodes"),
        Column("sector", "what the water is for", "name", required=True, refers_to="sectors"),
        Column(
            "region", "region it belongs to; empty: that of its node", "name", refers_to="regions"
        ),
        Column(
            "province",
            "province it belongs to; empty: that of its node",
            "name",
            refers_to="provinces",
        ),
        Column(
            "priority",
            "order among demands, 1 first; goals decide what is made of it",
            "integer",
            default=1,
            low=1,
        ),
        Column("annual", "volume asked in a year of 365 days", dimension="volume", low=0),
        Column(
            "pattern",
            "pattern of the year, dimensionless, mean 1; empty: even",
            "name",
            refers_to="patterns",
        ),
        Column(
            "demand",
            "flow asked, in place of annual and pattern",
            dimension="flow",
            low=0,
            varies="timeline",
        ),
        Column(
            "consumption",
            "share of the withdrawal that does not come back",
            dimension="fraction",
            default=1.0,
            low=0,
            high=1,
        ),
        Column("return_to", "node to which the rest returns", "name", refers_to="nodes"),
        Column(
            "return_lag_periods",
            "periods until the first of it returns",
            "integer",
            default=0,
            low=0,
        ),
        Column(
            "return_weights",
            "shares that return in that period and those after it; empty: all at once",
            "numbers",
            low=0,
            high=1,
        ),
        Column("value", "benefit of water withdrawn", dimension="price"),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
)

PROJECTIONS = Table(
    "projections",
    "How demand grows: factor on each sector by year, over the basin's base year.",
    (
        Column("sector", "sector", "name", required=True, refers_to="sectors"),
        Column("year", "calendar year", "integer", required=True),
        Column("factor", "demand of that year over demand of the base year", required=True, low=0),
    ),
    key="",
)


class Demand(Part):
    """Let users withdraw up to their demand, and return what they do not consume.

    The demand of a period is ``annual / 365`` times the pattern, day by day, or the flow of column
    ``demand``; times the projection of its sector to the year of the case, and the case's own
    factor.
    Returns of water withdrawn before the horizon are not known and count as zero.

    Equation
    --------
    0 <= withdrawal(d, t) <= demand(d, t);  deficit = demand - withdrawal;
    water(node) -= withdrawal(d, t);
    water(return_to) += (1 - consumption) sum_k weight(k) withdrawal(d, t - lag - k).
    """

    kind = "demand"
    tables = (DEMANDS, PROJECTIONS)
    balance = {"return_flow": 1, "withdrawal": -1}
    reports = {
        "demand": "demand",
        "withdrawal": "demand",
        "deficit": "demand",
        "consumption": "demand",
        "return_flow": "demand",
        "return_arriving": "demand",
        "benefit": "demand",
    }

    def complete(self, tables: dict[str, pd.DataFrame]) -> None:
        demands, nodes = tables["demands"], tables["nodes"]
        for column in ("region", "province"):
            known = nodes[column].to_dict()
            of_node = [known.get(node, "") for node in demands["node"]]
            demands[column] = demands[column].where(demands[column] != "", of_node)

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["demands"]
        for name in table.index:
            row = table.loc[name]
            given = [c for c in ("annual", "demand") if row[c] is not None]
            given += ["demand"] if ("demands", name) in basin.in_series("demand") else []
            if len(set(given)) != 1:
                what = "both annual_hm3 and demand_m3s" if given else "no volume"
                findings.add(
                    basin.position("demands", name, "annual"),
                    "E242",
                    f"demand '{name}' has {what}; give annual_hm3 (with a pattern), or demand_m3s, "
                    "or a column in series/demand_m3s.csv",
                )
            if row["consumption"] < 1 and not row["return_to"]:
                findings.add(
                    basin.position("demands", name, "return_to"),
                    "E243",
                    f"demand '{name}' consumes {row['consumption']:g} of its withdrawal but "
                    "the rest has no node to return to; name one in return_to or set "
                    "consumption_fraction to 1",
                )
            pattern = basin.patterns.get(row["pattern"])
            is_share = pattern is not None and pattern.unit == "1"
            if is_share and abs(pattern.by_day.mean() - 1) > PATTERN_MEAN:
                findings.add(
                    basin.position("demands", name, "pattern"),
                    "E223",
                    f"pattern '{row['pattern']}' of demand '{name}' has a yearly mean of "
                    f"{pattern.by_day.mean():.4f}; must be 1, for annual_hm3 to be a year's",
                )
            weights = row["return_weights"]
            if weights and abs(sum(weights) - 1) > 1e-9:
                findings.add(
                    basin.position("demands", name, "return_weights"),
                    "E243",
                    f"return weights of '{name}' add up to {sum(weights):g}; must add up to 1",
                )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin = case.basin
        table = basin.tables["demands"]
        m.demand_name = pyo.Set(initialize=list(table.index))
        m.demand = pyo.Param(
            m.demand_name, initialize=demand_volumes(case), units=unit("hm3"), **DATA
        )
        m.consumption = pyo.Param(
            m.demand_name, initialize=basin.values("demands", "consumption"), **DATA
        )
        m.withdrawal = pyo.Var(
            m.demand_name, bounds=lambda m, d: (0.0, m.demand[d]), units=unit("hm3")
        )
        returning = {
            d: n for d, n in table["return_to"].items() if n and m.consumption[d].value < 1
        }
        m.returns_to = by_node(table["return_to"][list(returning)])
        m.draws_from = by_node(table["node"])
        weights = basin.values("demands", "return_weights")
        lags = basin.values("demands", "return_lag_periods")
        m.return_weight = {
            d: {lags[d] + k: w for k, w in enumerate(weights.get(d, (1.0,))) if w}
            for d in returning
        }
        earlier = [(d, lag) for d, weights in m.return_weight.items() for lag in weights if lag]
        m.withdrawn_before = pyo.Var(earlier, units=unit("hm3"))
        for d, lag in earlier:
            m.repeats.carry(m.withdrawn_before[d, lag], m.withdrawal[d], lag, 0.0)

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        amounts = {}
        if node in m.returns_to:
            amounts["return_flow"] = sum(return_arriving(m, d) for d in m.returns_to[node])
        if node in m.draws_from:
            amounts["withdrawal"] = sum(m.withdrawal[d] for d in m.draws_from[node])
        return amounts

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        d_all, used = m.demand_name, m.consumption
        yield Quantity(
            "demand", "demand", dict(m.demand.items()), "hm3", "volume asked at the intake"
        )
        yield Quantity(
            "withdrawal", "demand", dict(m.withdrawal.items()), "hm3", "volume withdrawn"
        )
        yield Quantity(
            "deficit",
            "demand",
            {d: m.demand[d] - m.withdrawal[d] for d in d_all},
            "hm3",
            "demand less withdrawal",
        )
        yield Quantity(
            "consumption",
            "demand",
            {d: used[d] * m.withdrawal[d] for d in d_all},
            "hm3",
            "volume withdrawn that does not return",
        )
        yield Quantity(
            "return_flow",
            "demand",
            {d: (1 - used[d]) * m.withdrawal[d] for d in d_all},
            "hm3",
            "volume withdrawn in the period that returns, in it or later",
        )
        yield Quantity(
            "return_arriving",
            "demand",
            {d: return_arriving(m, d) for d in m.return_weight},
            "hm3",
            "return flow that reaches its node in the period",
        )
        value = case.basin.values("demands", "value")
        yield Quantity(
            "benefit",
            "demand",
            {d: value[d] * m.withdrawal[d] for d in value},
            f"million {case.basin.currency}",
            "benefit of the water withdrawn",
        )


def return_arriving(m: pyo.ConcreteModel, demand: str) -> Any:
    """Return flow [hm3] of a demand that reaches its node in the period."""
    withdrawn = sum(
        weight * (m.withdrawn_before[demand, lag] if lag else m.withdrawal[demand])
        for lag, weight in m.return_weight[demand].items()
    )
    return (1 - m.consumption[demand]) * withdrawn


def demand_volumes(case: Case) -> dict[str, np.ndarray]:
    """Volume [hm3] each demand asks in each period (member, time)."""
    table, timeline = case.basin.tables["demands"], case.timeline
    shape = (case.n_members, case.n_periods)
    volumes = dict(case.volumes("demands", "demand"))
    for name, annual in case.basin.values("demands", "annual").items():
        if name in volumes:
            continue
        pattern = case.basin.patterns.get(table.at[name, "pattern"])
        rate = 1.0 if pattern is None else pattern.mean(timeline)
        volumes[name] = np.broadcast_to(annual / DAYS_OF_YEAR * timeline.days * rate, shape)
    factor = sector_factors(case)
    return {name: volumes[name] * factor[table.at[name, "sector"]] for name in table.index}


def sector_factors(case: Case) -> dict[str, float]:
    """Factor on the demand of each sector: projection to the case's year, times the case's own."""
    factors = {sector: case.demand_scale.get(sector, 1.0) for sector in case.basin.sectors}
    rows = case.basin.tables["projections"]
    if case.demand_year is not None:
        for sector, of_sector in rows.groupby("sector"):
            ordered = of_sector.sort_values("year")
            factors[sector] *= float(
                np.interp(
                    case.demand_year, ordered["year"].astype(float), ordered["factor"].astype(float)
                )
            )
    return factors
