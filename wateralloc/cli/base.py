"""Commands on one case or result, and what all commands share.

Modules that take long to load are imported inside the commands that need them, so that ``--help``
answers at once.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Grid
from typer.core import TyperGroup

import wateralloc
from wateralloc.errors import BUNDLES, WaterAllocError, listed, shown
from wateralloc.report.cells import cell, decimals_of

if TYPE_CHECKING:
    import pandas as pd

    from wateralloc.case import Case
    from wateralloc.comparison import Comparison
    from wateralloc.comparison.attribution import Attribution, Question
    from wateralloc.report.pages import Page
    from wateralloc.results import Results
    from wateralloc.timeline import Timeline

BAR_AFTER = 2.0
"""Seconds after which a progress bar appears."""
STOPPED = 130
GAP = 2
"""Characters between columns."""
LABEL = 24
"""Characters that a column of labels keeps in a narrow terminal."""
KEPT = 1e-6
"""An optimum of which a larger share was given up by a tolerance is shown beside what is kept."""
START = "pilot_sharing"
"""The case that a new study is told to run first."""

console = Console(highlight=False, markup=False)
messages = Console(stderr=True, highlight=False, markup=False)


class Language(StrEnum):
    """Language of what is printed."""

    en = "en"
    vi = "vi"


class Format(StrEnum):
    """What a case, a basin or a result is exported to."""

    lp = "lp"
    mps = "mps"
    pyomo = "pyomo"
    geojson = "geojson"
    gpkg = "gpkg"
    parquet = "parquet"
    xlsx = "xlsx"
    nc = "nc"
    folder = "folder"


ENDINGS = {
    Format.lp: ".lp", Format.mps: ".mps", Format.pyomo: ".pkl", Format.geojson: ".geojson",
    Format.gpkg: ".gpkg", Format.parquet: "_parquet", Format.xlsx: ".xlsx", Format.nc: ".nc",
    Format.folder: "",
}  # fmt: skip

PRICE_NOTE = (
    "shadow price: by how much one unit more of the requirement worsens the first goal it binds"
)

MENDED_NOTE = "hard limits gave way: these are not the results of the case as it is written"

WORDS: dict[str, dict[str, str]] = {
    "en": {},
    "vi": {
        "allocation, mean over members": "phân bổ, trung bình các kịch bản thủy văn",
        "energy, mean over members": "điện lượng, trung bình các kịch bản thủy văn",
        "rules": "quy tắc",
        "broken rules": "quy tắc bị vi phạm",
        PRICE_NOTE: "giá bóng: thêm một đơn vị yêu cầu làm mục tiêu đầu tiên bị ràng buộc xấu đi "
        "bao nhiêu",
        MENDED_NOTE: "đã nới các giới hạn cứng: đây không phải kết quả của phương án như đã viết",
        "mended": "đã nới trong kịch bản",
        "goals, in order": "mục tiêu, theo thứ tự",
        "members": "kịch bản thủy văn",
        "periods": "thời đoạn",
        "goal": "mục tiêu",
        "mean": "trung bình",
        "kept, mean": "giữ lại, trung bình",
        "min": "nhỏ nhất",
        "max": "lớn nhất",
        "unit": "đơn vị",
        "passes": "lượt giải lặp",
        "members that converged": "kịch bản hội tụ",
        "not": "chưa",
        "times": "thời gian",
        "read": "đọc",
        "build": "lập",
        "solve": "giải",
        "write": "ghi",
        "certificate": "chứng nhận tối ưu",
        "balance residual": "sai số cân bằng nước",
        "results": "kết quả",
        "run now": "vừa tính",
        "rule": "quy tắc",
        "wateralloc rules NAME prints the page of one": "wateralloc rules TÊN in trang mô tả của "
        "một quy tắc hay mục tiêu",
        "Equation": "Phương trình",
        "Source": "Nguồn",
        "Example": "Ví dụ",
        "Keys": "Khóa",
        "key": "khóa",
        "type": "kiểu",
        "default": "mặc định",
        "meaning": "ý nghĩa",
        "required": "bắt buộc",
        "goals": "mục tiêu",
    },
}
"""What `run` and `table` say, by its English words."""


class _Commands(TyperGroup):
    """Turns errors into messages and exit codes, whatever the command."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except WaterAllocError as error:
            _say(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _say("stopped")
            raise typer.Exit(STOPPED) from None
        except OSError as error:
            if error.errno == errno.EPIPE or error.strerror is None:
                raise
            if error.filename is None:  # what is printed goes nowhere else
                _say(f"output: E108 {error.strerror}; send it to another place")
                _drop_output()
                raise typer.Exit(2) from None
            _say(f"{shown(error.filename)}: E108 {error.strerror}; name another path")
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 bad input, 3 infeasible, 4 solver failure, 130 stopped.",
)


def main() -> None:
    """Run the command that the command line names."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that lacks a letter is no reason to stop
            stream.reconfigure(errors="replace")
    app(prog_name="wateralloc")


def _drop_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not fail over it at its end."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"wateralloc {wateralloc.__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Allocate the water of a river basin: who gets how much, when, why, and at whose cost."""
    log = logging.getLogger("wateralloc")
    if not any(isinstance(handler, _Warnings) for handler in log.handlers):
        log.addHandler(_Warnings(logging.WARNING))
        log.propagate = False


class _Warnings(logging.Handler):
    """Shows what the library logs in plain words."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"{record.levelname.lower()}: {record.getMessage()}")


def _say(text: str) -> None:
    messages.print(text, soft_wrap=True)


# --- run ------------------------------------------------------------------------------------


CaseName = Annotated[
    str,
    typer.Argument(metavar="CASE", help="Case file, or the name of one here or in the package."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Setting in place of the case's, as demand.year=2040; may be repeated.",
    ),
]
Lang = Annotated[Language, typer.Option("--lang", help="Language of names and headings.")]


@app.command()
def run(
    case: CaseName,
    changes: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the results; default: results/<case>.")
    ] = None,
    ranges: Annotated[
        bool | None,
        typer.Option(
            "--ranges/--no-ranges",
            help="The least and the most of each delivery that the goals leave open, with perfect "
            "foresight; default: where that takes little.",
        ),
    ] = None,
    mend: Annotated[
        bool,
        typer.Option(
            "--mend",
            help="Where hard limits contradict each other, let them give way by the least amount, "
            "and say so in all results.",
        ),
    ] = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report", help="Leave report.html too, the result to be looked at."
        ),
    ] = True,
    explain: Annotated[
        int,
        typer.Option(
            "--explain", min=0, metavar="N", help="Explain the so many users that lack most in it."
        ),
    ] = 3,
    lang: Lang = Language.en,
) -> None:
    """Solve a case, print its allocation and write its results.

    The tables, a workbook, a page to be looked at, results.nc and manifest.json go to
    results/<case>/. Former results of the case are
    replaced once the new ones are whole. Faults in the input are listed, and nothing is written.
    """
    _check_writable(out or Path("results"))
    with _progress("members") as progress:
        from wateralloc import job

        results = job.run(
            case, changes=_parse_changes(changes), progress=progress, ranges=ranges, mend=mend
        )
        started = time.perf_counter()
        folder = results.write(out or Path("results") / results.manifest["case"])
        from wateralloc.report import workbook

        workbook.write(results, folder, lang)
        written = time.perf_counter() - started
    if report:
        with _progress("explain") as progress:
            from wateralloc.cli.report import leave_page

            leave_page(results, folder, explain, lang, progress)
    _print_mended(results.manifest["mended"], lang)
    _print_run(results, folder, written, lang)


def _print_mended(mended: Mapping[str, Sequence[Mapping[str, Any]]], lang: Language) -> None:
    """Say first what gave way in which member: what follows is not the case as it is written."""
    if not mended:
        return
    say = _words(lang)
    console.print(say(MENDED_NOTE), style="bold red")
    for member, of_member in mended.items():
        for what in of_member:
            console.print(f"{say('mended')} {member}: {what['text'][lang]}", soft_wrap=True)
    console.print()


def _check_writable(folder: Path, *, is_result: bool = True) -> None:
    """Stop before the work when its results could not be kept.

    Parameters
    ----------
    is_result : the folder becomes that of a result, so it may hold no other files
    """
    from wateralloc.results.store import check_free

    place = folder.absolute()
    if is_result and folder != Path("results"):
        check_free(place)
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise OSError(errno.ENOTDIR, "is a file, not a folder", str(place))
    if not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, "nothing can be written here", str(place))


def _parse_changes(changes: Sequence[str] | None) -> dict[str, str]:
    """Split ``a.b=c`` at the first equals sign."""
    parsed = {}
    for change in changes or ():
        key, equals, value = change.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"'{change}' is not KEY=VALUE", param_hint="--set")
        parsed[key.strip()] = value.strip()
    return parsed


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal once the work has taken a while; yield what moves it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("·"), TimeRemainingColumn(elapsed_when_finished=True),
        console=messages, transient=True, disable=not messages.is_terminal,
    )  # fmt: skip
    task = bar.add_task(what, total=None)
    timer = threading.Timer(BAR_AFTER, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def _print_run(results: Results, folder: Path, written: float, lang: Language) -> None:
    from wateralloc.report import tables

    manifest = results.manifest
    say = _words(lang)
    size = manifest["size"]
    time_ = results.dataset["time_bnds"].values.astype("datetime64[D]")
    console.print(manifest["title"][lang], style="bold")
    console.print(
        f"{manifest['basin']} · {say('members')}: {size['members']} · {say('periods')}: "
        f"{size['periods']}, {time_[0, 0]} – {time_[-1, 1] - 1}"
    )
    allocation = tables.allocation_summary(results, lang)
    title = f"{say('allocation, mean over members')} [{allocation.attrs['unit']}]"
    shares = [tables.VALUES["satisfaction"][lang]]
    _print_frame(allocation, title, say, shares=shares, decimals=_decimals(allocation))
    energy = tables.energy_summary(results, lang)
    if len(energy):
        title = f"{say('energy, mean over members')} [{energy.attrs['unit']}]"
        _print_frame(energy, title, say, decimals=_decimals(energy))
    rules = tables.rules_summary(results, lang)
    if len(rules):
        spare = [tables.WORDS[word][lang] for word in ("kind", "broken")]
        _print_frame(rules.drop(columns=spare), say("rules"), say)
        console.print(say(PRICE_NOTE), style="dim")
    broken = tables.broken_summary(results, lang)
    if len(broken):
        _print_frame(broken, say("broken rules"), say)
    for note in tables.price_notes(results, lang):
        console.print(note, style="dim")
    _print_frame(_goals(manifest["stages"]), say("goals, in order"), say)
    console.print()
    seconds = {**manifest["seconds"], "write": written}
    steps = ("read", "build", "solve", "write")
    times = ", ".join(f"{say(step)} {seconds[step]:.1f} s" for step in steps)
    worst, balance = manifest["certificate"], manifest["balance"]
    if manifest["passes"]:
        console.print(f"{say('passes')}: {_passes(manifest['passes'], say)}")
    console.print(f"{say('times')}: {times}")
    console.print(
        f"{say('certificate')}: primal {worst['primal']:.0e}, dual {worst['dual']:.0e}, "
        f"gap {worst['gap']:.0e}"
    )
    console.print(
        f"{say('balance residual')}: {balance['largest_residual_hm3']:.0e} hm3 "
        f"({balance['largest_relative_residual']:.0e})"
    )
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    console.print(f"{say('results')}: {shown(folder)}/ ({files})")


def _passes(passes: dict[str, dict[str, Any]], say: Callable[[str], str]) -> str:
    """How many passes the members took, and how many converged."""
    numbers = [of_member["passes"] for of_member in passes.values()]
    some = f"{min(numbers)}–{max(numbers)}" if min(numbers) < max(numbers) else str(numbers[0])
    n_converged = sum(of_member["converged"] for of_member in passes.values())
    text = f"{some}; {say('members that converged')}: {n_converged}/{len(numbers)}"
    late = [name for name, of_member in passes.items() if not of_member["converged"]]
    return text + (f" ({say('not')}: {listed(late)})" if late else "")


def _goals(stages: dict[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """Optima of the goals: mean, least and largest over the members.

    Of the rounds of a goal that takes several only the first is named: the level of the worst off.
    Where goals have a tolerance, what is kept of their optima is shown beside them.
    """
    import pandas as pd

    optima: dict[str, list[dict[str, Any]]] = {}
    for of_member in stages.values():
        for stage in of_member:
            name, rounds, number = stage["name"].partition(", round ")
            if not rounds or number == "1":
                optima.setdefault(name, []).append(stage)
    rows = []
    for name, found in optima.items():
        values = [stage["value"] for stage in found]
        kept = [stage["kept"] for stage in found]
        rows.append(
            (
                name, sum(values) / len(values), min(values), max(values),
                sum(kept) / len(kept), found[0]["unit"],
            )
        )  # fmt: skip
    columns = ["goal", "mean", "min", "max", "kept, mean", "unit"]
    table = pd.DataFrame(rows, columns=columns).set_index("goal")
    gives_way = (table["mean"] - table["kept, mean"]).abs() > KEPT * table["mean"].abs()
    return table if gives_way.any() else table.drop(columns="kept, mean")


# --- check ----------------------------------------------------------------------------------


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(metavar="BASIN|CASE", help="Basin (a folder, .xlsx or .nc), or a case."),
    ],
    changes: Changes = None,
    lang: Lang = Language.en,
) -> None:
    """Read a basin or a case and list every fault, as file:line:column; or say what was read."""
    if Path(target).is_dir() or Path(target).suffix.lower() in BUNDLES:
        if changes:
            raise typer.BadParameter("is for a case; this is a basin", param_hint="--set")
        from wateralloc.basin import read_basin

        basin = read_basin(target)
        console.print(f"{basin.title.get(lang, basin.name)}: no faults", style="bold")
        _print_basin(basin, lang)
        return
    from wateralloc.case import read_case
    from wateralloc.foresight import check as check_program

    case = read_case(target, _parse_changes(changes))
    check_program(case)
    console.print(f"{case.title.get(lang, case.name)}: no faults", style="bold")
    _print_basin(case.basin, lang)
    _print_case(case)


def _print_basin(basin: Any, lang: Language) -> None:
    tables = basin.tables
    kinds = tables["nodes"]["kind"].value_counts(sort=False)
    lines = [
        ("basin", f"{basin.title.get(lang, basin.name)} ({shown(basin.folder)})"),
        ("nodes", f"{len(tables['nodes'])}: {', '.join(f'{n} {k}' for k, n in kinds.items())}"),
    ]
    for name in basin.declared:
        if name not in ("nodes", "curves", "patterns", "projections") and len(tables[name]):
            lines.append((name.replace("_", " "), str(len(tables[name]))))
    annual = sum(v for v in tables["demands"]["annual"] if v is not None)
    if annual:
        lines.append(("annual demand", f"{annual:.1f} hm3"))
    for name, series in basin.series.items():
        names = f"{series.values.shape[1]} names"
        lines.append((f"series {name}", f"{names}, {_dates(series.timeline)}"))
    _print_lines(lines)


def _dates(timeline: Timeline) -> str:
    first, last = timeline.starts[0], timeline.last_days[-1]
    return f"{timeline.periods} {timeline.step}s, {first} to {last}"


def _print_case(case: Case) -> None:
    members = [member.name for member in case.members]
    _print_lines(
        [
            ("timeline", _dates(case.timeline)),
            ("members", f"{len(members)}: {listed(members, 6)}"),
            ("rules", ", ".join(f"{rule.name} ({rule.kind})" for rule in case.rules) or "none"),
            ("goals", ", ".join(str(goal.kind) for goal in case.goals) or "none"),
        ]
    )


def _print_lines(lines: Sequence[tuple[str, str]]) -> None:
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in lines:
        grid.add_row(name, text)
    console.print(grid)


# --- table ----------------------------------------------------------------------------------


@app.command()
def table(
    result: Annotated[
        str, typer.Argument(metavar="RESULT", help="Folder of results, or its name in results/.")
    ],
    rows: Annotated[
        str, typer.Option(help="What stands in rows, joined by commas.")
    ] = "region,sector",
    columns: Annotated[
        str, typer.Option(help="What stands in columns: month, sector, member, ...")
    ] = "",
    value: Annotated[
        str, typer.Option(help="demand, withdrawal, deficit, satisfaction, ...")
    ] = "deficit",
    lang: Lang = Language.en,
    totals: Annotated[
        bool | None,
        typer.Option(
            "--totals/--no-totals",
            help="Add totals and subtotals.",
            show_default="with totals, but for --csv",
        ),
    ] = None,
    stat: Annotated[
        str, typer.Option(help="Of the members: mean, min, max, median, or a quantile as q10.")
    ] = "mean",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the table: .csv, .xlsx, .html, .md or .tex, by its ending."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the table to this file; - prints it as CSV.")
    ] = None,
) -> None:
    """Print a pivot table of the allocation, or write it as a file."""
    from wateralloc.report import table_files, tables

    ending = table_files.check_ending(out) if out is not None else ""
    results = _read_results(result)

    def make(by_default: bool) -> tables.Tabulation:
        wanted = by_default if totals is None else totals
        by = (_split(rows), columns.strip() or None, value, lang)
        return tables.tabulate(results, *by, totals=wanted, stat=stat)

    if out is not None:
        about = table_files.about(results.dataset, lang, date.today())
        _write_file(out, table_files.write(make(True), ending, about))
    if csv is not None:  # for programs: a total there would be taken for one more row
        text = table_files.csv_text(make(False), has_units=False)
        if str(csv) == "-":
            _print_utf8(text)
        else:
            # the mark at its start tells spreadsheets that it is UTF-8
            _write_file(csv, text.encode("utf-8-sig"))
    if out is None and csv is None:
        found = make(True)
        shares = [str(name) for name in found.frame.columns] if found.is_share else []
        say = _words(lang)
        _print_frame(found.printed, found.heading, say, shares=shares, decimals=found.decimals)
        for note in found.notes:
            console.print(note)


def _write_file(path: Path, content: bytes) -> None:
    from wateralloc.results.store import replacing

    with replacing(path) as written:
        written.write_bytes(content)
    console.print(shown(path))


def _split(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _read_results(result: str) -> Results:
    from wateralloc.results import Results

    named = Path("results") / result
    return Results.read(named if not Path(result).exists() and named.exists() else Path(result))


# --- compare --------------------------------------------------------------------------------


@app.command()
def compare(
    cases: Annotated[
        list[str],
        typer.Argument(metavar="CASE|RESULT...", help="Cases, or folders of results."),
    ],
    reference: Annotated[
        str,
        typer.Option(help="Policy to compare with; default: the one called none, else the first."),
    ] = "",
    member: Annotated[
        list[str] | None,
        typer.Option(help="Only this hydrology, as 2009-06; may be repeated."),
    ] = None,
    kept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE:M3S[@MM-DD..MM-DD]",
            help="Flow at a section whose keeping is measured on every policy; may be repeated.",
        ),
    ] = None,
    yardstick: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CASE[:RULE]",
            help="Case whose rules of delivery and level, or one rule, are measured on every "
            "policy; default: those that some of the policies have; may be repeated.",
        ),
    ] = None,
    storage_on: Annotated[
        list[str] | None,
        typer.Option(metavar="MM-DD", help="Day of the storage; default: 05-01; may be repeated."),
    ] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Of two cases: divide each change over the clauses that differ."
        ),
    ] = False,
    together: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLAUSE,CLAUSE",
            help="With --why: clauses that are taken as one; may be repeated.",
        ),
    ] = None,
    orders: Annotated[
        int | None,
        typer.Option(min=1, help="With --why and more than 8 clauses: orders tried; default: 200."),
    ] = None,
    changes: Changes = None,
    jobs: Annotated[int, typer.Option(min=1, help="Cases that are run side by side.")] = 1,
    results: Annotated[
        Path, typer.Option("--results", help="Folder in which each case has its results.")
    ] = Path("results"),
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the tables; default: with the results.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a page to look at too: charts and tables in both languages, one file.",
        ),
    ] = None,
    lang: Lang = Language.en,
) -> None:
    """Put policies side by side, and run those that have not been run.

    A case is run unless its results are those of the same inputs, options and program; then they
    are read. The tables go to results/comparison/: comparison.csv, figures.csv, by_member.csv,
    differences.csv, comparison.md. All must have the same basin, periods and members.

    With --why each combination of the clauses by which two cases differ is solved too, and
    attribution.csv and attribution.md say how much of each change is due to each clause.

    With --report one HTML file shows the policies in charts: who is served, what changes for whom,
    what goes against what, reservoirs, rivers and rules. It needs no network.
    """
    if (together or orders) and not why:
        hint = "--together" if together else "--orders"
        raise typer.BadParameter("goes with --why; add it", param_hint=hint)
    folder = out or results / "comparison"
    for place in (results, folder, *([report.parent] if report else [])):
        _check_writable(place, is_result=False)
    if report is not None:
        from wateralloc.report.page.comparison import check_path

        check_path(report)
    question = None
    if why:
        from wateralloc.comparison.attribution import read_question

        question = read_question(
            cases, changes=_parse_changes(changes), results=results, reference=reference,
            members=member or (), together=[names.split(",") for names in together or ()],
        )  # fmt: skip
    with _progress("members") as progress:
        from wateralloc.comparison import STORAGE_ON
        from wateralloc.comparison import compare as compare_policies

        comparison = compare_policies(
            cases, changes=_parse_changes(changes), results=results, reference=reference,
            members=member or (), kept=kept or (), yardsticks=yardstick or (),
            storage_on=storage_on or STORAGE_ON, jobs=jobs, progress=progress,
        )  # fmt: skip
    _print_comparison(comparison, lang)
    from wateralloc.report import attribution_table, compare_table

    compare_table.write(comparison, folder, lang)
    files = [*compare_table.FILES]
    attribution = None
    if question is not None:
        attribution = _explain_difference(question, jobs, orders, folder, lang)
        files += attribution_table.FILES
    console.print(f"{_words(lang)('results')}: {shown(folder)}/ ({', '.join(files)})")
    if report is not None:
        from wateralloc.report.page import comparison as page

        page.write(comparison, report, lang, attribution=attribution)
        console.print(shown(report))


def _explain_difference(
    question: Question, jobs: int, orders: int | None, folder: Path, lang: Language
) -> Attribution:
    """Divide the difference of two cases over their clauses, print and write it."""
    from wateralloc.comparison.attribution import MOST_ORDERS, answer
    from wateralloc.report import attribution_table

    with _progress("combinations of clauses") as progress:
        found = answer(question, jobs=jobs, most_orders=orders or MOST_ORDERS, progress=progress)
    console.print(attribution_table.title(found, lang), style="bold")
    for line in (attribution_table.summary(found, lang), *attribution_table.joined(found, lang)):
        console.print(line, soft_wrap=True)
    for table in attribution_table.tables(found, lang):
        _print_frame(
            table.frame, table.title, _words(lang), shares=table.shares, decimals=table.decimals
        )
    console.print()
    attribution_table.write(found, folder, lang)
    return found


def _print_comparison(comparison: Comparison, lang: Language) -> None:
    from wateralloc.report import compare_table

    say, own = compare_table.words(lang), _words(lang)
    console.print(say("Policies"), style="bold")
    titles = comparison.policies[f"title_{lang}"]
    solved = comparison.policies["solved"]
    state = {True: own("run now"), False: own("read")}
    _print_lines([(str(p), f"{titles[p]} ({state[bool(solved[p])]})") for p in titles.index])
    console.print(compare_table.summary(comparison, lang))
    for table in compare_table.tables(comparison, lang):
        _print_frame(table.frame, table.title, own, shares=table.shares, decimals=table.decimals)
    found = compare_table.differing(comparison, lang)
    if found:
        console.print()
        console.print(f"{say('What differs from')} {comparison.reference}", style="bold")
    for policy, lines in found:
        console.print(policy)
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
    console.print()


# --- new ------------------------------------------------------------------------------------


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make, or an empty one.")],
) -> None:
    """Copy the bundled basin and its cases, to start from."""
    from wateralloc.case import bundled_folder

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        is_what = "is not empty" if folder.is_dir() else "is a file"
        raise typer.BadParameter(f"{folder} {is_what}; name a new folder", param_hint="DIR")
    skipped = shutil.ignore_patterns("__pycache__", ".*")
    made = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to a folder stays a link
    made.mkdir(parents=True, exist_ok=True)
    copy = made / f".new.{uuid.uuid4().hex[:12]}"  # so that nothing is there before all is
    parts = ("basins", "cases")
    try:
        for part in parts:
            shutil.copytree(bundled_folder() / part, copy / part, ignore=skipped)
        for part in parts:
            (copy / part).replace(made / part)
    except shutil.Error as error:
        reason = str(error.args[0][0][2]).partition(": ")[0].partition("] ")[2]
        raise OSError(errno.EIO, reason or "cannot be copied", str(folder)) from error
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    basins = sorted(path.name for path in (folder / "basins").iterdir())
    cases = sorted(path.stem for path in (folder / "cases").glob("*.yaml"))
    console.print(f"{shown(folder)}: basin {', '.join(basins)}; cases {', '.join(cases)}")
    place = shlex.quote(shown(folder))
    console.print(f"next: cd {place} && wateralloc run {START}", soft_wrap=True)


# --- export ---------------------------------------------------------------------------------


@app.command()
def export(
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE|BASIN|RESULT", help="Case, or path of a basin or of a folder of results."
        ),
    ],
    to: Annotated[Format, typer.Option("--to", help="Format.")],
    member: Annotated[
        str,
        typer.Option(help="Member, by name; default: the first for lp and mps, all for pyomo."),
    ] = "",
    goal: Annotated[
        int, typer.Option(min=1, help="Goal whose objective lp and mps have, by its place.")
    ] = 1,
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File or folder to write; default: <name>.<ending> here."),
    ] = None,
) -> None:
    """Write a case for another program: lp, mps, pyomo (pickled model); or its basin; or a result.

    The basin goes to a map, geojson or gpkg (for QGIS), to one file with all its tables, xlsx or
    nc, or to a folder of CSV again, as its files are, without the changes of the case; it may also
    be named itself, by its folder or file.

    A result, named by its folder, goes to a map with what came of each node and link, geojson or
    gpkg, to one file with all its numbers, nc, or to a folder with its tables, parquet.
    """
    from wateralloc import export as exports

    is_free = to in (Format.pyomo, Format.geojson, Format.folder, Format.parquet)
    if out is not None and not is_free and out.suffix != ENDINGS[to]:
        raise typer.BadParameter(f"'{out.name}' must end in {ENDINGS[to]}", param_hint="--out")
    if to == Format.parquet or _is_result(case):
        path = out or Path(f"{Path(case).resolve().name}{ENDINGS[to]}")
        _export_result(case, to, path, [("--set", changes), ("--member", member)])
    elif to in (Format.lp, Format.mps, Format.pyomo):
        from wateralloc.case import read_case

        read = read_case(case, _parse_changes(changes))
        path = out or Path(f"{read.name}{ENDINGS[to]}")
        if to == Format.pyomo:
            exports.write_pyomo(read, path, member=member)
        else:
            exports.write_lp(read, path, member=member, goal=goal)
    else:
        basin, name = _basin_of(case, changes)
        is_map = to in (Format.geojson, Format.gpkg)
        path = out or Path(f"{name if is_map else basin.name}{ENDINGS[to]}")
        write = {
            Format.geojson: exports.write_geojson,
            Format.gpkg: exports.write_geopackage,
            Format.xlsx: exports.write_workbook,
            Format.nc: exports.write_netcdf,
            Format.folder: exports.write_folder,
        }
        write[to](basin, path)
    console.print(shown(path), soft_wrap=True)


def _is_result(text: str) -> bool:
    """Tell whether a folder of results is named by its path."""
    from wateralloc.results.store import DATASET, MANIFEST

    return all((Path(text) / name).is_file() for name in (DATASET, MANIFEST))


def _export_result(text: str, to: Format, path: Path, others: Iterable[tuple[str, Any]]) -> None:
    from wateralloc import export as exports

    write: dict[Format, Callable[[Results, Path], None]] = {
        Format.geojson: exports.write_geojson,
        Format.gpkg: exports.write_geopackage,
        Format.nc: exports.write_netcdf,
        Format.parquet: exports.write_parquet,
    }
    if to not in write:
        todo = f"a result goes to {listed(write)}; name the case in place of it"
        raise typer.BadParameter(f"cannot be {to}: {todo}", param_hint="--to")
    for option, value in others:
        if value:
            raise typer.BadParameter("is for a case; this is a result", param_hint=option)
    write[to](_read_results(text), path)


def _basin_of(text: str, changes: Sequence[str] | None) -> tuple[Any, str]:
    """Basin that is named by its path, or that of a case, and the name of what was asked."""
    if Path(text).is_dir() or Path(text).suffix.lower() in BUNDLES:
        if changes:
            raise typer.BadParameter("is for a case; this is a basin", param_hint="--set")
        from wateralloc.basin import read_basin

        basin = read_basin(text)
        return basin, basin.name
    from wateralloc.case import read_case

    case = read_case(text, _parse_changes(changes))
    return case.basin, case.name


# --- schema ---------------------------------------------------------------------------------


@app.command()
def schema(
    basins: Annotated[
        bool, typer.Option("--basins", help="The tables of basins and their columns instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --basins: as JSON.")] = False,
) -> None:
    """Print the JSON Schema of case files, or the attribute table of basins."""
    if not basins:
        from wateralloc.case import case_schema

        _print_json(case_schema())
        return
    tables = _declared_tables()
    if as_json:
        _print_json({table.name: _describe_table(table) for table in tables})
        return
    for table in tables:
        must = " The file must be there." if table.required else ""
        grid = _grid(f"{table.name}.csv: {table.meaning}{must}")
        for heading in ("column", "type", "if empty", "meaning"):
            grid.add_column(heading, overflow="fold")
        for column in _describe_table(table)["columns"]:
            if column["required"]:
                empty = "required"
            else:
                empty = "" if column["default"] in (None, "") else f"{column['default']:g}"
            grid.add_row(column["name"], column["type"], empty, _meaning(column))
        console.print(grid)
        console.print()


def _print_json(value: Any) -> None:
    _print_utf8(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _print_utf8(text: str) -> None:
    """Print what programs read: UTF-8 whatever the terminal has, and no letter replaced."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(text)
    else:
        stream.write(text.encode("utf-8"))
        stream.flush()


def _declared_tables() -> list[Any]:
    from wateralloc.basin import CURVES, NODES, PATTERNS
    from wateralloc.catalogue import find

    of_parts = [table for part in find("parts").values() for table in part.tables]
    return list({table.name: table for table in (NODES, *of_parts, CURVES, PATTERNS)}.values())


def _describe_table(table: Any) -> dict[str, Any]:
    from wateralloc.tables import spellings
    from wateralloc.units import UNITS

    def limit(value: float) -> float | None:
        return value if abs(value) < float("inf") else None

    return {
        "meaning": table.meaning,
        "key": table.key,
        "required": table.required,
        "columns": [
            {
                "name": spellings(c, "<currency>")[0],
                "meaning": c.meaning,
                "type": c.type,
                "dimension": c.dimension,
                "units": [u.suffix for u in UNITS.values() if u.dimension == c.dimension],
                "required": c.required,
                "default": c.default,
                "low": limit(c.low),
                "high": limit(c.high),
                "choices": list(c.choices),
                "refers_to": c.refers_to,
                "varies": c.varies,
            }
            for c in table.columns
        ],
    }


def _meaning(column: dict[str, Any]) -> str:
    text = str(column["meaning"])
    if column["choices"]:
        text += f": {', '.join(column['choices'])}"
    if column["refers_to"]:
        text += f" (a name of {column['refers_to']})"
    low, high = column["low"], column["high"]
    if low is not None or high is not None:
        least = "" if low is None else f"{low:g} or more"
        most = "" if high is None else f"{high:g} or less"
        text += f"; {', '.join(filter(None, (least, most)))}"
    if column["varies"] != "no":
        text += f"; may vary with the {column['varies']}"
    return text


# --- rules ----------------------------------------------------------------------------------


@app.command()
def rules(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Rule or goal whose page is printed.")
    ] = "",
    lang: Lang = Language.en,
) -> None:
    """List the rules and goals that a case may name, or print the page of one.

    Those of other installed packages are among them.
    """
    from wateralloc.report import pages

    say = _words(lang)
    if name:
        for page in pages.pages_of(name):
            _print_page(page, lang)
        return
    found = pages.find_pages()
    for package in pages.PACKAGES:
        console.print(say(package), style="bold")
        _print_lines([(page.kind, page.line[lang]) for page in found if page.package == package])
        console.print()
    console.print(say("wateralloc rules NAME prints the page of one"), style="dim")


def _print_page(page: Page, lang: Language) -> None:
    from wateralloc.report import pages

    say = _words(lang)
    of = page.package.removesuffix("s")
    console.print(f"{page.kind} ({say(of)})", style="bold")
    console.print(page.line[lang])
    if page.lead:
        console.print()
        console.print(pages.laid_out(page.lead, console.width), soft_wrap=True)
    for heading, text in page.sections:
        console.print()
        console.print(say(heading), style="bold")
        is_equation = heading == "Equation"
        console.print(pages.laid_out(text, console.width, is_equation=is_equation), soft_wrap=True)
    console.print()
    if not page.keys:
        return
    grid = _grid(say("Keys"))
    for column in ("key", "type", "default", "meaning"):
        grid.add_column(say(column), overflow="fold")
    for key in page.keys:
        default = say("required") if key.is_required else key.default
        grid.add_row(key.name, key.type, default, pages.plain(key.meaning))
    console.print(grid)


# --- printing -------------------------------------------------------------------------------


def _words(lang: Language) -> Callable[[str], str]:
    return lambda word: WORDS[lang].get(word, word)


def _grid(title: str = "") -> Grid:
    return Grid(
        title=title or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0), pad_edge=False, show_edge=False,
    )  # fmt: skip


def _print_frame(
    frame: pd.DataFrame,
    title: str,
    say: Callable[[str], str],
    *,
    shares: Sequence[str] = (),
    decimals: int | Mapping[str, int] | None = None,
) -> None:
    """Print a table; columns that do not fit beside the others follow below, none is cut off.

    Parameters
    ----------
    shares : headings of the columns whose fractions are shown as percent
    decimals : of all other numbers, or of each column; None: each number by its size
    """
    names = [str(name) for name in frame.columns]
    places = decimals if isinstance(decimals, Mapping) else dict.fromkeys(names, decimals)
    index = frame.index.to_frame(index=False)
    stubs = _stubs([[str(label) for label in row] for row in index.to_numpy()])
    stub_heads = [say(str(name or "")) for name in frame.index.names]
    heads = [say(str(name)) for name in frame.columns]
    columns = [
        [cell(value, places.get(name), is_share=name in shares) for value in frame[name]]
        for name in names
    ]
    stub_words = [[head, *(row[k] for row in stubs)] for k, head in enumerate(stub_heads)]
    column_words = [[head, *column] for head, column in zip(heads, columns, strict=True)]
    stub_widths = [_widest(words) for words in stub_words]
    widths = [_widest(words) for words in column_words]
    if _total(stub_widths) + _total(widths) > console.width:  # break headings and labels at spaces
        widths = [_widest([*words[0].split(), *words[1:]]) for words in column_words]
        least = _total([min(_widest(" ".join(words).split()), LABEL) for words in stub_words])
        room = console.width - _total(widths)
        most = room if room >= least else max(least, console.width // 3)
        while _total(stub_widths) > most and max(stub_widths) > 1:
            stub_widths[stub_widths.index(max(stub_widths))] -= 1
    room = console.width - _total(stub_widths)
    for count, block in enumerate(_blocks(widths, room)):
        grid = _grid()
        for head, width in zip(stub_heads, stub_widths, strict=True):
            grid.add_column(head, width=width, overflow="fold")
        for k in block:
            is_text = all(isinstance(value, str) for value in frame.iloc[:, k])
            side: Literal["left", "right"] = "left" if is_text else "right"
            grid.add_column(heads[k], justify=side, width=min(widths[k], room), overflow="fold")
        for row, stub in enumerate(stubs):
            grid.add_row(*stub, *(columns[k][row] for k in block))
        console.print()
        if count == 0:  # not as the grid's own title, which breaks at its width
            console.print(title, style="bold")
        console.print(grid)


def _stubs(labels: list[list[str]]) -> list[list[str]]:
    """Blank what an outer label repeats of the row above."""
    former: list[str] = []
    stubs = []
    for row in labels:
        same = 0
        while same < min(len(row) - 1, len(former)) and row[same] == former[same]:
            same += 1
        stubs.append([""] * same + row[same:])
        former = row
    return stubs


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Columns that fit beside each other, one at least in each block."""
    blocks: list[list[int]] = [[]]
    used = 0
    for k, width in enumerate(widths):
        if blocks[-1] and used + width + GAP > room:
            blocks.append([])
            used = 0
        blocks[-1].append(k)
        used += width + GAP
    return blocks


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * len(widths)


def _widest(words: Sequence[str]) -> int:
    return max((cell_len(word) for word in words), default=0)


def _decimals(frame: pd.DataFrame) -> int:
    """Decimals that show four figures of the largest volume, one at least."""
    return decimals_of(frame.to_numpy(float).ravel())
