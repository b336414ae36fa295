"""Arrays of Values, on which the rules for arrays record a graph of scalars.

`Scalars` is what the rule of a matrix product, of a softmax or of a maximum is run on when a Tensor
is opened. NumPy's functions work on it, one element after the other.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.operand_types import Array


class TooManyError(ValueError):
    """The limit is passed."""


class Count:
    """How many scalars exist already; it stops a large graph before it is built."""

    def __init__(self, limit: int, made: int) -> None:
        self.limit = limit
        self.made = made

    def one_more(self) -> None:
        self.made += 1
        self.check(self.made)

    def check(self, number: int) -> None:
        if number > self.limit:
            raise too_many(f"it has more than {self.limit} scalars", self.limit)

    def check_size(self, size: int) -> None:
        """Constants cost time too: 20 times as many numbers as scalars are still quick."""
        if size > 20 * self.limit:
            raise too_many(f"one of its operations runs over {size} numbers", self.limit)


def too_many(what: str, limit: int) -> TooManyError:
    return TooManyError(
        f"open_as_scalars: {what}, and the limit is {limit}; open a Tensor with fewer and smaller "
        "operands (fewer samples, a narrower layer), or give a larger limit"
    )


def objects(x: Any) -> Array:
    """What a rule gave, or a constant, as an array of Values and floats."""
    if isinstance(x, np.ndarray):
        return filled(map(scalar, x.flat), x.shape)
    return filled([scalar(x)], ())


def filled(elements: Iterable[Any], shape: tuple[int, ...]) -> Array:
    """Filled one by one, because NumPy would ask a Value for its own array."""
    return np.fromiter(elements, object, math.prod(shape)).reshape(shape)


def scalar(x: Any) -> Any:
    """One element, as a Value or a float."""
    if isinstance(x, np.ndarray):  # NumPy puts an array of shape () into a place as it is
        x = x[()]
    return x if type(x) is Value else float(x)


def each_element(function: Callable[..., Any], *operands: Any) -> Array:
    """The array of what a function gives for each element of the broadcast operands."""
    arrays = [np.asarray(x, object) for x in operands]
    return objects(np.frompyfunc(function, len(arrays), 1)(*arrays))


def as_scalars(array: Array, made: Count) -> Scalars:
    """The same elements, for NumPy's functions to calculate with; `made` counts what they make."""
    found = array.view(Scalars)
    found.made = made
    return found


class Scalars(np.ndarray[Any, np.dtype[Any]]):
    """An array of Values and floats on which NumPy's functions record the rules of Values.

    NumPy's own loops over objects would do for sums and products, but take a maximum by a
    comparison, which records nothing. Here every calculation goes element by element, and counts.
    """

    made: Any

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, Scalars):
            self.made = getattr(source, "made", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        if method not in ("__call__", "reduce", "accumulate", "at"):
            raise TypeError(f"numpy.{ufunc.__name__}.{method} does not work on scalars")
        if method == "at":
            return _put_together(self.made, ufunc, *inputs)
        arrays = [objects(x) for x in inputs]
        if "d" * ufunc.nin + "->?" in ufunc.types:  # comparisons and the like look at the data
            return getattr(ufunc, method)(*map(_data_of, arrays), **options)
        if ufunc is np.matmul:
            found = _matrix_product(*(as_scalars(x, self.made) for x in arrays))
        elif method == "__call__":
            self.made.check_size(math.prod(np.broadcast_shapes(*(x.shape for x in arrays))))
            found = each_element(lambda *xs: _count_and_apply(self.made, ufunc, *xs), *arrays)
        else:
            if options.get("where", True) is not True or "initial" in options:
                raise TypeError(f"numpy.{ufunc.__name__}: where and initial do not work on scalars")
            fold = _folded_along if method == "reduce" else _accumulated
            found = fold(ufunc, as_scalars(arrays[0], self.made), options)
        if "out" in options:
            options["out"][0][...] = found
            return options["out"][0]
        return as_scalars(objects(found), self.made)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.einsum:  # whose `optimize` is the order of products, not their sum
            return _einstein_sum(self.made, *args)
        return super().__array_function__(function, types, args, kwargs)

    def dot(self, other: Any, out: Any = None) -> Any:
        """As NumPy's for up to two axes, where it is the matrix product."""
        if out is None and 1 <= self.ndim <= 2 and 1 <= np.ndim(other) <= 2:
            return np.matmul(self, other)
        return super().dot(other, out)


def _data_of(array: Array) -> Array:
    """The data of each element."""
    return np.array([float(x) for x in array.flat]).reshape(array.shape)


def _count_and_apply(made: Count, ufunc: np.ufunc, *operands: Any) -> Any:
    """NumPy's function of single numbers; a Value among them turns it into the rule."""
    if any(type(x) is Value for x in operands):
        made.one_more()
    return ufunc(*operands)


def _slices(x: Scalars, axis: Any) -> tuple[list[Any], list[int]]:
    """The slices of an array along one, several or all axes, and which axes these are."""
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    others = [i for i in range(x.ndim) if i not in axes]
    shape = [x.shape[i] for i in others]
    count = math.prod(x.shape[i] for i in axes)
    flat = x.transpose([*others, *sorted(axes)]).reshape(*shape, count)
    return [flat[..., i] for i in range(count)], sorted(axes)


def _folded_along(ufunc: np.ufunc, x: Scalars, options: dict[str, Any]) -> Any:
    """Along one, several or all axes, element after element, as in a + b + c."""
    slices, axes = _slices(x, options.get("axis", 0))
    if slices:
        total = slices[0]
        for part in slices[1:]:
            total = ufunc(total, part)
    elif ufunc.identity is None:
        raise ValueError(f"{ufunc.__name__} of no elements")
    else:
        total = np.full([n for i, n in enumerate(x.shape) if i not in axes], ufunc.identity)
    if options.get("keepdims"):
        return total.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])
    return total


def _accumulated(ufunc: np.ufunc, x: Scalars, options: dict[str, Any]) -> Any:
    """Running sums, or whatever the function makes of two elements, along one axis."""
    slices, axes = _slices(x, options.get("axis", 0))
    totals = list(itertools.accumulate(slices, ufunc))
    return np.stack(totals, axis=axes[0]) if totals else x


def _matrix_product(x: Scalars, y: Scalars) -> Any:
    """All products of a row with a column, added up; a 1-d operand is one row, or one column."""
    rows = x[None, :] if x.ndim == 1 else x
    columns = y[:, None] if y.ndim == 1 else y
    products = rows[..., :, :, None] * columns[..., None, :, :]
    total = np.add.reduce(products, axis=-2)
    if x.ndim == 1:
        total = total[..., 0, :]
    return total[..., 0] if y.ndim == 1 else total


def _einstein_sum(made: Count, subscripts: str, *operands: Any) -> Any:
    """All products, summed over the letters that are not in the output.

    The output is written out and nothing is left to an ellipsis, as in the rule.
    """
    if "->" not in subscripts or "." in subscripts:
        raise TypeError(f'einsum: on scalars {subscripts!r} has to be written out, as "ij,jk->ik"')
    left, _, output = subscripts.replace(" ", "").partition("->")
    letters = output + "".join(sorted(set(left) - set(output + ",")))
    factors = []
    for names, x in zip(left.split(","), operands, strict=True):
        own = "".join(c for c in letters if c in names)
        ordered = np.einsum(f"{names}->{own}", objects(x))  # a diagonal, the axes in order
        spread = ordered[tuple(slice(None) if c in own else None for c in letters)]
        factors.append(as_scalars(spread, made))
    product = functools.reduce(operator.mul, factors)
    return np.add.reduce(product, axis=tuple(range(len(output), len(letters))))


def _put_together(made: Count, ufunc: np.ufunc, target: Array, index: Any, x: Any) -> None:
    """`np.add.at` on zeros: an element put where nothing is yet needs no addition."""
    if ufunc is not np.add:
        raise TypeError(f"numpy.{ufunc.__name__}.at does not work on scalars")
    places = np.arange(target.size).reshape(target.shape)[index]
    for place, element in zip(places.flat, np.broadcast_to(x, places.shape).flat, strict=True):
        where = np.unravel_index(place, target.shape)
        there: Any = target[where]
        target[where] = element if there == 0 else _count_and_apply(made, np.add, there, element)
