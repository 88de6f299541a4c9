"""The basin: its places, tables, patterns, curves and series, read from a folder and checked.

Everything in the folder is read against the tables that the parts declare.  All faults are
collected, each with file:line:column, and raised at once.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import networkx as nx
import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wateralloc import catalogue
from wateralloc.errors import Findings, Position, TopologyError, listed, shown, suggest
from wateralloc.tables import (
    NAMES_ARE,
    Column,
    ColumnFault,
    Grid,
    Table,
    YamlFile,
    empty_table,
    is_identifier,
    match_column,
    parse_date,
    parse_number,
    range_text,
    read_grid,
    read_table,
    read_yaml,
    spellings,
)
from wateralloc.timeline import Pattern, Timeline, calendar_breaks
from wateralloc.units import CANONICAL, UNITS, split_unit

NODES = Table(
    "nodes",
    "Places of the basin, joined by links; each keeps a water balance.",
    (
        Column("name", "name of the node", "name", required=True),
        Column(
            "kind",
            "what it is",
            "text",
            required=True,
            choices=("inflow", "junction", "reservoir", "aquifer", "control", "sink"),
        ),
        Column("region", "region it lies in", "name", refers_to="regions"),
        Column("province", "province it lies in", "name", refers_to="provinces"),
        Column("sub_basin", "river it belongs to; hydrology may be scaled by it", "name"),
        Column("lon", "longitude, degrees east", low=-180, high=180),
        Column("lat", "latitude, degrees north", low=-90, high=90),
        Column(
            "inflow",
            "local natural inflow, below that of the nodes upstream",
            dimension="flow",
            low=0,
            varies="hydrology",
        ),
        Column("name_vi", "Vietnamese name", "text"),
        Column("name_en", "English name", "text"),
    ),
    required=True,
)

CURVES = Table(
    "curves",
    "Level and area of reservoirs by storage, one point a row, straight lines between.",
    (
        Column("curve", "name of the curve", "name", required=True),
        Column("x", "storage", required=True, low=0),
        Column("y", "level, or area", required=True),
        Column("x_unit", "unit of x: a volume", "text", required=True),
        Column("y_unit", "unit of y: a length for a level, or an area", "text", required=True),
    ),
    key="",
)

PATTERNS = Table(
    "patterns",
    "Values by date of the year; each holds from its start until the next, around the year.",
    (
        Column("pattern", "name of the pattern", "name", required=True),
        Column("start", "first day it holds, MM-DD", "text", required=True),
        Column("value", "value from that day on", required=True),
        Column("unit", "unit of the value; 1 where it has none", "text", required=True),
    ),
    key="",
)

_CURVE_QUANTITY = {"length": "level", "area": "area"}
_EXTRA_FILES = ("SOURCES.md", "README*", "LICEN[CS]E*", "COPYING*", "*.py", ".*")
_EXTRA_FOLDERS = ("derivation", "__pycache__", ".*")
_SERIES_ENDINGS = (".csv", ".nc", ".parquet")


# --- what a basin holds ---------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """Level and area of a reservoir by storage: straight lines between points.

    Attributes
    ----------
    points : ``level`` [m] or ``area`` [km2] -> storage [hm3] (point), value (point)
    """

    name: str
    points: dict[str, tuple[np.ndarray, np.ndarray]]

    def has(self, quantity: str) -> bool:
        """Tell whether there are points of ``level`` or ``area``."""
        return quantity in self.points

    def range(self, quantity: str) -> tuple[float, float]:
        """Least and largest storage [hm3] for which ``level`` or ``area`` is known."""
        storage = self.points[quantity][0]
        return float(storage[0]), float(storage[-1])

    def level(self, storage: Any) -> Any:
        """Level [m] at a storage [hm3].

        Raises
        ------
        ValueError
            The storage is outside the curve, here and in the other methods.
        """
        return self._interpolate(storage, *self.points["level"], "storage", "hm3")

    def area(self, storage: Any) -> Any:
        """Area [km2] at a storage [hm3]."""
        return self._interpolate(storage, *self.points["area"], "storage", "hm3")

    def storage(self, level: Any) -> Any:
        """Storage [hm3] at a level [m]."""
        storages, levels = self.points["level"]
        return self._interpolate(level, levels, storages, "level", "m")

    def _interpolate(self, at: Any, x: np.ndarray, y: np.ndarray, quantity: str, unit: str) -> Any:
        at = np.asarray(at, float)
        slack = 1e-6 * (x[-1] - x[0])  # a solver's tolerance
        odd = ~((at >= x[0] - slack) & (at <= x[-1] + slack))
        if odd.any():
            raise ValueError(
                f"{quantity} {at[odd][0]:g} {unit} is outside curve '{self.name}' "
                f"({x[0]:g} to {x[-1]:g} {unit})"
            )
        return np.interp(at, x, y)


@dataclass(frozen=True)
class Series:
    """Values of one quantity by date and name.

    Attributes
    ----------
    quantity : name of the varying column it gives
    unit : canonical unit
    timeline : its dates
    values : DataFrame (time, name) in the canonical unit
    path : file it was read from
    """

    quantity: str
    unit: str
    timeline: Timeline
    values: pd.DataFrame = field(repr=False)
    path: Path


@dataclass(frozen=True)
class SeriesColumn:
    """One name of a series."""

    series: Series
    name: str

    @property
    def values(self) -> np.ndarray:
        """Values (time) in the canonical unit."""
        return self.series.values[self.name].to_numpy()


@dataclass(frozen=True)
class Basin:
    """A river basin as it is: nodes and links, users, calendar, record.

    Attributes
    ----------
    name : name of its folder
    title : language (``en``, ``vi``) -> name
    currency : three letters; "" when none is declared
    water_year_start : month
    base_year : year of its demands
    regions, provinces, sectors : name -> ``en``, ``vi`` and, for a province, ``region``
    tables : name -> frame, as :func:`wateralloc.tables.read_table` returns it; every declared table
    declared : name -> declaration of the table
    patterns, curves : by name
    series : by quantity
    doubtful : (table, name) of rows that have a fault or refer to one; empty in a sound basin
    files : everything that was read
    """

    name: str
    folder: Path
    title: dict[str, str] = field(default_factory=dict)
    currency: str = ""
    water_year_start: int = 1
    base_year: int | None = None
    regions: dict[str, dict[str, str]] = field(default_factory=dict)
    provinces: dict[str, dict[str, str]] = field(default_factory=dict)
    sectors: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    declared: dict[str, Table] = field(default_factory=dict, repr=False)
    patterns: dict[str, Pattern] = field(default_factory=dict, repr=False)
    curves: dict[str, Curve] = field(default_factory=dict, repr=False)
    series: dict[str, Series] = field(default_factory=dict, repr=False)
    doubtful: frozenset[tuple[str, Any]] = field(default_factory=frozenset, repr=False)
    files: tuple[Path, ...] = ()

    @cached_property
    def _in_series(self) -> dict[str, frozenset[tuple[str, str]]]:
        found: dict[str, frozenset[tuple[str, str]]] = {}
        for quantity, series in self.series.items():
            names = series.values.columns
            found[quantity] = frozenset(
                (table, name)
                for table in _tables_with(self.declared, quantity)
                for name in names.intersection(self.tables[table].index)
            )
        return found

    def in_series(self, quantity: str) -> frozenset[tuple[str, str]]:
        """Find the (table, name) pairs whose value of a varying column comes from a series."""
        return self._in_series.get(quantity, frozenset())

    def values(self, table: str, column: str) -> dict[str, Any]:
        """Values of a column by name, where there is one: number, text, Pattern or SeriesColumn."""
        is_varying = self.declared[table].column(column).varies != "no"
        from_series = self.in_series(column) if is_varying else frozenset()
        values: dict[str, Any] = {}
        for name, value in self.tables[table][column].items():
            if (table, name) in from_series:
                values[name] = SeriesColumn(self.series[column], name)
            elif isinstance(value, str) and is_varying:
                pattern = self.patterns.get(value.removeprefix("pattern:"))
                if pattern is not None:
                    values[name] = pattern
            elif value is not None and value != "":
                values[name] = value
        return values

    def position(self, table: str, name: Any, column: str = "") -> Position:
        """Position of a cell; of its row where the column is absent."""
        try:
            return self.tables[table].attrs["positions"][name, column]
        except KeyError:
            return Position(shown(self.folder / f"{table}.csv"))


def _tables_with(declared: Mapping[str, Table], quantity: str) -> list[str]:
    """Tables that have a varying column of a name."""
    return [
        table.name
        for table in declared.values()
        if any(c.name == quantity and c.varies != "no" for c in table.columns)
    ]


# --- basin.yaml -----------------------------------------------------------------------------


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Label(_Strict):
    """Names of a thing in English and Vietnamese."""

    en: str = ""
    vi: str = ""


class Province(Label):
    """Names of a province, and its region."""

    region: str = ""


def _named(value: Any) -> Any:
    """Take a plain name for a label in English."""
    return {"en": value} if isinstance(value, str) else value


def _labels(value: Any) -> Any:
    """Take a list of names, or names without labels, for a mapping to labels."""
    if isinstance(value, list):
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if label is None else _named(label) for name, label in value.items()}
    return {} if value is None else value


class BasinFile(_Strict):
    """Keys of ``basin.yaml``; keys that start with ``meta_`` are free."""

    schema_version: Annotated[
        Literal[1], Field(alias="schema", description="version of the format")
    ]
    name: Annotated[
        Label, BeforeValidator(_named), Field(description="name of the basin, {en: ..., vi: ...}")
    ]
    description: Annotated[str, Field(default="", description="what it is, in a few words")]
    currency: Annotated[
        str, Field(default="", pattern="^[A-Z]{3}$", description="currency of prices, e.g. VND")
    ]
    water_year_start: Annotated[
        int, Field(default=1, ge=1, le=12, description="month in which the water year starts")
    ]
    base_year: Annotated[
        int | None, Field(default=None, description="year of the demands in demands.csv")
    ]
    licence: Annotated[str, Field(default="", description="licence of the tables")]
    sources: Annotated[str, Field(default="", description="file that says where figures come from")]
    regions: Annotated[
        dict[str, Label],
        BeforeValidator(_labels),
        Field(default={}, description="who shares water: name -> {en, vi}"),
    ]
    provinces: Annotated[
        dict[str, Province],
        BeforeValidator(_labels),
        Field(default={}, description="name -> {en, vi, region}"),
    ]
    sectors: Annotated[
        dict[str, Label],
        BeforeValidator(_labels),
        Field(default={}, description="what water is for, in their order: name -> {en, vi}"),
    ]


def _read_settings(path: Path, findings: Findings) -> tuple[BasinFile | None, dict[str, list[str]]]:
    """Read basin.yaml.

    Returns
    -------
    settings : None after a fault
    names : regions, provinces, sectors -> names, also after a fault elsewhere in the file
    """
    file = read_yaml(path, findings)
    if not file.is_sound:
        return None, {}
    data = _without_meta(file.data)
    names = {}
    for key in ("regions", "provinces", "sectors"):
        labels = _labels(data.get(key))
        if isinstance(labels, dict):
            names[key] = [str(name) for name in labels]
            for k, name in enumerate(names[key]):
                if not is_identifier(name):
                    at = k if isinstance(data[key], list) else name
                    findings.add(
                        file.key_position(key, at),
                        "E210",
                        f"name '{name}' under {key} is not valid; {NAMES_ARE}",
                    )
    try:
        settings = BasinFile.model_validate(data)
    except ValidationError as error:
        for fault in error.errors():
            _add_setting(file, fault, findings)
        return None, names
    for name, province in settings.provinces.items():
        if province.region and province.region not in settings.regions:
            findings.add(
                file.position("provinces", name, "region"),
                "E211",
                f"region '{province.region}' of province '{name}' does not exist"
                f"{_or(suggest(province.region, settings.regions), 'declare it under regions')}",
            )
    return settings, names


def _without_meta(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_meta(item)
            for key, item in value.items()
            if not str(key).startswith("meta_")
        }
    return value


def _add_setting(file: YamlFile, fault: Any, findings: Findings) -> None:
    keys = tuple(key for key in fault["loc"] if key != "[key]")
    name = ".".join(str(key) for key in keys)
    if fault["type"] == "missing":
        findings.add(file.position(*keys[:-1]), "E302", f"required key '{name}' is missing; add it")
    elif fault["type"] == "extra_forbidden":
        model: type[BaseModel] = BasinFile if len(keys) == 1 else Label
        if len(keys) == 3 and keys[0] == "provinces":
            model = Province
        known = [info.alias or key for key, info in model.model_fields.items()]
        base = split_unit(str(keys[-1]))[0]
        hint = (
            f"; keys here have no unit: write '{base}'"
            if base in known and base != keys[-1]
            else suggest(str(keys[-1]), known) or f"; keys here are {listed(known)}, or meta_..."
        )
        findings.add(file.key_position(*keys), "E301", f"unknown key '{name}'{hint}")
    else:
        must = re.sub("^(Input|String|Keys) should", "must", fault["msg"])
        if fault["type"] == "string_pattern_mismatch":
            must = "must be three capital letters, e.g. VND"
        if fault["type"] in ("model_type", "dict_type"):
            must = "must be keys with values"
        findings.add(file.position(*keys), "E303", f"{name} is {fault['input']!r}; {must}")


def _or(hint: str, todo: str) -> str:
    return hint or f"; {todo}"


# --- reading --------------------------------------------------------------------------------


def read_basin(
    folder: Path | str,
    changes: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    findings: Findings | None = None,
    locate: Callable[..., Position] | None = None,
) -> Basin:
    """Read and check a basin folder.

    Parameters
    ----------
    changes : table -> row name -> column with unit -> value, in place of what the tables say
    findings : collects the faults, together with others; without it they are raised
    locate : where a change stands, from (table, row, column), for messages

    Returns
    -------
    Basin
        With `findings`, it holds only what could be read.

    Raises
    ------
    InputError
        With every fault of the folder.
    """
    collected = Findings() if findings is None else findings
    basin = _Reader(Path(folder), changes or {}, collected, locate).read()
    if findings is None:
        collected.raise_if_any()
    return basin


class _Reader:
    """Reads one folder, step by step; later steps skip what earlier ones found broken."""

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any],
        findings: Findings,
        locate: Callable[..., Position] | None,
    ) -> None:
        self.folder, self.changes, self.findings = folder, changes, findings
        self.locate = locate or (lambda *keys: Position(".".join(map(str, ("changes", *keys)))))
        parts = [part() for part in catalogue.find("parts").values()]
        self.parts = parts
        tables = [NODES, *(table for part in parts for table in part.tables), CURVES, PATTERNS]
        self.declared = {table.name: table for table in tables}
        self.currency: str | None = None
        self.names: dict[str, list[str]] = {}
        self.tables: dict[str, pd.DataFrame] = {}
        self.patterns: dict[str, Pattern] = {}
        self.curves: dict[str, Curve] = {}
        self.series: dict[str, Series] = {}
        self.broken_series: set[str] = set()
        self.doubtful: set[tuple[str, Any]] = set()
        self.without_curve: set[tuple[str, Any]] = set()
        self.files: list[Path] = []

    def read(self) -> Basin:
        if not self._has_folder():
            return Basin(
                self.folder.name, self.folder, tables=self._empty(), declared=self.declared
            )
        settings_path = self.folder / "basin.yaml"
        settings, self.names = _read_settings(settings_path, self.findings)
        self.currency = settings.currency if settings else None
        self.files.append(settings_path)
        self._read_tables()
        self._check_files()
        self._read_patterns()
        self._read_curves()
        self._check_references()
        self._read_all_series()
        for part in self.parts:
            part.complete(self.tables)
        basin = self._basin(settings)
        self._check_varying(basin)
        _check_topology(basin, self.findings)
        for part in self.parts:
            if all(self.tables[table.name].attrs["is_read"] for table in part.tables):
                self._check_part(part, basin)
        return basin

    def _check_part(self, part: Any, basin: Basin) -> None:
        """Let a part check the rows without a fault, so that no fault follows from another."""
        sound = {
            name: frame.drop(index=[key for key in frame.index if (name, key) in self.doubtful])
            for name, frame in self.tables.items()
        }
        own = Findings()
        part.check(replace(basin, tables=sound), own)
        left_out = self._lines({key for _, key in self.doubtful})
        without_curve = self._lines({key for _, key in self.without_curve})
        for fault, kind in own.faults:
            at = (fault.at.file, fault.at.line)
            if at not in left_out and not (fault.code == "E222" and at in without_curve):
                self.findings.add(fault.at, fault.code, fault.text, kind)

    def _lines(self, keys: set[Any]) -> set[tuple[str, int]]:
        """File and line of the rows of some names, in every table that has one."""
        rows = (
            frame.attrs["positions"][key, ""]
            for table, frame in self.tables.items()
            if self.declared[table].key
            for key in frame.index.intersection(list(keys))
        )
        return {(at.file, at.line) for at in rows}

    def _has_folder(self) -> bool:
        at = Position(shown(self.folder))
        if self.folder.is_dir():
            return True
        if self.folder.exists():
            self.findings.add(at, "E102", "is a file; must be the folder of a basin")
        else:
            parent = self.folder.parent
            near = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
            hint = _or(suggest(self.folder.name, near), "give the path of its folder")
            self.findings.add(at, "E305", f"basin cannot be found{hint}")
        return False

    def _empty(self) -> dict[str, pd.DataFrame]:
        return {
            name: empty_table(table, self.folder / f"{name}.csv", is_read=False)
            for name, table in self.declared.items()
        }

    def _basin(self, settings: BasinFile | None) -> Basin:
        labels: dict[str, dict[str, dict[str, str]]] = {}
        for key in ("regions", "provinces", "sectors"):
            unlabelled = {name: Label() for name in self.names.get(key, ())}
            known = getattr(settings, key) if settings else unlabelled
            labels[key] = {name: _label(label, name) for name, label in known.items()}
        return Basin(
            name=self.folder.resolve().name,
            folder=self.folder,
            title=_label(settings.name if settings else Label(), self.folder.resolve().name),
            currency=self.currency or "",
            water_year_start=settings.water_year_start if settings else 1,
            base_year=settings.base_year if settings else None,
            tables=self.tables,
            declared=self.declared,
            patterns=self.patterns,
            curves=self.curves,
            series=self.series,
            doubtful=frozenset(self.doubtful),
            files=tuple(self.files),
            **labels,
        )

    # --- tables ---

    def _read_tables(self) -> None:
        for name in self.changes:
            if name not in self.declared:
                self.findings.add(
                    self.locate(name),
                    "E211",
                    f"unknown table '{name}' in changes"
                    f"{_or(suggest(name, self.declared), f'tables are {listed(self.declared)}')}",
                )
        for name, table in self.declared.items():
            path = self.folder / f"{name}.csv"
            changes = self.changes.get(name) or {}
            if not isinstance(changes, Mapping):
                self.findings.add(
                    self.locate(name),
                    "E303",
                    f"changes of table '{name}' must be row names with columns; correct it",
                )
                changes = {}
            if table.required or path.exists():
                self.files.append(path)
                self.tables[name] = read_table(
                    path,
                    table,
                    self.findings,
                    currency=self.currency,
                    changes=changes,
                    locate=partial(self.locate, name),
                )
                self.doubtful |= {(name, key) for key in self.tables[name].attrs["faulty"]}
                continue
            self.tables[name] = empty_table(table, path)
            for row in changes:
                self.findings.add(
                    self.locate(name, row),
                    "E211",
                    f"unknown {table.item} '{row}': the basin has no {name}.csv; add it",
                )

    def _check_files(self) -> None:
        known = {"basin": "basin.yaml"} | {name: f"{name}.csv" for name in self.declared}
        for path in sorted(self.folder.iterdir()):
            what = "folder" if path.is_dir() else "file"
            allowed = _EXTRA_FOLDERS if path.is_dir() else _EXTRA_FILES
            allowed = ("series", *known.values(), *allowed)
            if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in allowed):
                continue
            if path.is_dir():
                hint = suggest(path.name, ["series"])
            else:
                near = difflib.get_close_matches(path.stem.lower(), known, n=1)
                hint = f"; did you mean '{known[near[0]]}'?" if near else ""
            extras = listed(name for name in allowed[1 + len(known) :] if name[0] not in "._")
            todo = f"move it elsewhere; besides the tables and series/ only {extras} may be here"
            self.findings.add(
                Position(shown(path)), "E214", f"unknown {what} '{path.name}'{_or(hint, todo)}"
            )

    def _groups(self, table: str, column: str) -> dict[str, pd.DataFrame]:
        """Rows of a long table by the name in its first column; names are checked."""
        frame = self.tables[table]
        groups = {str(name): rows for name, rows in frame.groupby(column, sort=False) if name}
        for name, rows in groups.items():
            if not is_identifier(name):
                self._fault(
                    table,
                    rows.index[0],
                    column,
                    "E210",
                    f"{column} '{name}' is not valid; {NAMES_ARE}",
                )
        return groups

    def _fault(self, table: str, key: Any, column: str, code: str, text: str) -> None:
        self.findings.add(self.tables[table].attrs["positions"][key, column], code, text)

    def _has_lost_rows(self, table: str, column: str) -> bool:
        """Tell whether there may be names that could not be read."""
        frame = self.tables[table]
        return not frame.attrs["is_read"] or any(
            not frame.at[row, column] for row in frame.attrs["faulty"]
        )

    def _read_patterns(self) -> None:
        faulty = self.tables["patterns"].attrs["faulty"]
        self.names["patterns"] = []
        for name, rows in self._groups("patterns", "pattern").items():
            self.names["patterns"].append(name)
            fault = partial(self._fault, "patterns")
            is_sound = not faulty.intersection(rows.index)
            starts: list[tuple[int, int]] = []
            first_unit = rows["unit"].iloc[0]
            unit = UNITS.get(first_unit)
            if first_unit and unit is None and first_unit != "1":
                hint = _or(suggest(first_unit, UNITS), f"units are 1, {listed(UNITS, 99)}")
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
                self.patterns[name] = Pattern(
                    name,
                    tuple(starts),
                    tuple(float(v) * factor for v in rows["value"]),
                    CANONICAL[unit.dimension] if unit else "1",
                )
        if self._has_lost_rows("patterns", "pattern"):
            del self.names["patterns"]

    def _read_curves(self) -> None:
        faulty = self.tables["curves"].attrs["faulty"]
        self.names["curves"] = []
        for name, rows in self._groups("curves", "curve").items():
            self.names["curves"].append(name)
            points: dict[str, list[tuple[Any, float, float]]] = {}
            is_sound = not self._has_lost_rows("curves", "curve")
            for row in rows.index:
                if row in faulty:
                    is_sound = False
                    continue
                x_unit = self._curve_unit(row, "x_unit", ("volume",))
                y_unit = self._curve_unit(row, "y_unit", tuple(_CURVE_QUANTITY))
                if x_unit is None or y_unit is None:
                    is_sound = False
                    continue
                points.setdefault(_CURVE_QUANTITY[y_unit.dimension], []).append(
                    (row, rows.at[row, "x"] * x_unit.factor, rows.at[row, "y"] * y_unit.factor)
                )
            for quantity, of_quantity in points.items():
                is_sound &= self._check_curve(name, quantity, of_quantity, is_whole=is_sound)
            if is_sound:
                self.curves[name] = Curve(
                    name,
                    {
                        quantity: (
                            np.array([x for _, x, _ in of_quantity]),
                            np.array([y for _, _, y in of_quantity]),
                        )
                        for quantity, of_quantity in points.items()
                    },
                )
        if self._has_lost_rows("curves", "curve"):
            del self.names["curves"]

    def _curve_unit(self, row: Any, column: str, dimensions: tuple[str, ...]) -> Any:
        text = self.tables["curves"].at[row, column]
        unit = UNITS.get(text)
        if unit is not None and unit.dimension in dimensions:
            return unit
        ways = [u.suffix for u in UNITS.values() if u.dimension in dimensions]
        self._fault(
            "curves",
            row,
            column,
            "E207" if unit is None else "E208",
            f"{column} is '{text}'; must be one of {listed(ways)}",
        )
        return None

    def _check_curve(
        self, name: str, quantity: str, points: list[tuple[Any, float, float]], *, is_whole: bool
    ) -> bool:
        is_sound = True
        if len(points) < 2 and is_whole:
            self._fault(
                "curves",
                points[0][0],
                "curve",
                "E221",
                f"{quantity} of curve '{name}' has one point; must have two or more",
            )
            is_sound = False
        for (_, x0, y0), (row, x1, y1) in pairwise(points):
            if x1 <= x0:
                is_sound = False
                self._fault(
                    "curves",
                    row,
                    "x",
                    "E221",
                    f"storage {x1:g} hm3 in {quantity} of curve '{name}' follows {x0:g}; "
                    "must increase from row to row",
                )
            elif y1 < y0 or (y1 == y0 and quantity == "level"):
                is_sound = False
                must = "must increase" if quantity == "level" else "must not fall"
                unit = CANONICAL["length" if quantity == "level" else "area"]
                self._fault(
                    "curves",
                    row,
                    "y",
                    "E221",
                    f"{quantity} {y1:g} {unit} of curve '{name}' follows {y0:g}; "
                    f"{must} from row to row",
                )
        return is_sound

    # --- references ---

    def _choices(self, refers_to: str) -> list[str] | None:
        """Names that may be referred to; None when they could not be read."""
        if refers_to in self.declared and self.declared[refers_to].key:
            frame = self.tables[refers_to]
            return list(frame.index) if frame.attrs["is_read"] else None
        return self.names.get(refers_to)

    def _check_references(self) -> None:
        for table in self.declared.values():
            frame = self.tables[table.name]
            for column in table.columns:
                if not column.refers_to:
                    continue
                choices = self._choices(column.refers_to)
                known = set(choices or ())
                is_key = column.name == table.key
                cells = frame.index if is_key else frame[column.name]
                for key, value in zip(frame.index, cells, strict=True):
                    if not value:
                        continue
                    if column.refers_to == "curves" and value not in self.curves:
                        self.without_curve.add((table.name, key))
                    if choices is not None and value not in known:
                        self._unknown(table, column, key, value, choices)
                        if column.refers_to != "curves":
                            self.doubtful.add((table.name, key))
                    elif is_key and (column.refers_to, value) in self.doubtful:
                        self.doubtful.add((table.name, key))
                    elif column.refers_to == "patterns":
                        self._check_pattern(table, column, key, value)

    def _unknown(
        self, table: Table, column: Column, key: Any, value: str, choices: list[str]
    ) -> None:
        of = f" of {table.item} '{key}'" if table.key and column.name != table.key else ""
        is_setting = column.refers_to in ("regions", "provinces", "sectors")
        todo = (
            f"declare it under {column.refers_to} in basin.yaml"
            if is_setting
            else f"add it to {column.refers_to}.csv"
        )
        what = column.refers_to.removesuffix("s")
        what = what if column.name in (what, table.key) else f"{what} '{value}', {column.name}"
        what = what if f"'{value}'" in what else f"{what} '{value}'"
        self._fault(
            table.name,
            key,
            column.name,
            "E211",
            f"{what}{of} does not exist{_or(suggest(value, choices), todo)}",
        )

    def _check_pattern(self, table: Table, column: Column, key: Any, name: str) -> None:
        """Check that a pattern fits the column it is used in."""
        pattern = self.patterns.get(name)
        if pattern is None:  # its fault is reported
            return
        dimension = UNITS[pattern.unit].dimension if pattern.unit != "1" else None
        fits = dimension == column.dimension or (
            dimension is None and column.dimension == "fraction"
        )
        item = f" of {table.item} '{key}'" if table.key else ""
        if not fits:
            must = f"a {column.dimension.replace('_', ' ')}" if column.dimension else "in unit 1"
            self._fault(
                table.name,
                key,
                column.name,
                "E223",
                f"pattern '{name}' is in {pattern.unit} but {column.name}{item} must be {must}",
            )
            return
        for start, value in zip(pattern.starts, pattern.values, strict=True):
            if not column.low <= value <= column.high:
                self._fault(
                    table.name,
                    key,
                    column.name,
                    "E203",
                    f"pattern '{name}' is {value:g} from {start[0]:02d}-{start[1]:02d} on but "
                    f"{column.name}{item} {range_text(column)}",
                )
                return

    def _check_varying(self, basin: Basin) -> None:
        """Check patterns in cells, and that each varying value is given, and given once."""
        for table in self.declared.values():
            frame = self.tables[table.name]
            for column in table.columns:
                if column.varies == "no":
                    continue
                from_series = basin.in_series(column.name)
                ways = spellings(column, self.currency)
                is_known = column.name not in self.broken_series
                for key, value in frame[column.name].items():
                    is_text = isinstance(value, str)
                    if is_text:
                        name = value.removeprefix("pattern:")
                        names = self.names.get("patterns")
                        if names is not None and name not in names:
                            hint = _or(suggest(name, names), "add it to patterns.csv")
                            self._fault(
                                table.name,
                                key,
                                column.name,
                                "E223",
                                f"pattern '{name}' in {column.name} of {table.item} '{key}' "
                                f"does not exist{hint}",
                            )
                        self._check_pattern(table, column, key, name)
                    if (table.name, key) in from_series:
                        if is_text or (value is not None and value != column.default):
                            self._fault(
                                table.name,
                                key,
                                column.name,
                                "E224",
                                f"{column.name} of {table.item} '{key}' is given here and in "
                                f"{shown(basin.series[column.name].path)}; keep one",
                            )
                    elif (
                        value is None
                        and column.required
                        and is_known
                        and key not in frame.attrs["faulty"]
                    ):
                        self._fault(
                            table.name,
                            key,
                            column.name,
                            "E202",
                            f"{table.item} '{key}' has no {column.name}; give {ways[0]}, "
                            f"or a column in series/{ways[0]}.csv",
                        )

    # --- series ---

    def _read_all_series(self) -> None:
        folder = self.folder / "series"
        if not folder.exists():
            return
        if not folder.is_dir():
            self.findings.add(
                Position(shown(folder)), "E102", "is a file; must be a folder with series"
            )
            return
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or fnmatch.fnmatchcase(path.name, "README*"):
                continue
            self.files.append(path)
            self._read_series(path)

    def _varying(self) -> list[Column]:
        """Varying columns by name; the same name in two tables has one dimension."""
        return list(
            {
                column.name: column
                for table in self.declared.values()
                for column in table.columns
                if column.varies != "no"
            }.values()
        )

    def _read_series(self, path: Path) -> None:
        at = Position(shown(path))
        columns = self._varying()
        if path.suffix not in _SERIES_ENDINGS:
            self.findings.add(
                at,
                "E107",
                f"series cannot be read from '{path.suffix or path.name}'; "
                f"must end in {listed(_SERIES_ENDINGS)}",
            )
            return
        try:
            column, factor, per_period = _series_column(path.stem, columns)
        except ColumnFault as fault:
            if fault.column:
                self.broken_series.add(fault.column.name)
            text = fault.text.replace("column", "series", 1)
            if fault.code == "E201":
                ways = [spellings(column)[0] for column in columns]
                hint = _or(suggest(path.stem, ways), f"series are {listed(ways)}")
                text = f"unknown series '{path.stem}'{hint}"
            self.findings.add(at, "E214" if fault.code == "E201" else fault.code, text)
            return
        earlier = self.series.get(column.name)
        if earlier is not None:
            self.findings.add(
                at, "E224", f"{column.name} is in {shown(earlier.path)} too; keep one of them"
            )
            return
        self.broken_series.add(column.name)
        content = _READERS[path.suffix](path, self.findings)
        if content is None:
            return
        n_faults = len(self.findings.faults)
        self._check_names(content, column)
        timeline = _check_dates(content, self.findings)
        values = content.values
        if timeline is None or values is None or len(self.findings.faults) > n_faults:
            return
        if per_period is not None:
            values = values / getattr(timeline, per_period)[:, None]
        values = values * factor
        self._check_range(content, values, column)
        if len(self.findings.faults) > n_faults:
            return
        self.series[column.name] = Series(
            column.name,
            CANONICAL[column.dimension or ""],
            timeline,
            pd.DataFrame(values, index=timeline.index, columns=content.names),
            path,
        )
        self.broken_series.discard(column.name)

    def _check_names(self, content: _Content, column: Column) -> None:
        tables = _tables_with(self.declared, column.name)
        if not all(self.tables[table].attrs["is_read"] for table in tables):
            return
        of = {table: set(self.tables[table].index) for table in tables}
        known = sorted(set().union(*of.values()))
        for k, name in enumerate(content.names):
            if not name:
                continue
            owners = [table for table in tables if name in of[table]]
            if not owners:
                hint = _or(suggest(name, known), f"columns are names in {' or '.join(tables)}")
                self.findings.add(
                    content.position(None, k),
                    "E211",
                    f"'{name}' in series {column.name} does not exist{hint}",
                )
            elif len(owners) > 1:
                self.findings.add(
                    content.position(None, k),
                    "E224",
                    f"'{name}' is a name in {' and in '.join(owners)}, all with {column.name}; "
                    "rename one",
                )

    def _check_range(self, content: _Content, values: np.ndarray, column: Column) -> None:
        outside = (values < column.low) | (values > column.high)
        for k in np.flatnonzero(outside.any(axis=0)):
            rows = np.flatnonzero(outside[:, k])
            more = f" ({len(rows) - 1} more below)" if len(rows) > 1 else ""
            unit = CANONICAL[column.dimension or ""]
            self.findings.add(
                content.position(int(rows[0]), int(k)),
                "E203",
                f"{column.name} is {values[rows[0], k]:g} {unit} for '{content.names[k]}' on "
                f"{content.dates[rows[0]]}; {range_text(column)}{more}",
            )


def _label(label: Label, name: str) -> dict[str, str]:
    """Names by language; where one is missing, the other or the plain name stands in."""
    names = {key: value for key, value in label.model_dump().items() if value}
    return {"en": name, "vi": names.get("en", name)} | names


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


# --- content of series files ----------------------------------------------------------------


@dataclass
class _Content:
    """What a series file says, before it is checked.

    Attributes
    ----------
    dates : texts (time)
    days : datetime64[D] (time); None where one is no date
    names : columns
    values : (time, name); None where one is no number
    position : where a value stands, from (row, column); row None is the header, column -1 the date
    """

    path: Path
    dates: list[str]
    days: np.ndarray | None
    names: list[str]
    values: np.ndarray | None
    position: Callable[[int | None, int], Position]


def _series_column(label: str, columns: Iterable[Column]) -> tuple[Column, float, str | None]:
    """Match the name of a series file: its column, factor, and what it is divided by.

    A volume of each period stands for a flow, a depth of each period for a depth rate.

    Raises
    ------
    ColumnFault
    """
    base, unit = split_unit(label)
    if unit is not None:
        for column in columns:
            way = (column.dimension, unit.dimension)
            if column.name == base and way == ("flow", "volume"):
                return column, unit.factor * 1e6, "seconds"  # hm3 in m3
            if column.name == base and way == ("depth_rate", "depth"):
                return column, unit.factor, "days"
    return *match_column(label, list(columns)), None


def _read_csv_series(path: Path, findings: Findings) -> _Content | None:
    grid = read_grid(path, findings)
    if grid is None:
        return None
    if grid.header[0] != "date":
        findings.add(
            grid.position(None, 0),
            "E202",
            f"first column is '{grid.header[0]}'; must be date, then one column a name",
        )
        return None
    if not grid.rows:
        findings.add(Position(shown(path)), "E103", "series has no rows; fill it or remove it")
        return None
    names = grid.header[1:]
    for k, name in enumerate(names):
        if not name:
            findings.add(
                grid.position(None, k + 1), "E201", f"column {k + 2} has no name; name or remove it"
            )
        elif name in names[:k]:
            findings.add(
                grid.position(None, k + 1), "E212", f"column '{name}' stands there twice; keep one"
            )
    dates = [row[0] for row in grid.rows]
    return _Content(
        path,
        dates,
        _days(grid, dates, findings),
        names,
        _numbers(grid, names, findings),
        lambda row, k: grid.position(row, k + 1),
    )


def _days(grid: Grid, dates: list[str], findings: Findings) -> np.ndarray | None:
    days, is_sound = [], True
    for k, text in enumerate(dates):
        try:
            days.append(parse_date(text))
        except ValueError as error:
            is_sound = False
            what = f"'{text}'" if text else "empty"
            findings.add(grid.position(k, 0), "E213", f"date is {what}; {error}")
    return np.array(days, dtype="datetime64[D]") if is_sound else None


def _numbers(grid: Grid, names: list[str], findings: Findings) -> np.ndarray | None:
    """Convert the cells all at once; only where that fails look at each, to say which are wrong."""
    rows = [row[1:] for row in grid.rows]
    body = grid.text.split("\n", grid.header_line)[-1]
    if all(len(row) == len(names) for row in rows) and body.isascii() and "_" not in body:
        try:
            values = np.array(rows).astype(float)
        except ValueError:
            pass
        else:
            if np.isfinite(values).all():
                return values
    is_sound = True
    for k, row in enumerate(rows):
        if len(row) != len(names):
            is_sound = False
            continue
        for j, (name, text) in enumerate(zip(names, row, strict=True)):
            try:
                parse_number(text)
            except ValueError as error:
                is_sound = False
                what = f"'{text}'; {error}" if text else "missing; must be a number, without gaps"
                findings.add(
                    grid.position(k, j + 1),
                    "E204" if text else "E202",
                    f"value of '{name}' on {grid.rows[k][0]} is {what}",
                )
    return np.array(rows).astype(float) if is_sound and names else None


def _read_nc_series(path: Path, findings: Findings) -> _Content | None:
    at = Position(shown(path))
    if path.is_dir():
        findings.add(at, "E102", "is a directory; must be a file")
        return None
    if path.stat().st_size == 0:
        findings.add(at, "E103", "file is empty; fill it or remove it")
        return None
    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            dataset.load()
    except (OSError, ValueError) as error:
        findings.add(at, "E105", f"is not valid NetCDF: {_what(error)}; write it again")
        return None
    base, unit = split_unit(path.stem)
    variables = [str(name) for name in dataset.data_vars]
    found = [name for name in variables if name in (path.stem, base)] or variables
    if len(found) != 1 or set(dataset[found[0]].dims) != {"time", "name"}:
        findings.add(
            at, "E105", f"must hold one variable '{base}' with dimensions (time, name); correct it"
        )
        return None
    variable = dataset[found[0]].transpose("time", "name")
    missing = [name for name in ("time", "name") if name not in variable.coords]
    if missing or not np.issubdtype(variable["time"].dtype, np.datetime64):
        findings.add(
            at,
            "E105",
            "must have coordinates time (dates of the standard calendar) and name; correct it",
        )
        return None
    stated = variable.attrs.get("units")
    if stated is not None and unit is not None and stated not in (unit.text, unit.suffix):
        findings.add(
            at,
            "E208",
            f"units attribute is '{stated}' but the file name says {unit.suffix}; must agree",
        )
    return _content_of_frame(path, variable.to_pandas(), findings)


def _what(error: Exception) -> str:
    """Text of an error, without the path that the fault names already."""
    return str(getattr(error, "strerror", None) or str(error).splitlines()[0])


def _read_parquet_series(path: Path, findings: Findings) -> _Content | None:
    at = Position(shown(path))
    try:
        import_module("pyarrow")
    except ImportError:
        findings.add(
            at, "E107", "reading .parquet needs the package pyarrow; install it or write .csv"
        )
        return None
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        findings.add(at, "E105", f"is not valid Parquet: {_what(error)}; write it again")
        return None
    if "date" in frame.columns:
        frame = frame.set_index("date")
    return _content_of_frame(path, frame, findings)


def _content_of_frame(path: Path, frame: pd.DataFrame, findings: Findings) -> _Content | None:
    at = Position(shown(path))
    try:
        stamps = frame.index.to_numpy().astype("datetime64[ns]")
        values = frame.to_numpy().astype(float)
    except (TypeError, ValueError) as error:
        findings.add(at, "E204", f"holds what is no date or no number: {error}; correct it")
        return None
    if len(frame) == 0:
        findings.add(at, "E103", "series has no rows; fill it or remove it")
        return None
    days = stamps.astype("datetime64[D]")
    if (days != stamps).any():
        findings.add(at, "E213", "times must be whole days, the first of each period; correct them")
        return None
    names = [str(name) for name in frame.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add(at, "E212", f"column '{name}' stands there twice; keep one")
    for k, j in np.argwhere(~np.isfinite(values)):
        findings.add(
            at,
            "E204",
            f"value of '{names[j]}' on {days[k]} is {values[k, j]}; must be a finite number",
        )
    return _Content(path, [str(day) for day in days], days, names, values, lambda row, k: at)


_READERS: dict[str, Callable[[Path, Findings], _Content | None]] = {
    ".csv": _read_csv_series,
    ".nc": _read_nc_series,
    ".parquet": _read_parquet_series,
}


def _check_dates(content: _Content, findings: Findings) -> Timeline | None:
    """Timeline of a series; None after a fault."""
    if content.days is None:
        return None
    step, breaks = calendar_breaks(content.days)
    for row, text in breaks:
        findings.add(
            content.position(row, -1),
            "E231",
            f"date {content.dates[row]} {text}; "
            "must be the first days of months, dekads, weeks or days, without gaps",
        )
    if breaks:
        return None
    return Timeline(content.dates[0], len(content.dates), step)


# --- topology -------------------------------------------------------------------------------


def _check_topology(basin: Basin, findings: Findings) -> None:
    """Check how nodes and links hang together."""
    nodes, links = basin.tables["nodes"], basin.tables.get("links")
    if links is None or not (nodes.attrs["is_read"] and links.attrs["is_read"]):
        return
    sinks = set(nodes.index[nodes["kind"] == "sink"])
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes.index)
    free = nx.DiGraph()
    touched: set[str] = set()
    open_ended: set[str] = set()
    has_lost_ends = False
    for link, row in links.iterrows():
        start, end = row["from"], row["to"]
        ends = {start, end} & set(nodes.index)
        touched |= ends
        if not ends or len(ends) < len({start, end}):
            # where it goes is not known: its fault is reported, and it must not cause others
            has_lost_ends = True
            open_ended |= ends
        elif start == end:
            findings.add(
                basin.position("links", link, "to"),
                "E254",
                f"link '{link}' joins node '{start}' to itself; name another node",
                TopologyError,
            )
        elif start in sinks:
            findings.add(
                basin.position("links", link, "from"),
                "E255",
                f"link '{link}' leaves sink '{start}'; turn it around or make the node a junction",
                TopologyError,
            )
        else:
            graph.add_edge(start, end)
            costs_nothing = not row["loss"] and not row["lag_periods"] and (row["cost"] or 0) <= 0
            if costs_nothing and link not in links.attrs["faulty"]:
                free.add_edge(start, end)
                free.edges[start, end].setdefault("links", []).append(link)
    if not has_lost_ends:
        for node in nodes.index:
            if node not in touched:
                findings.add(
                    basin.position("nodes", node, "name"),
                    "E251",
                    f"node '{node}' has no link; join it in links.csv or remove it",
                    TopologyError,
                )
    doubtful = {node for node in nodes.index if ("nodes", node) in basin.doubtful}
    _check_ways_out(basin, graph.subgraph(touched), sinks, open_ended | doubtful, findings)
    order = {link: k for k, link in enumerate(links.index)}
    for circle in nx.strongly_connected_components(free):
        if len(circle) > 1:
            inside = free.subgraph(circle).edges(data="links")
            names = sorted((link for *_, at in inside for link in at), key=order.__getitem__)
            findings.add(
                basin.position("links", names[0], "name"),
                "E253",
                f"links {listed(names)} form a cycle in which water could circle for nothing; "
                "turn one around, or give one a loss, a cost or a lag",
                TopologyError,
            )


def _check_ways_out(
    basin: Basin, graph: nx.DiGraph, sinks: set[str], open_ended: set[str], findings: Findings
) -> None:
    """Report where water ends that cannot reach a sink, once for all nodes upstream.

    `open_ended` are nodes that may have a way out, or be one, behind a fault reported already.
    """
    nodes = basin.tables["nodes"]
    if nodes.empty:
        return
    if not sinks and not open_ended:
        findings.add(
            Position(shown(basin.folder / "nodes.csv")),
            "E252",
            "no node is of kind sink, so water cannot leave the basin; add the sea or a border",
            TopologyError,
        )
        return
    ways_out = (sinks | open_ended) & set(graph)
    reach = set().union(*(nx.ancestors(graph, node) | {node} for node in ways_out))
    stuck = graph.subgraph(set(graph) - reach)
    ends = nx.condensation(stuck)
    for end in ends:
        if ends.out_degree(end):
            continue
        inside = ends.nodes[end]["members"]
        name = next(node for node in nodes.index if node in inside)
        above = len(nx.ancestors(stuck, name) - {name})
        also = f" (nor from the {above} nodes above it)" if above > 1 else ""
        also = " (nor from the node above it)" if above == 1 else also
        findings.add(
            basin.position("nodes", name, "name"),
            "E252",
            f"water cannot leave '{name}' for a sink{also}; add a link out of it or make it a sink",
            TopologyError,
        )
