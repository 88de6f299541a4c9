"""drawdown of lakes above one town, by hand: each holds 50 hm3, the town asks 20 a day."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "drawdown.lp"


def lakes(folder, names="ab", asked=20, goals=(), **goal):
    return make_case(
        folder,
        periods=3,
        goals=[{"meet": {}}, {"drawdown": {"order": list(names)} | goal}, *goals],
        nodes=[
            *({"name": name, "kind": "reservoir"} for name in names),
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            *({"name": f"from_{name}", "from": name, "to": "town", "kind": "turbine"}
              for name in names),
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": name, "dead_hm3": 0, "normal_hm3": 60, "initial_hm3": 50, "target_hm3": 0}
            for name in names
        ],
        demands=[
            {"name": "town", "node": "town", "sector": "domestic", "annual_hm3": asked * 365},
        ],
        series=inflow(**{name: [0, 0, 0] for name in names}),
    )  # fmt: skip


def test_the_first_gives_before_the_second(tmp_path):
    """Of 60 the first gives its 50, and the second 10 on the third day."""
    solution, values = solve(lakes(tmp_path))
    assert values["storage_end"]["a"][2] == pytest.approx(0)
    assert values["storage_end"]["b"] == pytest.approx([50, 50, 40])
    stage = solution.stages[0][1]
    assert (stage.name, stage.unit) == ("2 drawdown, keep b", "hm3 on average")
    assert stage.value == pytest.approx((50 + 50 + 40) / 3)


def test_the_order_is_what_is_written(tmp_path):
    _, values = solve(lakes(tmp_path, names="ba"))
    assert values["storage_end"]["a"] == pytest.approx([50, 50, 40])


def test_three_lakes_one_after_the_other(tmp_path):
    """40 a day: 50 of a, 50 of b, 20 of c; c is kept first, then b."""
    solution, values = solve(lakes(tmp_path, names="abc", asked=40))
    assert values["storage_end"]["c"] == pytest.approx([50, 50, 30])
    assert values["storage_end"]["b"] == pytest.approx([50, 20, 0])
    names = [stage.name for stage in solution.stages[0]]
    assert names == ["1 meet all", "2 drawdown, keep c", "2 drawdown, keep b"]


def test_the_first_is_left_to_later_goals(tmp_path):
    """What a keeps beyond the users may still go to the sea, what b keeps may not."""
    _, values = solve(lakes(tmp_path, asked=10, goals=[{"maximise": "outflow"}]))
    assert values["storage_end"]["b"] == pytest.approx([50, 50, 50])
    assert sum(values["outflow"]["sea"]) == pytest.approx(20)


def test_only_a_part_of_the_year_counts(tmp_path):
    """Only the storage of the second day counts: on the third b may go where a goal wants it."""
    second = {"from": "01-02", "to": "01-02"}
    solution, values = solve(
        lakes(tmp_path, asked=10, between=second, goals=[{"maximise": "outflow"}])
    )
    assert values["storage_end"]["b"][1] == pytest.approx(50)
    assert values["storage_end"]["b"][2] == pytest.approx(0)
    assert solution.stages[0][1].value == pytest.approx(50)


def test_a_part_of_the_year_that_the_horizon_lacks(tmp_path):
    case = lakes(tmp_path, between={"from": "06-01", "to": "06-30"})
    with pytest.raises(
        InputError, match=r"yaml:\d+:\d+: E327 drawdown: no period .* 06-01 and 06-30"
    ):
        build_period(case)


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ({"order": ["a", "c"]}, "E313 unknown reservoir 'c'"),
        ({"order": ["a", "b", "a"]}, "E303 reservoir 'a' is named twice"),
        ({"order": ["a"]}, "E303"),
        ({"between": {"from": "02-30", "to": "03-01"}}, "MM-DD"),
    ],
)
def test_faults(tmp_path, goal, text):
    with pytest.raises(InputError, match=text):
        lakes(tmp_path, **goal)


def test_golden(tmp_path):
    check_golden(lakes(tmp_path, names="abc", between={"from": "01-02", "to": "01-03"}), GOLDEN)
