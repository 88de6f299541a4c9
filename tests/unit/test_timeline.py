"""Periods, windows, patterns, and the step of a run of dates."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateralloc.timeline import (
    Pattern,
    Timeline,
    calendar_breaks,
    day_of_year,
    horizon_days,
    infer_timeline,
    period_sum,
)


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


# --- timeline ---


def test_dekads_end_with_their_month() -> None:
    timeline = Timeline("2004-02-11", 4, "dekad")
    assert timeline.labels == ["2004-02-11", "2004-02-21", "2004-03-01", "2004-03-11"]
    assert timeline.days.tolist() == [10, 9, 10, 10]  # a leap year
    assert timeline.seconds.tolist() == [864_000, 777_600, 864_000, 864_000]
    assert [str(day) for day in timeline.last_days[:2]] == ["2004-02-20", "2004-02-29"]


def test_months_weeks_and_days_have_their_true_length() -> None:
    assert Timeline("2003-12-01", 4, "month").days.tolist() == [31, 31, 29, 31]
    assert Timeline("2003-12-31", 2, "week").labels == ["2003-12-31", "2004-01-07"]
    assert Timeline("2004-02-28", 3, "day").labels == ["2004-02-28", "2004-02-29", "2004-03-01"]


@pytest.mark.parametrize("step", ["month", "dekad", "week", "day"])
def test_periods_follow_each_other_without_a_gap(step: str) -> None:
    timeline = Timeline("1989-06-01", 500, step)
    assert (timeline.starts[1:] == timeline.last_days[:-1] + 1).all()
    assert timeline.days.sum() == (timeline.edges[-1] - timeline.edges[0]).astype(int)
    assert len(horizon_days(timeline)) == timeline.days.sum()
    assert timeline.index[0].isoformat() == "1989-06-01T00:00:00"


@pytest.mark.parametrize(
    ("start", "periods", "step", "text"),
    [
        ("2004-06-02", 1, "month", "day 1"),
        ("2004-06-02", 1, "dekad", "1, 11 or 21"),
        ("2004-06-01", 1, "decade", "unknown step"),
        ("2004-06-01", 0, "month", "one period or more"),
        ("2004-06-31", 1, "day", "out of range"),
    ],
)
def test_a_timeline_that_cannot_be_is_refused(
    start: str, periods: int, step: str, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Timeline(start, periods, step)


def test_a_water_year_starts_in_month_1_to_12() -> None:
    with pytest.raises(ValueError, match="month 1 to 12"):
        Timeline("2004-06-01", 1, "month", water_year_start=13)


def test_the_water_year_is_named_by_its_first_month() -> None:
    timeline = Timeline("2004-04-01", 4, "month", water_year_start=6)
    assert timeline.water_year.tolist() == [2003, 2003, 2004, 2004]
    assert Timeline("1969-11-01", 4, "month").water_year.tolist() == [1969, 1969, 1970, 1970]
    assert timeline.month.tolist() == [4, 5, 6, 7]


def test_windows_are_numbered_from_zero() -> None:
    timeline = Timeline("2003-11-01", 16, "month", water_year_start=6)
    assert timeline.window("period").tolist() == list(range(16))
    assert timeline.window("horizon").tolist() == [0] * 16
    assert timeline.window("year").tolist() == [0] * 7 + [1] * 9
    dekads = Timeline("2003-11-21", 5, "dekad")
    assert dekads.window("month").tolist() == [0, 1, 1, 1, 2]


def test_a_season_is_a_run_of_its_months_over_the_turn_of_the_year() -> None:
    timeline = Timeline("2003-11-01", 16, "month")
    season = timeline.window("season", [12, 1, 2])
    assert season.tolist() == [-1, 0, 0, 0, *[-1] * 9, 1, 1, 1]
    inside = Timeline("2004-01-01", 13, "month").window("season", [12, 1, 2])
    assert inside.tolist() == [0, 0, *[-1] * 9, 1, 1]


def test_a_window_may_be_kept_to_some_months() -> None:
    timeline = Timeline("2003-01-01", 24, "month")
    year = timeline.window("year", [1, 2])
    assert year.tolist() == [0, 0, *[-1] * 10, 1, 1, *[-1] * 10]
    with pytest.raises(ValueError, match="unknown window 'quarter'"):
        timeline.window("quarter")


def test_edges_move_by_whole_years() -> None:
    timeline = Timeline("2030-02-01", 4, "dekad")
    moved = timeline.shifted_edges(-26)
    assert [str(day) for day in moved] == [
        "2004-02-01",
        "2004-02-11",
        "2004-02-21",
        "2004-03-01",
        "2004-03-11",
    ]
    leap = Timeline("2004-02-29", 1, "day").shifted_edges(1)
    assert [str(day) for day in leap] == ["2005-03-01", "2005-03-01"]


def test_a_timeline_can_be_compared_hashed_and_sent_to_workers() -> None:
    timeline = Timeline("2030-02-01", 4, "dekad")
    _ = timeline.edges, timeline.seconds
    assert pickle.loads(pickle.dumps(timeline)) == timeline
    assert hash(timeline) == hash(Timeline("2030-02-01", 4, "dekad"))


# --- the step of a run of dates ---


@given(
    st.sampled_from(["month", "dekad", "week", "day"]),
    st.integers(1950, 2060),
    st.integers(1, 12),
    st.integers(2, 80),
)
def test_the_step_is_found_again(step: str, year: int, month: int, periods: int) -> None:
    timeline = Timeline(f"{year}-{month:02d}-01", periods, step)
    assert infer_timeline(timeline.starts) == timeline


def test_dates_may_be_texts_or_dates() -> None:
    expected = Timeline("2001-01-01", 2, "month")
    assert infer_timeline(["2001-01-01", "2001-02-01"]) == expected
    assert infer_timeline([dt.date(2001, 1, 1), dt.date(2001, 2, 1)]) == expected


def test_one_date_is_a_month_where_it_can_be() -> None:
    assert infer_timeline(["2001-02-01"]) == Timeline("2001-02-01", 1, "month")
    with pytest.raises(ValueError, match="does not show a step"):
        infer_timeline(["2001-02-03"])
    with pytest.raises(ValueError, match="no dates"):
        infer_timeline([])


def test_every_break_is_found() -> None:
    step, breaks = calendar_breaks(
        days("2001-01-01", "2001-01-21", "2001-02-01", "2001-02-11", "2001-02-11", "2001-02-21")
    )
    assert step == "dekad"
    assert [row for row, _ in breaks] == [1, 4]
    assert breaks[0][1] == "follows 2001-01-01 where 2001-01-11 should (dekad steps)"


def test_one_odd_date_is_one_break() -> None:
    run = days("2001-01-01", "2001-02-01", "2001-03-02", "2001-04-01", "2001-05-01")
    assert [row for row, _ in calendar_breaks(run)[1]] == [2]
    run = days("2001-01-01", "2001-01-02", "2001-01-05", "2001-01-04", "2001-01-05")
    assert [row for row, _ in calendar_breaks(run)[1]] == [2]


def test_the_text_names_the_first_odd_date() -> None:
    with pytest.raises(ValueError, match=r"2001-04-01 follows 2001-02-01 where 2001-03-01 should"):
        infer_timeline(["2001-01-01", "2001-02-01", "2001-04-01", "2001-05-01"])


# --- patterns ---


def test_a_pattern_holds_until_its_next_start_around_the_year() -> None:
    pattern = Pattern("p", ((6, 15), (9, 16)), (80.0, 100.0), "hm3")
    on = pattern.on(days("2001-01-01", "2001-06-14", "2001-06-15", "2001-09-15", "2001-09-16"))
    assert on.tolist() == [100, 100, 80, 80, 100]
    assert pattern.by_day.shape == (365,)


def test_a_leap_day_takes_the_value_of_the_day_before() -> None:
    pattern = Pattern("p", ((1, 1), (3, 1)), (1.0, 2.0))
    assert pattern.on(days("2004-02-28", "2004-02-29", "2004-03-01")).tolist() == [1, 1, 2]
    assert day_of_year(days("2004-02-28", "2004-02-29", "2004-12-31")).tolist() == [58, 58, 364]


def test_the_mean_of_a_period_weighs_days() -> None:
    pattern = Pattern("p", ((1, 1), (1, 29)), (1.0, 4.0))
    timeline = Timeline("2001-01-01", 2, "month")
    # 28 days of 1 and 3 days of 4
    assert pattern.mean(timeline).tolist() == pytest.approx([40 / 31, 4.0], rel=1e-15)
    assert pattern.at_end(timeline).tolist() == [4, 4]


def test_daily_values_add_up_by_period() -> None:
    timeline = Timeline("2001-01-11", 3, "dekad")
    assert period_sum(np.ones(31), timeline).tolist() == [10, 11, 10]
