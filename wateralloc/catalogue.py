"""Find parts, rules and goals by scanning the package and the installed entry points.

A concept is a class with an attribute ``kind`` in a module of its own below ``wateralloc.parts``,
``wateralloc.rules`` or ``wateralloc.goals``; another package adds one by an entry point in the
group of the same name.  Adding a concept is adding a file: nothing else names it.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from wateralloc.errors import ModelError


@cache
def find(package: str) -> dict[str, Any]:
    """Return every concept of a kind by its name, in the order of their names.

    Parameters
    ----------
    package : ``parts``, ``rules`` or ``goals``

    Raises
    ------
    ModelError
        Two classes claim the same name.
    """
    group = f"wateralloc.{package}"
    modules = pkgutil.iter_modules(import_module(group).__path__)
    found: dict[str, Any] = {}
    for name in sorted(module.name for module in modules):
        module = import_module(f"{group}.{name}")
        for thing in vars(module).values():
            if isinstance(thing, type) and thing.__module__ == module.__name__:
                _register(found, thing)
    for entry in sorted(entry_points(group=group), key=lambda e: e.name):
        _register(found, entry.load())
    return found


def _register(found: dict[str, Any], thing: type) -> None:
    kind = getattr(thing, "kind", None)
    if not isinstance(kind, str):
        return
    if kind in found:
        raise ModelError(f"'{kind}' is declared by {found[kind]} and by {thing}; rename one")
    found[kind] = thing
