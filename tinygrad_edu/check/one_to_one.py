"""Functions whose results each depend on elements of their own, as f(x) element by element."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_edu.rules.operand_types import Array


def has_own_elements(result: Callable[[Array], Array], x: Array, y: Array) -> bool:
    """Whether result i depends on x[i] alone, where y = result(x) has the first axes of x.

    Half of the elements are moved, those whose place has a 1, or a 0, at one binary digit: any two
    places differ in one of them, so 2 log2(n) calls see every result that follows another element.
    """
    if y.size < 2 or y.shape != x.shape[: y.ndim]:
        return False
    places = np.arange(y.size).reshape(y.shape)
    each = places.reshape(y.shape + (1,) * (x.ndim - y.ndim))
    steps = (
        1e-4 * np.where(x == 0, 1, np.abs(x)) * np.random.default_rng(0).uniform(0.5, 1, x.shape)
    )
    for digit in range((y.size - 1).bit_length()):
        for side in (0, 1):
            try:
                z = result(np.where(each >> digit & 1 == side, x + steps, x))
            except (ArithmeticError, ValueError):
                return False
            stays = (z == y) | (np.isnan(z) & np.isnan(y))
            if z.shape != y.shape or not stays[places >> digit & 1 != side].all():
                return False
    return True
