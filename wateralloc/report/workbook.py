"""allocation.xlsx: what a run gave whom, for those who read it in a spreadsheet."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wateralloc.report.table_files import HEAD, TITLE, About, about, add_sheet, new_book
from wateralloc.report.tables import rules_summary, tabulate, word
from wateralloc.results import Results
from wateralloc.results.store import replacing

NAME = "allocation.xlsx"
FIELDS = ("province", "sector")
"""What stands in the rows of the sheets on users."""
BAD, GOOD = "#F8B195", "#FFFFFF"
"""Colours of the largest deficit, and of none."""
DIGITS = 12
"""Of the hash that names the inputs."""
WIDEST = 60
"""Characters of the widest column."""
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "cover": "Cover",
        "withdrawal": "Allocation",
        "deficit": "Deficit",
        "satisfaction": "Satisfaction",
        "rules": "Rules",
        "reservoirs": "Reservoirs",
        "energy": "Energy",
        "metrics": "Metrics",
        "sources": "Sources",
        "case": "Case",
        "basin": "Basin",
        "members": "Members",
        "horizon": "Periods",
        "made": "Made on",
        "version": "Program",
        "inputs": "Inputs (SHA-256)",
        "certificate": "Certificate: primal, dual, gap",
        "balance": "Largest residual of the water balance [hm3]",
        "mended": "MENDED: limits gave way, this is not the case as it is written",
        "study": "A study, not an official allocation.",
        "sheets": "Sheets",
        "scope": "Scope",
        "name": "Name",
        "metric": "Metric",
        "mean": "Mean over members",
        "least": "Least",
        "most": "Most",
        "reservoir": "Reservoir",
        "period": "Period from",
        "storage": "Storage at the end [hm3]",
        "level": "Level at the end [m]",
        "release": "Release [hm3]",
        "spill": "Spill [hm3]",
        "evaporation": "Evaporation [hm3]",
        "rule": "Rule",
        "kind": "Kind",
        "source": "Source",
        "file": "Input file",
        "hash": "SHA-256",
        "rules title": "Rules: how often they were kept, and what they cost",
        "reservoirs title": "Reservoirs, mean over members",
        "metrics title": "Metrics; names end in the unit where there is one",
        "sources title": "Rules with their sources, and the inputs of the run",
    },
    "vi": {
        "cover": "Bìa",
        "withdrawal": "Phân bổ",
        "deficit": "Thiếu hụt",
        "satisfaction": "Mức đáp ứng",
        "rules": "Quy tắc",
        "reservoirs": "Hồ chứa",
        "energy": "Điện lượng",
        "metrics": "Chỉ số",
        "sources": "Nguồn",
        "case": "Trường hợp",
        "basin": "Lưu vực",
        "members": "Kịch bản thủy văn",
        "horizon": "Thời đoạn",
        "made": "Lập ngày",
        "version": "Chương trình",
        "inputs": "Dữ liệu đầu vào (SHA-256)",
        "certificate": "Chứng nhận tối ưu: primal, dual, gap",
        "balance": "Sai số cân bằng nước lớn nhất [triệu m³]",
        "mended": "ĐÃ NỚI: một số giới hạn đã được nới, đây không phải trường hợp như đã viết",
        "study": "Một nghiên cứu, không phải phân bổ chính thức.",
        "sheets": "Các trang",
        "scope": "Phạm vi",
        "name": "Tên",
        "metric": "Chỉ số",
        "mean": "Trung bình các kịch bản",
        "least": "Nhỏ nhất",
        "most": "Lớn nhất",
        "reservoir": "Hồ chứa",
        "period": "Thời đoạn từ",
        "storage": "Dung tích cuối thời đoạn [triệu m³]",
        "level": "Mực nước cuối thời đoạn [m]",
        "release": "Lượng xả có điều tiết [triệu m³]",
        "spill": "Lượng xả thừa [triệu m³]",
        "evaporation": "Bốc hơi [triệu m³]",
        "rule": "Quy tắc",
        "kind": "Loại",
        "source": "Nguồn",
        "file": "Tệp đầu vào",
        "hash": "SHA-256",
        "rules title": "Quy tắc: giữ được bao nhiêu lần, và giá phải trả",
        "reservoirs title": "Hồ chứa, trung bình các kịch bản thủy văn",
        "metrics title": "Chỉ số; tên kết thúc bằng đơn vị nếu có",
        "sources title": "Quy tắc với nguồn, và dữ liệu đầu vào của lần tính",
    },
}


def write(results: Results, folder: Path, lang: str = "en", day: date | None = None) -> Path:
    """Write ``allocation.xlsx`` into the folder of a result.

    Parameters
    ----------
    day : on the cover; default: today

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path = folder / NAME
    with replacing(path) as written:
        written.write_bytes(workbook(results, lang, day or date.today()))
    return path


def workbook(results: Results, lang: str, day: date) -> bytes:
    """Make the workbook: a cover, and a sheet each for what was given, missed, kept and made."""
    say, file = WORDS[lang], io.BytesIO()
    source = about(results.dataset, lang, day)
    book = new_book(file, source.title, source.text(lang), day)
    cover = book.add_worksheet(say["cover"])
    tables = ["withdrawal", "deficit", "satisfaction"]
    for value in tables:
        table = tabulate(results, FIELDS, "month", value, lang)
        sheet, top, left = add_sheet(book, say[value], table, source)
        if value == "deficit" and len(table.frame):
            size = (top + len(table.frame) - 1, left + table.frame.shape[1] - 1)
            scale = {"type": "2_color_scale", "min_color": GOOD, "max_color": BAD}
            sheet.conditional_format(top, left, *size, scale)
    frames = [("rules", _rules(results, lang)), ("reservoirs", _reservoirs(results, lang))]
    if results.dataset.sizes.get("plant", 0):
        table = tabulate(results, ("plant",), "month", "energy", lang)
        add_sheet(book, say["energy"], table, source)
        tables.append("energy")
    frames += [("metrics", _metrics(results, lang)), ("sources", _sources(results, lang))]
    for name, frame in frames:
        _add_frame(book, say[name], say[f"{name} title"], frame, source.text(lang))
    names = [say[name] for name in (*tables, *(name for name, _ in frames))]
    _fill_cover(book, cover, results, names, source, lang)
    book.close()
    return file.getvalue()


# --- sheets -------------------------------------------------------------------------------------


def _rules(results: Results, lang: str) -> pd.DataFrame:
    return rules_summary(results, lang).reset_index()


def _reservoirs(results: Results, lang: str) -> pd.DataFrame:
    """State and releases by period, as means over the members."""
    say = WORDS[lang]
    table = results.tables()["reservoirs"]
    columns = {
        "storage_end_hm3": "storage", "level_m": "level", "release_hm3": "release",
        "spill_hm3": "spill", "evaporation_hm3": "evaporation",
    }  # fmt: skip
    means = table.groupby(["reservoir", "period_start"], sort=False)[list(columns)].mean()
    frame = means.reset_index()
    frame["reservoir"] = [word(results.dataset, "node", n, lang) for n in frame["reservoir"]]
    named = {"reservoir": say["reservoir"], "period_start": say["period"]}
    return frame.rename(columns=named | {key: say[of] for key, of in columns.items()})


def _metrics(results: Results, lang: str) -> pd.DataFrame:
    """Every metric: its mean, least and most over the members."""
    say = WORDS[lang]
    table = results.tables()["metrics"]
    by = table.groupby(["scope", "name", "metric"], sort=False)["value"]
    frame = by.agg(["mean", "min", "max"]).reset_index()
    frame.columns = pd.Index(
        [say[key] for key in ("scope", "name", "metric", "mean", "least", "most")]
    )
    return frame


def _sources(results: Results, lang: str) -> pd.DataFrame:
    """Rules with their sources, then the files of the run with their hashes."""
    say, manifest = WORDS[lang], results.manifest
    rules = manifest["resolved"].get("rules") or ()
    rows = [
        (str(r.get("name") or r.get("rule")), str(r.get("rule")), str(r.get("source") or ""))
        for r in rules
    ]
    rows += [(name, say["file"], digest) for name, digest in manifest["inputs"].items()]
    columns = [say["rule"], say["kind"], f"{say['source']} / {say['hash']}"]
    return pd.DataFrame(rows, columns=columns)


def _add_frame(book: Any, name: str, title: str, frame: pd.DataFrame, source: str) -> None:
    """Add a sheet with a table that is no sum: headings that stay, text as text."""
    sheet = book.add_worksheet(name)
    sheet.write_string(0, 0, title, book.add_format(TITLE))
    sheet.write_string(1, 0, source, book.add_format({"italic": True}))
    head, number = book.add_format(HEAD), book.add_format({"num_format": "#,##0.####"})
    top = 3
    for k, column in enumerate(frame.columns):
        sheet.write_string(top, k, str(column), head)
        _fill_column(sheet, top + 1, k, frame[column], number)
        widest = max((len(str(v)) for v in (column, *frame[column])), default=0)
        sheet.set_column(k, k, min(widest, WIDEST if frame[column].dtype == object else 14) + 2)
    sheet.freeze_panes(top + 1, 1)
    if len(frame):
        sheet.autofilter(top, 0, top + len(frame), frame.shape[1] - 1)
    sheet.repeat_rows(top)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _fill_column(sheet: Any, top: int, k: int, values: Iterable[Any], number: Any) -> None:
    for i, value in enumerate(values):
        if isinstance(value, str):
            sheet.write_string(top + i, k, value)
        elif np.isfinite(value):
            sheet.write_number(top + i, k, float(value), number)


def _fill_cover(
    book: Any, sheet: Any, results: Results, names: Sequence[str], source: About, lang: str
) -> None:
    say, manifest = WORDS[lang], results.manifest
    bounds = results.dataset["time_bnds"].values.astype("datetime64[D]")
    size, worst = manifest["size"], manifest["certificate"]
    inputs = json.dumps(manifest["inputs"], sort_keys=True).encode()
    lines = [
        ("case", str(manifest["case"])),
        ("basin", str(manifest["basin"])),
        ("members", str(size["members"])),
        ("horizon", f"{size['periods']}: {bounds[0, 0]} – {bounds[-1, 1] - 1}"),
        ("made", source.day.isoformat() if lang == "en" else f"{source.day:%d/%m/%Y}"),
        ("version", source.program),
        ("inputs", hashlib.sha256(inputs).hexdigest()[:DIGITS]),
        ("certificate", ", ".join(f"{worst[key]:.0e}" for key in ("primal", "dual", "gap"))),
        ("balance", f"{manifest['balance']['largest_residual_hm3']:.0e}"),
    ]
    bold = book.add_format({"bold": True})
    sheet.write_string(0, 0, source.title, book.add_format({"bold": True, "font_size": 18}))
    sheet.write_string(1, 0, say["study"], book.add_format({"italic": True}))
    row = 2
    if manifest.get("mended"):
        red = book.add_format({"bold": True, "font_color": "#C0392B"})
        sheet.write_string(row, 0, say["mended"], red)
    row += 1
    for key, text in lines:
        sheet.write_string(row, 0, say[key], bold)
        sheet.write_string(row, 1, text)
        row += 1
    sheet.write_string(row + 1, 0, say["sheets"], bold)
    link = book.add_format({"font_color": "#1F6FB4", "underline": 1})
    for k, name in enumerate(names):
        sheet.write_url(row + 2 + k, 0, f"internal:'{name}'!A1", link, name)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 48)
    sheet.hide_gridlines(2)
