"""Rules of rivers: trees by hand, best use against a linear program, faults."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from wateralloc.sharing import river as rivers
from wateralloc.sharing.checks import SharingError
from wateralloc.sharing.claims import RULES
from wateralloc.sharing.games import in_core, river_game
from wateralloc.sharing.river import River

FORK = River(("west", "east", "delta"), ("delta", "delta", None))


# --- volumes ------------------------------------------------------------------------------------


def test_two_branches_share_the_need_below_by_their_inflows() -> None:
    """West 20 of its own, east 10, delta none; claims 20, 10 and 15.

    The delta's 15 fall on the branches as 10 and 5.  Pro rata west keeps 20 x 20/30 and east 10 x
    10/15, two thirds each, as if they were one: 30 shared by claims of 30 and 15.
    """
    found = rivers.sequential(FORK, [20, 10, 0], [20, 10, 15])
    assert found.tolist() == pytest.approx([40 / 3, 20 / 3, 10])


def test_nobody_is_asked_for_what_is_not_needed() -> None:
    # the delta has 30 and asks 20: the branches keep all they claim
    assert rivers.sequential(FORK, [5, 8, 30], [9, 8, 20]).tolist() == [5, 8, 20]


def test_a_dry_branch_gives_nothing() -> None:
    assert rivers.sequential(FORK, [0, 10, 0], [5, 5, 10]).tolist() == pytest.approx(
        [0, 10 / 3, 20 / 3]
    )
    assert rivers.sequential(FORK, [0, 0, 3], [5, 5, 10]).tolist() == [0, 0, 3]


@st.composite
def trees(draw: st.DrawFn) -> tuple[River, np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 6))
    names = tuple(f"r{k}" for k in range(n))
    below = [draw(st.integers(k + 1, n - 1)) for k in range(n - 1)]
    order = draw(st.permutations(range(n)))  # riparians stand in any order
    numbers = st.lists(st.floats(0, 50), min_size=n, max_size=n)
    down = (*(names[k] for k in below), None)
    river = River(tuple(names[k] for k in order), tuple(down[k] for k in order))
    return river, np.array(draw(numbers)), np.array(draw(numbers))


def upstream_of(river: River, k: int) -> list[int]:
    found = [k]
    for one in found:
        found.extend(river.above[one])
    return found


@pytest.mark.parametrize("rule", ["proportional", "cea", "cel", "talmud"])
@given(tree=trees())
def test_water_only_goes_down(rule: str, tree: tuple[River, np.ndarray, np.ndarray]) -> None:
    river, inflow, claims = tree
    awards = rivers.sequential(river, inflow, claims, rule)
    assert np.all((awards >= 0) & (awards <= claims * (1 + 1e-12)))
    for k in range(len(river.names)):
        up = upstream_of(river, k)
        assert awards[up].sum() <= inflow[up].sum() + 1e-9
    mouth = river.order[-1]
    left = inflow.sum() - np.delete(awards, mouth).sum()
    assert awards[mouth] == pytest.approx(min(claims[mouth], left), abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_at_the_source_it_is_the_rule_for_two(rule: str) -> None:
    river = River.line("up", "down")
    first, last = rivers.sequential(river, [80, 0], [35, 65], rule)
    assert [first, last] == pytest.approx(RULES[rule](80, [35, 65]).tolist())


def test_shared_rights_between_sovereignty_and_integrity() -> None:
    # a third passed on: west keeps 20, east 10, the delta has its 3 and 15
    assert rivers.shared_rights(FORK, [30, 15, 3], 1 / 3).tolist() == pytest.approx([20, 10, 18])
    assert rivers.shared_rights(FORK, [30, 15, 3], 0).tolist() == [30, 15, 3]
    assert rivers.shared_rights(FORK, [30, 15, 3], 1).tolist() == [0, 0, 48]


# --- benefit ------------------------------------------------------------------------------------


@given(tree=trees(), data=st.data())
def test_best_use_is_that_of_a_linear_program(
    tree: tuple[River, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    river, inflow, widths = tree
    n = len(river.names)
    worths = data.draw(st.lists(st.floats(0.1, 9.0), min_size=n, max_size=n))
    benefits = [[(w, b), (w / 2, b / 3)] for w, b in zip(widths, worths, strict=True)]
    inside = [k for k in range(n) if data.draw(st.booleans())]
    members = [river.names[k] for k in inside]
    use = rivers.best_use(river, inflow, benefits, members)
    assert all(use[k] == 0 for k in range(n) if k not in inside)

    cost, rows, sides, bounds = [], [], [], []
    for k in inside:
        for width, worth in benefits[k]:
            cost.append(-worth)
            bounds.append((0, width))
    parts = {name: part for part in river.components(members) for name in part}
    for k in inside:
        up = [j for j in upstream_of(river, k) if river.names[j] in parts[river.names[k]]]
        rows.append([float(j in up) for j in inside for _ in range(2)])
        sides.append(inflow[up].sum())
    best = -linprog(cost, rows, sides, bounds=bounds).fun if inside else 0.0
    found = sum(rivers.benefit_of(use[k], benefits[k]) for k in inside)
    assert found == pytest.approx(best, abs=1e-7)


def test_parts_that_do_not_hang_together_do_not_help_each_other() -> None:
    value = rivers.river_value(FORK, [6, 0, 1], [[(2, 1.0)], [(9, 5.0)], [(9, 3.0)]])
    # west alone uses 2 of its 6; east has none, and the delta's water does not go up
    assert value(frozenset({"west"})) == 2
    assert value(frozenset({"west", "east"})) == 2
    assert value(frozenset({"west", "delta"})) == 21  # all 7 in the delta
    assert set(FORK.components(["west", "east"])) == {frozenset({"east"}), frozenset({"west"})}
    assert FORK.components(["west", "delta"]) == [frozenset({"west", "delta"})]


def test_divisions_on_a_tree() -> None:
    """West 6, east 4, delta 0; one unit is worth 1, 1 and 3.

    v(west) = 6, v(east) = 4, v(delta) = 0; all in the delta: 30; west and delta 18, east and
    delta 12.  From the mouth: 6, 4 and 30 - 6 - 4 = 20.  From west: east 4, delta 12 - 4 = 8, west
    30 - 12 = 18; from east: west 6, delta 18 - 6 = 12, east 30 - 18 = 12.  Their mean: 10, 20/3,
    40/3.
    """
    value = rivers.river_value(FORK, [6, 4, 0], [[(99, 1.0)], [(99, 1.0)], [(99, 3.0)]])
    assert rivers.downstream_incremental(FORK, value).tolist() == [6, 4, 20]
    assert rivers.hierarchical(FORK, value, "west").tolist() == [18, 4, 8]
    assert rivers.hierarchical(FORK, value, "east").tolist() == [6, 12, 12]
    assert rivers.average_tree(FORK, value).tolist() == pytest.approx([10, 20 / 3, 40 / 3])


@given(tree=trees(), data=st.data())
def test_river_games_leave_nobody_better_off_alone(
    tree: tuple[River, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    river, inflow, widths = tree
    worths = data.draw(st.lists(st.floats(0.1, 9.0), min_size=widths.size, max_size=widths.size))
    game = river_game(
        river, inflow, [[(w, b), (w, b / 2)] for w, b in zip(widths, worths, strict=True)]
    )
    assert game.better_apart() is None
    for payoff in (
        rivers.downstream_incremental(river, game),
        rivers.average_tree(river, game),
        *(rivers.hierarchical(river, game, name) for name in river.names),
    ):
        assert in_core(game, dict(zip(river.names, payoff.tolist(), strict=True)))


def test_payments_of_example_r02() -> None:
    """Slopes 4, 6, 8 then 1, 2, 3: use 2, 2, 4 is worth 8, 12, 27; payoffs 12, 14, 21."""
    river = River.line("1", "2", "3")
    benefits = [[(2, 4.0), (99, 1.0)], [(2, 6.0), (99, 2.0)], [(3, 8.0), (99, 3.0)]]
    use = rivers.best_use(river, [6, 1, 1], benefits)
    assert use.tolist() == [2, 2, 4]
    worth = [rivers.benefit_of(u, b) for u, b in zip(use, benefits, strict=True)]
    assert worth == [8, 12, 27]
    payoff = rivers.downstream_incremental(river, rivers.river_value(river, [6, 1, 1], benefits))
    assert rivers.payments(payoff, worth, river.names) == {"1": 4, "2": 2, "3": -6}


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: River((), ()), "names is empty; give at least one"),
        (lambda: River(("a", "a"), ("a", None)), "names holds 'a' twice; must hold each once"),
        (lambda: River(("a", "b"), (None,)), "downstream has 1 values; must have 2, one each"),
        (
            lambda: River(("plain", "delta"), ("deltas", None)),
            "downstream of 'plain' is 'deltas', which is no riparian; did you mean 'delta'?",
        ),
        (lambda: River(("a", "b"), (None, None)), "the river has 2 mouths (a, b); must have one"),
        (
            lambda: River(("a", "b", "c"), ("b", "a", None)),
            "a, b never reach the mouth; break the circle",
        ),
        (
            lambda: rivers.sequential(FORK, [1, 2], [1, 2, 3]),
            "inflow has 2 values; must have 3, one for each",
        ),
        (lambda: rivers.shared_rights(FORK, [1, 2, 3], 2), "passed is 2.0; must be 0 to 1"),
        (
            lambda: rivers.upstream_incremental(FORK, lambda s: 0.0),
            "the river has confluences, and upstream_incremental is for one without; "
            "use hierarchical with a root, or average_tree",
        ),
        (
            lambda: rivers.river_value(River.line("a"), [1], [[(1, 1.0), (1, 2.0)]]),
            "benefit of 'a' rises from 1 to 2 a unit; must not rise, "
            "put the pieces in the order of use",
        ),
        (
            lambda: rivers.river_value(River.line("a"), [1], [[(-1, 1.0)]]),
            "benefit of 'a' has a piece (-1, 1.0); a width must be 0 or more, and a benefit of one "
            "unit a finite number",
        ),
        (
            lambda: rivers.best_use(FORK, [1, 2, 3], []),
            "benefits has 0 values; must have 3, one each",
        ),
        (
            lambda: rivers.hierarchical(FORK, lambda s: 0.0, "north"),
            "root is 'north', which is no riparian; must be one of west, east, delta",
        ),
    ],
)
def test_fault(call: Callable[[], object], text: str) -> None:
    with pytest.raises(SharingError) as caught:
        call()
    assert str(caught.value) == text
