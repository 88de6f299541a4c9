"""What of a result is drawn: its members, seasons and names, and one choice of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from wateralloc.errors import Fault, InputError, Position, listed, or_do, suggest
from wateralloc.report.tables import SEASONS, WET_MONTHS, word, years_of
from wateralloc.results import Results

WORDS = {
    "all": {"en": "All members", "vi": "Tất cả kịch bản thủy văn"},
    "year": {"en": "Whole year", "vi": "Cả năm"},
}
NEEDED = ("storage_least", "rule_at", "lon")
"""Variables that results of earlier versions lack."""


@dataclass(frozen=True)
class View:
    """A result as it is drawn.

    Attributes
    ----------
    lang : ``en`` or ``vi``
    member, season : places of the choice; 0: all members, the whole year
    found : what was computed once, for views of the same result in other languages too
    """

    results: Results = field(repr=False)
    lang: str = "en"
    member: int = 0
    season: int = 0
    found: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def dataset(self) -> xr.Dataset:
        return self.results.dataset

    @cached_property
    def members(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.dataset["member"].values)

    @property
    def is_ensemble(self) -> bool:
        return len(self.members) > 1

    @cached_property
    def member_names(self) -> tuple[str, ...]:
        """Choices of members: all of them, then each; of a single member itself."""
        return (WORDS["all"][self.lang], *self.members) if self.is_ensemble else self.members

    @cached_property
    def season_names(self) -> tuple[str, ...]:
        """Choices of seasons: the whole year, then those that the horizon has."""
        return (WORDS["year"][self.lang], *(SEASONS[key][self.lang] for key in self.seasons))

    @cached_property
    def seasons(self) -> tuple[str, ...]:
        found = [key for key in SEASONS if (self.is_wet == (key == "wet")).any()]
        return tuple(found) if len(found) > 1 else ()

    @cached_property
    def is_wet(self) -> np.ndarray:
        """Whether each period starts in the wet season (time)."""
        month = self.starts.astype("datetime64[M]").astype(int) % 12 + 1
        return np.isin(month, WET_MONTHS)

    @cached_property
    def season_masks(self) -> np.ndarray:
        """Periods of each choice of season (season, time)."""
        whole = np.ones(self.is_wet.size, bool)
        return np.stack([whole, *(self.is_wet == (key == "wet") for key in self.seasons)])

    @cached_property
    def edges(self) -> np.ndarray:
        """First day of each period and the day after the last (time + 1)."""
        bounds = self.dataset["time_bnds"].values.astype("datetime64[D]")
        return np.append(bounds[:, 0], bounds[-1, 1])

    @property
    def starts(self) -> np.ndarray:
        return self.edges[:-1]

    @cached_property
    def years(self) -> float:
        """Length of the horizon in years, one at least."""
        return float(years_of(self.dataset, [])[0])

    @property
    def choice(self) -> dict[str, int]:
        """The parameters of charts, as they stand at first."""
        return {"member": self.member, "season": self.season}

    def once(self, what: str, compute: Callable[[], Any]) -> Any:
        """What was computed before, or is now."""
        if what not in self.found:
            self.found[what] = compute()
        return self.found[what]

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        columns = (self.dataset[f"word_{key}"].values for key in ("of", "name", self.lang))
        return {(str(of), str(name)): str(said) for of, name, said in zip(*columns, strict=True)}

    def name(self, of: str, key: str) -> str:
        """Name of a node, province, sector, plant ... in the language."""
        return self._names.get((of, str(key)), str(key)) or word(self.dataset, of, "", self.lang)

    def say(self, words: dict[str, dict[str, str]], key: str) -> str:
        return words[key][self.lang]

    def with_all(self, values: np.ndarray) -> np.ndarray:
        """Put the mean over members before the members (member, ...); of a single one itself."""
        if not self.is_ensemble:
            return values
        return np.concatenate([values.mean(axis=0, keepdims=True), values])


def make_view(
    results: Results,
    lang: str = "en",
    member: str | None = None,
    season: str | None = None,
    found: dict[str, Any] | None = None,
) -> View:
    """View of a result with a member and a season chosen.

    Parameters
    ----------
    member : its name; None: all
    season : ``dry`` or ``wet``; None: the whole year
    found : what views of the same result share

    Raises
    ------
    InputError
        The language, member or season is unknown, or the result is of an earlier version.
    """
    missing = [name for name in NEEDED if name not in results.dataset.variables]
    if missing:
        text = f"the result has no {listed(missing)}: it is of an earlier version; run it again"
        raise InputError([Fault(Position("figure"), "E303", text)])
    found = {} if found is None else found
    view = View(results, lang, found=found)
    faults = [
        *_unknown("lang", lang, tuple(SEASONS["dry"])),
        *_unknown("member", member, view.members),
        *_unknown("season", season, view.seasons),
    ]
    if faults:
        raise InputError(faults)
    place = view.members.index(member) + view.is_ensemble if member else 0
    return View(results, lang, place, view.seasons.index(season) + 1 if season else 0, found)


def _unknown(what: str, name: str | None, known: Sequence[str]) -> list[Fault]:
    if name is None or name in known:
        return []
    tail = or_do(suggest(name, known), f"known: {listed(known, 30) or 'none'}")
    return [Fault(Position("figure"), "E303", f"no {what} is called '{name}'{tail}")]
