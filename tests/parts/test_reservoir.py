"""Reservoir above a user and the sea: storage, limits by date, evaporation, target; by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, days, inflow, make_case, solve
from wateralloc.basin import Curve
from wateralloc.errors import CaseError, TableError, TopologyError
from wateralloc.horizon import Horizon
from wateralloc.parts.reservoir import area_line, storage_limits
from wateralloc.period import build_period
from wateralloc.solve import Stages

GOLDEN = Path(__file__).parent / "golden" / "reservoir.lp"


def lake(
    folder,
    inflows=(10, 0, 0),
    asked=5,
    *,
    goal=None,
    more=None,
    series=None,
    curves=(),
    patterns=(),
    works=(),
    **reservoir,
):
    row = {"name": "lake", "dead_hm3": 10, "normal_hm3": 100, "initial_hm3": 20, **reservoir}
    tables = {"curves": curves, "patterns": patterns, "works": works}
    return make_case(
        folder,
        periods=len(inflows),
        goals=[goal or {"meet": {}}],
        more=more,
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"},
            {"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[row],
        demands=[{"name": "town", "node": "lake", "sector": "domestic", "annual_hm3": asked * 365}],
        series=inflow(lake=inflows) | (series or {}),
        **{name: rows for name, rows in tables.items() if rows},
    )


def test_storage_carries_water_and_ends_at_the_target(tmp_path):
    """20 + 10 in store, 20 must be left: 10 of the 15 asked can be met, whenever."""
    solution, values = solve(lake(tmp_path))
    assert solution.stages[0][0].value == pytest.approx(5 / 15)
    assert sum(values["withdrawal"]["town"]) == pytest.approx(10)
    assert values["storage_start"]["lake"][0] == 20
    assert values["storage_start"]["lake"][1:] == values["storage_end"]["lake"][:-1]
    assert values["storage_end"]["lake"][-1] == 20


def test_target_below_the_start_frees_water_down_to_dead_storage(tmp_path):
    _, values = solve(lake(tmp_path, inflows=(0, 0, 0), asked=5, target_hm3=10))
    assert sum(values["withdrawal"]["town"]) == pytest.approx(10)
    assert values["storage_end"]["lake"][-1] == 10


def test_flood_limit_is_read_on_the_last_day_of_the_period(tmp_path):
    """Limit 25 from 2 January on: of 20 + 10 on day 1, 30 is kept; on day 2 it falls to 25."""
    patterns = [
        {"pattern": "limit", "start": "01-01", "value": 60, "unit": "hm3"},
        {"pattern": "limit", "start": "01-02", "value": 25, "unit": "hm3"},
    ]
    case = lake(tmp_path, asked=0, patterns=patterns, flood_limit_hm3="pattern:limit")
    _, values = solve(case)
    limits = [60, 25, 25]
    assert all(s <= limit for s, limit in zip(values["storage_end"]["lake"], limits, strict=True))
    assert case.attribute("reservoirs", "flood_limit", at_end=True)["lake"].tolist() == [limits]


STEP = [
    {"pattern": "limit", "start": "01-01", "value": 15, "unit": "hm3"},
    {"pattern": "limit", "start": "01-02", "value": 25, "unit": "hm3"},
]


def test_minimum_storage_is_kept_at_the_end_of_the_period(tmp_path):
    """At least 15 on 1 January and 25 on the 2nd and 3rd: of 20 + 10 the town gets 5, not 10."""
    case = lake(
        tmp_path, asked=9, patterns=STEP, minimum_storage_hm3="pattern:limit", target_hm3=10
    )
    solution, values = solve(case)
    assert sum(values["withdrawal"]["town"]) == pytest.approx(5)
    assert solution.stages[0][0].value == pytest.approx(22 / 27)
    assert all(s >= low for s, low in zip(values["storage_end"]["lake"], (15, 25, 25), strict=True))


def test_target_band_at_the_end(tmp_path):
    """20 + 90 come, at most 60 may be left: 50 go down, although storing them is the goal."""
    case = lake(
        tmp_path,
        inflows=(90, 0),
        asked=0,
        goal={"maximise": {"quantity": "storage_end", "when": "last"}},
        target_maximum_hm3=60,
        target_hm3=30,
    )
    _, values = solve(case)
    assert values["storage_end"]["lake"][-1] == 60
    assert sum(values["outflow"]["sea"]) == pytest.approx(50)


def test_storage_loss_is_a_share_of_what_was_stored(tmp_path):
    """A fifth is lost on day 2, a tenth is gained on day 3; nothing else leaves."""
    series = {"storage_loss_fraction": {"date": days(3), "lake": [0, 0.2, -0.1]}}
    case = lake(tmp_path, asked=0, goal={"maximise": "storage_end"}, series=series, target_hm3=10)
    _, values = solve(case)
    assert values["storage_loss"]["lake"] == [0, 6, -2.4]
    assert values["storage_end"]["lake"] == [30, 24, 26.4]


def test_reservoir_without_normal_storage_has_no_limit(tmp_path):
    case = lake(tmp_path, (500, 0, 0), goal={"maximise": "storage_end"}, asked=0, normal_hm3=None)
    _, values = solve(case)
    assert values["storage_end"]["lake"] == [520, 520, 520]


def test_closed_lake_needs_no_way_out(tmp_path):
    """A lake without a limit takes what comes; one with a limit would have to overflow."""

    def closed(folder, **size):
        return make_case(
            folder,
            periods=2,
            goals=[{"maximise": "storage_end"}],
            nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "head", "kind": "inflow"},
                   {"name": "sea", "kind": "sink"}],
            links=[{"name": "in", "from": "head", "to": "lake", "kind": "reach"},
                   {"name": "by", "from": "head", "to": "sea", "kind": "reach"}],
            reservoirs=[{"name": "lake", "dead_hm3": 0, "initial_hm3": 1, **size}],
            series=inflow(head=[3, 4]),
        )  # fmt: skip

    _, values = solve(closed(tmp_path / "free"))
    assert values["storage_end"]["lake"] == [4, 8]
    with pytest.raises(TopologyError, match="E252 water cannot leave 'lake'"):
        closed(tmp_path / "full", normal_hm3=9)


def test_release_and_spill_are_told_apart(tmp_path):
    case = lake(tmp_path, asked=0)
    _, values = solve(case)
    assert values["release"]["lake"] == values["flow_in"]["outlet"]
    assert values["spill"]["lake"] == values["flow_in"]["weir"]


CURVE = [
    {"curve": "lake", "x": x, "y": area, "x_unit": "hm3", "y_unit": "km2"}
    for x, area in ((10, 2.0), (100, 11.0))
]


def test_evaporation_on_the_mean_of_the_area_at_both_ends(tmp_path):
    """Area = 1 + 0.1 S. 100 mm a day, nothing in or out but evaporation e:
    e = 0.1 (1 + 0.1 (S + S - e) / 2), so e = (0.1 + 0.01 S) / 1.005 with S = 20: 0.298507...
    The target of 10 leaves the rest to the town, which asks nothing."""
    case = lake(
        tmp_path,
        inflows=(0,),
        asked=0,
        curves=CURVE,
        curve="lake",
        evaporation_mm_day=100,
        target_hm3=10,
    )
    _, values = solve(case)
    start, end = values["storage_start"]["lake"][0], values["storage_end"]["lake"][0]
    evaporated = values["evaporation"]["lake"][0]
    assert evaporated == pytest.approx(0.1 * (1 + 0.1 * (start + end) / 2), abs=1e-9)
    out = values["outflow"]["sea"][0]
    assert start - end - evaporated - out == pytest.approx(0, abs=1e-9)


LAST = {"maximise": {"quantity": "storage_end", "when": "last"}}


def test_rain_and_seepage_fall_on_the_same_lake(tmp_path):
    """Area = 1 + 0.1 S, 100 mm a day of rain and 300 mm of seepage that reach the sea below ground.

    Kept whole, S falls from 20 by x = 0.2 (1 + 0.1 (20 - x / 2)) = 0.6 - 0.01 x to 20 - 0.6 / 1.01;
    rain is half of x, seepage one and a half of it.
    """
    case = lake(
        tmp_path,
        inflows=(0,),
        asked=0,
        goal=LAST,
        curves=CURVE,
        curve="lake",
        rain_mm_day=100,
        seepage_mm_day=300,
        seepage_to="sea",
        target_hm3=10,
    )
    solution, values = solve(case)
    x = 0.6 / 1.01
    assert values["storage_end"]["lake"] == pytest.approx([20 - x])
    assert values["rain"]["lake"] == pytest.approx([x / 2])
    assert values["seepage"]["lake"] == pytest.approx([1.5 * x])
    assert values["outflow"]["sea"] == values["seepage"]["lake"]
    signs = {name: sign for name, (sign, _) in solution.period.balance["sea"].items()}
    assert signs == {"link_in": 1, "seepage_in": 1, "link_out": -1}


def test_seepage_without_a_node_is_lost(tmp_path):
    case = lake(
        tmp_path, asked=0, goal=LAST, curves=CURVE, curve="lake", seepage_mm_day=300, target_hm3=10
    )
    solution, values = solve(case)
    assert "seepage_in" not in solution.period.balance["sea"]
    lost = sum(values["seepage"]["lake"])
    assert values["storage_end"]["lake"][-1] == pytest.approx(30 - lost)


BENT = [
    {"curve": "lake", "x": x, "y": area, "x_unit": "hm3", "y_unit": "km2"}
    for x, area in ((10, 2.0), (40, 8.0), (100, 11.0))
]


def bent(folder, more=None):
    return lake(
        folder,
        inflows=(0,),
        asked=0,
        goal=LAST,
        more=more,
        curves=BENT,
        curve="lake",
        evaporation_mm_day=100,
        initial_hm3=70,
        target_hm3=10,
    )


def test_area_follows_the_curve_from_pass_to_pass(tmp_path):
    """Above 40 hm3 the area is 6 + 0.05 S.  100 mm a day on a full lake of 70 hm3, all kept:
    e = 0.1 (6 + 0.05 (70 - e / 2)) = 0.95 - 0.0025 e, so e = 0.95 / 1.0025."""
    exactly = {"linearisation": {"passes": 15, "tolerance": 1e-8}}
    solution, values = solve(bent(tmp_path, more=exactly))
    assert values["evaporation"]["lake"] == pytest.approx([0.95 / 1.0025], abs=1e-8)
    assert values["storage_end"]["lake"] == pytest.approx([70 - 0.95 / 1.0025], abs=1e-8)
    assert solution.convergence[0].is_reached


def test_lake_that_never_changes_has_one_area(tmp_path):
    """Dead and normal storage are both 20: 100 mm a day on 3 km2, which the inflow of 1 bears."""
    full = {"dead_hm3": 20, "normal_hm3": 20, "initial_hm3": 20, "evaporation_mm_day": 100}
    _, values = solve(lake(tmp_path, (1, 1), 0, curves=CURVE, curve="lake", **full))
    assert values["evaporation"]["lake"] == pytest.approx([0.3, 0.3])
    assert values["outflow"]["sea"] == pytest.approx([0.7, 0.7])


def test_area_is_the_line_of_least_squares_when_it_is_fixed(tmp_path):
    curve = Curve("lake", {"area": (np.array([10.0, 40.0, 100.0]), np.array([2.0, 8.0, 11.0]))})
    at_zero, slope = area_line(curve, 10, 100)
    _, values = solve(bent(tmp_path, more={"linearisation": "fixed"}))
    e = 0.1 * (at_zero + slope * 70) / (1 + 0.1 * slope / 2)
    assert values["evaporation"]["lake"] == pytest.approx([e])
    assert abs(e - 0.95 / 1.0025) > 0.01


# --- works ----------------------------------------------------------------------------------------

DAM = [{"name": "dam", "reservoir": "lake"}]


def new_dam(folder, inflows=(4,) * 6, opens="2001-01-02", **reservoir):
    row = {"dead_hm3": 10, "initial_hm3": 0, "filling_days": 3, **reservoir}
    more = {"works": {"dam": opens}} if opens else None
    return lake(folder, inflows, asked=0, goal=LAST, more=more, works=DAM, **row)


def test_new_reservoir_is_empty_before_it_opens_and_then_fills(tmp_path):
    """It opens on 2 January and fills by 4 hm3 a day; dead storage must be there on the 4th."""
    case = new_dam(tmp_path)
    least, most = storage_limits(case)
    assert least["lake"].tolist() == [[0, 0, 0, 10, 10, 10]]
    assert most["lake"].tolist() == [[0, 100, 100, 100, 100, 100]]
    _, values = solve(case)
    assert values["outflow"]["sea"][0] == 4
    assert values["storage_end"]["lake"][-1] == pytest.approx(20)


def test_nothing_evaporates_from_a_reservoir_that_is_not_there(tmp_path):
    curve = [{**CURVE[0], "x": 0, "y": 1.0}, CURVE[1]]
    case = new_dam(tmp_path, curves=curve, curve="lake", evaporation_mm_day=100)
    _, values = solve(case)
    assert values["evaporation"]["lake"][0] == 0
    assert all(e > 0 for e in values["evaporation"]["lake"][1:])


def test_reservoir_of_a_work_that_the_case_leaves_out_keeps_nothing(tmp_path):
    _, values = solve(new_dam(tmp_path, opens=None))
    assert values["storage_end"]["lake"] == [0] * 6
    assert values["outflow"]["sea"] == [4] * 6


def test_work_that_is_open_from_the_start_may_hold_water_then(tmp_path):
    case = new_dam(tmp_path, opens="2000-01-01", initial_hm3=20)
    assert storage_limits(case)[0]["lake"].tolist() == [[10, 10, 10, 10, 10, 20]]


def test_work_that_is_still_to_open_cannot_hold_water_at_the_start(tmp_path):
    with pytest.raises(CaseError) as caught:
        solve(new_dam(tmp_path, initial_hm3=20))
    assert str(caught.value).endswith(
        "reservoirs.csv:2:13: E241 initial storage of 'lake' is 20 hm3 but its work is not open on "
        "2001-01-01, where the horizon starts; must be 0 in this case"
    )


def test_curve_of_a_new_reservoir_must_start_at_no_storage(tmp_path):
    with pytest.raises(TableError, match=r"covers 10 to 100 hm3; 'lake' needs 0 to 100"):
        new_dam(tmp_path, curves=CURVE, curve="lake")


# --- limits that cross ----------------------------------------------------------------------------


def test_limits_of_series_that_cross_are_a_fault_of_the_case(tmp_path):
    series = {"flood_limit_hm3": {"date": days(3), "lake": [60, 40, 20]}}
    case = lake(
        tmp_path, asked=0, series=series, patterns=STEP, minimum_storage_hm3="pattern:limit"
    )
    with pytest.raises(CaseError) as caught:
        solve(case)
    assert [str(fault).split(": ", 1)[1] for fault in caught.value.faults] == [
        "E241 minimum storage 25 hm3 of 'lake' is above its flood limit 20 on 2001-01-03; "
        "must be at or below it",
    ]


def test_target_above_the_flood_limit_of_the_last_day(tmp_path):
    patterns = [{"pattern": "limit", "start": "01-01", "value": 18, "unit": "hm3"}]
    with pytest.raises(CaseError) as caught:
        solve(lake(tmp_path, asked=0, patterns=patterns, flood_limit_hm3="pattern:limit"))
    assert str(caught.value).endswith(
        "E241 target storage 20 hm3 (as at the start) of 'lake' is above its flood limit 18 on "
        "2001-01-03; must be at or below it"
    )


def test_area_line_is_exact_on_a_straight_curve_and_never_negative():
    straight = Curve("c", {"area": (np.array([10.0, 100.0]), np.array([2.0, 11.0]))})
    assert area_line(straight, 10, 100) == pytest.approx((1.0, 0.1))
    bent = Curve("c", {"area": (np.array([0.0, 90.0, 100.0]), np.array([0.0, 1.0, 20.0]))})
    at_zero, slope = area_line(bent, 0, 100)
    assert at_zero + slope * 0 >= 0


UPWARDS = [
    {"curve": "lake", "x": x, "y": area, "x_unit": "hm3", "y_unit": "km2"}
    for x, area in ((10, 0.0), (60, 1.0), (100, 21.0))
]
STEEP_ABOVE_NORMAL = [
    {"curve": "lake", "x": x, "y": area, "x_unit": "hm3", "y_unit": "km2"}
    for x, area in ((10, 0.0), (120, 11.0), (200, 91.0))
]


@pytest.mark.parametrize(
    ("curve", "more", "n_rows"),
    [
        (UPWARDS, {}, 1),
        (UPWARDS, {"linearisation": "fixed"}, 0),
        (BENT, {}, 0),
        (STEEP_ABOVE_NORMAL, {}, 0),  # no storage up to normal touches its last line
    ],
)
def test_a_line_that_could_fall_below_no_area_has_a_row(tmp_path, curve, more, n_rows):
    case = lake(tmp_path, more=more, curves=curve, curve="lake", evaporation_mm_day=9)
    assert len(build_period(case).model.lake_is_wet) == n_rows


def test_no_pass_gains_water_by_evaporation(tmp_path):
    """The tangent at 100 hm3 is 0.5 S - 29, below 0 under 58 hm3.  The lake starts with 60: its
    mean can be 35, but with that line not below 58, at which nothing evaporates."""
    case = lake(
        tmp_path,
        inflows=(0,),
        curves=UPWARDS,
        curve="lake",
        evaporation_mm_day=9,
        initial_hm3=60,
        target_hm3=10,
    )
    m = build_period(case).model
    (tangent,) = m.tangents.all
    intercept, (slope,) = tangent.touch([np.array([[100.0]])])
    assert (intercept[0, 0], slope[0, 0]) == pytest.approx((-29, 0.5))
    tangent.intercept.set_value(intercept)
    tangent.slopes[0].set_value(slope)
    horizon = Horizon(m, 1, 1)
    program = horizon.stack().member(0)
    cost, constant = horizon.cost(m.on_lake["evaporation"]["lake"])
    least = Stages(program).optimise("evaporation", cost[0], constant=constant[0])
    assert least.objective == pytest.approx(0, abs=1e-9)


def test_golden(tmp_path):
    case = lake(
        tmp_path,
        patterns=STEP,
        curves=CURVE,
        curve="lake",
        evaporation_mm_day=100,
        rain_mm_day=40,
        seepage_mm_day=20,
        seepage_to="sea",
        minimum_storage_hm3="pattern:limit",
        target_maximum_hm3=80,
        target_hm3=25,
    )
    check_golden(case, GOLDEN)
