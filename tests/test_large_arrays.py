"""The shorter ways that large arrays take give the bits of the long ones, in little memory."""

import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, gradients, replay
from tinygrad_edu.rules.tables import arrays

SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 1e-40, -5e-324])


def bits(x):
    return x.dtype, x.shape, x.tobytes()


def filled(shape, dtype, seed):
    """Ordinary numbers, with all kinds of others among them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    special = rng.random(shape) < 0.2
    x[special] = rng.choice(SPECIAL, special.sum())
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(3,), (1999,), (2000,), (50, 100), (3, 1000), (7, 11, 41)])
@pytest.mark.parametrize("x", [0.0, -1.0, 2.5])
def test_a_choice_between_a_number_and_an_array_is_that_of_numpy(x, shape, dtype):
    y = filled(shape, dtype, 0)
    chosen = np.random.default_rng(1).random(shape) < 0.5
    number = np.full(shape, x, dtype)
    for condition in (chosen, chosen.T.copy().T, chosen.astype(int), chosen[..., :1]):
        given_first = arrays.where(condition, x, y)
        given_last = arrays.where(condition, y, x)
        # numbers are compared too: of a longdouble some bits are padding
        for found, expected in (
            (given_first, np.where(condition, number, y)),
            (given_last, np.where(condition, y, number)),
        ):
            np.testing.assert_array_equal(found, expected, strict=True)
            assert (np.signbit(found) == np.signbit(expected)).all()


@given(st.integers(0, 2**32), st.integers(1990, 2010), st.sampled_from([np.float32, np.float64]))
def test_gradients_of_a_large_array_are_those_of_its_parts(seed, n, dtype):
    x, g = filled(n, dtype, seed), filled(n, dtype, seed + 1)
    for function in (tg.relu, tg.abs, tg.leaky_relu, lambda t: t.clip(-1.0, 1.0),
                     lambda t: t.maximum(0.5), lambda t: t.minimum(0.0)):  # fmt: skip
        with np.errstate(invalid="ignore"):
            whole = Tensor(x)
            y = function(whole)
            y.backward(g)
            parts = [Tensor(part) for part in np.array_split(x, 4)]
            for part, slope in zip(parts, np.array_split(g, 4), strict=True):
                function(part).backward(slope)
        assert bits(whole.grad) == bits(np.concatenate([part.grad for part in parts]))


@given(st.lists(st.integers(-2, 3), max_size=20))
def test_a_product_of_whole_numbers_has_exact_slopes_and_curvatures(numbers):
    """Zeros among them or not: each slope is the product of all others."""

    def without(*places):
        return math.prod(x for i, x in enumerate(numbers) if i not in places)

    n = len(numbers)
    x = Tensor(np.array(numbers, float))
    x.prod().backward()
    assert x.grad.tolist() == [without(i) for i in range(n)]
    (slope,) = gradients(x.prod(), x)
    assert slope.data.tolist() == x.grad.tolist()
    (curvature,) = gradients(slope.sum(), x)
    expected = [sum(without(i, k) for k in range(n) if k != i) for i in range(n)]
    assert curvature.data.tolist() == expected
    rows = np.array([numbers, numbers[::-1]], float).T
    _, (slopes,) = replay(lambda x: x.prod(axis=0).sum(), [rows])(rows)
    assert slopes[:, 0].tolist() == slopes[::-1, 1].tolist() == x.grad.tolist()


@pytest.mark.no_cover
def test_a_product_of_many_numbers_takes_memory_in_proportion():
    x = Tensor(np.random.default_rng(0).uniform(0.99, 1.01, 30_000))
    tracemalloc.start()
    try:
        x.prod().backward()
        gradients(x.prod(), x)
        assert tracemalloc.get_traced_memory()[1] < 30 * x.data.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.no_cover
def test_three_operands_of_einsum_are_multiplied_two_by_two():
    """All at once they take 200 times as long as the two matrix products."""
    xs = list(np.random.default_rng(0).normal(size=(3, 64, 64)))

    def seconds(function):
        before = time.perf_counter()
        function(*map(Tensor, xs)).sum().backward()
        return time.perf_counter() - before

    ratios = [
        seconds(lambda x, y, z: tg.einsum("ij,jk,kl->il", x, y, z))
        / seconds(lambda x, y, z: x @ y @ z)
        for _ in range(5)
    ]
    assert min(ratios) < 40
