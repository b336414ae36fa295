"""Pictures are sound files whatever the labels, for browsers and Graphviz; nothing changes."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import graphviz
import numpy as np
import pytest
from hypothesis import given
from picture_reader import SVG, apple_and_tax, graphs, operand_count, parsed

from tinygrad_edu import (
    Tensor,
    Value,
    show,
    to_dot,
    to_graphviz,
    to_html,
    to_svg,
    topological_order,
)

HOSTILE = {
    "script": "</script><script>alert(1)</script>",
    "quotes": "\"double\" 'single' `back`",
    "comment": "]]><![CDATA[ --><!--",
    "markup": '<b onclick="x()">bold</b>',
    "entity": "&lt;b&gt; &amp; &#65; AT&T",
    "backslash": "\\N \\G \\n end\\",
    "record": "{a|b} <port> [c] ; -> }",
}
INVISIBLE = {
    "newline": "one\ntwo\r\nthree\tfour",
    "right to left": "x\u202etxet",
    "nul": "a\x00b\x07\x1b",
    "lone surrogate": "x\ud800y\udfff",
    "no character": "x\ufffe\uffff",
}


@given(graphs())
def test_a_picture_is_well_formed_and_holds_no_script_and_nothing_from_elsewhere(root):
    svg = to_svg(root)
    tags = {e.tag.removeprefix(SVG) for e in parsed(svg).iter()}
    assert tags <= {"svg", "title", "g", "rect", "path", "text"}
    attributes = {name for e in parsed(svg).iter() for name in e.attrib}
    assert not any(name.startswith("on") or "href" in name for name in attributes)
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"url\(|@import|<!|<\?|&#", svg)
    assert not re.search(r"var\(|style|@media", svg)  # which only browsers know


@pytest.mark.parametrize("draw", [to_svg, to_dot])
def test_the_same_program_draws_the_same_bytes(draw):
    pictures = set()
    for _ in range(3):
        root = apple_and_tax() + Value(3, "x").exp() * 2
        root.backward()
        pictures.add(draw(root))
    assert len(pictures) == 1


def rendered_texts(source):
    """The texts that the `dot` program draws, or None where there is no such program."""
    if shutil.which("dot") is None:
        return None
    done = subprocess.run(
        ["dot", "-Tsvg"], input=source.encode("utf-8"), capture_output=True, check=True, timeout=60
    )
    assert done.stderr == b""
    texts = ET.fromstring(done.stdout).iter(f"{SVG}text")
    return [(t.text or "").replace("\xa0", " ") for t in texts]


def test_graphviz_gets_every_card_and_every_edge():
    price = apple_and_tax() + 0.5
    price.backward()
    graph = to_graphviz(price)
    assert isinstance(graph, graphviz.Digraph)
    assert graph.source == to_dot(price)
    assert (
        graph.source.count("->") == operand_count(price) + 3
    )  # and one from each operation to its result
    texts = rendered_texts(graph.source)
    wanted = ["apple", "value 100", "gradient 2.2", "×1.1", "×100", "×2", "×200", "0.5", "+"]
    for text in wanted:
        assert text in (graph.source if texts is None else texts)


def test_labels_cannot_break_out_of_the_dot_language():
    labels = [*HOSTILE.values(), *INVISIBLE.values(), "long " * 2000]

    def source_with(names):
        root = Value(0)
        for name in names:
            root = root + Value(1, name)
        root.label = names[0]
        return to_dot(root)

    source = source_with(labels)
    assert source.count("\n") == source_with(["plain"] * len(labels)).count("\n")
    texts = rendered_texts(source)
    for label in HOSTILE.values():
        assert texts is None or label in texts


@pytest.mark.parametrize("draw", [to_svg, to_dot, to_graphviz, to_html, show])
@pytest.mark.parametrize("thing", [3.0, None, "x", [Value(1)], Value, np.ones(2)], ids=repr)
def test_only_nodes_are_drawn(draw, thing):
    kind = type(thing).__name__
    with pytest.raises(TypeError, match=f"{draw.__name__}: expected a node, got {kind}"):
        draw(thing)


@pytest.mark.parametrize("draw", [to_svg, to_dot, to_graphviz])
@pytest.mark.parametrize("after_backward", [False, True])
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_drawing_changes_nothing(draw, after_backward, kind):
    x, y = kind(2.0, "x"), kind(3.0, "y")
    root = (x * y + x**2).sqrt() * 0.5
    if after_backward:
        root.backward()

    def state():
        nodes = topological_order(root)
        grads = [(float(n.data), float(n.grad), n.label) for n in nodes]
        return grads, [(n.data, n.operands, n.rule, n.pullback) for n in nodes]

    before = state()
    draw(root)
    assert state() == before
    x.zero_grad()
    y.zero_grad()
    root.backward()
    assert (x.grad, y.grad) == pytest.approx((0.5 * 7 / (2 * 10**0.5), 0.5 * 2 / (2 * 10**0.5)))
