"""The check of functions: the backward pass, or a derivative by hand, against differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import (
    Plain,
    check_function,
    check_repeats,
    copy_of_input,
    floating,
    largest,
    leaf,
    like,
    names_for,
    plain,
    precision,
    quietly,
    same_numbers,
    title_of,
    weights_for,
)
from tinygrad_edu.check.report import Report, Row, a_check, concluded
from tinygrad_edu.check.verdict import judged_together
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.view.cards.reading import shape_of


@a_check
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
    checked instead: f gets copies of the inputs and returns a number, and `gradient(*inputs)`
    returns its derivatives, one for each input in order.

    Numerical derivatives are taken in float64, element by element, or along random directions for
    inputs with more than 1000 elements. `rtol` and `atol` are what is tolerated: 1e-6, or 1e-3
    where the inputs are float32. At a kink any slope between those of the two sides is right.
    `second_order` checks the derivatives of the derivatives too.

    Returns a Report, which you can print. Raises GradientError, with the report as its text, if
    something is wrong, unless `raises` is False; TypeError if f does not return a node. The inputs
    are not changed.
    """
    check_function(f, "gradcheck")
    if not inputs:
        raise ValueError("gradcheck: give at least one input for the function")
    if second_order and gradient is not None:
        raise ValueError("gradcheck: second_order needs a function of nodes, not gradient=")
    usual = [f"input {i}" for i in range(len(inputs))]
    numbers = [plain(x, f"gradcheck: {name}") for x, name in zip(inputs, usual, strict=True)]
    called = names_for(inputs, usual, names, "gradcheck")
    checked = _Checked(called, numbers, rtol, atol)
    if gradient is not None:
        rows, problems = _by_hand(f, gradient, inputs, checked)
    else:
        rows, problems = _of_nodes(f, checked)
        if second_order and not any(row.verdict == "wrong" for row in rows):
            rows += _second_order(f, checked)
    return concluded(Report(f"gradcheck of {title_of(f)}", rows, problems), raises)


class _Checked:
    """The inputs of a check: their names, the numbers as they were given and in float64, and what
    is tolerated."""

    def __init__(
        self, names: list[str], numbers: list[Plain], rtol: float | None, atol: float | None
    ) -> None:
        self.names, self.numbers, self.rtol, self.atol = names, numbers, rtol, atol
        self.doubles = [floating(x) for x in numbers]

    def tolerance(self, dtype: str) -> Tolerance:
        return Tolerance.of(dtype, self.rtol, self.atol, "gradcheck")

    def result_of(self, i: int, result: Callable[[list[Plain]], Any]) -> Callable[[Plain], Any]:
        """The result of all inputs as a function of one of them."""
        return lambda moved: result([*self.doubles[:i], moved, *self.doubles[i + 1 :]])

    def others(self, i: int) -> dict[str, Plain]:
        return {name: x for j, (name, x) in enumerate(zip(self.names, self.doubles, strict=True))
                if j != i}  # fmt: skip

    def written_into(self, inputs: Sequence[Any], who: str) -> list[str]:
        """What to say of the inputs that have other numbers now."""
        return [
            f"{name}: {who} wrote into it; work on a copy"
            for x, before, name in zip(inputs, self.numbers, self.names, strict=True)
            if not same_numbers(plain(x, ""), before)
        ]


# --- functions of nodes --------------------------------------------------------------------------


def _root(f: Callable[..., Any], nodes: Sequence[Any]) -> Any:
    root = f(*nodes)
    if not isinstance(root, Node):
        raise TypeError(
            f"gradcheck: the function returned {type(root).__name__}, not a node; for a function "
            "of plain numbers give its derivative as gradient=..."
        )
    return root


def _of_nodes(f: Callable[..., Any], checked: _Checked) -> tuple[list[Row], list[str]]:
    def leaves(numbers: Sequence[Plain]) -> list[Any]:
        return [leaf(x, name) for x, name in zip(numbers, checked.names, strict=True)]

    nodes = leaves(checked.numbers)
    root = _root(f, nodes)
    adjoint = weights_for(shape_of(root.data))
    order = topological_order(root)
    others = {x: x.grad * 1 for x in order if not x.operands and x not in set(nodes)}
    root.backward(adjoint)
    for other, grad in others.items():  # such as the weights of a model that the function uses
        other.grad = grad
    magnitude = max(largest(x.data) for x in order)

    def weighed(numbers: Sequence[Plain]) -> float:
        with quietly():
            terms = _root(f, leaves(numbers)).data * adjoint
            return float(terms.sum() if shape_of(terms) else terms)

    check_repeats("gradcheck", lambda: weighed(checked.doubles))
    cases = [
        Case(
            name, checked.doubles[i], floating(node.grad), checked.result_of(i, weighed),
            checked.tolerance(precision(root.data)), precision(node.grad), magnitude=magnitude,
            others=checked.others(i) | {RESULT: floating(root.data)},
        )
        for i, (name, node) in enumerate(zip(checked.names, nodes, strict=True))
    ]  # fmt: skip
    return judged_together(cases), checked.written_into(nodes, "the function")


def _second_order(f: Callable[..., Any], checked: _Checked) -> list[Row]:
    """The derivatives of the gradients, each gradient weighed to one number."""

    def slope(*nodes: Any) -> Any:
        root = _root(f, nodes)
        total: Any = 0.0
        for part in gradients(root, *nodes, gradient=weights_for(shape_of(root.data))):
            weighed: Any = part
            if shape_of(part.data):
                weighed = (weighed * weights_for(part.data.shape)).sum()
            total = total + weighed
        return total

    if len({hasattr(x, "dtype") for x in checked.numbers}) > 1:
        raise ValueError("gradcheck: second_order needs inputs of one kind, numbers or arrays")
    names = [f"second order: {name}" for name in checked.names]
    again = _Checked(names, checked.numbers, checked.rtol, checked.atol)
    return _of_nodes(slope, again)[0]


# --- derivatives by hand -------------------------------------------------------------------------


def _by_hand(
    f: Callable[..., Any], gradient: Callable[..., Any], inputs: Sequence[Any], checked: _Checked
) -> tuple[list[Row], list[str]]:
    copies = [copy_of_input(x, "gradcheck") for x in inputs]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        y = f(*copies)
    problems = [f"the function warned: {w.message}" for w in warned]
    _one_plain_number(y)
    problems += checked.written_into(copies, "the function")
    copies = [copy_of_input(x, "gradcheck") for x in inputs]
    parts = gradient(*copies)
    problems += checked.written_into(copies, "the derivative")
    if len(inputs) == 1 and not (isinstance(parts, tuple) and len(parts) == 1):
        parts = (parts,)
    if not isinstance(parts, tuple | list) or len(parts) != len(inputs):
        raise TypeError(
            f"gradcheck: the gradient gave {type(parts).__name__} for {len(inputs)} inputs; it "
            "returns a tuple with one derivative for each input, in order"
        )

    def result(moved: Sequence[Plain]) -> Any:
        with quietly():
            return _one_plain_number(f(*[like(x, m) for x, m in zip(inputs, moved, strict=True)]))

    check_repeats("gradcheck", lambda: result(checked.doubles))
    cases = []
    for i, (name, part) in enumerate(zip(checked.names, parts, strict=True)):
        analytic = plain(part, f"gradcheck: the gradient of {name}")
        cases.append(
            Case(
                name, checked.doubles[i], floating(analytic), checked.result_of(i, result),
                checked.tolerance(precision(analytic)), precision(analytic), plain=True,
                others=checked.others(i),
            )
        )  # fmt: skip
    return judged_together(cases), problems


def _one_plain_number(y: Any) -> Any:
    """The one number that a function gave, which is complex for the complex step."""
    data = y.data if isinstance(y, Node) else y
    if isinstance(data, bool | int | float | complex):
        return data
    import numpy as np

    array = np.asarray(data)
    if array.dtype.kind not in "fiubc" or array.size != 1:
        shape = f"shape {array.shape}" if array.dtype.kind in "fiubc" else type(y).__name__
        raise TypeError(
            f"gradcheck: with gradient=, the function gives one number, not {shape}; for layers "
            "with an adjoint there is check_backward"
        )
    return array.item()
