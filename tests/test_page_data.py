"""What the page is told: of any graph, whole and in order, and nothing that JSON cannot say."""

import json
import math
import os
import random
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import GRAPHS, graphs_with_modules

from tinygrad_edu import (
    Tensor,
    Value,
    group,
    nn,
    no_grad,
    scalar_nn,
    to_html,
    topological_order,
)


def in_page(html):
    """The data block as a browser reads it; a token that JSON does not know is an error."""
    [text] = re.findall(r'<script type="application/json" id="graph">(.*?)</script>', html, re.S)
    return json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} in JSON"))


def tensor(*shape, label="t"):
    return Tensor(np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape) / 8, label)


def visible(data):
    """How many cards and folded modules are seen when the page opens."""
    seen = set()
    for i, m in enumerate(data["moduleOf"]):
        unit = ("card", i)
        while m >= 0:
            unit = ("module", m) if m in data["folded"] else unit
            m = data["modules"][m]["outer"]
        seen.add(unit)
    return len(seen)


def chain(n):
    y = Value(1.0, "x")
    for _ in range(n):
        y = -y
    return y


# --- graphs of Values ----------------------------------------------------------------------------


@given(root=GRAPHS.map(lambda graph: graph.root) | graphs_with_modules())
def test_cards_and_links_are_the_nodes_and_their_operands(root):
    data = in_page(to_html(root))
    nodes = open_page(root).nodes
    cards = data["cards"]
    assert [x for x in nodes if x is not None] == topological_order(root)
    assert data["root"] == len(cards) - 1
    assert nodes[-1] is root
    for i, (node, card) in enumerate(zip(nodes, cards, strict=True)):
        links = [link for link in data["links"] if link[1] == i]
        if node is None:
            assert card["kind"] == "constant"
            assert not links
            continue
        assert card["kind"] == ("leaf" if node.rule is None else "node")
        assert card["v"] == node.data
        assert [position for _, _, position in links] == list(range(len(node.operands)))
        for (tail, _, _), operand in zip(links, node.operands, strict=True):
            assert tail < i
            assert nodes[tail] is operand or (nodes[tail], cards[tail]["v"]) == (None, operand)
        if node.rule is not None:
            assert data["rules"][card["rule"]]["symbol"] == node.symbol
    ids = [card["id"] for card in cards if card["kind"] != "constant"]
    assert len(set(ids)) == len(ids)


def test_numbers_that_json_does_not_have_are_text():
    product = Value(math.nan, "a") * Value(math.inf, "b") * -math.inf
    assert [card["v"] for card in in_page(to_html(product))["cards"]] == [
        "nan", "inf", "nan", "-inf", "nan",
    ]  # fmt: skip
    large = tensor(50, 50) * np.full((50, 50), np.nan)
    card = in_page(to_html((large * math.inf).sum()))["cards"][0]
    assert all(math.isfinite(x) for x in card["stats"]["v"])
    assert "nan" in json.dumps(in_page(to_html(large.sum()))["cards"])


def test_an_operand_twice_and_a_root_that_is_a_leaf():
    a = Value(3.0, "a")
    assert in_page(to_html(a * a))["links"] == [[0, 1, 0], [0, 1, 1]]
    alone = in_page(to_html(a))
    assert (alone["root"], alone["links"], len(alone["cards"])) == (0, [], 1)
    used_twice = a * 2.0
    used_twice = used_twice * used_twice
    assert in_page(to_html(used_twice))["links"][-2:] == [[2, 3, 0], [2, 3, 1]]


@pytest.mark.parametrize("make", [lambda: Value(3.0) * 2.0, lambda: tensor(2, 2).sum()])
def test_gradients_are_known_once_a_backward_pass_started_here(make):
    node = make()
    assert in_page(to_html(node))["known"] is False
    node.backward()
    assert in_page(to_html(node))["known"] is True


HOSTILE = [
    "", " ", "\u200b", "a\nb", "a\x00b", "</script><script>alert(1)", "<!--", "{script}", "{data}",
    "]]>", '"', "'", "\\", "&lt;", "a" * 10_000, "\u202egnp.exe", "\u2028", "\ud800", "é", "数",
    "x" + "\u0301" * 300, "__proto__", "constructor", "0", "class", "a.b", "..", "module:0", "$&",
]  # fmt: skip


def test_any_label_is_told_as_one_line_of_text(tmp_path):
    path = tmp_path / "page.html"
    for label in HOSTILE:
        with group(label):
            node = Value(2.0, label) * Value(3.0, label)
        node.label = label
        to_html(node, path, ranges={label: (0, 10)} if label else None)
        data = in_page(path.read_text(encoding="utf-8"))
        first, second, product = data["cards"]
        assert data["modules"][0]["outer"] == -1
        assert len({card["id"] for card in data["cards"]}) == 3
        for card in (first, second, product):
            assert card["name"].strip()
            assert len(card["name"]) <= 120
            assert card["name"].isprintable()
            assert not re.search("[\u200b\u202e\u2028\ud800\ufffe]", card["name"])
        if label.isprintable() and label.strip() and len(label) < 120:
            assert first["name"] == second["name"] == product["name"] == label
        if label:
            assert first["range"] == second["range"]


# --- sliders -------------------------------------------------------------------------------------


@given(x=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9999, 9999).map(float))
@example(x=5e-324)
@example(x=1e-310)
@example(x=1e300)
@example(x=-1.7e308)
@example(x=0.0)
def test_a_sliders_range_contains_the_value(x):
    low, high, step = in_page(to_html(Value(x, "x") * 2.0))["cards"][0]["range"]
    assert low <= x <= high
    assert low < high
    assert 0 < step <= high - low


def test_a_number_that_is_not_finite_has_a_slider_too():
    for x in (math.nan, math.inf, -math.inf):
        assert in_page(to_html(Value(x) * 2.0))["cards"][0]["range"] == [-1, 1, 0.01]


def test_ranges_are_as_asked_for():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    ranges = {"x": (0, 10, 0.5), "y": [-1.5, np.float64(3.5)]}
    data = in_page(to_html(x * y, ranges=ranges))
    assert data["cards"][0]["range"] == [0, 10, 0.5]
    low, high, step = data["cards"][1]["range"]
    assert (low, high) == (-1.5, 3.5)
    assert 0 < step <= 5
    opened = in_page(to_html((tensor(2) * 2).sum(), ranges={"t[1]": (0, 9)}))["cards"]
    assert [card["range"][:2] for card in opened if card["name"] == "t[1]"] == [[0, 9]]


WRONG = [
    (1,), (1, 2, 3, 4), (), ("a", 1), None, 3, "ab", (math.nan, 1), (0, math.inf), (1, 0), (1, 1),
    (0, 1, 0), (0, 1, -0.1), (0, 1, math.nan), (None, 1),
]  # fmt: skip


@pytest.mark.parametrize("size", [3, 3000])  # drawn, and too large for that
@pytest.mark.parametrize("wanted", WRONG, ids=repr)
def test_what_is_no_range_is_refused_with_its_label_and_the_cure(tmp_path, wanted, size):
    with pytest.raises((TypeError, ValueError), match=r"(?s)'x'.*low.*high"):
        to_html(chain(size), tmp_path / "page.html", ranges={"x": wanted})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [3, 3000])
def test_a_range_for_an_input_that_is_not_there_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match=r"'price'.*'x'"):
        to_html(chain(size), tmp_path / "page.html", ranges={"price": (0, 1)})
    assert list(tmp_path.iterdir()) == []


def test_ranges_are_a_mapping(tmp_path):
    with pytest.raises(TypeError, match="ranges"):
        to_html(Value(1.0, "x"), tmp_path / "page.html", ranges=[("x", (0, 1))])
    assert list(tmp_path.iterdir()) == []


# --- large graphs --------------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("nodes", "seconds"), [(1500, 1), pytest.param(200_000, 6, marks=pytest.mark.deep)]
)
def test_a_graph_too_large_to_draw_says_so_soon(nodes, seconds):
    root = chain(nodes)
    root.backward()
    start = time.process_time()
    html = to_html(root)
    assert time.process_time() - start < seconds
    data = in_page(html)
    assert data["drawn"] is data["live"] is False
    assert data["instead"].startswith(f"This graph has {nodes + 1} nodes, more than the 1500")
    assert [card["name"] for card in data["cards"]] == ["x", "output"]
    assert [card["v"] for card in data["cards"]] == [1, root.data]
    assert data["recorded"]["g"] == [root.data, 1]
    assert len(html) < 180_000


def test_many_inputs_are_cut_in_the_table_of_a_graph_too_large():
    total = sum((Value(float(i)) for i in range(1600)), Value(0.0, "first"))
    data = in_page(to_html(total))
    assert len(data["cards"]) == 201
    assert "200" in data["instead"]


def test_a_graph_of_just_1500_nodes_is_drawn():
    data = in_page(to_html(chain(1499)))
    assert data["drawn"]
    assert len(data["cards"]) == 1500


def claimed(data):
    return int(re.search(r"has (\d+) ", data["instead"])[1])


def test_what_is_too_large_for_its_constants_says_a_number_that_is_too_large():
    y = Value(1.0, "x")
    for _ in range(1000):
        y = y + 1.0
    data = in_page(to_html(y))
    assert not data["drawn"]
    assert claimed(data) > 1500


def test_over_300_nodes_modules_open_folded_until_it_can_be_read():
    model = scalar_nn.MLP(2, [8, 9, 1])
    score = model([Value(1.0, "a"), Value(-2.0, "b")])
    data = in_page(to_html(score))
    assert 300 < len(data["cards"]) <= 1500
    assert data["folded"]
    assert visible(data) <= 300
    with group("small"):
        small = Value(1.0, "a") * 2.0
    assert in_page(to_html(small))["folded"] == []


# --- whatever else is going on -------------------------------------------------------------------


def several():
    """Graphs of every kind that the page tells apart, each made again."""
    a, b = Value(2.0, "a"), Value(-0.5, "b")
    with group("g"):
        c = (a * b).tanh()
    yield a * c + 1.0
    yield scalar_nn.MLP(2, [3, 1], rng=random.Random(0))([a, b])
    yield nn.cross_entropy(nn.Linear(2, 3, rng=0)(tensor(2, 2)), np.array([0, 2]))
    yield (tensor(50, 50) @ tensor(50, 50)).sum()
    yield chain(2000)


def test_open_blocks_change_nothing():
    for node in several():
        outside = to_html(node)
        with group("open"):
            assert to_html(node) == outside
        with no_grad():
            assert to_html(node) == outside


def bytes_of(x):
    return np.shape(x), np.asarray(x).dtype, np.asarray(x).tobytes()


def test_the_nodes_stay_as_they_were():
    for root in several():
        root.backward()
        nodes = topological_order(root)

        def state(node):
            same = (id(node.rule), id(node.pullback), *map(id, node.operands))
            return node.label, node.group, same, bytes_of(node.data), bytes_of(node.grad)

        before = [state(node) for node in nodes]
        to_html(root)
        assert [state(node) for node in nodes] == before


def test_two_threads_at_once_make_the_same_pages():
    roots = list(several())
    wanted = [to_html(root) for root in roots]
    found = [[], [], []]

    def work(pages, name):
        with group(name):
            pages.extend(to_html(root) for root in roots)

    threads = [threading.Thread(target=work, args=(pages, "g")) for pages in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 3


PROGRAM = """
import hashlib, test_page_data
for root in test_page_data.several():
    print(hashlib.sha256(test_page_data.to_html(root).encode()).hexdigest())
"""


def test_the_same_bytes_in_every_process():
    def pages(seed):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True,
            cwd=os.path.dirname(__file__), env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        return run.stdout.split()

    first, second = pages("1"), pages("2")
    assert first == second
    assert len(set(first)) == 5
