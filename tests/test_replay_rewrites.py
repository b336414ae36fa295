"""Every rewrite of a replay: where it holds it is exact, or differs as docs/replay.md says."""

import math
import warnings

import numpy as np
import pytest
from rule_table import every_rule
from test_replay_edges import EDGES, FUNCTIONS
from test_replay_values import recorded

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, replay
from tinygrad_edu.engine.observers import note_comparison
from tinygrad_edu.nn import cross_entropy
from tinygrad_edu.replay.recording import eager
from tinygrad_edu.rules import rule

RNG = np.random.default_rng(7)


def quietly(call):
    """What a call gives, and the kinds of NumPy's warnings: overflow, divide, invalid."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call()
    return found, {str(w.message).split()[0] for w in caught}


def of_the_graph(function, *arrays, wrt=True):
    leaves = [Tensor(x) for x in arrays]
    return eager(function(*leaves), leaves if wrt else [])


def assert_same(found, expected, rel=1e-12, slack=0.0):
    for x, y in zip((found[0], *found[1]), (expected[0], *expected[1]), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=rel, atol=slack)


# --- arrays at the edges of floats ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [x for x in FUNCTIONS if x != "1 / n"])
def test_arrays_at_edges_have_the_numbers_of_the_graph_and_no_warnings_of_their_own(name, dtype):
    function, n = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        edges = np.array(EDGES).astype(dtype)
        arrays = [x.ravel() for x in np.meshgrid(*[edges] * n)]
        leaves = [Tensor(np.full(arrays[0].size, x, dtype)) for x in (0.5, 0.75)[:n]]
        y = function(*leaves)
        values, gradients = replay(y, leaves, wrt=[]), replay(y.sum(), leaves)
    rel, slack = (1e-12, 1e-300) if dtype == np.float64 else (1e-5, 1e-37)
    expected, graph_warns = quietly(lambda: of_the_graph(function, *arrays, wrt=False))
    found, replay_warns = quietly(lambda: values(*arrays))
    assert_same(found, expected, rel, slack)
    assert replay_warns <= graph_warns
    total = quietly(lambda: of_the_graph(lambda *xs: function(*xs).sum(), *arrays))
    (_, expected), graph_warns = total
    (_, found), replay_warns = quietly(lambda: gradients(*arrays))
    assert_same((0.0, found), (0.0, expected), rel, slack)
    assert replay_warns <= graph_warns


ARRAY_EDGES = [0.0, -0.0, 1.0, -1.0, 3.0, 1e-200, 5e-324, math.inf, -math.inf, math.nan, 1e200]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("extreme", [False, True])
@every_rule
def test_array_rules_at_edges_have_the_numbers_of_the_graph(call, extreme, dtype):
    rng = np.random.default_rng(1)

    def weighed(*nodes):
        y = call.ours(*nodes)
        weights = np.arange(1, y.size + 1, dtype=dtype).reshape(y.shape)
        return (y * weights).sum()

    with np.errstate(all="ignore"):
        edges = np.array(ARRAY_EDGES[: None if extreme else 8]).astype(dtype)
        arrays = [np.array(rng.choice(edges, shape), dtype) for shape in call.shapes]
        ordinary = [np.array(rng.uniform(0.5, 1.5, shape), dtype) for shape in call.shapes]
        run = replay(weighed, list(map(Tensor, ordinary)))
        for x in (0.25, 0.5, 0.125, 0.75):  # calls 5 to 7 are a replay without a look
            run(*[np.array(x + y, dtype) for y in ordinary])
        run(*arrays)  # records `where(x > 0, ...)` again, after it has run with the mask of before
    expected, graph_warns = quietly(lambda: of_the_graph(weighed, *arrays))
    found, replay_warns = quietly(lambda: run(*arrays))
    rel, slack = (1e-11, 1e-300) if dtype == np.float64 else (1e-4, 1e-37)
    assert_same(found, expected, rel, slack)
    assert replay_warns <= graph_warns


# --- softmax -------------------------------------------------------------------------------------


def softmax_of(x, axis=-1):
    z = x - x.max(axis=axis, keepdims=True)
    return z, z.exp().sum(axis=axis, keepdims=True)


LOOKALIKES = {
    "another sum": lambda x: (softmax_of(x)[0] - (softmax_of(x)[1] * 0.5).log()).exp(),
    "not below its maximum": lambda x: (x - x.exp().sum(axis=-1, keepdims=True).log()).exp(),
    "a sum along another axis": lambda x: (
        softmax_of(x)[0] - softmax_of(x)[0].exp().sum(axis=0, keepdims=True).log()
    ).exp(),
    "below the maximum of another axis": lambda x: (
        softmax_of(x, 0)[0] - softmax_of(x, 0)[0].exp().sum(axis=1, keepdims=True).log()
    ).exp(),
    "a sum of another kind": lambda x: (softmax_of(x)[0].exp() + softmax_of(x)[0] - x.log()).exp(),
    "softmax written out": lambda x: (softmax_of(x)[0] - softmax_of(x)[1].log()).exp(),
    "log softmax": lambda x: tg.log_softmax(x).exp(),
    "along the first axis": lambda x: tg.log_softmax(x, axis=0).exp(),
}
TABLES = {
    "ordinary": RNG.normal(size=(3, 4)) ** 2,
    "far apart": np.array([[0.0, 800.0, 1600.0, 3.0], [1e5, 0.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]),
    "tiny": np.full((3, 4), 1e-300),
    "infinite": np.array([[0.0, np.inf, 1.0, 2.0], [-np.inf] * 4, [1.0, -np.inf, 0.0, 0.0]]),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", LOOKALIKES)
def test_exp_of_x_minus_log_s_is_a_quotient_in_log_softmax_only(name, table):
    function = LOOKALIKES[name]
    weights = RNG.normal(size=(3, 4))
    run = replay(lambda x: (function(x) * weights).sum(), [TABLES["ordinary"] + 1.0])
    with np.errstate(all="ignore"):
        expected = of_the_graph(lambda x: (function(x) * weights).sum(), TABLES[table])
        assert_same(run(TABLES[table]), expected, 1e-11, 1e-14)
    assert ("softmax" in name or "first axis" in name) == (" / " in forward_of(run))


def forward_of(run):
    return run.source.split("# backward")[0]


# --- means, counts, and other numbers ------------------------------------------------------------


def test_a_mean_does_not_overflow_where_the_sum_of_the_graph_does():
    x = np.full(10, 1e308)
    run = replay(lambda x: x.sum() / 10.0, [np.ones(10)])
    with np.errstate(all="ignore"):
        assert of_the_graph(lambda x: x.sum() / 10.0, x)[0] == math.inf
        assert run(x)[0] == pytest.approx(1e308, rel=1e-15)


@pytest.mark.parametrize("n", [0.0, 0.3, -10.0, 1e-310, math.inf, math.nan, 1e200])
def test_a_divisor_that_is_no_count_divides_in_the_place_where_the_graph_does(n):
    x = RNG.normal(size=10)
    with np.errstate(all="ignore"):
        run = replay(lambda x: (x * x).sum() / n, [np.ones(10)])
        expected = of_the_graph(lambda x: (x * x).sum() / n, x)
        assert_same(run(x), expected, 1e-13)


def test_a_sum_that_overflows_is_inf_with_no_warning_that_the_graph_does_not_give():
    x = np.full((4, 5), 1e308)
    leaf = Tensor(np.ones((4, 5)))
    run = replay(leaf.sum(axis=1)[0], [leaf])
    expected, graph_warns = quietly(lambda: of_the_graph(lambda x: x.sum(axis=1)[0], x))
    found, replay_warns = quietly(lambda: run(x))
    assert_same(found, expected)
    assert found[0] == math.inf
    assert replay_warns <= graph_warns == {"overflow"}  # NumPy 2.0 says nothing of a product


def test_in_numbers_a_product_with_1_over_n_stays_one():
    x = Value(0.3, "x")
    run = replay(x / 3 * 0.1 + x / 10, [x])
    for x in (0.7, 1e300, 5e-324):
        node = Value(x)
        y = node / 3 * 0.1 + node / 10
        y.backward()
        assert run(x) == (y.data, (node.grad,))


def test_a_branch_that_a_constant_does_not_choose_keeps_its_shape_and_its_warning():
    def function(x, y):
        return tg.where(True, x, y.log()).sum()

    x, y = np.ones(3), np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 1.0]])
    run = replay(function, [x, np.ones((2, 3))])
    expected, graph_warns = quietly(lambda: of_the_graph(function, x, y))
    found, replay_warns = quietly(lambda: run(x, y))
    assert_same(found, expected)
    assert graph_warns == replay_warns == {"invalid"}


@pytest.mark.parametrize("wrong", [-1, 2])
def test_errors_of_labels_and_shapes_are_those_of_the_graph(wrong):
    def function(x, labels):
        return cross_entropy(x, labels)

    run = replay(function, [np.ones((3, 2)), np.array([0, 1, 0])])
    for xs, error in [
        ((np.ones((3, 2)), np.array([0, wrong, 1])), IndexError),
        ((np.ones((3, 2)), np.array([0, 1])), ValueError),
        ((np.ones(3), np.array([0, 1, 1])), ValueError),
    ]:
        with pytest.raises(error) as of_function:
            function(Tensor(xs[0]), xs[1])
        with pytest.raises(error) as of_replay:
            run(*xs)
        assert str(of_replay.value) in str(of_function.value)


# --- truths in formulas --------------------------------------------------------------------------


def test_numbers_beside_truths_keep_their_value_in_columns_and_arrays():
    @rule("steps")
    def steps(x, /):
        slope = (x > 0) * 2.5 + ((x > 1) + (x > 2)) * 3 - (x > 3) * 0.25
        return x * slope, lambda g, s=slope: (g * s,)

    xs = np.array([-1.0, 0.5, 1.5, 2.5, 3.5])
    slopes = np.array([0.0, 2.5, 5.5, 8.5, 8.25])
    x = Value(1.0, "x")
    value, (dx,) = replay(steps(x))(xs)
    assert (value.tolist(), dx.tolist()) == ((xs * slopes).tolist(), slopes.tolist())
    for number, slope in zip(xs.tolist(), slopes.tolist(), strict=True):
        assert replay(steps(x))(number) == (number * slope, (slope,))

    @rule("gate")
    def gate(x, /):
        return x * ((x > 0) * 2.5), lambda g, x=x: (g * ((x > 0) * 2.5),)

    for dtype in (np.float64, np.float32):
        run = replay(lambda x: gate(x).sum(), [np.ones(5, dtype)])
        assert_same(run(xs.astype(dtype)), of_the_graph(lambda x: gate(x).sum(), xs.astype(dtype)))


@pytest.mark.parametrize("name", ["equal", "not_equal"])
def test_a_comparison_for_equality_is_watched_in_numbers_and_arrays(name):
    def function(x):
        same = x.data == 2.0 if name == "equal" else x.data != 2.0
        note_comparison(name, x, 2.0, same)
        y = x * 2.0 if np.all(same) else x * x * 5.0
        return y.sum() if isinstance(x, Tensor) else y

    run, over_arrays = replay(function, [2.0]), replay(function, [np.full(2, 2.0)])
    for x in (2.0, 3.0, 2.0, 1.0, 4.0, 2.0):
        value, (dx,) = recorded(function, (x,))
        assert run(x) == (value, (dx,))
        found = over_arrays(np.full(2, x))
        assert (found[0], found[1][0].tolist()) == (2 * value, [dx, dx])
    assert (
        f"assert {'not ' if name == 'not_equal' else ''}x {'==' if name == 'equal' else '!='} 2.0"
        in (run.source)
    )
    assert f"x {'===' if name == 'equal' else '!=='} 2.0" in run.text("javascript")


def test_what_all_points_share_overflows_as_a_number_does():
    x, w = Value(1.0, "x"), Value(2.0, "w")
    run = replay(x * w**2, [x, w])
    with pytest.raises(OverflowError, match="power"):
        run(np.array([1.0, 2.0]), 1e200)
    square = replay(x**2 * w, [x, w])
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert square(np.array([1.0, 1e200]), 3.0)[0].tolist() == [3.0, math.inf]
