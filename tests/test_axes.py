"""What takes an axis: any axis, of arrays without axes, without elements, with axes of length 1.

What the forward pass takes the backward pass takes too; NumPy is the oracle of values, central
differences of derivatives.
"""

import numpy as np
import pytest
from array_replays import assert_replays

import tinygrad_edu as tg
from tinygrad_edu import Tensor, gradients


def logsumexp(x, axis=None, keepdims=False):
    np.max(x, axis=axis)  # refuses a slice without elements
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softmax(x, axis=-1):
    np.max(x, axis=axis)
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


REDUCTIONS = {name: getattr(np, name) for name in ("sum", "mean", "var", "max", "min", "prod")}
REDUCTIONS |= {"std": np.std, "logsumexp": logsumexp}
ALONG = {"cumsum": np.cumsum, "softmax": softmax, "squeeze": np.squeeze,
         "log_softmax": lambda x, axis=-1: np.log(softmax(x, axis)),
         "expand_dims": np.expand_dims, "transpose": lambda x, axis=None: np.transpose(x, axis),
         "concatenate": lambda x, axis=0: np.concatenate([x, x * 2.0], axis),
         "stack": lambda x, axis=0: np.stack([x, x * 2.0], axis)}  # fmt: skip
CALLED = {"transpose": lambda x, axis=None: tg.transpose(x, axes=axis),
          "concatenate": lambda x, axis=0: tg.concatenate([x, x * 2.0], axis=axis),
          "stack": lambda x, axis=0: tg.stack([x, x * 2.0], axis=axis)}  # fmt: skip

AXES = [None, 0, -1, 1, -2, 3, np.int64(0), (), (0,), (0, -1), (1, 0), (0, 0), (0, 1, 2), [0, 1]]
SHAPES = [(), (3,), (0,), (2, 0), (1, 3), (2, 1, 3)]


def attempted(call):
    """What a call gives, or how it is refused."""
    try:
        return call()
    except (IndexError, TypeError, ValueError) as error:
        return str(error)


def numerical(function, x, seed):
    """d(Σ seed · function(x)) / dx by central differences."""
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-6
        slopes[place] = np.sum(seed * (function(x + step) - function(x - step))) / 2e-6
    return slopes


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's mean of nothing
@pytest.mark.parametrize("name", [*REDUCTIONS, *ALONG])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_passes_take_what_numpy_takes_or_the_first_refuses_it(name, shape):
    for axis in AXES:
        for extra in ({}, {"keepdims": True}) if name in REDUCTIONS else ({},):
            check(name, shape, {"axis": axis, **extra})


def check(name, shape, settings):
    ours, oracle = CALLED.get(name) or getattr(tg, name), {**REDUCTIONS, **ALONG}[name]
    x = np.random.default_rng(0).permutation(np.linspace(-1.5, 2.0, int(np.prod(shape))))
    leaf, x = Tensor(x.reshape(shape)), x.reshape(shape)
    expected = attempted(lambda: np.asarray(oracle(x, **settings)))
    y = attempted(lambda: ours(leaf, **settings))
    if isinstance(y, str):
        assert isinstance(expected, str) or not x.size, y
        assert y.startswith(f"{name}(")
        return
    if isinstance(expected, str):  # NumPy's mean takes no axis of a number: here all are alike
        assert shape == ()
        settings = settings | {"axis": None}
        expected = np.asarray(oracle(x, **settings))
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-12)
    assert y.shape == expected.shape
    if name == "std" and np.any(y.data == 0):
        return  # where all elements are equal it has no derivative
    seed = np.random.default_rng(1).uniform(0.5, 1.5, y.shape)
    y.backward(seed)
    slopes = numerical(lambda x: oracle(x, **settings), x, seed)
    np.testing.assert_allclose(leaf.grad, slopes, rtol=1e-6, atol=1e-8, strict=True)
    (again,) = gradients(y, leaf, gradient=seed)
    np.testing.assert_allclose(again.data, leaf.grad, rtol=1e-12, atol=1e-13, strict=True)
    if not shape:
        assert_replays(lambda x: (ours(x, **settings) * seed).sum(), [x])
