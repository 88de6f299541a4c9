"""prefer: the first sources of a demand are used before the next."""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.goals import LinearGoal
from wateralloc.parts.source import delivered
from wateralloc.users import Users


class Prefer(LinearGoal, Users):
    """Draw from the sources that the named users prefer, as far as they reach.

    The group is all demands that meet every one of `sectors`, `regions`, `provinces` and `demands`
    that is given; demands without a row in ``sources.csv`` have no choice to make.  What counts is
    the water that reaches the demand, so that the order holds whatever is lost on the way.  The
    goal says nothing of how much is withdrawn: name it after the goals that do, such as ``meet``.

    Equation
    --------
    minimise sum (preference(s) - 1) (1 - loss(s)) drawn(s, t), over the sources of the group and
    the horizon.

    Source
    ------
    Yates, Sieber, Purkey & Huber-Lee (2005), WEAP21: a demand-, priority-, and preference-driven
    water planning model, part 1, Water International 30, 487-500 (preferences of supply).

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - prefer: {sectors: [domestic]}
    """

    kind = "prefer"
    vi = "Ưu tiên lấy nước từ nguồn xếp trước của mỗi hộ dùng nước."

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        faults = self.check_users(basin)
        is_named = any((self.sectors, self.regions, self.provinces, self.demands))
        if is_named and not faults and not self._preferences(basin):
            text = "no demand of these has a row in sources.csv; add one or widen the lists"
            faults.append(("", "E313", text))
        return faults

    def title(self) -> str:
        return f"prefer first sources of {self.users_title()}"

    def expression(self, m: pyo.ConcreteModel, case: Case) -> Any:
        preferences = self._preferences(case.basin)
        return sum((place - 1) * delivered(m, s) for s, place in preferences.items())

    def _preferences(self, basin: Basin) -> dict[str, int]:
        """Preference of each source of the group."""
        table = basin.tables["sources"]
        of_group = table["demand"].isin(self.users_in(basin))
        return {name: int(place) for name, place in table["preference"][of_group].items()}
