"""tolerance: what later goals may take from the optimum of a goal, and that it is shown.

The lake has 30 on one day; the town asks 10, the farm 40.  Spill is what nobody takes.
"""

import pytest

from tests.goals.test_share import awards, lake, one_day
from tests.small import solve

CLAIMS = {"town": 10, "farm": 40}


def kept(solution):
    """Optimum and what is left of it, goal by goal, of the first member."""
    return [(stage.goal, stage.value, stage.kept) for stage in solution.stages[0]]


def test_without_tolerance_a_goal_keeps_its_optimum(tmp_path):
    goals = [{"meet": {"demands": ["farm"]}}, {"meet": {"demands": ["town"]}}]
    solution, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert awards(values) == {"town": 0, "farm": 30}
    assert kept(solution) == [
        (1, pytest.approx(0.25), pytest.approx(0.25)),
        (2, pytest.approx(1), pytest.approx(1)),
    ]


def test_of_meet_it_is_a_share_of_the_demand(tmp_path):
    """A tenth of the 40 that the farm asks may go to the town: 4."""
    goals = [
        {"meet": {"demands": ["farm"], "tolerance": 0.1}},
        {"meet": {"demands": ["town"]}},
    ]
    solution, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert awards(values, digits=5) == {"town": 4, "farm": 26}
    (first, second) = kept(solution)
    assert first == (1, pytest.approx(0.25), pytest.approx(0.35))
    assert second == (2, pytest.approx(0.6), pytest.approx(0.6))
    assert solution.drift.max() <= 1e-9  # a tolerance is no drift


def test_what_no_later_goal_asks_for_is_kept(tmp_path):
    goals = [{"meet": {"tolerance": 0.5}}, {"meet": {}}]
    solution, _ = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert kept(solution)[0] == (1, pytest.approx(0.4), pytest.approx(0.4))


def test_of_other_goals_it_is_a_share_of_their_optimum(tmp_path):
    """30 can be kept in the lake; a tenth of that, 3, may go to users."""
    goals = [
        {"maximise": {"quantity": "storage_end", "when": "last", "tolerance": 0.1}},
        {"meet": {}},
    ]
    solution, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert sum(awards(values).values()) == pytest.approx(3, abs=1e-5)
    assert kept(solution)[0] == (1, pytest.approx(30), pytest.approx(27))


def test_several_tolerances_add_up(tmp_path):
    """The farm gives 4 by the first goal; of the town's ten, half may go where none asks."""
    goals = [
        {"meet": {"demands": ["farm"], "tolerance": 0.1}},
        {"meet": {"demands": ["town"], "tolerance": 0.2}},
        {"maximise": {"quantity": "storage_end", "when": "last"}},
    ]
    solution, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert awards(values, digits=5) == {"town": 2, "farm": 26}
    assert values["storage_end"]["lake"][-1] == pytest.approx(2, abs=1e-5)
    assert [k for _, _, k in kept(solution)] == pytest.approx([0.35, 0.8, 2], abs=1e-6)


def test_of_share_it_is_a_share_of_each_claim(tmp_path):
    """Equal satisfaction gives 6 and 24; each may lose a tenth of its claim: the farm 4."""
    goals = [
        {"share": {"among": "demand", "window": "horizon", "tolerance": 0.1}},
        {"meet": {"demands": ["town"]}},
    ]
    solution, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert awards(values, digits=5) == {"town": 10, "farm": 20}
    # what the rule itself would have given stands in its record
    ((_, shared),) = solution.records[0]
    assert shared.awards[0].level.tolist() == [[pytest.approx(0.6)], [pytest.approx(0.6)]]


def test_of_share_all_that_may_be_lost_can_be_kept_back(tmp_path):
    """5 and 20 are the least that the users keep; the lake has the rest."""
    goals = [
        {"share": {"among": "demand", "window": "horizon", "tolerance": 0.1}},
        {"maximise": {"quantity": "storage_end", "when": "last"}},
    ]
    _, values = solve(one_day(tmp_path, 30, CLAIMS, goals))
    assert awards(values, digits=5) == {"town": 5, "farm": 20}


def test_tolerance_with_a_shape_and_two_tiers(tmp_path):
    """Each of the tiers may lose its share: a region a twentieth of its claim, and no more."""
    of = {
        "town": {"region": "hills", "sector": "domestic"},
        "farm": {"region": "hills"},
        "rice": {"region": "delta"},
    }
    goals = [
        {
            "share": {
                "among": ["region", "sector"],
                "window": "horizon",
                "shape": "period",
                "tolerance": 0.05,
            }
        },
        {"meet": {"demands": ["rice"]}},
    ]
    asked = {"town": [5, 5], "farm": [20, 20], "rice": [25, 25]}
    solution, values = solve(lake(tmp_path, asked, [50, 0], goals, **of))
    # 25 and 25; hills asks 50, so 2.5 may go to rice: its two users then have 22.5 in all
    got = awards(values, digits=5)
    assert got["rice"] == pytest.approx(27.5, abs=1e-5)
    assert got["town"] + got["farm"] == pytest.approx(22.5, abs=1e-5)
    assert got["town"] == pytest.approx(4.5, abs=0.5)
    assert len(solution.records[0][0][1].awards) == 3
