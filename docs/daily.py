"""Run the daily operation of the Red River, and write its page and figures.

``python -m docs.daily`` runs ``cases/daily/daily_operation.yaml`` and writes ``docs/daily.md`` from
``docs/daily.md.in``, with its figures.  Results are kept in ``docs/_build/daily`` until the basin,
the case or the words of the page change; ``python -m docs.daily FOLDER`` reads results from there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

import wateralloc
from docs.red_river_results import grid
from docs.validation.recorded import recorded
from wateralloc import Results, read_case
from wateralloc.case import Case
from wateralloc.parts.reservoir import curve_of
from wateralloc.units import SECONDS_PER_DAY

HERE = Path(__file__).parent
ROOT = HERE.parent
CASE, BASIN = ROOT / "cases" / "daily" / "daily_operation.yaml", ROOT / "basins" / "red_river"
KEPT = HERE / "_build" / "daily"
PAGE, TEMPLATE = HERE / "daily.md", HERE / "daily.md.in"
NAMES = {
    "lai_chau": "Lai Chau", "ban_chat": "Ban Chat", "huoi_quang": "Huoi Quang",
    "son_la": "Son La", "hoa_binh": "Hoa Binh", "thac_ba": "Thac Ba",
    "tuyen_quang": "Tuyen Quang",
}  # fmt: skip
SHOWN = ("son_la", "hoa_binh", "thac_ba", "tuyen_quang")
"""Reservoirs whose levels are drawn."""
SECTORS = {
    "domestic": ("domestic",),
    "irrigation, livestock, aquaculture": ("irrigation", "livestock_other", "aquaculture"),
    "industry": ("industry",),
}
MODEL, LIMIT, CURVE, RECORD = "#1f5f99", "#c0392b", "#222222", "#9a9a9a"
STYLE: dict[Any, Any] = {
    "font.size": 8, "svg.hashsalt": "wateralloc", "axes.spines.top": False,
    "axes.spines.right": False,
}  # fmt: skip
MONTHS = [6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5]
LETTERS = "JJASONDJFMAM"


def digest_of_inputs() -> str:
    """Twelve letters that change with the basin, the case or the words of the page."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    for path in sorted([*BASIN.glob("*.csv"), *BASIN.glob("series/*.csv"), CASE]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def write(folder: Path | None = None) -> None:
    """Run what has not been run, and write page and figures."""
    kept = folder or KEPT
    if not kept.is_dir():
        wateralloc.run(CASE).write(kept)
    dataset, case = Results.read(kept).dataset, read_case(CASE)
    dataset = dataset.isel(member=0)
    manifest = json.loads((kept / "manifest.json").read_text(encoding="utf-8"))
    with mpl.rc_context(STYLE):
        for name, figure in (
            ("levels", draw_levels(dataset, case)),
            ("flow", draw_flow(dataset)),
            ("years", draw_years(dataset)),
        ):
            figure.savefig(HERE / f"daily_{name}.svg", metadata={"Date": None})
    PAGE.write_text(fill(values(dataset, case, manifest)), encoding="utf-8")


def fill(words: Mapping[str, str]) -> str:
    """Put words into the template; each has a place in it, and each place a word."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    spare = set(words) - set(template.get_identifiers())
    if spare:
        raise ValueError(f"{TEMPLATE.name} has no place for {sorted(spare)}")
    return template.substitute({name: text.strip() for name, text in words.items()})
