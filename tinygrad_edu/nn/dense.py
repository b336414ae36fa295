"""Fully connected layers, activations, and layers one after the other."""

from __future__ import annotations

import functools
import math
import numbers
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu import rules
from tinygrad_edu.data.data_sets import generator
from tinygrad_edu.engine.contexts import group
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.module import Module, check_width, check_widths, label_parameters
from tinygrad_edu.rules import RULES

if TYPE_CHECKING:
    from tinygrad_edu.data.data_sets import Rng

_affine_rule = RULES["affine"]


class Linear(Module):
    """x @ weight + bias, from (N, inputs) to (N, outputs).

    The weight has shape (inputs, outputs) and starts normal with mean 0 and standard deviation
    √(2 / inputs) for `init="he"` (He et al. 2015, for ReLU) or √(2 / (inputs + outputs)) for
    "glorot" (Glorot & Bengio 2010, for tanh and sigmoid); a number is taken as the deviation
    itself. The bias, shape (outputs,), starts at 0. `rng` is a generator or a seed.
    """

    transposed = ("weight",)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: bool = True,
        init: str | float = "he",
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        inputs = check_width("Linear: inputs", inputs)
        outputs = check_width("Linear: outputs", outputs)
        deviation = start_deviation("Linear", init, inputs, outputs)
        start = generator("Linear", rng).normal(0, deviation, (inputs, outputs))
        self.weight = Tensor(start, "weight", dtype)
        self.bias = Tensor(np.zeros(outputs), "bias", dtype) if bias else None

    def __call__(self, x: Any) -> Tensor:
        if self.bias is None:
            return self.weight.__rmatmul__(x)
        return self.weight._record(_affine_rule, (x, self.weight, self.bias), {})


def start_deviation(layer: str, init: Any, inputs: int, outputs: int) -> float:
    """The standard deviation of the first weights, by the numbers that go in and out of a unit."""
    if init == "he":
        return math.sqrt(2 / inputs)
    if init == "glorot":
        return math.sqrt(2 / (inputs + outputs))
    if isinstance(init, numbers.Real) and 0 <= float(init) < math.inf:
        return float(init)
    raise ValueError(f'{layer}: init is {init!r}; use "he", "glorot" or a deviation from 0 up')


def as_tensor(x: Any) -> Any:
    """A node as it is; an array that a network is given becomes a Tensor."""
    return x if isinstance(x, Node) else Tensor(x)


def folded(call: Callable[..., Any]) -> Any:
    """Let pictures show what a layer computes as a module that folds."""

    @functools.wraps(call)
    def in_a_group(self: Any, *inputs: Any, **more: Any) -> Any:
        with group(type(self).__name__):
            return call(self, *inputs, **more)

    return in_a_group


class _Activation(Module):
    """An elementwise rule as a layer; an array that the network is given becomes a Tensor."""

    rule: ClassVar[str]

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        result: Tensor = x._record(RULES[self.rule], (x,), {})
        return result


class ReLU(_Activation):
    """max(x, 0), elementwise."""

    rule = "relu"


class Sigmoid(_Activation):
    """1 / (1 + exp(-x)), elementwise."""

    rule = "sigmoid"


class Tanh(_Activation):
    """The hyperbolic tangent, elementwise."""

    rule = "tanh"


class SiLU(Module):
    """x · sigmoid(x), elementwise, also called swish."""

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        result: Tensor = x * rules.sigmoid(x)
        return result


_ROOT_2_BY_PI = math.sqrt(2.0 / math.pi)


class GELU(Module):
    """x Φ(x), elementwise, with the probability Φ(x) of a standard normal number below x.

    `approximate="tanh"` is x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, which is quicker (Hendrycks
    & Gimpel 2016).
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: approximate is {approximate!r}; use "none" or "tanh"')
        self.approximate = approximate

    @folded
    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        if self.approximate == "none":
            exact: Tensor = rules.gelu(x)
            return exact
        cubic = x * (1.0 + 0.044715 * (x * x))
        result: Tensor = 0.5 * x * (1.0 + rules.tanh(_ROOT_2_BY_PI * cubic))
        return result


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` as one: (N, C, H, W) becomes (N, C · H · W)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = operator.index(start_dim), operator.index(end_dim)

    def __call__(self, x: Any) -> Tensor:
        x = as_tensor(x)
        first, last = normalize_axis_tuple((self.start_dim, self.end_dim), x.ndim, "axis", True)
        if last < first:
            raise ValueError(f"Flatten: axis {last} of shape {x.shape} is before axis {first}")
        flat: Tensor = x.reshape((*x.shape[:first], -1, *x.shape[last + 1 :]))
        return flat


class Sequential(Module):
    """Layers one after the other."""

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if isinstance(layer, type):
                raise TypeError(
                    f"Sequential: layer {i} is a class; make a layer of it: {layer.__name__}()"
                )
            if not callable(layer):
                raise TypeError(
                    f"Sequential: layer {i}, of type {type(layer).__name__}, cannot be called; "
                    "give layers one by one, as in Sequential(Linear(2, 3), ReLU())"
                )
        self.layers = list(layers)
        label_parameters(self.layers, "layers")

    def __call__(self, x: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        result: Tensor = x
        return result


class MLP(Sequential):
    """Linear layers with ReLU between them: `MLP(64, [30, 10])` is 64-30-10.

    For the same network with every scalar a node, see `tinygrad_edu.scalar_nn`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: Sequence[int] = (),
        *,
        init: str | float = "he",
        rng: Rng = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        check_widths(inputs, "outputs", outputs)
        rng = generator("MLP", rng)
        layers: list[Module] = []
        for before, after in zip([inputs, *outputs], outputs, strict=False):
            layers += [Linear(before, after, init=init, rng=rng, dtype=dtype), ReLU()]
        super().__init__(*layers[:-1])
