"""The report of a comparison, looked at: policies of the pilot, at two widths, both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Screenshot
from tests.browser.pages import assert_quiet, overflows, overlaps
from tests.browser.test_report import DRAWN, WIDTHS, charts, marks, texts
from wateralloc import compare
from wateralloc.report.page import comparison as page_of

POLICIES = ("none", "delta_first", "decision_740")
CHANGES = {"hydrology.year": "2009-06", "linearisation": "fixed"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    comparison = compare(POLICIES, changes=CHANGES)
    return page_of.write(comparison, tmp_path_factory.mktemp("compared") / "policies.html")


def opened(open_page: OpenPage, path: Path, width: int, lang: str = "en") -> Page:
    page = open_page(path, width=width)
    page.wait_for_selector(DRAWN)
    if lang != "en":
        page.select_option("#language", lang)
        page.wait_for_selector(DRAWN)
    return page


@pytest.mark.parametrize("lang", ["en", "vi"])
@pytest.mark.parametrize("width", WIDTHS)
def test_report_is_whole(
    open_page: OpenPage, path: Path, screenshot: Screenshot, width: int, lang: str
) -> None:
    page = opened(open_page, path, width, lang)
    screenshot(page, f"compared-{width}-{lang}")
    assert_quiet(page)
    assert overflows(page) == []
    drawn = charts(page)
    assert page.locator(".chart svg").count() == len(drawn) > 10
    assert page.locator(".failed").count() == 0
    for name in drawn:
        if len(texts(page, name)) > 1:
            assert overlaps(page, f'[data-chart="{name}"] svg text') == [], name
    for blocks in ("header, nav, main > *, footer", "section > *", "figure", "h2, h3"):
        assert overlaps(page, blocks) == [], blocks
    seen = page.inner_text("body")
    assert ("Trung du và miền núi phía Bắc" in seen) == (lang == "vi")
    assert all(policy in seen for policy in POLICIES)


def test_lists_change_what_is_drawn(open_page: OpenPage, path: Path) -> None:
    """Two measures of the trade-off, and the policy that stands out."""
    page = opened(open_page, path, 1280)
    lists = page.eval_on_selector_all(
        "select[name]", "all => all.filter(s => s.offsetParent).map(s => s.name)"
    )
    assert "policy" in lists
    assert len(lists) >= 3  # the policy, and a measure for each axis
    for name in lists:
        before = {chart: marks(page, chart) for chart in charts(page)}
        values = page.eval_on_selector_all(
            f"select[name={name}]",
            "all => all.filter(s => s.offsetParent).flatMap(s => [...s.options].map(o => o.value)"
            ".filter(v => v !== s.value))",
        )
        page.select_option(f"select[name={name}]:visible", values[0])
        page.wait_for_selector(DRAWN)
        after = {chart: marks(page, chart) for chart in charts(page)}
        assert any(after[chart] != before[chart] for chart in after), name
    assert_quiet(page)
