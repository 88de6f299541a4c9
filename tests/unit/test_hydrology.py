import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wateralloc.hydrology import (
    Hydrology,
    Member,
    check_withdrawals,
    factor_on,
    factors_by_node,
    historic_members,
    nearest_exceedance,
    resample,
    spans,
    take_upstream,
    value_at,
)
from wateralloc.seasonal import Seasonal
from wateralloc.timeline import STEPS, Pattern, Timeline

RECORD = Timeline("2000-01-01", 60, "month")  # 2000 to 2004
SPAN = (RECORD.edges[0], RECORD.edges[-1])
DAY = np.timedelta64(1, "D")


def daily(values, record):
    """Value of each day of a record, the slow and plain way."""
    return np.repeat(values, record.days.astype(int), axis=0)


@given(
    step=st.sampled_from(STEPS),
    of_record=st.sampled_from(STEPS),
    n=st.integers(1, 8),
    month=st.integers(1, 12),
    year=st.sampled_from([2028, 2029]),
)
def test_resampling_is_the_mean_or_sum_of_days(step, of_record, n, month, year):
    n_record = {"month": 48, "dekad": 144, "week": 208, "day": 1461}[of_record]
    record = Timeline("2000-01-01", n_record, of_record)
    values = np.random.default_rng(n).uniform(0, 100, (record.periods, 2))
    timeline = Timeline(f"{year}-{month:02d}-01", n, step)
    members = historic_members(timeline, (record.edges[0], record.edges[-1]))
    assert members
    starts, ends = spans(timeline, members)
    mean = resample(values, record, starts, ends)
    total = resample(values, record, starts, ends, is_amount=True)
    assert mean.shape == total.shape == (2, len(members), n)
    by_day = daily(values, record)
    amount_by_day = daily(values / record.days[:, None], record)
    offset = ((starts - record.edges[0]).astype(int), (ends - record.edges[0]).astype(int))
    for k in range(len(members)):
        for t in range(n):
            days = slice(offset[0][k, t], offset[1][k, t])
            np.testing.assert_allclose(mean[:, k, t], by_day[days].mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(total[:, k, t], amount_by_day[days].sum(axis=0), rtol=1e-12)


def test_equal_periods_are_taken_over_exactly():
    values = np.random.default_rng(1).uniform(0, 1000, (60, 3))
    timeline = Timeline("2030-01-01", 12, "month")
    array = resample(values, RECORD, *spans(timeline, [Member("2003-01", -27)]))
    np.testing.assert_array_equal(array[:, 0], values[36:48].T)


def test_resampling_outside_the_record_is_refused():
    starts, ends = spans(Timeline("2004-12-01", 2, "month"), [Member("", 0)])
    with pytest.raises(ValueError, match="series covers 2000-01-01 to 2004-12-31"):
        resample(np.zeros((60, 1)), RECORD, starts, ends)


def test_a_leap_day_takes_the_day_before_it_where_the_record_has_none():
    days = Timeline("2001-02-26", 5, "day")
    values = np.array([[26.0], [27], [28], [1], [2]])
    horizon = Timeline("2028-02-27", 4, "day")
    array = resample(values, days, *spans(horizon, [Member("2001-02", -27)]))
    assert array.tolist() == [[[27, 28, 28, 1]]]


def test_the_last_day_of_a_period_is_read_at_the_end():
    starts, ends = spans(Timeline("2030-01-25", 2, "week"), [Member("2000-01", -30)])
    values = np.arange(60.0)[:, None]
    assert value_at(values, RECORD, ends - DAY).tolist() == [[[0, 1]]]
    assert starts[0, 0] == np.datetime64("2000-01-25")


def test_resampling_the_real_size_takes_milliseconds():
    record = Timeline("1989-06-01", 756, "dekad")
    timeline = Timeline("2030-06-01", 36, "dekad")
    members = historic_members(timeline, (record.edges[0], record.edges[-1]))
    values = np.ones((756, 43))
    begin = time.process_time()
    array = resample(values, record, *spans(timeline, members))
    assert time.process_time() - begin < 0.5
    assert array.shape == (43, 21, 36)


# --- choosing members -----------------------------------------------------------------------


JUNE_TO_MAY = Timeline("2030-06-01", 12, "month")


def choose(timeline=JUNE_TO_MAY, span=SPAN, totals=None, **keys):
    totals = totals or (lambda members: np.zeros(len(members)))
    return Hydrology(**keys).choose(timeline, span, totals)


def test_all_years_that_cover_the_horizon_are_members():
    members, faults = choose()
    assert faults == []
    assert [member.name for member in members] == ["2000-06", "2001-06", "2002-06", "2003-06"]
    assert members[0].years == -30
    january, _ = choose(Timeline("2030-01-01", 12, "month"), members="all")
    assert len(january) == 5
    short, _ = choose(Timeline("2030-12-01", 1, "month"))
    assert [member.name for member in short][-1] == "2004-12"


def test_years_are_named_by_their_month():
    members, faults = choose(years=["2003-06", "2001-06"])
    assert (members, faults) == ((Member("2003-06", -27), Member("2001-06", -29)), [])
    assert choose(year="2002-06")[0] == (Member("2002-06", -28),)


def test_a_record_by_dates_has_one_member_of_its_own_years():
    members, faults = choose(Timeline("2001-06-01", 12, "month"), record="dates")
    assert (members, faults) == ((Member("2001-06", 0),), [])
    _, faults = choose(record="dates")
    assert [fault[:2] for fault in faults] == [("record", "E232")]


def test_without_a_record_there_is_one_member():
    assert choose(span=None) == ((Member("2030-06", 0),), [])
    for keys in ({"year": "2001-06"}, {"years": ["2001-06"]}, {"exceedance": 0.5}):
        _, faults = choose(span=None, **keys)
        assert [fault[:2] for fault in faults] == [(next(iter(keys)), "E321")]


def test_years_outside_the_record_are_faults():
    _, faults = choose(years=["2004-06", "2001-06", "2001-01"])
    assert [fault[:2] for fault in faults] == [("years.0", "E232"), ("years.2", "E321")]
    assert "2000-01-01 to 2004-12-31" in faults[0][2]
    assert "from 2000-06 to 2003-06" in faults[0][2]
    assert faults[1][2].endswith("write 2001-06")
    _, faults = choose(Timeline("2030-06-01", 60, "month"))
    assert [fault[:2] for fault in faults] == [("record", "E232")]


def test_exceedance_takes_the_year_nearest_to_it():
    totals = {"2000-06": 50.0, "2001-06": 80.0, "2002-06": 20.0, "2003-06": 60.0}
    by_name = lambda members: np.array([totals[m.name] for m in members])  # noqa: E731
    # 1/5, 2/5, 3/5, 4/5 from the wettest to the driest
    expected = {0.1: "2001-06", 0.39: "2003-06", 0.6: "2000-06", 0.9: "2002-06"}
    for probability, name in expected.items():
        members, _ = choose(totals=by_name, exceedance=probability)
        assert [member.name for member in members] == [name]


def test_of_two_equally_near_the_drier_is_taken():
    assert nearest_exceedance(np.array([10.0, 30.0, 20.0, 40.0]), 0.5) == 2


@pytest.mark.parametrize(
    "keys",
    [
        {"year": "2004-06", "members": "all"},
        {"record": "dates", "year": "2004-06"},
        {"record": "dates", "exceedance": 0.5},
        {"year": "2004-13"},
        {"year": "2004"},
        {"years": []},
        {"years": ["2004-06", "2004-06"]},
        {"exceedance": 1},
        {"exceedance": 0},
        {"scale": -0.1},
        {"scale": {"da": float("inf")}},
        {"scale": True},
        {"member": "all"},
    ],
)
def test_contradictions_are_refused(keys):
    with pytest.raises(ValidationError):
        Hydrology(**keys)


# --- scale ----------------------------------------------------------------------------------

SUB_BASINS = {"border": "da", "dam": "da", "town": "delta", "sea": "", "both": "both", "dry": "low"}
INFLOW = ("border", "dam", "town", "both")


def test_a_factor_of_a_node_takes_the_place_of_its_sub_basins():
    assert factors_by_node(0.9, SUB_BASINS, INFLOW) == (dict.fromkeys(INFLOW, 0.9), [])
    for scale in ({"da": 0.9, "dam": 0.5}, {"dam": 0.5, "da": 0.9}):
        assert factors_by_node(scale, SUB_BASINS, INFLOW) == ({"border": 0.9, "dam": 0.5}, [])


def test_names_that_scale_nothing_are_faults():
    scale = {"daa": 1.0, "sea": 1.0, "low": 1.0, "both": 1.0}
    _, faults = factors_by_node(scale, SUB_BASINS, INFLOW)
    assert [fault[:2] for fault in faults] == [(name, "E313") for name in scale]
    assert "did you mean 'da'?" in faults[0][2]


@pytest.mark.parametrize(
    ("scale", "daily"),
    [
        ({"months": [1, 2], "value": 0.8}, lambda day: 0.8 if day.month <= 2 else 1.0),
        (
            {"from": "12-11", "to": "02-10", "value": 0.0},
            lambda day: 0.0 if f"{day:%m-%d}" >= "12-11" or f"{day:%m-%d}" <= "02-10" else 1.0,
        ),
        (
            [0.9, {"months": [3], "value": "pattern:wet"}],
            lambda day: 0.9 if day.month != 3 else 1.2 if day.day < 11 else 1.5,
        ),
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_a_factor_by_date_is_the_mean_over_days(step, scale, daily):
    """A period in two months takes part of each; days that are not named keep their inflow."""
    patterns = {"wet": Pattern("wet", ((1, 1), (3, 11)), (1.2, 1.5), "fraction")}
    timeline = Timeline("2030-12-01", 20, step)
    factor = factor_on(Hydrology(scale=scale).scale, timeline, patterns)
    at_end = factor_on(Hydrology(scale=scale).scale, timeline, patterns, at_end=True)
    for t in range(20):
        days = np.arange(timeline.edges[t], timeline.edges[t + 1]).tolist()
        assert factor[t] == pytest.approx(np.mean([daily(day) for day in days]), rel=1e-12)
        assert at_end[t] == daily(days[-1])


def test_a_factor_is_for_all_or_by_name():
    dry = {"months": [1], "value": 0.5}
    assert Hydrology(scale=dry).scale == Seasonal(dry)
    by_name = Hydrology(scale={"da": dry, "dam": 0.7}).scale
    factors, faults = factors_by_node(by_name, SUB_BASINS, INFLOW)
    assert (factors, faults) == ({"border": Seasonal(dry), "dam": 0.7}, [])
    everywhere, _ = factors_by_node(Hydrology(scale=dry).scale, SUB_BASINS, INFLOW)
    assert everywhere == dict.fromkeys(INFLOW, Seasonal(dry))


@pytest.mark.parametrize(
    "scale",
    [
        {"months": [13], "value": 0.5},
        {"months": [1], "value": -0.5},
        {"months": [1]},
        {"da": {"months": [], "value": 1.0}},
        {"da": "0.9"},
        {"da": {"months": [1], "value": 0.5, "node": "dam"}},
    ],
)
def test_factors_that_make_no_sense_are_refused(scale):
    with pytest.raises(ValidationError):
        Hydrology(scale=scale)


# --- withdrawals upstream -------------------------------------------------------------------


@given(
    flow=st.lists(st.floats(0, 1000), min_size=3, max_size=3),
    withdrawal=st.lists(st.floats(0, 1000), min_size=3, max_size=3),
)
def test_no_more_is_taken_than_flows(flow, withdrawal):
    flow, withdrawal = np.array([flow]), np.array(withdrawal)
    left, missing = take_upstream(flow, withdrawal)
    assert (left >= 0).all()
    assert (missing >= 0).all()
    np.testing.assert_allclose(flow - left, withdrawal - missing, rtol=1e-12, atol=1e-9)
    assert (np.minimum(left, missing) == 0).all()  # nothing is left where something is missing


def test_withdrawals_are_of_nodes_with_inflow():
    taken = dict.fromkeys(("border", "sea", "bordr", "red"), Seasonal(1.0))
    faults = check_withdrawals(taken, tuple(SUB_BASINS), INFLOW)
    assert [fault[:2] for fault in faults] == [(name, "E313") for name in ("sea", "bordr", "red")]
    assert "did you mean 'border'?" in faults[1][2]
    assert "nodes with an inflow: border, dam, town, both" in faults[2][2]
