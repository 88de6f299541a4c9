"""Why a member is infeasible: which limits contradict each other, and by how much.

The least repair of a program (:func:`wateralloc.solve.least_repair`) has duals that prove that it
cannot be met (Farkas): the limits with a nonzero dual, weighed by it, add up to an asking that is
larger than what is allowed.  The proof is taken apart into its elements, each a conflict of which
every limit is needed: without any one of them, the others can be met together.

Source
------
Gleeson & Ryan (1990), Identifying minimally infeasible subsystems of inequalities, ORSA Journal on
Computing 2, 61-63: the corners of the polyhedron of proofs are the conflicts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from wateralloc.case import Case
from wateralloc.errors import SolveError, listed
from wateralloc.foresight.limits import Limit, Limits, place_of
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period
from wateralloc.rules import Rule
from wateralloc.solve import Repair, Stages, least_repair
from wateralloc.units import HM3_PER_M3

log = logging.getLogger(__name__)

SMALLEST = 1e-6
"""Amounts [hm3] up to this are rounding and are not reported."""
NO_DUAL = 1e-7
"""Duals up to this are rounding; those of a repair are 1 where a limit gives way."""
MOST = 60
"""Conflicts that are taken apart."""
OF_ONE = 4
"""Conflicts that are taken apart of what hangs together by its water; behind others, half of it."""
WEAK = 30.0
"""A limit that alone would have to give way by this many times what is missed hardly matters to a
conflict: evaporation ties everything to everything a little."""
SAME = 0.01
"""Amounts that differ by less than this share are told as one."""
SHOWN = 12
"""Conflicts that are told one by one."""
PLAIN = 3
"""Sides up to which a conflict is plain: it is always told, and with all its figures."""
ROUNDS = 20
"""Programs that are solved to find what stands behind the conflicts found first."""

STOCKS = ("storage_end", "aquifer_end", "channel_end")


@dataclass(frozen=True)
class Side:
    """A rule, an environmental flow or another limit in a conflict: its rows or columns in it.

    Attributes
    ----------
    text : what it is, with its place in the case
    numbers, is_row : rows (or columns) of the program
    limit : sum of the limits [hm3, or GWh]
    counted : the same, each weighed by how much of it reaches the conflict; above 0 it asks, below
        0 it allows
    gives : how much of it would have to give way, alone
    rule : the rule, where it is one
    """

    text: str
    numbers: np.ndarray
    is_row: bool
    limit: float
    counted: float
    gives: float
    rule: Rule | None = None
    sense: str = ""
    unit: str = "hm3"
    seconds: float = 0.0
    is_stock: bool = False


@dataclass(frozen=True)
class Conflict:
    """Limits of which each is needed for the contradiction.

    Attributes
    ----------
    missed : by how much they miss each other, where it is least: what one of the sides alone would
        have to give way [hm3, or GWh]
    first, last : periods
    sides : rules and environmental flows
    against : the water and the limits of the basin that take part
    hardly : rules and environmental flows that take part, but hardly matter
    """

    missed: float
    first: int
    last: int
    sides: tuple[Side, ...]
    against: tuple[Side, ...]
    hardly: tuple[Side, ...] = ()

    @property
    def rules(self) -> tuple[Side, ...]:
        return tuple(side for side in self.sides if side.rule is not None)

    @property
    def key(self) -> frozenset[int]:
        """What tells it from others: its rows that ask, or else those of the basin."""
        sides = self.sides or self.against
        return frozenset(int(n) for side in sides for n in side.numbers)


@dataclass(frozen=True)
class Change:
    """What gives way in the least repair: amounts [hm3, or GWh] of the rows or columns of a limit.

    `gives` is positive where the limit must fall, negative where it must rise.
    """

    limit: _Limit
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


@dataclass(frozen=True)
class _Limit:
    """A limit that could give way: rows or columns of the program, one a period or window."""

    text: str
    is_row: bool
    numbers: np.ndarray
    periods: np.ndarray
    unit: str = "hm3"


@dataclass(frozen=True)
class _Proof:
    """Nonzero duals of rows, and reduced costs of columns, that prove a contradiction.

    They are those of a minimum: above 0 where the lower limit takes part, below 0 for the upper.
    """

    rows: np.ndarray
    y: np.ndarray
    columns: np.ndarray
    d: np.ndarray

    def missed(self, lp: MemberProgram) -> float:
        """What the limits ask, less what they allow."""
        return float(
            self.y @ _leaning(self.y, lp.row_lower[self.rows], lp.row_upper[self.rows])
            + self.d @ _leaning(self.d, lp.col_lower[self.columns], lp.col_upper[self.columns])
        )


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
    lines = [_tell(period.case, group) for group in shown]
    hidden = [conflict for group in rest for conflict in group]
    if hidden or reasons.more > SMALLEST:
        largest = max((conflict.missed for conflict in hidden), default=reasons.more)
        among = dict.fromkeys(side.text for conflict in hidden for side in conflict.sides)
        lines.append(
            f"E402 and more conflicts, of up to {_number(max(largest, reasons.more))} hm3"
            + (f", among {listed(among, 4)}" if among else "")
        )
    lp = horizon.stack().member(member)
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


def find_reasons(period: Period, horizon: Horizon, member: int) -> Reasons:
    """Find the conflicts of a member, and the least change that leaves none.

    The least total volume is sought by which hard rules would have to give way together; if no
    amount of theirs helps, the environmental flows too; if that does not help, the limits of
    storages and links; then whatever has a limit.
    """
    lp = horizon.stack().member(member)
    namer = _Namer(period, horizon, lp, member)
    limits: list[_Limit] = []
    tiers = _limits_in_tiers(period, horizon)
    for tier in tiers:
        limits += tier
        repair = _repair(lp, limits)
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
    return Reasons(tuple(conflicts), tuple(_changes(limits, repair)), more)


# --- least repair ---------------------------------------------------------------------------


def _limits_in_tiers(period: Period, horizon: Horizon) -> list[list[_Limit]]:
    m, case = period.model, period.case
    rules = [
        _Limit(
            f"{row.rule.kind} '{row.label}'{place_of(case, row.rule)}",
            True,
            horizon.rows[id(row.constraint)],
            horizon.row_periods(row.constraint),
            row.rule.reported_in,
        )
        for row in period.rule_rows
        if not row.rule.soft
    ]
    every = np.arange(case.n_periods)
    flows = [
        _Limit(f"environmental flow '{name}'", True, horizon.rows[id(row)], every, "m3s")
        for name, row in m.environmental_flow.items()
    ]
    stores = [
        _Limit(f"storage limits of '{r}'", False, horizon.columns[id(m.storage_end[r])], every)
        for r in m.reservoir
    ]
    stores += [
        _Limit(f"storage limits of '{a}'", False, horizon.columns[id(m.aquifer_end[a])], every)
        for a in m.aquifer
    ]
    links = [
        _Limit(f"limits of link '{k}'", False, horizon.columns[id(m.flow[k])], every, "m3s")
        for k in m.link
    ]
    known = {id(row.constraint) for row in period.rule_rows} | {
        id(row) for row in m.environmental_flow.values()
    }
    others = [
        _Limit(f"row '{c.name}'", True, horizon.rows[id(c)], horizon.row_periods(c))
        for c in horizon.constraints
        if id(c) not in known
    ]
    return [rules, flows, stores + links, others]


def _repair(lp: MemberProgram, limits: Sequence[_Limit]) -> Repair | None:
    """Least repair by limits that may give way; None where no amount helps."""
    try:
        return least_repair(
            lp,
            _joined(limit.numbers for limit in limits if limit.is_row),
            _joined(limit.numbers for limit in limits if not limit.is_row),
        )
    except SolveError as error:  # no proof is better than a wrong one
        log.debug("%s", error)
        return None


def _changes(limits: Sequence[_Limit], repair: Repair) -> list[Change]:
    """What gives way, the largest first."""
    ordered = [k for k in limits if k.is_row] + [k for k in limits if not k.is_row]
    amounts = np.concatenate([repair.by_row, repair.by_column])
    ends = np.cumsum([limit.numbers.size for limit in ordered])
    found = [
        Change(limit, gives)
        for limit, gives in zip(ordered, np.split(amounts, ends[:-1]), strict=True)
        if (np.abs(gives) > SMALLEST).any()
    ]
    return sorted(found, key=lambda change: (-np.abs(change.gives).sum(), change.limit.text))


def _behind(
    lp: MemberProgram, limits: Sequence[_Limit], found: Sequence[Conflict], namer: _Namer
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
        less = _free(lp, namer.rows_of(out))
        repair = _repair(less, limits) if rounds < ROUNDS else None
        rounds += 1
        if repair is None:
            break
        new = _distinct([*known, *_take_apart(less, repair, namer, OF_ONE // 2)[0]])[len(known) :]
        known += new
        if not new:
            place += 1
    return known[len(found) :]


def _free(lp: MemberProgram, rows: np.ndarray) -> MemberProgram:
    """The program without the limits of some rows."""
    row_lower, row_upper = lp.row_lower.copy(), lp.row_upper.copy()
    row_lower[rows], row_upper[rows] = -np.inf, np.inf
    return replace(lp, row_lower=row_lower, row_upper=row_upper)


def _distinct(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Conflicts, of those with the same limits the first."""
    found: dict[frozenset[int], Conflict] = {}
    for conflict in conflicts:
        found.setdefault(conflict.key, conflict)
    return list(found.values())


# --- taking a proof apart -------------------------------------------------------------------


def _take_apart(
    lp: MemberProgram, repair: Repair, namer: _Namer, of_one: int = OF_ONE
) -> tuple[list[Conflict], float]:
    """Conflicts that a repair proves, and the volume of those that are not taken apart."""
    by_rows = lp.matrix.tocsr()
    d = -(by_rows.T @ repair.y)
    rows, columns = np.flatnonzero(np.abs(repair.y) > NO_DUAL), np.flatnonzero(np.abs(d) > NO_DUAL)
    whole = _Proof(rows, repair.y[rows], columns, d[columns])
    conflicts: list[Conflict] = []
    more = 0.0
    for part in _components(by_rows, whole):
        proofs, left = _elements(lp, by_rows, part, min(of_one, MOST - len(conflicts)))
        conflicts += [namer.conflict(proof) for proof in proofs]
        more += left
    return conflicts, more


def _components(by_rows: sp.csr_matrix, proof: _Proof) -> list[_Proof]:
    """Split a proof into parts that have no column in common."""
    touched = by_rows[proof.rows]
    touched.data = np.ones(touched.data.size)
    n_rows = proof.rows.size
    graph = sp.bmat([[None, touched], [touched.T, None]])
    n_parts, part = sp.csgraph.connected_components(graph, directed=False)
    of_row, of_column = part[:n_rows], part[n_rows:][proof.columns]
    found = []
    for k in range(n_parts):
        rows, columns = of_row == k, of_column == k
        if rows.any() or columns.any():
            found.append(
                _Proof(proof.rows[rows], proof.y[rows], proof.columns[columns], proof.d[columns])
            )
    return found


def _elements(
    lp: MemberProgram, by_rows: sp.csr_matrix, proof: _Proof, most: int
) -> tuple[list[_Proof], float]:
    """Split a proof into elements that add up to it: corners of the polyhedron of proofs.

    Returns
    -------
    elements : each proves a contradiction, of which all limits are needed
    left : what is missed beyond them
    """
    total = left = proof.missed(lp)
    found: list[_Proof] = []
    while left > max(SMALLEST, 1e-9 * total) and len(found) < most:
        element = _corner(lp, by_rows, proof)
        if element is None:
            if not found:
                found, left = [proof], 0.0
            break
        found.append(element)
        proof = _less(proof, element)
        left = proof.missed(lp)
    return found, max(left, 0.0) if left > SMALLEST else 0.0


def _corner(lp: MemberProgram, by_rows: sp.csr_matrix, proof: _Proof) -> _Proof | None:
    """A corner of the polyhedron of proofs with the limits of `proof` alone, by the simplex method.

    Unknowns are the sizes of the duals; their signs are those of `proof`.  For each column of the
    program: sum of sign(y) y a + sign(d) d = 0; and what is missed is as in `proof`.
    """
    rows = by_rows[proof.rows]
    used = np.union1d(np.unique(rows.indices), proof.columns)
    matrix = sp.hstack(
        [
            rows[:, used].multiply(np.sign(proof.y)[:, None]).T,
            sp.csc_matrix(
                (
                    np.sign(proof.d),
                    (np.searchsorted(used, proof.columns), np.arange(proof.columns.size)),
                ),
                shape=(used.size, proof.columns.size),
            ),
        ]
    )
    asks = np.concatenate(
        [
            np.sign(proof.y)
            * _leaning(proof.y, lp.row_lower[proof.rows], lp.row_upper[proof.rows]),
            np.sign(proof.d)
            * _leaning(proof.d, lp.col_lower[proof.columns], lp.col_upper[proof.columns]),
        ]
    )
    missed = proof.missed(lp)
    scale = max(1.0, float(np.abs(asks).max(initial=0.0)))
    matrix = sp.vstack([matrix, sp.csr_matrix(asks[None] / scale)]).tocsc()
    limits = np.append(np.zeros(used.size), missed / scale)
    n = asks.size
    program = MemberProgram(
        matrix.indptr,
        matrix.indices,
        matrix.data,
        np.zeros(n),
        np.full(n, np.inf),
        limits,
        limits,
    )
    cost = np.append(np.ones(proof.rows.size), np.zeros(proof.columns.size))
    try:
        sizes = Stages(program, "conflict: ").optimise("corner", cost).x
    except SolveError as error:  # what was cut off as rounding was none
        log.debug("%s", error)
        return None
    sizes = np.where(sizes > NO_DUAL * sizes.max(initial=0.0), sizes, 0.0)
    y = sizes[: proof.rows.size] * np.sign(proof.y)
    d = sizes[proof.rows.size :] * np.sign(proof.d)
    of_y, of_d = y != 0, d != 0
    return _Proof(proof.rows[of_y], y[of_y], proof.columns[of_d], d[of_d])


def _less(proof: _Proof, element: _Proof) -> _Proof:
    """What is left of a proof after as much of an element as there is in it."""
    in_rows = np.searchsorted(proof.rows, element.rows)
    in_columns = np.searchsorted(proof.columns, element.columns)
    shares = np.concatenate([proof.y[in_rows] / element.y, proof.d[in_columns] / element.d])
    share = shares.min()
    y, d = proof.y.copy(), proof.d.copy()
    y[in_rows] -= share * element.y
    d[in_columns] -= share * element.d
    used_up = shares <= share * (1 + 1e-9)
    y[in_rows[used_up[: in_rows.size]]] = 0.0
    d[in_columns[used_up[in_rows.size :]]] = 0.0
    of_y, of_d = np.abs(y) > NO_DUAL, np.abs(d) > NO_DUAL
    return _Proof(proof.rows[of_y], y[of_y], proof.columns[of_d], d[of_d])


def _leaning(price: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Limit that a dual leans on; 0 where it is infinite: then the dual is rounding."""
    limit = np.where(price > 0, low, high)
    return np.where(np.isfinite(limit), limit, 0.0)


# --- names ----------------------------------------------------------------------------------


_ASKED, _WATER, _OTHER = ("rule", "asked"), "water", "other"
"""Kinds of limits; those of the last two are not told where they are 0."""


@dataclass
class _Namer:
    """Names rows and columns of a member's program in the words of case and basin."""

    period: Period
    horizon: Horizon
    lp: MemberProgram
    member: int

    def __post_init__(self) -> None:
        self.limits = Limits(self.period, self.horizon)
        self.rule_rows = self.limits.rule_rows

    def rows_of(self, names: Iterable[str]) -> np.ndarray:
        """All rows of rules."""
        names = set(names)
        return np.array(
            [n for n, (row, _) in self.rule_rows.items() if row.rule.name in names], int
        )

    def conflict(self, proof: _Proof) -> Conflict:
        """Conflict of an elementary proof, scaled to the limit that weighs most in it."""
        keys = [self._of_row(int(r), y) for r, y in zip(proof.rows, proof.y, strict=True)]
        is_asked = np.array([kind in _ASKED for kind, _ in keys], bool)
        weights = np.abs(proof.y[is_asked] if is_asked.any() else np.append(proof.y, proof.d))
        scale = float(weights.max())
        missed = proof.missed(self.lp) / scale
        members: dict[tuple[str, str], list[tuple[int, bool, float]]] = {}
        for key, r, y in zip(keys, proof.rows, proof.y / scale, strict=True):
            members.setdefault(key, []).append((int(r), True, float(y)))
        for j, d in zip(proof.columns, proof.d / scale, strict=True):
            members.setdefault(self._of_column(int(j), d), []).append((int(j), False, float(d)))
        sides: list[Side] = []
        against: list[Side] = []
        hardly: list[Side] = []
        for (kind, text), of_side in members.items():
            side = self._side(kind, text, of_side, missed)
            if kind in _ASKED:
                (hardly if side.gives > WEAK * missed else sides).append(side)
            elif kind not in (_WATER, _OTHER) or abs(side.counted) > SMALLEST:
                against.append(side)
        sides.sort(key=lambda s: (s.rule is None, s.sense != ">=", s.text))
        against.sort(key=lambda s: (s.counted > SMALLEST, -abs(s.counted), s.text))
        periods = [
            t
            for of_side in (sides or against)
            for n in of_side.numbers
            for t in self.limits.periods(int(n), of_side.is_row)
        ]
        return Conflict(
            missed, min(periods), max(periods), tuple(sides), tuple(against), tuple(hardly)
        )

    def _side(
        self, kind: str, text: str, members: Sequence[tuple[int, bool, float]], missed: float
    ) -> Side:
        numbers = np.array([number for number, _, _ in members])
        price = np.array([price for _, _, price in members])
        is_row = members[0][1]
        lp = self.lp
        low, high = (lp.row_lower, lp.row_upper) if is_row else (lp.col_lower, lp.col_upper)
        limit = _leaning(price, low[numbers], high[numbers])
        rule, sense, unit, seconds = None, "", "hm3", 0.0
        if kind in _ASKED:
            sense = ">=" if price[0] > 0 else "<="
            unit = "m3s" if kind == "asked" else unit
            if kind == "rule":
                rule = self.rule_rows[int(numbers[0])][0].rule
                unit = rule.reported_in
            periods = [t for n in numbers for t in self.limits.periods(int(n), True)]
            seconds = float(self.period.case.timeline.seconds[periods].sum())
        return Side(
            text,
            numbers,
            is_row,
            # of "sum of water == 0": what is given has the other sign
            float(-limit.sum() if kind == _WATER else limit.sum()) + 0.0,
            float(price @ limit) + 0.0,
            missed / float(np.abs(price).max()),
            rule,
            sense,
            unit,
            seconds,
            not is_row and self.limits.of_column(int(numbers[0]), True).name in STOCKS,
        )

    def _of_row(self, number: int, price: float) -> tuple[str, str]:
        """Kind and words of a row."""
        limit = self.limits.of_row(number)
        if limit.kind == "rule":
            return "rule", f"{limit.text()}{place_of(self.period.case, limit.rule)}"
        if limit.kind == "balance":
            return _WATER, self._of_balance(limit, number)
        if limit.kind == "workings":
            return _OTHER, f"{limit.text()}{place_of(self.period.case, limit.rule)}"
        if limit.name == "environmental_flow":
            return "asked", limit.text()
        return ("basin" if limit.is_known else _OTHER), limit.text()

    def _of_balance(self, limit: Limit, number: int) -> str:
        """Words of what a node is given by data: its inflow, and what else is not decided."""
        node, inflow = limit.item, 0.0
        if node in self.period.model.inflow:
            (period,) = self.limits.periods(number, is_row=True)
            inflow = float(self.horizon.array(self.period.model.inflow[node])[self.member, period])
        given = -self.lp.row_lower[number]  # of "sum of water == 0"
        is_all = abs(given - inflow) <= SMALLEST
        return limit.text() + ("" if is_all else ", with what it loses or gains by data,")

    def _of_column(self, number: int, price: float) -> tuple[str, str]:
        """Kind and words of a column; of one that is 0 or more the zero is no limit to tell."""
        limit = self.limits.of_column(number, is_lower=price > 0)
        # that nothing flows back needs no words
        return (_OTHER if price > 0 or not limit.is_known else "basin"), limit.text()


# --- words ----------------------------------------------------------------------------------


def _tell(case: Case, alike: Sequence[Conflict]) -> str:
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
    text = f"E402 conflict of {_missed(case, conflict, unit)}: " + ", ".join(sides)
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
    if abs(counted - limit) <= SAME * max(1.0, limit):
        return _amount(limit, "")
    if side.is_stock and side.numbers.size > 1:
        return f"(counts {_amount(counted, '')})"  # stocks of several periods do not add up
    return f"{_amount(limit, '')} (counts {_number(counted)})"


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
    return f"E402 least change: {total} of {limit.text}: {listed(when, 4)}"


def _joined(numbers: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([*numbers, np.empty(0, int)]).astype(int)
