"""A law of the right derivative that does not hold where a path through a sum is left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.rules.operand_types import Array


def path(case: Case) -> Iterator[str]:
    """Where x + c gives the same result for every number c, as in softmax, the derivative sums to
    0; where x * c does, as in x divided by its norm, the derivative times x does (Euler's theorem).
    """
    x = case.x
    axes: list[int | None] = [i for i in range(x.ndim) if x.shape[i] > 1]
    for axis in [*axes, None] if len(axes) > 1 else axes:
        along = "" if axis is None else f" along axis {axis}"
        c = np.random.default_rng(0).uniform(0.1, 0.2, x.sum(axis=axis, keepdims=True).shape)
        for moved, times, change, what, through in (
            (x + c, 1.0, f"adding one number to the input{along}", "derivative",
             "the sum or the mean"),
            (x + c * x, x, f"multiplying the input{along} by one number",
             "derivative times the input", "the norm or the standard deviation"),
        ):  # fmt: skip
            right = np.isnan(case.numeric).any() or _cancels(case.numeric * times, axis)
            wrong = not _cancels(case.analytic * times, axis) and _touches_all(case, axis)
            if right and wrong and _stays(case, moved):
                yield (
                    f"{change} leaves the result as it is, so a right {what} sums to 0"
                    f"{along}; this one does not, as when a path, such as that through "
                    f"{through}, is left out"
                )


def _cancels(terms: Array, axis: int | None) -> bool:
    """Whether terms sum to 0; a small constant below a root (eps) may spoil the last digits."""
    sums = np.abs(terms.sum(axis=axis))
    limit = 1e-3 if sums.size > 1 else 1e-4  # one sum may be small by chance, several hardly
    return bool((sums <= limit * np.abs(terms).sum(axis=axis)).all())


def _touches_all(case: Case, axis: int | None) -> bool:
    """Whether most elements are wrong along the axis, wherever one is: a sum has all of them."""
    known = ~np.isnan(case.numeric)
    wrong = known & (np.abs(case.analytic - case.numeric) > case.slack)
    most = 2 * wrong.sum(axis=axis) > known.sum(axis=axis)
    return bool((most | ~wrong.any(axis=axis)).all())


def _stays(case: Case, moved: Array) -> bool:
    """Whether the result is the same for another input, but for a thousandth."""
    try:
        gap = abs(case.result(moved) - case.result(case.x))
    except (ArithmeticError, ValueError):
        return False
    rises = np.abs(case.numeric * (moved - case.x))
    return bool(gap <= 1e-3 * np.nanmean(rises) * rises.size)
