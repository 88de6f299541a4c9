"""What could mend a member alone: a clause of the case, or a limit of the basin."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wateralloc.errors import SolveError
from wateralloc.foresight.conflict.names import OF_ENERGY, Conflict, Namer, Side
from wateralloc.foresight.conflict.proof import SMALLEST, joined
from wateralloc.foresight.limits import Limit, place_of
from wateralloc.horizon import MemberProgram
from wateralloc.solve import Repairs

log = logging.getLogger(__name__)

FLOWS = ("flow", "outflow", "drawn")
"""Variables whose limits are told as flows."""
PHYSICAL = 4
"""Limits of the basin that are tried."""
COLUMNS = ("initial", "upper", "lower")
"""Kinds of limits that are those of columns."""


@dataclass(frozen=True)
class Alternative:
    """The least by which one clause, or one limit of the basin, mends a member alone.

    Attributes
    ----------
    limit : what gives way; of a rule, all its rows
    place : where the rule stands, in brackets after a space
    is_row, numbers : rows (or columns) of the program that give way
    gives : amounts [hm3, or GWh], positive where the limit must fall, negative where it must rise
    unit : ``hm3``, ``m3s`` or ``gwh``: what it is told in
    periods : those of each
    """

    limit: Limit
    place: str
    is_row: bool
    numbers: np.ndarray
    gives: np.ndarray
    unit: str
    periods: tuple[tuple[int, ...], ...]

    @property
    def is_physical(self) -> bool:
        """Whether works or water would have to change, not a clause."""
        return not _is_clause(self.limit)

    @property
    def volume(self) -> float:
        """What gives way in all [hm3, or GWh]."""
        return float(np.abs(self.gives).sum())


def find_alternatives(
    lp: MemberProgram, namer: Namer, conflicts: Sequence[Conflict]
) -> tuple[list[Alternative], list[str]]:
    """Find what mends a member alone, and by how little; and the clauses that cannot.

    Only what takes part in every conflict can: another one would be left.

    Returns
    -------
    alternatives : clauses by their volume, then limits of the basin by theirs
    not_alone : names of the clauses that cannot
    """
    found: dict[tuple[str, str], Limit] = {}
    others: dict[tuple[str, str], Limit] = {}
    hardly: set[tuple[str, str]] = set()
    times: dict[tuple[str, str], int] = {}
    for conflict in conflicts:
        sides = (*conflict.sides, *conflict.hardly, *conflict.against)
        wide = conflict.within.sides if conflict.within is not None else ()
        others |= {_key(s.what): s.what for s in wide if s.what is not None and _is_told(s)}
        hardly |= {_key(s.what) for s in conflict.hardly if s.what is not None}
        of_conflict = {_key(s.what): s.what for s in sides if s.what is not None and _is_told(s)}
        found = of_conflict | found
        for key in of_conflict:
            times[key] = times.get(key, 0) + 1
    in_all = {key: limit for key, limit in found.items() if times[key] == len(conflicts)}
    in_all = _to_try(in_all, conflicts)
    numbers = {key: _numbers(limit, namer, conflicts) for key, limit in in_all.items()}
    alternatives = []
    if numbers:
        rows = np.unique(joined(n for key, n in numbers.items() if _is_row(in_all[key])))
        columns = np.unique(joined(n for key, n in numbers.items() if not _is_row(in_all[key])))
        late = [namer.limits.periods(int(n), is_row=True)[-1] for n in rows]
        late += [namer.limits.periods(int(n), is_row=False)[-1] for n in columns]
        # of several periods that would do, the last
        ranks = 1.0 - np.array(late, float) / max(1, namer.period.case.n_periods)
        repairs = Repairs(lp, rows, columns, ranks)
        for key, limit in in_all.items():
            alternative = _alternative(repairs, limit, numbers[key], namer)
            if alternative is not None:
                alternatives.append(alternative)
    alternatives.sort(key=lambda a: (a.is_physical, float(f"{a.volume:.6g}"), a.limit.text()))
    alone = {_key(alternative.limit) for alternative in alternatives}
    not_alone = [
        _named(limit, namer)
        for key, limit in found.items()
        if _is_clause(limit) and key not in alone | hardly
    ]
    return alternatives, sorted(not_alone)


def _to_try(
    limits: Mapping[tuple[str, str], Limit], conflicts: Sequence[Conflict]
) -> dict[tuple[str, str], Limit]:
    """Clauses, and those limits of the basin that weigh most; of all inflows, one."""
    weights: dict[tuple[str, str], float] = {}
    for conflict in conflicts:
        for side in conflict.against:
            if side.what is not None:
                key = _key(side.what)
                weights[key] = max(weights.get(key, 0.0), abs(side.counted))
    physical = [key for key, limit in limits.items() if not _is_clause(limit)]
    physical.sort(key=lambda key: -weights.get(key, 0.0))
    inflows = [key for key in physical if limits[key].kind == "balance"]
    tried = [key for key in physical if key not in inflows[1:]][:PHYSICAL]
    return {key: limit for key, limit in limits.items() if _is_clause(limit) or key in tried}


def _is_clause(limit: Limit) -> bool:
    return limit.kind == "rule" or limit.name == "environmental_flow"


def _is_row(limit: Limit) -> bool:
    return limit.kind not in COLUMNS


def _is_told(side: Side) -> bool:
    """Whether a side is a limit with words of its own."""
    limit = side.what
    return limit is not None and (limit.kind in ("rule", "balance") or limit.is_known)


def _key(limit: Limit) -> tuple[str, str]:
    """What gives way together: all rows of a rule, or both limits of a variable."""
    if limit.rule is not None:
        return "rule", limit.rule.name
    return limit.name, limit.item


def _numbers(limit: Limit, namer: Namer, conflicts: Iterable[Conflict]) -> np.ndarray:
    """Rows or columns of a limit in all periods; of what is given at the start, those at hand."""
    if limit.rule is not None:
        return namer.rows_of([limit.rule.name])
    if limit.kind == "initial":
        sides = [s for c in conflicts for s in c.against if s.what == limit]
        return np.unique(joined(side.numbers for side in sides))
    start = (f"{limit.name}[{limit.item}]" if limit.item else limit.name) + "@"
    labels = namer.limits.rows if _is_row(limit) else namer.limits.columns
    return np.array(
        [
            number
            for number, label in enumerate(labels)
            if label.startswith(start) and not label.endswith("|initial")
        ],
        int,
    )


def _alternative(
    repairs: Repairs, limit: Limit, numbers: np.ndarray, namer: Namer
) -> Alternative | None:
    """The least repair by one limit alone; None where there is none."""
    is_row, nothing = _is_row(limit), np.empty(0, int)
    try:
        repair = repairs.least(numbers if is_row else nothing, nothing if is_row else numbers)
    except SolveError as error:  # no repair is better than a wrong one
        log.debug("%s", error)
        return None
    if repair is None:
        return None
    of_all, amounts = (
        (repairs.rows, repair.by_row) if is_row else (repairs.columns, repair.by_column)
    )
    given = np.abs(amounts) > SMALLEST
    unit = "m3s" if limit.name in (*FLOWS, "environmental_flow") else "hm3"
    unit = "gwh" if limit.name in OF_ENERGY else unit
    return Alternative(
        limit,
        place_of(namer.period.case, limit.rule) if limit.rule is not None else "",
        is_row,
        of_all[given],
        amounts[given],
        limit.rule.reported_in if limit.rule is not None else unit,
        tuple(tuple(namer.limits.periods(int(n), is_row)) for n in of_all[given]),
    )


def _named(limit: Limit, namer: Namer) -> str:
    if limit.rule is None:
        return limit.text()
    return f"{limit.rule.kind} '{limit.rule.name}'{place_of(namer.period.case, limit.rule)}"
