"""Split of a river into a branch and its main arm, by hand.

The rain brings water to the fork, where the farm on the canal takes first; what is left divides.
"""

from pathlib import Path

import numpy as np
import pyomo.environ as pyo
import pytest

from tests.small import check_golden, inflow, make_case, solve
from wateralloc.basin import Curve
from wateralloc.parts.split import branch_flow
from wateralloc.tangents import Dual

GOLDEN = Path(__file__).parent / "golden" / "split.lp"
M3S = 1 / 0.0864  # one hm3 a day as a flow


def fork(folder, splits, inflows=(10, 20, 40), goals=({"minimise": "cost"},), **changes):
    """Water in the branch costs 3 a hm3, in the main arm 1, in the canal nothing."""
    basin = {
        "nodes": [
            {"name": "fork", "kind": "inflow"},
            {"name": "field", "kind": "sink"},
            {"name": "gulf", "kind": "sink"},
            {"name": "bay", "kind": "sink"},
        ],
        "links": [
            {"name": "branch", "from": "fork", "to": "gulf", "kind": "distributary",
             "cost_vnd_m3": 3},
            {"name": "arm", "from": "fork", "to": "bay", "kind": "reach", "cost_vnd_m3": 1},
            {"name": "canal", "from": "fork", "to": "field", "kind": "canal",
             "capacity_hm3_day": 5},
        ],
        "splits": splits,
        "series": inflow(fork=inflows),
    }  # fmt: skip
    return make_case(folder, periods=len(inflows), goals=goals, **(basin | changes))


def of(link="branch", name="", **columns):
    """A row of splits.csv."""
    return {"name": name or f"to_{link}", "node": "fork", "link": link, **columns}


def fixed(folder):
    return fork(folder, [of(share_fraction=0.4)])


def test_fixed_share_of_what_the_canal_leaves(tmp_path):
    """The canal takes 5; of 5, 15 and 35 hm3 the branch takes 40 %."""
    _, values = solve(fixed(tmp_path))
    assert values["flow_in"]["canal"] == [5, 5, 5]
    assert values["flow_in"]["branch"] == pytest.approx([2, 6, 14])
    assert values["flow_in"]["arm"] == pytest.approx([3, 9, 21])


def test_shares_of_every_branch(tmp_path):
    """The last takes the rest, so shares that add up to 1 only nearly divide all the same."""
    splits = [of(share_percent=33.33333), of("arm", share_percent=66.66667)]
    _, values = solve(fork(tmp_path, splits))
    assert values["flow_in"]["branch"] == pytest.approx([5 / 3, 5, 35 / 3])
    assert values["flow_in"]["arm"] == pytest.approx([10 / 3, 10, 70 / 3])


def test_share_by_pattern(tmp_path):
    """A quarter on 1 January, half from 2 January on."""
    patterns = [
        {"pattern": "bed", "start": "01-01", "value": 0.25, "unit": "1"},
        {"pattern": "bed", "start": "01-02", "value": 0.5, "unit": "1"},
    ]
    case = fork(tmp_path, [of(share_fraction="pattern:bed")], (9, 9, 9), patterns=patterns)
    _, values = solve(case)
    assert values["flow_in"]["branch"] == pytest.approx([1, 2, 2])


def test_share_by_series(tmp_path):
    series = inflow(fork=(9, 9)) | {
        "share_fraction": {"date": ["2001-01-01", "2001-01-02"], "to_branch": [0.1, 0.3]}
    }
    _, values = solve(fork(tmp_path, [of()], (9, 9), series=series))
    assert values["flow_in"]["branch"] == pytest.approx([0.4, 1.2])


@pytest.mark.parametrize(
    ("goal", "branch"),
    [("minimise", [1, 3, 7]), ("maximise", [2, 6, 14])],
)
def test_share_within_limits(tmp_path, goal, branch):
    """Between 20 and 40 % of 5, 15, 35: the dear branch takes the least, or the most."""
    goals = [{"minimise": {"quantity": "outflow", "of": ["bay", "gulf"]}}, {goal: "cost"}]
    splits = [of(minimum_share_fraction=0.2, maximum_share_fraction=0.4)]
    _, values = solve(fork(tmp_path, splits, goals=goals))
    assert values["flow_in"]["branch"] == pytest.approx(branch)


EPOCHS = [
    of(name="old", share_fraction=0.26, from_year=1989, to_year=2000),
    of(name="new", share_fraction=0.38, from_year=2010, to_year=2022),
    of(name="middle", share_fraction=0.29, from_year=2001, to_year=2008),
]


@pytest.mark.parametrize(
    ("year", "share"),
    [(1950, 0.26), (1989, 0.26), (2000, 0.26), (2001, 0.29), (2009, 0.29), (2010, 0.38),
     (2100, 0.38)],
)  # fmt: skip
def test_riverbed_of_the_case_chooses_the_years(tmp_path, year, share):
    """Before the first epoch it is the first, in the gap of 2009 the one before, then the last."""
    case = fork(tmp_path, EPOCHS, (15,), more={"riverbed": year})
    _, values = solve(case)
    assert values["flow_in"]["branch"] == pytest.approx([10 * share])


def test_riverbed_is_that_of_the_first_year_by_default(tmp_path):
    _, values = solve(fork(tmp_path, EPOCHS, (15,)))
    assert values["flow_in"]["branch"] == pytest.approx([2.9])


# --- curves -------------------------------------------------------------------------------------


def curve_rows(points, y_unit, name="bed"):
    """Rows of curves.csv: flows and y are given as hm3 a day, fractions as they are."""
    scale = M3S if y_unit == "m3s" else 1
    return [
        {"curve": name, "x": x * M3S, "y": y * scale, "x_unit": "m3s", "y_unit": y_unit}
        for x, y in points
    ]


def curved(folder, points=((5, 0.2), (35, 0.4)), y_unit="fraction", **changes):
    return fork(folder, [of(curve="bed")], curves=curve_rows(points, y_unit), **changes)


def test_branch_by_a_curve_of_shares():
    """From 20 % of 10 to 40 % of 30; beyond, the share stays."""
    curve = Curve("bed", {"share": (np.array([10.0, 30.0]), np.array([0.2, 0.4]))})
    flows = branch_flow(curve, np.array([0.0, 5.0, 10.0, 20.0, 30.0, 100.0]))
    np.testing.assert_allclose(flows, [0, 1, 2, 6, 12, 40])


def test_branch_by_a_curve_of_flows():
    """Nothing up to 10, then half of what comes more, also beyond the end."""
    curve = Curve("bed", {"flow": (np.array([0.0, 10.0, 30.0]), np.array([0.0, 0.0, 10.0]))})
    flows = branch_flow(curve, np.array([0.0, 5.0, 20.0, 30.0, 50.0]))
    np.testing.assert_allclose(flows, [0, 0, 5, 10, 20])


@pytest.mark.parametrize("quantity", ["share", "flow"])
def test_curve_as_numbers_slopes_and_expressions(quantity):
    """The three readings of the same function agree: by differences, and by Pyomo."""
    ys = {"share": [0.0, 0.2, 0.4], "flow": [0.0, 1.0, 9.0]}[quantity]
    curve = Curve("bed", {quantity: (np.array([0.0, 10.0, 30.0]), np.array(ys))})
    flow, step = np.array([2.0, 7.0, 12.0, 29.0, 44.0]), 1e-6
    dual = branch_flow(curve, Dual(flow, (np.ones(5),)))
    np.testing.assert_allclose(dual.value, branch_flow(curve, flow))
    rise = branch_flow(curve, flow + step) - branch_flow(curve, flow - step)
    np.testing.assert_allclose(dual.slopes[0], rise / (2 * step), rtol=1e-6)
    m = pyo.ConcreteModel()
    m.flow = pyo.Var()
    expression = branch_flow(curve, m.flow)
    for at, value in zip(flow, dual.value, strict=True):
        m.flow.set_value(at)
        assert pyo.value(expression) == pytest.approx(value)


def test_fixed_mode_takes_the_share_of_the_middle(tmp_path):
    """In the middle of the curve, at 20 hm3 a day, it is 30 %."""
    _, values = solve(curved(tmp_path, more={"linearisation": "fixed"}))
    assert values["flow_in"]["branch"] == pytest.approx([1.5, 4.5, 10.5])


@pytest.mark.parametrize(
    ("points", "y_unit", "branch"),
    [
        (((5, 0.2), (35, 0.4)), "fraction", [1, 15 * (0.2 + 0.2 / 3), 14]),
        (((0, 0), (10, 1), (20, 7)), "m3s", [0.5, 4, 16]),
    ],
)
def test_curve_is_met_in_the_end(tmp_path, points, y_unit, branch):
    """What divides is given: 5, 15 and 35 hm3; the second curve goes on by 0.6 beyond 20."""
    _, values = solve(curved(tmp_path, points, y_unit))
    assert values["flow_in"]["branch"] == pytest.approx(branch, rel=1e-6)


def test_golden(tmp_path):
    """Four branches: by a curve, fixed by the riverbed of 2001, within limits, and the rest."""
    links = [
        {"name": name, "from": "fork", "to": "bay", "kind": "distributary"}
        for name in ("branch", "creek", "brook", "arm")
    ]
    splits = [
        of(curve="bed"),
        of("creek", name="creek_old", share_fraction=0.3, to_year=2000),
        of("creek", name="creek_new", share_fraction=0.2, from_year=2001),
        of("brook", minimum_share_fraction=0.1, maximum_share_fraction=0.15),
    ]
    nodes = [{"name": "fork", "kind": "inflow"}, {"name": "bay", "kind": "sink"}]
    curves = curve_rows(((5, 0.2), (35, 0.4)), "fraction")
    check_golden(fork(tmp_path, splits, nodes=nodes, links=links, curves=curves), GOLDEN)
