"""Array symbols: symbols that know their shape and dtype, for the rules of arrays.

A rule for arrays asks its operands for shapes, indexes them, and calls NumPy; an array symbol
answers all of that and notes every call as an operation under NumPy's name. What an operation makes
of shapes and dtypes is asked of NumPy itself, by running it once on ones.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from tinygrad_edu.programs.symbols import IndexSlot, Symbol, is_unwritten
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES
from tinygrad_edu.rules.tables import arrays, formula_of


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class ArraySymbol(Symbol):
    """A name for an array, or an operation over array symbols, plain arrays and numbers.

    `settings` are those of the operation, such as its axis. `quiet`: NumPy's warnings were switched
    off by the formula in which it stands.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(float))
    quiet: bool = False

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return array_functions

    def _operation(self, name: str, *operands: Any) -> ArraySymbol:
        symbol: ArraySymbol = operation(name, *operands)
        return symbol

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Any:
        return operation("transpose", self, axes=None)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        index, arrays_in_it = _index_slots(index)
        return operation("getitem", self, *arrays_in_it, index=index)

    def __matmul__(self, other: Any) -> Any:
        return operation("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return operation("matmul", other, self)

    def __invert__(self) -> Any:
        return operation("logical_not", self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return operation("sum", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Any:
        return operation("reshape", self, shape=shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Any:
        return self.reshape(-1)

    def astype(self, dtype: Any) -> Any:
        return operation("astype", self, dtype=np.dtype(dtype))

    def __array_ufunc__(  # type: ignore[override]
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        """NumPy's elementwise functions and their reductions, `np.add.reduce(x, axis=0)`."""
        if method == "__call__" and not options:
            return operation(_NAMES.get(ufunc.__name__, ufunc.__name__), *inputs)
        reduction = _REDUCING_UFUNCS.get(ufunc.__name__)
        if method == "reduce" and reduction and not options.keys() - {"axis", "keepdims"}:
            settings = {"axis": options.get("axis", 0), "keepdims": options.get("keepdims", False)}
            return operation(reduction, *inputs, **settings)
        raise TypeError(f"numpy.{ufunc.__name__} with {method} has no formula")

    def __array_function__(
        self, function: Any, types: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """NumPy's functions of arrays, such as `np.where`."""
        if function.__name__ not in _CALLED_DIRECTLY:
            raise TypeError(f"numpy.{function.__name__} of a symbol has no formula")
        return _CALLED_DIRECTLY[function.__name__](*inputs, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError("a function of plain arrays was called; use of(x), such as of(x).exp(x)")


_NAMES = {"absolute": "abs", "bitwise_and": "logical_and", "bitwise_or": "logical_or"}
_REDUCING_UFUNCS = {"add": "sum", "maximum": "max", "minimum": "min", "multiply": "prod"}


_CALLED_DIRECTLY: dict[str, Callable[..., Any]] = {
    "where": lambda condition, x, y: operation("where", condition, x, y),
    "squeeze": lambda x, axis=None: operation(
        "reshape", x, shape=np.squeeze(_ones_like(x), axis).shape
    ),
    "broadcast_to": lambda x, shape: operation("broadcast_to", x, shape=shape),
}
"""NumPy's functions that formulas call directly, by the operations that they are."""


class _ArrayFunctions:
    """The functions of array symbols, under NumPy's names: what `of(x)` gives."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _SIGNATURES:
            return functools.partial(_reshaping, name)
        if name in _OWN_FORMS:
            return _OWN_FORMS[name]
        if is_unwritten(name):
            raise AttributeError(f"there is no function {name} of arrays")
        if name in OPERATIONS or is_elementwise(name):
            return functools.partial(operation, name)
        # A formula that was added with `plain_function`, such as softmax, is run on the symbols.
        function: Callable[..., Any] = getattr(arrays, name)
        return function if formula_of(name) else functools.partial(operation, name)


def _put_symbol(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    index, arrays_in_it = _index_slots(index)
    return operation("put", x, *arrays_in_it, index=index, shape=shape)


_OWN_FORMS: dict[str, Callable[..., Any]] = {
    "concatenate": lambda xs, axis=0: operation("concatenate", *xs, axis=axis),
    "stack": lambda xs, axis=0: operation("stack", *xs, axis=axis),
    "einsum": lambda subscripts, *xs: operation("einsum", *xs, subscripts=subscripts),
    "one_hot": lambda labels, places, shape, dtype: operation(
        "one_hot", labels, places, shape=shape, dtype=dtype
    ),
    "put": _put_symbol,
}
"""Functions whose operands are not all of their first arguments."""

array_functions = _ArrayFunctions()
"""The namespace of array symbols, what `of(symbol)` gives."""

_REDUCED = {"axis": None, "keepdims": False}
_SIGNATURES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("sum", "mean", "max", "min", "prod"), _REDUCED),
    "cumsum": {"axis": None}, "reshape": {"shape": ()}, "broadcast_to": {"shape": ()},
    "transpose": {"axes": None}, "flat_places": {"classes": 0},
    **dict.fromkeys(("windows", "add_windows"), dict.fromkeys(("shape", "stride", "padding",
                                                               "dilation"))),
}  # fmt: skip
"""The settings of the functions of one array, with their defaults, in NumPy's order."""


def _reshaping(name: str, x: Any, *given: Any, **named: Any) -> Any:
    defaults = _SIGNATURES[name]
    return operation(name, x, **{**defaults, **dict(zip(defaults, given, strict=False)), **named})


def _index_slots(index: Any) -> tuple[Any, list[Any]]:
    """An index with its arrays taken out: `(slice(None), i)` gives (:, IndexSlot(1)) and [i]."""
    arrays_in_it: list[Any] = []

    def place(part: Any) -> Any:
        if isinstance(part, Symbol | np.ndarray):
            arrays_in_it.append(part)
            return IndexSlot(len(arrays_in_it))
        return part

    return (tuple(map(place, index)) if isinstance(index, tuple) else place(index)), arrays_in_it


def index_with(index: Any, operands: Any) -> Any:
    """An index with its arrays, which are operands 1, 2, …, back in their places."""
    if isinstance(index, tuple):
        return tuple(operands[p.operand] if isinstance(p, IndexSlot) else p for p in index)
    return operands[index.operand] if isinstance(index, IndexSlot) else index


def _getitem_arrays(x: Any, *more: Any, index: Any) -> Any:
    return x[index_with(index, (x, *more))]


def _put_arrays(x: Any, *more: Any, index: Any, shape: tuple[int, ...]) -> Any:
    return arrays.put(x, index_with(index, (x, *more)), shape)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(arrays, name) for name in _SIGNATURES if name != "flat_places"},
    "reshape": lambda x, shape: np.reshape(x, shape),  # NumPy 2.0 does not know the name
    "matmul": arrays.matmul, "where": arrays.where, "getitem": _getitem_arrays, "put": _put_arrays,
    "flat_places": lambda labels, classes: arrays.flat_places(labels, classes),
    "one_hot": lambda labels, places, **like: arrays.one_hot(labels, places, **like),
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "einsum": lambda *xs, subscripts: arrays.einsum(subscripts, *xs),
    "astype": lambda x, dtype: x.astype(dtype),
    "power": operator.pow,
}  # fmt: skip
"""What an operation does to plain arrays; those that are not here are NumPy's ufuncs."""


def is_elementwise(name: str) -> bool:
    """Whether an operation is one of NumPy's ufuncs: it broadcasts, and takes `out`."""
    return isinstance(_numpys(name), np.ufunc) and name != "matmul"


def _numpys(name: str) -> Any:
    """NumPy's function of a name; None for the rule of a user, who may mean something else."""
    rule = RULES.get(name)
    return getattr(np, name, None) if rule is None or is_ours(rule) else None


def function_of(name: str) -> Callable[..., Any]:
    """The function of plain arrays that an operation is."""
    function: Callable[..., Any] = OPERATIONS.get(name) or _numpys(name) or getattr(arrays, name)
    return function


def operation(name: str, *operands: Any, **settings: Any) -> Any:
    """An array symbol for an operation; with plain operands only, its result."""
    plain = [x if isinstance(x, ArraySymbol) else as_plain(x, name) for x in operands]
    if not any(isinstance(x, ArraySymbol) for x in plain):
        return function_of(name)(*plain, **settings)
    with np.errstate(all="ignore"):
        result = function_of(name)(*map(_ones_like, plain), **settings)
    result = np.asarray(result)
    quiet = np.geterr() != _USUAL
    return ArraySymbol(name, tuple(plain), settings, result.shape, result.dtype, quiet)


_USUAL = np.geterr()


def _ones_like(x: Any) -> Any:
    """Ones of the shape and dtype of an array symbol, in the memory of one number; an index of
    zeros for integers, since an axis may have length 1."""
    if not isinstance(x, ArraySymbol):
        return x
    return np.broadcast_to(np.array(x.dtype.kind == "f", x.dtype), x.shape)
