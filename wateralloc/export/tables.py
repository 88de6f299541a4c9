"""Tables of a result for other programs: Parquet."""

from __future__ import annotations

from pathlib import Path

from wateralloc.errors import Fault, InputError, Position, shown
from wateralloc.results.store import Results, replacing

DATES = ("period_start", "window_start", "window_end", "worst_start")
"""Columns that hold dates."""


def write_parquet(results: Results, folder: Path) -> None:
    """Write the tidy tables of a result into a folder, each as Parquet.

    Dates are dates there, and a number that a row does not have is null.

    Raises
    ------
    InputError
        The folder is there and holds something, or there is no polars.
    OSError
        The folder cannot be written.
    """
    check_new(folder)
    try:
        import polars as pl
    except ImportError:
        text = "Parquet needs polars; install wateralloc[parquet]"
        raise InputError([Fault(Position(shown(folder)), "E107", text)]) from None
    with replacing(folder) as written:
        written.mkdir()
        for name, table in results.tables().items():
            is_number = {key: table[key].dtype.kind in "iuf" for key in table.columns}
            frame = pl.DataFrame({
                key: table[key].to_numpy() if is_number[key] else table[key].tolist()
                for key in table.columns
            })  # fmt: skip
            dates = [key for key in DATES if key in frame.columns]
            frame = frame.with_columns(
                pl.col(dates).cast(pl.String).replace("", None).str.to_date(),
                pl.selectors.float().fill_nan(None),
            )
            frame.write_parquet(written / f"{name}.parquet")


def check_new(folder: Path) -> None:
    """Refuse a folder that is there and holds something.

    Raises
    ------
    InputError
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        text = "is there and not empty; name a new folder"
        raise InputError([Fault(Position(shown(folder)), "E109", text)])
