"""Showing a graph at once: inside a notebook, or in the browser."""

from __future__ import annotations

import base64
import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.picture.svg import to_svg
from tinygrad_edu.view.targets import check_node

if TYPE_CHECKING:
    from tinygrad_edu.view.page.lessons import Question, Stop

NO_BROWSER = "TINYGRAD_EDU_NO_BROWSER"
"""The environment variable that keeps the browser closed, if it is set to any text."""

FRAME_HEIGHT, LEAF_HEIGHT = 640, 260
"""The pixels of a page in a notebook, and of the page of a leaf."""

MOST_NODES = 1500
"""A notebook shows every node that ends a cell; above this it keeps to the text."""


def show(
    node: Node,
    *,
    title: str | None = None,
    ranges: Mapping[str, Sequence[float]] | None = None,
    ask: Sequence[Question] = (),
    stops: Sequence[Stop] = (),
) -> str | None:
    """Show the interactive page of a node: in a notebook below the cell, otherwise in the browser.

    Without a notebook the page is a file in a new folder of its own; its path is returned, and
    printed where no browser can be opened or TINYGRAD_EDU_NO_BROWSER is set. In a notebook it
    returns None. TypeError unless given a node; the other arguments are those of `to_html`.
    """
    from tinygrad_edu.view.page.html import to_html

    check_node(node, "show")
    if in_notebook():
        page = to_html(node, title=title, ranges=ranges, layout="cell", ask=ask, stops=stops)
        shown = {
            "text/plain": repr(node),
            "text/html": frame(page, picture_of(node), _height_of(node)),
        }
        importlib.import_module("IPython.display").display(shown, raw=True)
        return None
    import tempfile  # here, because it costs 3 ms that most programs never need

    # The folder is private and new: no one else can have put a file or a link there.
    path = os.path.join(tempfile.mkdtemp(prefix="tinygrad_edu_"), _file_name(node.label))
    to_html(node, path, title=title, ranges=ranges, ask=ask, stops=stops)
    if not open_in_browser(path):
        print(path)
    return path


def frame(html_text: str, svg: str = "", height: int = FRAME_HEIGHT) -> str:
    """A page inside another: its scripts run, but reach neither the notebook nor its cookies.

    A notebook that is not trusted drops the frame and the style, and so shows the picture that
    the style hides beside a frame.
    """
    page = (
        f'<iframe class="tinygrad-edu" title="computation graph" width="100%" height="{height}" '
        'style="border:0" sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{escape(html_text)}"></iframe>'
    )
    style = "<style>.tinygrad-edu+img{display:none}</style>"
    return f"{style}{page}{still(svg, 'computation graph')}" if svg else page


def still(svg: str, name: str) -> str:
    """A picture in a tag of its own: it runs nothing, and every notebook shows it."""
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return f'<img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}">'


def picture_of(node: Node) -> str:
    """The picture that stands in for a page; empty where the graph is too large to be drawn."""
    try:
        return to_svg(node)
    except ValueError:
        return ""


def in_notebook() -> bool:
    """Whether this runs in a kernel that shows HTML, such as Jupyter's; IPython is not imported."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell: Any = get_shell() if callable(get_shell) else None
    if shell is None:
        return False
    is_jupyter = type(shell).__name__ == "ZMQInteractiveShell"
    return is_jupyter or getattr(shell, "kernel", None) is not None


def open_in_browser(path: str) -> bool:
    """Open a file in the browser; False if that is switched off or cannot be done."""
    if os.environ.get(NO_BROWSER) or not _has_display():
        return False
    import webbrowser  # both here: they cost milliseconds that most programs never need
    from pathlib import Path

    try:
        return webbrowser.open(Path(path).absolute().as_uri())
    except (webbrowser.Error, OSError):
        return False


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _file_name(label: str) -> str:
    """A file name that every system takes, for any label."""
    safe = re.sub(r"[^A-Za-z0-9]+", "_", label)[:40].strip("_")
    return f"graph_{safe}.html" if safe else "graph.html"


def _picture(node: Node) -> str:
    _check_size(node)
    return to_svg(node)


def _height_of(node: Node) -> int:
    """The height of a frame: a leaf has little to show."""
    return FRAME_HEIGHT if node.operands else LEAF_HEIGHT


def _page(node: Node) -> str:
    from tinygrad_edu.view.page.html import to_html

    _check_size(node)
    return frame(to_html(node, layout="cell"), to_svg(node), _height_of(node))


def _check_size(node: Node) -> None:
    """ValueError if there are too many nodes; it stops counting there, however large the graph."""
    waiting, seen = [node], {node}
    while waiting:
        for parent in waiting.pop().parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
        if len(seen) > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} nodes are not drawn")


notebook = {"image/svg+xml": _picture, "text/html": _page}
"""How notebooks show a node, by the kind of what they ask for."""
