"""A program of numbers over columns: one call evaluates many points, with NumPy.

The points go through in blocks that stay in the processor's cache, so that any number of points
takes the same memory, and half of the time of whole columns. What all points share is computed
once, as plain numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.programs.array_symbols import ArraySymbol
from tinygrad_edu.programs.languages import written
from tinygrad_edu.programs.lines import SUM, lines_of, split
from tinygrad_edu.programs.source import FUNCTIONS, TAKEN, texts_of
from tinygrad_edu.programs.symbols import Expression, Symbol, operations_in
from tinygrad_edu.programs.trace import POINTS, Program, symbols_of
from tinygrad_edu.replay.buffers import Emitter

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
        lines = self.lines = lines_of(program, TAKEN)
        parts = split(program, lines)
        self.sums = [symbol for _, symbol in parts.sums]
        self.columns = [x for x in program.inputs if x in program.varying]
        leaves = [x for x in (*program.inputs, *program.others) if x not in program.varying]
        lines.names.setdefault(POINTS, "points")
        shared = [*leaves, POINTS]
        self.early = [*shared, *(symbol for _, symbol in parts.before)]
        outputs = [program.value, *program.gradients]
        self.varying = [x for x in outputs if isinstance(x, Symbol) and x in program.varying]
        steady = [x for x in outputs if not (isinstance(x, Symbol) and x in program.varying)]
        known = {x: lines.names[x] for x in [*self.early, *self.sums]}
        self.before = self._numbers(parts.before, shared, self.early)
        self.after = self._numbers(parts.after, known, steady)
        self.blocks: dict[int, _Block] = {}

    def _numbers(
        self, lines: list[tuple[str, Symbol]], known: Iterable[Symbol], wanted: Sequence[Expression]
    ) -> Callable[[Sequence[float]], list[float]]:
        """A function that computes lines of plain numbers."""
        names = {x: self.lines.names[x] for x in known}
        body = [f"{''.join(f'{name}, ' for name in names.values())}= known"] if names else []
        body += [f"{name} = {text}" for name, text in texts_of(lines, "program", names)]
        body.append(f"return [{', '.join(written(x, 'program', names) for x in wanted)}]")
        namespace: dict[str, Any] = {**FUNCTIONS, "inf": math.inf, "nan": math.nan}
        exec("def run(known):\n" + "".join(f"    {line}\n" for line in body), namespace)
        return namespace["run"]  # type: ignore[no-any-return]

    def __call__(self, columns: Sequence[Any], shared: Any, n: int) -> tuple[list[Any], Any]:
        """What varies of the value and the gradients, as columns, and an array of other numbers.

        `shared` is an array of the numbers of all leaves that are no columns, the inputs first.
        """
        early = self.before([*shared.tolist(), float(n)])
        varying = [np.empty(n) for _ in self.varying]
        sums = np.zeros(len(self.sums))
        for start in range(0, n, BLOCK):
            part = slice(start, min(start + BLOCK, n))
            size = part.stop - start
            # taken out while it is filled, so that another thread does not fill it too
            block = self.blocks.pop(size, None) or _Block(self, size)
            block.early[:] = early
            for buffer, column in zip(block.columns, columns, strict=True):
                buffer[:] = column[part]
            found = block.run()
            sums += block.sums
            for column, result in zip(varying, found, strict=True):
                column[part] = result
            self.blocks[size] = block
            for old in list(self.blocks)[:-4]:  # whole blocks and the last, of two or three lengths
                self.blocks.pop(old, None)
        return varying, np.array(self.after([*early, *sums.tolist()]), float)


class _Block:
    """The buffers for a number of points, and the calls of NumPy that fill them: `run()`."""

    def __init__(self, columns: Columns, size: int) -> None:
        program = columns.program
        self.columns = [np.empty(size) for _ in columns.columns]
        self.early = np.empty(len(columns.early))
        self.sums = np.zeros(len(columns.sums))
        arrays: dict[Symbol, ArraySymbol] = {}
        given: dict[ArraySymbol, Any] = {}
        for symbol, buffer in zip(columns.columns, self.columns, strict=True):
            arrays[symbol] = ArraySymbol(symbol.name, shape=(size,))
            given[arrays[symbol]] = buffer
        for i, symbol in enumerate(columns.early):
            arrays[symbol] = ArraySymbol(symbol.name)
            given[arrays[symbol]] = self.early[i : i + 1].reshape(())
        wanted = (*columns.varying, *columns.sums)
        needed = list(operations_in(Symbol("all", tuple(wanted)), {}))[:-1]
        uses = Counter(x for symbol in needed for x in symbols_of(symbol))
        products = {
            x.operands[0]
            for x in columns.sums
            if _factors(x, program.varying) and uses[x.operands[0]] == 1
        } - set(columns.varying)
        order = []
        for symbol in needed:
            if symbol in arrays or not (symbol in program.varying or symbol.name == SUM):
                continue
            if symbol in products:  # the sum of a product needs no column of products
                continue
            if symbol.name == SUM and symbol.operands[0] in products:
                factors = _factors(symbol, program.varying)
                made = ArraySymbol("dot", tuple(arrays[x] for x in factors))
            elif symbol.name == SUM:
                settings = {"axis": None, "keepdims": False}
                made = ArraySymbol("sum", (arrays[symbol.operands[0]],), settings)
            else:
                operands = tuple(arrays[x] if isinstance(x, Symbol) else x for x in symbol.operands)
                if symbol.name in ("add", "subtract", "negative") and _all_truths(operands):
                    operands = tuple(_as_numbers(x) for x in operands)
                    order += [x for x in operands if isinstance(x, Symbol)]
                dtype = _dtype(symbol.name, operands)
                made = ArraySymbol(symbol.name, operands, {}, (size,), dtype)
            arrays[symbol] = made
            order.append(made)
        results = {arrays[x]: self.sums[i : i + 1].reshape(()) for i, x in enumerate(columns.sums)}
        emitter = Emitter(order, [arrays[x] for x in columns.varying], given, results)
        self.places = [emitter.value(arrays[x]) for x in columns.varying]
        self.compute = emitter.function()

    def run(self) -> list[Any]:
        """Fill the buffers; what varies of the value and the gradients."""
        found = self.compute()
        return [found[place] if isinstance(place, str) else place for place in self.places]


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
