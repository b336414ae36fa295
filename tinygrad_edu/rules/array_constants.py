"""Constants that are arrays: checked, and kept so that nobody can change them."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_edu.rules.array_tables  # noqa: F401  arrays are here: `of` has to know them
from tinygrad_edu.rules.constants import not_an_operand, short
from tinygrad_edu.rules.operand_types import Array, Axis
from tinygrad_edu.rules.tables import arrays


def plain_array(x: Any, operation: str) -> Any:
    """An array of real numbers from one, or from nested lists; a number from a NumPy scalar."""
    if isinstance(x, list | tuple):
        x = array_from_list(x, operation)
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fiub":
        return np.asarray(x) if isinstance(x, np.ndarray) else x.item()
    kind = f"array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
    raise not_an_operand(x, operation, kind)


def array_from_list(x: Any, operation: str) -> Array:
    """An array from nested lists; TypeError for nodes inside, ValueError for ragged rows."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{operation}: the rows of {short(x)} have different lengths") from error
    except TypeError as error:
        raise TypeError(
            f"{operation}: {short(x)} holds nodes; join Tensors with stack, or give "
            "plain numbers (.data); for a list of Values there is scalar_nn.softmax"
        ) from error
    return array


def axis_of(x: Any, axis: Axis) -> Axis:
    """The axis as it is; () for axis 0 or -1 of an array of shape (), which has no axes.

    NumPy takes these in sum, max and prod, and refuses them in mean. Here every rule takes them.
    """
    return () if not x.ndim and axis in (0, -1) else axis


def unchanging(x: Array) -> Array:
    """The array, if nobody can write to it, else a copy: a graph stays as it is when the caller's
    array changes. A read-only array of its own memory, as a DataLoader gives, is not copied if
    it lies row by row, as copies do: so how an array lies in memory changes no bit of a result."""
    if not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="), order="C")
    flags = x.flags
    return x.copy() if flags.writeable or x.base is not None or not flags.c_contiguous else x


def has_for_arrays(name: str) -> bool:
    """Whether arrays have a method, or rules a function of arrays, of this name."""
    return hasattr(np.ndarray, name) or hasattr(arrays, name)
