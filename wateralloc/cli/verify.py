"""The command `verify`: whether a result holds, and whether its case gives the same again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wateralloc.cli.base import Lang, Language, _progress, _words, app, console
from wateralloc.errors import SolveError, listed, shown

if TYPE_CHECKING:
    from wateralloc.results.equality import Difference
    from wateralloc.results.record import Verification
    from wateralloc.results.soundness import Contradiction

MOST = 10
"""Differences that are printed, the largest first."""
WORDS = {
    "en": {
        "again": "solved again: {n} of {of} members ({names})",
        "changed": "not as it was: {what}",
        "compared": "compared: {values:,} values of {variables} variables, to {tolerance:.0e}",
        "largest": "largest difference",
        "none": "largest difference: 0",
        "difference": "{variable}{where}: {stored} in the file, {found} now ({size})",
        "relative": "relative {size:.1e}",
        "no number": "not equal",
        "absent": "absent",
        "there": "there",
        "balance": "balance{where} does not close: {value:.3g} hm3 are left, must be at most "
        "{limit:.0e}",
        "residual": "residual{where} is {limit:.3g} hm3, the amounts beside it leave {value:.3g}",
        "of certificate": "certificate: {figure} is {value:.1e}, must be at most {limit:.0e}",
        "manifest": "certificate: {figure} is {value:.6g} in results.nc, {limit:.6g} in "
        "manifest.json",
        "equal": "the result holds: the same inputs give it again",
        "more": "... {n} more",
        "not equal": "E385 the result is not what its inputs give ({what}); do not rely on it: run "
        "the case again",
        "differ": "variables: {n} of {of}",
        "alone": "balance and certificate: {n}",
    },
    "vi": {
        "again": "giải lại: {n} trên {of} kịch bản thủy văn ({names})",
        "changed": "không còn như trước: {what}",
        "compared": "đã so sánh: {values:,} giá trị của {variables} biến, đến {tolerance:.0e}",
        "largest": "sai khác lớn nhất",
        "none": "sai khác lớn nhất: 0",
        "difference": "{variable}{where}: trong tệp {stored}, bây giờ {found} ({size})",
        "relative": "tương đối {size:.1e}",
        "no number": "không bằng nhau",
        "absent": "không có",
        "there": "có",
        "balance": "cân bằng nước{where} không khép: còn lại {value:.3g} hm3, phải không quá "
        "{limit:.0e}",
        "residual": "sai số cân bằng{where} ghi {limit:.3g} hm3, các thành phần bên cạnh để lại "
        "{value:.3g}",
        "of certificate": "chứng nhận tối ưu: {figure} là {value:.1e}, phải không quá {limit:.0e}",
        "manifest": "chứng nhận tối ưu: {figure} là {value:.6g} trong results.nc, {limit:.6g} "
        "trong manifest.json",
        "equal": "kết quả đúng: cùng số liệu đầu vào cho lại đúng kết quả này",
        "more": "... còn {n} nữa",
        "not equal": "E385 kết quả không đúng với số liệu đầu vào của nó ({what}); đừng dùng: hãy "
        "chạy lại trường hợp này",
        "differ": "biến: {n} trên {of}",
        "alone": "cân bằng nước và chứng nhận: {n}",
    },
}


@app.command()
def verify(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Folder of a result.")],
    members: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Members that are solved again, chosen by the hash of their names; default: 3 of "
            "an ensemble, all of another result.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Relative difference up to which numbers are equal; default: 1e-9, and 1e-6 where "
            "versions, options or code are others now.",
        ),
    ] = None,
    case: Annotated[
        Path | None, typer.Option("--case", help="The case file, where it cannot be found.")
    ] = None,
    lang: Lang = Language.en,
) -> None:
    """Check a result by itself, solve its case again and compare every number of results.nc.

    Certificate and water balance are checked first, from what is stored. Then all inputs must be
    there as they were: what is missing or different is listed, and the exit code is 2. It is 0
    where all is equal, and 4 where it is not; the variables that differ are named.
    """
    with _progress("members") as progress:
        from wateralloc.results import record

        found = record.verify(
            result, case=case, members=members, tolerance=tolerance, progress=progress
        )
    for line in lines(found, lang):
        console.print(line, soft_wrap=True)
    if not found.is_equal:
        raise SolveError(f"{shown(found.folder)}: {verdict(found, lang)}")


def lines(found: Verification, lang: Language) -> Iterator[str]:
    """What was done, and what came of it."""
    own, say = WORDS[lang], _words(lang)
    yield f"{found.case}: " + own["again"].format(
        n=len(found.members), of=found.n_members, names=listed(found.members)
    )
    figures = ", ".join(f"{name} {value:.0e}" for name, value in found.certificate.items())
    yield f"{say('certificate')}: {figures}"
    yield f"{say('balance residual')}: {found.residual:.0e} hm3"
    if found.changed:
        yield own["changed"].format(what=listed(found.changed))
    yield own["compared"].format(
        values=found.n_values, variables=found.n_variables, tolerance=found.tolerance
    )
    if found.largest is None:
        yield own["none"]
    else:
        yield f"{own['largest']}: {_difference(found.largest, own)}"
    for contradiction in found.contradictions:
        yield _contradiction(contradiction, own)
    by_size = sorted(found.differences, key=lambda difference: -difference.size)
    for difference in by_size[1:MOST]:
        yield _difference(difference, own)
    if len(by_size) > MOST:
        yield own["more"].format(n=len(by_size) - MOST)
    if found.is_equal:
        yield own["equal"]


def verdict(found: Verification, lang: Language) -> str:
    """How much of a result is not right."""
    own = WORDS[lang]
    parts = []
    if found.contradictions:
        parts.append(own["alone"].format(n=len(found.contradictions)))
    if found.differences:
        parts.append(own["differ"].format(n=len(found.differences), of=found.n_variables))
    return own["not equal"].format(what="; ".join(parts))


def _difference(of: Difference, own: Mapping[str, str]) -> str:
    size = own["no number"] if of.size == float("inf") else own["relative"].format(size=of.size)
    return own["difference"].format(
        variable=of.variable, where=_where(of.where), stored=_value(of.stored, own),
        found=_value(of.found, own), size=size,
    )  # fmt: skip


def _contradiction(of: Contradiction, own: Mapping[str, str]) -> str:
    key = "of certificate" if of.what == "certificate" else of.what
    return own[key].format(
        where=_where(of.where), figure=of.where.get("figure"), value=of.value, limit=of.limit
    )


def _where(where: Mapping[str, str]) -> str:
    """Labels in brackets, without those of a dimension that only counts."""
    labels = [label for label in where.values() if not label.startswith("#")]
    return f" ({', '.join(labels)})" if labels else ""


def _value(value: Any, own: Mapping[str, str]) -> str:
    if value is None:
        return own["absent"]
    return f"{value:.12g}" if isinstance(value, float) else own.get(str(value), str(value))
