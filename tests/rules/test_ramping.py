"""ramping below a lake, by hand: steps of 5 hm3 a day are 57.87 m3/s."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "ramping.lp"
M3S = 1e6 / 86400
"""Flow of 1 hm3 a day."""
MEET = [{"meet": {}}, {"maximise": {"quantity": "storage_end", "when": "last"}}]


def lake(folder, asked=(0, 20, 0), goals=MEET, more=None, flow=0, **rule):
    """A lake with 60 hm3; a town below it asks for so much; what it leaves flows to the sea."""
    place = {} if {"link", "at"} & set(rule) else {"reservoir": "lake"}
    return make_case(
        folder,
        periods=len(asked),
        goals=goals,
        rules=[{"rule": "ramping", "name": "steps"} | place | rule],
        more=more,
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "outlet", "from": "lake", "to": "town", "kind": "turbine"},
            {"name": "ditch", "from": "lake", "to": "town", "kind": "canal",
             "capacity_hm3_day": 3},
            {"name": "weir", "from": "lake", "to": "town", "kind": "spillway"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 60, "initial_hm3": 60, "target_hm3": 0}
        ],
        demands=[{"name": "town", "node": "town", "sector": "domestic"}],
        series={
            **inflow(lake=[flow] * len(asked)),
            "demand_hm3_day": {"date": inflow(x=asked)["inflow_hm3_day"]["date"],
                               "town": list(asked)},
        },
    )  # fmt: skip


def released(values):
    return [a + b for a, b in zip(values["flow_in"]["outlet"], values["flow_in"]["ditch"],
                                  strict=True)]  # fmt: skip


def no_spill(goals=MEET):
    return [{"minimise": "spill"}, *goals]


def test_rise_from_a_known_flow(tmp_path):
    """From nothing 5, then 10 of the 20 that the town asks."""
    case = lake(tmp_path, goals=no_spill(), up_m3s=5 * M3S, initial_m3s=0)
    _, values = solve(case)
    assert values["release"]["lake"] == pytest.approx([5, 10, 0])
    assert values["withdrawal"]["town"] == pytest.approx([0, 10, 0])
    assert released(values) == pytest.approx([5, 10, 0])


def test_without_a_flow_before_the_first_period_is_free(tmp_path):
    """15 on the first day, of no use to anybody, make 20 on the second."""
    _, values = solve(lake(tmp_path, goals=no_spill(), up_m3s=5 * M3S))
    assert values["release"]["lake"] == pytest.approx([15, 20, 0])


def test_fall(tmp_path):
    """20, then at least 12 and 4, that nobody asks for."""
    _, values = solve(lake(tmp_path, asked=(20, 0, 0), goals=no_spill(), down_m3s=8 * M3S))
    assert values["release"]["lake"] == pytest.approx([20, 12, 4])
    assert values["storage_end"]["lake"][2] == pytest.approx(24)


def test_both_ways_by_date(tmp_path):
    """The second day may rise by 5 only; into the third no fall is limited."""
    day = {"from": "01-02", "to": "01-02", "value": 5 * M3S}
    case = lake(tmp_path, goals=no_spill(), up_m3s=day, down_m3s=day, initial_m3s=0)
    _, values = solve(case)
    assert values["release"]["lake"] == pytest.approx([15, 20, 0])


def test_a_link_alone(tmp_path):
    """The outlet rises by 5 a day; the ditch brings its 3 beside it."""
    case = lake(tmp_path, goals=no_spill(), link="outlet", up_m3s=5 * M3S, initial_m3s=0)
    _, values = solve(case)
    assert values["withdrawal"]["town"] == pytest.approx([0, 13, 0])


def test_river_flow_counts_spill(tmp_path):
    """Below the lake the river is outlet and weir; the ditch is none of it: again 10 + 3."""
    _, values = solve(lake(tmp_path, at="lake", up_m3s=5 * M3S, initial_m3s=0))
    assert values["withdrawal"]["town"] == pytest.approx([0, 13, 0])


def test_at_a_sink(tmp_path):
    """What leaves the basin falls by 8 a day at most, from 20: 12, 4, 0 of a lake of 60."""
    _, values = solve(lake(tmp_path, asked=(0, 0, 0), at="sea", down_m3s=8 * M3S,
                           initial_m3s=20 * M3S))  # fmt: skip
    assert values["outflow"]["sea"] == pytest.approx([12, 4, 0])


def test_steps_are_of_mean_flow_not_of_volume(tmp_path):
    """From nothing by 2 m3/s a month: 2 m3/s over 31 days, 4 over 28, 6 over 31."""
    goals = [{"minimise": "spill"}, {"maximise": "release"}]
    more = {"timeline": {"start": "2001-01-01", "periods": 3, "step": "month"}}
    case = lake(tmp_path, asked=[0] * 90, goals=goals, more=more, up_m3s=2, initial_m3s=0)
    _, values = solve(case)
    expected = [2 * 31 * 0.0864, 4 * 28 * 0.0864, 6 * 31 * 0.0864]
    assert values["release"]["lake"] == pytest.approx(expected)


def test_soft_it_falls_short_by_the_volume_beyond_the_step(tmp_path):
    """20 where 5 are allowed."""
    goals = [{"minimise": "spill"}, *MEET]
    case = lake(tmp_path, goals=goals, up_m3s=5 * M3S, initial_m3s=0, soft={"goal": 3})
    solution, values = solve(case)
    assert values["withdrawal"]["town"] == pytest.approx([0, 20, 0])
    stage = solution.stages[0][2]
    # 0 -> x -> 20: x - 5 beyond, and 15 - x; 10 in all for each x from 5 to 15
    assert (stage.name, stage.value) == ("3 keep steps", pytest.approx(10))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"reservoir": "lake", "link": "outlet", "up_m3s": 1}, "give one of reservoir, link and"),
        ({"reservoir": "lake"}, "give up_m3s or down_m3s"),
        ({"reservoir": "lak", "up_m3s": 1}, "E313 unknown reservoir 'lak'; did you mean 'lake'"),
        ({"link": "outle", "up_m3s": 1}, "E313 unknown link 'outle'"),
        ({"at": "twon", "up_m3s": "pattern:none"}, "E223 unknown pattern 'none'"),
    ],
)
def test_faults(tmp_path, rule, text):
    with pytest.raises(InputError, match=text):
        lake(tmp_path, **rule)


def test_golden(tmp_path):
    case = lake(tmp_path, up_m3s=5 * M3S, down_m3s=8 * M3S, initial_m3s=10 * M3S)
    check_golden(case, GOLDEN)
