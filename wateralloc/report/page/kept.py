"""What a report says beyond the results, kept beside them: explanations, sources of figures."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wateralloc.errors import CaseError, Fault, InputError, Position, SolveError, shown
from wateralloc.report.charts.shortage import waterfall
from wateralloc.report.page.model import with_powers
from wateralloc.report.tables import LANGUAGES
from wateralloc.results.store import replacing

if TYPE_CHECKING:
    from wateralloc.case import Case
    from wateralloc.explanation import Explanation
    from wateralloc.results import Results

log = logging.getLogger(__name__)

NAME = "report.json"
MENDED = {
    "en": "Limits gave way in this result: the case as it is written has no solution to explain.",
    "vi": "Một số giới hạn đã được nới: trường hợp như đã viết không có lời giải để giải thích.",
}
UNSETTLED = {
    "en": "The solver could not settle a program that an explanation needs.",
    "vi": "Bộ giải không giải được một bài toán mà lời giải thích cần đến.",
}
MANY_PROGRAMS = {
    "en": "Shortages are explained where the whole horizon is in one program. For the same case "
    "with all in sight: wateralloc explain with --set foresight=perfect.",
    "vi": "Chỉ giải thích được khi toàn bộ thời gian nằm trong một bài toán. Với cùng trường hợp, "
    "khi biết trước toàn bộ: wateralloc explain với --set foresight=perfect.",
}


@dataclass(frozen=True)
class Told:
    """An explanation as it is shown, all words by language.

    Attributes
    ----------
    labels : of what is asked, of each clause that takes some, and of what is given
    taken : by each clause [unit]
    data : as ``explain --json`` gives it
    """

    title: dict[str, str]
    text: dict[str, str]
    unit: dict[str, str]
    labels: dict[str, list[str]]
    taken: list[float]
    requested: float
    delivered: float
    data: dict[str, Any]

    @property
    def charts(self) -> dict[str, Any]:
        """Waterfall by language."""
        return {
            lang: waterfall(
                self.title[lang], with_powers(self.unit[lang]), self.labels[lang], self.taken,
                self.requested, self.delivered, lang,
            )
            for lang in LANGUAGES
        }  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What is kept with a result.

    Attributes
    ----------
    sources : the basin's page of sources, in Markdown
    explanations : of the worst shortages; None where none were asked for
    refused : why there are none, by language, where the case cannot be explained
    """

    sources: str = ""
    explanations: tuple[Told, ...] | None = None
    refused: dict[str, str] = field(default_factory=dict)


def tell(explanations: Sequence[Explanation]) -> tuple[Told, ...]:
    """Say explanations in both languages."""
    from wateralloc.report import explanation as words
    from wateralloc.report.explanation_figure import bar_names

    def both(say: Callable[[Explanation, str], Any], one: Explanation) -> dict[str, Any]:
        return {lang: say(one, lang) for lang in LANGUAGES}

    return tuple(
        Told(
            both(words.title, one), both(words.text, one), both(words.unit_of, one),
            both(bar_names, one), words.figure_data(one)[1].tolist(),
            float(one.requested), float(one.delivered), words.as_data(one),
        )
        for one in explanations
    )  # fmt: skip


def gather(
    results: Results,
    folder: Path,
    worst: int,
    progress: Callable[[int, int], None] | None = None,
) -> Kept:
    """Find what a report says beyond the results, by the case behind them, and keep it.

    Parameters
    ----------
    folder : of the result
    worst : number of users whose shortage is explained, those that lack most
    progress : called with the number of explanations done and in all

    Raises
    ------
    InputError
        The case of the result cannot be found, or is another now, and explanations are asked.

    Notes
    -----
    A case that cannot be explained, or whose explanation the solver cannot settle, costs no report:
    it says why there is none.
    """
    from wateralloc.explanation import explain
    from wateralloc.results.record import case_of

    explanations: tuple[Told, ...] | None = None
    refused: dict[str, str] = {}
    sources = ""
    try:
        case, _ = case_of(results, folder, strict=False)
        sources = _sources(case)
    except InputError:
        if worst:
            raise
    try:
        if worst and results.manifest.get("mended"):
            refused = MENDED
        elif worst:
            explanations = tell(explain(folder, worst=worst, progress=progress))
    except CaseError as error:
        if {fault.code for fault in error.faults} != {"E381"}:
            raise
        refused = MANY_PROGRAMS
    except SolveError as error:  # the result stands: it says so itself by its certificate
        log.warning("the worst shortages are not explained in the report:\n%s", error)
        refused = {lang: f"{text} {error}" for lang, text in UNSETTLED.items()}
    kept = Kept(sources, explanations, refused)
    write(kept, folder)
    return kept


def _sources(case: Case) -> str:
    """The basin's page of sources; none where it has none, or comes in one file."""
    path = case.basin.folder / case.basin.sources
    return path.read_text(encoding="utf-8") if case.basin.sources and path.is_file() else ""


def write(kept: Kept, folder: Path) -> Path:
    """Write ``report.json`` into the folder of a result."""
    path = folder / NAME
    text = json.dumps(asdict(kept), ensure_ascii=False, indent=1, allow_nan=False)
    with replacing(path) as written:
        written.write_text(text + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> Kept | None:
    """Read what is kept with a result; None where nothing is.

    Raises
    ------
    InputError
        The file is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        told = found["explanations"]
        explanations = None if told is None else tuple(Told(**one) for one in told)
        return Kept(found["sources"], explanations, found["refused"])
    except (ValueError, KeyError, TypeError) as error:
        text = f"cannot be read ({error}); make it again: wateralloc report with --explain"
        raise InputError([Fault(Position(shown(path)), "E108", text)]) from None
