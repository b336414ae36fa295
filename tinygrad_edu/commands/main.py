"""The command `tinygrad-edu`: it finds the command that was asked for, and says what failed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import tinygrad_edu
from tinygrad_edu.commands.options import Parser
from tinygrad_edu.commands.printing import (
    FAILED,
    INTERRUPTED,
    NotPrinted,
    complain,
    finished,
    not_printed,
)
from tinygrad_edu.commands.script import ScriptError

COMMANDS = {
    "show": "a graph as an interactive page or a picture",
    "check": "whether a function, a layer or a graph has the right gradients",
    "train": "a first training, as a page to watch",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure, 2 for a wrong call, 130
    after Ctrl-C; that of a script that ends the program by itself."""
    try:
        return finished(_run_command(list(sys.argv[1:] if argv is None else argv)))
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)


def _run_command(words: list[str]) -> int:
    try:
        if not words or words[0] not in COMMANDS:
            _main_parser().parse_args(words[:1])
        parser, run = _of(words[0], "{}_parser"), _of(words[0], "run_{}")
        status: int = run(parser().parse_intermixed_args(words[1:]))
        return status
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    except ScriptError as error:
        return complain(str(error), error.status)
    except NotPrinted as error:
        return not_printed(error.__cause__)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return complain(where + (error.strerror or str(error)), FAILED)
    except (ValueError, ArithmeticError) as error:
        return complain(str(error), FAILED)


def _of(command: str, name: str) -> Any:
    """What the module of a command has by a name; `check` is not loaded for `show`."""
    module = import_module(f"tinygrad_edu.commands.{command}_command")
    return getattr(module, name.format(command))


def _main_parser() -> argparse.ArgumentParser:
    examples = [_of(command, f"{command.upper()}_EXAMPLES") for command in COMMANDS]
    parser = Parser(
        "tinygrad-edu",
        description="See, check and train with backpropagation.",
        epilog="\n".join([examples[0], *examples[1].split("\n\n")[0].split("\n")[1:]]),
    )
    parser.add_argument(
        "--version", action="version", version=f"tinygrad-edu {tinygrad_edu.__version__}"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="command", required=True,
        description="tinygrad-edu COMMAND --help says more of each",
    )  # fmt: skip
    for name, says in COMMANDS.items():
        commands.add_parser(name, help=says, prog=f"tinygrad-edu {name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
