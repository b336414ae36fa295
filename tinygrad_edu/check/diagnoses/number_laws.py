"""Laws that hold for the derivative of a number as well as for all elements of an array."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses.counts import explanations, root_of_whole
from tinygrad_edu.check.kinds import largest


def not_finite(case: Case) -> Iterator[str]:
    if any(math.isnan(e.analytic) for e in case.known):
        yield "the analytic derivative is nan"
    if any(math.isinf(e.analytic) for e in case.known):
        yield "the analytic derivative is infinite"


def never_set(case: Case) -> Iterator[str]:
    """0 everywhere; where the function is saturated, the right derivative is nearly 0 too."""
    steepest = max((abs(e.numeric) for e in case.known), default=0.0)
    rise = steepest * max(1.0, largest(case.x))
    if any(e.analytic for e in case.known) or rise <= 1e-10 * abs(case.result(case.x)):
        return
    yield (
        "the analytic derivative is 0 everywhere: it was never set, the graph was cut (.data, "
        "detach), or an array of integers rounds it away"
    )


def no_effect(case: Case) -> Iterator[str]:
    if all(abs(e.numeric) <= e.slack for e in case.known) and _stands_still(case):
        yield (
            "moving the input does not change the result, so the derivative is 0: is a copy used "
            "in its place, or does int(), round() or a comparison cut the number off?"
        )


def _stands_still(case: Case) -> bool:
    """Whether the result is the same after a small move, as it is not at the bottom of x²."""
    step = 1e-3 * max(1.0, largest(case.x))
    return bool(case.result(case.x + step) == case.result(case.x))


def sign(case: Case) -> Iterator[str]:
    if case.known and all(abs(e.analytic + e.numeric) <= 4 * e.slack for e in case.known):
        yield "the sign is wrong: negate it"


def factor(case: Case) -> Iterator[str]:
    """All elements are wrong by one factor. What may explain it is said, and nothing as certain."""
    ratio = _constant_ratio(case)
    if ratio is None:
        return
    reasons = explanations(case, ratio)
    if abs(ratio - 1) < 1e-3 and not reasons:
        return  # nearly right
    whole = round(ratio), round(1 / ratio)
    if math.isclose(ratio, 2, rel_tol=1e-4):
        said = "it is twice what it should be"
    elif math.isclose(ratio, 0.5, rel_tol=1e-4):
        said = "it is half of what it should be"
    elif reasons and math.isclose(ratio, whole[0], rel_tol=1e-4):
        said = f"it is {whole[0]} times too large"
    elif reasons and whole[1] > 1 and math.isclose(ratio, 1 / whole[1], rel_tol=1e-4):
        said = f"it is {whole[1]} times too small"
    else:
        said = f"it is {ratio:.6g} times what it should be{root_of_whole(ratio)}"
        said += ", for every element" if case.shape else ""
    yield ": ".join(filter(None, [said, ", or ".join(reasons)]))


def nearly(case: Case) -> Iterator[str]:
    if case.known and all(
        abs(e.analytic - e.numeric) <= 1e-3 * abs(e.numeric) + e.slack for e in case.known
    ):
        yield (
            "it is right but for less than a thousandth: is an eps, in a log, a division or a "
            "root, in one of the two passes only, or is a part computed in float32?"
        )


def _constant_ratio(case: Case) -> float | None:
    """The factor by which all elements are wrong.

    One number alone tells no factor from another mistake, unless the factor is a round one, or
    there is another point to compare with.
    """
    large = [e for e in case.known if abs(e.numeric) > 100 * e.slack]
    if not large:
        return None
    size = max(abs(e.numeric) for e in large)  # whose square may overflow
    ratio = sum(e.analytic * (e.numeric / size) for e in large)
    ratio /= sum(e.numeric * (e.numeric / size) for e in large)
    if not (ratio and math.isfinite(ratio) and math.isfinite(1 / ratio)):
        return None
    if any(abs(e.analytic / ratio - e.numeric) > 4 * e.slack for e in case.known):
        return None
    is_round = any(abs(part - round(part)) < 1e-4 for part in (ratio, 1 / ratio))
    return ratio if len(large) > 1 or is_round or case.elsewhere else None
