"""equal_filling of two lakes above one town, by hand.

Lake a has 100 hm3 to use and holds 50; lake b has 40 above its 20 dead and holds 20 of them: both
are half full.  The town asks 28: then 42 of 140 are left, both together are at 0.3.
"""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "equal_filling.lp"
FOR_A = [{"meet": {}}, {"minimise": "outflow"},
         {"maximise": {"quantity": "storage_end", "of": ["a"]}}]  # fmt: skip
"""Goals that keep water in lake a."""


def lakes(folder, asked=(28, 0, 0), goals=FOR_A, b=None, works=None, **rule):
    clause = {"rule": "equal_filling", "name": "alike", "reservoirs": ["a", "b"],
              "tolerance_share": 0}  # fmt: skip
    lake_b = {"name": "b", "dead_hm3": 20, "normal_hm3": 60, "initial_hm3": 40, "target_hm3": 20}
    return make_case(
        folder,
        periods=len(asked),
        goals=goals,
        rules=[clause | rule],
        more={"works": {"dam": works}} if works else None,
        nodes=[
            {"name": "a", "kind": "reservoir"},
            {"name": "b", "kind": "reservoir"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "from_a", "from": "a", "to": "town", "kind": "turbine"},
            {"name": "from_b", "from": "b", "to": "town", "kind": "turbine"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "a", "dead_hm3": 0, "normal_hm3": 100, "initial_hm3": 50, "target_hm3": 0},
            lake_b | (b or {}),
        ],
        demands=[{"name": "town", "node": "town", "sector": "domestic"}],
        series={
            **inflow(a=[0.0] * len(asked), b=[0.0] * len(asked)),
            "demand_hm3_day": {"date": inflow(x=asked)["inflow_hm3_day"]["date"],
                               "town": list(asked)},
        },
        **({"works": [{"name": "dam", "reservoir": "b"}]} if works else {}),
    )  # fmt: skip


def test_alike_without_tolerance(tmp_path):
    """0.3 of each: 30 of 100, and 12 of 40 above the dead 20."""
    _, values = solve(lakes(tmp_path))
    assert values["storage_end"]["a"] == pytest.approx([30] * 3)
    assert values["storage_end"]["b"] == pytest.approx([32] * 3)


def test_a_tolerance_leaves_room(tmp_path):
    """Lake b may fall to 0.3 - 0.1, which is 8 above dead; then a holds 34, at 0.34."""
    _, values = solve(lakes(tmp_path, tolerance_share=0.1))
    assert values["storage_end"]["a"] == pytest.approx([34] * 3)
    assert values["storage_end"]["b"] == pytest.approx([28] * 3)


def test_only_on_the_dates_that_are_named(tmp_path):
    """40 are left on the third day, 40 / 140 of each; b gives its 20 - 80 / 7 on the first."""
    on = {"from": "01-03", "to": "01-03", "value": 0}
    _, values = solve(lakes(tmp_path, asked=(20, 8, 2), tolerance_share=on))
    assert values["storage_end"]["a"][2] == pytest.approx(100 * 40 / 140)
    assert values["storage_end"]["b"][2] == pytest.approx(20 + 40 * 40 / 140)
    assert values["storage_end"]["a"][0] == pytest.approx(50 - (20 - (20 - 80 / 7)))


def test_full_is_the_flood_limit_of_the_day(tmp_path):
    """Up to limits of 100 and 40: 42 of 120 are left, 0.35 of 100 and of 20."""
    case = lakes(tmp_path, full="flood_limit", b={"flood_limit_hm3": 40})
    _, values = solve(case)
    assert values["storage_end"]["a"] == pytest.approx([35] * 3)
    assert values["storage_end"]["b"] == pytest.approx([27] * 3)


def test_a_lake_that_is_not_there_yet_is_left_out(tmp_path):
    """Lake b is built on the second day, and starts empty: a is alone before, alike after.

    Without inflow b stays at 0, so a must be emptied when b counts.
    """
    b = {"dead_hm3": 0, "initial_hm3": 0, "normal_hm3": 40, "target_hm3": 0}
    goals = [{"meet": {}}, {"maximise": {"quantity": "storage_end", "of": ["a"]}}]
    _, values = solve(lakes(tmp_path, asked=(10, 0, 0), goals=goals, b=b, works="2001-01-02"))
    assert values["storage_end"]["a"] == pytest.approx([40, 0, 0])


def test_soft_it_falls_short_by_what_is_too_full_and_too_empty(tmp_path):
    """Of 28 b gives its 20 first: a keeps 42, at 0.42, and b nothing.

    42 are left of 140, so a has 42 - 30 too much and b lacks its 12, at the end of each day.
    """
    goals = [*FOR_A, {"minimise": "spill"}]
    solution, values = solve(lakes(tmp_path, goals=goals, soft={"goal": 4}))
    assert values["storage_end"]["a"] == pytest.approx([42] * 3)
    assert values["storage_end"]["b"] == pytest.approx([20] * 3)
    stage = solution.stages[0][3]
    assert (stage.name, stage.value) == ("4 keep alike", pytest.approx(3 * (12 + 12)))


@pytest.mark.parametrize(
    ("rule", "b", "text"),
    [
        ({"reservoirs": ["a", "c"]}, {}, "E313 unknown reservoir 'c'"),
        ({"reservoirs": ["a", "a"]}, {}, "E303 reservoir 'a' is named twice"),
        ({"reservoirs": ["a"]}, {}, "E303"),
        ({}, {"normal_hm3": 20, "initial_hm3": 20}, "E327 reservoir 'b' has no usable storage"),
    ],
)
def test_faults(tmp_path, rule, b, text):
    with pytest.raises(InputError, match=text):
        lakes(tmp_path, b=b, **rule)


def test_golden(tmp_path):
    check_golden(lakes(tmp_path, tolerance_share=0.1), GOLDEN)
