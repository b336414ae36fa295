"""Kinks that several elements share, as equal numbers under max() do.

At a kink every element by itself may have any slope between those of its two sides. Moved together,
tied elements may well go a smooth way: max(a, b) at a = b has slope 1 along (1, 1), so the adjoint
may be given to one of them, or be shared, but not be given to both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.elements import Element, Examination
from tinygrad_edu.check.noise import value_at
from tinygrad_edu.check.numerical import sides
from tinygrad_edu.check.sampling import along
from tinygrad_edu.rules.operand_types import Array

STEP_OF_TIES = 1e-5
"""How far elements are moved to see whether they share a kink, as a part of the largest."""
APART = 1e-5
"""How far elements are moved to see whether a kink is several."""
MOST_EQUAL = 6
"""So many elements that agree are looked at again, each with about 40 calls."""
MOST_CALLS = 100
"""So many calls are for finding elements that share a kink."""


def opposite_kinks(case: Case, e: Element) -> float:
    """How far beyond the slopes of both sides a right derivative may lie, since several kinks of
    both signs meet at the input, as those of all hidden units do where a row is 0.

    Where the other elements are moved a little, such kinks come apart, and the slope goes up and
    down between them. One kink alone only leads from one side to the other.
    """
    assert e.kink is not None
    jump = abs(e.kink.right.value - e.kink.left.value)
    rng = np.random.default_rng(3)
    up_and_down = max(_up_and_down(case, e, rng) for _ in range(3))  # some may still be together
    return up_and_down if up_and_down > 1.05 * jump else 0.0


def _up_and_down(case: Case, e: Element, rng: np.random.Generator) -> float:
    """The sum of the changes of the slope along an element, where the others are a little off."""
    size = APART * max(1.0, abs(e.x))
    nearby, direction = size * rng.normal(size=case.shape), np.zeros(case.shape)
    nearby[e.index], direction[e.index] = 0.0, size
    path = along(case.result, case.x + nearby, direction)
    ways = [0.0917 * 1.7**k for k in range(17)]
    places = np.array([-t for t in reversed(ways)] + [0.0, *ways])
    slopes = np.diff([value_at(path, t) for t in places]) / np.diff(places) / size
    return float(np.nan_to_num(np.abs(np.diff(slopes)).sum()))


def tied_at_a_kink(total: float, slope: float) -> str:
    """What to say of elements that share a kink, and whose gradients do not fit together."""
    return (
        f"tied at a kink: moved together, the derivative is {slope:.6g}, but their gradients add "
        f"up to {total:.6g}; treat one of them as the larger, or let them share the adjoint"
    )


def wrong_ties(
    examination: Examination, elements: Sequence[Element]
) -> tuple[list[Element], float, float] | None:
    """Elements that share a kink and whose gradients do not fit together, with what those add up
    to and the derivative along the way that they go together; None where there are none.

    An element in the middle of its kink has agreed with central differences. Those equal to others
    at kinks are looked at again.
    """
    kinked = [e for e in elements if e.kink and not e.wrong]
    equal = {e.x for e in kinked}
    for e in [e for e in elements if e.kink is None and e.error <= 1 and e.x in equal][:MOST_EQUAL]:
        found = sides(e.path, e.x, examination.noise)
        if found.kink and not found.jumps:
            e.kink = found
            kinked.append(e)
    return TiedKinks(examination, kinked).wrong() if len(kinked) > 1 else None


class TiedKinks:
    """The elements of an input at kinks, and which of them share one."""

    def __init__(self, examination: Examination, kinked: Sequence[Element]) -> None:
        self.examination, self.case = examination, examination.case
        self.kinked = sorted(kinked, key=lambda e: e.x)  # equal numbers are often tied
        self.step = STEP_OF_TIES * max(1.0, float(np.max(np.abs(self.case.x))))
        self.calls = 0
        self.middle = self._value([], 1.0)

    def wrong(self) -> tuple[list[Element], float, float] | None:
        """A group of tied elements, what their gradients add up to, and the derivative."""
        for group in self._groups_of_tied():
            for signs in ([1.0] * len(group), [1.0, *[-1.0] * (len(group) - 1)]):
                direction = self._direction(group, signs)
                found = sides(
                    along(self.case.result, self.case.x, direction), 0.0, self.examination.noise
                )
                total = sum(s * e.analytic for e, s in zip(group, signs, strict=True))
                if found.kink or found.jumps or not found.middle.doubt < 1e-3 * abs(self._jump()):
                    continue
                slack = sum(self.examination.tolerance(e) for e in group)
                if abs(total - found.middle.value) > slack + 4 * found.middle.doubt:
                    return group, total, found.middle.value
        return None

    def _groups_of_tied(self) -> Iterator[list[Element]]:
        rest = list(self.kinked)
        while len(rest) > 1 and self.calls < MOST_CALLS:
            first = rest.pop(0)
            partners = self._partners(first, rest)
            rest = [e for e in rest if e not in partners]
            if partners:
                yield [first, *partners]

    def _partners(self, e: Element, others: list[Element]) -> list[Element]:
        """Those of the others that share a kink with e, found by halving."""
        if not others or self.calls >= MOST_CALLS or not self._share(e, others):
            return []
        if len(others) == 1:
            return others
        half = len(others) // 2
        return self._partners(e, others[:half]) + self._partners(e, others[half:])

    def _share(self, e: Element, others: list[Element]) -> bool:
        """Whether moving both is not the sum of moving each, by part of what the kink is worth."""
        alone = self._value([e], 1.0)
        return any(
            abs(self._value([e], 1.0, others, sign) - alone - self._value(others, sign)
                + self.middle) > 0.01 * self.step * abs(self._jump()) + 8 * self.examination.noise
            for sign in (1.0, -1.0)
        )  # fmt: skip

    def _jump(self) -> float:
        """The largest change of a slope at a kink."""
        return max(
            abs(e.kink.right.value - e.kink.left.value) for e in self.kinked if e.kink is not None
        )

    def _direction(self, elements: Sequence[Element], signs: Sequence[float]) -> Array:
        direction = np.zeros(self.case.shape)
        for e, sign in zip(elements, signs, strict=True):
            direction[e.index] = sign
        return direction

    def _value(
        self, some: Sequence[Element], sign: float, others: Sequence[Element] = (),
        other_sign: float = 1.0,
    ) -> float:  # fmt: skip
        """The result with some elements moved one way, and others the same or the other way."""
        self.calls += 1
        direction = self._direction(some, [sign] * len(some))
        direction += self._direction(others, [other_sign] * len(others))
        return value_at(along(self.case.result, self.case.x, direction), self.step)
