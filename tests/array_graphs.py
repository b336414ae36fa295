"""Random graphs of Tensors for Hypothesis, as recipes that can be followed again with other inputs.

Inputs are small whole numbers, so that sums and products are exact whatever their order, and ties
come up. Only where a result is exact may a rule with a kink follow.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, gradients, replay

SMOOTH = {
    "sin": tg.sin, "tanh": tg.tanh, "sigmoid": tg.sigmoid, "softplus": lambda x: tg.softplus(-x),
    "exp": lambda x: tg.exp(-x * x * 0.1), "softmax": lambda x: tg.softmax(x * 0.5),
    "log_softmax": lambda x: tg.log_softmax(x * 0.5, axis=0), "inverse": lambda x: 1 / (x * x + 1),
    "log": lambda x: tg.log(x * x + 1.0), "mean": lambda x: x - x.mean(axis=0, keepdims=True),
    "logsumexp": lambda x: tg.logsumexp(x * 0.5, axis=-1), "var": lambda x: x.var(axis=-1),
}  # fmt: skip
KINKS = {"relu": tg.relu, "abs": tg.abs, "leaky_relu": lambda x: tg.leaky_relu(x, 0.5),
         "clip": lambda x: tg.clip(x, -2.0, 3.0)}  # fmt: skip
EXACT = {
    "negative": lambda x: -x, "square": lambda x: x * x, "power 2": lambda x: x**2,
    "power 1": lambda x: x**1, "power 3": lambda x: (x**3) * 0.125, "double": lambda x: x + x,
    "times 1": lambda x: x * 1.0, "half": lambda x: x * 0.5, "minus itself": lambda x: x - x,
    "from 1": lambda x: 1.0 - x, "shift": lambda x: x + 2, "minus negative": lambda x: 3 - (-x),
}  # fmt: skip
REDUCTIONS = {"sum": tg.sum, "max": tg.max, "min": tg.min, "prod": tg.prod}
BINARY = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y}
JOINS = {"concatenate": tg.concatenate, "stack": tg.stack}


@dataclass
class Recipe:
    """Shapes of the leaves, and steps: what to call, on which earlier results."""

    shapes: list[tuple[int, ...]]
    steps: list[tuple[str, Any, tuple[int, ...]]] = field(default_factory=list)
    ends: list[tuple[int, bool]] = field(default_factory=list)
    second: bool = False

    def inputs(self, seed: int, dtype: Any = np.float64) -> list[Any]:
        rng = np.random.default_rng(seed)
        return [rng.integers(-3, 4, shape).astype(dtype) for shape in self.shapes]

    def follow(self, *leaves: Tensor) -> Tensor:
        """The root: the sum of all ends, some of them weighed."""
        nodes: list[Any] = list(leaves)
        for name, setting, operands in self.steps:
            nodes.append(done(name, setting, [nodes[i] for i in operands]))
        root = None
        for i, weighed in self.ends:
            x = nodes[i]
            end = (x * weights(x.shape, x.dtype)).sum() if weighed else x.sum()
            root = end if root is None else root + end
        if self.second:
            slopes = gradients(root, *leaves)
            root = tg.stack([(g * x * weights(x.shape, x.dtype)).sum()
                             for g, x in zip(slopes, leaves, strict=True)]).sum()  # fmt: skip
        return root


def weights(shape: tuple[int, ...], dtype: Any) -> Any:
    return (np.arange(math.prod(shape)) % 5 - 1.0).reshape(shape).astype(dtype)


def done(name: str, setting: Any, xs: list[Any]) -> Any:
    x = xs[0]
    if name in BINARY:
        return BINARY[name](*xs)
    if name in ("maximum", "minimum", "matmul"):
        return getattr(tg, name)(*xs)
    if name in JOINS:
        return JOINS[name](xs, axis=setting)
    if name in REDUCTIONS:
        return REDUCTIONS[name](x, **setting)
    if name == "transpose":
        return x.transpose(setting)
    if name in ("reshape", "broadcast_to"):
        return getattr(tg, name)(x, setting)
    if name == "getitem":
        return x[setting]
    if name == "cumsum":
        return tg.cumsum(x, axis=setting)
    if name == "where":
        mask = weights(x.shape, float) > 0
        return tg.where(mask, *xs) if len(xs) == 2 else tg.where(mask, *setting(x))
    if name == "by an array":
        return BINARY[setting](x, weights(x.shape, x.dtype))
    if name == "matrix":
        return x @ weights((x.shape[-1], setting), x.dtype)
    return {**SMOOTH, **KINKS, **EXACT}[name](x)


def _with_number(x: Any) -> Any:
    return x, 0.0


def _number_first(x: Any) -> Any:
    return 1.0, x


@st.composite
def recipes(draw: Any, most: int = 10) -> Recipe:
    """A graph over the operations above, its nodes shared; what nothing uses is an end."""
    side = st.integers(1, 3)
    shapes = draw(st.lists(st.lists(side, max_size=3).map(tuple), min_size=1, max_size=3))
    recipe = Recipe(shapes)
    nodes: list[Any] = [Tensor(x) for x in recipe.inputs(0)]
    exact = [True] * len(nodes)

    for _ in range(draw(st.integers(1, most))):
        i = draw(st.integers(0, len(nodes) - 1))
        x = nodes[i]
        if x.ndim > 4 or x.size > 200:
            continue
        step = draw(steps_on(x, i, nodes, exact))
        if step is None:
            continue
        name, _, operands = step
        node = done(name, step[1], [nodes[k] for k in operands])
        if not np.isfinite(node.data).all() or np.abs(node.data).max(initial=0.0) > 1e6:
            continue
        recipe.steps.append(step)
        nodes.append(node)
        exact.append(all(exact[k] for k in operands) and name not in SMOOTH)
    used = {k for _, _, operands in recipe.steps for k in operands}
    ends = [k for k in range(len(nodes)) if k not in used or draw(st.integers(0, 9)) == 0]
    recipe.ends = [(k, draw(st.booleans())) for k in ends]
    recipe.second = all(name not in SMOOTH for name, _, _ in recipe.steps) and draw(st.booleans())
    return recipe


@st.composite
def steps_on(draw: Any, x: Any, i: int, nodes: list[Any], exact: list[bool]) -> Any:
    """One step that fits the node x at place i, or None."""
    whole = st.sampled_from
    kinds = ["smooth", "exact", "exact", "binary", "binary", "constant", "where", "same"]
    kinds += ["kink"] if exact[i] else []
    kinds += ["reduce", "view", "view", "index", "matrix", "cumsum"] if x.ndim else ["reshape 0"]
    kind = draw(whole(kinds))
    axis = draw(st.integers(-x.ndim, x.ndim - 1)) if x.ndim else 0
    if kind == "smooth":
        names = [n for n in SMOOTH if x.ndim or n not in ("softmax", "log_softmax", "mean",
                                                          "logsumexp", "var")]  # fmt: skip
        return draw(whole(names)), None, (i,)
    if kind in ("exact", "kink"):
        return draw(whole(list(EXACT if kind == "exact" else KINKS))), None, (i,)
    if kind == "binary":
        fitting = [k for k, y in enumerate(nodes) if _broadcasts(x, y)]
        j = draw(whole(fitting))
        names = list(BINARY) + (["maximum", "minimum"] if exact[i] and exact[j] else [])
        return draw(whole(names)), None, draw(whole([(i, j), (j, i), (i, i)]))
    if kind == "constant":
        return "by an array", draw(whole(list(BINARY))), (i,)
    if kind == "where":
        same = [k for k, y in enumerate(nodes) if y.shape == x.shape]
        if draw(st.booleans()):
            return "where", None, (i, draw(whole(same)))
        return "where", draw(whole([_with_number, _number_first])), (i,)
    if kind == "same":
        same = [k for k, y in enumerate(nodes) if y.shape == x.shape]
        name = draw(whole(["stack", "concatenate"] if x.ndim else ["stack"]))
        places = tuple(draw(st.lists(whole(same), min_size=1, max_size=3)))
        return name, axis, places
    if kind == "reduce":
        name = draw(whole(list(REDUCTIONS) if exact[i] else ["sum"]))
        all_axes = list(range(x.ndim))
        axes = draw(whole([None, axis, axis, tuple(all_axes[-2:]), (all_axes[0],)]))
        return name, {"axis": axes, "keepdims": draw(st.booleans())}, (i,)
    if kind == "view":
        name = draw(whole(["transpose", "transpose", "reshape", "broadcast_to"]))
        if name == "transpose":
            return name, tuple(draw(st.permutations(range(x.ndim)))), (i,)
        if name == "reshape":
            shapes = [(-1,), x.shape[::-1], (1, *x.shape), (*x.shape, 1), (x.size, 1)]
            return name, draw(whole(shapes)), (i,)
        wider = tuple(2 if n == 1 else n for n in x.shape)
        return name, draw(whole([x.shape, (2, *x.shape), wider])), (i,)
    if kind == "reshape 0":
        return "reshape", draw(whole([(1,), (1, 1), ()])), (i,)
    if kind == "index":
        n = x.shape[0]
        places = np.array(draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
        basic = [0, slice(None, None, -1), slice(0, 1), (..., 0), (None, ...), ..., slice(1, None),
                 (..., slice(None, None, -2)), (slice(None), None)]  # fmt: skip
        chosen = [places, (..., places % x.shape[-1]), np.arange(n) % 2 == 0,
                  np.stack([places, places])]  # fmt: skip
        return "getitem", draw(whole(basic) if draw(st.booleans()) else whole(chosen)), (i,)
    if kind == "matrix":
        fitting = [k for k, y in enumerate(nodes) if _multiplies(x, y)]
        if fitting and draw(st.booleans()):
            return "matmul", None, (i, draw(whole(fitting)))
        return "matrix", draw(st.integers(1, 4)), (i,)
    return "cumsum", axis, (i,)


def _broadcasts(x: Any, y: Any) -> bool:
    pairs = zip(reversed(x.shape), reversed(y.shape), strict=False)
    return all(n == k or 1 in (n, k) for n, k in pairs)


def _multiplies(x: Any, y: Any) -> bool:
    if not (x.ndim and y.ndim) or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        return False
    return _broadcasts(np.empty(x.shape[:-2]), np.empty(y.shape[:-2]))


# --- what a replay is compared with --------------------------------------------------------------


def eager(function: Any, arrays: Any) -> tuple[Any, list[Any]]:
    """Value and gradients from a graph that is made and swept; whole numbers stay plain arrays."""
    leaves = [Tensor(x) if np.asarray(x).dtype.kind == "f" else np.asarray(x) for x in arrays]
    root = function(*leaves)
    root.backward()
    return root.data, [x.grad for x in leaves if isinstance(x, Tensor)]


def assert_same(found: Any, expected: Any, tolerance: float) -> None:
    """The same values and gradients, of the same dtypes and shapes. Tolerance 0: the same bits."""
    (value, gradients), (own, own_gradients) = found, expected
    assert len(gradients) == len(own_gradients)
    for x, y in zip([np.asarray(value, own.dtype), *gradients], [own, *own_gradients], strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        scale = max(1.0, float(np.abs(y).max(initial=0.0)))
        if tolerance:
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * scale)
        else:
            np.testing.assert_array_equal(x, y)


def assert_replays(function: Any, first: Any, *others: Any, tolerance: float = 1e-12) -> Any:
    """Replay a function, recorded with the first inputs, on all of them and on the first again.

    Inputs cannot be written to, and what was handed out is spoiled before the next call.
    """
    replayed = replay(function, first)
    for arrays in (first, *others, first, first):
        given = [np.array(x) for x in arrays]
        for x in given:
            x.flags.writeable = False
        expected = eager(function, arrays)
        found = replayed(*given)
        assert_same(found, expected, tolerance)
        for gradient in found[1]:
            gradient.fill(np.nan)
    return replayed
