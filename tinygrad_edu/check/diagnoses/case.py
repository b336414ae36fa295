"""What is known of a wrong derivative, for those who look for its name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygrad_edu.check.kinds import Plain, elements_of
from tinygrad_edu.rules.constants import quiet

RESULT = "the result"
"""The name that what the forward pass gave has among the other arrays."""


class Both(NamedTuple):
    """Both derivatives by one element, and what is tolerated."""

    analytic: float
    numeric: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class Case:
    """What is known of a derivative that is wrong.

    `numeric` is nan where it was not computed; `tolerance` is for its elements. `x` is where the
    derivative of `result` was taken, `adjoint` what backward was given (None for a loss), and
    `counts` are numbers that a mean may divide by, with what they count. `doubled` is what backward
    gave for twice the adjoint, `others` are the other inputs, the parameters and the result, and
    `assigned` is what the gradient was set to, one after the other.
    """

    analytic: Plain
    numeric: Plain
    tolerance: Plain
    x: Plain
    result: Callable[[Plain], Any]
    adjoint: Plain = None
    counts: dict[str, int] = field(default_factory=dict)
    doubled: Plain = None
    others: dict[str, Plain] = field(default_factory=dict)
    assigned: list[Plain] = field(default_factory=list)

    @functools.cached_property
    def known(self) -> list[Both]:
        """The elements whose numerical derivative was computed."""
        both = map(Both, *map(elements_of, (self.analytic, self.numeric, self.tolerance)))
        return [e for e in both if not math.isnan(e.numeric)]

    def agrees(self, candidate: Plain) -> bool:
        """Whether another derivative would be right, wherever it was computed."""
        if candidate.shape != self.numeric.shape:
            return False
        known = self.numeric == self.numeric  # is not nan
        gap = abs(candidate - self.numeric)
        return bool(known.any() and (gap <= 4 * self.tolerance)[known].all())

    def stays(self, moved: Plain) -> bool:
        """Whether the result is the same for another input, but for a thousandth."""
        try:
            with quiet():
                gap = abs(self.result(moved) - self.result(self.x))
        except (ArithmeticError, ValueError):
            return False
        return bool(gap <= 1e-3 * abs(self.numeric * (moved - self.x)).sum())
