"""What a rule costs and whom: by its prices, and by the same case without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc import job
from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, or_do, suggest
from wateralloc.explanation.ask import check_member, read
from wateralloc.foresight.perfect import Progress
from wateralloc.results import Results
from wateralloc.rules import Rule

LESS = 0.01
"""Share of what a rule asks by which prices tell what less of it would give."""
SCOPES = ("region", "sector")
"""By what deficits are told, beside the whole basin."""


@dataclass(frozen=True)
class RuleCost:
    """What a rule costs, over the horizon and as a mean over the members.

    Attributes
    ----------
    members : hydrologies over which the figures are
    by_price : DataFrame
        One row a goal that the rule binds first in some member: `goal` (place), `name`, `unit`,
        `gain` (what the goal would gain if the rule asked :data:`LESS` less of what it asks, or
        allowed so much more, by the duals), `members` (in how many it binds this goal first),
        `windows` (mean number of windows with a price).
    figures : DataFrame
        One row a figure: `measure` (deficit, energy, energy_value, benefit), `scope`, `name`,
        `unit`, `with_rule`, `without`, and `cost`: deficit that the rule adds, or what it takes
        from the others.
    goals : DataFrame
        One row a goal: `goal`, `name`, `unit`, `sense`, `with_rule`, `without`.
    """

    case: Case = field(repr=False)
    rule: Rule
    members: tuple[str, ...]
    by_price: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    goals: pd.DataFrame = field(repr=False)


def rule_cost(
    source: Case | str | Path,
    rule: str,
    *,
    member: str = "",
    changes: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> RuleCost:
    """Say what a rule costs and whom.

    Parameters
    ----------
    source : a case in memory, its path or name, or the folder of a result
    rule : its name in the case
    member : only this hydrology; default: all, as a mean
    changes : settings in place of those of the case, by dotted key
    progress : called with the number of members done and in all

    Raises
    ------
    InputError
        The case has no such rule or member.
    Infeasible
        The case has no solution with the rule.
    SolveError

    Examples
    --------
    >>> from wateralloc.explanation import rule_cost
    >>> cost = rule_cost("pilot_dry_year", "delta_dry_season")  # doctest: +SKIP
    >>> cost.figures.query("scope == 'region'")  # doctest: +SKIP
    """
    case, results = read(source, changes or {})
    own = _find(case, rule)
    if member:
        check_member(case, member)
        k = [m.name for m in case.members].index(member)
        case, results = case.with_members([k]), None
    total = case.n_members * (1 if results else 2)

    def tell(n_before: int) -> Progress:
        return lambda done, _: progress(n_before + done, total) if progress else None

    if results is None:
        results = job.run(case, progress=tell(0), ranges=False)
    without = job.run(without_rule(case, own), ranges=False, progress=tell(total - case.n_members))
    datasets = results.dataset, without.dataset
    return RuleCost(
        case,
        own,
        tuple(m.name for m in case.members),
        _by_price(datasets[0], rule),
        pd.DataFrame(_figures(*datasets), columns=_FIGURES),
        _goals(results, without, rule),
    )


_FIGURES = ["measure", "scope", "name", "unit", "with_rule", "without", "cost"]


def without_rule(case: Case, rule: Rule) -> Case:
    """The same case without a rule."""
    kept = [(r, p) for r, p in zip(case.rules, case.rule_positions, strict=True) if r is not rule]
    return replace(
        case,
        rules=tuple(r for r, _ in kept),
        rule_positions=tuple(p for _, p in kept),
    )


def _find(case: Case, name: str) -> Rule:
    for rule in case.rules:
        if rule.name == name:
            return rule
    names = [rule.name for rule in case.rules]
    near = or_do(suggest(name, names), f"its rules are {listed(names, 30) or 'none'}")
    text = f"case '{case.name}' has no rule '{name}'{near}"
    raise CaseError([Fault(Position("--rule"), "E380", text)])


def _by_price(dataset: xr.Dataset, rule: str) -> pd.DataFrame:
    """What a little less of the rule would give each goal that it binds first."""
    rows = np.flatnonzero(dataset["rule_clause"].values == rule)
    price = dataset["shadow_price"].values[:, rows]
    stage = dataset["shadow_price_stage"].values[:, rows]
    gain = price * np.abs(dataset["required"].values[:, rows]) * LESS
    table = pd.DataFrame(
        {
            "member": dataset["stage_member"].values,
            "number": dataset["stage_number"].values,
            "goal": dataset["stage_goal"].values,
            "name": dataset["stage_name"].values,
            "unit": dataset["stage_unit"].values,
            "scale": dataset["stage_value_scale"].values,
        }
    )
    found: dict[int, dict[str, float]] = {}
    words: dict[int, tuple[str, str]] = {}
    for k, member in enumerate(dataset["member"].values):
        of_member = table[table["member"] == member].set_index("number")
        seen = set()
        for number in np.unique(stage[k][stage[k] > 0]):
            row, here = of_member.loc[int(number)], stage[k] == number
            goal = int(row["goal"])
            words.setdefault(goal, (str(row["name"]).partition(", round ")[0], str(row["unit"])))
            sums = found.setdefault(goal, {"gain": 0.0, "members": 0, "windows": 0.0})
            sums["gain"] += float(gain[k][here].sum() * row["scale"])
            sums["windows"] += int(here.sum())
            sums["members"] += goal not in seen
            seen.add(goal)
    n_members = dataset.sizes["member"]
    rows_ = [
        (goal, *words[goal], of["gain"] / n_members, of["members"], of["windows"] / n_members)
        for goal, of in sorted(found.items())
    ]
    return pd.DataFrame(rows_, columns=["goal", "name", "unit", "gain", "members", "windows"])


def _figures(before: xr.Dataset, after: xr.Dataset) -> Iterator[tuple[object, ...]]:
    def mean(dataset: xr.Dataset, name: str, which: np.ndarray | None = None) -> float:
        values = dataset[name].transpose("member", "time", ...).values
        values = values if which is None else values[:, :, which]
        return float(values.reshape(values.shape[0], -1).sum(axis=1).mean())

    def row(
        measure: str, scope: str, name: str, unit: str, variable: str, which: np.ndarray | None
    ) -> tuple[object, ...]:
        of = [mean(dataset, variable, which) for dataset in (before, after)]
        cost = of[0] - of[1] if measure == "deficit" else of[1] - of[0]
        return measure, scope, name, unit, *of, cost

    yield row("deficit", "basin", "all", "hm3", "deficit", None)
    for scope in SCOPES:
        label = before[scope].values
        for name in dict.fromkeys(label):
            if name:
                yield row("deficit", scope, str(name), "hm3", "deficit", label == name)
    if before.sizes.get("plant", 0):
        yield row("energy", "basin", "all", "GWh", "energy", None)
        if before["energy_value"].values.any():
            yield row("energy_value", "basin", "all", "million", "energy_value", None)
    if before["benefit"].values.any():
        yield row("benefit", "basin", "all", "million", "benefit", None)


def _goals(before: Results, after: Results, rule: str) -> pd.DataFrame:
    """Last optimum of each goal, with and without the rule, as a mean over the members."""
    with_rule, without = (_optima(results) for results in (before, after))
    # without a soft rule its own goal is gone, and those after it stand one place further up
    pairs = zip(
        [(place, of) for place, of in with_rule.items() if of[0] != f"keep {rule}"],
        without.values(),
        strict=True,
    )
    rows = [
        (place, name, unit, sense, float(np.mean(optima)), float(np.mean(others)))
        for (place, (name, unit, sense, optima)), (_, _, _, others) in pairs
    ]
    columns = ["goal", "name", "unit", "sense", "with_rule", "without"]
    return pd.DataFrame(rows, columns=columns)


def _optima(results: Results) -> dict[int, tuple[str, str, str, list[float]]]:
    """Name, unit, sense and last optimum in each member of every goal, by its place."""
    found: dict[int, tuple[str, str, str, list[float]]] = {}
    for stages in results.manifest["stages"].values():
        for s in {s["goal"]: s for s in stages}.values():
            name = str(s["name"]).partition(" ")[2]
            of_goal = found.setdefault(s["goal"], (name, s["unit"], s["sense"], []))
            of_goal[3].append(s["kept"])
    return dict(sorted(found.items()))
