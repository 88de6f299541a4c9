"""Rules over windows that overlap: the stacked program is the one that Pyomo writes out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties import written
from tests.rules.months import by_month, months
from tests.small import make_case, solve
from wateralloc.case import Case

STARTS = ["2001-01", "2001-04", "2001-11"]
volumes = st.integers(0, 60).map(float)


def river(
    start: str, periods: int, inflow: list[float], asked: list[float], **rest: Any
) -> dict[str, Any]:
    """A lake above a farm and a town, by month: arguments of ``make_case``.

    A record that is a year longer than the horizon has two members.
    """
    return {
        "periods": periods,
        "goals": [{"meet": {}}, {"minimise": "spill"}],
        "nodes": [
            {"name": "lake", "kind": "reservoir"},
            {"name": "field", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "gate", "from": "lake", "to": "field", "kind": "reach"},
            {"name": "weir", "from": "lake", "to": "field", "kind": "spillway"},
            {"name": "mouth", "from": "field", "to": "sea", "kind": "reach"},
        ],
        "reservoirs": [
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 80, "initial_hm3": 40, "target_hm3": 0}
        ],
        "demands": [
            {"name": "rice", "node": "field", "sector": "irrigation", "region": "north"},
            {"name": "town", "node": "field", "sector": "domestic", "region": "south",
             "annual_hm3": 120},
        ],
        "series": {
            **by_month("inflow_hm3_day", start, lake=inflow),
            **by_month("demand_hm3_day", start, rice=asked),
        },
        "more": {
            **months(start, periods),
            "hydrology": {"record": "historic", "members": "all"},
        },
        **rest,
    }  # fmt: skip


@st.composite
def rivers(draw: st.DrawFn) -> dict[str, Any]:
    """A river under some of the rules that reach over several windows, all of which can be kept."""
    start, periods = draw(st.sampled_from(STARTS)), draw(st.integers(2, 30))
    length = periods + 12 * draw(st.integers(0, 1))
    by_length = st.lists(volumes, min_size=length, max_size=length)
    windows = draw(
        st.sampled_from(
            [{"window": "month"}, {"window": "year"}, {"window": "season", "months": [3, 4, 5]},
             {"window": "year", "months": [1, 2, 10]}]
        )
    )  # fmt: skip
    count = draw(st.integers(2, 4))
    history = [volume / 4 for volume in draw(st.lists(volumes, max_size=count - 1))]
    if draw(st.booleans()):
        history = []
    soft = {"soft": {"goal": draw(st.integers(1, 3))}}
    choices: list[dict[str, Any]] = [
        {"rule": "quota", "name": "cap", "sectors": ["irrigation"], "rolling": count,
         "volume_hm3": draw(volumes), **windows, "history_hm3": history, **soft},
        {"rule": "quota", "name": "share", "rolling": count, "share_of_demand": 0.6, **windows},
        {"rule": "rolling_delivery", "name": "owed", "at": "field", "rolling": count,
         "volume_hm3": 4 * draw(volumes), **windows, "history_hm3": history,
         "leave": {"normal_hm3": draw(volumes)}, **soft},
        {"rule": "cumulative_delivery", "name": "account", "at": "field", **windows,
         "volume_hm3": draw(volumes), "initial_hm3": draw(st.sampled_from([-20.0, 0.0, 15.0])),
         "loss": draw(st.sampled_from([0.0, 0.25])), "debit_limit_hm3": draw(volumes),
         **draw(st.sampled_from([{}, {"credit_limit_hm3": 30}])), "settle": draw(st.booleans()),
         **soft},
    ]  # fmt: skip
    rules = draw(st.lists(st.sampled_from(choices), unique_by=lambda r: r["name"], min_size=1))
    return river(start, periods, draw(by_length), draw(by_length), rules=rules)


def optima_of(case: Case) -> np.ndarray:
    """Optimum of each goal as solved, summed over members, in the unit of its expression."""
    solution, _ = solve(case)
    values = [[stage.value / stage.value_scale for stage in stages] for stages in solution.stages]
    return np.sum(values, axis=0)


@settings(max_examples=25)
@given(drawn=rivers())
def test_stacked_program_is_the_one_pyomo_writes(drawn: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **drawn)
    stacked, full = written.both_programs(case)
    assert written.differences(stacked, full) == []


@settings(max_examples=10)
@given(drawn=rivers())
def test_optimum_is_that_of_the_program_pyomo_writes(drawn: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **drawn)
    solution, _ = solve(case)
    found = np.sum(
        [[stage.value / stage.value_scale for stage in stages] for stages in solution.stages],
        axis=0,
    )
    assert found == pytest.approx(written.write(case).optima(), rel=1e-6, abs=1e-5)


@st.composite
def rights(draw: st.DrawFn) -> dict[str, Any]:
    """A river of which the users of two regions hold rights, that they may carry over and lease."""
    drawn = draw(rivers())
    drawn["rules"] = [
        {
            "rule": "entitlement",
            "name": "rights",
            **draw(st.sampled_from([{"window": "month"}, {"window": "season", "months": [3, 4]}])),
            "holders": {
                "fields": {"regions": ["north"], "volume_hm3": draw(volumes)},
                "towns": {"regions": ["south"], "share_of_demand": 0.7, "initial_hm3": 1.0},
            },
            "carry_over": {
                **draw(st.sampled_from([{"share": 0.5}, {"limit_hm3": 2}])),
                "loss": 0.25,
            },
            "trade": draw(st.sampled_from([{}, {"limit_hm3": 4, "exchange_rate": 0.5}])),
        }
    ]
    return drawn


@settings(max_examples=12)
@given(drawn=rights())
def test_rights_are_stacked_as_pyomo_writes_them(drawn: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder), **drawn)
    stacked, full = written.both_programs(case)
    assert written.differences(stacked, full) == []
    assert optima_of(case) == pytest.approx(full.optima(), rel=1e-6, abs=1e-5)
