"""A derivative beside one that is known exactly: no differences, only rounding is allowed for."""

from __future__ import annotations

import math

from tinygrad_edu.check.case import Case
from tinygrad_edu.check.diagnoses.mistake import Mistake
from tinygrad_edu.check.diagnoses.naming import name_of_mistake
from tinygrad_edu.check.kinds import Plain
from tinygrad_edu.check.report import Row
from tinygrad_edu.view.cards.reading import shape_of


def errors_of(analytic: Plain, exact: Plain, slack: Plain) -> Plain:
    """How far two derivatives of one shape are apart, as a multiple of what is tolerated."""
    if not shape_of(exact):
        gap = 0.0 if analytic == exact else abs(float(analytic) - float(exact))
        return 0.0 if gap == 0 else gap / slack if slack and math.isfinite(gap) else math.inf
    import numpy as np

    with np.errstate(all="ignore"):
        gaps = np.where(analytic == exact, 0.0, np.abs(analytic - exact))
        errors = np.where(gaps == 0, 0.0, gaps / slack)
        return np.where(np.isfinite(errors) | np.isnan(exact), errors, math.inf)


def row_beside_exact(case: Case) -> Row:
    """The verdict on a case whose `numeric` is exact, up to its `slack`; nan where it is not
    known."""
    if shape_of(case.analytic) != case.shape:
        mistake = name_of_mistake(case) or Mistake("shape", "its shape is another")
        return Row(
            case.parameter, case.shape, "wrong", dtype=case.dtype, note=mistake.said,
            kind=mistake.kind,
        )  # fmt: skip
    errors = errors_of(case.analytic, case.numeric, case.slack)
    index = _shown(case, errors)
    at, analytic, exact, error = (
        float(x[index] if index else x) for x in (case.x, case.analytic, case.numeric, errors)
    )
    row = Row(case.parameter, case.shape, "ok", index, at, analytic, exact, case.dtype, "", errors)
    if not error > 1:
        return row
    mistake = name_of_mistake(case) or Mistake("", "both derivatives differ")
    note = mistake.said
    if case.shape:
        tried = int((errors == errors).sum())  # is not nan
        more = "" if tried == errors.size else " tried"
        note += f" ({int((errors > 1).sum())} of {tried} elements{more} wrong)"
    return Row(
        case.parameter, case.shape, "wrong", index, at, analytic, exact, case.dtype, note, errors,
        kind=mistake.kind,
    )  # fmt: skip


def _shown(case: Case, errors: Plain) -> tuple[int, ...]:
    """The worst element, or that of the largest derivative where all errors are rounding."""
    if not case.shape or not errors.size:
        return ()
    import numpy as np

    known = np.where(np.isnan(errors), -1.0, errors)
    sizes = known if known.max() > 1 else np.nan_to_num(np.abs(case.analytic))
    return tuple(int(i) for i in np.unravel_index(np.argmax(sizes), case.shape))
