"""Slopes that are differentiated again: the gradient of a function, for its second derivatives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.check.derivatives_by_hand import PlainFunction
from tinygrad_edu.check.kinds import Plain, moved
from tinygrad_edu.check.noise import Path
from tinygrad_edu.check.numerical import Estimate, complex_derivative, derivative
from tinygrad_edu.view.cards.reading import shape_of

Slopes = Callable[[int, int, Plain], Plain]
"""The gradient by variable a, with other numbers for variable b."""

SLOPE_STEP = 2e-3
"""The step of slopes that are differentiated once more, as a part of the scale."""


def numerical_slopes(function: PlainFunction) -> Slopes:
    """The gradient by the complex step, where that agrees with differences, or by those."""
    doubles = [v.double for v in function.inputs.variables]

    def result(a: int, b: int, x: Plain, base: Plain, index: tuple[int, ...], t: Any) -> Any:
        return function.total({b: x, a: moved(base, index, t)})

    def paths(a: int, b: int, x: Plain) -> list[Path]:
        base = x if a == b else doubles[a]
        return [functools.partial(result, a, b, x, base, i) for i in np.ndindex(shape_of(base))]

    at_x = [(path, float(at)) for a, double in enumerate(doubles)
            for path, at in zip(paths(a, a, double), np.ravel(double), strict=True)]  # fmt: skip
    steps = iter([_step_for(path, at) for path, at in at_x])
    step = [[next(steps) for _ in range(np.size(double))] for double in doubles]
    exact = all(_agrees(complex_derivative(path), derivative(path, at)) for path, at in at_x)

    def slopes(a: int, b: int, x: Plain) -> Plain:
        if np.iscomplexobj(x):
            raise TypeError("the complex step is used for the slopes themselves")
        if exact:
            estimates = [complex_derivative(path) for path in paths(a, b, x)]
            found = [math.nan if e is None else e.value for e in estimates]
        else:
            found = [_slope_over(*both) for both in zip(paths(a, b, x), step[a], strict=True)]
        return np.reshape(found, shape_of(doubles[a]))

    return slopes


def _agrees(exact: Estimate | None, rough: Estimate) -> bool:
    if exact is None:
        return False
    return abs(exact.value - rough.value) <= 10 * rough.doubt + 1e-7 * abs(rough.value)


def _slope_over(path: Path, h: float) -> float:
    """Central differences over h and 2h, whose error is of fourth order. The step stays the same,
    so the error is smooth and the slopes can be differentiated again."""
    return float((8 * (path(h) - path(-h)) - (path(2 * h) - path(-2 * h))) / (12 * h))


def _step_for(path: Path, x: float) -> float:
    """The longest step over which slopes, and how they change, are smooth: from a part of 1 to that
    of |x|. Where there is none, that over which they change most smoothly."""
    steps, near = [SLOPE_STEP], SLOPE_STEP * (abs(x) or 1.0)
    while steps[-1] > 4 * near:
        steps.append(steps[-1] / 4)
    best, least = near, math.inf
    for h in dict.fromkeys([*steps, near]):
        try:
            (slope, far_slope), (bend, far_bend) = (
                [change(path, step) for step in (h / 2, h)] for change in (_slope_over, _bend_over)
            )
            rounding = 1e-15 * abs(path(0.0)) / h
        except (ArithmeticError, ValueError):
            continue
        gap = abs(far_bend - bend)
        straight = abs(far_slope - slope) <= 1e-8 * abs(slope) + rounding
        if straight and gap <= 1e-7 * abs(bend) + 4 * rounding / h:
            return h
        if gap < least:
            best, least = h, gap
    return best


def _bend_over(path: Path, h: float) -> float:
    """The second derivative by differences over h and 2h, whose error is of fourth order too."""
    near, far = path(h) + path(-h), path(2 * h) + path(-2 * h)
    return float((16 * near - far - 30 * path(0.0)) / (12 * h * h))
