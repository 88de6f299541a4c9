"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

NOTHING = 1e-9
"""A number up to this is rounding."""


def cell(value: Any, decimals: int | None = None, *, is_share: bool = False) -> str:
    """Write a value; of a number without stated decimals four figures.

    >>> [cell(v) for v in (12345.678, 0.25, 3.0e-12, 7, float("nan"), "m3s")]
    ['12345.7', '0.25', '0', '7', '', 'm3s']
    >>> cell(1.5, decimals=3), cell(0.98765, is_share=True), cell(0.9999, is_share=True)
    ('1.500', '98.8 %', '>99.9 %')
    >>> cell(-1e-9, is_share=True)
    '0.0 %'
    """
    if isinstance(value, str | int):
        return str(value)
    if math.isnan(value):
        return ""
    if is_share:
        text = f"{100 * value:.1f} %"
        text = "0.0 %" if text == "-0.0 %" else text
        return ">99.9 %" if text == "100.0 %" and value < 1 - NOTHING else text
    if decimals is not None:
        text = f"{value:.{decimals}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text
    if abs(value) <= NOTHING:
        return "0"
    return f"{value:.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def decimals_of(numbers: Iterable[float]) -> int:
    """Decimals that show four figures of the largest of some numbers, one at least.

    >>> decimals_of([1234.5, 2.0]), decimals_of([0.5, float("nan")])
    (1, 4)
    """
    largest = max((abs(v) for v in numbers if v == v), default=0.0)
    return min(max(3 - math.floor(math.log10(largest)), 1), 6) if largest > NOTHING else 1
