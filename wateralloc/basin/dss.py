"""Content of series files in HEC-DSS, version 7: a record a column."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from wateralloc.basin import dss_child
from wateralloc.basin.series_files import Content
from wateralloc.errors import Findings, Position, listed, shown
from wateralloc.units import HEC_UNITS, Unit, split_unit

INTERVALS = {"1DAY": 1, "1WEEK": 7, "1MONTH": 0}
"""Part E of the pathname -> days, 0 of a month; ten days (TRI-MONTH) the library does not read."""
TYPES = {"PER-AVER": False, "PER-CUM": True}
"""Type of a record -> its values are sums over the period."""
MISSING = (-3.4028234663852886e38, -901.0, -902.0)
"""What stands for no value."""
LONGEST = 300.0
"""Seconds that reading may take; a damaged file can hold the library for ever."""


@dataclass(frozen=True)
class Record:
    """A time series as the file has it.

    Attributes
    ----------
    pathname : without date, /A/B/C//E/F/
    kind : of record
    unit, type, times, values : those of a regular series that is read, else None
    """

    pathname: str
    kind: str
    unit: str = ""
    type: str = ""
    times: Sequence[str] = ()
    values: Sequence[float] = ()

    @property
    def parts(self) -> list[str]:
        return self.pathname.split("/")[1:-1]

    @property
    def name(self) -> str:
        return _plain(self.parts[1])

    @property
    def quantity(self) -> str:
        return _plain(self.parts[2])

    @property
    def interval(self) -> str:
        return self.parts[4].upper()


def _plain(part: str) -> str:
    """Part of a pathname as an identifier.

    >>> _plain("HOA BINH"), _plain("Flow-Local")
    ('hoa_binh', 'flow_local')
    """
    return re.sub(r"[ .-]+", "_", part.strip().lower())


def read_dss(path: Path, findings: Findings) -> Content | None:
    """Read the records of the quantity that the file is named after; B is the name of the column.

    Values are means or sums over periods, stamped at their end (24:00), as is the custom of HEC;
    here a period has its first day.
    """
    n_faults = len(findings.faults)
    records = _chosen(path, _records(path, findings), findings, n_faults)
    for k, record in enumerate(records):
        former = [other for other in records[:k] if other.name == record.name]
        if former:
            text = f"column '{record.name}' stands there already, {former[0].pathname}; keep one"
            findings.add(_at(path, record), "E212", text)
    columns = [_column(path, record, findings) for record in records]
    if len(findings.faults) > n_faults or not columns:
        return None
    days = columns[0][0]
    for record, (own, _) in zip(records, columns, strict=True):
        if not np.array_equal(own, days):
            text = (
                f"record runs from {own[0]} to {own[-1]}, that of '{records[0].name}' from "
                f"{days[0]} to {days[-1]} ({records[0].interval}); must be the same"
            )
            findings.add(_at(path, record), "E231", text)
    if len(findings.faults) > n_faults:
        return None
    values = np.stack([values for _, values in columns], axis=1)
    for row, k in np.argwhere(np.isnan(values)):
        text = f"value of '{records[k].name}' on {days[row]} is missing; must be a number, "
        findings.add(_at(path, records[k]), "E202", f"{text}without gaps")
    return Content(
        path,
        [str(day) for day in days],
        days,
        [record.name for record in records],
        values,
        lambda row, k: _at(path, records[max(k, 0)]),
        [TYPES[record.type] for record in records],
    )


def _at(path: Path, record: Record) -> Position:
    return Position(f"{shown(path)}:{record.pathname}")


def _records(path: Path, findings: Findings) -> list[Record]:
    """Every time series of a file."""
    at = Position(shown(path))
    try:
        import_module("hecdss")
    except ImportError:
        text = "reading .dss needs hecdss; install wateralloc[dss], or write .csv"
        findings.add(at, "E107", text)
        return []
    if path.is_dir():
        findings.add(at, "E102", "is a directory; must be a file")
        return []
    with path.open("rb") as stream:
        head = stream.read(18)
    if not head:
        findings.add(at, "E103", "file is empty; fill it or remove it")
    elif head[:4] != b"ZDSS":
        findings.add(at, "E105", "is not valid HEC-DSS; write it again")
    elif head[16:18] != b"7-":
        version = head[16:17].decode("ascii", "replace")
        text = f"is HEC-DSS of version {version}; convert it to version 7, as HEC-DSSVue does"
        findings.add(at, "E107", text)
    else:
        return _read_apart(path, findings)
    return []


def _read_apart(path: Path, findings: Findings) -> list[Record]:
    with tempfile.TemporaryDirectory(prefix="wateralloc_") as folder:
        copy, out = Path(folder) / "copy.dss", Path(folder) / "records.json"
        shutil.copyfile(path, copy)
        command = [sys.executable, "-P", dss_child.__file__, str(copy), str(out), *INTERVALS]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=LONGEST, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            what = f"reading it takes more than {LONGEST:g} seconds"
        else:
            if done.returncode == 0:
                found: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
                return [Record(**record) for record in found]
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            what = lines[-1] if done.returncode > 0 and lines else "the library crashed on it"
    text = f"is not valid HEC-DSS: {what}; write it again"
    findings.add(Position(shown(path)), "E105", text)
    return []


def _chosen(path: Path, records: list[Record], findings: Findings, n_faults: int) -> list[Record]:
    """Records of the quantity; where none has its name in part C, all, if they have one there."""
    quantity = split_unit(path.stem)[0]
    own = [record for record in records if record.quantity == quantity]
    others = list(dict.fromkeys(record.parts[2] for record in records))
    if own or len(others) == 1:
        return own or records
    if len(findings.faults) == n_faults:
        at = Position(shown(path))
        if others:
            text = f"has records of {listed(others)}; part C of those to read must be {quantity}"
            findings.add(at, "E211", text)
        else:
            findings.add(at, "E103", "holds no time series; write it again or remove it")
    return []


def _column(path: Path, record: Record, findings: Findings) -> tuple[np.ndarray, np.ndarray]:
    """First days of the periods, and values in the unit of the file's name."""
    at, none = _at(path, record), (np.array([], "datetime64[D]"), np.array([]))
    if record.kind != "RegularTimeSeries" or record.interval not in INTERVALS:
        must = listed(INTERVALS).replace(", ", " or ")
        text = f"interval is {record.interval}; must be {must}: means or sums of whole periods"
        findings.add(at, "E231", text)
        return none
    if not record.times:
        findings.add(at, "E103", "record has no values; fill it or remove it")
        return none
    if record.type not in TYPES:
        text = f"type is '{record.type}'; must be PER-AVER or PER-CUM, of whole periods"
        findings.add(at, "E208", text)
    unit = _unit(path, record, findings)
    days = _first_days(record)
    if days is None:
        text = (
            f"values are stamped {record.times[0].replace('T', ' ')}; must be at 24:00 of the last "
            f"day of each {record.interval}"
        )
        findings.add(at, "E213", text)
    if unit is None or days is None:
        return none
    values = np.array(record.values, dtype=float)
    values[np.isin(values, MISSING) | ~np.isfinite(values)] = np.nan
    return days, values * unit


def _unit(path: Path, record: Record, findings: Findings) -> float | None:
    """What a value is multiplied with to be in the unit of the file's name."""
    stated: Unit | None = HEC_UNITS.get(record.unit.strip().upper())
    wanted = split_unit(path.stem)[1]
    if stated is None:
        text = f"unit '{record.unit}' is not known; must be one of {listed(HEC_UNITS, 40)}"
    elif wanted is None or stated.dimension != wanted.dimension:
        name = wanted.suffix if wanted else "none"
        text = f"unit is '{record.unit}' but the file name says {name}; must agree"
    else:
        return stated.factor / wanted.factor
    findings.add(_at(path, record), "E208", text)
    return None


def _first_days(record: Record) -> np.ndarray | None:
    """First day of each period, from the moment after it; None where that is no end of one."""
    ends = np.array(record.times, dtype="datetime64[s]")
    after = ends.astype("datetime64[D]")
    if (after != ends).any():
        return None
    n_days = INTERVALS[record.interval]
    if n_days:
        return after - np.timedelta64(n_days, "D")
    months = after.astype("datetime64[M]")
    return None if (months != after).any() else (months - 1).astype("datetime64[D]")
