"""Laws for elements that change several results: not all of their contributions are added."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses.second_adjoint import Index, wrong_indices
from tinygrad_edu.rules.operand_types import Array

LOOKED_AT = 6
"""So many wrong elements are looked at."""


def assigned(case: Case) -> Iterator[str]:
    for along in _axes_with_one_contribution(case, -1):
        yield (
            f"each of the wrong elements changes several results{along}, and only the last of "
            "their contributions is in it: assigned instead of accumulated; add each with +="
        )


def copies(case: Case) -> Iterator[str]:
    for along in _axes_with_one_contribution(case, 0):
        yield (
            f"each of the wrong elements changes several results{along}, and only the first of "
            "their contributions is in it: add those of all copies, or of all later steps"
        )


def _axes_with_one_contribution(case: Case, place: int) -> Iterator[str]:
    """The axes of the result along which the first or the last contribution is the only one."""
    if case.outputs is None or not np.ndim(case.adjoint):
        return
    parts = {index: _contributions(case, index) for index in wrong_indices(case, LOOKED_AT)}
    ndim = case.adjoint.ndim
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            rest = tuple(i for i in range(ndim) if i not in axes)
            sums = {index: part.sum(axis=rest).ravel() for index, part in parts.items()}
            if sums and all(_is_only(case, i, terms, place) for i, terms in sums.items()):
                name = axes[0] if count == 1 else axes
                yield "" if count == ndim else f" along axis {name}"


def _contributions(case: Case, index: Index) -> Array:
    """What each result adds to the derivative by one element, by central differences."""
    assert case.outputs is not None
    h = 1e-5 * max(1.0, abs(float(case.x[index])))
    step = np.zeros(case.shape)
    step[index] = h
    rise = case.outputs(case.x + step) - case.outputs(case.x - step)
    return np.asarray(rise * case.adjoint / (2 * h))


def _is_only(case: Case, index: Index, terms: Array, place: int) -> bool:
    """Whether the analytic derivative is the first or the last of several contributions."""
    size = np.abs(terms).max()
    there = terms[np.abs(terms) > 1e-7 * size]
    return len(there) > 1 and bool(abs(case.analytic[index] - there[place]) <= 1e-5 * size)
