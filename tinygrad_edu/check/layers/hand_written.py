"""The check of hand-written layers: what backward gives against what moving an input does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.diagnoses.case import RESULT
from tinygrad_edu.check.kinds import floating, name_of_dtype, plain, undisturbed
from tinygrad_edu.check.layers.calling import takes_nothing
from tinygrad_edu.check.layers.runs import Layer, Pass, Variable
from tinygrad_edu.check.numerical import derivative, directions
from tinygrad_edu.check.report import Report, Row, concluded
from tinygrad_edu.check.verdict import Question, Tolerance, judged, with_swaps_named

Array = npt.NDArray[Any]


@undisturbed()
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

    `layer` has `forward(*inputs)`, or is called, and `backward`; or give two functions,
    `check_backward(forward, backward, *inputs)`. `backward` is called as it is written: with the
    adjoint `dout` of the output; with the inputs and `dout`; with `dout` and a cache, if forward
    gives an output and a cache; with the inputs alone, or with nothing, if the output is the loss
    or the adjoint is looked for in `out.g`, `out.grad_` or `out.grad`.

    The gradients are what it returns (one for the first input, a tuple in order, or a dict by
    name), or what it leaves behind: for an array `W` in `dW`, `grad_W` or `W_grad` of the layer,
    or in `W.g`, `W.grad_` or `W.grad`. Parameters are the arrays and numbers that the layer holds,
    also in dicts, lists and other layers; `parameters` names those to be checked, or gives the
    arrays that two functions share, as `{"W": W}`: those are moved in place, and put back.

    Layers are checked on copies. With `accumulate`, a second backward pass has to add its gradients
    to those that the first one left. A result of several numbers gets random numbers as adjoint, a
    single number 1. `rtol`, `atol`, kinks and large inputs as in `gradcheck`.

    Returns a Report. Raises GradientError with its text for a wrong gradient, and for code that
    warns or writes into its inputs, its parameters or the adjoint, unless `raises` is False;
    ValueError if there is no gradient at all.
    """
    forward, backward, inputs, what = _functions(layer, inputs)
    if not inputs:
        raise ValueError("check_backward: give at least one input for the forward pass")
    written = Layer(forward, backward, inputs, parameters)
    given = written.run()
    report = Report(f"check_backward of {what}", [], given.problems)
    if not given.finite:
        report.problems.extend(v.change for v in given.variables if v.is_input and v.change)
        return concluded(report, raises)
    if not any(v.gradient is not None for v in given.variables):
        report.problems.extend(v.change for v in given.variables if v.is_input and v.change)
        if report.problems:
            return concluded(report, raises)
        raise ValueError(
            f"check_backward: backward of {what} gave no gradient; return it, or leave it in an "
            "attribute such as dW, or in .g or .grad_ of the array"
        )
    _check_repeats(written, given)
    twice = written.run(adjoint_times=2.0) if given.adjoint.size > 1 else None
    questions = [
        None if v.gradient is None else _question(v, written, given, twice, rtol, atol)
        for v in given.variables
    ]
    rows = [
        _not_given(v, written, given) if question is None else _row(v, question)
        for v, question in zip(given.variables, questions, strict=True)
    ]
    for v, row in zip(given.variables, with_swaps_named(questions, rows), strict=True):
        # what backward knows nothing of, and the result neither, is a cache, a buffer or a setting
        aside = row.verdict == "not given" and not v.is_input and not v.named
        if v.change and not aside:
            report.problems.append(v.change)
        if not (aside and (v.change or v.replaced or not v.given.ndim)):
            report.rows.append(row)
    if accumulate:
        report.problems.extend(_not_accumulated(written, given))
    return concluded(report, raises)


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
        name = str(getattr(layer, "__name__", type(layer).__name__))
        return layer, inputs[0], inputs[1:], name.replace("<lambda>", "a function")
    raise TypeError(
        f"check_backward: {type(layer).__name__} has no backward; give a layer with forward and "
        "backward, or two functions: check_backward(forward, backward, *inputs)"
    )


def _check_repeats(layer: Layer, given: Pass) -> None:
    """ValueError if the forward pass gives two results for the same numbers."""
    result = layer.result_of(None, given.adjoint)
    first, second = result(np.zeros(())), result(np.zeros(()))
    if first != second and not (np.isnan(first) and np.isnan(second)):
        raise ValueError(
            "check_backward: forward gave two results for the same inputs; a layer that draws "
            "random numbers, such as dropout, or keeps a state has to start the same way at every "
            "call: draw from np.random.default_rng(0) inside of forward, or keep the mask"
        )


def _question(
    variable: Variable,
    layer: Layer,
    given: Pass,
    twice: Pass | None,
    rtol: float | None,
    atol: float | None,
) -> Question:
    analytic = plain(variable.gradient, f"check_backward: the gradient of {variable.name}")
    least = analytic.dtype if analytic.dtype.kind == "f" else np.dtype(np.float64)
    if variable.given.dtype.kind == "f" and variable.given.dtype.itemsize < least.itemsize:
        least = variable.given.dtype
    if given.output.dtype.kind == "f" and given.output.dtype.itemsize < least.itemsize:
        least = given.output.dtype
    doubled = None
    if twice is not None:
        other = twice.variables[given.variables.index(variable)].gradient
        doubled = None if other is None else floating(plain(other, ""))
    others = {v.own_name: v.given for v in given.variables if v is not variable}
    return Question(
        variable.name,
        floating(variable.given),
        floating(analytic),
        layer.result_of(variable, given.adjoint),
        Tolerance.of(least, rtol, atol, "check_backward"),
        name_of_dtype(np.empty(0, least)),
        plain=variable.is_input,
        adjoint=given.adjoint if given.adjoint.size > 1 else None,
        counts=_counts(given),
        doubled=doubled,
        others={
            name: floating(array)
            for name, array in {**others, RESULT: given.output}.items()
            if array.ndim
        },
        assigned=[floating(plain(x, "")) for x in variable.assigned if _is_plain(x)],
    )


def _row(variable: Variable, question: Question) -> Row:
    """The verdict; a gradient may have been added to what stood in its place before."""
    row = judged(question)
    before = variable.left_before
    if row.verdict == "wrong" and before is not None and before.shape == question.analytic.shape:
        added = judged(replace(question, analytic=question.analytic - before))
        if added.verdict != "wrong":
            note = "added to a gradient that was there before"
            return replace(added, note="; ".join(filter(None, [added.note, note])))
    return row


def _is_plain(x: Any) -> bool:
    return isinstance(x, float | np.floating | np.ndarray)


def _counts(given: Pass) -> dict[str, int]:
    """Numbers that a mean may divide by, with what they count."""
    arrays = [v.given for v in given.variables if v.is_input and v.given.ndim]
    counts = {"the length of the batch": arrays[0].shape[0]} if arrays else {}
    counts["the number of results"] = given.output.size
    if arrays:
        counts["the number of elements"] = arrays[0].size
    return counts


def _not_given(variable: Variable, layer: Layer, given: Pass) -> Row:
    """An input without a gradient may be a label; a parameter that matters has to have one."""
    name, shape = variable.name, variable.given.shape
    if variable.is_input or not (variable.given.ndim or variable.named):
        return Row(name, shape, "not given")
    path = layer.result_of(variable, given.adjoint)
    x = floating(variable.given)
    for direction in directions(shape, 2):

        def along(t: float, direction: Array = direction) -> Any:
            return path(x + t * direction)

        slope, doubt = derivative(along)
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


def _not_accumulated(layer: Layer, given: Pass) -> list[str]:
    """What the second of two backward passes leaves has to be the sum of both."""
    second = layer.run(passes=2)
    problems = []
    for before, after in zip(given.variables, second.variables, strict=True):
        if before.gradient is None or before.returned or after.gradient is None:
            continue
        once, both = floating(plain(before.gradient, "")), floating(plain(after.gradient, ""))
        if before.left_before is not None and before.left_before.shape == once.shape == both.shape:
            once, both = once - before.left_before, both - before.left_before
        if once.shape != both.shape or not once.any():
            continue
        if np.allclose(both, once, rtol=1e-5):
            problems.append(
                f"{before.name}: assigned instead of accumulated: after a second backward pass its "
                "gradient is that of the second alone; add it with +="
            )
        elif not np.allclose(both, 2 * once, rtol=1e-5):
            problems.append(
                f"{before.name}: a second backward pass does not add the same gradient again"
            )
    return problems
