"""Two results of one case, compared variable by variable, by labels and never by position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

EQUAL = 1e-9
"""Relative difference up to which numbers are equal, from the same inputs, options and versions."""
THERE = "there"
"""What a row, which only one of two results has, is in that."""
UNITS = ("units", "units_by", "balance_sign")
"""Attributes that numbers depend on."""


@dataclass(frozen=True)
class Difference:
    """What is not in a result as the same inputs give it.

    Attributes
    ----------
    variable : of ``results.nc``
    where : dimension -> label: member, period, item; empty where the variable itself is another
    stored, found : in the file, and now; None where there is none
    size : relative, of numbers below 1 absolute; infinite where there is no number to compare
    """

    variable: str
    where: dict[str, str]
    stored: Any
    found: Any
    size: float


@dataclass(frozen=True)
class Rows:
    """Rows of a dimension in two datasets, matched by their labels.

    Attributes
    ----------
    labels : of the rows that both have
    first, second : places of these rows in each
    only_first, only_second : labels that only one has
    """

    labels: pd.Index
    first: np.ndarray
    second: np.ndarray
    only_first: list[str]
    only_second: list[str]

    @classmethod
    def of(cls, one: pd.Index, other: pd.Index) -> Rows:
        places = other.get_indexer(one)
        first = np.flatnonzero(places >= 0)
        only = (list(one.difference(other)), list(other.difference(one)))
        return cls(one[first], first, places[first], *only)

    def odd(self, dim: str) -> Iterator[Difference]:
        """The first row that only one has, of each of the two."""
        for label in self.only_first[:1]:
            yield Difference(dim, {dim: label}, THERE, None, np.inf)
        for label in self.only_second[:1]:
            yield Difference(dim, {dim: label}, None, THERE, np.inf)


def compare(
    stored: xr.Dataset, found: xr.Dataset, skipped: Sequence[str] = ()
) -> Iterator[tuple[Difference, int]]:
    """Yield the largest difference of each variable, and how many of its values were compared.

    Rows of a dimension that only one has are told once; all else is compared over the others.

    Parameters
    ----------
    skipped : variables that are left out
    """
    rows: dict[str, Rows] = {}
    for dim in sorted({*map(str, stored.dims)} & {*map(str, found.dims)}):
        rows[dim] = Rows.of(_labels(stored, dim), _labels(found, dim))
        yield from ((difference, 0) for difference in rows[dim].odd(dim))
    for name in sorted({*map(str, stored.variables), *map(str, found.variables)}):
        if name in skipped:
            continue
        one, other = (dataset.variables.get(name) for dataset in (stored, found))
        if one is None or other is None or one.dims != other.dims:
            yield Difference(name, {}, _shape(one), _shape(other), np.inf), 0
            continue
        units = [[str(of.attrs.get(unit, "")) for unit in UNITS] for of in (one, other)]
        if units[0] != units[1]:
            mine, its = (" ".join(of).strip() for of in units)
            yield Difference(name, {}, mine, its, np.inf), 0
        else:
            yield _compare_values(name, one, other, rows)


def _shape(variable: xr.Variable | None) -> str | None:
    return None if variable is None else f"({', '.join(map(str, variable.dims))})"


def _compare_values(
    name: str, one: xr.Variable, other: xr.Variable, rows: Mapping[str, Rows]
) -> tuple[Difference, int]:
    """Largest difference of a variable over the rows that both have."""
    dims = [str(dim) for dim in one.dims]
    stored, found = one.values, other.values
    if dims:
        stored = stored[np.ix_(*(rows[dim].first for dim in dims))]
        found = found[np.ix_(*(rows[dim].second for dim in dims))]
    if not stored.size:
        return Difference(name, {}, None, None, 0.0), 0
    size = _sizes(stored, found)
    at = np.unravel_index(int(size.argmax()), size.shape)
    where = {dim: str(rows[dim].labels[k]) for dim, k in zip(dims, at, strict=True)}
    worst = Difference(name, where, _plain(stored[at]), _plain(found[at]), float(size[at]))
    return worst, int(stored.size)


def _sizes(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Difference of each value: relative, below 1 absolute; infinite of words and dates."""
    if one.dtype.kind in "biuf" and other.dtype.kind in "biuf":
        a, b = one.astype(float), other.astype(float)
        with np.errstate(invalid="ignore"):
            size = np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1.0)
        size = np.where(np.isnan(size), np.inf, size)
        return np.where(a == b, 0.0, size)
    return np.where(np.asarray(one == other, bool), 0.0, np.inf)


def _labels(dataset: xr.Dataset, dim: str) -> pd.Index:
    """What each row of a dimension is called: its name, or all words and dates it has together.

    Rows that are called the same are numbered.
    """
    n_rows = dataset.sizes[dim]
    if dim in dataset.variables:
        names = pd.Index([word(value) for value in dataset[dim].values], dtype=object)
        if names.is_unique:
            return names
    words = [
        [word(value) for value in variable.values]
        for _, variable in sorted(dataset.variables.items(), key=lambda item: str(item[0]))
        if variable.dims == (dim,) and variable.dtype.kind in "OUSTM"
    ]
    joined = [", ".join(dict.fromkeys(of_row)) for of_row in zip(*words, strict=True)]
    series = pd.Series(joined or [""] * n_rows, dtype=object)
    number = series.groupby(series).cumcount()
    labels = [
        f"{label} #{k + 1}".strip() if k or not label else label
        for label, k in zip(series, number, strict=True)
    ]
    return pd.Index(labels, dtype=object)


def word(value: Any) -> str:
    """A label as text; a date without its time."""
    return str(value)[:10] if isinstance(value, np.datetime64) else str(value)


def _plain(value: Any) -> Any:
    """A value as Python has it."""
    return word(value) if isinstance(value, np.datetime64) else np.asarray(value).item()
