"""What every function of this room asks of its numbers, and the one error for numbers that fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wateralloc.errors import WaterAllocError

Array = NDArray[np.float64]


class SharingError(WaterAllocError, ValueError):
    """A number or name given to a function of sharing is wrong; the text says which and why."""

    exit_code = 2


def number(value: float, name: str, least: float = 0.0, most: float = np.inf) -> float:
    """Return a finite number within its bounds.

    Raises
    ------
    SharingError
        It is not.

    Examples
    --------
    >>> number(3, "estate")
    3.0
    >>> number(-3, "estate")
    Traceback (most recent call last):
    ...
    wateralloc.sharing.checks.SharingError: estate is -3.0; must be 0 or more
    """
    return float(numbers([value], name, least, most, one=True)[0])


def numbers(
    values: ArrayLike,
    name: str,
    least: float = 0.0,
    most: float = np.inf,
    size: int | None = None,
    one: bool = False,
) -> Array:
    """Return finite numbers within their bounds as an array of one dimension.

    Parameters
    ----------
    values : what the caller gave
    name : what the caller calls it
    least, most : bounds, both allowed
    size : how many there must be; None is any number
    one : the text names no position

    Raises
    ------
    SharingError
        A value is no number, not finite, outside its bounds, or there are too many or too few.

    Examples
    --------
    >>> numbers([1, -2], "claims")
    Traceback (most recent call last):
    ...
    wateralloc.sharing.checks.SharingError: claims[1] is -2.0; must be 0 or more
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SharingError(f"{name} is {values!r}; must be numbers") from error
    if array.ndim != 1:
        raise SharingError(f"{name} has {array.ndim} dimensions; must have one, give a list")
    if size is not None and array.size != size:
        raise SharingError(f"{name} has {array.size} values; must have {size}, one for each")
    wrong = np.flatnonzero(~np.isfinite(array) | (array < least) | (array > most))
    if wrong.size:
        first = int(wrong[0])
        bounds = f"{least:g} or more" if most == np.inf else f"{least:g} to {most:g}"
        must = "a finite number" if least == -np.inf and most == np.inf else bounds
        where = name if one else f"{name}[{first}]"
        raise SharingError(f"{where} is {array[first]}; must be {must}")
    return array


def positive(values: ArrayLike, name: str, size: int | None = None) -> Array:
    """Return finite numbers above zero.

    Raises
    ------
    SharingError
        A value is zero, negative or no number.
    """
    array = numbers(values, name, size=size)
    wrong = np.flatnonzero(array == 0)
    if wrong.size:
        raise SharingError(f"{name}[{wrong[0]}] is 0; must be above 0, leave the claimant out")
    return array


def shares(values: ArrayLike, name: str, size: int | None = None) -> Array:
    """Return shares that add up to 1.

    Raises
    ------
    SharingError
        A share is outside 0 to 1, or their sum is not 1.

    Examples
    --------
    >>> shares([0.5, 0.4], "shares")
    Traceback (most recent call last):
    ...
    wateralloc.sharing.checks.SharingError: shares add up to 0.9; must add up to 1
    """
    array = numbers(values, name, 0.0, 1.0, size)
    total = float(array.sum())
    if abs(total - 1.0) > 1e-9:
        raise SharingError(f"{name} add up to {total:g}; must add up to 1")
    return array


def names(values: Sequence[str], name: str) -> tuple[str, ...]:
    """Return names, each once.

    Raises
    ------
    SharingError
        There is none, or one stands twice.
    """
    found = tuple(values)
    if not found:
        raise SharingError(f"{name} is empty; give at least one")
    for one in found:
        if found.count(one) > 1:
            raise SharingError(f"{name} holds '{one}' twice; must hold each once")
    return found
