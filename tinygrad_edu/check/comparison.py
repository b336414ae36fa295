"""The same function here and in another library, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tinygrad_edu.check.kinds import (
    floating,
    leaf,
    like,
    name_of_dtype,
    names_for,
    plain,
    weights_for,
)
from tinygrad_edu.check.layers.calling import input_names
from tinygrad_edu.check.numerical import derivative, moved, sides
from tinygrad_edu.check.recorded import function_of_graph, leaves_of
from tinygrad_edu.check.report import Report, Row, Verdict, concluded
from tinygrad_edu.check.verdict import Tolerance
from tinygrad_edu.engine.contexts import watched
from tinygrad_edu.engine.graph import Node, topological_order
from tinygrad_edu.engine.value import Value

if TYPE_CHECKING:
    from tinygrad_edu.check.oracles import Found, Oracle

Array = npt.NDArray[Any]
Library = Literal["torch", "jax", "sympy", "autograd"]

US = "tinygrad_edu"
USUAL, USUAL_BELOW_FLOAT64 = 1e-8, 1e-4
"""What is tolerated, relative to the larger of a derivative and 1."""
ROUNDINGS = 64
"""Differences of so many roundings of the number 1 are none, unless `atol` is given: libraries
round tanh(10) in different ways, and 1 - tanh² has lost eight digits there."""
LOOKED_AT = 200
"""At so many elements that differ a kink is looked for."""


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
    symbolically. f is written once, with operators, methods and functions of tinygrad_edu, and
    gets a node for each input, as in `gradcheck`. For the other library it is called again with
    that library's arrays inside of something that behaves as a node, and every operation, forward
    and backward, is the library's own. Where that cannot be, because f holds nodes of its own or
    asks for a Tensor, the graph that it recorded is run there instead; labelled leaves of f's own,
    such as the parameters of a model, are then compared too. f may be a node: its graph is compared
    by its labelled leaves.

    `theirs` is a second function, written for the library: a loss that was ported is compared with
    the original. It gets float64 tensors or arrays (symbols for sympy), in the order of the inputs.

    Both sides compute with float64 numbers; inputs that are float32 stay so here and are judged as
    such. `rtol` and `atol` are what is tolerated: 1e-8, or 1e-4 below float64, and a few roundings.
    Where conventions differ at a kink, as relu'(0) may, the verdict is "kink". A result of several
    numbers is weighed with random numbers first. Nothing of the other library's settings stays
    changed.

    Returns a Report with a row for the value and one for the gradient of each input. Raises
    GradientError for a difference, unless `raises` is False; ImportError if the library is not
    installed; NotImplementedError for a rule that it has no function for.
    """
    from tinygrad_edu.check.oracles import opened

    library = opened(with_)
    ours = _Ours.of(f, inputs, names, alone=theirs is not None)
    for name, x in zip(ours.names, ours.inputs, strict=True):
        if library.only_numbers and x.ndim:
            raise TypeError(
                f"compare: {with_} compares functions of numbers, and {name} is an array of shape "
                f"{x.shape}; compare with torch, jax or autograd"
            )
    value = np.array(ours.root.data)
    adjoint = weights_for(value.shape)
    ours.root.backward(adjoint if adjoint.ndim else float(adjoint))
    found = ours.in_library(library, theirs, adjoint)
    dtype = np.dtype(value.dtype if value.dtype.kind == "f" else np.float64)
    usual = USUAL if dtype.itemsize >= 8 else USUAL_BELOW_FLOAT64
    tolerance = Tolerance.of(
        dtype, usual if rtol is None else rtol, usual if atol is None else atol, "compare"
    )
    floor = ROUNDINGS * float(np.finfo(dtype).eps) if atol is None else 0.0
    report = Report(
        f"compare of {ours.title} with {with_}", [], [], (US, with_),
        "values and gradients agree",
    )  # fmt: skip
    report.rows.append(_row(_Pair("value", value, found.value, with_), tolerance, floor, dtype))
    same = report.rows[0].verdict == "ok"
    if not same and not ours.repeats():
        report.problems.append(
            "the function gives another result each time that it is called with the same inputs; "
            "random numbers have to start the same way at every call"
        )
    for i, theirs_by_input in enumerate(found.gradients or ()):
        pair = _Pair(
            ours.names[i], np.array(ours.leaves[i].grad), theirs_by_input, with_, ours.inputs[i],
            ours.path(i, adjoint), same,
        )  # fmt: skip
        report.rows.append(_row(pair, tolerance, floor, dtype))
    return concluded(report, raises)


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
            leaf(x, plain(x, f"compare: {name}"), name)
            for x, name in zip(inputs, called, strict=True)
        ]
        title = str(getattr(f, "__name__", type(f).__name__)).replace("<lambda>", "a function")
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
            return _Ours(title, f, leaves, called, root, False)
        more = [] if alone else [x for x in held if x.label]
        return _Ours._again(title, root, [*leaves, *more], called + [x.label for x in more])

    @staticmethod
    def _again(title: str, root: Node, leaves: list[Any], names: list[str]) -> _Ours:
        """The recorded graph as the function, on copies of its leaves, so that none changes."""
        function = function_of_graph(root, leaves)
        copies = [like(x, x.data) for x in leaves]
        return _Ours(title, function, copies, names, function(*copies), True)

    @property
    def inputs(self) -> list[Array]:
        return [floating(plain(x, "compare")) for x in self.leaves]

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

    def path(self, i: int, adjoint: Array) -> Callable[[Array], float]:
        """The weighed result for another array in the place of one input, in float64."""
        inputs = self.inputs

        def result(x: Array) -> float:
            moved_inputs = [*inputs[:i], x, *inputs[i + 1 :]]
            nodes = [like(n, y) for n, y in zip(self.leaves, moved_inputs, strict=True)]
            return float(np.sum(self.function(*nodes).data * adjoint))

        return result

    def repeats(self) -> bool:
        """Whether the function gives the same result again."""
        nodes = [like(x, x.data) for x in self.leaves]
        return np.array_equal(self.function(*nodes).data, self.root.data, equal_nan=True)


# --- both sides ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Pair:
    """What was computed here and there. `x` and `result`, the weighed result as a function of x,
    are given for gradients; `comparable` says whether both functions have the same value."""

    name: str
    ours: Array
    theirs: Array
    library: str
    x: Array | None = None
    result: Callable[[Array], float] | None = None
    comparable: bool = False


def _row(pair: _Pair, tolerance: Tolerance, floor: float, dtype: np.dtype[Any]) -> Row:
    ours, theirs = floating(pair.ours), floating(pair.theirs)
    shape, said = ours.shape, name_of_dtype(np.empty(0, dtype))
    if shape != theirs.shape:
        note = f"the shape is {shape} here and {theirs.shape} in {pair.library}"
        return Row(pair.name, shape, "wrong", dtype=said, note=note)
    errors = _errors(ours, theirs, tolerance.at(theirs, ours) + floor)
    kinks = np.zeros(shape, bool)
    if not ours.size:
        return Row(pair.name, shape, "ok", dtype=said, errors=errors, kinks=kinks)
    suspects = np.argwhere(errors > 1)
    silent = np.zeros(shape, bool)  # where the library gives nan, and differences agree with us
    for index in map(tuple, suspects[:LOOKED_AT].tolist()):
        kinks[index] = _is_kink(pair, index)
        if np.isnan(theirs[index]):
            silent[index] = US in _who_is_right(pair, index, tolerance)
    errors[kinks | silent] = 0.0
    wrong = errors > 1
    chosen = errors if wrong.any() or not kinks.any() else kinks.astype(float)
    index = tuple(int(i) for i in np.unravel_index(np.argmax(chosen), shape))
    verdict: Verdict = "wrong" if wrong.any() else "kink" if kinks.any() else "ok"
    note = ""
    if verdict == "wrong":
        note = _who_is_right(pair, index, tolerance)
        if wrong.size > 1:
            note = f"{note} ({int(wrong.sum())} of {wrong.size} elements differ)".strip()
    elif silent.any():
        index = tuple(int(i) for i in np.argwhere(silent)[0])
        note = f"{pair.library} gives nan here; {_who_is_right(pair, index, tolerance)}"
    elif verdict == "kink":
        count = f" at {int(kinks.sum())} of {kinks.size}" if kinks.size > 1 else ""
        note = (
            f"a kink{count}: {US} has {ours[index] + 0.0:g} and {pair.library} "
            f"{theirs[index] + 0.0:g}, and "
            "each is a convention for what lies between the derivatives of the two sides"
        )
    at = np.nan if pair.x is None else float(pair.x[index])
    return Row(
        pair.name, shape, verdict, index, at, float(ours[index]), float(theirs[index]), said, note,
        errors, kinks,
    )  # fmt: skip


def _errors(ours: Array, theirs: Array, tolerance: Array) -> Array:
    """The difference of every element as a multiple of what is tolerated."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(all="ignore"):
        errors = np.where(both, np.abs(ours - theirs) / tolerance, np.inf)
    return np.where(same, 0.0, errors)


def _is_kink(pair: _Pair, index: tuple[int, ...]) -> bool:
    """Whether the function has a kink there, between whose slopes both derivatives lie; nan says
    that there is none."""
    if pair.x is None or pair.result is None or not pair.comparable:
        return False
    x, result = pair.x, pair.result
    found = sides(lambda t: result(moved(x, index, t)), float(x[index]))
    if found is None or found.jumps or not found.kink:
        return False
    slack = 1e-6 * max(1.0, abs(found.left.value), abs(found.right.value))
    both = float(pair.ours[index]), float(pair.theirs[index])
    return all(np.isnan(slope) or found.between(slope, slack) for slope in both)


def _who_is_right(pair: _Pair, index: tuple[int, ...], tolerance: Tolerance) -> str:
    """What central differences say to a gradient on which both sides differ."""
    if pair.x is None or pair.result is None:
        return "the two functions differ here, so their gradients need not agree"
    if not pair.comparable:
        return ""
    x, result = pair.x, pair.result
    try:
        found = derivative(lambda t: result(moved(x, index, t)), float(x[index]))
    except (ArithmeticError, ValueError):
        return ""
    slack = 1e-6 * max(abs(found.value), tolerance.atol) + 2 * found.doubt
    names = {US: pair.ours[index], pair.library: pair.theirs[index]}
    agree = [name for name, slope in names.items() if abs(float(slope) - found.value) <= slack]
    if len(agree) != 1 or not np.isfinite(found.value):
        return ""
    return f"central differences give {found.value:.6g}, as {agree[0]} does"
