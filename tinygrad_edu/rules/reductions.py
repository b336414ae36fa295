"""Rules that reduce along axes: sums, extremes, products, and the softmax family.

`axis` is None (all axes), an integer or a tuple of integers; `keepdims` keeps reduced axes as
axes of length 1. As in NumPy. An array of shape () takes axis 0 and -1 too, as in NumPy's sum.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.rules.array_constants import axis_of
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.operand_types import A, Axis
from tinygrad_edu.rules.rule import RULES, Recorded, deferred, rule
from tinygrad_edu.rules.tables import of, plain_function


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape that keepdims=True gives: reduced axes have length 1."""
    if axis is None:
        return (1,) * len(shape)
    axes = normalize_axis_tuple(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements are reduced into one."""
    return math.prod(n for n, k in zip(shape, _kept(shape, axis), strict=True) if n != k)


def _spread(g: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Give the adjoint of a reduction to every element that was reduced."""
    return of(g).broadcast_to(of(g).reshape(g, _kept(shape, axis)), shape)


@rule("Σ", arrays=True)
def sum(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """The sum along axes; every local derivative is 1."""
    axis = axis_of(x, axis)
    y = of(x).sum(x, axis=axis, keepdims=keepdims)
    return y, lambda g, shape=x.shape: (_spread(g, shape, axis),)


@rule("mean", arrays=True)
def mean(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """The mean along axes; every local derivative is 1 / n. ValueError for no elements."""
    axis = axis_of(x, axis)
    n = _some(x, axis, "mean")
    y = of(x).mean(x, axis=axis, keepdims=keepdims)
    return y, lambda g, shape=x.shape: (_spread(g / n, shape, axis),)


@rule("var", arrays=True)
def var(x: A, /, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Recorded[A]:
    """The mean squared distance from the mean; the divisor is n - ddof.

    ValueError where n - ddof is not positive.
    """
    axis = axis_of(x, axis)
    divisor = _some(x, axis, "var", ddof)
    distance = x - of(x).mean(x, axis=axis, keepdims=True)
    y = of(x).sum(distance * distance, axis=axis, keepdims=keepdims) / divisor
    return y, lambda g, d=distance: (_spread(g * (2.0 / divisor), d.shape, axis) * d,)


@rule("std", arrays=True)
def std(x: A, /, axis: Axis = None, keepdims: bool = False, ddof: int = 0) -> Recorded[A]:
    """The square root of the variance; nan as derivative where all elements are equal."""
    axis = axis_of(x, axis)
    divisor = _some(x, axis, "std", ddof)
    distance = x - of(x).mean(x, axis=axis, keepdims=True)
    y = of(x).sqrt(of(x).sum(distance * distance, axis=axis, keepdims=keepdims) / divisor)
    return y, lambda g, d=distance, y=y: (_spread(g / (y * divisor), d.shape, axis) * d,)


def _some(x: Any, axis: Axis, operation: str, ddof: int = 0) -> int:
    divisor: int = _count(x.shape, axis) - as_plain(ddof, operation)
    if divisor <= 0:
        less = f" minus ddof={ddof}" if ddof else ""
        raise ValueError(
            f"{operation}: shape {x.shape} along axis={axis} has {divisor + ddof} elements{less};"
            " at least 1 must remain"
        )
    return divisor


@rule("max", arrays=True)
def max(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """The largest element along axes; elements that tie share the adjoint evenly."""
    axis = axis_of(x, axis)
    y = of(x).max(x, axis=axis, keepdims=keepdims)
    share = _even_share(x >= of(y).reshape(y, _kept(x.shape, axis)), axis)
    return y, lambda g, share=share: (_spread(g, share.shape, axis) * share.astype(g.dtype),)


@rule("min", arrays=True)
def min(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """The smallest element along axes; elements that tie share the adjoint evenly."""
    axis = axis_of(x, axis)
    y = of(x).min(x, axis=axis, keepdims=keepdims)
    share = _even_share(x <= of(y).reshape(y, _kept(x.shape, axis)), axis)
    return y, lambda g, share=share: (_spread(g, share.shape, axis) * share.astype(g.dtype),)


def _even_share(chosen: Any, axis: Axis) -> Any:
    """1 / k for each of the k chosen elements of a slice, 0 for the others: plain numbers. In a
    slice with a nan none is chosen, and all get nan."""
    k = chosen.sum(axis=axis, keepdims=True) * 1.0
    return chosen / np.where(k > 0, k, math.nan)


@rule("Π", arrays=True)
def prod(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """The product along axes; each local derivative is the product of the others, zeros or not."""
    axis = axis_of(x, axis)
    y = of(x).prod(x, axis=axis, keepdims=keepdims)
    return y, lambda g, x=x: (_spread(g, x.shape, axis) * _product_of_others(x, axis),)


def _product_of_others(x: Any, axis: Axis) -> Any:
    """For each element the product of all others of its slice, without a division by zero.

    The reduced axes become one last axis, and go back to their places afterwards.
    """
    shape = x.shape
    reduced = [i for i, (n, k) in enumerate(zip(shape, _kept(shape, axis), strict=True)) if n != k]
    order = [i for i in range(len(shape)) if i not in reduced] + reduced
    moved = of(x).transpose(x, order)
    n = math.prod(shape[i] for i in reduced)
    rows = of(x).reshape(moved, (*(shape[i] for i in order if i not in reduced), n))
    others = of(x).reshape(_others_of_row(rows), moved.shape)
    return of(x).transpose(others, [int(i) for i in np.argsort(order)])


def _others_of_row(x: Any) -> Any:
    """For each element of the last axis the product of all others.

    The elements are paired, the first half with the second. What an element of a pair lacks is its
    partner and all other pairs: the same question, for half as many elements. So it takes O(n)
    memory, and zeros need no care.
    """
    n = x.shape[-1]
    if n < 2:
        return np.ones(x.shape, x.dtype)
    if n == 2:
        return x[..., ::-1]
    half = n // 2
    first, second = x[..., :half], x[..., half : 2 * half]
    unpaired = [x[..., -1:]] if n % 2 else []
    others = _others_of_row(of(x).concatenate([first * second, *unpaired], axis=-1))
    of_pair = others[..., :half]
    unpaired = [others[..., half:]] if n % 2 else []
    return of(x).concatenate([of_pair * second, of_pair * first, *unpaired], axis=-1)


@rule("cumsum", arrays=True)
def cumsum(x: A, /, axis: int | None = None) -> Recorded[A]:
    """Running sums along an axis, or over the flattened array; the adjoint runs backwards."""
    y = of(x).cumsum(x, axis=axis)

    def pullback(g: Any, shape: tuple[int, ...] = x.shape) -> tuple[Any]:
        along = 0 if axis is None else axis
        back = tuple(slice(None, None, -1) if i == along % g.ndim else slice(None)
                     for i in range(g.ndim))  # fmt: skip
        return (of(g).reshape(of(g).cumsum(g[back], axis=along)[back], shape),)

    return y, pullback


# The forward formulas that NumPy lacks; they only ever see arrays.


@plain_function
def _logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)  # so that -inf - -inf is never formed
    # the log of a sum of vanished exponentials is -inf, and x - top may pass the end of float32
    with np.errstate(divide="ignore", over="ignore"):
        y = np.log(np.add.reduce(np.exp(x - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


@plain_function
def _log_softmax(x: Any, axis: Axis = -1) -> Any:
    shifted = _below_the_top(x, axis)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


@plain_function
def _softmax(x: Any, axis: Axis = -1) -> Any:
    e = np.exp(_below_the_top(x, axis))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


def _below_the_top(x: Any, axis: Axis) -> Any:
    """x minus its maximum, so that no exponential overflows; -inf where float32 ends."""
    with np.errstate(over="ignore"):
        return x - np.maximum.reduce(x, axis=axis, keepdims=True)


@rule("logsumexp", arrays=True)
def logsumexp(x: A, /, axis: Axis = None, keepdims: bool = False) -> Recorded[A]:
    """log Σ exp(x), stable for every x; the local derivatives are softmax(x)."""
    axis = axis_of(x, axis)
    y = of(x).logsumexp(x, axis=axis, keepdims=keepdims)
    # not exp(x - y): y is rounded, and x - y loses its digits where x is large
    return y, lambda g, x=x: (_spread(g, x.shape, axis) * of(x).softmax(x, axis=axis),)


@rule("softmax", arrays=True)
def softmax(x: A, /, axis: Axis = -1) -> Recorded[A]:
    """exp(x) / Σ exp(x), stable for every x; adjoint y (g - Σ g y)."""
    axis = axis_of(x, axis)
    y = of(x).softmax(x, axis=axis)
    return y, lambda g, y=y: (y * (g - of(g, y).sum(g * y, axis=axis, keepdims=True)),)


@rule("log softmax", arrays=True)
def log_softmax(x: A, /, axis: Axis = -1) -> Recorded[A]:
    """x - logsumexp(x), stable for every x; adjoint g - softmax(x) Σ g."""
    axis = axis_of(x, axis)
    y = of(x).log_softmax(x, axis=axis)
    return y, lambda g, y=y: (
        g - of(y).exp(y) * of(g).sum(g, axis=axis, keepdims=True),
    )  # fmt: skip


Reduction = Literal["mean", "sum", "none"]


@rule("cross-entropy", arrays=True, public=False)
def softmax_cross_entropy(logits: A, target: A, /, reduction: Reduction = "mean") -> Recorded[A]:
    """-Σ target · log softmax(logits) along the last axis, averaged over the samples.

    Both operands have shape (..., classes); a row of `target` is a distribution over the classes.
    Softmax, cross-entropy and mean are one rule because together their adjoint is simply
    (softmax - target) · g / n, with no division and no epsilon.
    """
    log_p = of(logits).log_softmax(logits, axis=-1)
    # a class without weight adds nothing, even where its log probability is -inf
    weighed = target * of(target, log_p).where(target > 0, log_p, 0.0)
    losses = -of(weighed).sum(weighed, axis=-1)

    def pullback(g: Any, log_p: Any = log_p, target: Any = target) -> tuple[Any, Any]:
        g = _each(g, log_p.shape, reduction)
        total = of(target).sum(target, axis=-1, keepdims=True)  # 1 for a distribution
        by_logits = (of(log_p).exp(log_p) * total - target) * g
        return by_logits, deferred(lambda: -log_p * g)

    return _reduce(losses, reduction), pullback


@rule("cross-entropy", arrays=True, public=False)
def softmax_cross_entropy_of_labels(
    logits: A, /, labels: Any, reduction: Reduction = "mean"
) -> Recorded[A]:
    """-log softmax(logits)[label], averaged over the samples: `softmax_cross_entropy` for one-hot
    targets, given as class indices of shape (...), which saves the zeros.

    IndexError for a label out of range.
    """
    log_p = of(logits).log_softmax(logits, axis=-1)
    places = of(labels).flat_places(labels, log_p.shape[-1])
    losses = log_p.reshape(-1)[places]
    y = -_reduce(losses.reshape(labels.shape) if reduction == "none" else losses, reduction)

    def pullback(g: Any, log_p: Any = log_p, places: Any = places) -> tuple[Any]:
        one_hot = of(places).one_hot(labels, places, log_p.shape, log_p.dtype)
        return ((of(log_p).exp(log_p) - one_hot) * _each(g, log_p.shape, reduction),)

    return y, pullback


@rule("cross-entropy", arrays=True, public=False)
def softmax_cross_entropy_of_some_labels(
    logits: A, /, labels: Any, ignore_index: int, reduction: Reduction = "mean"
) -> Recorded[A]:
    """`softmax_cross_entropy_of_labels` over the samples with another label than `ignore_index`:
    the others have the loss 0, and do not count in the mean."""
    kept = (labels < ignore_index) | (labels > ignore_index)
    of_labels = RULES["softmax_cross_entropy_of_labels"]
    losses, pullback = of_labels(logits, of(labels).where(kept, labels, 0), "none")
    weight = kept.astype(losses.dtype)
    if reduction == "mean":
        weight = weight / of(weight).sum(weight, axis=None)
    y = losses * weight
    return (y if reduction == "none" else of(y).sum(y, axis=None)), (
        lambda g, pullback=pullback, weight=weight: pullback(g * weight)
    )


@plain_function
def _flat_places(labels: Any, classes: int, by_column: bool = False) -> Any:
    """Where the entries of the labels stand in the flattened table of samples and classes, which
    lies in memory row by row or column by column.

    One flat index takes 1.2 µs to make, with its check, and 0.4 to use; two indices take 1.2.
    """
    flat = labels.ravel()
    try:
        if by_column:
            return np.ravel_multi_index((flat, np.arange(flat.size)), (classes, flat.size))
        return np.ravel_multi_index((np.arange(flat.size), flat), (flat.size, classes))
    except ValueError:
        i = int(np.argmax((flat < 0) | (flat >= classes)))
        raise IndexError(
            f"label {flat[i]} of sample {i} is out of range for {classes} classes, 0 to "
            f"{classes - 1}"
        ) from None


@plain_function
def _one_hot(labels: Any, places: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros with a 1 at the place of each label; the places are known already."""
    rows = np.zeros(math.prod(shape), dtype)
    rows[places] = 1.0
    return rows.reshape(shape)


def _reduce(losses: Any, reduction: Reduction) -> Any:
    if reduction == "none":
        return losses
    total = of(losses).sum(losses, axis=None)
    if reduction == "mean":
        return total / math.prod(losses.shape)
    if reduction == "sum":
        return total
    raise ValueError(f'reduction is {reduction!r}; use "mean", "sum" or "none"')


def _each(g: Any, shape: tuple[int, ...], reduction: Reduction) -> Any:
    """The adjoint of each sample's loss, from that of the reduced loss, to multiply rows with."""
    if reduction == "none":
        return g[..., None]
    return g if reduction == "sum" else g / math.prod(shape[:-1])
