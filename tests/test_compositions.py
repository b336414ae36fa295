"""NumPy's functions that are made of rules: on Tensors as on arrays, recorded and replayed."""

import numpy as np
import pytest
from array_replays import assert_replays
from composition_table import COMPOSITIONS
from oracles import ARRAY_LIBRARIES, library
from rule_table import operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, compare, gradcheck
from tinygrad_edu.engine.array_methods import ArrayMethods
from tinygrad_edu.rules import compositions

CALLS = [
    pytest.param(call, id=f"{name}-{i}")
    for name, calls in COMPOSITIONS.items() if not name.startswith("arg")
    for i, call in enumerate(calls)
]  # fmt: skip
every_call = pytest.mark.parametrize("call", CALLS)


def test_every_composition_has_a_row_is_public_and_a_method():
    assert set(compositions.COMPOSITIONS) == set(COMPOSITIONS)
    for name, function in compositions.COMPOSITIONS.items():
        assert getattr(tg, name) is function
        assert name in tg.__all__
        assert function.__doc__
        assert hasattr(ArrayMethods, name) is (name not in ("vstack", "hstack"))


@every_call
def test_values_are_those_of_numpy_and_gradients_agree_with_central_differences(call):
    arrays = operands_for(call)
    y = call.ours(*map(Tensor, arrays))
    expected = call.numpy(*arrays)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)
    assert y.shape == np.shape(expected)
    report = gradcheck(call.ours, *map(Tensor, arrays), raises=False)
    assert {row.verdict for row in report.rows} <= {"ok", "unused"}


@every_call
def test_numpys_own_function_of_tensors_is_ours(call):
    arrays = operands_for(call)
    y = call.numpy(*map(Tensor, arrays))
    assert isinstance(y, Tensor)
    np.testing.assert_allclose(y.data, call.numpy(*arrays), rtol=1e-12, atol=1e-14)


@every_call
def test_replayed_they_give_the_same(call):
    arrays = operands_for(call)
    seed = np.random.default_rng(1).uniform(0.5, 1.5, np.shape(call.numpy(*arrays)))
    assert_replays(lambda *xs: (call.ours(*xs) * seed).sum(), arrays, operands_for(call, 1))


@every_call
def test_float32_stays_and_plain_arrays_stay_plain(call):
    arrays = [x.astype(np.float32) for x in operands_for(call)]
    y = call.ours(*map(Tensor, arrays))
    assert y.dtype == np.float32
    if "flatten" not in repr(call.ours.__code__.co_names):
        plain = call.ours(*arrays)
        np.testing.assert_allclose(plain, call.numpy(*arrays), rtol=1e-6)
        assert not isinstance(plain, Tensor)


@pytest.mark.deep
@pytest.mark.parametrize("name", ARRAY_LIBRARIES)
@every_call
def test_other_libraries_give_the_same_values_and_gradients(call, name):
    report = compare(call.ours, *operands_for(call), with_=library(name), rtol=1e-11)
    assert {row.verdict for row in report.rows} <= {"ok", "unused"}


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_are_plain_integers(name):
    for call in COMPOSITIONS[name]:
        (x,) = operands_for(call)
        for given in (x, np.where(x > 1, np.nan, x), np.round(x)):
            found, expected = call.ours(Tensor(given)), call.numpy(given)
            np.testing.assert_array_equal(found, expected)
            assert np.asarray(found).dtype.kind == "i"


def test_a_replay_looks_at_a_place_again():
    run = tg.replay(lambda x: (x[x.argmax()] ** 2).sum(), [np.array([1.0, 3.0])])
    for given in ([2.0, 5.0], [7.0, 5.0], [-1.0, -2.0]):
        value, (gradient,) = run(np.array(given))
        best = int(np.argmax(given))
        assert value == given[best] ** 2
        assert gradient.tolist() == [2 * given[best] * (i == best) for i in range(2)]


def test_a_sign_has_derivative_0_and_0_has_none():
    x = Tensor([-2.0, 0.0, np.inf, np.nan])
    y = tg.sign(x)
    y.backward(np.ones(4))
    np.testing.assert_array_equal(y.data, [-1.0, 0.0, 1.0, np.nan])
    np.testing.assert_array_equal(x.grad[:3], np.zeros(3))


@pytest.mark.parametrize(("call", "kind", "says"), [
    (lambda x: x.norm(2), ValueError, "norm: ord=2 over 2 axes; use None or"),
    (lambda x: x.norm("nuc", axis=0), ValueError, "norm: ord='nuc' over 1 axes"),
    (lambda x: x.pad(1, "mean"), ValueError, "pad: mode is 'mean'; use \"constant\""),
    (lambda x: x.split(2), ValueError, "does not result in an equal division"),
    (lambda x: x.ravel(order="F"), TypeError, "ravel: order= is not taken; elements are read row"),
    (lambda x: x.flip(axes=0), TypeError, "argument 'axes'; its settings are axis"),
    (lambda x: tg.windows(x, (4, 1)), ValueError, "window shape cannot be larger"),
    (lambda x: tg.windows(x, 2.5), TypeError, "windows: shape is 2.5; use whole numbers"),
    (lambda x: tg.windows(x, (2, 2), (1, 2, 3)), ValueError, "use whole numbers from 1 up, one f"),
    (lambda x: tg.windows(x, 2, 0), ValueError, "windows: stride is 0; use whole numbers from 1"),
    (lambda x: tg.windows(x, 2, padding=-1), ValueError, "windows: padding is -1; .* from 0 up"),
])  # fmt: skip
def test_what_cannot_be_is_named(call, kind, says):
    with pytest.raises(kind, match=says):
        call(Tensor(np.ones((3, 4))))


def test_a_window_looks_into_its_array_and_a_replay_keeps_that_alive():
    x = np.random.default_rng(0).normal(size=(3, 6))

    def loss(x):
        y = tg.windows(x.exp(), 3)  # of a buffer that has to stay until the product
        return (y * tg.windows((x * 2.0).sin().cos(), 3) * x.tanh().sum()).sum()

    assert_replays(loss, [x], [x + 0.1])


LARGE = [
    ("...chwij,ocij->...ohw", (3, 4, 20, 22, 3, 3), (5, 4, 3, 3)),  # cut up: windows are copied
    ("nohw,nchwij->ocij", (3, 5, 20, 22), (3, 4, 20, 22, 3, 3)),
    ("nohw,ocij->nchwij", (3, 5, 20, 22), (5, 4, 3, 3)),
    ("bij,bjk->bik", (6, 30, 20), (6, 20, 25)),
    ("bij,jk->bik", (6, 30, 20), (20, 25)),
    ("ij,k->ijk", (40, 30), (50,)),
    ("iij,jk->ik", (30, 30, 20), (20, 10)),  # no product of matrices
    ("ij,jk->k", (60, 30), (30, 50)),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "first", "second"), LARGE)
def test_large_einsums_of_two_are_products_of_matrices(subscripts, first, second):
    rng = np.random.default_rng(0)
    for turned in (False, True):
        x, y = (rng.normal(size=shape[::-1]).T if turned else rng.normal(size=shape)
                for shape in (first, second))  # fmt: skip
        if first[-2:] == (3, 3):
            x = np.lib.stride_tricks.sliding_window_view(
                rng.normal(size=(3, 4, 22, 24)), (3, 3), (2, 3)
            )
        expected = np.einsum(subscripts, x, y)
        found = tg.einsum(subscripts, x, y)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
        single = tg.einsum(subscripts, x.astype(np.float32), y.astype(np.float32))
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, expected, rtol=1e-3, atol=1e-3)
