"""What water left in a lake is worth, in blocks: how much is kept and how much sold, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, days, inflow, make_case, solve
from wateralloc.errors import CaseError, TableError
from wateralloc.parts.carryover import worth_of

GOLDEN = Path(__file__).parent / "golden" / "carryover.lp"
FIRST = {"name": "first", "reservoir": "lake", "block_least_hm3": 2, "block_most_hm3": 10,
         "carryover_value_vnd_m3": 5}  # fmt: skip
REST = {"name": "rest", "reservoir": "lake", "block_most_hm3": 12, "carryover_value_vnd_m3": 1}
BLOCKS = [REST, FIRST]  # in any order


def lake(folder, *, blocks=BLOCKS, price=3, inflows=(20, 15), goals=({"net_benefit": {}},), **more):
    """``lake -> sea``: water sold through the canal brings 3 a m3; the lake holds up to 100."""
    series = inflow(lake=inflows) | more.pop("series", {})
    return make_case(
        folder,
        periods=len(inflows),
        goals=list(goals),
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "canal", "from": "lake", "to": "sea", "kind": "canal",
                "cost_vnd_m3": -price}],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 100, "initial_hm3": 5,
                     "target_hm3": 0, "storage_loss_fraction": 0.5, **more.pop("lake", {})}],
        carryover_values=blocks,
        series=series,
        **more,
    )  # fmt: skip


def test_water_is_kept_where_it_is_worth_more_than_sold(tmp_path):
    """Kept water is worth 5 each day, up to 10 hm3; beyond, 1, and half of it 3 the day after.

    So it is sold at 3: 5 - 2.5 lost + 20 - 10 kept on day 1, 10 - 5 lost + 15 - 10 kept on day 2.
    """
    _, values = solve(lake(tmp_path))
    assert values["flow_in"]["canal"] == pytest.approx([12.5, 10])
    assert values["storage_end"]["lake"] == pytest.approx([10, 10])
    assert values["storage_loss"]["lake"] == pytest.approx([2.5, 5])
    assert values["carryover_value"]["lake"] == pytest.approx([50, 50])
    assert values["cost"]["canal"] == pytest.approx([-37.5, -30])


def test_upper_block_fills_when_selling_brings_less(tmp_path):
    """At 0.5 the blocks of 10 and 12 hm3 fill; of 22.5 the rest is sold rather than kept for
    nothing, and of 11 + 15 on day 2."""
    _, values = solve(lake(tmp_path, price=0.5))
    assert values["storage_end"]["lake"] == pytest.approx([22, 22])
    assert values["carryover_value"]["lake"] == pytest.approx([62, 62])
    assert values["flow_in"]["canal"] == pytest.approx([0.5, 4])


def test_least_of_a_block_must_be_there(tmp_path):
    """At 20 a m3 all would be sold, but 2 hm3 stay in the first block."""
    _, values = solve(lake(tmp_path, price=20))
    assert values["storage_end"]["lake"] == pytest.approx([2, 2])


def test_values_and_volumes_follow_the_dates(tmp_path):
    """Day 1 values 4 hm3 at 6, day 2 values 8 at 4; the rest is sold at 3."""
    blocks = [{"name": "first", "reservoir": "lake"}]
    series = {
        "block_most_hm3": {"date": days(2), "first": [4, 8]},
        "carryover_value_vnd_m3": {"date": days(2), "first": [6, 4]},
    }
    _, values = solve(lake(tmp_path, blocks=blocks, series=series))
    assert values["storage_end"]["lake"] == pytest.approx([4, 8])
    assert values["carryover_value"]["lake"] == pytest.approx([24, 32])


def test_one_block_without_limits_is_the_storage_and_may_cost(tmp_path):
    """Keeping costs 1 a day and selling brings nothing: nothing is kept; the program has no row."""
    blocks = [{"name": "all", "reservoir": "lake", "carryover_value_vnd_m3": -1}]
    solution, values = solve(lake(tmp_path, blocks=blocks, price=0))
    assert values["storage_end"]["lake"] == pytest.approx([0, 0])
    assert not solution.period.model.carryover_blocks
    _, values = solve(lake(tmp_path / "2", blocks=blocks, price=-9))
    assert values["storage_end"]["lake"] == pytest.approx([22.5, 26.25])
    assert values["carryover_value"]["lake"] == pytest.approx([-22.5, -26.25])


def test_results_hold_the_worth_whatever_the_goal(tmp_path):
    """A goal that cares for storage alone leaves the blocks free; the report fills the dearest."""
    goals = [{"maximise": {"quantity": "storage_end", "when": "last"}}]
    _, values = solve(lake(tmp_path, goals=goals))
    assert values["storage_end"]["lake"][-1] == pytest.approx(26.25)
    assert values["carryover_value"]["lake"][-1] == pytest.approx(50 + 12)


def test_worth_of_a_block_without_limit():
    storage = np.array([[1.0, 12.0]])
    worth = worth_of(storage, [0.0, 0.0], [np.inf, 4.0], [np.array([[2.0, 2.0]]), 7.0])
    assert worth.tolist() == [[7, 28 + 16]]


@pytest.mark.parametrize(
    ("block", "code", "text"),
    [
        ({**FIRST, "block_least_hm3": 11}, "E241", "holds at least 11 hm3 but at most 10"),
        ({**FIRST, "carryover_value_vnd_m3": -1}, "E225", "value of block 'first' is -1 VND/m3"),
    ],
)
def test_blocks_that_contradict_themselves(tmp_path, block, code, text):
    with pytest.raises(TableError, match=code) as caught:
        lake(tmp_path, blocks=[block, REST])
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("series", "code", "text"),
    [
        ("block_least_hm3", "E241", "holds at least 11 hm3 but at most 10 on 2001-01-02"),
        ("carryover_value_vnd_m3", "E225", "is -1 VND/m3 in the period from 2001-01-02"),
    ],
)
def test_blocks_that_contradict_themselves_on_a_day(tmp_path, series, code, text):
    block = {key: value for key, value in FIRST.items() if key != series}
    values = {"block_least_hm3": [2, 11], "carryover_value_vnd_m3": [5, -1]}[series]
    case = lake(tmp_path, blocks=[block, REST], series={series: {"date": days(2), "first": values}})
    with pytest.raises(CaseError, match=code) as caught:
        solve(case)
    assert text in str(caught.value)


def test_golden(tmp_path):
    check_golden(lake(tmp_path), GOLDEN)
