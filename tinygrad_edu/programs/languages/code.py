"""Python and JavaScript."""

from __future__ import annotations

import math
from dataclasses import replace

from tinygrad_edu.programs.languages.language import Form, Language, call, infix
from tinygrad_edu.programs.symbols import Symbol
from tinygrad_edu.rules.operators import (
    ATOM,
    COMPARISON,
    LOWEST,
    OPERATORS,
    POWER,
    UNARY,
)
from tinygrad_edu.rules.rule import RULES, facts_of

INFIX = {
    **{name: infix(name) for name in OPERATORS.keys() - {"matmul", "power", "logical_not"}},
    "negative": infix("negative", "-{}"),
}


_JAVASCRIPT_MATH = {
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "exp", "expm1",
    "fabs", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh",
}  # fmt: skip
"""What JavaScript's `Math` has of the functions of one number in Python's; fabs is abs there."""

# C's pow, which Python's math.pow is, gives 1 for 1 ** nan and for ±1 ** ±inf; JavaScript does not.
_JAVASCRIPT_POWER = (
    "((x, y) => x === 1 || x === -1 && Math.abs(y) === Infinity ? 1 : x ** y)({}, {})"
)


def _math_forms() -> dict[str, Form]:
    """Calls of JavaScript's `Math`, for the rules that are declared so far."""
    names = {name: facts_of(rule).math for name, rule in RULES.items()}
    return {
        name: call(f"Math.{theirs.removeprefix('f')}", 1)
        for name, theirs in names.items()
        if theirs in _JAVASCRIPT_MATH
    }


_JAVASCRIPT = {
    **INFIX,
    **_math_forms(),
    "maximum": call("Math.max", 2),  # a nan stays a nan
    "minimum": call("Math.min", 2),
    "equal": infix("equal", sign="==="),
    "not_equal": infix("not_equal", sign="!=="),
    "where": Form("{} ? {} : {}", LOWEST, (COMPARISON, COMPARISON, COMPARISON)),
}


def _javascript_form(symbol: Symbol) -> Form | None:
    if symbol.name != "power":
        return _math_forms().get(symbol.name)  # a rule that a user has declared since
    whole = _whole_power(symbol, UNARY)  # -x ** 2 is a syntax error
    return whole or Form(_JAVASCRIPT_POWER, ATOM, (LOWEST, LOWEST))


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


def _whole_exponent(symbol: Symbol) -> int | None:
    """The exponent of a power if it is a constant whole number, because `**` is math.pow then."""
    if symbol.name != "power" or isinstance(symbol.operands[1], Symbol):
        return None
    exponent = float(symbol.operands[1])
    return int(exponent) if exponent.is_integer() and abs(exponent) < 1e16 else None


def _whole_power(symbol: Symbol, precedence: int = POWER) -> Form | None:
    exponent = _whole_exponent(symbol)
    return None if exponent is None else Form(f"{{}} ** {exponent}", precedence, (ATOM, LOWEST))


def _program_form(symbol: Symbol) -> Form:
    """Choices as conditional expressions, which take a third of the time of a call; `max` and `min`
    as what Python's own do, but a nan stays a nan."""
    name = symbol.name
    if (power := _whole_power(symbol)) is not None:
        return power
    if name in ("maximum", "minimum"):
        beats, loses = (">=", "<") if name == "maximum" else ("<=", ">")
        y = symbol.operands[1]
        if not isinstance(y, Symbol) and y == y:
            return Form(f"{{1}} if {{0}} {loses} {{1}} else {{0}}", LOWEST, (ATOM, UNARY))
        return Form(
            f"{{0}} if {{0}} {beats} {{1}} or {{0}} != {{0}} else {{1}}", LOWEST, (ATOM, ATOM)
        )
    return call({"power": "pow"}.get(name, name), len(symbol.operands))


PYTHON = Language(
    "Python",
    {**INFIX, "power": infix("power")},
    repr,  # inf and nan are those of math
    lambda symbol: call(symbol.name, len(symbol.operands)),
)
"""Python, with the functions of the namespace of numbers."""

READER = replace(PYTHON, number=_reader_number)
"""Python as people write it."""

PROGRAM = Language(
    "Python",
    {**INFIX, "where": Form("{1} if {0} else {2}", LOWEST, (COMPARISON, COMPARISON, COMPARISON))},
    repr,
    _program_form,
)
"""Python that needs the functions of `math` only, and `pow` for math.pow."""


def _machine_form(symbol: Symbol) -> Form:
    if (product := {2: "square", 3: "cube"}.get(_whole_exponent(symbol) or 0)) is not None:
        return Form(f"{product}({{}})", ATOM, (LOWEST, LOWEST))
    return call({"power": "pow"}.get(symbol.name, symbol.name), len(symbol.operands))


MACHINE = replace(PROGRAM, forms=INFIX, form=_machine_form)
"""Python for numba, which wants choices to be calls, and takes a tenth of the time for products."""

JAVASCRIPT = Language("JavaScript", _JAVASCRIPT, _javascript_number, _javascript_form)
