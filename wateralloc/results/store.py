"""Results on disk: a folder that is whole at any moment."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.results.tables import TABLES, make_tables

DATASET, MANIFEST = "results.nc", "manifest.json"
MADE = {DATASET, MANIFEST, *(f"{name}.csv" for name in TABLES)}
"""Files that a run makes."""
DERIVED = {"energy.csv", "allocation.xlsx", "report.html"}
"""Files made from a result; they go when it is replaced.  Any other file in the folder stays."""


@dataclass(frozen=True)
class Results:
    """What came of a case.

    Attributes
    ----------
    dataset : every quantity with its units; dims (member, time, node|link|reservoir|demand), and
        (member, rule_row) for rules: a row for each window of each rule
    manifest : inputs, versions, options, optima, certificate, residuals and times

    Examples
    --------
    >>> results = Results.read("results/pilot_sharing")  # doctest: +SKIP
    >>> results.dataset["deficit"].sum(["time", "demand"])  # doctest: +SKIP
    """

    dataset: xr.Dataset = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tidy tables by the name of their file: ``allocation``, ``balance``, ``links``, ..."""
        return make_tables(self.dataset)

    def write(self, folder: Path | str) -> Path:
        """Write the results into a folder, in place of those that are there.

        Everything is written beside the folder first and then moved into place, so that a run that
        dies leaves the former result whole.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            The folder holds files but is not a result; nothing is touched.
        """
        started = time.perf_counter()
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to a folder stays a link
        _recover(folder)
        if (
            folder.exists()
            and not _is_result(folder)
            and (not folder.is_dir() or any(folder.iterdir()))
        ):
            _refuse(folder, "is not empty and not a result; name a new folder or an empty one")
        new = _beside(folder, "new")
        _remove(new)
        new.mkdir(parents=True)
        for name, table in self.tables().items():
            write_csv(new / f"{name}.csv", table)
        self.dataset.to_netcdf(new / DATASET, engine="netcdf4", format="NETCDF4")
        seconds = {**self.manifest.get("seconds", {}), "write": time.perf_counter() - started}
        text = json.dumps({**self.manifest, "seconds": seconds}, indent=2, ensure_ascii=False)
        (new / MANIFEST).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.replace(_beside(folder, "former"))
        new.replace(folder)
        _recover(folder)
        return folder

    @classmethod
    def read(cls, folder: Path | str) -> Results:
        """Read results back.

        Raises
        ------
        InputError
            There is none, or it is damaged.
        """
        folder = Path(folder)
        _recover(folder)
        if not folder.exists():
            _refuse(folder, "does not exist; run the case first, or name another folder", "E101")
        if not _is_result(folder):
            _refuse(
                folder, f"is not a result: it has no {MANIFEST} and {DATASET}; run the case first"
            )
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            dataset = xr.load_dataset(folder / DATASET, engine="netcdf4")
        except (OSError, ValueError) as error:
            _refuse(folder, f"cannot be read ({error}); run the case again", "E108")
        return cls(dataset, manifest)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table; numbers in full, so that nothing is lost, and an absent number empty.

    The writer of the standard library is several times as fast as pandas' own.
    """
    columns = []
    for name in table.columns:
        values = table[name].tolist()
        if table[name].dtype.kind == "f" and table[name].isna().any():
            values = ["" if value != value else value for value in values]
        columns.append(values)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(zip(*columns, strict=True))


def _is_result(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and (folder / DATASET).is_file()


def _refuse(folder: Path, text: str, code: str = "E109") -> Any:
    raise InputError([Fault(Position(shown(folder)), code, text)])


def _beside(folder: Path, what: str) -> Path:
    """Where a folder stands while it is written, or before it is removed: on the same disk."""
    return folder.with_name(f".{folder.name}.{what}")


def _recover(folder: Path) -> None:
    """Finish a replacement, or take it back when the run died before the new one was in place."""
    former = _beside(folder, "former")
    if not former.exists():
        return
    if not folder.exists():
        former.replace(folder)
        return
    for path in former.iterdir():
        if path.name not in MADE | DERIVED and not (folder / path.name).exists():
            path.replace(folder / path.name)
    _remove(former)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
