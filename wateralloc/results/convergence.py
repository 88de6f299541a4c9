"""How the passes of successive linear programming ended, as variables of the results."""

from __future__ import annotations

from typing import Any

import numpy as np

from wateralloc.foresight.perfect import Solution
from wateralloc.foresight.successive import Pass
from wateralloc.results.variables import Variable, text, variable, whole

_NUMBERS = {
    "value": "first goal that lines are in, computed without lines, larger is better",
    "foretold": "the same by the lines of the pass",
    "step": "largest move of a storage or flow, from the best pass before, as a share of its range",
    "error": "largest error of a line in the water balance, as a share of its size",
    "radius": "largest step that was allowed, as a share of the range",
}


def convergence_variables(solution: Solution) -> dict[str, Variable]:
    """One row a pass and member, and how the passes of each member ended; none where none moved."""
    if not solution.convergence:
        return {}
    members = [member.name for member in solution.case.members]
    rows: list[tuple[str, Pass]] = [
        (member, of_pass)
        for member, convergence in zip(members, solution.convergence, strict=True)
        for of_pass in convergence.passes
    ]

    def column(name: str) -> np.ndarray:
        return np.array([getattr(of_pass, name) for _, of_pass in rows], float)

    ended = solution.convergence
    found: dict[str, Any] = {
        "pass_member": variable("pass", text(m for m, _ in rows), "member of the pass"),
        "pass_number": variable("pass", whole(p.number for _, p in rows), "number of the pass"),
        "pass_is_whole": variable(
            "pass",
            whole(p.is_whole for _, p in rows),
            "1 where all goals were optimised, not only those from the first with lines on",
        ),
        "pass_iterations": variable(
            "pass", whole(p.iterations for _, p in rows), "iterations of the solver"
        ),
        "pass_is_kept": variable(
            "pass", whole(p.is_kept for _, p in rows), "1 where it was the best pass so far"
        ),
        "is_converged": variable(
            "member", whole(c.is_reached for c in ended), "1 where the passes converged"
        ),
        "best_pass": variable("member", whole(c.best for c in ended), "pass that is shown"),
        "convergence": variable("member", text(c.why for c in ended), "why the passes ended"),
    }
    return found | {
        f"pass_{name}": variable("pass", column(name), meaning)
        for name, meaning in _NUMBERS.items()
    }
