"""Where a rule finds its functions: one set of names over numbers, arrays and nodes.

`of(x).tanh(x)` is `math.tanh` for a number, `np.tanh` for an array, and the rule itself for a node.
The names are NumPy's. What neither math nor NumPy has is written next to the rule that needs it,
and added here by `plain_function`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Table(SimpleNamespace):
    """Functions under NumPy's names, for one kind of operand."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"of(x) has no function {name!r} for this x", name=name, obj=self)


def _sqrt(x: float) -> float:
    if x < 0:
        raise ValueError("a negative number has no real square root")
    return math.sqrt(x)


def _log(x: float) -> float:
    if x <= 0:
        raise ValueError("the logarithm needs a positive number")
    return math.log(x)


def _log1p(x: float) -> float:
    if x <= -1:
        raise ValueError("log1p needs a number above -1")
    return math.log1p(x)


def _maximum(x: float, y: float) -> float:
    return x + y if x != x or y != y else max(x, y)


def _minimum(x: float, y: float) -> float:
    return x + y if x != x or y != y else min(x, y)


def _arc(function: Callable[[float], float]) -> Callable[[float], float]:
    def inverse(x: float) -> float:
        if abs(x) > 1:
            raise ValueError("the operand must lie between -1 and 1")
        return function(x)

    return inverse


scalars = Table(
    exp=math.exp, expm1=math.expm1, log=_log, log1p=_log1p, sqrt=_sqrt, power=math.pow,
    sin=math.sin, cos=math.cos, tan=math.tan, sinh=math.sinh, cosh=math.cosh, tanh=math.tanh,
    arcsin=_arc(math.asin), arccos=_arc(math.acos), arctan=math.atan, abs=math.fabs,
    where=lambda condition, x, y: x if condition else y, maximum=_maximum, minimum=_minimum,
)  # fmt: skip
"""Functions of one number, under NumPy's names. Out of their domain they raise."""

arrays = Table()
"""Functions of arrays: NumPy's own, in `array_tables.py`. Out of their domain they give nan and
NumPy's warning."""

operations = Table()
"""The public function of every rule, filled by `@rule`."""

_array: Any = None  # NumPy's types of arrays, once it is there
_array_kinds: tuple[type, ...] = ()


def of(x: Any, y: Any = 0.0, *more: Any) -> Any:
    """The table whose functions fit the operands.

    NumPy's names over numbers (`math`), over arrays (NumPy), or, when an operand brings its own
    (the array API's `__array_namespace__`, as nodes do), that one.
    """
    kind, other = type(x), type(y)  # nearly every question has one of two answers:
    if kind is float and other is float and not more:
        return scalars
    if kind is _array and (other is float or other is _array) and not more:
        return arrays
    table = scalars
    for operand in (x, y, *more):
        if isinstance(operand, _array_kinds):
            table = arrays
        elif hasattr(operand, "__array_namespace__"):
            return operand.__array_namespace__()
    return table


def plain_function(function: Callable[P, R]) -> Callable[P, R]:
    """Add a forward formula that neither math nor NumPy has to both tables."""
    name = function.__name__.lstrip("_")
    setattr(scalars, name, function)
    setattr(arrays, name, function)
    return function


def add_arrays(array: type, scalar: type, **functions: Callable[..., Any]) -> None:
    """From now on operands may be arrays: NumPy is there, and these are its functions."""
    global _array, _array_kinds
    _array, _array_kinds = array, (array, scalar)
    vars(arrays).update(functions)
