"""How each rule over arrays may be called on an array of a given shape, for random graphs.

A maker gives the operands after the first and the settings, or None if the rule does not fit.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def reduced(d: Any, x: Any, first: Any) -> Any:
    axes = [None] if not x.ndim else [None, d.axis(x), tuple(range(x.ndim))[-2:]]
    axis = d.choose(*axes)
    return [], {"axis": axis, **({"keepdims": True} if d.choose(False, True) else {})}


def extreme(d: Any, x: Any, first: Any) -> Any:
    """A smooth maximum has no second element near it; one of whole numbers has exact ties."""
    if d.smooth:
        apart = np.all(np.diff(np.sort(x.ravel())) > 6 * d.spread(first))  # whatever the axis
        return reduced(d, x, first) if apart else None
    return reduced(d, x, first) if d.is_exact(first) else None


def deviation(d: Any, x: Any, first: Any) -> Any:
    """Elements that are all equal have a deviation of 0, where it is not smooth."""
    made = reduced(d, x, first)
    return made if x.size and np.all(np.var(x, axis=made[1]["axis"]) > 0.2) else None


def along(d: Any, x: Any, first: Any) -> Any:
    return ([], {"axis": d.axis(x)}) if x.ndim else None


def distribution_loss(d: Any, x: Any, first: Any) -> Any:
    if not x.ndim:
        return None
    return [d.other(x.shape, (0.1, 4.0))], {"reduction": d.choose("mean", "sum", "none")}


def label_loss(d: Any, x: Any, first: Any) -> Any:
    if not x.ndim:
        return None
    labels = d.draw(hnp.arrays(np.int64, x.shape[:-1], elements=st.integers(0, x.shape[-1] - 1)))
    return [], {"labels": labels, "reduction": d.choose("mean", "sum", "none")}


def matmul(d: Any, x: Any, first: Any) -> Any:
    if not x.ndim:
        return None
    columns, k = d.choose(1, 2, 3), x.shape[-1]
    stack = (2, k, columns) if x.ndim < 3 else (x.shape[0], k, columns)
    return [d.other(d.choose((k, columns), (k,), stack if x.ndim < 4 else (k,)))], {}


def affine(d: Any, x: Any, first: Any) -> Any:
    columns = d.choose(1, 2, 3)
    return ([d.other((x.shape[-1], columns)), d.other((columns,))], {}) if x.ndim else None


def einsum(d: Any, x: Any, first: Any) -> Any:
    n = x.shape[-1] if x.ndim else 0
    known: dict[int, list[Any]] = {
        0: [("...,i->i...", (2,))],
        1: [("i,i->", (n,)), ("i,j->ij", (2,)), ("i->", None), ("i,ij->j", (n, 2))],
        2: [("ij,jk->ik", (n, 2)), ("ij->ji", None), ("ij,j->i", (n,)), ("ij->j", None)],
    }
    options = known.get(
        x.ndim, [("...i,i->...", (n,)), ("i...->...", None), ("...ij->...ji", None)]
    )
    if x.ndim == 2 and x.shape[0] == n:
        options = [*options, ("ii->i", None), ("ii", None)]
    subscripts, shape = d.choose(*options)
    return [] if shape is None else [d.other(shape)], {"subscripts": subscripts}


def reshape(d: Any, x: Any, first: Any) -> Any:
    return [], {"shape": d.choose((-1,), x.shape[::-1], (1, *x.shape), (*x.shape, 1))}


def transpose(d: Any, x: Any, first: Any) -> Any:
    axes = tuple(d.draw(st.permutations(range(x.ndim)[::-1])))
    return [], {"axes": axes} if d.choose(False, True) else {}


def squeeze(d: Any, x: Any, first: Any) -> Any:
    short = [i for i, n in enumerate(x.shape) if n == 1]
    return [], {"axis": d.choose(None, *short)} if short else {}


def expand_dims(d: Any, x: Any, first: Any) -> Any:
    return [], {"axis": d.draw(st.integers(-x.ndim - 1, x.ndim))}


def broadcast_to(d: Any, x: Any, first: Any) -> Any:
    wider = tuple(2 if n == 1 else n for n in x.shape)
    return [], {"shape": d.choose((2, *x.shape), wider, x.shape)}


def joined(d: Any, x: Any, first: Any) -> Any:
    others = [d.other(x.shape) for _ in range(d.choose(1, 2))]
    return (others, {"axis": d.axis(x)}) if x.ndim else None


def stacked(d: Any, x: Any, first: Any) -> Any:
    others = [d.other(x.shape) for _ in range(d.choose(1, 2))]
    return others, {"axis": d.draw(st.integers(-x.ndim - 1, x.ndim))}


def getitem(d: Any, x: Any, first: Any) -> Any:
    if not x.ndim:
        return [], {"index": d.choose(..., None)}
    n = x.shape[0]
    basic = [0, slice(None, None, -1), slice(0, 1), (..., 0), (None, ...), ...,
             slice(min(1, n - 1), None),  # never empty: most rules refuse empty arrays
             (..., slice(None, None, -2)), (slice(None), None)]  # fmt: skip
    rows = np.array(d.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
    chosen = [rows, (..., rows % x.shape[-1]), np.arange(n) % 2 == 0, np.stack([rows] * 2)]
    return [], {"index": d.choose(*basic, *chosen)}


def put(d: Any, x: Any, first: Any) -> Any:
    if not x.ndim:
        return None
    n = x.shape[0]
    rows = d.draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    return [], {"index": np.array(rows), "shape": (n + 1, *x.shape[1:])}


def whole_power(d: Any, x: Any, first: Any) -> Any:
    """A whole exponent takes every base, and is written in other ways by replays."""
    return [d.choose(2.0, 1.0, 3.0)], {}


MAKERS: dict[str, Any] = {
    "sum": reduced, "mean": reduced, "prod": reduced, "max": extreme, "min": extreme,
    "var": reduced, "std": deviation, "logsumexp": reduced, "cumsum": along,
    "softmax": along, "log_softmax": along, "softmax_cross_entropy": distribution_loss,
    "softmax_cross_entropy_of_labels": label_loss, "matmul": matmul, "affine": affine,
    "einsum": einsum, "reshape": reshape, "transpose": transpose, "squeeze": squeeze,
    "expand_dims": expand_dims, "broadcast_to": broadcast_to, "concatenate": joined,
    "stack": stacked, "getitem": getitem, "put": put, "whole_power": whole_power,
}  # fmt: skip
"""Every rule over arrays of the package."""

EXACT = {
    "sum", "prod", "max", "min", "cumsum", "matmul", "affine", "einsum", "reshape", "transpose",
    "squeeze", "expand_dims", "broadcast_to", "concatenate", "stack", "getitem", "put",
    "whole_power",
}  # fmt: skip
"""Those that give whole numbers for whole numbers, without rounding."""
