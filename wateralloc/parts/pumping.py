"""Pumping: the energy it takes to lift the water of a link, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.parts import DATA, Part, Quantity, unit
from wateralloc.tables import Column, Table

PUMPS = Table(
    "pumps",
    "Links whose water is pumped: the energy it takes, and its price.",
    (
        Column("link", "link whose water is pumped", "name", required=True, refers_to="links"),
        Column(
            "energy",
            "energy for each m3 that enters the link",
            dimension="energy_intensity",
            required=True,
            low=0,
        ),
        Column(
            "price",
            "price of the energy; empty: its cost is not counted",
            dimension="energy_price",
            low=0,
            varies="timeline",
        ),
    ),
    key="link",
)


class Pumping(Part):
    """Count the energy of pumped links, and its cost.

    To lift water by a height h [m] at an efficiency e takes ``0.002725 h / e`` kWh for each m3; a
    pressure pipe adds its losses of head to h.  One kWh for each m3 is one GWh for each hm3, and
    one of the currency for each kWh is a million for each GWh.

    Equation
    --------
    pumping_energy(l, t) = energy(l) flow(l, t);
    pumping_energy_cost(l, t) = price(l, t) pumping_energy(l, t).

    Source
    ------
    Potential energy of a m3 of water, 1000 kg x 9.81 m/s2 x 1 m = 9,810 J = 0.002725 kWh.
    """

    kind = "pumping"
    tables = (PUMPS,)
    reports = {"pumping_energy": "link", "pumping_energy_cost": "link"}

    def declare(self, m: pyo.ConcreteModel, case: Case) -> None:
        energy = case.basin.values("pumps", "energy")
        price = case.attribute("pumps", "price")
        m.energy_of_pumping = pyo.Param(
            list(energy), initialize=energy, units=unit("GWh/hm3"), **DATA
        )
        m.price_of_pumping = pyo.Param(list(price), initialize=price, units=unit("hm3/GWh"), **DATA)

    def quantities(self, m: pyo.ConcreteModel, case: Case) -> Iterable[Quantity]:
        energy = {k: m.energy_of_pumping[k] * m.flow[k] for k in m.energy_of_pumping}
        yield Quantity("pumping_energy", "link", energy, "GWh", "energy that pumps take")
        yield Quantity(
            "pumping_energy_cost",
            "link",
            {k: m.price_of_pumping[k] * energy[k] for k in m.price_of_pumping},
            f"million {case.basin.currency}",
            "cost of the energy that pumps take",
        )
