"""Where a rule finds its functions: one set of names over numbers, arrays and nodes.

`of(x).tanh(x)` is `math.tanh` for a number, `np.tanh` for an array, and the rule itself for a node.
The names are NumPy's. `@rule` adds Python's function for numbers; NumPy's for arrays has the same
name. What neither of them has is written next to the rule that needs it, and added here by
`plain_function`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Table(SimpleNamespace):
    """Functions under NumPy's names, for one kind of operand."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"of(x) has no function {name!r} for this x", name=name, obj=self)


class _ArrayTable(Table):
    def __getattr__(self, name: str) -> Any:
        """A function of numbers is one of arrays too: NumPy's of that name, or number by number."""
        if name not in vars(scalars):
            return super().__getattr__(name)
        from tinygrad_edu.rules.array_tables import elementwise_function

        function = elementwise_function(name, getattr(scalars, name))
        setattr(self, name, function)
        return function


scalars = Table()
"""Functions of numbers, under NumPy's names: filled by `@rule`. Out of their domain they raise."""

arrays = _ArrayTable()
"""Functions of arrays: NumPy's own, or those of `array_tables.py`. Out of their domain they give
nan and NumPy's warning."""

operations = Table()
"""The public function of every rule, filled by `@rule`."""

_array: Any = None  # NumPy's types of arrays, once it is there
_array_kinds: tuple[type, ...] = ()


def of(x: Any, y: Any = 0.0, *more: Any) -> Any:
    """The table whose functions fit the operands.

    NumPy's names over numbers (`math`), over arrays (NumPy), or, when an operand brings its own
    (the array API's `__array_namespace__`, as nodes do), that one.
    """
    kind, other = type(x), type(y)  # nearly every question has one of two answers:
    if kind is float and other is float and not more:
        return scalars
    if kind is _array and (other is float or other is _array) and not more:
        return arrays
    table = scalars
    for operand in (x, y, *more):
        if isinstance(operand, _array_kinds):
            table = arrays
        elif hasattr(operand, "__array_namespace__"):
            if hasattr(operand, "__array_interface__"):  # the first array: its table comes now
                import_module("tinygrad_edu.rules.array_tables")
                return arrays
            return operand.__array_namespace__()
    return table


def number_function(name: str, function: Callable[..., Any]) -> None:
    """Let `of(x)` give a function for numbers, and for arrays what is made of it."""
    setattr(scalars, name, function)
    vars(arrays).pop(name, None)  # what was made of a rule that a user declares again


def plain_function(function: Callable[P, R]) -> Callable[P, R]:
    """Add a forward formula that neither math nor NumPy has to both tables."""
    name = function.__name__.lstrip("_")
    setattr(scalars, name, function)
    setattr(arrays, name, function)
    return function


def formula_of(name: str) -> Callable[..., Any] | None:
    """The formula of a name that was added with `plain_function`: it is the same in both tables."""
    formula: Callable[..., Any] | None = vars(scalars).get(name)
    return formula if formula is vars(arrays).get(name) else None


def add_arrays(array: type, scalar: type, **functions: Callable[..., Any]) -> None:
    """From now on operands may be arrays: NumPy is there, and these are its functions."""
    global _array, _array_kinds
    _array, _array_kinds = array, (array, scalar)
    vars(arrays).update(functions)
