"""Aquifer: groundwater kept from period to period, pumped, and fed by the stream it depletes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, Quantity, by_node, unit
from wateralloc.parts.demand import drawn_at
from wateralloc.parts.link import RIVER_KINDS
from wateralloc.tables import Column, Table
from wateralloc.timeline import Timeline

AQUIFERS = Table(
    "aquifers",
    "Aquifers; each is a node of kind `aquifer`.",
    (
        Column("name", "node of the aquifer", "name", required=True, refers_to="nodes"),
        Column(
            "dead", "storage below which it never falls", dimension="volume", default=0.0, low=0
        ),
        Column("capacity", "largest storage", dimension="volume", required=True, low=0),
        Column(
            "initial",
            "storage at the start of the horizon",
            dimension="volume",
            required=True,
            low=0,
        ),
        Column(
            "target",
            "least storage at the end of the horizon; empty: as at the start",
            dimension="volume",
            low=0,
        ),
        Column(
            "recharge",
            "local natural recharge, beside the links that enter it",
            dimension="flow",
            low=0,
            varies="hydrology",
        ),
        Column(
            "pumping_limit",
            "largest flow pumped out of it; empty: no limit",
            dimension="flow",
            low=0,
            varies="timeline",
        ),
        Column("pumping_cost", "cost of water pumped out of it", dimension="price", default=0.0),
        Column(
            "sustainable_yield",
            "most that is pumped in any `yield_years` water years in a row; empty: no limit",
            dimension="volume",
            low=0,
        ),
        Column(
            "yield_years", "water years over which it may be pumped", "integer", default=1, low=1
        ),
        Column("stream", "node of the stream that its pumping depletes", "name", refers_to="nodes"),
        Column(
            "depletion",
            "share of the pumping that in the end comes out of the stream",
            dimension="fraction",
            default=0.0,
            low=0,
            high=1,
        ),
        Column(
            "depletion_lag_periods",
            "periods until the stream loses the first of it",
            "integer",
            default=0,
            low=0,
        ),
        Column(
            "depletion_weights",
            "shares that the stream loses in that period and those after it; empty: all at once",
            "numbers",
            low=0,
            high=1,
        ),
        Column(
            "initial_pumping",
            "flow pumped before the horizon, whose depletion is still to come",
            dimension="flow",
            default=0.0,
            low=0,
        ),
    ),
)


class Aquifer(Part):
    """Carry groundwater from period to period, and pump it.

    Pumping is what demands draw at the aquifer and what enters its links out of kinds ``canal``,
    ``pump`` and ``transfer``.  Links of the river kinds (``reach``, ``distributary``, ...) are its
    springs: they are not pumped, cost nothing, and take what overflows.  Storage falls by pumping
    and by the stated `minimum` of the springs alone; beyond that a spring carries no more than
    enters the aquifer in the period.  So nobody empties it through a spring to serve those below.

    Of what is pumped, the share `depletion` in the end comes out of the stream.  The stream loses
    it in the periods that the weights name, and the aquifer gains the same volume in the same
    period.  No water is on its way meanwhile: until then it is the aquifer that holds less.  What
    the stream still has to give after the horizon is outside of it.  The loss is not cut where the
    stream falls dry: pumping has to be small enough, earlier, for the stream to bear it.

    `sustainable_yield` caps every run of `yield_years` water years in a row.  The horizon may cut
    the first and the last water year, and may be shorter than `yield_years`; as with a quota the
    whole cap then holds for the part that is inside, and pumping before the horizon does not count.

    Equation
    --------
    pumping(a, t) = sum of withdrawals at a + sum of flow(l, t) of its canals, pumps and transfers
    <= pumping_limit(a, t);
    dead <= storage_end(t) <= capacity;  storage_end(last) >= target;
    storage_start(t) = storage_end(t - 1);  storage_start(first) = initial;
    storage_start - storage_end - pumping <= sum of minimum(l, t) of its springs;
    sum over yield_years water years of pumping <= sustainable_yield;
    stream_depletion(t) = depletion sum_k weight(k) pumping(t - lag - k) = induced_recharge(t);
    water(a) += recharge + induced_recharge + storage_start - storage_end;
    water(stream) -= stream_depletion.

    Source
    ------
    Jenkins (1968), Techniques for computing rate and volume of stream depletion by wells, Ground
    Water 6(2) (the share of pumping that a stream loses by the time since); Morel-Seytoux & Daly
    (1975), A discrete kernel generator for stream-aquifer studies, Water Resources Research 11(2)
    (that share as weights on the pumping of earlier periods).
    """

    kind = "aquifer"
    tables = (AQUIFERS,)
    balance = {
        "storage_start": 1,
        "storage_end": -1,
        "recharge": 1,
        "induced_recharge": 1,
        "stream_depletion": -1,
    }
    reports = {
        "aquifer_start": "aquifer",
        "aquifer_end": "aquifer",
        "pumping": "aquifer",
        "recharge": "aquifer",
        "induced_recharge": "aquifer",
        "stream_depletion": "aquifer",
        "pumping_cost": "aquifer",
    }

    def check(self, basin: Basin, findings: Findings) -> None:
        table, kinds = basin.tables["aquifers"], basin.tables["nodes"]["kind"]
        for name in table.index:
            row = table.loc[name]
            if kinds.get(name) not in ("aquifer", None):
                findings.add(
                    basin.position("aquifers", name, "name"),
                    "E266",
                    f"aquifer '{name}' stands at a node of kind '{kinds[name]}'; "
                    "give the node kind 'aquifer'",
                )
            self._check_storages(basin, findings, name, row)
            self._check_depletion(basin, findings, name, row)
        for name in kinds.index[kinds == "aquifer"].difference(table.index):
            findings.add(
                basin.position("nodes", name, "kind"),
                "E266",
                f"node '{name}' is of kind 'aquifer' but has no row in aquifers.csv; add one",
            )
        self._check_springs(basin, findings)

    def _check_storages(self, basin: Basin, findings: Findings, name: str, row: Any) -> None:
        dead, capacity = row["dead"], row["capacity"]
        if dead > capacity:
            findings.add(
                basin.position("aquifers", name, "dead"),
                "E266",
                f"dead storage {dead:g} hm3 of '{name}' is above its capacity {capacity:g}; "
                "must be at or below it",
            )
            return
        for column in ("initial", "target"):
            value = row[column]
            if value is not None and not dead <= value <= capacity:
                findings.add(
                    basin.position("aquifers", name, column),
                    "E266",
                    f"{column} storage {value:g} hm3 of '{name}' is outside dead to capacity "
                    f"({dead:g} to {capacity:g}); must be within",
                )

    def _check_depletion(self, basin: Basin, findings: Findings, name: str, row: Any) -> None:
        if row["depletion"] and not row["stream"]:
            findings.add(
                basin.position("aquifers", name, "depletion"),
                "E266",
                f"'{name}' depletes a stream by {row['depletion']:g} of its pumping but names "
                "none; name its node in stream, or set depletion_fraction to 0",
            )
        if row["stream"] == name:
            findings.add(
                basin.position("aquifers", name, "stream"),
                "E266",
                f"stream of '{name}' is the aquifer itself; name a node of the river",
            )
        weights = row["depletion_weights"]
        if weights and abs(sum(weights) - 1) > 1e-9:
            findings.add(
                basin.position("aquifers", name, "depletion_weights"),
                "E266",
                f"depletion weights of '{name}' add up to {sum(weights):g}; must add up to 1",
            )

    def _check_springs(self, basin: Basin, findings: Findings) -> None:
        """Report aquifers that water enters but that cannot overflow when they are full."""
        links = basin.tables["links"]
        if not links.attrs["is_read"] or any(table == "links" for table, _ in basin.doubtful):
            return  # one with a fault may be the spring
        springs = set(links["from"][links["kind"].isin(RIVER_KINDS)])
        enters = {
            "recharge": basin.values("aquifers", "recharge"),
            "inflow": basin.values("nodes", "inflow"),
            "water of a link": set(links["to"]),
            "return flow": set(basin.tables["demands"]["return_to"]),
            "seepage of a reservoir": set(basin.tables["reservoirs"]["seepage_to"]),
            "loss of a source": set(basin.tables["sources"]["loss_to"]),
        }
        for name in basin.tables["aquifers"].index:
            what = [words for words, names in enters.items() if name in names]
            if what and name not in springs:
                findings.add(
                    basin.position("aquifers", name, "name"),
                    "E266",
                    f"{what[0]} enters aquifer '{name}' but no reach leaves it, so that it cannot "
                    "overflow when it is full; add a link of kind reach from it to the node that "
                    "its spring feeds",
                )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin = case.basin
        table = basin.tables["aquifers"]
        m.aquifer = pyo.Set(initialize=list(table.index))
        self._declare_storage(m, case)
        recharge, limit = (case.volumes("aquifers", c) for c in ("recharge", "pumping_limit"))
        m.recharge = pyo.Param(list(recharge), initialize=recharge, units=unit("hm3"), **DATA)
        m.pumping_limit = pyo.Param(list(limit), initialize=limit, units=unit("hm3"), **DATA)
        m.pumping = pyo.Var(
            m.aquifer,
            bounds=lambda m, a: (0.0, m.pumping_limit[a] if a in m.pumping_limit else None),
            units=unit("hm3"),
        )
        m.depletion = pyo.Param(m.aquifer, initialize=basin.values("aquifers", "depletion"), **DATA)
        depleting = [a for a in m.aquifer if table.at[a, "depletion"]]
        m.depleted_by = by_node(table["stream"][depleting])
        lags = basin.values("aquifers", "depletion_lag_periods")
        weights = basin.values("aquifers", "depletion_weights")
        m.depletion_weight = {
            a: {lags[a] + k: w for k, w in enumerate(weights.get(a, (1.0,))) if w}
            for a in depleting
        }
        earlier = [(a, lag) for a, weights in m.depletion_weight.items() for lag in weights if lag]
        m.pumped_before = pyo.Var(earlier, units=unit("hm3"))
        before = case.volumes("aquifers", "initial_pumping")
        for a, lag in earlier:
            # one volume for all periods before the horizon, whose lengths are not known
            m.repeats.carry(m.pumped_before[a, lag], m.pumping[a], lag, before[a][:, :1])

    @staticmethod
    def _declare_storage(m: pyo.ConcreteModel, case: Case) -> None:
        basin, shape = case.basin, (case.n_members, case.n_periods)
        dead, capacity, initial, target = (
            basin.values("aquifers", column) for column in ("dead", "capacity", "initial", "target")
        )
        least = {a: np.full(shape, dead[a]) for a in m.aquifer}
        for a in m.aquifer:
            if case.sees_end:
                least[a][:, -1] = case.left_at_end.get(a, target.get(a, initial[a]))
        m.aquifer_least = pyo.Param(m.aquifer, initialize=least, units=unit("hm3"), **DATA)
        m.aquifer_most = pyo.Param(m.aquifer, initialize=capacity, units=unit("hm3"), **DATA)
        m.aquifer_start = pyo.Var(m.aquifer, units=unit("hm3"))
        m.aquifer_end = pyo.Var(
            m.aquifer,
            bounds=lambda m, a: (m.aquifer_least[a], m.aquifer_most[a]),
            units=unit("hm3"),
        )
        for a in m.aquifer:
            m.repeats.carry(m.aquifer_start[a], m.aquifer_end[a], 1, initial[a])

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        amounts = {}
        if node in m.aquifer:
            amounts["storage_start"] = m.aquifer_start[node]
            amounts["storage_end"] = m.aquifer_end[node]
        if node in m.recharge:
            amounts["recharge"] = m.recharge[node]
        if node in m.depletion_weight:
            amounts["induced_recharge"] = stream_depletion(m, node)
        if node in m.depleted_by:
            amounts["stream_depletion"] = sum(stream_depletion(m, a) for a in m.depleted_by[node])
        return amounts

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        springs = {a: m.river_out[a] for a in m.aquifer if a in m.river_out}
        lifted = {
            a: [k for k in m.links_out.get(a, ()) if k not in springs.get(a, ())] for a in m.aquifer
        }
        m.pumped = pyo.Constraint(
            m.aquifer,
            rule=lambda m, a: m.pumping[a] == drawn_at(m, a) + sum(m.flow[k] for k in lifted[a]),
        )
        m.spring = pyo.Constraint(
            list(springs),
            rule=lambda m, a: (
                m.aquifer_start[a] - m.aquifer_end[a] - m.pumping[a]
                <= sum(m.minimum[k] for k in springs[a] if k in m.minimum)
            ),
        )
        self._cap_yield(m, case)

    @staticmethod
    def _cap_yield(m: pyo.ConcreteModel, case: Case) -> None:
        volumes = case.basin.values("aquifers", "sustainable_yield")
        years = case.basin.values("aquifers", "yield_years")
        runs = {
            (a, k): window
            for a in volumes
            for k, window in enumerate(runs_of_years(case.timeline, years[a]))
        }
        # a cap stands whole at the first period of its run, so that it adds up to itself
        cap = {
            (a, k): np.where(np.diff(window, prepend=-1) > 0, volumes[a], 0.0)
            for (a, k), window in runs.items()
        }
        m.yield_cap = pyo.Param(list(cap), initialize=cap, units=unit("hm3"), **DATA)
        m.sustainable_yield = pyo.Constraint(
            list(runs), rule=lambda m, a, k: m.pumping[a] <= m.yield_cap[a, k]
        )
        for (a, k), window in runs.items():
            m.repeats.total(m.sustainable_yield[a, k], window)

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        for when, storage in (("start", m.aquifer_start), ("end", m.aquifer_end)):
            yield Quantity(
                f"aquifer_{when}",
                "aquifer",
                dict(storage.items()),
                "hm3",
                f"storage of the aquifer at the {when} of the period",
                "time: point",
            )
        yield Quantity(
            "pumping", "aquifer", dict(m.pumping.items()), "hm3", "volume pumped out of the aquifer"
        )
        yield Quantity(
            "recharge", "aquifer", dict(m.recharge.items()), "hm3", "local natural recharge"
        )
        depletion = {a: stream_depletion(m, a) for a in m.depletion_weight}
        yield Quantity(
            "induced_recharge",
            "aquifer",
            depletion,
            "hm3",
            "volume that the aquifer gains from the stream",
        )
        yield Quantity(
            "stream_depletion",
            "aquifer",
            depletion,
            "hm3",
            "volume that the stream of the aquifer loses by pumping, of this period and earlier",
        )
        price = case.basin.values("aquifers", "pumping_cost")
        yield Quantity(
            "pumping_cost",
            "aquifer",
            {a: price[a] * m.pumping[a] for a in m.aquifer if price[a]},
            f"million {case.basin.currency}",
            "cost of the water pumped out of the aquifer",
        )


def stream_depletion(m: pyo.ConcreteModel, aquifer: str) -> Any:
    """Volume [hm3] that the stream of an aquifer loses to it in the period."""
    pumped = sum(
        weight * (m.pumped_before[aquifer, lag] if lag else m.pumping[aquifer])
        for lag, weight in m.depletion_weight[aquifer].items()
    )
    return m.depletion[aquifer] * pumped


def runs_of_years(timeline: Timeline, n_years: int) -> list[np.ndarray]:
    """Every run of `n_years` water years in a row, as windows (time) that do not overlap in one.

    A horizon of fewer water years is one run.

    Examples
    --------
    >>> years = Timeline("2001-01-01", 36, "month")  # three years hold two runs of two
    >>> [window[::12].tolist() for window in runs_of_years(years, 2)]
    [[0, 0, -1], [-1, 0, 0]]
    """
    year = timeline.water_year - timeline.water_year[0]
    n_in_all = int(year[-1]) + 1
    length = min(n_years, n_in_all)
    windows = []
    for shift in range(length):
        number = (year - shift) // length
        windows.append(np.where(number < (n_in_all - shift) // length, number, -1))
    return windows
