"""The check of functions: the backward pass, or a derivative by hand, against differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.diagnoses.case import RESULT
from tinygrad_edu.check.kinds import (
    check_function,
    copied,
    floating,
    leaf,
    like,
    name_of_dtype,
    names_for,
    plain,
    quietly,
    undisturbed,
    weights_for,
)
from tinygrad_edu.check.report import Report, Row, concluded
from tinygrad_edu.check.verdict import Question, Tolerance, judged_together
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.engine.value import Value

Array = npt.NDArray[Any]


@undisturbed()
def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | None = None,
    second_order: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    names: Sequence[str] | None = None,
    raises: bool = True,
) -> Report:
    """Compare the gradients of f with numerical derivatives, and say where they differ.

    `inputs` are Values, Tensors, numbers or arrays. f gets a node for each of them (a Value for a
    number, a Tensor for an array) and returns a node, whose backward pass is checked. A result of
    several numbers is weighed with random numbers first. With `gradient`, a derivative by hand is
    checked instead: f gets the inputs as they are given and returns a number, and
    `gradient(*inputs)` its derivatives, one for each input in order.

    The numerical derivatives are taken in float64, element by element, or along random directions
    for inputs with more than 1000 elements. `rtol` and `atol` are what is tolerated: 1e-6, or 1e-3
    where the inputs are float32. At a kink any slope between those of the two sides is right.
    `second_order` checks the derivatives of the derivatives too.

    Returns a Report, to be printed. Raises GradientError, with the report as its text, if something
    is wrong, unless `raises` is False; TypeError if f returns no node. The inputs are not changed.
    """
    check_function(f, "gradcheck")
    what = f"gradcheck of {_name(f)}"
    if not inputs:
        raise ValueError("gradcheck: give at least one input for the function")
    arrays = [plain(x, f"gradcheck: input {i}") for i, x in enumerate(inputs)]
    called = names_for(inputs, [f"input {i}" for i in range(len(inputs))], names, "gradcheck")
    if gradient is None:
        rows, problems = _of_nodes(f, inputs, arrays, called, rtol, atol)
        if second_order and not any(row.verdict == "wrong" for row in rows):
            rows += _second_order(f, inputs, arrays, called, rtol, atol)
    elif second_order:
        raise ValueError("gradcheck: second_order needs a function of nodes, not gradient=")
    else:
        rows, problems = _by_hand(f, gradient, inputs, arrays, called, rtol, atol)
    return concluded(Report(what, rows, problems), raises)


def _name(f: Any) -> str:
    return str(getattr(f, "__name__", type(f).__name__)).replace("<lambda>", "a function")


# --- functions of nodes -------------------------------------------------------------------------


def _result(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
    root = f(*nodes)
    if not isinstance(root, Node):
        raise TypeError(
            f"gradcheck: the function returned {type(root).__name__}, not a node; for a function "
            "of plain numbers give its derivative as gradient=..."
        )
    return root


def _of_nodes(
    f: Callable[..., Any],
    inputs: Sequence[Any],
    arrays: list[Array],
    names: list[str],
    rtol: float | None,
    atol: float | None,
) -> tuple[list[Row], list[str]]:
    nodes = [leaf(x, a, n) for x, a, n in zip(inputs, arrays, names, strict=True)]
    root = _result(f, nodes)
    adjoint = weights_for(np.shape(root.data))
    order = topological_order(root)
    others = [(x, np.array(x.grad)) for x in order if not x.operands and x not in set(nodes)]
    root.backward(adjoint if adjoint.ndim else float(adjoint))
    for other, grad in others:  # such as the weights of a model that the function uses
        other.grad = grad if grad.ndim else float(grad)
    problems = [
        f"{name}: the function wrote into its input; work on a copy"
        for name, node, array in zip(names, nodes, arrays, strict=True)
        if not np.array_equal(node.data, array, equal_nan=True)
    ]
    magnitude = max(float(np.max(np.abs(n.data), initial=0.0)) for n in order)
    doubles = [floating(a) for a in arrays]
    _check_repeats(lambda: _weighed(f, inputs, doubles, names, adjoint))
    questions = []
    for i, node in enumerate(nodes):

        def result(moved: Array, i: int = i) -> float:
            return _weighed(f, inputs, [*doubles[:i], moved, *doubles[i + 1 :]], names, adjoint)

        questions.append(
            Question(
                names[i], doubles[i], np.array(node.grad, np.float64), result,
                Tolerance.of(np.asarray(root.data).dtype, rtol, atol, "gradcheck"),
                name_of_dtype(np.asarray(node.grad)), magnitude=magnitude,
                others=_others(names, doubles, i) | {RESULT: floating(root.data)},
            )
        )  # fmt: skip
    return judged_together(questions), problems


def _others(names: Sequence[str], arrays: Sequence[Array], i: int) -> dict[str, Array]:
    return {
        name: array for j, (name, array) in enumerate(zip(names, arrays, strict=True)) if j != i
    }


def _weighed(
    f: Callable[..., Any],
    inputs: Sequence[Any],
    arrays: Sequence[Array],
    names: Sequence[str],
    adjoint: Array,
) -> float:
    nodes = [leaf(x, a, n) for x, a, n in zip(inputs, arrays, names, strict=True)]
    with quietly():
        return float(np.sum(_result(f, nodes).data * adjoint))


def _check_repeats(result: Callable[[], float]) -> None:
    """ValueError if a function gives two results for the same inputs."""
    first, second = result(), result()
    if first != second and not (np.isnan(first) and np.isnan(second)):
        raise ValueError(
            f"gradcheck: the same inputs gave {first!r} and then {second!r}; a function that draws "
            "random numbers, or keeps a state, has to start the same way at every call"
        )


def _second_order(
    f: Callable[..., Any],
    inputs: Sequence[Any],
    arrays: list[Array],
    names: list[str],
    rtol: float | None,
    atol: float | None,
) -> list[Row]:
    """The derivatives of the gradients, each gradient weighed to one number."""

    def slope(*nodes: Any) -> Any:
        root = _result(f, nodes)
        adjoint = weights_for(np.shape(root.data))
        found = gradients(root, *nodes, gradient=adjoint if adjoint.ndim else float(adjoint))
        total: Any = 0.0
        for g in found:
            part: Any = g
            total = total + ((part * weights_for(g.data.shape)).sum() if np.ndim(g.data) else part)
        return total

    if any(isinstance(leaf(x, a, ""), Value) for x, a in zip(inputs, arrays, strict=True)) and any(
        isinstance(leaf(x, a, ""), Tensor) for x, a in zip(inputs, arrays, strict=True)
    ):
        raise ValueError("gradcheck: second_order needs inputs of one kind, numbers or arrays")
    rows, _ = _of_nodes(
        slope, inputs, arrays, [f"second order: {name}" for name in names], rtol, atol
    )
    return rows


# --- derivatives by hand -------------------------------------------------------------------------


def _by_hand(
    f: Callable[..., Any],
    gradient: Callable[..., Any],
    inputs: Sequence[Any],
    arrays: list[Array],
    names: list[str],
    rtol: float | None,
    atol: float | None,
) -> tuple[list[Row], list[str]]:
    given = [copied(x, "gradcheck") for x in inputs]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        y = f(*given)
    problems = [f"the function warned: {w.message}" for w in warned]
    _one_plain_number(y)
    problems += _written_into(given, arrays, names, "the function")
    given = [copied(x, "gradcheck") for x in inputs]
    found = gradient(*given)
    problems += _written_into(given, arrays, names, "the derivative")
    if len(inputs) == 1 and not (isinstance(found, tuple) and len(found) == 1):
        found = (found,)
    if not isinstance(found, tuple | list) or len(found) != len(inputs):
        raise TypeError(
            f"gradcheck: the gradient gave {type(found).__name__} for {len(inputs)} inputs; it "
            "returns a tuple with one derivative for each input, in order"
        )
    doubles = [floating(a) for a in arrays]

    def weighed(moved: Sequence[Array]) -> Any:
        with quietly():
            return _one_plain_number(f(*[like(x, m) for x, m in zip(inputs, moved, strict=True)]))

    _check_repeats(lambda: weighed(doubles))
    questions = []
    for i, part in enumerate(found):

        def result(moved: Array, i: int = i) -> Any:
            return weighed([*doubles[:i], moved, *doubles[i + 1 :]])

        analytic = floating(plain(part, f"gradcheck: the gradient of {names[i]}"))
        dtype = plain(part, "").dtype
        least = dtype if dtype.kind == "f" else np.dtype(np.float64)
        questions.append(
            Question(
                names[i], doubles[i], analytic, result,
                Tolerance.of(least, rtol, atol, "gradcheck"),
                name_of_dtype(plain(part, "")), plain=True, others=_others(names, doubles, i),
            )
        )  # fmt: skip
    return judged_together(questions), problems


def _one_plain_number(y: Any) -> Any:
    """The one number that a function gave, which is complex for the complex step."""
    data = np.asarray(y.data if isinstance(y, Node) else y)
    if data.dtype.kind not in "fiubc" or data.size != 1:
        shape = f"shape {data.shape}" if data.dtype.kind in "fiubc" else type(y).__name__
        raise TypeError(
            f"gradcheck: with gradient=, the function gives one number, not {shape}; for layers "
            "with an adjoint there is check_backward"
        )
    return data.item()


def _written_into(
    given: Sequence[Any], arrays: Sequence[Array], names: Sequence[str], who: str
) -> list[str]:
    return [
        f"{name}: {who} wrote into it; work on a copy"
        for x, array, name in zip(given, arrays, names, strict=True)
        if not np.array_equal(plain(x, ""), array, equal_nan=True)
    ]
