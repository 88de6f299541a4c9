"""Link on a spring and a sea: capacity, minimum, loss, cost, lag and channel storage, by hand."""

from pathlib import Path

import numpy as np
import pytest

from tests.basins import month_starts, write_basin
from tests.small import check_golden, days, inflow, make_case, solve
from wateralloc.basin import read_basin
from wateralloc.errors import CaseError, TopologyError
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.parts.link import shares_of_lag, shares_of_steady
from wateralloc.period import build_period
from wateralloc.results import collect

GOLDEN = Path(__file__).parent / "golden" / "link.lp"
NODES = [{"name": "spring", "kind": "inflow"}, {"name": "sea", "kind": "sink"}]
DEKADS = ["2001-02-01", "2001-02-11", "2001-02-21", "2001-03-01"]  # of 10, 10, 8 and 10 days


def river(folder, flows, step="day", dates=None, **link):
    """One river from the spring to the sea, at 2 VND/m3; `flows` leave the spring [hm3 a day]."""
    dates = dates or days(len(flows))
    path = {"name": "river", "from": "spring", "to": "sea", "kind": "reach", "cost_vnd_m3": 2}
    return make_case(
        folder,
        periods=len(flows),
        goals=[{"minimise": "cost"}],
        more={"timeline": {"start": dates[0], "periods": len(flows), "step": step}},
        nodes=NODES,
        links=[path | link],
        series={"inflow_hm3_day": {"date": dates, "spring": flows}},
    )


def of_river(case):
    """What arrives, and what is on its way at the start and at the end of each period."""
    _, values = solve(case)
    return [values[name]["river"] for name in ("flow_out", "in_transit_start", "in_transit")]


def lagged(folder):
    """10, 20, 30 hm3 leave the spring; a tenth is lost; it travels one day after 5 hm3 a day."""
    return river(folder, [10, 20, 30], loss_fraction=0.1, lag_periods=1, initial_hm3_day=5)


def test_lag_loss_and_cost(tmp_path):
    solution, values = solve(lagged(tmp_path))
    assert values["flow_in"]["river"] == [10, 20, 30]
    assert values["flow_out"]["river"] == [4.5, 9, 18]
    assert values["loss"]["river"] == [0.5, 1, 2]
    assert values["outflow"]["sea"] == [4.5, 9, 18]
    assert values["in_transit_start"]["river"] == [5, 10, 20]
    assert values["in_transit"]["river"] == [10, 20, 30]
    assert values["cost"]["river"] == [20, 40, 60]  # 2 VND/m3 of 10, 20, 30 hm3, in million VND
    assert solution.stages[0][0].value == 120


def test_cost_by_date_and_gain_on_the_way(tmp_path):
    """Two canals, one dear on day 1, the other always at 3; the cheap one gains a tenth."""
    ways = [{"name": name, "from": "spring", "to": "sea", "kind": "canal"} for name in ("a", "b")]
    ways[0]["loss_fraction"], ways[1]["cost_vnd_m3"] = -0.1, 3
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"minimise": "cost"}],
        nodes=NODES,
        links=ways,
        series=inflow(spring=[10, 20]) | {"cost_vnd_m3": {"date": days(2), "a": [4, -1]}},
    )
    _, values = solve(case)
    assert values["flow_in"] == {"a": [0, 20], "b": [10, 0], "sea": [10, 22]}
    assert values["loss"]["a"] == [0, -2]
    assert values["cost"] == {"a": [0, -20], "b": [30, 0]}


def test_links_with_a_capacity_each_are_the_pieces_of_a_cost(tmp_path):
    """The first 4 hm3 a day cost 1 a m3, the next 5, and what is left 9."""
    pieces = [
        {"name": f"piece_{price}", "from": "spring", "to": "sea", "kind": "canal",
         "cost_vnd_m3": price, "capacity_hm3_day": most}
        for price, most in ((5, 3), (1, 4), (9, None))
    ]  # fmt: skip
    case = make_case(
        tmp_path, periods=2, goals=[{"minimise": "cost"}], nodes=NODES, links=pieces,
        series=inflow(spring=[6, 10]),
    )  # fmt: skip
    _, values = solve(case)
    assert [values["flow_in"][f"piece_{price}"] for price in (1, 5, 9)] == [[4, 4], [2, 3], [0, 3]]


def test_capacity_and_minimum_choose_between_links(tmp_path):
    """30 hm3 a day: at least 4 and at most 12 by the dear canal, the rest by the cheap one."""
    links = [
        {
            "name": "cheap",
            "from": "spring",
            "to": "sea",
            "kind": "canal",
            "capacity_hm3_day": 25,
            "cost_vnd_m3": 1,
        },
        {
            "name": "dear",
            "from": "spring",
            "to": "sea",
            "kind": "canal",
            "minimum_hm3_day": 4,
            "capacity_hm3_day": 12,
            "cost_vnd_m3": 3,
        },
    ]
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"minimise": "cost"}],
        nodes=NODES,
        links=links,
        series=inflow(spring=[30, 10]),
    )
    _, values = solve(case)
    assert values["flow_in"]["cheap"] == [25, 6]
    assert values["flow_in"]["dear"] == [5, 4]
    assert values["in_transit"] == {}  # nothing is on its way in either


# --- lags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [{"lag_h": 12}, {"lag_periods": 0.5}])
def test_half_a_day(tmp_path, lag):
    """Half of the water of a day arrives on the next.

    2 hm3 of the 4 of the day before are on their way at the start: 5 + 2, 10 + 5, 15 + 10.
    """
    case = river(tmp_path, [10, 20, 30], initial_hm3_day=4, **lag)
    assert of_river(case) == [[7, 15, 25], [2, 5, 10], [5, 10, 15]]


@pytest.mark.parametrize(
    ("hours", "arriving"),
    [
        # half a day, and a day and a half, of each dekad arrive in the next
        (12, [10 - 0.5 + 3, 20 - 1 + 0.5, 24 - 1.5 + 1, 40 - 2 + 1.5]),
        (36, [10 - 1.5 + 9, 20 - 3 + 1.5, 24 - 4.5 + 3, 40 - 6 + 4.5]),
        # 12 days: what enters in days 0-10 arrives in 12-22, 8/10 and 2/10 of it in the next two
        # dekads; that of 10-20 in 22-32, 6/10 and 4/10; of 20-28 in 32-40, 6/8 before day 38, where
        # the horizon ends; what entered before arrives in days 0-12
        (288, [60, 12 + 8, 2 + 12, 8 + 18]),
    ],
)
def test_hours_over_dekads(tmp_path, hours, arriving):
    """1, 2, 3 and 4 hm3 a day over 10, 10, 8 and 10 days, after 6 hm3 a day."""
    case = river(tmp_path, [1, 2, 3, 4], "dekad", DEKADS, lag_h=hours, initial_hm3_day=6)
    check_hours(case, arriving, hours / 24 * 6)


@pytest.mark.parametrize(
    ("hours", "arriving"),
    [
        # a day and a half of each month arrives in the next
        (36, [31 - 1.5 + 1.5, 56 - 3 + 1.5, 93 - 4.5 + 3]),
        # 40 days: January arrives in days 40-71, 19 of them in February (31-59), 12 in March;
        # February in 71-99, 19 of 28 in March; the flow before in days 0-40
        (960, [31, 9 + 19, 12 + 2 * 19]),
    ],
)
def test_hours_over_months(tmp_path, hours, arriving):
    """1, 2 and 3 hm3 a day in January, February and March, after 1 hm3 a day."""
    dates = month_starts("2001-01", 3)
    case = river(tmp_path, [1, 2, 3], "month", dates, lag_h=hours, initial_hm3_day=1)
    check_hours(case, arriving, hours / 24)


def check_hours(case, arriving, before):
    out, at_start, at_end = of_river(case)
    entered = solve(case)[1]["flow_in"]["river"]
    np.testing.assert_allclose(out, arriving, rtol=1e-9)
    on_its_way = before + np.cumsum(entered) - np.cumsum(arriving)
    np.testing.assert_allclose(at_start, [before, *on_its_way[:-1]], rtol=1e-9)
    np.testing.assert_allclose(at_end, on_its_way, rtol=1e-9)


def test_periods_are_alike_in_a_lag_of_periods(tmp_path):
    """A month and a half: half of the water after one month, half after two, whatever their length.

    1 hm3 a day came before: all of January's 31, and half of February's 28, are on their way.
    """
    dates = month_starts("2001-01", 3)
    case = river(tmp_path, [1, 2, 3], "month", dates, lag_periods=1.5, initial_hm3_day=1)
    assert of_river(case) == [
        [31, 14 + 15.5, 15.5 + 28],
        [31 + 14, 31 + 14, 15.5 + 56],
        [14 + 31, 15.5 + 56, 28 + 93],
    ]


@pytest.mark.parametrize("lag", [{"lag_h": 120}, {"lag_periods": 5}])
def test_lag_beyond_the_horizon(tmp_path, lag):
    """Five days over three: only what entered before arrives, all else is on its way."""
    case = river(tmp_path, [10, 20, 30], initial_hm3_day=4, **lag)
    assert of_river(case) == [[4, 4, 4], [20, 26, 42], [26, 42, 68]]


@pytest.mark.parametrize(
    "link",
    [{"lag_h": 1}, {"lag_periods": 0.1}, {"muskingum_k_h": 1}, {"may_circle": "true"}],
)
def test_water_does_not_circle_for_nothing_where_it_takes_time(tmp_path, link):
    ways = [("spring", "pond"), ("pond", "spring"), ("pond", "sea")]
    links = [{"name": f"{up}_{down}", "from": up, "to": down, "kind": "canal"} for up, down in ways]
    nodes = [*NODES, {"name": "pond", "kind": "junction"}]
    with pytest.raises(TopologyError, match="E253"):
        read_basin(write_basin(tmp_path, nodes=nodes, links=links))
    links[1] |= link
    read_basin(write_basin(tmp_path, nodes=nodes, links=links))


@pytest.mark.parametrize(("prices", "is_free"), [([2, 1], False), ([2, -1], True)])
def test_cost_by_date_keeps_water_from_circling(tmp_path, prices, is_free):
    """Only where it costs something on every day."""
    ways = [("spring", "pond"), ("pond", "spring"), ("pond", "sea")]
    links = [{"name": f"{up}_{down}", "from": up, "to": down, "kind": "canal"} for up, down in ways]
    nodes = [*NODES, {"name": "pond", "kind": "junction"}]
    series = {"cost_vnd_m3": {"date": days(2), "pond_spring": prices}}
    folder = write_basin(tmp_path, nodes=nodes, links=links, series=series)
    if not is_free:
        read_basin(folder)
        return
    with pytest.raises(TopologyError, match="E253"):
        read_basin(folder)


@pytest.mark.parametrize("lag", [0.3, 8.0, 9.5, 14.0, 31.4])
def test_shares_of_what_enters_add_up_to_one(lag):
    """And a steady flow arrives as a steady flow."""
    edges = np.concatenate([[0.0], np.cumsum([10.0, 10, 8] * 8)])
    lengths = np.diff(edges)
    steady, later = shares_of_steady(edges, lag)
    received = steady * lengths
    of_entering = np.zeros(24)
    for j, (_, in_period) in enumerate(shares_of_lag(edges, lag)):
        assert (in_period >= 0).all()
        of_entering[: 24 - j] += in_period[j:]
        received[j:] += in_period[j:] * lengths[: 24 - j]
    np.testing.assert_allclose(of_entering[:15], 1.0, rtol=1e-12)
    np.testing.assert_allclose(received, lengths, rtol=1e-12)
    assert later == 0.0


# --- channel storage ----------------------------------------------------------------------------

CHANNEL = {"muskingum_k_h": 32, "muskingum_x": 0.25}


def test_muskingum_by_day(tmp_path):
    """K x is 8 h and K (1 - x) 24 h: a = 1/3, b = 1, so c0 = 1/3, c1 = 1/6, c2 = 1/2.

    After a steady 6 hm3 a day, 32 h of it are stored: 8 hm3.  Out: 12/3 + 6/6 + 6/2 = 8,
    0 + 12/6 + 8/2 = 6, 24/3 + 0 + 6/2 = 11.  Stored: 12/3 + 8 = 12, 0 + 6, 24/3 + 11 = 19.
    """
    case = river(tmp_path, [12, 0, 24], initial_hm3_day=6, **CHANNEL)
    assert of_river(case) == [[8, 6, 11], [8, 12, 6], [12, 6, 19]]


def test_initial_storage_in_place_of_the_flow(tmp_path):
    """4 hm3 are stored: (4 + 12 (1 - 1/3)) / 2 = 6 come out, then (10 + 0) / 2."""
    case = river(tmp_path, [12, 0], initial_hm3_day=6, initial_storage_hm3=4, **CHANNEL)
    assert of_river(case) == [[6, 5], [4, 10], [10, 5]]


def test_empty_channel_without_weight_of_the_inflow_is_a_linear_reservoir(tmp_path):
    """K is a day: half of what was stored and enters comes out."""
    case = river(tmp_path, [12, 0, 4], muskingum_k_h=24)
    assert of_river(case) == [[6, 3, 3.5], [0, 6, 3], [6, 3, 3.5]]


def test_muskingum_over_dekads_of_unequal_length(tmp_path):
    """K is 10 days, x 0.4: a, b are 0.4, 0.6 over 10 days and 0.5, 0.75 over 8.

    16 hm3 are stored, 40 enter: (16 + 0.6 40) / 1.6 = 25 come out, 31 stay; 8 enter:
    (31 + 0.5 8) / 1.75 = 20 come out, 19 stay.
    """
    case = river(
        tmp_path, [4, 1], "dekad", DEKADS[1:3],
        muskingum_k_h=240, muskingum_x=0.4, initial_hm3_day=1.6,
    )  # fmt: skip
    assert of_river(case) == [[25, 20], [16, 31], [31, 19]]


def test_lag_then_channel_then_loss(tmp_path):
    """What fills the channel is 6, 12, 0, a day late, after 6 hm3 a day; a half is lost below it.

    Out of it: 6/3 + 6/6 + 6/2 = 6, 12/3 + 6/6 + 6/2 = 8, 0 + 12/6 + 8/2 = 6; stored 8, 12, 6.
    """
    case = river(
        tmp_path, [12, 0, 24], lag_periods=1, initial_hm3_day=6, loss_fraction=0.5, **CHANNEL
    )
    assert of_river(case) == [[3, 4, 3], [6 + 8, 12 + 8, 0 + 12], [12 + 8, 0 + 12, 24 + 6]]


def test_storage_that_is_too_slow_for_the_periods(tmp_path):
    """K x is 96 h: as long as 4 days, longer than a day."""
    link = {"muskingum_k_h": 240, "muskingum_x": 0.4}
    case = river(tmp_path, [1, 2], **link)
    with pytest.raises(CaseError) as caught:
        build_period(case)
    (fault,) = caught.value.faults
    assert fault.at.line == 2
    assert fault.at.file.endswith("links.csv")
    assert str(fault).split(": ", 1)[1] == (
        "E263 muskingum_k_h 240 of link 'river' times its muskingum_x 0.4 is 96 h but the period "
        "from 2001-01-01 has 24 h; must be at most that: take a smaller muskingum_x, split the "
        "link into several with a part of muskingum_k_h each, or take longer periods"
    )
    build_period(river(tmp_path, [1, 2], **link | {"muskingum_x": 0.1}))  # 24 h


# --- works --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "entering"),
    [
        # it opens on 11 January: for 21 of 31 days
        ({"cost_vnd_m3": 1, "capacity_hm3_day": 3}, [0, 21 * 3, 28 * 3]),
        ({"cost_vnd_m3": 3, "minimum_hm3_day": 1}, [0, 21, 28]),
        ({"cost_vnd_m3": 1}, [0, 310, 280]),
    ],
)
def test_link_of_a_work_is_open_for_its_share_of_a_period(tmp_path, limit, entering):
    """10 hm3 a day go by the river at 2 VND/m3, or by a tunnel that is cheaper or dearer."""
    dates = month_starts("2000-12", 3)
    ends = {"from": "spring", "to": "sea"}
    case = make_case(
        tmp_path,
        periods=3,
        goals=[{"minimise": "cost"}],
        more={
            "timeline": {"start": dates[0], "periods": 3, "step": "month"},
            "works": {"scheme": "2001-01-11"},
        },
        nodes=NODES,
        links=[
            {"name": "river", "kind": "reach", "cost_vnd_m3": 2, **ends},
            {"name": "tunnel", "kind": "transfer", **ends, **limit},
        ],
        works=[{"name": "scheme", "link": "tunnel"}],
        series={"inflow_hm3_day": {"date": dates, "spring": [10, 10, 10]}},
    )
    _, values = solve(case)
    assert values["flow_in"]["tunnel"] == entering


# --- balance ------------------------------------------------------------------------------------


def test_links_close_from_the_results_alone_over_years(tmp_path):
    """Each link, each dekad of six years: lags short and long, channels, losses, by any length."""
    n = 216
    random = np.random.default_rng(7)
    dates = [f"{y}-{m:02d}-{d:02d}" for y in range(2001, 2007) for m in range(1, 13)
             for d in (1, 11, 21)]  # fmt: skip
    kinds = [
        {"lag_h": 30, "initial_hm3_day": 3},
        {"lag_h": 1000, "initial_hm3_day": 1},
        {"lag_periods": 2.4, "loss_fraction": 0.05, "initial_hm3_day": 2},
        {"muskingum_k_h": 900, "muskingum_x": 0.2, "initial_hm3_day": 2},
        {"muskingum_k_h": 100, "muskingum_x": 0.5, "loss_fraction": 0.1},
        {"lag_h": 100, "muskingum_k_h": 50, "muskingum_x": 0.3, "initial_hm3_day": 1},
        {},
    ]
    names = ["spring", *(f"n{i}" for i in range(1, len(kinds))), "sea"]
    case = make_case(
        tmp_path,
        periods=n,
        goals=[{"meet": {}}],
        more={"timeline": {"start": dates[0], "periods": n, "step": "dekad"}},
        nodes=[NODES[0], *({"name": name, "kind": "junction"} for name in names[1:-1]), NODES[1]],
        links=[
            {"name": f"{up}_{down}", "from": up, "to": down, "kind": "reach", **kind}
            for up, down, kind in zip(names, names[1:], kinds, strict=False)
        ],
        demands=[
            {"name": "farm", "node": "n4", "sector": "farm", "demand_hm3_day": 3},
        ],
        series={"inflow_hm3_day": {"date": dates, "spring": random.uniform(0, 9, n).round(3)}},
    )
    table = collect(solve_perfect(case)).tables()["links"]
    for name, link in table.groupby("link"):
        start, end = link["in_transit_start_hm3"].to_numpy(), link["in_transit_end_hm3"].to_numpy()
        gained = link["flow_in_hm3"] - link["loss_hm3"] - link["flow_out_hm3"]
        np.testing.assert_allclose(start + gained, end, rtol=0, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(start[1:], end[:-1], rtol=0, atol=1e-9, err_msg=name)
        assert (end >= 0).all()
        assert end.any() == (name not in ("n6_sea", "sea"))
    first = table.groupby("link")["in_transit_start_hm3"].first()
    assert first["spring_n1"] == pytest.approx(3 * 30 / 24)
    assert first["n1_n2"] == pytest.approx(1000 / 24)
    assert first["n2_n3"] == pytest.approx(2 * (10 + 10 + 0.4 * 11))
    assert first["n3_n4"] == pytest.approx(2 * 900 / 24)
    assert first["n4_n5"] == 0
    assert first["n5_n6"] == pytest.approx(100 / 24 + 50 / 24)


# --- the program --------------------------------------------------------------------------------


def chain(folder):
    """A river of whole days, one of half days, one of days and hours with channel storage."""
    route = {
        "upper": {"loss_fraction": 0.1, "lag_periods": 1, "initial_hm3_day": 5, "cost_vnd_m3": 2},
        "middle": {"lag_h": 36, "initial_hm3_day": 4},
        "lower": {"initial_hm3_day": 6, **CHANNEL},
    }
    ends = {"upper": ("spring", "ford"), "middle": ("ford", "mouth"), "lower": ("mouth", "sea")}
    return make_case(
        folder,
        periods=3,
        goals=[{"minimise": "cost"}],
        nodes=[*NODES, {"name": "ford", "kind": "junction"}, {"name": "mouth", "kind": "junction"}],
        links=[
            {"name": name, "from": ends[name][0], "to": ends[name][1], "kind": "reach", **link}
            for name, link in route.items()
        ],
        series=inflow(spring=[10, 20, 30]),
    )


def test_golden(tmp_path):
    check_golden(chain(tmp_path), GOLDEN)
