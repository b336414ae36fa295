"""A program of arrays as calls of NumPy into buffers that are allocated once.

Every operation writes into a buffer of its own, or into one that nothing needs any more. Views,
such as a transpose, are made once with the buffers. What a call costs beside its arithmetic decides
the speed of small networks, so what comes out is straight-line code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.programs.array_symbols import ArraySymbol, function_of, is_elementwise
from tinygrad_edu.programs.generated import compiled
from tinygrad_edu.programs.symbols import Expression, Symbol, symbols_of
from tinygrad_edu.replay.buffer_use import VIEWS, fits_buffer, fits_shape, lifetimes
from tinygrad_edu.rules.tables import arrays

LARGE = 2000
"""From so many elements on, zeros are put with the bits of numbers; see `Emitter.zeros`."""

FEW = 16
"""Columns up to which a product is held column by column: BLAS takes a third longer for more."""


class Emitter:
    """Writes the lines that compute array symbols, and allocates what they need.

    `order` are the symbols to compute, operands first. `given` are arrays that hold their symbols
    whenever the lines run; `results` are arrays that symbols shall be written into. Afterwards
    `lines` has the code, `namespace` all that it names, and `names` how each symbol is called.
    """

    def __init__(
        self,
        order: Sequence[Any],
        wanted: Iterable[Expression],
        given: Mapping[Any, Any],
        results: Mapping[Any, Any] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {"copyto": np.copyto, "putmask": np.putmask}
        self.names: dict[Any, str] = {}
        self.arrays: dict[Any, Any] = {}  # those that stand still: buffers, and views of them
        self.free: list[Any] = []  # buffers that nothing needs any more
        self.results = dict(results or {})
        self.constants: dict[Any, str] = {}
        self.unchecked: dict[str, str] = {}  # lines that check labels, without the check
        self.classes: dict[Any, int] = {}  # how many classes there are, for each symbol of labels
        self.wanted = [x for x in wanted if isinstance(x, Symbol)]
        self.owners, self.last_use = lifetimes(order, [*self.wanted, *self.results])
        self.given = set(given)
        for symbol, array in given.items():
            self.hold(symbol, array)
        for self.now, symbol in enumerate(order):
            if symbol not in self.names:
                self.emit(symbol)
        for symbol, array in self.results.items():
            if self.arrays.get(symbol) is not array:
                self.line("copyto", self.name(array), self.text(symbol))

    def value(self, x: Any) -> Any:
        """Where a result is after a run: an array, or the name of a variable."""
        if not isinstance(x, Symbol):
            return np.asarray(x)
        return self.arrays.get(x, self.names[x])

    def function(self) -> Callable[[], dict[str, Any]]:
        """A function that runs the lines, and gives the variables that are results."""
        wanted = [self.names[x] for x in self.wanted if x in self.names and x not in self.arrays]
        returned = ", ".join(f"{name!r}: {name}" for name in wanted)
        return compiled([], [*self.lines, f"return {{{returned}}}"], self.namespace)

    # --- names ----------------------------------------------------------------------------------

    def name(self, value: Any, hint: str = "b") -> str:
        """A name for an array or a function."""
        hint = getattr(value, "__name__", hint)
        if not hint.isidentifier() or self.namespace.get(hint, value) is not value:
            hint = f"{hint if hint.isidentifier() else 'f'}{len(self.namespace)}"
        elif not callable(value):
            hint = f"{hint}{len(self.namespace)}"
        self.namespace[hint] = value
        return hint

    def hold(self, symbol: Any, array: Any) -> None:
        """Note that an array holds a symbol."""
        self.arrays[symbol] = array
        self.names[symbol] = self.name(array)

    def text(self, x: Any, dtype: Any = None) -> str:
        """How an operand is named. A number is an array of the dtype, since a ufunc takes 1 µs
        longer with a Python number."""
        if isinstance(x, Symbol):
            return self.names[x]
        array = x if isinstance(x, np.ndarray) else np.array(x, dtype or float)
        key = (array.dtype.str, array.tobytes(), array.shape)
        if key not in self.constants:
            self.constants[key] = self.name(array, "c")
        return self.constants[key]

    def line(self, function: str, *operands: str) -> None:
        self.namespace.setdefault(function, getattr(np, function, None))
        self.lines.append(f"{function}({', '.join(operands)})")

    # --- buffers --------------------------------------------------------------------------------

    def dies(self, symbol: Any) -> bool:
        """Whether nothing after the present step needs the buffer in which a symbol is held."""
        owner = self.owners.get(symbol, symbol)
        return (
            owner in self.arrays
            and owner not in self.given
            and owner not in self.results
            and self.last_use.get(owner, -1) <= self.now
        )

    def buffer(self, symbol: Any, order: str = "C", instead_of: Sequence[Any] = ()) -> Any:
        """An array to write a symbol into: that of an operand which dies, a free one, or new."""
        if symbol in self.results:
            return self.results[symbol]
        for x in instead_of:
            array = self.held(x)
            if array is not None and self.dies(x) and fits_buffer(array, symbol, order):
                return array
        for i, array in enumerate(self.free):
            if fits_buffer(array, symbol, order):
                return self.free.pop(i)
        return np.empty(symbol.shape, symbol.dtype, order)  # type: ignore[call-overload]

    def held(self, x: Any) -> Any:
        """The array that stands still and holds an operand, or None."""
        return self.arrays.get(x) if isinstance(x, Symbol) else None

    def release(self, symbol: Any) -> None:
        """Give back the buffers of operands that nothing needs any more."""
        for owner in {self.owners.get(x, x) for x in symbols_of(symbol)}:
            if self.dies(owner):
                array = self.arrays[owner]
                held = self.arrays.get(symbol)
                if held is None or not np.may_share_memory(array, held):
                    self.free.append(array)

    def layout(self, symbol: Any, operands: Sequence[Any]) -> str:
        """Results lie in memory as the operands do, so that loops run along it."""
        for x in operands:
            array = self.held(x)
            if array is not None and array.shape == symbol.shape:
                return "F" if array.flags.fnc else "C"
        return "C"

    # --- operations -----------------------------------------------------------------------------

    def emit(self, symbol: Any) -> None:
        """Write the line of one operation."""
        name = symbol.name
        if name in VIEWS and len(symbol.operands) == 1 and self.view(symbol):
            return
        special: Callable[[Any], Any] | None = getattr(self, f"_{name}", None)
        out = special(symbol) if special else None
        if out is None and is_elementwise(name):
            out = self.elementwise(symbol)
        if out is not None:
            self.hold(symbol, out)
        elif symbol not in self.names:
            self.anything(symbol)
        self.release(symbol)

    def view(self, symbol: Any) -> bool:
        """A view of an array that stands still is made now, once and for all."""
        source = self.arrays.get(symbol.operands[0])
        if source is None:
            return False
        array = function_of(symbol.name)(source, **symbol.settings)
        if not np.may_share_memory(array, source):
            return False  # such as a reshape of a transpose, which copies
        self.hold(symbol, array)
        return True

    def anything(self, symbol: Any) -> None:
        """An operation that has no place to write to gives a new array each time."""
        function = self.name(function_of(symbol.name), symbol.name)
        operands = [self.text(x, symbol.dtype) for x in symbol.operands]
        settings = [f"{k}={self.name(v, 's')}" for k, v in symbol.settings.items()]
        self.variable(symbol, f"{function}({', '.join([*operands, *settings])})")

    def variable(self, symbol: Any, text: str) -> None:
        self.names[symbol] = f"t{len(self.names)}"
        self.lines.append(f"{self.names[symbol]} = {text}")

    def elementwise(self, symbol: Any) -> Any:
        arrays = [x for x in symbol.operands if isinstance(x, ArraySymbol)]
        dtypes = [x.dtype for x in arrays]  # a number has the dtype that NumPy gives it beside them
        operands = [
            self.text(x, None if isinstance(x, Symbol) else np.result_type(*dtypes, x))
            for x in symbol.operands
        ]
        out = self.buffer(symbol, self.layout(symbol, arrays), instead_of=arrays)
        if symbol.name in ("maximum", "minimum"):  # they take `out` by its name only
            self.line(symbol.name, *operands, f"out={self.name(out)}")
        else:
            self.line(symbol.name, *operands, self.name(out))
        return out

    def _matmul(self, symbol: Any) -> Any:
        x, y = symbol.operands
        if min(getattr(x, "ndim", 0), getattr(y, "ndim", 0)) < 2 or x.dtype != y.dtype:
            return None
        if x.ndim > 2 or y.ndim > 2:
            return self.stacked(symbol, x, y)
        left, right = self.held(x), self.held(y)
        in_rows = symbol in self.results or symbol.shape[1] > min(symbol.shape[0], FEW)
        if in_rows or left is None or right is None:
            out = self.buffer(symbol)
            self.lines.append(f"{self.text(x)}.dot({self.text(y)}, {self.name(out)})")
            return out
        # A few columns, as in the last layer of a batch: held one after the other, so that sums and
        # maxima over the columns run along the batch; a fifth of a 64-30-10 step
        out = self.buffer(symbol, "F")
        turned = [self.name(z.T, "v") for z in (right, left, out)]
        self.lines.append(f"{turned[0]}.dot({turned[1]}, {turned[2]})")
        return out

    def stacked(self, symbol: Any, x: Any, y: Any) -> Any:
        """Products of matrices in stacks. With one matrix on the right, it is one product of the
        rows of all: a quarter less time for 16 × 12 × 32 with 32 × 64."""
        left, out = self.held(x), self.buffer(symbol)
        if y.ndim == 2 and left is not None and left.flags.c_contiguous and left.size:
            rows, results = (self.name(z.reshape(-1, z.shape[-1]), "v") for z in (left, out))
            self.lines.append(f"{rows}.dot({self.text(y)}, {results})")
        else:
            self.line("matmul", self.text(x), self.text(y), self.name(out))
        return out

    def _reshape(self, symbol: Any) -> Any:
        """A reshape that is not a view copies, in the order of the rows."""
        source = self.held(symbol.operands[0])
        if source is None:
            return None
        out = self.buffer(symbol)
        self.line("copyto", self.name(out.reshape(source.shape), "v"), self.name(source))
        return out

    def _mean(self, symbol: Any) -> Any:
        """What NumPy's mean computes, for 300 × 10 in a third of the time that it takes."""
        (x,) = symbol.operands
        if x.dtype != symbol.dtype or x.dtype.itemsize < 4 or not x.size:
            return None
        out = self.reduce("add", symbol)
        count = self.text(np.array(x.size / symbol.size, x.dtype))
        self.line("divide", self.name(out), count, self.name(out))
        return out

    def _sum(self, symbol: Any) -> Any:
        """A sum along one axis is a product with ones: 0.5 µs instead of 2.2 for 30 × 10."""
        (x,) = symbol.operands
        axis, dtype = symbol.settings["axis"], x.dtype
        axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
        if x.ndim not in (1, 2) or len(axes) != 1 or dtype.kind != "f" or dtype.itemsize < 4:
            return self.reduce("add", symbol)
        out = self.buffer(symbol)
        if not out.flags.c_contiguous or not x.size:
            return self.reduce("add", symbol)
        flat = self.name(out.reshape(-1) if x.ndim == 2 else out.reshape(()), "v")
        table, ones = self.text(x), self.text(np.ones(x.shape[axes[0]], dtype))
        left, right = (ones, table) if x.ndim == 2 and axes[0] == 0 else (table, ones)
        self.lines.append(f"{left}.dot({right}, {flat})")
        return out

    def _dot(self, symbol: Any) -> Any:
        x, y = symbol.operands
        out = self.buffer(symbol)
        self.lines.append(f"{self.text(x)}.dot({self.text(y)}, {self.name(out)})")
        return out

    def _max(self, symbol: Any) -> Any:
        return self.reduce("maximum", symbol)

    def _min(self, symbol: Any) -> Any:
        return self.reduce("minimum", symbol)

    def _prod(self, symbol: Any) -> Any:
        return self.reduce("multiply", symbol)

    def reduce(self, ufunc: str, symbol: Any) -> Any:
        (x,) = symbol.operands
        out = self.buffer(symbol)
        self.namespace[f"{ufunc}_reduce"] = getattr(np, ufunc).reduce
        axis, keepdims = symbol.settings["axis"], symbol.settings["keepdims"]
        settings = (repr(axis), "None", self.name(out), repr(bool(keepdims)))
        self.line(f"{ufunc}_reduce", self.text(x), *settings)
        return out

    def _where(self, symbol: Any) -> Any:
        """where(condition, number, y) as y with the number put into some places."""
        condition, x, y = symbol.operands
        if (
            isinstance(x, Symbol)
            or np.ndim(x)
            or not (fits_shape(condition, symbol) and fits_shape(y, symbol))
        ):
            return None
        out = self.buffer(symbol, self.layout(symbol, [y]), instead_of=[y])
        if symbol.size >= LARGE and x == 0 and symbol.dtype.itemsize in (4, 8):
            held = [self.held(z) for z in (condition, y)]
            if all(z is not None and z.flags.fnc == out.flags.fnc for z in held):
                self.zeros(condition, y, out)
                return out
        if out is not self.arrays.get(y):
            self.line("copyto", self.name(out), self.text(y))
        truths = self.held(condition)
        if out.flags.fnc and truths is not None and truths.flags.fnc:
            # putmask copies what is not C-contiguous; the transposes are
            places = self.name(out.T, "v"), self.name(truths.T, "v")
        else:
            places = self.name(out), self.text(condition)
        self.line("putmask", *places, self.text(x, symbol.dtype))
        return out

    def zeros(self, condition: Any, y: Any, out: Any) -> None:
        """Zeros where a condition holds: the bits of y, and a mask of all ones or none.

        putmask is exact too, but stumbles over every truth that it could not foresee: for 100 × 50
        random ones it takes 28 µs and this 7.
        """
        whole = np.dtype(f"i{out.dtype.itemsize}")
        truths, bits = self.arrays[condition].view(np.int8), self.arrays[y].view(whole)
        mask = np.empty(out.shape, whole, "F" if out.flags.fnc else "C")
        one = self.text(np.ones((), np.int8))
        self.line("subtract", self.name(truths, "v"), one, self.name(mask))
        self.line("bitwise_and", self.name(bits, "v"), self.name(mask), self.name(out.view(whole)))

    def _pick(self, symbol: Any) -> None:
        """The entry of each row of a table that its label names."""
        table, labels = symbol.operands
        flat, places = self.flat(self.held(table), self.text(table), labels, table.shape)
        self.variable(symbol, f"{flat}[{places}]")

    def _minus_one_hot(self, symbol: Any) -> Any:
        """x - one_hot(labels): 1 less in the places of the labels."""
        x, labels, *amount = symbol.operands
        out = self.buffer(symbol, self.layout(symbol, [x]), instead_of=[x])
        if out is not self.arrays.get(x):
            self.line("copyto", self.name(out), self.text(x))
        flat, places = self.flat(out, self.name(out), labels, symbol.shape)
        one = self.text(amount[0] if amount else 1.0, symbol.dtype)
        self.lines.append(f"{flat}[{places}] -= {one}")
        return out

    def flat(self, array: Any, text: str, labels: Any, shape: tuple[int, int]) -> tuple[str, str]:
        """A table as one row, in the order in which it lies in memory, and the places of the
        labels in it, checked to be within the classes."""
        columns_first = array is not None and array.flags.fnc
        if array is None:
            text = f"{text}.reshape(-1)"
        else:
            text = self.name((array.T if columns_first else array).reshape(-1), "v")
        key = ("places", labels, columns_first)
        if key not in self.names:
            self.names[key] = f"t{len(self.names)}"
            self.namespace["flat_places"] = arrays.flat_places
            columns = self.text(labels)
            checked = f"flat_places({columns}, {shape[1]}, {columns_first})"
            self.lines.append(f"{self.names[key]} = {checked}")
            if columns_first and labels.dtype == np.int64:
                # the same without a check, for a loop that has checked all labels before it
                step, rows = self.text(np.array(shape[0])), self.text(np.arange(shape[0]))
                places = self.name(np.empty(labels.shape, labels.dtype))
                product = f"multiply({columns}, {step}, {places})"
                self.unchecked[self.lines[-1]] = (
                    f"{self.names[key]} = add({product}, {rows}, {places})"
                )
                self.namespace |= {"add": np.add, "multiply": np.multiply}
                self.classes[labels] = shape[1]
        return text, self.names[key]


def result_at(place: Any, variables: Mapping[str, Any]) -> Any:
    """A result after a run: an array, or the variable of this name. See `Emitter.value`."""
    return variables[place] if isinstance(place, str) else place


def warnings_of(order: Iterable[Any]) -> Callable[[], Any]:
    """Makes a block in which NumPy warns as the formulas of a program have it.

    It takes 2 µs to enter, so that an epoch enters it once.
    """
    if any(x.quiet for x in order):
        return functools.partial(np.errstate, over="ignore", divide="ignore")
    return nullcontext
