"""How good predictions of classes are, as plain numbers without a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.operand_types import Array


def accuracy(prediction: Any, labels: Any, *, ignore_index: int | None = None) -> float:
    """The part of the samples whose largest score is at their label, from 0 to 1.

    `prediction` is class scores, a Tensor or an array of shape (..., classes), or class indices, an
    integer array of shape (...), as the labels are. Samples with the label `ignore_index` do not
    count. ValueError for shapes that do not fit, or no sample.
    """
    classes, labels = _classes_and_labels("accuracy", prediction, labels)
    kept = np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    if not kept.any():
        raise ValueError(f"accuracy: none of the {labels.size} samples counts; give at least one")
    return float((classes == labels)[kept].mean())


def confusion_matrix(prediction: Any, labels: Any, *, classes: int | None = None) -> Array:
    """How often each label (row) was predicted as each class (column): integers.

    `prediction` and `labels` are as in `accuracy`. Without `classes` their number is that of the
    scores, or as many as occur. IndexError for a label out of range.
    """
    predicted, labels = _classes_and_labels("confusion_matrix", prediction, labels)
    if classes is None:
        scores = np.shape(getattr(prediction, "data", prediction))
        most = max(int(x.max(initial=-1)) for x in (predicted, labels)) + 1
        classes = scores[-1] if len(scores) > labels.ndim else most
    for name, x in (("label", labels), ("prediction", predicted)):
        wrong = (x < 0) | (x >= classes)
        if wrong.any():
            raise IndexError(
                f"confusion_matrix: {name} {x[wrong][0]} is out of range for {classes} classes, 0 "
                f"to {classes - 1}"
            )
    places = labels.ravel() * classes + predicted.ravel()
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)


def _classes_and_labels(operation: str, prediction: Any, labels: Any) -> tuple[Array, Array]:
    """The predicted classes, and the labels, both integers of one shape."""
    scores = np.asarray(prediction.data if isinstance(prediction, Node) else prediction)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{operation}: the labels are of dtype {labels.dtype}; use integers")
    if scores.shape[:-1] == labels.shape and scores.ndim == labels.ndim + 1 and scores.shape[-1]:
        return scores.argmax(axis=-1), labels
    if scores.shape == labels.shape and scores.dtype.kind in "iu":
        return scores, labels
    raise ValueError(
        f"{operation}: predictions of shape {scores.shape}, {scores.dtype}, and labels of shape "
        f"{labels.shape}; give scores of shape {(*labels.shape, 'classes')} or class indices of "
        f"shape {labels.shape}"
    )
