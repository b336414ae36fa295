"""NumPy's functions of arrays, for rules; two calls that every network makes take a shorter way."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES
from tinygrad_edu.rules.tables import add_arrays

# Small arrays spend more time in a call than in arithmetic; figures are for 30 × 30 float32.


def _choose(condition: Any, x: Any, y: Any) -> Any:
    """np.where, with a constant as an array: 3.2 instead of 6.4 µs."""
    if type(x) is float and type(y) is np.ndarray:
        if x == 0.0 and y.size >= 2000 and y.dtype.itemsize in (4, 8) and y.dtype.kind == "f":
            return _zeros_where(condition, y)
        x = np.array(x, y.dtype)
    elif type(y) is float and type(x) is np.ndarray:
        y = np.array(y, x.dtype)
    return np.where(condition, x, y)


def _zeros_where(condition: Any, y: Any) -> Any:
    """y with zeros: its bits, and a mask of all ones or none.

    np.where stumbles over every truth that it could not foresee: for 100 × 50 random ones it takes
    28 µs and this 10.
    """
    whole = np.dtype(f"i{y.dtype.itemsize}")
    mask = (np.asarray(condition, bool).view(np.int8) - np.int8(1)).astype(whole)
    return (y.view(whole) & mask).view(y.dtype)


def _matmul(x: Any, y: Any) -> Any:
    """np.matmul; the product of two matrices is also their dot, 2.9 instead of 3.6 µs."""
    try:
        both_are_matrices = x.ndim == 2 == y.ndim
    except AttributeError:  # a number, which NumPy refuses in its own words
        both_are_matrices = False
    return x.dot(y) if both_are_matrices else np.matmul(x, y)


def _contract(subscripts: str, *operands: Any) -> Any:
    """np.einsum; large ones are multiplied two by two, and two as matrices, where that pays.

    NumPy does it only if asked, since finding the order takes 0.1 ms: so long as 10 000 products.
    """
    inputs, _, output = subscripts.partition("->")
    names = inputs.split(",")
    lengths: dict[str, int] = {}
    for letters, x in zip(names, operands, strict=True):
        lengths.update(zip(letters, x.shape, strict=False))
    large = math.prod(lengths.values()) > 10_000
    two = len(operands) == 2 and all(x.dtype.kind == "f" for x in operands)
    if large and two and _product_of_matrices(*names, output) is not None:
        return _multiplied(names[0], names[1], output, operands[0], operands[1], lengths)
    return np.einsum(subscripts, *operands, optimize=large and len(operands) > 2)


@functools.lru_cache(maxsize=256)
def _product_of_matrices(left: str, right: str, output: str) -> tuple[str, str, str, str] | None:
    """The letters of an einsum of two operands by what they are in a matrix product: those of both
    and the output (a product for each), of rows, summed, and of columns. None if it is none."""
    each = "".join(c for c in left if c in right and c in output)
    rows = "".join(c for c in left if c not in right)
    summed = "".join(c for c in left if c in right and c not in output)
    columns = "".join(c for c in right if c not in left)
    once = all(len(set(letters)) == len(letters) for letters in (left, right))
    whole = set(each + rows + columns) == set(output)
    return (each, rows, summed, columns) if once and whole else None


def _multiplied(left: str, right: str, output: str, x: Any, y: Any, lengths: dict[str, int]) -> Any:
    """An einsum of two operands as a matrix product: ten times as fast for a convolution.

    What overlaps in memory, as windows do, is copied for it, one slice after the other: a copy of
    all is new memory at every call, which takes as long as the product.
    """
    larger, own = max((x, left), (y, right), key=lambda pair: pair[0].size)
    letter = own[0]
    if larger.ndim > 2 and larger.size > 50_000 and not larger.flags.c_contiguous:
        one, other, both = (text.replace(letter, "") for text in (left, right, output))
        parts = (
            _multiplied(
                one, other, both, _sliced(x, left, letter, i), _sliced(y, right, letter, i), lengths
            )
            for i in range(lengths[letter])
        )
        if letter not in output:
            return functools.reduce(operator.iadd, parts)
        whole = np.empty([lengths[c] for c in output], np.result_type(x, y))
        for i, part in enumerate(parts):
            _sliced(whole, output, letter, i)[...] = part
        return whole
    groups = _product_of_matrices(left, right, output)
    assert groups is not None
    each, rows, summed, columns = groups
    product = _matmul(
        _as_matrices(x, left, (each, rows, summed)), _as_matrices(y, right, (each, summed, columns))
    )
    found = each + rows + columns
    return product.reshape([lengths[c] for c in found]).transpose([found.index(c) for c in output])


def _sliced(array: Any, own: str, letter: str, i: int) -> Any:
    """One slice along the axis of a letter, if the array has it."""
    return array[(slice(None),) * own.index(letter) + (i,)] if letter in own else array


def _as_matrices(array: Any, own: str, groups: tuple[str, str, str]) -> Any:
    """An array with its axes in three groups, of which the first may be empty. If it is copied for
    that, then along the longest run in memory: for windows, a quarter of the time."""
    each, rows, columns = groups
    runs = [array.shape[own.index(c[-1])] * (array.strides[own.index(c[-1])] == array.itemsize)
            if c else 0 for c in (rows, columns)]  # fmt: skip
    turn = runs[0] > runs[1]
    groups = (each, columns, rows) if turn else groups
    order = [own.index(c) for letters in groups for c in letters]
    shape = [math.prod(array.shape[own.index(c)] for c in letters) for letters in groups]
    found = array.transpose(order).reshape(shape if each else shape[1:])
    return found.swapaxes(-1, -2) if turn else found


def _scatter(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros with x added at an index: what indexing has for an adjoint, and NumPy has not."""
    y = np.zeros(shape, dtype=x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, np.ndarray) and i.dtype != bool for i in parts):
        np.add.at(y, index, x)  # an integer array may name an element more than once
    else:
        y[index] = x
    return y


def _sliding_view(
    x: Any,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Any:
    """All windows of a shape over the last axes, as a view of x or of a copy with a border of 0."""
    n = len(shape)
    if any(padding):
        ends = (0,) * (x.ndim - n) + padding
        bordered = np.zeros([k + 2 * end for k, end in zip(x.shape, ends, strict=True)], x.dtype)
        inside = tuple(slice(end, end + k) for k, end in zip(x.shape, ends, strict=True))
        bordered[inside] = x
        x = bordered
    reach = [(k - 1) * step + 1 for k, step in zip(shape, dilation, strict=True)]
    every = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(-n, 0)))
    steps: Any = (..., *(slice(None, None, step) for step in (*stride, *dilation)))
    return every[steps]


def _overlap_sum(
    x: Any,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Any:
    """An array of the given shape, with each window added where it lies: an element of several
    windows gets the sum of all."""
    n = len(stride)
    counts, sizes = x.shape[-2 * n : -n], x.shape[-n:]
    ends = (0,) * (len(shape) - n) + padding
    y = np.zeros([k + 2 * end for k, end in zip(shape, ends, strict=True)], x.dtype)
    for place in np.ndindex(*sizes):  # one element of all windows at a time
        starts = [i * step for i, step in zip(place, dilation, strict=True)]
        steps = zip(starts, stride, counts, strict=True)
        taken: Any = (..., *(slice(i, i + s * (k - 1) + 1, s) for i, s, k in steps))
        y[taken] += x[(..., *place)]
    return y[tuple(slice(end, end + k) for k, end in zip(shape, ends, strict=True))]


def elementwise_function(name: str, of_numbers: Any) -> Any:
    """NumPy's function of a name; where it has none, such as erf, the one of numbers for each. So
    are the functions of a user's rules: NumPy may mean something else by their names."""
    if is_ours(RULES[name]) and hasattr(np, name):
        return getattr(np, name)

    def number_by_number(*xs: Any) -> Any:
        return np.vectorize(of_numbers, otypes=[np.result_type(*xs, 1.0)])(*xs)

    return number_by_number


# Reductions are called with an `axis` always, and so can be the ufuncs' own, which take half as
# long as `np.sum` on small arrays.
add_arrays(
    np.ndarray, np.generic,
    power=operator.pow, where=_choose, mean=np.mean, cumsum=np.cumsum,
    sum=np.add.reduce, max=np.maximum.reduce, min=np.minimum.reduce, prod=np.multiply.reduce,
    matmul=_matmul, einsum=_contract, reshape=np.reshape, transpose=np.transpose,
    broadcast_to=np.broadcast_to, concatenate=np.concatenate, stack=np.stack, put=_scatter,
    windows=_sliding_view, add_windows=_overlap_sum,
)  # fmt: skip
