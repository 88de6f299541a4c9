"""What goals leave open: by hand, in results, tables and comparisons."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import wateralloc.solve
from benchmarks import __main__ as every
from benchmarks import harness
from benchmarks import ranges as benchmark
from tests.small import days, inflow, make_case
from tests.unit.test_successive import lake
from wateralloc import cli, job
from wateralloc.case import Case
from wateralloc.comparison import Comparison, compare
from wateralloc.errors import SolveError, Uncertified
from wateralloc.foresight import ranges as module
from wateralloc.foresight.perfect import solve_perfect
from wateralloc.foresight.ranges import Ranges, effort_of, find_ranges
from wateralloc.foresight.settled import is_within
from wateralloc.horizon import MemberProgram
from wateralloc.report import compare_table
from wateralloc.report.tables import allocation_summary
from wateralloc.results import collect
from wateralloc.solve import Certificate, ManyCosts, Stages

ALL: list[Any] = [{"meet": {}}]
ENDS = ("withdrawal_least_hm3", "withdrawal_most_hm3")


def pair(folder: Path, goals: Any = ALL, rules: Any = (), **changes: Any) -> Case:
    """A farm that asks 10 hm3 a day and works that ask 6 at one node, which gains 10 and 12."""
    user = {"node": "head", "consumption_fraction": 1}
    tables: dict[str, Any] = {
        "nodes": [{"name": "head", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
        "links": [{"name": "reach", "from": "head", "to": "sea", "kind": "reach"}],
        "demands": [
            {"name": "farm", "sector": "irrigation", "region": "north", "province": "hills",
             "demand_hm3_day": 10, **user},
            {"name": "works", "sector": "industry", "region": "south", "province": "coast",
             "demand_hm3_day": 6, **user},
        ],
        "series": inflow(head=[10, 12]),
    }  # fmt: skip
    given = {name: rows for name, rows in (tables | changes).items() if rows is not None}
    return make_case(folder, periods=2, goals=goals, rules=rules, **given)


def ranges_of(case: Case) -> Ranges:
    return find_ranges(solve_perfect(case, keep_faces=True))


def totals(ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Ends of the deficits of totals of the first member, by ``scope name``."""
    of = ranges.totals
    ends = zip(of.deficit_least[0], of.deficit_most[0], strict=True)
    return {
        f"{scope} {name}": (round(float(a), 7), round(float(b), 7))
        for scope, name, (a, b) in zip(of.scope, of.name, ends, strict=True)
    }


# --- by hand ------------------------------------------------------------------------------------


def test_what_one_takes_the_other_lacks(tmp_path: Path) -> None:
    """Of 10 and 12 hm3 the farm may have 4 to 10 and 6 to 10, the works 0 to 6 and 2 to 6.

    All lack 6 and 4 whoever has it: 10 in all; each alone between nothing and all of it.
    """
    ranges = ranges_of(pair(tmp_path))
    assert ranges.least[0] == pytest.approx(np.array([[4, 0], [6, 2]]), abs=1e-9)
    assert ranges.most[0] == pytest.approx(np.array([[10, 6], [10, 6]]), abs=1e-9)
    assert totals(ranges) == {
        "basin all": (10, 10), "region north": (0, 10), "region south": (0, 10),
        "province hills": (0, 10), "province coast": (0, 10), "sector irrigation": (0, 10),
        "sector industry": (0, 10), "region_sector north/irrigation": (0, 10),
        "region_sector south/industry": (0, 10),
    }  # fmt: skip
    assert ranges.n_open.tolist() == [4]
    assert ranges.certificate.is_valid


def test_a_goal_that_decides_leaves_nothing_open(tmp_path: Path) -> None:
    ranges = ranges_of(pair(tmp_path, [*ALL, {"meet": {"demands": ["works"]}}]))
    assert ranges.least[0] == pytest.approx(np.array([[4, 6], [6, 6]]), abs=1e-9)
    assert (ranges.least == ranges.most).all()
    assert ranges.n_open.tolist() == [0]
    assert totals(ranges)["sector irrigation"] == (10, 10)


def test_a_year_that_counts_as_a_whole_leaves_its_periods_open(tmp_path: Path) -> None:
    """Equal shares of the horizon: each has 22 (x/20 = y/12 gives 13.75 and 8.25) in all.

    The farm can have its most on one day, 10, and 3.75 on the other is less than the 4 (and 6)
    that the works cannot take; so day by day 4 to 7.75 and 6 to 9.75.
    """
    share = {"share": {"among": "demand", "rule": "proportional", "window": "horizon"}}
    ranges = ranges_of(pair(tmp_path, [share]))
    assert ranges.least[0] == pytest.approx(np.array([[4, 2.25], [6, 2.25]]), abs=1e-6)
    assert ranges.most[0] == pytest.approx(np.array([[7.75, 6], [9.75, 6]]), abs=1e-6)
    assert totals(ranges)["sector irrigation"] == pytest.approx((6.25, 6.25), abs=1e-6)


def test_each_has_its_most_where_none_has_all_it_asks(tmp_path: Path) -> None:
    """Three ask 15 of 10 hm3, so together they have 10 at every optimum, and each 0 to 10."""
    user = {"node": "head", "sector": "irrigation", "region": "north", "demand_hm3_day": 15}
    demands = [{"name": name, "consumption_fraction": 1, **user} for name in ("a", "b", "c")]
    case = pair(tmp_path, demands=demands, series=inflow(head=[10, 10]))
    ranges = ranges_of(case)
    assert ranges.least[0] == pytest.approx(np.zeros((2, 3)), abs=1e-9)
    assert ranges.most[0] == pytest.approx(np.full((2, 3), 10), abs=1e-9)
    assert totals(ranges)["basin all"] == (70, 70)


def test_a_tolerance_leaves_open_what_it_gives(tmp_path: Path) -> None:
    """Later goals may take a tenth of the demand of 32 hm3 from the whole: 3.2 hm3."""
    goals = [{"meet": {"tolerance": 0.1}}, {"meet": {"demands": ["works"]}}]
    ranges = ranges_of(pair(tmp_path, goals))
    assert ranges.least[0, :, 0] == pytest.approx([0.8, 2.8], abs=1e-6)
    assert ranges.most[0, :, 0] == pytest.approx([4, 6], abs=1e-6)
    assert totals(ranges)["basin all"] == pytest.approx((10, 13.2), abs=1e-6)


def test_without_demands_there_are_no_ranges(tmp_path: Path) -> None:
    case = pair(tmp_path, [{"maximise": "outflow"}], demands=None)
    ranges = ranges_of(case)
    assert ranges.least.shape == (1, 2, 0)
    assert totals(ranges) == {"basin all": (0, 0)}


def test_solution_without_faces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep_faces=True"):
        find_ranges(solve_perfect(pair(tmp_path)))


def test_radius_of_a_pass_holds_nothing_back(tmp_path: Path) -> None:
    """A pass moves storages only so far; what the goals leave open is not bound by that."""
    solution = solve_perfect(lake(tmp_path), keep_faces=True)
    (convergence,), (face,) = solution.convergence, solution.faces
    assert convergence.passes[convergence.best - 1].radius < 1
    own, program = solution.horizon.stack().member(0), face.program
    is_open = program.col_lower < program.col_upper
    assert is_open.any()
    assert (program.col_lower[is_open] == own.col_lower[is_open]).all()
    assert (program.col_upper[is_open] == own.col_upper[is_open]).all()
    assert is_within(program, solution.x[0])


# --- many costs ---------------------------------------------------------------------------------


def square() -> MemberProgram:
    """Two columns from 0 to 1, of 1.5 at most together."""
    one = np.ones(2)
    return MemberProgram(
        np.array([0, 1, 2], np.int32), np.array([0, 0], np.int32), one,
        0 * one, one, np.array([-np.inf]), np.array([1.5]),
    )  # fmt: skip


def test_many_costs_are_optima_of_their_own() -> None:
    costs, both = ManyCosts(square()), np.array([0, 1])
    for weights in ([-1.0, -2.0], [-2.0, -1.0], [1.0, -1.0], [1.0, 1.0]):
        x = costs.minimise("", both, np.array(weights))
        alone = Stages(square()).optimise("", np.array(weights))
        assert float(x @ weights) == pytest.approx(alone.objective)
    assert costs.minimise("", np.array([1]), np.array([-1.0]))[1] == 1
    assert costs.n_solved == 5
    assert costs.certificate.is_valid


def test_an_optimum_that_is_not_certified_is_solved_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = wateralloc.solve.certify, []

    def first_fails(*given: Any) -> Certificate:
        calls.append(given)
        return Certificate(1.0, 0.0, 0.0) if len(calls) == 1 else real(*given)

    monkeypatch.setattr(wateralloc.solve, "certify", first_fails)
    costs = ManyCosts(square())
    x = costs.minimise("", np.array([0, 1]), np.array([-1.0, -2.0]))
    assert x.tolist() == [0.5, 1]
    assert len(calls) == 2
    assert costs.certificate.is_valid
    monkeypatch.setattr(wateralloc.solve, "certify", lambda *_: Certificate(1.0, 0.0, 0.0))
    with pytest.raises(Uncertified, match="here: goal 'the most'"):
        ManyCosts(square(), where="here: ").minimise("the most", np.array([0]), np.array([-1.0]))


# --- in results ---------------------------------------------------------------------------------


def test_results_have_ranges_where_faces_were_kept(tmp_path: Path) -> None:
    case = pair(tmp_path)
    without = collect(solve_perfect(case))
    assert without.dataset.attrs["withdrawal_ranges"] == "not computed"
    assert not [name for name in without.dataset.variables if "withdrawal_least" in str(name)]
    assert not set(ENDS) & set(without.tables()["allocation"])
    assert "ranges" not in without.manifest["seconds"]
    results = collect(solve_perfect(case, keep_faces=True))
    table = results.tables()["allocation"]
    assert tuple(table.columns[-2:]) == ENDS
    assert table["withdrawal_least_hm3"].tolist() == pytest.approx([4, 0, 6, 2], abs=1e-9)
    assert table["withdrawal_most_hm3"].tolist() == pytest.approx([10, 6, 10, 6], abs=1e-9)
    assert results.dataset.attrs["withdrawal_ranges"].startswith("least and most withdrawal")
    assert results.manifest["seconds"]["ranges"] > 0
    same = [str(name) for name in without.dataset.data_vars if not str(name).startswith("stage_")]
    assert results.dataset[same].equals(without.dataset[same])


def test_faces_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    case = pair(tmp_path)
    assert len(solve_perfect(case, keep_faces=True).faces) == 1
    assert not solve_perfect(case).faces
    assert "withdrawal_most" in job.run(case).dataset
    assert "withdrawal_most" not in job.run(case, ranges=False).dataset


def test_ranges_that_take_long_wait_until_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two programs for each of four deliveries, on the columns of the case."""
    case = pair(tmp_path)
    asked = effort_of(solve_perfect(case, keep_faces=True))
    n_columns = solve_perfect(case).x.shape[1]
    assert asked == 8 * n_columns
    with caplog.at_level(logging.WARNING):
        results = collect(solve_perfect(case, keep_faces=True), effort=asked / 2)
    assert "may take 2 times as long" in caplog.text
    assert "add --ranges" in caplog.text
    assert results.dataset.attrs["withdrawal_ranges"] == "not computed"
    enough = collect(solve_perfect(case, keep_faces=True), effort=asked)
    assert "withdrawal_most" in enough.dataset


def test_ranges_that_fail_cost_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise SolveError("E404 the solver stopped")

    monkeypatch.setattr(module, "ManyCosts", fail)
    with caplog.at_level(logging.WARNING):
        results = collect(solve_perfect(pair(tmp_path), keep_faces=True))
    assert [record.getMessage() for record in caplog.records] == [
        "E404 the solver stopped\nthe ranges of deliveries are left out of the results"
    ]
    assert results.dataset.attrs["withdrawal_ranges"] == "not computed"
    assert not set(ENDS) & set(results.tables()["allocation"])


def test_summary_marks_what_is_left_open(tmp_path: Path) -> None:
    results = collect(solve_perfect(pair(tmp_path), keep_faces=True))
    table = allocation_summary(results)
    assert table.columns[-1] == "Left open"
    assert table["Left open"].tolist() == pytest.approx([10, 10, 10, 10, 0], abs=1e-7)
    assert allocation_summary(results, "vi").columns[-1] == "Khoảng còn để ngỏ"
    decided = pair(tmp_path / "decided", [*ALL, {"meet": {"demands": ["works"]}}])
    for of in (solve_perfect(decided, keep_faces=True), solve_perfect(pair(tmp_path / "off"))):
        assert "Left open" not in allocation_summary(collect(of))


def test_command_leaves_them_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair(tmp_path)
    monkeypatch.chdir(tmp_path)
    for options, has in (((), True), (("--no-ranges",), False)):
        done = CliRunner().invoke(cli.app, ["run", "case.yaml", "--out", "out", *options])
        assert done.exit_code == 0, done.output
        head = (tmp_path / "out" / "allocation.csv").read_text(encoding="utf-8").splitlines()[0]
        assert head.endswith(",water_value" + has * f",{','.join(ENDS)}")
        assert ("open" in done.stdout) == has


def test_benchmark_records_both_ways(tmp_path: Path) -> None:
    pair(tmp_path)
    assert every.find()["ranges"] is benchmark.run
    size = benchmark.Size(str(tmp_path / "case.yaml"), (), ("2001-01",), runs=1)
    path = harness.write("ranges", benchmark.run(False, size), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert (record["deliveries"], record["open"], record["widest_hm3"]) == (4, 4, 6)
    assert record["each"]["programs"] == 8
    assert record["each"]["largest_difference_hm3"] <= 1e-6
    assert record["programs"] < 8 + 6  # of the deliveries and of the totals
    (target,) = record["targets"]
    assert target["at_most"] == 10
    assert target["ratio"] == record["ratios"]["ranges_to_solve"]["of_medians"]


# --- in comparisons -----------------------------------------------------------------------------


def policy(folder: Path, name: str, goals: Any = ALL, rules: Any = ()) -> Case:
    return pair(folder / name, goals, rules, more={"name": name, "hydrology": {"record": "dates"}})


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    """``works`` breaks the tie of ``none``; ``capped`` takes from the farm and gives nobody."""
    cases = [
        policy(tmp_path, "none"),
        policy(tmp_path, "works", [*ALL, {"meet": {"demands": ["works"]}}]),
        policy(tmp_path, "capped", rules=[
            {"rule": "quota", "name": "cap", "sectors": ["irrigation"], "volume_hm3": 2,
             "window": "period"}
        ]),
    ]  # fmt: skip
    return compare(cases, results=tmp_path / "results")


def changes(of: Comparison, title: str, lang: str = "en") -> dict[str, dict[str, Any]]:
    (table,) = (t for t in compare_table.tables(of, lang) if t.title.startswith(title))
    return {str(policy): dict(row) for policy, row in table.frame.iterrows()}


def test_a_difference_that_only_a_tie_makes_is_none(compared: Comparison) -> None:
    """Capped at 2 a day the farm lacks 16, which no optimum of ``none`` has: that is a change."""
    figures = compared.figures.set_index(["policy", "measure", "scope", "name"])["mean"]
    lacking = figures["none", "deficit", "sector", "irrigation"]
    for scope, name in (("region", "north"), ("sector", "irrigation")):
        ends = [figures["none", f"deficit_{end}", scope, name] for end in ("least", "most")]
        assert ends == pytest.approx([0, 10], abs=1e-7)
    by_region = changes(compared, "Cost to each region")
    assert by_region["works"] == {"north: Deficit, hm3": "none", "south: Deficit, hm3": "none"}
    assert by_region["capped"]["north: Deficit, hm3"] == pytest.approx(16 - lacking)
    assert by_region["capped"]["south: Deficit, hm3"] == "none"
    assert by_region["none"]["north: Deficit, hm3"] == 0
    by_sector = changes(compared, "Each sector")
    assert by_sector["works"]["irrigation: Deficit, hm3"] == "none"
    assert by_sector["capped"]["irrigation: Deficit, hm3"] == pytest.approx(16 - lacking)


def test_the_tables_say_what_none_means(compared: Comparison, tmp_path: Path) -> None:
    title = "Cost to each region: change against none (none: both policies have optima that are"
    assert changes(compared, title)
    vietnamese = changes(compared, "Cái giá của mỗi vùng", "vi")
    assert set(vietnamese["works"].values()) == {"không"}
    compare_table.write(compared, tmp_path / "tables")
    text = (tmp_path / "tables" / "comparison.md").read_text(encoding="utf-8")
    assert "| works | none | none |" in text


def test_without_ranges_every_difference_stands(tmp_path: Path) -> None:
    cases = [
        policy(tmp_path, "none"),
        policy(tmp_path, "works", [*ALL, {"meet": {"demands": ["works"]}}]),
    ]
    of = compare([job.run(case, ranges=False) for case in cases])
    by_region = changes(of, "Cost to each region")
    assert all(isinstance(value, float) for row in by_region.values() for value in row.values())
    assert not [t for t in compare_table.tables(of) if t.title.startswith("Each sector")]
    assert days(2) == ["2001-01-01", "2001-01-02"]
