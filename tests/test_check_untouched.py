"""What is checked stays as it is: layers, arrays, random generators and warning filters."""

import copy
import itertools
import random
import warnings

import numpy as np
import pytest
from test_check_layers import Adding, Affine, BatchNorm, Nested, W, X

from tinygrad_edu import check_backward, gradcheck
from tinygrad_edu.check import GradientError, check_inputs_matter


class Raising(Affine):
    def backward(self, dout):
        self.W -= 1
        np.random.random(3)
        raise RuntimeError("planted")


@pytest.mark.parametrize("make", [Affine, BatchNorm, Adding, Nested, Raising])
def test_layers_inputs_random_generators_and_filters_stay_as_they_are(make):
    layer, x = make(), X.copy()
    kept = copy.deepcopy(vars(layer))
    state, ours, filters = np.random.get_state()[1].copy(), random.getstate(), warnings.filters[:]
    if make is Raising:
        with pytest.raises(RuntimeError, match="planted"):
            check_backward(layer, x)
    else:
        check_backward(layer, x, raises=False)
    assert repr(vars(layer).keys()) == repr(kept.keys())
    assert type(layer) is make
    for name, value in kept.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(vars(layer)[name], value)
            assert type(vars(layer)[name]) is np.ndarray
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert (random.getstate(), warnings.filters[:]) == (ours, filters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shared_arrays_are_put_back_bit_by_bit_also_after_an_error(dtype):
    shared = W.astype(dtype)
    bits, calls = shared.tobytes(), itertools.count()

    def forward(x):
        if next(calls) > limit:
            raise KeyError("planted")
        return x @ shared

    def backward(x, dout):
        return {"x": dout @ shared.T, "W": x.T @ dout}

    limit = 10**6
    assert check_backward(forward, backward, X.astype(dtype), parameters={"W": shared}).ok
    assert shared.tobytes() == bits
    limit = next(calls) + 60
    with pytest.raises(KeyError, match="planted"):
        check_backward(forward, backward, X.astype(dtype), parameters={"W": shared})
    assert shared.tobytes() == bits


def test_a_wrong_shared_array_is_named():
    shared = W.copy()
    with pytest.raises(GradientError, match="wrong for W"):
        check_backward(
            lambda x: x @ shared,
            lambda x, dout: {"x": dout @ shared.T, "W": 3 * x.T @ dout},
            X,
            parameters={"W": shared},
        )


@pytest.mark.parametrize("check", [gradcheck, check_inputs_matter])
def test_the_global_random_generators_stay_where_they_are(check):
    def f(x):
        np.random.seed(3)
        random.seed(4)
        return (x * np.random.random(x.shape)).sum()

    state, ours = np.random.get_state()[1].copy(), random.getstate()
    check(f, X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert random.getstate() == ours
