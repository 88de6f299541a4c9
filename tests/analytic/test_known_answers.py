"""Answers known from outside that the parts of this release can express.

Not expressible yet: ``loucks3`` (concave benefit curves), ``hydro_valley_deterministic`` (power by
flow), the claims rules other than proportional, ``nucleolus``.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.small import inflow, make_case, solve


def test_least_cost_network(tmp_path):
    """University of Manchester Hydra demonstration: least cost 5,170.

    300 enter J1. Ag1 costs 20 (25 to 220), the way on to J2 15 (10 to 310); from J2 the city costs
    1 and loses 5 % (20 to 220), the end point 10 (10 to 220). All water has to go somewhere, so
    the city takes its 220, the end point its least 10, J2 thus 230 and Ag1 the other 70:
    230 x 15 + 70 x 20 + 220 x 1 + 10 x 10 = 5,170.
    """
    limits = {  # from, to, cost, loss, least, most
        "J1_J2": ("J1", "J2", 15, 0, 10, 310),
        "J1_Ag1": ("J1", "Ag1", 20, 0, 25, 220),
        "J2_Urb1": ("J2", "Urb1", 1, 0.05, 20, 220),
        "J2_EndPt": ("J2", "EndPt", 10, 0, 10, 220),
    }
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"minimise": "cost"}],
        nodes=[
            {"name": "J1", "kind": "inflow"},
            {"name": "J2", "kind": "junction"},
            *({"name": name, "kind": "sink"} for name in ("Ag1", "Urb1", "EndPt")),
        ],
        links=[
            {
                "name": name,
                "from": a,
                "to": b,
                "kind": "canal",
                "cost_vnd_m3": cost,
                "loss_fraction": loss,
                "minimum_hm3_day": least,
                "capacity_hm3_day": most,
            }
            for name, (a, b, cost, loss, least, most) in limits.items()
        ],
        series=inflow(J1=[300]),
    )
    solution, values = solve(case)
    assert solution.stages[0][0].value == pytest.approx(5170, rel=1e-9)
    flows = {"J1_J2": 230, "J1_Ag1": 70, "J2_Urb1": 220, "J2_EndPt": 10}
    assert {k: values["flow_in"][k][0] for k in flows} == pytest.approx(flows)


LAGS = "0.57 0.29 0.14"
SENIOR_FIRST = [{"meet": {"sectors": ["senior"]}}, {"meet": {"sectors": ["junior"]}}]


def test_junior_user_lives_on_the_return_flow_of_the_senior(tmp_path):
    """MODSIM test network Return_Flow, chain 1, exact.

    The senior asks 100 of 75 and takes all; half infiltrates and returns over three periods to the
    junior's node: 37.5 x (0.57, 0.86, 1, 1, 1).
    """
    case = make_case(
        tmp_path,
        periods=5,
        goals=SENIOR_FIRST,
        nodes=[
            {"name": "up", "kind": "inflow"},
            {"name": "down", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "up", "to": "down", "kind": "reach"},
            {"name": "lower", "from": "down", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {
                "name": "a",
                "node": "up",
                "sector": "senior",
                "annual_hm3": 36500,
                "consumption_fraction": 0.5,
                "return_to": "down",
                "return_weights": LAGS,
            },
            {"name": "b", "node": "down", "sector": "junior", "annual_hm3": 36500},
        ],
        series=inflow(up=[75] * 5),
    )
    _, values = solve(case)
    assert values["withdrawal"]["a"] == pytest.approx([75] * 5)
    assert values["withdrawal"]["b"] == pytest.approx([21.375, 32.25, 37.5, 37.5, 37.5])


def test_junior_user_lives_on_its_own_return_flow(tmp_path):
    """MODSIM test network Return_Flow, chain 3, exact.

    115 come, the senior takes 100, whose returns leave further down. The junior has 15 and its own
    returns: x(t) = 15 + 0.5 (0.57 x(t) + 0.29 x(t-1) + 0.14 x(t-2)), so x(1) = 15 / 0.715.
    """
    case = make_case(
        tmp_path,
        periods=5,
        goals=SENIOR_FIRST,
        nodes=[{"name": "up", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "river", "from": "up", "to": "sea", "kind": "reach"}],
        demands=[
            {
                "name": "a",
                "node": "up",
                "sector": "senior",
                "annual_hm3": 36500,
                "consumption_fraction": 0.5,
                "return_to": "sea",
                "return_weights": LAGS,
            },
            {
                "name": "m",
                "node": "up",
                "sector": "junior",
                "annual_hm3": 36500,
                "consumption_fraction": 0.5,
                "return_to": "up",
                "return_weights": LAGS,
            },
        ],
        series=inflow(up=[115] * 5),
    )
    _, values = solve(case)
    exact = [20.979, 25.2335, 28.1502, 29.1582, 29.6482]
    np.testing.assert_allclose(values["withdrawal"]["m"], exact, atol=5e-5)


@pytest.mark.parametrize(
    ("estate", "claims", "awards"),
    [
        (100, (100, 200, 300), (100 / 6, 200 / 6, 50)),
        (200, (100, 200, 300), (200 / 6, 400 / 6, 100)),
        (300, (100, 200, 300), (50, 100, 150)),
        (10, (2, 4, 7, 8), (20 / 21, 40 / 21, 70 / 21, 80 / 21)),
    ],
)
def test_equal_satisfaction_at_one_node_is_the_proportional_rule(tmp_path, estate, claims, awards):
    """O'Neill 1982; Aumann & Maschler 1985: award = estate x claim / sum of claims."""
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"share": {"among": "demand"}}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": f"user_{k}", "node": "river", "sector": "domestic", "annual_hm3": claim * 365}
            for k, claim in enumerate(claims)
        ],
        series=inflow(river=[estate]),
    )
    _, values = solve(case)
    assert [w[0] for w in values["withdrawal"].values()] == pytest.approx(awards)


def test_the_numbers_above_are_those_of_the_collection():
    """Where the collection lies beside the project, it says the same."""
    path = Path(__file__).parents[3] / "shared" / "known_answers.json"
    if not path.is_file():
        pytest.skip("the collection of known answers is not beside the project")
    known = json.loads(path.read_text(encoding="utf-8"))
    assert known["trivial"]["objective_min"] == 5170
    returns = known["modsim_return_flow"]
    assert returns["exact_chain1_junior"] == [21.375, 32.25, 37.5, 37.5, 37.5]
    assert returns["exact_chain3_juniorM"] == [20.979, 25.2335, 28.1502, 29.1582, 29.6482]
    assert known["claims"][1]["PRO"] == pytest.approx([200 / 6, 400 / 6, 100])
