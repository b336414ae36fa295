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

from tinygrad_edu.graph import Node
from tinygrad_edu.rules.rule import as_plain
from tinygrad_edu.tensor import Tensor
from tinygrad_edu.value import Value

Array = npt.NDArray[Any]
Path = Callable[[Any], Any]
"""What the function gives after a way of t; t is a float, or complex for the complex step."""

EPS = float(np.finfo(float).eps)
STEP = EPS**0.2
"""The step of central differences with Richardson extrapolation, as a part of the scale."""
TINY_STEP = 1e-100
"""The complex step: its square is lost in rounding, so that it leaves the value as it is."""


class Estimate(NamedTuple):
    """A numerical derivative, and how far it may be off."""

    value: float
    doubt: float


def numerical_gradient(f: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of a scalar function by central differences, in float64.

    `x` is a number, a Value, an array or a Tensor; `f` gets the same kind and gives a number or a
    node with one element. Returns a float, or an array of the shape of x; x itself is not changed.
    """
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

        gradient[index] = derivative(path, float(x[index])).value
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


def derivative(path: Path, x: float = 0.0) -> Estimate:
    """The derivative of path at t = 0, where the moved number is x.

    At the scale of 1 or of |x|, whichever agrees best with itself: sin at 1000 changes over 1, and
    log at 1e-4 over 1e-4. A function that is rough at both is looked at over many steps. An
    exception of the function at every step is raised again.
    """
    found: list[Estimate] = []
    problem: Exception | None = None
    size = 0.0
    for scale in dict.fromkeys((1.0, abs(x) or 1.0)):
        try:
            with np.errstate(all="ignore"):  # a step may leave the domain of the function
                wide, _ = _slope(path, x, scale * STEP)
                narrow, rounding = _slope(path, x, scale * STEP / 2)
        except (ArithmeticError, ValueError) as error:
            problem = error
            continue
        doubt = abs(narrow - wide) + EPS * rounding
        value = (4 * narrow - wide) / 3
        found.append(Estimate(value, doubt if math.isfinite(doubt) else math.inf))
        if found[-1].doubt <= 1e-8 * abs(value):
            return found[-1]
        size = max(size, rounding * STEP)
    if not found and problem is not None:
        raise problem
    best = min(found, key=lambda estimate: estimate.doubt)
    if best.doubt <= max(1e-6 * abs(best.value), 1e-11 * size):
        return best
    return min(best, _over_many_steps(path, x), key=lambda estimate: estimate.doubt)


def _slope(path: Path, x: float, h: float) -> tuple[float, float]:
    """The central difference with step h, and the size of the function over the step."""
    right, left = (x + h) - x, (x - h) - x  # the steps that are really taken
    high, low = path(right), path(left)
    return (high - low) / (right - left), max(abs(high), abs(low)) / (right - left)


def _over_many_steps(path: Path, x: float) -> Estimate:
    """Ridders' method: halve the step, extrapolate to 0, and keep what agrees best with itself.

    The first step is no round number, so that a staircase such as int(x) does not look straight.
    """
    best = Estimate(math.nan, math.inf)
    for scale in dict.fromkeys((1.0, abs(x) or 1.0)):
        row: list[float] = []
        for level in range(16):
            try:
                with np.errstate(all="ignore"):
                    slope, rounding = _slope(path, x, scale * 0.0917 / 2**level)
            except (ArithmeticError, ValueError):
                row = []  # the step leaves the domain; a shorter one may not
                continue
            new = [slope]
            for k, before in enumerate(row):
                factor = 4.0 ** (k + 1)
                new.append((factor * new[k] - before) / (factor - 1))
                doubt = max(abs(new[k + 1] - new[k]), abs(new[k + 1] - before)) + EPS * rounding
                if doubt < best.doubt:
                    best = Estimate(new[k + 1], doubt)
            row = new
    return best


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
    """The derivatives from the left and from the right, and whether the function jumps."""

    left: Estimate
    right: Estimate
    jumps: bool

    @property
    def kink(self) -> bool:
        """Whether the two differ by more than they may be off."""
        gap = abs(self.left.value - self.right.value)
        size = max(abs(self.left.value), abs(self.right.value))
        return gap > 4 * (self.left.doubt + self.right.doubt) + 1e-6 * size

    def between(self, slope: float, tolerance: float) -> bool:
        """Whether a slope lies between the two, as every convention at a kink does."""
        low, high = sorted((self.left.value, self.right.value))
        return low - tolerance <= slope <= high + tolerance


def sides(path: Path, x: float) -> Sides | None:
    """The one-sided derivatives at t = 0; None where a side has none, or lies outside the domain.

    The steps go down to 1e-8 of the scale, so that a kink nearby is not taken for one at x.
    """
    try:
        middle = path(0.0)
        left, jump_left = _one_side(path, x, middle, -1.0)
        right, jump_right = _one_side(path, x, middle, 1.0)
    except (ArithmeticError, ValueError):
        return None
    return Sides(left, right, jump_left or jump_right)


def _one_side(path: Path, x: float, middle: float, sign: float) -> tuple[Estimate, bool]:
    scale = min(1.0, abs(x)) or 1.0
    steps = [scale * 10.0**-k for k in range(2, 9)]
    rises: list[float] = []
    best, before = Estimate(math.nan, math.inf), math.nan
    with np.errstate(all="ignore"):
        for h in steps:
            whole, half = ((x + sign * h) - x), ((x + sign * h / 2) - x)
            rise, half_rise = path(whole) - middle, path(half) - middle
            rises.append(abs(rise))
            if whole == 0 or half == 0:
                continue
            slope = 2 * half_rise / half - rise / whole  # extrapolated to a step of 0
            doubt = abs(slope - before) + 8 * EPS * abs(middle) / abs(half)
            if doubt < best.doubt:
                best = Estimate(slope, doubt)
            before = slope
    small, smaller = rises[-2:]
    jumps = smaller > 1e4 * EPS * abs(middle) and smaller > 0.5 * small
    return best, jumps


def directions(shape: tuple[int, ...], count: int) -> Iterable[Array]:
    """Random directions of length 1, the same on every run."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        direction = rng.normal(size=shape)
        yield direction / np.linalg.norm(direction)
