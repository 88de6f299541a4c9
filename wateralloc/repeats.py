"""How the variables and rows of one period repeat over the horizon.

The period model is written once; these notes on it say how the stacker lays out its copies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Carried:
    """`now` in period t is `before` in period t - lag; before the first period it is `initial`."""

    now: Any
    before: Any
    lag: int
    initial: Any


@dataclass
class Repeats:
    """Notes on one period model, kept as ``m.repeats``.

    Attributes
    ----------
    carried : variables that are another variable some periods ago
    shared : variable -> window number of each period, one column a window
    totals : constraint -> window number of each period; its terms add up over the window and it
        is absent where the number is -1
    """

    carried: list[Carried] = field(default_factory=list)
    shared: dict[int, np.ndarray] = field(default_factory=dict)
    totals: dict[int, np.ndarray] = field(default_factory=dict)

    def carry(self, now: Any, before: Any, lag: int = 1, initial: Any = 0.0) -> None:
        """Let `now` stand for `before`, `lag` periods ago.

        Parameters
        ----------
        now, before : Pyomo variables of the period
        lag : whole periods, 1 or more
        initial : number, array or Pyomo data expression; value before the first period
        """
        if lag < 1:
            raise ValueError("a carried variable needs a lag of at least one period")
        self.carried.append(Carried(now, before, lag, initial))

    def share(self, variable: Any, window: np.ndarray) -> None:
        """Give `variable` one column for each window (an array of window numbers by period)."""
        self.shared[id(variable)] = np.asarray(window)

    def total(self, constraint: Any, window: np.ndarray) -> None:
        """Let `constraint` hold for the sum over each window; -1 leaves a period out."""
        self.totals[id(constraint)] = np.asarray(window)
