"""Export: another solver reads the files and finds the same optimum; maps are valid GeoJSON."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
import pyscipopt
import pytest

from tests.basins import tiny_basin, tiny_parts
from wateralloc import export, job
from wateralloc.basin import read_basin
from wateralloc.case import Case, build_case
from wateralloc.errors import InputError, SolveError
from wateralloc.goals.maximise import Maximise
from wateralloc.goals.meet import Meet
from wateralloc.goals.share import Share
from wateralloc.hydrology import Member
from wateralloc.timeline import Timeline

IRRIGATION = 600.0
"""hm3 asked in a year of 365 days: more than either year's inflow."""
WET, DRY = Member("2001-01", 0), Member("2002-01", 1)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    parts = tiny_parts()
    domestic, irrigation = parts["demands"]
    dates = [f"{year}-{month:02d}-01" for year in (2001, 2002) for month in range(1, 13)]
    folder = tiny_basin(
        tmp_path / "basin",
        demands=[domestic, irrigation | {"annual_hm3": IRRIGATION}],
        series={"inflow_m3s": {"date": dates, "spring": [10] * 12 + [6] * 12}},
    )
    goals = [
        Meet(sectors=("irrigation",)),
        Share(sectors=("domestic", "irrigation"), among="sector"),
        Maximise(quantity="storage_end"),
    ]
    return build_case(
        read_basin(folder),
        Timeline("2001-01-01", 12, "month"),
        goals=goals,
        members=(WET, DRY),
        name="thirsty",
    )


def first_optimum(case: Case, member: Member) -> float:
    """Deficit of irrigation [hm3], from the run."""
    stage = job.run(case).manifest["stages"][member.name][0]
    assert stage["unit"] == "fraction of demand"
    return float(stage["value"]) * IRRIGATION


def solve_file(path: Path) -> tuple[float, list[str]]:
    """Optimum and names of the columns of a file by SCIP, which knows nothing of this package."""
    model = pyscipopt.Model()
    model.hideOutput()
    model.readProblem(str(path))
    model.optimize()
    assert model.getStatus() == "optimal"
    return float(model.getObjVal()), [variable.name for variable in model.getVars()]


# --- LP and MPS ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize("member", [WET, DRY])
def test_another_solver_finds_the_optimum(
    case: Case, tmp_path: Path, ending: str, member: Member
) -> None:
    path = tmp_path / f"out.{ending}"
    export.write_lp(case, path, member=member.name)
    expected = first_optimum(case, member)
    assert expected > 100  # a shortage, else a wrong model would do as well
    optimum, names = solve_file(path)
    assert optimum == pytest.approx(expected, rel=1e-8)
    assert "withdrawal.town_irrigation.20010101" in names


def test_members_differ(case: Case) -> None:
    assert first_optimum(case, DRY) > first_optimum(case, WET) + 50


def test_the_first_member_is_the_default(case: Case, tmp_path: Path) -> None:
    export.write_lp(case, tmp_path / "default.lp")
    export.write_lp(case, tmp_path / "first.lp", member=WET.name)
    assert (tmp_path / "default.lp").read_bytes() == (tmp_path / "first.lp").read_bytes()


def test_goal_chooses_objective_and_sense(case: Case, tmp_path: Path) -> None:
    export.write_lp(case, tmp_path / "out.mps", goal=3)
    assert "OBJSENSE\n  MAX" in (tmp_path / "out.mps").read_text()
    # goals before it are not held: the same as a case of this goal alone
    (alone, *_) = job.run(replace(case, goals=case.goals[2:])).manifest["stages"][WET.name]
    held = job.run(case).manifest["stages"][WET.name][-1]
    optimum, _ = solve_file(tmp_path / "out.mps")
    assert optimum == pytest.approx(alone["value"], rel=1e-8)
    assert optimum > held["value"] + 100


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"member": "2001-02"}, "no member '2001-02'; did you mean '2001-01'?"),
        ({"goal": 4}, "has goals 1 to 3, not 4"),
    ],
)
def test_unknown_member_or_goal(
    case: Case, tmp_path: Path, asked: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        export.write_lp(case, tmp_path / "out.lp", **asked)
    assert not (tmp_path / "out.lp").exists()


def test_a_write_that_fails_leaves_the_former_file(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_written(*arguments: Any) -> None:
        arguments[4].write_text("half")
        raise SolveError("E404 disk is full")

    path = tmp_path / "out" / "case.lp"
    path.parent.mkdir()
    path.write_text("former")
    monkeypatch.setattr(export, "write_model", half_written)
    with pytest.raises(SolveError):
        export.write_lp(case, path)
    assert path.read_text() == "former"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_names_the_path_that_was_asked(case: Case, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists") as caught:
        export.write_lp(case, tmp_path / "file" / "out.lp")
    assert caught.value.filename == str(tmp_path / "file" / "out.lp")


# --- names --------------------------------------------------------------------------------------


def test_plain_names_are_unique_and_plain() -> None:
    labels = ["a b", "a-b", "a.b", "a.b.2", "ä", "1", "e5", "E.x", "é" * 300, "z" * 300, "z" * 301]
    names = export.plain_names(labels)
    assert len(set(names)) == len(labels)
    for name in names:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*", name)
        assert not re.match(r"[eE][0-9.]", name)
        assert len(name) <= 255


def test_plain_names_say_what_labels_say() -> None:
    labels = ["balance[son_tay]@2030-06-01", "share_1.level[a,b]@2030-06-11", "environment[e]@1"]
    assert export.plain_names(labels) == [
        "balance.son_tay.20300601", "share_1.level.a.b.20300611", "environment.e.1",
    ]  # fmt: skip


# --- Pyomo --------------------------------------------------------------------------------------


def test_pyomo_model_reads_without_the_package(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "case.pkl"
    export.write_pyomo(case, path)
    program = (
        "import pickle, sys\n"
        f"with open({str(path)!r}, 'rb') as stream: model = pickle.load(stream)\n"
        "assert not [name for name in sys.modules if name.startswith('wateralloc')]\n"
        "print(model.name, *model.member)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "thirsty 2001-01 2002-01\n"), done.stderr


@pytest.mark.parametrize("members", [(WET, DRY), (DRY,)])
def test_pyomo_model_has_the_optimum(
    case: Case, tmp_path: Path, members: tuple[Member, ...]
) -> None:
    path = tmp_path / "case.pkl"
    export.write_pyomo(case, path, member="" if len(members) == 2 else members[0].name)
    with path.open("rb") as stream:
        model = pickle.load(stream)
    assert list(model.member) == [member.name for member in members]
    pyo.SolverFactory("appsi_highs").solve(model)
    expected = sum(first_optimum(case, member) for member in members)
    assert pyo.value(model.goal_1) == pytest.approx(expected, rel=1e-8)


# --- GeoJSON ------------------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path: Path) -> dict[str, Any]:
    parts = tiny_parts()
    places = {"spring": (105.1, 21.5), "lake": (105.2, 21.4), "sea": (106.0, 20.0)}
    nodes = [
        row | ({"lon": places[row["name"]][0], "lat": places[row["name"]][1]}
               if row["name"] in places else {})
        for row in parts["nodes"]
    ]  # fmt: skip
    path = tmp_path / "map.geojson"
    export.write_geojson(read_basin(tiny_basin(tmp_path / "basin", nodes=nodes)), path)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)  # type: ignore[no-any-return]


def test_geojson_keeps_to_rfc_7946(collection: dict[str, Any]) -> None:
    assert set(collection) == {"type", "features"}
    assert collection["type"] == "FeatureCollection"
    ids = [feature["id"] for feature in collection["features"]]
    assert len(set(ids)) == len(ids) == 7
    for feature in collection["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        geometry = feature["geometry"]
        if geometry is not None:
            assert set(geometry) == {"type", "coordinates"}
            points = geometry["coordinates"]
            if geometry["type"] == "Point":
                points = [points]
            else:
                assert geometry["type"] == "LineString"
                assert len(points) >= 2
            for lon, lat in points:
                assert 105 <= lon <= 106
                assert 20 <= lat <= 22


def test_geojson_says_what_a_place_is(collection: dict[str, Any]) -> None:
    features = {feature["id"]: feature for feature in collection["features"]}
    spring, upper = features["node/spring"], features["link/upper"]
    assert spring["geometry"] == {"type": "Point", "coordinates": [105.1, 21.5]}
    assert spring["properties"] == {
        "layer": "node", "name": "spring", "kind": "inflow", "region": "north",
        "province": "upland", "sub_basin": "main", "name_vi": "Suối", "name_en": "Spring",
    }  # fmt: skip
    assert upper["geometry"]["coordinates"] == [[105.1, 21.5], [105.2, 21.4]]
    assert upper["properties"] == {
        "layer": "link", "name": "upper", "from": "spring", "to": "lake", "kind": "reach",
    }  # fmt: skip
    # the town has no coordinates: neither it nor its links are drawn, and none is left out
    assert features["node/town"]["geometry"] is None
    assert features["link/outlet"]["geometry"] is None
