"""The graph for Graphviz. Only rendering it needs the `dot` program; the text does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from tinygrad_edu.engine.graph import Node
from tinygrad_edu.view.cards.caller import variables_as_names
from tinygrad_edu.view.cards.reading import read, shown_text, warn_of_new_data
from tinygrad_edu.view.targets import Target, check_node, checked_path, deliver

if TYPE_CHECKING:
    from pathlib import Path

    import graphviz


def to_graphviz(node: Node) -> graphviz.Digraph:
    """The graph of a node as a `graphviz.Digraph`, for `.render()` or `.source`.

    TypeError unless given a node. Rendering needs the `dot` program; `to_svg` does not.
    """
    import graphviz  # here, because it costs 20 ms that most programs never need

    check_node(node, "to_graphviz")
    warn_of_new_data(node)
    with variables_as_names(node):
        cards, links = read(node)
    graph = graphviz.Digraph(graph_attr={"rankdir": "LR"}, node_attr={"fontname": "Helvetica"})
    for i, card in enumerate(cards):
        if card.is_constant:
            graph.node(f"n{i}", graphviz.nohtml(card.value), shape="box", style="dashed")
            continue
        name = graphviz.escape(shown_text(card.name, 60).replace("&", "&amp;"))
        lines = [str(name), f"value {card.value}", f"gradient {card.gradient}"]
        label = graphviz.nohtml(r"\n".join(line for line in lines if line))
        graph.node(f"n{i}", label, shape="box", style="rounded,bold" if card.is_root else "rounded")
        if card.symbol:
            symbol = shown_text(card.symbol, 60).replace("&", "&amp;")
            graph.node(f"n{i}op", graphviz.escape(symbol), shape="circle")
            graph.edge(f"n{i}op", f"n{i}", arrowhead="none")
    for link in links:
        graph.edge(f"n{link.tail}", f"n{link.head}op", graphviz.nohtml(link.derivative))
    return graph


@overload
def to_dot(node: Node, path: None = None) -> str: ...
@overload
def to_dot(node: Node, path: Target) -> Path: ...
def to_dot(node: Node, path: Target | None = None) -> str | Path:
    """The graph of a node in the DOT language; with `path`, write it there and return the path.

    TypeError unless given a node, ValueError for a path that ends in anything but .dot.
    """
    check_node(node, "to_dot")
    file = checked_path(path, "to_dot")
    return deliver(str(to_graphviz(node).source), file)
