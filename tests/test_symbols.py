"""Symbols: rules traced to formulas, and formulas printed without a change of evaluation order."""

import math
import operator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import IN_JAVASCRIPT
from rule_table import ARRAYS, ELEMENTWISE

from tinygrad_edu.programs.languages import LANGUAGES, written
from tinygrad_edu.programs.symbols import Symbol, function_names, size, trace
from tinygrad_edu.rules import RULES, rule
from tinygrad_edu.testing import DOMAINS

# What the printed text may use: Python's math under NumPy's names, and nothing of ours.
PLAIN = {
    **vars(math),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "abs": abs,
    "where": lambda condition, x, y: x if condition else y,
    "maximum": lambda x, y: math.nan if x != x or y != y else max(x, y),
    "minimum": lambda x, y: math.nan if x != x or y != y else min(x, y),
}
A, B, C = Symbol("a"), Symbol("b"), Symbol("c")

elementwise = pytest.mark.parametrize("name", ELEMENTWISE)


def bits(x):
    """A number so that two compare equal only if every bit does; all nan are one."""
    return repr(float(x))


def test_the_condition_of_where_has_no_adjoint():
    traced = trace(RULES["where"], 3)
    names = dict(zip(traced.operands, ["c", "x", "y"], strict=True))
    texts = [None if a is None else written(a, "python", names) for a in traced.adjoints]
    assert written(traced.output, "python", names) == "where(c, x, y)"
    assert texts == [None, "where(c, g, 0.0)", "where(c, 0.0, g)"]


def test_constants_have_no_adjoint_and_are_computed_with():
    traced = trace(RULES["power"], 2, {1: 3.0})
    names = {traced.operands[0]: "x", traced.output: "z"}
    assert traced.operands[1] == 3.0
    assert written(traced.output, "python", {traced.operands[0]: "x"}) == "x ** 3.0"
    assert written(traced.adjoints[0], "python", names) == "g * 3.0 * x ** 2.0"
    assert traced.adjoints[1] is None


def test_a_settings_choice_is_made_while_tracing():
    traced = trace(partial(RULES["clip"], min=-1.0, max=2.0), 1)
    text = written(traced.output, "python", {traced.operands[0]: "x"})
    assert text == "where(x < -1.0, -1.0, where(x > 2.0, 2.0, x))"


def test_every_function_that_a_formula_may_hold_is_known_to_every_language():
    ours = {"exp", "where", "tanh", "arcsin", "maximum", "power"}
    assert ours < function_names()
    assert not {"sigmoid", "softplus", "softmax"} & function_names()
    for name in function_names():
        n = len(DOMAINS[name].intervals)
        for language in LANGUAGES:
            if language != "javascript" or name in IN_JAVASCRIPT:
                assert "a" in written(Symbol(name, (A, B, C)[:n]), language)


# Printing


@pytest.mark.parametrize(
    ("expression", "python", "javascript"),
    [
        (A + (B + C), "a + (b + c)", "a + (b + c)"),
        (A + B + C, "a + b + c", "a + b + c"),
        (A - (B - C), "a - (b - c)", "a - (b - c)"),
        (A * (B * C), "a * (b * c)", "a * (b * c)"),
        (A / (B / C) / A, "a / (b / c) / a", "a / (b / c) / a"),
        ((A + B) * (A - B), "(a + b) * (a - b)", "(a + b) * (a - b)"),
        (A * B + C, "a * b + c", "a * b + c"),
        (-(A * B), "-(a * b)", "-(a * b)"),
        (-A * B, "-a * b", "-a * b"),
        (A - -B, "a - -b", "a - -b"),
        (operator.neg(-A), "-(-a)", "-(-a)"),
        (A - -2.5, "a - -2.5", "a - -2.5"),
        (-Symbol("exp", (A,)), "-exp(a)", "-Math.exp(a)"),
        ((A < B) * (B >= 2), "(a < b) * (b >= 2)", "(a < b) * (b >= 2)"),
        ((A < B) <= C, "(a < b) <= c", "(a < b) <= c"),
        ((A > 0) & (B > 0) | (C > 0), "((a > 0) & (b > 0)) | (c > 0)",
         "((a > 0) & (b > 0)) | (c > 0)"),
        (Symbol("where", (A > 0, A, -A)) + 1, "where(a > 0, a, -a) + 1", "(a > 0 ? a : -a) + 1"),
        (A * math.inf, "a * inf", "a * Infinity"),
        (A + -math.inf, "a + -inf", "a + -Infinity"),
        (A + math.nan, "a + nan", "a + NaN"),
        (A + -0.0, "a + -0.0", "a + -0.0"),
        (0.1 + A, "0.1 + a", "0.1 + a"),
        (A + True, "a + True", "a + true"),
        (A + 1e22, "a + 1e+22", "a + 1e+22"),
        (np.float64(2) * A, "2.0 * a", "2.0 * a"),
        (abs(A), "abs(a)", "Math.abs(a)"),
    ],
)  # fmt: skip
def test_parentheses_stand_where_the_order_needs_them(expression, python, javascript):
    assert written(expression, "python") == python
    assert written(expression, "javascript") == javascript


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A ** (B**C), "a ** b ** c"),
        ((A**B) ** C, "(a ** b) ** c"),
        ((-A) ** 2, "(-a) ** 2"),
        (-(A**2), "-a ** 2"),
        (A**-B, "a ** -b"),
        ((-2) ** A, "(-2) ** a"),
        ((A + 1) ** (B * 2), "(a + 1) ** (b * 2)"),
        (A**0.5 * B, "a ** 0.5 * b"),
    ],
)
def test_powers_in_python(expression, text):
    assert written(expression, "python") == text


def test_a_reader_sees_whole_numbers_without_a_point():
    expression = A * 2.0 + -3.0 + 0.5 + -0.0 + 1e300
    assert written(expression, "reader") == "a * 2 + -3 + 0.5 + -0.0 + 1e+300"


def test_named_results_are_printed_by_their_names():
    y = Symbol("exp", (A,))
    assert written(B * y + y * y, "python", {y: "z", B: "g"}) == "g * z + z * z"


def operations_on(x):
    return st.one_of(
        st.tuples(st.sampled_from(["add", "sub", "mul", "truediv", "pow", "lt", "ge"]), x, x),
        st.tuples(st.sampled_from(["neg", "abs"]), x),
    )


trees = st.recursive(
    st.sampled_from("abc") | st.floats() | st.integers(-9, 9), operations_on, max_leaves=12
)
numbers = st.sampled_from([0.1, -0.3, 1.7, 3.0, 1e-8, -7.7e5]) | st.floats(-5, 5)


def build(tree, leaves):
    """A tree over numbers or symbols, by Python's own operators."""
    if isinstance(tree, str):
        return leaves[tree]
    if not isinstance(tree, tuple):
        return tree
    name, *operands = tree
    return getattr(operator, name)(*[build(x, leaves) for x in operands])


def outcome(compute):
    """A number with all its bits, or the kind of error."""
    try:
        x = compute()
        return repr(x if isinstance(x, complex) else float(x))
    except (ArithmeticError, TypeError) as error:
        return type(error)


@given(tree=trees, values=st.tuples(numbers, numbers, numbers))
def test_python_text_is_computed_in_the_order_in_which_it_was_built(tree, values):
    leaves = dict(zip("abc", values, strict=True))
    try:
        expression = build(tree, {"a": A, "b": B, "c": C})
    except (ArithmeticError, TypeError):  # constants alone, such as 1 / 0
        return
    text = written(expression, "python")
    assert outcome(lambda: eval(text, {**PLAIN, **leaves})) == outcome(lambda: build(tree, leaves))


def test_a_deep_expression_needs_no_recursion():
    x = A
    for _ in range(3000):
        x = x + 1.0
    assert written(x, "python").count("+") == 3000


def test_the_size_of_a_text_is_known_without_writing_it():
    x = A
    for _ in range(200):
        x = x * x
    assert size(x) == 2**201 - 1
    assert size(A * (B + 2.0)) == 5
    assert size(1.0) == 1


# What symbols refuse


def test_symbols_do_not_change_and_compare_by_identity():
    with pytest.raises(AttributeError):
        A.name = "b"
    assert A == A
    assert Symbol("a") != A
    assert {A: 1}[A] == 1
    assert +A is A


@pytest.mark.parametrize(
    "use",
    [
        lambda x: bool(x > 0),
        lambda x: 0 < x < 1,
        lambda x: max(x, 0.0),
        lambda x: x == 0,
        lambda x: x != 0.0,
        lambda x: math.tanh(x),
        lambda x: float(x),
        lambda x: np.exp(x),
        lambda x: np.asarray(x),
        lambda x: np.ones(3) * x,
        lambda x: x * np.ones(3),
        lambda x: x + "1",
        lambda x: x + 1j,
        lambda x: x % 2,
        lambda x: x[0],
    ],
)
def test_what_would_lose_the_formula_is_refused(use):
    with pytest.raises(TypeError):
        use(Symbol("x"))


@pytest.mark.parametrize("name", sorted(ARRAYS.keys() - {"where"}))
def test_rules_for_arrays_say_that_they_have_no_formula(name):
    n = {"matmul": 2, "affine": 3, "softmax_cross_entropy": 2}.get(name, 1)
    with pytest.raises(TypeError, match=rf"^{name} has no formula of plain numbers: .*of\(x\)"):
        trace(RULES[name], n)


def test_rules_that_ask_what_their_operand_is_say_what_to_write():
    @rule("gamma")
    def gamma(x, /):
        """The gamma function by Python's math, with a derivative that is not tried here."""
        return math.gamma(x), lambda g: (g,)

    @rule("positive part")
    def positive_part(x, /):
        """Asks a question of its operand."""
        return (x if x > 0 else 0.0), lambda g: (g,)

    @rule("two")
    def too_many(x, /):
        """A pullback that does not fit."""
        return x + 1.0, lambda g: (g, g)

    with pytest.raises(TypeError, match=r"gamma has no formula.*plain numbers was called.*of\(x\)"):
        trace(RULES["gamma"], 1)
    with pytest.raises(TypeError, match=r"positive_part.*a choice.*of\(x\)\.where"):
        trace(RULES["positive_part"], 1)
    with pytest.raises(TypeError, match=r"too_many.*2 adjoints for 1 operands"):
        trace(RULES["too_many"], 1)


def test_a_function_without_javascript_is_named():
    with pytest.raises(
        ValueError, match=r"erf cannot be written in JavaScript; write .*: abs, add"
    ):
        written(Symbol("erf", (A,)), "javascript")
