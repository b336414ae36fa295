"""Python's operators: the sign, the function and the binding strength of each, by NumPy's name.

`OPERATORS["multiply"]` is `*`. Whoever writes or reads formulas takes signs and precedence from
here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

# Precedence, from what binds least. A comparison is never chained, and `&` and `|` bind differently
# in Python and in JavaScript: both always get parentheses around them and around comparisons.
LOWEST, COMPARISON, SUM, PRODUCT, UNARY, POWER, ATOM = range(7)


class Operator(NamedTuple):
    """A sign, the function of Python that it stands for, its precedence, and the precedence that
    each operand needs to stand beside it without parentheses."""

    sign: str
    function: Callable[..., Any]
    precedence: int
    operands: tuple[int, ...]


OPERATORS = {
    "add": Operator("+", operator.add, SUM, (SUM, PRODUCT)),
    "subtract": Operator("-", operator.sub, SUM, (SUM, PRODUCT)),
    "multiply": Operator("*", operator.mul, PRODUCT, (PRODUCT, UNARY)),
    "divide": Operator("/", operator.truediv, PRODUCT, (PRODUCT, UNARY)),
    "matmul": Operator("@", operator.matmul, PRODUCT, (PRODUCT, UNARY)),
    "power": Operator("**", operator.pow, POWER, (ATOM, UNARY)),
    "negative": Operator("-", operator.neg, UNARY, (POWER,)),
    "logical_not": Operator("~", operator.invert, UNARY, (UNARY,)),
    "less": Operator("<", operator.lt, COMPARISON, (SUM, SUM)),
    "greater": Operator(">", operator.gt, COMPARISON, (SUM, SUM)),
    "less_equal": Operator("<=", operator.le, COMPARISON, (SUM, SUM)),
    "greater_equal": Operator(">=", operator.ge, COMPARISON, (SUM, SUM)),
    "equal": Operator("==", operator.eq, COMPARISON, (SUM, SUM)),
    "not_equal": Operator("!=", operator.ne, COMPARISON, (SUM, SUM)),
    "logical_and": Operator("&", operator.and_, LOWEST, (SUM, SUM)),
    "logical_or": Operator("|", operator.or_, LOWEST, (SUM, SUM)),
}
