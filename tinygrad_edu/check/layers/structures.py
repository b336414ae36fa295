"""Inputs and outputs as people give them: numbers and arrays, also in lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import is_foreign, plain
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.rules.operand_types import Array

PartPath = tuple[Any, ...]
"""The keys and indices that lead to a part."""


def array_of(x: Any, what: str = "") -> Array:
    """The numbers of x as an array; TypeError, naming `what`, if it has none."""
    return np.asarray(plain(x, what))


def is_numbers(x: Any) -> bool:
    """Whether x is a number, or an array of numbers, of any library."""
    if isinstance(x, bool | np.bool_):
        return False
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "fiub"
    return isinstance(x, int | float | np.number | Node) or is_foreign(x)


def is_list_of_numbers(x: Any) -> bool:
    """Whether a list, also one of lists, holds numbers alone, so that it means an array.

    A tuple of integers is a shape or a step, which is passed on as it is.
    """
    if not isinstance(x, list | tuple) or not x:
        return False
    items = [y for part in x for y in (part if isinstance(part, list | tuple) else [part])]
    flat = all(isinstance(y, int | float | np.number) or is_list_of_numbers(y) for y in items)
    return flat and not (isinstance(x, tuple) and all(isinstance(y, int) for y in items))


def leaves_in(x: Any, path: PartPath = ()) -> Iterator[tuple[PartPath, Any]]:
    """The numbers and arrays in a structure, with their paths."""
    if is_numbers(x):
        yield path, x
        return
    parts = x.items() if isinstance(x, Mapping) else enumerate(x) if _is_list(x) else ()
    for key, part in parts:
        yield from leaves_in(part, (*path, key))


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple)


def rebuilt(x: Any, change: Callable[[PartPath, Any], Any], path: PartPath = ()) -> Any:
    """The same structure with other numbers and arrays; what else is in it stays."""
    if is_numbers(x):
        return change(path, x)
    if isinstance(x, dict):
        parts = {key: rebuilt(part, change, (*path, key)) for key, part in x.items()}
        if type(x) is dict:
            return parts
        y = x.copy()
        y.update(parts)
        return y
    if _is_list(x):
        items = [rebuilt(part, change, (*path, i)) for i, part in enumerate(x)]
        if type(x) in (list, tuple):
            return type(x)(items)
        return type(x)(*items) if hasattr(x, "_fields") else items
    return x
