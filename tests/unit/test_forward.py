"""One window after another, by hand: what is handed on, what is kept, what is not known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rules.test_drought_stages import lake as lake_in_drought
from tests.rules.test_drought_stages import stages_of
from tests.small import inflow, make_case
from wateralloc import read_case
from wateralloc.errors import Infeasible, SolveError
from wateralloc.foresight import solve, steady
from wateralloc.foresight.forward import March
from wateralloc.foresight.perfect import Solution
from wateralloc.results import collect

NODES = [
    {"name": "lake", "kind": "reservoir"},
    {"name": "field", "kind": "junction"},
    {"name": "sea", "kind": "sink"},
]
LINKS = [
    {"name": "gate", "from": "lake", "to": "field", "kind": "reach"},
    {"name": "mouth", "from": "field", "to": "sea", "kind": "reach"},
]


def river(
    folder: Path,
    flows: list[float],
    *,
    initial: float = 10,
    normal: float = 100,
    foresight: Any = "simulate",
    goals: Any = ({"meet": {}},),
    rules: Any = (),
    demand: float = 10,
    target: float = 0,
    **more: Any,
) -> Any:
    """A lake, and a field below it that asks `demand` a day."""
    tables = {
        "nodes": NODES,
        "links": LINKS,
        "reservoirs": [
            {"name": "lake", "dead_hm3": 0, "normal_hm3": normal, "initial_hm3": initial,
             "target_hm3": target}
        ],
        "demands": [
            {"name": "rice", "node": "field", "sector": "irrigation", "annual_hm3": 365 * demand}
        ],
    } | more  # fmt: skip
    return make_case(
        folder,
        periods=len(flows),
        goals=list(goals),
        rules=rules,
        more={"foresight": foresight},
        series=inflow(lake=flows),
        **tables,
    )


def of(solution: Solution, name: str, item: str) -> list[float]:
    quantity = next(q for q in solution.period.quantities() if q.name == name)
    return [round(float(v), 6) for v in solution.value_of(quantity, item)[0]]


def test_who_does_not_look_ahead_takes_all_there_is(tmp_path: Path) -> None:
    """10 in store, 4 a day: 10, then 4 each day; storage is handed on."""
    solution = solve(river(tmp_path, [4, 4, 4]))
    assert of(solution, "withdrawal", "rice") == [10, 8, 4]
    assert of(solution, "storage_start", "lake") == [10, 4, 0]
    assert of(solution, "storage_end", "lake") == [4, 0, 0]
    (meet, kept) = solution.stages[0]
    assert meet.value == pytest.approx(8 / 30)
    assert kept.name.startswith("2 ")  # what is left at the end, as no goal says it


def test_results_of_a_simulation_close_their_balance(tmp_path: Path) -> None:
    results = collect(solve(river(tmp_path, [4, 4, 4])))
    assert float(np.abs(results.dataset["residual"]).max()) <= 1e-9
    assert results.manifest["certificate"]["primal"] <= 1e-7
    allocation = results.tables()["allocation"]
    assert allocation["deficit_hm3"].tolist() == pytest.approx([0, 2, 6])


def test_reservoirs_stay_as_full_as_users_let_them(tmp_path: Path) -> None:
    """Nothing asks for water but the mouth, which the goal after `meet` would fill."""
    goals = [{"meet": {}}, {"minimise": "storage_end"}]
    solution = solve(river(tmp_path, [30, 0], goals=goals, demand=10, normal=20))
    assert of(solution, "storage_end", "lake") == [20, 10]
    curve = {"lake": [{"from": "01-01", "to": "12-31", "value": 5}]}
    kept = [goals[0], {"end_storage": {"target_hm3": curve}}, goals[1]]
    (tmp_path / "kept").mkdir()
    solution = solve(river(tmp_path / "kept", [30, 0], goals=kept))
    assert of(solution, "storage_end", "lake") == [5, 0]  # the field takes it before the target


def test_targets_at_the_end_are_for_who_sees_it(tmp_path: Path) -> None:
    case = river(tmp_path, [4, 4, 4], target=10)
    assert of(solve(case), "storage_end", "lake")[-1] == 0
    (tmp_path / "all").mkdir()
    for way in ("perfect", {"rolling": {"window": 3, "forecast": "perfect"}}):
        seen = solve(river(tmp_path / "all", [4, 4, 4], target=10, foresight=way))
        assert of(seen, "storage_end", "lake")[-1] == 10


def test_water_under_way_is_handed_on(tmp_path: Path) -> None:
    """Two days from the lake to the field: what leaves on day 0 comes on day 2."""
    links = [LINKS[0] | {"lag_periods": 2, "initial_hm3_day": 3}, LINKS[1]]
    goals = [{"maximise": "release"}, {"end_storage": {"target": "full"}}, {"meet": {}}]
    for way in ("simulate", {"rolling": {"window": 2, "forecast": "perfect"}}):
        folder = tmp_path / str(way)[2:9]
        folder.mkdir()
        case = river(folder, [7, 1, 2, 0, 0], initial=0, links=links, goals=goals, foresight=way)
        assert of(solve(case), "withdrawal", "rice") == [3, 3, 7, 1, 2]


def test_a_quota_counts_what_was_taken_before(tmp_path: Path) -> None:
    """25 in the horizon, first come first served: 10, 10, 5, 0."""
    rules = [{"rule": "quota", "name": "cap", "sectors": ["irrigation"], "volume_hm3": 25,
              "window": "year"}]  # fmt: skip
    for way in ("simulate", {"rolling": {"window": 3, "stride": 2, "forecast": "perfect"}}):
        folder = tmp_path / str(way)[2:9]
        folder.mkdir()
        case = river(folder, [20] * 4, rules=rules, foresight=way, initial=0)
        taken = of(solve(case), "withdrawal", "rice")
        if way == "simulate":
            assert taken == [10, 10, 5, 0]
        assert sum(taken) == pytest.approx(25)


def test_a_minimum_over_a_window_is_kept_on_schedule(tmp_path: Path) -> None:
    """40 over four days: at least 10 by the end of the first, 20 of the second, ...

    On day 1 there is more than is asked; it counts for the days after.
    """
    rules = [{"rule": "minimum_delivery", "name": "flow", "at": "sea", "volume_hm3": 40,
              "window": "horizon"}]  # fmt: skip
    goals = [{"end_storage": {"target": "full"}}]
    case = river(tmp_path, [10, 25, 0, 5], rules=rules, goals=goals, initial=0, normal=12, demand=0)
    arrives = of(solve(case), "flow_out", "mouth")
    assert arrives == [10, 13, 7, 10]
    assert sum(arrives) == 40


def test_a_hard_rule_that_cannot_be_kept_stops_with_its_day(tmp_path: Path) -> None:
    rules = [{"rule": "minimum_delivery", "name": "flow", "at": "sea", "flow_m3s": 50}]
    case = river(tmp_path, [15, 14, 0], rules=rules, initial=0)
    with pytest.raises(Infeasible) as fault:
        solve(case)
    assert "2001-01-03" in str(fault.value)
    assert "minimum_delivery 'flow'" in str(fault.value)


def test_hard_rules_may_be_missed_and_that_is_told(tmp_path: Path) -> None:
    """50 m3/s are 4.32 hm3 a day; of 29 the field took 20 and the sea 8.64, so 0.36 are left."""
    rules = [{"rule": "minimum_delivery", "name": "flow", "at": "sea", "flow_m3s": 50}]
    way = {"simulate": {"hard_rules": "miss"}}
    solution = solve(river(tmp_path, [15, 14, 0], rules=rules, initial=0, foresight=way))
    assert of(solution, "flow_out", "mouth") == [4.32, 4.32, 0.36]
    tables = collect(solution).tables()
    rows = tables["rules"]
    assert rows["kept"].tolist() == ["true", "true", "false"]
    missed = tables["soft_rules"]
    assert float(missed["missed"].iloc[0]) == pytest.approx(3.96)


def test_a_window_that_sees_the_drought_spares_for_it(tmp_path: Path) -> None:
    """20 now and 0 tomorrow for 10 a day with shares made even over two days."""
    goals = [{"share": {"among": "demand", "window": "period", "sectors": ["irrigation"]}}]
    flows = [8.0, 0.0, 4.0, 4.0]
    way = {"rolling": {"window": 2, "forecast": "perfect"}}
    simulated = solve(river(tmp_path, flows, goals=goals, initial=0))
    assert of(simulated, "withdrawal", "rice") == [8, 0, 4, 4]
    (tmp_path / "rolling").mkdir()
    rolled = solve(river(tmp_path / "rolling", flows, goals=goals, initial=0, foresight=way))
    assert of(rolled, "withdrawal", "rice") == [4, 4, 4, 4]


def test_awards_of_a_year_count_what_was_given_before(tmp_path: Path) -> None:
    """Two users of 10 a day; the upper had 6 of 6 before the lower could have any."""
    demands = [
        {"name": "upper", "node": "lake", "sector": "irrigation", "annual_hm3": 3650},
        {"name": "lower", "node": "field", "sector": "irrigation", "annual_hm3": 3650},
    ]
    gate = LINKS[0] | {"lag_periods": 1, "initial_hm3_day": 0}
    goals = [{"share": {"among": "demand", "window": "year"}}]
    case = river(
        tmp_path, [6, 6, 6, 6], demands=demands, links=[gate, LINKS[1]], goals=goals, initial=0
    )
    solution = solve(case)
    upper, lower = of(solution, "withdrawal", "upper"), of(solution, "withdrawal", "lower")
    assert upper == [6, 6, 6, 6]  # nothing is on its way to the lower: who sees a day sends none
    assert lower == [0, 0, 0, 0]
    (record,) = [what for _, what in solution.records[0]]
    (awards,) = record.awards
    np.testing.assert_allclose(awards.claim, [[40], [40]])
    table = collect(solution).tables()["sharing"]
    assert table["award_hm3"].tolist() == pytest.approx([24, 0])


def test_a_contract_is_decided_once(tmp_path: Path) -> None:
    """A column for a window, of a rule: what the first day decides holds for the others."""
    rule = tmp_path / "contract.py"
    rule.write_text(
        "import numpy as np\nimport pyomo.environ as pyo\n\n"
        "def contract(m, case):\n"
        "    m.volume = pyo.Var(bounds=(0, 100))\n"
        "    m.repeats.share(m.volume, np.zeros(case.n_periods, int))\n"
        "    m.least = pyo.Constraint(expr=m.withdrawal['rice'] >= m.volume)\n"
        "    m.most = pyo.Constraint(expr=m.withdrawal['rice'] <= m.volume)\n",
        encoding="utf-8",
    )
    rules = [{"rule": "python", "name": "contract", "file": "contract.py", "function": "contract"}]
    solution = solve(river(tmp_path, [6, 9, 9], rules=rules, initial=0))
    assert of(solution, "withdrawal", "rice") == [6, 6, 6]


@pytest.mark.parametrize("flows", [[0, 0, 0, 0], [3, 20, 0, 0]])
def test_stages_follow_the_storage_that_is_there(tmp_path: Path, flows: list[float]) -> None:
    """By hand, day by day: the stage by the storage at the start, then as much as it leaves."""
    solution = solve(lake_in_drought(tmp_path, flows, {"foresight": "simulate"}))
    storage, stages, taken = 30.0, [], []
    for flow in flows:
        stage = (storage < 25) + (storage < 12)
        most = {0: 12, 1: 7, 2: 3}[stage]
        taken.append(min(most, storage + flow))
        storage = min(40.0, storage + flow - taken[-1])
        stages.append(float(stage))
    assert stages_of(solution) == stages
    got = np.sum([of(solution, "withdrawal", d) for d in ("rice", "mill")], axis=0)
    np.testing.assert_allclose(got, taken)


def test_storage_at_the_mark_is_not_below_it(tmp_path: Path) -> None:
    stages = [{"stage": "alert", "below_hm3": 30, "cut": 0.5}]
    case = lake_in_drought(tmp_path, [12, 11, 0], {"foresight": "simulate"}, stages=stages)
    assert stages_of(solve(case)) == [0, 0, 1]


def test_a_decision_that_nothing_settles_is_a_fault(tmp_path: Path) -> None:
    rule = tmp_path / "choice.py"
    rule.write_text(
        "import pyomo.environ as pyo\n\n"
        "def choice(m, case):\n"
        "    m.yes = pyo.Var(domain=pyo.Binary)\n"
        "    m.row = pyo.Constraint(expr=m.withdrawal['rice'] - 3 * m.yes <= 2)\n",
        encoding="utf-8",
    )
    rules = [{"rule": "python", "name": "choice", "file": "choice.py", "function": "choice"}]
    with pytest.raises(SolveError, match=r"E332 .*does not follow from what is known"):
        solve(river(tmp_path, [6], rules=rules))


def test_simulation_starts_where_the_case_says_and_is_the_same_twice(tmp_path: Path) -> None:
    case = river(tmp_path, [4, 0, 9, 2])
    assert solve(case).x.tobytes() == solve(case).x.tobytes()


def test_the_last_window_with_a_perfect_forecast_is_kept_whole(tmp_path: Path) -> None:
    case = river(tmp_path, [4] * 5, foresight={"rolling": {"window": 3, "forecast": "perfect"}})
    calls: list[tuple[int, int]] = []
    solve(case, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    short = replace(case, foresight=case.foresight.model_copy(update={"mode": "perfect"}))
    assert short.n_periods == 5


def test_steps_that_fail_their_certificate_are_solved_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = river(tmp_path, [4, 0, 9, 2])
    right = solve(case)
    wrong = np.array([[1.0, 0.0, 0.0]] * 2)
    asked: list[int] = []
    monkeypatch.setattr(steady, "check_goals", lambda *_: wrong)
    monkeypatch.setattr(March, "step", lambda *a, step=March.step: asked.append(1) or step(*a))
    again = solve(case)
    assert len(asked) == 4
    np.testing.assert_allclose(again.x, right.x, atol=1e-9)
    assert again.certificate.is_valid


def test_goals_are_valued_by_what_came_and_not_by_lines() -> None:
    """Energy, whose head is a line in each window, as the results have it."""
    changes = {"foresight": "{simulate: {hard_rules: miss}}", "timeline.periods": "4"}
    solution = solve(read_case("pilot_dry_year", changes | {"hydrology.years": "[2004-06]"}))
    (energy,) = [stage for stage in solution.stages[0] if stage.unit == "GWh"]
    made = float(collect(solution).dataset["energy"].sum())
    assert energy.value == pytest.approx(made, rel=1e-12)
