"""A lake with one plant of known head must give energy early, though late it would give more."""

from pathlib import Path

import pytest

from tests.goals.test_firm_energy import GWH_PER_HM3
from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import Infeasible, InputError

GOLDEN = Path(__file__).parent / "golden" / "minimum_energy.lp"


def lake(folder, **rule):
    """6 hm3 in store, 1 hm3 a day flows in, and what is left on the third day is what counts."""
    return make_case(
        folder,
        periods=3,
        goals=[{"maximise": {"quantity": "storage_end", "when": "last"}}],
        rules=[{"rule": "minimum_energy", "name": "load", **rule}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"}],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 6, "target_hm3": 0}
        ],
        hydropower=[
            {"plant": "mill", "link": "outlet", "capacity_mw": 1000, "efficiency_fraction": 1,
             "head_m": 100}
        ],
        series=inflow(lake=[1, 1, 1]),
    )  # fmt: skip


def test_power_by_date(tmp_path):
    """Power of 2 hm3 a day is asked on the second day alone."""
    power = 2 * GWH_PER_HM3 / 24 * 1e3
    asked = {"from": "01-02", "to": "01-02", "value": power}
    solution, values = solve(lake(tmp_path, power_mw=asked))
    assert values["turbined"]["mill"] == pytest.approx([0, 2, 0])
    (row,) = solution.period.rule_rows
    assert row.rule.reported_in == "gwh"


def test_energy_of_a_window(tmp_path):
    _, values = solve(lake(tmp_path, energy_gwh=5 * GWH_PER_HM3, window="horizon"))
    assert sum(values["turbined"]["mill"]) == pytest.approx(5)
    assert values["storage_end"]["lake"][-1] == pytest.approx(4)


def test_more_than_there_is(tmp_path):
    """9 hm3 are there and 12 are asked: 3 hm3 of energy are missing."""
    case = lake(tmp_path, energy_gwh=12 * GWH_PER_HM3, window="horizon")
    with pytest.raises(Infeasible, match=r"conflict of 0\.8175 GWh .*'load'"):
        solve(case)


def test_soft(tmp_path):
    """The same, soft: the shortfall is made least, in GWh."""
    asked = 12 * GWH_PER_HM3
    case = lake(tmp_path, energy_gwh=asked, window="horizon", soft={"goal": 1})
    solution, values = solve(case)
    assert sum(values["turbined"]["mill"]) == pytest.approx(9)
    stage = solution.stages[0][0]
    assert (stage.value, stage.unit) == (pytest.approx(3 * GWH_PER_HM3), "GWh")


def test_a_soft_rule_on_energy_by_head_counts_what_is_true(tmp_path):
    """The shortfall of rules.csv is that of the energies in energy.csv, after passes."""
    case = make_case(
        tmp_path,
        periods=4,
        goals=[{"maximise": "energy"}],
        rules=[{"rule": "minimum_energy", "name": "load", "power_mw": 60, "soft": {"goal": 1}}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine",
             "capacity_hm3_day": 20},
            {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 100, "initial_hm3": 30,
             "target_hm3": 10, "curve": "lake"}
        ],
        curves=[
            {"curve": "lake", "x": x, "y": y, "x_unit": "hm3", "y_unit": "m"}
            for x, y in ((0, 100), (100, 150))
        ],
        hydropower=[
            {"plant": "mill", "link": "outlet", "capacity_mw": 200, "efficiency_fraction": 0.9,
             "tailwater_m": 95}
        ],
        series=inflow(lake=[10, 30, 5, 2]),
    )  # fmt: skip
    solution, values = solve(case)
    (convergence,) = solution.convergence
    assert convergence.is_reached
    asked = 60 * 24 * 1e-3
    missed = sum(max(0.0, asked - energy) for energy in values["energy"]["mill"])
    stage = next(s for s in solution.stages[0] if s.name == "1 keep load")
    assert missed > 0.1
    assert stage.value == pytest.approx(missed, rel=2e-3)


def test_faults(tmp_path):
    with pytest.raises(InputError, match="give either power_mw, or energy_gwh with a window"):
        lake(tmp_path)
    with pytest.raises(InputError, match="unknown plant 'mull'"):
        lake(tmp_path, plants=["mull"], power_mw=1)


def test_golden(tmp_path):
    check_golden(lake(tmp_path, power_mw=20, soft={"goal": 1}), GOLDEN)
