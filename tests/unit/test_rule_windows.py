"""Windows of rules: which are whole in the horizon, and runs of several of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pytest

from wateralloc.rules import at_last_period, last_of_each, rolling_windows, windows
from wateralloc.timeline import Timeline

YEARS = Timeline("2001-01-01", 36, "month")
FROM_MAY = Timeline("2001-05-01", 30, "month", water_year_start=4)
FROM_JUNE = Timeline("2001-06-01", 24, "month")
WEEKS = Timeline("2001-01-04", 104, "week")
DAYS = Timeline("2001-01-01", 70, "day")
DEKADS = Timeline("2001-01-11", 70, "dekad")


@pytest.mark.parametrize(
    ("timeline", "name", "months", "whole"),
    [
        (YEARS, "year", (), [12, 12, 12]),
        (FROM_MAY, "year", (), [12]),  # April 2001 is before, April 2003 begins a part
        (FROM_JUNE, "year", (3, 10), [2]),  # 2001 lacks its March, 2003 its October
        (FROM_JUNE, "year", (8, 9), [2, 2]),
        (WEEKS, "year", (), [52, 52]),  # the week before starts in 2000, the week after in 2003
        (DAYS, "month", (), [31, 28]),
        (DEKADS, "season", (12, 1, 2), [9]),
        (DEKADS, "month", (1,), [3]),
        (DAYS, "season", (1, 2), [59]),
        (YEARS, "horizon", (), [36]),
        (YEARS, "period", (1,), [1, 1, 1]),
    ],
)
def test_windows_that_are_whole(
    timeline: Timeline, name: str, months: Sequence[int], whole: list[int]
) -> None:
    number = windows(timeline, name, months, whole=True, rule="r")
    assert [int((number == k).sum()) for k in range(number.max() + 1)] == whole


def test_a_warning_names_the_part_of_a_window(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        windows(FROM_MAY, "year", whole=True, rule="compact")
    assert [record.getMessage() for record in caplog.records] == [
        f"compact: the year from {first} to {last} is not whole in the horizon; "
        "the rule is silent in it"
        for first, last in (("2001-05-01", "2002-03-31"), ("2003-04-01", "2003-10-31"))
    ]


@pytest.mark.parametrize(
    ("timeline", "name", "count", "months", "sizes", "n_before"),
    [
        (YEARS, "year", 2, (), [12, 24, 24], [1, 0, 0]),
        (YEARS, "year", 1, (), [12, 12, 12], [0, 0, 0]),
        (YEARS, "year", 5, (), [12, 24, 36], [4, 3, 2]),
        # one whole year before, and the month of the year in which the horizon starts
        (FROM_MAY, "year", 2, (), [11, 23, 19], [2, 1, 0]),
        (FROM_JUNE, "year", 2, (3, 10), [1, 3, 3], [2, 1, 0]),
        (FROM_JUNE, "year", 2, (8, 9), [2, 4], [1, 0]),
        (DEKADS, "season", 2, (12, 1, 2), [5, 14, 11], [2, 1, 0]),
        (DAYS, "period", 3, (), [1, 2, *[3] * 68], [2, 1, *[0] * 68]),
    ],
)
def test_runs_of_windows(
    timeline: Timeline,
    name: str,
    count: int,
    months: Sequence[int],
    sizes: list[int],
    n_before: list[int],
) -> None:
    runs, before = rolling_windows(timeline, name, count, months)
    assert ([run.size for run in runs], before) == (sizes, n_before)
    number = timeline.window(name, months or None)
    for k, run in enumerate(runs):
        assert set(number[run]) == set(range(max(0, k - count + 1), k + 1))
        assert (np.diff(run) > 0).all()


def test_a_run_that_ends_in_a_part_is_left_out_of_the_whole_ones() -> None:
    runs, before = rolling_windows(FROM_MAY, "year", 2, whole=True)
    assert ([run.size for run in runs], before) == ([11, 23], [2, 1])


def test_volumes_of_runs_add_up_to_their_own() -> None:
    runs, _ = rolling_windows(DAYS, "period", 3)
    volumes = np.random.default_rng(5).uniform(0, 9, len(runs))
    required = at_last_period(volumes, runs, DAYS.periods)
    assert [required[run].sum() for run in runs] == pytest.approx(volumes, abs=1e-12)


def test_last_period_of_each_window() -> None:
    assert last_of_each(np.array([-1, 0, 0, -1, 1, -1])).tolist() == [False, False, True, False,
                                                                     True, False]  # fmt: skip
    assert not last_of_each(np.array([-1, -1])).any()
