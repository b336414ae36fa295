"""The public function that makes the interactive page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.files import write_whole
from tinygrad_edu.graph import Node

if TYPE_CHECKING:
    from pathlib import Path

    from tinygrad_edu.view.page_data import Ranges


def to_html(
    node: Node,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
) -> str:
    """The graph of a node as an interactive page; with `path`, also written there, whole or not.

    The reader walks the forward and the backward pass, moves the inputs and asks why a gradient is
    what it is. It opens with every gradient known if `node.backward()` has run, else at the start.
    `ranges` gives the ends of sliders by label: `{"tax": (1, 1.5)}`, or `(low, high, step)`. The
    page is one file that asks for nothing else. TypeError unless given a node; ValueError for a
    range that fits no leaf.
    """
    if not isinstance(node, Node):
        raise TypeError(f"to_html: expected a node, got {type(node).__name__}")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"to_html: the title is a string, not {type(title).__name__}")
    # here, because it costs 40 ms that most programs never need
    from tinygrad_edu.view.page import page_text

    text = page_text(node, title if title is not None else node.label, ranges)
    if path is not None:
        write_whole(path, text)
    return text
