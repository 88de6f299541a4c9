"""The family of cases of the pilot: what they share, in what they differ, which order must hold.

The runs are of two dry years, in months and one pass, so that they take seconds.  An order holds
because of the goals: what a case makes least before all else no other case of the same physics can
make less.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import wateralloc
from docs import pilot
from wateralloc import Case, read_case
from wateralloc.rules.python import Python

CASES = Path(__file__).parents[2] / "cases" / "pilot"
FILES = sorted(path.relative_to(CASES).as_posix() for path in CASES.rglob("*.yaml"))
MECHANISMS = [name.removesuffix(".yaml") for name in FILES if "/" not in name]
VARIANTS = {"works": {"works"}, "demand_2023": {"demand"}}
OWN = {"name", "title", "description"}
FOOD = ("irrigation", "livestock_other", "aquaculture")
NORTH, DELTA = "northern_midlands_mountains", "red_river_delta"
DRY_MONTHS = (11, 12, 1, 2, 3, 4, 5)
SHORT = {
    "timeline.step": "month",
    "timeline.periods": "12",
    "hydrology.years": "[2004-06, 2009-06]",
    "linearisation": "fixed",
}
SAME = 1e-3
"""What two runs may differ in by rounding [hm3, of a year]."""
MOST_VALUED = "quota_trade"
"""The case that asks users to take less, whatever there is."""


def read(name: str) -> Case:
    return read_case(CASES / name)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {name: read(name) for name in FILES}


@dataclass(frozen=True)
class Run:
    """What came of a mechanism in the short runs."""

    dataset: xr.Dataset

    def deficit(self, region: str = "", sectors: tuple[str, ...] = ()) -> np.ndarray:
        """Deficit of a group [hm3] (member)."""
        return self._sum("deficit", region, sectors).to_numpy()

    def dry_season(self, region: str) -> np.ndarray:
        """Satisfaction of a region beyond domestic supply, in the dry season (member)."""
        sectors = (*FOOD, "industry")
        asked, given = (
            self._sum(quantity, region, sectors, DRY_MONTHS)
            for quantity in ("demand_volume", "withdrawal")
        )
        return (given / asked).to_numpy()

    def _sum(
        self, quantity: str, region: str, sectors: tuple[str, ...], months: tuple[int, ...] = ()
    ) -> pd.Series:
        dataset = self.dataset
        users = np.ones(dataset.sizes["demand"], bool)
        if region:
            users &= dataset["region"].values == region
        if sectors:
            users &= np.isin(dataset["sector"].values, sectors)
        inside = np.isin(pd.DatetimeIndex(dataset["time"].values).month, months or range(1, 13))
        of_group = dataset[quantity].isel(demand=users, time=inside)
        return of_group.sum(["time", "demand"]).to_pandas()

    @property
    def energy(self) -> np.ndarray:
        return self.dataset["energy"].sum(["time", "plant"]).to_numpy()


class Runs(dict[str, Run]):
    """Short runs by name of the file, each made when it is first asked for."""

    def __missing__(self, name: str) -> Run:
        made = Run(wateralloc.run(CASES / f"{name}.yaml", changes=SHORT).dataset)
        self[name] = made
        return made


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


# --- files ------------------------------------------------------------------------------------


def test_family_has_every_mechanism_of_the_page_in_every_variant():
    assert set(MECHANISMS) == set(pilot.MECHANISMS)
    for folder in VARIANTS:
        assert {f"{folder}/{name}.yaml" for name in MECHANISMS} <= set(FILES)
    assert len(FILES) == len(MECHANISMS) * (1 + len(VARIANTS))


def test_cases_share_physics_and_years(cases):
    base = cases["none.yaml"]
    assert base.n_members == 21
    assert (base.n_periods, base.riverbed, base.linearisation.passes) == (36, 2020, 15)
    for case in cases.values():
        assert case.members == base.members
        assert case.riverbed == base.riverbed
        assert np.array_equal(case.timeline.edges, base.timeline.edges)
        gates = case.rules[0]
        assert isinstance(gates, Python)
        assert gates.file.resolve() == CASES / "delta_gates.py"
        assert gates.model_dump(exclude={"file"}) == base.rules[0].model_dump(exclude={"file"})
        assert case.linearisation == base.linearisation


def test_names_and_titles(cases):
    names = [case.name for case in cases.values()]
    assert len(set(names)) == len(names)
    for field in ("en", "vi"):
        titles = [case.title[field] for case in cases.values()]
        assert all(titles)
        assert len(set(titles)) == len(titles)
    for name in MECHANISMS:
        assert cases[f"{name}.yaml"].name == name
        assert cases[f"{name}.yaml"].description
        for folder in VARIANTS:
            assert cases[f"{folder}/{name}.yaml"].name == f"{name}_{folder}"


@pytest.mark.parametrize("folder", VARIANTS)
def test_variants_differ_from_their_mechanism_in_one_key(cases, folder):
    def asked(name: str) -> dict[str, Any]:
        return {k: v for k, v in cases[name].resolved.items() if k not in OWN}

    for name in MECHANISMS:
        mechanism, variant = asked(f"{name}.yaml"), asked(f"{folder}/{name}.yaml")
        keys = mechanism.keys() | variant.keys()
        different = {k for k in keys if mechanism.get(k) != variant.get(k)}
        assert different == VARIANTS[folder], name


def test_mechanisms_differ_in_rules_and_goals_alone(cases):
    asked = {name: cases[f"{name}.yaml"].resolved for name in MECHANISMS}
    for name in MECHANISMS:
        keys = asked[name].keys() | asked["none"].keys()
        different = {k for k in keys if asked[name].get(k) != asked["none"].get(k)}
        assert different - OWN <= {"rules", "goals"}, name
    told = [repr((case["rules"], case["goals"])) for case in asked.values()]
    assert len(set(told)) == len(told)


def test_what_each_mechanism_says(cases):
    rules = {n: [r.kind for r in cases[f"{n}.yaml"].rules[1:]] for n in MECHANISMS}
    assert rules["none"] == rules["delta_first"] == rules["headwater_first"] == []
    assert rules["decision_740"] == [
        *["minimum_delivery"] * 3,
        *["reservoir_levels"] * 3,
        "minimum_level",
    ]
    assert rules["share_of_flow"] == ["share_of_flow"]
    assert rules["fixed_plus_surplus"] == ["fixed_plus_surplus", "cumulative_delivery"]
    assert rules["quota_trade"] == ["entitlement"]
    assert rules["guaranteed_headwater"] == ["upstream_guarantee"]
    thetas = {
        name: next(g.theta for g in cases[f"claims_{name}.yaml"].goals if g.kind == "share")
        for name in ("equal_losses", "talmud", "equal_awards")
    }
    assert thetas == {"equal_losses": 0.0, "talmud": 0.5, "equal_awards": 1.0}
    for case in cases.values():
        kinds = [goal.kind for goal in case.goals]
        assert kinds[-3:] == ["minimise", "minimise", "maximise"], "ends in what is left free"
        if case.name.removesuffix("_works").removesuffix("_demand_2023") != "none":
            assert case.goals[0].sectors == ("domestic",), "the law: domestic supply first"


def test_bundled_cases_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_case("none").name == "none"
    assert read_case("pilot/works/none").name == "none_works"


# --- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MECHANISMS)
def test_each_mechanism_solves(runs, name):
    assert runs[name].deficit().size == 2


def test_delta_first_serves_the_fields_of_the_delta_as_well_as_any(runs):
    best = runs["delta_first"].deficit(DELTA, FOOD)
    for name in set(MECHANISMS) - {"none"}:
        assert (best <= runs[name].deficit(DELTA, FOOD) + SAME).all(), name


def test_headwater_first_serves_the_fields_of_the_mountains_as_well_as_any(runs):
    best = runs["headwater_first"].deficit(NORTH, FOOD)
    for name in set(MECHANISMS) - {"none"}:
        assert (best <= runs[name].deficit(NORTH, FOOD) + SAME).all(), name


def test_domestic_supply_comes_first_in_all_but_none(runs):
    least = runs["delta_first"].deficit(sectors=("domestic",))
    for name in set(MECHANISMS) - {"none"}:
        assert runs[name].deficit(sectors=("domestic",)) == pytest.approx(least, abs=SAME), name


def test_none_leaves_the_delta_what_power_leaves(runs):
    """The dams give the most energy there is beside the mountains; rules and users take from it."""
    for name in set(MECHANISMS) - {MOST_VALUED}:
        assert (runs[name].energy <= runs["none"].energy * (1 + 1e-4)).all(), name
    for name in ("delta_first", "headwater_first", "shortage_by_region", "decision_740"):
        assert (runs[name].deficit(DELTA) < runs["none"].deficit(DELTA)).all(), name


def test_leximin_by_region_leaves_no_region_worse_than_any_other_mechanism(runs):
    def worse_off(name: str) -> np.ndarray:
        return np.minimum(runs[name].dry_season(NORTH), runs[name].dry_season(DELTA))

    best = worse_off("shortage_by_region")
    for name in set(MECHANISMS) - {"none"}:
        assert (worse_off(name) <= best + 1e-6).all(), name


def test_guarantee_of_the_headwater_helps_the_mountains(runs):
    with_it, without = (
        runs[name].deficit(NORTH) for name in ("guaranteed_headwater", "delta_first")
    )
    assert (with_it <= without + SAME).all()
    assert with_it.sum() < without.sum()


def test_talmud_gives_equal_losses_where_less_than_half_is_short(runs):
    """Beyond half of each claim the Talmud rule shares losses: so does theta 0 from the start."""
    for region in (NORTH, DELTA):
        talmud, losses = (
            runs[f"claims_{rule}"].deficit(region) for rule in ("talmud", "equal_losses")
        )
        assert talmud == pytest.approx(losses, rel=0.1, abs=10)


def test_transfer_is_closed_unless_a_case_opens_it_and_never_costs_the_first_goals(runs):
    def carried(name: str) -> np.ndarray:
        return runs[name].dataset["flow_in"].sel(link="lo_cau_transfer").sum("time").to_numpy()

    assert (carried("headwater_first") == 0).all()
    assert carried("works/headwater_first").sum() > 0
    without, with_it = (
        runs[name].deficit(NORTH, FOOD) for name in ("headwater_first", "works/headwater_first")
    )
    assert (with_it <= without + SAME).all()
    assert with_it.sum() < without.sum()


# --- page ---------------------------------------------------------------------------------------


def test_page_is_in_step_with_its_inputs():
    text = pilot.PAGE.read_text(encoding="utf-8")
    assert f"nputs `{pilot.digest_of_inputs()}`" in text, "docs/pilot.md: make pilot"
    for figure in re.findall(r"pilot_\w+\.svg", text):
        assert (pilot.HERE / figure).is_file()
