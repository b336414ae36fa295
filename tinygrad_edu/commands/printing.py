"""What the commands print: to any terminal, and with colours where there are some."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from tinygrad_edu.view.reading import shown_text

RED, GREEN, YELLOW = "31", "32", "33"


def say(text: str, stream: TextIO | None = None) -> None:
    """Print, with escapes for what the terminal's encoding has no character for."""
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def complain(message: str, status: int) -> int:
    """Say what went wrong, and give the exit status back."""
    lines = [shown_text(line) for line in message.removeprefix("expression: ").split("\n")]
    say("tinygrad-edu: " + "\n".join(lines), sys.stderr)
    return status


def width() -> int:
    """How many characters a line may have: those of the terminal, else 100."""
    return max(shutil.get_terminal_size((100, 24)).columns, 60) if sys.stdout.isatty() else 100


def coloured(text: str, colour: str) -> str:
    """The text in a colour, if it goes to a terminal and NO_COLOR is not set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\x1b[{colour}m{text}\x1b[0m"
