"""The same case under another adjoint, or at another point: a name that holds there too is hardly
one by chance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.elements import estimates
from tinygrad_edu.check.kinds import Plain, largest
from tinygrad_edu.view.cards.reading import shape_of

Index = tuple[int, ...]

MOST = 16
"""So many wrong elements, and so many right ones, are computed under a second adjoint."""


def under_another_adjoint(case: Case) -> Case | None:
    """The case under its second adjoint, or at another point, with numerical derivatives at some of
    the elements where the first one has them; None where there is neither."""
    ask = case.again or case.elsewhere
    other = ask() if ask else None
    if other is None or not math.isfinite(other.result(other.x)):
        return None
    return _with_slopes(replace(other, elsewhere=case.elsewhere), case)


def under_adjoint_of_the_first(case: Case, axis: int) -> Case | None:
    """The case under an adjoint that is 0 but for the first index of an axis of the result; None if
    there is no other index, or if that of the first changes nothing."""
    if case.again is None or case.adjoint.shape[axis] < 2:
        return None
    here = case.adjoint * 0
    here.swapaxes(0, axis)[0] = 1
    again = case.again

    def masked(adjoint: Any = None) -> Case | None:
        if adjoint is not None:
            return again(adjoint * here)
        other = again()
        return other and again(other.adjoint * here)

    other = masked(case.adjoint)
    if other is None or other.analytic.shape != case.shape:
        return None
    return _with_slopes(replace(other, again=masked), case)


def _with_slopes(case: Case, known: Case) -> Case:
    """With numerical derivatives at some of the elements where the known case has them."""
    fits = shape_of(case.analytic) == case.shape
    indices = [*wrong_indices(known, MOST if fits else 4 * MOST), *_right_indices(known, MOST)]
    slopes = estimates(case, indices)
    size = max([largest(case.analytic), *(largest(e.value) for e in slopes.values())])
    slacks = {i: case.tolerance.at(e.value, size) + e.doubt for i, e in slopes.items()}
    values = {i: e.value for i, e in slopes.items()}
    return replace(case, numeric=_in_place(case, values), slack=_in_place(case, slacks))


def wrong_indices(case: Case, most: int) -> list[Index]:
    """Elements where both derivatives differ, or all if their shapes do: so many at most."""
    return _some_elements(case, True, most)


def _right_indices(case: Case, most: int) -> list[Index]:
    return _some_elements(case, False, most)


def _some_elements(case: Case, wrong: bool, most: int) -> list[Index]:
    """Some of the known elements that are wrong, or right, from all over the array."""
    if not case.shape:
        return [()] if wrong else []
    import numpy as np

    known = ~np.isnan(case.numeric)
    if shape_of(case.analytic) == case.shape:
        off = ~(np.abs(case.analytic - case.numeric) <= case.slack)
        known &= off if wrong else ~off
    elif not wrong:
        return []
    places = np.flatnonzero(known)
    if len(places) > most:
        places = np.sort(np.random.default_rng(0).choice(places, most, replace=False))
    return [tuple(map(int, np.unravel_index(i, case.shape))) for i in places]


def element(x: Plain, index: Index) -> Any:
    """An element of an array, or the number itself."""
    return x[index] if index else x


def _in_place(case: Case, numbers: dict[Index, float]) -> Plain:
    """Numbers in the shape of the input, and nan for all others."""
    if not case.shape:
        return numbers[()]
    import numpy as np

    array = np.full(case.shape, math.nan)
    for index, number in numbers.items():
        array[index] = number
    return array
