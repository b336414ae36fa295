"""What is to be judged: an input or a parameter, its derivative, and what is known of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple

from tinygrad_edu.check.kinds import Plain, elements_of, moved
from tinygrad_edu.check.noise import Path
from tinygrad_edu.view.cards.reading import shape_of

RESULT = "the result"
"""The name that what the forward pass gave has among the other arrays."""


@dataclass(frozen=True)
class Tolerance:
    """What may lie between the two derivatives: `rtol` of the numeric one, and `atol`, or less
    where the whole gradient is smaller than 1. `usual` says that nobody asked for another."""

    rtol: float
    atol: float
    usual: bool = False

    @staticmethod
    def of(dtype: str, rtol: Any, atol: Any, what: str) -> Tolerance:
        """The given tolerances, or those that fit the dtype: 1e-6, and 1e-3 below float64.

        ValueError for one that is negative or nan.
        """
        usual = 1e-6 if dtype == "float64" else 1e-3
        for name, given in (("rtol", rtol), ("atol", atol)):
            if given is None:
                continue
            if not isinstance(given, Real):
                raise TypeError(f"{what}: {name} is {given!r}; a tolerance is a number")
            if not float(given) >= 0:
                raise ValueError(f"{what}: {name} is {given}; a tolerance is 0 or more")
        if rtol is None and atol is None:
            return Tolerance(usual, usual, usual=True)
        return Tolerance(usual if rtol is None else rtol, usual if atol is None else atol)

    def coarser(self) -> Tolerance:
        """That of a function which has float32 numbers inside, unless another was asked for."""
        return Tolerance(max(self.rtol, 1e-3), max(self.atol, 1e-3)) if self.usual else self

    def at(self, numeric: Plain, size: float) -> Plain:
        """The tolerance of a derivative, or of many; `size` is the largest of the gradient."""
        return self.rtol * abs(numeric) + self.atol * min(1.0, size)


class Both(NamedTuple):
    """Both derivatives by one element, and what may lie between them."""

    analytic: float
    numeric: float
    slack: float


@dataclass(frozen=True, eq=False)
class Case:
    """One input or parameter to be judged.

    `result` gives the (weighed) result of the function for other numbers in the place of x, which
    are float64. `may_be_constant` says that it need not depend on x: a derivative does not, on what
    its function is linear in.

    The rest is for diagnoses. `adjoint` is what backward was given (None for a loss), `counts` are
    numbers that a mean may divide by, with what they count, `others` are the other inputs, the
    parameters and the result, and `assigned` is what the gradient was set to, one after the other.
    `numeric` is nan where it was not
    computed; `slack` is what may lie between both derivatives. `again` gives the same case under
    another adjoint in another direction (its analytic, adjoint and result), or under the adjoint
    that it is called with, and runs nothing before it is called; None where there is no other
    adjoint. `elsewhere` gives the same case at another point, for results of one number, and None
    where the function is not defined there. `outputs` gives the result before it is weighed, for
    other numbers in the place of x. `together` gives the weighed result for other numbers in the
    place of several inputs, by name.
    """

    parameter: str
    x: Plain
    analytic: Plain
    result: Callable[[Plain], Any]
    tolerance: Tolerance
    dtype: str = "float64"
    may_be_constant: bool = False
    adjoint: Plain = None
    counts: dict[str, int] = field(default_factory=dict)
    others: dict[str, Plain] = field(default_factory=dict)
    assigned: list[Plain] = field(default_factory=list)
    numeric: Plain = math.nan
    slack: Plain = math.nan
    again: Callable[..., Case | None] | None = None
    elsewhere: Callable[[], Case | None] | None = None
    outputs: Callable[[Plain], Plain] | None = None
    together: Callable[[dict[str, Plain]], Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.x)

    def path(self, index: tuple[int, ...]) -> Path:
        """The result as a function of one element."""
        return lambda t: self.result(moved(self.x, index, t))

    @functools.cached_property
    def known(self) -> list[Both]:
        """The elements whose numerical derivative was computed."""
        parts = [self.analytic, self.numeric, self.slack]
        if shape_of(self.analytic) == shape_of(self.numeric) != ():
            known = self.numeric == self.numeric  # is not nan
            parts = [x[known] for x in parts]
        both = map(Both, *map(elements_of, parts))
        return [e for e in both if not math.isnan(e.numeric)]

    def agrees(self, candidate: Plain) -> bool:
        """Whether another derivative would be right, wherever it was computed."""
        if shape_of(candidate) != shape_of(self.numeric):
            return False
        gap, known = abs(candidate - self.numeric), self.numeric == self.numeric  # is not nan
        if not shape_of(self.numeric):
            return bool(gap <= 4 * self.slack)
        if not (known.any() and (gap <= 4 * self.slack)[known].all()):
            return False
        if shape_of(self.analytic) != shape_of(candidate):
            return True
        before = abs(self.analytic - self.numeric)[known].sum()
        return not gap[known].sum() > 0.25 * before  # else it is as wrong as it was
