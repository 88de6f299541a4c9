"""Every row of the table of examples that is no network, by the pure functions.

``tests/analytic/sharing_examples.md`` says where the table comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from wateralloc import metrics
from wateralloc.sharing import agreements, claims, games, river

TABLE = Path(__file__).resolve().parents[1] / "analytic" / "sharing_examples.csv"
ALL = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
Answer = dict[str, float]


def rows_of(example: str, rule: str) -> pd.DataFrame:
    return ALL[(ALL["example_id"] == example) & (ALL["rule"] == rule)]


def column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].astype(float).to_numpy()


# --- P: one estate ------------------------------------------------------------------------------


def one_estate(rows: pd.DataFrame, share: Callable[..., np.ndarray], **more: object) -> Answer:
    (estate,) = set(column(rows, "estate"))
    return dict(zip(rows["claimant"], share(estate, column(rows, "claim"), **more), strict=True))


def priority(inner: str) -> Callable[[pd.DataFrame], Answer]:
    return lambda rows: one_estate(
        rows, claims.priority, classes=column(rows, "priority_class"), rule=inner
    )


def weighted(rule: str) -> Callable[[pd.DataFrame], Answer]:
    return lambda rows: one_estate(rows, claims.WEIGHTED[rule], weights=column(rows, "weight"))


def plain(rule: str) -> Callable[[pd.DataFrame], Answer]:
    return lambda rows: one_estate(rows, claims.RULES[rule])


# --- R: a river ---------------------------------------------------------------------------------

BENEFITS = [
    [(2, 4.0), (np.inf, 1.0)],
    [(2, 6.0), (np.inf, 2.0)],
    [(3, 8.0), (np.inf, 3.0)],
]


def line(rows: pd.DataFrame) -> river.River:
    return river.River.line(*rows["claimant"])


def sequential(rule: str) -> Callable[[pd.DataFrame], Answer]:
    def answer(rows: pd.DataFrame) -> Answer:
        found = river.sequential(line(rows), column(rows, "estate"), column(rows, "claim"), rule)
        return dict(zip(rows["claimant"], found, strict=True))

    return answer


def river_benefits(rows: pd.DataFrame) -> list[river.Benefit]:
    """R01: each unit up to the claim is worth 1.  R02: as its source says."""
    if set(rows["example_id"]) == {"R02"}:
        return BENEFITS
    return [[(claim, 1.0)] for claim in column(rows, "claim")]


def on_river(divide: Callable[..., np.ndarray]) -> Callable[[pd.DataFrame], Answer]:
    def answer(rows: pd.DataFrame) -> Answer:
        value = river.river_value(line(rows), column(rows, "estate"), river_benefits(rows))
        return dict(zip(rows["claimant"], divide(line(rows), value), strict=True))

    return answer


# --- G and R02: games ---------------------------------------------------------------------------


@cache
def game_of(example: str) -> games.Game:
    if example == "R02":
        inflow = [6, 1, 1]
        return games.river_game(river.River.line("1", "2", "3"), inflow, BENEFITS)
    rows = ALL[(ALL["example_id"] == example) & ALL["rule"].str.startswith("coalition_")]
    values = dict(zip(rows["claimant"], column(rows, "award"), strict=True))
    players = [name for name in values if "+" not in name]
    return games.Game.from_values(players, values, is_cost="coalition_cost" in set(rows["rule"]))


def coalition(rows: pd.DataFrame) -> Answer:
    game = game_of(rows["example_id"].iloc[0])
    return {name: game(name.split("+")) for name in rows["claimant"]}


def division(divide: Callable[[games.Game], Answer]) -> Callable[[pd.DataFrame], Answer]:
    return lambda rows: divide(game_of(rows["example_id"].iloc[0]))


# --- K: agreements ------------------------------------------------------------------------------


def by_row(answer: Callable[[pd.Series], float]) -> Callable[[pd.DataFrame], list[float]]:
    return lambda rows: [answer(row) for _, row in rows.iterrows()]


def tajo(row: pd.Series) -> float:
    inflow, month = re.fullmatch(r"inflow12m=(\d+);month=(\w+)", row["claimant"]).groups()
    assert month == "May"
    # any reference within the published range of months: 600 is below it, 900 above
    reference = max(agreements.TAJO_SEGURA_REFERENCE.data)
    return agreements.tajo_segura_2021(float(row["claim"]), float(inflow), reference)


def rolling(row: pd.Series) -> float:
    total, years = agreements.COLORADO_1922.data
    assert row["claim"] == f"{total:g} per {years} years"
    return agreements.rolling_minimum([68.2 / 9] * (years - 1), total)


def indus(row: pd.Series) -> float:
    base = agreements.INDUS_1991.data["base"]
    volume = sum(base.values()) + float(row["claim"])
    return agreements.indus_1991(volume)[row["claimant"]] - base[row["claimant"]]


def pfes(row: pd.Series) -> float:
    amount, unit = row["claim"].split(" ", 1)
    paid = {
        ("hydropower", "GWh"): lambda a: agreements.pfes_vietnam(hydropower_kwh=a * 1e6),
        ("clean water", "million m3"): lambda a: agreements.pfes_vietnam(clean_water_m3=a * 1e6),
    }[row["claimant"], unit](float(amount))
    return paid[row["claimant"].replace(" ", "_")] / 1e9


def capacity(row: pd.Series) -> float:
    assert row["claim"] == "K=100; shares 0.6/0.4; start 50/38; inflow 10"
    step = agreements.capacity_step([50, 38], 10, [8, 10], 100, [0.6, 0.4])
    owner = int(row["claimant"][1]) - 1
    return (step.filled if "after inflow" in row["claimant"] else step.storage)[owner]


# --- M: metrics ---------------------------------------------------------------------------------

DEMAND = xr.DataArray(np.full(10, 10.0), dims="time")
SUPPLY = xr.DataArray(np.array([10, 10, 8, 6, 10, 10, 5, 10, 10, 10], float), dims="time")
SHORT = metrics.is_short(DEMAND, SUPPLY)
CLAIMS = xr.DataArray(np.array([60.0, 40.0, 80.0]), dims="user")
SERVED = metrics.satisfaction(CLAIMS, xr.DataArray(np.array([30.0, 30.0, 60.0]), dims="user"))
PARTS = (
    metrics.time_reliability(SHORT),
    metrics.resilience(SHORT),
    metrics.mean_shortage_ratio(DEMAND, SUPPLY, SHORT),
)
METRICS = {
    "reliability_time": PARTS[0],
    "reliability_volume": metrics.volume_reliability(DEMAND, SUPPLY),
    "resilience": PARTS[1],
    "vulnerability_event_mean_max": metrics.vulnerability(DEMAND - SUPPLY, SHORT),
    "vulnerability_ratio": PARTS[2],
    "vulnerability_max_ratio": metrics.worst_period((DEMAND - SUPPLY) / DEMAND, SHORT),
    "sustainability_product": metrics.sustainability_product(*PARTS),
    "sustainability_geometric": metrics.sustainability_geometric(*PARTS),
    "hec_shortage_index": metrics.hec_shortage_index(DEMAND, SUPPLY),
    "gini": metrics.gini(SERVED, xr.ones_like(SERVED), "user"),
    "gini_claim_weighted": metrics.gini(SERVED, CLAIMS, "user"),
    "jain": metrics.jain(SERVED, "user"),
    "theil": metrics.theil(SERVED, "user"),
    "atkinson_1": metrics.atkinson(SERVED, "user"),
    "hoover": metrics.hoover(SERVED, "user"),
    "gap": metrics.gap(SERVED, "user"),
    "min_ratio": SERVED.min("user"),
}


# --- all ----------------------------------------------------------------------------------------

ANSWERS: dict[str, Callable[[pd.DataFrame], Answer | list[float]]] = {
    **{rule: plain(rule) for rule in claims.RULES},
    **{f"weighted_{rule}": weighted(rule) for rule in claims.WEIGHTED},
    **{f"priority_then_{rule}": priority(rule) for rule in ("proportional", "cea", "cel")},
    **{f"sequential_{r}": sequential(r) for r in ("proportional", "cea", "cel", "talmud")},
    "downstream_incremental": on_river(river.downstream_incremental),
    "upstream_incremental": on_river(river.upstream_incremental),
    "average_tree": on_river(river.average_tree),
    "coalition_value": coalition,
    "coalition_cost": coalition,
    "shapley": division(games.shapley),
    "nucleolus": division(games.nucleolus),
    "equal_nonseparable": division(games.equal_nonseparable),
    "equal_surplus": division(games.equal_surplus),
    "tau_value": division(games.tau_value),
    "ganges_1996_annexure_I": by_row(
        lambda row: agreements.ganges_1996(float(row["claim"]))[row["claimant"]]
    ),
    "rio_grande_otowi_1948": by_row(lambda row: agreements.rio_grande_1948(float(row["claim"]))),
    "tajo_segura_2021": by_row(tajo),
    "rolling_sum_minimum": by_row(rolling),
    "mead_2007_tier_1": by_row(
        lambda row: agreements.mead_2007(float(row["claim"]))[row["claimant"]]
    ),
    "nile_1959": by_row(lambda row: agreements.nile_1959(float(row["claim"]))[row["claimant"]]),
    "indus_accord_1991_surplus": by_row(indus),
    "vietnam_pfes": by_row(pfes),
    "euphrates_1989_split": by_row(
        lambda row: agreements.euphrates_1989(float(row["claim"]))[row["claimant"]]
    ),
    "capacity_sharing_step": by_row(capacity),
    **{
        f"metric_{name}": by_row(lambda row, value=value: float(value))
        for name, value in METRICS.items()
    },
}
TWICE = {"scrb_gately": (division(games.separable_costs), division(games.gately))}
"""Rows that two functions must give."""


def examples() -> Iterator[tuple[str, str]]:
    for example, rule in dict.fromkeys(zip(ALL["example_id"], ALL["rule"], strict=True)):
        if not example.startswith("N"):
            yield example, rule


@pytest.mark.parametrize(("example", "rule"), list(examples()))
def test_example(example: str, rule: str) -> None:
    rows = rows_of(example, rule)
    for answer in TWICE.get(rule) or (ANSWERS[rule],):
        found = answer(rows)
        amounts = [found[k] for k in rows["claimant"]] if isinstance(found, dict) else found
        assert amounts == pytest.approx(column(rows, "award").tolist(), abs=1e-6, rel=0), rule


@pytest.mark.parametrize(
    ("example", "rule"), [one for one in examples() if rows_of(*one)["award_exact"].all()]
)
def test_example_to_the_last_digits(example: str, rule: str) -> None:
    """Exact answers are met to rounding, not to six digits: nothing is searched for."""
    rows = rows_of(example, rule)
    exact = [float(Fraction(text)) for text in rows["award_exact"]]
    for answer in TWICE.get(rule) or (ANSWERS[rule],):
        found = answer(rows)
        amounts = [found[k] for k in rows["claimant"]] if isinstance(found, dict) else found
        assert amounts == pytest.approx(exact, rel=1e-12, abs=1e-12), rule


def test_nothing_but_networks_is_left_out() -> None:
    tested = sum(len(rows_of(*example)) for example in examples())
    left_out = ALL[ALL["example_id"].str.startswith("N")]
    assert set(left_out["example_id"]) == {"N01", "N02", "N03", "N04", "N05"}
    assert left_out["rule"].str.startswith("network_").all()
    assert (tested, len(left_out), len(ALL)) == (622, 72, 694)
    assert set(ALL["rule"]) - set(left_out["rule"]) == set(ANSWERS) | set(TWICE)
