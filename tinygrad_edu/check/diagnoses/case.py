"""What is known of a wrong derivative, for those who look for its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RESULT = "the result"
"""The name that what the forward pass gave has among the other arrays."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is known of a derivative that is wrong.

    `numeric` is nan where it was not computed; `tolerance` is for its elements. `x` is where the
    derivative of `result` was taken, `adjoint` what backward was given (None for a loss), and
    `counts` are numbers that a mean may divide by, with what they count. `doubled` is what backward
    gave for twice the adjoint, `others` are the other inputs, the parameters and the result, and
    `assigned` is what the gradient was set to, one after the other.
    """

    analytic: Array
    numeric: Array
    tolerance: Array
    x: Array
    result: Callable[[Array], Any]
    adjoint: Array | None = None
    counts: dict[str, int] = field(default_factory=dict)
    doubled: Array | None = None
    others: dict[str, Array] = field(default_factory=dict)
    assigned: list[Array] = field(default_factory=list)

    def agrees(self, candidate: Array) -> bool:
        """Whether another derivative would be right, wherever it was computed."""
        if candidate.shape != self.numeric.shape:
            return False
        known = ~np.isnan(self.numeric)
        gap = np.abs(candidate - self.numeric)
        return bool(known.any() and (gap <= 4 * self.tolerance)[known].all())

    def stays(self, moved: Array) -> bool:
        """Whether the result is the same for another input, but for a thousandth."""
        try:
            gap = abs(self.result(moved) - self.result(self.x))
        except (ArithmeticError, ValueError):
            return False
        return bool(gap <= 1e-3 * np.abs(self.numeric * (moved - self.x)).sum())
