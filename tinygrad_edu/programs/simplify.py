"""Simpler expressions with the same result, and one symbol for each: common ones are shared.

In a program of numbers every rewrite is exact: it gives the same bits, and raises where the graph
raises. Arrays and columns raise nothing, and some rewrites of them are rounded at another place:
x³ as x · x · x, x · (1 / n) as x / n, and softmax. No sum or product is reordered.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol, function_of, is_elementwise
from tinygrad_edu.programs.symbols import (
    Expression,
    Symbol,
    may_raise,
    number_functions,
    operations_in,
)
from tinygrad_edu.programs.trace import POINTS, Program


def simplified(program: Program, seed: Expression | None, fast: bool = False) -> Program:
    """The program with simpler expressions, each of them there once. `seed` is the adjoint of the
    root, a number or an array of its shape; None keeps the symbol. `fast` also rewrites for fewer
    calls of NumPy what reads worse."""
    simplifier = _Simplifier(program.varying, fast)
    if seed is not None:
        simplifier.found[program.seed] = seed
    for symbol in operations_in(Symbol("all", (*program.inputs, *program.order)), {}):
        simplifier.add(symbol)
    new = simplifier.new
    wishes: dict[Symbol, str] = {}
    for symbol, wish in program.wishes.items():
        expression = new(symbol)
        if isinstance(expression, Symbol):
            wishes.setdefault(expression, wish)
    return Program(
        program.seed,
        program.inputs,
        program.others,
        program.wrt,
        new(program.value),
        [new(x) for x in program.gradients],
        [new(x) for x in program.order],
        wishes,
        simplifier.varying,
        program.constants,
        {x for x in map(new, program.adjoints) if isinstance(x, Symbol)},
        [(new(guard), result) for guard, result in program.guards],
    )


class _Simplifier:
    """Goes through expressions, operands first, and remembers what each has become."""

    def __init__(self, varying: set[Symbol], fast: bool) -> None:
        self.fast = fast
        # x * 0 + y becomes the y that all points share: what varies is found anew, from the columns
        self.varying = {x for x in varying if not x.operands}
        self.found: dict[Symbol, Expression] = {}
        self.shared: dict[Any, Symbol] = {}
        self.inverses: dict[float, Expression] = {}  # n for each 1 / n of a mean over n

    def new(self, x: Expression) -> Expression:
        return self.found.get(x, x) if isinstance(x, Symbol) else x

    def add(self, symbol: Symbol) -> None:
        if not symbol.operands:
            self.found.setdefault(symbol, symbol)
            return
        operands = tuple(map(self.new, symbol.operands))
        if isinstance(symbol, ArraySymbol):
            operands = tuple(_without_repeats(x, symbol, operands) for x in operands)
        self.found[symbol] = self.made(symbol, symbol.name, *operands)

    def made(
        self, like: Symbol, name: str, *operands: Expression, settings: Any = None
    ) -> Expression:
        """An operation of the shape of `like`, and of its settings if the name is the same, or
        something simpler."""
        if name == "sum_over_points" and operands[0] not in self.varying:
            return self.made(like, "multiply", operands[0], POINTS)
        if not any(isinstance(x, Symbol) for x in operands):
            constant = _constant(like, name, operands)
            if constant is not None:
                if name == "divide" and _is(operands[0], 1.0) and _is_count(operands[1]):
                    self.inverses[float(constant)] = operands[1]
                return constant
        simpler = self.simpler(like, name, operands)
        if simpler is None and self.fast:
            simpler = self.faster(like, name, operands)
        if simpler is not None:
            return simpler
        if settings is None:
            settings = getattr(like, "settings", {}) if name == like.name else {}
        keys = list(map(_key, operands))
        if name in ("add", "multiply"):  # the order of two operands makes no difference
            keys.sort(key=repr)
        key = (name, *keys, *(_key(x) for x in settings.items()))
        if key not in self.shared:
            if isinstance(like, ArraySymbol):
                made: Symbol = dataclasses.replace(
                    like, name=name, operands=operands, settings=settings
                )
            else:
                made = Symbol(name, operands)
            self.shared[key] = made
            if name != "sum_over_points" and any(
                isinstance(x, Symbol) and x in self.varying for x in operands
            ):
                self.varying.add(made)
        return self.shared[key]

    def inverse(self, x: Expression) -> Any:
        """n, if x is a number that came about as 1 / n: a product with it is better as x / n."""
        return self.inverses.get(float(x)) if _is_number(x) and x is not None else None

    def simpler(self, like: Symbol, name: str, operands: tuple[Expression, ...]) -> Any:
        """What else gives the same result; None if nothing simpler is known."""
        x, y = (*operands, None, None)[:2]
        is_array = isinstance(like, ArraySymbol)
        match name:
            case "multiply" if _is(x, 1.0) and _same(y, like):
                return y
            case "multiply" if _is(y, 1.0) and _same(x, like):
                return x
            case "multiply" if _is(x, -1.0) and _same(y, like):
                return self.made(like, "negative", y)
            case "multiply" if is_array and self.inverse(y) and _same(x, like):
                return self.made(like, "divide", x, self.inverse(y))
            case "reshape" if _same(x, like):
                return x
            case "divide" if _is(y, 1.0) and _same(x, like):
                return x
            case "negative" if _named(x, "negative"):
                return x.operands[0]
            case "add" if _named(y, "negative"):
                return self.made(like, "subtract", x, y.operands[0])
            case "subtract" if _named(y, "negative"):
                return self.made(like, "add", x, y.operands[0])
            case "power" if _is(y, 1.0) and _same(x, like):
                return x
            # a tenth of the time of a power; but the power of a number raises OverflowError
            case "power" if _is(y, 2.0) and (is_array or x in self.varying):
                return self.made(like, "multiply", x, x)
            case "power" if _is(y, 0.5) and (is_array or x in self.varying):
                return self.made(like, "sqrt", x)
            case "power" if _is(y, 3.0) and (is_array or x in self.varying):
                return self.made(like, "multiply", self.made(like, "multiply", x, x), x)
            case "where" if _is_number(x) and not is_array:
                chosen, other = operands[1:] if x else reversed(operands[1:])
                return None if may_raise(other) else chosen
            case "astype" if _same(x, like):
                return x
            case "getitem" if (
                _named(x, "reshape")
                and _named(y, "flat_places")
                and getattr(x.operands[0], "ndim", 0) == 2
            ):
                # the places of labels in a flattened table: labels pick one entry of each row
                return self.made(like, "pick", x.operands[0], y.operands[0])
            case "subtract" if (
                _named(y, "one_hot") and _same(x, like) and getattr(like, "ndim", 0) == 2
            ):
                return self.made(like, "minus_one_hot", x, y.operands[0])
            case "exp" if _is_log_softmax(x):
                # exp(z - log s) as exp(z) / s, which is softmax: exp(z) is there, as a part of s
                s = x.operands[1].operands[0]
                return self.made(like, "divide", s.operands[0], s)
        return None

    def reciprocal(self, like: ArraySymbol, c: Expression) -> Any:
        """1 / c for a number, as an array of shape (); None for anything else."""
        return np.array(1 / c, like.dtype) if _is_number(c) else None

    def faster(self, like: Symbol, name: str, operands: tuple[Expression, ...]) -> Any:
        """What takes fewer or shorter calls of NumPy; None if nothing is known."""
        x, y = (*operands, None, None)[:2]
        if not isinstance(x, ArraySymbol) or not isinstance(like, ArraySymbol):
            return None
        needed = ("exp", _key(x)) in self.shared
        if name == "pick" and x.name == "subtract" and _is_column(x.operands[1]) and not needed:
            # what is the same for a whole row is subtracted from the entry that is picked
            entry = self.made(like, "pick", x.operands[0], y)
            column = self.made(like, "reshape", x.operands[1], settings={"shape": like.shape})
            return self.made(like, "subtract", entry, column)
        if name == "divide" and x.name == "sum" and like.shape == () and _is_count(y):
            terms = x.operands[0]
            if isinstance(terms, ArraySymbol) and terms.ndim == 1 and terms.dtype == like.dtype:
                parts = np.full(terms.shape, 1 / y, like.dtype)
                return self.made(like, "dot", terms, parts)
        if name in ("multiply", "divide") and _named(x, "minus_one_hot") and len(x.operands) == 2:
            # (e / s - one_hot) · c = e · (c / s) - c · one_hot, with one operation less on tables
            quotient, labels = x.operands
            if _named(quotient, "divide") and _is_column(quotient.operands[1]):
                e, s = quotient.operands
                c = y if name == "multiply" else self.reciprocal(like, y)
                if getattr(c, "shape", None) == ():
                    factor = self.made(s, "divide", c, s)
                    product = self.made(like, "multiply", e, factor)
                    return self.made(like, "minus_one_hot", product, labels, c)
        if name == "negative" and x.name == "dot" and isinstance(x.operands[1], np.ndarray):
            return self.made(like, "dot", x.operands[0], -x.operands[1])
        return None


def _constant(like: Symbol, name: str, operands: tuple[Expression, ...]) -> Any:
    """What an operation on constants gives; None where it would fail, as it will when it is run."""
    if name == "sum_over_points":
        return None
    if isinstance(like, ArraySymbol):
        settings = like.settings if name == like.name else {}
        result = np.asarray(function_of(name)(*operands, **settings), like.dtype)
        return np.broadcast_to(result, like.shape)
    try:
        return number_functions[name](*operands)
    except (ArithmeticError, ValueError):
        return None


def _is_number(x: Expression) -> bool:
    return not isinstance(x, Symbol) and np.ndim(x) == 0


def _is_count(x: Expression) -> bool:
    """Whether a number may be how many terms a mean has: x / n and x · (1 / n) then agree to two
    roundings, and neither overflows."""
    return _is_number(x) and 1.0 <= x <= 2.0**53 and float(x).is_integer()


def _is_log_softmax(x: Expression) -> bool:
    """Whether an expression is z - log Σ exp(z), with z an array minus its maximum: so the sum lies
    between 1 and the number of its terms, and exp(z - log s) and exp(z) / s agree everywhere."""
    if not (isinstance(x, ArraySymbol) and _named(x, "subtract") and _named(x.operands[1], "log")):
        return False
    z, s = x.operands[0], x.operands[1].operands[0]
    if not (_named(s, "sum") and _named(s.operands[0], "exp") and s.operands[0].operands[0] is z):
        return False
    if not (_named(z, "subtract") and _named(z.operands[1], "max")):
        return False
    x, top = z.operands
    return top.operands[0] is x and bool(top.settings == s.settings)


def _is_column(x: Expression) -> bool:
    """Whether an operand of a table is one column, the same for every entry of a row."""
    return isinstance(x, ArraySymbol) and x.ndim == 2 and x.shape[1] == 1


def _is(x: Expression, number: float) -> bool:
    return not isinstance(x, Symbol) and np.ndim(x) == 0 and x is not None and bool(x == number)


def _named(x: Expression, name: str) -> bool:
    return isinstance(x, Symbol) and x.name == name


def _same(x: Expression, like: Symbol) -> bool:
    """Whether an operand has the shape and dtype of the result."""
    if not isinstance(like, ArraySymbol):
        return isinstance(x, Symbol)
    return isinstance(x, ArraySymbol) and (x.shape, x.dtype) == (like.shape, like.dtype)


def _without_repeats(x: Expression, like: ArraySymbol, operands: tuple[Expression, ...]) -> Any:
    """An array that repeats one number, as that number, where another operand has the shape."""
    if (
        isinstance(x, np.ndarray)
        and x.size
        and x.ndim
        and not any(x.strides)
        and is_elementwise(like.name)
        and any(isinstance(y, ArraySymbol) and y.shape == like.shape for y in operands)
    ):
        return x[(0,) * x.ndim].reshape(())
    return x


def _key(x: Any) -> Any:
    """What makes two operands the same: a symbol, or a number of one type with its sign."""
    if isinstance(x, Symbol):
        return id(x)
    if isinstance(x, np.ndarray):
        return (
            (x.dtype.str, x.item().hex() if x.dtype.kind == "f" else x.item())
            if x.ndim == 0
            else ("array", id(x))
        )
    if isinstance(x, tuple | list):
        return (type(x).__name__, *map(_key, x))
    if isinstance(x, slice):
        return ("slice", x.start, x.stop, x.step)
    return type(x).__name__, repr(x)
