"""meet on two towns and a farm at one river: the order of goals is the order of users."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "meet.lp"


def river(folder, goals, inflows=(10, 4)):
    asked = {"town": ("domestic", 3), "mill": ("industry", 4), "rice": ("irrigation", 6)}
    return make_case(
        folder,
        periods=len(inflows),
        goals=goals,
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": name, "node": "river", "sector": sector, "annual_hm3": volume * 365}
            for name, (sector, volume) in asked.items()
        ],
        series=inflow(river=inflows),
    )


def test_goals_are_met_in_their_order(tmp_path):
    """Day 1: 10 = 3 + 6 + 1; day 2: 4 = 3 + 1 + 0."""
    goals = [{"meet": {"sectors": [s]}} for s in ("domestic", "irrigation", "industry")]
    solution, values = solve(river(tmp_path, goals))
    assert values["withdrawal"] == {"town": [3, 3], "mill": [1, 0], "rice": [6, 1]}
    assert [s.value for s in solution.stages[0]] == pytest.approx([0, 5 / 12, 7 / 8])
    assert solution.drift.max() <= 1e-9


def test_the_other_order(tmp_path):
    goals = [{"meet": {"sectors": [s]}} for s in ("irrigation", "industry", "domestic")]
    _, values = solve(river(tmp_path, goals))
    assert values["withdrawal"] == {"town": [0, 0], "mill": [4, 0], "rice": [6, 4]}


def test_group_counts_every_hm3_alike(tmp_path):
    solution, values = solve(river(tmp_path, [{"meet": {"sectors": ["domestic", "industry"]}}]))
    assert sum(values["withdrawal"]["town"]) + sum(values["withdrawal"]["mill"]) == 11
    assert solution.stages[0][0].value == pytest.approx(3 / 14)


def test_golden(tmp_path):
    goals = [{"meet": {"sectors": ["domestic"]}}, {"meet": {"sectors": ["irrigation"]}}]
    check_golden(river(tmp_path, goals), GOLDEN)
