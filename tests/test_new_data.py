"""New data and gradients: checked when they are set, and never mixed with those of a graph."""

import contextlib
import copy
import pickle
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, gradients, no_grad, optim

# --- what may be set -----------------------------------------------------------------------------

NUMBERS = [3, True, np.float32(0.5), np.array(2.0), 0.1, np.int8(-1)]


@pytest.mark.parametrize("x", NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["data", "grad"])
def test_a_number_becomes_what_the_constructor_makes_of_it(x, name):
    value = Value(7.0)
    setattr(value, name, x)
    assert getattr(value, name) == Value(x).data
    assert type(getattr(value, name)) is float


@pytest.mark.parametrize(
    "x", [[1, 2], (1.5, 2), np.array([1, 2]), np.array([True, False]), np.ones(2, ">f8")], ids=repr
)
def test_arrays_of_other_kinds_become_floats_and_train(x):
    tensor = Tensor([0.0, 0.0])
    tensor.data = x
    np.testing.assert_array_equal(tensor.data, np.asarray(x, float))
    assert tensor.dtype == np.float64
    assert tensor.data.dtype.isnative
    (tensor * 0.5).sum().backward()
    np.testing.assert_array_equal(tensor.grad, [0.5, 0.5])


def test_floating_data_keep_their_dtype_and_others_take_that_of_the_tensor():
    x = Tensor(np.ones(2, np.float32))
    x.data = [1, 2]
    assert x.dtype == np.float32
    x.data = np.ones(2)
    assert x.dtype == np.float64


def test_data_are_a_copy_and_an_edit_in_place_is_none():
    given_array = np.zeros(2)
    x = Tensor([1.0, 2.0])
    x.data = given_array
    given_array[0] = 5.0
    assert x.data.tolist() == [0.0, 0.0]
    before = x.data
    x.data += 1.0
    assert x.data is before
    assert x.data.tolist() == [1.0, 1.0]


def test_data_of_another_shape_start_without_a_gradient():
    x = Tensor([1.0, 2.0])
    x.sum().backward()
    x.data = np.ones((2, 2), np.float32)
    assert x.grad.shape == (2, 2)
    assert not x.grad.any()


REFUSED = ["3", None, 1j, [[1.0], [1.0, 2.0]], object(), {"a": 1.0}, Value(1.0), Tensor([1.0]),
           deque([1.0]), np.array(["1"])]  # fmt: skip


@pytest.mark.parametrize("x", REFUSED, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_what_the_constructor_refuses_is_refused_and_nothing_has_changed(kind, x):
    node = kind(2.0)
    with pytest.raises((TypeError, ValueError)) as constructed:
        kind(x)
    with pytest.raises(constructed.type, match=r"^data: "):
        node.data = x
    assert node.data == 2.0


@pytest.mark.parametrize("x", REFUSED[:1] + REFUSED[2:], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_gradient_that_is_no_number_is_refused(kind, x):
    node = kind(2.0)
    node.grad = 3.0
    with pytest.raises((TypeError, ValueError), match=r"^grad: "):
        node.grad = x
    assert node.grad == 3.0
    node.grad = None
    assert node.grad == 0.0


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_label_that_is_no_string_is_refused(kind):
    x = kind(2.0, "x")
    with pytest.raises(TypeError, match="label: expected a string, got 3"):
        x.label = 3
    assert x.label == "x"


# --- old graphs and new data ---------------------------------------------------------------------


def test_gradients_after_a_step_are_refused_and_backward_gives_those_of_the_recorded_data():
    w = Tensor([3.0], "w")
    loss = (w.exp() * w).sum()
    (before,) = gradients(loss, w)
    loss.backward()
    optim.SGD([w], lr=0.01).step()
    with pytest.raises(ValueError, match=r"multiply\(.*w of shape.*no longer give this result"):
        gradients(loss, w)
    w.zero_grad()
    loss.backward()
    exact = np.exp(3.0) * 4.0
    np.testing.assert_allclose([before.data[0], w.grad[0]], exact, rtol=1e-15)


FUNCTIONS = {
    "a product": lambda x, y: x * y,
    "a power": lambda x, y: x**2 * y,
    "a sum": lambda x, y: (x + y) * 2.0,
    "a choice": lambda x, y: x.maximum(y) * x,
    "its own operand": lambda x, y: x * x * x + y,
}


@given(st.floats(0.5, 3), st.floats(0.5, 3), st.floats(-3, 3))
@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_those_of_one_set_of_data_or_refused(f, kind, x, y, new):
    """Either set of data may be the one; a mixture of both never is."""
    leaves = kind(x), kind(y)
    root = f(*leaves)
    leaves[0].data = new
    fresh = kind(x), kind(y)
    recorded = [float(g.data) for g in gradients(f(*fresh), *fresh)]
    fresh = kind(new), kind(y)
    present = [float(g.data) for g in gradients(f(*fresh), *fresh)]
    with contextlib.suppress(ValueError):
        assert [float(g.data) for g in gradients(root, *leaves)] in (recorded, present)


def test_new_data_that_nothing_on_the_way_reads_do_not_matter():
    x, y = Value(2.0), Value(3.0)
    product = x * x
    root = product + y.exp()
    y.data = 5.0
    (slope,) = gradients(root, product)
    assert slope.data == 1.0


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_keeps_data_gradient_and_label(again):
    x = Value(2.0, "x")
    x.grad = 3.0
    twin = again(x)
    assert (twin.data, twin.grad, twin.label) == (2.0, 3.0, "x")


@pytest.mark.parametrize("draw", [tg.to_svg, tg.to_dot])
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_picture_of_old_and_new_numbers_says_so(kind, draw):
    x = kind(2.0, "x")
    cube = x * x * x
    cube.backward()
    draw(cube)
    x.data = 3.0
    with pytest.warns(UserWarning, match="mixes old and new numbers: .*run the forward pass again"):
        draw(cube)
    draw(x * x * x)


# --- in place ------------------------------------------------------------------------------------


def operators():
    def add(p, x):
        p += x
        return p

    def subtract(p, x):
        p -= x
        return p

    def multiply(p, x):
        p *= x
        return p

    def divide(p, x):
        p /= x
        return p

    def power(p, x):
        p **= x
        return p

    return [add, subtract, multiply, divide, power]


@pytest.mark.parametrize("update", operators(), ids=lambda f: f.__name__)
@pytest.mark.parametrize("operand", [2.0, 3, np.float64(0.5), "node"])
@pytest.mark.parametrize("make", [lambda: Value(4.0), lambda: Tensor([4.0, 5.0])])
def test_an_operator_in_place_changes_a_leaf_inside_no_grad_and_records_outside(
    make, operand, update
):
    other = make() if operand == "node" else operand
    p, start = make(), np.array(make().data)
    expected = update(start.copy(), np.array(getattr(other, "data", other), float))
    recorded = update(p, other)
    assert recorded is not p
    assert recorded.parents
    np.testing.assert_array_equal(p.data, start)
    with no_grad():  # what meets another node is part of a forward pass
        moved = update(p, other)
    assert (moved is p) == (operand != "node")
    assert not p.operands
    np.testing.assert_array_equal(moved.data, expected)
    np.testing.assert_array_equal(recorded.data, expected)
    np.testing.assert_array_equal(p.data, start if operand == "node" else expected)


@pytest.mark.parametrize("make", [lambda: Value(4.0, "w"), lambda: Tensor([4.0, 5.0], "w")])
def test_a_step_outside_no_grad_says_that_the_parameter_has_not_moved(make):
    w = p = make()
    (w * w).sum().backward() if isinstance(w, Tensor) else (w * w).backward()
    with pytest.warns(UserWarning, match="outside no_grad made a new node, and .* kept its data"):
        p -= 0.1 * w.grad
    assert p is not w
    np.testing.assert_array_equal(w.data, make().data)
    loss = w  # what is added up is a node, or has no gradient yet: nothing to say
    loss += w * 2.0
    fresh = make()
    fresh += 1.0


def test_matmul_in_place_too():
    p, m = Tensor(np.eye(2)), np.array([[1.0, 2.0], [3.0, 4.0]])
    with no_grad():
        p @= m
    np.testing.assert_array_equal(p.data, m)


def test_a_training_loop_as_in_torch_trains():
    w, b = Tensor([0.0]), Tensor([0.0])
    x = np.linspace(-1, 1, 20)
    for _ in range(200):
        loss = ((x * w + b - (2 * x + 1)) ** 2).mean()
        loss.backward()
        with no_grad():
            for p in (w, b):
                p -= 0.5 * p.grad
                p.zero_grad()
    np.testing.assert_allclose([w.data[0], b.data[0]], [2.0, 1.0], atol=1e-6)


def test_in_place_keeps_shape_and_dtype():
    p = Tensor(np.ones(2, np.float32))
    with no_grad():
        p -= np.array([0.5, 0.25], np.float32)
        assert p.dtype == np.float32
        with pytest.raises(ValueError, match=r"in place: data of shape \(2,\) .* \(3, 2\)"):
            p += np.ones((3, 2), np.float32)
    assert p.data.tolist() == [0.5, 0.75]


def neuron(weights, bias, x):
    act = bias
    for w in weights:
        act += w * x
    return act


def skip(x):
    h = x * 2.0
    before = h
    h += h * h
    h *= 0.5
    h -= 1.0
    return h + before


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_forward_pass_gives_the_same_numbers_inside_no_grad_and_changes_nothing(kind):
    weights, bias, x = [kind(2.0), kind(3.0)], kind(1.0), kind(1.5)
    recorded = [neuron(weights, bias, x).data, skip(x).data]
    for _ in range(2):
        with no_grad():
            assert [neuron(weights, bias, x).data, skip(x).data] == recorded
    assert [bias.data, x.data] == [1.0, 1.5]


@pytest.mark.parametrize("rate", [0.1, np.float64(0.1), np.array(0.1), np.array([0.1, 0.1])])
def test_a_step_in_place_keeps_float32(rate):
    p = Tensor(np.ones(2, np.float32))
    (p * p).sum().backward()
    with no_grad():
        p -= rate * p.grad
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.data, 0.8, rtol=1e-6)


def copies(x):
    return copy.deepcopy(x), pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("f", [lambda x: (x @ x.T).sum(),
                               lambda x: x.mean(axis=0).broadcast_to((31, 40)).mean()])  # fmt: skip
def test_a_copy_that_is_rounded_otherwise_has_no_new_data(f):
    x = Tensor(np.random.default_rng(0).normal(size=(31, 40)), "x")
    (expected,) = gradients(f(x), x)
    for twin in copies(f(x)):
        leaf = next(n for n in tg.topological_order(twin) if n.label == "x")
        np.testing.assert_allclose(gradients(twin, leaf)[0].data, expected.data, rtol=1e-12)
        tg.to_dot(twin)
        pickle.dumps(twin)


def test_what_was_recorded_is_no_leaf_and_stays_as_it_is_inside_no_grad():
    x = Value(2.0)
    total = x * 3.0
    before = total
    with no_grad():
        total += 1.0
    assert (before.data, total.data) == (6.0, 7.0)
    assert tg.topological_order(before) == [x, before]
