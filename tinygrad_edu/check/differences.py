"""What was computed here and in another library, element by element: where it differs, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinygrad_edu.check.case import Tolerance
from tinygrad_edu.check.kinds import largest, moved
from tinygrad_edu.check.noise import Path
from tinygrad_edu.check.numerical import derivative, quiet_path, sides
from tinygrad_edu.check.report import Row, Verdict
from tinygrad_edu.rules.operand_types import Array

US = "tinygrad_edu"
CONFIRMED = 200
"""So many elements that differ are looked at closely."""
USUAL, USUAL_BELOW_FLOAT64 = 1e-8, 1e-4
"""What is tolerated, relative to the larger of a derivative and 1."""
ROUNDINGS = 64
"""Differences of so many roundings of the number 1 are none, unless `atol` is given: libraries
round tanh(10) in different ways, and 1 - tanh² has lost eight digits there."""


@dataclass(frozen=True)
class Limits:
    """What is tolerated, besides `floor`, a few roundings, and the dtype that it fits."""

    tolerance: Tolerance
    floor: float
    dtype: str

    @staticmethod
    def of(dtype: str, rtol: float | None, atol: float | None) -> Limits:
        usual = USUAL if dtype == "float64" else USUAL_BELOW_FLOAT64
        tolerance = Tolerance.of(
            dtype, usual if rtol is None else rtol, usual if atol is None else atol, "compare"
        )
        floor = ROUNDINGS * float(np.finfo(dtype).eps) if atol is None else 0.0
        return Limits(tolerance, floor, dtype)


@dataclass(frozen=True, eq=False)
class Pair:
    """What was computed here and there. `x` is given for a gradient, and `result`, the weighed
    result as a function of x, where both functions have the same value."""

    name: str
    ours: Array
    theirs: Array
    library: str
    x: Array | None = None
    result: Callable[[Array], float] | None = None

    def path(self, index: tuple[int, ...]) -> Path:
        """The result as a function of one element."""
        x, result = self.x, self.result
        assert x is not None
        assert result is not None
        return quiet_path(lambda t: result(moved(x, index, t)))

    def errors(self, limits: Limits) -> Array:
        """The difference of every element as a multiple of what is tolerated."""
        ours, theirs = self.ours, self.theirs
        size = max(largest(ours), largest(theirs))
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        both = np.isfinite(ours) & np.isfinite(theirs)
        with np.errstate(all="ignore"):
            tolerance = limits.tolerance.at(theirs, size) + limits.floor
            errors = np.where(both, np.abs(ours - theirs) / tolerance, np.inf)
        return np.where(same, 0.0, errors)

    def is_kink(self, index: tuple[int, ...]) -> bool:
        """Whether the function has a kink there, between whose slopes both derivatives lie; nan
        says that there is none."""
        if self.x is None or self.result is None:
            return False
        found = sides(self.path(index), float(self.x[index]))
        if found.jumps or not found.kink:
            return False
        slack = 1e-6 * max(1.0, abs(found.left.value), abs(found.right.value))
        both = float(self.ours[index]), float(self.theirs[index])
        return all(np.isnan(slope) or found.between(slope, slack) for slope in both)

    def who_is_right(self, index: tuple[int, ...], tolerance: Tolerance) -> str:
        """What central differences say to a gradient on which both sides differ."""
        if self.x is None:
            return "the two functions differ here, so their gradients need not agree"
        if self.result is None:
            return ""
        try:
            numeric = derivative(self.path(index), float(self.x[index]))
        except (ArithmeticError, ValueError):
            return ""
        slack = 1e-6 * max(abs(numeric.value), tolerance.atol) + 2 * numeric.doubt
        both = {US: self.ours[index], self.library: self.theirs[index]}
        agree = [name for name, slope in both.items() if abs(slope - numeric.value) <= slack]
        if len(agree) != 1 or not np.isfinite(numeric.value):
            return ""
        return f"central differences give {numeric.value:.6g}, as {agree[0]} does"


def row_of_pair(pair: Pair, limits: Limits) -> Row:
    ours, theirs, shape = pair.ours, pair.theirs, pair.ours.shape
    if shape != theirs.shape:
        note = f"the shape is {shape} here and {theirs.shape} in {pair.library}"
        return Row(pair.name, shape, "wrong", dtype=limits.dtype, note=note)
    errors, kinks = pair.errors(limits), np.zeros(shape, bool)
    if not ours.size:
        return Row(pair.name, shape, "ok", dtype=limits.dtype, errors=errors, kinks=kinks)
    silent = np.zeros(shape, bool)  # where the library gives nan, and differences agree with us
    for index in map(tuple, np.argwhere(errors > 1)[:CONFIRMED].tolist()):
        kinks[index] = pair.is_kink(index)
        if np.isnan(theirs[index]):
            silent[index] = US in pair.who_is_right(index, limits.tolerance)
    errors[kinks | silent] = 0.0
    wrong = errors > 1
    verdict: Verdict = "wrong" if wrong.any() else "kink" if kinks.any() else "ok"
    shown = kinks if verdict == "kink" else errors
    if silent.any() and verdict != "wrong":
        shown = silent
    index = tuple(int(i) for i in np.unravel_index(np.argmax(shown), shape))
    note = ""
    if verdict == "wrong":
        note = pair.who_is_right(index, limits.tolerance)
        if wrong.size > 1:
            note = f"{note} ({int(wrong.sum())} of {wrong.size} elements differ)".strip()
    elif silent.any():
        note = f"{pair.library} gives nan here; {pair.who_is_right(index, limits.tolerance)}"
    elif verdict == "kink":
        count = f" at {int(kinks.sum())} of {kinks.size}" if kinks.size > 1 else ""
        note = (
            f"a kink{count}: {US} has {ours[index] + 0.0:g} and {pair.library} "
            f"{theirs[index] + 0.0:g}, and each is a convention for what lies between the "
            "derivatives of the two sides"
        )
    at = np.nan if pair.x is None else float(pair.x[index])
    return Row(
        pair.name, shape, verdict, index, at, float(ours[index]), float(theirs[index]),
        limits.dtype, note, errors, kinks,
    )  # fmt: skip
