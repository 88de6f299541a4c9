"""Accounts: what rules report of each period, beside what they asked and got."""

from __future__ import annotations

import numpy as np

from wateralloc.foresight.perfect import Solution
from wateralloc.results.variables import MT, Variable, clean, text, variable


def account_variables(solution: Solution) -> dict[str, Variable]:
    """One column an account: a rule, its item and what is reported of it; none without."""
    reports = solution.period.model.reports
    if not reports:
        return {}
    labels = [f"{r.rule}.{r.name}" + (f"[{r.item}]" if r.item else "") for r in reports]
    values = np.stack([clean(solution.value(report.value)) for report in reports], axis=2)
    return {
        "account": variable("account", text(labels), "rule, what it reports, and of which item"),
        "account_rule": variable("account", text(r.rule for r in reports), "rule of the account"),
        "account_item": variable(
            "account", text(r.item for r in reports), "item; empty where the rule has but one"
        ),
        "account_quantity": variable(
            "account", text(r.name for r in reports), "what is reported, as balance"
        ),
        "account_unit": variable("account", text(r.units for r in reports), "unit of the values"),
        "account_value": variable(
            (*MT, "account"), values, "what a rule reports of the period", units_by="account_unit"
        ),
    }
