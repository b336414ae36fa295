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
    if not 0 < a.ndim < 5 or len(case.known) < min(ENOUGH, a.size):
        return
    for axes in itertools.permutations(range(a.ndim)) if a.ndim > 2 else ():
        if axes != tuple(range(a.ndim)) and case.agrees(a.transpose(axes)):
            yield f"its axes are in another order; it is right after .transpose({axes})"
    for axis in _sets_of_axes(a.ndim):
        if case.agrees(np.flip(a, axis)):
            yield f"it is turned around; it is right after np.flip with axis={axis}"


def kernel_turned(case: Case) -> Iterator[str]:
    """The adjoint turned around gives the right gradient turned around: the kernel was turned."""
    g, ndim = case.adjoint, case.x.ndim
    if case.again is None or np.ndim(g) != ndim or ndim > 4 or case.x.size < ENOUGH:
        return
    for axis in _sets_of_axes(ndim):
        turned = case.again(np.flip(g, axis)) if axis[-1] == ndim - 1 else None
        if turned and case.agrees(np.flip(turned.analytic, axis)):
            yield f"it is right with the kernel turned around along its last {len(axis)} axes"


def shifted(case: Case) -> Iterator[str]:
    """Each element is that of a neighbour along an axis; what came in at the end may be any."""
    for axis, length in enumerate(case.shape):
        if length < 3:
            continue
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            index = (slice(None),) * axis
            a, n = case.analytic[(*index, here)], case.numeric[(*index, there)]
            slack = 4 * case.slack[(*index, there)]
            known = ~np.isnan(n)
            telling = known & (np.abs(n) > slack)
            if telling.sum() >= ENOUGH // 2 and (np.abs(a - n) <= slack)[known].all():
                yield f"it is shifted by one along axis {axis}: each element is that of the next"


def _sets_of_axes(ndim: int) -> Iterator[tuple[int, ...]]:
    for count in range(1, ndim + 1):
        yield from itertools.combinations(range(ndim), count)


def matrix_not_transposed(case: Case) -> Iterator[str]:
    """A square matrix should have been transposed, or not: with an unknown factor u, the gradient
    is u @ W or W @ u, so the inverse of W gives u."""
    a = case.analytic
    for name, matrix in _matrices(case):
        if matrix.shape[0] != matrix.shape[1] or np.linalg.cond(matrix) > 1e6:
            continue
        for m, how, right in (
            (matrix, "is not transposed", f"{name}.T"),
            (matrix.T, "should not be transposed", name),
        ):
            inverse = np.linalg.inv(m)
            said = f"{name} {how} in the product with the adjoint: "
            if a.shape[-1] == len(m) and case.agrees(a @ inverse @ m.T):
                yield f"{said}dout @ {right}"
            if a.shape[-2] == len(m) and case.agrees(m.T @ inverse @ a):
                yield f"{said}{right} @ dout"


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
    """One slope where the adjoint is positive, and another where it is negative."""
    a, g = case.analytic, case.adjoint
    if g is None or np.shape(g) != a.shape or not ((g > 0).sum() > 1 and (g < 0).sum() > 1):
        return
    up, down = (a / g)[g > 0], (a / g)[g < 0]
    if np.allclose(up, up[0]) and np.allclose(down, down[0]) and not np.isclose(up[0], down[0]):
        yield (
            f"it is {up[0]:.6g} times the adjoint where the adjoint is positive, and {down[0]:.6g} "
            "times where it is negative: the mask is taken from the sign of the adjoint instead of "
            "that of the input"
        )


def eps(case: Case) -> Iterator[str]:
    """Right but for a factor 1 + eps / y with one eps for all elements, to first order."""
    known = case.numeric == case.numeric
    off = case.numeric[known] / case.analytic[known] - 1
    if off.size < 3 or np.abs(off).max() > 0.05:
        return
    for name, values in {"the input": case.x, **case.others}.items():
        if not _broadcasts_to(values, case.x) or np.ptp(values) <= 0.1 * np.abs(values).max():
            continue
        added = off * np.broadcast_to(values, case.x.shape)[known]
        if np.ptp(added) <= 0.05 * np.abs(added).max():
            yield (
                f"it is right but for an eps that is added to {name}, in a log, a division or a "
                "root, in one of the two passes only"
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
        where = place(case, should) or "in some elements"
        times = f", and is {ratio[0]:.6g} times what it should be elsewhere"
        times = "" if abs(ratio[0] - 1) < 1e-4 else times
        yield f"it should be 0 {where}{times}: is a mask left out?"


def mask_elsewhere(case: Case) -> Iterator[str]:
    """0 or one factor times the adjoint, as it should be, but in other places."""
    a, g, n = case.analytic, case.adjoint, case.numeric
    if g is None or np.shape(g) != a.shape or np.isnan(n).any() or not np.all(g):
        return
    kept, should = np.abs(a) > case.slack, np.abs(n) > case.slack
    if not ((kept & ~should).any() and (should & ~kept).any() and (kept & should).any()):
        return
    times, right = (a / g)[kept], (n / g)[should]
    if np.allclose(times, times[0], rtol=1e-4) and np.allclose(right, times[0], rtol=1e-4):
        yield "it is 0 in other places than it should be: does backward use another mask?"


def factor_by_row(case: Case) -> Iterator[str]:
    """One factor for all elements along some axes, and another one for the next of them."""
    known = np.abs(case.numeric) > 100 * case.slack
    ratio = np.full(case.shape, np.nan)
    ratio[known] = case.analytic[known] / case.numeric[known]
    for axes in _sets_of_axes(ratio.ndim):
        several = known.sum(axis=axes, keepdims=True) > 2
        rows = np.where(several, np.nanmean(ratio, axis=axes, keepdims=True), np.nan)
        factors = rows[several]
        if len(factors) < 2 or np.allclose(factors, factors[0], rtol=1e-3):
            continue
        off = np.abs(ratio - rows)[known & several]
        if (off <= 1e-4 * np.abs(np.broadcast_to(rows, ratio.shape))[known & several]).all():
            which = f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
            yield f"it is wrong by a factor that is the same along {which}, one number for each row"


def factor_left_out(case: Case) -> Iterator[str]:
    """An array of the forward pass that is a factor too few, or one too many."""
    candidates = {**case.others, "the input itself": case.x, "1 - the input": 1 - case.x}
    if RESULT in case.others:
        candidates["1 - the result"] = 1 - case.others[RESULT]
        candidates["1 + the result"] = 1 + case.others[RESULT]
    for name, array in candidates.items():
        if array.size < 2 or np.allclose(array, array.flat[0]):
            continue  # one number for all is a constant factor
        for along, values in _aligned(array, case.x):
            if case.agrees(case.analytic * values):
                yield f"multiplied by {name}{along} it is right: is that factor left out?"
            if values.all() and case.agrees(case.analytic / values):
                yield (
                    f"divided by {name}{along} it is right: is that factor too many, or a division "
                    "left out?"
                )


def _aligned(values: Array, x: Array) -> Iterator[tuple[str, Array]]:
    """An array that may be a factor of another: of its shape, repeated, or along one axis."""
    if _broadcasts_to(values, x):
        yield "", values
    for axis in range(x.ndim - 1) if values.ndim == 1 else ():
        if len(values) == x.shape[axis]:
            yield f" along axis {axis}", values.reshape(-1, *(1,) * (x.ndim - axis - 1))


def _broadcasts_to(values: Array, x: Array) -> bool:
    """Whether an array can be a factor of another: of its shape, or repeated along its axes."""
    if values.ndim > x.ndim:
        return False
    return all(n in (1, m) for n, m in zip(values.shape[::-1], x.shape[::-1], strict=False))


def summand_left_out(case: Case) -> Iterator[str]:
    """What is missing is one array times a number, as of a direct path or of a weight decay."""
    known = ~np.isnan(case.numeric)
    missing = (case.numeric - case.analytic)[known]
    candidates = {"1": np.ones(case.shape), "the input": case.x, "the adjoint": case.adjoint}
    for name, values in {**candidates, **case.others}.items():
        if (
            values is None
            or np.shape(values) != case.shape
            or known.sum() < min(ENOUGH, case.x.size)
        ):
            continue
        v = values[known]
        if v.size < 3 or not np.any(v) or (name != "1" and np.allclose(v, v[0])):
            continue
        times = float((missing * v).sum() / (v * v).sum())
        if times and (np.abs(missing - times * v) <= 4 * case.slack[known]).all():
            if abs(times + 1) < 1e-6:
                yield f"without {name} it is right: is that summand there once too often?"
            else:
                product = name if abs(times - 1) < 1e-6 else f"{times:.6g} times {name}"
                yield f"with {product} added it is right: is that summand left out?"


def adjoint_of_the_result(case: Case) -> Iterator[str]:
    """The adjoint of the result is taken for that of a product somewhere before it."""
    a, g = case.analytic, case.adjoint
    if np.ndim(g) < 1:
        return
    rows = g.reshape(-1, g.shape[-1])
    for name, m in case.others.items():
        left = m.reshape(-1, m.shape[-1])
        fits = name != RESULT and len(left) == len(rows) and left.shape[1] * rows.shape[1] == a.size
        if fits and np.allclose((left.T @ rows).reshape(a.shape), a, rtol=1e-5):
            yield _with_adjoint_of_the_result(f"{name}.T @ dout")
    total = rows.sum(axis=0)
    same = total.shape == a.shape and np.allclose(total, a, rtol=1e-5)
    if same and not _is_linear(case):  # else no activation stands between
        yield _with_adjoint_of_the_result("the sum of dout")


def summed_over_other_axes(case: Case) -> Iterator[str]:
    """The sum of the adjoint over some axes, where it should be over others."""
    a, g = case.analytic, case.adjoint
    if np.ndim(g) < 2 or not a.ndim:
        return
    sums = {axes: g.sum(axis=axes) for axes in _sets_of_axes(g.ndim)}
    fitting = {axes: total for axes, total in sums.items() if total.shape == a.shape}
    right = [axes for axes, total in fitting.items() if case.agrees(total)]
    wrong = [axes for axes, total in fitting.items() if np.allclose(total, a, rtol=1e-5)]
    if right and wrong:
        yield f"it is the adjoint summed over axes {wrong[0]}; sum it over axes {right[0]}"


def _is_linear(case: Case) -> bool:
    """Whether equal moves change the result equally, as where it is a product with the input."""
    move = np.random.default_rng(0).uniform(0.5, 1.0, case.shape)
    try:
        before, here, after = (case.result(case.x + k * move) for k in (-1, 0, 1))
    except (ArithmeticError, ValueError):
        return False
    return bool(abs(after - 2 * here + before) <= 1e-9 * (abs(before) + abs(here) + abs(after)))


def _with_adjoint_of_the_result(what: str) -> str:
    return (
        f"it is {what}, with the adjoint of the result itself: the derivative of what stands "
        "between, an activation or later steps, is left out"
    )
