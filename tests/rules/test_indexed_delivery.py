"""indexed_delivery below a lake, by hand; with the tables of the Ganges and the Rio Grande."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.basins import month_starts
from tests.small import check_golden, inflow, make_case, solve
from tests.unit.test_period import check_units, scalars
from wateralloc.errors import CaseError
from wateralloc.period import build_period

GOLDEN = Path(__file__).parent / "golden" / "indexed_delivery.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def river(
    folder, inflows=(10, 20, 30), more=None, lake=None, series=None, goals=None, pump=False, **rule
):
    """``head -> lake -> weir -> sea`` and a canal ``weir -> plain -> sea``.

    A farm at the weir asks 500 a day; the lake may hold 50, starts empty, and may end so.
    """
    return make_case(
        folder,
        periods=len(inflows),
        goals=goals or [{"meet": {}}],
        rules=[{"rule": "indexed_delivery", "name": "treaty", "at": "weir"} | rule],
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "weir", "kind": "control"},
            {"name": "plain", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "weir", "kind": "reach"},
            {"name": "lower", "from": "weir", "to": "sea", "kind": "reach"},
            {"name": "canal", "from": "weir", "to": "plain", "kind": "canal"},
            {"name": "drain", "from": "plain", "to": "sea", "kind": "reach"},
            *([{"name": "lift", "from": "plain", "to": "lake", "kind": "pump",
               "loss_fraction": 0.1}] if pump else []),
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 50, "initial_hm3": 0, "target_hm3": 0,
             **(lake or {})}
        ],
        demands=[
            {"name": "farm", "node": "weir", "sector": "irrigation", "annual_hm3": 500 * 365}
        ],
        series=series or inflow(head=inflows),
        more=more,
    )  # fmt: skip


def flow(**volumes):
    """A row in m3/s from hm3 a day."""
    return {key: value if key == "share" else value * M3S for key, value in volumes.items()}


GANGES = [
    flow(up_to_m3s=70, share=0.5),
    flow(up_to_m3s=75, flow_m3s=35),
    flow(all_but_m3s=40),
]
"""Annexure I of the treaty: what Bangladesh has of the flow at Farakka, thousand cusecs as hm3."""
RIO_GRANDE = [
    {"index_hm3": x, "volume_hm3": y}
    for x, y in ((500, 286), (600, 345), (1000, 621), (1100, 707), (2000, 1595), (2100, 1695))
]
"""Schedule of 1948: delivery by the Otowi index, thousand acre-feet as hm3."""


def owed(case):
    (row,) = build_period(case).rule_rows
    return row.required.value


def test_bands_of_the_ganges_by_the_natural_flow(tmp_path):
    """60 gives 30; 70, 72.5 and 75 give 35; 90 gives 50.  The lake changes nothing."""
    index = {"natural_flow_at": ["weir"]}
    case = river(tmp_path, [60, 70, 72.5, 75, 90], index=index, table=GANGES)
    np.testing.assert_allclose(owed(case), [[30, 35, 35, 35, 50]])
    _, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(367.5 - 185)


def test_inflow_of_a_node_is_an_index_too(tmp_path):
    case = river(tmp_path, [60, 90], index={"inflow_of": ["head"]}, table=GANGES)
    np.testing.assert_allclose(owed(case), [[30, 50]])


def test_table_may_jump_where_the_index_is_known(tmp_path):
    """Nothing up to 15, all of it up to 25, 5 beyond."""
    table = [
        {"up_to_hm3": 15, "volume_hm3": 0},
        {"up_to_hm3": 25, "share": 1},
        {"volume_hm3": 5},
    ]
    case = river(tmp_path, [10, 20, 30], index={"inflow_of": ["head"]}, table=table)
    np.testing.assert_allclose(owed(case), [[0, 20, 5]])


@pytest.mark.parametrize(
    ("supply", "delivery"),
    [(500, 286), (550, 315.5), (1050, 664), (2050, 1645), (2200, 1795), (400, 227), (0, 0)],
)
@pytest.mark.parametrize("index", ["natural_flow_at", "flow_at"])
def test_points_of_the_rio_grande(tmp_path, supply, delivery, index):
    """Between its points and beyond; known or decided, the schedule is the same, being convex.

    Below 500 the first line goes on, by 0.59, and ends at 0 for 15.25.
    """
    case = river(
        tmp_path,
        [supply / 2] * 2,
        lake={"normal_hm3": 0},
        index={index: ["weir"]},
        points=RIO_GRANDE,
        window="horizon",
    )
    _, values = solve(case)
    assert sum(values["flow_in"]["lower"]) == pytest.approx(max(delivery, supply - 1000))


def test_what_arrives_is_less_when_the_lake_keeps_it(tmp_path):
    """60 come and the lake keeps 20; of 40 that arrive 20 are free, and the rest is owed."""
    table = [{"up_to_hm3": 20, "volume_hm3": 0}, {"all_but_hm3": 20}]
    case = river(
        tmp_path,
        lake={"target_hm3": 20, "target_maximum_hm3": 20},
        index={"flow_at": ["weir"]},
        table=table,
        window="horizon",
    )
    _, values = solve(case)
    assert sum(values["flow_in"]["lower"]) == pytest.approx(20)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(20)


def test_over_a_window_flows_are_means(tmp_path):
    """A month of 31 days: up to 10 a day half, then all but 5; 12 a day gives 7, in all 217."""
    table = [flow(up_to_m3s=10, share=0.5), flow(all_but_m3s=5)]
    for index in ("natural_flow_at", "flow_at"):
        case = river(
            tmp_path / index, [12] * 31, lake={"normal_hm3": 0}, index={index: ["weir"]},
            table=table, window="month",
        )  # fmt: skip
        _, values = solve(case)
        assert sum(values["flow_in"]["lower"]) == pytest.approx(217)


def test_delivery_by_the_storage_at_the_start(tmp_path):
    """Half of what is stored above 10, up to 40; beyond it all but 25.

    45 are stored and nothing comes; on the first day 20 go on.  With 25 left, 7.5; with 17.5, 3.75.
    """
    points = [
        {"index_hm3": 10, "volume_hm3": 0},
        {"index_hm3": 40, "volume_hm3": 15},
        {"index_hm3": 50, "volume_hm3": 25},
    ]
    case = river(
        tmp_path,
        [0, 0, 0],
        lake={"initial_hm3": 45},
        index={"storage_of": ["lake"]},
        points=points,
        goals=[{"maximise": "storage_end"}],
    )
    _, values = solve(case)
    assert values["flow_in"]["lower"] == pytest.approx([20, 7.5, 3.75])
    assert values["storage_end"]["lake"] == pytest.approx([25, 17.5, 13.75])


def test_storage_at_the_start_of_a_window_and_a_flow(tmp_path):
    """A flow of 1 hm3 a day from 30 stored at the start of a month, by (storage - 20) / 10.

    That is 31 in January, as much as comes; February starts with 30 again, and 28 go on.
    """
    points = [
        {"index_hm3": 20, "flow_m3s": 0},
        {"index_hm3": 50, "flow_m3s": 3 * M3S},
    ]
    starts = month_starts("2001-01", 2)
    case = river(
        tmp_path,
        [0, 0],
        lake={"initial_hm3": 30, "minimum_storage_hm3": 30},
        series={"inflow_hm3_day": {"date": starts, "head": [1, 1]}},
        index={"storage_of": ["lake"]},
        points=points,
        window="month",
        goals=[{"maximise": "storage_end"}],
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
    )
    _, values = solve(case)
    assert values["flow_in"]["lower"] == pytest.approx([31, 28])
    assert values["storage_end"]["lake"] == pytest.approx([30, 30])


def test_storage_counts_once_in_a_window_of_many_periods(tmp_path):
    """Three days with 40 stored at the start: half of what is above 10, 15 in all."""
    points = [{"index_hm3": 10, "volume_hm3": 0}, {"index_hm3": 50, "volume_hm3": 20}]
    case = river(
        tmp_path,
        [0, 0, 0],
        lake={"initial_hm3": 40},
        index={"storage_of": ["lake"]},
        points=points,
        window="horizon",
    )
    _, values = solve(case)
    assert sum(values["flow_in"]["lower"]) == pytest.approx(15)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(25)


def test_link_takes_what_is_delivered(tmp_path):
    """A transfer into the canal; the river below the weir may run dry."""
    case = river(
        tmp_path, [10, 20], at="", link="canal", index={"inflow_of": ["head"]},
        table=[{"share": 0.4}],
    )  # fmt: skip
    _, values = solve(case)
    assert sum(values["flow_in"]["canal"]) == pytest.approx(12)
    assert values["flow_in"]["lower"] == pytest.approx([0, 0])


def test_months_outside_are_silent(tmp_path):
    case = river(tmp_path, [10, 20], index={"flow_at": ["weir"]}, table=[{"share": 1}], months=[2])
    _, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(30)


def test_soft_table_falls_short_by_the_largest_of_its_lines_alone(tmp_path):
    """80 come and the farm takes all: half, 40, and all but 10, 70, are owed; 70 are missing."""
    table = [{"up_to_hm3": 20, "share": 0.5}, {"all_but_hm3": 10}]
    case = river(tmp_path, [80], index={"flow_at": ["weir"]}, table=table, soft={"goal": 2})
    solution, values = solve(case)
    assert values["withdrawal"]["farm"] == pytest.approx([80])
    assert solution.stages[0][1].value == pytest.approx(70)


def test_members_read_the_table_for_themselves(tmp_path):
    case = river(
        tmp_path,
        [60, 72.5, *[0] * 363, 75, 90],
        index={"natural_flow_at": ["head"]},
        table=GANGES,
        more={
            "timeline": {"start": "2001-01-01", "periods": 2, "step": "day"},
            "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
        },
    )
    np.testing.assert_allclose(owed(case), [[30, 35], [35, 50]])


def test_accounts_of_an_index_that_is_decided(tmp_path):
    """22 stored, 10 come: half of what is above 10 is 6, all but 25 is -3."""
    points = [
        {"index_hm3": 10, "volume_hm3": 0},
        {"index_hm3": 40, "volume_hm3": 15},
        {"index_hm3": 50, "volume_hm3": 25},
    ]
    case = river(
        tmp_path, [10], lake={"initial_hm3": 22}, index={"storage_of": ["lake"]}, points=points
    )
    solution, values = solve(case)
    reports = {
        (r.name, r.item): solution.horizon.value(r.value, solution.x)[0].tolist()
        for r in solution.period.model.reports
    }
    assert reports == {
        ("delivered", ""): pytest.approx(values["flow_in"]["lower"]),
        ("index", ""): [22],
        ("owed_by_line", "1"): pytest.approx([6]),
        ("owed_by_line", "2"): pytest.approx([-3]),
    }


BY_FLOW, BY_STORAGE = {"index": {"flow_at": ["weir"]}}, {"index": {"storage_of": ["lake"]}}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            BY_STORAGE | {"table": [{"up_to_m3s": 20, "share": 0.5}, {"share": 0.6}]},
            "has an index in m3s, but a storage is in hm3; give it in hm3",
        ),
        (
            BY_FLOW | {"table": [{"up_to_m3s": 20, "share": 0.5}, {"volume_hm3": 6}]},
            "mixes hm3 and m3s; give all rows in one of them",
        ),
        (
            BY_FLOW | {"table": [{"up_to_m3s": 20, "volume_hm3": 6}]},
            "mixes m3s and hm3; give both in one of them",
        ),
        (
            BY_FLOW | {"table": [{"up_to_m3s": 20, "share": 0.5}]},
            "has an end in its last row; leave it out, the last row has none",
        ),
        (
            BY_FLOW
            | {"table": [{"up_to_m3s": 9, "share": 0}, {"up_to_m3s": 7, "share": 0}, {"share": 1}]},
            "must give the ends of its bands in rising order, each one once",
        ),
        (
            BY_FLOW | {"points": [{"index_m3s": 3, "flow_m3s": 1}] * 2},
            "must give the index of its points in rising order, each one once",
        ),
        (BY_FLOW | {"points": [{"index_m3s": 3, "flow_m3s": 1}]}, "has one point"),
        (BY_FLOW, "give either table, by bands, or points"),
        (BY_FLOW | {"table": [{"share": 1}], "link": "canal"}, "give either at or link"),
        ({"index": {}, "table": [{"share": 1}]}, "give one of natural_flow_at, inflow_of"),
        (
            {"index": {"storage_of": ["lkae"]}, "table": [{"share": 1}]},
            "E313 unknown reservoir 'lkae'; did you mean 'lake'?",
        ),
        (
            {"index": {"inflow_of": ["lake"]}, "table": [{"share": 1}]},
            "E313 unknown node with inflow 'lake'; known: head",
        ),
    ],
)
def test_faults(tmp_path, rule, text):
    with pytest.raises(CaseError) as caught:
        river(tmp_path, **rule)
    assert text in str(caught.value)


WAY_OUT = (
    "give points whose line rises ever faster; or write `integers: true` and `linearisation: "
    "fixed` in the case, which makes the band a decision of yes or no"
)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            BY_FLOW | {"table": [{"up_to_m3s": 70, "share": 0.5}, {"flow_m3s": 35}]},
            "E322 table of rule 'treaty': delivery by a flow that is decided must rise ever "
            "faster, without jumps, to be linear; at 70 m3/s it rises by 0.5 before and by 0 "
            f"beyond: use a known index, natural_flow_at or inflow_of; {WAY_OUT}",
        ),
        (
            BY_STORAGE | {"table": [{"up_to_hm3": 20, "volume_hm3": 1}, {"volume_hm3": 5}]},
            "E322 table of rule 'treaty': delivery by a storage must rise ever faster, without "
            f"jumps, to be linear; at 20 hm3 it jumps from 1 to 5: {WAY_OUT}",
        ),
    ],
)
def test_bands_need_leave_of_the_case(tmp_path, rule, text):
    case = river(tmp_path, **rule)
    with pytest.raises(CaseError) as caught:
        build_period(case)
    assert text in str(caught.value)


# --- bands that are decided -----------------------------------------------------------------------

WHOLE = {"integers": True, "linearisation": "fixed"}
LEVELS = [
    {"up_to_hm3": 20, "volume_hm3": 0},
    {"up_to_hm3": 40, "volume_hm3": 3},
    {"volume_hm3": 6},
]
"""Steps by storage, as of the transfer from the Tajo to the Segura."""
STORED = [{"maximise": {"quantity": "storage_end", "when": "last"}}]


def reports(solution, member=0):
    return {
        r.name: np.round(solution.value(r.value)[member], 9).tolist()
        for r in solution.period.model.reports
    }


def test_steps_by_storage(tmp_path):
    """45 stored, nothing comes: 6, then of 39 and 36 3 each."""
    case = river(
        tmp_path, [0, 0, 0], more=WHOLE, lake={"initial_hm3": 45}, table=LEVELS, goals=STORED,
        **BY_STORAGE,
    )  # fmt: skip
    solution, values = solve(case)
    assert values["flow_in"]["lower"] == pytest.approx([6, 3, 3])
    assert reports(solution) == {
        "delivered": [6, 3, 3],
        "index": [45, 39, 36],
        "owed": [6, 3, 3],
        "band": [3, 2, 2],
    }
    check_units(scalars(solution.period))


@pytest.mark.parametrize(("stored", "transfer"), [(1350, 60), (900, 27), (600, 20), (390, 0)])
def test_levels_of_the_tajo_segura_in_may(tmp_path, stored, transfer):
    """The published examples of the rule of 2014 as amended in 2021, by storage alone.

    Below 400 nothing, below the reference of the month (here 650) 20, below 1300 27, and then 60.
    """
    table = [
        {"up_to_hm3": 400, "volume_hm3": 0},
        {"up_to_hm3": 650, "volume_hm3": 20},
        {"up_to_hm3": 1300, "volume_hm3": 27},
        {"volume_hm3": 60},
    ]
    case = river(
        tmp_path, [0] * 31, more=WHOLE | {
            "timeline": {"start": "2001-01-01", "periods": 1, "step": "month"},
            "hydrology": {"record": "historic", "members": "all"},
        },
        lake={"normal_hm3": 2500, "initial_hm3": stored}, table=table, window="month",
        at="", link="canal", goals=STORED, **BY_STORAGE,
    )  # fmt: skip
    _, values = solve(case)
    assert values["flow_in"]["canal"] == pytest.approx([transfer], abs=1e-6)


def test_a_step_can_be_dodged_by_foresight(tmp_path):
    """43 stored, and 4 come on the first day: with 47 the third band would hold, and 6 be owed.

    Where the farm is served first it draws the lake to a band that leaves it the most: all 47 but
    what is owed on the first day, 6; an empty lake owes nothing.
    """
    case = river(
        tmp_path, [4, 0], more=WHOLE, lake={"initial_hm3": 43}, table=LEVELS, **BY_STORAGE
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(47 - 6)
    assert reports(solution)["band"] == [3, 1]


def test_points_that_bend_down(tmp_path):
    """Half of what is above 10 up to 30, then a tenth: 11 at 40, 10 at 30, by 29 stored 9.5."""
    points = [
        {"index_hm3": 10, "volume_hm3": 0},
        {"index_hm3": 30, "volume_hm3": 10},
        {"index_hm3": 40, "volume_hm3": 11},
    ]
    case = river(
        tmp_path, [0, 0, 0, 0], more=WHOLE, lake={"initial_hm3": 40}, points=points,
        goals=STORED, **BY_STORAGE,
    )  # fmt: skip
    solution, values = solve(case)
    assert values["flow_in"]["lower"] == pytest.approx([11, 9.5, 4.75, 2.375])
    assert reports(solution)["band"] == [3, 2, 2, 2]


@pytest.mark.parametrize(("arrives", "owed"), [(60, 30), (72.5, 35), (90, 50), (0, 0), (140, 100)])
def test_ganges_by_what_arrives(tmp_path, arrives, owed):
    """Nothing can be stored, so that what arrives is known; 90 gives 50, and 140 all but 40."""
    case = river(
        tmp_path, [arrives], more=WHOLE, lake={"normal_hm3": 0}, table=GANGES, **BY_FLOW
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(arrives - owed, abs=1e-6)
    assert reports(solution)["owed"] == pytest.approx([owed], abs=1e-6)
    check_units(scalars(solution.period))


def test_the_lake_steers_into_the_best_band(tmp_path):
    """120 come in two days and 50 may be kept: 70 and 50 owe 60, but 100 and 20 owe 60 + 10.

    Half is owed up to 70, 35 up to 75; so most is free on a day of 75: 40, and of 45: 22.5.
    """
    case = river(
        tmp_path, [120, 0], more=WHOLE, table=GANGES,
        goals=[{"meet": {}}, {"minimise": "spill"}], **BY_FLOW,
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(values["withdrawal"]["farm"]) == pytest.approx(40 + 22.5)
    assert reports(solution)["index"] == pytest.approx([75, 45])
    assert reports(solution)["band"] == [2, 1]


def test_bands_of_months_and_members(tmp_path):
    """By dekads of two years: a step by what arrives in the month, known as nothing can be stored.

    31 times 10 hm3 are above 250, and 100 are owed; of 31 times 5 nothing.  February, of which the
    horizon has ten days, is silent.
    """
    table = [{"up_to_hm3": 250, "volume_hm3": 0}, {"volume_hm3": 100}]
    case = river(
        tmp_path, [10] * 365 + [5] * 365, more=WHOLE | {
            "timeline": {"start": "2001-01-01", "periods": 4, "step": "dekad"},
            "hydrology": {"record": "historic", "years": ["2001-01", "2002-01"]},
        },
        lake={"normal_hm3": 0}, table=table, window="month", **BY_FLOW,
    )  # fmt: skip
    solution, _ = solve(case)
    taken = solution.value(solution.period.model.withdrawal["farm"])
    assert taken.sum(axis=1) == pytest.approx([310 - 100 + 100, 155 + 50])
    assert [reports(solution, k)["band"] for k in (0, 1)] == [[2, 0, 0, 0], [1, 0, 0, 0]]


def test_soft_bands(tmp_path):
    """45 stored, and the farm takes it all at once: 6 are missing, and then nothing is owed."""
    case = river(
        tmp_path, [0, 0], more=WHOLE, lake={"initial_hm3": 45}, table=LEVELS,
        soft={"goal": 2}, **BY_STORAGE,
    )  # fmt: skip
    solution, _ = solve(case)
    # what is held to find it may move by a part in 10^9, of a deficit of 955
    assert solution.stages[0][1].value == pytest.approx(6, abs=1e-5)


def test_a_table_that_rises_ever_faster_stays_linear(tmp_path):
    points = [{"index_hm3": 10, "volume_hm3": 0}, {"index_hm3": 50, "volume_hm3": 20}]
    period = build_period(river(tmp_path, more=WHOLE, points=points, **BY_STORAGE))
    assert not any(v.is_binary() for v in period.model.component_data_objects(pyo.Var))


def test_a_flow_in_a_circle_has_no_limit(tmp_path):
    """A pump lifts water from the plain back to the lake, and loses some."""
    case = river(tmp_path, more=WHOLE, table=GANGES, pump=True, **BY_FLOW)
    with pytest.raises(CaseError, match=r"E336 index\.flow_at of rule 'treaty': the flow at"):
        build_period(case)


def test_golden(tmp_path):
    points = [{"index_hm3": 10, "volume_hm3": 0}, {"index_hm3": 40, "volume_hm3": 15},
              {"index_hm3": 50, "volume_hm3": 25}]  # fmt: skip
    lake = {"initial_hm3": 45}
    check_golden(river(tmp_path, lake=lake, index={"storage_of": ["lake"]}, points=points), GOLDEN)
    case = river(tmp_path / "steps", [0, 0], more=WHOLE, lake=lake, table=LEVELS, **BY_STORAGE)
    check_golden(case, GOLDEN.with_stem("indexed_delivery_steps"))
