"""net_benefit: what water and energy are worth, less what it costs to move them."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from wateralloc.case import Case
from wateralloc.goals import LinearGoal, Stage
from wateralloc.parts import quantities

GAINS = ("benefit", "energy_value", "carryover_value")
COSTS = ("cost", "source_cost", "pumping_cost", "pumping_energy_cost")
"""Quantities in money; investment and yearly costs of works do not depend on what is allocated."""


class NetBenefit(LinearGoal):
    """Make the benefit of all users and plants, less all running costs, as large as it can be.

    What counts is money of one kind: the benefit of withdrawals (``value`` in ``demands.csv``, or
    ``benefits.csv``), the value of energy, the worth of the water left in reservoirs at the end of
    each period (``carryover_values.csv``), and the costs of links, sources, pumping from aquifers
    and the energy of pumps.  A user without a value counts as nothing: meet it by a goal before.
    Investment and yearly costs of works do not depend on what is allocated, and are left out.
    Benefits by blocks are concave, so the dearest block is filled first by itself; energy counts
    by a straight line that follows the solution pass by pass.

    Equation
    --------
    maximise sum over all periods of benefit(d) + energy_value(p) + carryover_value(r) - cost(l) -
    source_cost(s) - pumping_cost(a) - pumping_energy_cost(l).

    Source
    ------
    Draper, Jenkins, Kirby, Lund & Howitt (2003), Economic-engineering optimization for California
    water management, Journal of Water Resources Planning and Management 129, 155-164.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - net_benefit: {}
    """

    kind = "net_benefit"
    vi = "Tối đa hóa lợi ích ròng: giá trị của nước và điện năng trừ chi phí vận hành."
    sense = "maximise"

    @property
    def counts_money(self) -> bool:
        return True

    def title(self) -> str:
        return "net benefit"

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        found = {quantity.name: quantity.values for quantity in quantities(m, case)}
        return sum(
            sign * amount
            for sign, names in ((1, GAINS), (-1, COSTS))
            for name in names
            for amount in found.get(name, {}).values()
        )

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        return f"million {case.basin.currency}", 1.0
