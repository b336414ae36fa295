"""The check of hand-written layers: what backward gives against what moving an input does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import check_repeats, floating, precision, title_of, weights_for
from tinygrad_edu.check.layers.calling import takes_nothing
from tinygrad_edu.check.layers.parts import array_of
from tinygrad_edu.check.layers.runs import HandWrittenLayer, Pass, Variable
from tinygrad_edu.check.libraries.recognition import (
    check_in_library,
    has_hand_written,
    library_of,
)
from tinygrad_edu.check.numerical import derivative
from tinygrad_edu.check.report import Report, Row, a_check, concluded
from tinygrad_edu.check.sampling import along, directions
from tinygrad_edu.check.verdict import judged, with_swaps_named


@a_check
def check_backward(
    layer: Any,
    *inputs: Any,
    parameters: Mapping[str, Any] | Sequence[str] | None = None,
    accumulate: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    raises: bool = True,
) -> Report:
    """Compare the gradients of a hand-written layer with numerical derivatives.

    `layer` has `forward(*inputs)`, or can be called, and `backward`; or give two functions,
    `check_backward(forward, backward, *inputs)`. `backward` is called as it is written: with the
    adjoint `dout` of the output; with the inputs and `dout`; with `dout` and a cache, if forward
    returns an output and a cache; with the inputs alone, or with nothing, if the output is the loss
    or the adjoint is looked for in `out.g`, `out.grad_` or `out.grad`.

    The gradients are what it returns (one for the first input, a tuple in order, or a dict by
    name), or what it leaves behind: for an array `W` in `dW`, `grad_W` or `W_grad` of the layer,
    or in `W.g`, `W.grad_` or `W.grad`. Parameters are the arrays and numbers that the layer holds,
    also in dicts, lists and other layers. `parameters` names those to be checked, or gives the
    arrays that two functions share, as `{"W": W}`: those are moved in place, and put back.

    Layers are checked on copies. With `accumulate`, a second backward pass has to add its gradients
    to those that the first one left. A result of several numbers gets random numbers as adjoint, a
    single number 1. `rtol`, `atol`, kinks and large inputs are as in `gradcheck`.

    Returns a Report. Raises GradientError with its text for a wrong gradient, and for code that
    warns or writes into its inputs, its parameters or the adjoint, unless `raises` is False;
    ValueError if there is no gradient at all.
    """
    if not has_hand_written(layer, inputs) and (library := library_of(layer, inputs)):
        return check_in_library(library, layer, inputs, "check_backward", rtol, atol, None, raises)
    forward, backward, inputs, what = _functions(layer, inputs)
    if not inputs:
        raise ValueError("check_backward: give at least one input for the forward pass")
    written = HandWrittenLayer(forward, backward, inputs, parameters)
    once = written.run()
    report = Report(f"check_backward of {what}", [], once.problems)
    if once.finite and any(v.gradient is not None for v in once.variables):
        _judge(report, written, once, rtol, atol)
        if accumulate:
            report.problems.extend(_not_accumulated(written, once))
        return concluded(report, raises)
    report.problems.extend(v.change for v in once.variables if v.is_input and v.change)
    if not report.problems:
        raise ValueError(
            f"check_backward: backward of {what} gave no gradient; return it, or leave it in an "
            "attribute such as dW, or in .g or .grad_ of the array"
        )
    return concluded(report, raises)


def _judge(
    report: Report, layer: HandWrittenLayer, once: Pass, rtol: float | None, atol: float | None
) -> None:
    """Add a row for each input and parameter to the report, and what was changed."""
    check_repeats(
        "check_backward",
        lambda: layer.result_of(None, once.adjoint)(np.zeros(())),
        ": draw from np.random.default_rng(0) inside forward, or keep the mask of a dropout",
    )
    twice = layer.run(adjoint_times=2.0) if once.adjoint.size > 1 else None
    cases = [
        None if v.gradient is None else _case_of(v, layer, once, twice, rtol, atol)
        for v in once.variables
    ]
    rows = [
        _not_given(v, layer, once) if case is None else _row_of(v, case)
        for v, case in zip(once.variables, cases, strict=True)
    ]
    for v, row in zip(once.variables, with_swaps_named(cases, rows), strict=True):
        # what backward knows nothing of, and the result neither, is a cache, a buffer or a setting
        aside = row.verdict == "not given" and not v.is_input and not v.named
        if v.change and not aside:
            report.problems.append(v.change)
        if not (aside and (v.change or v.replaced or not v.given.ndim)):
            report.rows.append(row)


def _functions(
    layer: Any, inputs: tuple[Any, ...]
) -> tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...], str]:
    if hasattr(layer, "backward") and not isinstance(layer, type):
        forward = getattr(layer, "forward", None)
        if callable(layer) and (forward is None or takes_nothing(layer.backward)):
            forward = layer.__call__  # keeps the inputs and the output for backward
        if not callable(forward):
            raise TypeError(f"check_backward: {type(layer).__name__} has backward but no forward")
        return forward, layer.backward, inputs, type(layer).__name__
    if isinstance(layer, type):
        raise TypeError(f"check_backward: {layer.__name__} is a class; give an object of it")
    if callable(layer) and inputs and callable(inputs[0]):
        return layer, inputs[0], inputs[1:], title_of(layer)
    raise TypeError(
        f"check_backward: {type(layer).__name__} has no backward; give a layer with forward and "
        "backward, or two functions: check_backward(forward, backward, *inputs)"
    )


def _case_of(
    variable: Variable,
    layer: HandWrittenLayer,
    once: Pass,
    twice: Pass | None,
    rtol: float | None,
    atol: float | None,
) -> Case:
    analytic = array_of(variable.gradient, f"check_backward: the gradient of {variable.name}")
    dtype = precision(analytic, variable.given, once.output)
    doubled = None
    if twice is not None:
        other = twice.variables[once.variables.index(variable)].gradient
        doubled = None if other is None else floating(array_of(other))
    others = {v.own_name: v.given for v in once.variables if v is not variable}

    def again(adjoint: Any = None) -> Case | None:
        other = layer.run(
            adjoint=weights_for(once.adjoint.shape, 1) if adjoint is None else adjoint
        )
        same = next((v for v in other.variables if v.name == variable.name), None)
        if same is None or same.gradient is None:
            return None
        return _case_of(same, layer, other, None, rtol, atol)

    return Case(
        variable.name,
        floating(variable.given),
        floating(analytic),
        layer.result_of(variable, once.adjoint),
        Tolerance.of(dtype, rtol, atol, "check_backward"),
        dtype,
        plain=variable.is_input,
        adjoint=once.adjoint if once.adjoint.size > 1 else None,
        counts=_counts(once),
        doubled=doubled,
        others={
            name: floating(array)
            for name, array in {**others, RESULT: once.output}.items()
            if array.ndim
        },
        assigned=[
            floating(array_of(x))
            for x in variable.assigned
            if isinstance(x, float | np.floating | np.ndarray)
        ],
        again=again if once.adjoint.size > 1 else None,
        outputs=layer.outputs_of(variable),
    )


def _row_of(variable: Variable, case: Case) -> Row:
    """The verdict; a gradient may have been added to what stood in its place before."""
    row = judged(case)
    before = variable.left_before
    if row.verdict == "wrong" and before is not None and before.shape == case.analytic.shape:
        added = judged(replace(case, analytic=case.analytic - before))
        if added.verdict != "wrong":
            note = "added to a gradient that was there before"
            return replace(added, note="; ".join(filter(None, [added.note, note])))
    return row


def _counts(once: Pass) -> dict[str, int]:
    """Numbers that a mean may divide by, with what they count."""
    arrays = [v.given for v in once.variables if v.is_input and v.given.ndim]
    counts = {"the length of the batch": arrays[0].shape[0]} if arrays else {}
    counts["the number of results"] = once.output.size
    if arrays:
        counts["the number of elements"] = arrays[0].size
    return counts


def _not_given(variable: Variable, layer: HandWrittenLayer, once: Pass) -> Row:
    """An input without a gradient may be a label; a parameter that matters has to have one."""
    name, shape = variable.name, variable.given.shape
    if variable.is_input or not (variable.given.ndim or variable.named):
        return Row(name, shape, "not given")
    result, x = layer.result_of(variable, once.adjoint), floating(variable.given)
    for direction in directions(shape, 2):
        slope, doubt = derivative(along(result, x, direction))
        if abs(slope) > 1e-6 + 10 * doubt:
            own = variable.own_name
            looked_for = f"d{own}, grad_{own}, {own}_grad, {own}.g or {own}.grad_"
            held_in = variable.name.rpartition(".")[0].rpartition(".")[2]
            if held_in and own.isdigit():  # in a list
                looked_for = (
                    f"d{held_in}[{own}], {held_in}_grads[{own}] or, for params, grads[{own}]"
                )
            note = (
                f"backward gave no gradient for it (looked for {looked_for}); for a constant, "
                "name those to be checked: parameters=[...]"
            )
            return Row(name, shape, "missing", note=note)
    return Row(name, shape, "not given")


def _not_accumulated(layer: HandWrittenLayer, once: Pass) -> list[str]:
    """What the second of two backward passes leaves has to be the sum of both."""
    second = layer.run(passes=2)
    problems = []
    for before, after in zip(once.variables, second.variables, strict=True):
        if before.gradient is None or before.returned or after.gradient is None:
            continue
        one, both = floating(array_of(before.gradient)), floating(array_of(after.gradient))
        left = before.left_before
        if left is not None and left.shape == one.shape == both.shape:
            one, both = one - left, both - left
        if one.shape != both.shape or not one.any():
            continue
        if np.allclose(both, one, rtol=1e-5):
            problems.append(
                f"{before.name}: assigned instead of accumulated: after a second backward pass its "
                "gradient is that of the second alone; add it with +="
            )
        elif not np.allclose(both, 2 * one, rtol=1e-5):
            problems.append(
                f"{before.name}: a second backward pass does not add the same gradient again"
            )
    return problems
