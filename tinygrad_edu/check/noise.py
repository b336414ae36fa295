"""How rough a function is: the noise that rounding leaves in its results.

A smooth function's differences of higher and higher order shrink with the spacing of the points;
noise stays as large as it is, and its differences of order k have √((2k)!) / k! times its size
(Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33, 2011). Rounding to float32
inside a function, an integer table, or a number that is printed and parsed make stairs: nothing
changes over less than their width, and noise shows itself above it. So several spacings are tried.
A steep function such as sin(10⁵ x) looks like noise from afar too, but has no jumps.

Everything here is about a function of one number t, as in `numerical`.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from typing import Any

Path = Callable[[Any], Any]
"""What the function gives after a way of t; t is a float, or complex for the complex step. NumPy's
warnings are silenced in it: a step may leave the domain of the function."""

EPS = sys.float_info.epsilon
LEAST = math.ulp(0.0)
"""What is lost of a result that is too small for the full precision."""
IN_A_TABLE = 7
"""At one spacing h, at h, 2h, ..., 7h: on one side, since a kink at the input is not noise."""
NARROWER = 8.0
"""The ratio of two spacings: more than IN_A_TABLE, so that one jump is not seen at two of them."""
WIDEST = 0.0523
"""The widest spacing, as a part of the scale. It is not a round number, as stairs often are."""


def value_at(path: Path, t: float) -> float:
    """The function after a step, nan where it is not defined."""
    try:
        return float(path(t))
    except (ArithmeticError, ValueError):
        return math.nan


def noise_of(path: Path, x: float = 1.0) -> float:
    """The size of the noise in the results of a function, where the moved number is x.

    It is the roughness at the narrowest spacings, which is that of float64 numbers; or that of
    wider ones, if two neighbouring spacings show the same and halving finds a jump there, or if it
    only grows little by little, as with stairs of many numbers.
    """
    spacings = _spacings(x)
    near = [_values(path, h) for h in spacings[:2]]
    slope = (near[0][-1] - near[0][0]) / ((IN_A_TABLE - 1) * spacings[0])
    size = max((abs(y) for y in near[0] if math.isfinite(y)), default=0.0)
    noise = max([EPS / 2 * size + LEAST, *filter(math.isfinite, map(_roughness, near))])
    levels, tried, quiet = [math.nan], 0, False
    for h in reversed(spacings[2:]):
        level, wider = _roughness(_values(path, h)), levels[-1]
        if level < 6 * noise:
            if quiet:
                noise = max(noise, level)
                break
            quiet = True  # twice: stairs may happen to be as wide as the spacing
            continue
        quiet = False
        levels.append(level)
        if level < 8 * wider < 64 * level and tried < 2:
            tried += 1
            jumps = (
                jump_between(path, h, IN_A_TABLE * h, spacings[0] / 16, trend)
                for trend in (slope, 0.0)
            )
            if any(jump > level / 300 for jump in jumps):
                return max(level, wider)
    for level in reversed(levels):
        if not level < 6 * noise:
            break
        noise = max(noise, level)
    return noise


def _values(path: Path, h: float) -> list[float]:
    return [value_at(path, k * h) for k in range(1, IN_A_TABLE + 1)]


def _spacings(x: float) -> list[float]:
    """The narrowest first: those of the scale of 1, or of |x| where it is larger, and three of the
    scale of an x that is far smaller."""
    scale = max(1.0, abs(x))
    spacings, h = [], WIDEST * scale
    while h > max(1e-12 * scale, 64 * math.ulp(x)):
        spacings.append(h)
        h /= NARROWER
    own = [WIDEST * abs(x) / NARROWER**k for k in (1, 3, 5)]
    return sorted({*spacings, *(h for h in own if 0 < h < spacings[-1])})


def _roughness(ys: list[float]) -> float:
    """The noise in values at equal distances, from their differences of the two highest orders that
    leave several; 0 where most values are the same, as points closer than stairs are wide."""
    if sum(a == b for a, b in itertools.pairwise(ys)) > len(ys) // 2:
        return 0.0
    sizes, differences = [], ys
    for order in range(1, len(ys) - 1):
        differences = [b - a for a, b in itertools.pairwise(differences)]
        sizes += [d / math.sqrt(math.comb(2 * order, order)) for d in differences]
    last = sizes[-5:]  # three of order 4, two of order 5
    return math.hypot(*last) / math.sqrt(len(last))


def jump_between(
    path: Path, left: float, right: float, narrowest: float, slope: float = 0.0
) -> float:
    """How far the function departs from its slope over the narrowest distance, where halving leads,
    always into the half that departs more.

    0 if the last four halvings made it smaller as they do where a function is smooth, or if t has
    too few digits for such a distance.
    """
    low, high = value_at(path, left), value_at(path, right)
    departures = []
    while abs(right - left) > max(narrowest, 2 * math.ulp(right)):
        middle = (left + right) / 2
        y = value_at(path, middle)
        half = slope * (middle - left)
        if abs(y - low - half) > abs(high - y - half):
            right, high = middle, y
        else:
            left, low = middle, y
        departures.append(abs(high - low - slope * (right - left)))
    if abs(right - left) > narrowest or len(departures) < 5:
        return 0.0
    return departures[-1] if departures[-1] > departures[-5] / 8 else 0.0
