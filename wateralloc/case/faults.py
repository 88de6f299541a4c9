"""Checking a part of a case file against its model: faults in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from wateralloc.case.items import Item, shown_value
from wateralloc.errors import CODES, CaseError, Findings, listed, suggest

_MUST: dict[str, str] = {
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "string_type": "be text",
    "path_type": "be a path",
    "list_type": "be a list, as [a, b]",
    "tuple_type": "be a list, as [a, b]",
    "dict_type": "be keys with values",
    "model_type": "be keys with values",
    "model_attributes_type": "be keys with values",
    "greater_than_equal": "be {ge:g} or more",
    "greater_than": "be more than {gt:g}",
    "less_than_equal": "be {le:g} or less",
    "less_than": "be less than {lt:g}",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
    "too_short": "have at least {min_length}",
    "too_long": "have at most {max_length}",
    "string_too_short": "have a value",
    "union_tag_invalid": "be a number, pattern:NAME, or keys with a value",
}


# said of a whole value, these say nothing where something within it has a fault of its own
_OF_WHOLE = {k for k in _MUST if k.endswith(("_type", "_parsing"))} | {"literal_error", "too_short"}


@dataclass(frozen=True)
class _Finding:
    path: tuple[Any, ...]
    item: Item
    code: str
    type: str
    text: str
    key: str = ""
    near: str = ""


class Checker:
    """Checks a part of a case file against its model, and puts the faults in plain words."""

    def __init__(self, findings: Findings, *, is_whole: bool = True) -> None:
        self.findings, self.is_whole = findings, is_whole

    def check(
        self,
        model: type[BaseModel],
        item: Item,
        name: str,
        extra: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
    ) -> Any:
        """Build the model from an item; None after faults.

        Parameters
        ----------
        name : what the item is, in words
        extra : keys that the case file leaves out
        without : keys of the item that are not the model's
        """
        data = item.plain()
        if isinstance(data, dict):
            data = {**(extra or {}), **{k: v for k, v in data.items() if k not in without}}
        try:
            return model.model_validate(data, context={"folder": item.folder})
        except ValidationError as error:
            faults = [self._finding(model, item, name, fault) for fault in error.errors()]
            self._add(faults)
            return None

    def _finding(self, model: type[BaseModel], root: Item, name: str, fault: Any) -> _Finding:
        kind, loc, context = fault["type"], fault["loc"], fault.get("ctx") or {}
        path: list[Any] = []
        item = root
        for key in loc:
            # a step that is no key of the data tells which way of writing the value was tried
            below = item.below(key)
            if below is not None:
                item = below
                path.append(key)
        if kind in ("extra_forbidden", "invalid_key"):
            known = _keys_at(model, loc[:-1])
            key, where = str(loc[-1]), _where(path[:-1], name)
            hint = suggest(key, known)
            near = hint.split("'")[1] if hint else ""
            tail = hint or (f"; its keys are {listed(known, 30)}" if known else "; remove it")
            what = f"unknown key '{key}' in {where}{tail}"
            return _Finding(tuple(path[:-1]), item, "E301", kind, what, key, near)
        if kind == "missing":
            key = str(loc[-1])
            meaning = _keys_at(model, loc[:-1]).get(key, "")
            what = f"{_where(path, name)} has no key '{key}'; add it" + (meaning and f": {meaning}")
            return _Finding(tuple(path), item, "E302", kind, what, key)
        if kind in CODES:
            return _Finding(tuple(path), item, kind, kind, fault["msg"])
        if kind in ("value_error", "assertion_error"):
            text = str(context.get("error", fault["msg"]))
        elif kind in _MUST:
            text = "must " + _MUST[kind].format(**context)
            if kind in ("too_short", "too_long"):
                text += " entry" if list(context.values())[1:2] == [1] else " entries"
            if kind in ("literal_error", "enum") and isinstance(item.value, str):
                text += suggest(item.value, re.findall(r"'([^']+)'", context["expected"]))
        else:
            text = re.sub("^(Input|String|Value|Keys?) should ", "must ", fault["msg"])
        return _Finding(tuple(path), item, "E303", kind, text, _called(path, name))

    def _add(self, faults: list[_Finding]) -> None:
        meant = {(f.path, f.near) for f in faults if f.near}
        of_value: dict[tuple[Any, ...], list[_Finding]] = {}
        not_finite = {fault.at for fault, _ in self.findings.faults if fault.code == "E204"}
        for fault in faults:
            if fault.code == "E303" and fault.item.at in not_finite:
                continue  # told when the file was read
            if fault.code == "E303":
                if not any(
                    _is_below(other.path, fault.path) for other in faults if fault.type in _OF_WHOLE
                ):
                    of_value.setdefault(fault.path, []).append(fault)
            elif fault.code == "E302":
                if self.is_whole and (fault.path, fault.key) not in meant:
                    at = fault.item.key_at if fault.path else fault.item.at
                    self.findings.add(at, fault.code, fault.text, CaseError)
            else:
                at = fault.item.key_at if fault.code == "E301" else fault.item.at
                self.findings.add(at, fault.code, fault.text, CaseError)
        for group in of_value.values():
            first = group[0]
            texts = list(dict.fromkeys(fault.text for fault in group))
            text = texts[0] + "".join(
                " or " + re.sub("^must (be )?", "", other) for other in texts[1:]
            )
            is_whole_value = isinstance(first.item.value, (dict, list)) and first.type not in _MUST
            joint = ": " if is_whole_value else f" is {shown_value(first.item)}; "
            self.findings.add(first.item.at, "E303", f"{first.key}{joint}{text}", CaseError)


def _is_below(path: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _where(path: Sequence[Any], name: str) -> str:
    """Name a place in a case, for use within a sentence."""
    if not path:
        return name
    dotted = ".".join(str(key) for key in path)
    return f"'{dotted}'" if name == "the case" else f"'{dotted}' of {name}"


def _called(path: Sequence[Any], name: str) -> str:
    """Name a value, at the start of a sentence."""
    if not path:
        return name
    dotted = ".".join(str(key) for key in path)
    return dotted if name == "the case" else f"{dotted} of {name}"


def _keys_at(model: type[BaseModel], loc: Sequence[Any]) -> dict[str, str]:
    """Keys that a model takes at a place, with their meanings, from its JSON Schema."""
    try:
        root = model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        fields = model.model_fields.items() if not loc else ()
        return {info.alias or key: info.description or "" for key, info in fields}

    def spread(schema: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in schema:
            return spread(root["$defs"][schema["$ref"].split("/")[-1]])
        ways = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
        return [schema, *(found for way in ways for found in spread(way))]

    schemas = spread(root)
    for key in loc:
        below: list[dict[str, Any]] = []
        for schema in schemas:
            if isinstance(key, int):
                step = schema.get("items")
            else:
                step = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(step, dict):
                below += spread(step)
        schemas = below or schemas
    return {
        key: way.get("description", "")
        for schema in schemas
        for key, way in schema.get("properties", {}).items()
    }
