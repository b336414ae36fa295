"""What a constant factor may be: a length, a number of elements, a product or a root of lengths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tinygrad_edu.check.case import RESULT, Case
from tinygrad_edu.view.cards.reading import shape_of


def explanations(case: Case, ratio: float) -> list[str]:
    """What may be the reason that a derivative is so many times what it should be."""
    reasons = [*_of_means(case, ratio), *_of_roots(case, ratio)]
    if math.isclose(ratio, 2, rel_tol=1e-4):
        reasons.append("there is a factor 2 too many")
        reasons.append("a gradient of an earlier backward pass is still in it")
    if math.isclose(ratio, 0.5, rel_tol=1e-4):
        reasons.append("the factor 2 of a square is missing")
        reasons.append("the second of two gradients is assigned (=), not accumulated (+=)")
    return reasons or _of_two_counts(case, ratio)


def _of_means(case: Case, ratio: float) -> Iterator[str]:
    for count, what in counts_of(case).items():
        if math.isclose(ratio, count, rel_tol=1e-4):
            yield f"a factor 1/N is missing, as of a mean (N = {count}, {what})"
        if math.isclose(ratio, 1 / count, rel_tol=1e-4):
            yield f"it is divided by N once too often (N = {count}, {what})"


def _of_roots(case: Case, ratio: float) -> Iterator[str]:
    """The scale of attention, 1/√d."""
    for count, what in _lengths_of(case).items():
        if math.isclose(ratio * ratio, count, rel_tol=1e-4):
            yield f"a factor 1/√d is missing (d = {count}, {what})"
        if math.isclose(ratio * ratio, 1 / count, rel_tol=1e-4):
            yield f"it is divided by √d once too often (d = {count}, {what})"


def _of_two_counts(case: Case, ratio: float) -> list[str]:
    """Divided by one count instead of another."""
    for (n, what), (m, instead) in itertools.permutations(_lengths_of(case).items(), 2):
        if math.isclose(ratio, n / m, rel_tol=1e-4):
            return [f"it is divided by {m}, {instead}, instead of by {n}, {what}"]
    return []


def root_of_whole(ratio: float) -> str:
    """Whether a factor is the root of a whole number, or one over it."""
    for said, square in (("", ratio * ratio), ("one over ", 1 / ratio / ratio)):
        if 1.5 < square < 10_000 and math.isclose(square, round(square), rel_tol=1e-6):
            whole = round(square)
            return "" if math.isqrt(whole) ** 2 == whole else f" ({said}the root of {whole})"
    return ""


def counts_of(case: Case) -> dict[int, str]:
    """Numbers above 1 that a mean may divide by, with what they count, the likely ones first."""
    counts = {count: what for what, count in reversed(case.counts.items())}
    others = dict(_lengths_of(case))
    size, results = math.prod(case.shape), math.prod(shape_of(case.adjoint))
    if case.adjoint is not None and results and size % results == 0:
        others.setdefault(size // results, "the number of elements for each result")
    if case.adjoint is not None and size and results % size == 0:
        others.setdefault(results // size, "the number of results for each element")
    for name, shape in _named_shapes(case):
        for i, j in itertools.combinations(range(len(shape)), 2):
            product = f"{shape[i]} x {shape[j]}, the lengths of axes {i} and {j} of {name}"
            others.setdefault(shape[i] * shape[j], product)
        others.setdefault(math.prod(shape), f"the number of elements of {name}")
    return {count: what for count, what in {**others, **counts}.items() if count > 1}


def _lengths_of(case: Case) -> dict[int, str]:
    """The lengths of all arrays, with what they are the lengths of."""
    lengths: dict[int, str] = {}
    for name, shape in _named_shapes(case):
        for axis, length in enumerate(shape):
            where = f"axis {axis} of {name}" if len(shape) > 1 else name
            lengths.setdefault(length, f"the length of {where}")
    return {length: what for length, what in lengths.items() if length > 1}


def _named_shapes(case: Case) -> Iterator[tuple[str, tuple[int, ...]]]:
    arrays = {case.parameter: case.x, **case.others, RESULT: case.adjoint}
    return ((name, shape_of(array)) for name, array in arrays.items())
