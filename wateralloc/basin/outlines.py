"""Reading ``outlines.geojson``: provinces, coast and border, to draw a basin on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json import JSONDecodeError, JSONDecoder
from typing import Any

import numpy as np

from wateralloc.basin.model import OUTLINE_KINDS, Outline
from wateralloc.basin.reading import Reading
from wateralloc.basin.sources import OUTLINES
from wateralloc.errors import Position, listed, or_do, shown, suggest

_BETWEEN = re.compile(r"[\s,:]*")
_LINES, _AREAS = ("LineString", "MultiLineString"), ("Polygon", "MultiPolygon")
_GEOMETRIES = {kind: _AREAS if kind == "province" else _LINES for kind in OUTLINE_KINDS}


class _Refusal(ValueError):
    """What is wrong with a feature: code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def read_outlines(reading: Reading) -> tuple[Outline, ...]:
    """Read the outlines of a basin, in their order; those with a fault are left out."""
    text = reading.source.outlines(reading.findings)
    if text is None:
        return ()
    path = reading.folder / OUTLINES
    file = shown(path)
    reading.add_file(path)
    try:
        members = _members(text)
    except JSONDecodeError as error:
        at = Position(file, error.lineno, error.colno)
        reading.findings.add(at, "E105", f"is not valid JSON: {error.msg}; correct it")
        return ()
    features = members.get("features")
    if members.get("type") != "FeatureCollection" or not isinstance(features, list):
        what = "must be a GeoJSON FeatureCollection; write it again"
        reading.findings.add(Position(file), "E105", what)
        return ()
    found: dict[str, Position] = {}
    outlines = []
    for place, feature in features:
        line = text.count("\n", 0, place) + 1
        at = Position(file, line, place - text.rfind("\n", 0, place))
        try:
            outline = _outline(feature, reading.names.get("provinces"))
            if outline.province in found:
                where = f"in line {found[outline.province].line} too"
                raise _Refusal("E206", f"province '{outline.province}' is {where}; keep one")
        except _Refusal as fault:
            reading.findings.add(at, fault.code, fault.text)
            continue
        if outline.province:
            found[outline.province] = at
        outlines.append(outline)
    return tuple(outlines)


def _members(text: str) -> dict[str, Any]:
    """Members of an object; a list has each of its items with the place where it begins.

    Raises
    ------
    JSONDecodeError
    """
    if not isinstance(json.loads(text), dict):
        return {}
    read = JSONDecoder().raw_decode

    def skip(at: int) -> int:
        found = _BETWEEN.match(text, at)
        return found.end() if found else at

    members: dict[str, Any] = {}
    at = skip(text.index("{") + 1)
    while text[at] != "}":
        key, at = read(text, at)
        at = skip(at)
        if text[at] == "[":
            at, items = skip(at + 1), []
            while text[at] != "]":
                item, end = read(text, at)
                items.append((at, item))
                at = skip(end)
            members[key], at = items, skip(at + 1)
        else:
            members[key], at = read(text, at)
            at = skip(at)
    return members


def _outline(feature: Any, provinces: list[str] | None) -> Outline:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    properties = properties if isinstance(properties, Mapping) else {}
    province, kind = properties.get("province"), properties.get("kind")
    if (province is None) == (kind is None):
        raise _Refusal("E302", "feature must have either the property province or kind; correct it")
    if province is None and kind not in ("coast", "border"):
        raise _Refusal("E205", f"kind is '{kind}'; must be coast or border")
    if province is not None and provinces is not None and province not in provinces:
        hint = or_do(suggest(province, provinces), "declare it under provinces in basin.yaml")
        raise _Refusal("E211", f"province '{province}' does not exist{hint}")
    kind = kind or "province"
    geometry = feature.get("geometry")
    geometry = geometry if isinstance(geometry, Mapping) else {}
    form, coordinates = geometry.get("type"), geometry.get("coordinates")
    if form not in _GEOMETRIES[kind]:
        must = listed(_GEOMETRIES[kind]).replace(", ", " or ")
        raise _Refusal("E303", f"geometry of a {kind} is {form}; must be {must}")
    lines = tuple(_line(points, closed=form in _AREAS) for points in _lists(form, coordinates))
    return Outline(kind, province or "", lines)


def _lists(form: str, coordinates: Any) -> list[Any]:
    """Lists of points: a list less deep for a line, deeper for areas."""
    if form == "LineString":
        return [coordinates]
    if isinstance(coordinates, list) and coordinates:
        if form != "MultiPolygon":
            return coordinates
        if all(isinstance(rings, list) for rings in coordinates):
            return [ring for rings in coordinates for ring in rings]
    raise _Refusal("E303", f"coordinates are not those of a {form}; write it again")


def _line(points: Any, *, closed: bool) -> np.ndarray:
    """Longitude and latitude of the points of a line or ring."""
    try:
        line = np.array(points)
    except ValueError:  # points of different length
        line = np.array([])
    if line.dtype.kind not in "if" or line.ndim != 2 or line.shape[1] not in (2, 3):
        raise _Refusal("E303", "coordinates must be lists of longitude and latitude; correct them")
    line = line[:, :2].astype(float)
    within = (np.abs(line) <= (180.0, 90.0)).all(axis=1)
    if not within.all():
        lon, lat = line[np.flatnonzero(~within)[0]]
        must = "longitude must be -180 to 180, latitude -90 to 90 degrees (WGS 84)"
        raise _Refusal("E203", f"a point is {lon:g}, {lat:g}; {must}")
    if closed and (len(line) < 4 or (line[0] != line[-1]).any()):
        raise _Refusal("E303", "a ring must have 4 points or more and end where it began; close it")
    if len(line) < 2:
        raise _Refusal("E303", "a line must have 2 points or more; correct it")
    return line
