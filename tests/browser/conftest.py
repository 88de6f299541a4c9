"""A browser, pages opened in it, and pictures of them.

The browser lives as long as tests of this folder run, and no longer: Playwright keeps an event
loop running in the thread, in which other tests could start none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import find_browser
from tests.browser.pages import open_recorded

OpenPage = Callable[..., Page]
Screenshot = Callable[[Page, str], Path]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = find_browser()
    with sync_playwright() as playwright:
        # Root can start it only without its sandbox; it sees no pages but our own.
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """`open_page(path, width=360, language="vi-VN")`; more options are those of Playwright."""
    pages = []

    def open_one(
        path: Path, width: int = 1920, height: int = 1080, language: str = "en-GB", **options
    ) -> Page:
        pages.append(open_recorded(browser, path, width, height, language, options))
        return pages[-1]

    yield open_one
    for page in pages:
        page.context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots", numbered=False)


@pytest.fixture
def screenshot(pictures: Path, request: pytest.FixtureRequest) -> Screenshot:
    """`screenshot(page, name)`: the whole page as a PNG; a test that fails says where it is."""

    def take(page: Page, name: str) -> Path:
        path = pictures / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        request.node.add_report_section("call", "screenshot", str(path))
        return path

    return take
