"""Explanations of the worst shortages, kept beside a result so that a report need not solve."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wateralloc.errors import CaseError, Fault, InputError, Position, shown
from wateralloc.report.charts.shortage import waterfall
from wateralloc.results.store import replacing

if TYPE_CHECKING:
    from wateralloc.explanation import Explanation

NAME = "explanations.json"
LANGUAGES = ("en", "vi")


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
                self.title[lang], self.unit[lang], self.labels[lang], self.taken,
                self.requested, self.delivered,
            )
            for lang in LANGUAGES
        }  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Explanations of a result.

    Attributes
    ----------
    refused : why there are none, where the case cannot be explained
    """

    explanations: tuple[Told, ...] = ()
    refused: str = ""


def tell(explanations: Sequence[Explanation]) -> Kept:
    """Say explanations in both languages."""
    from wateralloc.report import explanation as words

    def both(say: Callable[[Explanation, str], Any], one: Explanation) -> dict[str, Any]:
        return {lang: say(one, lang) for lang in LANGUAGES}

    def labels(one: Explanation, lang: str) -> list[str]:
        named = words.WORDS[lang]
        steps = words.figure_data(one, lang)[0]
        return [named["requested_name"], *steps, named["delivered_name"]]

    return Kept(
        tuple(
            Told(
                both(words.title, one), both(words.text, one), both(words.unit_of, one),
                both(labels, one), words.figure_data(one)[1].tolist(),
                float(one.requested), float(one.delivered), words.as_data(one),
            )
            for one in explanations
        )
    )  # fmt: skip


def explain_worst(folder: Path, count: int, progress: Any = None) -> Kept:
    """Explain the users of a result that lack most, and keep that beside it.

    Parameters
    ----------
    folder : of the result
    progress : called with the number of explanations done and in all

    Raises
    ------
    InputError
        The case of the result cannot be found.  One that is found but cannot be explained is no
        error: what is kept says why.
    """
    from wateralloc.explanation import explain

    try:
        kept = tell(explain(folder, worst=count, progress=progress))
    except CaseError as error:
        if {fault.code for fault in error.faults} != {"E381"}:
            raise
        kept = Kept(refused=error.faults[0].text)
    write(kept, folder)
    return kept


def write(kept: Kept, folder: Path) -> Path:
    """Write ``explanations.json`` into the folder of a result."""
    path = folder / NAME
    text = json.dumps(asdict(kept), ensure_ascii=False, indent=1, allow_nan=False)
    with replacing(path) as written:
        written.write_text(text + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> Kept | None:
    """Read what is kept with a result, if anything is.

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
        return Kept(tuple(Told(**one) for one in found["explanations"]), found["refused"])
    except (ValueError, KeyError, TypeError) as error:
        text = f"cannot be read ({error}); make it again: wateralloc report with --explain"
        raise InputError([Fault(Position(shown(path)), "E108", text)]) from None
