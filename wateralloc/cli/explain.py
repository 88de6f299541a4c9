"""The command `explain`: why a user is short, what a rule costs, why a case has no solution."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wateralloc.cli.base import (
    Changes,
    Lang,
    Language,
    _parse_changes,
    _print_json,
    _print_utf8,
    _progress,
    app,
    console,
)
from wateralloc.errors import shown

NOBODY = {"en": "nobody is short", "vi": "không hộ nào thiếu nước"}


@app.command()
def explain(
    source: Annotated[
        str, typer.Argument(metavar="RESULT|CASE", help="Folder of a result, or a case.")
    ],
    demand: Annotated[str, typer.Option(help="User, by its name in demands.csv.")] = "",
    region: Annotated[str, typer.Option(help="All users of a region, together.")] = "",
    province: Annotated[str, typer.Option(help="All users of a province, together.")] = "",
    sector: Annotated[str, typer.Option(help="All users of a sector, together.")] = "",
    plant: Annotated[
        str, typer.Option(help="Plant, instead of users: why it makes less than its capacity.")
    ] = "",
    period: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="2031-02-21, 2031-02, 2031 or FROM..TO; default: the whole horizon.",
        ),
    ] = "",
    member: Annotated[
        str, typer.Option(help="Hydrology; default: the one in which these users lack most.")
    ] = "",
    worst: Annotated[
        int, typer.Option(min=0, help="Explain each of the so many users that lack most.")
    ] = 0,
    rule: Annotated[
        str, typer.Option(help="What a rule costs and whom, instead of a shortage.")
    ] = "",
    changes: Changes = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="Draw it too; also .png, .pdf or .html."),
    ] = None,
    lang: Lang = Language.en,
) -> None:
    """Say why users are short: who has the water, what holds it back, what others would lose.

    Without a name the three users that lack most are explained. With --rule it says what a rule
    costs and whom. A case without a solution is told why it has none.
    """
    if rule:
        _explain_rule(source, rule, member, changes, as_json, lang)
        return
    with _progress("explain") as progress:
        from wateralloc.explanation import explain as find_reasons
        from wateralloc.report import explanation

        is_named = any((demand, region, province, sector, plant))
        found = find_reasons(
            source, demand=demand, region=region, province=province, sector=sector, plant=plant,
            period=period, member=member, worst=worst or (0 if is_named else 3),
            changes=_parse_changes(changes), progress=progress,
        )  # fmt: skip
    if as_json:
        _print_json([explanation.as_data(one, lang) for one in found])
    elif not found:
        console.print(NOBODY[lang])
    else:
        for number, one in enumerate(found):
            if number:
                console.print()
            sys.stdout.flush()
            _print_utf8(explanation.text(one, lang))
    if figure is not None and found:
        from wateralloc.report.explanation_figure import write_figure

        write_figure(found, figure, lang)
        console.print(shown(figure))


def _explain_rule(
    source: str, rule: str, member: str, changes: list[str] | None, as_json: bool, lang: Language
) -> None:
    with _progress("members") as progress:
        from wateralloc.explanation import rule_cost
        from wateralloc.report import rule_cost as shown_cost

        cost = rule_cost(
            source, rule, member=member, changes=_parse_changes(changes), progress=progress
        )
    if as_json:
        _print_json(shown_cost.as_data(cost))
    else:
        _print_utf8(shown_cost.text(cost, lang))
