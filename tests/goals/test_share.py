"""share: who claims, over what time, with which floors, classes, weights; answers by hand.

The awards of the rules themselves are those of tests/analytic/test_sharing_network.py; random
rivers are in tests/properties/test_share.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.months import by_month, months
from tests.small import check_golden, days, inflow, make_case, solve
from wateralloc.errors import CaseError

GOLDEN = Path(__file__).parent / "golden" / "share.lp"

COUNTEREXAMPLE = {"shared_AB": 100, "own_C": 100, "demand": 100, "leximin": [50, 50, 100]}
"""A and B share a bottleneck of 100, C has its own; each asks 100 (known from outside)."""

RULES = (
    "leximin", "proportional", "cea", "cel", "talmud", "reverse_talmud", "piniles",
    "constrained_egalitarian", "adjusted_proportional", "random_arrival", "minimal_overlap",
)  # fmt: skip


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
            "demand_hm3_day": {"date": days(len(asked["A"])), **asked},
        },
    )


def lake(folder, asked, flows, goals, initial=0, more=None, **of):
    """Users at a lake that keeps what is not taken; asked by day, or what users have beside it.

    Parameters
    ----------
    of : user -> its columns of demands.csv
    """
    return make_case(
        folder,
        periods=len(flows),
        goals=goals,
        more=more,
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "brook", "from": "spring", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[
            {
                "name": "lake",
                "dead_hm3": 0,
                "normal_hm3": 1000,
                "initial_hm3": initial,
                "target_hm3": 0,
            }
        ],
        demands=[
            {"name": name, "node": "lake", "sector": "irrigation", **of.get(name, {})}
            for name in asked
        ],
        series={
            **inflow(spring=flows),
            "demand_hm3_day": {"date": days(len(flows)), **asked},
        },
    )


def one_day(folder, estate, claims, goals, **of):
    """The lake on one day: a single stock."""
    return lake(folder, {name: [c] for name, c in claims.items()}, [estate], goals, **of)


def awards(values, digits=6):
    return {name: round(sum(of), digits) for name, of in values["withdrawal"].items()}


def share(**keys):
    return [{"share": {"among": "demand", "window": "horizon", **keys}}]


# --- on a network -------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_two_that_share_a_bottleneck_and_one_that_does_not(tmp_path, rule):
    """Equal claims on equal terms: A and B have a half each; C loses nothing by their canal."""
    k = COUNTEREXAMPLE
    asked = {name: [k["demand"]] for name in "ABC"}
    solution, values = solve(tree(tmp_path, asked, k["shared_AB"], k["own_C"], rule=rule))
    assert [values["withdrawal"][name][0] for name in "ABC"] == pytest.approx(k["leximin"])
    ((_, shared),) = solution.records[0]
    assert shared.most == pytest.approx(200)
    assert shared.volume_price == pytest.approx(0, abs=1e-9)


def test_programs_are_named_and_what_they_settle_is_recorded(tmp_path):
    asked = {name: [100.0] for name in "ABC"}
    solution, _ = solve(tree(tmp_path, asked, 100, 100))
    assert [stage.name for stage in solution.stages[0]] == [
        "1 share among demand by year, leximin, round 1",
        "1 share among demand by year, leximin, round 2",
        "1 share, rest",
    ]
    ((goal, shared),) = solution.records[0]
    (settled,) = shared.awards
    assert (goal, settled.tier, settled.rule, settled.window) == (1, 1, "leximin", "year")
    assert settled.claim.tolist() == [[100], [100], [100]]
    assert settled.settled_in.tolist() == [[1], [1], [2]]
    assert settled.level == pytest.approx(np.array([[0.5], [0.5], [1.0]]))
    assert (shared.value_price, settled.n_rounds) == (None, 2)


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


def test_nothing_asked_is_no_claim(tmp_path):
    asked = {"A": [40.0, 0.0], "B": [60.0, 0.0], "C": [0.0, 0.0]}
    solution, values = solve(tree(tmp_path, asked, 50, 50, window="period"))
    assert awards(values) == {"A": 20, "B": 30, "C": 0}
    ((_, shared),) = solution.records[0]
    assert shared.awards[0].settled_in.tolist() == [[1, 0], [1, 0], [0, 0]]


# --- terms --------------------------------------------------------------------------------------

SEASON = {"domestic": 12, "industry": 18, "irrigation": 90, "environment": 30}
"""Claims on 100 hm3 (P07 of the collection)."""
FLOORS = {"domestic": 1, "environment": 1 / 3}


@pytest.mark.parametrize(
    ("keys", "hand"),
    [
        # the floors take 22; the rest, 78, is shared by what each still asks: 0, 18, 90, 20
        (
            {"rule": "proportional", "floors": FLOORS},
            (12, 18 * 78 / 128, 90 * 78 / 128, 10 + 20 * 78 / 128),
        ),
        # a rest of 78 for 18, 90, 20 in equal losses: (128 - 78) / 3 each
        ({"rule": "cel", "floors": FLOORS}, (12, 18 - 50 / 3, 90 - 50 / 3, 30 - 50 / 3)),
        # the rest equally beyond the floors: 18, 40, 20
        ({"rule": "cea", "floors": FLOORS}, (12, 18, 40, 30)),
        # floors of all that is asked take all there is: they share it in proportion
        ({"rule": "cea", "floors": dict.fromkeys(SEASON, 1)}, (8, 12, 60, 20)),
        # equal awards up to 12, 0, 10, 0; then equal losses of the 18, 90, 30: 50, a third each
        (
            {"rule": "tal", "theta": {"domestic": 1, "industry": 0, "irrigation": 1 / 9,
                                      "environment": 0}},
            (12, 18 - 50 / 3, 90 - 50 / 3, 30 - 50 / 3),
        ),
        # theta of one claimant; the others keep the half: 12, 9, 45, 15 leave 19, all for the
        # largest loss, 45, which falls to 26
        ({"rule": "tal", "theta": {"domestic": 1}}, (12, 9, 64, 15)),
        # weight 2 gains twice as fast: 12 and 18 are full, 70 is shared two to one
        ({"rule": "cea", "weights": {"irrigation": 2}}, (12, 18, 140 / 3, 70 / 3)),
        # half the satisfaction s of the others: (12 + 18 + 90 / 2 + 30) s = 100
        (
            {"rule": "proportional", "weights": {"irrigation": 0.5}},
            (12 * 20 / 21, 18 * 20 / 21, 90 * 10 / 21, 30 * 20 / 21),
        ),
        # losses of k, and of 2 k for irrigation: 150 - 5 k = 100
        ({"rule": "cel", "loss_weights": {"irrigation": 2}}, (2, 8, 70, 20)),
    ],
)  # fmt: skip
def test_terms_by_hand(tmp_path, keys, hand):
    _, values = solve(one_day(tmp_path, 100, SEASON, share(**keys)))
    assert list(awards(values).values()) == pytest.approx(hand, abs=1e-6)


def test_floors_that_cannot_all_be_kept_are_served_alike(tmp_path):
    """Floors of 12 and 10 out of 11: half of each; nothing is left for others."""
    _, values = solve(one_day(tmp_path, 11, SEASON, share(rule="cel", floors=FLOORS)))
    assert list(awards(values).values()) == pytest.approx([6, 0, 0, 5], abs=1e-6)


def test_theta_slides_from_losses_to_awards(tmp_path):
    """The figures of docs/sharing.md at a quarter and three quarters."""
    for theta, hand in ((0.25, (3, 4.5, 76.25, 16.25)), (0.75, (9, 13.5, 55, 22.5))):
        folder = tmp_path / str(theta)
        _, values = solve(one_day(folder, 100, SEASON, share(rule="tal", theta=theta)))
        assert list(awards(values).values()) == pytest.approx(hand, abs=1e-6)


def test_classes_by_name_are_served_in_order(tmp_path):
    """12 + 30 first; 58 for 18 and 90 by equal awards: 18 and 40."""
    classes = [["environment", "domestic"], ["irrigation", "industry"]]
    _, values = solve(one_day(tmp_path, 100, SEASON, share(rule="cea", classes=classes)))
    assert list(awards(values).values()) == pytest.approx([12, 18, 40, 30], abs=1e-6)
    _, values = solve(one_day(tmp_path / "less", 21, SEASON, share(rule="cea", classes=classes)))
    assert list(awards(values).values()) == pytest.approx([10.5, 0, 0, 10.5], abs=1e-6)


def test_floor_within_a_class(tmp_path):
    """Second class, 58 for 18 and 90: half of 90 is safe, the rest, 13, by 18 and 45."""
    classes = [["environment", "domestic"], ["irrigation", "industry"]]
    keys = {"rule": "proportional", "classes": classes, "floors": {"irrigation": 0.5}}
    _, values = solve(one_day(tmp_path, 100, SEASON, share(**keys)))
    hand = [12, 18 * 13 / 63, 45 + 45 * 13 / 63, 30]
    assert list(awards(values).values()) == pytest.approx(hand, abs=1e-6)


def test_claimants_of_the_case_s_own(tmp_path):
    """People (12 + 30) and work (18 + 90) by equal losses of 25: 17 and 83."""
    claimants = {
        "people": {"demands": ["domestic", "environment"]},
        "work": {"demands": ["industry", "irrigation"]},
    }
    goal = [{"share": {"claimants": claimants, "rule": "cel", "window": "horizon"}}]
    solution, values = solve(one_day(tmp_path, 100, SEASON, goal))
    of = awards(values)
    assert of["domestic"] + of["environment"] == pytest.approx(17)
    assert of["industry"] + of["irrigation"] == pytest.approx(83)
    ((_, shared),) = solution.records[0]
    assert shared.awards[0].claimants.names == ["people", "work"]
    assert shared.title == "share people+work among claimants"


def test_users_that_share_nothing_are_left_what_remains(tmp_path):
    """Only two of four claim: they are served in full, and the rest is free for a later goal."""
    goals = [
        {"share": {"among": "demand", "demands": ["industry", "irrigation"], "window": "horizon"}},
        {"meet": {"demands": ["environment"]}},
    ]
    _, values = solve(one_day(tmp_path, 120, SEASON, goals))
    assert awards(values) == {"domestic": 0, "industry": 18, "irrigation": 90, "environment": 12}


# --- windows ------------------------------------------------------------------------------------


def test_a_window_of_each_period_cannot_be_made_good_by_another(tmp_path):
    """Day 1 has 6 for claims of 4 and 8: one half; day 2 has enough."""
    asked = {"A": [4, 4], "B": [8, 8]}
    _, values = solve(lake(tmp_path, asked, [6, 20], share(window="period")))
    assert values["withdrawal"] == {"A": [2, 4], "B": [4, 8]}


def test_shape_shares_each_day_within_the_awards(tmp_path):
    """12 at first and 18 more on day 2, for 60: half of each, 20 and 10.

    On day 1 the 12 are two fifths of the claims of 30, the most that can be had; day 2 has the
    rest, three fifths.
    """
    asked = {"A": [20, 20], "B": [10, 10]}
    goals = share(shape="period")
    solution, values = solve(lake(tmp_path, asked, [0, 18], goals, initial=12))
    assert values["withdrawal"] == {"A": [8, 12], "B": [4, 6]}
    ((_, shared),) = solution.records[0]
    assert [(of.tier, of.window, of.rule) for of in shared.awards] == [
        (1, "horizon", "leximin"), (2, "period", "leximin"),
    ]  # fmt: skip
    assert solution.drift.max() <= 1e-9


def test_shape_after_a_rule_of_losses(tmp_path):
    """30 for 40 and 20: equal losses leave 25 and 5, and each has half of that on each day."""
    asked = {"A": [20, 20], "B": [10, 10]}
    goals = share(rule="cel", shape="period")
    _, values = solve(lake(tmp_path, asked, [0, 0], goals, initial=30))
    assert values["withdrawal"] == {"A": [12.5, 12.5], "B": [2.5, 2.5]}


def test_months_outside_a_season_are_not_shared_but_still_served(tmp_path):
    """November to February count: one season of each water year; March comes after the awards.

    The lake has 30 in November for claims of 20 a month of A and 10 of B in four months, 120 in
    all: a quarter. March has an inflow of its own, 12 of the 30 asked.
    """
    n = 5
    asked = by_month("demand_hm3_day", "2001-11", A=[20] * n, B=[10] * n)
    flows = by_month("inflow_hm3_day", "2001-11", spring=[30, 0, 0, 0, 12])
    goals = share(window="season", months=[11, 12, 1, 2], rule="leximin", shape="month")
    case = make_case(
        tmp_path,
        periods=n,
        goals=goals,
        more=months("2001-11", n),
        nodes=[
            {"name": "spring", "kind": "inflow"},
            {"name": "lake", "kind": "reservoir"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "brook", "from": "spring", "to": "lake", "kind": "reach"},
            {"name": "outlet", "from": "lake", "to": "sea", "kind": "reach"},
        ],
        reservoirs=[{"name": "lake", "dead_hm3": 0, "normal_hm3": 99, "initial_hm3": 0,
                     "target_hm3": 0}],
        demands=[{"name": name, "node": "lake", "sector": "irrigation"} for name in "AB"],
        series=asked | flows,
    )  # fmt: skip
    solution, values = solve(case)
    assert values["withdrawal"]["A"][:4] == pytest.approx([5, 5, 5, 5])
    assert values["withdrawal"]["B"][:4] == pytest.approx([2.5, 2.5, 2.5, 2.5])
    assert values["withdrawal"]["A"][4] + values["withdrawal"]["B"][4] == pytest.approx(12)
    ((_, shared),) = solution.records[0]
    assert (shared.most, shared.given) == pytest.approx((30, 30))
    # the last optimum is of all that is asked, in season or not
    assert solution.stages[0][-1].value == pytest.approx((150 - 42) / 150)


def test_every_member_has_claims_and_rounds_of_its_own(tmp_path):
    """Dry and wet January: 30 and 90 of the 100 that A and B ask together."""
    asked = by_month("demand_hm3_day", "2001-01", A=[40] + [0] * 12, B=[60] + [0] * 12)
    asked["demand_hm3_day"]["A"][12], asked["demand_hm3_day"]["B"][12] = 40 / 31, 60 / 31
    flows = by_month("inflow_hm3_day", "2001-01", river=[30] + [0] * 11 + [90])
    goals = share(rule="cel", shape="month")
    case = make_case(
        tmp_path,
        periods=1,
        goals=goals,
        more=months("2001-01", 1) | {"hydrology": {"record": "historic", "members": "all"}},
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[{"name": name, "node": "river", "sector": "irrigation"} for name in "AB"],
        series=asked | flows,
    )
    solution, _ = solve(case)
    assert case.n_members == 2
    taken = {n: solution.value(solution.period.model.withdrawal[n])[:, 0] for n in "AB"}
    # losses of 35 each; of 5 each
    assert taken["A"] == pytest.approx([5, 35])
    assert taken["B"] == pytest.approx([25, 55])
    assert [shared.given for ((_, shared),) in solution.records] == pytest.approx([30, 90])


# --- among other goals --------------------------------------------------------------------------


def test_awards_are_held_for_goals_that_follow(tmp_path):
    goals = [*share(), {"meet": {"demands": ["domestic"]}}]
    solution, values = solve(one_day(tmp_path, 100, SEASON, goals))
    assert awards(values) == {"domestic": 8, "industry": 12, "irrigation": 60, "environment": 20}
    assert solution.drift.max() <= 1e-9


def test_goals_before_it_are_held(tmp_path):
    """Domestic use first; 88 for 138: 44/69 of each."""
    goals = [
        {"meet": {"demands": ["domestic"]}},
        {"share": {"among": "demand", "window": "horizon"}},
    ]
    _, values = solve(one_day(tmp_path, 100, SEASON, goals))
    hand = [12, *(c * 88 / 138 for c in (18, 90, 30))]
    assert list(awards(values).values()) == pytest.approx(hand, abs=1e-6)


def test_value_price(tmp_path):
    """50 each at 1 and 3 dong a m3 is 200; all to the dearer use, 100, would be 300."""
    of = {"A": {"value_vnd_m3": 1}, "B": {"value_vnd_m3": 3}}
    solution, values = solve(one_day(tmp_path, 100, {"A": 100, "B": 100}, share(), **of))
    assert awards(values) == {"A": 50, "B": 50}
    ((_, shared),) = solution.records[0]
    assert (shared.best_worth, shared.worth) == pytest.approx((300, 200))
    assert shared.value_price == pytest.approx(1 / 3)
    assert shared.volume_price == pytest.approx(0, abs=1e-12)


def test_what_is_chosen_after_the_awards_does_not_count_for_the_value_price(tmp_path):
    """A group's award goes to its dearest user: the rule chose the group's volume only."""
    of = {
        "A": {"value_vnd_m3": 1, "region": "hills"},
        "B": {"value_vnd_m3": 3, "region": "hills"},
        "C": {"value_vnd_m3": 3, "region": "delta"},
    }
    claims = {"A": 50, "B": 50, "C": 100}
    goals = [{"share": {"among": "region", "window": "horizon"}}]
    solution, _ = solve(one_day(tmp_path, 100, claims, goals, **of))
    ((_, shared),) = solution.records[0]
    assert (shared.best_worth, shared.worth) == pytest.approx((300, 300))
    assert shared.value_price == pytest.approx(0, abs=1e-9)


def test_golden(tmp_path):
    asked = {name: [100.0, 50.0] for name in "ABC"}
    keys = {"window": "period", "rule": "talmud", "weights": {"B": 2}}
    check_golden(tree(tmp_path, asked, 100, 100, **keys), GOLDEN)


def test_known_answer_file_agrees():
    """The answer above is that of the outside collection, where it lies beside the project."""
    path = Path(__file__).parents[3] / "shared" / "known_answers.json"
    if not path.is_file():
        pytest.skip("the collection of known answers is not beside the project")
    known = json.loads(path.read_text(encoding="utf-8"))["leximin_counterexample"]
    assert known["leximin"] == COUNTEREXAMPLE["leximin"]
    assert known["shared_capacity_AB"] == COUNTEREXAMPLE["shared_AB"]


def test_months_that_the_horizon_does_not_have_are_told(tmp_path):
    case = one_day(tmp_path, 100, SEASON, share(months=[5]))
    text = (
        "case: E319 goal share: no period of the horizon lies in months 5; choose others, or "
        "extend the timeline"
    )
    with pytest.raises(CaseError, match=text):
        solve(case)
