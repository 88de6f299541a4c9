"""Rules of sharing on random rivers: their definitions, checked by programs of another route.

A river is a tree above the sea, by day: canals of limited size with a way round them to the sea,
lakes, users who ask from day to day; then with losses on the way, or with water that returns.  The
program that a test asks whether an award can rise is the one that Pyomo writes, without the goal
``share``, solved by scipy's own copy of the solver.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wateralloc.solve
from tests.properties.written import Written, both_programs, differences, write
from tests.small import days, inflow, make_case
from wateralloc.case import Case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.goals.claims import Claimants, Shared
from wateralloc.goals.meet import Meet
from wateralloc.goals.share import Share

RULES = (
    "proportional", "cea", "cel", "talmud", "reverse_talmud", "piniles", "constrained_egalitarian",
    "adjusted_proportional", "random_arrival", "minimal_overlap",
)  # fmt: skip
PLAIN = ("proportional", "cea", "cel", "talmud")
SAME = 1e-6
"""Two volumes [hm3]; rivers here carry up to some hundreds."""

volumes = st.integers(0, 40).map(lambda v: v / 2)


@st.composite
def rivers(draw: st.DrawFn, kind: str = "lossless") -> dict[str, Any]:
    """Tables of a river; `kind`: ``lossless``, ``losses`` or ``returns``."""
    n_nodes, periods = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    names = [f"n{i}" for i in range(n_nodes)]
    lakes = draw(st.lists(st.sampled_from(names), unique=True, max_size=2))

    def by_day() -> list[float]:
        return draw(st.lists(volumes, min_size=periods, max_size=periods))

    links: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        below = draw(st.sampled_from([*names[i + 1 :], "sea"])) if i < n_nodes - 1 else "sea"
        links.append(
            {
                "name": f"{name}_down",
                "from": name,
                "to": below,
                "kind": "canal",
                "capacity_hm3_day": draw(st.sampled_from([5, 12, 40, None])),
                "loss_fraction": draw(st.sampled_from([0, 0.1, 0.4])) if kind == "losses" else 0,
            }
        )
        links.append({"name": f"{name}_waste", "from": name, "to": "sea", "kind": "reach"})
    n_users = draw(st.integers(2, 4))
    demands = []
    for i in range(n_users):
        place = draw(st.integers(0, n_nodes - 1))
        back: dict[str, Any] = {}
        if kind == "returns":
            back = {
                "consumption_fraction": draw(st.sampled_from([0.4, 0.8, 1])),
                "return_to": draw(st.sampled_from([*names[place + 1 :], "sea"])),
            }
        demands.append({"name": f"u{i}", "node": names[place], "sector": "irrigation", **back})
    dated = days(periods)
    flows = {name: by_day() for name in names}
    flows[names[0]][0] += 1.0  # not all is dry
    return {
        "periods": periods,
        "nodes": [
            *({"name": n, "kind": "reservoir" if n in lakes else "junction"} for n in names),
            {"name": "sea", "kind": "sink"},
        ],
        "links": links,
        "demands": demands,
        "series": inflow(**flows)
        | {"demand_hm3_day": {"date": dated} | {f"u{i}": by_day() for i in range(n_users)}},
        **(
            {
                "reservoirs": [
                    {"name": n, "dead_hm3": 0, "normal_hm3": 30, "initial_hm3": 10, "target_hm3": 0}
                    for n in lakes
                ]
            }
            if lakes
            else {}
        ),
    }


@st.composite
def stocks(draw: st.DrawFn) -> dict[str, Any]:
    """One node, one day: an estate and three to six claims."""
    claims = draw(st.lists(st.integers(1, 40), min_size=3, max_size=6))
    return {
        "periods": 1,
        "nodes": [{"name": "river", "kind": "junction"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        "demands": [
            {"name": f"u{i}", "node": "river", "sector": "irrigation"} for i in range(len(claims))
        ],
        "series": inflow(river=[float(draw(st.integers(0, sum(claims))))])
        | {"demand_hm3_day": {"date": days(1)} | {f"u{i}": [c] for i, c in enumerate(claims)}},
    }


windows = st.sampled_from(["horizon", "period"])


def case_of(river: dict[str, Any]) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        return make_case(Path(folder), goals=[{"meet": {}}], **river)


def shared(case: Case, rule: str, **keys: Any) -> tuple[np.ndarray, np.ndarray, Shared]:
    """Claims and awards of a rule (claimant, window), and what it tells."""
    goal = Share(among="demand", rule=rule, **({"window": "horizon"} | keys))
    solution = solve_perfect(replace(case, goals=(goal,)))
    ((_, found),) = solution.records[0]
    (of,) = found.awards
    return of.claim, awarded(solution, of.claimants), found


def awarded(solution: Any, claimants: Claimants) -> np.ndarray:
    """Awards of the first member from what is withdrawn (claimant, window)."""
    m = solution.period.model
    taken = [
        sum(solution.value(m.withdrawal[d])[0] for d in group)
        for group in claimants.groups.values()
    ]
    return claimants.sums(np.array(taken))


class OtherRoute:
    """The river as Pyomo writes it, without the goal; asks how far an award can rise."""

    def __init__(self, case: Case, window: str) -> None:
        self.program: Written = write(replace(case, goals=(Meet(),)))
        of = case.timeline.window(window)
        self.takes: dict[tuple[int, int], np.ndarray] = {}
        for i, name in enumerate(case.basin.tables["demands"].index):
            for w in range(int(of.max()) + 1):
                row = np.zeros(len(self.program.columns))
                for (label, _, period), column in self.program.columns.items():
                    if label == f"withdrawal[{name}]" and of[period] == w:
                        row[column] = 1.0
                self.takes[i, w] = row

    def most(self, who: tuple[int, int], least: dict[tuple[int, int], float]) -> float:
        """Most that a claimant can have in a window while others keep what they have."""
        program = replace(self.program)
        for other, award in least.items():
            program.keep(-self.takes[other], -award + 1e-9)
        return -program.least(-self.takes[who])[0]


def assert_nobody_can_rise(
    case: Case, window: str, claim: np.ndarray, award: np.ndarray, rank: np.ndarray
) -> None:
    """Not but at the expense of one who has no more, by `rank` (claimant, window)."""
    route = OtherRoute(case, window)
    for who in zip(*np.nonzero(claim > 0), strict=True):
        others = {
            other: float(award[other])
            for other in zip(*np.nonzero(claim > 0), strict=True)
            if other != who and rank[other] <= rank[who] + 1e-7
        }
        assert route.most(who, others) <= award[who] + SAME


# --- leximin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lossless", "losses", "returns"])
def test_leximin_nobody_can_be_raised_but_at_a_poorer_ones_expense(kind: str) -> None:
    @settings(max_examples=12)
    @given(river=rivers(kind), window=windows)
    def check(river: dict[str, Any], window: str) -> None:
        case = case_of(river)
        claim, award, _ = shared(case, "leximin", window=window)
        satisfaction = award / np.where(claim > 0, claim, 1.0)
        assert_nobody_can_rise(case, window, claim, award, satisfaction)

    check()


@settings(max_examples=8)
@given(river=rivers("losses"), weight=st.sampled_from([0.25, 3.0]))
def test_weighted_awards_and_losses_by_their_definitions(
    river: dict[str, Any], weight: float
) -> None:
    """Equal awards over weight; equal losses over their weight, where not nothing is left."""
    case = case_of(river)
    claim, award, _ = shared(case, "cea", weights={"u0": weight})
    weights = np.ones_like(claim)
    weights[0] = weight
    assert_nobody_can_rise(case, "horizon", claim, award, award / weights)
    claim, award, _ = shared(case, "cel", loss_weights={"u0": weight})
    assert_nobody_can_rise(case, "horizon", claim, award, (award - claim) / weights)


# --- all rules ----------------------------------------------------------------------------------


@settings(max_examples=15)
@given(stock=stocks())
def test_single_stock_is_given_out_and_order_is_kept(stock: dict[str, Any]) -> None:
    """Who claims more gets no less, and loses no less."""
    case = case_of(stock)
    estate = stock["series"]["inflow_hm3_day"]["river"][0]
    for rule in PLAIN:
        claim, award, found = shared(case, rule)
        order = np.argsort(claim[:, 0], kind="stable")
        assert (np.diff(award[order, 0]) >= -SAME).all()
        assert (np.diff((claim - award)[order, 0]) >= -SAME).all()
        assert award.sum() == pytest.approx(estate, abs=SAME)
        assert found.volume_price == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", ["lossless", "losses", "returns"])
def test_every_rule_leaves_nothing_that_somebody_could_have(kind: str) -> None:
    """Nobody can be given more with all others held; lossless, all is given that can be."""

    @settings(max_examples=5)
    @given(river=rivers(kind), window=windows)
    def check(river: dict[str, Any], window: str) -> None:
        case = case_of(river)
        for rule in RULES:
            claim, award, found = shared(case, rule, window=window)
            assert (award <= claim + SAME).all()
            assert found.volume_price >= -1e-9
            if kind == "lossless":
                assert found.volume_price <= 1e-9
            assert_nobody_can_rise(case, window, claim, award, np.zeros_like(claim))

    check()


@settings(max_examples=5)
@given(river=rivers("losses"), data=st.data())
def test_order_of_rows_changes_nothing(river: dict[str, Any], data: st.DataObject) -> None:
    other = {
        **river,
        **{t: data.draw(st.permutations(river[t])) for t in ("nodes", "links", "demands")},
    }
    cases = [case_of(river), case_of(other)]
    for rule in RULES:
        found = []
        for case in cases:
            _, award, _ = shared(case, rule)
            names = list(case.basin.tables["demands"].index)
            found.append(award[np.argsort(names)])
        np.testing.assert_allclose(*found, atol=1e-7, err_msg=rule)


@settings(max_examples=5)
@given(river=rivers("returns"), window=windows)
def test_simplex_and_interior_point_give_the_same_awards(
    river: dict[str, Any], window: str
) -> None:
    case = case_of(river)
    for rule in RULES:
        _, simplex, _ = shared(case, rule, window=window)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(wateralloc.solve.OPTIONS, "solver", "ipm")
            _, interior, _ = shared(case, rule, window=window)
        np.testing.assert_allclose(simplex, interior, atol=SAME, err_msg=rule)


@settings(max_examples=12)
@given(river=rivers(), data=st.data(), more=st.sampled_from([0.5, 7.0]))
def test_more_inflow_hurts_nobody(river: dict[str, Any], data: st.DataObject, more: float) -> None:
    before = case_of(river)
    flows = river["series"]["inflow_hm3_day"]
    node = data.draw(st.sampled_from([name for name in flows if name != "date"]))
    flows[node][data.draw(st.integers(0, river["periods"] - 1))] += more
    after = case_of(river)
    for rule in PLAIN:
        (_, less, _), (_, award, _) = shared(before, rule), shared(after, rule)
        assert (award >= less - SAME).all(), rule


@settings(max_examples=8)
@given(river=rivers("losses"), rule=st.sampled_from([*RULES, "leximin"]))
def test_program_with_tiers_and_a_shape_is_the_one_pyomo_writes(
    river: dict[str, Any], rule: str
) -> None:
    goal = Share(
        among=("sector", "demand"),
        rule=rule,
        window="horizon",
        shape="period",
        weights={"irrigation/u1": 2.0},
        floors={"irrigation/u0": 0.5},
    )
    stacked, full = both_programs(replace(case_of(river), goals=(goal,)))
    assert differences(stacked, full) == []
