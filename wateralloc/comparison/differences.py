"""What differs between two cases, clause by clause."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

OWN = ("name", "title", "description", "schema", "basin", "rules", "goals")
"""Keys of a case that name it, or that are compared in another way."""
SAID = ("rule", "name", "source")
"""Keys of a rule that change nothing, or tell which it is."""


class Difference(NamedTuple):
    """A clause that is in one case and not, or otherwise, in the other.

    Attributes
    ----------
    part : ``rule``, ``goal`` or ``setting``
    clause : name of the rule, place and kind of the goal, or dotted key
    change : ``added``, ``removed`` or ``changed``
    before, after : what the clause says in the reference and in the policy; of a changed rule or
        goal the keys that differ
    """

    part: str
    clause: str
    change: str
    before: str
    after: str


def differences(reference: Mapping[str, Any], policy: Mapping[str, Any]) -> list[Difference]:
    """List what a policy changes in the reference.

    Parameters
    ----------
    reference, policy : cases as plain data, after ``extends`` and ``--set``: ``resolved`` of their
        manifests
    """
    return [*_settings(reference, policy), *_rules(reference, policy), *_goals(reference, policy)]


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    old, new = (
        dict(_leaves({k: v for k, v in case.items() if k not in OWN})) for case in (before, after)
    )
    for key in dict.fromkeys([*old, *new]):
        texts = old.get(key, ""), new.get(key, "")
        if texts[0] != texts[1]:
            yield Difference("setting", key, _change(*texts), *texts)


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, below in value.items():
        if isinstance(below, Mapping) and below:
            yield from _leaves(below, f"{above}{key}.")
        else:
            yield f"{above}{key}", brief(below)


def _rules(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    old, new = ({_name(rule): rule for rule in case.get("rules") or ()} for case in (before, after))
    for name in dict.fromkeys([*old, *new]):
        bodies = old.get(name), new.get(name)
        yield from _clause("rule", name, *bodies)


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("name") or rule.get("rule"))


def _goals(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    old, new = list(before.get("goals") or ()), list(after.get("goals") or ())
    keys = [[json.dumps(goal, sort_keys=True) for goal in goals] for goals in (old, new)]
    for what, i, i_end, j, j_end in SequenceMatcher(
        None, keys[0], keys[1], autojunk=False
    ).get_opcodes():
        if what == "equal":
            continue
        gone, come = old[i:i_end], new[j:j_end]
        while gone and come and list(gone[0]) == list(come[0]):  # the same kind, said otherwise
            yield from _clause("goal", _place(j, come[0]), _body(gone[0]), _body(come[0]))
            gone, come, i, j = gone[1:], come[1:], i + 1, j + 1
        for k, goal in enumerate(gone, i):
            yield from _clause("goal", _place(k, goal), _body(goal), None)
        for k, goal in enumerate(come, j):
            yield from _clause("goal", _place(k, goal), None, _body(goal))


def _place(at: int, goal: Mapping[str, Any]) -> str:
    return f"{at + 1} {next(iter(goal))}"


def _body(goal: Mapping[str, Any]) -> dict[str, Any]:
    (body,) = goal.values()
    return dict(body) if isinstance(body, Mapping) else {"quantity": body}


def _clause(
    part: str, name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Iterator[Difference]:
    if old is None or new is None:
        text = _keys(old if new is None else new, part)
        if old is None:
            yield Difference(part, name, "added", "", text)
        else:
            yield Difference(part, name, "removed", text, "")
        return
    keys = [k for k in dict.fromkeys([*old, *new]) if k not in SAID[1:] and _differ(old, new, k)]
    if keys:
        texts = [", ".join(f"{k}: {brief(of.get(k))}" for k in keys) for of in (old, new)]
        yield Difference(part, name, "changed", *texts)


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    return bool(old.get(key) != new.get(key))


def _keys(body: Mapping[str, Any] | None, part: str) -> str:
    """Keys of a whole clause; a rule begins with its kind."""
    body = body or {}
    words = [str(body["rule"])] if part == "rule" else []
    return ", ".join(words + [f"{k}: {brief(v)}" for k, v in body.items() if k not in SAID])


def _change(before: str, after: str) -> str:
    if not before or not after:
        return "removed" if before else "added"
    return "changed"


def brief(value: Any) -> str:
    """Write plain data in one line, as in a case file.

    >>> brief({"months": [1, 2], "value": 1200.0}), brief(None)
    ('{months: [1, 2], value: 1200}', '-')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {brief(below)}" for key, below in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(brief(below) for below in value) + "]"
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
