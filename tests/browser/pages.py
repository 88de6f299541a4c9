"""What is wrong with a page: errors, requests, labels over labels, parts beyond its edge."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

# What a page does by itself at a frame is done when the second frame after it comes.
SETTLE = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

# The boxes of visible elements: one for each line of a text that is broken into several.
OVERLAPS = """selector => {
    const shown = {opacityProperty: true, visibilityProperty: true};
    const boxes = [...document.querySelectorAll(selector)]
        .filter(element => element.checkVisibility(shown))
        .flatMap(element => [...element.getClientRects()]
            .filter(box => box.width > 0 && box.height > 0)
            .map(box => ({element, box})));
    const name = ({element}) => element.textContent.trim().slice(0, 60) || element.tagName;
    const pairs = [];
    boxes.forEach((one, place) => boxes.slice(place + 1).forEach(other => {
        const [a, b] = [one.box, other.box];
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 1
            && !one.element.contains(other.element) && !other.element.contains(one.element))
            pairs.push([name(one), name(other)]);
    }));
    return [boxes.length, pairs];
}"""

# A part inside a box that scrolls by itself, or inside a drawing that cuts it off, moves no page.
OVERFLOWS = """() => {
    const root = document.documentElement;
    const width = root.clientWidth;
    const name = element => element.tagName.toLowerCase()
        + (element.id ? "#" + element.id : "")
        + [...element.classList].map(word => "." + word).join("");
    const beyond = element => {
        const box = element.getBoundingClientRect();
        return element.checkVisibility() && box.width > 0
            && (box.right + scrollX > width + 1 || box.left + scrollX < -1);
    };
    const holds = element => element !== document.body && element !== root
        && (["auto", "scroll"].includes(getComputedStyle(element).overflowX)
            || element instanceof SVGSVGElement
            && getComputedStyle(element).overflowX !== "visible");
    const found = [];
    const visit = element => {
        if (beyond(element)) found.push(name(element));
        else if (!holds(element)) [...element.children].forEach(visit);
    };
    visit(document.body);
    if (root.scrollWidth > width + 1) found.push(`page scrolls to ${root.scrollWidth} px`);
    return found;
}"""


@dataclass  # not frozen: Playwright hangs its wrappers of methods on the object
class Record:
    """What a page has done since it was opened.

    Parameters
    ----------
    address : str
        The file that was opened.
    errors : list of str
        Errors of its scripts, and errors and warnings on its console.
    requests : list of str
        Addresses of all requests, of frames and windows of the page too.
    """

    address: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.errors.append(f"console {message.type}: {message.text}")

    def script(self, error: WebError) -> None:
        self.errors.append(f"script error: {error.error}")

    def request(self, request: Request) -> None:
        self.requests.append(request.url)

    def window(self, page: Page) -> None:
        page.on("websocket", lambda socket: self.requests.append(socket.url))

    def strangers(self) -> list[str]:
        """Requests for something else than the file itself and what it carries inside."""
        return [
            url
            for url in self.requests
            if url.partition("#")[0] != self.address and not url.startswith(("data:", "blob:"))
        ]


RECORDS: WeakKeyDictionary[BrowserContext, Record] = WeakKeyDictionary()


def open_recorded(
    browser: Browser, path: Path, width: int, height: int, language: str, options: dict
) -> Page:
    """Open a file in a window of its own, without a network, and record what it does."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, offline=True, **options
    )
    record = RECORDS[context] = Record(path.resolve().as_uri())
    context.on("console", record.console)
    context.on("weberror", record.script)
    context.on("request", record.request)
    context.on("page", record.window)
    page = context.new_page()
    page.goto(record.address)
    page.evaluate(SETTLE)
    return page


def assert_quiet(page: Page) -> None:
    """Fail if the page had an error or a warning, or asked for anything outside its file.

    What has happened when this is called counts: wait first for what the page does later.
    """
    page.evaluate(SETTLE)
    record = RECORDS[page.context]
    noise = [*record.errors, *(f"request: {url}" for url in record.strangers())]
    assert not noise, "\n".join(noise)


def overlaps(page: Page, selector: str) -> list[tuple[str, str]]:
    """Return the texts of visible elements whose boxes overlap by more than a pixel, by pairs.

    An element inside another overlaps nothing by that. The box of a text at a slant is upright
    and larger than the text.
    """
    n_boxes, pairs = page.evaluate(OVERLAPS, selector)
    assert n_boxes > 1, f"{selector} matches {n_boxes} visible boxes: there is nothing to compare"
    return [(one, other) for one, other in pairs]


def overflows(page: Page) -> list[str]:
    """Return the outermost elements that reach beyond the window, and how far the page scrolls."""
    return page.evaluate(OVERFLOWS)
