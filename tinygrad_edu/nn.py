"""Layers and losses over Tensors. A layer is a Module; a loss is a function.

Shapes: a batch is (N, features), class scores (logits) are (N, classes).
"""

from __future__ import annotations

import functools
import math
import numbers
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from tinygrad_edu import rules
from tinygrad_edu.data import generator, one_hot
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.module import Module, check_width, check_widths, label_parameters
from tinygrad_edu.rules import RULES
from tinygrad_edu.rules.array_constants import unchanging
from tinygrad_edu.rules.reductions import Reduction

if TYPE_CHECKING:
    from tinygrad_edu.data import Rng


_affine_rule = RULES["affine"]
_cross_entropy_rule = RULES["softmax_cross_entropy_of_labels"]


class Linear(Module):
    """x @ weight + bias, from (N, inputs) to (N, outputs).

    The weight has shape (inputs, outputs) and starts normal with mean 0 and standard deviation
    √(2 / inputs) for `init="he"` (He et al. 2015, for ReLU) or √(2 / (inputs + outputs)) for
    "glorot" (Glorot & Bengio 2010, for tanh and sigmoid); a number is taken as the deviation
    itself. The bias, shape (outputs,), starts at 0. `rng` is a generator or a seed.
    """

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
        deviation = _start_deviation(init, inputs, outputs)
        start = generator("Linear", rng).normal(0, deviation, (inputs, outputs))
        self.weight = Tensor(start, "weight", dtype)
        self.bias = Tensor(np.zeros(outputs), "bias", dtype) if bias else None

    def __call__(self, x: Any) -> Tensor:
        if self.bias is None:
            return self.weight.__rmatmul__(x)
        return self.weight._record(_affine_rule, (x, self.weight, self.bias), {})


def _start_deviation(init: Any, inputs: int, outputs: int) -> float:
    if init == "he":
        return math.sqrt(2 / inputs)
    if init == "glorot":
        return math.sqrt(2 / (inputs + outputs))
    if isinstance(init, numbers.Real) and 0 <= float(init) < math.inf:
        return float(init)
    raise ValueError(f'Linear: init is {init!r}; use "he", "glorot" or a deviation from 0 up')


class _Activation(Module):
    """An elementwise rule as a layer; an array that the network is given becomes a Tensor."""

    rule: ClassVar[str]

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Node) else Tensor(x)
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


def mse_loss(prediction: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """The squared distance (prediction - target)², averaged over all elements.

    ValueError unless both have the same shape: (N, 1) against (N,) would be a table of N × N.
    """
    prediction = _as_tensor(prediction, "mse_loss")
    target = _target(prediction, target, "mse_loss")
    return _reduced_losses((prediction - target) ** 2.0, reduction, "mse_loss")


def cross_entropy(
    logits: Tensor, target: Any, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    """The cross-entropy of softmax(logits) from the target, one loss per sample, averaged.

    `logits` is (N, classes), or (classes,) for one sample. `target` is class indices, an integer
    array of shape (N,), or one-hot rows or probabilities, of the shape of the logits. Label
    smoothing mixes the target with a uniform distribution. ValueError for shapes that do not fit,
    an empty batch, rows that are not a distribution, nan; IndexError for labels out of range.
    """
    shape = _as_tensor(logits, "cross_entropy").data.shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise ValueError(
            f"cross_entropy: the logits have shape {shape}; "
            "expected (N, classes) with at least one sample"
        )
    target = _plain_target(target, "cross_entropy")
    if target.dtype.kind in "iu" and target.shape == shape[:-1]:
        if not label_smoothing:
            settings = {"labels": unchanging(target), "reduction": reduction}
            return logits._record(_cross_entropy_rule, (logits,), settings)
        target = one_hot(target, shape[-1], dtype=logits.dtype)
    elif target.shape == shape and not isinstance(target, Tensor):
        target = target.astype(logits.dtype)
    _check_reduction(reduction, "cross_entropy")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}; use 0 to 1")
    if target.shape == shape:
        _check_distributions(target.data if isinstance(target, Tensor) else target)
    if target.shape != logits.shape:
        raise ValueError(
            f"cross_entropy: logits of shape {logits.shape} and a {target.dtype} target of shape "
            f"{target.shape}; give integer labels of shape {logits.shape[:-1]}, or one-hot rows or "
            f"probabilities of shape {logits.shape}"
        )
    if label_smoothing:
        label_smoothing = float(label_smoothing)
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[-1]
    smoothed: Tensor = rules.softmax_cross_entropy(logits, target, reduction)
    return smoothed


def _check_distributions(target: Any) -> None:
    total = target.sum(axis=-1)
    wrong = ~((target >= 0).all(axis=-1) & (abs(total - 1) <= 1e-3))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"cross_entropy: row {row} of the target sums to {np.ravel(total)[row]:g}, with a "
            f"smallest entry of {np.min(target[row] if target.ndim > 1 else target):g}; one-hot "
            "rows and probabilities are not negative and sum to 1"
        )


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Any, reduction: str = "mean"
) -> Tensor:
    """-t log σ(x) - (1 - t) log(1 - σ(x)), stable for every x, averaged over all elements.

    ValueError unless shapes are equal and targets lie between 0 and 1.
    """
    name = "binary_cross_entropy_with_logits"
    logits = _as_tensor(logits, name)
    target = _target(logits, target, name)
    plain = target.data if isinstance(target, Tensor) else target
    right = (plain >= 0) & (plain <= 1)
    if not right.all():
        raise ValueError(f"{name}: a target is {plain[~right][0]:g}; it must lie between 0 and 1")
    # -log σ(x) is softplus(-x): no logarithm of a number that was rounded to 0
    loss = target * rules.softplus(-logits) + (1.0 - target) * rules.softplus(logits)
    return _reduced_losses(loss, reduction, name)


def max_margin_loss(scores: Any, labels: Any) -> Any:
    """The mean of max(0, 1 - label · score), for labels -1 and 1.

    `scores` is a Tensor of the shape of the labels, or a list of Values.
    """
    labels = np.asarray(labels)
    right = np.isin(labels, (-1, 1))
    if not right.all():
        raise ValueError(
            f"max_margin_loss: a label is {labels[~right][0]}; labels are -1 or 1; "
            "2 * y - 1 makes them from 0 and 1"
        )
    shape = scores.shape if isinstance(scores, Tensor) else (len(scores),)
    if labels.shape != shape or not labels.size:
        raise ValueError(
            f"max_margin_loss: {shape} scores and {labels.shape} labels; shapes must be equal "
            "and not empty"
        )
    if isinstance(scores, Tensor):
        return rules.relu(1.0 - scores * labels.astype(scores.dtype)).mean()
    losses = [(1.0 - float(y) * score).relu() for y, score in zip(labels, scores, strict=True)]
    return functools.reduce(operator.add, losses) / len(losses)


def _as_tensor(x: Any, operation: str) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{operation}: expected a Tensor first, got {type(x).__name__}; the output of a model "
            "comes first and the target second"
        )
    return x


def _plain_target(target: Any, operation: str) -> Any:
    """A Tensor, or an array of real numbers; TypeError for anything else."""
    if isinstance(target, Tensor):
        return target
    if isinstance(target, Node):
        raise TypeError(f"{operation}: the target is of type {type(target).__name__}; use a Tensor")
    array = np.asarray(target)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{operation}: the target is of dtype {array.dtype}; use real numbers")
    return array


def _target(prediction: Tensor, target: Any, operation: str) -> Any:
    """A plain target in the dtype of the prediction; a Tensor as it is. ValueError for nan, or
    another shape than that of the prediction."""
    array = _plain_target(target, operation)
    if not isinstance(array, Tensor):
        if np.isnan(array).any():
            raise ValueError(f"{operation}: the target contains nan; clean the data first")
        array = array.astype(prediction.dtype)
    if array.shape != prediction.shape:
        raise ValueError(
            f"{operation}: the prediction has shape {prediction.shape} and the target "
            f"{array.shape}; they must be equal, so reshape one of them"
        )
    return array


def _check_reduction(reduction: str, operation: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{operation}: reduction is {reduction!r}; use "mean", "sum" or "none"')


def _reduced_losses(losses: Tensor, reduction: str, operation: str) -> Tensor:
    _check_reduction(reduction, operation)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
