"""Reading expressions: Python's own eval is the oracle here, and nowhere else is anything run."""

import ast
import builtins
import math
import re
import time
from pathlib import Path

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value, topological_order
from tinygrad_edu.commands import expression
from tinygrad_edu.commands.expression import FUNCTION_NAMES, read_expression
from tinygrad_edu.rules import elementwise, operations

NAMES = ("x", "y", "größe")
floats = st.floats(-9, 9).map(lambda x: round(x, 3))
numerals = st.one_of(floats.map(lambda x: f"({x})"), st.integers(0, 9).map(str))
EXACT = {
    "exp": math.exp, "tanh": math.tanh, "sin": math.sin, "cos": math.cos, "abs": abs,
    "sqrt": math.sqrt, "arctan": math.atan, "maximum": max, "minimum": min,
    "relu": lambda x: max(x, 0.0),
}  # fmt: skip
SMOOTH = {
    "tanh": mpmath.tanh, "sin": mpmath.sin, "cos": mpmath.cos, "arctan": mpmath.atan,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
}  # fmt: skip


def texts(functions, forms):
    """Expressions as a person would type them, of bounded size."""
    leaves = st.one_of(st.sampled_from(NAMES), numerals)
    one = sorted(name for name in functions if name not in ("maximum", "minimum"))
    two = sorted(set(functions) - set(one))

    def larger(inner):
        calls = [st.builds("{}({})".format, st.sampled_from(one), inner)]
        if two:
            calls.append(st.builds("{}({}, {})".format, st.sampled_from(two), inner, inner))
        shaped = [st.builds(form.format, inner, inner) for form in forms]
        return st.one_of(*calls, *shaped)

    return st.recursive(leaves, larger, max_leaves=8)


def used(text, numbers):
    return {name: x for name, x in numbers.items() if re.search(rf"\b{name}\b", text)}


inputs = st.fixed_dictionaries(dict.fromkeys(NAMES, floats))
any_forms = (
    "{} + {}",
    "{} - {}",
    "{}*{}",
    "({} + {})",
    "({}) / ({})",
    "-{} - {}",
    "({} - {}) ** 3",
)


@given(texts(EXACT, any_forms), inputs)
def test_the_value_is_that_of_pythons_own_eval(text, numbers):
    numbers = used(text, numbers)
    floats_only = re.sub(r"(?<![\w.])(\d+)(?![\w.])", r"\1.0", text)
    try:
        expected = eval(floats_only, {**EXACT, **numbers})
    except (ArithmeticError, ValueError):
        with pytest.raises(ValueError, match="expression: "):
            read_expression(text, numbers)
        return
    if math.isfinite(expected):
        assert read_expression(text, numbers).data == expected


smooth_forms = ("{} + {}", "{} - {}", "({}) * ({})", "({}) / (({})**2 + 1)", "+{} - -{}")


@given(texts(SMOOTH, smooth_forms), inputs)
def test_the_gradients_are_those_of_a_numerical_derivative(text, numbers):
    numbers = used(text, numbers)
    root = read_expression(text, numbers)
    root.backward()
    found = {x.label: x.grad for x in topological_order(root) if not x.operands}
    for name, x in numbers.items():
        with mpmath.workdps(50):
            wanted = mpmath.diff(
                lambda t, name=name: mpmath.mpf(eval(text, {**SMOOTH, **numbers, name: t})), x
            )
        assert found[name] == pytest.approx(float(wanted), rel=1e-6, abs=1e-6)


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_any_text_is_a_graph_or_a_value_error(text):
    read_or_refuse(text)


words = ["x", "y", "exp", "clip", "(", ")", "[", "]", "{", "}", ",", ".", "=", ":=", ";", "\n", "'",
         '"', "f'", "lambda", ":", "if", "else", "for", "in", "import", "not", "*", "**", "/", "//",
         "@", "%", "^", "-", "+", "~", "<", "==", "1", "2.5", "1e999", "0x", "1_0", "2j", "None",
         "...", "\\", "#", "\t", " ", "\x00", "def", "min", "await", "é", "ﬁ"]  # fmt: skip


@given(st.lists(st.sampled_from(words), max_size=12).map("".join))
def test_what_looks_like_python_is_a_graph_or_a_value_error(text):
    read_or_refuse(text)


def read_or_refuse(text):
    said = ""
    try:
        root = read_expression(text, {"x": 1.5, "y": 2})
    except ValueError as error:
        said = str(error)
    if said:
        assert said.startswith("expression: ")
        assert max(map(len, said.split("\n"))) < 1000
    else:
        assert type(root) is Value


ATTACKS = [
    "__import__('os').system('touch x')",
    "open('x', 'w')",
    "eval('1')",
    "(lambda: open('x', 'w'))()",
    "f'{open(1)}'",
    "[open('x', 'w') for i in (1,)]",
    "().__class__.__bases__[0]",
    "import os",
    "exec('import os')",
    "x.__class__",
    "exp.__globals__",
    "exp(*open('x', 'w'))",
    "exp(**{'x': open('x', 'w')})",
    "x[open('x', 'w')]",
    "(y := open('x', 'w'))",
    "1 if open('x', 'w') else 2",
    "x and open('x', 'w')",
    "def f(): pass",
    "x = open('x', 'w')",
    "(x, y) = 1, 2",
    "x.data = 3",
    "del x",
    "'%s' % x",
    "breakpoint()",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_of_the_text_runs(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def never(*_, **__):
        raise AssertionError(f"{text} was run")

    compile_itself = builtins.compile

    def only_parse(source, filename, mode, flags=0, *rest, **options):
        assert flags & ast.PyCF_ONLY_AST
        return compile_itself(source, filename, mode, flags, *rest, **options)

    for name in ("eval", "exec", "open", "breakpoint"):
        monkeypatch.setattr(builtins, name, never)
    monkeypatch.setattr(builtins, "compile", only_parse)
    with pytest.raises(ValueError, match="expression: "):
        read_expression(text, {"x": 1.0})
    assert not list(tmp_path.iterdir())


def test_the_source_itself_names_nothing_that_runs_text():
    tree = ast.parse(Path(expression.__file__).read_text(encoding="utf-8"))
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not names & {"eval", "exec", "compile", "__import__", "globals", "locals"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x.y", "attribute access is not part"),
        ("x[0]", "indexing is not part"),
        ("x ^ 2", "a power is written **"),
        ("x < 2", "a comparison is not part"),
        ("f'{x}'", "a formatted string is not part"),
        ("lambda: x", "a lambda is not part"),
        ("'a' + x", "'a' is not a real number"),
        ("True + x", "True is not a real number"),
        ("2j * x", "a complex number is not a real number"),
        ("2 (x + 1)", "a product needs a *"),
        ("x(2)", "x is a number, not a function"),
        ("exp", "exp is a function; write exp"),
        ("exp(x, 2)", "exp takes (x): too many"),
        ("maximum(x)", "maximum takes (x, y): missing"),
        ("clip(x, x)", "min must be a plain number"),
        ("clip(x, 0, min=1)", "min, max"),
        ("leaky_relu(x, slope=1)", "negative_slope"),
        ("clip(x, 2, 1)", "min 2.0 is above max 1.0"),
        ("where(x > 1, x, 2)", "use maximum, relu, abs or clip"),
        ("sqare(x)", "did you mean sqrt"),
        ("xx + x", "xx is not known; known are x; did you mean x"),
        ("x; x * 2", "only the last"),
        ("a = b = x", "one = gives one name"),
        ("x = 2", "x is given twice"),
        ("a = x; a = x", "a is given twice"),
        ("a = 2; x", "a is given but not used"),
        ("1 + 2", "x is given but not used"),
        ("", "there is nothing in it"),
        ("# x", "only a comment"),
        ("x / 0", "the divisor is 0"),
        ("1 / 0 * x", "division by zero"),
        ("log(-x)", "positive number"),
        ("(-x) ** 0.5", "whole exponents only"),
        ("1e999 * x", "larger than any float"),
        ("9" * 400 + "* x", "larger than any float"),
        ("9" * 5000 + "* x", "it cannot be read"),
        ("sin(" * 150 + "x" + ")" * 150, "nests too deeply"),
        ("(" * 300 + "x" + ")" * 300, "too many nested parentheses"),
        ("-" * 5000 + "x", "nests too deeply"),
        ("x" + " ** x" * 1900, "nests too deeply"),
        ("x" * 10_001, "it has 10001 characters; write at most 10000"),
    ],
)
def test_errors_say_what_is_wrong(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read_expression(text, {"x": 3.0})


@pytest.mark.parametrize(
    ("text", "line", "mark"),
    [
        ("x + )", "x + )", "    ^"),
        ("(x", "(x", "^"),
        ("x + yy * 2", "x + yy * 2", "    ^^"),
        ("é = x\nb = é + é.x", "b = é + é.x", "        ^^^"),
        ("x + x\t[3]", "x + x [3]", "    ^^^^^"),
        ("x + '\u202e\x1b'", "x + '··'", "    ^^^^"),
        (
            "x * " * 20 + "yy" + " * x" * 20,
            "…" + ("x * " * 8)[2:] + "yy" + " * x" * 7,
            " " * 31 + "^^",
        ),
    ],
)
def test_the_place_is_marked(text, line, mark):
    with pytest.raises(ValueError, match="expression: ") as caught:
        read_expression(text, {"x": 1.0})
    assert str(caught.value).split("\n")[1:] == [f"  {line}", f"  {mark}"]


@pytest.mark.no_cover
def test_huge_powers_end_at_once():
    start = time.perf_counter()
    with pytest.raises(ValueError, match="larger than any float"):
        read_expression("9 ** 9 ** 9 ** 9 + x", {"x": 1.0})
    assert time.perf_counter() - start < 1


def test_a_long_sum_is_no_deep_one():
    assert read_expression("+".join(["x"] * 1500), {"x": 2.0}).data == 3000


def test_each_input_is_one_leaf_and_assignments_are_labels():
    root = read_expression("a = x * w; n = a + b; y = tanh(n)", {"x": 2, "w": -3, "b": 6.7})
    assert [x.label for x in topological_order(root)] == ["x", "w", "b", "a", "n", "y"]
    root = read_expression("x * x + x", {"x": 3})
    assert [x.label for x in topological_order(root)] == ["x", "", "result"]


def test_a_name_for_a_number_makes_a_leaf_and_a_number_alone_a_constant():
    root = read_expression("apple = 100; price = apple * (1 + 1)", {})
    assert root.operands[0].label == "apple"
    assert root.operands[1] == 2.0
    assert type(root.operands[1]) is float
    assert read_expression("1 + 2", {}).data == 3


def test_a_node_keeps_its_first_name():
    assert read_expression("y = x", {"x": 1.0}).label == "x"
    assert read_expression("result * 2", {"result": 1.0}).label == ""


def test_names_are_compared_as_python_does():
    assert read_expression("ﬁg * 2", {"ﬁg": 1.5}).data == 3  # the ligature is two letters
    for name in ("a b", "1x", "lambda", "", "</script>", "x\n", "a.b"):
        with pytest.raises(ValueError, match="cannot be a name"):
            read_expression("1", {name: 1.0})


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ValueError, match="larger than any float"):
        read_expression("x * 2", {"x": 10**400})


def test_every_elementwise_function_can_be_called_but_where():
    rules = {name.strip("_") for name, x in vars(elementwise).items() if hasattr(x, "__wrapped__")}
    assert set(FUNCTION_NAMES) == rules - {"where"}
    assert len(FUNCTION_NAMES) > 20
    x = 0.5
    for name in FUNCTION_NAMES:
        function = getattr(operations, name)
        two = name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")
        text = f"{name}(x, 2)" if two else f"{name}(x)"
        assert read_expression(text, {"x": x}).data == (function(x, 2.0) if two else function(x))


def test_settings_are_bound():
    assert read_expression("leaky_relu(x, negative_slope=0.5)", {"x": -4}).data == -2
    assert read_expression("leaky_relu(x, 0.25)", {"x": -4}).data == -1
    assert read_expression("clip(x, -1, max=-2 + 3)", {"x": 4}).data == 1
    assert read_expression("clip(x, max=2 ** 3)", {"x": 9}).data == 8


def test_pi_and_e_are_constants_unless_a_person_has_these_names():
    x = read_expression("sin(pi * x) + e ** x", {"x": 0.25})
    assert x.data == math.sin(math.pi * 0.25) + math.e**0.25
    assert [node.label for node in topological_order(x) if not node.operands] == ["x"]
    assert read_expression("pi", {}).data == math.pi
    assert read_expression("e * pi", {"e": 2.0, "pi": 3.0}).data == 6.0
    assert read_expression("e = x + 1; e * 2", {"x": 1.0}).data == 4.0
    for text, said in {
        "y = e * x; e = 2; y + e": r"e was 2\.718 so far; choose another name",
        "x = 1; pi(x)": r"pi is a number, not a function; a product needs a \*",
        "x = 1; x + pie": r"pie is not known",
        "2e": "cannot be read",
    }.items():
        with pytest.raises(ValueError, match=said):
            read_expression(text, {"x": 1.0} if "x =" not in text else {})
