"""Natural flow, and what arrives at a node, by hand."""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.small import inflow, make_case, solve
from wateralloc.errors import CaseError
from wateralloc.parts.link import river_flow
from wateralloc.period import build_period
from wateralloc.rules.flows import (
    arriving,
    check_natural,
    natural_flow,
    natural_over,
    nodes_above,
    users_above,
)

M3S = 1 / 0.0864  # one hm3 a day as a flow


def node(name, kind="junction"):
    return {"name": name, "kind": kind}


def link(name, start, end, kind="reach", **more):
    return {"name": name, "from": start, "to": end, "kind": kind, **more}


def basin(folder, inflows=(10, 20, 30), side=(1, 2, 3), upper=None, links=(), **more):
    """``head -> lake -> weir -> sea``, with a side river, a canal back, a farm and a town.

    Half of `upper` is lost, and the lake stores: nature knows neither.
    """
    return make_case(
        folder,
        periods=len(inflows),
        goals=[{"meet": {}}],
        nodes=[
            node("head", "inflow"), node("lake", "reservoir"), node("side", "inflow"),
            node("weir"), node("town"), node("sea", "sink"),
        ],
        links=[
            link("upper", "head", "lake", loss_fraction=0.5, **(upper or {})),
            link("turbine", "lake", "weir", "turbine"),
            link("spillway", "lake", "weir", "spillway"),
            link("creek", "side", "weir"),
            link("canal", "side", "town", "canal"),
            link("lower", "weir", "sea"),
            link("drain", "town", "sea"),
            *links,
        ],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 50, "initial_hm3": 20}],
        demands=[
            {"name": "farm", "node": "head", "sector": "irrigation", "annual_hm3": 365},
            {"name": "mill", "node": "weir", "sector": "industry", "annual_hm3": 365,
             "consumption_fraction": 0.2, "return_to": "weir"},
            {"name": "homes", "node": "town", "sector": "domestic", "annual_hm3": 365},
        ],
        series=inflow(head=inflows, side=side),
        **more,
    )  # fmt: skip


def natural(case, at):
    return natural_flow(build_period(case).model, case, at)[0].tolist()


def test_inflow_of_all_nodes_above_without_lakes_uses_losses_and_canals(tmp_path):
    case = basin(tmp_path)
    assert natural(case, "lake") == pytest.approx([10, 20, 30])
    assert natural(case, "weir") == pytest.approx([11, 22, 33])
    assert natural(case, "sea") == pytest.approx([11, 22, 33])
    assert natural(case, "town") == [0, 0, 0]
    m = build_period(case).model
    assert natural_over(m, case, ["head", "side"])[0].tolist() == pytest.approx([11, 22, 33])


def test_lag_of_whole_periods_and_of_hours(tmp_path):
    """Before the horizon it flowed as in the first period: 10; of 12 hours half comes a day on."""
    whole = basin(tmp_path / "whole", upper={"lag_periods": 1})
    assert natural(whole, "lake") == pytest.approx([10, 10, 20])
    hours = basin(tmp_path / "hours", upper={"lag_h": 36})
    assert natural(hours, "lake") == pytest.approx([10, 10, 15])


def test_storage_of_a_channel(tmp_path):
    """K of a day, x = 0: storage equals the outflow of the day, so half of what is there leaves.

    10 stored; out (10 + 10) / 2 = 10, (10 + 20) / 2 = 15, (15 + 30) / 2 = 22.5.
    """
    case = basin(tmp_path, upper={"muskingum_k_h": 24})
    assert natural(case, "lake") == pytest.approx([10, 15, 22.5])


def test_lag_and_storage_of_a_channel(tmp_path):
    """With a lag of 10 h and x = 0.3, step by step: storage = k (x in + (1 - x) out)."""
    case = basin(tmp_path, upper={"muskingum_k_h": 30, "muskingum_x": 0.3, "lag_h": 10})
    expected, stored, before = [], 10 * 30 / 24, 10.0
    for now in (10, 20, 30):
        lagged = before * 10 / 24 + now * 14 / 24
        k_in, k_out = 30 * 0.3 / 24, 30 * 0.7 / 24
        out = (stored + lagged - k_in * lagged) / (1 + k_out)
        stored = k_in * lagged + k_out * out
        expected.append(out)
        before = now
    assert natural(case, "lake") == pytest.approx(expected)


def test_lag_goes_by_the_true_length_of_dekads(tmp_path):
    """Dekads of 10, 10, 11 days of 1, 2, 3 hm3 a day; 5 days on the way: 5 + 5, 5 + 10, 10 + 18."""
    days = [1] * 10 + [2] * 10 + [3] * 11
    case = basin(
        tmp_path,
        inflows=days,
        side=[0] * 31,
        upper={"lag_h": 120},
        more={
            "timeline": {"start": "2001-01-01", "periods": 3, "step": "dekad"},
            "hydrology": {"record": "dates"},
        },
    )
    assert natural(case, "lake") == pytest.approx([10, 15, 28])


def fork(folder, splits, curves=(), links=(), **more):
    """``head`` divides into ``left`` and ``right``; the left one joins the sea at the gate."""
    return make_case(
        folder,
        periods=2,
        goals=[{"minimise": {"quantity": "flow_in", "of": ["left"]}}],
        nodes=[node("head", "inflow"), node("gate"), node("port"), node("sea", "sink")],
        links=[
            link("left", "head", "gate", "distributary"),
            link("right", "head", "port", "distributary"),
            link("gates", "gate", "sea"),
            link("mouth", "port", "sea"),
            *links,
        ],
        **({"splits": [{"node": "head", **row} for row in splits]} if splits else {}),
        **({"curves": curves} if curves else {}),
        series=inflow(head=[10, 20]),
        **more,
    )


def test_branch_has_its_share_and_the_other_the_rest(tmp_path):
    case = fork(tmp_path, [{"name": "to_left", "link": "left", "share_fraction": 0.3}])
    assert natural(case, "gate") == pytest.approx([3, 6])
    assert natural(case, "port") == pytest.approx([7, 14])
    assert natural(case, "sea") == pytest.approx([10, 20])


def test_branch_by_a_curve_of_the_natural_flow(tmp_path):
    """Half of the first 10 hm3 a day, and all above: 5 of 10, 15 of 20."""
    points = [(0, 0), (10, 5), (20, 15)]
    curves = [
        {"curve": "left", "x": x * M3S, "y": y * M3S, "x_unit": "m3s", "y_unit": "m3s"}
        for x, y in points
    ]
    case = fork(tmp_path, [{"name": "to_left", "link": "left", "curve": "left"}], curves)
    assert natural(case, "gate") == pytest.approx([5, 15])
    assert natural(case, "port") == pytest.approx([5, 5])


def test_branch_by_the_riverbed_of_the_case(tmp_path):
    splits = [
        {"name": "old", "link": "left", "share_fraction": 0.3, "to_year": 2000},
        {"name": "new", "link": "left", "share_fraction": 0.4, "from_year": 2001},
    ]
    assert natural(fork(tmp_path / "new", splits), "gate") == pytest.approx([4, 8])
    case = fork(tmp_path / "old", splits, more={"riverbed": 1995})
    assert natural(case, "gate") == pytest.approx([3, 6])


def test_members_have_their_own(tmp_path):
    case = basin(
        tmp_path,
        inflows=[10, 20, 30] + [0] * 362 + [40, 50, 60],
        side=[0] * 368,
        more={
            "timeline": {"start": "2001-01-01", "periods": 3, "step": "day"},
            "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
        },
    )
    m = build_period(case).model
    assert natural_flow(m, case, "weir").tolist() == [[10, 20, 30], [40, 50, 60]]


def test_fork_that_nothing_fixes_is_refused(tmp_path):
    free = fork(tmp_path / "free", []).basin
    assert check_natural(free, "head") == []
    ((key, code, text),) = check_natural(free, "port", "measured_at")
    assert (key, code) == ("measured_at", "E320")
    assert text == (
        "natural flow at 'port' cannot be known: at 'head' the river divides among left, right "
        "without a split; add shares to splits.csv (all but one branch), or choose a node above "
        "the fork"
    )
    within = [{"name": "to_left", "link": "left", "maximum_share_fraction": 0.3}]
    ((_, _, text),) = check_natural(fork(tmp_path / "within", within).basin, "gate")
    assert text == (
        "natural flow at 'gate' cannot be known: at 'head' split 'to_left' leaves the share of "
        "'left' free within limits; give it a share or a curve, or choose a node above the fork"
    )


def test_circle_is_refused(tmp_path):
    back = [link("tide", "port", "head", cost_vnd_m3=1)]
    split = [{"name": "to_left", "link": "left", "share_fraction": 0.3}]
    ((_, code, text),) = check_natural(fork(tmp_path, split, links=back).basin, "gate")
    assert code == "E320"
    assert text == (
        "natural flow at 'gate' cannot be known: the river runs in a circle through head, port; "
        "choose a node above them"
    )


def test_node_that_is_not_there_has_a_fault_of_its_own(tmp_path):
    assert check_natural(basin(tmp_path).basin, "nowhere") == []


def test_nodes_and_users_above(tmp_path):
    of = basin(tmp_path).basin
    assert nodes_above(of, "weir") == {"head", "lake", "side"}
    assert nodes_above(of, "town") == set()
    assert users_above(of, "weir") == ["farm"]
    assert users_above(of, "sea") == ["farm", "mill", "homes"]


def test_works_and_groundwater_are_not_of_nature(tmp_path):
    case = basin(
        tmp_path,
        links=[link("tunnel", "side", "lake", "reach", capacity_hm3_day=1)],
        works=[{"name": "scheme", "link": "tunnel"}],
        more={"works": {"scheme": "2001-01-01"}},
    )
    assert natural(case, "lake") == pytest.approx([10, 20, 30])


def test_arriving_is_what_links_inflow_and_returns_bring(tmp_path):
    case = basin(tmp_path)
    m = build_period(case).model
    for k in m.link:
        m.flow[k].set_value(7.0, skip_validation=True)
    m.withdrawal["mill"].set_value(0.5, skip_validation=True)
    m.storage_start["lake"].set_value(20.0, skip_validation=True)
    at_weir = pyo.value(arriving(m, case, "weir"))
    assert np.allclose(at_weir, 3 * 7 + 0.8 * 0.5)
    assert np.allclose(pyo.value(arriving(m, case, "side")), [1, 2, 3])
    assert np.allclose(pyo.value(arriving(m, case, "lake")), 3.5)


@pytest.mark.parametrize("step", ["day", "dekad"])
def test_river_without_uses_carries_its_natural_flow(tmp_path, step):
    """What the program itself sends down an untouched river, with lags, storage and a fork."""
    n = 12 if step == "day" else 59
    rise = np.random.default_rng(3).uniform(5, 25, n).round(3).tolist()
    if step == "dekad":  # even within the first dekad, as before it
        rise[:10] = [10.0] * 10
    first = rise[0]
    case = make_case(
        tmp_path,
        periods=n if step == "day" else 6,
        goals=[{"maximise": {"quantity": "outflow"}}],
        nodes=[
            node("head", "inflow"), node("fork"), node("left"), node("right"), node("sea", "sink"),
        ],
        links=[
            link("upper", "head", "fork", lag_h=31, muskingum_k_h=20, muskingum_x=0.2,
                 initial_hm3_day=first),
            link("west", "fork", "left", "distributary", lag_periods=0.5,
                 initial_hm3_day=0.3 * first),
            link("east", "fork", "right", "distributary"),
            link("east_mouth", "right", "sea", muskingum_k_h=50, initial_hm3_day=0.7 * first),
            link("west_mouth", "left", "sea", lag_h=20, initial_hm3_day=0.3 * first),
        ],
        splits=[{"name": "to_west", "node": "fork", "link": "west", "share_fraction": 0.3}],
        series=inflow(head=rise),
        more={
            "timeline": {"start": "2001-01-01", "periods": n if step == "day" else 6, "step": step},
            "hydrology": {"record": "dates"},
        },
    )  # fmt: skip
    solution, _ = solve(case)
    m = solution.period.model
    for at in ("head", "fork", "left", "right", "sea"):
        carried = solution.value(river_flow(m, at))
        np.testing.assert_allclose(natural_flow(m, case, at), carried, rtol=1e-9)


def test_rule_that_needs_it_tells_where_it_stands(tmp_path):
    rule = {"rule": "share_of_flow", "name": "gates", "at": "gate", "share": 0.5}
    with pytest.raises(CaseError) as caught:
        fork(tmp_path, [], rules=[rule])
    (fault,) = caught.value.faults
    assert fault.code == "E320"
    assert fault.at.line > 0
