"""Derivatives of several results, written by hand: Jacobians, Hessians, and products with them.

The matrix of derivatives of f is judged as the gradient of one number: where every result i has a
copy of the input to itself, Σ f(x of i)[i] has the derivative J[i, j] by element j of copy i.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.case import Case, Tolerance
from tinygrad_edu.check.derivatives_by_hand import PlainFunction
from tinygrad_edu.check.kinds import (
    Plain,
    floating,
    like,
    plain,
    positional_parameters,
    precision,
    quietly,
)
from tinygrad_edu.check.report import Report, Row
from tinygrad_edu.check.second_differences import Slopes, numerical_slopes
from tinygrad_edu.check.variables import CheckedInputs
from tinygrad_edu.check.verdict import judged
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.view.cards.reading import shape_of

Derivative = Callable[..., Any]
Tolerances = Callable[[str], Tolerance]

TRANSPOSED = (
    "it is the transpose: row i of a Jacobian has the derivatives of result i, so J[i, j] is that "
    "of result i by element j; swap the axes"
)
KEPT = 4096
"""So many results are kept: a column of a Jacobian is asked for once by every row."""


# --- Jacobians -----------------------------------------------------------------------------------


def rows_of_jacobian(
    function: PlainFunction, jacobian: Derivative, report: Report, tolerance: Tolerances
) -> list[Row]:
    """One row for each input, whose shape is that of the results and of the input."""
    rows = []
    parts = function.derivative("jacobian", jacobian, report.problems)
    for i, (variable, part) in enumerate(zip(function.inputs.variables, parts, strict=True)):
        if part is None:
            rows.append(Row(variable.name, shape_of(variable.numbers), "not given"))
            continue
        matrix = np.asarray(plain(part, f"gradcheck: the jacobian of {variable.name}"))
        case = _case_of_matrix(
            variable.name, _results_by(function, i), variable.double, function.shape,
            matrix, tolerance(precision(matrix)),
        )  # fmt: skip
        rows.append(_judged_matrix(case, function.shape, shape_of(variable.double), TRANSPOSED))
    return function.inputs.with_unused_tried_again(rows, function.at)


def _results_by(function: PlainFunction, i: int) -> Callable[[Plain], Plain]:
    return lambda x: function.at({i: x})


def _case_of_matrix(
    name: str, f: Callable[[Plain], Plain], x: Plain, results: tuple[int, ...], matrix: Array,
    tolerance: Tolerance,
) -> Case:  # fmt: skip
    """The case of all derivatives of f, whose results have a shape, at x."""
    known: dict[bytes, Array] = {}

    def results_of(x: Array) -> Array:
        key = x.tobytes()
        if key not in known:
            if len(known) >= KEPT:
                known.clear()
            known[key] = np.ravel(f(x if x.ndim else x.item()))
        return known[key]

    def result(copies: Plain) -> Any:
        each = np.reshape(copies, (math.prod(results), *shape_of(x)))
        return sum(results_of(np.asarray(own))[i] for i, own in enumerate(each))

    shape = results + shape_of(x)
    return Case(
        name, np.broadcast_to(x, shape).copy() if shape else x, floating(matrix), result, tolerance,
        precision(matrix),
    )  # fmt: skip


def _judged_matrix(
    case: Case, results: tuple[int, ...], x: tuple[int, ...], transposed: str
) -> Row:
    """The verdict on a matrix of derivatives, which may be flattened, or the transpose."""
    matrix, full = case.analytic, results + x
    flat = math.prod(results), math.prod(x)
    row = None
    if matrix.shape in (full, flat):
        row = judged(replace(case, analytic=matrix.reshape(full)))
        if row.verdict != "wrong":
            return row
    if matrix.shape == x + results:
        swapped = matrix.transpose(*range(len(x), matrix.ndim), *range(len(x)))
    elif matrix.shape == flat[::-1]:
        swapped = matrix.T.reshape(full)
    elif row:
        return row
    else:
        note = (
            f"its shape is {matrix.shape}; the derivatives of results of shape {results} by an "
            f"input of shape {x} have shape {full}, or {flat} as a matrix"
        )
        return Row(case.parameter, full, "wrong", dtype=case.dtype, note=note)
    again = judged(replace(case, analytic=swapped))
    if again.verdict in ("ok", "kink"):
        return Row(case.parameter, full, "wrong", dtype=case.dtype, note=transposed)
    return row or replace(again, verdict="wrong", note=f"{transposed}; then {again.note}")


# --- Hessians ------------------------------------------------------------------------------------


def rows_of_hessian(
    function: PlainFunction, hessian: Derivative, gradient: Derivative | None, report: Report,
    tolerance: Tolerances,
) -> list[Row]:  # fmt: skip
    """One row for each pair of inputs: the derivatives of the gradient, or second differences."""
    inputs = function.inputs
    if math.prod(function.shape) != 1:
        raise ValueError(
            f"gradcheck: hessian= is for a function with one number as result, not shape "
            f"{function.shape}"
        )
    copies = inputs.copies()
    blocks = _blocks(inputs, hessian(*inputs.filled(copies)))
    report.problems.extend(inputs.written_into(copies, "the derivative"))
    slopes = _gradient_by_hand(function, gradient) if gradient else numerical_slopes(function)
    rows = []
    for (a, b), block in blocks.items():
        one, other = inputs.variables[a], inputs.variables[b]
        matrix = np.asarray(plain(block, f"gradcheck: the hessian of {one.name}"))
        case = _case_of_matrix(
            one.name if len(blocks) == 1 else f"{one.name}, {other.name}",
            functools.partial(slopes, a, b), other.double, shape_of(one.double), matrix,
            tolerance(precision(matrix)),
        )  # fmt: skip
        row = _judged_matrix(case, shape_of(one.double), shape_of(other.double), "")
        if row.verdict == "unused":  # a gradient that stays as it is has a derivative of 0
            row = replace(row, verdict="ok", note="")
        rows.append(_with_symmetry(row, case) if a == b and row.verdict == "wrong" else row)
    return rows


def _blocks(inputs: CheckedInputs, hessian: Any) -> dict[tuple[int, int], Any]:
    """The second derivatives by each pair of variables: all of a matrix, its blocks, or rows of
    blocks in the order of the inputs, or by name."""
    count = range(len(inputs.variables))
    if len(count) == 1 and not isinstance(hessian, dict):
        return {(0, 0): hessian}
    ends = np.cumsum([0, *(np.size(v.double) for v in inputs.variables)])
    try:
        whole = np.asarray(hessian)
    except ValueError:  # blocks of several shapes
        whole = np.zeros(0)
    if whole.shape == (ends[-1], ends[-1]) and whole.dtype.kind in "fiu":
        return {
            (a, b): whole[ends[a] : ends[a + 1], ends[b] : ends[b + 1]].reshape(
                shape_of(inputs.variables[a].double) + shape_of(inputs.variables[b].double)
            )
            for a in count
            for b in count
        }
    rows = inputs.parts_of(hessian, "gradcheck: hessian")[0]
    return {
        (a, b): block
        for a, row in enumerate(rows)
        for b, block in enumerate(inputs.parts_of(row, "gradcheck: a row of hessian")[0])
    }


def _gradient_by_hand(function: PlainFunction, gradient: Derivative) -> Slopes:
    inputs = function.inputs

    def slopes(a: int, b: int, x: Plain) -> Plain:
        with quietly():
            return inputs.parts_of(gradient(*inputs.moved({b: x})), "gradcheck: gradient")[0][a]

    return slopes


def _with_symmetry(row: Row, case: Case) -> Row:
    """What a symmetric matrix would have shown."""
    size = math.isqrt(case.analytic.size)
    matrix = case.analytic.reshape(size, size)
    apart = np.abs(matrix - matrix.T)
    if apart.max(initial=0) <= 1e-6 * np.abs(matrix).max(initial=0):
        return row
    i, j = (int(k) for k in np.unravel_index(np.argmax(apart), apart.shape))
    one, other = matrix[i, j], matrix[j, i]
    said = f"it is not symmetric: {one:.6g} at [{i}, {j}] and {other:.6g} at [{j}, {i}]"
    for triangle, name in ((np.triu, "below"), (np.tril, "above")):
        if np.array_equal(triangle(matrix), matrix):
            whole = (matrix + matrix.T - np.diag(np.diag(matrix))).reshape(case.shape)
            if judged(replace(case, analytic=whole)).verdict == "ok":
                said += f"; what is {name} the diagonal was not filled in"
    return replace(row, note=said)


# --- products with a vector ----------------------------------------------------------------------


def rows_of_jvp(
    function: PlainFunction, jvp: Derivative, report: Report, tolerance: Tolerances
) -> list[Row]:
    """One row for each input: the derivative of every result along a random tangent of it."""
    inputs, rows = function.inputs, []
    call = _way_to_call(function, jvp)
    for i, variable in enumerate(inputs.variables):
        if not variable.is_floating:
            rows.append(Row(variable.name, shape_of(variable.numbers), "not given"))
            continue
        tangents = [np.random.default_rng(seed).normal(size=shape_of(variable.double))
                    for seed in (0, 1)]  # fmt: skip
        first, second = (call({i: v}) for v in tangents)
        both = call({i: 1000 * tangents[0] - tangents[1]})
        size = np.abs(first).max(initial=0) * 1000 + np.abs(second).max(initial=0)
        if not np.allclose(both, 1000 * first - second, rtol=0, atol=1e-6 * size):
            report.problems.append(
                f"{variable.name}: the jvp is not linear in the tangent: of 1000 v - w it is not "
                "1000 times that of v less that of w"
            )
        case = _case_along(function, i, tangents[0], first, tolerance(precision(first)))
        if shape_of(first) == function.shape:
            rows.append(replace(judged(case), at=math.nan))
        else:
            note = f"its shape is {first.shape}; a tangent of the result has shape {function.shape}"
            rows.append(Row(variable.name, function.shape, "wrong", note=note))
    report.notes.append("the derivatives are those along a random direction of each input")
    return inputs.with_unused_tried_again(rows, function.at)


def _case_along(
    function: PlainFunction, i: int, tangent: Plain, analytic: Array, tolerance: Tolerance
) -> Case:
    """The derivative of each result along a tangent, each with a way to go of its own."""
    base = function.inputs.variables[i].double

    def result(ways: Plain) -> Any:
        y: Any = 0.0
        known: dict[Any, Any] = {}
        for k, way in enumerate(np.ravel(ways).tolist()):
            if way not in known:
                known[way] = np.ravel(function.at({i: base + way * tangent}))
            y = y + known[way][k]
        return y

    zero = np.zeros(function.shape) if function.shape else 0.0
    return Case(
        function.inputs.variables[i].name, zero, floating(analytic), result, tolerance,
        precision(analytic),
    )  # fmt: skip


def _way_to_call(function: PlainFunction, jvp: Derivative) -> Callable[[dict[int, Plain]], Array]:
    """How a jvp takes its inputs and tangents: as `jvp(x, v)`, `jvp(x, y, v, w)`, or in two tuples.

    What fits is found by calling it; an error of all ways is that of the first.
    """
    inputs = function.inputs

    def tangents(of: dict[int, Plain]) -> list[Any]:
        zeros = (like(v.given, v.double * 0) for v in inputs.variables)
        return inputs.filled(
            like(v.given, of[i]) if i in of else zero
            for i, (v, zero) in enumerate(zip(inputs.variables, zeros, strict=True))
        )

    def one_by_one(of: dict[int, Plain]) -> Any:
        return jvp(*inputs.filled(inputs.copies()), *tangents(of))

    def in_tuples(of: dict[int, Plain]) -> Any:
        return jvp(tuple(inputs.filled(inputs.copies())), tuple(tangents(of)))

    names = [p.name for p in positional_parameters(jvp)]
    ways = [in_tuples, one_by_one] if "tangents" in names else [one_by_one, in_tuples]
    first_error: Exception | None = None
    for way in ways:
        try:
            with quietly():
                tangent = _tangent(function, way({0: inputs.variables[0].double * 0 + 1}))
        except Exception as error:
            first_error = first_error or error
            continue
        if tangent.shape == function.shape or way is ways[-1]:

            def call(of: dict[int, Plain], way: Derivative = way) -> Array:
                with quietly():
                    return _tangent(function, way(of))

            return call
    assert first_error is not None
    raise first_error


def _tangent(function: PlainFunction, result: Any) -> Array:
    """The tangent that a jvp gave, alone or after the result of the function."""
    if (
        isinstance(result, tuple | list)
        and len(result) == 2
        and (
            np.shape(result[0]) == function.shape == np.shape(result[1])
            and np.allclose(result[0], function.value, equal_nan=True)
        )
    ):
        result = result[1]
    return np.asarray(plain(result, "gradcheck: the result of jvp"))
