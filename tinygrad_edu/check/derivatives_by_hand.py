"""Derivatives of plain functions, written by hand, against differences."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import (
    Plain,
    check_repeats,
    floating,
    is_foreign,
    near,
    plain,
    precision,
    quietly,
)
from tinygrad_edu.check.report import Report, Row
from tinygrad_edu.check.variables import CheckedInputs
from tinygrad_edu.check.verdict import judged_together
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shape_of


class PlainFunction:
    """A function of plain numbers: its result at the inputs, and beside them."""

    def __init__(self, f: Callable[..., Any], inputs: CheckedInputs, problems: list[str]) -> None:
        self.f, self.inputs = f, inputs
        copies = inputs.copies()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            self.value = plain_result(self.f(*inputs.filled(copies)))
        problems += [f"the function warned: {w.message}" for w in warned]
        problems += inputs.written_into(copies, "the function")
        self.shape = shape_of(self.value)
        check_repeats("gradcheck", lambda: self.at({}))

    def at(self, numbers: dict[int, Plain]) -> Plain:
        """The result with other numbers, which may be complex, for some of the variables."""
        with quietly():
            return plain_result(self.f(*self.inputs.moved(numbers)))

    def total(self, numbers: dict[int, Plain]) -> Any:
        """The sum of all results."""
        y = self.at(numbers)
        return y.sum() if shape_of(y) else y

    def derivative(
        self, kind: str, derivative: Callable[..., Any], problems: list[str]
    ) -> list[Any]:
        """What a derivative by hand gives for each variable at the inputs."""
        copies = self.inputs.copies()
        result = derivative(*self.inputs.filled(copies))
        problems += self.inputs.written_into(copies, "the derivative")
        parts, unknown = self.inputs.parts_of(result, f"gradcheck: {kind}")
        problems += [f"the {kind} gave {name!r}, which is the name of no input" for name in unknown]
        return parts


def plain_result(y: Any) -> Any:
    """The numbers that a function gave, which are complex for the complex step."""
    data = y.data if isinstance(y, Node) else y
    if isinstance(data, bool | int | float | complex):
        return data
    import numpy as np

    array = np.asarray(data.detach().cpu() if is_foreign(data) else data)
    if array.dtype.kind not in "fiubc":
        raise TypeError(
            f"gradcheck: with a derivative by hand, the function returns numbers, not "
            f"{type(y).__name__}"
        )
    return array if array.ndim else array.item()


def check_by_kind(
    report: Report,
    f: Callable[..., Any],
    derivatives: dict[str, Callable[..., Any]],
    inputs: CheckedInputs,
    tolerance: Callable[[str], Tolerance],
) -> None:
    """Check the derivatives of f that were given, by their kinds."""
    if "adjoint" in derivatives:
        from tinygrad_edu.check.adjoint_check import rows_of_adjoint

        report.rows.extend(rows_of_adjoint(f, derivatives["adjoint"], inputs, report))
        return
    function = PlainFunction(f, inputs, report.problems)
    if "gradient" in derivatives:
        report.rows.extend(rows_of_gradient(function, derivatives["gradient"], report, tolerance))
    if derivatives.keys() - {"gradient"}:
        from tinygrad_edu.check import derivative_matrices as matrices

        if "jacobian" in derivatives:
            report.rows.extend(
                matrices.rows_of_jacobian(function, derivatives["jacobian"], report, tolerance)
            )
        if "hessian" in derivatives:
            report.rows.extend(
                matrices.rows_of_hessian(
                    function, derivatives["hessian"], derivatives.get("gradient"), report, tolerance
                )
            )
        if "jvp" in derivatives:
            report.rows.extend(
                matrices.rows_of_jvp(function, derivatives["jvp"], report, tolerance)
            )


def rows_of_gradient(
    function: PlainFunction,
    gradient: Callable[..., Any],
    report: Report,
    tolerance: Callable[[str], Tolerance],
) -> list[Row]:
    """One row for each input; without a derivative it is only listed."""
    parts = function.derivative("gradient", gradient, report.problems)
    inputs = function.inputs

    def elsewhere(i: int) -> Case | None:
        x = near(inputs.variables[i].double)
        try:
            with quietly():
                result = gradient(*inputs.moved({i: x}))
                part = inputs.parts_of(result, "gradcheck: the gradient")[0][i]
                return case_of_gradient(function, i, part, tolerance, x)
        except (ArithmeticError, ValueError):  # the function may not be defined there
            return None

    cases = {
        i: replace(
            case_of_gradient(function, i, part, tolerance, inputs.variables[i].double),
            elsewhere=partial(elsewhere, i) if inputs.variables[i].is_floating else None,
        )
        for i, part in enumerate(parts)
        if part is not None
    }
    rows = dict(zip(cases, judged_together([*cases.values()]), strict=True))
    every = [
        rows.get(i) or Row(v.name, shape_of(v.numbers), "not given")
        for i, v in enumerate(function.inputs.variables)
    ]
    return function.inputs.with_unused_tried_again(every, function.at)


def case_of_gradient(
    function: PlainFunction,
    i: int,
    part: Any,
    tolerance: Callable[[str], Tolerance],
    x: Plain,
) -> Case:
    """The derivative of one number, or of each result by its own elements, at other numbers x in
    the place of one input."""
    v = function.inputs.variables[i]
    analytic = plain(part, f"gradcheck: the gradient of {v.name}")
    if math.prod(function.shape) > 1:
        _check_own_elements(function, i)
    counts = {} if math.prod(function.shape) > 1 else function.inputs.counts()
    others = function.inputs.others(i)
    if function.shape:
        others[RESULT] = floating(function.at({i: x}))
    return Case(
        v.name, x, floating(analytic), lambda moved: function.total({i: moved}),
        tolerance(precision(analytic)), precision(analytic), counts=counts, others=others,
        together=lambda numbers: function.total(function.inputs.by_number(numbers)),
    )  # fmt: skip


def _check_own_elements(function: PlainFunction, i: int) -> None:
    """ValueError unless each result depends on elements of its own, so f'(x) has x's shape."""
    from tinygrad_edu.check.one_to_one import has_own_elements

    v, shape = function.inputs.variables[i], function.shape
    if shape_of(v.double)[: len(shape)] != shape:
        raise ValueError(
            f"gradcheck: the function gives shape {shape} for {v.name} of shape "
            f"{shape_of(v.double)}; gradient= is for one number, or for an array element by "
            "element: give the matrix of derivatives as jacobian=, or a backward pass to "
            "check_backward"
        )
    if not has_own_elements(lambda x: function.at({i: x}), v.double, function.at({})):
        raise ValueError(
            f"gradcheck: a result of the function depends on more than its own element of "
            f"{v.name}, so its derivative is a matrix; give it as jacobian=, or a backward pass to "
            "check_backward"
        )
