"""Names for nodes without a label: those of the caller's variables.

In `y = a * b; to_svg(y)` the caller's frame knows what y, a and b are. A name is given only while
the picture is made, so no node changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tinygrad_edu.engine.graph import Node, topological_order

_names: ContextVar[Mapping[Node, str]] = ContextVar("names of the caller's variables")


def label_or_variable(node: Node) -> str:
    """The label of a node, or the name of the caller's variable that holds it, or "" """
    return node.label or _names.get({}).get(node, "")


@contextmanager
def variables_as_names(root: Node) -> Iterator[None]:
    """Within it, a node of the graph without a label has the name of the caller's first variable
    that holds it, unless that begins with _ or is the label of another node."""
    variables = {
        name: node
        for name, node in _variables().items()
        if isinstance(node, Node) and not node.label and not name.startswith("_")
    }
    if variables:
        labels = {node.label for node in topological_order(root)}
        variables = {name: node for name, node in variables.items() if name not in labels}
    token = _names.set({node: name for name, node in reversed(variables.items())})
    try:
        yield
    finally:
        _names.reset(token)


def _variables() -> Mapping[str, Any]:
    """The variables of the function or cell that called this package; in a notebook that shows a
    result by itself, all of the notebook's."""
    frame = sys._getframe(1)
    while frame.f_back and _top_package(frame.f_globals) in ("tinygrad_edu", "contextlib"):
        frame = frame.f_back
    if _top_package(frame.f_globals) == "IPython":
        shell = sys.modules["IPython"].get_ipython()
        return dict(shell.user_ns) if shell is not None else {}
    return frame.f_locals


def _top_package(variables: Mapping[str, Any]) -> str:
    return str(variables.get("__name__", "")).partition(".")[0]
