"""The command `members`: the hydrologies of a case, and what synthetic ones keep of the record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from wateralloc.cli.base import (
    CaseName,
    Changes,
    Lang,
    Language,
    _parse_changes,
    _print_frame,
    app,
    console,
)
from wateralloc.errors import shown

MOST_ROWS = 60
"""Members that are listed one by one."""

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "record_start": "record from",
        "record_end": "to",
        "inflow_hm3": "inflow, hm3",
        "share_of_mean": "of the mean",
        "exceedance": "exceeded by",
        "missing_hm3": "missing upstream, hm3",
        "lag_1": "lag 1",
        "least": "least difference",
        "most": "largest difference",
        "difference": "median difference",
        "ratio": "median ratio",
        "within": "records within",
    },
    "vi": {
        "members": "kịch bản thủy văn",
        "member": "kịch bản",
        "record_start": "chuỗi thực đo từ",
        "record_end": "đến",
        "inflow_hm3": "dòng chảy đến, hm3",
        "share_of_mean": "so với trung bình",
        "exceedance": "tần suất vượt",
        "missing_hm3": "thiếu ở thượng nguồn, hm3",
        "of all members": "trong các kịch bản",
        "driest": "khô nhất",
        "wettest": "ướt nhất",
        "whole basin, by month [m3/s]": "toàn lưu vực, theo tháng [m3/s]",
        "all sites and months: synthetic against record": "mọi nút và tháng: chuỗi tổng hợp so với "
        "thực đo",
        "month": "tháng",
        "statistic": "thống kê",
        "mean": "trung bình",
        "sd": "độ lệch chuẩn",
        "skew": "hệ số thiên lệch",
        "lag_1": "tương quan với tháng trước",
        "cross": "tương quan giữa các nút",
        "lowest": "năm nhỏ nhất",
        "annual": "năm:",
        "record": "thực đo",
        "synthetic": "tổng hợp",
        "ratio": "tỷ số trung vị",
        "difference": "chênh lệch trung vị",
        "least": "chênh lệch nhỏ nhất",
        "most": "chênh lệch lớn nhất",
        "within": "thực đo nằm trong",
    },
}


def _say_in(lang: Language) -> Callable[[str], str]:
    """Words in a language; of a text that has none, each of its words."""
    words = WORDS[lang]
    return lambda text: words.get(text) or " ".join(words.get(w, w) for w in text.split(" "))


@app.command()
def members(
    case: CaseName,
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.csv",
            help="Write the whole table: of the members, or, where they are synthetic, of their "
            "statistics by site and month.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.svg",
            help="Draw synthetic members beside the record; also .png, .pdf or .html.",
        ),
    ] = None,
    lang: Lang = Language.en,
) -> None:
    """List the members of a case; compare synthetic ones with the record.

    Inflow is that of all nodes over the horizon, after the factors and withdrawals upstream. The
    statistics are of flow before them; 90 % of samples as long as the record lie in their range.
    """
    from wateralloc.case import read_case
    from wateralloc.report import member_tables
    from wateralloc.results.store import replacing

    read = read_case(case, _parse_changes(changes))
    is_synthetic = "inflow" in read.given
    if plot is not None and not is_synthetic:
        text = "draws synthetic members, of which the case has none"
        raise typer.BadParameter(text, param_hint="--plot")
    say = _say_in(lang)
    listed = member_tables.members_table(read)
    is_long = len(listed) > MOST_ROWS
    shown_rows = member_tables.quantiles_table(listed) if is_long else listed
    if is_synthetic and not is_long:
        shown_rows = shown_rows.drop(columns=["record_start", "record_end"])
    title = f"{say(read.title[lang])}: {len(listed)} {say('members')}"
    places = {"inflow_hm3": 0, "share_of_mean": 3, "missing_hm3": 0}
    _print_frame(shown_rows, title, say, shares=["exceedance"], decimals=places)
    table = listed.reset_index()
    if is_synthetic:
        from wateralloc.case.synthetic import annual_volumes, compare_members
        from wateralloc.hydrology.validation import summarise

        table = compare_members(read)
        whole = member_tables.whole_basin(table)
        places = {name: 0 if name.startswith(("mean", "sd")) else 2 for name in whole.columns}
        _print_frame(whole, say("whole basin, by month [m3/s]"), say, decimals=places)
        found = summarise(table)
        found.index = found.index.map(say)
        places = {"ratio": 2, "difference": 2, "least": 2, "most": 2}
        text = say("all sites and months: synthetic against record")
        _print_frame(found, text, say, shares=["within"], decimals=places)
        if plot is not None:
            from wateralloc.report.member_figure import write_figure

            first = int(read.timeline.month[0])
            write_figure(table, annual_volumes(read), first, plot, lang)
            console.print(shown(plot), soft_wrap=True)
    if out is not None:
        with replacing(out) as written:
            written.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        console.print(shown(out), soft_wrap=True)
