"""The shipped basin below its gauges, driven with what the gauges recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import networkx as nx
import pandas as pd

from docs.validation.recorded import BASIN, recorded

GAUGES = {
    "hoa_binh_city": "hoa_binh_release_m3s",
    "yen_bai": "yen_bai_m3s",
    "vu_quang": "vu_quang_m3s",
}
"""Node -> recorded flow that enters there."""
TABLES = ("nodes", "links", "splits", "ratings")
"""Tables that are cut; there are no demands, reservoirs or plants."""

CASE = """\
schema: 1
name: recorded_releases_{riverbed}
basin: below_gauges
timeline: {{start: {start}, periods: {periods}, step: dekad}}
hydrology: {{record: dates}}
riverbed: {riverbed}
goals:
  # all shares are given but that of the Kinh Thay, which no figure here follows
  - maximise: {{quantity: outflow, of: [bach_dang_mouth]}}
"""


def write_case(folder: Path, riverbed: int, periods: int | None = None) -> Path:
    """Write the reduced basin and a case on it into a folder, which is made.

    The basin holds everything from Hoa Binh city, Yen Bai and Vu Quang down, as in the shipped
    tables: links with their travel times, shares, ratings.  Left out are the rest of the rivers,
    all users, and the canals, which carry water to users only.  Flow comes in at the three gauges.

    Parameters
    ----------
    riverbed : year whose shares and ratings hold
    periods : ten-day periods from the first of the record; default: all

    Returns
    -------
    Path
        The case file.
    """
    basin = folder / "below_gauges"
    (basin / "series").mkdir(parents=True, exist_ok=True)
    links = _shipped("links")
    links = links[links["kind"] != "canal"]
    rivers = nx.DiGraph(list(zip(links["from"], links["to"], strict=True)))
    below = set(GAUGES).union(*(nx.descendants(rivers, gauge) for gauge in GAUGES))
    tables = {name: _shipped(name) for name in TABLES}
    tables["nodes"] = tables["nodes"][tables["nodes"]["name"].isin(below)]
    tables["links"] = links[links["from"].isin(below)]
    tables["splits"] = tables["splits"][tables["splits"]["node"].isin(below)]
    for name, table in tables.items():
        table.to_csv(basin / f"{name}.csv", index=False)
    for name in ("basin.yaml", "curves.csv", "patterns.csv"):
        shutil.copy(BASIN / name, basin)
    flows = recorded("regulated_dekads").set_index("date")[list(GAUGES.values())]
    flows.set_axis(list(GAUGES), axis=1).to_csv(basin / "series" / "inflow_m3s.csv")
    case = folder / f"recorded_releases_{riverbed}.yaml"
    text = CASE.format(
        riverbed=riverbed, start=flows.index[0], periods=len(flows) if periods is None else periods
    )
    case.write_text(text, encoding="utf-8")
    return case


def _shipped(name: str) -> pd.DataFrame:
    return pd.read_csv(BASIN / f"{name}.csv", dtype=str, keep_default_na=False)
