"""The report of the real basin, looked at: at two widths, in both languages, by mouse and keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Screenshot
from tests.browser.pages import assert_quiet, overflows, overlaps
from tests.unit.test_report_page import EVIL, EVIL_TOO, hostile
from wateralloc import job
from wateralloc.report.page import kept
from wateralloc.report.page import result as page_of
from wateralloc.results import Results

MEMBERS = ("2004-06", "2009-06")
CHANGES = {
    "hydrology.years": f"[{', '.join(MEMBERS)}]",
    "linearisation": "fixed",
    # more than there is, so that rules are broken
    "rules.delta_dry_season.flow_m3s": "[{from: 11-01, to: 01-20, value: 1520}, "
    "{from: 03-01, to: 05-31, value: 2000}]",
}
WIDTHS = (360, 1920)
DRAWN = "html[data-drawn=all]"
KINDS = (
    "heat", "deficits", "map", "schematic", "sankey", "reservoir", "level", "flow", "duration",
    "energy", "rules", "why",
)  # fmt: skip
NAMES = {
    "en": ("Ha Noi", "Red River at Son Tay", "Hoa Binh reservoir", "Thai Binh River", "median"),
    "vi": ("Hà Nội", "Sông Hồng tại Sơn Tây", "Hồ Hòa Bình", "Sông Thái Bình", "trung vị",
           "Bắc Kạn", "Hưng Yên", "Nuôi trồng thủy sản", "Đồng bằng sông Hồng"),
}  # fmt: skip
NUMBERS = {"en": "13,871", "vi": "13.871"}
"""What is asked in a year, to be found in both forms."""

Report = Callable[..., Page]


@pytest.fixture(scope="module")
def results() -> Results:
    return job.run("pilot_sharing", changes=CHANGES, ranges=False)


@pytest.fixture(scope="module")
def path(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the result, with its worst shortage explained."""
    folder = results.write(tmp_path_factory.mktemp("report") / "out")
    told = kept.gather(results, folder, 1)
    return page_of.write(results, folder / page_of.NAME, kept=told)


@pytest.fixture
def report(open_page: OpenPage, path: Path) -> Report:
    """Open the page and wait until all of it is drawn."""

    def open_one(width: int = 1920, lang: str = "en", **options) -> Page:
        page = open_page(path, width=width, **options)
        page.wait_for_selector(DRAWN)
        if lang != "en":
            page.select_option("#language", lang)
            page.wait_for_selector(DRAWN)
        return page

    return open_one


def charts(page: Page) -> list[str]:
    return page.eval_on_selector_all(".chart", "places => places.map(p => p.dataset.chart)")


def texts(page: Page, chart: str) -> list[str]:
    return page.eval_on_selector_all(
        f'[data-chart="{chart}"] svg text', "all => all.map(text => text.textContent)"
    )


def marks(page: Page, chart: str) -> str:
    """What is drawn in a chart, as SVG; the numbers of its clips are those of the page."""
    drawn = page.eval_on_selector(f'[data-chart="{chart}"] svg', "svg => svg.innerHTML")
    return re.sub(r"clip\d+", "clip", drawn)


def label(page: Page, chart: str, start: str) -> str:
    """Label of the mark of a chart that starts so."""
    return str(
        page.get_attribute(f'[data-chart="{chart}"] svg [aria-label^="{start}"]', "aria-label")
    )


# --- looks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "vi"])
@pytest.mark.parametrize("width", WIDTHS)
def test_report_is_whole(report: Report, screenshot: Screenshot, width: int, lang: str) -> None:
    page = report(width, lang)
    screenshot(page, f"report-{width}-{lang}")
    assert_quiet(page)
    assert overflows(page) == []
    drawn = charts(page)
    assert [kind for kind in KINDS if not any(name.startswith(kind) for name in drawn)] == []
    assert page.locator(".chart svg").count() == len(drawn) > 30
    assert page.locator(".failed").count() == 0
    for name in drawn:
        assert overlaps(page, f'[data-chart="{name}"] svg text') == [], name
    for blocks in ("header, nav, main > *, footer", "section > *", "figure", ".cards li", "h2, h3",
                   "figure > *"):  # fmt: skip
        assert overlaps(page, blocks) == [], blocks
    sizes = page.eval_on_selector_all(
        ".chart", "all => all.map(p => [p.clientWidth, p.querySelector('svg').clientWidth])"
    )
    assert all(room - 3 <= wide <= room for room, wide in sizes)
    for name in drawn:  # told to those who do not see
        title = page.inner_text(f'figure:has([data-chart="{name}"]) h3')
        told = page.get_attribute(f'.chart[data-chart="{name}"][role]', "aria-label")
        assert str(told).startswith(title.split(" [")[0]), name
    seen = page.inner_text("body")
    for name in NAMES[lang]:
        assert name in seen or any(name in text for c in drawn for text in texts(page, c)), name
    assert NUMBERS[lang] in seen
    assert NUMBERS["vi" if lang == "en" else "en"] not in seen


def test_print_has_all_charts(open_page: OpenPage, path: Path, screenshot: Screenshot) -> None:
    """Also what was not in sight before."""
    page = open_page(path, width=800)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_selector(DRAWN)
    page.emulate_media(media="print")
    screenshot(page, "report-print")
    assert_quiet(page)
    assert page.locator(".chart svg").count() == len(charts(page))
    assert page.locator(".contents").is_hidden()
    assert page.eval_on_selector("figure", "f => getComputedStyle(f).breakInside") == "avoid"
    assert overlaps(page, "main > *, section > *") == []
    assert page.eval_on_selector("header h1", "h => getComputedStyle(h).color") == "rgb(0, 0, 0)"


# --- choices ---------------------------------------------------------------------------------


def inflow(results: Results, sub_basin: str, member: str | None, season: str | None) -> float:
    """Inflow of a sub-basin [hm3 a year]."""
    dataset = results.dataset
    here = dataset["node_sub_basin"].values == sub_basin
    one = dataset["balance_inflow"].isel(node=np.flatnonzero(here))
    one = one.sel(member=member) if member else one.mean("member")
    month = one["time"].dt.month
    is_dry = (month >= 11) | (month <= 5)
    return float(one.where(is_dry if season == "dry" else month > 0, 0.0).sum())


def total(page: Page, chart: str, start: str) -> float:
    return float(label(page, chart, start).split()[-1].replace(",", ""))


def test_choices_change_what_is_drawn(report: Report, results: Results) -> None:
    page = report()
    names = ("sankey", "heat", "map", "reservoir-3", "duration-0", "energy", "rules", "deficits")
    assert total(page, "sankey", "Da River") == pytest.approx(
        inflow(results, "da", None, None), rel=1e-3
    )
    before = {name: marks(page, name) for name in names}
    page.select_option("select[name=member]:visible", label="2009-06")
    page.wait_for_selector(DRAWN)
    chosen = {name: marks(page, name) for name in names}
    for name in names:
        assert chosen[name] != before[name], name
    assert total(page, "sankey", "Da River") == pytest.approx(
        inflow(results, "da", "2009-06", None), rel=1e-3
    )
    lacking = results.dataset.sel(member="2009-06")
    here = lacking["province"].values == "vinh_phuc"
    one = lacking.isel(time=lacking["time"].dt.month.values == 5, demand=np.flatnonzero(here))
    share = 1 - float(one["deficit"].sum() / one["demand_volume"].sum())
    told = label(page, "heat", "Vinh Phuc, May").split(": ")[1]
    assert float(told.rstrip("%")) == pytest.approx(100 * share, abs=0.06)
    page.select_option("select[name=season]:visible", index=1)
    page.wait_for_selector(DRAWN)
    assert total(page, "sankey", "Da River") == pytest.approx(
        inflow(results, "da", "2009-06", "dry"), rel=1e-3
    )
    assert page.locator('[data-chart="heat"] svg [aria-label^="Vinh Phuc, Jul"]').count() == 0
    assert marks(page, "map") != chosen["map"]
    # the other language shows the same choice, in its words and numbers
    english = page.title()
    assert "1,000" in texts(page, "energy")
    page.select_option("#language", "vi")
    page.wait_for_selector(DRAWN)
    assert "1.000" in texts(page, "energy")
    assert "th. 6" in texts(page, "energy")
    assert page.title() != english
    assert page.get_attribute("html", "lang") == "vi"
    assert page.inner_text("h1").startswith("Thí điểm")
    assert page.locator("[data-of=en]:visible").count() == 0
    chosen_names = page.eval_on_selector_all(
        "nav select", "all => all.filter(s => s.checkVisibility()).map(s => s.value)"
    )
    assert chosen_names == ["vi", "2", "1"]
    told = label(page, "sankey", "Sông Đà").split()[-1]
    assert float(told.replace(".", "").replace(",", ".")) == pytest.approx(
        inflow(results, "da", "2009-06", "dry"), rel=1e-3
    )
    assert_quiet(page)


def test_choice_made_while_charts_are_drawn(open_page: OpenPage, path: Path) -> None:
    page = open_page(path)
    page.select_option("#language", "vi")
    page.select_option("select[name=member]:visible", index=1)
    page.select_option("#language", "en")
    page.wait_for_selector(DRAWN)
    of_member = {name: marks(page, name) for name in ("sankey", "duration-0", "flow-0")}
    page.select_option("select[name=member]:visible", index=0)
    page.wait_for_selector(DRAWN)
    page.select_option("select[name=member]:visible", index=1)
    page.wait_for_selector(DRAWN)
    assert {name: marks(page, name) for name in of_member} == of_member
    assert page.locator(".chart svg").count() == len(charts(page))
    assert_quiet(page)


# --- mouse and keys --------------------------------------------------------------------------


def test_hover_tells_numbers(report: Report) -> None:
    page = report()
    tooltip = page.locator("#vg-tooltip-element.visible")
    assert tooltip.count() == 0
    page.locator('[data-chart="heat"] svg [aria-label^="Vinh Phuc, May"]').hover(force=True)
    assert "Vinh Phuc" in tooltip.inner_text()
    assert "Deficit, hm³" in tooltip.inner_text()
    page.locator('[data-chart="sankey"] svg [aria-label^="Da River"]').hover()
    assert "Da River" in tooltip.inner_text()
    box = page.locator('[data-chart="reservoir-3"] svg').bounding_box()
    assert box
    page.locator('[data-chart="reservoir-3"]').scroll_into_view_if_needed()
    page.locator('[data-chart="reservoir-3"] svg').hover(
        position={"x": box["width"] / 2, "y": box["height"] / 3}
    )
    assert "median" in tooltip.inner_text()
    # a narrower window draws anew
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_function(
        "document.querySelector('[data-chart=heat] svg').clientWidth < 360"
        " && document.documentElement.dataset.drawn === 'all'"
    )
    page.locator('[data-chart="heat"] svg [aria-label^="Vinh Phuc, May"]').hover(force=True)
    assert "Vinh Phuc" in tooltip.inner_text()
    assert overflows(page) == []
    assert_quiet(page)


FOCUS = """() => {
    const at = document.activeElement;
    return [at.tagName.toLowerCase(), at.id || at.name || at.getAttribute("href")
        || at.getAttribute("aria-label") || at.innerText.trim(),
        getComputedStyle(at).outlineStyle];
}"""


def test_keys_reach_all_that_answers(report: Report) -> None:
    page = report()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, name, outline = page.evaluate(FOCUS)
        if tag == "body":
            break
        assert outline not in ("none", ""), (tag, name)  # one sees where one is
        reached.append((tag, name))
    assert reached[:4] == [
        ("select", "language"), ("select", "member"), ("select", "season"), ("a", "#summary"),
    ]  # fmt: skip
    assert ("a", "#record") in reached
    regions = [name for tag, name in reached if tag == "div"]
    assert any(name.startswith("Who got how much, mean over members [hm³]") for name in regions)
    assert ("summary", "As a table") in reached
    before = marks(page, "sankey")
    page.focus("select[name=member]:visible")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(DRAWN)
    assert page.input_value("select[name=member]:visible") == "1"
    assert marks(page, "sankey") != before
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1
    assert overflows(page) == []


# --- names that try to break out -------------------------------------------------------------


def test_hostile_names_are_inert(open_page: OpenPage, tmp_path: Path) -> None:
    path = page_of.write(hostile(tmp_path / "case"), tmp_path / "report.html")
    page = open_page(path)
    page.on("dialog", lambda dialog: pytest.fail(f"a name was run: {dialog.message}"))
    page.wait_for_selector(DRAWN)
    assert page.inner_text("h1") == EVIL
    page.locator('[data-chart="heat"] svg path[aria-label]').first.hover(force=True)
    assert EVIL in page.locator("#vg-tooltip-element").inner_text()
    page.select_option("#language", "vi")
    page.wait_for_selector(DRAWN)
    assert page.inner_text("h1") == EVIL_TOO
    page.locator('[data-chart="heat"] svg path[aria-label]').first.hover(force=True)
    assert "<img src=x onerror=alert(1)>" in page.locator("#vg-tooltip-element").inner_text()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3
    assert_quiet(page)
