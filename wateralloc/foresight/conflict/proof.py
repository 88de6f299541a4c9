"""The proof that limits contradict each other, taken apart into its elements.

The least repair of a program (:func:`wateralloc.solve.least_repair`) has duals that prove that it
cannot be met (Farkas): the limits with a nonzero dual, weighed by it, add up to an asking that is
larger than what is allowed.

Source
------
Gleeson & Ryan (1990), Identifying minimally infeasible subsystems of inequalities, ORSA Journal on
Computing 2, 61-63: the corners of the polyhedron of proofs are the conflicts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from wateralloc.errors import SolveError
from wateralloc.horizon import MemberProgram
from wateralloc.solve import Repair, Stages

log = logging.getLogger(__name__)

SMALLEST = 1e-6
"""Amounts [hm3] up to this are rounding and are not reported."""
NO_DUAL = 1e-7
"""Duals up to this are rounding; those of a repair are 1 where a limit gives way."""


@dataclass(frozen=True)
class Proof:
    """Nonzero duals of rows, and reduced costs of columns, that prove a contradiction.

    They are those of a minimum: above 0 where the lower limit takes part, below 0 for the upper.
    """

    rows: np.ndarray
    y: np.ndarray
    columns: np.ndarray
    d: np.ndarray

    def missed(self, lp: MemberProgram) -> float:
        """What the limits ask, less what they allow."""
        return float(
            self.y @ leaning(self.y, lp.row_lower[self.rows], lp.row_upper[self.rows])
            + self.d @ leaning(self.d, lp.col_lower[self.columns], lp.col_upper[self.columns])
        )


def whole_proof(by_rows: sp.csr_matrix, repair: Repair) -> Proof:
    """The proof that a repair gives."""
    d = -(by_rows.T @ repair.y)
    rows, columns = np.flatnonzero(np.abs(repair.y) > NO_DUAL), np.flatnonzero(np.abs(d) > NO_DUAL)
    return Proof(rows, repair.y[rows], columns, d[columns])


def components(by_rows: sp.csr_matrix, proof: Proof) -> list[Proof]:
    """Split a proof into parts that have no column in common."""
    touched = by_rows[proof.rows]
    touched.data = np.ones(touched.data.size)
    n_rows = proof.rows.size
    graph = sp.bmat([[None, touched], [touched.T, None]])
    n_parts, part = sp.csgraph.connected_components(graph, directed=False)
    of_row, of_column = part[:n_rows], part[n_rows:][proof.columns]
    found = []
    for k in range(n_parts):
        rows, columns = of_row == k, of_column == k
        if rows.any() or columns.any():
            found.append(
                Proof(proof.rows[rows], proof.y[rows], proof.columns[columns], proof.d[columns])
            )
    return found


def elements_of(
    lp: MemberProgram, by_rows: sp.csr_matrix, proof: Proof, most: int
) -> tuple[list[Proof], float]:
    """Split a proof into elements that add up to it: corners of the polyhedron of proofs.

    Returns
    -------
    elements : each proves a contradiction, of which all limits are needed
    left : what is missed beyond them
    """
    total = left = proof.missed(lp)
    found: list[Proof] = []
    while left > max(SMALLEST, 1e-9 * total) and len(found) < most:
        element = corner(lp, by_rows, proof)
        if element is None:
            if not found:
                found, left = [proof], 0.0
            break
        found.append(element)
        proof = less(proof, element)
        left = proof.missed(lp)
    return found, max(left, 0.0) if left > SMALLEST else 0.0


def corner(
    lp: MemberProgram, by_rows: sp.csr_matrix, proof: Proof, missed: float | None = None
) -> Proof | None:
    """A corner of the polyhedron of proofs with the limits of `proof` alone, by the simplex method.

    Unknowns are the sizes of the duals; their signs are those of `proof`.  For each column of the
    program: sum of sign(y) y a + sign(d) d = 0.

    Parameters
    ----------
    missed : what the limits are to miss; default: as in `proof`
    """
    rows = by_rows[proof.rows]
    used = np.union1d(np.unique(rows.indices), proof.columns)
    matrix = sp.hstack(
        [
            rows[:, used].multiply(np.sign(proof.y)[:, None]).T,
            sp.csc_matrix(
                (
                    np.sign(proof.d),
                    (np.searchsorted(used, proof.columns), np.arange(proof.columns.size)),
                ),
                shape=(used.size, proof.columns.size),
            ),
        ]
    )
    asks = np.concatenate(
        [
            np.sign(proof.y) * leaning(proof.y, lp.row_lower[proof.rows], lp.row_upper[proof.rows]),
            np.sign(proof.d)
            * leaning(proof.d, lp.col_lower[proof.columns], lp.col_upper[proof.columns]),
        ]
    )
    missed = proof.missed(lp) if missed is None else missed
    scale = max(1.0, float(np.abs(asks).max(initial=0.0)))
    matrix = sp.vstack([matrix, sp.csr_matrix(asks[None] / scale)]).tocsc()
    limits = np.append(np.zeros(used.size), missed / scale)
    n = asks.size
    program = MemberProgram(
        matrix.indptr,
        matrix.indices,
        matrix.data,
        np.zeros(n),
        np.full(n, np.inf),
        limits,
        limits,
    )
    cost = np.append(np.ones(proof.rows.size), np.zeros(proof.columns.size))
    try:
        sizes = Stages(program, "conflict: ").optimise("corner", cost).x
    except SolveError as error:  # what was cut off as rounding was none
        log.debug("%s", error)
        return None
    sizes = np.where(sizes > NO_DUAL * sizes.max(initial=0.0), sizes, 0.0)
    y = sizes[: proof.rows.size] * np.sign(proof.y)
    d = sizes[proof.rows.size :] * np.sign(proof.d)
    of_y, of_d = y != 0, d != 0
    return Proof(proof.rows[of_y], y[of_y], proof.columns[of_d], d[of_d])


def less(proof: Proof, element: Proof) -> Proof:
    """What is left of a proof after as much of an element as there is in it."""
    in_rows = np.searchsorted(proof.rows, element.rows)
    in_columns = np.searchsorted(proof.columns, element.columns)
    shares = np.concatenate([proof.y[in_rows] / element.y, proof.d[in_columns] / element.d])
    share = shares.min()
    y, d = proof.y.copy(), proof.d.copy()
    y[in_rows] -= share * element.y
    d[in_columns] -= share * element.d
    used_up = shares <= share * (1 + 1e-9)
    y[in_rows[used_up[: in_rows.size]]] = 0.0
    d[in_columns[used_up[in_rows.size :]]] = 0.0
    of_y, of_d = np.abs(y) > NO_DUAL, np.abs(d) > NO_DUAL
    return Proof(proof.rows[of_y], y[of_y], proof.columns[of_d], d[of_d])


def leaning(price: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Limit that a dual leans on; 0 where it is infinite: then the dual is rounding."""
    limit = np.where(price > 0, low, high)
    return np.where(np.isfinite(limit), limit, 0.0)


def alone(
    lp: MemberProgram, by_rows: sp.csr_matrix, proof: Proof
) -> tuple[MemberProgram, np.ndarray]:
    """The program of nothing but what a proof uses: each limit on the side that it leans on.

    That nothing is below 0, and what is shut, stays as it is: nobody could change it.

    Returns
    -------
    program : its rows are those of the proof, in its order; its columns begin with those
    columns : number of each column in the whole program
    """
    of_rows = by_rows[proof.rows]
    others = np.setdiff1d(np.unique(of_rows.indices), proof.columns)
    columns = np.concatenate([proof.columns, others]).astype(int)
    matrix = of_rows.tocsc()[:, columns]
    matrix.sort_indices()
    price = np.concatenate([proof.d, np.zeros(others.size)])
    col_lower, col_upper = lp.col_lower[columns], lp.col_upper[columns]
    row_lower, row_upper = lp.row_lower[proof.rows], lp.row_upper[proof.rows]
    program = MemberProgram(
        matrix.indptr,
        matrix.indices,
        matrix.data,
        np.where(price > 0, col_lower, np.minimum(col_lower, 0.0)),
        np.where((price < 0) | (col_upper == 0), col_upper, np.inf),
        np.where((proof.y > 0) | (row_lower == 0), row_lower, -np.inf),
        np.where((proof.y < 0) | (row_upper == 0), row_upper, np.inf),
    )
    return program, columns


def freed(lp: MemberProgram, rows: np.ndarray, columns: np.ndarray) -> MemberProgram:
    """The program without the limits of some rows and columns."""
    row_lower, row_upper = lp.row_lower.copy(), lp.row_upper.copy()
    col_lower, col_upper = lp.col_lower.copy(), lp.col_upper.copy()
    row_lower[rows], row_upper[rows] = -np.inf, np.inf
    col_lower[columns], col_upper[columns] = -np.inf, np.inf
    return replace(
        lp, row_lower=row_lower, row_upper=row_upper, col_lower=col_lower, col_upper=col_upper
    )


def joined(numbers: Iterable[np.ndarray]) -> np.ndarray:
    """Numbers of several limits in one array."""
    return np.concatenate([*numbers, np.empty(0, int)]).astype(int)
