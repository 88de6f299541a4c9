"""Commands on many members and many settings: ``ensemble`` and ``sweep``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wateralloc.cli.base import (
    CaseName,
    Changes,
    Lang,
    Language,
    _check_writable,
    _parse_changes,
    _print_frame,
    _progress,
    _say,
    _words,
    app,
    console,
)
from wateralloc.errors import shown

if TYPE_CHECKING:
    import pandas as pd

    from wateralloc.ensemble import Ensemble, Sweep

Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes here; default: one for each processor."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers do the work, as tcp://10.0.0.1:8786.",
    ),
]
Block = Annotated[
    int | None, typer.Option("--block", min=1, help="Members solved and written together.")
]
Reference = Annotated[
    bool,
    typer.Option(
        "--reference",
        help="Start every member from the bases of the first by name; faster over many years.",
    ),
]
Restart = Annotated[
    bool,
    typer.Option("--restart", help="Throw away what the folder holds of other settings or code."),
]
SHOWN = ("mean", "q50", "q90", "max")
"""What is printed of a deficit among the members."""
MOST = 3
"""Failed members that are printed with their reason."""

WORDS = {
    "en": {
        "q50": "median",
        "q90": "9 of 10 below",
        "max": "worst",
        "volume_reliability": "volume served",
        "member_reliability": "members never short",
        "deficit": "deficit among members [hm3 over the horizon]",
    },
    "vi": {
        "solved": "giải được",
        "sector": "ngành",
        "region": "vùng",
        "all": "tổng",
        "mean": "trung bình",
        "q50": "trung vị",
        "q90": "9/10 không vượt",
        "max": "xấu nhất",
        "volume_reliability": "tỷ lệ cấp nước",
        "member_reliability": "kịch bản không thiếu nước",
        "deficit": "thiếu nước theo kịch bản [triệu m3 trong cả thời kỳ]",
        "without a solution": "không có lời giải",
        "combinations": "tổ hợp",
        "folder": "thư mục",
    },
}


@app.command()
def ensemble(
    case: CaseName,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; default: results/<case>-ensemble.")
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    block: Block = None,
    reference: Reference = False,
    restart: Restart = False,
    lang: Lang = Language.en,
) -> None:
    """Solve all members of a case in parallel; started again, it goes on where it stopped.

    A member without a solution is told with its reason and stops no other. Metrics of all members
    together, quantiles among them and results.nc go to results/<case>-ensemble/, which `table` and
    `compare` read like any result.
    """
    _check_writable(out or Path("results"), is_result=False)
    with _progress("members") as progress:
        from wateralloc.ensemble import run_ensemble

        found = run_ensemble(
            case,
            out,
            changes=_parse_changes(changes),
            workers=workers,
            scheduler=scheduler,
            block=block,
            reference=reference,
            restart=restart,
            progress=progress,
        )
    _print_ensemble(found, lang)


@app.command()
def sweep(
    case: CaseName,
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="KEY=VALUE,VALUE",
            help="Values of a setting, as demand.year=2030,2040; may be repeated: every "
            "combination is solved.",
        ),
    ],
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; default: results/<case>-sweep.")
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    block: Block = None,
    reference: Reference = False,
    restart: Restart = False,
    lang: Lang = Language.en,
) -> None:
    """Solve a case under every combination of settings, for all its members, in parallel.

    Started again, it goes on where it stopped. Each combination has a folder of its own below
    results/<case>-sweep/, beside tables of all of them.
    """
    _check_writable(out or Path("results"), is_result=False)
    with _progress("members") as progress:
        from wateralloc.ensemble import run_sweep

        found = run_sweep(
            case,
            parse_vary(vary),
            out,
            changes=_parse_changes(changes),
            workers=workers,
            scheduler=scheduler,
            block=block,
            reference=reference,
            restart=restart,
            progress=progress,
        )
    _print_sweep(found, lang)


def parse_vary(vary: Sequence[str]) -> dict[str, list[str]]:
    """Split ``a.b=1,2``; a comma within brackets, braces or quotes is part of a value.

    >>> parse_vary(["demand.year=2030,2040", "hydrology.years=[2004-06, 2009-06],[1998-06]"])
    {'demand.year': ['2030', '2040'], 'hydrology.years': ['[2004-06, 2009-06]', '[1998-06]']}
    """
    parsed: dict[str, list[str]] = {}
    for text in vary:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise typer.BadParameter(f"'{text}' is not KEY=VALUE,VALUE", param_hint="--vary")
        if key in parsed:
            raise typer.BadParameter(f"'{key}' is varied twice; name it once", param_hint="--vary")
        parsed[key] = _split_values(values)
    return parsed


def _split_values(text: str) -> list[str]:
    values, depth, quoted = [""], 0, ""
    for letter in text:
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "\"'":
            quoted = letter
        else:
            depth += (letter in "[{(") - (letter in "]})")
        if letter == "," and not depth and not quoted:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values]


def _say_in(lang: Language) -> Callable[[str], str]:
    own, common = WORDS[lang], _words(lang)
    return lambda text: own.get(text) or common(text)


def _print_ensemble(found: Ensemble, lang: Language) -> None:
    import xarray as xr

    from wateralloc.report.tables import word
    from wateralloc.results.store import DATASET

    say, manifest = _say_in(lang), found.manifest
    console.print(manifest["title"][lang], style="bold")
    counts = manifest["ensemble"]
    console.print(
        f"{manifest['basin']} · {say('members')}: {counts['members']} · {say('solved')}: "
        f"{counts['solved']} · {say('periods')}: {manifest['size']['periods']}"
    )
    with xr.open_dataset(found.folder / DATASET, engine="netcdf4") as dataset:
        for scope in ("sector", "region"):
            table = deficits(found, scope)
            table.index = [
                say("all") if name == "all" else word(dataset, scope, name, lang)
                for name in table.index
            ]
            table.index.name = scope
            _print_frame(
                table, say("deficit"), say, shares=["volume_reliability", "member_reliability"]
            )
    _print_failed(found, say)
    worst = manifest["certificate"]
    console.print(
        f"\n{say('certificate')}: primal {worst['primal']:.0e}, dual {worst['dual']:.0e}, "
        f"gap {worst['gap']:.0e}"
    )
    files = ", ".join(sorted(p.name for p in found.folder.iterdir() if p.name[0] != "."))
    console.print(f"{say('results')}: {shown(found.folder)}/ ({files})")


def deficits(found: Ensemble, scope: str) -> pd.DataFrame:
    """Deficits among the members, and reliabilities over all, of each name of a scope; then all."""
    import pandas as pd

    quantiles = found.quantiles.query("metric == 'deficit_hm3'")
    pooled = found.metrics
    rows = {}
    for of, names in (
        (scope, quantiles.loc[quantiles["scope"] == scope, "name"]),
        ("basin", ["all"]),
    ):
        for name in names:
            row = quantiles[(quantiles["scope"] == of) & (quantiles["name"] == name)].iloc[0]
            whole = pooled[(pooled["scope"] == of) & (pooled["name"] == name)]
            value = whole.set_index("metric")["value"]
            rows[str(name)] = {
                **{column: float(row[column]) for column in SHOWN},
                "volume_reliability": float(value["volume_reliability"]),
                "member_reliability": float(value["member_reliability"]),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _print_failed(found: Ensemble, say: Callable[[str], str]) -> None:
    failed = found.failed
    if not failed:
        return
    console.print()
    _say(f"{say('without a solution')}: {len(failed)}/{found.manifest['ensemble']['members']}")
    for of_member in failed[:MOST]:
        _say(of_member["reason"])
    if len(failed) > MOST:
        _say(f"... {shown(found.folder / 'failed.csv')}")


def _print_sweep(found: Sweep, lang: Language) -> None:
    say, metrics = _say_in(lang), found.metrics
    keys = list(found.table.columns[: -len(("folder", "members", "solved"))])
    basin = metrics[(metrics["scope"] == "basin") & (metrics["name"] == "all")]
    table = basin.pivot(index=keys, columns="metric", values="value")
    table = table[["demand_hm3", "deficit_hm3", "volume_reliability", "member_reliability"]]
    table.columns.name = None
    _print_frame(
        table, say("combinations"), say, shares=["volume_reliability", "member_reliability"]
    )
    short = found.table[found.table["solved"] < found.table["members"]]
    for _, row in short.iterrows():
        n_failed = row["members"] - row["solved"]
        _say(f"{row['folder']}: {say('without a solution')}: {n_failed}/{row['members']}")
    console.print(f"\n{say('results')}: {shown(found.folder)}/")
