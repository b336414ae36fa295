"""A network that is trained on its page: a scalar graph of one point, as a JavaScript program."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu import nn, scalar_nn
from tinygrad_edu.data import make_circles, make_moons, make_spirals
from tinygrad_edu.engine.value import Value
from tinygrad_edu.replay import replay
from tinygrad_edu.view.trainer_page.trainer_page import trainer_page_text

MOST_WEIGHTS = 500
"""Weights and biases of the largest network that a page trains at the rate of frames."""
MOST_TRAINED_POINTS = 1000
ACTIVATION_LAYERS: dict[type, str] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}


class DenseLayer(NamedTuple):
    """A layer as plain numbers: the weights of each unit, its bias if there is one."""

    weights: list[list[float]]
    biases: list[float] | None
    activation: str


class Trainer:
    """A network and points in a plane, as a page that trains it: `to_html(trainer, path)`.

    `model` is a `scalar_nn.MLP`, or an `nn.Sequential` of `Linear`, `ReLU`, `Tanh` and `Sigmoid`,
    of two inputs, at most 500 weights and one or two scores. `points` are (N, 2), `labels` (N,)
    are 0 and 1, or -1 and 1. The loss is the cross-entropy of the sigmoid of the score, or of the
    softmax of two. `rate` is the learning rate and `batch_size` the number of points of a step,
    None for all; the reader can change both. The model itself is not changed. TypeError for another
    model; ValueError for other sizes, points or labels.
    """

    def __init__(
        self, model: Any, points: Any, labels: Any, *, rate: float = 0.3,
        batch_size: int | None = None,
    ) -> None:  # fmt: skip
        self.layers = _checked_layers(model)
        self.points, self.labels = _checked_points(points, labels)
        if not 0.001 <= rate <= 10:
            raise ValueError(f"Trainer: rate is {rate!r}; give a rate from 0.001 to 10")
        n = len(self.points)
        if batch_size is not None and not 1 <= batch_size <= n:
            raise ValueError(f"Trainer: batch_size is {batch_size!r}; there are {n} points")
        self.rate, self.batch_size = float(rate), batch_size

    def __repr__(self) -> str:
        widths = "-".join(map(str, [2, *(len(layer.weights) for layer in self.layers)]))
        return f"Trainer({widths}, {len(self.points)} points, rate={self.rate:g})"

    def program(self) -> str:
        """The loss of one point and its gradients, as a function in JavaScript."""
        x, label = [Value(0.5, "x0"), Value(0.5, "x1")], Value(1.0, "label")
        weights = [Value(w, f"w{i}") for i, w in enumerate(_weights_of(self.layers))]
        score = _score(self.layers, iter(weights), x)
        loss = score.softplus() - label * score
        # one by one: V8 does not compile a function that takes a list of hundreds apart
        return replay(loss, [*x, label, *weights], wrt=weights).text("javascript")

    def page(self, title: str = "Training") -> str:
        """The page that trains; `to_html(trainer, path)` writes it."""
        half = min(len(self.points), 200) // 2
        n = 2 * max(half, 1)
        data = {
            "sets": [
                _set("given", self.points, self.labels),
                _set("moons", *make_moons(n)),
                _set("circles", *make_circles(n)),
                _set("spirals", *make_spirals(n)),
            ],
            "layers": [
                {
                    "inputs": len(layer.weights[0]),
                    "outputs": len(layer.weights),
                    "bias": layer.biases is not None,
                    "activation": layer.activation,
                }
                for layer in self.layers
            ],
            "weights": list(_weights_of(self.layers)),
            "rate": self.rate,
            "batch": self.batch_size,
        }
        return trainer_page_text(data, self.program(), title)


def _set(name: str, points: Any, labels: Any) -> dict[str, Any]:
    return {"name": name, "points": points.tolist(), "labels": labels.tolist()}


def _weights_of(layers: list[DenseLayer]) -> Iterator[float]:
    """All weights, unit by unit: those of its inputs, then its bias."""
    for layer in layers:
        for j, weights in enumerate(layer.weights):
            yield from weights
            if layer.biases is not None:
                yield layer.biases[j]


def _score(layers: list[DenseLayer], weights: Iterator[Value], x: list[Any]) -> Any:
    """The score of a point x: of class 1, or the difference of two scores."""
    for layer in layers:
        sums = []
        for unit in layer.weights:
            terms = [next(weights) * xi for xi, _ in zip(x, unit, strict=True)]
            bias = [next(weights)] if layer.biases is not None else []
            sums.append(functools.reduce(operator.add, terms + bias))
        x = sums if layer.activation == "linear" else [getattr(s, layer.activation)() for s in sums]
    return x[0] if len(x) == 1 else x[1] - x[0]


def _checked_layers(model: Any) -> list[DenseLayer]:
    if isinstance(model, scalar_nn.MLP):
        layers = [_of_neurons(layer.neurons) for layer in model.layers]
    elif isinstance(model, nn.Sequential):
        layers = _of_sequential(model)
    else:
        raise TypeError(
            f"Trainer: the model is of type {type(model).__name__}; give a scalar_nn.MLP or an "
            "nn.Sequential of Linear, ReLU, Tanh and Sigmoid"
        )
    if not layers or layers[-1].activation != "linear":
        raise ValueError("Trainer: the model must end in a linear layer, whose scores are logits")
    inputs, outputs = len(layers[0].weights[0]), len(layers[-1].weights)
    if inputs != 2 or outputs not in (1, 2):
        raise ValueError(
            f"Trainer: the model has {inputs} inputs and {outputs} outputs; it must have 2 inputs "
            "and 1 or 2 outputs"
        )
    if (n := len(list(_weights_of(layers)))) > MOST_WEIGHTS:
        raise ValueError(
            f"Trainer: the model has {n} weights; a page trains at most {MOST_WEIGHTS}; make the "
            "layers smaller"
        )
    return layers


def _of_neurons(neurons: list[Any]) -> DenseLayer:
    return DenseLayer(
        [[float(w.data) for w in neuron.w] for neuron in neurons],
        [float(neuron.b.data) for neuron in neurons],
        "relu" if neurons[0].nonlin else "linear",
    )


def _of_sequential(model: nn.Sequential) -> list[DenseLayer]:
    layers: list[DenseLayer] = []
    for layer in model.layers:
        if type(layer) is nn.Linear:
            biases = None if layer.bias is None else layer.bias.data.tolist()
            layers.append(DenseLayer(layer.weight.data.T.tolist(), biases, "linear"))
        elif type(layer) in ACTIVATION_LAYERS and layers and layers[-1].activation == "linear":
            layers[-1] = layers[-1]._replace(activation=ACTIVATION_LAYERS[type(layer)])
        else:
            raise TypeError(
                f"Trainer: the model has a layer {type(layer).__name__} in this place; a page "
                "trains Linear layers, each with at most one of ReLU, Tanh and Sigmoid after it"
            )
    return layers


def _checked_points(points: Any, labels: Any) -> tuple[Any, Any]:
    points, labels = np.asarray(points, np.float64), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"Trainer: the points have shape {points.shape} and the labels {labels.shape}; "
            "expected (N, 2) and (N,)"
        )
    if not 2 <= len(points) <= MOST_TRAINED_POINTS:
        raise ValueError(
            f"Trainer: there are {len(points)} points; give 2 to {MOST_TRAINED_POINTS}"
        )
    if not np.isfinite(points).all():
        raise ValueError("Trainer: a coordinate is nan or infinite; give finite points")
    classes = np.unique(labels).tolist()
    if classes not in ([0, 1], [-1, 1]):
        raise ValueError(
            f"Trainer: the labels are {classes[:5]}; give two classes, 0 and 1 or -1 and 1"
        )
    return points, (labels > 0).astype(np.int64)
