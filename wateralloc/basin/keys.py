"""Nested settings as a table of two columns, key and value, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from wateralloc.errors import Findings, Position, listed, shown
from wateralloc.tables import YamlFile

Keys = tuple[str | int, ...]

_NAME = re.compile(r"[^\W\d][\w-]*")
_STEP = re.compile(
    r'(?P<name>[^\W\d][\w-]*)|(?P<number>-?\d+)|(?P<quoted>"(?:[^"\\]|\\.)*")|\[(?P<item>\d+)\]'
)
EMPTY: dict[str, Any] = {"{}": {}, "[]": []}
"""How the key ends whose value is a mapping or a list of nothing."""


def to_rows(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """List the settings as keys with a plain value each.

    Raises
    ------
    ValueError
        A key or a value is neither text nor a number nor true, false or nothing.

    Examples
    --------
    >>> list(to_rows({"name": {"en": "Red River"}, "meta_tags": ["a", "b"], "meta_x": {}}))
    [('name.en', 'Red River'), ('meta_tags[0]', 'a'), ('meta_tags[1]', 'b'), ('meta_x{}', None)]
    """
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from to_rows(item, f"{key}.{_step(name)}" if key else _step(name))
    elif isinstance(value, list) and value:
        for k, item in enumerate(value):
            yield from to_rows(item, f"{key}[{k}]")
    elif isinstance(value, dict | list):
        yield f"{key}{'{}' if isinstance(value, dict) else '[]'}", None
    elif value is None or isinstance(value, str | int | float):
        yield key, value
    else:
        raise ValueError(f"{key} is {value!r}")


def _step(name: Any) -> str:
    if isinstance(name, str):
        return name if _NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    raise ValueError(f"key {name!r} is neither text nor a whole number")


@dataclass(frozen=True)
class SettingRow:
    """One row of the sheet: its number, key and value."""

    line: int
    key: str
    value: Any


@dataclass(frozen=True)
class SheetYaml(YamlFile):
    """Settings that come as rows of a sheet.

    Attributes
    ----------
    lines : keys, in text, -> line of the first row that has them
    leaves : keys whose value stands in a cell
    """

    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    leaves: frozenset[tuple[str, ...]] = frozenset()

    def position(self, *keys: str | int) -> Position:
        words = tuple(map(str, keys))
        return self._place(keys, 2 if words in self.leaves else 1)

    def key_position(self, *keys: str | int) -> Position:
        return self._place(keys, 1)

    def _place(self, keys: Sequence[str | int], column: int) -> Position:
        words = tuple(map(str, keys))
        while words and words not in self.lines:
            words, column = words[:-1], 1
        return Position(shown(self.path), self.lines.get(words, 1), column, is_cell=True)


class Item(int):
    """Place of an item in a list, where a plain number is a key."""


class _List(dict[int, Any]):
    """Items of a list by their place."""


def from_rows(path: Path, rows: Sequence[SettingRow], findings: Findings) -> SheetYaml:
    """Build nested settings from rows; faults are E105, E106 and E301."""
    data: dict[Any, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    seen: dict[tuple[str, ...], int] = {}
    leaves: set[tuple[str, ...]] = set()
    n_faults = len(findings.faults)
    for row in rows:
        at = Position(shown(path), row.line, 1, is_cell=True)
        keys, empty = _split(row.key)
        if keys is None:
            text = f"key '{row.key}' cannot be read; write names with points between, as name.en"
            findings.add(at, "E301", text)
            continue
        words = tuple(map(str, keys))
        exact = tuple(map(repr, keys))  # "2010" and 2010 are two
        if exact in seen:
            text = f"key '{row.key}' stands already in row {seen[exact]}; keep one"
            findings.add(at, "E106", text)
            continue
        if not _put(data, keys, row.value if empty is None else type(empty)()):
            text = f"key '{row.key}' has a value and keys below it; keep one of the two"
            findings.add(at, "E105", text)
            continue
        for k in range(1, len(words) + 1):
            lines.setdefault(words[:k], row.line)
        seen[exact] = row.line
        leaves.add(words)
    whole = _settled(data, path, lines, findings)
    return SheetYaml(path, whole, len(findings.faults) == n_faults, None, lines, frozenset(leaves))


def _split(key: str) -> tuple[Keys | None, Any]:
    """Names and places of items in a key, and what it is when it is empty.

    >>> _split('meta_notes."a.b"[2]')
    (('meta_notes', 'a.b', 2), None)
    """
    empty = EMPTY.get(key[-2:])
    key = key if empty is None else key[:-2]
    steps: list[Any] = []
    at = 0
    while at < len(key):
        if steps and key[at] == ".":
            at += 1
        elif steps and key[at] != "[":
            return None, None
        match = _STEP.match(key, at)
        if match is None:
            return None, None
        at = match.end()
        if match["item"]:
            steps.append(Item(match["item"]))
        elif match["number"]:
            steps.append(int(match["number"]))
        elif match["quoted"]:
            try:
                steps.append(json.loads(match["quoted"]))
            except ValueError:
                return None, None
        else:
            steps.append(match["name"])
    return (tuple(steps) if steps else None), empty


def _put(data: dict[Any, Any], keys: Keys, value: Any) -> bool:
    """Set a value below its keys; False where another value is in the way."""
    holder: Any = data
    for key, below in pairwise(keys):
        kind = _List if isinstance(below, Item) else dict
        holder = holder.setdefault(key, kind())
        if type(holder) is not kind:
            return False
    return isinstance(holder, _List) == isinstance(keys[-1], Item) and (
        holder.setdefault(keys[-1], value) is value
    )


def _settled(
    value: Any,
    path: Path,
    lines: Mapping[tuple[str, ...], int],
    findings: Findings,
    words: tuple[str, ...] = (),
) -> Any:
    """Lists in place of items by their place, which must be all there."""
    if not isinstance(value, dict):
        return value
    whole = {
        key: _settled(item, path, lines, findings, (*words, str(key)))
        for key, item in value.items()
    }
    if not isinstance(value, _List):
        return whole
    if sorted(whole) != list(range(len(whole))):
        at = Position(shown(path), lines[words], 1, is_cell=True)
        have = listed(f"[{k}]" for k in sorted(whole))
        text = f"list '{'.'.join(words)}' has items {have}; number them from [0], without gaps"
        findings.add(at, "E105", text)
    return [whole[k] for k in sorted(whole)]
