"""What a rule is: an operation and its derivative, written once, for every kind of operand.

A rule takes operands and returns `(output, pullback)`. The pullback is the local backward
closure (a vector-Jacobian product): it takes the adjoint `g` of the output, also called upstream
gradient or cotangent, and returns one adjoint per operand, in order.

    @rule("×")
    def multiply(x, y, /):
        return x * y, lambda g, x=x, y=y: (g * y, g * x)

Operands stand before the slash, settings such as `axis` after it. `@rule` keeps the rule in
`RULES` and gives back the public function of the same name: on numbers and arrays it returns the
output; on an operand that has a `_record` method (a node) it hands over to that method.

Two habits, for the whole package:

- A pullback takes what it needs as default arguments (`lambda g, y=y:`) and not as captured
  variables. Python's cyclic collector walks captured variables one by one; on the moons MLP,
  where every scalar is a node, a training step takes a third longer with them in `multiply` alone.
- A pullback holds plain data or the operands it was given, so a recorded node never points at
  itself and a dropped graph is freed at once, without the collector.

An adjoint that is expensive, or that may not exist for a constant, is `deferred`: the backward
pass calls it only if that operand is a node.
"""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from tinygrad_edu.rules.namespaces import operations

P = ParamSpec("P")
Pullback = Callable[[Any], tuple[Any, ...]]
Rule = Callable[..., tuple[Any, Pullback]]


class Operand(Protocol):
    """What an elementwise rule may ask of an operand; numbers, arrays and nodes all have it."""

    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __rtruediv__(self, other: Any, /) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...
    def __le__(self, other: Any, /) -> Any: ...
    def __ge__(self, other: Any, /) -> Any: ...


T = TypeVar("T", bound=Operand)


class ArrayOperand(Operand, Protocol):
    """What a rule for arrays may ask of an operand; arrays and Tensors have it."""

    @property
    def shape(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


A = TypeVar("A", bound=ArrayOperand)
R = TypeVar("R")
Recorded = tuple[R, Pullback]
Axis = int | tuple[int, ...] | None

RULES: dict[str, Rule] = {}
"""Every rule by its name: what tests walk, and what tools look up."""


def rule(symbol: str) -> Callable[[Callable[P, tuple[R, Pullback]]], Callable[P, R]]:
    """Register a rule under its name and return its public function; `symbol` is what is drawn."""

    def decorate(function: Callable[P, tuple[R, Pullback]]) -> Callable[P, R]:
        name = function.__name__.lstrip("_")
        parameters = inspect.signature(function).parameters.values()
        many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        arity = sum(p.kind is p.POSITIONAL_ONLY for p in parameters)
        setting_names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

        @functools.wraps(function)
        def operation(*operands: Any, **settings: Any) -> Any:
            if many:
                if len(operands) == 1 and isinstance(operands[0], list | tuple):
                    operands = tuple(operands[0])
            elif len(operands) > arity:  # x.sum(0): a setting given by position
                most = arity + len(setting_names)
                if len(operands) > most:
                    raise TypeError(f"{name} takes at most {most} arguments, not {len(operands)}")
                settings.update(zip(setting_names, operands[arity:], strict=False))
                operands = operands[:arity]
            for x in operands:
                record = getattr(x, "_record", None)
                if record is not None:
                    return record(function, operands, settings)
            plain = [as_plain(x, name) for x in operands]
            on_plain: Rule = function
            try:
                return on_plain(*plain, **settings)[0]
            except AttributeError:  # a rule for arrays was given numbers
                return on_plain(*map(np.asarray, plain), **settings)[0]

        vars(function).update(symbol=symbol, rule_name=name)
        RULES[name] = function
        setattr(operations, name, operation)
        return operation

    return decorate


def name_of(rule: Rule) -> str:
    """The name of a rule, settings or not: `sum`, `multiply`."""
    return str(vars(getattr(rule, "func", rule))["rule_name"])


def symbol_of(rule: Rule) -> str:
    """What stands in the circle of the picture: `×`, `tanh`."""
    return str(vars(getattr(rule, "func", rule))["symbol"])


def settings_of(rule: Rule) -> dict[str, Any]:
    """The settings bound into a node's rule, such as `{"axis": 0}`."""
    return dict(getattr(rule, "keywords", {}))


def bind(rule: Rule, settings: dict[str, Any]) -> Rule:
    """The rule with its settings bound, so that it can be run again on the operands alone."""
    return functools.partial(rule, **settings) if settings else rule


def as_plain(x: Any, operation: str) -> Any:
    """A constant as a Python number or an array of real numbers.

    Raises TypeError for strings, complex numbers, objects and ragged lists, naming the operation.
    """
    if type(x) is float or type(x) is int or type(x) is bool:
        return x
    if type(x) is np.ndarray and x.dtype.kind in "fiub":
        return x
    if hasattr(x, "_record"):
        raise TypeError(
            f"{operation}: {_short(x)} is a node where plain numbers are needed (.data)"
        )
    if isinstance(x, np.generic) and x.dtype.kind in "fiub":
        return x.item()
    if isinstance(x, numbers.Real):
        return float(x)
    if isinstance(x, list | tuple):
        x = array_from_list(x, operation)
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        return np.asarray(x)
    kind = f"array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
    raise TypeError(
        f"{operation}: {_short(x)} is of type {kind}; "
        "an operand is a Value, a Tensor, or plain real numbers"
    )


def array_from_list(x: Any, operation: str) -> np.ndarray[Any, Any]:
    """An array from nested lists; TypeError for nodes inside, ValueError for ragged rows."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{operation}: the rows of {_short(x)} have different lengths") from error
    except TypeError as error:
        raise TypeError(
            f"{operation}: {_short(x)} holds nodes; join Tensors with stack, or give "
            "plain numbers (.data)"
        ) from error
    return array


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


class deferred(functools.partial[Any]):
    """An adjoint that is computed only when a node wants it: call it, or add it to a number."""

    __slots__ = ()

    def __radd__(self, other: Any) -> Any:
        return other + self()
