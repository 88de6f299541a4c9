"""How the variables and rows of one period repeat over the horizon.

The period model is written once; these notes on it say how the stacker lays out its copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from pyomo.common.collections import ComponentSet

from wateralloc.errors import ModelError

Overlapping = tuple[np.ndarray, ...]
"""Periods of each of some windows that may overlap, each in time order and ending later than the
one before it."""


@dataclass(frozen=True)
class Carried:
    """`now` in period t is `before` in period t - lag; before that it is `initial`."""

    now: Any
    before: Any
    lag: int
    initial: Any


@dataclass
class Repeats:
    """Notes on one period model, kept as ``m.repeats``.

    What is shared or totalled may be an indexed component: the note holds for each of its members.

    Attributes
    ----------
    carried : variables that are another variable some periods ago
    shared : id of a variable -> window number of each period, one column a window
    common : ids of the shared variables that are one column for all members together
    totals : id of a constraint -> window number of each period, or the periods of each window where
        windows overlap; its terms and its limits add up over a window, and it is absent where the
        number is negative
    once : id of variables that count in a row over overlapping windows in one period only
    ends : id of constraints that stand in the last period in sight only
    last : id -> data that are 1 in the last period in sight, and 0 before
    noted : id -> component, of everything named in a note
    """

    carried: list[Carried] = field(default_factory=list)
    shared: dict[int, np.ndarray] = field(default_factory=dict)
    common: set[int] = field(default_factory=set)
    totals: dict[int, np.ndarray | Overlapping] = field(default_factory=dict)
    once: set[int] = field(default_factory=set)
    ends: set[int] = field(default_factory=set)
    last: dict[int, Any] = field(default_factory=dict)
    noted: dict[int, Any] = field(default_factory=dict)
    _repeating: ComponentSet = field(default_factory=ComponentSet)

    def carry(self, now: Any, before: Any, lag: int = 1, initial: Any = 0.0) -> None:
        """Let `now` stand for `before`, `lag` periods ago.

        The limits of `now` hold too, for the columns it stands for; initial values are data and
        are taken as they are.

        Parameters
        ----------
        now, before : Pyomo variables of the period
        lag : whole periods, 1 or more
        initial : number, array or Pyomo data expression; value of `now` in the first `lag` periods.
            Its last axis holds one value for all of them, one for each, or one for each period of
            the horizon, of which the first `lag` are taken; an axis before it holds members.

        Raises
        ------
        ModelError
            The lag is not a whole number from 1, or `now` repeats in another way already.
        """
        if int(lag) != lag or lag < 1:
            raise ModelError(
                f"'{now.name}' is carried over {lag} periods; give a whole number >= 1"
            )
        self._repeat(now)
        self.carried.append(Carried(now, before, int(lag), initial))
        self.noted[id(before)] = before

    def share(self, variable: Any, window: Any, over_members: bool = False) -> None:
        """Give `variable` one column for each window.

        Parameters
        ----------
        variable : Pyomo variable of the period
        window : window number of each period, each >= 0 (period)
        over_members : all members have the same value, as a decision taken before the inflow is
            known; binding in :meth:`wateralloc.horizon.LinearProgram.joint`

        Raises
        ------
        ModelError
            A window number is negative, or the variable repeats in another way already.
        """
        window = _window(variable, window)
        if (window < 0).any():
            raise ModelError(
                f"'{variable.name}' is shared over a window that leaves periods out; "
                "give every period a number >= 0"
            )
        for one in _each(variable):
            self._repeat(one)
            self.shared[id(one)] = window
            if over_members:
                self.common.add(id(one))

    def total(self, constraint: Any, window: Any) -> None:
        """Let `constraint` hold for the sum over each window.

        Both sides add up: write the limit as the amount of one period.

        Parameters
        ----------
        constraint : Pyomo constraint of the period
        window : window number of each period, -1 where it is in none (period); or, for windows that
            overlap, a list with the periods of each, in time order.  Of these each must end later
            than the one before, as its row stands at its last period.

        Raises
        ------
        ModelError
            The constraint is a total already, or overlapping windows are not in time order.
        """
        if isinstance(window, list | tuple) and all(np.ndim(periods) == 1 for periods in window):
            window = _overlapping(constraint, window)
        else:
            window = _window(constraint, window)
        for one in _each(constraint):
            self._repeat(one)
            self.totals[id(one)] = window

    def at_end(self, constraint: Any, n_periods: int) -> None:
        """Let `constraint` stand in the last period in sight only: at the end of a window.

        Parameters
        ----------
        n_periods : periods of the horizon
        """
        window = np.full(n_periods, -1)
        window[-1:] = 0
        self.total(constraint, window)
        self.ends |= {id(one) for one in _each(constraint)}

    def count_last(self, data: Any) -> None:
        """Let `data`, 1 in the last period of the horizon, be 1 in the last in sight instead."""
        self.last[id(data)] = data

    def count_once(self, variable: Any) -> None:
        """Let a variable count in each row over overlapping windows only where the row stands.

        So each of these rows has a column of its own: the variable in the last period of its
        window.  A shortfall needs it, lest one volume make up for what several windows miss.
        """
        for one in _each(variable):
            self.once.add(id(one))
            self.noted[id(one)] = one

    def _repeat(self, component: Any) -> None:
        """Take note that a component repeats in a way of its own."""
        if component in self._repeating:
            raise ModelError(
                f"'{component.name}' has a note already; it can repeat in one way only"
            )
        self._repeating.add(component)
        self.noted[id(component)] = component


def _each(component: Any) -> Iterator[Any]:
    """Members of an indexed component, or the component itself."""
    return iter(component.values()) if component.is_indexed() else iter((component,))


def _window(component: Any, window: Any) -> np.ndarray:
    number = np.asarray(window)
    if number.ndim != 1 or number.dtype.kind not in "iu":
        raise ModelError(
            f"the window of '{component.name}' is {number.dtype} of shape {number.shape}; "
            "give one whole number for each period"
        )
    return number


def _overlapping(component: Any, windows: Any) -> Overlapping:
    runs = tuple(_window(component, periods) for periods in windows)
    for run in runs:
        if not run.size or run[0] < 0 or (np.diff(run) <= 0).any():
            raise ModelError(
                f"a window of '{component.name}' has the periods {run.tolist()}; give one or more, "
                "counted from 0, in time order"
            )
    last = [int(run[-1]) for run in runs]
    if any(before >= after for before, after in pairwise(last)):
        raise ModelError(
            f"the overlapping windows of '{component.name}' end in the periods {last}; "
            "each must end later than the one before"
        )
    return runs
