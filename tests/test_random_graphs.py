"""The random graphs of other tests are what they promise, and failing ones shrink."""

import numpy as np
import pytest
from effort import first
from graph_drawing import RULES_OF_TENSORS, STEEPEST
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from random_graphs import tensor_graphs, value_graphs

from tinygrad_edu import Tensor, Value, gradcheck, hessian, jacobian, replay, topological_order
from tinygrad_edu.rules import name_of, settings_of
from tinygrad_edu.testing import DOMAINS
from tinygrad_edu.testing.leaves import MARGIN

QUICK = settings(database=None, max_examples=200, phases=[Phase.generate, Phase.shrink])


def assert_right(graph, leaves):
    """A drawn graph may do without an input, as x - x does."""
    report = gradcheck(graph, *leaves, raises=False)
    assert {row.verdict for row in report.rows} <= {"ok", "kink", "unused"}, report


def names(graph):
    return [name_of(x.rule) for x in topological_order(graph.root) if x.rule is not None]


@pytest.mark.untraced
@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("smooth", [False, True])
def test_every_elementwise_rule_is_drawn_and_shrinks_to_itself_alone(name, smooth):
    graph = find(value_graphs([name], smooth=smooth), lambda g: True, settings=QUICK)
    assert names(graph) == [name]
    assert len(graph.leaves) == sum(x is not None for x in DOMAINS[name].intervals)


@pytest.mark.untraced
@pytest.mark.parametrize("name", first(8, RULES_OF_TENSORS))
def test_every_rule_is_drawn_in_graphs_of_tensors(name):
    rule = "power" if name == "whole_power" else name
    smooth = find(tensor_graphs([name], smooth=True, most=2), lambda g: rule in names(g),
                  settings=QUICK)  # fmt: skip
    assert set(names(smooth)) <= {rule, "sum", "multiply", "add"}
    assert_right(smooth, smooth.new_leaves())
    whole = find(tensor_graphs([name]), lambda g: rule in names(g), settings=QUICK)
    for x in whole.inputs:
        np.testing.assert_array_equal(x, np.round(x))


@given(value_graphs(most=12), value_graphs(most=12, smooth=True))
def test_every_operand_lies_in_the_domain_of_its_rule(anywhere, smooth):
    for graph in (anywhere, smooth):
        assert all(type(x) is Value for x in graph.leaves)
        for node in topological_order(graph.root):
            if node.rule is None or name_of(node.rule) == "add":  # sums of ends may be anywhere
                continue
            for x, interval in zip(node.operands, DOMAINS[name_of(node.rule)].intervals,
                                   strict=True):  # fmt: skip
                if interval is not None:
                    assert interval[0] <= getattr(x, "data", x) <= interval[1]


@given(value_graphs(most=12, smooth=True), st.integers(0, 99))
def test_no_small_step_from_a_smooth_graph_meets_a_kink_or_is_steep(graph, seed):
    step = MARGIN / 10 * np.random.default_rng(seed).uniform(-1, 1, len(graph.inputs))
    near = graph.nodes(*graph.new_leaves(*np.array(graph.inputs) + step))
    here = graph.nodes(*graph.leaves)
    for x, y in zip(here, near, strict=True):
        assert sides(x) == sides(y)
    assert all(abs(x.data - y.data) <= STEEPEST * MARGIN
               for x, y in zip(here[:-1], near[:-1], strict=True))  # fmt: skip


def sides(node):
    """On which side of each kink the operands of a node are."""
    if node.rule is None:
        return []
    domain = DOMAINS[name_of(node.rule)]
    xs = [getattr(x, "data", x) for x in node.operands]
    kinks = [xs[0] > at for at in domain.kinks_at(settings_of(node.rule))]
    return [*kinks, xs[0] > xs[1]] if domain.ties else kinks


@given(tensor_graphs(dtype=np.float32))
def test_graphs_of_tensors_have_one_number_as_root_and_the_dtype(graph):
    assert all(type(x) is Tensor and x.dtype == np.float32 for x in graph.leaves)
    assert (graph.root.shape, graph.root.dtype) == ((), np.float32)
    assert np.isfinite(graph.root.data)


@given(tensor_graphs(["add", "multiply", "relu", "max", "matmul", "sum", "abs", "maximum"]))
def test_graphs_of_exact_rules_are_whole_numbers_throughout(graph):
    for node in topological_order(graph.root):
        np.testing.assert_array_equal(node.data, np.round(node.data))


@given(value_graphs(smooth=True, most=6))
def test_a_graph_is_a_function_for_every_tool(graph):
    assert_right(graph, graph.leaves)
    everything = tuple(range(len(graph.inputs)))
    slopes = jacobian(graph, argnums=everything)(*graph.inputs)
    leaves = graph.new_leaves()
    graph(*leaves).backward()
    assert slopes == tuple(x.grad for x in leaves)
    value, replayed = replay(graph, list(graph.inputs))(*graph.inputs)
    assert value == pytest.approx(graph.root.data, rel=1e-9, abs=1e-9)
    assert replayed == pytest.approx(slopes, rel=1e-9, abs=1e-9)
    assert np.shape(hessian(graph, argnums=everything)(*graph.inputs)) == (len(leaves),) * 2


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("strategy", "holds", "inputs"),
    [
        (value_graphs(), lambda g: "tanh" in names(g), [0.0]),
        (tensor_graphs(["add", "softmax"]), lambda g: "softmax" in names(g), [[0.0]]),
        (tensor_graphs(["sin", "sqrt"], smooth=True), lambda g: "sqrt" in names(g), [1.0]),
    ],
)
def test_graphs_shrink_to_the_smallest(strategy, holds, inputs):
    graph = find(strategy, holds, settings=QUICK)
    assert len(names(graph)) <= 4
    if inputs is not None:
        assert [np.asarray(x).tolist() for x in graph.inputs] == inputs
