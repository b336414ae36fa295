"""What a Ctrl-C in the middle must not leave half done."""

from __future__ import annotations

from collections.abc import Callable


def finished(step: Callable[[], None]) -> None:
    """Run a step that may be run twice; if it is interrupted, once more to its end."""
    try:
        step()
    except BaseException:
        step()
        raise
