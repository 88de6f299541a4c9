"""follow_plan of a lake above the sea, by hand: 20 hm3 come on the first day, none after."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "follow_plan.lp"
M3S = 1e6 / 86400
"""Flow of 1 hm3 a day."""
GWH_PER_HM3 = 1000 * 9.81 * 100 / 3600 * 1e-3


def lake(folder, goals=(), before=(), more=None, days=3, **goal):
    """A lake of 40 with 10 in it, level 100 + storage / 10; its outlet passes 6 a day."""
    plan = {"quantity": "storage_end"} | goal
    return make_case(
        folder,
        periods=days,
        goals=[*before, {"follow_plan": plan}, *goals],
        more=more,
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine",
             "capacity_hm3_day": 6},
            {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 40, "initial_hm3": 10, "target_hm3": 0,
             "curve": "lake"}
        ],
        curves=[
            {"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
            for x in (0, 40)
        ],
        hydropower=[
            {"plant": "mill", "link": "outlet", "capacity_mw": 1000, "efficiency_fraction": 1,
             "head_m": 100}
        ],
        series=inflow(lake=[20] + [0] * (days - 1)),
    )  # fmt: skip


def test_storage_follows_its_plan(tmp_path):
    """25, 25 and 12: the lake spills what it must and keeps the rest."""
    plan = [{"from": "01-01", "to": "01-02", "value": 25}, {"from": "01-03", "to": "01-03",
                                                            "value": 12}]  # fmt: skip
    solution, values = solve(lake(tmp_path, plan_hm3=plan))
    assert values["storage_end"]["lake"] == pytest.approx([25, 25, 12])
    stage = solution.stages[0][0]
    assert (stage.name, stage.unit) == ("1 follow plan of storage_end", "hm3")
    assert stage.value == pytest.approx(0)


def test_what_cannot_be_reached_counts_by_its_weight(tmp_path):
    """Nothing may be spilled: 24, 18 and 12 are the least there can be, of a plan of 20.

    So 4 are over on the first day; 20 and 20 after it are reached.  A plan of 35 lacks 5 a day.
    """
    dry = [{"minimise": "spill"}]
    solution, values = solve(lake(tmp_path, before=dry, plan_hm3=20, above=3))
    assert values["storage_end"]["lake"] == pytest.approx([24, 20, 20])
    assert solution.stages[0][1].value == pytest.approx(3 * 4)
    solution, values = solve(lake(tmp_path / "high", plan_hm3=35, above=3))
    assert values["storage_end"]["lake"] == pytest.approx([30, 30, 30])
    assert solution.stages[0][0].value == pytest.approx(3 * 5)


def test_a_side_without_a_weight_is_free(tmp_path):
    """A plan from below: at 15 the rest may go, and a later goal takes none of it back."""
    goals = [{"maximise": {"quantity": "storage_end", "when": "last"}}]
    _, values = solve(lake(tmp_path, goals=goals, plan_hm3=15, above=0))
    assert values["storage_end"]["lake"][2] == pytest.approx(30)
    _, values = solve(lake(tmp_path / "down", goals=[{"maximise": "outflow"}], plan_hm3=15,
                           above=0))  # fmt: skip
    assert values["storage_end"]["lake"][2] == pytest.approx(15)


def test_level_by_the_curve(tmp_path):
    """102 m are 20 hm3, asked on the third day only."""
    third = {"from": "01-03", "to": "01-03", "value": 102}
    goals = [{"maximise": "outflow"}]
    _, values = solve(lake(tmp_path, goals=goals, plan_m=third))
    assert values["storage_end"]["lake"][2] == pytest.approx(20)


def test_release_as_mean_flow(tmp_path):
    """4 hm3 a day."""
    solution, values = solve(lake(tmp_path, quantity="release", of=["lake"], plan_m3s=4 * M3S))
    assert values["release"]["lake"] == pytest.approx([4, 4, 4])
    assert solution.stages[0][0].name == "1 follow plan of release of lake"


def test_release_of_months_by_their_true_length(tmp_path):
    """0.5 m3/s over 31 and 28 days."""
    more = {"timeline": {"start": "2001-01-01", "periods": 2, "step": "month"}}
    _, values = solve(lake(tmp_path, more=more, days=60, quantity="release", plan_m3s=0.5))
    assert values["release"]["lake"] == pytest.approx([0.5 * 31 * 0.0864, 0.5 * 28 * 0.0864])


def test_energy_as_mean_power(tmp_path):
    """20 MW take 0.48 GWh a day; a hm3 gives 0.2725."""
    solution, values = solve(lake(tmp_path, quantity="energy", plan_mw=20))
    assert values["energy"]["mill"] == pytest.approx([0.48] * 3)
    assert values["turbined"]["mill"] == pytest.approx([0.48 / GWH_PER_HM3] * 3)
    assert solution.stages[0][0].unit == "GWh"


def test_truth_is_the_deviation_itself(tmp_path):
    """30, 30 and 30 of a plan of 35, above counted thrice: 15 are lacking."""
    solution, _ = solve(lake(tmp_path, plan_hm3=35, above=3))
    ((number, goal),) = solution.period.goals
    truth = goal.truth(solution.period.model, number, solution.value)
    assert truth == pytest.approx([-15])


def test_each_member_follows_by_itself(tmp_path):
    """31 hm3 less in January of the second year, so its plan of 30 is missed by 20."""
    more = {
        "timeline": {"start": "2030-01-01", "periods": 1, "step": "month"},
        "hydrology": {"years": ["2001-01", "2002-01"]},
    }
    solution, _ = solve(lake(tmp_path, more=more, days=500, plan_hm3=30))
    assert [stages[0].value for stages in solution.stages] == pytest.approx([0, 20])


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ({}, "give one of plan_hm3, plan_m, plan_m3s, plan_mw"),
        ({"plan_hm3": 1, "plan_m3s": 1}, "give one of plan_hm3"),
        ({"plan_hm3": 1, "above": 0, "below": 0}, "both weights 0"),
        ({"quantity": "storage", "plan_hm3": 1}, "E315 unknown quantity 'storage'; did you mean"),
        ({"plan_hm3": 1, "of": ["lak"]}, "E313 unknown reservoir 'lak'; did you mean 'lake'"),
        ({"quantity": "release", "plan_m": 101}, "E328 plan_m is a level"),
        ({"plan_hm3": "pattern:none"}, "E223 unknown pattern 'none'"),
    ],
)
def test_faults(tmp_path, goal, text):
    with pytest.raises(InputError, match=text):
        lake(tmp_path, **goal)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ({"plan_m3s": 1}, "plan_m3s does not fit 'storage_end' .*, hm3.; give plan_hm3 or plan_m"),
        ({"quantity": "release", "plan_hm3": 1}, "plan_hm3 does not fit 'release'.*give plan_m3s"),
        ({"quantity": "storage_start", "plan_hm3": 1}, "it cannot follow a plan"),
        ({"quantity": "cost", "plan_hm3": 1}, "nothing in the basin has 'cost'|cannot follow"),
        (
            {"quantity": "drawn", "plan_m3s": 1},
            "E328 follow_plan: nothing in the basin has 'drawn'",
        ),
        ({"plan_hm3": {"months": [6], "value": 1}}, "no period of the horizon is named"),
    ],
)
def test_plans_that_do_not_fit(tmp_path, goal, text):
    with pytest.raises(InputError, match=text):
        build_period(lake(tmp_path, **goal))


def test_golden(tmp_path):
    check_golden(lake(tmp_path, plan_hm3={"from": "01-02", "to": "01-03", "value": 20}, above=3),
                 GOLDEN)  # fmt: skip
