"""Awards of the outside collection by the linear program: single stocks, and rivers N01 to N05."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from tests.small import inflow, make_case, solve
from wateralloc.case import Case

EXAMPLES = Path(__file__).parent / "sharing_examples.csv"
WITHIN = 1e-6


def examples(first: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Rows of each example and rule whose id starts with a letter."""
    with EXAMPLES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["example_id"].startswith(first):
            found[row["example_id"], row["rule"]].append(row)
    return dict(found)


def stock(folder: Path, estate: float, users: list[dict[str, Any]], **share: Any) -> Case:
    """One node, one day: its inflow is the estate, annual demands are claims times 365."""
    return make_case(
        folder,
        periods=1,
        goals=[{"share": {"among": "demand", "window": "horizon", **share}}],
        nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
        demands=[{"node": "river", "sector": "irrigation", **user} for user in users],
        series=inflow(river=[estate]),
    )


STOCKS = examples("P")


@pytest.mark.parametrize(("example", "rule"), STOCKS)
def test_single_stock(tmp_path: Path, example: str, rule: str) -> None:
    rows = STOCKS[example, rule]
    keys: dict[str, Any] = {"rule": rule}
    if rule.startswith("weighted_"):
        keys["rule"] = rule.removeprefix("weighted_")
        weights = {row["claimant"]: float(row["weight"]) for row in rows}
        keys["loss_weights" if keys["rule"] == "cel" else "weights"] = weights
    if rule.startswith("priority_then_"):
        keys = {"rule": rule.removeprefix("priority_then_"), "classes": "priority"}
    users = [
        {
            "name": row["claimant"],
            "annual_hm3": float(row["claim"]) * 365,
            "priority": int(row["priority_class"] or 1),
        }
        for row in rows
    ]
    _, values = solve(stock(tmp_path, float(rows[0]["estate"]), users, **keys))
    awards = {row["claimant"]: float(row["award"]) for row in rows}
    got = {name: values["withdrawal"][name][0] for name in awards}
    assert got == pytest.approx(awards, abs=WITHIN)


# --- on a river ---------------------------------------------------------------------------------


def river(number: str) -> dict[str, Any]:
    """Networks of the collection: arrows are reaches, spill to the sea is free."""
    h, d = {"name": "H", "kind": "inflow"}, {"name": "D", "kind": "inflow"}
    sea = {"name": "sea", "kind": "sink"}
    spills = [
        {"name": "mouth", "from": "D", "to": "sea", "kind": "reach"},
        {"name": "waste", "from": "H", "to": "sea", "kind": "reach"},
    ]
    down = {"name": "down", "from": "H", "to": "D", "kind": "reach"}
    basin: dict[str, Any] = {"nodes": [h, d, sea], "links": [down, *spills], "periods": 1}

    def users(**at: tuple[str, Any]) -> dict[str, Any]:
        asked = {name: volumes for name, (_, volumes) in at.items()}
        demands = [{"name": n, "node": node, "sector": "irrigation"} for n, (node, _) in at.items()]
        dates = inflow(x=next(iter(asked.values())))["inflow_hm3_day"]["date"]
        return {
            "demands": demands,
            "series": {"demand_hm3_day": {"date": dates, **asked}},
        }

    match number:
        case "N01":
            m = {"name": "M", "kind": "inflow"}
            basin["nodes"] = [h, m, d, sea]
            basin["links"] = [
                {"name": "upper", "from": "H", "to": "M", "kind": "reach"},
                {"name": "lower", "from": "M", "to": "D", "kind": "reach"},
                *spills,
            ]
            basin |= users(A=("H", [60]), B=("M", [40]), C=("D", [80]))
            flows = inflow(H=[30], M=[90], D=[0])
        case "N02":
            h["kind"] = "reservoir"
            head = {"name": "head", "kind": "inflow"}
            basin["nodes"] = [head, h, d, sea]
            feeder = {"name": "feeder", "from": "head", "to": "H", "kind": "reach"}
            basin["links"] = [feeder, *basin["links"]]
            basin["reservoirs"] = [
                {"name": "H", "dead_hm3": 0, "normal_hm3": 20, "initial_hm3": 0, "target_hm3": 0}
            ]
            basin |= {"periods": 2} | users(U=("H", [10, 30]), D=("D", [20, 40]))
            flows = inflow(head=[60, 10], D=[0, 10])
        case "N03":
            down["loss_fraction"] = 0.2
            basin |= users(A=("H", [80]), C=("D", [80]))
            flows = inflow(H=[100], D=[0])
        case "N04":
            basin |= users(A=("H", [80]), C=("D", [80]))
            basin["demands"][0] |= {"consumption_fraction": 0.7, "return_to": "D"}
            flows = inflow(H=[100], D=[0])
        case _:
            down |= {"kind": "canal", "capacity_hm3_day": 45}
            basin |= users(A=("H", [70]), B=("D", [60]), C=("D", [30]))
            flows = inflow(H=[100], D=[10])
    basin["series"] |= flows
    return basin


RIVERS = examples("N")


@pytest.mark.parametrize(("example", "rule"), RIVERS)
def test_river(tmp_path: Path, example: str, rule: str) -> None:
    name = rule.removeprefix("network_")
    goal = {"share": {"among": "demand", "window": "horizon", "rule": name}}
    solution, values = solve(make_case(tmp_path, goals=[goal], **river(example)))
    rows = RIVERS[example, rule]
    awards = {row["claimant"]: float(row["award"]) for row in rows}
    got = {user: sum(values["withdrawal"][user]) for user in awards}
    assert got == pytest.approx(awards, abs=WITHIN)
    # the estate is the greatest total; losses and returns alone make a rule do without some of it
    ((_, shared),) = solution.records[0]
    most = float(rows[0]["estate"])
    assert shared.most == pytest.approx(most)
    assert shared.volume_price == pytest.approx(1 - sum(awards.values()) / most, abs=1e-9)
    assert (shared.volume_price < 1e-9) == (example not in ("N03", "N04"))


def test_the_page_on_sharing_has_the_awards_of_the_river() -> None:
    page = Path(__file__).parents[2] / "docs" / "sharing.md"
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    example = next(line for line in lines if line.startswith("<!-- river:")).split()[2]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in takewhile(bool, lines)]
    assert len(table) > 2
    for rule, *awards in table[2:]:
        known = RIVERS[example, f"network_{rule.strip('`')}"]
        assert table[0][1:] == [f"{row['claimant']} ({row['claim']})" for row in known]
        assert awards == [f"{round(float(row['award']), 2):g}" for row in known]


def test_every_example_of_a_stock_or_a_river_is_solved() -> None:
    assert len(STOCKS) == 166
    assert len(RIVERS) == 30


# --- tiers, floors, classes ---------------------------------------------------------------------

TWO_REGIONS = [
    ("headwater", "domestic", 10),
    ("headwater", "irrigation", 30),
    ("headwater", "industry", 20),
    ("delta", "domestic", 30),
    ("delta", "irrigation", 80),
    ("delta", "industry", 30),
]
"""Claims of two regions and three sectors on a stock of 120 (section A6.2 of the collection)."""


@pytest.mark.parametrize(
    ("rule", "two_tiers", "one_stage"),
    [
        ("proportional", (6, 18, 12, 18, 48, 18), (6, 18, 12, 18, 48, 18)),
        ("cea", (10, 30, 20, 20, 20, 20), (10, 22.5, 20, 22.5, 22.5, 22.5)),
        ("cel", (0, 15, 5, 50 / 3, 200 / 3, 50 / 3), (0, 16, 6, 16, 66, 16)),
        ("talmud", (5, 15, 10, 15, 60, 15), (5, 15, 10, 15, 60, 15)),
    ],
)
def test_regions_first_then_sectors_within(
    tmp_path: Path, rule: str, two_tiers: tuple[float, ...], one_stage: tuple[float, ...]
) -> None:
    users = [
        {"name": f"{r}_{s}", "region": r, "sector": s, "annual_hm3": c * 365}
        for r, s, c in TWO_REGIONS
    ]
    for among, awards in ((["region", "sector"], two_tiers), ("demand", one_stage)):
        folder = tmp_path / str(len(among))
        _, values = solve(stock(folder, 120, users, among=among, rule=rule))
        got = [value[0] for value in values["withdrawal"].values()]
        assert got == pytest.approx(awards, abs=WITHIN)
