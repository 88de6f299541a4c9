"""Agreements and their building blocks, by hand; the table of examples is in test_examples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from wateralloc.sharing import agreements as rules
from wateralloc.sharing.agreements import Account, Published, Schedule
from wateralloc.sharing.checks import SharingError

PUBLISHED = {name: one for name, one in vars(rules).items() if isinstance(one, Published)}


# --- tables -------------------------------------------------------------------------------------


def test_a_band_starts_at_its_lower_end() -> None:
    bands = [(0, "none"), (400, "some"), (1300, "full")]
    found = [rules.by_band(x, bands) for x in (0, 399.9, 400, 1300, 9e9)]
    assert found == ["none", "none", "some", "full", "full"]


def test_shapes_of_schedules() -> None:
    assert Schedule(((0, 0), (1, 1), (2, 2))).shape == "straight"
    assert Schedule(((0, 0), (1, 1), (2, 3))).shape == "convex"
    assert Schedule(((0, 0), (1, 1), (2, 1.5))).shape == "concave"
    # Bangladesh: a half, nothing, all
    assert rules.GANGES_1996.data["Bangladesh"].shape == "neither"


@given(st.lists(st.floats(0.1, 5.0), min_size=2, max_size=5), st.floats(0.0, 1.0))
def test_a_convex_schedule_is_the_highest_of_its_lines(steps: list[float], part: float) -> None:
    """Which is why "at least the schedule" is linear then."""
    x = np.concatenate([[0.0], np.cumsum(np.ones(len(steps)))])
    y = np.concatenate([[0.0], np.cumsum(np.sort(steps))])
    schedule = Schedule(tuple(zip(x.tolist(), y.tolist(), strict=True)))
    index = part * float(x[-1])
    highest = max(slope * index + constant for slope, constant in schedule.lines())
    assert schedule(index) == pytest.approx(highest, abs=1e-9)


# --- splits -------------------------------------------------------------------------------------


def test_base_and_surplus_below_at_and_above_the_base() -> None:
    base, surplus = {"hills": 40, "delta": 60}, {"delta": 0.75, "hills": 0.25}
    assert rules.base_and_surplus(50, base, surplus) == {"hills": 20, "delta": 30}
    assert rules.base_and_surplus(100, base, surplus) == {"hills": 40, "delta": 60}
    assert rules.base_and_surplus(120, base, surplus) == {"hills": 45, "delta": 75}


def test_departures_by_other_shares_than_halves() -> None:
    normal = {"hills": 40, "delta": 60}
    found = rules.equal_deviations(80, normal, {"hills": 0.25, "delta": 0.75})
    assert found == {"hills": 35, "delta": 45}


# --- accounts -----------------------------------------------------------------------------------


def test_a_delivery_account() -> None:
    # owes 80, delivers 30 too little: 110, of which 100 may be owed
    assert rules.account_step(-80, 400, 370, most_debit=100) == Account(-100, 0, 10)
    # credit 50 loses a tenth, 20 more come in, 60 may be kept
    assert rules.account_step(50, 400, 420, most_credit=60, loss=0.1) == Account(60, 5, 0)
    # a debit does not evaporate
    assert rules.account_step(-50, 400, 400, loss=0.1) == Account(-50, 0, 0)
    # a spill wipes out both
    assert rules.account_step(30, 400, 410, spilled=True) == Account(0, 40, 0)
    assert rules.account_step(-30, 400, 400, spilled=True) == Account(0, 0, 0)


def test_an_overrun_is_judged_when_it_passes_the_tolerance() -> None:
    overrun, breach = rules.cap_account([110, 85, 126], [100, 100, 100], 0.2)
    assert overrun.tolist() == [10, -5, 21]
    assert breach == 2
    assert rules.cap_account([110, 110], [100, 100], 0.2)[1] is None  # at it is not above it


def test_rolling_minimum_is_zero_after_plenty() -> None:
    assert rules.rolling_minimum([9.0] * 9, 75) == 0.0


def test_a_bank_loses_first_and_spills_last() -> None:
    # (80 + 40) x 0.95 = 114, less 10 is 104, 90 fit
    assert rules.bank_step(80, 40, 10, most=90, loss=0.05) == (90.0, 14.0)
    assert rules.bank_step(80, 0, 80) == (0.0, 0.0)


# --- states -------------------------------------------------------------------------------------


def test_a_state_is_left_upwards_only_with_a_margin() -> None:
    state, found = None, []
    for storage in (700, 590, 610, 630, 390, 424, 426, 900):
        state = rules.state_by_threshold(storage, [400, 600], state, margin=25)
        found.append(state)
    assert found == [2, 1, 1, 2, 0, 0, 1, 2]


def test_hedging_never_releases_what_is_not_there() -> None:
    found = [rules.hedged_release(s, 10, 0.03, 60) for s in (0, 5, 600, 5000)]
    assert found == [0, 5, 28, 60]


def test_an_exception_waives_what_is_owed() -> None:
    required, waived = rules.ALBUFEIRA_1998.data["Douro at Miranda"]
    assert rules.with_exception(required, 0.64, waived) == 0.0
    assert rules.with_exception(required, 0.65, waived) == 3500.0


# --- capacity -----------------------------------------------------------------------------------


def test_internal_spill_goes_where_there_is_room_and_the_rest_leaves() -> None:
    """Spaces 50, 30, 20, full but for 6 and 2; inflow 20 by equal shares of the space.

    Inflow 10, 6, 4: the first spills 10, the second stands at 30 - 6 + 6 = 30 and is full, the
    third at 20 - 2 + 4 = 22 spills 2. Nobody has room: 12 leave.  With only 6 of inflow (3, 1.8,
    1.2) the second has room for 4.2, and takes the first's 3, the third having room for 0.8: 3 go
    to them as 4.2 to 0.8.
    """
    full = rules.capacity_step([50, 24, 18], 20, [0, 0, 0], 100, [0.5, 0.3, 0.2])
    assert full.storage.tolist() == [50, 30, 20]
    assert full.external_spill == pytest.approx(12)
    some = rules.capacity_step([50, 24, 18], 6, [1, 2, 3], 100, [0.5, 0.3, 0.2])
    assert some.internal_spill.tolist() == pytest.approx([-3, 3 * 4.2 / 5, 3 * 0.8 / 5])
    assert some.filled.tolist() == pytest.approx([50, 25.8 + 2.52, 19.2 + 0.48])
    assert some.storage.tolist() == pytest.approx([49, 26.32, 16.68])
    assert some.external_spill == pytest.approx(0)


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0, 200),
    st.floats(0, 5),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_capacity_step_loses_no_water(
    full: list[float], inflow: float, loss: float, uses: list[float]
) -> None:
    space = np.array([0.5, 0.3, 0.2])
    start = np.array(full) * 100 * space
    loss = min(loss, float(start.sum()))
    step = rules.capacity_step(start, inflow, [0] * 3, 100, space, [0.2, 0.3, 0.5], loss)
    used = np.array(uses) * step.filled
    step = rules.capacity_step(start, inflow, used, 100, space, [0.2, 0.3, 0.5], loss)
    after = step.storage.sum() + used.sum() + step.external_spill + loss
    assert after == pytest.approx(start.sum() + inflow, abs=1e-9)
    assert np.all(step.filled <= 100 * space + 1e-9)
    assert step.internal_spill.sum() == pytest.approx(0, abs=1e-9)
    assert step.external_spill <= 1e-9 or step.filled.sum() == pytest.approx(100)


# --- markets ------------------------------------------------------------------------------------


def test_trade_within_zones_and_between_them() -> None:
    """The hills hold 60 worth 2 each, the delta 40, of which it can use 50 at 5 and 50 at 1.

    Free: 10 move, and the last unit is worth 2.  Only 4 may leave the hills: one more unit is worth
    2 there and 5 in the delta.
    """
    benefits = [[(100, 2.0)], [(50, 5.0), (50, 1.0)]]
    free = rules.trade([60, 40], benefits, ["hills", "delta"])
    assert free.used.tolist() == [50, 50]
    assert free.price == {"hills": 2.0, "delta": 2.0}
    tied = rules.trade([60, 40], benefits, ["hills", "delta"], {"hills": 4})
    assert tied.used.tolist() == pytest.approx([56, 44])
    assert tied.bought.tolist() == pytest.approx([-4, 4])
    assert tied.price == pytest.approx({"hills": 2.0, "delta": 5.0})
    assert tied.gain == pytest.approx(4 * 3)
    assert rules.trade([60, 40], benefits, ["hills", "delta"], {"delta": 4}).price == tied.price


def test_price_lies_in_the_middle_of_seller_and_buyer() -> None:
    # all 50 are used at 5; the next unit would be worth 2
    assert rules.trade([25, 25], [[(25, 5.0), (9, 2.0)], [(25, 5.0)]]).price == {"all": 3.5}
    assert rules.trade([50, 50], [[(25, 5.0)], [(25, 5.0)]]).price == {"all": 0.0}


@given(
    own=st.lists(st.floats(50, 130), min_size=1, max_size=4),
    premium=st.floats(0, 20),
    exercise=st.floats(0, 50),
    emergency=st.floats(0, 50),
)
def test_option_is_the_best_of_its_linear_program(
    own: list[float], premium: float, exercise: float, emergency: float
) -> None:
    n = len(own)
    chance = np.full(n, 1 / n)
    found = rules.option_lease(100, own, chance, premium, exercise, emergency)
    # h, y(w), z(w): own + y + z >= demand, y <= h
    cost = np.concatenate([[premium], chance * exercise, chance * emergency])
    one = np.eye(n)
    rows = np.vstack(
        [np.hstack([np.zeros((n, 1)), -one, -one]), np.hstack([-np.ones((n, 1)), one, 0 * one])]
    )
    sides = np.concatenate([np.array(own) - 100, np.zeros(n)])
    assert found.cost == pytest.approx(linprog(cost, rows, sides).fun, abs=1e-6)
    assert found.cost <= found.cost_without + 1e-9


def test_charges_returned_move_money_and_make_none() -> None:
    net = rules.charges_returned([80, 120, 10], [40, 30, 5], [1.5, 2.0, 2.0], [0.5, 0.25, 0.25])
    # paid 60, 60, 10; returned 65, 32.5, 32.5
    assert net.tolist() == [85, 92.5, 32.5]
    assert net.sum() == 210


# --- published numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_have_source_unit_and_mark(name: str) -> None:
    one = PUBLISHED[name]
    assert one.mark in ("confirmed", "recalled")
    assert len(one.source) > 10
    assert one.unit


def test_published_numbers_agree_with_each_other() -> None:
    assert sum(rules.SOUTH_AUSTRALIA.data) == pytest.approx(1850)
    for parts in (*rules.CHU_TALAS_2000.data.values(), rules.EUPHRATES_1989.data):
        assert sum(parts.values()) == pytest.approx(1)
    assert sum(rules.INDUS_1991.data["surplus"].values()) == pytest.approx(1)
    nile = rules.NILE_1959.data
    assert sum(nile["normal"].values()) + nile["evaporation"] == 84
    tier = dict(rules.MEAD_2007_TOTALS.data)[1050.0]
    assert sum(rules.MEAD_2007.data.values()) == pytest.approx(tier, abs=1e-9)


@given(st.floats(0, 200_000))
def test_ganges_shares_all_and_keeps_a_guarantee(flow: float) -> None:
    for side in (None, "India", "Bangladesh"):
        found = rules.ganges_1996(flow, side)
        assert sum(found.values()) == pytest.approx(flow)
        assert min(found.values()) >= 0
        if side:
            assert found[side] >= min(flow, 35_000)
            # a guarantee takes nothing from whom it is given to
            assert found[side] >= rules.ganges_1996(flow)[side] - 1e-9


def test_tajo_below_the_reference_of_the_month() -> None:
    found = [rules.tajo_segura_2021(s, 800, 640) for s in (1300, 1299, 640, 639, 400, 399)]
    assert found == [60, 27, 27, 20, 20, 0]
    assert rules.tajo_segura_2021(399, 1500, 640) == 0  # nothing below 400, whatever comes in


def test_a_clause_that_is_kept_to_rounding_is_kept() -> None:
    assert rules.compliance([10, 10 - 1e-9, 3], [10, 10, 0]) == (1.0, 0.0, 0.0)
    assert rules.compliance([0], [4]) == (0.0, 4.0, 4.0)


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: rules.by_band(-1, [(0, "a")]),
            "index is -1, below the first band, which starts at 0; add a band",
        ),
        (lambda: rules.by_band(1, [(3, "a"), (2, "b")]), "bands are at 3.0, 2.0; must rise"),
        (lambda: rules.by_band(1, []), "bands: there is none; give at least one"),
        (
            lambda: Schedule(((0, 0), (1, 5)))(2),
            "index is 2; must lie within the schedule, 0 to 1",
        ),
        (lambda: rules.split(1, {"a": 0.5}), "shares add up to 0.5; must add up to 1"),
        (
            lambda: rules.base_and_surplus(1, {"a": 1}, {"b": 1}),
            "base and surplus_shares differ in a, b; name the same in both",
        ),
        (
            lambda: rules.nile_1959(30),
            "volume is 20, so far below normal (74) that 'Sudan' would get -8.5; the agreement "
            "does not say what then, use a claims rule",
        ),
        (
            lambda: rules.capacity_step([70, 0], 0, [0, 0], 100, [0.6, 0.4]),
            "storage[0] is 70; must fit its space of 60",
        ),
        (
            lambda: rules.capacity_step([10, 0], 0, [0, 5], 100, [0.6, 0.4]),
            "used[1] is 5; must be at most what it has, 0",
        ),
        (lambda: rules.bank_step(10, withdrawal=11), "withdrawal is 11; must be at most 10"),
        (
            lambda: rules.trade([1], [[(1, 1.0)]], ["hills"], {"hill": 1}),
            "most_net names 'hill', which is no zone; did you mean 'hills'?",
        ),
        (
            lambda: rules.trade([1], [[(1, 1.0), (1, 2.0)]]),
            "benefits of one unit are [1.0, 2.0]; must not rise",
        ),
        (
            lambda: rules.ganges_1996(1, "Nepal"),
            "guaranteed is 'Nepal'; must be India, Bangladesh or None",
        ),
        (
            lambda: rules.rio_grande_1948(800),
            "index is 800; rows are held for 500 to 600, 1000 to 1100 and 2000 to 2100 only, "
            "give the whole table as a Schedule",
        ),
        (
            lambda: rules.mead_2007(1080),
            "elevation is 1080 ft; volumes by state are held for 1050 to 1075 ft only, use "
            "MEAD_2007_TOTALS",
        ),
        (
            lambda: rules.albufeira_1998("Douro at Mirand", 1),
            "unknown section 'Douro at Mirand'; did you mean 'Douro at Miranda'?",
        ),
        (lambda: rules.delaware_1983(4), "state is 4; must be 0 (drought) to 3 (normal)"),
        (lambda: rules.mexico_1944(2), "us_cut is 2.0; must be 0 to 1"),
        (lambda: rules.colorado_1922([7]), "history has 1 values; must have 9, one for each"),
        (lambda: rules.compliance([], []), "owed is empty; give at least one window"),
        (
            lambda: rules.option_lease(1, [1], [0.5], 1, 1, 1),
            "chance add up to 0.5; must add up to 1",
        ),
    ],
)
def test_fault(call: Callable[[], object], text: str) -> None:
    with pytest.raises(SharingError) as caught:
        call()
    assert str(caught.value) == text
