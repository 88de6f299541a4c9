"""Games: answers known from outside, stability, Kohlberg's test, faults."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wateralloc.sharing import games
from wateralloc.sharing.checks import SharingError
from wateralloc.sharing.games import Game

TVA = Game.from_values(
    ["navigation", "flood", "power"],
    {
        "navigation": 163_520,
        "flood": 140_826,
        "power": 250_096,
        "navigation+flood": 301_607,
        "navigation+power": 378_821,
        "flood+power": 367_370,
        "navigation+flood+power": 412_584,
    },
    is_cost=True,
)
"""Costs of the dams of the Tennessee Valley by purpose, 1000 USD (Straffin & Heaney 1981)."""
PAIR = Game.from_values(["up", "down"], {"up": 12, "down": 6, "up+down": 26})


@st.composite
def random_games(draw: st.DrawFn) -> Game:
    """Superadditive games: random values, and the best partition of each coalition."""
    n = draw(st.integers(1, 5))
    values = draw(st.lists(st.integers(0, 30), min_size=2**n - 1, max_size=2**n - 1))
    game = Game(tuple("abcde"[:n]), np.array([0.0, *values]), draw(st.booleans()))
    return game.cover()


# --- known answers ------------------------------------------------------------------------------


def test_a_published_nucleolus_that_needs_individual_rationality(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pairs 1+2 (15) and 2+3 (18) have more than all (14): player 2 gains, 1 and 3 keep their own.

    Without that bound 1 and 3 even pay: at (-1, 13, 2) each of 1, 3, 1+2, 2+3 misses 3.
    """
    with caplog.at_level(logging.WARNING):
        game = Game.from_values(
            "123", {"1": 2, "2": 6, "3": 5, "1+2": 15, "1+3": 1, "2+3": 18, "1+2+3": 14}
        )
    assert "coalitions 1 and 3 do better apart than together by 6" in caplog.text
    found = games.nucleolus(game)
    assert list(found.values()) == pytest.approx([2, 7, 5])
    free = games.nucleolus(game, individual=False)
    assert list(free.values()) == pytest.approx([-1, 13, 2])
    assert games.is_nucleolus(game, free, individual=False)
    assert not games.is_nucleolus(game, free)
    assert not games.is_nucleolus(game, found, individual=False)


@pytest.mark.parametrize("name", games.DIVISIONS)
def test_tennessee_valley_is_in_the_core(name: str) -> None:
    found = games.DIVISIONS[name](TVA)
    assert sum(found.values()) == pytest.approx(412_584)
    assert games.in_core(TVA, found)


def test_separable_costs_make_all_equally_prone_to_leave() -> None:
    prone = games.propensity_to_disrupt(TVA, games.separable_costs(TVA))
    assert list(prone.values()) == pytest.approx([1.569] * 3, abs=5e-4)


# --- properties ---------------------------------------------------------------------------------


@settings(max_examples=150)
@given(game=random_games())
def test_nucleolus_is_within_the_least_core_and_passes_kohlberg(game: Game) -> None:
    found = games.nucleolus(game, verify=False)
    assert games.is_nucleolus(game, found)
    gains = list(games.excess(game, found).values())
    epsilon = games.least_core(game).epsilon
    if epsilon <= 0:  # else players who must keep their own may stand in its way
        assert max(gains, default=0.0) == pytest.approx(epsilon, abs=1e-7)
        assert games.in_core(game, found)
    assert games.has_core(game) == (epsilon <= 1e-9 * game.scale)


@settings(max_examples=60)
@given(game=random_games(), data=st.data())
def test_kohlberg_refuses_any_other_division(game: Game, data: st.DataObject) -> None:
    assume(game.size > 1)
    found = games.nucleolus(game)
    shift = data.draw(st.lists(st.floats(-1, 1), min_size=game.size, max_size=game.size))
    moved = np.array(shift) - np.mean(shift)
    assume(np.abs(moved).max() > 1e-3)
    other = {k: v + m for (k, v), m in zip(found.items(), moved, strict=True)}
    assert not games.is_nucleolus(game, other)
    assert not games.is_nucleolus(game, other, individual=False)


@settings(max_examples=60)
@given(game=random_games())
def test_prenucleolus_is_the_nucleolus_of_superadditive_games(game: Game) -> None:
    """Where joining never hurts, the bound on single players does not bind."""
    free = games.nucleolus(game, individual=False)
    assert list(free.values()) == pytest.approx(list(games.nucleolus(game).values()), abs=1e-7)


@settings(max_examples=60)
@given(game=random_games())
def test_shapley_is_the_mean_over_orders(game: Game) -> None:
    total = dict.fromkeys(game.players, 0.0)
    orders = list(permutations(game.players))
    for order in orders:
        for k, name in enumerate(order):
            total[name] += game(order[: k + 1]) - game(order[:k])
    expected = {name: amount / len(orders) for name, amount in total.items()}
    assert games.shapley(game) == pytest.approx(expected, abs=1e-9)


@given(game=random_games())
def test_all_divisions_share_all_and_costs_mirror_values(game: Game) -> None:
    mirror = Game(game.players, -game.table, not game.is_cost)
    whole = game(game.players)
    for name, divide in games.DIVISIONS.items():
        try:
            found = divide(game)
        except SharingError:
            with pytest.raises(SharingError):
                divide(mirror)
            continue
        assert sum(found.values()) == pytest.approx(whole, abs=1e-7), name
        reverse = {k: -v for k, v in divide(mirror).items()}
        assert found == pytest.approx(reverse, abs=1e-7), name


@given(game=random_games())
def test_separable_costs_are_gately(game: Game) -> None:
    assume(abs((game.added - game.alone).sum()) > 1e-6)
    found = games.separable_costs(game)
    assert found == pytest.approx(games.gately(game), abs=1e-9)
    losing = game.payoff(found) - game.alone
    prone = np.array(list(games.propensity_to_disrupt(game, found).values()))[losing > 1e-6]
    assert prone == pytest.approx(np.full(prone.size, prone[:1].sum()), rel=1e-6, abs=1e-9)


@given(game=random_games())
def test_cover_is_superadditive_and_changes_only_what_is_not(game: Game) -> None:
    assert game.better_apart() is None
    assert np.array_equal(game.cover().table, game.table)


def test_core_of_a_majority_is_empty() -> None:
    """Any two of three can have 6 of 8; the pairs ask for 18 of twice 8: each is 2/3 short."""
    pairs = {"a+b": 6, "a+c": 6, "b+c": 6, "a+b+c": 8}
    game = Game.from_values("abc", {"a": 0, "b": 0, "c": 0, **pairs})
    assert games.least_core(game).epsilon == pytest.approx(2 / 3)
    assert not games.has_core(game)
    assert list(games.nucleolus(game).values()) == pytest.approx([8 / 3] * 3)


def test_ten_players_take_seconds() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.uniform(1, 5, 10)
    members = np.arange(2**10)[:, None] >> np.arange(10) & 1
    game = Game(tuple("abcdefghij"), (members @ sizes) ** 2 * (members.sum(axis=1) > 1))
    found = games.nucleolus(game)  # verified inside
    assert games.in_core(game, found)


# --- who would leave ----------------------------------------------------------------------------


def test_power_and_stability() -> None:
    """Alone 12 and 6, together 26: of the 8 gained (14, 12) gives a quarter and three quarters."""
    assert games.power_index(PAIR, {"up": 14, "down": 12}) == {"up": 0.25, "down": 0.75}
    assert games.stability_index(PAIR, {"up": 14, "down": 12}) == 0.5
    assert games.stability_index(PAIR, {"up": 16, "down": 10}) == 0.0
    prone = games.propensity_to_disrupt(PAIR, {"up": 12, "down": 14})
    assert prone == {"up": np.inf, "down": 0.0}


def test_self_enforcing_means_in_every_state() -> None:
    good, bad = {"up": 16, "down": 10}, {"up": 21, "down": 5}
    assert games.is_self_enforcing([(PAIR, good), (PAIR, good)])
    assert not games.is_self_enforcing([(PAIR, good), (PAIR, bad)])


def test_transfers_settle_all_with_few_payments() -> None:
    made = games.transfers({"a": 5, "b": -3, "c": -4, "d": 2})
    left = {"a": 5.0, "b": -3.0, "c": -4.0, "d": 2.0}
    for payer, receiver, paid in made:
        assert paid > 0
        left[payer] += paid
        left[receiver] -= paid
    assert left == pytest.approx(dict.fromkeys("abcd", 0.0))
    assert len(made) <= 3
    assert games.transfers({}) == games.transfers({"a": 0.0}) == []


def test_ranks_for_costs_turn_round() -> None:
    ways = {"equal": {"a": 5, "b": 5}, "by_use": {"a": 8, "b": 2}}
    assert games.rank_divisions(ways).votes == {"equal": 1, "by_use": 1}
    both = {"cheap": {"a": 1, "b": 1}, "dear": {"a": 2, "b": 4}}
    assert games.rank_divisions(both, is_cost=True).votes == {"cheap": 2, "dear": 0}
    assert games.rank_divisions(both, is_cost=True).largest_regret == {"cheap": 0, "dear": 3}


# --- bargaining ---------------------------------------------------------------------------------


@given(
    points=st.lists(st.tuples(st.floats(1, 50), st.floats(1, 50)), min_size=2, max_size=5),
    power=st.floats(0.1, 0.9),
)
def test_nash_is_the_best_of_a_fine_grid(points: list[tuple[float, float]], power: float) -> None:
    """Decisions are mixtures of points (u1, u2), disagreement is (0, 0)."""
    ends = np.array(points)
    n = len(points)
    simplex = np.vstack([np.ones(n), -np.ones(n), -np.eye(n)])
    sides = np.array([1.0, -1.0, *np.zeros(n)])
    found = games.nash(ends.T, [0, 0], simplex, sides, [0, 0], [power, 1 - power])
    u = found @ ends
    reached = power * np.log(u[0]) + (1 - power) * np.log(u[1])
    steps = np.linspace(0, 1, 101)
    best = max(
        (
            power * np.log(s * a[0] + (1 - s) * b[0])
            + (1 - power) * np.log(s * a[1] + (1 - s) * b[1])
        )
        for a in ends
        for b in ends
        for s in steps
    )
    assert reached >= best - 1e-6
    slope = np.array([power / u[0], (1 - power) / u[1]])
    top = -linprog(-(ends @ slope), simplex, sides).fun
    assert top == pytest.approx(1.0, abs=1e-5)  # sum of w u / u: no decision has more


# --- faults -------------------------------------------------------------------------------------

LOSES = Game(("a", "b"), np.array([0.0, 3, 3, 5]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: Game.from_values(["a", "b"], {"a": 1, "b": 2}),
            "coalition a+b has no value; add it",
        ),
        (
            lambda: Game.from_values(["a", "b"], {"a": 1, "b": 2, "b+a": 3, "a+b": 4}),
            "coalition a+b stands twice; keep one",
        ),
        (
            lambda: Game.from_values(["hills", "delta"], {"hill": 1}),
            "a coalition names 'hill', which is no player; did you mean 'hills'?",
        ),
        (lambda: Game(("a",), np.array([1.0, 2.0])), "the empty coalition has 1; must have 0"),
        (
            lambda: Game(("a", "b"), np.array([0.0, 2.0])),
            "table has 2 values; must have 4, one for each",
        ),
        (
            lambda: Game(tuple(f"p{k}" for k in range(17)), np.zeros(2)),
            "the game has 17 players; must have 16 or fewer, join some of them",
        ),
        (lambda: PAIR(["u"]), "'u' is no player; did you mean 'up'?"),
        (lambda: PAIR.payoff({"up": 1}), "amounts and players differ in down; match them"),
        (
            lambda: games.nucleolus(LOSES),
            "players alone have 6, all together 5; nobody can be given what it has alone, "
            "use individual=False",
        ),
        (
            lambda: games.tau_value(LOSES),
            "the game is not quasi-balanced: players are sure of {'a': 3.0, 'b': 3.0} and add "
            "{'a': 2.0, 'b': 2.0} to all, who share 5; it has no tau-value, use shapley or "
            "nucleolus",
        ),
        (
            lambda: games.power_index(PAIR, {"up": 12, "down": 6}),
            "nothing is gained by joining; the power index has nothing to share",
        ),
        (lambda: games.transfers({"a": 1, "b": -2}), "balance adds up to -1; must add up to 0"),
        (lambda: games.rank_divisions({}), "divisions is empty; give at least one"),
        (
            lambda: games.rank_divisions({"x": {"a": 1}, "y": {"b": 1}}),
            "division 'y' has other players than the first; must have the same",
        ),
        (
            lambda: games.nash_with_payments(5, [3, 3]),
            "together is 5, below the 6 all have alone; there is nothing to agree on",
        ),
        (
            lambda: games.nash([[1.0], [-1.0]], [0, 1], [[1.0], [-1.0]], [1, 0], [1, 1]),
            "no decision leaves every player above its disagreement (the best falls short by 0.5); "
            "there is nothing to agree on",
        ),
    ],
)
def test_fault(call: Callable[[], object], text: str) -> None:
    with pytest.raises(SharingError) as caught:
        call()
    assert str(caught.value) == text


def test_something_to_divide_and_nothing_to_divide_it_by() -> None:
    """All of 8 comes from the three together, and pairs lack as much as they have alone."""
    game = Game(tuple("abc"), np.array([0, 1, 1, 5, 1, 5, 5, 6.0]))
    assert game.added.tolist() == game.alone.tolist() == [1, 1, 1]
    for divide in (games.separable_costs, games.gately):
        with pytest.raises(SharingError, match="to divide, and nothing to divide it by"):
            divide(game)


def test_a_rounded_table_of_costs_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Game.from_values(["a", "b"], {"a": 10, "b": 10, "a+b": 21}, is_cost=True)
    (record,) = caplog.records
    assert record.getMessage().startswith("coalitions a and b do better apart than together by 1;")


def test_one_player_has_all() -> None:
    game = Game(("a",), np.array([0.0, 7.0]))
    assert games.least_core(game).epsilon == 0.0
    assert games.has_core(game)
    for divide in games.DIVISIONS.values():
        assert divide(game) == {"a": 7.0}
