"""The policies: one rule per file, in the same form as a part.

A rule is a pydantic model of its clause in the case file.  Its `constrain` adds rows to the period,
``achieved >= required`` or ``achieved <= required``, in each period or summed over a window.  What
a rule asked and what came of it is read back from its rows, so a user's own rule reports like any
other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pyomo.environ as pyo
from pydantic import BaseModel, ConfigDict, Field

from wateralloc.parts import DATA, unit
from wateralloc.timeline import Timeline

if TYPE_CHECKING:
    from wateralloc.basin import Basin
    from wateralloc.case import Case

log = logging.getLogger(__name__)


class Soft(BaseModel):
    """How a rule may be broken: its shortfall is made least just before goal number `goal`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    goal: Annotated[int, Field(ge=1, description="place in the order of goals, from 1")]


class Rule(BaseModel):
    """A clause of a case.

    Attributes
    ----------
    kind : word after ``rule:`` in the case file
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    kind: ClassVar[str | None] = None

    name: Annotated[str, Field(description="name in results; default: the rule's kind")] = ""
    source: Annotated[str, Field(description="legal source of the clause")] = ""
    soft: Annotated[
        Soft | None,
        Field(description="the rule may be broken, in the order of goals; else it is hard"),
    ] = None

    @property
    def reported_in(self) -> str:
        """Unit of its rows in results.

        ``hm3`` of the period or window, ``m3s`` as mean flow, or ``gwh`` of energy.
        """
        return "hm3"

    def check(self, basin: Basin) -> list[tuple[str, str, str]]:
        """Faults that only the basin shows: (key, error code, text) each."""
        return []

    def constrain(self, m: pyo.ConcreteModel, case: Case) -> None:
        """Add the rule's rows to the period."""
        raise NotImplementedError

    def require(
        self,
        m: pyo.ConcreteModel,
        rows: dict[str, tuple[Any, np.ndarray]],
        sense: str,
        window: np.ndarray | None = None,
        suffix: str = "",
    ) -> None:
        """Add one row for each item: achieved >= required, or <=.

        Parameters
        ----------
        rows : item -> (achieved, a linear expression [hm3, or GWh for a rule reported in it];
            required, in the same unit (time) or (member, time)).  A rule with one row names it "".
        sense : ``>=`` or ``<=``
        window : number of the window of each period (time), -1 where the rule is silent; achieved
            and required add up over a window.  None: every period is its own window.
        suffix : told apart from other rows of the same rule
        """
        name = self.name + suffix
        of_rows = unit("GWh" if self.reported_in == "gwh" else "hm3")
        required = pyo.Param(
            list(rows), initialize={i: r for i, (_, r) in rows.items()}, units=of_rows, **DATA
        )
        block = m.rules
        block.add_component(f"{name}_required", required)

        def row(_: Any, item: str) -> Any:
            achieved = rows[item][0]
            return achieved >= required[item] if sense == ">=" else achieved <= required[item]

        constraint = pyo.Constraint(list(rows), rule=row)
        block.add_component(name, constraint)
        if window is not None:
            for item in rows:
                m.repeats.total(constraint[item], window)


def number_windows(mask: np.ndarray) -> np.ndarray:
    """Give each period of a mask (time) a window of its own, -1 to the others."""
    return np.where(mask, np.cumsum(mask) - 1, -1)


def at_first_period(volume: float, window: np.ndarray) -> np.ndarray:
    """Put a window's volume at its first period (time), so that it adds up to itself."""
    required = np.zeros(window.size)
    number, first = np.unique(window, return_index=True)
    required[first[number >= 0]] = volume
    return required


def windows(
    timeline: Timeline,
    name: str,
    months: Sequence[int] = (),
    *,
    whole: bool = False,
    rule: str = "",
) -> np.ndarray:
    """Number the windows of a rule (time); -1 where it is silent.

    Parameters
    ----------
    whole : leave out windows of which the horizon has only a part, with a warning that names
    `rule`;
        a least volume cannot be asked of a part, while a cap holds in it
    """
    number = timeline.window(name, months or None)
    if not whole or name in ("period", "horizon"):
        return number
    day = np.timedelta64(1, "D")
    for k in range(int(number.max(initial=-1)) + 1):
        inside = np.flatnonzero(number == k)
        first, last = timeline.starts[inside[0]], timeline.last_days[inside[-1]]
        cut = [
            d
            for d, next_ in ((first, first - day), (last, last + day))
            if _same_window(timeline, name, months, d, next_)
        ]
        if cut:
            log.warning(
                "%s: the %s from %s to %s is not whole in the horizon; the rule is silent in it",
                rule,
                name,
                first,
                last,
            )
            number = np.where(number == k, -1, number)
    left = np.unique(number[number >= 0])
    return np.where(number >= 0, np.searchsorted(left, number), -1)


def _same_window(
    timeline: Timeline, name: str, months: Sequence[int], day: np.datetime64, other: np.datetime64
) -> bool:
    month = [int(d.astype("datetime64[M]").astype(int)) for d in (day, other)]
    if months and month[1] % 12 + 1 not in months:
        return False
    if name == "month":
        return month[0] == month[1]
    if name == "year":
        shift = timeline.water_year_start - 1
        return (month[0] - shift) // 12 == (month[1] - shift) // 12
    return bool(months)
