"""Links of Markdown pages, and the places in pages that links may name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

LEVELS = 3
"""Headings down to this level have a name, as `myst_heading_anchors` in docs/conf.py says."""
MADE = "_generated/"
"""What the build of the manual makes from runs, and includes."""
_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
_LABEL = re.compile(r"^\(([^()\s]+)\)=$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page: its links, the pages in its lists of contents, names of headings, labels it sets."""

    links: tuple[str, ...]
    contents: tuple[str, ...]
    headings: frozenset[str]
    labels: frozenset[str]


def read_page(path: Path) -> Page:
    """Read a page of Markdown, or the text of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
        text = "\n\n".join("".join(source) for source in cells)
    tokens = _PARSER.parse(text)
    return Page(
        links=tuple(_links(tokens)),
        contents=tuple(_contents(tokens)),
        headings=frozenset(_headings(tokens)),
        labels=frozenset(_LABEL.findall(text)),
    )


def _links(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        found = re.match(r"\{(?:image|figure|include)\} (\S+)", token.info)
        if token.type == "fence" and found:
            yield found[1]
        for part in token.children or ():
            href = part.attrGet("href") if part.type == "link_open" else part.attrGet("src")
            if href is not None:
                yield str(href)


def _contents(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "fence" and token.info.startswith("{toctree}"):
            for line in token.content.split("\n"):
                if line and not line.startswith(":"):
                    yield line.partition("<")[2].removesuffix(">") or line


def _headings(tokens: list[Token]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open" or int(opening.tag[1:]) > LEVELS:
            continue
        title = "".join(part.content for part in inline.children or () if part.type != "image")
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug


def broken(path: Path, pages: Mapping[Path, Page]) -> list[str]:
    """Links of a page that lead nowhere; those to other sites are not followed.

    Parameters
    ----------
    path : the page
    pages : every page of the manual, by its absolute path
    """
    labels = frozenset[str]().union(*(page.labels for page in pages.values()))
    return [link for link in pages[path].links if not _leads(link, path, pages, labels)]


def _leads(link: str, path: Path, pages: Mapping[Path, Page], labels: frozenset[str]) -> bool:
    if re.match(r"[a-z]+:", link) or link.startswith(MADE):
        return True
    name, _, place = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if target not in pages:
        return target.exists() and not place
    page = pages[target]
    return not place or place in page.headings | page.labels or (not name and place in labels)
