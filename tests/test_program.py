"""The program as a reader sees it: running it gives the values and gradients of the graph."""

import ast
import keyword
import math
import unicodedata
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import GRAPHS, follow
from rule_table import ELEMENTWISE
from test_replay_names import HOSTILE
from test_symbols import PLAIN

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value
from tinygrad_edu.programs.symbols import function_names
from tinygrad_edu.rules import RULES, rule
from tinygrad_edu.view.cards.listing import formula, identifiers, program, rule_source
from tinygrad_edu.view.cards.reading import read


def apples():
    apple, n, orange, m, tax = (
        Value(x, name)
        for x, name in [
            (100, "apple"), (2, "apple count"), (150, "orange"), (3, "orange count"), (1.1, "tax"),
        ]
    )  # fmt: skip
    apple_price, orange_price = apple * n, orange * m
    apple_price.label, orange_price.label = "apple price", "orange price"
    price = (apple_price + orange_price) * tax
    price.label = "price"
    return price


def texts(lines):
    return [line.text for line in lines]


def run(root):
    """The names that running the program's lines leaves, and the graph's cards with their names."""
    cards, links = read(root)
    names = dict(PLAIN)
    forward, backward = program(cards, links)
    for line in forward + backward:
        exec(line.text.replace(".grad", "__grad"), names)
    return names, list(zip(identifiers(cards), cards, strict=True))


def assert_the_program_is_the_graph(root):
    root.backward()
    found, cards = run(root)
    for name, card in cards:
        if not card.is_constant:
            assert found[name] == card.item.data or math.isnan(card.item.data), name
            assert found[f"{name}__grad"] == card.item.grad or math.isnan(card.item.grad), name


def test_apples_and_oranges():
    cards, links = read(apples())
    forward, backward = program(cards, links)
    assert texts(forward) == [
        "apple = 100.0",
        "apple_count = 2.0",
        "orange = 150.0",
        "orange_count = 3.0",
        "tax = 1.1",
        "apple_price = apple * apple_count",
        "orange_price = orange * orange_count",
        "v1 = apple_price + orange_price",
        "price = v1 * tax",
    ]
    assert texts(backward) == [
        "price.grad = 1.0",
        "v1.grad = price.grad * tax",
        "tax.grad = price.grad * v1",
        "apple_price.grad = v1.grad",
        "orange_price.grad = v1.grad",
        "orange.grad = orange_price.grad * orange_count",
        "orange_count.grad = orange_price.grad * orange",
        "apple.grad = apple_price.grad * apple_count",
        "apple_count.grad = apple_price.grad * apple",
    ]
    expected = "price = (apple * apple_count + orange * orange_count) * tax"
    assert formula(cards, links) == expected
    assert formula(cards, links, limit=len(expected)) == expected
    assert formula(cards, links, limit=len(expected) - 1) == ""


def test_lines_know_their_card_and_operand():
    a = Value(3.0, "a")
    cards, links = read(a * a)
    forward, backward = program(cards, links)
    assert [(x.text, x.card, x.operand) for x in forward] == [
        ("a = 3.0", 0, -1),
        ("v1 = a * a", 1, -1),
    ]
    assert [(x.text, x.card, x.operand) for x in backward] == [
        ("v1.grad = 1.0", 1, -1),
        ("a.grad = v1.grad * a", 1, 0),
        ("a.grad += v1.grad * a", 1, 1),
    ]


def test_constants_are_numbers_in_the_lines_and_have_no_gradient():
    x = Value(0.5, "x")
    cards, links = read(tg.where(True, (x * -3) ** 2 / 0.25, 1.0))
    assert identifiers(cards) == ["x", "(-3)", "v1", "2", "v2", "0.25", "v3", "1", "1", "v4"]
    forward, backward = program(cards, links)
    assert texts(forward) == [
        "x = 0.5",
        "v1 = x * -3",
        "v2 = v1 ** 2",
        "v3 = v2 / 0.25",
        "v4 = where(1, v3, 1)",
    ]
    assert texts(backward) == [
        "v4.grad = 1.0",
        "v3.grad = v4.grad",
        "v2.grad = v3.grad / 0.25",
        "v1.grad = v2.grad * 2 * v1",
        "x.grad = v1.grad * -3",
    ]


def test_a_leaf_alone():
    cards, links = read(Value(-2.0, "x"))
    forward, backward = program(cards, links)
    assert texts(forward + backward) == ["x = -2.0", "x.grad = 1.0"]
    assert formula(cards, links) == ""


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(data=st.data())
def test_every_rule_of_numbers_is_a_program_of_plain_python(name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(st.tuples(*[st.floats(a, b) for a, b in row.domains]))
    operands = [Value(x, label) for x, label in zip(xs, "pq", strict=False)]
    assert_the_program_is_the_graph(getattr(tg.rules.operations, name)(*operands, **row.settings))
    if len(xs) == 2:
        one, two = Value(xs[0]), Value(xs[1])
        assert_the_program_is_the_graph(getattr(tg.rules.operations, name)(one, xs[1]))
        assert_the_program_is_the_graph(getattr(tg.rules.operations, name)(xs[0], two))


@given(graph=GRAPHS, labels=st.lists(st.text(max_size=8), max_size=4))
def test_the_program_of_any_graph_gives_its_values_and_gradients(graph, labels):
    nodes = follow(graph)
    for node, label in zip(nodes, labels, strict=False):
        node.label = label
    assert_the_program_is_the_graph(nodes[-1])


operators = st.sampled_from(["add", "subtract", "multiply", "divide"])


@given(
    steps=st.lists(st.tuples(operators, st.booleans(), st.floats(0.5, 9)), min_size=1, max_size=8)
)
def test_a_formula_is_the_root_by_its_leaves(steps):
    y = Value(0.7)
    for name, on_the_left, number in steps:
        x = Value(number)
        y = getattr(tg.rules.operations, name)(*((x, y) if on_the_left else (y, x)))
    cards, links = read(y)
    text = formula(cards, links, limit=1000)
    leaves = {n: c.item.data for n, c in zip(identifiers(cards), cards, strict=True) if c.is_leaf}
    assert eval(text, {}, leaves) == y.data


def test_a_formula_that_cannot_be_read_at_a_glance_is_left_out():
    x = Value(0.5, "x")
    y = x * x
    assert formula(*read(y)) == "x * x"
    assert formula(*read(y + y)) == ""  # a result that is used twice
    assert formula(*read(x.tanh() ** 2 - 1)) == "tanh(x) ** 2 - 1"
    for _ in range(60):
        x = x.sigmoid()  # written out, each would double the text
    assert formula(*read(x), limit=10**6) == ""
    matrix = Tensor(np.ones((2, 2)), "m")
    assert formula(*read(matrix @ matrix)) == ""
    assert formula(*read(2 * matrix - 1)) == "2 * m - 1"


# Names


def sum_of(labels):
    total = Value(0.0)
    for label in labels:
        total = total + Value(1.0, label)
    return total


def assert_names_are_safe(cards):
    names = identifiers(cards)
    assert names == identifiers(cards)
    nodes = [n for n, card in zip(names, cards, strict=True) if not card.is_constant]
    assert len(set(nodes)) == len(nodes)
    for name in nodes:
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert name == unicodedata.normalize("NFKC", name)  # as Python would read it
        assert len(name) <= 40
        assert name not in function_names()


def test_hostile_labels_become_names():
    root = sum_of(HOSTILE)
    root.label = "x"
    cards, links = read(root)
    assert_names_are_safe(cards)
    forward, backward = program(cards, links)
    for line in forward + backward:
        statement = ast.parse(line.text).body
        assert len(statement) == 1
        assert isinstance(statement[0], ast.Assign | ast.AugAssign)
        assert "\n" not in line.text
    assert_the_program_is_the_graph(root)


@given(labels=st.lists(st.text() | st.sampled_from(HOSTILE), max_size=12))
def test_any_labels_become_names(labels):
    assert_names_are_safe(read(sum_of(labels))[0])


def test_names_are_as_near_to_the_label_as_they_can_be():
    labels = [
        "apple count",
        "apple count",
        "2x",
        "class",
        "  ",
        "ﬁ",
        "x²",
        "price (€)",
        "sum",
        "add",
    ]
    cards, _ = read(sum_of(labels))
    names = [n for n, c in zip(identifiers(cards), cards, strict=True) if c.is_leaf]
    assert names == [
        "v1", "apple_count", "apple_count_2", "_2x", "class_2", "v2", "fi", "x2", "price", "sum",
        "add",
    ]  # fmt: skip


# Tensors


def test_a_linear_layer():
    w, b = Tensor(np.ones((3, 2)), "W"), Tensor(np.ones(2), "b")
    loss = (np.ones((4, 3)) @ w + b).relu().sum(axis=0).mean() * 2
    loss.label = "loss"
    forward, backward = program(*read(loss))
    assert texts(forward) == [
        "W = array_3x2",
        "b = array_2",
        "v1 = matmul(array_4x3, W)",
        "v2 = v1 + b",
        "v3 = maximum(v2, 0)",
        "v4 = sum(v3, axis=0)",
        "v5 = mean(v4)",
        "loss = v5 * 2",
    ]
    assert texts(backward) == [
        "loss.grad = 1.0",
        "v5.grad = loss.grad * 2",
        "v4.grad = pullback(mean, v5.grad)[0]",
        "v3.grad = pullback(sum, v4.grad)[0]",
        "v2.grad = where(v2 <= 0, 0, v3.grad)",
        "v1.grad = v2.grad",
        "b.grad = unbroadcast(v2.grad, b)",
        "W.grad = pullback(matmul, v1.grad)[1]",
    ]


def test_settings_are_shown_short_and_arrays_by_their_shape():
    x = Tensor(np.ones((4, 3)), "sum")
    labels = np.array([0, 1, 2, 0])
    loss = tg.rules.softmax_cross_entropy_of_labels(x, labels, "none")
    forward, backward = program(*read(loss.sum()))
    assert texts(forward)[1:] == [
        "v1 = softmax_cross_entropy_of_labels(sum_2, labels=array_4, reduction='none')",
        "v2 = sum(v1)",
    ]
    assert backward[0].text == "v2.grad = 1.0"
    forward, backward = program(*read(x[:, [0] * 99]))
    assert len(forward[1].text) < 80
    assert backward[0].text == "v1.grad = seed"


# Sources


@pytest.mark.parametrize("name", RULES)
def test_the_source_of_a_rule_is_python_without_its_docstring_and_facts(name):
    text = rule_source(RULES[name])
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert function.name.lstrip("_") == name
    assert ast.get_docstring(function) is None
    assert not any(decorator.keywords for decorator in function.decorator_list)
    assert "return" in text
    assert rule_source(partial(RULES[name], axis=0)) == text


def test_the_source_reads_as_it_was_written():
    assert rule_source(RULES["exp"]) == (
        '@rule("exp")\n'
        "def exp(x: T, /) -> Recorded[T]:\n"
        "    y = of(x).exp(x)\n"
        "    return y, lambda g, y=y: (g * y,)"
    )


def test_a_rule_without_a_source_shows_what_running_it_says():
    typed = (
        '@rule("cube")\ndef cube(x, /):\n    z = x * x * x\n'
        "    return z, lambda g, x=x, z=z: (3 * g * z / x,)\n"
        '@rule("odd")\ndef odd(x, /):\n    return float(x), lambda g: (g,)\n'
    )
    exec(typed, {"rule": rule})
    assert rule_source(RULES["cube"]) == "out = x * x * x\nx.grad += 3 * out.grad * out / x"
    assert rule_source(RULES["odd"]) == "# the source of odd is not at hand"


def test_a_rule_whose_formula_is_too_long_is_shown_by_its_name():
    @rule("tower")
    def tower(x, /):
        """x squared sixty times."""
        for _ in range(60):
            x = x * x
        return x, lambda g, x=x: (g * x,)

    forward, backward = program(*read(tg.rules.operations.tower(Value(1.0, "x"))))
    assert forward[1].text == "v1 = tower(x)"
    assert backward[1].text == "x.grad = pullback(tower, v1.grad)[0]"
