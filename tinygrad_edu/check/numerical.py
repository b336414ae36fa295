"""Numerical derivatives: what a function does when an input moves a little.

Central differences in float64: df/dx ≈ (f(x + h) - f(x - h)) / 2h. Their error shrinks with h², so
that two step sizes together cancel it (Richardson extrapolation), while rounding grows with 1/h;
h = ε^(1/5) times the scale of x balances the two (Press et al., Numerical Recipes, section 5.7).
Where a function takes complex numbers, Im f(x + ih) / h has no difference to round (Squire and
Trapp, Using complex variables to estimate derivatives of real functions, 1998).

Everything here is about a function of one number t, the way that is gone from x in some direction.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.kinds import check_function
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.constants import as_plain

Array = npt.NDArray[Any]
Path = Callable[[Any], Any]
"""What the function gives after a way of t; t is a float, or complex for the complex step."""

EPS = float(np.finfo(float).eps)
STEP = EPS**0.2
"""The step of central differences with Richardson extrapolation, as a part of the scale."""
TINY_STEP = 1e-100
"""The complex step: its square is lost in rounding, so that it leaves the value as it is."""
LEAST = float(np.finfo(float).smallest_subnormal)
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
    if isinstance(x, Value):
        return float(_gradient(lambda a: f(Value(a.item(), x.label)), np.array(x.data))[()])
    if isinstance(x, Tensor):
        return _gradient(lambda a: f(Tensor(a, x.label)), np.array(x.data, np.float64))
    plain = as_plain(x, "numerical_gradient")
    if isinstance(plain, np.ndarray):
        return _gradient(f, np.array(plain, np.float64))
    return float(_gradient(lambda a: f(a.item()), np.array(float(plain)))[()])


def _gradient(f: Callable[[Array], Any], x: Array) -> Array:
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):

        def path(t: float, index: tuple[int, ...] = index) -> float:
            return one_number(f(moved(x, index, t)))

        gradient[index] = careful_derivative(path, float(x[index])).value
    return gradient


def moved(x: Array, index: tuple[int, ...], t: Any) -> Array:
    """A copy of x with one element moved by t, which may be complex."""
    copy = x.astype(complex) if isinstance(t, complex) else x.copy()
    copy[index] += t
    return copy


def one_number(y: Any) -> float:
    """The only element of a result; ValueError if it has several."""
    y = np.asarray(as_plain(y.data if isinstance(y, Node) else y, "the result of the function"))
    if y.size != 1:
        raise ValueError(
            f"a gradient check needs a function with one number as result, not shape {y.shape}; "
            "reduce it, as with .sum()"
        )
    return float(y.item())


def derivative(path: Path, x: float = 0.0, cancelled: float = 0.0) -> Estimate:
    """The derivative of path at t = 0, where the moved number is x.

    At the scale of 1 or of |x|, whichever agrees with itself: sin at 1000 changes over 1, and log
    at 1e-4 over 1e-4. Where neither does, steps of all sizes are tried. `cancelled` is the size of
    parts of the result that cancel, whose rounding shorter steps would only make larger. An
    exception of the function at every step is raised again.
    """
    found: list[Estimate] = []
    size = cancelled
    for scale in dict.fromkeys((1.0, abs(x) or 1.0)):
        try:
            with np.errstate(all="ignore"):  # a step may leave the domain of the function
                wide, _ = _slope(path, x, scale * STEP)
                narrow, rounding = _slope(path, x, scale * STEP / 2)
        except (ArithmeticError, ValueError):
            continue
        if wide == narrow == 0 and scale < 1e-12:
            continue  # what is so short is lost in the rounding of the other numbers
        doubt = abs(narrow - wide) + EPS * rounding
        value = (4 * narrow - wide) / 3
        found.append(Estimate(value, doubt if math.isfinite(doubt) else math.inf))
        if found[-1].doubt <= 1e-6 * abs(value):  # and the value is off by its square
            return found[-1]
        size = max(size, rounding * STEP)
    if found:
        best = min(found, key=lambda estimate: estimate.doubt)
        if best.doubt <= max(1e-6 * abs(best.value), 1e-11 * size):
            return best
    return sides(path, x).middle


def careful_derivative(path: Path, x: float) -> Estimate:
    """The derivative, compared with a much shorter step: a function that changes over less than it
    was asked for, such as softplus(1e6 · x), can look straight from afar."""
    found = derivative(path, x)
    h = STEP * 1e-3 * min(1.0, abs(x) or 1.0)
    try:
        with np.errstate(all="ignore"):
            near, rounding = _slope(path, x, h)
    except (ArithmeticError, ValueError):
        near, rounding = math.nan, 0.0
    if abs(near - found.value) <= 1e-6 * abs(found.value) + found.doubt + 8 * EPS * rounding:
        return found
    best = sides(path, x).middle
    return best if math.isfinite(best.value) else found


def _slope(path: Path, x: float, h: float) -> tuple[float, float]:
    """The central difference with step h, and the size of the function over the step."""
    right, left = (x + h) - x, (x - h) - x  # the steps that are really taken
    high, low = path(right), path(left)
    size = max(abs(high), abs(low), LEAST / EPS)
    return (high - low) / (right - left), size / (right - left)


def complex_derivative(path: Path) -> Estimate | None:
    """The derivative by the complex step, or None where the function does not take it."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
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
    float32 inside of the function would explain it. What is small against `magnitude`, the largest
    number on the way to the result, is not a jump. An exception at every step is raised again.
    """
    middle = _value(path, 0.0)[0]
    hs, highs, lows = [], [], []
    problem: Exception | None = None
    for h in _steps(x):
        forth, back = (x + h) - x, (x - h) - x  # the steps that are really taken
        high, error = _value(path, forth)
        low, problem = _value(path, back)
        problem = error and problem
        hs.append((forth, -back))
        highs.append(high)
        lows.append(low)
    if problem is not None and not np.isfinite([*highs, *lows]).any():
        raise problem
    steps, up, down = np.array(hs), np.array(highs), np.array(lows)
    with np.errstate(all="ignore"):
        size = np.fmax(np.abs(up), np.abs(down))
        largest = float(np.max(size, initial=abs(middle), where=np.isfinite(size)))
        rises = up - middle, middle - down
        slopes = (up - down) / steps.sum(axis=1), rises[1] / steps[:, 1], rises[0] / steps[:, 0]
        heights = np.abs(slopes)
        steepest = float(np.max(heights, initial=0.0, where=np.isfinite(heights)))
        still = (up == middle) & (down == middle)
        lost = still & (steps[:, 0] < 2e-12 * max(1.0, abs(x))) & ~still.all()  # in rounding
        said = ~lost & (steps[:, 0] >= _stairs(path, steps, still, up, down))
        both, left, right = (
            _chosen(steps[said, 0], slope[said], size[said], order, steepest)
            for slope, order in zip(slopes, (2, 1, 1), strict=True)
        )
    jumps = any(_jumps(np.abs(rise), max(largest, magnitude)) for rise in rises)
    return Sides(both, left, right, jumps, steepest)


def _stairs(path: Path, steps: Array, still: Array, up: Array, down: Array) -> float:
    """The step below which a function says nothing, since it goes up in stairs, as float32 inside
    of it makes them; 0 if it does not."""
    first = int(np.argmin(still))  # the shortest step that changes anything
    if first == 0 or not np.any(~still) or steps[first, 0] > 1e-5 * max(1.0, steps[-1, 0]):
        return 0.0
    for t, y in ((steps[first, 0], up[first]), (-steps[first, 1], down[first])):
        if y != up[first - 1] and _value(path, t * (1 + 2.0**-10))[0] == y:
            return float(steps[first, 0])
    return 0.0


def _value(path: Path, t: float) -> tuple[float, Exception | None]:
    """The function after a step, nan with its exception where it is not defined."""
    try:
        with np.errstate(all="ignore"):
            return float(path(t)), None
    except (ArithmeticError, ValueError) as error:
        return math.nan, error


def _steps(x: float) -> list[float]:
    """Step sizes, the shortest first, each four times the one before; no round numbers, so that a
    staircase such as int(x) does not look straight."""
    h, steps = 0.0917 * max(1.0, abs(x)), []
    while h > max(1e-12, 64 * float(np.spacing(abs(x)))):
        steps.append(h)
        h /= 4
    own = [0.0917 * abs(x) / 4**k for k in range(9)]
    steps += [h for h in own if 0 < h < steps[-1] / 2]
    return steps[::-1]


def _chosen(steps: Array, slopes: Array, size: Array, order: int, steepest: float) -> Estimate:
    """The slope at a step of 0 from those at many steps, extrapolated from two at a time.

    `order` is the power of the step with which their error shrinks. Steps so short that rounding
    leaves less than four digits of the steepest slope are asked only if there are no others.
    """
    found: list[Estimate] = []
    before, last = 0.0, math.nan
    for j in range(1, len(steps)):
        factor = (steps[j] / steps[j - 1]) ** order
        value = float((factor * slopes[j - 1] - slopes[j]) / (factor - 1))
        gap = float(abs(slopes[j] - slopes[j - 1]))
        doubt = gap if math.isnan(last) else max(abs(value - last), gap / 100)
        doubt += 4 * (EPS * float(size[j]) + LEAST) / float(steps[j - 1])
        last = value
        if math.isfinite(doubt):
            before = max(doubt, before / 16)  # rounding shrinks with the step; less is luck
            found.append(Estimate(value, before))
    best = Estimate(math.nan, math.inf)
    for new in [e for e in found if e.doubt <= 1e-4 * steepest] or found:
        gap = abs(new.value - best.value)
        if gap > 10 * best.doubt + new.doubt:
            break  # the function is another one over such a step
        if new.doubt < best.doubt:
            best = new
    return best


def _jumps(rises: Array, size: float) -> bool:
    """Whether the function changes as much over the shortest steps as over longer ones."""
    shortest = rises[:4]
    return bool(shortest[0] > 1e-8 * size and shortest[0] > 0.5 * np.max(shortest))


def directions(shape: tuple[int, ...], count: int) -> Iterable[Array]:
    """Random directions of length 1, the same on every run."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        direction = rng.normal(size=shape)
        yield direction / np.linalg.norm(direction)
