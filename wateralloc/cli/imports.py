"""The command ``import``: networks of other programs become basins."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wateralloc.cli.base import Lang, Language, _check_writable, app, console
from wateralloc.errors import shown


class Program(StrEnum):
    """Whose network is read."""

    calvin = "calvin"


WORDS_VI = {
    "nodes": "nút",
    "links": "đoạn dẫn nước",
    "reservoirs": "hồ chứa",
    "months": "tháng",
    "solve it with": "giải bằng",
}


@app.command("import")
def import_(
    program: Annotated[Program, typer.Argument(help="Program the network is of.")],
    file: Annotated[Path, typer.Argument(metavar="LINKS", help="Its arcs, .csv or .csv.gz.")],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="New folder, for basin/ and case.yaml.")
    ],
    lang: Lang = Language.en,
) -> None:
    """Turn a network of another program into a basin and a case.

    calvin: one row an arc, with columns i, j, k, cost, amplitude, lower_bound and upper_bound; a
    node's name ends in the last day of its month. Arcs without a place in a basin are listed, and
    nothing is written.
    """
    _check_writable(folder, is_result=False)
    from wateralloc.importers import calvin

    case, network = calvin.import_calvin(file, folder)
    words = WORDS_VI if lang is Language.vi else {}
    counts = {name: len(rows) for name, rows in network.tables.items()}
    sizes = [
        f"{words.get(name, name)}: {counts.get(name, 0)}"
        for name in ("nodes", "links", "reservoirs")
    ]
    sizes.append(f"{words.get('months', 'months')}: {network.months.size}")
    console.print(" · ".join(sizes))
    console.print(f"{words.get('solve it with', 'solve it with')}: wateralloc run {shown(case)}")
