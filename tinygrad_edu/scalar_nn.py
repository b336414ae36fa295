"""A network of Values, every scalar a node, with micrograd's names and signatures.

For looking at: a neuron of it fits on a page. For training anything larger use `nn`.
"""

from __future__ import annotations

import functools
import math
import operator
import random
from collections.abc import Sequence
from typing import Any

from tinygrad_edu.engine.value import Value
from tinygrad_edu.module import Module, check_width, check_widths, label_parameters


def softmax(values: Sequence[Any]) -> list[Any]:
    """A list of positive Values with the sum 1: exp(x) / Σ exp(x), of a list of Values.

    The largest is subtracted first, as a plain number, so that no exponential overflows. ValueError
    for an empty list.
    """
    if not values:
        raise ValueError("softmax: got no value; give a list of at least one")
    top = max(getattr(x, "data", x) for x in values)
    exponentials = [(x - top).exp() if isinstance(x, Value) else math.exp(x - top) for x in values]
    total = functools.reduce(operator.add, exponentials)
    return [e / total for e in exponentials]


class Neuron(Module):
    """relu(w · x + b), or w · x + b if `nonlin` is false; weights start uniform in [-1, 1].

    The weights come from `rng`, a `random.Random`, or else from Python's `random` module;
    `random.seed(1337)` fixes them.
    """

    def __init__(self, nin: int, nonlin: bool = True, rng: random.Random | None = None) -> None:
        uniform = (rng or random).uniform
        n = check_width("Neuron: nin", nin)
        self.w = [Value(uniform(-1, 1), label=f"w{i}") for i in range(n)]
        self.b = Value(0, label="b")
        self.nonlin = nonlin

    def __call__(self, x: Sequence[Any]) -> Value:
        if not hasattr(x, "__len__"):
            raise TypeError(
                f"Neuron: expected a list of {len(self.w)} numbers, got {type(x).__name__}"
            )
        if len(x) != len(self.w):
            raise ValueError(f"Neuron: it has {len(self.w)} inputs but got {len(x)} numbers")
        total = self.b
        for wi, xi in zip(self.w, x, strict=True):
            total = total + wi * xi
        return total.relu() if self.nonlin else total

    def parameters(self) -> list[Any]:
        """The weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """`nout` neurons that see the same `nin` inputs; a single one gives a Value, not a list."""

    def __init__(self, nin: int, nout: int, **settings: Any) -> None:
        n = check_width("Layer: nout", nout)
        self.neurons = [Neuron(nin, **settings) for _ in range(n)]
        label_parameters(self.neurons, "neurons")

    def __call__(self, x: Sequence[Any]) -> Any:
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """Layers of ReLU neurons, the last one linear: `MLP(2, [16, 16, 1])`."""

    def __init__(
        self, nin: int, nouts: Sequence[int] = (), rng: random.Random | None = None
    ) -> None:
        check_widths(nin, "nouts", nouts)
        sizes = [nin, *nouts]
        last = len(nouts) - 1
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != last, rng=rng) for i in range(len(nouts))
        ]
        label_parameters(self.layers, "layers")

    def __call__(self, x: Sequence[Any]) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
