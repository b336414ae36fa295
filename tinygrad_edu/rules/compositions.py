"""NumPy's functions that are made of rules: their derivatives follow from those of the rules.

They take NumPy's arguments. `array` and `reps` in them are NumPy's names, so that `np.tile(x, 2)`
finds its function here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any, overload

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_edu.rules import arrays, elementwise, reductions
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.numpy_forms import under_our_names
from tinygrad_edu.rules.operand_types import Axis
from tinygrad_edu.rules.tables import P, R, operations

COMPOSITIONS: dict[str, Any] = {}
"""Every function of this kind by its name; `methods` are those that nodes have as methods."""

methods: set[str] = set()


@overload
def composition(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def composition(*, method: bool) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def composition(function: Any = None, *, method: bool = True) -> Any:
    """Make a function of arrays an operation, under its name. The first argument becomes a node or
    an array; settings that only NumPy has are refused, or left out where they mean nothing."""
    if function is None:
        return functools.partial(composition, method=method)
    name, known = function.__name__, function.__code__.co_varnames[: function.__code__.co_argcount]

    @functools.wraps(function)
    def operation(x: Any, *more: Any, **settings: Any) -> Any:
        if settings:
            settings = under_our_names(name, settings, known)
        try:
            return function(_as_array(x, name) if method else x, *more, **settings)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            raise TypeError(f"{error}; its settings are {', '.join(known[1:])}") from None

    COMPOSITIONS[name] = operation
    setattr(operations, name, operation)
    if method:
        methods.add(name)
    return operation


def _as_array(x: Any, operation: str) -> Any:
    """A node as it is, a constant as an array."""
    return x if hasattr(x, "_record") else np.asarray(as_plain(x, operation))


def _plain(x: Any) -> Any:
    return x.data if hasattr(x, "_record") else x


# --- elementwise -----------------------------------------------------------------------------


@composition
def square(x: Any) -> Any:
    """x · x, elementwise."""
    return x * x


@composition
def sign(x: Any) -> Any:
    """-1, 0 or 1; the derivative is 0, at 0 too."""
    not_above = elementwise.where(x < 0, -1.0, elementwise.where(x == 0, 0.0, x))  # a nan stays
    return elementwise.where(x > 0, 1.0, not_above)


@composition
def logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)), stable for all numbers."""
    x2 = _as_array(x2, "logaddexp")
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    both = arrays.stack(*(arrays.broadcast_to(x, shape) for x in (x1, x2)))
    return reductions.logsumexp(both, axis=0)


# --- products --------------------------------------------------------------------------------


@composition
def dot(a: Any, b: Any) -> Any:
    """NumPy's dot: Σ a b of rows, the matrix product of matrices, a b beside a single number.

    With more axes it sums over the last of a and the last but one of b.
    """
    b = _as_array(b, "dot")
    if 0 in (np.ndim(a), np.ndim(b)):
        return a * b
    if b.ndim <= 2:
        return arrays.matmul(a, b)
    rows, others = ascii_lowercase[: a.ndim - 1], ascii_uppercase[: b.ndim - 2]
    return arrays.einsum(f"{rows}y,{others}yz->{rows}{others}z", a, b)


@composition
def outer(a: Any, b: Any) -> Any:
    """Every element of a times every element of b, as a table of shape (a.size, b.size)."""
    return arrays.reshape(a, (-1, 1)) * arrays.reshape(_as_array(b, "outer"), -1)


@composition
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal of two axes, `offset` places above the main one."""
    first, second = normalize_axis_tuple((axis1, axis2), a.ndim)
    rest = [i for i in range(a.ndim) if i not in (first, second)]
    matrices = arrays.transpose(a, (*rest, first, second))
    rows, columns = matrices.shape[-2:]
    i = np.arange(max(0, -offset), max(0, -offset, min(rows, columns - offset)))
    return reductions.sum(arrays.getitem(matrices, (..., i, i + offset)), axis=-1)


@composition
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """The length √(Σ x²) of all elements, or of the vectors along an axis, as numpy.linalg.norm.

    `ord` is 1 for Σ |x|, inf for the largest |x|, or any p from 1 up for (Σ |x|^p)^(1/p); "fro" is
    √(Σ x²) of matrices. The derivative of √(Σ x²) is nan where all elements are 0. ValueError for
    other norms of matrices, which need singular values.
    """
    axes = x.ndim if axis is None else np.size(axis)
    if ord is None or (ord == "fro" and axes == 2) or (ord == 2 and axes == 1):
        return elementwise.sqrt(reductions.sum(x * x, axis=axis, keepdims=keepdims))
    if axes != 1 or isinstance(ord, str) or not ord >= 1:
        raise ValueError(
            f'norm: ord={ord!r} over {axes} axes; use None or "fro" for matrices, and a number '
            "from 1 up for vectors"
        )
    size = elementwise.abs(x)
    if ord == math.inf:
        return reductions.max(size, axis=axis, keepdims=keepdims)
    powers = size if ord == 1 else size ** float(ord)
    total = reductions.sum(powers, axis=axis, keepdims=keepdims)
    return total if ord == 1 else total ** (1.0 / ord)


# --- shapes ----------------------------------------------------------------------------------


@composition
def ravel(a: Any) -> Any:
    """All elements in one row."""
    return arrays.reshape(a, -1)


@composition
def flatten(a: Any) -> Any:
    """All elements in one row."""
    return arrays.reshape(a, -1)


@composition
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """With two axes in each other's place."""
    axes = list(range(a.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return arrays.transpose(a, axes)


@composition
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element so many times, one after the other, along an axis, or in one row."""
    if axis is None:
        a, axis = arrays.reshape(a, -1), 0
    axis = normalize_axis_index(axis, a.ndim)
    places = np.repeat(np.arange(a.shape[axis]), as_plain(repeats, "repeat"))
    return arrays.getitem(a, (*(slice(None),) * axis, places))


@composition
def tile(A: Any, reps: int | Sequence[int]) -> Any:  # noqa: N803
    """The whole array so many times along each axis."""
    times = (reps,) if isinstance(reps, int | np.integer) else tuple(reps)
    n = max(len(times), A.ndim)
    times, shape = (1,) * (n - len(times)) + times, (1,) * (n - A.ndim) + A.shape
    apart = arrays.reshape(A, tuple(k for length in shape for k in (1, length)))
    spread = [k for pair in zip(times, shape, strict=True) for k in pair]
    whole = tuple(k * length for k, length in zip(times, shape, strict=True))
    return arrays.reshape(arrays.broadcast_to(apart, tuple(spread)), whole)


@composition
def flip(m: Any, axis: Axis = None) -> Any:
    """In reverse order along all axes, or those named."""
    axes = normalize_axis_tuple(range(m.ndim) if axis is None else axis, m.ndim)
    return arrays.getitem(m, tuple(slice(None, None, -1 if i in axes else None)
                                   for i in range(m.ndim)))  # fmt: skip


_BY_PLACES = ("edge", "reflect", "symmetric", "wrap")


@composition
def pad(array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """With a border: `pad_width` is a number, (before, after), or such a pair for each axis.

    `mode` is "constant", with numbers that are constants of the graph, or one of those that repeat
    elements: "edge", "reflect", "symmetric", "wrap". ValueError for NumPy's other modes.
    """
    widths = [(int(a), int(b)) for a, b in np.broadcast_to(pad_width, (array.ndim, 2))]
    if mode == "constant":
        inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, array.shape, strict=True))
        whole = tuple(a + n + b for (a, b), n in zip(widths, array.shape, strict=True))
        bordered = arrays.put(array, inside, whole)
        if not np.any(constant_values):
            return bordered
        border = np.pad(np.zeros(array.shape), widths, constant_values=constant_values)
        within = np.pad(np.ones(array.shape, bool), widths)
        return elementwise.where(within, bordered, border.astype(_plain(array).dtype))
    if mode not in _BY_PLACES:
        raise ValueError(
            f'pad: mode is {mode!r}; use "constant", {", ".join(map(repr, _BY_PLACES))}'
        )
    for axis, (width, n) in enumerate(zip(widths, array.shape, strict=True)):
        places: Any = np.pad(np.arange(n), width, mode)  # type: ignore[call-overload]
        array = arrays.getitem(array, (*(slice(None),) * axis, places)) if any(width) else array
    return array


@composition
def split(ary: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """A list of parts: so many equal ones, or those that begin at 0 and at the places named."""
    axis = normalize_axis_index(axis, ary.ndim)
    parts = np.split(np.arange(ary.shape[axis]), indices_or_sections)
    before = (slice(None),) * axis
    ends = [int(end) for end in np.cumsum([len(part) for part in parts])]
    starts = [0, *ends[:-1]]
    return [arrays.getitem(ary, (*before, slice(a, b))) for a, b in zip(starts, ends, strict=True)]


@composition(method=False)
def vstack(tup: Sequence[Any]) -> Any:
    """Tables, or rows, one below the other."""
    rows = [_as_array(x, "vstack") for x in tup]
    return arrays.concatenate([arrays.reshape(x, (1, -1)) if x.ndim < 2 else x for x in rows])


@composition(method=False)
def hstack(tup: Sequence[Any]) -> Any:
    """Tables side by side, or rows one after the other."""
    parts = [_as_array(x, "hstack") for x in tup]
    parts = [arrays.reshape(x, -1) if x.ndim == 0 else x for x in parts]
    return arrays.concatenate(parts, axis=0 if parts[0].ndim == 1 else 1)


@composition
def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle of the last two axes, with 0 above the diagonal k."""
    return elementwise.where(_on_or_below(m, k), m, 0.0)


@composition
def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle of the last two axes, with 0 below the diagonal k."""
    return elementwise.where(_on_or_below(m, k - 1), 0.0, m)


def _on_or_below(m: Any, k: int) -> Any:
    """Where a matrix is on or below a diagonal."""
    rows, columns = m.shape[-2:]
    return np.tri(rows, columns, k, bool)


# --- places: plain numbers -------------------------------------------------------------------


@composition
def argmax(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the largest element is, the first of them: plain integers, without a derivative.

    What is done with them is a branch, as with any comparison, and a replay looks at it again.
    """
    top = reductions.max(a, axis=axis, keepdims=True)
    return np.argmax((a >= top) | (a != a), axis=axis, keepdims=keepdims)


@composition
def argmin(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the smallest element is, the first of them: plain integers, as in `argmax`."""
    least = reductions.min(a, axis=axis, keepdims=True)
    return np.argmax((a <= least) | (a != a), axis=axis, keepdims=keepdims)
