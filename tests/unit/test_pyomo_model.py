"""The full-horizon Pyomo model: names, limits, lags, windows and goals, read by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyomo.environ as pyo
import pytest
from pyomo.repn import generate_standard_repn

from tests.basins import month_starts
from tests.everything import everything
from tests.everything import parts as every_part
from tests.properties import written
from tests.properties.written import both_programs
from tests.small import inflow, make_case
from wateralloc import to_pyomo
from wateralloc.case import Case
from wateralloc.foresight.perfect import solve_perfect

M = "2001-01"


def canal(folder: Path, **more: Any) -> Case:
    """A river with a lag of a day above a farm and the sea; three days."""
    basin: dict[str, Any] = {
        "periods": 3,
        "goals": [{"meet": {}}, {"maximise": "outflow"}],
        "nodes": [
            {"name": "head", "kind": "inflow"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "upper", "from": "head", "to": "field", "kind": "reach", "lag_periods": 1,
             "initial_hm3_day": 4, "loss_fraction": 0.5, "capacity_hm3_day": 30,
             "minimum_hm3_day": 1},
            {"name": "lower", "from": "field", "to": "sea", "kind": "reach"},
        ],
        "demands": [{"name": "rice", "node": "field", "sector": "x", "demand_hm3_day": 6}],
        "series": inflow(head=[10, 20, 30]),
    }  # fmt: skip
    return make_case(folder, **(basin | more))


def plain(name: Any) -> str:
    return str(name).replace(f"{M},", "")


def read(row: Any) -> tuple[dict[str, float], float | None, float | None]:
    """Terms of a row by the name of their variable, without the member; its limits."""
    repn = generate_standard_repn(row.body)
    assert repn.is_linear()
    assert repn.constant == 0
    names = [plain(v.name) for v in repn.linear_vars]
    return dict(zip(names, repn.linear_coefs, strict=True)), row.lb, row.ub


def test_rows_read_like_the_balance(tmp_path: Path) -> None:
    m = to_pyomo(canal(tmp_path))
    assert list(m.member) == [M]
    assert list(m.period) == [0, 1, 2]
    assert read(m.balance["head", M, 1]) == ({"flow[upper,1]": -1}, -20, -20)
    # what set out a day ago arrives, less half; on the first day that is 2 of the 4 before it
    first = {"flow[lower,0]": -1, "withdrawal[rice,0]": -1}
    assert read(m.balance["field", M, 0]) == (first, -2, -2)
    third = {"flow[upper,1]": 0.5, "flow[lower,2]": -1, "withdrawal[rice,2]": -1}
    assert read(m.balance["field", M, 2]) == (third, 0, 0)
    assert all(row.equality for row in m.balance.values())
    assert len(m.balance) == 9
    assert not m.flow_before  # it is flow, a day ago


def test_variables_keep_their_limits(tmp_path: Path) -> None:
    m = to_pyomo(canal(tmp_path))
    assert m.flow["upper", M, 2].bounds == (1, 30)
    assert m.flow["lower", M, 0].bounds == (0, None)
    assert m.withdrawal["rice", M, 0].bounds == (0, 6)


def test_goals_are_objectives_and_the_first_is_active(tmp_path: Path) -> None:
    m = to_pyomo(canal(tmp_path))
    assert m.goal_1.active
    assert not m.goal_2.active
    assert (m.goal_1.sense, m.goal_2.sense) == (pyo.minimize, pyo.maximize)
    for variable in m.component_data_objects(pyo.Var):
        variable.set_value(1.0)
    assert pyo.value(m.goal_1) == pytest.approx(3 * (6 - 1))
    assert pyo.value(m.goal_2) == pytest.approx(3)


def test_lag_reaches_over_the_whole_horizon(tmp_path: Path) -> None:
    links = [
        {"name": "upper", "from": "head", "to": "field", "kind": "reach", "lag_periods": 5,
         "initial_hm3_day": 4},
        {"name": "lower", "from": "field", "to": "sea", "kind": "reach"},
    ]  # fmt: skip
    m = to_pyomo(canal(tmp_path, links=links))
    for t in range(3):
        assert read(m.balance["field", M, t])[1:] == (-4, -4)


def test_row_of_a_window_stands_at_its_first_period(tmp_path: Path) -> None:
    rules = [
        {"rule": "quota", "name": "cap", "volume_hm3": 7, "window": "horizon"},
        {"rule": "quota", "name": "daily", "share_of_demand": 0.5, "window": "period"},
        {"rule": "minimum_delivery", "name": "sea", "at": "field",
         "flow_m3s": {"from": "01-02", "to": "01-03", "value": 10}, "soft": {"goal": 3}},
    ]  # fmt: skip
    m = to_pyomo(canal(tmp_path, rules=rules))
    (key,) = m.rule_cap
    assert key == ("", M, 0)
    assert read(m.rule_cap[key]) == ({f"withdrawal[rice,{t}]": 1 for t in range(3)}, None, 7)
    assert [key[-1] for key in m.rule_daily] == [0, 1, 2]
    assert [m.rule_daily[key].upper for key in m.rule_daily] == [3.0, 3.0, 3.0]
    assert [key[-1] for key in m.rule_sea] == [1, 2]
    terms, lower, upper = read(m.rule_sea["", M, 1])
    assert terms == {"flow[lower,1]": 1, "shortfall[sea,sea,1]": 1}
    assert (lower, upper) == (pytest.approx(10 * 0.0864), None)
    assert str(m.goal_3.expr).count("shortfall") == 3


def test_shared_variable_is_one_for_its_window(tmp_path: Path) -> None:
    goals = [{"share": {"among": "demand", "window": "horizon"}}]
    m = to_pyomo(canal(tmp_path, goals=goals))
    assert list(m.goal_share_1_level) == [(M, 0)]
    assert list(m.goal_share_1_satisfaction) == [("rice", M, 0)]
    (row,) = m.goal_share_1_shared.values()
    terms = {f"withdrawal[rice,{t}]": 1 for t in range(3)}
    assert read(row) == (terms | {"goal_share_1_satisfaction[rice,0]": -18}, 0, None)
    assert m.goal_share_1_level[M, 0].bounds == (0, 1)
    # the first round: the volume asked times the level
    m.goal_share_1_level[M, 0].set_value(0.5)
    assert pyo.value(m.goal_1) == 9


def test_members_have_their_own_numbers(tmp_path: Path) -> None:
    dates = month_starts("2001-01", 14)
    case = canal(
        tmp_path,
        periods=2,
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        series={"inflow_hm3_day": {"date": dates, "head": [float(i) for i in range(14)]}},
    )
    m = to_pyomo(case)
    assert list(m.member) == ["2001-01", "2002-01"]
    assert m.balance["head", "2001-01", 1].upper == pytest.approx(-28)
    assert m.balance["head", "2002-01", 1].upper == pytest.approx(-13 * 28)
    assert len(m.withdrawal) == 4
    # the goal adds up over members
    assert str(m.goal_1.expr).count("withdrawal") == 4


def test_data_that_are_not_finite_are_no_limit(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\nimport pyomo.environ as pyo\n\n\n"
        "def own(m, case):\n"
        "    most = np.array([[5.0, np.inf, 2.0]])\n"
        "    m.most = pyo.Param(initialize=most, mutable=True, within=pyo.Any)\n"
        "    m.spare = pyo.Var(bounds=(0, m.most))\n"
        "    m.use = pyo.Constraint(expr=m.flow['upper'] + m.spare <= m.most + 3)\n",
        encoding="utf-8",
    )
    rule = {"rule": "python", "name": "own", "file": "own.py", "function": "own"}
    case = canal(tmp_path, rules=[rule])
    m = to_pyomo(case)
    assert [m.spare[M, t].ub for t in range(3)] == [5, None, 2]
    assert {key[-1]: row.ub for key, row in m.use.items()} == {0: 8, 2: 5}
    assert written.differences(*both_programs(case)) == []


def test_everything_is_the_stacked_program(tmp_path: Path) -> None:
    """Every part, rule and goal: row by row the program that is solved."""
    case = everything(tmp_path)
    stacked, full = both_programs(case)
    assert written.differences(stacked, full) == []
    assert len(full.rows) > 60
    kept = [rule for rule in case.rules if rule.soft and rule.soft.penalty is None]
    assert len(full.costs) == len(case.goals) + len(kept)


# --- without lines --------------------------------------------------------------------------------


def reservoir(folder: Path) -> Case:
    """A lake that evaporates above a plant with a tailwater by release; three days."""
    return make_case(
        folder,
        periods=3,
        goals=[{"maximise": "energy"}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "turbine", "from": "lake", "to": "sea", "kind": "turbine"}],
        reservoirs=[
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 50, "initial_hm3": 30, "curve": "lake",
             "evaporation_mm_day": 100}
        ],
        curves=[
            {"curve": "lake", "x": x, "y": y, "x_unit": x_unit, "y_unit": y_unit}
            for x_unit, y_unit, points in (
                ("hm3", "m", ((10, 100), (20, 120), (50, 150))),
                ("hm3", "km2", ((10, 2), (30, 6), (50, 7))),
                ("hm3_day", "m", ((0, 60), (10, 70), (40, 85))),
            )
            for x, y in points
        ],
        hydropower=[
            {"plant": "mill", "link": "turbine", "capacity_mw": 100, "efficiency_fraction": 0.8,
             "tailwater_curve": "lake"}
        ],
        series=inflow(lake=[9, 5, 2]),
    )  # fmt: skip


ENDS, FLOWS = (20, 14, 44), (12, 4, 30)
"""Storages from 30 hm3 on, at means of 25, 17 and 29 hm3: 125, 114 and 129 m; 5, 3.4, 5.8 km2."""
TAILS = (71, 64, 80)
METRES = (54, 50, 49)


def at_point(m: pyo.ConcreteModel) -> pyo.ConcreteModel:
    for t, (end, flow) in enumerate(zip(ENDS, FLOWS, strict=True)):
        m.storage_end["lake", M, t].set_value(end)
        m.flow["turbine", M, t].set_value(flow)
    return m


def test_without_lines_rows_and_goals_are_what_the_lines_stand_for(tmp_path: Path) -> None:
    """What comes in, less what is kept, evaporates (0.1 m) and flows out; 0.00218 GWh by hm3 m."""
    m = at_point(to_pyomo(reservoir(tmp_path), lines=False))
    left = [9 + 30 - 20 - 0.5 - 12, 5 + 20 - 14 - 0.34 - 4, 2 + 14 - 44 - 0.58 - 30]
    for t in range(3):
        row = m.balance["lake", M, t]
        assert row.equality
        assert pyo.value(row.body) - pyo.value(row.upper) == pytest.approx(left[t])
    energy = [0.00218 * flow * head for flow, head in zip(FLOWS, METRES, strict=True)]
    assert pyo.value(m.goal_1) == pytest.approx(sum(energy))
    assert m.goal_1.polynomial_degree() is None
    for t in range(3):
        assert pyo.value(m.plant_capacity["mill", M, t].body) == pytest.approx(energy[t])
        assert pyo.value(m.plant_capacity["mill", M, t].upper) == pytest.approx(2.4)


def test_with_lines_they_are_straight(tmp_path: Path) -> None:
    """Half the active storage is 30 hm3, at 130 m; nothing is known of the flow: 70 m."""
    m = at_point(to_pyomo(reservoir(tmp_path)))
    assert all(row.body.polynomial_degree() == 1 for row in m.balance.values())
    assert pyo.value(m.goal_1) == pytest.approx(0.00218 * 70 * sum(FLOWS))


def test_without_lines_all_rows_are_there_and_hold_at_the_result(tmp_path: Path) -> None:
    """Of every part, rule and goal, at what the passes ended with."""
    more = every_part()["more"] | {"linearisation": {"tolerance": 1e-6}}
    case = everything(tmp_path, more=more)
    solution = solve_perfect(case)
    assert solution.convergence[0].is_reached
    straight, bent = to_pyomo(case), to_pyomo(case, lines=False)
    names = [[row.name for row in m.component_data_objects(pyo.Constraint)]
             for m in (straight, bent)]  # fmt: skip
    assert names[0] == names[1]
    bent_rows = [
        row.parent_component().name
        for row in bent.component_data_objects(pyo.Constraint)
        if row.body.polynomial_degree() is None
    ]
    assert set(bent_rows) >= {"plant_capacity", "split_curved", "balance"}

    for variable in solution.period.model.component_objects(pyo.Var):
        name = variable.name.replace("rules.", "rule_").replace("goals.", "goal_")
        full = bent.component(name.replace(".", "_"))
        for index, item in variable.items():
            own = index if isinstance(index, tuple) else () if index is None else (index,)
            for t, value in enumerate(solution.value(item)[0]):
                if (*own, M, t) in full:
                    full[*own, M, t].set_value(value, skip_validation=True)
    for row in bent.component_data_objects(pyo.Constraint):
        body = pyo.value(row.body)
        near = 1e-4 * (1 + abs(body))
        assert row.lb is None or body >= row.lb - near, row.name
        assert row.ub is None or body <= row.ub + near, row.name
