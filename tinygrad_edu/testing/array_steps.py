"""How each rule over arrays may be called on an array of a given shape: for random graphs.

A maker gives the operands after the first and the settings, or None if the rule does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.testing.domains import POSITIVE, Interval, R
from tinygrad_edu.testing.drawing import Drawn
from tinygrad_edu.testing.leaves import floats_between
from tinygrad_edu.testing.steps import Place

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Made = tuple[list[Any], dict[str, Any]] | None


@dataclass
class Arrays:
    """A graph of arrays while it is drawn: where new leaves and constants come from."""

    draw: st.DrawFn
    drawn: Drawn
    dtype: np.dtype[Any]

    def choose(self, *options: Any) -> Any:
        """One of these; shrinks to the first."""
        return self.draw(st.sampled_from(options))

    def array(self, shape: Shape, interval: Interval) -> Array:
        """New numbers; whole ones, so that ties come up and sums are exact, or smooth ones."""
        low, high = interval
        elements: st.SearchStrategy[Any]
        if self.drawn.smooth:
            elements = floats_between(low, high, self.dtype)
        else:
            elements = st.integers(math.ceil(low), math.floor(high)).map(float)
        return self.draw(hnp.arrays(self.dtype, shape, elements=elements))

    def leaf(self, shape: Shape, interval: Interval = R) -> Place:
        return self.drawn.add_leaf(self.array(shape, interval))

    def other(self, shape: Shape, interval: Interval = R) -> Any:
        """An operand of this shape: a new leaf, an earlier node, or a constant."""
        kind = self.choose("leaf", "earlier", "constant")
        fitting = self.fitting(lambda x: x.shape == shape and within(x, interval))
        if kind == "earlier" and fitting:
            return self.choose(*fitting)
        return self.array(shape, interval) if kind == "constant" else self.leaf(shape, interval)

    def fitting(self, fits: Callable[[Array], bool]) -> list[Place]:
        """The nodes that fit, the latest first."""
        data = self.drawn.data
        return [Place(i) for i in reversed(range(len(data))) if fits(data[i])]

    def axis(self, x: Array) -> int:
        return int(self.draw(st.sampled_from([*range(x.ndim), *range(-x.ndim, 0)])))


def within(x: Array, interval: Interval) -> bool:
    """Whether all elements lie in the interval."""
    return not x.size or bool(interval[0] <= x.min() and x.max() <= interval[1])


def _reduced(a: Arrays, x: Array, first: Place) -> Made:
    axes = [None] if not x.ndim else [None, a.axis(x), tuple(range(x.ndim))[-2:]]
    axis = a.choose(*axes)
    return [], {"axis": axis, **({"keepdims": True} if a.choose(False, True) else {})}


def _extreme(a: Arrays, x: Array, first: Place) -> Made:
    """A smooth maximum has no second element near it; one of whole numbers has exact ties."""
    made = _reduced(a, x, first)
    assert made is not None
    if not a.drawn.smooth:
        return made if a.drawn.exact_operand(first) else None
    slack = 6 * a.drawn.spread(first)
    values = np.sort(x.ravel())  # apart from all others: whatever the axis
    return None if np.any(np.diff(values) <= slack) else made


def _deviation(a: Arrays, x: Array, first: Place) -> Made:
    """Elements that are all equal have a deviation of 0, where it is not smooth."""
    made = _reduced(a, x, first)
    assert made is not None
    return made if x.size and np.all(np.var(x, axis=made[1]["axis"]) > 0.2) else None


def _along(a: Arrays, x: Array, first: Place) -> Made:
    return ([], {"axis": a.axis(x)}) if x.ndim else None


def _distribution_loss(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return None
    return [a.other(x.shape, POSITIVE)], {"reduction": a.choose("mean", "sum", "none")}


def _label_loss(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return None
    labels = a.draw(hnp.arrays(np.int64, x.shape[:-1], elements=st.integers(0, x.shape[-1] - 1)))
    return [], {"labels": labels, "reduction": a.choose("mean", "sum", "none")}


def _matmul(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return None
    columns = a.draw(st.integers(1, 3))
    k = x.shape[-1]
    stack = (2, k, columns) if x.ndim < 3 else (x.shape[0], k, columns)
    return [a.other(a.choose((k, columns), (k,), stack if x.ndim < 4 else (k,)))], {}


def _affine(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return None
    columns = a.draw(st.integers(1, 3))
    return [a.other((x.shape[-1], columns)), a.other((columns,))], {}


def _einsum(a: Arrays, x: Array, first: Place) -> Made:
    n = x.shape[-1] if x.ndim else 0
    known: dict[int, list[tuple[str, Shape | None]]] = {
        0: [("...,i->i...", (2,))],
        1: [("i,i->", (n,)), ("i,j->ij", (2,)), ("i->", None), ("i,ij->j", (n, 2))],
        2: [("ij,jk->ik", (n, 2)), ("ij->ji", None), ("ij,j->i", (n,)), ("ij->j", None)],
    }
    more = [("...i,i->...", (n,)), ("i...->...", None), ("...ij->...ji", None)]
    options = known.get(x.ndim, more)
    if x.ndim == 2 and x.shape[0] == n:
        options = [*options, ("ii->i", None), ("ii", None)]
    subscripts, shape = a.choose(*options)
    return [] if shape is None else [a.other(shape)], {"subscripts": subscripts}


def _reshape(a: Arrays, x: Array, first: Place) -> Made:
    return [], {"shape": a.choose((-1,), x.shape[::-1], (1, *x.shape), (*x.shape, 1))}


def _transpose(a: Arrays, x: Array, first: Place) -> Made:
    axes = tuple(a.draw(st.permutations(range(x.ndim)[::-1])))
    return [], {"axes": axes} if a.choose(False, True) else {}


def _squeeze(a: Arrays, x: Array, first: Place) -> Made:
    short = [i for i, n in enumerate(x.shape) if n == 1]
    return [], {"axis": a.choose(None, *short)} if short else {}


def _expand_dims(a: Arrays, x: Array, first: Place) -> Made:
    return [], {"axis": a.draw(st.integers(-x.ndim - 1, x.ndim))}


def _broadcast_to(a: Arrays, x: Array, first: Place) -> Made:
    wider = tuple(2 if n == 1 else n for n in x.shape)
    return [], {"shape": a.choose((2, *x.shape), wider, x.shape)}


def _joined(a: Arrays, x: Array, first: Place) -> Made:
    others = [a.other(x.shape) for _ in range(a.draw(st.integers(1, 2)))]
    return (others, {"axis": a.axis(x)}) if x.ndim else None


def _stacked(a: Arrays, x: Array, first: Place) -> Made:
    others = [a.other(x.shape) for _ in range(a.draw(st.integers(1, 2)))]
    return others, {"axis": a.draw(st.integers(-x.ndim - 1, x.ndim))}


def _getitem(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return [], {"index": a.choose(..., None)}
    n = x.shape[0]
    basic = [0, slice(None, None, -1), slice(0, 1), (..., 0), (None, ...), ...,
             slice(min(1, n - 1), None),  # never empty: most rules refuse empty arrays
             (..., slice(None, None, -2)), (slice(None), None)]  # fmt: skip
    places = np.array(a.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
    chosen = [places, (..., places % x.shape[-1]), np.arange(n) % 2 == 0, np.stack([places] * 2)]
    return [], {"index": a.choose(*basic, *chosen)}


def _put(a: Arrays, x: Array, first: Place) -> Made:
    if not x.ndim:
        return None
    n = x.shape[0]
    places = a.draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    return [], {"index": np.array(places), "shape": (n + 1, *x.shape[1:])}


ARRAY_STEPS: dict[str, Callable[[Arrays, Array, Place], Made]] = {
    "sum": _reduced, "mean": _reduced, "prod": _reduced, "max": _extreme, "min": _extreme,
    "var": _reduced, "std": _deviation, "logsumexp": _reduced, "cumsum": _along,
    "softmax": _along, "log_softmax": _along, "softmax_cross_entropy": _distribution_loss,
    "softmax_cross_entropy_of_labels": _label_loss, "matmul": _matmul, "affine": _affine,
    "einsum": _einsum, "reshape": _reshape, "transpose": _transpose, "squeeze": _squeeze,
    "expand_dims": _expand_dims, "broadcast_to": _broadcast_to, "concatenate": _joined,
    "stack": _stacked, "getitem": _getitem, "put": _put,
}  # fmt: skip
"""Every rule over arrays of the package."""

EXACT = frozenset({
    "sum", "prod", "max", "min", "cumsum", "matmul", "affine", "einsum", "reshape", "transpose",
    "squeeze", "expand_dims", "broadcast_to", "concatenate", "stack", "getitem", "put",
})  # fmt: skip
"""Those that give whole numbers for whole numbers, without rounding."""
