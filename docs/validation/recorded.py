"""What was recorded, reported and stated: the tables of ``data``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from wateralloc import read_case

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASIN = ROOT / "basins" / "red_river"
DATA = HERE / "data"
CASES = ("baseline", "pilot_riverbed")


def recorded(name: str) -> pd.DataFrame:
    """Read a table of recorded figures; ``derive.py`` of the basin writes it."""
    return pd.read_csv(DATA / f"{name}.csv")


def digest_of_inputs() -> str:
    """Twelve letters that change with the basin, the cases, the recorded figures or the words.

    Titles and descriptions of cases do not count, nor does the package: what a change of it does
    to results is seen by the golden tests.
    """
    digest = hashlib.sha256()
    files = [*BASIN.glob("*.csv"), *BASIN.glob("series/*.csv"), *DATA.glob("*.csv")]
    for path in [*sorted(files), HERE / "red_river.md.in"]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    for name in CASES:
        asked = read_case(ROOT / "cases" / f"{name}.yaml").resolved
        words = {"title", "description"}
        digest.update(repr({k: v for k, v in asked.items() if k not in words}).encode())
    return digest.hexdigest()[:12]
