"""Names for what is wrong with the derivative of a number, and with all elements of an array."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinygrad_edu.check.case import Case


def plain_mistakes(case: Case) -> Iterator[str]:
    """What is wrong with the derivative of a number, and the cure, in one sentence."""
    yield from nothing_or_the_sign(case)
    yield from wrong_factor(case)


def nothing_or_the_sign(case: Case) -> Iterator[str]:
    """No number, 0 where it should not be or the other way round, and the sign."""
    known = case.known
    if any(math.isnan(e.analytic) for e in known):
        yield "the analytic derivative is nan"
    if any(math.isinf(e.analytic) for e in known):
        yield "the analytic derivative is infinite"
    if not any(e.analytic for e in known):
        yield (
            "the analytic derivative is 0 everywhere: it was never set, the graph was cut "
            "(.data, detach), or an array of integers rounds it away"
        )
    if all(abs(e.numeric) <= e.slack for e in known):
        yield (
            "moving the input does not change the result, so the derivative is 0: is a copy used "
            "in its place, or does int(), round() or a comparison cut the number off?"
        )
    if known and all(abs(e.analytic + e.numeric) <= 4 * e.slack for e in known):
        yield "the sign is wrong: negate it"


def wrong_factor(case: Case) -> Iterator[str]:
    factor = _constant_factor(case)
    if factor is None:
        return
    is_two = [what for what, count in case.counts.items() if count == 2]
    for what, count in case.counts.items():
        if count > 2 and math.isclose(factor, count, rel_tol=1e-4):
            if case.adjoint is None:
                said = "the factor 1/N of the mean is missing"
            else:
                said = "is a factor 1/N missing, or a factor too many?"
            yield f"it is {count} times too large, {what}: {said}"
        if count > 2 and math.isclose(factor, 1 / count, rel_tol=1e-4):
            yield f"it is {count} times too small, {what}: it is divided by N once too often"
    if math.isclose(factor, 0.5, rel_tol=1e-4):
        mean = f"it is divided once too often by 2, {is_two[0]}, " if is_two else ""
        yield (
            f"it is half of what it should be: {mean}the factor 2 of a square is missing, or it is "
            "used twice and the second gradient is assigned (=) instead of accumulated (+=)"
        )
    if math.isclose(factor, 2.0, rel_tol=1e-4):
        mean = f"the factor 1/N of a mean, where N is {is_two[0]}, is missing, " if is_two else ""
        yield (
            f"it is twice what it should be: {mean}a factor 2 too many, or a gradient of an "
            "earlier backward pass is still in it"
        )
    known = f"it is {factor:.6g} times what it should be{_as_root(factor)}, for every element"
    yield known + "; does it belong to another function than that of the forward pass?"


def _as_root(factor: float) -> str:
    """Whether a factor is the root of a whole number, as of the dimension in attention."""
    for said, square in (("", factor * factor), ("one over ", 1 / factor / factor)):
        if 1.5 < square < 10_000 and math.isclose(square, round(square), rel_tol=1e-6):
            whole = round(square)
            return "" if math.isqrt(whole) ** 2 == whole else f" ({said}the root of {whole})"
    return ""


def _constant_factor(case: Case) -> float | None:
    """The factor by which all elements are wrong.

    One number alone tells no factor from another mistake, unless the factor is a round one.
    """
    large = [e for e in case.known if abs(e.numeric) > 100 * e.slack]
    if not large:
        return None
    size = max(abs(e.numeric) for e in large)  # whose square may overflow
    factor = sum(e.analytic * (e.numeric / size) for e in large)
    factor /= sum(e.numeric * (e.numeric / size) for e in large)
    if not (factor and math.isfinite(factor) and math.isfinite(1 / factor)):
        return None
    if any(abs(e.analytic / factor - e.numeric) > 4 * e.slack for e in case.known):
        return None
    is_round = any(abs(part - round(part)) < 1e-4 for part in (factor, 1 / factor))
    return factor if len(large) > 1 or is_round else None
