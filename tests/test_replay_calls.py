"""What a replay of a graph of Values is called with: lists, wrt, leaves that change, and errors."""

import math
import re

import numpy as np
import pytest
from test_replay_values import all_bits, all_close, graph_of, program_of, recorded

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, replay

# --- inputs, lists, wrt --------------------------------------------------------------------------


def named(**numbers):
    return [Value(x, label) for label, x in numbers.items()]


def test_all_leaves_are_inputs_in_the_order_of_the_graph():
    a, b, c = named(a=2.0, b=3.0, c=5.0)
    assert replay(b * c - a)(3.0, 5.0, 2.0) == (13.0, (5.0, 3.0, -1.0))


def test_lists_take_sequences_and_give_arrays():
    x, y, w, b = named(x=1.0, y=2.0, w=3.0, b=4.0)
    run = replay((x * w + b - y) ** 2, inputs=[x, y, [w, b]])
    for numbers in ([0.5, 1.0], (0.5, 1), np.array([0.5, 1.0]), np.array([0.5, 1], np.float32)):
        value, (dx, dy, dp) = run(2.0, 5, numbers)
        assert (value, dx, dy) == (9.0, -3.0, 6.0)
        assert isinstance(dp, np.ndarray)
        assert dp.dtype == float
        assert dp.tolist() == [-12.0, -6.0]
    assert list(program_of(run)(2.0, 5.0, [0.5, 1.0])[1]) == [-3.0, 6.0, -12.0, -6.0]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([1.0], ValueError), ([1.0, 2.0, 3.0], ValueError), ([], ValueError),
        ([[1.0, 2.0]], ValueError), (1.0, ValueError), (np.ones((2, 1)), ValueError),
        (None, TypeError), ("12", TypeError), (["1", "2"], TypeError), ([1j, 2.0], TypeError),
        ([1.0, None], TypeError), ([Value(1.0), Value(2.0)], TypeError), ({1.0, 2.0}, TypeError),
        (iter([1.0, 2.0]), TypeError),
    ],
)  # fmt: skip
def test_what_is_no_sequence_of_as_many_numbers_is_refused(given, error):
    x, w, b = named(x=1.0, w=3.0, b=4.0)
    run = replay(x * w + b, inputs=[x, [w, b]])
    with pytest.raises(error, match="replay"):
        run(2.0, given)
    assert run(2.0, [1.0, 1.0])[0] == 3.0


def test_empty_lists_and_lists_of_one():
    x, w = named(x=2.0, w=3.0)
    value, (dx, none, one) = replay(x * w, [x, [], [w]])(4.0, [], [5.0])
    assert (value, dx, none.tolist(), one.tolist()) == (20.0, 5.0, [], [4.0])


def test_gradients_come_in_the_order_of_wrt():
    x, y, z, unused = named(x=2.0, y=3.0, z=4.0, unused=1.0)
    root = x * y + z
    assert replay(root, [x, y, z], [z, x])(5.0, 6.0, 7.0) == (37.0, (1.0, 6.0))
    assert replay(root, [x, y, z], [])(5.0, 6.0, 7.0) == (37.0, ())
    assert replay(root, [x, y, z, unused], [unused, y])(5.0, 6.0, 7.0, 9.0) == (37.0, (0.0, 5.0))
    _, (both,) = replay(root, [x, y, z], [[z, y]])(5.0, 6.0, 7.0)
    assert both.tolist() == [1.0, 5.0]
    assert replay(root, [x], [y])(5.0) == (19.0, (5.0,))  # y is not an input


def test_wrt_may_have_single_leaves_of_a_list_in_any_order():
    a, x, y, z = named(a=1.0, x=2.0, y=3.0, z=7.0)

    def f(a, p):
        return a * p[0] * p[1] ** 2 * z

    for what in (f, f(a, [x, y])):
        value, (by_y, both, by_z, by_a) = replay(what, [a, [x, y]], [y, [y, a, x], z, a])(
            2.0, [5, 1]
        )
        assert (value, by_y, by_z, by_a) == (70.0, 140.0, 10.0, 35.0)
        assert both.tolist() == [140.0, 35.0, 14.0]


def test_wrt_says_which_input_is_meant():
    number = 1.0
    run = replay(lambda x, y: x * y, [number, 2.0], [number])
    assert run(3.0, 4.0) == (12.0, (4.0,))
    with pytest.raises(ValueError, match=r"wrt has 1.0, which is several inputs"):
        replay(lambda x, y: x * y, [number, number], [number])
    x = Value(2.0)
    with pytest.raises(ValueError, match="several inputs"):
        replay(lambda x, y: x * y, [x, x], [x])
    assert replay(lambda x, y: x * y, [x, x])(3.0, 4.0) == (12.0, (4.0, 3.0))


def test_leaves_that_are_no_inputs_are_read_at_each_call():
    x, w = named(x=2.0, w=3.0)
    run = replay((x * w - 1) ** 2, [x], [w])
    optimizer = tg.optim.SGD([w], lr=0.1)
    for _ in range(5):
        value, (g,) = run(2.0)
        assert (value, g) == ((2 * w.data - 1) ** 2, 4 * (2 * w.data - 1))
        w.grad = g
        optimizer.step()
    assert w.data != 3.0


def test_nothing_is_written_to_the_nodes_of_the_graph():
    x, w = named(x=2.0, w=3.0)
    root = (x * w).tanh()
    before = root.data
    replay(root, [x])(5.0)
    with pytest.raises(ValueError, match="log"):
        replay(w.log() * x, [x, w])(1.0, -1.0)
    assert (root.data, root.grad, x.data, x.grad, w.grad) == (before, 0.0, 2.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        (lambda x, y: [x, x], ValueError), (lambda x, y: [x, [y, x]], ValueError),
        (lambda x, y: [x, 3.0], TypeError), (lambda x, y: [x * 1, y], TypeError),
        (lambda x, y: "xy", TypeError), (lambda x, y: [None], TypeError),
        (lambda x, y: [tg.Tensor(1.0)], TypeError), (lambda x, y: [np.ones(2)], TypeError),
    ],
)  # fmt: skip
def test_inputs_are_leaves_once_each(inputs, error):
    x, y = named(x=2.0, y=3.0)
    with pytest.raises(error, match="replay: input"):
        replay(x * y, inputs(x, y))


@pytest.mark.parametrize("wrong", [0, 2.0, "x", None])
def test_wrt_are_leaves(wrong):
    x, y = named(x=2.0, y=3.0)
    with pytest.raises(TypeError, match="not a leaf"):
        replay(x * y, [x, y], [wrong])
    with pytest.raises(TypeError, match="not a leaf"):
        replay(x * y, [x, y], [x * y])


# --- errors --------------------------------------------------------------------------------------

REFUSED = [
    (lambda x: (x * 2).log(), -1.0, ValueError), (lambda x: 2 / (x - 1), 1.0, ZeroDivisionError),
    (lambda x: (x * 2).exp(), 500.0, OverflowError), (lambda x: x**0.5, -4.0, ValueError),
    (lambda x: x.sqrt(), 0.0, ZeroDivisionError), (lambda x: x.arcsin(), 2.0, ValueError),
    (lambda x: (x - 1) ** -1, 1.0, ValueError), (lambda x: x.cosh() * 2, 1000.0, OverflowError),
    (lambda x: 1 / x.exp(), 1000.0, OverflowError), (lambda x: x**0.5, 0.0, ZeroDivisionError),
]  # fmt: skip


@pytest.mark.parametrize(("function", "x", "error"), REFUSED)
def test_errors_are_those_of_recording_afresh(function, x, error):
    with pytest.raises(error) as own:
        recorded(function, (x,))
    root, leaves = graph_of(function, (0.5,))
    for run in (replay(root, leaves), replay(function, leaves), replay(root, backend="numpy")):
        with tg.no_grad(), pytest.raises(error) as found:
            run(x)
        assert str(found.value) == str(own.value)
        assert all_close(run(0.25), recorded(function, (0.25,)))  # it goes on


def test_errors_name_labels_of_inner_nodes_and_of_leaves():
    x, error = named(x=2.0, error=3.0)  # a label that an except clause would use
    distance = x - error
    distance.label = "distance"
    with pytest.raises(ZeroDivisionError, match=r"divide\(1.0, Value\(0.0.*label='distance'"):
        replay(1 / distance)(1.0, 1.0)
    with pytest.raises(ValueError, match="label='error'"):
        replay(x * error.log())(1.0, -1.0)


@pytest.mark.parametrize("backend", ["python", "numpy", None])
@pytest.mark.parametrize("wrong", ["1", b"1", 1j, None, Value(1.0), [None], object(), {}])
def test_what_is_no_number_is_refused_by_the_name_of_the_input(backend, wrong):
    speed, time = named(speed=2.0, time=3.0)
    run = replay(speed * time, backend=backend)
    with pytest.raises(TypeError, match=r"replay: time"):
        run(1.0, wrong)


@pytest.mark.parametrize("backend", ["python", "numpy"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_arguments_as_inputs(backend, count):
    x, y = named(x=2.0, y=3.0)
    for run in (replay(x * y, backend=backend), replay(lambda x, y: x * y, [1, 2])):
        with pytest.raises(TypeError, match=re.compile("replay.* (argument|inputs)")):
            run(*[1.0] * count)


@pytest.mark.parametrize("number", [2, True, np.float64(2), np.float32(2), np.int8(2), np.array(2)])
def test_every_kind_of_real_number_is_taken(number):
    x, y = named(x=2.0, y=3.0)
    value, (dx, dy) = replay(x * y + x)(number, 0.5)
    assert (value, dx, dy) == (float(number) * 1.5, 1.5, float(number))
    assert {type(value), type(dx), type(dy)} == {float}


def test_numbers_at_the_ends():
    x, y = named(x=2.0, y=3.0)
    run = replay(x * y)
    assert all_bits(run(math.inf, 0.0)) == ("nan", ("0.0", "inf"))
    assert all_bits(run(math.nan, -0.0)) == ("nan", ("-0.0", "nan"))
    with pytest.raises(OverflowError, match="replay: x is larger than any float"):
        run(10**400, 1.0)


def test_a_power_overflows_with_an_error_and_a_product_is_inf():
    x = Value(2.0, "x")
    with pytest.raises(OverflowError, match=r"power\(Value\(1e\+200"):
        replay(x**2, [x])(1e200)
    with pytest.raises(OverflowError, match="power"):
        replay(x**3, [x])(-1e108)
    assert replay(x * x, [x])(1e200) == (math.inf, (2e200,))


@pytest.mark.parametrize("wrong", [3.0, "x", None, [Value(1.0)], Value(1.0)])
def test_there_is_nothing_to_replay_in_what_is_no_operation(wrong):
    with pytest.raises(TypeError, match="replay"):
        replay(wrong)
    with pytest.raises(ValueError, match="backend is 'cuda'"):
        replay(Value(1.0) * 2, backend="cuda")


@pytest.mark.parametrize("name", ["inputs", "wrt"])
def test_a_single_leaf_is_no_list(name):
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=f"{name} is a Tensor; give a list"):
        replay((x * x).sum(), **{name: x})
