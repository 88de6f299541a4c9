"""The case behind a result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wateralloc.case import Case, read_case
from wateralloc.results.store import Results


def case_of(results: Results, folder: Path, changes: Mapping[str, str] | None = None) -> Case:
    """Read the case of a result again.

    Parameters
    ----------
    folder : of the result
    changes : settings in place of those of the case, by dotted key
    """
    return read_case(str(results.manifest["case"]), changes or {})
