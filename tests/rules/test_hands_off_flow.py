"""hands_off_flow on two users of a river, by hand: 10 hm3 a day are the hands-off flow."""

from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from tests.unit.test_period import check_units, scalars
from wateralloc.errors import InputError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "hands_off_flow.lp"
M3S = 1e6 / 86400
"""Flow of 1 hm3 a day."""

GOALS = [{"meet": {"sectors": ["industry"]}}, {"meet": {}}, {"maximise": "outflow"}]


def river(
    folder, flows=(20, 5, 12), goals=({"meet": {}},), lake=False, more=None, stored=90, **rule
):
    """``head -> gauge -> sea``: rice asks 8 hm3 a day, a mill 4."""
    clause = {"rule": "hands_off_flow", "name": "hands_off", "at": "gauge",
              "flow_m3s": 10 * M3S, "sectors": ["irrigation"]}  # fmt: skip
    kind = "reservoir" if lake else "inflow"
    store = {
        "name": "head",
        "dead_hm3": 0,
        "normal_hm3": 100,
        "initial_hm3": stored,
        "target_hm3": 0,
    }
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


WHOLE = {"integers": True, "linearisation": "fixed"}


def account(solution, member=0):
    (report,) = solution.period.model.reports
    return solution.value(report.value)[member]


@pytest.mark.parametrize(("share", "rice"), [(1, [6, 0, 0]), (0.5, [3, 0, 0]), (0, [0, 0, 0])])
def test_by_the_flow_that_is_left(tmp_path, share, rice):
    """The mill above takes 4, so 16, 1 and 8 arrive: 6 may be taken of 16, or half of them."""
    goals = [{"meet": {"sectors": ["industry"]}}, {"meet": {}}]
    case = river(tmp_path, by="regulated", share=share, more=WHOLE, goals=goals)
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx(rice, abs=1e-6)
    assert values["withdrawal"]["mill"] == pytest.approx([4, 4, 4])
    check_units(scalars(solution.period))


def test_a_release_lifts_it(tmp_path):
    """Of the 90 that are stored, 10 pass the gauge each day, and all is met."""
    case = river(tmp_path, lake=True, by="regulated", more=WHOLE)
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([8, 8, 8])
    assert account(solution) == pytest.approx([8, 8, 8])


def test_it_is_yes_or_no(tmp_path):
    """24 are stored and nothing comes: 18 for 8 once; the 6 that are left open nothing.

    Were half a yes allowed, 10.67 could be taken on both days together.
    """
    case = river(
        tmp_path, [0, 0], lake=True, stored=24, by="regulated", more=WHOLE,
        goals=[{"meet": {"sectors": ["irrigation"]}}, {"maximise": "storage_end"}],
    )  # fmt: skip
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([0, 8], abs=1e-6)
    # the decisions that leave most in the lake are looked for among those that meet as much
    assert solution.stages[0][-1].value == pytest.approx(24 + 6)


def test_regulated_in_months_and_members(tmp_path):
    """January has 31 times 20, or 12 by the other year: of 16 and 8 that arrive 6 a day, or none.

    In February the rule is silent.
    """
    more = {
        "timeline": {"start": "2001-01-01", "periods": 2, "step": "month"},
        "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
    }
    case = river(
        tmp_path, [20] * 365 + [12] * 365, more=more | WHOLE, by="regulated",
        flow_m3s={"months": [1], "value": 10 * M3S},
        goals=[{"meet": {"sectors": ["industry"]}}, {"meet": {}}],
    )  # fmt: skip
    solution, _ = solve(case)
    withdrawal = next(q for q in solution.period.quantities() if q.name == "withdrawal")
    taken = solution.value_of(withdrawal, "rice")
    assert taken[0] == pytest.approx([31 * 6, 28 * 8])
    assert taken[1] == pytest.approx([0, 28 * 8], abs=1e-6)


def test_soft_regulated(tmp_path):
    """Users first: 8, 1 and 8 of the 16, 1 and 8 that arrive; 6 are allowed on the first day."""
    case = river(tmp_path, goals=GOALS, soft={"goal": 3}, by="regulated", more=WHOLE)
    solution, values = solve(case)
    assert values["withdrawal"]["rice"] == pytest.approx([8, 1, 8])
    assert solution.stages[0][2].value == pytest.approx(2 + 1 + 8)


def test_regulated_needs_leave_of_the_case(tmp_path):
    with pytest.raises(InputError, match="E332 rule 'hands_off' makes decisions of yes or no"):
        build_period(river(tmp_path, by="regulated"))


def test_a_node_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"E313 .*'gage'; did you mean 'gauge'"):
        river(tmp_path, at="gage")


def test_golden(tmp_path):
    check_golden(river(tmp_path / "natural", share=0.5), GOLDEN)
    case = river(tmp_path, share=0.5, by="regulated", more=WHOLE)
    check_golden(case, GOLDEN.with_stem("hands_off_flow_regulated"))
