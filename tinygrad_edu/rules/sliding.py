"""Sliding windows, from which convolution and pooling follow, and their adjoint."""

from __future__ import annotations

import operator
from typing import Any

from tinygrad_edu.rules.operand_types import A
from tinygrad_edu.rules.rule import Recorded, rule
from tinygrad_edu.rules.tables import of, operations

Lengths = int | tuple[int, ...]
"""A whole number for every axis of a window, or one of them for all axes."""


@rule("windows", arrays=True, method=False)
def _windows(
    x: A, /, shape: Lengths, stride: Lengths = 1, padding: Lengths = 0, dilation: Lengths = 1
) -> Recorded[A]:
    """All windows of a shape over the last axes; see the public `windows`."""
    y = of(x).windows(x, shape, stride, padding, dilation)
    return y, lambda g, whole=x.shape: (
        of(g).add_windows(g, whole, stride, padding, dilation),
    )  # fmt: skip


@rule("add windows", arrays=True, public=False)
def add_windows(
    x: A, /, shape: tuple[int, ...], stride: Any, padding: Any, dilation: Any
) -> Recorded[A]:
    """The adjoint of `windows`: zeros of the given shape, with each window added where it lies.

    An element of several windows gets the sum of all. Its own adjoint is `windows`.
    """
    y = of(x).add_windows(x, shape, stride, padding, dilation)
    own = x.shape[-len(stride) :]
    return y, lambda g, own=own: (
        of(g).windows(g, own, stride, padding, dilation),
    )  # fmt: skip


def windows(
    x: A, /, shape: Lengths, stride: Lengths = 1, padding: Lengths = 0, dilation: Lengths = 1
) -> A:
    """All windows of a shape over the last axes: (..., h, w) gives (..., rows, columns, k, l).

    Here `shape` is (k, l); for one axis it is (k,) or k. `stride` is the step from a window to the
    next, `padding` the zeros at both ends of an axis, `dilation` the step inside a window: a number
    for all axes, or one for each. NumPy's `sliding_window_view` is the case of no padding and steps
    of 1. The adjoint adds up what the windows give to an element in which they overlap.

    As a convolution: einsum("nchwij,ocij->nohw", windows(x, (3, 3)), weight). ValueError where no
    window fits.
    """
    sizes = _lengths("shape", shape, 1, None)
    n = len(sizes)
    steps = _lengths("stride", stride, 1, n)
    ends = _lengths("padding", padding, 0, n)
    apart = _lengths("dilation", dilation, 1, n)
    return _windows(x, shape=sizes, stride=steps, padding=ends, dilation=apart)


vars(operations).update(windows=windows)


def _lengths(setting: str, given: Any, least: int, n: int | None) -> tuple[int, ...]:
    """One whole number for each axis of a window."""
    try:
        whole = given if isinstance(given, list | tuple) else (given,) * (n or 1)
        lengths = tuple(map(operator.index, whole))
    except TypeError:
        raise TypeError(f"windows: {setting} is {given!r}; use whole numbers") from None
    if not lengths or min(lengths) < least or n not in (None, len(lengths)):
        wanted = "one for each axis" if n is None else f"one for all axes, or {n} of them"
        raise ValueError(
            f"windows: {setting} is {given!r}; use whole numbers from {least} up, {wanted}"
        )
    return lengths
