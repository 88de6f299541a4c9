"""Intake above the sea, by hand: a tidal sluice that opens from 10 to 30 hm3 a day of the river."""

from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.parts.intake import opening_at, taken_at
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "intake.lp"


def sluice(folder, inflows, capacity=8, annual=99, goals=({"meet": {}},), **changes):
    """``gauge -> sluice -> sea``: a farm asks as much as it can get, and a canal takes the rest."""
    basin = {
        "nodes": [
            {"name": "gauge", "kind": "inflow"},
            {"name": "sluice", "kind": "junction"},
            {"name": "field", "kind": "sink"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "river", "from": "gauge", "to": "sluice", "kind": "reach"},
            {"name": "mouth", "from": "sluice", "to": "sea", "kind": "reach"},
            {"name": "canal", "from": "sluice", "to": "field", "kind": "canal"},
        ],
        "demands": [
            {"name": "farm", "node": "sluice", "sector": "irrigation", "annual_hm3": annual * 365}
        ],
        "intakes": [
            {"name": "gate", "node": "sluice", "flow_at": "gauge", "threshold_hm3_day": 10,
             "full_hm3_day": 30, "capacity_hm3_day": capacity}
        ],
        "series": inflow(gauge=inflows),
    }  # fmt: skip
    return make_case(folder, periods=len(inflows), goals=goals, **(basin | changes))


def test_opening_by_flow():
    """Shut up to the threshold of 10, half open midway, no limit beyond 30."""
    flow = np.array([0.0, 9.0, 10.0, 20.0, 30.0, 90.0])
    assert opening_at(flow, 10.0, 30.0).tolist() == [0, 0, 0, 0.5, 1, 4]


def test_first_pass_is_nowhere_below_the_true_opening():
    """So what is feasible stays so, and `full` and beyond are right."""
    flow = np.linspace(0, 100, 1001)
    first = np.minimum(flow / 30, 1)
    true = np.minimum(opening_at(flow, 10.0, 30.0), 1)
    assert (first >= true).all()
    np.testing.assert_allclose(first[flow >= 30], true[flow >= 30], rtol=1e-12)


def test_fixed_mode_takes_the_line_from_no_flow_to_full(tmp_path):
    """Of 8: 8 x 6/30, 8 x 15/30, and all from 30 on; never more, though 8 x 60/30 is 16."""
    case = sluice(tmp_path, (6, 15, 30, 60), more={"linearisation": "fixed"})
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([1.6, 4, 8, 8])


def test_takes_only_above_the_flow(tmp_path):
    """8 hm3 a day at most; by the river's 6, 10, 15, 20, 30, 60 it is 0, 0, 2, 4, 8, 8."""
    _, values = solve(sluice(tmp_path, (6, 10, 15, 20, 30, 60)))
    assert values["withdrawal"]["farm"] == pytest.approx([0, 0, 2, 4, 8, 8], abs=1e-9)


def test_canal_goes_through_it_too(tmp_path):
    """The farm asks 3 first; the canal gets what is left of 4 and of 8."""
    goals = [{"meet": {}}, {"maximise": {"quantity": "outflow", "of": ["field"]}}]
    _, values = solve(sluice(tmp_path, (20, 30), annual=3, goals=goals))
    assert values["withdrawal"]["farm"] == pytest.approx([3, 3])
    assert values["flow_in"]["canal"] == pytest.approx([1, 5])


def test_taken_is_no_river(tmp_path):
    m = build_period(sluice(tmp_path, (20, 30))).model
    for k, variable in enumerate(m.component_data_objects(pyo.Var), 1):
        variable.set_value(10.0**k, skip_validation=True)
    taken = pyo.value(m.withdrawal["farm"] + m.flow["canal"])
    assert pyo.value(taken_at(m, "sluice")) == taken
    assert pyo.value(taken_at(m, "gauge")) == 0


def test_capacity_by_pattern(tmp_path):
    patterns = [
        {"pattern": "gates", "start": "01-01", "value": 8, "unit": "hm3_day"},
        {"pattern": "gates", "start": "01-02", "value": 4, "unit": "hm3_day"},
    ]
    case = sluice(tmp_path, (30, 30), capacity="pattern:gates", patterns=patterns)
    _, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 4])


def test_flow_below_the_intake(tmp_path):
    """What is taken lowers the flow that opens it, where that is read below.

    By taken x of 24, x = 8 (24 - x - 10) / 20, so x = 4.
    """
    intake = {"name": "gate", "node": "sluice", "threshold_hm3_day": 10, "full_hm3_day": 30,
              "capacity_hm3_day": 8}  # fmt: skip
    _, values = solve(sluice(tmp_path, (24,), intakes=[intake]))
    assert values["withdrawal"]["farm"] == pytest.approx([4])


def test_golden(tmp_path):
    check_golden(sluice(tmp_path, (6, 15, 60)), GOLDEN)
