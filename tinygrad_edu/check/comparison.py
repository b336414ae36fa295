"""The same function here and in another library, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tinygrad_edu.check.differences import US, Limits, Pair, row_of_pair
from tinygrad_edu.check.kinds import (
    copy_of_input,
    function_of_graph,
    input_names,
    leaf,
    leaves_of,
    like,
    names_for,
    plain,
    precision,
    title_of,
    weights_for,
)
from tinygrad_edu.check.report import Report, a_check, concluded
from tinygrad_edu.engine.contexts import watched
from tinygrad_edu.engine.graph import Node, topological_order
from tinygrad_edu.engine.value import Value
from tinygrad_edu.rules.operand_types import Array
from tinygrad_edu.view.cards.reading import shape_of

if TYPE_CHECKING:
    from tinygrad_edu.check.oracles import Found, Oracle

Library = Literal["torch", "jax", "sympy", "autograd"]


@a_check
def compare(
    f: Callable[..., Any] | Node,
    *inputs: Any,
    with_: Library,
    theirs: Callable[..., Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    names: Sequence[str] | None = None,
    raises: bool = True,
) -> Report:
    """Compute f and its gradients here and in another library, and say where they differ.

    `with_` is "torch", "jax", "autograd", or "sympy", which differentiates functions of numbers
    symbolically. Write f once, with operators, methods and functions of tinygrad_edu; it gets a
    node for each input, as in `gradcheck`. For the other library it is called again with that
    library's arrays inside something that behaves as a node, and every operation, forward and
    backward, is the library's own. Where that is not possible, because f holds nodes of its own or
    asks for a Tensor, the graph that it recorded is run there instead; labelled leaves of f's own,
    such as the parameters of a model, are then compared too. f may be a node: its graph is compared
    by its labelled leaves.

    `theirs` is a second function, written for the library: compare a loss that you ported with the
    original. It gets float64 tensors or arrays (symbols for sympy), in the order of the inputs.

    Both sides compute with float64 numbers; float32 inputs stay so here and are judged as such.
    `rtol` and `atol` are what is tolerated: 1e-8, or 1e-4 below float64, and a few roundings.
    Where conventions differ at a kink, as relu'(0) may, the verdict is "kink". A result of several
    numbers is weighed with random numbers first. Settings of the other library stay as they are.

    Returns a Report with a row for the value and one for the gradient of each input. Raises
    GradientError for a difference, unless `raises` is False; ImportError if the library is not
    installed; NotImplementedError for a rule that it has no function for.
    """
    from tinygrad_edu.check.oracles import opened

    library = opened(with_)
    ours = _Ours.of(f, inputs, names, alone=theirs is not None)
    _check_shapes(library, ours, with_)
    adjoint = weights_for(shape_of(ours.root.data))
    ours.root.backward(adjoint)
    results = ours.in_library(library, theirs, np.asarray(adjoint))
    report = Report(
        f"compare of {ours.title} with {with_}", [], [], (US, with_), "values and gradients agree"
    )
    _add_rows(report, ours, results, adjoint, Limits.of(precision(ours.root.data), rtol, atol))
    return concluded(report, raises)


def _check_shapes(library: Oracle, ours: _Ours, name: str) -> None:
    for input_name, x in zip(ours.names, ours.inputs, strict=True):
        if library.only_numbers and x.ndim:
            raise TypeError(
                f"compare: {name} compares functions of numbers, and {input_name} is an array of "
                f"shape {x.shape}; compare with torch, jax or autograd"
            )


def _add_rows(report: Report, ours: _Ours, theirs: Found, adjoint: Any, limits: Limits) -> None:
    """A row for the value, and one for each gradient."""
    library = report.compared[1]
    value = Pair("value", _in_float64(ours.root.data), _in_float64(theirs.value), library)
    report.rows.append(row_of_pair(value, limits))
    same = report.rows[0].verdict == "ok"
    if not same and not ours.repeats():
        report.problems.append(
            "the function gives another result each time that it is called with the same inputs; "
            "random numbers have to start the same way at every call"
        )
    for i, gradient in enumerate(theirs.gradients or ()):
        pair = Pair(
            ours.names[i], _in_float64(ours.leaves[i].grad), _in_float64(gradient), library,
            ours.inputs[i], ours.result_of(i, adjoint) if same else None,
        )  # fmt: skip
        report.rows.append(row_of_pair(pair, limits))


def _in_float64(x: Any) -> Array:
    return np.array(x, np.float64)


# --- our side ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Ours:
    """The function here: fresh leaves, the result, and the names of both."""

    title: str
    function: Callable[..., Any]
    leaves: list[Any]
    names: list[str]
    root: Node
    recorded: bool

    @staticmethod
    def of(
        f: Callable[..., Any] | Node,
        inputs: Sequence[Any],
        names: Sequence[str] | None,
        alone: bool,
    ) -> _Ours:
        """Run the function once. `alone` leaves out what it holds beside its inputs."""
        if isinstance(f, Node):
            if inputs:
                raise TypeError(
                    "compare: a node has its inputs already; give a function for others"
                )
            leaves: list[Any] = leaves_of(f)
            usual = [f"leaf {i}" for i in range(len(leaves))]
            called = names_for(leaves, usual, names, "compare")
            return _Ours._again(f.label or "a graph", f, leaves, called)
        if not inputs:
            raise ValueError("compare: give at least one input for the function, or a node")
        called = names_for(inputs, input_names(f, len(inputs)), names, "compare")
        leaves = [
            leaf(plain(x, f"compare: {name}"), name) for x, name in zip(inputs, called, strict=True)
        ]
        with watched() as seen:
            root = f(*leaves)
        if not isinstance(root, Node):
            raise TypeError(
                f"compare: the function returned {type(root).__name__}, not a node; write it with "
                "operators, methods and functions of tinygrad_edu"
            )
        known = {*leaves, *seen.nodes}  # what f makes at every call is not a node of its own
        held = [x for x in topological_order(root) if not x.operands and x not in known]
        if not held:
            return _Ours(title_of(f), f, leaves, called, root, False)
        more = [] if alone else [x for x in held if x.label]
        return _Ours._again(title_of(f), root, [*leaves, *more], called + [x.label for x in more])

    @staticmethod
    def _again(title: str, root: Node, leaves: list[Any], names: list[str]) -> _Ours:
        """The recorded graph as the function, on copies of its leaves, so that none changes."""
        function = function_of_graph(root, leaves)
        copies = [copy_of_input(x, "compare") for x in leaves]
        return _Ours(title, function, copies, names, function(*copies), True)

    @property
    def inputs(self) -> list[Array]:
        return [_in_float64(x.data) for x in self.leaves]

    def in_library(
        self, library: Oracle, theirs: Callable[..., Any] | None, adjoint: Array
    ) -> Found:
        inputs = self.inputs
        if theirs is not None:
            return library.differentiate(theirs, inputs, adjoint)
        scalars = [isinstance(x, Value) for x in self.leaves]
        try:
            return library.differentiate_nodes(self.function, inputs, scalars, adjoint)
        except (TypeError, AttributeError):
            if self.recorded:
                raise
        recorded = function_of_graph(self.root, self.leaves)
        return library.differentiate_nodes(recorded, inputs, scalars, adjoint)

    def result_of(self, i: int, adjoint: Any) -> Callable[[Array], float]:
        """The weighed result for other numbers in the place of one input, in float64."""
        inputs = self.inputs

        def result(x: Array) -> float:
            all_inputs = [*inputs[:i], x, *inputs[i + 1 :]]
            nodes = [like(n, y) for n, y in zip(self.leaves, all_inputs, strict=True)]
            return float(np.sum(self.function(*nodes).data * adjoint))

        return result

    def repeats(self) -> bool:
        """Whether the function gives the same result again."""
        nodes = [copy_of_input(x, "compare") for x in self.leaves]
        return np.array_equal(self.function(*nodes).data, self.root.data, equal_nan=True)
