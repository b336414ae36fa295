"""What every table of array functions needs: axes written out, and indices as places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.rules.operand_types import Array, Axis


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The axes that are meant, counted from the left; None stands for all."""
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def reduced(shape: tuple[int, ...], axis: Axis, keepdims: bool) -> tuple[int, ...]:
    """The shape of a reduction along these axes."""
    axes = axes_of(axis, len(shape))
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    return tuple(n for i, n in enumerate(kept) if keepdims or i not in axes)


def brought_last(shape: tuple[int, ...], axis: Axis) -> tuple[list[int], tuple[int, ...]]:
    """An order with the reduced axes at the end, and the shape with these as one axis."""
    axes = axes_of(axis, len(shape))
    others = [i for i in range(len(shape)) if i not in axes]
    lengths = (*(shape[i] for i in others), math.prod(shape[i] for i in axes))
    return [*others, *axes], lengths


def places(index: Any, shape: tuple[int, ...]) -> Array:
    """Where the elements of x[index] stand in x, laid out flat: NumPy's own answer, so that every
    library can take its elements by number."""
    return np.array(np.arange(math.prod(shape)).reshape(shape)[index], order="C")


def with_new_axes(shape: tuple[int, ...], axis: int | tuple[int, ...]) -> tuple[int, ...]:
    """The shape with new axes of length 1."""
    return np.expand_dims(np.empty(shape, bool), axis).shape


def without_axes(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape without axes of length 1."""
    return np.empty(shape, bool).squeeze(axis).shape


def window_places(shape: tuple[int, ...], windows: dict[str, tuple[int, ...]]) -> Array:
    """Where the elements of all windows over the last axes stand in an array of this shape, laid
    out flat; the size of the array for those in the padding."""
    n = len(windows["stride"])
    lengths, sizes = shape[len(shape) - n :], windows["shape"]
    inside, place = np.ones((), bool), np.zeros((), int)
    for i, (length, size) in enumerate(zip(lengths, sizes, strict=True)):
        step, end, apart = (windows[name][i] for name in ("stride", "padding", "dilation"))
        count = (length + 2 * end - apart * (size - 1) - 1) // step + 1
        index = np.arange(count)[:, None] * step + np.arange(size) * apart - end
        axes = [j for j in range(2 * n) if j % n != i]
        index = np.expand_dims(index, tuple(axes))
        inside = inside & (index >= 0) & (index < length)
        place = place * length + index
    outer = np.arange(math.prod(shape[: len(shape) - n])).reshape(shape[: len(shape) - n])
    every = outer.reshape(outer.shape + (1,) * (2 * n)) * math.prod(lengths) + place
    return np.where(inside, every, math.prod(shape))
