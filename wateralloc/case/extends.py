"""What changes a case file: ``extends``, ``without`` and ``--set``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wateralloc.case.find import find_case
from wateralloc.case.items import Item, items_of_data, items_of_file, label_of, shown_value
from wateralloc.errors import CaseError, Findings, Position, listed, shown, suggest
from wateralloc.hydrology import CHOICES
from wateralloc.tables import read_yaml

_OWN = ("name", "title", "description", "extends")


class Chain:
    """Reads a case file and those it extends, and merges them.

    Attributes
    ----------
    files : every file that was read, the case first
    is_whole : all of them could be read
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.files: list[Path] = []
        self.is_whole = True

    def read(self, path: Path) -> Item | None:
        file = read_yaml(path, self.findings)
        self.files.append(path)
        if not file.is_sound:
            self.is_whole = False
            return None
        case = items_of_file(file)
        extends = case.get("extends")
        if extends is None:
            without = case.value.pop("without", None)
            if without is not None:
                self._fault(
                    without.key_at,
                    "E303",
                    "without drops rules of an extended case but this case extends none; "
                    "remove it, or add extends",
                )
            return case
        parent = self._read_parent(extends)
        if parent is None:
            self.is_whole = False
            return case
        return self._extend(parent, case)

    def _read_parent(self, extends: Item) -> Item | None:
        if not isinstance(extends.value, str):
            what = f"extends is {shown_value(extends)}; must be the name or path of a case"
            self._fault(extends.at, "E303", what)
            return None
        path = find_case(extends.value, extends.folder, extends.at, self.findings)
        if path is None:
            return None
        before = [file.resolve() for file in self.files]
        if path.resolve() in before:
            circle = [*self.files[before.index(path.resolve()) :], path]
            self._fault(
                extends.at,
                "E304",
                f"cases extend each other in a circle: {' -> '.join(shown(p) for p in circle)}; "
                "remove one extends",
            )
            return None
        return self.read(path)

    def _extend(self, parent: Item, child: Item) -> Item:
        base = {key: item for key, item in parent.value.items() if key not in _OWN}
        own = {key: item for key, item in child.value.items() if key != "without"}
        rules = own.pop("rules", None)
        merged = _merge(Item(base, *_places(parent)), Item(own, *_places(child)))
        self.drop_rules(merged, child.get("without"))
        if rules is not None:
            merged.value["rules"] = _merge_rules(base.get("rules"), rules)
        return merged

    def drop_rules(self, case: Item, without: Item | None) -> None:
        """Leave out the rules named by ``without``."""
        rules = case.get("rules")
        if without is None or not isinstance(without.value, list):
            if without is not None:
                what = f"without is {shown_value(without)}; must be a list of rule names"
                self._fault(without.at, "E303", what)
            return
        entries = rules.value if rules and isinstance(rules.value, list) else []
        known = [label_of(entry) for entry in entries]
        for item in without.value:
            if item.value not in known and self.is_whole:
                near = suggest(item.value, known) or f"; rules are {listed(known) or 'none'}"
                what = f"there is no rule '{item.value}' to leave out{near}"
                self._fault(item.at, "E311", what)
        drop = [item.value for item in without.value]
        if rules and isinstance(rules.value, list):
            rules.value[:] = [entry for entry in entries if label_of(entry) not in drop]

    def _fault(self, at: Position, code: str, text: str) -> None:
        self.findings.add(at, code, text, CaseError)


def _places(item: Item) -> tuple[Position, Position, Path]:
    return item.at, item.key_at, item.folder


def _merge(base: Item, top: Item) -> Item:
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    merged = dict(base.value)
    for key, item in top.value.items():
        if key == "hydrology" and key in merged:
            _drop_choices(merged[key], item.value if isinstance(item.value, dict) else ())
        merged[key] = _merge(merged[key], item) if key in merged else item
    return Item(merged, *_places(top))


def _drop_choices(hydrology: Item, keys: Iterable[Any]) -> None:
    """Forget the years a hydrology chooses where a record or other years come on top."""
    if {*CHOICES, "record"} & set(keys) and isinstance(hydrology.value, dict):
        hydrology.value = {k: v for k, v in hydrology.value.items() if k not in CHOICES}


def _merge_rules(base: Item | None, top: Item) -> Item:
    if base is None or not (isinstance(base.value, list) and isinstance(top.value, list)):
        return top
    rules = list(base.value)
    place = {label_of(rule): k for k, rule in reversed(list(enumerate(rules))) if label_of(rule)}
    for rule in top.value:
        k = place.pop(label_of(rule), None)
        if k is None:
            rules.append(rule)
        else:
            rules[k] = rule
    return Item(rules, *_places(top))


def apply(case: Item, changes: Mapping[str, str], findings: Findings) -> None:
    """Put the values of ``--set a.b=c`` in their places."""
    for path, text in changes.items():
        at = Position(f"--set {path}={text}")
        try:
            value = YAML(typ="safe", pure=True).load(text)
        except (YAMLError, ValueError) as error:
            what = str(getattr(error, "problem", None) or error).splitlines()[0]
            findings.add(at, "E105", f"'{text}' is not valid YAML: {what}; quote it", CaseError)
            continue
        fault = _set(case, path.split("."), items_of_data(value, at, Path.cwd()))
        if fault:
            findings.add(at, "E301", fault, CaseError)


def _set(case: Item, keys: list[str], new: Item) -> str:
    """Set an item; returns the text of a fault, or ""."""
    if keys[0] == "extends":
        return "extends cannot be set from outside; name the other case in place of this one"
    item = case
    for k, key in enumerate(keys):
        where = f"'{'.'.join(keys[:k])}'" if k else "the case"
        if not key:
            return "a key is empty; write it as a.b=value"
        if item.value is None:
            item.value = {}
        if isinstance(item.value, list):
            found = _entry(item.value, key)
            if isinstance(found, str):
                return where + found
            container, slot = found
        elif isinstance(item.value, dict):
            container, slot = item.value, key
        else:
            return f"{where} is {shown_value(item)} and holds no key '{key}'; set {where} itself"
        if k == len(keys) - 1:
            if item is case.get("hydrology") and key in CHOICES:
                kept = {c: v for c, v in container.items() if v.at.file.startswith("--set ")}
                others = {c: v for c, v in container.items() if c not in CHOICES}
                item.value = container = {**others, **kept}
            container[slot] = new
            return ""
        if isinstance(container, dict) and slot not in container:
            container[slot] = Item({}, new.at, new.at, new.folder)
        item = container[slot]
    return ""


def _entry(entries: list[Item], key: str) -> tuple[Any, Any] | str:
    """Container and key of a list's entry, by its number or name; else the tail of a message."""
    if key.isdigit():
        if int(key) < len(entries):
            return entries, int(key)
        return f" has no entry {key}; it has {len(entries)}, counted from 0"
    labels = [label_of(entry) for entry in entries]
    if labels.count(key) > 1:
        numbers = " or ".join(str(k) for k, label in enumerate(labels) if label == key)
        return f" has several entries '{key}'; take one by its number, counted from 0: {numbers}"
    if key not in labels:
        known = [label for label in labels if label]
        tail = suggest(key, known) or f"; it has {listed(known) or 'none with a name'}"
        return f" has no entry '{key}'{tail}"
    k = labels.index(key)
    # a goal is known by its one key, and its body is what is meant
    return (entries, k) if "rule" in entries[k].value else (entries[k].value, key)
