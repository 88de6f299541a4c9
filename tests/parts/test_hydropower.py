"""Hydropower below a lake: energy by head, flow and output curve, cascades and limits; by hand.

1 hm3 that falls 1 m holds 9.81 / 3600 = 0.002725 GWh.  So at an efficiency of 0.8 and a net head of
100 m it yields 0.218 GWh, and 1 MW is 0.024 GWh a day.
"""

from pathlib import Path

import numpy as np
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.results import collect

GOLDEN = Path(__file__).parent / "golden" / "hydropower.lp"
YIELD = 0.002725 * 0.8 * 100
"""GWh from 1 hm3, at an efficiency of 0.8 and a net head of 100 m."""
ENERGY = {"maximise": "energy"}


def curve(name, points, x_unit, y_unit):
    return [{"curve": name, "x": x, "y": y, "x_unit": x_unit, "y_unit": y_unit} for x, y in points]


LEVEL = curve("lake", [(10, 100), (50, 140)], "hm3", "m")  # 90 m + 1 m for each hm3
FULL = {"dead_hm3": 30, "normal_hm3": 30, "initial_hm3": 30}  # always at 120 m


def dam(
    folder, inflows, *, goals=(ENERGY,), lake=None, weir=True, curves=(), more=None, series=None,
    links=(), nodes=(), reservoirs=(), hydropower=(), patterns=(), capacity=None, **plant,
):  # fmt: skip
    """``lake -> sea`` through a plant of 80 % and over a weir; daily."""
    plant = {"plant": "mill", "link": "turbine", "capacity_mw": 1000, **plant}
    if not plant.keys() & {"efficiency_curve", "power_curve"}:
        plant = {"efficiency_fraction": 0.8, **plant}
    ways = [{"name": "turbine", "from": "lake", "to": "sea", "kind": "turbine",
             "capacity_hm3_day": capacity}]  # fmt: skip
    if weir:
        ways.append({"name": "weir", "from": "lake", "to": "sea", "kind": "spillway"})
    row = {"name": "lake", "dead_hm3": 10, "normal_hm3": 50, "initial_hm3": 30, "curve": "lake"}
    tables = {"patterns": patterns}
    return make_case(
        folder,
        periods=len(inflows),
        goals=list(goals),
        more=more,
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}, *nodes],
        links=[*ways, *links],
        reservoirs=[row | (lake or {}), *reservoirs],
        curves=[*LEVEL, *curves],
        hydropower=[plant, *hydropower],
        series=inflow(lake=inflows) | (series or {}),
        **{name: list(rows) for name, rows in tables.items() if rows},
    )


def shown(case):
    """Results of the first member of a solved case: quantity -> item -> values (time)."""
    dataset = collect(solve_perfect(case)).dataset.isel(member=0)
    return {
        name: {str(item): values.sel({dim: item}).to_numpy() for item in dataset[dim].to_numpy()}
        for name, values in dataset.data_vars.items()
        for dim in values.dims
        if values.ndim == 2 and values.dims[0] == "time" and dim != "time"
    }


def released(folder, release, **more):
    """A single day in which 30 hm3 fall to 30 - release: all of it goes through the plant."""
    end = 30 - release
    lake = {"target_hm3": end, "target_maximum_hm3": end}
    return shown(dam(folder, [0], weir=False, lake=lake, **more))


# --- a head that never changes --------------------------------------------------------------------


def test_fixed_head(tmp_path):
    """102 m less 2 m in the conduits: 0.218 GWh for each of the 4, 6 and 3 hm3."""
    case = dam(tmp_path, [4, 6, 3], lake=FULL, weir=False, head_m=102, head_loss_m=2)
    solution, values = solve(case)
    np.testing.assert_allclose(values["energy"]["mill"], np.array([4, 6, 3]) * YIELD)
    assert values["turbined"]["mill"] == [4, 6, 3]
    assert values["head"]["mill"] == [100, 100, 100]
    assert values["energy_spilled"] == {}  # there is no spillway
    assert solution.stages[0][0].value == pytest.approx(13 * YIELD, rel=1e-12)
    assert solution.stages[0][0].unit == "GWh"
    assert solution.convergence == ()  # nothing to update


def test_capacity_limits_the_energy_and_the_rest_is_spilled(tmp_path):
    """10.9 MW are 0.2616 GWh a day, from 1.2 hm3; of 4 hm3 2.8 pass by and would have given 0.6104.

    On the second day 1 hm3 comes, and all of it goes through the turbines.
    """
    case = dam(tmp_path, [4, 1], lake=FULL, head_m=100, capacity_mw=10.9)
    _, values = solve(case)
    assert values["energy"]["mill"] == pytest.approx([0.2616, 0.218])
    assert values["turbined"]["mill"] == pytest.approx([1.2, 1])
    assert values["energy_spilled"]["mill"] == pytest.approx([2.8 * YIELD, 0])


def test_largest_flow_through_the_turbines(tmp_path):
    """3 hm3 a day are 34.7222 m3/s."""
    case = dam(tmp_path, [4, 2], lake=FULL, head_m=100, max_turbine_hm3_day=3)
    _, values = solve(case)
    assert values["turbined"]["mill"] == [3, 2]
    assert values["energy"]["mill"] == pytest.approx([3 * YIELD, 2 * YIELD])
    case = dam(tmp_path, [4, 2], lake=FULL, head_m=100, max_turbine_m3s=3 / 0.0864)
    assert solve(case)[1]["turbined"]["mill"] == pytest.approx([3, 2])


# --- a head that follows the levels ---------------------------------------------------------------


def test_fixed_mode_keeps_the_head_of_half_the_active_storage(tmp_path):
    """Half of 10 to 50 hm3 is 30 hm3, at 120 m; the tailwater is at 18 m, 2 m are lost: 100 m.

    20 hm3 go, whatever the level is: 50 hm3 at the start would be 140 m.
    """
    lake = {"initial_hm3": 50, "target_hm3": 30, "target_maximum_hm3": 30}
    case = dam(
        tmp_path, [0, 0], lake=lake, tailwater_m=18, head_loss_m=2, weir=False,
        more={"linearisation": "fixed"},
    )  # fmt: skip
    solution, values = solve(case)
    assert sum(values["energy"]["mill"]) == pytest.approx(20 * YIELD)
    assert values["head"]["mill"] == [100, 100]
    assert solution.convergence == ()


def test_updated_head_is_that_of_the_mean_storage(tmp_path):
    """30 hm3 fall to 10: 20 hm3 at a mean of 20 hm3, 110 m; the tailwater is at 9 m, 1 m is lost.

    The first pass takes the 110 m of 30 hm3.
    """
    found = released(tmp_path, 20, tailwater_m=9, head_loss_m=1)
    assert found["head"]["mill"] == pytest.approx([100])
    assert found["energy"]["mill"] == pytest.approx([20 * YIELD])


def test_water_is_kept_for_its_head(tmp_path):
    """5 hm3 come on each of two days and 30 are left at the end, as at the start.

    r goes on the first day, at a mean of (65 - r) / 2 hm3, and 10 - r on the second, at the same
    mean.  Energy is that of 10 (90 + (65 - r) / 2 - 22.5) m hm3, so r = 0: all goes on the second
    day, at 100 m.
    """
    found = shown(dam(tmp_path, [5, 5], tailwater_m=22.5))
    np.testing.assert_allclose(found["turbined"]["mill"], [0, 10], atol=1e-9)
    assert found["head"]["mill"] == pytest.approx([100, 100])
    np.testing.assert_allclose(found["energy"]["mill"], [0, 10 * YIELD], atol=1e-9)


TAIL = curve("tail", [(0, 5), (20, 9), (40, 17)], "hm3_day", "m")


@pytest.mark.parametrize(("through_weir", "tail"), [(0, 9), (5, 11)])
def test_tailwater_rises_with_the_whole_release(tmp_path, through_weir, tail):
    """20 hm3 a day raise the tailwater to 9 m, 5 hm3 over the weir to 11 m: by 2/5 m an hm3 then.

    The lake stands at 120 m.
    """
    case = dam(
        tmp_path, [20 + through_weir], lake=FULL, capacity=20, curves=TAIL, tailwater_curve="tail"
    )
    found = shown(case)
    head = 120 - tail
    assert found["turbined"]["mill"] == pytest.approx([20])
    assert found["head"]["mill"] == pytest.approx([head])
    assert found["energy"]["mill"] == pytest.approx([20 * YIELD * head / 100])
    assert found["energy_spilled"]["mill"] == pytest.approx([through_weir * YIELD * head / 100])


def test_head_is_never_below_zero(tmp_path):
    """60 hm3 a day raise the tailwater to 25 m, above the lake at 24 m: no energy, none spilled."""
    low = curve("low", [(10, 4), (50, 44)], "hm3", "m")
    case = dam(
        tmp_path, [60], lake=FULL | {"curve": "low"}, curves=[*low, *TAIL], tailwater_curve="tail",
        capacity=40,
    )  # fmt: skip
    found = shown(case)
    assert found["head"]["mill"] == [0]
    assert found["energy"]["mill"] == [0]
    assert found["energy_spilled"]["mill"] == [0]


def test_efficiency_by_head(tmp_path):
    """0.7 at 50 m and 0.9 at 150 m; 20 hm3 fall 110 - 10 = 100 m, so 0.8."""
    by_head = curve("wheel", [(50, 0.7), (150, 0.9)], "m", "fraction")
    found = released(
        tmp_path, 20, curves=by_head, efficiency_curve="wheel", tailwater_m=10, head_loss_m=0
    )
    assert found["energy"]["mill"] == pytest.approx([20 * YIELD])


def test_energy_above_the_capacity_is_not_shown(tmp_path):
    """The lines of the last pass leave a little more than 0.0024 x 20 MW a day: it is cut."""
    found = shown(dam(tmp_path, [5, 9, 2], tailwater_m=20, capacity_mw=20))
    assert max(found["energy"]["mill"]) <= 0.48
    assert sum(found["energy"]["mill"]) == pytest.approx(1.44, rel=1e-3)


# --- cascades -------------------------------------------------------------------------------------


def cascade(folder, below, **upper):
    """`below` hm3 stand in a lake of 40 m + 1 m for each hm3 under the plant, and 20 hm3 pass it.

    The lake above falls from 30 to 10 hm3, at 110 m on the mean.
    """
    pond = {"name": "pond", "dead_hm3": below, "normal_hm3": below, "initial_hm3": below}
    case = make_case(
        folder,
        periods=1,
        goals=[ENERGY],
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "pond", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "turbine", "from": "lake", "to": "pond", "kind": "turbine"},
            {"name": "outlet", "from": "pond", "to": "sea", "kind": "turbine"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 50, "initial_hm3": 30, "curve": "lake",
             "target_hm3": 10, "target_maximum_hm3": 10},
            pond | {"curve": "pond"},
        ],
        curves=[*LEVEL, *curve("pond", [(10, 50), (50, 90)], "hm3", "m"),
                *curve("tail", [(0, 50), (40, 70)], "hm3_day", "m")],
        hydropower=[
            {"plant": "mill", "link": "turbine", "capacity_mw": 1000, "efficiency_fraction": 0.8,
             "tailwater_reservoir": "pond", **upper},
            {"plant": "low_mill", "link": "outlet", "capacity_mw": 1000, "head_m": 50,
             "efficiency_fraction": 0.8},
        ],
    )  # fmt: skip
    return shown(case)


@pytest.mark.parametrize(
    ("below", "own", "tail"),
    [
        (20, {}, 60),
        (45, {}, 85),
        (20, {"tailwater_curve": "tail"}, 60),  # both: 20 hm3 a day raise it to 60 m
        (19, {"tailwater_curve": "tail"}, 60),
        (45, {"tailwater_curve": "tail"}, 85),
        (20, {"tailwater_m": 70}, 70),
        (45, {"tailwater_m": 70}, 85),
    ],
)
def test_higher_of_own_tailwater_and_lake_below(tmp_path, below, own, tail):
    """The lake below stands at 40 m + 1 m for each hm3; the lower plant has a head of its own."""
    found = cascade(tmp_path, below, **own)
    assert found["head"]["mill"] == pytest.approx([110 - tail])
    assert found["energy"]["mill"] == pytest.approx([20 * YIELD * (110 - tail) / 100])
    assert found["energy"]["low_mill"] == pytest.approx([20 * YIELD / 2])
    assert found["head"]["low_mill"] == [50]


def test_energy_and_head_follow_from_the_storages_and_flows_of_the_results(tmp_path):
    """Two lakes with bent curves, six days: by NumPy from what is in the results alone."""
    upper = [(10, 100), (25, 125), (60, 150)]
    pond = [(5, 40), (20, 58), (40, 70)]
    tail = [(0, 42), (10, 47), (40, 60)]
    wheel = [(40, 0.7), (80, 0.9), (110, 0.86)]
    case = make_case(
        tmp_path,
        periods=6,
        goals=[ENERGY],
        more={"linearisation": {"passes": 40}},
        nodes=[
            {"name": "lake", "kind": "reservoir"},
            {"name": "pond", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "turbine", "from": "lake", "to": "pond", "kind": "turbine",
             "capacity_hm3_day": 12},
            {"name": "weir", "from": "lake", "to": "pond", "kind": "spillway"},
            {"name": "outlet", "from": "pond", "to": "sea", "kind": "turbine",
             "capacity_hm3_day": 14},
            {"name": "chute", "from": "pond", "to": "sea", "kind": "spillway"},
        ],
        reservoirs=[
            {"name": "lake", "dead_hm3": 10, "normal_hm3": 60, "initial_hm3": 40, "curve": "lake"},
            {"name": "pond", "dead_hm3": 5, "normal_hm3": 40, "initial_hm3": 10, "curve": "pond"},
        ],
        curves=[*curve("lake", upper, "hm3", "m"), *curve("pond", pond, "hm3", "m"),
                *curve("tail", tail, "hm3_day", "m"), *curve("wheel", wheel, "m", "fraction")],
        hydropower=[
            {"plant": "mill", "link": "turbine", "capacity_mw": 90, "efficiency_curve": "wheel",
             "tailwater_reservoir": "pond", "tailwater_curve": "tail", "head_loss_m": 1.5},
            {"plant": "low_mill", "link": "outlet", "capacity_mw": 60, "tailwater_m": 20,
             "efficiency_fraction": 0.85},
        ],
        series=inflow(lake=[25, 30, 12, 4, 2, 3], pond=[6, 7, 3, 1, 1, 1]),
    )  # fmt: skip
    found = shown(case)
    start, end, flow = found["storage_start"], found["storage_end"], found["flow_in"]
    level = {
        "lake": np.interp((start["lake"] + end["lake"]) / 2, *zip(*upper, strict=True)),
        "pond": np.interp((start["pond"] + end["pond"]) / 2, *zip(*pond, strict=True)),
    }
    release = flow["turbine"] + flow["weir"]
    assert release.max() < 40
    down = np.maximum(np.interp(release, *zip(*tail, strict=True)), level["pond"])
    head = {"mill": level["lake"] - down - 1.5, "low_mill": level["pond"] - 20}
    efficiency = {"mill": np.interp(head["mill"], *zip(*wheel, strict=True)), "low_mill": 0.85}
    assert 40 < head["mill"].min() < head["mill"].max() < 110
    for plant, through, past, megawatt in (
        ("mill", "turbine", "weir", 90),
        ("low_mill", "outlet", "chute", 60),
    ):
        by_volume = 0.002725 * efficiency[plant] * head[plant]
        np.testing.assert_allclose(found["head"][plant], head[plant], rtol=1e-12)
        np.testing.assert_allclose(
            found["energy"][plant], np.minimum(by_volume * flow[through], megawatt * 0.024),
            rtol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(found["energy_spilled"][plant], by_volume * flow[past])
    assert found["energy_spilled"]["mill"].any()


# --- output by flow -------------------------------------------------------------------------------

OUTPUT = curve("output", [(0, 0), (50, 55), (60, 65), (70, 70)], "m3s", "mw")


@pytest.mark.parametrize(
    ("flow", "megawatt"), [(0, 0), (25, 27.5), (50, 55), (55, 60), (66, 68), (70, 70), (90, 70)]
)
def test_output_curve(tmp_path, flow, megawatt):
    """From 0 to 55 MW at 50 m3/s, 65 at 60, 70 at 70; no more goes through the turbines."""
    case = dam(
        tmp_path, [flow * 0.0864], lake=FULL, curves=OUTPUT, power_curve="output", capacity_mw=70
    )
    found = shown(case)
    assert found["energy"]["mill"] == pytest.approx([megawatt * 0.024])
    assert found["turbined"]["mill"] == pytest.approx([min(flow, 70) * 0.0864])
    assert found["head"]["mill"] == [0]
    assert found["energy_spilled"]["mill"] == [0]


def test_output_is_that_of_the_curve_where_no_goal_asks_for_energy(tmp_path):
    """The steps may then fill in any order; results read the curve."""
    case = dam(
        tmp_path, [55 * 0.0864], lake=FULL, curves=OUTPUT, power_curve="output",
        goals=[{"minimise": "spill"}, {"minimise": "energy"}],
    )  # fmt: skip
    found = shown(case)
    assert found["turbined"]["mill"] == pytest.approx([55 * 0.0864])
    assert found["energy"]["mill"] == pytest.approx([60 * 0.024])


def test_output_curve_without_a_reservoir(tmp_path):
    case = make_case(
        tmp_path,
        periods=1,
        goals=[ENERGY],
        nodes=[{"name": "spring", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "wheel", "from": "spring", "to": "sea", "kind": "turbine"}],
        curves=OUTPUT,
        hydropower=[{"plant": "mill", "link": "wheel", "capacity_mw": 70, "power_curve": "output"}],
        series=inflow(spring=[50 * 0.0864]),
    )
    assert shown(case)["energy"]["mill"] == pytest.approx([55 * 0.024])


# --- value ----------------------------------------------------------------------------------------

PRICES = [
    {"pattern": "price", "start": f"01-0{day}", "value": value, "unit": "vnd_kwh"}
    for day, value in ((1, 900), (2, 1500), (3, 1200))
]
VALUE = {"maximise": "energy_value"}


def test_energy_goes_where_it_is_worth_most(tmp_path):
    """9 hm3 may wait for the day of 1,500 VND/kWh, on which 5 go, and 4 for that of 1,200.

    1 VND/kWh is 1 million VND for a GWh.
    """
    case = dam(
        tmp_path, [9, 0, 0], goals=[VALUE], head_m=100, patterns=PRICES, capacity=5,
        price_vnd_kwh="pattern:price",
    )  # fmt: skip
    solution, values = solve(case)
    assert values["turbined"]["mill"] == [0, 5, 4]
    assert values["energy_value"]["mill"] == pytest.approx([0, 7500 * YIELD, 4800 * YIELD])
    assert solution.stages[0][0].unit == "million VND"
    assert shown(case)["energy_value"]["mill"] == pytest.approx([0, 7500 * YIELD, 4800 * YIELD])


def test_value_of_the_energy_at_the_true_head_and_output(tmp_path):
    """Two plants: 20 hm3 at 100 m of a lake that falls, 50 m3/s by an output curve."""
    prices = {"price_vnd_kwh": 1000}
    case = dam(
        tmp_path, [0], weir=False, tailwater_m=10, goals=[VALUE], **prices,
        lake={"target_hm3": 10, "target_maximum_hm3": 10},
        nodes=[{"name": "spring", "kind": "inflow"}],
        links=[{"name": "wheel", "from": "spring", "to": "sea", "kind": "turbine"}],
        hydropower=[{"plant": "by_flow", "link": "wheel", "capacity_mw": 70,
                     "power_curve": "output", "price_vnd_kwh": 500}],
        curves=OUTPUT,
        series=inflow(lake=[0], spring=[50 * 0.0864]),
    )  # fmt: skip
    found = shown(case)
    assert found["energy_value"]["mill"] == pytest.approx([20 * YIELD * 1000])
    assert found["energy_value"]["by_flow"] == pytest.approx([55 * 0.024 * 500])


def test_plant_without_a_price_has_no_value(tmp_path):
    solution, values = solve(dam(tmp_path, [4], lake=FULL, head_m=100))
    assert values["energy_value"] == {}
    assert (collect(solution).dataset["energy_value"] == 0).all()


# --- the table and the program --------------------------------------------------------------------


def test_periods_have_their_true_length(tmp_path):
    """January at 10.9 MW is 8.1096 GWh, February 7.3248; 1 hm3 a day is 0.218 GWh a day."""
    more = {"timeline": {"start": "2001-01-01", "periods": 2, "step": "month"}}
    case = dam(
        tmp_path, [0, 0], lake=FULL, head_m=100, capacity_mw=10.9, more=more,
        series={"inflow_hm3_day": {"date": ["2001-01-01", "2001-02-01"], "lake": [2, 1]}},
    )  # fmt: skip
    found = shown(case)
    assert found["energy"]["mill"] == pytest.approx([8.1096, 28 * YIELD])
    assert found["turbined"]["mill"] == pytest.approx([31 * 1.2, 28])


def three_plants(folder):
    """A lake with a tailwater by release, a lake below at a fixed head, and a mill on a river."""
    return dam(
        folder,
        [9, 5],
        goals=[ENERGY, VALUE],
        curves=[*TAIL, *OUTPUT, *curve("pond", [(5, 2), (40, 14)], "hm3", "m")],
        tailwater_curve="tail",
        tailwater_reservoir="pond",
        max_turbine_m3s=80,
        price_vnd_kwh="pattern:price",
        patterns=PRICES,
        nodes=[{"name": "pond", "kind": "reservoir"}, {"name": "spring", "kind": "inflow"}],
        links=[
            {"name": "outlet", "from": "pond", "to": "sea", "kind": "turbine"},
            {"name": "wheel", "from": "spring", "to": "pond", "kind": "turbine"},
        ],
        reservoirs=[
            {"name": "pond", "dead_hm3": 5, "normal_hm3": 40, "initial_hm3": 10, "curve": "pond"}
        ],
        hydropower=[
            {"plant": "low_mill", "link": "outlet", "capacity_mw": 2, "head_m": 12,
             "efficiency_fraction": 0.9},
            {"plant": "by_flow", "link": "wheel", "capacity_mw": 70, "power_curve": "output"},
        ],
        series=inflow(lake=[9, 5], spring=[3, 5]),
    )  # fmt: skip


def test_golden(tmp_path):
    check_golden(three_plants(tmp_path), GOLDEN)
