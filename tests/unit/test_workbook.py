"""Basins in one file: positions of faults, what spreadsheets do to cells, what is inert."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
import xlsxwriter
from openpyxl import load_workbook
from typer.testing import CliRunner

from tests.basins import tiny_basin, tiny_parts, write_rows
from wateralloc import job, read_basin, read_case
from wateralloc.basin.contents import Contents, decimals_of, numeral
from wateralloc.basin.keys import SettingRow, from_rows, to_rows
from wateralloc.basin.workbook import write_workbook
from wateralloc.cli import app
from wateralloc.errors import Findings, InputError, Position
from wateralloc.export import write_folder, write_netcdf
from wateralloc.export import write_workbook as export_workbook

CASE = """\
schema: 1
basin: basin.xlsx
timeline: {start: 2001-01-01, periods: 12, step: month}
hydrology: {record: dates}
goals: [{meet: {}}]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the tiny basin as basin.xlsx, basin.nc and basin/."""
    monkeypatch.chdir(tmp_path)
    basin = read_basin(tiny_basin(tmp_path / "basin"))
    export_workbook(basin, tmp_path / "basin.xlsx")
    write_netcdf(basin, tmp_path / "basin.nc")
    return tmp_path


def faults(path: str | Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_basin(path)
    return str(caught.value).splitlines()


def edit(change: Callable[[Any], None], path: str = "basin.xlsx") -> None:
    """Change a workbook as somebody with a spreadsheet does."""
    book = load_workbook(path)
    change(book)
    book.save(path)


def cell_of(sheet: Any, column: str, row: int) -> Any:
    """Cell of a row of the sheet, by the name of its column."""
    (k,) = (cell.column for cell in sheet[1] if cell.value == column)
    return sheet.cell(row, k)


# --- faults and where they stand ----------------------------------------------------------------


def test_all_faults_at_once_with_sheet_and_cell(here: Path) -> None:
    def spoil(book: Any) -> None:
        book["demands"]["G3"] = "much"
        book["demands"]["B2"] = "twon"
        book["nodes"]["K1"] = "elevation"
        book["nodes"]["K2"] = 5
        book["series.inflow_m3s"]["B4"] = None
        book["series.inflow_m3s"]["A9"] = dt.datetime(2001, 8, 2)
        book["basin"]["A2"] = "shcema"
        book["reservoirs"]["D2"] = -1
        book.create_sheet("Demnads")["A1"] = "x"

    assert load_workbook("basin.xlsx")["demands"]["G1"].value == "annual_hm3"
    edit(spoil)
    found = faults("basin.xlsx")
    starts = [line.split(" ", 2)[:2] for line in found]
    assert ["basin.xlsx:demands!G3:", "E204"] in starts
    assert ["basin.xlsx:demands!B2:", "E211"] in starts
    assert ["basin.xlsx:nodes!K1:", "E201"] in starts
    assert ["basin.xlsx:series.inflow_m3s!B4:", "E202"] in starts
    assert ["basin.xlsx:series.inflow_m3s!A9:", "E231"] in starts
    assert ["basin.xlsx:basin!A2:", "E301"] in starts
    assert ["basin.xlsx:reservoirs!D2:", "E203"] in starts
    assert ["basin.xlsx:Demnads:", "E214"] in starts
    assert "did you mean 'demands'?" in "\n".join(found)
    assert len([line for line in found if ": E302 " not in line]) == 8


def test_faults_are_those_of_the_folder(here: Path) -> None:
    """The same broken tables as CSV, XLSX and NetCDF: the same codes and texts."""
    parts = tiny_parts()
    parts["demands"][0] |= {"annual_hm3": -3, "node": "nowhere", "priority": 1.5}
    parts["links"][0] |= {"from": "sea"}
    tables = {name: rows for name, rows in parts.items() if name != "series"}
    for name, rows in tables.items():
        write_rows(here / "basin" / f"{name}.csv", rows)
    texts = {
        name: [list(rows[0]), *([str(row.get(k, "")) for k in rows[0]] for row in rows)]
        for name, rows in tables.items()
    }
    series = [["date", "spring"], *([f"2001-{k:02d}-01", "10"] for k in range(1, 13))]
    settings = read_settings(here / "basin")
    contents = Contents(here, settings, "", texts, {"inflow_m3s": series}, {})
    write_workbook(contents, here / "broken.xlsx", lambda table, label: False)
    told = {name: faults(name) for name in ("basin", "broken.xlsx")}
    bare = {
        name: sorted(re.sub(r"^\S+ ", "", line) for line in lines) for name, lines in told.items()
    }
    assert bare["basin"] == bare["broken.xlsx"]
    assert len(bare["basin"]) >= 4
    assert "basin/demands.csv:2:" in "\n".join(told["basin"])
    assert "broken.xlsx:demands!G2: E203" in "\n".join(told["broken.xlsx"])


def read_settings(folder: Path) -> dict[str, Any]:
    from wateralloc.basin.contents import read_contents

    return read_contents(folder, []).settings


def test_rows_and_columns_that_are_blank_do_not_count(here: Path) -> None:
    def move(book: Any) -> None:
        book["demands"].insert_rows(1, 2)
        book["demands"].insert_rows(4)
        book["demands"].insert_cols(3)
        book["demands"]["Z99"].number_format = "0.00"
        book.create_sheet("Sheet1")
        book.create_sheet("meta_mine")["B2"] = "whatever"

    edit(move)
    assert list(read_basin("basin.xlsx").tables["demands"].index) == list(
        read_basin("basin").tables["demands"].index
    )
    edit(lambda book: book["demands"].cell(5, 8, "much"))
    (fault,) = faults("basin.xlsx")
    assert fault.startswith("basin.xlsx:demands!H5: E204 annual_hm3 is 'much'")


def test_sheet_that_is_missing_or_empty(here: Path) -> None:
    def drop(book: Any) -> None:
        del book["nodes"], book["basin"]
        book["links"].delete_rows(1, 99)

    edit(drop)
    found = "\n".join(faults("basin.xlsx"))
    assert "basin.xlsx:nodes: E101 sheet is missing; add it" in found
    assert "basin.xlsx:basin: E101 sheet is missing; give it columns key and value" in found
    assert "basin.xlsx:links: E103 sheet is empty; fill it or remove it" in found


def test_settings_that_are_wrong(here: Path) -> None:
    rows = [
        ("key", "value", "meta_note", "note"), ("schema", 1), ("schema", 1), ("name.en", "River"),
        ("currency", "dong"), ("water_year_start", 13), ("sectors.domestic.fr", "eau"),
        ("provinces.lowland.region", "nowhere"), ("regions..x", None), ("regions[0]", "north"),
        ("meta_list[1]", "b"), (None, "lost"), ("meta_x", 1), ("meta_x.y", 2),
    ]  # fmt: skip

    def spoil(book: Any) -> None:
        del book["basin"]
        sheet = book.create_sheet("basin", 0)
        for row in rows:
            sheet.append(row)

    edit(spoil)
    found = [line for line in faults("basin.xlsx") if line.startswith("basin.xlsx:basin!")]
    starts = {re.match(r"basin.xlsx:basin!(\S+): (\S+)", line).groups() for line in found}  # type: ignore[union-attr]
    assert starts >= {
        ("D1", "E201"), ("A3", "E106"), ("A9", "E301"), ("A11", "E105"), ("A12", "E301"),
        ("A14", "E105"),
    }  # fmt: skip


def test_settings_point_to_the_cell_of_the_value(here: Path) -> None:
    places = {row[0].value: row[0].row for row in load_workbook("basin.xlsx")["basin"]}

    def spoil(book: Any) -> None:
        book["basin"].cell(places["currency"], 2, "dong")
        book["basin"].cell(places["water_year_start"], 2, 13)

    edit(spoil)
    assert [line.partition(" ")[0] for line in faults("basin.xlsx")] == [
        f"basin.xlsx:basin!B{places['currency']}:",
        f"basin.xlsx:basin!B{places['water_year_start']}:",
    ]


@pytest.mark.parametrize("ending", ["xlsx", "nc"])
def test_file_that_is_no_such_file(ending: str, here: Path) -> None:
    kind = {"xlsx": "XLSX", "nc": "NetCDF"}[ending]
    (here / f"a.{ending}").write_text("name,node\n", encoding="utf-8")
    (here / f"b.{ending}").touch()
    (here / f"c.{ending}").write_bytes((here / f"basin.{ending}").read_bytes()[:3000])
    for name, start in (
        ("a", f"a.{ending}: E105 is not valid {kind}: "),
        ("b", f"b.{ending}: E103 file is empty"),
        ("c", f"c.{ending}: E105 is not valid {kind}: "),
        ("basn", f"basn.{ending}: E305 basin cannot be found; did you mean 'basin.{ending}'?"),
    ):
        (fault,) = faults(f"{name}.{ending}")
        assert fault.startswith(start)


# --- what spreadsheets do to cells --------------------------------------------------------------


def test_formula_is_read_by_its_stored_value_or_refused(here: Path) -> None:
    book = xlsxwriter.Workbook("stored.xlsx")
    for sheet in load_workbook("basin.xlsx"):
        target = book.add_worksheet(sheet.title)
        for row in sheet.iter_rows():
            for cell in row:
                if sheet.title == "demands" and cell.coordinate == "G3":
                    target.write_formula("G3", "=70+3.25", None, 73.25)
                elif isinstance(cell.value, dt.datetime):
                    day = book.add_format({"num_format": "dd/mm/yyyy"})
                    target.write_datetime(cell.coordinate, cell.value, day)
                elif cell.value is not None:
                    target.write(cell.coordinate, cell.value)
    book.close()
    read = read_basin("stored.xlsx")
    assert read.tables["demands"]["annual"].iloc[1] == 73.25
    assert read.series["inflow"].timeline == read_basin("basin").series["inflow"].timeline

    def lose(book: Any) -> None:
        book["demands"]["G3"] = "=70+3"
        book["demands"]["B2"] = '="town"'
        book["basin"]["B2"] = "=1"
        book["series.inflow_m3s"]["B5"] = "=B4"

    edit(lose)
    text = "E392 holds a formula without a stored value; "
    found = faults("basin.xlsx")
    assert [line[: line.index(text)] for line in found] == [
        "basin.xlsx:basin!B2: ", "basin.xlsx:demands!B2: ", "basin.xlsx:demands!G3: ",
        "basin.xlsx:series.inflow_m3s!B5: ",
    ]  # fmt: skip


def test_errors_and_times_are_refused(here: Path) -> None:
    def spoil(book: Any) -> None:
        book["demands"]["G3"] = "#REF!"
        book["demands"]["F3"] = dt.time(6, 30)
        book["series.inflow_m3s"]["A5"] = dt.datetime(2001, 4, 1, 12)

    edit(spoil)
    assert faults("basin.xlsx") == [
        "basin.xlsx:demands!F3: E393 holds the time 06:30:00; give it the format of a date or of "
        "a number",
        "basin.xlsx:demands!G3: E393 holds the error #REF!; put a value in its place, or nothing",
        "basin.xlsx:series.inflow_m3s!A5: E393 holds the time 2001-04-01 12:00:00; give it the "
        "format of a date or of a number",
    ]


def test_what_a_person_types(here: Path) -> None:
    """Numbers in any format, dates, text with blanks around and decomposed letters."""

    def type_(book: Any) -> None:
        demands = book["demands"]
        demands["G2"], demands["G3"] = 36.5, " 73 "
        demands["G2"].number_format = "#,##0"
        cell_of(demands, "consumption_fraction", 2).number_format = "0%"
        cell_of(book["nodes"], "name_vi", 2).value = " Suo\u0302\u0301i  "
        cell_of(demands, "priority", 2).value = 1.0

    edit(type_)
    read, before = read_basin("basin.xlsx"), read_basin("basin")
    assert read.tables["demands"].equals(before.tables["demands"])
    assert read.tables["nodes"].at["spring", "name_vi"] == "Suối"


def test_dates_are_dates_and_text_stays_text_when_typed_over(here: Path) -> None:
    book = load_workbook("basin.xlsx")
    assert book["series.inflow_m3s"]["A2"].value == dt.datetime(2001, 1, 1)
    assert book["series.inflow_m3s"]["B2"].value == 10
    assert cell_of(book["patterns"], "start", 2).number_format == "@"
    assert cell_of(book["patterns"], "start", 2).value == "06-15"
    assert cell_of(book["demands"], "annual_hm3", 2).data_type == "n"
    assert book["demands"].freeze_panes == "B2"


@pytest.mark.parametrize(
    "text", ["0.30000000000000004", "1e-07", "5e-324", "435.0", "12345678901234567", "1.50", "1e5"]
)
def test_number_is_a_number_where_the_text_comes_back(text: str, here: Path) -> None:
    parts = tiny_parts()
    parts["nodes"][0] |= {"inflow_m3s": text, "meta_same": text}
    basin = read_basin(tiny_basin(here / "odd", nodes=parts["nodes"], series={}))
    export_workbook(basin, here / "odd.xlsx")
    write_netcdf(basin, here / "odd.nc")
    for name in ("odd.xlsx", "odd.nc"):
        write_folder(read_basin(name), here / f"from_{name}")
        assert read_basin(name).tables["nodes"].at["spring", "inflow"] == float(text)
        again = (here / f"from_{name}" / "nodes.csv").read_text("utf-8").splitlines()[1]
        assert again.count(text) == 2
    cell = cell_of(load_workbook("odd.xlsx")["nodes"], "inflow_m3s", 2)
    is_exact = decimals_of(text) is not None and float(text) > 1e-300
    assert cell.data_type == ("n" if is_exact else "s")
    assert cell_of(load_workbook("odd.xlsx")["nodes"], "meta_same", 2).data_type == "s"


def test_numeral_gives_every_number_back() -> None:
    values = np.random.default_rng(7).lognormal(0, 30, 2000).tolist()
    for value in values:
        text = numeral(value)
        assert float(text) == value
        assert decimals_of(text) is not None
        assert numeral(value, 3) in (f"{value:.3f}", text)


# --- injection ----------------------------------------------------------------------------------

ATTACKS = (
    "=SUM(A1)", "+1+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x.y","z")',
    "{=1+1}", "\t=1", "http://x.y/z", "<f>1</f>", "</t></si><script>", "=1+1;", "'=1",
)  # fmt: skip


def test_attacks_are_inert_and_come_back_as_they_were(here: Path) -> None:
    nodes = tiny_parts()["nodes"]
    nodes = [
        nodes[k % 4] | {"name": f"n{k}", "kind": "junction", "name_vi": text, "meta_note": text}
        for k, text in enumerate(ATTACKS)
    ]
    links = [
        {"name": f"l{k}", "from": f"n{k}", "to": "sea", "kind": "reach"}
        for k in range(len(ATTACKS))
    ]
    nodes.append({"name": "sea", "kind": "sink"})
    settings = {"name": {"en": "=1+1", "vi": "@x"}, "description": "+1", "meta_=1": "=2"}
    folder = tiny_basin(
        here / "attacked", nodes=nodes, links=links, yaml=settings, series={}, reservoirs=[],
        demands=[], environmental_flows=[], projections=[], curves=[], patterns=[],
    )  # fmt: skip
    for path in folder.glob("*.csv"):
        if not path.read_text("utf-8").strip():
            path.unlink()
    (folder / "SOURCES.md").write_text("# Sources\n\n=1+1\n  @x\n", encoding="utf-8")
    basin = read_basin(folder)
    export_workbook(basin, here / "attacked.xlsx")
    with zipfile.ZipFile("attacked.xlsx") as archive:
        for name in archive.namelist():
            text = archive.read(name)
            assert not re.search(rb"<f[ >/]|<hyperlink|<script", text), name
            assert not name.startswith("xl/externalLinks")
    sheet = load_workbook("attacked.xlsx")["nodes"]
    stored = [cell_of(sheet, "meta_note", k + 2) for k in range(len(ATTACKS))]
    assert [cell.value.strip() for cell in stored] == [text.strip() for text in ATTACKS]
    quoted = [cell.quotePrefix for cell in stored]
    assert quoted == [cell.value[0] in "=+-@" for cell in stored]
    again = read_basin("attacked.xlsx")
    for column in ("name_vi", "meta_note"):
        assert list(again.tables["nodes"][column]) == list(basin.tables["nodes"][column])
    assert again.title == {"en": "=1+1", "vi": "@x"}
    write_folder(again, here / "back")
    twin = (here / "back" / "SOURCES.md").read_text("utf-8")
    assert twin == (folder / "SOURCES.md").read_text("utf-8")


# --- settings as rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["xlsx", "nc"])
def test_sub_basins_come_back(tmp_path: Path, ending: str) -> None:
    labels = {"main": {"en": "Main river", "vi": "Sông chính"}, "other": {"vi": "Sông khác"}}
    basin = read_basin(tiny_basin(tmp_path / "basin", yaml={"sub_basins": labels}))
    path = tmp_path / f"basin.{ending}"
    (export_workbook if ending == "xlsx" else write_netcdf)(basin, path)
    again = read_basin(path)
    assert again.sub_basins == basin.sub_basins
    assert list(again.sub_basins) == ["main", "other"]
    assert again.sub_basins["main"]["vi"] == "Sông chính"


def test_settings_become_rows_and_back() -> None:
    data = {
        "schema": 1,
        "name": {"en": "River", "vi": "Sông"},
        "regions": {},
        "sectors": ["a", "b"],
        "meta_x": [[], {}, [{"a.b": None, 'q"': 1.5, "2010": True, 2010: False}], ""],
    }
    rows = list(to_rows(data))
    assert ('meta_x[2][0]."2010"', True) in rows
    findings = Findings()
    numbered = [SettingRow(k, key, value) for k, (key, value) in enumerate(rows, 2)]
    file = from_rows(Path("x"), numbered, findings)
    assert not findings
    assert file.data == data
    assert [type(v) for v in file.data["meta_x"]] == [list, dict, list, str]
    assert file.position("name", "vi") == Position("x", 4, 2, is_cell=True)
    assert file.key_position("name", "vi") == Position("x", 4, 1, is_cell=True)
    assert file.position("name") == Position("x", 3, 1, is_cell=True)
    assert file.position("name", "fr") == Position("x", 3, 1, is_cell=True)
    assert file.position("sectors", 1) == Position("x", 7, 2, is_cell=True)


# --- what does not fit --------------------------------------------------------------------------


def test_what_does_not_fit_is_told_and_nothing_is_written(here: Path) -> None:
    (here / "basin" / f"README_{'x' * 30}.md").write_text("x\n", encoding="utf-8")
    (here / "basin" / "SOURCES.md").write_text("y" * 40_000 + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        export_workbook(read_basin("basin"), here / "big.xlsx")
    found = str(caught.value)
    assert "E394 a text of sheet SOURCES.md has 40000 letters; a workbook takes 32767" in found
    assert "\nbasin: E394 name " in f"\n{found}"
    assert "of a sheet has 40 letters; a workbook takes 31" in found
    assert not (here / "big.xlsx").exists()
    write_netcdf(read_basin("basin"), here / "big.nc")
    write_folder(read_basin("big.nc"), here / "again")
    assert (here / "again" / "SOURCES.md").read_text("utf-8") == "y" * 40_000 + "\n"


@pytest.mark.parametrize("text", ["_x005F_x0041_", "_x0041\x07"])
def test_text_that_a_workbook_does_not_keep(text: str, here: Path) -> None:
    nodes = tiny_parts()["nodes"]
    nodes[0]["meta_odd"] = f"a{text}b"
    basin = read_basin(tiny_basin(here / "odd", nodes=nodes))
    with pytest.raises(InputError, match=r"^odd: E394 sheet nodes has the text 'a_x00"):
        export_workbook(basin, Path("odd.xlsx"))
    write_netcdf(basin, Path("odd.nc"))
    assert read_basin("odd.nc").tables["nodes"].at["spring", "meta_odd"] == f"a{text}b"


def test_setting_with_more_digits_than_a_cell(here: Path) -> None:
    folder = tiny_basin(here / "digits", yaml={"meta_n": 2**60 + 1})
    with pytest.raises(InputError, match=r"^digits: E394 setting meta_n is 1152921504606846977"):
        export_workbook(read_basin(folder), Path("digits.xlsx"))


# --- NetCDF -------------------------------------------------------------------------------------


def test_other_programs_read_the_netcdf_file(here: Path) -> None:
    with xr.open_dataset("basin.nc", group="series/inflow_m3s", engine="netcdf4") as series:
        assert series["inflow"].dims == ("time", "name")
        assert series["inflow"].attrs["units"] == "m3/s"
        assert series["inflow"].sel(time="2001-03-01", name="spring") == 10
    with xr.open_dataset("basin.nc", group="demands", engine="netcdf4") as demands:
        assert demands["annual_hm3"].dtype == float
        assert demands["annual_hm3"].values.tolist() == [36.5, 73.0]
        assert demands["name"].values.tolist() == ["town_domestic", "town_irrigation"]
        assert np.isnan(demands["value_vnd_m3"].values[0])


def test_faults_in_netcdf_name_table_row_and_column(here: Path) -> None:
    with netCDF4.Dataset("basin.nc", "a") as file:
        file["demands/annual_hm3"][1] = -5
        file["demands/node"][0] = "nowhere"
        file["series/inflow_m3s/inflow"][3, 0] = np.nan
        file["basin_yaml"][...] = np.array(
            str(file["basin_yaml"][...]).replace("VND", "dong"), dtype=object
        )
    starts = [" ".join(line.split(" ", 2)[:2]) for line in faults("basin.nc")]
    for start in (
        "basin.nc:demands:3:7: E203", "basin.nc:demands:2:2: E211",
        "basin.nc:series.inflow_m3s:5:2: E202",
    ):  # fmt: skip
        assert start in starts
    assert any(re.match(r"basin.nc:basin:\d+:\d+: E303", start) for start in starts)


def test_series_in_netcdf_without_its_variable(here: Path) -> None:
    with netCDF4.Dataset("basin.nc", "a") as file:
        file["series"].createGroup("evaporation_mm_day")
    text = "group series/evaporation_mm_day must hold time, name and one variable of (time, name)"
    assert faults("basin.nc") == [f"basin.nc: E105 is not valid NetCDF: {text}; write it again"]


# --- cases and commands -------------------------------------------------------------------------


def test_case_on_a_workbook_runs_and_is_locked(here: Path) -> None:
    (here / "case.yaml").write_text(CASE, encoding="utf-8")
    (here / "folder.yaml").write_text(CASE.replace("basin.xlsx", "basin"), encoding="utf-8")
    case = read_case("case.yaml")
    assert case.basin.name == "basin"
    assert case.basin.files == (case.basin.folder,)
    results, twin = job.run("case.yaml"), job.run("folder.yaml")
    for name in twin.dataset.data_vars:
        assert results.dataset[name].equals(twin.dataset[name])
    assert set(results.manifest["inputs"]) == {"case.yaml", "basin.xlsx"}
    results.write(here / "out")
    told = CliRunner().invoke(app, ["verify", "out"])
    assert told.exit_code == 0, told.output
    edit(lambda book: book["demands"].cell(2, 7, 36))
    told = CliRunner().invoke(app, ["verify", "out"])
    assert told.exit_code == 2
    assert "basin.xlsx: E383 is not as it was" in told.output


def test_changes_of_a_case_apply_to_a_workbook(here: Path) -> None:
    text = f"{CASE}changes: {{demands: {{town_domestic: {{annual_hm3: 12}}}}}}\n"
    (here / "case.yaml").write_text(text, encoding="utf-8")
    assert read_case("case.yaml").basin.values("demands", "annual")["town_domestic"] == 12


def test_case_names_a_workbook_that_is_not_there(here: Path) -> None:
    (here / "case.yaml").write_text(CASE.replace("basin.xlsx", "basn.xlsx"), encoding="utf-8")
    with pytest.raises(InputError, match=r"case.yaml:2:8: E305 .*did you mean 'basin.xlsx'\?"):
        read_case("case.yaml")


@pytest.mark.parametrize("ending", ["xlsx", "nc"])
def test_same_basin_gives_the_same_file(ending: str, here: Path) -> None:
    write = {"xlsx": export_workbook, "nc": write_netcdf}[ending]
    write(read_basin("basin"), here / f"twin.{ending}")
    assert (here / f"twin.{ending}").read_bytes() == (here / f"basin.{ending}").read_bytes()


@pytest.mark.parametrize("ending", ["xlsx", "nc"])
def test_export_and_back_by_command(ending: str, here: Path) -> None:
    (here / "case.yaml").write_text(CASE.replace("basin.xlsx", "basin"), encoding="utf-8")

    def export(*words: str) -> Any:
        return CliRunner().invoke(app, ["export", *words])

    for asked in ("case.yaml", "basin", "basin.xlsx", "basin.nc"):
        out = f"new_{Path(asked).stem}{Path(asked).suffix[1:]}.{ending}"
        told = export(asked, "--to", ending, "--out", out)
        assert told.exit_code == 0, told.output
        assert told.output.strip() == out
        folder = out.replace(".", "_")
        assert export(out, "--to", "folder", "--out", folder).exit_code == 0
        for path in (here / "basin").glob("**/*.csv"):
            twin = here / folder / path.relative_to(here / "basin")
            assert twin.read_bytes() == path.read_bytes()
    assert export("basin", "--to", ending, "--out", "x.csv").exit_code == 2
    told = export("basin.nc", "--to", "folder", "--out", "basin")
    assert told.exit_code == 2
    assert "basin: E109 is there and not empty; name a new folder" in told.output
    assert export("basin.xlsx", "--to", "geojson", "--out", "map.geojson").exit_code == 0
    assert export("basin.xlsx", "--to", "xlsx", "--set", "a=b").exit_code == 2


@pytest.mark.parametrize("name", ["basin.xlsx", "basin.nc"])
def test_check_reads_a_basin_in_one_file(here: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["check", name])
    assert done.exit_code == 0, done.output
    assert "Test basin: no faults" in done.output
