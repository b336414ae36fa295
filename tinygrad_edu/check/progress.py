"""How far a check is: a line on a terminal, after two seconds, and gone at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from tinygrad_edu.view.cards.reading import shown_text

AFTER, EVERY = 2.0, 0.2
"""Seconds before the line is shown, and between two of its states."""
MOST_COLUMNS = 79


class Progress:
    """The line of one check of so many inputs, written to standard error if that is a terminal."""

    def __init__(self, count: int) -> None:
        self.count, self.judged, self.calls = count, 0, 0
        self.next = time.monotonic() + AFTER
        self.shown = 0

    def watching(self, result: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same function, whose calls are counted and shown."""

        def counted(x: Any) -> Any:
            self.calls += 1
            if time.monotonic() > self.next:
                self._show(f"{name}: {self.judged} of {self.count} judged, {self.calls} calls")
            return result(x)

        return counted

    def erase(self) -> None:
        """Leave the line as it was."""
        if self.shown:
            self._write("")

    def _show(self, line: str) -> None:
        self.next = time.monotonic() + EVERY
        if sys.stderr is not None and sys.stderr.isatty():
            self._write(shown_text(line)[:MOST_COLUMNS])

    def _write(self, line: str) -> None:
        sys.stderr.write("\r" + " " * self.shown + "\r" + line)
        sys.stderr.flush()
        self.shown = len(line)
