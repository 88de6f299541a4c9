"""Compare policies: what each gives to whom, and which clauses make the difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from wateralloc.case import Case, read_case
from wateralloc.comparison.courses import Course, course_of, rule_table, side_by_side
from wateralloc.comparison.differences import Difference, differences
from wateralloc.comparison.figures import Figure, days_of, figures_of
from wateralloc.comparison.policies import (
    Policy,
    Progress,
    Source,
    check_alike,
    read_policies,
    run_policies,
)
from wateralloc.comparison.yardsticks import (
    KINDS,
    FlowAtSection,
    Yardstick,
    clause_of,
    rules_of,
    sections_of,
)
from wateralloc.errors import Fault, Findings, InputError, Position, listed, or_do, suggest

__all__ = ["Comparison", "compare"]

REFERENCE = "none"
"""The policy with which the others are compared, where it is there."""
STORAGE_ON = ("05-01",)
UNITS = {
    "1": "", "hm3": "_hm3", "hm3/year": "_hm3_year", "GWh": "_gwh", "GWh/year": "_gwh_year",
    "million": "_million", "million/year": "_million_year",
}  # fmt: skip
"""How the name of a column ends, by the unit."""
COMPARED = ("basin", "region", "sector", "region_sector", "yardstick")
"""Scopes that stand in the wide table."""


@dataclass(frozen=True)
class Comparison:
    """Policies side by side.

    Attributes
    ----------
    reference : policy with which the others are compared
    members : hydrologies over which the figures are
    policies : DataFrame
        One row a policy: `title_en`, `title_vi`, `solved` (True: it was run now, not read),
        `mended` (limits gave way in some member: it is not the case as it is written).
    figures : DataFrame
        One row a policy and figure: `policy`, `measure`, `scope`, `name`, `unit`, `mean` over the
        members (of a ratio that of the sums), `worst` value, `worst_member`, `change` of the mean
        against the reference; `mean_of` and `worst_of` name the province of
        `worst_province_satisfaction`.  A volume is per year unless the horizon is shorter.
    by_member : DataFrame
        The same figures of each member, `value` in `unit`.
    differences : DataFrame
        One row a clause that is otherwise in a policy than in the reference: `policy`, `part`
        (rule, goal, setting), `clause`, `change` (added, removed, changed), `before`, `after`.
    names : DataFrame
        Words for regions, provinces, sectors, nodes and yardsticks: `scope`, `name`, `en`, `vi`.
    rules : DataFrame
        One row a policy and rule of its own: `policy`, `rule`, `kind`, `kept` (share of its periods
        or windows, over all members), `missed` (largest shortfall) in `unit`.
    courses : Dataset
        `storage` [hm3] (policy, edge, reservoir) at the boundaries of periods, and `flow` [m3/s]
        (policy, time, node) that the river carries on past control points and past those whose flow
        or level a rule or rating names: means over the members.

    Examples
    --------
    >>> comparison = wateralloc.compare(["baseline", "pilot_sharing"])  # doctest: +SKIP
    >>> comparison.table()["region.red_river_delta.deficit_hm3_year"]  # doctest: +SKIP
    """

    reference: str
    members: tuple[str, ...]
    policies: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    by_member: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    names: pd.DataFrame = field(repr=False)
    rules: pd.DataFrame = field(repr=False)
    courses: xr.Dataset = field(repr=False)

    def table(self) -> pd.DataFrame:
        """Policies in rows, figures in columns, each the mean over the members.

        A column is named by its measure with the unit, before it scope and name where it is not of
        the whole basin: ``region.red_river_delta.deficit_hm3_year``.  ``worst_member`` is the one
        whose deficit is the largest, and ``change.…`` is against the reference.
        """
        columns: dict[str, dict[str, Any]] = {}
        for row in self.figures[self.figures["scope"].isin(COMPARED)].itertuples(index=False):
            is_whole = row.scope == "basin" and row.name == "all"
            measure = row.measure + UNITS.get(row.unit, f"_{row.unit}")
            key = measure if is_whole else f"{row.scope}.{row.name}.{measure}"
            columns.setdefault(key, {})[row.policy] = row.mean
            if row.measure == "worst_province_satisfaction":
                columns.setdefault("worst_province", {})[row.policy] = row.mean_of
            if is_whole and row.measure == "deficit":
                columns.setdefault("worst_member", {})[row.policy] = row.worst_member
                columns.setdefault(f"worst_member.{measure}", {})[row.policy] = row.worst
            if row.scope == "region" and row.measure in ("deficit", "value"):
                columns.setdefault(f"change.{key}", {})[row.policy] = row.change
        return pd.DataFrame(columns, index=self.policies.index)


def compare(
    cases: Iterable[Source],
    *,
    changes: Mapping[str, str] | None = None,
    results: Path | str = "results",
    reference: str = "",
    members: Sequence[str] = (),
    kept: Sequence[str] = (),
    yardsticks: Sequence[str] = (),
    storage_on: Sequence[str] = STORAGE_ON,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Compare policies, and run those that have not been run.

    A case that is named, or whose path is given, is run unless its folder in `results` has a result
    of the same inputs, options, versions and code; what is run is written there.  A folder of
    results is taken as it is.  A case in memory is run and not written.

    Parameters
    ----------
    cases : names or paths of cases, folders of results, cases and results in memory
    changes : settings in place of those of every case, by dotted key
    results : folder in which each case has its results, by its name
    reference : name of the policy with which the others are compared; default: the one called
        ``none``, else the first
    members : only these hydrologies; default: all, which must be the same in all policies
    kept : flows at sections whose keeping is measured: ``NODE:M3S`` or ``NODE:M3S@MM-DD..MM-DD``
    yardsticks : ``CASE``, whose rules of minimum delivery and level are measured on every policy,
        or ``CASE:RULE``; default, where `kept` is empty too: such rules that some of the policies
        have and not all
    storage_on : days of the year, MM-DD, on whose start the storage is read
    jobs : processes that run cases side by side
    progress : called after each member with the number done and the number in all

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        With every fault of all cases; or they differ in basin, timeline or members.
    Infeasible, SolveError
        With every case that could not be solved; the results of the others are kept.

    Examples
    --------
    >>> import wateralloc
    >>> comparison = wateralloc.compare(["baseline", "pilot_sharing"], jobs=2)
    ... # doctest: +SKIP
    """
    policies = read_policies(cases, changes or {}, Path(results))
    reference = _find_reference(reference, policies)
    check_alike(policies, members)
    chosen = tuple(members) or policies[0].frame.members
    flows = _check_words(kept, storage_on)
    measured: list[Yardstick] = [*flows]
    if yardsticks:
        measured += _named_yardsticks(yardsticks, policies, chosen, changes or {})
    elif not kept:
        measured += _own_yardsticks(policies, chosen)
    run_policies(policies, jobs, progress)
    found: dict[str, list[Figure]] = {}
    titles: dict[str, tuple[str, str, bool, bool]] = {}
    resolved: dict[str, Mapping[str, Any]] = {}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    courses: dict[str, Course] = {}
    rules: list[pd.DataFrame] = []
    for policy in policies:
        of_policy = policy.read()
        dataset = of_policy.dataset.sel(member=list(chosen))
        _check_dataset(dataset, flows, storage_on, policy.at)
        found[policy.name] = figures_of(dataset, measured, storage_on)
        title = of_policy.manifest["title"]
        mended = bool(of_policy.manifest.get("mended"))
        titles[policy.name] = (title["en"], title["vi"], policy.is_solved, mended)
        resolved[policy.name] = _plain_case(policy, of_policy.manifest["resolved"])
        names |= _names(dataset)
        courses[policy.name] = course_of(dataset)
        rules.append(rule_table(dataset, policy.name))
        if policy.folder is not None:
            policy.results = None  # one dataset at a time is enough
    return Comparison(
        reference,
        chosen,
        pd.DataFrame.from_dict(
            titles, orient="index", columns=["title_en", "title_vi", "solved", "mended"]
        ),
        _figures(found, reference, chosen),
        _by_member(found, chosen),
        _differences(resolved, reference),
        pd.DataFrame(
            [(*key, *words) for key, words in names.items()], columns=["scope", "name", "en", "vi"]
        ),
        pd.concat(rules, ignore_index=True),
        side_by_side(courses),
    )


# --- what is asked ------------------------------------------------------------------------------


def _find_reference(name: str, policies: Sequence[Policy]) -> str:
    known = [policy.name for policy in policies]
    if not name:
        return REFERENCE if REFERENCE in known else known[0]
    if name not in known:
        text = f"no policy is called '{name}'" + or_do(
            suggest(name, known), f"policies are {listed(known, 30)}"
        )
        raise InputError([Fault(Position("--reference"), "E303", text)])
    return name


def _check_words(kept: Sequence[str], dates: Sequence[str]) -> list[FlowAtSection]:
    """Read the flows at sections and check the dates; all faults at once."""
    findings = Findings()
    flows = []
    for text in kept:
        try:
            flows.append(FlowAtSection.read(text))
        except InputError as error:
            findings.faults += [(fault, InputError) for fault in error.faults]
    for date in dates:
        try:
            if not re.fullmatch(r"\d\d-\d\d", date):
                raise ValueError
            np.datetime64(f"2000-{date}")
        except ValueError:
            text = f"'{date}' is not a day of the year; write MM-DD, as 05-01"
            findings.add(Position("--storage-on"), "E213", text, InputError)
    findings.raise_if_any()
    return flows


def _check_dataset(
    dataset: xr.Dataset, flows: Sequence[FlowAtSection], dates: Sequence[str], at: Position
) -> None:
    """Check that a result has the sections and dates that are asked for."""
    faults = [fault for flow in flows for fault in flow.check(sections_of(dataset))]
    for date in dates:
        # the day that is read unless another is named may lie outside
        if date not in STORAGE_ON and not days_of(dataset, date).size:
            bounds = dataset["time_bnds"].values.astype("datetime64[D]")
            text = (
                f"{date} is not within the periods of {at}, {bounds[0, 0]} to {bounds[-1, 1]}; "
                "name another day"
            )
            faults.append(Fault(Position("--storage-on"), "E303", text))
    if faults:
        raise InputError(faults)


def _named_yardsticks(
    texts: Sequence[str],
    policies: Sequence[Policy],
    members: Sequence[str],
    changes: Mapping[str, str],
) -> list[Yardstick]:
    """Yardsticks that are named: CASE, or CASE:RULE."""
    findings = Findings()
    wanted: dict[str, tuple[Case, dict[str, str]]] = {}
    for text in texts:
        name, colon, rule = text.rpartition(":")
        if not colon or Path(text).is_file():
            name, rule = text, ""
        try:
            case = _case_of(name, text, policies, members, changes)
            rules = _rules_named(case, rule, text)
        except InputError as error:
            findings.faults += [(fault, InputError) for fault in error.faults]
            continue
        wanted.setdefault(case.name, (case, {}))[1].update({r: r for r in rules})
    findings.raise_if_any()
    return _label(wanted, members)


def _case_of(
    name: str,
    text: str,
    policies: Sequence[Policy],
    members: Sequence[str],
    changes: Mapping[str, str],
) -> Case:
    at = Position(f"--yardstick {text}")
    own = next((policy for policy in policies if policy.name == name), None)
    if own is not None:
        if own.case is None:
            what = f"'{name}' is a result, whose rules are not known; name the case"
            raise InputError([Fault(at, "E303", what)])
        return own.case
    case = read_case(name, changes)
    check_alike([policies[0], Policy(case.name, at, case)], members)
    return case


def _rules_named(case: Case, rule: str, text: str) -> list[str]:
    at = Position(f"--yardstick {text}")
    names = [r.name for r in case.rules]
    if rule:
        if rule not in names:
            what = f"case '{case.name}' has no rule '{rule}'" + or_do(
                suggest(rule, names), f"its rules are {listed(names) or 'none'}"
            )
            raise InputError([Fault(at, "E311", what)])
        return [rule]
    found = [r.name for r in case.rules if r.kind in KINDS]
    if not found:
        what = (
            f"case '{case.name}' has no rule of {' or '.join(KINDS)}; name one of its rules as "
            f"{case.name}:RULE, or another case"
        )
        raise InputError([Fault(at, "E303", what)])
    return found


def _own_yardsticks(policies: Sequence[Policy], members: Sequence[str]) -> list[Yardstick]:
    """Rules of delivery and level that some of the policies have and not all."""
    having = [(p.case, p.name) for p in policies if p.case is not None]
    counts: dict[str, int] = {}
    for case, _ in having:
        for clause in {clause_of(rule, case) for rule in case.rules if rule.kind in KINDS}:
            counts[clause] = counts.get(clause, 0) + 1
    wanted: dict[str, tuple[Case, dict[str, str]]] = {}
    for case, name in having:
        for rule in case.rules:
            clause = clause_of(rule, case) if rule.kind in KINDS else ""
            if 0 < counts.pop(clause, 0) < len(policies):
                wanted.setdefault(name, (case, {}))[1][rule.name] = rule.name
    return _label(wanted, members)


def _label(
    wanted: Mapping[str, tuple[Case, dict[str, str]]], members: Sequence[str]
) -> list[Yardstick]:
    """Make the yardsticks; a rule's name that two cases have is told apart by the case's."""
    names = [name for _, rules in wanted.values() for name in rules]
    found: list[Yardstick] = []
    for policy, (case, rules) in wanted.items():
        labels = {r: f"{r} ({policy})" if names.count(r) > 1 else r for r in rules}
        found += rules_of(case, members, labels)
    return found


# --- what came of it ----------------------------------------------------------------------------


def _figures(
    found: Mapping[str, list[Figure]], reference: str, members: Sequence[str]
) -> pd.DataFrame:
    base = {(f.measure, f.scope, f.name): f.mean for f in found[reference]}
    rows = [
        (
            policy, f.measure, f.scope, f.name, f.unit, f.mean, f.mean_of, float(f.values[f.worst]),
            members[f.worst], f.of[f.worst] if f.of else "",
            f.mean - base.get((f.measure, f.scope, f.name), np.nan),
        )
        for policy, figures in found.items()
        for f in figures
    ]  # fmt: skip
    columns = [
        "policy", "measure", "scope", "name", "unit", "mean", "mean_of", "worst", "worst_member",
        "worst_of", "change",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _by_member(found: Mapping[str, list[Figure]], members: Sequence[str]) -> pd.DataFrame:
    rows = [
        (policy, member, f.measure, f.scope, f.name, f.unit, float(value))
        for policy, figures in found.items()
        for f in figures
        for member, value in zip(members, f.values, strict=True)
    ]
    columns = ["policy", "member", "measure", "scope", "name", "unit", "value"]
    return pd.DataFrame(rows, columns=columns)


def _differences(resolved: Mapping[str, Mapping[str, Any]], reference: str) -> pd.DataFrame:
    rows = [
        (policy, *difference)
        for policy, case in resolved.items()
        if policy != reference
        for difference in differences(resolved[reference], case)
    ]
    return pd.DataFrame(rows, columns=["policy", *Difference._fields])


def _plain_case(policy: Policy, resolved: Mapping[str, Any]) -> Mapping[str, Any]:
    """The case as plain data; of one built in code that of its rules and goals."""
    case = policy.case
    if resolved or case is None:
        return resolved
    return {
        "rules": [
            {"rule": rule.kind, **rule.model_dump(mode="json", exclude_defaults=True)}
            for rule in case.rules
        ],
        "goals": [
            {str(goal.kind): goal.model_dump(mode="json", exclude_defaults=True)}
            for goal in case.goals
        ],
    }


def _names(dataset: xr.Dataset) -> dict[tuple[str, str], tuple[str, str]]:
    columns = (dataset[f"word_{column}"].values for column in ("of", "name", "en", "vi"))
    return {
        (str(of), str(name)): (str(en), str(vi))
        for of, name, en, vi in zip(*columns, strict=True)
        if of in ("region", "province", "sector", "node")
    }
