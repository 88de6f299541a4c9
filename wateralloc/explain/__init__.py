"""Why: what stands behind a shortage, and what a rule costs."""

from wateralloc.explain.ask import explain
from wateralloc.explain.causes import Cause
from wateralloc.explain.rule_cost import RuleCost, rule_cost
from wateralloc.explain.shortage import (
    Award,
    Explanation,
    Loss,
    Step,
    Target,
    Worth,
    explain_shortage,
)

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
