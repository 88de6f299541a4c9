"""Another solver and another way of staging give the same optima.

The full-horizon Pyomo model is solved by SCIP.  Between stages the former optimum is kept by a row
that caps the former objective, not by the optimal face; leximin settles a claimant when a program
of its own shows that it cannot be raised, not by duals.  So neither the stacking, nor HiGHS, nor
the staging is shared with what is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.contrib.solver.common.factory import SolverFactory

from tests.small import at_fixed_lines, inflow, make_case
from wateralloc import read_case, to_pyomo
from wateralloc.case import Case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.goals.share import Share
from wateralloc.period import build_period

KEEP = 1e-10
"""A former optimum is kept to this share of its size; the optima are compared far above it."""


class OtherSolver:
    """Solve the goals of one member of a case in order, by SCIP."""

    def __init__(self, case: Case) -> None:
        self.case, self.goals = case, build_period(case).goals
        self.model = to_pyomo(case)
        self.scip = SolverFactory("scip_direct")
        for objective in self.model.component_objects(pyo.Objective):
            objective.deactivate()
        self.model.kept = pyo.ConstraintList()
        self.model.tried = pyo.Objective(expr=0.0)

    def solve(self, expression: Any, sense: Any) -> float:
        self.model.tried.set_value(expression)
        self.model.tried.sense = sense
        result = self.scip.solve(
            self.model,
            solver_options={"numerics/feastol": 1e-9, "numerics/dualfeastol": 1e-9},
        )
        return float(result.incumbent_objective)

    def optima(self) -> Iterator[float]:
        """Optimum of each stage, in the unit of its expression."""
        for number, goal in self.goals:
            if isinstance(goal, Share):
                yield from self.share(number, goal)
                self.meet(goal)
                yield self.last
                continue
            objective = self.model.component(f"goal_{number}")
            best = self.solve(objective.expr, objective.sense)
            self.keep(objective.expr, objective.sense, best)
            yield best

    def keep(self, expression: Any, sense: Any, best: float) -> None:
        slack = KEEP * (1 + abs(best))
        if sense == pyo.minimize:
            self.model.kept.add(expression <= best + slack)
        else:
            self.model.kept.add(expression >= best - slack)

    def share(self, number: int, goal: Share) -> Iterator[float]:
        """Levels of leximin, the lowest first; a claimant that cannot pass one is settled at it."""
        satisfaction = self.model.component(f"goal_share_{number}_satisfaction")
        level = next(iter(self.model.component(f"goal_share_{number}_level").values()))
        least = self.model.component(f"goal_share_{number}_least")
        least.deactivate()  # as written it binds every claimant to the level in every round
        free = list(satisfaction)
        while free:
            self.model.del_component("above")
            self.model.above = pyo.Constraint(free, rule=lambda m, *c: satisfaction[c] >= level)
            best = self.solve(level, pyo.maximize)
            yield best
            for claimant in free:
                satisfaction[claimant].setlb(best - KEEP)
            raised = (
                [self.solve(satisfaction[c], pyo.maximize) > best + 1e-5 for c in free]
                if best < 1 - 1e-7
                else [False] * len(free)
            )
            free = [c for c, can_rise in zip(free, raised, strict=True) if can_rise]
        self.model.del_component("above")

    def meet(self, goal: Share) -> None:
        users = goal.users_in(self.case.basin)
        withdrawn = sum(w for (demand, *_), w in self.model.withdrawal.items() if demand in users)
        self.last = self.solve(withdrawn, pyo.maximize)
        self.keep(withdrawn, pyo.maximize, self.last)


def compare(case: Case) -> int:
    """Compare the staged optima of every member; return how many were compared."""
    compared = 0
    case = at_fixed_lines(case)
    ours = solve_perfect(case)
    for k, member in enumerate(case.members):
        one = replace(case, members=(member,))
        theirs = list(OtherSolver(one).optima())
        stages = []
        for stage in ours.stages[k]:
            goal = next(goal for place, goal in ours.period.goals if place == stage.goal)
            if isinstance(goal, Share) and "round" in stage.name:
                stages.append(stage.value)  # a level of satisfaction
                continue
            volume = stage.value / stage.value_scale
            if isinstance(goal, Share):  # a deficit, where the other solver counts withdrawals
                asked = ours.period.model.demand
                users = goal.users_in(case.basin)
                volume = sum(float(asked[d].value[k].sum()) for d in users) - volume
            stages.append(volume)
        # rounds that settle claimants at one level come in another number: compare distinct levels
        np.testing.assert_allclose(
            distinct(stages), distinct(theirs), rtol=2e-6, atol=2e-5, err_msg=member.name
        )
        compared += len(theirs)
    return compared


def distinct(values: list[float]) -> list[float]:
    """Drop a value that repeats the one before it."""
    return [v for i, v in enumerate(values) if i == 0 or abs(v - values[i - 1]) > 1e-5]


def test_a_small_basin_with_every_part_and_rule(tmp_path):
    seasons = [40, 30, 8, 3, 2, 12]
    (tmp_path / "my_rule.py").write_text(
        "import pyomo.environ as pyo\n\n\n"
        "def keep_a_tenth(m, case):\n"
        "    m.keep = pyo.Constraint(expr=m.flow['outlet'] - m.inflow['head'] / 10 >= 0)\n",
        encoding="utf-8",
    )
    case = make_case(
        tmp_path,
        periods=6,
        goals=[
            {"meet": {"sectors": ["domestic"]}},
            {"share": {"sectors": ["irrigation"], "among": "demand", "window": "horizon"}},
            {"minimise": "spill"},
            {"maximise": {"quantity": "storage_end", "when": "last"}},
            {"minimise": "cost"},
        ],
        rules=[
            {
                "rule": "minimum_delivery",
                "name": "delta",
                "at": "fork",
                "flow_m3s": {"from": "01-02", "to": "01-05", "value": 70},
            },
            {"rule": "reservoir_levels", "name": "levels", "reservoir": "lake", "minimum_m": 101},
            {
                "rule": "quota",
                "name": "cap",
                "sectors": ["industry"],
                "volume_hm3": 9,
                "window": "horizon",
            },
            {
                "rule": "minimum_delivery",
                "name": "wish",
                "at": "fork",
                "flow_m3s": 150,
                "soft": {"goal": 2},
            },
            {"rule": "python", "name": "own", "file": "my_rule.py", "function": "keep_a_tenth"},
        ],
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "fork", "kind": "junction"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach", "loss_fraction": 0.02},
            {
                "name": "outlet",
                "from": "lake",
                "to": "fork",
                "kind": "turbine",
                "capacity_hm3_day": 25,
            },
            {"name": "weir", "from": "lake", "to": "fork", "kind": "spillway"},
            {
                "name": "ditch",
                "from": "fork",
                "to": "field",
                "kind": "canal",
                "capacity_hm3_day": 9,
                "loss_fraction": 0.1,
                "cost_vnd_m3": 3,
            },
            {
                "name": "lower",
                "from": "fork",
                "to": "sea",
                "kind": "reach",
                "lag_periods": 1,
                "initial_hm3_day": 4,
            },
            {"name": "drain", "from": "field", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {
                "name": "lake",
                "dead_hm3": 10,
                "normal_hm3": 60,
                "initial_hm3": 30,
                "target_hm3": 25,
                "curve": "lake",
                "evaporation_mm_day": 12,
                "flood_limit_hm3": 55,
            }
        ],
        curves=[
            *(
                {"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
                for x in (0, 30, 60)
            ),
            *(
                {"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
                for x, y in ((0, 1), (30, 6), (60, 8))
            ),
        ],
        demands=[
            {
                "name": "town",
                "node": "head",
                "sector": "domestic",
                "annual_hm3": 2 * 365,
                "consumption_fraction": 0.2,
                "return_to": "lake",
                "return_lag_periods": 1,
                "return_weights": "0.7 0.3",
            },
            {
                "name": "rice",
                "node": "field",
                "sector": "irrigation",
                "annual_hm3": 10 * 365,
                "consumption_fraction": 0.7,
                "return_to": "sea",
            },
            {"name": "maize", "node": "lake", "sector": "irrigation", "annual_hm3": 6 * 365},
            {"name": "mill", "node": "fork", "sector": "industry", "annual_hm3": 3 * 365},
        ],
        environmental_flows=[{"name": "life", "node": "lake", "minimum_hm3_day": 1.5}],
        series=inflow(head=seasons),
    )
    assert compare(case) >= 7


@pytest.mark.parametrize("name", ["pilot_dry_year"])
def test_the_dry_years_of_the_real_river_by_month(name):
    case = read_case(name, {"timeline.step": "month", "timeline.periods": "12"})
    assert len(case.members) == 2
    assert compare(case) >= 2 * len(case.goals)
