"""`tinygrad-edu show`: a graph from an expression or a script, as a page or a picture."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tinygrad_edu.commands.expression import closest, read_expression
from tinygrad_edu.commands.options import (
    Parser,
    UsageError,
    check_target,
    number,
    script_and_name,
    values_by_name,
    write_target,
)
from tinygrad_edu.commands.printing import say
from tinygrad_edu.commands.script import node_of_script
from tinygrad_edu.engine.graph import Node, topological_order
from tinygrad_edu.view import to_dot, to_pdf, to_png, to_svg
from tinygrad_edu.view.cards.reading import four_digits, is_nonzero, shape_of, shown_text
from tinygrad_edu.view.picture.figures import renderer
from tinygrad_edu.view.show import open_in_browser

SHOW_EXAMPLES = """examples:
  tinygrad-edu show "(apple * 2 + orange * 3) * tax" apple=100 orange=150 tax=1.1 -o price.html
  tinygrad-edu show "a = x * w; y = tanh(a + b)" x=2 w=-3 b=6.7 --range x=-5:5 --open
  tinygrad-edu show "x ** 2" x=3 -o square.svg --force
  tinygrad-edu show script.py:loss -o loss.html

An expression has + - * / **, numbers, pi, e, names and functions of numbers such as exp, tanh, sqrt
or maximum; several parts are separated by ; and named by =. One that begins with a minus goes into
parentheses. A script is run as it is: show only scripts that you trust.
"""

DEFAULT = "graph.html"
"""The file that is written without -o. A page that is there already is written again."""

ROWS = 40
"""How many rows the printed table has at most."""


def show_parser() -> Parser:
    """The options of `show`."""
    parser = Parser(
        "tinygrad-edu show",
        description="See backpropagation: every value and every gradient of a graph, as a page.",
        epilog=SHOW_EXAMPLES,
    )
    parser.add_argument("what", help="an expression, or script.py:name")
    parser.add_argument(
        "inputs", nargs="*", metavar="name=number", help="the inputs of an expression"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE",
        help="the file to write: .html, .svg, .png, .pdf or .dot (default: graph.html, again at "
        "every run)",
    )  # fmt: skip
    parser.add_argument("--title", help="the title of the page")
    parser.add_argument(
        "--range", dest="ranges", action="append", default=[], metavar="name=low:high[:step]",
        help="the range of an input's slider; may be given for several inputs",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    return parser


def run_show(options: argparse.Namespace) -> int:
    """Check everything that can be checked first; compute, write and print after that."""
    path: str = options.output or DEFAULT
    force: bool = options.force or (options.output is None and is_own_page(path))
    kind = _checked_ending(path, options)
    inputs = values_by_name(options.inputs, number, "name=number, such as apple=100")
    ranges = values_by_name(
        options.ranges, _read_range, "--range name=low:high or name=low:high:step"
    )
    check_target(path, force)
    script = script_and_name(options.what)
    if script is None:
        node: Node = read_expression(options.what, inputs)
    elif inputs:
        raise UsageError("a script gets no inputs (name=number); set the numbers in the script")
    else:
        node = node_of_script(*script)
    _check_range_names(node, ranges)
    nodes = topological_order(node)
    if math.prod(shape_of(node.data)) == 1 and not any(is_nonzero(x.grad) for x in nodes):
        node.backward()
    write_target(path, _content(kind, node, options.title, ranges), force)
    root_name = node.label or (script[1] if script else "result")
    say("\n".join(_result_table(nodes, root_name)))
    say(f"written: {path}")
    if options.open and not open_in_browser(path):
        say("no browser could be opened; open the file yourself")
    return 0


def is_own_page(path: str) -> bool:
    """Whether this package has made a page; then a new one may take its place."""
    if not os.path.isfile(path):
        return False
    with suppress(OSError), open(path, "rb") as file:
        return b'<meta name="generator" content="tinygrad_edu">' in file.read(300)
    return False


WRITERS: dict[str, Callable[[Node], str | bytes]] = {
    ".svg": to_svg, ".png": to_png, ".pdf": to_pdf, ".dot": to_dot,
}  # fmt: skip


def _content(kind: str, node: Node, title: str | None, ranges: dict[str, Any]) -> str | bytes:
    """What is written to a file of a kind."""
    if kind == ".html":
        from tinygrad_edu.view.page.html import to_html

        return to_html(node, title=title, ranges=ranges or None)
    return WRITERS[kind](node)


def _checked_ending(path: str, options: argparse.Namespace) -> str:
    """The ending that says what to write."""
    kind = Path(path).suffix.lower()
    if kind != ".html" and kind not in WRITERS:
        raise UsageError(f"{path}: the name must end in .html, .svg, .png, .pdf or .dot")
    for option, given in (("--title", options.title is not None), ("--range", options.ranges)):
        if given and kind != ".html":
            raise UsageError(f"{option} is for pages, not for {path}; write to a .html file")
    if options.open and kind == ".dot":
        raise UsageError("--open is for .html and pictures; browsers do not show .dot")
    if kind in (".png", ".pdf"):
        try:
            renderer()
        except ImportError as error:
            raise UsageError(f"{path}: {error}") from error
    return kind


def _read_range(text: str) -> tuple[float, ...]:
    numbers = tuple(float(part) for part in text.split(":"))
    if not all(map(math.isfinite, numbers)) or len(numbers) not in (2, 3):
        raise ValueError("two or three numbers are needed")
    if numbers[0] >= numbers[1] or (len(numbers) == 3 and numbers[2] <= 0):
        raise ValueError("a range goes upwards")
    return numbers


def _check_range_names(node: Node, ranges: dict[str, Any]) -> None:
    leaves = [x.label for x in topological_order(node) if not x.operands and x.label]
    for name in ranges:
        if name not in leaves:
            raise UsageError(
                f"--range {name}: the graph has no such input; {closest(name, leaves)}"
            )


def _result_table(nodes: list[Node], root_name: str) -> list[str]:
    """Value and gradient of every node with a label, and of the root."""
    root = nodes[-1]
    known = is_nonzero(root.grad)
    rows = [("", "value", "gradient")]
    labelled = [x for x in nodes if x.label or x is root]
    for x in labelled[: ROWS - 1] + labelled[-1:] if len(labelled) > ROWS else labelled:
        name = shown_text(x.label or root_name, 40)
        gradient = _cell_text(x.grad) if known or is_nonzero(x.grad) else "·"
        rows.append((name, _cell_text(x.data), gradient))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {gradient:>{widths[2]}}".rstrip()
        for name, value, gradient in rows
    ]
    if len(labelled) > ROWS:
        lines.insert(ROWS, f"… {len(labelled) - ROWS} more …")
    return lines


def _cell_text(x: Any) -> str:
    return four_digits(x) if shape_of(x) else f"{float(x):.10g}"
