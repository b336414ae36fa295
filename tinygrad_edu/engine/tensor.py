"""Tensor: a node over an ndarray. Un-broadcasting lives here, once."""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from typing import Any, final

import numpy as np
import numpy.typing as npt

from tinygrad_edu.engine import observers
from tinygrad_edu.engine.array_methods import ArrayMethods
from tinygrad_edu.engine.conversions import warn_if_gradient_is_lost
from tinygrad_edu.engine.errors import (
    PULLBACK_ERRORS,
    backward_error,
    check_label,
    check_no_string,
    constant_error,
    described,
    forward_error,
)
from tinygrad_edu.engine.graph import Node, leaves_and_inner, new_node
from tinygrad_edu.engine.interrupts import all_or_nothing
from tinygrad_edu.engine.micrograd_names import MicrogradNames
from tinygrad_edu.engine.pickling import Portable
from tinygrad_edu.rules import name_of, of
from tinygrad_edu.rules.array_constants import unchanging
from tinygrad_edu.rules.constants import as_plain
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.rules.rule import Rule, bind, deferred


@final
class Tensor(ArrayMethods, MicrogradNames, Portable):
    """An array of real numbers that knows how it was made.

    `data` is copied from what is given: floating dtypes are kept, integers and booleans become
    float64. `dtype` asks for another floating dtype. `grad` has the shape and dtype of `data` and
    is 0 before any backward pass. TypeError for strings, complex numbers and objects; ValueError
    for ragged lists.
    """

    __slots__ = ("_grad",)

    _data: Array
    _grad: Any

    def __init__(self, data: Any, label: str = "", dtype: npt.DTypeLike | None = None) -> None:
        self._data = _new_array("Tensor", data, dtype)
        self._grad = None
        self._label = check_label(label)
        self.operands = ()
        self.rule = None
        self.pullback = None
        if observers.active:
            observers.note(self)

    @property
    def data(self) -> Array:
        """The array. New data are checked and copied as by `Tensor(...)`; what is not of a floating
        dtype takes that of this Tensor. Graphs made before keep the old data.

        Data of another shape start with a gradient of 0.
        """
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        if data is self._data:  # x.data -= ... has changed it in place already
            return
        array = _new_array("data", data, None, self._data.dtype)
        if array.shape != self._data.shape:
            self._grad = None
        elif self._grad is not None:
            self._grad = self._grad.astype(array.dtype)
        self._data = array

    @property
    def grad(self) -> Array:
        """The derivative of the last root by this array; zeros before a backward pass.

        A leaf's is its own to change; an inner node's is read-only.
        """
        if self._grad is None:
            self._grad = np.zeros_like(self._data)
        elif type(self._grad) is not np.ndarray:  # NumPy gives scalars for shape ()
            self._grad = np.asarray(self._grad)
        grad: Array = self._grad
        if self.operands:
            grad = grad.view()
            grad.flags.writeable = False
        return grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self._grad = None
            return
        grad = _new_array("grad", value, self._data.dtype)
        if grad.shape != self._data.shape:
            raise ValueError(
                f"grad: shape {grad.shape} does not match the data of {described(self)}"
            )
        self._grad = grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating dtype of `data` and `grad`."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    def item(self) -> float:
        """The only element as a float; ValueError if there are more."""
        if self._data.size != 1:
            raise ValueError(f"item: {described(self)} has {self.size} elements, not 1")
        return float(self._data.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(f"{described(self)} has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        warn_if_gradient_is_lost(self)
        return self.item()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size == 1:
            return format(self.item(), spec)
        return np.array2string(
            self._data, separator=", ", threshold=20, edgeitems=2,
            formatter={"float_kind": lambda x: format(float(x), spec)},
        )  # fmt: skip

    def __bool__(self) -> bool:
        raise TypeError(
            f"{described(self)} has no truth value; compare its data, as in (x.data > 0).all()"
        )

    def __repr__(self) -> str:
        text = np.array2string(
            self._data, separator=", ", threshold=20, edgeitems=2, prefix="Tensor("
        )
        label = f", label={self.label!r}" if self.label else ""
        return f"Tensor({text}, shape={self.shape}, dtype={self.dtype}{label})"

    def _record(self, rule: Rule, operands: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
        plain: list[Any] = []
        for x in operands:
            kind = type(x)
            if kind is Tensor:
                plain.append(x._data)
            elif kind is float or kind is int:
                plain.append(x)
            else:
                try:
                    constant = self._constant(rule, x)
                except (ValueError, TypeError) as error:
                    raise constant_error(error, operands) from error
                if constant is not x:
                    operands = (*operands[: len(plain)], constant, *operands[len(plain) + 1 :])
                plain.append(constant)
        if settings:
            rule = bind(rule, settings)
        try:
            data, pullback = rule(*plain)
        except (ArithmeticError, ValueError, IndexError, TypeError) as error:
            raise forward_error(rule, operands, error) from error
        node = new_node(Tensor)
        node._data = data if type(data) is np.ndarray else np.asarray(data)
        node._grad = None
        node._label = ""
        node.operands = operands
        node.rule = rule
        node.pullback = pullback
        if observers.active:
            observers.note(node)
        return node

    def _constant(self, rule: Rule, x: Any) -> Any:
        """A plain operand: a Python number, or an array of our own that nobody else can change."""
        if isinstance(x, Node):
            raise TypeError(
                f"{name_of(rule)}: a Tensor and a {type(x).__name__} do not mix; "
                "use .data of one of them as a constant"
            )
        if type(x) is not np.ndarray or x.dtype.kind != "f":
            x = as_plain(x, name_of(rule))
            if not isinstance(x, np.ndarray):
                return x
        if x.dtype.kind in "iu":  # NumPy would make float64 of float32 and integers
            return x.astype(self._data.dtype)
        return unchanging(x)

    def backward(self, gradient: Any = None) -> None:
        """Add d(self)/d(leaf) to the `grad` of every leaf; set the `grad` of inner nodes afresh.

        `gradient` is the seed, the adjoint of this node, of its shape; it may be left out if this
        Tensor has one element (then it is 1). ValueError for a missing seed or a wrong shape. If a
        pullback raises, or an interrupt (Ctrl-C) ends it, nothing has changed.
        """
        all_or_nothing(lambda: self._adjoints(gradient), _give_gradients, lambda: None)

    def _adjoints(self, gradient: Any) -> dict[Tensor, Any]:
        """The new gradient of every node that this one depends on."""
        adjoints = {self: self._seed(gradient)}
        paused = gc.isenabled()
        try:
            gc.disable()
            # `graph.sweep` written out for arrays: on a 64-30-10 network, where calls weigh as
            # much as arithmetic, the general one makes the backward pass a third longer
            leaves, inner = leaves_and_inner(self)
            for node in reversed(inner):
                arriving = node.pullback(adjoints[node])
                i = 0
                for operand in node.operands:
                    if type(operand) is Tensor:
                        adjoint = arriving[i]
                        if type(adjoint) is deferred:
                            adjoint = adjoint()
                        data = operand._data
                        if adjoint.shape != data.shape or adjoint.dtype is not data.dtype:
                            adjoint = operand._fit(adjoint)
                        if operand in adjoints:
                            adjoint = adjoints[operand] + adjoint
                        adjoints[operand] = adjoint
                    i += 1
        except PULLBACK_ERRORS as error:
            raise backward_error(node, error) from error
        finally:
            if paused:
                gc.enable()
        for leaf in leaves:  # an adjoint may be shared; the gradient of a leaf is its own
            before, adjoint = leaf._grad, adjoints[leaf]
            adjoints[leaf] = adjoint.copy() if before is None else before + adjoint
        return adjoints

    def zero_grad(self) -> None:
        """Set the gradient of this node to 0."""
        self._grad = None

    def _seed(self, gradient: Any) -> Array:
        if gradient is None:
            if self._data.size != 1:
                raise ValueError(
                    f"backward: {described(self)} is not one number; give the gradient of that "
                    "shape, or reduce it to one number first, as with .sum() or .mean()"
                )
            return np.array(1, self._data.dtype).reshape(self._data.shape)
        if isinstance(gradient, Node):
            raise TypeError("backward: the gradient is plain numbers; use its .data")
        seed = np.array(as_plain(gradient, "backward: gradient"), self._data.dtype, order="C")
        if seed.shape != self.shape:
            raise ValueError(
                f"backward: a gradient of shape {seed.shape} was given for {described(self)}; "
                "shapes must be equal"
            )
        return seed

    def _zero(self) -> Array:
        return np.zeros_like(self._data)

    def _has(self, data: Array) -> bool:
        if np.array_equal(self._data, data, equal_nan=True):
            return True
        # sums of a copy, whose arrays lie otherwise in memory, may be rounded otherwise
        tolerance = 64 * np.finfo(self._data.dtype).eps
        scale = np.max(np.abs(data), initial=0.0, where=np.isfinite(data))
        return data.shape == self._data.shape and np.allclose(
            self._data, data, tolerance, tolerance * scale, equal_nan=True
        )

    def _fit(self, adjoint: Any) -> Any:
        shape = self._data.shape
        if adjoint.shape != shape:
            adjoint = unbroadcast(adjoint, shape)
        if adjoint.dtype != self._data.dtype and not isinstance(adjoint, Tensor):
            adjoint = adjoint.astype(self._data.dtype)
        return adjoint

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """A new leaf with the data in another floating dtype."""
        return Tensor(self._data, self.label, dtype)


def _give_gradients(gradients: dict[Tensor, Any]) -> None:
    for node, grad in gradients.items():
        node._grad = grad


def unbroadcast(adjoint: Any, shape: tuple[int, ...]) -> Any:
    """Sum an adjoint over the axes along which its operand was broadcast.

    An operand that was repeated gets the sum of what its copies get. Works on arrays and on nodes,
    so that it is recorded when gradients are. ValueError if the shapes are not related so.
    """
    lead = len(adjoint.shape) - len(shape)
    if (
        lead == 1
        and adjoint.ndim == 2
        and type(adjoint) is np.ndarray
        and adjoint.shape[1:] == shape
    ):
        # a bias over a batch, by far the most common: 1 µs as a product, 2 µs as a sum
        return _ones_of(adjoint.shape[0], adjoint.dtype).dot(adjoint)
    kept = adjoint.shape[lead:] if lead >= 0 else ()
    repeated = [lead + i for i, (n, k) in enumerate(zip(shape, kept, strict=False)) if n == 1 != k]
    if lead < 0 or any(n not in (1, k) for n, k in zip(shape, kept, strict=True)):
        raise ValueError(
            f"a pullback gave an adjoint of shape {adjoint.shape} for an operand of shape {shape}"
        )
    total = of(adjoint).sum(adjoint, axis=(*range(lead), *repeated))
    return of(total).reshape(total, shape)


@functools.lru_cache(maxsize=16)
def _ones_of(n: int, dtype: np.dtype[Any]) -> Array:
    return np.ones(n, dtype)


def _new_array(
    where: str, data: Any, dtype: npt.DTypeLike | None, otherwise: npt.DTypeLike = np.float64
) -> Array:
    """A floating array of our own from anything that holds real numbers.

    Without a `dtype` floating data keep theirs, and others get that of `otherwise`.
    """
    if isinstance(data, Node):
        raise TypeError(f"{where}: got a {type(data).__name__}; use its .data, or detach() it")
    check_no_string(where, data)
    plain = as_plain(np.asarray(data) if isinstance(data, np.generic) else data, where)
    if dtype is None:
        floating = isinstance(plain, np.ndarray) and plain.dtype.kind == "f"
        dtype = plain.dtype if floating else otherwise
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"{where}: dtype {np.dtype(dtype)} is not a floating dtype")
    # native bytes, row by row: how the given array lies in memory changes no bit of any result
    return np.array(plain, np.dtype(dtype).newbyteorder("="), order="C")
