"""What of a comparison is drawn: its policies, how each is told apart, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import altair as alt
import numpy as np

from wateralloc.comparison import Comparison
from wateralloc.comparison.figures import ENDS
from wateralloc.report.charts.style import INK, SECTORS, Drawing
from wateralloc.report.compare_table import TITLES, Key, are_alike, words

WORDS = {
    "mean": {"en": "Mean over members", "vi": "Trung bình các kịch bản"},
    "all": {"en": "All policies", "vi": "Tất cả cơ chế"},
    "policy": {"en": "Policy", "vi": "Cơ chế"},
    "whole": {"en": "whole basin", "vi": "toàn lưu vực"},
}
UNITS = {
    "hm3": {"en": "hm³", "vi": "triệu m³"},
    "hm3/year": {"en": "hm³ a year", "vi": "triệu m³/năm"},
    "GWh": {"en": "GWh", "vi": "GWh"},
    "GWh/year": {"en": "GWh a year", "vi": "GWh/năm"},
    "million": {"en": "million", "vi": "triệu"},
    "million/year": {"en": "million a year", "vi": "triệu/năm"},
}
DASHES: tuple[Sequence[int], ...] = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3))
SHAPES = (
    "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z",
    "M-.9,-.9H.9V.9H-.9Z",
    "M0,-1.1L1.1,.9H-1.1Z",
    "M0,-1.3L1.1,0L0,1.3L-1.1,0Z",
)
"""Outlines of points, between -1 and 1."""
MOST_CHOSEN = 100
"""Members up to which one of them can be chosen."""


@dataclass(frozen=True)
class Look:
    """How a policy is told apart from the others, by the colour-blind and in print too.

    Attributes
    ----------
    dash : lengths of strokes and gaps [px]
    shape : outline of its points
    width : of its lines [px]
    """

    colour: str
    dash: Sequence[int]
    shape: str
    width: float


@dataclass(frozen=True)
class Sides:
    """A comparison as it is drawn.

    Attributes
    ----------
    lang : ``en`` or ``vi``
    member, policy : places of the choice; 0: the mean over the members, all policies
    """

    comparison: Comparison = field(repr=False)
    lang: str = "en"
    member: int = 0
    policy: int = 0

    @cached_property
    def policies(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.comparison.policies.index)

    @property
    def others(self) -> list[str]:
        """Policies that are not the reference."""
        return [name for name in self.policies if name != self.comparison.reference]

    @property
    def is_ensemble(self) -> bool:
        return len(self.comparison.members) > 1

    @property
    def chosen_from(self) -> tuple[str, ...]:
        """Members that can be chosen beside their mean; of a single one its figures are the mean's.

        So many that each would make the page heavy cannot.
        """
        members = self.comparison.members
        return members if 1 < len(members) <= MOST_CHOSEN else ()

    @property
    def member_names(self) -> tuple[str, ...]:
        """Choices of members: their mean, then each."""
        return (WORDS["mean"][self.lang], *self.chosen_from)

    @property
    def policy_names(self) -> tuple[str, ...]:
        """Choices of policies: all, then each."""
        return (WORDS["all"][self.lang], *self.policies)

    def drawing(self, **more: int) -> Drawing:
        """A chart in the making that answers to the choices of the page, and to more."""
        return Drawing(self.lang, {"member": self.member, "policy": self.policy, **more})

    @cached_property
    def edges(self) -> np.ndarray:
        """First day of each period and the day after the last (time + 1)."""
        return self.comparison.courses["edge"].values.astype("datetime64[D]")

    # --- figures ----------------------------------------------------------------------------

    @cached_property
    def _by_member(self) -> dict[Key, dict[str, np.ndarray]]:
        """Values of each figure by policy (1 + member): the mean, then each member."""
        figures = self.comparison.figures
        shape = (len(figures), len(self.comparison.members))
        values = self.comparison.by_member["value"].to_numpy(float).reshape(shape)
        found: dict[Key, dict[str, np.ndarray]] = {}
        for row, of_members in zip(figures.itertuples(index=False), values, strict=True):
            key = (row.measure, row.scope, row.name)
            found.setdefault(key, {})[row.policy] = np.array([row.mean, *of_members])
        return found

    @cached_property
    def units(self) -> dict[Key, str]:
        rows = self.comparison.figures.itertuples(index=False)
        return {(row.measure, row.scope, row.name): row.unit for row in rows}

    def members_of(self, key: Key) -> dict[str, np.ndarray]:
        """Values of a figure in each member, by policy (member)."""
        return {policy: of[1:] for policy, of in self._by_member[key].items()}

    def values(self, key: Key) -> dict[str, np.ndarray]:
        """Values of a figure for each choice of a member, by policy (choice)."""
        n = 1 + len(self.chosen_from)
        return {policy: values[:n] for policy, values in self._by_member.get(key, {}).items()}

    def names(self, measure: str, scope: str) -> list[str]:
        """Names of a scope that have a measure."""
        return [key[2] for key in self._by_member if key[:2] == (measure, scope)]

    def has(self, key: Key) -> bool:
        """Tell whether all policies have a figure."""
        return len(self._by_member.get(key, {})) == len(self.policies)

    def is_tie(self, key: Key, policy: str) -> np.ndarray:
        """Whether the goals leave open that a figure is that of the reference (choice)."""
        ends = [self.values((f"{key[0]}_{end}", *key[1:])) for end in ENDS]
        values = self.values(key)
        own, base = (
            [of.get(name, values[name]) for of in ends]
            for name in (policy, self.comparison.reference)
        )
        return np.asarray(are_alike(*own, *base))

    # --- words ------------------------------------------------------------------------------

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        known = self.comparison.names
        columns = (known[column] for column in ("scope", "name", self.lang))
        return {(scope, name): word for scope, name, word in zip(*columns, strict=True)}

    def word(self, scope: str, name: str) -> str:
        """Name of a region, province, sector or node in the language."""
        return self._names.get((scope, name)) or name

    def unit(self, unit: str) -> str:
        return UNITS[unit][self.lang] if unit in UNITS else unit

    def title(self, measure: str) -> str:
        return words(self.lang)(TITLES[measure])

    # --- looks ------------------------------------------------------------------------------

    @cached_property
    def looks(self) -> dict[str, Look]:
        found = {}
        for k, name in enumerate(self.others):
            turn, number = divmod(k, len(SECTORS))
            turn %= len(DASHES)
            found[name] = Look(SECTORS[number], DASHES[turn], SHAPES[turn], 1.8)
        found[self.comparison.reference] = Look(INK, DASHES[0], SHAPES[3], 2.6)
        return {name: found[name] for name in self.policies}

    def scale(self, what: str) -> Any:
        """Scale from the places of policies, column ``k``, to what they look like."""
        places = list(range(1, len(self.policies) + 1))
        looks = [getattr(look, what) for look in self.looks.values()]
        return alt.Scale(domain=places, range=looks)

    def place(self, policy: str) -> int:
        """Its place among the choices."""
        return self.policies.index(policy) + 1


def coloured(sides: Sides) -> Any:
    """Colour by policy."""
    return alt.Color("k:N", legend=None, scale=sides.scale("colour"))


def shaped(sides: Sides) -> Any:
    """Shape of a point by policy."""
    return alt.Shape("k:N", legend=None, scale=sides.scale("shape"))


def dashed(sides: Sides) -> Any:
    """Dashes of a line by policy."""
    return alt.StrokeDash("k:N", legend=None, scale=sides.scale("dash"))


def faded(rest: float = 0.12) -> Any:
    """Opacity that leaves the policy that is chosen, or all."""
    return alt.OpacityValue(
        rest, condition={"test": "policy == 0 || datum.k == policy", "value": 1.0}
    )
