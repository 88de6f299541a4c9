"""Nodes and links on the map: GeoJSON, and GeoPackage with numbers to colour by."""

from __future__ import annotations

import errno
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wateralloc.basin import Basin
from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.metrics import satisfaction
from wateralloc.parts.sink import OUTLET
from wateralloc.results.store import Results, replacing
from wateralloc.timeline import years_between
from wateralloc.units import SECONDS_PER_DAY, m3s_of_hm3

WRITTEN = "2000-01-01T00:00:00.000Z"
"""Stands in every GeoPackage in place of the time it was written: the same basin, the same file."""

Place = tuple[float, float]
"""Longitude and latitude in degrees, WGS 84."""


@dataclass(frozen=True)
class Layer:
    """Items on the map, all points or all lines.

    Attributes
    ----------
    name : ``node`` or ``link``
    items : names
    shapes : the points of each item, one or two; none where its place is not known
    columns : attribute -> text of each item; "" where there is none
    numbers : attribute -> number of each item; NaN where there is none
    """

    name: str
    items: list[str]
    shapes: list[list[Place]]
    columns: dict[str, list[str]]
    numbers: dict[str, np.ndarray]

    @property
    def geometry(self) -> str:
        return "Point" if self.name == "node" else "LineString"


def basin_layers(basin: Basin) -> tuple[Layer, Layer]:
    """Links and nodes of a basin with what its tables say of them.

    Numbers are those that are the same on all days, in canonical units.
    """
    lon, lat = (basin.values("nodes", column) for column in ("lon", "lat"))
    places = {node: (lon[node], lat[node]) for node in lon if node in lat}
    link, node = (
        _layer_of(name, basin.tables[f"{name}s"], basin.declared[f"{name}s"].columns, places)
        for name in ("link", "node")
    )
    return link, node


def _layer_of(name: str, table: Any, declared: Sequence[Any], places: Mapping[str, Place]) -> Layer:
    columns: dict[str, list[str]] = {}
    numbers: dict[str, np.ndarray] = {}
    for column in declared:
        cells = table[column.name].tolist() if column.name in table else []
        if column.type in ("name", "text") and column.name != "name":
            columns[column.name] = cells
        elif column.type in ("number", "integer") and column.name not in ("lon", "lat"):
            values = [float(c) if isinstance(c, int | float) else np.nan for c in cells]
            numbers[column.label] = np.array(values)
    return _layer(name, list(table.index), columns, numbers, places)


def result_layers(results: Results) -> tuple[Layer, Layer]:
    """Links and nodes of a result with what came of them, as means over members.

    Of a node with demands: demand, withdrawal and deficit [hm3 a year, of the whole horizon where
    that is shorter] and their satisfaction.  Of a link: mean flow that enters [m3/s].

    Raises
    ------
    InputError
        The result does not say where nodes lie.
    """
    dataset = results.dataset
    if "lon" not in dataset:
        text = "holds no places of nodes, an earlier version wrote it; run the case again"
        raise InputError([Fault(Position(str(results.manifest["case"])), "E109", text)])
    lon, lat = dataset["lon"].values.tolist(), dataset["lat"].values.tolist()
    names = dataset["node_with_place"].values.tolist()
    places = dict(zip(names, zip(lon, lat, strict=True), strict=True))
    inside = dataset["link_kind"].values != OUTLET
    links = dataset["link"].values[inside].tolist()
    columns = {
        key: dataset[f"link_{key}"].values[inside].tolist() for key in ("from", "to", "kind")
    }
    columns |= _labels(dataset, "link", links)
    flow = {"flow_m3s": _flow(dataset)[inside]}
    nodes = dataset["node"].values.tolist()
    of_nodes = {
        key: dataset[f"node_{key}"].values.tolist()
        for key in ("kind", "region", "province", "sub_basin")
    }
    of_nodes |= _labels(dataset, "node", nodes)
    return (
        _layer("link", links, columns, flow, places),
        _layer("node", nodes, of_nodes, _service(dataset), places),
    )


def _layer(
    name: str, items: list[str], columns: dict[str, list[str]], numbers: dict[str, np.ndarray],
    places: Mapping[str, Place],
) -> Layer:  # fmt: skip
    ends: list[tuple[str, ...]] = [(item,) for item in items]
    if name == "link":
        ends = list(zip(columns["from"], columns["to"], strict=True))
    shapes = [
        [places[end] for end in of_item] if all(end in places for end in of_item) else []
        for of_item in ends
    ]
    return Layer(name, items, shapes, columns, numbers)


def _labels(dataset: xr.Dataset, of: str, items: list[str]) -> dict[str, list[str]]:
    """Vietnamese and English names of items, where they have some of their own."""
    is_one = dataset["word_of"].values == of
    names = dataset["word_name"].values[is_one]
    labels = {}
    for language in ("vi", "en"):
        words = dict(zip(names, dataset[f"word_{language}"].values[is_one], strict=True))
        labels[f"name_{language}"] = [
            "" if words.get(item) == item else str(words.get(item, "")) for item in items
        ]
    return labels


def _flow(dataset: xr.Dataset) -> np.ndarray:
    """Mean flow that enters each link [m3/s] (link)."""
    seconds = float(dataset["days"].sum()) * SECONDS_PER_DAY
    volume = dataset["flow_in"].mean("member").sum("time")
    return m3s_of_hm3(volume.values, seconds)


def _service(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """What the demands at each node ask and get [hm3 a year] (node)."""
    edges = dataset["time_bnds"].values
    years = max(1.0, years_between(edges[0, 0], edges[-1, 1]))
    nodes = dataset["node"].to_index()
    at = nodes.get_indexer(dataset["demand_node"].values)
    has_demand = np.bincount(at, minlength=len(nodes)) > 0
    numbers = {}
    for name, variable in (
        ("demand", "demand_volume"), ("withdrawal", "withdrawal"), ("deficit", "deficit"),
    ):  # fmt: skip
        volume = dataset[variable].mean("member").sum("time").values / years
        total = np.bincount(at, volume, len(nodes))
        numbers[f"{name}_hm3"] = np.where(has_demand, total, np.nan)
    asked, taken = (xr.DataArray(numbers[f"{of}_hm3"]) for of in ("demand", "withdrawal"))
    served = satisfaction(asked, taken).values
    return numbers | {"satisfaction": np.where(has_demand, served, np.nan)}


# --- GeoJSON ------------------------------------------------------------------------------------


def write_geojson(of: Basin | Results, path: Path) -> None:
    """Write the nodes and links of a basin or result as GeoJSON (RFC 7946).

    Raises
    ------
    InputError
        The result does not say where nodes lie.
    OSError
        The file cannot be written.
    """
    text = json.dumps(geojson(of), ensure_ascii=False, allow_nan=False, indent=1)
    with replacing(path) as written:
        written.write_text(text + "\n", encoding="utf-8")


def geojson(of: Basin | Results) -> dict[str, Any]:
    """Put the nodes and links of a basin or result on the map, as a FeatureCollection.

    A node is a point, a link the straight line between its nodes; one without coordinates has no
    geometry (null).  ``layer`` is ``node`` or ``link``; the id is layer and name.  Features of a
    result have its numbers (:func:`result_layers`).

    Returns
    -------
    dict
        Coordinates are longitude and latitude in degrees (WGS 84).
    """
    has_numbers = isinstance(of, Results)
    features = []
    for layer in result_layers(of) if isinstance(of, Results) else basin_layers(of):
        for k, (item, shape) in enumerate(zip(layer.items, layer.shapes, strict=True)):
            points = [list(place) for place in shape]
            coordinates = points if layer.geometry == "LineString" else points[:1]
            words = {key: words[k] for key, words in layer.columns.items() if words[k]}
            numbers = {
                key: float(values[k])
                for key, values in layer.numbers.items()
                if has_numbers and np.isfinite(values[k])
            }
            geometry = {
                "type": layer.geometry,
                "coordinates": coordinates if layer.name == "link" else coordinates[0],
            } if shape else None  # fmt: skip
            features.append({
                "type": "Feature",
                "id": f"{layer.name}/{item}",
                "geometry": geometry,
                "properties": {"layer": layer.name, "name": item, **words, **numbers},
            })  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


# --- GeoPackage ---------------------------------------------------------------------------------


def write_geopackage(of: Basin | Results, path: Path) -> None:
    """Write the layers ``links`` and ``nodes`` of a basin or result as a GeoPackage (WGS 84).

    They have what GeoJSON has, and of a basin the numbers of ``nodes.csv`` and ``links.csv`` that
    are the same on all days.  What an item does not have is NULL.

    Raises
    ------
    InputError
        There is no pyogrio, or the result does not say where nodes lie.
    OSError
        The file cannot be written.
    """
    layers = result_layers(of) if isinstance(of, Results) else basin_layers(of)
    try:
        import pyogrio
    except ImportError:
        text = "a GeoPackage needs pyogrio; install wateralloc[gis], or write geojson"
        raise InputError([Fault(Position(shown(path)), "E107", text)]) from None
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": WRITTEN})
    try:
        with replacing(path) as written:
            for layer in layers:
                _write_layer(pyogrio, layer, written)
    except pyogrio.errors.DataSourceError as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_layer(pyogrio: Any, layer: Layer, path: Path) -> None:
    texts = {"name": layer.items, **layer.columns}
    words = [np.array([word or None for word in column], object) for column in texts.values()]
    pyogrio.raw.write(
        str(path),
        np.array([_wkb(shape) for shape in layer.shapes], dtype=object),
        [*words, *layer.numbers.values()],
        [*texts, *layer.numbers],
        # a number that is not there is NULL, not NaN
        field_mask=[*[None] * len(texts), *map(np.isnan, layer.numbers.values())],
        layer=f"{layer.name}s",
        driver="GPKG",
        geometry_type=layer.geometry,
        crs="EPSG:4326",
        append=path.exists(),
    )


def _wkb(shape: Sequence[Place]) -> bytes | None:
    """Well-known binary of a point or line, least significant byte first; None of no points."""
    if not shape:
        return None
    values = [value for place in shape for value in place]
    head = struct.pack("<BI", 1, 1) if len(shape) == 1 else struct.pack("<BII", 1, 2, len(shape))
    return head + struct.pack(f"<{len(values)}d", *values)
