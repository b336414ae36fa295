"""Strategies for inputs: they draw what they promise, and domains say where a rule may be tried."""

import subprocess
import sys

import numpy as np
import pytest
from effort import much
from hypothesis import find, given, settings
from hypothesis import strategies as st
from rule_table import ELEMENTWISE

from tinygrad_edu import Tensor, Value
from tinygrad_edu.rules import RULES, elementwise
from tinygrad_edu.testing import (
    DOMAINS,
    LAYOUTS,
    arrays,
    broadcastable_shapes,
    broadcastable_tensors,
    tensors,
    values,
)
from tinygrad_edu.testing.leaves import MARGIN, SMALLEST, laid_out

QUICK = settings(database=None, max_examples=much(200, 50))


# --- domains -------------------------------------------------------------------------------------


def test_every_elementwise_rule_has_a_domain_and_no_other():
    ours = {name for name, rule in RULES.items() if rule.__module__ == elementwise.__name__}
    assert set(DOMAINS) == ours


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_kinks_of_a_domain_are_those_that_derivatives_are_agreed_on_for(name):
    row, domain = ELEMENTWISE[name], DOMAINS[name]
    assert domain.ties == any(len(set(at)) == 1 for at in row.kinks if len(at) == 2 and at[0])
    if len(domain.intervals) == 1:
        assert set(domain.kinks_at(row.settings)) == {at[0] for at in row.kinks}


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(data=st.data())
def test_inside_its_domain_a_rule_and_its_derivatives_are_finite(name, data):
    domain = DOMAINS[name]
    xs = [data.draw(st.floats(*interval)) for interval in domain.intervals]
    drawn = {key: data.draw(strategy) for key, strategy in domain.settings.items()}
    given_settings = {key: x for key, x in drawn.items() if x is not None}
    y, pullback = RULES[name](*xs, **given_settings)
    adjoints = [a() if callable(a) else a for a in pullback(1.0)]
    assert np.isfinite([y, *adjoints]).all()


# --- inputs --------------------------------------------------------------------------------------


def sensible(numbers, low, high, away_from=()):
    numbers = np.asarray(numbers)
    inside = (numbers >= low) & (numbers <= high)
    inside &= (numbers == 0) | (np.abs(numbers) >= SMALLEST)
    for place in away_from:
        inside &= np.abs(numbers - place) >= MARGIN
    return inside.all()


@given(st.data(), st.floats(-5, 5), st.floats(0.1, 5), st.sets(st.floats(-5, 5), max_size=2))
def test_values_lie_between_the_ends_and_away_from_where_they_are_told(data, low, width, away):
    strategy = values(low, low + width, label="x", away_from=away)
    x = data.draw(strategy)
    assert type(x) is Value
    assert x.label == "x"
    assert sensible(x.data, low, low + width, away)


def test_values_take_a_strategy_for_labels_and_shrink_to_0():
    labelled = values(label=st.sampled_from("ab"))
    assert find(labelled, lambda x: x.label == "b", settings=QUICK).data == 0.0
    assert find(values(), lambda x: True, settings=QUICK).data == 0.0
    assert find(values(), lambda x: x.data > 2.5, settings=QUICK).data == 3.0


SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@given(st.data(), SHAPES, st.sampled_from([np.float64, np.float32]), st.sampled_from(LAYOUTS))
def test_arrays_have_the_shape_the_dtype_the_ends_and_the_layout(data, shape, dtype, layout):
    x = data.draw(arrays(shape, dtype, min_value=-0.1, max_value=0.3, layouts=[layout]))
    assert (x.shape, x.dtype) == (shape, dtype)
    low, high = np.array([-0.1, 0.3], dtype).astype(np.float64)  # the ends as this dtype has them
    assert sensible(x.astype(np.float64), low, high)
    assert x.flags.writeable == (layout != "read-only")


@given(arrays(layouts=LAYOUTS))
def test_a_layout_changes_places_in_memory_and_no_element(x):
    for layout in LAYOUTS:
        np.testing.assert_array_equal(laid_out(x, layout), x)
    if x.size and all(n > 1 for n in x.shape):
        assert all(step < 0 for step in laid_out(x, "reversed").strides)
        assert laid_out(x, "F").flags.f_contiguous
        assert laid_out(x, "C").flags.c_contiguous
        assert x.ndim == 0 or not laid_out(x, "strided").flags.forc


@given(tensors((3, 4), distinct=True, away_from=[0.0]), tensors((2, 2), np.float32, distinct=True))
def test_distinct_elements_are_apart(x, y):
    for tensor in (x, y):
        gaps = np.diff(np.sort(tensor.data.ravel()))
        assert gaps.min() >= 2 * MARGIN
    assert np.abs(x.data).min() >= MARGIN


@given(tensors(st.just((2, 3)), np.float32, label="w", layouts=["F", "strided"]))
def test_tensors_keep_the_drawn_layout_label_and_dtype(x):
    assert (type(x), x.shape, x.dtype, x.label) == (Tensor, (2, 3), np.float32, "w")
    assert not x.data.flags.c_contiguous


@given(tensors(4, np.int64, min_value=-2.5, max_value=2.5))
def test_tensors_of_whole_numbers_are_float64_as_always(x):
    assert (x.shape, x.dtype) == ((4,), np.float64)
    assert (x.data == np.round(x.data)).all()
    assert np.abs(x.data).max() <= 2


@given(broadcastable_shapes(3), broadcastable_tensors(2, min_value=0.5, label="x"))
def test_what_is_said_to_broadcast_does(shapes, pair):
    assert len(np.broadcast_shapes(*shapes)) == max(map(len, shapes))
    x, y = pair
    assert (x + y).shape == np.broadcast_shapes(x.shape, y.shape)
    assert min(x.data.min(), y.data.min()) >= 0.5
    assert (x.label, y.label) == ("x", "x")


@given(st.from_type(Value), st.from_type(Tensor))
def test_types_have_a_strategy(x, t):
    assert (type(x), type(t)) == (Value, Tensor)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: values(1.0, -1.0), ValueError, "no finite numbers from 1.0 to -1.0"),
        (lambda: values(0.0, np.inf), ValueError, "no finite numbers"),
        (lambda: values(-0.01, 0.01, away_from=[0.0]), ValueError, "0.03 away from 0.0"),
        (lambda: arrays(3, layouts=["Z"]), ValueError, "no layout 'Z'; there are C, F"),
        (lambda: arrays(3, layouts=[]), ValueError, "layouts is empty"),
        (lambda: tensors(3, min_value=2.0, max_value=1.0), ValueError, "no finite numbers"),
        (lambda: broadcastable_tensors(2, shape=(3,)), TypeError, "shapes are drawn"),
        (lambda: broadcastable_tensors(2, wide=True), TypeError, "wide"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_distinct_elements_need_room():
    with pytest.raises(ValueError, match=r"5 distinct elements.*no room"):
        find(arrays(5, min_value=0, max_value=0.2, distinct=True), lambda x: True, settings=QUICK)


# --- what it takes -------------------------------------------------------------------------------


def test_without_hypothesis_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import tinygrad_edu\n"
        "try: import tinygrad_edu.testing\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install hypothesis" in run.stdout
