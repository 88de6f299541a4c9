"""What lakes above one town hold at the end, by hand: the town asks 20 hm3 a day for 3 days."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError
from wateralloc.foresight import solve as look_ahead
from wateralloc.hydrology import Member
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "end_storage.lp"


def lakes(
    folder, goals=(), asked=20, largest=(60, 30), initial=None, flood=54, more=None, works=(),
    links=(), **goal,
):  # fmt: skip
    """Lakes a, b, ... each with a gate to the town; full at the start but for `initial`."""
    names = "abcd"[: len(largest)]
    initial = largest if initial is None else initial
    return make_case(
        folder,
        periods=3,
        goals=[{"meet": {}}, {"end_storage": goal}, *goals],
        more=more,
        nodes=[
            *({"name": name, "kind": "reservoir"} for name in names),
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=links or [
            *({"name": f"from_{name}", "from": name, "to": "town", "kind": "turbine"}
              for name in names),
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": name, "dead_hm3": 0, "normal_hm3": normal, "initial_hm3": start,
             "target_hm3": 0, "curve": "lake" if normal else None,
             "flood_limit_hm3": "pattern:flood" if name == "a" else None}
            for name, normal, start in zip(names, largest, initial, strict=True)
        ],
        curves=[
            {"curve": "lake", "x": x, "y": 100 + x / 10, "x_unit": "hm3", "y_unit": "m"}
            for x in (0, 100)
        ],
        patterns=[
            {"pattern": "flood", "start": day, "value": value, "unit": "hm3"}
            for day, value in (("01-01", 1000), ("01-03", flood), ("01-04", 1000))
        ],
        demands=[
            {"name": "town", "node": "town", "sector": "domestic", "annual_hm3": asked * 365},
        ],
        series=inflow(**{name: [0, 0, 0] for name in names}),
        **({"works": list(works)} if works else {}),
    )  # fmt: skip


def left(values, t=2):
    return [of_lake[t] for of_lake in values["storage_end"].values()]


# --- by a target --------------------------------------------------------------------------------


def test_what_is_missing_is_spread_by_shares_of_active_storage(tmp_path):
    """60 of 90 are drawn; the flood limit of a is 54 on the last day, of which 84 - 30 lack.

    Shares of 60 and 30 are equal, 54 / 90 = 0.6, at 36 of a and 18 of b missing: 18 and 12 left.
    """
    solution, values = solve(lakes(tmp_path, target="full"))
    assert left(values) == pytest.approx([18, 12])
    _, largest = solution.stages[0]
    assert largest.name == "2 end storage of all, largest share missing"
    assert largest.unit == "fraction of active storage"
    assert largest.value == pytest.approx(0.6)
    assert solution.drift.max() < 1e-6


def test_a_lake_that_is_low_in_any_case_leaves_no_tie_between_the_others(tmp_path):
    """c is empty and stays so; a and b still miss equal shares, as without it."""
    solution, values = solve(lakes(tmp_path, target="full", largest=(60, 30, 50),
                                   initial=(60, 30, 0)))  # fmt: skip
    assert left(values) == pytest.approx([18, 12, 0])
    assert [stage.name.partition(", ")[2] for stage in solution.stages[0][1:]] == [
        "largest share missing",
        "largest share missing but for 1",
    ]
    assert [stage.value for stage in solution.stages[0][1:]] == pytest.approx([1, 0.6])


def test_the_volume_missing_leaves_to_later_goals_in_which_lake(tmp_path):
    """54 are missing in any case; a later goal fills b, and with a tolerance takes 5.4 more."""
    goals = [{"maximise": {"quantity": "storage_end", "of": ["b"], "when": "last"}},
             {"maximise": "outflow"}]  # fmt: skip
    solution, values = solve(lakes(tmp_path, goals, target="full", missing="volume"))
    assert left(values) == pytest.approx([0, 30])
    stage = solution.stages[0][1]
    assert (stage.name, stage.unit) == ("2 end storage of all", "hm3")
    assert stage.value == pytest.approx(54)
    _, values = solve(lakes(tmp_path / "loose", goals, target="full", missing="volume", asked=15,
                            tolerance=0.1))  # fmt: skip
    assert left(values) == pytest.approx([15 - 3.9, 30])


@pytest.mark.parametrize(("gate", "kept"), [(None, [28, 17]), (8, [36, 9])])
def test_an_upper_lake_helps_a_lower_one(tmp_path, gate, kept):
    """a (60) stands above b (30): 45 of 90 go to the town.

    Of 54 and 30 hm3 both then miss the same share, 39 / 90: 28 and 17 are left.
    A gate of a that passes 8 a day lets 24 down in all: 36 are left of a, and 9 of b.
    """
    case = lakes(tmp_path, target="full", asked=15,
                 links=[{"name": "from_a", "from": "a", "to": "b", "kind": "turbine",
                         "capacity_hm3_day": gate},
                        {"name": "from_b", "from": "b", "to": "town", "kind": "turbine"},
                        {"name": "lower", "from": "town", "to": "sea",
                         "kind": "reach"}])  # fmt: skip
    _, values = solve(case)
    assert left(values) == pytest.approx(kept)


def test_order_of_lakes_changes_nothing(tmp_path):
    """Four lakes of which two are low: the shares left are the same by whatever name."""
    size, start = np.array([60.0, 30.0, 50.0, 80.0]), np.array([60.0, 30.0, 5.0, 20.0])
    shares = []
    for k, order in enumerate(([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0])):
        case = lakes(tmp_path / str(k), largest=size[order].tolist(), initial=start[order].tolist(),
                     target_hm3={n: float(size[i]) for n, i in zip("abcd", order, strict=True)},
                     flood=1000, asked=15)  # fmt: skip
        _, values = solve(case)
        share = np.array(left(values)) / size[order]
        shares.append(share[np.argsort(order)])
    # c (0.1) and d (0.25) give nothing; a and b give 45 of 90 together
    assert shares[0] == pytest.approx([0.5, 0.5, 0.1, 0.25])
    for one, other in combinations(shares, 2):
        assert one == pytest.approx(other)


def test_only_the_named_count(tmp_path):
    _, values = solve(lakes(tmp_path, target="full", reservoirs=["b"]))
    assert left(values) == pytest.approx([0, 30])


def test_target_is_the_storage_at_the_start(tmp_path):
    """a starts with 40 of 60, b with 25 of 30; the town takes 30: shares 20 / 60 and 10 / 30."""
    _, values = solve(lakes(tmp_path, target="initial", initial=(40, 25), asked=10))
    assert left(values) == pytest.approx([20, 15])


def test_targets_by_date_count_on_the_last_day(tmp_path):
    """Curves of 50 hm3 and of level 101 (10 hm3) on the last day; before it they say nothing."""
    by_date = [{"from": "01-01", "to": "01-02", "value": 0}, {"from": "01-03", "to": "01-03",
                                                              "value": 50}]  # fmt: skip
    goals = [{"maximise": "outflow"}]
    case = lakes(tmp_path, goals, asked=5, target_hm3={"a": by_date}, target_m={"b": 101})
    solution, values = solve(case)
    assert left(values) == pytest.approx([50, 10])  # what is above goes to the sea
    assert solution.stages[0][1].value == pytest.approx(0)
    assert len(solution.stages[0]) == 3  # nothing is missing, so nothing is spread
    unnamed = {"from": "02-01", "to": "02-10", "value": 50}
    _, values = solve(lakes(tmp_path / "free", goals, asked=5, target_hm3={"a": unnamed}))
    assert left(values) == pytest.approx([0, 0])


def test_each_member_has_its_own_end(tmp_path):
    """Without inflow 6 are left of 66; where b gets 24 on the first day, 30."""
    case = lakes(tmp_path, target="full", initial=(60, 6))
    none = np.zeros((2, 3))
    in_b = none.copy()
    in_b[1, 0] = 24 / 0.0864
    case = replace(
        case,
        members=(Member("dry", 0), Member("wet", 0)),
        given={"inflow": {"a": none, "b": in_b}},
    )
    solution, _ = solve(case)
    assert [stages[1].value for stages in solution.stages] == pytest.approx([78 / 90, 54 / 90])
    end = {r: solution.value(solution.period.model.storage_end[r])[:, 2] for r in "ab"}
    assert end["a"] + end["b"] == pytest.approx([6, 30])
    assert end["a"][1] == pytest.approx(18)
    missing = np.array([(54 - end["a"][0]) / 60, (30 - end["b"][0]) / 30])
    assert missing[0] == pytest.approx(missing[1])


def test_a_gradual_target_is_reached_at_the_end_of_its_span(tmp_path):
    """From 60 on 31 December by 30 on 3 January: 50, 40, 30, day by day; what is above flows on."""
    curve = [{"from": "01-01", "to": "01-03", "value": 30}, {"from": "01-04", "to": "12-31",
                                                             "value": 60}]  # fmt: skip
    more = {"foresight": "simulate"}
    case = lakes(tmp_path, [{"maximise": "outflow"}], 0, target_hm3={"a": curve}, gradual=True,
                 more=more)  # fmt: skip
    solution = look_ahead(case)
    storage = solution.value(solution.period.model.storage_end["a"])[0]
    assert storage == pytest.approx([50, 40, 30])


def test_a_lake_that_is_not_yet_there_misses_nothing(tmp_path):
    """Until its work opens a lake can hold nothing, so that its full is empty."""
    case = lakes(
        tmp_path, target="full", initial=(60, 0), works=[{"name": "dam", "reservoir": "b"}]
    )
    solution, values = solve(case)
    assert values["storage_end"]["b"] == pytest.approx([0, 0, 0])
    # 54 lack of a, whose share counts in its active storage
    assert solution.stages[0][1].value == pytest.approx(54 / 60)


# --- at the end of what is in sight -------------------------------------------------------------


def seen(folder, foresight, goals=(), **goal):
    """What comes of a case that looks ahead in its own way."""
    case = lakes(folder, goals, more={"foresight": foresight}, **goal)
    solution = look_ahead(case)
    m = solution.period.model
    storage = {r: solution.value(m.storage_end[r])[0] for r in m.reservoir}
    return solution, storage, solution.value(m.flow["lower"])[0]


def test_in_a_simulation_each_day_is_an_end(tmp_path):
    """Each day a gives 40 / 3 and b 20 / 3; on the third, with its flood limit of 54, a gives more.

    With the whole horizon in sight only the last day is an end, where 18 and 12 are left as well.
    """
    solution, storage, _ = seen(tmp_path, "simulate", target="full")
    assert storage["a"] == pytest.approx([60 - 40 / 3, 60 - 80 / 3, 18])
    assert storage["b"] == pytest.approx([30 - 20 / 3, 30 - 40 / 3, 12])
    goal = solution.stages[0][1]
    assert (goal.goal, goal.value, goal.unit) == (2, pytest.approx(54), "hm3")  # at the end


def test_a_rule_curve_holds_day_by_day_in_a_simulation(tmp_path):
    """The sea gets what is above the curves of 50 and 20 at once, not at the end."""
    goals, curves = [{"maximise": "outflow"}], {"a": 50, "b": 20}
    _, storage, to_sea = seen(tmp_path, "simulate", goals, target_hm3=curves, asked=0)
    assert storage["a"] == pytest.approx([50] * 3)
    assert storage["b"] == pytest.approx([20] * 3)
    assert to_sea == pytest.approx([20, 0, 0])


def test_in_windows_the_end_is_that_of_the_window(tmp_path):
    """The curve asks 50 on the second day only, the last of the first window of two days.

    The second window ends on the third day, of which it says nothing: so its lake is emptied.
    """
    curve = [{"from": "01-01", "to": "01-01", "value": 0}, {"from": "01-02", "to": "01-02",
                                                            "value": 50}]  # fmt: skip
    goals = [{"maximise": "outflow"}]
    foresight = {"rolling": {"window": 2, "forecast": "perfect"}}
    _, storage, to_sea = seen(tmp_path, foresight, goals, target_hm3={"a": curve}, asked=0)
    assert storage["a"][0] >= 50 - 1e-9
    assert storage["a"][2] == pytest.approx(0, abs=1e-6)
    assert to_sea.sum() == pytest.approx(90)


@pytest.mark.parametrize("goal", [{"target": "full"}, {"value_per_m3": 3}])
def test_a_window_of_the_whole_horizon_is_perfect_foresight(tmp_path, goal):
    foresight = {"rolling": {"window": 3, "stride": 3, "forecast": "perfect"}}
    _, storage, _ = seen(tmp_path / "whole", foresight, **goal)
    _, perfect, _ = seen(tmp_path, "perfect", **goal)
    if goal == {"target": "full"}:
        assert storage["b"][2] == pytest.approx(perfect["b"][2]) == pytest.approx(12)
    assert storage["a"][2] + storage["b"][2] == pytest.approx(30)
    assert perfect["a"][2] + perfect["b"][2] == pytest.approx(30)


def test_worth_of_water_is_that_at_the_end_of_each_window(tmp_path):
    """30 of a are worth keeping on each day; what else there is goes on the first."""
    blocks = {"a": [{"up_to_hm3": 30, "value_per_m3": 5}]}
    goals = [{"maximise": "outflow"}]
    solution, storage, to_sea = seen(tmp_path, "simulate", goals, values=blocks, asked=0)
    assert storage["a"] == pytest.approx([30] * 3)
    assert to_sea == pytest.approx([60, 0, 0])
    assert solution.stages[0][1].value == pytest.approx(150)


# --- by worth -----------------------------------------------------------------------------------


def test_water_is_left_where_it_is_worth_most(tmp_path):
    """30 are left of 90: 10 in b at 9, then 20 in a at 7; the next of b would be worth 2."""
    values_of = {"a": [{"up_to_hm3": 25, "value_per_m3": 7}, {"value_per_m3": 1}],
                 "b": [{"up_to_hm3": 10, "value_per_m3": 9}, {"value_per_m3": 2}]}  # fmt: skip
    solution, values = solve(lakes(tmp_path, values=values_of))
    assert left(values) == pytest.approx([20, 10])
    stage = solution.stages[0][1]
    assert (stage.name, stage.sense) == ("2 worth of end storage of a+b", "maximise")
    assert (stage.unit, stage.value) == ("million VND", pytest.approx(10 * 9 + 20 * 7))


def test_water_above_the_last_block_is_worth_nothing(tmp_path):
    goals = [{"maximise": "outflow"}]
    blocks = [{"up_to_hm3": 12, "value_per_m3": 5}]
    _, values = solve(lakes(tmp_path, goals, asked=5, values={"b": blocks}))
    assert left(values) == pytest.approx([0, 12])


def test_one_value_for_all_water(tmp_path):
    """Nothing more is let out than the town asks."""
    goals = [{"maximise": "outflow"}]
    solution, values = solve(lakes(tmp_path, goals, value_per_m3=450))
    assert sum(left(values)) == pytest.approx(30)
    assert solution.stages[0][1].value == pytest.approx(30 * 450)


def test_a_penalty_in_money_is_weighed_against_water_left(tmp_path):
    """The sea is to have 10 hm3 a day: kept at a penalty of 500 a m3, not at one of 400."""
    rule = {"rule": "minimum_delivery", "name": "flush", "at": "sea", "flow_m3s": 10 / 0.0864}
    for penalty, missed in ((400, 10), (500, 0)):
        more = {"rules": [rule | {"soft": {"penalty": penalty}}]}
        case = lakes(tmp_path / str(penalty), more=more, value_per_m3=450)
        _, values = solve(case)
        assert values["outflow"]["sea"] == pytest.approx([10 - missed] * 3)


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ({}, "E303 .* give one of target, target_hm3, target_m, value_per_m3, values"),
        ({"target": "full", "value_per_m3": 3}, "E303 .* give one of target"),
        ({"target": "half"}, "must be 'full' or 'initial'"),
        ({"target": "full", "reservoirs": ["c"]}, "E313 unknown reservoir 'c'"),
        ({"target_m": {"a": 101}, "reservoirs": ["a"]}, "under target_m; leave out `reservoirs`"),
        ({"target_m": {"a": 101}, "target_hm3": {"a": 9}}, "E303 .* one in m; keep one"),
        ({"target_hm3": {"b": 31}}, "E241 target 31 hm3 of 'b' is above its normal storage, 30"),
        ({"target_m": {"b": 103.5}}, "E241 target 103.5 m of 'b' is above .* 103 m"),
        ({"target_m": {"b": 99}}, "E222 level 99 m of 'b' is below its curve, which starts at 100"),
        ({"target_hm3": {"b": "pattern:food"}}, "E223 unknown pattern 'food'; did you mean"),
        ({"target": "full", "tolerance": 0.1}, "E303 .* of one sum; add `missing: volume`"),
        ({"value_per_m3": 3, "missing": "share"}, "E303 .* leave out `missing`"),
        ({"target": "full", "gradual": True}, "E303 .* leave out `gradual`"),
        (
            {"target_hm3": {"b": {"months": [1], "value": 3}}, "gradual": True},
            "E303 target of 'b' does not name every day",
        ),
        ({"values": {"a": []}}, "E225 reservoir 'a' has no blocks"),
    ],
)
def test_faults(tmp_path, goal, text):
    with pytest.raises(InputError, match=text):
        lakes(tmp_path, **goal)


def test_a_reservoir_without_a_largest_storage_has_worth_but_no_target(tmp_path):
    text = "E202 reservoir 'b' has no normal_hm3, so that no share of it can be missing"
    with pytest.raises(InputError, match=text):
        lakes(tmp_path, largest=(60, None), initial=(60, 30), target="full")
    _, values = solve(lakes(tmp_path / "worth", [{"maximise": "outflow"}], largest=(60, None),
                            initial=(60, 30), value_per_m3=450))  # fmt: skip
    assert sum(left(values)) == pytest.approx(30)


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        ([(20, 5), (10, 4)], "does not end above the one before it"),
        ([(None, 5), (10, 4)], "without up_to_hm3 that is not the last"),
        ([(10, 4), (20, 5)], "worth more than the one below it"),
    ],
)
def test_faults_of_blocks(tmp_path, blocks, text):
    given = [{"up_to_hm3": end, "value_per_m3": value} for end, value in blocks]
    given = [{key: v for key, v in block.items() if v is not None} for block in given]
    with pytest.raises(InputError, match=f"E225 reservoir 'a' .*{text}"):
        lakes(tmp_path, values={"a": given})


# --- the program --------------------------------------------------------------------------------


def test_rows_stand_at_the_end_only(tmp_path):
    model = build_period(lakes(tmp_path, target="full")).model
    block = model.goals.end_storage_2
    assert {id(block.lacks[r]) for r in "ab"} <= model.repeats.ends
    assert {id(block.even[r]) for r in "ab"} <= model.repeats.ends
    np.testing.assert_allclose(block.target["a"].value, [[60, 60, 54]])


def test_golden(tmp_path):
    goals = [{"end_storage": {"value_per_m3": 450}}]
    check_golden(lakes(tmp_path, goals, target="full"), GOLDEN)
