"""Elementwise rules: arithmetic, and functions of one or two numbers.

The same lines run on floats, on arrays and on nodes. Broadcast operands need no care here: an
adjoint may have the shape of the output, and the edge that carries it back un-broadcasts it.
Comparisons such as `x > 0` give plain booleans for every kind of operand.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.facts import ANY, NOT_ZERO, POSITIVE
from tinygrad_edu.rules.operand_types import Operand, T
from tinygrad_edu.rules.rule import Pullback, Recorded, deferred, rule
from tinygrad_edu.rules.tables import of, operations, plain_function


def _pass_on(g: Any) -> tuple[Any, Any]:
    """Addition hands the adjoint on. A shared function: a sum closes over nothing, and a chain of
    a million sums takes 200 bytes a node where products take 400."""
    return g, g


def _pass_on_negated(g: Any) -> tuple[Any, Any]:
    return g, -g


def _negate(g: Any) -> tuple[Any]:
    return (-g,)


@rule("+", exact=True, public=False)
def add(x: T, y: Operand, /) -> Recorded[T]:
    """x + y; both local derivatives are 1."""
    return x + y, _pass_on


@rule("−", exact=True, public=False)
def subtract(x: T, y: Operand, /) -> Recorded[T]:
    """x - y; the local derivatives are 1 and -1."""
    return x - y, _pass_on_negated


@rule("×", exact=True, public=False)
def multiply(x: T, y: Operand, /) -> Recorded[T]:
    """x * y; each local derivative is the other operand."""
    return x * y, lambda g, x=x, y=y: (g * y, g * x)


@rule("÷", domain=(ANY, NOT_ZERO), cure="the divisor is 0", public=False)
def divide(x: T, y: Operand, /) -> Recorded[T]:
    """x / y; the local derivatives are 1 / y and -x / y²."""
    quotient = x / y
    return quotient, lambda g, y=y, q=quotient: (g / y, -(g / y) * q)


@rule("neg", exact=True, public=False)
def negative(x: T, /) -> Recorded[T]:
    """-x."""
    return -x, _negate


@rule(
    "**", domain=(POSITIVE, ANY), math="pow", public=False,
    cure="a negative base takes whole exponents only, and 0 takes none below 0",
)  # fmt: skip
def power(x: T, y: Operand, /) -> Recorded[T]:
    """x ** y with a variable base and a variable exponent.

    x ** 0 has value 1 and derivative 0 everywhere, 0 ** 0 included. A negative base takes whole
    exponents only: ValueError for a Value, nan for a Tensor. Its derivative by the exponent is nan.
    """
    z = of(x, y).power(x, y)
    # Both are deferred: a constant exponent, the usual case, costs no logarithm.
    return z, lambda g, x=x, y=y, z=z: (
        deferred(_power_by_base, g, x, y),
        deferred(_power_by_exponent, g, x, z),
    )


def _power_by_base(g: Any, x: Any, y: Any) -> Any:
    zero = (y >= 0) & (y <= 0)
    if zero is False:  # the usual case, a constant exponent
        return g * y * x ** (y - 1.0)
    # where y is 0, and x too or so near that 1 / x overflows, 0 / x becomes 0 / 1
    near = (x > -1e-37) & (x < 1e-37)
    return g * y * of(x, y).where(zero & near, 1.0, x) ** (y - 1.0)


def _power_by_exponent(g: Any, x: Any, z: Any) -> Any:
    log_x = of(x).log(of(x).where(x > 0, x, 1.0))
    return of(g, z, log_x).where(x < 0, math.nan, g * z * log_x)


@rule("abs", kinks=(0.0,), exact=True, math="fabs", oracles={"sympy": "Abs"})
def abs(x: T, /) -> Recorded[T]:
    """|x|; its derivative at 0 is 0."""
    return of(x).abs(x), lambda g, x=x: (
        of(g).where(x > 0, g, of(g).where(x < 0, -g, 0.0)),
    )  # fmt: skip


@rule("exp")
def exp(x: T, /) -> Recorded[T]:
    """The exponential; its own derivative."""
    y = of(x).exp(x)
    return y, lambda g, y=y: (g * y,)


@rule("expm1")
def expm1(x: T, /) -> Recorded[T]:
    """exp(x) - 1, exact near 0; local derivative exp(x)."""
    # not y + 1, which has no digits left where y is nearly -1
    return of(x).expm1(x), lambda g, x=x: (g * of(x).exp(x),)


@rule("log", domain=POSITIVE, outside="the logarithm needs a positive number")
def log(x: T, /) -> Recorded[T]:
    """The natural logarithm; local derivative 1 / x."""
    return of(x).log(x), lambda g, x=x: (g / x,)


@rule("log1p", domain=(-0.8, 4.0), outside="log1p needs a number above -1")
def log1p(x: T, /) -> Recorded[T]:
    """log(1 + x), exact near 0; local derivative 1 / (1 + x)."""
    return of(x).log1p(x), lambda g, x=x: (g / (x + 1.0),)


@rule("√", domain=POSITIVE, outside="a negative number has no real square root")
def sqrt(x: T, /) -> Recorded[T]:
    """The square root; local derivative 1 / (2 √x)."""
    y = of(x).sqrt(x)
    return y, lambda g, y=y: (g / (y + y),)


@rule("sin")
def sin(x: T, /) -> Recorded[T]:
    """Sine of x in radians; local derivative cos(x)."""
    return of(x).sin(x), lambda g, x=x: (g * of(x).cos(x),)


@rule("cos")
def cos(x: T, /) -> Recorded[T]:
    """Cosine of x in radians; local derivative -sin(x)."""
    return of(x).cos(x), lambda g, x=x: (-g * of(x).sin(x),)


@rule("tan", domain=(-1.3, 1.3))
def tan(x: T, /) -> Recorded[T]:
    """Tangent of x in radians; local derivative 1 + tan²(x)."""
    y = of(x).tan(x)
    return y, lambda g, y=y: (g * (y * y + 1.0),)


@rule("sinh")
def sinh(x: T, /) -> Recorded[T]:
    """Hyperbolic sine; local derivative cosh(x)."""
    return of(x).sinh(x), lambda g, x=x: (g * of(x).cosh(x),)


@rule("cosh")
def cosh(x: T, /) -> Recorded[T]:
    """Hyperbolic cosine; local derivative sinh(x)."""
    return of(x).cosh(x), lambda g, x=x: (g * of(x).sinh(x),)


@rule("tanh")
def tanh(x: T, /) -> Recorded[T]:
    """Hyperbolic tangent; local derivative 1 - tanh²(x)."""
    y = of(x).tanh(x)
    return y, lambda g, y=y: (g * (1.0 - y * y),)


_NO_ANGLE = "the operand must lie between -1 and 1"


@rule("arcsin", domain=(-0.95, 0.95), math="asin", outside=_NO_ANGLE)
def arcsin(x: T, /) -> Recorded[T]:
    """The angle, in radians, whose sine is x; local derivative 1 / √(1 - x²)."""
    # (1 - x)(1 + x) keeps its digits near ±1, where 1 - x² loses them
    return of(x).arcsin(x), lambda g, x=x: (g / of(x).sqrt((1.0 - x) * (x + 1.0)),)


@rule("arccos", domain=(-0.95, 0.95), math="acos", outside=_NO_ANGLE)
def arccos(x: T, /) -> Recorded[T]:
    """The angle, in radians, whose cosine is x; local derivative -1 / √(1 - x²)."""
    return of(x).arccos(x), lambda g, x=x: (-g / of(x).sqrt((1.0 - x) * (x + 1.0)),)


@rule("arctan", math="atan")
def arctan(x: T, /) -> Recorded[T]:
    """The angle, in radians, whose tangent is x; local derivative 1 / (1 + x²)."""
    return of(x).arctan(x), lambda g, x=x: (g / (x * x + 1.0),)


_TWO_BY_ROOT_PI = 2.0 / math.sqrt(math.pi)


@rule("erf")
def erf(x: T, /) -> Recorded[T]:
    """The error function; local derivative 2/√π exp(-x²)."""
    return of(x).erf(x), lambda g, x=x: (g * of(x).exp(-x * x) * _TWO_BY_ROOT_PI,)


@rule("erfc")
def erfc(x: T, /) -> Recorded[T]:
    """1 - erf(x), exact where erf(x) is nearly 1; local derivative -2/√π exp(-x²)."""
    return of(x).erfc(x), lambda g, x=x: (g * of(x).exp(-x * x) * -_TWO_BY_ROOT_PI,)


@plain_function
def _sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) with an exponential that cannot overflow."""
    e = of(x).exp(-of(x).abs(x))
    return of(x).where(x >= 0, 1.0, e) / (e + 1.0)


@rule("σ")
def sigmoid(x: T, /) -> Recorded[T]:
    """1 / (1 + exp(-x)), stable for every x; local derivative y (1 - y)."""
    y = of(x).sigmoid(x)
    return y, lambda g, y=y: (g * y * (1.0 - y),)


@plain_function
def _softplus(x: Any) -> Any:
    """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which cannot overflow."""
    return of(x).where(x > 0, x, 0.0) + of(x).log1p(of(x).exp(-of(x).abs(x)))


@rule("softplus")
def softplus(x: T, /) -> Recorded[T]:
    """log(1 + exp(x)), stable for every x; local derivative sigmoid(x)."""
    return of(x).softplus(x), lambda g, x=x: (g * of(x).sigmoid(x),)


@rule("ReLU", kinks=(0.0,), exact=True)
def relu(x: T, /) -> Recorded[T]:
    """max(x, 0); its derivative at 0 is 0. A nan stays a nan."""
    # where, because g * (x > 0) gives nan for an infinite adjoint
    y = of(x).maximum(x, 0.0)
    return y, lambda g, off=x <= 0: (of(g).where(off, 0.0, g),)


@rule("leaky ReLU", kinks=(0.0,), settings={"negative_slope": (0.0, 0.5)})
def leaky_relu(x: T, /, negative_slope: float = 0.01) -> Recorded[T]:
    """x above 0, negative_slope * x elsewhere; its derivative at 0 is negative_slope."""
    off, slope = x <= 0, as_plain(negative_slope, "leaky_relu")
    return of(x).where(off, x * slope, x), lambda g, off=off, slope=slope: (
        of(g).where(off, g * slope, g),
    )  # fmt: skip


_ROOT_HALF, _NORMAL_DENSITY_AT_0 = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)


@rule("GELU", oracles={"torch": "nn.functional.gelu"})
def gelu(x: T, /) -> Recorded[T]:
    """x Φ(x), where Φ(x) is the probability of a standard normal number below x; local derivative
    Φ(x) + x φ(x), where φ is the density."""
    below = of(x).erfc(x * -_ROOT_HALF) * 0.5
    return x * below, lambda g, x=x, below=below: (
        g * (below + x * of(x).exp(x * x * -0.5) * _NORMAL_DENSITY_AT_0),
    )  # fmt: skip


def _to_the_winner(x_wins: Any, y_wins: Any) -> Pullback:
    """Hand the adjoint to the operand that was chosen; at a tie each gets half."""

    def pullback(g: Any, x_wins: Any = x_wins, y_wins: Any = y_wins) -> tuple[Any, Any]:
        where = of(g).where
        half = g * 0.5
        return where(x_wins, g, where(y_wins, 0.0, half)), where(
            y_wins, g, where(x_wins, 0.0, half)
        )

    return pullback


def _larger(x: float, y: float) -> float:
    """Python's max of two numbers; a nan stays a nan, as in NumPy."""
    return x + y if x != x or y != y else max(x, y)


def _smaller(x: float, y: float) -> float:
    return x + y if x != x or y != y else min(x, y)


@rule("max", ties=True, exact=True, number=_larger, oracles={"sympy": "Max"})
def maximum(x: T, y: Operand, /) -> Recorded[T]:
    """The larger of x and y, elementwise; at a tie each gets half of the adjoint."""
    return of(x, y).maximum(x, y), _to_the_winner(x > y, y > x)


@rule("min", ties=True, exact=True, number=_smaller, oracles={"sympy": "Min"})
def minimum(x: T, y: Operand, /) -> Recorded[T]:
    """The smaller of x and y, elementwise; at a tie each gets half of the adjoint."""
    return of(x, y).minimum(x, y), _to_the_winner(x < y, y < x)


def _chosen(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


@rule("where", domain=(None, ANY, ANY), exact=True, number=_chosen, method=False)
def _where(condition: Any, x: T, y: Operand, /) -> Recorded[T]:
    """x where the condition holds, y elsewhere; see the public `where`."""

    def pullback(g: Any, chosen: Any = condition) -> tuple[Any, Any, Any]:
        where = of(chosen, g).where
        return None, where(chosen, g, 0.0), where(chosen, 0.0, g)

    return of(condition, x, y).where(condition, x, y), pullback


def where(condition: Any, x: T, y: Operand, /) -> T:
    """x where the condition holds, y elsewhere.

    The condition is plain booleans, such as `x > 0` gives; it has no derivative. TypeError if it
    is a node.
    """
    if hasattr(condition, "_record"):
        raise TypeError("where: the condition must be plain booleans such as x > 0, not a node")
    return _where(condition, x, y)


vars(operations).update(where=where)


@rule(
    "clip",
    kinks=("min", "max"),
    exact=True,
    settings={"min": [None, (-2.0, -0.1)], "max": [None, (0.1, 2.0)]},
)
def clip(x: T, /, min: float | None = None, max: float | None = None) -> Recorded[T]:
    """x held between min and max, numbers or plain arrays; None leaves that side open.

    At a bound the operand counts as inside: the derivative there is 1. ValueError if min > max;
    TypeError if a bound is a node.
    """
    low = -math.inf if min is None else _bound(x, min)
    high = math.inf if max is None else _bound(x, max)
    if _any(low > high):
        raise ValueError(f"clip: min {low} is above max {high}")
    below, above = x < low, x > high
    y = of(x).where(below, low, of(x).where(above, high, x))
    return y, lambda g, below=below, above=above: (
        of(g).where(below, 0.0, of(g).where(above, 0.0, g)),
    )  # fmt: skip


def _bound(x: Any, bound: Any) -> Any:
    """A bound as plain numbers; NumPy would make float64 of float32 and an array of integers."""
    bound = as_plain(bound, "clip")
    whole = getattr(getattr(bound, "dtype", None), "kind", "f") in "iu"
    floating = getattr(getattr(x, "dtype", None), "kind", "") == "f"
    return bound.astype(x.dtype) if whole and floating else bound


def _any(condition: Any) -> bool:
    """Whether a boolean, or any element of a boolean array, is true."""
    return bool(condition.any()) if hasattr(condition, "any") else bool(condition)
