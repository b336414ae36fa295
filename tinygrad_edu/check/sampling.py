"""Large arrays: they are tried along random directions, and at a few elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.elements import Element, Examination
from tinygrad_edu.check.noise import Path
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.rules.operand_types import Array

BANDS = (1e-2, 1e-4, 1e-6)
"""Elements are grouped by the size of their analytic derivative, as parts of the largest."""
LOCATED = 3
"""So many elements are looked for by halving directions that disagree."""


def directions(shape: tuple[int, ...], count: int) -> Iterable[Array]:
    """Random directions of length 1, the same on every run."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        direction = rng.normal(size=shape)
        yield direction / np.linalg.norm(direction)


def along(result: Callable[[Array], Any], x: Array, direction: Array) -> Path:
    """The result as a function of the way from x in a direction."""
    return lambda t: result(x + t * direction)


def away_from_zero(case: Case) -> Path:
    """The result while all elements move away from 0, each by about its own size."""
    parts = np.random.default_rng(2).uniform(0.5, 1.5, case.shape)
    return along(case.result, case.x, np.where(case.x == 0, 1.0, case.x) * parts)


def single_indices(case: Case, calls: int) -> list[tuple[int, ...]]:
    """Elements of a large input to be tried one by one, where so many calls are for all of it: the
    largest analytic derivatives, and some at random."""
    groups = list(_bands(case.analytic))
    single = max(2, min(20, calls // 2 - _per_group(groups, calls) * len(groups)))
    steepest = np.argpartition(-np.abs(case.analytic), single // 2, axis=None)[: single // 2]
    others = np.random.default_rng(1).choice(case.analytic.size, single - single // 2)
    return _indices(case, {*steepest.tolist(), *others.tolist()})


def located_indices(examination: Examination, calls: int) -> list[tuple[int, ...]]:
    """Wrong elements of a large input, to which directions that disagree lead."""
    case = examination.case
    groups = list(_bands(case.analytic))
    rng = np.random.default_rng(1)
    places: set[int] = set()
    for group in groups * _per_group(groups, calls):
        direction = np.zeros(case.shape)
        direction[group] = rng.uniform(0.5, 1.5, case.shape)[group]
        direction *= rng.choice([-1.0, 1.0], case.shape)
        if len(places) < LOCATED and _disagree(examination, direction):
            places.add(_halved(examination, direction))
    return _indices(case, places)


def _per_group(groups: list[Array], calls: int) -> int:
    """How many directions each group of elements gets."""
    return 2 if calls >= 4 * len(groups) + 8 else 1


def _indices(case: Case, places: set[int]) -> list[tuple[int, ...]]:
    return [tuple(map(int, np.unravel_index(i, case.shape))) for i in sorted(places)]


def _bands(analytic: Array) -> Iterator[Array]:
    """Masks of the elements with large, smaller and no derivatives, so that none hides another."""
    sizes, above = np.abs(analytic), math.inf
    largest = float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))
    for band in (*BANDS, 0.0):
        low = band * largest
        group = (sizes >= low) & (sizes < above) if above < math.inf else ~(sizes < low)
        above = low
        if group.any():
            yield group


def _along(examination: Examination, direction: Array) -> Element:
    """A direction as an element: random signs make errors cancel, and one among many elements has
    to be seen, so a tenth is allowed."""
    case, tolerance = examination.case, examination.case.tolerance
    direction = direction / np.linalg.norm(direction)
    terms = case.analytic * direction
    size = min(1.0, examination.size)
    allowed = 0.1 * (tolerance.rtol * float(np.linalg.norm(terms)) + tolerance.atol * size)
    path = along(case.result, case.x, direction)
    return Element((), 0.0, path, float(np.sum(terms)), allowed=allowed)


def _disagree(examination: Examination, direction: Array) -> bool:
    """Whether both derivatives differ along a direction, or along the same one, scaled by x."""
    steps = (direction, direction * np.where(examination.case.x == 0, 1.0, examination.case.x))
    for step in steps:
        e = _along(examination, step)
        examination.compare([e])
        if e.error <= 1:
            return False
    return True


def _halved(examination: Examination, direction: Array) -> int:
    """The element to which halving a direction leads, always into the half that differs more."""
    chosen = np.flatnonzero(direction)
    while len(chosen) > 1:
        halves = np.array_split(chosen, 2)
        chosen = max(halves, key=lambda half: _gap(examination, direction, half))
    return int(chosen[0])


def _gap(examination: Examination, direction: Array, chosen: Array) -> float:
    part = np.zeros(direction.shape)
    part.flat[chosen] = direction.flat[chosen]
    e = _along(examination, part)
    e.numeric, e.doubt = examination.glance(e)
    return e.gap * float(np.linalg.norm(part))


def disagreement(case: Case, direction: Array) -> float:
    """How far both derivatives along a direction are apart, as a multiple of what is tolerated."""
    e = _along(Examination(case), direction)
    e.numeric, e.doubt = derivative(e.path)
    return e.gap / ((e.allowed or 0.0) + e.doubt or 1.0)
