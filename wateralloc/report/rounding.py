"""Rounding that keeps totals: what is printed adds up to the printed total, to the last digit.

A table along one line, totals of totals too, is rounded from its total down by largest remainders.
In a table with rows and columns, subtotals among them, every number and every total can be rounded
up or down so that all add up (Causey, Cox and Ernst 1985): the sets that are added are nested along
the rows and along the columns, and a linear program over two nested families has whole corners.  Of
all such roundings that nearest to the exact numbers is taken, totals before cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

MOST_CELLS = 50_000
"""A table of rows and columns with more cells is rounded cell by cell."""
SNAP = 1e-6
"""A number this near to a whole one, in units of the last digit, is that one."""
NEAR = 1e-7
"""The same of sums of such numbers."""
HEAVY = 10.0
"""Weight of a total beside that of a number that it is the sum of."""

Parts = Sequence[Sequence[int]]
"""Of each line (row or column) the lines that it is the sum of; one that is no sum names itself."""


@dataclass(frozen=True)
class Rounded:
    """A table as it is printed.

    Attributes
    ----------
    numbers : in the unit of the table, NaN where there is none (row, column)
    off : most by which a number differs from the exact one, in units of the last digit; below 1
        unless the table was too large
    """

    numbers: np.ndarray
    off: float


def round_table(values: np.ndarray, rows: Parts, columns: Parts, decimals: int) -> Rounded:
    """Round a table so that the printed numbers add up to the printed totals.

    Parameters
    ----------
    values : exact numbers and totals, NaN where there is none (row, column)
    rows, columns : what each row and column is the sum of
    decimals : digits after the point

    Examples
    --------
    >>> thirds = np.array([[1 / 3], [1 / 3], [1 / 3], [1.0]])
    >>> round_table(thirds, [[0], [1], [2], [0, 1, 2]], [[0]], 1).numbers.ravel().tolist()
    [0.4, 0.3, 0.3, 1.0]
    """
    across, down = _own(rows), _own(columns)
    inner_rows, inner_columns = _among(rows, across), _among(columns, down)
    scaled = values[np.ix_(across, down)] * 10.0**decimals
    is_there = np.isfinite(scaled)
    scaled = np.where(is_there, scaled, 0.0)
    whole = np.rint(scaled)
    scaled = np.where(np.abs(scaled - whole) < SNAP, whole, scaled)
    low = np.floor(scaled)
    up = _rounded_up(scaled - low, inner_rows, inner_columns)
    cells = low + up if up is not None else np.rint(scaled)
    every = add_up(add_up(cells, inner_rows), inner_columns, 1)
    off = np.nanmax(np.abs(every - values * 10.0**decimals), initial=0.0)
    numbers = np.where(np.isfinite(values), every / 10.0**decimals, np.nan)
    return Rounded(numbers + 0.0, float(off))


def add_up(values: np.ndarray, parts: Parts, axis: int = 0) -> np.ndarray:
    """Sums of values along an axis: one for each of the parts, in their order.

    >>> add_up(np.array([1.0, 2.0, 4.0]), [[0], [1], [0, 1], [2]]).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    lines = np.moveaxis(values, axis, 0)
    sums = lines[np.array([of[0] for of in parts], int)]
    for i, of in enumerate(parts):
        if len(of) > 1:
            sums[i] = lines[list(of)].sum(0)
    return np.moveaxis(sums, 0, axis)


def _own(parts: Parts) -> list[int]:
    """Lines that are no sums."""
    return [i for i, of in enumerate(parts) if list(of) == [i]]


def _among(parts: Parts, own: Sequence[int]) -> list[list[int]]:
    """What each line is the sum of, by the place among the lines that are no sums."""
    place = {line: k for k, line in enumerate(own)}
    return [[place[line] for line in of] for of in parts]


def _rounded_up(
    share: np.ndarray, rows: list[list[int]], columns: list[list[int]]
) -> np.ndarray | None:
    """Which numbers are rounded up (0 or 1); None where the table is too large to tell.

    Parameters
    ----------
    share : what each number is above the whole one below it, 0 to 1 (row, column)
    """
    if not share.size:
        return share
    if share.shape[1] == 1:
        return round_line(share[:, 0], rows)[:, None]
    if share.shape[0] == 1:
        return round_line(share[0], columns)[None, :]
    if not any(len(of) > 1 for of in rows):  # each row is a line of its own
        return np.stack([round_line(of, columns) for of in share])
    if not any(len(of) > 1 for of in columns):
        return np.stack([round_line(of, rows) for of in share.T], axis=1)
    return _round_both_ways(share, rows, columns) if share.size <= MOST_CELLS else None


def round_line(share: np.ndarray, sets: Sequence[Sequence[int]]) -> np.ndarray:
    """Round numbers between 0 and 1 up or down by largest remainders, from the largest set down.

    Parameters
    ----------
    sets : what is added, nested in each other; each sum is rounded to a whole number next to it,
        the outermost to the nearest

    Examples
    --------
    >>> round_line(np.array([0.4, 0.3, 0.6, 0.9]), [[0, 1], [2, 3], [0, 1, 2, 3]]).tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    up = np.zeros(share.shape)
    nested = sorted({tuple(of) for of in sets if len(of) > 1}, key=len, reverse=True)
    nested += [(i,) for i in range(len(share))]

    def split(whole: tuple[int, ...], target: float, inside: list[tuple[int, ...]]) -> None:
        if len(whole) == 1:
            up[whole[0]] = target
            return
        parts = _outermost(inside)
        sums = np.array([share[list(part)].sum() for part in parts])
        given = np.floor(sums)
        left = round(target - given.sum())
        given[np.argsort(given - sums, kind="stable")[:left]] += 1
        for part, one in zip(parts, given, strict=True):
            below = set(part)
            split(part, one, [of for of in inside if len(of) < len(part) and below >= set(of)])

    for top in _outermost(nested):
        members = set(top)
        inside = [of for of in nested if len(of) < len(top) and members >= set(of)]
        split(top, float(np.floor(share[list(top)].sum() + 0.5)), inside)
    return up


def _outermost(sets: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Sets that lie in no other, in the order of their first members; the largest come first."""
    seen: set[int] = set()
    found = []
    for of in sets:
        if of[0] not in seen:
            seen |= set(of)
            found.append(of)
    return sorted(found)


def _round_both_ways(
    share: np.ndarray, rows: list[list[int]], columns: list[list[int]]
) -> np.ndarray | None:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    number = np.full(share.shape, -1)
    is_open = share > 0.0
    number[is_open] = np.arange(is_open.sum())
    if not is_open.any():
        return np.zeros(share.shape)
    price = 1.0 - 2.0 * share[is_open]
    inside: list[np.ndarray] = []
    least: list[float] = []
    most: list[float] = []
    for block, weight, is_all in _sums(share.shape, rows, columns):
        members = number[block]
        members = members[members >= 0]
        total = float(share[block].sum())
        below, above = np.floor(total + NEAR), np.ceil(total - NEAR)
        price[members] += weight * (1.0 - 2.0 * (total - below))
        nearest = np.floor(total + 0.5)
        inside.append(members)
        least.append(nearest if is_all else below)
        most.append(nearest if is_all else above)
    starts = np.concatenate([[0], np.cumsum([len(of) for of in inside])])
    flat = np.concatenate(inside)
    matrix = csr_array((np.ones(len(flat)), flat, starts), shape=(len(inside), len(price)))
    found = milp(
        price,
        integrality=np.ones(len(price)),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(matrix, least, most),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    up = np.zeros(share.shape)
    up[is_open] = np.rint(found.x)
    sums = matrix @ up[is_open]
    return up if np.all((sums >= least) & (sums <= most)) else None


def _sums(
    shape: tuple[int, ...], rows: list[list[int]], columns: list[list[int]]
) -> Iterator[tuple[tuple[np.ndarray, ...], float, bool]]:
    """Every total of a table: its cells, its weight, and whether it is that of all."""
    for of_rows, of_columns in product(rows, columns):
        n_wide = (len(of_rows) > 1) + (len(of_columns) > 1)
        if n_wide:
            is_all = (len(of_rows), len(of_columns)) == shape
            yield np.ix_(of_rows, of_columns), HEAVY**n_wide, is_all
