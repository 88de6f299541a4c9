"""Derive ``outlines.geojson``: provinces, coast and border around the basin, to draw maps on.

Run from anywhere, with the packages of ``wateralloc[gis]``::

    python basins/red_river/derive_outlines.py PROVINCES COUNTRIES

``PROVINCES`` is ``countries/vietnam.geojson`` of the npm package
``@superset-ui/legacy-plugin-chart-country-map`` 0.18.25 (Apache-2.0): the provinces of Natural
Earth at 1:10 million, each with its lines straightened by itself to about 1 km.  ``COUNTRIES`` is
``ne_10m_admin_0_countries`` of Natural Earth 5.1.1 (public domain), as a shapefile or its zip.

The gaps and overlaps that straightening left between provinces are closed, and Cat Ba goes to Hai
Phong.  Where the outer line of
the provinces runs along that of another country on land, it is border, else coast; the lines of the
other countries are straightened as much.  The script is deterministic: same input, same bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from ruamel.yaml import YAML

BASIN = Path(__file__).resolve().parent
BOX = shapely.box(101, 19, 109, 24)
"""What is kept: the surroundings of the basin, in degrees."""
STRAIGHT = 0.01
"""Degrees, about 1 km: by how much lines were, and are, straightened."""
NEAR = 2 * STRAIGHT
"""Lines nearer than this are the same line, straightened twice."""
SHORTEST = 0.05
"""Degrees; a shorter piece of border or coast comes of straightening alone."""
DECIMALS = 3
CAT_BA = shapely.Point(107.0, 20.8)
"""On the island of Cat Ba, which the source gives to Quang Ninh; it is of Hai Phong."""
ISO = {
    "lai_chau": "VN-01", "lao_cai": "VN-02", "ha_giang": "VN-03", "cao_bang": "VN-04",
    "son_la": "VN-05", "yen_bai": "VN-06", "tuyen_quang": "VN-07", "lang_son": "VN-09",
    "quang_ninh": "VN-13", "hoa_binh": "VN-14", "ninh_binh": "VN-18", "thai_binh": "VN-20",
    "bac_kan": "VN-53", "bac_giang": "VN-54", "bac_ninh": "VN-56", "hai_duong": "VN-61",
    "ha_nam": "VN-63", "hung_yen": "VN-66", "nam_dinh": "VN-67", "phu_tho": "VN-68",
    "thai_nguyen": "VN-69", "vinh_phuc": "VN-70", "dien_bien": "VN-71", "ha_noi": "VN-HN",
    "hai_phong": "VN-HP",
}  # fmt: skip
"""Codes of the provinces before July 2025; the names in the source are wrong for two of them."""


def main(arguments: list[str]) -> int:
    """Write the outlines; return the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: derive_outlines.py PROVINCES COUNTRIES\n")
        return 2
    countries = read_countries(arguments[1])
    provinces = read_provinces(Path(arguments[0]), countries["VNM"])
    lines = []
    for kind, line in draw_lines(provinces, countries):
        lines.append(feature({"kind": kind}, line))
    names = YAML(typ="safe").load(BASIN / "basin.yaml")["provinces"]
    for name in names:
        lines.append(feature({"province": name}, provinces[ISO[name]]))
    text = ",\n".join(json.dumps(one, separators=(",", ":")) for one in lines)
    (BASIN / "outlines.geojson").write_text(
        f'{{"type":"FeatureCollection","features":[\n{text}\n]}}\n', encoding="utf-8"
    )
    return 0


def read_provinces(path: Path, land: Any) -> dict[str, Any]:
    """All provinces of Vietnam by their code, without gaps between them."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    shapes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in features]
    shapes = without_wedges(shapes, land)
    clean = shapely.coverage_clean(shapes, snapping_distance=STRAIGHT / 10, gap_width=NEAR)
    provinces = {
        one["properties"]["ISO"]: shape for one, shape in zip(features, clean, strict=True)
    }
    mainland, island = ISO["quang_ninh"], ISO["hai_phong"]
    parts = shapely.get_parts(provinces[mainland])
    on_island = shapely.contains(parts, CAT_BA)
    provinces[mainland] = shapely.union_all(parts[~on_island])
    provinces[island] = shapely.union_all([provinces[island], *parts[on_island]])
    return provinces


def without_wedges(shapes: list[Any], land: Any) -> list[Any]:
    """Fill the gaps that are open to the sea; each goes to the shape it has most line with."""
    whole = shapely.union_all(shapes)
    closed = whole.buffer(STRAIGHT, join_style="mitre").buffer(-STRAIGHT, join_style="mitre")
    wedges = shapely.intersection(shapely.difference(closed, whole), land)
    filled = list(shapes)
    for wedge in shapely.get_parts(wedges):
        if wedge.geom_type == "Polygon":
            shared = shapely.length(shapely.intersection(wedge.boundary, shapes))
            owner = int(np.argmax(shared))
            joint = shapely.get_parts(shapely.union(filled[owner], wedge))
            filled[owner] = shapely.multipolygons([p for p in joint if p.geom_type == "Polygon"])
    return filled


def read_countries(path: str) -> dict[str, Any]:
    """Countries that reach into the box, by their code."""
    source = f"/vsizip/{path}" if path.endswith(".zip") else path
    _, _, shapes, (codes,) = pyogrio.raw.read(source, columns=["ADM0_A3"], bbox=BOX.bounds)
    return dict(zip(codes, shapely.from_wkb(shapes), strict=True))


def draw_lines(provinces: dict[str, Any], countries: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Border and coast, first of Vietnam, then of its neighbours."""
    others = {code: shape for code, shape in countries.items() if code != "VNM"}
    shores = [shape.boundary for shape in others.values()]
    shared = shapely.intersection(countries["VNM"].boundary, shapely.union_all(shores))
    outer = shapely.union_all(list(provinces.values())).boundary
    along = shared.buffer(NEAR)
    yield "border", joined(outer.intersection(along))
    yield "coast", joined(outer.difference(along))
    between = [
        shapely.intersection(one.boundary, other.boundary)
        for one, other in combinations(others.values(), 2)
    ]
    yield "border", joined(shapely.union_all(between)).simplify(STRAIGHT)
    land = shapely.union_all(list(countries.values()))
    off = shapely.union_all(list(provinces.values())).buffer(NEAR)
    yield "coast", joined(land.boundary.difference(off).simplify(STRAIGHT))


def joined(lines: Any) -> Any:
    """Pieces of lines within the box, joined where they meet, without the shortest."""
    parts = [part for part in shapely.get_parts(lines) if part.geom_type == "LineString"]
    whole = shapely.line_merge(shapely.intersection(shapely.multilinestrings(parts), BOX))
    return shapely.multilinestrings(
        [part for part in shapely.get_parts(whole) if part.length >= SHORTEST]
    )


def feature(properties: dict[str, str], shape: Any) -> dict[str, Any]:
    """Put an outline into GeoJSON, with coordinates to about 100 m."""
    shape = shapely.intersection(shape, BOX) if shape.geom_type.endswith("Polygon") else shape
    geometry = json.loads(shapely.to_geojson(shapely.set_precision(shape, 10.0**-DECIMALS)))
    geometry["coordinates"] = rounded(geometry["coordinates"])
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def rounded(coordinates: Any) -> Any:
    """Coordinates without the digits that binary numbers add."""
    if isinstance(coordinates, list):
        return [rounded(one) for one in coordinates]
    return float(np.round(coordinates, DECIMALS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
