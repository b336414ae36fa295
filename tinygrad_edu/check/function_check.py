"""The check of functions: the backward pass, or a derivative by hand, against differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tinygrad_edu.check.backward_laws import broken_laws
from tinygrad_edu.check.case import RESULT, Case, Tolerance
from tinygrad_edu.check.kinds import (
    Plain,
    check_function,
    check_repeats,
    floating,
    input_names,
    precision,
    quietly,
    title_of,
    weights_for,
)
from tinygrad_edu.check.libraries.recognition import check_in_library, library_behind
from tinygrad_edu.check.report import Report, Row, a_check, concluded
from tinygrad_edu.check.steady import Steady
from tinygrad_edu.check.variables import CheckedInputs
from tinygrad_edu.check.verdict import judged, judged_together
from tinygrad_edu.engine.graph import Node, gradients, topological_order
from tinygrad_edu.rules.constants import short
from tinygrad_edu.view.cards.reading import shape_of


@a_check
def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    gradient: Callable[..., Any] | bool | None = None,
    jacobian: Callable[..., Any] | None = None,
    hessian: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    adjoint: Callable[..., Any] | None = None,
    second_order: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    names: Sequence[str] | None = None,
    raises: bool = True,
) -> Report:
    """Compare the derivatives of f with numerical ones, and say where they differ.

    `inputs` are numbers, arrays, Values, Tensors, or dicts, lists and tuples of arrays; anything
    else is handed on as it is. f gets a node for each of them (a Value for a number, a Tensor for
    an array) and returns a node, or several, whose backward pass is checked. A leaf that you give
    is handed in itself. Without inputs, the leaves from outside that f uses are checked: those with
    labels, or all if none has one.

    A function of torch, JAX or autograd is differentiated by its library.

    With a derivative by hand, f gets copies of the inputs and returns numbers, and this is checked:

    - `gradient(*inputs)`: the derivatives of one number by each input, in order or by name; or
      f'(x), element by element, where f maps an array to an array element by element. True says
      that f returns the pair of its value and its gradient;
    - `jacobian(*inputs)`: J[i..., j...] = ∂f[i...]/∂x[j...], or flattened to a matrix;
    - `hessian(*inputs)`: the second derivatives of one number, against differences of `gradient`
      if that is given too;
    - `jvp(x, v)` or `jvp((x, y), (v, w))`: the derivative of f along v, alone or after f(x);
    - `adjoint(y)`: Aᵀy for a linear f, by the dot-product test ⟨A x, y⟩ = ⟨x, Aᵀ y⟩, to rounding.

    The result of several numbers is weighed with random numbers, unless each depends on elements of
    its own. Numerical derivatives are taken in float64. `rtol` and `atol` are what is tolerated:
    1e-6, or 1e-3 where the inputs are float32. At a kink any slope between those of the two sides
    is right. `second_order` checks the derivatives of the derivatives too.

    Returns a Report, which you can print. Raises GradientError, with the report as its text, if
    something is wrong, unless `raises` is False; TypeError if f does not return a node, or numbers
    where a derivative by hand is given. The inputs are not changed.
    """
    check_function(f, "gradcheck")
    title = title_of(f)
    if gradient is True:
        f, gradient = _halves(f)
    by_hand = {"gradient": gradient, "jacobian": jacobian, "hessian": hessian, "jvp": jvp,
               "adjoint": adjoint}  # fmt: skip
    derivatives = {kind: d for kind, d in by_hand.items() if d is not None and d is not False}
    for kind, derivative in derivatives.items():
        if not callable(derivative):
            raise TypeError(
                f"gradcheck: {kind}= is a function of the inputs, not {short(derivative)}"
            )
    if second_order and derivatives:
        raise ValueError(
            f"gradcheck: second_order needs a function of nodes, not {next(iter(derivatives))}="
        )

    if adjoint is not None and len(derivatives) > 1:
        raise ValueError("gradcheck: adjoint= is for linear functions, and stands alone")

    def tolerance(dtype: str) -> Tolerance:
        return Tolerance.of(dtype, rtol, atol, "gradcheck")

    if not derivatives and inputs and (library := library_behind(f, inputs, second_order)):
        return check_in_library(library, f, inputs, "gradcheck", rtol, atol, names, raises)
    report = Report(f"gradcheck of {title}", [])
    steady = [Steady(g) for g in (f, *derivatives.values())]
    try:
        f, *by_kind = [g.function() for g in steady]
        if derivatives:
            from tinygrad_edu.check.derivatives_by_hand import check_by_kind

            checked = _inputs(f, inputs, names)
            named = dict(zip(derivatives, by_kind, strict=True))
            check_by_kind(report, f, named, checked, tolerance)
            if all(row.verdict == "not given" for row in report.rows) and not report.problems:
                report.problems.append("no derivative was given, so nothing was compared")
        else:
            _check_nodes(report, f, inputs, names, tolerance, second_order)
    finally:
        for g in steady:
            g.put_back()
    return concluded(report, raises)


def _halves(f: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The value of a function that returns its gradient too, and the gradient."""

    def both(inputs: Any) -> Any:
        parts = f(*inputs)
        if not isinstance(parts, tuple | list) or len(parts) < 2:
            raise TypeError(
                f"gradcheck: with gradient=True the function returns its value and its gradient, "
                f"not {short(parts)}"
            )
        return parts

    @functools.wraps(f)
    def value(*inputs: Any) -> Any:
        return both(inputs)[0]

    def gradient(*inputs: Any) -> Any:
        parts = both(inputs)[1:]
        return parts[0] if len(parts) == 1 else parts

    return value, gradient


def _inputs(
    f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str] | None
) -> CheckedInputs:
    if not inputs:
        raise ValueError("gradcheck: give at least one input for the function")
    checked = CheckedInputs(inputs, input_names(f, len(inputs)), names, "gradcheck")
    if not checked.variables:
        raise TypeError(
            f"gradcheck: none of the inputs holds real numbers, such as {short(inputs[0])} of type "
            f"{type(inputs[0]).__name__}; give numbers, arrays, Values or Tensors"
        )
    return checked


# --- functions of nodes --------------------------------------------------------------------------


def _check_nodes(
    report: Report, f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str] | None,
    tolerance: Callable[[str], Tolerance], second_order: bool,
) -> None:  # fmt: skip
    """Check the backward pass of what f returns."""
    if inputs:
        checked = _inputs(f, inputs, names)
        nodes = [v.node() for v in checked.variables]

        def record() -> Any:
            return _root(f(*checked.filled(nodes)))

    else:

        def record() -> Any:
            return _root(f())

        nodes, unlabelled = _leaves_from_outside(record)
        usual = _names_of_leaves(nodes)
        checked = CheckedInputs(nodes, usual, names or usual, "gradcheck")
        if unlabelled:
            report.notes.append(f"{unlabelled} leaves without a label are not checked")
    first = _Recorded(record, nodes, checked, tolerance)
    report.rows.extend(first.rows(""))
    report.notes.extend(first.weighed())
    report.problems.extend(checked.written_into(nodes, "the function"))
    unsaid = [row.parameter for row in report.rows if "adjoint" not in row.note]
    report.problems.extend(first.broken_laws(unsaid))
    if second_order and not any(row.verdict == "wrong" for row in report.rows):
        if len({hasattr(v.numbers, "dtype") for v in checked.variables}) > 1:
            raise ValueError("gradcheck: second_order needs inputs of one kind, numbers or arrays")
        slopes = _Recorded(lambda: _summed_gradients(record(), nodes), nodes, checked, tolerance)
        report.rows.extend(slopes.rows("second order: "))


def _root(root: Any) -> Any:
    """The node that a function returned, or the weighed sum of those in a list or a tuple."""
    if isinstance(root, list | tuple) and root and all(isinstance(x, Node) for x in root):
        total: Any = 0.0
        for i, x in enumerate(root):
            weighed = x * weights_for((*shape_of(x.data), len(root)))[..., i]
            total = total + (weighed.sum() if shape_of(x.data) else weighed)
        return total
    if not isinstance(root, Node):
        raise TypeError(
            f"gradcheck: the function returned {type(root).__name__}, not a node; for a function "
            "of plain numbers give its derivative as gradient=..."
        )
    return root


def _leaves_from_outside(record: Callable[[], Any]) -> tuple[list[Any], int]:
    """The leaves that two calls have in common: those with labels, or all; and how many have
    none beside them."""
    first, second = (topological_order(record()) for _ in range(2))
    shared = set(second)
    leaves = [x for x in first if not x.operands and x in shared]
    if not leaves:
        raise ValueError(
            "gradcheck: the function takes no inputs and uses no leaf from outside; give at least "
            "one input, or make the leaves before the function is called"
        )
    labelled = [x for x in leaves if x.label]
    return labelled or leaves, len(leaves) - len(labelled) if labelled else 0


def _names_of_leaves(leaves: Sequence[Any]) -> list[str]:
    """Their labels; one that several have gets a number."""
    labels = [x.label or f"leaf {i}" for i, x in enumerate(leaves)]
    return [
        f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]


def _summed_gradients(root: Any, nodes: Sequence[Any]) -> Any:
    """The gradients of a root, each weighed to one number, and summed."""
    total: Any = 0.0
    for part in gradients(root, *nodes, gradient=weights_for(shape_of(root.data))):
        weighed: Any = part
        if shape_of(part.data):
            weighed = (weighed * weights_for(part.data.shape)).sum()
        total = total + weighed
    return total


class _Recorded:
    """A function of nodes: the graph that it records at the inputs, and its results for others."""

    def __init__(
        self, record: Callable[[], Any], nodes: list[Any], inputs: CheckedInputs,
        tolerance: Callable[[str], Tolerance],
    ) -> None:  # fmt: skip
        self.record, self.nodes, self.inputs, self.tolerance = record, nodes, inputs, tolerance
        self.root = record()
        self.output = floating(self.root.data)
        self.shape = shape_of(self.output)
        self.own = [self._has_own_elements(i) for i in range(len(nodes))]
        check_repeats("gradcheck", self.data)

    def data(self, numbers: dict[int, Plain] | None = None) -> Plain:
        """The result in float64, with other numbers for some of the variables."""
        doubles = [(numbers or {}).get(i, v.double) for i, v in enumerate(self.inputs.variables)]
        with _holding(self.nodes, doubles), quietly():
            return self.record().data

    def gradients(self, adjoint: Plain) -> list[Plain]:
        """What backward gives every variable; all nodes keep the gradients that they had."""
        order = topological_order(self.root)
        before = [(x, x._grad) for x in {*order, *self.nodes}]
        try:
            for x in self.nodes:
                x.zero_grad()
            self.root.backward(adjoint)
            return [x.grad * 1 for x in self.nodes]
        finally:
            for x, grad in before:
                x._grad = grad

    def rows(self, prefix: str) -> list[Row]:
        """The verdicts. Where results have own elements, the weights that backward got are divided
        out again; they were not 1, since a rule may forget its adjoint."""
        weights = weights_for(self.shape)
        parts = self.gradients(weights)
        cases = [
            self._case(prefix, i, part, *((weights * 0 + 1, weights) if own else (weights,)))
            for i, (part, own) in enumerate(zip(parts, self.own, strict=True))
        ]
        rows = [row for row in judged_together(cases) if row]
        for i, row in enumerate(rows):
            if row.verdict == "wrong" and self.own[i] and not row.kind:  # the weights may tell
                weighed = judged(self._case(prefix, i, parts[i], weights))
                rows[i] = replace(row, note=weighed.note, kind=weighed.kind)
        return self.inputs.with_unused_tried_again(rows, self.data)

    def broken_laws(self, unsaid: Sequence[str]) -> list[str]:
        """What to say of a backward pass that does not multiply by its adjoint."""
        weights = weights_for(self.shape)
        names = [v.name for v in self.inputs.variables]

        def by_name(factor: float) -> dict[str, Plain]:
            return dict(zip(names, self.gradients(weights * factor), strict=True))

        return broken_laws(by_name(1.0), by_name, weights, precision(self.root.data), unsaid)

    def _case(self, prefix: str, i: int, part: Plain, adjoint: Plain, weights: Plain = 1.0) -> Case:
        analytic, variable = floating(part), self.inputs.variables[i]
        if shape_of(weights):
            missing = analytic.ndim - len(self.shape)
            analytic = analytic / weights.reshape(self.shape + (1,) * missing)

        def weighed(numbers: dict[int, Plain]) -> float:
            terms = self.data(numbers) * adjoint
            return float(terms.sum() if shape_of(terms) else terms)

        def together(numbers: dict[str, Plain]) -> float:
            return weighed(self.inputs.by_number(numbers, prefix))

        def again(other: Plain = None) -> Case:
            other = weights_for(self.shape, 1) if other is None else other
            return self._case(prefix, i, self.gradients(other)[i], other)

        several = math.prod(self.shape) > 1
        return Case(
            prefix + variable.name, variable.double, analytic, lambda x: weighed({i: x}),
            self.tolerance(precision(self.root.data)), precision(part),
            may_be_constant=bool(prefix),
            adjoint=adjoint if several else None,
            counts={} if several else self.inputs.counts(),
            others=self.inputs.others(i) | {RESULT: self.output},
            again=again if several else None, outputs=lambda x: self.data({i: x}),
            together=together,
        )  # fmt: skip

    def _has_own_elements(self, i: int) -> bool:
        if not self.shape:
            return False
        from tinygrad_edu.check.one_to_one import has_own_elements

        x = self.inputs.variables[i].double
        return bool(shape_of(x)) and has_own_elements(lambda x: self.data({i: x}), x, self.data())

    def weighed(self) -> list[str]:
        """What to say of derivatives that are those of a weighed sum."""
        count = math.prod(self.shape)
        names = [v.name for v, own in zip(self.inputs.variables, self.own, strict=True) if not own]
        if count < 2 or not names:
            return []
        whose = "" if len(names) == len(self.own) else f" by {', '.join(names)}"
        return [
            f"the derivatives{whose} are those of a sum of the {count} results with random weights"
        ]


@contextmanager
def _holding(nodes: Sequence[Any], numbers: Sequence[Plain]) -> Iterator[None]:
    """A block in which nodes hold copies of other numbers."""
    before = [x._data for x in nodes]
    try:
        for node, x in zip(nodes, numbers, strict=True):
            node._data = floating(x)
        yield
    finally:
        for node, data in zip(nodes, before, strict=True):
            node._data = data
