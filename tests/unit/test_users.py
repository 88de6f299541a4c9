"""A group of users: who is in it, what it is called, what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.basins import write_basin
from wateralloc import read_basin
from wateralloc.basin import Basin
from wateralloc.users import Users, unknown

ROWS = (
    ("hanoi", "domestic", "delta", "ha_noi"),
    ("son_tay_rice", "irrigation", "delta", "ha_noi"),
    ("thai_binh_rice", "irrigation", "delta", "thai_binh"),
    ("son_la_rice", "irrigation", "mountains", "son_la"),
)


@pytest.fixture
def basin(tmp_path: Path) -> Basin:
    return read_basin(
        write_basin(
            tmp_path,
            nodes=[{"name": "river", "kind": "inflow"}, {"name": "sea", "kind": "sink"}],
            links=[{"name": "reach", "from": "river", "to": "sea", "kind": "reach"}],
            demands=[
                {
                    "name": name,
                    "node": "river",
                    "sector": sector,
                    "region": region,
                    "province": province,
                    "annual_hm3": 1,
                }
                for name, sector, region, province in ROWS
            ],
        )
    )


@pytest.mark.parametrize(
    ("lists", "names", "title"),
    [
        ({}, [row[0] for row in ROWS], "all"),
        ({"sectors": ["domestic"]}, ["hanoi"], "domestic"),
        (
            {"sectors": ["irrigation"], "regions": ["delta"]},
            ["son_tay_rice", "thai_binh_rice"],
            "irrigation of delta",
        ),
        (
            {"provinces": ["son_la", "ha_noi"]},
            ["hanoi", "son_tay_rice", "son_la_rice"],
            "son_la+ha_noi",
        ),
        (
            {"sectors": ["irrigation"], "demands": ["son_la_rice", "hanoi"]},
            ["son_la_rice"],
            "irrigation of son_la_rice+hanoi",
        ),
    ],
)
def test_group_meets_every_list(
    basin: Basin, lists: dict[str, Any], names: list[str], title: str
) -> None:
    users = Users(**lists)
    assert users.users_in(basin) == names
    assert users.users_title() == title
    assert users.check_users(basin) == []


def test_demands_are_in_the_order_of_their_table(basin: Basin) -> None:
    assert Users(demands=["son_la_rice", "hanoi"]).users_in(basin) == ["hanoi", "son_la_rice"]


def test_every_unknown_name_is_told(basin: Basin) -> None:
    users = Users(
        sectors=["irigation", "domestic"], regions=["sea"], provinces=["hanoi"], demands=["x"]
    )
    faults = users.check_users(basin)
    assert [(key, code) for key, code, _ in faults] == [
        ("sectors", "E313"), ("regions", "E313"), ("provinces", "E313"), ("demands", "E313"),
    ]  # fmt: skip
    assert faults[0][2] == "unknown sector 'irigation'; did you mean 'irrigation'?"
    assert faults[1][2] == "unknown region 'sea'; known: delta, mountains"


def test_empty_group_is_a_fault(basin: Basin) -> None:
    users = Users(sectors=["domestic"], regions=["mountains"])
    assert users.users_in(basin) == []
    (fault,) = users.check_users(basin)
    assert fault == ("", "E313", "no demand of the basin meets all of these; widen the lists")


def test_unknown() -> None:
    assert unknown("of", ["a", "b"], ["a", "b", "c"], "item") == []
    ((key, code, text),) = unknown("of", ["a", "lke"], ["lake", "a"], "reservoir")
    assert (key, code, text) == ("of", "E313", "unknown reservoir 'lke'; did you mean 'lake'?")


def test_a_basin_without_demands_is_told_so(tmp_path: Path) -> None:
    place = read_basin(write_basin(tmp_path, nodes=[{"name": "sea", "kind": "sink"}]))
    ((key, code, text),) = Users().check_users(place)
    assert (key, code) == ("", "E313")
    assert text == "the basin has no demand that it could serve; add one to demands.csv"
