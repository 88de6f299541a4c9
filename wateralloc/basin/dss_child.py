"""Read the time series of a HEC-DSS file in a process of its own.

Run as ``python -P dss_child.py FILE OUT INTERVAL...`` by :mod:`wateralloc.basin.dss`, for two
reasons: the library crashes on some damaged files, and it may write to what it reads, so FILE is a
copy.  It knows nothing of the package.  OUT is JSON: a list of records, each with its pathname
without date, kind, unit, type, times (end of the period) and values; the last two only of a regular
series of one of the intervals.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def read_records(path: str, intervals: list[str]) -> list[dict[str, Any]]:
    """Every time series of a file."""
    from hecdss import HecDss

    HecDss.set_global_debug_level(0)  # it prints
    records = []
    with HecDss(path) as file:
        for item in file.get_catalog():
            if not item.is_time_series():
                continue
            pathname = str(item.path_without_date())
            record: dict[str, Any] = {"pathname": pathname, "kind": item.recType.name}
            if record["kind"] == "RegularTimeSeries" and item.E.upper() in intervals:
                series = file.get(str(item))
                times = [time.replace(tzinfo=None).isoformat() for time in series.times]
                record |= {"unit": series.units, "type": series.data_type, "times": times}
                record["values"] = series.values.tolist()
            records.append(record)
    return records


if __name__ == "__main__":
    found = json.dumps(read_records(sys.argv[1], sys.argv[3:]))
    Path(sys.argv[2]).write_text(found, encoding="utf-8")
