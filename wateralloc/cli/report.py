"""The command `report`, and the page that `run` leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wateralloc.cli.base import Lang, Language, _progress, app, console
from wateralloc.errors import shown

if TYPE_CHECKING:
    from wateralloc.results import Results


@app.command()
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Folder of a result.")],
    explain: Annotated[
        int | None,
        typer.Option(
            "--explain",
            min=0,
            metavar="N",
            help="Explain the so many users that lack most, anew; default: as they are kept with "
            "the result.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; default: report.html in RESULT.")
    ] = None,
    lang: Lang = Language.en,
) -> None:
    """Make the page of a result: report.html, one file that opens without a network.

    It says in words, tables and charts who got how much, where the water went, which rules were
    kept, why the worst shortages came about, and what of it is an estimate, in both languages.
    """
    from wateralloc.report.page import kept
    from wateralloc.report.page import result as page
    from wateralloc.results import Results

    path = out or result / page.NAME
    if path.suffix.lower() != ".html":
        raise typer.BadParameter(f"'{path.name}' must end in .html", param_hint="--out")
    with _progress("explain") as progress:
        results = Results.read(result)
        told = kept.read(result) if explain is None else None
        if told is None:
            told = kept.gather(results, result, explain or 0, progress)
        page.write(results, path, lang, kept=told)
    console.print(shown(path), soft_wrap=True)


def leave_page(
    results: Results,
    folder: Path,
    worst: int,
    lang: str,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write ``report.html``, with the so many users that lack most explained."""
    from wateralloc.report.page import kept
    from wateralloc.report.page import result as page

    told = kept.gather(results, folder, worst if page.is_short(results) else 0, progress)
    page.write(results, folder / page.NAME, lang, kept=told)
