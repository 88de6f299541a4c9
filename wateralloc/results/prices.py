"""Why it came so: what rules asked and cost, the optima of the goals, what water is worth.

Prices are duals of certified optima.  Where the optimum has a kink, the price is that of one of its
two sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wateralloc.foresight.perfect import Solution
from wateralloc.goals.meet import Meet
from wateralloc.goals.share import Share
from wateralloc.parts import items_of
from wateralloc.period import Period, RuleRow, required_values
from wateralloc.results.variables import MT, NOISE, Variable, clean, text, variable, whole
from wateralloc.rules import KEPT
from wateralloc.units import HM3_PER_M3

PRICED = 1e-9
"""A dual above this is a price."""

_MR = ("member", "rule")
RULES: dict[str, tuple[Any, type | str, str]] = {
    "required": (_MR, float, "what the rule asks, in rule_unit"),
    "achieved": (_MR, float, "what came of it, in rule_unit"),
    "slack": (
        _MR, float, "achieved less required, for a cap required less achieved; below 0: broken",
    ),
    "kept": (_MR, bool, f"whether the shortfall is at most {KEPT:g} hm3"),
    "shadow_price": (
        _MR, float, "by how much one unit more of the requirement, or one unit less of a cap, "
        "worsens the first objective that the rule binds, in the unit of that objective",
    ),
    "shadow_price_stage": (
        _MR, np.int32, "number of that stage within the member, from 1; 0 where none is bound",
    ),
    "rule": ("rule", object, "rule, with the item in brackets where it has several"),
    "rule_clause": ("rule", object, "name of the rule in the case"),
    "rule_kind": ("rule", object, "kind of the rule"),
    "rule_at": ("rule", object, "node or reservoir that the rule names, where it names just one"),
    "rule_unit": ("rule", object, "unit of required, achieved and slack"),
    "rule_sense": ("rule", object, "achieved is >= or <= required"),
    "rule_is_soft": ("rule", bool, "whether the rule may be broken"),
    "rule_start": ("rule", "datetime64[ns]", "first day of the window"),
    "rule_end": ("rule", "datetime64[ns]", "last day of the window"),
}  # fmt: skip
"""Variables of the rules: dims, type and meaning."""

UNITS_BY = {
    "required": "rule_unit",
    "achieved": "rule_unit",
    "slack": "rule_unit",
    "shadow_price": "shadow_price_stage, over rule_unit",
    "value": "stage_unit",
    "kept": "stage_unit",
}
"""What holds the unit of a variable whose rows differ in it."""


def rule_variables(solution: Solution) -> dict[str, Variable]:
    """Lay out a row for each rule row and window, in the order of the case, as `RULES` says."""
    tables = [rule_table(solution, row) for row in solution.period.rule_rows]
    n_members = solution.case.n_members
    variables = {}
    for name, (dims, dtype, meaning) in RULES.items():
        shape = (n_members, 0) if dims == _MR else (0,)
        values = np.concatenate([np.empty(shape, dtype), *(t[name] for t in tables)], axis=-1)
        more = {"units_by": UNITS_BY[name]} if name in UNITS_BY else {}
        variables[name] = variable(dims, values.astype(dtype), meaning, **more)
    return variables


def rule_table(solution: Solution, row: RuleRow) -> dict[str, np.ndarray]:
    """Values of `RULES` for one row of a rule: (member, window) or (window).

    Also ``slack_volume``, the slack in hm3 (or GWh).
    """
    case, rule = solution.case, row.rule
    order, starts = solution.horizon.windows(row.constraint)
    first, last = order[starts], order[np.append(starts[1:], order.size)[: starts.size] - 1]

    def total(values: np.ndarray) -> np.ndarray:
        """Sum (member, time) over each window."""
        if not starts.size:
            return np.zeros((values.shape[0], 0))
        return np.add.reduceat(values[:, order], starts, axis=1)

    required = total(required_values(row, case.n_members, case.n_periods))
    achieved = total(solution.value(row.achieved))
    slack = achieved - required if row.sense == ">=" else required - achieved
    unit = "gwh" if rule.reported_in == "gwh" else "hm3"
    per_hm3 = np.ones(starts.size)
    if rule.reported_in == "m3s" and (first == last).all():
        unit, per_hm3 = "m3s", 1.0 / (case.timeline.seconds[first] * HM3_PER_M3)
    price, stage = _shadow_prices(solution, row, starts.size)
    words = {
        "rule": row.label, "rule_clause": rule.name, "rule_kind": rule.kind,
        "rule_at": rule.place, "rule_unit": unit, "rule_sense": row.sense,
        "rule_is_soft": rule.soft is not None,
    }  # fmt: skip
    return {
        "required": clean(required * per_hm3),
        "achieved": clean(achieved * per_hm3),
        "slack": np.where(np.abs(slack) <= NOISE, 0.0, slack * per_hm3),
        "slack_volume": slack,
        "kept": slack >= -KEPT,
        "shadow_price": price / per_hm3,
        "shadow_price_stage": stage,
        "rule_start": case.timeline.starts[first].astype("datetime64[ns]"),
        "rule_end": case.timeline.last_days[last].astype("datetime64[ns]"),
        **{name: np.full(starts.size, word, object) for name, word in words.items()},
    }


def _shadow_prices(
    solution: Solution, row: RuleRow, n_windows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Price [objective per hm3] of each window, and the stage it is of (member, window)."""
    prices = np.zeros((solution.case.n_members, n_windows))
    numbers = np.zeros(prices.shape, np.int32)
    for k, stages in enumerate(solution.stages):
        for number, stage in enumerate(stages, 1):
            # a dual is the change of the objective by a unit more of the limit
            worse = 1.0 if (stage.sense == "minimise") == (row.sense == ">=") else -1.0
            dual = worse * stage.rule_price[row.label]
            new = (numbers[k] == 0) & (np.abs(dual) > PRICED)
            prices[k, new], numbers[k, new] = dual[new], number
    return prices, numbers


def stage_variables(solution: Solution) -> dict[str, Variable]:
    """Lay out a row for each linear program of each member, in the order they were solved."""
    rows = [
        (member.name, number, stage)
        for member, stages in zip(solution.case.members, solution.stages, strict=True)
        for number, stage in enumerate(stages, 1)
    ]
    stages = [stage for _, _, stage in rows]
    columns: dict[str, tuple[np.ndarray, str]] = {
        "member": (text(member for member, _, _ in rows), "member"),
        "number": (whole(number for _, number, _ in rows), "number within the member"),
        "goal": (whole(s.goal for s in stages), "place of its goal"),
        "name": (text(s.name for s in stages), "name of the stage"),
        "sense": (text(s.sense for s in stages), "minimise or maximise"),
        "value": (np.array([s.value for s in stages], float), "optimum, in stage_unit"),
        "kept": (
            np.array([s.kept for s in stages], float),
            "what is left of the optimum after all goals, where the goal has a tolerance; in "
            "stage_unit",
        ),
        "unit": (text(s.unit for s in stages), "unit of the optimum"),
        "value_scale": (
            np.array([s.value_scale for s in stages], float),
            "unit of the optimum over that of the prices",
        ),
        "iterations": (whole(s.iterations for s in stages), "iterations of the solver"),
        "cold_again": (
            np.array([s.cold_again for s in stages], bool),
            "whether it was certified only by a second solve, from scratch",
        ),
    }
    for figure, meaning in (
        ("primal", "scaled primal violation"),
        ("dual", "scaled dual violation"),
        ("gap", "relative duality gap"),
    ):
        values = np.array([getattr(s.certificate, figure) for s in stages], float)
        columns[figure] = (values, f"certificate: {meaning}")
    variables = {
        f"stage_{name}": variable(
            "stage", values, meaning, **({"units_by": UNITS_BY[name]} if name in UNITS_BY else {})
        )
        for name, (values, meaning) in columns.items()
    }
    drift = np.asarray(solution.drift, float)
    meaning = "largest relative change of a held optimum by the end"
    return variables | {"drift": variable("member", drift, meaning, "1")}


def price_variables(solution: Solution) -> dict[str, Variable]:
    """Price of water at every node for each goal, and what it is worth to each demand.

    A goal of several programs (``share``) has the price of its last, where the rest of the deficit
    is made least.
    """
    case, goals = solution.case, solution.period.goals
    nodes, table = items_of(case.basin, "node"), case.basin.tables["demands"]
    last = [{stage.goal: stage for stage in stages} for stages in solution.stages]
    price = np.zeros((case.n_members, len(goals), case.n_periods, len(nodes)))
    for k, of_goal in enumerate(last):
        for g, (number, _) in enumerate(goals):
            price[k, g] = of_goal[number].balance_price.T
    value = np.zeros((case.n_members, case.n_periods, len(table)))
    goal_of = _goals_of_demands(solution.period)
    sources = case.basin.tables["sources"]
    for d, (demand, home) in enumerate(table["node"].items()):
        if demand in goal_of:
            drawn_from = list(sources["node"][sources["demand"] == demand]) or [home]
            value[:, :, d] = np.max(
                [-price[:, goal_of[demand], :, nodes.index(node)] for node in drawn_from], axis=0
            )
    return {
        "goal": variable("goal", whole(number for number, _ in goals), "place of the goal"),
        "goal_name": variable("goal", text(last[0][number].name for number, _ in goals), "goal"),
        "balance_price": variable(
            ("member", "goal", "time", "node"),
            price + 0.0,
            "change of the goal's last objective, in the unit of its expression, by 1 hm3 more at "
            "the node, with the goals before it held",
            cell_methods="time: mean",
            units_by="goal",
        ),
        "water_value": variable(
            (*MT, "demand"),
            np.where(np.abs(value) <= PRICED, 0.0, value),
            "deficit [hm3] avoided by 1 hm3 more at the node of the demand (of several sources, "
            "where it avoids most), among the users of the first goal that names it, with the "
            "goals before it held; 0 where no goal names it",
            "1",
            "time: mean",
        ),
    }


def _goals_of_demands(period: Period) -> dict[str, int]:
    """Position of the first goal that makes the deficit of a demand least."""
    found: dict[str, int] = {}
    for position, (_, goal) in enumerate(period.goals):
        if isinstance(goal, Meet | Share):
            for demand in goal.users_in(period.case.basin):
                found.setdefault(demand, position)
    return found
