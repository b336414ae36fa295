"""Every sentence of the page on graphs of every rule, read for nonsense; and every formula of a
local derivative, evaluated."""

import math
import re
from pathlib import Path

import page_in_node
import pytest
from effort import much
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from page_in_node import open_page
from random_graphs import GRAPHS, graphs_with_modules
from rule_table import ELEMENTWISE

import tinygrad_edu as tg
from tinygrad_edu import Tensor, Value, group, nn
from tinygrad_edu.rules import of, rule
from tinygrad_edu.scalar_nn import MLP

javascript = page_in_node.javascript

DOCUMENT = Path(__file__).with_name("document_in_node.js").read_text(encoding="utf-8")

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)  # each try is a page
NONSENSE = {
    "a count and its noun": r"(?<![\w.])(?<![+−×÷] )1 (?!is\b|times\b|digits\b)\w+s\b",
    "child": r"\bchild",
    "a hole": r"undefined|null|\[object|NaN|\{|\}|function",
    "a sign after a sign": r"[+−×÷] −|−−",
    "an unprotected power": r"(?<![(\d.,])−[\d.]+(?:\*\*|[²³⁴^])",
    "a number that moves as nothing": r"moves? (?:nan|−?inf)\b",
    "two spaces": r"\S  \S",
    "a useless factor": r"\*\* 1\b|\^1(?![\d.])|¹(?![⁰-⁹])",
}  # fmt: skip


def texts(javascript, page, folded=(), inputs=(), early=False):
    """Every text of a page, with where it stands."""
    code = f"(() => {{ {DOCUMENT}; return everyText(graph, new Set(folded), inputs, early); }})()"
    return javascript(page, code, folded=list(folded), inputs=list(inputs), early=early)


def check_sense(found):
    assert found
    assert nonsense(found) == []


def nonsense(found):
    return [
        f"{where}: {text!r} has {name}"
        for where, text in found
        for name, pattern in NONSENSE.items()
        if re.search(pattern, text)
    ]


def at(name, xs, settings):
    """A rule of numbers between two operations, so that something arrives."""
    operands = [Value(x, label) for x, label in zip(xs, "pqr", strict=False)]
    return getattr(tg.rules.operations, name)(*operands, **settings) * Value(-2.0, "c")


def middle(name):
    return [a + 0.6 * (b - a) for a, b in ELEMENTWISE[name].domains]


def test_a_page_of_every_rule_makes_sense(javascript):
    root = Value(1.0, "start")
    for name, row in ELEMENTWISE.items():
        root = root + at(name, middle(name), row.settings)
    check_sense(texts(javascript, open_page(root)))


@pytest.mark.deep
@pytest.mark.parametrize("name", ELEMENTWISE)
@settings(max_examples=5, phases=UNSHRUNK)
@given(data=st.data())
def test_a_page_of_one_rule_makes_sense(javascript, name, data):
    row = ELEMENTWISE[name]
    xs = data.draw(st.tuples(*[st.floats(a, b) for a, b in row.domains]))
    page = open_page(at(name, xs, row.settings))
    check_sense(texts(javascript, page))


def declare_bump():
    """A rule as a user writes it."""

    @rule("bump")
    def bump(x, y, /):
        """y exp(-x²)."""
        e = of(x, y).exp(-x * x)
        return e * y, lambda g: (g * y * e * (-2.0 * x), g * e)

    return bump


def special_graphs():
    x, y = Value(-7.0, "x"), Value(0.0, "y")
    neuron = MLP(2, [2, 1])
    with group("inner"):
        inside = x * x + y
    labelled = inside * inside
    labelled.label = "labelled"
    yield from (
        x**2, x - -7.0, -x, x * x, x * x * x, (x * 1e200) * 1e200, (x * 100.0).exp() * y,
        y.sqrt(), abs(y), (x - x).relu(), y, labelled,
        neuron([x, y]), x.clip(-1.0, 1.0), tg.maximum(x, x), tg.where(True, x, y), x**y, y**0.0,
        (-x).log() + x.tanh().tanh(), sum((x * float(i) for i in range(2, 9)), y),
        Tensor([1.0, 2.0], "t").sum(), nn.cross_entropy(Tensor([[1.0, 2.0]], "z") * x.data, [1]),
        Tensor([[1.0, -2.0]], "W") @ Tensor([[3.0], [4.0]], "v"), declare_bump()(x, x),
    )  # fmt: skip


@pytest.mark.parametrize("n", range(24))
def test_a_page_of_a_special_graph_makes_sense(javascript, n):
    graphs = list(special_graphs())
    assert len(graphs) == 24
    page = open_page(graphs[n])
    for early in (False, True):
        check_sense(texts(javascript, page, page.data["folded"], early=early))
    check_sense(texts(javascript, page))


@pytest.mark.parametrize(
    ("function", "x", "says"),
    [
        (lambda x: x.log(), -1.0, "y = log(x) = log(−1) = nan. log is not defined here."),
        (lambda x: x.log(), 0.0, "log has no finite value here."),
        (lambda x: 1.0 / x, 0.0, "÷ has no finite value here."),
        (lambda x: x.sqrt(), -4.0, "√ is not defined here."),
        (lambda x: x.exp(), 1000.0, "y = exp(x) = exp(1000) = inf. The result is too large"),
        (lambda x: x**3.0, 1e200, "too large for a computer's number"),
        (lambda x: x**0.5, -2.0, "y = x^0.5 = (−2)^0.5 = nan"),
    ],
)  # fmt: skip
def test_where_there_is_no_number_it_is_said_why(javascript, function, x, says):
    root = function(Value(2.0, "x"))
    root.label = "y"
    page = open_page(root)
    place = next(i for i, card in enumerate(page.cards) if card.name == "x")
    found = texts(javascript, page, inputs=[[place, x]])
    check_sense(found)
    assert any(says in text for where, text in found if where == "say 1"), found
    assert any("no derivative at this point" in text for where, text in found if "why" in where)


@settings(max_examples=much(2, 40), phases=UNSHRUNK)
@given(root=GRAPHS.map(lambda graph: graph.root) | graphs_with_modules())
def test_a_page_of_a_random_graph_makes_sense(javascript, root):
    page = open_page(root)
    check_sense(texts(javascript, page, page.data["folded"], early=True))


# --- formulas ------------------------------------------------------------------------------------

FUNCTIONS = {
    **{name: getattr(math, name) for name in
       ("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf",
        "erfc")},
    "sqrt": math.sqrt, "max": max, "min": min, "σ": lambda x: 1 / (1 + math.exp(-x)), "abs": abs,
    "arcsin": math.asin, "arccos": math.acos, "arctan": math.atan, "inf": math.inf, "nan": math.nan,
    "bump": lambda x, y: y * math.exp(-x * x),
    "GELU": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
}  # fmt: skip
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def evaluated(formula, operands):
    """The number of a formula as the page writes it, by Python's own arithmetic."""
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: f"**({m[0].translate(SUPERSCRIPTS)})", formula)
    text = re.sub(r"\|(.*?)\|", r"abs(\1)", text).replace("√", "sqrt").replace("^", "**")
    for sign, python in (("×", "*"), ("÷", "/"), ("−", "-"), ("≤", "<="), ("≥", ">=")):
        text = text.replace(sign, python)
    return eval(re.sub(r"[₁₂]", "", text), {**FUNCTIONS, **operands})


LOCAL = """graph.links.map((_, k) => {
  const v = forward(graph, new Map());
  const numbers = { v, ...backward(graph, v) };
  if (numbers.local[k] === null) return null;
  return explainLocal(graph, k, numbers, AS_TEXT).formulas[0] ?? "";
})"""


def test_the_formula_of_every_local_derivative_gives_its_number(javascript):
    root = Value(1.0, "start")
    for name, row in ELEMENTWISE.items():
        root = root + at(name, middle(name), row.settings)
    page = open_page(root)
    compared = 0
    for link, formula in zip(page.links, javascript(page, LOCAL), strict=True):
        node = page.cards[link.head].item
        if formula and all(x.label for x in node.operands):
            wanted = node.pullback(1.0)[link.operand]
            wanted = wanted() if callable(wanted) else wanted
            found = evaluated(formula, {x.label: x.data for x in node.operands})
            assert found == pytest.approx(wanted, rel=1e-5, nan_ok=True), formula
            compared += 1
    assert compared > 20


@pytest.mark.deep
@pytest.mark.parametrize("name", [*ELEMENTWISE, "bump"])
@settings(max_examples=20, phases=UNSHRUNK)
@given(data=st.data())
def test_the_formula_of_a_local_derivative_gives_its_number(javascript, name, data):
    row = ELEMENTWISE.get(name)
    domains, settings_ = (row.domains, row.settings) if row else (((0.1, 3.0),) * 2, {})
    xs = data.draw(st.tuples(*[st.floats(a, b) for a, b in domains]))
    operation = declare_bump() if row is None else getattr(tg.rules.operations, name)
    operands = {label: Value(x, label) for x, label in zip(xs, "pqr", strict=False)}
    constant = data.draw(st.integers(-1, len(xs) - 1)) if len(xs) > 1 else -1
    given_ = [x.data if i == constant else x for i, x in enumerate(operands.values())]
    node = operation(*given_, **settings_)
    formulas = javascript(open_page(node), LOCAL)
    adjoints = node.pullback(1.0)
    for formula, operand, adjoint in zip(formulas, node.operands, adjoints, strict=True):
        if not isinstance(operand, Value) or not formula:
            continue
        wanted = adjoint() if callable(adjoint) else adjoint
        found = evaluated(formula, {label: x.data for label, x in operands.items()})
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-300, nan_ok=True), formula


def local_texts(javascript, root, **inputs):
    page = open_page(root)
    place = {card.name: i for i, card in enumerate(page.cards)}
    code = """graph.links.map((_, k) => {
      const v = forward(graph, new Map(inputs));
      const numbers = { v, ...backward(graph, v) };
      return numbers.local[k] === null ? "" : localText(graph, k, numbers);
    })"""
    return javascript(page, code, inputs=[[place[name], x] for name, x in inputs.items()])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda t, x: t * x, ["∂(t × x)/∂t = x = 0.5", "∂(t × x)/∂x = t = −2"]),
        (lambda t, x: t**2.0, ["∂(t²)/∂t = 2 × t = 2 × (−2) = −4"]),
        (lambda t, x: x.tanh(), ["∂tanh(x)/∂x = 1 − tanh(x)² = 1 − 0.4621² = 0.7864477"]),
        (lambda t, x: t.relu(), ["∂ReLU(t)/∂t = 0, since t ≤ 0"]),
        (lambda t, x: x.relu(), ["∂ReLU(x)/∂x = 1, since x > 0"]),
        (lambda t, x: t * t, ["∂(t₁ × t₂)/∂t₁ = t₂ = −2", "∂(t₁ × t₂)/∂t₂ = t₁ = −2"]),
        (lambda t, x: 3.0 / t, ["∂(3 ÷ t)/∂t = −3 ÷ t ÷ t = −(−1.5) ÷ (−2) = −0.75"]),
        (
            lambda t, x: declare_bump()(x, t),
            [
                "∂bump(x, t)/∂x = −2 × bump(x, t) × x = −2 × (−1.558) × 0.5 = 1.557602",
                "∂bump(x, t)/∂t = exp(−x²) = exp(−0.5²) = 0.7788008",
            ],
        ),
    ],
)  # fmt: skip
def test_a_local_derivative_is_said_with_the_readers_names_and_numbers(javascript, make, says):
    found = [
        text for text in local_texts(javascript, make(Value(-2.0, "t"), Value(0.5, "x"))) if text
    ]
    assert found == says
