"""One element of an input, or one direction, with both derivatives: how they are told apart.

What agrees within the plain tolerance agrees: two independent numbers do not do so by chance.
Whatever does not is looked at more and more closely, before it is called wrong.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.kinds import largest
from tinygrad_edu.check.noise import EPS, LEAST, Path, noise_of, value_at
from tinygrad_edu.check.numerical import (
    CENTRAL_STEP,
    STEP,
    Estimate,
    Sides,
    central,
    richardson,
    sides,
)

MOST_CLOSELY = 30
"""So many elements of an input are looked at from both sides, each with about 40 calls."""
MOST_CONFIRMED = 30
"""So many wrong elements are confirmed, before the rest is believed to be wrong too."""
TINY = 1e-3
"""Numbers below it have a scale of their own."""
TELLING = 1e-3
"""A derivative that is known less exactly than this part of the gradient's size is not known."""
COARSE = 1e-10
"""A function with more noise than this part of its change has fewer digits than float64."""

SEVERAL = (
    "several kinks may meet here, and 0 is what most conventions say of each; try another input"
)
JUMPS = (
    "the result jumps at this input, so it has no derivative: is it cut off by int(), round() or a "
    "comparison?"
)
STANDS = (
    "moving the input does not change the result, until it jumps: does int(), round() or a "
    "comparison cut the number off? Such a function has no derivative to compare with"
)
ROUGH = (
    "no numerical derivative was found: the function is too rough there, or only defined on one "
    "side; try another input"
)
NOISY = (
    "the noise in the result, of about {noise:.1e}, hides the derivative; compute with float64 "
    "numbers, or try another input"
)


@dataclass(eq=False)
class Element:
    """One element of an input, or one direction, with both derivatives, and what is known of it.

    `allowed` is the tolerance, where it is not that of an element. `error` is a multiple of the
    tolerance, nan where nothing can be said; `unsure` says why. `kink` holds the derivatives from
    both sides, if they differ. `flat` says that both derivatives are lost in rounding.
    """

    index: tuple[int, ...]
    x: float
    path: Path
    analytic: float
    numeric: float = math.nan
    doubt: float = 0.0
    allowed: float | None = None
    error: float = math.nan
    unsure: str = ""
    kink: Sides | None = None
    flat: bool = False

    @property
    def wrong(self) -> bool:
        return self.error > 1 and not self.unsure

    @property
    def gap(self) -> float:
        """How far both derivatives are apart."""
        if not (math.isfinite(self.analytic) and math.isfinite(self.numeric)):
            return math.inf
        return abs(self.analytic - self.numeric)


class Examination:
    """What is known of a case while it is judged: the size of its gradient, and the noise."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.size = largest(case.analytic)
        self.value = abs(value_at(case.result, case.x))
        self.measured = False
        self.closely = self.confirmed = 0

    @functools.cached_property
    def noise(self) -> float:
        """The noise in the result, measured while the whole input moves away from 0."""
        self.measured = True
        if not self.case.shape:
            return noise_of(self.case.path(()), float(self.case.x))
        from tinygrad_edu.check.sampling import away_from_zero

        return noise_of(away_from_zero(self.case))

    @property
    def coarse(self) -> bool:
        """Whether the function is known to have fewer digits than float64 numbers."""
        if not self.measured:
            return False
        return self.noise > COARSE * max(self.size, self.value)

    def tolerance(self, e: Element) -> float:
        """What may lie between both derivatives, apart from noise."""
        allowed = self.case.tolerance.coarser() if self.coarse else self.case.tolerance
        if e.allowed is not None:
            factor = allowed.rtol / self.case.tolerance.rtol if self.case.tolerance.rtol else 1.0
            return float(e.allowed * factor)
        return float(allowed.at(e.numeric if math.isfinite(e.numeric) else 0.0, self.size))

    def compare(self, elements: Sequence[Element]) -> None:
        """Find the numerical derivatives, and how far both are apart."""
        for e in elements:
            self._glance(e)
        doubtful = [e for e in elements if not e.error <= 1]
        for e in sorted(doubtful, key=lambda e: -e.gap):
            e.error = _multiple(e.gap, self.tolerance(e))  # the size may have grown
            if e.error > 1 and self.confirmed < MOST_CONFIRMED:
                self._look(e)
            if e.wrong and math.isfinite(e.numeric):
                self.size = max(self.size, abs(e.numeric))
            self.confirmed += e.wrong

    def _scales(self, e: Element) -> list[float]:
        """The scales on which a function may change: that of 1, and that of x. One that changes
        over a tiny x looks flat from afar, so a derivative of 0 is compared on that of x alone."""
        own = abs(e.x) or 1.0
        if own < TINY and abs(e.analytic) <= self.tolerance(e):
            return [own]
        return list(dict.fromkeys((1.0, own)))

    def _glance(self, e: Element) -> None:
        """One central difference on each scale, and no allowance for anything."""
        for scale in self._scales(e):
            near = central(e.path, e.x, scale * CENTRAL_STEP)
            if not abs(e.analytic - near.value) >= e.gap:  # the nearer of both
                e.numeric, e.doubt = near
            e.error = _multiple(e.gap, self.tolerance(e))
            if e.error <= 1:
                return

    def glance(self, e: Element) -> Estimate:
        """A central difference with a step that noise allows for."""
        return central(e.path, e.x, self._step / 2, self.noise)

    def estimate(self, e: Element) -> Estimate:
        """The better one of the scales of 1 and of x."""
        own = abs(e.x) or 1.0
        both = [richardson(e.path, e.x, s * self._step, self.noise) for s in {1.0, own}]
        return min(both, key=lambda estimate: estimate.doubt)

    @property
    def _step(self) -> float:
        """The step of Richardson extrapolation, as a part of the scale: larger where noise is."""
        return max(STEP, min(0.05, math.pow(self.noise / max(self.size, LEAST), 0.2)))

    def _look(self, e: Element) -> None:
        """Larger steps, where there is noise; a smooth function is settled by it."""
        for scale in self._scales(e) if math.isfinite(e.analytic) else ():
            h = scale * self._step
            near = richardson(e.path, e.x, h, self.noise)
            if near.doubt > max(1e-6 * abs(near.value), 20 * self.noise / h):
                continue
            slack = self.tolerance(_with(e, near)) + 4 * near.doubt
            gap = abs(e.analytic - near.value)
            known = near.doubt <= self._telling(e) and near.value != 0  # stairs stand still
            if known and (gap <= slack or self._is_smooth(e, near, h, gap)):
                e.numeric, e.doubt = near
                e.error = 0.0 if gap <= slack else _multiple(gap, self.tolerance(e))
                return
        self._look_at_both_sides(e)

    def _telling(self, e: Element) -> float:
        return max(TELLING * max(self.size, abs(e.numeric)), self.tolerance(e))

    def _is_smooth(self, e: Element, near: Estimate, h: float, gap: float) -> bool:
        """Whether the function is as straight as it looks, over shorter steps too, and on both
        sides: what bends it falls to a quarter over half the step, that of a kink to a half."""
        shorter = max(h * 1e-3, 40 * self.noise / gap) if gap else h
        if shorter > h / 4:
            return False
        same = central(e.path, e.x, shorter, self.noise)
        middle = value_at(e.path, 0.0)
        wide, narrow = (
            abs(value_at(e.path, t) + value_at(e.path, -t) - 2 * middle) for t in (h, h / 2)
        )
        bent = narrow > 0.35 * wide and narrow > max(1e-6 * gap * h, 20 * self.noise)
        return not bent and abs(same.value - near.value) <= 0.1 * gap

    def _look_at_both_sides(self, e: Element) -> None:
        """A kink at x, or near it, is not an error; nor is a function too rough for differences."""
        self.closely += 1
        if self.closely > MOST_CLOSELY:
            e.numeric = e.error = math.nan
            return
        found = sides(e.path, e.x, self.noise)
        cut_off = found.jumps or (found.stands and e.analytic != 0)
        if cut_off and not (self.coarse and found.middle.doubt <= self._telling(e)):
            e.unsure, e.numeric = JUMPS if found.jumps else STANDS, math.nan
        elif found.kink:
            e.kink = found
            e.numeric = (found.left.value + found.right.value) / 2
            e.doubt = found.left.doubt + found.right.doubt
            e.error = _multiple(_outside(e), self.tolerance(e) + 4 * e.doubt)
            if e.error > 1 and math.isfinite(e.analytic) and math.prod(self.case.shape) > 1:
                from tinygrad_edu.check.ties import opposite_kinks

                beyond = opposite_kinks(self.case, e)
                e.error = _multiple(_outside(e, beyond), self.tolerance(e) + 4 * e.doubt)
                e.unsure = SEVERAL if e.error > 1 and e.analytic == 0 else ""
            e.error = e.error if math.isfinite(e.analytic) else math.inf
        else:
            self._decide(e, found)

    def _decide(self, e: Element, found: Sides) -> None:
        """The verdict on an element where the function is smooth, or has one side only."""
        best, near = Estimate(e.numeric, e.doubt), found.only_side or found.middle
        if math.isfinite(near.value) or not math.isfinite(best.value):
            best = near
        e.numeric, e.doubt = best
        tolerance, scale = self.tolerance(e), max(1.0, abs(e.x))
        lost = 100 * max(self.noise, EPS * abs(value_at(e.path, 0.0))) / scale
        if not math.isfinite(best.value) or (
            math.isinf(e.analytic) and best.doubt > TELLING * abs(best.value)
        ):
            e.unsure = ROUGH
        elif abs(e.analytic) <= lost and abs(best.value) <= 4 * best.doubt + lost:
            e.flat, e.error = True, 0.0
        elif best.doubt > self._telling(e):
            e.unsure = self._why_unsure(e)
        elif e.gap <= tolerance + 4 * best.doubt:
            e.error = 0.0
        else:
            e.error = _multiple(e.gap, tolerance)

    def _why_unsure(self, e: Element) -> str:
        if not self.coarse:
            return ROUGH
        step = 1e-9 * max(1.0, abs(e.x))
        if value_at(e.path, step) == value_at(e.path, 0.0) == value_at(e.path, -step):
            return STANDS
        return NOISY.format(noise=self.noise)


def estimates(case: Case, indices: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], Estimate]:
    """The numerical derivatives by some elements, with steps that the noise of the case allows."""
    examination = Examination(case)
    found = {}
    for index in indices:
        x = float(case.x[index] if index else case.x)
        e = Element(index, x, case.path(index), math.nan)
        found[index] = examination.estimate(e)
    return found


def _outside(e: Element, beyond: float = 0.0) -> float:
    """How far the analytic derivative is outside those of the two sides, and what is beyond."""
    assert e.kink is not None
    low, high = sorted((e.kink.left.value, e.kink.right.value))
    return max(low - beyond - e.analytic, e.analytic - high - beyond, 0.0)


def _multiple(gap: float, tolerance: float) -> float:
    return 0.0 if gap == 0 else gap / tolerance if tolerance and math.isfinite(gap) else math.inf


def _with(e: Element, near: Estimate) -> Element:
    e.numeric, e.doubt = near
    return e
