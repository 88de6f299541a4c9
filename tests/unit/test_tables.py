"""Reading of text, YAML and CSV against declared tables.

What a broken file must say is in tests/errors; here is what a sound file gives.
"""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wateralloc.errors import Findings, Position
from wateralloc.tables import (
    Column,
    ColumnFault,
    Table,
    empty_table,
    is_identifier,
    match_column,
    parse_number,
    range_text,
    read_grid,
    read_table,
    read_text,
    read_yaml,
)

TABLE = Table(
    "gates",
    "Gates.",
    (
        Column("name", "name", "name", required=True),
        Column("capacity", "largest flow", dimension="flow", low=0, varies="timeline"),
        Column("loss", "share lost", dimension="fraction", default=0.0, low=0, high=1),
        Column("order", "order", "integer", default=1),
        Column("weights", "shares", "numbers", low=0),
        Column("built", "day it was built", "date"),
        Column("is_open", "is open", "boolean", default=False),
        Column("cost", "cost", dimension="price"),
        Column("note", "note", "text"),
        Column("node", "node", "name", refers_to="nodes"),
    ),
)


def read(
    folder: Path, text: str | bytes, table: Table = TABLE, **options: Any
) -> tuple[pd.DataFrame, list[str]]:
    """Frame, and the faults as lines without their file."""
    path = folder / f"{table.name}.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    findings = Findings()
    frame = read_table(path, table, findings, currency="VND", **options)
    faults = sorted(fault for fault, _ in findings.faults)
    return frame, [str(fault).removeprefix(path.as_posix()) for fault in faults]


# --- sound files ---


def test_numbers_come_in_the_canonical_unit(tmp_path: Path) -> None:
    frame, faults = read(
        tmp_path, "name,capacity_l_s,loss_percent,cost_vnd_m3\na,1500,10,770\nb,2.5e3,.5,-1.\n"
    )
    assert not faults
    assert frame.index.tolist() == ["a", "b"]
    assert frame["capacity"].tolist() == [1.5, 2.5]
    assert frame["loss"].tolist() == [0.1, 0.005]
    assert frame["cost"].tolist() == [770.0, -1.0]
    assert frame["capacity"].dtype == float


def test_every_declared_column_is_there_with_its_default(tmp_path: Path) -> None:
    frame, faults = read(tmp_path, "name\na\n")
    assert not faults
    assert frame.columns.tolist() == [c.name for c in TABLE.columns if c.name != "name"]
    assert frame.loc["a"].to_dict() == {
        "capacity": None,
        "loss": 0.0,
        "order": 1,
        "weights": None,
        "built": None,
        "is_open": False,
        "cost": None,
        "note": "",
        "node": "",
    }


def test_an_empty_number_is_none_and_never_nan(tmp_path: Path) -> None:
    frame, faults = read(
        tmp_path, "name,capacity_m3s,loss_fraction,note\na,,,\nb,2,0.5,x\nc,pattern:p,,\n"
    )
    assert not faults
    assert frame["capacity"].tolist() == [None, 2.0, "pattern:p"]
    assert frame["loss"].tolist() == [0.0, 0.5, 0.0]
    assert frame["note"].tolist() == ["", "x", ""]
    assert frame["capacity"].dtype == object
    assert frame.loc["a", "capacity"] is None


def test_patterns_and_empty_cells_alone_do_not_become_nan(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "name,capacity_m3s\na,\nb,pattern:p\n")
    assert frame["capacity"].tolist() == [None, "pattern:p"]


def test_cells_of_every_type(tmp_path: Path) -> None:
    frame, faults = read(
        tmp_path, "name,order,weights,built,is_open\na,2,0.7 0.3,1989-06-01,TRUE\nb,3.0,1,,false\n"
    )
    assert not faults
    assert frame["order"].tolist() == [2, 3]
    assert frame["weights"].tolist() == [(0.7, 0.3), (1.0,)]
    assert frame.at["a", "built"] == dt.date(1989, 6, 1)
    assert frame["is_open"].tolist() == [True, False]


def test_free_columns_are_kept_as_text(tmp_path: Path) -> None:
    frame, faults = read(tmp_path, "name,meta_code,meta_m3s\na,007,\n")
    assert not faults
    assert frame["meta_code"].tolist() == ["007"]
    assert frame["meta_m3s"].tolist() == [""]


def test_what_a_spreadsheet_writes_is_accepted(tmp_path: Path) -> None:
    """Byte order mark, CRLF, padded rows, blank rows, spaces around cells."""
    text = "\ufeffname,capacity_m3s,\r\n a , 5 ,,\r\n,,\r\n\r\nb,6,\r\n,,,\r\n\r\n"
    frame, faults = read(tmp_path, text)
    assert not faults
    assert frame["capacity"].to_dict() == {"a": 5.0, "b": 6.0}
    assert frame.attrs["positions"]["b", "capacity"].line == 5


def test_old_line_ends_and_a_missing_last_one(tmp_path: Path) -> None:
    assert read(tmp_path, "name\ra\rb")[0].index.tolist() == ["a", "b"]


def test_letters_with_accents_have_one_form(tmp_path: Path) -> None:
    composed, decomposed = "H\u00e0", "Ha\u0300"
    assert read(tmp_path, f"name\n{decomposed}\n")[0].index.tolist() == [composed]


def test_a_long_table_has_no_key(tmp_path: Path) -> None:
    table = Table("points", "", (Column("curve", "", "name"), Column("x", "")), key="")
    frame, faults = read(tmp_path, "curve,x\na,1\na,1\n", table)
    assert not faults
    assert frame.index.tolist() == [0, 1]
    assert frame.attrs["positions"][1, "x"] == Position((tmp_path / "points.csv").as_posix(), 3, 3)


def test_an_empty_table_has_its_columns() -> None:
    frame = empty_table(TABLE, Path("gates.csv"))
    assert len(frame) == 0
    assert "capacity" in frame.columns
    assert frame.index.name == "name"


# --- positions ---


def test_the_position_of_a_cell_counts_quotes_lines_and_letters(tmp_path: Path) -> None:
    path = (tmp_path / "gates.csv").as_posix()
    text = 'name,note,order\n"a","x, ""y""\nở trên",2\nb,đập,3\n'
    frame, faults = read(tmp_path, text)
    assert not faults
    assert frame.at["a", "note"] == 'x, "y"\nở trên'
    at = frame.attrs["positions"]
    assert at["a", "note"] == Position(path, 2, 5)
    assert at["a", "order"] == Position(path, 3, 9)
    assert at["b", "order"] == Position(path, 4, 7)
    assert at["b", "capacity"] == Position(path, 4, 1)  # no such column in the file
    with pytest.raises(KeyError):
        at["nobody", "order"]


def test_positions_travel_with_frames_as_one_object(tmp_path: Path) -> None:
    frame, _ = read(tmp_path, "name,order\na,1\nb,2\n")
    assert frame[["order"]].attrs["positions"] is frame.attrs["positions"]
    assert copy.deepcopy(frame.attrs["positions"]) is frame.attrs["positions"]
    assert set(frame.attrs["positions"]) >= {("a", "order"), ("b", "name")}


CELL = st.text(alphabet='ab,"\n ộ', max_size=6)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5))
def test_every_position_points_at_its_cell(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    """All cells quoted: at each position there stands the quoted cell."""
    path = tmp_path_factory.mktemp("grid") / "x.csv"
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    head = "a,b,c\n"
    path.write_text(head + "".join(",".join(row) + "\n" for row in quoted), encoding="utf-8")
    grid = read_grid(path, Findings())
    assert grid is not None
    kept = [k for k, row in enumerate(rows) if any(cell.strip() for cell in row)]
    assert grid.rows == [[cell.strip() for cell in rows[k]] for k in kept]
    lines = path.read_text(encoding="utf-8").split("\n")
    for n, k in enumerate(kept):
        for j, cell in enumerate(quoted[k]):
            at = grid.position(n, j)
            rest = "\n".join([lines[at.line - 1][at.column - 1 :], *lines[at.line :]])
            assert rest.startswith(cell)


# --- faults ---


def test_all_faults_of_a_table_are_found(tmp_path: Path) -> None:
    frame, faults = read(
        tmp_path, "name,capacity_m3s,loss_percent,order\na,-1,150,1\nb,x,5,1.5\na,1,1,1\n"
    )
    assert faults == [
        ":2:3: E203 capacity_m3s is -1 for gate 'a'; must be 0 or more",
        ":2:6: E203 loss_percent is 150 for gate 'a'; must be from 0 to 100",
        ":3:3: E204 capacity_m3s is 'x' for gate 'b'; must be a number or pattern:NAME",
        ":3:7: E204 order is '1.5' for gate 'b'; must be a whole number",
        ":4:1: E206 gate 'a' stands already in line 2; rename one",
    ]
    assert frame.attrs["faulty"] == {"a", "b"}
    assert frame["capacity"].tolist() == [None, None]


def test_cells_of_other_types_are_checked(tmp_path: Path) -> None:
    _, faults = read(tmp_path, "name,weights,built,is_open\na,0.5 -0.5,1.6.1989,yes\n")
    assert faults == [
        ":2:3: E203 weights is 0.5 -0.5 for gate 'a'; must be 0 or more",
        ":2:12: E213 built is '1.6.1989' for gate 'a'; must be a date as in 2004-06-01",
        ":2:21: E204 is_open is 'yes' for gate 'a'; must be true or false",
    ]


def test_a_table_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    frame, faults = read(tmp_path, "")
    assert faults == [": E103 file is empty; fill it or remove it"]
    assert frame.attrs["is_read"] is False
    assert read(tmp_path, "nam\na\n")[0].attrs["is_read"] is False
    assert read(tmp_path, "name\na\n")[0].attrs["is_read"] is True


def test_a_file_that_fails_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", fail)
    findings = Findings()
    assert read_text(tmp_path / "x.csv", findings) is None
    assert findings.faults[0][0].text == (
        "file cannot be read: Permission denied; check its permissions"
    )


# --- changes ---


def test_a_change_takes_the_place_of_a_cell(tmp_path: Path) -> None:
    changes = {
        "a": {"capacity_l_s": 500, "loss_fraction": None, "is_open": True, "weights": [0.5, 0.5]},
        "b": {"capacity_m3s": "pattern:p"},
    }
    frame, faults = read(
        tmp_path, "name,capacity_m3s,loss_percent\na,-5,10\nb,6,20\n", changes=changes
    )
    assert not faults  # the wrong value in the file is not in use
    assert frame["capacity"].tolist() == [0.5, "pattern:p"]
    assert frame["loss"].tolist() == [0.0, 0.2]
    assert frame["is_open"].tolist() == [True, False]
    assert frame["weights"].tolist() == [(0.5, 0.5), None]


def test_changes_are_checked_like_cells(tmp_path: Path) -> None:
    where = {"a": 1, "aa": 2}

    def locate(*keys: str) -> Position:
        return Position("case.yaml", where[keys[0]], len(keys))

    changes = {
        "a": {
            "capacity": 5,
            "loss_percent": 150,
            "name": "x",
            "capcity_m3s": 1,
            "cost_usd_m3": 1,
            "order": "many",
        },
        "aa": {"order": 1},
    }
    _, faults = read(tmp_path, "name\na\n", changes=changes, locate=locate)
    assert faults == [
        "case.yaml:1:2: E201 unknown column 'capcity_m3s'; did you mean 'capacity_m3s'?",
        "case.yaml:1:2: E203 loss_percent is 150 for gate 'a'; must be from 0 to 100",
        "case.yaml:1:2: E204 order is 'many' for gate 'a'; must be a number",
        "case.yaml:1:2: E207 column 'capacity' has no unit; write capacity_m3s or capacity_l_s or "
        "capacity_m3_day or capacity_hm3_day",
        "case.yaml:1:2: E208 column 'cost_usd_m3' is in USD but the basin's currency is VND; "
        "convert it to cost_vnd_m3",
        "case.yaml:1:2: E303 name of 'a' cannot be changed; remove it",
        "case.yaml:2:1: E211 unknown gate 'aa' in table gates; did you mean 'a'?",
    ]


def test_a_change_stands_where_it_was_made(tmp_path: Path) -> None:
    frame, _ = read(
        tmp_path,
        "name,order\na,1\n",
        changes={"a": {"order": 2}},
        locate=lambda *keys: Position("case.yaml", 7, 3),
    )
    assert frame.attrs["positions"]["a", "order"] == Position("case.yaml", 7, 3)


# --- columns and numbers ---


def test_any_currency_passes_where_it_is_not_known() -> None:
    assert match_column("cost_usd_m3", TABLE.columns, None)[0].name == "cost"
    with pytest.raises(ColumnFault, match="has no currency"):
        match_column("cost_usd_m3", TABLE.columns, "")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_exactly(value: float) -> None:
    assert parse_number(repr(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "inf",
        "-Infinity",
        "1,5",
        "1.234,5",
        "1 000",
        "1'000",
        "1_0",
        "1e",
        "x",
        "0x1",
        "1e400",
        "--1",
        "1.2.3",
        "٣",
        "1e5.5",
        "true",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_number(text)


def test_a_range_is_told_in_the_unit_of_the_file() -> None:
    assert range_text(Column("x", "", low=0)) == "must be 0 or more"
    assert range_text(Column("x", "", high=5)) == "must be 5 or less"
    assert range_text(Column("x", "", low=0, high=1), 0.01) == "must be from 0 to 100"


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("son_la", True),
        ("Hà_Nội", True),
        ("_x", True),
        ("a1", True),
        ("1a", False),
        ("a b", False),
        ("a-b", False),
        ("a.b", False),
        ("", False),
    ],
)
def test_names(name: str, is_valid: bool) -> None:
    assert is_identifier(name) is is_valid


# --- YAML ---

YAML = """\
schema: 1
answer: NO
start: 2030-06-01
rules:
  - rule: quota   # the first
    limit: 5.5
  - {rule: share, among: [a, b]}
empty:
"""


def test_yaml_is_plain_data_with_positions(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(YAML)
    findings = Findings()
    file = read_yaml(path, findings)
    assert not findings
    assert file.data == {
        "schema": 1,
        "answer": "NO",
        "start": "2030-06-01",
        "rules": [{"rule": "quota", "limit": 5.5}, {"rule": "share", "among": ["a", "b"]}],
        "empty": None,
    }
    assert type(file.data) is dict
    assert type(file.data["rules"][0]["limit"]) is float

    def place(at: Position) -> tuple[int, int]:
        return at.line, at.column

    assert place(file.position("answer")) == (2, 9)
    assert place(file.key_position("answer")) == (2, 1)
    assert place(file.position("rules", 0, "rule")) == (5, 11)
    assert place(file.key_position("rules", 0, "rule")) == (5, 5)
    assert place(file.position("rules", 1, "among", 1)) == (7, 30)
    assert place(file.position("empty")) == (8, 1)  # its key: there is no value
    assert place(file.position("rules", 0, "absent")) == (5, 5)  # what should hold it
    assert place(file.position("rules", 9)) == (4, 1)
    assert place(file.position("absent")) == (1, 1)
    assert place(file.key_position("schema", "deeper")) == (1, 1)


def test_yaml_anchors_and_merges_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\nalso: *b\n")
    findings = Findings()
    file = read_yaml(path, findings)
    assert not findings
    assert file.data["mine"] == {"x": 1, "y": 3}
    assert file.data["also"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1\n", "E105"),
        ("a: 1\n---\nb: 2\n", "E105"),
        ("a:\tb: c\n", "E105"),
        ("a: \x07\n", "E105"),
        ("text\n", "E105"),
        ("# only\n", "E103"),
        ("a: 1\na: 2\n", "E106"),
        ("a: -.inf\n", "E204"),
        ("a: *nobody\n", "E105"),
    ],
)
def test_yaml_that_is_wrong_is_told(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(text)
    findings = Findings()
    read_yaml(path, findings)
    assert [fault.code for fault, _ in findings.faults] == [code]


def test_lists_of_equal_length_are_no_matrix(tmp_path: Path) -> None:
    frame, faults = read(tmp_path, "name,weights\na,1 2\nb,3 4\n")
    assert not faults
    assert frame["weights"].tolist() == [(1.0, 2.0), (3.0, 4.0)]
    assert not isinstance(frame["weights"].iloc[0], np.ndarray)
