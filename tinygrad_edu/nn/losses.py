"""Losses: functions of a prediction and a target. Class scores (logits) are (..., classes)."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from tinygrad_edu import rules
from tinygrad_edu.data import one_hot
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.rules import RULES
from tinygrad_edu.rules.array_constants import unchanging
from tinygrad_edu.rules.reductions import Reduction

_cross_entropy_rule = RULES["softmax_cross_entropy_of_labels"]


def mse_loss(prediction: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """The squared distance (prediction - target)², averaged over all elements.

    ValueError unless both have the same shape: (N, 1) against (N,) would be a table of N × N.
    """
    prediction = _as_tensor(prediction, "mse_loss")
    target = _target(prediction, target, "mse_loss")
    return _reduced_losses((prediction - target) ** 2.0, reduction, "mse_loss")


def cross_entropy(
    logits: Tensor,
    target: Any,
    *,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
) -> Tensor:
    """The cross-entropy of softmax(logits) from the target, one loss per sample, averaged.

    `logits` is (..., classes): (N, classes) for a batch, (N, T, classes) for sequences, (classes,)
    for one sample. `target` is class indices, an integer array of shape (...), or one-hot rows or
    probabilities, of the shape of the logits. Samples with the label `ignore_index` do not count.
    Label smoothing mixes the target with a uniform distribution. ValueError for shapes that do not
    fit, an empty batch, rows that are not a distribution, nan; IndexError for labels out of range.
    """
    shape = _as_tensor(logits, "cross_entropy").data.shape
    if not shape or 0 in shape:
        raise ValueError(
            f"cross_entropy: the logits have shape {shape}; "
            "expected (..., classes) with at least one sample"
        )
    target = _plain_target(target, "cross_entropy")
    if ignore_index is not None:
        return _of_some(logits, target, ignore_index, label_smoothing, reduction)
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
        raise _target_misfit(logits, target)
    if label_smoothing:
        label_smoothing = float(label_smoothing)
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[-1]
    smoothed: Tensor = rules.softmax_cross_entropy(logits, target, reduction)
    return smoothed


def _of_some(
    logits: Tensor, target: Any, ignore_index: int, label_smoothing: float, reduction: Reduction
) -> Tensor:
    """The cross-entropy of the samples that have another label than `ignore_index`."""
    if label_smoothing:
        raise ValueError("cross_entropy: give ignore_index or label_smoothing, not both")
    if target.dtype.kind not in "iu" or target.shape != logits.shape[:-1]:
        raise _target_misfit(logits, target)
    if reduction == "mean" and not (target != ignore_index).any():
        raise ValueError(
            f"cross_entropy: all {target.size} labels are the ignore_index, {ignore_index}; at "
            "least one sample must count"
        )
    return logits._record(
        RULES["softmax_cross_entropy_of_some_labels"],
        (logits,),
        {"labels": unchanging(target), "ignore_index": int(ignore_index), "reduction": reduction},
    )


def _target_misfit(logits: Tensor, target: Any) -> ValueError:
    return ValueError(
        f"cross_entropy: logits of shape {logits.shape} and a {target.dtype} target of shape "
        f"{target.shape}; give integer labels of shape {logits.shape[:-1]}, or one-hot rows or "
        f"probabilities of shape {logits.shape}; the class axis is the last"
    )


def _check_distributions(target: Any) -> None:
    total = target.sum(axis=-1)
    wrong = ~((target >= 0).all(axis=-1) & (abs(total - 1) <= 1e-3))
    if wrong.any():
        row = int(np.argmax(wrong))
        entries = target.reshape(-1, target.shape[-1])[row]
        raise ValueError(
            f"cross_entropy: row {row} of the target sums to {np.ravel(total)[row]:g}, with a "
            f"smallest entry of {entries.min():g}; one-hot rows and probabilities are not negative "
            "and sum to 1"
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
