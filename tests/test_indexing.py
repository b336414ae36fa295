"""Indexing in every form that NumPy takes: recorded, differentiated twice, replayed, written out.

The oracle is NumPy's own indexing of an array of places: where an element is named k times, k
adjoints add up.
"""

from array import array
from collections import deque

import numpy as np
import pytest
from array_replays import assert_replays
from hypothesis import given
from hypothesis import strategies as st
from test_replay_tensors import program_of

import tinygrad_edu as tg
from tinygrad_edu import Tensor, gradients
from tinygrad_edu.rules import put


class Two:
    """An object that is an index, as NumPy and Python see it."""

    def __init__(self, place):
        self.place = place

    def __index__(self):
        return self.place


class Holder:
    """An object that NumPy makes an array of."""

    def __init__(self, places):
        self.places = places

    def __array__(self, dtype=None, copy=None):
        return np.array(self.places, dtype)


SEQUENCES = [list, tuple, deque, np.array, lambda xs: array("q", xs), Holder,
             lambda xs: np.array(xs, np.int8 if min(xs, default=0) < 0 else np.uint8),
             lambda xs: [xs, xs], lambda xs: tuple(np.array(xs, int)), lambda xs: [[x] for x in xs],
             lambda xs: [Two(x) for x in xs]]  # fmt: skip
NUMBERS = [int, np.int64, np.int8, Two, lambda i: np.array(i)]


@st.composite
def parts(draw, n):
    """One part of an index for an axis of n elements: most fit, some do not."""
    number = st.integers(-n - (draw(st.integers(0, 9)) == 0), n - 1) if n else st.just(0)
    kind = draw(st.sampled_from(["sequence", "sequence", "number", "slice", "truths", "range", ""]))
    if kind == "sequence":
        numbers = draw(st.lists(number, max_size=4))
        return draw(st.sampled_from(SEQUENCES))(numbers)
    if kind == "number":
        return draw(st.sampled_from(NUMBERS))(draw(number))
    if kind == "slice":
        ends = st.none() | st.integers(-4, 4).map(draw(st.sampled_from(NUMBERS)))
        step = draw(st.sampled_from([None, 1, 2, -1, np.int64(-2)]))
        return slice(draw(ends), draw(ends), step)
    if kind == "truths":
        truths = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        return draw(st.sampled_from([list, tuple, np.array, deque]))(truths)
    if kind == "range":
        return range(draw(st.integers(0, n)))
    return draw(
        st.sampled_from([None, ..., True, np.False_, np.array(True), 1.0, "a", [0.5], np.zeros(0)])
    )


@st.composite
def indices(draw):
    """A shape and an index, of one part or of several."""
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    if draw(st.booleans()):
        return shape, draw(parts(shape[0]))
    return shape, tuple(draw(parts(n)) for n in shape[: draw(st.integers(0, 3))])


@given(indices())
def test_an_element_named_k_times_gets_k_adjoints_and_numpys_refusals_are_ours(case):
    shape, index = case
    x = Tensor(np.random.default_rng(0).normal(size=shape))
    places = np.arange(x.size).reshape(shape)
    try:
        chosen = np.asarray(places[index])
    except (IndexError, TypeError, ValueError):
        with pytest.raises((IndexError, TypeError, ValueError)):
            x[index]
        return
    seed = np.random.default_rng(1).normal(size=chosen.shape)
    expected = np.zeros(x.size)
    np.add.at(expected, chosen.ravel(), seed.ravel())
    y = x[index]
    np.testing.assert_array_equal(y.data, np.asarray(x.data[index]), strict=True)
    y.backward(seed)
    np.testing.assert_allclose(x.grad, expected.reshape(shape), rtol=1e-14, strict=True)
    (slope,) = gradients((y * y * seed).sum(), x)
    (curvature,) = gradients(slope.sum(), x)
    np.testing.assert_allclose(curvature.data, 2 * expected.reshape(shape), rtol=1e-12)
    replayed = assert_replays(lambda x: (x[index] ** 2 * seed).sum(), [x.data], [x.data + 1])
    value, (slope,) = program_of(replayed)(x.data)
    np.testing.assert_allclose(value, (y.data**2 * seed).sum(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(slope, 2 * x.data * expected.reshape(shape), rtol=1e-12)


@pytest.mark.parametrize("make", SEQUENCES[:7])
def test_put_adds_repeated_elements_up_whatever_names_them(make):
    x = Tensor([1.0, 2.0, 4.0])
    y = put(x, (make([0, 2, 0]),), (3,))
    assert y.data.tolist() == [5.0, 0.0, 2.0]
    y.backward([1.0, 10.0, 100.0])
    assert x.grad.tolist() == [1.0, 100.0, 1.0]
    assert put(x.data, (make([0, 2, 0]),), (3,)).tolist() == [5.0, 0.0, 2.0]


AT_0_AND_1 = [make([0, 1]) for make in (list, deque, lambda x: array("q", x), np.array)]


@pytest.mark.parametrize("index", [*AT_0_AND_1, ([0, 1], ...), (np.array([0, 1]),)])
def test_what_is_done_to_an_index_afterwards_changes_no_derivative(index):
    x = Tensor([1.0, 2.0, 3.0])
    y = (x[index] ** 2).sum()
    (index if not isinstance(index, tuple) else index[0])[0] = 2
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0, 0.0]
    assert gradients(y, x)[0].data.tolist() == [2.0, 4.0, 0.0]
    assert tg.replay(y)([1.0, 1.0, 1.0])[1][0].tolist() == [2.0, 2.0, 0.0]


SETTINGS = [
    (lambda x, at: x.clip(at, 2.0), np.array([0.0, 1.5, 0.0]), 9.0, [1.0, 0.0, 1.0]),
    (lambda x, at: x.clip(-1.0, at), [3.0, 0.5, 4.0], 0.0, [1.0, 0.0, 1.0]),
    (lambda x, at: tg.transpose(x[:, None], at), [1, 0], 9, [1.0, 1.0, 1.0]),
    (lambda x, at: x.reshape(at), [3, 1], 9, [1.0, 1.0, 1.0]),
    (lambda x, at: tg.where(at, x, 0.0), np.array([1, 0, 1]) > 0, False, [1.0, 0.0, 1.0]),
    (lambda x, at: tg.rules.softmax_cross_entropy_of_labels(x * 0.0 + x, at), np.array(1), 2,
     [0.09003057, -0.75527153, 0.66524096]),
]  # fmt: skip


@pytest.mark.parametrize(("function", "setting", "edit", "slopes"), SETTINGS)
def test_what_is_done_to_a_setting_afterwards_changes_no_derivative(
    function, setting, edit, slopes
):
    x, setting = Tensor([0.0, 1.0, 2.0]), setting.copy()
    y = function(x, setting).sum()
    setting[... if isinstance(setting, np.ndarray) else 0] = edit
    y.backward()
    np.testing.assert_allclose(x.grad, slopes, rtol=1e-6)
    np.testing.assert_allclose(gradients(y, x)[0].data, slopes, rtol=1e-6)
    np.testing.assert_allclose(tg.replay(y)(x.data)[1][0], slopes, rtol=1e-6)


def test_an_empty_array_of_floats_is_refused_and_an_empty_list_is_not():
    x = Tensor([1.0, 2.0])
    assert x[[]].shape == x[:, None][((), 0)].shape == x[deque()].shape == (0,)
    with pytest.raises(IndexError, match="integers or booleans, not float64"):
        x[np.zeros(0)]
