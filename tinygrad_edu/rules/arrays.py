"""Rules for arrays: matrix products, einsum, shapes, joining and indexing."""

from __future__ import annotations

import functools
import math
import operator
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.rules.array_constants import array_from_list, axis_of, unchanging
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.numpy_forms import under_our_names
from tinygrad_edu.rules.operand_types import A
from tinygrad_edu.rules.rule import Recorded, deferred, rule
from tinygrad_edu.rules.tables import of, operations


@rule(
    "@", arrays=True,
    cure="the last axis of the left must be as long as the last but one of the right",
)  # fmt: skip
def matmul(x: A, y: A, /) -> Recorded[A]:
    """The matrix product of the last two axes, for every rank that NumPy's matmul takes.

    (..., n, k) @ (..., k, m) is (..., n, m); a 1-d operand is a row on the left, a column on the
    right. Both adjoints are matrix products, dx = g yᵀ and dy = xᵀ g, made only where wanted.
    ValueError if the inner lengths differ.
    """
    return of(x, y).matmul(x, y), lambda g, x=x, y=y: (
        deferred(_matmul_by_x, g, x, y),
        deferred(_matmul_by_y, g, x, y),
    )


def _matmul_by_x(g: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 == y.ndim:
        return of(g, y).matmul(g, y.T)
    product = of(g, y).matmul(_as_matrix(g, x, y), _swap(y if y.ndim > 1 else y[:, None]))
    return product if x.ndim > 1 else product[..., 0, :]


def _matmul_by_y(g: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 == y.ndim:
        return of(g, x).matmul(x.T, g)
    if y.ndim == 2 < x.ndim:  # one product of the rows of all matrices, not a sum of products
        rows = math.prod(x.shape[:-1])
        flat_x = of(x).reshape(x, (rows, x.shape[-1]))
        flat_g = of(g).reshape(g, (rows, g.shape[-1]))
        return of(g, x).matmul(flat_x.T, flat_g)
    product = of(g, x).matmul(_swap(x if x.ndim > 1 else x[None, :]), _as_matrix(g, x, y))
    return product if y.ndim > 1 else product[..., 0]


@rule(
    "affine", arrays=True, public=False,
    cure="the last axis of the input must be as long as the first of the weight",
)  # fmt: skip
def affine(x: A, weight: A, bias: A, /) -> Recorded[A]:
    """x @ weight + bias: the fully connected layer as one rule, as courses teach it.

    (N, inputs), (inputs, outputs) and (outputs,) give (N, outputs). Adjoints: dx = g weightᵀ,
    dweight = xᵀ g, dbias = Σ g over the samples, which is the un-broadcasting of any sum.
    """
    y = of(x, weight).matmul(x, weight) + bias
    return y, lambda g, x=x, w=weight: (
        deferred(_matmul_by_x, g, x, w),
        deferred(_matmul_by_y, g, x, w),
        g,
    )


def _as_matrix(g: Any, x: Any, y: Any) -> Any:
    """The adjoint of x @ y with the axes that a 1-d operand lost put back."""
    if y.ndim == 1:
        g = g[..., None]
    if x.ndim == 1:
        g = g[..., None, :]
    return g


def _swap(x: Any) -> Any:
    """Swap the last two axes."""
    axes = list(range(x.ndim))
    axes[-2:] = axes[-1], axes[-2]
    return of(x).transpose(x, axes)


@rule("einsum", arrays=True, method=False)
def _einsum(*operands: Any, subscripts: str) -> Recorded[Any]:
    """Einstein summation; see the public `einsum`."""
    inputs, output = _explicit(subscripts, *[x.ndim for x in operands])
    y = of(*operands).einsum(",".join(inputs) + "->" + output, *operands)
    return y, lambda g, operands=operands: tuple(
        deferred(_einsum_adjoint, i, g, operands, inputs, output) for i in range(len(operands))
    )


def einsum(subscripts: str, *operands: Any, optimize: Any = None, **settings: Any) -> Any:
    """Einstein summation such as einsum("ij,jk->ik", x, y), as NumPy's, with the ellipsis.

    The adjoint of an operand is an einsum of g with the other operands. `optimize` is taken and not
    needed: three operands and more are multiplied two by two where that pays. ValueError where the
    subscripts do not fit the operands.
    """
    if not isinstance(subscripts, str):
        raise TypeError('einsum: subscripts come first, as a string such as "ij,jk->ik"')
    if settings:
        settings = under_our_names("einsum", settings, ())
    _at_least_one("einsum", operands)
    if isinstance(operands[0], list | tuple):  # one operand, not a list of them
        operands = (as_plain(operands[0], "einsum"), *operands[1:])
    arrays = [np.asarray(x) if isinstance(x, int | float) else x for x in operands]
    return _einsum(*arrays, subscripts=subscripts, **settings)


vars(operations).update(einsum=einsum)  # NumPy's signature, subscripts first, for everybody


@functools.lru_cache(maxsize=256)
def _explicit(subscripts: str, *ranks: int) -> tuple[tuple[str, ...], str]:
    """Write out the ellipsis and the output: "...j,j" for ranks 2, 1 becomes ("aj", "j"), "a"."""
    spec = subscripts.replace(" ", "")
    left, arrow, output = spec.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(
            f"einsum: {subscripts!r} names {len(inputs)} operands but {len(ranks)} were given"
        )
    free = [c for c in ascii_letters if c not in spec]
    widths = [n - len(s.replace("...", "")) for s, n in zip(inputs, ranks, strict=True)]
    for s, n, width in zip(inputs, ranks, widths, strict=True):
        if width < 0 or (width > 0 and "..." not in s):
            raise ValueError(f"einsum: {s!r} in {subscripts!r} does not fit an operand of {n} axes")
    widest = max([w for s, w in zip(inputs, widths, strict=True) if "..." in s], default=0)
    dots = "".join(free[:widest])
    if not arrow:
        letters = sorted(c for c in set(left) - set(",.") if left.count(c) == 1)
        output = "..." + "".join(letters)
    written = tuple(
        s.replace("...", dots[widest - w :] if w else "")
        for s, w in zip(inputs, widths, strict=True)
    )
    return written, output.replace("...", dots)


def _einsum_adjoint(
    i: int, g: Any, operands: tuple[Any, ...], inputs: tuple[str, ...], output: str
) -> Any:
    """The adjoint of operand i: g and the other operands, summed into its subscripts."""
    names = [output, *inputs[:i], *inputs[i + 1 :]]
    factors = [g, *operands[:i], *operands[i + 1 :]]
    unused = iter(c for c in ascii_letters if c not in "".join(inputs) + output)
    wanted = ""
    for c, n in zip(inputs[i], operands[i].shape, strict=True):
        if c in wanted:  # a diagonal, as in "ii->i": the rest of the matrix is 0
            other = next(unused)
            names.append(c + other)
            factors.append(np.eye(n, dtype=g.dtype))
            wanted += other
        else:
            if not any(c in s for s in names):  # summed away: every element gets the same
                names.append(c)
                factors.append(np.ones(n, dtype=g.dtype))
            wanted += c
    return of(*factors).einsum(",".join(names) + "->" + wanted, *factors)


@rule(
    "reshape", arrays=True, method=False,
    cure="the number of elements must stay the same",
)  # fmt: skip
def reshape(x: A, /, shape: int | tuple[int, ...]) -> Recorded[A]:
    """The same elements in another shape; one length may be -1."""
    return of(x).reshape(x, shape), lambda g, shape=x.shape: (of(g).reshape(g, shape),)


@rule("transpose", arrays=True, method=False)
def transpose(x: A, /, axes: int | tuple[int, ...] | list[int] | None = None) -> Recorded[A]:
    """The axes in another order; without `axes`, reversed."""
    axes = None if axes is None else normalize_axis_tuple(axes, x.ndim)
    y = of(x).transpose(x, axes)
    back = None if axes is None else [int(i) for i in np.argsort(axes)]
    return y, lambda g, back=back: (of(g).transpose(g, back),)


@rule("squeeze", arrays=True)
def squeeze(x: A, /, axis: int | tuple[int, ...] | None = None) -> Recorded[A]:
    """Without the axes of length 1, or without those named. ValueError for a longer axis."""
    axis = axis_of(x, axis)
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    for i in axes:
        if axis is not None and x.shape[i] != 1:
            raise ValueError(f"squeeze: axis {i} of shape {x.shape} has length {x.shape[i]}, not 1")
    gone = {i for i in axes if x.shape[i] == 1}
    shape = tuple(n for i, n in enumerate(x.shape) if i not in gone)
    return of(x).reshape(x, shape), lambda g, shape=x.shape: (of(g).reshape(g, shape),)


@rule("expand_dims", arrays=True)
def expand_dims(x: A, /, axis: int | tuple[int, ...]) -> Recorded[A]:
    """With new axes of length 1 at the places that `axis` names in the result."""
    ndim = x.ndim + (len(axis) if isinstance(axis, tuple | list) else 1)
    new = normalize_axis_tuple(axis, ndim)
    old = iter(x.shape)
    shape = tuple(1 if i in new else next(old) for i in range(ndim))
    return of(x).reshape(x, shape), lambda g, shape=x.shape: (of(g).reshape(g, shape),)


@rule("broadcast", arrays=True)
def broadcast_to(x: A, /, shape: int | tuple[int, ...]) -> Recorded[A]:
    """Repeated along new axes and axes of length 1; the edge back sums over them again."""
    return of(x).broadcast_to(x, shape), lambda g: (g,)


@rule(
    "concatenate", arrays=True, method=False,
    cure="all axes but the joined one must be equally long",
)  # fmt: skip
def concatenate(*operands: Any, axis: int | None = 0) -> Recorded[Any]:
    """Joined along an existing axis; takes one list, as NumPy, or the operands themselves.

    With axis=None all elements are joined in one row.
    """
    _at_least_one("concatenate", operands)
    shapes = [x.shape for x in operands]
    if axis is None:
        operands, axis = tuple(of(x).reshape(x, -1) for x in operands), 0
    y = of(*operands).concatenate(operands, axis=axis)
    ends = [int(end) for end in np.cumsum([x.shape[axis] for x in operands])]
    slices = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
    before = (slice(None),) * (axis % y.ndim)
    return y, lambda g: tuple(
        of(g).reshape(g[(*before, s)], shape) for s, shape in zip(slices, shapes, strict=True)
    )


@rule(
    "stack", arrays=True, method=False,
    cure="all shapes must be equal",
)  # fmt: skip
def stack(*operands: Any, axis: int = 0) -> Recorded[Any]:
    """Joined along a new axis; takes one list, as NumPy, or the operands themselves."""
    _at_least_one("stack", operands)
    y = of(*operands).stack(operands, axis=axis)
    before, places = (slice(None),) * (axis % y.ndim), range(len(operands))
    return y, lambda g: tuple(g[(*before, i)] for i in places)


def _at_least_one(operation: str, operands: tuple[Any, ...]) -> None:
    if not operands:
        raise ValueError(f"{operation}: got no operand; give at least one")


@rule("[ ]", arrays=True, public=False)
def _getitem(x: A, /, index: Any) -> Recorded[A]:
    """x[index] for an index of plain parts; see the public `getitem`."""
    return x[index], lambda g, shape=x.shape: (of(g).put(g, index, shape),)


def getitem(x: A, index: Any) -> A:
    """x[index] with slices, integers, ..., None and integer or boolean arrays or sequences.

    An element taken twice gets the sum of both adjoints. IndexError out of bounds.
    """
    return _getitem(x, index=_plain_index(index))


@rule("put", arrays=True, public=False)
def _put(x: A, /, index: Any, shape: tuple[int, ...]) -> Recorded[A]:
    """Zeros with x added at an index of plain parts; see the public `put`."""
    return of(x).put(x, index, shape), lambda g: (g[index],)


def put(x: A, index: Any, shape: tuple[int, ...]) -> A:
    """Zeros of the given shape with x added at `index`: the adjoint of indexing.

    Repeated indices add up; its own adjoint is indexing.
    """
    return _put(x, index=_plain_index(index), shape=shape)


vars(operations).update(put=put)


def _plain_index(index: Any) -> Any:
    """An index of nothing but integers, slices, ..., None, booleans and arrays.

    Here, before anything is recorded, sequences become arrays of their own, as NumPy has it: so
    elements that are named twice are seen, and later edits do not matter.
    """
    return tuple(map(_plain_part, index)) if isinstance(index, tuple) else _plain_part(index)


def _plain_part(part: Any) -> Any:
    if type(part) is int or part is None or part is Ellipsis or isinstance(part, bool):
        return part
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        return slice(*[None if end is None else operator.index(end) for end in ends])
    if hasattr(part, "_record"):
        raise IndexError("indexing: the index is a node; index with plain integers (.data)")
    try:
        return operator.index(part)
    except TypeError:
        array = array_from_list(part, "indexing")
    if not array.size and not isinstance(part, np.ndarray):
        array = array.astype(int)  # NumPy makes floats of an empty list
    if array.dtype.kind not in "iub":
        raise IndexError(
            f"indexing: an index array is of integers or booleans, not {array.dtype}"
            if array.ndim
            else f"indexing: {part!r} is not a valid index; use integers, slices, ..., None or "
            "arrays of integers or booleans"
        )
    return unchanging(array)
