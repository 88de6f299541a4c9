"""Soft rules: how often and by how much each was broken, and at what price it would be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wateralloc.foresight.perfect import Solution, StageOptimum
from wateralloc.goals import PriceOfKeeping
from wateralloc.goals.keep import Keep
from wateralloc.results.prices import rule_table
from wateralloc.results.variables import Variable, clean, text, variable, whole
from wateralloc.rules import KEPT, Rule

_MS = ("member", "soft_rule")


def soft_variables(solution: Solution) -> dict[str, Variable]:
    """One row a soft rule: what it missed in each member, and what that costs; none without."""
    soft = [rule for rule in solution.case.rules if rule.soft is not None]
    if not soft:
        return {}
    found = [_missed(solution, rule) for rule in soft]
    goals = [_goal_of(solution, rule) for rule in soft]
    prices = [_prices(solution, rule, goal) for rule, goal in zip(soft, goals, strict=True)]
    penalty = np.array([rule.soft.penalty or 0.0 for rule in soft if rule.soft], float)
    scales = np.array([_last(solution, 0, goal).value_scale for goal in goals], float)
    volume = np.stack([of["volume"] for of in found], axis=1)

    def by_member(name: str) -> np.ndarray:
        return np.stack([of[name] for of in found], axis=1)

    def price(name: str) -> np.ndarray:
        return np.stack([of[name] for of in prices], axis=1)

    variables: dict[str, Any] = {
        "soft_rule": variable("soft_rule", text(rule.name for rule in soft), "soft rule"),
        "soft_kind": variable("soft_rule", text(rule.kind for rule in soft), "kind of the rule"),
        "soft_goal": variable(
            "soft_rule",
            whole(goals),
            "place of the goal that counts its penalty; without one, its own place",
        ),
        "soft_penalty": variable(
            "soft_rule", penalty, "price of a unit missed; 0 where it comes by the order of goals"
        ),
        "soft_windows": variable(
            "soft_rule", whole(of["windows"] for of in found), "periods or windows in which it asks"
        ),
        "soft_missed_unit": variable(
            "soft_rule", text(of["volume_unit"] for of in found), "unit of what is missed"
        ),
        "soft_unit": variable("soft_rule", text(of["unit"] for of in found), "unit of the worst"),
        "soft_cost_unit": variable(
            "soft_rule",
            text(_last(solution, 0, goal).unit for goal in goals),
            "unit of the goal, in which the cost is",
        ),
        "soft_broken": variable(
            _MS, by_member("broken").astype(np.int32), "periods or windows in which it is broken"
        ),
        "soft_missed": variable(
            _MS, clean(volume), "what is missed in all", units_by="soft_missed_unit"
        ),
        "soft_worst": variable(
            _MS, clean(by_member("worst")), "most that is missed in one", units_by="soft_unit"
        ),
        "soft_worst_start": variable(
            _MS, by_member("worst_start"), "first day of that; where none is, of the first"
        ),
        "soft_cost": variable(
            _MS,
            clean(volume * penalty * scales),
            "penalty times what is missed: by so much its goal is worse",
            units_by="soft_cost_unit",
        ),
        "soft_price": variable(
            _MS,
            price("price"),
            "largest shadow price of its rows in its goal: below the penalty it is kept, and would "
            "be broken at a lower penalty than this; at the penalty it is broken",
        ),
        "soft_kept_from": variable(
            _MS,
            price("kept_from"),
            "penalty from which no more is missed than must be; 0 where it is so already",
        ),
        "soft_least": variable(
            _MS, price("least"), "what is missed at any penalty", units_by="soft_missed_unit"
        ),
    }
    return variables


def _missed(solution: Solution, rule: Rule) -> dict[str, Any]:
    """What a rule missed in all its rows, by member."""
    tables = [rule_table(solution, row) for row in solution.period.rule_rows if row.rule is rule]
    shape = (solution.case.n_members, 0)
    volume = np.concatenate([np.zeros(shape), *(-t["slack_volume"] for t in tables)], axis=1)
    volume = np.where(volume > KEPT, volume, 0.0)
    short = np.concatenate([np.zeros(shape), *(-t["slack"] for t in tables)], axis=1)
    short = np.where(volume > 0.0, short, 0.0)
    starts = np.concatenate(
        [np.empty(0, "datetime64[ns]"), *(t["rule_start"] for t in tables)]
    ).astype("datetime64[ns]")
    units = np.concatenate([np.empty(0, object), *(t["rule_unit"] for t in tables)])
    n_windows = volume.shape[1]
    first = solution.case.timeline.starts[0].astype("datetime64[ns]")
    worst = short.argmax(axis=1) if n_windows else np.zeros(shape[0], int)
    unit = "gwh" if rule.reported_in == "gwh" else "hm3"
    return {
        "windows": n_windows,
        "broken": (volume > 0).sum(axis=1),
        "volume": volume.sum(axis=1),
        "volume_unit": unit,
        "worst": short.max(axis=1, initial=0.0),
        "unit": units[0] if n_windows else unit,
        "worst_start": starts[worst] if n_windows else np.full(shape[0], first),
    }


def _goal_of(solution: Solution, rule: Rule) -> int:
    """Place of the goal that counts a rule's penalty, or that keeps it."""
    period = solution.period
    for number, counted in period.penalties.items():
        if any(row.rule is rule for row, _ in counted):
            return number
    for number, goal in period.goals:
        if isinstance(goal, Keep) and goal.rule == rule.name:
            return number
    return period.goals[0][0]  # it has no row in this horizon


def _prices(solution: Solution, rule: Rule, goal: int) -> dict[str, np.ndarray]:
    """Shadow price of a rule with a penalty in its goal, and from which penalty it is kept."""
    n_members = solution.case.n_members
    found = {name: np.zeros(n_members) for name in ("price", "kept_from", "least")}
    if rule.soft is None or rule.soft.penalty is None:
        return found
    labels = [row.label for row in solution.period.rule_rows if row.rule is rule]
    for k in range(n_members):
        prices = _last(solution, k, goal).rule_price
        for label in labels:
            found["price"][k] = max(
                found["price"][k], float(np.abs(prices[label]).max(initial=0.0))
            )
        for asked in _asked(solution, k, rule.name):
            found["least"][k] = asked.least if asked.least > KEPT else 0.0
            found["kept_from"][k] = asked.price or 0.0
    return found


def _asked(solution: Solution, member: int, rule: str) -> Iterator[PriceOfKeeping]:
    for _, what in solution.records[member]:
        if isinstance(what, PriceOfKeeping) and what.rule == rule:
            yield what


def _last(solution: Solution, member: int, goal: int) -> StageOptimum:
    return [stage for stage in solution.stages[member] if stage.goal == goal][-1]
