"""The clauses by which two cases differ, and the cases that lie between them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from wateralloc.case import Case
from wateralloc.comparison.differences import Difference, brief, differences
from wateralloc.errors import Fault, InputError, Position, listed, or_do, suggest
from wateralloc.goals import Goal
from wateralloc.rules import Rule

WHOLE = {
    "changes": ("basin",),
    "hydrology": ("members", "given", "inflow_scale", "upstream_withdrawal"),
    "demand.year": ("demand_year",),
    "foresight": ("foresight", "issued"),
    "linearisation": ("linearisation",),
    "integers": ("integers",),
    "riverbed": ("riverbed",),
    "left_at_end": ("left_at_end",),
}
"""Keys of a case that are taken whole, and the fields of the case that follow from each."""
BY_ITEM = {"demand.scale": "demand_scale", "works": "works"}
"""Keys of which each item is a clause of its own, and the field that holds them."""
JOINED = " + "
COLUMNS = (
    "reference", "policy", "measure", "scope", "name", "unit", "before", "after", "total",
)  # fmt: skip
"""Names that no clause has, for the tables in which clauses are columns."""


@dataclass(frozen=True)
class Edit:
    """Goals ``[start, end)`` of the reference that give way to ``[to_start, to_end)`` of the other.

    Attributes
    ----------
    shifts : the goals after it change their places
    """

    start: int
    end: int
    to_start: int
    to_end: int

    @property
    def shifts(self) -> bool:
        return self.end - self.start != self.to_end - self.to_start


@dataclass(frozen=True)
class Atom:
    """The least that can be taken over: one rule, one edit of the goals, or one setting.

    Attributes
    ----------
    label : name of the rule, ``goal`` with its place and kind, or dotted key
    fields : fields of the case that a setting takes over
    item : of a field that holds items by name: the one that is taken over
    """

    label: str
    difference: Difference
    rule: str = ""
    edit: Edit | None = None
    fields: tuple[str, ...] = ()
    item: str = ""


@dataclass(frozen=True)
class Clause:
    """What is taken over together: one atom, or several that make no sense apart."""

    atoms: tuple[Atom, ...]

    @property
    def name(self) -> str:
        return JOINED.join(atom.label for atom in self.atoms)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two cases, the clauses by which they differ, and every case between them.

    Attributes
    ----------
    before, after : the reference, and the case that differs from it
    """

    before: Case
    after: Case
    clauses: tuple[Clause, ...]

    def case_of(self, taken: Collection[int]) -> Case:
        """Build the case that has some clauses as `after` says and the others as `before` does.

        Parameters
        ----------
        taken : clauses, by their places

        Raises
        ------
        InputError
            They make no valid case together.
        """
        if not taken:
            return self.before
        if len(taken) == len(self.clauses):
            return self.after
        atoms = [atom for k in taken for atom in self.clauses[k].atoms]
        rules, rule_positions = self._rules({atom.rule for atom in atoms if atom.rule})
        goals, goal_positions = self._goals([atom.edit for atom in atoms if atom.edit])
        case = replace(
            self.before,
            rules=rules,
            rule_positions=rule_positions,
            goals=goals,
            goal_positions=goal_positions,
            files=tuple(dict.fromkeys([*self.before.files, *self.after.files])),
            resolved={},
            **self._fields(atoms),
        )
        faults = list(_faults(case))
        if faults:
            raise self.no_case(taken, faults)
        return case

    def words_of(self, taken: Collection[int]) -> str:
        """Tell in words which clauses are of which case."""
        theirs, ours = (
            [clause.name for k, clause in enumerate(self.clauses) if (k in taken) is is_taken]
            for is_taken in (True, False)
        )
        return (
            f"{listed(theirs, 8)} as '{self.after.name}' has it and {listed(ours, 8)} as "
            f"'{self.before.name}' has it"
        )

    def no_case(self, taken: Collection[int], faults: Iterable[Fault]) -> InputError:
        """Faults of a combination of clauses, as those of what was asked."""
        return InputError(
            [
                Fault(
                    fault.at,
                    "E344",
                    f"{self.words_of(taken)} make no case: {fault.text} (this is between the two "
                    f"cases, not in either); {self.way_out()}",
                )
                for fault in faults
            ]
        )

    def way_out(self) -> str:
        """What to do with clauses that only go together."""
        labels = [atom.label for clause in self.clauses for atom in clause.atoms]
        return (
            "make one clause of those that only go together, as --together "
            f'"{",".join(labels[:2])}"'
        )

    def position_of(self, taken: Collection[int]) -> Position:
        """Where the first of some clauses stands."""
        places = {
            rule.name: at
            for case in (self.before, self.after)
            for rule, at in zip(case.rules, case.rule_positions, strict=True)
        }
        for k in sorted(taken):
            for atom in self.clauses[k].atoms:
                if atom.rule:
                    return places[atom.rule]
                if atom.edit and atom.edit.to_start < atom.edit.to_end:
                    return self.after.goal_positions[atom.edit.to_start]
        return Position(f"case {self.after.name}")

    def _rules(self, taken: Collection[str]) -> tuple[tuple[Rule, ...], tuple[Position, ...]]:
        """Rules in an order that does not depend on which of the two cases is the reference."""
        known = [
            {
                rule.name: (k, rule, at)
                for k, (rule, at) in enumerate(zip(case.rules, case.rule_positions, strict=True))
            }
            for case in (self.before, self.after)
        ]
        places: dict[str, int] = {}
        for of in known:
            for name, (k, _, _) in of.items():
                places[name] = min(k, places.get(name, k))
        found = [
            known[name in taken][name][1:]
            for name in sorted(places, key=lambda name: (places[name], name))
            if name in known[name in taken]
        ]
        return tuple(rule for rule, _ in found), tuple(at for _, at in found)

    def _goals(self, taken: Sequence[Edit]) -> tuple[tuple[Goal, ...], tuple[Position, ...]]:
        lists = [
            list(zip(case.goals, case.goal_positions, strict=True))
            for case in (self.before, self.after)
        ]
        found = []
        done = 0
        for edit in sorted(taken, key=lambda edit: edit.start):
            found += lists[0][done : edit.start] + lists[1][edit.to_start : edit.to_end]
            done = edit.end
        found += lists[0][done:]
        return tuple(goal for goal, _ in found), tuple(at for _, at in found)

    def _fields(self, atoms: Iterable[Atom]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for atom in atoms:
            for name in atom.fields:
                theirs = getattr(self.after, name)
                if not atom.item:
                    fields[name] = theirs
                    continue
                ours = fields.setdefault(name, dict(getattr(self.before, name)))
                ours.pop(atom.item, None)
                if atom.item in theirs:
                    ours[atom.item] = theirs[atom.item]
                fields[name] = dict(sorted(ours.items()))
        return fields


def _faults(case: Case) -> Iterator[Fault]:
    """Faults that reading a case would find where clauses do not go together."""
    for rule, at in zip(case.rules, case.rule_positions, strict=True):
        for _, code, text in rule.check(case.basin):
            yield Fault(at, code, text)
        if rule.soft is not None:
            if rule.soft.goal is not None and rule.soft.goal > len(case.goals) + 1:
                text = f"soft.goal of rule '{rule.name}' is beyond the {len(case.goals)} goals"
                yield Fault(at, "E303", text)
                continue
            for _, code, text in rule.soft.check(rule.name, case.goals):
                yield Fault(at, code, text)
    if not case.goals:
        yield Fault(Position(f"case {case.name}"), "E302", "there is no goal")


# --- what differs -------------------------------------------------------------------------------


def pair_of(before: Case, after: Case, together: Iterable[Sequence[str]] = ()) -> Pair:
    """Find the clauses by which two cases differ.

    A rule is a clause, known by its name; a setting is one by its key, of the demands and works by
    each item; of the goals each edit of their list.  Joined into one clause are edits that move a
    goal, and a soft rule whose ``goal`` counts places that an edit shifts, with the edit.

    Parameters
    ----------
    together : clauses that the user joins, by their names

    Raises
    ------
    InputError
        `together` names a clause that does not differ.
    """
    edits = list(_edits(before, after))
    atoms = [*_settings(before, after), *_rules(before, after), *edits]
    atoms = _told_apart(atoms)
    joins = [
        *_moved(edits, before, after),
        *_soft(atoms, before, after),
        *_of_settings(atoms),
        *_named(atoms, together),
    ]
    return Pair(before, after, tuple(_join(atoms, joins)))


def _told_apart(atoms: Sequence[Atom]) -> list[Atom]:
    """Give a rule that is called as a setting, or as a column of the table, another label."""
    taken = {*COLUMNS, *(atom.label for atom in atoms if atom.fields)}
    return [
        replace(atom, label=f"rule {atom.label}") if atom.rule in taken else atom for atom in atoms
    ]


def _settings(before: Case, after: Case) -> Iterator[Atom]:
    for key, fields in WHOLE.items():
        texts = _text(before, key), _text(after, key)
        if all(_same_field(name, before, after) for name in fields):
            continue
        yield Atom(key, Difference("setting", key, "changed", *texts), fields=fields)
    for key, name in BY_ITEM.items():
        ours, theirs = getattr(before, name), getattr(after, name)
        for item in sorted({*ours, *theirs}):
            if ours.get(item) == theirs.get(item):
                continue
            texts = _plain(ours.get(item)), _plain(theirs.get(item))
            change = "changed" if item in ours and item in theirs else ""
            change = change or ("removed" if item in ours else "added")
            where = f"{key}.{item}"
            yield Atom(where, Difference("setting", where, change, *texts), "", None, (name,), item)


def _text(case: Case, key: str) -> str:
    """What a case says of a key, in one line."""
    found: Any = case.resolved
    for word in key.split("."):
        found = found.get(word) if isinstance(found, Mapping) else None
    if found is None and key in ("demand.year", "integers", "riverbed"):
        found = getattr(case, WHOLE[key][0])
    return _plain(found)


def _plain(value: Any) -> str:
    return "" if value is None else brief(str(value) if isinstance(value, np.datetime64) else value)


def _same_field(name: str, before: Case, after: Case) -> bool:
    ours, theirs = getattr(before, name), getattr(after, name)
    if name == "issued":
        return (ours and ours.path) == (theirs and theirs.path)
    if name == "basin":
        return ours is theirs or all(
            ours.tables[table].equals(theirs.tables[table]) for table in ours.tables
        )
    return _same(ours, theirs)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    return bool(one == other)


def _rules(before: Case, after: Case) -> Iterator[Atom]:
    ours, theirs = (
        {rule.name: {"rule": rule.kind, **_said(rule)} for rule in case.rules}
        for case in (before, after)
    )
    for name in dict.fromkeys([*ours, *theirs]):
        found = differences(*({"rules": [of[name]] if name in of else []} for of in (ours, theirs)))
        for difference in found:
            yield Atom(name, difference, rule=name)


def _said(clause: Rule | Goal) -> dict[str, Any]:
    """What a rule or goal says, as plain data."""
    return dict(clause.model_dump(mode="json", exclude_defaults=True))


def _texts(case: Case) -> list[str]:
    return [json.dumps([goal.kind, _said(goal)], sort_keys=True) for goal in case.goals]


def _edits(before: Case, after: Case) -> Iterator[Atom]:
    """Edits of the list of goals, the same whichever case is the reference."""
    texts = _texts(before), _texts(after)
    is_turned = texts[0] > texts[1]
    one, other = texts[::-1] if is_turned else texts
    named: set[str] = set()
    for what, i, i_end, j, j_end in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        whole = Edit(j, j_end, i, i_end) if is_turned else Edit(i, i_end, j, j_end)
        for edit in [whole] if whole.shifts else _one_by_one(whole):
            gone = before.goals[edit.start : edit.end]
            come = after.goals[edit.to_start : edit.to_end]
            first = edit.to_start if come else edit.start
            item = _place(first, come or gone)
            item = f"{item} ({before.name})" if item in named else item
            named.add(item)
            change = "changed" if gone and come else "added" if come else "removed"
            difference = Difference("goal", item, change, _goal_text(gone), _goal_text(come))
            yield Atom(f"goal {item}", difference, edit=edit)


def _one_by_one(edit: Edit) -> list[Edit]:
    """Goals that take each other's places, one for one."""
    shift = edit.to_start - edit.start
    return [Edit(k, k + 1, k + shift, k + shift + 1) for k in range(edit.start, edit.end)]


def _place(first: int, goals: Sequence[Goal]) -> str:
    if len(goals) > 1:
        return f"{first + 1}-{first + len(goals)}"
    return f"{first + 1} {goals[0].kind}"


def _goal_text(goals: Sequence[Goal]) -> str:
    return ", ".join(f"{goal.kind}: {brief(_said(goal))}" for goal in goals)


# --- what goes together -------------------------------------------------------------------------


def _moved(edits: Sequence[Atom], before: Case, after: Case) -> Iterator[set[str]]:
    """Edits of which one takes away the goal that the other puts elsewhere."""
    ours, theirs = _texts(before), _texts(after)
    for one in edits:
        for other in edits:
            assert one.edit is not None
            assert other.edit is not None
            gone = {*ours[one.edit.start : one.edit.end]}
            come = {*theirs[other.edit.to_start : other.edit.to_end]}
            if one is not other and gone & come:
                yield {one.label, other.label}


def _soft(atoms: Sequence[Atom], before: Case, after: Case) -> Iterator[set[str]]:
    """A soft rule, and the edits of the goals from which its place is counted."""
    for number, case in enumerate((before, after)):
        for rule in case.rules:
            if rule.soft is None:
                continue
            place, has_price = rule.soft.goal, rule.soft.penalty is not None
            touched = set()
            for atom in atoms:
                if atom.edit is None:
                    continue
                starts = (atom.edit.start, atom.edit.to_start)[number]
                ends = (atom.edit.end, atom.edit.to_end)[number]
                is_shifted = atom.edit.shifts and (place is None or starts < place)
                is_counted = has_price and (place is None or starts < place <= ends)
                if is_shifted or is_counted:
                    touched.add(atom.label)
            own = {atom.label for atom in atoms if atom.rule == rule.name}
            if touched:
                yield touched | own


def _of_settings(atoms: Sequence[Atom]) -> Iterator[set[str]]:
    """Settings that make no sense apart."""
    labels = {atom.label for atom in atoms}
    for pair in ({"integers", "linearisation"}, {"changes", "hydrology"}):
        if pair <= labels:
            yield pair


def _named(atoms: Sequence[Atom], together: Iterable[Sequence[str]]) -> list[set[str]]:
    labels = [atom.label for atom in atoms]
    faults = []
    for names in together:
        for name in names:
            if name not in labels:
                text = f"'{name}' is no clause that differs" + or_do(
                    suggest(name, labels), f"clauses are {listed(labels, 30) or 'none'}"
                )
                faults.append(Fault(Position(f"--together {','.join(names)}"), "E303", text))
    if faults:
        raise InputError(faults)
    return [set(names) for names in together]


def _join(atoms: Sequence[Atom], joins: Iterable[set[str]]) -> Iterator[Clause]:
    """Clauses of the atoms, in their order, where those in one set stay together."""
    groups = [{atom.label} for atom in atoms]
    for join in joins:
        met = [group for group in groups if group & join]
        groups = [group for group in groups if not group & join]
        groups.append(set().union(*met))
    left = {label: group for group in groups for label in group}
    for atom in atoms:
        group = left.get(atom.label)
        if group is None:
            continue
        yield Clause(tuple(one for one in atoms if one.label in group))
        for label in group:
            del left[label]
