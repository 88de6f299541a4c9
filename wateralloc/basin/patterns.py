"""Reading patterns.csv."""

from __future__ import annotations

import re
from functools import partial

from wateralloc.basin.reading import Reading
from wateralloc.errors import listed, or_do, suggest
from wateralloc.tables import parse_date
from wateralloc.timeline import Pattern
from wateralloc.units import UNITS, canonical, find_unit


def read_patterns(reading: Reading) -> None:
    """Read the patterns; those with a fault are left out."""
    faulty = reading.tables["patterns"].attrs["faulty"]
    reading.names["patterns"] = []
    for name, rows in reading.groups("patterns", "pattern").items():
        reading.names["patterns"].append(name)
        fault = partial(reading.fault, "patterns")
        is_sound = not faulty.intersection(rows.index)
        starts: list[tuple[int, int]] = []
        first_unit = rows["unit"].iloc[0]
        unit = find_unit(first_unit, reading.currency)
        if first_unit and unit is None and first_unit != "1":
            hint = or_do(suggest(first_unit, UNITS), f"units are 1, {listed(UNITS, 99)}")
            fault(
                rows.index[0],
                "unit",
                "E207",
                f"unit '{first_unit}' of pattern '{name}' is not known{hint}",
            )
            is_sound = False
        for row in rows.index:
            if rows.at[row, "unit"] not in (first_unit, ""):
                is_sound = False
                fault(
                    row,
                    "unit",
                    "E223",
                    f"unit is '{rows.at[row, 'unit']}' but pattern '{name}' began with "
                    f"'{first_unit}'; must be the same throughout",
                )
            text = rows.at[row, "start"]
            if not text:
                continue
            try:
                start = _parse_start(text)
            except ValueError as error:
                fault(row, "start", "E213", f"start is '{text}' in pattern '{name}'; {error}")
                is_sound = False
                continue
            if starts and start <= starts[-1]:
                is_sound = False
                fault(
                    row,
                    "start",
                    "E223",
                    f"start {text} of pattern '{name}' is not after {starts[-1][0]:02d}-"
                    f"{starts[-1][1]:02d}; must increase through the year",
                )
            starts.append(start)
        if is_sound:
            factor = unit.factor if unit else 1.0
            reading.patterns[name] = Pattern(
                name,
                tuple(starts),
                tuple(float(v) * factor for v in rows["value"]),
                canonical(unit.dimension, reading.currency or "") if unit else "1",
            )
    if reading.has_lost_rows("patterns", "pattern"):
        del reading.names["patterns"]


def _parse_start(text: str) -> tuple[int, int]:
    """Read a date of the year, MM-DD.

    Raises
    ------
    ValueError
    """
    if not re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
        raise ValueError("must be MM-DD as in 06-15 (in a spreadsheet, keep the cell as text)")
    if text == "02-29":
        raise ValueError("must be a date that every year has; take 02-28 or 03-01")
    try:
        parse_date(f"2001-{text}")
    except ValueError:
        raise ValueError("must be a month and a day of the calendar, MM-DD") from None
    return int(text[:2]), int(text[3:])
