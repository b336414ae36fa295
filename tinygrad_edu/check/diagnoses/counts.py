"""What a constant factor may be: a length, a number of elements, a product or a root of lengths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tinygrad_edu.check.case import RESULT, Case
from tinygrad_edu.view.cards.reading import shape_of

MOST_NAMES = 2
"""So many things that a number may be the count of are said."""


def explanations(case: Case, ratio: float) -> list[str]:
    """What may be the reason that a derivative is so many times what it should be."""
    reasons = list(_of_means(case, ratio))
    if math.isclose(ratio, 2, rel_tol=1e-4):
        reasons.append("there is a factor 2 too many")
        reasons.append("a gradient of an earlier backward pass is still in it")
    if math.isclose(ratio, 0.5, rel_tol=1e-4):
        reasons.append("the factor 2 of a square is missing")
        reasons.append("the second of two gradients is assigned (=), not accumulated (+=)")
    return [*reasons, *_of_roots(case, ratio)] or _of_two_counts(case, ratio)


def _of_means(case: Case, ratio: float) -> Iterator[str]:
    for count, what in _merged(_counts_in(case)):
        if math.isclose(ratio, count, rel_tol=1e-4):
            yield f"a factor 1/N is missing, as of a mean (N = {count}, {what})"
        if math.isclose(ratio, 1 / count, rel_tol=1e-4):
            yield f"it is divided by N once too often (N = {count}, {what})"


def _of_roots(case: Case, ratio: float) -> Iterator[str]:
    """The scale of attention, 1/√d."""
    for count, what in _merged(_lengths_in(case)):
        if math.isclose(ratio * ratio, count, rel_tol=1e-4):
            yield f"a factor 1/√d is missing (d = {count}, {what})"
        if math.isclose(ratio * ratio, 1 / count, rel_tol=1e-4):
            yield f"it is divided by √d once too often (d = {count}, {what})"


def _of_two_counts(case: Case, ratio: float) -> list[str]:
    """Divided by one length instead of another."""
    for (n, what), (m, instead) in itertools.permutations(_merged(_lengths_in(case)), 2):
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


def _merged(counts: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """Every count above 1 once, with the likeliest things that it is the number of."""
    names: dict[int, list[str]] = {}
    for count, what in counts:
        if count > 1 and what not in names.setdefault(count, []):
            names[count].append(what)
    return [(count, " or ".join(what[:MOST_NAMES])) for count, what in names.items()]


def _counts_in(case: Case) -> Iterator[tuple[int, str]]:
    """Numbers that a mean may divide by, with what they count, the likely ones first."""
    yield from ((count, what) for what, count in case.counts.items())
    size, results = math.prod(case.shape), math.prod(shape_of(case.adjoint))
    if case.adjoint is not None and size and results:
        yield (
            size // results if size % results == 0 else 1,
            "the number of elements for each result",
        )
        yield (
            results // size if results % size == 0 else 1,
            "the number of results for each element",
        )
    yield from _lengths_in(case)
    for name, shape in _shapes_in(case):
        for i, j in itertools.combinations(range(len(shape)), 2):
            yield shape[i] * shape[j], f"the lengths {shape[i]} x {shape[j]} of {name}"
        yield math.prod(shape), f"the number of elements of {name}"


def _lengths_in(case: Case) -> Iterator[tuple[int, str]]:
    for name, shape in _shapes_in(case):
        for axis, length in enumerate(shape):
            if axis == 0 and length == case.counts.get("the length of the batch"):
                continue  # it has a name already
            where = f"axis {axis} of {name}" if len(shape) > 1 else name
            yield length, f"the length of {where}"


def _shapes_in(case: Case) -> Iterator[tuple[str, tuple[int, ...]]]:
    arrays = {case.parameter: case.x, **case.others, RESULT: case.adjoint}
    return ((name, shape_of(array)) for name, array in arrays.items())
