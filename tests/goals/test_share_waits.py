"""Rows of a goal ``share`` bind nothing before its turn, so they must hold nothing either."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.small import inflow, make_case
from wateralloc.foresight.settled import settle

M3S = 1 / 0.0864
GOALS = [{"share": {"among": "demand", "rule": "leximin", "window": "horizon"}}]
WISH = {
    "rule": "minimum_delivery", "name": "wish", "at": "river", "flow_m3s": 5 * M3S,
    "soft": {"goal": 1},
}  # fmt: skip


@pytest.mark.parametrize("is_warm", [True, False])
def test_a_soft_rule_before_it_is_kept_from_any_start(tmp_path: Path, is_warm: bool) -> None:
    """4 come and 5 are wished first, so the farm has nothing; where 4.5 come still nothing.

    The price of what it would take must not rest on ``withdrawal >= claim x satisfaction`` and
    ``satisfaction >= 0``: the goal lifts these when it is its turn.
    """
    case = make_case(
        tmp_path, periods=2, goals=GOALS, rules=[WISH],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 8}],
        series=inflow(river=[4, 4]),
    )  # fmt: skip
    settled = settle(case)
    model, horizon = settled.period.model, settled.horizon
    block = model.goals.share_2
    shared = horizon.rows[id(block.shared["farm"])]
    first = settled.faces[0].program
    assert np.isneginf(first.row_lower[shared]).all()
    assert (settled.faces[1].program.row_lower[shared] == 0).all()
    program = settled.program
    balance = horizon.rows[id(model.balance["river"])]
    lower, upper = program.row_lower.copy(), program.row_upper.copy()
    lower[balance] -= 0.5
    upper[balance] -= 0.5
    again = settled.again(replace(program, row_lower=lower, row_upper=upper), is_warm)
    assert again.value(model.withdrawal["farm"]) == pytest.approx([0, 0], abs=1e-9)
    assert again.optima[0].value == pytest.approx(1)
