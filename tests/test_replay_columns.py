"""Replay over columns: each point is what a call with its numbers gives."""

import math
import random
import threading
import warnings

import custom_rules
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import GRAPHS, follow, places
from rule_table import ELEMENTWISE
from test_replay_values import close, graph_of, points, recorded, rule_function

from tinygrad_edu import Value, replay, where
from tinygrad_edu.replay.columns import BLOCK

softsign, swish = custom_rules.softsign, custom_rules.swish


def named(**numbers):
    return [Value(x, label) for label, x in numbers.items()]


def point_by_point(function, given):
    """What recording afresh gives at each point: values, and gradients by each argument, summed
    where it is a number."""
    shape = next(np.shape(x) for x in given if np.shape(x))
    flat = [np.broadcast_to(x, shape).ravel().tolist() for x in given]
    found = [recorded(function, xs) for xs in zip(*flat, strict=True)]
    values = np.array([value for value, _ in found]).reshape(shape)
    columns = [np.array([grads[i] for _, grads in found]) for i in range(len(given))]
    return values, [
        g.reshape(shape) if np.shape(x) else math.fsum(g)
        for x, g in zip(given, columns, strict=True)
    ]


def assert_same(run, function, given, rel=1e-12):
    value, grads = run(*given)
    exact, exact_grads = point_by_point(function, given)
    np.testing.assert_allclose(value, exact, rtol=rel, atol=1e-300)
    assert len(grads) == len(given)
    for x, g, expected in zip(given, grads, exact_grads, strict=True):
        if np.shape(x):
            assert isinstance(g, np.ndarray)
            assert g.dtype == float
            np.testing.assert_allclose(g, expected, rtol=rel, atol=1e-14)
        else:
            assert type(g) is float
            scale = np.sum(np.abs(point_by_point(function, given)[1][0]))
            assert close(g, expected, slack=1e-13 * scale, rel=1e-12)


def function_of(x, y, w):
    return (x * w).tanh() * y + (x - y).exp() / 2 + w**2


NAMES = pytest.mark.parametrize("name", ELEMENTWISE)


# --- every rule ----------------------------------------------------------------------------------


@NAMES
def test_every_rule_over_columns_kinks_and_ties_too(name):
    function, row = rule_function(name), ELEMENTWISE[name]
    root, leaves = graph_of(function, points(row)[0])
    columns = [np.array(x) for x in zip(*points(row), strict=True)]
    run = replay(root, leaves)
    with warnings.catch_warnings():
        if name == "power":  # its formula takes the logarithm of both sides of a choice
            warnings.simplefilter("ignore", RuntimeWarning)
        assert_same(run, function, columns)
        inside = [column[:20] for column in columns]  # a number fits every point of the domain
        for i in range(len(columns) - 1):
            assert_same(run, function, [*inside[:i], inside[i][0].item(), *inside[i + 1 :]])


@pytest.mark.parametrize("name", ["softsign", "swish"])
def test_rules_of_ones_own_over_columns(request, name):
    operation = request.getfixturevalue(name)

    def function(x, w):
        return operation(x * w) * x

    xs = np.array([0.0, -0.0, 1.5, -2.0, 40.0, -40.0])
    assert_same(replay(*graph_of(function, (0.3, 0.2))), function, (xs, 0.7))
    assert_same(replay(*graph_of(function, (0.3, 0.2))), function, (xs, xs[::-1]))


@given(
    graph=GRAPHS,
    factors=st.lists(st.tuples(*[st.floats(0.95, 1.05)] * 3) | st.none(), max_size=12),
)
def test_random_graphs_over_columns_and_numbers(graph, factors):
    leaves = places(graph)
    given = [graph.inputs[i] for i in leaves]
    for k, triple in enumerate(factors[: len(leaves)]):
        if triple is not None:
            given[k] = given[k] * np.array(triple)
    assume(any(map(np.shape, given)))
    nodes = follow(graph)
    spread, values, slopes = [], [], []
    for k in range(3):
        moved = {i: float(np.broadcast_to(x, 3)[k]) for i, x in zip(leaves, given, strict=True)}
        try:
            runs = [follow(graph, moved, w) for w in (None, *map(random.Random, range(4)))]
            for nodes_of_run in runs:
                nodes_of_run[-1].backward()
        except (ArithmeticError, ValueError):
            assume(False)  # outside what a rule takes
        values.append(runs[0][-1].data)
        slopes.append([runs[0][i].grad for i in leaves])
        spread.append([max(abs(r[i].grad - runs[0][i].grad) for r in runs[1:]) for i in leaves])
        spread[-1].append(max(abs(r[-1].data - runs[0][-1].data) for r in runs[1:]))
    with np.errstate(all="ignore"):
        value, grads = replay(nodes[-1], [nodes[i] for i in leaves])(*given)
    assert all(close(v, x, 8 * s[-1]) for v, x, s in zip(value, values, spread, strict=True))
    for i, (x, g) in enumerate(zip(given, grads, strict=True)):
        exact, slack = [s[i] for s in slopes], [8 * s[i] for s in spread]
        if np.shape(x):
            assert all(map(close, g, exact, slack))
        else:
            assert close(g, math.fsum(exact), sum(slack) + 1e-14 * sum(map(abs, exact)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x * 0.0 + y,
        lambda x, y: x * 0.0 + y * y,
        lambda x, y: (x * 0.0 + y) * y + x,
        lambda x, y: where(False, x, y) * y,
        lambda x, y: (x - x + y) * x,
    ],
)
def test_what_is_simplified_to_a_number_that_all_points_share_does_not_vary(function):
    root, leaves = graph_of(function, (0.3, 0.2))
    assert_same(replay(root, leaves), function, (np.array([1.0, 2.0, 4.0]), 3.0))


# --- columns and numbers -------------------------------------------------------------------------

SIZES = (1, 2, 7, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3, 5 * BLOCK)


@pytest.mark.parametrize("n", SIZES)
def test_any_number_of_points(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(2, n))
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    run = replay(root, leaves)
    for w in (0.7, 0.7, -0.4):  # twice: buffers are used again
        value, (dx, dy, dw) = run(x, y, w)
        t, e = np.tanh(x * w), np.exp(x - y) / 2
        np.testing.assert_allclose(value, t * y + e + w * w, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(dx, (1 - t * t) * y * w + e, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(dy, t - e, rtol=1e-12, atol=1e-13)
        terms = (1 - t * t) * y * x + 2 * w
        assert dw == pytest.approx(math.fsum(terms), rel=1e-12, abs=1e-14 * np.abs(terms).sum())


def test_sizes_may_change_from_call_to_call():
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    run = replay(root, leaves)
    rng = np.random.default_rng(3)
    for n in (5, 1, 3 * BLOCK + 2, 5, 0, BLOCK + 7, 2, 9, 5):
        x, y = rng.normal(size=(2, n))
        value, (dx, _dy, dw) = run(x, y, 0.7)
        pairs = [run(a, b, 0.7) for a, b in zip(x[:3].tolist(), y[:3].tolist(), strict=True)]
        assert value[:3] == pytest.approx([v for v, _ in pairs], rel=1e-13)
        assert dx[:3] == pytest.approx([grads[0] for _, grads in pairs], rel=1e-13)
        if n <= 3:
            assert dw == pytest.approx(math.fsum(grads[2] for _, grads in pairs), rel=1e-13)


@pytest.mark.parametrize(
    "given",
    [
        (np.array([0.5, 1.0, -2.0]), 1.5, 0.7), (1.5, np.array([0.5, 1.0, -2.0]), 0.7),
        (1.5, 0.7, np.array([0.5, 1.0, -2.0])), (np.array([0.5, 1.0]), np.array([2.0, 3.0]), 0.7),
        tuple(np.random.default_rng(1).normal(size=(3, 4))),
        tuple(np.random.default_rng(1).normal(size=(3, 2, 3))),
        (np.random.default_rng(1).normal(size=(2, 1, 3)), 0.5, 1), (np.array([[0.3]]), 0.2, 0.1),
        ([0.5, 1.0, -2.0], 1.5, 0.7), ((0.5, 1.0), 1, [0.7, 0.9]), ([[0.5], [1.0]], 0.1, 0.2),
        (np.arange(-3, 3), 1, 2), (np.array([True, False]), 1.0, 2.0),
        (np.arange(12.0).reshape(3, 4).T / 7, 0.5, 0.1), (np.arange(20.0)[::-3] / 9, 0.5, 0.1),
        (np.asfortranarray(np.random.default_rng(1).normal(size=(3, 2))),
         np.random.default_rng(2).normal(size=(3, 2)), 0.3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["python", "numpy", None])
def test_columns_and_numbers_are_mixed(given, backend):
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    assert_same(replay(root, leaves, backend=backend), function_of, given)


def test_float32_columns_are_computed_with_float64():
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    value, (dx, _, _) = replay(root, leaves)(x, 0.5, 0.1)
    exact, (exact_dx, _, _) = replay(root, leaves)(x.astype(float), 0.5, 0.1)
    assert value.dtype == dx.dtype == float
    assert (value.tolist(), dx.tolist()) == (exact.tolist(), exact_dx.tolist())


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_no_points_at_all(shape):
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    for run in (replay(root, leaves), replay(function_of, [0.1, 0.2, 0.3])):
        value, (dx, dy, dw) = run(np.zeros(shape), 0.5, 0.1)
        assert value.shape == dx.shape == shape
        assert (dy, dw) == (0.0, 0.0)


def test_constant_gradients_by_columns_are_columns_and_those_by_numbers_count_the_points():
    x, w = named(x=1.0, w=2.0)
    value, (dx, dw) = replay(x * 2 + w, [x, w])(np.array([1.0, 2.0, 3.0]), 5.0)
    assert (value.tolist(), dx.tolist(), dw) == ([7.0, 9.0, 11.0], [2.0, 2.0, 2.0], 3.0)
    value, (dx, dw) = replay(x * w, [x, w])(np.array([1.0, 2.0, 3.0]), 5.0)
    assert (value.tolist(), dx.tolist(), dw) == ([5.0, 10.0, 15.0], [5.0, 5.0, 5.0], 6.0)


def test_a_root_that_depends_on_no_column_is_the_same_at_every_point():
    x, w = named(x=1.0, w=2.0)
    value, (dx, dw) = replay(w * w, [x, w])(np.zeros((2, 2)), 3.0)
    assert value.tolist() == [[9.0, 9.0], [9.0, 9.0]]
    assert dx.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert dw == 4 * 6.0


def test_sums_over_points_go_through_what_all_points_share():
    x, w, b = named(x=1.0, w=2.0, b=0.5)
    root = ((w * b).exp() * x + b.sin()).tanh() * w.log()
    given = (np.linspace(-1, 1, 9), 1.3, -0.2)
    run = replay(root, [x, w, b])
    assert_same(run, lambda x, w, b: ((w * b).exp() * x + b.sin()).tanh() * w.log(), given)
    assert_same(run, lambda x, w, b: ((w * b).exp() * x + b.sin()).tanh() * w.log(),
                (0.4, given[0] + 2, 0.3))  # fmt: skip


def test_lists_and_other_leaves_are_shared_by_all_points():
    x, y, w, b, scale = named(x=1.0, y=2.0, w=3.0, b=4.0, scale=10.0)
    run = replay((x * w + b - y) ** 2 * scale, [x, y, [w, b]], [[b, w], scale, x])
    xs, ys = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    for s in (10.0, 0.5):
        scale.data = s
        value, (dp, ds, dx) = run(xs, ys, [0.5, 0.25])
        d = xs * 0.5 + 0.25 - ys
        np.testing.assert_allclose(value, d * d * s, rtol=1e-13)
        assert dp.tolist() == pytest.approx([sum(2 * d * s), sum(2 * d * xs * s)], rel=1e-13)
        assert ds == pytest.approx(sum(d * d), rel=1e-13)
        np.testing.assert_allclose(dx, d * s, rtol=1e-13)
    with pytest.raises(ValueError, match="a list of 2 inputs was recorded"):
        run(xs, ys, [0.5, 0.25, 1.0])
    with pytest.raises(ValueError, match="a list of 2 inputs was recorded"):
        run(xs, ys, np.ones((2, 2)))  # parameters are no columns


# --- errors and warnings -------------------------------------------------------------------------


def test_columns_of_different_shapes_are_refused_with_both():
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match=r"columns of shapes \(2,\), \(3,\) were given"):
        replay(root, leaves)(np.zeros(2), np.zeros(3), 1.0)
    with pytest.raises(ValueError, match=r"\(1,\), \(3,\)"):  # they do not broadcast
        replay(root, leaves)(np.zeros(1), np.zeros(3), 1.0)


@pytest.mark.parametrize(
    "column",
    [["1", "2"], np.array([1j, 2.0]), [None, 1.0], [Value(1.0), 2.0],
     np.array(["a"]), np.array([object()])],
)  # fmt: skip
def test_columns_hold_real_numbers(column):
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    with pytest.raises(TypeError, match="replay: x1"):
        replay(root, leaves)(np.zeros(2), column, 1.0)


def test_where_a_point_is_outside_of_the_domain_it_is_nan_or_inf_with_the_warning_of_numpy():
    (x,) = named(x=1.0)
    with pytest.warns(RuntimeWarning, match="invalid value encountered in log"):
        value, (dx,) = replay(x.log())(np.array([1.0, -2.0]))
    assert value[0] == 0.0
    assert math.isnan(value[1])
    assert dx.tolist() == [1.0, -0.5]
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        value, (dx,) = replay(1 / x)(np.array([0.0, 2.0]))
    assert value.tolist() == [math.inf, 0.5]
    assert dx.tolist() == [-math.inf, -0.25]
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert replay(x.exp())(np.array([1e4]))[0].tolist() == [math.inf]
    with np.errstate(all="ignore"):
        assert replay(x.sqrt())(np.array([-1.0, 4.0]))[1][0].tolist()[1] == 0.25


def test_what_all_points_share_raises_as_numbers_do():
    x, rate = named(x=1.0, rate=2.0)
    run = replay(x * rate.log(), [x, rate])
    with pytest.raises(ValueError, match=r"log\(Value\(-1.0.*label='rate'"):
        run(np.array([1.0, 2.0]), -1.0)
    with pytest.raises(ZeroDivisionError, match="divide"):
        replay(x * (1 / rate), [x, rate])(np.array([1.0, 2.0]), 0.0)
    assert run(np.array([1.0, 2.0]), 1.0)[0].tolist() == [0.0, 0.0]


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, BLOCK, BLOCK + 5])
def test_nothing_that_is_given_back_or_handed_in_is_a_buffer(n):
    x, y, w = named(x=1.0, y=2.0, w=3.0)
    run = replay(x * w * y + x, [x, y, w])  # the gradients by x and y are nearly inputs
    given = [np.linspace(1, 2, n), np.linspace(3, 4, n), 1.0]
    copies = [np.copy(a) for a in given]
    value, (dx, dy, dw) = run(*given)
    for a, b in ((value, dx), (value, dy), (dx, dy), (value, given[0]), (dy, given[0])):
        assert not np.shares_memory(a, b)
    first = [np.copy(a) for a in (value, dx, dy, dw)]
    for a in (value, dx, dy):
        a[:] = np.nan
    value, (dx, dy, dw) = run(*given)
    for a, b in zip((value, dx, dy, dw), first, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(given, copies, strict=True):
        np.testing.assert_array_equal(a, b)
    run(given[0] * 5, given[1], 2.0)
    np.testing.assert_array_equal(value, first[0])  # a later call leaves it alone
    np.testing.assert_array_equal(dx, first[1])


def test_a_gradient_that_is_an_input_is_a_copy_of_it():
    x, y = named(x=1.0, y=2.0)
    xs, ys = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    _, (dx, dy) = replay(x * y, [x, y])(xs, ys)
    assert (dx.tolist(), dy.tolist()) == (ys.tolist(), xs.tolist())
    dx[:] = dy[:] = 0.0
    assert (xs.tolist(), ys.tolist()) == ([1.0, 2.0], [3.0, 4.0])


def test_read_only_columns_are_taken():
    x, y = named(x=1.0, y=2.0)
    xs = np.broadcast_to(np.array(2.0), (4,))
    assert replay(x * y, [x, y])(xs, 3.0)[0].tolist() == [6.0] * 4


def test_threads_may_share_a_replay():
    run = replay(lambda x, w: (x * w).tanh().exp() * x, [0.1, 0.2])
    xs = np.linspace(-1, 1, BLOCK + 1000)
    run(xs, 0.5)
    expected = {w: run(xs, w)[0] for w in (0.5, 0.9, -1.3)}
    wrong = []

    def call(w):
        wrong.extend(w for _ in range(40) if not np.array_equal(run(xs, w)[0], expected[w]))

    threads = [threading.Thread(target=call, args=(w,)) for w in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
