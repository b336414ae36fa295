"""The page's numbers, computed by its JavaScript in Node, are those of Python."""

import ast
import math
import random

import numpy as np
import page_in_node
import pytest
from effort import much
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import (
    ELEMENTWISE_RULES,
    GRAPHS,
    IN_JAVASCRIPT,
    TO_THE_BIT,
    every_rule_at_once,
    follow,
    graphs_with_modules,
    places,
)
from test_symbols import bits

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, nn
from tinygrad_edu.rules import RULES, name_of, of, operations, rule
from tinygrad_edu.testing import DOMAINS

javascript = page_in_node.javascript

ALL_NUMBERS = """(() => {
  const v = forward(graph, new Map(inputs));
  return { v, ...backward(graph, v) };
})()"""


def close(ours, theirs, slack=0.0):
    """Equal to 12 digits, or within the slack; what is not finite is equal exactly."""
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return bits(ours) == bits(theirs)
    return abs(ours - theirs) <= 1e-12 * max(abs(ours), abs(theirs)) + slack


def as_number(adjoint):
    return float(adjoint() if callable(adjoint) else adjoint)


def followed_page(graph):
    """The page of a graph's graph, and for each of its nodes the index of its card."""
    nodes = follow(graph)
    page = open_page(nodes[-1])
    place = {id(node): i for i, node in enumerate(page.nodes)}
    return page, [place[id(node)] for node in nodes]


def changed(graph, numbers):
    """Other inputs: for some leaves another number."""
    return {leaf: x for leaf, x in zip(places(graph), numbers, strict=False) if x is not None}


def check_each_operation(page, found):
    """Every value, local derivative and contribution is what the node's rule gives in Python for
    the numbers that the page itself has at its operands: so no rounding of before counts.

    Where Python refuses, the page has no finite number.
    """
    v, g = found["v"], found["g"]
    total = [0.0] * len(v)
    total[-1] = 1.0
    for i in reversed(range(len(page.cards))):
        assert bits(total[i]) == bits(g[i]) or page.nodes[i] is None
        head = page.nodes[i]
        if head is None or head.rule is None:
            continue
        links = [k for k, link in enumerate(page.links) if link.head == i]
        xs = [v[page.links[k].tail] for k in links]
        assert len(xs) == len(head.operands)
        try:
            y, pullback = head.rule(*xs)
        except (ArithmeticError, ValueError):
            assert not math.isfinite(v[i])
            y, pullback = math.nan, lambda g: ()
        else:
            assert close(v[i], float(y)), (head.symbol, xs)
        for key, arriving in (("local", 1.0), ("sent", g[i])):
            check_pullback(page, pullback, arriving, [(k, found[key][k]) for k in links])
        for k in links:
            if found["sent"][k] is not None:
                total[page.links[k].tail] += found["sent"][k]


def check_pullback(page, pullback, arriving, numbers):
    """What a pullback gives, against the page's number for each link."""
    try:
        adjoints = pullback(arriving)
    except (ArithmeticError, ValueError):
        adjoints = ()
    for position, (k, ours) in enumerate(numbers):
        if page.nodes[page.links[k].tail] is None:
            assert ours is None  # a constant
            continue
        try:
            wanted = as_number(adjoints[position])
        except (ArithmeticError, ValueError):
            assert not math.isfinite(ours)
        except IndexError:  # the whole pullback was refused, perhaps for another operand
            continue
        else:
            slack = 1e-14 * abs(arriving) if math.isfinite(arriving) else 0.0
            assert close(ours, wanted, slack), (page.nodes[page.links[k].head], position)


# --- values and gradients ------------------------------------------------------------------------


def test_every_elementwise_rule_is_covered():
    assert set(DOMAINS) == ELEMENTWISE_RULES
    for at_kinks in (False, True):
        nodes = follow(every_rule_at_once(at_kinks))
        assert {name_of(node.rule) for node in nodes if node.rule} == ELEMENTWISE_RULES


@pytest.mark.parametrize("at_kinks", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_every_rule_in_one_graph(javascript, at_kinks, seed):
    graph = every_rule_at_once(at_kinks, seed, IN_JAVASCRIPT)
    page, place = followed_page(graph)
    found = javascript(page, ALL_NUMBERS, inputs=[])
    check_each_operation(page, found)
    page.root.backward()
    for i in place:
        assert close(found["v"][i], page.nodes[i].data)
        assert close(found["g"][i], page.nodes[i].grad)


@given(graph=GRAPHS)
def test_values_and_gradients_are_those_of_python(javascript, graph):
    page, place = followed_page(graph)
    found = javascript(page, ALL_NUMBERS, inputs=[])
    check_each_operation(page, found)
    check_whole(graph, {}, [(found["v"][i], found["g"][i]) for i in place])


@given(graph=GRAPHS, factors=st.lists(st.none() | st.floats(0.95, 1.05), max_size=12))
def test_moved_inputs_give_what_the_graph_made_again_gives(javascript, graph, factors):
    numbers = [x and x * graph.inputs[i] for x, i in zip(factors, places(graph), strict=False)]
    inputs = changed(graph, numbers)
    page, place = followed_page(graph)
    found = javascript(page, ALL_NUMBERS, inputs=[[place[i], x] for i, x in inputs.items()])
    check_each_operation(page, found)
    assert [found["v"][place[i]] for i in inputs] == list(inputs.values())
    try:
        check_whole(graph, inputs, [(found["v"][i], found["g"][i]) for i in place])
    except (ArithmeticError, ValueError):
        assume(False)  # outside what a rule takes


def check_whole(graph, inputs, found):
    """Values and gradients of the whole, to 12 digits; where rounding alone moves the numbers of
    this graph further than that, as when nearly equal ones are subtracted, as far as that."""
    exact = follow(graph, inputs)
    exact[-1].backward()
    moved = [follow(graph, inputs, random.Random(seed)) for seed in range(6)]
    for nodes in moved:
        nodes[-1].backward()
    for i, (node, (v, g)) in enumerate(zip(exact, found, strict=True)):
        assert close(v, node.data, 8 * max(abs(nodes[i].data - node.data) for nodes in moved))
        assert close(g, node.grad, 8 * max(abs(nodes[i].grad - node.grad) for nodes in moved))


@given(graph=GRAPHS, numbers=st.lists(st.none() | st.floats(-50, 50), max_size=12))
def test_inputs_far_away_too_and_no_finite_number_where_python_refuses(javascript, graph, numbers):
    page, place = followed_page(graph)
    inputs = changed(graph, numbers)
    found = javascript(page, ALL_NUMBERS, inputs=[[place[i], x] for i, x in inputs.items()])
    check_each_operation(page, found)


@given(
    graph=TO_THE_BIT,
    numbers=st.lists(st.none() | st.floats(-1e6, 1e6), max_size=12),
)
def test_arithmetic_and_roots_give_the_bits_of_python(javascript, graph, numbers):
    page, place = followed_page(graph)
    inputs = changed(graph, numbers)
    found = javascript(page, ALL_NUMBERS, inputs=[[place[i], x] for i, x in inputs.items()])
    try:
        nodes = follow(graph, inputs)
        nodes[-1].backward()
    except (ArithmeticError, ValueError):
        assume(False)
    for i, node in zip(place, nodes, strict=True):
        assert bits(found["v"][i]) == bits(node.data)
        assert bits(found["g"][i]) == bits(node.grad)


def test_the_same_operand_twice_sends_twice(javascript):
    a = Value(3.0, "a")
    found = javascript(open_page(a * a), ALL_NUMBERS, inputs=[[0, -5.0]])
    assert found == {"v": [-5, 25], "g": [-10, 1], "local": [-5, -5], "sent": [-5, -5]}


def test_a_root_that_is_a_leaf_has_gradient_1(javascript):
    found = javascript(open_page(Value(3.0, "a")), ALL_NUMBERS, inputs=[])
    assert found == {"v": [3], "g": [1], "local": [], "sent": []}


def test_numbers_that_json_does_not_have_arrive(javascript):
    a, b, c = Value(math.nan), Value(math.inf), Value(-math.inf)
    found = javascript(open_page((a + b) + c), ALL_NUMBERS, inputs=[])
    assert [bits(x) for x in found["v"]] == ["nan", "inf", "-inf", "nan", "nan"]
    assert found["g"] == [1, 1, 1, 1, 1]


# --- Tensors opened as scalars -------------------------------------------------------------------


def tensor_graphs():
    rng = np.random.default_rng(3)
    x, w, b = (Tensor(rng.normal(size=shape), name)
               for shape, name in (((2, 3), "x"), ((3, 4), "w"), ((4,), "b")))  # fmt: skip
    yield "layer", tg.rules.affine(x, w, b).tanh().sum()
    yield "product", x @ w
    yield "softmax", nn.cross_entropy(x @ w, np.array([0, 3]))
    yield "transposed", (x.T * np.arange(2.0)).mean(axis=0)
    yield "indexed", (x[:, [0, 0, 2]] ** 2).sum() / x[0, 1]
    yield "extremes", (x.max(axis=1) - x.min(axis=0)[:2]).std()
    yield "float32", (Tensor(np.array([0.5, -2.0], np.float32), "f").sigmoid() * 2).sum()
    yield "0-d", Tensor(3.0, "s") ** 2 * 2


@pytest.mark.parametrize("name", [name for name, _ in tensor_graphs()])
def test_elements_of_tensors_have_the_numbers_of_the_tensors(javascript, name):
    root = dict(tensor_graphs())[name]
    page = open_page(root)
    found = javascript(page, ALL_NUMBERS, inputs=[])
    root.backward(np.ones(root.shape))
    rtol = 1e-6 if name == "float32" else 1e-12
    modules = {module["name"]: module["elements"] for module in page.data["modules"]}
    for tensor in filter(lambda x: x.label, tg.topological_order(root)):
        elements = modules.get(tensor.label, [0])  # a single number is a card of its own
        assert len(elements) == tensor.size or name == "indexed"  # there one is not used
        for i in elements:
            card_name = page.data["cards"][i]["name"]
            index = tuple(ast.literal_eval(card_name.removeprefix(tensor.label) or "()"))
            assert found["v"][i] == pytest.approx(tensor.data[index], rel=rtol, abs=1e-15)
            assert found["g"][i] == pytest.approx(tensor.grad[index], rel=rtol, abs=1e-15)
    assert found["v"][-1] == pytest.approx(float(root.data.sum()), rel=rtol)


# --- rules of one's own --------------------------------------------------------------------------


def test_a_rule_of_ones_own_moves_with_no_second_table(javascript):
    @rule("bump")
    def bump(x, y, /, width=1.0):
        """exp(-x² / width) y."""
        e = of(x).exp(-(x * x) / width)
        return e * y, lambda g, x=x, y=y, e=e: (-2.0 * g * x / width * e * y, g * e)

    a, b = Value(0.3, "a"), Value(-2.0, "b")
    y = bump(a, b, width=0.5) * bump(b, a) + bump(a, 1.5, width=0.25)
    page = open_page(y)
    assert page.data["live"]
    assert "def bump" in page.data["rules"][0]["source"]
    found = javascript(page, ALL_NUMBERS, inputs=[])
    check_each_operation(page, found)
    check_each_operation(page, javascript(page, ALL_NUMBERS, inputs=[[0, 1.25], [1, 0.5]]))
    y.backward()
    assert close(found["v"][-1], y.data)
    assert close(found["g"][0], a.grad)
    assert close(found["g"][1], b.grad)


def test_those_rules_are_gone_afterwards():
    assert "bump" not in RULES
    assert not hasattr(operations, "bump")


def check_recorded(javascript, page, leaves):
    """Numbers that do not move, and that are those of Python to the bit."""
    assert page.data["live"] is False
    assert page.rules == "const RULES = [];"
    page.root.backward()
    found = javascript(page, ALL_NUMBERS, inputs=[[0, 77.0]])
    for i, node in enumerate(page.nodes):
        if node is not None and i:
            assert bits(found["v"][i]) == bits(node.data)
    for i, node in enumerate(page.nodes):
        if node is not None:
            assert bits(found["g"][i]) == bits(node.grad)
    for k, link in enumerate(page.links):
        head = page.nodes[link.head]
        if page.nodes[link.tail] is not None:
            local, sent = (head.pullback(g)[link.operand] for g in (1.0, head.grad))
            assert bits(found["local"][k]) == bits(as_number(local))
            assert bits(found["sent"][k]) == bits(as_number(sent))


def test_a_rule_that_symbols_cannot_run_shows_the_numbers_that_python_recorded(javascript):
    @rule("my erf")
    def my_erf(x, /):
        """The error function."""
        slope = math.exp(-x * x) * 2 / math.sqrt(math.pi)
        return math.erf(x), lambda g, slope=slope: (g * slope,)

    a = Value(0.3, "a")
    page = open_page(my_erf(a) * a + my_erf(a * 2.0).tanh() / 3.0)
    assert "my_erf has no formula" in page.data["still"]
    assert page.data["still"].startswith("These numbers are those that Python computed")
    check_recorded(javascript, page, [a])


@pytest.mark.parametrize("name", sorted({*DOMAINS} - {*IN_JAVASCRIPT}))
def test_a_rule_that_javascript_cannot_write_shows_recorded_numbers_as_well(javascript, name):
    a = Value(0.3, "a")
    page = open_page(getattr(operations, name)(a) * a)
    assert "cannot be written in JavaScript" in page.data["still"]
    check_recorded(javascript, page, [a])


def test_a_recorded_graph_without_a_derivative_has_values_and_unknown_gradients(javascript):
    @rule("root")
    def root(x, /):
        """The square root of a plain number; at 0 its pullback raises."""
        return math.sqrt(x), lambda g, x=x: (0.5 / math.sqrt(x) * g,)

    page = open_page(root(Value(0.0, "a")) + 1.0)
    found = javascript(page, ALL_NUMBERS, inputs=[])
    assert found["v"] == [0, 0, 1, 1]
    assert found["g"] == [None] * 4


# --- modules as one operation --------------------------------------------------------------------


def around(data, card):
    """The modules around a card, innermost first."""
    m = data["moduleOf"][card]
    while m >= 0:
        yield m
        m = data["modules"][m]["outer"]


def copied(page, members):
    """A copy in Python of the nodes of a module, by the id of what they copy; what they use from
    outside is cut off, and so a leaf."""
    copies = {}

    def copy(x):
        return copies.setdefault(id(x), x.detach()) if isinstance(x, Value) else x

    for i in members:
        node = page.nodes[i]
        if node is not None and node.rule is not None:
            operands = tuple(map(copy, node.operands))
            copies[id(node)] = Value._record(node, node.rule, operands, {})
        elif node is not None:
            copy(node)
    return copies


@settings(max_examples=much(50, 10))
@given(root=graphs_with_modules())
def test_a_module_with_one_result_has_the_derivatives_of_its_sub_graph(javascript, root):
    data = (page := open_page(root)).data
    found = javascript(page, """(() => {
      const v = forward(graph, new Map());
      return graph.modules.map((_, m) => moduleDerivatives(graph, m, v));
    })()""")  # fmt: skip
    for m, ours in enumerate(found):
        members = [i for i in range(len(page.cards)) if m in around(data, i)]
        leaving = {i for i in members if page.nodes[i] is not None
                   and (i == data["root"] or any(tail == i and head not in members
                                                 for tail, head, _ in data["links"]))}  # fmt: skip
        if len(leaving) != 1:
            assert ours == []
            continue
        copies = copied(page, members)
        copies[id(page.nodes[leaving.pop()])].backward()
        outside = {tail for tail, head, _ in data["links"] if head in members} - set(members)
        wanted = {tail: copies[id(page.nodes[tail])].grad for tail in outside}
        assert dict(ours).keys() == wanted.keys()
        scale = max((abs(x.grad) for x in copies.values()), default=0.0)
        for tail, g in ours:
            assert close(g, wanted[tail], 1e-12 * scale)
