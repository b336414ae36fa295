"""Every rule against the function of another library: values, gradients, kinks, planted errors."""

import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import ARRAY_LIBRARIES, LIBRARIES, library
from random_graphs import tensor_graphs, value_graphs
from rule_table import ARRAYS, ELEMENTWISE, every_rule

from tinygrad_edu import Tensor, compare, topological_order
from tinygrad_edu.check import GradientError
from tinygrad_edu.check.oracles import opened
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules import RULES, elementwise, operations
from tinygrad_edu.rules.tables import arrays, scalars

every_library = pytest.mark.parametrize("name", LIBRARIES)
every_array_library = pytest.mark.parametrize("name", ARRAY_LIBRARIES)

OURS = {name for name, r in RULES.items() if r.__module__.startswith("tinygrad_edu.")}
OF_NUMBERS = {name for name in OURS if RULES[name].__module__ == elementwise.__name__}


@every_library
def test_every_rule_that_is_not_made_of_others_has_a_function_of_the_library(name):
    of_tables = {*vars(scalars), *vars(arrays)} - {"flat_places", "one_hot"}
    made_of_others = {n for n in OURS - of_tables if n not in opened(library(name)).functions}
    found = {n for n in OURS if opened(name).own_function(RULES[n])}
    assert found >= (OF_NUMBERS if name == "sympy" else OURS) - made_of_others
    assert name != "sympy" or found <= OF_NUMBERS


def of_numbers(rule_name, draw):
    """A rule with the settings of its row, and operands inside its domain."""
    row = ELEMENTWISE[rule_name]
    rule_function = getattr(operations, rule_name)
    xs = [draw.uniform(a, b) for a, b in row.domains]
    return (lambda *xs: rule_function(*xs, **row.settings)), xs


@every_library
@pytest.mark.parametrize("rule_name", ELEMENTWISE)
def test_rules_of_numbers(rule_name, name):
    draw = random.Random(rule_name)
    for _ in range(3):
        f, xs = of_numbers(rule_name, draw)
        report = compare(f, *xs, with_=library(name), rtol=1e-12)
        assert [r.verdict for r in report.rows] == ["ok"] * (1 + len(xs))


@every_library
@pytest.mark.parametrize("rule_name", [name for name, row in ELEMENTWISE.items() if row.kinks])
def test_where_conventions_differ_it_is_a_kink(rule_name, name):
    f, _ = of_numbers(rule_name, random.Random(0))
    for xs in ELEMENTWISE[rule_name].kinks:
        if (rule_name, name, xs) == ("power", "sympy", (0.0, 0.0)):
            continue  # SymPy gives nan for the derivative of 0 ** y by y; ours is 0
        report = compare(f, *xs, with_=library(name))
        assert {r.verdict for r in report.rows} <= {"ok", "kink"}


def inputs_of(call):
    rng = np.random.default_rng(0)
    xs = [np.asarray(rng.normal(size=shape)) for shape in call.shapes]
    return [np.abs(x) + 0.1 for x in xs] if call.positive else xs


@every_array_library
@every_rule
def test_rules_of_arrays(call, name):
    report = compare(call.ours, *inputs_of(call), with_=library(name), rtol=1e-11)
    assert {row.verdict for row in report.rows} == {"ok"}


@every_library
@given(graph=value_graphs(smooth=True))
def test_random_graphs_of_numbers(name, graph):
    compare(graph, *graph.new_leaves(), with_=library(name))
    compare(graph.root, with_=library(name))


@every_array_library
@given(graph=tensor_graphs(smooth=True))
def test_random_graphs_of_arrays(name, graph):
    compare(graph, *graph.new_leaves(), with_=library(name))


def spoiled(node, factor=1.0 + 1e-6):
    """The node, with a derivative of its rule that is off by a factor."""
    if isinstance(node, Node) and node.pullback is not None:
        right = node.pullback

        def wrong(g):
            adjoints = (a() if callable(a) else a for a in right(g))
            return tuple(None if a is None else a * factor for a in adjoints)

        node.pullback = wrong
    return node


@every_library
@pytest.mark.parametrize("rule_name", ELEMENTWISE)
def test_a_wrong_rule_of_numbers_is_found(rule_name, name):
    f, xs = of_numbers(rule_name, random.Random(rule_name))
    with pytest.raises(GradientError, match="WRONG"):
        compare(lambda *xs: spoiled(f(*xs)), *xs, with_=library(name))


def has_a_gradient(call):
    nodes = [Tensor(x) for x in inputs_of(call)]
    root = call.ours(*nodes)
    root.backward(np.ones(root.shape))
    return any(node.grad.any() for node in nodes)


@every_array_library
@pytest.mark.parametrize("rule_name", ARRAYS)
def test_a_wrong_rule_of_arrays_is_found(rule_name, name):
    call = next(call for call in ARRAYS[rule_name] if has_a_gradient(call))
    with pytest.raises(GradientError, match="WRONG"):
        compare(lambda *xs: spoiled(call.ours(*xs)), *inputs_of(call), with_=library(name))


def gradients_of(f, graph):
    leaves = graph.new_leaves()
    f(*leaves).backward()
    return np.concatenate([np.ravel(leaf.grad) for leaf in leaves])


@pytest.mark.parametrize(("graphs", "name"), [(value_graphs, "sympy"), (tensor_graphs, "autograd")])
@given(data=st.data())
def test_a_wrong_derivative_anywhere_in_a_graph_is_found(graphs, name, data):
    graph = data.draw(graphs(smooth=True))
    steps = [node for node in topological_order(graph.root) if node.operands]
    i = data.draw(st.integers(0, len(steps) - 1))

    def f(*leaves):
        root = graph(*leaves)
        if isinstance(root, Node):
            spoiled([node for node in topological_order(root) if node.operands][i], 1.01)
        return root

    right, wrong = gradients_of(graph, graph), gradients_of(f, graph)
    assume((np.abs(right - wrong) > 1e-5 * np.maximum(1.0, np.abs(right).max())).any())
    with pytest.raises(GradientError, match="WRONG"):
        compare(f, *graph.new_leaves(), with_=library(name))
