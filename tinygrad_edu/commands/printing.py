"""What the commands print: to any terminal, and with colours where there are some."""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import suppress
from typing import TextIO

from tinygrad_edu.view.cards.reading import shown_text

RED, GREEN, YELLOW = "31", "32", "33"
LONGEST_LINE = 600
"""A line of a complaint has at most so many characters; its beginning and its end say most."""

FAILED, INTERRUPTED, PIPE_CLOSED = 1, 130, 141
"""Exit statuses: for a failure; and as the shell has them, after Ctrl-C and for a program that
nobody reads."""

_OURS = re.compile(rf"(\n|\x1b\[(?:{RED}|{GREEN}|{YELLOW}|0)m)")
"""The control characters that we print."""


class NotPrinted(Exception):  # noqa: N818 - it is caught by the command, and never seen
    """The output could not be written; the cause is the OSError."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print, without the control characters of others, and with escapes for what the terminal's
    encoding has no character for. NotPrinted if that fails, as on a disk that is full."""
    stream = stream or sys.stdout
    parts = _OURS.split(text)
    text = "".join(part if i % 2 else shown_text(part) for i, part in enumerate(parts))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)
    except OSError as error:
        raise NotPrinted from error


def complain(message: str, status: int) -> int:
    """Say what went wrong, and give the exit status back."""
    lines = [_shortened(line) for line in message.removeprefix("expression: ").split("\n")]
    if sys.stderr is not None:  # it was closed: print would take the standard output
        with suppress(NotPrinted):
            say("tinygrad-edu: " + "\n".join(lines), sys.stderr)
    return status


def _shortened(line: str) -> str:
    half = LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[:half]} … {line[-half:]}"


def finished(status: int) -> int:
    """The exit status when all is printed; another if it cannot be."""
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except OSError as error:
        return not_printed(error)
    return status


def not_printed(error: BaseException | None) -> int:
    """The exit status if nothing can be printed any more; Python shall not try again at its end."""
    with suppress(OSError, ValueError):  # a test's stand-in for the output has no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    if isinstance(error, BrokenPipeError):  # as in `tinygrad-edu ... | head`: nobody wants more
        return PIPE_CLOSED
    said = getattr(error, "strerror", None) or error
    return complain(f"the output cannot be written: {said}", FAILED)


def width() -> int:
    """How many characters a line may have: those of the terminal, else 100."""
    return max(shutil.get_terminal_size((100, 24)).columns, 60) if _is_terminal() else 100


def coloured(text: str, colour: str) -> str:
    """The text in a colour, if it goes to a terminal and NO_COLOR is not set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or not _is_terminal() else f"\x1b[{colour}m{text}\x1b[0m"


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
