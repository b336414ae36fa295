"""The command `tinygrad-edu`: a graph from an expression or a script, as a page or a picture."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

import tinygrad_edu
from tinygrad_edu.expression import check_name, closest, read_expression
from tinygrad_edu.files import write_whole
from tinygrad_edu.graph import Node, topological_order
from tinygrad_edu.script import ScriptError, node_of_script
from tinygrad_edu.view import to_dot, to_svg
from tinygrad_edu.view.reading import short, shown_text
from tinygrad_edu.view.show import open_in_browser

EXAMPLES = """examples:
  tinygrad-edu show "(apple * 2 + orange * 3) * tax" apple=100 orange=150 tax=1.1 -o price.html
  tinygrad-edu show "a = x * w; y = tanh(a + b)" x=2 w=-3 b=6.7 --range x=-5:5 --open
  tinygrad-edu show "x ** 2" x=3 -o square.svg --force
  tinygrad-edu show script.py:loss -o loss.html

An expression has + - * / **, numbers, names and functions of numbers such as exp, tanh, sqrt or
maximum; several parts are separated by ; and named by =. One that begins with a minus goes into
parentheses. A script is run as it is: show only scripts that you trust.
"""

USAGE, FAILED, INTERRUPTED = 2, 1, 130
"""Exit statuses other than 0."""

ROWS = 40
"""How many rows the printed table has at most."""


class UsageError(Exception):
    """What was asked for cannot be asked for in this way."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see tinygrad-edu --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure, 2 for a wrong call."""
    try:
        return _show(_parser().parse_intermixed_args(argv))
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except UsageError as error:
        return _complain(str(error), USAGE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(where + (error.strerror or str(error)), FAILED)
    except (ScriptError, ValueError, ArithmeticError) as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tinygrad-edu",
        description="See backpropagation: every value and every gradient of a graph, as a page.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"tinygrad-edu {tinygrad_edu.__version__}"
    )
    parser.add_argument("command", choices=["show"], help="show a graph")
    parser.add_argument("what", help="an expression, or script.py:name")
    parser.add_argument(
        "inputs", nargs="*", metavar="name=number", help="the inputs of an expression"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="graph.html",
        help="the file to write, .html, .svg or .dot (default: graph.html)",
    )  # fmt: skip
    parser.add_argument("--title", help="the title of the page")
    parser.add_argument(
        "--range", dest="ranges", action="append", default=[], metavar="name=low:high[:step]",
        help="the range of an input's slider; may be given for several inputs",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    return parser


def _show(options: argparse.Namespace) -> int:
    """Check everything that can be checked first; compute, write and print after that."""
    path: str = options.output
    kind = _kind(path, options)
    inputs = _named(options.inputs, _number, "name=number, such as apple=100")
    ranges = _named(options.ranges, _range, "--range name=low:high or name=low:high:step")
    _check_target(path, options.force)
    script = _script_and_name(options.what)
    if script is None:
        node: Node = read_expression(options.what, inputs)
    elif inputs:
        raise UsageError("a script gets no inputs (name=number); set the numbers in the script")
    else:
        node = node_of_script(*script)
    _check_ranges(node, ranges)
    nodes = topological_order(node)
    if np.size(node.data) == 1 and not any(np.any(x.grad) for x in nodes):
        node.backward()
    if kind == ".html":
        from tinygrad_edu.view.html import to_html

        to_html(node, path, title=options.title, ranges=ranges or None)
    elif kind == ".svg":
        to_svg(node, path)
    else:
        write_whole(path, to_dot(node))
    root_name = node.label or (script[1] if script else "result")
    _say("\n".join(_table(nodes, root_name)))
    _say(f"written: {path}")
    if options.open and not open_in_browser(path):
        _say("no browser could be opened; open the file yourself")
    return 0


def _kind(path: str, options: argparse.Namespace) -> str:
    """The ending that says what to write."""
    kind = Path(path).suffix.lower()
    if kind not in (".html", ".svg", ".dot"):
        raise UsageError(f"{path}: the name must end in .html, .svg or .dot")
    for option, given in (("--title", options.title is not None), ("--range", options.ranges)):
        if given and kind != ".html":
            raise UsageError(f"{option} is for pages; {path} is none, write to a .html file")
    if options.open and kind == ".dot":
        raise UsageError("--open is for .html and .svg; browsers do not show .dot")
    return kind


def _named(texts: list[str], read: Callable[[str], Any], form: str) -> dict[str, Any]:
    """What was given as name=..., by name."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        try:
            name = check_name(name.strip())
            value = read(rest)
        except (ValueError, OverflowError):
            equals = ""
        if not equals:
            raise UsageError(f"{text}: expected {form}")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = value
    return found


def _number(text: str) -> float:
    number = float(text)
    if math.isnan(number):
        raise ValueError("nan is no input")
    return number


def _range(text: str) -> tuple[float, ...]:
    numbers = tuple(float(part) for part in text.split(":"))
    if not all(map(math.isfinite, numbers)) or len(numbers) not in (2, 3):
        raise ValueError("two or three numbers are needed")
    if numbers[0] >= numbers[1] or (len(numbers) == 3 and numbers[2] <= 0):
        raise ValueError("a range goes upwards")
    return numbers


def _check_target(path: str, force: bool) -> None:
    """Refuse a file that cannot or must not be written, before anything is computed."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder")
    if not os.path.isdir(folder):
        raise UsageError(f"{path} cannot be written: there is no folder {folder}")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists; use --force to overwrite it, or another name with -o")


def _script_and_name(what: str) -> tuple[str, str] | None:
    """The two parts of script.py:name, or None for an expression."""
    path, _, name = what.rpartition(":")  # the last colon: C:\\work\\script.py:loss
    if path.lower().endswith(".py"):
        if not name.isidentifier():
            raise UsageError(f"{what}: expected script.py:name, with one name and no dots in it")
        return path, name
    if what.lower().endswith(".py"):
        raise UsageError(f"{what}: which node of it? Write {what}:name")
    return None


def _check_ranges(node: Node, ranges: dict[str, Any]) -> None:
    leaves = [x.label for x in topological_order(node) if not x.operands and x.label]
    for name in ranges:
        if name not in leaves:
            raise UsageError(f"--range {name}: there is no such input; {closest(name, leaves)}")


def _table(nodes: list[Node], root_name: str) -> list[str]:
    """Value and gradient of every node with a label, and of the root."""
    root = nodes[-1]
    known = bool(np.any(root.grad))
    rows = [("", "value", "gradient")]
    named = [x for x in nodes if x.label or x is root]
    for x in named[: ROWS - 1] + named[-1:] if len(named) > ROWS else named:
        name = shown_text(x.label or root_name, 40)
        gradient = _shown(x.grad) if known or np.any(x.grad) else "·"
        rows.append((name, _shown(x.data), gradient))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {gradient:>{widths[2]}}".rstrip()
        for name, value, gradient in rows
    ]
    if len(named) > ROWS:
        lines.insert(ROWS, f"… {len(named) - ROWS} more …")
    return lines


def _shown(x: Any) -> str:
    return f"{float(x):.10g}" if np.shape(x) == () else short(x)


def _say(text: str, stream: TextIO | None = None) -> None:
    """Print, with escapes for what the terminal's encoding has no character for."""
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _complain(message: str, status: int) -> int:
    lines = [shown_text(line) for line in message.removeprefix("expression: ").split("\n")]
    _say("tinygrad-edu: " + "\n".join(lines), sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
