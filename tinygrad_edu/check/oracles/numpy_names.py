"""The table for libraries that speak NumPy's language: jax.numpy and autograd.numpy.

What both have under the name of the rule is found by it; the rest stands here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from tinygrad_edu.check.oracles.indices import (
    brought_last,
    places,
    reduced,
    window_places,
    with_new_axes,
    without_axes,
)
from tinygrad_edu.rules.operand_types import Axis


def functions_of(numpy: Any) -> dict[str, Callable[..., Any]]:
    """A function for each rule but softmax and logsumexp, made of those of a module such as
    jax.numpy."""

    def clip(x: Any, min: Any = None, max: Any = None) -> Any:
        low, high = (-np.inf if min is None else min), (np.inf if max is None else max)
        return numpy.clip(x, low, high)

    def broadcast_to(x: Any, shape: Any) -> Any:
        return x * numpy.ones(shape)  # autograd's own takes no new axes

    def where(condition: Any, x: Any, y: Any) -> Any:
        shape = np.broadcast_shapes(*(numpy.shape(a) for a in (condition, x, y)))
        return numpy.where(condition, broadcast_to(x, shape), broadcast_to(y, shape))

    def transpose(x: Any, axes: Any = None) -> Any:
        # autograd 1.9 gives a wrong gradient for axes counted from the end
        return numpy.transpose(x, None if axes is None else [i % x.ndim for i in axes])

    def getitem(x: Any, index: Any) -> Any:
        return numpy.reshape(x, (-1,))[places(index, x.shape)]

    def put(x: Any, index: Any, shape: Any) -> Any:
        where = places(index, shape)
        size = int(np.prod(shape))
        rows = np.arange(size) == where.reshape(-1, 1)  # one-hot: where each element goes
        flat = numpy.reshape(broadcast_to(x, where.shape), (-1,))
        return numpy.reshape(numpy.matmul(flat, rows.astype(float)), shape)

    def windows(x: Any, **settings: Any) -> Any:
        flat = numpy.concatenate((numpy.reshape(x, (-1,)), np.zeros(1)))
        return flat[window_places(x.shape, settings)]

    def add_windows(x: Any, shape: Any, **settings: Any) -> Any:
        where = window_places(shape, {"shape": x.shape[-len(settings["stride"]) :], **settings})
        rows = np.arange(int(np.prod(shape))) == where.reshape(-1, 1)
        flat = numpy.matmul(numpy.reshape(x, (-1,)), rows.astype(float))
        return numpy.reshape(flat, shape)

    return {
        "sigmoid": lambda x: numpy.exp(-numpy.logaddexp(0.0, -x)),
        "softplus": lambda x: numpy.logaddexp(0.0, x),
        "relu": lambda x: numpy.maximum(x, 0.0),
        "leaky_relu": lambda x, negative_slope=0.01: numpy.where(x > 0, x, negative_slope * x),
        "clip": clip, "prod": _prod_of(numpy),
        "affine": lambda x, weight, bias: numpy.matmul(x, weight) + bias,
        "einsum": _einsum_of(numpy), "where": where, "transpose": transpose,
        "broadcast_to": broadcast_to,
        "squeeze": lambda x, axis=None: numpy.reshape(x, without_axes(x.shape, axis)),
        "expand_dims": lambda x, axis: numpy.reshape(x, with_new_axes(x.shape, axis)),
        "concatenate": lambda *xs, axis=0: numpy.concatenate(xs, axis=axis),
        "stack": lambda *xs, axis=0: numpy.stack(xs, axis=axis),
        "getitem": getitem, "put": put, "windows": windows, "add_windows": add_windows,
    }  # fmt: skip


def _prod_of(numpy: Any) -> Callable[..., Any]:
    def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        # factor by factor: a quotient of the product has no derivative at 0
        order, shape = brought_last(x.shape, axis)
        flat = numpy.reshape(numpy.transpose(x, order), shape)
        ones = numpy.ones(shape[:-1])
        product = reduce(operator.mul, (flat[..., i] for i in range(shape[-1])), ones)
        return numpy.reshape(product, reduced(x.shape, axis, keepdims))

    return prod


def _einsum_of(numpy: Any) -> Callable[..., Any]:
    def einsum(*operands: Any, subscripts: str) -> Any:
        # diagonals first: autograd has none in its einsum
        left, arrow, output = subscripts.replace(" ", "").partition("->")
        if "..." not in left:
            once = "".join(c for c in sorted(left) if c != "," and left.count(c) == 1)
            output = output if arrow else once
            pairs = [diagonal(x, t) for x, t in zip(operands, left.split(","), strict=True)]
            operands = tuple(x for x, _ in pairs)
            subscripts = ",".join(term for _, term in pairs) + "->" + output
        return numpy.einsum(subscripts, *operands)

    def diagonal(x: Any, term: str) -> tuple[Any, str]:
        letters = "".join(dict.fromkeys(term))
        if letters == term:
            return x, term
        numbers = np.arange(int(np.prod(x.shape))).reshape(x.shape)
        return numpy.reshape(x, (-1,))[np.einsum(f"{term}->{letters}", numbers)], letters

    return einsum


def cross_entropies(log_softmax: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Both cross-entropies, by a library's logarithm of softmax."""

    def of_distributions(logits: Any, target: Any, reduction: str = "mean") -> Any:
        losses = -(target * log_softmax(logits, axis=-1)).sum(axis=-1)
        if reduction == "none":
            return losses
        return losses.mean() if reduction == "mean" else losses.sum()

    def of_labels(logits: Any, labels: Any, reduction: str = "mean") -> Any:
        target = np.eye(logits.shape[-1])[np.asarray(labels)]
        return of_distributions(logits, target, reduction)

    def of_some_labels(logits: Any, labels: Any, ignore_index: int, reduction: str = "mean") -> Any:
        kept = np.asarray(labels) != ignore_index
        losses = of_labels(logits, np.where(kept, labels, 0), "none") * kept
        if reduction == "none":
            return losses
        return losses.sum() / (kept.sum() if reduction == "mean" else 1)

    return {
        "softmax_cross_entropy": of_distributions,
        "softmax_cross_entropy_of_labels": of_labels,
        "softmax_cross_entropy_of_some_labels": of_some_labels,
    }
