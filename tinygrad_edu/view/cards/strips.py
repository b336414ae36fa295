"""An array as a strip of a few small bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

CELLS = 24
"""How many bars a strip has at most."""


def strip(array: Any, cells: int = CELLS) -> list[float]:
    """At most `cells` numbers for an array: the means of blocks of neighbours, in memory order.

    A block that holds a nan or an infinity has the mean that NumPy gives it: nan, or an infinity.
    """
    import numpy as np

    flat = np.asarray(array, dtype=np.float64).ravel()
    if flat.size <= cells:
        return [float(x) for x in flat]
    starts = np.arange(cells) * flat.size // cells
    sizes = np.diff([*starts, flat.size])
    with np.errstate(all="ignore"):
        # divided first, so that the sum of a block cannot overflow
        return [float(x) for x in np.add.reduceat(flat / np.repeat(sizes, sizes), starts)]


def bars(numbers: Sequence[float]) -> list[float]:
    """The height of each bar relative to the largest, -1 to 1: up for positive, down for negative.

    nan stays nan, and an infinity is as high as the largest.
    """
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)
    heights = []
    for x in numbers:
        if math.isinf(x):
            heights.append(math.copysign(1.0, x))
        else:
            heights.append(x / largest if largest else x * 0.0)
    return heights
