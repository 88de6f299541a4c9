"""Labels beside points, each where it covers no other label and no point, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LETTER, HEIGHT = 5.6, 11.0
"""Mean width of a letter, and height of a line [px], of a label of 10 px."""
NEAR = 7.0
"""Distance of a label from its point, and half the size of a point [px]."""
SIDES = ("right", "left", "above", "below")

Box = tuple[float, float, float, float]
"""Left, top, right and bottom [px]."""


def place_labels(
    points: np.ndarray, texts: Sequence[str], size: tuple[float, float]
) -> list[str | None]:
    """Find a side for each label; earlier ones come first.

    Parameters
    ----------
    points : (point, 2) [px], from the left and from the top
    texts : of each point; an empty one is not placed, but no label may cover its point
    size : of the picture [px]; a label stays inside

    Returns
    -------
    list
        One of `SIDES` each; None where no side is free.

    Examples
    --------
    >>> place_labels(np.array([[30.0, 50], [60, 50], [90, 50]]), ["Hoa Binh", "", "X"], (200, 100))
    ['above', None, 'right']
    """
    taken = [(x - NEAR, y - NEAR, x + NEAR, y + NEAR) for x, y in points]
    sides: list[str | None] = []
    for k, text in enumerate(texts):
        found = None
        others = taken[:k] + taken[k + 1 :]
        for side in SIDES if text else ():
            box = _box(points[k], text, side)
            is_inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]
            if is_inside and not any(_meet(box, other) for other in others):
                found = side
                taken.append(box)
                break
        sides.append(found)
    return sides


def _box(point: np.ndarray, text: str, side: str) -> Box:
    x, y = point
    width = LETTER * len(text)
    if side in ("right", "left"):
        left = x + NEAR + 1 if side == "right" else x - NEAR - 1 - width
        return (left, y - HEIGHT / 2, left + width, y + HEIGHT / 2)
    top = y - NEAR - 1 - HEIGHT if side == "above" else y + NEAR + 1
    return (x - width / 2, top, x + width / 2, top + HEIGHT)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
