"""The methods of nodes that hold an array: reductions, shapes, indexing, products of matrices."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_edu.engine.conversions import looks_for_a_node
from tinygrad_edu.engine.methods import Methods, add_operators, add_rules, compared
from tinygrad_edu.rules import arrays, compositions, reductions, sliding  # noqa: F401
from tinygrad_edu.rules.tables import operations

if TYPE_CHECKING:
    from tinygrad_edu.engine.rule_methods import ArrayRuleMethods
else:
    ArrayRuleMethods = object  # see RuleMethods


class ArrayMethods(Methods, ArrayRuleMethods):
    """NumPy's methods of arrays, for a node that holds one."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        raise NotImplementedError

    def __eq__(self, other: object) -> Any:
        """Where the data are equal, as plain booleans; False beside what holds no numbers.

        `x in nodes` looks for the node itself.
        """
        if looks_for_a_node():
            return self is other
        if isinstance(other, Methods | np.ndarray | np.generic | numbers.Real | list | tuple):
            return compared("equal", self, other)
        return NotImplemented

    def __ne__(self, other: object) -> Any:
        """Where the data differ, as plain booleans; True beside what holds no numbers."""
        if isinstance(other, Methods | np.ndarray | np.generic | numbers.Real | list | tuple):
            return compared("not_equal", self, other)
        return NotImplemented

    __hash__ = object.__hash__  # a Tensor as a key is found by identity, which Python asks first

    def __getitem__(self, index: Any) -> Self:
        """x[index] with slices, integers, ..., None and integer or boolean arrays."""
        return arrays.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"the elements of a {type(self).__name__} cannot be assigned, which would lose a "
            "derivative; make a new one with where, stack or concatenate, or give a leaf new data"
        )

    def reshape(self, *shape: Any, **settings: Any) -> Self:
        """The same elements in another shape, given as one tuple or as several integers."""
        if shape or "shape" not in settings:
            settings["shape"] = shape[0] if len(shape) == 1 else shape
        return arrays.reshape(self, **settings)

    def transpose(self, *axes: Any) -> Self:
        """The axes in another order, given as one tuple or as several integers, or reversed."""
        return arrays.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    @property
    def T(self) -> Self:
        """The axes in reverse order."""
        return arrays.transpose(self)


add_rules(ArrayMethods, arrays=True)
for _name in ("windows", *compositions.methods):
    setattr(ArrayMethods, _name, getattr(operations, _name))
add_operators(ArrayMethods, "matmul")
