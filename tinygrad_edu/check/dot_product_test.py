"""The adjoint of a linear function, by the dot-product test: ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for random x, y.

It needs no differences, so both sides agree to rounding, as in `pylops.utils.dottest` and in
J. Claerbout, Earth Soundings Analysis (1992). How much rounding there is, is measured: it is what
A and Aᵀ are short of being linear.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.check.case import Case, Tolerance
from tinygrad_edu.check.derivatives_by_hand import plain_result
from tinygrad_edu.check.exact import compared_with
from tinygrad_edu.check.kinds import Plain, floating, like, plain, quietly, undisturbed
from tinygrad_edu.check.report import Report, Row
from tinygrad_edu.check.variables import CheckedInputs
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.view.cards.reading import shape_of

PAIRS = 4
"""So many pairs of vectors are tried."""
MOST_UNIT_VECTORS = 1000
"""The elements of Aᵀy that are computed one by one, if a pair shows that it is wrong."""
ROUNDING = 64 * float(np.finfo(np.float64).eps)


class _Linear:
    """A linear function of several inputs, which are all 0 but those given."""

    def __init__(self, f: Callable[..., Any], inputs: CheckedInputs) -> None:
        self.f, self.inputs = f, inputs

    def __call__(self, numbers: dict[int, Plain]) -> Array:
        zeros = {i: v.double * 0 for i, v in enumerate(self.inputs.variables)}
        with quietly(), undisturbed():
            return np.asarray(plain_result(self.f(*self.inputs.moved(zeros | numbers))))


def rows_of_adjoint(
    f: Callable[..., Any], adjoint: Callable[..., Any], inputs: CheckedInputs, report: Report,
    tolerance: Callable[..., Tolerance],
) -> list[Row]:  # fmt: skip
    """One row for each input: both inner products of a pair, or the elements of Aᵀy if it fails."""
    linear, rng = _Linear(f, inputs), np.random.default_rng(0)
    doubles = [v.double for v in inputs.variables]
    us = [[rng.normal(size=shape_of(x)) for x in doubles] for _ in range(PAIRS)]
    images = [linear(dict(enumerate(u))) for u in us]
    ys = [_random(rng, images[0]) for _ in range(PAIRS)]

    def transposed(y: Array) -> list[Array]:
        with quietly(), undisturbed():
            result = adjoint(_as_output(y, inputs))
        parts, _ = inputs.parts_of(result, "gradcheck: the adjoint")
        return [np.real(plain_result(0 if part is None else part)) for part in parts]

    backs = [transposed(y) for y in ys]
    rows = []
    ...
    return rows
