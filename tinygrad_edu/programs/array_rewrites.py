"""Simpler expressions of arrays. Some are rounded at another place than in the graph: x³ as
x · x · x, x · (1 / n) as x / n, and softmax; a rewrite of `FewerCalls` may be."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol, function_of, is_elementwise
from tinygrad_edu.programs.simplify import Simplifier, is_number, is_operation
from tinygrad_edu.programs.symbols import Expression, Symbol


class ArraySimplifier(Simplifier):
    """Rewrites that read better or as well."""

    def __init__(self, varying: set[Symbol]) -> None:
        super().__init__(varying)
        self.inverses: dict[float, Expression] = {}  # n for each 1 / n of a mean over n

    def new_operands(self, symbol: Any) -> list[Expression]:
        operands = super().new_operands(symbol)
        return [_without_repeats(x, symbol, operands) for x in operands]

    def one(self, like: Any, name: str, operands: tuple[Expression, ...], **more: Any) -> Symbol:
        if name == like.name:
            more = {**like.settings, **more}
        return super().one(like, name, operands, **more)

    def symbol(self, like: Symbol, name: str, operands: Any, settings: dict[str, Any]) -> Symbol:
        assert isinstance(like, ArraySymbol)
        return dataclasses.replace(like, name=name, operands=operands, settings=settings)

    def constant(self, like: Any, name: str, operands: tuple[Expression, ...]) -> Any:
        settings = like.settings if name == like.name else {}
        result = np.asarray(function_of(name)(*operands, **settings), like.dtype)
        if name == "divide" and is_number(operands[0], 1.0) and _is_count(operands[1]):
            self.inverses[float(result)] = operands[1]
        return np.broadcast_to(result, like.shape)

    def fits(self, x: Expression, like: Any) -> bool:
        return isinstance(x, ArraySymbol) and (x.shape, x.dtype) == (like.shape, like.dtype)

    def key(self, x: Any) -> Any:
        if isinstance(x, np.ndarray) and x.ndim:
            return "array", id(x)
        if isinstance(x, np.ndarray):
            return x.dtype.str, x.item().hex() if x.dtype.kind == "f" else x.item()
        if isinstance(x, tuple | list):
            return (type(x).__name__, *map(self.key, x))
        if isinstance(x, slice):
            return "slice", x.start, x.stop, x.step
        return super().key(x)

    def raises_nothing(self, x: Expression) -> bool:
        return True

    def _multiply(self, like: Symbol, x: Expression, y: Expression) -> Any:
        simpler = super()._multiply(like, x, y)
        if simpler is None and _is_plain_number(y) and self.fits(x, like):
            n = self.inverses.get(float(y))
            return None if n is None else self.expression(like, "divide", x, n)
        return simpler

    def _reshape(self, like: Symbol, x: Expression) -> Any:
        return x if self.fits(x, like) else None

    _astype = _reshape

    def _where(self, like: Symbol, condition: Expression, x: Expression, y: Expression) -> Any:
        return None

    def _getitem(self, like: Symbol, x: Expression, *places: Expression) -> Any:
        # the places of labels in a flattened table: labels pick one entry of each row
        if is_operation(x, "reshape") and places and is_operation(places[0], "flat_places"):
            table, labels = x.operands[0], places[0].operands[0]
            return self.expression(like, "pick", table, labels) if table.ndim == 2 else None
        return None

    def _subtract(self, like: Any, x: Expression, y: Expression) -> Any:
        if is_operation(y, "one_hot") and self.fits(x, like) and like.ndim == 2:
            return self.expression(like, "minus_one_hot", x, y.operands[0])
        return super()._subtract(like, x, y)

    def _exp(self, like: Symbol, x: Expression) -> Any:
        if not _is_log_softmax(x):
            return None
        # exp(z - log s) as exp(z) / s, which is softmax: exp(z) is there, as a part of s
        s = x.operands[1].operands[0]
        return self.expression(like, "divide", s.operands[0], s)


class FewerCalls(ArraySimplifier):
    """Also what takes fewer or shorter calls of NumPy, and reads worse."""

    def _pick(self, like: Any, x: Any, labels: Expression) -> Any:
        """What is the same for a whole row is subtracted from the entry that is picked."""
        needed = ("exp", self.key(x)) in self.shared
        if not is_operation(x, "subtract") or not _is_column(x.operands[1]) or needed:
            return None
        entry = self.expression(like, "pick", x.operands[0], labels)
        column = self.one(like, "reshape", (x.operands[1],), shape=like.shape)
        return self.expression(like, "subtract", entry, column)

    def _multiply(self, like: Symbol, x: Expression, y: Expression) -> Any:
        simpler = super()._multiply(like, x, y)
        return self.scaled(like, x, y) if simpler is None else simpler

    def _divide(self, like: Any, x: Expression, y: Expression) -> Any:
        simpler = super()._divide(like, x, y)
        if simpler is not None:
            return simpler
        if is_operation(x, "sum") and like.shape == () and _is_count(y):
            terms = x.operands[0]
            if isinstance(terms, ArraySymbol) and terms.ndim == 1 and terms.dtype == like.dtype:
                parts = np.full(terms.shape, 1 / y, like.dtype)
                return self.expression(like, "dot", terms, parts)
        if is_operation(x, "minus_one_hot") and _is_plain_number(y):
            return self.scaled(like, x, np.array(1 / y, like.dtype))
        return None

    def scaled(self, like: Symbol, x: Expression, c: Expression) -> Any:
        """(e / s - one_hot) · c as e · (c / s) - c · one_hot: one operation less on tables."""
        if not is_operation(x, "minus_one_hot") or len(x.operands) != 2:
            return None
        quotient, labels = x.operands
        if not is_operation(quotient, "divide") or not _is_column(quotient.operands[1]):
            return None
        if getattr(c, "shape", None) != ():
            return None
        e, s = quotient.operands
        product = self.expression(like, "multiply", e, self.expression(s, "divide", c, s))
        return self.expression(like, "minus_one_hot", product, labels, c)

    def _negative(self, like: Symbol, x: Expression) -> Any:
        if is_operation(x, "dot") and isinstance(x.operands[1], np.ndarray):
            return self.expression(like, "dot", x.operands[0], -x.operands[1])
        return super()._negative(like, x)


def _is_plain_number(x: Expression) -> bool:
    return not isinstance(x, Symbol) and np.ndim(x) == 0


def _is_count(x: Expression) -> bool:
    """Whether a number may be how many terms a mean has: x / n and x · (1 / n) then agree to two
    roundings, and neither overflows."""
    return _is_plain_number(x) and 1.0 <= x <= 2.0**53 and float(x).is_integer()


def _is_log_softmax(x: Expression) -> bool:
    """Whether an expression is z - log Σ exp(z), with z an array minus its maximum: so the sum lies
    between 1 and the number of its terms, and exp(z - log s) and exp(z) / s agree everywhere."""
    if not (is_operation(x, "subtract") and is_operation(x.operands[1], "log")):
        return False
    z, s = x.operands[0], x.operands[1].operands[0]
    if not (is_operation(s, "sum") and is_operation(s.operands[0], "exp")):
        return False
    if s.operands[0].operands[0] is not z or not is_operation(z, "subtract"):
        return False
    array, top = z.operands
    same_axis = is_operation(top, "max") and top.settings == s.settings
    return same_axis and top.operands[0] is array


def _is_column(x: Expression) -> bool:
    """Whether an operand of a table is one column, the same for every entry of a row."""
    return isinstance(x, ArraySymbol) and x.ndim == 2 and x.shape[1] == 1


def _without_repeats(x: Expression, like: ArraySymbol, operands: list[Expression]) -> Any:
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
