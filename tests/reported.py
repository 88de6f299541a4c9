"""A small study in which every section of a report has something to say."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import vl_convert as vlc

from tests.basins import month_starts
from tests.small import at_fixed_lines, make_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.report.charts.style import take_apart
from wateralloc.results import Results, collect

M3S = 1 / 0.0864
"""Mean flow [m3/s] of 1 hm3 a day."""
YEARS = 3
WET = (2, 2, 2, 3, 6, 14, 20, 22, 16, 8, 4, 3)
"""Inflow of the head in each month of the first and the last year [hm3 a day]; the second has less.
"""


def study(folder: Path, **changes: Any) -> Case:
    """Read the study: two members of 24 months, the first ends dry, the second begins so.

    ``head -> lake -> fork -> sea`` and ``hill -> fork``, in two sub-basins; a mine at the head, a
    town and a farm at the fork.  Arguments replace those of :func:`parts`.
    """
    return at_fixed_lines(make_case(folder, **(parts() | changes)))


def solved(folder: Path, **changes: Any) -> Results:
    """Results of the study."""
    return collect(solve_perfect(study(folder, **changes)))


def parts() -> dict[str, Any]:
    """Arguments of :func:`tests.small.make_case`."""
    flow = [q * (0.4 if (k // 12) % 2 else 1.0) for k, q in enumerate(WET * YEARS)]
    return {
        "periods": 24,
        "more": {
            "name": "study",
            "title": {"en": "A small study", "vi": "Một nghiên cứu nhỏ"},
            "timeline": {"start": "2011-01-01", "periods": 24, "step": "month"},
            "hydrology": {"members": "all"},
        },
        "goals": [
            {"meet": {"sectors": ["domestic"]}},
            {"share": {"sectors": ["irrigation", "industry"], "among": "province",
                       "window": "horizon"}},
            {"maximise": "energy"},
        ],
        "rules": [
            {"rule": "minimum_delivery", "name": "delta", "at": "fork", "flow_m3s": 2.5 * M3S,
             "soft": {"goal": 2}, "source": "Decision 1"},
            {"rule": "reservoir_levels", "name": "levels", "reservoir": "lake",
             "minimum_hm3": {"months": [10, 11], "value": 50}},
            {"rule": "minimum_level", "name": "gates", "at": "fork",
             "level_m": {"months": [2], "value": 0.5}, "soft": {"goal": 2}},
        ],
        "yaml": {
            "name": {"en": "Small basin", "vi": "Lưu vực nhỏ"},
            "regions": {"hills": {"en": "Hills", "vi": "Miền núi"},
                        "delta": {"en": "Delta", "vi": "Đồng bằng"}},
            "provinces": {"ha_giang": {"en": "Ha Giang", "vi": "Hà Giang", "region": "hills"},
                          "ha_noi": {"en": "Ha Noi", "vi": "Hà Nội", "region": "delta"}},
            "sub_basins": {"upper": {"en": "Upper river", "vi": "Thượng lưu"},
                           "lower": {"en": "Lower river", "vi": "Hạ lưu"}},
            "sectors": {"domestic": {"en": "Domestic", "vi": "Sinh hoạt"},
                        "irrigation": {"en": "Irrigation", "vi": "Tưới"},
                        "industry": {"en": "Industry", "vi": "Công nghiệp"}},
        },
        "nodes": [
            _node("head", "inflow", "Head", "Đầu nguồn", "upper", 104.0, 22.5),
            _node("hill", "inflow", "Hill", "Đồi", "lower", 106.0, 22.0),
            _node("lake", "reservoir", "Lake", "Hồ Núi Cốc", "upper", 104.5, 21.8),
            _node("fork", "control", "Fork", "Ngã ba Việt Trì", "lower", 105.5, 21.0),
            _node("sea", "sink", "Sea", "Cửa Đáy", "lower", 106.5, 20.2),
        ],
        "links": [
            _link("upper", "head", "lake", "reach"),
            _link("outlet", "lake", "fork", "turbine") | {"capacity_hm3_day": 12},
            _link("weir", "lake", "fork", "spillway"),
            _link("brook", "hill", "fork", "reach") | {"loss_fraction": 0.1},
            _link("lower", "fork", "sea", "reach"),
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 200, "initial_hm3": 60,
             "target_hm3": 40, "flood_limit_hm3": "pattern:flood", "evaporation_mm_day": 3,
             "curve": "lake"},
        ],
        "patterns": [
            {"pattern": "flood", "start": "07-01", "value": 120, "unit": "hm3"},
            {"pattern": "flood", "start": "09-01", "value": 200, "unit": "hm3"},
        ],
        "curves": [
            *({"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "m"}
              for x, y in ((0, 40), (200, 80))),
            *({"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "km2"}
              for x, y in ((0, 1), (200, 9))),
            *({"curve": "stage", "x": x, "y": y, "x_unit": "m3s", "y_unit": "m"}
              for x, y in ((0, 0), (50, 1), (400, 3))),
        ],
        "ratings": [{"name": "fork_level", "node": "fork", "curve": "stage"}],
        "hydropower": [
            {"plant": "power_house", "link": "outlet", "capacity_mw": 60, "head_m": 30,
             "efficiency_fraction": 0.9, "name_en": "Power house", "name_vi": "Thủy điện Hồ"},
        ],
        "demands": [
            _demand("town", "fork", "domestic", "delta", "ha_noi", 1, "Town", "Thị xã"),
            _demand("farm", "fork", "irrigation", "delta", "ha_noi", 4, "Farm", "Ruộng")
            | {"consumption_fraction": 0.7, "return_to": "sea"},
            _demand("mine", "head", "industry", "hills", "ha_giang", 2, "Mine", "Mỏ")
            | {"consumption_fraction": 0.4, "return_to": "fork"},
        ],
        "series": {
            "inflow_hm3_day": {
                "date": month_starts("2001-01", 12 * YEARS),
                "head": flow,
                "hill": [q / 4 for q in flow],
            }
        },
    }  # fmt: skip


def _node(
    name: str, kind: str, en: str, vi: str, sub_basin: str, lon: float, lat: float
) -> dict[str, Any]:
    return {
        "name": name, "kind": kind, "name_en": en, "name_vi": vi, "sub_basin": sub_basin,
        "lon": lon, "lat": lat,
    }  # fmt: skip


def _link(name: str, start: str, end: str, kind: str) -> dict[str, Any]:
    return {"name": name, "from": start, "to": end, "kind": kind}


def _demand(
    name: str, node: str, sector: str, region: str, province: str, daily: float, en: str, vi: str
) -> dict[str, Any]:
    return {
        "name": name, "node": node, "sector": sector, "region": region, "province": province,
        "demand_hm3_day": daily, "name_en": en, "name_vi": vi,
    }  # fmt: skip


def drawn(chart: Any) -> dict[str, str]:
    """What is drawn, as a screen reader says it: the label of each mark, of axes and legends.

    A label ``name: number`` is told by its name; two marks must not say the same.
    """
    spec, rows = take_apart(chart)
    svg = vlc.vegalite_to_svg(spec | {"datasets": rows})
    said = [unescape(label) for label in re.findall(r'aria-label="([^"]*)"', svg)]
    found = [label.rpartition(": ") for label in said]
    names = [name for name, _, _ in found if name]
    assert len(names) == len(set(names)), names
    return {name or number: number for name, _, number in found}


def number(text: str) -> float:
    """A number of an English chart, a share where it is in percent."""
    plain = text.replace(",", "").replace("\N{MINUS SIGN}", "-").split(" ")[0]
    return float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """Rows of all data of a chart."""
    return [row for rows in chart.datasets.values() for row in rows]
