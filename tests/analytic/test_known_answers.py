"""Answers known from outside, as far as they are tested: all of the collection are.

Claims are shared by the functions of ``sharing`` and by the linear program, the nucleolus is a
function of ``sharing``; the leximin counter-example is in ``tests/goals/test_share.py``.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.small import inflow, make_case, solve
from wateralloc.sharing.claims import RULES
from wateralloc.sharing.games import Game, is_nucleolus, nucleolus


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


TALMUD = (100, 200, 300)
CLAIMS = [  # estate, claims, awards by rule
    (100, TALMUD, {
        "PRO": (100 / 6, 200 / 6, 50),
        "CEA": (100 / 3, 100 / 3, 100 / 3),
        "CEL": (0, 0, 100),
        "TAL": (100 / 3, 100 / 3, 100 / 3),
        "RA": (100 / 3, 100 / 3, 100 / 3),
    }),
    (200, TALMUD, {
        "PRO": (200 / 6, 400 / 6, 100),
        "CEA": (200 / 3, 200 / 3, 200 / 3),
        "CEL": (0, 50, 150),
        "TAL": (50, 75, 75),
        "RA": (100 / 3, 250 / 3, 250 / 3),
    }),
    (300, TALMUD, {
        "PRO": (50, 100, 150),
        "CEA": (100, 100, 100),
        "CEL": (0, 100, 200),
        "TAL": (50, 100, 150),
        "RA": (50, 100, 150),
    }),
    (10, (2, 4, 7, 8), {
        "PRO": (20 / 21, 40 / 21, 70 / 21, 80 / 21),
        "CEA": (2, 8 / 3, 8 / 3, 8 / 3),
        "CEL": (0, 1, 4, 5),
        "TAL": (1, 2, 3.5, 3.5),
        "PIN": (1, 2, 3.5, 3.5),
        "RA": (1, 11 / 6, 10 / 3, 23 / 6),
    }),
]  # fmt: skip
NAMES = {
    "PRO": "proportional",
    "CEA": "cea",
    "CEL": "cel",
    "TAL": "talmud",
    "PIN": "piniles",
    "RA": "random_arrival",
}
PROBLEMS = [
    pytest.param(estate, claims, NAMES[short], awards, id=f"{estate}-{short}")
    for estate, claims, by_rule in CLAIMS
    for short, awards in by_rule.items()
]


@pytest.mark.parametrize(("estate", "claims", "rule", "awards"), PROBLEMS)
def test_claims_as_numbers(estate, claims, rule, awards):
    """O'Neill 1982; Aumann & Maschler 1985; tables of public R packages."""
    assert RULES[rule](estate, claims) == pytest.approx(awards)


@pytest.mark.parametrize(("estate", "claims", "rule", "awards"), PROBLEMS)
def test_claims_at_one_node(tmp_path, estate, claims, rule, awards):
    """The inflow of one node is the estate, demands are claims; what is left goes to the sea."""
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"share": {"among": "demand", "rule": rule}}],
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


NUCLEOLUS = {"1": 2, "2": 6, "3": 5, "12": 15, "13": 1, "23": 18, "123": 14}, (2, 7, 5)


def test_nucleolus():
    """A game whose nucleolus is (2, 7, 5), from the tables of public R packages.

    Nobody takes less than it has alone: 1 at least 2, 3 at least 5. The pair 1+2 then misses at
    least 15 - (14 - 5) = 6, and 2+3 at least 18 - (14 - 2) = 6. Both miss no more only where 3 has
    just 5 and 1 just 2, so 2 has the other 7.
    """
    worth, amounts = NUCLEOLUS
    game = Game.from_values("123", {tuple(who): value for who, value in worth.items()})
    found = nucleolus(game)
    assert [found[who] for who in "123"] == pytest.approx(amounts)
    assert is_nucleolus(game, found)


LOUCKS = {  # water of the river -> water of each user, price, total benefit
    6: ((1, 1, 4), 4, 34.5),
    8: ((17 / 11, 15 / 11, 56 / 11), 32 / 11, 911 / 22),
    10: ((23 / 11, 19 / 11, 68 / 11), 20 / 11, 1015 / 22),
    40 / 3: ((3, 7 / 3, 8), 0, 295 / 6),
}


@pytest.mark.parametrize("water", LOUCKS)
def test_three_users_with_quadratic_benefits(tmp_path, water):
    """Loucks & van Beek, three users of a river: 6x - x^2, 7x - 1.5x^2, 8x - 0.5x^2.

    Each benefit a x - b x^2 is cut into n chords of width h = a / (2 b n), up to where the marginal
    benefit a - 2 b x is 0; a chord has that of its middle. At a price p of the optimum of the
    blocks those worth more are full and those worth less empty, so each user has within h / 2 of
    x(p) = (a - p) / (2 b). The x of all users add up to the water, in blocks and in truth; so
    |p - price| sum 1 / (2 b) <= sum h / 2, and each x is within h / 2 + |p - price| / (2 b) of the
    true one. Chords lie below the curve, by b h^2 / 4 at most.
    """
    curves, n = ((6, 1.0), (7, 1.5), (8, 0.5)), 60
    width = np.array([a / (2 * b * n) for a, b in curves])
    slope = np.array([1 / (2 * b) for _, b in curves])
    case = make_case(
        tmp_path,
        periods=1,
        goals=[{"maximise": "benefit"}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[
            {"name": f"user_{k}", "node": "river", "sector": "irrigation",
             "demand_hm3_day": a / (2 * b)}
            for k, (a, b) in enumerate(curves)
        ],
        benefits=[
            {"demand": f"user_{k}", "up_to_fraction": i / n,
             "value_vnd_m3": a * (1 - (i - 0.5) / n)}
            for k, (a, _) in enumerate(curves)
            for i in range(1, n + 1)
        ],
        series=inflow(river=[water]),
    )  # fmt: skip
    solution, values = solve(case)
    (stage,) = solution.stages[0]
    x, price, total = LOUCKS[water]
    off_price = (width / 2).sum() / slope.sum()
    assert stage.balance_price[0, 0] == pytest.approx(price, abs=off_price + 1e-9)
    taken = np.array([withdrawal[0] for withdrawal in values["withdrawal"].values()])
    assert (np.abs(taken - x) <= width / 2 + off_price * slope + 1e-9).all()
    below = sum(b * h**2 / 4 for (_, b), h in zip(curves, width, strict=True))
    assert total - below - 1e-9 <= stage.value <= total + 1e-9


VALLEY_FLOW, VALLEY_POWER, VALLEY_PRICES = (50, 60, 70), (55, 65, 70), (1, 2, 3)


def test_hydro_valley_without_inflow(tmp_path):
    """SDDP.jl, hydro valley, deterministic: 835.

    Two full lakes of 200 in a row, three stages at prices 1, 2 and 3; 50, 60 and 70 through the
    turbines yield 55, 65 and 70, and water may be left. The lower plant runs full each time, on its
    own 200 and what comes from above: 70 (1 + 2 + 3) = 420. The upper one has 200: 70 at the prices
    of 3 and 2, and 60 at that of 1, or 10 less at 2 and more at 1: 210 + 140 + 65 = 415.

    Water is in m3/s of a day, so a lake holds 17.28 hm3; 1 MW is 0.024 GWh a day.
    """
    store = {"dead_hm3": 0, "normal_hm3": 17.28, "initial_hm3": 17.28, "target_hm3": 0}
    ways = [("upper", "lower"), ("lower", "sea")]
    case = make_case(
        tmp_path,
        periods=3,
        goals=[{"maximise": "energy_value"}],
        nodes=[
            {"name": "upper", "kind": "reservoir"},
            {"name": "lower", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": f"{kind}_{up}", "from": up, "to": down, "kind": kind}
            for up, down in ways
            for kind in ("turbine", "spillway")
        ],
        reservoirs=[{"name": name, **store} for name, _ in ways],
        curves=[
            {"curve": "turbine", "x": x, "y": y, "x_unit": "m3s", "y_unit": "mw"}
            for x, y in zip((0, *VALLEY_FLOW), (0, *VALLEY_POWER), strict=True)
        ],
        hydropower=[
            {"plant": name, "link": f"turbine_{name}", "capacity_mw": 70, "power_curve": "turbine",
             "price_vnd_kwh": "pattern:price"}
            for name, _ in ways
        ],
        patterns=[
            {"pattern": "price", "start": f"01-0{t}", "value": price, "unit": "vnd_kwh"}
            for t, price in enumerate(VALLEY_PRICES, 1)
        ],
    )  # fmt: skip
    solution, values = solve(case)
    assert solution.stages[0][0].value / 0.024 == pytest.approx(835, rel=1e-9)
    assert sum(values["energy_value"]["upper"]) / 0.024 == pytest.approx(415)
    assert values["energy"]["lower"] == pytest.approx([70 * 0.024] * 3)


def test_the_numbers_above_are_those_of_the_collection():
    """Where the collection lies beside the project, it says the same."""
    path = Path(__file__).parents[3] / "shared" / "known_answers.json"
    if not path.is_file():
        pytest.skip("the collection of known answers is not beside the project")
    known = json.loads(path.read_text(encoding="utf-8"))
    assert known["trivial"]["objective_min"] == 5170
    for case, (water, (x, price, total)) in zip(
        known["loucks3"]["cases"], LOUCKS.items(), strict=True
    ):
        assert (case["Q"], case["lambda"], case["total"]) == pytest.approx((water, price, total))
        assert case["x"] == pytest.approx(x)
    returns = known["modsim_return_flow"]
    assert returns["exact_chain1_junior"] == [21.375, 32.25, 37.5, 37.5, 37.5]
    assert returns["exact_chain3_juniorM"] == [20.979, 25.2335, 28.1502, 29.1582, 29.6482]
    for problem, (estate, claims, awards) in zip(known["claims"], CLAIMS, strict=True):
        assert (problem.pop("E"), tuple(problem.pop("d"))) == (estate, claims)
        assert problem == {rule: pytest.approx(award) for rule, award in awards.items()}
    worth, amounts = NUCLEOLUS
    assert known["nucleolus"] == {"v": worth, "nucleolus": list(amounts)}
    valley = known["hydro_valley_deterministic"]
    assert valley["objective_max"] == 835
    assert (valley["flow_knots"], valley["power_knots"], valley["prices"]) == tuple(
        map(list, (VALLEY_FLOW, VALLEY_POWER, VALLEY_PRICES))
    )
    assert valley["start"] == valley["cap"] == 17.28 / 0.0864
