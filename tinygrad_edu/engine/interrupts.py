"""All or nothing, even if a Ctrl-C strikes in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def all_or_nothing(
    compute: Callable[[], Result], give: Callable[[Result], Any], undo: Callable[[], Any]
) -> Result:
    """Compute something and give it; until all is computed nothing has happened.

    `give` may be run twice: if it is interrupted, it is run again, to its end. Between the two
    blocks there is no call, after which alone Python looks for signals.
    """
    try:
        result = compute()
    except BaseException:
        undo()
        raise
    try:
        give(result)
    except BaseException:
        give(result)
        raise
    return result
