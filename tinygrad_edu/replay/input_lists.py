"""Inputs one by one, or several as a list: `replay(loss, inputs=[x, y, parameters])`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Leaves = Sequence[Any]
"""Leaves one by one, or several as a list."""


def flattened(leaves: Leaves) -> list[Any]:
    """The leaves, one by one."""
    return [y for x in leaves for y in (x if isinstance(x, list | tuple) else [x])]


def shaped(leaves: Leaves, function: Callable[[Any], Any]) -> list[Any]:
    """What a function gives for each leaf, in lists where the leaves are in lists."""
    return [
        [function(y) for y in x] if isinstance(x, list | tuple) else function(x) for x in leaves
    ]
