"""Variables of the Dataset of results: dims, values, attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

Variable = tuple[str | tuple[str, ...], np.ndarray, dict[str, Any]]

MT = ("member", "time")
NOISE = 1e-9
"""Amounts up to this [hm3] are rounding of the solver, and are written as 0."""


def variable(
    dims: str | tuple[str, ...],
    values: Any,
    long_name: str,
    units: str = "",
    cell_methods: str = "",
    **more: Any,
) -> Variable:
    """Describe values by CF attributes; those that are empty are left out.

    Numbers without a unit have "1"; where the unit differs from row to row, ``units_by`` in `more`
    names the variable that holds it.
    """
    if not units and "units_by" not in more and np.asarray(values).dtype.kind in "iuf":
        units = "1"
    attrs = {"units": units, "long_name": long_name, "cell_methods": cell_methods}
    return dims, values, {key: text for key, text in attrs.items() if text} | more


def text(words: Iterable[Any]) -> np.ndarray:
    """Words as an array of text, also when there are none."""
    return np.array([str(word) for word in words], dtype=object)


def whole(numbers: Iterable[int]) -> np.ndarray:
    """Whole numbers as an array, also when there are none."""
    return np.array([int(number) for number in numbers], dtype=np.int32)


def clean(array: np.ndarray) -> np.ndarray:
    """Amounts without rounding below zero, and without negative zero."""
    return np.where((array < 0) & (array >= -NOISE), 0.0, array) + 0.0
