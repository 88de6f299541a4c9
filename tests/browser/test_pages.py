"""Each thing that can be wrong with a page is seen, on a page that has only that."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenPage, Screenshot
from tests.browser.pages import RECORDS, assert_quiet, overflows, overlaps

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
SOUND = f"""
<p class="label">Đồng bằng sông Hồng</p><p class="label">Trung du và miền núi phía Bắc</p>
<img src="{PIXEL}" alt=""><a href="https://example.org/">elsewhere</a>
<script>
    console.info("fine");
    fetch(URL.createObjectURL(new Blob(["inside"])));
    location.hash = "part";
</script>"""

OpenBody = Callable[..., Page]


@pytest.fixture
def open_body(open_page: OpenPage, tmp_path: Path) -> OpenBody:
    """Open a page that has this body."""

    def open_one(body: str, **options) -> Page:
        path = tmp_path / "một trang.html"
        path.write_text(
            '<!doctype html><html lang="vi"><meta charset="utf-8"><title>page</title>'
            f'<link rel="icon" href="data:,"><body>{body}</body></html>',
            encoding="utf-8",
        )
        return open_page(path, **options)

    return open_one


def at(left: int, top: int, text: str, more: str = "") -> str:
    """Return a label of 100 by 20 pixels at a place."""
    place = f"position: absolute; left: {left}px; top: {top}px; width: 100px; height: 20px; {more}"
    return f'<div class="label" style="{place}">{text}</div>'


# --- noise --------------------------------------------------------------------------------------


def test_page_without_fault(open_body: OpenBody) -> None:
    page = open_body(SOUND, width=360)
    page.reload()
    assert_quiet(page)
    assert overlaps(page, ".label") == []
    assert overflows(page) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<script>undefined_name</script>", "undefined_name is not defined"),
        ("<script>Promise.reject(new Error('unfulfilled'))</script>", "unfulfilled"),
        ("<script>console.error('oh')</script>", "console error: oh"),
        ("<script>console.warn('well')</script>", "console warning: well"),
        ("<script>console.assert(1 > 2, 'sums')</script>", "console assert: sums"),
        ("<script>requestAnimationFrame(() => { throw Error('late') })</script>", "late"),
    ],
)
def test_errors_are_noise(open_body: OpenBody, body: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_quiet(open_body(body))


def test_error_after_a_click_is_noise(open_body: OpenBody) -> None:
    page = open_body("<button onclick='undefined_name'>press</button>")
    assert_quiet(page)
    page.get_by_role("button").click()
    with pytest.raises(AssertionError, match="undefined_name is not defined"):
        assert_quiet(page)


@pytest.mark.parametrize(
    ("body", "address"),
    [
        ("<script>fetch('{}').catch(() => 0)</script>", "http://127.0.0.1/figures.json"),
        ("<script>navigator.sendBeacon('{}')</script>", "http://127.0.0.1/seen"),
        ("<iframe src='{}'></iframe>", "http://127.0.0.1/frame.html"),
        ("<script>open('{}')</script>", "http://127.0.0.1/window.html"),
        ("<script>new WebSocket('{}')</script>", "ws://127.0.0.1/socket"),
        ("<img src='{}' alt=''>", "http://127.0.0.1/picture.png"),
        ("<link rel='stylesheet' href='{}'>", "file:///beside.css"),
    ],
)
def test_requests_are_noise(open_body: OpenBody, body: str, address: str) -> None:
    page = open_body(body.format(address))
    for _ in range(500):
        if RECORDS[page.context].strangers():
            break
        page.wait_for_timeout(10)
    with pytest.raises(AssertionError, match=f"request: {re.escape(address)}"):
        assert_quiet(page)


# --- boxes --------------------------------------------------------------------------------------


def test_labels_over_each_other(open_body: OpenBody) -> None:
    page = open_body(at(0, 0, "Hà Nội") + at(98, 18, "Hải Phòng") + at(300, 0, "Thái Bình"))
    assert overlaps(page, ".label") == [("Hà Nội", "Hải Phòng")]


@pytest.mark.parametrize(
    "other",
    [
        at(99, 0, "one pixel shared"),
        at(0, 19, "one pixel shared"),
        at(0, 0, "hidden", "visibility: hidden"),
        at(0, 0, "hidden", "opacity: 0"),
        at(0, 0, "hidden", "display: none") + at(500, 0, "apart"),
    ],
)
def test_labels_beside_each_other(open_body: OpenBody, other: str) -> None:
    page = open_body(at(0, 0, "Hà Nội") + other + at(300, 0, "Thái Bình"))
    assert overlaps(page, ".label") == []


def test_labels_of_a_drawing(open_body: OpenBody) -> None:
    texts = '<text y="40">Sơn La</text><text y="44">Hoà Bình</text><text y="90">Thác Bà</text>'
    page = open_body(f'<svg width="300" height="100">{texts}</svg>')
    assert overlaps(page, "svg text") == [("Sơn La", "Hoà Bình")]


def test_a_label_and_its_part_do_not_overlap(open_body: OpenBody) -> None:
    text = "<em class='label'>a text <b class='label'>of several</b> lines</em>"
    page = open_body(f"<p style='width: 60px'>and {text}</p>")
    assert overlaps(page, ".label") == []


def test_nothing_to_compare_is_a_fault(open_body: OpenBody) -> None:
    page = open_body(at(0, 0, "alone"))
    with pytest.raises(AssertionError, match=r"\.label matches 1 visible"):
        overlaps(page, ".label")


WIDE = "<table class='deficits'><tr><td style='min-width: 500px'>wide</td></tr></table>"


def test_table_wider_than_the_page(open_body: OpenBody) -> None:
    page = open_body(WIDE, width=360)
    assert overflows(page)[0] == "table.deficits"
    assert "page scrolls to 5" in overflows(page)[1]
    assert overflows(open_body(WIDE, width=1920)) == []


def test_table_cut_off_at_the_edge(open_body: OpenBody) -> None:
    page = open_body(f"<div style='overflow-x: hidden'>{WIDE}</div>", width=360)
    assert overflows(page) == ["table.deficits"]
    page = open_body(at(-50, 0, "half out"), width=360)
    assert overflows(page) == ["div.label"]


def test_table_that_scrolls_by_itself(open_body: OpenBody) -> None:
    assert overflows(open_body(f"<div style='overflow-x: auto'>{WIDE}</div>", width=360)) == []


def test_drawing_wider_than_the_page(open_body: OpenBody) -> None:
    drawing = '<svg id="map" width="{}" height="20"><rect width="900" height="9"/></svg>'
    assert overflows(open_body(drawing.format(300), width=360)) == []
    assert overflows(open_body(drawing.format(600), width=360))[0] == "svg#map"


# --- window -------------------------------------------------------------------------------------


def test_window_has_the_width_and_the_language(open_body: OpenBody) -> None:
    page = open_body("<p>page", width=360, height=640, language="vi-VN", color_scheme="dark")
    seen = page.evaluate("[innerWidth, innerHeight, navigator.language, (1234.5).toLocaleString()]")
    assert seen == [360, 640, "vi-VN", "1.234,5"]
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_screenshot(open_body: OpenBody, screenshot: Screenshot) -> None:
    path = screenshot(open_body("<div style='height: 3000px'>long</div>"), "long")
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert int.from_bytes(header[16:20]) == 1920
    assert int.from_bytes(header[20:24]) > 3000
