"""Reservoir: water kept from one period to the next, within limits by date, and evaporating."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin, Curve
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Part, Quantity, unit
from wateralloc.tables import Column, Table

RESERVOIRS = Table(
    "reservoirs",
    "Reservoirs; each is a node of kind `reservoir`.",
    (
        Column("name", "node of the reservoir", "name", required=True, refers_to="nodes"),
        Column(
            "dead", "storage below which it never falls", dimension="volume", required=True, low=0
        ),
        Column("normal", "largest storage", dimension="volume", required=True, low=0),
        Column(
            "flood_limit",
            "largest storage at the end of a period, by date",
            dimension="volume",
            low=0,
            varies="timeline",
        ),
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
            "evaporation",
            "evaporation from open water",
            dimension="depth_rate",
            low=0,
            varies="hydrology",
        ),
        Column("curve", "curve with its level and area by storage", "name", refers_to="curves"),
    ),
)


class Reservoir(Part):
    """Carry storage from period to period.

    Storage stays between dead storage and the smaller of normal storage and the flood limit; the
    flood limit of a period is that of its last day.  At the end of the horizon at least `target` is
    left (else perfect foresight would drain it).  Evaporation is the depth of the period on the
    mean of the area at its start and end; area is a straight line in storage, fitted by least
    squares to the curve between dead and normal storage.

    Equation
    --------
    dead <= storage_end(t) <= min(normal, flood_limit(t));  storage_end(last) >= target;
    storage_start(t) = storage_end(t - 1);  storage_start(first) = initial;
    evaporation = depth (a0 + a1 (storage_start + storage_end) / 2);
    water(n) += storage_start - storage_end - evaporation.

    Source
    ------
    Loucks & van Beek (2017), Water Resource Systems Planning and Management, section 4.3.3
    (linearised evaporation on mean storage).
    """

    kind = "reservoir"
    tables = (RESERVOIRS,)
    balance = {"storage_start": 1, "storage_end": -1, "evaporation": -1}
    reports = {
        "storage_start": "reservoir",
        "storage_end": "reservoir",
        "evaporation": "reservoir",
        "release": "reservoir",
        "spill": "reservoir",
    }

    def check(self, basin: Basin, findings: Findings) -> None:
        table = basin.tables["reservoirs"]
        kinds = basin.tables["nodes"]["kind"]
        for name in table.index:
            row = table.loc[name]
            place = lambda column, name=name: basin.position("reservoirs", name, column)  # noqa: E731
            if kinds.get(name) not in ("reservoir", None):
                findings.add(
                    place("name"),
                    "E255",
                    f"reservoir '{name}' stands at a node of kind '{kinds[name]}'; "
                    "give the node kind 'reservoir'",
                )
            dead, normal = row["dead"], row["normal"]
            if dead > normal:
                findings.add(
                    place("dead"),
                    "E241",
                    f"dead storage {dead:g} hm3 of '{name}' is above normal storage {normal:g}; "
                    "must be at or below it",
                )
                continue
            for column in ("initial", "target"):
                value = row[column]
                if value is not None and not dead <= value <= normal:
                    findings.add(
                        place(column),
                        "E241",
                        f"{column} storage {value:g} hm3 of '{name}' is outside dead to normal "
                        f"({dead:g} to {normal:g}); must be within",
                    )
            limit = row["flood_limit"]
            if isinstance(limit, float) and limit < dead:
                findings.add(
                    place("flood_limit"),
                    "E241",
                    f"flood limit {limit:g} hm3 of '{name}' is below dead storage {dead:g}; "
                    "must be at or above it",
                )
            self._check_curve(basin, findings, name, row)
        for name in kinds.index[kinds == "reservoir"].difference(table.index):
            findings.add(
                basin.position("nodes", name, "kind"),
                "E211",
                f"node '{name}' is of kind 'reservoir' but has no row in reservoirs.csv; add one",
            )

    def _check_curve(self, basin: Basin, findings: Findings, name: str, row: Any) -> None:
        curve = basin.curves.get(row["curve"])
        if row["evaporation"] is not None and (curve is None or not curve.has("area")):
            findings.add(
                basin.position("reservoirs", name, "evaporation"),
                "E222",
                f"'{name}' has evaporation but no curve with an area (km2) by storage; "
                "name one in column curve",
            )
        if curve is None:
            return
        for quantity in ("level", "area"):
            if curve.has(quantity):
                low, high = curve.range(quantity)
                if low > row["dead"] * (1 + 1e-9) or high < row["normal"] * (1 - 1e-9):
                    findings.add(
                        basin.position("reservoirs", name, "curve"),
                        "E222",
                        f"{quantity} of curve '{row['curve']}' covers {low:g} to {high:g} hm3; "
                        f"'{name}' needs {row['dead']:g} to {row['normal']:g}",
                    )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        basin = case.basin
        names = list(basin.tables["reservoirs"].index)
        m.reservoir = pyo.Set(initialize=names)
        least, most = self.limits(case)
        m.storage_least = pyo.Param(m.reservoir, initialize=least, units=unit("hm3"), **DATA)
        m.storage_most = pyo.Param(m.reservoir, initialize=most, units=unit("hm3"), **DATA)
        m.storage_start = pyo.Var(m.reservoir, units=unit("hm3"))
        m.storage_end = pyo.Var(
            m.reservoir,
            bounds=lambda m, r: (m.storage_least[r], m.storage_most[r]),
            units=unit("hm3"),
        )
        initial = basin.values("reservoirs", "initial")
        for r in m.reservoir:
            m.repeats.carry(m.storage_start[r], m.storage_end[r], 1, initial[r])
        depth = {
            r: rate * case.timeline.days * 1e-3
            for r, rate in case.attribute("reservoirs", "evaporation").items()
        }
        line = {r: area_line(curve_of(basin, r), *self.range(basin, r)) for r in depth}
        m.evaporation_depth = pyo.Param(list(depth), initialize=depth, units=unit("m"), **DATA)
        m.area_at_zero = pyo.Param(
            list(depth), initialize={r: line[r][0] for r in depth}, units=unit("km2"), **DATA
        )
        m.area_slope = pyo.Param(
            list(depth), initialize={r: line[r][1] for r in depth}, units=unit("km2/hm3"), **DATA
        )

    @staticmethod
    def range(basin: Basin, name: str) -> tuple[float, float]:
        """Dead and normal storage [hm3]."""
        row = basin.tables["reservoirs"].loc[name]
        return row["dead"], row["normal"]

    @staticmethod
    def limits(case: Case) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Least and largest storage at the end of each period [hm3] (member, time)."""
        basin, shape = case.basin, (case.n_members, case.n_periods)
        dead, normal = basin.values("reservoirs", "dead"), basin.values("reservoirs", "normal")
        initial, target = (
            basin.values("reservoirs", "initial"),
            basin.values("reservoirs", "target"),
        )
        flood = case.attribute("reservoirs", "flood_limit", at_end=True)
        least, most = {}, {}
        for name in basin.tables["reservoirs"].index:
            least[name] = np.full(shape, dead[name])
            least[name][:, -1] = max(dead[name], target.get(name, initial[name]))
            most[name] = np.minimum(normal[name], flood.get(name, np.full(shape, np.inf)))
        return least, most

    def evaporation(self, m: pyo.ConcreteModel, r: str) -> Any:
        """Volume [hm3] that evaporates in the period."""
        mean_storage = (m.storage_start[r] + m.storage_end[r]) / 2
        return m.evaporation_depth[r] * (m.area_at_zero[r] + m.area_slope[r] * mean_storage)

    def water(self, m: pyo.ConcreteModel, node: str) -> dict[str, Any]:
        if node not in m.reservoir:
            return {}
        amounts = {"storage_start": m.storage_start[node], "storage_end": m.storage_end[node]}
        if node in m.evaporation_depth:
            amounts["evaporation"] = self.evaporation(m, node)
        return amounts

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        kind = case.basin.values("links", "kind")
        yield Quantity(
            "storage_start",
            "reservoir",
            dict(m.storage_start.items()),
            "hm3",
            "storage at the start of the period",
            "time: point",
        )
        yield Quantity(
            "storage_end",
            "reservoir",
            dict(m.storage_end.items()),
            "hm3",
            "storage at the end of the period",
            "time: point",
        )
        yield Quantity(
            "evaporation",
            "reservoir",
            {r: self.evaporation(m, r) for r in m.evaporation_depth},
            "hm3",
            "volume evaporated from the reservoir",
        )
        for name, is_spill, text in (
            ("release", False, "controlled release"),
            ("spill", True, "uncontrolled release"),
        ):
            yield Quantity(
                name,
                "reservoir",
                {
                    r: sum(
                        m.flow[k]
                        for k in m.links_out.get(r, ())
                        if (kind[k] == "spillway") is is_spill
                    )
                    for r in m.reservoir
                },
                "hm3",
                f"{text} into the links below",
            )


def curve_of(basin: Basin, reservoir: str) -> Curve | None:
    """Curve of a reservoir, where it has one."""
    return basin.curves.get(basin.tables["reservoirs"].loc[reservoir, "curve"])


def area_line(curve: Curve, low: float, high: float) -> tuple[float, float]:
    """Fit area = a0 + a1 storage between two storages.

    Least squares over 200 equal steps of storage, kept at or above zero area at `low`.

    Parameters
    ----------
    low, high : storage [hm3]

    Returns
    -------
    a0 : km2
    a1 : km2 per hm3
    """
    storage = np.linspace(low, high, 201)
    area = curve.area(storage)
    if high <= low:
        return float(area[0]), 0.0
    slope, at_zero = np.polyfit(storage, area, 1)
    if at_zero + slope * low < 0:
        slope = float(area[-1] / (high - low))
        at_zero = -slope * low
    return float(at_zero), float(slope)
