"""The main job: from a case to its results."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

from wateralloc.case import Case, read_case
from wateralloc.foresight import solve
from wateralloc.foresight.conflict.mend import attributes_of, solve_mended
from wateralloc.foresight.perfect import Progress
from wateralloc.foresight.ranges import CHEAP
from wateralloc.results import Results, collect


def run(
    case: Case | str | Path,
    *,
    changes: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    ranges: bool | None = None,
    mend: bool = False,
) -> Results:
    """Read a case, solve it for every member and collect its results; nothing is written.

    Parameters
    ----------
    case : a case that was read, the path of a case file, or the name of one
    changes : settings in place of those in the file, by dotted key: ``{"demand.year": "2040"}``;
        only for a case that is read here
    progress : called after each member with the number done and the number in all
    ranges : find the least and the most of each delivery that the goals leave open, with perfect
        foresight; None: where that takes little
    mend : where hard limits contradict each other, they give way by the least amount, and the
        results say so: ``mended`` in the manifest and among the attributes of the dataset

    Returns
    -------
    Results
        Keep them with ``results.write(folder)``.

    Raises
    ------
    InputError
        With every fault of the case and its basin.
    Infeasible
        No allocation of a member meets all hard limits; the text names those that contradict.
    SolveError

    Examples
    --------
    >>> import wateralloc
    >>> results = wateralloc.run("pilot_dry_year", changes={"timeline.step": "month"})
    ... # doctest: +SKIP
    """
    started = time.perf_counter()
    if isinstance(case, Case):
        if changes:
            raise ValueError("changes are for a case that is read here; give its path or name")
    else:
        case = read_case(case, changes or {})
    read = time.perf_counter() - started
    keep_faces, effort = ranges is not False, CHEAP if ranges is None else math.inf
    if not mend:
        solution = solve(case, progress, keep_faces=keep_faces)
        return collect(solution, {"read": read, **solution.seconds}, effort)
    mended = solve_mended(case, progress, keep_faces)
    results = collect(mended, {"read": read, **mended.seconds}, effort)
    results.dataset.attrs |= attributes_of(mended)
    return results
