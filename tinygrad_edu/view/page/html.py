"""The public function that makes the interactive page."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.caller import label_or_variable, variables_as_names
from tinygrad_edu.view.targets import Target, check_node, checked_path, deliver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tinygrad_edu.view.page.lessons import Question, Stop
    from tinygrad_edu.view.page.page_data import Ranges


@overload
def to_html(
    node: Node,
    path: None = None,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
) -> str: ...
@overload
def to_html(
    node: Node,
    path: Target,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
) -> Path: ...
def to_html(
    node: Node,
    path: Target | None = None,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
) -> str | Path:
    """The graph of a node as an interactive page; with `path`, write it there and return the path.

    The reader walks the forward and the backward pass, moves the inputs and asks why a gradient is
    what it is. It opens with every gradient known if `node.backward()` has run, else at the start.
    `ranges` gives the ends of sliders by label: `{"tax": (1, 1.5)}`, or `(low, high, step)`. `ask`
    lists questions for the reader: `("value", "t")`, `("local", "t", "s")`, `("gradient", "x")`,
    `"order"`, `"falsified"`. `stops` is a walk that comes first, see `Stop`. The page is one file
    that needs no other, written atomically. TypeError unless given a node; ValueError for a range
    that fits no leaf, a question or stop that does not fit the graph, or a path that does not end
    in .html.
    """
    check_node(node, "to_html")
    if title is not None and not isinstance(title, str):
        raise TypeError(f"to_html: the title must be a string, not {type(title).__name__}")
    file = checked_path(path, "to_html")
    # here, because it costs 40 ms that most programs never need
    from tinygrad_edu.view.page.page import page_text

    with variables_as_names(node):
        own_title = title if title is not None else label_or_variable(node)
        return deliver(page_text(node, own_title, ranges, ask=ask, stops=stops), file)
