"""What of a goal counts where several members are decided for together: its mean, worst or CVaR.

A goal has a *loss* in each member: its value where it is minimised, less its value where it is
maximised.  All members weigh the same.

Source
------
Rockafellar & Uryasev (2000), Optimization of conditional value-at-risk, Journal of Risk 2(3),
21-41, eq. 17 (CVaR as a linear program).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from wateralloc.case.foresight import Cvar, TwoStage
from wateralloc.horizon import JointProgram


@dataclass(frozen=True)
class Risk:
    """A measure of a goal over members.

    Attributes
    ----------
    kind : ``expected``, ``worst`` or ``cvar``
    level : share of the members, the best, that do not count; 0 for all others than ``cvar``
    """

    kind: Literal["expected", "worst", "cvar"] = "expected"
    level: float = 0.0

    @classmethod
    def of(cls, keys: TwoStage) -> Risk:
        """Take the measure that a case names."""
        if isinstance(keys.risk, Cvar):
            return cls("cvar", keys.risk.cvar)
        return cls(keys.risk)

    @property
    def is_expected(self) -> bool:
        return self.kind == "expected"

    @property
    def title(self) -> str:
        """What it is, in words."""
        words = {"expected": "mean of members", "worst": "worst member"}
        return words.get(self.kind, f"mean of the worst {100 * (1 - self.level):g} %")

    def measure(self, losses: np.ndarray) -> float:
        """Measure of losses (member).

        >>> float(Risk("cvar", 0.5).measure(np.array([4.0, 1.0, 2.0])))  # 4, and half of 2
        3.333333333333333
        """
        losses = np.sort(np.asarray(losses, float))[::-1]
        if self.kind == "worst":
            return float(losses[0])
        before = np.arange(losses.size) / losses.size
        weight = np.clip((1.0 - self.level) - before, 0.0, 1.0 / losses.size)
        return float(weight @ losses / weight.sum())


@dataclass
class Border:
    """Rows and columns that are set beside a joint program.

    Attributes
    ----------
    program : the program of all members, which keeps its rows and columns at their places
    """

    program: JointProgram
    _columns: list[tuple[float, float]] = field(default_factory=list)
    _rows: list[tuple[np.ndarray, np.ndarray, float, float]] = field(default_factory=list)

    def add_column(self, lower: float, upper: float = np.inf) -> int:
        """Add a column with its bounds; return its place."""
        self._columns.append((lower, upper))
        return int(self.program.col_lower.size) + len(self._columns) - 1

    def add_row(
        self, columns: np.ndarray, coefficients: np.ndarray, lower: float, upper: float
    ) -> int:
        """Add a row with its limits; return its place.  Coefficients of one column add up."""
        self._rows.append((np.asarray(columns), np.asarray(coefficients, float), lower, upper))
        return int(self.program.row_lower.size) + len(self._rows) - 1

    def set(self) -> JointProgram:
        """Return the program with what was added."""
        program = self.program
        n_columns = program.col_lower.size + len(self._columns)
        lengths = [columns.size for columns, *_ in self._rows]
        added = sp.csr_matrix(
            (
                np.concatenate([c for _, c, *_ in self._rows] or [np.empty(0)]),
                (
                    np.repeat(np.arange(len(self._rows)), lengths),
                    np.concatenate([c for c, *_ in self._rows] or [np.empty(0, int)]),
                ),
            ),
            shape=(len(self._rows), n_columns),
        )
        own = program.matrix
        own.resize(own.shape[0], n_columns)
        matrix = sp.vstack([own, added]).tocsc()
        matrix.eliminate_zeros()
        matrix.sort_indices()
        col_lower, col_upper = np.reshape(self._columns, (-1, 2)).T
        row_lower, row_upper = np.reshape([limits for _, _, *limits in self._rows], (-1, 2)).T
        return replace(
            program,
            indptr=matrix.indptr.astype(np.int32),
            indices=matrix.indices.astype(np.int32),
            data=matrix.data,
            col_lower=np.concatenate([program.col_lower, col_lower]),
            col_upper=np.concatenate([program.col_upper, col_upper]),
            row_lower=np.concatenate([program.row_lower, row_lower]),
            row_upper=np.concatenate([program.row_upper, row_upper]),
        )


@dataclass(frozen=True)
class Measured:
    """Where the measure of a goal stands in a program.

    Attributes
    ----------
    column : its column; the measure is `scale` times it
    sign : 1 where losses are the goal's values, -1 where they are less its values
    """

    column: int
    sign: float
    scale: float


def add_measure(
    border: Border, risk: Risk, cost: np.ndarray, constant: np.ndarray, sense: str, scale: float
) -> Measured:
    """Set the worst loss, or the CVaR of losses, beside a program, as a column to be minimised.

    Parameters
    ----------
    cost : of the goal's value in each member (member, column)
    constant : of it (member)
    scale : size of the coefficients, for the solver's tolerances

    Notes
    -----
    The worst: ``z >= loss(k)`` for every member k.  CVaR at level a, with n members:
    ``z >= eta + sum u(k) / ((1 - a) n)``, ``u(k) >= loss(k) - eta``, ``u(k) >= 0``.
    """
    place, sign = border.program.place, 1.0 if sense == "minimise" else -1.0
    n_members = place.shape[0]
    z = border.add_column(-np.inf)
    eta, above = z, []
    if risk.kind == "cvar":
        eta = border.add_column(-np.inf)
        above = [border.add_column(0.0) for _ in range(n_members)]
        share = np.full(n_members, -1.0 / ((1.0 - risk.level) * n_members))
        border.add_row(np.array([z, eta, *above]), np.array([1.0, -1.0, *share]), 0.0, np.inf)
    for k in range(n_members):
        used = np.flatnonzero(cost[k])
        rest = [eta, *above[k : k + 1]]
        border.add_row(
            np.concatenate([place[k, used], rest]),
            np.concatenate([sign * cost[k, used] / scale, np.full(len(rest), -1.0)]),
            -np.inf,
            -sign * float(constant[k]) / scale,
        )
    return Measured(z, sign, scale)
