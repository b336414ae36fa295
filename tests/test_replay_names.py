"""Hostile labels: whatever a user writes on a node is a safe, unique name in every language."""

import ast
import builtins
import keyword
import re
from xml.etree import ElementTree

import numpy as np
import page_in_node
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_replay_source import CALL, assert_clean
from test_replay_values import program_of

from tinygrad_edu import Value, replay
from tinygrad_edu.programs.symbols import function_names

javascript = page_in_node.javascript

JAVASCRIPT_WORDS = re.findall(
    r"\w+",
    """await break case catch class const continue debugger default delete do else enum eval export
    extends false finally for function if implements import in instanceof interface let new null
    package private protected public return static super switch this throw true try typeof var
    void while with yield arguments undefined NaN Infinity Math constructor prototype __proto__
    toString globalThis async of get set""",
)

HOSTILE = [
    "'", '"', "\\", "a'b\"c", "a\nb", "a\r\nb", "a\u2028b", "a\x00b", "\t", " ", "", "#", "a#b",
    "__import__('os').system('true')", "x = 1; import os", "); alert(1); (", "*/ alert(1) /*",
    "</script><script>alert(1)</script>", "<b>&amp;</b>", "]]>", "&lt;", "<!--", "${alert(1)}",
    "`", "{x}", "%s", "{0.__class__}", "$x$", r"\input{/etc/passwd}", "a & b \\\\ c", "^_{}~",
    "np", "math", "put", "program", "inputs_1", "n", "f", "v1", "v2", "x1", "dx", "error", "known",
    "_error", "_otherwise", "_array", "_node0", "_inputs0", "_i", "_value", "_odd", "replay", "run",
    "inf", "nan", "exp", "log", "where", "maximum", "pow", "abs", "float", "sum", "lambda", "None",
    "3x", "1", "-1", "1e5", "½", "x²", "ﬁ", "ſ", "µ", "Å", "K", "𝒙", "x̂", "ẍ", "σ", "学习", "עברית",
    "‮gnp‬", "a\u200bb", "\u200f", "\ufeff", "é", "e\u0301", "\ud800", "😀", "x" * 10_000,
    "ab" * 5_000, "_", "__", "___x", "a b", "a.b", "a-b", "layers.0.w", "x", "x", "x", "x_2", "X",
    *keyword.kwlist, *keyword.softkwlist, *JAVASCRIPT_WORDS, *function_names(), *dir(builtins),
]  # fmt: skip


def labelled(labels):
    """A graph with these labels on leaves and on results; every leaf is used."""
    leaves = [Value(0.5 + 0.1 * i, label) for i, label in enumerate(labels)]
    total = leaves[0] * leaves[-1]
    for leaf, label in zip(leaves[1:], reversed(labels), strict=False):
        total = (total * leaf).tanh() + leaf.maximum(0.3)
        total.label = label
    return total, leaves


MACROS = {"begin", "end", "frac", "partial", "mathrm", "cdot", "tanh", "left", "right", "max",
          "operatorname", "text", "le", "ge", "land", "lor", "cases", "aligned"}  # fmt: skip
TAGS = {"math", "mtable", "mtr", "mtd", "mrow", "mi", "mn", "mo", "mfrac", "msub", "msup", "mtext"}


def parameters_of(text):
    return [n.arg for n in ast.walk(ast.parse(text)) if isinstance(n, ast.arg)]


def check_python(run, leaves, expected):
    """The programs run, and name nothing but parameters, their own lines and functions."""
    numbers = [leaf.data for leaf in leaves]
    assert run(*numbers) == expected
    for language in ("python", "numpy"):
        text = run.text(language)
        assert_clean(text)
        names = parameters_of(text)
        assert len(set(names)) == len(names) == len(leaves)
        stored = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)
                  and type(n.ctx) is ast.Store}  # fmt: skip
        assert not {*names, *stored} & {*keyword.kwlist, *dir(builtins), *function_names()}
        assert all(len(name) <= 42 for name in (*names, *stored))
        namespace = {}
        exec(text, namespace)
        value, grads = namespace["program"](*numbers)
        assert value == pytest.approx(expected[0], rel=1e-12)
        assert [float(g) for g in grads] == pytest.approx(list(expected[1]), rel=1e-12, abs=1e-15)


def check_formulas(run):
    """LaTeX with known macros only and balanced braces; MathML that is XML with known elements."""
    latex = run.text("latex")
    assert set(re.findall(r"\\([a-zA-Z]+)", latex)) <= MACROS
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert not set(latex) & set("#%~$`\"'")
    assert not re.search(r"(?<!\\)_(?!\{)", latex)
    for element in ElementTree.fromstring(run.text("mathml")).iter():
        assert element.tag.removeprefix("{http://www.w3.org/1998/Math/MathML}") in TAGS
        assert set(element.attrib) <= {"display", "columnalign"}


def check_javascript(javascript, run, leaves, expected):
    text = run.text("javascript")
    assert not set(text) & set("'\"`\\#$@")
    value, grads = javascript(None, CALL, text=text, xs=[leaf.data for leaf in leaves])
    assert value == pytest.approx(expected[0], rel=1e-12)
    assert grads == pytest.approx(list(expected[1]), rel=1e-12, abs=1e-15)


def check_everywhere(javascript, labels):
    root, leaves = labelled(labels)
    run = replay(root, leaves)
    root.backward()
    expected = root.data, tuple(leaf.grad for leaf in leaves)
    check_python(run, leaves, expected)
    check_formulas(run)
    check_javascript(javascript, run, leaves, expected)


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 12))
def test_hostile_labels_are_safe_names_in_every_language(javascript, start):
    check_everywhere(javascript, HOSTILE[start : start + 12])


@pytest.mark.deep
def test_all_hostile_labels_at_once(javascript):
    check_everywhere(javascript, HOSTILE)


@given(labels=st.lists(st.text(max_size=12), min_size=1, max_size=6))
@example(labels=["a", "a_2", "a", "a"])
@example(labels=["da", "a", "dda", "d"])
@example(labels=["x" * 50, "x" * 60, "x" * 70 + "_2"])
def test_any_text_is_a_label(javascript, labels):
    check_everywhere(javascript, labels)


@given(label=st.text(max_size=12), other=st.text(max_size=12))
@example(label="inputs_2", other="inputs_1")
@example(label="inputs_1", other="inputs_2")
@example(label="_inputs1", other="_result1")
def test_labels_among_lists_and_among_leaves_that_are_no_inputs(javascript, label, other):
    x, y, z = Value(2.0, label), Value(3.0, other), Value(5.0, label)
    run = replay(x * y + z, [x, [y]], [[y, x], z])
    value, (grads, dz) = run(7.0, [11.0])
    assert (value, grads.tolist(), dz) == (82.0, [7.0, 11.0], 1.0)
    (third,) = parameters_of(run.source)[2:]
    assert program_of(run)(7.0, [11.0], **{third: 5.0}) == (82.0, (7.0, 11.0, 1.0))
    assert javascript(None, CALL, text=run.text("javascript"), xs=[7, [11], 5]) == [82, [7, 11, 1]]


@pytest.mark.parametrize("label", ["n", "points", "known", "np", "array_3", "_count", "sums"])
def test_labels_of_columns(label):
    x, w = Value(2.0, label), Value(3.0, "w")
    v = x * w
    v.label = label
    value, (dx, dw) = replay(v + w, [x, w])(np.array([1.0, 2.0]), 5.0)
    assert (value.tolist(), dx.tolist(), dw) == ([10.0, 15.0], [5.0, 5.0], 5.0)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("speed", "speed"), ("layers.0.w", "layers_0_w"), ("a b", "a_b"), ("3x", "_3x"),
        ("ﬁ", "fi"), ("σ", "σ"), ("lambda", "lambda_2"), ("np", "np_2"), ("exp", "exp_2"),
        ("gnp\u202e", "gnp"), ("a\u200bb", "ab"), ("", "x1"), ("'", "x1"), ("x" * 99, "x" * 40),
    ],
)  # fmt: skip
def test_a_label_becomes_the_name_nearest_to_it(label, name):
    x = Value(2.0, label)
    assert parameters_of(replay(x * 3).source) == [name]


def test_formulas_keep_names_that_only_programs_cannot_have():
    x, y = Value(2.0, "lambda"), Value(3.0, "max")
    text = replay(x * y).text("latex")
    assert r"v_{1} &= \mathrm{lambda} \cdot \mathrm{max}" in text
    x, y = Value(2.0, "w1"), Value(3.0, "a_b")
    assert r"w_{1} \cdot \mathrm{a\_b}" in replay(x * y).text("latex")
    assert "<msub><mi>w</mi><mn>1</mn></msub>" in replay(x * y).text("mathml")


def test_names_that_differ_are_spelled_differently():
    x, y, z = Value(2.0, "w2"), Value(3.0, "w_2"), Value(4.0, "b1")
    run = replay(x * y * z)
    assert r"v_{1} &= \mathrm{w2} \cdot \mathrm{w\_2}" in run.text("latex")
    assert r"\frac{\partial v_{2}}{\partial b_{1}} &= v_{1}" in run.text("latex")
    assert "<mi>w2</mi><mo>·</mo><mi>w_2</mi>" in run.text("mathml")
    assert "w_{2}" in replay(y * z).text("latex")


def test_nothing_of_a_label_is_run(tmp_path):
    canary = tmp_path / "canary"
    labels = [
        f"open({str(canary)!r}, 'w')", f"x\nopen({str(canary)!r}, 'w')",
        f"__import__('pathlib').Path({str(canary)!r}).touch()", "a): import os",
    ]  # fmt: skip
    root, leaves = labelled(labels)
    run = replay(root, leaves)
    run(*[leaf.data for leaf in leaves])
    run(*[np.full(3, leaf.data) for leaf in leaves])
    for language in ("python", "numpy"):
        exec(run.text(language), {})
    assert not canary.exists()
