"""Simpler expressions with the same result, and one symbol for each: common ones are shared.

In a program of numbers every rewrite is exact: it gives the same bits, and raises where the graph
raises. Columns raise nothing, and some of their rewrites are rounded at another place, such as x³
as x · x · x; for those of arrays see `array_rewrites`. No sum or product is reordered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tinygrad_edu.programs.symbols import (
    SUM_OVER_POINTS,
    Expression,
    Symbol,
    may_raise,
    number_functions,
    operations_in,
    symbols_of,
)
from tinygrad_edu.programs.trace import POINTS, Program


def simplified(program: Program, seed: Expression | None, fast: bool = False) -> Program:
    """The program with simpler expressions, each of them there once.

    `seed` is the adjoint of the root, a number or an array of its shape; None keeps the symbol.
    `fast` also rewrites for fewer calls of NumPy what reads worse.
    """
    kind: Callable[[set[Symbol]], Simplifier] = Simplifier
    if hasattr(program.seed, "dtype"):
        from tinygrad_edu.programs.array_rewrites import ArraySimplifier, FewerCalls

        kind = FewerCalls if fast else ArraySimplifier
    simplifier = kind(program.varying)
    if seed is not None:
        simplifier.simpler[program.seed] = seed
    for symbol in operations_in([*program.inputs, *program.order]):
        simplifier.add(symbol)
    new = simplifier.new
    names: dict[Symbol, str] = {}
    for symbol, name in program.preferred_names.items():
        simpler = new(symbol)
        if isinstance(simpler, Symbol):
            names.setdefault(simpler, name)
    return dataclasses.replace(
        program,
        value=new(program.value),
        gradients=[new(x) for x in program.gradients],
        order=[new(x) for x in program.order],
        preferred_names=names,
        varying=simplifier.varying,
        guards=[(new(guard), result) for guard, result in program.guards],
    )


class Simplifier:
    """Goes through expressions, operands first, and remembers what each has become.

    A method such as `_multiply` says what else gives the result of that operation; `like` is a
    symbol with the shape of the result. None: nothing simpler is known.
    """

    def __init__(self, varying: set[Symbol]) -> None:
        # x * 0 + y becomes the y that all points share: what varies is asked again of the columns
        self.varying = {x for x in varying if not x.operands}
        self.simpler: dict[Symbol, Expression] = {}
        self.shared: dict[Any, Symbol] = {}

    def new(self, x: Expression) -> Expression:
        return self.simpler.get(x, x) if isinstance(x, Symbol) else x

    def add(self, symbol: Symbol) -> None:
        if symbol.operands:
            self.simpler[symbol] = self.expression(symbol, symbol.name, *self.new_operands(symbol))
        else:
            self.simpler.setdefault(symbol, symbol)

    def expression(self, like: Symbol, name: str, *operands: Expression) -> Expression:
        """An operation, or something simpler."""
        if not any(isinstance(x, Symbol) for x in operands):
            constant = self.constant(like, name, operands)
            if constant is not None:
                return constant
        rewrite = getattr(self, f"_{name}", None)
        simpler = rewrite(like, *operands) if rewrite else None
        return self.one(like, name, operands) if simpler is None else simpler

    def one(self, like: Symbol, name: str, operands: tuple[Expression, ...], **more: Any) -> Symbol:
        """The one symbol of an operation over these operands, with `more` settings."""
        keys = list(map(self.key, operands))
        if name in ("add", "multiply"):  # the order of two operands makes no difference
            keys.sort(key=repr)
        key = (name, *keys, *(self.key(x) for x in more.items()))
        if key not in self.shared:
            symbol = self.shared[key] = self.symbol(like, name, operands, more)
            if name != SUM_OVER_POINTS and not self.varying.isdisjoint(symbols_of(symbol)):
                self.varying.add(symbol)
        return self.shared[key]

    # --- what differs for arrays ----------------------------------------------------------------

    def new_operands(self, symbol: Symbol) -> list[Expression]:
        return list(map(self.new, symbol.operands))

    def symbol(self, like: Symbol, name: str, operands: Any, settings: dict[str, Any]) -> Symbol:
        return Symbol(name, operands)

    def constant(self, like: Symbol, name: str, operands: tuple[Expression, ...]) -> Any:
        """What an operation on constants gives; None where it would fail, as it will when run."""
        try:
            return None if name == SUM_OVER_POINTS else number_functions[name](*operands)
        except (ArithmeticError, ValueError):
            return None

    def fits(self, x: Expression, like: Symbol) -> bool:
        """Whether an operand can stand for the result."""
        return isinstance(x, Symbol)

    def key(self, x: Any) -> Any:
        """What makes two operands the same: a symbol, or a number of one type with its sign."""
        return id(x) if isinstance(x, Symbol) else (type(x).__name__, repr(x))

    def raises_nothing(self, x: Expression) -> bool:
        """Whether a power of x may be a product, which raises no OverflowError: over columns."""
        return x in self.varying

    # --- rewrites -------------------------------------------------------------------------------

    def _sum_over_points(self, like: Symbol, x: Expression) -> Any:
        return None if x in self.varying else self.expression(like, "multiply", x, POINTS)

    def _multiply(self, like: Symbol, x: Expression, y: Expression) -> Any:
        if is_number(x, 1.0) and self.fits(y, like):
            return y
        if is_number(y, 1.0) and self.fits(x, like):
            return x
        if is_number(x, -1.0) and self.fits(y, like):
            return self.expression(like, "negative", y)
        return None

    def _divide(self, like: Symbol, x: Expression, y: Expression) -> Any:
        return x if is_number(y, 1.0) and self.fits(x, like) else None

    def _negative(self, like: Symbol, x: Expression) -> Any:
        return x.operands[0] if is_operation(x, "negative") else None

    def _add(self, like: Symbol, x: Expression, y: Expression) -> Any:
        return (
            self.expression(like, "subtract", x, y.operands[0])
            if is_operation(y, "negative")
            else None
        )

    def _subtract(self, like: Symbol, x: Expression, y: Expression) -> Any:
        minus = is_operation(y, "negative")
        return self.expression(like, "add", x, y.operands[0]) if minus else None

    def _power(self, like: Symbol, x: Expression, y: Expression) -> Any:
        if is_number(y, 1.0) and self.fits(x, like):
            return x
        if not self.raises_nothing(x):
            return None
        if is_number(y, 2.0):  # a tenth of the time of a power
            return self.expression(like, "multiply", x, x)
        if is_number(y, 0.5):
            return self.expression(like, "sqrt", x)
        if is_number(y, 3.0):
            return self.expression(like, "multiply", self.expression(like, "multiply", x, x), x)
        return None

    def _where(self, like: Symbol, condition: Expression, x: Expression, y: Expression) -> Any:
        if isinstance(condition, Symbol):
            return None
        chosen, other = (x, y) if condition else (y, x)
        return None if may_raise(other) else chosen


def is_number(x: Expression, number: float) -> bool:
    """Whether an operand is this number, or an array of shape () that holds it."""
    return not isinstance(x, Symbol) and not getattr(x, "ndim", False) and bool(x == number)


def is_operation(x: Expression, name: str) -> bool:
    """Whether an operand is the result of the operation with this name."""
    return isinstance(x, Symbol) and x.name == name
