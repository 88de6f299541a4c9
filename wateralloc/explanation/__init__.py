"""Why: what stands behind a shortage, and what a rule costs."""

from wateralloc.explanation.ask import explain
from wateralloc.explanation.causes import Cause
from wateralloc.explanation.shortage import (
    Award,
    Explanation,
    Loss,
    Step,
    Target,
    Worth,
    explain_shortage,
)
from wateralloc.explanation.without import RuleCost, rule_cost

__all__ = [
    "Award",
    "Cause",
    "Explanation",
    "Loss",
    "RuleCost",
    "Step",
    "Target",
    "Worth",
    "explain",
    "explain_shortage",
    "rule_cost",
]
