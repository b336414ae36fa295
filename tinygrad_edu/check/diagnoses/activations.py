"""Laws for derivatives of activations: left out, or taken at the input instead of the result."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.case import RESULT, Case
from tinygrad_edu.check.diagnoses.second_adjoint import element, wrong_indices
from tinygrad_edu.check.kinds import Plain
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.view.cards.reading import shape_of

Factor = Callable[[Any, Any], Any]
"""Of the result y of an activation, and of the module, math or NumPy, that computes with it."""

LEFT_OUT: dict[str, Factor] = {
    "1 - the result": lambda y, m: 1 - y,
    "the result": lambda y, m: y,
    "1 + the result": lambda y, m: 1 + y,
    "1 - the result squared, the derivative of tanh,": lambda y, m: 1 - y * y,
    "the result * (1 - the result), the derivative of a sigmoid,": lambda y, m: y * (1 - y),
    "result > 0, the derivative of ReLU,": lambda y, m: 1.0 * (y > 0),
}  # fmt: skip
"""Factors of the adjoint that may be left out."""

TOO_MANY = list(LEFT_OUT)[:4]
"""Those that may be there once too often."""

AT_THE_INPUT: dict[str, Factor] = {
    "y * (1 - y), of a sigmoid": lambda y, m: y * (1 - y) / (_logit(y, m) * (1 - _logit(y, m))),
    "1 - y**2, of a tanh": lambda y, m: (1 - y * y) / (1 - (_logit((1 + y) / 2, m) / 2) ** 2),
    "y, of an exponential": lambda y, m: y / m.log(y),
}
"""The factor from a derivative that is written for the result y, but taken at the input."""

AT_THE_RESULT: dict[str, Factor] = {
    "1 - tanh(x)**2": lambda y, m: (1 - y * y) / (1 - m.tanh(y) ** 2),
    "s(x) * (1 - s(x)) of a sigmoid s": lambda y, m: y * (1 - y) * (2 + m.exp(y) + m.exp(-y)),
    "exp(x)": lambda y, m: y / m.exp(y),
}
"""The factor from a derivative that is written for the input x, but taken at the result."""
TRIED = 8
"""So many elements are tried at another place."""


def _logit(y: Any, m: Any) -> Any:
    """The input of a sigmoid from its result; that of a tanh is half of it, for (1 + y) / 2."""
    return m.log(y / (1 - y))


def activation_left_out(case: Case) -> Iterator[str]:
    with_adjoint = "" if shape_of(_result_of(case)) == case.shape else "with the adjoint "
    for what, factor in LEFT_OUT.items():
        if _right_times(case, factor):
            yield f"{with_adjoint}multiplied by {what} it is right: is that factor left out?"
        if what in TOO_MANY and _right_times(case, _one_over(factor)):
            yield (
                f"{with_adjoint}divided by {what} it is right: is that factor too many, or a "
                "division left out?"
            )


def _one_over(factor: Factor) -> Factor:
    return lambda y, m: 1 / factor(y, m)


def taken_elsewhere(case: Case) -> Iterator[str]:
    """The derivative of the activation is taken at another number."""
    for written, factor in AT_THE_INPUT.items():
        if _right_times(case, factor):
            yield (
                "the derivative is taken at the input instead of at the result: it is written as "
                f"{written}, which takes the result y"
            )
    for written, factor in AT_THE_RESULT.items():
        if _right_times(case, factor):
            yield (
                "the derivative is taken at the result instead of at the input: it is written as "
                f"{written}, which takes the input x"
            )
    if _is_derivative_at_the_result(case):
        yield "the derivative is taken at the result instead of at the input"


def _right_times(case: Case, factor: Factor) -> bool:
    """Whether the derivative is right with the adjoint of the result times a factor."""
    y = _result_of(case)
    if y is None:
        return False
    try:
        times = factor(y, sys.modules["numpy"] if shape_of(y) else math)
    except (ArithmeticError, ValueError):
        return False
    if not _is_finite(times):
        return False
    if shape_of(y) == case.shape:
        return case.agrees(case.analytic * times)
    other = case.again(case.adjoint * times) if case.again else None
    return other is not None and case.agrees(other.analytic)


def _result_of(case: Case) -> Plain:
    """The result, unless it is weighed or summed to one number; None where it is not known."""
    if RESULT in case.others:
        return case.others[RESULT]
    return None if shape_of(case.x) or case.adjoint is not None else case.result(case.x)


def _is_finite(x: Plain) -> bool:
    return bool(abs(x).max() < math.inf) if shape_of(x) else math.isfinite(x)


def _is_derivative_at_the_result(case: Case) -> bool:
    """Whether the analytic derivative is the right one of the result in the place of the input."""
    y = _result_of(case)
    if y is None or shape_of(y) != case.shape:
        return False
    there = replace(case, x=y)
    for index in wrong_indices(case, TRIED):
        analytic = element(case.analytic, index)
        try:
            slope, doubt = derivative(there.path(index), float(element(y, index)))
        except (ArithmeticError, ValueError):  # the result may be no input
            return False
        if not abs(slope - analytic) <= doubt + 1e-6 * abs(analytic):
            return False
    return True
