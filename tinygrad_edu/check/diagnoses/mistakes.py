"""Names for what is wrong: the mistakes that people make in a derivative by hand, recognised.

Each is a relation between the analytic and the numerical derivative: the same with another sign,
by a factor, transposed, before a sum. What fits no relation gets no name, rather than a wrong one.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from tinygrad_edu.check.case import RESULT, Case
from tinygrad_edu.check.diagnoses.plain_mistakes import nothing_or_the_sign, wrong_factor
from tinygrad_edu.check.diagnoses.wrong_parts import wrong_part, wrong_where_taken_twice
from tinygrad_edu.rules.operand_types import Array


def diagnosis(case: Case) -> str:
    """What is wrong, and the cure, in one sentence; empty if it is not recognised."""
    case = dataclasses.replace(
        case, analytic=np.asarray(case.analytic), numeric=np.asarray(case.numeric),
        slack=np.asarray(case.slack), x=np.asarray(case.x),
    )  # fmt: skip
    if case.analytic.shape != case.numeric.shape:
        return _wrong_shape(case)
    with np.errstate(all="ignore"):
        return next(_of_equal_shape(case), "")


def _wrong_shape(case: Case) -> str:
    got, expected = case.analytic.shape, case.numeric.shape
    said = f"its gradient has shape {got}, not {expected}: "
    for axes, keepdims in _sums(case.analytic.ndim):
        if all(got[axis] == 1 for axis in axes):
            continue  # nothing to sum: an axis was kept
        total = case.analytic.sum(axis=axes, keepdims=keepdims)
        if total.shape == expected and case.agrees(total):
            return said + _missing_sum(axes, keepdims, len(got))
    if case.analytic.ndim == 2 and case.agrees(case.analytic.T):
        return f"{said}it is transposed; swap the factors of the product, or take .T"
    if case.analytic.size == case.numeric.size and case.agrees(case.analytic.reshape(expected)):
        return f"{said}the numbers are right; reshape it to the shape of what it belongs to"
    if len(got) == 2 and got[0] == got[1] > 1 and expected in ((got[0], 1), (1, got[0]), (got[0],)):
        n = got[0]
        return (
            f"{said}({n}, 1) and ({n},) broadcast to ({n}, {n}); bring prediction and target to "
            "one shape first"
        )
    if case.analytic.size == 1 and case.numeric.size > 1:
        return f"{said}one number stands for all; was it summed once too often?"
    return said + "a gradient has the shape of what it belongs to"


def _sums(ndim: int) -> Iterator[tuple[tuple[int, ...], bool]]:
    """The axes over which a gradient may have to be summed, with and without keepdims."""
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            yield axes, False
            yield axes, True


def _missing_sum(axes: tuple[int, ...], keepdims: bool, ndim: int) -> str:
    keeping = "keepdims=True" if keepdims else ""
    if len(axes) == ndim:
        return (
            "it is not summed over the batch: the forward pass repeats one number for all; add "
            f".sum({keeping})"
        )
    axis = str(axes[0] if len(axes) == 1 else axes)
    where = f"the batch, axis {axis}," if axes == (0,) else f"axis {axis},"
    arguments = ", ".join(filter(None, [f"axis={axis}", keeping]))
    return (
        f"it is not summed over {where} along which the forward pass repeats it; add "
        f".sum({arguments})"
    )


def _of_equal_shape(case: Case) -> Iterator[str]:
    a = case.analytic
    yield from nothing_or_the_sign(case)
    if a.ndim == 2 and a.shape[0] == a.shape[1] and a.size > 1 and case.agrees(a.T):
        yield "it is transposed; swap the factors of the product, or take .T"
    yield from _order(case)
    yield from _assigned(case)
    yield from wrong_where_taken_twice(case)
    yield from _product(case)
    yield from _adjoint(case)
    yield from wrong_factor(case)
    yield from _mask(case)
    yield from _missing_factor(case)
    yield from wrong_part(case)
    yield from _path(case)


def _order(case: Case) -> Iterator[str]:
    """The right numbers in another order: axes swapped, or turned around as kernels are."""
    a = case.analytic
    if not 2 < a.ndim < 5 or np.isnan(case.numeric).any():
        return
    for axes in itertools.permutations(range(a.ndim)):
        if axes != tuple(range(a.ndim)) and case.agrees(a.transpose(axes)):
            yield f"its axes are in another order; it is right after .transpose({axes})"
    for count in range(1, a.ndim + 1):
        for axis in itertools.combinations(range(a.ndim), count):
            if case.agrees(np.flip(a, axis)):
                yield f"it is turned around; it is right after np.flip with axis={axis}"


def _assigned(case: Case) -> Iterator[str]:
    """Set several times, where the sum of all would have been right."""
    parts = case.assigned
    alike = all(part.shape == parts[0].shape for part in parts)
    if len(parts) > 1 and alike and case.agrees(np.sum(parts, axis=0)):
        yield (
            f"assigned instead of accumulated: backward set it {len(parts)} times, and the sum of "
            "all is right; add each with +="
        )


def _product(case: Case) -> Iterator[str]:
    """A factor of a matrix product that should have been transposed."""
    a, g = case.analytic, case.adjoint
    if g is None or g.ndim != 2 or a.ndim != 2:
        return
    for name, m in case.others.items():
        if m.ndim != 2 or m.shape[0] != m.shape[1] or name == RESULT:
            continue
        right = m.shape[0] == g.shape[1] and _nearly_equal(a, g @ m) and case.agrees(g @ m.T)
        left = m.shape[0] == g.shape[0] and _nearly_equal(a, m @ g) and case.agrees(m.T @ g)
        if right or left:
            yield (
                f"{name} is not transposed in the product with the adjoint: "
                + (f"dout @ {name}.T" if right else f"{name}.T @ dout")
            )


def _nearly_equal(x: Array, y: Array) -> bool:
    return x.shape == y.shape and bool(np.allclose(x, y))


def _adjoint(case: Case) -> Iterator[str]:
    """Errors in what is done with the adjoint of the output."""
    a, g, doubled = case.analytic, case.adjoint, case.doubled
    if g is None:
        return
    if doubled is not None and a.any() and _nearly_equal(doubled, a):
        yield (
            "the adjoint of the output is left out: twice of it gives the same gradient; multiply "
            "by it"
        )
    if g.shape != a.shape or not ((g > 0).any() and (g < 0).any()):
        return
    for said, where in (("positive", g > 0), ("negative", g < 0)):
        if np.array_equal(a != 0, where):
            yield (
                f"it is not 0 exactly where the adjoint is {said}: the mask is taken from the sign "
                "of the adjoint instead of that of the input"
            )


def _mask(case: Case) -> Iterator[str]:
    """0 where it should not be and the other way round."""
    zero = case.analytic == 0
    if zero.any() and np.array_equal(zero, np.abs(case.numeric) > case.slack):
        yield "it is 0 exactly where it should not be: is the mask the wrong way round?"


def _missing_factor(case: Case) -> Iterator[str]:
    """An array of the forward pass that is a factor too few, or one too many."""
    candidates = {**case.others, "the input itself": case.x}
    if RESULT in case.others:
        candidates["1 - the result"] = 1 - case.others[RESULT]
        candidates["1 + the result"] = 1 + case.others[RESULT]
    for name, factor in candidates.items():
        if factor.size < 2 or factor.shape != case.x.shape or np.allclose(factor, factor.flat[0]):
            continue  # one number for all is a factor for _factor
        if case.agrees(case.analytic * factor):
            yield f"multiplied by {name} it is right: is that factor left out?"
        if factor.all() and case.agrees(case.analytic / factor):
            yield f"divided by {name} it is right: is that factor too many, or a division left out?"


def _path(case: Case) -> Iterator[str]:
    """A law of the numerical derivative that does not hold where a path through a sum is left out.

    Where x + c gives the same result for every number c, as in softmax, the derivative sums to 0;
    where x * c does, as in x divided by its norm, the derivative times x does (Euler's theorem).
    """
    x = case.x
    if np.isnan(case.numeric).any():
        return
    axes: list[int | None] = [i for i in range(x.ndim) if x.shape[i] > 1]
    for axis in [*axes, None] if len(axes) > 1 else axes:
        along = "" if axis is None else f" along axis {axis}"
        c = np.random.default_rng(0).uniform(0.1, 0.2, x.sum(axis=axis, keepdims=True).shape)
        for moved, factor, change, what, through in (
            (x + c, 1.0, f"adding one number to the input{along}", "derivative",
             "the sum or the mean"),
            (x + c * x, x, f"multiplying the input{along} by one number",
             "derivative times the input", "the norm or the standard deviation"),
        ):  # fmt: skip
            broken = _cancels(case.numeric * factor, axis) and not _cancels(
                case.analytic * factor, axis
            )
            if broken and _stays(case, moved):
                yield (
                    f"{change} leaves the result as it is, so a right {what} sums to 0"
                    f"{along}; this one does not, as when the path through {through} is left out"
                )


def _cancels(terms: Array, axis: int | None) -> bool:
    """Whether terms sum to 0; a small constant below a root (eps) may spoil the last digits."""
    sums = np.abs(terms.sum(axis=axis))
    limit = 1e-3 if sums.size > 1 else 1e-4  # one sum may be small by chance, several hardly
    return bool((sums <= limit * np.abs(terms).sum(axis=axis)).all())


def _stays(case: Case, moved: Array) -> bool:
    """Whether the result is the same for another input, but for a thousandth."""
    try:
        gap = abs(case.result(moved) - case.result(case.x))
    except (ArithmeticError, ValueError):
        return False
    return bool(gap <= 1e-3 * np.abs(case.numeric * (moved - case.x)).sum())
