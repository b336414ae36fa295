"""The text of a replay: what it says in each language, and that hostile labels stay names."""

import ast
import os
import random
import subprocess
import sys
import time
from collections import Counter
from xml.etree import ElementTree

import custom_rules
import numpy as np
import page_in_node
import pytest
from effort import much
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import GRAPHS, IN_JAVASCRIPT, follow, places
from rule_table import ELEMENTWISE
from test_replay_values import (
    all_close,
    close,
    graph_of,
    points,
    program_of,
    recorded,
    rule_function,
)

from tinygrad_edu import Tensor, Value, nn, replay

javascript = page_in_node.javascript
softsign, swish = custom_rules.softsign, custom_rules.swish

LANGUAGES = ("python", "numpy", "javascript", "latex", "mathml")
CALL = "new Function(text + '; return program')()(...xs)"


def shopping():
    leaves = [
        Value(x, label)
        for x, label in [
            (100, "apple"), (2, "apple_count"), (150, "orange"), (3, "orange_count"), (1.1, "tax"),
        ]
    ]  # fmt: skip
    apple, apple_count, orange, orange_count, tax = leaves
    total = apple * apple_count + orange * orange_count
    price = total * tax
    total.label, price.label = "total", "price"
    return price, leaves


# --- golden texts --------------------------------------------------------------------------------

SHOPPING = {
    "python": """\
def program(apple, apple_count, orange, orange_count, tax):
    total = apple * apple_count + orange * orange_count
    price = total * tax

    # backward
    dorange = tax * orange_count
    dorange_count = tax * orange
    dapple = tax * apple_count
    dapple_count = tax * apple

    return price, (dapple, dapple_count, dorange, dorange_count, total)
""",
    "javascript": """\
function program(apple, apple_count, orange, orange_count, tax) {
  const total = apple * apple_count + orange * orange_count;
  const price = total * tax;
  // backward
  const dorange = tax * orange_count;
  const dorange_count = tax * orange;
  const dapple = tax * apple_count;
  const dapple_count = tax * apple;
  return [price, [dapple, dapple_count, dorange, dorange_count, total]];
}
""",
    "latex": r"""\begin{aligned}
  \mathrm{total} &= \mathrm{apple} \cdot \mathrm{apple\_count} + \mathrm{orange} \cdot \mathrm{orange\_count} \\
  \mathrm{price} &= \mathrm{total} \cdot \mathrm{tax} \\
  \frac{\partial \mathrm{price}}{\partial \mathrm{orange}} &= \mathrm{tax} \cdot \mathrm{orange\_count} \\
  \frac{\partial \mathrm{price}}{\partial \mathrm{orange\_count}} &= \mathrm{tax} \cdot \mathrm{orange} \\
  \frac{\partial \mathrm{price}}{\partial \mathrm{apple}} &= \mathrm{tax} \cdot \mathrm{apple\_count} \\
  \frac{\partial \mathrm{price}}{\partial \mathrm{apple\_count}} &= \mathrm{tax} \cdot \mathrm{apple} \\
  \frac{\partial \mathrm{price}}{\partial \mathrm{tax}} &= \mathrm{total}
\end{aligned}
""",  # noqa: E501
}
SHOPPING["numpy"] = "import numpy as np\n\n\n" + SHOPPING["python"]


@pytest.mark.parametrize("language", SHOPPING)
def test_apples_and_oranges_in_every_language(language):
    assert replay(shopping()[0]).text(language) == SHOPPING[language]


def test_apples_and_oranges_in_mathml():
    math_element = ElementTree.fromstring(replay(shopping()[0]).text("mathml"))
    rows = ["".join(row.itertext()) for row in math_element.iter() if row.tag.endswith("}mtr")]
    assert rows == [
        "total=apple·apple_count+orange·orange_count", "price=total·tax",
        "∂price∂orange=tax·orange_count", "∂price∂orange_count=tax·orange",
        "∂price∂apple=tax·apple_count", "∂price∂apple_count=tax·apple", "∂price∂tax=total",
    ]  # fmt: skip


TWO_LAYERS = """\
import numpy as np


def program(w1, b1, w2, b2, *, x, labels):
    z1 = x @ w1 + b1
    v1 = np.exp(-np.abs(z1))
    a1 = np.where(z1 >= 0, 1.0, v1) / (v1 + 1.0)
    z2 = a1 @ w2 + b2
    v2 = z2 - np.max(z2, axis=-1, keepdims=True)
    v3 = np.exp(v2)
    v4 = np.sum(v3, axis=-1, keepdims=True)
    loss = -(np.sum((v2 - np.log(v4))[np.arange(5), labels]) / 5)

    # backward
    dz2 = (v3 / v4 - np.eye(3, dtype=np.float64)[labels]) / 5
    db2 = np.sum(dz2, axis=0)
    da1 = dz2 @ w2.T
    dw2 = a1.T @ dz2
    dz1 = da1 * a1 * (1.0 - a1)
    db1 = np.sum(dz1, axis=0)
    dw1 = x.T @ dz1

    return loss, (dw1, db1, dw2, db2)
"""


def test_a_network_of_two_layers_reads_as_one_writes_it_by_hand():
    rng = np.random.default_rng(0)
    labels = np.array([0, 2, 1, 1, 0])
    x, w1, b1, w2, b2 = leaves = [
        Tensor(rng.normal(size=shape), label)
        for label, shape in [
            ("x", (5, 4)), ("w1", (4, 6)), ("b1", (6,)), ("w2", (6, 3)), ("b2", (3,)),
        ]
    ]  # fmt: skip
    z1 = x @ w1 + b1
    a1 = z1.sigmoid()
    z2 = a1 @ w2 + b2
    loss = nn.cross_entropy(z2, labels)
    for node, label in ((z1, "z1"), (a1, "a1"), (z2, "z2"), (loss, "loss")):
        node.label = label
    run = replay(loss, leaves[1:])
    assert run.source == TWO_LAYERS
    arrays = [leaf.data for leaf in leaves[1:]]
    value, grads = program_of(run)(*arrays, x=x.data, labels=labels)
    loss.backward()
    assert value == pytest.approx(loss.data, rel=1e-13)
    for g, leaf in zip(grads, leaves[1:], strict=True):
        np.testing.assert_allclose(g, leaf.grad, rtol=1e-11, atol=1e-15)


def test_there_are_five_languages():
    with pytest.raises(ValueError, match="language is 'fortran'; use one of python, numpy"):
        replay(shopping()[0]).text("fortran")
    assert replay(shopping()[0]).source == SHOPPING["python"]


# --- the texts compute the same ------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_rule_in_javascript_and_in_numpy(javascript, name):
    function, row = rule_function(name), ELEMENTWISE[name]
    root, leaves = graph_of(function, points(row)[0])
    run = replay(root, leaves)
    columns = [np.array(x) for x in zip(*points(row), strict=True)]
    namespace = {}
    exec(run.text("numpy"), namespace)
    with np.errstate(all="ignore"):
        over_columns, column_grads = namespace["program"](*columns)
    if name not in IN_JAVASCRIPT:
        with pytest.raises(ValueError, match="cannot be written in JavaScript"):
            run.text("javascript")
    for k, xs in enumerate(points(row)):
        if name in IN_JAVASCRIPT:
            value, grads = javascript(None, CALL, text=run.text("javascript"), xs=list(xs))
            assert all_close((value, grads), recorded(function, xs)), xs
        by_point = [np.broadcast_to(g, columns[0].shape)[k] for g in column_grads]
        assert all_close((over_columns[k], by_point), recorded(function, xs)), xs


@given(graph=GRAPHS)
def test_random_graphs_in_javascript(javascript, graph):
    nodes = follow(graph)
    leaves = [nodes[i] for i in places(graph)]
    text = replay(nodes[-1], leaves).text("javascript")
    value, grads = javascript(None, CALL, text=text, xs=[leaf.data for leaf in leaves])
    wobbled = [follow(graph, None, random.Random(seed)) for seed in range(6)]
    for moved in (nodes, *wobbled):
        moved[-1].backward()
    spread = max(abs(w[-1].data - nodes[-1].data) for w in wobbled)
    assert close(value, nodes[-1].data, 8 * spread)
    for i, g in zip(places(graph), grads, strict=True):
        assert close(g, nodes[i].grad, 8 * max(abs(w[i].grad - nodes[i].grad) for w in wobbled))


@pytest.mark.parametrize("name", ["softsign", "swish"])
def test_rules_of_ones_own_in_javascript(javascript, request, name):
    operation = request.getfixturevalue(name)
    text = replay(*graph_of(operation, (0.3,))).text("javascript")
    for x in (0.0, 1.5, -2.0, 40.0, -40.0):
        found = javascript(None, CALL, text=text, xs=[x])
        assert all_close(found, recorded(operation, (x,)))


def test_lists_and_branches_in_javascript(javascript):
    run = replay(lambda x, ws: x * ws[0] if x > ws[1] else x - ws[1], [2.0, [3.0, 1.0]])
    text = run.text("javascript")
    assert javascript(None, CALL, text=text, xs=[5.0, [4.0, 0.5]]) == [20.0, [4.0, 5.0, 0.0]]
    caught = "(() => { try { return " + CALL + " } catch (error) { return error.message } })()"
    assert javascript(None, caught, text=text, xs=[0.1, [4, 1]]) == "the graph of another branch"


# --- what is in a text ---------------------------------------------------------------------------


def assert_clean(text):
    """Every name is assigned once and used, every import is needed, nothing comes too late."""
    tree = ast.parse(text)
    stored = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and type(n.ctx) is ast.Store]
    loaded = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and type(n.ctx) is ast.Load}
    parameters = [n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)]
    imported = [a.asname or a.name for n in ast.walk(tree)
                if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]  # fmt: skip
    (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    twice = [x for x, k in Counter(stored + parameters + imported).items() if k > 1]
    assert not twice, text
    assert not set(stored) - loaded, text
    assert not set(imported) - loaded - {"np"}, text
    assert loaded <= {*stored, *parameters, *imported, "abs", "float"}, text
    defined = {*parameters, *imported, "abs"}
    for line in function.body:
        names = [n for n in ast.walk(line) if isinstance(n, ast.Name)]
        assert {n.id for n in names if type(n.ctx) is ast.Load} <= defined, text
        defined |= {n.id for n in names if type(n.ctx) is ast.Store}


@given(graph=GRAPHS, some=st.data())
def test_no_line_is_unused_and_no_name_is_assigned_twice(graph, some):
    nodes = follow(graph)
    leaves = [nodes[i] for i in places(graph)]
    chosen = some.draw(st.lists(st.sampled_from(leaves), unique=True))
    for node in some.draw(st.lists(st.sampled_from(nodes), max_size=4, unique=True)):
        node.label = some.draw(st.sampled_from(["a", "dx", "da", "v1", "v2", "log", "x0"]))
    run = replay(nodes[-1], leaves, chosen)
    assert_clean(run.source)
    assert_clean(run.text("numpy"))
    program = program_of(run)
    given_numbers = [leaf.data for leaf in leaves]
    assert program(*given_numbers) == run(*given_numbers)


def test_dead_code_is_dropped_and_common_subexpressions_are_there_once():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    root = (x * y).exp() + (y * x).exp() + 0 * (x * y).sin()
    text = replay(root, [x, y]).source
    assert text.count("exp(") == 1
    assert text.count("x * y") + text.count("y * x") == 1
    x.label = y.label = ""
    twice = (x.tanh() * y) ** 2 + x.tanh()
    assert replay(twice).source.count("tanh(") == 1


def test_gradients_that_nobody_asked_for_are_left_out():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    root = (x.sin() * y.exp()).tanh()
    assert "cos" in replay(root, [x, y], [x]).source
    assert "cos" not in replay(root, [x, y], [y]).source
    forward = replay(root, [x, y], []).source
    assert "backward" not in forward
    assert forward.endswith("return v1, ()\n")
    assert_clean(forward)


def test_constants_are_computed_beforehand():
    x = Value(2.0, "x")
    text = replay(((x + Value(0.0) * 0) * 1.0) ** 2, [x], []).source
    assert "1.0" not in text
    assert_clean(text)


def test_a_result_is_not_called_after_the_gradient_that_it_happens_to_be():
    x, delta = Value(2.0, "x"), Value(3.0, "y") * 4
    delta.label = "delta"
    text = replay(x * delta).source
    assert "delta = " in text
    assert "dx" not in text
    latex = replay(x * delta).text("latex")
    assert r"\frac{\partial v_{1}}{\partial x} &= \mathrm{delta}" in latex
    assert "elta}}" not in latex.replace("delta}}", "")


def test_nodes_of_one_label_have_gradients_with_their_own_numbers():
    ws = [Value(float(i + 2), "w") for i in range(3)]
    run = replay((ws[0].sin() * ws[1].exp()).tanh() * ws[2].cos(), ws)
    assert "def program(w, w_2, w_3):" in run.source
    assert run.source.endswith("(dw, dw_2, dw_3)\n")


def fresh_interpreter(seed):
    code = """
import random_graphs, test_replay_source as here
from tinygrad_edu import replay
every_rule = random_graphs.every_rule_at_once(False, rules=here.IN_JAVASCRIPT)
for root in (here.shopping()[0], every_rule.root):
    for language in here.LANGUAGES:
        print(replay(root).text(language))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True,
        encoding="utf-8", cwd=os.path.dirname(__file__),
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8",
             "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return run.stdout


def test_the_text_is_the_same_on_every_run():
    first = fresh_interpreter("1")
    assert len(first) > 5000
    assert fresh_interpreter("2") == first


# --- large graphs --------------------------------------------------------------------------------


def chain(n):
    y = Value(0.5, "x")
    for _ in range(n // 2):
        y = (y * 1.01).sin()
        y.label = "h"
    return y


def wide(n):
    xs = [Value(0.1 + i / n, "x") for i in range(n)]
    total = xs[0]
    for x in xs[1:]:
        total = total + x * xs[0]
    return total


@pytest.mark.no_cover
@pytest.mark.parametrize("graph", [chain, wide])
def test_large_graphs_are_written_and_compiled_in_time(graph):
    root = graph(much(2500, 500))
    start = time.perf_counter()
    run = replay(root)
    texts = [run.text(language) for language in LANGUAGES]
    assert time.perf_counter() - start < 20
    assert_clean(texts[0])
    leaves = list(run._replay.inputs)
    numbers = [leaf.data for leaf in leaves]
    root.backward()
    assert all_close(run(*numbers), (root.data, [leaf.grad for leaf in leaves]), rel=1e-9)
    assert program_of(run)(*numbers) == run(*numbers)


def test_a_deeply_nested_expression_of_few_names_stays_short():
    y = x = Value(1.0, "x")
    for _ in range(200):
        y = y * y
    assert len(replay(y + x).source) < 20_000
