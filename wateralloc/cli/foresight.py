"""The command `foresight`: one case under several ways of looking ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wateralloc.cli.base import (
    CaseName,
    Changes,
    Lang,
    Language,
    _check_writable,
    _parse_changes,
    _print_frame,
    _print_lines,
    _progress,
    _words,
    app,
    console,
)
from wateralloc.errors import shown


@app.command()
def foresight(
    case: CaseName,
    windows: Annotated[
        str, typer.Option(metavar="N,...", help="Periods in sight of the rolling ways.")
    ] = "6,18",
    forecasts: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Forecasts of the rolling ways: climatology, persistence, conditional, perfect; "
            "file, where the case names one.",
        ),
    ] = "climatology,persistence,conditional",
    stride: Annotated[
        int, typer.Option(min=1, help="Periods that are known and kept before the window moves on.")
    ] = 1,
    decide: Annotated[
        list[str] | None,
        typer.Option(
            "--decide",
            metavar="QUANTITY",
            help="Decided before the hydrology is known, as withdrawal: adds the way two_stage; "
            "may be repeated.",
        ),
    ] = None,
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to; default: results/<case>_foresight."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Ways that run side by side, each in a process.")
    ] = 1,
    lang: Lang = Language.en,
) -> None:
    """Run a case under several ways of looking ahead, and say what knowing the future is worth.

    Each period by itself, windows with forecasts, two stages where the case says what is decided
    first, and perfect foresight: for the same members, side by side, with the regret of each goal.
    Where a way that does not know what comes cannot keep a hard rule, it misses it by as little as
    can be. The result of each way is kept in a folder of its name.
    """
    _check_writable(out or Path("results"), is_result=False)
    sizes = _whole_numbers(windows)
    with _progress("ways") as progress:
        from wateralloc.case import read_case
        from wateralloc.comparison.foresight import value_of_foresight

        read = read_case(case, _parse_changes(changes))
        folder = out or Path("results") / f"{read.name}_foresight"
        value = value_of_foresight(
            read, windows=sizes, forecasts=_names(forecasts), stride=stride, decide=decide or (),
            folder=folder, jobs=jobs, progress=progress,
        )  # fmt: skip
    from wateralloc.report import foresight_table

    own = _words(lang)
    console.print(read.title[lang], style="bold")
    _print_lines(foresight_table.ways(value, lang))
    console.print(foresight_table.summary(value, lang), soft_wrap=True)
    for table in foresight_table.tables(value, lang):
        _print_frame(table.frame, table.title, own, shares=table.shares, decimals=table.decimals)
    foresight_table.write(value, folder, lang)
    console.print()
    console.print(f"{own('results')}: {shown(folder)}/ ({', '.join(foresight_table.FILES)})")


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in _names(text)]
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is no list of whole numbers; write it as 6,18", param_hint="--windows"
        ) from None
