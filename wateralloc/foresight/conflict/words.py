"""Sentences on why a member is infeasible, and what would mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import listed
from wateralloc.foresight.conflict.find import Change, Reasons, find_reasons
from wateralloc.foresight.conflict.names import Conflict, Side
from wateralloc.foresight.conflict.proof import SMALLEST
from wateralloc.foresight.conflict.repairs import Alternative
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.parts.reservoir import curve_of
from wateralloc.period import Period
from wateralloc.units import HM3_PER_M3

SAME = 0.01
"""Amounts that differ by less than this share are told as one."""
SHOWN = 12
"""Conflicts that are told one by one."""
PLAIN = 3
"""Sides up to which a conflict is plain: it is always told, and with all its figures."""
REPAIRS = 6
"""Alternatives that are told one by one."""
STEPS = {"day": "days", "week": "weeks", "dekad": "dekads", "month": "months"}
UNITS = {"m3s": "m3/s", "gwh": "GWh"}


def explain_infeasible(period: Period, horizon: Horizon, member: int) -> str:
    """Say which limits contradict each other, by how much, and what the least change would be."""
    reasons = find_reasons(period, horizon, member)
    if reasons.can_be_met:
        return (
            "E402 the limits by themselves can be met together: what stands against them is a "
            "decision of yes or no, or what the goals before have settled; make a rule soft"
        )
    if not reasons.conflicts and not reasons.changes:
        return (
            "E402 the water balance itself cannot close: check inflows, losses and initial storages"
        )
    groups: dict[tuple[str, ...], list[Conflict]] = {}
    for conflict in reasons.conflicts:
        names = tuple(side.text for side in conflict.sides or conflict.against)
        groups.setdefault(names, []).append(conflict)
    shown, rest = _telling(list(groups.values()))
    lines = []
    for group in shown:
        lines.append(_tell(period.case, group))
        if group[0].within is not None:
            lines.append(_tell(period.case, [group[0].within], "wider conflict"))
    hidden = [conflict for group in rest for conflict in group]
    if hidden or reasons.more > SMALLEST:
        largest = max((conflict.missed for conflict in hidden), default=reasons.more)
        among = dict.fromkeys(side.text for conflict in hidden for side in conflict.sides)
        lines.append(
            f"E402 and more conflicts, of up to {_number(max(largest, reasons.more))} hm3"
            + (f", among {listed(among, 4)}" if among else "")
        )
    lp = horizon.stack().member(member)
    lines += _tell_alternatives(period.case, lp, reasons)
    lines += [_tell_change(period.case, lp, change) for change in reasons.changes]
    lines[-1] += "; change these, make one side of each conflict soft, or relax what is against it"
    return "\n".join(lines)


def _telling(groups: list[list[Conflict]]) -> tuple[list[list[Conflict]], list[list[Conflict]]]:
    """Groups of conflicts to tell, the plainest first, and the rest.

    One of many sides is told only where it names a side that no plainer one has named.
    """
    shown: list[list[Conflict]] = []
    rest: list[list[Conflict]] = []
    named: set[str] = set()
    for group in sorted(groups, key=lambda g: (max(len(g[0].sides), PLAIN), -g[0].missed)):
        names = {side.text for side in group[0].sides or group[0].against}
        is_new = len(names) <= PLAIN or not names <= named
        (shown if is_new and len(shown) < SHOWN else rest).append(group)
        named |= names
    return shown, rest


def _tell(case: Case, alike: Sequence[Conflict], what: str = "conflict") -> str:
    """Put conflicts of the same limits into a sentence: by how much, when, who, against what."""
    conflict = alike[0]
    lead = max(conflict.sides, key=lambda s: (s.sense == ">=", abs(s.counted)), default=None)
    unit = lead.unit if lead else "hm3"
    sides = []
    # of many sides, those that weigh most have their figures, the rest are named
    by_weight = sorted(conflict.sides, key=lambda s: -abs(s.counted))
    with_figures = {id(side) for side in by_weight[:PLAIN]}
    for side in conflict.sides:
        text = side.text
        if id(side) not in with_figures:
            sides.append(text)
            continue
        # a rule on shares asks nothing by itself
        if side.limit > SMALLEST or (side.sense == "<=" and abs(side.limit) <= SMALLEST):
            verb = "asks" if side.sense == ">=" else "allows"
            text += f" {verb} {_amount(side.limit, side.unit, side.seconds)}"
        if side.gives > (1 + SAME) * conflict.missed:
            text += f" (alone it would have to give way by {_amount(side.gives, side.unit)})"
        sides.append(text)
    against = [f"{side.text} {_counted(side)}" for side in conflict.against]
    text = f"E402 {what} of {_missed(case, conflict, unit)}: " + ", ".join(sides)
    if conflict.hardly:
        text += f" (and {len(conflict.hardly)} that hardly matter)"
    if against:
        text += (", against: " if sides else "") + listed(against, 6)
    apart = _apart(alike)[1:]
    if apart:
        text += f"; and again {listed((_missed(case, other, unit) for other in apart), 6)}"
    return text


def _apart(conflicts: Sequence[Conflict]) -> list[Conflict]:
    """Conflicts that do not overlap in time, the largest first."""
    found: list[Conflict] = []
    for conflict in conflicts:
        if all(conflict.last < other.first or other.last < conflict.first for other in found):
            found.append(conflict)
    return found


def _missed(case: Case, conflict: Conflict, unit: str) -> str:
    """By how much the sides of a conflict miss each other, and when."""
    timeline = case.timeline
    first, last = timeline.starts[conflict.first], timeline.last_days[conflict.last]
    seconds = max((side.seconds for side in conflict.sides if side.unit == unit), default=0.0)
    when = f"from {first} to {last}" if first != last else f"on {first}"
    return f"{_amount(conflict.missed, unit, seconds)} {when}"


def _amount(volume: float, unit: str, seconds: float = 0.0) -> str:
    """Volume in words, with the mean flow where that is what is asked."""
    if unit == "gwh":
        return f"{_number(volume)} GWh"
    text = f"{_number(volume)} hm3"
    if unit == "m3s" and seconds:
        text += f" ({_number(volume / (seconds * HM3_PER_M3))} m3/s)"
    return text


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _counted(side: Side) -> str:
    """What a limit of the basin counts, and what it is where less of it reaches the conflict."""
    counted, limit = abs(side.counted), abs(side.limit)
    unit = side.unit if side.unit == "gwh" else ""
    if abs(counted - limit) <= SAME * max(1.0, limit):
        return _amount(limit, unit)
    if side.is_stock and side.numbers.size > 1:
        return f"(counts {_amount(counted, '')})"  # stocks of several periods do not add up
    return f"{_amount(limit, unit)} (counts {_number(counted)})"


def _tell_change(case: Case, lp: MemberProgram, change: Change) -> str:
    """Say by how much a limit gives way in the least change, and when."""
    limit, gives = change.limit, np.abs(change.gives)
    per_hm3 = np.ones(gives.size)
    if limit.unit == "m3s":
        per_hm3 = 1 / (case.timeline.seconds[limit.periods] * HM3_PER_M3)
    unit = {"m3s": "m3/s", "gwh": "GWh"}.get(limit.unit, "hm3")
    when = []
    for i in np.flatnonzero(gives > SMALLEST):
        text = f"{case.timeline.labels[limit.periods[i]]} by {gives[i] * per_hm3[i]:.4g} {unit}"
        falls = change.gives[i] > 0
        bounds = (lp.row_lower, lp.row_upper) if limit.is_row else (lp.col_lower, lp.col_upper)
        is_now = bounds[0 if falls else 1][limit.numbers[i]]
        can_be = (is_now - change.gives[i]) * per_hm3[i]
        text += (
            f" (asks {is_now * per_hm3[i]:.4g}, {can_be:.4g} can reach it)"
            if falls
            else (f" (allows {is_now * per_hm3[i]:.4g}, {can_be:.4g} is needed)")
        )
        when.append(text)
    total = _amount(gives.sum(), "gwh" if limit.unit == "gwh" else "hm3")
    return f"E402 least change: {total} of {limit.text}{limit.place}: {listed(when, 4)}"


# --- alternatives ---------------------------------------------------------------------------


def _tell_alternatives(case: Case, lp: MemberProgram, reasons: Reasons) -> list[str]:
    """A line for each limit that mends the member alone, and one for clauses that cannot."""
    shown, n_all = reasons.alternatives[:REPAIRS], len(reasons.alternatives)
    lines = [
        f"E402 repair {k} of {n_all}: {tell_alternative(case, lp, alternative)}"
        for k, alternative in enumerate(shown, 1)
    ]
    if reasons.not_alone:
        lines.append(f"E402 cannot mend it alone: {listed(reasons.not_alone, 6)}")
    return lines


def tell_alternative(case: Case, lp: MemberProgram, alternative: Alternative) -> str:
    """Say what to change, by how much, and in how many periods."""
    parts = []
    for is_down in (True, False):
        which = np.flatnonzero((alternative.gives > 0) == is_down)
        if which.size:
            amount = _spread(case, alternative, which)
            parts.append(_order(case, lp, alternative, is_down, amount, which))
    return " and ".join(parts)


def _order(
    case: Case,
    lp: MemberProgram,
    alternative: Alternative,
    is_down: bool,
    amount: str,
    which: np.ndarray,
) -> str:
    limit = alternative.limit
    if limit.kind == "balance":
        return f"{'raise' if is_down else 'lower'} {limit.text()} by {amount}"
    if limit.kind == "initial" and limit.name == "storage_start":
        now = float(lp.col_lower[alternative.numbers[which[0]]])
        level = _level(case, limit.item, now, now - float(alternative.gives[which[0]]))
        more = "less" if is_down else "more"
        return f"fill reservoir '{limit.item}' by {amount}{level} {more} at the start"
    if limit.rule is not None:
        text = f"{limit.rule.kind} '{limit.rule.name}'{alternative.place}"
    else:
        is_bound = limit.kind in ("lower", "upper")
        kind = "lower" if is_down else "upper"
        text = (replace(limit, kind=kind) if is_bound else limit).text()
    return f"{'lower' if is_down else 'raise'} {text} by {amount}"


def _spread(case: Case, alternative: Alternative, which: np.ndarray) -> str:
    """How much gives way in one period or window, in how many, and in all."""
    unit = UNITS.get(alternative.unit, "hm3")
    of_each = np.abs(alternative.gives[which])
    total = of_each.sum()
    shown = of_each.copy()
    if alternative.unit == "m3s":
        seconds = [case.timeline.seconds[list(alternative.periods[k])].sum() for k in which]
        shown = shown / (np.array(seconds) * HM3_PER_M3)
    in_all = "" if which.size == 1 and unit != "m3/s" else f" ({_number(total)} hm3)"
    if alternative.unit == "gwh":
        in_all = "" if which.size == 1 else f" ({_number(total)} GWh)"
    if alternative.limit.kind == "initial":
        return f"{_number(float(total))} hm3"
    if which.size == 1:
        periods = alternative.periods[which[0]]
        timeline = case.timeline
        first, last = timeline.starts[periods[0]], timeline.last_days[periods[-1]]
        when = f"on {first}" if first == last else f"from {first} to {last}"
        return f"{_number(float(shown[0]))} {unit} {when}{in_all}"
    is_single = all(len(alternative.periods[k]) == 1 for k in which)
    steps = STEPS[case.timeline.step] if is_single else "windows"
    return f"up to {_number(float(shown.max()))} {unit} in {which.size} {steps}{in_all}"


def _level(case: Case, reservoir: str, before: float, after: float) -> str:
    """By how much the level of a reservoir changes, in brackets; empty where it has no curve."""
    curve = curve_of(case.basin, reservoir)
    if curve is None or not curve.has("level"):
        return ""
    low, high = (float(curve.level(np.array([s]))[0]) for s in (before, after))
    return f" ({_number(abs(high - low))} m)"
