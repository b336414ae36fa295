"""`tinygrad-edu check`: are the gradients of a function, a layer or a graph in a script right?"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from tinygrad_edu.check import Report, gradcheck
from tinygrad_edu.check.kinds import function_of_graph, leaves_of
from tinygrad_edu.commands.expression import closest, shown
from tinygrad_edu.commands.inputs import Inputs, read_input
from tinygrad_edu.commands.options import (
    Parser,
    UsageError,
    check_target,
    script_and_name,
    values_by_name,
    write_target,
)
from tinygrad_edu.commands.printing import GREEN, RED, YELLOW, coloured, say, width
from tinygrad_edu.commands.script import RUN_NAME, ScriptError, running
from tinygrad_edu.engine.graph import Node

DESCRIPTION = """\
Compare gradients with numerical derivatives, or with another library. What is
checked may be a function, a node, or a layer with forward and backward. The
exit status is 0 if all agree, 1 if not or if the script failed, 2 for a wrong
call.
"""

CHECK_EXAMPLES = """examples:
  tinygrad-edu check script.py:loss x=0.5 w=3x4
  tinygrad-edu check script.py:loss w=3x4 labels=labels --with torch --theirs torch_loss
  tinygrad-edu check script.py:Affine x=5x3 --svg where.svg
  tinygrad-edu check script.py:f --gradient df

An input is a number (x=0.5), the shape of an array of random numbers (w=3x4, b=4x for one axis), or
a name of the script (labels=labels). Parameters with a default need none. A script is run as it is:
check only scripts that you trust.
"""

WRONG = 1
"""The exit status if something is wrong."""

LIBRARIES = ("torch", "jax", "sympy", "autograd")
COLOURS = {"ok": GREEN, "kink": YELLOW, "WRONG": RED, "MISSING": RED, "UNSURE": YELLOW,
           "UNUSED": YELLOW}  # fmt: skip


def check_parser() -> Parser:
    """The options of `check`."""
    parser = Parser(
        "tinygrad-edu check",
        description=DESCRIPTION,
        epilog=CHECK_EXAMPLES,
    )
    parser.add_argument("what", metavar="script.py:name", help="what to check")
    parser.add_argument(
        "inputs", nargs="*", metavar="name=input", help="the inputs: numbers, shapes, or names"
    )
    parser.add_argument(
        "--with", dest="library", choices=LIBRARIES, help="compare with this library instead"
    )
    parser.add_argument("--theirs", metavar="NAME", help="the function for that library")
    parser.add_argument("--gradient", metavar="NAME", help="the derivative by hand of a function")
    parser.add_argument("--backward", metavar="NAME", help="the backward pass of a forward pass")
    parser.add_argument(
        "--second-order", action="store_true", help="check the derivatives of the derivatives too"
    )
    parser.add_argument(
        "--rtol", type=float, metavar="NUMBER", help="what is tolerated, as a part of a derivative"
    )
    parser.add_argument(
        "--atol", type=float, metavar="NUMBER", help="what is tolerated beside that"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N",
        help="of the random arrays, 0 or more (default: 0)",
    )  # fmt: skip
    parser.add_argument("--svg", metavar="FILE", help="write a picture of where it fails")
    parser.add_argument("--force", action="store_true", help="overwrite the picture if it exists")
    return parser


def run_check(options: argparse.Namespace) -> int:
    """Check everything that can be checked first; then run the script and print the report."""
    script = script_and_name(options.what)
    if script is None:
        raise UsageError(f"{options.what}: expected script.py:name")
    _check_options(options)
    given = values_by_name(
        options.inputs, read_input, "name=number, name=3x4 or a name of the script"
    )
    if options.svg is not None:
        if Path(options.svg).suffix.lower() != ".svg":
            raise UsageError(f"{options.svg}: the name must end in .svg")
        check_target(options.svg, options.force, "")
    if options.library:
        _check_installed(options.library)
    path, name = script
    with running(path) as names:
        found = _name(path, names, name)
        inputs = Inputs(path, name, names, given, options.seed)
        report = _checked(found, options, inputs)
    if inputs.drawn:
        say(f"random numbers for {', '.join(inputs.drawn)}; seed {options.seed}")
    say("\n".join(_lines(report)))
    if options.svg is not None:
        write_target(options.svg, report.to_svg(), options.force, "")
        say(f"written: {options.svg}")
    return 0 if report.ok else WRONG


def _check_options(options: argparse.Namespace) -> None:
    """Refuse options that do not go together, or make no sense."""
    ways = {
        "--with": options.library, "--gradient": options.gradient, "--backward": options.backward,
        "--second-order": options.second_order,
    }  # fmt: skip
    chosen = [way for way, is_chosen in ways.items() if is_chosen]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} do not go together; choose one")
    if options.theirs and not options.library:
        raise UsageError("--theirs is for --with: which library is it written for?")
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: it must be 0 or more")
    for option in ("rtol", "atol"):
        tolerance = getattr(options, option)
        if tolerance is not None and not tolerance >= 0:
            raise UsageError(f"--{option} {tolerance:g}: it must be 0 or more")


def _check_installed(library: str) -> None:
    from tinygrad_edu.check.oracles import opened

    try:
        opened(library)
    except ImportError as error:
        raise ScriptError(str(error)) from error


def _name(path: str, names: dict[str, Any], name: str) -> Any:
    """What the script has by a name."""
    if name not in names:
        own = [
            x for x, found in names.items()
            if isinstance(found, Node)
            or (callable(found) and getattr(found, "__module__", RUN_NAME) == RUN_NAME)
        ]  # fmt: skip
        said = closest(name, own) if own else "it has no function and no node"
        raise ScriptError(f"{path} has no {shown(name)}; {said}")
    return names[name]


def _checked(found: Any, options: argparse.Namespace, inputs: Inputs) -> Report:
    """Check what was found in the way that fits it."""
    if isinstance(found, Node):
        return _checked_graph(found, options, inputs)
    if _is_layer(found):
        return _checked_layer(found, options, inputs)
    if callable(found):
        return _checked_function(found, options, inputs)
    raise ScriptError(
        f"{inputs.path}: {inputs.name} is a {type(found).__name__}; check a function, a node, or a "
        "layer with forward and backward"
    )


def _tolerances(options: argparse.Namespace) -> dict[str, Any]:
    return {"rtol": options.rtol, "atol": options.atol, "raises": False}


def _checked_function(found: Any, options: argparse.Namespace, inputs: Inputs) -> Report:
    def named_in_script(name: str) -> Any:
        return _name(inputs.path, inputs.names, name)

    settings = _tolerances(options)
    if options.backward:
        from tinygrad_edu.check import check_backward

        backward = named_in_script(options.backward)
        return check_backward(found, backward, *inputs.of_layer(found), **settings)
    function, xs = inputs.of(found)
    settings["names"] = [*xs]
    if options.gradient:
        gradient = inputs.like(named_in_script(options.gradient))
        return gradcheck(function, *xs.values(), gradient=gradient, **settings)
    if xs and options.library:
        from tinygrad_edu.check import compare

        theirs = inputs.like(named_in_script(options.theirs)) if options.theirs else None
        return compare(function, *xs.values(), with_=options.library, theirs=theirs, **settings)
    if xs:
        return gradcheck(function, *xs.values(), second_order=options.second_order, **settings)
    root = function()  # without inputs: the graph that it records
    if not isinstance(root, Node):
        raise ScriptError(
            f"{inputs.path}: {inputs.name}() returned {type(root).__name__}, not a node"
        )
    return _checked_graph(root, options, inputs)


def _checked_graph(root: Node, options: argparse.Namespace, inputs: Inputs) -> Report:
    _refuse_options(options, ["theirs", "gradient", "backward"], f"{inputs.name} is a node")
    inputs.refuse(f"{inputs.name} is a node, which has its inputs already")
    root.label = root.label or inputs.name
    settings = _tolerances(options)
    if options.library:
        from tinygrad_edu.check import compare

        return compare(root, with_=options.library, **settings)
    leaves = leaves_of(root)
    names = [x.label or f"leaf {i}" for i, x in enumerate(leaves)]
    f = function_of_graph(root, leaves)
    f.__name__ = inputs.name
    return gradcheck(f, *leaves, names=names, second_order=options.second_order, **settings)


def _checked_layer(found: Any, options: argparse.Namespace, inputs: Inputs) -> Report:
    from tinygrad_edu.check import check_backward

    own = ["theirs", "gradient", "backward", "library", "second_order"]
    _refuse_options(options, own, f"{inputs.name} is a layer with a backward pass of its own")
    layer = inputs.made(found) if isinstance(found, type) else found
    forward = layer.forward if hasattr(layer, "forward") else layer
    return check_backward(layer, *inputs.of_layer(forward), **_tolerances(options))


def _is_layer(found: Any) -> bool:
    return hasattr(found, "backward") and not isinstance(found, Node)


def _refuse_options(options: argparse.Namespace, names: list[str], why: str) -> None:
    for name in names:
        if getattr(options, name):
            option = {"library": "with"}.get(name, name.replace("_", "-"))
            raise UsageError(f"--{option} does not fit: {why}")


def _lines(report: Report) -> list[str]:
    """The report for the terminal, with its verdicts in colour."""
    lines = report.text(width()).split("\n")
    lines[0] = coloured(lines[0], GREEN if report.ok else RED)
    for i, line in enumerate(lines):
        verdict = re.search(rf"(?<=  )({'|'.join(COLOURS)})(, judged as \w+)?$", line)
        if verdict is not None:
            lines[i] = line[: verdict.start()] + coloured(verdict[0], COLOURS[verdict[1]])
    return lines
