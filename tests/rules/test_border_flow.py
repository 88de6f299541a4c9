"""border_flow of a river that comes across the border, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "border_flow.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def border(folder, inflows=(10, 20, 30), rules=(), more=None, goals=({"meet": {}},), **rule):
    """``border -> town -> sea``; the town has 1 of its own, and a farm there asks 50 a day."""
    return make_case(
        folder,
        periods=len(inflows),
        goals=goals,
        rules=[{"rule": "border_flow", "name": "abroad", "nodes": ["border"]} | rule, *rules],
        nodes=[
            {"name": "border", "kind": "inflow"},
            {"name": "town", "kind": "inflow"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "border", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        demands=[{"name": "farm", "node": "town", "sector": "irrigation", "annual_hm3": 50 * 365}],
        series=inflow(border=inflows, town=[1] * len(inflows)),
        more=more,
    )


@pytest.mark.parametrize(
    ("rule", "comes"),
    [
        ({"share": 0.8}, [8, 16, 24]),
        ({"share": {"from": "01-02", "to": "01-02", "value": 0.5}}, [10, 10, 30]),
        ({"share": 0.8, "from": "2001-01-03"}, [10, 20, 24]),
        ({"share": 0.8, "to": "2001-01-01"}, [8, 20, 30]),
        ({"share": 1.5, "from": "2001-01-02", "to": "2001-01-02"}, [10, 30, 30]),
        ({"flow_m3s": 12 * M3S}, [12, 12, 12]),
        ({"flow_m3s": {"months": [2], "value": 12}}, [10, 20, 30]),
        ({"at_most_m3s": 15 * M3S}, [10, 15, 15]),
        ({"at_most_m3s": 15 * M3S, "from": "2001-01-03"}, [10, 20, 15]),
    ],
)
def test_inflow_of_the_results_is_the_assumed_one(tmp_path, rule, comes):
    _, values = solve(border(tmp_path, **rule))
    assert values["inflow"]["border"] == pytest.approx(comes)
    assert values["inflow"]["town"] == [1, 1, 1]
    assert values["withdrawal"]["farm"] == pytest.approx([c + 1 for c in comes])


def test_change_is_accounted_and_there_is_no_row(tmp_path):
    case = border(tmp_path, share=0.8)
    period = build_period(case)
    assert period.rule_rows == ()
    (report,) = period.model.reports
    assert (report.rule, report.item, report.name, report.units) == (
        "abroad", "", "changed_inflow", "hm3",
    )  # fmt: skip
    np.testing.assert_allclose(report.value, [[-2, -4, -6]])


def test_each_of_several_nodes(tmp_path):
    case = border(tmp_path, nodes=["border", "town"], share=0.5)
    period = build_period(case)
    _, values = solve(case)
    assert values["inflow"]["border"] == pytest.approx([5, 10, 15])
    assert values["inflow"]["town"] == pytest.approx([0.5, 0.5, 0.5])
    assert [report.item for report in period.model.reports] == ["border", "town"]


def test_a_second_clause_changes_what_the_first_left(tmp_path):
    """Half of 10, 20, 30, then no more than 8."""
    second = {"rule": "border_flow", "name": "dam", "nodes": ["border"], "at_most_m3s": 8 * M3S}
    _, values = solve(border(tmp_path, share=0.5, rules=[second]))
    assert values["inflow"]["border"] == pytest.approx([5, 8, 8])


def test_natural_flow_of_other_rules_is_the_assumed_one(tmp_path):
    """Also of a rule that stands before the clause: half of 8 + 1, 16 + 1, 24 + 1."""
    share = {"rule": "share_of_flow", "name": "delta", "at": "town", "share": 0.5}
    case = border(tmp_path / "after", share=0.8, rules=[share])
    (row,) = build_period(case).rule_rows
    np.testing.assert_allclose(row.required.value, [[4.5, 8.5, 12.5]])


def test_period_of_which_it_holds_on_some_days_has_both(tmp_path):
    """Ten days of 10; on the last three 4 in its place: 7 x 10 + 3 x 4; or 0.6 of it: 3 x 6."""
    more = {
        "timeline": {"start": "2001-01-01", "periods": 2, "step": "dekad"},
        "hydrology": {"record": "dates"},
    }
    in_place = {"flow_m3s": 4 * M3S, "from": "2001-01-08", "to": "2001-01-10"}
    _, values = solve(border(tmp_path / "flow", [10] * 20, more=more, **in_place))
    assert values["inflow"]["border"] == pytest.approx([82, 100])
    share = {"share": {"from": "01-08", "to": "01-10", "value": 0.6}}
    _, values = solve(border(tmp_path / "share", [10] * 20, more=more, **share))
    assert values["inflow"]["border"] == pytest.approx([88, 100])


def test_each_member_has_its_own_record(tmp_path):
    case = border(
        tmp_path,
        [10, 20, *[1] * 363, 40, 60],
        at_most_m3s=25 * M3S,
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "day"},
            "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
        },
    )
    m = build_period(case).model
    np.testing.assert_allclose(m.inflow["border"].value, [[10, 20], [25, 25]])


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"share": 0.8, "soft": {"goal": 1}}, "has no row that could be broken; remove soft"),
        ({"share": 0.8, "flow_m3s": 3}, "give one of share, flow_m3s and at_most_m3s"),
        ({"share": 80}, "share is 80; must be at most 10"),
        ({"nodes": ["sea"], "share": 0.8}, "unknown node with inflow 'sea'"),
        ({"share": 0.8, "from": "2001-02"}, "must be a date, as 2030-06-01"),
        (
            {"share": 0.8, "from": "2001-02-01", "to": "2001-01-01"},
            "holds from 2001-02-01 to 2001-01-01; must not end before it starts",
        ),
    ],
)
def test_faults(tmp_path, rule, text):
    with pytest.raises(CaseError) as caught:
        border(tmp_path, **rule)
    assert text in str(caught.value)


def test_golden(tmp_path):
    check_golden(border(tmp_path, at_most_m3s=15 * M3S, **{"from": "2001-01-03"}), GOLDEN)
