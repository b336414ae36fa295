"""`tinygrad-edu check`: are the gradients of functions, layers and graphs in scripts right?"""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from contextlib import redirect_stdout
from pathlib import Path

from tinygrad_edu.check import Report
from tinygrad_edu.commands.check_plan import Asked, Outcome, Plan
from tinygrad_edu.commands.input_forms import INPUT_FORMS, read_input
from tinygrad_edu.commands.machine_reports import annotation, as_json, as_junit
from tinygrad_edu.commands.options import (
    Parser,
    UsageError,
    check_target,
    values_by_name,
    write_target,
)
from tinygrad_edu.commands.printing import (
    GREEN,
    INTERRUPTED,
    RED,
    YELLOW,
    coloured,
    complain,
    say,
    width,
)
from tinygrad_edu.commands.script import ScriptError

DESCRIPTION = """\
Compare gradients with numerical derivatives, or with another library. A target
is a function, a node, or a layer with forward and backward; or a whole script:
all its layers, and all functions f with a derivative by hand beside them (df,
f_grad, f_backward). The exit status is 0 if all agree, 1 if not or if a script
failed, 2 for a wrong call.
"""

CHECK_EXAMPLES = """examples:
  tinygrad-edu check script.py:loss x=0.5 w=3x4
  tinygrad-edu check script.py:f w=3x4 labels=labels --with torch --theirs g
  tinygrad-edu check script.py:Affine x=5x3 --svg where.svg
  tinygrad-edu check script.py:f --gradient df
  tinygrad-edu check script.py:residuals x=3x --jacobian J
  tinygrad-edu check layers.py losses.py:mse x=4x3 --junit results.xml

inputs, for all targets that have them:
  x=0.5  x=4x3  x=4x   a number; random numbers of this shape
  x=4x3:0.1..5         random numbers from 0.1 to 5
  labels=8x:0..9:int   whole numbers from 0 to 9
  x=4x3:float32        of this dtype
  labels=labels        what the script has by this name
  mode="'relu'"  h=None  training=False  lr=0.1:fixed  n=3:int
                       settings, which are not differentiated
Parameters with a default need none. Inputs that are arguments of a class make
its object. A script is run as it is: check only scripts that you trust.
"""

WRONG = 1
"""The exit status if something is wrong."""

BY_HAND = {
    "gradient": "the derivative", "jacobian": "the Jacobian", "hessian": "the Hessian",
    "jvp": "the product of the Jacobian and a vector", "adjoint": "the adjoint of a linear map",
}  # fmt: skip
"""The derivatives by hand that a function may have."""
LIBRARIES = ("torch", "jax", "sympy", "autograd")
COLOURS = {"ok": GREEN, "kink": YELLOW, "WRONG": RED, "MISSING": RED, "UNSURE": YELLOW,
           "UNUSED": YELLOW}  # fmt: skip


def check_parser() -> Parser:
    """The options of `check`."""
    parser = Parser(
        "tinygrad-edu check",
        usage="tinygrad-edu check [options] script.py:name ... [name=input ...]",
        description=DESCRIPTION,
        epilog=CHECK_EXAMPLES,
    )
    parser.add_argument(
        "words", nargs="+", metavar="script.py:name",
        help="what to check (script.py: all in it), and inputs as name=input",
    )  # fmt: skip
    parser.add_argument(
        "--with", dest="library", choices=LIBRARIES, help="compare with this library instead"
    )
    parser.add_argument("--theirs", metavar="NAME", help="the function for that library")
    for kind, what in BY_HAND.items():
        parser.add_argument(f"--{kind}", metavar="NAME", help=f"{what} by hand of a function")
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
    parser.add_argument("--json", action="store_true", help="print one object, for programs")
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML, for CI systems")
    parser.add_argument("--svg", metavar="FILE", help="write a picture of where it fails")
    parser.add_argument("--force", action="store_true", help="overwrite the picture if it exists")
    return parser


def run_check(options: argparse.Namespace) -> int:
    """Check everything that can be checked first; then run the scripts and print the reports."""
    is_input = re.compile(r"\w+\s*=")
    asked = [Asked.of(word) for word in options.words if not is_input.match(word)]
    given = values_by_name([x for x in options.words if is_input.match(x)], read_input, INPUT_FORMS)
    if not asked:
        raise UsageError("check what? Give script.py:name, or script.py for all of it")
    _check_options(options, several=len(asked) > 1 or not asked[0].name)
    if options.library:
        _check_installed(options.library)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):  # the object stands alone
        plan = Plan(asked, given, options)
        outcomes = _printed(plan, options)
    if options.json:
        say(as_json(outcomes, plan.left_out, options.seed))
    if options.junit is not None:
        write_target(options.junit, as_junit(outcomes, plan.left_out), force=True)
    if options.svg is not None and outcomes[0].report is not None:
        write_target(options.svg, outcomes[0].report.to_svg(), options.force, "")
        say(f"written: {options.svg}", sys.stderr if options.json else None)
    if any(outcome.report is not None and outcome.report.stopped for outcome in outcomes):
        return INTERRUPTED
    if any(outcome.report is not None and not outcome.ok for outcome in outcomes):
        return WRONG
    return next((outcome.status for outcome in outcomes if outcome.error), 0)


def _printed(plan: Plan, options: argparse.Namespace) -> list[Outcome]:
    """Run the checks, and print what comes out of each as soon as it is there."""
    if not options.json:
        _say_what_was_found(plan)
    outcomes = []
    for outcome in plan.outcomes():
        outcomes.append(outcome)
        if outcome.error:
            label = f"{outcome.label}: " if plan.several else ""
            sys.stdout.flush()
            complain(label + outcome.error, outcome.status)
        elif outcome.report is not None and not options.json:
            notes = [f"{outcome.label}"] * plan.several + outcome.notes
            say("\n".join([*notes, *_lines(outcome.report), *[""] * plan.several]))
        if os.environ.get("GITHUB_ACTIONS") == "true" and not outcome.ok:
            say(annotation(outcome))
    if plan.several and not options.json:
        _say_the_sum(outcomes)
    return outcomes


def _say_what_was_found(plan: Plan) -> None:
    """For each script that is checked as a whole, what was found in it and what was not."""
    for path, left_out in plan.left_out.items():
        found = [check.target.said for check in plan.checks if check.target.path == path]
        lines = [f"{path}: {', '.join(found) or 'nothing to check'}"]
        reasons: dict[str, list[str]] = {}
        for name, why in left_out.items():
            reasons.setdefault(why, []).append(name)
        lines += [f"not checked: {', '.join(names)} ({why})" for why, names in reasons.items()]
        say("\n".join(textwrap.fill(x, width(), subsequent_indent="  ") for x in lines) + "\n")


def _say_the_sum(outcomes: list[Outcome]) -> None:
    bad = [outcome.label for outcome in outcomes if not outcome.ok]
    if bad:
        said = f"{len(bad)} of {len(outcomes)} failed: {', '.join(bad)}"
    else:
        said = f"{len(outcomes)} checked, all agree"
    say(coloured(said, RED if bad else GREEN))


def _check_options(options: argparse.Namespace, several: bool) -> None:
    """Refuse options that do not go together, or make no sense."""
    for option in (*BY_HAND, "backward", "theirs", "svg"):
        if several and getattr(options, option):
            raise UsageError(f"--{option} is for one target: give script.py:name, and no other")
    ways = {
        "--with": options.library, "--backward": options.backward,
        "--second-order": options.second_order,
        **{f"--{kind}": getattr(options, kind) for kind in BY_HAND},
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
    for file, ending in ((options.svg, ".svg"), (options.junit, ".xml")):
        if file is not None and Path(file).suffix.lower() != ending:
            raise UsageError(f"{file}: the name must end in {ending}")
    if options.svg is not None:
        check_target(options.svg, options.force, "")
    if options.junit is not None:
        check_target(options.junit, force=True)


def _check_installed(library: str) -> None:
    from tinygrad_edu.check.oracles import opened

    try:
        opened(library)
    except ImportError as error:
        raise ScriptError(str(error)) from error


def _lines(report: Report) -> list[str]:
    """The report for the terminal, with its verdicts in colour."""
    lines = report.text(width()).split("\n")
    lines[0] = coloured(lines[0], GREEN if report.ok else RED)
    for i, line in enumerate(lines):
        verdict = re.search(rf"(?<=  )({'|'.join(COLOURS)})(, judged as \w+)?$", line)
        if verdict is not None:
            lines[i] = line[: verdict.start()] + coloured(verdict[0], COLOURS[verdict[1]])
    return lines
