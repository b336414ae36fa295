"""Value: a node over one float, the smallest thing that can be differentiated."""

from __future__ import annotations

import gc
import numbers
from typing import TYPE_CHECKING, Any, final

from tinygrad_edu.engine import observers
from tinygrad_edu.engine.conversions import looks_for_a_node, warn_if_gradient_is_lost
from tinygrad_edu.engine.errors import (
    PULLBACK_ERRORS,
    backward_error,
    check_label,
    constant_error,
    forward_error,
)
from tinygrad_edu.engine.graph import Node, leaves_and_inner, new_node
from tinygrad_edu.engine.methods import Methods, compared, named, updated
from tinygrad_edu.engine.micrograd_names import MicrogradNames
from tinygrad_edu.engine.pickling import Portable
from tinygrad_edu.engine.real_number import real_number
from tinygrad_edu.rules import name_of
from tinygrad_edu.rules.constants import is_of_arrays
from tinygrad_edu.rules.rule import RULES, Pullback, Rule, bind


def _node(data: float, operands: tuple[Any, ...], rule: Rule, pullback: Pullback) -> Value:
    """The node that remembers an operation."""
    node = new_node(Value)
    node._data = data
    node._grad = 0.0
    node._label = ""
    node.operands = operands
    node.rule = rule
    node.pullback = pullback
    if observers.active:
        observers.note(node)
    return node


def _operators(name: str, special: str) -> tuple[Any, Any, Any]:
    """The methods `x op other`, `other op x` and `x op= other`, for a Value x.

    Like `_function` they record by themselves, without the general `Value._record`: a scalar graph
    is made of these, and the detour would make its forward pass half as long again.
    """
    rule = RULES[name]

    def operator(self: Value, other: Any) -> Value:
        try:
            if type(other) is Value:
                data, pullback = rule(self._data, other._data)
            else:
                if type(other) is not float:
                    other = float(other) if type(other) is int else real_number(name, other)
                data, pullback = rule(self._data, other)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (self, other), error) from error
        except TypeError as error:
            raise constant_error(error, (self,)) from error
        return _node(data, (self, other), rule, pullback)

    def reflected(self: Value, other: Any) -> Value:
        try:
            if type(other) is not float:
                other = float(other) if type(other) is int else real_number(name, other)
            data, pullback = rule(other, self._data)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (other, self), error) from error
        except TypeError as error:
            raise constant_error(error, (self,)) from error
        return _node(data, (other, self), rule, pullback)

    def in_place(self: Value, other: Any) -> Value:
        result = operator(self, other)
        return updated(self, other, result) if self._grad or observers.active else result

    return (
        named(operator, f"__{special}__", rule, "Value"),
        named(reflected, f"__r{special}__", rule, "Value"),
        named(in_place, f"__i{special}__", rule, "Value"),
    )


def _function(name: str, method_name: str) -> Any:
    """The method `x.tanh()` or `-x`."""
    rule = RULES[name]

    def function(self: Value) -> Value:
        try:
            data, pullback = rule(self._data)
        except (ArithmeticError, ValueError) as error:
            raise forward_error(rule, (self,), error) from error
        return _node(data, (self,), rule, pullback)

    return named(function, method_name, rule, "Value")


@final
class Value(Methods, MicrogradNames, Portable):
    """One real number that knows how it was made.

    `data` is a float, `grad` the derivative of the last root by this number, `label` a name for
    pictures and messages. TypeError unless `data` is one real number.
    """

    __slots__ = ("_grad",)

    _data: float
    _grad: float

    def __init__(self, data: Any, label: str = "") -> None:
        self._data = data if type(data) is float else real_number("Value", data)
        self._grad = 0.0
        self._label = label if type(label) is str else check_label(label)
        self.operands = ()
        self.rule = None
        self.pullback = None
        if observers.active:
            observers.note(self)

    if not TYPE_CHECKING:  # editors see the same methods, with their types, in Methods
        __add__, __radd__, __iadd__ = _operators("add", "add")
        __sub__, __rsub__, __isub__ = _operators("subtract", "sub")
        __mul__, __rmul__, __imul__ = _operators("multiply", "mul")
        __truediv__, __rtruediv__, __itruediv__ = _operators("divide", "truediv")
        __pow__, __rpow__, __ipow__ = _operators("power", "pow")
        __neg__ = _function("negative", "__neg__")
        relu, tanh = _function("relu", "relu"), _function("tanh", "tanh")

    def __eq__(self, other: object) -> bool:
        """Whether the number is `other`, a plain number; with a node, whether it is that node."""
        if isinstance(other, Node):
            return self is other  # code that looks for a node in a list relies on it
        if isinstance(other, numbers.Real) and not looks_for_a_node():
            return bool(compared("equal", self, other))
        return NotImplemented

    __hash__ = object.__hash__

    @property
    def data(self) -> float:
        """The number. New data are checked as by `Value(...)`; graphs made before keep the old."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = data if type(data) is float else real_number("data", data)

    @property
    def grad(self) -> float:
        """The derivative of the last root by this number; 0 before a backward pass. Setting it to
        None, as in torch, sets it to 0."""
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = 0.0 if grad is None else real_number("grad", grad)

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Value:
        given = operands
        try:
            operands = tuple(
                [x if type(x) is Value else real_number(name_of(rule), x) for x in given]
            )
        except (ArithmeticError, ValueError, TypeError) as error:
            raise constant_error(error, given) from error
        if settings:
            rule = bind(rule, settings)
        try:
            data, pullback = rule(*[x._data if type(x) is Value else x for x in operands])
        except (ArithmeticError, ValueError, TypeError) as error:
            raise forward_error(rule, operands, error) from error
        except AttributeError as error:
            if not is_of_arrays(error.name or ""):
                raise  # a slip of the pen in a user's rule, such as of(x).tahn
            raise TypeError(f"{name_of(rule)} takes Tensors, not a Value: {operands}") from error
        if type(data) is not float:
            data = real_number(f"the output of {name_of(rule)}", data)
        return _node(data, operands, rule, pullback)

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
            before = [leaf._grad for leaf in leaves]
            try:
                for node in inner:
                    node._grad = 0.0
                self._grad += seed
                for node in reversed(inner):
                    adjoints = node.pullback(node._grad)
                    i = 0
                    for operand in node.operands:  # not zip, which takes twice as long here
                        if type(operand) is Value:
                            operand._grad += adjoints[i]  # a deferred adjoint adds itself
                        i += 1
            except BaseException as error:
                for leaf, grad in zip(leaves, before, strict=True):
                    leaf._grad = grad
                for unfinished in inner:
                    unfinished._grad = 0.0
                if isinstance(error, PULLBACK_ERRORS):
                    raise backward_error(node, error) from error
                raise
        finally:
            if paused:
                gc.enable()

    def zero_grad(self) -> None:
        """Set the gradient of this node to 0."""
        self._grad = 0.0

    def _seed(self, gradient: Any) -> float:
        return 1.0 if gradient is None else real_number("backward: gradient", gradient)

    def _zero(self) -> float:
        return 0.0

    def _has(self, data: float) -> bool:
        return data == self._data or (data != data and self._data != self._data)

    def __float__(self) -> float:
        warn_if_gradient_is_lost(self)
        return self._data

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value; compare it (x > 0) or use x.data")

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value({self.data!r}, grad={self._grad!r}{label})"
