"""A program of numbers over columns: one call evaluates many points, with NumPy.

The points go through in blocks that stay in the processor's cache, so any number of points takes
the same memory, and half of the time of whole columns. What all points share is computed once, as
plain numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol
from tinygrad_edu.programs.column_lines import column_lines
from tinygrad_edu.programs.generated import MATH, Code, compiled
from tinygrad_edu.programs.lines import NamedLine
from tinygrad_edu.programs.symbols import (
    SUM_OVER_POINTS,
    Expression,
    Symbol,
    operations_in,
    symbols_of,
)
from tinygrad_edu.programs.trace import POINTS, Program
from tinygrad_edu.replay.buffers import Emitter, result_at

BLOCK = 8192
"""Points in a block: a column of them takes 64 kB."""

_TRUTHS = {
    "less", "greater", "less_equal", "greater_equal", "equal", "not_equal", "logical_and",
    "logical_or",
}  # fmt: skip


class Columns:
    """A program of which some inputs are columns."""

    def __init__(self, program: Program) -> None:
        self.program = program
        parts = self.parts = column_lines(program)
        parts.names.setdefault(POINTS, "points")
        numbers = [*parts.numbers, POINTS]
        self.sums = [symbol for _, symbol in parts.sums]
        self.early = [*numbers, *(symbol for _, symbol in parts.before)]
        self.before = self.number_lines(parts.before, numbers, self.early)
        self.after = self.number_lines(parts.after, [*self.early, *self.sums], parts.steady)
        self.blocks: dict[int, _PointBlock] = {}

    def number_lines(
        self, lines: list[NamedLine], known: Iterable[Symbol], wanted: Sequence[Expression]
    ) -> Callable[[Sequence[float]], list[float]]:
        """A function that computes lines of plain numbers."""
        code = Code("program", {x: self.parts.names[x] for x in known})
        code.unpack(list(code.names), "known")
        code.add(lines)
        code.lines.append(f"return [{', '.join(map(code.text, wanted))}]")
        return compiled(["known"], code.lines, {**MATH})

    def __call__(self, columns: Sequence[Any], shared: Any, n: int) -> tuple[list[Any], Any]:
        """What varies of the value and the gradients, as columns, and an array of other numbers.

        `shared` is an array of the numbers of all leaves that are not columns, the inputs first.
        """
        early = self.before([*shared.tolist(), float(n)])
        varying = [np.empty(n) for _ in self.parts.varying]
        sums = np.zeros(len(self.sums))
        for start in range(0, n, BLOCK):
            part = slice(start, min(start + BLOCK, n))
            size = part.stop - start
            # taken out while it is filled, so that another thread does not fill it too
            block = self.blocks.pop(size, None) or _PointBlock(self, size)
            block.early[:] = early
            for buffer, column in zip(block.columns, columns, strict=True):
                buffer[:] = column[part]
            results = block.run()
            sums += block.sums
            for column, result in zip(varying, results, strict=True):
                column[part] = result
            self.blocks[size] = block
            for old in list(self.blocks)[:-4]:  # whole blocks and the last, of two or three lengths
                self.blocks.pop(old, None)
        return varying, np.array(self.after([*early, *sums.tolist()]), float)


class _PointBlock:
    """The buffers for a number of points, and the calls of NumPy that fill them: `run()`."""

    def __init__(self, columns: Columns, size: int) -> None:
        parts = columns.parts
        self.columns = [np.empty(size) for _ in parts.columns]
        self.early = np.empty(len(columns.early))
        self.sums = np.zeros(len(columns.sums))
        self.arrays: dict[Symbol, ArraySymbol] = {}
        given: dict[ArraySymbol, Any] = {}
        for symbol, buffer in zip(parts.columns, self.columns, strict=True):
            self.arrays[symbol] = ArraySymbol(symbol.name, shape=(size,))
            given[self.arrays[symbol]] = buffer
        for i, symbol in enumerate(columns.early):
            self.arrays[symbol] = ArraySymbol(symbol.name)
            given[self.arrays[symbol]] = self.early[i : i + 1].reshape(())
        order = self.array_operations(columns, size)
        wanted = [self.arrays[x] for x in parts.varying]
        results = {
            self.arrays[x]: self.sums[i : i + 1].reshape(()) for i, x in enumerate(columns.sums)
        }
        emitter = Emitter(order, wanted, given, results)
        self.places = [emitter.value(x) for x in wanted]
        self.compute = emitter.function()

    def array_operations(self, columns: Columns, size: int) -> list[ArraySymbol]:
        """The operations on columns, as those of arrays, in order."""
        varying, arrays = columns.program.varying, self.arrays
        needed = list(operations_in([*columns.parts.varying, *columns.sums]))
        products = _summed_products(columns, needed)
        order: list[ArraySymbol] = []
        for symbol in needed:
            is_sum = symbol.name == SUM_OVER_POINTS
            if symbol in arrays or symbol in products or not (symbol in varying or is_sum):
                continue
            operands = [arrays.get(x, x) if isinstance(x, Symbol) else x for x in symbol.operands]
            if is_sum and symbol.operands[0] in products:
                factors = tuple(arrays[x] for x in _factors(symbol, varying))
                arrays[symbol] = ArraySymbol("dot", factors)
            elif is_sum:
                settings = {"axis": None, "keepdims": False}
                arrays[symbol] = ArraySymbol("sum", tuple(operands), settings)
            else:
                if symbol.name in ("add", "subtract", "negative") and _all_truths(operands):
                    operands = list(map(_as_numbers, operands))
                    order += [x for x in operands if isinstance(x, ArraySymbol)]
                dtype = _dtype(symbol.name, operands)
                arrays[symbol] = ArraySymbol(symbol.name, tuple(operands), {}, (size,), dtype)
            order.append(arrays[symbol])
        return order

    def run(self) -> list[Any]:
        """Fill the buffers; what varies of the value and the gradients."""
        variables = self.compute()
        return [result_at(x, variables) for x in self.places]


def _summed_products(columns: Columns, needed: Sequence[Symbol]) -> set[Symbol]:
    """Products of two columns of which only the sum is needed, which is a dot product."""
    uses = Counter(x for symbol in needed for x in symbols_of(symbol))
    products = {
        x.operands[0]
        for x in columns.sums
        if _factors(x, columns.program.varying) and uses[x.operands[0]] == 1
    }
    return products - set(columns.parts.varying)


def _factors(symbol: Symbol, varying: set[Symbol]) -> list[Symbol]:
    """The two columns of which a sum over the points sums the product, if it does."""
    product = symbol.operands[0]
    if not isinstance(product, Symbol) or product.name != "multiply":
        return []
    factors = [x for x in product.operands if isinstance(x, Symbol) and x in varying]
    return factors if len(factors) == 2 else []


def _dtype(name: str, operands: Sequence[Any]) -> np.dtype[Any]:
    """Truths or numbers; a product of truths is whether both hold."""
    product = name == "multiply" and _all_truths(operands)
    return np.dtype(bool if name in _TRUTHS or product else float)


def _all_truths(operands: Sequence[Any]) -> bool:
    return all(getattr(x, "dtype", None) == np.bool_ or isinstance(x, bool) for x in operands)


def _as_numbers(x: Any) -> Any:
    """Truths as the numbers 1 and 0, which they are in Python: NumPy's sum of truths is a truth."""
    return float(x) if isinstance(x, bool) else ArraySymbol("multiply", (x, 1.0), {}, x.shape)


class ByColumns:
    """Calls a program of which some arguments are columns, and sorts what comes out."""

    def __init__(self, replay: Any, columns: tuple[bool, ...]) -> None:
        leaves = [x for x, is_column in zip(replay.inputs, columns, strict=True) if is_column]
        program = replay.program_of(leaves)
        self.columns = columns
        self.others = list(program.others.values())
        if replay.backend == "numba":
            from tinygrad_edu.replay.machine_code import machine_columns

            self.run: Callable[..., Any] = machine_columns(program)
        else:
            self.run = Columns(program)
        # where the value and each gradient are: the position among columns, or among numbers
        places: list[tuple[bool, int]] = []
        for x in program.results:
            varies = isinstance(x, Symbol) and x in program.varying
            places.append((varies, sum(1 for v, _ in places if v == varies)))
        self.value, *gradients = places
        rest = iter(gradients)
        self.wrt: list[Any] = [
            np.array([next(rest)[1] for _ in x], int)
            if isinstance(x, list | tuple)
            else (x in leaves, *next(rest))
            for x in replay.wrt
        ]

    def __call__(self, given: Sequence[Any], shape: tuple[int, ...]) -> Any:
        n = math.prod(shape)
        columns: list[Any] = []
        shared: list[float] = []
        for x, is_column in zip(given, self.columns, strict=True):
            if is_column:
                columns.append(x.ravel())
            else:
                shared += [x] if isinstance(x, float) else x
        shared += [node.data for node in self.others]
        varying, numbers = self.run(columns, np.array(shared, float), n)
        varies, place = self.value  # where it does not vary, each point has it
        value = _as_column(varying[place] if varies else numbers[place], shape)
        gradients: list[Any] = []
        for where in self.wrt:
            if isinstance(where, np.ndarray):
                gradients.append(numbers[where])
                continue
            by_column, varies, place = where
            gradient = varying[place] if varies else numbers[place].item()
            gradients.append(_as_column(gradient, shape) if by_column else gradient)
        return value, tuple(gradients)


def _as_column(x: Any, shape: tuple[int, ...]) -> Any:
    return x.reshape(shape) if isinstance(x, np.ndarray) else np.full(shape, x)
