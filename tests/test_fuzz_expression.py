"""The expression reader on anything: a graph that agrees with Python, or a ValueError, and soon."""

import math
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_edu import Value, topological_order
from tinygrad_edu.commands.expression import (
    DEEPEST_EXPRESSION,
    FUNCTION_NAMES,
    MOST_CHARACTERS,
    read_expression,
)
from tinygrad_edu.rules import RULES, facts_of, operations

INPUTS = {"x": 1.5, "y": -2.25, "größe": 0.0}


def clip(x, low, high):
    if low > high:
        raise ValueError("the expression is refused")
    return min(max(x, low), high)


BY_HAND = {
    "abs": abs, "relu": lambda x: max(x, 0.0), "maximum": max, "minimum": min,
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "power": math.pow, "negative": lambda x: -x,
    "leaky_relu": lambda x, negative_slope=0.01: x if x > 0 else x * negative_slope,
    "clip": lambda x, min=-math.inf, max=math.inf: clip(x, min, max),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x)),
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
}  # fmt: skip
MATH = {name: facts_of(RULES[name]).math for name in FUNCTION_NAMES}
IN_MATH = {name: getattr(math, own) for name, own in MATH.items() if own}
PYTHON = {name: getattr(operations, name) for name in FUNCTION_NAMES} | IN_MATH | BY_HAND
"""What Python's own evaluation calls; a rule that has no other twin is its own."""


numerals = st.one_of(
    st.integers(0, 12).map(str), st.floats(0, 99).map("{:.3f}".format),
    st.sampled_from(["1e3", "1E-3", ".5", "2.", "0x10", "1_000", "0b11", "1e308", "5e-324"]),
)  # fmt: skip
words = st.one_of(st.sampled_from(list(INPUTS)), numerals)


def larger(inner):
    one = st.sampled_from(sorted(set(PYTHON) - {"clip", "maximum", "minimum", "add", "subtract",
                                                "multiply", "divide", "power"}))  # fmt: skip
    two = st.sampled_from(["maximum", "minimum", "add", "subtract", "multiply", "divide", "power"])
    spaced = st.sampled_from(["{}+{}", "{} - {}", "{}* {}", "{}\t/{}", "{}**{}", "{}\\\n+{}"])
    return st.one_of(
        st.builds("{}({})".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
        st.builds("clip({}, {}, max={})".format, inner, numerals, numerals),
        st.builds("clip({}, max=-{})".format, inner, numerals),
        st.builds("leaky_relu({}, .25)".format, inner),
        st.builds(str.format, spaced, inner, inner),
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("+{}".format, inner),
    )


expressions = st.recursive(words, larger, max_leaves=12)


def in_python(text):
    """What Python makes of it when every numeral is a float; None where that is not real."""
    text = re.sub(r"(?<![\w.])(?<![eE][+-])(\d+(?:_\d+)*)(?![\w.])", r"\1.", text)
    text = re.sub(r"0x10", "16.", re.sub(r"0b11", "3.", text))
    try:
        number = eval(text, {"__builtins__": {}}, {**PYTHON, **INPUTS})
    except (ArithmeticError, ValueError):
        return None
    return number if isinstance(number, float) else None


@given(expressions)
@example("-x**2")
@example("2**3**2")
@example("-x**-y")
@example("x - y - 1")
@example("x / y / 2 * 3")
def test_an_expression_means_what_python_means(text):
    text += " + 0*x + 0*y + 0*größe"
    wanted = in_python(text)
    try:
        root = read_expression(text, INPUTS)
    except ValueError as error:
        check_message(error, text)
        root = None
    if root is None:
        assert wanted is None or not math.isfinite(wanted), text
        return
    assert type(root) is Value
    if wanted is not None and math.isfinite(wanted) and math.isfinite(root.data):
        assert root.data == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def check_message(error, text):
    """It says where, on a line of its own, if there is a place to point at."""
    assert type(error) is ValueError
    said = str(error)
    assert said.startswith("expression: ")
    assert len(said) < 2000
    lines = said.split("\n")
    assert len(lines) in (1, 3)
    if len(lines) == 3:
        _, line, marks = lines
        assert line.isprintable()
        assert set(marks) == {" ", "^"}
        assert len(marks) <= len(line) + 1
        start = marks.index("^")
        shown = line[start : len(marks)]
        if shown.isascii() and shown.strip() and "…" not in line:
            assert shown.strip("·") == "" or shown.replace("·", "") in text or " " in shown
    else:
        reasons = ("deeply", "characters are too many", "nothing in it", "only a comment",
                   "cannot be read", "is given but not used", "cannot be a name")  # fmt: skip
        assert any(reason in said for reason in reasons), said


tokens = [
    "x", "y", "größe", "1", "2.5", "0", "(", ")", ",", "+", "-", "*", "/", "**", "=", ";", "\n",
    " ", "exp", "clip", "min=", "tanh(", "a=", "#", "\\", "'", "1e", "_", ".", "[", "]", ":", "%",
    "@", "if", "lambda", "\0", "\x0c", "٣", "𝟑", "ﬁ", "𝐱", "x\u0301", "\u202e", "\ud800", "💥",
    "1j", "9**9**9", "1e400", "0777", "0o17", "None", "True", "...", "->", ":=", "!", "$", "?", "`",
]  # fmt: skip


@given(st.lists(st.sampled_from(tokens), max_size=25).map("".join))
def test_any_tokens_are_a_graph_or_a_value_error_that_says_where(text):
    read_or_refuse(text)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_a_graph_or_a_value_error_that_says_where(text):
    read_or_refuse(text)


def read_or_refuse(text):
    start = time.process_time()
    try:
        root = read_expression(text, {"x": 1.5, "y": 2})
    except ValueError as error:
        check_message(error, text)
    else:
        assert type(root) is Value
        assert len(topological_order(root)) <= len(text) + 1
    assert time.process_time() - start < 5


NASTY = {
    "parentheses": "(" * 10_000,
    "closed parentheses": "(" * 4999 + "x" + ")" * 4999,
    "closing": ")" * 10_000,
    "brackets": "[" * 10_000,
    "calls": "sin(" * 2000 + "x",
    "minus": "-" * 9999 + "x",
    "not": "not " * 2400 + "x",
    "powers": "x" + "**x" * 3000,
    "tower": "**".join("9" * 3000),
    "a digit often": "9" * 10_000,
    "hexadecimal": "0x" + "f" * 9_000,
    "point": "1." + "0" * 9_000 + "1",
    "exponent": "1e" + "9" * 9_000,
    "sum": "+".join("x" * 5000),
    "lambda": "lambda:" * 1400,
    "strings": "'" * 10_000,
    "f-strings": "f'{" * 3000,
    "lines": "\n" * 9_999 + "x",
    "assignments": ";".join(f"a{i}=x" for i in range(1000)) + ";x",
    "one name": "a" * 10_000,
    "names": "+".join(f"a{i}" for i in range(1500)),
    "arguments": "maximum(" + "x," * 4900 + ")",
    "keywords": "clip(x" + ",min=1" * 1500 + ")",
    "nulls": "\0" * 10_000,
    "marks": "x" + "\u0301" * 9_999,
    "ligatures": "ﷺ" * 500,  # each is 18 letters once it is normalised
    "comment": "x #" + "(" * 9_000,
    "backslashes": "\\\n" * 4_999 + "x",
    "tabs": "\t" * 5_000 + "x",
    "emoji": "💥" * 10_000,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_is_made_to_hurt_is_over_soon(text):
    assert len(text) <= MOST_CHARACTERS
    read_or_refuse(text)
    read_or_refuse(f"a = {text[: MOST_CHARACTERS - 10]}; a")


def test_what_nests_just_deep_enough_is_read():
    deep = "sin(" * (DEEPEST_EXPRESSION - 1) + "x" + ")" * (DEEPEST_EXPRESSION - 1)
    assert len(topological_order(read_expression(deep, {"x": 1.0}))) == DEEPEST_EXPRESSION
    with pytest.raises(ValueError, match="too deeply"):
        read_expression(f"sin({deep})", {"x": 1.0})


@given(st.text(st.characters(exclude_categories=()), max_size=20), st.floats())
def test_any_name_and_any_number_is_an_input_or_a_value_error(name, number):
    try:
        root = read_expression("1", {name: number})
    except ValueError as error:
        check_message(error, "1")
    else:
        raise AssertionError(f"{name!r} is not used, and {root!r} came out")
