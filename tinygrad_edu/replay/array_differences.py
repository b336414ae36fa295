"""Whether arrays are the same, and whether they differ by more than rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def first_difference(own: Sequence[Any], theirs: Sequence[Any]) -> tuple[Any, Any] | None:
    """Two numbers that differ by more than rounding, or None."""
    single = any(getattr(x, "dtype", None) == np.float32 for x in own)
    rel, slack = (1e-3, 1e-5) if single else (1e-8, 1e-10)
    scale = max(float(np.abs(x[np.isfinite(x)]).max(initial=0.0)) for x in map(np.asarray, own))
    for x, y in zip(map(np.ravel, own), map(np.ravel, theirs), strict=True):
        if x.shape != y.shape:
            return f"{x.size} numbers", y.size
        apart = ~np.isclose(x, y, rtol=rel, atol=slack * scale, equal_nan=True)
        if apart.any():
            return x[apart][0].item(), y[apart][0].item()
    return None


def same_arrays(x: Any, y: Any) -> bool:
    return np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
