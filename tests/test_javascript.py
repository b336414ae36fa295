"""The generated JavaScript, run by Node, against the rules, run by Python."""

import itertools
import json
import math
import random
import re
import shutil
import subprocess
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import IN_JAVASCRIPT
from rule_table import ELEMENTWISE
from test_symbols import A, B, C, bits, build, numbers

import tinygrad_edu as tg
from tinygrad_edu.programs.languages import written
from tinygrad_edu.rules import RULES, of, rule
from tinygrad_edu.rules.tables import plain_function
from tinygrad_edu.view.page.javascript import javascript_rule, javascript_rules

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node, which runs the JavaScript, is missing")

SERVER = """
const read = text => Number(text), show = v => Object.is(v, -0) ? "-0" : String(Number(v));
require("readline").createInterface({input: process.stdin}).on("line", line => {
  const {code, calls} = JSON.parse(line);
  const functions = new Function('"use strict"; return ' + code)();
  console.log(JSON.stringify(calls.map(([i, xs]) => show(functions[i](...xs.map(read))))));
});
"""

TO_THE_BIT = {"add", "subtract", "multiply", "divide", "negative", "sqrt"}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-300, 1e4, -1e4, math.inf, -math.inf, math.nan]


@pytest.fixture(scope="module")
def javascript():
    """A function that runs calls `(which, operands)` of an array of functions, given as code."""
    with subprocess.Popen(
        [NODE, "-e", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(code, calls):
            shown = [(i, [repr(float(x)).replace("inf", "Infinity") for x in xs])
                     for i, xs in calls]  # fmt: skip
            process.stdin.write(json.dumps({"code": code, "calls": shown}) + "\n")
            process.stdin.flush()
            return [float(x) for x in json.loads(process.stdout.readline())]

        yield run
        process.stdin.close()


def close(ours, theirs, rel=1e-12):
    if math.isnan(ours) or math.isnan(theirs) or math.isinf(ours) or math.isinf(theirs):
        return bits(ours) == bits(theirs)
    return abs(ours - theirs) <= rel * max(abs(ours), abs(theirs))


def points(row, n):
    """200 points inside the domains, the kinks, and every pairing of special numbers."""
    draw = random.Random(7)
    inside = [tuple(draw.uniform(a, b) for a, b in row.domains) for _ in range(200)]
    return inside + list(row.kinks) + list(itertools.product(SPECIAL, repeat=n))


def cases(bound, operands, g):
    """What Python gives for the output and for each adjoint: (function, operands, number)."""
    for xs in operands:
        try:
            y, pullback = bound(*xs)
        except (ArithmeticError, ValueError):
            continue
        yield 0, xs, y
        try:
            adjoints = pullback(g)
        except (ArithmeticError, ValueError):
            continue
        for i, adjoint in enumerate(adjoints):
            try:
                number = adjoint() if callable(adjoint) else adjoint
            except (ArithmeticError, ValueError):
                continue
            if number is not None:
                yield 1 + i, (g, *xs, y), number


def functions_of(bound, n):
    """The code of an array with the functions f and b of a rule."""
    return f"(rule => [rule.f, ...rule.b])({javascript_rule(bound, n)})"


def compare(javascript, bound, n, expected, same):
    results = javascript(functions_of(bound, n), [(i, xs) for i, xs, _ in expected])
    wrong = [
        (i, xs, python, ours)
        for (i, xs, python), ours in zip(expected, results, strict=True)
        if not same(ours, float(python))
    ]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("name", sorted({*IN_JAVASCRIPT} - {"where"}))
def test_every_rule_gives_the_numbers_of_python(javascript, name):
    row = ELEMENTWISE[name]
    n = len(row.domains)
    bound = partial(RULES[name], **row.settings)
    expected = list(cases(bound, points(row, n), g=-1.7))
    assert len(expected) >= 200 * (1 + n)
    exact = name in TO_THE_BIT
    compare(javascript, bound, n, expected, (lambda a, b: bits(a) == bits(b)) if exact else close)


def test_where_takes_truth_values_and_numbers_as_condition(javascript):
    operands = [(c, x, y) for c in (True, False, 1.0, 0.0) for x in SPECIAL for y in SPECIAL]
    expected = list(cases(RULES["where"], operands, g=2.5))
    compare(javascript, RULES["where"], 3, expected, lambda a, b: bits(a) == bits(b))


arithmetic = st.recursive(
    st.sampled_from("abc") | st.floats(allow_nan=False, allow_infinity=False),
    lambda x: (
        st.tuples(st.sampled_from(["add", "sub", "mul", "truediv"]), x, x)
        | st.tuples(st.sampled_from(["neg", "abs"]), x)
    ),
    max_leaves=12,
)


@given(tree=arithmetic, values=st.tuples(numbers, numbers, numbers))
def test_arithmetic_gives_the_bits_of_python(javascript, tree, values):
    try:
        exact = build(tree, dict(zip("abc", values, strict=True)))
        expression = build(tree, {"a": A, "b": B, "c": C})
    except ZeroDivisionError:
        return
    text = written(expression, "javascript")
    assert bits(javascript(f"[(a, b, c) => {text}]", [(0, values)])[0]) == bits(exact)


def test_the_text_is_what_a_reader_would_write():
    assert javascript_rules([(RULES["multiply"], 2), (RULES["tanh"], 1), (RULES["where"], 3)]) == (
        "const RULES = [\n"
        "  {f: (x, y) => x * y, b: [(g, x, y, z) => g * y, (g, x, y, z) => g * x]},\n"
        "  {f: (x) => Math.tanh(x), b: [(g, x, z) => g * (1.0 - z * z)]},\n"
        "  {f: (x0, x1, x2) => x0 ? x1 : x2, b: [null, (g, x0, x1, x2, z) => x0 ? g : 0.0, "
        "(g, x0, x1, x2, z) => x0 ? 0.0 : g]},\n"
        "];"
    )
    assert javascript_rules([]) == "const RULES = [\n];"


def test_only_names_made_here_operations_and_numbers_occur():
    rules = [
        (partial(RULES[n], **row.settings), len(row.domains))
        for n, row in ELEMENTWISE.items()
        if n in IN_JAVASCRIPT
    ]
    words = set(re.findall(r"[A-Za-z_$][\w$]*", javascript_rules(rules)))
    ours = {"const", "RULES", "f", "b", "g", "x", "y", "z", "t0", "return", "e", "Infinity", "NaN"}
    allowed = "exp expm1 log log1p sqrt sin cos tan sinh cosh tanh asin acos atan abs max min"
    assert words - ours - {"Math", "null"} <= set(allowed.split())


def test_a_new_rule_runs_on_the_page_with_no_second_table(javascript):
    @plain_function
    def _bump(x):
        return of(x).exp(-(x * x)) * of(x).where(x > 0, 2.0, 0.5)

    @rule("bump")
    def bump(x, /):
        """A formula that neither math nor JavaScript has."""
        y = of(x).bump(x)
        return y, lambda g, x=x, y=y: (-2.0 * g * x * y,)

    @rule("cube")
    def cube(x, /):
        """x³."""
        return x * x * x, lambda g, x=x: (3 * g * x * x,)

    @rule("pairs")
    def sum_of_pairs(*xs):
        """x0 x1 + x2 x3 + …, of any number of operands."""
        pairs = list(zip(xs[::2], xs[1::2], strict=True))
        return sum(x * y for x, y in pairs), lambda g, pairs=pairs: tuple(
            g * other for x, y in pairs for other in (y, x)
        )

    for name, n in (("bump", 1), ("cube", 1), ("sum_of_pairs", 4)):
        draw = random.Random(3)
        operands = [tuple(draw.uniform(-2, 2) for _ in range(n)) for _ in range(50)]
        expected = list(cases(RULES[name], operands, g=0.3))
        assert len(expected) == 50 * (1 + n)
        compare(javascript, RULES[name], n, expected, close)


def test_what_occurs_often_is_computed_once(javascript):
    @rule("tower")
    def tower(x, /):
        """x squared sixty times: written out, its text would fill no disk."""
        y = x
        for _ in range(60):
            y = y * y
        return y + 1.0, lambda g, y=y: (g * y * y,)

    assert len(javascript_rule(RULES["tower"], 1)) < 5000
    expected = list(cases(RULES["tower"], [(1.0,), (-1.0,), (0.999,)], g=1.0))
    compare(javascript, RULES["tower"], 1, expected, lambda a, b: bits(a) == bits(b))
    sigmoid = javascript_rule(RULES["sigmoid"], 1)
    assert sigmoid.startswith("{f: (x) => { const t0 = Math.exp(-Math.abs(x)); return ")


def test_a_rule_for_arrays_is_refused_by_name():
    with pytest.raises(TypeError, match="matmul has no formula"):
        javascript_rules([(RULES["add"], 2), (RULES["matmul"], 2)])


def test_values_of_a_graph_are_those_of_its_rules(javascript):
    x = tg.Value(0.3)
    y = (x * 2 + 1).tanh() ** 2
    for node in (y, *y.parents):
        xs = [getattr(operand, "data", operand) for operand in node.operands]
        code = functions_of(node.rule, len(xs))
        assert close(javascript(code, [(0, xs)])[0], node.data)
