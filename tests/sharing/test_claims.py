"""Claims rules: sizes, weights and faults; the answers themselves are in test_examples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateralloc.errors import WaterAllocError
from wateralloc.sharing import claims as rules
from wateralloc.sharing.checks import Array, SharingError
from wateralloc.sharing.claims import RULES

MANY = {**RULES, "tal_0.3": lambda estate, claims: rules.tal(estate, claims, 0.3)}
del MANY["random_arrival"]


# --- against other algorithms -------------------------------------------------------------------


def bisected(estate: float, award: Callable[[float], Array]) -> Array:
    """Raise a level until the awards add up to the estate."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if award(middle).sum() < estate else (low, middle)
    return award(high)


@given(
    claims=st.lists(st.floats(0.1, 100.0), min_size=1, max_size=8),
    weights=st.lists(st.floats(0.1, 10.0), min_size=8, max_size=8),
    part=st.floats(0.0, 1.0),
)
def test_weighted_rules_agree_with_bisection(
    claims: list[float], weights: list[float], part: float
) -> None:
    c, w = np.array(claims), np.array(weights[: len(claims)])
    estate = part * c.sum()
    by = {"weights": w}
    cea = bisected(estate, lambda level: np.minimum(c, w * level))
    assert rules.cea(estate, c, **by) == pytest.approx(cea, abs=1e-9)
    pro = bisected(estate, lambda level: np.minimum(c, w * c * level))
    assert rules.proportional(estate, c, **by) == pytest.approx(pro, abs=1e-9)
    lost = bisected(c.sum() - estate, lambda level: np.minimum(c, w * level))
    assert rules.cel(estate, c, **by) == pytest.approx(c - lost, abs=1e-9)


def arrivals(estate: float, claims: Array) -> Array:
    total, orders = np.zeros(claims.size), list(permutations(range(claims.size)))
    for order in orders:
        left = estate
        for k in order:
            total[k] += min(claims[k], left)
            left -= min(claims[k], left)
    return total / len(orders)


@given(claims=st.lists(st.floats(0.0, 50.0), min_size=1, max_size=5), part=st.floats(0.0, 1.0))
def test_random_arrival_is_the_mean_over_all_orders(claims: list[float], part: float) -> None:
    c = np.array(claims)
    estate = part * c.sum()
    assert rules.random_arrival(estate, c) == pytest.approx(arrivals(estate, c), abs=1e-9)


def test_sampled_arrivals_lie_within_their_error() -> None:
    claims = np.arange(1.0, 15.0)
    exact = rules.random_arrival(40, claims)
    awards, error = rules.sample_arrivals(40, claims, n_orders=4000, seed=3)
    assert awards.sum() == pytest.approx(40, abs=1e-9)
    assert np.all(np.abs(awards - exact) < 4 * error)
    assert 0 < error.max() < 0.11
    again = rules.sample_arrivals(40, claims, n_orders=4000, seed=3)
    assert np.array_equal(again.awards, awards)
    other = rules.sample_arrivals(40, claims, n_orders=4000, seed=4)
    assert not np.array_equal(other.awards, awards)


# --- size ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", MANY)
def test_a_hundred_thousand_claimants(rule: str) -> None:
    claims = np.random.default_rng(1).lognormal(0, 2, 100_000)
    estate = 0.4 * claims.sum()
    awards = MANY[rule](estate, claims)
    assert awards.sum() == pytest.approx(estate, rel=1e-11)
    assert np.all((awards >= 0) & (awards <= claims))


# --- weights ------------------------------------------------------------------------------------


def test_a_weight_favours_in_awards_and_burdens_in_losses() -> None:
    assert rules.cea(30, [100, 100], [2, 1]).tolist() == pytest.approx([20, 10])
    assert rules.proportional(30, [100, 100], [2, 1]).tolist() == pytest.approx([20, 10])
    assert rules.cel(170, [100, 100], [2, 1]).tolist() == pytest.approx([80, 90])


def test_equal_weights_are_none() -> None:
    claims, same = [12, 18, 90, 30], [3, 3, 3, 3]
    for rule in rules.WEIGHTED.values():
        assert rule(100, claims, same) == pytest.approx(rule(100, claims), abs=1e-12)


def test_a_weighted_zero_claim_gets_nothing() -> None:
    for rule in rules.WEIGHTED.values():
        assert rule(5, [0, 10], [4, 1]).tolist() == pytest.approx([0, 5])


# --- edges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_nobody_and_nothing(rule: str) -> None:
    assert RULES[rule](10, []).tolist() == []
    assert RULES[rule](0, [1, 2]).tolist() == [0, 0]
    assert RULES[rule](0, [0, 0]).tolist() == [0, 0]
    assert RULES[rule](1, [3]).tolist() == pytest.approx([1])


@pytest.mark.parametrize("rule", RULES)
def test_input_is_left_as_it_is(rule: str) -> None:
    claims = np.array([3.0, 1.0, 2.0])
    awards = RULES[rule](100, claims)
    awards += 1
    assert claims.tolist() == [3.0, 1.0, 2.0]


def test_a_claim_a_billion_times_another() -> None:
    assert rules.cea(1e9, [1, 1e9]).tolist() == [1.0, 1e9 - 1]
    assert rules.cel(1e9, [1, 1e9]).tolist() == pytest.approx([0.5, 1e9 - 0.5], rel=1e-15)


# --- floors, classes, tiers ---------------------------------------------------------------------


def test_floors_that_cannot_be_met_are_shared_by_their_own_rule() -> None:
    # 12 and 10 are guaranteed, 15 is there: equal awards 7.5 each
    assert rules.with_floors(15, [12, 90, 30], [12, 0, 10], "cel").tolist() == [7.5, 0, 7.5]
    found = rules.with_floors(11, [12, 90, 30], [12, 0, 10], "cel", floor_rule="proportional")
    assert found.tolist() == pytest.approx([6, 0, 5])


def test_classes_are_served_from_the_lowest_number() -> None:
    assert rules.priority(50, [40, 40], [2, 1]).tolist() == [10, 40]
    assert rules.priority(50, [40, 40], [1, 2]).tolist() == [40, 10]
    assert rules.priority(50, [40, 40], [1, 1]).tolist() == [25, 25]


def test_two_tiers_of_the_catalogue() -> None:
    """Headwater 10, 30, 20; delta 30, 80, 30; 120 are there (sum of claims 60 and 140).

    Awards: regions 60 and 60.  Losses: 80 in all, 40 each, so 20 and 100 are left; in the headwater
    40 lost by 10, 30, 20 are 10, 15, 15, in the delta 40/3 each.  Talmud: halves are 30 and 70; of
    the 20 beyond them the headwater, which loses at most its other 30, gets none, so 30 and 90;
    inside the headwater halves, in the delta halves and 20 to the largest.
    """
    claims, groups = [10, 30, 20, 30, 80, 30], list("hhhddd")
    expected = {
        "proportional": [6, 18, 12, 18, 48, 18],
        "cea": [10, 30, 20, 20, 20, 20],
        "cel": [0, 15, 5, 50 / 3, 200 / 3, 50 / 3],
        "talmud": [5, 15, 10, 15, 60, 15],
    }
    for rule, awards in expected.items():
        assert rules.two_tiers(120, claims, groups, rule).tolist() == pytest.approx(awards)
    assert rules.cel(120, claims).tolist() == pytest.approx([0, 16, 6, 16, 66, 16])
    assert rules.talmud(120, claims).tolist() == pytest.approx([5, 15, 10, 15, 60, 15])
    mixed = rules.two_tiers(120, claims, groups, "cea", inner_rule="proportional")
    assert mixed.tolist() == pytest.approx([10, 30, 20, 90 / 7, 240 / 7, 90 / 7])


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: rules.cea(10, [1, -2]), "claims[1] is -2.0; must be 0 or more"),
        (lambda: rules.cea(10, [1, float("nan")]), "claims[1] is nan; must be 0 or more"),
        (lambda: rules.cea(-1, [1]), "estate is -1.0; must be 0 or more"),
        (lambda: rules.cea(float("inf"), [1]), "estate is inf; must be 0 or more"),
        (lambda: rules.cea(1, ["x"]), "claims is ['x']; must be numbers"),
        (lambda: rules.cea(1, 3), "claims has 0 dimensions; must have one, give a list"),
        (lambda: rules.cel(1, [3, 4], [1]), "weights has 1 values; must have 2, one for each"),
        (
            lambda: rules.cel(1, [3, 4], [1, 0]),
            "weights[1] is 0; must be above 0, leave the claimant out",
        ),
        (lambda: rules.tal(1, [3, 4], 1.5), "theta is 1.5; must be 0 to 1"),
        (lambda: rules.tal(1, [3, 4], [0.5, -1]), "theta[1] is -1.0; must be 0 to 1"),
        (
            lambda: rules.random_arrival(1, np.ones(17)),
            "random_arrival is given 17 claims; must be 16 or fewer for an exact answer, "
            "use sample_arrivals for more",
        ),
        (lambda: rules.sample_arrivals(1, [1, 2], 1), "n_orders is 1.0; must be 2 or more"),
        (
            lambda: rules.with_floors(1, [3, 4], [0, 5]),
            "floors[1] is 5.0; must be at most the claim, which is 4.0",
        ),
        (lambda: rules.two_tiers(1, [3, 4], ["a"]), "groups has 1 values; must have 2, one each"),
        (
            lambda: rules.priority(1, [3, 4], [1, 2], "cee"),
            "unknown rule 'cee'; did you mean 'cel'?",
        ),
        (lambda: rules.rule_of("x"), f"unknown rule 'x'; must be one of {', '.join(RULES)}"),
    ],
)
def test_fault(call: Callable[[], object], text: str) -> None:
    with pytest.raises(SharingError) as caught:
        call()
    assert str(caught.value) == text
    assert isinstance(caught.value, WaterAllocError)
