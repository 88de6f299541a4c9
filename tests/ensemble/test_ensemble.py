"""An ensemble equals a run of all members, however it is cut up, ordered and summed up."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from tests.ensemble.river import assert_same, few, numbers, write_case
from wateralloc import Infeasible, InputError, Results, job, run_ensemble
from wateralloc.cli import app
from wateralloc.ensemble import Ensemble, run, store
from wateralloc.ensemble.store import block_size, differences, fingerprint
from wateralloc.ensemble.summary import pool_metrics
from wateralloc.foresight.perfect import make_reference
from wateralloc.seasonal import Seasonal


@pytest.fixture
def river(tmp_path: Path) -> Path:
    return write_case(tmp_path)


def solved(case: Any, folder: Path, **how: Any) -> Path:
    return run_ensemble(case, folder, **{"workers": 1, "block": 10, **how}).folder


# --- the same as a run --------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True])
def test_equals_a_run_of_all_members(river: Path, tmp_path: Path, own: bool) -> None:
    case = few(river, 5, own=own)
    results = Results.read(solved(case, tmp_path / "out", block=3))
    alone, together = job.run(case, ranges=False), results.dataset
    metrics = [name for name in together.data_vars if str(name).startswith("metric_")]
    xr.testing.assert_identical(together.drop_vars(metrics), alone.dataset)
    assert list(together["member"].values) == [member.name for member in case.members]
    table = alone.tables()["metrics"]
    pd.testing.assert_frame_equal(results.tables()["metrics"], table)
    assert together["metric_value"].values.ravel().tolist() == table["value"].tolist()
    for key in ("case", "title", "inputs", "resolved", "stages", "drift", "size", "certificate"):
        assert results.manifest[key] == alone.manifest[key], key


def test_blocks_change_nothing(river: Path, tmp_path: Path) -> None:
    case = few(river, 5)
    told: list[tuple[int, int]] = []
    whole = solved(case, tmp_path / "whole", block=5)
    in_pieces = solved(case, tmp_path / "2", block=2, progress=lambda *of: told.append(of))
    assert_same(whole, in_pieces)
    assert told == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_order_of_members_changes_nothing(river: Path, tmp_path: Path) -> None:
    case = few(river, 3)
    forwards = numbers(solved(case, tmp_path / "forwards", block=2))
    backwards = solved(case.with_members([2, 1, 0]), tmp_path / "backwards", block=2)
    by_member = numbers(backwards).sel(member=forwards["member"])
    for name, values in forwards.data_vars.items():
        if "member" in values.dims:
            assert values.equals(by_member[name]), name


def test_from_a_reference(river: Path, tmp_path: Path) -> None:
    """The same whatever blocks and order; near what a cold start gives, in fewer iterations."""
    case = few(river, 5)
    cold = solved(case, tmp_path / "cold", block=5)
    one = solved(case, tmp_path / "one", block=5, reference=True)
    other = solved(case.with_members([4, 3, 2, 1, 0]), tmp_path / "b", block=2, reference=True)
    found, turned = numbers(one), numbers(other).sel(member=numbers(one)["member"])
    assert found["withdrawal"].equals(turned["withdrawal"])
    assert found["drift"].equals(turned["drift"])
    manifests = [json.loads((f / "manifest.json").read_text()) for f in (cold, one, other)]
    assert manifests[0]["reference"] is None
    assert manifests[1]["reference"] == manifests[2]["reference"]
    assert manifests[1]["reference"]["member"] == min(m.name for m in case.members)
    # where optima are not unique it may be another one, never a worse one
    optima = numbers(cold)["stage_value"].values
    assert found["stage_value"].values == pytest.approx(optima, rel=1e-9, abs=1e-9)
    iterations = {folder: int(numbers(folder)["stage_iterations"].sum()) for folder in (cold, one)}
    assert iterations[one] < iterations[cold]
    with pytest.raises(InputError, match=r"E361 .* what members start from changed since"):
        solved(case, tmp_path / "cold", reference=True)


def test_reference_is_the_first_by_name_with_a_solution(tmp_path: Path) -> None:
    path = write_case(tmp_path, log=str(tmp_path / "log"), impossible=["1800-03"])
    case = few(path, 3).with_members([2, 0, 1])
    assert make_reference(case).member == "1801-03"
    assert pickle.loads(pickle.dumps(make_reference(case))).member == "1801-03"
    none = few(path, 1)
    with pytest.raises(Infeasible):
        make_reference(none)
    found = run_ensemble(case, tmp_path / "out", workers=1, block=3, reference=True)
    assert found.n_solved == 2


def test_only_perfect_foresight_has_a_reference(river: Path, tmp_path: Path) -> None:
    case = few(river, 2)
    case = replace(case, foresight=type(case.foresight).model_validate({"mode": "simulate"}))
    with pytest.raises(InputError, match="E367 foresight simulate starts each step"):
        solved(case, tmp_path / "out", reference=True)
    solved(case, tmp_path / "out")


def test_block_size() -> None:
    assert [block_size(n) for n in (1, 19, 40, 200, 1000)] == [1, 1, 2, 10, 10]


# --- members without a solution -----------------------------------------------------------------


def test_failed_member_is_told_and_stops_no_other(tmp_path: Path) -> None:
    path = write_case(tmp_path, log=str(tmp_path / "log"), impossible=["1801-03", "1803-03"])
    case = few(path, 4)
    found = run_ensemble(case, tmp_path / "out", workers=1, block=2)
    assert [failed["member"] for failed in found.failed] == ["1801-03", "1803-03"]
    assert all(failed["kind"] == "Infeasible" for failed in found.failed)
    assert "python.watched" in found.failed[0]["reason"]
    table = pd.read_csv(found.folder / "failed.csv")
    assert list(table["member"]) == ["1801-03", "1803-03"]
    others = case.with_members([0, 2])
    without = run_ensemble(others, tmp_path / "without", workers=1, block=2)
    xr.testing.assert_equal(numbers(found.folder), numbers(without.folder))
    assert not (without.folder / "failed.csv").exists()


def test_no_member_has_a_solution(tmp_path: Path) -> None:
    names = [f"180{k}-03" for k in range(3)]
    case = few(write_case(tmp_path, log=str(tmp_path / "log"), impossible=names), 3)
    with pytest.raises(Infeasible, match="none of 3 members has a solution; the first: E402"):
        run_ensemble(case, tmp_path / "out", workers=1)
    assert len(pd.read_csv(tmp_path / "out" / "failed.csv")) == 3


# --- resume -------------------------------------------------------------------------------------


class Stop(BaseException):
    """Stands for a process that is killed."""


def test_stopped_anywhere_it_goes_on(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = few(river, 6)
    whole = solved(case, tmp_path / "whole", block=2)
    steps: list[str] = []
    real = store.Store.place, store.write_whole

    def place(self: Any, name: str) -> None:
        real[0](self, name)
        after(f"place {name}")

    def write_whole(path: Path, content: bytes) -> None:
        real[1](path, content)
        after(f"write {path.name}")

    def after(step: str) -> None:
        if step not in steps:
            steps.append(step)
            raise Stop

    monkeypatch.setattr(store.Store, "place", place)
    monkeypatch.setattr(store, "write_whole", write_whole)
    monkeypatch.setattr(run, "write_whole", write_whole)
    for _ in range(20):
        try:
            solved(case, tmp_path / "broken", block=2)
            break
        except Stop:
            pass
    assert steps == [
        "write ensemble.json", "write 000000-000001.nc", "write 000002-000003.nc",
        "write 000004-000005.nc", "place metrics.csv", "place quantiles.csv",
        "place period_quantiles.csv", "place results.nc", "write manifest.json",
    ]  # fmt: skip
    assert_same(whole, tmp_path / "broken")
    left = {path.name for path in (tmp_path / "broken").iterdir()}
    assert left == {path.name for path in whole.iterdir()}


def test_finished_is_not_solved_again(tmp_path: Path) -> None:
    path = write_case(tmp_path, log=str(tmp_path / "log"))
    case = few(path, 4)
    first = solved(case, tmp_path / "out", block=2)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert log.splitlines() == ["1800-03,1801-03", "1802-03,1803-03"]
    manifest = (first / "manifest.json").read_bytes()
    solved(case, tmp_path / "out", block=2)
    assert (tmp_path / "log").read_text(encoding="utf-8") == log
    assert (first / "manifest.json").read_bytes() == manifest


def test_other_settings_are_not_mixed(river: Path, tmp_path: Path) -> None:
    case = few(river, 4)
    solved(case, tmp_path / "out")
    with pytest.raises(InputError, match="E361 holds members of another run: the members changed"):
        solved(few(river, 5), tmp_path / "out")
    other = replace(case, goals=case.goals[:-1])
    with pytest.raises(InputError, match=r"the settings changed since; .* --restart"):
        solved(other, tmp_path / "out")
    folder = solved(other, tmp_path / "out", restart=True)
    assert numbers(folder).sizes["goal"] == 2


def test_names_what_changed(river: Path) -> None:
    before = fingerprint(few(river, 2))
    now = json.loads(json.dumps(before))
    assert differences(before, now) == []
    now["inputs"]["basin/nodes.csv"] = "other"
    now["versions"]["numpy"] = "0"
    now["code"] = "other"
    assert differences(before, now) == [
        "the file basin/nodes.csv", "the version of numpy", "the code of wateralloc or of a rule",
    ]  # fmt: skip


def test_own_values_of_members_are_part_of_what_is_solved(river: Path) -> None:
    case = few(river, 2, own=True)
    inflow = {"inflow": {"spring": case.given["inflow"]["spring"] * 1.01}}
    changed = differences(fingerprint(case), fingerprint(replace(case, given=inflow)))
    assert changed == ["the members"]


def test_what_is_withdrawn_upstream_is_part_of_what_is_solved(river: Path) -> None:
    case = few(river, 2)
    less = replace(case, upstream_withdrawal={"spring": Seasonal.model_validate(1.5)})
    assert differences(fingerprint(case), fingerprint(less)) == ["the settings"]


def test_other_folders_are_left_alone(river: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="E109 is not empty and not an ensemble"):
        solved(few(river, 2), tmp_path / "mine")
    with pytest.raises(InputError, match="E102 is a file"):
        solved(few(river, 2), tmp_path / "mine" / "thesis.txt")


def test_folder_in_use(river: Path, tmp_path: Path) -> None:
    case = few(river, 2)
    with (
        store.Store.opened(tmp_path / "out", case),
        pytest.raises(InputError, match="E362 is in use by another run"),
    ):
        solved(case, tmp_path / "out")
    solved(case, tmp_path / "out")


def test_damaged_block_is_told(
    river: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = few(river, 4)
    monkeypatch.setattr(run, "_finish", lambda *_: None)
    folder = tmp_path / "out"
    run.solve_all([(case, folder)], 1, None, 2)
    (folder / "blocks" / "000000-000001.nc").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"000000-000001\.nc: E108 is damaged .* remove it"):
        run.solve_all([(case, folder)], 1, None, 2)


def test_two_stage_joins_members(river: Path, tmp_path: Path) -> None:
    case = few(river, 2)
    keys = {"mode": "two_stage", "two_stage": {"decisions": {"withdrawal": "all"}}}
    case = replace(case, foresight=type(case.foresight).model_validate(keys))
    with pytest.raises(InputError, match="E360 foresight two_stage joins all members"):
        solved(case, tmp_path / "out")


# --- summaries ----------------------------------------------------------------------------------


def test_pooled_metrics_by_hand() -> None:
    """Two members of four periods: A is short in 2 of 4 (recovers from 1), B in none.

    Demand 40 each; A gets 30: volume reliability 70 / 80; time reliability 6 / 8; resilience
    1 / 2, that of the only short periods; a year in two without a shortage.
    """
    of_member = {
        "demand_hm3": (40.0, 40.0), "withdrawal_hm3": (30.0, 40.0), "deficit_hm3": (10.0, 0.0),
        "volume_reliability": (0.75, 1.0), "time_reliability": (0.5, 1.0),
        "resilience": (0.5, 1.0), "vulnerability_hm3": (6.0, 0.0),
        "worst_deficit_hm3": (6.0, 0.0), "longest_failure_periods": (1.0, 0.0),
        "least_served_region": (0.7, 1.0),
    }  # fmt: skip
    n = len(of_member)
    metrics = xr.Dataset({
        "metric_scope": ("metric", np.array(["sector"] * n, object)),
        "metric_name": ("metric", np.array(["rice"] * n, object)),
        "metric_metric": ("metric", np.array(list(of_member), object)),
        "metric_value": (("member", "metric"), np.array(list(of_member.values())).T),
    })  # fmt: skip
    pooled = pool_metrics(metrics)
    assert set(pooled["member"]) == {"all"}
    assert dict(zip(pooled["metric"], pooled["value"], strict=True)) == {
        "demand_hm3": 40.0, "withdrawal_hm3": 35.0, "deficit_hm3": 5.0,
        "volume_reliability": 0.875, "time_reliability": 0.75, "member_reliability": 0.5,
        "resilience": 0.5, "vulnerability_hm3": 6.0, "worst_deficit_hm3": 6.0,
        "longest_failure_periods": 1.0, "least_served_region": 0.7,
    }  # fmt: skip


def test_pooled_indices_by_hand() -> None:
    """As above, with 20 of 40 asked in the short periods of A; B never short.

    The region has 60 and 20 to draw on; its two users have 0.4 and 0.6, in another order in B.
    """
    of_item = {
        ("region", "north"): {
            "withdrawal_hm3": (30.0, 40.0), "deficit_hm3": (10.0, 0.0),
            "time_reliability": (0.5, 1.0), "resilience": (0.5, 1.0),
            "vulnerability_mean_share": (0.5, 0.0), "sustainability_product": (0.125, 1.0),
            "sustainability_geometric": (0.5, 1.0), "shortage_index": (6.25, 0.0),
            "availability_hm3": (60.0, 20.0), "withdrawal_to_availability": (0.5, 2.0),
            "highest_withdrawal_to_availability": (0.5, 2.0),
        },
        ("leximin_demand", "1"): {"satisfaction": (0.4, 0.6)},
    }  # fmt: skip
    rows = [(*item, name, v) for item, of in of_item.items() for name, v in of.items()]
    words = np.array([row[:3] for row in rows], object)
    metrics = xr.Dataset({
        **{f"metric_{w}": ("metric", words[:, k])
           for k, w in enumerate(("scope", "name", "metric"))},
        "metric_value": (("member", "metric"), np.array([row[3] for row in rows]).T),
    })  # fmt: skip
    pooled = pool_metrics(metrics).set_index(["scope", "name", "metric"])["value"].sort_index()
    north = pooled["region", "north"]
    # 6 of 8 periods, 1 of 2 short ones, 10 of 20 hm3 in them
    assert north["vulnerability_mean_share"] == pytest.approx(0.5)
    assert north["sustainability_product"] == pytest.approx(0.75 * 0.5 * 0.5)
    assert north["sustainability_geometric"] == pytest.approx((0.75 * 0.5 * 0.5) ** (1 / 3))
    assert north["shortage_index"] == pytest.approx(3.125)
    assert north["withdrawal_to_availability"] == pytest.approx(70 / 80)
    assert north["highest_withdrawal_to_availability"] == 2.0
    assert pooled["leximin_demand", "1", "satisfaction"] == pytest.approx(0.5)


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    folder = tmp_path_factory.mktemp("thirty")
    return run_ensemble(few(write_case(folder, 30), 30), folder / "out", workers=1, block=15)


def test_pooled_reliability_counts_all_periods(thirty: Ensemble) -> None:
    """Against the deficits themselves, laid end to end."""
    found = thirty
    dataset = numbers(found.folder)
    fields = dataset["sector"].values == "irrigation"
    asked = dataset["demand_volume"].values[:, :, fields].sum(axis=2)
    given = dataset["withdrawal"].values[:, :, fields].sum(axis=2)
    short = asked - given > 1e-6 * asked
    assert 0 < short.mean() < 1
    of_fields = found.metrics.query("scope == 'sector' and name == 'irrigation'")
    value = of_fields.set_index("metric")["value"]
    assert value["time_reliability"] == pytest.approx(1 - short.mean())
    assert value["member_reliability"] == pytest.approx(1 - short.any(axis=1).mean())
    assert value["volume_reliability"] == pytest.approx(given.sum() / asked.sum())
    recovered = (short[:, :-1] & ~short[:, 1:]).sum()
    assert value["resilience"] == pytest.approx(recovered / short.sum())


def test_pooled_sustainability_is_that_of_one_long_record(thirty: Ensemble) -> None:
    """Against the parts, counted in the deficits of all members laid end to end."""
    dataset = numbers(thirty.folder)
    fields = dataset["sector"].values == "irrigation"
    asked = dataset["demand_volume"].values[:, :, fields].sum(axis=2)
    missing = asked - dataset["withdrawal"].values[:, :, fields].sum(axis=2)
    short = missing > 1e-6 * asked
    recovered = (short[:, :-1] & ~short[:, 1:]).sum() / short.sum()
    depth = missing[short].sum() / asked[short].sum()
    value = thirty.metrics.query("scope == 'sector' and name == 'irrigation'")
    value = value.set_index("metric")["value"]
    assert value["vulnerability_mean_share"] == pytest.approx(depth, rel=1e-6)
    product = (1 - short.mean()) * recovered * (1 - depth)
    assert product > 0
    assert value["sustainability_product"] == pytest.approx(product, rel=1e-6)


def test_quantiles_among_members(thirty: Ensemble) -> None:
    found = thirty
    dataset = numbers(found.folder)
    fields = dataset["sector"].values == "irrigation"
    deficit = dataset["deficit"].values[:, :, fields].sum(axis=2)
    row = found.quantiles.query(
        "scope == 'sector' and name == 'irrigation' and metric == 'deficit_hm3'"
    ).iloc[0]
    total = deficit.sum(axis=1)
    assert row["mean"] == pytest.approx(total.mean())
    assert row["q90"] == pytest.approx(np.quantile(total, 0.9))
    assert (row["min"], row["max"]) == (pytest.approx(total.min()), pytest.approx(total.max()))
    periods = pd.read_csv(found.folder / "period_quantiles.csv")
    of_fields = periods.query("scope == 'sector' and name == 'irrigation'")
    assert list(of_fields["period_start"]) == ["2001-03-01", "2001-04-01", "2001-05-01"]
    assert of_fields["q50"].to_numpy() == pytest.approx(np.quantile(deficit, 0.5, axis=0))
    lake = periods.query("quantity == 'storage_end_hm3' and name == 'lake'")
    storage = dataset["storage_end"].sel(reservoir="lake").values
    assert lake["q10"].to_numpy() == pytest.approx(np.quantile(storage, 0.1, axis=0))


# --- commands -----------------------------------------------------------------------------------


def command(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def small(folder: Path, **watch: Any) -> Path:
    """The case of the river with four members, as a file."""
    path = write_case(folder, **watch)
    years = "[1800-03, 1801-03, 1802-03, 1803-03]"
    text = path.read_text(encoding="utf-8").replace("members: all", f"years: {years}")
    path.write_text(text, encoding="utf-8")
    return path


def test_ensemble_command(tmp_path: Path) -> None:
    path, out = small(tmp_path), tmp_path / "out"
    text = command("ensemble", path, "--workers", 1, "--block", 4, "--out", out)
    assert "members: 4 · solved: 4 · periods: 3" in text
    assert "irrigation" in text
    assert "members never short" in text
    text = command("ensemble", path, "--workers", 1, "--block", 4, "--out", out, "--lang", "vi")
    assert "kịch bản không thiếu nước" in text
    assert "irrigation" in command("table", out, "--rows", "sector", "--value", "deficit")
    text = command("ensemble", path, "--set", "demand.scale={irrigation: 2}", "--out", out, code=2)
    assert "E361" in text
    assert "the case changed since" in text


def test_ensemble_command_tells_what_failed(tmp_path: Path) -> None:
    path = small(tmp_path, log=str(tmp_path / "log"), impossible=["1801-03"])
    text = command("ensemble", path, "--workers", 1, "--block", 4, "--out", tmp_path / "out")
    assert "without a solution: 1/4" in text
    assert "member 1801-03" in text
