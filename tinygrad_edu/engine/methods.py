"""The operators and methods that Value and Tensor share; every one of them is a rule.

A rule's public function is an ordinary function, so as an attribute of a class it is a method:
`x.exp()` is `exp(x)`. `add_rules` does this for every rule, a user's own among them, and
`add_operators` for `x + y` and its kind; Value overrides those with shorter ways of its own,
because a scalar graph is made of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tinygrad_edu.engine.absent import Absent
from tinygrad_edu.engine.contexts import in_no_grad
from tinygrad_edu.engine.errors import described
from tinygrad_edu.engine.observers import note_comparison
from tinygrad_edu.rules import elementwise as rules
from tinygrad_edu.rules.numpy_forms import arguments_of, instead_of, under_our_names
from tinygrad_edu.rules.operators import OPERATORS
from tinygrad_edu.rules.own_rules import is_ours
from tinygrad_edu.rules.rule import RULES, Rule, declared, facts_of
from tinygrad_edu.rules.tables import operations

if TYPE_CHECKING:
    from tinygrad_edu.engine.rule_methods import RuleMethods
    from tinygrad_edu.rules.facts import Facts
else:
    RuleMethods = object  # `add_rules` makes the rules methods; editors read them in a stub

N = TypeVar("N", bound="Methods")


class Methods(Absent, RuleMethods):
    """Arithmetic, comparison by data, and NumPy's functions, for any node."""

    __slots__ = ()

    data: Any
    grad: Any
    dtype: Any
    operands: tuple[Any, ...]
    pullback: Any

    def __init_subclass__(cls) -> None:
        if not is_ours(cls):
            name = cls.__mro__[1].__name__
            raise TypeError(
                f"{name} cannot be subclassed, because graphs are walked by exact type; write "
                f"functions of {name}s, a @rule for an operation of your own, or a class that "
                f"holds a {name}"
            )

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Self:
        """Run the rule on the operands' data and return the node that remembers it."""
        raise NotImplementedError

    __neg__ = rules.negative
    __abs__ = rules.abs

    def __lt__(self, other: Any) -> Any:
        """Where the data are less, as plain booleans."""
        return compared("less", self, other)

    def __gt__(self, other: Any) -> Any:
        """Where the data are greater, as plain booleans."""
        return compared("greater", self, other)

    def __le__(self, other: Any) -> Any:
        """Where the data are less or equal, as plain booleans."""
        return compared("less_equal", self, other)

    def __ge__(self, other: Any) -> Any:
        """Where the data are greater or equal, as plain booleans."""
        return compared("greater_equal", self, other)

    def __pos__(self) -> Self:
        """The node itself."""
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's own functions on a node, `np.exp(x)` or `array * x`, become the rule's."""
        name = _NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__":
            instead = _UFUNC_METHODS.get(f"{name}.{method}", "")
            raise TypeError(
                f"numpy.{ufunc.__name__}.{method} has no rule in tinygrad_edu"
                + (f"; write {instead}" if instead else "")
            )
        if options:
            options = under_our_names(f"numpy.{ufunc.__name__}", options, ())
        if name in COMPARISONS:
            return compared(name, *inputs, **options)
        if name in vars(operations):
            return getattr(operations, name)(*inputs, **options)
        raise _without_rule(f"numpy.{ufunc.__name__}", name)

    def __array_function__(
        self, function: Any, types: Any, operands: tuple[Any, ...], settings: dict[str, Any]
    ) -> Any:
        """NumPy's functions of arrays, such as `np.sum(x, axis=0)`, become the rule's."""
        name = _NUMPY_NAMES.get(function.__name__, function.__name__)
        import numpy as np

        # numpy.linalg has others of the same names
        whole: Any = vars(np).get(function.__name__, vars(np.linalg).get(function.__name__))
        if function is whole and name in _OF_SHAPES:
            return whole(_data(operands[0]), *operands[1:], **settings)
        if function is whole and name in vars(operations) and name != "put":
            arguments, named = arguments_of(function, operands, settings)
            return getattr(operations, name)(*arguments, **named)
        raise _without_rule(f"{function.__module__}.{function.__name__}", name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        kind = type(self).__name__
        raise TypeError(
            f"NumPy asked for a plain array of a {kind}, which would lose its derivative; use the "
            "functions of tinygrad_edu, and stack([x, y]) to join nodes (a plot takes x.data)"
        )


def _without_rule(shown: str, name: str) -> TypeError:
    instead = instead_of(name) or "; you can declare one with @rule"
    return TypeError(f"{shown} has no rule in tinygrad_edu{instead}")


_NUMPY_NAMES = {"absolute": "abs", "amax": "max", "amin": "min", "true_divide": "divide",
                "float_power": "power"}  # fmt: skip

_OF_SHAPES = {"shape", "ndim", "size", "zeros_like", "ones_like"}
"""Functions of NumPy whose results are plain: they look at nothing that has a derivative."""

_UFUNC_METHODS = {
    "add.reduce": "sum(x, axis=0)", "multiply.reduce": "prod(x, axis=0)",
    "maximum.reduce": "max(x, axis=0)", "minimum.reduce": "min(x, axis=0)",
    "logaddexp.reduce": "logsumexp(x, axis=0)", "add.accumulate": "cumsum(x, axis=0)",
    "add.outer": "x[:, None] + y", "subtract.outer": "x[:, None] - y",
    "multiply.outer": "x[:, None] * y", "divide.outer": "x[:, None] / y",
    "add.at": "rules.put(x, index, shape)",
}  # fmt: skip


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Methods) else x


_methods_of_users: set[str] = set()


def add_rules(base: type[Methods], arrays: bool) -> None:
    """Make rules methods of a class of nodes, those of today and those that users will declare:
    `x.exp()` is `exp(x)`. `arrays` asks for the rules for arrays instead of those for all nodes.

    As attributes of the class, because a `__getattr__` makes every attribute of a node slower to
    read (Python 3.11 gives up its short cuts; micrograd's README expression takes 1.3 times as
    long). ValueError if nodes have something else by the name of a rule.
    """

    def add(name: str, operation: Any, facts: Facts) -> None:
        if not facts.method or facts.arrays != arrays:
            return
        for kind in _kinds_of_nodes(base):
            if hasattr(kind, name) and name not in _methods_of_users:
                raise ValueError(
                    f"rule: {name} is an attribute of {kind.__name__} already, so that x.{name} "
                    f"could not be the rule; give it another name, such as my_{name}"
                )
        if not is_ours(operation):
            _methods_of_users.add(name)
        setattr(base, name, operation)

    for name, rule in RULES.items():
        add(name, getattr(operations, name), facts_of(rule))
    declared.append(add)


def _kinds_of_nodes(base: type[Methods]) -> Iterator[type[Methods]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds_of_nodes(kind)


def add_operators(kind: type[Methods], *names: str) -> None:
    """Give a class the methods `x op y`, `y op x` and `x op= y` for rules: `__add__`, `__radd__`
    and `__iadd__` for add."""
    for name in names:
        for prefix, method in zip(("", "r", "i"), _operators_of(RULES[name]), strict=True):
            special = f"__{prefix}{OPERATORS[name].function.__name__}__"
            setattr(kind, special, named(method, special, RULES[name], kind.__name__))


def _operators_of(rule: Rule) -> tuple[Any, Any, Any]:
    def operator(self: Any, other: Any) -> Any:
        return self._record(rule, (self, other), {})

    def reflected(self: Any, other: Any) -> Any:
        return self._record(rule, (other, self), {})

    def in_place(self: Any, other: Any) -> Any:
        return updated(self, other, operator(self, other))

    return operator, reflected, in_place


def named(method: Any, name: str, rule: Rule, kind: str) -> Any:
    """A method with the name that `help` and tracebacks show, and the rule's docstring."""
    method.__name__, method.__qualname__ = name, f"{kind}.{name}"
    method.__doc__ = rule.__doc__
    return method


def updated(node: N, other: Any, result: Any) -> N:
    """What `node op= other` gives: the result, a new node, or inside `no_grad` the node itself with
    the data of the result, if it is a leaf that meets plain numbers, as in `p -= lr * p.grad`.

    Results of operations inside the block and operands that are nodes belong to a forward pass: it
    gives the same numbers inside and outside. A warning says where a parameter has not moved.
    ValueError if the shape would change.
    """
    is_leaf = node.pullback is None and not isinstance(other, Methods)
    if is_leaf and in_no_grad():
        old, new = (getattr(x.data, "shape", ()) for x in (node, result))
        if old != new:
            raise ValueError(f"in place: data of shape {old} cannot become data of shape {new}")
        node.data = result.data if type(result.data) is float else result.data.astype(node.dtype)
        return node
    grad = node.grad
    if is_leaf and (grad.any() if hasattr(grad, "any") else grad):
        warnings.warn(
            f"an operator in place outside no_grad made a new node, and {described(node)} kept its "
            "data; to move a parameter, write it inside `with no_grad():`",
            stacklevel=3,
        )
    recorded: N = result
    return recorded


COMPARISONS = {"less", "greater", "less_equal", "greater_equal", "equal", "not_equal"}


def compared(name: str, x: Any, y: Any) -> Any:
    """What a comparison of data gives: a plain truth or plain truths."""
    try:
        result = OPERATORS[name].function(_data(x), _data(y))
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}({x!r}, {y!r}): {error}") from error
    note_comparison(name, x, y, result)
    return result


add_rules(Methods, arrays=False)
add_operators(Methods, "add", "subtract", "multiply", "divide", "power")
