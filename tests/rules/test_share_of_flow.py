"""share_of_flow past a section below a lake and a farm, by hand."""

from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "share_of_flow.lp"


def river(folder, inflows=(10, 20, 30), more=None, lake=None, **rule):
    """``head -> lake -> weir -> sea`` and a creek into the weir, where a farm asks 40 a day.

    The lake starts empty and may hold 50.
    """
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        rules=[{"rule": "share_of_flow", "name": "share", "at": "weir"} | rule],
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "side", "kind": "inflow"},
            {"name": "weir", "kind": "control"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "weir", "kind": "reach"},
            {"name": "creek", "from": "side", "to": "weir", "kind": "reach"},
            {"name": "lower", "from": "weir", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 50, "initial_hm3": 0, **(lake or {})}
        ],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 40 * 365}],
        series=inflow(head=inflows, side=[2] * len(inflows)),
        more=more,
    )


def test_share_of_the_natural_flow_in_each_period(tmp_path):
    """A quarter of 12, 22, 32 goes on: 3, 5.5, 8; the farm has what is left of 66: 49.5."""
    _, values = solve(river(tmp_path, share=0.25))
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(66 - 16.5)
    for passed, least in zip(values["flow_in"]["lower"], (3, 5.5, 8), strict=True):
        assert passed >= least - 1e-9


def test_required_is_a_number_that_storage_does_not_change(tmp_path):
    (row,) = build_period(river(tmp_path, share=0.25)).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([3, 5.5, 8])


def test_share_of_what_arrives_follows_the_release(tmp_path):
    """The lake keeps 25 for later, so less arrives and less goes on; a quarter of all that comes.

    It must hold 25 at the end: 41 of 66 arrive, 10.25 go on, the farm has 30.75.
    """
    case = river(tmp_path, share=0.25, of="regulated", lake={"target_hm3": 25})
    _, values = solve(case)
    farm, lower = values["withdrawal"]["farm"], values["flow_in"]["lower"]
    assert sum(farm) == pytest.approx(30.75)
    for taken, passed in zip(farm, lower, strict=True):
        assert passed >= 0.25 * (taken + passed) - 1e-9


def test_natural_share_is_owed_whatever_is_stored(tmp_path):
    """As before, but by nature 16.5 of 66 go on: with 25 kept the farm has 24.5."""
    _, values = solve(river(tmp_path, share=0.25, lake={"target_hm3": 25}))
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(66 - 25 - 16.5)


@pytest.mark.parametrize(("share", "passed"), [(0.58, 290), (0.42, 210)])
def test_euphrates_at_the_border(tmp_path, share, passed):
    """Of 500 that pass the border 58 % go on to Iraq, 42 % are Syria's."""
    period = build_period(river(tmp_path, [498], share=share, of="regulated"))
    m, (row,) = period.model, period.rule_rows
    for link, volume in {"outlet": 498, "creek": 2, "lower": passed}.items():
        m.flow[link].set_value(volume, skip_validation=True)
    np.testing.assert_allclose(pyo.value(row.achieved), 0, atol=1e-9)


def test_flow_measured_at_two_tributaries(tmp_path):
    """Half of what the creek and the head bring; of the creek alone, 1 a day."""
    (row,) = build_period(river(tmp_path / "a", share=0.5, measured_at=["head", "side"])).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([6, 11, 16])
    (row,) = build_period(river(tmp_path / "b", share=0.5, measured_at=["side"])).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([1, 1, 1])


def test_over_a_window_more_on_one_day_makes_up_for_less_on_another(tmp_path):
    """On the first day all 12 may be taken: 5.5 of 22 and 8 of 32, and 3, later."""
    case = river(tmp_path, share=0.25, window="year", lake={"normal_hm3": 0})
    _, values = solve(case)
    assert values["withdrawal"]["farm"][0] == pytest.approx(12)
    assert sum(values["flow_in"]["lower"]) == pytest.approx(16.5)


def test_days_without_a_share_ask_nothing(tmp_path):
    share = {"from": "01-02", "to": "01-02", "value": 0.5}
    case = river(tmp_path, share=share, lake={"normal_hm3": 0})
    _, values = solve(case)
    assert values["flow_in"]["lower"] == pytest.approx([0, 11, 0])


def test_half_a_dekad_has_half_the_share(tmp_path):
    """Five of ten days ask 0.4: 0.2 of the dekad's 120."""
    case = river(
        tmp_path,
        inflows=[10] * 20,
        share={"from": "01-06", "to": "01-10", "value": 0.4},
        more={
            "timeline": {"start": "2001-01-01", "periods": 1, "step": "dekad"},
            "hydrology": {"record": "dates"},
        },
    )
    (row,) = build_period(case).rule_rows
    assert row.required.value[0].tolist() == pytest.approx([24])


def test_soft_share_falls_short(tmp_path):
    """All of the 36 that come in a day are asked for, and a lake that is to hold 30 keeps 30."""
    case = river(tmp_path, [34], share=1, lake={"target_hm3": 30}, soft={"goal": 1})
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(30)
    assert values["withdrawal"]["farm"] == pytest.approx([0])


def test_soft_share_of_what_arrives(tmp_path):
    """After the farm, which takes all 12, nothing is left of the half that should go on: 6."""
    case = river(tmp_path, [10], share=0.5, of="regulated", soft={"goal": 2})
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([12])
    assert solution.stages[0][1].value == pytest.approx(6)


def test_members_owe_their_own(tmp_path):
    case = river(
        tmp_path,
        inflows=[10, 20] + [0] * 363 + [40, 50],
        share=0.5,
        measured_at=["head"],
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "day"},
            "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
        },
    )
    (row,) = build_period(case).rule_rows
    assert row.required.value.tolist() == [[5, 10], [20, 25]]


def test_accounts_of_the_regulated_share(tmp_path):
    case = river(tmp_path, share=0.25, of="regulated")
    assert {(r.rule, r.name) for r in build_period(case).model.reports} == {
        ("share", "delivered"),
        ("share", "shared_flow"),
    }


def test_share_above_one_is_a_fault(tmp_path):
    with pytest.raises(CaseError) as caught:
        river(tmp_path, share=[0.5, {"months": [2], "value": 1.2}])
    (fault,) = caught.value.faults
    assert (fault.code, fault.text) == ("E303", "share is 1.2; must be at most 1")


def test_golden(tmp_path):
    share = [0.25, {"from": "01-03", "to": "01-03", "value": 0.5}]
    check_golden(river(tmp_path, share=share, of="regulated", window="year"), GOLDEN)
