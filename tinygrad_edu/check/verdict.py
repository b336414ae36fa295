"""Analytic against numerical derivatives: how both are brought together, and the verdict."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.diagnoses.case import Case
from tinygrad_edu.check.diagnoses.mistakes import diagnosis
from tinygrad_edu.check.numerical import (
    EPS,
    STEP,
    Estimate,
    Path,
    complex_derivative,
    derivative,
    directions,
    moved,
    sides,
)
from tinygrad_edu.check.report import Row, Verdict

Array = npt.NDArray[Any]

MOST = 1000
"""Inputs with more elements are tried along random directions, and at some elements."""
DIRECTIONS, SAMPLES = 8, 100
LOOKED_AT = 200
"""So many wrong elements are looked at closely, before the rest is believed to be wrong too."""


@dataclass(frozen=True)
class Tolerance:
    """What may lie between the two derivatives: `rtol` of the numeric one, and `atol`, or less
    where the whole gradient is smaller than 1."""

    rtol: float
    atol: float

    @staticmethod
    def of(dtype: Any, rtol: float | None, atol: float | None, what: str) -> Tolerance:
        """The given tolerances, or those that fit the dtype: 1e-6, and 1e-3 below float64.

        ValueError for one that is negative or nan.
        """
        usual = 1e-6 if np.finfo(dtype).eps <= EPS else 1e-3
        for name, given in (("rtol", rtol), ("atol", atol)):
            if given is not None and not isinstance(given, int | float | np.number):
                raise TypeError(f"{what}: {name} is {given!r}; a tolerance is a number")
            if given is not None and not given >= 0:
                raise ValueError(f"{what}: {name} is {given}; a tolerance is 0 or more")
        return Tolerance(usual if rtol is None else rtol, usual if atol is None else atol)

    def at(self, numeric: Array, analytic: Array) -> Array:
        """The tolerance of every element."""
        scale = min(1.0, max(_largest(numeric), _largest(analytic)))
        return np.asarray(self.rtol * np.abs(numeric) + self.atol * scale)


@dataclass(frozen=True, eq=False)
class Question:
    """One input or parameter to be judged.

    `result` gives the (weighed) result of the function for another array in the place of x, which
    is float64. `plain` says that it may be tried with complex numbers, `magnitude` is the largest
    number on the way to the result, whose rounding is in it. The rest is for diagnoses.
    """

    parameter: str
    x: Array
    analytic: Array
    result: Callable[[Array], Any]
    tolerance: Tolerance
    dtype: str = "float64"
    plain: bool = False
    magnitude: float = 0.0
    adjoint: Array | None = None
    counts: dict[str, int] = field(default_factory=dict)
    doubled: Array | None = None
    others: dict[str, Array] = field(default_factory=dict)
    assigned: list[Array] = field(default_factory=list)

    @functools.cached_property
    def cancelled(self) -> float:
        """The size of the parts of a result that nearly cancel, 0 if they do not: the result has
        their rounding in it."""
        nearly_all = bool(self.magnitude) and abs(self.result(self.x)) < 1e-6 * self.magnitude
        return self.magnitude if nearly_all else 0.0

    def path(self, index: tuple[int, ...]) -> Path:
        """The result as a function of one element."""
        return lambda t: self.result(moved(self.x, index, t))

    def along(self, direction: Array) -> Path:
        """The result as a function of the way in a direction."""
        return lambda t: self.result(self.x + t * direction)


def judged(question: Question) -> Row:
    """Compare both derivatives of one input; what is wrong is looked at again, with one-sided
    derivatives, before it is called so."""
    x = question.x
    if question.analytic.shape == x.shape and x.size > MOST:
        indices = _sampled(question)
    else:
        indices = list(np.ndindex(x.shape))
    numeric, doubt = np.full(x.shape, np.nan), np.zeros(x.shape)
    by_complex = question.plain and x.size > 0 and _takes_complex(question)
    for index in indices:
        path = question.path(index)
        estimate = complex_derivative(path) if by_complex else None
        estimate = estimate or derivative(path, float(x[index]), question.cancelled)
        numeric[index], doubt[index] = estimate
    if question.analytic.shape != x.shape:
        case = _case(question, numeric, question.tolerance.at(numeric, question.analytic) + doubt)
        return Row(question.parameter, x.shape, "wrong", dtype=question.dtype, note=diagnosis(case))
    return _Elements(question, indices, numeric, doubt).row()


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
        if one and other and _is_of(one, other.analytic) and _is_of(other, one.analytic):
            for k, its in ((i, other.parameter), (j, one.parameter)):
                said = f"it is the gradient of {its}, and that of {its} stands there: swap both"
                named[k] = replace(rows[k], note=said)
    return named


def _is_of(question: Question, analytic: Array) -> bool:
    """Whether another gradient is the one that is asked for."""
    asked = replace(question, analytic=analytic)
    if analytic.shape != question.x.shape:
        return False
    if any(_disagreement(asked, direction) > 1 for direction in directions(analytic.shape, 1)):
        return False  # after one derivative instead of one for each element
    return judged(asked).verdict in ("ok", "kink")


def _takes_complex(question: Question) -> bool:
    """Whether the complex step gives in a random direction what central differences give."""
    for direction in directions(question.x.shape, 2):
        path = question.along(direction)
        exact = complex_derivative(path)
        if exact is None:
            return False
        rough = derivative(path)
        if not abs(exact.value - rough.value) <= 10 * rough.doubt + 1e-7 * abs(rough.value):
            return False
    return True


class _Elements:
    """Every element of one input with both derivatives, and what was found out about it.

    `errors` are multiples of what is tolerated, so that 1 is the limit; nan where none was tried.
    """

    def __init__(
        self, question: Question, indices: list[tuple[int, ...]], numeric: Array, doubt: Array
    ) -> None:
        self.question, self.numeric, self.doubt = question, numeric, doubt
        self.tried = np.zeros(numeric.shape, bool)
        for index in indices:
            self.tried[index] = True
        self.tolerance = question.tolerance.at(numeric, question.analytic)
        self.tolerance += EPS * question.cancelled / STEP
        gap = np.abs(question.analytic - numeric)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.where(gap == 0, 0.0, gap / self.tolerance)
        errors = np.where(np.isfinite(question.analytic) & np.isfinite(numeric), errors, np.inf)
        self.errors = np.where(self.tried, errors, np.nan)
        self.kinks, self.jumps, self.unsure = (np.zeros(numeric.shape, bool) for _ in range(3))
        self.sides: dict[tuple[int, ...], tuple[float, float]] = {}
        confirmed = 0
        for index in sorted(indices, key=lambda i: -float(self.errors[i])):
            if self.errors[index] > 1 and confirmed < LOOKED_AT:
                self._look_closer(index)
                confirmed += bool(self.errors[index] > 1)

    def _look_closer(self, index: tuple[int, ...]) -> None:
        """A kink at x, or near it, is not an error; nor is a function too rough for differences."""
        analytic = float(self.question.analytic[index])
        best = Estimate(float(self.numeric[index]), float(self.doubt[index]))
        path, x = self.question.path(index), float(self.question.x[index])
        found = sides(path, x, self.question.magnitude)
        if found.jumps:
            self.jumps[index], self.numeric[index] = True, np.nan
            return
        slack = self._slack(found.middle.value)
        if found.kink:
            self.kinks[index] = True
            self.sides[index] = found.left.value, found.right.value
            self.numeric[index] = (found.left.value + found.right.value) / 2
            if np.isfinite(analytic) and found.between(analytic, slack):
                self.errors[index] = 0.0
            return
        near = found.only_side or found.middle
        if np.isfinite(near.value) and not (
            abs(best.value - near.value) <= 10 * near.doubt and best.doubt < near.doubt
        ):
            best = near
        self.numeric[index], slack = best.value, self._slack(best.value)
        endless = np.isinf(analytic) and not best.doubt <= 1e-3 * abs(best.value)
        if endless or not np.isfinite(best.value):
            self.unsure[index] = True
        elif abs(analytic - best.value) <= slack + 4 * best.doubt:
            size = _largest(self.numeric)
            blurred = 1e-9 * abs(self.question.path(index)(0.0))  # by the rounding of the result
            little = max(1e-3 * size, slack, blurred, 1e-6 * found.steepest)
            self.unsure[index] = best.doubt > little
            self.errors[index] = np.nan if self.unsure[index] else 0.0

    def _slack(self, numeric: float) -> float:
        """What is tolerated for an element, once it is known better."""
        scale = _largest(self.question.analytic)
        rtol, atol = self.question.tolerance.rtol, self.question.tolerance.atol
        return rtol * abs(numeric) + atol * min(1.0, max(scale, abs(numeric)))

    def row(self) -> Row:
        """The verdict, the element that shows it best, and what is wrong there."""
        question, x = self.question, self.question.x
        if not x.size:
            return Row(question.parameter, x.shape, "ok", dtype=question.dtype, errors=self.errors)
        wrong = (self.errors > 1) & ~self.unsure
        verdict: Verdict = "ok"
        shown, note = np.where(np.isnan(self.errors), -1.0, self.errors), ""
        if wrong.any():
            worst = np.where(wrong, self.errors, -1.0)
            verdict, shown = "wrong", worst >= 0.99 * worst.max()  # the first of nearly equal ones
        elif self.unsure.any():
            verdict, shown = "unsure", self.unsure
        elif self.kinks.any():
            verdict, shown = "kink", self.kinks
        elif shown.max() < 0.01:  # rounding, which differs from machine to machine
            shown = np.where(self.tried, np.abs(question.analytic), -1.0)
        index = tuple(int(i) for i in np.unravel_index(np.argmax(shown), x.shape))
        if verdict == "wrong":
            note = self._said(index) + self._count(wrong)
        elif verdict == "unsure":
            note = (
                "no numerical derivative was found: the function is too rough there, or only "
                "defined on one side; try another input"
            )
        elif verdict == "kink":
            left, right = self.sides[index]
            note = (
                f"a kink at {int(self.kinks.sum())} of {x.size}: the derivative is {left:.6g} from "
                f"the left and {right:.6g} from the right, and the analytic one lies between"
            )
        elif not self.tried.all():
            note = f"tried along {DIRECTIONS} random directions and at {self.tried.sum()} elements"
        return Row(
            question.parameter, x.shape, verdict, index, float(x[index]),
            float(question.analytic[index]), float(self.numeric[index]), question.dtype, note,
            self.errors, self.kinks,
        )  # fmt: skip

    def _said(self, index: tuple[int, ...]) -> str:
        if self.jumps[index]:
            return (
                "the result jumps at this input, so that it has no derivative: is it cut off by "
                "int(), round() or a comparison?"
            )
        if self.kinks[index]:
            left, right = self.sides[index]
            return (
                f"there is a kink: the derivative is {left:.6g} from the left and {right:.6g} from "
                "the right, and the analytic one is not between them"
            )
        case = _case(self.question, self.numeric, self.tolerance + self.doubt)
        return diagnosis(case) or "both derivatives differ"

    def _count(self, wrong: Array) -> str:
        """How many elements are wrong, to stand behind what is said of them."""
        if wrong.size < 2:
            return ""
        tried = f"{int(self.tried.sum())} elements" + ("" if self.tried.all() else " tried")
        return f" ({int(wrong.sum())} of {tried} wrong)"


def _largest(x: Array) -> float:
    sizes = np.abs(x)
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _case(question: Question, numeric: Array, tolerance: Array) -> Case:
    return Case(
        question.analytic, numeric, tolerance, question.x, question.result,
        question.adjoint,
        question.counts, question.doubled, question.others,
        question.assigned,
    )  # fmt: skip


def _sampled(question: Question) -> list[tuple[int, ...]]:
    """Elements of a large input to be tried one by one: the largest analytic derivatives, some at
    random, and for every direction that disagrees the element that halving leads to."""
    x, analytic = question.x, question.analytic
    rng = np.random.default_rng(1)
    largest = np.argsort(-np.abs(analytic), axis=None)[: SAMPLES // 2]
    flat = {int(i) for i in largest} | {int(i) for i in rng.choice(x.size, SAMPLES // 2)}
    for direction in directions(x.shape, DIRECTIONS):
        if _disagreement(question, direction) > 1:
            flat.add(_halved(question, direction))
    return [tuple(int(k) for k in np.unravel_index(i, x.shape)) for i in sorted(flat)]


def _disagreement(question: Question, direction: Array) -> float:
    """How far both derivatives along a direction are apart, as a multiple of what is tolerated."""
    expected = float(np.sum(question.analytic * direction))
    size = float(np.linalg.norm(question.analytic * direction))  # errors of all signs cancel
    largest = float(np.max(np.abs(question.analytic)))
    found = derivative(question.along(direction))
    slack = question.tolerance.rtol * size + question.tolerance.atol * min(1.0, largest)
    slack = 0.1 * slack + found.doubt  # a tenth: one element among many has to be seen
    gap = abs(expected - found.value)
    if gap <= slack:
        return 0.0
    return gap / slack if slack and np.isfinite(gap) else np.inf


def _halved(question: Question, direction: Array) -> int:
    """The element to which halving a direction leads, always into the worse half."""
    chosen: Sequence[int] = range(direction.size)
    while len(chosen) > 1:
        middle = len(chosen) // 2
        halves = chosen[:middle], chosen[middle:]
        chosen = max(halves, key=lambda half: _gap(question, direction, half))
    return chosen[0]


def _gap(question: Question, direction: Array, chosen: Sequence[int]) -> float:
    flat = np.zeros(direction.size)
    flat[chosen] = direction.ravel()[chosen]
    part = flat.reshape(direction.shape)
    found: Estimate = derivative(question.along(part))
    gap = abs(float(np.sum(question.analytic * part)) - found.value)
    return np.inf if np.isnan(gap) else gap
