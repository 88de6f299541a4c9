"""What each rule keeps and what it breaks, and what holds for all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sharing.laws import ANSWERS, BROKEN, LAWS, NAMES, same
from wateralloc.sharing import claims as rules
from wateralloc.sharing.checks import Array
from wateralloc.sharing.claims import RULES
from wateralloc.sharing.games import bankruptcy_game, nucleolus, shapley

HOLDS = [
    (law, rule) for law in LAWS for rule, yes in zip(NAMES, ANSWERS[law], strict=True) if yes == "y"
]


class Problem(NamedTuple):
    estate: float
    claims: Array
    other: float


@st.composite
def problems(draw: st.DrawFn, most: int = 6) -> Problem:
    """Small whole numbers, where ties and halves meet, or any numbers."""
    one = draw(st.sampled_from([st.integers(0, 12), st.floats(0.0, 100.0).map(lambda x: x + 0.01)]))
    claims = np.array(draw(st.lists(one, min_size=2, max_size=most)), float)
    whole = draw(st.booleans())
    total = float(claims.sum())
    estate, other = (draw(st.floats(0.0, 1.0)) * total for _ in range(2))
    if whole:
        estate, other = (min(total, float(round(x))) for x in (estate, other))
    return Problem(estate, claims, other)


def named(problem: Problem) -> dict[str, float]:
    return {f"user_{k}": float(claim) for k, claim in enumerate(problem.claims)}


def test_every_answer_is_tested() -> None:
    assert set(NAMES) == set(RULES)
    assert set(ANSWERS) == set(LAWS)
    says_no = {
        (law, r) for law in LAWS for r, a in zip(NAMES, ANSWERS[law], strict=True) if a == "n"
    }
    assert says_no == set(BROKEN)
    assert len(HOLDS) + len(BROKEN) == 12 * 10


@pytest.mark.parametrize(("law", "rule"), HOLDS)
@settings(max_examples=40)
@given(problem=problems(most=5))
def test_rule_keeps(law: str, rule: str, problem: Problem) -> None:
    assert LAWS[law](RULES[rule], *problem)


@pytest.mark.parametrize(("law", "rule"), list(BROKEN))
def test_rule_breaks(law: str, rule: str) -> None:
    estate, claims, other = BROKEN[law, rule]
    assert not LAWS[law](RULES[rule], float(estate), np.array(claims, float), float(other))


# --- what holds for all -------------------------------------------------------------------------

FAMILY = {
    **RULES,
    "tal_0.2": lambda estate, claims: rules.tal(estate, claims, 0.2),
    "weighted_proportional": lambda e, c: rules.proportional(e, c, 1 + np.asarray(c) % 3),
    "weighted_cea": lambda e, c: rules.cea(e, c, 1 + np.asarray(c) % 3),
    "weighted_cel": lambda e, c: rules.cel(e, c, 1 + np.asarray(c) % 3),
}


@pytest.mark.parametrize("rule", FAMILY)
@given(problem=problems())
def test_awards_are_within_claims_and_add_up(rule: str, problem: Problem) -> None:
    awards = FAMILY[rule](problem.estate, problem.claims)
    size = max(1.0, problem.claims.sum())
    assert np.all(awards >= 0)
    assert np.all(awards <= problem.claims * (1 + 1e-12) + 1e-15)
    assert awards.sum() == pytest.approx(problem.estate, abs=1e-12 * size)


@pytest.mark.parametrize("rule", FAMILY)
@given(problem=problems(), more=st.floats(0.0, 10.0))
def test_enough_for_all_serves_all(rule: str, problem: Problem, more: float) -> None:
    found = FAMILY[rule](problem.claims.sum() + more, problem.claims)
    assert same(found, problem.claims, problem.claims.sum())


@pytest.mark.parametrize("rule", RULES)
@given(problem=problems(), power=st.integers(-6, 6))
def test_unit_changes_nothing(rule: str, problem: Problem, power: int) -> None:
    unit = 10.0**power
    awards = RULES[rule](problem.estate * unit, problem.claims * unit) / unit
    assert same(awards, RULES[rule](problem.estate, problem.claims), problem.claims.sum())


@pytest.mark.parametrize("rule", RULES)
@given(problem=problems(), seed=st.integers(0, 99))
def test_order_of_claimants_changes_nothing(rule: str, problem: Problem, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(problem.claims.size)
    found = RULES[rule](problem.estate, problem.claims[order])
    assert same(found, RULES[rule](problem.estate, problem.claims)[order], problem.claims.sum())


@given(problem=problems())
def test_awards_and_losses_are_dual(problem: Problem) -> None:
    missing = max(0.0, problem.claims.sum() - problem.estate)
    found = problem.claims - rules.cea(missing, problem.claims)
    assert same(rules.cel(problem.estate, problem.claims), found, problem.claims.sum())


@given(problem=problems())
def test_ends_and_middle_of_the_tal_family(problem: Problem) -> None:
    estate, claims, _ = problem
    for theta, rule in ((0.0, rules.cel), (0.5, rules.talmud), (1.0, rules.cea)):
        assert same(rules.tal(estate, claims, theta), rule(estate, claims), claims.sum())


@given(problem=problems(), theta=st.floats(0.0, 1.0), step=st.floats(0.0, 0.1))
def test_tal_family_has_no_jumps(problem: Problem, theta: float, step: float) -> None:
    """Moving theta by a step moves no more than twice the step's share of all claims."""
    estate, claims, _ = problem
    near = rules.tal(estate, claims, min(1.0, theta + step))
    moved = np.abs(near - rules.tal(estate, claims, theta)).sum()
    assert moved <= 2 * step * claims.sum() + 1e-9 * max(1.0, claims.sum())


@settings(max_examples=60)
@given(problem=problems(most=5))
def test_talmud_is_a_nucleolus_and_random_arrival_a_shapley_value(problem: Problem) -> None:
    estate, claims, _ = problem
    game = bankruptcy_game(estate, named(problem))
    assert same(list(shapley(game).values()), rules.random_arrival(estate, claims), claims.sum())
    assert same(list(nucleolus(game).values()), rules.talmud(estate, claims), claims.sum())


@given(problem=problems(), theta=st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6))
def test_theta_by_claimant(problem: Problem, theta: list[float]) -> None:
    estate, claims, _ = problem
    safe = np.array(theta[: claims.size]) * claims
    awards = rules.tal(estate, claims, theta[: claims.size])
    assert awards.sum() == pytest.approx(estate, abs=1e-9 * max(1.0, claims.sum()))
    below = estate <= safe.sum()
    slack = 1e-9 * max(1.0, claims.sum())
    assert np.all(awards <= safe + slack) if below else np.all(awards >= safe - slack)


# --- layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@given(problem=problems(), part=st.floats(0.0, 1.0))
def test_floors_come_first(rule: str, problem: Problem, part: float) -> None:
    estate, claims, _ = problem
    floors = part * claims * (np.arange(claims.size) % 2)
    awards = rules.with_floors(estate, claims, floors, rule)
    slack = 1e-9 * max(1.0, claims.sum())
    assert awards.sum() == pytest.approx(estate, abs=slack)
    assert np.all(awards >= floors - slack) or floors.sum() > estate


@pytest.mark.parametrize("rule", RULES)
@given(problem=problems())
def test_tiers_add_up(rule: str, problem: Problem) -> None:
    estate, claims, _ = problem
    region = np.arange(claims.size) % 2
    awards = rules.two_tiers(estate, claims, region.tolist(), rule)
    sums = np.array([claims[region == r].sum() for r in (0, 1)])
    found = [awards[region == r].sum() for r in (0, 1)]
    assert same(found, RULES[rule](estate, sums), claims.sum())


@pytest.mark.parametrize("rule", RULES)
@given(problem=problems())
def test_a_class_gets_something_when_those_before_have_all(rule: str, problem: Problem) -> None:
    estate, claims, _ = problem
    classes = np.arange(claims.size) % 3
    awards = rules.priority(estate, claims, classes, rule)
    slack = 1e-9 * max(1.0, claims.sum())
    assert awards.sum() == pytest.approx(estate, abs=slack)
    for later in (1, 2):
        if awards[classes == later].sum() > slack:
            assert same(awards[classes < later], claims[classes < later], claims.sum())
