"""meet: the least deficit of a group of users."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.goals import LinearGoal, Stage
from wateralloc.users import Users


class Meet(LinearGoal, Users):
    """Make the deficit of the named users as small as it can be, relative to their demand.

    The group is all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given.  Within the group every hm3 counts the same, whoever lacks it and when; how a
    shortage is shared is for the goal ``share``.  One ``meet`` after another is a strict order of
    priority: the later gets what the earlier has left.

    Equation
    --------
    minimise sum (demand(d, t) - withdrawal(d, t)) / sum demand(d, t), over the group and the
    horizon.

    Source
    ------
    Law on Water Resources 28/2023/QH15, Art. 35: domestic supply first, then food, energy and other
    essential needs; in drought the order of the basin plan.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - meet: {sectors: [irrigation], regions: [red_river_delta]}
    """

    kind = "meet"
    vi = "Giảm lượng nước thiếu của một nhóm hộ dùng nước xuống mức nhỏ nhất."

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        return self.check_users(basin)

    def title(self) -> str:
        return f"meet {self.users_title()}"

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        return sum(m.demand[d] - m.withdrawal[d] for d in self.users_in(case.basin))

    def measure(self, m: pyo.ConcreteModel, case: Case, stage: Stage) -> tuple[str, float]:
        demand = sum(float(stage.data(m.demand[d]).sum()) for d in self.users_in(case.basin))
        return "fraction of demand", 1.0 / demand if demand else 1.0

    def allowance(self, m: pyo.ConcreteModel, case: Case, stage: Stage, optimum: float) -> float:
        return self.tolerance / self.measure(m, case, stage)[1]
