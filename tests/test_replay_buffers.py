"""Replays of Tensors write into buffers that are used again: nothing of that may be seen."""

import numpy as np
import pytest
from array_replays import assert_replays, assert_same, eager
from graph_drawing import weights
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import EXACT_RULES, ON_WHOLE_NUMBERS, tensor_graphs
from rule_table import ELEMENTWISE, elementwise, every_rule, operands_for

import tinygrad_edu as tg
from tinygrad_edu import Tensor, gradients, replay
from tinygrad_edu.rules import operations

# --- random graphs -------------------------------------------------------------------------------


graphs = tensor_graphs(sorted(ON_WHOLE_NUMBERS), most=10)
exact_graphs = tensor_graphs(sorted(EXACT_RULES), most=20)


@given(graphs)
def test_random_graphs_give_what_their_own_backward_pass_gives(graph):
    assert_replays(graph, *graph.other_inputs(2), tolerance=1e-10)


@given(graphs)
def test_random_graphs_in_single_precision(graph):
    assert_replays(graph, *graph.other_inputs(2, np.float32), tolerance=2e-4)


@given(exact_graphs, st.booleans())
def test_graphs_of_exact_operations_give_the_same_bits(graph, second):
    rounded = {step.name for step in graph.steps} & {"max", "min"}  # a third is rounded
    function = graph.of_slopes if second else graph
    assert_replays(function, *graph.other_inputs(3), tolerance=1e-10 if rounded else 0)


@given(graphs, st.data())
def test_any_of_the_leaves_may_be_inputs_or_differentiated_by(graph, data):
    leaves = list(graph.leaves)
    some = st.lists(st.sampled_from(leaves), unique=True)
    inputs, wrt = data.draw(some), data.draw(some)
    replayed = replay(graph.root, inputs, wrt)
    for arrays in graph.other_inputs(3)[1:]:
        for leaf, x in zip(leaves, arrays, strict=True):
            if leaf not in inputs:  # what is not an input has its present data
                leaf.data = x
        found = replayed(*[arrays[leaves.index(x)] for x in inputs])
        value, slopes = eager(graph, arrays)
        expected = value, [slopes[leaves.index(x)] for x in wrt]
        assert_same(found, expected, 1e-10)


# --- every rule ----------------------------------------------------------------------------------


def weighed(call, dtype):
    def total(*xs):
        y = call.ours(*xs)
        w = np.random.default_rng(1).uniform(0.5, 1.5, y.shape)
        return (y * w.astype(dtype)).sum()

    return total


@every_rule
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_call_of_an_array_rule(call, dtype):
    inputs = [[x.astype(dtype) for x in operands_for(call, seed)] for seed in range(4)]
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    assert_replays(weighed(call, dtype), *inputs, tolerance=tolerance)


@every_rule
def test_every_call_of_an_array_rule_at_ties(call):
    """Whole numbers: equal elements, elements equal to 0, and operands equal to each other."""
    inputs = [[np.asarray(np.round(x)) for x in operands_for(call, seed)] for seed in range(3)]
    if any(np.isinf(c).any() or np.isnan(c).any() for xs in inputs
           for c in flat_numbers(call, xs)):  # fmt: skip
        pytest.skip("the derivative does not exist there")
    assert_replays(weighed(call, np.float64), *inputs)


def flat_numbers(call, xs):
    with np.errstate(all="ignore"):
        value, slopes = eager(weighed(call, np.float64), xs)
    return [value, *slopes]


@every_rule
def test_the_sum_alone_has_constants_as_adjoints(call):
    inputs = [operands_for(call, seed) for seed in range(3)]
    assert_replays(lambda *xs: tg.sum(call.ours(*xs)), *inputs)
    if all(x.size for x in inputs[0]) and call.ours(*map(Tensor, inputs[0])).size:
        assert_replays(lambda *xs: tg.mean(call.ours(*xs)), *inputs)


@every_rule
def test_second_derivatives_of_every_array_rule(call):
    def slope(*xs):
        first = gradients(weighed(call, np.float64)(*xs), *xs)
        parts = [(tg.sin(g) * weights(x) + 0.0 * x).sum()
                 for g, x in zip(first, xs, strict=True)]  # fmt: skip
        return tg.stack(parts).sum()

    assert_replays(slope, *[operands_for(call, seed) for seed in range(3)], tolerance=1e-10)


def elementwise_inputs(name, shapes, seed):
    rng = np.random.default_rng(seed)
    domains = ELEMENTWISE[name].domains
    return [rng.uniform(a, b, shape) for (a, b), shape in zip(domains, shapes, strict=False)]


@elementwise
@pytest.mark.parametrize("shapes", [((), ()), ((3,), (2, 1)), ((2, 3), (2, 3)), ((0, 2), (1, 2)),
                                    ((1, 1), (4, 1)), ((2, 3), ())])  # fmt: skip
def test_elementwise_rules_broadcast(name, shapes):
    def total(*xs):
        y = getattr(operations, name)(*xs, **ELEMENTWISE[name].settings)
        return (y * weights(y) + y).sum()

    assert_replays(total, *[elementwise_inputs(name, shapes, seed) for seed in range(3)])


@elementwise
def test_elementwise_rules_in_single_precision_and_to_second_order(name):
    settings = ELEMENTWISE[name].settings
    function = getattr(operations, name)
    inputs = [elementwise_inputs(name, [(4,), (4,)], seed) for seed in range(3)]

    def slope(*xs):
        first = gradients(function(*xs, **settings).sum(), *xs)
        return tg.stack([(g * g + 0.0 * x).sum() for g, x in zip(first, xs, strict=True)]).sum()

    assert_replays(slope, *inputs, tolerance=1e-11)
    singles = [[x.astype(np.float32) for x in xs] for xs in inputs]
    assert_replays(lambda *xs: function(*xs, **settings).mean(), *singles, tolerance=2e-5)


@pytest.mark.parametrize(
    ("name", "at"), [(n, at) for n, row in ELEMENTWISE.items() for at in row.kinks]
)
def test_at_a_kink_the_derivative_is_the_one_agreed_on(name, at):
    row = ELEMENTWISE[name]
    away = [np.full(2, 1.25) for _ in at]
    replayed = replay(lambda *xs: getattr(operations, name)(*xs, **row.settings).sum(), away)
    _, slopes = replayed(*[np.full(2, x) for x in at])
    for slope, expected in zip(slopes, row.kinks[at], strict=True):
        assert slope.tolist() == [expected] * 2


# --- chosen graphs: views, repeated operands, shared results -------------------------------------

W = np.arange(6.0).reshape(2, 3) - 2.0
GRAPHS = {
    "x * x": lambda x, y: (x * x).sum(),
    "x + x - x": lambda x, y: (x + x - x).sum() + (y * W).sum(),
    "a gradient is the other leaf": lambda x, y: (x * y).sum(),
    "one gradient for two leaves": lambda x, y: ((x + y) * W).sum(),
    "a leaf is its own gradient": lambda x, y: (x * x * 0.5).sum() + (y * 0.0).sum(),
    "constant gradients": lambda x, y: (x * W - y).sum(),
    "the root is a view": lambda x, y: (x[0, 1] * 1.0 + y.sum()).reshape(()),
    "a view of an input": lambda x, y: (x.T @ y).sum(),
    "views of one result": lambda x, y: ((x * y).T @ (x * y)).sum() + (x * y).reshape(3, 2)[0, 1],
    "a view outlives what is written over it": lambda x, y: (
        ((x + 1.0).T * 2.0).sum() + (tg.exp(x + 1.0) * (x + 1.0).T.reshape(2, 3)).sum() + y.sum()
    ),
    "a chain in place": lambda x, y: tg.tanh(tg.exp(-(((x * y) + 1.0) * 0.5 - 2.0))).sum(),
    "used after a chain in place": lambda x, y: (
        tg.tanh(tg.exp(-((x * y) * 0.5))) * (x * y) + tg.sin(x * y)
    ).sum(),
    "transposed results": lambda x, y: tg.softmax((x.T @ y).T * 2.0).sum() + (x.T @ y)[0].sum(),
    "a table of more rows than columns": lambda x, y: (
        tg.log_softmax((x.T @ y) @ (y.T @ x)[:, :2], axis=-1) * np.arange(6.0).reshape(3, 2)
    ).sum(),
    "more rows, then along both axes": lambda x, y: (
        ((x.T @ y[:, :2]).sum(axis=0) * [1.0, 2.0]).sum()
        + ((x.T @ y[:, :2]).sum(axis=1) * [1.0, 2.0, 3.0]).sum()
        + ((x.T @ y[:, :2]) * np.arange(6.0).reshape(3, 2)).reshape(-1)[1:4].sum()
    ),
    "a reshape that copies": lambda x, y: (x.T.reshape(6) * y.reshape(6)).sum() + y.T[0, 1],
    "stacked matrices with one matrix": lambda x, y: (
        ((x.reshape(2, 1, 3) @ y.T + 1.0) @ y).mean(axis=-1, keepdims=True) * x.reshape(2, 1, 3)
    ).sum(),
    "stacks turned and flattened": lambda x, y: (
        ((x.reshape(3, 2, 1) @ y.reshape(3, 1, 2)) * 2.0).transpose((2, 0, 1)).reshape(2, 6)
        @ (x * y).reshape(6, 1)
    ).sum(),
    "joined with itself": lambda x, y: (
        tg.concatenate([x, x, y]) * tg.concatenate([y, x, y])
    ).sum(),
    "joined views": lambda x, y: (tg.stack([x.T, x.T, y.T], axis=1)[:, 1] * y.T).sum(),
    "broadcast views": lambda x, y: (x[:, :1].broadcast_to((2, 3)) * y + x[0]).sum(),
    "repeated rows": lambda x, y: (x[np.array([0, 1, 0, 0])] * y[np.array([1, 1, 0, 1])]).sum(),
    "where with numbers on each side": lambda x, y: (
        tg.where(W > 0, x * y, 0.0) + tg.where(W > 1, 2.0, x * y) + tg.where(W > -1, x, y)
    ).sum(),
    "where shares its operand": lambda x, y: (tg.where(W > 0, 0.0, x + y) * (x + y)).sum(),
    "maximum of a node and its double": lambda x, y: tg.maximum(x, x * 2).sum() + y.sum() * 0.5,
    "a deep chain": lambda x, y: sum((tg.sin(x * k) * y for k in range(1, 30)), x * y).sum(),
    "means of what is linear": lambda x, y: x.mean() + y.mean(axis=0).mean() + x.mean(axis=1).sum(),
    "an axis of repeated ones": lambda x, y: (x[:1].var(axis=0) * [1.0, 2.0, 3.0] + y).sum(),
}  # fmt: skip
ROUNDED = {
    "a view outlives what is written over it", "a chain in place", "used after a chain in place",
    "transposed results", "a table of more rows than columns", "a deep chain",
    "means of what is linear", "stacked matrices with one matrix",
}  # fmt: skip
chosen = pytest.mark.parametrize("name", GRAPHS)


def arrays(seed, dtype=np.float64):
    return [x.astype(dtype) for x in np.random.default_rng(seed).normal(size=(2, 2, 3))]


@chosen
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chosen_graphs(name, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    assert_replays(GRAPHS[name], *[arrays(seed, dtype) for seed in range(4)], tolerance=tolerance)


@chosen
def test_whole_numbers_give_the_same_bits_in_chosen_graphs(name):
    inputs = [[np.round(3 * x) for x in arrays(seed)] for seed in range(4)]
    assert_replays(GRAPHS[name], *inputs, tolerance=1e-12 if name in ROUNDED else 0)


@chosen
def test_what_is_handed_out_is_not_written_to_again(name):
    replayed = replay(GRAPHS[name], arrays(0))
    found, copies = [], []
    for seed in range(5):
        value, slopes = replayed(*arrays(seed))
        assert type(value) is float
        found += slopes
        copies += [slope.copy() for slope in slopes]
    for i, x in enumerate(found):
        assert x.flags.writeable
        np.testing.assert_array_equal(x, copies[i])
        for y in found[:i]:
            assert not np.shares_memory(x, y)


@chosen
def test_inputs_in_any_layout_are_read_and_never_written(name):
    replayed = replay(GRAPHS[name], arrays(0))
    for seed in range(3):
        plain = arrays(seed)
        expected = eager(GRAPHS[name], plain)
        for layout in (np.asfortranarray, lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
                       lambda x: np.repeat(x, 2, axis=1)[:, ::2], read_only):  # fmt: skip
            given = [layout(x) for x in plain]
            assert_same(replayed(*given), expected, 1e-12)
            for x, y in zip(given, plain, strict=True):
                np.testing.assert_array_equal(x, y)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


# --- shapes at the end of what there is ----------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (0,), (0, 3), (3, 0), (2, 0, 1), (1, 5, 1)])
def test_empty_arrays_single_numbers_and_axes_of_length_one(shape):
    def total(x, y):
        z = tg.relu(x * y) + x
        return (z.T * 2.0).sum() + z.reshape(-1)[:1].sum() + z.sum(axis=()).sum()

    rng = np.random.default_rng(0)
    assert_replays(total, *[list(map(np.asarray, rng.normal(size=(2, *shape)))) for _ in range(3)])


def test_a_product_of_empty_matrices():
    for shapes in [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((3, 2), (2, 0)), ((4, 0), (0, 2))]:
        inputs = [np.zeros(shape) for shape in shapes]
        assert_replays(lambda x, y: ((x @ y) * 2.0).sum(), inputs, inputs)


def test_a_value_that_is_an_array_without_gradients():
    replayed = replay(lambda x: (x.T * 2.0).relu(), [W], wrt=[])
    first, _ = replayed(W)
    second, slopes = replayed(-W)
    assert slopes == ()
    np.testing.assert_array_equal(first, np.maximum(2 * W.T, 0))
    np.testing.assert_array_equal(second, np.maximum(-2 * W.T, 0))


def test_a_root_of_shape_1_1_stays_an_array():
    value, (slope,) = replay(lambda x: (x * x).sum(keepdims=True), [W])(W)
    assert value.shape == (1, 1)
    np.testing.assert_array_equal(slope, 2 * W)
