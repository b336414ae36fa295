"""Large arrays: they are tried along random directions, and at a few elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.kinds import largest
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.rules.operand_types import Array

DIRECTIONS, SAMPLES = 8, 100


def directions(shape: tuple[int, ...], count: int) -> Iterable[Array]:
    """Random directions of length 1, the same on every run."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        direction = rng.normal(size=shape)
        yield direction / np.linalg.norm(direction)


def along(result: Callable[[Array], Any], x: Array, direction: Array) -> Callable[[Any], Any]:
    """The result as a function of the way from x in a direction."""
    return lambda t: result(x + t * direction)


def sampled_indices(case: Case) -> list[tuple[int, ...]]:
    """Elements of a large input to be tried one by one: the largest analytic derivatives, some at
    random, and for every direction that disagrees the element that halving leads to."""
    x, analytic = case.x, case.analytic
    rng = np.random.default_rng(1)
    steepest = np.argsort(-np.abs(analytic), axis=None)[: SAMPLES // 2]
    indices = {int(i) for i in steepest} | {int(i) for i in rng.choice(x.size, SAMPLES // 2)}
    for direction in directions(x.shape, DIRECTIONS):
        if disagreement(case, direction) > 1:
            indices.add(_halved(case, direction))
    return [tuple(int(k) for k in np.unravel_index(i, x.shape)) for i in sorted(indices)]


def disagreement(case: Case, direction: Array) -> float:
    """How far both derivatives along a direction are apart, as a multiple of what is tolerated."""
    tolerance, terms = case.tolerance, case.analytic * direction
    numeric = derivative(along(case.result, case.x, direction))
    size = float(np.linalg.norm(terms))  # errors of all signs cancel
    slack = tolerance.rtol * size + tolerance.atol * min(1.0, largest(case.analytic))
    slack = 0.1 * slack + numeric.doubt  # a tenth: one element among many has to be seen
    gap = abs(float(np.sum(terms)) - numeric.value)
    if gap <= slack:
        return 0.0
    return gap / slack if slack and math.isfinite(gap) else math.inf


def _halved(case: Case, direction: Array) -> int:
    """The element to which halving a direction leads, always into the worse half."""
    chosen: Sequence[int] = range(direction.size)
    while len(chosen) > 1:
        middle = len(chosen) // 2
        halves = chosen[:middle], chosen[middle:]
        chosen = max(halves, key=lambda half: _gap(case, direction, half))
    return chosen[0]


def _gap(case: Case, direction: Array, chosen: Sequence[int]) -> float:
    part = np.zeros(direction.shape)
    part.flat[chosen] = direction.flat[chosen]
    numeric = derivative(along(case.result, case.x, part))
    gap = abs(float(np.sum(case.analytic * part)) - numeric.value)
    return math.inf if math.isnan(gap) else gap
