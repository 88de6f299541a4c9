"""Epochs of the riverbed: the years for which a row of a table holds.

A river that lowers its bed divides its water otherwise, and stands lower at the same flow.  A table
may have several rows for one place, each with its years; a case names the riverbed it reckons with.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.basin import Basin
from wateralloc.errors import Findings
from wateralloc.tables import Column

YEARS = (
    Column("from_year", "first year of the riverbed; empty: any before to_year", "integer"),
    Column("to_year", "last year of the riverbed; empty: any after from_year", "integer"),
)


def years_of(row: pd.Series) -> tuple[float, float]:
    """First and last year for which a row holds, infinite where it has none."""
    first, last = row["from_year"], row["to_year"]
    return (-np.inf if first is None else first, np.inf if last is None else last)


def years_text(row: pd.Series) -> str:
    """Years for which a row holds, in words."""
    first, last = row["from_year"], row["to_year"]
    if first is None:
        return "all years" if last is None else f"until {last}"
    return f"from {first}" if last is None else f"{first} to {last}"


def row_in(rows: pd.DataFrame, year: float) -> Any:
    """Name of the row that holds in a year, of those of one place.

    Before the first epoch it is the first, in a gap the one before, after the last the last.
    """
    names = sorted(rows.index, key=lambda name: years_of(rows.loc[name]))
    begun = [name for name in names if years_of(rows.loc[name])[0] <= year]
    return begun[-1] if begun else names[0]


def rows_in(table: pd.DataFrame, place: list[str], year: float) -> list[Any]:
    """Names of the rows that hold in a year, one for each place, in table order.

    Parameters
    ----------
    place : columns that together name a place
    """
    in_use = {row_in(rows, year) for _, rows in table.groupby(place, sort=False)}
    return [name for name in table.index if name in in_use]


def check_epochs(basin: Basin, table: str, place: list[str], code: str, findings: Findings) -> None:
    """Add faults where years run backwards, or two rows of one place hold in the same year."""
    frame, item = basin.tables[table], basin.declared[table].item
    for _, rows in frame.groupby(place, sort=False):
        sound = []
        for name in rows.index:
            first, last = years_of(rows.loc[name])
            if first > last:
                findings.add(
                    basin.position(table, name, "to_year"),
                    code,
                    f"{item} '{name}' holds from {first} to {last}; "
                    "to_year must not be before from_year",
                )
            else:
                sound.append(name)
        sound.sort(key=lambda name: years_of(rows.loc[name]))
        for before, after in pairwise(sound):
            if years_of(rows.loc[before])[1] >= years_of(rows.loc[after])[0]:
                at = " by ".join(dict.fromkeys(f"'{rows.at[after, c]}'" for c in place))
                findings.add(
                    basin.position(table, after, "from_year"),
                    code,
                    f"{item}s '{before}' ({years_text(rows.loc[before])}) and '{after}' "
                    f"({years_text(rows.loc[after])}) of {at} hold in the same year; "
                    "end one before the other begins",
                )
