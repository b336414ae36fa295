"""The public function that makes the interactive page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, get_args, overload

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.caller import label_or_variable, variables_as_names
from tinygrad_edu.view.targets import Target, check_node, checked_path, deliver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tinygrad_edu.view.page.lessons import Question, Stop
    from tinygrad_edu.view.page.page_data import Ranges
    from tinygrad_edu.view.page.words import Words

Layout = Literal["full", "slide", "cell"]


class PageMaker(Protocol):
    """What is not a graph and has a page of its own: the `History` of a run, a `Trainer`."""

    def page(self, title: str) -> str: ...


@overload
def to_html(
    node: Node | PageMaker,
    path: None = None,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
    layout: Layout = "full",
    lang: str | Words = "en",
) -> str: ...
@overload
def to_html(
    node: Node | PageMaker,
    path: Target,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
    layout: Layout = "full",
    lang: str | Words = "en",
) -> Path: ...
def to_html(
    node: Node | PageMaker,
    path: Target | None = None,
    *,
    title: str | None = None,
    ranges: Ranges | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
    layout: Layout = "full",
    lang: str | Words = "en",
) -> str | Path:
    """The graph of a node, or the `History` of a run, as an interactive page.

    With `path` it is written there, and the path is returned.

    The reader walks the forward and the backward pass, moves the inputs and asks why a gradient is
    what it is. It opens with every gradient known if `node.backward()` has run, else at the start.
    `ranges` gives the ends of sliders by label: `{"tax": (1, 1.5)}`, or `(low, high, step)`. `ask`
    lists questions for the reader: `("value", "t")`, `("local", "t", "s")`, `("gradient", "x")`,
    `"order"`, `"falsified"`. `stops` is a walk that comes first, see `Stop`. `layout` is "full",
    "slide" for a frame of 960 × 540 pixels with large type, or "cell" for a frame in a notebook.
    `lang` is the language of the page, "en" or "de", or a table of texts: keys and placeholders
    are those of static/words_en.json. The page is one file that needs no other, written atomically.
    TypeError unless given a node; ValueError for another layout or language, a range that fits no
    leaf, a question or stop that does not fit the graph, or a path that does not end in .html.
    """
    if title is not None and not isinstance(title, str):
        raise TypeError(f"to_html: the title must be a string, not {type(title).__name__}")
    if layout not in get_args(Layout):
        raise ValueError(f"to_html: layout must be one of {get_args(Layout)}, not {layout!r}")
    file = checked_path(path, "to_html")
    if not isinstance(node, Node):
        if not hasattr(node, "page"):
            check_node(node, "to_html")
        return deliver(node.page(title or "Training run"), file)
    # here, because it costs 40 ms that most programs never need
    from tinygrad_edu.view.page.page import page_text

    with variables_as_names(node):
        own_title = title if title is not None else label_or_variable(node)
        text = page_text(node, own_title, ranges, layout, lang, ask=ask, stops=stops)
        return deliver(text, file)
