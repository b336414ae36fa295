"""Numerical derivatives and the gradient check.

Central differences in float64: df/dx ≈ (f(x + h) - f(x - h)) / 2h. Their error shrinks with h², so
that two step sizes together cancel it (Richardson extrapolation), while rounding grows with 1/h;
h = ε^(1/5) times the scale of x balances the two (Press et al., Numerical Recipes, section 5.7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.graph import Node
from tinygrad_edu.rules.rule import as_plain
from tinygrad_edu.tensor import Tensor
from tinygrad_edu.value import Value

Array = npt.NDArray[Any]


class GradientError(AssertionError):
    """An analytic gradient that differs from the numerical one."""


@dataclass(frozen=True)
class Difference:
    """The worst element of one input: where it is, and both derivatives there."""

    input: str
    index: tuple[int, ...]
    at: float
    analytic: float
    numeric: float

    @property
    def relative(self) -> float:
        """|analytic - numeric| over the larger of the two, or over 1 where both are smaller."""
        size = max(abs(self.analytic), abs(self.numeric), 1.0)
        return abs(self.analytic - self.numeric) / size


def numerical_gradient(f: Callable[[Any], Any], x: Any) -> Any:
    """The gradient of a scalar function by central differences, in float64.

    `x` is a number, a Value, an array or a Tensor; `f` gets the same kind and gives a number or a
    node with one element. Returns a float, or an array of the shape of x; x itself is not changed.
    """
    if isinstance(x, Value):
        return float(_differences(lambda a: f(Value(a.item(), x.label)), np.array(x.data))[()])
    if isinstance(x, Tensor):
        return _differences(lambda a: f(Tensor(a, x.label)), np.array(x.data, np.float64))
    plain = as_plain(x, "numerical_gradient")
    if isinstance(plain, np.ndarray):
        return _differences(f, np.array(plain, np.float64))
    return float(_differences(lambda a: f(a.item()), np.array(float(plain)))[()])


def _differences(f: Callable[[Array], Any], x: Array) -> Array:
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        gradient[index] = _derivative(f, x, index)
    return gradient


def _derivative(f: Callable[[Array], Any], x: Array, index: tuple[int, ...]) -> float:
    """The derivative by one element, at the scale of 1 or of |x|, whichever agrees best with
    itself: sin at 1000 changes over 1, and log at 1e-4 over 1e-4."""
    eps = float(np.finfo(float).eps)
    found: list[tuple[float, float]] = []  # (estimate of the error, derivative)
    problem: Exception | None = None
    for scale in dict.fromkeys((1.0, abs(float(x[index])) or 1.0)):
        try:
            with np.errstate(all="ignore"):  # a step may leave the domain of f
                wide, _ = _slope(f, x, index, scale * eps**0.2)
                narrow, rounding = _slope(f, x, index, scale * eps**0.2 / 2)
        except (ArithmeticError, ValueError) as error:
            problem = error
            continue
        doubt = abs(narrow - wide) + eps * rounding
        found.append((doubt if np.isfinite(doubt) else np.inf, (4 * narrow - wide) / 3))
    if not found and problem is not None:
        raise problem
    return min(found)[1]


def _slope(
    f: Callable[[Array], Any], x: Array, index: tuple[int, ...], h: float
) -> tuple[float, float]:
    """The central difference with step h, and the size of f over the step."""
    above, below = x.copy(), x.copy()
    above[index] += h
    below[index] -= h
    high, low = _one_number(f(above)), _one_number(f(below))
    step = float(above[index] - below[index])  # the step that was really taken
    return (high - low) / step, max(abs(high), abs(low)) / step


def _one_number(y: Any) -> float:
    y = np.asarray(as_plain(y.data if isinstance(y, Node) else y, "the result of the function"))
    if y.size != 1:
        raise ValueError(
            f"a gradient check needs a function with one number as result, not shape {y.shape}; "
            "reduce it, as with .sum()"
        )
    return float(y.item())


def gradcheck(f: Callable[..., Any], *inputs: Any, rtol: float = 1e-6, atol: float = 1e-6) -> None:
    """Compare the gradients of f, by its backward pass, with central differences.

    `inputs` are Values, Tensors, numbers or arrays; f gets a node for each of them (a Value for a
    number, a Tensor for an array), in float64, and returns a node. A result of several numbers is
    weighed with fixed random weights first. Raises GradientError naming the worst element, both
    derivatives and the input; TypeError if f does not return a node. The inputs are not changed.
    """
    if not inputs:
        raise ValueError("gradcheck: give at least one input for the function")
    nodes = [_float64_leaf(x, f"input {i}") for i, x in enumerate(inputs)]
    weigh = _weigher()
    root = weigh(f(*nodes))
    root.backward()
    worst: list[Difference] = []
    for i, node in enumerate(nodes):

        def of_one(moved: Any, i: int = i) -> Any:
            return weigh(
                f(*[moved if k == i else _float64_leaf(x, "") for k, x in enumerate(nodes)])
            )

        numeric = np.asarray(numerical_gradient(of_one, node))
        analytic = np.asarray(node.grad)
        excess = np.abs(analytic - numeric) - atol - rtol * np.abs(numeric)
        excess = np.where(np.isnan(analytic) == np.isnan(numeric), excess, np.inf)
        if excess.size and np.nanmax(excess, initial=-np.inf) > 0:
            index = tuple(int(k) for k in np.unravel_index(np.nanargmax(excess), excess.shape))
            worst.append(
                Difference(
                    node.label or f"input {i}",
                    index,
                    float(np.asarray(node.data)[index]),
                    float(analytic[index]),
                    float(numeric[index]),
                )
            )
    if worst:
        raise GradientError(_message(worst))


def _message(worst: list[Difference]) -> str:
    lines = ["the backward pass and central differences disagree:"]
    for d in sorted(worst, key=lambda d: -d.relative):
        place = f"[{', '.join(map(str, d.index))}]" if d.index else ""
        lines.append(
            f"  {d.input}{place} = {d.at:.6g}: analytic {d.analytic:.10g}, "
            f"numeric {d.numeric:.10g}, relative difference {d.relative:.1e}"
        )
    return "\n".join(lines)


def _float64_leaf(x: Any, name: str) -> Any:
    if isinstance(x, Value):
        return Value(x.data, x.label or name)
    if isinstance(x, Tensor):
        return Tensor(x.data, x.label or name, np.float64)
    plain = as_plain(x, f"gradcheck: {name}")
    if isinstance(plain, np.ndarray):
        return Tensor(plain, name, np.float64)
    return Value(plain, name)


def _weigher() -> Callable[[Any], Any]:
    """Turn a result into one number, always with the same weights."""

    def weigh(y: Any) -> Any:
        if not isinstance(y, Node):
            raise TypeError(f"gradcheck: the function returned {type(y).__name__}, not a node")
        if isinstance(y, Tensor) and y.size != 1:
            return (y * np.random.default_rng(0).uniform(0.5, 1.5, y.shape)).sum()
        return y

    return weigh
