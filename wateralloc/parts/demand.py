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
from wateralloc.units import HM3_PER_MM_KM2

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
        Column("area", "area of a crop, whose demand is its requirement", dimension="area", low=0),
        Column(
            "requirement",
            "net depth of water that the crop asks of its source a day",
            dimension="depth_rate",
            low=0,
            varies="timeline",
        ),
        Column(
            "conveyance",
            "share of the withdrawal that reaches the crop",
            dimension="fraction",
            default=1.0,
            low=0.01,
            high=1,
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
        Column(
            "initial_withdrawal",
            "flow withdrawn before the horizon, whose returns are still to come",
            dimension="flow",
            default=0.0,
            low=0,
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

    The demand of a period is ``annual / 365`` times the pattern, day by day; or the flow of column
    ``demand``; or, of a crop, the depth of water it asks (beyond rain) on its area, over the share
    of the withdrawal that is not lost on the way to it.  It is multiplied by the projection of its
    sector to the year of the case and by the case's own factor.  What is lost on the way to a crop
    is part of the withdrawal, and returns or is consumed with it.

    A demand draws from its node, or from its sources (see ``source``).  Of what was withdrawn
    before the horizon, `initial_withdrawal` in every period of the length of the first, what is
    still on its way returns too.

    Equation
    --------
    demand(d, t) = annual / 365 days(t) pattern(t), or flow(d, t), or
    area requirement(t) days(t) / conveyance;
    0 <= withdrawal(d, t) <= demand(d, t);  deficit = demand - withdrawal;
    water(node) -= withdrawal(d, t);
    return_flow(d, t) = (1 - consumption) withdrawal(d, t);
    water(return_to) += return_arriving(d, t) = sum_k weight(k) return_flow(d, t - lag - k);
    return_in_transit_end(d, t) = sum_j return_flow(d, t - j) (share that returns after more than j
    periods) = return_in_transit_start + return_flow - return_arriving.
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
        "return_in_transit_start": "demand",
        "return_in_transit_end": "demand",
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
            self._check_volume(basin, findings, name, row)
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

    @staticmethod
    def _check_volume(basin: Basin, findings: Findings, name: str, row: Any) -> None:
        """Report a demand whose volume is given in no way, in several or in part."""
        given = {
            column
            for column in ("annual", "demand", "area", "requirement")
            if row[column] is not None or ("demands", name) in basin.in_series(column)
        }
        crop = given & {"area", "requirement"}
        ways = [
            *(["annual_hm3"] if "annual" in given else []),
            *(["demand_m3s"] if "demand" in given else []),
            *(["a crop"] if crop else []),
        ]
        if len(ways) != 1:
            findings.add(
                basin.position("demands", name, "annual"),
                "E242",
                f"demand '{name}' has {' and '.join(ways) or 'no volume'}; give one of annual_hm3 "
                "(with a pattern), demand_m3s (or a column in series/demand_m3s.csv), or area_km2 "
                "with requirement_mm_day",
            )
        if len(crop) == 1:
            has, lacks = (
                ("area", "requirement_mm_day") if "area" in crop else ("requirement", "area_km2")
            )
            findings.add(
                basin.position("demands", name, has),
                "E245",
                f"demand '{name}' has a crop's {has} but no {lacks}; give both",
            )
        if row["conveyance"] != 1 and not crop:
            findings.add(
                basin.position("demands", name, "conveyance"),
                "E245",
                f"conveyance of demand '{name}' is {row['conveyance']:g} but its volume is what it "
                "asks at the intake already; divide the volume by it, or give area_km2 and "
                "requirement_mm_day",
            )
        if row["pattern"] and crop:
            findings.add(
                basin.position("demands", name, "pattern"),
                "E245",
                f"demand '{name}' is a crop and has a pattern, which is for annual_hm3; "
                "write pattern:NAME (in mm_day) in requirement_mm_day",
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
        has_sources = table.index.isin(basin.tables["sources"]["demand"])
        m.draws_from = by_node(table["node"][~has_sources])
        weights = basin.values("demands", "return_weights")
        lags = basin.values("demands", "return_lag_periods")
        m.return_weight = {
            d: {lags[d] + k: w for k, w in enumerate(weights.get(d, (1.0,))) if w}
            for d in returning
        }
        earlier = [(d, k) for d, of in m.return_weight.items() for k in range(1, max(of) + 1)]
        m.withdrawn_before = pyo.Var(earlier, units=unit("hm3"))
        before = case.volumes("demands", "initial_withdrawal")
        for d, lag in earlier:
            # one volume for all periods before the horizon, whose lengths are not known
            m.repeats.carry(m.withdrawn_before[d, lag], m.withdrawal[d], lag, before[d][:, :1])

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
            {d: return_flow(m, d) for d in d_all},
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
        for when, latest in (("start", 1), ("end", 0)):
            yield Quantity(
                f"return_in_transit_{when}",
                "demand",
                {
                    d: return_in_transit(m, d, latest)
                    for d, of in m.return_weight.items()
                    if max(of)
                },
                "hm3",
                f"return flow still on its way to its node at the {when} of the period",
                "time: point",
            )
        value = case.basin.values("demands", "value")
        yield Quantity(
            "benefit",
            "demand",
            {d: value[d] * m.withdrawal[d] for d in value},
            f"million {case.basin.currency}",
            "benefit of the water withdrawn",
        )


def drawn_at(m: pyo.ConcreteModel, node: str) -> Any:
    """Volume [hm3] that demands draw from a node in the period, be it their own or a source."""
    own = sum(m.withdrawal[d] for d in m.draws_from.get(node, ()))
    return own + sum(m.drawn[s] for s in m.sources_at.get(node, ()))


def return_flow(m: pyo.ConcreteModel, demand: str, lag: int = 0) -> Any:
    """Return flow [hm3] of what a demand withdrew `lag` periods ago."""
    withdrawn = m.withdrawn_before[demand, lag] if lag else m.withdrawal[demand]
    return (1 - m.consumption[demand]) * withdrawn


def return_arriving(m: pyo.ConcreteModel, demand: str) -> Any:
    """Return flow [hm3] of a demand that reaches its node in the period."""
    weights = m.return_weight[demand]
    return sum(weight * return_flow(m, demand, lag) for lag, weight in weights.items())


def return_in_transit(m: pyo.ConcreteModel, demand: str, latest: int) -> Any:
    """Return flow [hm3] of a demand that is still on its way.

    Parameters
    ----------
    latest : what was withdrawn how many periods ago is the latest of it: 1 at the start of the
        period, 0 at its end
    """
    weights = m.return_weight[demand]
    still = {k: sum(w for lag, w in weights.items() if lag > k) for k in range(max(weights))}
    return sum(share * return_flow(m, demand, k + latest) for k, share in still.items())


def demand_volumes(case: Case) -> dict[str, np.ndarray]:
    """Volume [hm3] each demand asks in each period (member, time)."""
    table, timeline = case.basin.tables["demands"], case.timeline
    shape = (case.n_members, case.n_periods)
    volumes = dict(case.volumes("demands", "demand"))
    requirement = case.attribute("demands", "requirement")
    for name, area in case.basin.values("demands", "area").items():
        depth = requirement[name] * timeline.days
        volumes[name] = area * depth * HM3_PER_MM_KM2 / table.at[name, "conveyance"]
    for name, annual in case.basin.values("demands", "annual").items():
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
