"""The page on sharing: its tables and its examples are what the functions give."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.sharing.laws import ANSWERS, NAMES
from tests.sharing.test_games import TVA
from wateralloc.sharing import agreements, claims, games

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sharing.md"
TEXT = PAGE.read_text(encoding="utf-8")
SHORT = ("PRO", "CEA", "CEL", "TAL", "RTAL", "PIN", "CE", "AP", "RA", "MO")


def table(name: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table after the mark of its name."""
    (block,) = re.findall(rf"^<!-- table: {name} -->\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    return lines[0], lines[2:]


def test_every_rule_in_a_dry_season() -> None:
    head, rows = table("P07")
    asked = [float(n) for n in re.findall(r"\((\d+)\)", " ".join(head))]
    assert [row[0] for row in rows] == [f"`{rule}`" for rule in claims.RULES]
    for name, *awards in rows:
        found = claims.RULES[name.strip("`")](100, asked)
        assert [f"{award:.2f}".rstrip("0").rstrip(".") for award in found] == awards


def test_talmud() -> None:
    head, rows = table("P01 P02 P03")
    of = [name.strip("`") for name in head[2:]]
    assert len(rows) == 9
    for k, (estate, claim, *awards) in enumerate(rows):
        assert float(claim) == (100, 200, 300)[k % 3]
        found = [claims.RULES[rule](float(estate), [100, 200, 300])[k % 3] for rule in of]
        assert [f"{award:.2f}".rstrip("0").rstrip(".") for award in found] == awards


def test_properties() -> None:
    head, rows = table("properties")
    assert tuple(head[1:]) == SHORT
    assert len(NAMES) == len(SHORT)
    for (name, *cells), (law, answers) in zip(rows, ANSWERS.items(), strict=True):
        assert name.split(":")[0].replace(" ", "_") in (law, law.split("_with")[0])
        assert cells == [{"y": "yes", "n": "no"}[answer] for answer in answers], law


def test_tennessee_valley() -> None:
    head, rows = table("G01")
    assert {row[0].strip("`") for row in rows} == set(games.DIVISIONS)
    for name, *amounts in rows:
        found = games.DIVISIONS[name.strip("`")](TVA)
        assert [float(amount) for amount in amounts] == pytest.approx(
            [found[purpose] for purpose in head[1:]], abs=0.05
        )


def test_examples() -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    runner = doctest.DocTestRunner(verbose=False)
    for block in blocks:
        runner.run(doctest.DocTestParser().get_doctest(block, {}, "sharing.md", str(PAGE), 0))
    assert runner.summarize(verbose=False).failed == 0


def test_page_names_every_rule_and_nothing_that_is_not() -> None:
    for name in (*claims.RULES, *games.DIVISIONS):
        assert f"`{name}`" in TEXT
    for one in (*claims.RULES, "with_floors", "priority", "two_tiers"):
        assert hasattr(claims, one)
    assert agreements.GANGES_1996.data
