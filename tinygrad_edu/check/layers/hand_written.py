"""The check of hand-written layers: what backward gives against what moving an input does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_edu.check.kinds import floating, title_of
from tinygrad_edu.check.layers.calling import role_by_name, takes_nothing
from tinygrad_edu.check.layers.layer_rows import add_rows
from tinygrad_edu.check.layers.passes import Pass
from tinygrad_edu.check.layers.runs import HandWrittenLayer
from tinygrad_edu.check.layers.structures import array_of
from tinygrad_edu.check.libraries.recognition import (
    check_in_library,
    has_hand_written,
    library_of,
)
from tinygrad_edu.check.report import Report, a_check, concluded


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
    `check_backward(forward, backward, *inputs)`, or one that returns a loss and its gradients.
    `backward` is called as the names of its parameters say: with adjoints `dout`, one for each
    output, with inputs, with the cache that forward returned beside its output, with a learning
    rate. Where names leave several calls, the one is made whose gradients are right along one
    direction; `Report.called` says which. Inputs are numbers, arrays, and lists and dicts of those;
    what is not a number is passed on as it is.

    A torch.autograd.Function, a module of torch, a jax.custom_vjp and a primitive of autograd are
    checked through the backward pass of their library.

    The gradients are what backward returns (in order, or a dict by name), or what it leaves
    behind: for an array `W` in `dW`, `grad_W`, `W_grad` or `dJdW`, in a list or dict of gradients,
    or in `W.g`, `W.grad_` or `W.grad`; or its own update of `W`, divided by the learning rate.
    Parameters are the arrays and numbers that the layer holds, also in dicts, lists and other
    layers. `parameters` names those to be checked, or gives arrays that functions use, as
    `{"W": W}`.

    Before each forward pass everything that the code can reach is put back as it was, with the
    states of random generators, and once more at the end. With `accumulate`, a second backward pass
    has to add its gradients to those that the first one left. A result of several numbers gets
    random numbers as adjoint, a single number 1. `rtol`, `atol`, kinks and large inputs are as in
    `gradcheck`.

    Returns a Report. Raises GradientError with its text for a wrong gradient, and for code that
    warns or writes into its inputs, its parameters or the adjoint, unless `raises` is False;
    ValueError if there is no gradient at all.
    """
    if not has_hand_written(layer, inputs) and (library := library_of(layer, ())):
        return check_in_library(library, layer, inputs, "check_backward", rtol, atol, None, raises)
    forward, backward, inputs, what = _functions(layer, inputs)
    with _put_back(HandWrittenLayer(forward, backward, inputs, parameters)) as written:
        once = written.run()
        report = Report(
            f"check_backward of {what}", [], once.problems, called=_call_in_words(written)
        )
        if once.finite and any(v.gradient is not None for v in once.variables):
            add_rows(report, written, once, rtol, atol)
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


@contextmanager
def _put_back(layer: HandWrittenLayer) -> Iterator[HandWrittenLayer]:
    """A block after which all that a layer can reach is as it was."""
    try:
        yield layer
    finally:
        layer.world.restore()


def _not_accumulated(layer: HandWrittenLayer, once: Pass) -> Iterator[str]:
    """What the second of two backward passes leaves has to be the sum of both."""
    second = layer.run(passes=2)
    for before in once.variables:
        after = second.named(before.name)
        if before.source is None or after is None:
            continue
        one, both = floating(array_of(before.gradient)), floating(array_of(after.gradient))
        left = before.left_before
        if left is not None and left.shape == one.shape == both.shape:
            one, both = one - left, both - left
        if one.shape != both.shape or not one.any():
            continue
        if np.allclose(both, one, rtol=1e-5):
            yield (
                f"{before.name}: assigned instead of accumulated: after a second backward pass its "
                "gradient is that of the second alone; add it with +="
            )
        elif not np.allclose(both, 2 * one, rtol=1e-5):
            yield f"{before.name}: a second backward pass does not add the same gradient again"


def _call_in_words(layer: HandWrittenLayer) -> str:
    """The call of backward, unless it is the one that everybody expects."""
    assert layer.call is not None
    arguments = layer.call.arguments
    expected = not arguments or (
        len(arguments) == 1 and arguments[0].text == arguments[0].name != ""
        and arguments[0].role.kind == "adjoint"
    )  # fmt: skip
    return "" if expected or not layer.backward else layer.call.text


def _functions(
    layer: Any, inputs: tuple[Any, ...]
) -> tuple[Callable[..., Any], Callable[..., Any] | None, tuple[Any, ...], str]:
    if hasattr(layer, "backward") and not isinstance(layer, type):
        forward = getattr(layer, "forward", None)
        if callable(layer) and (forward is None or takes_nothing(layer.backward)):
            forward = layer.__call__  # keeps the inputs and the output for backward
        if not callable(forward):
            raise TypeError(f"check_backward: {type(layer).__name__} has backward but no forward")
        if not inputs and _needs_inputs(forward):
            raise ValueError("check_backward: give at least one input for the forward pass")
        return forward, layer.backward, inputs, type(layer).__name__
    if isinstance(layer, type) and _is_static(layer, "forward") and _is_static(layer, "backward"):
        kind: Any = layer
        first = next(iter(inspect.signature(kind.forward).parameters), "")
        context = (Context(),) if role_by_name(first, []) == "cache" else ()
        return kind.forward, kind.backward, (*context, *inputs), kind.__name__
    if isinstance(layer, type):
        raise TypeError(f"check_backward: {layer.__name__} is a class; give an object of it")
    if callable(layer) and inputs and callable(inputs[0]):
        if not inputs[1:] and _needs_inputs(layer):
            raise ValueError("check_backward: give at least one input for the forward pass")
        return layer, inputs[0], inputs[1:], title_of(layer)
    if callable(layer) and not hasattr(layer, "forward"):
        return layer, None, inputs, title_of(layer)
    raise TypeError(
        f"check_backward: {type(layer).__name__} has no backward; give a layer with forward and "
        "backward, or two functions: check_backward(forward, backward, *inputs)"
    )


class Context:
    """What a function of static methods gets as `ctx`: it keeps what forward saves for backward."""

    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *saved: Any) -> None:
        """Keep these for the backward pass, in `saved_tensors`."""
        self.saved_tensors = saved


def _is_static(kind: Any, name: str) -> bool:
    return isinstance(inspect.getattr_static(kind, name, None), staticmethod)


def _needs_inputs(forward: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return True
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in loose for p in parameters)
