"""The case behind a result: found again, compared with what it was, and solved again."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.ensemble.river import few, write_case
from tests.small import make_case
from tests.unit.test_results import river
from wateralloc import InputError, Results, job, read_case, run_ensemble
from wateralloc.case import build_case
from wateralloc.cli import app
from wateralloc.cli.base import Language
from wateralloc.cli.verify import WORDS, lines, verdict
from wateralloc.comparison.foresight import value_of_foresight
from wateralloc.errors import Infeasible
from wateralloc.results import record
from wateralloc.results.equality import compare
from wateralloc.results.record import case_of, sample_of, verify

GOALS = [{"meet": {"demands": ["farm"]}}, {"meet": {}}]
RULE = {"rule": "minimum_delivery", "name": "keep", "at": "sea",
        "flow_m3s": 1e6 / 86400}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``case.yaml`` and ``basin/``, from which commands are run."""
    make_case(tmp_path, periods=3, goals=GOALS, rules=[RULE], **river())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def solved(changes: dict[str, str] | None = None, out: str = "results/case") -> Path:
    return job.run("case.yaml", changes=changes).write(out)


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    """Change results.nc of a folder in place."""
    with netCDF4.Dataset(folder / "results.nc", "a") as file:
        change(file)


def put(file: Any, name: str, place: tuple[int, ...], value: Any) -> None:
    values = file[name][...]
    values[place] = value
    file[name][...] = values


def sha(path: Path | str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def said(*words: object) -> tuple[int, str]:
    """Exit code and output of the command."""
    done = CliRunner().invoke(app, ["verify", *map(str, words)])
    return done.exit_code, done.output


# --- equal --------------------------------------------------------------------------------------


def test_same_inputs_give_the_same_numbers(study: Path) -> None:
    folder = solved()
    found = verify(folder)
    assert found.is_equal
    assert (found.case, found.members, found.n_members) == ("case", ("2001-01",), 1)
    assert found.largest is None
    assert found.differences == found.contradictions == found.changed == ()
    assert found.tolerance == 1e-9
    dataset = Results.read(folder).dataset
    assert found.n_variables == len(dataset.variables)
    assert found.n_values == sum(variable.size for variable in dataset.variables.values())
    assert found.certificate == Results.read(folder).manifest["certificate"]
    assert found.residual <= 1e-9


def test_command_says_what_it_did(study: Path) -> None:
    folder = solved()
    found = verify(folder)
    figures = ", ".join(f"{name} {value:.0e}" for name, value in found.certificate.items())
    assert said(folder) == (
        0,
        "case: solved again: 1 of 1 members (2001-01)\n"
        f"certificate: {figures}\n"
        f"balance residual: {found.residual:.0e} hm3\n"
        f"compared: {found.n_values} values of {found.n_variables} variables, to 1e-09\n"
        "largest difference: 0\n"
        "the result holds: the same inputs give it again\n",
    )
    assert said(folder, "--lang", "vi", "--tolerance", "1e-3") == (
        0,
        "case: giải lại: 1 trên 1 kịch bản thủy văn (2001-01)\n"
        f"chứng nhận tối ưu: {figures}\n"
        f"sai số cân bằng nước: {found.residual:.0e} hm3\n"
        f"đã so sánh: {found.n_values} giá trị của {found.n_variables} biến, đến 1e-03\n"
        "sai khác lớn nhất: 0\n"
        "kết quả đúng: cùng số liệu đầu vào cho lại đúng kết quả này\n",
    )


def test_words_of_both_languages_have_the_same_places() -> None:
    en, vi = (
        {key: sorted(re.findall(r"{\w+", text)) for key, text in WORDS[lang].items()}
        for lang in ("en", "vi")
    )
    assert en == vi


# --- not equal ----------------------------------------------------------------------------------


def test_changed_number_is_found_and_named(study: Path) -> None:
    folder = solved()
    now = float(Results.read(folder).dataset["withdrawal"].sel(demand="works").values[0, 1])
    edit(folder, lambda file: put(file, "withdrawal", (0, 1, 1), now + 1e-6))
    found = verify(folder)
    (difference,) = found.differences
    assert difference == found.largest
    assert difference.variable == "withdrawal"
    assert difference.where == {"member": "2001-01", "time": "2001-01-02", "demand": "works"}
    assert (difference.stored, difference.found) == (now + 1e-6, now)
    assert difference.size == pytest.approx(1e-6 / max(now + 1e-6, 1.0), rel=1e-9)
    assert not found.contradictions
    assert verify(folder, tolerance=1e-5).is_equal
    code, text = said(folder)
    assert code == 4
    assert (
        f"largest difference: withdrawal (2001-01, 2001-01-02, works): {now + 1e-6:.12g} in the "
        f"file, {now:.12g} now (relative {difference.size:.1e})\n"
    ) in text
    assert text.endswith(
        "results/case: E385 the result is not what its inputs give (variables: 1 of "
        f"{found.n_variables}); do not rely on it: run the case again\n"
    )


def test_balance_that_does_not_close_is_found_in_the_result_alone(study: Path) -> None:
    folder = solved()
    dataset = Results.read(folder).dataset
    arriving = float(dataset["balance_link_in"].sel(node="town").values[0, 2])
    edit(folder, lambda file: put(file, "balance_link_in", (0, 2, 1), arriving + 0.25))
    found = verify(folder)
    (contradiction,) = found.contradictions
    assert contradiction.what == "balance"
    assert contradiction.where == {"member": "2001-01", "time": "2001-01-03", "node": "town"}
    assert contradiction.value == pytest.approx(0.25, abs=1e-9)
    assert found.residual == pytest.approx(0.25, abs=1e-9)
    said_in = {lang: list(lines(found, lang)) for lang in Language}
    limit = f"{contradiction.limit:.0e}"
    assert (
        "balance (2001-01, 2001-01-03, town) does not close: 0.25 hm3 are left, must be at most "
        f"{limit}" in said_in[Language.en]
    )
    assert (
        "cân bằng nước (2001-01, 2001-01-03, town) không khép: còn lại 0.25 hm3, phải không quá "
        f"{limit}" in said_in[Language.vi]
    )
    assert verdict(found, Language.vi) == (
        "E385 kết quả không đúng với số liệu đầu vào của nó (cân bằng nước và chứng nhận: 1; biến: "
        f"1 trên {found.n_variables}); đừng dùng: hãy chạy lại trường hợp này"
    )


def test_residual_beside_its_amounts_is_another(study: Path) -> None:
    folder = solved()
    edit(folder, lambda file: put(file, "residual", (0, 0, 0), 3.0))
    found = verify(folder)
    assert [c.what for c in found.contradictions] == ["residual"]
    assert (
        f"residual (2001-01, 2001-01-01, head) is 3 hm3, the amounts beside it leave "
        f"{found.contradictions[0].value:.3g}" in lines(found, Language.en)
    )


def test_certificate_is_checked_from_the_file(study: Path) -> None:
    folder = solved()
    edit(folder, lambda file: put(file, "stage_gap", (0,), 1e-3))
    found = verify(folder)
    assert [(c.what, c.where) for c in found.contradictions] == [
        ("certificate", {"figure": "gap"}),
        ("manifest", {"figure": "gap"}),
    ]
    told = found.contradictions[1].limit
    text = list(lines(found, Language.en))
    assert "certificate: gap is 1.0e-03, must be at most 1e-09" in text
    assert f"certificate: gap is 0.001 in results.nc, {told:.6g} in manifest.json" in text


def test_number_that_is_none_is_a_difference(study: Path) -> None:
    folder = solved()
    edit(folder, lambda file: put(file, "deficit", (0, 0, 0), np.nan))
    (difference,) = verify(folder).differences
    assert (difference.variable, difference.size) == ("deficit", np.inf)
    edit(folder, lambda file: put(file, "balance_inflow", (0, 0, 0), np.nan))
    assert [c.what for c in verify(folder).contradictions] == ["balance"]


def test_words_units_and_variables_are_compared(study: Path) -> None:
    folder = solved()

    def change(file: Any) -> None:
        put(file, "link_kind", (0,), "canal")
        file["release"].units = "m3s"
        file.renameVariable("rain", "snow")

    edit(folder, change)
    found = {difference.variable: difference for difference in verify(folder).differences}
    assert set(found) == {"link_kind", "rain", "release", "snow"}
    assert found["link_kind"].where == {"link": "upper"}
    assert (found["link_kind"].stored, found["link_kind"].found) == ("canal", "reach")
    assert (found["release"].stored, found["release"].found) == ("m3s", "hm3")
    assert (found["rain"].stored, found["rain"].found) == (None, "(member, time, reservoir)")
    assert (found["snow"].stored, found["snow"].found) == ("(member, time, reservoir)", None)
    text = list(lines(verify(folder), Language.vi))
    assert "snow: trong tệp (member, time, reservoir), bây giờ không có (không bằng nhau)" in text


def test_rows_are_matched_by_label_and_not_by_position(study: Path) -> None:
    dataset = Results.read(solved()).dataset
    turned = dataset.isel(
        {dim: slice(None, None, -1) for dim in ("demand", "node", "rule", "stage", "time", "word")}
    )
    assert not [found for found, _ in compare(dataset, turned) if found.size > 0]
    short = dataset.isel(node=[0, 2], rule=[0, 1])
    odd = [found for found, _ in compare(dataset, short) if found.size > 0]
    assert [(o.variable, o.stored, o.found) for o in odd] == [
        ("node", "there", None), ("rule", "there", None),
    ]  # fmt: skip
    assert odd[0].where == {"node": "town"}
    assert "2001-01-03" in odd[1].where["rule"]


# --- other versions -----------------------------------------------------------------------------


def test_other_versions_are_named_and_compared_less_strictly(study: Path) -> None:
    folder = solved()
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    highspy = manifest["versions"]["highspy"]
    manifest["versions"]["highspy"] = "1.0.0"
    manifest["solver"]["options"]["threads"] = 4
    manifest["code"] = "0" * 64
    path.write_text(json.dumps(manifest), encoding="utf-8")
    now = float(Results.read(folder).dataset["withdrawal"].values[0, 2, 0])
    edit(folder, lambda file: put(file, "withdrawal", (0, 2, 0), now + 1e-7))
    edit(folder, lambda file: put(file, "stage_iterations", (0,), 4711))
    found = verify(folder)
    assert found.is_equal
    assert found.tolerance == 1e-6
    assert found.largest is not None
    assert found.largest.variable == "withdrawal"
    assert found.changed[:2] == (f"highspy 1.0.0 -> {highspy}", "HiGHS threads 4 -> 1")
    assert found.changed[2].startswith("code 000000000000… -> ")
    code, text = said(folder)
    assert code == 0
    assert f"not as it was: {', '.join(found.changed)}\n" in text
    assert not verify(folder, tolerance=1e-9).is_equal


# --- inputs -------------------------------------------------------------------------------------


def test_all_that_is_missing_different_or_new_is_told_at_once(study: Path) -> None:
    folder = solved()
    demands, nodes = study / "basin/demands.csv", study / "basin/nodes.csv"
    was = {path: sha(path) for path in (demands, nodes)}
    demands.write_text(demands.read_text("utf-8").replace("farm", "field"), encoding="utf-8")
    nodes.unlink()
    expected = (
        f"basin/demands.csv: E383 is not as it was: sha-256 is {sha(demands)}…, was "
        f"{was[demands]}…; put the former back, or run the case again\n"
        f"basin/nodes.csv: E382 is missing: it was sha-256 {was[nodes]}…; put it back, or run the "
        "case again"
    )
    with pytest.raises(InputError) as error:
        verify(folder)
    assert str(error.value) == expected
    assert said(folder) == (2, expected + "\n")


def test_changed_and_new_files_of_a_sound_basin(study: Path) -> None:
    folder = solved()
    demands = study / "basin/demands.csv"
    was = sha(demands)
    demands.write_text(demands.read_text("utf-8").replace(",10", ",9"), encoding="utf-8")
    pattern = "pattern,start,value,unit\nhalf,01-01,0.5,1\n"
    (study / "basin/patterns.csv").write_text(pattern, encoding="utf-8")
    with pytest.raises(InputError) as error:
        verify(folder)
    assert str(error.value) == (
        f"basin/demands.csv: E383 is not as it was: sha-256 is {sha(demands)}…, was {was}…; put "
        "the former back, or run the case again\n"
        "basin/patterns.csv: E383 is new: the result was made without it; take it away, or run "
        "the case again"
    )
    case, faults = case_of(Results.read(folder), folder, strict=False)
    assert [fault.code for fault in faults] == ["E383", "E383"]
    assert case.basin.tables["demands"].shape[0] == 2


def test_missing_case_file(study: Path) -> None:
    folder = solved()
    was = sha("case.yaml")
    (study / "case.yaml").rename(study / "mine.yaml")
    expected = (
        f"case.yaml: E382 is missing: it was sha-256 {was}…; put it back, or run the case again"
    )
    for strict in (True, False):
        with pytest.raises(InputError) as error:
            case_of(Results.read(folder), folder, strict=strict)  # type: ignore[call-overload]
        assert str(error.value) == expected
    # under its new name it is the same case, but for the name that its file gave it
    changed = {"name": "case"}
    assert case_of(Results.read(folder), folder, changed, path="mine.yaml").name == "case"


def test_extended_case_and_code_of_a_rule_are_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_case(tmp_path, years=4, log="log", killer="nobody")
    (tmp_path / "cases").mkdir()
    child = "schema: 1\nextends: ../river.yaml\nhydrology: {year: 1801-03}\n"
    (tmp_path / "cases/child.yaml").write_text(child, encoding="utf-8")
    folder = job.run("cases/child.yaml").write("results/child")
    assert Results.read(folder).manifest["source"] == {"case": "cases/child.yaml", "shipped": None}
    assert verify(folder).is_equal
    was = sha("watch.py")
    with (tmp_path / "watch.py").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    parent = sha("river.yaml")
    (tmp_path / "river.yaml").unlink()
    with pytest.raises(InputError) as error:
        verify(folder)
    assert str(error.value) == (
        f"river.yaml: E382 is missing: it was sha-256 {parent}…; put it back, or run the case "
        "again\n"
        f"watch.py: E383 is not as it was: sha-256 is {sha('watch.py')}…, was {was}…; put the "
        "former back, or run the case again"
    )


def test_result_that_tells_no_case(study: Path) -> None:
    read = read_case("case.yaml")
    built = build_case(read.basin, read.timeline, goals=read.goals, members=read.members)
    folder = job.run(built).write("results/built")
    with pytest.raises(InputError) as error:
        verify(folder)
    assert str(error.value) == (
        "results/built: E384 was made of a case in memory, which has no file; run it again there"
    )
    path = solved() / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["source"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError) as error:
        verify("results/case")
    assert str(error.value) == (
        "results/case: E384 was made by a version that did not keep where its case is; run the "
        "case again"
    )


def test_case_that_was_changed_in_memory(study: Path) -> None:
    case = read_case("case.yaml")
    resolved = {**case.resolved, "goals": [], "title": {"en": "other"}}
    folder = job.run(replace(case, resolved=resolved)).write("results/changed")
    with pytest.raises(InputError) as error:
        verify(folder)
    assert str(error.value) == (
        "case.yaml: E383 goals, title of the case is not as in the result though its file is the "
        "same: it was changed in memory, or set from another folder; run the case again"
    )


# --- what the case was run with -----------------------------------------------------------------


def test_settings_are_kept_and_set_again(study: Path) -> None:
    changes = {"rules.keep.flow_m3s": str(2e6 / 86400), "timeline.periods": "2"}
    folder = solved(changes)
    assert Results.read(folder).manifest["changes"] == changes
    assert verify(folder).is_equal
    case = case_of(Results.read(folder), folder, {"timeline.periods": "1"})
    assert case.n_periods == 1
    assert case.changes["rules.keep.flow_m3s"] == changes["rules.keep.flow_m3s"]
    assert Results.read(solved()).manifest["changes"] == {}


def test_members_and_seed_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_case(tmp_path, years=12)
    setting = {"hydrology": "{synthetic: {method: bootstrap, members: 4, seed: 7}}"}
    folder = job.run("river.yaml", changes=setting).write("out")
    manifest = Results.read(folder).manifest
    assert manifest["seed"] == 7
    assert manifest["members"] == [f"synthetic_{k:04d}" for k in range(1, 5)]
    found = verify(folder, members=2)
    assert found.is_equal
    assert (len(found.members), found.n_members) == (2, 4)
    path = folder / "manifest.json"
    manifest["changes"]["hydrology"] = manifest["changes"]["hydrology"].replace("7", "8")
    manifest["resolved"]["hydrology"]["synthetic"]["seed"] = 8
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert not verify(folder).is_equal
    default = {"hydrology": "{synthetic: {method: bootstrap, members: 1}}"}
    assert job.run("river.yaml", changes=default).manifest["seed"] == 1
    assert job.run("river.yaml", changes={"hydrology": "{year: 1801-03}"}).manifest["seed"] is None


def test_some_members_of_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_case(tmp_path, years=6)
    folder = job.run(read_case(path).with_members([4, 1])).write("out")
    assert [m.name for m in case_of(Results.read(folder), folder).members] == ["1804-03", "1801-03"]
    assert verify(folder).is_equal
    other = job.run(few(path, 2, own=True)).write("own")
    with pytest.raises(InputError) as error:
        verify(other)
    assert str(error.value) == (
        "river.yaml: E384 the case has no member own_00, own_01, as the result has; run the case "
        "again"
    )
    # with other settings it may have other members, and has its own then
    assert case_of(Results.read(other), other, {"hydrology.members": "all"}).n_members == 6


def test_foresight_that_a_comparison_set(study: Path) -> None:
    value_of_foresight(
        read_case("case.yaml"), windows=[2], forecasts=["perfect"], folder=study / "f"
    )
    for way in ("simulate", "rolling_2_perfect", "perfect"):
        found = verify(study / "f" / way)
        assert found.is_equal, way
        assert found.case == way


def test_members_that_share_a_decision_are_solved_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_case(tmp_path, years=3)
    settings = {
        "foresight": "{two_stage: {decisions: {withdrawal: all}}}",
        "goals": "[{meet: {}}]",
    }
    folder = job.run("river.yaml", changes=settings).write("out")
    found = verify(folder, members=1)
    assert found.is_equal
    assert len(found.members) == 3


def test_ranges_are_found_again(study: Path) -> None:
    folder = solved()
    assert "withdrawal_least" in Results.read(folder).dataset
    assert verify(folder).is_equal
    edit(folder, lambda file: put(file, "withdrawal_most", (0, 0, 0), 99.0))
    (difference,) = verify(folder).differences
    assert difference.variable == "withdrawal_most"


def test_limits_give_way_again(study: Path) -> None:
    much = {"rules.keep.flow_m3s": str(1e9 / 86400)}
    results = job.run("case.yaml", changes=much, mend=True)
    assert results.manifest["mended"]
    assert verify(results.write("mended")).is_equal


# --- places -------------------------------------------------------------------------------------


def test_moved_result_is_verified_where_its_case_is_found(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = solved()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    # from the folder that commands were run in
    far = Path(shutil.copytree(folder, elsewhere / "far/result"))
    assert verify(far).is_equal
    # from the folders above the result, though commands are run elsewhere
    near = Path(shutil.copytree(folder, study / "kept/here/result"))
    monkeypatch.chdir(elsewhere)
    assert verify(near).is_equal
    # with the whole study
    moved = Path(shutil.copytree(study, elsewhere / "study"))
    assert verify(moved / "results/case").is_equal
    # named
    was = sha(study / "case.yaml")
    with pytest.raises(InputError) as error:
        verify(far)
    assert str(error.value) == (
        "basin: E382 is missing: it held 5 inputs of the basin; put it back, or run the case "
        "again\n"
        f"case.yaml: E382 is missing: it was sha-256 {was}…; put it back, or run the case again"
    )
    assert verify(far, case=study / "case.yaml").is_equal
    assert said(far, "--case", study / "case.yaml")[0] == 0


def test_file_that_is_still_the_same_goes_before_others_of_its_name(study: Path) -> None:
    folder = solved(out="old/results/case")
    shutil.copy(study / "case.yaml", study / "old/case.yaml")
    shutil.copytree(study / "basin", study / "old/basin")
    with (study / "case.yaml").open("a", encoding="utf-8") as file:
        file.write("# changed since\n")
    assert verify(folder).is_equal


def test_case_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = {"timeline.periods": "2", "hydrology.year": "2004-06"}
    results = job.run("pilot_dry_year", changes=short)
    assert results.manifest["source"] == {
        "case": "pilot_dry_year.yaml",
        "shipped": "pilot_dry_year",
    }
    folder = results.write("out")
    assert verify(folder).is_equal


def test_manifest_names_no_place_on_this_machine(
    study: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = json.loads((solved() / "manifest.json").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    where = str(study / "basin")
    outside = job.run(study / "case.yaml", changes={"basin": where}).manifest
    assert outside["source"] == {"case": "case.yaml", "shipped": None}
    assert inside["source"] == outside["source"]
    assert str(study) not in json.dumps([inside, outside])


# --- ensembles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [False, True])
def test_ensemble_is_verified_by_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_case(tmp_path, years=8, log=str(tmp_path / "log"), impossible=["1800-03"])
    run_ensemble(path, "out", workers=1, block=4, reference=reference)
    solved_before = (tmp_path / "log").read_text("utf-8").count("\n")
    found = verify("out")
    assert found.is_equal
    assert found.changed == ()
    names = [f"180{k}-03" for k in range(1, 8)]
    assert found.members == tuple(sample_of(names, 3))
    assert (len(found.members), found.n_members) == (3, 7)
    now = (tmp_path / "log").read_text("utf-8").splitlines()[solved_before:]
    assert set(",".join(now).split(",")) <= {*found.members, "1801-03"}
    assert verify("out", members=7).members == tuple(names)

    place = names.index(found.members[1])
    edit(tmp_path / "out", lambda file: put(file, "spill", (place, 1, 0), 1e3))
    edit(tmp_path / "out", lambda file: put(file, "metric_value", (place, 0), 1e9))
    differs = {difference.variable: difference for difference in verify("out").differences}
    assert set(differs) == {"metric_value", "spill"}
    assert differs["spill"].where == {
        "member": found.members[1], "time": "2001-04-01", "reservoir": "lake",
    }  # fmt: skip
    assert differs["metric_value"].where["member"] == found.members[1]
    code, text = said("out", "--members", 3)
    assert code == 4
    assert f"river: solved again: 3 of 7 members ({', '.join(found.members)})\n" in text


def test_settings_of_an_ensemble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_case(tmp_path, years=4)
    run_ensemble(path, "out", changes={"timeline.periods": "2"}, workers=1)
    assert verify("out").is_equal
    (tmp_path / "out/manifest.json").unlink()
    with pytest.raises(InputError) as error:
        verify("out")
    assert str(error.value) == (
        "out: E384 is an ensemble that is not done; run it again, and it goes on"
    )


def test_sample_depends_on_names_alone() -> None:
    names = [f"{year}-06" for year in range(1960, 2020)]
    chosen = sample_of(names, 5)
    assert sorted(sample_of(names[::-1], 5)) == chosen
    assert set(sample_of(names[10:], 5)) >= set(chosen) - set(names[:10])
    assert sample_of(names, None) == names


def test_case_without_a_solution_now(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = solved()

    def fail(*_: Any, **__: Any) -> None:
        raise Infeasible("E402 no solution")

    monkeypatch.setattr(record, "solve", fail)
    assert said(folder) == (3, "E402 no solution\n")


def test_not_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said("nowhere") == (
        2, "nowhere: E101 does not exist; run the case first, or name another folder\n",
    )  # fmt: skip
