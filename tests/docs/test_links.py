"""Every link of the manual and the README leads somewhere, to a heading too."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import generate
from tests.docs.links import Page, broken, read_page
from tests.docs.test_docs import DOCS, ROOT

BUILT = ("_build", "_generated", "reference")
OTHER = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "basins" / "red_river" / "SOURCES.md"]


def found() -> list[Path]:
    """Pages that are kept, those in folders too."""
    pages = [path for ending in ("md", "ipynb") for path in DOCS.rglob(f"*.{ending}")]
    return OTHER + sorted(p for p in pages if p.relative_to(DOCS).parts[0] not in BUILT)


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Every page, also those of the reference that are written from the code."""
    folder = tmp_path_factory.mktemp("manual")
    generate.write(folder)
    pages = {path: read_page(path) for path in found()}
    made = {DOCS / "reference" / p.name: read_page(p) for p in sorted(folder.iterdir())}
    return pages | made


def test_every_link_of_the_manual_resolves(manual: dict[Path, Page]) -> None:
    faults = {path.relative_to(ROOT).as_posix(): broken(path, manual) for path in manual}
    assert {page: links for page, links in faults.items() if links} == {}


def test_every_page_is_in_a_list_of_contents(manual: dict[Path, Page]) -> None:
    listed = {DOCS / "index.md"}
    for path, page in manual.items():
        for entry in page.contents:
            listed.update(path.parent.glob(f"{entry}.*") if "*" in entry else ())
            listed.update(path.parent / f"{entry}.{ending}" for ending in ("md", "ipynb"))
    assert {path for path in manual if DOCS in path.parents} - listed == set()


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    one, other = tmp_path / "one.md", tmp_path / "other.md"
    other.write_text("# Other\n\n(label)=\n## A heading: *two* words\n\n#### Too deep\n", "utf-8")
    good = [
        "other.md",
        "other.md#a-heading-two-words",
        "other.md#label",
        "#label",
        "#one",
        "https://x.org",
    ]
    bad = ["missing.md", "other.md#no-such", "#too-deep", "other.md#too-deep", "figure.svg"]
    text = "# One\n\n" + "".join(f"[]({link})\n" for link in good + bad[:-1])
    one.write_text(text + "```{image} figure.svg\n```\n\n`[code](not.md)`\n", "utf-8")
    pages = {path: read_page(path) for path in (one, other)}
    assert broken(one, pages) == bad
    assert broken(other, pages) == []
