"""What every backward pass has to be: the same at every run, and linear in the adjoint."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.kinds import floating, largest, precision
from tinygrad_edu.check.layers.passes import Pass
from tinygrad_edu.check.layers.runs import HandWrittenLayer
from tinygrad_edu.check.layers.structures import array_of
from tinygrad_edu.rules.operand_types import Array


def broken_laws(layer: HandWrittenLayer, once: Pass, right: set[str]) -> Iterator[str]:
    """What is to be said of backward passes that give other gradients for the same adjoint, and of
    the right gradients that do not grow with the adjoint."""
    dtypes = [array_of(v.gradient) for v in once.variables if v.gradient is not None]
    dtype = precision(once.output, *dtypes)
    relative = {"float64": 1e-7, "float32": 3e-4}.get(dtype, 1e-2)
    sizes = [largest(floating(x)) for x in dtypes]
    floor = 1e-3 * relative * max([0.0, *sizes]) + 1e-6 * relative * largest(once.adjoint)
    again = layer.run()
    for v in once.variables:
        one, other = once.gradient_of(v.name), again.gradient_of(v.name)
        if one is not None and not _close(one, other, relative, floor):
            yield (
                f"{v.name}: two backward passes after the same forward pass give two gradients; "
                "does backward draw random numbers, or read what was never set (np.empty)?"
            )
            return
    if once.adjoint.size == 1:
        return  # a loss may leave out the 1
    large, small = (-8.0, 0.125) if dtype == "float16" else (-1000.0, 0.001)
    try:
        grown, shrunk = layer.run(large), layer.run(small)
    except Exception:  # backward refuses adjoints of such a size, and says so
        return
    for v in [v for v in once.variables if v.name in right]:
        one = once.gradient_of(v.name)
        more, less = grown.gradient_of(v.name), shrunk.gradient_of(v.name)
        if one is None or more is None or less is None:
            continue
        if not one.shape == more.shape == less.shape:
            continue
        with np.errstate(invalid="ignore"):  # of infinities
            steep, flat = (one - more) / (1 - large), (one - less) / (1 - small)
        if not _close(steep, flat, relative, floor):
            place = np.unravel_index(int(np.argmax(np.abs(steep - flat))), one.shape)
            yield _not_linear(v.name, large, small, more[place], one[place], less[place])


def _close(x: Array, y: Array | None, relative: float, floor: float) -> bool:
    if y is None or x.shape != y.shape:
        return False
    with np.errstate(invalid="ignore"):
        gap = np.abs(x - y)
    slack = relative * np.maximum(np.abs(x), np.abs(y)) + floor
    return bool((np.isnan(x) & np.isnan(y) | (x == y) | (gap <= slack)).all())


def _not_linear(name: str, large: float, small: float, more: float, one: float, less: float) -> str:
    return (
        f"{name}: the gradient does not grow with the adjoint: {large:g} times the adjoint gives "
        f"{more:.6g}, once gives {one:.6g}, {small:g} times gives {less:.6g}; is the adjoint "
        "clipped, rounded or compared with a number? Clip gradients after the backward pass"
    )


def not_accumulated(layer: HandWrittenLayer, once: Pass) -> Iterator[str]:
    """What the second of two backward passes leaves has to be the sum of both."""
    second = layer.run(passes=2)
    for before in once.variables:
        after = second.named(before.name)
        if before.source is None or after is None:
            continue
        one, both = floating(array_of(before.gradient)), floating(array_of(after.gradient))
        left = before.left_before
        if left is not None and left.shape == one.shape == both.shape:
            one, both = one - left, both - left
        if one.shape != both.shape or not one.any():
            continue
        if np.allclose(both, one, rtol=1e-5):
            yield (
                f"{before.name}: assigned instead of accumulated: after a second backward pass its "
                "gradient is that of the second alone; add it with +="
            )
        elif not np.allclose(both, 2 * one, rtol=1e-5):
            yield f"{before.name}: a second backward pass does not add the same gradient again"
