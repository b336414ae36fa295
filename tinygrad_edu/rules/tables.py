"""Where a rule finds its functions: one set of names over numbers, arrays and nodes.

`of(x).tanh(x)` is `math.tanh` for a number, `np.tanh` for an array, and the rule itself for a node.
The names are NumPy's. What neither math nor NumPy has is written next to the rule that needs it,
and added here by `plain_function`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

operations = SimpleNamespace()
"""The public function of every rule, filled by `@rule`: the namespace of nodes."""


def of(x: Any, y: Any = 0.0, *more: Any) -> Any:
    """The namespace whose functions fit the operands.

    NumPy's names over numbers (`math`), over arrays (NumPy), or, when an operand brings its own
    (the array API's `__array_namespace__`, as nodes do), that one.
    """
    kind, other = type(x), type(y)  # nearly every question has one of two answers:
    if kind is float and other is float and not more:
        return scalars
    if kind is np.ndarray and (other is float or other is np.ndarray) and not more:
        return arrays
    namespace = scalars
    for operand in (x, y, *more):
        if isinstance(operand, np.ndarray | np.generic):
            namespace = arrays
        elif hasattr(operand, "__array_namespace__"):
            return operand.__array_namespace__()
    return namespace


def plain_function(function: Callable[P, R]) -> Callable[P, R]:
    """Add a forward formula that neither math nor NumPy has to both namespaces."""
    name = function.__name__.lstrip("_")
    setattr(scalars, name, function)
    setattr(arrays, name, function)
    return function


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


# Small arrays spend more time in a call than in arithmetic. Two calls that every network makes are
# worth a shorter way; figures are for 30 × 30 float32.


def _where(condition: Any, x: Any, y: Any) -> Any:
    """np.where, with a constant as an array: 3.2 instead of 6.4 µs."""
    if type(x) is float and type(y) is np.ndarray:
        if x == 0.0 and y.size >= 2000 and y.dtype.itemsize in (4, 8) and y.dtype.kind == "f":
            return _zeros_where(condition, y)
        x = np.array(x, y.dtype)
    elif type(y) is float and type(x) is np.ndarray:
        y = np.array(y, x.dtype)
    return np.where(condition, x, y)


def _zeros_where(condition: Any, y: Any) -> Any:
    """y with zeros: its bits, and a mask of all ones or none.

    np.where stumbles over every truth that it could not foresee: for 100 × 50 random ones it takes
    28 µs and this 10.
    """
    whole = np.dtype(f"i{y.dtype.itemsize}")
    mask = (np.asarray(condition, bool).view(np.int8) - np.int8(1)).astype(whole)
    return (y.view(whole) & mask).view(y.dtype)


def _matmul(x: Any, y: Any) -> Any:
    """np.matmul; the product of two matrices is also their dot, 2.9 instead of 3.6 µs."""
    try:
        both_are_matrices = x.ndim == 2 == y.ndim
    except AttributeError:  # a number, which NumPy refuses in its own words
        both_are_matrices = False
    return x.dot(y) if both_are_matrices else np.matmul(x, y)


def _einsum(subscripts: str, *operands: Any) -> Any:
    """np.einsum; three operands and more are multiplied two by two where that pays.

    NumPy does it only if asked, since finding the order takes 0.1 ms: so long as 10 000 products.
    """
    if len(operands) < 3:
        return np.einsum(subscripts, *operands)
    lengths: dict[str, int] = {}
    for names, x in zip(subscripts.partition("->")[0].split(","), operands, strict=True):
        lengths.update(zip(names, x.shape, strict=False))
    return np.einsum(subscripts, *operands, optimize=math.prod(lengths.values()) > 10_000)


def _put(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros with x added at an index: what indexing has for an adjoint, and NumPy has not."""
    y = np.zeros(shape, dtype=x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, np.ndarray) and i.dtype != bool for i in parts):
        np.add.at(y, index, x)  # an integer array may name an element more than once
    else:
        y[index] = x
    return y


scalars = SimpleNamespace(
    exp=math.exp, expm1=math.expm1, log=_log, log1p=_log1p, sqrt=_sqrt, power=math.pow,
    sin=math.sin, cos=math.cos, tan=math.tan, sinh=math.sinh, cosh=math.cosh, tanh=math.tanh,
    arcsin=_arc(math.asin), arccos=_arc(math.acos), arctan=math.atan, abs=math.fabs,
    where=lambda condition, x, y: x if condition else y, maximum=_maximum, minimum=_minimum,
)  # fmt: skip
"""Functions of one number, under NumPy's names. Out of their domain they raise."""

arrays = SimpleNamespace(
    exp=np.exp, expm1=np.expm1, log=np.log, log1p=np.log1p, sqrt=np.sqrt, power=operator.pow,
    sin=np.sin, cos=np.cos, tan=np.tan, sinh=np.sinh, cosh=np.cosh, tanh=np.tanh,
    arcsin=np.arcsin, arccos=np.arccos, arctan=np.arctan, abs=np.abs, where=_where,
    maximum=np.maximum, minimum=np.minimum, mean=np.mean, cumsum=np.cumsum,
    sum=np.add.reduce, max=np.maximum.reduce, min=np.minimum.reduce, prod=np.multiply.reduce,
    matmul=_matmul, einsum=_einsum, reshape=np.reshape, transpose=np.transpose,
    broadcast_to=np.broadcast_to, concatenate=np.concatenate, stack=np.stack, put=_put,
)  # fmt: skip
"""Functions of arrays: NumPy's own. Out of their domain they give nan and NumPy's warning.

Reductions are called with an `axis` always, and so can be the ufuncs' own, which take half as long
as `np.sum` on small arrays.
"""
