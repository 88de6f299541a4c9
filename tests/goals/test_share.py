"""share by leximin: known answers, and the definition checked over random bottlenecks."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small import check_golden, inflow, make_case, solve

GOLDEN = Path(__file__).parent / "golden" / "share.lp"

COUNTEREXAMPLE = {"shared_AB": 100, "own_C": 100, "demand": 100, "leximin": [50, 50, 100]}
"""A and B share a bottleneck of 100, C has its own; each asks 100 (known from outside)."""


def tree(folder, asked, shared, own, **share):
    """Users A and B below one canal, C below its own; asked by day."""
    return make_case(
        folder,
        periods=len(asked["A"]),
        goals=[{"share": {"among": "demand", **share}}],
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "ab", "kind": "junction"},
            {"name": "c", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {
                "name": "to_ab",
                "from": "spring",
                "to": "ab",
                "kind": "canal",
                "capacity_hm3_day": shared,
            },
            {"name": "to_c", "from": "spring", "to": "c", "kind": "canal", "capacity_hm3_day": own},
            {"name": "ab_sea", "from": "ab", "to": "sea", "kind": "reach"},
            {"name": "c_sea", "from": "c", "to": "sea", "kind": "reach"},
            {"name": "river", "from": "spring", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": name, "node": "c" if name == "C" else "ab", "sector": "domestic"}
            for name in asked
        ],
        series={
            **inflow(spring=[1000.0] * len(asked["A"])),
            "demand_hm3_day": {"date": inflow(x=asked["A"])["inflow_hm3_day"]["date"], **asked},
        },
    )


def test_two_that_share_a_bottleneck_and_one_that_does_not(tmp_path):
    k = COUNTEREXAMPLE
    asked = {name: [k["demand"]] for name in "ABC"}
    solution, values = solve(tree(tmp_path, asked, k["shared_AB"], k["own_C"]))
    assert [values["withdrawal"][name][0] for name in "ABC"] == pytest.approx(k["leximin"])
    names = [stage.name for stage in solution.stages[0]]
    assert names == [
        "1 share among demand, round 1",
        "1 share among demand, round 2",
        "1 meet all",
    ]


def test_satisfaction_counts_over_the_window_not_the_day(tmp_path):
    """A asks 100 on day 1, B on day 2; 60 a day pass. Over the horizon each is served 60 %."""
    asked = {"A": [100.0, 0.0], "B": [0.0, 100.0], "C": [1.0, 1.0]}
    _, values = solve(tree(tmp_path, asked, 60, 60, window="horizon"))
    assert sum(values["withdrawal"]["A"]) == pytest.approx(60)
    assert sum(values["withdrawal"]["B"]) == pytest.approx(60)


@settings(max_examples=15, deadline=None)
@given(
    a=st.integers(1, 90),
    b=st.integers(1, 90),
    c=st.integers(1, 90),
    shared=st.integers(1, 120),
    own=st.integers(1, 120),
)
def test_one_bottleneck_gives_equal_satisfaction(tmp_path_factory, a, b, c, shared, own):
    asked = {"A": [float(a)], "B": [float(b)], "C": [float(c)]}
    folder = tmp_path_factory.mktemp("share")
    _, values = solve(tree(folder, asked, shared, own))
    level = min(1.0, shared / (a + b))
    got = [values["withdrawal"][name][0] for name in "ABC"]
    np.testing.assert_allclose(got, [a * level, b * level, min(c, own)], rtol=1e-7, atol=1e-7)


def test_golden(tmp_path):
    asked = {name: [100.0, 50.0] for name in "ABC"}
    check_golden(tree(tmp_path, asked, 100, 100, window="period"), GOLDEN)


def test_known_answer_file_agrees():
    """The answer above is that of the outside collection, where it lies beside the project."""
    path = Path(__file__).parents[3] / "shared" / "known_answers.json"
    if not path.is_file():
        pytest.skip("the collection of known answers is not beside the project")
    known = json.loads(path.read_text(encoding="utf-8"))["leximin_counterexample"]
    assert known["leximin"] == COUNTEREXAMPLE["leximin"]
    assert known["shared_capacity_AB"] == COUNTEREXAMPLE["shared_AB"]
