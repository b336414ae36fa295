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
import re
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, get_args

import numpy as np

from tinygrad_edu.rules.numpy_forms import by_position, from_list, under_our_names
from tinygrad_edu.rules.tables import operations

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

declared: list[Callable[[str, Callable[..., Any]], None]] = []
"""Who wants to know of a rule that a user declares: each is called with its name and its public
function before it is registered. `methods.py` makes it a method of nodes."""


def rule(symbol: str) -> Callable[[Callable[P, tuple[R, Pullback]]], Callable[P, R]]:
    """Register a rule under its name and return its public function; `symbol` is what is drawn.

    Declared outside of the package, it becomes a method of nodes too, and may be declared again.
    TypeError for a function that cannot be a rule; ValueError for a name that is taken.
    """
    if not isinstance(symbol, str) or not symbol:
        raise TypeError(f'rule: expected the symbol to draw, as in @rule("×"), got {symbol!r}')
    if not symbol.isprintable():
        raise ValueError(f"rule: the symbol {symbol!r} has characters that cannot be drawn")

    def decorate(function: Callable[P, tuple[R, Pullback]]) -> Callable[P, R]:
        name = _checked_name(function)
        ours = _of_the_package(function)
        if not ours and name in RULES and _of_the_package(RULES[name]):
            raise ValueError(
                f"rule: {name} is an operation of tinygrad_edu, which nobody else may replace; "
                f"give yours another name, such as my_{name}"
            )
        parameters = _checked_parameters(function, name)
        many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        arity = sum(p.kind is p.POSITIONAL_ONLY for p in parameters)
        setting_names = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        known = None if any(p.kind is p.VAR_KEYWORD for p in parameters) else set(setting_names)
        gives_a_pair = gives_each_adjoint = ours  # what is known of the rule; ours have tests

        def know_that_it_gives_each_adjoint() -> None:
            nonlocal gives_each_adjoint
            gives_each_adjoint = True

        @functools.wraps(function)
        def operation(*operands: Any, **settings: Any) -> Any:
            nonlocal gives_a_pair
            if many:
                if isinstance(operands[0] if operands else None, list | tuple) or (
                    setting_names and type(operands[-1]) is int  # stack(x, 1): the rows of x
                ):
                    operands, settings = from_list(name, operands, setting_names, settings)
            elif len(operands) > arity:  # x.sum(0): a setting given by position
                operands, settings = by_position(name, operands, arity, setting_names, settings)
            if settings:
                if known is not None and not known.issuperset(settings):
                    settings = under_our_names(name, settings, known)
                if not ours:
                    _check_settings(settings, name)
            if not gives_a_pair:
                gives_a_pair = _check_pair(function, name, operands, settings)
            for x in operands:
                record = getattr(x, "_record", None)
                if record is not None:
                    node = record(function, operands, settings)
                    if not gives_each_adjoint:
                        _look_at_the_adjoints(node, know_that_it_gives_each_adjoint)
                    return node
            plain = [as_plain(x, name) for x in operands]
            on_plain: Rule = function
            try:
                return on_plain(*plain, **settings)[0]
            except AttributeError:  # a rule for arrays was given numbers
                return on_plain(*map(np.asarray, plain), **settings)[0]

        _show_as_public(operation, function)
        if not ours:
            for tell in declared:
                tell(name, operation)
        vars(function).update(symbol=symbol, rule_name=name)
        RULES[name] = function
        setattr(operations, name, operation)
        return operation

    return decorate


def _show_as_public(operation: Any, function: Callable[..., Any]) -> None:
    """Have `help` and `inspect` say what the public function returns: the output alone."""
    signature = inspect.signature(function)
    result = signature.return_annotation
    if isinstance(result, str):
        output = re.fullmatch(r"Recorded\[(.+)\]", result)
        result = output[1] if output else signature.empty
    else:
        result = (*get_args(result), signature.empty)[0]
    operation.__signature__ = signature.replace(return_annotation=result)
    if result is not signature.empty:
        operation.__annotations__ = {**function.__annotations__, "return": result}


def _of_the_package(function: Callable[..., Any]) -> bool:
    """Whether a rule is declared in this package, and not by a user of it."""
    return (getattr(function, "__module__", None) or "").startswith("tinygrad_edu.")


def _checked_name(function: Any) -> str:
    """The name of a rule: that of its function, by which it is called and found again."""
    name = getattr(function, "__name__", "").lstrip("_")
    if not inspect.isfunction(function) or not name.isidentifier():
        raise TypeError(
            f"rule: {_short(function)} is not a function with a name; declare the rule with def"
        )
    return name


def _checked_parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    """The parameters of a rule; TypeError unless operands stand before a slash, or in `*xs`."""
    parameters = list(inspect.signature(function).parameters.values())
    operands = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    if not operands:
        meant = [p.name for p in parameters if p.default is p.empty]
        raise TypeError(
            f"rule: {name} has no operand; operands stand before a slash and settings after it, "
            f"as in def {name}({', '.join(meant or ['x'])}, /)"
        )
    for p in operands:
        if p.default is not p.empty:
            raise TypeError(
                f"rule: the operand {p.name} of {name} has a default, which only settings may "
                f"have; write {p.name} without it, or after the slash if it is a setting"
            )
    return parameters


def _check_settings(settings: dict[str, Any], name: str) -> None:
    for setting, x in settings.items():
        if hasattr(x, "_record"):
            raise TypeError(
                f"{name}: {setting}={_short(x)} is a node where plain numbers are needed (.data); "
                "a setting has no derivative"
            )


def _check_pair(
    function: Rule, name: str, operands: tuple[Any, ...], settings: dict[str, Any]
) -> bool:
    """TypeError if a new rule, run on the data of its operands, gives no output and pullback.

    False if it raises: that says nothing of other operands, and the real run reports it.
    """
    try:
        plain = [as_plain(x.data if hasattr(x, "_record") else x, name) for x in operands]
        with np.errstate(all="ignore"):
            made: Any = function(*plain, **settings)
    except Exception:
        return False
    if not (isinstance(made, tuple) and len(made) == 2 and callable(made[1])):
        raise TypeError(
            f"{name}: a rule returns its output and its pullback, as in "
            f"return y, lambda g, y=y: (g * y,); this one returned {_short(made)}"
        )
    if np.asarray(made[0]).dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: the output of a rule is a number or an array, not {_short(made[0])}"
        )
    return True


def _look_at_the_adjoints(node: Any, found_right: Callable[[], None]) -> None:
    """Have the first backward pass through a node of a new rule count the adjoints.

    Nodes that are recorded after it need no such look.
    """
    if not getattr(node, "operands", ()):  # inside no_grad
        return

    def pullback(g: Any, unchecked: Pullback = node.pullback, n: int = len(node.operands)) -> Any:
        arriving = check_adjoints(unchecked(g), n)
        found_right()
        return arriving

    node.pullback = pullback


def check_adjoints(arriving: Any, n: int) -> Any:
    """What a pullback gave, if it is an adjoint for each of n operands, else TypeError."""
    if isinstance(arriving, tuple | list):
        if len(arriving) == n:
            return arriving
        got = _count(len(arriving), "adjoint")
    else:
        got = f"a {type(arriving).__name__}"
    raise TypeError(
        f"the pullback gave {got} for {_count(n, 'operand')}; it returns a tuple with one adjoint "
        "for each operand, in order: (g * y,) for one, (g * y, g * x) for two"
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


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
    """The rule with its settings bound, so that it can be run again on the operands alone.

    Lists and arrays among them are copied, so that later edits do not matter.
    """
    for name, x in settings.items():
        if type(x) is list or type(x) is np.ndarray:
            settings = settings | {name: unchanging(x) if type(x) is np.ndarray else x.copy()}
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


def axis_of(x: Any, axis: Axis) -> Axis:
    """The axis as it is; () for axis 0 or -1 of an array of shape (), which has no axes.

    NumPy takes these in sum, max and prod, and refuses them in mean. Here every rule takes them.
    """
    return () if not x.ndim and axis in (0, -1) else axis


def unchanging(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, if nobody can write to it, else a copy: a graph stays as it is when the caller's
    array changes. A read-only array of its own memory, as a DataLoader gives, is not copied if
    it lies row by row, as copies do: so how an array lies in memory changes no bit of a result."""
    if not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="), order="C")
    flags = x.flags
    return x.copy() if flags.writeable or x.base is not None or not flags.c_contiguous else x


def _short(x: Any) -> str:
    text = " ".join(repr(x).split())  # on one line, also an array
    return text if len(text) <= 60 else text[:57] + "..."


class deferred(functools.partial[Any]):
    """An adjoint that is computed only when a node wants it: call it, or add it to a number."""

    __slots__ = ()

    def __radd__(self, other: Any) -> Any:
        return other + self()
