"""Firm energy of a lake with one plant of known head: 1 hm3 yields 0.2725 GWh at 100 m."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "firm_energy.lp"
GWH_PER_HM3 = 1000 * 9.81 * 100 / 3600 * 1e-3


def lake(folder, goal, **changes):
    """10, 0, 2 hm3 flow in and the lake, empty at first, keeps what it likes."""
    basin = {
        "nodes": [{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"}],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 0, "target_hm3": 0}
        ],
        "hydropower": [
            {"plant": "mill", "link": "outlet", "capacity_mw": 1000, "efficiency_fraction": 1,
             "head_m": 100}
        ],
        "series": inflow(lake=[10, 0, 2]),
    }  # fmt: skip
    goals = [{"firm_energy": goal}, {"maximise": "energy"}]
    tables = {name: rows for name, rows in (basin | changes).items() if rows is not None}
    return make_case(folder, periods=3, goals=goals, **tables)


def test_the_least_power_is_as_large_as_can_be(tmp_path):
    """12 hm3 over three days: 4 hm3 a day, 1.09 GWh, is 45.4 MW all the time."""
    solution, values = solve(lake(tmp_path, {"window": "period"}))
    assert values["turbined"]["mill"] == pytest.approx([4, 4, 4])
    stage = solution.stages[0][0]
    assert (stage.name, stage.unit) == ("1 firm energy of all plants", "MW")
    assert stage.value == pytest.approx(4 * GWH_PER_HM3 / 24 * 1e3)


def test_a_lake_that_keeps_little_gives_less(tmp_path):
    """Of 10 hm3 only 3 can be kept for the second day: then 3 hm3 a day at most are firm."""
    small = [{"name": "lake", "dead_hm3": 0, "normal_hm3": 3, "initial_hm3": 0, "target_hm3": 0}]
    solution, values = solve(lake(tmp_path, {"window": "period"}, reservoirs=small))
    # after the first day 3 hm3 are left and 2 more come: 2.5 a day
    assert solution.stages[0][0].value == pytest.approx(2.5 * GWH_PER_HM3 / 24 * 1e3)
    assert values["turbined"]["mill"] == pytest.approx([7, 2.5, 2.5])


def test_a_window_is_a_mean(tmp_path):
    """All three days are in January: power is a mean over them."""
    solution, _ = solve(lake(tmp_path, {"plants": ["mill"]}))
    assert solution.stages[0][0].value == pytest.approx(4 * GWH_PER_HM3 / 24 * 1e3)


@pytest.mark.parametrize(
    ("goal", "changes", "text"),
    [
        ({"plants": ["mil"]}, {}, "E313 unknown plant 'mil'; did you mean 'mill'?"),
        ({}, {"hydropower": None}, "firm_energy has no plants: the basin has no hydropower.csv"),
    ],
)
def test_faults(tmp_path, goal, changes, text):
    with pytest.raises(InputError) as raised:
        lake(tmp_path, goal, **changes)
    assert text in str(raised.value)


def test_golden(tmp_path):
    check_golden(lake(tmp_path, {"window": "period"}), GOLDEN)
