"""Pictures of graphs. This is the only part of the package that knows SVG and DOT."""

from tinygrad_edu.view.dot import to_dot, to_graphviz
from tinygrad_edu.view.svg import to_svg

__all__ = ["to_dot", "to_graphviz", "to_svg"]
