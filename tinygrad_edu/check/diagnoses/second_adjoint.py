"""The same case under another adjoint: a name that holds there too is hardly one by chance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.kinds import Plain, largest
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.view.cards.reading import shape_of

Index = tuple[int, ...]

MOST = 24
"""So many wrong elements, and so many right ones, are computed under a second adjoint."""


def under_another_adjoint(case: Case) -> Case | None:
    """The case under its second adjoint, with numerical derivatives at some of the elements where
    the first one has them; None where there is no other adjoint."""
    other = case.again() if case.again else None
    if other is None:
        return None
    indices = [*wrong_indices(case, MOST), *_right_indices(case, MOST)]
    slopes = {i: derivative(other.path(i), float(element(other.x, i))) for i in indices}
    size = max([largest(other.analytic), *(largest(e.value) for e in slopes.values())])
    slacks = {i: other.tolerance.at(e.value, size) + e.doubt for i, e in slopes.items()}
    values = {i: e.value for i, e in slopes.items()}
    return replace(other, numeric=_in_place(case, values), slack=_in_place(case, slacks))


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
        places = places[np.linspace(0, len(places) - 1, most).astype(int)]
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
