"""A recorded graph as a function of its leaves, to be run again on whatever takes a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_edu.engine.graph import Node, topological_order


def leaves_of(root: Node) -> list[Node]:
    """The leaves of a graph that have labels; all, if none has one."""
    leaves = [x for x in topological_order(root) if not x.operands]
    return [x for x in leaves if x.label] or leaves


def function_of_graph(root: Node, leaves: Sequence[Node]) -> Callable[..., Any]:
    """What the graph of `root` computes from these leaves, every rule run again.

    The function takes one operand for each leaf, in order: nodes, or what else has `_record`. What
    does not depend on them is a constant. ValueError if the root depends on none of them.
    """
    depending, inner = set(leaves), []
    for node in topological_order(root):
        if node not in depending and any(x in depending for x in node.parents):
            depending.add(node)
            inner.append(node)
    if root not in depending:
        raise ValueError(
            "the result depends on none of the inputs; is it cut off from them by no_grad, detach "
            "or .data?"
        )

    def run(*operands: Any) -> Any:
        made: dict[Node, Any] = dict(zip(leaves, operands, strict=True))
        for node in inner:
            xs = tuple(made.get(x, x.data) if isinstance(x, Node) else x for x in node.operands)
            taker = next(x for x in xs if hasattr(x, "_record"))
            made[node] = taker._record(node.rule, xs, {})
        return made[root]

    return run
