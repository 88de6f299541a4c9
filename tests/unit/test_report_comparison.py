"""The report of a comparison: what its charts and words hold is what the comparison says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import vl_convert
import xarray as xr
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tests.basins import write_basin
from tests.small import days
from wateralloc import compare
from wateralloc.case import read_case
from wateralloc.cli import base as cli
from wateralloc.comparison import Comparison
from wateralloc.comparison.attribution import Attribution, attribute
from wateralloc.errors import InputError
from wateralloc.report import compare_table
from wateralloc.report.charts import policies
from wateralloc.report.charts.shortage import divided
from wateralloc.report.charts.sides import Sides
from wateralloc.report.page import comparison as report
from wateralloc.report.page.model import Cards, Figure, Figures, Legend, Page, Paragraph, Table
from wateralloc.report.page.render import render

DAY = date(2026, 11, 30)
EVIL = "</script><script>alert(1)</script>"
NORTH = f"North {EVIL}"
DELIVERY = {"rule": "minimum_delivery", "name": "delta", "at": "head", "flow_m3s": 4e6 / 86400}
"""4 hm3 a day."""
CAP = {"rule": "quota", "name": "cap", "sectors": ["irrigation"], "volume_hm3": 6,
       "window": "year"}  # fmt: skip
FARM_FIRST = [{"meet": {"demands": ["farm"]}}, {"meet": {}}]
WORKS_FIRST = [{"meet": {"demands": ["works"]}}, {"meet": {}}]
USERS = (("farm", "head", "north", "upland", "irrigation"),
         ("works", "town", "south", "lowland", "industry"))  # fmt: skip
FLOWS = [6.0, 4, 30, *[0.0] * 362, *[10.0] * 3, *[0.0] * 362]
"""Two years: 40 hm3 come in the first three days of the one, 30 in those of the other."""


def river(folder: Path) -> None:
    """``head -> town -> sea``: a lake of 5 hm3, a farm beside it, a works at the town; 10 each."""
    write_basin(
        folder,
        yaml={
            "regions": {"north": {"en": NORTH, "vi": "Phía Bắc"}, "south": {"vi": "Phía Nam"}},
            "sectors": {"irrigation": {"vi": "Tưới"}, "industry": {"vi": "Công nghiệp"}},
        },
        nodes=[
            {"name": "head", "kind": "reservoir", "name_vi": "Hồ đầu nguồn"},
            {"name": "town", "kind": "control"},
            {"name": "sea", "kind": "sink"},
        ],
        reservoirs=[{"name": "head", "dead_hm3": 0, "normal_hm3": 5, "initial_hm3": 0}],
        links=[
            {"name": "upper", "from": "head", "to": "town", "kind": "reach"},
            {"name": "lower", "from": "town", "to": "sea", "kind": "reach"},
        ],
        demands=[
            {"name": name, "node": node, "region": region, "province": province,
             "sector": sector, "demand_hm3_day": 10, "consumption_fraction": 1}
            for name, node, region, province, sector in USERS
        ],
        series={"inflow_hm3_day": {"date": days(len(FLOWS)), "head": FLOWS}},
    )  # fmt: skip


def study(folder: Path) -> list[Path]:
    """Three cases on a river with a lake, two years of three days; the delivery, a cap, neither."""
    river(folder / "basin")
    paths = []
    clauses: dict[str, tuple[Any, Any]] = {
        "none": ([], FARM_FIRST),
        "delta": ([DELIVERY, CAP], FARM_FIRST),
        "works": ([], WORKS_FIRST),
    }
    for name, (rules, goals) in clauses.items():
        text = {
            "schema": 1,
            "title": {"en": f"The {name} {EVIL}", "vi": f"Cơ chế {name} được thử"},
            "basin": "basin",
            "timeline": {"start": "2001-01-01", "periods": 3, "step": "day"},
            "hydrology": {"record": "historic", "members": "all"},
            "rules": [dict(rule) for rule in rules],
            "goals": list(goals),
        }
        paths.append(folder / f"{name}.yaml")
        with paths[-1].open("w", encoding="utf-8") as stream:
            YAML().dump(text, stream)
    return paths


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def comparison(paths: list[Path]) -> Comparison:
    return compare([read_case(path) for path in paths])


@pytest.fixture(scope="module")
def attribution(paths: list[Path]) -> Attribution:
    return attribute([read_case(path) for path in paths[:2]])


@pytest.fixture(scope="module")
def page(comparison: Comparison, attribution: Attribution) -> Page:
    return report.make_page(comparison, attribution=attribution, day=DAY)


def figures_of(page: Page) -> dict[str, Figure]:
    blocks = (block for section in page.sections for block in section.blocks)
    found = [f for block in blocks if isinstance(block, Figures) for f in block.figures]
    return {figure.name: figure for figure in found}


def rows_of(figure: Figure, lang: str = "en") -> list[dict[str, Any]]:
    """Rows of the policies in the data of a chart."""
    return [row for rows in figure.charts[lang].datasets.values() for row in rows if "p" in row]


def mean_and_members(
    of: Comparison, policy: str, measure: str, scope: str, name: str
) -> list[float]:
    found = []
    for frame, column in ((of.figures, "mean"), (of.by_member, "value")):
        here = frame[(frame["policy"] == policy) & (frame["measure"] == measure)]
        found += here.loc[(here["scope"] == scope) & (here["name"] == name), column].tolist()
    return found


# --- numbers ------------------------------------------------------------------------------------


def test_who_is_served(comparison: Comparison, page: Page) -> None:
    names = {NORTH: "north", "south": "south"}
    rows = rows_of(figures_of(page)["served-region"])
    assert {(row["g"], row["p"]) for row in rows} == {
        (region, policy) for region in names for policy in ("none", "delta", "works")
    }
    for row in rows:
        region = names[row["g"]]
        for key, measure in (("vs", "satisfaction"), ("ds", "deficit")):
            told = mean_and_members(comparison, row["p"], measure, "region", region)
            assert len(told) == 3
            assert row[key] == pytest.approx(told, rel=1e-3, abs=1e-6)


def test_changes_of_provinces(comparison: Comparison, page: Page) -> None:
    rows = rows_of(figures_of(page)["changes"])
    assert {row["p"] for row in rows} == {"delta", "works"}
    assert {row["g"] for row in rows} == {"upland", "lowland"}
    for row in rows:
        own, base = (
            np.array(mean_and_members(comparison, policy, "deficit", "province", row["g"]))
            for policy in (row["p"], "none")
        )
        assert row["vs"] == pytest.approx(own - base, rel=1e-3, abs=1e-6)
        assert row["bs"] == pytest.approx(base, rel=1e-3, abs=1e-6)
    assert max(abs(row["vs"][0]) for row in rows) > 1


def test_members_from_the_largest_deficit(comparison: Comparison, page: Page) -> None:
    for row in rows_of(figures_of(page)["exceedance"]):
        values = mean_and_members(comparison, row["p"], "deficit", "basin", "all")[1:]
        told = dict(zip(comparison.members, values, strict=True))
        assert row["v"] == sorted(row["v"], reverse=True)
        assert row["v"] == pytest.approx([told[name] for name in row["m"]], rel=1e-3)
        assert [comparison.members[place - 1] for place in row["c"]] == row["m"]


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_measures_against_each_other(comparison: Comparison, page: Page, lang: str) -> None:
    figure = figures_of(page)["trade"]
    of = policies.measures(Sides(comparison, lang))
    assert list(figure.choices["across"][lang]) == [measure.name for measure in of]
    keys = [measure.key for measure in of]
    assert ("deficit", "basin", "all") in keys
    assert ("deficit", "region", "south") in keys
    assert ("kept", "yardstick", "delta") in keys
    for row in rows_of(figure, lang):
        for member in range(3):
            for place, key in enumerate(keys):
                if key[0] == "worst":
                    own = max(mean_and_members(comparison, row["p"], "deficit", "basin", "all"))
                else:
                    own = mean_and_members(comparison, row["p"], *key)[member]
                assert row["vs"][member][place] == pytest.approx(own, rel=1e-6, abs=1e-6)


def test_courses(comparison: Comparison, page: Page) -> None:
    """Means over the two years; what passes the head is what came, less the farm and the lake."""
    courses = comparison.courses
    assert courses["storage"].dims == ("policy", "edge", "reservoir")
    assert courses["flow"].attrs["units"] == "m3/s"
    drawn = {
        "storage-0": courses["storage"].sel(reservoir="head"),
        "flow-0": courses["flow"].sel(node="head"),
    }
    for name, told in drawn.items():
        for row in rows_of(figures_of(page)[name]):
            values = told.sel(policy=row["p"]).values.ravel()
            assert row["v"][: values.size] == pytest.approx(values, rel=1e-3, abs=1e-6)
    assert courses["node"].values.tolist() == ["head", "town"]
    for policy in comparison.policies.index:
        flow = courses["flow"].sel(node="head", policy=policy).sum().item() * 86400 / 1e6
        lack = mean_and_members(comparison, policy, "deficit", "region", "north")[0]
        kept = courses["storage"].sel(reservoir="head", policy=policy).values[-1]
        assert flow == pytest.approx((40 + 30) / 2 - (30 - lack) - kept, abs=1e-6)


def test_rules_of_each_policy(comparison: Comparison, page: Page) -> None:
    rules = comparison.rules
    assert rules["rule"].tolist() == ["delta", "cap"]
    assert rules["kept"].tolist() == [1, 1]
    rows = rows_of(figures_of(page)["rules"])
    assert [(row["p"], row["g"], row["vs"]) for row in rows] == [
        ("delta", "delta", [1]), ("delta", "cap", [1]),
    ]  # fmt: skip
    kept = {row["p"]: row["vs"] for row in rows_of(figures_of(page)["yardsticks"])}
    for policy, values in kept.items():
        told = mean_and_members(comparison, policy, "kept", "yardstick", "delta")
        assert values == pytest.approx(told)
    assert kept["none"][0] < 1


def test_a_change_divided_over_clauses(attribution: Attribution, page: Page) -> None:
    table = attribution.table
    here = (table["measure"] == "deficit") & (table["scope"] == "basin")
    (number,) = table.index[here]
    rows = next(iter(figures_of(page)[f"why-{number}"].charts["vi"].datasets.values()))
    clauses = attribution.names_of_clauses
    assert [row["v"] for row in rows] == pytest.approx(
        [*table.loc[number, clauses], table.loc[number, "total"]], rel=1e-3
    )
    assert len(clauses) == 2
    assert rows[-1]["n"] == "Tổng thay đổi"


def test_steps_of_a_waterfall() -> None:
    rows = next(
        iter(divided("a", "hm3", ["x", "y", "all"], [5, -2], [0, 0.5], "en").datasets.values())
    )
    assert [(row["a"], row["z"], row["e"], row["k"]) for row in rows] == [
        (0, 5, 0, "more"), (5, 3, 0.5, "less"), (0, 3, 0, "all"),
    ]  # fmt: skip


def test_new_figures_by_hand(comparison: Comparison) -> None:
    """What leaves the basin and what is spilled is what came and was not used or kept."""
    figures = comparison.figures.set_index(["policy", "measure", "scope", "name"])["mean"]
    for policy in comparison.policies.index:
        used = (
            figures[policy, "demand", "basin", "all"] - figures[policy, "deficit", "basin", "all"]
        )
        kept = float(comparison.courses["storage"].sel(policy=policy).isel(edge=-1).sum())
        outflow = figures[policy, "outflow", "basin", "all"]
        assert outflow == pytest.approx((40 + 30) / 2 - used - kept, abs=1e-6)
    north, south = (figures["none", "satisfaction", "region", r] for r in ("north", "south"))
    assert north > south
    by_member = comparison.by_member.set_index(["policy", "measure", "scope", "name", "member"])
    gini = by_member["value"]["none", "gini_among_region", "basin", "all", "2002-01"]
    assert gini == pytest.approx(0.5)  # one is served in full, the other not at all


# --- which are not outdone ----------------------------------------------------------------------


def made_up(deficit: list[float], energy: list[float], name: str = "p") -> Comparison:
    """A comparison of a basin without anything but deficit and energy."""
    names = [f"{name}{k}" for k in range(len(deficit))]
    rows = [
        (policy, measure, "basin", "all", unit, value, "", value, "m", "", 0.0)
        for k, policy in enumerate(names)
        for measure, unit, value in (("deficit", "hm3", deficit[k]), ("energy", "GWh", energy[k]))
    ]
    columns = ["policy", "measure", "scope", "name", "unit", "mean", "mean_of", "worst",
               "worst_member", "worst_of", "change"]  # fmt: skip
    figures = pd.DataFrame(rows, columns=columns)
    by_member = figures[["policy", "measure", "scope", "name", "unit"]].assign(
        member="m", value=figures["mean"]
    )
    titles = pd.DataFrame(
        {"title_en": names, "title_vi": names, "solved": False, "mended": False}, index=names
    )
    empty = pd.DataFrame(columns=["scope", "name", "en", "vi", "policy", "rule"])
    edges = np.array(["2001-01-01", "2001-01-02"], "datetime64[ns]")
    courses = xr.Dataset(
        {
            "storage": (("policy", "edge", "reservoir"), np.zeros((len(names), 2, 0))),
            "flow": (("policy", "time", "node"), np.zeros((len(names), 1, 0))),
        },
        {"policy": names, "edge": edges, "reservoir": [], "node": []},
        {"basin": name, "source": "wateralloc"},
    )
    return Comparison(names[0], ("m",), titles, figures, by_member, empty, empty, empty, courses)


@pytest.mark.parametrize(
    ("deficit", "energy", "best"),
    [
        ([3, 2, 1], [3, 2, 1], {"p0", "p1", "p2"}),  # more energy, more deficit
        ([1, 2, 3], [3, 2, 1], {"p0"}),
        ([1, 1, 2], [5, 5, 4], {"p0", "p1"}),  # alike in both
        ([1, 1, 1], [5, 6, 4], {"p1"}),  # alike in one
        ([1, 2, 3], [5, 5, 5], {"p0"}),
        ([1, 1 + 1e-9, 3], [5, 5, 6], {"p0", "p1", "p2"}),  # a difference of rounding
        ([4, 2, 5, 2, 9, 1], [7, 5, 7, 6, 9, 1], {"p0", "p3", "p4", "p5"}),
    ],
)
def test_which_are_not_outdone(deficit: list[float], energy: list[float], best: set[str]) -> None:
    """The words count them in Python and the chart in its own language; both are right."""
    sides = Sides(made_up(deficit, energy))
    across, up = policies.measures(sides)
    assert set(policies.undominated(across, up)) == best
    chart = policies.trade_off(sides)
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    bold = set(re.findall(r'<text[^>]*font-weight="bold"[^>]*>(p\d)</text>', svg))
    plain = set(re.findall(r"<text[^>]*>(p\d)</text>", svg)) - bold
    assert bold == best
    assert bold | plain == {f"p{k}" for k in range(len(deficit))}


def test_names_beside_points_keep_their_distance() -> None:
    """Also where all points are at one height, below or above."""
    for energy in ([1.0] * 9, [1, 1, 1, 1, 1, 1, 1, 1, 50], [1, 50, 50, 50, 50, 50, 50, 50, 49]):
        chart = policies.trade_off(Sides(made_up([*map(float, range(9))], energy)))
        svg = vl_convert.vegalite_to_svg(chart.to_dict())
        places = re.findall(r"<text[^>]*translate\([\d.]+,([\d.]+)\)[^>]*>p\d</text>", svg)
        heights = np.sort([float(place) for place in places])
        assert heights.size == 9
        assert np.diff(heights).min() > 0.99 * policies.LABEL
        assert heights[0] > 0
        assert heights[-1] < chart.height + 5


# --- the page -----------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Elements with their attributes, and the text of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.styles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "style":
            self.styles += data


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_file_needs_no_network_and_runs_no_script_of_a_name(page: Page, lang: str) -> None:
    of_names = report.make_page(made_up([1, 2], [3, 4], EVIL), day=DAY)
    for one in (page, of_names):
        text = render(one, lang, "library")
        tags = Tags(text)
        assert [tag for tag, _ in tags.found].count("script") == 3
        for tag, attributes in tags.found:
            assert tag not in ("link", "iframe", "object", "embed", "base", "img")
            assert "src" not in attributes
            assert str(attributes.get("href", "#")).startswith("#")
            assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in tags.styles
        assert "@import" not in tags.styles
        assert EVIL not in text
        assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text
        assert "default-src 'none'" in text
        stored = json.loads(re.findall(r'id="charts">(.*?)</script>', text, re.DOTALL)[0])
        assert set(stored["charts"]) == set(figures_of(one))
        assert set(stored["charts"]["trade"]) == {"en", "vi"}


def test_lists_of_choices(page: Page) -> None:
    """Member and policy for the whole page, the two measures beside their chart."""
    tags = Tags(render(page, "en", "")).found
    named = [
        attributes["name"] for tag, attributes in tags if tag == "select" and "name" in attributes
    ]
    assert named == ["policy", "policy", "member", "member", "across", "across", "up", "up"]
    figure = figures_of(page)["trade"]
    assert figure.chosen["across"] != figure.chosen["up"]
    chosen = [
        k
        for k, (tag, attributes) in enumerate(tags)
        if tag == "option" and "selected" in attributes
    ]
    assert len(chosen) == 1 + len(named)


def test_all_is_said_in_both_languages(page: Page) -> None:
    said = [page.title, *page.lead, *page.warnings, *page.foot]
    said += [section.title for section in page.sections]
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Paragraph):
                said.append(block.text)
            elif isinstance(block, Cards):
                said += [text for card in block.cards for text in card]
            elif isinstance(block, Figures):
                said += [text for f in block.figures for text in (f.title, f.note) if text]
            elif isinstance(block, Table):
                en, vi = block.table["en"], block.table["vi"]
                said.append({"en": en.caption, "vi": vi.caption})
                assert len(en.rows) == len(vi.rows)
                assert len(en.heads) == len(vi.heads) == len(en.rows[0].cells)
            else:
                assert isinstance(block, Legend)
                assert {sign.name.rstrip(" ★") for sign in block.signs} == {
                    "none",
                    "delta",
                    "works",
                }
    assert len(said) > 40
    for text in said:
        assert text["en"].strip()
        assert text["vi"].strip()
        assert "{" not in text["en"] + text["vi"]
    vietnamese = " ".join(text["vi"] for text in said)
    assert "So sánh các cơ chế" in vietnamese
    assert "Phía Nam" in vietnamese


def test_tables_are_those_that_are_printed(comparison: Comparison, page: Page) -> None:
    """Every table of the comparison, policies as columns, with the difference in brackets."""
    printed = {table.title: table for table in compare_table.tables(comparison)}
    found = {
        block.table["en"].caption: block.table["en"]
        for section in page.sections for block in section.blocks if isinstance(block, Table)
    }  # fmt: skip
    assert set(printed) <= set(found)
    results = found["Results, mean over members"]
    assert results.heads == ("Figure", "none", "delta", "works")
    means = comparison.figures.query("measure == 'deficit' and scope == 'basin'")["mean"].tolist()
    none, delta, works = means
    (row,) = [row for row in results.rows if row.cells[0] == "Deficit, hm3"]
    assert row.cells[1] == f"{none:.2f}"
    assert row.cells[2] == f"{delta:.2f} ({delta - none:+.2f})".replace("-", "−")
    assert abs(delta - none) > 1
    assert row.cells[3] == f"{works:.2f} (0.00)"
    assert works == pytest.approx(none)


def test_sentences_say_what_the_figures_say(comparison: Comparison, page: Page) -> None:
    (summary,) = [section for section in page.sections if section.name == "summary"]
    said = [block.text["en"] for block in summary.blocks if isinstance(block, Paragraph)]
    deficit = comparison.figures.query("measure == 'deficit' and scope == 'basin'")
    deficit = deficit.set_index("policy")
    least, most = deficit["mean"].idxmin(), deficit["mean"].idxmax()
    assert said[0].startswith(
        f"The deficit is least under {least} ({deficit['mean'].min():.1f} hm³)"
    )
    assert f"largest under {most} ({deficit['mean'].max():.1f})" in said[0]
    assert any(f"most under {deficit['worst'].idxmax()}" in text for text in said)


def test_a_mended_result_is_marked(comparison: Comparison) -> None:
    table = comparison.policies.assign(mended=[False, True, False])
    marked = report.make_page(replace(comparison, policies=table), day=DAY)
    assert "MENDED" in marked.warnings[0]["en"]
    assert "delta" in marked.warnings[0]["vi"]
    assert not report.make_page(comparison, day=DAY).warnings


def test_one_policy_and_one_member(paths: list[Path]) -> None:
    """What needs several is left out."""
    one = compare([read_case(paths[0])], members=["2001-01"])
    page = report.make_page(one, day=DAY)
    names = [section.name for section in page.sections]
    assert names == ["summary", "served", "reservoirs", "rivers", "tables"]
    assert 'select name="member"' not in render(page, "vi", "")


def test_policies_look_different(comparison: Comparison) -> None:
    """Also where there are more of them than colours."""
    names = [f"p{k}" for k in range(25)]
    sides = Sides(made_up([1.0] * 25, [1.0] * 25))
    assert sides.policies == tuple(names)
    looks = {(look.colour, tuple(look.dash), look.shape) for look in sides.looks.values()}
    assert len(looks) == 25


# --- the command --------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["compare", "none.yaml", "works.yaml", "--member", "2001-01", "--why"]
    done = CliRunner().invoke(cli.app, [*words, "--report", "page/policies.html", "--lang", "vi"])
    assert done.exit_code == 0, done.output
    assert "page/policies.html" in done.output
    text = Path("page/policies.html").read_text(encoding="utf-8")
    assert '<html lang="vi"' in text
    assert 'id="why"' in text
    assert len(text) > 500_000  # with the library of charts


def test_another_ending_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comparison: Comparison
) -> None:
    study(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["compare", "none.yaml", "delta.yaml", "--report", "a.pdf"])
    assert done.exit_code == 2
    assert not Path("results").exists()
    with pytest.raises(InputError) as refused:
        report.write(comparison, "a.pdf")
    assert str(refused.value) == (
        "a.pdf: E107 a report is one HTML file but its name ends in '.pdf'; end it in .html"
    )
