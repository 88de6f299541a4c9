"""Reading a basin from its folder or file, step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from wateralloc.basin.curves import read_curves
from wateralloc.basin.model import Basin
from wateralloc.basin.outlines import read_outlines
from wateralloc.basin.patterns import read_patterns
from wateralloc.basin.reading import Reading
from wateralloc.basin.references import check_references, check_varying
from wateralloc.basin.series import read_all_series
from wateralloc.basin.settings import LABELLED, BasinFile, Label, by_language, read_settings
from wateralloc.basin.sources import SETTINGS
from wateralloc.basin.topology import check_topology
from wateralloc.errors import Findings, Position, listed, or_do, suggest
from wateralloc.tables import empty_table, read_table

log = logging.getLogger(__name__)


def read_basin(
    folder: Path | str,
    changes: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    findings: Findings | None = None,
    locate: Callable[..., Position] | None = None,
) -> Basin:
    """Read and check a basin: a folder, or one file ``.xlsx`` or ``.nc`` with the same tables.

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
        With every fault of the basin.
    """
    collected = Findings() if findings is None else findings
    basin = _read(Reading(Path(folder), changes or {}, collected, locate))
    if findings is None:
        collected.raise_if_any()
    return basin


def _read(reading: Reading) -> Basin:
    source = reading.source
    if not source.open(reading.findings):
        return Basin(source.name, reading.folder, tables=_empty(reading), declared=reading.declared)
    settings_path = reading.folder / SETTINGS
    file = source.yaml(settings_path, reading.findings)
    settings, reading.names = read_settings(file, reading.findings)
    reading.currency = settings.currency if settings else None
    reading.add_file(settings_path)
    _read_tables(reading)
    source.check_strays(reading.declared, reading.findings)
    read_patterns(reading)
    read_curves(reading)
    check_references(reading)
    read_all_series(reading)
    for part in reading.parts:
        part.complete(reading.tables)
    basin = _basin(reading, settings)
    check_varying(reading, basin)
    check_topology(basin, reading.findings)
    for part in reading.parts:
        if all(reading.tables[table.name].attrs["is_read"] for table in part.tables):
            _check_part(reading, part, basin)
    source.tidy(reading.findings)
    if not reading.findings:
        _warn_of_dry(basin)
    return basin


def _warn_of_dry(basin: Basin) -> None:
    """Warn of nodes of kind inflow that bring no water, as when their column was forgotten."""
    nodes, series = basin.tables["nodes"], basin.series.get("inflow")
    wet = set(series.values.columns) if series else set()
    of_kind = nodes.index[nodes["kind"] == "inflow"]
    dry = [name for name in of_kind if name not in wet and nodes.at[name, "inflow"] is None]
    if dry:
        log.warning(
            "%s: no inflow at %s, of kind inflow; add a column for each to series/inflow_m3s.csv, "
            "or inflow_m3s to nodes.csv",
            basin.position("nodes", dry[0], "kind"),
            listed(f"'{name}'" for name in dry),
        )


def _empty(reading: Reading) -> dict[str, pd.DataFrame]:
    return {
        name: empty_table(table, reading.folder / f"{name}.csv", is_read=False)
        for name, table in reading.declared.items()
    }


def _read_tables(reading: Reading) -> None:
    for name in reading.changes:
        if name not in reading.declared:
            hint = or_do(suggest(name, reading.declared), f"tables are {listed(reading.declared)}")
            reading.findings.add(
                reading.locate(name), "E211", f"unknown table '{name}' in changes{hint}"
            )
    for name, table in reading.declared.items():
        path = reading.folder / f"{name}.csv"
        changes = reading.changes.get(name) or {}
        if not isinstance(changes, Mapping):
            reading.findings.add(
                reading.locate(name),
                "E303",
                f"changes of table '{name}' must be row names with columns; correct it",
            )
            changes = {}
        if table.required or reading.source.has(path):
            reading.add_file(path)
            reading.tables[name] = read_table(
                path,
                table,
                reading.findings,
                currency=reading.currency,
                changes=changes,
                locate=partial(reading.locate, name),
                read=reading.source.grid,
            )
            reading.doubtful |= {(name, key) for key in reading.tables[name].attrs["faulty"]}
            continue
        reading.tables[name] = empty_table(table, path)
        for row in changes:
            reading.findings.add(
                reading.locate(name, row),
                "E211",
                f"unknown {table.item} '{row}': the basin has no {name}.csv; add it",
            )


def _used(reading: Reading, key: str) -> list[str]:
    """Names of regions, provinces, sub-basins or sectors that stand in tables."""
    cells = [
        name
        for table in reading.declared.values()
        for column in table.columns
        if column.refers_to == key
        for name in reading.tables[table.name][column.name]
    ]
    return [name for name in dict.fromkeys(cells) if name]


def _basin(reading: Reading, settings: BasinFile | None) -> Basin:
    labels: dict[str, dict[str, dict[str, str]]] = {}
    for key in LABELLED:
        # without the settings the names that tables use will do, so that no fault follows from it
        names = reading.names.get(key) or _used(reading, key)
        unlabelled = {name: Label() for name in names}
        known = getattr(settings, key) if settings else unlabelled
        labels[key] = {name: by_language(label, name) for name, label in known.items()}
    return Basin(
        name=reading.source.name,
        folder=reading.folder,
        title=by_language(settings.name if settings else Label(), reading.source.name),
        currency=reading.currency or "",
        water_year_start=settings.water_year_start if settings else 1,
        base_year=settings.base_year if settings else None,
        sources=settings.sources if settings else "",
        tables=reading.tables,
        declared=reading.declared,
        patterns=reading.patterns,
        curves=reading.curves,
        series=reading.series,
        outlines=read_outlines(reading),
        doubtful=frozenset(reading.doubtful),
        files=tuple(reading.files),
        **labels,
    )


def _check_part(reading: Reading, part: Any, basin: Basin) -> None:
    """Let a part check the rows without a fault, so that no fault follows from another."""
    sound = dict(reading.tables)
    for name in {table for table, _ in reading.doubtful}:
        frame = reading.tables[name]
        sound[name] = frame.drop(
            index=[key for key in frame.index if (name, key) in reading.doubtful]
        )
    own = Findings()
    part.check(replace(basin, tables=sound), own)
    left_out = _lines(reading, {key for _, key in reading.doubtful})
    without_curve = _lines(reading, {key for _, key in reading.without_curve})
    for fault, kind in own.faults:
        at = (fault.at.file, fault.at.line)
        if at not in left_out and not (fault.code == "E222" and at in without_curve):
            reading.findings.add(fault.at, fault.code, fault.text, kind)


def _lines(reading: Reading, keys: set[Any]) -> set[tuple[str, int]]:
    """File and line of the rows of some names, in every table that has one."""
    rows = (
        frame.attrs["positions"][key, ""]
        for table, frame in reading.tables.items()
        if reading.declared[table].key
        for key in frame.index.intersection(list(keys))
    )
    return {(at.file, at.line) for at in rows}
