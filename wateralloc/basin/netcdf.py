"""A basin as one NetCDF file: a group a table, a variable a column; series by time and name.

Numbers are doubles, so that other programs have them as such; how many decimals they were written
with stands beside them, so that the very same text comes back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from wateralloc.basin.contents import SHORTEST, Contents, decimals_of, numeral
from wateralloc.basin.sources import SERIES, Bundle, Sheet
from wateralloc.errors import Findings, Position, shown
from wateralloc.tables import YamlFile, parse_date, parse_yaml
from wateralloc.units import split_unit

FORMAT = "wateralloc basin 1"
EPOCH = "days since 1970-01-01"


class NetCDF(Bundle):
    """A NetCDF file in which every table of a basin is a group.

    The variable ``basin_yaml`` is the text of basin.yaml, the group ``series`` has one of each
    series, the group ``documents`` the texts that go with the tables.
    """

    kind = "NetCDF"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.settings = ""

    def load(self, findings: Findings) -> None:
        with netCDF4.Dataset(self.path) as file:
            file.set_auto_maskandscale(False)
            if "basin_yaml" in file.variables:
                self.settings = str(file["basin_yaml"][...])
            for name, group in file.groups.items():
                if name == SERIES:
                    for series, of_series in group.groups.items():
                        rows = _series_rows(of_series)
                        self._add(self.path / SERIES / f"{series}.csv", rows)
                elif name == "documents":
                    texts = zip(group["name"][:], group["text"][:], strict=True)
                    self.texts = {str(name): str(text) for name, text in texts}
                else:
                    self._add(self.path / f"{name}.csv", _table_rows(group))

    def _add(self, path: Path, rows: Sequence[Sequence[str]]) -> None:
        self.sheets[path] = Sheet.of(enumerate(rows, 1))

    def yaml(self, path: Path, findings: Findings) -> YamlFile:
        if not self.settings.strip():
            text = "variable basin_yaml is missing; write the basin again"
            findings.add(Position(shown(path)), "E101", text)
            return YamlFile(path, {}, is_sound=False)
        return parse_yaml(path, unicodedata.normalize("NFC", self.settings), findings)

    def settings_text(self, path: Path) -> str:
        return self.settings


def _table_rows(group: Any) -> list[list[str]]:
    columns = _columns(group)
    texts = [_texts(variable, group) for variable in columns]
    labels = [str(getattr(variable, "label", variable.name)) for variable in columns]
    return [labels, *map(list, zip(*texts, strict=True))]


def _columns(group: Any) -> list[Any]:
    helpers = {getattr(v, "decimals", None) for v in group.variables.values()} - {None}
    names = {str(name) for name in helpers if isinstance(name, str)}
    return [v for name, v in group.variables.items() if name not in names]


def _series_rows(group: Any) -> list[list[str]]:
    found = [v for v in _columns(group) if v.dimensions == ("time", "name")]
    if len(found) != 1 or not {"time", "name"} <= set(group.variables):
        raise ValueError(
            f"group series/{group.name} must hold time, name and one variable of (time, name)"
        )
    (variable,) = found
    days = netCDF4.num2date(
        group["time"][:], group["time"].units, getattr(group["time"], "calendar", "standard")
    )
    dates = [_date(day) for day in np.atleast_1d(np.asarray(days))]
    names = [str(name) for name in group["name"][:]]
    values = _texts(variable, group)
    return [["date", *names], *([day, *row] for day, row in zip(dates, values, strict=True))]


def _date(day: Any) -> str:
    """Text of a date; one with a time of day is no date of a series, and says so."""
    text = f"{day.year:04}-{day.month:02}-{day.day:02}"
    return text if day.hour == day.minute == day.second == 0 else f"{text} {day:%H:%M:%S}"


def _texts(variable: Any, group: Any) -> Any:
    """Texts of the cells of a variable, in its shape; "" where a number is missing."""
    values = np.asarray(variable[...])
    if values.dtype.kind not in "iuf":
        return [str(value) for value in values]
    decimals = getattr(variable, "decimals", SHORTEST)
    if isinstance(decimals, str):
        decimals = group[decimals][...]
    fill = getattr(variable, "_FillValue", None)
    pairs = zip(values.ravel().tolist(), np.broadcast_to(decimals, values.shape).flat, strict=True)
    texts = np.array(
        ["" if v != v or v == fill else numeral(v, int(d)) for v, d in pairs], dtype=object
    )
    return texts.reshape(values.shape).tolist()


# --- writing --------------------------------------------------------------------------------


def write_netcdf(contents: Contents, path: Path, numbers: Callable[[str, str], bool]) -> None:
    """Write a basin as one NetCDF file that reads back without loss.

    Parameters
    ----------
    numbers : whether a column holds numbers, from (table, its name in the file)

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncattr_string("Conventions", "CF-1.11")
        file.setncattr_string("wateralloc_format", FORMAT)
        text = file.createVariable("basin_yaml", str, ())
        text[...] = np.array(contents.yaml, dtype=object)
        for name, rows in contents.tables.items():
            _write_table(file.createGroup(name), name, rows, numbers)
        for name, rows in contents.series.items():
            _write_series(file.createGroup(f"{SERIES}/{name}"), name, rows)
        if contents.documents:
            group = file.createGroup("documents")
            group.createDimension("document", len(contents.documents))
            _write_texts(group, "name", "document", list(contents.documents))
            _write_texts(group, "text", "document", list(contents.documents.values()))


def _write_table(
    group: Any, table: str, rows: list[list[str]], numbers: Callable[[str, str], bool]
) -> None:
    group.createDimension("row", len(rows) - 1)
    for k, label in enumerate(rows[0]):
        name = re.sub(r"[^\w.-]", "_", label, flags=re.ASCII)
        while name in group.variables:
            name += "_"
        cells = [row[k] for row in rows[1:]]
        if numbers(table, label) and all(not c or decimals_of(c) is not None for c in cells):
            variable = _write_numbers(group, name, ("row",), cells, split_unit(label)[1])
        else:
            variable = _write_texts(group, name, "row", cells)
        variable.setncattr_string("label", label)


def _write_series(group: Any, name: str, rows: list[list[str]]) -> None:
    group.createDimension("time", len(rows) - 1)
    group.createDimension("name", len(rows[0]) - 1)
    time = group.createVariable("time", "i4", ("time",))
    time.setncatts({"units": EPOCH, "calendar": "proleptic_gregorian", "standard_name": "time"})
    time[:] = np.array([parse_date(row[0]) for row in rows[1:]]).astype(int)
    _write_texts(group, "name", "name", rows[0][1:])
    base, unit = split_unit(name)
    cells = [cell for row in rows[1:] for cell in row[1:]]
    _write_numbers(group, base, ("time", "name"), cells, unit)


def _write_texts(group: Any, name: str, dimension: str, texts: list[str]) -> Any:
    variable = group.createVariable(name, str, (dimension,))
    if texts:
        variable[:] = np.array(texts, dtype=object)
    return variable


def _write_numbers(
    group: Any, name: str, dimensions: tuple[str, ...], cells: list[str], unit: Any
) -> Any:
    """Write numbers, and how many decimals each was written with where they differ."""
    variable = group.createVariable(name, "f8", dimensions, fill_value=np.nan, zlib=True)
    shape = variable.shape
    values = np.array([float(cell) if cell else np.nan for cell in cells])
    if cells:
        variable[...] = values.reshape(shape)
    if unit is not None:
        variable.setncattr_string("units", unit.text)
    found = [decimals_of(cell) for cell in cells]
    decimals = [SHORTEST if d is None else d for d in found]
    if set(decimals) <= {SHORTEST}:
        return variable
    most = max(len(cell.partition(".")[2]) for cell in cells)
    if all(numeral(float(cell), most) == cell for cell in cells if cell):
        variable.setncattr("decimals", np.int8(most))
        return variable
    helper = group.createVariable(f"{name}_decimals", "i1", dimensions, zlib=True)
    helper[...] = np.array(decimals, dtype="i1").reshape(shape)
    variable.setncattr_string("decimals", helper.name)
    return variable
