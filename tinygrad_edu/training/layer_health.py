"""The four diagnoses of a network by layer: saturated and dead units, the distributions of
activations and gradients, gradient : data, and update : data.

They are those of A. Karpathy's lecture "Building makemore, part 3" (2022): share of |tanh| > 0.97,
histograms, std(grad) / std(data), and log10 of std(update) / std(data), which should be about -3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological_order
from tinygrad_edu.rules.operand_types import Array

SATURATED = 0.97
"""Of tanh: its slope is below 0.06 there. The same slopes of a sigmoid are beyond 0.985."""
BINS = 30
MANY = 0.7
"""Of the outputs of a layer. Networks that have learnt well saturate a half of them."""
LOW, HIGH = -4.5, -0.5
"""Of log10 update : data: a thirtieth of the usual 1e-3, and a third of the weights in one step.
Large updates are usual in the first steps; small ones where the gradient is small as well."""
ALIVE = 1e-3
"""Of gradient : data: below it updates are small because the network has learnt what it can."""
SHRUNK = 1e-3
"""Of the gradient's deviation between two layers: it vanishes, or, the other way, explodes."""


@dataclass(frozen=True)
class Activations:
    """The outputs of an activation function: what is saturated or dead, and how all are spread.

    `saturated` is a share of all outputs, of tanh and sigmoid; `dead` a share of units, which are
    0 for every sample of the batch, of ReLU. `histogram` and `gradients` are counts and edges.
    """

    name: str
    saturated: float
    dead: float
    mean: float
    deviation: float
    gradient_deviation: float
    histogram: tuple[Array, Array]
    gradients: tuple[Array, Array]


@dataclass(frozen=True)
class Weights:
    """A matrix of parameters: the deviations of its gradient and of its update, over its own."""

    name: str
    gradient_to_data: float
    update_to_data: float
    gradients: tuple[Array, Array]

    @property
    def log_update(self) -> float:
        """log10 of update : data; about -3 is usual."""
        return math.log10(self.update_to_data) if self.update_to_data > 0 else -math.inf


@dataclass(frozen=True)
class Health:
    """All activations and weights of a network, in the order of the forward pass."""

    activations: tuple[Activations, ...]
    weights: tuple[Weights, ...]

    @property
    def complaints(self) -> list[str]:
        """What is bad, in words, with what to do; nothing for a healthy network."""
        return [*_of_activations(self.activations), *_of_weights(self.weights)]

    def __repr__(self) -> str:
        lines = [
            f"{a.name}: mean {a.mean:+.2f}, deviation {a.deviation:.2f}, saturated "
            f"{a.saturated:.0%}, dead {a.dead:.0%}, gradient deviation {a.gradient_deviation:.1e}"
            for a in self.activations
        ]
        lines += [
            f"{w.name}: gradient : data {w.gradient_to_data:.1e}, log10 update : data "
            f"{w.log_update:.1f}"
            for w in self.weights
        ]
        return "\n".join([*lines, *self.complaints])


def layer_health(loss: Any, optimizer: Any) -> Health:
    """Look at the network behind a loss: `layer_health(nn.cross_entropy(model(x), y), optimizer)`.

    Runs the backward pass of `loss`, and computes the optimizer's next step without taking it.
    Gradients and the optimizer are left as they were. ValueError unless the loss has one element.
    """
    kept = [(p, p.grad) for p in optimizer.parameters]
    steps = optimizer.steps
    try:
        optimizer.zero_grad()
        loss.backward()
        order = topological_order(loss)
        names = {p: p.label or f"parameter {i}" for i, p in enumerate(optimizer.parameters)}
        activations = tuple(_activations(order))
        weights = tuple(
            Weights(
                names[p], _ratio(p.grad, p.data), _ratio(new - p.data, p.data), _histogram(p.grad)
            )
            for p, (new, _) in zip(optimizer.parameters, optimizer._moves(), strict=True)
            if np.ndim(p.data) >= 2
        )
    finally:
        optimizer.steps = steps
        for p, gradient in kept:
            p.grad = gradient
    return Health(activations, weights)


def _activations(order: list[Any]) -> Iterator[Activations]:
    """Of every tanh, sigmoid and ReLU of arrays, numbered from 1."""
    kinds = {"tanh": "tanh", "σ": "sigmoid", "ReLU": "ReLU"}
    found = [n for n in order if n.operands and n.symbol in kinds and np.ndim(n.data) >= 2]
    for i, node in enumerate(found, 1):
        kind, data = kinds[node.symbol], node.data
        centred = 2 * data - 1 if kind == "sigmoid" else data
        units = data.reshape(-1, data.shape[-1])
        yield Activations(
            name=f"layer {i} ({kind})",
            saturated=0.0 if kind == "ReLU" else float((np.abs(centred) > SATURATED).mean()),
            dead=float((units == 0).all(axis=0).mean()) if kind == "ReLU" else 0.0,
            mean=float(data.mean()),
            deviation=float(data.std()),
            gradient_deviation=float(np.std(node.grad)),
            histogram=_histogram(data),
            gradients=_histogram(node.grad),
        )


def _ratio(part: Any, whole: Any) -> float:
    deviation = float(np.std(whole))
    return float(np.std(part)) / deviation if deviation else math.inf


def _histogram(array: Any) -> tuple[Array, Array]:
    finite = np.asarray(array)[np.isfinite(array)]
    counts, edges = np.histogram(finite, BINS)
    return counts, edges


def _of_activations(layers: tuple[Activations, ...]) -> Iterator[str]:
    for layer in layers:
        if layer.saturated > MANY:
            yield (
                f"{layer.saturated:.0%} of {layer.name} is saturated: start with smaller weights, "
                "or normalise its inputs"
            )
        if layer.dead > MANY:
            yield (
                f"{layer.dead:.0%} of the units of {layer.name} are dead, 0 for every sample: use "
                "a smaller learning rate or a start with other biases"
            )
    if len(layers) > 1:
        first, last = layers[0], layers[-1]
        if first.gradient_deviation < SHRUNK * last.gradient_deviation:
            yield (
                f"the gradient vanishes: its deviation is {first.gradient_deviation:.0e} in "
                f"{first.name} and {last.gradient_deviation:.0e} in {last.name}; start with larger "
                "weights, or use ReLU or normalisation"
            )
        if last.gradient_deviation < SHRUNK * first.gradient_deviation:
            yield (
                f"the gradient explodes: its deviation is {last.gradient_deviation:.0e} in "
                f"{last.name} and {first.gradient_deviation:.0e} in {first.name}; start with "
                "smaller weights, or clip gradients"
            )


def _of_weights(layers: tuple[Weights, ...]) -> Iterator[str]:
    for layer in layers:
        is_low = layer.log_update < LOW and layer.gradient_to_data > ALIVE
        if is_low or layer.log_update > HIGH:
            cure = "raise" if is_low else "lower"
            size = f"{layer.update_to_data:.0e}"
            yield f"updates of {layer.name} are {size} of the weights: {cure} lr"
