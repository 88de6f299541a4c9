"""Zone: the storage of a reservoir in layers, so that goals can say which to fill first."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.errors import Findings
from wateralloc.parts import DATA, Exact, Part, Quantity, by_node, unit
from wateralloc.tables import Column, Table

ZONES = Table(
    "zones",
    "Layers of reservoirs above dead storage, those of one reservoir from the lowest to the top.",
    (
        Column("name", "name of the zone", "name", required=True),
        Column(
            "reservoir", "reservoir it is part of", "name", required=True, refers_to="reservoirs"
        ),
        Column(
            "top",
            "storage at its top; that of the highest zone is normal storage",
            dimension="volume",
            required=True,
            low=0,
        ),
    ),
)


class Zone(Part):
    """Split the storage of a reservoir into zones.

    The lowest zone starts at dead storage, each other one at the top of the zone below it, and the
    highest ends at normal storage.  Goals name zones, for instance to fill the buffers of all
    reservoirs before any goes on to fill what is above::

        - maximise: {quantity: zone_storage, of: [hoa_binh_buffer, son_la_buffer]}

    In the program nothing but such goals makes water fill the lower zones first: value a lower zone
    at least as much as those above it.  What results report is the water that lies in each zone.

    Equation
    --------
    0 <= zone_storage(z, t) <= top(z) - top(zone below z), for the lowest zone - dead(r);
    storage_end(r, t) = dead(r) + sum over zones of r of zone_storage(z, t), where the water below
    dead storage takes the place of dead(r) while a new reservoir fills.

    Source
    ------
    Sieber & Purkey (2015), WEAP User Guide, reservoir zones and operation (buffer and
    conservation zone above the inactive zone).
    """

    kind = "zone"
    tables = (ZONES,)
    reports = {"zone_storage": "zone"}

    def check(self, basin: Basin, findings: Findings) -> None:
        table, reservoirs = basin.tables["zones"], basin.tables["reservoirs"]
        is_whole = not any(of == "zones" for of, _ in basin.doubtful)
        for reservoir, zones in by_node(table["reservoir"]).items():
            if reservoir not in reservoirs.index:
                continue
            dead, normal = reservoirs.loc[reservoir, ["dead", "normal"]]
            rises = True
            bottom, below = dead, "dead storage"
            for zone, top in table.loc[zones, "top"].items():
                if top <= bottom:
                    rises = False
                    findings.add(
                        basin.position("zones", zone, "top"),
                        "E269",
                        f"top {top:g} hm3 of zone '{zone}' is not above {below} {bottom:g} "
                        f"of '{reservoir}'; must be above it, with the lowest zone first",
                    )
                bottom, below = top, "the top of the zone before it,"
            if rises and is_whole and abs(bottom - normal) > 1e-9 * normal:
                findings.add(
                    basin.position("zones", zones[-1], "top"),
                    "E269",
                    f"zones of '{reservoir}' end at {bottom:g} hm3, the top of '{zones[-1]}'; must "
                    f"end at normal storage {normal:g}: correct the top or add a zone",
                )

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        table = case.basin.tables["zones"]
        bounds = zone_bounds(case.basin)
        m.zone = pyo.Set(initialize=list(table.index))
        m.zones_of = by_node(table["reservoir"])
        m.zone_width = pyo.Param(
            m.zone,
            initialize={zone: top - bottom for zone, (bottom, top) in bounds.items()},
            units=unit("hm3"),
            **DATA,
        )
        m.zone_storage = pyo.Var(
            m.zone, bounds=lambda m, zone: (0.0, m.zone_width[zone]), units=unit("hm3")
        )
        dead = case.basin.values("reservoirs", "dead")
        below = {r: np.minimum(m.storage_least[r].value, dead[r]) for r in m.zones_of}
        m.below_least = pyo.Param(list(below), initialize=below, units=unit("hm3"), **DATA)
        m.below_most = pyo.Param(
            list(below), initialize={r: dead[r] for r in below}, units=unit("hm3"), **DATA
        )
        m.below_zones = pyo.Var(
            list(below),
            bounds=lambda m, r: (m.below_least[r], m.below_most[r]),
            units=unit("hm3"),
        )

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        m.in_zones = pyo.Constraint(
            list(m.zones_of),
            rule=lambda m, r: (
                m.storage_end[r] - m.below_zones[r] - sum(m.zone_storage[z] for z in m.zones_of[r])
                == 0
            ),
        )

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        reservoir = case.basin.tables["zones"]["reservoir"]
        yield Quantity(
            "zone_storage",
            "zone",
            dict(m.zone_storage.items()),
            "hm3",
            "storage in the zone at the end of the period",
            "time: point",
            {
                zone: Exact(partial(in_zone, *bounds), (m.storage_end[reservoir[zone]],))
                for zone, bounds in zone_bounds(case.basin).items()
            },
        )


def zone_bounds(basin: Basin) -> dict[str, tuple[float, float]]:
    """Storage [hm3] at the bottom and at the top of each zone."""
    table = basin.tables["zones"]
    bounds: dict[str, tuple[float, float]] = {}
    for reservoir, zones in by_node(table["reservoir"]).items():
        tops = [basin.tables["reservoirs"].at[reservoir, "dead"], *table.loc[zones, "top"]]
        bounds |= dict(zip(zones, pairwise(tops), strict=True))
    return {zone: bounds[zone] for zone in table.index}


def in_zone(bottom: float, top: float, storage: Any) -> Any:
    """Water [hm3] between two storages when the reservoir holds `storage`."""
    return np.clip(storage - bottom, 0.0, top - bottom)
