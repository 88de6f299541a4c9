"""Explain the drought of 2009-10 under two policies, and write the page.

``python -m docs.why`` (``make why``) writes ``docs/why.md`` from ``docs/why.md.in``: every block of
text in it is what the program prints.  It takes some minutes.
"""

from __future__ import annotations

import os
from pathlib import Path
from string import Template

import wateralloc
from wateralloc.explanation import rule_cost
from wateralloc.report import explanation, explanation_figure
from wateralloc.report import rule_cost as rule_cost_text

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE, TEMPLATE, FIGURE = HERE / "why.md", HERE / "why.md.in", HERE / "why_phu_tho.svg"
DROUGHT = "2009-06"
POLICIES = ("delta_first", "decision_740")
PROVINCES = ("phu_tho", "vinh_phuc", "ha_noi")
PLANT = "hoa_binh"


def write() -> None:
    """Explain, draw and write the page."""
    os.chdir(ROOT)  # places in files are told as one sees them from there
    parts = {}
    for policy in POLICIES:
        case = f"cases/pilot/{policy}.yaml"
        for province in PROVINCES:
            found = wateralloc.explain(case, province=province, member=DROUGHT)
            parts[f"{policy}_{province}"] = explanation.text(found[0]).rstrip()
            if (policy, province) == ("delta_first", "phu_tho"):
                explanation_figure.write_figure(found, FIGURE)
                parts["vietnamese"] = explanation.text(found[0], "vi").rstrip()
        (plant,) = wateralloc.explain(case, plant=PLANT, member=DROUGHT)
        parts[f"{policy}_{PLANT}"] = explanation.text(plant).rstrip()
    cost = rule_cost("pilot_sharing", "delta_dry_season", member=DROUGHT)
    parts["rule"] = rule_cost_text.text(cost).rstrip()
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(parts)
    note = f"<!-- Written by `make why` from docs/{TEMPLATE.name}; change that, not this. -->\n"
    PAGE.write_text(note + text, encoding="utf-8")


if __name__ == "__main__":
    write()
