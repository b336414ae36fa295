"""One row per rule: an oracle that knows nothing of our code, and what is agreed on at kinks.

An elementwise row has the same function in mpmath; derivatives come from differentiating that
numerically with 60 digits. Where it may be tried is what `tinygrad_edu.testing` says. A row for
arrays has calls on Tensors with the same call in NumPy; their derivatives are compared with
central differences.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.testing import DOMAINS


@dataclass
class Elementwise:
    oracle: Callable[..., Any]
    kinks: dict[Any, tuple[float, ...]] = field(default_factory=dict)  # operands: derivatives
    settings: dict[str, Any] = field(default_factory=dict)
    domains: Any = ()  # an interval for each operand
    apart: bool = False  # a kink where both operands are equal: keep them apart
    bell: bool = False  # its derivative has exp(-x²): x² overflows, and its rounding counts


@dataclass
class Call:
    """A call on Tensors, the same in NumPy, and the shapes of the operands."""

    ours: Callable[..., Any]
    numpy: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    positive: bool = False


ELEMENTWISE = {
    "add": Elementwise(lambda x, y: x + y),
    "subtract": Elementwise(lambda x, y: x - y),
    "multiply": Elementwise(lambda x, y: x * y),
    "divide": Elementwise(lambda x, y: x / y),
    "negative": Elementwise(lambda x: -x),
    "power": Elementwise(
        mpmath.power,
        kinks={(0.0, 0.0): (0.0, 0.0), (2.0, 0.0): (0.0, float(mpmath.log(2))), (0.0, 1.0): (1, 0)},
    ),
    "abs": Elementwise(abs, kinks={(0.0,): (0.0,)}),
    "exp": Elementwise(mpmath.exp),
    "expm1": Elementwise(mpmath.expm1),
    "log": Elementwise(mpmath.log),
    "log1p": Elementwise(mpmath.log1p),
    "sqrt": Elementwise(mpmath.sqrt),
    "sin": Elementwise(mpmath.sin),
    "cos": Elementwise(mpmath.cos),
    "tan": Elementwise(mpmath.tan),
    "sinh": Elementwise(mpmath.sinh),
    "cosh": Elementwise(mpmath.cosh),
    "tanh": Elementwise(mpmath.tanh),
    "arcsin": Elementwise(mpmath.asin),
    "arccos": Elementwise(mpmath.acos),
    "arctan": Elementwise(mpmath.atan),
    "erf": Elementwise(mpmath.erf, bell=True),
    "erfc": Elementwise(mpmath.erfc, bell=True),
    "gelu": Elementwise(lambda x: x * mpmath.ncdf(x), bell=True),
    "sigmoid": Elementwise(lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": Elementwise(lambda x: mpmath.log(1 + mpmath.exp(x))),
    "relu": Elementwise(lambda x: max(x, 0), kinks={(0.0,): (0.0,)}),
    "leaky_relu": Elementwise(
        lambda x: x if x > 0 else x * mpmath.mpf(0.2),
        kinks={(0.0,): (0.2,)},
        settings={"negative_slope": 0.2},
    ),
    "maximum": Elementwise(max, kinks={(1.5, 1.5): (0.5, 0.5)}),
    "minimum": Elementwise(min, kinks={(1.5, 1.5): (0.5, 0.5)}),
    "clip": Elementwise(
        lambda x: min(max(x, -1), 2),
        kinks={(-1.0,): (1.0,), (2.0,): (1.0,)},
        settings={"min": -1.0, "max": 2.0},
    ),
}  # fmt: skip
"""`where` takes a condition, not an operand of the calculus: it is tried as an array rule."""
for _name, _row in ELEMENTWISE.items():
    _row.domains, _row.apart = DOMAINS[_name].intervals, DOMAINS[_name].ties


def _logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def _softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def _reduction(name, oracle=None, **extra):
    """The calls that every reduction is tried with."""
    oracle = oracle or getattr(np, name)
    cases = [
        ((), {}),
        ((5,), {}),
        ((3, 4), {}),
        ((3, 4), {"axis": 0}),
        ((3, 4), {"axis": -1, "keepdims": True}),
        ((2, 3, 4), {"axis": (0, 2)}),
        ((2, 3, 4), {"axis": 1}),
        ((2, 3, 4), {"axis": (2, 0), "keepdims": True}),
        ((1, 4), {"axis": 0}),
    ]
    return [
        Call(
            lambda x, s=settings: getattr(tg, name)(x, **s, **extra),
            lambda x, s=settings: oracle(x, **s, **extra),
            (shape,),
        )
        for shape, settings in cases
    ]


def _along(name, oracle):
    return [
        Call(
            lambda x, a=axis: getattr(tg, name)(x, axis=a),
            lambda x, a=axis: oracle(x, axis=a),
            (shape,),
        )
        for shape, axis in [((4,), -1), ((3, 4), 1), ((3, 4), 0), ((2, 3, 2), 1)]
    ]


MATMUL_SHAPES = [
    ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((4, 1, 2, 3), (5, 3, 2)),
    ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((0, 3), (3, 2)), ((1, 1), (1, 1)),
]  # fmt: skip

EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
    ("ii,ab->i", (3, 3), (2, 2)), ("...i,...i", (2, 2, 2, 3), (2, 3)),
    ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,j->ij", (2,), (3,)), ("ij,ij->i", (2, 3), (2, 3)),
    ("...ij,...jk->...ik", (5, 2, 3), (1, 3, 4)), ("bi,bj,bk->ijk", (2, 3), (2, 2), (2, 2)),
    ("...i,i->...", (2, 3), (3,)), ("ij,k->i", (2, 3), (2,)), ("iij->j", (2, 2, 3)),
    ("i...->...", (2, 3, 2)), ("iii->i", (2, 2, 2)),
]  # fmt: skip

LABELS = np.array([2, 0, 0, 1])
MASK = np.array([True, False, True])
INDICES = [
    ((4,), 2), ((4,), slice(1, 3)), ((4,), slice(None, None, -2)), ((3, 4), (1, ...)),
    ((3, 4), (..., None, 2)), ((3, 4), (None, slice(0, 2))), ((3, 4), np.array([0, 2, 0, 0])),
    ((3, 4), (np.array([0, 0, 2]), np.array([1, 1, 3]))), ((3, 4), MASK), ((3, 4), (MASK, 1)),
    ((3, 4), ([0, 0], slice(None))), ((3, 4), (slice(None), np.array([[0, 3], [3, 3]]))),
    ((2, 3), np.array([[True, False, True], [False, False, True]])), ((), ...),
    ((3, 4), (np.array([-1, 2]), 0)), ((3, 4), (slice(2, 2),)),
]  # fmt: skip


WINDOWS = [  # shape of the operand, and of the windows, stride, padding, dilation
    ((5,), 2, 1, 0, 1), ((2, 7), (3,), 2, 1, 2), ((4, 5), (2, 3), 1, 0, 1),
    ((2, 5, 6), (3, 2), (2, 1), (1, 0), (1, 2)), ((1, 2, 4, 4), (2, 2), 2, 0, 1),
    ((3, 3, 3), (2, 1, 3), 1, (0, 1, 1), 1),
]  # fmt: skip


def _padded_windows(x, shape, stride, padding, dilation):
    """One window after the other, cut out by its own slices."""
    n = np.size(shape)
    shape, stride, padding, dilation = (
        tuple(np.broadcast_to(s, n)) for s in (shape, stride, padding, dilation)
    )
    x = np.pad(x, [(0, 0)] * (x.ndim - n) + [(p, p) for p in padding])
    reach = [d * (k - 1) + 1 for k, d in zip(shape, dilation, strict=True)]
    counts = [(m - r) // s + 1 for m, r, s in zip(x.shape[-n:], reach, stride, strict=True)]
    y = np.empty((*x.shape[:-n], *counts, *shape))
    for at in np.ndindex(*counts):
        cut = [slice(i * s, i * s + r, d)
               for i, s, r, d in zip(at, stride, reach, dilation, strict=True)]  # fmt: skip
        y[(..., *at, *(slice(None),) * n)] = x[(..., *cut)]
    return y


def _window_sums(x, shape, stride, padding, dilation):
    """Where an element of a window came from gets that element, by the windows of the places."""
    places = np.arange(1, np.prod(shape) + 1).reshape(shape)
    taken = _padded_windows(places, x.shape[-len(stride) :], stride, padding, dilation)
    return np.bincount(taken.ravel().astype(int), x.ravel(), np.prod(shape) + 1)[1:].reshape(shape)


def _put(x, index, shape):
    y = np.zeros(shape)
    np.add.at(y, index, x)
    return y


ARRAYS = {
    "where": [
        Call(lambda x, y: tg.where(MASK, x, y), lambda x, y: np.where(MASK, x, y), ((2, 3), (3,))),
        Call(lambda x: tg.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0.0), ((2, 3),)),
    ],
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "var": _reduction("var") + _reduction("var", ddof=1)[3:5],
    "std": _reduction("std")[1:-1] + _reduction("std", ddof=1)[3:5],
    "max": _reduction("max"),
    "min": _reduction("min"),
    "prod": [
        *_reduction("prod"),
        Call(lambda x: x.prod(axis=0), lambda x: x.prod(axis=0), ((2, 3, 4),)),
    ],
    "logsumexp": _reduction("logsumexp", _logsumexp),
    "cumsum": _along("cumsum", np.cumsum)
    + [Call(lambda x: tg.cumsum(x), lambda x: np.cumsum(x), (s,)) for s in [(), (2, 3)]],
    "softmax": _along("softmax", _softmax),
    "log_softmax": _along("log_softmax", lambda x, axis: np.log(_softmax(x, axis))),
    "softmax_cross_entropy": [
        Call(
            lambda x, t: tg.rules.softmax_cross_entropy(x, t),
            lambda x, t: np.mean(-np.sum(t * np.log(_softmax(x)), axis=-1)),
            (shape, shape),
            positive=True,
        )
        for shape in [(4,), (2, 3), (2, 2, 3)]
    ]
    + [
        Call(
            lambda x, t, r=reduction: tg.rules.softmax_cross_entropy(x, t, reduction=r),
            lambda x, t, f=numpy: f(-np.sum(t * np.log(_softmax(x)), axis=-1)),
            ((2, 3), (2, 3)),
            positive=True,
        )
        for reduction, numpy in [("sum", np.sum), ("none", np.asarray)]
    ],
    "softmax_cross_entropy_of_labels": [
        Call(
            lambda x, r=reduction: tg.rules.softmax_cross_entropy_of_labels(x, LABELS, r),
            lambda x, f=numpy: f(-np.log(_softmax(x))[range(4), LABELS]),
            ((4, 3),),
        )
        for reduction, numpy in [("mean", np.mean), ("sum", np.sum), ("none", np.asarray)]
    ]
    + [
        Call(
            lambda x: tg.rules.softmax_cross_entropy_of_labels(x, np.array(1)),
            lambda x: -np.log(_softmax(x))[1],
            ((3,),),
        ),
        Call(  # of every word of two sentences
            lambda x: tg.rules.softmax_cross_entropy_of_labels(x, np.array([[0, 2, 1], [1, 1, 0]])),
            lambda x: -np.log(_softmax(x))[[[0], [1]], range(3), [[0, 2, 1], [1, 1, 0]]].mean(),
            ((2, 3, 4),),
        ),
    ],
    "softmax_cross_entropy_of_some_labels": [
        Call(
            lambda x, r=reduction: tg.rules.softmax_cross_entropy_of_some_labels(x, LABELS, 0, r),
            lambda x, f=numpy: f(np.array([1, 0, 0, 1]) * -np.log(_softmax(x))[range(4), LABELS]),
            ((4, 3),),
        )
        for reduction, numpy in [
            ("mean", lambda y: y.sum() / 2),
            ("sum", np.sum),
            ("none", np.asarray),
        ]
    ],
    "matmul": [Call(lambda x, y: x @ y, lambda x, y: x @ y, s) for s in MATMUL_SHAPES],
    "affine": [
        Call(lambda x, w, b: tg.rules.affine(x, w, b), lambda x, w, b: x @ w + b, shapes)
        for shapes in [((4, 3), (3, 2), (2,)), ((3,), (3, 2), (2,)), ((2, 4, 3), (3, 2), (1,))]
    ],
    "einsum": [
        Call(
            lambda *xs, s=subscripts: tg.einsum(s, *xs),
            lambda *xs, s=subscripts: np.einsum(s, *xs),
            tuple(shapes),
        )
        for subscripts, *shapes in EINSUM
    ],
    "reshape": [
        Call(lambda x: x.reshape(3, 2), lambda x: x.reshape(3, 2), ((2, 3),)),
        Call(lambda x: x.reshape((-1,)), lambda x: x.reshape(-1), ((2, 3, 2),)),
        Call(lambda x: tg.reshape(x, (1, 1)), lambda x: np.reshape(x, (1, 1)), ((),)),
    ],
    "transpose": [
        Call(lambda x: x.T, lambda x: x.T, ((2, 3),)),
        Call(lambda x: x.transpose(1, 2, 0), lambda x: x.transpose(1, 2, 0), ((2, 3, 4),)),
        Call(lambda x: x.transpose((-1, 0, 1)), lambda x: x.transpose(-1, 0, 1), ((2, 3, 4),)),
    ],
    "squeeze": [
        Call(lambda x: x.squeeze(), lambda x: x.squeeze(), ((1, 3, 1),)),
        Call(lambda x: x.squeeze(axis=-1), lambda x: x.squeeze(axis=-1), ((1, 3, 1),)),
        Call(lambda x: x.squeeze((0, 2)), lambda x: x.squeeze((0, 2)), ((1, 3, 1),)),
    ],
    "expand_dims": [
        Call(lambda x: x.expand_dims(0), lambda x: np.expand_dims(x, 0), ((2, 3),)),
        Call(lambda x: x.expand_dims((-1, 1)), lambda x: np.expand_dims(x, (-1, 1)), ((2, 3),)),
    ],
    "broadcast_to": [
        Call(lambda x: x.broadcast_to((4, 2, 3)), lambda x: np.broadcast_to(x, (4, 2, 3)), (s,))
        for s in [(), (3,), (2, 1), (1, 2, 3)]
    ],
    "concatenate": [
        Call(
            lambda *xs, a=axis: tg.concatenate(list(xs), axis=a),
            lambda *xs, a=axis: np.concatenate(xs, axis=a),
            shapes,
        )
        for axis, shapes in [(0, ((2, 3), (1, 3))), (-1, ((2, 3), (2, 1), (2, 2))), (0, ((3,),))]
    ],
    "stack": [
        Call(
            lambda *xs, a=axis: tg.stack(list(xs), axis=a),
            lambda *xs, a=axis: np.stack(xs, axis=a),
            shapes,
        )
        for axis, shapes in [(0, ((2, 3), (2, 3))), (-1, ((2, 3), (2, 3))), (1, ((3,), (3,)))]
    ],
    "windows": [
        Call(lambda x, s=s: tg.windows(x, *s), lambda x, s=s: _padded_windows(x, *s), (shape,))
        for shape, *s in WINDOWS
    ],
    "add_windows": [
        Call(
            lambda x, s=s: tg.rules.add_windows(x, *s), lambda x, s=s: _window_sums(x, *s), (shape,)
        )
        for shape, *s in [
            ((4, 2), (5,), (1,), (0,), (1,)),
            ((2, 3, 3), (2, 7), (2,), (1,), (2,)),
            ((2, 3, 4, 3, 2), (2, 5, 6), (2, 1), (1, 0), (1, 2)),
        ]
    ],
    "getitem": [Call(lambda x, i=i: x[i], lambda x, i=i: x[i], (shape,)) for shape, i in INDICES],
    "put": [
        Call(
            lambda x, i=i, s=s: tg.rules.put(x, i, s),
            lambda x, i=i, s=s: _put(x, i, s),
            (np.zeros(s)[i].shape,),
        )
        for s, i in INDICES
        if not isinstance(i, list) and not (isinstance(i, tuple) and isinstance(i[0], list))
    ],
}


def operands_for(call, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-2, 2, shape) for shape in call.shapes]
    return [np.abs(a) + 0.1 for a in arrays] if call.positive else arrays


def _calls(others):
    """Each call of each rule for arrays; the first of a rule without the marks of the others."""
    return pytest.mark.parametrize(
        "call",
        [pytest.param(call, id=f"{name}-{i}", marks=others if i else ())
         for name, calls in ARRAYS.items() for i, call in enumerate(calls)],
    )  # fmt: skip


elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
every_call = _calls(others=())
every_rule = _calls(others=pytest.mark.deep)
"""For a law on rules for arrays: without --deep one call of each rule is enough."""
