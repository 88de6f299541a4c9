"""Hand a case to other programs: LP and MPS, Pyomo models, maps, tables, basins in one file."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from wateralloc.basin import Basin
from wateralloc.basin.contents import Contents, read_contents
from wateralloc.basin.contents import write_folder as write_csv
from wateralloc.case import Case
from wateralloc.errors import Fault, InputError, Position, listed, suggest
from wateralloc.export.maps import geojson, write_geojson, write_geopackage
from wateralloc.export.tables import check_new, write_parquet
from wateralloc.horizon import Horizon
from wateralloc.period import build_period
from wateralloc.pyomo_model import to_pyomo
from wateralloc.results.store import Results, replacing
from wateralloc.results.store import write_netcdf as write_dataset
from wateralloc.solve import write_model
from wateralloc.tables import ColumnFault, match_column

LONGEST_NAME = 200
"""LP readers take 255 characters at most."""

__all__ = [
    "geojson",
    "one_member",
    "plain_names",
    "write_folder",
    "write_geojson",
    "write_geopackage",
    "write_lp",
    "write_netcdf",
    "write_parquet",
    "write_pyomo",
    "write_workbook",
]

_EXPONENT = re.compile(r"[eE][0-9.eE]")


def write_lp(case: Case, path: Path, *, member: str = "", goal: int = 1) -> None:
    """Write the linear program of one member with the objective of one goal.

    Goals before it are not held: it is the program of the goal alone.  A goal of several programs
    (``share``) has the objective of its first.  Columns and rows have the names that
    :func:`plain_names` makes of their labels.

    Parameters
    ----------
    path : ends in ``.lp`` (CPLEX LP format) or ``.mps`` (free MPS format)
    member : name of the member; default: the first
    goal : place of the goal, from 1; soft rules count, just before the goal they name

    Raises
    ------
    InputError
        The case has no such member or goal.
    OSError
        The file cannot be written.
    """
    case = one_member(case, member or case.members[0].name)
    period = build_period(case)
    goals = dict(period.goals)
    if goal not in goals:
        _refuse(f"case '{case.name}' has goals 1 to {len(goals)}, not {goal}; name one of these")
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    lp = horizon.stack()
    expression, sense = goals[goal].objective(period.model, goal)
    cost, constant = horizon.cost(expression)
    labels = case.timeline.labels
    with replacing(path) as written:
        write_model(
            lp.member(0), cost[0], sense,
            (plain_names(horizon.column_labels(labels)), plain_names(horizon.row_labels(labels))),
            written, float(constant[0]), horizon.integers,
        )  # fmt: skip


def write_pyomo(case: Case, path: Path, *, member: str = "") -> None:
    """Write the full-horizon Pyomo model of a case with pickle; only Pyomo is needed to read it.

    Parameters
    ----------
    member : name of the one member it has; default: all

    Raises
    ------
    InputError
        The case has no such member.
    OSError
        The file cannot be written.
    """
    model = to_pyomo(one_member(case, member) if member else case)
    with replacing(path) as written, written.open("wb") as stream:
        pickle.dump(model, stream)


def write_workbook(basin: Basin, path: Path) -> None:
    """Write a basin as one XLSX workbook: a sheet a table; :func:`read_basin` reads it back.

    It holds what the files of the basin say, also in columns ``meta_``, without a case's changes.

    Raises
    ------
    InputError
        Something does not fit into a workbook, or the files are no longer as they were.
    OSError
        The file cannot be written.
    """
    from wateralloc.basin import workbook  # its libraries are for it alone

    contents = _contents(basin)
    with replacing(path) as written:
        workbook.write_workbook(contents, written, _numbers(basin))


def write_netcdf(of: Basin | Results, path: Path) -> None:
    """Write a basin as one NetCDF file: a group a table; :func:`read_basin` reads it back.

    It holds what :func:`write_workbook` writes; each series is a variable by time and name.  Of a
    result it is the dataset (CF).

    Raises
    ------
    InputError
        The files of the basin are no longer as they were.
    OSError
        The file cannot be written.
    """
    from wateralloc.basin import netcdf

    if isinstance(of, Results):
        with replacing(path) as written:
            write_dataset(written, of.dataset)
        return
    contents = _contents(of)
    with replacing(path) as written:
        netcdf.write_netcdf(contents, written, _numbers(of))


def write_folder(basin: Basin, folder: Path) -> None:
    """Write a basin as a folder of CSV files, as it may have come in a workbook.

    Raises
    ------
    InputError
        The folder is there and holds something, or the basin's files are no longer as they were.
    OSError
        The folder cannot be written.
    """
    check_new(folder)
    contents = _contents(basin)
    with replacing(folder) as written:
        write_csv(contents, written)


def _contents(basin: Basin) -> Contents:
    return read_contents(basin.folder, basin.declared)


def _numbers(basin: Basin) -> Callable[[str, str], bool]:
    """Say whether a column of a table holds numbers."""

    def is_number(table: str, label: str) -> bool:
        try:
            column, _ = match_column(label, basin.declared[table].columns, None)
        except ColumnFault:
            return False
        return column.type in ("number", "integer")

    return is_number


def plain_names(labels: Iterable[str]) -> list[str]:
    """Turn labels into names that LP and MPS readers take.

    They have letters, digits, ``_`` and ``.`` only: a date loses its hyphens, any other run of
    characters becomes one dot.  A name that begins with no letter, or like a number's exponent
    (``e1``), is led by ``x.``; one that is too long is cut; where two would be the same, the later
    ends in ``.2``, ``.3``, ...

    Examples
    --------
    >>> plain_names(["flow[a_to_b]@2030-06-01", "storage_start[lake]@2030-06-01|initial"])
    ['flow.a_to_b.20300601', 'storage_start.lake.20300601.initial']
    >>> plain_names(["a b", "a-b", "7up", "e1"])
    ['a.b', 'a.b.2', 'x.7up', 'x.e1']
    """
    names: dict[str, None] = {}
    for label in labels:
        text = re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\1\2\3", label)
        text = re.sub(r"[^A-Za-z0-9_]+", ".", text).strip(".")
        if not text[:1].isalpha() or _EXPONENT.match(text) or text in ("e", "E"):
            text = f"x.{text}"
        name = text = text[:LONGEST_NAME]
        count = 1
        while name in names:
            count += 1
            name = f"{text}.{count}"
        names[name] = None
    return list(names)


def one_member(case: Case, name: str) -> Case:
    """Return a case with one of its members alone.

    Raises
    ------
    InputError
        The case has no such member.
    """
    found = [member for member in case.members if member.name == name]
    if not found:
        names = [member.name for member in case.members]
        hint = suggest(name, names) or f"; its members are {listed(names, 30)}"
        _refuse(f"case '{case.name}' has no member '{name}'{hint}")
    return replace(case, members=tuple(found))


def _refuse(text: str) -> NoReturn:
    raise InputError([Fault(Position("export"), "E303", text)])
