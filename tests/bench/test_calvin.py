"""California's benchmark on a small invented network: the ways agree, and what is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import __main__ as every
from benchmarks import calvin, growth, harness, solvers
from tests.importers.test_calvin import arcs, optimum_of_arcs
from wateralloc import read_case
from wateralloc.importers.calvin import import_calvin
from wateralloc.solve import OPTIONS


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    arcs().to_csv(folder / "links_1yr.csv.gz", index=False)
    monkeypatch.setattr(calvin, "DATA", folder)
    return folder


@pytest.mark.parametrize("way", list(calvin.WAYS))
def test_ways_agree(way: str, tmp_path: Path, data: Path) -> None:
    if way == "linopy":
        pytest.importorskip("linopy")
    links = arcs()
    if way == "stacked":
        case_file, _ = import_calvin(data / "links_1yr.csv.gz", tmp_path / "study")
        links = read_case(case_file)
    assert calvin.WAYS[way](links, OPTIONS)() == pytest.approx(optimum_of_arcs(arcs()), rel=1e-9)


def test_first_months_stand_by_themselves(tmp_path: Path, data: Path) -> None:
    few = calvin.first_months(data / "links_1yr.csv.gz", 3, tmp_path / "few.csv")
    table = pd.read_csv(few)
    dates = {name.rpartition(".")[2] for name in table["i"] if "." in name}
    assert len(dates) == 3
    assert set(table.loc[table["j"] == "FINAL", "i"].str.partition(".")[0]) == {"SR_A", "GW_B"}
    calvin.make_case(few, tmp_path / "few")


def test_record_and_targets(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways run here in turn, each figure as if of a process of its own."""
    ways = {way: of for way, of in calvin.WAYS.items() if way != "linopy"}
    ways["linopy"] = calvin.by_hand  # so that the record is whole where linopy is not installed
    monkeypatch.setattr(calvin, "WAYS", ways)
    monkeypatch.setattr(calvin, "alone", lambda function, *given: function(*given))
    record = calvin.run(False, (calvin.Size(1, 2, 1),))
    path = harness.write("calvin", record, tmp_path)
    (size,) = json.loads(path.read_text(encoding="utf-8"))["sizes"]
    assert size["optimum"]["agree"]
    assert size["build_cpu_s"]["stacked"]["runs"] == 2
    assert size["build_cpu_s"]["calvin"]["runs"] == 1
    names = [(target["name"], target["at_most"]) for target in record["targets"]]
    assert names == [
        ("build and hand-over, to CALVIN's way", 1 / 20),
        ("peak memory, to CALVIN's way", 0.5),
    ]


def test_nothing_is_measured_without_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calvin, "DATA", tmp_path)
    assert "calvin" not in every.find()
    with pytest.raises(FileNotFoundError, match="CALVIN_LINKS"):
        calvin.run(False)


def test_whole_job_records_the_certificate_and_the_run(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wateralloc import solve

    monkeypatch.setattr(solve, "_Highs", solve._Highs)  # the clock goes with the test
    case_file, _ = import_calvin(data / "links_1yr.csv.gz", tmp_path / "study")
    found = calvin.whole_job(case_file, tmp_path / "results")
    assert found["optimum"] == pytest.approx(optimum_of_arcs(arcs()), rel=1e-9)
    assert found["certificate"]["gap"] <= 1e-9
    assert found["highs_run"]["runs"] == 1
    assert (tmp_path / "results" / "results.nc").is_file()


def test_growth_has_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "alone", lambda function, *given: function(*given))
    monkeypatch.setattr(growth, "resident", lambda: 0)  # all in this process: no memory of its own
    record = growth.run(False, largest=10**5, runs=1)
    assert list(record["lines"]) == ["periods", "nodes", "members"]
    for line in record["lines"].values():
        small, large = line["points"]
        assert (small["cells"], large["cells"]) == (10**4, 10**5)
        assert large["n_nonzeros"] == pytest.approx(10 * small["n_nonzeros"], rel=0.1)
        assert line["slopes"]["build_cpu_s"] == pytest.approx(
            growth.slope([10**4, 10**5], [p["build_cpu_s"]["median"] for p in line["points"]])
        )
    assert len(record["targets"]) == 6


def test_solvers_certify_what_they_find(tmp_path: Path, data: Path) -> None:
    case_file, _ = import_calvin(data / "links_1yr.csv.gz", tmp_path / "study")
    found = solvers.measure(str(case_file), {})
    assert found is not None
    assert found["is_certified"]
    assert found["has_basis"]
    bare = solvers.measure(str(case_file), solvers.WAYS["IPX, no crossover"])
    assert bare is not None
    assert not bare["has_basis"]
    assert solvers.measure(str(case_file), {"solver": "no such"}) is None
