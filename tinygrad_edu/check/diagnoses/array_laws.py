"""Laws for arrays: the gradient is right in another order, with another factor, with one more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.case import RESULT, Case
from tinygrad_edu.check.diagnoses.part_laws import place
from tinygrad_edu.rules.operand_types import Array

ENOUGH = 12
"""So many known elements, or all, tell an order or a summand from chance."""


def transposed(case: Case) -> Iterator[str]:
    a = case.analytic
    if a.ndim == 2 and a.shape[0] == a.shape[1] > 1 and case.agrees(a.T):
        yield "it is transposed; swap the factors of the product, or take .T"


def order_of_axes(case: Case) -> Iterator[str]:
    """The right numbers in another order: axes swapped, or turned around as kernels are."""
    a = case.analytic
    if not 1 < a.ndim < 5 or len(case.known) < min(ENOUGH, a.size):
        return
    for axes in itertools.permutations(range(a.ndim)) if a.ndim > 2 else ():
        if axes != tuple(range(a.ndim)) and case.agrees(a.transpose(axes)):
            yield f"its axes are in another order; it is right after .transpose({axes})"
    for count in range(1, a.ndim + 1):
        for axis in itertools.combinations(range(a.ndim), count):
            if case.agrees(np.flip(a, axis)):
                yield f"it is turned around; it is right after np.flip with axis={axis}"


def matrix_not_transposed(case: Case) -> Iterator[str]:
    """A square matrix should have been transposed: with an unknown factor u, the gradient is u @ W
    or W @ u, so the inverse of W gives u."""
    a = case.analytic
    for name, m in _matrices(case):
        if m.shape[0] != m.shape[1] or np.linalg.cond(m) > 1e6:
            continue
        inverse = np.linalg.inv(m)
        if a.shape[-1] == len(m) and case.agrees(a @ inverse @ m.T):
            yield f"{name} is not transposed in the product with the adjoint: dout @ {name}.T"
        if a.shape[-2] == len(m) and case.agrees(m.T @ inverse @ a):
            yield f"{name} is not transposed in the product with the adjoint: {name}.T @ dout"


def adjoint_not_transposed(case: Case) -> Iterator[str]:
    """In a product with a matrix, the other factor should have been transposed."""
    a = case.analytic
    for name, m in _matrices(case):
        if a.shape != m.shape:
            continue
        u, v = a @ np.linalg.pinv(m), np.linalg.pinv(m) @ a
        if np.allclose(u @ m, a) and case.agrees(u.T @ m):
            yield f"what {name} is multiplied with is not transposed: d.T @ {name}"
        if np.allclose(m @ v, a) and case.agrees(m @ v.T):
            yield f"what {name} is multiplied with is not transposed: {name} @ d.T"


def _matrices(case: Case) -> Iterator[tuple[str, Array]]:
    """The matrices that the gradient may have been multiplied with, except huge ones."""
    for name, m in case.others.items():
        if case.analytic.ndim > 1 and m.ndim == 2 and 1 < m.size < 1e6 and name != RESULT:
            yield name, m


def adjoint_left_out(case: Case) -> Iterator[str]:
    other = case.again() if case.again else None
    if other is None or other.analytic.shape != case.analytic.shape:
        return
    size, steepest = np.abs(case.analytic).max(), max(abs(e.numeric) for e in case.known)
    change = np.abs(other.analytic - case.analytic).max()
    if size > 1e-9 * steepest and change <= 1e-6 * size:
        yield (
            "the adjoint of the output is left out: another one gives the same gradient; multiply "
            "by it"
        )


def mask_of_adjoint(case: Case) -> Iterator[str]:
    """The mask is taken from the sign of the adjoint."""
    a, g = case.analytic, case.adjoint
    if g is None or np.shape(g) != a.shape or not ((g > 0).any() and (g < 0).any()):
        return
    for said, where in (("positive", g > 0), ("negative", g < 0)):
        if np.array_equal(a != 0, where):
            yield (
                f"it is not 0 exactly where the adjoint is {said}: the mask is taken from the sign "
                "of the adjoint instead of that of the input"
            )


def mask_inverted(case: Case) -> Iterator[str]:
    known = ~np.isnan(case.numeric)
    is_zero = (np.abs(case.analytic) <= case.slack)[known]
    should = (np.abs(case.numeric) <= case.slack)[known]
    if is_zero.any() and should.any() and np.array_equal(is_zero, ~should):
        yield "it is 0 exactly where it should not be: is the mask the wrong way round?"


def mask_left_out(case: Case) -> Iterator[str]:
    """Nowhere 0, and right but for a factor where it should not be 0."""
    is_zero = np.abs(case.analytic) <= case.slack
    should, nonzero = np.abs(case.numeric) <= case.slack, np.abs(case.numeric) > case.slack
    if should.sum() < 2 or nonzero.sum() < 2 or is_zero.any():
        return
    ratio = case.analytic[nonzero] / case.numeric[nonzero]
    if np.allclose(ratio, ratio[0], rtol=1e-4):
        where = place(case, should) or f"in {should.sum()} of {len(case.known)} elements"
        times = f", and is {ratio[0]:.6g} times what it should be elsewhere"
        times = "" if abs(ratio[0] - 1) < 1e-4 else times
        yield f"it should be 0 {where}{times}: is a mask left out?"


def factor_left_out(case: Case) -> Iterator[str]:
    """An array of the forward pass that is a factor too few, or one too many."""
    candidates = {**case.others, "the input itself": case.x, "1 - the input": 1 - case.x}
    if RESULT in case.others:
        candidates["1 - the result"] = 1 - case.others[RESULT]
        candidates["1 + the result"] = 1 + case.others[RESULT]
    for name, values in candidates.items():
        if (
            values.size < 2
            or np.allclose(values, values.flat[0])
            or not _broadcasts_to(values, case.x)
        ):
            continue  # one number for all is a constant factor
        if case.agrees(case.analytic * values):
            yield f"multiplied by {name} it is right: is that factor left out?"
        if values.all() and case.agrees(case.analytic / values):
            yield f"divided by {name} it is right: is that factor too many, or a division left out?"


def _broadcasts_to(values: Array, x: Array) -> bool:
    """Whether an array can be a factor of another: of its shape, or repeated along its axes."""
    if values.ndim > x.ndim:
        return False
    return all(n in (1, m) for n, m in zip(values.shape[::-1], x.shape[::-1], strict=False))


def summand_left_out(case: Case) -> Iterator[str]:
    """What is missing is one array times a number, as of a direct path or of a weight decay."""
    known = ~np.isnan(case.numeric)
    missing = (case.numeric - case.analytic)[known]
    candidates = {"the input": case.x, "the adjoint": case.adjoint, **case.others}
    for name, values in candidates.items():
        if (
            values is None
            or np.shape(values) != case.x.shape
            or known.sum() < min(ENOUGH, case.x.size)
        ):
            continue
        v = values[known]
        if v.size < 3 or not np.any(v) or np.allclose(v, v[0]):
            continue
        times = float((missing * v).sum() / (v * v).sum())
        if times and (np.abs(missing - times * v) <= 4 * case.slack[known]).all():
            product = name if abs(times - 1) < 1e-6 else f"{times:.6g} times {name}"
            yield f"with {product} added it is right: is that summand left out?"


def same_as_for_a_product(case: Case) -> Iterator[str]:
    """The adjoint of the result is taken for that of what stands before an activation."""
    a, g = case.analytic, case.adjoint
    if np.ndim(g) < 1:
        return
    rows = g.reshape(-1, g.shape[-1])
    for name, m in {**case.others, "": np.ones((len(rows), 1))}.items():
        left = np.atleast_1d(m)
        left = left.reshape(-1, left.shape[-1])
        product = left.T @ rows if len(left) == len(rows) and name != RESULT else None
        if product is None or product.size != a.size:
            continue
        if np.allclose(product.reshape(a.shape), a, rtol=1e-5):
            what = f"{name}.T @ dout" if name else "the sum of the adjoint"
            yield (
                f"it is {what}, as if nothing stood between the product and the result: multiply "
                "the adjoint by the derivative of the activation first"
            )
