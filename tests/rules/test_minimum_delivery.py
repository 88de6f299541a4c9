"""minimum_delivery past a weir above a user and the sea, by hand."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc import Infeasible

GOLDEN = Path(__file__).parent / "golden" / "minimum_delivery.lp"


def weir(folder, inflows, **rule):
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        rules=[{"rule": "minimum_delivery", "name": "delta", "at": "weir", **rule}],
        nodes=[{"name": "weir", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "weir", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 8 * 365}],
        series=inflow(weir=inflows),
        more={"timeline": {"start": "2001-01-01", "periods": len(inflows), "step": "day"}},
    )


M3S = 1 / 0.0864  # one hm3 a day as a flow


def test_flow_named_for_some_days_only(tmp_path):
    """5 hm3 a day from 2 to 3 January: the farm asks 8 of 10."""
    case = weir(
        tmp_path,
        (10, 10, 10, 10),
        flow_m3s={"from": "01-02", "to": "01-03", "value": 5 * M3S},
    )
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([8, 5, 5, 8])
    # one hm3 more of delivery costs one hm3 of deficit
    assert solution.stages[0][0].rule_price["delta"] == pytest.approx([1, 1])


def test_volume_over_the_horizon(tmp_path):
    """The farm leaves 2 a day, 6 in all; 9 are owed, so it gives up 3, on whatever day."""
    _, values = solve(weir(tmp_path, (10, 10, 10), volume_hm3=9, window="horizon"))
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(21)


def test_a_year_of_which_the_horizon_has_a_part_asks_nothing(tmp_path, caplog):
    _, values = solve(weir(tmp_path, (10, 10), volume_hm3=9, window="year"))
    assert values["withdrawal"]["farm"] == [8, 8]
    assert "not whole in the horizon" in caplog.text


def test_soft_rule_falls_short_as_little_as_it_must(tmp_path):
    """Soft before the only goal: 12 are asked of 10; 2 are missing and the farm gets nothing."""
    case = weir(tmp_path, (10, 10), flow_m3s=12 * M3S, soft={"goal": 1})
    solution, values = solve(case)
    assert [stage.name for stage in solution.stages[0]] == ["1 keep delta", "2 meet all"]
    assert solution.stages[0][0].value == pytest.approx(4)
    assert values["withdrawal"]["farm"] == pytest.approx([0, 0])


def test_soft_rule_after_the_goal_gets_what_is_left(tmp_path):
    solution, values = solve(weir(tmp_path, (10, 10), flow_m3s=12 * M3S, soft={"goal": 2}))
    assert values["withdrawal"]["farm"] == [8, 8]
    assert solution.stages[0][1].value == pytest.approx(20)


def test_hard_rule_beyond_the_water_says_where_and_how_much(tmp_path):
    with pytest.raises(
        Infeasible, match=r"of 2 hm3 .* 2001-01-02: minimum_delivery 'delta' \(.*case\.yaml:\d+.*\)"
    ):
        solve(weir(tmp_path, (12, 10), flow_m3s=12 * M3S))


def test_golden(tmp_path):
    check_golden(
        weir(
            tmp_path,
            (10, 10, 10),
            flow_m3s=[
                {"months": [1], "value": 50},
                {"from": "01-02", "to": "01-02", "value": 60},
            ],
        ),
        GOLDEN,
    )
