"""hedging of a lake without inflow, by hand: a town asks 10 hm3 a day of the 40 that it holds."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "hedging.lp"
M3S = 1e6 / 86400
"""Flow of 1 hm3 a day."""
HALF_EMPTY = [
    {"storage_hm3": 0, "share_of_demand": 0},
    {"storage_hm3": 50, "share_of_demand": 1},
    {"storage_hm3": 100, "share_of_demand": 1},
]
"""All of the demand down to 50 hm3, then less in proportion."""


def flows(*points):
    return [{"storage_hm3": s, "flow_m3s": hm3_day * M3S} for s, hm3_day in points]


def lake(folder, goals=({"meet": {}},), initial=40, dead=0, **rule):
    clause = {"rule": "hedging", "name": "spare", "reservoirs": ["lake"], "points": HALF_EMPTY}
    return make_case(
        folder,
        periods=3,
        goals=goals,
        rules=[clause | rule],
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "plain", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "outlet", "from": "lake", "to": "plain", "kind": "turbine"},
            {"name": "tunnel", "from": "lake", "to": "plain", "kind": "transfer"},
            {"name": "lower", "from": "plain", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": dead, "normal_hm3": 100, "initial_hm3": initial,
             "target_hm3": dead}
        ],
        demands=[
            {"name": "town", "node": "lake", "sector": "domestic", "annual_hm3": 10 * 365},
        ],
        series=inflow(lake=[0, 0, 0]),
    )  # fmt: skip


def test_share_of_demand_falls_with_storage(tmp_path):
    """40 / 50 of 10 are 8; 32 are left: 6.4; then 25.6: 5.12.

    Taking as much as is allowed gives most: each hm3 kept would allow a fifth of it more a day.
    """
    solution, values = solve(lake(tmp_path))
    assert values["withdrawal"]["town"] == pytest.approx([8, 6.4, 5.12])
    rows = {row.label: row for row in solution.period.rule_rows}
    assert list(rows) == ["spare"]
    assert solution.value(rows["spare"].achieved)[0] == pytest.approx([0, 0, 0])


def test_above_the_bend_all_is_met(tmp_path):
    _, values = solve(lake(tmp_path, initial=70))
    assert values["withdrawal"]["town"] == pytest.approx([10, 10, 10])


def test_cap_on_a_link_by_flow(tmp_path):
    """A transfer of 2 + S / 10, at most 5, with all its water wanted at the sea: 5, 5, 5."""
    goals = [{"minimise": {"quantity": "flow_in", "of": ["outlet"]}},
             {"maximise": {"quantity": "flow_in", "of": ["tunnel"]}}]  # fmt: skip
    points = flows((0, 2), (30, 5), (40, 5))
    case = lake(tmp_path, goals=goals, link="tunnel", points=points)
    _, values = solve(case)
    # 40 and 35 are at or above 30; 30 just so
    assert values["flow_in"]["tunnel"] == pytest.approx([5, 5, 5])
    _, values = solve(lake(tmp_path / "low", goals=goals, initial=20, link="tunnel",
                           points=points))  # fmt: skip
    # 2 + 20 / 10; 2 + 16 / 10; 2 + 12.4 / 10
    assert values["flow_in"]["tunnel"] == pytest.approx([4, 3.6, 3.24])


def test_floor_on_the_river(tmp_path):
    """At least S / 10, and S - 36 above 40: of 40 hm3 4, then 3.6, then 3.24, for the sea."""
    goals = [{"maximise": {"quantity": "storage_end", "when": "last"}}]
    points = flows((0, 0), (40, 4), (60, 24))
    case = lake(tmp_path, goals=goals, at="plain", limit="floor", points=points)
    _, values = solve(case)
    assert values["outflow"]["sea"] == pytest.approx([4, 3.6, 3.24])
    _, values = solve(lake(tmp_path / "full", goals=goals, at="plain", limit="floor",
                           points=points, initial=50))  # fmt: skip
    assert values["outflow"]["sea"][0] == pytest.approx(14)


def test_silent_in_other_months(tmp_path):
    _, values = solve(lake(tmp_path, months=[2, 3]))
    assert values["withdrawal"]["town"] == pytest.approx([10, 10, 10])


def test_limit_by_each_line_is_reported(tmp_path):
    """By the first line 10 S / 50, by the second 10; the lower one holds."""
    solution, _ = solve(lake(tmp_path))
    reports = {report.item: report for report in solution.period.model.reports}
    assert {report.name for report in reports.values()} == {"limit"}
    lines = [solution.value(reports[f"line {k}"].value)[0] for k in (1, 2)]
    assert lines[0] == pytest.approx([8, 6.4, 5.12])
    assert lines[1] == pytest.approx([10, 10, 10])


def test_soft_it_falls_short_once_however_many_lines_are_broken(tmp_path):
    """10 a day where 8, 6 and 4 are allowed."""
    goals = [{"meet": {}}, {"minimise": "spill"}]
    solution, values = solve(lake(tmp_path, goals=goals, soft={"goal": 2}))
    assert values["withdrawal"]["town"] == pytest.approx([10, 10, 10])
    stage = solution.stages[0][1]
    assert (stage.name, stage.value) == ("2 keep spare", pytest.approx(2 + 4 + 6))


CONVEX = [{"storage_hm3": s, "share_of_demand": x} for s, x in ((0, 0), (50, 0.1), (60, 1))]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"points": CONVEX}, "E326 the cap by storage is not concave: at 50 hm3 its line turns "
                             "steeper, from 0.002 to 0.09 of demand"),
        ({"points": HALF_EMPTY, "limit": "floor"}, "E326 the floor by storage is not convex: at "
                                                   "50 hm3 its line turns flatter"),
        ({"points": CONVEX[1:]}, "E326 the cap is -4.4 of demand at a storage of 0 hm3"),
        ({"points": HALF_EMPTY[:1]}, "E303"),
        ({"points": HALF_EMPTY[::-1]}, "storage does not rise"),
        ({"points": [*HALF_EMPTY[:2], {"storage_hm3": 70, "flow_m3s": 1}]}, "give one for all"),
        ({"points": [*HALF_EMPTY[:2], {"storage_hm3": 70}]}, "flow_m3s or share_of_demand"),
        ({"link": "tunnel"}, "share_of_demand without users"),
        ({"link": "tunnel", "sectors": ["domestic"], "points": flows((0, 0), (9, 1))},
         "limits one thing"),
        ({"reservoirs": ["lak"]}, "E313 unknown reservoir 'lak'; did you mean 'lake'"),
    ],
)  # fmt: skip
def test_faults(tmp_path, rule, text):
    with pytest.raises(InputError, match=text):
        lake(tmp_path, **rule)


def test_golden(tmp_path):
    check_golden(lake(tmp_path), GOLDEN)
