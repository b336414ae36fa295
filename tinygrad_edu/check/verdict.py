"""Analytic against numerical derivatives: how both are brought together, and the verdict."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses.mistake import Mistake
from tinygrad_edu.check.diagnoses.naming import name_of_mistake
from tinygrad_edu.check.kinds import Plain, largest
from tinygrad_edu.check.numerical import (
    EPS,
    STEP,
    Estimate,
    Sides,
    complex_derivative,
    derivative,
    sides,
)
from tinygrad_edu.check.report import Row, Verdict
from tinygrad_edu.view.cards.reading import shape_of

MOST_ONE_BY_ONE = 1000
"""Inputs with more elements are tried along random directions, and at some elements."""
CONFIRMED = 200
"""So many wrong elements are looked at closely, before the rest is believed to be wrong too."""


@dataclass(eq=False)
class Element:
    """One element of an input with both derivatives, and what is known of it.

    `error` is a multiple of the tolerance, and nan where nothing can be said. `kink` holds the
    derivatives from both sides, if they differ.
    """

    index: tuple[int, ...]
    x: float
    analytic: float
    numeric: float
    doubt: float
    tolerance: float = math.nan
    error: float = math.nan
    unsure: bool = False
    jumps: bool = False
    kink: Sides | None = None

    @property
    def wrong(self) -> bool:
        return self.error > 1 and not self.unsure


def judged(case: Case) -> Row:
    """Compare both derivatives of one input; what is wrong is looked at again, with one-sided
    derivatives, before it is called so."""
    fits = shape_of(case.analytic) == case.shape
    if fits and math.prod(case.shape) > MOST_ONE_BY_ONE:
        from tinygrad_edu.check.sampling import sampled_indices

        indices = sampled_indices(case)
    else:
        indices = list(itertools.product(*map(range, case.shape)))
    elements = list(_estimated(case, indices))
    size = max([largest(case.analytic), *(largest(e.numeric) for e in elements)])
    rounding = EPS * case.cancelled / STEP if case.magnitude else 0.0
    for e in elements:
        e.tolerance = case.tolerance.at(e.numeric, size) + rounding
    if not fits:
        mistake = _mistake(case, elements)
        return Row(
            case.parameter, case.shape, "wrong", dtype=case.dtype, note=mistake.said,
            kind=mistake.kind,
        )  # fmt: skip
    for e in elements:
        e.error = _error_of(e)
    confirmed = 0
    for e in sorted(elements, key=lambda e: -e.error):
        if e.error > 1 and confirmed < CONFIRMED:
            _look_closer(case, e, elements)
            confirmed += e.error > 1
    return _row(case, elements)


def _estimated(case: Case, indices: Sequence[tuple[int, ...]]) -> Iterator[Element]:
    """The elements with their numerical derivatives."""
    by_complex = case.plain and bool(indices) and _takes_complex(case)
    fits = shape_of(case.analytic) == case.shape
    for index in indices:
        path = case.path(index)
        x = float(case.x[index]) if case.shape else float(case.x)
        analytic = case.analytic if fits else math.nan
        if fits and case.shape:
            analytic = case.analytic[index]
        estimate = complex_derivative(path) if by_complex else None
        estimate = estimate or derivative(path, x, case.cancelled)
        yield Element(index, x, float(analytic), *estimate)


def _error_of(e: Element) -> float:
    if not (math.isfinite(e.analytic) and math.isfinite(e.numeric)):
        return math.inf
    gap = abs(e.analytic - e.numeric)
    return 0.0 if gap == 0 else gap / e.tolerance if e.tolerance else math.inf


def _takes_complex(case: Case) -> bool:
    """Whether the complex step gives in a random direction what central differences give."""
    paths = [case.path(())]
    if case.shape:
        from tinygrad_edu.check.sampling import along, directions

        some = directions(case.shape, 2)
        paths = [along(case.result, case.x, direction) for direction in some]
    for path in paths:
        exact = complex_derivative(path)
        if exact is None:
            return False
        rough = derivative(path)
        if not abs(exact.value - rough.value) <= 10 * rough.doubt + 1e-7 * abs(rough.value):
            return False
    return True


def _look_closer(case: Case, e: Element, elements: Sequence[Element]) -> None:
    """A kink at x, or near it, is not an error; nor is a function too rough for differences."""
    path = case.path(e.index)
    found = sides(path, e.x, case.magnitude)
    if found.jumps:
        e.jumps, e.numeric = True, math.nan
        return
    if found.kink:
        e.kink = found
        e.numeric = (found.left.value + found.right.value) / 2
        if math.isfinite(e.analytic) and found.between(
            e.analytic, _slack(case, found.middle.value)
        ):
            e.error = 0.0
        return
    best, near = Estimate(e.numeric, e.doubt), found.only_side or found.middle
    if math.isfinite(near.value) and not (
        abs(best.value - near.value) <= 10 * near.doubt and best.doubt < near.doubt
    ):
        best = near
    e.numeric, slack = best.value, _slack(case, best.value)
    endless = math.isinf(e.analytic) and not best.doubt <= 1e-3 * abs(best.value)
    if endless or not math.isfinite(best.value):
        e.unsure = True
    elif abs(e.analytic - best.value) <= slack + 4 * best.doubt:
        size = max(largest(other.numeric) for other in elements)
        blurred = 1e-9 * abs(path(0.0))  # by the rounding of the result
        little = max(1e-3 * size, slack, blurred, 1e-6 * found.steepest)
        e.unsure = best.doubt > little
        e.error = math.nan if e.unsure else 0.0


def _slack(case: Case, numeric: float) -> float:
    """What is tolerated for an element, once it is known better."""
    size = max(largest(case.analytic), abs(numeric))
    return float(case.tolerance.at(numeric, size))


# --- the verdict ---------------------------------------------------------------------------------


def _row(case: Case, elements: list[Element]) -> Row:
    """The verdict, the element that shows it best, and what is wrong there."""
    errors, kinks = _everywhere(case, elements, "error", math.nan), None
    if not elements:
        return Row(case.parameter, case.shape, "ok", dtype=case.dtype, errors=errors)
    kinks = _everywhere(case, [e for e in elements if e.kink], "kink", False)
    wrong = [e for e in elements if e.wrong]
    unsure, at_kinks = [e for e in elements if e.unsure], [e for e in elements if e.kink]
    count = math.prod(case.shape)
    verdict: Verdict = "ok"
    note = kind = ""
    if wrong:
        worst = max(e.error for e in wrong)
        shown = next(e for e in wrong if e.error >= 0.99 * worst)  # of nearly equal ones
        verdict = "wrong"
        mistake = _mistake_at(case, shown, elements)
        note, kind = mistake.said, mistake.kind
        if count > 1:
            tried = f"{len(elements)} elements" + ("" if len(elements) == count else " tried")
            note += f" ({len(wrong)} of {tried} wrong)"
    elif unsure:
        shown, verdict = unsure[0], "unsure"
        note = (
            "no numerical derivative was found: the function is too rough there, or only defined "
            "on one side; try another input"
        )
    elif at_kinks:
        shown, verdict = at_kinks[0], "kink"
        note = (
            f"a kink at {len(at_kinks)} of {count}: the derivative is {_both_sides(shown)}, and "
            "the analytic one lies between"
        )
    else:
        shown = max(elements, key=lambda e: e.error)
        if shown.error < 0.01:  # rounding, which differs from machine to machine
            shown = max(elements, key=lambda e: abs(e.analytic))
        if len(elements) < count:
            note = f"tried along 8 random directions and at {len(elements)} elements"
    return Row(
        case.parameter, case.shape, verdict, shown.index, shown.x, shown.analytic,
        shown.numeric, case.dtype, note, errors, kinks, kind,
    )  # fmt: skip


def _everywhere(case: Case, elements: Sequence[Element], name: str, rest: Any) -> Plain:
    """What is known of the elements in the shape of the input; `rest` is for all others."""
    kind = type(rest)
    if not case.shape:
        return kind(getattr(elements[0], name)) if elements else rest
    import numpy as np

    numbers = np.full(case.shape, rest)
    for e in elements:
        numbers[e.index] = kind(getattr(e, name))
    return numbers


def _both_sides(e: Element) -> str:
    assert e.kink is not None
    left, right = e.kink.left.value, e.kink.right.value
    return f"{left:.6g} from the left and {right:.6g} from the right"


def _mistake_at(case: Case, e: Element, elements: Sequence[Element]) -> Mistake:
    if e.jumps:
        return Mistake(
            "jump",
            "the result jumps at this input, so it has no derivative: is it cut off by int(), "
            "round() or a comparison?",
        )
    if e.kink:
        return Mistake(
            "kink",
            f"there is a kink: the derivative is {_both_sides(e)}, and the analytic one is not "
            "between them",
        )
    return _mistake(case, elements)


def _mistake(case: Case, elements: Sequence[Element]) -> Mistake:
    """What is wrong, by name, if it is recognised."""
    for e in elements:
        e.tolerance += e.doubt
    case = replace(
        case,
        numeric=_everywhere(case, elements, "numeric", math.nan),
        slack=_everywhere(case, elements, "tolerance", math.nan),
    )
    return name_of_mistake(case) or Mistake("", "both derivatives differ")


# --- of several inputs ---------------------------------------------------------------------------


def judged_together(cases: Sequence[Case]) -> list[Row]:
    """Compare both derivatives of all inputs."""
    return with_swaps_named(cases, [judged(case) for case in cases])


def with_swaps_named(cases: Sequence[Case | None], rows: Sequence[Row]) -> list[Row]:
    """The rows of the cases; two wrong ones that are right with each other's gradient say so.

    Where more than six are wrong, a swap is hardly what is wrong, and nothing is tried.
    """
    with_names = list(rows)
    wrong = [i for i, row in enumerate(rows) if row.verdict == "wrong"]
    for i, j in itertools.combinations(wrong if len(wrong) <= 6 else [], 2):
        one, other = cases[i], cases[j]
        if (
            one
            and other
            and _is_gradient_of(one, other.analytic)
            and _is_gradient_of(other, one.analytic)
        ):
            for k, its in ((i, other.parameter), (j, one.parameter)):
                said = f"it is the gradient of {its}, and that of {its} stands there: swap both"
                with_names[k] = replace(rows[k], note=said, kind="swapped")
    return with_names


def _is_gradient_of(case: Case, analytic: Plain) -> bool:
    """Whether another gradient is the one that is asked for."""
    if shape_of(analytic) != case.shape:
        return False
    asked = replace(case, analytic=analytic)
    if case.shape:
        from tinygrad_edu.check.sampling import directions, disagreement

        if any(disagreement(asked, direction) > 1 for direction in directions(case.shape, 1)):
            return False  # after one derivative instead of one for each element
    return judged(asked).verdict in ("ok", "kink")
