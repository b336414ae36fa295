"""Local derivatives as people write them: a rule run on symbols, with an adjoint of 1.

Beside the exact rewrites of `simplify` these round at another place: they are to be read, the
numbers beside them come from the rule itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygrad_edu.programs.simplify import Simplifier, is_number, is_operation
from tinygrad_edu.programs.symbols import Expression, Symbol, Trace, operations_in, size, trace
from tinygrad_edu.rules.rule import Rule, name_of
from tinygrad_edu.rules.tables import formula_of, scalars

LONGEST_DERIVATIVE = 60
"""A local derivative with more names, numbers and operations than this is not written out."""


def readable_derivatives(
    rule: Rule, n: int, constants: Mapping[int, Any]
) -> tuple[Trace, list[Expression | None]]:
    """The rule's trace, and for each of its n operands the local derivative, as an expression of
    the operands and of the output; None where there is none, or none that is short.

    `constants` gives operands by position that are plain numbers. TypeError for a rule that has no
    formula of numbers.
    """
    traced = trace(rule, n, constants)
    simplifier = _Readable(set())
    simplifier.simpler[traced.g] = 1.0
    named = _named_formulas(traced, name_of(rule))
    for symbol in operations_in([traced.output, *named, *traced.adjoints]):
        simplifier.add(symbol)
    calls = {simplifier.new(formula): call for formula, call in named.items()}
    if isinstance(simplifier.new(traced.output), Symbol):
        calls[simplifier.new(traced.output)] = traced.output
    found = [None if x is None else _with_calls(simplifier.new(x), calls) for x in traced.adjoints]
    return traced, [x if size(x) <= LONGEST_DERIVATIVE else None for x in found]


def _named_formulas(traced: Trace, own: str) -> dict[Symbol, Symbol]:
    """Formulas that have a name, such as that of sigmoid, of each operand: with their call."""
    found: dict[Symbol, Symbol] = {}
    for name in vars(scalars):
        formula = formula_of(name)
        if formula is None or name == own:
            continue
        for x in traced.operands:
            if isinstance(x, Symbol):
                try:
                    whole = formula(x)
                except TypeError:  # a formula of several operands
                    continue
                if isinstance(whole, Symbol) and whole.operands:
                    found[whole] = Symbol(name, (x,))
    return found


def _with_calls(expression: Expression, calls: Mapping[Symbol, Symbol]) -> Expression:
    """The expression with a call wherever a formula that has a name stands in it."""
    if not isinstance(expression, Symbol):
        return expression
    new: dict[Symbol, Expression] = {}
    for symbol in operations_in([expression]):
        if symbol in calls:
            new[symbol] = calls[symbol]
        elif symbol.operands:
            operands = [new[x] if isinstance(x, Symbol) else x for x in symbol.operands]
            new[symbol] = Symbol(symbol.name, tuple(operands))
        else:
            new[symbol] = symbol
    return new[expression]


class _Readable(Simplifier):
    """Squares, fractions and leading numbers, as in school."""

    def _add(self, like: Symbol, x: Expression, y: Expression) -> Any:
        if isinstance(x, Symbol) and x is y:
            return self.expression(like, "multiply", 2.0, x)
        if not isinstance(y, Symbol) and isinstance(x, Symbol):
            return self.one(like, "add", (y, x))
        return super()._add(like, x, y)

    def _multiply(self, like: Symbol, x: Expression, y: Expression) -> Any:
        if is_number(x, 0.0) or is_number(y, 0.0):
            return 0.0
        if not isinstance(x, Symbol) and x < 0.0:
            return self.expression(like, "negative", self.expression(like, "multiply", -x, y))
        for inner, other in ((x, y), (y, x)):  # a number goes to the front
            if is_operation(inner, "multiply") and not isinstance(inner.operands[0], Symbol):
                number, rest = inner.operands
                if not isinstance(other, Symbol):
                    return self.expression(like, "multiply", other * number, rest)
                rest = self.expression(like, "multiply", other, rest)
                return self.expression(like, "multiply", number, rest)
            if is_operation(inner, "negative"):
                rest = self.expression(like, "multiply", other, inner.operands[0])
                return self.expression(like, "negative", rest)
        for one, other in ((x, y), (y, x)):
            if is_operation(one, "divide") and is_number(one.operands[0], 1.0):
                return self.expression(like, "divide", other, one.operands[1])
        if isinstance(x, Symbol) and x is y:
            return self.expression(like, "power", x, 2.0)
        if not isinstance(y, Symbol) and isinstance(x, Symbol):
            return self.expression(like, "multiply", y, x)
        return super()._multiply(like, x, y)

    def _power(self, like: Symbol, x: Expression, y: Expression) -> Any:
        return 1.0 if is_number(y, 0.0) else super()._power(like, x, y)

    def _logical_and(self, like: Symbol, x: Expression, y: Expression) -> Any:
        return y if x is True else x if y is True else None
