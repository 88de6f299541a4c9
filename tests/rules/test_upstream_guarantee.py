"""upstream_guarantee of two hill users against a delta that is served first, by hand."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import CaseError, Infeasible
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "upstream_guarantee.lp"


def valley(folder, inflows=(10, 20, 30), rules=(), more=None, **rule):
    """``hill -> gap -> delta -> sea``: at the hill rice 8 and homes 2, at the delta a field of 30.

    The delta comes first, and a mill of 5 draws from a canal that leaves the hill.
    """
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {"demands": ["field"]}}, {"meet": {}}],
        rules=[{"rule": "upstream_guarantee", "name": "hills"} | rule, *rules],
        nodes=[
            {"name": "hill", "kind": "inflow", "region": "north"},
            {"name": "works", "kind": "junction", "region": "north"},
            {"name": "gap", "kind": "control", "region": "north"},
            {"name": "delta", "kind": "junction", "region": "south"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "hill", "to": "gap", "kind": "reach"},
            {"name": "canal", "from": "hill", "to": "works", "kind": "canal"},
            {"name": "drain", "from": "works", "to": "sea", "kind": "reach"},
            {"name": "lower", "from": "gap", "to": "delta", "kind": "reach"},
            {"name": "mouth", "from": "delta", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": "rice", "node": "hill", "sector": "irrigation", "annual_hm3": 8 * 365},
            {"name": "homes", "node": "hill", "sector": "domestic", "annual_hm3": 2 * 365},
            {"name": "mill", "node": "works", "sector": "industry", "annual_hm3": 5 * 365},
            {"name": "field", "node": "delta", "sector": "irrigation", "annual_hm3": 30 * 365},
        ],
        series=inflow(hill=inflows),
        more=more,
    )


def taken(values, *demands):
    return [round(sum(v), 6) for v in zip(*(values["withdrawal"][d] for d in demands), strict=True)]


def test_users_above_a_section_keep_a_share_of_their_demand(tmp_path):
    """Six of the ten of rice and homes a day; the mill stands on a canal, not above the gap."""
    _, values = solve(valley(tmp_path, above="gap", share_of_demand=0.6, window="period"))
    assert taken(values, "rice", "homes") == [6, 6, 6]
    assert values["withdrawal"]["field"] == pytest.approx([4, 14, 24])
    assert values["withdrawal"]["mill"] == pytest.approx([0, 0, 0])


def test_group_by_region_has_the_mill_too(tmp_path):
    """Of 15 a day 40 % are 6."""
    case = valley(tmp_path, regions=["north"], share_of_demand=0.4, window="period")
    _, values = solve(case)
    assert taken(values, "rice", "homes", "mill") == [6, 6, 6]


def test_users_of_a_sector_above_the_section(tmp_path):
    case = valley(tmp_path, above="delta", sectors=["irrigation"], share_of_demand=0.5)
    period = build_period(case)  # its components name themselves only while it is there
    (row,) = period.rule_rows
    assert row.required.value[0].tolist() == pytest.approx([4, 4, 4])
    assert "rice" in str(row.achieved)
    assert "field" not in str(row.achieved)


def test_volume_over_the_horizon_is_taken_when_it_costs_the_delta_least(tmp_path):
    """15 in all of 60; the field has the other 45."""
    _, values = solve(valley(tmp_path, above="gap", volume_hm3=15, window="horizon"))
    assert sum(taken(values, "rice", "homes")) == 15
    assert sum(values["withdrawal"]["field"]) == pytest.approx(45)


def test_share_of_the_natural_flow_up_to_the_demand(tmp_path):
    """0.4 of 10, 20, 30 are 4, 8 and 12, of which 10 are asked."""
    case = valley(tmp_path, above="gap", share_of_natural_flow=0.4, window="period")
    (row,) = build_period(case).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([4, 8, 10])
    _, values = solve(case)
    assert taken(values, "rice", "homes") == [4, 8, 10]


def test_volume_above_the_demand_guarantees_the_demand_and_warns(tmp_path, caplog):
    case = valley(tmp_path, demands=["homes"], volume_hm3=7, window="horizon")
    with caplog.at_level(logging.WARNING):
        (row,) = build_period(case).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([6, 0, 0])
    assert "hills: volume_hm3 7 is more than the users ask in some window (6 hm3)" in caplog.text


def test_year_that_the_horizon_cuts_owes_no_volume(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, values = solve(valley(tmp_path, above="gap", volume_hm3=15))
    assert "the rule is silent in it" in caplog.text
    assert sum(values["withdrawal"]["field"]) == pytest.approx(60)


def test_soft_guarantee_after_the_delta_falls_short(tmp_path):
    """The field takes all 60; 18 of the hill's 30 are guaranteed, and missing."""
    case = valley(tmp_path, above="gap", share_of_demand=0.6, window="horizon", soft={"goal": 2})
    solution, values = solve(case)
    assert sum(values["withdrawal"]["field"]) == pytest.approx(60)
    assert solution.stages[0][1].value == pytest.approx(18)


def test_hard_delivery_and_hard_guarantee_cannot_both_be_kept(tmp_path):
    """On the first day 8 for the delta and 6 for the hill are 14, and 10 come."""
    delivery = {"rule": "minimum_delivery", "name": "delta", "at": "gap", "volume_hm3": 52,
                "window": "horizon"}  # fmt: skip
    case = valley(tmp_path, above="gap", share_of_demand=0.6, window="horizon", rules=[delivery])
    with pytest.raises(Infeasible):
        solve(case)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"share_of_demand": 0.5}, "names no users; give above, or a group of users"),
        ({"above": "gap"}, "give one of volume_hm3, share_of_demand and share_of_natural_flow"),
        (
            {"regions": ["north"], "share_of_natural_flow": 0.5},
            "has share_of_natural_flow but no section; give above",
        ),
        (
            {"above": "gap", "regions": ["south"], "share_of_demand": 0.5},
            "none of these users stands above 'gap'; widen the lists",
        ),
    ],
)
def test_faults(tmp_path, rule, text):
    with pytest.raises(CaseError) as caught:
        valley(tmp_path, **rule)
    assert text in str(caught.value)


def test_golden(tmp_path):
    check_golden(valley(tmp_path, above="gap", share_of_natural_flow=0.4, window="period"), GOLDEN)
