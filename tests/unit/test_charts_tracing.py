"""Water traced to its source: closes on any basin, and is right by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.everything import everything
from tests.properties.basins import read, rivers
from tests.properties.physics import physical_basin
from tests.small import at_fixed_lines, inflow, make_case
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.report.charts.tracing import LOSS, OTHER, SEA, STORAGE, STORED, Traced, trace
from wateralloc.results import collect

GOALS = [{"meet": {}}, {"minimise": "spill"}]
CLOSE = 1e-5
"""What the results round away, over all nodes and periods [hm3]."""


def dataset_of(case: Any) -> xr.Dataset:
    return collect(solve_perfect(at_fixed_lines(case))).dataset


def with_sub_basins(basin: dict[str, Any]) -> dict[str, Any]:
    """Nodes in three sub-basins, and some in none."""
    names = ("west", "", "east", "delta")
    nodes = [node | {"sub_basin": names[k % 4]} for k, node in enumerate(basin["nodes"])]
    return basin | {"nodes": nodes}


def volume(traced: Traced, source: str, use: str) -> np.ndarray:
    """Volumes (member) from a source to a use."""
    return traced.volumes[:, traced.sources.index(source), traced.uses.index(use)]


def of_source(traced: Traced, source: str) -> np.ndarray:
    return traced.volumes[:, traced.sources.index(source)].sum(axis=1)


def of_use(traced: Traced, use: str) -> np.ndarray:
    return traced.volumes[:, :, traced.uses.index(use)].sum(axis=1)


def check(dataset: xr.Dataset, periods: np.ndarray) -> Traced:
    """Each source adds up to what entered, each use to what it took, and nothing is negative."""
    traced = trace(dataset, periods)
    assert traced.volumes.min() >= -CLOSE
    at = dataset.isel(time=np.flatnonzero(periods))

    def total(name: str, mask: Any = slice(None)) -> np.ndarray:
        return at[name].values[:, :, mask].sum(axis=(1, 2))

    def more(start: str, end: str) -> np.ndarray:
        return total(end) - total(start) if end in at else np.zeros(at.sizes["member"])

    basins = at["node_sub_basin"].values.astype(str)
    for name in set(basins):
        inflow = total("balance_inflow", basins == name)
        np.testing.assert_allclose(of_source(traced, name), inflow, atol=CLOSE)
    sectors = at["sector"].values.astype(str)
    for name in set(sectors):
        used = total("consumption", sectors == name)
        np.testing.assert_allclose(of_use(traced, name), used, atol=CLOSE)
    leaves = at["link_to"].values == "outside"
    np.testing.assert_allclose(of_use(traced, SEA), total("flow_in", leaves), atol=CLOSE)
    stored = (
        more("balance_storage_start", "balance_storage_end")
        + more("in_transit_start", "in_transit")
        + more("return_in_transit_start", "return_in_transit_end")
    )
    np.testing.assert_allclose(
        of_use(traced, STORED) - of_source(traced, STORAGE), stored, atol=CLOSE
    )
    # what is left is lost, net of what is gained
    sums = traced.volumes.sum(axis=(1, 2))
    entered = total("balance_inflow") + of_source(traced, STORAGE) + of_source(traced, OTHER)
    np.testing.assert_allclose(sums, entered, atol=CLOSE)
    return traced


def check_seasons(dataset: xr.Dataset, in_first: np.ndarray) -> None:
    """The horizon closes, and two parts of it, whose uses add up."""
    whole = check(dataset, np.ones(in_first.size, bool))
    parts = [check(dataset, mask) for mask in (in_first, ~in_first)]
    for use in (SEA, *set(dataset["sector"].values.astype(str))):
        of_parts = sum(of_use(part, use) for part in parts)
        np.testing.assert_allclose(of_parts, of_use(whole, use), atol=CLOSE)


@given(river=rivers(), seed=st.integers(0, 2**16))
@settings(max_examples=8)
def test_rivers_close(river: dict[str, Any], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(read(folder, with_sub_basins(river), GOALS))
    check_seasons(dataset, np.random.default_rng(seed).random(dataset.sizes["time"]) < 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_basins_with_all_physics_close(tmp_path: Path, seed: int) -> None:
    """Aquifers, works, splits, tunnels, seepage, rain, lags, and users whose water returns."""
    dataset = dataset_of(make_case(tmp_path, **with_sub_basins(physical_basin(seed))))
    check_seasons(dataset, np.arange(dataset.sizes["time"]) % 3 == 0)


def test_basin_with_all_parts_closes(tmp_path: Path) -> None:
    """Several sources of a demand, too."""
    dataset = dataset_of(everything(tmp_path))
    assert "drawn" in dataset
    check_seasons(dataset, np.arange(6) < 3)


def chain(folder: Path, **changes: Any) -> xr.Dataset:
    """``a -> b -> sea``: 10 hm3 a day enter at a, 5 at b, where a user takes 4 and uses up 1.

    What the user returns goes up to a.
    """
    basin: dict[str, Any] = {
        "periods": 2,
        "goals": [{"meet": {}}],
        "nodes": [
            {"name": "a", "kind": "inflow", "sub_basin": "upper"},
            {"name": "b", "kind": "inflow", "sub_basin": "lower"},
            {"name": "sea", "kind": "sink"},
        ],
        "links": [
            {"name": "river", "from": "a", "to": "b", "kind": "reach"},
            {"name": "mouth", "from": "b", "to": "sea", "kind": "reach"},
        ],
        "demands": [
            {
                "name": "town",
                "node": "b",
                "sector": "domestic",
                "demand_hm3_day": 4,
                "consumption_fraction": 0.25,
                "return_to": "a",
            }
        ],
        "series": inflow(a=[10, 10], b=[5, 5]),
    }
    return dataset_of(make_case(folder, **(basin | changes)))


def without_users(folder: Path, **river: Any) -> xr.Dataset:
    """The chain without its user, and with a river of another kind."""
    links = [
        {"name": "river", "from": "a", "to": "b", "kind": "reach", **river},
        {"name": "mouth", "from": "b", "to": "sea", "kind": "reach"},
    ]
    town = [{"name": "town", "node": "b", "sector": "domestic", "demand_hm3_day": 0}]
    return chain(folder, links=links, demands=town)


def test_loop_by_hand(tmp_path: Path) -> None:
    """Let f be the share of the upper water at b: (10 + 3 f) of it come with 18 in all, so
    f = 2/3, whatever takes the water there; 1 is used up and 14 reach the sea each day."""
    traced = trace(chain(tmp_path), np.ones(2, bool))
    assert (traced.sources, traced.uses) == (
        ("upper", "lower", "", STORAGE, OTHER),
        ("domestic", SEA, LOSS, STORED),
    )
    expected = {
        ("upper", "domestic"): 2 / 3, ("lower", "domestic"): 1 / 3,
        ("upper", SEA): 28 / 3, ("lower", SEA): 14 / 3,
    }  # fmt: skip
    for (source, use), daily in expected.items():
        assert volume(traced, source, use) == pytest.approx(2 * daily, abs=1e-9)
    assert traced.volumes.sum() == pytest.approx(30, abs=1e-9)
    one_day = trace(chain(tmp_path / "again"), np.array([True, False]))
    np.testing.assert_allclose(one_day.volumes * 2, traced.volumes, atol=1e-9)


def test_losses_are_of_the_water_that_flows(tmp_path: Path) -> None:
    """Half of what leaves a is lost: 5 of 10 come to b, where half the water is from above."""
    traced = trace(without_users(tmp_path, loss_fraction=0.5), np.ones(2, bool))
    assert volume(traced, "upper", LOSS) == pytest.approx(10)
    assert volume(traced, "upper", SEA) == pytest.approx(10)
    assert volume(traced, "lower", SEA) == pytest.approx(10)
    assert volume(traced, "lower", LOSS) == pytest.approx(0)


def test_water_under_way_is_in_store(tmp_path: Path) -> None:
    """With a day of lag, and 2 hm3 a day before the horizon: of 10 that enter, 8 more are kept."""
    dataset = without_users(tmp_path, lag_periods=1, initial_hm3_day=2)
    first, second = (trace(dataset, np.arange(2) == k) for k in range(2))
    assert volume(first, "upper", STORED) == pytest.approx(8)
    assert volume(first, "upper", SEA) == pytest.approx(2)
    assert volume(first, "lower", SEA) == pytest.approx(5)
    assert of_use(second, STORED) == pytest.approx(0)
    assert volume(second, "upper", SEA) == pytest.approx(10)
