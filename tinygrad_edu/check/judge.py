"""Analytic against numerical derivatives: how both are brought together, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.diagnoses import Case, diagnosis
from tinygrad_edu.check.numerical import (
    EPS,
    Estimate,
    Path,
    complex_derivative,
    derivative,
    directions,
    moved,
    sides,
)
from tinygrad_edu.check.report import Row

Array = npt.NDArray[Any]

MOST = 1000
"""Inputs with more elements are tried along random directions, and at some elements."""
DIRECTIONS, SAMPLES = 8, 100
KINKS_LOOKED_AT = 200


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
            if given is not None and not given >= 0:
                raise ValueError(f"{what}: {name} is {given}; a tolerance is 0 or more")
        return Tolerance(usual if rtol is None else rtol, usual if atol is None else atol)

    def at(self, numeric: Array, analytic: Array, doubt: Array) -> Array:
        """The tolerance of every element."""
        sizes = np.abs(np.concatenate([numeric.ravel(), analytic.ravel()]))
        scale = min(1.0, float(np.max(sizes, initial=0.0, where=np.isfinite(sizes))))
        return np.asarray(self.rtol * np.abs(numeric) + self.atol * scale + doubt)


@dataclass(frozen=True, eq=False)
class Question:
    """One input or parameter to be judged.

    `result` gives the (weighed) result of the function for another array in the place of x, which
    is float64. `plain` says that it may be tried with complex numbers. The rest is for diagnoses.
    """

    parameter: str
    x: Array
    analytic: Array
    result: Callable[[Array], Any]
    tolerance: Tolerance
    dtype: str = "float64"
    plain: bool = False
    adjoint: Array | None = None
    counts: dict[str, int] = field(default_factory=dict)
    doubled: Array | None = None
    assigned: list[Array] = field(default_factory=list)

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
        numeric[index], doubt[index] = estimate or derivative(path, float(x[index]))
    return _row(question, numeric, doubt)


def numerical(question: Question) -> Array:
    """The numerical derivative alone, by every element."""
    found = np.empty(question.x.shape)
    for index in np.ndindex(found.shape):
        found[index] = derivative(question.path(index), float(question.x[index])).value
    return found


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


def _row(question: Question, numeric: Array, doubt: Array) -> Row:
    analytic, x, name = question.analytic, question.x, question.parameter
    if analytic.shape != x.shape:
        case = _case(question, numeric, question.tolerance.at(numeric, analytic, doubt))
        return Row(name, x.shape, "wrong", dtype=question.dtype, note=diagnosis(case))
    tolerance = question.tolerance.at(numeric, analytic, np.minimum(doubt, np.abs(numeric) * 0.1))
    known = ~np.isnan(numeric)
    errors = _errors(analytic, numeric, tolerance)
    kinks = np.zeros(x.shape, bool)
    unsure = np.zeros(x.shape, bool)
    untried = x.size > MOST  # then what is not known was not asked for
    suspects = np.argwhere((errors > 1) | (~known & ~np.bool_(untried)))
    order = sorted(map(tuple, suspects.tolist()), key=lambda i: -_size(errors[i]))
    for index in order[:KINKS_LOOKED_AT]:
        _look_closer(question, index, numeric, tolerance, errors, kinks, unsure)
    wrong = errors > 1
    if not x.size:
        return Row(name, x.shape, "ok", dtype=question.dtype, errors=errors, kinks=kinks)
    shown = np.where(np.isnan(errors), -1.0, errors)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(shown), x.shape))
    verdict: Any = "ok"
    note = ""
    if wrong.any():
        verdict = "wrong"
        note = f"{diagnosis(_case(question, numeric, tolerance))} {_count(wrong, known)}".strip()
    elif unsure.any():
        verdict = "unsure"
        index = tuple(int(i) for i in np.argwhere(unsure)[0])
        note = "the function is too rough here for a numerical derivative, so nothing is said"
    elif kinks.any():
        verdict = "kink"
        index = tuple(int(i) for i in np.argwhere(kinks)[0])
        note = (
            f"a kink at {int(kinks.sum())} of {x.size}: the derivatives from the left and from "
            "the right differ there, and the analytic one lies between them"
        )
    if not known.all() and verdict == "ok":
        note = f"tried along {DIRECTIONS} random directions and at {int(known.sum())} elements"
    return Row(
        name, x.shape, verdict, index, float(x[index]), float(analytic[index]),
        float(numeric[index]), question.dtype, note, errors, kinks,
    )  # fmt: skip


def _size(error: Any) -> float:
    return float("inf") if np.isnan(error) else float(error)


def _errors(analytic: Array, numeric: Array, tolerance: Array) -> Array:
    """The error of every element as a multiple of its tolerance; nan where nothing is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.abs(analytic - numeric)
        errors = np.where(gap == 0, 0.0, gap / tolerance)
    errors = np.where(np.isfinite(analytic), errors, np.inf)
    return np.where(np.isnan(numeric), np.nan, errors)


def _look_closer(
    question: Question,
    index: tuple[int, ...],
    numeric: Array,
    tolerance: Array,
    errors: Array,
    kinks: Array,
    unsure: Array,
) -> None:
    """A kink at x, or near it, is no error; nor is a function too rough to be differentiated."""
    found = sides(question.path(index), float(question.x[index]))
    analytic = float(question.analytic[index])
    if found is None or not np.isfinite([found.left.value, found.right.value]).all():
        unsure[index] = np.isnan(numeric[index])
        return
    middle = (found.left.value + found.right.value) / 2
    slack = float(tolerance[index]) if np.isfinite(tolerance[index]) else 0.0
    slack = max(slack, question.tolerance.rtol * abs(middle))
    if found.jumps:
        return
    if found.kink:
        kinks[index] = True
        numeric[index] = middle
        if np.isfinite(analytic) and found.between(analytic, slack):
            errors[index] = 0.0
        return
    doubt = found.left.doubt + found.right.doubt
    if abs(analytic - middle) <= slack + doubt:
        # the step of the central difference had met a kink, or a bend, near x
        numeric[index] = middle
        errors[index] = 0.0 if doubt <= 0.01 * abs(middle) + slack else np.nan
        unsure[index] = np.isnan(errors[index])


def _case(question: Question, numeric: Array, tolerance: Array) -> Case:
    return Case(
        question.analytic, numeric, tolerance, question.x, question.adjoint,
        question.counts, question.doubled, question.assigned,
    )  # fmt: skip


def _count(wrong: Array, known: Array) -> str:
    if wrong.size < 2:
        return ""
    of = f"{int(known.sum())} elements tried" if not known.all() else f"{wrong.size} elements"
    return f"({int(wrong.sum())} of {of} wrong)"


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
    size = float(np.linalg.norm(question.analytic[direction != 0]))
    found = derivative(question.along(direction))
    slack = question.tolerance.rtol * max(abs(found.value), 0.1 * size)
    slack += question.tolerance.atol * min(1.0, size) + found.doubt
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
