"""Replay of functions: comparisons are watched, and where one changes they are recorded again."""

import gc
import math
import random
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_replay_values import all_bits, all_close, program_of, recorded

from tinygrad_edu import Tensor, Value, gradients, no_grad, replay
from tinygrad_edu.scalar_nn import MLP


def counted(function):
    """The function, and a list that grows with every call of it."""
    calls = []

    def counting(*xs):
        calls.append(xs)
        return function(*xs)

    return counting, calls


def piecewise(x, y):
    if x > 0:
        return x * y
    if y < x or x >= -1:
        return x - y * 3
    return x**2 / y


# --- branches ------------------------------------------------------------------------------------


@given(numbers=st.lists(st.tuples(*[st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0])] * 2), max_size=8))
def test_branches_give_right_results_in_any_order(numbers):
    run = replay(piecewise, [1.0, 2.0])
    for xs in [*numbers, (1.0, 2.0)]:
        try:
            expected = recorded(piecewise, xs)
        except ZeroDivisionError:
            with pytest.raises(ZeroDivisionError, match="divide"):
                run(*xs)
        else:
            assert all_close(run(*xs), expected), xs


def test_it_is_recorded_again_only_when_a_comparison_comes_out_differently():
    f, calls = counted(lambda x: x * 2 if x > 0 else x * x)
    run = replay(f, [1.0])
    assert run(3.0) == (6.0, (2.0,))
    before = len(calls)
    assert [run(x)[0] for x in (2.0, 5.0, 0.1)] == [4.0, 10.0, 0.2]
    assert len(calls) == before + 2  # the looks at calls 2 and 4
    before = len(calls)
    assert run(-3.0) == (9.0, (-6.0,))
    assert len(calls) == before + 1
    assert run(0.0) == (0.0, (0.0,))  # checked against the function, and on the same side
    before = len(calls)
    assert run(-2.0) == (4.0, (-4.0,))
    assert len(calls) == before


@pytest.mark.parametrize(
    "compare",
    [
        lambda x: x > 1, lambda x: x >= 1, lambda x: not x < 1, lambda x: not x <= 1,
        lambda x: np.float64(1) < x, lambda x: np.greater(x, 1), lambda x: np.less_equal(1, x),
        lambda x: x > Value(1.0), lambda x: x * 2 - 1 > x, lambda x: 1 < x < 1e9,
    ],
)  # fmt: skip
def test_every_way_to_compare_is_watched(compare):
    def f(x):
        return x.exp() if compare(x) else x * 3

    run = replay(f, [5.0])
    for x in (2.0, 1.0, 0.5, math.nextafter(1, 2), math.nextafter(1, 0), -1.0, 4.0):
        assert all_close(run(x), recorded(f, (x,))), x


def test_a_comparison_with_nan_is_false_both_ways():
    def f(x):
        return x * 2 if x > 0 else x * 3 if x <= 0 else x * 5

    run = replay(f, [1.0])
    assert run(math.nan)[1] == (5.0,)
    assert run(-1.0) == (-3.0, (3.0,))


def newton(a):
    """√a: as many steps as it takes."""
    x = a * 1.0
    while abs(x * x - a) > 1e-9:
        x = (x + a / x) / 2
    return x


def test_loops_that_end_when_a_comparison_says_so():
    f, calls = counted(newton)
    run = replay(f, [2.0])
    for a in (2.1, 9.0, 1e4, 1.5, 0.25, 2.0):
        value, (slope,) = run(a)
        assert value == pytest.approx(math.sqrt(a), rel=1e-9)
        assert slope == pytest.approx(0.5 / math.sqrt(a), rel=1e-6)
    for _ in range(3):  # with looks at calls 2 and 4 of this recording
        run(2.0)
    before = len(calls)
    run(2.0)
    assert len(calls) == before  # the last recording is kept


@pytest.mark.no_cover
def test_many_comparisons_are_recorded_in_time_in_proportion_to_them():
    def decay(x):
        while x > 1e-3:
            x = x * 0.99
        return x

    start = time.perf_counter()
    value, (slope,) = replay(decay, [1.0])(0.9)
    assert time.perf_counter() - start < 5
    assert value == pytest.approx(slope * 0.9)


def test_what_is_compared_need_not_be_in_the_result():
    def f(x, y):
        return x * 2 if (y * y).log() > 0 else x * 3

    run = replay(f, [1.0, 2.0])
    assert [run(1.0, y)[1] for y in (3.0, 0.5, -0.5, -4.0)] == [
        (2.0, 0.0), (3.0, 0.0), (3.0, 0.0), (2.0, 0.0),
    ]  # fmt: skip


def test_a_parameter_that_is_compared_is_looked_at_in_each_call():
    threshold = Value(1.0, "threshold")
    run = replay(lambda x: x * 2 if x > threshold else x * threshold, [3.0], [threshold])
    assert run(2.0) == (4.0, (0.0,))
    threshold.data = 5.0
    assert run(2.0) == (10.0, (2.0,))


def test_comparisons_do_not_go_over_columns():
    run = replay(lambda x: x * 2 if x > 0 else x * x, [3.0])
    with pytest.raises(ValueError, match="each point may go its own way"):
        run(np.array([1.0, -1.0]))


def test_the_source_is_that_of_the_branch_and_says_when_it_holds():
    run = replay(piecewise, [Value(1.0, "width"), 2.0])
    assert program_of(run)(3.0, 4.0) == (12.0, (4.0, 3.0))
    assert "width" in run.source
    with pytest.raises(AssertionError):
        program_of(run)(-3.0, 4.0)
    run(-3.0, 4.0)
    assert all_close(program_of(run)(-4.0, 5.0), recorded(piecewise, (-4.0, 5.0)))
    assert "width" in run.source
    with pytest.raises(AssertionError):
        program_of(run)(3.0, 4.0)


def test_a_guard_at_which_rounding_decides_ends():
    x = next(x for k in range(1000) if (x := 1 + k / 173) ** 3 > x * x * x)

    def f(t):
        return t**3 * 2 if t**3 >= x**3 else t

    run = replay(f, [x])
    assert all_close(run(x), recorded(f, (x,)))


# --- graphs whose nodes were compared ------------------------------------------------------------


def test_a_graph_whose_nodes_were_compared_may_be_a_branch_and_is_refused():
    x = Value(2.0, "speed")
    root = x * 2 if x > 0 else x * x
    with pytest.raises(TypeError, match=r"'speed'.*was compared.*replay\(f, \[x\]\)"):
        replay(root)
    y, z = Value(2.0), Value(3.0)
    product = y * z
    assert np.greater(product, 1)
    with pytest.raises(TypeError, match="was compared"):
        replay(y * 2)  # y decided about what was compared


def test_a_function_that_uses_a_node_made_before_from_what_was_compared_is_refused():
    x = Value(2.0)
    before = x * 2 if x > 0 else x * x
    with pytest.raises(TypeError, match="made before, from nodes that were compared"):
        replay(lambda y: y * before.tanh(), [1.0])
    with pytest.raises(TypeError, match="made before, from nodes that were compared"):
        replay(lambda y: y * (before * 1), [1.0], [x])
    deep = before
    for _ in range(50):
        deep = deep * 1.01
    with pytest.raises(TypeError, match="made before, from nodes that were compared"):
        replay(lambda y: y * deep, [1.0])


def test_nodes_made_before_are_part_of_the_graph():
    w = Value(2.0, "w")
    cube = w * w * w
    run = replay(lambda x: x * cube, [1.0], [w])
    assert run(5.0) == (40.0, (60.0,))
    w.data = 3.0
    assert run(5.0) == (135.0, (135.0,))
    deep = w
    for _ in range(3000):
        deep = deep * 1.0001
    start = time.perf_counter()
    replay(lambda x: x * deep, [1.0])(2.0)
    assert time.perf_counter() - start < 8


def test_a_leaf_that_was_compared_elsewhere_may_be_used_in_a_function():
    w = Value(2.0, "w")
    assert w > 1
    assert replay(lambda x: x * w, [3.0], [w])(4.0) == (8.0, (4.0,))


# --- what a recording cannot see -----------------------------------------------------------------


def test_what_a_function_computes_outside_of_the_graph_is_found_out_by_the_first_call():
    sees_data = replay(lambda x: x * x.data, [2.0])
    with pytest.raises(RuntimeError, match=r"the function gives 9.0 where its recording gives 6.0"):
        sees_data(3.0)
    with pytest.raises(RuntimeError, match="recording"):
        replay(lambda x: x * float(x), [2.0])(3.0)
    draw = random.Random(1)
    with pytest.raises(RuntimeError, match="random numbers"):
        replay(lambda x: x * draw.random(), [2.0])(3.0)
    wrong_slope = replay(lambda x: x * 2 + (x - x.data) * 5, [2.0])
    with pytest.raises(RuntimeError, match="recording"):
        wrong_slope(3.0)
    with pytest.raises(RuntimeError, match="recording"):
        sees_data(np.array([3.0, 4.0]))
    assert sees_data(2.0) == (4.0, (2.0,))  # where it was recorded it is right


def test_what_is_nan_in_both_is_the_same():
    run = replay(lambda x: x * 0.0 + 1, [2.0])
    assert all_bits(run(math.inf)) == ("nan", ("0.0",))


@pytest.mark.parametrize("result", [2.0, None, "x", [Value(1.0)], np.ones(2)])
def test_a_function_returns_a_node(result):
    with pytest.raises(TypeError, match="replay: the function returned"):
        replay(lambda x: result, [1.0])
    with pytest.raises(TypeError, match="needs inputs"):
        replay(lambda x: x)


@pytest.mark.parametrize("given", ["x", 1j, None, Value(1.0) * 2, [None], [Value(1.0) * 2]])
def test_a_function_is_recorded_with_numbers_or_leaves(given):
    with pytest.raises(TypeError, match=r"replay: .*input"):
        replay(lambda x: x * 2, [given])


def test_an_error_of_the_function_itself_is_not_touched():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        replay(f, [1.0])


# --- inputs of functions -------------------------------------------------------------------------


def test_inputs_of_a_function_are_called_as_its_parameters_or_as_their_labels():
    run = replay(lambda speed, time: speed * time, [Value(2.0, "v"), 3.0])
    assert repr(run).startswith("replay of\ndef program(v, time):")
    assert run(4.0, 5.0) == (20.0, (5.0, 4.0))
    assert "def program(v, time):" in run.source


def test_a_model_is_a_list_of_inputs_or_read_at_each_call():
    model = MLP(2, [4, 1], rng=random.Random(1))
    parameters = model.parameters()

    def loss(x, y):
        return (model([x, y]) - 1.0) ** 2

    own = replay(loss, [0.3, 0.5], parameters)
    value, grads = own(0.7, -0.2)
    root = loss(Value(0.7), Value(-0.2))
    exact = gradients(root, *parameters)
    assert value == pytest.approx(root.data, rel=1e-13)
    assert grads == pytest.approx([g.data for g in exact], rel=1e-12, abs=1e-15)
    (as_array,) = replay(loss, [0.3, 0.5], [parameters])(0.7, -0.2)[1]
    assert as_array.tolist() == pytest.approx(grads)
    for p, g in zip(parameters, grads, strict=True):
        p.data -= 0.01 * g
    assert own(0.7, -0.2)[0] == pytest.approx(loss(Value(0.7), Value(-0.2)).data, rel=1e-12)
    assert own(0.7, -0.2)[0] < value


def test_lists_of_inputs_are_lists_of_nodes_in_the_function():
    def f(x, weights):
        total = weights[0] * x
        for w in weights[1:]:
            total = total.relu() * w if total > 0 else total - w
        return total

    run = replay(f, [2.0, [0.5, 1.5, -1.0]])
    for x, ws in ((1.0, [1.0, 2.0, 3.0]), (-1.0, [1.0, 2.0, 3.0]), (2.0, [0.5, -1.5, 1.0])):
        value, (dx, dw) = run(x, ws)
        leaves = [Value(x), *map(Value, ws)]
        root = f(leaves[0], leaves[1:])
        root.backward()
        assert value == root.data
        assert [dx, *dw] == [leaf.grad for leaf in leaves]
    with pytest.raises(ValueError, match="a list of 3 inputs was recorded"):
        run(1.0, [1.0, 2.0])


def test_a_function_of_no_inputs():
    w = Value(3.0, "w")
    assert replay(lambda: w * w, [], [w])() == (9.0, (6.0,))


def test_a_function_may_give_one_of_its_inputs_as_it_is():
    run = replay(lambda x, y: x if x > y else y, [2.0, 1.0])
    assert run(4.0, 3.0) == (4.0, (1.0, 0.0))
    assert run(3.0, 4.0) == (4.0, (0.0, 1.0))


# --- blocks, threads and memory ------------------------------------------------------------------


def test_inside_no_grad_functions_are_recorded_all_the_same():
    x = Value(2.0, "x")
    root = x * x
    with no_grad():
        run = replay(lambda x: x * 2 if x > 0 else x**3, [1.0])
        assert run(5.0) == (10.0, (2.0,))
        assert run(-2.0) == (-8.0, (12.0,))
        assert replay(root)(3.0) == (9.0, (6.0,))
        assert not (x * 2).operands  # the block is still open


def nodes_alive():
    gc.collect()
    return sum(type(x) in (Value, Tensor) for x in gc.get_objects())


@pytest.mark.untraced
def test_a_dropped_replay_is_freed_with_its_graph():
    before = nodes_alive()
    x = Value(2.0, "x")
    root = (x * 3).tanh().exp()
    run = replay(root)
    columns = replay(root, backend="numpy")
    branching = replay(piecewise, [1.0, 2.0])
    columns(np.ones(10))
    branching(-1.0, 1.0)
    watched = [weakref.ref(made._replay) for made in (run, columns, branching)]
    assert nodes_alive() > before
    del x, root, run, columns, branching
    gc.collect()
    assert [ref() for ref in watched] == [None] * 3
    assert nodes_alive() == before


def test_recording_again_keeps_no_graph_of_before():
    run = replay(newton, [2.0])
    run(2.1)
    before = nodes_alive()
    for a in (9.0, 1e4, 0.25, 2.1):
        run(a)
    assert nodes_alive() == before
