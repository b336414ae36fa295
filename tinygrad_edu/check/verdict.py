"""Analytic against numerical derivatives: the verdict on an input, and on several."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses.mistake import Mistake
from tinygrad_edu.check.diagnoses.naming import name_of_mistake
from tinygrad_edu.check.elements import Element, Examination
from tinygrad_edu.check.kinds import Plain, all_finite
from tinygrad_edu.check.noise import value_at
from tinygrad_edu.check.progress import Progress
from tinygrad_edu.check.report import STOPPED, Row, Verdict
from tinygrad_edu.view.cards.reading import shape_of

CALLS = 340
"""So many calls of the function are for all inputs together, where everything is right."""
KNOWN = 150
"""Where something is wrong, so many elements are computed, to say what."""

MOVES = (1e-7, 0.01, -0.01, 0.3, -0.3, 1.0, -1.0, 4.0, -4.0, 30.0, -30.0)
"""An input that matters, though not near here, changes the result over one of these."""

NOT_FINITE = "the input is infinite or nan, so it cannot be moved; give finite numbers"
UNUSED = (
    "moving it changes nothing at all in the result, so nothing was compared: is another variable "
    "used in its place, is the function saturated there, or is the graph cut?"
)


def judged(case: Case, calls: int = CALLS) -> Row:
    """Compare both derivatives of one input, where everything is right with about so many calls.

    Where something is wrong, some hundred calls more say what: `numeric` of the case that the
    diagnoses see is nan at all elements but those, 150 at most.
    """
    if not all_finite(case.x):
        return Row(case.parameter, case.shape, "unsure", dtype=case.dtype, note=NOT_FINITE)
    examination, count = Examination(case), math.prod(case.shape)
    fits = shape_of(case.analytic) == case.shape
    if not fits:
        elements = _elements(case, _spread_indices(case.shape, KNOWN))
        for e in elements:
            e.numeric, e.doubt = examination.glance(e)
        mistake = _mistake(examination, elements)
        return Row(
            case.parameter, case.shape, "wrong", dtype=case.dtype, note=mistake.said,
            kind=mistake.kind,
        )  # fmt: skip
    elements = _tried(examination, calls)
    if any(e.wrong for e in elements) and len(elements) < count:
        elements += _compared(examination, _spread_indices(case.shape, KNOWN), elements)
    return _row(examination, elements, _tied_wrong(examination, elements))


def _tried(examination: Examination, calls: int) -> list[Element]:
    """All elements; or, of a large input, some of them, and those that directions lead to."""
    case = examination.case
    count = math.prod(case.shape)
    if 2 * count <= max(calls, 2) or not count:
        return _compared(examination, _spread_indices(case.shape, count))
    from tinygrad_edu.check.sampling import located_indices, single_indices

    elements = _compared(examination, single_indices(case, calls))
    if not any(e.wrong for e in elements):
        elements += _compared(examination, located_indices(examination, calls), elements)
    return elements


def _compared(
    examination: Examination, indices: Sequence[tuple[int, ...]], before: Sequence[Element] = ()
) -> list[Element]:
    """Elements with both derivatives compared, but for those that were compared before."""
    known = {e.index for e in before}
    elements = _elements(examination.case, [i for i in indices if i not in known])
    examination.compare(elements)
    return elements


def _tied_wrong(examination: Examination, elements: list[Element]) -> str:
    """What is wrong with the gradients of elements that share a kink; empty if nothing is."""
    kinks = any(e.kink for e in elements)
    if len(elements) < 2 or not kinks or any(e.wrong for e in elements):
        return ""
    from tinygrad_edu.check.ties import tied_at_a_kink, wrong_ties

    found = wrong_ties(examination, elements)
    if found is None:
        return ""
    group, total, slope = found
    for e in group:
        e.error = max(2.0, abs(total - slope) / examination.tolerance(e))
    return f"{len(group)} elements are {tied_at_a_kink(total, slope)}"


def _spread_indices(shape: tuple[int, ...], most: int) -> list[tuple[int, ...]]:
    """All indices, or so many of them, from all over the array."""
    if math.prod(shape) <= most:
        return list(itertools.product(*map(range, shape)))
    import numpy as np

    places = np.linspace(0, math.prod(shape) - 1, most).astype(int)
    return [tuple(map(int, np.unravel_index(i, shape))) for i in places]


def _elements(case: Case, indices: Sequence[tuple[int, ...]]) -> list[Element]:
    fits = shape_of(case.analytic) == case.shape
    elements = []
    for index in indices:
        x, analytic = (case.x[index], case.analytic) if case.shape else (case.x, case.analytic)
        if case.shape and fits:
            analytic = case.analytic[index]
        elements.append(
            Element(index, float(x), case.path(index), float(analytic) if fits else math.nan)
        )
    return elements


# --- the verdict ---------------------------------------------------------------------------------


def _row(examination: Examination, elements: list[Element], tied: str) -> Row:
    """The verdict, the element that shows it best, and what is wrong there."""
    case = examination.case
    errors = _everywhere(case, elements, "error", math.nan)
    if not elements:
        return Row(case.parameter, case.shape, "ok", dtype=case.dtype, errors=errors)
    kinks = _everywhere(case, [e for e in elements if e.kink], "kink", False)
    wrong = [e for e in elements if e.wrong]
    unsure, at_kinks = [e for e in elements if e.unsure], [e for e in elements if e.kink]
    count = math.prod(case.shape)
    verdict: Verdict = "ok"
    note = kind = ""
    dtype = case.dtype
    if wrong:
        worst = max(e.error for e in wrong)
        shown = next(e for e in wrong if e.error >= 0.99 * worst)  # of nearly equal ones
        verdict = "wrong"
        mistake = Mistake("ties", tied) if tied else _mistake_at(examination, shown, elements)
        note, kind = mistake.said, mistake.kind
        if count > 1:
            tried = f"{len(elements)} elements" + ("" if len(elements) == count else " tried")
            note += f" ({len(wrong)} of {tried} wrong)"
    elif unsure:
        shown, verdict, note = unsure[0], "unsure", unsure[0].unsure
    elif not case.may_be_constant and _is_unused(case, elements):
        shown, verdict, note = elements[0], "unused", UNUSED
    elif at_kinks:
        shown, verdict = at_kinks[0], "kink"
        note = (
            f"a kink at {len(at_kinks)} of {count}: the derivative is {_both_sides(shown)}, and "
            "the analytic one lies between"
        )
    else:
        shown = max(elements, key=lambda e: -1.0 if math.isnan(e.error) else e.error)
        if not shown.error >= 0.01:  # rounding, which differs from machine to machine
            shown = max(elements, key=lambda e: abs(e.analytic))
        if len(elements) < count:
            note = f"tried along random directions and at {len(elements)} elements"
        if examination.coarse and case.tolerance.usual and dtype == "float64":
            dtype = "float32"
            note = f"the result has noise of {examination.noise:.0e}, as float32 numbers leave it"
    return Row(
        case.parameter, case.shape, verdict, shown.index, shown.x, shown.analytic,
        shown.numeric, dtype, note, errors, kinks, kind,
    )  # fmt: skip


def _is_unused(case: Case, elements: list[Element]) -> bool:
    """Whether both derivatives are 0 everywhere, and no move changes the result by a single bit."""
    if any((e.analytic or e.numeric) and not e.flat for e in elements):
        return False
    paths = [case.path(())]
    if case.shape:
        from tinygrad_edu.check.sampling import along, away_from_zero, directions

        paths = [away_from_zero(case)]
        paths += [along(case.result, case.x, d) for d in directions(case.shape, 2)]
    result = case.result(case.x)
    return all(value_at(path, t) == result for path in paths for t in MOVES)


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


def _mistake_at(examination: Examination, e: Element, elements: Sequence[Element]) -> Mistake:
    if e.kink:
        return Mistake(
            "kink",
            f"there is a kink: the derivative is {_both_sides(e)}, and the analytic one is not "
            "between them",
        )
    return _mistake(examination, elements)


def _mistake(examination: Examination, elements: Sequence[Element]) -> Mistake:
    """What is wrong, by name, if it is recognised."""
    case, slacks = examination.case, []
    for e in elements:
        slacks.append(replace(e, allowed=examination.tolerance(e) + 4 * e.doubt))
    case = replace(
        case,
        numeric=_everywhere(case, elements, "numeric", math.nan),
        slack=_everywhere(case, slacks, "allowed", math.nan),
    )
    return name_of_mistake(case) or Mistake("", "both derivatives differ")


# --- of several inputs ---------------------------------------------------------------------------


def judged_together(
    cases: Sequence[Case | None],
    judge: Callable[[int, Case, int], Row] = lambda _, case, calls: judged(case, calls),
) -> list[Row | None]:
    """The rows of cases, which share the calls of the function; None where there is no case.

    `judge` gets the number of a case, the case and its calls. Inputs that are right by themselves
    are wrong if they share a kink and do not fit together. Two wrong ones that are right with each
    other's gradient say so.
    """
    rows = _judged_in_turn(cases, judge)
    several = sum(case is not None for case in cases) > 1
    if (
        several and any(row and row.verdict == "kink" for row in rows) and find_spec("numpy")
    ):  # moving several at once takes arrays
        from tinygrad_edu.check.common_kinks import with_common_kinks

        rows = with_common_kinks(cases, rows)
    return _with_swaps_named(cases, rows)


def _judged_in_turn(
    cases: Sequence[Case | None], judge: Callable[[int, Case, int], Row]
) -> list[Row | None]:
    """The rows of cases.

    A terminal shows how far it is. After Ctrl-C, what was not tried is unsure; KeyboardInterrupt
    where nothing was tried yet.
    """
    count = sum(case is not None for case in cases)
    rows: list[Row | None] = [None] * len(cases)
    shares, progress, stopped = _shares(cases), Progress(count), ""
    try:
        for i, case in enumerate(cases):
            if case is None:
                continue
            if not stopped:
                watched = replace(case, result=progress.watching(case.result, case.parameter))
                try:
                    rows[i] = judge(i, watched, shares[i])
                    progress.judged += 1
                    continue
                except KeyboardInterrupt:
                    if not progress.judged:
                        raise
                    stopped = f"{STOPPED} after {progress.judged} of {count}"
            rows[i] = Row(case.parameter, case.shape, "unsure", dtype=case.dtype, note=stopped)
    finally:
        progress.erase()
    return rows


def _shares(cases: Sequence[Case | None]) -> dict[int, int]:
    """The calls that each case gets: small ones need few, and leave the others more."""
    sizes = {i: math.prod(case.shape) for i, case in enumerate(cases) if case is not None}
    shares: dict[int, int] = {}
    left = CALLS
    for i in sorted(sizes, key=lambda i: sizes[i]):
        shares[i] = max(0, left) // (len(sizes) - len(shares))
        left -= min(shares[i], 2 * sizes[i])
    return shares


def _with_swaps_named(cases: Sequence[Case | None], rows: Sequence[Row | None]) -> list[Row | None]:
    """The rows of the cases; two wrong ones that are right with each other's gradient say so.

    Where more than six are wrong, a swap is hardly what is wrong, and nothing is tried.
    """
    with_names = list(rows)
    wrong = {
        i: row for i, row in enumerate(rows)
        if row and row.verdict == "wrong" and row.kind != "ties"
    }  # fmt: skip
    for i, j in itertools.combinations(wrong if len(wrong) <= 6 else (), 2):
        one, other = cases[i], cases[j]
        if one and other and _are_swapped(one, other):
            for k, its in ((i, other.parameter), (j, one.parameter)):
                said = f"it is the gradient of {its}, and that of {its} stands there: swap both"
                with_names[k] = replace(wrong[k], note=said, kind="swapped")
    return with_names


def _are_swapped(one: Case, other: Case) -> bool:
    """Whether each has the gradient of the other, under a second adjoint too."""
    if not (_is_gradient_of(one, other.analytic) and _is_gradient_of(other, one.analytic)):
        return False
    if not (one.again and other.again):
        return True
    first, second = one.again(), other.again()
    return not (first and second) or (
        _is_gradient_of(first, second.analytic) and _is_gradient_of(second, first.analytic)
    )


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
