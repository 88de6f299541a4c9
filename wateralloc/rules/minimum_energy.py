"""minimum_energy: plants give at least so much power, or energy over a window."""

from __future__ import annotations

from typing import Annotated, Literal

import pyomo.environ as pyo
from pydantic import Field, model_validator

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.rules import Rule, at_first_period, number_windows, windows
from wateralloc.seasonal import Seasonal
from wateralloc.users import unknown


class MinimumEnergy(Rule):
    """Produce at least a power, or an energy over a window, in some plants together.

    A power is asked as the mean of each period, in the dates that it names; an energy once in each
    window that lies whole in the horizon.  Required and achieved are reported in GWh.  Which plant
    gives how much is free.  What a plant gives in a period is a product of flow and head: rows hold
    it by a straight line that follows the solution pass by pass, and what is reported is the energy
    without lines.

    Equation
    --------
    sum over the plants of energy(p, t) >= power_mw(t) x hours in every period that it names; or
    sum over the window and the plants of energy(p, t) >= energy_gwh, in every whole window.

    Source
    ------
    Labadie (2004), Optimal operation of multireservoir systems: state-of-the-art review, Journal of
    Water Resources Planning and Management 130, 93-111 (targets of power and energy as limits).

    Example
    -------
    .. code-block:: yaml

        - rule: minimum_energy
          name: peak_of_the_dry_season
          plants: [hoa_binh, son_la]
          power_mw: {months: [4, 5, 6], value: 1800}
          source: dispatch plan
    """

    kind = "minimum_energy"
    vi = "Bảo đảm công suất hoặc điện lượng tối thiểu của một nhóm nhà máy thủy điện."

    plants: Annotated[tuple[str, ...], Field(description="plants, together; default: all")] = ()
    power_mw: Annotated[
        Seasonal | None, Field(description="least mean power of each period, by date")
    ] = None
    energy_gwh: Annotated[
        float | None,
        Field(strict=True, ge=0, allow_inf_nan=False, description="least energy of each window"),
    ] = None
    window: Annotated[
        Literal["month", "season", "year", "horizon"], Field(description="window of energy_gwh")
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months in which energy_gwh is produced; default: all"),
    ] = ()

    @model_validator(mode="after")
    def _one_amount(self) -> MinimumEnergy:
        if (self.power_mw is None) == (self.energy_gwh is None):
            raise ValueError("give either power_mw, or energy_gwh with a window")
        return self

    @property
    def reported_in(self) -> str:
        return "gwh"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        table = basin.tables["hydropower"]
        if table.empty:
            return [("", "E313", "minimum_energy has no plants: the basin has no hydropower.csv")]
        faults = unknown("plants", self.plants, table.index, "plant")
        if self.power_mw is not None:
            faults += self.power_mw.check("power_mw", basin.patterns, "power")
        return faults

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        timeline = case.timeline
        if self.power_mw is not None:
            window = number_windows(self.power_mw.active(timeline))
            required = self.power_mw.on(timeline, case.basin.patterns) * timeline.seconds / 3.6e6
        else:
            window = windows(timeline, self.window, self.months, whole=True, rule=self.name)
            required = at_first_period(self.energy_gwh, window)
        energy = sum(m.energy[p] for p in self.plants or m.plant)
        self.require(m, {"": (energy, required)}, ">=", window)
