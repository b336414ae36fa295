"""Numerical derivatives: what a function does when an input moves a little.

Central differences in float64: df/dx ≈ (f(x + h) - f(x - h)) / 2h. Their error shrinks with h²,
which two step sizes together cancel (Richardson extrapolation), while rounding grows with 1/h;
h = ε^(1/5) times the scale of x balances the two (Press et al., Numerical Recipes, section 5.7).
Where a function takes complex numbers, Im f(x + ih) / h has no difference to round (Squire and
Trapp, Using complex variables to estimate derivatives of real functions, 1998).

Everything here is about a function of one number t, the way that is gone from x in some direction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_edu.check.kinds import (
    check_function,
    elements_of,
    like,
    moved,
    plain,
    quietly,
)
from tinygrad_edu.check.noise import EPS, LEAST, Path, jump_between, noise_of, value_at
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.constants import as_plain, quiet
from tinygrad_edu.view.cards.reading import shape_of

STEP: float = EPS**0.2
"""The step of central differences with Richardson extrapolation, as a part of the scale."""
TINY_STEP = 1e-100
"""The complex step: its square is lost in rounding, so it leaves the value as it is."""
CENTRAL_STEP: float = EPS ** (1 / 3)
"""The step of one central difference alone, as a part of the scale."""


class Estimate(NamedTuple):
    """A numerical derivative, and how far it may be off."""

    value: float
    doubt: float


def numerical_gradient(f: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of a scalar function by central differences, in float64.

    `x` is a number, a Value, an array or a Tensor; `f` gets the same kind and gives a number or a
    node with one element. Returns a float, or an array of the shape of x; x itself is not changed.
    """
    check_function(f, "numerical_gradient")
    numbers = plain(x, "numerical_gradient")
    if not hasattr(numbers, "dtype"):
        number = float(numbers)
        taken = x if isinstance(x, Node) else number
        return careful_derivative(
            quiet_path(lambda t: _one_number(f(like(taken, number + t)))), number
        ).value
    import numpy as np

    numbers = np.array(numbers, np.float64)
    gradient = np.empty(numbers.shape)
    for index in np.ndindex(numbers.shape):

        def step(t: float, index: tuple[int, ...] = index) -> float:
            return _one_number(f(like(x, moved(numbers, index, t))))

        gradient[index] = careful_derivative(quiet_path(step), float(numbers[index])).value
    return gradient


def quiet_path(path: Path) -> Path:
    """The path with NumPy's warnings silenced."""

    def quiet_step(t: Any) -> Any:
        with quiet():
            return path(t)

    return quiet_step


def _one_number(y: Any) -> float:
    """The only element of a result; ValueError if it has several."""
    numbers = as_plain(y.data if isinstance(y, Node) else y, "the result of the function")
    if math.prod(shape_of(numbers)) != 1:
        raise ValueError(
            "a gradient check needs a function with one number as result, not shape "
            f"{shape_of(numbers)}; reduce it, as with .sum()"
        )
    return float(elements_of(numbers)[0])


def derivative(path: Path, x: float = 0.0) -> Estimate:
    """The derivative of path at t = 0, where the moved number is x.

    At the scale of 1 or of |x|, whichever agrees with itself: sin at 1000 changes over 1, and log
    at 1e-4 over 1e-4. Where neither does, noise is measured and steps of all sizes are tried. An
    exception of the function at every step is raised again.
    """
    for scale in dict.fromkeys((1.0, abs(x) or 1.0)):
        estimate = richardson(path, x, scale * STEP)
        if estimate.doubt <= 1e-6 * abs(estimate.value):  # and the value is off by its square
            return estimate
    return sides(path, x).middle


def careful_derivative(path: Path, x: float) -> Estimate:
    """The derivative, compared with a much shorter step: a function that changes over less than it
    was asked for, such as softplus(1e6 · x), can look straight from afar."""
    estimate = derivative(path, x)
    near = central(path, x, STEP * 1e-3 * min(1.0, abs(x) or 1.0))
    slack = 1e-6 * abs(estimate.value) + estimate.doubt + 4 * near.doubt
    if abs(near.value - estimate.value) <= slack:
        return estimate
    best = sides(path, x).middle
    return best if math.isfinite(best.value) else estimate


def central(path: Path, x: float, h: float, noise: float = 0.0) -> Estimate:
    """The central difference with step h; the doubt is that of rounding, or of noise, alone."""
    right, left = (x + h) - x, (x - h) - x  # the steps that are really taken
    high, low = value_at(path, right), value_at(path, left)
    rounding = max(noise, EPS * max(abs(high), abs(low))) + LEAST
    width = (right - left) or math.nan
    return Estimate((high - low) / width, 2 * rounding / width)


def richardson(path: Path, x: float, h: float, noise: float = 0.0) -> Estimate:
    """Two central differences, with h and h / 2, whose errors cancel."""
    wide, narrow = central(path, x, h, noise), central(path, x, h / 2, noise)
    doubt = abs(narrow.value - wide.value) + 2 * narrow.doubt
    value = (4 * narrow.value - wide.value) / 3
    return Estimate(value, doubt) if math.isfinite(doubt) else Estimate(math.nan, math.inf)


def complex_derivative(path: Path) -> Estimate | None:
    """The derivative by the complex step, or None where the function does not take it."""
    try:
        with quietly():
            y = complex(path(complex(0.0, TINY_STEP)))
    except Exception:  # whatever it is, this function is not made for complex numbers
        return None
    value = y.imag / TINY_STEP
    return Estimate(value, 16 * EPS * abs(value)) if math.isfinite(value) else None


class Sides(NamedTuple):
    """The derivatives from both sides together, from the left and from the right, nan where a side
    has none; whether the function jumps; and whether short steps leave the result as it is, bit for
    bit, which longer ones do not."""

    middle: Estimate
    left: Estimate
    right: Estimate
    jumps: bool
    stands: bool = False

    @property
    def kink(self) -> bool:
        """Whether left and right differ by more than they may be off."""
        gap = abs(self.left.value - self.right.value)
        size = max(abs(self.left.value), abs(self.right.value))
        return gap > 4 * (self.left.doubt + self.right.doubt) + 1e-6 * size

    @property
    def only_side(self) -> Estimate | None:
        """The derivative of the one side on which the function is defined, if it is one."""
        left, right = math.isfinite(self.left.value), math.isfinite(self.right.value)
        return None if left == right else self.left if left else self.right

    def between(self, slope: float, tolerance: float) -> bool:
        """Whether a slope lies between the two sides, as every convention at a kink does."""
        low, high = sorted((self.left.value, self.right.value))
        return low - tolerance <= slope <= high + tolerance


def sides(path: Path, x: float, noise: float | None = None) -> Sides:
    """The derivatives at t = 0 from differences over steps of all sizes.

    What a short step says holds, within the doubt that noise leaves it; longer steps make it more
    exact, as far as they agree. So neither a kink nearby nor a function that changes over 1e-9 is
    overlooked. `noise` is that of the results, and is measured if it is not given. An exception at
    every step is raised again.
    """
    middle = value_at(path, 0.0)
    moves = []
    for h in _steps(x):
        forth, back = (x + h) - x, x - (x - h)  # the steps that are really taken
        moves.append((forth, value_at(path, forth), back, value_at(path, -back)))
    if not any(math.isfinite(y) for _, up, _, down in moves for y in (up, down)):
        path(moves[0][0])
    if noise is None:
        noise = noise_of(path, x)
    both, left, right = [], [], []
    for forth, up, back, down in moves:
        size = max((abs(y) for y in (up, down) if math.isfinite(y)), default=0.0)
        rounding = max(noise, EPS * size) + LEAST
        both.append((forth, (up - down) / (forth + back), rounding))
        left.append((back, (middle - down) / back, rounding))
        right.append((forth, (up - middle) / forth, rounding))
    slopes = [abs(slope) for side in (both, left, right) for _, slope, _ in side]
    steepest = max(filter(math.isfinite, slopes), default=0.0)
    jumps = any(
        _jumps([abs(slope) * h for h, slope, _ in side], 1e-8 * abs(middle) + 1e4 * LEAST)
        for side in (left, right)
    )
    return Sides(
        _extrapolated(both, 2, steepest), _extrapolated(left, 1, steepest),
        _extrapolated(right, 1, steepest), jumps,
        _stands(path, moves, middle, noise),
    )  # fmt: skip


def _stands(
    path: Path, moves: list[tuple[float, float, float, float]], middle: float, noise: float
) -> bool:
    """Whether the result stays as it is, bit for bit, over short steps, and then jumps."""
    moved = [i for i, (_, up, _, down) in enumerate(moves) if not up == middle == down]
    _, far_up, _, far_down = moves[-1]
    if not moved or moved[0] < 5 or middle in (far_up, far_down):
        return False  # stairs go on to both sides
    still = moves[moved[0] - 1]
    forth, up, back, down = moves[moved[0]]
    change, left, right = up - middle, still[0], forth
    if up == middle:
        change, left, right = down - middle, -still[2], -back
    if abs(change) < 30 * noise:
        return False
    return jump_between(path, left, right, forth * 1e-9) > 0.3 * abs(change)


def _jumps(rises: list[float], least: float) -> bool:
    """Whether the function changes as much over the shortest steps as over longer ones."""
    shortest = rises[0]
    return shortest > least and all(shortest > 0.6 * rise for rise in rises[:4])


def _steps(x: float) -> list[float]:
    """Step sizes, the shortest first, each four times the one before. They are not round numbers: a
    staircase such as int(x) must not look straight."""
    h, steps = 0.0917 * max(1.0, abs(x)), []
    while h > max(1e-12, 64 * math.ulp(x)):
        steps.append(h)
        h /= 4
    own = [0.0917 * abs(x) / 4**k for k in range(9)]
    steps += [h for h in own if 0 < h < steps[-1] / 2]
    return steps[::-1]


def _extrapolated(
    slopes: list[tuple[float, float, float]], order: int, steepest: float
) -> Estimate:
    """The slope at a step of 0 from those at many steps, extrapolated from two at a time.

    `slopes` has the step, the slope and the noise of the function there. `order` is the power of
    the step with which their error shrinks. Estimates with less than four digits of the steepest
    slope of all are asked only if there are no others.
    """
    estimates, last = [], math.nan
    for (shorter, near, _), (step, far, noise) in itertools.pairwise(slopes):
        ratio = step / shorter
        factor = ratio * ratio if order == 2 else ratio  # a power of floats may overflow
        value = (factor * near - far) / (factor - 1)
        gap = abs(far - near)
        doubt = gap if math.isnan(last) else max(abs(value - last), gap / 100)
        doubt += 4 * noise / shorter
        last = value
        if math.isfinite(doubt):
            estimates.append(Estimate(value, doubt))
    best = Estimate(math.nan, math.inf)
    for new in [e for e in estimates if e.doubt <= 1e-4 * steepest] or estimates:
        if abs(new.value - best.value) > 10 * best.doubt + new.doubt:
            break  # the function is another one over such a step
        if new.doubt < best.doubt:
            best = new
    return best
