"""Which limits of a member contradict each other, and the least change that leaves none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wateralloc.errors import SolveError
from wateralloc.foresight.conflict.names import Conflict, Namer
from wateralloc.foresight.conflict.proof import (
    SMALLEST,
    components,
    elements_of,
    freed,
    joined,
    whole_proof,
)
from wateralloc.foresight.conflict.repairs import Alternative, find_alternatives
from wateralloc.foresight.limits import place_of
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period, RuleRow
from wateralloc.rules import Rule
from wateralloc.solve import Repair, least_repair

log = logging.getLogger(__name__)

MOST = 60
"""Conflicts that are taken apart."""
OF_ONE = 4
"""Conflicts that are taken apart of what hangs together by its water; behind others, half of it."""
TIE = 1e-6
"""Repairs whose volumes differ by less than this share are as small."""
ROUNDS = 20
"""Programs that are solved to find what stands behind the conflicts found first."""


@dataclass(frozen=True)
class Elastic:
    """A limit that could give way: rows or columns of the program, one a period or window.

    Attributes
    ----------
    text, text_vi : what it is, without its place in the case
    numbers : rows (or columns) of the program
    periods : first period of each
    unit : ``hm3``, ``m3s`` or ``gwh``: what it is told in
    rule : the rule, where it is one
    place : where that stands, in brackets after a space
    """

    text: str
    text_vi: str
    is_row: bool
    numbers: np.ndarray
    periods: np.ndarray
    unit: str = "hm3"
    rule: Rule | None = None
    place: str = ""


@dataclass(frozen=True)
class Change:
    """What gives way in the least repair: amounts [hm3, or GWh] of the rows or columns of a limit.

    `gives` is positive where the limit must fall, negative where it must rise.
    """

    limit: Elastic
    gives: np.ndarray


@dataclass(frozen=True)
class Reasons:
    """Why a member is infeasible."""

    conflicts: tuple[Conflict, ...]
    changes: tuple[Change, ...]
    more: float = 0.0
    """Volume of the conflicts that were not taken apart."""
    can_be_met: bool = False
    """The linear program of the limits has a solution."""
    alternatives: tuple[Alternative, ...] = ()
    """What could mend it alone, the least first: clauses, then limits of the basin."""
    not_alone: tuple[str, ...] = ()
    """Clauses that take part but cannot mend it alone."""


def find_reasons(period: Period, horizon: Horizon, member: int) -> Reasons:
    """Find the conflicts of a member, and the least change that leaves none.

    The least total volume is sought by which hard rules would have to give way together; if no
    amount of theirs helps, the environmental flows too; if that does not help, the limits of
    storages and links; then whatever has a limit.  Where one clause alone would do with as little,
    the change is that of the one.
    """
    lp = horizon.stack().member(member)
    namer = Namer(period, horizon, lp, member)
    limits: list[Elastic] = []
    tiers = limits_in_tiers(period, horizon)
    for tier in tiers:
        limits += tier
        repair = repair_of(lp, limits)
        if repair is not None:
            break
    else:
        return Reasons((), ())
    if max(np.abs(repair.by_row).sum(), np.abs(repair.by_column).sum()) <= SMALLEST:
        return Reasons((), (), can_be_met=True)
    conflicts, more = _take_apart(lp, repair, namer)
    conflicts = _distinct(conflicts)
    if len(limits) == len(tiers[0]):
        conflicts += _behind(lp, limits, conflicts, namer)
    conflicts.sort(key=lambda c: (-c.missed, c.first))
    alternatives, not_alone = find_alternatives(lp, namer, conflicts)
    changes = changes_of(limits, repair)
    least = sum(float(np.abs(change.gives).sum()) for change in changes)
    as_small = [a for a in alternatives if a.volume <= least * (1 + TIE) + SMALLEST]
    return Reasons(
        tuple(conflicts),
        tuple(_by_one(limits, as_small) or changes),
        more,
        alternatives=tuple(alternatives),
        not_alone=tuple(not_alone),
    )


# --- least repair ---------------------------------------------------------------------------


def limits_in_tiers(period: Period, horizon: Horizon) -> list[list[Elastic]]:
    """What may give way, in the order in which it is to: rules, flows, works, and the rest."""
    m, case = period.model, period.case
    every = np.arange(case.n_periods)
    rules = [
        Elastic(
            f"{row.rule.kind} '{row.label}'",
            f"{row.rule.kind} '{row.label}'",
            True,
            horizon.rows[id(row.constraint)],
            horizon.row_periods(row.constraint),
            _unit_of(row, horizon),
            row.rule,
            place_of(case, row.rule),
        )
        for row in period.rule_rows
        if not row.rule.soft
    ]
    flows = [
        Elastic(
            f"environmental flow '{name}'", f"dòng chảy tối thiểu '{name}'",
            True, horizon.rows[id(row)], every, "m3s",
        )
        for name, row in m.environmental_flow.items()
    ]  # fmt: skip
    works = [
        Elastic(
            f"{text} '{item}'", f"{text_vi} '{item}'",
            False, horizon.columns[id(variable[item])], every, unit,
        )
        for items, variable, text, text_vi, unit in (
            (m.reservoir, m.storage_end, "storage limits of", "giới hạn dung tích của hồ", "hm3"),
            (m.aquifer, m.aquifer_end, "storage limits of", "giới hạn trữ lượng của", "hm3"),
            (m.link, m.flow, "limits of link", "giới hạn lưu lượng của", "m3s"),
        )
        for item in items
    ]  # fmt: skip
    known = {id(row.constraint) for row in period.rule_rows} | {
        id(row) for row in m.environmental_flow.values()
    }
    others = [
        Elastic(
            f"row '{c.name}'", f"ràng buộc '{c.name}'",
            True, horizon.rows[id(c)], horizon.row_periods(c),
        )
        for c in horizon.constraints
        if id(c) not in known
    ]  # fmt: skip
    return [rules, flows, works, others]


def _unit_of(row: RuleRow, horizon: Horizon) -> str:
    """What a row is told in: a flow only where no window has several periods."""
    order, starts = horizon.windows(row.constraint)
    is_single = order.size == starts.size
    return row.rule.reported_in if row.rule.reported_in != "m3s" or is_single else "hm3"


def repair_of(lp: MemberProgram, limits: Sequence[Elastic]) -> Repair | None:
    """Least repair by limits that may give way; None where no amount helps."""
    try:
        return least_repair(
            lp,
            joined(limit.numbers for limit in limits if limit.is_row),
            joined(limit.numbers for limit in limits if not limit.is_row),
        )
    except SolveError as error:  # no proof is better than a wrong one
        log.debug("%s", error)
        return None


def changes_of(limits: Sequence[Elastic], repair: Repair) -> list[Change]:
    """What gives way, the largest first."""
    ordered = [k for k in limits if k.is_row] + [k for k in limits if not k.is_row]
    amounts = np.concatenate([repair.by_row, repair.by_column])
    amounts[np.abs(amounts) <= SMALLEST] = 0.0
    ends = np.cumsum([limit.numbers.size for limit in ordered])
    found = [
        Change(limit, gives)
        for limit, gives in zip(ordered, np.split(amounts, ends)[:-1], strict=True)
        if gives.any()
    ]
    return sorted(found, key=lambda change: (-np.abs(change.gives).sum(), change.limit.text))


def _by_one(limits: Sequence[Elastic], alternatives: Sequence[Alternative]) -> list[Change]:
    """The changes of the first alternative that is a clause; none without one."""
    for alternative in alternatives:
        if not alternative.is_physical:
            given = dict(zip(alternative.numbers.tolist(), alternative.gives, strict=True))
            found = [
                Change(limit, np.array([given.get(int(n), 0.0) for n in limit.numbers]))
                for limit in limits
                if limit.is_row
            ]
            return [change for change in found if change.gives.any()]
    return []


def _behind(
    lp: MemberProgram, limits: Sequence[Elastic], found: Sequence[Conflict], namer: Namer
) -> list[Conflict]:
    """Conflicts that the least repair settles beside others, and so does not show.

    Of each conflict one rule is left out, first the first of each, then the second, and so on, and
    what then still cannot be met is taken apart too.
    """
    known = list(found)
    rounds = 0
    place = 0
    while place < max((len(conflict.rules) for conflict in known), default=0):
        if all(len(conflict.rules) == 1 for conflict in known):
            break  # all that gives way is left out already
        out = {c.rules[place % len(c.rules)].rule.name for c in known if c.rules}
        less = freed(lp, namer.rows_of(out), np.empty(0, int))
        repair = repair_of(less, limits) if rounds < ROUNDS else None
        rounds += 1
        if repair is None:
            break
        new = _distinct([*known, *_take_apart(less, repair, namer, OF_ONE // 2)[0]])[len(known) :]
        known += new
        if not new:
            place += 1
    return known[len(found) :]


def _distinct(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Conflicts, of those with the same limits the first, within the widest of all."""
    found: dict[frozenset[int], Conflict] = {}
    for conflict in conflicts:
        first = found.setdefault(conflict.key, conflict)
        wide = [c.within for c in (first, conflict) if c.within is not None]
        widest = max(wide, key=lambda c: c.missed, default=None)
        found[conflict.key] = replace(first, within=widest)
    return list(found.values())


# --- taking a proof apart -------------------------------------------------------------------


def _take_apart(
    lp: MemberProgram, repair: Repair, namer: Namer, of_one: int = OF_ONE
) -> tuple[list[Conflict], float]:
    """Conflicts that a repair proves, and the volume of those that are not taken apart."""
    by_rows = lp.matrix.tocsr()
    conflicts: list[Conflict] = []
    more = 0.0
    for part in components(by_rows, whole_proof(by_rows, repair)):
        proofs, left = elements_of(lp, by_rows, part, min(of_one, MOST - len(conflicts)))
        conflicts += [namer.conflict(proof) for proof in proofs]
        more += left
    return conflicts, more
