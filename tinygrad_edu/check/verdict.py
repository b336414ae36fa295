"""Analytic against numerical derivatives: how both are brought together, and the verdict."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from tinygrad_edu.check.diagnoses.case import Case
from tinygrad_edu.check.diagnoses.plain_mistakes import plain_mistakes
from tinygrad_edu.check.kinds import Plain, largest, moved
from tinygrad_edu.check.numerical import (
    EPS,
    STEP,
    Estimate,
    Path,
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


@dataclass(frozen=True)
class Tolerance:
    """What may lie between the two derivatives: `rtol` of the numeric one, and `atol`, or less
    where the whole gradient is smaller than 1."""

    rtol: float
    atol: float

    @staticmethod
    def of(dtype: str, rtol: Any, atol: Any, what: str) -> Tolerance:
        """The given tolerances, or those that fit the dtype: 1e-6, and 1e-3 below float64.

        ValueError for one that is negative or nan.
        """
        usual = 1e-6 if dtype == "float64" else 1e-3
        for name, given in (("rtol", rtol), ("atol", atol)):
            if given is None:
                continue
            if not isinstance(given, Real):
                raise TypeError(f"{what}: {name} is {given!r}; a tolerance is a number")
            if not float(given) >= 0:
                raise ValueError(f"{what}: {name} is {given}; a tolerance is 0 or more")
        return Tolerance(usual if rtol is None else rtol, usual if atol is None else atol)

    def at(self, numeric: Plain, size: float) -> Plain:
        """The tolerance of a derivative, or of many; `size` is the largest of the gradient."""
        return self.rtol * abs(numeric) + self.atol * min(1.0, size)


@dataclass(frozen=True, eq=False)
class Question:
    """One input or parameter to be judged.

    `result` gives the (weighed) result of the function for other numbers in the place of x, which
    are float64. `plain` says that it may be tried with complex numbers, `magnitude` is the largest
    number on the way to the result, whose rounding is in it. The rest is for diagnoses.
    """

    parameter: str
    x: Plain
    analytic: Plain
    result: Callable[[Plain], Any]
    tolerance: Tolerance
    dtype: str = "float64"
    plain: bool = False
    magnitude: float = 0.0
    adjoint: Plain = None
    counts: dict[str, int] = field(default_factory=dict)
    doubled: Plain = None
    others: dict[str, Plain] = field(default_factory=dict)
    assigned: list[Plain] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.x)

    @functools.cached_property
    def cancelled(self) -> float:
        """The size of the parts of a result that nearly cancel, 0 if they do not: the result has
        their rounding in it."""
        nearly_all = bool(self.magnitude) and abs(self.result(self.x)) < 1e-6 * self.magnitude
        return self.magnitude if nearly_all else 0.0

    def path(self, index: tuple[int, ...]) -> Path:
        """The result as a function of one element."""
        return lambda t: self.result(moved(self.x, index, t))


@dataclass(eq=False)
class Element:
    """One element of an input with both derivatives, and what was found out about it.

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


def judged(question: Question) -> Row:
    """Compare both derivatives of one input; what is wrong is looked at again, with one-sided
    derivatives, before it is called so."""
    fits = shape_of(question.analytic) == question.shape
    if fits and math.prod(question.shape) > MOST_ONE_BY_ONE:
        from tinygrad_edu.check.sampling import sampled_indices

        indices = sampled_indices(question)
    else:
        indices = list(itertools.product(*map(range, question.shape)))
    elements = list(_estimated(question, indices))
    size = max([largest(question.analytic), *(largest(e.numeric) for e in elements)])
    rounding = EPS * question.cancelled / STEP if question.magnitude else 0.0
    for e in elements:
        e.tolerance = question.tolerance.at(e.numeric, size) + rounding
    if not fits:
        said = _diagnosis(question, elements)
        return Row(question.parameter, question.shape, "wrong", dtype=question.dtype, note=said)
    for e in elements:
        e.error = _error_of(e)
    confirmed = 0
    for e in sorted(elements, key=lambda e: -e.error):
        if e.error > 1 and confirmed < CONFIRMED:
            _look_closer(question, e, elements)
            confirmed += e.error > 1
    return _row(question, elements)


def _estimated(question: Question, indices: Sequence[tuple[int, ...]]) -> Iterator[Element]:
    """The elements with their numerical derivatives."""
    by_complex = question.plain and bool(indices) and _takes_complex(question)
    fits = shape_of(question.analytic) == question.shape
    for index in indices:
        path = question.path(index)
        x = float(question.x[index]) if question.shape else float(question.x)
        analytic = question.analytic if fits else math.nan
        if fits and question.shape:
            analytic = question.analytic[index]
        estimate = complex_derivative(path) if by_complex else None
        estimate = estimate or derivative(path, x, question.cancelled)
        yield Element(index, x, float(analytic), *estimate)


def _error_of(e: Element) -> float:
    if not (math.isfinite(e.analytic) and math.isfinite(e.numeric)):
        return math.inf
    gap = abs(e.analytic - e.numeric)
    return 0.0 if gap == 0 else gap / e.tolerance if e.tolerance else math.inf


def _takes_complex(question: Question) -> bool:
    """Whether the complex step gives in a random direction what central differences give."""
    paths = [question.path(())]
    if question.shape:
        from tinygrad_edu.check.sampling import along, directions

        some = directions(question.shape, 2)
        paths = [along(question.result, question.x, direction) for direction in some]
    for path in paths:
        exact = complex_derivative(path)
        if exact is None:
            return False
        rough = derivative(path)
        if not abs(exact.value - rough.value) <= 10 * rough.doubt + 1e-7 * abs(rough.value):
            return False
    return True


def _look_closer(question: Question, e: Element, elements: Sequence[Element]) -> None:
    """A kink at x, or near it, is not an error; nor is a function too rough for differences."""
    path = question.path(e.index)
    found = sides(path, e.x, question.magnitude)
    if found.jumps:
        e.jumps, e.numeric = True, math.nan
        return
    if found.kink:
        e.kink = found
        e.numeric = (found.left.value + found.right.value) / 2
        if math.isfinite(e.analytic) and found.between(
            e.analytic, _slack(question, found.middle.value)
        ):
            e.error = 0.0
        return
    best, near = Estimate(e.numeric, e.doubt), found.only_side or found.middle
    if math.isfinite(near.value) and not (
        abs(best.value - near.value) <= 10 * near.doubt and best.doubt < near.doubt
    ):
        best = near
    e.numeric, slack = best.value, _slack(question, best.value)
    endless = math.isinf(e.analytic) and not best.doubt <= 1e-3 * abs(best.value)
    if endless or not math.isfinite(best.value):
        e.unsure = True
    elif abs(e.analytic - best.value) <= slack + 4 * best.doubt:
        size = max(largest(other.numeric) for other in elements)
        blurred = 1e-9 * abs(path(0.0))  # by the rounding of the result
        little = max(1e-3 * size, slack, blurred, 1e-6 * found.steepest)
        e.unsure = best.doubt > little
        e.error = math.nan if e.unsure else 0.0


def _slack(question: Question, numeric: float) -> float:
    """What is tolerated for an element, once it is known better."""
    size = max(largest(question.analytic), abs(numeric))
    return float(question.tolerance.at(numeric, size))


# --- the verdict ---------------------------------------------------------------------------------


def _row(question: Question, elements: list[Element]) -> Row:
    """The verdict, the element that shows it best, and what is wrong there."""
    errors, kinks = _everywhere(question, elements, "error", math.nan), None
    if not elements:
        return Row(question.parameter, question.shape, "ok", dtype=question.dtype, errors=errors)
    kinks = _everywhere(question, [e for e in elements if e.kink], "kink", False)
    wrong = [e for e in elements if e.wrong]
    unsure, at_kinks = [e for e in elements if e.unsure], [e for e in elements if e.kink]
    count = math.prod(question.shape)
    verdict: Verdict = "ok"
    note = ""
    if wrong:
        worst = max(e.error for e in wrong)
        shown = next(e for e in wrong if e.error >= 0.99 * worst)  # of nearly equal ones
        verdict = "wrong"
        note = _note_on(question, shown, elements)
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
        question.parameter, question.shape, verdict, shown.index, shown.x, shown.analytic,
        shown.numeric, question.dtype, note, errors, kinks,
    )  # fmt: skip


def _everywhere(question: Question, elements: Sequence[Element], name: str, rest: Any) -> Plain:
    """What is known of the elements in the shape of the input; `rest` is for all others."""
    kind = type(rest)
    if not question.shape:
        return kind(getattr(elements[0], name)) if elements else rest
    import numpy as np

    numbers = np.full(question.shape, rest)
    for e in elements:
        numbers[e.index] = kind(getattr(e, name))
    return numbers


def _both_sides(e: Element) -> str:
    assert e.kink is not None
    left, right = e.kink.left.value, e.kink.right.value
    return f"{left:.6g} from the left and {right:.6g} from the right"


def _note_on(question: Question, e: Element, elements: Sequence[Element]) -> str:
    if e.jumps:
        return (
            "the result jumps at this input, so that it has no derivative: is it cut off by "
            "int(), round() or a comparison?"
        )
    if e.kink:
        return (
            f"there is a kink: the derivative is {_both_sides(e)}, and the analytic one is not "
            "between them"
        )
    return _diagnosis(question, elements) or "both derivatives differ"


def _diagnosis(question: Question, elements: Sequence[Element]) -> str:
    """What is wrong, and the cure, in one sentence; empty if it is not recognised."""
    for e in elements:
        e.tolerance += e.doubt
    case = Case(
        question.analytic, _everywhere(question, elements, "numeric", math.nan),
        _everywhere(question, elements, "tolerance", math.nan), question.x, question.result,
        question.adjoint, question.counts, question.doubled, question.others, question.assigned,
    )  # fmt: skip
    if not hasattr(question.x, "dtype") and not shape_of(question.analytic):
        return next(plain_mistakes(case), "")
    from tinygrad_edu.check.diagnoses.mistakes import diagnosis

    return diagnosis(case)


# --- of several inputs ---------------------------------------------------------------------------


def judged_together(questions: Sequence[Question]) -> list[Row]:
    """Compare both derivatives of all inputs."""
    return with_swaps_named(questions, [judged(question) for question in questions])


def with_swaps_named(questions: Sequence[Question | None], rows: Sequence[Row]) -> list[Row]:
    """The rows of the questions; two wrong ones that are right with each other's gradient say so.

    Where more than six are wrong, a swap is hardly what is wrong, and nothing is tried.
    """
    named = list(rows)
    wrong = [i for i, row in enumerate(rows) if row.verdict == "wrong"]
    for i, j in itertools.combinations(wrong if len(wrong) <= 6 else [], 2):
        one, other = questions[i], questions[j]
        if (
            one
            and other
            and _is_gradient_of(one, other.analytic)
            and _is_gradient_of(other, one.analytic)
        ):
            for k, its in ((i, other.parameter), (j, one.parameter)):
                said = f"it is the gradient of {its}, and that of {its} stands there: swap both"
                named[k] = replace(rows[k], note=said)
    return named


def _is_gradient_of(question: Question, analytic: Plain) -> bool:
    """Whether another gradient is the one that is asked for."""
    if shape_of(analytic) != question.shape:
        return False
    asked = replace(question, analytic=analytic)
    if question.shape:
        from tinygrad_edu.check.sampling import directions, disagreement

        if any(disagreement(asked, direction) > 1 for direction in directions(question.shape, 1)):
            return False  # after one derivative instead of one for each element
    return judged(asked).verdict in ("ok", "kink")
