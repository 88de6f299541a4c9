"""The tree basin beside Pywr: its independent answer, and smoke runs of the ways; no times."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from benchmarks import harness, pywr, pywr_2
from benchmarks.pywr_basin import TreeBasin, describe, make_case, simulate
from benchmarks.pywr_ours import found
from wateralloc.foresight import solve

TINY = pywr.Size(12, 20, 3, runs=1)
OURS = pywr.WAYS[:1]
HAVE_PYWR = all(pywr.python_of(version).is_file() for version in (1, 2))


def by_linear_programs(basin: TreeBasin) -> tuple[np.ndarray, np.ndarray]:
    """Allocate by one linear program a day and scenario, written out by hand: what Pywr solves."""
    n, users, lakes = basin.n_nodes, basin.users, basin.reservoirs
    n_columns = n + users.size + lakes.size  # flow below each node, delivered, stored
    column = np.arange(n_columns)
    rows = np.concatenate([np.arange(n), users, lakes, basin.parent[1:]])
    columns = np.concatenate([column, np.arange(1, n)])
    matrix = sp.csr_matrix((np.r_[np.ones(n_columns), -np.ones(n - 1)], (rows, columns)))
    cost = -np.concatenate([np.zeros(n), basin.worth, basin.worth_kept])
    delivered = np.empty((users.size, basin.n_days, basin.n_members))
    stored = np.empty((lakes.size, basin.n_days, basin.n_members))
    for k in range(basin.n_members):
        storage = basin.initial
        for t in range(basin.n_days):
            most = np.r_[np.full(n, np.inf), basin.demand[:, basin.month[t]], basin.capacity]
            water = basin.inflow[:, t, k].copy()
            water[lakes] += storage
            bounds = np.column_stack([np.zeros(n_columns), most])
            best = linprog(cost, A_eq=matrix, b_eq=water, bounds=bounds)
            assert best.status == 0
            delivered[:, t, k] = best.x[n : n + users.size]
            storage = stored[:, t, k] = best.x[n + users.size :]
    return delivered, stored


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dearest_first_is_the_optimum_of_every_day(seed: int) -> None:
    basin = TreeBasin(20, 30, 2, seed)
    for greedy, best in zip(simulate(basin), by_linear_programs(basin), strict=True):
        np.testing.assert_allclose(greedy, best, atol=1e-7)


def test_water_is_short_and_lakes_are_neither_full_nor_empty_throughout() -> None:
    basin = TreeBasin(50, 365, 2)
    delivered, stored = simulate(basin)
    satisfaction = delivered.sum() / (basin.demand[:, basin.month].sum() * basin.n_members)
    assert 0.4 < satisfaction < 0.95
    share = stored / basin.capacity[:, None, None]
    assert (share > 1e-6).mean() > 0.2
    assert (share < 1 - 1e-6).mean() > 0.2


def test_no_two_worths_are_alike() -> None:
    basin = TreeBasin(1000, 1)
    worth = np.sort(np.concatenate([basin.worth, basin.worth_kept]))
    assert np.diff(worth).min() > 1e-3  # well above the tolerances of all solvers
    assert basin.worth.min() > basin.worth_kept.max()


def test_the_first_days_of_a_longer_basin_are_the_shorter_one() -> None:
    longer, shorter = TreeBasin(10, 50, 2), TreeBasin(10, 7, 2)
    np.testing.assert_array_equal(longer.inflow[:, :7], shorter.inflow)


def test_our_case_delivers_and_stores_the_same(tmp_path: Path) -> None:
    basin = TreeBasin(12, 40, 3)
    ours = found(solve(make_case(basin, tmp_path)), basin)
    delivered, stored = simulate(basin)
    np.testing.assert_allclose(ours["delivered"], delivered, atol=1e-7)
    np.testing.assert_allclose(ours["stored"], stored, atol=1e-7)


def test_schema_of_pywr_2_names_every_edge_and_metric() -> None:
    basin = TreeBasin(12, 5, 2)
    schema = pywr_2.schema(describe(basin), Path("inflow.h5"), 2)
    network = schema["network"]
    names = {node["meta"]["name"] for node in network["nodes"]}
    assert len(names) == len(network["nodes"]) == 1 + 2 * basin.n_nodes + basin.users.size
    ends = {edge[end] for edge in network["edges"] for end in ("from_node", "to_node")}
    assert ends == names
    kept = {metric["name"] for set_ in network["metric_sets"] for metric in set_["metrics"]}
    assert kept < names
    assert len(kept) == basin.users.size + basin.reservoirs.size
    cost = {n["meta"]["name"]: n["cost"]["value"] for n in network["nodes"] if "cost" in n}
    assert cost["user_n3"] == -basin.worth[1]
    assert cost["n5"] == -basin.worth_kept[1]


def test_scenarios_run_in_two_halves_and_agree(tmp_path: Path) -> None:
    basin = TINY.basin
    pywr.lay_out(basin, tmp_path)
    assert pywr.difference(OURS[0], basin, tmp_path) <= pywr.SAME
    halves = [pywr.load(path)["delivered"] for path in sorted(tmp_path.glob("wateralloc_?.npz"))]
    assert [half.shape for half in halves] == [(4, 20, 1), (4, 20, 2)]


@pytest.mark.skipif(not HAVE_PYWR, reason="the environments with Pywr are made by the benchmark")
def test_every_way_agrees_and_is_recorded(tmp_path: Path) -> None:
    ways = pywr.WAYS[:3]
    path = harness.write("pywr", pywr.run(False, (TINY,), ways), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["versions"] == {"pywr_1": "1.31.1", "pywr_2": "2.0.0b6"}
    for size in record["sizes"]:
        assert size["agree"]
        assert set(size["largest_difference_hm3"]) == {way.name for way in ways}
        for figures in ("setup_s", "run_s", "us_per_step_and_scenario", "node_steps_per_s"):
            assert all(of_way["median"] > 0 for of_way in size[figures].values())
    assert [(t["name"], t["at_most"]) for t in record["targets"]] == [
        ("time, to Pywr 1", 0.5),
        ("time, to Pywr 2", 1.0),
    ]


@pytest.mark.parametrize(
    ("n_nodes", "n_members", "at_most"), [(10, 1, 1.0), (100, 1, 1 / 1.5), (10, 10, 0.5)]
)
def test_targets_by_size(n_nodes: int, n_members: int, at_most: float) -> None:
    ratio = {name: {"of_medians": 0.6} for name in ("pywr_1", "pywr_2", "pywr_2_highs")}
    size = {"n_nodes": n_nodes, "n_scenarios": n_members, "label": "x", "time_to_pywr": ratio}
    first, *others = pywr.targets([size])
    assert (first["at_most"], first["passed"]) == (at_most, at_most > 0.6)
    assert [t["name"] for t in others] == ["time, to Pywr 2"] * (n_members > 1)


def test_ways_that_do_not_agree_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pywr, "difference", lambda *_: 2e-6)
    monkeypatch.setattr(pywr, "race", lambda *_: {"setup_s": 1.0, "run_s": 1.0, "cpu_s": 1.0})
    with pytest.raises(RuntimeError, match=r"differ from the greedy order by .*2\.0e-06"):
        pywr.run(False, (TINY,), OURS)


def test_a_way_that_fails_says_why(tmp_path: Path) -> None:
    class Broken(pywr.Way):
        @property
        def command(self) -> list[str]:
            return [sys.executable, "-c", "raise ValueError('no water')"]

    pywr.lay_out(TINY.basin, tmp_path)
    broken = Broken("broken", None, {}, in_halves=False)
    with pytest.raises(RuntimeError, match="broken ended with exit code 1: ValueError: no water"):
        pywr.race(broken, TINY.basin, tmp_path)


def test_large_runs_are_compared_on_their_first_days() -> None:
    assert pywr.Size(10, 3652, 100, runs=1).checked_days == 3652
    assert 0 < pywr.Size(1000, 365, 100, runs=1).checked_days < 365
