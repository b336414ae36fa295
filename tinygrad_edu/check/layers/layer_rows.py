"""The rows of a layer's report: a verdict for each input and parameter, and what else is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.backward_laws import broken_laws
from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import floating, largest, precision, weights_for
from tinygrad_edu.check.layers.constants_and_labels import is_constant, is_label
from tinygrad_edu.check.layers.finding import is_explained
from tinygrad_edu.check.layers.layer_variables import Variable
from tinygrad_edu.check.layers.passes import Pass
from tinygrad_edu.check.layers.runs import HandWrittenLayer
from tinygrad_edu.check.layers.structures import array_of
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.check.report import NOT_COMPARED, Report, Row
from tinygrad_edu.check.sampling import along, directions
from tinygrad_edu.check.verdict import judged, judged_together
from tinygrad_edu.rules.constants import short
from tinygrad_edu.rules.operand_types import Array


def add_rows(
    report: Report, layer: HandWrittenLayer, once: Pass, rtol: float | None, atol: float | None
) -> None:
    """Add a row for each input and parameter to the report, and what else is wrong."""
    _check_same(layer, once)
    variables = [v for v in once.variables if not _is_buffer(v, layer)]
    cases = [
        None if v.gradient is None else _case_of(v, layer, once, rtol, atol) for v in variables
    ]
    verdicts = judged_together(
        cases, lambda i, case, calls: _row_of(variables[i], case, layer, once, calls)
    )
    rows = [row or _not_given(v, layer, once) for v, row in zip(variables, verdicts, strict=True)]
    rows = _with_outputs_named(layer, once, cases, rows)
    for v, row in zip(variables, rows, strict=True):
        # what backward knows nothing of, and the result neither, is a cache, a buffer or a setting
        shown = row.kind or v.named or (v.is_input and not v.path)
        aside = row.verdict == "not given" and not shown
        if v.change and not aside:
            report.problems.append(v.change)
        if not aside:
            report.rows.append(row)
    report.problems.extend(_broken_laws(report, layer, once, variables))
    report.problems.extend(
        f"backward gave {place.path}, which looks like a gradient, but no input or parameter was "
        "found that it belongs to, so it was not checked; call it d and the name of its parameter"
        for place in once.unmatched
        if not is_explained(place, once.known, _counts(once).get("the length of the batch", 0))
    )


def _broken_laws(
    report: Report, layer: HandWrittenLayer, once: Pass, variables: Sequence[Variable]
) -> list[str]:
    """What is to be said of backward passes that are not the same at every run, or not linear."""
    added = {v.name for v in variables if v.added}

    def of(run: Pass) -> dict[str, Array]:
        """The gradients that a run gave, without what stood in their places before."""
        return {
            v.name: array_of(v.gradient) - (v.left_before if v.name in added else 0)
            for v in run.variables if v.gradient is not None
        }  # fmt: skip

    gradients = of(once)
    dtype = precision(once.output, *gradients.values())
    # a loss may leave out the 1
    steps = {v.name for v in variables if v.is_step}
    linear = set(report.right) - steps if once.adjoint.size > 1 else ()
    return broken_laws(gradients, lambda c: of(layer.run(c)), once.adjoint, dtype, linear)


def _check_same(layer: HandWrittenLayer, once: Pass) -> None:
    """ValueError unless forward gives what it gave in the analytic pass, at every call."""
    outputs = layer.outputs_of(None)
    first, second = outputs(np.zeros(())), outputs(np.zeros(()))
    slack = {"float64": 1e-9, "float32": 1e-2}.get(precision(once.output, *_dtypes(once)), 0.1)
    size = largest(once.output)
    for other in (first, second) if first.shape == once.output.shape else ():
        tolerated = (1e-9 if other is second else slack) * size
        reference = first if other is second else once.output
        if not np.allclose(other, reference, rtol=0, atol=tolerated, equal_nan=True):
            raise ValueError(
                "check_backward: the same inputs gave two results, "
                f"{short(reference)} and {short(other)}; a function that draws random numbers, or "
                "keeps a state, has to start the same way at every call: draw from "
                "np.random.default_rng(0) inside forward, or keep the mask of a dropout"
            )


def _dtypes(once: Pass) -> list[Any]:
    return [v.given for v in once.variables]


def _is_buffer(v: Variable, layer: HandWrittenLayer) -> bool:
    """Whether forward overwrites an array before it uses it, so that it is not a parameter."""
    if v.is_input or v.named or (v.aside and v.gradient is None):
        return False
    return layer.is_overwritten(v) and not _matters_at_all(v, layer)


def _matters_at_all(v: Variable, layer: HandWrittenLayer) -> bool:
    """Whether moving a variable changes the result, in any bit."""
    outputs, x = layer.outputs_of(v), floating(v.given)
    step = 1e-3 * np.random.default_rng(0).normal(size=x.shape)
    return not np.array_equal(outputs(x), outputs(x + step), equal_nan=True)


def _with_outputs_named(
    layer: HandWrittenLayer, once: Pass, cases: Sequence[Case | None], rows: Sequence[Row]
) -> list[Row]:
    """The rows, with a wrong one that is wrong for the adjoint of one output alone saying so."""
    assert layer.call is not None
    parts = layer.parts_of_adjoint(once.adjoint)
    if len(parts) < 2:
        return list(rows)
    named = list(rows)
    for i, (case, row) in enumerate(zip(cases, rows, strict=True)):
        if case is None or row.verdict != "wrong" or case.again is None:
            continue
        wrong = []
        for j, part in parts.items():
            alone = case.again(part)
            if alone is None or judged(alone).verdict == "wrong":
                wrong.append(j)
        if wrong and len(wrong) < len(parts):
            said = ", ".join(f"the adjoint of output {j}" for j in wrong)
            named[i] = replace(row, note=f"it is wrong for {said} alone: {row.note}")
    return named


def _case_of(
    variable: Variable, layer: HandWrittenLayer, once: Pass, rtol: float | None, atol: float | None
) -> Case:
    analytic = array_of(variable.gradient, f"check_backward: the gradient of {variable.name}")
    if variable.takes(analytic):
        analytic = analytic.reshape(variable.given.shape)
    dtype = precision(analytic, variable.given, once.output)
    others = {
        v.name if v.own_name.isdigit() else v.own_name: v.given
        for v in once.variables
        if v is not variable
    }

    def case_of(run: Pass, of: HandWrittenLayer) -> Case | None:
        same = run.named(variable.name)
        return None if same is None else _case_of(same, of, run, rtol, atol)

    def again(adjoint: Any = None) -> Case | None:
        other = weights_for(once.adjoint.shape, 1) if adjoint is None else adjoint
        return case_of(layer.run(adjoint=other), layer)

    def elsewhere() -> Case | None:
        near = layer.with_input_near(variable.position)
        try:
            return case_of(near.run(), near)
        except (ArithmeticError, ValueError):  # the function may not be defined there
            return None

    return Case(
        variable.name,
        floating(variable.given),
        floating(analytic),
        layer.result_of(variable, once.adjoint),
        Tolerance.of(dtype, rtol, atol, "check_backward"),
        dtype,
        adjoint=once.adjoint if once.adjoint.size > 1 else None,
        counts=_counts(once),
        others={
            name: floating(array)
            for name, array in {**others, RESULT: once.output}.items()
            if array.ndim
        },
        again=again if once.adjoint.size > 1 else None,
        elsewhere=elsewhere if once.adjoint.size == 1 and _is_floating_input(variable) else None,
        outputs=layer.outputs_of(variable),
        together=lambda numbers: layer.weighed_with(numbers, once),
    )


def _is_floating_input(variable: Variable) -> bool:
    """Whether a variable is an input as it is, of floating numbers."""
    return variable.is_input and not variable.path and variable.given.dtype.kind == "f"


def _row_of(variable: Variable, case: Case, layer: HandWrittenLayer, once: Pass, calls: int) -> Row:
    """The verdict; a gradient may have been added to what stood in its place before."""
    row = judged(case, calls)
    if row.verdict == "wrong" and variable.source is not None and case.shape:
        parts = layer.assigned_to(variable, once.adjoint)
        if len(parts) > 1:
            row = judged(_with_assigned(case, variable, layer, parts))
    before = variable.left_before
    if row.verdict == "wrong" and before is not None and before.shape == case.analytic.shape:
        added = judged(replace(case, analytic=case.analytic - before))
        if added.verdict != "wrong":
            variable.added, note = True, "added to a gradient that was there before"
            return replace(added, note="; ".join(filter(None, [added.note, note])))
    return row


def _with_assigned(
    case: Case, variable: Variable, layer: HandWrittenLayer, parts: Sequence[Any]
) -> Case:
    """The case with all that its gradient was set to, also under another adjoint."""

    def again(adjoint: Any = None) -> Case | None:
        other = case.again(adjoint) if case.again else None
        if other is None or other.adjoint is None:
            return other
        return _with_assigned(other, variable, layer, layer.assigned_to(variable, other.adjoint))

    assigned = [floating(array_of(x)) for x in parts]
    return replace(case, assigned=assigned, again=again if case.again else None)


def _counts(once: Pass) -> dict[str, int]:
    """Numbers that a mean may divide by, with what they count."""
    arrays = [v.given for v in once.variables if v.is_input and v.given.ndim]
    counts = {"the length of the batch": arrays[0].shape[0]} if arrays else {}
    counts["the number of results"] = once.output.size
    if arrays:
        counts["the number of elements"] = arrays[0].size
    return counts


def _may_be_a_label(variable: Variable, once: Pass) -> bool:
    """Whether an input needs no gradient. One of a dict of parameters does: several others of the
    same dict or list have one."""
    beside = [
        v for v in once.variables
        if variable.path and v.position == variable.position and v.gradient is not None
    ]  # fmt: skip
    return variable.is_input and not (variable.floating and len(beside) > 1)


def _not_given(variable: Variable, layer: HandWrittenLayer, once: Pass) -> Row:
    """An input without a gradient may be a label, and an array of a layer a constant; a parameter
    that matters has to have one."""
    row = Row(variable.name, variable.given.shape, "not given")
    number = not (variable.given.ndim or variable.named)
    if number or (variable.aside and not variable.named):
        return row
    may_be_label = _may_be_a_label(variable, once)
    named_so = is_label(variable.name) or variable.path or not variable.floating
    if may_be_label and named_so:
        return row
    if not _matters_at_all(variable, layer):
        return row
    if may_be_label:
        return replace(row, kind=NOT_COMPARED)
    if not variable.named and is_constant(variable):
        return replace(row, kind=NOT_COMPARED)
    result, x = layer.result_of(variable, once.adjoint), floating(variable.given)
    for direction in directions(row.shape, 2):
        slope, doubt = derivative(along(result, x, direction))
        if abs(slope) > 1e-6 + 10 * doubt:
            return replace(row, verdict="missing", note=_looked_for(variable))
    return row


def _looked_for(variable: Variable) -> str:
    own = variable.own_name
    names = f"d{own}, grad_{own}, {own}_grad, {own}.g or {own}.grad_"
    held_in = variable.name.rpartition(".")[0].rpartition(".")[2]
    if held_in and own.isdigit():  # in a list
        names = f"d{held_in}[{own}], {held_in}_grads[{own}] or, for params, grads[{own}]"
    return (
        f"backward gave no gradient for it (looked for {names}); for a constant, name those to be "
        "checked: parameters=[...]"
    )
