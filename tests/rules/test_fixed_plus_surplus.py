"""fixed_plus_surplus past a weir at which a farm takes what it may, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.basins import month_starts
from tests.small import check_golden, inflow, make_case, solve
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "fixed_plus_surplus.lp"


def weir(folder, inflows=(10, 20, 30), more=None, series=None, **rule):
    """``weir -> sea``; the farm at the weir asks 50 a day, more than comes.

    Unless the rule says so, 9 in all, and half of what comes beyond 40.
    """
    keys = {"fixed_hm3": 9, "share_of_surplus": 0.5, "reference_hm3": 40, "window": "horizon"}
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        rules=[{"rule": "fixed_plus_surplus", "name": "accord", "at": "weir"} | keys | rule],
        nodes=[
            {"name": "weir", "kind": "inflow"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[{"name": "river", "from": "weir", "to": "sea", "kind": "reach"}],
        demands=[{"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 50 * 365}],
        series=series or inflow(weir=inflows),
        more=more,
    )


def owed(case):
    """What the rule asks in each period, of each member."""
    (row,) = build_period(case).rule_rows
    return row.required.value.tolist()


def test_fixed_volume_and_a_share_of_what_comes_beyond(tmp_path):
    """60 come, 20 beyond 40: 9 + 10 = 19 go on, the farm has 41."""
    _, values = solve(weir(tmp_path))
    assert sum(values["flow_in"]["river"]) == pytest.approx(19)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(41)


def test_no_surplus_is_no_claim_on_those_below(tmp_path):
    """60 come of 100: the fixed 9 stay 9."""
    _, values = solve(weir(tmp_path, reference_hm3=100))
    assert sum(values["flow_in"]["river"]) == pytest.approx(9)


@pytest.mark.parametrize(("share", "part"), [(0.37, 3.7), (0.14, 1.4), (0.12, 1.2)])
def test_surplus_of_the_indus_accord(tmp_path, share, part):
    """Of a surplus of 10 Punjab and Sindh have 3.7 each, the north-west 1.4, Balochistan 1.2."""
    case = weir(tmp_path, fixed_hm3=0, reference_hm3=50, share_of_surplus=share)
    np.testing.assert_allclose(owed(case), [[part, 0, 0]])


def test_fixed_volume_alone(tmp_path):
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"maximise": {"quantity": "outflow"}}],
        rules=[{"rule": "fixed_plus_surplus", "at": "a", "fixed_hm3": 3, "window": "horizon"}],
        nodes=[{"name": "a", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "a", "to": "sea", "kind": "reach"}],
        series=inflow(a=[2, 2]),
    )
    assert owed(case) == [[3, 0]]


@pytest.mark.parametrize(
    ("exception", "volume"),
    [
        ({"natural_below_hm3": 61}, 10),
        ({"natural_below_hm3": 60}, 19),
        ({"natural_below_hm3": 61, "fixed_share": 0.5}, 14.5),
        ({"natural_below_share_of_mean": 0.65, "mean_hm3": 100}, 10),
        ({"natural_below_share_of_mean": 0.65, "mean_hm3": 90}, 19),
    ],
)
def test_dry_window_owes_less_of_the_fixed_part(tmp_path, exception, volume):
    """60 come; the 10 of the surplus stay owed."""
    assert owed(weir(tmp_path, exception=exception)) == [[volume, 0, 0]]


def months(first, volumes):
    """Series of monthly inflow: the volume [hm3] of each month at the weir."""
    starts = month_starts(first, len(volumes) + 1)
    length = np.diff(np.array(starts, "datetime64[D]")).astype(int)
    return {
        "inflow_hm3_day": {
            "date": starts[:-1],
            "weir": [float(v / n) for v, n in zip(volumes, length, strict=True)],
        }
    }


def monthly(start, periods, **hydrology):
    return {
        "timeline": {"start": start, "periods": periods, "step": "month"},
        "hydrology": {"record": "historic", **hydrology},
    }


def test_each_member_has_its_own_surplus_and_its_own_exception(tmp_path):
    """A season of two months: 20 + 30, 5 + 5, 40 + 50; the mean is 50, so 10 is dry (65 %)."""
    volumes = [20, 30, *[1] * 10, 5, 5, *[1] * 10, 40, 50]
    case = weir(
        tmp_path,
        [0, 0],
        series=months("2001-01", volumes),
        window="season",
        months=[1, 2],
        exception={"natural_below_share_of_mean": 0.65},
        more=monthly("2001-01-01", 2, members="all"),
    )
    np.testing.assert_allclose(owed(case), [[9 + 5, 0], [0, 0], [9 + 25, 0]])


def test_mean_is_of_the_same_window_of_the_calendar(tmp_path):
    """Two years: January 20 and 8 (mean 14, dry below 9.1), February 2 and 6 (mean 4, 2.6)."""
    volumes = [20, 2, *[1] * 10, 8, 6, *[1] * 10]
    case = weir(
        tmp_path,
        [0] * 24,
        series=months("2001-01", volumes),
        fixed_hm3=1,
        window="month",
        months=[1, 2],
        exception={"natural_below_share_of_mean": 0.65},
        more=monthly("2001-01-01", 24, members="all"),
    )
    expected = np.zeros(24)
    expected[[0, 13]] = 1
    np.testing.assert_allclose(owed(case), [expected])


def test_window_that_the_horizon_cuts_owes_nothing(tmp_path):
    """March to May of a season from February: only the whole one of the next year counts."""
    case = weir(
        tmp_path,
        [0] * 15,
        series=months("2001-03", [10] * 15),
        window="season",
        months=[2, 3, 4, 5],
        more=monthly("2001-03-01", 15, members="all"),
    )
    (row,) = build_period(case).rule_rows
    expected = np.zeros(15)
    expected[11] = 9
    np.testing.assert_allclose(row.required.value, [expected])


def test_mean_of_one_window_is_refused(tmp_path):
    case = weir(tmp_path, exception={"natural_below_share_of_mean": 0.65})
    with pytest.raises(CaseError) as caught:
        build_period(case)
    (fault,) = caught.value.faults
    assert fault.text == (
        "exception of rule 'accord' compares with the mean natural volume, but the case has only "
        "one such window; give mean_hm3, or more members"
    )
    assert fault.at.line > 0


def test_soft_accord_falls_short(tmp_path):
    """All 60 would be owed and 40 more, after the farm's 60 that come first: 100 are missing."""
    case = weir(tmp_path, fixed_hm3=100, reference_hm3=60, soft={"goal": 2})
    solution, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(60)
    assert solution.stages[0][1].value == pytest.approx(100)


def test_golden(tmp_path):
    check_golden(weir(tmp_path), GOLDEN)
