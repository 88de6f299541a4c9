"""Exceptions and findings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wateralloc import errors
from wateralloc.errors import (
    CODES,
    CaseError,
    Findings,
    InputError,
    ModelError,
    Position,
    TableError,
    listed,
    shown,
    suggest,
)


def test_all_faults_are_raised_once_sorted_by_file_line_and_column() -> None:
    findings = Findings()
    assert not findings
    findings.raise_if_any()
    findings.add(Position("b.csv", 2, 1), "E203", "second file")
    findings.add(Position("a.csv", 10, 1), "E203", "line 10")
    findings.add(Position("a.csv", 9, 12), "E203", "column 12")
    findings.add(Position("a.csv", 9, 5), "E203", "column 5")
    findings.add(Position("a.csv"), "E101", "whole file")
    findings.add(Position("a.csv", 9, 5), "E203", "column 5")  # said once
    assert findings
    with pytest.raises(TableError) as caught:
        findings.raise_if_any()
    assert str(caught.value).splitlines() == [
        "a.csv: E101 whole file",
        "a.csv:9:5: E203 column 5",
        "a.csv:9:12: E203 column 12",
        "a.csv:10:1: E203 line 10",
        "b.csv:2:1: E203 second file",
    ]
    assert [fault.at.line for fault in caught.value.faults] == [0, 9, 9, 10, 2]


def test_faults_of_several_kinds_are_an_input_error() -> None:
    findings = Findings()
    findings.add(Position("a.csv", 1), "E203", "table", TableError)
    findings.add(Position("a.yaml", 1), "E301", "case", CaseError)
    with pytest.raises(InputError) as caught:
        findings.raise_if_any()
    assert type(caught.value) is InputError


def test_a_code_must_be_declared() -> None:
    with pytest.raises(ModelError, match="E999"):
        Findings().add(Position("a"), "E999", "text")


def test_codes_have_one_form_and_a_meaning() -> None:
    assert all(re.fullmatch(r"E\d{3}", code) for code in CODES)
    assert all(CODES.values())
    assert list(CODES) == sorted(CODES)


def test_exit_codes_are_those_of_the_commands() -> None:
    codes = {
        name: thing.exit_code
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.WaterAllocError)
    }
    assert codes == {
        "WaterAllocError": 1,
        "InputError": 2,
        "TableError": 2,
        "CaseError": 2,
        "TopologyError": 2,
        "ModelError": 1,
        "SolveError": 4,
        "Infeasible": 3,
        "Uncertified": 4,
    }


def test_a_position_shows_what_is_known() -> None:
    assert str(Position("a.csv")) == "a.csv"
    assert str(Position("a.csv", 3)) == "a.csv:3"
    assert str(Position("a.csv", 3, 7)) == "a.csv:3:7"


def test_a_suggestion_is_close_or_absent() -> None:
    assert suggest("anual_hm3", ["annual_hm3", "name"]) == "; did you mean 'annual_hm3'?"
    assert suggest("zzz", ["annual_hm3"]) == ""
    assert suggest("x", []) == ""


def test_a_long_list_is_shortened() -> None:
    assert listed(["a", 1]) == "a, 1"
    assert listed(range(4), most=2) == "0, 1, ... (4 in all)"


def test_a_path_below_the_working_folder_is_shown_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert shown(inner / "a.csv") == "a.csv"
    assert shown("a.csv") == "a.csv"
    assert shown(tmp_path / "b.csv") == (tmp_path / "b.csv").as_posix()
