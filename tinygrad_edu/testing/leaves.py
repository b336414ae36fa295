"""Strategies for inputs: Values, arrays, Tensors, shapes that broadcast."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.operand_types import Array

Shape = tuple[int, ...]
Draw = st.DrawFn

MARGIN = 0.03
"""How far inputs stay from the places they are told to: ten times what a checker moves them."""

SMALLEST = 1e-6
"""The least size of a number that is not 0; numerical derivatives take a smaller one for 0."""

LAYOUTS = ("C", "F", "strided", "reversed", "read-only")
"""How an array may lie in memory: row by row, column by column, every second element of a larger
array, back to front along every axis, or not to be written to."""


def values(
    min_value: float = -10.0,
    max_value: float = 10.0,
    *,
    label: str | st.SearchStrategy[str] = "",
    away_from: Collection[float] = (),
) -> st.SearchStrategy[Value]:
    """Values between two numbers, those that are not 0 at least 1e-6 in size.

    They stay 0.03 away from the numbers in `away_from`, such as the kinks of what is checked.
    `label` is one label or a strategy for labels. ValueError for an empty interval.
    """
    numbers = _numbers(min_value, max_value, away_from, np.dtype(np.float64))
    if isinstance(label, str) and not label:
        return st.builds(Value, numbers)
    labels = st.just(label) if isinstance(label, str) else label
    return st.builds(Value, numbers, label=labels)


def arrays(
    shape: int | Shape | st.SearchStrategy[Shape] | None = None,
    dtype: npt.DTypeLike | st.SearchStrategy[Any] = np.float64,
    *,
    min_value: float = -10.0,
    max_value: float = 10.0,
    away_from: Collection[float] = (),
    distinct: bool = False,
    layouts: Iterable[str] = ("C",),
) -> st.SearchStrategy[Array]:
    """Arrays with elements between two numbers, 0 to 3 axes of length 1 to 4 unless `shape` says.

    Those that are not 0 are at least 1e-6 in size, and stay 0.03 away from the numbers in
    `away_from`. With `distinct`, any two elements are at
    least 0.06 apart, so that max, sort and the like have no ties. `layouts` are some of LAYOUTS.
    ValueError for an unknown layout, an empty interval, or one with no room for distinct elements.
    """
    chosen = tuple(layouts)
    for layout in chosen:
        if layout not in LAYOUTS:
            raise ValueError(f"arrays: no layout {layout!r}; there are {', '.join(LAYOUTS)}")
    if not chosen:
        raise ValueError(f"arrays: layouts is empty; give some of {', '.join(LAYOUTS)}")
    shapes = _shapes(shape)
    dtypes = dtype if isinstance(dtype, st.SearchStrategy) else st.just(np.dtype(dtype))
    _numbers(min_value, max_value, away_from, np.dtype(np.float64))  # refused now, not when drawn

    @st.composite
    def draw_array(draw: Draw) -> Array:
        one_dtype, one_shape = np.dtype(draw(dtypes)), draw(shapes)
        if distinct:
            grid = _grid(min_value, max_value, away_from, math.prod(one_shape))
            elements: st.SearchStrategy[Any] = st.sampled_from(grid)
        else:
            elements = _numbers(min_value, max_value, away_from, one_dtype)
        x = draw(hnp.arrays(one_dtype, one_shape, elements=elements, unique=distinct))
        return laid_out(x, draw(st.sampled_from(chosen)))

    return draw_array()


def tensors(
    shape: int | Shape | st.SearchStrategy[Shape] | None = None,
    dtype: npt.DTypeLike | st.SearchStrategy[Any] = np.float64,
    *,
    label: str = "",
    **options: Any,
) -> st.SearchStrategy[Tensor]:
    """Tensors of what `arrays` draws, their data in the drawn layout; `options` and errors are
    those of `arrays`."""
    drawn = arrays(shape, dtype, **options)

    @st.composite
    def draw_tensor(draw: Draw) -> Tensor:
        x = draw(drawn)
        tensor = draw(st.builds(Tensor, st.just(x), **({"label": st.just(label)} if label else {})))
        if x.dtype == tensor.dtype:  # integers became float64
            tensor._data = x  # a Tensor copies what it is given; this is the layout that was drawn
        return tensor

    return draw_tensor()


def broadcastable_shapes(
    n: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`n` shapes that broadcast with each other; 0 as `min_side` allows empty arrays."""
    return hnp.mutually_broadcastable_shapes(
        num_shapes=n, min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    ).map(lambda shapes: shapes.input_shapes)


def broadcastable_tensors(n: int, **options: Any) -> st.SearchStrategy[tuple[Tensor, ...]]:
    """A tuple of `n` Tensors whose shapes broadcast; `options` are those of `tensors`."""
    if "shape" in options:
        raise TypeError("broadcastable_tensors: shapes are drawn; for given ones use tensors")
    tensors((), **options)  # wrong options are refused now, not when drawn
    return broadcastable_shapes(n).flatmap(
        lambda shapes: st.tuples(*[tensors(shape, **options) for shape in shapes])
    )


def laid_out(x: Array, layout: str) -> Array:
    """The same elements in one of LAYOUTS, in memory of their own."""
    if layout == "F":
        return np.array(x, order="F")
    if layout == "strided":
        wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        view = wide[(slice(None, None, 2),) * x.ndim + (...,)]
        view[...] = x
        return view
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * x.ndim + (...,)
        return np.array(x[backwards], order="C")[backwards]
    x = np.array(x, order="C")
    x.flags.writeable = layout != "read-only"
    return x


def clear_of(x: float, away_from: Collection[float]) -> bool:
    """Whether a number is farther than MARGIN from each of these."""
    return all(abs(x - place) >= MARGIN for place in away_from)


def _numbers(
    low: float, high: float, away_from: Collection[float], dtype: np.dtype[Any]
) -> st.SearchStrategy[float]:
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"no finite numbers from {low} to {high}; min_value is the smaller one")
    if not any(clear_of(low + (high - low) * k / 1000, away_from) for k in range(1001)):
        raise ValueError(
            f"no numbers from {low} to {high} are {MARGIN} away from "
            f"{', '.join(map(str, away_from))}"
        )
    if dtype.kind != "f":
        whole = st.integers(math.ceil(low), math.floor(high))
        return whole.filter(lambda x: clear_of(x, away_from)) if away_from else whole
    drawn = floats_between(low, high, dtype)
    return drawn.filter(lambda x: clear_of(x, away_from)) if away_from else drawn


def floats_between(low: float, high: float, dtype: npt.DTypeLike) -> st.SearchStrategy[float]:
    """Numbers of a dtype in an interval, that are 0 or at least SMALLEST in size."""
    kind: Any = np.dtype(dtype).type
    # 0.1 is not a float32: the interval may only become narrower by rounding its ends
    ends = [kind(low), kind(high)]
    ends[0] = ends[0] if ends[0] >= low else np.nextafter(ends[0], kind(np.inf))
    ends[1] = ends[1] if ends[1] <= high else np.nextafter(ends[1], kind(-np.inf))
    width: Any = 8 * min(np.dtype(dtype).itemsize, 8)
    drawn = st.floats(float(ends[0]), float(ends[1]), width=width, allow_subnormal=False)
    if max(abs(low), abs(high)) <= SMALLEST:
        return drawn
    return drawn.filter(lambda x: x == 0 or abs(x) >= SMALLEST)


def _grid(low: float, high: float, away_from: Collection[float], n: int) -> list[float]:
    """Multiples of a power of two in the interval, at least four times as many as are needed, the
    simplest first."""
    step = 1.0
    while (high - low) / step < 4 * n and step / 2 >= 2 * MARGIN:
        step /= 2
    places = range(math.ceil(low / step), math.floor(high / step) + 1)
    grid = [k * step for k in places if clear_of(k * step, away_from)]
    if len(grid) < n:
        raise ValueError(
            f"arrays: {n} distinct elements, {2 * MARGIN} apart, have no room between {low} and "
            f"{high}; widen min_value and max_value or make the array smaller"
        )
    return sorted(grid, key=lambda x: (x % 1 != 0, abs(x), x < 0))


def _shapes(shape: int | Shape | st.SearchStrategy[Shape] | None) -> st.SearchStrategy[Shape]:
    if shape is None:
        return hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)
    if isinstance(shape, st.SearchStrategy):
        return shape
    return st.just((shape,) if isinstance(shape, int) else tuple(shape))
