"""share: a shortage is shared among claimants, the worst off first (leximin)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyomo.environ as pyo
from pydantic import Field

from wateralloc.basin import Basin
from wateralloc.case import Case
from wateralloc.goals import Goal, Stage
from wateralloc.goals.meet import Meet
from wateralloc.parts import DATA, unit
from wateralloc.users import Users

CERTAIN = 1e-9
"""A level is settled to this share of itself: what its certificate vouches for (relative gap).

Settled at the last digit, many claimants at one level leave no room for rounding, and the next
program would have no solution.
"""
STUCK = 1e-7
"""A claimant whose dual is above this share of all duals of the round cannot be raised further."""


class Share(Goal, Users):
    """Raise the satisfaction of the worst-off claimant, then of the next, and so on.

    A claimant is a region, province, sector or single demand, in each window; its satisfaction is
    what its users withdraw in the window over what they ask.  Each round is a linear program that
    raises a common level under all claimants not yet settled; those with a positive dual are what
    keeps it from rising and are settled at it.  When all are settled the deficit of the whole
    group is made least, which gives what nobody else can use to those who can.

    Equation
    --------
    lexmax sorted (satisfaction(c, w)), with sum over c and w of withdrawal = satisfaction(c, w) x
    demand(c, w).

    Source
    ------
    Ogryczak, Pioro & Tomaszewski (2005), Telecommunications network design and max-min optimization
    problem, algorithm by dual variables.

    Example
    -------
    .. code-block:: yaml

        goals:
          - meet: {sectors: [domestic]}
          - share: {sectors: [irrigation, aquaculture], among: region, window: month}
    """

    kind = "share"

    among: Annotated[
        Literal["region", "province", "sector", "demand"],
        Field(description="who the claimants are"),
    ] = "region"
    rule: Annotated[Literal["leximin"], Field(description="how they share")] = "leximin"
    window: Annotated[
        Literal["period", "month", "season", "year", "horizon"],
        Field(description="window over which satisfaction is measured"),
    ] = "year"
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...],
        Field(description="months that count; default: all"),
    ] = ()

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        return self.check_users(basin)

    def claimants(self, basin: Basin) -> dict[str, list[str]]:
        """Demands of each claimant."""
        table = basin.tables["demands"]
        groups: dict[str, list[str]] = {}
        for demand in self.users_in(basin):
            name = demand if self.among == "demand" else table.at[demand, self.among]
            groups.setdefault(name, []).append(demand)
        return groups

    def declare(self, m: pyo.ConcreteModel, case: Case, number: int) -> None:
        block = pyo.Block(concrete=True)
        m.goals.add_component(f"share_{number}", block)
        claimants = self.claimants(case.basin)
        window = case.timeline.window(self.window, self.months or None)
        inside = np.maximum(window, 0)
        block.level = pyo.Var(bounds=(0, 1))
        m.repeats.share(block.level, np.zeros(case.n_periods, int))
        block.satisfaction = pyo.Var(list(claimants), bounds=(0, 1))
        first = np.zeros(case.n_periods, bool)
        first[np.unique(window, return_index=True)[1]] = True
        once = np.where(first, window, -1)

        def shared(block: pyo.Block, c: str) -> pyo.Constraint:
            asked = sum(m.demand[d] for d in claimants[c])
            taken = sum(m.withdrawal[d] for d in claimants[c])
            return taken - asked * block.satisfaction[c] >= 0

        block.shared = pyo.Constraint(list(claimants), rule=shared)
        block.least = pyo.Constraint(
            list(claimants), rule=lambda block, c: block.satisfaction[c] - block.level >= 0
        )
        for c in claimants:
            m.repeats.share(block.satisfaction[c], inside)
            m.repeats.total(block.shared[c], window)
            m.repeats.total(block.least[c], once)
        # the level counts as the volume it stands for, so that duals are hm3 for hm3
        volume = np.zeros((case.n_members, case.n_periods))
        volume[:, 0] = sum(m.demand[d].value for d in self.users_in(case.basin)).sum(axis=1)
        block.volume = pyo.Param(initialize=volume, units=unit("hm3"), **DATA)
        block.goal = pyo.Expression(expr=block.volume * block.level)
        self._rest().declare(m, case, number)

    def objective(self, m: pyo.ConcreteModel, number: int) -> tuple[pyo.Expression, str]:
        return m.goals.component(f"share_{number}").goal, "maximise"

    def optimise(self, m: pyo.ConcreteModel, case: Case, number: int, stage: Stage) -> None:
        block = m.goals.component(f"share_{number}")
        names = list(block.satisfaction)
        windows, first = np.unique(
            case.timeline.window(self.window, self.months or None), return_index=True
        )
        first = first[windows >= 0]
        n_windows = first.size
        floor = np.zeros((len(names), n_windows))
        settled = np.zeros(floor.shape, bool)
        asked = float(block.volume.value[stage.member, 0]) or 1.0
        for k in range(floor.size):
            optimum = stage.optimise(
                f"{number} share among {self.among}, round {k + 1}",
                block.goal,
                "maximise",
                "satisfaction",
                1.0 / asked,
                cost_scale=1.0,
            )
            level = optimum / asked
            duals = np.array([np.abs(stage.duals(block.least[c])) for c in names])
            stuck = ~settled & (duals > STUCK * max(duals.max(), STUCK))
            if level >= 1.0 - STUCK or not stuck.any():
                stuck = ~settled
            reached = np.array([stage.values(block.satisfaction[c])[first] for c in names])
            floor[stuck] = reached[stuck] * (1 - CERTAIN)
            settled |= stuck
            for i, c in enumerate(names):
                if stuck[i].any():
                    stage.bound(block.satisfaction[c], floor[i], np.ones(n_windows))
                    stage.limit(
                        block.least[c],
                        np.where(settled[i], -np.inf, 0.0),
                        np.full(n_windows, np.inf),
                    )
            if settled.all():
                break
        self._rest().optimise(m, case, number, stage)

    def _rest(self) -> Meet:
        return Meet(
            sectors=self.sectors,
            regions=self.regions,
            provinces=self.provinces,
            demands=self.demands,
        )
