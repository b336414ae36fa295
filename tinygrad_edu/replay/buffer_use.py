"""Which buffer a symbol of a program lies in, how long it is needed, and what else fits into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.programs.symbols import Expression, Symbol, symbols_of

VIEWS = {"transpose", "reshape", "broadcast_to", "getitem", "windows"}
"""Operations of one array that may give a view of it."""


def lifetimes(
    order: Sequence[Any], wanted: Iterable[Expression]
) -> tuple[dict[Any, Any], dict[Any, float]]:
    """Whose buffer each symbol looks into, and the last step that needs each buffer."""
    owners: dict[Any, Any] = {}
    last_use: dict[Any, float] = {}
    for i, symbol in enumerate(order):
        for x in symbols_of(symbol):
            last_use[owners.get(x, x)] = i
        if symbol.name in VIEWS and len(symbol.operands) == 1:
            (x,) = symbol.operands
            owners[symbol] = owners.get(x, x)
    for x in wanted:
        if isinstance(x, Symbol):
            last_use[owners.get(x, x)] = len(order)
    return owners, last_use


def fits_buffer(array: Any, symbol: Any, order: str) -> bool:
    right_order = array.flags.c_contiguous if order == "C" else array.flags.f_contiguous
    same = array.shape == symbol.shape and array.dtype == symbol.dtype
    return same and bool(right_order and array.flags.writeable)


def fits_shape(x: Any, like: Any) -> bool:
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    return isinstance(x, Symbol) and shape == like.shape and dtype in (like.dtype, np.bool_)
