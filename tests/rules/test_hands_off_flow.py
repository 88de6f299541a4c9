"""hands_off_flow on two users of a river, by hand: 10 hm3 a day are the hands-off flow."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "hands_off_flow.lp"
M3S = 1e6 / 86400
"""Flow of 1 hm3 a day."""

GOALS = [{"meet": {"sectors": ["industry"]}}, {"meet": {}}, {"maximise": "outflow"}]


def river(folder, flows=(20, 5, 12), goals=({"meet": {}},), lake=False, more=None, **rule):
    """``head -> gauge -> sea``: rice asks 8 hm3 a day, a mill 4."""
    clause = {"rule": "hands_off_flow", "name": "hands_off", "at": "gauge",
              "flow_m3s": 10 * M3S, "sectors": ["irrigation"]}  # fmt: skip
    kind = "reservoir" if lake else "inflow"
    store = {"name": "head", "dead_hm3": 0, "normal_hm3": 100, "initial_hm3": 90, "target_hm3": 0}
    return make_case(
        folder,
        periods=len(flows),
        goals=goals,
        rules=[clause | rule],
        more=more,
        nodes=[
            {"name": "head", "kind": kind},
            {"name": "gauge", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "gauge", "kind": "reach"},
            {"name": "lower", "from": "gauge", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": "rice", "node": "gauge", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "mill", "node": "head", "sector": "industry", "annual_hm3": 4 * 365},
        ],
        series=inflow(head=list(flows)),
        **({"reservoirs": [store]} if lake else {}),
    )


def test_only_what_is_above_the_threshold_may_be_taken(tmp_path):
    """20 - 10 = 10 leave all 8 that rice asks; 5 is below the threshold; 12 - 10 = 2."""
    _, values = solve(river(tmp_path))
    assert values["withdrawal"]["rice"] == pytest.approx([8, 0, 2])
    assert values["withdrawal"]["mill"] == pytest.approx([4, 4, 4])


def test_a_share_of_what_is_above(tmp_path):
    _, values = solve(river(tmp_path, share=0.5))
    assert values["withdrawal"]["rice"] == pytest.approx([5, 0, 1])


def test_the_group_counts_together(tmp_path):
    """Both users: 10, 0 and 2 together."""
    _, values = solve(river(tmp_path, sectors=[]))
    total = [a + b for a, b in zip(*values["withdrawal"].values(), strict=True)]
    assert total == pytest.approx([10, 0, 2])


def test_a_release_does_not_lift_it(tmp_path):
    """A full lake could let the river rise on the second day; what counts is the natural 5."""
    _, values = solve(river(tmp_path, lake=True))
    assert values["withdrawal"]["rice"] == pytest.approx([8, 0, 2])


def test_silent_where_the_flow_is_not_named(tmp_path):
    """On the second day 5 flow, of which the mill has 4 first; on the third 12 - 9 are free."""
    silent = {"from": "01-03", "to": "01-03", "value": 9 * M3S}
    _, values = solve(river(tmp_path, goals=GOALS, flow_m3s=silent))
    assert values["withdrawal"]["rice"] == pytest.approx([8, 1, 3])


def test_each_member_has_its_own_cap(tmp_path):
    """January of a wet and of a dry year, 15 and 11 hm3 a day: 5 and 1 a day may be taken."""
    case = river(tmp_path, more={
        "timeline": {"start": "2030-01-01", "periods": 1, "step": "month"},
        "hydrology": {"years": ["2001-01", "2002-01"]},
    }, flows=[15] * 31 + [11] * 370)  # fmt: skip
    solution, _ = solve(case)
    withdrawal = next(q for q in solution.period.quantities() if q.name == "withdrawal")
    taken = solution.value_of(withdrawal, "rice")
    assert taken[:, 0] == pytest.approx([31 * 5, 31 * 1])


def test_soft_it_falls_short_by_what_is_taken_beyond_it(tmp_path):
    """Users first: 8 + 5 (all there is, of which the mill has 4) + 8; beyond the caps 1 and 6."""
    case = river(tmp_path, goals=GOALS, soft={"goal": 3})
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([8, 1, 8])
    stage = solution.stages[0][2]
    assert stage.name == "3 keep hands_off"
    assert stage.value == pytest.approx(1 + 6)


def test_a_node_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"E313 .*'gage'; did you mean 'gauge'"):
        river(tmp_path, at="gage")


def test_golden(tmp_path):
    check_golden(river(tmp_path, share=0.5), GOLDEN)
