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
import sys
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
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.constants import as_plain, quiet
from tinygrad_edu.view.cards.reading import shape_of

Path = Callable[[Any], Any]
"""What the function gives after a way of t; t is a float, or complex for the complex step. NumPy's
warnings are silenced in it: a step may leave the domain of the function."""

EPS = sys.float_info.epsilon
STEP = EPS**0.2
"""The step of central differences with Richardson extrapolation, as a part of the scale."""
TINY_STEP = 1e-100
"""The complex step: its square is lost in rounding, so it leaves the value as it is."""
LEAST = math.ulp(0.0)
"""What is lost of a result that is too small for the full precision."""


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


def derivative(path: Path, x: float = 0.0, cancelled: float = 0.0) -> Estimate:
    """The derivative of path at t = 0, where the moved number is x.

    At the scale of 1 or of |x|, whichever agrees with itself: sin at 1000 changes over 1, and log
    at 1e-4 over 1e-4. Where neither does, steps of all sizes are tried. `cancelled` is the size of
    parts of the result that cancel, whose rounding shorter steps would only make larger. An
    exception of the function at every step is raised again.
    """
    estimates: list[Estimate] = []
    size = cancelled
    for scale in dict.fromkeys((1.0, abs(x) or 1.0)):
        try:
            wide, _ = _slope(path, x, scale * STEP)
            narrow, rounding = _slope(path, x, scale * STEP / 2)
        except (ArithmeticError, ValueError):
            continue
        if wide == narrow == 0 and scale < 1e-12:
            continue  # what is so short is lost in the rounding of the other numbers
        doubt = abs(narrow - wide) + EPS * rounding
        value = (4 * narrow - wide) / 3
        estimates.append(Estimate(value, doubt if math.isfinite(doubt) else math.inf))
        if estimates[-1].doubt <= 1e-6 * abs(value):  # and the value is off by its square
            return estimates[-1]
        size = max(size, rounding * STEP)
    if estimates:
        best = min(estimates, key=lambda e: e.doubt)
        if best.doubt <= max(1e-6 * abs(best.value), 1e-11 * size):
            return best
    return sides(path, x).middle


def careful_derivative(path: Path, x: float) -> Estimate:
    """The derivative, compared with a much shorter step: a function that changes over less than it
    was asked for, such as softplus(1e6 · x), can look straight from afar."""
    estimate = derivative(path, x)
    h = STEP * 1e-3 * min(1.0, abs(x) or 1.0)
    try:
        near, rounding = _slope(path, x, h)
    except (ArithmeticError, ValueError):
        near, rounding = math.nan, 0.0
    if (
        abs(near - estimate.value)
        <= 1e-6 * abs(estimate.value) + estimate.doubt + 8 * EPS * rounding
    ):
        return estimate
    best = sides(path, x).middle
    return best if math.isfinite(best.value) else estimate


def _slope(path: Path, x: float, h: float) -> tuple[float, float]:
    """The central difference with step h, and the size of the function over the step."""
    right, left = (x + h) - x, (x - h) - x  # the steps that are really taken
    high, low = path(right), path(left)
    size = max(abs(high), abs(low), LEAST / EPS)
    return (high - low) / (right - left), size / (right - left)


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
    has none, whether the function jumps, and the steepest slope over any step."""

    middle: Estimate
    left: Estimate
    right: Estimate
    jumps: bool
    steepest: float = 0.0

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


def sides(path: Path, x: float, magnitude: float = 0.0) -> Sides:
    """The derivatives at t = 0 from differences over steps of all sizes.

    What a short step says holds, within the doubt that rounding leaves it; longer steps make it
    more exact, as far as they agree. So neither a kink nearby nor a function that changes over
    1e-9 is overlooked. Steps over which nothing changes say nothing, if they are so short that
    float32 inside the function would explain it. What is small against `magnitude`, the largest
    number on the way to the result, is not a jump. An exception at every step is raised again.
    """
    middle = _value(path, 0.0)[0]
    moves: list[_Move] = []
    problem: Exception | None = None
    for h in _steps(x):
        forth, back = (x + h) - x, (x - h) - x  # the steps that are really taken
        up, error = _value(path, forth)
        down, problem = _value(path, back)
        problem = error and problem
        moves.append(_Move(forth, -back, up, down, middle))
    if problem and not any(math.isfinite(y) for move in moves for y in (move.up, move.down)):
        raise problem
    sizes = [move.size for move in moves if math.isfinite(move.size)]
    slopes = [move.slopes for move in moves]
    steepest = max((abs(s) for three in slopes for s in three if math.isfinite(s)), default=0.0)
    stairs = _stairs(path, moves)
    lost = 2e-12 * max(1.0, abs(x)) if not all(move.still for move in moves) else 0.0
    telling = [move for move in moves
               if move.forth >= stairs and not (move.still and move.forth < lost)]  # fmt: skip
    both, left, right = (
        _extrapolated(
            [(move.forth, move.slopes[i], move.size) for move in telling], order, steepest
        )
        for i, order in enumerate((2, 1, 1))
    )
    size = max([abs(middle), *sizes])
    jumps = any(
        _jumps([abs(rise) for rise in rises], max(size, magnitude))
        for rises in ([m.up - middle for m in moves], [middle - m.down for m in moves])
    )
    return Sides(both, left, right, jumps, steepest)


class _Move(NamedTuple):
    """A step forth and a step back, and what the function gives after them and between."""

    forth: float
    back: float
    up: float
    down: float
    middle: float

    @property
    def size(self) -> float:
        """The larger of both results; nan counts for nothing beside a number."""
        up, down = abs(self.up), abs(self.down)
        return up if up >= down or math.isnan(down) else down

    @property
    def slopes(self) -> tuple[float, float, float]:
        """Over both steps together, from the left and from the right."""
        return (
            (self.up - self.down) / (self.forth + self.back),
            (self.middle - self.down) / self.back,
            (self.up - self.middle) / self.forth,
        )

    @property
    def still(self) -> bool:
        """Whether the function does not change over the steps."""
        return self.up == self.middle == self.down


def _jumps(rises: list[float], size: float) -> bool:
    """Whether the function changes as much over the shortest steps as over longer ones."""
    shortest = rises[0]
    return shortest > 1e-8 * size and all(shortest > 0.5 * rise for rise in rises[:4])


def _stairs(path: Path, moves: list[_Move]) -> float:
    """The step below which a function says nothing, since it goes up in stairs, as float32 inside
    it makes them; 0 if it does not."""
    first = next((i for i, move in enumerate(moves) if not move.still), 0)
    shortest = moves[first]  # that changes anything
    if first == 0 or shortest.forth > 1e-5 * max(1.0, moves[-1].forth):
        return 0.0
    for t, y in ((shortest.forth, shortest.up), (-shortest.back, shortest.down)):
        if y != shortest.middle and _value(path, t * (1 + 2.0**-10))[0] == y:
            return shortest.forth
    return 0.0


def _value(path: Path, t: float) -> tuple[float, Exception | None]:
    """The function after a step, nan with its exception where it is not defined."""
    try:
        return float(path(t)), None
    except (ArithmeticError, ValueError) as error:
        return math.nan, error


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

    `slopes` has the step, the slope and the size of the function there. `order` is the power of the
    step with which their error shrinks. Steps so short that rounding leaves less than four digits
    of the steepest slope are asked only if there are no others.
    """
    estimates: list[Estimate] = []
    before, last = 0.0, math.nan
    for (shorter, near, _), (step, far, size) in itertools.pairwise(slopes):
        ratio = step / shorter
        factor = ratio * ratio if order == 2 else ratio  # a power of floats may overflow
        value = (factor * near - far) / (factor - 1)
        gap = abs(far - near)
        doubt = gap if math.isnan(last) else max(abs(value - last), gap / 100)
        doubt += 4 * (EPS * size + LEAST) / shorter
        last = value
        if math.isfinite(doubt):
            before = max(doubt, before / 16)  # rounding shrinks with the step; less is luck
            estimates.append(Estimate(value, before))
    best = Estimate(math.nan, math.inf)
    for new in [e for e in estimates if e.doubt <= 1e-4 * steepest] or estimates:
        gap = abs(new.value - best.value)
        if gap > 10 * best.doubt + new.doubt:
            break  # the function is another one over such a step
        if new.doubt < best.doubt:
            best = new
    return best
