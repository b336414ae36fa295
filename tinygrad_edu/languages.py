"""Languages: how an expression of symbols is written in Python or in JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinygrad_edu.symbols import Expression, Symbol, operations_in

# Precedence, from what binds least. A comparison is never chained, and `&` and `|` bind differently
# in Python and in JavaScript: both always get parentheses around them and around comparisons.
LOWEST, COMPARISON, SUM, PRODUCT, UNARY, POWER, ATOM = range(7)


@dataclass(frozen=True)
class Form:
    """How a language writes an operation: a template, how strongly it binds, and how strongly each
    operand must bind to stand in it without parentheses."""

    template: str
    precedence: int
    operands: tuple[int, ...]


@dataclass(frozen=True)
class Language:
    """How a language writes operations and numbers; `call` makes the form of any other function."""

    name: str
    forms: Mapping[str, Form]
    number: Callable[[float], str]
    call: Callable[[str, int], Form] | None = None


_INFIX = {
    "add": Form("{} + {}", SUM, (SUM, PRODUCT)),
    "subtract": Form("{} - {}", SUM, (SUM, PRODUCT)),
    "multiply": Form("{} * {}", PRODUCT, (PRODUCT, UNARY)),
    "divide": Form("{} / {}", PRODUCT, (PRODUCT, UNARY)),
    "negative": Form("-{}", UNARY, (POWER,)),
    "less": Form("{} < {}", COMPARISON, (SUM, SUM)),
    "greater": Form("{} > {}", COMPARISON, (SUM, SUM)),
    "less_equal": Form("{} <= {}", COMPARISON, (SUM, SUM)),
    "greater_equal": Form("{} >= {}", COMPARISON, (SUM, SUM)),
    "logical_and": Form("{} & {}", LOWEST, (SUM, SUM)),
    "logical_or": Form("{} | {}", LOWEST, (SUM, SUM)),
}


def _call(function: str, n: int) -> Form:
    return Form(f"{function}({', '.join(['{}'] * n)})", ATOM, (LOWEST,) * n)


_MATH = ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs")
_ARC = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}

# C's pow, which Python's math.pow is, gives 1 for 1 ** nan and for ±1 ** ±inf; JavaScript does not.
_JAVASCRIPT_POWER = (
    "((x, y) => x === 1 || x === -1 && Math.abs(y) === Infinity ? 1 : x ** y)({}, {})"
)

_JAVASCRIPT = {
    **_INFIX,
    **{name: _call(f"Math.{name}", 1) for name in _MATH},
    **{name: _call(f"Math.{theirs}", 1) for name, theirs in _ARC.items()},
    "maximum": _call("Math.max", 2),  # a nan stays a nan
    "minimum": _call("Math.min", 2),
    "where": Form("{} ? {} : {}", LOWEST, (COMPARISON, COMPARISON, COMPARISON)),
    "power": Form(_JAVASCRIPT_POWER, ATOM, (LOWEST, LOWEST)),
}

_PYTHON = {**_INFIX, "power": Form("{} ** {}", POWER, (ATOM, UNARY))}


def _python_number(x: float) -> str:
    return repr(x)  # inf and nan are those of math


def _reader_number(x: float) -> str:
    """As Python, but 2 for 2.0."""
    whole = type(x) is float and x.is_integer() and abs(x) < 1e16
    return str(int(x)) if whole and (x or math.copysign(1, x) > 0) else repr(x)


def _javascript_number(x: float) -> str:
    if isinstance(x, bool):
        return "true" if x else "false"
    if x != x:
        return "NaN"
    return repr(x) if abs(x) < math.inf else "Infinity" if x > 0 else "-Infinity"


LANGUAGES = {
    "python": Language("Python", _PYTHON, _python_number, _call),
    "reader": Language("Python", _PYTHON, _reader_number, _call),
    "javascript": Language("JavaScript", _JAVASCRIPT, _javascript_number),
}
"""Python exactly; Python as people write it; JavaScript."""


def written(
    expression: Expression, language: str, names: Mapping[Symbol, str] | None = None
) -> str:
    """The text of an expression, with as few parentheses as keep the order of evaluation.

    `names` gives texts for symbols, and for whole expressions such as the output of a rule; they
    are taken as they are. ValueError for a function that the language does not have.
    """
    tongue = LANGUAGES[language]
    done: dict[Symbol, tuple[str, int]] = {s: (t, ATOM) for s, t in (names or {}).items()}

    def text_of(x: Expression) -> tuple[str, int]:
        if isinstance(x, Symbol):
            return done[x]
        text = tongue.number(x)
        return text, UNARY if text.startswith("-") else ATOM

    for symbol in operations_in(expression, done):
        if not symbol.operands:
            done[symbol] = symbol.name, ATOM
            continue
        form = _form(tongue, symbol)
        parts = [
            text if precedence >= least else f"({text})"
            for (text, precedence), least in zip(
                map(text_of, symbol.operands), form.operands, strict=True
            )
        ]
        done[symbol] = form.template.format(*parts), form.precedence
    return text_of(expression)[0]


def _form(language: Language, symbol: Symbol) -> Form:
    form = language.forms.get(symbol.name)
    if form is None and language.call is not None:
        form = language.call(symbol.name, len(symbol.operands))
    if form is None or len(form.operands) != len(symbol.operands):
        raise ValueError(
            f"{symbol.name} of {len(symbol.operands)} operands cannot be written in "
            f"{language.name}; write it with functions that can: {', '.join(language.forms)}"
        )
    return form
