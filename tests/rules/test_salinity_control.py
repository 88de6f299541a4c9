"""salinity_control at two mouths below a fork, by hand."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc import Infeasible

GOLDEN = Path(__file__).parent / "golden" / "salinity_control.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def mouths(folder, inflows=(10, 10), at=("gulf", "bar"), **rule):
    """A farm at the fork asks all; the bar is a control node above the second mouth."""
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        rules=[{"rule": "salinity_control", "name": "salt", "at": list(at), **rule}],
        nodes=[
            {"name": "fork", "kind": "inflow"},
            {"name": "bar", "kind": "control"},
            {"name": "gulf", "kind": "sink"},
            {"name": "bay", "kind": "sink"},
        ],
        links=[
            {"name": "branch", "from": "fork", "to": "gulf", "kind": "distributary",
             "capacity_hm3_day": 4},
            {"name": "arm", "from": "fork", "to": "bar", "kind": "reach"},
            {"name": "mouth", "from": "bar", "to": "bay", "kind": "reach"},
            {"name": "canal", "from": "bar", "to": "bay", "kind": "canal",
             "capacity_hm3_day": 2, "minimum_hm3_day": 2},
        ],
        demands=[{"name": "farm", "node": "fork", "sector": "irrigation", "annual_hm3": 99 * 365}],
        series=inflow(fork=inflows),
    )  # fmt: skip


def test_each_mouth_has_its_flow(tmp_path):
    """3 past each mouth, and 2 through the canal that does not count: the farm gets 2 of 10."""
    solution, values = solve(mouths(tmp_path, flow_m3s=3 * M3S))
    assert values["withdrawal"]["farm"] == pytest.approx([2, 2])
    assert values["outflow"]["gulf"] == pytest.approx([3, 3])
    assert values["flow_in"]["mouth"] == pytest.approx([3, 3])
    prices = solution.stages[0][0].rule_price
    assert prices["salt[gulf]"] == pytest.approx([1, 1])
    assert prices["salt[bar]"] == pytest.approx([1, 1])


def test_together_on_some_days(tmp_path):
    """7 past both on 2 January: the farm gets 1 of 10; on 1 January all but the canal's 2."""
    flow = {"from": "01-02", "to": "01-02", "value": 7 * M3S}
    _, values = solve(mouths(tmp_path, flow_m3s=flow, together=True))
    assert values["withdrawal"]["farm"] == pytest.approx([8, 1])
    assert values["outflow"]["gulf"][1] + values["flow_in"]["mouth"][1] == pytest.approx(7)


def test_mouth_that_cannot_carry_it(tmp_path):
    """The branch carries 4 hm3 a day at most, 5 are asked."""
    with pytest.raises(
        Infeasible, match=r"2 hm3 of salinity_control 'salt\[gulf\]' .*asks 57.87, 46.3 can"
    ):
        solve(mouths(tmp_path, (20, 20), flow_m3s=5 * M3S))


def test_golden(tmp_path):
    flow = {"from": "01-02", "to": "01-02", "value": 30}
    check_golden(mouths(tmp_path, flow_m3s=flow), GOLDEN)
