"""Sharing on the real river, where it was hard for the solver: every round is certified."""

from __future__ import annotations

import numpy as np
import pytest

from wateralloc import read_case
from wateralloc.foresight.perfect import solve_perfect

WIDE_SPELL = "{from: 02-01, to: 02-20, value: 2.2}"
"""2.2 m at Ha Noi through two dekads of February: more than the lakes of a dry year have."""


@pytest.mark.parametrize(
    ("among", "window", "rule"),
    [
        ("province", "year", "leximin"),
        ("province", "month", "talmud"),
        ("sector", "month", "cel"),
        ("demand", "year", "cea"),
    ],
)
def test_a_level_that_cannot_be_held_leaves_a_shortage_that_is_shared(
    among: str, window: str, rule: str
) -> None:
    """The soft level takes all it can of its face; what the rounds settle must leave that room."""
    case = read_case(
        "pilot_riverbed",
        {
            "rules.ha_noi_level.level_m": WIDE_SPELL,
            "hydrology": "{record: historic, years: [2009-06]}",
            "linearisation": "fixed",
            "goals.1.share.among": among,
            "goals.1.share.window": window,
            "goals.1.share.rule": rule,
        },
    )
    solution = solve_perfect(case)
    assert solution.certificate.is_valid
    assert solution.drift.max() <= 1e-9
    shared = solution.records[0][0][1]
    (awards,) = shared.awards
    has = awards.claim > 1e-9
    assert (awards.settled_in[has] > 0).all()
    assert (awards.settled_in[~has] == 0).all()
    assert 0.0 < shared.given < float(awards.claim.sum())  # there is a shortage
    assert shared.volume_price >= -1e-9
    if rule == "leximin":  # rounds go up, and who is settled later has more
        levels = [
            np.unique(awards.level[awards.settled_in == k]) for k in range(1, awards.n_rounds)
        ]
        assert all(of.size <= 1 for of in levels)
        assert (np.diff(np.concatenate(levels)) >= -1e-9).all()
