"""What the commands are given: options, names with numbers, files, scripts."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from typing import Any, NoReturn

from tinygrad_edu.commands.expression import checked_name
from tinygrad_edu.commands.printing import say
from tinygrad_edu.commands.script import ScriptError
from tinygrad_edu.files import Content, write_whole


class UsageError(ScriptError):
    """What was asked for cannot be asked for in this way."""

    status = 2


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError, and knows no abbreviations."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(
            prog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
            **settings,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """As all else is printed: argparse would let errors pass in silence."""
        say(message.removesuffix("\n"), file)


def values_by_name(texts: list[str], read: Callable[[str], Any], form: str) -> dict[str, Any]:
    """What was given as name=..., by name."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        try:
            name = checked_name(name.strip())
            value = read(rest)
        except (ValueError, OverflowError):
            equals = ""
        if not equals:
            raise UsageError(f"{text}: expected {form}")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = value
    return found


def number(text: str) -> float:
    """A number; ValueError for anything else, nan included."""
    x = float(text)
    if math.isnan(x):
        raise ValueError("nan is not an input")
    return x


def check_target(path: str, force: bool, other: str = ", or another name with -o") -> None:
    """Refuse a file that cannot or must not be written, before anything is computed."""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder")
    if not os.path.isdir(folder):
        raise UsageError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"{path} cannot be written: the folder {folder} is read-only; choose another folder"
        )
    if os.path.lexists(path) and not force:
        raise _exists(path, other)


def write_target(
    path: str, content: Content, force: bool, other: str = ", or another name with -o"
) -> None:
    """Write what was computed, but not over a file that has appeared since `check_target`."""
    try:
        write_whole(path, content, replace=force)
    except FileExistsError as error:
        if force:  # it is not a file
            raise
        raise _exists(path, other) from error


def _exists(path: str, other: str) -> UsageError:
    return UsageError(f"{path} exists; use --force to overwrite it{other}")


def script_and_name(what: str) -> tuple[str, str] | None:
    """The two parts of script.py:name, or None for an expression."""
    path, _, name = what.rpartition(":")  # the last colon: C:\\work\\script.py:loss
    if path.lower().endswith(".py"):
        if not name.isidentifier():
            raise UsageError(f"{what}: expected script.py:name, with one name and no dots in it")
        return path, name
    if what.lower().endswith(".py"):
        raise UsageError(f"{what}: which name in it? Write {what}:name")
    return None
