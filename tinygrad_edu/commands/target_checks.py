"""The check that fits a target: of a function, a derivative by hand, a layer, a graph."""

from __future__ import annotations

import argparse
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinygrad_edu.check import Report, gradcheck
from tinygrad_edu.check.kinds import function_of_graph, leaves_of
from tinygrad_edu.check.libraries.recognition import is_torch_rule
from tinygrad_edu.commands.check_targets import CheckTarget
from tinygrad_edu.commands.inputs import Inputs
from tinygrad_edu.commands.options import UsageError
from tinygrad_edu.commands.script import ScriptError
from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.reading import shape_of

TRIED_AT = (-8.3, -3.1, -1.7, -0.9, -0.3, -0.06, 0.06, 0.3, 0.9, 1.7, 3.1, 8.3)
"""Where the derivative of a function of one number is tried, if no number is given: one number by
another has one derivative, so that this is safe."""
MATRICES = ("jacobian", "hessian", "jvp", "adjoint")
"""The derivatives by hand of functions of arrays, by the names of their options."""
MOST_PLACES = 100
"""Of an array, so many numbers are tried one by one."""


@dataclass(frozen=True)
class Check:
    """A target with all that its check needs; `notes` says what was chosen for it."""

    target: CheckTarget
    run: Callable[[], Report]
    notes: list[str]
    place: tuple[str, int] | None
    """The file and the line of the derivative that is checked, if it is written in Python."""


def prepared(target: CheckTarget, options: argparse.Namespace, inputs: Inputs) -> Check:
    """Find or make the inputs of a target. UsageError if some are missing, or do not fit."""
    notes: list[str] = []
    if isinstance(target.found, Node):
        run = _of_graph(target.found, options, inputs)
    elif target.is_layer:
        run = _of_layer(target, options, inputs)
    else:
        run = _of_function(target, options, inputs, notes)
    if inputs.drawn:
        notes.append(f"random numbers for {', '.join(inputs.drawn)}; seed {options.seed}")
    named = (getattr(options, kind) for kind in ("gradient", "backward", *MATRICES))
    by_hand = inputs.names.get(next(filter(None, named), target.partner))
    judged = by_hand or getattr(target.found, "backward", target.found)
    return Check(target, run, notes, _place_of_code(judged))


def _place_of_code(code: Any) -> tuple[str, int] | None:
    code = getattr(inspect.unwrap(code) if callable(code) else code, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else None


def _tolerances(options: argparse.Namespace) -> dict[str, Any]:
    return {"rtol": options.rtol, "atol": options.atol, "raises": False}


def _of_function(
    target: CheckTarget, options: argparse.Namespace, inputs: Inputs, notes: list[str]
) -> Callable[[], Report]:
    found, settings = target.found, _tolerances(options)
    if isinstance(found, type):  # of a torch Module, or another without a backward pass of its own
        found = inputs.made(found)
    gradient, backward = options.gradient, options.backward
    kind = next((kind for kind in MATRICES if getattr(options, kind)), "")
    if kind:
        return _of_matrix(found, kind, inputs.found(getattr(options, kind)), inputs, settings)
    if not (gradient or backward or options.library or options.second_order):
        gradient, backward = (
            target.partner if target.way == way else "" for way in ("gradient", "backward")
        )
        notes += [f"the derivative by hand: {target.partner}"] * bool(target.partner)
    if backward:
        from tinygrad_edu.check import check_backward

        xs, passed_back = inputs.of_layer(found), inputs.found(backward)
        return lambda: check_backward(found, passed_back, *xs, **settings)
    if gradient:
        slope = inputs.found(gradient)
        if slope is found:  # it returns its value and its gradient
            function, by_name = inputs.of(found, by_hand=True)
            settings["names"], values = [*by_name], [*by_name.values()]
            return lambda: gradcheck(function, *values, gradient=True, **settings)
        return _of_gradient(found, slope, inputs, settings, notes)
    function, by_name = inputs.of(found)
    settings["names"], values = [*by_name], [*by_name.values()]
    if values and options.library:
        from tinygrad_edu.check import compare

        theirs = inputs.like(inputs.found(options.theirs)) if options.theirs else None
        return lambda: compare(function, *values, with_=options.library, theirs=theirs, **settings)
    if values:
        return lambda: gradcheck(function, *values, second_order=options.second_order, **settings)
    root = function()  # without inputs: the graph that it records
    if not isinstance(root, Node):
        raise ScriptError(
            f"{inputs.path}: {inputs.name}() returned {type(root).__name__}, not a node"
        )
    return _of_graph(root, options, inputs)


def _of_matrix(
    found: Callable[..., Any], kind: str, by_hand: Any, inputs: Inputs, settings: dict[str, Any]
) -> Callable[[], Report]:
    """The check of a Jacobian or a Hessian, or of what multiplies one."""
    function, by_name = inputs.of(found, by_hand=True)
    if kind in ("jacobian", "hessian"):  # called as the function is
        by_hand = inputs.like(by_hand)
    settings["names"] = [*by_name]
    return lambda: gradcheck(function, *by_name.values(), **{kind: by_hand}, **settings)


def _of_gradient(
    found: Callable[..., Any], slope: Any, inputs: Inputs, settings: dict[str, Any],
    notes: list[str],
) -> Callable[[], Report]:  # fmt: skip
    alone = inputs.missing_alone(found)
    if alone:
        places = [x for x in TRIED_AT if _gives_number(found, x)]
        if not places:
            raise inputs.needs([alone])
        notes.append(
            f"{alone} is not given: tried at {len(places)} numbers from {places[0]} to {places[-1]}"
        )
        return _number_by_number(found, inputs.like(slope), alone, places, settings)
    function, by_name = inputs.of(found, by_hand=True)
    slope = inputs.like(slope)
    [name, x], *more = [*by_name.items()] or [("", None)]
    if not more and shape_of(x) and not _takes(function, x):
        places = [x for x in map(float, x.ravel()[:MOST_PLACES]) if _gives_number(function, x)]
        if places:
            notes.append(f"{inputs.name} takes single numbers: tried at {len(places)}")
            return _number_by_number(function, slope, name, places, settings)
    settings["names"] = [*by_name]
    return lambda: gradcheck(function, *by_name.values(), gradient=slope, **settings)


def _number_by_number(
    function: Callable[..., Any], slope: Callable[..., Any], name: str, places: list[float],
    settings: dict[str, Any],
) -> Callable[[], Report]:  # fmt: skip
    """The check of a function of one number at several: their worst, or all that fail."""

    def run() -> Report:
        reports = [gradcheck(function, x, gradient=slope, names=[name], **settings) for x in places]
        rows = [row for report in reports for row in report.rows]
        problems = dict.fromkeys(problem for report in reports for problem in report.problems)
        failed = [row for row in rows if row.verdict != "ok"]
        worst = max(rows, key=lambda row: row.relative)
        return Report(reports[0].what, failed or [worst], [*problems])

    return run


def _takes(function: Callable[..., Any], x: Any) -> bool:
    """Whether a function can be called with an array."""
    try:
        function(x.copy())
    except (TypeError, ValueError):  # math.exp of an array; x if x > 0 else 0
        return False
    return True


def _gives_number(function: Callable[..., Any], x: float) -> bool:
    """Whether a function gives a finite number there."""
    try:
        return math.isfinite(function(x))
    except Exception:
        return False


def _of_graph(root: Node, options: argparse.Namespace, inputs: Inputs) -> Callable[[], Report]:
    _refuse_options(
        options, ["theirs", "gradient", "backward", *MATRICES], f"{inputs.name} is a node"
    )
    inputs.refuse(f"{inputs.name} is a node, which has its inputs already")
    root.label = root.label or inputs.name
    settings = _tolerances(options)
    if options.library:
        from tinygrad_edu.check import compare

        return lambda: compare(root, with_=options.library, **settings)
    leaves = leaves_of(root)
    names = [x.label or f"leaf {i}" for i, x in enumerate(leaves)]
    f = function_of_graph(root, leaves)
    f.__name__ = inputs.name
    return lambda: gradcheck(f, *leaves, names=names, second_order=options.second_order, **settings)


def _of_layer(
    target: CheckTarget, options: argparse.Namespace, inputs: Inputs
) -> Callable[[], Report]:
    from tinygrad_edu.check import check_backward

    own = ["theirs", "gradient", "backward", *MATRICES, "library", "second_order"]
    _refuse_options(options, own, f"{inputs.name} is a layer with a backward pass of its own")
    layer = target.found
    if isinstance(layer, type) and not is_torch_rule(layer):
        layer = inputs.made(layer)
    xs = inputs.of_layer(layer)
    return lambda: check_backward(layer, *xs, **_tolerances(options))


def _refuse_options(options: argparse.Namespace, names: list[str], why: str) -> None:
    for name in names:
        if getattr(options, name):
            option = {"library": "with"}.get(name, name.replace("_", "-"))
            raise UsageError(f"--{option} does not fit: {why}")
