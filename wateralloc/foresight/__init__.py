"""Ways of looking ahead: each stacks the same period in its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wateralloc.case import Case

if TYPE_CHECKING:
    from wateralloc.foresight.perfect import Solution
    from wateralloc.foresight.reference import Reference


def solve(
    case: Case,
    progress: Callable[[int, int], None] | None = None,
    reference: Reference | None = None,
    keep_faces: bool = False,
) -> Solution:
    """Solve a case in the way its `foresight` names.

    Parameters
    ----------
    progress : called with the number of members, or of steps of members, done and in all
    reference : what each member starts from, only for foresight ``perfect``; default: each starts
        cold
    keep_faces : keep what the goals leave open, only with foresight ``perfect``

    Raises
    ------
    Infeasible
        No allocation meets all hard limits.
    Uncertified, SolveError
    """
    if reference is not None and case.foresight.mode != "perfect":
        raise ValueError("only perfect foresight starts from a reference")
    if case.foresight.goes_forward:
        from wateralloc.foresight.forward import solve_forward

        return solve_forward(case, progress)
    if case.foresight.mode == "two_stage" and case.n_members > 1:
        from wateralloc.foresight.two_stage import solve_two_stage

        return solve_two_stage(case, progress)
    from wateralloc.foresight.perfect import solve_perfect

    return solve_perfect(case, progress, reference, keep_faces)


def check(case: Case) -> None:
    """Find the faults of a case that show when its program is made, without solving it.

    Raises
    ------
    CaseError
        Limits that cross on a date; what cannot be decided beforehand, or optimised over all
        members; a forecast that the record or a file does not give.
    """
    from wateralloc.period import build_period

    period = build_period(case)
    if case.foresight.mode == "two_stage" and case.n_members > 1:
        from wateralloc.foresight.two_stage import check_two_stage

        check_two_stage(period)
    elif case.foresight.mode == "rolling":
        from wateralloc.foresight.forecast import lead_case

        build_period(lead_case(case))
