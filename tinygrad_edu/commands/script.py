"""A node out of a person's own script: the script is run, and the node taken by its name."""

from __future__ import annotations

import inspect
import linecache
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_edu.commands.expression import closest, shown
from tinygrad_edu.engine.graph import Node

RUN_NAME = "tinygrad_edu_show"
"""The script's `__name__`: what stands below `if __name__ == "__main__":` does not run."""


class ScriptError(Exception):
    """The script failed, or has no such node."""

    status = 1
    """The exit status of the command."""


def node_of_script(path: str, name: str) -> Node:
    """Run a script and give its node `name`, or what its function `name` returns.

    ScriptError if there is no such file or node, and for whatever the script itself raises, with
    the line where it happened; KeyboardInterrupt stays itself.
    """
    with in_script(path):
        names = names_of_script(path)
        if name not in names:
            known = [x for x, found in names.items() if isinstance(found, Node)]
            said = closest(name, known) if known else "it has no Value and no Tensor"
            raise ScriptError(f"{path} has no {shown(name)}; {said}")
        found = names[name]
        if isinstance(found, Node):
            return found
        _check_callable(path, name, found)
        result = found()
    if not isinstance(result, Node):
        raise ScriptError(f"{path}: {name}() returned {type(result).__name__}, not a node")
    return result


def _check_callable(path: str, name: str, found: Any) -> None:
    """ScriptError unless it is something to be called without arguments."""
    kind = type(found).__name__
    if not callable(found):
        raise ScriptError(f"{path}: {name} is of type {kind}; show a node or a function of one")
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # some built-in functions do not tell
        return
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [
        p.name
        for p in parameters
        if p.default is inspect.Parameter.empty and p.kind not in optional
    ]
    if required:
        raise ScriptError(
            f"{path}: {name} needs {', '.join(required)}; show a node, or a function without "
            "required arguments"
        )


@contextmanager
def in_script(path: str) -> Iterator[None]:
    """A block in which code of a script runs.

    The script's folder is where its imports are looked up first, as when Python runs it.
    ScriptError for whatever the code raises, with its line in the script; KeyboardInterrupt stays
    itself.
    """
    with _as_if_started(path), _errors_with_lines(path):
        yield


def names_of_script(path: str) -> dict[str, Any]:
    """Run a script, inside `in_script`, for its names. ScriptError if there is no such file."""
    if not os.path.isfile(path):
        raise ScriptError(f"there is no script {path}")
    return runpy.run_path(path, run_name=RUN_NAME)


@contextmanager
def _as_if_started(path: str) -> Iterator[None]:
    """sys.path and sys.argv as `python script.py` sets them, and afterwards as they were."""
    folders, arguments = list(sys.path), list(sys.argv)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.argv[:] = [path]
    try:
        yield
    finally:
        sys.path[:] = folders
        sys.argv[:] = arguments


@contextmanager
def _errors_with_lines(path: str) -> Iterator[None]:
    """Turn whatever the script raises into a ScriptError that shows its line."""
    try:
        yield
    except (ScriptError, KeyboardInterrupt):
        raise
    except SystemExit as end:
        raise _ended(path, end.code) from end
    except BaseException as error:
        line = _line_of(path, error)
        place = f"{path}, line {line}" if line else path
        linecache.checkcache(path)
        source = linecache.getline(path, line).strip() if line else ""
        code = f"\n  {shown(source)}" if source else ""
        raise ScriptError(f"{place}: {_error_in_words(error)}{code}") from error


def _ended(path: str, code: object) -> ScriptError:
    """The error for a script that ended the program; its exit status, as nothing could be shown, is
    never 0."""
    if code is None or isinstance(code, int):
        said = f"{path} ended the program by itself (exit status {code or 0})"
    else:  # Python prints everything but numbers
        said = f"{path} ended the program by itself: {code}"
    error = ScriptError(said)
    error.status = code if isinstance(code, int) and code else ScriptError.status
    return error


def _line_of(path: str, error: BaseException) -> int:
    """The line of the script that the error came from; 0 if it is not known."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 0
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == path
    ]
    return (lines[-1] if lines else 0) or 0


def _error_in_words(error: BaseException) -> str:
    """Type and message, also of an error whose message cannot be made."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    return traceback.format_exception_only(error)[0].strip()
