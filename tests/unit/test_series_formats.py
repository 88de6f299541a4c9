"""Series in formats other than CSV: the same values, and faults where they stand."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest
from hecdss import HecDss, IrregularTimeSeries, RegularTimeSeries

from tests.basins import month_starts, tiny_basin, tiny_parts
from wateralloc import export
from wateralloc.basin import Basin, read_basin
from wateralloc.basin import dss as dss_room
from wateralloc.errors import InputError

CFS = 0.028316846592
DAY = dt.timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tiny basin without its series of inflow."""
    basin = tiny_basin(tmp_path / "basin")
    (basin / "series" / "inflow_m3s.csv").unlink()
    return basin


def faults(folder: Path) -> list[str]:
    """Faults of a basin, from the name of the series file on."""
    with pytest.raises(InputError) as caught:
        read_basin(folder)
    return [str(fault).partition("/series/")[2] for fault in caught.value.faults]


def inflow(basin: Basin) -> pd.Series:
    return basin.series["inflow"].values["spring"]


# --- XLSX ---------------------------------------------------------------------------------------


def workbook(path: Path, **sheets: Sequence[Sequence[Any]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


MONTHS = [["date", "spring"], [dt.date(2001, 1, 1), 10], ["2001-02-01", 12.5]]


@pytest.mark.parametrize(
    "sheets",
    [
        {"Sheet1": MONTHS},
        {"notes": [["a", "b"]], "inflow_m3s": MONTHS},
        {"meta_notes": [["a"]], "Chart": [], "Trang tính": MONTHS},
    ],
)
def test_a_workbook_has_a_series(folder: Path, sheets: dict[str, Any]) -> None:
    workbook(folder / "series" / "inflow_m3s.xlsx", **sheets)
    found = inflow(read_basin(folder))
    assert found.tolist() == [10, 12.5]
    assert [str(day.date()) for day in found.index] == month_starts("2001-01", 2)


def test_faults_of_a_workbook_name_the_cell(folder: Path) -> None:
    rows = [["date", "sprng"], ["2001-01-01", 1], ["2001-02-30", "1,5"], [None, None]]
    workbook(folder / "series" / "inflow_m3s.xlsx", Sheet1=[*rows, ["2001-03-01", None]])
    name = "inflow_m3s.xlsx:Sheet1!"
    assert [text[: len(name) + 8] for text in faults(folder)] == [
        f"{name}B1: E211", f"{name}A3: E213", f"{name}B3: E204", f"{name}B5: E202",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sheets", "text"),
    [
        ({"a": MONTHS, "b": MONTHS}, "E105 has a, b; must have one sheet with the series, or name"),
        ({"a": []}, "E105 has no sheet with cells; must have one sheet with the series"),
    ],
)
def test_which_sheet_is_meant(folder: Path, sheets: dict[str, Any], text: str) -> None:
    workbook(folder / "series" / "inflow_m3s.xlsx", **sheets)
    (found,) = faults(folder)
    assert found.startswith(f"inflow_m3s.xlsx: {text}")


def test_what_is_no_workbook(folder: Path) -> None:
    (folder / "series" / "inflow_m3s.xlsx").write_bytes(b"PK")
    (found,) = faults(folder)
    assert found.startswith("inflow_m3s.xlsx: E105 is not valid XLSX")


# --- Parquet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["date", "time", "__index_level_0__"])
@pytest.mark.parametrize("is_text", [True, False])
def test_a_parquet_file_has_a_series(folder: Path, name: str, is_text: bool) -> None:
    dates = month_starts("2001-01", 2)
    cells = dates if is_text else [dt.datetime.fromisoformat(day) for day in dates]
    path = folder / "series" / "inflow_m3s.parquet"
    pl.DataFrame({name: cells, "spring": [10.0, 12.5]}).write_parquet(path)
    found = inflow(read_basin(folder))
    assert found.tolist() == [10, 12.5]
    assert [str(day.date()) for day in found.index] == dates


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"day": ["2001-01-01"], "spring": [1.0]}, "E202 column date is missing"),
        ({"date": ["2001-01-01"], "spring": [None]}, "E204 value of 'spring' on 2001-01-01 is nan"),
        ({"date": ["first"], "spring": [1.0]}, "E204 holds what is no date or no number"),
        ({"date": ["2001-01-01"], "spring": ["x"]}, "E204 holds what is no date or no number"),
    ],
)
def test_faults_of_a_parquet_file(folder: Path, columns: dict[str, Any], text: str) -> None:
    pl.DataFrame(columns).write_parquet(folder / "series" / "inflow_m3s.parquet")
    (found,) = faults(folder)
    assert found.startswith(f"inflow_m3s.parquet: {text}")


def test_what_is_no_parquet(folder: Path) -> None:
    (folder / "series" / "inflow_m3s.parquet").write_bytes(b"PAR1")
    (found,) = faults(folder)
    assert found.startswith("inflow_m3s.parquet: E105 is not valid Parquet")


# --- HEC-DSS ------------------------------------------------------------------------------------


def put(
    path: Path,
    pathname: str,
    ends: Sequence[dt.datetime],
    values: Sequence[float],
    unit: str = "CMS",
    type_: str = "PER-AVER",
) -> None:
    """Write a record with the library, each value stamped at the end of its period."""
    HecDss.set_global_debug_level(0)
    kind = IrregularTimeSeries if "/IR-" in pathname else RegularTimeSeries
    words = {} if "/IR-" in pathname else {"start_date": ends[0]}
    with HecDss(str(path)) as file:
        file.put(
            kind.create(
                list(values), list(ends), units=unit, data_type=type_, path=pathname, **words
            )
        )


def month_ends(n: int) -> list[dt.datetime]:
    """24:00 of the last day of each month of 2001 and later."""
    return [dt.datetime(2001 + k // 12, 1 + k % 12, 1) for k in range(1, n + 1)]


@pytest.fixture
def dss(folder: Path) -> Path:
    return folder / "series" / "inflow_m3s.dss"


def test_a_month_has_its_own_first_day(folder: Path, dss: Path) -> None:
    put(dss, "/RED/SPRING/INFLOW//1Month/OBS/", month_ends(14), range(14))
    before = dss.read_bytes()
    basin = read_basin(folder)
    assert inflow(basin).tolist() == list(range(14))
    assert basin.series["inflow"].timeline.step == "month"
    assert [str(day.date()) for day in inflow(basin).index] == month_starts("2001-01", 14)
    assert dss in basin.files
    assert dss.read_bytes() == before  # the library writes to what it opens


def test_a_day_that_ends_at_24_is_the_day_before(folder: Path, dss: Path) -> None:
    # more than two blocks of a year, with a 29 February
    ends = [dt.datetime(2003, 12, 31) + k * DAY for k in range(800)]
    put(dss, "/RED/SPRING/FLOW//1Day/OBS/", ends, np.arange(800.0), "CFS")
    basin = read_basin(folder)
    found = inflow(basin)
    assert basin.series["inflow"].timeline.step == "day"
    assert str(found.index[0].date()) == "2003-12-30"
    assert found[pd.Timestamp("2004-02-29")] == pytest.approx(61 * CFS, rel=1e-12)
    assert found.tolist() == pytest.approx((np.arange(800.0) * CFS).tolist(), rel=1e-12)


def test_a_week_has_its_first_day(folder: Path, dss: Path) -> None:
    ends = [dt.datetime(2001, 1, 7) + 7 * k * DAY for k in range(5)]  # Saturdays, 24:00
    put(dss, "/RED/SPRING/INFLOW//1Week/OBS/", ends, range(5))
    found = inflow(read_basin(folder))
    assert [str(day.date()) for day in found.index[:2]] == ["2000-12-31", "2001-01-07"]


def test_part_c_says_what_is_read_and_b_for_whom(tmp_path: Path) -> None:
    parts = tiny_parts()
    nodes = [*parts["nodes"], {"name": "hoa_binh", "kind": "inflow"}]
    links = [*parts["links"], {"name": "brook", "from": "hoa_binh", "to": "lake", "kind": "reach"}]
    folder = tiny_basin(tmp_path / "b", nodes=nodes, links=links)
    (folder / "series" / "inflow_m3s.csv").unlink()
    dss = folder / "series" / "inflow_m3s.dss"
    put(dss, "/RED/SPRING/INFLOW//1Month/OBS/", month_ends(3), [1, 2, 3])
    put(dss, "/RED/HOA BINH/INFLOW//1Month/OBS/", month_ends(3), [4, 5, 6])
    put(dss, "/RED/SPRING/STAGE//1Hour/OBS/", [dt.datetime(2001, 1, 1, 5)], [1], "M", "INST-VAL")
    values = read_basin(folder).series["inflow"].values
    assert set(values.columns) == {"spring", "hoa_binh"}
    assert values["hoa_binh"].tolist() == [4, 5, 6]


def test_volumes_and_depths_are_sums(folder: Path, dss: Path) -> None:
    volumes = folder / "series" / "inflow_hm3.dss"
    put(volumes, "/R/SPRING/INFLOW//1Month/O/", month_ends(2), [1000, 2000], "AC-FT", "PER-CUM")
    put(
        folder / "series" / "evaporation_mm.dss", "/R/LAKE/EVAPORATION//1Month/O/", month_ends(2),
        [1, 2], "IN", "PER-CUM",
    )  # fmt: skip
    nodes_of_lake = [{**row, "evaporation_mm_day": None} for row in tiny_parts()["reservoirs"]]
    tiny = tiny_basin(folder.parent / "other", reservoirs=nodes_of_lake)
    (tiny / "series" / "inflow_m3s.csv").unlink()
    for path in (folder / "series").iterdir():
        path.rename(tiny / "series" / path.name)
    basin = read_basin(tiny)
    seconds = np.array([31, 28]) * 86_400
    expected = np.array([1000, 2000]) * 43_560 * CFS / seconds
    assert inflow(basin).tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    depth = basin.series["evaporation"].values["lake"]
    assert depth.tolist() == pytest.approx([25.4 / 31, 50.8 / 28], rel=1e-12)


SPRING = "/R/SPRING/INFLOW//1Month/O/"
DAILY = "/R/SPRING/INFLOW//1Day/O/"


def write_missing(dss: Path) -> None:
    put(dss, SPRING, month_ends(5), [1, -3.4028234663852886e38, -901, float("nan"), 5])


def write_twice(dss: Path) -> None:
    put(dss, SPRING, month_ends(2), [1, 2])
    put(dss, SPRING.replace("/O/", "/SIM/"), month_ends(2), [1, 2])


def write_unlike(dss: Path) -> None:
    put(dss, SPRING, month_ends(2), [1, 2])
    put(dss, SPRING.replace("SPRING", "TOWN"), month_ends(3), [1, 2, 3])


def write_others(dss: Path) -> None:
    put(dss, SPRING.replace("INFLOW", "FLOW-IN"), month_ends(2), [1, 2])
    put(dss, SPRING.replace("INFLOW", "STAGE"), month_ends(2), [1, 2])


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (
            write_missing,
            [f":{SPRING}: E202 value of 'spring' on 2001-0{m}-01 is missing; " for m in (2, 3, 4)],
        ),
        (write_twice, [":/R/SPRING/INFLOW//1Month/SIM/: E212 column 'spring' stands there alre"]),
        (
            write_unlike,
            [":/R/TOWN/INFLOW//1Month/O/: E231 record runs from 2001-01-01 to 2001-03-01, that of "
             "'spring' from 2001-01-01 to 2001-02-01 (1MONTH); must be the same"],
        ),
        (write_others, [": E211 has records of FLOW-IN, STAGE; part C of those to read must be"]),
        (
            lambda dss: put(dss, SPRING, month_ends(2), [1, 2], "KCFS"),
            [f":{SPRING}: E208 unit 'KCFS' is not known; must be one of CMS, M3/S, CFS"],
        ),
        (
            lambda dss: put(dss, SPRING, month_ends(2), [1, 2], "AC-FT", "PER-CUM"),
            [f":{SPRING}: E208 unit is 'AC-FT' but the file name says m3s; must agree"],
        ),
        (
            lambda dss: put(dss, SPRING, month_ends(2), [1, 2], "CMS", "INST-VAL"),
            [f":{SPRING}: E208 type is 'INST-VAL'; must be PER-AVER or PER-CUM"],
        ),
        (
            lambda dss: put(dss, SPRING, month_ends(2), [1, 2], "CMS", "PER-CUM"),
            [f":{SPRING}: E208 values of 'spring' are sums over the period, but inflow_m3s must b"],
        ),
        (
            lambda dss: put(dss, DAILY, [dt.datetime(2001, 1, 2, 7), dt.datetime(2001, 1, 3, 7)],
                            [1, 2]),
            [f":{DAILY}: E213 values are stamped 2001-01-02 07:00:00; must be at 24:00"],
        ),
        (
            lambda dss: put(dss, SPRING.replace("1Month", "1Hour"),
                            [dt.datetime(2001, 1, 1, 1), dt.datetime(2001, 1, 1, 2)], [1, 2]),
            [":/R/SPRING/INFLOW//1Hour/O/: E231 interval is 1HOUR; must be 1DAY or 1WEEK or 1MON"],
        ),
        (
            lambda dss: put(dss, SPRING.replace("1Month", "IR-Year"), month_ends(2), [1, 2]),
            [":/R/SPRING/INFLOW//IR-Year/O/: E231 interval is IR-YEAR; must be 1DAY or 1WEEK"],
        ),
        (
            lambda dss: put(dss, SPRING, month_ends(2), [1, -2]),
            [f":{SPRING}: E203 inflow is -2 m3s for 'spring' on 2001-02-01"],
        ),
        (
            lambda dss: put(dss, SPRING.replace("SPRING", "SPRNG"), month_ends(2), [1, 2]),
            [":/R/SPRNG/INFLOW//1Month/O/: E211 'sprng' in series inflow does not exist; did you"],
        ),
        (lambda dss: dss.write_bytes(b""), [": E103 file is empty"]),
        (lambda dss: dss.write_bytes(b"hello"), [": E105 is not valid HEC-DSS; write it again"]),
        (
            lambda dss: dss.write_bytes(b"ZDSS" + bytes(12) + b"6-YO" + bytes(200)),
            [": E107 is HEC-DSS of version 6; convert it to version 7, as HEC-DSSVue does"],
        ),
        (
            lambda dss: dss.write_bytes(b"ZDSS" + bytes(12) + b"7-JA" + bytes(200)),
            [": E105 is not valid HEC-DSS: "],
        ),
        (lambda dss: dss.mkdir(), [": E102 is a directory; must be a file"]),
    ],
)  # fmt: skip
def test_faults_of_a_dss_file_name_the_record(
    folder: Path, dss: Path, write: Callable[[Path], None], expected: list[str]
) -> None:
    write(dss)
    found = faults(folder)
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(f"inflow_m3s.dss{start}")


def test_a_file_cut_short_is_no_series(folder: Path, dss: Path) -> None:
    put(dss, SPRING, month_ends(2), [1, 2])
    dss.write_bytes(dss.read_bytes()[:20_000])
    (found,) = faults(folder)
    assert found.startswith(("inflow_m3s.dss: E103 holds no time series", "inflow_m3s.dss: E105"))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the library crashed on it"),
        ("import time; time.sleep(60)", "reading it takes more than 0.5 seconds"),
        ("raise OSError('no such block')", "OSError: no such block"),
    ],
)
def test_a_crash_of_the_library_is_a_fault_of_the_file(
    folder: Path,
    dss: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    program: str,
    text: str,
) -> None:
    put(dss, SPRING, month_ends(2), [1, 2])
    (tmp_path / "child.py").write_text(program)
    monkeypatch.setattr(dss_room.dss_child, "__file__", str(tmp_path / "child.py"))
    monkeypatch.setattr(dss_room, "LONGEST", 0.5 if "sleep" in program else 60.0)
    (found,) = faults(folder)
    assert found == f"inflow_m3s.dss: E105 is not valid HEC-DSS: {text}; write it again"


def test_without_the_library(folder: Path, dss: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(dss, SPRING, month_ends(2), [1, 2])
    monkeypatch.setitem(sys.modules, "hecdss", None)
    (found,) = faults(folder)
    assert found == (
        "inflow_m3s.dss: E107 reading .dss needs hecdss; install wateralloc[dss], or write .csv"
    )


def test_a_dss_series_goes_with_its_basin(folder: Path, dss: Path, tmp_path: Path) -> None:
    put(dss, SPRING, month_ends(3), [1, 2.5, 1 / 3])
    export.write_folder(read_basin(folder), tmp_path / "plain")
    assert inflow(read_basin(tmp_path / "plain")).tolist() == [1, 2.5, 1 / 3]
