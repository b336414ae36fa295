"""Laws for gradients whose shape is not that of what they belong to; both shapes are said first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tinygrad_edu.check.case import Case


def not_summed(case: Case) -> Iterator[str]:
    """An axis along which the forward pass repeats a number for all is left in the gradient."""
    got, expected = case.analytic.shape, case.numeric.shape
    for axes, keepdims in _axes_to_sum(case.analytic.ndim):
        if all(got[axis] == 1 for axis in axes):
            continue  # nothing to sum: an axis was kept
        total = case.analytic.sum(axis=axes, keepdims=keepdims)
        if total.shape == expected and case.agrees(total):
            yield _missing_sum(axes, keepdims, len(got))


def _axes_to_sum(ndim: int) -> Iterator[tuple[tuple[int, ...], bool]]:
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            yield axes, False
            yield axes, True


def _missing_sum(axes: tuple[int, ...], keepdims: bool, ndim: int) -> str:
    keeping = "keepdims=True" if keepdims else ""
    if len(axes) == ndim:
        return (
            "it is not summed over the batch: the forward pass repeats one number for all; add "
            f".sum({keeping})"
        )
    axis = str(axes[0] if len(axes) == 1 else axes)
    where = f"the batch, axis {axis}," if axes == (0,) else f"axis {axis},"
    arguments = ", ".join(filter(None, [f"axis={axis}", keeping]))
    return (
        f"it is not summed over {where} along which the forward pass repeats it; add "
        f".sum({arguments})"
    )


def transposed_shape(case: Case) -> Iterator[str]:
    if case.analytic.ndim == 2 and case.agrees(case.analytic.T):
        yield "it is transposed; swap the factors of the product, or take .T"


def copies_kept(case: Case) -> Iterator[str]:
    """The gradient of the copies, where the forward pass repeats the elements."""
    a, expected = case.analytic, case.numeric.shape
    if a.ndim != len(expected) or not all(
        n and size % n == 0 for size, n in zip(a.shape, expected, strict=True)
    ):
        return
    times = [size // n for size, n in zip(a.shape, expected, strict=True)]
    for name, order in (("np.repeat", 1), ("np.tile", -1)):
        split = [s for n, k in zip(expected, times, strict=True) for s in (n, k)[::order]]
        axes = tuple(2 * i + (order == 1) for i in range(a.ndim))
        if case.agrees(a.reshape(split).sum(axis=axes)):
            along = ", ".join(f"{k} times along axis {i}" for i, k in enumerate(times) if k > 1)
            yield (
                f"it is not summed over the copies: the forward pass repeats each "
                f"element {along}, as {name} does; add the gradients of all copies"
            )


def reshaped(case: Case) -> Iterator[str]:
    expected = case.numeric.shape
    if case.analytic.size == case.numeric.size and case.agrees(case.analytic.reshape(expected)):
        yield "the numbers are right; reshape it to the shape of what it belongs to"


def broadcast(case: Case) -> Iterator[str]:
    """A column and a row that were subtracted, and gave a square."""
    got, expected = case.analytic.shape, case.numeric.shape
    if len(got) == 2 and got[0] == got[1] > 1 and expected in ((got[0], 1), (1, got[0]), (got[0],)):
        n = got[0]
        yield (
            f"({n}, 1) and ({n},) broadcast to ({n}, {n}); bring prediction and "
            "target to one shape first"
        )


def summed_too_often(case: Case) -> Iterator[str]:
    """The right numbers are summed, over one axis or all."""
    a, n = case.analytic, case.numeric
    if a.size < n.size and not (n != n).any():
        for axes, keepdims in _axes_to_sum(n.ndim):
            total = n.sum(axis=axes, keepdims=keepdims)
            slack = 4 * case.slack.sum(axis=axes, keepdims=keepdims)
            if total.shape == a.shape and (abs(total - a) <= slack).all():
                over = (
                    "all" if len(axes) == n.ndim else f"axis {axes[0] if len(axes) == 1 else axes}"
                )
                yield f"it is summed over {over}, once too often"


def other_shape(case: Case) -> Iterator[str]:
    yield "a gradient has the shape of what it belongs to"
