"""firm_energy: the power that plants give together at the least, as large as it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.goals import LinearGoal, Stage
from wateralloc.parts import DATA, unit
from wateralloc.users import unknown


class FirmEnergy(LinearGoal):
    """Raise the least mean power of some plants together, over all windows.

    The optimum is the power [MW] that the plants give in every window at least.  Held, it leaves
    what more energy there is to the goals after it.  Windows are those that `months` names, also
    where the horizon cuts them; all others do not count.  Energy is a product of flow and head: it
    stands in the rows as a straight line, which follows the solution pass by pass.

    Equation
    --------
    maximise level, with sum over the plants and the window of energy(p, t) >= level x hours of the
    window, in every window.

    Source
    ------
    Loucks & van Beek (2017), Water Resource Systems Planning and Management, section 4.3.4: firm
    yield as a linear program, here of energy.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - firm_energy: {plants: [hoa_binh, son_la], window: month}
          - maximise: energy
    """

    kind = "firm_energy"
    vi = "Nâng công suất bảo đảm của các nhà máy thủy điện lên mức cao nhất."
    sense = "maximise"

    plants: Annotated[tuple[str, ...], Field(description="plants, together; default: all")] = ()
    window: Annotated[
        Literal["period", "month", "season", "year"],
        Field(description="window over which power is a mean"),
    ] = "month"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months that count; default: all"),
    ] = ()

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        table = basin.tables["hydropower"]
        if table.empty:
            return [("", "E313", "firm_energy has no plants: the basin has no hydropower.csv")]
        return unknown("plants", self.plants, table.index, "plant")

    def title(self) -> str:
        return f"firm energy of {'+'.join(self.plants) or 'all plants'}"

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        return "MW", 1e3 / float(case.timeline.seconds.sum() / 3600)

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        timeline = case.timeline
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"firm_{number}", block)
        window = timeline.window(self.window, self.months or None)
        block.number = pyo.Param(initialize=window.astype(float), **DATA)
        # the level counts as the energy of the whole horizon, so that duals are near 1
        block.level = pyo.Var(bounds=(0, None), units=unit("GWh"))
        m.repeats.share(block.level, np.zeros(case.n_periods, int))
        share = timeline.seconds / timeline.seconds.sum()
        block.share = pyo.Param(initialize=share, **DATA)
        block.energy = pyo.Expression(expr=sum(m.energy[p] for p in self.plants or m.plant))
        block.firm = pyo.Constraint(expr=block.energy - block.share * block.level >= 0)
        m.repeats.total(block.firm, window)
        once = np.zeros(case.n_periods)
        once[0] = 1.0
        block.once = pyo.Param(initialize=once, **DATA)
        block.goal = pyo.Expression(expr=block.once * block.level)

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"firm_{number}").goal, self.sense

    def truth(
        self, m: pyo.ConcreteModel, number: int, value: Callable[[Any], np.ndarray]
    ) -> np.ndarray | None:
        block = m.goals.component(f"firm_{number}")
        energy, share, window = value(block.energy), value(block.share)[0], value(block.number)[0]
        numbers = np.unique(window[window >= 0])
        if not numbers.size:  # no window is in sight
            return np.zeros(energy.shape[0])
        inside = window[None, :] == numbers[:, None]
        return ((energy @ inside.T) / (inside @ share)).min(axis=1)
