"""Replay through numba: machine code gives what Python gives, numbers, columns and errors."""

import math
import random
import sys
import warnings

import mpmath
import numpy as np
import pytest
from random_graphs import every_rule_at_once, follow, places
from test_replay_columns import assert_same
from test_replay_recording import newton, piecewise
from test_replay_values import all_close, close, graph_of, recorded

from tinygrad_edu import Value, gradients, replay
from tinygrad_edu.scalar_nn import MLP

pytest.importorskip("numba", reason="numba, which makes machine code of a program, is missing")


def named(**numbers):
    return [Value(x, label) for label, x in numbers.items()]


def every_rule(at_kinks):
    """One graph with all rules, compiled once; the leaves of each rule are inputs of their own."""
    graph = every_rule_at_once(at_kinks)
    nodes = follow(graph)
    return graph, replay(nodes[-1], [nodes[i] for i in places(graph)], backend="numba")


@pytest.fixture(scope="module", params=[False, True], ids=["inside", "at kinks"])
def rules(request):
    return (request.param, *every_rule(request.param))


@pytest.mark.untraced
def test_every_rule_gives_the_numbers_of_recording_afresh(rules):
    at_kinks, graph, run = rules
    for seed in range(20):
        other = every_rule_at_once(at_kinks, seed)
        fresh = follow(graph, {i: other.inputs[i] for i in places(graph)})
        fresh[-1].backward()
        value, grads = run(*[fresh[i].data for i in places(graph)])
        assert type(value) is float
        assert close(value, fresh[-1].data)
        for i, g in zip(places(graph), grads, strict=True):
            assert close(g, fresh[i].grad)


@pytest.mark.untraced
def test_every_rule_over_columns(rules):
    at_kinks, graph, run = rules
    others = [every_rule_at_once(at_kinks, seed) for seed in range(5)]
    value, grads = run(*[np.array([r.inputs[i] for r in others]) for i in places(graph)])
    for k, other in enumerate(others):
        fresh = follow(graph, {i: other.inputs[i] for i in places(graph)})
        fresh[-1].backward()
        assert close(value[k], fresh[-1].data)
        for i, g in zip(places(graph), grads, strict=True):
            assert close(g[k], fresh[i].grad, slack=1e-15)


def function_of(x, y, w):
    return (x * w).tanh() * y + (x - y).maximum(0.2).log() / 2 + w**2


@pytest.fixture(scope="module")
def mixed():
    root, leaves = graph_of(function_of, (0.1, 0.2, 0.3))
    return replay(root, leaves, backend="numba")


@pytest.mark.parametrize("n", [1, 3, 8193])
def test_columns_and_numbers_are_mixed(mixed, n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(2, n))
    w = 0.7
    value, (dx, dy, dw) = mixed(x, y, w)
    python = replay(*graph_of(function_of, (0.1, 0.2, 0.3)))
    exact, (exact_dx, exact_dy, exact_dw) = python(x, y, w)
    for ours, theirs in ((value, exact), (dx, exact_dx), (dy, exact_dy)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    assert dw == pytest.approx(exact_dw, rel=1e-12)
    if n == 3:
        assert_same(mixed, function_of, (x, y, w))
        assert_same(mixed, function_of, (x[::-1], y.astype(np.float32), 1))
        table = np.array([x.tolist(), y.tolist()]).T  # not contiguous
        assert_same(mixed, function_of, (table[:, 0], table[:, 1], w))
        value[:] = dx[:] = 0.0
        assert mixed(x, y, w)[0].tolist() == pytest.approx(exact.tolist())


def test_calls_that_are_not_floats(mixed):
    expected = recorded(function_of, (2.0, 1.0, 3.0))
    for number in (2, np.float32(2), np.int64(2), np.array(2.0)):
        assert all_close(mixed(number, True, 3), expected)
    assert mixed(np.zeros(0), 1.0, 2.0)[1][2] == 0.0
    for wrong in ("1", 1j, None, Value(1.0), [None], object()):
        with pytest.raises(TypeError, match="replay: x1"):
            mixed(1.0, wrong, 1.0)
    for count in (0, 2, 4):
        with pytest.raises(TypeError, match=r"argument|inputs"):
            mixed(*[1.0] * count)
    with pytest.raises(ValueError, match=r"columns of shapes \(2,\), \(3,\)"):
        mixed(np.ones(2), np.ones(3), 1.0)


def test_constant_gradients_and_a_root_that_depends_on_no_column():
    x, w = named(x=1.0, w=2.0)
    run = replay(x * 2 + w, [x, w], backend="numba")
    value, (dx, dw) = run(np.array([1.0, 2.0, 3.0]), 5.0)
    assert (value.tolist(), dx.tolist(), dw) == ([7.0, 9.0, 11.0], [2.0, 2.0, 2.0], 3.0)
    value, (dx, dw) = run(1.0, np.array([[5.0]]))
    assert (value.tolist(), dx, dw.tolist()) == ([[7.0]], 2.0, [[1.0]])
    value, (dx, dw) = replay(w * w, [x, w], backend="numba")(np.zeros((2, 2)), 3.0)
    assert (value.tolist(), dx.tolist(), dw) == ([[9.0] * 2] * 2, [[0.0] * 2] * 2, 24.0)


def test_lists_are_as_long_as_they_were_recorded():
    x, y, w, b, scale = named(x=1.0, y=2.0, w=3.0, b=4.0, scale=10.0)
    run = replay((x * w + b - y) ** 2 * scale, [x, y, [w, b]], [[b, w], scale], backend="numba")
    for s in (10.0, 0.5):
        scale.data = s  # it is not an input, and is read at each call
        for numbers in ([0.5, 1], (0.5, 1.0), np.array([0.5, 1.0]), np.array([0.5, 1], "f4")):
            value, (dp, ds) = run(2.0, 5.0, numbers)
            assert (value, dp.tolist(), ds) == (9.0 * s, [-6.0 * s, -12.0 * s], 9.0)
    value, (dp, ds) = run(np.array([2.0, 3.0]), 5.0, [0.5, 1.0])
    assert value.tolist() == [4.5, 3.125]
    assert dp.tolist() == [-5.5, -13.5]
    for wrong in ([1.0], [1.0, 2.0, 3.0], [], np.ones((2, 1)), 1.0):
        with pytest.raises(ValueError, match="a list of 2 inputs was recorded"):
            run(2.0, 5.0, wrong)
    for wrong in ("12", ["1", "2"], [1j, 2.0], None, [Value(1.0), 2.0], [None, 1.0]):
        with pytest.raises(TypeError, match="replay"):
            run(2.0, 5.0, wrong)


def test_a_function_goes_the_right_way_and_is_compiled_again_only_for_another():
    run = replay(piecewise, [1.0, 2.0], backend="numba")
    for xs in [(3.0, 4.0), (0.5, -1.0), (-0.5, 4.0), (-0.25, 3.0), (-3.0, 4.0), (1.0, 2.0)]:
        assert all_close(run(*xs), recorded(piecewise, xs)), xs
    with pytest.raises(ValueError, match="each point may go its own way"):
        run(np.ones(3), 1.0)
    square_root = replay(newton, [2.0], backend="numba")
    for a in (2.1, 9.0):
        assert square_root(a)[0] == pytest.approx(math.sqrt(a), rel=1e-9)


def test_the_function_is_looked_at_at_calls_2_4_8_and_so_on():
    slope = [2.0]
    run = replay(lambda x: x * slope[0], [1.0], backend="numba")
    assert [run(2.0)[0] for _ in range(9)] == [4.0] * 9
    slope[0] = 3.0
    assert [run(2.0)[0] for _ in range(6)] == [4.0] * 6
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"gives 6\.0 where its recording gives 4\.0"):
            run(2.0)


@pytest.mark.parametrize(
    ("function", "x", "error"),
    [
        (lambda x: (x * 2).log(), -1.0, ValueError),
        (lambda x: 2 / (x - 1), 1.0, ZeroDivisionError),
        (lambda x: x.sqrt(), 0.0, ZeroDivisionError),
        (lambda x: x**0.5, 0.0, ZeroDivisionError),
        (lambda x: 1 / x.exp(), 1000.0, OverflowError),
        # numbers that are finite in the end, and an error all the same
        (lambda x: (1 / x**2).maximum(-2.0) + 1 / (x / 1e150).exp(), 1e200, OverflowError),
    ],
)
def test_errors_are_those_of_recording_afresh(function, x, error):
    with pytest.raises(error) as own:
        recorded(function, (x,))
    root, leaves = graph_of(function, (0.5,))
    run = replay(root, leaves, backend="numba")
    with pytest.raises(error) as found:
        run(x)
    assert str(found.value) == str(own.value)
    assert all_close(run(0.25), recorded(function, (0.25,)))


def test_over_columns_a_point_outside_of_the_domain_is_nan_or_inf_without_a_word():
    x, y = named(x=1.0, y=2.0)  # machine code does not warn, as NumPy does
    run = replay(x.log() + 1 / y, [x, y], backend="numba")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value, (dx, dy) = run(np.array([1.0, -2.0, 1.0]), np.array([2.0, 2.0, 0.0]))
    assert not said
    assert value[0] == 0.5
    assert math.isnan(value[1])
    assert value[2] == math.inf
    assert dx.tolist() == [1.0, -0.5, 1.0]
    assert dy.tolist() == [-0.25, -0.25, -math.inf]
    assert run(math.inf, 1.0)[0] == math.inf  # what is not an error in Python is not one here
    assert math.isnan(run(math.nan, 1.0)[0])
    vanishing = replay(1 / x**2, [x], backend="numba")
    assert vanishing(np.array([1e200]))[0].tolist() == [0.0]
    with pytest.raises(OverflowError, match="power"):
        vanishing(1e200)


@pytest.mark.untraced
def test_labels_are_no_functions_of_the_machine():
    labels = ["where", "maximum", "minimum", "pow", "_empty", "_odd"]
    leaves = [Value(0.5 + i / 10, label) for i, label in enumerate(labels)]
    total = leaves[0].maximum(leaves[1])
    for x in leaves[2:]:
        total = total.minimum(x) ** x + (total * x).relu()
    numbers = [leaf.data for leaf in leaves]
    assert all_close(
        replay(total, leaves, backend="numba")(*numbers), replay(total, leaves)(*numbers)
    )
    columns = [np.array([x, x]) for x in numbers[:3]]
    value, _ = replay(total, leaves, backend="numba")(*columns, *numbers[3:])
    assert value.tolist() == pytest.approx([total.data] * 2, rel=1e-12)


@pytest.mark.untraced
def test_training_a_network_by_replay_is_training_it():
    model = MLP(2, [4, 1], rng=random.Random(3))
    parameters = model.parameters()
    x, y, t = named(x=0.1, y=0.2, t=1.0)
    loss = (model([x, y]).tanh() - t) ** 2
    run = replay(loss, [x, y, t, parameters], [parameters], backend="numba")
    rng = np.random.default_rng(0)
    xs, ys = rng.normal(size=(2, 50))
    ts = np.sign(xs * ys)
    p = np.array([q.data for q in parameters])
    first = None
    for _ in range(200):
        values, (g,) = run(xs, ys, ts, p)
        first = first if first is not None else values.mean()
        p -= 0.1 * g / 50
    assert values.mean() < 0.7 * first
    for q, number in zip(parameters, p.tolist(), strict=True):
        q.data = number
    some = [a[:3].tolist() for a in (xs, ys, ts)]
    roots = [(model([Value(a), Value(b)]).tanh() - c) ** 2 for a, b, c in zip(*some, strict=True)]
    values, (g,) = run(*some, p)
    assert values == pytest.approx([root.data for root in roots], rel=1e-12)
    by_point = [[node.data for node in gradients(root, *parameters)] for root in roots]
    assert g == pytest.approx(np.sum(by_point, axis=0), rel=1e-11, abs=1e-14)


def test_without_numba_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match="pip install numba"):
        replay(Value(1.0) * 2, backend="numba")


FUNCTIONS = {
    "exp": [*np.linspace(-740.0, 709.0, 301), 1e-300, 709.782, -745.1],
    "sin": [*np.linspace(-99_999.0, 99_999.0, 301), *np.arange(1, 60) * (math.pi / 2), 1e-8],
    "cos": [*np.linspace(-99_999.0, 99_999.0, 301), *np.arange(1, 60) * (math.pi / 2), 1e-8],
    "tanh": [*np.linspace(-21.0, 21.0, 301), 1e-12, 19.9, 0.34],
}


@pytest.mark.untraced
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_over_columns_are_within_two_units_in_the_last_place(name):
    x = Value(0.5)
    run = replay(getattr(x, name)(), [x], [], backend="numba")
    points = np.array(FUNCTIONS[name])
    for point, found in zip(points.tolist(), run(points)[0].tolist(), strict=True):
        with mpmath.workdps(40):
            exact = getattr(mpmath, name)(mpmath.mpf(point))
            assert abs(mpmath.mpf(found) - exact) <= 2 * mpmath.mpf(math.ulp(float(exact)))
    # where the arithmetic ends, what NumPy says
    beyond = [0.3, 1e5, 3e5, -1e300, math.inf, -math.inf, math.nan, 800.0, -800.0]
    for end in beyond:
        with np.errstate(all="ignore"):
            expected = getattr(np, name)(np.array([0.3, end]))
        np.testing.assert_allclose(run(np.array([0.3, end]))[0], expected, rtol=1e-15)
