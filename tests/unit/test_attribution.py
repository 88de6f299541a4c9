"""Which clause made the difference: shares by hand, their laws, what goes together, faults."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tests.basins import write_basin
from tests.small import days
from wateralloc import job
from wateralloc.case import Case, read_case
from wateralloc.cli import base as cli
from wateralloc.comparison import attribution, compare
from wateralloc.comparison.attribution import Attribution, attribute, sample, shapley
from wateralloc.comparison.clauses import pair_of
from wateralloc.comparison.figures import figures_of
from wateralloc.errors import Infeasible, InputError
from wateralloc.report import attribution_table
from wateralloc.results import Results
from wateralloc.sharing import games

FARM_FIRST = [{"meet": {"demands": ["farm"]}}, {"meet": {}}]
FLOW = 1e6 / 86400
"""1 hm3 a day [m3/s]."""
DELTA = {"rule": "minimum_delivery", "name": "delta", "at": "head", "flow_m3s": 4 * FLOW}
CAP = {"rule": "quota", "name": "cap", "sectors": ["irrigation"], "volume_hm3": 6, "window": "year"}
WIDE = {"rule": "quota", "name": "wide", "sectors": ["irrigation"], "volume_hm3": 99,
        "window": "year"}  # fmt: skip
HALF = {"demand": {"scale": {"industry": 0.5}}}

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a case into ``cases/`` of a study with a river on one day.

    ``head -> town -> sea``, 12 hm3: a farm at the head and a works at the town ask 10 each; a m3 is
    worth 2 to the farm and 5 to the works.
    """
    users = [("farm", "head", "north", "irrigation", 2), ("works", "town", "south", "industry", 5)]
    write_basin(
        tmp_path / "basin",
        yaml={
            "regions": {"north": {"en": "North", "vi": "Phía Bắc"}, "south": {"en": "South"}},
            "sectors": {"irrigation": {"vi": "Tưới"}, "industry": {}},
        },
        nodes=[
            {"name": "head", "kind": "inflow"},
            {"name": "town", "kind": "junction"},
            {"name": "sea", "kind": "sink"},
        ],
        links=[
            {"name": "upper", "from": "head", "to": "town", "kind": "reach", "capacity_m3s": 1000},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {
                "name": name, "node": node, "region": region, "sector": sector,
                "demand_hm3_day": 10, "consumption_fraction": 1, "value_vnd_m3": value,
            }
            for name, node, region, sector, value in users
        ],
        series={"inflow_hm3_day": {"date": days(2), "head": [12, 12]}},
    )  # fmt: skip
    (tmp_path / "cases").mkdir()
    monkeypatch.chdir(tmp_path)

    def write_case(name: str, rules: Any = (), goals: Any = FARM_FIRST, **more: Any) -> None:
        text = {
            "schema": 1,
            "title": {"en": f"The {name}", "vi": f"Cơ chế {name}"},
            "basin": "../basin",
            "timeline": {"start": "2001-01-01", "periods": 1, "step": "day"},
            "hydrology": {"record": "dates"},
            "rules": [dict(rule) for rule in rules],
            "goals": list(goals),
            **more,
        }
        with Path(f"cases/{name}.yaml").open("w", encoding="utf-8") as stream:
            YAML().dump(text, stream)

    write_case("none")
    write_case("three", [DELTA, CAP], **HALF)
    return write_case


def shares_of(of: Attribution, measure: str, name: str = "all") -> dict[str, float]:
    rows = of.table[(of.table["measure"] == measure) & (of.table["name"] == name)]
    (row,) = rows.to_dict("records")
    return {clause: row[clause] for clause in [*of.names_of_clauses, "total"]}


def check_sums(of: Attribution) -> None:
    table = of.table
    total = table[of.names_of_clauses].sum(axis=1)
    scale = np.maximum(1, table[["before", "after"]].abs().max(axis=1))
    assert ((total - table["total"]).abs() <= 1e-9 * scale).all()
    assert ((table["after"] - table["before"] - table["total"]).abs() <= 1e-9 * scale).all()


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("no case may be solved")


# --- by hand ------------------------------------------------------------------------------------


def test_shares_by_hand(write: Write) -> None:
    """Delivery d leaves the farm 8, cap c leaves it 6, and h halves what the works asks.

    The farm takes f = 10, 8 (d) or 6 (c, dc), and lacks 10 - f; the works has 12 - f, and lacks
    f - 2 without h and max(0, f - 7) with it:

    ========  ==  ==  ==  ==  ==  ==  ==  ===
    clauses   -   d   c   dc  h   dh  ch  dch
    farm      0   2   4   4   0   2   4   4
    works     8   6   4   4   3   1   0   0
    value     30  36  42  42  30  36  37  37
    ========  ==  ==  ==  ==  ==  ==  ==  ===

    A clause gets 1/3 of what it does alone and after both others, 1/6 after each of them.  Farm:
    d 2/3 + 0 + 2/6 + 0 = 1, c 4/3 + 2/6 + 4/6 + 2/3 = 3.  Works: d -2/3 + 0 - 2/6 + 0 = -1,
    c -4/3 - 2/6 - 3/6 - 1/3 = -2.5, h -5/3 - 5/6 - 4/6 - 4/3 = -4.5.  Value, 2 f + 5 of what the
    works takes: d 6/3 + 0 + 6/6 + 0 = 3, c 12/3 + 6/6 + 7/6 + 1/3 = 6.5, h
    0 + 0 - 5/6 - 5/3 = -2.5.
    """
    of = attribute(["three", "none"])
    assert (of.reference, of.policy, of.members) == ("none", "three", ("2001-01",))
    assert (of.solved, of.orders) == (8, 0)
    assert not of.errors.to_numpy().any()
    by_hand = {
        ("deficit", "all"): (0, 0.5, -4.5, -4),
        ("deficit", "north"): (1, 3, 0, 4),
        ("deficit", "irrigation"): (1, 3, 0, 4),
        ("deficit", "south"): (-1, -2.5, -4.5, -8),
        ("deficit", "industry"): (-1, -2.5, -4.5, -8),
        ("value", "all"): (3, 6.5, -2.5, 7),
        # the works alone: 10, 20, 30, 30; 10, 20, 25, 25
        ("value", "south"): (5, 12.5, -2.5, 15),
        # 4 must pass: 2 do without a clause
        ("missed", "delta"): (-1, -1, 0, -2),
        ("kept", "delta"): (0.5, 0.5, 0, 1),
    }
    for (measure, name), numbers in by_hand.items():
        found = shares_of(of, measure, name)
        wanted = dict(zip(("delta", "cap", "demand.scale.industry", "total"), numbers, strict=True))
        assert found == pytest.approx(wanted, abs=1e-7), (measure, name)
    check_sums(of)
    units = of.table.set_index(["measure", "name"])["unit"]
    assert units["deficit", "all"] == "hm3"
    assert units["value", "all"] == "million"
    clauses = of.clauses.set_index("clause")
    assert clauses.loc["cap"].tolist() == [
        "rule", "cap", "added", "",
        "quota, sectors: [irrigation], volume_hm3: 6",
    ]  # fmt: skip
    assert clauses.loc["demand.scale.industry"].tolist() == [
        "setting", "demand.scale.industry", "added", "", "0.5",
    ]  # fmt: skip


def test_the_total_is_the_change_that_compare_shows(write: Write) -> None:
    figures = compare(["none", "three"]).figures.set_index(["policy", "measure", "scope", "name"])
    of = attribute(["none", "three"])
    for row in of.table.itertuples(index=False):
        key = ("three", row.measure, row.scope, row.name)
        assert row.total == pytest.approx(figures.loc[key, "change"], abs=1e-9), key
        assert row.unit == figures.loc[key, "unit"]
    measures = of.table[["measure", "scope"]].drop_duplicates().to_numpy().tolist()
    assert measures == [
        ["deficit", "basin"], ["deficit", "region"], ["deficit", "sector"],
        ["value", "basin"], ["value", "region"], ["value", "sector"],
        ["kept", "yardstick"], ["missed", "yardstick"],
    ]  # fmt: skip


def test_the_figures_are_those_of_a_comparison() -> None:
    """On the shipped case, which has plants, values, regions and sectors."""
    short = {"timeline.step": "month", "timeline.periods": "3", "hydrology.year": "2009-06",
             "linearisation": "fixed"}  # fmt: skip
    dataset = job.run(read_case("baseline", short)).dataset
    wanted = {(f.measure, f.scope, f.name): f for f in figures_of(dataset, [], [])}
    found = list(attribution.figures_divided(dataset, []))
    for figure in found:
        other = wanted.pop((figure.measure, figure.scope, figure.name))
        assert figure.mean == pytest.approx(other.mean, abs=1e-9)
        assert (figure.unit, figure.sense) == (other.unit, other.sense)
    scopes = ("basin", "region", "sector")
    assert not [k for k in wanted if k[0] in ("deficit", "energy", "value") and k[1] in scopes]
    assert ("energy", "basin") in {(figure.measure, figure.scope) for figure in found}


def test_the_other_way_round_only_signs_change(write: Write) -> None:
    forth = attribute(["none", "three"])
    back = attribute(["none", "three"], reference="three")
    assert (back.reference, back.policy) == ("three", "none")
    names = [*forth.names_of_clauses, "total"]
    assert set(back.names_of_clauses) == set(forth.names_of_clauses)
    assert back.table[names].to_numpy() == pytest.approx(-forth.table[names].to_numpy(), abs=1e-9)
    assert back.table["before"].tolist() == pytest.approx(forth.table["after"].tolist(), abs=1e-9)


def test_a_clause_that_changes_nothing_gets_nothing(write: Write) -> None:
    write("four", [DELTA, WIDE, CAP], **HALF)
    of = attribute(["none", "four"])
    assert of.solved == 16
    assert of.table["wide"].abs().max() <= 1e-9
    three = attribute(["none", "three"])
    names = [*three.names_of_clauses, "total"]
    assert of.table[names].to_numpy() == pytest.approx(three.table[names].to_numpy(), abs=1e-7)


def test_cases_that_say_the_same(write: Write) -> None:
    """What only names a clause is no clause."""
    write("other", [DELTA | {"source": "Art. 1"}])
    write("same", [DELTA | {"source": "Art. 2"}])
    of = attribute(["other", "same"])
    assert (of.solved, of.names_of_clauses) == (1, [])
    assert not of.table["total"].any()
    assert "no clause differs" in attribution_table.markdown(of)


def test_members_that_are_named(write: Write, tmp_path: Path) -> None:
    """On another day 20 come: all but the halved works' demand is met, and d changes nothing."""
    write_rows = ["date,head", *(f"2001-01-{day:02}, {12 if day == 1 else 20}" for day in (1, 2))]
    (tmp_path / "basin" / "series" / "inflow_hm3_day.csv").write_text(
        "\n".join(row.replace(" ", "") for row in write_rows) + "\n", encoding="utf-8"
    )
    dates = {"timeline": {"start": "2001-01-02", "periods": 1, "step": "day"}}
    write("none", **dates)
    write("three", [DELTA, CAP], **dates, **HALF)
    of = attribute(["none", "three"], members=["2001-01"])
    # the farm lacks 4 by c; the works has all it asks
    assert shares_of(of, "deficit") == pytest.approx(
        {"demand.scale.industry": 0, "delta": 0, "cap": 4, "total": 4}, abs=1e-7
    )
    with pytest.raises(InputError, match="E341 there is no member '1999'"):
        attribute(["none", "three"], members=["1999"])


def test_processes_change_nothing(write: Write) -> None:
    seen: list[tuple[int, int]] = []
    one = attribute(["none", "three"])
    two = attribute(["none", "three"], jobs=2, progress=lambda *done: seen.append(done))
    pd.testing.assert_frame_equal(one.table, two.table)
    assert seen == [(k, 8) for k in range(1, 9)]


def test_each_combination_is_solved_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[Any] = []
    run = job.run

    def count(case: Case, **more: Any) -> Results:
        scale = case.demand_scale.get("industry", 1)
        solved.append((*sorted(rule.name for rule in case.rules), scale))
        return run(case, **more)

    monkeypatch.setattr(attribution.job, "run", count)
    attribute(["none", "three"])
    assert len(solved) == len(set(solved)) == 8
    assert ("cap", "delta", 0.5) in solved
    assert (1,) in solved


# --- the value ----------------------------------------------------------------------------------

Table = dict[frozenset[int], float]


def small_first(n: int) -> list[frozenset[int]]:
    return [frozenset(s) for size in range(n + 1) for s in combinations(range(n), size)]


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, Table]:
    n = draw(st.integers(1, 5))
    numbers = st.floats(-100, 100)
    return n, {s: draw(numbers) for s in small_first(n)}


def divide(n: int, table: Table) -> np.ndarray:
    return shapley(np.array([[table[s]] for s in small_first(n)]), n)[:, 0]


@given(tables())
def test_the_shares_are_those_of_the_game(drawn: tuple[int, Table]) -> None:
    """The same as another program of the package finds, which adds up over orders of players."""
    n, table = drawn
    names = "abcde"[:n]
    worth = {
        "+".join(names[k] for k in sorted(s)): v - table[frozenset()] for s, v in table.items()
    }
    worth.pop("")
    wanted = games.shapley(games.Game.from_values(list(names), worth))
    assert divide(n, table) == pytest.approx(list(wanted.values()), abs=1e-9)


@given(tables())
def test_shares_add_up_and_turn_round(drawn: tuple[int, Table]) -> None:
    n, table = drawn
    whole = frozenset(range(n))
    shares = divide(n, table)
    assert shares.sum() == pytest.approx(table[whole] - table[frozenset()], abs=1e-9)
    turned = {s: table[whole - s] for s in table}
    assert divide(n, turned) == pytest.approx(-shares, abs=1e-9)


@given(tables(), st.integers(0, 4))
def test_what_changes_nothing_gets_nothing(drawn: tuple[int, Table], which: int) -> None:
    n, table = drawn
    idle = which % n
    shares = divide(n, {s: table[s - {idle}] for s in table})
    assert shares[idle] == pytest.approx(0, abs=1e-12)


def game(n: int, seed: int) -> tuple[Callable[[Any], np.ndarray], np.ndarray]:
    """Figures of combinations drawn at random, and their exact shares."""
    numbers = np.random.default_rng(seed).normal(size=(2**n, 2)) * [10, 1]
    place = {s: k for k, s in enumerate(small_first(n))}
    return (
        lambda sets: numbers[[place[frozenset(map(int, s))] for s in sets]],
        shapley(numbers, n),
    )


def test_sampled_shares_are_near_the_exact_ones() -> None:
    """Of 20 games x 6 clauses x 2 figures 99 % lie within 3 standard errors, as they should."""
    within = []
    for seed in range(20):
        values, exact = game(6, seed)
        shares, errors, orders = sample(values, 6, [True, True], 200, seed)
        assert orders == 192  # a figure drawn at random never stands still, so all rounds are taken
        assert (errors > 0).all()
        ends = values([(), range(6)])
        assert shares.sum(axis=0) == pytest.approx(ends[1] - ends[0], abs=1e-9)
        within.append(np.abs(shares - exact) <= 3 * errors)
    assert np.mean(within) > 0.98


def test_sampling_stops_once_it_is_precise() -> None:
    """Where only pairs of clauses act on each other, an order with its reverse gives it exactly."""
    single, both = np.arange(1.0, 11), np.zeros((10, 10))
    both[2, 7] = both[0, 1] = 4

    def values(sets: Any) -> np.ndarray:
        of = [np.isin(np.arange(10), list(s)) for s in sets]
        return np.array([[single @ x + x @ both @ x] for x in of])

    shares, errors, orders = sample(values, 10, [True], 1000, 0)
    assert orders == attribution.ROUND
    wanted = single + 2 * np.isin(np.arange(10), [0, 1, 2, 7])
    assert shares[:, 0] == pytest.approx(wanted, abs=1e-9)
    assert errors.max() == pytest.approx(0, abs=1e-9)
    noisy, _ = game(6, 1)
    for awaited, expected in (([False, False], attribution.ROUND), ([True, False], 64)):
        assert sample(noisy, 6, awaited, 64, 0)[2] == expected


def test_more_clauses_are_sampled(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of two clauses three are sampled, near their exact shares.

    The works asks 3, so all three clauses act on each other: it lacks max(0, f - 9) in the end.
    All 8 combinations are met and solved once; the sum is the change as exactly as before.
    """
    write("three", [DELTA, CAP], demand={"scale": {"industry": 0.3}})
    exact = attribute(["none", "three"])
    monkeypatch.setattr(attribution, "MOST_EXACT", 2)
    of = attribute(["none", "three"], most_orders=64, seed=3)
    assert (of.solved, of.seed) == (8, 3)
    assert 0 < of.orders <= 64
    check_sums(of)
    names = of.names_of_clauses
    assert names == exact.names_of_clauses
    off = (of.table[names] - exact.table[names]).abs()
    assert (off <= 3 * of.errors + 1e-7).all(axis=None)
    assert of.errors.max(axis=None) > 0.01
    again = attribute(["none", "three"], most_orders=64, seed=3)
    pd.testing.assert_frame_equal(again.table, of.table)
    frame = attribution_table.frame_of(of)
    assert frame["standard_error.cap"].tolist() == of.errors["cap"].tolist()
    text = attribution_table.markdown(of)
    assert f"orders: {of.orders} · seed: 3" in text
    assert "Deficit, hm3: standard error" in text
    assert "Thiếu hụt, triệu m³: sai số chuẩn" in attribution_table.markdown(of, "vi")


def test_nine_clauses(write: Write) -> None:
    """Eight idle quotas and the cap: the whole change is the cap's, whatever the order."""
    idle = [WIDE | {"name": f"wide_{k}"} for k in range(8)]
    write("nine", [*idle[:4], CAP, *idle[4:]])
    of = attribute(["none", "nine"], most_orders=16)
    assert of.orders == 16
    assert of.solved < 2**9
    assert shares_of(of, "deficit", "north") == pytest.approx(
        {"cap": 4, "total": 4, **{rule["name"]: 0 for rule in idle}}, abs=1e-7
    )
    assert of.errors.max(axis=None) <= 1e-7


# --- what is a clause ---------------------------------------------------------------------------


def clauses(before: str, after: str, *together: list[str]) -> list[str]:
    pair = pair_of(read_case(before), read_case(after), together)
    return [clause.name for clause in pair.clauses]


MEET = {"meet": {}}
SPILL = {"minimise": "spill"}
ENERGY = {"maximise": "outflow"}
SOFT = DELTA | {"soft": {"goal": 2}}


@pytest.mark.parametrize(
    ("goals", "rules", "expected"),
    [
        # places that are filled otherwise, one for one
        ([[MEET, SPILL], [FARM_FIRST[0], ENERGY]], [[], []],
         ["goal 1 meet", "goal 2 maximise"]),
        # a goal that comes in, and one that goes
        ([[MEET, SPILL], [FARM_FIRST[0], MEET, SPILL]], [[], []], ["goal 1 meet"]),
        ([[MEET, SPILL, ENERGY], [MEET, ENERGY]], [[], []], ["goal 2 minimise"]),
        # two for one is one clause
        ([[MEET, ENERGY], [*FARM_FIRST[:1], SPILL, ENERGY]], [[], []], ["goal 1-2"]),
        # a goal that moves would else be there twice, or not at all
        ([[MEET, SPILL, ENERGY], [SPILL, ENERGY, MEET]], [[], []],
         ["goal 1 meet + goal 3 meet"]),
        # the place of a soft rule is counted over what shifts
        ([[MEET, SPILL], [FARM_FIRST[0], MEET, SPILL]], [[], [SOFT]], ["delta + goal 1 meet"]),
        ([[MEET, SPILL], [MEET, SPILL, ENERGY]], [[], [SOFT]], ["delta", "goal 3 maximise"]),
        ([[MEET, SPILL], [MEET, ENERGY]], [[], [SOFT]], ["delta", "goal 2 maximise"]),
        # so is that of one that both have, between two shifts
        ([[MEET, SPILL, ENERGY], [FARM_FIRST[0], MEET, *FARM_FIRST[:1], SPILL, ENERGY]],
         [[SOFT | {"soft": {"goal": 3}}]] * 2, ["goal 1 meet + goal 3 meet"]),
        # a price is counted in the goal at its place
        ([[MEET, SPILL], [MEET, ENERGY]], [[], [SOFT | {"soft": {"goal": 2, "penalty": 1.0}}]],
         ["delta + goal 2 maximise"]),
    ],
)  # fmt: skip
def test_edits_of_goals(
    write: Write, goals: list[Any], rules: list[Any], expected: list[str]
) -> None:
    for name, of, own in zip(("none", "other"), goals, rules, strict=True):
        write(name, own, of)
    assert clauses("none", "other") == expected


def test_goals_take_their_places(write: Write) -> None:
    write("none", [], [MEET, SPILL, ENERGY])
    write("other", [], [FARM_FIRST[0], MEET, SPILL, {"minimise": "cost"}])
    cases = read_case("none"), read_case("other")
    pair = pair_of(*cases)
    assert [clause.name for clause in pair.clauses] == ["goal 1 meet", "goal 4 minimise"]
    one, other = (pair.case_of([k]) for k in (0, 1))
    assert one.goals == (*cases[1].goals[:3], cases[0].goals[2])
    assert other.goals == (*cases[0].goals[:2], cases[1].goals[3])
    assert one.goal_positions[0] == cases[1].goal_positions[0]
    assert one.goal_positions[1:] == cases[0].goal_positions
    assert pair.case_of([]) is cases[0]
    assert pair.case_of([0, 1]) is cases[1]


def test_settings(write: Write) -> None:
    write("one", riverbed=2001, demand={"scale": {"industry": 2, "irrigation": 1.5}})
    write(
        "two",
        [DELTA],
        riverbed=2020,
        linearisation="fixed",
        integers=True,
        demand={"scale": {"irrigation": 2}},
        hydrology={"record": "dates", "scale": 0.5},
        changes={"links": {"upper": {"capacity_m3s": 5}}},
    )
    one, two = read_case("one"), read_case("two")
    pair = pair_of(one, two)
    names = [clause.name for clause in pair.clauses]
    assert names == [
        "changes + hydrology", "linearisation + integers", "riverbed", "demand.scale.industry",
        "demand.scale.irrigation", "delta",
    ]  # fmt: skip
    case = pair.case_of([0, 3])
    assert case.basin is two.basin
    assert case.inflow_scale == two.inflow_scale
    assert case.demand_scale == {"irrigation": 1.5}
    assert (case.riverbed, case.integers, case.rules) == (2001, False, ())
    case = pair.case_of([1, 4, 5])
    assert case.integers
    assert case.linearisation.passes == 1
    assert case.demand_scale == {"industry": 2, "irrigation": 2}
    assert case.rules == two.rules
    assert case.rule_positions == two.rule_positions
    said = {
        atom.label: atom.difference[2:] for clause in pair.clauses for atom in clause.atoms
    }  # fmt: skip
    assert said["riverbed"] == ("changed", "2001", "2020")
    assert said["demand.scale.industry"] == ("removed", "2", "")
    assert said["changes"][2] == "{links: {upper: {capacity_m3s: 5}}}"


def test_rules_stand_in_an_order_of_their_own(write: Write) -> None:
    """The same whichever case is the reference, so that ties are broken alike."""
    write("one", [WIDE, DELTA])
    write("two", [CAP, DELTA | {"flow_m3s": 1}])
    one, two = read_case("one"), read_case("two")
    forth, back = pair_of(one, two), pair_of(two, one)
    names = [clause.name for clause in forth.clauses]
    assert names == ["wide", "delta", "cap"]
    for size in (1, 2):
        for taken in combinations(range(3), size):
            left = {names[k] for k in range(3) if k not in taken}
            mirrored = [k for k, clause in enumerate(back.clauses) if clause.name in left]
            assert forth.case_of(taken).rules == back.case_of(mirrored).rules
    assert [rule.name for rule in forth.case_of([2]).rules] == ["cap", "wide", "delta"]


def test_names_of_clauses_are_no_other_columns(write: Write) -> None:
    write("odd", [CAP | {"name": "total"}, WIDE | {"name": "riverbed"}], riverbed=2020)
    assert clauses("none", "odd") == ["riverbed", "rule total", "rule riverbed"]
    assert shares_of(attribute(["none", "odd"]), "deficit", "north")["rule total"] == pytest.approx(
        4, abs=1e-7
    )


def test_clauses_that_are_named_go_together(write: Write) -> None:
    assert clauses("none", "three", ["delta", "cap"]) == ["demand.scale.industry", "delta + cap"]
    of = attribute(["none", "three"], together=[["delta", "cap"]])
    assert of.solved == 4
    # works: dc -4 and -3, h -5 and -4
    assert shares_of(of, "deficit", "south") == pytest.approx(
        {"demand.scale.industry": -4.5, "delta + cap": -3.5, "total": -8}, abs=1e-7
    )
    assert of.clauses["clause"].tolist() == ["demand.scale.industry", "delta + cap", "delta + cap"]
    assert "Taken as one: delta + cap" in attribution_table.markdown(of)


def test_a_pair_travels_to_another_process(write: Write) -> None:
    pair = pickle.loads(pickle.dumps(pair_of(read_case("none"), read_case("three"))))
    assert [rule.name for rule in pair.case_of([1]).rules] == ["delta"]


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cases", "options", "message"),
    [
        (["none"], {}, r"--why: E342 .* but none are named; name two"),
        (["none", "three", "more"], {}, r"--why: E342 .* but none, three, more are named"),
        (["none", "results/three"], {}, "results/three: E342 'three' is a result, whose clauses"),
        (["none", "three"], {"reference": "tree"}, "--reference: E303 .* did you mean 'three'"),
        (["none", "three"], {"together": [["delta", "cup"]]},
         "--together delta,cup: E303 'cup' is no clause that differs; did you mean 'cap'"),
        (["none", "long"], {}, "cases/long.yaml: E341 periods are 2"),
    ],
)  # fmt: skip
def test_faults_of_what_is_asked(
    write: Write, monkeypatch: pytest.MonkeyPatch, cases: list[str], options: Any, message: str
) -> None:
    write("more", [CAP])
    write("long", timeline={"start": "2001-01-01", "periods": 2, "step": "day"})
    job.run("three").write(Path("results/three"))
    monkeypatch.setattr(attribution.job, "run", never)
    with pytest.raises(InputError, match=message):
        attribute(cases, **options)


@pytest.mark.parametrize("jobs", [1, 2])
def test_clauses_that_cannot_be_met_together(write: Write, jobs: int) -> None:
    """11 cannot pass a reach of 5, which only a case between the two asks."""
    narrow = {"changes": {"links": {"upper": {"capacity_m3s": 5 * FLOW}}}}
    write("wide", [DELTA | {"flow_m3s": 11 * FLOW}])
    write("narrow", [DELTA | {"flow_m3s": 4 * FLOW}], **narrow)
    with pytest.raises(Infeasible) as raised:
        attribute(["wide", "narrow"], jobs=jobs)
    lines = str(raised.value).splitlines()
    assert lines[0].startswith(
        "case narrow: E343 no allocation meets changes as 'narrow' has it and delta as 'wide' "
        "has it, so the change cannot be divided; make one clause of those that only go together"
    )
    assert "E402" in "".join(lines[1:])
    if jobs > 1:
        return
    joined = attribute(["wide", "narrow"], together=[["changes", "delta"]])
    assert joined.solved == 2
    check_sums(joined)


def test_a_case_that_is_infeasible_itself(write: Write) -> None:
    write("dream", [DELTA | {"flow_m3s": 50 * FLOW}])
    with pytest.raises(Infeasible, match="E402") as raised:
        attribute(["none", "dream"])
    assert "E343" not in str(raised.value)


def test_clauses_that_make_no_case_together(write: Write) -> None:
    """A rule with decisions of yes or no needs the setting that allows them."""
    rule = {"rule": "hands_off_flow", "name": "hands_off", "at": "town", "flow_m3s": FLOW,
            "sectors": ["irrigation"], "by": "regulated"}  # fmt: skip
    write("decided", [rule], integers=True, linearisation="fixed")
    with pytest.raises(InputError) as raised:
        attribute(["none", "decided"])
    (fault,) = raised.value.faults
    assert (fault.code, fault.at.file) == ("E344", "cases/decided.yaml")
    assert fault.at.line > 0
    assert fault.text.startswith(
        "hands_off as 'decided' has it and linearisation + integers as 'none' has it make no case: "
        "rule 'hands_off' makes decisions of yes or no"
    )
    assert '--together "linearisation,integers"' in fault.text
    of = attribute(["none", "decided"], together=[["hands_off", "integers"]])
    assert of.names_of_clauses == ["linearisation + integers + hands_off"]


def test_soft_rules_are_checked_before_anything_is_solved(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price of a soft rule that both have is counted in a goal that `after` puts there."""
    write("one", [SOFT | {"soft": {"penalty": 1.0}}], [{"net_benefit": {}}])
    write("two", [], [MEET])
    monkeypatch.setattr(attribution.job, "run", never)
    question = attribution.read_question(["one", "two"])
    assert [clause.name for clause in question.pair.clauses] == ["delta + goal 1 meet"]
    write("two", [SOFT | {"soft": {"goal": 1}}], [MEET, SPILL])
    question = attribution.read_question(["one", "two"])
    assert [clause.name for clause in question.pair.clauses] == ["delta + goal 1-2"]


# --- tables and the command ---------------------------------------------------------------------


def command(*words: str) -> str:
    result = CliRunner().invoke(cli.app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


GOLDEN = {
    "en": """\
Which clause made the difference: from none to three
exact, combinations of clauses that were solved: 8 · members: 1 (2001-01)

Deficit, hm3: change
figure       demand.scale.industry   delta     cap   total
──────────────────────────────────────────────────────────
whole basin                 -4.500   0.000   0.500  -4.000
North                        0.000   1.000   3.000   4.000
South                       -4.500  -1.000  -2.500  -8.000
irrigation                   0.000   1.000   3.000   4.000
industry                    -4.500  -1.000  -2.500  -8.000
""",
    "vi": """\
Điều khoản nào tạo ra khác biệt: từ none đến three
tính chính xác, số tổ hợp điều khoản đã giải: 8 · kịch bản thủy văn: 1 (2001-01)

Thiếu hụt, triệu m³: thay đổi
Chỉ tiêu      demand.scale.industry   delta     cap    Tổng
───────────────────────────────────────────────────────────
toàn lưu vực                 -4.500   0.000   0.500  -4.000
Phía Bắc                      0.000   1.000   3.000   4.000
South                        -4.500  -1.000  -2.500  -8.000
Tưới                          0.000   1.000   3.000   4.000
industry                     -4.500  -1.000  -2.500  -8.000
""",
}


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_command_prints_and_writes(
    write: Write, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = command("compare", "none", "three", "--why", "--lang", lang)
    lines = [line.rstrip() for line in text.splitlines()]
    wanted = GOLDEN[lang].splitlines()
    start = lines.index(wanted[0])
    assert lines[start : start + len(wanted)] == wanted
    assert "attribution.csv, attribution.md)" in " ".join(text.split())
    folder = Path("results/comparison")
    table = pd.read_csv(folder / "attribution.csv", keep_default_na=False)
    of = attribute(["none", "three"])
    assert table["cap"].tolist() == pytest.approx(of.table["cap"].tolist(), abs=1e-9)
    assert set(table["reference"]) == {"none"}
    assert (folder / "attribution.md").read_text(encoding="utf-8") == attribution_table.markdown(
        of, lang
    )
    assert {path.name for path in Path("results").iterdir()} == {"none", "three", "comparison"}
    printed = "\n".join(lines[start:-3])
    for word in ("change", "figure", "total", "exact", "whole basin", "kept", "missed"):
        assert (word in printed) is (lang == "en"), word


def test_what_is_printed_fits_the_terminal(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (60, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        text = command("compare", "none", "three", "--why", "--together", "delta,cap")
        tables = text[text.index("Which clause") : text.index("results: ")]
        assert max(map(len, tables.splitlines())) <= 80
        assert "Taken as one: delta + cap" in tables


def test_faults_come_before_anything_is_run(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("more", [CAP])
    monkeypatch.setattr(job, "run", never)
    for words, message in (
        (["none", "three", "more", "--why"], "E342"),
        (["none", "three", "--why", "--together", "delta,cup"], "E303"),
        (["none", "three", "--together", "delta,cap"], "--why"),
        (["none", "three", "--orders", "50"], "--why"),
    ):
        result = CliRunner().invoke(cli.app, ["compare", *words])
        assert result.exit_code == 2, words
        assert message in result.output
    assert not Path("results").exists()


def test_the_table_is_plain_data(write: Write) -> None:
    of = attribute(["none", "three"])
    rows = json.loads(json.dumps(of.table.to_dict("records"), allow_nan=False))
    assert rows[0]["measure"] == "deficit"
    assert list(rows[0]) == [
        "reference", "policy", "measure", "scope", "name", "unit", "before", "after",
        "demand.scale.industry", "delta", "cap", "total",
    ]  # fmt: skip
    names = of.table.groupby("measure", sort=False).size()
    assert all(a != b for a, b in pairwise(names.index))
