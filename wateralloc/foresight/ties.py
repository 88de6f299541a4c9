"""Decisions that are the same in all members, as they are taken before the hydrology is known.

A decision is an item of a quantity in a period: the withdrawal of a user, the flow of a link.
Where it is one column of the period, that column is one for all members.  Where it is a sum of
several, or has other numbers in other members, rows make its values equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wateralloc.case import Case
from wateralloc.errors import CaseError, Fault, Position, listed, suggest
from wateralloc.foresight.risk import Border
from wateralloc.horizon import Horizon, Terms
from wateralloc.parts import Quantity, items_of
from wateralloc.period import Period

ROUNDING = 1e-9
"""A decision that is given may be missed by this share of 1 + its size."""


@dataclass(frozen=True)
class Tie:
    """A decision in one period that is the same in all members.

    Attributes
    ----------
    columns : its columns in the program of a member (term)
    coefficients : (member, term)
    constant : (member)
    """

    quantity: str
    item: str
    period: int
    columns: np.ndarray
    coefficients: np.ndarray
    constant: np.ndarray

    @property
    def is_one_column(self) -> bool:
        """Whether equal columns are equal decisions, and nothing else is."""
        return (
            self.columns.size == 1
            and bool((self.coefficients == self.coefficients[0]).all())
            and bool((self.constant == self.constant[0]).all())
        )

    def add_rows(self, border: Border) -> list[int]:
        """Set its rows beside a program: each member's value equals the first one's."""
        place = border.program.place
        first = place[0, self.columns], -self.coefficients[0]
        rows = []
        for k in range(1, place.shape[0]):
            off = float(self.constant[0] - self.constant[k])
            rows.append(
                border.add_row(
                    np.concatenate([place[k, self.columns], first[0]]),
                    np.concatenate([self.coefficients[k], first[1]]),
                    off,
                    off,
                )
            )
        return rows

    def add_value(self, border: Border, value: float) -> None:
        """Set a row beside a program: the first member's value is so much, but for rounding."""
        place, first = border.program.place, value - float(self.constant[0])
        room = ROUNDING * (1.0 + abs(value))
        border.add_row(place[0, self.columns], self.coefficients[0], first - room, first + room)


def find_ties(period: Period, horizon: Horizon) -> list[Tie]:
    """Find what the ``decisions`` of a case name, over its first periods.

    Raises
    ------
    CaseError
        With every fault: a name that is not known, or what cannot be decided beforehand.
    """
    case, keys = period.case, period.case.foresight.two_stage
    if keys is None:
        return []
    known = {quantity.name: quantity for quantity in period.quantities()}
    n_periods = case.n_periods if keys.periods is None else keys.periods
    faults = []
    if n_periods > case.n_periods:
        text = f"two_stage.periods is {n_periods} but the horizon has {case.n_periods} periods"
        faults.append(("E371", f"{text}; must be at most that, or left out for all of them"))
        n_periods = case.n_periods
    ties: list[Tie] = []
    for name, items in keys.decisions.items():
        quantity = known.get(name)
        if quantity is None:
            near = suggest(name, known) or f"; known: {listed(sorted(known), 40)}"
            faults.append(("E315", f"two_stage.decisions: unknown quantity '{name}'{near}"))
            continue
        found, wrong = _of_quantity(case, horizon, quantity, items, n_periods)
        ties += found
        faults += wrong
    if faults:
        at = Position(case.name)
        raise CaseError([Fault(at, code, text) for code, text in faults])
    return ties


def _of_quantity(
    case: Case,
    horizon: Horizon,
    quantity: Quantity,
    items: Sequence[str] | str,
    n_periods: int,
) -> tuple[list[Tie], list[tuple[str, str]]]:
    """Ties of the items of a quantity, and faults: (code, text) each."""
    name, values = quantity.name, quantity.values
    ties: list[Tie] = []
    faults: list[tuple[str, str]] = []
    for item in values if isinstance(items, str) else items:
        where = f"two_stage.decisions: {name} of '{item}'"
        if item not in values:
            there = items_of(case.basin, quantity.dim)
            near = suggest(item, values) or f"; it has {listed(values)}"
            what = "is 0, there is none" if item in there else "is not known"
            faults.append(("E313", f"{where} {what}{near}"))
        elif item in quantity.exact or horizon.moves(values[item]):
            faults.append(
                (
                    "E370",
                    f"{where} is not linear in what is decided, so it cannot be made equal in all "
                    "members; name what it comes from, as a release, a flow or a storage",
                )
            )
        else:
            found = list(_of_item(name, item, horizon.terms(values[item]), n_periods))
            if not found and not isinstance(items, str):
                text = f"{where} is given and not decided; name a quantity that is decided"
                faults.append(("E370", text))
            ties += found
    if not ties and not faults and values and isinstance(items, str):
        text = f"two_stage.decisions: {name} is given and not decided"
        faults.append(("E370", f"{text}; name a quantity that is decided"))
    return ties, faults


def _of_item(quantity: str, item: str, terms: Terms, n_periods: int) -> Iterator[Tie]:
    """Ties of an item in its first periods, but where nothing decides it."""
    for t in range(n_periods):
        all_columns = np.array([column[t] for column in terms.columns], int)
        numbers = np.array([c[:, t] for c in terms.coefficients])
        columns, which = np.unique(all_columns, return_inverse=True)
        coefficients = np.zeros((terms.constant.shape[0], columns.size))
        for number, place in zip(numbers, which, strict=True):
            coefficients[:, place] += number
        used = coefficients.any(axis=0)
        if used.any():
            yield Tie(quantity, item, t, columns[used], coefficients[:, used], terms.constant[:, t])


def common_columns(ties: Iterable[Tie], n_columns: int) -> np.ndarray:
    """Mark the columns that ties make one for all members (column), bool."""
    common = np.zeros(n_columns, bool)
    for tie in ties:
        if tie.is_one_column:
            common[tie.columns] = True
    return common


def told(ties: Iterable[Tie], starts: Sequence[str]) -> list[str]:
    """Name decisions, those of one item together, with the first day of their periods."""
    runs: dict[tuple[str, str], list[int]] = {}
    for tie in ties:
        runs.setdefault((tie.quantity, tie.item), []).append(tie.period)
    return [
        f"{quantity} of '{item}' from {starts[min(of)]}"
        + (f" to {starts[max(of)]}" if max(of) > min(of) else "")
        for (quantity, item), of in runs.items()
    ]
