"""Conflicts of hard limits, by hand: who takes part, and by how much they miss each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.small import inflow, make_case
from wateralloc.case import Case
from wateralloc.errors import Infeasible
from wateralloc.foresight.conflict import Conflict, Reasons, explain_infeasible, find_reasons
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.horizon import Horizon, MemberProgram
from wateralloc.period import Period, build_period
from wateralloc.solve import least_repair

M3S = 1 / 0.0864
"""One hm3 a day, in m3/s."""


def river(folder: Path, inflows: Sequence[float], rules: Sequence[Any] = (), **more: Any) -> Case:
    """``river -> sea``; a farm and a mill beside the river, that ask 8 and 4 a day."""
    basin: dict[str, Any] = {
        "nodes": [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "demands": [
            {"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 8},
            {"name": "mill", "node": "river", "sector": "industry", "demand_hm3_day": 4},
        ],
        "series": inflow(river=list(inflows)),
    }
    goals = more.pop("goals", [{"meet": {}}])
    (folder / "own.py").write_text(OWN, encoding="utf-8")
    return make_case(folder, periods=len(inflows), goals=goals, rules=rules, **basin | more)


OWN = """\
import pyomo.environ as pyo


def serve(m, case, demand, volume):
    m.add_component(f"serve_{demand}", pyo.Constraint(expr=m.withdrawal[demand] >= volume))
"""


def lake(folder: Path, inflows: Sequence[float], rules: Sequence[Any], **reservoir: Any) -> Case:
    """A lake that holds 10 of 5 to 60 hm3, and runs out into the sea."""
    row = {"name": "lake", "dead_hm3": 5, "normal_hm3": 60, "initial_hm3": 10, "target_hm3": 5}
    return river(
        folder, inflows, rules,
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "outlet", "from": "lake", "to": "sea", "kind": "reach",
                "loss_fraction": reservoir.pop("loss", 0), "capacity_hm3_day": 50}],
        reservoirs=[row | reservoir],
        demands=[{"name": "farm", "node": "lake", "sector": "irrigation", "demand_hm3_day": 1}],
        series=inflow(lake=list(inflows)),
    )  # fmt: skip


def delivery(volume: float, name: str = "sea", at: str = "river", **more: Any) -> dict[str, Any]:
    rule = {"rule": "minimum_delivery", "name": name, "at": at, "flow_m3s": volume * M3S}
    return rule | more


def levels(name: str = "keep", **limits: Any) -> dict[str, Any]:
    return {"rule": "reservoir_levels", "name": name, "reservoir": "lake", **limits}


def serve(demand: str, volume: float) -> dict[str, Any]:
    """A user's own rule: a demand gets so much in every period."""
    return {
        "rule": "python", "name": f"serve_{demand}", "file": "own.py", "function": "serve",
        "arguments": {"demand": demand, "volume": volume},
    }  # fmt: skip


def quota(volume: float, window: str = "period", name: str = "cap", **more: Any) -> dict[str, Any]:
    return {"rule": "quota", "name": name, "volume_hm3": volume, "window": window, **more}


def stacked(case: Case) -> tuple[Period, Horizon]:
    period = build_period(case)
    horizon = Horizon(period.model, case.n_members, case.n_periods)
    horizon.stack()
    return period, horizon


def reasons(case: Case, member: int = 0) -> Reasons:
    return find_reasons(*stacked(case), member)


def explained(case: Case, member: int = 0) -> list[str]:
    return explain_infeasible(*stacked(case), member).splitlines()


def words(case: Case, conflict: Conflict) -> dict[str, float]:
    """What takes part, with what it asks or allows; without places in the file."""
    sides = (*conflict.sides, *conflict.against)
    return {side.text.split(" (")[0]: pytest.approx(side.limit) for side in sides}


def place(case: Case, number: int) -> str:
    return str(case.rule_positions[number])


# --- by hand ------------------------------------------------------------------------------------


def test_guarantee_against_inflow(tmp_path: Path) -> None:
    """5 are asked on each day, and 4 come on the second."""
    case = river(tmp_path, (10, 4), [delivery(5)])
    at = place(case, 0)
    assert at.endswith("case.yaml:10:3")
    assert explained(case) == [
        f"E402 conflict of 1 hm3 (11.57 m3/s) on 2001-01-02: minimum_delivery 'sea' ({at}) asks "
        "5 hm3 (57.87 m3/s), against: inflow of 'river' 4 hm3",
        f"E402 repair 1 of 2: lower minimum_delivery 'sea' ({at}) by 11.57 m3/s on 2001-01-02 (1 "
        "hm3)",
        "E402 repair 2 of 2: raise inflow of 'river' by 1 hm3 on 2001-01-02",
        f"E402 least change: 1 hm3 of minimum_delivery 'sea' ({at}): 2001-01-02 by 11.57 m3/s "
        "(asks 57.87, 46.3 can reach it); change these, make one side of each conflict soft, or "
        "relax what is against it",
    ]


def test_guarantee_against_the_capacity_of_a_link(tmp_path: Path) -> None:
    """10 a day come, and the reach carries 7 of the 9 that are asked."""
    links = [{"name": "reach", "from": "river", "to": "sea", "kind": "reach",
              "capacity_hm3_day": 7}]  # fmt: skip
    sink = {"name": "drain", "kind": "sink"}
    nodes = [{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}, sink]
    links.append({"name": "weir", "from": "river", "to": "drain", "kind": "canal"})
    case = river(tmp_path, (10,), [delivery(9)], links=links, nodes=nodes)
    (conflict,) = reasons(case).conflicts
    assert conflict.missed == pytest.approx(2)
    assert words(case, conflict) == {
        "minimum_delivery 'sea'": 9, "capacity of link 'reach'": 7,
    }  # fmt: skip


def test_quota_below_a_guarantee_of_the_same_user(tmp_path: Path) -> None:
    """The farm is promised 6 a day, and may take 10 in three days: 3 x 6 - 10."""
    rules = [serve("farm", 6), quota(10, "horizon", sectors=["irrigation"])]
    case = river(tmp_path, (20, 20, 20), rules)
    line, *repairs, change = explained(case)
    assert line == (
        "E402 conflict of 8 hm3 from 2001-01-01 to 2001-01-03: python 'serve_farm.serve_farm' "
        f"({place(case, 0)}) asks 18 hm3, quota 'cap' ({place(case, 1)}) allows 10 hm3"
    )
    assert repairs == [
        f"E402 repair 1 of 2: lower python 'serve_farm' ({place(case, 0)}) by up to 6 hm3 in 2 "
        "days (8 hm3)",
        f"E402 repair 2 of 2: raise quota 'cap' ({place(case, 1)}) by 8 hm3 from 2001-01-01 to "
        "2001-01-03",
    ]
    assert change.startswith(
        f"E402 least change: 8 hm3 of python 'serve_farm.serve_farm' ({place(case, 0)}): "
    )


def test_delivery_against_water_that_has_to_stay(tmp_path: Path) -> None:
    """10 + 4 + 3 + 10 at the start; 3 x 6 are to pass and 12 to stay, and 5 at the least."""
    case = lake(tmp_path, (10, 4, 3), [delivery(6, at="lake"), levels(minimum_hm3=12)])
    found = reasons(case)
    (conflict,) = found.conflicts
    assert conflict.missed == pytest.approx(18 + 12 - 27)
    assert words(case, conflict) == {
        "minimum_delivery 'sea'": 18, "reservoir_levels 'keep'": 12, "inflow of 'lake'": 17,
        "storage of reservoir 'lake' at the start": 10,
    }  # fmt: skip
    assert (conflict.first, conflict.last) == (0, 2)
    assert sum(np.abs(change.gives).sum() for change in found.changes) == pytest.approx(3)


def test_three_rules_each_of_which_is_needed(tmp_path: Path) -> None:
    """Of 10 hm3 the sea is promised 4, the farm 5 and the mill 3; no two of them are too much."""
    rules = [delivery(4), serve("farm", 5), serve("mill", 3)]
    case = river(tmp_path, (10,), rules)
    (conflict,) = reasons(case).conflicts
    assert conflict.missed == pytest.approx(4 + 5 + 3 - 10)
    assert [side.limit for side in conflict.rules] == pytest.approx([4, 5, 3])
    for number in range(3):
        solve_perfect(river(tmp_path, (10,), rules[:number] + rules[number + 1 :]))


def test_conflicts_of_separate_windows_come_apart(tmp_path: Path) -> None:
    """1 and 2 of 5 on the first and third day; what is alike is told in one line."""
    case = river(tmp_path, (1, 10, 2, 10), [delivery(5)])
    found = reasons(case).conflicts
    assert [(c.missed, c.first, c.last) for c in found] == [
        (pytest.approx(4), 0, 0), (pytest.approx(3), 2, 2),
    ]  # fmt: skip
    first = explained(case)[0]
    assert "conflict of 4 hm3 (46.3 m3/s) on 2001-01-01" in first
    assert first.endswith("inflow of 'river' 1 hm3; and again 3 hm3 (34.72 m3/s) on 2001-01-03")


def test_conflicts_on_the_same_water_are_told_apart(tmp_path: Path) -> None:
    """The sea is promised 5 and 6 of 4 hm3: each promise is a conflict of its own."""
    case = river(tmp_path, (4,), [delivery(5, "low"), delivery(6, "high")])
    found = reasons(case).conflicts
    assert [[side.text.split("'")[1] for side in c.sides] for c in found] == [["high"], ["low"]]
    assert [c.missed for c in found] == pytest.approx([2, 1])


def test_conflict_behind_another_is_found(tmp_path: Path) -> None:
    """The farm is promised 6 under a cap of 4 and one of 5: lifting the first alone is no help."""
    rules = [serve("farm", 6), quota(4, name="low"), quota(5, name="high")]
    case = river(tmp_path, (20,), rules)
    found = reasons(case)
    missed = {c.rules[1].text.split("'")[1]: c.missed for c in found.conflicts}
    assert missed == {"low": pytest.approx(2), "high": pytest.approx(1)}
    (change,) = found.changes  # the promise, by 2
    assert change.gives.tolist() == pytest.approx([2])


def test_losses_tell_what_reaches_the_conflict(tmp_path: Path) -> None:
    """Of 10 + 4 hm3 above dead storage 9 are lost on the way to a mill that is promised 10."""
    nodes = [{"name": name, "kind": kind} for name, kind in (
        ("river", "inflow"), ("town", "junction"), ("sea", "sink"))]  # fmt: skip
    links = [
        {"name": "reach", "from": "river", "to": "town", "kind": "reach", "loss_fraction": 0.1},
        {"name": "mouth", "from": "town", "to": "sea", "kind": "reach"},
    ]
    demands = [
        {"name": "farm", "node": "river", "sector": "irrigation", "demand_hm3_day": 8},
        {"name": "mill", "node": "town", "sector": "industry", "demand_hm3_day": 12},
    ]
    rules = [serve("farm", 5), serve("mill", 12)]
    case = river(tmp_path, (15,), rules, nodes=nodes, links=links, demands=demands)
    (conflict,) = reasons(case).conflicts
    # upstream 5 + 12 / 0.9 of 15 hm3 are asked: 10/3 too much, which is 3 at the mill
    assert conflict.missed == pytest.approx(3)
    gives = {side.text.split("'")[1]: side.gives for side in conflict.sides}
    assert gives == {
        "serve_farm.serve_farm": pytest.approx(10 / 3), "serve_mill.serve_mill": pytest.approx(3),
    }  # fmt: skip
    line = explained(case)[0]
    assert line.startswith("E402 conflict of 3 hm3 on 2001-01-01: ")
    assert "asks 5 hm3 (alone it would have to give way by 3.333 hm3)" in line
    for volumes, can_be in (((5, 9), True), ((5, 9.01), False), ((5 / 3, 12), True)):
        rules = [serve("farm", volumes[0]), serve("mill", volumes[1])]
        changed = river(tmp_path, (15,), rules, nodes=nodes, links=links, demands=demands)
        assert is_feasible(changed) == can_be


def test_environmental_flow_and_cap_of_storage(tmp_path: Path) -> None:
    """The river keeps 7 of 4 hm3."""
    flows = [{"name": "life", "node": "river", "minimum_hm3_day": 7}]
    case = river(tmp_path, (10, 4), environmental_flows=flows)
    (conflict,) = reasons(case).conflicts
    assert words(case, conflict) == {"environmental flow 'life'": 7, "inflow of 'river'": 4}


def test_limits_of_the_basin_alone(tmp_path: Path) -> None:
    """A lake that must end at 50 and holds 10, with 14 to come: 26 are missing."""
    (conflict,) = reasons(lake(tmp_path, (10, 4), [], target_hm3=50)).conflicts
    assert conflict.missed == pytest.approx(26)
    assert {side.text: side.limit for side in conflict.against} == {
        "least storage of reservoir 'lake'": pytest.approx(50),
        "inflow of 'lake'": pytest.approx(14),
        "storage of reservoir 'lake' at the start": pytest.approx(10),
    }


def test_soft_rules_are_never_named(tmp_path: Path) -> None:
    soft = [delivery(9, "wish", soft={"goal": 1}), quota(0, name="dream", soft={"goal": 2})]
    case = river(tmp_path, (10, 4), [*soft, delivery(5)])
    text = "\n".join(explained(case))
    assert "wish" not in text
    assert "dream" not in text
    assert is_feasible(river(tmp_path, (10, 4), soft))


def test_limits_that_can_be_met_have_no_conflict(tmp_path: Path) -> None:
    """Then it is not them: a goal before, or a decision of yes or no, leaves nothing."""
    case = river(tmp_path, (10, 4), [delivery(3)])
    assert reasons(case) == Reasons((), (), can_be_met=True)
    (line,) = explained(case)
    assert line.startswith("E402 the limits by themselves can be met together: ")


def test_balance_that_cannot_close(tmp_path: Path) -> None:
    """No limit is in the way: a balance asks for 9 and for 8."""
    period, horizon = stacked(river(tmp_path, (10, 4)))
    rows = horizon.rows[id(period.model.balance["sea"])]
    horizon.stack().row_lower[0, rows], horizon.stack().row_upper[0, rows] = 9.0, 8.0
    text = explain_infeasible(period, horizon, 0)
    assert text.startswith("E402 the water balance itself cannot close: check inflows")


def test_many_conflicts_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wateralloc.foresight.conflict.words.SHOWN", 1)
    case = river(tmp_path, (4,), [delivery(5, "low"), delivery(6, "high")])
    assert explained(case)[1] == (
        f"E402 and more conflicts, of up to 1 hm3, among minimum_delivery 'low' ({place(case, 0)})"
    )


def test_quota_below_an_upstream_guarantee(tmp_path: Path) -> None:
    """Users upstream are guaranteed all they ask, 12 a day, and capped at 9: both are named."""
    rules = [
        {"rule": "upstream_guarantee", "name": "headwater", "demands": ["farm", "mill"],
         "share_of_demand": 1.0, "window": "period"},
        quota(9),
    ]  # fmt: skip
    case = river(tmp_path, (20, 20), rules)
    line = explained(case)[0]
    assert line.startswith("E402 conflict of 3 hm3 on 2001-01-01: upstream_guarantee 'headwater")
    assert f"({place(case, 0)}) asks 12 hm3, quota 'cap' ({place(case, 1)}) allows 9 hm3" in line
    assert line.endswith("; and again 3 hm3 on 2001-01-02")


def test_smallest_contradiction_is_told_before_the_wider_one(tmp_path: Path) -> None:
    """Of 10 hm3 the sea is promised 8 and the farm 5; with 3 for the mill it is 6 too much."""
    case = river(tmp_path, (10,), [delivery(8), serve("farm", 5), serve("mill", 3)])
    found = reasons(case)
    assert found.conflicts
    for conflict in found.conflicts:
        assert len(conflict.rules) == 2
        assert conflict.missed == pytest.approx(sum(s.limit for s in conflict.rules) - 10)
    wide = max((c.within for c in found.conflicts if c.within), key=lambda c: c.missed)
    assert {side.rule.name for side in wide.rules} == {"sea", "serve_farm", "serve_mill"}
    assert wide.missed == pytest.approx(6)
    lines = explained(case)
    smallest = next(k for k, line in enumerate(lines) if line.startswith("E402 conflict of "))
    wider = next(k for k, line in enumerate(lines) if line.startswith("E402 wider conflict of 6 "))
    assert smallest < wider


def test_repairs_are_ranked_and_clauses_come_first(tmp_path: Path) -> None:
    """The lake is to pass on 30 of 22 hm3 above its dead storage of 5: 8 are missing."""
    case = lake(tmp_path, (10, 4, 3), [delivery(10, at="lake")])
    found = reasons(case)
    assert [(a.limit.kind, round(a.volume, 6)) for a in found.alternatives] == [
        ("rule", 8.0), ("balance", 8.0), ("initial", 8.0),
    ]  # fmt: skip
    assert not found.not_alone


def test_clause_that_cannot_mend_alone_is_named(tmp_path: Path) -> None:
    """Lifting one cap leaves the other."""
    rules = [serve("farm", 6), quota(4, name="low"), quota(5, name="high")]
    case = river(tmp_path, (20,), rules)
    (alternative,) = reasons(case).alternatives
    assert (alternative.limit.rule.name, alternative.volume) == ("serve_farm", pytest.approx(2))
    places = place(case, 2), place(case, 1)
    told = "E402 cannot mend it alone: quota 'high' ({}), quota 'low' ({})".format(*places)
    assert told in explained(case)


def test_no_storage_is_lowered_below_nothing(tmp_path: Path) -> None:
    """12 hm3 are missing and 5 are dead storage: the dam's limit cannot give what is not there."""
    case = lake(tmp_path, (10, 4), [delivery(15.5, at="lake")])
    found = reasons(case)
    assert found.changes[0].gives.sum() == pytest.approx(12)
    assert "storage_end" not in {alternative.limit.name for alternative in found.alternatives}


# --- laws ---------------------------------------------------------------------------------------


def is_feasible(case: Case) -> bool:
    try:
        solve_perfect(case)
    except Infeasible:
        return False
    return True


def can_be_met(lp: MemberProgram) -> bool:
    none = np.empty(0, int)
    return least_repair(lp, none, none) is not None


def relaxed(lp: MemberProgram, rows: np.ndarray, by: Any) -> MemberProgram:
    """The program with the limits of some rows let out."""
    lower, upper = lp.row_lower.copy(), lp.row_upper.copy()
    lower[rows] -= by
    upper[rows] += by
    return replace(lp, row_lower=lower, row_upper=upper)


VOLUMES = st.sampled_from([0, 1, 2, 3, 5, 8, 13])


@st.composite
def contradictions(draw: st.DrawFn) -> tuple[list[float], list[Mapping[str, Any]]]:
    days = draw(st.integers(1, 3))
    inflows = draw(st.lists(VOLUMES, min_size=days, max_size=days))
    window = draw(st.sampled_from(["period", "horizon"]))
    rules = [
        delivery(draw(VOLUMES), at="lake"),
        levels(minimum_hm3=5 + draw(VOLUMES)),
        levels("flood", maximum_hm3=8 + draw(VOLUMES)),
        serve("farm", draw(st.sampled_from([0, 0.5, 1]))),
        quota(draw(st.sampled_from([0.25, 1, 3])), window),
    ]
    return inflows, draw(st.lists(st.sampled_from(rules), min_size=1, unique_by=id))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=contradictions(), loss=st.sampled_from([0, 0.2]))
def test_named_limits_are_those_of_the_contradiction(
    tmp_path: Path, drawn: tuple[list[float], list[Any]], loss: float
) -> None:
    inflows, rules = drawn
    period, horizon = stacked(lake(tmp_path, inflows, rules, loss=loss))
    lp = horizon.stack().member(0)
    found = find_reasons(period, horizon, 0)
    if can_be_met(lp):
        assert not found.conflicts
        return
    assert found.conflicts
    # what gives way in the least change is enough
    changed = lp
    for change in found.changes:
        if change.limit.is_row:
            changed = relaxed(changed, change.limit.numbers, np.abs(change.gives) + 1e-7)
    rows_only = all(change.limit.is_row for change in found.changes)
    assert not rows_only or can_be_met(changed)
    for conflict in found.conflicts:
        named = np.concatenate([s.numbers for s in (*conflict.sides, *conflict.against) if s.is_row]
                               or [np.empty(0, int)])  # fmt: skip
        assert conflict.missed > 0
        # limits add up to what is missed
        counted = sum(
            side.counted for side in (*conflict.sides, *conflict.against, *conflict.hardly)
        )
        assert counted == pytest.approx(conflict.missed, abs=1e-5)
        # the rules named, without all others, cannot be met, and any one less of them can
        rules_of = {int(n) for side in conflict.rules for n in side.numbers}
        others = np.array(
            [n for row in period.rule_rows for n in horizon.rows[id(row.constraint)]
             if int(n) not in rules_of], int,
        )  # fmt: skip
        alone = relaxed(lp, others, np.inf)
        assert not can_be_met(alone)
        assert named.size or not conflict.sides
        if len(found.conflicts) == 1:
            for side in conflict.rules:
                assert can_be_met(relaxed(lp, side.numbers, np.inf))
                most = max((s.gives for s in conflict.rules if s is side), default=0.0)
                assert can_be_met(relaxed(lp, side.numbers, most + 1e-6))
                if side.numbers.size == 1:
                    assert not can_be_met(relaxed(lp, side.numbers, 0.99 * most))
