"""Where a derivative is wrong that is right elsewhere: a row, the diagonal, negative inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.case import Case
from tinygrad_edu.rules.operand_types import Array


def _wrong_elements(case: Case) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(case.analytic - case.numeric) > case.slack)


def assigned_where_taken_twice(case: Case) -> Iterator[str]:
    """Rows that are taken several times, where the gradients of all times add up.

    Rows that are taken once have to be right: arrays of 0 and 1 are mostly no indices.
    """
    length, wrong = len(case.x) if case.x.ndim else 0, _wrong_elements(case)
    for name, index in case.others.items():
        if not (length and index.size and np.isin(index, np.arange(-length, length)).all()):
            continue
        times = np.bincount(index.astype(int).ravel() % length, minlength=length)
        rows = wrong.any(axis=tuple(range(1, wrong.ndim)))
        if 1 in times and rows.any() and np.array_equal(rows, times > 1):
            yield (
                f"it is wrong exactly where {name} takes a row more than once: assigned instead of "
                "accumulated; add each with np.add.at"
            )


def set_several_times(case: Case) -> Iterator[str]:
    """Where the sum of all that the gradient was set to would have been right."""
    parts = case.assigned
    alike = all(part.shape == parts[0].shape for part in parts)
    if len(parts) > 1 and alike and case.agrees(np.sum(parts, axis=0)):
        yield (
            f"assigned instead of accumulated: backward set it {len(parts)} times, and the sum of "
            "all is right; add each with +="
        )


def wrong_part(case: Case) -> Iterator[str]:
    """Right in one part of the array and wrong in another: where, and how."""
    wrong = _wrong_elements(case)
    if not wrong.any() or (wrong | np.isnan(case.numeric)).all():
        return
    where, how = place(case, wrong), _way_of_wrong(case, wrong)
    if where or how:
        yield f"it is wrong {where or 'in a part'}" + (f": {how}" if how else "")


def _way_of_wrong(case: Case, wrong: Array) -> str:
    a, n, tolerance = case.analytic[wrong], case.numeric[wrong], 4 * case.slack[wrong]
    if not a.any():
        return "it is 0 there"
    if (np.abs(a + n) <= tolerance).all():
        return "the sign is wrong there"
    if (np.abs(n) <= tolerance).all():
        return "it should be 0 there"
    ratio = a / n
    if np.allclose(ratio, ratio.flat[0], rtol=1e-4):
        return f"it is {float(ratio.flat[0]):.6g} times what it should be there"
    offset = a - n
    if a.size > 1 and (np.abs(offset - offset.flat[0]) <= tolerance).all():
        return f"it is {float(offset.flat[0]):.6g} too large there"
    return ""


def place(case: Case, wrong: Array) -> str:
    """Where these elements are; empty if it has no name."""
    known = ~np.isnan(case.numeric)
    for said, where in (
        ("the input is negative", case.x < 0),
        ("the input is positive", case.x > 0),
        ("the input is 0", case.x == 0),
    ):
        enough = min(wrong[known].sum(), (~wrong)[known].sum()) > 1  # else it may be by chance
        if (wrong == where)[known].all() and (enough or said.endswith("0")):
            return f"exactly where {said}"
    if wrong.sum() == 1:
        return "at a single element"
    for axis in range(wrong.ndim if wrong.ndim > 1 else 0):
        lines = wrong.any(axis=tuple(i for i in range(wrong.ndim) if i != axis))
        if lines.sum() == 1 and wrong.shape[axis] > 1:
            index = [":"] * wrong.ndim
            index[axis] = str(int(np.argmax(lines)))
            return f"only in [{', '.join(index)}]"
    if wrong.ndim == 2 and wrong.shape[0] == wrong.shape[1]:
        diagonal = np.eye(len(wrong), dtype=bool)
        if (wrong == diagonal)[known].all():
            return "exactly on the diagonal"
        if (wrong == ~diagonal)[known].all():
            return "everywhere but on the diagonal"
    return ""
