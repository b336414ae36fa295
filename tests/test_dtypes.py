"""float32 stays float32: in values, in gradients, in gradients that are nodes, in replays.

NumPy's promotion is the oracle: a float64 array makes float64. Whole numbers and single numbers,
as operands or as settings, do not.
"""

import numpy as np
import pytest
from rule_table import ELEMENTWISE, elementwise, every_rule, operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradients, replay
from tinygrad_edu.rules import operations, softmax_cross_entropy

X = np.random.default_rng(0).permutation(np.linspace(-1.4, 1.6, 6)).reshape(2, 3)
TRUTHS = np.array([True, False, True])
ONES, ROWS = np.array([1, 0, 2]), np.array([[0, 1, 0], [1, 0, 0]])
NUMBERS = {"int": int, "float": float, "int64": np.int64, "float64": np.float64, "bool": bool}

WITH_ARRAYS = {
    "clip, low": lambda x: tg.clip(x, ONES, None),
    "clip, low and high": lambda x: tg.clip(x, ONES - 2, np.uint8(ONES)),
    "clip, one bound": lambda x: tg.clip(x, np.array(0), np.array(1, np.int8)),
    "clip, truths": lambda x: tg.clip(x, None, TRUTHS),
    "clip, list": lambda x: tg.clip(x, [0, 0, 1]),
    "where": lambda x: tg.where(TRUTHS, x, ONES),
    "where, list": lambda x: tg.where(TRUTHS, [1, 2, 3], x),
    "where, truths": lambda x: tg.where(TRUTHS, x, TRUTHS),
    "maximum": lambda x: tg.maximum(x, ONES), "minimum": lambda x: tg.minimum(ONES, x),
    "power": lambda x: tg.abs(x) ** ONES, "base": lambda x: (ONES + 1) ** x,
    "add": lambda x: x + ONES, "subtract": lambda x: ONES - x, "divide": lambda x: ONES / x,
    "multiply": lambda x: x * TRUTHS, "matmul": lambda x: x @ ROWS.T, "left": lambda x: ROWS.T @ x,
    "affine": lambda x: tg.rules.affine(x, ROWS.T, ONES[:2]),
    "stack": lambda x: tg.stack([ROWS, x, ROWS > 0]),
    "concatenate": lambda x: tg.concatenate([x, ROWS, ROWS > 0]),
    "einsum": lambda x: tg.einsum("ij,j,ij->i", x, ONES, ROWS),
    "cross-entropy": lambda x: softmax_cross_entropy(x, ROWS),
    "cross-entropy of truths": lambda x: softmax_cross_entropy(x, ROWS > 0),
}  # fmt: skip
WITH_NUMBERS = {
    "clip": lambda x, n: tg.clip(x, -n, n), "where": lambda x, n: tg.where(TRUTHS, x, n),
    "where, first": lambda x, n: tg.where(TRUTHS, n, x), "maximum": lambda x, n: tg.maximum(x, n),
    "minimum": lambda x, n: tg.minimum(n, x), "power": lambda x, n: tg.abs(x) ** n,
    "base": lambda x, n: n**x, "leaky_relu": lambda x, n: tg.leaky_relu(x, n),
    "var": lambda x, n: tg.var(x, ddof=n), "std": lambda x, n: tg.std(x, axis=1, ddof=n),
    "add": lambda x, n: x + n, "subtract": lambda x, n: n - x, "divide": lambda x, n: n / x,
    "multiply": lambda x, n: x * n,
}  # fmt: skip


def assert_float32(function, *arrays):
    tensors = [Tensor(a.astype(np.float32)) for a in arrays]
    y = function(*tensors)
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape))
    assert all(t.grad.dtype == np.float32 and t.grad.shape == t.shape for t in tensors)
    slopes = gradients(y, *tensors, gradient=np.ones(y.shape))
    assert all(g.dtype == np.float32 for g in slopes)
    for g in slopes:
        assert all(h.dtype == np.float32 for h in gradients(g.sum(), *tensors))
    leaves = [a.astype(np.float32) for a in arrays]
    _, found = replay(lambda *xs: function(*xs).sum(), leaves)(*leaves)
    assert all(g.dtype == np.float32 for g in found)


@every_rule
def test_every_rule_for_arrays_keeps_float32(call):
    arrays = operands_for(call)
    assert_float32(call.ours, *arrays)
    y = call.ours(*(Tensor(a.astype(np.float32)) for a in arrays))
    adjoints = y.pullback(np.ones(y.shape, np.float32))
    assert all(getattr(g, "dtype", np.float32) == np.float32 for g in adjoints)


@elementwise
def test_every_elementwise_rule_keeps_float32(name):
    row = ELEMENTWISE[name]
    arrays = [np.full(3, (2 * a + b) / 3) for a, b in row.domains]
    assert_float32(lambda *xs: getattr(operations, name)(*xs, **row.settings), *arrays)


@pytest.mark.parametrize("call", WITH_ARRAYS)
def test_arrays_of_whole_numbers_keep_float32(call):
    assert_float32(WITH_ARRAYS[call], X)


@pytest.mark.parametrize("call", WITH_NUMBERS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_single_numbers_keep_float32(call, kind):
    if (call, kind) == ("clip", "bool"):
        pytest.skip("NumPy has no negative of a truth")
    assert_float32(lambda x: WITH_NUMBERS[call](x, NUMBERS[kind](1)), X)


@pytest.mark.parametrize("call", [
    lambda np_, x, a: np_.clip(x, a, 2.0), lambda np_, x, a: np_.clip(x, -2.0, a),
    lambda np_, x, a: np_.where(TRUTHS, x, a), lambda np_, x, a: np_.maximum(x, a),
    lambda np_, x, a: np_.stack([x, a]), lambda np_, x, a: np_.matmul(x, a.T),
    lambda np_, x, a: np_.einsum("ij,ij->i", x, a), lambda np_, x, a: abs(x) ** a,
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_arrays_promote_as_numpy_has_it(call, dtype):
    x, a = X.astype(np.float32), np.full(X.shape, 0.3, dtype)
    leaf = Tensor(x)
    y = call(tg, leaf, a)
    assert y.dtype == call(np, x, a).dtype
    y.backward(np.ones(y.shape))
    assert leaf.grad.dtype == np.float32


def test_bounds_of_whole_numbers_suit_plain_numbers_too():
    assert tg.clip(0.5, np.array(1)) == 1.0
    assert tg.clip(Value(0.5), np.array(1), np.array(2)).data == 1.0
    clipped = tg.clip(np.array([0, 5, 1]), np.array([1, 1, 0]), 2)
    assert (clipped.tolist(), clipped.dtype.kind) == ([1, 2, 1], "i")
