"""Value: a node over one float, the smallest thing that can be differentiated."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any, final

import numpy as np

from tinygrad_edu import blocks
from tinygrad_edu.graph import (
    PULLBACK_ERRORS,
    Node,
    backward_error,
    check_label,
    constant_error,
    forward_error,
    leaves_and_inner,
    refuse_inside_rules,
)
from tinygrad_edu.methods import Methods
from tinygrad_edu.pickling import Portable
from tinygrad_edu.rules import name_of
from tinygrad_edu.rules.namespaces import arrays
from tinygrad_edu.rules.rule import RULES, Rule, as_plain, bind

_new = object.__new__


_CURES = {
    "power": "a negative base takes whole exponents only, and 0 takes none below 0",
    "divide": "the divisor is 0",
}


def _cure(name: str, error: Exception) -> str | None:
    if isinstance(error, OverflowError):
        return "the result is larger than any float"
    return _CURES.get(name)


def _operator(name: str) -> Any:
    """The method `x op y`, for a Value x.

    Like `_reflected_operator` and `_function` it records by itself, without the general
    `Value._record`, whose last lines it repeats: a scalar graph is made of these, and the detour
    would make its forward pass half as long again.
    """
    rule = RULES[name]

    def operator(self: Value, other: Any) -> Value:
        try:
            if type(other) is Value:
                data, pullback = rule(self.data, other.data)
            else:
                if type(other) is not float:
                    other = float(other) if type(other) is int else _constant(name, other)
                data, pullback = rule(self.data, other)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (self, other), error, _cure(name, error)) from error
        except TypeError as error:
            raise constant_error(error, (self,)) from error
        node = _new(Value)
        node.data = data
        node.grad = 0.0
        node.label = ""
        node.operands = (self, other)
        node.rule = rule
        node.pullback = pullback
        if blocks.open_blocks:
            blocks.note(node)
        return node

    return operator


def _reflected_operator(name: str) -> Any:
    """The method `constant op y`, for a Value y."""
    rule = RULES[name]

    def operator(self: Value, other: Any) -> Value:
        try:
            if type(other) is not float:
                other = float(other) if type(other) is int else _constant(name, other)
            data, pullback = rule(other, self.data)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (other, self), error, _cure(name, error)) from error
        except TypeError as error:
            raise constant_error(error, (self,)) from error
        node = _new(Value)
        node.data = data
        node.grad = 0.0
        node.label = ""
        node.operands = (other, self)
        node.rule = rule
        node.pullback = pullback
        if blocks.open_blocks:
            blocks.note(node)
        return node

    return operator


def _function(name: str) -> Any:
    """The method `x.exp()` or `-x`."""
    rule = RULES[name]

    def function(self: Value) -> Value:
        try:
            data, pullback = rule(self.data)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (self,), error, _cure(name, error)) from error
        node = _new(Value)
        node.data = data
        node.grad = 0.0
        node.label = ""
        node.operands = (self,)
        node.rule = rule
        node.pullback = pullback
        if blocks.open_blocks:
            blocks.note(node)
        return node

    return function


@final
class Value(Methods, Portable):
    """One real number that knows how it was made.

    `data` is a float, `grad` the derivative of the last root by this number, `label` a name for
    pictures and messages. TypeError unless `data` is one real number.
    """

    __slots__ = ("grad",)

    data: float
    grad: float

    def __init__(self, data: Any, label: str = "") -> None:
        self.data = data if type(data) is float else _constant("Value", data)
        self.grad = 0.0
        self.label = label if type(label) is str else check_label(label)
        self.operands = ()
        self.rule = None
        self.pullback = None
        if blocks.open_blocks:
            blocks.note(self)

    if not TYPE_CHECKING:  # editors see the same methods, with their types, in Methods
        __add__, __radd__ = _operator("add"), _reflected_operator("add")
        __sub__, __rsub__ = _operator("subtract"), _reflected_operator("subtract")
        __mul__, __rmul__ = _operator("multiply"), _reflected_operator("multiply")
        __truediv__, __rtruediv__ = _operator("divide"), _reflected_operator("divide")
        __pow__, __rpow__ = _operator("power"), _reflected_operator("power")
        __neg__, relu, tanh = _function("negative"), _function("relu"), _function("tanh")

    def __init_subclass__(cls) -> None:
        raise TypeError("Value cannot be subclassed: its graph is walked by exact type; wrap it")

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Value:
        given = operands
        try:
            operands = tuple(
                [x if type(x) is Value else _constant(name_of(rule), x) for x in given]
            )
        except (ArithmeticError, ValueError, TypeError) as error:
            raise constant_error(error, given) from error
        if settings:
            rule = bind(rule, settings)
        try:
            data, pullback = rule(*[x.data if type(x) is Value else x for x in operands])
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, operands, error, _cure(name_of(rule), error)) from error
        except TypeError as error:
            raise forward_error(rule, operands, error) from error
        except AttributeError as error:
            missing = error.name or ""
            if not (hasattr(np.ndarray, missing) or hasattr(arrays, missing)):
                raise  # a slip of the pen in a user's rule, such as of(x).tahn
            raise TypeError(f"{name_of(rule)} takes Tensors, not a Value: {operands}") from error
        if type(data) is not float:
            data = _constant(f"the output of {name_of(rule)}", data)
        node = _new(Value)
        node.data = data
        node.grad = 0.0
        node.label = ""
        node.operands = operands
        node.rule = rule
        node.pullback = pullback
        if blocks.open_blocks:
            blocks.note(node)
        return node

    def backward(self, gradient: Any = None) -> None:
        """Add d(self)/d(leaf) to the `grad` of every leaf; set the `grad` of inner nodes afresh.

        `gradient` is the seed, the adjoint of this node: 1 unless given. If a pullback raises, it
        is an error of the same type that names the node, and no leaf has changed.
        """
        seed = 1.0 if gradient is None else self._seed(gradient)
        # `graph.sweep` with the adjoints kept in the nodes, and `collector_paused` spelled out: on
        # the README expression the general form takes half as long again
        paused = gc.isenabled()
        try:
            gc.disable()
            leaves, inner = leaves_and_inner(self)
            before = [leaf.grad for leaf in leaves]
            try:
                for node in inner:
                    node.grad = 0.0
                self.grad += seed
                for node in reversed(inner):
                    adjoints = node.pullback(node.grad)
                    i = 0
                    for operand in node.operands:  # not zip, which takes twice as long here
                        if type(operand) is Value:
                            operand.grad += adjoints[i]  # a deferred adjoint adds itself
                        i += 1
            except BaseException as error:
                for leaf, grad in zip(leaves, before, strict=True):
                    leaf.grad = grad
                for unfinished in inner:
                    unfinished.grad = 0.0
                if isinstance(error, PULLBACK_ERRORS):
                    raise backward_error(node, error) from error
                raise
        finally:
            if paused:
                gc.enable()

    def zero_grad(self) -> None:
        """Set the gradient of this node to 0."""
        self.grad = 0.0

    def _seed(self, gradient: Any) -> float:
        return 1.0 if gradient is None else _constant("backward: gradient", gradient)

    def _zero(self) -> float:
        return 0.0

    def __float__(self) -> float:
        refuse_inside_rules()
        return float(self.data)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value; compare it (x > 0) or use x.data")

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value({self.data!r}, grad={self.grad!r}{label})"


def _constant(where: str, x: Any) -> float:
    """One plain real number; TypeError for anything else, `where` says in which operation."""
    if isinstance(x, Node):
        other = type(x).__name__
        cure = "a Value and a Tensor do not mix" if other == "Tensor" else "use its .data"
        raise TypeError(f"{where}: got {x!r} where one plain number was expected; {cure}")
    x = as_plain(x, where)
    if isinstance(x, np.ndarray):
        if x.ndim:
            raise TypeError(
                f"{where}: got an array of shape {x.shape}; a Value is one number, use Tensor"
            )
        x = x.item()
    try:
        return float(x)
    except OverflowError as error:
        raise OverflowError(f"{where}: {str(x)[:20]}... is larger than any float") from error
