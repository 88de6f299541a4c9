"""The state of reading a folder, which the steps share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from wateralloc import catalogue
from wateralloc.basin.model import CURVES, NODES, PATTERNS, Curve, Series
from wateralloc.basin.sources import open_source
from wateralloc.errors import Findings, Position
from wateralloc.tables import NAMES_ARE, is_identifier
from wateralloc.timeline import Pattern


class Reading:
    """What is read of one folder, step by step; later steps skip what earlier ones found broken."""

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, Any],
        findings: Findings,
        locate: Callable[..., Position] | None,
    ) -> None:
        self.source = open_source(folder)
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

    def add_file(self, path: Path) -> None:
        """Note that a table was read."""
        file = self.source.file_of(path)
        if file not in self.files:
            self.files.append(file)

    def fault(self, table: str, key: Any, column: str, code: str, text: str) -> None:
        self.findings.add(self.tables[table].attrs["positions"][key, column], code, text)

    def groups(self, table: str, column: str) -> dict[str, pd.DataFrame]:
        """Rows of a long table by the name in its first column; names are checked."""
        frame = self.tables[table]
        groups = {str(name): rows for name, rows in frame.groupby(column, sort=False) if name}
        for name, rows in groups.items():
            if not is_identifier(name):
                self.fault(
                    table,
                    rows.index[0],
                    column,
                    "E210",
                    f"{column} '{name}' is not valid; {NAMES_ARE}",
                )
        return groups

    def has_lost_rows(self, table: str, column: str) -> bool:
        """Tell whether there may be names that could not be read."""
        frame = self.tables[table]
        return not frame.attrs["is_read"] or any(
            not frame.at[row, column] for row in frame.attrs["faulty"]
        )
