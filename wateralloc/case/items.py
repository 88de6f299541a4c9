"""Values of a case file with their places."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wateralloc.errors import Position
from wateralloc.tables import YamlFile


@dataclass
class Item:
    """A value of a case file, and where it stands.

    Attributes
    ----------
    value : scalar, or items by key, or a list of items
    at, key_at : positions of the value and of its key
    folder : folder of the file, from which paths in it are read
    """

    value: Any
    at: Position
    key_at: Position
    folder: Path

    def get(self, *keys: Any) -> Item | None:
        """Item below, if there is one."""
        item: Item | None = self
        for key in keys:
            item = item.below(key) if item is not None else None
        return item

    def below(self, key: Any) -> Item | None:
        """Item of a key, or of a number in a list."""
        if isinstance(self.value, dict):
            return self.value.get(key)
        is_number = isinstance(self.value, list) and str(key).isdigit()
        return self.value[int(key)] if is_number and int(key) < len(self.value) else None

    def deepest(self, keys: Iterable[Any]) -> Item:
        """Item below, or the deepest that is there of those on the way to it."""
        item = self
        for key in keys:
            below = item.below(key)
            if below is None:
                break
            item = below
        return item

    def plain(self) -> Any:
        """Plain data; dates as text."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value.isoformat() if isinstance(self.value, datetime.date) else self.value


def items_of_file(file: YamlFile) -> Item:
    """Items of a file, each with its own place."""

    def wrap(value: Any, keys: tuple[Any, ...]) -> Item:
        if isinstance(value, dict):
            value = {key: wrap(below, (*keys, key)) for key, below in value.items()}
        elif isinstance(value, list):
            value = [wrap(below, (*keys, k)) for k, below in enumerate(value)]
        return Item(value, file.position(*keys), file.key_position(*keys), file.path.parent)

    return wrap(file.data, ())


def items_of_data(value: Any, at: Position, folder: Path) -> Item:
    """Items of plain data, all in one place."""
    if isinstance(value, dict):
        value = {key: items_of_data(below, at, folder) for key, below in value.items()}
    elif isinstance(value, list):
        value = [items_of_data(below, at, folder) for below in value]
    return Item(value, at, at, folder)


def label_of(item: Item) -> str:
    """Name of a rule, or kind of a goal, by which an entry of a list is known; "" without one."""
    if not isinstance(item.value, dict):
        return ""
    if "rule" in item.value:
        name = item.get("name")
        return str((name if name and name.value else item.value["rule"]).value)
    return str(next(iter(item.value))) if len(item.value) == 1 else ""


def shown_value(item: Item) -> str:
    """Value as it is shown within a sentence."""
    value = item.value
    if value is None or value == "":
        return "empty"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else f"'{value}'"
