"""Results on disk: a folder that is whole at any moment."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.results.tables import TABLES, make_tables

if TYPE_CHECKING:
    from wateralloc.report.plot import Plot

DATASET, MANIFEST = "results.nc", "manifest.json"
MADE = {DATASET, MANIFEST, *(f"{name}.csv" for name in TABLES)}
"""Files that a run makes."""
DERIVED = {"energy.csv", "allocation.xlsx", "report.json", "report.html"}
"""Files made from a result; they go when it is replaced.  Any other file in the folder stays."""
MOVES, PAUSE = 40, 0.05
"""How often, and after how many seconds, a move is tried that another run was in the way of."""
STALE = 86_400.0
"""Seconds after which what a killed run left beside a folder is removed."""


@dataclass(frozen=True)
class Results:
    """What came of a case.

    Attributes
    ----------
    dataset : every quantity with its units; dims (member, time, node|link|reservoir|demand), and
        (member, rule) for rules: a row for each window of each rule
    manifest : inputs, versions, options, optima, certificate, residuals and times

    Examples
    --------
    >>> results = Results.read("results/pilot_sharing")  # doctest: +SKIP
    >>> results.dataset["deficit"].sum(["time", "demand"])  # doctest: +SKIP
    """

    dataset: xr.Dataset = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)

    @property
    def plot(self) -> Plot:
        """Figures: ``results.plot.sankey()``; see :class:`wateralloc.report.plot.Plot`."""
        # drawing is many rooms above: it is found when it is asked for
        plot: Plot = import_module("wateralloc.report.plot").Plot(self)
        return plot

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tidy tables by the name of their file: ``allocation``, ``balance``, ``links``, ..."""
        return make_tables(self.dataset)

    def write(self, folder: Path | str) -> Path:
        """Write the results into a folder, in place of those that are there.

        Everything is written beside the folder first and then moved into place, so that a run that
        dies leaves the former result whole.  Of two runs into one folder the last one stays.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            The folder holds files but is not a result; nothing is touched.
        OSError
            It cannot be written, as on a full disk; the former result stays.
        """
        started = time.perf_counter()
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to a folder stays a link
        check_free(folder)
        _sweep(folder)
        new = _beside(folder, f"new.{uuid.uuid4().hex[:12]}")
        try:
            new.mkdir(parents=True)
            for name, table in self.tables().items():
                write_csv(new / f"{name}.csv", table)
            write_netcdf(new / DATASET, self.dataset)
            seconds = {**self.manifest.get("seconds", {}), "write": time.perf_counter() - started}
            text = json.dumps({**self.manifest, "seconds": seconds}, indent=2, ensure_ascii=False)
            (new / MANIFEST).write_text(text + "\n", encoding="utf-8")
            _move_into_place(new, folder)
        except BaseException as error:
            _remove(new)
            _recover(folder)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, str(folder)) from error
            raise
        return folder

    @classmethod
    def read(cls, folder: Path | str) -> Results:
        """Read results back.

        Raises
        ------
        InputError
            There is none, or it is damaged.
        """
        folder = Path(os.path.abspath(folder))  # noqa: PTH100 - "." has no name to stand beside
        _recover(folder)
        if not folder.exists():
            _refuse(folder, "does not exist; run the case first, or name another folder", "E101")
        if not _is_result(folder):
            _refuse(
                folder, f"is not a result: it has no {MANIFEST} and {DATASET}; run the case first"
            )
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            with _interrupt_waits():
                dataset = xr.load_dataset(folder / DATASET, engine="netcdf4")
        except (OSError, ValueError) as error:
            _refuse(folder, f"cannot be read ({error}); run the case again", "E108")
        return cls(dataset, manifest)


def check_free(folder: Path) -> None:
    """Check that results may be written to a folder: it is not there, empty, or a result.

    Raises
    ------
    InputError
        It holds other files.
    """
    _recover(folder)
    is_free = _is_result(folder) or (folder.is_dir() and not any(folder.iterdir()))
    if folder.exists() and not is_free:
        _refuse(folder, "is not empty and not a result; name a new folder or an empty one")


def write_netcdf(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset; whatever the library calls a failure is an OSError."""
    try:
        with _interrupt_waits():
            dataset.to_netcdf(path, engine="netcdf4", format="NETCDF4")
    except (OSError, RuntimeError) as error:
        # on a full disk the library says no more than "HDF error"
        reason = error.strerror if isinstance(error, OSError) else str(error)
        text = f"{path.name} cannot be written ({reason}); is the disk full?"
        raise OSError(errno.EIO, text) from error


@contextmanager
def _interrupt_waits() -> Iterator[None]:
    """Let Ctrl-C wait until the block is done.

    In the midst of it the NetCDF library would keep a lock, for which its own end waits for ever.
    """
    former = signal.getsignal(signal.SIGINT)
    if not callable(former) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *arguments: came.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
        if came:
            former(*came[0])


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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file is moved into place when it is whole.

    Raises
    ------
    OSError
        With the path that was asked.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            written = Path(folder) / f"written{path.suffix}"
            yield written
            written.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_result(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and (folder / DATASET).is_file()


def _refuse(folder: Path, text: str, code: str = "E109") -> Any:
    raise InputError([Fault(Position(shown(folder)), code, text)])


def _beside(folder: Path, what: str) -> Path:
    """Where a folder stands while it is written, or before it is removed: on the same disk."""
    return folder.with_name(f".{folder.name}.{what}")


def _move_into_place(new: Path, folder: Path) -> None:
    """Move a folder to where another one may stand; user's files in that are kept."""
    for attempt in range(1, MOVES + 1):
        try:
            if folder.exists():
                folder.replace(_beside(folder, "former"))
            new.replace(folder)
            break
        except OSError:  # another run moves its own result there
            if attempt == MOVES:
                raise
            time.sleep(PAUSE)
            _recover(folder)
    _recover(folder)


def _recover(folder: Path) -> None:
    """Finish a replacement, or take it back when the run died before the new one was in place.

    Another run may do the same at the same time.
    """
    former = _beside(folder, "former")
    if not former.exists():
        return
    if not folder.exists():
        try:
            former.replace(folder)
        except OSError:
            if not folder.exists():
                raise
        return
    with suppress(FileNotFoundError):
        for path in list(former.iterdir()):
            if path.name not in MADE | DERIVED and not (folder / path.name).exists():
                path.replace(folder / path.name)
        _remove(former)


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed left beside a folder; not what one writes now."""
    if not folder.parent.is_dir():
        return
    for path in folder.parent.iterdir():
        with suppress(FileNotFoundError):
            is_left = path.name.startswith(_beside(folder, "new").name)
            if is_left and time.time() - path.stat().st_mtime > STALE:
                _remove(path)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path, ignore_errors=True)
