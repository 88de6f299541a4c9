"""Policies side by side: figures by hand, what is run and what is read, what differs."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from ruamel.yaml import YAML

import wateralloc
from tests.basins import write_basin
from tests.small import days, inflow, make_case
from wateralloc import compare, job
from wateralloc.case import read_case
from wateralloc.comparison import Comparison
from wateralloc.comparison.differences import Difference, differences
from wateralloc.comparison.figures import _storage
from wateralloc.errors import CaseError, Fault, Infeasible, InputError, Position
from wateralloc.report import compare_table
from wateralloc.results import Results

FARM_FIRST = [{"meet": {"demands": ["farm"]}}, {"meet": {}}]
FLOW = 4e6 / 86400
"""4 hm3 a day [m3/s]."""
DELIVERY = {"rule": "minimum_delivery", "name": "delta", "at": "head", "flow_m3s": FLOW}

Write = Callable[..., None]


def river(folder: Path, inflow: list[float], **changes: Any) -> None:
    """``head -> town -> sea``: a farm at the head, a works at the town; each asks 10 hm3 a day."""
    users = [("farm", "head", "north", "upland", "irrigation", 2),
             ("works", "town", "south", "lowland", "industry", 5)]  # fmt: skip
    write_basin(
        folder,
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
            {"name": "upper", "from": "head", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        **{
            "demands": [
                {
                    "name": name, "node": node, "region": region, "province": province,
                    "sector": sector, "demand_hm3_day": 10, "consumption_fraction": 1,
                    "value_vnd_m3": value,
                }
                for name, node, region, province, sector, value in users
            ],
            "series": {"inflow_hm3_day": {"date": days(len(inflow)), "head": inflow}},
        }
        | changes,
    )  # fmt: skip


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a case into ``cases/`` of a study with the river, in three days: 6, 4 and 30 hm3."""
    river(tmp_path / "basin", [6, 4, 30])
    (tmp_path / "cases").mkdir()
    monkeypatch.chdir(tmp_path)

    def write_case(file: str, rules: Any = (), goals: Any = FARM_FIRST, **more: Any) -> None:
        text = {
            "schema": 1,
            "title": {"en": f"The {file}", "vi": f"Cơ chế {file}"},
            "basin": "../basin",
            "timeline": {"start": "2001-01-01", "periods": 3, "step": "day"},
            "hydrology": {"record": "dates"},
            "rules": [dict(rule) for rule in rules],
            "goals": list(goals),
            **more,
        }
        with Path(f"cases/{file}.yaml").open("w", encoding="utf-8") as stream:
            YAML().dump(text, stream)

    write_case("none")
    write_case("delta", [DELIVERY])
    return write_case


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("no case may be solved")


def value_of(
    of: Comparison, policy: str, measure: str, name: str = "all", column: str = "mean"
) -> Any:
    rows = of.figures
    here = (rows["policy"] == policy) & (rows["measure"] == measure) & (rows["name"] == name)
    (value,) = rows.loc[here, column]
    return value


# --- figures ------------------------------------------------------------------------------------


def test_figures_by_hand(write: Write) -> None:
    """The farm takes 6, 4, 10 and leaves 0, 0, 20; when 4 must pass it takes 2, 0, 10.

    So the works gets 0, 0, 10, then 4, 4, 10.
    """
    of = compare(["delta", "none"], kept=[f"head:{FLOW:.9f}", "head:1@01-03..01-03"])
    assert of.reference == "none"
    assert list(of.policies.index) == ["delta", "none"]
    assert of.policies["title_vi"].tolist() == ["Cơ chế delta", "Cơ chế none"]
    assert of.members == ("2001-01",)
    by_hand = {
        ("none", "deficit"): (30, 10, 20),
        ("delta", "deficit"): (30, 18, 12),
        ("none", "satisfaction"): (1 / 2, 2 / 3, 1 / 3),
        ("delta", "satisfaction"): (1 / 2, 12 / 30, 18 / 30),
        ("none", "time_reliability"): (1 / 3, 1 / 3, 1 / 3),
        ("none", "value"): (90, 40, 50),
        ("delta", "value"): (114, 24, 90),
    }
    for (policy, measure), numbers in by_hand.items():
        for name, number in zip(("all", "north", "south"), numbers, strict=True):
            assert value_of(of, policy, measure, name) == pytest.approx(number, abs=1e-7)
        assert value_of(of, policy, measure, "north/irrigation" if measure not in (
            "value",
        ) else "irrigation") == pytest.approx(numbers[1], abs=1e-7)  # fmt: skip
    for measure, north, south in (("deficit", 8, -8), ("value", -16, 40)):
        assert value_of(of, "delta", measure, "north", "change") == pytest.approx(north, abs=1e-7)
        assert value_of(of, "delta", measure, "south", "change") == pytest.approx(south, abs=1e-7)
        assert value_of(of, "none", measure, "north", "change") == 0
    kept = f"head:{FLOW:.9f}"
    assert value_of(of, "none", "kept", kept) == pytest.approx(1 / 3)
    assert value_of(of, "none", "missed", kept) == pytest.approx(8, abs=1e-6)
    assert value_of(of, "delta", "kept", kept) == 1
    assert value_of(of, "none", "kept", "head:1@01-03..01-03") == 1
    worst = "worst_province_satisfaction"
    assert value_of(of, "none", worst, column="mean_of") == "lowland"
    assert value_of(of, "none", worst) == pytest.approx(1 / 3)
    assert value_of(of, "delta", worst, column="worst_of") == "upland"
    assert set(of.figures.loc[of.figures["measure"] == "deficit", "unit"]) == {"hm3"}
    table = of.table()
    assert list(table.index) == ["delta", "none"]
    assert table.loc["delta", "change.region.north.deficit_hm3"] == pytest.approx(8, abs=1e-7)
    assert table.loc["none", "worst_province"] == "lowland"
    assert "region_sector.south/industry.time_reliability" in table
    assert not [column for column in table if column.startswith("energy")]


def two_years(folder: Path) -> None:
    """Another year of the record, in whose first days 10 hm3 come."""
    river(folder, [6, 4, 30, *[0.0] * 362, *[10.0] * 3, *[0.0] * 362])


def test_mean_and_worst_member(write: Write, tmp_path: Path) -> None:
    """In the second year the farm takes all: it lacks 0, the works 30."""
    two_years(tmp_path / "basin")
    changes = {"hydrology": "{record: historic, members: all}"}
    of = compare(["none", "delta"], changes=changes)
    assert of.members == ("2001-01", "2002-01")
    assert value_of(of, "none", "deficit") == pytest.approx(30, abs=1e-7)
    assert value_of(of, "none", "deficit", "north") == pytest.approx(5, abs=1e-7)
    assert value_of(of, "none", "satisfaction", "north") == pytest.approx(50 / 60)
    assert value_of(of, "none", "deficit", "north", "worst") == pytest.approx(10, abs=1e-7)
    assert value_of(of, "none", "deficit", "north", "worst_member") == "2001-01"
    assert value_of(of, "none", "satisfaction", "south", "worst") == 0
    assert value_of(of, "none", "satisfaction", "south", "worst_member") == "2002-01"
    worst = "worst_province_satisfaction"
    assert value_of(of, "none", worst) == pytest.approx(10 / 60)
    assert value_of(of, "none", worst, column="worst") == 0
    # 4 of the 10 must pass: the farm takes 2, 0, 10 and 6, 6, 6
    assert value_of(of, "delta", "deficit", "north") == pytest.approx((18 + 12) / 2, abs=1e-7)
    rows = of.by_member[of.by_member["measure"] == "deficit"]
    here = rows[(rows["policy"] == "none") & (rows["name"] == "south")]
    assert dict(zip(here["member"], here["value"], strict=True)) == pytest.approx(
        {"2001-01": 20, "2002-01": 30}, abs=1e-7
    )
    one = compare(["none", "delta"], changes=changes, members=["2002-01"])
    assert one.members == ("2002-01",)
    assert not one.policies["solved"].any()
    assert value_of(one, "none", "deficit", "south") == pytest.approx(30, abs=1e-7)
    titles = [table.title for table in compare_table.tables(of)]
    assert "Worst member" in titles
    assert "Worst member" not in [table.title for table in compare_table.tables(one)]


def test_storage_on_a_day_lies_on_the_line_between_ends_of_periods() -> None:
    """Two months and two members: 10 -> 41 -> 13, and 0 -> 0 -> 28: 1 hm3 a day."""
    starts = np.array(["2001-01-01", "2001-02-01", "2001-03-01"], "datetime64[ns]")
    dataset = xr.Dataset(
        {
            "storage_start": (("member", "time", "reservoir"), [[[10.0], [41.0]], [[0.0], [0.0]]]),
            "storage_end": (("member", "time", "reservoir"), [[[41.0], [13.0]], [[0.0], [28.0]]]),
            "time_bnds": (("time", "bnds"), np.stack([starts[:-1], starts[1:]], axis=1)),
        },
        {"reservoir": ["lake"], "member": ["a", "b"]},
    )
    found = {
        (figure.measure, figure.name): figure.values.tolist()
        for figure in _storage(dataset, ["01-01", "01-11", "02-01", "02-02", "03-01", "07-01"])
    }
    expected = {"01-01": [10, 0], "01-11": [20, 0], "02-01": [41, 0], "02-02": [40, 1],
                "03-01": [13, 28]}  # fmt: skip
    for date, numbers in expected.items():
        for name in ("lake", "all"):
            assert found[f"storage_on_{date}", name] == pytest.approx(numbers)
    assert len(found) == 2 * len(expected)


def test_energy_and_prices_are_those_of_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over two years an energy is a mean per year; of two prices of sharing the larger is shown."""
    case = make_case(
        tmp_path,
        periods=2,
        goals=[{"maximise": "energy"}],
        nodes=[{"name": "lake", "kind": "reservoir"}, {"name": "sea", "kind": "sink"}],
        links=[{"name": "outlet", "from": "lake", "to": "sea", "kind": "turbine"}],
        reservoirs=[
            {"name": "lake", "dead_hm3": 0, "normal_hm3": 10, "initial_hm3": 4, "target_hm3": 0}
        ],
        hydropower=[
            {"plant": "mill", "link": "outlet", "capacity_mw": 1000, "efficiency_fraction": 1,
             "head_m": 100}
        ],
        series=inflow(lake=[10, 0]),
    )  # fmt: skip
    results = job.run(case)
    edges = np.array(["2001-01-01", "2002-01-01", "2003-01-01"], "datetime64[ns]")
    dataset = results.dataset.assign(
        time_bnds=(("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1))
    )
    metrics = results.tables()["metrics"]
    rows = [("2001-01", "goal", f"{k} share", "volume_price", k / 10) for k in (1, 3, 2)]
    prices = pd.DataFrame(rows, columns=metrics.columns)
    with monkeypatch.context() as patch:
        patch.setattr(
            "wateralloc.comparison.figures.metric_table", lambda _: pd.concat([metrics, prices])
        )
        of = compare([Results(dataset, results.manifest)], storage_on=["01-01"])
    energy = 14 * 9.81 * 100 / 3600
    assert value_of(of, "case", "energy") == pytest.approx(energy / 2)
    assert value_of(of, "case", "volume_price") == pytest.approx(0.3)
    assert value_of(of, "case", "volume_price", "2 share") == pytest.approx(0.2)
    table = of.table()
    assert table["energy_gwh_year"].iloc[0] == pytest.approx(energy / 2)
    assert table["volume_price"].iloc[0] == pytest.approx(0.3)
    assert "storage_on_01-01_hm3" in table
    (main,) = compare_table.tables(of)
    assert list(main.frame) == ["Energy, GWh/year", "Storage on 01-01, hm3", "Volume price"]
    assert main.shares == ("Volume price",)


# --- what is run, and what is read --------------------------------------------------------------


def test_a_case_is_run_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compare(["none", "delta"])
    assert first.policies["solved"].all()
    assert {path.name for path in Path("results").iterdir()} == {"none", "delta"}
    monkeypatch.setattr(job, "run", never)
    again = compare(["none", "cases/delta.yaml"])
    assert not again.policies["solved"].any()
    pd.testing.assert_frame_equal(again.figures, first.figures)
    pd.testing.assert_frame_equal(again.by_member, first.by_member)
    pd.testing.assert_frame_equal(again.differences, first.differences)


def _reword(write: Write) -> None:
    write("delta", [DELIVERY | {"flow_m3s": 1}])


def _edit_basin(write: Write) -> None:
    river(Path("basin"), [6, 4, 31])


def _edit_manifest(key: str) -> Callable[[Write], None]:
    def edit(write: Write) -> None:
        path = Path("results/delta/manifest.json")
        manifest = json.loads(path.read_text("utf-8"))
        manifest[key] = {"wateralloc": "0.0.9"} if key == "versions" else "another"
        path.write_text(json.dumps(manifest), encoding="utf-8")

    return edit


def _break_manifest(write: Write) -> None:
    Path("results/delta/manifest.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "run_again"),
    [
        (_reword, {"delta"}),
        (_edit_basin, {"none", "delta"}),
        (_edit_manifest("versions"), {"delta"}),
        (_edit_manifest("code"), {"delta"}),
        (_edit_manifest("solver"), {"delta"}),
        (_break_manifest, {"delta"}),
    ],
)
def test_what_is_not_as_it_was_is_run_again(
    write: Write, change: Callable[[Write], None], run_again: set[str]
) -> None:
    compare(["none", "delta"])
    change(write)
    solved = compare(["none", "delta"]).policies["solved"]
    assert set(solved.index[solved]) == run_again


def test_another_option_is_another_result(write: Write) -> None:
    compare(["none", "delta"])
    changes = {"demand.scale.irrigation": "0.5"}
    halved = compare(["none", "delta"], changes=changes)
    assert halved.policies["solved"].all()
    assert value_of(halved, "none", "demand") == pytest.approx(45)
    assert not compare(["none", "delta"], changes=changes).policies["solved"].any()
    assert compare(["none", "delta"]).policies["solved"].all()


def test_results_and_cases_in_memory_are_taken_as_they_are(write: Write) -> None:
    write("alone")
    compare(["alone"], results="mine")
    Path("cases/alone.yaml").unlink()  # only its result is left
    in_memory = read_case("delta")
    of = compare([Path("mine/alone"), in_memory])
    assert of.policies["solved"].tolist() == [False, True]
    assert not Path("results").exists()
    assert value_of(of, "delta", "deficit", "north", "change") == pytest.approx(8, abs=1e-7)
    by_name = compare(["alone", job.run("delta")], results="mine")
    assert not by_name.policies["solved"].any()
    pd.testing.assert_frame_equal(by_name.differences, of.differences)


def test_processes_change_nothing(write: Write) -> None:
    seen: list[tuple[int, int]] = []
    alone = compare(["none", "delta"], progress=lambda *numbers: seen.append(numbers))
    assert seen[-1] == (2, 2)
    shutil.rmtree("results")
    seen.clear()
    together = compare(["none", "delta"], jobs=2, progress=lambda *n: seen.append(n))
    assert seen == [(1, 2), (2, 2)]
    pd.testing.assert_frame_equal(together.figures, alone.figures)
    write("dream", [DELIVERY | {"flow_m3s": 500}])
    shutil.rmtree("results")
    with pytest.raises(Infeasible, match="dream, member 2001-01"):
        compare(["dream", "none"], jobs=2)
    assert [path.name for path in Path("results").iterdir()] == ["none"]


def test_faults_travel_between_processes() -> None:
    error = CaseError(
        [Fault(Position("a.yaml", 2, 3), "E303", "no"), Fault(Position("b"), "E101", "-")]
    )
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.faults, str(again)) == (CaseError, error.faults, str(error))


# --- yardsticks ---------------------------------------------------------------------------------


def test_rules_that_not_all_have_are_measured_on_all(write: Write) -> None:
    """The rule of one policy is missed by the other on two days of three, by 4 hm3 each."""
    write("soft", [DELIVERY | {"name": "delta", "flow_m3s": 2 * FLOW, "soft": {"goal": 1}}])
    of = compare(["none", "delta", "soft"])
    labels = {"delta (delta)", "delta (soft)"}
    assert set(of.figures.loc[of.figures["measure"] == "kept", "name"]) == labels
    assert value_of(of, "none", "kept", "delta (delta)") == pytest.approx(1 / 3)
    assert value_of(of, "none", "missed", "delta (delta)") == pytest.approx(8, abs=1e-6)
    assert value_of(of, "none", "missed", "delta (soft)") == pytest.approx(16, abs=1e-6)
    assert value_of(of, "delta", "kept", "delta (delta)") == 1
    # each policy keeps its own rule as its own result says: 6 and 4 of 8 pass, then 8
    table = Results.read("results/soft").tables()["rules"]
    own = (table["kept"] == "true").mean()
    assert (
        value_of(of, "soft", "kept", "delta (soft)") == pytest.approx(own) == pytest.approx(1 / 3)
    )
    slack = table["slack"].clip(upper=0).sum() * -86400 / 1e6
    assert value_of(of, "soft", "missed", "delta (soft)") == pytest.approx(slack, abs=1e-6)


def test_a_rule_that_all_have_is_no_yardstick(write: Write) -> None:
    write("other", [DELIVERY | {"name": "by_another_name", "source": "law"}], [{"meet": {}}])
    of = compare(["other", "delta"])
    assert "kept" not in set(of.figures["measure"])


def test_rules_of_a_named_case(write: Write) -> None:
    """A volume of 9 hm3 over the horizon, a cap on the farm of 12: by what results have."""
    volume = {"rule": "minimum_delivery", "name": "volume", "at": "town", "volume_hm3": 15,
              "window": "horizon"}  # fmt: skip
    cap = {"rule": "quota", "name": "cap", "demands": ["farm"], "volume_hm3": 12,
           "window": "horizon"}  # fmt: skip
    write("measure", [volume, cap])
    of = compare(["none", "delta"], yardsticks=["measure", "measure:cap"])
    assert value_of(of, "none", "kept", "volume") == 0
    assert value_of(of, "none", "missed", "volume") == pytest.approx(5, abs=1e-6)
    assert value_of(of, "none", "missed", "cap") == pytest.approx(8, abs=1e-6)
    assert value_of(of, "delta", "kept", "cap") == 1
    # the law of the case that is measured with is not run
    assert not Path("results/measure").exists()


def test_faults_of_yardsticks(write: Write) -> None:
    Path("cases/own.py").write_text(
        "import pyomo.environ as pyo\n"
        "def rule(m, case):\n"
        "    m.extra = pyo.Var(bounds=(0, 1))\n"
        "    m.c = pyo.Constraint(expr=m.extra <= 1)\n",
        encoding="utf-8",
    )
    write("own", [{"rule": "python", "name": "mine", "file": "own.py", "function": "rule"}])
    with pytest.raises(InputError) as raised:
        compare(["none"], yardsticks=["own", "delta:dalta", "delt", "own:mine"])
    assert str(raised.value) == "\n".join(
        [
            "--yardstick delta:dalta: E311 case 'delta' has no rule 'dalta'; did you mean 'delta'?",
            "--yardstick own: E303 case 'own' has no rule of minimum_delivery or minimum_level; "
            "name one of its rules as own:RULE, or another case",
            "delt: E305 case 'delt' cannot be found; searched 'delt', 'delt.yaml', "
            "'cases/delt.yaml' and the cases of the package; did you mean 'delta'?",
        ]
    )
    with pytest.raises(InputError, match=r"rule 'mine' cannot be measured on .* it goes by extra"):
        compare(["none"], yardsticks=["own:mine"])
    assert not Path("results").exists()


# --- faults -------------------------------------------------------------------------------------


def refusal(*cases: Any, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        compare(cases, **options)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_faults_of_all_cases_come_together(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "run", never)
    write("bad", [DELIVERY | {"at": "haed"}])
    write("worse", goals=[{"meat": {}}])
    text = refusal("bad", "none", "worse", "absent.yaml")
    codes = [line.split(": ")[1].split()[0] for line in text.splitlines()]
    assert codes == ["E101", "E313", "E312"]
    assert "did you mean 'head'?" in text
    assert "did you mean 'meet'?" in text


def test_policies_must_be_alike(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "run", never)
    write("short", timeline={"start": "2001-01-01", "periods": 2, "step": "day"})
    river(tmp_path / "elsewhere", [6, 4, 30])
    write("far", basin="../elsewhere")
    assert refusal("none", "short", "far") == (
        "cases/far.yaml: E341 basin is 'elsewhere' but that of 'none' is 'basin'; compare policies "
        "on one basin\n"
        "cases/short.yaml: E341 periods are 2 from 2001-01-01 to before 2001-01-03 but those of "
        "'none' are 3 from 2001-01-01 to before 2001-01-04; compare policies over the same periods"
    )


def test_members_must_be_alike_unless_they_are_named(write: Write, tmp_path: Path) -> None:
    two_years(tmp_path / "basin")
    write("one", hydrology={"record": "historic", "year": "2001-01"})
    write("both", hydrology={"record": "historic", "members": "all"})
    assert refusal("one", "both") == (
        "cases/both.yaml: E341 members are 2001-01, 2002-01 but those of 'one' are 2001-01; give "
        "them the same, or name those that all have by --member"
    )
    assert refusal("one", "both", members=["2002-01"]) == (
        "cases/one.yaml: E341 there is no member '2002-01'; did you mean '2001-01'?"
    )
    of = compare(["one", "both"], members=["2001-01"])
    assert value_of(of, "both", "deficit", column="change") == pytest.approx(0, abs=1e-9)


def test_a_result_of_another_basin_is_refused(write: Write) -> None:
    """The files of the basin are not as they were when the result was made."""
    compare(["none"], results="old")
    _edit_basin(write)
    assert refusal("delta", "old/none") == (
        "old/none: E341 basin 'basin' is not as it was for 'delta': basin/series/"
        "inflow_hm3_day.csv differ; run both again on one basin"
    )


def test_names_must_be_told_apart(write: Write) -> None:
    write("same", name="none")
    assert refusal("cases/same.yaml", "none") == (
        "cases/none.yaml: E206 two policies are called 'none', the other at cases/same.yaml; name "
        "each once, or give one another name in key name"
    )
    assert "E302" in refusal()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"reference": "nine"},
            "--reference: E303 no policy is called 'nine'; did you mean 'none'?",
        ),
        (
            {"kept": ["head"], "storage_on": ["31-12", "1 May"]},
            "--kept head: E303 'head' is not a flow at a section; write NODE:FLOW, or with dates "
            "NODE:FLOW@MM-DD..MM-DD as in son_tay:2418@01-21..02-28\n"
            "--storage-on: E213 '1 May' is not a day of the year; write MM-DD, as 05-01\n"
            "--storage-on: E213 '31-12' is not a day of the year; write MM-DD, as 05-01",
        ),
        (
            {"kept": ["haed:5"]},
            "--kept haed:5: E313 no river leaves 'haed'; did you mean 'head'?",
        ),
        (
            {"storage_on": ["06-01"]},
            "--storage-on: E303 06-01 is not within the periods of cases/none.yaml, 2001-01-01 to "
            "2001-01-04; name another day",
        ),
    ],
)
def test_faults_of_what_is_asked(write: Write, options: dict[str, Any], message: str) -> None:
    assert refusal("none", "delta", **options) == message


def test_the_results_of_cases_that_can_be_solved_are_kept(write: Write) -> None:
    write("dream", [DELIVERY | {"flow_m3s": 500}])
    write("hope", [DELIVERY | {"flow_m3s": 400}])
    with pytest.raises(Infeasible) as raised:
        compare(["dream", "none", "hope"])
    text = str(raised.value)
    assert "dream, member 2001-01" in text
    assert "hope, member 2001-01" in text
    assert text.endswith(
        "2 of 3 cases have no result; those of the others are kept: leave these out to compare "
        "the others"
    )
    assert [path.name for path in Path("results").iterdir()] == ["none"]


def test_folders_are_free_before_the_work(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "run", never)
    Path("results/delta").mkdir(parents=True)
    Path("results/delta/notes.txt").write_text("mine", encoding="utf-8")
    assert "results/delta: E109 is not empty and not a result" in refusal("none", "delta")


# --- what differs -------------------------------------------------------------------------------


def test_clauses_that_make_the_difference(write: Write) -> None:
    write(
        "mixed",
        [DELIVERY | {"source": "law", "flow_m3s": 7, "soft": {"goal": 2}},
         {"rule": "quota", "name": "cap", "sectors": ["industry"], "volume_hm3": 5}],
        [FARM_FIRST[0], {"meet": {"sectors": ["industry"]}}, {"minimise": "spill"}],
        demand={"scale": {"irrigation": 2}},
    )  # fmt: skip
    of = compare(["delta", "mixed", "none"], reference="delta").differences
    found = {
        policy: rows.drop(columns="policy").values.tolist() for policy, rows in of.groupby("policy")
    }
    assert found["none"] == [
        ["rule", "delta", "removed", f"minimum_delivery, at: head, flow_m3s: {FLOW:.10g}", ""]
    ]
    assert found["mixed"] == [
        ["setting", "demand.scale.irrigation", "added", "", "2"],
        ["rule", "delta", "changed", f"flow_m3s: {FLOW:.10g}, soft: -",
         "flow_m3s: 7, soft: {goal: 2}"],
        ["rule", "cap", "added", "", "quota, sectors: [industry], volume_hm3: 5"],
        ["goal", "2 meet", "changed", "sectors: -", "sectors: [industry]"],
        ["goal", "3 minimise", "added", "", "quantity: spill"],
    ]  # fmt: skip


def test_a_goal_that_moves_is_seen_and_what_only_names_is_not() -> None:
    meet, share, spill = {"meet": {}}, {"share": {"among": "region"}}, {"minimise": "spill"}
    one = {"name": "a", "title": {"en": "A"}, "basin": "x", "goals": [meet, share, spill]}
    other = {"name": "b", "description": "B", "basin": "../x", "goals": [share, meet, spill]}
    assert differences(one, one | {"name": "c"}) == []
    changes = [(d.clause[2:], d.change) for d in differences(one, other)]
    assert changes in (
        [("meet", "removed"), ("meet", "added")], [("share", "added"), ("share", "removed")]
    )  # fmt: skip
    replaced = differences(one, one | {"goals": [meet, {"prefer": {}}, spill]})
    assert replaced == [
        Difference("goal", "2 share", "removed", "among: region", ""),
        Difference("goal", "2 prefer", "added", "", ""),
    ]


def test_what_differs_of_cases_built_in_code(write: Write) -> None:
    from dataclasses import replace

    none, delta = read_case("none"), read_case("delta")
    of = compare([replace(none, resolved={}), replace(delta, resolved={})])
    (row,) = of.differences.itertuples(index=False)
    assert (row.policy, row.part, row.clause, row.change) == ("delta", "rule", "delta", "added")


# --- tables for people --------------------------------------------------------------------------


def test_tables_in_both_languages(write: Write, tmp_path: Path) -> None:
    of = compare(["none", "delta"])
    english, other = (compare_table.tables(of, lang) for lang in ("en", "vi"))
    assert [len(table.frame.columns) for table in english] == [len(t.frame.columns) for t in other]
    named = {table.title: table for table in english}
    served = named["Satisfaction by region and by sector"]
    assert list(served.frame) == ["North", "South", "irrigation", "industry"]
    assert served.shares == tuple(served.frame)
    cost = named["Cost to each region: change against none"]
    assert cost.frame.loc["delta"].tolist() == pytest.approx([8, -8, -16, 40], abs=1e-6)
    assert next(iter(cost.frame)) == "North: Deficit, hm3"
    vietnamese = {table.title: table for table in other}
    assert "Phía Bắc" in vietnamese["Mức đáp ứng theo vùng và theo ngành"].frame
    lines = dict(compare_table.differing(of, "vi"))
    assert lines["delta"][0].startswith("thêm quy tắc delta: minimum_delivery, at: head")
    english_words = {word for word in compare_table.WORDS["vi"] if len(word) > 5}
    shown = [t.title for t in other] + [str(column) for t in other for column in t.frame]
    assert not [text for text in shown if any(word in text for word in english_words)]


def test_files(write: Write, tmp_path: Path) -> None:
    of = compare(["none", "delta"])
    compare_table.write(of, tmp_path / "tables", "vi")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == set(compare_table.FILES)
    wide = pd.read_csv(tmp_path / "tables" / "comparison.csv", index_col="policy")
    assert wide.loc["delta", "region.north.deficit_hm3"] == pytest.approx(18, abs=1e-7)
    figures = pd.read_csv(tmp_path / "tables" / "figures.csv", keep_default_na=False)
    assert len(figures) == len(of.figures)
    text = (tmp_path / "tables" / "comparison.md").read_text("utf-8")
    assert "| none | Cơ chế none |" in text
    assert "- thêm quy tắc delta: minimum_delivery" in text


def test_compare_is_the_function_whatever_was_imported_before() -> None:
    assert wateralloc.compare is compare
    assert wateralloc.Comparison is Comparison
